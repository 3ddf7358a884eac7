#include <string.h>

#include "mail/sync.h"
#include "mail/worker-private.h"

enum { PROGRESS_US = 100000, TRIES_MAX = 16 };

static gboolean
select_folder(MlWorker *worker, const char *folder, MlSelected *selected, GError **error)
{
  worker->left |= worker->open && strcmp(worker->open, folder) != 0;
  g_clear_pointer(&worker->selected, g_free);
  if (!ml_driver_select(worker->driver, folder, selected, error))
    return FALSE;
  worker->selected = g_strdup(folder);
  worker->selected_validity = selected->uidvalidity;
  worker->selected_read_only = selected->read_only;
  return TRUE;
}

gboolean
ml_worker_select(MlWorker *worker, const char *folder, MlSelected *selected, GError **error)
{
  if (g_strcmp0(worker->selected, folder) != 0)
    return select_folder(worker, folder, selected, error);
  *selected = (MlSelected){ .uidvalidity = worker->selected_validity, .read_only = worker->selected_read_only };
  return TRUE;
}

void
ml_worker_post_changes(MlWorker *worker, MlChanges *changes)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_CHANGES, NULL, worker->open);
  event->changes = changes;
  ml_worker_post(worker, event);
}

/* The folder that the UI looks at is the one whose news we hear. A command may have come back to it without asking what
 * happened there meanwhile. */
gboolean
ml_worker_select_open(MlWorker *worker, GError **error)
{
  gboolean local = ml_driver_is_local(worker->driver), here = g_strcmp0(worker->open, worker->selected) == 0;
  gboolean left = worker->left && ml_worker_store(worker);
  if (!worker->open || (here && !left))
    return TRUE;
  if (left || (local && ml_worker_store(worker)))
    return ml_worker_sync_open(worker, error);
  MlSelected selected;
  if (!select_folder(worker, worker->open, &selected, error))
    return FALSE;
  /* IMAP's driver remembers what it told and finds the difference; a local folder without a store is read again. */
  gboolean reset = selected.uidvalidity != worker->opened.uidvalidity || local;
  worker->opened = selected;
  if (reset) {
    MlChanges *changes = ml_changes_new();
    changes->reset = TRUE;
    ml_worker_post_changes(worker, changes);
  }
  return TRUE;
}

/* Numbers of a folder that was replaced by another one name other messages: nothing is done to those. */
static gboolean
need_folder(MlWorker *worker, const MlCommand *command, GError **error)
{
  MlSelected selected;
  if (g_strcmp0(worker->selected, command->folder) != 0 &&
      !select_folder(worker, command->folder, &selected, error))
    return FALSE;
  guint32 meant = ml_worker_validity(worker, command);
  if (!meant || meant == worker->selected_validity)
    return TRUE;
  if (g_strcmp0(worker->open, command->folder) == 0 && worker->opened.uidvalidity != worker->selected_validity)
    g_clear_pointer(&worker->selected, g_free); /* so that the UI hears of it */
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
              "The folder %s was replaced by another one on the server: open it again.", command->folder);
  return FALSE;
}

typedef struct {
  MlWorker *worker;
  MlCommand *command;
  gboolean broken; /* an overtaking command found the line dead */
} Listing;

gboolean
ml_worker_cancelled(MlWorker *worker, MlCommand *command)
{
  g_mutex_lock(&worker->lock);
  gboolean cancelled = command->cancelled || worker->stop;
  g_mutex_unlock(&worker->lock);
  return cancelled;
}

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Listing *listing = user_data;
  MlWorker *worker = listing->worker;
  MlCommand *command = listing->command;
  for (guint i = headers->len; i > 0; i--) {
    guint32 uid = ((MlHeader *)g_ptr_array_index(headers, i - 1))->uid;
    worker->top = MAX(worker->top, uid);
    if (command->lowest && uid >= command->lowest)
      g_ptr_array_remove_index(headers, i - 1); /* told before the line broke */
  }
  if (headers->len) {
    command->lowest = ((MlHeader *)g_ptr_array_index(headers, headers->len - 1))->uid;
    command->delivered += headers->len;
    MlEvent *event = ml_worker_event(worker, ML_EVENT_HEADERS, command, command->folder);
    event->headers = headers;
    event->done = MAX(done, command->delivered);
    event->total = total;
    ml_worker_post(worker, event);
  } else {
    g_ptr_array_unref(headers);
  }
  if (ml_worker_cancelled(worker, command))
    return FALSE;
  listing->broken = !ml_worker_run_overtaking(worker, command->folder);
  return !listing->broken && !ml_worker_cancelled(worker, command);
}

static gboolean
run_open(MlWorker *worker, MlCommand *command, GError **error)
{
  MlSelected selected;
  if (ml_worker_store(worker))
    return ml_worker_sync(worker, command, error);
  if (!select_folder(worker, command->folder, &selected, error))
    return FALSE;
  if (!command->validity || command->validity != selected.uidvalidity) {
    MlEvent *event = ml_worker_event(worker, ML_EVENT_OPENED, command, command->folder);
    event->selected = selected;
    ml_worker_post(worker, event);
    command->lowest = 0;
    command->delivered = 0;
    worker->top = 0;
  }
  command->validity = selected.uidvalidity;
  g_free(worker->open);
  worker->open = g_strdup(command->folder);
  ml_worker_keep_anew(worker);
  worker->opened = selected;
  Listing listing = { worker, command, FALSE };
  gboolean ok = ml_driver_headers(worker->driver, 0, command->first, on_headers, &listing, error);
  if (!ok || ml_worker_cancelled(worker, command) || listing.broken) {
    /* What overtook us was cancelled, or found the line dead and has told so: we begin again. */
    if (ok)
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    return FALSE;
  }
  return TRUE;
}

static void
on_progress(guint64 done, guint64 total, gpointer user_data)
{
  Listing *fetch = user_data;
  gint64 now = g_get_monotonic_time();
  if (done < total && now - fetch->command->last_progress < PROGRESS_US)
    return;
  fetch->command->last_progress = now;
  MlEvent *event = ml_worker_event(fetch->worker, ML_EVENT_PROGRESS, fetch->command, fetch->command->folder);
  event->uid = fetch->command->uid;
  event->done = done;
  event->total = total;
  ml_worker_post(fetch->worker, event);
}

static gboolean
run_fetch(MlWorker *worker, MlCommand *command, GError **error)
{
  Listing fetch = { worker, command, FALSE };
  gint64 received = 0;
  if (command->ahead && command->size > ML_STORE_BODY)
    return TRUE; /* it would not be kept */
  command->last_progress = g_get_monotonic_time();
  if (!need_folder(worker, command, error))
    return FALSE;
  if (command->kind == ML_COMMAND_FETCH && ml_worker_tell_kept(worker, command))
    return TRUE;
  GPtrArray *left = NULL;
  gboolean part = command->kind == ML_COMMAND_FETCH_PART;
  GBytes *bytes = part ? ml_driver_fetch_part(worker->driver, command->uid, command->section, command->size,
                                              on_progress, &fetch, error)
                       : ml_driver_fetch_shown(worker->driver, command->uid, command->size, &left, &received,
                                               on_progress, &fetch, error);
  if (!bytes)
    return FALSE;
  if (!part && !left)
    ml_worker_keep_message(worker, command, received, bytes);
  if (command->ahead) {
    g_bytes_unref(bytes);
    g_clear_pointer(&left, g_ptr_array_unref);
    return TRUE;
  }
  MlEvent *event =
      ml_worker_event(worker, part ? ML_EVENT_PART : ML_EVENT_MESSAGE, command, command->folder);
  event->uid = command->uid;
  event->received = received;
  event->left = left;
  event->bytes = bytes;
  ml_worker_post(worker, event);
  return TRUE;
}

static gboolean
run_folders(MlWorker *worker, MlCommand *command, GError **error)
{
  GPtrArray *folders = ml_driver_folders(worker->driver, command->counts, error);
  if (!folders)
    return FALSE;
  ml_worker_keep_folders(worker, folders);
  worker->told_folders = TRUE;
  MlEvent *event = ml_worker_event(worker, ML_EVENT_FOLDERS, command, NULL);
  event->folders = folders;
  ml_worker_post(worker, event);
  return TRUE;
}

static gboolean
on_new(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  MlWorker *worker = user_data;
  for (guint i = 0; i < headers->len; i++)
    worker->top = MAX(worker->top, ((MlHeader *)g_ptr_array_index(headers, i))->uid);
  gboolean kept = ml_worker_keep_new(worker, headers);
  MlEvent *event = ml_worker_event(worker, ML_EVENT_NEW, NULL, worker->open);
  event->stored = kept;
  event->headers = headers;
  event->done = done;
  event->total = total;
  ml_worker_post(worker, event);
  return TRUE;
}

/* Takes @changes. */
gboolean
ml_worker_tell_changes(MlWorker *worker, MlChanges *changes, GError **error)
{
  gboolean new_mail = changes->new_mail && !changes->reset;
  g_autoptr(GArray) arrived = g_array_ref(changes->arrived);
  ml_worker_keep_changes(worker, changes);
  if (new_mail || !ml_changes_empty(changes))
    ml_worker_keep_anew(worker);
  if (ml_changes_empty(changes))
    ml_changes_free(changes);
  else
    ml_worker_post_changes(worker, changes);
  return !new_mail || (arrived->len ? ml_driver_headers_of(worker->driver, arrived, on_new, worker, error)
                                    : ml_driver_headers(worker->driver, worker->top, ML_CHUNK_MAX, on_new, worker, error));
}

static gboolean
run_poll(MlWorker *worker, GError **error)
{
  if (!ml_worker_select_open(worker, error))
    return FALSE;
  g_autoptr(MlChanges) changes = ml_changes_new();
  return ml_driver_poll(worker->driver, changes, error) &&
         ml_worker_tell_changes(worker, g_steal_pointer(&changes), error);
}

/* The line may have broken after the server had it. */
static gboolean
run_append(MlWorker *worker, MlCommand *command, GError **error)
{
  gboolean there = FALSE;
  if (command->broken || command->tries) {
    gsize length;
    const char *data = g_bytes_get_data(command->bytes, &length);
    g_autofree char *id = ml_header_value(data, ml_header_block_length(data, length), "Message-ID");
    if (id && !ml_driver_has(worker->driver, command->folder, id, &there, error))
      return FALSE;
  }
  return there || ml_driver_append(worker->driver, command->folder, command->bytes, command->add,
                                   command->received, NULL, error);
}

/* What is looked for in a folder by its Message-ID. */
typedef struct {
  const char *message_id; /* without angle brackets */
  GArray *uids;
} Looking;

static gboolean
on_looked(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Looking *looking = user_data;
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = g_ptr_array_index(headers, i);
    if (strcmp(header->message_id, looking->message_id) == 0)
      g_array_append_val(looking->uids, header->uid);
  }
  g_ptr_array_unref(headers);
  return TRUE;
}

static gboolean
run_remove(MlWorker *worker, MlCommand *command, GError **error)
{
  g_autofree char *id = g_strdup(command->to + (*command->to == '<'));
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  Looking looking = { id, uids };
  if (g_str_has_suffix(id, ">"))
    id[strlen(id) - 1] = '\0';
  if (!*id || !need_folder(worker, command, error) ||
      !ml_driver_headers(worker->driver, 0, 200, on_looked, &looking, error))
    return !*id;
  return ml_driver_delete(worker->driver, uids, error);
}

static gboolean
execute(MlWorker *worker, MlCommand *command, GError **error)
{
  switch (command->kind) {
  case ML_COMMAND_FOLDERS:
    return run_folders(worker, command, error);
  case ML_COMMAND_OPEN:
    return run_open(worker, command, error);
  case ML_COMMAND_FETCH:
  case ML_COMMAND_FETCH_PART:
    return run_fetch(worker, command, error);
  case ML_COMMAND_FLAGS:
    if (!need_folder(worker, command, error) ||
        !ml_driver_flags(worker->driver, command->uids, command->add, command->remove, error))
      return FALSE;
    ml_worker_keep_flags(worker, command);
    return TRUE;
  case ML_COMMAND_COPY:
    return need_folder(worker, command, error) &&
           ml_driver_copy(worker->driver, command->uids, command->to, error);
  case ML_COMMAND_MOVE:
    return need_folder(worker, command, error) &&
           ml_driver_move(worker->driver, command->uids, command->to, error);
  case ML_COMMAND_EXPUNGE:
    return need_folder(worker, command, error) && ml_driver_delete(worker->driver, command->uids, error);
  case ML_COMMAND_POLL:
    return run_poll(worker, error);
  case ML_COMMAND_APPEND:
    return run_append(worker, command, error);
  case ML_COMMAND_REMOVE:
    return run_remove(worker, command, error);
  case ML_COMMAND_CARRY:
    return ml_worker_run_carry(worker, command, error);
  case ML_COMMAND_SEARCH:
    return ml_worker_run_search(worker, command, error);
  }
  g_assert_not_reached();
}

/* @level 1 overtakes what runs at level 0. An interrupt that was meant for an earlier command is forgotten
 * first. */
static void
begin(MlWorker *worker, MlCommand *command, guint level)
{
  if (level == 0)
    ml_driver_resume(worker->driver);
  g_mutex_lock(&worker->lock);
  worker->running[level] = command;
  gboolean stop = worker->stop;
  g_mutex_unlock(&worker->lock);
  if (stop)
    ml_driver_interrupt(worker->driver); /* ml_driver_resume() may just have forgotten it */
}

static gboolean
end(MlWorker *worker, guint level)
{
  g_mutex_lock(&worker->lock);
  gboolean cancelled = worker->running[level]->cancelled || worker->stop;
  worker->running[level] = NULL;
  g_mutex_unlock(&worker->lock);
  return cancelled;
}

static void
push_front(MlWorker *worker, MlCommand *command)
{
  g_mutex_lock(&worker->lock);
  g_queue_push_head(&worker->queue, command);
  g_mutex_unlock(&worker->lock);
}

/* May it have been done, although it failed? */
static gboolean
is_unsure(MlWorker *worker, const MlCommand *command)
{
  return (command->kind == ML_COMMAND_COPY || command->kind == ML_COMMAND_MOVE) &&
         ml_driver_unsure(worker->driver);
}

/* What a person has to know who would now do it again. */
static GError *
say_unsure(const MlCommand *command, GError *error)
{
  const char *why = g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED) ? "It was cancelled." : error->message;
  GError *said =
      command->kind == ML_COMMAND_COPY
          ? g_error_new(ML_ERROR, ML_ERROR_FAILED,
                        "It may have been copied, and was not copied a second time: look at %s. %s", command->to, why)
          : g_error_new(ML_ERROR, ML_ERROR_FAILED,
                        "It may have been copied to %s already, and is perhaps still in %s: nothing is lost; look at "
                        "both before you move it again. %s",
                        command->to, command->folder, why);
  g_error_free(error);
  return said;
}

/* Once for a connection that broke. What was interrupted for another command's sake does not count, but
 * not for ever. */
static gboolean
try_again(MlWorker *worker, MlCommand *command, const GError *error, gboolean cancelled)
{
  if (cancelled || command->tries >= TRIES_MAX || is_unsure(worker, command))
    return FALSE;
  if (ml_worker_is_broken(error)) {
    gboolean first = !command->broken;
    command->broken = TRUE;
    return first;
  }
  command->tries++;
  return g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED);
}

/* What a failure says about the connection. */
void
ml_worker_learn(MlWorker *worker, const GError *error)
{
  if (ml_worker_is_broken(error) || ml_worker_needs_user(error))
    ml_worker_go_offline(worker, error);
  else if (g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED))
    g_clear_pointer(&worker->selected, g_free); /* the connection went with it */
}

/* A change that was written down is not lost with the line: nobody waits for it any more. */
static void
end_carry(MlWorker *worker, MlCommand *command, GError **error)
{
  if (command->kind != ML_COMMAND_CARRY || !*error || command->failed)
    return;
  g_clear_error(error);
  g_mutex_lock(&worker->lock);
  command->cancelled = TRUE;
  g_mutex_unlock(&worker->lock);
}

/* Takes @command. */
void
ml_worker_run(MlWorker *worker, MlCommand *command)
{
  begin(worker, command, 0);
  g_autoptr(GError) error = NULL;
  if (command->kind == ML_COMMAND_OPEN) {
    ml_worker_tell_stored(worker, command);
    ml_sync_expect(worker->driver, ml_worker_store(worker), command->folder, command->first);
  }
  if (command->kind == ML_COMMAND_FOLDERS && worker->state != ML_STATE_ONLINE)
    ml_worker_tell_folders(worker, command);
  if (command->kind == ML_COMMAND_FETCH && worker->state != ML_STATE_ONLINE && ml_worker_tell_kept(worker, command)) {
    end(worker, 0);
    ml_worker_post_done(worker, command, NULL);
    return;
  }
  gboolean ok = FALSE, online = ml_worker_go_online(worker, command, &error);
  while (online && !(ok = execute(worker, command, &error))) {
    ml_worker_learn(worker, error);
    if (!try_again(worker, command, error, ml_worker_cancelled(worker, command))) {
      if (is_unsure(worker, command))
        error = say_unsure(command, g_steal_pointer(&error));
      break;
    }
    g_clear_error(&error);
    online = worker->state == ML_STATE_ONLINE || ml_worker_connect_now(worker, &error);
  }
  gboolean cancelled = end(worker, 0);
  end_carry(worker, command, &error);
  if (!ok && cancelled && command->kind != ML_COMMAND_CARRY &&
      !g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED) && !is_unsure(worker, command)) {
    g_clear_error(&error);
    error = g_error_new(ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  }
  ml_worker_post_done(worker, command, g_steal_pointer(&error));
}

static MlCommand *
take_overtaking(MlWorker *worker, const char *folder)
{
  MlCommand *found = NULL;
  gboolean carry = ml_worker_may_overtake(worker, folder);
  g_mutex_lock(&worker->lock);
  for (GList *link = worker->queue.head; link && !found; link = link->next) {
    MlCommand *command = link->data;
    if ((command->kind == ML_COMMAND_FETCH || command->kind == ML_COMMAND_FETCH_PART ||
         command->kind == ML_COMMAND_FLAGS || (carry && command->kind == ML_COMMAND_CARRY)) &&
        strcmp(command->folder, folder) == 0) {
      found = command;
      g_queue_delete_link(&worker->queue, link);
    }
  }
  g_mutex_unlock(&worker->lock);
  return found;
}

/* Between two chunks of a listing. FALSE: the connection is gone, and the listing with it. */
gboolean
ml_worker_run_overtaking(MlWorker *worker, const char *folder)
{
  for (;;) {
    MlCommand *command = take_overtaking(worker, folder);
    if (!command)
      return TRUE;
    begin(worker, command, 1);
    g_autoptr(GError) error = NULL;
    gboolean ok = execute(worker, command, &error);
    gboolean cancelled = end(worker, 1);
    gboolean lost =
        !ok && (ml_worker_is_broken(error) || g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED));
    if (!ok)
      ml_worker_learn(worker, error);
    if (lost && try_again(worker, command, error, cancelled))
      push_front(worker, command);
    else {
      end_carry(worker, command, &error);
      ml_worker_post_done(worker, command, g_steal_pointer(&error));
    }
    if (lost)
      return FALSE;
  }
}
