#include <string.h>

#include "mail/store-private.h"

/* What the lists show while changes wait for the line. Whoever reads the table of messages reads what is shown: a message
 * that is out of the list has the negative of its id, which no range of a folder holds, and the flags of the others are
 * what they will be. What the server says of either is in the table `confirmed`. */

static gint64
low_of(gint64 folder)
{
  return folder << 32;
}

gboolean
ml_store_validity(MlStore *store, const char *folder, guint32 *uidvalidity, GError **error)
{
  *uidvalidity = 0;
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, "SELECT uidvalidity FROM folder WHERE name = ?1", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_text(statement, 1, folder, -1, SQLITE_STATIC);
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW)
    *uidvalidity = (guint32)sqlite3_column_int64(statement, 0);
  return code == SQLITE_ROW || code == SQLITE_DONE || ml_store_fail(store, error);
}

/* Whose ids, without the folder's, are in `confirmed`; ascending. NULL: error. */
static GArray *
confirmed_of(MlStore *store, gint64 folder, GError **error)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_autoptr(sqlite3_stmt) statement =
      ml_store_prepare(store, "SELECT id FROM confirmed WHERE id >= ?1 AND id < ?2 ORDER BY id", error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, low_of(folder));
  sqlite3_bind_int64(statement, 2, low_of(folder + 1));
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

static gboolean
run_for(MlStore *store, const char *sql, gint64 id, const MlStoreShown *shown, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, sql, error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, id);
  if (shown) {
    sqlite3_bind_int64(statement, 2, shown->add);
    sqlite3_bind_int64(statement, 3, shown->remove);
    sqlite3_bind_int64(statement, 4, shown->gone ? -id : id);
  }
  return ml_store_step(store, statement, error);
}

/* The number first, then the flags: the folder's counts follow each by itself (store.c). */
#define NUMBER "UPDATE message SET id = ?4 WHERE id = -?4"

/* As the server has it. */
static gboolean
restore(MlStore *store, gint64 id, GError **error)
{
  static const MlStoreShown as_it_is = { 0 };
  return run_for(store, NUMBER, id, &as_it_is, error) &&
         run_for(store, "UPDATE message SET flags = (SELECT flags FROM confirmed WHERE id = ?1) WHERE id = ?1", id, NULL,
                 error) &&
         run_for(store, "DELETE FROM confirmed WHERE id = ?1", id, NULL, error);
}

static gboolean
show(MlStore *store, gint64 id, const MlStoreShown *shown, GError **error)
{
  return run_for(store, "INSERT OR IGNORE INTO confirmed SELECT ?1, flags FROM message WHERE id IN (?1, -?1)", id, NULL,
                 error) &&
         run_for(store, NUMBER, id, shown, error) &&
         run_for(store,
                 "UPDATE message SET flags = ((SELECT flags FROM confirmed WHERE id = ?1) & ~?3) | ?2"
                 " WHERE id IN (?1, -?1)",
                 id, shown, error);
}

gboolean
ml_store_show(MlStore *store, const char *folder, guint32 uidvalidity, const GArray *shown, GError **error)
{
  g_autoptr(GError) why = NULL;
  guint32 here = 0;
  gint64 id = ml_store_validity(store, folder, &here, &why) ? ml_store_folder_id(store, folder, &why) : 0;
  g_autoptr(GArray) before = id && here == uidvalidity ? confirmed_of(store, id, &why) : NULL;
  if (why) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  if (!before || (!before->len && !shown->len))
    return TRUE;
  if (!ml_store_begin(store, error))
    return FALSE;
  gboolean ok = TRUE;
  for (guint i = 0, j = 0; ok && i < before->len; i++) {
    guint32 uid = g_array_index(before, guint32, i);
    while (j < shown->len && g_array_index(shown, MlStoreShown, j).uid < uid)
      j++;
    if (j == shown->len || g_array_index(shown, MlStoreShown, j).uid != uid)
      ok = restore(store, low_of(id) | uid, error);
  }
  for (guint i = 0; ok && i < shown->len; i++) {
    const MlStoreShown *one = &g_array_index(shown, MlStoreShown, i);
    ok = show(store, low_of(id) | one->uid, one, error);
  }
  return ml_store_end(store, ok, error);
}

char **
ml_store_shown_folders(MlStore *store, GError **error)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(
      store, "SELECT name FROM folder WHERE id IN (SELECT DISTINCT id >> 32 FROM confirmed)", error);
  if (!statement)
    return NULL;
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW)
    g_ptr_array_add(names, g_strdup((const char *)sqlite3_column_text(statement, 0)));
  if (code != SQLITE_DONE) {
    ml_store_fail(store, error);
    return NULL;
  }
  g_ptr_array_add(names, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}
