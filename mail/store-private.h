#ifndef ML_STORE_PRIVATE_H
#define ML_STORE_PRIVATE_H

#include <sqlite3.h>

#include "mail/store.h"

/* For mail/store*.c alone. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

/* One that the store keeps for the next time (ml_store_lend()). Left busy it would hold back what others write. */
typedef sqlite3_stmt MlStoreLent;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlStoreLent, sqlite3_reset)

/* What a file is: its schema and the steps that lead to it, what is done to a handle of it, and what follows from damage. */
typedef struct {
  int version;
  const char *schema;
  const char *const *steps; /* by the version that they lead to; NULL: begun anew */
  int (*opened)(sqlite3 *db);
  const char *damaged;
} MlStoreKind;

struct MlStore {
  const MlStoreKind *kind;
  sqlite3 *db;
  char *path, *identity;
  guint64 inode; /* of the file that is open: another signet may have begun it anew */
  gboolean read_only, quick; /* quick: ml_store_be_quick() */
  guint nested;  /* ml_store_begin() without its end */
  GHashTable *lent; /* of MlStoreLent by its words; NULL: none yet */
  GPtrArray *old;   /* those of a file that was damaged or replaced: somebody may hold one; NULL */
};

MlStore *ml_store_open_kind(const MlStoreKind *kind, const char *path, const char *identity, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
MlStore *ml_store_open_kind_to_read(const MlStoreKind *kind, const char *path, const char *identity, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* What to do about its last error: " Make room on the disk.", or "". @db may be NULL. */
const char *ml_store_advice(sqlite3 *db);
/* Makes @db wait up to @wait_ms for others, and write by the write-ahead log. An SQLite result code. */
int ml_store_be_shared(sqlite3 *db, int wait_ms) G_GNUC_WARN_UNUSED_RESULT;
/* Sets *error (may be NULL) to what SQLite says, and begins a damaged file anew. Always FALSE. */
gboolean ml_store_fail(MlStore *store, GError **error);
gboolean ml_store_run(MlStore *store, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* NULL: the error is set. Texts are bound by the caller. */
sqlite3_stmt *ml_store_prepare(MlStore *store, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same, prepared once for as long as the file is open; for a function that ends with it before anybody asks for the same
 * again. @sql stays: a literal. Borrowed, by g_autoptr(MlStoreLent). */
MlStoreLent *ml_store_lend(MlStore *store, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Runs a statement that gives no rows, and makes it ready for its next values. */
gboolean ml_store_step(MlStore *store, sqlite3_stmt *statement, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One transaction that writes. _end() takes back what was done where @ok is FALSE, and returns whether it is kept. */
gboolean ml_store_begin(MlStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_store_end(MlStore *store, gboolean ok, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* store-lines.c: its line of the index. NULL without an error: it is not here. *@name (may be NULL): transfer full. */
MlHeader *ml_store_header(MlStore *store, gint64 id, char **name, guint32 *uidvalidity, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* store-body.c: ml_store_put_all() within a transaction. */
gboolean ml_store_add_bodies(MlStore *store, const char *folder, guint32 uidvalidity, const GPtrArray *bodies,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* store-folder.c; 0: not known, or an error, which is set. */
gint64 ml_store_folder_id(MlStore *store, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Those of a line of the index, in the order of MlHeader. */
#define ML_STORE_COLUMNS                                                                                     \
  "id, flags, hints, date, received, size, sender, sender_name, sender_address, recipient, cc, subject, "    \
  "message_id, refs"

char *ml_store_text(sqlite3_stmt *statement, int column); /* valid UTF-8, never NULL; transfer full */
MlHeader *ml_store_read_header(sqlite3_stmt *statement); /* of ML_STORE_COLUMNS */

/* For files of an account beside the store's. Transfer full. */
char *ml_store_file(const char *directory, const MlAccount *account);
char *ml_store_identity(const MlAccount *account);

#endif
