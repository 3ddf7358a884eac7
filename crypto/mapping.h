#ifndef CRYPTO_MAPPING_H
#define CRYPTO_MAPPING_H

#include <gio/gio.h>

/* A file as bytes, for messages that are larger than the memory they should take: whatever in this folder reads
 * such bytes from front to back (digests, decryption, the search for the end of a BER value) lets go of the pages
 * behind it, which the kernel reads from the file again if they are asked for. Slices made with
 * g_bytes_new_from_bytes() keep the property. Any thread. */

/* @fd: a regular file, not kept; its content must not change while the bytes live. Transfer full. */
GBytes *crypto_mapping_new(int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* [from, to) has been read and will not be again soon. Does nothing for memory that is no such mapping. */
void crypto_mapping_release(const guint8 *from, const guint8 *to);

#endif
