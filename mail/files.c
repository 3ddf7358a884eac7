#include "mail/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "crypto/mapping.h"

enum { PART = 1024 * 1024 };

void
ml_files_error(GError **error, int number, const char *doing, const char *path)
{
  const char *next = number == ENOSPC || number == EDQUOT  ? ". Make room, then do it again"
                     : number == EACCES || number == EPERM ? ". Look at the owner and the permissions"
                                                           : "";
  g_set_error(error, ML_ERROR, number == ENOENT ? ML_ERROR_NOT_FOUND : ML_ERROR_STORE,
              "%s cannot be %s: %s%s.", path, doing, g_strerror(number), next);
}

gboolean
ml_files_sync_folder(const char *path, GError **error)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    ml_files_error(error, errno, "opened", path);
    return FALSE;
  }
  /* Some network file systems cannot sync a folder and say EINVAL; their names are durable already. */
  int number = fsync(fd) < 0 && errno != EINVAL ? errno : 0;
  close(fd);
  if (number)
    ml_files_error(error, number, "written", path);
  return number == 0;
}

gboolean
ml_files_write_all(int fd, const void *data, gsize length, const char *path, GError **error)
{
  const char *p = data;
  while (length) {
    ssize_t n = write(fd, p, MIN(length, (gsize)PART));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      ml_files_error(error, n < 0 ? errno : ENOSPC, "written", path);
      return FALSE;
    }
    crypto_mapping_release((const guint8 *)p, (const guint8 *)p + n);
    p += n;
    length -= (gsize)n;
  }
  return TRUE;
}

gboolean
ml_files_pwrite_all(int fd, const void *data, gsize length, goffset at, const char *path, GError **error)
{
  const char *p = data;
  while (length) {
    ssize_t n = pwrite(fd, p, MIN(length, (gsize)PART), at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      ml_files_error(error, n < 0 ? errno : ENOSPC, "written", path);
      return FALSE;
    }
    crypto_mapping_release((const guint8 *)p, (const guint8 *)p + n);
    p += n;
    at += n;
    length -= (gsize)n;
  }
  return TRUE;
}

gssize
ml_files_pread(int fd, void *buffer, gsize length, goffset at, const char *path, GError **error)
{
  gsize done = 0;
  while (done < length) {
    ssize_t n = pread(fd, (char *)buffer + done, length - done, at + (goffset)done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      ml_files_error(error, errno, "read", path);
      return -1;
    }
    if (n == 0)
      break;
    done += (gsize)n;
  }
  return (gssize)done;
}

int
ml_files_lock(const char *path, GError **error)
{
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    ml_files_error(error, errno, "opened", path);
    return -1;
  }
  for (guint tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
    if ((errno != EWOULDBLOCK && errno != EINTR) || tries >= 250) {
      ml_files_error(error, errno, "locked", path);
      close(fd);
      return -1;
    }
    g_usleep(20000);
  }
  return fd;
}

gboolean
ml_files_make_database(const char *path, GError **error)
{
  struct stat about;
  if (mknod(path, S_IFREG | 0600, 0) == 0)
    return TRUE;
  int number = errno;
  if (number == EEXIST && lstat(path, &about) == 0 && S_ISREG(about.st_mode))
    return TRUE;
  ml_files_error(error, number, "made", path);
  return FALSE;
}

/* Several threads take files from the same list. */
typedef struct {
  const int *fds;
  int *numbers; /* errno of each */
  gint next, n;
} Syncing;

static gpointer
sync_some(gpointer data)
{
  Syncing *syncing = data;
  for (gint i; (i = g_atomic_int_add(&syncing->next, 1)) < syncing->n;)
    if (fsync(syncing->fds[i]) < 0)
      syncing->numbers[i] = errno;
  return NULL;
}

/* All of them are on their way to the disk before the first is waited for, and several are waited for at once: one
 * flush of the disk serves all that ask for it meanwhile. */
guint
ml_files_sync_all(const int *fds, guint n)
{
  enum { THREADS = 8 };
  g_autofree int *numbers = g_new0(int, MAX(n, 1));
  Syncing syncing = { fds, numbers, 0, (gint)n };
  GThread *threads[THREADS] = { NULL };
  for (guint i = 0; i + 1 < n; i++)
    sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
  for (guint i = 0; i + 1 < n && i < THREADS; i++)
    threads[i] = g_thread_try_new("sync", sync_some, &syncing, NULL);
  sync_some(&syncing);
  for (guint i = 0; i < THREADS; i++)
    if (threads[i])
      g_thread_join(threads[i]);
  guint failed = 0;
  while (failed < n && !numbers[failed])
    failed++;
  errno = failed < n ? numbers[failed] : 0;
  return failed;
}

gboolean
ml_files_rename(const char *from, const char *to)
{
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return TRUE;
  if (errno != EINVAL && errno != ENOSYS)
    return FALSE;
  /* A file system that does not know the flag: two names for a moment, never none. */
  return link(from, to) == 0 && unlink(from) == 0;
}

void
ml_files_point(const char *name)
{
  const char *die = g_getenv("SIGNET_TEST_DIE");
  if (die && strcmp(die, name) == 0)
    kill(getpid(), SIGKILL);
}

gboolean
ml_files_is_young(const struct stat *about)
{
  gboolean coarse = !about->st_ctim.tv_nsec && !about->st_mtim.tv_nsec; /* a file system that knows seconds alone */
  gint64 changed = (gint64)about->st_ctim.tv_sec * G_USEC_PER_SEC + about->st_ctim.tv_nsec / 1000;
  return g_get_real_time() - changed < (coarse ? 3 * G_USEC_PER_SEC : G_USEC_PER_SEC / 10);
}
