#include "crypto/pkcs12-private.h"

#include <secasn1.h>
#include <secerr.h>
#include <secoid.h>
#include <secpkcs5.h>
#include <string.h>

/* The password side of a PKCS#12 file: its forms, the check of the MAC, decryption. */
enum { MAX_ITERATIONS = 5000000 }; /* some seconds of work */

/* --- secrets */

typedef struct {
  guint8 *data;
  gsize length;
} Secret;

static void
secret_free(gpointer pointer)
{
  Secret *secret = pointer;
  explicit_bzero(secret->data, secret->length);
  g_free(secret->data);
  g_free(secret);
}

/* Takes @data (g_malloc). Wiped when the last reference goes. */
GBytes *
crypto_pkcs12_secret(guint8 *data, gsize length)
{
  Secret *secret = g_new(Secret, 1);
  *secret = (Secret){ data, length };
  return g_bytes_new_with_free_func(data, length, secret_free, secret);
}

static GBytes *
utf16_secret(const char *password)
{
  glong count = 0;
  gunichar2 *wide = g_utf8_to_utf16(password, -1, NULL, &count, NULL);
  if (!wide)
    return NULL;
  gsize length = 2 * ((gsize)count + 1);
  guint8 *bytes = g_malloc(length);
  for (glong i = 0; i <= count; i++) {
    bytes[2 * i] = wide[i] >> 8;
    bytes[2 * i + 1] = wide[i] & 0xff;
  }
  explicit_bzero(wide, length);
  g_free(wide);
  return crypto_pkcs12_secret(bytes, length);
}

void
crypto_pkcs12_password_init(CryptoPkcs12Password *password, const char *text)
{
  *password = (CryptoPkcs12Password){ 0 };
  gsize length = strlen(text);
  guint8 *widened = g_malloc0(2 * (length + 1));
  for (gsize i = 0; i < length; i++)
    widened[2 * i + 1] = text[i];
  password->widened = crypto_pkcs12_secret(widened, 2 * (length + 1));
  password->utf16 = utf16_secret(text);
  if (!password->utf16)
    password->utf16 = g_bytes_ref(password->widened);
  password->utf8 = crypto_pkcs12_secret(g_memdup2(text, length + 1), length + 1);
  password->nothing = length ? NULL : g_bytes_new_static("", 0);
  password->wide = password->utf16;
}

void
crypto_pkcs12_password_clear(CryptoPkcs12Password *password)
{
  g_bytes_unref(password->utf16);
  g_bytes_unref(password->widened);
  g_bytes_unref(password->utf8);
  g_clear_pointer(&password->nothing, g_bytes_unref);
}

static SECItem
item_of(GBytes *bytes, gsize cut)
{
  gsize length = 0;
  gconstpointer data = g_bytes_get_data(bytes, &length);
  return (SECItem){ siBuffer, (guint8 *)data, (unsigned int)(length - cut) };
}

/* --- decryption */

gboolean
crypto_pkcs12_fail_malformed(GError **error)
{
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED,
              "This is not a PKCS#12 file (.p12, .pfx), or a damaged one.");
  return FALSE;
}

static gboolean
wrong_password(GError **error)
{
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN, "That is not the password of this PKCS#12 file.");
  return FALSE;
}

static gboolean
is_oid(const CryptoBerItem *item, const char *dots)
{
  g_autofree char *have = crypto_ber_oid_dots(item);
  return have && strcmp(have, dots) == 0;
}

/* The count of a key derivation: each costs time, so a file may not ask for too many. */
static gboolean
spend(CryptoPkcs12Password *password, const CryptoBerItem *count, GError **error)
{
  int iterations = count ? crypto_ber_small(count) : 1;
  if (iterations < 1)
    return crypto_pkcs12_fail_malformed(error);
  password->iterations += iterations;
  if (password->iterations <= MAX_ITERATIONS)
    return TRUE;
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
              "The file demands an absurd amount of work (%d rounds) before its password can be checked.",
              iterations);
  return FALSE;
}

/* Looks for the round count in the parameters of a PBES1 or PBES2 algorithm, without knowing which it is: the
 * first INTEGER behind a salt. */
static gboolean
spend_for(CryptoPkcs12Password *password, const CryptoBerItem *algorithm, int depth, GError **error)
{
  CryptoBerReader fields = crypto_ber_enter(algorithm);
  CryptoBerItem item;
  while (crypto_ber_next(&fields, &item)) {
    if (item.tag == CRYPTO_BER_INTEGER)
      return spend(password, &item, error);
    if (item.tag == CRYPTO_BER_SEQUENCE && depth < 5 && !spend_for(password, &item, depth + 1, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
name_algorithm(const CryptoBerItem *algorithm, GError **error)
{
  CryptoBerReader fields = crypto_ber_enter(algorithm);
  CryptoBerItem oid;
  g_autofree char *dots = crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid) ? crypto_ber_oid_dots(&oid) : NULL;
  g_set_error(
      error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
      "The file is protected with an algorithm (%s) that is not supported. Export it again with AES-256.",
      dots ? dots : "unreadable");
  return FALSE;
}

/* One try at @data with @secret. NULL: it did not come out. */
static GBytes *
decrypt_with(SECAlgorithmID *algorithm, SECItem secret, GBytes *data)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  PK11SymKey *key = slot ? PK11_PBEKeyGen(slot, algorithm, &secret, PR_FALSE, NULL) : NULL;
  SECItem *parameters = NULL;
  GBytes *plain = NULL;
  CK_MECHANISM_TYPE mechanism =
      key ? PK11_GetPBECryptoMechanism(algorithm, &parameters, &secret) : CKM_INVALID_MECHANISM;
  if (mechanism != CKM_INVALID_MECHANISM) {
    gsize length = 0;
    const guint8 *bytes = g_bytes_get_data(data, &length);
    guint8 *out = g_malloc0(length + 64);
    unsigned int size = 0;
    SECStatus rv = PK11_Decrypt(key, PK11_GetPadMechanism(mechanism), parameters, out, &size, length + 64,
                                bytes, length);
    if (rv == SECSuccess && size <= length) {
      plain = crypto_pkcs12_secret(out, size);
    } else {
      explicit_bzero(out, length + 64);
      g_free(out);
    }
  }
  if (parameters)
    SECITEM_FreeItem(parameters, PR_TRUE);
  if (key)
    PK11_FreeSymKey(key);
  if (slot)
    PK11_FreeSlot(slot);
  return plain;
}

/* Padding alone lets one wrong key in 256 pass: what comes out must also be one SEQUENCE. */
static gboolean
is_sequence(GBytes *plain)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(plain, &length);
  CryptoBerReader reader = crypto_ber_reader(bytes, length);
  CryptoBerItem item;
  return crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &item);
}

GBytes *
crypto_pkcs12_password_decrypt(CryptoPkcs12Password *password, const CryptoBerItem *algorithm_item,
                               GBytes *data, GError **error)
{
  if (!spend_for(password, algorithm_item, 0, error))
    return NULL;
  PLArenaPool *arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
  SECAlgorithmID algorithm = { 0 };
  SECItem der = { siBuffer, (guint8 *)algorithm_item->start, algorithm_item->total };
  GBytes *plain = NULL;
  if (SEC_QuickDERDecodeItem(arena, &algorithm, SEC_ASN1_GET(SECOID_AlgorithmIDTemplate), &der) !=
      SECSuccess) {
    crypto_pkcs12_fail_malformed(error);
  } else if (!SEC_PKCS5IsAlgorithmPBEAlg(&algorithm)) {
    name_algorithm(algorithm_item, error);
  } else {
    gboolean v2 = SECOID_GetAlgorithmTag(&algorithm) == SEC_OID_PKCS5_PBES2;
    const SECItem tries[] = { v2 ? item_of(password->utf8, 1) : item_of(password->wide, 0),
                              v2 ? item_of(password->wide, 0) : item_of(password->utf16, 0),
                              item_of(password->widened, 0) };
    for (gsize i = 0; i < G_N_ELEMENTS(tries) && !plain; i++) {
      plain = decrypt_with(&algorithm, tries[i], data);
      if (plain && !is_sequence(plain))
        g_clear_pointer(&plain, g_bytes_unref);
    }
    if (!plain && !password->checked)
      wrong_password(error);
    else if (!plain)
      name_algorithm(algorithm_item, error);
  }
  PORT_FreeArena(arena, PR_FALSE);
  return plain;
}

/* --- integrity */

static CK_MECHANISM_TYPE
mac_mechanisms(const CryptoBerItem *oid, CK_MECHANISM_TYPE *hmac)
{
  static const struct {
    const char *oid;
    CK_MECHANISM_TYPE derive, hmac;
  } table[] = {
    { "1.3.14.3.2.26", CKM_PBA_SHA1_WITH_SHA1_HMAC, CKM_SHA_1_HMAC },
    { "2.16.840.1.101.3.4.2.4", CKM_NSS_PKCS12_PBE_SHA224_HMAC_KEY_GEN, CKM_SHA224_HMAC },
    { "2.16.840.1.101.3.4.2.1", CKM_NSS_PKCS12_PBE_SHA256_HMAC_KEY_GEN, CKM_SHA256_HMAC },
    { "2.16.840.1.101.3.4.2.2", CKM_NSS_PKCS12_PBE_SHA384_HMAC_KEY_GEN, CKM_SHA384_HMAC },
    { "2.16.840.1.101.3.4.2.3", CKM_NSS_PKCS12_PBE_SHA512_HMAC_KEY_GEN, CKM_SHA512_HMAC },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
    if (is_oid(oid, table[i].oid)) {
      *hmac = table[i].hmac;
      return table[i].derive;
    }
  return CKM_INVALID_MECHANISM;
}

typedef struct {
  CK_MECHANISM_TYPE derive, hmac;
  SECItem salt, digest;
  int iterations;
} Mac;

/* 0: NSS failed. */
static guint
mac_compute(const Mac *mac, GBytes *secret, GBytes *content, guint8 digest[64])
{
  SECItem text = item_of(secret, 0), salt = mac->salt, empty = { siBuffer, NULL, 0 };
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECItem *parameters = PK11_CreatePBEParams(&salt, &text, mac->iterations);
  PK11SymKey *key = slot && parameters ? PK11_KeyGen(slot, mac->derive, parameters, 0, NULL) : NULL;
  PK11Context *context = key ? PK11_CreateContextBySymKey(mac->hmac, CKA_SIGN, key, &empty) : NULL;
  unsigned int size = 0;
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(content, &length);
  gboolean done = context && PK11_DigestBegin(context) == SECSuccess &&
                  PK11_DigestOp(context, bytes, length) == SECSuccess &&
                  PK11_DigestFinal(context, digest, &size, 64) == SECSuccess;
  if (context)
    PK11_DestroyContext(context, PR_TRUE);
  if (key)
    PK11_FreeSymKey(key);
  if (parameters)
    PK11_DestroyPBEParams(parameters);
  if (slot)
    PK11_FreeSlot(slot);
  return done ? size : 0;
}

static gboolean
mac_fits(const Mac *mac, GBytes *secret, GBytes *content)
{
  guint8 digest[64];
  guint size = mac_compute(mac, secret, content, digest);
  return size && size == mac->digest.len && memcmp(digest, mac->digest.data, size) == 0;
}

gboolean
crypto_pkcs12_password_put_mac(CryptoPkcs12Password *password, GBytes *content, int iterations,
                               GByteArray *out)
{
  static const guint8 sha256[] = { 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0 };
  guint8 salt[16], digest[64];
  if (PK11_GenerateRandom(salt, sizeof salt) != SECSuccess)
    return FALSE;
  const Mac mac = { .derive = CKM_NSS_PKCS12_PBE_SHA256_HMAC_KEY_GEN,
                    .hmac = CKM_SHA256_HMAC,
                    .salt = { siBuffer, salt, sizeof salt },
                    .iterations = iterations };
  guint size = mac_compute(&mac, password->utf16, content, digest);
  g_autoptr(GByteArray) info = g_byte_array_new(), all = g_byte_array_new();
  g_byte_array_append(info, sha256, sizeof sha256);
  crypto_ber_put(info, CRYPTO_BER_OCTET_STRING, digest, size);
  crypto_ber_put_array(all, CRYPTO_BER_SEQUENCE, info);
  crypto_ber_put(all, CRYPTO_BER_OCTET_STRING, salt, sizeof salt);
  crypto_ber_put_small(all, iterations);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, all);
  return size != 0;
}

/* MacData ::= SEQUENCE { mac DigestInfo, macSalt OCTET STRING, iterations INTEGER DEFAULT 1 } */
gboolean
crypto_pkcs12_password_check(CryptoPkcs12Password *password, const CryptoBerItem *mac_data, GBytes *content,
                             GError **error)
{
  CryptoBerReader fields = crypto_ber_enter(mac_data), info, algorithm;
  CryptoBerItem digest_info, algorithm_item, oid, digest, salt, count;
  if (!crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &digest_info) ||
      !crypto_ber_expect(&fields, CRYPTO_BER_OCTET_STRING, &salt))
    return crypto_pkcs12_fail_malformed(error);
  info = crypto_ber_enter(&digest_info);
  if (!crypto_ber_expect(&info, CRYPTO_BER_SEQUENCE, &algorithm_item) ||
      !crypto_ber_expect(&info, CRYPTO_BER_OCTET_STRING, &digest))
    return crypto_pkcs12_fail_malformed(error);
  algorithm = crypto_ber_enter(&algorithm_item);
  if (!crypto_ber_expect(&algorithm, CRYPTO_BER_OID, &oid))
    return crypto_pkcs12_fail_malformed(error);
  gboolean counted = crypto_ber_optional(&fields, CRYPTO_BER_INTEGER, &count);
  if (!spend(password, counted ? &count : NULL, error))
    return FALSE;
  Mac mac = { .iterations = counted ? crypto_ber_small(&count) : 1,
              .salt = { siBuffer, (guint8 *)salt.data, salt.length },
              .digest = { siBuffer, (guint8 *)digest.data, digest.length } };
  mac.derive = mac_mechanisms(&oid, &mac.hmac);
  if (mac.derive == CKM_INVALID_MECHANISM)
    return name_algorithm(&algorithm_item, error);
  GBytes *const tries[] = { password->utf16, password->nothing, password->widened };
  for (gsize i = 0; i < G_N_ELEMENTS(tries); i++) {
    if (!tries[i] || (i == 2 && g_bytes_equal(tries[i], tries[0])) || !mac_fits(&mac, tries[i], content))
      continue;
    password->wide = tries[i];
    password->checked = TRUE;
    return TRUE;
  }
  return wrong_password(error);
}

/* --- encryption */

/* Appends AlgorithmIdentifier (PBES2, PBKDF2 with HMAC-SHA-256, AES-256-CBC) to @out and gives what @plain became. */
GBytes *
crypto_pkcs12_password_encrypt(CryptoPkcs12Password *password, const GByteArray *plain, int iterations,
                               GByteArray *out)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECAlgorithmID *algorithm = PK11_CreatePBEV2AlgorithmID(SEC_OID_PKCS5_PBES2, SEC_OID_AES_256_CBC,
                                                          SEC_OID_HMAC_SHA256, 32, iterations, NULL);
  SECItem text = item_of(password->utf8, 1), *parameters = NULL;
  SECItem *der =
      algorithm ? SEC_ASN1EncodeItem(NULL, NULL, algorithm, SEC_ASN1_GET(SECOID_AlgorithmIDTemplate)) : NULL;
  PK11SymKey *key = slot && der ? PK11_PBEKeyGen(slot, algorithm, &text, PR_FALSE, NULL) : NULL;
  CK_MECHANISM_TYPE mechanism =
      key ? PK11_GetPBECryptoMechanism(algorithm, &parameters, &text) : CKM_INVALID_MECHANISM;
  guint8 *bytes = g_malloc(plain->len + 32);
  unsigned int size = 0;
  gboolean done = mechanism != CKM_INVALID_MECHANISM &&
                  PK11_Encrypt(key, PK11_GetPadMechanism(mechanism), parameters, bytes, &size,
                               plain->len + 32, plain->data, plain->len) == SECSuccess;
  if (done)
    g_byte_array_append(out, der->data, der->len);
  if (parameters)
    SECITEM_FreeItem(parameters, PR_TRUE);
  if (der)
    SECITEM_FreeItem(der, PR_TRUE);
  if (key)
    PK11_FreeSymKey(key);
  if (algorithm)
    SECOID_DestroyAlgorithmID(algorithm, PR_TRUE);
  if (slot)
    PK11_FreeSlot(slot);
  if (done)
    return g_bytes_new_take(bytes, size);
  g_free(bytes);
  return NULL;
}
