#include <string.h>

#include "ui/app-private.h"

/* Threads as the person will have them: cut, and put together. */

static char *
file_of(const UiApp *app)
{
  return g_build_filename(app->cli->data_dir, "threads", NULL);
}

MlThreadEdits *
ui_thread_edits(UiApp *app)
{
  g_autoptr(GError) error = NULL;

  if (app->thread_edits) {
    ml_thread_edits_refresh(app->thread_edits);
    return app->thread_edits;
  }
  g_autofree char *file = file_of(app);
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

/* What was decided goes to the disk on a thread of its own, one after the other: another signet may hold the lock, and a
 * disk takes its time. It is shown once it is there. */
typedef struct {
  UiApp *app;
  char *file;
  GPtrArray *ids; /* of char * */
  MlThreadEdit edit;
  char *parent;
  char *said; /* once it is done */
  GError *error;
} Decision;

static void
decision_free(gpointer data)
{
  Decision *decision = data;

  g_ptr_array_unref(decision->ids);
  g_free(decision->file);
  g_free(decision->parent);
  g_free(decision->said);
  g_clear_error(&decision->error);
  g_free(decision);
}

static gboolean
decided(gpointer data)
{
  Decision *decision = data;
  UiApp *app = decision->app;
  UiBox *box = app->ending ? NULL : app->box; /* at the end it is on the disk, and nobody looks */

  if (decision->error) {
    ui_app_error(app, decision->error);
    return G_SOURCE_REMOVE;
  }
  if (box)
    box->edits = ui_thread_edits(app);
  if (box)
    ui_order_reworded(box);
  if (box && box->threaded) {
    g_clear_pointer(&box->threads, ml_threads_free); /* who named what may be another thread now */
    ui_box_arrange(box, NULL);
  }
  ui_app_say(app, "%s", decision->said);
  return G_SOURCE_REMOVE;
}

/* On that thread. */
static void
write_down(gpointer data, gpointer unused)
{
  Decision *decision = data;
  g_autoptr(MlThreadEdits) edits = ml_thread_edits_open(decision->file, &decision->error);

  (void)unused;
  if (edits && !ml_thread_edits_set(edits, decision->ids, decision->edit, decision->parent, &decision->error))
    g_assert(decision->error);
  g_idle_add_full(G_PRIORITY_DEFAULT, decided, decision, decision_free);
}

static void
decide(UiApp *app, const GPtrArray *items, MlThreadEdit edit, const char *parent, const char *said)
{
  Decision *decision = g_new0(Decision, 1);

  *decision = (Decision){ .app = app,
                          .file = file_of(app),
                          .ids = g_ptr_array_new_with_free_func(g_free),
                          .edit = edit,
                          .parent = g_strdup(parent),
                          .said = g_strdup(said) };
  for (guint i = 0; i < items->len; i++)
    g_ptr_array_add(decision->ids, g_strdup(ui_box_header(app->box, items->pdata[i])->message_id));
  if (!app->deciding)
    app->deciding = g_thread_pool_new(write_down, NULL, 1, FALSE, NULL);
  g_thread_pool_push(app->deciding, decision, NULL);
}

void
ui_thread_edits_stop(UiApp *app)
{
  if (app->deciding)
    g_thread_pool_free(app->deciding, FALSE, TRUE);
  app->deciding = NULL;
}

/* Is there anything above it: on the screen, or by what it says of itself? */
static gboolean
answers(const UiBox *box, const UiItem *item)
{
  const MlThreaded *place = ui_order_place(box, item);

  return (place && place->depth) || *ui_box_header(box, item)->references;
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
  if (cut->len)
    decide(app, cut, ML_THREAD_CUT, NULL,
           cut->len == 1 ? "Cut: a thread of its own now; # again puts it back."
                         : "Cut: each begins a thread of its own now; # again puts one back.");
  else if (back->len)
    decide(app, back, ML_THREAD_AS_SENT, NULL, "Back where its mail says that it belongs.");
  else if (items->len)
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
    guint its = ui_order_place(box, each)->depth;
    if (each == current)
      depth = its + 1;
    if (depth == G_MAXUINT || its >= depth)
      continue;
    depth = its;
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
  for (guint i = 0; i < ui_items_count(box->all); i++) {
    UiItem *item = ui_items_at(box->all, i);
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
  g_autofree char *said = items->len == 1 ? g_strdup("One message put under this one.")
                                          : g_strdup_printf("%u messages put under this one.", items->len);
  decide(app, items, ML_THREAD_UNDER, parent, said);
}
