#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/lines-private.h"
#include "mail/mbox-private.h"
#include "mail/spill.h"

/* Where it lies, or would: a file that is not there is made where its name can be one. */
static char *
place(MlDriver *driver, const char *folder, GError **error)
{
  GError *why = NULL;
  char *path = ml_mbox_folder_path(driver, folder, &why);
  if (!path && g_file_test(driver->account->path, G_FILE_TEST_IS_DIR) && ml_mbox_is_name(folder)) {
    g_clear_error(&why);
    return g_build_filename(driver->account->path, folder, NULL);
  }
  if (why)
    g_propagate_error(error, why);
  return path;
}

/* "From anna@example.org Sun Nov 22 00:04:05 2026", in local time as programs expect it. */
static void
append_from_line(GString *out, const char *sender, gint64 received)
{
  static const char days[][4] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
  static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(received);
  if (!date)
    date = g_date_time_new_now_local();
  gboolean plain = *sender != '\0';
  for (const char *p = sender; *p; p++)
    plain = plain && g_ascii_isgraph(*p);
  g_string_append_printf(out, "From %s %s %s %2d %02d:%02d:%02d %04d\n", plain ? sender : "MAILER-DAEMON",
                         days[g_date_time_get_day_of_week(date) - 1], months[g_date_time_get_month(date) - 1],
                         g_date_time_get_day_of_month(date), g_date_time_get_hour(date),
                         g_date_time_get_minute(date), g_date_time_get_second(date),
                         g_date_time_get_year(date));
}

/* mboxrd: every line that looks like the beginning of a message gets one > more. */
static void
append_quoted(MlSpill *out, const char *text, gsize length)
{
  gsize done = 0;
  for (gsize at = 0, end; at < length; at = end) {
    const char *newline = memchr(text + at, '\n', length - at);
    end = newline ? (gsize)(newline - text) + 1 : length;
    gsize mark = at;
    while (mark < end && text[mark] == '>')
      mark++;
    if (end - mark < 5 || memcmp(text + mark, "From ", 5) != 0)
      continue;
    ml_spill_add(out, text + done, at - done);
    ml_spill_text(out, ">");
    done = at;
  }
  ml_spill_add(out, text + done, length - done);
}

static GBytes *
message_text(GBytes *bytes, guint flags, gint64 received, const char *gap, GError **error)
{
  gsize length;
  g_autoptr(GBytes) text = ml_lines_lf(bytes);
  const char *data = g_bytes_get_data(text, &length);
  gsize block = ml_header_block_length(data, length);
  MlHeader *header = ml_header_parse(data, block);
  g_autofree char *with_flags = ml_mbox_header_with_flags(data, block, flags);
  MlSpill *out = ml_spill_new();
  g_autoptr(GString) from = g_string_new(gap);
  append_from_line(from, header->from_address, received);
  ml_header_free(header);
  ml_spill_add(out, from->str, from->len);
  append_quoted(out, with_flags, strlen(with_flags));
  append_quoted(out, data + block, length - block);
  const char *end = length > block ? data + length : with_flags + strlen(with_flags);
  ml_spill_text(out, end[-1] == '\n' ? "\n" : "\n\n");
  return ml_spill_end(out, error);
}

/* The name of a file that is new is on the disk before a message is in it: a failure behind that would be told of a message
 * that is there. An empty one is perhaps of a run that failed here; others are synced where their folder can be opened. */
static gboolean
sync_name(const char *path, gboolean fresh, GError **error)
{
  g_autofree char *parent = g_path_get_dirname(path);
  return (!fresh && access(parent, R_OK) < 0) || ml_files_sync_folder(parent, error);
}

/* Through the journal that rewrites use: a run that dies leaves the file as it was, or is finished. */
gboolean
ml_mbox_append(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received,
               guint32 *uid, GError **error)
{
  (void)uid;
  if (ml_lines_have(bytes, ML_OCTETS_NUL)) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED,
                "The message holds a NUL octet, which an mbox file cannot keep: save it to a file of its own.");
    return FALSE;
  }
  g_autofree char *path = place(driver, folder, error);
  g_autofree char *journal = path ? ml_mbox_journal_path(driver, path, error) : NULL;
  if (!journal)
    return FALSE;
  gboolean fresh = !g_file_test(path, G_FILE_TEST_EXISTS);
  g_autoptr(MlMboxLock) lock = ml_mbox_lock(driver, path, TRUE, error);
  struct stat about;
  char last[2] = { '\n', '\n' };
  if (!lock || !ml_mbox_recover(lock, journal, error))
    return FALSE;
  if (fstat(lock->fd, &about) < 0 ||
      (about.st_size > 1 && ml_files_pread(lock->fd, last, 2, about.st_size - 2, path, NULL) != 2)) {
    ml_files_error(error, EIO, "read", path);
    return FALSE;
  }
  if (!about.st_size && !sync_name(path, fresh, error))
    return FALSE;
  const char *gap = about.st_size < 2 ? "" : last[1] != '\n' ? "\n\n" : last[0] != '\n' ? "\n" : "";
  g_autoptr(GBytes) text = message_text(bytes, flags, received, gap, error);
  if (!text)
    return FALSE;
  g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(MlMboxPiece));
  MlMboxPiece piece = { 0, (goffset)g_bytes_get_size(text), (char *)g_bytes_get_data(text, NULL) };
  g_array_append_val(pieces, piece);
  if (ml_mbox_replace(lock, journal, about.st_size, pieces, error))
    return TRUE;
  if (ml_mbox_needs_recovery(journal)) /* whoever opens the file next finishes it */
    g_prefix_error(error, "The message is perhaps in %s, or will be when that is opened next: look there before you do it "
                          "again. ", folder);
  return FALSE;
}

/* The first whose Message-ID has it in it. */
static gboolean
find_id(const MlMboxIndex *index, int fd, const char *path, const char *message_id, MlMboxMessage *message, gboolean *found,
        GError **error)
{
  g_autofree char *block = g_malloc(ML_HEADER_MAX);
  for (guint i = 0; !*found && i < ml_mbox_count(index); i++) {
    ml_mbox_at(index, i, message);
    gsize length = (gsize)MIN(message->body - message->header, ML_HEADER_MAX);
    gssize n = ml_files_pread(fd, block, length, message->header, path, error);
    if (n < 0)
      return FALSE;
    g_autofree char *value = ml_header_value(block, (gsize)n, "Message-ID");
    *found = value && strstr(value, message_id) != NULL;
  }
  return TRUE;
}

/* By what is known of the file, as far as that may be believed; what is found by it is held against the file. */
gboolean
ml_mbox_has(MlDriver *driver, const char *folder, const char *message_id, gboolean *found, GError **error)
{
  g_autofree char *path = place(driver, folder, NULL);
  if (!path || !g_file_test(path, G_FILE_TEST_EXISTS))
    return TRUE;
  g_autofree char *journal = ml_mbox_journal_path(driver, path, error);
  if (!journal)
    return FALSE;
  gboolean write = ml_mbox_needs_recovery(journal);
  g_autoptr(MlMboxLock) lock = ml_mbox_lock(driver, path, write, error);
  if (!lock || (write && !ml_mbox_recover(lock, journal, error)))
    return FALSE;
  g_autofree char *file = ml_mbox_index_file(journal);
  g_autoptr(MlMboxIndex) index = ml_mbox_read(driver, lock->fd, path, NULL, file, error);
  MlMboxMessage message;
  if (!index || !find_id(index, lock->fd, path, message_id, &message, found, error))
    return FALSE;
  if (!*found || index->sure || ml_mbox_holds(driver, lock->fd, path, &message))
    return TRUE;
  *found = FALSE;
  g_autoptr(MlMboxIndex) all = ml_mbox_scan(driver, lock->fd, path, error);
  return all && find_id(all, lock->fd, path, message_id, &message, found, error);
}
