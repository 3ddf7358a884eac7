#ifndef ML_BASE64_PRIVATE_H
#define ML_BASE64_PRIVATE_H

#include <glib.h>

/* Base64 in bulk: digits only. Whatever is no digit is passed over, as RFC 2045 6.8 wants it; '=' is the caller's to find
 * first, for it ends what is encoded. A pure function. */
enum { ML_BASE64_BEHIND = 8 }; /* room that must be behind the result */

/* @digits (0 to 3) and @bits are what a call left over for the next; both begin as 0. Returns how many octets there
 * are in @out, which has room for @length / 4 * 3 + 3 of them and ML_BASE64_BEHIND. */
gsize ml_base64_decode(const guint8 *data, gsize length, guint8 *out, guint *digits, guint32 *bits);

#endif
