#ifndef CRYPTO_MAPPING_H
#define CRYPTO_MAPPING_H

#include <gio/gio.h>

/* A file as bytes, for messages that are larger than the memory they should take: whatever in this folder reads
 * such bytes from front to back (digests, decryption, the search for the end of a BER value) lets go of the pages
 * behind it, which the kernel reads from the file again if they are asked for. Slices made with
 * g_bytes_new_from_bytes() keep the property. Any thread. */

/* @fd: a regular file, not kept; its content must not change while the bytes live. Transfer full. */
GBytes *crypto_mapping_new(int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Several files of @piece octets each (a multiple of the page's size), the last of any other, as bytes in one run. */
GBytes *crypto_mapping_join(const int *fds, guint n, gsize piece, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Nobody reads what is before @to in its mapping ever again, whoever has the bytes or a slice of them: of files that were
 * joined those that lie before it are let go of, so that their pages are the system's for what is written from them. To
 * read there is the end of the program, not another's data. */
void crypto_mapping_spend(const guint8 *to);

/* [from, to) has been read and will not be again soon. Does nothing for memory that is no such mapping. */
void crypto_mapping_release(const guint8 *from, const guint8 *to);

#endif
