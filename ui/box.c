#include <string.h>

#include "ui/app-private.h"

static void
item_free(UiItem *item)
{
  ml_header_free(item->header);
  g_free(item);
}

void
ui_box_free(UiBox *box)
{
  if (!box)
    return;
  ml_threads_free(box->threads);
  g_clear_pointer(&box->threaded, g_array_unref);
  g_hash_table_unref(box->by_uid);
  g_ptr_array_unref(box->shown);
  g_ptr_array_unref(box->all);
  ui_limit_free(box->limit);
  g_free(box->limit_words);
  g_free(box->folder);
  g_free(box);
}

UiItem *
ui_box_item(UiBox *box)
{
  return box && box->cursor >= 0 && box->cursor < (int)box->shown->len ? box->shown->pdata[box->cursor]
                                                                       : NULL;
}

UiItem *
ui_box_by_uid(UiBox *box, guint32 uid)
{
  return g_hash_table_lookup(box->by_uid, GUINT_TO_POINTER(uid));
}

gboolean
ui_box_seek(UiBox *box, const UiItem *item)
{
  guint at;

  if (!item || !g_ptr_array_find(box->shown, item, &at))
    return FALSE;
  box->cursor = (int)at;
  box->placed = TRUE;
  box->to_first = FALSE;
  return TRUE;
}

static UiPlace
place_of(const UiBox *box, const UiItem *item)
{
  return (UiPlace){ box->account->account->name, box->folder, box->uidvalidity, item->header->uid };
}

const char *
ui_box_subject(const UiBox *box, const UiItem *item)
{
  UiPlace place = place_of(box, item);
  const char *subject = ui_subjects_find(box->subjects, &place);

  return subject ? subject : item->header->subject;
}

void
ui_box_note(UiBox *box, const UiItem *item, const MlMessage *message)
{
  UiPlace place = place_of(box, item);
  gboolean hidden;
  const char *subject = ml_message_listed_subject(message, &hidden);

  ui_subjects_note(box->subjects, &place, subject, hidden);
}

UiLimitItem
ui_box_facts(const UiBox *box, const UiItem *item)
{
  return (UiLimitItem){ .header = item->header,
                        .subject = ui_box_subject(box, item),
                        .flags = item->header->flags,
                        .tagged = item->tagged,
                        .deleted = item->deleted,
                        .verified = item->verified };
}

static gboolean
is_within(const UiBox *box, const UiItem *item)
{
  UiLimitItem facts = ui_box_facts(box, item);

  return !box->limit || ui_limit_matches(box->limit, &facts);
}

gboolean
ui_box_within(gpointer item, gpointer box)
{
  return is_within(box, item);
}

void
ui_box_arrange(UiBox *box, const UiItem *current)
{
  int before = box->cursor;
  guint at;

  if (!current)
    current = ui_box_item(box);
  if (!current)
    current = ui_box_by_uid(box, box->last_uid);
  box->last_uid = current ? current->header->uid : 0;
  ui_order_show(box);
  box->cursor = current && g_ptr_array_find(box->shown, current, &at) ? (int)at : MIN(before, (int)box->shown->len - 1);
  box->cursor = MAX(box->cursor, 0);
}

void
ui_box_set_order(UiBox *box, UiOrder order)
{
  box->order = order;
  if (order.by != UI_ORDER_THREADS) {
    g_clear_pointer(&box->threads, ml_threads_free);
    g_clear_pointer(&box->threaded, g_array_unref);
  }
  ui_box_arrange(box, NULL);
}

static gboolean
is_in_order_of_arrival(const UiBox *box)
{
  return box->order.by == UI_ORDER_ARRIVAL && !box->order.reverse;
}

void
ui_box_set_limit(UiBox *box, UiLimit *limit, const char *words)
{
  ui_limit_free(box->limit);
  box->limit = limit;
  g_free(box->limit_words);
  box->limit_words = ui_text_line(words ? words : "");
  ui_box_arrange(box, NULL);
}

/* What a limit found by such a Subject is no longer found. */
void
ui_box_forget_hidden(UiApp *app)
{
  if (ui_subjects_forget_hidden(app->subjects) && app->box && app->box->limit)
    ui_box_arrange(app->box, NULL);
  ui_app_dirty(app);
}

guint
ui_box_count(UiBox *box, gboolean deleted)
{
  if (!box->counted) {
    box->unread = box->pending = 0;
    for (guint i = 0; i < box->all->len; i++) {
      const UiItem *item = box->all->pdata[i];
      box->pending += item->deleted && !(item->header->flags & ML_FLAG_DELETED);
      box->unread += !(item->header->flags & ML_FLAG_SEEN);
    }
    box->counted = TRUE;
  }
  return deleted ? box->pending : box->unread;
}

guint
ui_box_number(const UiBox *box, const UiItem *item)
{
  guint at = 0;

  if (!is_in_order_of_arrival(box))
    return g_ptr_array_find(box->shown, item, &at) ? box->shown->len - at : 0;
  /* Within a limit the number stays what it is without: it is found by its place among all. */
  if (box->limit) {
    if (!g_ptr_array_find(box->all, item, &at))
      return 0;
  } else if (item == ui_box_item((UiBox *)box))
    at = (guint)box->cursor;
  else if (!g_ptr_array_find(box->shown, item, &at))
    return 0;
  return MAX(box->total, box->all->len) - at;
}

static UiItem *
item_new(MlHeader *header)
{
  UiItem *item = g_new0(UiItem, 1);

  item->header = header;
  item->deleted = (header->flags & ML_FLAG_DELETED) != 0;
  return item;
}

/* The oldest of the unread ones at the end, so that reading on goes through them; else the newest. */
static void
place_cursor(UiBox *box)
{
  box->cursor = 0;
  for (guint i = 0; i < box->shown->len; i++) {
    const UiItem *item = box->shown->pdata[i];
    if (item->header->flags & ML_FLAG_SEEN)
      break;
    box->cursor = (int)i;
  }
  box->placed = TRUE;
}

/* Where a message belongs in a list that has the newest first. Those of a list that is just read come in order. */
static guint
place_in(const GPtrArray *items, guint32 uid)
{
  guint low = 0, high = items->len;

  if (!high || ((const UiItem *)items->pdata[high - 1])->header->uid > uid)
    return high;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (((const UiItem *)items->pdata[middle])->header->uid > uid)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Takes @header. The cursor stays on its message, and follows where it stood on the newest. NULL: it was there. */
static UiItem *
add_item(UiBox *box, MlHeader *header)
{
  UiItem *item = ui_box_by_uid(box, header->uid);
  if (item) {
    item->load = box->load;
    ml_header_free(header);
    return NULL;
  }
  item = item_new(header);
  item->load = box->load;
  g_ptr_array_insert(box->all, (int)place_in(box->all, header->uid), item);
  g_hash_table_insert(box->by_uid, GUINT_TO_POINTER(header->uid), item);
  if (box->threads)
    ml_threads_add(box->threads, item, header);
  if (!is_in_order_of_arrival(box)) {
    box->unarranged++;
  } else if (is_within(box, item)) {
    int at = (int)place_in(box->shown, header->uid);
    g_ptr_array_insert(box->shown, at, item);
    if (at <= box->cursor && box->shown->len > 1)
      box->cursor++;
  }
  return item;
}

/* Sorting all of them for each chunk would take longer and longer: while a list is read, what has come is put in its
 * place when it is a quarter of what is there. */
static void
settle(UiBox *box)
{
  if (box->unarranged && (!box->loading || box->unarranged * 4 >= box->shown->len))
    ui_box_arrange(box, NULL);
}

static void
take_headers(UiBox *box, MlEvent *event)
{
  for (guint i = 0; i < event->headers->len; i++)
    add_item(box, g_steal_pointer(&event->headers->pdata[i]));
  settle(box);
  if (event->total)
    box->total = MAX((guint)event->total, box->all->len);
  if (!box->placed && box->shown->len)
    place_cursor(box);
  else if (box->to_first)
    box->cursor = MAX((int)box->shown->len - 1, 0);
}

static void
take_new(UiApp *app, UiBox *box, MlEvent *event)
{
  guint added = 0;
  UiItem *only = NULL;

  for (guint i = event->headers->len; i-- > 0;) {
    UiItem *item = add_item(box, g_steal_pointer(&event->headers->pdata[i]));
    only = item ? item : only;
    added += item != NULL;
  }
  settle(box);
  box->total += added;
  if (added == 1)
    ui_app_say(app, "New: %s: %s", only->header->from_name, only->header->subject);
  else if (added)
    ui_app_say(app, "%u new messages.", added);
}

static guint
compact(GPtrArray *items, int *cursor)
{
  guint kept = 0;
  int before = cursor ? *cursor : 0;

  for (guint i = 0; i < items->len; i++) {
    if (((UiItem *)items->pdata[i])->gone) {
      if (cursor && (int)i < before)
        (*cursor)--;
      continue;
    }
    gpointer item = items->pdata[i];
    items->pdata[i] = items->pdata[kept];
    items->pdata[kept++] = item;
  }
  return kept;
}

guint
ui_box_forget(UiBox *box, const GArray *uids)
{
  guint n = 0;

  for (guint i = 0; uids && i < uids->len; i++) {
    UiItem *item = ui_box_by_uid(box, g_array_index(uids, guint32, i));
    if (!item || item->gone)
      continue;
    item->gone = TRUE;
    UiPlace place = place_of(box, item);
    ui_subjects_note(box->subjects, &place, NULL, FALSE);
    n++;
  }
  if (!n)
    return 0;
  box->counted = FALSE;
  for (guint i = 0; box->threads && i < uids->len; i++)
    ml_threads_remove(box->threads, ui_box_by_uid(box, g_array_index(uids, guint32, i)));
  g_ptr_array_set_size(box->shown, (int)compact(box->shown, &box->cursor));
  box->cursor = CLAMP(box->cursor, 0, MAX((int)box->shown->len - 1, 0));
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_remove(box->by_uid, GUINT_TO_POINTER(g_array_index(uids, guint32, i)));
  g_ptr_array_set_size(box->all, (int)compact(box->all, NULL)); /* frees them */
  if (box->threads)
    ui_box_arrange(box, NULL);
  box->total = MAX(box->total - MIN(n, box->total), box->all->len);
  return n;
}

static void
take_changes(UiApp *app, UiBox *box, const MlChanges *changes)
{
  guint gone = ui_box_forget(box, changes->vanished);

  for (guint i = 0; changes->flag_changes && i < changes->flag_changes->len; i++) {
    const MlFlagChange *change = &g_array_index(changes->flag_changes, MlFlagChange, i);
    UiItem *item = ui_box_by_uid(box, change->uid);
    if (!item)
      continue;
    if ((change->flags ^ item->header->flags) & ML_FLAG_DELETED)
      item->deleted = (change->flags & ML_FLAG_DELETED) != 0;
    item->header->flags = change->flags;
  }
  if (changes->reset) {
    if (box->account->account->kind == ML_ACCOUNT_IMAP) /* a local one is just read again */
      ui_app_say(app, "The folder was replaced on the server; it is read anew.");
    ui_box_reload(app);
  } else if (gone)
    ui_app_note(app, UI_STYLE_NORMAL, "%u messages were removed elsewhere.", gone);
}

gboolean
ui_box_event(UiApp *app, MlEvent *event)
{
  UiBox *box = app->box;

  if (event->folder && strcmp(event->folder, box->folder) != 0)
    return FALSE;
  box->counted = FALSE;
  switch (event->kind) {
  case ML_EVENT_OPENED: {
    /* The connection may have been made anew: what is known already stays, if the numbers are still the same. */
    gboolean same = box->uidvalidity && box->uidvalidity == event->selected.uidvalidity;
    if (!same && box->all->len) {
      g_clear_pointer(&box->threads, ml_threads_free);
      g_clear_pointer(&box->threaded, g_array_unref);
      g_ptr_array_set_size(box->shown, 0);
      g_hash_table_remove_all(box->by_uid);
      g_ptr_array_set_size(box->all, 0);
      box->cursor = 0;
      box->placed = FALSE;
    }
    box->uidvalidity = event->selected.uidvalidity;
    box->total = event->selected.total;
    box->read_only = event->selected.read_only;
    box->stale = FALSE;
    break;
  }
  case ML_EVENT_HEADERS:
    if (event->headers)
      take_headers(box, event);
    break;
  case ML_EVENT_NEW:
    if (event->headers)
      take_new(app, box, event);
    break;
  case ML_EVENT_CHANGES:
    if (event->changes)
      take_changes(app, box, event->changes);
    break;
  default:
    return FALSE;
  }
  return TRUE;
}

static void
opened(UiApp *app, const GError *error, gpointer data)
{
  UiBox *box = app->box;

  if (box != data)
    return;
  box->loading = FALSE;
  box->to_first = FALSE;
  box->stale = error != NULL;
  if (error) {
    ui_app_error(app, error);
    return;
  }
  g_autoptr(GArray) untold = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < box->all->len; i++) {
    const UiItem *item = box->all->pdata[i];
    if (item->load != box->load)
      g_array_append_val(untold, item->header->uid);
  }
  ui_box_forget(box, untold);
  settle(box);
  if (box->all->len < box->total)
    box->total = box->all->len;
  ui_reader_fetch_ahead(app, box);
}

static void
load(UiApp *app)
{
  UiBox *box = app->box;
  int rows, columns;

  ui_screen_size(&rows, &columns);
  box->load++;
  box->loading = TRUE;
  guint64 id = ml_worker_open(box->account->worker, box->folder, (guint)MAX(rows, 20));
  UiOp *op = ui_ops_command(app, box->account, id, "Reading the list of messages");
  op->silent = TRUE; /* the title line tells how far it is */
  op->finished = opened;
  op->data = box;
}

void
ui_box_open(UiApp *app, UiAccount *account, const char *folder)
{
  UiBox *box = g_new0(UiBox, 1);

  box->account = account;
  box->subjects = app->subjects;
  box->order = app->order;
  box->folder = g_strdup(folder);
  box->all = g_ptr_array_new_with_free_func((GDestroyNotify)item_free);
  box->shown = g_ptr_array_new();
  box->by_uid = g_hash_table_new(NULL, NULL);
  if (app->box) {
    g_free(app->before);
    app->before = ui_account_join(app, app->box->account, app->box->folder);
    ui_ops_forget(app, app->box);
    ui_box_free(app->box);
  }
  app->box = box;
  g_free(account->last);
  account->last = g_strdup(folder);
  ui_app_pop_to(app, UI_IN_INDEX);
  load(app);
  ui_app_dirty(app);
}

void
ui_box_reload(UiApp *app)
{
  if (!app->box)
    return;
  ui_ops_forget(app, app->box);
  load(app);
}

GPtrArray *
ui_box_chosen(UiApp *app)
{
  GPtrArray *items = g_ptr_array_new();
  UiBox *box = app->box;

  if (!box)
    return items;
  if (app->apply_to_tagged) {
    for (guint i = 0; i < box->all->len; i++)
      if (((UiItem *)box->all->pdata[i])->tagged)
        g_ptr_array_add(items, box->all->pdata[i]);
    app->apply_to_tagged = FALSE;
  } else if (ui_box_item(box))
    g_ptr_array_add(items, ui_box_item(box));
  return items;
}

/* What a flag change that fails has to be taken back from. */
typedef struct {
  UiBox *box;
  GArray *uids;
  guint add, remove;
} FlagChange;

static void
flags_done(UiApp *app, const GError *error, gpointer data)
{
  FlagChange *change = data;

  if (error)
    ui_app_error(app, error);
  if (app->box)
    app->box->counted = FALSE;
  for (guint i = 0; error && app->box == change->box && i < change->uids->len; i++) {
    UiItem *item = ui_box_by_uid(app->box, g_array_index(change->uids, guint32, i));
    if (item)
      item->header->flags = (item->header->flags & ~change->add) | change->remove;
  }
  g_array_unref(change->uids);
  g_free(change);
}

void
ui_box_set_flags(UiApp *app, GPtrArray *items, guint add, guint remove)
{
  UiBox *box = app->box;
  GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));

  box->counted = FALSE;
  for (guint i = 0; i < items->len; i++) {
    UiItem *item = items->pdata[i];
    guint flags = (item->header->flags | add) & ~remove;
    if (flags == item->header->flags)
      continue;
    item->header->flags = flags;
    g_array_append_val(uids, item->header->uid);
  }
  if (!uids->len || box->read_only) {
    if (box->read_only)
      ui_app_complain(app, "This folder is read-only: the change is not kept.");
    g_array_unref(uids);
    return;
  }
  FlagChange *change = g_new0(FlagChange, 1);
  *change = (FlagChange){ .box = box, .uids = g_array_ref(uids), .add = add, .remove = remove };
  guint64 id = ml_worker_flags(box->account->worker, box->folder, uids, add, remove);
  UiOp *op = ui_ops_command(app, box->account, id, "Changing flags");
  op->silent = TRUE;
  op->finished = flags_done;
  op->data = change;
  g_array_unref(uids);
  ui_app_dirty(app);
}
