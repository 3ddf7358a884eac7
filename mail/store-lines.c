#include "mail/store-private.h"

#include <string.h>

#include "mail/folder-private.h"

/* Reading the lines of a folder's index: all numbers, a few whole ones, or every one as it passes. */

/* 0: not known, or known as another one (@uidvalidity; 0: any will do), or an error, which is set. Until *held goes the file
 * is seen as it was here, under one lock, whatever is read of it; else each statement takes and leaves its own. */
static gint64
find_held(MlStore *store, const char *name, guint32 uidvalidity, sqlite3_stmt **held, GError **error)
{
  sqlite3_stmt *statement = *held =
      ml_store_prepare(store, "SELECT id FROM folder WHERE name = ?1 AND (?2 = 0 OR uidvalidity = ?2)", error);
  if (!statement)
    return 0;
  sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
  sqlite3_bind_int64(statement, 2, uidvalidity);
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW)
    return sqlite3_column_int64(statement, 0);
  if (code != SQLITE_DONE)
    ml_store_fail(store, error);
  return 0;
}

static gint64
find(MlStore *store, const char *name, guint32 uidvalidity, GError **error)
{
  g_autoptr(sqlite3_stmt) held = NULL;
  return find_held(store, name, uidvalidity, &held, error);
}

/* A folder's messages with a number below @below (0: all), newest first. */
static sqlite3_stmt *
over(MlStore *store, gint64 folder, guint32 below, guint most, const char *columns, GError **error)
{
  g_autofree char *sql = g_strconcat(
      "SELECT ", columns, " FROM message WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3", NULL);
  sqlite3_stmt *statement = ml_store_prepare(store, sql, error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, folder << 32);
  sqlite3_bind_int64(statement, 2, below ? folder << 32 | below : (folder + 1) << 32);
  sqlite3_bind_int64(statement, 3, most ? (gint64)most : -1);
  return statement;
}

char *
ml_store_text(sqlite3_stmt *statement, int column)
{
  const char *value = (const char *)sqlite3_column_text(statement, column);
  return value ? g_utf8_make_valid(value, sqlite3_column_bytes(statement, column)) : g_strdup("");
}

MlHeader *
ml_store_read_header(sqlite3_stmt *statement)
{
  MlHeader like = { .uid = (guint32)sqlite3_column_int64(statement, 0),
                    .flags = (guint)sqlite3_column_int(statement, 1),
                    .hints = (guint)sqlite3_column_int(statement, 2),
                    .date = sqlite3_column_int64(statement, 3),
                    .received = sqlite3_column_int64(statement, 4),
                    .size = (guint64)sqlite3_column_int64(statement, 5) };
  char *own[ML_HEADER_TEXTS];
  MlSpan texts[ML_HEADER_TEXTS];
  for (int i = 0; i < ML_HEADER_TEXTS; i++) {
    own[i] = ml_store_text(statement, 6 + i);
    texts[i] = (MlSpan){ own[i], strlen(own[i]) };
  }
  MlHeader *header = ml_header_new(&like, texts);
  for (guint i = 0; i < ML_HEADER_TEXTS; i++)
    g_free(own[i]);
  return header;
}

GPtrArray *
ml_store_headers(MlStore *store, const char *folder, guint32 below, guint most, GError **error)
{
  g_autoptr(GError) why = NULL;
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  gint64 id = find(store, folder, 0, &why);
  g_autoptr(sqlite3_stmt) statement = id ? over(store, id, below, most, ML_STORE_COLUMNS, &why) : NULL;
  int code;
  while (statement && !why && (code = sqlite3_step(statement)) != SQLITE_DONE) {
    if (code == SQLITE_ROW)
      g_ptr_array_add(headers, ml_store_read_header(statement));
    else
      ml_store_fail(store, &why);
  }
  if (!why)
    return g_steal_pointer(&headers);
  g_propagate_error(error, g_steal_pointer(&why));
  return NULL;
}

GArray *
ml_store_lines(MlStore *store, const char *folder, guint32 uidvalidity, guint32 below, guint most, GError **error)
{
  g_autoptr(GError) why = NULL;
  g_autoptr(GArray) lines = g_array_sized_new(FALSE, FALSE, sizeof(MlLine), most);
  gint64 id = find(store, folder, uidvalidity, &why);
  g_autoptr(sqlite3_stmt) statement =
      id ? over(store, id, below, most, "id, flags, hints, date, received, size", &why) : NULL;
  int code;
  while (statement && !why && (code = sqlite3_step(statement)) != SQLITE_DONE) {
    if (code != SQLITE_ROW) {
      ml_store_fail(store, &why);
      break;
    }
    MlLine line = { (guint32)sqlite3_column_int64(statement, 0),   (guint16)sqlite3_column_int(statement, 1),
                    (guint16)sqlite3_column_int(statement, 2),     sqlite3_column_int64(statement, 3),
                    sqlite3_column_int64(statement, 4),            (guint64)sqlite3_column_int64(statement, 5) };
    g_array_append_val(lines, line);
  }
  if (!why)
    return g_steal_pointer(&lines);
  g_propagate_error(error, g_steal_pointer(&why));
  return NULL;
}

/* It may be out of the list: store-shown.c. A list of the two for IN would be built anew each time. */
static int
step_to(sqlite3_stmt *statement, gint64 id)
{
  int code = SQLITE_DONE;
  for (guint out = 0; out < 2 && code == SQLITE_DONE; out++) {
    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, out ? -id : id);
    code = sqlite3_step(statement);
  }
  return code;
}

GPtrArray *
ml_store_headers_of(MlStore *store, const char *folder, guint32 uidvalidity, const GArray *uids, GError **error)
{
  g_autoptr(GError) why = NULL;
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  g_autoptr(sqlite3_stmt) held = NULL;
  gint64 id = find_held(store, folder, uidvalidity, &held, &why);
  g_autoptr(sqlite3_stmt) statement =
      id ? ml_store_prepare(store, "SELECT " ML_STORE_COLUMNS " FROM message WHERE id = ?1", &why) : NULL;
  for (guint i = 0; statement && !why && i < uids->len; i++) {
    int code = step_to(statement, id << 32 | g_array_index(uids, guint32, i));
    if (code == SQLITE_ROW) {
      MlHeader *header = ml_store_read_header(statement);
      header->uid = g_array_index(uids, guint32, i);
      g_ptr_array_add(headers, header);
    } else if (code != SQLITE_DONE)
      ml_store_fail(store, &why);
  }
  if (!why)
    return g_steal_pointer(&headers);
  g_propagate_error(error, g_steal_pointer(&why));
  return NULL;
}

/* As SQLite has it, until the next row; what is no UTF-8 is mended in a copy that @mended owns. */
static char *
lend(sqlite3_stmt *statement, int column, GPtrArray *mended)
{
  static char empty[] = "";
  char *value = (char *)sqlite3_column_text(statement, column);
  int length = sqlite3_column_bytes(statement, column);
  if (!value)
    return empty;
  if (g_utf8_validate_len(value, (gsize)length, NULL))
    return value;
  g_ptr_array_add(mended, g_utf8_make_valid(value, length));
  return mended->pdata[mended->len - 1];
}

static MlHeader
lend_header(sqlite3_stmt *statement, GPtrArray *mended)
{
  g_ptr_array_set_size(mended, 0);
  return (MlHeader){ .uid = (guint32)sqlite3_column_int64(statement, 0),
                     .flags = (guint)sqlite3_column_int(statement, 1),
                     .hints = (guint)sqlite3_column_int(statement, 2),
                     .date = sqlite3_column_int64(statement, 3),
                     .received = sqlite3_column_int64(statement, 4),
                     .size = (guint64)sqlite3_column_int64(statement, 5),
                     .from = lend(statement, 6, mended),
                     .from_name = lend(statement, 7, mended),
                     .from_address = lend(statement, 8, mended),
                     .to = lend(statement, 9, mended),
                     .cc = lend(statement, 10, mended),
                     .subject = lend(statement, 11, mended),
                     .message_id = lend(statement, 12, mended),
                     .references = lend(statement, 13, mended) };
}

gboolean
ml_store_some(MlStore *store, const char *folder, guint32 uidvalidity, guint32 below, guint most, MlStoreEach func,
              gpointer user_data, GError **error)
{
  g_autoptr(GError) why = NULL;
  gint64 id = find(store, folder, uidvalidity, &why);
  g_autoptr(sqlite3_stmt) statement = id ? over(store, id, below, most, ML_STORE_COLUMNS, &why) : NULL;
  g_autoptr(GPtrArray) mended = g_ptr_array_new_with_free_func(g_free);
  int code;
  while (statement && !why && (code = sqlite3_step(statement)) != SQLITE_DONE) {
    if (code != SQLITE_ROW) {
      ml_store_fail(store, &why);
      break;
    }
    MlHeader header = lend_header(statement, mended);
    func(&header, user_data);
  }
  if (!why)
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

MlHeader *
ml_store_header(MlStore *store, gint64 id, char **name, guint32 *uidvalidity, GError **error)
{
  g_autoptr(MlStoreLent) statement = ml_store_lend(
      store,
      "SELECT message.id, flags, hints, date, received, size, sender, sender_name, sender_address, recipient, cc,"
      " subject, message_id, refs, name, uidvalidity FROM message JOIN folder ON folder.id = message.id >> 32"
      " WHERE message.id = ?1",
      error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, id);
  int code = sqlite3_step(statement);
  if (code != SQLITE_ROW) {
    if (code != SQLITE_DONE)
      ml_store_fail(store, error);
    return NULL;
  }
  if (name)
    *name = ml_store_text(statement, 14);
  *uidvalidity = (guint32)sqlite3_column_int64(statement, 15);
  return ml_store_read_header(statement);
}
