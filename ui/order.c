#include "ui/order.h"

#include <stdlib.h>
#include <string.h>

#include "ui/app-private.h"

static const struct {
  const char *word;
  char letter;
} orders[] = {
  [UI_ORDER_ARRIVAL] = { "arrival", 'r' }, [UI_ORDER_DATE] = { "date", 'd' }, [UI_ORDER_FROM] = { "from", 'f' },
  [UI_ORDER_SUBJECT] = { "subject", 's' }, [UI_ORDER_SIZE] = { "size", 'z' }, [UI_ORDER_THREADS] = { "threads", 't' },
};

gboolean
ui_order_parse(const char *words, UiOrder *order)
{
  const char *word = g_str_has_prefix(words, "reverse-") ? words + strlen("reverse-") : words;

  for (guint i = 0; i < G_N_ELEMENTS(orders); i++) {
    if (strcmp(word, orders[i].word) != 0 && !(word[0] == orders[i].letter && !word[1]))
      continue;
    *order = (UiOrder){ (UiOrderBy)i, word != words };
    return TRUE;
  }
  return FALSE;
}

char *
ui_order_words(UiOrder order)
{
  return g_strconcat(order.reverse ? "reverse-" : "", orders[order.by].word, NULL);
}

/* ---- sorting at once: where it is long, ui/order-run.c */

void
ui_order_sort_by(const UiBox *box, UiSorter *sorter, UiOrderBy by, const UiItem *item, const MlHeader *header)
{
  g_autofree char *text = NULL;
  gboolean reply;

  if (by == UI_ORDER_SUBJECT) {
    const char *read = ui_box_read_subject(box, item);
    text = ml_thread_subject(read ? read : header->subject, &reply);
  } else if (by == UI_ORDER_FROM)
    text = ml_pattern_fold(header->from_name);
  ui_sorter_add(sorter, item->uid, header->date, by == UI_ORDER_SIZE ? header->size : 0, text);
}

/* Where it goes on for a moment only, what is not shown need not be sorted. */
static void
add_sorted(UiBox *box, UiItem *item, const MlHeader *header, gpointer sorter)
{
  if (ui_box_within(item, box))
    ui_order_sort_by(box, sorter, box->order.by, item, header);
}

static gboolean
by_numbers(const UiBox *box)
{
  return box->order.by == UI_ORDER_DATE || box->order.by == UI_ORDER_SIZE;
}

/* ---- dates and sizes: kept while they put the list into order, since all of them are read at once and mail comes one by one */

typedef struct {
  guint32 uid, size;
  gint64 date;
} Numbers;

static void
add_numbers(UiBox *box, UiItem *item, const MlHeader *header, gpointer data)
{
  const Numbers one = { item->uid, (guint32)MIN(header->size, G_MAXUINT32), header->date };

  g_array_append_val((GArray *)data, one);
}

/* Those of @had that are in the list still, and of the others what their lines say. */
static GArray *
numbers_joined(const UiBox *box, const GArray *had)
{
  guint n = ui_items_count(box->all), old = 0;
  GArray *now = g_array_sized_new(FALSE, FALSE, sizeof(Numbers), n);

  for (guint i = 0; i < n; i++) {
    const UiItem *item = ui_items_at(box->all, i);
    while (old < had->len && g_array_index(had, Numbers, old).uid > item->uid)
      old++;
    if (old < had->len && g_array_index(had, Numbers, old).uid == item->uid)
      g_array_append_vals(now, &g_array_index(had, Numbers, old++), 1);
    else
      add_numbers((UiBox *)box, (UiItem *)item, ui_box_header(box, item), now);
  }
  return now;
}

static guint
numbers_missing(const UiBox *box, const GArray *had)
{
  guint n = ui_items_count(box->all), old = 0, missing = 0;

  for (guint i = 0; i < n; i++) {
    guint32 uid = ui_items_at(box->all, i)->uid;
    while (old < had->len && g_array_index(had, Numbers, old).uid > uid)
      old++;
    missing += old == had->len || g_array_index(had, Numbers, old).uid != uid;
  }
  return missing;
}

static void
read_numbers(UiBox *box)
{
  enum { FEW = 60 };
  g_autoptr(GArray) had = g_steal_pointer(&box->numbers);

  if (had && numbers_missing(box, had) <= FEW) {
    box->numbers = numbers_joined(box, had);
    return;
  }
  box->numbers = g_array_sized_new(FALSE, FALSE, sizeof(Numbers), ui_items_count(box->all));
  ui_box_each(box, ML_PATTERN_NUMBERS, add_numbers, box->numbers);
}

static void
add_all_numbers(UiBox *box, UiSorter *sorter)
{
  MlHeader header = { 0 };

  read_numbers(box);
  for (guint i = 0; i < box->numbers->len; i++) {
    const Numbers *one = &g_array_index(box->numbers, Numbers, i);
    header.date = one->date;
    header.size = one->size;
    add_sorted(box, ui_items_at(box->all, i), &header, sorter);
  }
}

/* Of the same as before, where it is kept: ui/order-run.c. */
static void
show_sorted(UiBox *box)
{
  UiSorter *kept = box->run ? NULL : box->sorter; /* while that is of another order */
  g_autoptr(UiSorter) own = kept ? NULL : ui_sorter_new();
  UiSorter *sorter = own ? own : kept;

  if (own && by_numbers(box))
    add_all_numbers(box, own);
  else if (own)
    ui_box_each(box, ML_PATTERN_HEADER, add_sorted, own);
  ui_sorter_all(sorter);
  guint n = ui_sorter_count(sorter);
  for (guint i = 0; i < n; i++) { /* the newest, the greatest or Z first, but where it is reversed */
    UiItem *item = ui_box_by_uid(box, ui_sorter_uid(sorter, box->order.reverse ? i : n - 1 - i));
    if (item && ui_box_within(item, box))
      g_ptr_array_add(box->shown, item);
  }
}

static void
show_arrival(UiBox *box)
{
  guint n = ui_items_count(box->all);

  for (guint i = 0; i < n; i++) {
    UiItem *item = ui_items_at(box->all, box->order.reverse ? n - 1 - i : i);
    if (ui_box_within(item, box))
      g_ptr_array_add(box->shown, item);
  }
}

/* ---- threads */

static void
add_threaded(UiBox *box, UiItem *item, const MlHeader *header, gpointer data)
{
  ml_threads_add(box->threads, item, header);
}

static void
make_threads(UiBox *box)
{
  box->threads = ml_threads_new();
  if (box->edits)
    ml_threads_set_edits(box->threads, box->edits);
  ui_box_each(box, ML_PATTERN_HEADER, add_threaded, NULL);
}

/* Which of threaded a message is. */
typedef struct {
  guint32 uid, at;
} Place;

static int
newest_first(gconstpointer a, gconstpointer b)
{
  const Place *one = a, *other = b;

  return one->uid > other->uid ? -1 : one->uid < other->uid;
}

void
ui_order_forget_threads(UiBox *box)
{
  g_clear_pointer(&box->threaded, g_array_unref);
  g_clear_pointer(&box->places, g_array_unref);
}

static void
note_places(UiBox *box)
{
  box->places = g_array_sized_new(FALSE, FALSE, sizeof(Place), box->threaded->len);
  for (guint i = 0; i < box->threaded->len; i++) {
    const Place place = { ((const UiItem *)g_array_index(box->threaded, MlThreaded, i).item)->uid, i };
    g_array_append_val(box->places, place);
  }
  g_array_sort(box->places, newest_first);
}

const MlThreaded *
ui_order_place(const UiBox *box, const UiItem *item)
{
  const Place wanted = { item->uid, 0 };
  const Place *place = box->places && box->places->len ? bsearch(&wanted, box->places->data, box->places->len, sizeof wanted,
                                                                  newest_first)
                                                       : NULL;

  return place ? &g_array_index(box->threaded, MlThreaded, place->at) : NULL;
}

/* One thread, its first message last: box->shown has the bottom line of the screen first. */
static void
show_thread(UiBox *box, GArray *threaded, guint start, guint size)
{
  UiItem *head = g_array_index(threaded, MlThreaded, start).item;

  for (guint i = start + size; i-- > start;) {
    const MlThreaded *one = &g_array_index(threaded, MlThreaded, i);
    if (i == start || !head->folded)
      g_ptr_array_add(box->shown, one->item);
  }
}

static void
show_threads(UiBox *box)
{
  if (!box->threads)
    make_threads(box);
  ui_order_forget_threads(box);
  box->threaded = ml_threads_order(box->threads, ui_box_within, box);
  GArray *threaded = box->threaded;
  note_places(box);
  if (box->order.reverse) { /* as stored, the screen's bottom first */
    for (guint start = 0; start < threaded->len; start += g_array_index(threaded, MlThreaded, start).size)
      show_thread(box, threaded, start, g_array_index(threaded, MlThreaded, start).size);
    return;
  }
  for (guint end = threaded->len; end > 0;) {
    guint start = end - 1;
    while (g_array_index(threaded, MlThreaded, start).depth)
      start--;
    show_thread(box, threaded, start, end - start);
    end = start;
  }
}

void
ui_order_show(UiBox *box)
{
  g_clear_pointer(&box->shown, g_ptr_array_unref);
  if (!by_numbers(box))
    g_clear_pointer(&box->numbers, g_array_unref);
  box->unarranged = 0;
  box->outdated = FALSE;
  ui_box_fit(box);
  if (ui_box_is_plain(box))
    return;
  box->shown = g_ptr_array_new();
  if (box->order.by == UI_ORDER_THREADS)
    show_threads(box);
  else if (box->order.by == UI_ORDER_ARRIVAL)
    show_arrival(box);
  else
    show_sorted(box);
}

GPtrArray *
ui_order_thread(const UiBox *box, const UiItem *item)
{
  const MlThreaded *one = ui_order_place(box, item);

  if (!one)
    return NULL;
  while (one->depth)
    one--;
  GPtrArray *thread = g_ptr_array_new();
  for (guint i = 0; i < one->size; i++)
    g_ptr_array_add(thread, one[i].item);
  return thread;
}

/* ---- keys */

static void
set_order(UiApp *app, const char *answer, gboolean reverse)
{
  UiOrder order;

  if (!ui_order_parse(answer, &order)) {
    ui_app_say(app, "There is no order %s: the letters are d date, f from, s subject, z size, t threads, r arrival.", answer);
    return;
  }
  order.reverse ^= reverse;
  ui_box_set_order(app, order);
}

static void
order_answered(const char *answer, gpointer data)
{
  UiApp *app = data;
  if (answer && *answer && app->box)
    set_order(app, answer, FALSE);
}

static void
reverse_answered(const char *answer, gpointer data)
{
  UiApp *app = data;
  if (answer && *answer && app->box)
    set_order(app, answer, TRUE);
}

static void
ask_order(UiApp *app, const char *question, UiPromptDone done)
{
  if (app->box)
    ui_prompts_ask(app->prompts, UI_PROMPT_LETTER, NULL, question, NULL, NULL, done, app);
}

void
ui_action_sort(UiApp *app)
{
  ask_order(app, "Sort by d(ate), f(rom), s(ubject), z (size), t(hreads) or r (arrival)", order_answered);
}

void
ui_action_sort_reverse(UiApp *app)
{
  ask_order(app, "Sort, the other way round, by d, f, s, z, t or r", reverse_answered);
}

static GPtrArray *
current_thread(UiApp *app)
{
  UiItem *item = app->box ? ui_box_item(app->box) : NULL;
  GPtrArray *thread = item ? ui_order_thread(app->box, item) : NULL;

  if (!thread)
    ui_app_say(app, item ? "Threads are not shown: o and t show them." : "There is no message here.");
  return thread;
}

void
ui_action_fold(UiApp *app)
{
  g_autoptr(GPtrArray) thread = current_thread(app);

  if (!thread)
    return;
  UiItem *head = thread->pdata[0];
  if (thread->len < 2) {
    ui_app_say(app, "This thread has one message.");
    return;
  }
  head->folded = !head->folded;
  ui_box_arrange(app->box, head);
  ui_app_dirty(app);
}

/* Folds all, or unfolds all where the cursor's is folded. */
void
ui_action_fold_all(UiApp *app)
{
  g_autoptr(GPtrArray) thread = current_thread(app);

  if (!thread)
    return;
  UiItem *head = thread->pdata[0];
  gboolean fold = !head->folded;
  GArray *threaded = app->box->threaded;
  for (guint i = 0; i < threaded->len; i++) {
    const MlThreaded *one = &g_array_index(threaded, MlThreaded, i);
    ((UiItem *)one->item)->folded = fold && one->size > 1;
  }
  ui_box_arrange(app->box, head);
  ui_app_dirty(app);
}

static void
add_thread(const UiBox *box, const UiItem *item, GHashTable *heads, GPtrArray *items)
{
  g_autoptr(GPtrArray) thread = ui_order_thread(box, item);

  if (thread && g_hash_table_add(heads, thread->pdata[0]))
    g_ptr_array_extend(items, thread, NULL, NULL);
}

/* The whole thread of the cursor, or those of all tagged messages after `;`. NULL: there is none, which was said. */
static GPtrArray *
chosen_threads(UiApp *app)
{
  gboolean many = app->apply_to_tagged;
  g_autoptr(GPtrArray) chosen = many ? ui_actions_chosen(app) : NULL, items = NULL;
  g_autoptr(GHashTable) heads = g_hash_table_new(NULL, NULL);

  if (!many)
    return current_thread(app);
  items = g_ptr_array_new();
  for (guint i = 0; i < chosen->len; i++)
    add_thread(app->box, chosen->pdata[i], heads, items);
  if (items->len)
    return g_steal_pointer(&items);
  ui_app_say(app, app->box->threaded ? "The tagged messages are not within the limit: Esc ends it."
                                     : "Threads are not shown: o and t show them.");
  return NULL;
}

void
ui_action_tag_thread(UiApp *app)
{
  g_autoptr(GPtrArray) thread = chosen_threads(app);
  gboolean on = FALSE;

  if (!thread)
    return;
  for (guint i = 0; i < thread->len; i++)
    on |= !((UiItem *)thread->pdata[i])->tagged;
  for (guint i = 0; i < thread->len; i++)
    ((UiItem *)thread->pdata[i])->tagged = on;
  ui_app_say(app, on ? "%u tagged: after ; the next key acts on all tagged ones." : "%u untagged.", thread->len);
}

static void
delete_thread(UiApp *app, gboolean on)
{
  g_autoptr(GPtrArray) thread = chosen_threads(app);

  if (!thread)
    return;
  if (app->box->read_only && on) {
    ui_app_complain(app, "This folder is read-only: nothing can be deleted in it.");
    return;
  }
  for (guint i = 0; i < thread->len; i++)
    ui_items_set_deleted(app->box->all, thread->pdata[i], on);
  ui_app_say(app, on ? "%u marked to be deleted: $ does it." : "%u undeleted.", thread->len);
}

void
ui_action_delete_thread(UiApp *app)
{
  delete_thread(app, TRUE);
}

void
ui_action_undelete_thread(UiApp *app)
{
  delete_thread(app, FALSE);
}

void
ui_action_read_thread(UiApp *app)
{
  g_autoptr(GPtrArray) thread = chosen_threads(app);

  if (thread)
    ui_box_set_flags(app, thread, ML_FLAG_SEEN, 0);
}
