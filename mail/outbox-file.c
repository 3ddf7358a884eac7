#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/mapping.h"
#include "mail/files.h"
#include "mail/outbox-private.h"

#define MAGIC "signet-outbox 1\n"
#define SUFFIX ".entry"
enum {
  HEAD_MAX = 16 * 1024 * 1024,
  JOURNAL_MAX = 64 * 1024 * 1024,
  LENGTH_WIDTH = 11, /* "0000012345\n" */
  LOCK_TRIES = 25,
  LOCK_PAUSE_US = 20000,
  PART = 1024 * 1024, /* octets: a message that is longer stays in its file */
};

void
ml_outbox_entry_free(MlOutboxEntry *entry)
{
  if (!entry)
    return;
  g_free(entry->id);
  g_free(entry->account);
  g_free(entry->message_id);
  g_free(entry->subject);
  g_free(entry->words);
  ml_source_free(entry->source);
  g_clear_pointer(&entry->recipients, g_ptr_array_unref);
  g_free(entry);
}

static void
recipient_free(gpointer data)
{
  MlOutboxRecipient *recipient = data;
  g_free(recipient->address);
  g_free(recipient->words);
  g_free(recipient);
}

static void
message_free(gpointer data)
{
  MlOutboxMessage *message = data;
  g_free(message->from);
  g_clear_pointer(&message->recipients, g_ptr_array_unref);
  g_free(message);
}

void
ml_outbox_file_free(MlOutboxFile *file)
{
  if (!file)
    return;
  if (file->fd >= 0)
    close(file->fd); /* and the lock with it */
  ml_outbox_entry_free(file->entry);
  g_clear_pointer(&file->messages, g_ptr_array_unref);
  g_free(file->path);
  g_free(file);
}

/* ---- making one */

static void
digest(GBytes *bytes, char *out)
{
  gsize length;
  const guchar *data = g_bytes_get_data(bytes, &length);
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  for (gsize at = 0, part; at < length; at += part) {
    part = MIN(length - at, (gsize)PART);
    g_checksum_update(sum, data + at, (gssize)part);
    crypto_mapping_release(data + at, data + at + part);
  }
  g_strlcpy(out, g_checksum_get_string(sum), 65);
}

static gboolean
is_same(GBytes *a, GBytes *b)
{
  gsize length;
  const guchar *one = g_bytes_get_data(a, &length), *other = g_bytes_get_data(b, NULL);
  gboolean same = length == g_bytes_get_size(b);
  for (gsize at = 0, part; same && one != other && at < length; at += part) {
    part = MIN(length - at, (gsize)PART);
    same = memcmp(one + at, other + at, part) == 0;
    crypto_mapping_release(one + at, one + at + part);
    crypto_mapping_release(other + at, other + at + part);
  }
  return same;
}

/* One message's line of the head; offsets count from the end of the head. */
static void
add_message(GString *head, const char *kind, const char *from, GPtrArray *recipients, goffset offset, GBytes *bytes)
{
  char sum[65];
  digest(bytes, sum);
  g_string_append_printf(head, "%s\t%" G_GOFFSET_FORMAT "\t%" G_GSIZE_FORMAT "\t%s", kind, offset,
                         g_bytes_get_size(bytes), sum);
  ml_outbox_add_field(head, from);
  for (guint i = 0; recipients && i < recipients->len; i++)
    ml_outbox_add_field(head, g_ptr_array_index(recipients, i));
  g_string_append_c(head, '\n');
}

/* The Sent copy is often the very message: it is kept once. */
static GBytes *
own_copy(const MlSealed *sealed)
{
  MlOutgoing *first = g_ptr_array_index(sealed->outgoing, 0);
  return sealed->copy && !is_same(sealed->copy, first->bytes) ? sealed->copy : NULL;
}

static char *
head_text(const MlOutboxEntry *entry, const MlSealed *sealed, guint notify)
{
  GString *head = g_string_new("E");
  goffset at = 0;
  ml_outbox_add_field(head, entry->account);
  ml_outbox_add_field(head, entry->message_id);
  ml_outbox_add_field(head, entry->subject);
  g_string_append_printf(head, "\t%" G_GINT64_FORMAT "\t%u\n", entry->queued, notify);
  for (guint i = 0; i < sealed->outgoing->len; i++) {
    const MlOutgoing *one = g_ptr_array_index(sealed->outgoing, i);
    add_message(head, "M", one->from, one->recipients, at, one->bytes);
    at += (goffset)g_bytes_get_size(one->bytes);
  }
  if (sealed->copy)
    add_message(head, "C", NULL, NULL, own_copy(sealed) ? at : 0, sealed->copy);
  g_autofree char *text = g_strdup(head->str);
  g_string_append(head, "S");
  ml_outbox_add_sum(head, text);
  return g_string_free(head, FALSE);
}

static gboolean
write_entry(int fd, const char *path, const MlOutboxEntry *entry, const MlSealed *sealed, guint notify,
            GError **error)
{
  g_autofree char *head = head_text(entry, sealed, notify);
  g_autofree char *length = g_strdup_printf("%010u\n", (guint)strlen(head));
  g_autofree char *record = ml_outbox_record_text(entry, -1);
  GBytes *copy = own_copy(sealed);
  gboolean ok = ml_files_write_all(fd, MAGIC, strlen(MAGIC), path, error) &&
                ml_files_write_all(fd, length, LENGTH_WIDTH, path, error) &&
                ml_files_write_all(fd, head, strlen(head), path, error);
  for (guint i = 0; ok && i < sealed->outgoing->len; i++) {
    const MlOutgoing *one = g_ptr_array_index(sealed->outgoing, i);
    gsize size;
    const void *data = g_bytes_get_data(one->bytes, &size);
    ok = ml_files_write_all(fd, data, size, path, error);
  }
  if (ok && copy)
    ok = ml_files_write_all(fd, g_bytes_get_data(copy, NULL), g_bytes_get_size(copy), path, error);
  ml_files_point("outbox-add-2");
  return ok && ml_files_write_all(fd, "\n", 1, path, error) &&
         ml_files_write_all(fd, record, strlen(record), path, error);
}

void
ml_outbox_pending_free(MlOutboxPending *pending)
{
  if (pending->fd >= 0)
    close(pending->fd);
  g_free(pending->temporary);
  g_free(pending->path);
  g_free(pending);
}

MlOutboxPending *
ml_outbox_file_make(const char *folder, const char *id, const MlOutboxEntry *entry, const MlSealed *sealed,
                    guint notify, GError **error)
{
  MlOutboxPending *pending = g_new0(MlOutboxPending, 1);
  pending->path = g_strconcat(folder, "/", id, SUFFIX, NULL);
  pending->temporary = g_strconcat(folder, "/", id, ".new", NULL);
  pending->fd = open(pending->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (pending->fd < 0) {
    ml_files_error(error, errno, "written", pending->temporary);
    ml_outbox_pending_free(pending);
    return NULL;
  }
  ml_files_point("outbox-add-1");
  if (!write_entry(pending->fd, pending->temporary, entry, sealed, notify, error)) {
    unlink(pending->temporary);
    ml_outbox_pending_free(pending);
    return NULL;
  }
  ml_files_point("outbox-add-3");
  return pending;
}

static gboolean
publish(const char *folder, GPtrArray *all, GError **error)
{
  g_autofree int *fds = g_new(int, all->len);
  for (guint i = 0; i < all->len; i++)
    fds[i] = ((MlOutboxPending *)g_ptr_array_index(all, i))->fd;
  guint failed = ml_files_sync_all(fds, all->len);
  if (failed < all->len) {
    ml_files_error(error, errno, "written", ((MlOutboxPending *)g_ptr_array_index(all, failed))->temporary);
    return FALSE;
  }
  ml_files_point("outbox-add-4");
  for (guint i = 0; i < all->len; i++) {
    MlOutboxPending *pending = g_ptr_array_index(all, i);
    if (!ml_files_rename(pending->temporary, pending->path)) {
      ml_files_error(error, errno, "written", pending->path);
      return FALSE;
    }
    pending->published = TRUE;
  }
  ml_files_point("outbox-add-5");
  return ml_files_sync_folder(folder, error);
}

gboolean
ml_outbox_file_publish(const char *folder, GPtrArray *all, GError **error)
{
  gboolean ok = publish(folder, all, error);
  for (guint i = 0; !ok && i < all->len; i++) { /* what is not said to be queued must not be sent */
    MlOutboxPending *pending = g_ptr_array_index(all, i);
    unlink(pending->published ? pending->path : pending->temporary); /* a path may be another's entry */
  }
  ml_files_point("outbox-add-6");
  return ok;
}

/* ---- reading one */

static gboolean
damaged(const char *path, GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED,
              "%s is damaged and was left alone: it may hold a message. Look into it, then move it away.", path);
  return FALSE;
}

static MlOutboxMessage *
parse_message(char **fields, goffset base, goffset size)
{
  gint64 offset, length;
  if (g_strv_length(fields) < 5 || !ml_outbox_number(fields[1], 0, size, &offset) || !ml_outbox_number(fields[2], 0, size, &length) ||
      strlen(fields[3]) != 64 || offset + length > size - base)
    return NULL;
  MlOutboxMessage *message = g_new0(MlOutboxMessage, 1);
  message->offset = base + offset;
  message->length = (gsize)length;
  g_strlcpy(message->sha256, fields[3], sizeof message->sha256);
  message->from = ml_outbox_field(fields[4]);
  message->recipients = g_ptr_array_new_with_free_func(g_free);
  for (char **address = fields + 5; *address; address++) {
    char *text = ml_outbox_field(*address);
    g_ptr_array_add(message->recipients, text ? text : g_strdup(""));
  }
  return message;
}

static void
take_message(MlOutboxFile *file, MlOutboxMessage *message)
{
  MlOutboxEntry *entry = file->entry;
  message->first = entry->recipients->len;
  entry->size += message->length;
  for (guint i = 0; i < message->recipients->len; i++) {
    MlOutboxRecipient *recipient = g_new0(MlOutboxRecipient, 1);
    recipient->address = g_strdup(g_ptr_array_index(message->recipients, i));
    g_ptr_array_add(entry->recipients, recipient);
  }
  g_ptr_array_add(file->messages, message);
}

static gboolean
parse_head(MlOutboxFile *file, const char *head, goffset base, goffset size)
{
  MlOutboxEntry *entry = file->entry;
  const char *end = strrchr(head, '\n');
  const char *last = end ? g_strrstr_len(head, end - head, "\nS\t") : NULL;
  if (!last)
    return FALSE;
  g_autofree char *signed_part = g_strndup(head, (gsize)(last - head) + 1);
  g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, signed_part, -1);
  if (strncmp(sum, last + 3, ML_OUTBOX_SUM) != 0)
    return FALSE;
  g_auto(GStrv) lines = g_strsplit(signed_part, "\n", -1);
  for (char **line = lines; *line && **line; line++) {
    g_auto(GStrv) fields = g_strsplit(*line, "\t", -1);
    gint64 queued, notify;
    if (line == lines) {
      if (g_strv_length(fields) != 6 || strcmp(fields[0], "E") != 0 || !ml_outbox_number(fields[4], 0, G_MAXINT64, &queued) ||
          !ml_outbox_number(fields[5], 0, 255, &notify))
        return FALSE;
      entry->account = ml_outbox_field(fields[1]);
      entry->message_id = ml_outbox_field(fields[2]);
      entry->subject = ml_outbox_field(fields[3]);
      entry->queued = queued;
      file->notify = (guint)notify;
      continue;
    }
    MlOutboxMessage *message = parse_message(fields, base, size);
    if (!message)
      return FALSE;
    if (strcmp(fields[0], "C") == 0) {
      file->copy.offset = message->offset;
      file->copy.length = message->length;
      memcpy(file->copy.sha256, message->sha256, sizeof file->copy.sha256);
      message_free(message);
    } else {
      take_message(file, message);
    }
  }
  return entry->account && file->messages->len > 0;
}

/* Where the messages end. */
static goffset
journal_start(const MlOutboxFile *file, goffset base)
{
  goffset start = base;
  for (guint i = 0; i < file->messages->len; i++) {
    const MlOutboxMessage *message = g_ptr_array_index(file->messages, i);
    start = MAX(start, message->offset + (goffset)message->length);
  }
  return MAX(start, file->copy.offset + (goffset)file->copy.length);
}

static gboolean
read_journal(MlOutboxFile *file, goffset start, goffset size, GError **error)
{
  if (size - start > JOURNAL_MAX)
    return damaged(file->path, error);
  gsize length = (gsize)(size - start);
  g_autofree char *text = g_malloc(length + 1);
  gssize n = ml_files_pread(file->fd, text, length, start, file->path, error);
  gboolean any = FALSE;
  g_autoptr(MlSource) source = NULL;
  if (n < 0)
    return FALSE;
  file->end = start;
  for (gsize at = 0, end; at < (gsize)n; at = end) {
    const char *newline = memchr(text + at, '\n', (gsize)n - at);
    if (!newline)
      break;
    end = (gsize)(newline - text) + 1;
    if (text[at] == 'A') {
      ml_source_free(source);
      source = ml_outbox_take_source(text + at, end - at - 1);
    }
    if (!ml_outbox_take_record(file, text + at, end - at - 1))
      continue;
    any = TRUE;
    ml_source_free(file->entry->source);
    file->entry->source = g_steal_pointer(&source);
    file->entry->mark_due = file->entry->source != NULL;
    file->end = start + (goffset)end;
  }
  return any || damaged(file->path, error);
}

static gboolean
read_entry(MlOutboxFile *file, GError **error)
{
  struct stat about;
  char begin[sizeof MAGIC + LENGTH_WIDTH] = "";
  gsize fixed = strlen(MAGIC) + LENGTH_WIDTH;
  gint64 length;
  if (fstat(file->fd, &about) < 0) {
    ml_files_error(error, errno, "read", file->path);
    return FALSE;
  }
  gssize n = ml_files_pread(file->fd, begin, fixed, 0, file->path, error);
  if (n < 0)
    return FALSE;
  begin[strlen(MAGIC) + LENGTH_WIDTH - 1] = '\0';
  if ((gsize)n < fixed || memcmp(begin, MAGIC, strlen(MAGIC)) != 0 ||
      !ml_outbox_number(begin + strlen(MAGIC), 1, MIN(HEAD_MAX, about.st_size), &length))
    return damaged(file->path, error);
  g_autofree char *head = g_malloc0((gsize)length + 1);
  n = ml_files_pread(file->fd, head, (gsize)length, (goffset)fixed, file->path, error);
  if (n < 0)
    return FALSE;
  goffset base = (goffset)fixed + length;
  if (n < length || strlen(head) != (gsize)length || !parse_head(file, head, base, about.st_size))
    return damaged(file->path, error);
  return read_journal(file, journal_start(file, base), about.st_size, error);
}

/* Nobody is at it who would say more: what the last record leaves open is what a crash left. */
static void
settle(MlOutboxFile *file)
{
  MlOutboxEntry *entry = file->entry;
  if (entry->state != ML_OUTBOX_SENDING)
    return;
  if (file->dot < 0) {
    entry->state = ML_OUTBOX_QUEUED;
    return;
  }
  entry->state = ML_OUTBOX_UNSURE;
  g_free(entry->words);
  entry->words =
      g_strdup("It may have been sent: signet ended before the server had answered. Ask a recipient, or look "
               "whether the server's log has it; then send it again or cancel it.");
}

static gboolean
take_lock(MlOutboxFile *file, int how, guint tries)
{
  while (flock(file->fd, how | LOCK_NB) < 0) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || !tries--)
      return FALSE;
    g_usleep(LOCK_PAUSE_US);
  }
  return TRUE;
}

MlOutboxFile *
ml_outbox_file_open(const char *folder, const char *id, gboolean lock, GError **error)
{
  g_autoptr(MlOutboxFile) file = g_new0(MlOutboxFile, 1);
  struct stat about;
  file->path = g_strconcat(folder, "/", id, SUFFIX, NULL);
  file->dot = -1;
  file->entry = g_new0(MlOutboxEntry, 1);
  file->entry->id = g_strdup(id);
  file->entry->recipients = g_ptr_array_new_with_free_func(recipient_free);
  file->messages = g_ptr_array_new_with_free_func(message_free);
  file->fd = open(file->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file->fd < 0) {
    ml_files_error(error, errno, "opened", file->path);
    return NULL;
  }
  if (!take_lock(file, lock ? LOCK_EX : LOCK_SH, lock ? LOCK_TRIES : 0)) {
    if (lock) {
      g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "It is being sent just now, by another signet.");
      return NULL;
    }
    if (!read_entry(file, error))
      return NULL;
    if (file->entry->state == ML_OUTBOX_QUEUED)
      file->entry->state = ML_OUTBOX_SENDING;
    return g_steal_pointer(&file);
  }
  file->locked = lock;
  if (fstat(file->fd, &about) == 0 && about.st_nlink == 0) { /* while we waited */
    ml_files_error(error, ENOENT, "opened", file->path);
    return NULL;
  }
  if (!read_entry(file, error))
    return NULL;
  settle(file);
  if (!lock)
    flock(file->fd, LOCK_UN);
  return g_steal_pointer(&file);
}

gboolean
ml_outbox_file_record(MlOutboxFile *file, GError **error)
{
  g_autofree char *record = ml_outbox_record_text(file->entry, file->dot);
  /* A torn record before it must not swallow it. */
  g_autofree char *line = g_strconcat("\n", record, NULL);
  g_assert(file->locked);
  ml_files_point("outbox-record-1");
  gboolean ok = ml_files_pwrite_all(file->fd, line, strlen(line), file->end, file->path, error);
  ml_files_point("outbox-record-2");
  if (ok && (ftruncate(file->fd, file->end + (goffset)strlen(line)) < 0 || fdatasync(file->fd) < 0)) {
    ml_files_error(error, errno, "written", file->path);
    ok = FALSE;
  }
  if (ok)
    file->end += (goffset)strlen(line);
  else if (ftruncate(file->fd, file->end) < 0)
    g_warning("%s ends with half a record", file->path); /* which its check sum tells */
  ml_files_point("outbox-record-3");
  return ok;
}

static GBytes *
map(MlOutboxFile *file, const MlOutboxMessage *message, GError **error)
{
  g_autoptr(GError) why = NULL;
  g_autoptr(GBytes) whole = crypto_mapping_new(file->fd, &why);
  if (!whole)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_STORE, why->message);
  else if ((gsize)message->offset + message->length > g_bytes_get_size(whole))
    damaged(file->path, error);
  else
    return g_bytes_new_from_bytes(whole, (gsize)message->offset, message->length);
  return NULL;
}

static GBytes *
load(MlOutboxFile *file, const MlOutboxMessage *message, GError **error)
{
  char *data = g_try_malloc(message->length + 1);
  if (!data) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "There is no memory for a message of this size.");
    return NULL;
  }
  gssize n = ml_files_pread(file->fd, data, message->length, message->offset, file->path, error);
  if (n < 0) {
    g_free(data);
    return NULL;
  }
  return g_bytes_new_take(data, (gsize)n);
}

GBytes *
ml_outbox_file_bytes(MlOutboxFile *file, const MlOutboxMessage *message, GError **error)
{
  g_autoptr(GBytes) bytes = message->length > PART ? map(file, message, error) : load(file, message, error);
  char sum[65];
  if (!bytes)
    return NULL;
  digest(bytes, sum);
  if (strcmp(sum, message->sha256) != 0) {
    damaged(file->path, error);
    return NULL;
  }
  return g_steal_pointer(&bytes);
}

gboolean
ml_outbox_file_remove(MlOutboxFile *file, GError **error)
{
  g_assert(file->locked);
  if (unlink(file->path) == 0 || errno == ENOENT)
    return TRUE;
  ml_files_error(error, errno, "removed", file->path);
  return FALSE;
}

static int
compare(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What an `add` that died left is older than any that runs. */
static void
remove_stale(const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  struct stat about;
  if (lstat(path, &about) == 0 && S_ISREG(about.st_mode) &&
      g_get_real_time() / G_USEC_PER_SEC - about.st_mtime > 24 * 60 * 60)
    unlink(path);
}

GPtrArray *
ml_outbox_ids(const char *folder, GError **error)
{
  g_autoptr(GError) why = NULL;
  g_autoptr(GDir) dir = g_dir_open(folder, 0, &why);
  if (!dir) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The outbox cannot be read: %s", why->message);
    return NULL;
  }
  GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
  for (const char *name; (name = g_dir_read_name(dir));) {
    if (g_str_has_suffix(name, SUFFIX) && strlen(name) > strlen(SUFFIX))
      g_ptr_array_add(ids, g_strndup(name, strlen(name) - strlen(SUFFIX)));
    else if (g_str_has_suffix(name, ".new"))
      remove_stale(folder, name);
  }
  g_ptr_array_sort(ids, compare); /* they begin with the time */
  return ids;
}
