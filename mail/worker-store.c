#include "mail/worker-private.h"

/* What the worker does with the store: tells from it at once, and keeps in it what it hears. */

MlStore *
ml_worker_store(MlWorker *worker)
{
  const MlDriverHooks *hooks = worker->driver->hooks;
  if (worker->store || worker->store_tried || !hooks->store_dir || !ml_driver_can_sync(worker->driver))
    return worker->store;
  GError *why = NULL;
  worker->store_tried = TRUE;
  worker->store = ml_store_open(hooks->store_dir, worker->account, &why);
  if (!worker->store)
    ml_worker_store_failed(worker, why);
  return worker->store;
}

void
ml_worker_store_failed(MlWorker *worker, GError *why)
{
  if (g_strcmp0(worker->store_said, why->message) == 0) { /* a full disk is told once */
    g_error_free(why);
    return;
  }
  g_free(worker->store_said);
  worker->store_said = g_strdup(why->message);
  MlEvent *event = ml_worker_event(worker, ML_EVENT_NOTE, NULL, NULL);
  event->error = why;
  ml_worker_post(worker, event);
}

/* ---- telling */

static void
post_opened(MlWorker *worker, MlCommand *command, const MlSelected *selected)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_OPENED, command, command->folder);
  event->selected = *selected;
  ml_worker_post(worker, event);
}

static void
post_headers(MlWorker *worker, MlCommand *command, GPtrArray *headers, guint total)
{
  for (guint i = 0; i < headers->len; i++)
    worker->top = MAX(worker->top, ((MlHeader *)g_ptr_array_index(headers, i))->uid);
  MlEvent *event = ml_worker_event(worker, ML_EVENT_HEADERS, command, command->folder);
  event->headers = headers;
  event->total = total;
  ml_worker_post(worker, event);
}

void
ml_worker_tell_stored(MlWorker *worker, MlCommand *command)
{
  MlStore *store = ml_worker_store(worker);
  MlStoreFolder about;
  g_autoptr(GError) why = NULL;
  if (!store || command->tries || command->broken)
    return;
  worker->top = 0;
  if (!ml_store_folder(store, command->folder, &about, &why) || !about.total) {
    if (why)
      ml_worker_store_failed(worker, g_steal_pointer(&why));
    return;
  }
  MlSelected selected = { .uidvalidity = about.point.uidvalidity, .total = about.total };
  post_opened(worker, command, &selected);
  g_free(worker->told);
  worker->told = g_strdup(command->folder);
  worker->told_validity = selected.uidvalidity;
  guint size = MAX(command->first, 1);
  for (guint32 below = 0; !ml_worker_cancelled(worker, command);) {
    GPtrArray *headers = ml_store_headers(store, command->folder, below, size, &why);
    if (!headers || !headers->len) {
      g_clear_pointer(&headers, g_ptr_array_unref);
      break;
    }
    below = ((MlHeader *)g_ptr_array_index(headers, headers->len - 1))->uid;
    post_headers(worker, command, headers, about.total);
    size = ML_CHUNK_MAX;
  }
  if (why)
    ml_worker_store_failed(worker, g_steal_pointer(&why));
}

/* ---- comparing */

typedef struct {
  MlWorker *worker;
  MlCommand *command;
  guint total;
  gboolean broken;
} Opening;

static void
on_opened(const MlSelected *selected, gboolean reset, gpointer user_data)
{
  Opening *opening = user_data;
  MlWorker *worker = opening->worker;
  MlCommand *command = opening->command;
  if (reset)
    worker->top = 0;
  post_opened(worker, command, selected);
  opening->total = selected->total;
  g_free(worker->selected);
  worker->selected = g_strdup(command->folder);
  g_free(worker->open);
  worker->open = g_strdup(command->folder);
  worker->opened = *selected;
}

static void
on_changes(MlChanges *changes, gpointer user_data)
{
  Opening *opening = user_data;
  ml_worker_post_changes(opening->worker, changes);
}

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Opening *opening = user_data;
  post_headers(opening->worker, opening->command, headers, opening->total);
  if (ml_worker_cancelled(opening->worker, opening->command))
    return FALSE;
  opening->broken = !ml_worker_run_overtaking(opening->worker, opening->command->folder);
  return !opening->broken && !ml_worker_cancelled(opening->worker, opening->command);
}

gboolean
ml_worker_sync(MlWorker *worker, MlCommand *command, GError **error)
{
  static const MlSyncFuncs funcs = { on_opened, on_changes, on_headers };
  Opening opening = { worker, command, 0, FALSE };
  MlSynced synced;
  GError *why = NULL;
  g_clear_pointer(&worker->selected, g_free);
  gboolean ok = ml_sync_folder(worker->driver, worker->store, command->folder, command->first, &funcs, &opening,
                               &synced, &why, error);
  if (why)
    ml_worker_store_failed(worker, why);
  if (ok && (opening.broken || ml_worker_cancelled(worker, command))) {
    g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    return FALSE;
  }
  return ok;
}

/* ---- keeping: what fails here is found by the next comparison */

static void
keep(MlWorker *worker, const MlStoreStep *step)
{
  GError *why = NULL;
  if (ml_worker_store(worker) && worker->open && !ml_store_apply(worker->store, worker->open, step, &why))
    ml_worker_store_failed(worker, why);
}

void
ml_worker_keep_changes(MlWorker *worker, const MlChanges *changes)
{
  MlStoreStep step = { .uidvalidity = worker->opened.uidvalidity, .vanished = changes->vanished,
                       .flags = changes->flag_changes };
  if (!changes->reset && (changes->vanished->len || changes->flag_changes->len))
    keep(worker, &step);
}

void
ml_worker_keep_new(MlWorker *worker, const GPtrArray *headers)
{
  MlStoreStep step = { .uidvalidity = worker->opened.uidvalidity, .headers = headers };
  if (headers->len)
    keep(worker, &step);
}

void
ml_worker_keep_flags(MlWorker *worker, const MlCommand *command)
{
  GError *why = NULL;
  if (ml_worker_store(worker) &&
      !ml_store_change_flags(worker->store, command->folder, command->uids, command->add, command->remove, &why))
    ml_worker_store_failed(worker, why);
}

/* Numbers of another folder under the same name name other messages: which one was told of? 0: none. */
static guint32
validity_of(const MlWorker *worker, const MlCommand *command)
{
  if (g_strcmp0(worker->open, command->folder) == 0)
    return worker->opened.uidvalidity;
  return g_strcmp0(worker->told, command->folder) == 0 ? worker->told_validity : 0;
}

gboolean
ml_worker_tell_kept(MlWorker *worker, const MlCommand *command)
{
  MlStore *store = ml_worker_store(worker);
  GError *why = NULL;
  gint64 received = 0;
  guint32 validity = validity_of(worker, command);
  GBytes *bytes = store && validity ? ml_store_get(store, command->folder, validity, command->uid, &received, &why) : NULL;
  if (why)
    ml_worker_store_failed(worker, why);
  if (command->ahead) {
    gboolean here = bytes != NULL;
    g_clear_pointer(&bytes, g_bytes_unref);
    return here || !store || worker->state != ML_STATE_ONLINE;
  }
  if (!bytes)
    return FALSE;
  MlEvent *event = ml_worker_event(worker, ML_EVENT_MESSAGE, command, command->folder);
  event->uid = command->uid;
  event->received = received;
  event->bytes = bytes;
  ml_worker_post(worker, event);
  return TRUE;
}

void
ml_worker_keep_message(MlWorker *worker, const MlCommand *command, gint64 received, GBytes *bytes)
{
  MlStore *store = ml_worker_store(worker);
  guint32 validity = validity_of(worker, command);
  GError *why = NULL;
  if (store && validity && !ml_store_put(store, command->folder, validity, command->uid, received, bytes, &why))
    ml_worker_store_failed(worker, why);
}
