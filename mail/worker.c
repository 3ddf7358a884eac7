#include "mail/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mail/sync.h"
#include "mail/worker-private.h"

enum { EVENTS_A_TURN = 64, TURN_US = 2000, SPENT_MOST = 16, BACKOFF_MAX = 300 };

void
ml_event_free(MlEvent *event)
{
  if (!event)
    return;
  g_free(event->account);
  g_free(event->folder);
  g_clear_pointer(&event->folders, g_ptr_array_unref);
  g_clear_pointer(&event->headers, g_ptr_array_unref);
  g_clear_pointer(&event->lines, g_array_unref);
  g_clear_pointer(&event->uids, g_array_unref);
  ml_changes_free(event->changes);
  g_clear_pointer(&event->bytes, g_bytes_unref);
  g_clear_pointer(&event->left, g_ptr_array_unref);
  g_clear_error(&event->error);
  g_free(event);
}

static void
command_free(MlCommand *command)
{
  if (!command)
    return;
  g_free(command->folder);
  g_free(command->to);
  g_free(command->section);
  g_clear_pointer(&command->uids, g_array_unref);
  g_clear_pointer(&command->bytes, g_bytes_unref);
  g_clear_pointer(&command->folders, g_ptr_array_unref);
  ml_query_free(command->query);
  g_free(command);
}

void
ml_worker_wake(MlWorker *worker)
{
  guint64 one = 1;
  if (write(worker->wake_fd, &one, sizeof one) != sizeof one && errno != EAGAIN)
    g_warning("cannot wake the worker of %s: %s", worker->account->name, g_strerror(errno));
}

/* ---- events: from the worker to the context that made it */

/* Under the lock; they are freed without it. */
static void
take_spent(MlWorker *worker, GQueue *spent)
{
  *spent = worker->spent;
  g_queue_init(&worker->spent);
}

/* Takes @event. The headers of a long list go back to the thread that made them: freed here they would wait for its
 * memory's lock. When the list has come to its end what is left of it goes as well. */
static void
done_with(MlWorker *worker, MlEvent *event)
{
  GQueue spent = G_QUEUE_INIT;
  g_mutex_lock(&worker->lock);
  if (event->kind == ML_EVENT_HEADERS)
    g_queue_push_tail(&worker->spent, g_steal_pointer(&event));
  else if (event->kind == ML_EVENT_DONE)
    take_spent(worker, &spent);
  g_mutex_unlock(&worker->lock);
  g_queue_clear_full(&spent, (GDestroyNotify)ml_event_free);
  ml_event_free(event);
}

/* Not for long, however much has come: a key may wait. The worker, which may have no more to tell, is not waited for where
 * many lists are to be freed. */
static gboolean
deliver(gpointer data)
{
  MlWorker *worker = data;
  GQueue spent = G_QUEUE_INIT;
  gint64 until = g_get_monotonic_time() + TURN_US;
  for (guint i = 0; i < EVENTS_A_TURN && (!i || g_get_monotonic_time() < until); i++) {
    g_mutex_lock(&worker->lock);
    MlEvent *event = g_queue_pop_head(&worker->events);
    if (!event) {
      g_clear_pointer(&worker->source, g_source_unref);
      if (worker->spent.length > SPENT_MOST)
        take_spent(worker, &spent);
    }
    g_mutex_unlock(&worker->lock);
    if (!event) {
      g_queue_clear_full(&spent, (GDestroyNotify)ml_event_free);
      return G_SOURCE_REMOVE;
    }
    if (event->kind == ML_EVENT_STATE)
      worker->shown_state = event->state;
    ml_worker_overlay(worker, event);
    if (event->kind == ML_EVENT_OPENED)
      g_hash_table_replace(worker->shown, g_strdup(event->folder), GUINT_TO_POINTER(event->selected.uidvalidity));
    worker->func(event, worker->user_data);
    done_with(worker, event);
  }
  return G_SOURCE_CONTINUE;
}

/* Takes @event. */
void
ml_worker_post(MlWorker *worker, MlEvent *event)
{
  GQueue spent;
  g_mutex_lock(&worker->lock);
  take_spent(worker, &spent);
  g_queue_push_tail(&worker->events, event);
  if (!worker->source) {
    worker->source = g_idle_source_new();
    g_source_set_priority(worker->source, G_PRIORITY_DEFAULT);
    g_source_set_callback(worker->source, deliver, worker, NULL);
    g_source_attach(worker->source, worker->context);
  }
  g_mutex_unlock(&worker->lock);
  g_queue_clear_full(&spent, (GDestroyNotify)ml_event_free);
}

MlEvent *
ml_worker_event(MlWorker *worker, MlEventKind kind, const MlCommand *command, const char *folder)
{
  MlEvent *event = g_new0(MlEvent, 1);
  event->kind = kind;
  event->id = command ? command->id : 0;
  event->account = g_strdup(worker->account->name);
  event->folder = g_strdup(folder);
  return event;
}

/* Takes @command and @error. */
void
ml_worker_post_done(MlWorker *worker, MlCommand *command, GError *error)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_DONE, command, command->folder);
  event->uid = command->uid;
  event->error = error;
  event->waiting = command->kind == ML_COMMAND_CARRY && command->cancelled && !error;
  command_free(command);
  ml_worker_post(worker, event);
}

static void
set_state(MlWorker *worker, MlState state, const GError *error)
{
  g_clear_error(&worker->offline);
  if (error)
    worker->offline = g_error_copy(error);
  if (worker->told_state && worker->state == state && state != ML_STATE_OFFLINE)
    return;
  worker->told_state = TRUE;
  worker->state = state;
  MlEvent *event = ml_worker_event(worker, ML_EVENT_STATE, NULL, NULL);
  event->state = state;
  event->error = error ? g_error_copy(error) : NULL;
  ml_worker_post(worker, event);
}

/* ---- the connection */

gboolean
ml_worker_is_broken(const GError *error)
{
  return g_error_matches(error, ML_ERROR, ML_ERROR_OFFLINE) ||
         g_error_matches(error, ML_ERROR, ML_ERROR_PROTOCOL);
}

gboolean
ml_worker_needs_user(const GError *error)
{
  return g_error_matches(error, ML_ERROR, ML_ERROR_AUTH) ||
         g_error_matches(error, ML_ERROR, ML_ERROR_UNTRUSTED) ||
         g_error_matches(error, ML_ERROR, ML_ERROR_CONFIG);
}

/* What a person must mend is not tried again by itself: it would lock the account, or ask in a loop. */
void
ml_worker_go_offline(MlWorker *worker, const GError *error)
{
  g_clear_pointer(&worker->selected, g_free);
  worker->backoff = worker->backoff ? MIN(worker->backoff * 2, BACKOFF_MAX) : 1;
  worker->next_attempt = ml_worker_needs_user(error)
                             ? G_MAXINT64
                             : g_get_monotonic_time() + (gint64)worker->backoff * G_USEC_PER_SEC;
  set_state(worker, ML_STATE_OFFLINE, error);
}

gboolean
ml_worker_connect_now(MlWorker *worker, GError **error)
{
  g_autoptr(GError) why = NULL;
  set_state(worker, ML_STATE_CONNECTING, NULL);
  if (ml_driver_connect(worker->driver, &why)) {
    worker->backoff = 0;
    set_state(worker, ML_STATE_ONLINE, NULL);
    ml_sync_learn(worker->driver, ml_worker_store(worker));
    return TRUE;
  }
  if (g_error_matches(why, ML_ERROR, ML_ERROR_CANCELLED)) {
    /* Nothing is known about the line. */
    worker->next_attempt = g_get_monotonic_time();
    set_state(worker, ML_STATE_OFFLINE, NULL);
  } else {
    ml_worker_go_offline(worker, why);
  }
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

/* What the user asks for looks for the line at once; what follows from it does not, for as long as it is
 * known to be down: a hundred queued commands would each wait for their timeout. */
gboolean
ml_worker_go_online(MlWorker *worker, const MlCommand *command, GError **error)
{
  if (worker->told_state && worker->state == ML_STATE_ONLINE)
    return TRUE;
  gboolean asked = command->kind == ML_COMMAND_FOLDERS || command->kind == ML_COMMAND_OPEN ||
                   command->kind == ML_COMMAND_POLL || command->kind == ML_COMMAND_SEARCH;
  if (!asked && worker->offline && g_get_monotonic_time() < worker->next_attempt) {
    g_propagate_error(error, g_error_copy(worker->offline));
    return FALSE;
  }
  return ml_worker_connect_now(worker, error);
}

/* Nothing is asked: carries out what waits for the line, as long as nothing is. TRUE: look again what to do. */
static gboolean
carry(MlWorker *worker)
{
  g_autoptr(GError) error = NULL;
  ml_driver_resume(worker->driver);
  g_mutex_lock(&worker->lock);
  gboolean stop = worker->stop;
  g_mutex_unlock(&worker->lock);
  if (stop || ml_worker_run_carry(worker, NULL, &error))
    return stop;
  ml_worker_learn(worker, error);
  return ml_worker_is_broken(error) || ml_worker_needs_user(error);
}

gboolean
ml_worker_is_woken(const MlWorker *worker)
{
  GPollFD fd = { worker->wake_fd, G_IO_IN, 0 };
  return g_poll(&fd, 1, 0) != 0;
}

/* The same for text that is wanted here. TRUE: look again what to do. */
static gboolean
keep(MlWorker *worker)
{
  ml_driver_resume(worker->driver);
  g_mutex_lock(&worker->lock);
  gboolean stop = worker->stop;
  g_mutex_unlock(&worker->lock);
  return stop || ml_worker_keep(worker) || ml_worker_round(worker);
}

/* Nothing to do: waits for news or for the next command. */
static void
idle(MlWorker *worker)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlChanges) changes = ml_changes_new();
  ml_driver_resume(worker->driver);
  g_mutex_lock(&worker->lock);
  gboolean stop = worker->stop;
  g_mutex_unlock(&worker->lock);
  if (stop)
    return;
  if (ml_worker_select_open(worker, &error) &&
      ml_driver_wait(worker->driver, worker->wake_fd, changes, &error) &&
      ml_worker_tell_changes(worker, g_steal_pointer(&changes), &error))
    return;
  if (g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED)) {
    g_clear_pointer(&worker->selected, g_free);
  } else if (ml_error_is_absent(error)) {
    /* The open folder is gone: say so once, and wait without it. */
    changes = changes ? changes : ml_changes_new();
    changes->reset = TRUE;
    ml_worker_post_changes(worker, g_steal_pointer(&changes));
    g_clear_pointer(&worker->open, g_free);
  } else {
    ml_worker_go_offline(worker, error);
  }
}

/* Offline: waits for the next command or the next attempt. */
static void
rest(MlWorker *worker)
{
  gint64 now = g_get_monotonic_time();
  gboolean by_itself = worker->told_state && worker->next_attempt != G_MAXINT64;
  if (by_itself && now >= worker->next_attempt) {
    ml_driver_resume(worker->driver);
    g_mutex_lock(&worker->lock);
    gboolean stop = worker->stop;
    g_mutex_unlock(&worker->lock);
    if (!stop)
      ml_worker_connect_now(worker, NULL);
    return;
  }
  gint64 left = by_itself ? (worker->next_attempt - now) / 1000 + 1 : 3600000;
  ml_driver_resume(worker->driver);
  ml_driver_wait_fd(worker->driver, -1, worker->wake_fd, (int)MIN(left, 3600000));
}

static gpointer
work(gpointer data)
{
  MlWorker *worker = data;
  for (;;) {
    guint64 drained;
    if (read(worker->wake_fd, &drained, sizeof drained) < 0 && errno != EAGAIN)
      g_warning("eventfd: %s", g_strerror(errno));
    g_mutex_lock(&worker->lock);
    gboolean stop = worker->stop;
    MlCommand *command = stop ? NULL : g_queue_pop_head(&worker->queue);
    g_mutex_unlock(&worker->lock);
    if (stop)
      return NULL;
    ml_worker_refresh_changed(worker);
    if (command) {
      ml_worker_run(worker, command);
      worker->asked = g_get_monotonic_time();
    } else if (worker->told_state && worker->state == ML_STATE_ONLINE && !carry(worker)) {
      if (!keep(worker))
        idle(worker);
      else /* without the changes in between: a server that puts one off would be asked for it again each time */
        while (worker->state == ML_STATE_ONLINE && !ml_worker_is_woken(worker) && keep(worker))
          ;
    }
    else if (worker->told_state && worker->state == ML_STATE_ONLINE)
      continue;
    else
      rest(worker);
  }
}

/* ---- the UI's side */

MlWorker *
ml_worker_new(const MlAccount *account, const MlDriverHooks *hooks, MlEventFunc func, gpointer user_data)
{
  MlWorker *worker = g_new0(MlWorker, 1);
  worker->account = account;
  worker->func = func;
  worker->user_data = user_data;
  worker->context = g_main_context_ref_thread_default();
  worker->driver = ml_driver_new(account, hooks);
  worker->shown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert(worker->wake_fd >= 0);
  g_mutex_init(&worker->lock);
  g_queue_init(&worker->queue);
  g_queue_init(&worker->events);
  g_queue_init(&worker->spent);
  worker->shown_state = ML_STATE_CONNECTING;
  ml_worker_pending_start(worker);
  worker->thread = g_thread_new(account->name, work, worker);
  return worker;
}

void
ml_worker_free(MlWorker *worker)
{
  if (!worker)
    return;
  ml_worker_wait_written(worker);
  g_mutex_lock(&worker->lock);
  worker->stop = TRUE;
  ml_driver_interrupt(worker->driver);
  g_mutex_unlock(&worker->lock);
  ml_worker_wake(worker);
  g_thread_join(worker->thread);
  if (worker->source) {
    g_source_destroy(worker->source);
    g_source_unref(worker->source);
  }
  g_queue_clear_full(&worker->queue, (GDestroyNotify)command_free);
  g_queue_clear_full(&worker->events, (GDestroyNotify)ml_event_free);
  g_queue_clear_full(&worker->spent, (GDestroyNotify)ml_event_free);
  ml_driver_free(worker->driver);
  ml_worker_pending_clear(worker);
  ml_worker_round_clear(worker);
  ml_store_free(worker->store); /* after those that only read: who closes last takes the log into the file, if it may write */
  g_free(worker->store_said);
  g_free(worker->told);
  g_hash_table_unref(worker->shown);
  g_main_context_unref(worker->context);
  g_mutex_clear(&worker->lock);
  close(worker->wake_fd);
  g_clear_error(&worker->offline);
  g_free(worker->open);
  g_clear_pointer(&worker->lacking, g_array_unref);
  g_free(worker->selected);
  g_free(worker);
}

guint64
ml_worker_give(MlWorker *worker, MlCommand *command)
{
  guint64 id = command->id = ++worker->last_id;
  if (command->uid || command->uids)
    command->meant = ml_worker_shown_validity(worker, command->folder);
  g_mutex_lock(&worker->lock);
  g_queue_push_tail(&worker->queue, command);
  g_mutex_unlock(&worker->lock);
  ml_worker_wake(worker);
  return id;
}

MlCommand *
ml_worker_command(MlCommandKind kind, const char *folder, const char *to, GArray *uids)
{
  MlCommand *command = g_new0(MlCommand, 1);
  command->kind = kind;
  command->folder = g_strdup(folder);
  command->to = g_strdup(to);
  command->uids = uids ? g_array_copy(uids) : NULL;
  return command;
}

guint64
ml_worker_folders(MlWorker *worker, gboolean counts)
{
  MlCommand *command = ml_worker_command(ML_COMMAND_FOLDERS, NULL, NULL, NULL);
  command->counts = counts;
  return ml_worker_give(worker, command);
}

guint64
ml_worker_open(MlWorker *worker, const char *folder, guint first)
{
  MlCommand *command = ml_worker_command(ML_COMMAND_OPEN, folder, NULL, NULL);
  command->first = first;
  return ml_worker_give(worker, command);
}

guint64
ml_worker_fetch(MlWorker *worker, const char *folder, guint32 uid)
{
  return ml_worker_fetch_shown(worker, folder, uid, 0);
}

guint64
ml_worker_fetch_shown(MlWorker *worker, const char *folder, guint32 uid, guint64 size)
{
  MlCommand *command = ml_worker_command(ML_COMMAND_FETCH, folder, NULL, NULL);
  command->uid = uid;
  command->size = size;
  return ml_worker_give(worker, command);
}

guint64
ml_worker_fetch_ahead(MlWorker *worker, const char *folder, guint32 uid, guint64 size)
{
  MlCommand *command = ml_worker_command(ML_COMMAND_FETCH, folder, NULL, NULL);
  command->uid = uid;
  command->size = size;
  command->ahead = TRUE;
  return ml_worker_give(worker, command);
}

guint64
ml_worker_fetch_part(MlWorker *worker, const char *folder, guint32 uid, const char *section, guint64 size)
{
  MlCommand *command = ml_worker_command(ML_COMMAND_FETCH_PART, folder, NULL, NULL);
  command->uid = uid;
  command->section = g_strdup(section);
  command->size = size;
  return ml_worker_give(worker, command);
}

guint32
ml_worker_shown_validity(const MlWorker *worker, const char *folder)
{
  return GPOINTER_TO_UINT(g_hash_table_lookup(worker->shown, folder));
}

gboolean
ml_worker_expect(MlWorker *worker, const char *folder, guint32 uidvalidity)
{
  guint32 shown = ml_worker_shown_validity(worker, folder);
  if (!shown && uidvalidity)
    g_hash_table_replace(worker->shown, g_strdup(folder), GUINT_TO_POINTER(uidvalidity));
  return uidvalidity && (!shown || shown == uidvalidity);
}

/* Where changes are written down, what they are about is looked up and written down too. */
static guint64
change(MlWorker *worker, MlCommandKind kind, MlPendingKind pending, const char *folder, GArray *uids, const char *to,
       guint add, guint remove)
{
  if (ml_worker_keeps_changes(worker)) {
    MlPendingEntry *entry = ml_pending_entry_new(pending, folder, ml_worker_shown_validity(worker, folder), to);
    entry->add = add;
    entry->remove = remove;
    return ml_worker_change(worker, entry, uids);
  }
  MlCommand *command = ml_worker_command(kind, folder, to, uids);
  command->add = add;
  command->remove = remove;
  return ml_worker_give(worker, command);
}

guint64
ml_worker_flags(MlWorker *worker, const char *folder, GArray *uids, guint add, guint remove)
{
  return change(worker, ML_COMMAND_FLAGS, ML_PENDING_FLAGS, folder, uids, NULL, add, remove);
}

guint64
ml_worker_copy(MlWorker *worker, const char *folder, GArray *uids, const char *to)
{
  return change(worker, ML_COMMAND_COPY, ML_PENDING_COPY, folder, uids, to, 0, 0);
}

guint64
ml_worker_move(MlWorker *worker, const char *folder, GArray *uids, const char *to)
{
  return change(worker, ML_COMMAND_MOVE, ML_PENDING_MOVE, folder, uids, to, 0, 0);
}

guint64
ml_worker_expunge(MlWorker *worker, const char *folder, GArray *uids)
{
  return change(worker, ML_COMMAND_EXPUNGE, ML_PENDING_EXPUNGE, folder, uids, NULL, 0, 0);
}

guint64
ml_worker_poll(MlWorker *worker)
{
  return ml_worker_give(worker, ml_worker_command(ML_COMMAND_POLL, NULL, NULL, NULL));
}

guint64
ml_worker_search(MlWorker *worker, const char *folder, const MlQuery *query, guint most)
{
  MlCommand *command = ml_worker_command(ML_COMMAND_SEARCH, folder, NULL, NULL);
  command->query = ml_query_copy(query);
  command->first = most;
  return ml_worker_give(worker, command);
}

void
ml_worker_by_itself(MlWorker *worker)
{
  worker->by_itself = TRUE;
}

guint64
ml_worker_append(MlWorker *worker, const char *folder, GBytes *bytes, guint flags, gint64 received)
{
  if (!ml_worker_keeps_changes(worker) || g_bytes_get_size(bytes) > ML_PENDING_BODY)
    return ml_worker_append_now(worker, folder, bytes, flags, received);
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  MlHeader *header = ml_header_parse(data, ml_header_block_length(data, length));
  MlPendingEntry *entry = ml_pending_entry_new(ML_PENDING_APPEND, folder, 0, NULL);
  entry->add = flags;
  entry->bytes = g_bytes_ref(bytes);
  entry->received = received;
  ml_pending_entry_add(entry, 0, flags, header->message_id, header->subject);
  ml_header_free(header);
  return ml_worker_change(worker, entry, NULL);
}

guint64
ml_worker_append_now(MlWorker *worker, const char *folder, GBytes *bytes, guint flags, gint64 received)
{
  MlCommand *command = ml_worker_command(ML_COMMAND_APPEND, folder, NULL, NULL);
  command->bytes = g_bytes_ref(bytes);
  command->add = flags;
  command->received = received;
  return ml_worker_give(worker, command);
}

guint64
ml_worker_remove(MlWorker *worker, const char *folder, const char *message_id)
{
  if (ml_worker_keeps_changes(worker)) {
    g_autofree char *bare = g_strdup(message_id + (*message_id == '<'));
    if (g_str_has_suffix(bare, ">"))
      bare[strlen(bare) - 1] = '\0';
    MlPendingEntry *entry = ml_pending_entry_new(ML_PENDING_REMOVE, folder, 0, NULL);
    ml_pending_entry_add(entry, 0, 0, bare, "");
    return ml_worker_change(worker, entry, NULL);
  }
  return ml_worker_give(worker, ml_worker_command(ML_COMMAND_REMOVE, folder, message_id, NULL));
}

void
ml_worker_cancel(MlWorker *worker, guint64 id)
{
  MlCommand *waiting = NULL;
  g_mutex_lock(&worker->lock);
  for (GList *link = worker->queue.head; link && !waiting; link = link->next) {
    if (((MlCommand *)link->data)->id == id) {
      waiting = link->data;
      g_queue_delete_link(&worker->queue, link);
    }
  }
  for (guint level = 0; level < 2; level++) {
    if (worker->running[level] && worker->running[level]->id == id) {
      /* Under the lock, so that it cannot hit a later command. */
      worker->running[level]->cancelled = TRUE;
      ml_driver_interrupt(worker->driver);
    }
  }
  g_mutex_unlock(&worker->lock);
  if (waiting && waiting->kind == ML_COMMAND_CARRY) {
    waiting->cancelled = TRUE; /* nobody waits for it any more; what was written down stays */
    ml_worker_post_done(worker, waiting, NULL);
  } else if (waiting)
    ml_worker_post_done(worker, waiting, g_error_new(ML_ERROR, ML_ERROR_CANCELLED, "Cancelled."));
}
