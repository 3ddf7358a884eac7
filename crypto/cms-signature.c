#include "crypto/cms-private.h"

#include <cryptohi.h>
#include <pk11pub.h>
#include <secerr.h>
#include <string.h>

/* One signature value against one public key, on NSS's raw operations: what NSS's policy thinks of a digest is
 * left out on purpose, so that "intact but weak" can be told from "forged". */

typedef enum { SCHEME_PKCS1, SCHEME_PSS, SCHEME_ECDSA, SCHEME_DSA } Scheme;

static const struct {
  CryptoOid oid;
  Scheme scheme;
  CryptoOid digest; /* UNKNOWN: the SignerInfo's own */
} algorithms[] = {
  { CRYPTO_OID_RSA, SCHEME_PKCS1, CRYPTO_OID_UNKNOWN },
  { CRYPTO_OID_MD5_RSA, SCHEME_PKCS1, CRYPTO_OID_MD5 },
  { CRYPTO_OID_SHA1_RSA, SCHEME_PKCS1, CRYPTO_OID_SHA1 },
  { CRYPTO_OID_SHA1_RSA_OIW, SCHEME_PKCS1, CRYPTO_OID_SHA1 },
  { CRYPTO_OID_SHA224_RSA, SCHEME_PKCS1, CRYPTO_OID_SHA224 },
  { CRYPTO_OID_SHA256_RSA, SCHEME_PKCS1, CRYPTO_OID_SHA256 },
  { CRYPTO_OID_SHA384_RSA, SCHEME_PKCS1, CRYPTO_OID_SHA384 },
  { CRYPTO_OID_SHA512_RSA, SCHEME_PKCS1, CRYPTO_OID_SHA512 },
  { CRYPTO_OID_RSA_PSS, SCHEME_PSS, CRYPTO_OID_UNKNOWN },
  { CRYPTO_OID_EC_PUBLIC_KEY, SCHEME_ECDSA, CRYPTO_OID_UNKNOWN }, /* some write this for the algorithm */
  { CRYPTO_OID_SHA1_ECDSA, SCHEME_ECDSA, CRYPTO_OID_SHA1 },
  { CRYPTO_OID_SHA224_ECDSA, SCHEME_ECDSA, CRYPTO_OID_SHA224 },
  { CRYPTO_OID_SHA256_ECDSA, SCHEME_ECDSA, CRYPTO_OID_SHA256 },
  { CRYPTO_OID_SHA384_ECDSA, SCHEME_ECDSA, CRYPTO_OID_SHA384 },
  { CRYPTO_OID_SHA512_ECDSA, SCHEME_ECDSA, CRYPTO_OID_SHA512 },
  { CRYPTO_OID_DSA, SCHEME_DSA, CRYPTO_OID_UNKNOWN },
  { CRYPTO_OID_SHA1_DSA, SCHEME_DSA, CRYPTO_OID_SHA1 },
  { CRYPTO_OID_SHA224_DSA, SCHEME_DSA, CRYPTO_OID_SHA224 },
  { CRYPTO_OID_SHA256_DSA, SCHEME_DSA, CRYPTO_OID_SHA256 },
};
static const char *const scheme_names[] = { "RSA", "RSA-PSS", "ECDSA", "DSA" };

static int
find_algorithm(CryptoOid oid)
{
  for (guint i = 0; i < G_N_ELEMENTS(algorithms); i++)
    if (algorithms[i].oid == oid)
      return (int)i;
  return -1;
}

const char *
crypto_cms_signature_name(const CryptoCmsAlgorithm *algorithm)
{
  int index = find_algorithm(algorithm->oid);
  return index < 0 ? NULL : scheme_names[algorithms[index].scheme];
}

static CryptoSignatureState
forged(char **reason)
{
  *reason = g_strdup("The signature was not made with the signer's key, or was damaged: it proves nothing.");
  return CRYPTO_SIGNATURE_FORGED;
}

static CryptoSignatureState
breaks_rule(char **reason, const char *rule)
{
  *reason = g_strdup_printf("The signature breaks a rule: %s. It proves nothing.", rule);
  return CRYPTO_SIGNATURE_FORGED;
}

static CryptoSignatureState
unsupported(char **reason, const char *what, const char *name)
{
  *reason = g_strdup_printf("The signature cannot be checked: %s (%s) is not supported here.", what, name);
  return CRYPTO_SIGNATURE_UNSUPPORTED;
}

/* NSS takes such a key for an ordinary RSA key. */
static gboolean
is_pss_only(CryptoCert *cert)
{
  return SECOID_GetAlgorithmTag(&cert->nss->subjectPublicKeyInfo.algorithm) ==
         SEC_OID_PKCS1_RSA_PSS_SIGNATURE;
}

/* --- RSA PKCS#1 v1.5: recover the DigestInfo and compare all of it with the two forms that RFC 8017 allows --- */

static gboolean
digest_info_is(const guint8 *data, gsize length, const CryptoCmsDigest *digest, const guint8 *hash,
               gboolean with_null)
{
  g_autoptr(GByteArray) expected = g_byte_array_new();
  crypto_cms_put_digest(expected, digest, with_null);
  crypto_ber_put(expected, CRYPTO_BER_OCTET_STRING, hash, digest->length);
  crypto_ber_wrap(expected, CRYPTO_BER_SEQUENCE);
  return expected->len == length && memcmp(expected->data, data, length) == 0;
}

static CryptoSignatureState
check_pkcs1(SECKEYPublicKey *key, const SECItem *value, const CryptoCmsDigest *digest, const guint8 *hash,
            gboolean over_content, CryptoCert *cert, char **reason)
{
  if (SECKEY_GetPublicKeyType(key) != rsaKey || is_pss_only(cert))
    return breaks_rule(reason, "its algorithm does not fit the signer's key");
  unsigned size = SECKEY_PublicKeyStrength(key);
  if (size < 64 || size > 2048 || value->len != size)
    return forged(reason);
  g_autofree guint8 *recovered = g_malloc(size);
  SECItem out = { siBuffer, recovered, size };
  if (PK11_VerifyRecover(key, value, &out, NULL) != SECSuccess)
    return forged(reason);
  if (digest_info_is(out.data, out.len, digest, hash, TRUE) ||
      digest_info_is(out.data, out.len, digest, hash, FALSE))
    return CRYPTO_SIGNATURE_INTACT;
  /* Padding and form are right and only the digest is another: the content was changed. */
  guint tail = digest->length;
  if (over_content && out.len > tail &&
      (digest_info_is(out.data, out.len, digest, out.data + out.len - tail, TRUE) ||
       digest_info_is(out.data, out.len, digest, out.data + out.len - tail, FALSE))) {
    *reason = g_strdup("The message was changed after it was signed.");
    return CRYPTO_SIGNATURE_ALTERED;
  }
  return forged(reason);
}

/* --- RSA-PSS --- */

/* A key that is for RSASSA-PSS alone may say with which digest and at least how much salt (RFC 4055 3.3). */
static gboolean
pss_key_allows(CryptoCert *cert, const CryptoCmsRsaParameters *used)
{
  const SECItem *der = &cert->nss->subjectPublicKeyInfo.algorithm.parameters;
  if (!is_pss_only(cert) || der->len == 0)
    return TRUE;
  CryptoBerReader reader = crypto_ber_reader(der->data, der->len);
  CryptoBerItem item;
  CryptoCmsRsaParameters demanded;
  g_autofree char *unknown = NULL;
  return crypto_ber_next(&reader, &item) &&
         (item.tag == CRYPTO_BER_NULL ||
          (crypto_cms_read_pss(&item, &demanded, &unknown) && demanded.digest == used->digest &&
           demanded.mgf == used->mgf && used->salt >= demanded.salt));
}

static CryptoSignatureState
check_pss(SECKEYPublicKey *key, const CryptoCmsSignerInfo *info, const SECItem *value,
          const CryptoCmsDigest *digest, const guint8 *hash, CryptoCert *cert, char **reason)
{
  CryptoCmsRsaParameters parameters;
  g_autofree char *unknown = NULL;
  KeyType type = SECKEY_GetPublicKeyType(key);
  if (type != rsaKey && type != rsaPssKey)
    return breaks_rule(reason, "its algorithm does not fit the signer's key");
  if (!crypto_cms_read_pss(&info->signature.parameters, &parameters, &unknown))
    return unknown ? unsupported(reason, "a digest of RSA-PSS", unknown)
                   : breaks_rule(reason, "its RSA-PSS parameters are malformed");
  if (parameters.digest != digest)
    return breaks_rule(reason, "it names two different digests");
  if (!pss_key_allows(cert, &parameters))
    return breaks_rule(reason, "its RSA-PSS parameters are not those that the signer's certificate allows");
  unsigned size = SECKEY_PublicKeyStrength(key);
  if (value->len != size || size < digest->length + (guint)parameters.salt + 2)
    return forged(reason);
  CK_RSA_PKCS_PSS_PARAMS pss = { digest->mechanism, parameters.mgf->mgf, (CK_ULONG)parameters.salt };
  SECItem mechanism = { siBuffer, (guint8 *)&pss, sizeof pss };
  SECItem hashed = { siBuffer, (guint8 *)hash, digest->length };
  return PK11_VerifyWithMechanism(key, CKM_RSA_PKCS_PSS, &mechanism, value, &hashed, NULL) == SECSuccess
             ? CRYPTO_SIGNATURE_INTACT
             : forged(reason);
}

/* --- ECDSA and DSA: SEQUENCE of two positive INTEGERs, which PKCS#11 wants side by side --- */

static gboolean
put_number(const CryptoBerItem *item, guint8 *out, gsize width)
{
  const guint8 *data = item->data;
  gsize length = item->length;
  if (length == 0 || (data[0] & 0x80))
    return FALSE;
  while (length > 0 && *data == 0) {
    data++;
    length--;
  }
  if (length == 0 || length > width)
    return FALSE;
  memset(out, 0, width - length);
  memcpy(out + width - length, data, length);
  return TRUE;
}

static CryptoSignatureState
check_pair(SECKEYPublicKey *key, KeyType type, const SECItem *value, const CryptoCmsDigest *digest,
           const guint8 *hash, char **reason)
{
  if (SECKEY_GetPublicKeyType(key) != type)
    return breaks_rule(reason, "its algorithm does not fit the signer's key");
  unsigned size = SECKEY_SignatureLen(key);
  guint8 raw[2 * 72]; /* P-521 needs 66 */
  CryptoBerReader reader = crypto_ber_reader(value->data, value->len);
  CryptoBerItem pair, r, s;
  if (size < 2 || size > sizeof raw || size % 2 != 0 ||
      !crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &pair) || !crypto_ber_at_end(&reader))
    return forged(reason);
  CryptoBerReader inside = crypto_ber_enter(&pair);
  if (!crypto_ber_expect(&inside, CRYPTO_BER_INTEGER, &r) ||
      !crypto_ber_expect(&inside, CRYPTO_BER_INTEGER, &s) || !crypto_ber_at_end(&inside) ||
      !put_number(&r, raw, size / 2) || !put_number(&s, raw + size / 2, size / 2))
    return forged(reason);
  SECItem signature = { siBuffer, raw, size };
  /* FIPS 186: the leftmost bits of a digest that is longer than the key's order; DSA takes no more than q. */
  SECItem hashed = { siBuffer, (guint8 *)hash,
                     type == dsaKey ? MIN(digest->length, size / 2) : digest->length };
  return PK11_Verify(key, &signature, &hashed, NULL) == SECSuccess ? CRYPTO_SIGNATURE_INTACT : forged(reason);
}

CryptoSignatureState
crypto_cms_check_signature(const CryptoCmsSignerInfo *info, const CryptoCmsDigest *digest, const guint8 *hash,
                           CryptoCert *cert, char **reason)
{
  *reason = NULL;
  int index = find_algorithm(info->signature.oid);
  if (index < 0) {
    g_autofree char *name = crypto_oid_describe(&info->signature.name);
    return unsupported(reason, "the signature algorithm", name);
  }
  if (algorithms[index].digest != CRYPTO_OID_UNKNOWN && algorithms[index].digest != digest->oid)
    return breaks_rule(reason, "it names two different digests");
  SECKEYPublicKey *key = CERT_ExtractPublicKey(cert->nss);
  if (!key)
    return unsupported(reason, "the kind of key in the signer's certificate", crypto_cert_key_name(cert));
  SECItem value = { siBuffer, (guint8 *)info->value.data,
                    (unsigned)MIN(info->value.length, (gsize)G_MAXINT32) };
  CryptoSignatureState state = CRYPTO_SIGNATURE_FORGED;
  switch (algorithms[index].scheme) {
  case SCHEME_PKCS1:
    state = check_pkcs1(key, &value, digest, hash, info->attributes.tag == 0, cert, reason);
    break;
  case SCHEME_PSS:
    state = check_pss(key, info, &value, digest, hash, cert, reason);
    break;
  case SCHEME_ECDSA:
    state = check_pair(key, ecKey, &value, digest, hash, reason);
    break;
  case SCHEME_DSA:
    state = check_pair(key, dsaKey, &value, digest, hash, reason);
    break;
  }
  SECKEY_DestroyPublicKey(key);
  return state;
}
