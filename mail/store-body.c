#include "mail/store-private.h"

/* Whole messages, as they came: what was encrypted stays so. */

enum { PRUNE_STEP = 200 };

static gint64
number(MlStore *store, const char *sql, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, sql, error);
  if (!statement)
    return -1;
  if (sqlite3_step(statement) == SQLITE_ROW)
    return sqlite3_column_int64(statement, 0);
  ml_store_fail(store, error);
  return -1;
}

gboolean
ml_store_room(MlStore *store, guint64 *room, GError **error)
{
  gint64 used = number(store, "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM "
                              "pragma_freelist_count)", error);
  gint64 page = used < 0 ? -1 : number(store, "SELECT page_size FROM pragma_page_size", error);
  if (page < 0)
    return FALSE;
  *room = used * page < ML_STORE_BODIES ? (guint64)(ML_STORE_BODIES - used * page) : 0;
  return TRUE;
}

/* Those that were kept longest ago go, once more than ML_STORE_BODIES is used. */
static gboolean
prune(MlStore *store, GError **error)
{
  guint64 room;
  if (!ml_store_room(store, &room, error))
    return FALSE;
  if (room)
    return TRUE;
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store, "DELETE FROM body WHERE id IN (SELECT id FROM body ORDER BY at LIMIT ?1)", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int(statement, 1, PRUNE_STEP);
  return ml_store_step(store, statement, error);
}

/* Only of a message that the list knows: what goes from there takes its text with it. */
static sqlite3_stmt *
putting(MlStore *store, const char *folder, guint32 uidvalidity, GError **error)
{
  sqlite3_stmt *statement = ml_store_prepare(
      store,
      "INSERT OR REPLACE INTO body(id, at, received, bytes) SELECT message.id, ?4, ?5, ?6 FROM message, folder"
      " WHERE folder.name = ?1 AND folder.uidvalidity = ?2 AND message.id = (folder.id << 32) + ?3",
      error);
  if (statement) {
    sqlite3_bind_text(statement, 1, folder, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, uidvalidity);
    sqlite3_bind_int64(statement, 4, g_get_real_time() / G_USEC_PER_SEC);
  }
  return statement;
}

static gboolean
put(MlStore *store, sqlite3_stmt *statement, const MlBody *body, GError **error)
{
  gsize size = 0;
  const void *data = body->bytes ? g_bytes_get_data(body->bytes, &size) : NULL;
  if (!body->bytes || size > ML_STORE_BODY)
    return TRUE;
  sqlite3_bind_int64(statement, 3, body->uid);
  sqlite3_bind_int64(statement, 5, body->received);
  sqlite3_bind_blob64(statement, 6, data ? data : "", size, SQLITE_STATIC); /* an empty message is one, too */
  return ml_store_step(store, statement, error);
}

gboolean
ml_store_add_bodies(MlStore *store, const char *folder, guint32 uidvalidity, const GPtrArray *bodies, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = putting(store, folder, uidvalidity, error);
  gboolean ok = statement != NULL;
  for (guint i = 0; ok && i < bodies->len; i++)
    ok = put(store, statement, bodies->pdata[i], error);
  return ok && prune(store, error);
}

gboolean
ml_store_put_all(MlStore *store, const char *folder, guint32 uidvalidity, const GPtrArray *bodies, GError **error)
{
  if (!ml_store_begin(store, error))
    return FALSE;
  gboolean ok = ml_store_add_bodies(store, folder, uidvalidity, bodies, error);
  return ml_store_end(store, ok, error);
}

gboolean
ml_store_put(MlStore *store, const char *folder, guint32 uidvalidity, guint32 uid, gint64 received, GBytes *bytes,
             GError **error)
{
  MlBody body = { .uid = uid, .received = received, .bytes = bytes };
  g_autoptr(GPtrArray) one = g_ptr_array_new();
  g_ptr_array_add(one, &body);
  return ml_store_put_all(store, folder, uidvalidity, one, error);
}

GBytes *
ml_store_get(MlStore *store, const char *folder, guint32 uidvalidity, guint32 uid, gint64 *received, GError **error)
{
  g_autoptr(MlStoreLent) statement = ml_store_lend(
      store,
      "SELECT body.received, body.bytes FROM body, folder WHERE folder.name = ?1"
      " AND (?2 = 0 OR folder.uidvalidity = ?2) AND body.id = (folder.id << 32) + ?3",
      error);
  if (!statement)
    return NULL;
  sqlite3_bind_text(statement, 1, folder, -1, SQLITE_STATIC);
  sqlite3_bind_int64(statement, 2, uidvalidity);
  sqlite3_bind_int64(statement, 3, uid);
  int code = sqlite3_step(statement);
  if (code != SQLITE_ROW) {
    if (code != SQLITE_DONE)
      ml_store_fail(store, error);
    return NULL;
  }
  *received = sqlite3_column_int64(statement, 0);
  const void *data = sqlite3_column_blob(statement, 1);
  return g_bytes_new(data, (gsize)sqlite3_column_bytes(statement, 1));
}

gboolean
ml_store_large(MlStore *store, const char *folder, gint64 since, guint *large, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store,
      "SELECT count(*) FROM folder JOIN message ON message.id >= folder.id << 32 AND message.id < (folder.id + 1) << 32"
      " WHERE folder.name = ?1 AND size > ?2 AND (date >= ?3 OR flags & ?4)",
      error);
  if (!statement)
    return FALSE;
  sqlite3_bind_text(statement, 1, folder, -1, SQLITE_STATIC);
  sqlite3_bind_int64(statement, 2, ML_STORE_BODY);
  sqlite3_bind_int64(statement, 3, since);
  sqlite3_bind_int(statement, 4, ML_FLAG_FLAGGED);
  if (sqlite3_step(statement) != SQLITE_ROW) {
    ml_store_fail(store, error);
    return FALSE;
  }
  *large = (guint)sqlite3_column_int64(statement, 0);
  return TRUE;
}

GArray *
ml_store_lacking(MlStore *store, const char *folder, gint64 since, GError **error)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store,
      "SELECT message.id FROM folder JOIN message ON message.id >= folder.id << 32 AND message.id < (folder.id + 1) << 32"
      " WHERE folder.name = ?1 AND size <= ?2 AND (date >= ?3 OR flags & ?4)"
      " AND NOT EXISTS (SELECT 1 FROM body WHERE body.id = message.id) ORDER BY message.id",
      error);
  if (!statement)
    return NULL;
  sqlite3_bind_text(statement, 1, folder, -1, SQLITE_STATIC);
  sqlite3_bind_int64(statement, 2, ML_STORE_BODY);
  sqlite3_bind_int64(statement, 3, since);
  sqlite3_bind_int(statement, 4, ML_FLAG_FLAGGED);
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    guint32 uid = (guint32)sqlite3_column_int64(statement, 0);
    g_array_append_val(uids, uid);
  }
  if (code == SQLITE_DONE)
    return g_steal_pointer(&uids);
  ml_store_fail(store, error);
  return NULL;
}
