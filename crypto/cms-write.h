#ifndef CRYPTO_CMS_WRITE_H
#define CRYPTO_CMS_WRITE_H

#include "crypto/cms.h"

/* CMS written: DER, for mail that leaves. Keys thread. */
typedef struct {
  gint64 signing_time; /* Unix seconds; 0: left out */
  const char *digest;  /* "sha256", "sha384", "sha512"; NULL: as strong as the key's curve, SHA-256 for RSA */
  gboolean pss;        /* RSA-PSS with an ordinary RSA key */
  gboolean detached;   /* leave the content out */
  GPtrArray *chain;    /* certificates to include besides the signer's (may be NULL) */
  CryptoCert *encryption; /* announced as the one to write to (sMIMEEncryptionKeyPreference); NULL: none */
  gboolean no_attributes; /* tests: no signed attributes at all */
} CryptoSignOptions;

/* SignedData by @cert over @content (canonical bytes). Refuses a digest below SHA-256. */
GBytes *crypto_cms_sign(GBytes *content, CryptoCert *cert, const CryptoSignOptions *options,
                        CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;
const char *
crypto_cms_sign_digest(CryptoCert *cert, const char *wanted); /* that options.digest stands for; static */

/* What an SMIMECapabilities (RFC 8551 2.5.2) says its sender can read. */
typedef enum {
  CRYPTO_CAN_AES128_CBC = 1 << 0,
  CRYPTO_CAN_AES256_CBC = 1 << 1,
  CRYPTO_CAN_AES128_GCM = 1 << 2,
  CRYPTO_CAN_AES256_GCM = 1 << 3,
  CRYPTO_CAN_RSA_OAEP = 1 << 4, /* with SHA-256 */
  CRYPTO_CAN_RSA_PSS = 1 << 5,  /* with SHA-256 */
  CRYPTO_CAN_ECDH = 1 << 6,
} CryptoCapability;
guint crypto_cms_capabilities(GBytes *der); /* bits; of NULL and of malformed ones: 0 */
/* DER of what crypto_cms_sign() announces; transfer full. @cert: the one to be written to (may be NULL): where its key
 * lies on a token, which may know PKCS#1 v1.5 alone, RSA-OAEP is not asked for. */
GBytes *crypto_cms_own_capabilities(CryptoCert *cert);

typedef enum {
  CRYPTO_CIPHER_AES128_CBC,
  CRYPTO_CIPHER_AES256_CBC,
  CRYPTO_CIPHER_AES128_GCM, /* AuthEnvelopedData */
  CRYPTO_CIPHER_AES256_GCM,
  CRYPTO_CIPHER_3DES_CBC, /* only `signet demo` and tests write it */
} CryptoCipher;

/* To every certificate of @recipients: RSA by PKCS#1 v1.5 or, if @oaep, RSA-OAEP SHA-256; EC by ECDH (RFC 5753). */
GBytes *crypto_cms_encrypt(GBytes *content, GPtrArray *recipients, CryptoCipher cipher, gboolean oaep,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
  CryptoCert *cert;
  gboolean oaep; /* of an RSA key: OAEP SHA-256 instead of PKCS#1 v1.5 */
} CryptoCmsTo;

/* The same in pieces, so that a large message takes little memory: the content is @content's bytes one after the
 * other (array of GBytes), @recipients is an array of CryptoCmsTo, the result goes to @sink from front to back. What
 * was given before an error is to be thrown away. */
gboolean
crypto_cms_encrypt_to(GPtrArray *content, const GArray *recipients, CryptoCipher cipher, CryptoSinkFunc sink,
                      gpointer user_data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
