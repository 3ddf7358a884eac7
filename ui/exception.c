#include "ui/exception.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mail/error.h"

static char *
line_of(const char *host, guint16 port, const char *sha256)
{
  g_autofree char *folded = g_ascii_strdown(host, -1);
  return g_strdup_printf("%s:%u %s", folded, port, sha256);
}

char *
ui_exception_file(const char *state_dir)
{
  return g_build_filename(state_dir, "tls-exceptions", NULL);
}

gboolean
ui_exception_is_stored(const char *file, const char *host, guint16 port, const char *sha256)
{
  g_autofree char *line = line_of(host, port, sha256), *text = NULL;

  if (!g_file_get_contents(file, &text, NULL, NULL))
    return FALSE;
  g_auto(GStrv) lines = g_strsplit(text, "\n", 10000);
  return g_strv_contains((const char *const *)lines, line);
}

gboolean
ui_exception_store(const char *file, const char *host, guint16 port, const char *sha256, GError **error)
{
  g_autofree char *line = line_of(host, port, sha256), *folder = g_path_get_dirname(file);
  g_autofree char *with_end = g_strdup_printf("%s\n", line);

  g_mkdir_with_parents(folder, 0700);
  int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  gsize length = strlen(with_end);
  gboolean ok = fd >= 0 && write(fd, with_end, length) == (gssize)length;
  if (fd >= 0 && close(fd) != 0)
    ok = FALSE;
  if (!ok)
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The exception cannot be kept in %s: %s", file,
                g_strerror(errno));
  return ok;
}
