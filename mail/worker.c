#include "mail/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mail/driver-private.h"

enum { EVENTS_A_TURN = 64, BACKOFF_MAX = 300, PROGRESS_US = 100000, TRIES_MAX = 16 };

typedef enum { FOLDERS, OPEN, FETCH, FLAGS, COPY, MOVE, EXPUNGE, POLL } Kind;

/* Made by the UI thread, then the worker's. */
typedef struct {
  Kind kind;
  guint64 id;
  char *folder, *to;
  GArray *uids;
  guint32 uid;
  guint add, remove, first;
  gboolean counts;
  gboolean cancelled; /* under the lock */
  /* worker thread only */
  guint tries;        /* after an interrupt that was not for us */
  gboolean broken;    /* was tried again after the connection broke */
  guint32 validity, lowest; /* OPEN: what was delivered before the connection broke */
  guint delivered;
  gint64 last_progress;
} Command;

struct MlWorker {
  const MlAccount *account;
  MlEventFunc func;
  gpointer user_data;
  GMainContext *context;
  GThread *thread;
  MlDriver *driver; /* worker thread only, but for ml_driver_interrupt() under the lock */
  int wake_fd;
  guint64 last_id;  /* UI thread only */

  GMutex lock;       /* guards the next five */
  GQueue queue;      /* of Command, to do */
  Command *running[2]; /* the second overtook the first */
  gboolean stop;
  GQueue events;     /* of MlEvent, to be told */
  GSource *source;   /* attached while events wait */

  /* worker thread only */
  gboolean told_state;
  MlState state;
  GError *offline;      /* why it is offline */
  guint backoff;        /* seconds */
  gint64 next_attempt;  /* monotonic; G_MAXINT64: not by itself */
  char *open;           /* the folder that the UI looks at */
  char *selected;       /* the one that the driver has open */
  MlSelected opened;
  guint32 top;          /* greatest number told of the open folder */
};

void
ml_event_free(MlEvent *event)
{
  if (!event)
    return;
  g_free(event->account);
  g_free(event->folder);
  g_clear_pointer(&event->folders, g_ptr_array_unref);
  g_clear_pointer(&event->headers, g_ptr_array_unref);
  ml_changes_free(event->changes);
  g_clear_pointer(&event->bytes, g_bytes_unref);
  g_clear_error(&event->error);
  g_free(event);
}

static void
command_free(Command *command)
{
  if (!command)
    return;
  g_free(command->folder);
  g_free(command->to);
  g_clear_pointer(&command->uids, g_array_unref);
  g_free(command);
}

static void
wake(MlWorker *worker)
{
  guint64 one = 1;
  if (write(worker->wake_fd, &one, sizeof one) != sizeof one && errno != EAGAIN)
    g_warning("cannot wake the worker of %s: %s", worker->account->name, g_strerror(errno));
}

/* ---- events: from the worker to the context that made it */

static gboolean
deliver(gpointer data)
{
  MlWorker *worker = data;
  for (guint i = 0; i < EVENTS_A_TURN; i++) {
    g_mutex_lock(&worker->lock);
    MlEvent *event = g_queue_pop_head(&worker->events);
    if (!event)
      g_clear_pointer(&worker->source, g_source_unref);
    g_mutex_unlock(&worker->lock);
    if (!event)
      return G_SOURCE_REMOVE;
    worker->func(event, worker->user_data);
    ml_event_free(event);
  }
  return G_SOURCE_CONTINUE;
}

/* Takes @event. */
static void
post(MlWorker *worker, MlEvent *event)
{
  g_mutex_lock(&worker->lock);
  g_queue_push_tail(&worker->events, event);
  if (!worker->source) {
    worker->source = g_idle_source_new();
    g_source_set_priority(worker->source, G_PRIORITY_DEFAULT);
    g_source_set_callback(worker->source, deliver, worker, NULL);
    g_source_attach(worker->source, worker->context);
  }
  g_mutex_unlock(&worker->lock);
}

static MlEvent *
event_new(MlWorker *worker, MlEventKind kind, const Command *command, const char *folder)
{
  MlEvent *event = g_new0(MlEvent, 1);
  event->kind = kind;
  event->id = command ? command->id : 0;
  event->account = g_strdup(worker->account->name);
  event->folder = g_strdup(folder);
  return event;
}

/* Takes @command and @error. */
static void
post_done(MlWorker *worker, Command *command, GError *error)
{
  MlEvent *event = event_new(worker, ML_EVENT_DONE, command, command->folder);
  event->uid = command->uid;
  event->error = error;
  command_free(command);
  post(worker, event);
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
  MlEvent *event = event_new(worker, ML_EVENT_STATE, NULL, NULL);
  event->state = state;
  event->error = error ? g_error_copy(error) : NULL;
  post(worker, event);
}

/* ---- the connection */

static gboolean
is_broken(const GError *error)
{
  return g_error_matches(error, ML_ERROR, ML_ERROR_OFFLINE) || g_error_matches(error, ML_ERROR, ML_ERROR_PROTOCOL);
}

static gboolean
needs_user(const GError *error)
{
  return g_error_matches(error, ML_ERROR, ML_ERROR_AUTH) || g_error_matches(error, ML_ERROR, ML_ERROR_UNTRUSTED) ||
         g_error_matches(error, ML_ERROR, ML_ERROR_CONFIG);
}

/* What a person must mend is not tried again by itself: it would lock the account, or ask in a loop. */
static void
go_offline(MlWorker *worker, const GError *error)
{
  g_clear_pointer(&worker->selected, g_free);
  worker->backoff = worker->backoff ? MIN(worker->backoff * 2, BACKOFF_MAX) : 1;
  worker->next_attempt =
      needs_user(error) ? G_MAXINT64 : g_get_monotonic_time() + (gint64)worker->backoff * G_USEC_PER_SEC;
  set_state(worker, ML_STATE_OFFLINE, error);
}

static gboolean
connect_now(MlWorker *worker, GError **error)
{
  g_autoptr(GError) why = NULL;
  set_state(worker, ML_STATE_CONNECTING, NULL);
  if (ml_driver_connect(worker->driver, &why)) {
    worker->backoff = 0;
    set_state(worker, ML_STATE_ONLINE, NULL);
    return TRUE;
  }
  if (g_error_matches(why, ML_ERROR, ML_ERROR_CANCELLED)) {
    /* Nothing is known about the line. */
    worker->next_attempt = g_get_monotonic_time();
    set_state(worker, ML_STATE_OFFLINE, NULL);
  } else {
    go_offline(worker, why);
  }
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

/* What the user asks for looks for the line at once; what follows from it does not, for as long as it is known to be
 * down: a hundred queued commands would each wait for their timeout. */
static gboolean
go_online(MlWorker *worker, const Command *command, GError **error)
{
  if (worker->told_state && worker->state == ML_STATE_ONLINE)
    return TRUE;
  gboolean asked = command->kind == FOLDERS || command->kind == OPEN || command->kind == POLL;
  if (!asked && worker->offline && g_get_monotonic_time() < worker->next_attempt) {
    g_propagate_error(error, g_error_copy(worker->offline));
    return FALSE;
  }
  return connect_now(worker, error);
}

static gboolean
select_folder(MlWorker *worker, const char *folder, MlSelected *selected, GError **error)
{
  g_clear_pointer(&worker->selected, g_free);
  if (!ml_driver_select(worker->driver, folder, selected, error))
    return FALSE;
  worker->selected = g_strdup(folder);
  return TRUE;
}

static void
post_changes(MlWorker *worker, MlChanges *changes)
{
  MlEvent *event = event_new(worker, ML_EVENT_CHANGES, NULL, worker->open);
  event->changes = changes;
  post(worker, event);
}

/* The folder that the UI looks at is the one whose news we hear. */
static gboolean
select_open(MlWorker *worker, GError **error)
{
  if (!worker->open || g_strcmp0(worker->open, worker->selected) == 0)
    return TRUE;
  MlSelected selected;
  if (!select_folder(worker, worker->open, &selected, error))
    return FALSE;
  /* IMAP's driver remembers what it told and finds the difference; a local folder is quickly read again. */
  gboolean reset = selected.uidvalidity != worker->opened.uidvalidity || worker->account->kind != ML_ACCOUNT_IMAP;
  worker->opened = selected;
  if (reset) {
    MlChanges *changes = ml_changes_new();
    changes->reset = TRUE;
    post_changes(worker, changes);
  }
  return TRUE;
}

static gboolean
need_folder(MlWorker *worker, const char *folder, GError **error)
{
  MlSelected ignored;
  return g_strcmp0(worker->selected, folder) == 0 || select_folder(worker, folder, &ignored, error);
}

/* ---- commands */

static gboolean run_overtaking(MlWorker *worker, const char *folder);

typedef struct {
  MlWorker *worker;
  Command *command;
  gboolean broken; /* an overtaking command found the line dead */
} Listing;

static gboolean
is_cancelled(MlWorker *worker, Command *command)
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
  Command *command = listing->command;
  for (guint i = headers->len; i > 0; i--) {
    guint32 uid = ((MlHeader *)g_ptr_array_index(headers, i - 1))->uid;
    worker->top = MAX(worker->top, uid);
    if (command->lowest && uid >= command->lowest)
      g_ptr_array_remove_index(headers, i - 1); /* told before the line broke */
  }
  if (headers->len) {
    command->lowest = ((MlHeader *)g_ptr_array_index(headers, headers->len - 1))->uid;
    command->delivered += headers->len;
    MlEvent *event = event_new(worker, ML_EVENT_HEADERS, command, command->folder);
    event->headers = headers;
    event->done = MAX(done, command->delivered);
    event->total = total;
    post(worker, event);
  } else {
    g_ptr_array_unref(headers);
  }
  if (is_cancelled(worker, command))
    return FALSE;
  listing->broken = !run_overtaking(worker, command->folder);
  return !listing->broken && !is_cancelled(worker, command);
}

static gboolean
run_open(MlWorker *worker, Command *command, GError **error)
{
  MlSelected selected;
  if (!select_folder(worker, command->folder, &selected, error))
    return FALSE;
  if (!command->validity || command->validity != selected.uidvalidity) {
    MlEvent *event = event_new(worker, ML_EVENT_OPENED, command, command->folder);
    event->selected = selected;
    post(worker, event);
    command->lowest = 0;
    command->delivered = 0;
    worker->top = 0;
  }
  command->validity = selected.uidvalidity;
  g_free(worker->open);
  worker->open = g_strdup(command->folder);
  worker->opened = selected;
  Listing listing = { worker, command, FALSE };
  gboolean ok = ml_driver_headers(worker->driver, 0, command->first, on_headers, &listing, error);
  if (!ok || is_cancelled(worker, command) || listing.broken) {
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
  MlEvent *event = event_new(fetch->worker, ML_EVENT_PROGRESS, fetch->command, fetch->command->folder);
  event->uid = fetch->command->uid;
  event->done = done;
  event->total = total;
  post(fetch->worker, event);
}

static gboolean
run_fetch(MlWorker *worker, Command *command, GError **error)
{
  Listing fetch = { worker, command, FALSE };
  gint64 received = 0;
  command->last_progress = g_get_monotonic_time();
  GBytes *bytes = need_folder(worker, command->folder, error)
                      ? ml_driver_fetch(worker->driver, command->uid, &received, on_progress, &fetch, error)
                      : NULL;
  if (!bytes)
    return FALSE;
  MlEvent *event = event_new(worker, ML_EVENT_MESSAGE, command, command->folder);
  event->uid = command->uid;
  event->received = received;
  event->bytes = bytes;
  post(worker, event);
  return TRUE;
}

static gboolean
run_folders(MlWorker *worker, Command *command, GError **error)
{
  GPtrArray *folders = ml_driver_folders(worker->driver, command->counts, error);
  if (!folders)
    return FALSE;
  MlEvent *event = event_new(worker, ML_EVENT_FOLDERS, command, NULL);
  event->folders = folders;
  post(worker, event);
  return TRUE;
}

static gboolean
on_new(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  MlWorker *worker = user_data;
  for (guint i = 0; i < headers->len; i++)
    worker->top = MAX(worker->top, ((MlHeader *)g_ptr_array_index(headers, i))->uid);
  MlEvent *event = event_new(worker, ML_EVENT_NEW, NULL, worker->open);
  event->headers = headers;
  event->done = done;
  event->total = total;
  post(worker, event);
  return TRUE;
}

/* Takes @changes. */
static gboolean
tell_changes(MlWorker *worker, MlChanges *changes, GError **error)
{
  gboolean new_mail = changes->new_mail && !changes->reset;
  if (ml_changes_empty(changes))
    ml_changes_free(changes);
  else
    post_changes(worker, changes);
  return !new_mail || ml_driver_headers(worker->driver, worker->top, ML_CHUNK_MAX, on_new, worker, error);
}

static gboolean
run_poll(MlWorker *worker, GError **error)
{
  if (!select_open(worker, error))
    return FALSE;
  g_autoptr(MlChanges) changes = ml_changes_new();
  return ml_driver_poll(worker->driver, changes, error) && tell_changes(worker, g_steal_pointer(&changes), error);
}

static gboolean
execute(MlWorker *worker, Command *command, GError **error)
{
  switch (command->kind) {
  case FOLDERS:
    return run_folders(worker, command, error);
  case OPEN:
    return run_open(worker, command, error);
  case FETCH:
    return run_fetch(worker, command, error);
  case FLAGS:
    return need_folder(worker, command->folder, error) &&
           ml_driver_flags(worker->driver, command->uids, command->add, command->remove, error);
  case COPY:
    return need_folder(worker, command->folder, error) &&
           ml_driver_copy(worker->driver, command->uids, command->to, error);
  case MOVE:
    return need_folder(worker, command->folder, error) &&
           ml_driver_move(worker->driver, command->uids, command->to, error);
  case EXPUNGE:
    return need_folder(worker, command->folder, error) && ml_driver_expunge(worker->driver, command->uids, error);
  case POLL:
    return run_poll(worker, error);
  }
  g_assert_not_reached();
}

/* @level 1 overtakes what runs at level 0. An interrupt that was meant for an earlier command is forgotten first. */
static void
begin(MlWorker *worker, Command *command, guint level)
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
push_front(MlWorker *worker, Command *command)
{
  g_mutex_lock(&worker->lock);
  g_queue_push_head(&worker->queue, command);
  g_mutex_unlock(&worker->lock);
}

/* Once for a connection that broke. What was interrupted for another command's sake does not count, but not for ever. */
static gboolean
try_again(Command *command, const GError *error, gboolean cancelled)
{
  if (cancelled || command->tries >= TRIES_MAX)
    return FALSE;
  if (is_broken(error)) {
    gboolean first = !command->broken;
    command->broken = TRUE;
    return first;
  }
  command->tries++;
  return g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED);
}

/* What a failure says about the connection. */
static void
learn(MlWorker *worker, const GError *error)
{
  if (is_broken(error) || needs_user(error))
    go_offline(worker, error);
  else if (g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED))
    g_clear_pointer(&worker->selected, g_free); /* the connection went with it */
}

/* Takes @command. */
static void
run(MlWorker *worker, Command *command)
{
  begin(worker, command, 0);
  g_autoptr(GError) error = NULL;
  gboolean ok = FALSE, online = go_online(worker, command, &error);
  while (online && !(ok = execute(worker, command, &error))) {
    learn(worker, error);
    if (!try_again(command, error, is_cancelled(worker, command)))
      break;
    g_clear_error(&error);
    online = worker->state == ML_STATE_ONLINE || connect_now(worker, &error);
  }
  gboolean cancelled = end(worker, 0);
  if (!ok && cancelled && !g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED)) {
    g_clear_error(&error);
    error = g_error_new(ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  }
  post_done(worker, command, g_steal_pointer(&error));
}

static Command *
take_overtaking(MlWorker *worker, const char *folder)
{
  Command *found = NULL;
  g_mutex_lock(&worker->lock);
  for (GList *link = worker->queue.head; link && !found; link = link->next) {
    Command *command = link->data;
    if ((command->kind == FETCH || command->kind == FLAGS) && strcmp(command->folder, folder) == 0) {
      found = command;
      g_queue_delete_link(&worker->queue, link);
    }
  }
  g_mutex_unlock(&worker->lock);
  return found;
}

/* Between two chunks of a listing. FALSE: the connection is gone, and the listing with it. */
static gboolean
run_overtaking(MlWorker *worker, const char *folder)
{
  for (;;) {
    Command *command = take_overtaking(worker, folder);
    if (!command)
      return TRUE;
    begin(worker, command, 1);
    g_autoptr(GError) error = NULL;
    gboolean ok = execute(worker, command, &error);
    gboolean cancelled = end(worker, 1);
    gboolean lost = !ok && (is_broken(error) || g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED));
    if (!ok)
      learn(worker, error);
    if (lost && try_again(command, error, cancelled))
      push_front(worker, command);
    else
      post_done(worker, command, g_steal_pointer(&error));
    if (lost)
      return FALSE;
  }
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
  if (select_open(worker, &error) && ml_driver_wait(worker->driver, worker->wake_fd, changes, &error) &&
      tell_changes(worker, g_steal_pointer(&changes), &error))
    return;
  if (g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED)) {
    g_clear_pointer(&worker->selected, g_free);
  } else if (g_error_matches(error, ML_ERROR, ML_ERROR_NOT_FOUND)) {
    /* The open folder is gone: say so once, and wait without it. */
    changes = changes ? changes : ml_changes_new();
    changes->reset = TRUE;
    post_changes(worker, g_steal_pointer(&changes));
    g_clear_pointer(&worker->open, g_free);
  } else {
    go_offline(worker, error);
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
      connect_now(worker, NULL);
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
    Command *command = stop ? NULL : g_queue_pop_head(&worker->queue);
    g_mutex_unlock(&worker->lock);
    if (stop)
      return NULL;
    if (command)
      run(worker, command);
    else if (worker->told_state && worker->state == ML_STATE_ONLINE)
      idle(worker);
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
  worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert(worker->wake_fd >= 0);
  g_mutex_init(&worker->lock);
  g_queue_init(&worker->queue);
  g_queue_init(&worker->events);
  worker->thread = g_thread_new(account->name, work, worker);
  return worker;
}

void
ml_worker_free(MlWorker *worker)
{
  if (!worker)
    return;
  g_mutex_lock(&worker->lock);
  worker->stop = TRUE;
  ml_driver_interrupt(worker->driver);
  g_mutex_unlock(&worker->lock);
  wake(worker);
  g_thread_join(worker->thread);
  if (worker->source) {
    g_source_destroy(worker->source);
    g_source_unref(worker->source);
  }
  g_queue_clear_full(&worker->queue, (GDestroyNotify)command_free);
  g_queue_clear_full(&worker->events, (GDestroyNotify)ml_event_free);
  ml_driver_free(worker->driver);
  g_main_context_unref(worker->context);
  g_mutex_clear(&worker->lock);
  close(worker->wake_fd);
  g_clear_error(&worker->offline);
  g_free(worker->open);
  g_free(worker->selected);
  g_free(worker);
}

static guint64
give(MlWorker *worker, Command *command)
{
  guint64 id = command->id = ++worker->last_id;
  g_mutex_lock(&worker->lock);
  g_queue_push_tail(&worker->queue, command);
  g_mutex_unlock(&worker->lock);
  wake(worker);
  return id;
}

static Command *
command_new(Kind kind, const char *folder, const char *to, GArray *uids)
{
  Command *command = g_new0(Command, 1);
  command->kind = kind;
  command->folder = g_strdup(folder);
  command->to = g_strdup(to);
  command->uids = uids ? g_array_copy(uids) : NULL;
  return command;
}

guint64
ml_worker_folders(MlWorker *worker, gboolean counts)
{
  Command *command = command_new(FOLDERS, NULL, NULL, NULL);
  command->counts = counts;
  return give(worker, command);
}

guint64
ml_worker_open(MlWorker *worker, const char *folder, guint first)
{
  Command *command = command_new(OPEN, folder, NULL, NULL);
  command->first = first;
  return give(worker, command);
}

guint64
ml_worker_fetch(MlWorker *worker, const char *folder, guint32 uid)
{
  Command *command = command_new(FETCH, folder, NULL, NULL);
  command->uid = uid;
  return give(worker, command);
}

guint64
ml_worker_flags(MlWorker *worker, const char *folder, GArray *uids, guint add, guint remove)
{
  Command *command = command_new(FLAGS, folder, NULL, uids);
  command->add = add;
  command->remove = remove;
  return give(worker, command);
}

guint64
ml_worker_copy(MlWorker *worker, const char *folder, GArray *uids, const char *to)
{
  return give(worker, command_new(COPY, folder, to, uids));
}

guint64
ml_worker_move(MlWorker *worker, const char *folder, GArray *uids, const char *to)
{
  return give(worker, command_new(MOVE, folder, to, uids));
}

guint64
ml_worker_expunge(MlWorker *worker, const char *folder, GArray *uids)
{
  return give(worker, command_new(EXPUNGE, folder, NULL, uids));
}

guint64
ml_worker_poll(MlWorker *worker)
{
  return give(worker, command_new(POLL, NULL, NULL, NULL));
}

void
ml_worker_cancel(MlWorker *worker, guint64 id)
{
  Command *waiting = NULL;
  g_mutex_lock(&worker->lock);
  for (GList *link = worker->queue.head; link && !waiting; link = link->next) {
    if (((Command *)link->data)->id == id) {
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
  if (waiting)
    post_done(worker, waiting, g_error_new(ML_ERROR, ML_ERROR_CANCELLED, "Cancelled."));
}
