#include "ui/save.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

gboolean
ui_save_file(const char *path, GBytes *content, GError **error)
{
  gsize size, at = 0;
  const char *bytes = g_bytes_get_data(content, &size);
  int number = 0, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

  if (fd < 0)
    return fail(path, errno, error);
  while (at < size && !number) {
    gssize n = write(fd, bytes + at, size - at);
    if (n > 0)
      at += (gsize)n;
    else if (n == 0 || errno != EINTR)
      number = n == 0 ? EIO : errno;
  }
  if (!number && fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
    number = errno;
  if (close(fd) != 0 && !number)
    number = errno;
  if (!number)
    return TRUE;
  unlink(path);
  return fail(path, number, error);
}
