#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "crypto/spool.h"
#include "mail/files.h"
#include "mail/mbox-private.h"
#include "mail/numbers.h"

static void save_index(MlMbox *mbox);

static void
unselect(MlMbox *mbox)
{
  if (mbox->folder && !mbox->index->saved)
    save_index(mbox);
  g_clear_pointer(&mbox->folder, g_free);
  g_clear_pointer(&mbox->path, g_free);
  g_clear_pointer(&mbox->journal, g_free);
  g_clear_pointer(&mbox->index, ml_mbox_index_free);
  g_clear_pointer(&mbox->numbers, ml_numbers_free);
  g_clear_pointer(&mbox->pending, ml_changes_free);
  mbox->validity = 0;
  if (mbox->inotify >= 0)
    close(mbox->inotify);
  mbox->inotify = -1;
}

gboolean
ml_mbox_is_name(const char *name)
{
  return *name != '.' && !g_str_has_suffix(name, ".lock") && !strchr(name, '/');
}

/* INBOX; a file's name where mbox = names a folder; or a path of its own ("/..." or "~/..."). Transfer
 * full. */
char *
ml_mbox_folder_path(MlDriver *driver, const char *folder, GError **error)
{
  const char *root = driver->account->path;
  gboolean many = g_file_test(root, G_FILE_TEST_IS_DIR);
  if (*folder == '/')
    return g_strdup(folder);
  if (g_str_has_prefix(folder, "~/"))
    return g_build_filename(g_get_home_dir(), folder + 2, NULL);
  if (!many && g_ascii_strcasecmp(folder, "INBOX") == 0)
    return g_strdup(root);
  if (many && ml_mbox_is_name(folder)) {
    g_autofree char *path = g_build_filename(root, folder, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_REGULAR) || g_ascii_strcasecmp(folder, "INBOX") == 0)
      return g_steal_pointer(&path);
  }
  g_set_error(error, ML_ERROR, ML_ERROR_NO_FOLDER,
              many ? "There is no folder \"%s\" in %s."
                   : "There is no folder \"%s\": %s is a single mbox file. "
                     "Another one is named by its path, /... or ~/....",
              folder, root);
  return NULL;
}

char *
ml_mbox_journal_path(MlDriver *driver, const char *path, GError **error)
{
  g_autofree char *dir = g_build_filename(driver->hooks->state_dir, "mbox", NULL);
  if (g_mkdir_with_parents(dir, 0700) < 0) {
    ml_files_error(error, errno, "made", dir);
    return NULL;
  }
  g_autofree char *name = g_compute_checksum_for_string(G_CHECKSUM_SHA256, path, -1);
  name[32] = '\0';
  return g_build_filename(dir, name, NULL);
}

/* Takes @index; the differences from the old one go to mbox->pending. */
void
ml_mbox_take_index(MlMbox *mbox, MlMboxIndex *index)
{
  MlMboxMessage message, other;
  for (guint i = 0, n = ml_mbox_count(index); i < n; i++) {
    ml_mbox_at(index, i, &message);
    if (!ml_mbox_find(mbox->index, message.uid, &other)) {
      mbox->pending->new_mail = TRUE;
      g_array_append_val(mbox->pending->arrived, message.uid);
    } else if (other.flags != message.flags) {
      MlFlagChange change = { message.uid, message.flags };
      g_array_append_val(mbox->pending->flag_changes, change);
    }
  }
  for (guint i = 0; i < mbox->index->uids->len; i++) {
    guint32 uid = g_array_index(mbox->index->uids, guint32, i);
    if (!mbox->pending->reset && !ml_mbox_find(index, uid, &other))
      g_array_append_val(mbox->pending->vanished, uid);
  }
  ml_mbox_index_free(mbox->index);
  mbox->index = index;
}

/* A file that grows is kept once it is left: few lines more are quickly read again. */
static void
save_index(MlMbox *mbox)
{
  g_autofree char *file = ml_mbox_index_file(mbox->journal);
  mbox->index->saved = TRUE;
  if (ml_mbox_count(mbox->index) && !ml_mbox_index_save(mbox->index, file))
    g_debug("%s was not kept", file);
}

/* Takes what all of the file was read for. */
static gboolean
scan_all(MlMbox *mbox, MlMboxLock *lock, GError **error)
{
  g_autoptr(MlMboxIndex) index = ml_mbox_scan(&mbox->base, lock->fd, mbox->path, error);
  if (!index || !ml_mbox_number_index(mbox, index, error))
    return FALSE;
  ml_mbox_take_index(mbox, g_steal_pointer(&index));
  save_index(mbox);
  return TRUE;
}

gboolean
ml_mbox_make_sure(MlMbox *mbox, MlMboxLock *lock, GError **error)
{
  return mbox->index->sure || scan_all(mbox, lock, error);
}

/* A write within the tick of the clock in which the file was read leaves its times as they were: what was read then is
 * believed once it was looked at again. */
static gboolean
is_another(const MlMbox *mbox, const struct stat *now)
{
  return mbox->index->young || !ml_mbox_same_file(now, &mbox->index->about);
}

/* Locks the selected file, finishes what a killed run left, and makes the index true. A file that is not
 * there is an empty mailbox (*lock NULL). */
gboolean
ml_mbox_look(MlMbox *mbox, gboolean write, MlMboxLock **lock, GError **error)
{
  *lock = NULL;
  if (!mbox->folder) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "No folder is open.");
    return FALSE;
  }
  if (!g_file_test(mbox->path, G_FILE_TEST_EXISTS)) {
    ml_mbox_take_index(mbox, ml_mbox_index_new());
    return TRUE;
  }
  write |= ml_mbox_needs_recovery(mbox->journal);
  g_autoptr(MlMboxLock) held = ml_mbox_lock(&mbox->base, mbox->path, write, error);
  struct stat now;
  if (!held || (write && !ml_mbox_recover(held, mbox->journal, error)))
    return FALSE;
  if (fstat(held->fd, &now) < 0) {
    ml_files_error(error, errno, "read", mbox->path);
    return FALSE;
  }
  if (is_another(mbox, &now)) {
    g_autofree char *file = ml_mbox_index_file(mbox->journal);
    g_autoptr(MlMboxIndex) index = ml_mbox_read(&mbox->base, held->fd, mbox->path, mbox->index, file, error);
    if (!index || !ml_mbox_number_index(mbox, index, error))
      return FALSE;
    ml_mbox_take_index(mbox, g_steal_pointer(&index));
    if (mbox->index->sure)
      save_index(mbox);
  }
  *lock = g_steal_pointer(&held);
  return TRUE;
}

static gboolean
mbox_select(MlDriver *driver, const char *folder, MlSelected *selected, GError **error)
{
  MlMbox *mbox = (MlMbox *)driver;
  unselect(mbox);
  g_autofree char *path = ml_mbox_folder_path(driver, folder, error);
  mbox->journal = path ? ml_mbox_journal_path(driver, path, error) : NULL;
  mbox->numbers = mbox->journal
                      ? ml_numbers_open(driver->hooks->state_dir, driver->account->name, folder, path, error)
                      : NULL;
  if (!mbox->numbers)
    return FALSE;
  mbox->folder = g_strdup(folder);
  mbox->path = g_steal_pointer(&path);
  mbox->index = ml_mbox_index_new();
  mbox->pending = ml_changes_new();
  mbox->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  g_autofree char *dir = g_path_get_dirname(mbox->path);
  if (mbox->inotify >= 0 &&
      inotify_add_watch(mbox->inotify, dir,
                        IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE) < 0) {
    close(mbox->inotify);
    mbox->inotify = -1;
  }
  MlMboxLock *lock;
  if (!ml_mbox_look(mbox, FALSE, &lock, error)) {
    unselect(mbox);
    return FALSE;
  }
  ml_numbers_rest(mbox->numbers);
  mbox->validity = ml_numbers_validity(mbox->numbers);
  selected->read_only = lock && access(mbox->path, W_OK) < 0;
  ml_mbox_unlock(lock);
  ml_changes_free(mbox->pending);
  mbox->pending = ml_changes_new();
  selected->uidvalidity = ml_numbers_validity(mbox->numbers);
  selected->total = ml_mbox_count(mbox->index);
  return TRUE;
}

/* What the file says of this message at this moment: an index that is not sure is not believed. FALSE with no error: there
 * is none. */
static gboolean
look_up(MlMbox *mbox, MlMboxLock *lock, guint32 uid, MlMboxMessage *message, GError **error)
{
  if (!ml_mbox_find(mbox->index, uid, message))
    return FALSE;
  if (mbox->index->sure || ml_mbox_holds(&mbox->base, lock->fd, mbox->path, message))
    return TRUE;
  return ml_mbox_make_sure(mbox, lock, error) && ml_mbox_find(mbox->index, uid, message);
}

static MlHeader *
read_header(MlMbox *mbox, MlMboxLock *lock, const MlMboxMessage *message, char *buffer, GError **error)
{
  gsize length = (gsize)MIN(message->body - message->header, ML_HEADER_MAX);
  gssize n = ml_files_pread(lock->fd, buffer, length, message->header, mbox->path, error);
  if (n < 0)
    return NULL;
  MlHeader *header = ml_header_parse(buffer, (gsize)n);
  header->uid = message->uid;
  header->flags = message->flags;
  header->received = message->received;
  header->size = (guint64)(message->end - message->header);
  if (!header->date)
    header->date = header->received;
  return header;
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;
  return one < other ? 1 : one > other ? -1 : 0;
}

/* @uids: newest first. */
static gboolean
tell_headers(MlDriver *driver, const GArray *uids, guint first, MlHeadersFunc func, gpointer user_data, GError **error)
{
  MlMbox *mbox = (MlMbox *)driver;
  MlMboxLock *lock;
  if (!ml_mbox_look(mbox, FALSE, &lock, error))
    return FALSE;
  g_autofree char *buffer = g_malloc(ML_HEADER_MAX);
  guint chunk = first;
  for (guint i = 0; i < uids->len; chunk = ML_CHUNK_MAX) {
    g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
    for (; lock && i < uids->len && headers->len < chunk && !ml_driver_interrupted(driver); i++) {
      GError *why = NULL;
      MlMboxMessage message;
      MlHeader *header = look_up(mbox, lock, g_array_index(uids, guint32, i), &message, &why)
                             ? read_header(mbox, lock, &message, buffer, &why)
                             : NULL;
      if (header)
        g_ptr_array_add(headers, header);
      else if (why) {
        g_propagate_error(error, why);
        ml_mbox_unlock(lock);
        return FALSE;
      }
    }
    /* Others want the lock too, and the caller may call again from within. */
    g_clear_pointer(&lock, ml_mbox_unlock);
    if (ml_driver_interrupted(driver)) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
    if (headers->len && !func(g_steal_pointer(&headers), i, uids->len, user_data))
      break;
    if (i < uids->len && (!ml_mbox_look(mbox, FALSE, &lock, error)))
      return FALSE;
    if (!lock)
      break;
  }
  ml_mbox_unlock(lock);
  return TRUE;
}

static gboolean
mbox_uids(MlDriver *driver, GArray *uids, GError **error)
{
  MlMbox *mbox = (MlMbox *)driver;
  MlMboxLock *lock;
  if (!ml_mbox_look(mbox, FALSE, &lock, error))
    return FALSE;
  ml_mbox_unlock(lock);
  for (guint i = 0; i < mbox->index->uids->len; i++) {
    MlFlagChange one = { g_array_index(mbox->index->uids, guint32, i), ml_mbox_record(mbox->index, i)->flags };
    g_array_append_val(uids, one);
  }
  return TRUE;
}

static gboolean
mbox_parts(MlDriver *driver, const char *folder, GPtrArray *parts)
{
  char *path = ml_mbox_folder_path(driver, folder, NULL);
  g_autofree char *journal = path ? ml_mbox_journal_path(driver, path, NULL) : NULL;
  if (path)
    g_ptr_array_add(parts, path);
  return journal && !ml_mbox_needs_recovery(journal);
}

static gboolean
mbox_headers(MlDriver *driver, guint32 above, guint first, MlHeadersFunc func, gpointer user_data,
             GError **error)
{
  MlMbox *mbox = (MlMbox *)driver;
  MlMboxLock *lock;
  if (!ml_mbox_look(mbox, FALSE, &lock, error))
    return FALSE;
  ml_mbox_unlock(lock);
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < mbox->index->uids->len; i++) {
    guint32 uid = g_array_index(mbox->index->uids, guint32, i);
    if (uid > above)
      g_array_append_val(uids, uid);
  }
  g_array_sort(uids, newest_first);
  return tell_headers(driver, uids, first, func, user_data, error);
}

static gboolean
mbox_headers_of(MlDriver *driver, const GArray *wanted, MlHeadersFunc func, gpointer user_data, GError **error)
{
  g_autoptr(GArray) uids = g_array_copy((GArray *)wanted);
  g_array_sort(uids, newest_first);
  return tell_headers(driver, uids, ML_CHUNK_MAX, func, user_data, error);
}

/* Takes one > from every line of the body that begins with >From, >>From, ... In place, in whole lines but for the
 * last; @body: where the body begins. Returns the new length. */
static gsize
unquote(char *data, gsize length, gsize body)
{
  gsize out = body;
  for (gsize at = body; at < length;) {
    const char *newline = memchr(data + at, '\n', length - at);
    gsize end = newline ? (gsize)(newline - data) + 1 : length;
    gsize quotes = at;
    while (quotes < end && data[quotes] == '>')
      quotes++;
    if (quotes > at && end - quotes >= 5 && memcmp(data + quotes, "From ", 5) == 0)
      at++;
    memmove(data + out, data + at, end - at);
    out += end - at;
    at = end;
  }
  return out;
}

/* How much of the buffer ends with a line; a line longer than the buffer is cut, and the rest of it is no >From. */
static gsize
whole_lines(const char *data, gsize length)
{
  const char *newline = memrchr(data, '\n', length);
  return newline ? (gsize)(newline - data) + 1 : length;
}

/* The message's octets into @spool, some MiB of lines at a time. */
static gboolean
read_message(MlMbox *mbox, int fd, const MlMboxMessage *message, CryptoSpool *spool, MlProgressFunc func,
             gpointer user_data, GError **error)
{
  enum { STEP = 4 * 1024 * 1024 };
  gsize total = (gsize)(message->end - message->header), body = (gsize)(message->body - message->header);
  g_autofree char *data = g_malloc(MIN(total, (gsize)STEP) + 1);
  gboolean within_line = FALSE;
  for (gsize done = 0; done < total && !ml_driver_interrupted(&mbox->base);) {
    gssize n = ml_files_pread(fd, data, MIN(total - done, (gsize)STEP), message->header + (goffset)done, mbox->path,
                              error);
    if (n < 0)
      return FALSE;
    if (n == 0)
      break;
    gsize length = done + (gsize)n < total ? whole_lines(data, (gsize)n) : (gsize)n;
    gsize plain = body > done ? MIN(body - done, length) : 0;
    if (within_line) {
      const char *newline = memchr(data, '\n', length);
      plain = MAX(plain, newline ? (gsize)(newline - data) + 1 : length);
    }
    within_line = data[length - 1] != '\n';
    done += length;
    if (!crypto_spool_add(spool, data, unquote(data, length, plain), error))
      return FALSE;
    if (func)
      func(done, total, user_data);
  }
  return TRUE;
}

static GBytes *
mbox_fetch(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data,
           GError **error)
{
  MlMbox *mbox = (MlMbox *)driver;
  MlMboxLock *held;
  if (!ml_mbox_look(mbox, FALSE, &held, error))
    return NULL;
  g_autoptr(MlMboxLock) lock = held;
  GError *why = NULL;
  MlMboxMessage at;
  const MlMboxMessage *message = lock && look_up(mbox, lock, uid, &at, &why) ? &at : NULL;
  if (!message) {
    if (why)
      g_propagate_error(error, why);
    else
      g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "The message is no longer in this folder.");
    return NULL;
  }
  gsize total = (gsize)(message->end - message->header);
  if (total > ML_MESSAGE_MAX) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "The message is larger than %d MiB.",
                ML_MESSAGE_MAX / 1024 / 1024);
    return NULL;
  }
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  if (!read_message(mbox, lock->fd, message, spool, func, user_data, error))
    return NULL;
  if (ml_driver_interrupted(driver)) {
    g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    return NULL;
  }
  *received = message->received;
  return crypto_spool_finish(spool, error);
}

/* TRUE: something happened to our file, or it is not known to what. */
static gboolean
drain(MlMbox *mbox)
{
  g_autofree char *name = g_path_get_basename(mbox->path);
  char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
  gboolean ours = FALSE;
  ssize_t n;
  while ((n = read(mbox->inotify, buffer, sizeof buffer)) > 0) {
    for (char *p = buffer; p < buffer + n;) {
      const struct inotify_event *event = (const struct inotify_event *)p;
      ours |= !event->len || strcmp(event->name, name) == 0;
      p += sizeof *event + event->len;
    }
  }
  return ours;
}

static gboolean
look_if_changed(MlMbox *mbox, GError **error)
{
  struct stat now = { 0 };
  if (stat(mbox->path, &now) < 0 && errno != ENOENT) {
    ml_files_error(error, errno, "read", mbox->path);
    return FALSE;
  }
  if (!is_another(mbox, &now))
    return TRUE;
  MlMboxLock *lock;
  gboolean ok = ml_mbox_look(mbox, FALSE, &lock, error);
  if (ok)
    ml_mbox_unlock(lock);
  return ok;
}

static gboolean
mbox_wait(MlDriver *driver, int wake_fd, gboolean once, MlChanges *changes, GError **error)
{
  MlMbox *mbox = (MlMbox *)driver;
  for (;;) {
    if (mbox->folder) {
      if (!look_if_changed(mbox, error))
        return FALSE;
      ml_changes_merge(changes, mbox->pending);
    }
    if (once || !ml_changes_empty(changes))
      return TRUE;
    MlWait what;
    do
      what = ml_driver_wait_fd(driver, mbox->folder ? mbox->inotify : -1, wake_fd, 60000);
    while (what == ML_WAIT_DATA && !drain(mbox));
    if (what == ML_WAIT_WOKEN)
      return TRUE;
    if (what == ML_WAIT_INTERRUPTED) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
  }
}

static gboolean
count(MlDriver *driver, MlFolder *folder, const char *path, GError **error)
{
  folder->total = folder->unseen = 0;
  if (!g_file_test(path, G_FILE_TEST_EXISTS))
    return TRUE;
  g_autoptr(MlMboxLock) lock = ml_mbox_lock(driver, path, FALSE, error);
  if (!lock)
    return FALSE;
  g_autofree char *journal = ml_mbox_journal_path(driver, path, NULL);
  g_autofree char *file = journal ? ml_mbox_index_file(journal) : NULL;
  g_autoptr(MlMboxIndex) index = file ? ml_mbox_read(driver, lock->fd, path, NULL, file, error)
                                      : ml_mbox_scan(driver, lock->fd, path, error);
  if (!index)
    return FALSE;
  folder->total = (int)ml_mbox_count(index);
  for (guint i = 0, n = ml_mbox_count(index); i < n; i++)
    folder->unseen += !(ml_mbox_record(index, i)->flags & ML_FLAG_SEEN);
  return TRUE;
}

static GPtrArray *
mbox_folders(MlDriver *driver, gboolean counts, GError **error)
{
  const char *root = driver->account->path;
  g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func((GDestroyNotify)ml_folder_free);
  g_autoptr(GDir) dir = g_file_test(root, G_FILE_TEST_IS_DIR) ? g_dir_open(root, 0, NULL) : NULL;
  if (!dir)
    g_ptr_array_add(folders, ml_folder_new("INBOX", ML_ROLE_INBOX, TRUE));
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(root, name, NULL);
    if (ml_mbox_is_name(name) && g_utf8_validate(name, -1, NULL) && g_file_test(path, G_FILE_TEST_IS_REGULAR))
      g_ptr_array_add(folders, ml_folder_new(name, ml_folder_guess_role(driver->account, name), TRUE));
  }
  for (guint i = 0; counts && i < folders->len; i++) {
    MlFolder *folder = g_ptr_array_index(folders, i);
    g_autofree char *path = dir ? g_build_filename(root, folder->name, NULL) : g_strdup(root);
    g_autoptr(GError) why = NULL;
    if (count(driver, folder, path, &why))
      continue;
    folder->total = folder->unseen = -1; /* locked, or no mbox: the list is worth having all the same */
    if (g_error_matches(why, ML_ERROR, ML_ERROR_CANCELLED)) {
      g_propagate_error(error, g_steal_pointer(&why));
      return NULL;
    }
  }
  return g_steal_pointer(&folders);
}

static gboolean
mbox_connected(MlDriver *driver)
{
  (void)driver;
  return FALSE; /* a look at the place costs nothing: every call takes it */
}

static gboolean
mbox_connect(MlDriver *driver, MlStepFunc step, gpointer user_data, GError **error)
{
  const char *path = driver->account->path;
  gboolean missing = !g_file_test(path, G_FILE_TEST_EXISTS);
  g_autofree char *folder = g_path_get_dirname(path);
  /* No file is an empty mailbox, as long as mail could come to lie there. */
  gboolean ok = missing ? g_file_test(folder, G_FILE_TEST_IS_DIR) : access(path, R_OK) == 0;
  if (step)
    step("mbox", ok, path, user_data);
  if (!ok)
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
                "%s cannot be opened: look at mbox = in signet.conf and the file's permissions.", path);
  return ok;
}

static void
mbox_disconnect(MlDriver *driver)
{
  (void)driver; /* no lock outlives a call */
}

static void
mbox_free(MlDriver *driver)
{
  unselect((MlMbox *)driver);
  g_free(driver);
}

static const MlDriverOps ops = {
  .free = mbox_free,
  .connected = mbox_connected,
  .connect = mbox_connect,
  .disconnect = mbox_disconnect,
  .folders = mbox_folders,
  .select = mbox_select,
  .uids = mbox_uids,
  .parts = mbox_parts,
  .headers = mbox_headers,
  .headers_of = mbox_headers_of,
  .fetch = mbox_fetch,
  .flags = ml_mbox_flags,
  .flags_as = ml_mbox_flags_as,
  .copy = ml_mbox_copy,
  .move = ml_mbox_move,
  .expunge = ml_mbox_expunge,
  .append = ml_mbox_append,
  .has = ml_mbox_has,
  .wait = mbox_wait,
};

MlDriver *
ml_mbox_new(const MlAccount *account, const MlDriverHooks *hooks)
{
  (void)account;
  (void)hooks;
  MlMbox *mbox = g_new0(MlMbox, 1);
  mbox->inotify = -1;
  mbox->base.ops = &ops;
  return &mbox->base;
}
