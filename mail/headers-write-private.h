#ifndef ML_HEADERS_WRITE_PRIVATE_H
#define ML_HEADERS_WRITE_PRIVATE_H

#include <glib.h>

/* For mail/ alone: values of header fields as they leave. Folded at 78 columns by CRLF and a blank where there is a
 * blank to fold at; US-ASCII (RFC 2047, RFC 2231) but for addresses that are not (RFC 6532). Whatever octet is
 * handed in, no line can end but by a fold: what is no printable ASCII becomes an encoded word. @name: of the field,
 * for the length of the first line. All transfer full. */
char *ml_headers_write_text(const char *name, const char *text);
char *
ml_headers_write_addresses(const char *name, GPtrArray *addresses, gboolean with_names); /* of MlAddress */
char *ml_headers_write_words(const char *name, const char *text); /* Message-IDs: folded, never encoded */
char *ml_headers_write_date(gint64 when, gboolean utc);
/* "text/plain; charset=utf-8" with @file, if any, as its `name`; what is no media type is application/octet-stream. */
char *ml_headers_write_type(const char *type, const char *file);
char *ml_headers_write_disposition(gboolean is_inline, const char *file);
/* A display name as it may stand before <address>, for people: quoted where it must be. */
char *ml_headers_write_mailbox(const char *display, const char *address);

#endif
