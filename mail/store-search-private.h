#ifndef ML_STORE_SEARCH_PRIVATE_H
#define ML_STORE_SEARCH_PRIVATE_H

#include "mail/store-private.h"
#include "mail/store-search.h"

struct MlStoreSearch {
  MlStore *store; /* borrowed: the lists */
  MlStore *index; /* the words */
  sqlite3_stmt *insert; /* into the part that is being filled; NULL outside of a transaction */
  gint64 part;
  guint32 next; /* the number of its next row */
};

/* A row's number is its part's and its own: part << 32 | row. */
enum { ML_SEARCH_SHIFT = 32 };

#endif
