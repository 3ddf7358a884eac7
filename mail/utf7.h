#ifndef ML_UTF7_H
#define ML_UTF7_H

#include <glib.h>

/* Modified UTF-7 of mailbox names (RFC 3501 5.1.3); Maildir++ servers use it on disk too. Pure functions. */
char *ml_utf7_encode(const char *utf8);    /* transfer full; never NULL for valid UTF-8 */
char *ml_utf7_decode(const char *mailbox); /* transfer full; NULL: it is not well-formed modified UTF-7 */

#endif
