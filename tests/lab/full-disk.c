/* A disk that is full, without a disk: preloaded (LD_PRELOAD) it has writes that would make a file below FULL_UNDER longer
 * fail with ENOSPC, once FULL_AFTER octets have come to these files in this process, and, where FULL_WHILE names a file, as
 * long as that is there. What stands in a file already can be written over, as on a disk; the last write that has some room
 * is a short one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long long used;

static int
is_ours(int fd)
{
  const char *under = getenv("FULL_UNDER"), *while_file = getenv("FULL_WHILE");
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = under ? readlink(link, path, sizeof path - 1) : -1;
  if (length < 0 || (while_file && access(while_file, F_OK) != 0))
    return 0;
  path[length] = 0;
  return strncmp(path, under, strlen(under)) == 0;
}

/* How many of @count octets at @offset (-1: where the file is) can be written. */
static size_t
room(int fd, size_t count, off_t offset)
{
  struct stat about;
  int before = errno;
  if (!count || !is_ours(fd) || fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) {
    errno = before;
    return count;
  }
  if (offset < 0)
    offset = fcntl(fd, F_GETFL) & O_APPEND ? about.st_size : lseek(fd, 0, SEEK_CUR);
  errno = before;
  long long within = offset < about.st_size ? about.st_size - offset : 0;
  long long more = (long long)count - within;
  if (more <= 0)
    return count;
  const char *after = getenv("FULL_AFTER");
  pthread_mutex_lock(&lock);
  long long left = (after ? atoll(after) : 0) - used;
  long long given = left <= 0 ? 0 : left < more ? left : more;
  used += given;
  pthread_mutex_unlock(&lock);
  return (size_t)((within < (long long)count ? within : (long long)count) + given);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t
write(int fd, const void *data, size_t count)
{
  size_t some = room(fd, count, -1);
  if (!some && count) {
    errno = ENOSPC;
    return -1;
  }
  return REAL(write)(fd, data, some);
}

ssize_t
pwrite(int fd, const void *data, size_t count, off_t offset)
{
  size_t some = room(fd, count, offset);
  if (!some && count) {
    errno = ENOSPC;
    return -1;
  }
  return REAL(pwrite)(fd, data, some, offset);
}

ssize_t
pwrite64(int fd, const void *data, size_t count, off64_t offset)
{
  return pwrite(fd, data, count, offset);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
  size_t all = 0;
  for (int i = 0; i < count; i++)
    all += parts[i].iov_len;
  if (room(fd, all, -1) < all) {
    errno = ENOSPC;
    return -1;
  }
  return REAL(writev)(fd, parts, count);
}

int
posix_fallocate(int fd, off_t offset, off_t length)
{
  return room(fd, (size_t)length, offset) < (size_t)length ? ENOSPC : REAL(posix_fallocate)(fd, offset, length);
}

int
posix_fallocate64(int fd, off64_t offset, off64_t length)
{
  return posix_fallocate(fd, offset, length);
}

int
fallocate(int fd, int mode, off_t offset, off_t length)
{
  if (room(fd, (size_t)length, offset) < (size_t)length) {
    errno = ENOSPC;
    return -1;
  }
  return REAL(fallocate)(fd, mode, offset, length);
}

int
fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
  return fallocate(fd, mode, offset, length);
}
