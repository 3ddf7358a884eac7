#include <string.h>

#include "mail/files.h"
#include "mail/outbox-private.h"
#include "mail/smtp.h"

enum { BACKOFF_FIRST = 60, BACKOFF_MOST = 3600, GIVE_UP = 5 * 24 * 3600 };

/* One pass over the outbox. */
typedef struct {
  MlOutbox *outbox;
  const MlConfig *config;
  const MlDriverHooks *hooks;
  gint64 now;
  MlOutboxFunc func;
  gpointer user_data;
  GCancellable *cancellable;
  GHashTable *lines; /* account name -> Line */
  gint64 next;       /* time of the next attempt; 0: none */
} Flush;

/* What is open for one account. A line that is down is not tried again in this pass. */
typedef struct {
  const MlAccount *account;
  MlSmtp *smtp;
  MlDriver *driver;
  GCancellable *cancellable; /* the pass's */
  gulong interrupt; /* of the driver, by it */
  char *sent;          /* folder for copies; NULL: not asked yet */
  gint64 smtp_down, driver_down; /* until then; 0: not down */
} Line;

/* Any thread. */
static void
on_cancelled(GCancellable *cancellable, gpointer driver)
{
  (void)cancellable;
  ml_driver_interrupt(driver);
}

static void
line_free(gpointer data)
{
  Line *line = data;
  g_cancellable_disconnect(line->cancellable, line->interrupt);
  ml_smtp_free(line->smtp);
  ml_driver_free(line->driver);
  g_free(line->sent);
  g_free(line);
}

static Line *
line_for(Flush *flush, const char *name)
{
  Line *line = g_hash_table_lookup(flush->lines, name);
  if (line)
    return line;
  const MlAccount *account = ml_config_account(flush->config, name);
  if (!account)
    return NULL;
  line = g_new0(Line, 1);
  line->account = account;
  line->cancellable = flush->cancellable;
  line->smtp = ml_smtp_new(account, flush->hooks);
  g_hash_table_insert(flush->lines, g_strdup(name), line);
  return line;
}

static void
tell(Flush *flush, const MlOutboxEntry *entry)
{
  if (flush->func)
    flush->func(entry, flush->user_data);
}

static void
wake_at(Flush *flush, gint64 when)
{
  if (!flush->next || when < flush->next)
    flush->next = when;
}

static void
set_words(MlOutboxEntry *entry, const char *words)
{
  g_free(entry->words);
  entry->words = g_strdup(words);
}

static gint64
backoff(const Flush *flush, const MlOutboxEntry *entry)
{
  guint shift = MIN(MAX(entry->attempts, 1) - 1, 10);
  return flush->now + MIN(BACKOFF_FIRST << shift, BACKOFF_MOST);
}

/* ---- sending */

typedef struct {
  MlOutboxFile *file;
  int message;
} Dot;

/* Whoever finds this record and nobody at work knows that the message may have left. */
static gboolean
on_dot(gpointer user_data, GError **error)
{
  Dot *dot = user_data;
  dot->file->dot = dot->message;
  dot->file->entry->state = ML_OUTBOX_SENDING;
  ml_files_point("outbox-dot-1");
  gboolean ok = ml_outbox_file_record(dot->file, error);
  ml_files_point("outbox-dot-2");
  return ok;
}

static void
smtp_recipient_free(gpointer data)
{
  MlSmtpRecipient *recipient = data;
  g_free(recipient->words);
  g_free(recipient);
}

/* Those of @message that have not got it yet. Addresses are borrowed. */
static GPtrArray *
due_recipients(MlOutboxFile *file, const MlOutboxMessage *message)
{
  GPtrArray *due = g_ptr_array_new_with_free_func(smtp_recipient_free);
  for (guint i = 0; i < message->recipients->len; i++) {
    MlOutboxRecipient *recipient = g_ptr_array_index(file->entry->recipients, message->first + i);
    if (recipient->state != ML_RCPT_DUE)
      continue;
    MlSmtpRecipient *one = g_new0(MlSmtpRecipient, 1);
    one->address = recipient->address;
    one->notify = file->notify;
    g_ptr_array_add(due, one);
  }
  return due;
}

static void
take_results(MlOutboxFile *file, const MlOutboxMessage *message, GPtrArray *results)
{
  guint at = 0;
  for (guint i = 0; i < message->recipients->len && at < results->len; i++) {
    MlOutboxRecipient *recipient = g_ptr_array_index(file->entry->recipients, message->first + i);
    if (recipient->state != ML_RCPT_DUE)
      continue;
    MlSmtpRecipient *result = g_ptr_array_index(results, at++);
    if (result->result == ML_SMTP_SENT)
      recipient->state = ML_RCPT_SENT;
    else if (result->result == ML_SMTP_REFUSED)
      recipient->state = ML_RCPT_REFUSED;
    g_free(recipient->words);
    recipient->words = g_steal_pointer(&result->words);
  }
}

static gboolean
heard_something(GPtrArray *results)
{
  for (guint i = 0; i < results->len; i++)
    if (((MlSmtpRecipient *)g_ptr_array_index(results, i))->words)
      return TRUE;
  return FALSE;
}

typedef enum { GO_ON, STOP, LINE_DOWN } Step;

static Step
send_message(Flush *flush, MlOutboxFile *file, Line *line, guint index)
{
  MlOutboxEntry *entry = file->entry;
  const MlOutboxMessage *message = g_ptr_array_index(file->messages, index);
  g_autoptr(GPtrArray) due = due_recipients(file, message);
  g_autoptr(GError) why = NULL;
  if (!due->len)
    return GO_ON;
  g_autoptr(GBytes) bytes = ml_outbox_file_bytes(file, message, &why);
  if (!bytes) {
    entry->state = ML_OUTBOX_FAILED;
    set_words(entry, why->message);
    return STOP;
  }
  Dot dot = { file, (int)index };
  MlSmtpResult result =
      ml_smtp_send(line->smtp, message->from ? message->from : "", due, bytes, on_dot, &dot, flush->cancellable, &why);
  gboolean heard = heard_something(due);
  ml_files_point("outbox-sent-1");
  take_results(file, message, due);
  set_words(entry, why ? why->message : NULL);
  if (result == ML_SMTP_UNSURE) {
    entry->state = ML_OUTBOX_UNSURE;
    g_autofree char *words = g_strdup_printf(
        "It may have been sent: %s The server had all of it, and did not answer. Ask a recipient, then send it again "
        "or cancel it.",
        why ? why->message : "");
    set_words(entry, words);
    return STOP;
  }
  file->dot = -1;
  entry->state = ML_OUTBOX_QUEUED;
  if (result == ML_SMTP_LATER && !heard)
    return g_cancellable_is_cancelled(flush->cancellable) ? STOP : LINE_DOWN;
  return GO_ON;
}

/* What the recipients' states come to. */
static void
conclude(Flush *flush, MlOutboxEntry *entry)
{
  guint due = 0, refused = 0;
  for (guint i = 0; i < entry->recipients->len; i++) {
    const MlOutboxRecipient *recipient = g_ptr_array_index(entry->recipients, i);
    due += recipient->state == ML_RCPT_DUE;
    refused += recipient->state == ML_RCPT_REFUSED;
  }
  if (entry->state == ML_OUTBOX_UNSURE || entry->state == ML_OUTBOX_FAILED)
    return;
  if (due && flush->now - entry->queued > GIVE_UP) {
    entry->state = ML_OUTBOX_FAILED;
    g_autofree char *words = g_strdup_printf("It could not be sent for five days and is not tried any more. %s",
                                             entry->words ? entry->words : "");
    set_words(entry, words);
  } else if (due) {
    entry->state = ML_OUTBOX_QUEUED;
    entry->due = backoff(flush, entry);
  } else if (refused) {
    entry->state = ML_OUTBOX_FAILED;
    g_autofree char *outcome = ml_outbox_outcome(entry);
    if (outcome)
      set_words(entry, outcome);
    if (entry->words)
      return;
    g_autofree char *words = g_strdup_printf("%u of %u recipients %s refused: see each.", refused,
                                             entry->recipients->len, refused == 1 ? "was" : "were");
    set_words(entry, words);
  } else {
    entry->state = ML_OUTBOX_SENT;
    set_words(entry, NULL);
  }
}

/* TRUE: its state is another one, which is to be told. */
static gboolean
send_entry(Flush *flush, MlOutboxFile *file)
{
  MlOutboxEntry *entry = file->entry;
  Line *line = line_for(flush, entry->account);
  g_autoptr(GError) why = NULL;
  Step step = GO_ON;
  guint attempts = entry->attempts + 1;
  if (!line) {
    g_autofree char *words = g_strdup_printf(
        "There is no account %s in signet.conf any more: put it back, or cancel this message.", entry->account);
    set_words(entry, words);
    entry->attempts = attempts;
    entry->due = backoff(flush, entry);
  } else if (line->smtp_down) {
    wake_at(flush, MAX(entry->due, line->smtp_down));
    return FALSE;
  } else {
    entry->state = ML_OUTBOX_SENDING;
    entry->attempts = attempts;
    tell(flush, entry);
    for (guint i = 0; i < file->messages->len && step == GO_ON; i++)
      step = send_message(flush, file, line, i);
    if (step == STOP && g_cancellable_is_cancelled(flush->cancellable) && entry->state == ML_OUTBOX_QUEUED)
      return FALSE; /* as it was */
    conclude(flush, entry);
    if (step == LINE_DOWN)
      line->smtp_down = entry->due;
    if (g_strcmp0(line->account->sent, "none") == 0)
      entry->copy_due = FALSE; /* known without asking the mailbox: a record and its sync less */
  }
  gboolean gone = entry->state == ML_OUTBOX_SENT && !entry->copy_due && !entry->mark_due;
  ml_files_point("outbox-sent-2");
  if (!(gone ? ml_outbox_file_remove(file, &why) : ml_outbox_file_record(file, &why)))
    set_words(entry, why->message);
  ml_files_point("outbox-sent-3");
  if (entry->state == ML_OUTBOX_QUEUED)
    wake_at(flush, entry->due);
  return TRUE;
}

/* ---- after it has left: the Sent copy, and the mark on what it answers */

static gboolean
has_left(const MlOutboxEntry *entry)
{
  gboolean any = FALSE;
  for (guint i = 0; i < entry->recipients->len; i++)
    any |= ((MlOutboxRecipient *)g_ptr_array_index(entry->recipients, i))->state == ML_RCPT_SENT;
  return any && (entry->state == ML_OUTBOX_SENT || entry->state == ML_OUTBOX_FAILED);
}

static gboolean
wants_more(const MlOutboxEntry *entry)
{
  return (entry->copy_due || entry->mark_due) && has_left(entry);
}

static MlDriver *
driver_of(Flush *flush, Line *line)
{
  if (line->driver)
    return line->driver;
  line->driver = ml_driver_new(line->account, flush->hooks);
  line->interrupt = g_cancellable_connect(flush->cancellable, G_CALLBACK(on_cancelled), line->driver, NULL);
  return line->driver;
}

/* Where it goes; "" where the account keeps none. NULL: the mailbox could not be asked. */
static const char *
sent_folder(Flush *flush, Line *line, GError **error)
{
  g_autoptr(GError) why = NULL;
  if (line->sent)
    return line->sent;
  line->sent = ml_driver_role_folder(driver_of(flush, line), ML_ROLE_SENT, &why);
  gboolean single = line->account->kind == ML_ACCOUNT_MBOX && g_file_test(line->account->path, G_FILE_TEST_IS_REGULAR);
  if (!line->sent && g_error_matches(why, ML_ERROR, ML_ERROR_NOT_FOUND))
    line->sent = g_strdup(single ? "" : "Sent");
  else if (g_strcmp0(line->sent, "none") == 0)
    *line->sent = '\0';
  if (!line->sent)
    g_propagate_error(error, g_steal_pointer(&why));
  return line->sent;
}

/* @again: an earlier try may have stored it. */
static gboolean
append_copy(Flush *flush, MlOutboxFile *file, Line *line, gboolean again, GError **error)
{
  gboolean there = FALSE;
  const char *folder = sent_folder(flush, line, error);
  if (!folder || !*folder)
    return folder != NULL;
  const MlOutboxMessage *copy = file->copy.length ? &file->copy : g_ptr_array_index(file->messages, 0);
  g_autoptr(GBytes) bytes = ml_outbox_file_bytes(file, copy, error);
  if (!bytes || (again && file->entry->message_id &&
                 !ml_driver_has(line->driver, folder, file->entry->message_id, &there, error)))
    return FALSE;
  ml_files_point("outbox-copy-1");
  return there || ml_driver_append(line->driver, folder, bytes, ML_FLAG_SEEN, file->entry->queued, NULL, error);
}

typedef enum { NOTHING, DONE, FAILED, DOWN } Follow; /* DOWN: not tried, its mailbox could not be reached a moment ago */

/* *words: what the person should hear where it failed. */
static Follow
store_copy(Flush *flush, MlOutboxFile *file, gboolean again, char **words)
{
  MlOutboxEntry *entry = file->entry;
  Line *line = line_for(flush, entry->account);
  g_autoptr(GError) why = NULL;
  if (!entry->copy_due)
    return NOTHING;
  if (line && line->driver_down)
    return DOWN;
  if (line && !append_copy(flush, file, line, again, &why)) {
    if (g_cancellable_is_cancelled(flush->cancellable))
      return NOTHING;
    line->driver_down = flush->now + BACKOFF_FIRST;
    *words = g_strdup_printf(
        "Sent; its copy could not be stored in the Sent folder and will be tried again: %s", why->message);
    return FAILED;
  }
  ml_files_point("outbox-copy-2");
  entry->copy_due = FALSE;
  return DONE;
}

/* The message that it answers. Nobody is told where that fails: it is no loss that needs a person. */
static Follow
mark_source(Flush *flush, MlOutboxEntry *entry)
{
  Line *line = entry->mark_due ? line_for(flush, entry->source->account) : NULL;
  g_autoptr(GError) why = NULL;
  if (!entry->mark_due || g_cancellable_is_cancelled(flush->cancellable))
    return NOTHING;
  if (line && line->driver_down)
    return DOWN;
  if (line && flush->now - entry->queued < GIVE_UP && !ml_source_mark(entry->source, driver_of(flush, line), &why)) {
    if (g_cancellable_is_cancelled(flush->cancellable))
      return NOTHING;
    line->driver_down = flush->now + BACKOFF_FIRST;
    g_info("what %s answers is not marked yet: %s", entry->id, why->message);
    return FAILED;
  }
  ml_files_point("outbox-mark-1");
  entry->mark_due = FALSE;
  return DONE;
}

/* What is to be done once it has left. TRUE: something came of it, which is to be told. */
static gboolean
follow_up(Flush *flush, MlOutboxFile *file, gboolean again)
{
  MlOutboxEntry *entry = file->entry;
  g_autoptr(GError) why = NULL;
  g_autofree char *words = NULL;
  Follow copied = store_copy(flush, file, again, &words), marked = mark_source(flush, entry);
  gboolean left = entry->copy_due || entry->mark_due;
  if (copied == FAILED || marked == FAILED) {
    entry->attempts++;
    entry->due = backoff(flush, entry);
  }
  if (left)
    wake_at(flush, MAX(entry->due, flush->now + BACKOFF_FIRST));
  if (copied != DONE && copied != FAILED && marked != DONE && marked != FAILED)
    return FALSE;
  if (entry->state == ML_OUTBOX_SENT && (words || !entry->copy_due))
    set_words(entry, words);
  gboolean ok = left || entry->state != ML_OUTBOX_SENT ? ml_outbox_file_record(file, &why)
                                                       : ml_outbox_file_remove(file, &why);
  if (!ok)
    g_warning("%s", why->message);
  ml_files_point("outbox-copy-3");
  return TRUE;
}

/* ---- one pass */

static void
flush_one(Flush *flush, const char *id)
{
  g_autoptr(GError) why = NULL;
  g_autoptr(MlOutboxFile) file = ml_outbox_file_open(flush->outbox->folder, id, TRUE, &why);
  if (!file) {
    if (g_error_matches(why, ML_ERROR, ML_ERROR_FAILED))
      wake_at(flush, flush->now + BACKOFF_FIRST); /* another signet has it, and may die of it */
    return;
  }
  MlOutboxEntry *entry = file->entry;
  gboolean again = TRUE, changed = FALSE;
  if (entry->state == ML_OUTBOX_QUEUED) {
    if (entry->due > flush->now) {
      wake_at(flush, entry->due);
      return;
    }
    changed = send_entry(flush, file);
    again = FALSE;
  } else if (entry->due > flush->now && wants_more(entry)) {
    wake_at(flush, entry->due);
    return;
  }
  if (wants_more(entry) && !g_cancellable_is_cancelled(flush->cancellable)) {
    if (changed)
      tell(flush, entry);
    changed = follow_up(flush, file, again);
  }
  /* Who is told looks at the file, and must not find it being worked on. */
  entry = g_steal_pointer(&file->entry);
  g_clear_pointer(&file, ml_outbox_file_free);
  if (changed)
    tell(flush, entry);
  ml_outbox_entry_free(entry);
}

/* Takes @ids. */
static gint64
flush_ids(Flush *flush, GPtrArray *ids)
{
  g_autoptr(GCancellable) own = flush->cancellable ? g_object_ref(flush->cancellable) : g_cancellable_new();
  flush->cancellable = own;
  flush->lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, line_free);
  for (guint i = 0; i < ids->len && !g_cancellable_is_cancelled(own); i++)
    flush_one(flush, g_ptr_array_index(ids, i));
  g_hash_table_unref(flush->lines);
  g_ptr_array_unref(ids);
  return flush->next;
}

gint64
ml_outbox_flush(MlOutbox *outbox, const MlConfig *config, const MlDriverHooks *hooks, gint64 now, MlOutboxFunc func,
                gpointer user_data, GCancellable *cancellable, GError **error)
{
  Flush flush = { .outbox = outbox,
                  .config = config,
                  .hooks = hooks,
                  .now = now,
                  .func = func,
                  .user_data = user_data,
                  .cancellable = cancellable };
  GPtrArray *ids = ml_outbox_ids(outbox->folder, error);
  return ids ? flush_ids(&flush, ids) : -1;
}

gint64
ml_outbox_flush_one(MlOutbox *outbox, const char *id, const MlConfig *config, const MlDriverHooks *hooks, gint64 now,
                    MlOutboxFunc func, gpointer user_data, GCancellable *cancellable, GError **error)
{
  Flush flush = { .outbox = outbox,
                  .config = config,
                  .hooks = hooks,
                  .now = now,
                  .func = func,
                  .user_data = user_data,
                  .cancellable = cancellable };
  g_autofree char *path = g_strconcat(outbox->folder, "/", id, ".entry", NULL);
  if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
                "There is no %s in the outbox: it has left, or was cancelled.", id);
    return -1;
  }
  GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(ids, g_strdup(id));
  return flush_ids(&flush, ids);
}
