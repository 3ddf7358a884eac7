#include "crypto/cms-private.h"

#include <sechash.h>
#include <string.h>

#include "crypto/mapping.h"

/* What we can do, as tables. MD2 and MD4 are left out on purpose: nothing signed with them can be believed. */

static const CryptoCmsDigest digests[] = {
  { CRYPTO_OID_MD5, "md5", "MD5", HASH_AlgMD5, CKM_MD5, 0, 16, TRUE },
  { CRYPTO_OID_SHA1, "sha1", "SHA-1", HASH_AlgSHA1, CKM_SHA_1, CKG_MGF1_SHA1, 20, TRUE },
  { CRYPTO_OID_SHA224, "sha224", "SHA-224", HASH_AlgSHA224, CKM_SHA224, CKG_MGF1_SHA224, 28, FALSE },
  { CRYPTO_OID_SHA256, "sha256", "SHA-256", HASH_AlgSHA256, CKM_SHA256, CKG_MGF1_SHA256, 32, FALSE },
  { CRYPTO_OID_SHA384, "sha384", "SHA-384", HASH_AlgSHA384, CKM_SHA384, CKG_MGF1_SHA384, 48, FALSE },
  { CRYPTO_OID_SHA512, "sha512", "SHA-512", HASH_AlgSHA512, CKM_SHA512, CKG_MGF1_SHA512, 64, FALSE },
};

const CryptoCmsDigest *
crypto_cms_digest(CryptoOid oid)
{
  for (guint i = 0; i < G_N_ELEMENTS(digests); i++)
    if (digests[i].oid == oid)
      return &digests[i];
  return NULL;
}

const CryptoCmsDigest *
crypto_cms_digest_named(const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS(digests); i++)
    if (strcmp(digests[i].name, name) == 0)
      return &digests[i];
  return NULL;
}

void
crypto_cms_digest_bytes(const CryptoCmsDigest *digest, gconstpointer data, gsize length, guint8 *result)
{
  HASHContext *context = HASH_Create(digest->hash);
  g_assert(context != NULL); /* no memory, or NSS is closed */
  HASH_Begin(context);
  for (const guint8 *at = data; length > 0;) {
    PRUint32 part = (PRUint32)MIN(length, 1u << 20);
    HASH_Update(context, at, part);
    crypto_mapping_release(at, at + part);
    at += part;
    length -= part;
  }
  unsigned got = 0;
  HASH_End(context, result, &got, CRYPTO_CMS_DIGEST_MAX);
  HASH_Destroy(context);
}

void
crypto_cms_put_digest(GByteArray *out, const CryptoCmsDigest *digest, gboolean with_null)
{
  g_autoptr(GByteArray) algorithm = g_byte_array_new();
  crypto_oid_put(algorithm, digest->oid);
  if (with_null)
    crypto_ber_put(algorithm, CRYPTO_BER_NULL, NULL, 0);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, algorithm);
}

/* --- parameters of RSASSA-PSS and RSAES-OAEP --- */

/* A digest AlgorithmIdentifier whose parameters are absent or NULL. */
static const CryptoCmsDigest *
read_digest(const CryptoBerItem *item, char **unknown)
{
  CryptoCmsAlgorithm algorithm;
  if (item->tag != CRYPTO_BER_SEQUENCE || !crypto_cms_read_algorithm(item, &algorithm) ||
      (algorithm.parameters.tag != 0 && algorithm.parameters.tag != CRYPTO_BER_NULL))
    return NULL;
  const CryptoCmsDigest *digest = crypto_cms_digest(algorithm.oid);
  if (!digest && !*unknown)
    *unknown = crypto_oid_describe(&algorithm.name);
  return digest;
}

static const CryptoCmsDigest *
read_mgf(const CryptoBerItem *item, char **unknown)
{
  CryptoCmsAlgorithm algorithm;
  if (item->tag != CRYPTO_BER_SEQUENCE || !crypto_cms_read_algorithm(item, &algorithm))
    return NULL;
  if (algorithm.oid != CRYPTO_OID_MGF1) {
    if (!*unknown)
      *unknown = crypto_oid_describe(&algorithm.name);
    return NULL;
  }
  const CryptoCmsDigest *digest = read_digest(&algorithm.parameters, unknown);
  return digest && digest->mgf != 0 ? digest : NULL;
}

/* The fields [0] to [3], each in an explicit wrapper, each optional, in this order. */
static gboolean
split_fields(const CryptoBerItem *item, CryptoBerItem fields[4])
{
  memset(fields, 0, 4 * sizeof *fields);
  if (item->tag != CRYPTO_BER_SEQUENCE)
    return FALSE;
  CryptoBerReader inside = crypto_ber_enter(item);
  for (guint8 number = 0; number < 4; number++) {
    CryptoBerItem wrapper;
    if (crypto_ber_peek(&inside) != CRYPTO_BER_CONTEXT_CONSTRUCTED + number)
      continue;
    if (!crypto_ber_next(&inside, &wrapper))
      return FALSE;
    CryptoBerReader explicit = crypto_ber_enter(&wrapper);
    if (!crypto_ber_next(&explicit, &fields[number]) || !crypto_ber_at_end(&explicit))
      return FALSE;
  }
  return crypto_ber_at_end(&inside);
}

gboolean
crypto_cms_read_pss(const CryptoBerItem *item, CryptoCmsRsaParameters *parameters, char **unknown)
{
  CryptoBerItem fields[4];
  const CryptoCmsDigest *sha1 = crypto_cms_digest(CRYPTO_OID_SHA1);
  *unknown = NULL;
  *parameters = (CryptoCmsRsaParameters){ .digest = sha1, .mgf = sha1, .salt = 20 };
  if (!split_fields(item, fields))
    return FALSE;
  if (fields[0].tag != 0)
    parameters->digest = read_digest(&fields[0], unknown);
  if (fields[1].tag != 0)
    parameters->mgf = read_mgf(&fields[1], unknown);
  if (fields[2].tag != 0)
    parameters->salt = crypto_ber_small(&fields[2]);
  return parameters->digest && parameters->mgf && parameters->salt >= 0 && parameters->salt <= 2048 &&
         (fields[3].tag == 0 || crypto_ber_small(&fields[3]) == 1); /* the trailer 0xbc */
}

gboolean
crypto_cms_read_oaep(const CryptoBerItem *item, CryptoCmsRsaParameters *parameters, char **unknown)
{
  CryptoBerItem fields[4];
  const CryptoCmsDigest *sha1 = crypto_cms_digest(CRYPTO_OID_SHA1);
  *unknown = NULL;
  *parameters = (CryptoCmsRsaParameters){ .digest = sha1, .mgf = sha1 };
  if (item->tag == 0 || item->tag == CRYPTO_BER_NULL)
    return TRUE; /* everything by default: RFC 8017 wants an empty SEQUENCE, some leave it out */
  if (!split_fields(item, fields) || fields[3].tag != 0)
    return FALSE;
  if (fields[0].tag != 0)
    parameters->digest = read_digest(&fields[0], unknown);
  if (fields[1].tag != 0)
    parameters->mgf = read_mgf(&fields[1], unknown);
  if (!parameters->digest || !parameters->mgf)
    return FALSE;
  if (fields[2].tag != 0) {
    CryptoCmsAlgorithm source;
    if (fields[2].tag != CRYPTO_BER_SEQUENCE || !crypto_cms_read_algorithm(&fields[2], &source) ||
        source.oid != CRYPTO_OID_P_SPECIFIED || source.parameters.tag != CRYPTO_BER_OCTET_STRING)
      return FALSE;
    parameters->label = source.parameters.data;
    parameters->label_length = source.parameters.length;
  }
  return TRUE;
}

/* --- content encryption --- */

static const CryptoCmsCipher ciphers[] = {
  { CRYPTO_OID_AES128_CBC, "aes-128-cbc", 16, 16, CKM_AES_CBC, FALSE, FALSE },
  { CRYPTO_OID_AES192_CBC, "aes-192-cbc", 24, 16, CKM_AES_CBC, FALSE, FALSE },
  { CRYPTO_OID_AES256_CBC, "aes-256-cbc", 32, 16, CKM_AES_CBC, FALSE, FALSE },
  { CRYPTO_OID_AES128_GCM, "aes-128-gcm", 16, 0, CKM_AES_GCM, FALSE, FALSE },
  { CRYPTO_OID_AES192_GCM, "aes-192-gcm", 24, 0, CKM_AES_GCM, FALSE, FALSE },
  { CRYPTO_OID_AES256_GCM, "aes-256-gcm", 32, 0, CKM_AES_GCM, FALSE, FALSE },
  { CRYPTO_OID_TDES_CBC, "des-ede3-cbc", 24, 8, CKM_DES3_CBC, TRUE, FALSE },
  { CRYPTO_OID_DES_CBC, "des-cbc", 8, 8, CKM_DES_CBC, FALSE, TRUE },
};

/* RC2 by its effective bits: the number in its parameters is a code (RFC 2268 6). */
static const struct {
  int version;
  CryptoCmsCipher cipher;
} rc2[] = {
  { 160, { CRYPTO_OID_RC2_CBC, "rc2-40-cbc", 5, 8, CKM_RC2_CBC, FALSE, TRUE } },
  { 120, { CRYPTO_OID_RC2_CBC, "rc2-64-cbc", 8, 8, CKM_RC2_CBC, FALSE, TRUE } },
  { 58, { CRYPTO_OID_RC2_CBC, "rc2-128-cbc", 16, 8, CKM_RC2_CBC, TRUE, FALSE } },
};
static const CryptoCmsCipher rc2_other = { CRYPTO_OID_RC2_CBC, "rc2-cbc", 4, 8, CKM_RC2_CBC, FALSE, TRUE };

static const CryptoCmsCipher *
rc2_cipher(const CryptoBerItem *parameters)
{
  if (parameters->tag != CRYPTO_BER_SEQUENCE)
    return &rc2_other;
  CryptoBerReader inside = crypto_ber_enter(parameters);
  CryptoBerItem version;
  if (!crypto_ber_expect(&inside, CRYPTO_BER_INTEGER, &version))
    return &rc2_other;
  for (guint i = 0; i < G_N_ELEMENTS(rc2); i++)
    if (rc2[i].version == crypto_ber_small(&version))
      return &rc2[i].cipher;
  return &rc2_other;
}

const CryptoCmsCipher *
crypto_cms_cipher(const CryptoCmsAlgorithm *algorithm)
{
  if (algorithm->oid == CRYPTO_OID_RC2_CBC)
    return rc2_cipher(&algorithm->parameters);
  for (guint i = 0; i < G_N_ELEMENTS(ciphers); i++)
    if (ciphers[i].oid == algorithm->oid)
      return &ciphers[i];
  return NULL;
}

char *
crypto_cms_cipher_name(const CryptoCmsAlgorithm *algorithm)
{
  const CryptoCmsCipher *cipher = crypto_cms_cipher(algorithm);
  return cipher ? g_strdup(cipher->name) : crypto_oid_describe(&algorithm->name);
}
