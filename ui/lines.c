#include "ui/lines.h"

/* LEAST: what a read may bring in without what was lent before going. AGAIN_US: a file that has lost lines is opened anew
 * and asked for them no more often, however often they are drawn. */
enum { ROOM = 600, LEAST = 100, AGAIN_US = 500000 };

typedef struct {
  MlHeader *header;
  GList link; /* in the order of use, the last used at the tail; its data is the entry */
} Entry;

struct UiLines {
  const char *store_dir;
  const MlAccount *account;
  const char *folder;
  guint32 uidvalidity;
  MlStore *store;      /* NULL: not open */
  GHashTable *entries; /* uid -> Entry */
  GQueue used;
  GHashTable *lost;    /* set of uids that were looked for in vain since then */
  gint64 reopened;
  gboolean missed;
  GError *why; /* of the last failure; NULL */
};

static void
entry_free(gpointer data)
{
  Entry *entry = data;

  ml_header_free(entry->header);
  g_free(entry);
}

UiLines *
ui_lines_new(const char *store_dir, const MlAccount *account, const char *folder)
{
  UiLines *lines = g_new0(UiLines, 1);

  lines->store_dir = store_dir;
  lines->account = account;
  lines->folder = folder;
  lines->entries = g_hash_table_new_full(NULL, NULL, NULL, entry_free);
  lines->lost = g_hash_table_new(NULL, NULL);
  g_queue_init(&lines->used);
  return lines;
}

void
ui_lines_close(UiLines *lines)
{
  if (lines)
    g_clear_pointer(&lines->store, ml_store_free);
}

void
ui_lines_free(UiLines *lines)
{
  if (!lines)
    return;
  g_hash_table_unref(lines->entries);
  g_hash_table_unref(lines->lost);
  ml_store_free(lines->store);
  g_clear_error(&lines->why);
  g_free(lines);
}

void
ui_lines_clear(UiLines *lines, guint32 uidvalidity)
{
  g_queue_init(&lines->used); /* its links are the entries' own */
  g_hash_table_remove_all(lines->entries);
  g_hash_table_remove_all(lines->lost);
  lines->uidvalidity = uidvalidity;
}

void
ui_lines_forget(UiLines *lines, guint32 uid)
{
  Entry *entry = g_hash_table_lookup(lines->entries, GUINT_TO_POINTER(uid));

  if (!entry)
    return;
  g_queue_unlink(&lines->used, &entry->link);
  g_hash_table_remove(lines->entries, GUINT_TO_POINTER(uid));
}

/* Takes @header. */
static void
keep(UiLines *lines, MlHeader *header)
{
  ui_lines_forget(lines, header->uid);
  while (lines->used.length >= ROOM)
    ui_lines_forget(lines, ((Entry *)lines->used.head->data)->header->uid);
  Entry *entry = g_new0(Entry, 1);
  entry->header = header;
  entry->link.data = entry;
  g_queue_push_tail_link(&lines->used, &entry->link);
  g_hash_table_insert(lines->entries, GUINT_TO_POINTER(header->uid), entry);
}

gboolean
ui_lines_put(UiLines *lines, MlHeader *header)
{
  if (lines->used.length >= ROOM / 2)
    return FALSE;
  keep(lines, header);
  return TRUE;
}

void
ui_lines_miss(UiLines *lines)
{
  lines->missed = TRUE;
}

void
ui_lines_again(UiLines *lines)
{
  g_hash_table_remove_all(lines->lost);
  g_clear_pointer(&lines->store, ml_store_free); /* another file may have taken the place of the one that is open */
  lines->reopened = 0;
}

static void
fail(UiLines *lines, GError *why)
{
  lines->missed = TRUE;
  if (!why)
    return;
  g_clear_error(&lines->why);
  lines->why = why;
}

static gboolean
is_open(UiLines *lines)
{
  GError *why = NULL;

  if (lines->store)
    return TRUE;
  lines->store = ml_store_open_to_read(lines->store_dir, lines->account, &why);
  if (lines->store)
    ml_store_be_quick(lines->store);
  else
    fail(lines, why);
  return lines->store != NULL;
}

/* FALSE: not all of them were found. */
static gboolean
read_some(UiLines *lines, const GArray *uids)
{
  GError *why = NULL;

  if (!is_open(lines))
    return FALSE;
  g_autoptr(GPtrArray) headers = ml_store_headers_of(lines->store, lines->folder, lines->uidvalidity, uids, &why);
  gboolean all = headers && headers->len == uids->len;
  for (guint i = 0; headers && i < headers->len; i++)
    keep(lines, g_steal_pointer(&headers->pdata[i]));
  if (!headers)
    fail(lines, why);
  return all;
}

/* What was not found may be in a file that has taken the place of the one that is open. FALSE: not now. */
static gboolean
open_anew(UiLines *lines)
{
  gint64 now = g_get_monotonic_time();

  if (lines->reopened && now - lines->reopened < AGAIN_US)
    return FALSE;
  lines->reopened = now;
  g_hash_table_remove_all(lines->lost);
  g_clear_pointer(&lines->store, ml_store_free);
  return TRUE;
}

/* Those that are neither here nor known to be lost. */
static GArray *
wanted_of(UiLines *lines, const GArray *uids)
{
  GArray *wanted = g_array_new(FALSE, FALSE, sizeof(guint32));
  gboolean again = g_get_monotonic_time() - lines->reopened >= AGAIN_US;

  for (guint i = 0; i < uids->len && wanted->len < LEAST; i++) {
    guint32 uid = g_array_index(uids, guint32, i);
    gpointer key = GUINT_TO_POINTER(uid);
    if (!g_hash_table_contains(lines->entries, key) && (again || !g_hash_table_contains(lines->lost, key)))
      g_array_append_val(wanted, uid);
  }
  return wanted;
}

static void
read_missing(UiLines *lines, const GArray *uids)
{
  g_autoptr(GArray) wanted = wanted_of(lines, uids);

  if (!wanted->len || read_some(lines, wanted))
    return;
  g_autoptr(GArray) left = open_anew(lines) ? wanted_of(lines, wanted) : NULL;
  if (left && read_some(lines, left))
    return;
  fail(lines, NULL);
  for (guint i = 0; i < wanted->len; i++) {
    gpointer key = GUINT_TO_POINTER(g_array_index(wanted, guint32, i));
    if (!g_hash_table_contains(lines->entries, key))
      g_hash_table_add(lines->lost, key);
  }
}

void
ui_lines_prefetch(UiLines *lines, const GArray *uids)
{
  read_missing(lines, uids);
}

const MlHeader *
ui_lines_at_hand(const UiLines *lines, guint32 uid)
{
  const Entry *entry = g_hash_table_lookup(lines->entries, GUINT_TO_POINTER(uid));

  return entry ? entry->header : NULL;
}

const MlHeader *
ui_lines_get(UiLines *lines, guint32 uid)
{
  Entry *entry = g_hash_table_lookup(lines->entries, GUINT_TO_POINTER(uid));

  if (!entry) {
    g_autoptr(GArray) one = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_val(one, uid);
    read_missing(lines, one);
    entry = g_hash_table_lookup(lines->entries, GUINT_TO_POINTER(uid));
    return entry ? entry->header : NULL;
  }
  g_queue_unlink(&lines->used, &entry->link);
  g_queue_push_tail_link(&lines->used, &entry->link);
  return entry->header;
}

static gboolean
read_each(UiLines *lines, guint32 below, guint most, MlStoreEach func, gpointer user_data)
{
  GError *why = NULL;

  if (!is_open(lines))
    return FALSE;
  if (ml_store_some(lines->store, lines->folder, lines->uidvalidity, below, most, func, user_data, &why))
    return TRUE;
  fail(lines, why);
  return FALSE;
}

void
ui_lines_each(UiLines *lines, guint32 below, guint most, MlStoreEach func, gpointer user_data)
{
  if (!read_each(lines, below, most, func, user_data) && open_anew(lines))
    (void)read_each(lines, below, most, func, user_data);
}

static gboolean
read_numbers(UiLines *lines, guint32 below, guint most, UiLinesNumbers func, gpointer user_data)
{
  enum { CHUNK = 4096 };
  GError *why = NULL;

  for (guint left = most ? most : G_MAXUINT; is_open(lines);) {
    guint chunk = MIN(left, CHUNK);
    g_autoptr(GArray) some = ml_store_lines(lines->store, lines->folder, lines->uidvalidity, below, chunk, &why);
    for (guint i = 0; some && i < some->len; i++)
      func(&g_array_index(some, MlLine, i), user_data);
    if (!some) {
      fail(lines, why);
      return FALSE;
    }
    if (some->len < chunk || chunk == left)
      return TRUE;
    left -= most ? chunk : 0;
    below = g_array_index(some, MlLine, some->len - 1).uid;
  }
  return FALSE;
}

void
ui_lines_numbers(UiLines *lines, guint32 below, guint most, UiLinesNumbers func, gpointer user_data)
{
  if (!read_numbers(lines, below, most, func, user_data) && open_anew(lines))
    (void)read_numbers(lines, below, most, func, user_data);
}

gboolean
ui_lines_missed(UiLines *lines, GError **error)
{
  gboolean missed = lines->missed;

  lines->missed = FALSE;
  if (lines->why)
    g_propagate_error(error, g_steal_pointer(&lines->why));
  return missed;
}

GBytes *
ui_lines_message(UiLines *lines, guint32 uid, gint64 *received)
{
  GError *why = NULL;

  if (!lines->uidvalidity || !is_open(lines))
    return NULL;
  GBytes *bytes = ml_store_get(lines->store, lines->folder, lines->uidvalidity, uid, received, &why);
  g_clear_error(&why); /* the worker finds it too, and says it */
  return bytes;
}
