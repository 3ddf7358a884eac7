#include "crypto/cms-write.h"

#include <pk11pub.h>
#include <secerr.h>
#include <string.h>

#include "crypto/cards-private.h"
#include "crypto/cms-private.h"
#include "crypto/mapping.h"
#include "crypto/spool.h"
#include "crypto/token-private.h"

/* SignedData with one signer, checked by our own verifier before anybody gets to see it. */

typedef enum { SCHEME_PKCS1, SCHEME_PSS, SCHEME_ECDSA } Scheme;

typedef struct {
  CryptoCert *cert;
  SECKEYPrivateKey *key;
  CryptoPinSource *pin;
  const CryptoSignOptions *options;
  const CryptoCmsDigest *digest;
  Scheme scheme;
} Signing;

/* --- signed attributes --- */

static void
add_attribute(GPtrArray *attributes, CryptoOid oid, const GByteArray *value)
{
  g_autoptr(GByteArray) out = g_byte_array_new();
  crypto_oid_put(out, oid);
  crypto_ber_put_array(out, CRYPTO_BER_SET, value);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  g_ptr_array_add(attributes, g_byte_array_free_to_bytes(g_steal_pointer(&out)));
}

static void
add_capabilities(GPtrArray *attributes, CryptoCert *cert)
{
  g_autoptr(GBytes) der = crypto_cms_own_capabilities(cert);
  g_autoptr(GByteArray) list = g_byte_array_new();
  g_byte_array_append(list, g_bytes_get_data(der, NULL), (guint)g_bytes_get_size(der));
  add_attribute(attributes, CRYPTO_OID_SMIME_CAPABILITIES, list);
}

/* RFC 8551 2.5.3: which certificate answers are to be encrypted to. */
static void
add_preference(GPtrArray *attributes, CryptoCert *cert)
{
  g_autoptr(GByteArray) out = g_byte_array_new();
  crypto_cms_put_id(out, cert);
  out->data[0] = CRYPTO_BER_CONTEXT_CONSTRUCTED; /* [0] IMPLICIT IssuerAndSerialNumber */
  add_attribute(attributes, CRYPTO_OID_ENCRYPTION_KEY_PREFERENCE, out);
}

/* RFC 5035: which certificate this is, so that no other one can be put in its place. SHA-256 is the default and
 * so not named. */
static void
add_signing_certificate(GPtrArray *attributes, CryptoCert *cert)
{
  const CERTCertificate *nss = cert->nss;
  guint8 hash[CRYPTO_CMS_DIGEST_MAX];
  g_autoptr(GByteArray) names = g_byte_array_new(), out = g_byte_array_new();
  crypto_cms_digest_bytes(crypto_cms_digest(CRYPTO_OID_SHA256), nss->derCert.data, nss->derCert.len, hash);
  crypto_ber_put(names, CRYPTO_BER_CONTEXT_CONSTRUCTED + 4, nss->derIssuer.data, nss->derIssuer.len);
  crypto_ber_wrap(names, CRYPTO_BER_SEQUENCE);
  crypto_ber_put(names, CRYPTO_BER_INTEGER, nss->serialNumber.data, nss->serialNumber.len);
  crypto_ber_put(out, CRYPTO_BER_OCTET_STRING, hash, 32);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, names);
  for (guint i = 0; i < 3; i++) /* ESSCertIDv2, the list, SigningCertificateV2 */
    crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  add_attribute(attributes, CRYPTO_OID_SIGNING_CERTIFICATE_V2, out);
}

/* The attributes as a DER SET OF, as they are signed. */
static GByteArray *
make_attributes(const Signing *job, const guint8 *content_digest)
{
  g_autoptr(GPtrArray) attributes = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_autoptr(GByteArray) type = g_byte_array_new(), hash = g_byte_array_new(), time = g_byte_array_new();
  crypto_oid_put(type, CRYPTO_OID_DATA);
  add_attribute(attributes, CRYPTO_OID_CONTENT_TYPE, type);
  crypto_ber_put(hash, CRYPTO_BER_OCTET_STRING, content_digest, job->digest->length);
  add_attribute(attributes, CRYPTO_OID_MESSAGE_DIGEST, hash);
  if (job->options->signing_time != 0) {
    crypto_ber_put_time(time, job->options->signing_time);
    add_attribute(attributes, CRYPTO_OID_SIGNING_TIME, time);
  }
  add_capabilities(attributes, job->options->encryption ? job->options->encryption : job->cert);
  if (job->options->encryption)
    add_preference(attributes, job->options->encryption);
  add_signing_certificate(attributes, job->cert);
  GByteArray *out = g_byte_array_new();
  crypto_ber_put_set(out, CRYPTO_BER_SET, attributes);
  return out;
}

/* --- the signature --- */

static void
put_signature_algorithm(GByteArray *out, const Signing *job)
{
  g_autoptr(GByteArray) parameters = g_byte_array_new(), salt = g_byte_array_new();
  switch (job->scheme) {
  case SCHEME_PKCS1:
    crypto_cms_put_null_algorithm(out,
                                  CRYPTO_OID_RSA); /* what every reader knows; the digest stands beside it */
    break;
  case SCHEME_PSS:
    crypto_ber_put_small(salt, job->digest->length);
    crypto_cms_put_rsa_parameters(parameters, job->digest);
    crypto_ber_put_array(parameters, CRYPTO_BER_CONTEXT_CONSTRUCTED + 2, salt);
    crypto_ber_wrap(parameters, CRYPTO_BER_SEQUENCE);
    crypto_cms_put_algorithm(out, CRYPTO_OID_RSA_PSS, parameters);
    break;
  case SCHEME_ECDSA:
    crypto_cms_put_algorithm(out,
                             job->digest->length == 32   ? CRYPTO_OID_SHA256_ECDSA
                             : job->digest->length == 48 ? CRYPTO_OID_SHA384_ECDSA
                                                         : CRYPTO_OID_SHA512_ECDSA,
                             NULL);
    break;
  }
}

static void
put_positive(GByteArray *out, const guint8 *data, gsize length)
{
  while (length > 1 && *data == 0) {
    data++;
    length--;
  }
  gboolean lead = (*data & 0x80) != 0;
  crypto_ber_put_header(out, CRYPTO_BER_INTEGER, length + lead);
  if (lead)
    g_byte_array_append(out, (const guint8 *)"", 1);
  g_byte_array_append(out, data, (guint)length);
}

static gboolean
sign_hash(const Signing *job, const guint8 *hash, GByteArray *out)
{
  guint8 raw[2048];
  int size = PK11_SignatureLen(job->key);
  if (size <= 0 || (gsize)size > sizeof raw)
    return FALSE;
  SECItem value = { siBuffer, raw, (unsigned)size };
  SECItem hashed = { siBuffer, (guint8 *)hash, job->digest->length };
  SECStatus status;
  if (job->scheme == SCHEME_PSS) {
    CK_RSA_PKCS_PSS_PARAMS pss = { job->digest->mechanism, job->digest->mgf, job->digest->length };
    SECItem mechanism = { siBuffer, (guint8 *)&pss, sizeof pss };
    status = PK11_SignWithMechanism(job->key, CKM_RSA_PKCS_PSS, &mechanism, &value, &hashed);
  } else if (job->scheme == SCHEME_PKCS1) {
    g_autoptr(GByteArray) info = g_byte_array_new();
    crypto_cms_put_digest(info, job->digest, TRUE);
    crypto_ber_put(info, CRYPTO_BER_OCTET_STRING, hash, job->digest->length);
    crypto_ber_wrap(info, CRYPTO_BER_SEQUENCE);
    SECItem digest_info = { siBuffer, info->data, info->len };
    status = PK11_Sign(job->key, &value, &digest_info);
  } else {
    hashed.len = MIN(hashed.len, (unsigned)size / 2); /* the leftmost bits: not every token cuts by itself */
    status = PK11_Sign(job->key, &value, &hashed);
  }
  if (status != SECSuccess || (job->scheme == SCHEME_ECDSA && (value.len < 2 || value.len % 2 != 0)))
    return FALSE;
  if (job->scheme != SCHEME_ECDSA) {
    g_byte_array_append(out, value.data, value.len);
    return TRUE;
  }
  put_positive(out, value.data, value.len / 2);
  put_positive(out, value.data + value.len / 2, value.len / 2);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  return TRUE;
}

/* SignerInfo. */
static gboolean
put_signer(GByteArray *out, const Signing *job, GBytes *content, GError **error)
{
  guint8 hash[CRYPTO_CMS_DIGEST_MAX];
  gsize length;
  gconstpointer data = g_bytes_get_data(content, &length);
  g_autoptr(GByteArray) signer = g_byte_array_new(), value = g_byte_array_new();
  crypto_ber_put_small(signer, 1);
  crypto_cms_put_id(signer, job->cert);
  crypto_cms_put_digest(signer, job->digest, FALSE); /* RFC 5754 2 */
  crypto_cms_digest_bytes(job->digest, data, length, hash);
  if (!job->options->no_attributes) {
    g_autoptr(GByteArray) attributes = make_attributes(job, hash);
    crypto_cms_digest_bytes(job->digest, attributes->data, attributes->len, hash);
    attributes->data[0] = CRYPTO_BER_CONTEXT_CONSTRUCTED;
    g_byte_array_append(signer, attributes->data, attributes->len);
  }
  put_signature_algorithm(signer, job);
  if (!sign_hash(job, hash, value)) {
    int code = PORT_GetError();
    if (job->pin && g_cancellable_set_error_if_cancelled(job->pin->cancellable, NULL))
      g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Signing was cancelled.");
    else
      crypto_token_set_failed(job->key->pkcs11Slot, code, "The signature cannot be made", error);
    return FALSE;
  }
  crypto_ber_put_array(signer, CRYPTO_BER_OCTET_STRING, value);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, signer);
  return TRUE;
}

/* The signer's certificate, the one to write to, and the chain's, each once. */
static void
put_certs(GByteArray *out, const Signing *job)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_bytes_hash, g_bytes_equal);
  g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  guint n = job->options->chain ? job->options->chain->len : 0;
  for (guint i = 0; i <= n + 1; i++) {
    CryptoCert *cert = i == 0   ? job->cert
                       : i <= n ? job->options->chain->pdata[i - 1]
                                : job->options->encryption;
    if (cert && g_hash_table_add(seen, crypto_cert_der(cert)))
      g_ptr_array_add(certs, g_bytes_ref(crypto_cert_der(cert)));
  }
  crypto_ber_put_set(out, CRYPTO_BER_CONTEXT_CONSTRUCTED, certs);
}

static GBytes *
make_signed(const Signing *job, GBytes *content, GError **error)
{
  g_autoptr(GByteArray) before = g_byte_array_new(), after = g_byte_array_new(), digests = g_byte_array_new();
  g_autoptr(GByteArray) signers = g_byte_array_new(), type = g_byte_array_new();
  gsize size = g_bytes_get_size(content), inside = job->options->detached ? 0 : size;
  crypto_ber_put_small(before, 1);
  crypto_cms_put_digest(digests, job->digest, FALSE);
  crypto_ber_put_array(before, CRYPTO_BER_SET, digests);
  crypto_oid_put(type, CRYPTO_OID_DATA);
  if (!job->options->detached) {
    gsize octets = crypto_ber_header_size(size) + size;
    crypto_ber_put_header(before, CRYPTO_BER_SEQUENCE, type->len + crypto_ber_header_size(octets) + octets);
    g_byte_array_append(before, type->data, type->len);
    crypto_ber_put_header(before, CRYPTO_BER_CONTEXT_CONSTRUCTED, octets);
    crypto_ber_put_header(before, CRYPTO_BER_OCTET_STRING, size);
  } else {
    crypto_ber_put_array(before, CRYPTO_BER_SEQUENCE, type);
  }
  put_certs(after, job);
  if (!put_signer(signers, job, content, error))
    return NULL;
  crypto_ber_put_array(after, CRYPTO_BER_SET, signers);
  g_autoptr(GByteArray) head = crypto_cms_head(CRYPTO_OID_SIGNED_DATA, before, inside + after->len);
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  if (!crypto_spool_add(spool, head->data, head->len, error))
    return NULL;
  for (const guint8 *data = g_bytes_get_data(content, NULL); inside > 0;) {
    gsize part = MIN(inside, (gsize)1 << 20);
    if (!crypto_spool_add(spool, data, part, error))
      return NULL;
    crypto_mapping_release(data, data + part);
    data += part;
    inside -= part;
  }
  return crypto_spool_add(spool, after->data, after->len, error) ? crypto_spool_finish(spool, error) : NULL;
}

/* A signature that nobody can verify must not leave: some tokens and some key types make them without a word. */
static gboolean
check_made(const Signing *job, GBytes *made, GBytes *content, GError **error)
{
  g_autoptr(CryptoCms) cms = crypto_cms_parse(made, NULL);
  g_autoptr(GPtrArray) signers =
      cms ? crypto_cms_verify(cms, job->options->detached ? content : NULL, NULL, NULL) : NULL;
  const CryptoSigner *signer = signers && signers->len == 1 ? signers->pdata[0] : NULL;
  if (signer && signer->state == CRYPTO_SIGNATURE_INTACT &&
      g_bytes_equal(crypto_cert_der(signer->cert), crypto_cert_der(job->cert)))
    return TRUE;
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
              "The signature that was just made does not verify, so it is not used. The private key may not "
              "belong to "
              "the certificate of %s; try another certificate.",
              crypto_cert_common_name(job->cert));
  return FALSE;
}

const char *
crypto_cms_sign_digest(CryptoCert *cert, const char *wanted)
{
  const char *key = crypto_cert_key_name(cert);
  if (wanted)
    return wanted;
  return strcmp(key, "EC P-384") == 0 ? "sha384" : strcmp(key, "EC P-521") == 0 ? "sha512" : "sha256";
}

static gboolean
prepare(Signing *job, GError **error)
{
  const char *name = crypto_cms_sign_digest(job->cert, job->options->digest);
  job->digest = crypto_cms_digest_named(name);
  if (!job->digest) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The digest %s is not supported here. Use sha256, sha384 or sha512.", name);
    return FALSE;
  }
  if (job->digest->length < 32) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "%s is too weak to sign with. Use sha256, sha384 or sha512.", job->digest->title);
    return FALSE;
  }
  const SECAlgorithmID *algorithm = &job->cert->nss->subjectPublicKeyInfo.algorithm;
  switch (SECOID_GetAlgorithmTag(algorithm)) {
  case SEC_OID_PKCS1_RSA_ENCRYPTION:
    job->scheme = job->options->pss ? SCHEME_PSS : SCHEME_PKCS1;
    return TRUE;
  case SEC_OID_PKCS1_RSA_PSS_SIGNATURE:
    job->scheme = SCHEME_PSS;
    return TRUE;
  case SEC_OID_ANSIX962_EC_PUBLIC_KEY:
    job->scheme = SCHEME_ECDSA;
    return TRUE;
  default:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "Signing with a key of this kind (%s) is not supported here. Use a certificate with an RSA "
                "or EC key.",
                crypto_cert_key_name(job->cert));
    return FALSE;
  }
}

GBytes *
crypto_cms_sign(GBytes *content, CryptoCert *cert, const CryptoSignOptions *options, CryptoPinSource *pin,
                GError **error)
{
  Signing job = { .cert = cert, .pin = pin, .options = options };
  if (g_bytes_get_size(content) > G_MAXINT32 / 2) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                        "The message is too large to be signed (over 1 GiB).");
    return NULL;
  }
  if (!prepare(&job, error))
    return NULL;
  job.key = crypto_cards_open(cert, pin, error);
  if (!job.key)
    return NULL;
  CryptoKeyUsing using;
  g_autoptr(GError) failed = NULL;
  if (!crypto_keyuse_begin(&using, CRYPTO_KEY_SIGN, cert, job.key, NULL, NULL, error)) {
    SECKEY_DestroyPrivateKey(job.key);
    return NULL;
  }
  g_autoptr(GBytes) made = make_signed(&job, content, &failed);
  SECKEY_DestroyPrivateKey(job.key);
  if (made && !check_made(&job, made, content, &failed))
    g_clear_pointer(&made, g_bytes_unref);
  return crypto_keyuse_end(&using, g_steal_pointer(&failed), error) ? g_steal_pointer(&made) : NULL;
}
