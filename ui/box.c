#include <string.h>

#include "ui/app-private.h"

void
ui_box_free(UiBox *box)
{
  if (!box)
    return;
  ui_order_stop(box);
  ml_threads_free(box->threads);
  ui_order_forget_threads(box);
  ui_lines_free(box->lines);
  ui_items_free(box->all);
  g_clear_pointer(&box->shown, g_ptr_array_unref);
  g_clear_pointer(&box->numbers, g_array_unref);
  g_hash_table_unref(box->kept);
  g_hash_table_unref(box->until);
  ml_pattern_free(box->limit);
  g_free(box->limit_words);
  g_free(box->folder);
  g_free(box);
}

static void
arrange_again(UiBox *box, gpointer data)
{
  if (!box->limit && ui_order_wanted(box).by != UI_ORDER_SUBJECT && box->order.by != UI_ORDER_SUBJECT)
    return;
  box->fitted = FALSE;
  ui_order_reworded(box);
  ui_box_arrange(box, NULL);
}

/* What a limit found by such a Subject is no longer found, and no place in the order tells of it. */
void
ui_box_forget_hidden(UiApp *app)
{
  ui_verdicts_forget_opened(app);
  if (ui_subjects_forget_hidden(app->subjects)) {
    if (app->hits)
      ui_hits_reworded(app->hits, TRUE);
    ui_app_each_box(app, arrange_again, NULL);
  }
  ui_app_dirty(app);
}

guint
ui_box_count(const UiBox *box, gboolean deleted)
{
  return deleted ? ui_items_pending(box->all) : ui_items_unread(box->all);
}

/* What its line says but for the text. */
static void
fill(UiBox *box, UiItem *item, const MlLine *line)
{
  ui_items_set_flags(box->all, item, line->flags);
  item->hints = line->hints;
  item->large = line->size > ML_STORE_BODY;
  ui_items_set_deleted(box->all, item, (line->flags & ML_FLAG_DELETED) != 0);
}

/* The oldest of the unread ones at the end, so that reading on goes through them; else the newest. */
void
ui_box_place_cursor(UiBox *box)
{
  box->cursor = 0;
  for (guint i = 0; i < ui_box_rows(box); i++) {
    const UiItem *item = ui_box_row(box, i);
    if (item->flags & ML_FLAG_SEEN)
      break;
    box->cursor = (int)i;
  }
  if (!box->placed)
    box->unmoved_since = g_get_monotonic_time();
  box->placed = TRUE;
  box->to_place = box->run != NULL; /* these rows are not the last word */
}

/* What is kept of a mailbox is on the screen before it is compared with what is there. Until a key is pressed the first
 * cursor is set by what came meanwhile as well: it is where it would be had nothing been kept. Not for long: whoever has
 * seen where it stands presses a key for the message there. */
static gboolean
comes_again(const UiBox *box)
{
  enum { SEEN_US = 5 * G_USEC_PER_SEC };
  gboolean seen = !box->unmoved_since || g_get_monotonic_time() - box->unmoved_since > SEEN_US;

  return !seen && (box->comparing || box->account->account->kind != ML_ACCOUNT_IMAP);
}

/* As the mailbox has them now; a deletion that only waits for $ stays. */
static void
set_flags(UiBox *box, UiItem *item, guint flags)
{
  if ((flags ^ item->flags) & ML_FLAG_DELETED)
    ui_items_set_deleted(box->all, item, (flags & ML_FLAG_DELETED) != 0);
  ui_items_set_flags(box->all, item, flags);
}

/* @header: its text, where it is at hand; NULL: the store has it. The cursor stays on its message, and follows where it
 * stood on the newest. NULL: it was there. */
static UiItem *
add_line(UiBox *box, const MlLine *line, const MlHeader *header)
{
  UiItem *item = ui_box_by_uid(box, line->uid);
  if (item) {
    item->told = TRUE;
    set_flags(box, item, line->flags);
    if (!header)
      ui_box_keep(box, line->uid, NULL); /* the store has it by now */
    return NULL;
  }
  item = ui_items_add(box->all, line->uid);
  box->newest = MAX(box->newest, line->uid);
  fill(box, item, line);
  item->told = TRUE;
  ui_box_fit_one(box, item, header);
  if (box->threads && header)
    ml_threads_add(box->threads, item, header);
  else
    g_clear_pointer(&box->threads, ml_threads_free); /* made anew with the text of all */
  ui_order_came(box, item, header);
  ui_box_row_new(box, item);
  return item;
}

/* Does it say something else than was shown? Then its mark, which stands for that, goes. */
static gboolean
says_another(const UiBox *box, const UiItem *item, const MlHeader *header)
{
  const MlHeader *kept = ui_box_kept(box, item->uid);
  const MlHeader *shown = kept ? kept : box->lines ? ui_lines_at_hand(box->lines, item->uid) : NULL;

  if (!shown) /* a file is told again only where it is another one, or its mark is kept and comes again */
    return box->account->account->kind != ML_ACCOUNT_IMAP;
  return strcmp(shown->from, header->from) != 0 || strcmp(shown->subject, header->subject) != 0 ||
         shown->size != header->size || shown->received != header->received;
}

UiItem *
ui_box_add_line(UiBox *box, const MlLine *line)
{
  return add_line(box, line, NULL);
}

gboolean
ui_box_told(UiBox *box, guint32 uid, guint flags)
{
  UiItem *item = ui_box_by_uid(box, uid);

  if (!item)
    return FALSE;
  set_flags(box, item, flags);
  return TRUE;
}

/* Takes *@at where it is kept here, which what the store has need not be; else it stays the event's: freeing what another
 * thread has made waits for that thread, now and then, and a key may wait for this one. */
static UiItem *
add_item(UiBox *box, MlHeader **at, gboolean stored)
{
  MlHeader *header = *at;
  MlLine line = { header->uid, (guint16)header->flags, (guint16)header->hints, header->date, header->received,
                  header->size };
  UiItem *added = add_line(box, &line, header), *item = added ? added : ui_box_by_uid(box, line.uid);

  if (!added && says_another(box, item, header)) {
    ui_verdicts_forget_item(box, item);
    item->large = header->size > ML_STORE_BODY;
    g_clear_pointer(&box->numbers, g_array_unref);
    ui_order_reworded(box);
    box->unmarked = TRUE;
  }
  stored = stored && box->lines;
  ui_box_keep(box, line.uid, stored ? NULL : header);
  if (!stored || ui_lines_put(box->lines, header))
    *at = NULL;
  return added;
}

/* Sorting all of them for each chunk would take longer and longer: while a list is read, what has come is put in its
 * place when it is a quarter of what is there. */
static void
settle(UiBox *box)
{
  if (box->unarranged && (!box->loading || box->unarranged * 4 >= ui_box_rows(box)))
    ui_box_arrange(box, NULL);
}

/* TRUE: there is more of what the store has, and it comes at once. */
static gboolean
take_lines(UiBox *box, const MlEvent *event)
{
  for (guint i = 0; i < event->lines->len; i++) {
    const MlLine *line = &g_array_index(event->lines, MlLine, i);
    add_line(box, line, NULL);
  }
  return event->done < event->total;
}

static void
say_new(UiApp *app, UiBox *box, guint added, UiItem *only)
{
  if (added == 1) {
    const MlHeader *header = ui_box_header(box, only);
    ui_app_say(app, "New: %s: %s", header->from_name, header->subject);
  } else if (added)
    ui_app_say(app, "%u new messages.", added);
}

/* What comes without having been asked for is new where the worker waited for news; and, where it was in another folder and
 * compared the list, what lies above all that ever was there. What is brought back comes without a total. What is read
 * already is nobody's news: a message that was moved back by undo, or filed here by another program. */
static void
take_headers(UiApp *app, UiBox *box, MlEvent *event)
{
  gboolean asked = event->id != 0, more = event->lines && take_lines(box, event);
  gboolean compared = event->kind == ML_EVENT_HEADERS && event->total > 0;
  gboolean tells_new = !asked && (event->kind == ML_EVENT_NEW || (compared && (box->known || box->newest)));
  guint32 newest = box->newest;
  guint n = event->headers ? event->headers->len : 0, came = 0, rows = ui_box_rows(box);
  UiItem *only = NULL;

  for (guint i = 0; i < n; i++) {
    guint at = asked ? i : n - 1 - i; /* the newest first, but where they join a list that is there */
    UiItem *item = add_item(box, (MlHeader **)&event->headers->pdata[at], event->stored);
    gboolean is_new = item && tells_new && !(item->flags & ML_FLAG_SEEN) &&
                      (event->kind == ML_EVENT_NEW || item->uid > newest);
    only = is_new ? item : only;
    came += is_new;
  }
  if (!more)
    settle(box);
  if (!asked)
    ui_verdicts_more(app);
  say_new(app, box, came, only);
  box->total = MAX(compared ? (guint)event->total : box->total, ui_items_count(box->all));
  if ((!box->placed || comes_again(box)) && ui_box_rows(box))
    ui_box_place_cursor(box);
  else if (box->to_first)
    box->cursor = MAX((int)ui_box_rows(box) - 1, 0);
  if (!rows && ui_box_rows(box))
    ui_app_release(app);
}

guint
ui_box_forget(UiBox *box, const GArray *uids)
{
  gboolean threads = box->threads || box->threaded;
  guint n = 0;

  for (guint i = 0; uids && i < uids->len; i++) {
    UiItem *item = ui_box_by_uid(box, g_array_index(uids, guint32, i));
    if (!item || item->gone)
      continue;
    item->gone = TRUE;
    UiPlace place = ui_box_place(box, item);
    if (ui_box_read_subject(box, item))
      ui_order_reworded(box);
    ui_subjects_note(box->subjects, &place, NULL, FALSE);
    if (box->lines)
      ui_lines_forget(box->lines, item->uid);
    n++;
  }
  if (!n)
    return 0;
  if (box->hits)
    ui_hits_dropped(box->hits, box, uids);
  for (guint i = 0; box->threads && i < uids->len; i++)
    ml_threads_remove(box->threads, ui_box_by_uid(box, g_array_index(uids, guint32, i)));
  ui_order_gone(box, uids);
  ui_box_rows_drop(box);
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_remove(box->until, GUINT_TO_POINTER(g_array_index(uids, guint32, i)));
  if (threads)
    ui_box_arrange(box, NULL);
  box->total = MAX(box->total - MIN(n, box->total), ui_items_count(box->all));
  return n;
}

static void
take_changes(UiApp *app, UiBox *box, const MlChanges *changes)
{
  guint gone = ui_box_forget(box, changes->vanished);

  for (guint i = 0; changes->flag_changes && i < changes->flag_changes->len; i++) {
    const MlFlagChange *change = &g_array_index(changes->flag_changes, MlFlagChange, i);
    UiItem *item = ui_box_by_uid(box, change->uid);
    if (item)
      set_flags(box, item, change->flags);
  }
  if (changes->reset) {
    if (box->account->account->kind == ML_ACCOUNT_IMAP) /* a local one is just read again */
      ui_app_say(app, "The folder was replaced on the server; it is read anew.");
    ui_box_reload(app);
  } else if (gone)
    ui_app_note(app, UI_STYLE_NORMAL, gone == 1 ? "%u message was removed elsewhere." : "%u messages were removed elsewhere.",
                gone);
}

gboolean
ui_box_event(UiApp *app, MlEvent *event)
{
  UiBox *box = ui_app_folder(app);

  if (event->folder && strcmp(event->folder, box->folder) != 0)
    return FALSE;
  switch (event->kind) {
  case ML_EVENT_OPENED: {
    /* The connection may have been made anew: what is known already stays, if the numbers are still the same. */
    gboolean same = box->uidvalidity && box->uidvalidity == event->selected.uidvalidity;
    if (!same) {
      box->newest = 0;
      box->known = FALSE;
      ui_verdicts_folder(app);
    }
    if (!same && box->uidvalidity)
      ui_box_new_life(box);
    if (!same && ui_items_count(box->all)) {
      ui_box_rows_clear(box);
      ui_items_clear(box->all);
      g_hash_table_remove_all(box->kept);
      g_hash_table_remove_all(box->until);
      box->placed = FALSE;
    }
    box->comparing = same && ui_items_count(box->all);
    box->uidvalidity = event->selected.uidvalidity;
    if (!same && box->lines)
      ui_lines_clear(box->lines, box->uidvalidity);
    box->total = event->selected.total;
    box->read_only = event->selected.read_only;
    box->stale = FALSE;
    break;
  }
  case ML_EVENT_HEADERS:
  case ML_EVENT_NEW:
    if (event->headers || event->lines)
      take_headers(app, box, event);
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

/* The list was read to its end, and the store has its lines again. */
static void
make_anew(UiBox *box)
{
  box->incomplete = box->fitted = FALSE;
  g_clear_pointer(&box->numbers, g_array_unref);
  g_clear_pointer(&box->threads, ml_threads_free);
  ui_order_reworded(box);
  ui_box_arrange(box, NULL);
  if (!box->run)
    box->mends = box->incomplete ? box->mends : 0;
}

static void
opened(UiApp *app, const GError *error, gpointer data)
{
  UiBox *box = ui_app_folder(app);

  if (!box || box != data)
    return;
  box->loading = FALSE;
  box->to_first = FALSE;
  box->stale = error != NULL;
  if (box->unmarked)
    ui_verdicts_folder(app); /* what the store has judged is asked for again */
  box->unmarked = FALSE;
  if (error) {
    box->unmoved_since = 0;
    ui_order_rest(box);
    if (box == app->box)
      ui_ahead_now(app);
    ui_app_error(app, error);
    return;
  }
  box->known = TRUE;
  g_autoptr(GArray) untold = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < ui_items_count(box->all); i++) {
    const UiItem *item = ui_items_at(box->all, i);
    if (!item->told)
      g_array_append_val(untold, item->uid);
  }
  ui_box_forget(box, untold);
  if (box->lines)
    ui_lines_again(box->lines);
  if (box->incomplete)
    make_anew(box);
  settle(box);
  ui_order_rest(box);
  if (comes_again(box))
    ui_box_place_cursor(box);
  box->unmoved_since = 0;
  if (ui_items_count(box->all) < box->total)
    box->total = ui_items_count(box->all);
  if (box == app->box)
    ui_ahead_now(app);
  ui_verdicts_kick(app);
}

static void
load(UiApp *app)
{
  UiBox *box = ui_app_folder(app);
  int rows, columns;

  ui_screen_size(&rows, &columns);
  for (guint i = 0; i < ui_items_count(box->all); i++)
    ui_items_at(box->all, i)->told = FALSE;
  box->loading = TRUE;
  guint64 id = ml_worker_open(box->account->worker, box->folder, (guint)MAX(rows, 20));
  UiOp *op = ui_ops_command(app, box->account, id, "Reading the list of messages");
  op->silent = TRUE; /* the title line tells how far it is */
  op->finished = opened;
  op->data = box;
}

void
ui_box_new_life(UiBox *box)
{
  static guint64 lives;

  box->life = ++lives;
}

UiBox *
ui_box_new(UiApp *app, UiAccount *account, const char *folder)
{
  UiBox *box = g_new0(UiBox, 1);

  ui_box_new_life(box);
  box->account = account;
  box->subjects = app->subjects;
  box->edits = ui_thread_edits(app);
  box->order = app->order;
  box->folder = g_strdup(folder);
  box->all = ui_items_new();
  box->kept = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)ml_header_free);
  box->until = g_hash_table_new(NULL, NULL);
  ui_box_rows_clear(box);
  box->lines = ui_lines_new(account->store_dir, account->account, box->folder);
  return box;
}

void
ui_box_open(UiApp *app, UiAccount *account, const char *folder)
{
  ui_box_open_below(app, account, folder, UI_IN_INDEX);
}

void
ui_box_open_below(UiApp *app, UiAccount *account, const char *folder, UiContext context)
{
  UiBox *box = ui_box_new(app, account, folder);

  ui_hits_close(app, context);
  if (app->box) {
    g_free(app->before);
    app->before = ui_account_join(app, app->box->account, app->box->folder);
    ui_ops_forget(app, app->box);
    ui_box_free(app->box);
  }
  app->box = box;
  ui_verdicts_folder(app);
  g_free(account->last);
  account->last = g_strdup(folder);
  ui_app_pop_to(app, context);
  load(app);
  ui_app_dirty(app);
}

void
ui_box_reload(UiApp *app)
{
  if (!ui_app_folder(app))
    return;
  ui_ops_forget(app, ui_app_folder(app));
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
    for (guint i = 0; i < ui_items_count(box->all); i++)
      if (ui_items_at(box->all, i)->tagged)
        g_ptr_array_add(items, ui_items_at(box->all, i));
    app->apply_to_tagged = FALSE;
  } else if (ui_box_item(box))
    g_ptr_array_add(items, ui_box_item(box));
  return items;
}

/* What a flag change that fails has to be taken back from. */
typedef struct {
  guint64 life; /* of their folder */
  GArray *uids;
  guint add, remove;
  gboolean kept; /* by ml_worker_keeps_changes() */
} FlagChange;

static void
flags_done(UiApp *app, const GError *error, gpointer data)
{
  FlagChange *change = data;

  if (error)
    ui_app_error(app, error);
  UiBox *box = ui_app_box(app, change->life);
  /* A change that was written down is laid over all that is told, and what comes of it is told. */
  gboolean told = change->kept && !error;
  for (guint i = 0; !told && box && i < change->uids->len; i++) {
    UiItem *item = ui_box_by_uid(box, g_array_index(change->uids, guint32, i));
    if (!item)
      continue;
    guint flags = item->flags; /* a list that was told meanwhile may have had them as they were */
    ui_items_set_flags(box->all, item,
                       error ? (flags & ~change->add) | change->remove : (flags | change->add) & ~change->remove);
  }
  g_array_unref(change->uids);
  g_free(change);
}

void
ui_box_set_flags(UiApp *app, GPtrArray *items, guint add, guint remove)
{
  UiBox *box = app->box;
  GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));

  for (guint i = 0; i < items->len; i++) {
    UiItem *item = items->pdata[i];
    guint flags = (item->flags | add) & ~remove;
    if (flags == item->flags)
      continue;
    ui_items_set_flags(box->all, item, flags);
    g_array_append_val(uids, item->uid);
  }
  if (!uids->len || box->read_only) {
    if (box->read_only)
      ui_app_complain(app, "This folder is read-only: the change is not kept.");
    g_array_unref(uids);
    return;
  }
  FlagChange *change = g_new0(FlagChange, 1);
  *change = (FlagChange){ .life = box->life, .uids = g_array_ref(uids), .add = add, .remove = remove,
                          .kept = ml_worker_keeps_changes(box->account->worker) };
  guint64 id = ml_worker_flags(box->account->worker, box->folder, uids, add, remove);
  UiOp *op = ui_ops_command(app, box->account, id, "Changing flags");
  op->silent = TRUE;
  op->finished = flags_done;
  op->data = change;
  g_array_unref(uids);
  ui_app_dirty(app);
}
