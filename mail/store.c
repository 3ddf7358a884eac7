#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/store-private.h"

enum { SCHEMA = 7, BUSY_MS = 5000, LENGTH_MAX = 16 * 1024 * 1024 };

/* A message's id is its folder's number and its own: (folder << 32) | uid. So the lines of a folder lie side by side
 * in the order in which they are read, and no index beside the table is needed. How many a folder has is kept with it,
 * since the first screen shows the number, and counting reads them all. */
#define UNSEEN(row) "(" row ".flags & 1 = 0)"
#define COUNTING                                                                                             \
  "CREATE TRIGGER came AFTER INSERT ON message BEGIN"                                                        \
  " UPDATE folder SET kept = kept + 1, kept_unseen = kept_unseen + " UNSEEN("new") " WHERE id = new.id >> 32; END;" \
  "CREATE TRIGGER gone AFTER DELETE ON message BEGIN"                                                        \
  " UPDATE folder SET kept = kept - 1, kept_unseen = kept_unseen - " UNSEEN("old") " WHERE id = old.id >> 32;"      \
  " DELETE FROM body WHERE id = old.id; END;"                                                                \
  "CREATE TRIGGER seen AFTER UPDATE OF flags ON message WHEN " UNSEEN("old") " <> " UNSEEN("new") " BEGIN"   \
  " UPDATE folder SET kept_unseen = kept_unseen + " UNSEEN("new") " - " UNSEEN("old") " WHERE id = new.id >> 32; END;"
G_STATIC_ASSERT(ML_FLAG_SEEN == 1);

/* What the search has to look at (mail/store-search.c), with a mark that is another one each time; birth tells it whether
 * this is still the file that it knows. */
#define TOUCH(id) "BEGIN DELETE FROM touched WHERE id = " id "; INSERT INTO touched VALUES(" id ", random()); END;"
#define TOUCHED                                                                                                        \
  "CREATE TABLE birth(name TEXT NOT NULL); INSERT INTO birth VALUES(lower(hex(randomblob(16))));"                      \
  "CREATE TABLE touched(id INTEGER PRIMARY KEY, mark INTEGER NOT NULL);"                                               \
  "CREATE TRIGGER touched_new AFTER INSERT ON message " TOUCH("new.id")                                                \
  "CREATE TRIGGER touched_gone AFTER DELETE ON message " TOUCH("old.id")                                               \
  "CREATE TRIGGER touched_body AFTER INSERT ON body " TOUCH("new.id")

/* What the server says of messages that are shown otherwise, since a change waits for the line (store-shown.c): their ids
 * are negative while they are out of the list. */
#define SHOWN                                                                                                          \
  "CREATE TABLE confirmed(id INTEGER PRIMARY KEY, flags INTEGER NOT NULL);"                                            \
  "CREATE TRIGGER hidden AFTER UPDATE OF id ON message WHEN old.id > 0 AND new.id < 0 BEGIN UPDATE folder SET"         \
  " kept = kept - 1, kept_unseen = kept_unseen - " UNSEEN("old") " WHERE id = old.id >> 32;"                           \
  " INSERT OR REPLACE INTO touched VALUES(old.id, random()); END;"                                                     \
  "CREATE TRIGGER back AFTER UPDATE OF id ON message WHEN old.id < 0 AND new.id > 0 BEGIN UPDATE folder SET"           \
  " kept = kept + 1, kept_unseen = kept_unseen + " UNSEEN("new") " WHERE id = new.id >> 32;"                           \
  " INSERT OR REPLACE INTO touched VALUES(new.id, random()); END;"

/* A verdict is on the octets that are kept, or on those that the digest is of; the standing is what all of them were judged by. (mail/store-verdict.c) */
#define VERDICTS                                                                                                       \
  "CREATE TABLE verdict(id INTEGER PRIMARY KEY, mark INTEGER NOT NULL, until INTEGER NOT NULL);"                       \
  "CREATE TABLE standing(word TEXT NOT NULL);"                                                                         \
  "CREATE TRIGGER verdict_body AFTER INSERT ON body BEGIN DELETE FROM verdict WHERE id = new.id; END;"                 \
  "CREATE TRIGGER verdict_gone AFTER DELETE ON message BEGIN DELETE FROM verdict WHERE id = old.id; END;"
#define DIGESTS "ALTER TABLE verdict ADD COLUMN digest TEXT;"

/* What may happen at an INSERT into message stands in add_headers() (mail/store-folder.c) once more. */
static const char schema[] =
    "CREATE TABLE about(identity TEXT NOT NULL, capabilities TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE folder(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role INTEGER NOT NULL,"
    " selectable INTEGER NOT NULL, listed INTEGER NOT NULL, position INTEGER NOT NULL, total INTEGER NOT NULL,"
    " unseen INTEGER NOT NULL, uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, modseq INTEGER NOT NULL,"
    " complete INTEGER NOT NULL, compared INTEGER NOT NULL, kept INTEGER NOT NULL DEFAULT 0,"
    " kept_unseen INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE message(id INTEGER PRIMARY KEY, flags INTEGER NOT NULL, hints INTEGER NOT NULL,"
    " date INTEGER NOT NULL, received INTEGER NOT NULL, size INTEGER NOT NULL, sender TEXT NOT NULL,"
    " sender_name TEXT NOT NULL, sender_address TEXT NOT NULL, recipient TEXT NOT NULL, cc TEXT NOT NULL,"
    " subject TEXT NOT NULL, message_id TEXT NOT NULL, refs TEXT NOT NULL);"
    "CREATE TABLE body(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, received INTEGER NOT NULL, bytes BLOB NOT NULL);"
    COUNTING TOUCHED SHOWN VERDICTS DIGESTS "PRAGMA user_version = 7;";

/* What makes a file of the version before one of this version. */
static const char *const steps[SCHEMA + 1] = {
  [3] = "ALTER TABLE about ADD COLUMN capabilities TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE folder ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE folder ADD COLUMN kept_unseen INTEGER NOT NULL DEFAULT 0;"
        "UPDATE folder SET (kept, kept_unseen) = (SELECT count(*), ifnull(sum(" UNSEEN("message") "), 0) FROM message"
        " WHERE message.id >= folder.id << 32 AND message.id < (folder.id + 1) << 32);"
        "DROP TRIGGER gone;" COUNTING "PRAGMA user_version = 3;",
  [4] = TOUCHED "INSERT INTO touched SELECT id, random() FROM message; PRAGMA user_version = 4;",
  [5] = SHOWN "PRAGMA user_version = 5;",
  [6] = VERDICTS "PRAGMA user_version = 6;",
  [7] = DIGESTS "PRAGMA user_version = 7;",
};

static const MlStoreKind lists = {
  SCHEMA, schema, steps, NULL,
  "the lists are fetched again from the server (signet sync does it at once). No mail is lost.",
};

/* ---- a file that is of no use is taken away */

static void
finalize(gpointer statement)
{
  sqlite3_finalize(statement);
}

/* What is lent is finalized only with the store: whoever holds one has still to give it back. */
static void
retire_lent(MlStore *store)
{
  GHashTableIter iter;
  gpointer statement;
  if (!store->lent)
    return;
  if (!store->old)
    store->old = g_ptr_array_new_with_free_func(finalize);
  g_hash_table_iter_init(&iter, store->lent);
  while (g_hash_table_iter_next(&iter, NULL, &statement))
    g_ptr_array_add(store->old, statement);
  g_clear_pointer(&store->lent, g_hash_table_unref);
}

static void
close_db(MlStore *store)
{
  retire_lent(store);
  sqlite3_close_v2(store->db);
  store->db = NULL;
  store->nested = 0;
}

static gboolean
is_replaced(const MlStore *store)
{
  struct stat about;
  return stat(store->path, &about) < 0 || about.st_ino != store->inode;
}

/* Whoever has it open goes on writing into files without a name, and notices at its next transaction. */
static void
take_away(MlStore *store)
{
  static const char *const suffixes[] = { "", "-wal", "-shm" };
  gboolean other = store->read_only && is_replaced(store); /* what was read is gone already */
  close_db(store);
  if (other)
    return;
  for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
    g_autofree char *path = g_strconcat(store->path, suffixes[i], NULL);
    if (unlink(path) < 0 && errno != ENOENT)
      g_warning("%s cannot be removed: %s", path, g_strerror(errno));
  }
}

static gboolean
is_useless(int code)
{
  /* SQLITE_ERROR: our statements are right, so the schema they are for is not there. */
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_SCHEMA ||
         code == SQLITE_ERROR || code == SQLITE_IOERR_SHORT_READ;
}

/* Where the index of the write-ahead log cannot grow SQLite speaks of an I/O error, not of a full disk. */
static gboolean
is_full(sqlite3 *db)
{
  int code = sqlite3_extended_errcode(db), why = sqlite3_system_errno(db);
  return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE ||
         (((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN) && (why == ENOSPC || why == EDQUOT));
}

const char *
ml_store_advice(sqlite3 *db)
{
  int code = db ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM;
  return db && is_full(db)        ? " Make room on the disk."
         : code == SQLITE_BUSY    ? " Another program keeps it locked."
         : code == SQLITE_IOERR   ? " The disk or its file system fails: look into the log of the system."
         : code == SQLITE_PERM || code == SQLITE_READONLY || code == SQLITE_CANTOPEN
             ? " Look at the owner and the permissions."
             : "";
}

gboolean
ml_store_fail(MlStore *store, GError **error)
{
  int code = store->db ? sqlite3_extended_errcode(store->db) : SQLITE_NOMEM;
  if (is_useless(code)) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE,
                "%s was damaged and is begun anew: %s", store->path, store->kind->damaged);
    take_away(store);
    return FALSE;
  }
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The lists cannot be used: %s.%s The file is %s.",
              store->db ? sqlite3_errmsg(store->db) : "out of memory", ml_store_advice(store->db), store->path);
  return FALSE;
}

/* ---- opening */

/* SQLite counts the memory that it takes, for whoever may ask, under one lock of the process: each row that is read for the
 * screen would wait for the index that is written behind it. Nobody asks. Where it has begun already it goes on counting. */
void
ml_store_init(void)
{
  (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int
ml_store_be_shared(sqlite3 *db, int wait_ms)
{
  gint64 until = g_get_monotonic_time() + (gint64)wait_ms * 1000;
  int code = sqlite3_busy_timeout(db, wait_ms);
  if (code == SQLITE_OK)
    code = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
  /* Where two begin the same file one of them is refused without the wait, for each would wait for the other. */
  while ((code & 0xff) == SQLITE_BUSY && g_get_monotonic_time() < until) {
    g_usleep(2000);
    code = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
  }
  return code;
}

char *
ml_store_identity(const MlAccount *account)
{
  return account->kind == ML_ACCOUNT_IMAP
             ? g_strdup_printf("imap %s@%s:%u", account->imap.user ? account->imap.user : "", account->imap.host,
                               account->imap.port)
             : g_strdup_printf("%s %s", account->kind == ML_ACCOUNT_MAILDIR ? "maildir" : "mbox", account->path);
}

/* The name of an account may hold what the name of a file must not. */
char *
ml_store_file(const char *directory, const MlAccount *account)
{
  g_autofree char *name = g_uri_escape_string(account->name, " ", TRUE);
  g_autofree char *file = g_strconcat(*name == '.' ? "%2E" : "", *name == '.' ? name + 1 : name, ".db", NULL);
  return g_build_filename(directory, file, NULL);
}

static int
user_version(MlStore *store)
{
  g_autoptr(sqlite3_stmt) statement = NULL;
  if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK ||
      sqlite3_step(statement) != SQLITE_ROW)
    return -1;
  return sqlite3_column_int(statement, 0);
}

static gboolean
is_ours(MlStore *store)
{
  g_autoptr(sqlite3_stmt) statement = NULL;
  if (sqlite3_prepare_v2(store->db, "SELECT identity FROM about", -1, &statement, NULL) != SQLITE_OK ||
      sqlite3_step(statement) != SQLITE_ROW)
    return FALSE;
  return g_strcmp0((const char *)sqlite3_column_text(statement, 0), store->identity) == 0;
}

static gboolean
make_schema(MlStore *store, GError **error)
{
  if (!ml_store_run(store, "BEGIN IMMEDIATE", error))
    return FALSE;
  if (user_version(store) == store->kind->version) /* another signet was quicker */
    return ml_store_run(store, "COMMIT", error);
  if (!ml_store_run(store, store->kind->schema, error))
    return FALSE;
  g_autoptr(sqlite3_stmt) about = ml_store_prepare(store, "INSERT INTO about(identity) VALUES(?1)", error);
  if (!about)
    return FALSE;
  sqlite3_bind_text(about, 1, store->identity, -1, SQLITE_STATIC);
  return ml_store_step(store, about, error) && ml_store_run(store, "COMMIT", error);
}

static gboolean
is_older(const MlStore *store, int version)
{
  return version > 0 && version < store->kind->version && store->kind->steps && store->kind->steps[version + 1];
}

static gboolean
bring_up(MlStore *store, GError **error)
{
  if (!ml_store_run(store, "BEGIN IMMEDIATE", error))
    return FALSE;
  for (int version; is_older(store, version = user_version(store));)
    if (!ml_store_run(store, store->kind->steps[version + 1], error))
      return FALSE;
  return ml_store_run(store, "COMMIT", error);
}

static gboolean
be_shared(MlStore *store, GError **error)
{
  return ml_store_be_shared(store->db, BUSY_MS) == SQLITE_OK || ml_store_fail(store, error);
}

static gboolean
open_db(MlStore *store, GError **error)
{
  int flags = store->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  struct stat about;
  if (sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    return ml_store_fail(store, error);
  sqlite3_busy_timeout(store->db, BUSY_MS);
  sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
  if (store->kind->opened && store->kind->opened(store->db) != SQLITE_OK)
    return ml_store_fail(store, error);
  if (!ml_store_run(store, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", error) ||
      (!store->read_only && (!be_shared(store, error) || !ml_store_run(store, "PRAGMA synchronous = NORMAL", error))))
    return FALSE;
  store->inode = stat(store->path, &about) == 0 ? about.st_ino : 0;
  return TRUE;
}

/* The lists are of no use only where that is what the file says; a disk that fails for a moment takes none away. */
static gboolean
is_for_now(MlStore *store)
{
  int code = sqlite3_extended_errcode(store->db);
  return code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE && !is_useless(code);
}

/* What is there, if it is of use; else a new one. */
static gboolean
open_or_begin(MlStore *store, GError **error)
{
  for (guint tries = 0; tries < 2; tries++) {
    g_autoptr(GError) why = NULL;
    if (!open_db(store, &why)) {
      if (store->db || tries) { /* not for damage: that has closed it */
        g_propagate_error(error, g_steal_pointer(&why));
        return FALSE;
      }
      continue;
    }
    int version = user_version(store);
    if (version < 0 && is_for_now(store))
      return ml_store_fail(store, error);
    gboolean old = is_older(store, version) && is_ours(store);
    if ((version == 0 && !make_schema(store, &why)) || (old && !bring_up(store, &why))) {
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
    if ((version == 0 || version == store->kind->version || old) && is_ours(store))
      return TRUE;
    if (is_for_now(store))
      return ml_store_fail(store, error);
    take_away(store);
  }
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s cannot be used and not be begun anew.", store->path);
  return FALSE;
}

MlStore *
ml_store_open_kind(const MlStoreKind *kind, const char *path, const char *identity, GError **error)
{
  g_autoptr(MlStore) store = g_new0(MlStore, 1);
  g_autofree char *directory = g_path_get_dirname(path);
  store->kind = kind;
  store->path = g_strdup(path);
  store->identity = g_strdup(identity);
  if (g_mkdir_with_parents(directory, 0700) < 0) {
    ml_files_error(error, errno, "made", directory);
    return NULL;
  }
  /* SQLite gives a file to everybody whom the umask lets read. */
  if (!ml_files_make_database(store->path, error))
    return NULL;
  return open_or_begin(store, error) ? g_steal_pointer(&store) : NULL;
}

MlStore *
ml_store_open_kind_to_read(const MlStoreKind *kind, const char *path, const char *identity, GError **error)
{
  g_autoptr(MlStore) store = g_new0(MlStore, 1);
  store->kind = kind;
  store->path = g_strdup(path);
  store->identity = g_strdup(identity);
  store->read_only = TRUE;
  if (!g_file_test(path, G_FILE_TEST_EXISTS) || !open_db(store, error))
    return NULL;
  int version = user_version(store);
  if (version < 0 && store->db && !is_useless(sqlite3_extended_errcode(store->db))) {
    ml_store_fail(store, error);
    return NULL;
  }
  if (is_older(store, version)) {
    g_autoptr(MlStore) writer = ml_store_open_kind(kind, path, identity, error);
    if (!writer)
      return NULL;
    version = user_version(store);
  }
  return version == kind->version && is_ours(store) ? g_steal_pointer(&store) : NULL;
}

MlStore *
ml_store_open(const char *directory, const MlAccount *account, GError **error)
{
  g_autofree char *path = ml_store_file(directory, account), *identity = ml_store_identity(account);
  return ml_store_open_kind(&lists, path, identity, error);
}

MlStore *
ml_store_open_to_read(const char *directory, const MlAccount *account, GError **error)
{
  g_autofree char *path = ml_store_file(directory, account), *identity = ml_store_identity(account);
  return ml_store_open_kind_to_read(&lists, path, identity, error);
}

void
ml_store_be_quick(MlStore *store)
{
  enum { QUICK_MS = 50 };
  store->quick = TRUE;
  sqlite3_busy_timeout(store->db, QUICK_MS);
  sqlite3_exec(store->db, "PRAGMA cache_size = -256", NULL, NULL, NULL); /* KiB; the kernel has the pages anyway */
}

void
ml_store_be_bulk(MlStore *store)
{
  enum { PAGES = 4000 };
  sqlite3_wal_autocheckpoint(store->db, PAGES);
}

void
ml_store_free(MlStore *store)
{
  if (!store)
    return;
  close_db(store);
  g_clear_pointer(&store->old, g_ptr_array_unref);
  g_free(store->path);
  g_free(store->identity);
  g_free(store);
}

/* ---- statements and transactions */

/* After damage, and where another signet has begun the file anew, what is open is not the store any more. Who reads for
 * a person stays with what was told of it, and opens another one himself. */
static gboolean
is_open(MlStore *store, GError **error)
{
  if (store->quick && store->db)
    return TRUE;
  if (store->quick) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s was damaged: the lists are fetched again from the server.",
                store->path);
    return FALSE;
  }
  if (store->db && is_replaced(store))
    close_db(store);
  return store->db || (store->read_only ? open_db(store, error) : open_or_begin(store, error));
}

gboolean
ml_store_run(MlStore *store, const char *sql, GError **error)
{
  return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || ml_store_fail(store, error);
}

sqlite3_stmt *
ml_store_prepare(MlStore *store, const char *sql, GError **error)
{
  sqlite3_stmt *statement = NULL;
  if (!store->nested && !is_open(store, error))
    return NULL;
  if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) {
    ml_store_fail(store, error);
    return NULL;
  }
  return statement;
}

MlStoreLent *
ml_store_lend(MlStore *store, const char *sql, GError **error)
{
  if (!store->nested && !is_open(store, error))
    return NULL;
  sqlite3_stmt *statement = store->lent ? g_hash_table_lookup(store->lent, sql) : NULL;
  if (statement)
    return statement;
  if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
    ml_store_fail(store, error);
    return NULL;
  }
  if (!store->lent)
    store->lent = g_hash_table_new(NULL, NULL);
  g_hash_table_insert(store->lent, (gpointer)sql, statement);
  return statement;
}

gboolean
ml_store_step(MlStore *store, sqlite3_stmt *statement, GError **error)
{
  int code = sqlite3_step(statement);
  if (code != SQLITE_DONE && code != SQLITE_ROW)
    return ml_store_fail(store, error);
  sqlite3_reset(statement);
  return TRUE;
}

gboolean
ml_store_begin(MlStore *store, GError **error)
{
  g_assert(!store->nested);
  if (!is_open(store, error) || !ml_store_run(store, "BEGIN IMMEDIATE", error))
    return FALSE;
  store->nested = 1;
  return TRUE;
}

gboolean
ml_store_end(MlStore *store, gboolean ok, GError **error)
{
  if (!store->db || !store->nested)
    return FALSE; /* damage was met on the way */
  store->nested = 0;
  ml_files_point("store-commit-1");
  gboolean kept = ok && ml_store_run(store, "COMMIT", error);
  ml_files_point("store-commit-2");
  if (!kept && store->db)
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
  return kept;
}
