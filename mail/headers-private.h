#ifndef ML_HEADERS_PRIVATE_H
#define ML_HEADERS_PRIVATE_H

#include "mail/mime-private.h"

/* For mail/ alone: header fields as text. All results are valid UTF-8 in one line: what a sender hid in encoded
 * words (line ends, NUL) shows as U+FFFD. */
char *ml_headers_decode(const char *raw);        /* RFC 2047 anywhere, raw UTF-8 (RFC 6532), raw 8-bit guessed */
char *ml_headers_plain(const char *raw);         /* the same without RFC 2047 */
char *ml_headers_text(const MlEntity *entity, const char *name); /* the first of that name; NULL: none */
gint64 ml_headers_date(const char *raw);         /* Unix seconds; 0: unreadable */

#endif
