#ifndef CRYPTO_EXPIRY_H
#define CRYPTO_EXPIRY_H

#include "crypto/certdb.h"

/* Which of the certificates that matter end soon: our own, correspondents', and the authorities above them. One that
 * has a successor (the same addresses and use, valid for longer and begun) matters no more: it stays for reading old
 * mail, and nobody needs to hear of it every day. Any thread; asks nobody. */
typedef struct {
  CryptoCertEntry *entry;
  gint64 seconds; /* until its end; negative: since */
} CryptoExpiry;
void crypto_expiry_free(CryptoExpiry *expiry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoExpiry, crypto_expiry_free)

enum { CRYPTO_EXPIRY_LEAVES = 1 << 30 }; /* our own and people's, not what stands above them: no chain is built */

/* Array of CryptoExpiry, the nearest end first. @flags: CRYPTO_CERT_OWN alone looks at those, CRYPTO_EXPIRY_LEAVES at
 * those and people's; 0: at all. */
GPtrArray *crypto_expiry_find(gint64 now, gint64 within, guint flags, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
