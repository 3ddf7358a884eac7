#include <string.h>

#include "ui/hits-private.h"

/* Which of the messages that were found fit a pattern. Where that is in their headers these are read from the store, some
 * milliseconds at a time between keys, folder after folder. */
enum { TURN_US = 6000, CHUNK = 200, WAITING = 1000 };

struct UiHitsAsk {
  UiHits *found;
  MlPattern *pattern;
  UiHitsAsked then;
  gpointer data;
  GDestroyNotify free_data;
  gboolean noted; /* note_states() */
  guint at;      /* of the boxes */
  guint32 below; /* in it: those above were asked; 0: none was */
  guint source;
  UiOp *op;
  GCancellable *cancellable;
};

/* ---- the limit */

/* What changes of a message while it lies there, and a pattern may ask for. */
static guint32
state_of(const UiItem *item)
{
  return item->flags | (guint32)item->tagged << 8 | (guint32)item->deleted << 9 | (guint32)item->judged << 10 |
         (guint32)item->mark << 11;
}

/* By both, what changes and what has to be read: neither can tell alone. */
static gboolean
is_mixed(const MlPattern *pattern)
{
  return ui_hits_reads(pattern) &&
         ml_pattern_needs(pattern) & (ML_PATTERN_FLAGS | ML_PATTERN_SCREEN | ML_PATTERN_VERDICT);
}

void
ui_hits_fit_row(const UiHits *found, UiHitsRow *row)
{
  row->item->fits = ui_hits_fits(row, found->limit);
  row->judged_as = state_of(row->item);
}

void
ui_hits_fit_changed(UiHits *found)
{
  UiHitsRow *rows = (UiHitsRow *)(gpointer)found->all->data;
  guint changed = 0;

  if (!found->limit || !is_mixed(found->limit))
    return;
  for (guint i = 0; i < found->all->len && changed <= UI_HITS_FEW; i++)
    changed += rows[i].judged_as != state_of(rows[i].item);
  gboolean now = changed <= UI_HITS_FEW && !found->ask; /* what is being asked is older, and would be believed */
  found->fit_due |= changed && !now;
  for (guint i = 0; changed && now && i < found->all->len; i++)
    if (rows[i].judged_as != state_of(rows[i].item))
      ui_hits_fit_row(found, &rows[i]);
}

/* Before they are read: what changes meanwhile is seen by that. */
static void
note_states(UiHits *found)
{
  for (guint i = 0; i < found->all->len; i++) {
    UiHitsRow *row = &g_array_index(found->all, UiHitsRow, i);
    row->judged_as = state_of(row->item);
  }
}

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
    ui_hits_ask_limit(found, found->limit, refitted, NULL, NULL);
}

void
ui_hits_reworded(UiHits *found, gboolean now)
{
  if (!found->limit || !(ml_pattern_needs(found->limit) & ML_PATTERN_HEADER))
    return;
  found->fit_due = TRUE;
  if (now && !found->ask && !found->running)
    ui_hits_refit(found);
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
    ask->below = ui_box_find_some(boxes->pdata[ask->at], ask->pattern, ask->below, CHUNK);
    ask->at += !ask->below;
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
  found->fit_due |= ask->noted; /* of a limit that stays, perhaps */
  ask_free(ask);
}

void
ui_hits_ask(UiHits *found, MlPattern *pattern, UiHitsAsked then, gpointer data, GDestroyNotify free_data)
{
  gboolean header = ui_hits_reads(pattern);

  ui_hits_ask_stop(found);
  if (!header) {
    for (guint i = 0; i < found->boxes->len; i++)
      (void)ui_box_find(found->boxes->pdata[i], pattern);
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

void
ui_hits_ask_limit(UiHits *found, MlPattern *limit, UiHitsAsked then, gpointer data, GDestroyNotify free_data)
{
  ui_hits_ask_stop(found);
  note_states(found);
  ui_hits_ask(found, limit, then, data, free_data);
  if (found->ask)
    found->ask->noted = TRUE;
}
