#include "crypto/cms-private.h"
#include "crypto/token-private.h"

#include <pk11pub.h>
#include <pkcs11.h>
#include <secerr.h>
#include <sechash.h>
#include <secmod.h>
#include <string.h>

/* The content key out of one RecipientInfo, with a private key that lies in the database or on a token. What a
 * token cannot do itself (OAEP with SHA-2, a key derivation) is done here around its raw RSA or ECDH. */

enum { MODULUS_MAX = 2048, POINT_MAX = 1 + 2 * 66, FIELD_MAX = 66 };

static gboolean
unsupported(GError **error, const char *what, const char *name)
{
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
              "The message is encrypted in a way that is not supported here: %s (%s).", what, name);
  return FALSE;
}

/* The unwrapped key if it is one, else leave the random octets: without a branch on the secret. */
static void
select_key(guint8 *cek, const guint8 *unwrapped, guint length, gboolean good)
{
  guint8 mask = (guint8)(0 - (guint)(good != 0));
  for (guint i = 0; i < length; i++)
    cek[i] = (guint8)((cek[i] & ~mask) | (unwrapped[i] & mask));
}

/* --- RSA --- */

static void
mgf1_xor(const CryptoCmsDigest *digest, const guint8 *seed, guint seed_length, guint8 *target, guint length)
{
  guint8 block[CRYPTO_CMS_DIGEST_MAX], number[4];
  for (guint32 counter = 0, at = 0; at < length; counter++) {
    HASHContext *context = HASH_Create(digest->hash);
    unsigned got = 0;
    for (guint i = 0; i < 4; i++)
      number[i] = (guint8)(counter >> (24 - 8 * i));
    HASH_Begin(context);
    HASH_Update(context, seed, seed_length);
    HASH_Update(context, number, sizeof number);
    HASH_End(context, block, &got, sizeof block);
    HASH_Destroy(context);
    for (guint i = 0; i < got && at < length; i++)
      target[at++] ^= block[i];
  }
  explicit_bzero(block, sizeof block);
}

/* RFC 8017 7.1.2 step 3 on the raw RSA result; -1 or the length of the message at *message. */
static int
oaep_unpad(guint8 *em, guint size, const CryptoCmsRsaParameters *parameters, const guint8 **message)
{
  guint hash = parameters->digest->length;
  guint8 label[CRYPTO_CMS_DIGEST_MAX];
  if (size < 2 * hash + 2)
    return -1;
  guint8 *seed = em + 1, *block = em + 1 + hash;
  guint length = size - 1 - hash, start = 0;
  crypto_cms_digest_bytes(parameters->digest, parameters->label ? parameters->label : (const guint8 *)"",
                          parameters->label_length, label);
  mgf1_xor(parameters->mgf, block, length, seed, hash);
  mgf1_xor(parameters->mgf, seed, hash, block, length);
  guint8 bad = em[0];
  for (guint i = 0; i < hash; i++)
    bad |= block[i] ^ label[i];
  guint found = 0;
  for (guint i = hash; i < length; i++) {
    guint one = block[i] == 1, zero = block[i] == 0;
    start = !found && one ? i + 1 : start;
    bad |= (guint8)(!found && !one && !zero);
    found |= one;
  }
  if (bad || !found)
    return -1;
  *message = block + start;
  return (int)(length - start);
}

static gboolean
decrypt_oaep(SECKEYPrivateKey *key, const CryptoCmsRsaParameters *parameters, const guint8 *in, guint size,
             guint8 *out, unsigned *out_length)
{
  CK_RSA_PKCS_OAEP_PARAMS oaep = { parameters->digest->mechanism, parameters->mgf->mgf, CKZ_DATA_SPECIFIED,
                                   (guint8 *)parameters->label, parameters->label_length };
  SECItem mechanism = { siBuffer, (guint8 *)&oaep, sizeof oaep };
  if (PK11_PrivDecrypt(key, CKM_RSA_PKCS_OAEP, &mechanism, out, out_length, MODULUS_MAX, in, size) ==
      SECSuccess)
    return TRUE;
  if (PK11_IsInternal(key->pkcs11Slot))
    return FALSE;
  guint8 raw[MODULUS_MAX];
  unsigned raw_length = 0;
  const guint8 *message;
  int length = -1;
  if (PK11_PrivDecryptRaw(key, raw, &raw_length, sizeof raw, in, size) == SECSuccess && raw_length == size)
    length = oaep_unpad(raw, size, parameters, &message);
  if (length >= 0) {
    memcpy(out, message, (gsize)length);
    *out_length = (unsigned)length;
  }
  explicit_bzero(raw, sizeof raw);
  return length >= 0;
}

static gboolean
unwrap_transport(const CryptoCmsRecipient *recipient, SECKEYPrivateKey *key, guint8 *cek, guint length,
                 gboolean *genuine, GError **error)
{
  CryptoCmsRsaParameters parameters;
  g_autofree char *unknown = NULL;
  gboolean oaep = recipient->algorithm.oid == CRYPTO_OID_RSA_OAEP;
  if (!oaep && recipient->algorithm.oid != CRYPTO_OID_RSA) {
    g_autofree char *name = crypto_oid_describe(&recipient->algorithm.name);
    return unsupported(error, "the key's encryption", name);
  }
  if (oaep && !crypto_cms_read_oaep(&recipient->algorithm.parameters, &parameters, &unknown)) {
    if (unknown)
      return unsupported(error, "a digest of RSA-OAEP", unknown);
    crypto_cms_malformed(error, "the parameters of RSA-OAEP");
    return FALSE;
  }
  int modulus = key->keyType == rsaKey ? PK11_GetPrivateModulusLen(key) : -1;
  if (modulus < 64 || modulus > MODULUS_MAX || recipient->key.length > (gsize)modulus)
    return TRUE; /* not genuine: goes the way of every failed decryption */
  guint8 in[MODULUS_MAX] = { 0 }, out[MODULUS_MAX] = { 0 };
  unsigned out_length = 0;
  memcpy(in + modulus - recipient->key.length, recipient->key.data, recipient->key.length);
  gboolean good =
      oaep ? decrypt_oaep(key, &parameters, in, (guint)modulus, out, &out_length)
           : PK11_PrivDecryptPKCS1(key, out, &out_length, sizeof out, in, (unsigned)modulus) == SECSuccess;
  *genuine = good & (out_length == length);
  select_key(cek, out, length, *genuine);
  explicit_bzero(out, sizeof out);
  return TRUE;
}

/* --- ECDH (RFC 5753) --- */

static const struct {
  CryptoOid oid, digest;
} agreements[] = {
  { CRYPTO_OID_ECDH_STD_SHA1, CRYPTO_OID_SHA1 },     { CRYPTO_OID_ECDH_COFACTOR_SHA1, CRYPTO_OID_SHA1 },
  { CRYPTO_OID_ECDH_STD_SHA224, CRYPTO_OID_SHA224 }, { CRYPTO_OID_ECDH_COFACTOR_SHA224, CRYPTO_OID_SHA224 },
  { CRYPTO_OID_ECDH_STD_SHA256, CRYPTO_OID_SHA256 }, { CRYPTO_OID_ECDH_COFACTOR_SHA256, CRYPTO_OID_SHA256 },
  { CRYPTO_OID_ECDH_STD_SHA384, CRYPTO_OID_SHA384 }, { CRYPTO_OID_ECDH_COFACTOR_SHA384, CRYPTO_OID_SHA384 },
  { CRYPTO_OID_ECDH_STD_SHA512, CRYPTO_OID_SHA512 }, { CRYPTO_OID_ECDH_COFACTOR_SHA512, CRYPTO_OID_SHA512 },
};

static const CryptoCmsDigest *
agreement_digest(CryptoOid oid)
{
  for (guint i = 0; i < G_N_ELEMENTS(agreements); i++)
    if (agreements[i].oid == oid)
      return crypto_cms_digest(agreements[i].digest);
  return NULL;
}

/* KeyWrapAlgorithm: the parameter of the key agreement. 0: none that we can do. */
static guint
wrap_length(const CryptoCmsRecipient *recipient, CryptoCmsAlgorithm *wrap)
{
  *wrap = (CryptoCmsAlgorithm){ 0 };
  if (recipient->algorithm.parameters.tag != CRYPTO_BER_SEQUENCE ||
      !crypto_cms_read_algorithm(&recipient->algorithm.parameters, wrap))
    return 0;
  return wrap->oid == CRYPTO_OID_AES128_WRAP   ? 16
         : wrap->oid == CRYPTO_OID_AES192_WRAP ? 24
         : wrap->oid == CRYPTO_OID_AES256_WRAP ? 32
                                               : 0;
}

GByteArray *
crypto_cms_shared_info(const CryptoBerItem *wrap, const CryptoBerItem *ukm, guint key_length)
{
  GByteArray *out = g_byte_array_new();
  g_byte_array_append(out, wrap->start, (guint)wrap->total);
  if (ukm && ukm->tag != 0) {
    g_autoptr(GByteArray) party = g_byte_array_new();
    crypto_ber_put(party, CRYPTO_BER_OCTET_STRING, ukm->data, ukm->length);
    crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED, party);
  }
  guint bits = key_length * 8;
  guint8 number[4] = { 0, 0, (guint8)(bits >> 8), (guint8)bits };
  g_autoptr(GByteArray) size = g_byte_array_new();
  crypto_ber_put(size, CRYPTO_BER_OCTET_STRING, number, sizeof number);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED + 2, size);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  return out;
}

/* ANSI X9.63 key derivation. */
static void
derive(const CryptoCmsDigest *digest, const guint8 *secret, guint secret_length, const GByteArray *info,
       guint8 *out, guint length)
{
  guint8 block[CRYPTO_CMS_DIGEST_MAX];
  for (guint counter = 1, at = 0; at < length; counter++) {
    guint8 number[4] = { 0, 0, 0, (guint8)counter };
    unsigned got = 0;
    HASHContext *context = HASH_Create(digest->hash);
    HASH_Begin(context);
    HASH_Update(context, secret, secret_length);
    HASH_Update(context, number, sizeof number);
    HASH_Update(context, info->data, info->len);
    HASH_End(context, block, &got, sizeof block);
    HASH_Destroy(context);
    for (guint i = 0; i < got && at < length; i++)
      out[at++] = block[i];
  }
  explicit_bzero(block, sizeof block);
}

/* Many tokens derive only with no derivation function and make the result sensitive unless asked otherwise,
 * which NSS never does: so ask the module itself. */
static gboolean
token_secret(SECKEYPrivateKey *key, const SECItem *point, guint8 *secret, guint length)
{
  SECMODModule *module = PK11_GetModule(key->pkcs11Slot);
  CK_FUNCTION_LIST_PTR functions = module ? (CK_FUNCTION_LIST_PTR)module->functionList : NULL;
  CK_SESSION_HANDLE session;
  if (!functions || functions->C_OpenSession(PK11_GetSlotID(key->pkcs11Slot), CKF_SERIAL_SESSION, NULL, NULL,
                                             &session) != CKR_OK)
    return FALSE;
  CK_ECDH1_DERIVE_PARAMS parameters = { CKD_NULL, 0, NULL, point->len, point->data };
  CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &parameters, sizeof parameters };
  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_GENERIC_SECRET;
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_ULONG size = length;
  CK_ATTRIBUTE wanted[] = {
    { CKA_CLASS, &class, sizeof class },   { CKA_KEY_TYPE, &type, sizeof type },
    { CKA_TOKEN, &no, sizeof no },         { CKA_SENSITIVE, &no, sizeof no },
    { CKA_EXTRACTABLE, &yes, sizeof yes }, { CKA_VALUE_LEN, &size, sizeof size },
  };
  CK_ATTRIBUTE value = { CKA_VALUE, secret, length };
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  gboolean good = functions->C_DeriveKey(session, &mechanism, key->pkcs11ID, wanted, G_N_ELEMENTS(wanted),
                                         &object) == CKR_OK;
  if (good) {
    good = functions->C_GetAttributeValue(session, object, &value, 1) == CKR_OK && value.ulValueLen == length;
    functions->C_DestroyObject(session, object);
  }
  functions->C_CloseSession(session);
  return good;
}

static PK11SymKey *
import_key(CK_MECHANISM_TYPE mechanism, CK_ATTRIBUTE_TYPE operation, const guint8 *data, guint length)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECItem item = { siBuffer, (guint8 *)data, length };
  PK11SymKey *key = PK11_ImportSymKey(slot, mechanism, PK11_OriginUnwrap, operation, &item, NULL);
  PK11_FreeSlot(slot);
  return key;
}

/* The shared secret's x coordinate. The cofactor of the NIST curves is 1: both primitives give the same. */
static gboolean
shared_secret(SECKEYPrivateKey *key, SECKEYPublicKey *theirs, guint8 *secret, guint length)
{
  if (!PK11_IsInternal(key->pkcs11Slot) && token_secret(key, &theirs->u.ec.publicValue, secret, length))
    return TRUE;
  PK11SymKey *derived = PK11_PubDeriveWithKDF(key, theirs, PR_FALSE, NULL, NULL, CKM_ECDH1_DERIVE,
                                              CKM_SHA256_HMAC, CKA_SIGN, (int)length, CKD_NULL, NULL, NULL);
  gboolean good = FALSE;
  if (derived && PK11_ExtractKeyValue(derived) == SECSuccess) {
    SECItem *value = PK11_GetKeyData(derived);
    good = value && value->len == length;
    if (good)
      memcpy(secret, value->data, length);
  }
  if (derived)
    PK11_FreeSymKey(derived);
  return good;
}

/* OriginatorPublicKey's point on our own key's curve; NULL: it is not one. */
static SECKEYPublicKey *
originator_key(const CryptoBerItem *bits, CryptoCert *cert)
{
  const SECItem *curve = &cert->nss->subjectPublicKeyInfo.algorithm.parameters;
  g_autoptr(GByteArray) spki = g_byte_array_new();
  g_autoptr(GByteArray) algorithm = g_byte_array_new();
  crypto_oid_put(algorithm, CRYPTO_OID_EC_PUBLIC_KEY);
  g_byte_array_append(algorithm, curve->data, curve->len);
  crypto_ber_put_array(spki, CRYPTO_BER_SEQUENCE, algorithm);
  crypto_ber_put(spki, CRYPTO_BER_BIT_STRING, bits->data, bits->length);
  crypto_ber_wrap(spki, CRYPTO_BER_SEQUENCE);
  SECItem der = { siBuffer, spki->data, spki->len };
  CERTSubjectPublicKeyInfo *info = SECKEY_DecodeDERSubjectPublicKeyInfo(&der);
  SECKEYPublicKey *key = info ? SECKEY_ExtractPublicKey(info) : NULL;
  if (info)
    SECKEY_DestroySubjectPublicKeyInfo(info);
  return key;
}

static gboolean
read_originator(const CryptoCmsRecipient *recipient, CryptoBerItem *bits, GError **error)
{
  CryptoBerReader inside = crypto_ber_enter(&recipient->originator);
  CryptoBerItem choice, algorithm;
  if (!crypto_ber_next(&inside, &choice)) {
    crypto_cms_malformed(error, "the sender's key");
    return FALSE;
  }
  if (choice.tag != CRYPTO_BER_CONTEXT_CONSTRUCTED + 1)
    return unsupported(error, "the sender's key", "named by a certificate");
  CryptoBerReader key = crypto_ber_enter(&choice);
  if (!crypto_ber_expect(&key, CRYPTO_BER_SEQUENCE, &algorithm) ||
      !crypto_ber_expect(&key, CRYPTO_BER_BIT_STRING, bits) || bits->length < 2 ||
      bits->length > 1 + POINT_MAX || bits->data[0] != 0) {
    crypto_cms_malformed(error, "the sender's key");
    return FALSE;
  }
  return bits->data[1] == 4 || unsupported(error, "the sender's key", "a compressed point");
}

/* AES key wrap has a check of its own: what comes out is the key, or nothing does. */
static gboolean
unwrap_key(const guint8 *kek, guint kek_length, const CryptoBerItem *wrapped, guint8 *cek, guint length)
{
  if (wrapped->length != length + 8)
    return FALSE;
  PK11SymKey *wrapping = import_key(CKM_NSS_AES_KEY_WRAP, CKA_UNWRAP, kek, kek_length);
  SECItem item = { siBuffer, (guint8 *)wrapped->data, (unsigned)wrapped->length };
  PK11SymKey *key = wrapping ? PK11_UnwrapSymKey(wrapping, CKM_NSS_AES_KEY_WRAP, NULL, &item, CKM_SHA256_HMAC,
                                                 CKA_SIGN, (int)length)
                             : NULL;
  gboolean good = FALSE;
  if (key && PK11_ExtractKeyValue(key) == SECSuccess) {
    SECItem *value = PK11_GetKeyData(key);
    good = value && value->len == length;
    if (good)
      memcpy(cek, value->data, length);
  }
  if (key)
    PK11_FreeSymKey(key);
  if (wrapping)
    PK11_FreeSymKey(wrapping);
  return good;
}

static gboolean
unwrap_agreement(const CryptoCmsRecipient *recipient, CryptoCert *cert, SECKEYPrivateKey *key, guint8 *cek,
                 guint length, gboolean *genuine, GError **error)
{
  CryptoCmsAlgorithm wrap;
  CryptoBerItem bits;
  const CryptoCmsDigest *digest = agreement_digest(recipient->algorithm.oid);
  if (!digest) {
    g_autofree char *name = crypto_oid_describe(&recipient->algorithm.name);
    return unsupported(error, "the key agreement", name);
  }
  guint kek_length = wrap_length(recipient, &wrap);
  if (kek_length == 0) {
    g_autofree char *name = crypto_oid_describe(&wrap.name);
    return unsupported(error, "the key wrap", name);
  }
  if (!read_originator(recipient, &bits, error))
    return FALSE;
  SECKEYPublicKey *theirs = key->keyType == ecKey ? originator_key(&bits, cert) : NULL;
  if (!theirs)
    return TRUE;
  guint8 secret[FIELD_MAX], kek[32];
  guint field = theirs->u.ec.publicValue.len / 2;
  SECKEYPublicKey *own = CERT_ExtractPublicKey(cert->nss);
  gboolean good = own && own->keyType == ecKey && own->u.ec.publicValue.len == theirs->u.ec.publicValue.len &&
                  field <= FIELD_MAX && shared_secret(key, theirs, secret, field);
  if (good) {
    g_autoptr(GByteArray) info = crypto_cms_shared_info(&wrap.whole, &recipient->ukm, kek_length);
    derive(digest, secret, field, info, kek, kek_length);
    *genuine = unwrap_key(kek, kek_length, &recipient->key, cek, length);
  }
  if (own)
    SECKEY_DestroyPublicKey(own);
  SECKEY_DestroyPublicKey(theirs);
  explicit_bzero(secret, sizeof secret);
  explicit_bzero(kek, sizeof kek);
  return TRUE;
}

/* Does the card say that it lets the key not do this? Where it says nothing, no. */
static gboolean
is_forbidden(SECKEYPrivateKey *key, CryptoCmsRecipientKind kind)
{
  SECItem value = { siBuffer, NULL, 0 };
  CK_ATTRIBUTE_TYPE what = kind == CRYPTO_CMS_TRANSPORT ? CKA_DECRYPT : CKA_DERIVE;
  if (PK11_ReadRawAttribute(PK11_TypePrivKey, key, what, &value) != SECSuccess)
    return FALSE;
  gboolean forbidden = value.len == 1 && value.data[0] == CK_FALSE;
  SECITEM_FreeItem(&value, PR_FALSE);
  return forbidden;
}

/* What a card does not do has said nothing of the message. Asked whatever came of it, so that how long it takes tells
 * nothing. */
static gboolean
blame_card(SECKEYPrivateKey *key, CryptoCmsRecipientKind kind, gboolean failed, GError **error)
{
  if (PK11_IsInternal(key->pkcs11Slot))
    return FALSE;
  gboolean mute = crypto_token_is_mute(key->pkcs11Slot), forbidden = !mute && is_forbidden(key, kind);
  if (failed && mute)
    crypto_token_set_mute(key->pkcs11Slot, error);
  else if (failed && forbidden)
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The card “%s” does not let this key decrypt: it was put there for signing alone. Where you have a copy of "
                "the key in a file, import that.",
                PK11_GetTokenName(key->pkcs11Slot));
  return failed && (mute || forbidden);
}

/* --- for cms-decrypt.c and cms-envelope.c --- */

CryptoCert *
crypto_cms_recipient_cert(const CryptoCmsRecipient *recipient)
{
  const CryptoCmsId *id = &recipient->id;
  if (recipient->kind == CRYPTO_CMS_OTHER_RECIPIENT)
    return NULL;
  if (id->by_key_id) {
    SECItem key = { siBuffer, (guint8 *)id->key_id.data, (unsigned)MIN(id->key_id.length, 1024) };
    return crypto_keys_find(NULL, NULL, &key);
  }
  if (id->issuer.total > 64 * 1024 || id->serial.length > 1024)
    return NULL;
  SECItem issuer = { siBuffer, (guint8 *)id->issuer.start, (unsigned)id->issuer.total };
  SECItem serial = { siBuffer, (guint8 *)id->serial.data, (unsigned)id->serial.length };
  return crypto_keys_find(&issuer, &serial, NULL);
}

gboolean
crypto_cms_unwrap(const CryptoCmsRecipient *recipient, CryptoCert *cert, CryptoPinSource *pin, CryptoKeyUsing *using,
                  guint8 *cek, guint length, gboolean *genuine, GError **error)
{
  *genuine = FALSE;
  if (recipient->kind == CRYPTO_CMS_OTHER_RECIPIENT)
    return unsupported(error, "the recipient", recipient->what);
  SECKEYPrivateKey *key = crypto_keys_open(cert, pin, error);
  if (!key)
    return FALSE;
  if (!crypto_keyuse_begin(using, CRYPTO_KEY_DECRYPT, cert, key, NULL, NULL, error)) {
    SECKEY_DestroyPrivateKey(key);
    return FALSE;
  }
  if (PK11_GenerateRandom(cek, (int)length) != SECSuccess) {
    crypto_error_set_nss(error, PORT_GetError(), "The message cannot be decrypted");
    SECKEY_DestroyPrivateKey(key);
    return FALSE;
  }
  gboolean done = recipient->kind == CRYPTO_CMS_TRANSPORT
                      ? unwrap_transport(recipient, key, cek, length, genuine, error)
                      : unwrap_agreement(recipient, cert, key, cek, length, genuine, error);
  if (blame_card(key, recipient->kind, done && !*genuine, error))
    done = FALSE;
  SECKEY_DestroyPrivateKey(key);
  return done;
}

char *
crypto_cms_transport_name(const CryptoCmsRecipient *recipient, CryptoCert *cert)
{
  CryptoCmsRsaParameters parameters;
  CryptoCmsAlgorithm wrap;
  g_autofree char *unknown = NULL;
  if (recipient->kind == CRYPTO_CMS_OTHER_RECIPIENT)
    return g_strdup(recipient->what);
  if (recipient->algorithm.oid == CRYPTO_OID_RSA)
    return g_strdup("RSA PKCS#1 v1.5");
  if (recipient->algorithm.oid == CRYPTO_OID_RSA_OAEP &&
      crypto_cms_read_oaep(&recipient->algorithm.parameters, &parameters, &unknown))
    return parameters.digest == parameters.mgf
               ? g_strdup_printf("RSA-OAEP %s", parameters.digest->title)
               : g_strdup_printf("RSA-OAEP %s, MGF1 %s", parameters.digest->title, parameters.mgf->title);
  const CryptoCmsDigest *digest = agreement_digest(recipient->algorithm.oid);
  if (!digest || wrap_length(recipient, &wrap) == 0)
    return crypto_oid_describe(&recipient->algorithm.name);
  const char *key = crypto_cert_key_name(cert);
  return g_strdup_printf("ECDH %s %s %s", g_str_has_prefix(key, "EC ") ? key + 3 : key, digest->title,
                         crypto_oid_name(wrap.oid));
}
