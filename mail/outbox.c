#include "mail/outbox-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/files.h"

enum { TIME_DIGITS = 9, RANDOM_DIGITS = 3, FIVE_BITS = 31, NAMED_MOST = 20 };

MlOutbox *
ml_outbox_open(const char *folder, GError **error)
{
  if (g_mkdir_with_parents(folder, 0700) < 0) {
    ml_files_error(error, errno, "made", folder);
    return NULL;
  }
  MlOutbox *outbox = g_new0(MlOutbox, 1);
  outbox->folder = g_strdup(folder);
  return outbox;
}

void
ml_outbox_free(MlOutbox *outbox)
{
  if (!outbox)
    return;
  g_autoptr(GPtrArray) held = g_steal_pointer(&outbox->held);
  for (guint i = 0; held && i < held->len; i++)
    unlink(((MlOutboxPending *)g_ptr_array_index(held, i))->temporary); /* never released: never queued */
  g_free(outbox->folder);
  g_free(outbox);
}

/* "01jv4k2x9q7f": the time in milliseconds, so that names sort as they were made, and something by chance; short
 * enough to be typed. */
static char *
new_id(void)
{
  static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
  char id[TIME_DIGITS + RANDOM_DIGITS + 1] = "";
  guint64 time = (guint64)(g_get_real_time() / 1000);
  for (int i = TIME_DIGITS - 1; i >= 0; i--, time >>= 5)
    id[i] = digits[time & FIVE_BITS];
  for (int i = TIME_DIGITS; i < TIME_DIGITS + RANDOM_DIGITS; i++)
    id[i] = digits[g_random_int_range(0, FIVE_BITS + 1)];
  return g_strdup(id);
}

static gboolean
is_id(const char *id)
{
  gsize length = strlen(id);
  return length > 0 && length < 64 && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz") == length;
}

char *
ml_outbox_add_notify(MlOutbox *outbox, const MlAccount *account, const MlSealed *sealed, gint64 now, guint delay,
                     guint notify, GError **error)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *id = new_id();
  g_assert(sealed->outgoing->len > 0);
  for (guint i = 0; i < sealed->outgoing->len; i++) {
    const MlOutgoing *one = g_ptr_array_index(sealed->outgoing, i);
    for (guint j = 0; j < one->recipients->len; j++)
      g_ptr_array_add(recipients, g_new0(MlOutboxRecipient, 1));
  }
  if (!recipients->len) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The message has no recipient.");
    return NULL;
  }
  const MlOutboxEntry entry = { .id = id,
                                .account = account->name,
                                .message_id = sealed->message_id,
                                .subject = sealed->subject,
                                .state = ML_OUTBOX_QUEUED,
                                .queued = now,
                                .due = now + delay,
                                .recipients = recipients,
                                .copy_due = sealed->copy != NULL,
                                .source = sealed->source,
                                .mark_due = sealed->source != NULL };
  MlOutboxPending *pending = ml_outbox_file_make(outbox->folder, id, &entry, sealed, notify, error);
  if (!pending)
    return NULL;
  if (outbox->held) {
    g_ptr_array_add(outbox->held, pending);
    return g_steal_pointer(&id);
  }
  g_autoptr(GPtrArray) alone = g_ptr_array_new_with_free_func((GDestroyNotify)ml_outbox_pending_free);
  g_ptr_array_add(alone, pending);
  return ml_outbox_file_publish(outbox->folder, alone, error) ? g_steal_pointer(&id) : NULL;
}

void
ml_outbox_hold(MlOutbox *outbox)
{
  if (!outbox->held)
    outbox->held = g_ptr_array_new_with_free_func((GDestroyNotify)ml_outbox_pending_free);
}

gboolean
ml_outbox_release(MlOutbox *outbox, GError **error)
{
  g_autoptr(GPtrArray) held = g_steal_pointer(&outbox->held);
  return !held || !held->len || ml_outbox_file_publish(outbox->folder, held, error);
}

char *
ml_outbox_add(MlOutbox *outbox, const MlAccount *account, const MlSealed *sealed, gint64 now, guint delay,
              GError **error)
{
  return ml_outbox_add_notify(outbox, account, sealed, now, delay, 0, error);
}

/* An entry that cannot be read is still one: it is told, with what to do. */
static MlOutboxEntry *
unreadable(const char *id, const char *words)
{
  MlOutboxEntry *entry = g_new0(MlOutboxEntry, 1);
  entry->id = g_strdup(id);
  entry->account = g_strdup("");
  entry->message_id = g_strdup("");
  entry->subject = g_strdup("");
  entry->state = ML_OUTBOX_FAILED;
  entry->words = g_strdup(words);
  entry->recipients = g_ptr_array_new();
  return entry;
}

GPtrArray *
ml_outbox_list(MlOutbox *outbox, GError **error)
{
  g_autoptr(GPtrArray) ids = ml_outbox_ids(outbox->folder, error);
  if (!ids)
    return NULL;
  GPtrArray *entries = g_ptr_array_new_with_free_func((GDestroyNotify)ml_outbox_entry_free);
  for (guint i = 0; i < ids->len; i++) {
    const char *id = g_ptr_array_index(ids, i);
    g_autoptr(GError) why = NULL;
    g_autoptr(MlOutboxFile) file = ml_outbox_file_open(outbox->folder, id, FALSE, &why);
    if (file)
      g_ptr_array_add(entries, g_steal_pointer(&file->entry));
    else if (!g_error_matches(why, ML_ERROR, ML_ERROR_NOT_FOUND))
      g_ptr_array_add(entries, unreadable(id, why->message));
  }
  return entries;
}

static MlOutboxFile *
take(MlOutbox *outbox, const char *id, GError **error)
{
  GError *why = NULL;
  MlOutboxFile *file = is_id(id) ? ml_outbox_file_open(outbox->folder, id, TRUE, &why) : NULL;
  if (file)
    return file;
  if (!why || g_error_matches(why, ML_ERROR, ML_ERROR_NOT_FOUND)) {
    g_clear_error(&why);
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
                "There is no %s in the outbox: it has left, or was cancelled.", id);
  } else {
    g_propagate_error(error, why);
  }
  return NULL;
}

static gboolean
some_left(const MlOutboxEntry *entry)
{
  for (guint i = 0; i < entry->recipients->len; i++)
    if (((MlOutboxRecipient *)g_ptr_array_index(entry->recipients, i))->state == ML_RCPT_SENT)
      return TRUE;
  return FALSE;
}

gboolean
ml_outbox_is_partial(const MlOutboxEntry *entry)
{
  return entry->state == ML_OUTBOX_FAILED && some_left(entry);
}

static void
name_some(GString *out, const MlOutboxEntry *entry, int state, const char *title)
{
  guint named = 0, more = 0;
  for (guint i = 0; i < entry->recipients->len; i++) {
    const MlOutboxRecipient *one = g_ptr_array_index(entry->recipients, i);
    if ((int)one->state != state)
      continue;
    if (named == NAMED_MOST) {
      more++;
      continue;
    }
    g_string_append_printf(out, "%s%s", named++ ? ", " : title, one->address);
    if (one->words)
      g_string_append_printf(out, " (%s)", one->words);
  }
  if (more)
    g_string_append_printf(out, " and %u more", more);
}

char *
ml_outbox_outcome(const MlOutboxEntry *entry)
{
  guint sent = 0, all = entry->recipients->len;
  for (guint i = 0; i < all; i++)
    sent += ((MlOutboxRecipient *)g_ptr_array_index(entry->recipients, i))->state == ML_RCPT_SENT;
  if (!sent || sent == all)
    return NULL;
  GString *out = g_string_new(NULL);
  g_string_append_printf(out, "sent to %u of %u", sent, all);
  name_some(out, entry, ML_RCPT_REFUSED, "; REFUSED: ");
  name_some(out, entry, ML_RCPT_DUE, entry->state == ML_OUTBOX_UNSURE ? "; perhaps also: " : "; not yet: ");
  g_string_append_c(out, '.');
  return g_string_free(out, FALSE);
}

gboolean
ml_outbox_cancel(MlOutbox *outbox, const char *id, GBytes **copy, GError **error)
{
  return ml_outbox_take_back(outbox, id, copy, NULL, error);
}

gboolean
ml_outbox_take_back(MlOutbox *outbox, const char *id, GBytes **copy, MlOutboxEntry **entry, GError **error)
{
  g_autoptr(MlOutboxFile) file = take(outbox, id, error);
  if (!file)
    return FALSE;
  if (file->entry->state == ML_OUTBOX_SENT) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "It has left already; only its copy for the Sent folder is still here, and will be stored.");
    return FALSE;
  }
  const MlOutboxMessage *kept =
      file->copy.length ? &file->copy : g_ptr_array_index(file->messages, 0);
  if (copy) {
    *copy = ml_outbox_file_bytes(file, kept, error);
    if (!*copy)
      return FALSE;
  }
  /* Some have it: their sender keeps a copy, whatever becomes of the rest. */
  if (some_left(file->entry) && (file->entry->copy_due || file->entry->mark_due)) {
    file->entry->state = ML_OUTBOX_SENT;
    file->entry->due = 0;
    for (guint i = 0; i < file->entry->recipients->len; i++) {
      MlOutboxRecipient *recipient = g_ptr_array_index(file->entry->recipients, i);
      if (recipient->state != ML_RCPT_DUE)
        continue;
      recipient->state = ML_RCPT_REFUSED;
      g_free(recipient->words);
      recipient->words = g_strdup("taken back");
    }
    file->dot = -1;
    gboolean kept_on = ml_outbox_file_record(file, error);
    if (!kept_on && copy)
      g_clear_pointer(copy, g_bytes_unref);
    if (kept_on && entry)
      *entry = g_steal_pointer(&file->entry);
    return kept_on;
  }
  ml_files_point("outbox-cancel-1");
  gboolean ok = ml_outbox_file_remove(file, error) && ml_files_sync_folder(outbox->folder, error);
  ml_files_point("outbox-cancel-2");
  if (!ok && copy)
    g_clear_pointer(copy, g_bytes_unref);
  if (ok && entry)
    *entry = g_steal_pointer(&file->entry);
  return ok;
}

gboolean
ml_outbox_retry(MlOutbox *outbox, const char *id, GError **error)
{
  g_autoptr(MlOutboxFile) file = take(outbox, id, error);
  if (!file)
    return FALSE;
  MlOutboxEntry *entry = file->entry;
  entry->due = 0;
  if (entry->state != ML_OUTBOX_SENT) {
    entry->state = ML_OUTBOX_QUEUED;
    entry->attempts = 0;
    file->dot = -1;
    for (guint i = 0; i < entry->recipients->len; i++) {
      MlOutboxRecipient *recipient = g_ptr_array_index(entry->recipients, i);
      if (recipient->state == ML_RCPT_REFUSED)
        recipient->state = ML_RCPT_DUE;
    }
  }
  return ml_outbox_file_record(file, error);
}
