#ifndef CRYPTO_CMS_H
#define CRYPTO_CMS_H

#include "crypto/cert.h"
#include "crypto/pin.h"

/* Cryptographic Message Syntax (RFC 5652, 5083, 3274, 8551) read by our own bounded codec over NSS's primitives;
 * NSS's own CMS code is never given mail. BER and DER; depth, counts and lengths are limited (crypto/ber.h).
 * A CryptoCms is immutable after parsing and holds a reference on its bytes. Any thread, one at a time. */
typedef enum {
  CRYPTO_CMS_SIGNED,         /* SignedData with at least one signer */
  CRYPTO_CMS_CERTS_ONLY,     /* SignedData with none: certificates or CRLs */
  CRYPTO_CMS_ENVELOPED,      /* EnvelopedData */
  CRYPTO_CMS_AUTH_ENVELOPED, /* AuthEnvelopedData (RFC 5083) */
  CRYPTO_CMS_COMPRESSED,     /* CompressedData (RFC 3274) */
  CRYPTO_CMS_OTHER,          /* a ContentInfo of another type: see crypto_cms_type_name() */
} CryptoCmsKind;

typedef struct CryptoCms CryptoCms;

/* @bytes: the transfer-decoded body. Errors: MALFORMED, UNSUPPORTED. Bytes after the ContentInfo are refused,
 * but for padding zeros and line ends. */
CryptoCms *crypto_cms_parse(GBytes *bytes, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void crypto_cms_free(CryptoCms *cms);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoCms, crypto_cms_free)

CryptoCmsKind crypto_cms_kind(CryptoCms *cms);
const char *crypto_cms_type_name(CryptoCms *cms);  /* "SignedData", "DigestedData", or the OID in dots */
GBytes *crypto_cms_content(CryptoCms *cms);        /* SignedData: what it encloses, transfer full; NULL: detached */
const char *crypto_cms_content_type(CryptoCms *cms); /* eContentType: "data", "signedData", ... or dots */
GPtrArray *crypto_cms_certs(CryptoCms *cms);       /* of CryptoCert, transfer full; candidates, nothing more */

/* What one SignerInfo says. The certificate's trust is another question (crypto/chain.h). */
typedef enum {
  CRYPTO_SIGNATURE_INTACT,      /* digest and signature fit the content and the certificate's key */
  CRYPTO_SIGNATURE_ALTERED,     /* the digest of the content differs: it was changed after signing */
  CRYPTO_SIGNATURE_FORGED,      /* the signature does not verify, or breaks a rule (reason says which) */
  CRYPTO_SIGNATURE_NO_CERT,     /* the signer's certificate is not here */
  CRYPTO_SIGNATURE_UNSUPPORTED, /* digest or signature algorithm that we cannot do; reason names it */
} CryptoSignatureState;

typedef struct {
  CryptoSignatureState state;
  char *reason;         /* a sentence; NULL when intact */
  CryptoCert *cert;     /* NULL: not here */
  char *identifier;     /* how the message names the signer, for a person: issuer and serial, or key id */
  gboolean has_signing_time;
  gint64 signing_time;  /* Unix seconds: the signer's claim */
  char *digest;         /* "sha256" */
  char *algorithm;      /* "RSA", "RSA-PSS", "ECDSA", ... */
  gboolean weak_digest; /* MD5, SHA-1 and older */
  GBytes *capabilities; /* DER of SMIMECapabilities (RFC 8551 2.5.2), or NULL */
  GBytes *encryption_cert_id; /* DER of SMIMEEncryptionKeyPreference, or NULL */
} CryptoSigner;
void crypto_signer_free(CryptoSigner *signer);
/* The one of @certs (of CryptoCert) that the signer wants to be written to; transfer full; NULL: none is named, or
 * it is not among them. */
CryptoCert *crypto_cms_preferred_cert(const CryptoSigner *signer, GPtrArray *certs);

/* @detached: the signed part, canonical (CRLF), or NULL to use what the message encloses. @extra: certificates
 * to find signers among (array of CryptoCert, may be NULL), besides the message's and the database's.
 * Array of CryptoSigner, one for each SignerInfo in order. Rules held here: signed attributes need contentType
 * equal to eContentType and exactly one messageDigest; ESSCertID(v2) must name the certificate; the signature is over
 * them in DER's order; no signed attributes over content that itself parses as signed attributes is FORGED. */
GPtrArray *crypto_cms_verify(CryptoCms *cms, GBytes *detached, GPtrArray *extra, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
  char *algorithm;       /* "aes-256-gcm", "aes-128-cbc", "des-ede3-cbc", "rc2-40-cbc", ... */
  gboolean authenticated; /* AEAD */
  gboolean legacy;       /* 3DES or RC2-128: decrypted, with a warning */
  GPtrArray *recipients; /* of char *: each recipient as a person would name it (ours by address and name) */
  CryptoCert *ours;      /* the certificate whose key opened it, or would; NULL: no recipient is ours */
  gboolean others_ours;  /* another certificate of ours is among the recipients besides */
  GPtrArray *keys;       /* of CryptoCert: all of ours among the recipients, each once; never NULL */
  char *key_transport;   /* "RSA PKCS#1 v1.5", "RSA-OAEP SHA-256", "ECDH P-256 SHA-256 AES-128 wrap" */
  char *token;           /* where that key lies; NULL: in the database */
  gboolean absent;       /* that token is not in its reader */
} CryptoEnvelope;
CryptoEnvelope *crypto_cms_envelope(CryptoCms *cms); /* without touching a key; transfer full */
void crypto_envelope_free(CryptoEnvelope *envelope);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoEnvelope, crypto_envelope_free)

/* Every recipient of ours is tried. Errors: NO_KEY, LOCKED, PIN, CANCELLED, MALFORMED (any decryption that
 * fails, whatever the step, alike in word and time), UNSUPPORTED, REFUSED. GCM plaintext leaves only after its
 * tag has been checked. A random content key stands in where PKCS#1 unwrapping fails (RFC 3218). */
GBytes *crypto_cms_decrypt(CryptoCms *cms, CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, handed on as it is decrypted: in small runs, those of GCM after its tag has been checked over all of it.
 * What was given before an error is to be thrown away. @sink returns FALSE with its error set to stop. Both take
 * little memory for a large message: see crypto/mapping.h for what goes in, crypto/spool.h for what comes out. */
typedef gboolean (*CryptoSinkFunc)(const guint8 *data, gsize length, gpointer user_data, GError **error);
gboolean crypto_cms_decrypt_to(CryptoCms *cms, CryptoPinSource *pin, CryptoSinkFunc sink, gpointer user_data,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Output limit 256 MiB and 1000:1. */
GBytes *crypto_cms_decompress(CryptoCms *cms, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
