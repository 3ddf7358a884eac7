#include "ui/app-private.h"

/* The order of a long list, where it is by what the messages say: that is read from the store and sorted some milliseconds
 * at a time between keys, while the list stands as it did. Nothing is kept of a message but its number, since it may go
 * meanwhile; threads are told of that. While a list is read its headers are at hand, and what was worked out of them is
 * kept until all are there: what comes is merged with what stands in order, and the store is not read again. */
enum { TURN_US = 6000, CHUNK = 200, MOVES = 4000, MANY = 2000 };

struct UiOrderRun {
  UiApp *app;
  UiBox *box;
  UiOrder order, before; /* before: the app's, to go back to */
  gboolean asked;        /* by a key */
  guint64 keys;          /* that were pressed when it began */
  gboolean read;         /* all of them were */
  guint32 below;         /* those above were read; 0: none was */
  MlThreads *threads;    /* that are made; in other orders box->sorter has what was read */
  guint source;
  UiOp *op;
  GCancellable *cancellable;
};

static gboolean
is_by_text(UiOrder order)
{
  return order.by == UI_ORDER_SUBJECT || order.by == UI_ORDER_FROM;
}

UiOrder
ui_order_wanted(const UiBox *box)
{
  return box->run ? box->run->order : box->order;
}

gboolean
ui_order_is_quick(const UiBox *box, UiOrder order)
{
  return box->hits || ui_items_count(box->all) <= MANY ||
         (order.by == UI_ORDER_THREADS ? box->threads != NULL : !is_by_text(order));
}

static void
drop_sorter(UiBox *box)
{
  g_clear_pointer(&box->sorter, ui_sorter_free);
}

/* What was read to its end stays. */
static void
end_run(UiBox *box)
{
  UiOrderRun *run = g_steal_pointer(&box->run);

  if (!run)
    return;
  if (!run->read)
    drop_sorter(box);
  box->to_place = FALSE;
  g_source_remove(run->source);
  ui_ops_end(run->app, run->op, NULL);
  ml_threads_free(run->threads);
  g_object_unref(run->cancellable);
  g_free(run);
}

void
ui_order_stop(UiBox *box)
{
  end_run(box);
  drop_sorter(box);
}

void
ui_order_rest(UiBox *box)
{
  if (!box->run && !box->loading)
    drop_sorter(box);
}

/* ---- what comes, goes and changes meanwhile */

void
ui_order_reworded(UiBox *box)
{
  drop_sorter(box);
  if (!box->run)
    return;
  g_clear_pointer(&box->run->threads, ml_threads_free);
  box->run->read = FALSE;
  box->run->below = 0;
}

void
ui_order_came(UiBox *box, UiItem *item, const MlHeader *header)
{
  const UiOrderRun *run = box->run;
  UiOrder order = ui_order_wanted(box);
  gboolean removed = box->sorter && ui_sorter_is_removed(box->sorter, item->uid); /* it was there before */

  if (run && !run->read && (!run->below || item->uid < run->below))
    return; /* it will be read */
  if (!header || removed)
    ui_order_reworded(box);
  else if (run && run->threads)
    ml_threads_add(run->threads, item, header);
  else {
    if (!box->sorter && box->loading && is_by_text(order) && ui_items_count(box->all) == 1)
      box->sorter = ui_sorter_new();
    if (box->sorter)
      ui_order_sort_by(box, box->sorter, order.by, item, header);
  }
}

void
ui_order_gone(UiBox *box, const GArray *uids)
{
  for (guint i = 0; i < uids->len; i++) {
    guint32 uid = g_array_index(uids, guint32, i);
    if (box->sorter)
      ui_sorter_remove(box->sorter, uid);
    if (box->run && box->run->threads)
      ml_threads_remove(box->run->threads, ui_box_by_uid(box, uid));
  }
  if (!box->threads)
    ui_order_forget_threads(box);
}

/* ---- in turns */

static void
take(UiBox *box, UiItem *item, const MlHeader *header, gpointer data)
{
  const UiOrderRun *run = data;

  if (run->threads)
    ml_threads_add(run->threads, item, header);
  else
    ui_order_sort_by(box, box->sorter, run->order.by, item, header);
}

static void
read_some(UiOrderRun *run)
{
  UiBox *box = run->box;

  if (run->order.by != UI_ORDER_THREADS) {
    box->sorter = box->sorter ? box->sorter : ui_sorter_new();
  } else if (!run->threads) {
    run->threads = ml_threads_new();
    if (box->edits)
      ml_threads_set_edits(run->threads, box->edits);
  }
  run->below = ui_box_some(box, ML_PATTERN_HEADER, run->below, CHUNK, take, run);
  run->read = !run->below;
}

/* FALSE: that was all. */
static gboolean
do_some(UiOrderRun *run)
{
  if (!run->read)
    read_some(run);
  else
    return !run->threads && ui_sorter_some(run->box->sorter, MOVES);
  return TRUE;
}

static void
say_order(UiApp *app, UiOrder order)
{
  g_autofree char *words = ui_order_words(order);

  ui_app_say(app, "Sorted by %s.", words);
}

static void
finish(UiOrderRun *run)
{
  UiApp *app = run->app;
  UiBox *box = run->box;
  UiOrder order = run->order;
  gboolean asked = run->asked, place = box->to_place && app->keys == run->keys;

  ml_threads_free(box->threads);
  box->threads = g_steal_pointer(&run->threads);
  end_run(box);
  ui_box_arrange_now(box, order, NULL);
  ui_order_rest(box);
  box->mends = box->incomplete ? box->mends : 0;
  if (place)
    ui_box_place_cursor(box);
  if (asked)
    say_order(app, order);
  ui_app_dirty(app);
}

/* Without the order that was to be, what the key has asked for is taken back; what comes by itself is shown at once. */
static void
give_up(UiOrderRun *run)
{
  UiApp *app = run->app;
  UiBox *box = run->box;
  gboolean asked = run->asked;

  if (asked && app->order.by == run->order.by && app->order.reverse == run->order.reverse)
    app->order = run->before; /* else another was asked for elsewhere */
  ui_order_stop(box);
  if (app->ending)
    return;
  if (!asked)
    ui_box_arrange_now(box, (UiOrder){ UI_ORDER_ARRIVAL, FALSE }, NULL);
  else if (box->unarranged || box->outdated)
    ui_box_arrange(box, NULL);
  g_autofree char *words = ui_order_words(box->order);
  ui_app_say(app, "Not sorted: the order is %s.", words);
}

static gboolean
on_turn(gpointer data)
{
  UiOrderRun *run = data;
  gint64 until = g_get_monotonic_time() + TURN_US;
  gboolean more = TRUE;

  if (run->app->ending || g_cancellable_is_cancelled(run->cancellable)) {
    give_up(run);
    return G_SOURCE_CONTINUE; /* it was removed */
  }
  while (more && g_get_monotonic_time() < until)
    more = do_some(run);
  run->op->total = ui_items_count(run->box->all);
  run->op->done = run->read ? run->op->total : run->below ? ui_items_place(run->box->all, run->below) : 0;
  if (!more)
    finish(run);
  return G_SOURCE_CONTINUE;
}

void
ui_order_now(UiBox *box)
{
  while (box->run && box->outdated)
    if (!do_some(box->run))
      finish(box->run);
}

/* ---- when */

static void
start(UiBox *box, UiOrder order, gboolean asked, UiOrder before)
{
  UiApp *app = box->account->app;
  UiOrderRun *run = g_new0(UiOrderRun, 1);

  *run = (UiOrderRun){ .app = app, .box = box, .order = order, .before = before, .asked = asked, .keys = app->keys,
                       .read = box->sorter != NULL, .cancellable = g_cancellable_new() };
  run->op = ui_ops_command(app, NULL, 0, "Sorting");
  run->op->cancellable = g_object_ref(run->cancellable);
  run->op->silent = !asked && !box->to_place;
  run->source = g_idle_add_full(G_PRIORITY_DEFAULT, on_turn, run, NULL);
  box->run = run;
}

/* Of an order in which nothing stands yet there is something to be seen meanwhile. */
static void
show_arrival_first(UiBox *box)
{
  if (ui_box_rows(box))
    return;
  box->order = (UiOrder){ UI_ORDER_ARRIVAL, FALSE };
  box->to_place = !box->placed;
}

gboolean
ui_order_begin(UiBox *box, UiOrder order)
{
  if (ui_order_is_quick(box, order)) {
    if (box->run && box->run->asked)
      say_order(box->run->app, order);
    end_run(box);
    return FALSE;
  }
  if (box->run)
    return TRUE;
  show_arrival_first(box);
  start(box, order, FALSE, order);
  return TRUE;
}

void
ui_box_set_order(UiApp *app, UiOrder order)
{
  UiBox *box = app->box;
  UiOrder before = box->run && box->run->asked ? box->run->before : app->order;

  app->order = order;
  if (ui_order_wanted(box).by != order.by)
    drop_sorter(box);
  end_run(box);
  if (ui_order_is_quick(box, order)) {
    ui_box_arrange_now(box, order, NULL);
    ui_order_rest(box);
    say_order(app, order);
  } else
    start(box, order, TRUE, before);
}
