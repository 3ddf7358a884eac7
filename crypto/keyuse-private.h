#ifndef CRYPTO_KEYUSE_PRIVATE_H
#define CRYPTO_KEYUSE_PRIVATE_H

#include "crypto/cert-private.h"
#include "crypto/keyuse.h"

/* One use, on the caller's stack: begin, then end whatever came of it. One that is all zero was not begun. */
typedef struct {
  CryptoKeyUse use;
  char *token, *about, *name;
  char key[65];
  gboolean begun;
} CryptoKeyUsing;

/* @key: where it lies is told from it; NULL: in @token. @cert may be NULL: @name then. FALSE: leave the key alone. */
gboolean crypto_keyuse_begin(CryptoKeyUsing *using, CryptoKeyAct act, CryptoCert *cert, SECKEYPrivateKey *key, const char *token,
                             const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void crypto_keyuse_made(CryptoKeyUsing *using, SECKEYPublicKey *public); /* of a new key: now it has an identity */
/* @failed (transfer full) becomes @error; NULL: it was done. TRUE: done, and written; else what came of it is not used. */
gboolean crypto_keyuse_end(CryptoKeyUsing *using, GError *failed, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
