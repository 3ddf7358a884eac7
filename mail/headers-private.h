#ifndef ML_HEADERS_PRIVATE_H
#define ML_HEADERS_PRIVATE_H

#include "mail/folder-private.h"
#include "mail/mime-private.h"

/* For mail/ alone: header fields as text. All results are valid UTF-8 in one line: what a sender hid in encoded
 * words (line ends, NUL) shows as U+FFFD. */
char *ml_headers_decode(const char *raw);        /* RFC 2047 anywhere, raw UTF-8 (RFC 6532), raw 8-bit guessed */
char *ml_headers_plain(const char *raw);         /* the same without RFC 2047 */
char *ml_headers_text(const MlEntity *entity, const char *name); /* the first of that name; NULL: none */
gint64 ml_headers_date(const char *raw);         /* Unix seconds; 0: unreadable */

/* header-quick.c: the common ways of writing, to the same result. FALSE: it is written otherwise, and GMime has to read it. */
gboolean ml_header_quick_from(MlSpan raw, MlSpan *name, MlSpan *address); /* one author; name->at: NULL if none */
gboolean ml_header_quick_encoded(MlSpan raw, MlSpan *name, MlSpan *address); /* *name: to be decoded (RFC 2047) */
gboolean ml_header_quick_date(const char *raw, gint64 *when);
gboolean ml_header_quick_hints(const char *raw, guint *hints);
/* FALSE: there is no such time. */
gboolean ml_unix_time(int year, int month, int day, int hour, int minute, int second, gint64 *when);
int ml_month_of(const char *text); /* "Jan": 1; 0: it is none */
int ml_two_digits(const char *text); /* -1: they are none */

#endif
