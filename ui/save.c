#include "ui/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/mapping.h"
#include "mail/error.h"

char *
ui_save_free_name(const char *folder, const char *name)
{
  const char *dot = strrchr(name, '.');
  int stem = dot && dot > name ? (int)(dot - name) : (int)strlen(name);

  for (guint i = 0; i < 1000; i++) {
    g_autofree char *file = i ? g_strdup_printf("%.*s-%u%s", stem, name, i, name + stem) : g_strdup(name);
    char *path = folder ? g_build_filename(folder, file, NULL) : g_strdup(file);
    struct stat unused;
    if (lstat(path, &unused) != 0)
      return path;
    g_free(path);
  }
  return folder ? g_build_filename(folder, name, NULL) : g_strdup(name);
}

char *
ui_save_path(const char *typed, const char *name)
{
  g_autofree char *path = g_str_has_prefix(typed, "~/") ? g_build_filename(g_get_home_dir(), typed + 2, NULL)
                          : !strcmp(typed, "~")         ? g_strdup(g_get_home_dir())
                                                        : g_strdup(typed);

  if (g_file_test(path, G_FILE_TEST_IS_DIR))
    return ui_save_free_name(path, name);
  return g_steal_pointer(&path);
}

static gboolean
fail(const char *path, int number, GError **error)
{
  const char *what = number == EEXIST ? "there is a file of that name already: choose another"
                     : number == ENOSPC || number == EDQUOT ? "the disk is full; nothing was left there"
                     : number == ENOENT                     ? "there is no such folder"
                                                            : g_strerror(number);

  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s was not saved: %s.", path, what);
  return FALSE;
}

/* By way of a buffer: a write from pages that are not mapped yet makes the kernel clear and try again each of its
 * own. */
int
ui_save_write(int fd, GBytes *content, gboolean spend)
{
  enum { STEP = 256 * 1024 };
  gsize size;
  const guint8 *bytes = g_bytes_get_data(content, &size);
  gsize room = MIN(size, (gsize)STEP);
  g_autofree guint8 *buffer = g_malloc(room + 1);
  int number = 0;

  for (gsize at = 0; at < size && !number;) {
    gsize length = MIN(size - at, room), written = 0;
    memcpy(buffer, bytes + at, length);
    crypto_mapping_release(bytes + at, bytes + at + length);
    while (written < length && !number) {
      gssize n = write(fd, buffer + written, length - written);
      if (n > 0)
        written += (gsize)n;
      else if (n == 0 || errno != EINTR)
        number = n == 0 ? EIO : errno;
    }
    at += length;
    if (spend)
      crypto_mapping_spend(bytes + at);
  }
  explicit_bzero(buffer, room);
  return number;
}

/* Closes @fd; the error number. */
static int
write_and_close(int fd, GBytes *content, gboolean spend, gboolean sync)
{
  int number = ui_save_write(fd, content, spend);

  if (!number && sync && fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
    number = errno;
  if (close(fd) != 0 && !number)
    number = errno;
  return number;
}

gboolean
ui_save_file(const char *path, GBytes *content, GError **error)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

  if (fd < 0)
    return fail(path, errno, error);
  int number = write_and_close(fd, content, FALSE, TRUE);
  if (!number)
    return TRUE;
  unlink(path);
  return fail(path, number, error);
}

gboolean
ui_save_replace(const char *path, GBytes *content, gboolean spend, GError **error)
{
  struct stat about;

  if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) { /* a device or a pipe stays what it is */
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int number = fd < 0 ? errno : write_and_close(fd, content, spend, FALSE);
    return number ? fail(path, number, error) : TRUE;
  }
  g_autofree char *partial = g_strconcat(path, ".XXXXXX", NULL);
  int fd = g_mkstemp_full(partial, O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail(path, errno, error);
  int number = write_and_close(fd, content, spend, FALSE); /* it can be made again: not worth waiting for the disk */
  if (!number && rename(partial, path) != 0)
    number = errno;
  if (!number)
    return TRUE;
  unlink(partial);
  return fail(path, number, error);
}
