#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "crypto/mapping.h"
#include "crypto/spool.h"
#include "mail/files.h"
#include "mail/maildir-private.h"
#include "mail/numbers.h"

static void
unselect(MlMaildir *maildir)
{
  g_clear_pointer(&maildir->folder, g_free);
  g_clear_pointer(&maildir->path, g_free);
  g_clear_pointer(&maildir->list, ml_maildir_list_free);
  g_clear_pointer(&maildir->numbers, ml_numbers_free);
  g_clear_pointer(&maildir->pending, ml_changes_free);
  if (maildir->inotify >= 0)
    close(maildir->inotify);
  maildir->inotify = -1;
}

static void
watch(MlMaildir *maildir)
{
  maildir->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  static const char *const subs[] = { "new", "cur" };
  for (guint i = 0; i < 2 && maildir->inotify >= 0; i++) {
    g_autofree char *path = g_build_filename(maildir->path, subs[i], NULL);
    if (inotify_add_watch(maildir->inotify, path,
                          IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR) < 0) {
      /* No watches left: wait() looks every minute instead. */
      close(maildir->inotify);
      maildir->inotify = -1;
    }
  }
}

static gboolean
maildir_select(MlDriver *driver, const char *folder, MlSelected *selected, GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  unselect(maildir);
  g_autofree char *path = ml_maildir_find(maildir, folder, error);
  if (!path)
    return FALSE;
  maildir->numbers = ml_numbers_open(driver->hooks->state_dir, driver->account->name, folder, path, error);
  if (!maildir->numbers)
    return FALSE;
  maildir->folder = g_strdup(folder);
  maildir->path = g_steal_pointer(&path);
  maildir->list = ml_maildir_list_new();
  maildir->validity = 0;
  maildir->pending = ml_changes_new();
  watch(maildir);
  if (!ml_maildir_rescan(maildir, error)) {
    unselect(maildir);
    return FALSE;
  }
  ml_changes_free(maildir->pending);
  maildir->pending = ml_changes_new();
  g_autofree char *cur = g_build_filename(maildir->path, "cur", NULL);
  selected->uidvalidity = maildir->validity;
  selected->total = maildir->list->files->len;
  selected->read_only = access(cur, W_OK) < 0;
  return TRUE;
}

gboolean
ml_maildir_need_folder(MlMaildir *maildir, GError **error)
{
  if (!maildir->folder)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "No folder is open.");
  return maildir->folder != NULL;
}

void
ml_maildir_gone(GError **error, guint count)
{
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "%s",
              count == 1 ? "The message is no longer in this folder."
                         : "Some of the messages are no longer in this folder.");
}

/* Opens the file of a message, wherever another program has put it by now. *entry is the one that was
 * opened, to be cleared. */
static int
open_entry(MlMaildir *maildir, guint32 uid, MlMaildirEntry *entry, GError **error)
{
  for (guint tries = 0; tries < 4; tries++) {
    ml_maildir_entry_clear(entry);
    if (!ml_maildir_entry(maildir, uid, entry))
      break;
    g_autofree char *path = ml_maildir_entry_path(maildir, entry);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
      return fd;
    if (errno != ENOENT) {
      ml_files_error(error, errno, "opened", path);
      return -1;
    }
    if (!ml_maildir_rescan(maildir, error))
      return -1;
  }
  ml_maildir_gone(error, 1);
  return -1;
}

static MlHeader *
read_header(MlMaildir *maildir, guint32 uid, char *buffer, GError **error)
{
  g_auto(MlMaildirEntry) entry = { 0 };
  int fd = open_entry(maildir, uid, &entry, error);
  if (fd < 0)
    return NULL;
  g_autofree char *path = ml_maildir_entry_path(maildir, &entry);
  struct stat about;
  gssize length = 0;
  if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) {
    ml_files_error(error, EINVAL, "read", path);
    length = -1;
  }
  /* Most header blocks fit into the first read. */
  for (gsize want = 8192; length >= 0; want = ML_HEADER_MAX) {
    length = ml_files_pread(fd, buffer, want, 0, path, error);
    if (length < (gssize)want || want == ML_HEADER_MAX || ml_header_block_length(buffer, want) < want)
      break;
  }
  close(fd);
  if (length < 0)
    return NULL;
  MlHeader *header = ml_header_parse(buffer, ml_header_block_length(buffer, (gsize)length));
  header->uid = uid;
  header->flags = entry.flags;
  header->received = about.st_mtim.tv_sec;
  header->size = (guint64)about.st_size;
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
  MlMaildir *maildir = (MlMaildir *)driver;
  g_autofree char *buffer = g_malloc(ML_HEADER_MAX);
  guint chunk = first;
  for (guint i = 0; i < uids->len; chunk = ML_CHUNK_MAX) {
    g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
    for (; i < uids->len && headers->len < chunk; i++) {
      if (ml_driver_interrupted(driver)) {
        g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
        return FALSE;
      }
      g_autoptr(GError) why = NULL;
      MlHeader *header = read_header(maildir, g_array_index(uids, guint32, i), buffer, &why);
      if (header)
        g_ptr_array_add(headers, header);
      else if (!g_error_matches(why, ML_ERROR, ML_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&why));
        return FALSE;
      }
    }
    if (headers->len && !func(g_steal_pointer(&headers), i, uids->len, user_data))
      break;
  }
  return TRUE;
}

static gboolean
maildir_uids(MlDriver *driver, GArray *uids, GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  if (!ml_maildir_need_folder(maildir, error))
    return FALSE;
  for (guint i = 0; i < maildir->list->files->len; i++) {
    const MlMaildirFile *file = &g_array_index(maildir->list->files, MlMaildirFile, i);
    MlFlagChange one = { file->uid, ml_maildir_file_flags(maildir->list, file) };
    if (!file->gone)
      g_array_append_val(uids, one);
  }
  return TRUE;
}

static gboolean
maildir_parts(MlDriver *driver, const char *folder, GPtrArray *parts)
{
  g_autofree char *path = ml_maildir_find((MlMaildir *)driver, folder, NULL);
  if (!path)
    return FALSE;
  g_ptr_array_add(parts, g_build_filename(path, "new", NULL));
  g_ptr_array_add(parts, g_build_filename(path, "cur", NULL));
  return TRUE;
}

/* No program should write into a file of a Maildir; where a person did, its time or length says so. */
static gboolean
maildir_rewritten(MlDriver *driver, const GArray *lines, GArray *uids, GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  if (!ml_maildir_need_folder(maildir, error))
    return FALSE;
  int folder = open(maildir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (guint i = 0; folder >= 0 && i < lines->len && !ml_driver_interrupted(driver); i++) {
    const MlLine *line = &g_array_index(lines, MlLine, i);
    g_auto(MlMaildirEntry) entry = { 0 };
    struct stat about;
    char name[NAME_MAX + 8];
    if (!ml_maildir_entry(maildir, line->uid, &entry) ||
        (gsize)g_snprintf(name, sizeof name, "%s/%s", entry.new ? "new" : "cur", entry.name) >= sizeof name)
      continue;
    if (fstatat(folder, name, &about, 0) == 0 &&
        (about.st_mtim.tv_sec != line->received || (guint64)about.st_size != line->size))
      g_array_append_val(uids, line->uid);
  }
  if (folder >= 0)
    close(folder);
  if (!ml_driver_interrupted(driver))
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  return FALSE;
}

static gboolean
maildir_headers(MlDriver *driver, guint32 above, guint first, MlHeadersFunc func, gpointer user_data,
                GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  if (!ml_maildir_need_folder(maildir, error))
    return FALSE;
  /* Numbers, not entries: a rescan on the way replaces those. */
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = maildir->list->files->len; i > 0; i--) {
    const MlMaildirFile *file = &g_array_index(maildir->list->files, MlMaildirFile, i - 1);
    guint32 uid = file->uid;
    if (uid > above && !file->gone)
      g_array_append_val(uids, uid);
  }
  return tell_headers(driver, uids, first, func, user_data, error);
}

static gboolean
maildir_headers_of(MlDriver *driver, const GArray *wanted, MlHeadersFunc func, gpointer user_data, GError **error)
{
  if (!ml_maildir_need_folder((MlMaildir *)driver, error))
    return FALSE;
  g_autoptr(GArray) uids = g_array_copy((GArray *)wanted);
  g_array_sort(uids, newest_first);
  return tell_headers(driver, uids, ML_CHUNK_MAX, func, user_data, error);
}

static GBytes *
read_entry(int fd, gsize total, const char *path, MlProgressFunc func, gpointer user_data, GError **error)
{
  g_autofree char *data = g_malloc(total + 1);
  gssize done = ml_files_pread(fd, data, total, 0, path, error);
  if (done < 0)
    return NULL;
  if (func)
    func((gsize)done, total, user_data);
  return g_bytes_new_take(g_steal_pointer(&data), (gsize)done);
}

/* A large one is not copied: a file of a Maildir never changes, and what is read of it need not stay in memory. */
static GBytes *
map_entry(int fd, goffset total, const char *path, MlProgressFunc func, gpointer user_data, GError **error)
{
  g_autoptr(GError) problem = NULL;
  GBytes *bytes = crypto_mapping_new(fd, &problem);
  if (!bytes)
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s: %s", path, problem->message);
  else if (func)
    func((gsize)total, (gsize)total, user_data);
  return bytes;
}

/* Takes @fd. */
static GBytes *
read_whole(int fd, const char *path, gint64 *received, MlProgressFunc func, gpointer user_data, GError **error)
{
  struct stat about;
  if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode) || about.st_size > ML_MESSAGE_MAX) {
    close(fd);
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED,
                "%s is no message: it is larger than %d MiB, or no file.", path,
                ML_MESSAGE_MAX / 1024 / 1024);
    return NULL;
  }
  GBytes *bytes = about.st_size > CRYPTO_SPOOL_HEAP
                      ? map_entry(fd, about.st_size, path, func, user_data, error)
                      : read_entry(fd, (gsize)about.st_size, path, func, user_data, error);
  close(fd);
  *received = about.st_mtim.tv_sec;
  return bytes;
}

/* The file of numbers has the key, and the flags the rest of the name, unless another program has put letters of its own
 * there, or has changed them since. */
static GBytes *
maildir_glance(MlDriver *driver, const char *folder, guint32 uidvalidity, const MlHeader *header)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  g_autofree char *path = ml_maildir_find(maildir, folder, NULL);
  g_autoptr(MlNumbers) numbers =
      path ? ml_numbers_glance(driver->hooks->state_dir, driver->account->name, folder, path, uidvalidity) : NULL;
  g_autofree char *key = numbers ? ml_numbers_key(numbers, header->uid) : NULL;
  if (!key || strpbrk(key, "/:")) /* nothing leads out of cur/ and new/, or to a name of which this is a part */
    return NULL;
  g_autofree char *marked = ml_maildir_name_with(key, header->flags, 0);
  const struct {
    const char *sub, *name;
  } places[] = { { "cur", marked }, { "new", key }, { "cur", key } };
  for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
    g_autofree char *file = g_build_filename(path, places[i].sub, places[i].name, NULL);
    gint64 received;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
      return read_whole(fd, file, &received, NULL, NULL, NULL);
  }
  return NULL;
}

static GBytes *
maildir_fetch(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data,
              GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  g_auto(MlMaildirEntry) entry = { 0 };
  int fd = ml_maildir_need_folder(maildir, error) ? open_entry(maildir, uid, &entry, error) : -1;
  if (fd < 0)
    return NULL;
  g_autofree char *path = ml_maildir_entry_path(maildir, &entry);
  return read_whole(fd, path, received, func, user_data, error);
}

static void
drain(int inotify)
{
  char buffer[4096];
  while (read(inotify, buffer, sizeof buffer) > 0)
    continue;
}

static gboolean
maildir_wait(MlDriver *driver, int wake_fd, gboolean once, MlChanges *changes, GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  while (maildir->folder) {
    if (maildir->inotify >= 0)
      drain(maildir->inotify);
    if (!ml_maildir_rescan(maildir, error))
      return FALSE;
    ml_changes_merge(changes, maildir->pending);
    if (once || !ml_changes_empty(changes))
      return TRUE;
    MlWait what = ml_driver_wait_fd(driver, maildir->inotify, wake_fd, 60000);
    if (what == ML_WAIT_WOKEN)
      return TRUE;
    if (what == ML_WAIT_INTERRUPTED) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
  }
  while (!once) {
    MlWait what = ml_driver_wait_fd(driver, -1, wake_fd, 3600000);
    if (what == ML_WAIT_WOKEN)
      break;
    if (what == ML_WAIT_INTERRUPTED) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
  }
  return TRUE;
}

static GPtrArray *
maildir_folders(MlDriver *driver, gboolean counts, GError **error)
{
  g_autoptr(GPtrArray) places = ml_maildir_places((MlMaildir *)driver, error);
  if (!places)
    return NULL;
  GPtrArray *folders = g_ptr_array_new_with_free_func((GDestroyNotify)ml_folder_free);
  for (guint i = 0; i < places->len; i++) {
    MlMaildirPlace *place = g_ptr_array_index(places, i);
    MlFolder *folder = ml_folder_new(place->name, ml_folder_guess_role(driver->account, place->name), TRUE);
    if (counts && !ml_maildir_count(place->path, &folder->total, &folder->unseen))
      folder->total = folder->unseen = -1;
    g_ptr_array_add(folders, folder);
  }
  return folders;
}

static gboolean
maildir_connected(MlDriver *driver)
{
  (void)driver;
  return FALSE; /* a look at the place costs nothing: every call takes it */
}

static gboolean
maildir_connect(MlDriver *driver, MlStepFunc step, gpointer user_data, GError **error)
{
  const char *path = driver->account->path;
  gboolean ok = g_file_test(path, G_FILE_TEST_IS_DIR) && access(path, R_OK | X_OK) == 0;
  if (step)
    step("maildir", ok, path, user_data);
  if (!ok)
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
                "%s cannot be opened: look at maildir = in signet.conf and the folder's permissions.", path);
  return ok;
}

static void
maildir_disconnect(MlDriver *driver)
{
  (void)driver; /* nothing is half done that a later call could trip over */
}

static void
maildir_free(MlDriver *driver)
{
  unselect((MlMaildir *)driver);
  g_clear_pointer(&((MlMaildir *)driver)->places, g_hash_table_unref);
  g_free(driver);
}

static const MlDriverOps ops = {
  .free = maildir_free,
  .connected = maildir_connected,
  .connect = maildir_connect,
  .disconnect = maildir_disconnect,
  .folders = maildir_folders,
  .select = maildir_select,
  .uids = maildir_uids,
  .parts = maildir_parts,
  .rewritten = maildir_rewritten,
  .headers = maildir_headers,
  .headers_of = maildir_headers_of,
  .glance = maildir_glance,
  .fetch = maildir_fetch,
  .flags = ml_maildir_flags,
  .flags_as = ml_maildir_flags_as,
  .copy = ml_maildir_copy,
  .move = ml_maildir_move,
  .expunge = ml_maildir_expunge,
  .append = ml_maildir_append,
  .has = ml_maildir_has,
  .wait = maildir_wait,
};

MlDriver *
ml_maildir_new(const MlAccount *account, const MlDriverHooks *hooks)
{
  (void)account;
  (void)hooks;
  MlMaildir *maildir = g_new0(MlMaildir, 1);
  maildir->inotify = -1;
  maildir->base.ops = &ops;
  return &maildir->base;
}
