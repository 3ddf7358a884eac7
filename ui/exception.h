#ifndef UI_EXCEPTION_H
#define UI_EXCEPTION_H

#include <glib.h>

/* Servers whose certificate the user accepted although it does not prove the host: one line for each host, port and
 * key in state/tls-exceptions. Another key of the same host is asked about again. Any thread. */
char *ui_exception_file(const char *state_dir); /* transfer full */
gboolean ui_exception_is_stored(const char *file, const char *host, guint16 port, const char *sha256);
gboolean
ui_exception_store(const char *file, const char *host, guint16 port, const char *sha256, GError **error);

#endif
