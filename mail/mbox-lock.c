#include "mail/mbox-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"

#define HELPER "/usr/bin/dotlockfile"
enum { TRIES = 40, PAUSE_MS = 125, STALE_SECONDS = 300 };

typedef enum { TAKEN, BUSY, IMPOSSIBLE } Try;

/* "-l": make it, without a second try; "-u": remove it. */
static gboolean
run_helper(const char *what, const char *dot_lock)
{
  g_auto(GStrv) argv = g_strsplit(HELPER " -r 0", " ", -1);
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  for (char **word = argv; *word; word++)
    g_ptr_array_add(words, *word);
  g_ptr_array_add(words, (char *)what);
  g_ptr_array_add(words, (char *)dot_lock);
  g_ptr_array_add(words, NULL);
  int status;
  return g_spawn_sync(NULL, (char **)words->pdata, NULL,
                      G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL, NULL,
                      &status, NULL) &&
         g_spawn_check_wait_status(status, NULL);
}

void
ml_mbox_unlock(MlMboxLock *lock)
{
  if (!lock)
    return;
  if (lock->dot_lock && lock->helper) {
    if (!run_helper("-u", lock->dot_lock))
      g_warning("%s stays behind", lock->dot_lock);
  } else if (lock->dot_lock) {
    unlink(lock->dot_lock);
  }
  if (lock->fd >= 0)
    close(lock->fd); /* and fcntl's lock with it */
  g_free(lock->dot_lock);
  g_free(lock->path);
  g_free(lock);
}

/* A lock file whose maker is dead, or that nobody has touched for five minutes, is in nobody's use. */
static gboolean
is_stale(const char *dot_lock)
{
  struct stat about;
  if (lstat(dot_lock, &about) < 0 || !S_ISREG(about.st_mode))
    return FALSE;
  gint64 age = g_get_real_time() / G_USEC_PER_SEC - about.st_mtim.tv_sec;
  if (age > STALE_SECONDS)
    return TRUE;
  g_autofree char *text = NULL;
  gint64 pid;
  if (about.st_size > 32 || !g_file_get_contents(dot_lock, &text, NULL, NULL) ||
      !g_ascii_string_to_signed(g_strstrip(text), 10, 2, G_MAXINT32, &pid, NULL))
    return FALSE;
  return kill((pid_t)pid, 0) < 0 && errno == ESRCH && age > 2;
}

static Try
take_by_helper(MlMboxLock *lock, const char *dot_lock)
{
  if (access(HELPER, X_OK) < 0)
    return IMPOSSIBLE;
  if (run_helper("-l", dot_lock)) {
    lock->dot_lock = g_strdup(dot_lock);
    lock->helper = TRUE;
    return TAKEN;
  }
  return g_file_test(dot_lock, G_FILE_TEST_EXISTS) ? BUSY : IMPOSSIBLE;
}

/* link(2) from a file of our own is atomic on every file system, NFS too. */
static Try
take_dot_lock(MlMboxLock *lock)
{
  g_autofree char *dot_lock = g_strconcat(lock->path, ".lock", NULL);
  g_autofree char *own = g_strdup_printf("%s.%d.%08x", dot_lock, (int)getpid(), g_random_int());
  int fd = open(own, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0)
    return errno == EEXIST ? BUSY : take_by_helper(lock, dot_lock);
  char pid[16];
  int length = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
  gboolean ok = write(fd, pid, (size_t)length) == length && link(own, dot_lock) == 0;
  int number = errno;
  close(fd);
  unlink(own);
  if (ok) {
    lock->dot_lock = g_steal_pointer(&dot_lock);
    return TAKEN;
  }
  if (number == EEXIST) {
    if (is_stale(dot_lock))
      unlink(dot_lock);
    return BUSY;
  }
  return IMPOSSIBLE;
}

/* Open file description locks meet the classic ones of other programs, and are not lost when this process
 * closes another descriptor of the file. */
static Try
take_fcntl(MlMboxLock *lock, gboolean write, int *holder)
{
  struct flock what = { .l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
  if (fcntl(lock->fd, F_OFD_SETLK, &what) == 0)
    return TAKEN;
  if (errno != EAGAIN && errno != EACCES && errno != EINTR)
    return IMPOSSIBLE;
  struct flock who = { .l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
  if (fcntl(lock->fd, F_OFD_GETLK, &who) == 0 && who.l_type != F_UNLCK)
    *holder = who.l_pid;
  return BUSY;
}

/* One try at both; whatever was taken is given back when the other is not to be had. */
static Try
try_lock(const char *path, gboolean write, MlMboxLock **taken, int *holder, GError **error)
{
  g_autoptr(MlMboxLock) lock = g_new0(MlMboxLock, 1);
  lock->path = g_strdup(path);
  lock->fd =
      open(path, write ? O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK : O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0600);
  struct stat about;
  if (lock->fd < 0 || fstat(lock->fd, &about) < 0) {
    ml_files_error(error, errno, "opened", path);
    return IMPOSSIBLE;
  }
  if (!S_ISREG(about.st_mode)) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s is no file: look at mbox = in signet.conf.", path);
    return IMPOSSIBLE;
  }
  Try first = take_fcntl(lock, write, holder);
  if (first == IMPOSSIBLE) {
    ml_files_error(error, errno, "locked", path);
    return IMPOSSIBLE;
  }
  if (first == BUSY || take_dot_lock(lock) == BUSY)
    return BUSY;
  struct stat now;
  if (stat(path, &now) < 0 || now.st_ino != about.st_ino || now.st_dev != about.st_dev)
    return BUSY; /* another file has taken its place meanwhile */
  *taken = g_steal_pointer(&lock);
  return TAKEN;
}

MlMboxLock *
ml_mbox_lock(MlDriver *driver, const char *path, gboolean write, GError **error)
{
  int holder = 0;
  for (guint tries = 0; tries < TRIES; tries++) {
    MlMboxLock *lock = NULL;
    Try result = try_lock(path, write, &lock, &holder, error);
    if (result == TAKEN)
      return lock;
    if (result == IMPOSSIBLE)
      return NULL;
    if (ml_driver_wait_fd(driver, -1, -1, PAUSE_MS) == ML_WAIT_INTERRUPTED) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return NULL;
    }
  }
  g_autofree char *who = holder > 0 ? g_strdup_printf("process %d", holder) : g_strdup("another program");
  g_set_error(error, ML_ERROR, ML_ERROR_STORE,
              "%s is locked by %s. Try again when it has finished; if nothing uses it, delete %s.lock.", path,
              who, path);
  return NULL;
}
