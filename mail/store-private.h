#ifndef ML_STORE_PRIVATE_H
#define ML_STORE_PRIVATE_H

#include <sqlite3.h>

#include "mail/store.h"

/* For mail/store*.c alone. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

struct MlStore {
  sqlite3 *db;
  char *path, *identity;
  guint64 inode; /* of the file that is open: another signet may have begun it anew */
  gboolean read_only;
  guint nested;  /* ml_store_begin() without its end */
};

/* Sets *error (may be NULL) to what SQLite says, and begins a damaged file anew. Always FALSE. */
gboolean ml_store_fail(MlStore *store, GError **error);
gboolean ml_store_run(MlStore *store, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* NULL: the error is set. Texts are bound by the caller. */
sqlite3_stmt *ml_store_prepare(MlStore *store, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Runs a statement that gives no rows, and makes it ready for its next values. */
gboolean ml_store_step(MlStore *store, sqlite3_stmt *statement, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One transaction that writes. _end() takes back what was done where @ok is FALSE, and returns whether it is kept. */
gboolean ml_store_begin(MlStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_store_end(MlStore *store, gboolean ok, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where a test kills the program: SIGNET_TEST_DIE names the point. */
void ml_store_point(const char *name);

#endif
