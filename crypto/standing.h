#ifndef CRYPTO_STANDING_H
#define CRYPTO_STANDING_H

#include <glib.h>

/* What certificates are judged by, in one word: the database (trust, distrust, authorities, lists of its own), the modules
 * in it, the authorities that policy allows, what is kept of revocation, NSS and its roots. As long as two words are equal,
 * whatever program wrote to any of it, a verdict on a chain can change by the passing of time alone; what a card brings
 * or takes with it is not in it, so that nobody keeps one for more than a day. Take the word before judging. Some calls of
 * stat(2); any thread, between crypto_open() and crypto_close(). Transfer full. @answers FALSE: without what is kept of
 * revocation, for who asks anew about every certificate. */
char *crypto_standing(gboolean answers);

#endif
