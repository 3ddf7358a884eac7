#include "mail/worker-private.h"

/* A server is asked what fits, folder by folder. What is wrong with one of them does not keep the others from being asked. */

static void
post_progress(MlWorker *worker, const MlCommand *command, const char *folder)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_PROGRESS, command, folder);
  event->done = command->at;
  event->total = command->folders->len;
  ml_worker_post(worker, event);
}

static gboolean
collect(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  g_ptr_array_extend_and_steal(user_data, headers);
  return TRUE;
}

/* Those whose headers are told, ascending, as they are fetched. */
static GArray *
newest(const GArray *uids, guint most)
{
  guint n = MIN(uids->len, most);
  GArray *some = g_array_sized_new(FALSE, FALSE, sizeof(guint32), n);
  for (guint i = n; i-- > 0;)
    g_array_append_val(some, g_array_index(uids, guint32, i));
  return some;
}

static gboolean
search_folder(MlWorker *worker, const MlCommand *command, const char *folder, GError **error)
{
  MlSelected selected;
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  if (!ml_worker_select(worker, folder, &selected, error))
    return FALSE;
  g_autoptr(GArray) uids = ml_driver_search(worker->driver, command->query, error);
  g_autoptr(GArray) wanted = uids ? newest(uids, command->first) : NULL;
  if (!uids || !ml_driver_headers_of(worker->driver, wanted, collect, headers, error))
    return FALSE;
  MlEvent *event = ml_worker_event(worker, ML_EVENT_FOUND, command, folder);
  event->selected = selected;
  event->uids = g_steal_pointer(&uids);
  event->headers = g_steal_pointer(&headers);
  ml_worker_post(worker, event);
  return TRUE;
}

static void
leave_out(MlWorker *worker, const MlCommand *command, const char *folder, GError *why)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_FOUND, command, folder);
  event->error = why;
  ml_worker_post(worker, event);
}

static GPtrArray *
names_of(const GPtrArray *folders, gboolean anywhere)
{
  g_autoptr(GPtrArray) trashes = ml_folder_trashes(folders);
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < folders->len; i++) {
    const MlFolder *folder = folders->pdata[i];
    if (folder->selectable && (anywhere || !ml_folder_is_aside(trashes, folder)))
      g_ptr_array_add(names, g_strdup(folder->name));
  }
  return names;
}

static gboolean
list_folders(MlWorker *worker, MlCommand *command, GError **error)
{
  if (command->folders)
    return TRUE;
  if (command->folder) {
    command->folders = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(command->folders, g_strdup(command->folder));
    return TRUE;
  }
  g_autoptr(GPtrArray) folders = ml_driver_folders(worker->driver, FALSE, error);
  command->folders = folders ? names_of(folders, command->query->anywhere) : NULL;
  return folders != NULL;
}

/* A connection that breaks is made anew once (ml_worker_run()), and then the folder in which it broke is not asked again:
 * a server may die of it. */
gboolean
ml_worker_run_search(MlWorker *worker, MlCommand *command, GError **error)
{
  if (!worker->driver->ops->search) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "There is no server to be asked: all mail of %s is on this machine.",
                worker->account->name);
    return FALSE;
  }
  if (!list_folders(worker, command, error))
    return FALSE;
  for (; command->at < command->folders->len; command->at++) {
    const char *folder = command->folders->pdata[command->at];
    GError *why = NULL;
    if (ml_worker_cancelled(worker, command)) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
    post_progress(worker, command, folder);
    if (search_folder(worker, command, folder, &why))
      continue;
    gboolean broken = ml_worker_is_broken(why);
    if (!broken && !ml_error_is_absent(why) && !g_error_matches(why, ML_ERROR, ML_ERROR_FAILED)) {
      g_propagate_error(error, why);
      return FALSE;
    }
    if (broken && error)
      *error = g_error_copy(why);
    leave_out(worker, command, folder, why);
    if (broken) {
      command->at++;
      return FALSE;
    }
  }
  return TRUE;
}
