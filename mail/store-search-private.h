#ifndef ML_STORE_SEARCH_PRIVATE_H
#define ML_STORE_SEARCH_PRIVATE_H

#include "mail/store-opened-private.h"
#include "mail/store-private.h"
#include "mail/store-search.h"

struct MlStoreSearch {
  MlStore *store; /* borrowed: the lists */
  MlStore *index; /* the words */
  sqlite3_stmt *insert; /* into the part that is being filled; NULL outside of a transaction */
  MlStoreOpened *opened; /* words of encrypted mail besides; borrowed; NULL */
  gint64 part;
  guint32 next; /* the number of its next row */
};

/* A row's number is its part's and its own: part << 32 | row. */
enum { ML_SEARCH_SHIFT = 32 };

/* Who wrote it and what about count for more than a word in the text: of sender, recipient, subject, body. */
#define ML_SEARCH_WEIGHTS "4.0, 2.0, 4.0, 1.0"
/* Makes the tokenizer "signet" known. An SQLite result code. */
int ml_store_search_words(sqlite3 *db) G_GNUC_WARN_UNUSED_RESULT;

#endif
