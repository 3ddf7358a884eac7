#include <string.h>

#include "ui/app-private.h"

/* Several commands that belong together; the last one that ends goes on. */
typedef struct {
  guint64 life; /* of the folder; 0: none is open */
  UiAccount *account;
  GArray *removed; /* uids that leave the list: at once where the change is kept, else when all went well */
  guint running;
  gboolean failed, waits;
  char *success; /* what to say; NULL: nothing */
  UiThen then;
  gpointer data;
  GDestroyNotify free_data; /* where then is not called; NULL */
} Sync;

static void
sync_done(UiApp *app, Sync *sync)
{
  if (sync->running)
    return;
  gboolean kept = ml_worker_keeps_changes(sync->account->worker);
  UiBox *box = ui_app_box(app, sync->life);
  if (!sync->failed) {
    if (box && !kept)
      ui_box_forget(box, sync->removed);
    if (sync->success)
      ui_app_say(app, sync->waits ? "%s The server is told once there is a line." : "%s", sync->success);
    if (sync->then)
      sync->then(app, sync->data);
  } else {
    if (kept && sync->removed->len && ui_hits_has(app, box))
      ui_hits_again(app); /* what was shown as gone is not */
    else if (kept && sync->removed->len && box && box == ui_app_folder(app))
      ui_box_reload(app); /* the same */
    if (sync->free_data)
      sync->free_data(sync->data);
  }
  g_array_unref(sync->removed);
  g_free(sync->success);
  g_free(sync);
  ui_app_dirty(app);
}

static void
command_done(UiApp *app, const GError *error, gpointer data)
{
  Sync *sync = data;

  sync->running--;
  sync->waits |= !error && sync->account->left_waiting;
  if (error) {
    sync->failed = TRUE;
    ui_app_error(app, error);
  }
  sync_done(app, sync);
}

static Sync *
sync_new(UiApp *app, UiThen then, gpointer data, GDestroyNotify free_data)
{
  Sync *sync = g_new0(Sync, 1);

  sync->life = app->box ? app->box->life : 0;
  sync->account = app->box ? app->box->account : app->accounts->pdata[0];
  sync->removed = g_array_new(FALSE, FALSE, sizeof(guint32));
  sync->then = then;
  sync->data = data;
  sync->free_data = free_data;
  return sync;
}

static void
watch(UiApp *app, Sync *sync, guint64 id, const char *what)
{
  UiOp *op = ui_ops_command(app, sync->account, id, what);

  op->finished = command_done;
  op->data = sync;
  sync->running++;
}

/* A change that is written down is shown as done. */
static void
show_removed(UiApp *app, Sync *sync)
{
  if (sync->running && ml_worker_keeps_changes(sync->account->worker))
    ui_box_forget(app->box, sync->removed);
}

void
ui_sync_run(UiApp *app, UiThen then, gpointer data, GDestroyNotify free_data)
{
  UiBox *box = app->box;
  Sync *sync = sync_new(app, then, data, free_data);
  g_autoptr(GArray) undeleted = g_array_new(FALSE, FALSE, sizeof(guint32));

  for (guint i = 0; box && i < ui_items_count(box->all); i++) {
    const UiItem *item = ui_items_at(box->all, i);
    if (item->deleted)
      g_array_append_val(sync->removed, item->uid);
    else if (item->flags & ML_FLAG_DELETED)
      g_array_append_val(undeleted, item->uid);
  }
  if (undeleted->len)
    watch(app, sync, ml_worker_flags(box->account->worker, box->folder, undeleted, 0, ML_FLAG_DELETED),
          "Undeleting");
  if (sync->removed->len) {
    const char *trash = ui_account_special(box->account, ML_ROLE_TRASH);
    MlWorker *worker = box->account->worker;
    if (trash && strcmp(trash, box->folder) != 0) {
      watch(app, sync, ml_worker_move(worker, box->folder, sync->removed, trash), "Moving to the trash");
      sync->success = g_strdup_printf("%u moved to %s.", sync->removed->len, trash);
    } else {
      watch(app, sync, ml_worker_expunge(worker, box->folder, sync->removed), "Deleting");
      sync->success = g_strdup_printf("%u deleted.", sync->removed->len);
    }
  }
  show_removed(app, sync);
  sync_done(app, sync);
}

gboolean
ui_sync_for_good(const UiBox *box)
{
  const char *trash = ui_account_special(box->account, ML_ROLE_TRASH);

  return !trash || !strcmp(trash, box->folder);
}

/* The question before a folder with pending deletions is left. */
typedef struct {
  UiApp *app;
  UiThen then;
  gpointer data;
  GDestroyNotify free_data;
  gboolean leaves; /* the folder below a search, too: it asks for itself */
  UiContext context;
} Pending;

static void
pending_done(UiApp *app, const Pending *pending)
{
  if (pending->leaves && app->hits) {
    if (pending->context == UI_IN_FINDS) /* a message of the search may be open below */
      ui_app_pop_to_alone(app, UI_IN_FINDS);
    ui_hits_close(app, pending->context);
    ui_sync_pending(app, pending->then, pending->data, pending->free_data);
  } else
    pending->then(app, pending->data);
}

static void
pending_answered(const char *answer, gpointer data)
{
  g_autofree Pending *pending = data;

  if (!answer) {
    if (pending->free_data)
      pending->free_data(pending->data);
  } else if (*answer == 'y' && pending->app->hits) {
    ui_hits_sync(pending->app);
    pending_done(pending->app, pending);
  } else if (*answer == 'y')
    ui_sync_run(pending->app, pending->then, pending->data, pending->free_data);
  else
    pending_done(pending->app, pending);
}

static void
ask_pending(UiApp *app, const Pending *asked)
{
  guint for_good = 0, n = app->hits ? ui_hits_pending(app, &for_good) : app->box ? ui_box_count(app->box, TRUE) : 0;

  if (!n) {
    pending_done(app, asked);
    return;
  }
  if (!app->hits)
    for_good = ui_sync_for_good(app->box) ? n : 0;
  g_autofree char *question =
      for_good && for_good < n
          ? g_strdup_printf("Delete %u messages, %u of them for good", n, for_good)
          : g_strdup_printf(for_good ? "Delete %u message%s for good" : "Move %u deleted message%s to the trash", n,
                            n == 1 ? "" : "s");
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, NULL, question, NULL, NULL, pending_answered,
                 g_memdup2(asked, sizeof *asked));
}

void
ui_sync_pending(UiApp *app, UiThen then, gpointer data, GDestroyNotify free_data)
{
  const Pending pending = { .app = app, .then = then, .data = data, .free_data = free_data };

  ask_pending(app, &pending);
}

void
ui_sync_leave(UiApp *app, UiContext context, UiThen then, gpointer data, GDestroyNotify free_data)
{
  const Pending pending = { .app = app, .then = then, .data = data, .free_data = free_data, .leaves = TRUE,
                            .context = context };

  ask_pending(app, &pending);
}

void
ui_sync_file(UiApp *app, GPtrArray *items, gboolean copy, UiAccount *account, const char *folder)
{
  UiBox *box = app->box;

  if (!items->len || !box)
    return;
  if (account != box->account) {
    ui_transfer_start(app, items, copy, account, folder);
    return;
  }
  if (!strcmp(folder, box->folder)) {
    ui_app_complain(app, "The message is in %s already.", folder);
    return;
  }
  Sync *sync = sync_new(app, NULL, NULL, NULL);
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < items->len; i++) {
    UiItem *item = items->pdata[i];
    g_array_append_val(uids, item->uid);
    item->tagged = FALSE;
  }
  if (copy)
    watch(app, sync, ml_worker_copy(box->account->worker, box->folder, uids, folder), "Copying");
  else {
    g_array_append_vals(sync->removed, uids->data, uids->len);
    watch(app, sync, ml_worker_move(box->account->worker, box->folder, uids, folder), "Moving");
  }
  sync->success = uids->len == 1
                      ? g_strdup_printf("%s to %s.", copy ? "Copied" : "Moved", folder)
                      : g_strdup_printf("%u %s to %s.", uids->len, copy ? "copied" : "moved", folder);
  show_removed(app, sync);
  sync_done(app, sync);
}
