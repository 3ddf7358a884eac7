#ifndef ML_STORE_PENDING_PRIVATE_H
#define ML_STORE_PENDING_PRIVATE_H

#include "mail/pending-private.h"
#include "mail/store-private.h"

/* For mail/store-pending*.c alone. */
struct MlPending {
  sqlite3 *db;
  char *path, *identity;
  char *said;    /* what ml_pending_said() tells next */
  guint64 inode; /* of the file that is open: another process may have set it aside */
  gboolean durable;
  int held; /* ml_pending_lock()'s, while it is; else -1 */
  gboolean ours; /* it was, once: another mailbox's file is not taken over any more */
};

/* Sets *error (may be NULL) to what SQLite says, and sets a damaged file aside. Always FALSE. */
gboolean ml_pending_fail(MlPending *pending, GError **error);
/* NULL: the error is set. */
sqlite3_stmt *ml_pending_prepare(MlPending *pending, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_pending_step(MlPending *pending, sqlite3_stmt *statement, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One transaction; as ml_store_begin() and _end(). */
gboolean ml_pending_begin_sql(MlPending *pending, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_pending_end_sql(MlPending *pending, gboolean ok, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
