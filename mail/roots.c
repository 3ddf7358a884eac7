#include "mail/roots-private.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/certdb.h"
#include "mail/error.h"

/* Memory of the kernel's; where a sandbox forbids that, a file that loses its name at once. */
static int
open_nameless(GError **error)
{
  int fd = memfd_create("signet roots", MFD_CLOEXEC);
  g_autofree char *name = NULL;
  if (fd >= 0)
    return fd;
  fd = g_file_open_tmp("signet-roots-XXXXXX", &name, error);
  if (fd >= 0)
    g_unlink(name);
  return fd;
}

gboolean
ml_roots_open(MlRoots *roots, GError **error)
{
  g_autofree char *pem = crypto_certdb_server_roots(error);
  *roots = (MlRoots){ -1, NULL };
  if (!pem)
    return FALSE;
  int fd = open_nameless(error);
  if (fd < 0)
    return FALSE;
  for (gsize at = 0, length = strlen(pem); at < length;) {
    gssize done = write(fd, pem + at, length - at);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0) {
      g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The authorities for servers cannot be written for libcurl: %s.", g_strerror(errno));
      close(fd);
      return FALSE;
    }
    at += (gsize)done;
  }
  *roots = (MlRoots){ fd, g_strdup_printf("/proc/self/fd/%d", fd) };
  return TRUE;
}

void
ml_roots_close(MlRoots *roots)
{
  if (roots->path)
    close(roots->fd);
  g_clear_pointer(&roots->path, g_free);
}
