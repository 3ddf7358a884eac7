#include "mail/store-private.h"

#include <string.h>

#define FOLDER "role, selectable, listed, position, total, unseen, uidvalidity, uidnext, modseq, complete, compared"

/* id = (folder << 32) | uid */
static gint64
id_of(gint64 folder, guint32 uid)
{
  return folder << 32 | uid;
}

/* 0: not known, or an error, which is set. */
static gint64
find(MlStore *store, const char *name, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, "SELECT id FROM folder WHERE name = ?1", error);
  if (!statement)
    return 0;
  sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW)
    return sqlite3_column_int64(statement, 0);
  if (code != SQLITE_DONE)
    ml_store_fail(store, error);
  return 0;
}

static gint64
find_or_make(MlStore *store, const char *name, GError **error)
{
  GError *why = NULL;
  gint64 id = find(store, name, &why);
  if (id || why) {
    if (why)
      g_propagate_error(error, why);
    return id;
  }
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store, "INSERT INTO folder(name, " FOLDER ") VALUES(?1, 0, 1, 0, 0, -1, -1, 0, 0, 0, 0, 0)", error);
  if (!statement)
    return 0;
  sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
  return ml_store_step(store, statement, error) ? sqlite3_last_insert_rowid(store->db) : 0;
}

/* Statements over a folder's messages have its bounds as ?1 and ?2. */
static sqlite3_stmt *
over(MlStore *store, gint64 folder, guint32 below, const char *sql, GError **error)
{
  sqlite3_stmt *statement = ml_store_prepare(store, sql, error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, id_of(folder, 0));
  sqlite3_bind_int64(statement, 2, below ? id_of(folder, below) : id_of(folder + 1, 0));
  return statement;
}

gboolean
ml_store_folder(MlStore *store, const char *folder, MlStoreFolder *about, GError **error)
{
  memset(about, 0, sizeof *about);
  about->listed = -1;
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store, "SELECT kept, uidvalidity, uidnext, modseq, complete, compared, kept_unseen, total FROM folder WHERE name = ?1",
      error);
  if (!statement)
    return FALSE;
  sqlite3_bind_text(statement, 1, folder, -1, SQLITE_STATIC);
  int code = sqlite3_step(statement);
  if (code != SQLITE_ROW)
    return code == SQLITE_DONE || ml_store_fail(store, error);
  about->point.uidvalidity = (guint32)sqlite3_column_int64(statement, 1);
  about->point.uidnext = (guint32)sqlite3_column_int64(statement, 2);
  about->point.modseq = (guint64)sqlite3_column_int64(statement, 3);
  about->complete = sqlite3_column_int(statement, 4) != 0;
  about->compared = sqlite3_column_int64(statement, 5);
  about->total = (guint)sqlite3_column_int(statement, 0);
  about->unseen = (guint)sqlite3_column_int(statement, 6);
  about->listed = sqlite3_column_int(statement, 7);
  return TRUE;
}

GArray *
ml_store_uids(MlStore *store, const char *folder, GError **error)
{
  g_autoptr(GError) why = NULL;
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  gint64 id = find(store, folder, &why);
  if (id) {
    g_autoptr(sqlite3_stmt) statement =
        over(store, id, 0,
             "SELECT m.id, coalesce(c.flags, m.flags) FROM message m LEFT JOIN confirmed c ON c.id = m.id"
             " WHERE m.id >= ?1 AND m.id < ?2 UNION ALL"
             " SELECT -m.id, coalesce(c.flags, m.flags) FROM message m LEFT JOIN confirmed c ON c.id = -m.id"
             " WHERE m.id <= -?1 AND m.id > -?2 ORDER BY 1",
             &why);
    int code;
    while (statement && (code = sqlite3_step(statement)) != SQLITE_DONE) {
      if (code != SQLITE_ROW) {
        ml_store_fail(store, &why);
        break;
      }
      MlFlagChange one = { (guint32)sqlite3_column_int64(statement, 0), (guint)sqlite3_column_int(statement, 1) };
      g_array_append_val(uids, one);
    }
  }
  if (why) {
    g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
  }
  return g_steal_pointer(&uids);
}

gint64
ml_store_folder_id(MlStore *store, const char *name, GError **error)
{
  return find(store, name, error);
}

/* ---- keeping up */

/* Is there any message from the one on up to the other? -1: error. */
static int
has_any(MlStore *store, gint64 from, gint64 to, GError **error)
{
  g_autoptr(MlStoreLent) statement =
      ml_store_lend(store, "SELECT 1 FROM message WHERE id >= ?1 AND id <= ?2 LIMIT 1", error);
  if (!statement)
    return -1;
  sqlite3_bind_int64(statement, 1, from);
  sqlite3_bind_int64(statement, 2, to);
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW || code == SQLITE_DONE)
    return code == SQLITE_ROW;
  ml_store_fail(store, error);
  return -1;
}

static gboolean
add_header(MlStore *store, sqlite3_stmt *statement, gint64 folder, const MlHeader *header, GError **error)
{
  const gint64 numbers[] = { id_of(folder, header->uid), header->flags,
                             header->hints, header->date, header->received, (gint64)header->size };
  const char *strings[] = { header->from, header->from_name, header->from_address, header->to,
                            header->cc,   header->subject,   header->message_id,   header->references };
  for (int j = 0; j < (int)G_N_ELEMENTS(numbers); j++)
    sqlite3_bind_int64(statement, 1 + j, numbers[j]);
  for (int j = 0; j < (int)G_N_ELEMENTS(strings); j++)
    sqlite3_bind_text(statement, 7 + j, strings[j] ? strings[j] : "", -1, SQLITE_STATIC);
  return ml_store_step(store, statement, error);
}

/* The lowest and the highest number. FALSE: there are none. */
static gboolean
bounds_of(const GPtrArray *headers, guint32 *lowest, guint32 *highest)
{
  *lowest = G_MAXUINT32;
  *highest = 0;
  for (guint i = 0; i < headers->len; i++) {
    guint32 uid = ((const MlHeader *)g_ptr_array_index(headers, i))->uid;
    *lowest = MIN(*lowest, uid);
    *highest = MAX(*highest, uid);
  }
  return headers->len > 0;
}

/* From @lowest on up to @highest. */
static gboolean
touch_all(MlStore *store, gint64 folder, guint32 lowest, guint32 highest, GError **error)
{
  g_autoptr(MlStoreLent) statement = ml_store_lend(
      store, "INSERT OR REPLACE INTO touched SELECT id, random() FROM message WHERE id >= ?1 AND id <= ?2", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, id_of(folder, lowest));
  sqlite3_bind_int64(statement, 2, id_of(folder, highest));
  return ml_store_step(store, statement, error);
}

/* What the triggers "came" and "touched_new" would do for each of them, which is most of what an insert costs, is done here
 * for all. @headers are newest first; SQLite takes rows that ascend more quickly, and those of one statement more quickly
 * than as many statements: where nothing lay between them all that lies there now is touched at once. */
static gboolean
add_untriggered(MlStore *store, gint64 folder, const GPtrArray *headers, gboolean hidden, GError **error)
{
  gint64 came = 0, unseen = 0;
  guint32 lowest, highest;
  if (!bounds_of(headers, &lowest, &highest))
    return TRUE;
  int between = has_any(store, id_of(folder, lowest), id_of(folder, highest), error);
  if (between < 0)
    return FALSE;
  /* What is here already may know flags that are newer than those that came with a slow answer. */
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store,
      hidden ? "INSERT OR IGNORE INTO message(" ML_STORE_COLUMNS ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
               " ?12, ?13, ?14 WHERE NOT EXISTS (SELECT 1 FROM message WHERE id = -?1)"
             : "INSERT OR IGNORE INTO message(" ML_STORE_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
               " ?12, ?13, ?14)",
      error);
  g_autoptr(sqlite3_stmt) count = statement ? ml_store_prepare(store, "UPDATE folder SET kept = kept + ?2,"
                                                               " kept_unseen = kept_unseen + ?3 WHERE id = ?1", error)
                                            : NULL;
  for (guint i = headers->len; count && i-- > 0;) {
    const MlHeader *header = g_ptr_array_index(headers, i);
    if (!add_header(store, statement, folder, header, error))
      return FALSE;
    if (!sqlite3_changes(store->db))
      continue;
    came++;
    unseen += !(header->flags & ML_FLAG_SEEN);
    if (between && !touch_all(store, folder, header->uid, header->uid, error))
      return FALSE;
  }
  if (!count || !came)
    return count != NULL;
  if (!between && !touch_all(store, folder, lowest, highest, error))
    return FALSE;
  sqlite3_bind_int64(count, 1, folder);
  sqlite3_bind_int64(count, 2, came);
  sqlite3_bind_int64(count, 3, unseen);
  return ml_store_step(store, count, error);
}

static gboolean
add_headers(MlStore *store, gint64 folder, const GPtrArray *headers, GError **error)
{
  int hidden = has_any(store, 1 - id_of(folder + 1, 0), -id_of(folder, 0), error); /* out of the list (store-shown.c) */
  if (hidden < 0)
    return FALSE;
  sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  gboolean ok = add_untriggered(store, folder, headers, hidden, error);
  if (store->db)
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
  return ok;
}

/* Of a message that is shown otherwise, what the server says is only remembered. */
static gboolean
set_flags(MlStore *store, gint64 folder, const GArray *flags, GError **error)
{
  g_autoptr(sqlite3_stmt) said = ml_store_prepare(store, "UPDATE confirmed SET flags = ?2 WHERE id = ?1", error);
  g_autoptr(sqlite3_stmt) statement =
      said ? ml_store_prepare(store, "UPDATE message SET flags = ?2 WHERE id = ?1 AND flags <> ?2", error) : NULL;
  for (guint i = 0; statement && i < flags->len; i++) {
    const MlFlagChange *one = &g_array_index(flags, MlFlagChange, i);
    sqlite3_stmt *both[] = { said, statement };
    for (guint j = 0; j < 2; j++) {
      sqlite3_bind_int64(both[j], 1, id_of(folder, one->uid));
      sqlite3_bind_int64(both[j], 2, one->flags);
      if (!ml_store_step(store, both[j], error))
        return FALSE;
      if (sqlite3_changes(store->db))
        break;
    }
  }
  return statement != NULL;
}

static gboolean
remove_messages(MlStore *store, gint64 folder, const GArray *uids, GError **error)
{
  static const char *const steps[] = { "UPDATE OR REPLACE message SET id = ?1 WHERE id = -?1", /* one out of the list */
                                       "DELETE FROM message WHERE id = ?1", "DELETE FROM confirmed WHERE id = ?1" };
  for (guint step = 0; step < G_N_ELEMENTS(steps); step++) {
    g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, steps[step], error);
    for (guint i = 0; statement && i < uids->len; i++) {
      sqlite3_bind_int64(statement, 1, id_of(folder, g_array_index(uids, guint32, i)));
      if (!ml_store_step(store, statement, error))
        return FALSE;
    }
    if (!statement)
      return FALSE;
  }
  return TRUE;
}

static gboolean
forget(MlStore *store, gint64 folder, GError **error)
{
  static const char *const steps[] = { "UPDATE OR REPLACE message SET id = -id WHERE id <= -?1 AND id > -?2",
                                       "DELETE FROM message WHERE id >= ?1 AND id < ?2",
                                       "DELETE FROM confirmed WHERE id >= ?1 AND id < ?2" };
  for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
    g_autoptr(sqlite3_stmt) statement = over(store, folder, 0, steps[i], error);
    if (!statement || !ml_store_step(store, statement, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
set_point(MlStore *store, gint64 folder, const MlStoreStep *step, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store, "UPDATE folder SET uidvalidity = ?2, uidnext = ?3, modseq = ?4, complete = ?5,"
             " compared = CASE WHEN ?5 THEN ?6 ELSE compared END WHERE id = ?1", error);
  if (!statement)
    return FALSE;
  const gint64 values[] = { folder, step->point->uidvalidity, step->point->uidnext, (gint64)step->point->modseq,
                            step->complete, g_get_real_time() / G_USEC_PER_SEC };
  for (int i = 0; i < (int)G_N_ELEMENTS(values); i++)
    sqlite3_bind_int64(statement, 1 + i, values[i]);
  return ml_store_step(store, statement, error);
}

static gboolean
is_same(MlStore *store, gint64 folder, guint32 uidvalidity, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_store_prepare(store, "SELECT uidvalidity FROM folder WHERE id = ?1", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, folder);
  if (sqlite3_step(statement) != SQLITE_ROW)
    return ml_store_fail(store, error);
  if ((guint32)sqlite3_column_int64(statement, 0) == uidvalidity)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The folder was replaced by another one meanwhile: open it again.");
  return FALSE;
}

gboolean
ml_store_apply(MlStore *store, const char *folder, const MlStoreStep *step, GError **error)
{
  if (!ml_store_begin(store, error))
    return FALSE;
  gint64 id = find_or_make(store, folder, error);
  gboolean ok = id && (step->reset ? forget(store, id, error) : is_same(store, id, step->uidvalidity, error)) &&
                (!step->vanished || remove_messages(store, id, step->vanished, error)) &&
                (!step->headers || add_headers(store, id, step->headers, error)) &&
                (!step->bodies || ml_store_add_bodies(store, folder, step->uidvalidity, step->bodies, error)) &&
                (!step->flags || set_flags(store, id, step->flags, error)) &&
                (!step->point || set_point(store, id, step, error));
  return ml_store_end(store, ok, error);
}

gboolean
ml_store_change_flags(MlStore *store, const char *folder, guint32 uidvalidity, const GArray *uids, guint add,
                      guint remove, GError **error)
{
  static const char *const tables[] = { "UPDATE confirmed", "UPDATE message" }; /* what the server says; what is shown */
  if (!ml_store_begin(store, error))
    return FALSE;
  GError *why = NULL;
  gint64 id = find(store, folder, &why);
  for (guint table = 0; id && !why && table < G_N_ELEMENTS(tables); table++) {
    g_autofree char *sql = g_strconcat(tables[table],
                                       " SET flags = (flags | ?2) & ~?3 WHERE id = ?1 AND EXISTS"
                                       " (SELECT 1 FROM folder WHERE id = ?4 AND uidvalidity = ?5)",
                                       NULL);
    g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, sql, &why);
    for (guint i = 0; statement && !why && i < uids->len; i++) {
      const gint64 values[] = { id_of(id, g_array_index(uids, guint32, i)), add, remove, id, uidvalidity };
      for (int j = 0; j < (int)G_N_ELEMENTS(values); j++)
        sqlite3_bind_int64(statement, 1 + j, values[j]);
      if (!ml_store_step(store, statement, &why))
        break;
    }
  }
  gboolean ok = why == NULL;
  if (why)
    g_propagate_error(error, why);
  return ml_store_end(store, ok, error);
}

/* ---- the server */

char *
ml_store_server(MlStore *store, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, "SELECT capabilities FROM about", error);
  if (!statement)
    return NULL;
  if (sqlite3_step(statement) == SQLITE_ROW)
    return ml_store_text(statement, 0);
  ml_store_fail(store, error);
  return NULL;
}

gboolean
ml_store_set_server(MlStore *store, const char *words, GError **error)
{
  if (!ml_store_begin(store, error))
    return FALSE;
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, "UPDATE about SET capabilities = ?1", error);
  if (statement)
    sqlite3_bind_text(statement, 1, words, -1, SQLITE_STATIC);
  return ml_store_end(store, statement && ml_store_step(store, statement, error), error);
}

/* ---- the list of folders */

GPtrArray *
ml_store_folders(MlStore *store, GError **error)
{
  g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func((GDestroyNotify)ml_folder_free);
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store, "SELECT name, role, selectable, total, unseen FROM folder WHERE listed ORDER BY position", error);
  int code = SQLITE_DONE;
  while (statement && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    MlFolder *folder = g_new0(MlFolder, 1);
    folder->name = ml_store_text(statement, 0);
    folder->role = (MlFolderRole)sqlite3_column_int(statement, 1);
    folder->selectable = sqlite3_column_int(statement, 2) != 0;
    folder->total = sqlite3_column_int(statement, 3);
    folder->unseen = sqlite3_column_int(statement, 4);
    g_ptr_array_add(folders, folder);
  }
  if (statement && code != SQLITE_DONE)
    ml_store_fail(store, error);
  return statement && code == SQLITE_DONE ? g_steal_pointer(&folders) : NULL;
}

static gboolean
set_folder(MlStore *store, const MlFolder *folder, guint position, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store,
      "INSERT INTO folder(name, " FOLDER ") VALUES(?1, ?2, ?3, 1, ?4, ?5, ?6, 0, 0, 0, 0, 0) ON CONFLICT(name) DO UPDATE SET"
      " role = ?2, selectable = ?3, listed = 1, position = ?4, total = CASE WHEN ?5 < 0 THEN total ELSE ?5 END,"
      " unseen = CASE WHEN ?6 < 0 THEN unseen ELSE ?6 END",
      error);
  if (!statement)
    return FALSE;
  sqlite3_bind_text(statement, 1, folder->name, -1, SQLITE_STATIC);
  const int values[] = { (int)folder->role, folder->selectable, (int)position, folder->total, folder->unseen };
  for (int i = 0; i < (int)G_N_ELEMENTS(values); i++)
    sqlite3_bind_int(statement, 2 + i, values[i]);
  return ml_store_step(store, statement, error);
}

static gboolean
drop_unlisted(MlStore *store, GError **error)
{
  g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, "SELECT id FROM folder WHERE NOT listed", error);
  if (!statement)
    return FALSE;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    gint64 id = sqlite3_column_int64(statement, 0);
    g_array_append_val(gone, id);
  }
  for (guint i = 0; i < gone->len; i++)
    if (!forget(store, g_array_index(gone, gint64, i), error))
      return FALSE;
  return ml_store_run(store, "DELETE FROM folder WHERE NOT listed", error);
}

gboolean
ml_store_set_folders(MlStore *store, const GPtrArray *folders, GError **error)
{
  if (!ml_store_begin(store, error))
    return FALSE;
  gboolean ok = ml_store_run(store, "UPDATE folder SET listed = 0", error);
  for (guint i = 0; ok && i < folders->len; i++)
    ok = set_folder(store, g_ptr_array_index(folders, i), i, error);
  return ml_store_end(store, ok && drop_unlisted(store, error), error);
}
