#include <string.h>

#include "mail/worker-private.h"

/* Changes on their way: written down by the UI's thread before anything is shown, carried out by the worker's. Each has a
 * handle of its own; what one has to tell the other lies in the file. */

enum { BUSY_STEP_MS = 50, BUSY_STEPS = 40, AGAIN_MS = 1000, PUT_OFF_MS = 60 * 1000, QUICK = 256 * 1024 };

gboolean
ml_worker_keeps_changes(const MlWorker *worker)
{
  return worker->driver->hooks->pending_dir && !ml_driver_is_local(worker->driver);
}

static void
say_aside(MlWorker *worker, MlPending *pending)
{
  g_autofree char *said = pending ? ml_pending_said(pending) : NULL;
  if (!said)
    return;
  MlEvent *event = ml_worker_event(worker, ML_EVENT_NOTE, NULL, NULL);
  event->error = g_error_new(ML_ERROR, ML_ERROR_STORE, "%s", said);
  ml_worker_post(worker, event);
}

static void
post_counts(MlWorker *worker, MlPending *pending)
{
  guint open, failed;
  if (!ml_pending_count(pending, &open, &failed, NULL))
    return;
  MlEvent *event = ml_worker_event(worker, ML_EVENT_PENDING, NULL, NULL);
  event->done = open;
  event->total = failed;
  ml_worker_post(worker, event);
}

/* ---- the UI's side */

static gboolean
open_journal(MlWorker *worker, GError **error)
{
  if (!worker->journal)
    worker->journal = ml_pending_open(worker->driver->hooks->pending_dir, worker->account, FALSE, error);
  say_aside(worker, worker->journal);
  return worker->journal != NULL;
}

void
ml_worker_pending_start(MlWorker *worker)
{
  g_autoptr(GError) error = NULL;
  if (!ml_worker_keeps_changes(worker))
    return;
  g_autofree char *file = ml_pending_file(worker->driver->hooks->pending_dir, worker->account);
  if (!g_file_test(file, G_FILE_TEST_EXISTS))
    return;
  if (open_journal(worker, &error)) {
    post_counts(worker, worker->journal);
    return;
  }
  MlEvent *event = ml_worker_event(worker, ML_EVENT_NOTE, NULL, NULL);
  event->error = g_steal_pointer(&error);
  ml_worker_post(worker, event);
}

/* What the messages are called, as far as the store knows it. */
static GPtrArray *
headers_of(MlWorker *worker, const char *folder, guint32 uidvalidity, const GArray *uids)
{
  const MlDriverHooks *hooks = worker->driver->hooks;
  if (!worker->names && hooks->store_dir)
    worker->names = ml_store_open_to_read(hooks->store_dir, worker->account, NULL);
  return worker->names ? ml_store_headers_of(worker->names, folder, uidvalidity, uids, NULL) : NULL;
}

/* With the flags that are on the screen, which the store may have in a moment only. */
static void
name_messages(MlWorker *worker, MlPendingEntry *entry, GArray *uids)
{
  g_autoptr(GPtrArray) headers = headers_of(worker, entry->folder, entry->uidvalidity, uids);
  g_autoptr(GArray) shown = ml_pending_shown(worker->journal, entry->folder, entry->uidvalidity, NULL);
  for (guint i = 0, at = 0; i < uids->len; i++) {
    guint32 uid = g_array_index(uids, guint32, i);
    const MlHeader *header = headers && at < headers->len ? headers->pdata[at] : NULL;
    gboolean known = header && header->uid == uid; /* those that are not known are left out, in the same order */
    guint flags = known ? ml_pending_flags(ml_pending_shown_of(shown, uid), header->flags) : 0;
    ml_pending_entry_add(entry, uid, flags, known ? header->message_id : "",
                         known ? header->subject : "");
    at += known;
  }
}

/* Of what nobody pressed a key for, nobody waits for the end. */
static void
note_failed(MlWorker *worker, const GError *why)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_NOTE, NULL, NULL);
  event->error = g_error_copy(why);
  ml_worker_post(worker, event);
}

/* A change that is being written down, and the command that carries it out. */
typedef struct {
  MlWorker *worker;
  MlPendingEntry *entry;
  MlCommand *command;
  MlPending *journal; /* NULL: it cannot be */
  gboolean online;
} Writing;

/* Takes the command and @error, which says why there is no journal. */
static gboolean
write_down(const Writing *writing, GError *error)
{
  MlWorker *worker = writing->worker;
  MlCommand *command = writing->command;
  MlPending *journal = writing->journal;
  if (journal)
    command->entry = ml_pending_add(journal, writing->entry, &error);
  say_aside(worker, journal);
  if (command->entry) {
    post_counts(worker, journal);
    g_mutex_lock(&worker->lock);
    worker->changed = TRUE;
    g_mutex_unlock(&worker->lock);
  }
  if (error && writing->entry->by_itself)
    note_failed(worker, error);
  gboolean kept = command->entry != 0;
  if (kept && writing->online) {
    g_mutex_lock(&worker->lock);
    g_queue_push_tail(&worker->queue, command);
    g_mutex_unlock(&worker->lock);
  } else {
    command->cancelled = kept; /* nobody waits for it */
    ml_worker_post_done(worker, command, error);
  }
  ml_worker_wake(worker);
  return kept;
}

static gpointer
write_apart(gpointer data)
{
  g_autofree Writing *writing = data;
  write_down(writing, NULL);
  ml_pending_free(writing->journal);
  ml_pending_entry_free(writing->entry);
  return NULL;
}

/* The order of changes is that in which they were made. */
void
ml_worker_wait_written(MlWorker *worker)
{
  if (worker->writing)
    g_thread_join(g_steal_pointer(&worker->writing));
}

static guint64
change(MlWorker *worker, MlPendingEntry *entry, GArray *uids, gboolean *kept)
{
  MlCommand *command = ml_worker_command(ML_COMMAND_CARRY, entry->folder, entry->to, NULL);
  GError *error = NULL;
  guint64 id = command->id = ++worker->last_id;
  entry->by_itself |= worker->by_itself;
  worker->by_itself = FALSE;
  ml_worker_wait_written(worker);
  gboolean open = open_journal(worker, &error);
  Writing writing = { worker, entry, command, worker->journal, worker->shown_state == ML_STATE_ONLINE };
  if (open && entry->bytes && g_bytes_get_size(entry->bytes) > QUICK) { /* the screen does not wait for that much */
    writing.journal = ml_pending_beside(worker->journal);
    worker->writing = g_thread_new("journal", write_apart, g_memdup2(&writing, sizeof writing));
    *kept = TRUE;
    return id;
  }
  if (open && uids)
    name_messages(worker, entry, uids);
  *kept = write_down(&writing, error);
  ml_pending_entry_free(entry);
  return id;
}

guint64
ml_worker_change(MlWorker *worker, MlPendingEntry *entry, GArray *uids)
{
  gboolean kept;
  return change(worker, entry, uids, &kept);
}

/* ---- undo */

/* Its messages as they were when it was made; what else waits is laid over them as they are told. */
static void
tell_as_before(MlWorker *worker, const MlPendingEntry *entry)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < entry->messages->len; i++)
    g_array_append_val(uids, ((const MlPendingMessage *)entry->messages->pdata[i])->uid);
  GPtrArray *headers = headers_of(worker, entry->folder, entry->uidvalidity, uids);
  if (!headers)
    return;
  for (guint i = 0, at = 0; i < headers->len; i++) {
    MlHeader *header = headers->pdata[i];
    while (((const MlPendingMessage *)entry->messages->pdata[at])->uid != header->uid)
      at++;
    header->flags = ((const MlPendingMessage *)entry->messages->pdata[at])->flags;
  }
  MlEvent *event = ml_worker_event(worker, ML_EVENT_HEADERS, NULL, entry->folder);
  event->headers = headers;
  ml_worker_post(worker, event);
}

static char *
give_up(MlWorker *worker, const MlPendingEntry *entry)
{
  g_autofree char *words = ml_pending_words(entry);
  g_mutex_lock(&worker->lock);
  worker->changed = TRUE;
  g_mutex_unlock(&worker->lock);
  ml_worker_wake(worker);
  post_counts(worker, worker->journal);
  if (entry->kind != ML_PENDING_COPY)
    tell_as_before(worker, entry);
  return g_strdup_printf("Taken back, before the server had heard of it: %s.", words);
}

/* Each message as it was; those that are to change in the same way are one change. */
static guint
flags_back(MlWorker *worker, const MlPendingEntry *entry, gboolean *kept)
{
  g_autoptr(GHashTable) done = g_hash_table_new(NULL, NULL);
  guint n = 0;
  for (guint i = 0; i < entry->messages->len; i++) {
    const MlPendingMessage *first = entry->messages->pdata[i];
    guint add = entry->remove & first->flags, remove = entry->add & ~first->flags;
    if ((!add && !remove) || !g_hash_table_add(done, GUINT_TO_POINTER(add << 16 | remove)))
      continue;
    MlPendingEntry *back = ml_pending_entry_new(ML_PENDING_FLAGS, entry->folder, entry->uidvalidity, NULL);
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (guint j = i; j < entry->messages->len; j++) {
      const MlPendingMessage *other = entry->messages->pdata[j];
      if ((entry->remove & other->flags) == add && (entry->add & ~other->flags) == remove)
        g_array_append_val(uids, other->uid);
    }
    back->add = add;
    back->remove = remove;
    ml_worker_by_itself(worker);
    gboolean one;
    change(worker, back, uids, &one);
    *kept &= one;
    n += uids->len;
  }
  if (*kept)
    tell_as_before(worker, entry);
  return n;
}

/* By their numbers there where the server has told them, else by Message-ID. */
static gboolean
can_move_back(MlWorker *worker, const MlPendingEntry *entry, gboolean *kept)
{
  gboolean told = entry->to_validity != 0, named = TRUE;
  MlPendingEntry *back = ml_pending_entry_new(ML_PENDING_MOVE, entry->to, 0, entry->folder);
  for (guint i = 0; i < entry->messages->len; i++) {
    const MlPendingMessage *message = entry->messages->pdata[i];
    told = told && message->there;
    named = named && *message->message_id;
  }
  for (guint i = 0; (told || named) && i < entry->messages->len; i++) {
    const MlPendingMessage *message = entry->messages->pdata[i];
    ml_pending_entry_add(back, told ? message->there : i + 1, message->flags, message->message_id, message->subject);
  }
  back->uidvalidity = told ? entry->to_validity : 0;
  back->add = !told;
  if (!told && !named) {
    ml_pending_entry_free(back);
    return FALSE;
  }
  ml_worker_by_itself(worker);
  change(worker, back, NULL, kept);
  return TRUE;
}

/* It was carried out. *kept is cleared where the reverse could not be written down: a NOTE says why. */
static char *
reverse(MlWorker *worker, const MlPendingEntry *entry, gboolean *kept)
{
  g_autofree char *words = ml_pending_words(entry);
  guint n = entry->messages->len;
  switch (entry->kind) {
  case ML_PENDING_FLAGS:
    return flags_back(worker, entry, kept) ? g_strdup_printf("Changed back: %s.", words)
                                     : g_strdup_printf("Nothing was changed by it: %s.", words);
  case ML_PENDING_MOVE:
    if (!can_move_back(worker, entry, kept))
      return g_strdup_printf("The server does not say where it is now: move it back from %s yourself (%s).", entry->to,
                             words);
    return g_strdup_printf("%u moved back from %s to %s.", n, entry->to, entry->folder);
  case ML_PENDING_COPY:
    return g_strdup_printf("The copy stays: delete it in %s (%s).", entry->to, words);
  case ML_PENDING_EXPUNGE:
    return g_strdup_printf("What was deleted for good cannot come back (%s).", words);
  case ML_PENDING_APPEND:
  case ML_PENDING_REMOVE:
    break;
  }
  return g_strdup_printf("This cannot be taken back: %s.", words);
}

char *
ml_worker_undo(MlWorker *worker)
{
  g_autoptr(GError) error = NULL;
  if (!ml_worker_keeps_changes(worker))
    return g_strdup("A mailbox on this machine is changed at once: there is nothing to take back.");
  ml_worker_wait_written(worker);
  g_autoptr(MlPendingEntry) entry = open_journal(worker, &error) ? ml_pending_newest(worker->journal, &error) : NULL;
  if (!entry)
    return g_strdup(error ? error->message : "There is nothing to take back.");
  if (entry->state == ML_PENDING_WAITING && ml_pending_drop(worker->journal, entry->id, NULL))
    return give_up(worker, entry);
  g_autoptr(MlPendingEntry) now = ml_pending_find(worker->journal, entry->id, &error);
  if (now && now->state & ML_PENDING_OPEN && now->kind != ML_PENDING_FLAGS)
    return g_strdup("It is just being carried out, or the line broke while the server was asked for it: once that is known, "
                    "it can be taken back.");
  if (!now)
    return g_strdup(error->message);
  if (now->state == ML_PENDING_FAILED)
    return g_strdup("It was refused just now, so that there is nothing to take back: signet pending says why.");
  gboolean kept = TRUE;
  g_autofree char *said = reverse(worker, now, &kept);
  if (!kept)
    return g_strdup("It was not taken back: the change could not be written down.");
  if (!ml_pending_pass_over(worker->journal, entry->id, &error))
    return g_strdup(error->message);
  return g_steal_pointer(&said);
}

static GArray *
overlay_of(MlWorker *worker, const char *folder)
{
  guint32 validity = GPOINTER_TO_UINT(g_hash_table_lookup(worker->shown, folder));
  gint64 version = ml_pending_version(worker->journal);
  if (!worker->overlay || version != worker->overlay_of || g_strcmp0(worker->overlay_folder, folder) != 0) {
    g_clear_pointer(&worker->overlay, g_array_unref);
    g_free(worker->overlay_folder);
    worker->overlay_folder = g_strdup(folder);
    worker->overlay_of = version;
    worker->overlay = ml_pending_shown(worker->journal, folder, validity, NULL);
  }
  return worker->overlay;
}

void
ml_worker_overlay(MlWorker *worker, MlEvent *event)
{
  gboolean speaks = event->kind == ML_EVENT_HEADERS || event->kind == ML_EVENT_NEW || event->kind == ML_EVENT_CHANGES;
  if (event->kind == ML_EVENT_OPENED)
    g_clear_pointer(&worker->overlay, g_array_unref); /* it may be another folder */
  GArray *shown = speaks && event->folder && worker->journal ? overlay_of(worker, event->folder) : NULL;
  if (!shown || !shown->len)
    return;
  for (guint i = event->headers ? event->headers->len : 0; i > 0; i--) {
    MlHeader *header = event->headers->pdata[i - 1];
    const MlStoreShown *one = ml_pending_shown_of(shown, header->uid);
    header->flags = ml_pending_flags(one, header->flags);
    if (one && one->gone)
      g_ptr_array_remove_index(event->headers, i - 1);
  }
  for (guint i = event->lines ? event->lines->len : 0; i > 0; i--) {
    MlLine *line = &g_array_index(event->lines, MlLine, i - 1);
    const MlStoreShown *one = ml_pending_shown_of(shown, line->uid);
    line->flags = (guint16)ml_pending_flags(one, line->flags);
    if (one && one->gone)
      g_array_remove_index(event->lines, i - 1);
  }
  for (guint i = 0; event->changes && i < event->changes->flag_changes->len; i++) {
    MlFlagChange *change = &g_array_index(event->changes->flag_changes, MlFlagChange, i);
    change->flags = ml_pending_flags(ml_pending_shown_of(shown, change->uid), change->flags);
  }
}

void
ml_worker_pending_clear(MlWorker *worker)
{
  if (worker->again) {
    g_source_destroy(worker->again);
    g_source_unref(worker->again);
  }
  ml_pending_free(worker->pending);
  ml_pending_free(worker->journal);
  ml_store_free(worker->names);
  g_clear_pointer(&worker->overlay, g_array_unref);
  g_free(worker->overlay_folder);
}

/* ---- the worker's side */

static MlPending *
pending_of(MlWorker *worker)
{
  g_autoptr(GError) why = NULL;
  if (worker->pending || !ml_worker_keeps_changes(worker))
    return worker->pending;
  worker->pending = ml_pending_open_if_any(worker->driver->hooks->pending_dir, worker->account, &why);
  say_aside(worker, worker->pending);
  if (why)
    ml_worker_store_failed(worker, g_steal_pointer(&why));
  return worker->pending;
}

void
ml_worker_refresh(MlWorker *worker, const char *folder)
{
  MlPending *pending = pending_of(worker);
  GError *why = NULL;
  if (!pending || !ml_worker_store(worker))
    return;
  if (!(folder ? ml_pending_refresh(pending, worker->store, folder, &why)
               : ml_pending_refresh_all(pending, worker->store, &why)))
    ml_worker_store_failed(worker, why);
}

gboolean
ml_worker_refresh_changed(MlWorker *worker)
{
  g_mutex_lock(&worker->lock);
  gboolean changed = worker->changed;
  worker->changed = FALSE;
  g_mutex_unlock(&worker->lock);
  if (changed)
    ml_worker_refresh(worker, NULL);
  return changed;
}

typedef struct {
  MlWorker *worker;
  MlCommand *command; /* NULL: none waits */
  gboolean over;      /* the entry of the command is */
  GError *error;      /* and failed for good */
} Carrying;

static gboolean
select_folder(const char *folder, MlSelected *selected, gpointer user_data, GError **error)
{
  Carrying *carrying = user_data;
  MlWorker *worker = carrying->worker;
  if (!ml_worker_select(worker, folder, selected, error))
    return FALSE;
  if (g_strcmp0(worker->open, folder) == 0 && worker->opened.uidvalidity != selected->uidvalidity)
    g_clear_pointer(&worker->selected, g_free); /* so that the UI hears of it */
  return TRUE;
}

/* The messages as the store shows them now: those that were out of the list come back. */
static void
tell_messages(MlWorker *worker, const MlPendingEntry *entry)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < entry->messages->len; i++)
    g_array_append_val(uids, ((const MlPendingMessage *)entry->messages->pdata[i])->uid);
  GPtrArray *headers =
      ml_worker_store(worker) ? ml_store_headers_of(worker->store, entry->folder, entry->uidvalidity, uids, NULL) : NULL;
  if (!headers)
    return;
  MlEvent *event = ml_worker_event(worker, ML_EVENT_HEADERS, NULL, entry->folder);
  event->headers = headers;
  ml_worker_post(worker, event);
}

static void
tell_gone(MlWorker *worker, const MlPendingEntry *entry)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_CHANGES, NULL, entry->folder);
  event->changes = ml_changes_new();
  for (guint i = 0; i < entry->messages->len; i++)
    g_array_append_val(event->changes->vanished, ((const MlPendingMessage *)entry->messages->pdata[i])->uid);
  ml_worker_post(worker, event);
}

static void
settled(const MlPendingEntry *entry, const GError *why, gpointer user_data)
{
  Carrying *carrying = user_data;
  MlWorker *worker = carrying->worker;
  post_counts(worker, worker->pending);
  if (!entry->uidvalidity)
    ; /* known by Message-ID alone: the server tells what comes of it */
  else if (why || entry->kind == ML_PENDING_FLAGS)
    tell_messages(worker, entry);
  else if (entry->kind != ML_PENDING_COPY)
    tell_gone(worker, entry);
  g_autofree char *what = why ? ml_pending_words(entry) : NULL;
  GError *error = why ? g_error_new(ML_ERROR, ML_ERROR_FAILED, "%s: %s. %s (signet pending lists it.)",
                                    entry->partly ? "Perhaps done in part" : "Taken back", what, why->message)
                      : NULL;
  gboolean waited = carrying->command && entry->id == carrying->command->entry;
  if (error && waited && entry->by_itself)
    note_failed(worker, error);
  if (waited) {
    carrying->over = TRUE;
    carrying->error = error;
  } else if (error) {
    MlEvent *event = ml_worker_event(worker, ML_EVENT_NOTE, NULL, NULL);
    event->error = error;
    ml_worker_post(worker, event);
  }
}

/* What a person asks for is not kept waiting by what does by itself. */
static gboolean
stopped(gpointer user_data)
{
  Carrying *carrying = user_data;
  MlWorker *worker = carrying->worker;
  g_mutex_lock(&worker->lock);
  gboolean stop = worker->stop || (carrying->command ? carrying->command->cancelled || carrying->over
                                                     : !g_queue_is_empty(&worker->queue));
  g_mutex_unlock(&worker->lock);
  return stop;
}

static gboolean
on_again(gpointer data)
{
  MlWorker *worker = data;
  g_mutex_lock(&worker->lock);
  g_clear_pointer(&worker->again, g_source_unref);
  g_mutex_unlock(&worker->lock);
  ml_worker_wake(worker);
  return G_SOURCE_REMOVE;
}

gboolean
ml_worker_may_overtake(MlWorker *worker, const char *folder)
{
  MlPending *pending = pending_of(worker);
  g_autoptr(GPtrArray) open = pending ? ml_pending_list(pending, ML_PENDING_OPEN, 0, 0, NULL) : NULL;
  for (guint i = 0; open && i < open->len; i++) {
    const MlPendingEntry *entry = open->pdata[i];
    if (entry->kind != ML_PENDING_FLAGS || strcmp(entry->folder, folder) != 0)
      return FALSE;
  }
  return open && open->len;
}

/* Another process has what waits in hand: it may be killed before it is done. Or the server puts it off. */
static void
look_again(MlWorker *worker, guint ms)
{
  g_mutex_lock(&worker->lock);
  if (!worker->again) {
    worker->again = g_timeout_source_new(ms);
    g_source_set_callback(worker->again, on_again, worker, NULL);
    g_source_attach(worker->again, worker->context);
  }
  g_mutex_unlock(&worker->lock);
}

/* What another process made of the entry of the command. FALSE: nothing yet. */
static gboolean
is_over(Carrying *carrying)
{
  g_autoptr(GError) why = NULL;
  g_autoptr(MlPendingEntry) entry = ml_pending_find(carrying->worker->pending, carrying->command->entry, &why);
  if (!entry)
    return g_error_matches(why, ML_ERROR, ML_ERROR_NOT_FOUND); /* long done, or taken back */
  if (entry->state & ML_PENDING_OPEN)
    return FALSE;
  g_autoptr(GError) failed =
      entry->state == ML_PENDING_FAILED ? g_error_new(ML_ERROR, ML_ERROR_FAILED, "%s", entry->error ? entry->error : "") : NULL;
  ml_worker_refresh(carrying->worker, entry->folder);
  settled(entry, failed, carrying);
  return TRUE;
}

/* Nobody waits for it any more. */
static void
leave(MlWorker *worker, MlCommand *command)
{
  if (!command)
    return;
  g_mutex_lock(&worker->lock);
  command->cancelled = TRUE;
  g_mutex_unlock(&worker->lock);
}

gboolean
ml_worker_run_carry(MlWorker *worker, MlCommand *command, GError **error)
{
  Carrying carrying = { worker, command, FALSE, NULL };
  const MlPendingFuncs funcs = { select_folder, settled, stopped, &carrying };
  gboolean busy = FALSE, ok = TRUE;
  if (!pending_of(worker)) { /* it was told why: what was written down waits */
    leave(worker, command);
    return TRUE;
  }
  for (guint i = 0; i < BUSY_STEPS; i++) {
    ok = ml_pending_carry(worker->pending, worker->driver, ml_worker_store(worker), &funcs, &busy, error);
    say_aside(worker, worker->pending);
    if (!ok || !busy || !command || is_over(&carrying) ||
        ml_driver_wait_fd(worker->driver, -1, -1, BUSY_STEP_MS) != ML_WAIT_TIMEOUT)
      break;
  }
  gboolean put_off = !ok && (g_error_matches(*error, ML_ERROR, ML_ERROR_FAILED) || ml_error_is_absent(*error));
  if (busy || put_off)
    look_again(worker, busy ? AGAIN_MS : PUT_OFF_MS);
  if (!command)
    return ok;
  if (!carrying.over && ok && !is_over(&carrying))
    leave(worker, command);
  if (!carrying.error && carrying.over && put_off) { /* another one is: this one is done */
    g_clear_error(error);
    return TRUE;
  }
  if (!carrying.error)
    return ok;
  command->failed = TRUE;
  g_clear_error(error);
  g_propagate_error(error, carrying.error);
  return FALSE;
}
