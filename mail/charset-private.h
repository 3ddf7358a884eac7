#ifndef ML_CHARSET_PRIVATE_H
#define ML_CHARSET_PRIVATE_H

#include <glib.h>

/* For mail/ alone: the one place where octets become text. The result is valid UTF-8, whatever came; what could
 * not be read is U+FFFD, NUL too, and *lossy (may be NULL) says that there was some. Line ends are kept. */

/* From @charset as the mail names it; NULL, unknown or plain ASCII: guessed (UTF-8 if it is, else windows-1252). */
char *ml_charset_to_utf8(const char *data, gsize length, const char *charset, gboolean *lossy);
gboolean ml_charset_known(const char *charset);

#endif
