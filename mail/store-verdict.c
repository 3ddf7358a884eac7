#include "mail/store-private.h"

/* Verdicts on messages that are kept, or on files of this machine, for the list of messages. All of them are of one standing: what was judged by
 * anything else is gone before the first that is judged by this is put in, and is never given out meanwhile. */

/* How the folder's name is looked up in each of these. ?1 name, ?2 uidvalidity. */
#define THE_FOLDER "(SELECT id FROM folder WHERE name = ?1 AND uidvalidity = ?2)"
#define CURRENT "EXISTS (SELECT 1 FROM standing WHERE word = ?3)"

static void
bind_folder(sqlite3_stmt *statement, const char *folder, guint32 uidvalidity, const char *standing)
{
  sqlite3_bind_text(statement, 1, folder, -1, SQLITE_STATIC);
  sqlite3_bind_int64(statement, 2, uidvalidity);
  sqlite3_bind_text(statement, 3, standing, -1, SQLITE_STATIC);
}

/* A damaged row is none: only marks that we know are given out. */
static gboolean
is_mark(int mark)
{
  return mark > ML_MARK_UNJUDGED && mark <= ML_MARK_CLOSED;
}

GArray *
ml_store_verdicts(MlStore *store, const char *folder, guint32 uidvalidity, const char *standing, gint64 now, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store,
      "SELECT id & 4294967295, mark, until FROM verdict WHERE id >= " THE_FOLDER " << 32 AND id < (" THE_FOLDER
      " + 1) << 32 AND " CURRENT " AND until >= ?4 AND digest IS NULL ORDER BY id",
      error);
  if (!statement)
    return NULL;
  bind_folder(statement, folder, uidvalidity, standing);
  sqlite3_bind_int64(statement, 4, now);
  g_autoptr(GArray) verdicts = g_array_new(FALSE, TRUE, sizeof(MlStoreVerdict));
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    const MlStoreVerdict one = { .uid = (guint32)sqlite3_column_int64(statement, 0),
                                 .mark = (MlMark)sqlite3_column_int(statement, 1),
                                 .until = sqlite3_column_int64(statement, 2) };
    if (is_mark(sqlite3_column_int(statement, 1)))
      g_array_append_val(verdicts, one);
  }
  if (code == SQLITE_DONE)
    return g_steal_pointer(&verdicts);
  ml_store_fail(store, error);
  return NULL;
}

#define THE_MESSAGE "(" THE_FOLDER " << 32) + ?4"

gboolean
ml_store_verdict_of(MlStore *store, const char *folder, guint32 uidvalidity, const char *standing, gint64 now, guint32 uid,
                    const char *digest, MlStoreVerdict *verdict, GError **error)
{
  *verdict = (MlStoreVerdict){ .uid = uid, .mark = ML_MARK_UNJUDGED };
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store,
                                                       "SELECT mark, until FROM verdict WHERE id = " THE_MESSAGE " AND " CURRENT
                                                       " AND until >= ?5 AND digest = ?6",
                                                       error);
  if (!statement)
    return FALSE;
  bind_folder(statement, folder, uidvalidity, standing);
  sqlite3_bind_int64(statement, 4, uid);
  sqlite3_bind_int64(statement, 5, now);
  sqlite3_bind_text(statement, 6, digest, -1, SQLITE_STATIC);
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW && is_mark(sqlite3_column_int(statement, 0))) {
    verdict->mark = (MlMark)sqlite3_column_int(statement, 0);
    verdict->until = sqlite3_column_int64(statement, 1);
  }
  return code == SQLITE_ROW || code == SQLITE_DONE || ml_store_fail(store, error);
}

static void
unjudged_free(gpointer data)
{
  MlStoreUnjudged *one = data;
  g_free(one->from);
  g_free(one->subject);
  g_free(one);
}

#define UNJUDGED                                                                                                       \
  "SELECT message.id & 4294967295, message.sender, message.subject FROM body CROSS JOIN message ON message.id = body.id WHERE %s"       \
  " AND message.hints & 1 AND NOT EXISTS (SELECT 1 FROM verdict WHERE verdict.id = body.id AND until >= ?4 AND " CURRENT ")"
G_STATIC_ASSERT(ML_HINT_SIGNED == 1);

static gboolean
take_unjudged(MlStore *store, sqlite3_stmt *statement, GPtrArray *all, GError **error)
{
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    MlStoreUnjudged *one = g_new0(MlStoreUnjudged, 1);
    one->uid = (guint32)sqlite3_column_int64(statement, 0);
    one->from = ml_store_text(statement, 1);
    one->subject = ml_store_text(statement, 2);
    g_ptr_array_add(all, one);
  }
  sqlite3_reset(statement);
  return code == SQLITE_DONE || ml_store_fail(store, error);
}

GPtrArray *
ml_store_unjudged(MlStore *store, const char *folder, guint32 uidvalidity, const char *standing, gint64 now,
                  const GArray *uids, guint32 below, guint most, GError **error)
{
  g_autofree char *one = g_strdup_printf(UNJUDGED, "body.id = (" THE_FOLDER " << 32) + ?5");
  g_autofree char *range = g_strdup_printf(UNJUDGED " ORDER BY body.id DESC LIMIT ?6",
                                           "body.id >= " THE_FOLDER " << 32 AND body.id < (" THE_FOLDER " << 32) + ?5");
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, uids ? one : range, error);
  if (!statement)
    return NULL;
  bind_folder(statement, folder, uidvalidity, standing);
  sqlite3_bind_int64(statement, 4, now);
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(unjudged_free);
  if (!uids) {
    sqlite3_bind_int64(statement, 5, below ? (gint64)below : (gint64)1 << 32);
    sqlite3_bind_int64(statement, 6, most);
  }
  gboolean ok = uids || take_unjudged(store, statement, all, error);
  for (guint i = 0; uids && ok && i < uids->len && all->len < most; i++) {
    sqlite3_bind_int64(statement, 5, g_array_index(uids, guint32, i));
    ok = take_unjudged(store, statement, all, error);
  }
  return ok ? g_steal_pointer(&all) : NULL;
}

/* Under the transaction. */
static gboolean
set_standing(MlStore *store, const char *standing, GError **error)
{
  g_autoptr(sqlite3_stmt) look = ml_store_prepare(store, "SELECT 1 FROM standing WHERE word = ?1", error);
  if (!look)
    return FALSE;
  sqlite3_bind_text(look, 1, standing, -1, SQLITE_STATIC);
  int code = sqlite3_step(look);
  if (code == SQLITE_ROW)
    return TRUE;
  if (code != SQLITE_DONE)
    return ml_store_fail(store, error);
  sqlite3_reset(look);
  g_autoptr(sqlite3_stmt) put = NULL;
  if (!ml_store_run(store, "DELETE FROM verdict; DELETE FROM standing", error) ||
      !(put = ml_store_prepare(store, "INSERT INTO standing(word) VALUES(?1)", error)))
    return FALSE;
  sqlite3_bind_text(put, 1, standing, -1, SQLITE_STATIC);
  return ml_store_step(store, put, error);
}

#define PUT "INSERT OR REPLACE INTO verdict(id, mark, until, digest) "
static const char put_kept[] = PUT "SELECT body.id, ?5, ?6, NULL FROM body WHERE body.id = " THE_MESSAGE " AND " CURRENT;
/* A file that is edited gets a new line, and the verdict on the old one goes with the old line. */
static const char put_file[] = PUT "SELECT message.id, ?5, ?6, NULL FROM message WHERE message.id = " THE_MESSAGE " AND " CURRENT
                                   " AND message.received = ?7 AND message.size = ?8";
static const char put_digest[] = PUT "SELECT message.id, ?5, ?6, ?9 FROM message WHERE message.id = " THE_MESSAGE " AND " CURRENT;

gboolean
ml_store_put_verdicts(MlStore *store, const char *folder, guint32 uidvalidity, const char *standing,
                      const GArray *verdicts, GError **error)
{
  if (!ml_store_begin(store, error))
    return FALSE;
  gboolean ok = set_standing(store, standing, error);
  g_autoptr(sqlite3_stmt) kept = ok ? ml_store_prepare(store, put_kept, error) : NULL;
  g_autoptr(sqlite3_stmt) file = kept ? ml_store_prepare(store, put_file, error) : NULL;
  g_autoptr(sqlite3_stmt) digest = file ? ml_store_prepare(store, put_digest, error) : NULL;
  ok = digest != NULL;
  for (guint i = 0; ok && i < verdicts->len; i++) {
    const MlStoreVerdict *one = &g_array_index(verdicts, MlStoreVerdict, i);
    sqlite3_stmt *statement = one->digest ? digest : one->size ? file : kept;
    if (!is_mark((int)one->mark))
      continue;
    bind_folder(statement, folder, uidvalidity, standing);
    sqlite3_bind_int64(statement, 4, one->uid);
    sqlite3_bind_int(statement, 5, (int)one->mark);
    sqlite3_bind_int64(statement, 6, one->until);
    if (one->digest) {
      sqlite3_bind_text(statement, 9, one->digest, -1, SQLITE_STATIC);
    } else if (one->size) {
      sqlite3_bind_int64(statement, 7, one->received);
      sqlite3_bind_int64(statement, 8, (gint64)one->size);
    }
    ok = ml_store_step(store, statement, error);
  }
  return ml_store_end(store, ok, error);
}
