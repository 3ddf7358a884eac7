#include "crypto/issue.h"

#include <cryptohi.h>
#include <secasn1.h>
#include <secder.h>
#include <secerr.h>
#include <secoid.h>
#include <string.h>

#include "crypto/ber.h"
#include "crypto/cert-private.h"
#include "crypto/certdb.h"
#include "crypto/keyuse-private.h"
#include "crypto/token-private.h"

/* Certificates and CRLs (RFC 5280), written as DER here and signed by NSS. */

enum {
  DIGITAL_SIGNATURE = 0x80,
  KEY_ENCIPHERMENT = 0x20,
  KEY_AGREEMENT = 0x08,
  KEY_CERT_SIGN = 0x04,
  CRL_SIGN = 0x02
};
enum { UTF8_STRING = 0x0c, SERIAL_BYTES = 16, MAX_SERIALS = 100000 };

static const guint8 oid_common_name[] = { 0x55, 4, 3 };
static const guint8 oid_organisation[] = { 0x55, 4, 10 };
static const guint8 oid_subject_key_id[] = { 0x55, 0x1d, 14 };
static const guint8 oid_key_usage[] = { 0x55, 0x1d, 15 };
static const guint8 oid_alternative_name[] = { 0x55, 0x1d, 17 };
static const guint8 oid_basic_constraints[] = { 0x55, 0x1d, 19 };
static const guint8 oid_crl_number[] = { 0x55, 0x1d, 20 };
static const guint8 oid_authority_key_id[] = { 0x55, 0x1d, 35 };
static const guint8 oid_extended_key_usage[] = { 0x55, 0x1d, 37 };
static const guint8 oid_email_protection[] = { 0x2b, 6, 1, 5, 5, 7, 3, 4 };
static const guint8 oid_server_auth[] = { 0x2b, 6, 1, 5, 5, 7, 3, 1 };
static const guint8 oid_extension_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14 };
static const guint8 oid_smtp_utf8[] = { 0x2b, 6, 1, 5, 5, 7, 8, 9 };

#define put_oid(out, oid) crypto_ber_put(out, CRYPTO_BER_OID, oid, sizeof oid)

/* --- keys */

static SECOidTag
curve_tag(const char *curve)
{
  return strcmp(curve, "P-256") == 0   ? SEC_OID_SECG_EC_SECP256R1
         : strcmp(curve, "P-384") == 0 ? SEC_OID_SECG_EC_SECP384R1
         : strcmp(curve, "P-521") == 0 ? SEC_OID_SECG_EC_SECP521R1
                                       : SEC_OID_UNKNOWN;
}

static SECKEYPrivateKey *
make_key(PK11SlotInfo *slot, const CryptoIssue *what, SECKEYPublicKey **public, CryptoPinSource *pin,
         GError **error)
{
  SECKEYPrivateKey *key = NULL;
  if (what->curve) {
    SECOidData *oid = SECOID_FindOIDByTag(curve_tag(what->curve));
    guint8 parameters[32];
    if (!oid || curve_tag(what->curve) == SEC_OID_UNKNOWN || oid->oid.len > sizeof parameters - 2) {
      g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                  "There is no curve “%s” here: P-256, P-384 and P-521.", what->curve);
      return NULL;
    }
    parameters[0] = CRYPTO_BER_OID;
    parameters[1] = oid->oid.len;
    memcpy(parameters + 2, oid->oid.data, oid->oid.len);
    SECItem item = { siBuffer, parameters, oid->oid.len + 2 };
    key = PK11_GenerateKeyPair(slot, CKM_EC_KEY_PAIR_GEN, &item, public, PR_TRUE, PR_TRUE, pin);
  } else {
    PK11RSAGenParams parameters = { .keySizeInBits = what->bits ? (int)what->bits : 2048, .pe = 65537 };
    key = PK11_GenerateKeyPair(slot, CKM_RSA_PKCS_KEY_PAIR_GEN, &parameters, public, PR_TRUE, PR_TRUE, pin);
  }
  if (!key)
    crypto_token_set_failed(slot, PORT_GetError(), "A key cannot be made", error);
  return key;
}

/* What @key signs with: SHA-2 of its own strength. */
static SECOidTag
signature_tag(SECKEYPrivateKey *key)
{
  if (SECKEY_GetPrivateKeyType(key) != ecKey)
    return SEC_OID_PKCS1_SHA256_WITH_RSA_ENCRYPTION;
  int length = PK11_SignatureLen(key); /* two numbers of the curve's size */
  return length <= 64   ? SEC_OID_ANSIX962_ECDSA_SHA256_SIGNATURE
         : length <= 96 ? SEC_OID_ANSIX962_ECDSA_SHA384_SIGNATURE
                        : SEC_OID_ANSIX962_ECDSA_SHA512_SIGNATURE;
}

static gboolean
put_algorithm(GByteArray *out, SECOidTag tag)
{
  PLArenaPool *arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
  SECAlgorithmID algorithm = { 0 };
  SECItem der = { siBuffer, NULL, 0 };
  gboolean done =
      SECOID_SetAlgorithmID(arena, &algorithm, tag, NULL) == SECSuccess &&
      SEC_ASN1EncodeItem(arena, &der, &algorithm, SEC_ASN1_GET(SECOID_AlgorithmIDTemplate)) != NULL;
  if (done)
    g_byte_array_append(out, der.data, der.len);
  PORT_FreeArena(arena, PR_FALSE);
  return done;
}

static GBytes *
sign(const GByteArray *tbs, SECKEYPrivateKey *key, GError **error)
{
  PLArenaPool *arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
  SECItem der = { siBuffer, NULL, 0 };
  GBytes *result = NULL;
  if (SEC_DerSignData(arena, &der, tbs->data, tbs->len, key, signature_tag(key)) == SECSuccess)
    result = g_bytes_new(der.data, der.len);
  else
    crypto_token_set_failed(key->pkcs11Slot, PORT_GetError(), "It cannot be signed", error);
  PORT_FreeArena(arena, PR_FALSE);
  return result;
}

/* --- parts of a certificate */

/* INTEGER from the bytes of a positive number. */
static void
put_number(GByteArray *out, const guint8 *bytes, gsize length)
{
  for (; length > 1 && *bytes == 0; bytes++, length--)
    ;
  g_autoptr(GByteArray) number = g_byte_array_new();
  const guint8 zero = 0;
  if (!length || (bytes[0] & 0x80))
    g_byte_array_append(number, &zero, 1);
  g_byte_array_append(number, bytes, length);
  crypto_ber_put(out, CRYPTO_BER_INTEGER, number->data, number->len);
}

static void
put_name_part(GByteArray *out, const guint8 *oid, gsize length, const char *value)
{
  if (!value || !*value)
    return;
  g_autoptr(GByteArray) part = g_byte_array_new();
  crypto_ber_put(part, CRYPTO_BER_OID, oid, length);
  crypto_ber_put(part, UTF8_STRING, value, strlen(value));
  crypto_ber_wrap(part, CRYPTO_BER_SEQUENCE);
  crypto_ber_put_array(out, CRYPTO_BER_SET, part);
}

static void
put_name(GByteArray *out, const CryptoIssue *what)
{
  g_autoptr(GByteArray) name = g_byte_array_new();
  put_name_part(name, oid_organisation, sizeof oid_organisation, what->organisation);
  put_name_part(name, oid_common_name, sizeof oid_common_name, what->common_name);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, name);
}

/* Takes what @value holds as the extension's value and empties it. */
static void
put_extension(GByteArray *out, const guint8 *oid, gsize length, gboolean critical, GByteArray *value)
{
  g_autoptr(GByteArray) extension = g_byte_array_new();
  const guint8 yes = 0xff;
  crypto_ber_put(extension, CRYPTO_BER_OID, oid, length);
  if (critical)
    crypto_ber_put(extension, CRYPTO_BER_BOOLEAN, &yes, 1);
  crypto_ber_put_array(extension, CRYPTO_BER_OCTET_STRING, value);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, extension);
  g_byte_array_set_size(value, 0);
}

/* rfc822Name, or SmtpUTF8Mailbox (RFC 8398) where the local part is not ASCII. */
static void
put_address(GByteArray *out, const char *address)
{
  if (g_str_is_ascii(address)) {
    crypto_ber_put(out, CRYPTO_BER_CONTEXT | 1, address, strlen(address));
    return;
  }
  g_autoptr(GByteArray) text = g_byte_array_new(), name = g_byte_array_new();
  crypto_ber_put(text, UTF8_STRING, address, strlen(address));
  put_oid(name, oid_smtp_utf8);
  crypto_ber_put_array(name, CRYPTO_BER_CONTEXT_CONSTRUCTED, text);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED, name);
}

static void
put_key_usage(GByteArray *out, const CryptoIssue *what)
{
  guint bits = 0;
  if (what->authority)
    bits |= KEY_CERT_SIGN | CRL_SIGN;
  if (what->sign)
    bits |= DIGITAL_SIGNATURE;
  if (what->encrypt)
    bits |= what->curve ? KEY_AGREEMENT : KEY_ENCIPHERMENT;
  if (!bits)
    return;
  guint8 unused = 0;
  while (!(bits >> unused & 1))
    unused++;
  const guint8 value[] = { unused, (guint8)bits };
  g_autoptr(GByteArray) usage = g_byte_array_new();
  crypto_ber_put(usage, CRYPTO_BER_BIT_STRING, value, sizeof value);
  put_extension(out, oid_key_usage, sizeof oid_key_usage, TRUE, usage);
}

static gboolean
put_purpose(GByteArray *out, const CryptoIssue *what, GError **error)
{
  g_autoptr(GByteArray) usage = g_byte_array_new();
  if (what->authority && !what->eku)
    return TRUE; /* an authority without one issues for every purpose */
  if (!what->eku || strcmp(what->eku, "emailProtection") == 0) {
    put_oid(usage, oid_email_protection);
  } else if (strcmp(what->eku, "serverAuth") == 0) {
    put_oid(usage, oid_server_auth);
  } else {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "There is no purpose “%s” here: emailProtection and serverAuth.", what->eku);
    return FALSE;
  }
  crypto_ber_wrap(usage, CRYPTO_BER_SEQUENCE);
  put_extension(out, oid_extended_key_usage, sizeof oid_extended_key_usage, FALSE, usage);
  return TRUE;
}

static void
put_alternative_names(GByteArray *out, const CryptoIssue *what)
{
  g_autoptr(GByteArray) names = g_byte_array_new();
  for (const char *const *a = what->addresses; a && *a; a++)
    put_address(names, *a);
  for (const char *const *d = what->dns_names; d && *d; d++)
    crypto_ber_put(names, CRYPTO_BER_CONTEXT | 2, *d, strlen(*d));
  if (!names->len)
    return;
  crypto_ber_wrap(names, CRYPTO_BER_SEQUENCE);
  put_extension(out, oid_alternative_name, sizeof oid_alternative_name, FALSE, names);
}

/* The issuer's own identifier, however it was made; else the hash of its key. */
static void
put_authority_key_id(GByteArray *out, CERTCertificate *issuer)
{
  SECItem id = { siBuffer, NULL, 0 };
  guint8 hash[20];
  g_autoptr(GByteArray) value = g_byte_array_new();
  if (CERT_FindSubjectKeyIDExtension(issuer, &id) == SECSuccess) {
    crypto_ber_put(value, CRYPTO_BER_CONTEXT, id.data, id.len);
    SECITEM_FreeItem(&id, PR_FALSE);
  } else if (crypto_cert_key_hash(issuer, hash)) {
    crypto_ber_put(value, CRYPTO_BER_CONTEXT, hash, sizeof hash);
  }
  crypto_ber_wrap(value, CRYPTO_BER_SEQUENCE);
  put_extension(out, oid_authority_key_id, sizeof oid_authority_key_id, FALSE, value);
}

static gboolean
put_extensions(GByteArray *out, const CryptoIssue *what, const guint8 key_id[20], GError **error)
{
  g_autoptr(GByteArray) all = g_byte_array_new(), value = g_byte_array_new();
  const guint8 yes = 0xff;
  if (what->authority)
    crypto_ber_put(value, CRYPTO_BER_BOOLEAN, &yes, 1);
  crypto_ber_wrap(value, CRYPTO_BER_SEQUENCE);
  put_extension(all, oid_basic_constraints, sizeof oid_basic_constraints, TRUE, value);
  put_key_usage(all, what);
  if (!put_purpose(all, what, error))
    return FALSE;
  put_alternative_names(all, what);
  crypto_ber_put(value, CRYPTO_BER_OCTET_STRING, key_id, 20);
  put_extension(all, oid_subject_key_id, sizeof oid_subject_key_id, FALSE, value);
  if (what->issuer)
    put_authority_key_id(all, what->issuer->nss);
  crypto_ber_wrap(all, CRYPTO_BER_SEQUENCE);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED | 3, all);
  return TRUE;
}

/* --- certificates */

/* SubjectPublicKeyInfo ends in the key's bits: their SHA-1 is the key identifier. */
static gboolean
hash_key(const SECItem *spki, guint8 key_id[20])
{
  CryptoBerReader reader = crypto_ber_reader(spki->data, spki->len);
  CryptoBerItem whole, algorithm, bits;
  if (!crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &whole))
    return FALSE;
  reader = crypto_ber_enter(&whole);
  return crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &algorithm) &&
         crypto_ber_expect(&reader, CRYPTO_BER_BIT_STRING, &bits) && bits.length > 1 &&
         PK11_HashBuf(SEC_OID_SHA1, key_id, bits.data + 1, bits.length - 1) == SECSuccess;
}

static GByteArray *
to_be_signed(const CryptoIssue *what, const SECItem *spki, SECOidTag signature, GError **error)
{
  guint8 serial[SERIAL_BYTES], key_id[20];
  g_autoptr(GByteArray) tbs = g_byte_array_new(), part = g_byte_array_new();
  if (!hash_key(spki, key_id) || PK11_GenerateRandom(serial, sizeof serial) != SECSuccess) {
    crypto_error_set_nss(error, PORT_GetError(), "The certificate cannot be made");
    return NULL;
  }
  serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always as long */
  crypto_ber_put_small(part, 2);
  crypto_ber_put_array(tbs, CRYPTO_BER_CONTEXT_CONSTRUCTED, part);
  put_number(tbs, serial, sizeof serial);
  if (!put_algorithm(tbs, signature)) {
    crypto_error_set_nss(error, PORT_GetError(), "The certificate cannot be made");
    return NULL;
  }
  if (what->issuer)
    g_byte_array_append(tbs, what->issuer->nss->derSubject.data, what->issuer->nss->derSubject.len);
  else
    put_name(tbs, what);
  g_byte_array_set_size(part, 0);
  crypto_ber_put_time(part, what->not_before);
  crypto_ber_put_time(part, what->not_after);
  crypto_ber_put_array(tbs, CRYPTO_BER_SEQUENCE, part);
  put_name(tbs, what);
  g_byte_array_append(tbs, spki->data, spki->len);
  if (!put_extensions(tbs, what, key_id, error))
    return NULL;
  crypto_ber_wrap(tbs, CRYPTO_BER_SEQUENCE);
  return g_steal_pointer(&tbs);
}

static CryptoCert *
certify(const CryptoIssue *what, SECKEYPublicKey *public, SECKEYPrivateKey *signer, GError **error)
{
  SECItem *spki = SECKEY_EncodeDERSubjectPublicKeyInfo(public);
  if (!spki) {
    crypto_error_set_nss(error, PORT_GetError(), "The certificate cannot be made");
    return NULL;
  }
  g_autoptr(GByteArray) tbs = to_be_signed(what, spki, signature_tag(signer), error);
  SECITEM_FreeItem(spki, PR_TRUE);
  g_autoptr(GBytes) der = tbs ? sign(tbs, signer, error) : NULL;
  return der ? crypto_cert_new(g_bytes_get_data(der, NULL), g_bytes_get_size(der), error) : NULL;
}

CryptoCert *
crypto_issue(const CryptoIssue *what, CryptoPinSource *pin, GError **error)
{
  PK11SlotInfo *slot = crypto_context_database(error);
  if (!slot)
    return NULL;
  SECKEYPrivateKey *key = NULL, *signer = NULL;
  SECKEYPublicKey *public = NULL;
  CryptoCert *cert = NULL;
  gboolean was_there;
  gboolean ready = crypto_pin_login(slot, pin, error);
  if (ready && what->issuer) {
    signer = crypto_keys_open(what->issuer, pin, error);
    ready = signer != NULL;
  }
  CryptoKeyUsing using;
  g_autoptr(GError) failed = NULL;
  if (ready &&
      crypto_keyuse_begin(&using, CRYPTO_KEY_ISSUE, what->issuer, signer, "database", what->common_name, error)) {
    key = make_key(slot, what, &public, pin, &failed);
    cert = key ? certify(what, public, signer ? signer : key, &failed) : NULL;
    if (key && !signer)
      crypto_keyuse_made(&using, public);
    if (!crypto_keyuse_end(&using, g_steal_pointer(&failed), error) ||
        !crypto_certdb_import(cert, what->common_name, &was_there, pin, error))
      g_clear_pointer(&cert, crypto_cert_unref);
  }
  if (key && !cert) /* nobody will ever find that key again */
    PK11_DeleteTokenPrivateKey(g_steal_pointer(&key), PR_TRUE);
  SECKEY_DestroyPrivateKey(key);
  SECKEY_DestroyPublicKey(public);
  SECKEY_DestroyPrivateKey(signer);
  PK11_FreeSlot(slot);
  return cert;
}

/* --- requests (RFC 2986) */

/* [0] attributes: one extensionRequest (RFC 2985 5.4.2) with what the certificate is to say. */
static gboolean
put_wishes(GByteArray *out, const CryptoIssue *what, GError **error)
{
  g_autoptr(GByteArray) extensions = g_byte_array_new(), attribute = g_byte_array_new(),
                        all = g_byte_array_new();
  put_key_usage(extensions, what);
  if (!put_purpose(extensions, what, error))
    return FALSE;
  put_alternative_names(extensions, what);
  crypto_ber_wrap(extensions, CRYPTO_BER_SEQUENCE);
  put_oid(attribute, oid_extension_request);
  crypto_ber_put_array(attribute, CRYPTO_BER_SET, extensions);
  crypto_ber_put_array(all, CRYPTO_BER_SEQUENCE, attribute);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED, all);
  return TRUE;
}

static GBytes *
request(const CryptoIssue *what, SECKEYPublicKey *public, SECKEYPrivateKey *key, GError **error)
{
  SECItem *spki = SECKEY_EncodeDERSubjectPublicKeyInfo(public);
  if (!spki) {
    crypto_error_set_nss(error, PORT_GetError(), "The request cannot be made");
    return NULL;
  }
  g_autoptr(GByteArray) info = g_byte_array_new();
  crypto_ber_put_small(info, 0);
  put_name(info, what);
  g_byte_array_append(info, spki->data, spki->len);
  SECITEM_FreeItem(spki, PR_TRUE);
  if (!put_wishes(info, what, error))
    return NULL;
  crypto_ber_wrap(info, CRYPTO_BER_SEQUENCE);
  return sign(info, key, error);
}

static PK11SlotInfo *
key_slot(const char *token, GError **error)
{
  if (!token)
    return crypto_context_database(error);
  PK11SlotInfo *slot = PK11_FindSlotByName(token);
  if (slot && PK11_IsPresent(slot))
    return slot;
  if (slot)
    PK11_FreeSlot(slot);
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
              "There is no token “%s” in a reader here; signet token list names those that are.", token);
  return NULL;
}

GBytes *
crypto_issue_request(const CryptoIssue *what, const char *token, CryptoPinSource *pin, GError **error)
{
  PK11SlotInfo *slot = key_slot(token, error);
  if (!slot)
    return NULL;
  SECKEYPublicKey *public = NULL;
  SECKEYPrivateKey *key = NULL;
  GBytes *der = NULL;
  CryptoKeyUsing using;
  g_autoptr(GError) failed = NULL;
  if (crypto_pin_login(slot, pin, error) &&
      crypto_keyuse_begin(&using, CRYPTO_KEY_REQUEST, NULL, NULL, token ? token : "database", what->common_name, error)) {
    key = make_key(slot, what, &public, pin, &failed);
    der = key ? request(what, public, key, &failed) : NULL;
    if (key)
      crypto_keyuse_made(&using, public);
    if (!crypto_keyuse_end(&using, g_steal_pointer(&failed), error))
      g_clear_pointer(&der, g_bytes_unref);
  }
  if (key && !der) /* nobody has its public half */
    PK11_DeleteTokenPrivateKey(g_steal_pointer(&key), PR_TRUE);
  SECKEY_DestroyPrivateKey(key);
  SECKEY_DestroyPublicKey(public);
  PK11_FreeSlot(slot);
  return der;
}

/* --- revocation lists */

static gboolean
put_revoked(GByteArray *out, const char *hex, gint64 when)
{
  guint8 serial[64];
  gsize length = strlen(hex);
  if (!length || length > 2 * sizeof serial)
    return FALSE;
  memset(serial, 0, sizeof serial);
  for (gsize i = 0; i < length; i++) {
    int digit = g_ascii_xdigit_value(hex[i]);
    if (digit < 0)
      return FALSE;
    gsize place = length - 1 - i; /* from the right */
    serial[sizeof serial - 1 - place / 2] |= digit << (place % 2 ? 4 : 0);
  }
  g_autoptr(GByteArray) entry = g_byte_array_new();
  put_number(entry, serial, sizeof serial);
  crypto_ber_put_time(entry, when);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, entry);
  return TRUE;
}

static GByteArray *
crl_to_be_signed(CryptoCert *issuer, const char *const *serials, gint64 this_update, guint days,
                 SECOidTag signature, GError **error)
{
  g_autoptr(GByteArray) tbs = g_byte_array_new(), revoked = g_byte_array_new(),
                        extensions = g_byte_array_new();
  crypto_ber_put_small(tbs, 1);
  gboolean good = put_algorithm(tbs, signature);
  g_byte_array_append(tbs, issuer->nss->derSubject.data, issuer->nss->derSubject.len);
  crypto_ber_put_time(tbs, this_update);
  crypto_ber_put_time(tbs, this_update + (gint64)days * 86400);
  for (guint i = 0; serials && serials[i] && good; i++)
    good = i < MAX_SERIALS && put_revoked(revoked, serials[i], this_update);
  if (!good) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED,
                "The serial numbers for the revocation list are not hex.");
    return NULL;
  }
  if (revoked->len)
    crypto_ber_put_array(tbs, CRYPTO_BER_SEQUENCE, revoked);
  put_authority_key_id(extensions, issuer->nss);
  const guint64 number = GUINT64_TO_BE((guint64)this_update);
  g_autoptr(GByteArray) value = g_byte_array_new();
  put_number(value, (const guint8 *)&number, sizeof number);
  put_extension(extensions, oid_crl_number, sizeof oid_crl_number, FALSE, value);
  crypto_ber_wrap(extensions, CRYPTO_BER_SEQUENCE);
  crypto_ber_put_array(tbs, CRYPTO_BER_CONTEXT_CONSTRUCTED, extensions);
  crypto_ber_wrap(tbs, CRYPTO_BER_SEQUENCE);
  return g_steal_pointer(&tbs);
}

static gboolean
store_crl(GBytes *crl, CryptoPinSource *pin, GError **error)
{
  PK11SlotInfo *slot = crypto_context_database(error);
  if (!slot)
    return FALSE;
  SECItem der = { siBuffer, (guint8 *)g_bytes_get_data(crl, NULL), g_bytes_get_size(crl) };
  CERTSignedCrl *stored = PK11_ImportCRL(slot, &der, NULL, SEC_CRL_TYPE, pin, CRL_IMPORT_DEFAULT_OPTIONS,
                                         NULL, CRL_DECODE_DEFAULT_OPTIONS);
  if (stored)
    SEC_DestroyCrl(stored);
  else
    crypto_error_set_nss(error, PORT_GetError(), "The revocation list cannot be stored");
  PK11_FreeSlot(slot);
  return stored != NULL;
}

GBytes *
crypto_issue_crl(CryptoCert *issuer, const char *const *serials, gint64 this_update, guint days,
                 CryptoPinSource *pin, GError **error)
{
  SECKEYPrivateKey *key = crypto_keys_open(issuer, pin, error);
  if (!key)
    return NULL;
  CryptoKeyUsing using;
  g_autoptr(GError) failed = NULL;
  if (!crypto_keyuse_begin(&using, CRYPTO_KEY_ISSUE, issuer, key, NULL, NULL, error)) {
    SECKEY_DestroyPrivateKey(key);
    return NULL;
  }
  g_autoptr(GByteArray) tbs = crl_to_be_signed(issuer, serials, this_update, days, signature_tag(key), &failed);
  g_autoptr(GBytes) crl = tbs ? sign(tbs, key, &failed) : NULL;
  SECKEY_DestroyPrivateKey(key);
  if (!crypto_keyuse_end(&using, g_steal_pointer(&failed), error) || !store_crl(crl, pin, error))
    return NULL;
  return g_steal_pointer(&crl);
}
