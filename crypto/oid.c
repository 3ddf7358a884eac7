#include "crypto/oid.h"

/* In the order of the enumeration, which is also the index. */
static const struct {
  const char *name; /* for a person */
  const char *dots;
} oids[] = {
  [CRYPTO_OID_UNKNOWN] = { "?", "" },
  [CRYPTO_OID_DATA] = { "data", "1.2.840.113549.1.7.1" },
  [CRYPTO_OID_SIGNED_DATA] = { "SignedData", "1.2.840.113549.1.7.2" },
  [CRYPTO_OID_ENVELOPED_DATA] = { "EnvelopedData", "1.2.840.113549.1.7.3" },
  [CRYPTO_OID_SIGNED_AND_ENVELOPED_DATA] = { "SignedAndEnvelopedData", "1.2.840.113549.1.7.4" },
  [CRYPTO_OID_DIGESTED_DATA] = { "DigestedData", "1.2.840.113549.1.7.5" },
  [CRYPTO_OID_ENCRYPTED_DATA] = { "EncryptedData", "1.2.840.113549.1.7.6" },
  [CRYPTO_OID_AUTHENTICATED_DATA] = { "AuthenticatedData", "1.2.840.113549.1.9.16.1.2" },
  [CRYPTO_OID_TST_INFO] = { "TSTInfo", "1.2.840.113549.1.9.16.1.4" },
  [CRYPTO_OID_COMPRESSED_DATA] = { "CompressedData", "1.2.840.113549.1.9.16.1.9" },
  [CRYPTO_OID_AUTH_ENVELOPED_DATA] = { "AuthEnvelopedData", "1.2.840.113549.1.9.16.1.23" },
  [CRYPTO_OID_RECEIPT] = { "Receipt", "1.2.840.113549.1.9.16.1.1" },
  [CRYPTO_OID_CONTENT_TYPE] = { "contentType", "1.2.840.113549.1.9.3" },
  [CRYPTO_OID_MESSAGE_DIGEST] = { "messageDigest", "1.2.840.113549.1.9.4" },
  [CRYPTO_OID_SIGNING_TIME] = { "signingTime", "1.2.840.113549.1.9.5" },
  [CRYPTO_OID_SMIME_CAPABILITIES] = { "smimeCapabilities", "1.2.840.113549.1.9.15" },
  [CRYPTO_OID_SIGNING_CERTIFICATE] = { "signingCertificate", "1.2.840.113549.1.9.16.2.12" },
  [CRYPTO_OID_SIGNING_CERTIFICATE_V2] = { "signingCertificateV2", "1.2.840.113549.1.9.16.2.47" },
  [CRYPTO_OID_ENCRYPTION_KEY_PREFERENCE] = { "smimeEncryptionKeyPreference", "1.2.840.113549.1.9.16.2.11" },
  [CRYPTO_OID_ALGORITHM_PROTECTION] = { "cmsAlgorithmProtection", "1.2.840.113549.1.9.52" },
  [CRYPTO_OID_MD2] = { "MD2", "1.2.840.113549.2.2" },
  [CRYPTO_OID_MD4] = { "MD4", "1.2.840.113549.2.4" },
  [CRYPTO_OID_MD5] = { "md5", "1.2.840.113549.2.5" },
  [CRYPTO_OID_SHA1] = { "sha1", "1.3.14.3.2.26" },
  [CRYPTO_OID_SHA224] = { "sha224", "2.16.840.1.101.3.4.2.4" },
  [CRYPTO_OID_SHA256] = { "sha256", "2.16.840.1.101.3.4.2.1" },
  [CRYPTO_OID_SHA384] = { "sha384", "2.16.840.1.101.3.4.2.2" },
  [CRYPTO_OID_SHA512] = { "sha512", "2.16.840.1.101.3.4.2.3" },
  [CRYPTO_OID_SHA512_224] = { "sha512-224", "2.16.840.1.101.3.4.2.5" },
  [CRYPTO_OID_SHA512_256] = { "sha512-256", "2.16.840.1.101.3.4.2.6" },
  [CRYPTO_OID_SHA3_224] = { "sha3-224", "2.16.840.1.101.3.4.2.7" },
  [CRYPTO_OID_SHA3_256] = { "sha3-256", "2.16.840.1.101.3.4.2.8" },
  [CRYPTO_OID_SHA3_384] = { "sha3-384", "2.16.840.1.101.3.4.2.9" },
  [CRYPTO_OID_SHA3_512] = { "sha3-512", "2.16.840.1.101.3.4.2.10" },
  [CRYPTO_OID_SHAKE128] = { "shake128", "2.16.840.1.101.3.4.2.11" },
  [CRYPTO_OID_SHAKE256] = { "shake256", "2.16.840.1.101.3.4.2.12" },
  [CRYPTO_OID_RIPEMD160] = { "ripemd160", "1.3.36.3.2.1" },
  [CRYPTO_OID_RSA] = { "RSA", "1.2.840.113549.1.1.1" },
  [CRYPTO_OID_MD2_RSA] = { "RSA MD2", "1.2.840.113549.1.1.2" },
  [CRYPTO_OID_MD5_RSA] = { "RSA MD5", "1.2.840.113549.1.1.4" },
  [CRYPTO_OID_SHA1_RSA] = { "RSA SHA-1", "1.2.840.113549.1.1.5" },
  [CRYPTO_OID_SHA1_RSA_OIW] = { "RSA SHA-1", "1.3.14.3.2.29" },
  [CRYPTO_OID_RSA_OAEP] = { "RSA-OAEP", "1.2.840.113549.1.1.7" },
  [CRYPTO_OID_MGF1] = { "MGF1", "1.2.840.113549.1.1.8" },
  [CRYPTO_OID_P_SPECIFIED] = { "pSpecified", "1.2.840.113549.1.1.9" },
  [CRYPTO_OID_RSA_PSS] = { "RSA-PSS", "1.2.840.113549.1.1.10" },
  [CRYPTO_OID_SHA256_RSA] = { "RSA SHA-256", "1.2.840.113549.1.1.11" },
  [CRYPTO_OID_SHA384_RSA] = { "RSA SHA-384", "1.2.840.113549.1.1.12" },
  [CRYPTO_OID_SHA512_RSA] = { "RSA SHA-512", "1.2.840.113549.1.1.13" },
  [CRYPTO_OID_SHA224_RSA] = { "RSA SHA-224", "1.2.840.113549.1.1.14" },
  [CRYPTO_OID_EC_PUBLIC_KEY] = { "EC", "1.2.840.10045.2.1" },
  [CRYPTO_OID_SHA1_ECDSA] = { "ECDSA SHA-1", "1.2.840.10045.4.1" },
  [CRYPTO_OID_SHA224_ECDSA] = { "ECDSA SHA-224", "1.2.840.10045.4.3.1" },
  [CRYPTO_OID_SHA256_ECDSA] = { "ECDSA SHA-256", "1.2.840.10045.4.3.2" },
  [CRYPTO_OID_SHA384_ECDSA] = { "ECDSA SHA-384", "1.2.840.10045.4.3.3" },
  [CRYPTO_OID_SHA512_ECDSA] = { "ECDSA SHA-512", "1.2.840.10045.4.3.4" },
  [CRYPTO_OID_DSA] = { "DSA", "1.2.840.10040.4.1" },
  [CRYPTO_OID_SHA1_DSA] = { "DSA SHA-1", "1.2.840.10040.4.3" },
  [CRYPTO_OID_SHA224_DSA] = { "DSA SHA-224", "2.16.840.1.101.3.4.3.1" },
  [CRYPTO_OID_SHA256_DSA] = { "DSA SHA-256", "2.16.840.1.101.3.4.3.2" },
  [CRYPTO_OID_SHA3_256_ECDSA] = { "ECDSA SHA3-256", "2.16.840.1.101.3.4.3.10" },
  [CRYPTO_OID_ED25519] = { "Ed25519", "1.3.101.112" },
  [CRYPTO_OID_ED448] = { "Ed448", "1.3.101.113" },
  [CRYPTO_OID_X25519] = { "X25519", "1.3.101.110" },
  [CRYPTO_OID_X448] = { "X448", "1.3.101.111" },
  [CRYPTO_OID_ML_DSA_44] = { "ML-DSA-44", "2.16.840.1.101.3.4.3.17" },
  [CRYPTO_OID_ML_DSA_65] = { "ML-DSA-65", "2.16.840.1.101.3.4.3.18" },
  [CRYPTO_OID_ML_DSA_87] = { "ML-DSA-87", "2.16.840.1.101.3.4.3.19" },
  [CRYPTO_OID_ML_KEM_512] = { "ML-KEM-512", "2.16.840.1.101.3.4.4.1" },
  [CRYPTO_OID_ML_KEM_768] = { "ML-KEM-768", "2.16.840.1.101.3.4.4.2" },
  [CRYPTO_OID_ML_KEM_1024] = { "ML-KEM-1024", "2.16.840.1.101.3.4.4.3" },
  [CRYPTO_OID_ECDH_STD_SHA1] = { "ECDH SHA-1", "1.3.133.16.840.63.0.2" },
  [CRYPTO_OID_ECDH_COFACTOR_SHA1] = { "ECDH cofactor SHA-1", "1.3.133.16.840.63.0.3" },
  [CRYPTO_OID_ECDH_STD_SHA224] = { "ECDH SHA-224", "1.3.132.1.11.0" },
  [CRYPTO_OID_ECDH_STD_SHA256] = { "ECDH SHA-256", "1.3.132.1.11.1" },
  [CRYPTO_OID_ECDH_STD_SHA384] = { "ECDH SHA-384", "1.3.132.1.11.2" },
  [CRYPTO_OID_ECDH_STD_SHA512] = { "ECDH SHA-512", "1.3.132.1.11.3" },
  [CRYPTO_OID_ECDH_COFACTOR_SHA224] = { "ECDH cofactor SHA-224", "1.3.132.1.14.0" },
  [CRYPTO_OID_ECDH_COFACTOR_SHA256] = { "ECDH cofactor SHA-256", "1.3.132.1.14.1" },
  [CRYPTO_OID_ECDH_COFACTOR_SHA384] = { "ECDH cofactor SHA-384", "1.3.132.1.14.2" },
  [CRYPTO_OID_ECDH_COFACTOR_SHA512] = { "ECDH cofactor SHA-512", "1.3.132.1.14.3" },
  [CRYPTO_OID_MQV_SHA1] = { "ECMQV SHA-1", "1.3.133.16.840.63.0.16" },
  [CRYPTO_OID_DH_ES] = { "ephemeral-static Diffie-Hellman", "1.2.840.113549.1.9.16.3.5" },
  [CRYPTO_OID_DH_SS] = { "static-static Diffie-Hellman", "1.2.840.113549.1.9.16.3.10" },
  [CRYPTO_OID_KEM_RI] = { "key encapsulation", "1.2.840.113549.1.9.16.13.3" },
  [CRYPTO_OID_AES128_WRAP] = { "AES-128 wrap", "2.16.840.1.101.3.4.1.5" },
  [CRYPTO_OID_AES192_WRAP] = { "AES-192 wrap", "2.16.840.1.101.3.4.1.25" },
  [CRYPTO_OID_AES256_WRAP] = { "AES-256 wrap", "2.16.840.1.101.3.4.1.45" },
  [CRYPTO_OID_TDES_WRAP] = { "3DES wrap", "1.2.840.113549.1.9.16.3.6" },
  [CRYPTO_OID_RC2_WRAP] = { "RC2 wrap", "1.2.840.113549.1.9.16.3.7" },
  [CRYPTO_OID_AES128_CBC] = { "aes-128-cbc", "2.16.840.1.101.3.4.1.2" },
  [CRYPTO_OID_AES192_CBC] = { "aes-192-cbc", "2.16.840.1.101.3.4.1.22" },
  [CRYPTO_OID_AES256_CBC] = { "aes-256-cbc", "2.16.840.1.101.3.4.1.42" },
  [CRYPTO_OID_AES128_GCM] = { "aes-128-gcm", "2.16.840.1.101.3.4.1.6" },
  [CRYPTO_OID_AES192_GCM] = { "aes-192-gcm", "2.16.840.1.101.3.4.1.26" },
  [CRYPTO_OID_AES256_GCM] = { "aes-256-gcm", "2.16.840.1.101.3.4.1.46" },
  [CRYPTO_OID_AES128_CCM] = { "aes-128-ccm", "2.16.840.1.101.3.4.1.7" },
  [CRYPTO_OID_AES192_CCM] = { "aes-192-ccm", "2.16.840.1.101.3.4.1.27" },
  [CRYPTO_OID_AES256_CCM] = { "aes-256-ccm", "2.16.840.1.101.3.4.1.47" },
  [CRYPTO_OID_CHACHA20_POLY1305] = { "chacha20-poly1305", "1.2.840.113549.1.9.16.3.18" },
  [CRYPTO_OID_TDES_CBC] = { "des-ede3-cbc", "1.2.840.113549.3.7" },
  [CRYPTO_OID_DES_CBC] = { "des-cbc", "1.3.14.3.2.7" },
  [CRYPTO_OID_RC2_CBC] = { "rc2-cbc", "1.2.840.113549.3.2" },
  [CRYPTO_OID_RC4] = { "rc4", "1.2.840.113549.3.4" },
  [CRYPTO_OID_RC5_CBC] = { "rc5-cbc", "1.2.840.113549.3.9" },
  [CRYPTO_OID_CAST5_CBC] = { "cast5-cbc", "1.2.840.113533.7.66.10" },
  [CRYPTO_OID_IDEA_CBC] = { "idea-cbc", "1.3.6.1.4.1.188.7.1.1.2" },
  [CRYPTO_OID_SEED_CBC] = { "seed-cbc", "1.2.410.200004.1.4" },
  [CRYPTO_OID_CAMELLIA128_CBC] = { "camellia-128-cbc", "1.2.392.200011.61.1.1.1.2" },
  [CRYPTO_OID_CAMELLIA192_CBC] = { "camellia-192-cbc", "1.2.392.200011.61.1.1.1.3" },
  [CRYPTO_OID_CAMELLIA256_CBC] = { "camellia-256-cbc", "1.2.392.200011.61.1.1.1.4" },
  [CRYPTO_OID_ZLIB] = { "zlib", "1.2.840.113549.1.9.16.3.8" },
  [CRYPTO_OID_P256] = { "P-256", "1.2.840.10045.3.1.7" },
  [CRYPTO_OID_P384] = { "P-384", "1.3.132.0.34" },
  [CRYPTO_OID_P521] = { "P-521", "1.3.132.0.35" },
  [CRYPTO_OID_BRAINPOOL_P256R1] = { "brainpoolP256r1", "1.3.36.3.3.2.8.1.1.7" },
  [CRYPTO_OID_BRAINPOOL_P384R1] = { "brainpoolP384r1", "1.3.36.3.3.2.8.1.1.11" },
  [CRYPTO_OID_BRAINPOOL_P512R1] = { "brainpoolP512r1", "1.3.36.3.3.2.8.1.1.13" },
};

/* Their contents octets, made from the dots at first use: 12 are enough for every one of the table. */
static struct {
  guint8 length, der[12];
} encoded[G_N_ELEMENTS(oids)];

static void
encode(guint index)
{
  guint64 arcs[16] = { 0 };
  guint n = 0;
  for (const char *at = oids[index].dots; *at != '\0' && n < G_N_ELEMENTS(arcs); n++) {
    char *end;
    arcs[n] = g_ascii_strtoull(at, &end, 10);
    at = *end == '.' ? end + 1 : end;
  }
  arcs[1] += arcs[0] * 40;
  guint8 length = 0;
  for (guint i = 1; i < n; i++)
    for (int shift = 56; shift >= 0; shift -= 7)
      if (shift == 0 || arcs[i] >> shift != 0) {
        g_assert(length < sizeof encoded[index].der);
        encoded[index].der[length++] = (guint8)((arcs[i] >> shift & 0x7f) | (shift > 0 ? 0x80 : 0));
      }
  encoded[index].length = length;
}

static void
encode_all(void)
{
  static gsize done;
  if (!g_once_init_enter(&done))
    return;
  for (guint i = 1; i < G_N_ELEMENTS(oids); i++)
    encode(i);
  g_once_init_leave(&done, 1);
}

CryptoOid
crypto_oid_find(const CryptoBerItem *item)
{
  encode_all();
  if (item->tag != CRYPTO_BER_OID)
    return CRYPTO_OID_UNKNOWN;
  for (guint i = 1; i < G_N_ELEMENTS(oids); i++)
    if (crypto_ber_is(item, encoded[i].der, encoded[i].length))
      return (CryptoOid)i;
  return CRYPTO_OID_UNKNOWN;
}

const char *
crypto_oid_name(CryptoOid oid)
{
  return oids[oid].name;
}

const char *
crypto_oid_dots(CryptoOid oid)
{
  return oids[oid].dots;
}

char *
crypto_oid_describe(const CryptoBerItem *item)
{
  CryptoOid oid = crypto_oid_find(item);
  if (oid != CRYPTO_OID_UNKNOWN)
    return g_strdup(oids[oid].name);
  char *dots = item->tag == CRYPTO_BER_OID ? crypto_ber_oid_dots(item) : NULL;
  return dots ? dots : g_strdup("an unreadable object identifier");
}

void
crypto_oid_put(GByteArray *out, CryptoOid oid)
{
  encode_all();
  g_assert(oid != CRYPTO_OID_UNKNOWN);
  crypto_ber_put(out, CRYPTO_BER_OID, encoded[oid].der, encoded[oid].length);
}
