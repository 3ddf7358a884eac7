#ifndef CRYPTO_CMS_WRITE_H
#define CRYPTO_CMS_WRITE_H

#include "crypto/cms.h"

/* CMS written: DER, for mail that leaves. Keys thread. */
typedef struct {
  gint64 signing_time;  /* Unix seconds; 0: left out */
  const char *digest;   /* "sha256" (default when NULL), "sha384", "sha512" */
  gboolean pss;         /* RSA-PSS with an ordinary RSA key */
  gboolean detached;    /* leave the content out */
  GPtrArray *chain;     /* certificates to include besides the signer's (may be NULL) */
  gboolean no_attributes; /* tests: no signed attributes at all */
} CryptoSignOptions;

/* SignedData by @cert over @content (canonical bytes). Refuses a digest below SHA-256. */
GBytes *crypto_cms_sign(GBytes *content, CryptoCert *cert, const CryptoSignOptions *options, CryptoPinSource *pin,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum {
  CRYPTO_CIPHER_AES128_CBC,
  CRYPTO_CIPHER_AES256_CBC,
  CRYPTO_CIPHER_AES128_GCM, /* AuthEnvelopedData */
  CRYPTO_CIPHER_AES256_GCM,
  CRYPTO_CIPHER_3DES_CBC,   /* only `signet demo` and tests write it */
} CryptoCipher;

/* To every certificate of @recipients: RSA by PKCS#1 v1.5 or, if @oaep, RSA-OAEP SHA-256; EC by ECDH (RFC 5753). */
GBytes *crypto_cms_encrypt(GBytes *content, GPtrArray *recipients, CryptoCipher cipher, gboolean oaep,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
