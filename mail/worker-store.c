#include <string.h>

#include "mail/worker-private.h"

/* What the worker does with the store: tells from it at once, and keeps in it what it hears. */

MlStore *
ml_worker_store(MlWorker *worker)
{
  const MlDriverHooks *hooks = worker->driver->hooks;
  if (worker->store || worker->store_tried || !hooks->store_dir)
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
post_headers(MlWorker *worker, MlCommand *command, GPtrArray *headers, guint total, gboolean stored)
{
  for (guint i = 0; i < headers->len; i++)
    worker->top = MAX(worker->top, ((MlHeader *)g_ptr_array_index(headers, i))->uid);
  MlEvent *event = ml_worker_event(worker, ML_EVENT_HEADERS, command, command->folder);
  event->headers = headers;
  event->stored = stored;
  event->total = total;
  ml_worker_post(worker, event);
}

/* The rest of a list that the store has: numbers, in pieces that a screen takes in without a person noticing. */
static void
post_lines(MlWorker *worker, MlCommand *command, guint32 below, guint done, guint total, GError **error)
{
  enum { PIECE = 2000 };
  while (!ml_worker_cancelled(worker, command)) {
    GArray *lines = ml_store_lines(worker->store, command->folder, 0, below, PIECE, error);
    if (!lines || !lines->len) {
      g_clear_pointer(&lines, g_array_unref);
      break;
    }
    below = g_array_index(lines, MlLine, lines->len - 1).uid;
    worker->top = MAX(worker->top, g_array_index(lines, MlLine, 0).uid);
    done += lines->len;
    MlEvent *event = ml_worker_event(worker, ML_EVENT_HEADERS, command, command->folder);
    event->lines = lines;
    event->done = done;
    event->stored = TRUE;
    event->total = total;
    ml_worker_post(worker, event);
  }
}

/* Whoever asks for the same list once more may have found that the file of the lists cannot be read, which a handle that
 * has all of it in memory does not notice. */
static void
open_anew(MlWorker *worker, const MlCommand *command)
{
  if (g_strcmp0(worker->told, command->folder) != 0 || command->tries || command->broken)
    return;
  g_clear_pointer(&worker->store, ml_store_free);
  worker->store_tried = FALSE;
}

void
ml_worker_tell_stored(MlWorker *worker, MlCommand *command)
{
  open_anew(worker, command);
  MlStore *store = ml_worker_store(worker);
  MlStoreFolder about;
  g_autoptr(GError) why = NULL;
  if (!store || command->tries || command->broken)
    return;
  ml_worker_refresh(worker, command->folder);
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
  GPtrArray *headers = ml_store_headers(store, command->folder, 0, MAX(command->first, 1), &why);
  if (headers && headers->len) {
    guint32 below = ((MlHeader *)g_ptr_array_index(headers, headers->len - 1))->uid;
    guint first = headers->len;
    post_headers(worker, command, headers, about.total, TRUE);
    post_lines(worker, command, below, first, about.total, &why);
  } else
    g_clear_pointer(&headers, g_ptr_array_unref);
  if (why)
    ml_worker_store_failed(worker, g_steal_pointer(&why));
}

/* The list of folders as it was, once: what was told later is newer. */
void
ml_worker_tell_folders(MlWorker *worker, MlCommand *command)
{
  MlStore *store = worker->told_folders ? NULL : ml_worker_store(worker);
  GError *why = NULL;
  g_autoptr(GPtrArray) folders = store ? ml_store_folders(store, &why) : NULL;
  if (why)
    ml_worker_store_failed(worker, why);
  if (!folders || !folders->len)
    return;
  worker->told_folders = TRUE;
  MlEvent *event = ml_worker_event(worker, ML_EVENT_FOLDERS, command, NULL);
  event->folders = g_steal_pointer(&folders);
  event->kept = TRUE;
  ml_worker_post(worker, event);
}

/* A server may open a folder that it does not list; what is kept of that one, while it is open, stays. */
void
ml_worker_keep_folders(MlWorker *worker, const GPtrArray *folders)
{
  gboolean listed = worker->open == NULL;
  for (guint i = 0; !listed && i < folders->len; i++)
    listed = strcmp(((MlFolder *)g_ptr_array_index(folders, i))->name, worker->open) == 0;
  GError *why = NULL;
  if (folders->len && listed && ml_worker_store(worker) && !ml_store_set_folders(worker->store, folders, &why))
    ml_worker_store_failed(worker, why);
}

/* ---- comparing */

typedef struct {
  MlWorker *worker;
  MlCommand *command;
  const MlSynced *synced;
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
  worker->selected_validity = selected->uidvalidity;
  worker->selected_read_only = selected->read_only;
  ml_worker_refresh(worker, command->folder);
  g_free(worker->open);
  worker->open = g_strdup(command->folder);
  if (command->id)
    ml_worker_keep_anew(worker);
  worker->opened = *selected;
  worker->left = FALSE;
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
  post_headers(opening->worker, opening->command, headers, opening->total, opening->synced->kept);
  if (ml_worker_cancelled(opening->worker, opening->command))
    return FALSE;
  opening->broken = !ml_worker_run_overtaking(opening->worker, opening->command->folder);
  return !opening->broken && !ml_worker_cancelled(opening->worker, opening->command);
}

/* A folder that is not there any more has no messages, whatever was told of it from the store. */
static void
forget_folder(MlWorker *worker, const char *folder)
{
  GError *why = NULL;
  g_autoptr(GArray) had = worker->store ? ml_store_uids(worker->store, folder, &why) : NULL;
  if (had && had->len) {
    MlEvent *event = ml_worker_event(worker, ML_EVENT_CHANGES, NULL, folder);
    event->changes = ml_changes_new();
    for (guint i = 0; i < had->len; i++)
      g_array_append_val(event->changes->vanished, g_array_index(had, MlFlagChange, i).uid);
    ml_worker_post(worker, event);
    static const MlSyncPoint nothing;
    const MlStoreStep step = { .reset = TRUE, .point = &nothing };
    gboolean kept = ml_store_apply(worker->store, folder, &step, &why);
    g_assert(kept || why);
  }
  if (why)
    ml_worker_store_failed(worker, why);
}

gboolean
ml_worker_sync(MlWorker *worker, MlCommand *command, GError **error)
{
  static const MlSyncFuncs funcs = { .opened = on_opened, .changes = on_changes, .headers = on_headers };
  MlSynced synced;
  Opening opening = { worker, command, &synced, 0, FALSE };
  GError *why = NULL;
  g_clear_pointer(&worker->selected, g_free);
  gboolean ok = ml_sync_folder(worker->driver, worker->store, command->folder, command->first, &funcs, &opening,
                               &synced, &why, error);
  if (why)
    ml_worker_store_failed(worker, why);
  if (ok && (synced.reset || synced.added || synced.changed))
    ml_worker_keep_anew(worker); /* else what could not be fetched is not asked for again */
  if (!ok && error && ml_error_is_absent(*error) && ml_driver_is_local(worker->driver))
    forget_folder(worker, command->folder);
  ml_worker_refresh(worker, command->folder);
  if (ok && (opening.broken || ml_worker_cancelled(worker, command))) {
    g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    return FALSE;
  }
  return ok;
}

gboolean
ml_worker_sync_open(MlWorker *worker, GError **error)
{
  enum { FIRST = 100 };
  g_autofree char *folder = g_strdup(worker->open);
  MlCommand again = { .kind = ML_COMMAND_OPEN, .folder = folder, .first = FIRST };
  return ml_worker_sync(worker, &again, error);
}

/* ---- keeping: what fails here is found by the next comparison */

static gboolean
keep(MlWorker *worker, const MlStoreStep *step)
{
  GError *why = NULL;
  gboolean kept = FALSE;
  if (ml_worker_store(worker) && worker->open) {
    kept = ml_store_apply(worker->store, worker->open, step, &why);
    if (!kept)
      ml_worker_store_failed(worker, why);
  }
  ml_worker_refresh(worker, worker->open);
  return kept;
}

void
ml_worker_keep_changes(MlWorker *worker, const MlChanges *changes)
{
  MlStoreStep step = { .uidvalidity = worker->opened.uidvalidity, .vanished = changes->vanished,
                       .flags = changes->flag_changes };
  if (!changes->reset && (changes->vanished->len || changes->flag_changes->len))
    keep(worker, &step);
}

gboolean
ml_worker_keep_new(MlWorker *worker, const GPtrArray *headers)
{
  MlStoreStep step = { .uidvalidity = worker->opened.uidvalidity, .headers = headers };
  return headers->len && keep(worker, &step);
}

void
ml_worker_keep_flags(MlWorker *worker, const MlCommand *command)
{
  GError *why = NULL;
  guint lost = worker->driver->unkept, seen = ml_driver_is_local(worker->driver) ? ML_FLAG_RECENT : 0;
  if (ml_worker_store(worker) &&
      !ml_store_change_flags(worker->store, command->folder, worker->selected_validity, command->uids,
                             command->add & ~lost, (command->remove & ~lost) | seen, &why))
    ml_worker_store_failed(worker, why);
}

guint32
ml_worker_validity(const MlWorker *worker, const MlCommand *command)
{
  if (command->meant)
    return command->meant;
  if (g_strcmp0(worker->open, command->folder) == 0)
    return worker->opened.uidvalidity;
  return g_strcmp0(worker->told, command->folder) == 0 ? worker->told_validity : 0;
}

gboolean
ml_worker_tell_kept(MlWorker *worker, const MlCommand *command)
{
  MlStore *store = ml_driver_is_local(worker->driver) ? NULL : ml_worker_store(worker);
  GError *why = NULL;
  gint64 received = 0;
  guint32 validity = ml_worker_validity(worker, command);
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
  MlStore *store = ml_driver_is_local(worker->driver) ? NULL : ml_worker_store(worker); /* its file is here */
  guint32 validity = ml_worker_validity(worker, command);
  GError *why = NULL;
  if (store && validity && !ml_store_put(store, command->folder, validity, command->uid, received, bytes, &why))
    ml_worker_store_failed(worker, why);
}
