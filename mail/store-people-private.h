#ifndef ML_STORE_PEOPLE_PRIVATE_H
#define ML_STORE_PEOPLE_PRIVATE_H

#include "mail/address-private.h"
#include "mail/people.h"

/* For mail/store*.c alone: further tables of people.db lie in files of their own. Borrowed. */
struct sqlite3 *ml_people_db(MlPeople *people);

#endif
