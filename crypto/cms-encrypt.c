#include "crypto/cms-write.h"

#include <pk11pub.h>
#include <secerr.h>
#include <string.h>

#include "crypto/cms-private.h"
#include "crypto/mapping.h"

/* EnvelopedData and AuthEnvelopedData. Only public keys and fresh random ones are used: nobody is asked. */

static const CryptoOid ciphers[] = {
  [CRYPTO_CIPHER_AES128_CBC] = CRYPTO_OID_AES128_CBC, [CRYPTO_CIPHER_AES256_CBC] = CRYPTO_OID_AES256_CBC,
  [CRYPTO_CIPHER_AES128_GCM] = CRYPTO_OID_AES128_GCM, [CRYPTO_CIPHER_AES256_GCM] = CRYPTO_OID_AES256_GCM,
  [CRYPTO_CIPHER_3DES_CBC] = CRYPTO_OID_TDES_CBC,
};

enum { TAG = 16, NONCE = 12, KEY_MAX = 32 };

enum { RUN = 64 * 1024, RELEASE_STEP = 1024 * 1024 };

typedef struct {
  const CryptoCmsCipher *cipher;
  guint8 key[KEY_MAX];
  guint8 iv[16];
  guint iv_length;
  gboolean agreement; /* at least one recipient has an EC key */
  GPtrArray *content; /* of GBytes */
  gsize size;         /* of all of it */
  CryptoSinkFunc sink;
  gpointer sink_data;
} Sealing;

static gboolean
cannot(GError **error, CryptoCert *cert)
{
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
              "The message cannot be encrypted to %s: a key of this kind (%s) is not supported here.",
              crypto_cert_common_name(cert), crypto_cert_key_name(cert));
  return FALSE;
}

static gboolean
nss_failed(GError **error)
{
  crypto_error_set_nss(error, PORT_GetError(), "The message cannot be encrypted");
  return FALSE;
}

static PK11SymKey *
import_key(CK_MECHANISM_TYPE mechanism, CK_ATTRIBUTE_TYPE operation, const Sealing *job)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECItem item = { siBuffer, (guint8 *)job->key, job->cipher->key_length };
  PK11SymKey *key = PK11_ImportSymKey(slot, mechanism, PK11_OriginUnwrap, operation, &item, NULL);
  PK11_FreeSlot(slot);
  return key;
}

/* --- recipients --- */

static GBytes *
transport(const Sealing *job, CryptoCert *cert, gboolean with_oaep, SECKEYPublicKey *key, GError **error)
{
  const CryptoCmsDigest *digest = crypto_cms_digest(CRYPTO_OID_SHA256);
  guint8 sealed[2048];
  unsigned length = SECKEY_PublicKeyStrength(key);
  g_autoptr(GByteArray) out = g_byte_array_new(), parameters = g_byte_array_new();
  if (length > sizeof sealed) {
    cannot(error, cert);
    return NULL;
  }
  crypto_ber_put_small(out, 0);
  crypto_cms_put_id(out, cert);
  SECStatus status;
  if (with_oaep) {
    CK_RSA_PKCS_OAEP_PARAMS oaep = { digest->mechanism, digest->mgf, CKZ_DATA_SPECIFIED, NULL, 0 };
    SECItem mechanism = { siBuffer, (guint8 *)&oaep, sizeof oaep };
    status = PK11_PubEncrypt(key, CKM_RSA_PKCS_OAEP, &mechanism, sealed, &length, sizeof sealed, job->key,
                             job->cipher->key_length, NULL);
    crypto_cms_put_rsa_parameters(parameters, digest);
    crypto_ber_wrap(parameters, CRYPTO_BER_SEQUENCE);
    crypto_cms_put_algorithm(out, CRYPTO_OID_RSA_OAEP, parameters);
  } else {
    status = PK11_PubEncryptPKCS1(key, sealed, (guint8 *)job->key, job->cipher->key_length, NULL);
    crypto_cms_put_null_algorithm(out, CRYPTO_OID_RSA);
  }
  if (status != SECSuccess) {
    nss_failed(error);
    return NULL;
  }
  crypto_ber_put(out, CRYPTO_BER_OCTET_STRING, sealed, length);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

/* The derivation and the wrap that go with a key's strength (RFC 5753 8, RFC 8551 2.3). */
typedef struct {
  CryptoOid scheme, wrap;
  CK_ULONG kdf;
  guint wrap_length;
} Agreement;

static Agreement
choose_agreement(unsigned bits, guint key_length)
{
  Agreement chosen = { CRYPTO_OID_ECDH_STD_SHA256, CRYPTO_OID_AES128_WRAP, CKD_SHA256_KDF, 16 };
  if (bits > 384) {
    chosen.scheme = CRYPTO_OID_ECDH_STD_SHA512;
    chosen.kdf = CKD_SHA512_KDF;
  } else if (bits > 256) {
    chosen.scheme = CRYPTO_OID_ECDH_STD_SHA384;
    chosen.kdf = CKD_SHA384_KDF;
  }
  if (bits > 256 || key_length > 16) {
    chosen.wrap = CRYPTO_OID_AES256_WRAP;
    chosen.wrap_length = 32;
  }
  return chosen;
}

/* @info: the encoded KeyWrapAlgorithm. The content key, wrapped for @key; FALSE: NSS says why. */
static gboolean
wrap_key(const Sealing *job, const Agreement *chosen, const GByteArray *wrap, SECKEYPrivateKey *ephemeral,
         SECKEYPublicKey *key, guint8 *wrapped, unsigned *length)
{
  CryptoBerReader reader = crypto_ber_reader(wrap->data, wrap->len);
  CryptoBerItem item;
  if (!crypto_ber_next(&reader, &item))
    return FALSE;
  g_autoptr(GByteArray) info = crypto_cms_shared_info(&item, NULL, chosen->wrap_length);
  SECItem shared = { siBuffer, info->data, info->len }, out = { siBuffer, wrapped, *length };
  PK11SymKey *kek =
      PK11_PubDeriveWithKDF(ephemeral, key, PR_TRUE, NULL, NULL, CKM_ECDH1_DERIVE, CKM_NSS_AES_KEY_WRAP,
                            CKA_WRAP, (int)chosen->wrap_length, chosen->kdf, &shared, NULL);
  PK11SymKey *content = import_key(CKM_SHA256_HMAC, CKA_SIGN, job);
  gboolean good =
      kek && content && PK11_WrapSymKey(CKM_NSS_AES_KEY_WRAP, NULL, kek, content, &out) == SECSuccess;
  *length = out.len;
  if (kek)
    PK11_FreeSymKey(kek);
  if (content)
    PK11_FreeSymKey(content);
  return good;
}

/* [0] EXPLICIT { [1] OriginatorPublicKey } with absent parameters (RFC 5753 3.1.1). */
static void
put_originator(GByteArray *out, const SECKEYPublicKey *key)
{
  g_autoptr(GByteArray) originator = g_byte_array_new();
  crypto_cms_put_algorithm(originator, CRYPTO_OID_EC_PUBLIC_KEY, NULL);
  crypto_ber_put_header(originator, CRYPTO_BER_BIT_STRING, key->u.ec.publicValue.len + 1);
  g_byte_array_append(originator, (const guint8 *)"", 1);
  g_byte_array_append(originator, key->u.ec.publicValue.data, key->u.ec.publicValue.len);
  crypto_ber_wrap(originator, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED, originator);
}

static GBytes *
agreement(const Sealing *job, CryptoCert *cert, SECKEYPublicKey *key, GError **error)
{
  SECKEYPublicKey *ephemeral_public = NULL;
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECKEYPrivateKey *ephemeral = PK11_GenerateKeyPairWithOpFlags(
      slot, CKM_EC_KEY_PAIR_GEN, &key->u.ec.DEREncodedParams, &ephemeral_public,
      PK11_ATTR_SESSION | PK11_ATTR_INSENSITIVE | PK11_ATTR_PUBLIC, CKF_DERIVE, CKF_DERIVE, NULL);
  PK11_FreeSlot(slot);
  if (!ephemeral) {
    cannot(error, cert); /* a curve that NSS does not have */
    return NULL;
  }
  Agreement chosen = choose_agreement(SECKEY_PublicKeyStrengthInBits(key), job->cipher->key_length);
  guint8 wrapped[KEY_MAX + 16];
  unsigned length = sizeof wrapped;
  g_autoptr(GByteArray) out = g_byte_array_new(), wrap = g_byte_array_new(), recipient = g_byte_array_new();
  crypto_cms_put_algorithm(wrap, chosen.wrap, NULL);
  gboolean good = wrap_key(job, &chosen, wrap, ephemeral, key, wrapped, &length);
  crypto_ber_put_small(out, 3);
  put_originator(out, ephemeral_public);
  crypto_cms_put_algorithm(out, chosen.scheme, wrap);
  crypto_cms_put_id(recipient, cert);
  crypto_ber_put(recipient, CRYPTO_BER_OCTET_STRING, wrapped, length);
  crypto_ber_wrap(recipient, CRYPTO_BER_SEQUENCE);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, recipient);
  crypto_ber_wrap(out, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1);
  SECKEY_DestroyPrivateKey(ephemeral);
  SECKEY_DestroyPublicKey(ephemeral_public);
  if (good)
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
  nss_failed(error);
  return NULL;
}

static GBytes *
make_recipient(Sealing *job, const CryptoCmsTo *to, GError **error)
{
  CryptoCert *cert = to->cert;
  SECKEYPublicKey *key = CERT_ExtractPublicKey(cert->nss);
  SECOidTag tag = SECOID_GetAlgorithmTag(&cert->nss->subjectPublicKeyInfo.algorithm);
  GBytes *made = NULL;
  if (key && tag == SEC_OID_PKCS1_RSA_ENCRYPTION) {
    made = transport(job, cert, to->oaep, key, error);
  } else if (key && tag == SEC_OID_ANSIX962_EC_PUBLIC_KEY) {
    job->agreement = TRUE;
    made = agreement(job, cert, key, error);
  } else {
    cannot(error, cert);
  }
  if (key)
    SECKEY_DestroyPublicKey(key);
  return made;
}

/* --- content --- */

typedef struct {
  const Sealing *job;
  PK11Context *context;
  guint8 rest[16]; /* of a block that is not full yet */
  guint n_rest;
  guint8 sealed[RUN];
  GError **error;
} CbcRun;

static gboolean
cbc_feed(CbcRun *run, const guint8 *data, gsize length)
{
  while (length > 0) {
    int part = (int)MIN(length, (gsize)RUN), got = 0;
    if (PK11_CipherOp(run->context, run->sealed, &got, RUN, data, part) != SECSuccess || got != part)
      return nss_failed(run->error);
    if (!run->job->sink(run->sealed, (gsize)got, run->job->sink_data, run->error))
      return FALSE;
    data += part;
    length -= (gsize)part;
  }
  return TRUE;
}

static gboolean
cbc_part(CbcRun *run, const guint8 *data, gsize length)
{
  guint block = run->job->cipher->block;
  if (run->n_rest > 0) {
    guint part = (guint)MIN(length, (gsize)(block - run->n_rest));
    memcpy(run->rest + run->n_rest, data, part);
    run->n_rest += part;
    data += part;
    length -= part;
    if (run->n_rest < block)
      return TRUE;
    run->n_rest = 0;
    if (!cbc_feed(run, run->rest, block))
      return FALSE;
  }
  for (gsize whole = length - length % block; whole > 0;) {
    gsize part = MIN(whole, (gsize)RELEASE_STEP);
    if (!cbc_feed(run, data, part))
      return FALSE;
    crypto_mapping_release(data, data + part);
    data += part;
    length -= part;
    whole -= part;
  }
  if (length > 0)
    memcpy(run->rest, data, length);
  run->n_rest = (guint)length;
  return TRUE;
}

static gboolean
encrypt_cbc(const Sealing *job, GError **error)
{
  CbcRun *run = g_new0(CbcRun, 1);
  SECItem iv = { siBuffer, (guint8 *)job->iv, job->iv_length };
  PK11SymKey *key = import_key(job->cipher->mechanism, CKA_ENCRYPT, job);
  run->job = job;
  run->error = error;
  run->context = key ? PK11_CreateContextBySymKey(job->cipher->mechanism, CKA_ENCRYPT, key, &iv) : NULL;
  gboolean good = run->context || nss_failed(error);
  for (guint i = 0; good && i < job->content->len; i++) {
    gsize length;
    const guint8 *data = g_bytes_get_data(job->content->pdata[i], &length);
    good = cbc_part(run, data, length);
  }
  guint pad = job->cipher->block - run->n_rest;
  memset(run->rest + run->n_rest, (int)pad, pad); /* RFC 5652 6.3 */
  good = good && cbc_feed(run, run->rest, job->cipher->block);
  if (run->context)
    PK11_DestroyContext(run->context, PR_TRUE);
  if (key)
    PK11_FreeSymKey(key);
  explicit_bzero(run->rest, sizeof run->rest);
  g_free(run);
  return good;
}

typedef struct {
  const Sealing *job;
  GError **error;
} GcmRun;

static gboolean
give_sealed(const guint8 *data, gsize length, gpointer user_data)
{
  GcmRun *run = user_data;
  return run->job->sink(data, length, run->job->sink_data, run->error);
}

static gboolean
encrypt_gcm(const Sealing *job, GError **error)
{
  GError *sunk = NULL;
  GcmRun run = { job, &sunk };
  const CryptoCmsGcm what = { .key = job->key,
                              .key_length = job->cipher->key_length,
                              .iv = job->iv,
                              .iv_length = job->iv_length,
                              .length = job->size };
  guint8 mac[2 + TAG] = { CRYPTO_BER_OCTET_STRING, TAG };
  if (crypto_cms_gcm_seal(&what, job->content, give_sealed, &run, mac + 2))
    return job->sink(mac, sizeof mac, job->sink_data, error);
  if (!sunk)
    return nss_failed(error);
  g_propagate_error(error, sunk);
  return FALSE;
}

/* EncryptedContentInfo up to where the ciphertext begins. */
static void
put_content_header(GByteArray *out, const Sealing *job, gsize length)
{
  g_autoptr(GByteArray) head = g_byte_array_new(), parameters = g_byte_array_new();
  crypto_ber_put(parameters, CRYPTO_BER_OCTET_STRING, job->iv, job->iv_length);
  if (job->cipher->block == 0) {
    crypto_ber_put_small(parameters, TAG);
    crypto_ber_wrap(parameters, CRYPTO_BER_SEQUENCE);
  }
  crypto_oid_put(head, CRYPTO_OID_DATA);
  crypto_cms_put_algorithm(head, job->cipher->oid, parameters);
  crypto_ber_put_header(head, CRYPTO_BER_CONTEXT, length);
  crypto_ber_put_header(out, CRYPTO_BER_SEQUENCE, head->len + length);
  g_byte_array_append(out, head->data, head->len);
}

static gboolean
seal(Sealing *job, const GArray *recipients, GError **error)
{
  gboolean gcm = job->cipher->block == 0;
  gsize sealed = gcm ? job->size : job->size - job->size % job->cipher->block + job->cipher->block;
  g_autoptr(GByteArray) before = g_byte_array_new();
  g_autoptr(GPtrArray) infos = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  for (guint i = 0; i < recipients->len; i++) {
    GBytes *info = make_recipient(job, &g_array_index(recipients, CryptoCmsTo, i), error);
    if (!info)
      return FALSE;
    g_ptr_array_add(infos, info);
  }
  crypto_ber_put_small(before, !gcm && job->agreement ? 2 : 0);
  crypto_ber_put_set(before, CRYPTO_BER_SET, infos);
  put_content_header(before, job, sealed);
  g_autoptr(GByteArray) head =
      crypto_cms_head(gcm ? CRYPTO_OID_AUTH_ENVELOPED_DATA : CRYPTO_OID_ENVELOPED_DATA, before,
                      gcm ? sealed + 2 + TAG : sealed);
  return job->sink(head->data, head->len, job->sink_data, error) &&
         (gcm ? encrypt_gcm(job, error) : encrypt_cbc(job, error));
}

/* DES keys carry an odd number of set bits in each octet. */
static void
set_parity(guint8 *key, guint length)
{
  for (guint i = 0; i < length; i++)
    key[i] = (guint8)((key[i] & 0xfe) | !(__builtin_popcount(key[i] & 0xfe) & 1));
}

gboolean
crypto_cms_encrypt_to(GPtrArray *content, const GArray *recipients, CryptoCipher cipher, CryptoSinkFunc sink,
                      gpointer user_data, GError **error)
{
  CryptoCmsAlgorithm algorithm = { .oid = ciphers[cipher] };
  Sealing job = {
    .cipher = crypto_cms_cipher(&algorithm), .content = content, .sink = sink, .sink_data = user_data
  };
  if (recipients->len == 0 || recipients->len > CRYPTO_CMS_RECIPIENTS_MAX) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                        recipients->len == 0
                            ? "There is no recipient to encrypt the message to."
                            : "The message has more than 1,000 recipients. Send it in several parts.");
    return FALSE;
  }
  for (guint i = 0; i < content->len && job.size <= G_MAXINT32 / 2; i++)
    job.size += g_bytes_get_size(content->pdata[i]);
  if (job.size > G_MAXINT32 / 2) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                        "The message is too large to be encrypted (over 1 GiB).");
    return FALSE;
  }
  job.iv_length = job.cipher->block == 0 ? NONCE : job.cipher->block;
  gboolean good = FALSE;
  if (PK11_GenerateRandom(job.key, (int)job.cipher->key_length) != SECSuccess ||
      PK11_GenerateRandom(job.iv, (int)job.iv_length) != SECSuccess) {
    nss_failed(error);
  } else {
    if (job.cipher->oid == CRYPTO_OID_TDES_CBC)
      set_parity(job.key, job.cipher->key_length);
    good = seal(&job, recipients, error);
  }
  explicit_bzero(job.key, sizeof job.key);
  return good;
}

static gboolean
append(const guint8 *data, gsize length, gpointer user_data, GError **error)
{
  g_byte_array_append(user_data, data, (guint)length);
  return TRUE;
}

GBytes *
crypto_cms_encrypt(GBytes *content, GPtrArray *recipients, CryptoCipher cipher, gboolean oaep, GError **error)
{
  g_autoptr(GArray) to = g_array_new(FALSE, FALSE, sizeof(CryptoCmsTo));
  g_autoptr(GPtrArray) parts = g_ptr_array_new();
  g_autoptr(GByteArray) out = g_byte_array_new();
  g_ptr_array_add(parts, content);
  for (guint i = 0; i < recipients->len; i++)
    g_array_append_val(to, ((CryptoCmsTo){ recipients->pdata[i], oaep }));
  if (!crypto_cms_encrypt_to(parts, to, cipher, append, out, error))
    return NULL;
  return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
