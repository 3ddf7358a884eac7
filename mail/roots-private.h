#ifndef ML_ROOTS_PRIVATE_H
#define ML_ROOTS_PRIVATE_H

#include <glib.h>

/* For libraries with a TLS of their own: the authorities that our trust store trusts for servers, as a file of PEM without
 * a name, that only this process can open, by @path and until it is closed. Any thread. */
typedef struct {
  int fd;
  char *path;
} MlRoots;
gboolean ml_roots_open(MlRoots *roots, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_roots_close(MlRoots *roots); /* one that is all zero is fine */

#endif
