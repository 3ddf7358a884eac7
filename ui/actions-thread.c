#include <string.h>

#include "ui/app-private.h"

/* Threads as the person will have them: cut, and put together. */
MlThreadEdits *
ui_thread_edits(UiApp *app)
{
  g_autoptr(GError) error = NULL;

  if (app->thread_edits) {
    ml_thread_edits_refresh(app->thread_edits);
    return app->thread_edits;
  }
  g_autofree char *file = g_build_filename(app->cli->data_dir, "threads", NULL);
  app->thread_edits = ml_thread_edits_open(file, &error);
  if (!app->thread_edits)
    ui_app_error(app, error);
  return app->thread_edits;
}

/* FALSE: it was told why nothing can be cut or put together now. */
static gboolean
can_edit(UiApp *app)
{
  UiBox *box = app->box;

  if (!box || !ui_box_item(box))
    ui_app_say(app, "There is no message here.");
  else if (!box->threaded)
    ui_app_say(app, "Threads are not shown: o and t show them.");
  else
    return ui_thread_edits(app) != NULL;
  return FALSE;
}

/* FALSE: it was told. */
static gboolean
decide(UiApp *app, const GPtrArray *items, MlThreadEdit edit, const char *parent)
{
  UiBox *box = app->box;
  UiItem *current = ui_box_item(box);
  g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < items->len; i++)
    g_ptr_array_add(ids, g_strdup(ui_box_header(box, items->pdata[i])->message_id));
  if (!ml_thread_edits_set(app->thread_edits, ids, edit, parent, &error)) {
    ui_app_error(app, error);
    return FALSE;
  }
  box->edits = app->thread_edits;
  g_clear_pointer(&box->threads, ml_threads_free); /* who named what may be another thread now */
  ui_box_arrange(box, current);
  ui_app_dirty(app);
  return TRUE;
}

/* Is there anything above it: on the screen, or by what it says of itself? */
static gboolean
answers(const UiBox *box, const UiItem *item)
{
  return item->depth || *ui_box_header(box, item)->references;
}

void
ui_action_cut_thread(UiApp *app)
{
  UiBox *box = app->box;

  if (!can_edit(app))
    return;
  g_autoptr(GPtrArray) items = ui_actions_chosen(app), cut = g_ptr_array_new(), back = g_ptr_array_new();
  for (guint i = 0; i < items->len; i++) {
    UiItem *item = items->pdata[i];
    gboolean was_cut =
        ml_thread_edits_of(app->thread_edits, ui_box_header(box, item)->message_id) == ML_THREAD_CUT;
    if (was_cut || answers(box, item))
      g_ptr_array_add(was_cut ? back : cut, item);
  }
  if (cut->len && decide(app, cut, ML_THREAD_CUT, NULL))
    ui_app_say(app, cut->len == 1 ? "Cut: a thread of its own now; # again puts it back."
                                  : "Cut: each begins a thread of its own now; # again puts one back.");
  else if (!cut->len && back->len && decide(app, back, ML_THREAD_AS_SENT, NULL))
    ui_app_say(app, "Back where its mail says that it belongs.");
  else if (!cut->len && !back->len)
    ui_app_say(app, "It begins its thread already.");
}

/* Does @item lie above the one under the cursor, or is it that one? */
static gboolean
is_above(const UiBox *box, const UiItem *current, const UiItem *item)
{
  g_autoptr(GPtrArray) thread = ui_order_thread(box, current);
  guint depth = G_MAXUINT;

  for (guint i = thread ? thread->len : 0; i-- > 0;) {
    const UiItem *each = thread->pdata[i];
    if (each == current)
      depth = each->depth + 1;
    if (depth == G_MAXUINT || each->depth >= depth)
      continue;
    depth = each->depth;
    if (each == item)
      return TRUE;
  }
  return FALSE;
}

void
ui_action_link_threads(UiApp *app)
{
  UiBox *box = app->box;
  g_autoptr(GPtrArray) items = g_ptr_array_new();

  if (!can_edit(app))
    return;
  UiItem *current = ui_box_item(box);
  for (guint i = 0; i < box->all->len; i++) {
    UiItem *item = box->all->pdata[i];
    if (!item->tagged || item == current)
      continue;
    if (is_above(box, current, item)) {
      ui_app_complain(app, "One of the tagged stands above this message: cut this one first, with #.");
      return;
    }
    g_ptr_array_add(items, item);
  }
  if (!items->len) {
    ui_app_say(app, "First tag, with t, what is to answer this message.");
    return;
  }
  g_autofree char *parent = g_strdup(ui_box_header(box, current)->message_id);
  if (decide(app, items, ML_THREAD_UNDER, parent))
    ui_app_say(app, items->len == 1 ? "One message put under this one." : "%u messages put under this one.", items->len);
}
