#include <string.h>

#include "mail/files.h"
#include "mail/store-pending-private.h"

/* The entries of mail/store-pending.c's file. DONE_KEPT: changes that were carried out and can be undone. */
enum { TEXT_MAX = 998, DONE_KEPT = 100 };

static void
bind_text(sqlite3_stmt *statement, int at, const char *text)
{
  if (text)
    sqlite3_bind_text(statement, at, text, (int)MIN(strlen(text), (gsize)TEXT_MAX), SQLITE_TRANSIENT);
}

static char *
column(sqlite3_stmt *statement, int at)
{
  const char *value = (const char *)sqlite3_column_text(statement, at);
  return value ? g_utf8_make_valid(value, sqlite3_column_bytes(statement, at)) : NULL;
}

/* ---- entries */

static gboolean
add_letters(MlPending *pending, gint64 id, const MlPendingEntry *entry, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending, "INSERT OR IGNORE INTO letter VALUES(?1, ?2, ?3, ?4, ?5, ?6)", error);
  for (guint i = 0; statement && i < entry->messages->len; i++) {
    const MlPendingMessage *message = g_ptr_array_index(entry->messages, i);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, message->uid);
    sqlite3_bind_int64(statement, 3, message->flags);
    bind_text(statement, 4, message->message_id);
    bind_text(statement, 5, message->subject);
    sqlite3_bind_int64(statement, 6, message->there);
    if (!ml_pending_step(pending, statement, error))
      return FALSE;
  }
  return statement != NULL;
}

static gboolean
add_body(MlPending *pending, gint64 id, const MlPendingEntry *entry, GError **error)
{
  if (!entry->bytes)
    return TRUE;
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(pending, "INSERT INTO body VALUES(?1, ?2, ?3)", error);
  if (!statement)
    return FALSE;
  gsize length;
  const void *data = g_bytes_get_data(entry->bytes, &length);
  sqlite3_bind_int64(statement, 1, id);
  sqlite3_bind_int64(statement, 2, entry->received);
  sqlite3_bind_blob64(statement, 3, data, length, SQLITE_STATIC);
  return ml_pending_step(pending, statement, error);
}

GBytes *
ml_pending_body(MlPending *pending, gint64 id, gint64 *received, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending, "SELECT received, bytes FROM body WHERE entry = ?1", error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, id);
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) {
    *received = sqlite3_column_int64(statement, 0);
    return g_bytes_new(sqlite3_column_blob(statement, 1), (gsize)sqlite3_column_bytes(statement, 1));
  }
  if (code == SQLITE_DONE)
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "The message is not there any more.");
  else
    ml_pending_fail(pending, error);
  return NULL;
}

static gint64
add_entry(MlPending *pending, const MlPendingEntry *entry, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending, "INSERT INTO entry VALUES(NULL, ?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, NULL, ?9, 0)", error);
  if (!statement)
    return 0;
  sqlite3_bind_int(statement, 1, (int)entry->kind);
  bind_text(statement, 2, entry->folder);
  sqlite3_bind_int64(statement, 3, entry->uidvalidity);
  bind_text(statement, 4, entry->to);
  sqlite3_bind_int64(statement, 5, entry->to_validity);
  sqlite3_bind_int64(statement, 6, entry->add);
  sqlite3_bind_int64(statement, 7, entry->remove);
  sqlite3_bind_int64(statement, 8, entry->at ? entry->at : g_get_real_time() / G_USEC_PER_SEC);
  sqlite3_bind_int(statement, 9, entry->by_itself);
  return ml_pending_step(pending, statement, error) ? sqlite3_last_insert_rowid(pending->db) : 0;
}

gint64
ml_pending_add(MlPending *pending, const MlPendingEntry *entry, GError **error)
{
  if (strlen(entry->folder) > TEXT_MAX || (entry->to && strlen(entry->to) > TEXT_MAX)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The name of the folder is too long.");
    return 0;
  }
  gboolean numbered = entry->kind <= ML_PENDING_EXPUNGE && !(entry->kind == ML_PENDING_MOVE && entry->add);
  if (numbered && !entry->uidvalidity) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "It is not known yet which messages of the folder %s on the server are meant: open it, and do it again.",
                entry->folder);
    return 0;
  }
  if (entry->bytes && g_bytes_get_size(entry->bytes) > ML_PENDING_BODY) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "The message is larger than %d MiB.", ML_PENDING_BODY / 1024 / 1024);
    return 0;
  }
  if (!ml_pending_begin_sql(pending, error))
    return 0;
  gint64 id = add_entry(pending, entry, error);
  gboolean ok = id && add_letters(pending, id, entry, error) && add_body(pending, id, entry, error);
  ml_files_point("pending-add-1");
  ok = ml_pending_end_sql(pending, ok, error);
  ml_files_point("pending-add-2");
  return ok ? id : 0;
}

gboolean
ml_pending_name(MlPending *pending, const MlPendingEntry *entry, GError **error)
{
  if (!ml_pending_begin_sql(pending, error))
    return FALSE;
  g_autoptr(sqlite3_stmt) change = ml_pending_prepare(
      pending, "UPDATE entry SET uidvalidity = ?2, added = 0 WHERE id = ?1 AND kind = 2 AND state IN (1, 2)", error);
  g_autoptr(sqlite3_stmt) forget = ml_pending_prepare(pending, "DELETE FROM letter WHERE entry = ?1", error);
  gboolean ok = change && forget;
  if (ok) {
    sqlite3_bind_int64(change, 1, entry->id);
    sqlite3_bind_int64(change, 2, entry->uidvalidity);
    sqlite3_bind_int64(forget, 1, entry->id);
    ok = ml_pending_step(pending, change, error);
    if (ok && sqlite3_changes(pending->db)) /* else it was dropped just now, as ml_pending_begin() tells */
      ok = ml_pending_step(pending, forget, error) && add_letters(pending, entry->id, entry, error);
  }
  return ml_pending_end_sql(pending, ok, error);
}

static gboolean
read_letters(MlPending *pending, MlPendingEntry *entry, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending, "SELECT uid, flags, message_id, subject, there FROM letter WHERE entry = ?1 ORDER BY uid", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, entry->id);
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    g_autofree char *message_id = column(statement, 2), *subject = column(statement, 3);
    ml_pending_entry_add(entry, (guint32)sqlite3_column_int64(statement, 0), (guint)sqlite3_column_int64(statement, 1),
                         message_id, subject);
    ((MlPendingMessage *)entry->messages->pdata[entry->messages->len - 1])->there =
        (guint32)sqlite3_column_int64(statement, 4);
  }
  return code == SQLITE_DONE || ml_pending_fail(pending, error);
}

#define ENTRY "id, kind, state, folder, uidvalidity, target, target_validity, added, removed, at, tries, error, by_itself, undone"

/* NULL: what stands there is none that we wrote. */
static MlPendingEntry *
read_entry(sqlite3_stmt *statement)
{
  int kind = sqlite3_column_int(statement, 1), state = sqlite3_column_int(statement, 2);
  g_autofree char *folder = column(statement, 3), *to = column(statement, 5);
  gboolean needs_to = kind == ML_PENDING_COPY || kind == ML_PENDING_MOVE;
  if (kind < 0 || kind > ML_PENDING_REMOVE || !folder || (needs_to && !to) ||
      (state != ML_PENDING_WAITING && state != ML_PENDING_BEGUN && state != ML_PENDING_DONE &&
       state != ML_PENDING_FAILED))
    return NULL;
  MlPendingEntry *entry =
      ml_pending_entry_new((MlPendingKind)kind, folder, (guint32)sqlite3_column_int64(statement, 4), to);
  entry->id = sqlite3_column_int64(statement, 0);
  entry->state = (MlPendingState)state;
  entry->to_validity = (guint32)sqlite3_column_int64(statement, 6);
  entry->add = (guint)sqlite3_column_int64(statement, 7);
  entry->remove = (guint)sqlite3_column_int64(statement, 8);
  entry->at = sqlite3_column_int64(statement, 9);
  entry->tries = (guint)sqlite3_column_int64(statement, 10);
  entry->error = column(statement, 11);
  entry->by_itself = sqlite3_column_int(statement, 12) != 0;
  entry->partly = state == ML_PENDING_FAILED && sqlite3_column_int(statement, 13) != 0;
  return entry;
}

GPtrArray *
ml_pending_list(MlPending *pending, guint states, gint64 above, guint most, GError **error)
{
  g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)ml_pending_entry_free);
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending, "SELECT " ENTRY " FROM entry WHERE id > ?1 AND state & ?2 ORDER BY id LIMIT ?3", error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, above);
  sqlite3_bind_int64(statement, 2, states);
  sqlite3_bind_int64(statement, 3, most ? (gint64)most : -1);
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    MlPendingEntry *entry = read_entry(statement);
    if (entry)
      g_ptr_array_add(entries, entry);
  }
  if (code != SQLITE_DONE) {
    ml_pending_fail(pending, error);
    return NULL;
  }
  for (guint i = 0; i < entries->len; i++)
    if (!read_letters(pending, entries->pdata[i], error))
      return NULL;
  return g_steal_pointer(&entries);
}

MlPendingEntry *
ml_pending_find(MlPending *pending, gint64 id, GError **error)
{
  g_autoptr(GPtrArray) found = ml_pending_list(pending, G_MAXUINT, id - 1, 1, error);
  if (!found)
    return NULL;
  if (found->len && ((MlPendingEntry *)found->pdata[0])->id == id)
    return g_ptr_array_steal_index(found, 0);
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "There is no change %" G_GINT64_FORMAT ".", id);
  return NULL;
}

gboolean
ml_pending_count(MlPending *pending, guint *open, guint *failed, GError **error)
{
  *open = *failed = 0;
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(
      pending, "SELECT coalesce(sum(state < 4), 0), coalesce(sum(state = 8), 0) FROM entry WHERE state <> 4", error);
  if (!statement)
    return FALSE;
  if (sqlite3_step(statement) != SQLITE_ROW)
    return ml_pending_fail(pending, error);
  *open = (guint)sqlite3_column_int(statement, 0);
  *failed = (guint)sqlite3_column_int(statement, 1);
  return TRUE;
}

gboolean
ml_pending_drop(MlPending *pending, gint64 id, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(pending, "DELETE FROM entry WHERE id = ?1 AND state IN (1, 8)", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, id);
  if (!ml_pending_step(pending, statement, error))
    return FALSE;
  if (sqlite3_changes(pending->db))
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
              "There is no change %" G_GINT64_FORMAT " that waits or has failed: it is done, or just being carried out.",
              id);
  return FALSE;
}

MlPendingEntry *
ml_pending_newest(MlPending *pending, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(
      pending, "SELECT id FROM entry WHERE state < 8 AND NOT by_itself AND NOT undone ORDER BY id DESC LIMIT 1", error);
  if (!statement)
    return NULL;
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW)
    return ml_pending_find(pending, sqlite3_column_int64(statement, 0), error);
  if (code != SQLITE_DONE)
    ml_pending_fail(pending, error);
  return NULL;
}

gboolean
ml_pending_pass_over(MlPending *pending, gint64 id, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(pending, "UPDATE entry SET undone = 1 WHERE id = ?1", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, id);
  return ml_pending_step(pending, statement, error);
}

gboolean
ml_pending_begin(MlPending *pending, gint64 id, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending, "UPDATE entry SET state = 2, tries = tries + 1 WHERE id = ?1 AND state IN (1, 2)", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, id);
  return ml_pending_step(pending, statement, error) && sqlite3_changes(pending->db) == 1;
}

/* What is done is kept for undoing it, but not for ever. */
static gboolean
forget_old(MlPending *pending, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending,
              "DELETE FROM entry WHERE state = 4 AND id <= (SELECT id FROM entry WHERE state = 4 ORDER BY id DESC"
              " LIMIT 1 OFFSET ?1)",
              error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int(statement, 1, DONE_KEPT);
  return ml_pending_step(pending, statement, error);
}

/* Plaintext, perhaps: no longer than it is needed. */
static gboolean
forget_body(MlPending *pending, gint64 id, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(pending, "DELETE FROM body WHERE entry = ?1", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, id);
  return ml_pending_step(pending, statement, error);
}

static gboolean
set_there(MlPending *pending, const MlPendingEntry *entry, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending, "UPDATE letter SET there = ?3 WHERE entry = ?1 AND uid = ?2", error);
  for (guint i = 0; statement && i < entry->messages->len; i++) {
    const MlPendingMessage *message = g_ptr_array_index(entry->messages, i);
    if (!message->there)
      continue;
    sqlite3_bind_int64(statement, 1, entry->id);
    sqlite3_bind_int64(statement, 2, message->uid);
    sqlite3_bind_int64(statement, 3, message->there);
    if (!ml_pending_step(pending, statement, error))
      return FALSE;
  }
  return statement != NULL;
}

gboolean
ml_pending_settle(MlPending *pending, const MlPendingEntry *entry, MlPendingState state, const char *why, GError **error)
{
  if (!ml_pending_begin_sql(pending, error))
    return FALSE;
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(
      pending, "UPDATE entry SET state = ?2, error = ?3, target_validity = ?4, tries = ?5, undone = ?6 WHERE id = ?1"
               " AND state IN (1, 2)", error);
  gboolean ok = statement != NULL;
  if (ok) {
    sqlite3_bind_int64(statement, 1, entry->id);
    sqlite3_bind_int(statement, 2, (int)state);
    bind_text(statement, 3, why);
    sqlite3_bind_int64(statement, 4, entry->to_validity);
    sqlite3_bind_int64(statement, 5, entry->tries);
    sqlite3_bind_int(statement, 6, state == ML_PENDING_FAILED && entry->partly); /* undo passes over what failed anyway */
    ok = ml_pending_step(pending, statement, error);
    if (ok && state == ML_PENDING_DONE)
      ok = set_there(pending, entry, error) && forget_body(pending, entry->id, error) && forget_old(pending, error);
  }
  return ml_pending_end_sql(pending, ok, error);
}

/* ---- what they make of a folder */

gint64
ml_pending_version(MlPending *pending)
{
  g_autoptr(sqlite3_stmt) statement = ml_pending_prepare(pending, "PRAGMA data_version", NULL);
  gint64 others = statement && sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  return (gint64)((guint64)others << 32 | (guint32)(pending->db ? sqlite3_total_changes(pending->db) : 0));
}

static int
by_uid(gconstpointer a, gconstpointer b)
{
  guint32 one = ((const MlStoreShown *)a)->uid, other = ((const MlStoreShown *)b)->uid;
  return one < other ? -1 : one > other ? 1 : 0;
}

GArray *
ml_pending_shown(MlPending *pending, const char *folder, guint32 uidvalidity, GError **error)
{
  g_autoptr(GArray) shown = g_array_new(FALSE, TRUE, sizeof(MlStoreShown));
  g_autoptr(sqlite3_stmt) statement =
      ml_pending_prepare(pending,
              "SELECT uid, kind, added, removed FROM entry JOIN letter ON entry = id WHERE state IN (1, 2)"
              " AND folder = ?1 AND uidvalidity IN (?2, 0) AND kind IN (0, 3, 2) AND NOT (kind = 2 AND added)"
              " ORDER BY uid, id",
              error);
  G_STATIC_ASSERT(ML_PENDING_FLAGS == 0 && ML_PENDING_MOVE == 2 && ML_PENDING_EXPUNGE == 3);
  if (!statement)
    return NULL;
  bind_text(statement, 1, folder);
  sqlite3_bind_int64(statement, 2, uidvalidity);
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    MlStoreShown one = { .uid = (guint32)sqlite3_column_int64(statement, 0) };
    MlStoreShown *last = shown->len ? &g_array_index(shown, MlStoreShown, shown->len - 1) : NULL;
    if (!last || last->uid != one.uid) {
      g_array_append_val(shown, one);
      last = &g_array_index(shown, MlStoreShown, shown->len - 1);
    }
    guint add = (guint)sqlite3_column_int64(statement, 2), remove = (guint)sqlite3_column_int64(statement, 3);
    if (sqlite3_column_int(statement, 1) == ML_PENDING_FLAGS) {
      last->add = (last->add & ~remove) | add;
      last->remove = (last->remove & ~add) | (remove & ~add);
    } else {
      last->gone = TRUE;
    }
  }
  if (code != SQLITE_DONE) {
    ml_pending_fail(pending, error);
    return NULL;
  }
  g_array_sort(shown, by_uid);
  return g_steal_pointer(&shown);
}

const MlStoreShown *
ml_pending_shown_of(const GArray *shown, guint32 uid)
{
  guint low = 0, high = shown ? shown->len : 0;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    const MlStoreShown *one = &g_array_index(shown, MlStoreShown, middle);
    if (one->uid == uid)
      return one;
    if (one->uid < uid)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

guint
ml_pending_flags(const MlStoreShown *shown, guint flags)
{
  return shown ? (flags & ~shown->remove) | shown->add : flags;
}
