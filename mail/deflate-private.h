#ifndef ML_DEFLATE_PRIVATE_H
#define ML_DEFLATE_PRIVATE_H

#include "mail/error.h"

/* Both directions of a connection that is compressed (RFC 1951, as RFC 4978 has it). What comes is unpacked no further
 * than the reader asks, so that a few octets cannot become many in memory. One thread. */
typedef struct MlDeflate MlDeflate;

MlDeflate *ml_deflate_new(void);
void ml_deflate_free(MlDeflate *deflate); /* NULL is fine */
void ml_deflate_feed(MlDeflate *deflate, const void *data, gsize length); /* octets as they came */
/* Some of what they stand for; 0 without an error: more must come first. */
gsize ml_deflate_read(MlDeflate *deflate, void *buffer, gsize length, GError **error);
gboolean ml_deflate_pending(const MlDeflate *deflate); /* another read may give something by itself */
GByteArray *ml_deflate_write(MlDeflate *deflate, const void *data, gsize length); /* complete, to be sent; transfer full */

#endif
