#include <string.h>

#include "ui/hits-private.h"

/* Which of the messages that were found fit a pattern. Where that is in their headers these are read from the store, some
 * milliseconds at a time between keys: folder after folder in the order in which it lies on the disk, which takes a
 * hundredth of the time that looking for each takes; or a hundred at once, where a search has found few of many. */
enum { TURN_US = 6000, CHUNK = 200, FEW = 100, THIN = 20, WAITING = 1000 };

struct UiHitsAsk {
  UiHits *found;
  MlPattern *pattern;
  UiHitsAsked then;
  gpointer data;
  GDestroyNotify free_data;
  guint at;      /* of the boxes */
  guint32 below; /* in it, where it is read as it lies; 0: from its top */
  guint next;    /* of its messages, where they are looked for */
  guint source;
  UiOp *op;
  GCancellable *cancellable;
};

/* ---- the limit */

void
ui_hits_take_fits(UiHits *found)
{
  for (guint i = 0; i < found->boxes->len; i++) {
    const UiBox *box = found->boxes->pdata[i];
    for (guint k = 0; k < ui_items_count(box->all); k++) {
      UiItem *item = ui_items_at(box->all, k);
      item->fits = item->found;
    }
  }
}

static void
refitted(UiHits *found, MlPattern *pattern, gpointer unused)
{
  if (found->limit != pattern)
    return;
  ui_hits_take_fits(found);
  ui_hits_settle(found, NULL);
}

void
ui_hits_refit(UiHits *found)
{
  found->fit_due = FALSE;
  if (found->limit)
    ui_hits_ask(found, found->limit, refitted, NULL, NULL);
}

/* ---- asking */

static void
ask_free(UiHitsAsk *ask)
{
  g_source_remove(ask->source);
  ui_ops_end(ask->found->app, ask->op, NULL);
  if (ask->free_data)
    ask->free_data(ask->data);
  ml_pattern_free(ask->pattern);
  g_object_unref(ask->cancellable);
  g_free(ask);
}

static void
answer(const UiBox *box, UiItem *item, const MlHeader *header, const MlPattern *pattern)
{
  item->found = ui_box_matches(box, item, header, pattern);
}

typedef struct {
  UiBox *box;
  const MlPattern *pattern;
  guint32 last;
  guint n;
} Walk;

static void
on_line(const MlHeader *header, gpointer data)
{
  Walk *walk = data;
  UiItem *item = ui_box_by_uid(walk->box, header->uid);

  if (item)
    answer(walk->box, item, header, walk->pattern);
  walk->last = header->uid;
  walk->n++;
}

/* FALSE: that was the last of this folder. */
static gboolean
read_lines(UiHitsAsk *ask, UiBox *box)
{
  const UiItem *first = ui_items_at(box->all, 0), *last = ui_items_at(box->all, ui_items_count(box->all) - 1);
  Walk walk = { box, ask->pattern, 0, 0 };

  if (!ask->below)
    ask->below = first->uid < G_MAXUINT32 ? first->uid + 1 : 0;
  ui_lines_some(box->lines, ask->below, CHUNK, on_line, &walk);
  ask->below = walk.last;
  return walk.n == CHUNK && walk.last > last->uid;
}

static gboolean
look_up(UiHitsAsk *ask, UiBox *box)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  guint end = MIN(ask->next + FEW, ui_items_count(box->all));

  for (guint i = ask->next; i < end; i++)
    g_array_append_val(uids, ui_items_at(box->all, i)->uid);
  ui_lines_prefetch(box->lines, uids);
  for (; ask->next < end; ask->next++) {
    UiItem *item = ui_items_at(box->all, ask->next);
    answer(box, item, ui_box_header(box, item), ask->pattern);
  }
  return end < ui_items_count(box->all);
}

static gboolean
is_thin(const UiBox *box)
{
  guint n = ui_items_count(box->all);
  guint32 newest = ui_items_at(box->all, 0)->uid, oldest = ui_items_at(box->all, n - 1)->uid;

  return (guint64)n * THIN < newest - oldest;
}

/* ---- keys that are pressed meanwhile */

/* Those that only look around act at once. */
static gboolean
looks_around(const UiBinding *binding)
{
  static const char *const actions[] = { "down",         "up",               "page_down", "page_up", "first", "last",
                                         "next_message", "previous_message", "help",      "log",     "redraw", "stop", NULL };

  return !binding || g_strv_contains(actions, binding->action);
}

gboolean
ui_hits_wait(UiApp *app, int key)
{
  UiHits *found = app->hits;
  UiContext context = ui_app_top(app)->type->context;
  const UiBinding *binding = ui_keys_find(key, context);

  if (!found->ask || found->ask->then == refitted || context != UI_IN_INDEX)
    return FALSE;
  gboolean stops = found->waiting->len ? key == UI_KEY_ESC || key == UI_CTRL('c') /* x may be typed into a question */
                                       : binding && !strcmp(binding->action, "cancel");
  if (stops) {
    g_array_set_size(found->waiting, 0);
    return FALSE;
  }
  if (!found->waiting->len && looks_around(binding))
    return FALSE;
  if (found->waiting->len < WAITING)
    g_array_append_val(found->waiting, key);
  return TRUE;
}

/* They may close the list, and one of them may ask again: the others wait for that. */
static void
press_waiting(UiHits *found)
{
  UiApp *app = found->app;
  g_autoptr(GArray) keys = found->waiting;

  found->waiting = g_array_new(FALSE, FALSE, sizeof(int));
  for (guint i = 0; i < keys->len && !app->ending && app->keys_source; i++) /* else another program has the terminal */
    ui_app_key(app, g_array_index(keys, int, i));
  ui_app_dirty(app);
}

static void
finish(UiHitsAsk *ask)
{
  UiHits *found = ask->found;

  found->ask = NULL;
  ask->then(found, ask->pattern, ask->data);
  ask_free(ask);
  if (found->fit_due && !found->ask && !found->running)
    ui_hits_refit(found);
}

static gboolean
on_turn(gpointer data)
{
  UiHitsAsk *ask = data;
  UiHits *found = ask->found;
  const GPtrArray *boxes = found->boxes;
  gint64 until = g_get_monotonic_time() + TURN_US;

  if (g_cancellable_is_cancelled(ask->cancellable)) {
    ui_hits_ask_stop(found);
    press_waiting(found);
    return G_SOURCE_CONTINUE; /* it was removed */
  }
  while (ask->at < boxes->len && g_get_monotonic_time() < until) {
    UiBox *box = boxes->pdata[ask->at];
    gboolean more = ui_items_count(box->all) && box->uidvalidity && (is_thin(box) ? look_up(ask, box) : read_lines(ask, box));
    if (more)
      continue;
    ask->at++;
    ask->below = ask->next = 0;
  }
  ask->op->done = ask->at;
  ask->op->total = boxes->len;
  if (ask->at == boxes->len) {
    finish(ask);
    press_waiting(found);
  }
  return G_SOURCE_CONTINUE;
}

void
ui_hits_ask_stop(UiHits *found)
{
  UiHitsAsk *ask = g_steal_pointer(&found->ask);

  if (!ask)
    return;
  found->fit_due |= ask->then == refitted;
  ask_free(ask);
}

void
ui_hits_ask(UiHits *found, MlPattern *pattern, UiHitsAsked then, gpointer data, GDestroyNotify free_data)
{
  gboolean header = ui_hits_reads(pattern);

  ui_hits_ask_stop(found);
  for (guint i = 0; i < found->boxes->len; i++) {
    UiBox *box = found->boxes->pdata[i];
    for (guint k = 0; k < ui_items_count(box->all); k++) {
      UiItem *item = ui_items_at(box->all, k);
      item->found = FALSE;
      if (!header)
        answer(box, item, NULL, pattern);
    }
  }
  if (!header) {
    then(found, pattern, data);
    if (free_data)
      free_data(data);
    return;
  }
  UiHitsAsk *ask = g_new0(UiHitsAsk, 1);
  *ask = (UiHitsAsk){ .found = found, .pattern = ml_pattern_ref(pattern), .then = then, .data = data,
                      .free_data = free_data, .cancellable = g_cancellable_new() };
  ask->op = ui_ops_command(found->app, NULL, 0, "Looking at the messages");
  ask->op->cancellable = g_object_ref(ask->cancellable);
  ask->source = g_idle_add(on_turn, ask);
  found->ask = ask;
}

