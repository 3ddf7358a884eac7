#ifndef CRYPTO_CMS_PRIVATE_H
#define CRYPTO_CMS_PRIVATE_H

/* What the files of the CMS codec share. Every item points into the bytes that the CryptoCms holds. */
#include <hasht.h>
#include <pkcs11t.h>

#include "crypto/ber.h"
#include "crypto/cert-private.h"
#include "crypto/cms.h"
#include "crypto/keyuse-private.h"
#include "crypto/oid.h"

enum {
  CRYPTO_CMS_CERTS_MAX = 1000,
  CRYPTO_CMS_SIGNERS_MAX = 32,
  CRYPTO_CMS_RECIPIENTS_MAX = 1000,
  CRYPTO_CMS_ATTRIBUTES_MAX = 200,
  CRYPTO_CMS_ATTRIBUTES_SIZE = 1024 * 1024, /* the signed ones, which are walked several times */
  CRYPTO_CMS_DIGEST_MAX = 64,
  CRYPTO_CMS_IV_MAX = 64,
};

typedef struct {
  CryptoOid oid;
  CryptoBerItem name;       /* the object identifier */
  CryptoBerItem parameters; /* tag 0: absent */
  CryptoBerItem whole;
} CryptoCmsAlgorithm;

/* Issuer and serial number, or subject key identifier. */
typedef struct {
  gboolean by_key_id;
  CryptoBerItem issuer, serial;
  CryptoBerItem key_id;
} CryptoCmsId;

typedef struct {
  CryptoCmsId id;
  CryptoCmsAlgorithm digest, signature;
  CryptoBerItem attributes; /* [0]; tag 0: absent */
  CryptoBerItem unprotected; /* [1] unsignedAttrs; tag 0: absent */
  CryptoBerItem value;
} CryptoCmsSignerInfo;

typedef enum {
  CRYPTO_CMS_TRANSPORT, /* KeyTransRecipientInfo */
  CRYPTO_CMS_AGREEMENT, /* one RecipientEncryptedKey of a KeyAgreeRecipientInfo */
  CRYPTO_CMS_OTHER_RECIPIENT,
} CryptoCmsRecipientKind;

typedef struct {
  CryptoCmsRecipientKind kind;
  const char *what; /* of another kind: its name, static */
  CryptoCmsId id;
  CryptoCmsAlgorithm algorithm; /* key encryption */
  CryptoBerItem key;            /* the encrypted key */
  CryptoBerItem originator;     /* agreement: what [0] holds */
  CryptoBerItem ukm;            /* agreement: user keying material; tag 0: absent */
} CryptoCmsRecipient;

struct CryptoCms {
  GBytes *bytes;
  CryptoBerEnds ends; /* in the bytes */
  CryptoCmsKind kind;
  CryptoOid type;
  char *type_name, *content_type;
  CryptoBerItem content_name; /* eContentType, as an object identifier */
  CryptoBerItem content;      /* OCTET STRING, or [0] of encrypted content; tag 0: absent */
  GArray *certs;              /* of CryptoBerItem: SignedData */
  GArray *signers;            /* of CryptoCmsSignerInfo: SignedData */
  GArray *recipients;         /* of CryptoCmsRecipient: the enveloped types */
  CryptoCmsAlgorithm cipher;  /* of the content; CompressedData: of the compression */
  CryptoBerItem attributes;   /* AuthEnvelopedData: [1] authAttrs; tag 0: absent */
  CryptoBerItem mac;          /* AuthEnvelopedData */
};

/* cms.c */
gboolean crypto_cms_read_algorithm(const CryptoBerItem *item, CryptoCmsAlgorithm *algorithm);
gboolean crypto_cms_read_id(const CryptoBerItem *sequence, CryptoCmsId *id); /* IssuerAndSerialNumber */
void crypto_cms_malformed(GError **error, const char *what);

/* cms-id.c */
gboolean crypto_cms_id_fits(const CryptoCmsId *id, CryptoCert *cert);
gboolean crypto_cms_id_fits_der(const CryptoCmsId *id, const CryptoBerItem *der); /* issuer and serial only */
CryptoCert *crypto_cms_id_lookup(const CryptoCmsId *id); /* in the database and on tokens; transfer full, or NULL */
char *crypto_cms_describe_id(const CryptoCmsId *id);     /* for a person; transfer full */

/* cms-algorithm.c */
typedef struct {
  CryptoOid oid;
  const char *name;  /* "sha256" */
  const char *title; /* "SHA-256" */
  HASH_HashType hash;
  CK_MECHANISM_TYPE mechanism;
  CK_RSA_PKCS_MGF_TYPE mgf;
  guint length;
  gboolean weak;
} CryptoCmsDigest;
const CryptoCmsDigest *crypto_cms_digest(CryptoOid oid); /* NULL: not one that we can do */
const CryptoCmsDigest *crypto_cms_digest_named(const char *name);
void crypto_cms_digest_bytes(const CryptoCmsDigest *digest, gconstpointer data, gsize length, guint8 *result);
void crypto_cms_put_digest(GByteArray *out, const CryptoCmsDigest *digest, gboolean with_null);

typedef struct {
  const CryptoCmsDigest *digest, *mgf;
  int salt;                   /* PSS */
  const guint8 *label;        /* OAEP */
  gsize label_length;
} CryptoCmsRsaParameters;
/* Parameters of RSASSA-PSS or RSAES-OAEP (RFC 8017 A.2). FALSE: malformed or unknown; *unknown then names the
 * digest that we cannot do, or is NULL. */
gboolean crypto_cms_read_pss(const CryptoBerItem *item, CryptoCmsRsaParameters *parameters, char **unknown);
gboolean crypto_cms_read_oaep(const CryptoBerItem *item, CryptoCmsRsaParameters *parameters, char **unknown);

typedef struct {
  CryptoOid oid;
  const char *name; /* "aes-256-cbc" */
  guint key_length, block; /* block 0: AES-GCM */
  CK_MECHANISM_TYPE mechanism;
  gboolean legacy, refused;
} CryptoCmsCipher;
const CryptoCmsCipher *crypto_cms_cipher(const CryptoCmsAlgorithm *algorithm); /* NULL: not one that we can do */
char *crypto_cms_cipher_name(const CryptoCmsAlgorithm *algorithm);

/* cms-signature.c: one signature value against one key. *reason is set unless INTACT. */
CryptoSignatureState crypto_cms_check_signature(const CryptoCmsSignerInfo *info, const CryptoCmsDigest *digest,
                                                const guint8 *hash, CryptoCert *cert, char **reason);
const char *crypto_cms_signature_name(const CryptoCmsAlgorithm *algorithm); /* "RSA"; NULL: unknown */

/* cms-attributes.c: the signed attributes of one signer. FALSE: a rule is broken; signer->state and reason say
 * which. */
gboolean crypto_cms_read_attributes(CryptoCms *cms, const CryptoCmsSignerInfo *info, const guint8 *content_digest,
                                    const CryptoCmsDigest *digest, CryptoSigner *signer, gboolean *altered);
/* Nothing among the unsigned attributes that must be signed? */
gboolean crypto_cms_check_unsigned(const CryptoCmsSignerInfo *info, CryptoSigner *signer);
/* Do the ESSCertID(v2) attributes name this certificate? TRUE also without any. */
gboolean crypto_cms_attributes_name_cert(const CryptoCmsSignerInfo *info, CryptoCert *cert, CryptoSigner *signer);
/* The attributes as they were signed: a DER SET OF; @sorted: put into order first. Transfer full, or NULL. */
GByteArray *crypto_cms_attributes_signed(const CryptoBerItem *attributes, gboolean sorted);
/* Content that could be the signed attributes of another message. */
gboolean crypto_cms_looks_like_attributes(const guint8 *data, gsize length);

/* cms-recipient.c: the content key out of one recipient. @cek has room for @length octets; whatever happens
 * short of an error it is filled, with random octets where unwrapping failed (RFC 3218). *genuine tells. The use of the
 * key is begun here, in @using, and ended by the caller, who knows what came of it. */
gboolean crypto_cms_unwrap(const CryptoCmsRecipient *recipient, CryptoCert *cert, CryptoPinSource *pin, CryptoKeyUsing *using,
                           guint8 *cek, guint length, gboolean *genuine, GError **error);
char *crypto_cms_transport_name(const CryptoCmsRecipient *recipient, CryptoCert *cert);
CryptoCert *crypto_cms_recipient_cert(const CryptoCmsRecipient *recipient); /* ours; transfer full, or NULL */
/* NO_KEY, or why: which keys it wants, and what would bring them. (crypto/cms-missing.c) */
void crypto_cms_set_no_key(CryptoCms *cms, GError **error);
/* DER of ECC-CMS-SharedInfo (RFC 5753 7.2). */
GByteArray *crypto_cms_shared_info(const CryptoBerItem *wrap, const CryptoBerItem *ukm, guint key_length);

/* cms-gcm.c: AES-GCM in little memory. @func is given plaintext only after the tag has been checked; FALSE from it ends
 * the work. FALSE: the tag is wrong, or @func said so. */
typedef struct {
  const guint8 *key, *iv, *aad;
  guint key_length, iv_length;
  gsize aad_length;
  const CryptoBerItem *content;
  gsize length;      /* of the ciphertext in it, without a tag */
  const guint8 *tag; /* NULL: it stands behind the ciphertext */
  guint tag_length;
} CryptoCmsGcm;
typedef gboolean (*CryptoCmsGcmFunc)(const guint8 *data, gsize length, gpointer user_data);
gboolean crypto_cms_gcm(const CryptoCmsGcm *what, CryptoCmsGcmFunc func, gpointer user_data);
/* The other way: @content (of GBytes, @what->length octets, without additional data) encrypted to @func; @tag: 16
 * octets. Of @what only key, iv and length count. */
gboolean crypto_cms_gcm_seal(const CryptoCmsGcm *what, GPtrArray *content, CryptoCmsGcmFunc func, gpointer user_data,
                             guint8 *tag);

/* cms-write.c. A ContentInfo around SEQUENCE { @before, @rest octets } up to where those octets begin. */
GByteArray *crypto_cms_head(CryptoOid type, const GByteArray *before, gsize rest);
void crypto_cms_put_id(GByteArray *out, CryptoCert *cert); /* IssuerAndSerialNumber */
void crypto_cms_put_algorithm(GByteArray *out, CryptoOid oid, const GByteArray *parameters); /* NULL: absent */
void crypto_cms_put_null_algorithm(GByteArray *out, CryptoOid oid);
void crypto_cms_put_rsa_parameters(GByteArray *out, const CryptoCmsDigest *digest);

#endif
