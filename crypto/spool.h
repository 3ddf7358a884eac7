#ifndef CRYPTO_SPOOL_H
#define CRYPTO_SPOOL_H

#include <gio/gio.h>

/* Bytes on their way into a GBytes, of any size in little of this process's memory. Up to CRYPTO_SPOOL_HEAP octets they
 * lie in ordinary memory; beyond, in anonymous files of the kernel's (memfd), whose pages are mapped only while somebody
 * reads them (crypto/mapping.h) and given back to the system behind him. They have no names and are on no disk, so that
 * the plaintext of encrypted mail may be in them: when the last mapping goes, the kernel wipes them. One thread at a
 * time. */
enum { CRYPTO_SPOOL_HEAP = 1024 * 1024 };

typedef struct CryptoSpool CryptoSpool;

CryptoSpool *crypto_spool_new(void);
void crypto_spool_free(CryptoSpool *spool); /* wipes what was not handed out */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoSpool, crypto_spool_free)

/* Error: FAILED, there is no memory for it. */
gboolean crypto_spool_add(CryptoSpool *spool, gconstpointer data, gsize length, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
gsize crypto_spool_length(const CryptoSpool *spool);
void crypto_spool_empty(CryptoSpool *spool); /* to begin again */

/* All of it, which nobody can change any more; the spool is empty afterwards. Transfer full. */
GBytes *crypto_spool_finish(CryptoSpool *spool, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
