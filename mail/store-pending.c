#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/store-pending-private.h"

enum { SCHEMA = 1, BUSY_MS = 5000 };

static const char schema[] =
    "CREATE TABLE about(identity TEXT NOT NULL);"
    "CREATE TABLE entry(id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, state INTEGER NOT NULL,"
    " folder TEXT NOT NULL, uidvalidity INTEGER NOT NULL, target TEXT, target_validity INTEGER NOT NULL,"
    " added INTEGER NOT NULL, removed INTEGER NOT NULL, at INTEGER NOT NULL, tries INTEGER NOT NULL, error TEXT,"
    " by_itself INTEGER NOT NULL, undone INTEGER NOT NULL);"
    "CREATE INDEX entry_state ON entry(state);"
    "CREATE TABLE letter(entry INTEGER NOT NULL, uid INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " message_id TEXT NOT NULL, subject TEXT NOT NULL, there INTEGER NOT NULL, PRIMARY KEY(entry, uid)) WITHOUT ROWID;"
    "CREATE TABLE body(entry INTEGER PRIMARY KEY, received INTEGER NOT NULL, bytes BLOB NOT NULL);"
    "CREATE TRIGGER gone AFTER DELETE ON entry BEGIN DELETE FROM letter WHERE entry = old.id;"
    " DELETE FROM body WHERE entry = old.id; END;"
    "PRAGMA user_version = 1;";

/* ---- the file */

static void
close_db(MlPending *pending)
{
  sqlite3_close_v2(pending->db);
  pending->db = NULL;
}

static guint64
inode_of(const char *path)
{
  struct stat about;
  return stat(path, &about) == 0 ? about.st_ino : 0;
}

gboolean
ml_pending_lock(MlPending *pending, gboolean *busy, GError **error)
{
  g_autofree char *path = g_strconcat(pending->path, ".lock", NULL);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  *busy = FALSE;
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
    pending->held = fd;
    return TRUE;
  }
  *busy = fd >= 0 && errno == EWOULDBLOCK;
  if (!*busy)
    ml_files_error(error, errno, "locked", path);
  if (fd >= 0)
    close(fd);
  return FALSE;
}

void
ml_pending_unlock(MlPending *pending)
{
  close(pending->held);
  pending->held = -1;
}

/* Under a name that says when. What is in it may be all that is left of what somebody did. */
static gboolean
rename_aside(MlPending *pending, const char *why, GError **error)
{
  static const char *const suffixes[] = { "-wal", "-shm", "" };
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *stamp = g_date_time_format(now, "%Y%m%dT%H%M%S");
  g_autofree char *aside = g_strdup_printf("%s.aside-%s.%06d", pending->path, stamp, g_date_time_get_microsecond(now));
  for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
    g_autofree char *from = g_strconcat(pending->path, suffixes[i], NULL);
    g_autofree char *to = g_strconcat(aside, suffixes[i], NULL);
    if (!ml_files_rename(from, to) && errno != ENOENT) {
      ml_files_error(error, errno, "set aside", from);
      return FALSE;
    }
  }
  g_free(pending->said);
  pending->said = g_strdup_printf("The changes that waited for the line could not be used: %s They were set aside as %s, "
                                  "and a new list was begun. Look in the mailbox whether what you did last is done.",
                                  why, aside);
  return TRUE;
}

/* Not while another handle carries changes out from it: it could not say any more what came of them. FALSE with the file
 * still open: so it is, and the error says it. */
static gboolean
set_aside(MlPending *pending, const char *why, GError **error)
{
  gboolean carrying = pending->held >= 0, busy = FALSE;
  if (inode_of(pending->path) != pending->inode) { /* another process has just done it */
    close_db(pending);
    return TRUE;
  }
  if (!carrying && !ml_pending_lock(pending, &busy, error)) {
    if (busy)
      g_set_error(error, ML_ERROR, ML_ERROR_STORE,
                  "Changes cannot be kept, as another signet is just carrying some out: do it again in a moment. Then the "
                  "list of those that wait is set aside: %s The file is %s.",
                  why, pending->path);
    return FALSE;
  }
  gboolean mine = inode_of(pending->path) == pending->inode; /* it had the lock, perhaps */
  close_db(pending);
  gboolean ok = !mine || rename_aside(pending, why, error);
  if (!carrying)
    ml_pending_unlock(pending);
  return ok;
}

static gboolean
is_damage(int code)
{
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB || code == SQLITE_ERROR ||
         code == SQLITE_IOERR_SHORT_READ;
}

gboolean
ml_pending_fail(MlPending *pending, GError **error)
{
  int code = pending->db ? sqlite3_extended_errcode(pending->db) : SQLITE_NOMEM;
  g_autofree char *words = g_strdup(pending->db ? sqlite3_errmsg(pending->db) : "out of memory");
  if (is_damage(code)) {
    g_autofree char *why = g_strdup_printf("the file is damaged (%s).", words);
    if (set_aside(pending, why, error))
      g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s", pending->said ? pending->said : why);
    return FALSE;
  }
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "Changes cannot be kept: %s.%s The file is %s.", words,
              ml_store_advice(pending->db), pending->path); /* the path last: a row of the screen has no room for all */
  return FALSE;
}

static gboolean
run(MlPending *pending, const char *sql, GError **error)
{
  return sqlite3_exec(pending->db, sql, NULL, NULL, NULL) == SQLITE_OK || ml_pending_fail(pending, error);
}

/* The first column of the first row; NULL: there is none. Transfer full. */
static char *
ask(MlPending *pending, const char *sql)
{
  g_autoptr(sqlite3_stmt) statement = NULL;
  if (sqlite3_prepare_v2(pending->db, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
    return NULL;
  return g_strdup((const char *)sqlite3_column_text(statement, 0));
}

static gboolean
open_db(MlPending *pending, GError **error)
{
  if (sqlite3_open_v2(pending->path, &pending->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    return ml_pending_fail(pending, error);
  pending->inode = inode_of(pending->path);
  sqlite3_limit(pending->db, SQLITE_LIMIT_LENGTH, ML_PENDING_BODY + 1024 * 1024);
  /* The screen's handle commits without the disk, but for the header of a log that is begun anew, and leaves checkpoints
   * to others. For another's commit it may have to wait. Large messages are not written by the screen's thread. */
  return run(pending, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", error) &&
         (ml_store_be_shared(pending->db, BUSY_MS) == SQLITE_OK || ml_pending_fail(pending, error)) &&
         run(pending,
             pending->durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0",
             error);
}

static gboolean
make_schema(MlPending *pending, GError **error)
{
  if (!run(pending, "BEGIN IMMEDIATE", error))
    return FALSE;
  g_autofree char *version = ask(pending, "PRAGMA user_version");
  if (g_strcmp0(version, "0") != 0) /* another process was quicker */
    return run(pending, "COMMIT", error);
  g_autoptr(sqlite3_stmt) about = NULL;
  if (!run(pending, schema, error))
    return FALSE;
  if (sqlite3_prepare_v2(pending->db, "INSERT INTO about(identity) VALUES(?1)", -1, &about, NULL) != SQLITE_OK ||
      sqlite3_bind_text(about, 1, pending->identity, -1, SQLITE_STATIC) != SQLITE_OK || sqlite3_step(about) != SQLITE_DONE)
    return ml_pending_fail(pending, error);
  return run(pending, "COMMIT", error);
}

/* Changes of another mailbox: what is done goes, and with what waits the file is set aside (FALSE without an error). */
static gboolean
take_over(MlPending *pending, GError **error)
{
  g_autoptr(sqlite3_stmt) change = NULL;
  if (!run(pending, "BEGIN IMMEDIATE", error)) /* nobody adds anything meanwhile */
    return FALSE;
  g_autofree char *identity = ask(pending, "SELECT identity FROM about");
  g_autofree char *left = identity ? ask(pending, "SELECT count(*) FROM entry WHERE state IN (1, 2, 8)") : NULL;
  if (!left)
    return ml_pending_fail(pending, error);
  if (strcmp(identity, pending->identity) == 0) /* another signet was quicker */
    return run(pending, "COMMIT", error);
  if (strcmp(left, "0") != 0) {
    g_autofree char *why = g_strdup_printf("they are of another mailbox (%s).", identity);
    set_aside(pending, why, error);
    return FALSE;
  }
  return run(pending, "DELETE FROM entry", error) &&
         ((sqlite3_prepare_v2(pending->db, "UPDATE about SET identity = ?1", -1, &change, NULL) == SQLITE_OK &&
           sqlite3_bind_text(change, 1, pending->identity, -1, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_step(change) == SQLITE_DONE) ||
          ml_pending_fail(pending, error)) &&
         run(pending, "COMMIT", error);
}

/* The account was given another mailbox in signet.conf, and a signet that has read it has begun to keep that one's changes
 * here. Always FALSE. */
static gboolean
refuse_other(MlPending *pending, const char *identity, GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_STORE,
              "This account is another mailbox now (%s), as a signet that was started later says: start this one anew. "
              "Until then nothing is changed.",
              identity);
  return FALSE;
}

/* Outside a transaction another signet may take it over in the next moment. */
static gboolean
is_ours(MlPending *pending, GError **error)
{
  g_autofree char *identity = ask(pending, "SELECT identity FROM about");
  return !identity || strcmp(identity, pending->identity) == 0 || refuse_other(pending, identity, error);
}

/* FALSE with the file closed and no error: it was set aside, and can be begun anew. */
static gboolean
look(MlPending *pending, GError **error)
{
  g_autofree char *version = ask(pending, "PRAGMA user_version");
  gint64 number = version ? g_ascii_strtoll(version, NULL, 10) : -1;
  if (number > SCHEMA) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                "%s was written by a newer signet, and this one can keep no changes in it: use the newer one.",
                pending->path);
    return FALSE;
  }
  if (number == 0 && !make_schema(pending, error))
    return FALSE;
  /* The worker's handle looks at all of the file; the screen does not wait for that. */
  g_autofree char *sound = pending->durable ? ask(pending, "PRAGMA quick_check(1)") : g_strdup("ok");
  if (!sound) /* busy, or not to be read: that is no damage */
    return ml_pending_fail(pending, error);
  g_autofree char *identity = ask(pending, "SELECT identity FROM about");
  if (!identity && !is_damage(sqlite3_extended_errcode(pending->db)) &&
      (sqlite3_errcode(pending->db) & 0xff) != SQLITE_DONE && sqlite3_errcode(pending->db) != SQLITE_OK)
    return ml_pending_fail(pending, error);
  if (strcmp(sound, "ok") != 0 || !identity) {
    set_aside(pending, "the file is damaged.", error);
    return FALSE;
  }
  if (strcmp(identity, pending->identity) == 0)
    return TRUE;
  return pending->ours ? refuse_other(pending, identity, error) : take_over(pending, error);
}

static gboolean
open_or_begin(MlPending *pending, GError **error)
{
  for (guint tries = 0; tries < 3; tries++) {
    g_autoptr(GError) why = NULL;
    if (!ml_files_make_database(pending->path, error))
      return FALSE;
    if (open_db(pending, &why) && look(pending, &why))
      return pending->ours = TRUE;
    if (pending->db || (why && !g_error_matches(why, ML_ERROR, ML_ERROR_STORE))) { /* not set aside */
      close_db(pending);
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
  }
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s cannot be used and not be begun anew.", pending->path);
  return FALSE;
}

static MlPending *
pending_new(const char *directory, const MlAccount *account)
{
  MlPending *pending = g_new0(MlPending, 1);
  pending->held = -1;
  pending->path = ml_store_file(directory, account);
  pending->identity = ml_store_identity(account);
  return pending;
}

char *
ml_pending_file(const char *directory, const MlAccount *account)
{
  return ml_store_file(directory, account);
}

MlPending *
ml_pending_open(const char *directory, const MlAccount *account, gboolean durable, GError **error)
{
  g_autoptr(MlPending) pending = pending_new(directory, account);
  pending->durable = durable;
  if (g_mkdir_with_parents(directory, 0700) < 0) {
    ml_files_error(error, errno, "made", directory);
    return NULL;
  }
  if (!open_or_begin(pending, error) || (durable && !ml_files_sync_folder(directory, error)))
    return NULL;
  return g_steal_pointer(&pending);
}

MlPending *
ml_pending_open_if_any(const char *directory, const MlAccount *account, GError **error)
{
  g_autoptr(MlPending) pending = pending_new(directory, account);
  return g_file_test(pending->path, G_FILE_TEST_EXISTS) ? ml_pending_open(directory, account, TRUE, error) : NULL;
}

MlPending *
ml_pending_beside(const MlPending *pending)
{
  MlPending *beside = g_new0(MlPending, 1);
  beside->held = -1;
  beside->path = g_strdup(pending->path);
  beside->identity = g_strdup(pending->identity);
  beside->ours = TRUE; /* the file is opened with the first statement */
  return beside;
}

void
ml_pending_free(MlPending *pending)
{
  if (!pending)
    return;
  close_db(pending);
  g_free(pending->path);
  g_free(pending->identity);
  g_free(pending->said);
  g_free(pending);
}

char *
ml_pending_said(MlPending *pending)
{
  return g_steal_pointer(&pending->said);
}

/* ---- statements */

sqlite3_stmt *
ml_pending_prepare(MlPending *pending, const char *sql, GError **error)
{
  sqlite3_stmt *statement = NULL;
  if (pending->db && sqlite3_get_autocommit(pending->db) && inode_of(pending->path) != pending->inode)
    close_db(pending);
  if (!pending->db && !open_or_begin(pending, error))
    return NULL;
  if (sqlite3_get_autocommit(pending->db) && !is_ours(pending, error))
    return NULL;
  if (sqlite3_prepare_v2(pending->db, sql, -1, &statement, NULL) != SQLITE_OK) {
    ml_pending_fail(pending, error);
    return NULL;
  }
  return statement;
}

gboolean
ml_pending_step(MlPending *pending, sqlite3_stmt *statement, GError **error)
{
  int code = sqlite3_step(statement);
  if (code != SQLITE_DONE && code != SQLITE_ROW)
    return ml_pending_fail(pending, error);
  sqlite3_reset(statement);
  return TRUE;
}

gboolean
ml_pending_begin_sql(MlPending *pending, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(pending, "BEGIN IMMEDIATE", error);
  if (!statement || !ml_pending_step(pending, statement, error))
    return FALSE;
  if (is_ours(pending, error)) /* and stays so until the end of it */
    return TRUE;
  sqlite3_exec(pending->db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

gboolean
ml_pending_end_sql(MlPending *pending, gboolean ok, GError **error)
{
  if (!pending->db)
    return FALSE;
  gboolean kept = ok && run(pending, "COMMIT", error);
  if (!kept && pending->db)
    sqlite3_exec(pending->db, "ROLLBACK", NULL, NULL, NULL);
  return kept;
}
