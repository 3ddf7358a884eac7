#include <string.h>

#include "mail/sync.h"
#include "mail/worker-private.h"

/* The text that the account wants here of the folders that are not open: now and then all of them, one after the other, by
 * the pieces of mail/worker-keep.c, while the open folder lacks nothing. There is one connection: so not before nobody has
 * asked for anything for a while, and every few seconds the open folder is looked at in between. */
enum { QUIET_US = 5 * G_USEC_PER_SEC, AGAIN_US = 30 * 60 * G_USEC_PER_SEC };

static gboolean
on_due(gpointer data)
{
  MlWorker *worker = data;
  g_mutex_lock(&worker->lock);
  g_clear_pointer(&worker->round_timer, g_source_unref);
  g_mutex_unlock(&worker->lock);
  ml_worker_wake(worker);
  return G_SOURCE_REMOVE;
}

static void
wake_in(MlWorker *worker, gint64 us)
{
  g_mutex_lock(&worker->lock);
  if (!worker->round_timer) {
    worker->round_timer = g_timeout_source_new((guint)(us / 1000) + 1);
    g_source_set_callback(worker->round_timer, on_due, worker, NULL);
    g_source_attach(worker->round_timer, worker->context);
  }
  g_mutex_unlock(&worker->lock);
}

void
ml_worker_round_clear(MlWorker *worker)
{
  if (worker->round_timer) {
    g_source_destroy(worker->round_timer);
    g_source_unref(worker->round_timer);
  }
  g_clear_pointer(&worker->round, g_ptr_array_unref);
  g_clear_pointer(&worker->round_lacking, g_array_unref);
}

/* The folder that is next is done with, or left out of this round. */
static void
pass_on(MlWorker *worker)
{
  g_clear_pointer(&worker->round_lacking, g_array_unref);
  g_ptr_array_set_size(worker->round, (gint)worker->round->len - 1);
}

static gboolean
begin_round(MlWorker *worker, GError **error)
{
  g_autoptr(GPtrArray) folders = ml_driver_folders(worker->driver, FALSE, error);
  if (!folders)
    return FALSE;
  ml_worker_keep_folders(worker, folders);
  worker->round = g_ptr_array_new_with_free_func(g_free);
  for (guint i = folders->len; i-- > 0;) {
    const MlFolder *folder = folders->pdata[i];
    if (folder->selectable)
      g_ptr_array_add(worker->round, g_strdup(folder->name));
  }
  return TRUE;
}

/* ---- the list of a folder */

typedef struct {
  MlWorker *worker;
  const char *folder;
  gboolean stopped;
} Comparing;

static void
on_opened(const MlSelected *selected, gboolean reset, gpointer user_data)
{
  Comparing *comparing = user_data;
  MlWorker *worker = comparing->worker;
  worker->selected = g_strdup(comparing->folder);
  worker->selected_validity = worker->round_validity = selected->uidvalidity;
  worker->selected_read_only = selected->read_only;
}

static void
on_changes(MlChanges *changes, gpointer user_data)
{
  ml_changes_free(changes);
}

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Comparing *comparing = user_data;
  g_ptr_array_unref(headers);
  comparing->stopped = ml_worker_is_woken(comparing->worker);
  return !comparing->stopped;
}

static void
post_some(MlWorker *worker, const char *folder)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_KEPT, NULL, folder);
  ml_worker_post(worker, event);
}

/* What was not read when somebody asked for something is read by the next piece. */
static gboolean
compare(MlWorker *worker, const char *folder, GError **error)
{
  enum { FIRST = 1000 };
  Comparing comparing = { worker, folder, FALSE };
  MlSynced synced;
  GError *why = NULL;
  /* Not with the text (whole): three commands of a MiB would be on their way when somebody asks for something. */
  static const MlSyncFuncs funcs = { .opened = on_opened, .changes = on_changes, .headers = on_headers };
  g_clear_pointer(&worker->selected, g_free);
  worker->left = TRUE;
  gboolean ok = ml_sync_folder(worker->driver, worker->store, folder, FIRST, &funcs, &comparing, &synced, &why, error);
  ml_worker_refresh(worker, folder);
  if (why) {
    ml_worker_store_failed(worker, why);
    worker->round_due = g_get_monotonic_time() + AGAIN_US;
  }
  if (ok && synced.added)
    post_some(worker, folder);
  if (ok && !comparing.stopped && !(worker->round_lacking = ml_worker_keep_lacking(worker)))
    pass_on(worker);
  return ok;
}

/* ---- its text */

static gboolean
fetch(MlWorker *worker, const char *folder, GError **error)
{
  MlSelected selected;
  gboolean over = FALSE;
  if (!ml_worker_select(worker, folder, &selected, error))
    return FALSE;
  if (selected.uidvalidity != worker->round_validity) { /* it is another one by now */
    g_clear_pointer(&worker->round_lacking, g_array_unref);
    return TRUE;
  }
  gboolean ok = ml_worker_keep_piece(worker, worker->round_lacking, &over, error);
  if (ok && (over || !worker->round_lacking->len))
    pass_on(worker);
  return ok;
}

static gboolean
go_on(MlWorker *worker, GError **error)
{
  while (worker->round->len) {
    const char *folder = worker->round->pdata[worker->round->len - 1];
    if (strcmp(folder, worker->open) != 0)
      return worker->round_lacking ? fetch(worker, folder, error) : compare(worker, folder, error);
    pass_on(worker);
  }
  g_clear_pointer(&worker->round, g_ptr_array_unref);
  worker->round_due = g_get_monotonic_time() + AGAIN_US;
  return TRUE;
}


gboolean
ml_worker_round(MlWorker *worker)
{
  gint64 due = MAX(worker->round_due, worker->asked + QUIET_US), left = due - g_get_monotonic_time(), since;
  g_autoptr(GError) error = NULL;
  if (!worker->open || ml_driver_is_local(worker->driver) || !ml_sync_wants(worker->account, 0, &since) ||
      !ml_worker_store(worker))
    return FALSE;
  if (left > 0) {
    wake_in(worker, left);
    return FALSE;
  }
  if (!worker->round && !begin_round(worker, &error)) {
    worker->round_due = g_get_monotonic_time() + AGAIN_US;
  } else if (!ml_worker_keep_look(worker, &error)) {
    if (ml_error_is_absent(error))
      return FALSE; /* the open folder has gone: the wait for news meets the same, and tells it */
  } else if (!go_on(worker, &error) && !g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED)) {
    pass_on(worker); /* a folder that has gone, or that costs us the line, is left out of this round */
  }
  if (error)
    ml_worker_learn(worker, error);
  return TRUE;
}
