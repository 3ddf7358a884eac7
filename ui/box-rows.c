#include "ui/app-private.h"

/* Which messages of a folder are shown, in which row, and where the cursor is. Most lists are shown as they are, newest
 * at the bottom: then there is no list of rows, so that what a folder of any size takes is its items alone. */

static gboolean
is_in_order_of_arrival(const UiBox *box)
{
  return box->order.by == UI_ORDER_ARRIVAL && !box->order.reverse;
}

guint
ui_box_rows(const UiBox *box)
{
  return box->shown ? box->shown->len : ui_items_count(box->all);
}

UiItem *
ui_box_row(const UiBox *box, guint at)
{
  return box->shown ? box->shown->pdata[at] : ui_items_at(box->all, at);
}

UiItem *
ui_box_item(const UiBox *box)
{
  return box && box->cursor >= 0 && box->cursor < (int)ui_box_rows(box) ? ui_box_row(box, (guint)box->cursor) : NULL;
}

UiItem *
ui_box_by_uid(const UiBox *box, guint32 uid)
{
  return ui_items_find(box->all, uid);
}

gboolean
ui_box_row_of(const UiBox *box, const UiItem *item, guint *at)
{
  if (box->shown)
    return g_ptr_array_find(box->shown, item, at);
  if (!item || ui_items_find(box->all, item->uid) != item)
    return FALSE;
  *at = ui_items_place(box->all, item->uid);
  return TRUE;
}

gboolean
ui_box_seek(UiBox *box, const UiItem *item)
{
  guint at;

  if (!item || !ui_box_row_of(box, item, &at))
    return FALSE;
  box->cursor = (int)at;
  box->placed = TRUE;
  box->unmoved_since = 0;
  box->to_first = FALSE;
  box->to_place = FALSE;
  return TRUE;
}

guint
ui_box_number(const UiBox *box, const UiItem *item)
{
  guint at = 0;

  if (!is_in_order_of_arrival(box))
    return ui_box_row_of(box, item, &at) ? ui_box_rows(box) - at : 0;
  /* Within a limit the number stays what it is without: it is found by its place among all. */
  return MAX(box->total, ui_items_count(box->all)) - ui_items_place(box->all, item->uid);
}

/* ---- what is shown */

gboolean
ui_box_is_plain(const UiBox *box)
{
  return is_in_order_of_arrival(box) && !box->limit;
}

void
ui_box_rows_clear(UiBox *box)
{
  UiOrder order = ui_order_wanted(box);

  ui_order_stop(box);
  box->order = order;
  g_clear_pointer(&box->threads, ml_threads_free);
  ui_order_forget_threads(box);
  g_clear_pointer(&box->numbers, g_array_unref);
  g_clear_pointer(&box->shown, g_ptr_array_unref);
  if (!ui_box_is_plain(box))
    box->shown = g_ptr_array_new();
  box->outdated = FALSE;
  box->cursor = 0;
}

void
ui_box_arrange_now(UiBox *box, UiOrder order, const UiItem *current)
{
  int before = box->cursor;
  guint at;

  if (!current)
    current = ui_box_item(box);
  if (!current)
    current = ui_box_by_uid(box, box->last_uid);
  box->last_uid = current ? current->uid : 0;
  box->order = order;
  if (order.by != UI_ORDER_THREADS) {
    g_clear_pointer(&box->threads, ml_threads_free);
    ui_order_forget_threads(box);
  }
  ui_order_show(box);
  box->cursor = current && ui_box_row_of(box, current, &at) ? (int)at : MIN(before, (int)ui_box_rows(box) - 1);
  box->cursor = MAX(box->cursor, 0);
}

/* Those that do not fit any more go from the rows, which stand as they did. */
static void
narrow(UiBox *box)
{
  const UiItem *current = ui_box_item(box);
  guint kept = 0, above = 0;

  ui_box_fit(box);
  box->last_uid = current ? current->uid : box->last_uid;
  for (guint i = 0; i < box->shown->len; i++) {
    UiItem *item = box->shown->pdata[i];
    if (ui_box_within(item, box))
      box->shown->pdata[kept++] = item;
    else
      above += (int)i < box->cursor;
  }
  g_ptr_array_set_size(box->shown, (int)kept);
  box->cursor = CLAMP(box->cursor - (int)above, 0, MAX((int)kept - 1, 0));
}

/* Until the order is there. What was asked for is not seen in the rows, whatever becomes of that order. */
static void
stand(UiBox *box, const UiItem *current)
{
  box->outdated = TRUE;
  if (box->limit)
    narrow(box);
  if (current)
    (void)ui_box_seek(box, current);
}

void
ui_box_arrange(UiBox *box, const UiItem *current)
{
  UiOrder order = ui_order_wanted(box);

  if (!ui_order_begin(box, order)) {
    ui_box_arrange_now(box, order, current);
    ui_order_rest(box);
  } else if (ui_order_is_quick(box, box->order))
    ui_box_arrange_now(box, box->order, current);
  else
    stand(box, current);
}

void
ui_box_set_limit(UiBox *box, MlPattern *limit, const char *words)
{
  ml_pattern_free(box->limit);
  box->limit = limit;
  box->fitted = FALSE;
  g_free(box->limit_words);
  box->limit_words = ui_text_line(words ? words : "");
  ui_box_arrange(box, NULL);
}

/* Where it belongs among rows that stand in the order of all. */
static guint
place_in(const GPtrArray *rows, guint32 uid)
{
  guint low = 0, high = rows->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (((const UiItem *)rows->pdata[middle])->uid > uid)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The cursor stays on its message, and follows where it stood on the newest. */
void
ui_box_row_new(UiBox *box, UiItem *item)
{
  guint at;

  if (!is_in_order_of_arrival(box) || (box->limit && !box->fitted)) {
    box->unarranged++;
    return;
  }
  if (!ui_box_within(item, box))
    return;
  if (box->shown) {
    at = place_in(box->shown, item->uid);
    g_ptr_array_insert(box->shown, (int)at, item);
  } else {
    at = ui_items_place(box->all, item->uid);
  }
  if ((int)at <= box->cursor && ui_box_rows(box) > 1)
    box->cursor++;
}

static gboolean
is_gone(gpointer uid, gpointer header, gpointer box)
{
  const UiItem *item = ui_box_by_uid(box, GPOINTER_TO_UINT(uid));

  return !item || item->gone;
}

void
ui_box_rows_drop(UiBox *box)
{
  guint kept = 0, above = 0, n = ui_box_rows(box);

  for (guint i = 0; i < n && (box->shown || (int)i < box->cursor); i++) {
    UiItem *item = ui_box_row(box, i);
    if (item->gone)
      above += (int)i < box->cursor;
    else if (box->shown)
      box->shown->pdata[kept++] = item;
  }
  if (box->shown)
    g_ptr_array_set_size(box->shown, (int)kept);
  g_hash_table_foreach_remove(box->kept, is_gone, box);
  (void)ui_items_drop_gone(box->all);
  box->cursor = CLAMP(box->cursor - (int)above, 0, MAX((int)ui_box_rows(box) - 1, 0));
}

/* ---- text that no store has */

const MlHeader *
ui_box_kept(const UiBox *box, guint32 uid)
{
  return g_hash_table_size(box->kept) ? g_hash_table_lookup(box->kept, GUINT_TO_POINTER(uid)) : NULL;
}

void
ui_box_keep(UiBox *box, guint32 uid, MlHeader *header)
{
  if (header)
    g_hash_table_insert(box->kept, GUINT_TO_POINTER(uid), header);
  else
    g_hash_table_remove(box->kept, GUINT_TO_POINTER(uid));
}
