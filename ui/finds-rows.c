#include <string.h>

#include "ui/finds-private.h"

enum { ROWS_MAX = 1000 }; /* of each that looks */

struct UiFindsRows {
  GPtrArray *rows[UI_FINDS_BY]; /* of UiFindsRow */
  GPtrArray *shown;             /* of these, as they stand in the list */
  GPtrArray *gone;              /* and of those that were taken out since */
  GHashTable *here;             /* all that UI_FINDS_HERE has found; NULL: its rows */
  guint serial;
};

static void
row_free(gpointer data)
{
  UiFindsRow *row = data;

  g_free(row->folder);
  g_free(row->text);
  g_free(row->more);
  g_free(row);
}

UiFindsRows *
ui_finds_rows_new(void)
{
  UiFindsRows *found = g_new0(UiFindsRows, 1);

  for (guint by = 0; by < UI_FINDS_BY; by++)
    found->rows[by] = g_ptr_array_new_with_free_func(row_free);
  found->shown = g_ptr_array_new();
  found->gone = g_ptr_array_new_with_free_func(row_free);
  return found;
}

void
ui_finds_rows_free(UiFindsRows *found)
{
  for (guint by = 0; by < UI_FINDS_BY; by++)
    g_ptr_array_unref(found->rows[by]);
  g_ptr_array_unref(found->shown);
  g_ptr_array_unref(found->gone);
  g_clear_pointer(&found->here, g_hash_table_unref);
  g_free(found);
}

void
ui_finds_rows_here(UiFindsRows *found, GHashTable *here)
{
  g_clear_pointer(&found->here, g_hash_table_unref);
  found->here = here;
}

static guint
place_hash(gconstpointer data)
{
  const UiFindsRow *row = data;

  return g_str_hash(row->folder) * 31 + row->uid;
}

static gboolean
place_equal(gconstpointer a, gconstpointer b)
{
  const UiFindsRow *one = a, *other = b;

  return one->uid == other->uid && one->uidvalidity == other->uidvalidity && one->account == other->account &&
         !strcmp(one->folder, other->folder);
}

/* They are shown until the next ui_finds_rows_show(), which asks them where the cursor was. */
void
ui_finds_rows_clear(UiFindsRows *found, UiFindsBy by)
{
  g_ptr_array_extend_and_steal(found->gone, found->rows[by]);
  found->rows[by] = g_ptr_array_new_with_free_func(row_free);
  if (by == UI_FINDS_HERE)
    ui_finds_rows_here(found, NULL);
}

/* Of mail, safe to be shown. NULL: nothing. */
static char *
more_of(const char *snippet, int columns)
{
  g_autofree char *safe = ui_text_line(snippet ? snippet : "");

  return *safe ? ui_text_cut(safe, MAX(columns - 8, 8)) : NULL;
}

void
ui_finds_rows_snippets(UiFindsRows *found, const GPtrArray *snippets)
{
  int rows, columns;

  ui_screen_size(&rows, &columns);
  for (guint i = 0; i < found->rows[UI_FINDS_HERE]->len; i++) {
    UiFindsRow *row = found->rows[UI_FINDS_HERE]->pdata[i];
    g_free(row->more);
    row->more = i < snippets->len ? more_of(snippets->pdata[i], columns) : NULL;
  }
}

gboolean
ui_finds_rows_add(UiFindsRows *found, UiFindsBy by, UiAccount *account, const MlFound *one, const char *snippet)
{
  const MlHeader *header = one->header;
  int rows, columns;

  if (found->rows[by]->len >= ROWS_MAX)
    return FALSE;
  ui_screen_size(&rows, &columns);
  int wide = columns >= 100 ? 24 : 16;
  g_autofree char *date = ui_text_date(header->date, g_get_real_time() / G_USEC_PER_SEC, 10);
  g_autofree char *safe_from = ui_text_line(header->from_name), *from = ui_text_fit(safe_from, wide);
  g_autofree char *safe_folder = ui_text_line(one->folder), *folder = ui_text_fit(safe_folder, wide - 4);
  g_autofree char *subject = ui_text_line(header->subject);
  UiFindsRow *row = g_new0(UiFindsRow, 1);
  *row = (UiFindsRow){ .account = account,
                       .folder = g_strdup(one->folder),
                       .uidvalidity = one->uidvalidity,
                       .uid = header->uid,
                       .date = header->date,
                       .score = one->score,
                       .serial = found->serial++,
                       .by = by,
                       .style = header->flags & ML_FLAG_SEEN ? UI_STYLE_NORMAL : UI_STYLE_NEW,
                       .text = g_strdup_printf(" %-10s %s %s %s", date, folder, from, subject),
                       .more = more_of(snippet, columns) };
  g_ptr_array_add(found->rows[by], row);
  return TRUE;
}

static int
compare_numbers(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;

  return one < other ? -1 : one > other;
}

static gboolean
is_here(const UiFindsRows *found, const UiFindsRow *row)
{
  GArray *uids = found->here ? g_hash_table_lookup(found->here, row->folder) : NULL;

  return uids && g_array_binary_search(uids, &row->uid, compare_numbers, NULL);
}

guint
ui_finds_rows_far(const UiFindsRows *found)
{
  guint n = 0;

  for (guint i = 0; i < found->shown->len; i++) {
    const UiFindsRow *row = found->shown->pdata[i];
    n += row->by == UI_FINDS_SERVER && !is_here(found, row);
  }
  return n;
}

/* A server does not say how well something fits: what it found comes last then. */
static int
compare(gconstpointer a, gconstpointer b, gpointer by_rank)
{
  const UiFindsRow *one = *(UiFindsRow *const *)a, *other = *(UiFindsRow *const *)b;
  gboolean far = one->by == UI_FINDS_SERVER, other_far = other->by == UI_FINDS_SERVER;

  if (by_rank && far != other_far)
    return far ? 1 : -1;
  if (by_rank && one->score != other->score)
    return one->score > other->score ? 1 : -1;
  if (one->date != other->date)
    return one->date < other->date ? 1 : -1;
  if (one->by != other->by)
    return one->by < other->by ? -1 : 1;
  return one->serial < other->serial ? -1 : 1;
}

static void
merge(UiFindsRows *found, gboolean by_rank)
{
  g_autoptr(GHashTable) there = g_hash_table_new(place_hash, place_equal);

  g_ptr_array_set_size(found->shown, 0);
  for (guint by = 0; by < UI_FINDS_BY; by++)
    for (guint i = 0; i < found->rows[by]->len; i++)
      if (g_hash_table_add(there, found->rows[by]->pdata[i]))
        g_ptr_array_add(found->shown, found->rows[by]->pdata[i]);
  g_ptr_array_sort_with_data(found->shown, compare, by_rank ? found : NULL);
}

const UiFindsRow *
ui_finds_rows_at(const UiFindsRows *found, guint row)
{
  return row < found->shown->len ? found->shown->pdata[row] : NULL;
}

void
ui_finds_rows_show(UiFindsRows *found, UiList *list, gboolean by_rank, gboolean stay)
{
  const UiFindsRow *at = stay ? ui_finds_rows_at(found, (guint)MAX(list->cursor, 0)) : NULL;
  int before = list->cursor;

  merge(found, by_rank);
  ui_list_clear(list);
  list->cursor = 0;
  for (guint i = 0; i < found->shown->len; i++) {
    const UiFindsRow *row = found->shown->pdata[i];
    ui_list_more(ui_list_add(list, row->style, "%s", row->text), row->more);
    if (at && place_equal(row, at))
      list->cursor = (int)i;
  }
  list->top = stay && list->top ? MAX(list->top + list->cursor - before, 0) : 0;
  g_ptr_array_set_size(found->gone, 0);
}
