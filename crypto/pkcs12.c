#include "crypto/certdb.h"

#include <secasn1.h>
#include <secoid.h>
#include <string.h>

#include "crypto/keyuse-private.h"
#include "crypto/pkcs12-private.h"

/* PKCS#12 into the database and out of it. The format is ours in both directions, the cryptography NSS's. */

static gboolean
import_own(PK11SlotInfo *slot, CryptoPkcs12Cert *entry, CryptoPinSource *pin, GError **error)
{
  SECKEYPrivateKey *there = PK11_FindPrivateKeyFromCert(slot, entry->cert->nss, pin);
  SECKEY_DestroyPrivateKey(there);
  g_autofree char *nickname = crypto_certdb_nickname(entry->cert, entry->name);
  if (!there) {
    CryptoKeyUsing using;
    g_autoptr(GError) failed = NULL;
    if (!crypto_keyuse_begin(&using, CRYPTO_KEY_IMPORT, entry->cert, NULL, "database", NULL, error))
      return FALSE;
    SECKEYPrivateKey *key =
        crypto_pkcs12_import_key(entry->key, entry->cert, slot, TRUE, nickname, pin, &failed);
    gboolean done = crypto_keyuse_end(&using, g_steal_pointer(&failed), error);
    if (key && !done)
      PK11_DeleteTokenPrivateKey(g_steal_pointer(&key), PR_TRUE);
    SECKEY_DestroyPrivateKey(key);
    if (!done)
      return FALSE;
  }
  gboolean was_there;
  if (!crypto_certdb_import(entry->cert, nickname, &was_there, pin, error))
    return FALSE;
  /* The public half tells before any login that the private one is there. */
  SECKEYPublicKey *public = there ? NULL : CERT_ExtractPublicKey(entry->cert->nss);
  if (public)
    PK11_ImportPublicKey(slot, public, PR_TRUE);
  SECKEY_DestroyPublicKey(public);
  return TRUE;
}

GPtrArray *
crypto_certdb_import_pkcs12(GBytes *file, const char *password, CryptoPinSource *pin, GError **error)
{
  g_autoptr(CryptoPkcs12) pkcs12 = crypto_pkcs12_read(file, password, error);
  if (!pkcs12)
    return NULL;
  if (!pkcs12->certs->len || (!((CryptoPkcs12Cert *)pkcs12->certs->pdata[0])->key && pkcs12->left_out)) {
    crypto_pkcs12_fail_empty(pkcs12, error);
    return NULL;
  }
  PK11SlotInfo *slot = crypto_context_database(error);
  if (!slot)
    return NULL;
  g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  gboolean good = crypto_pin_login(slot, pin, error);
  for (guint i = 0; i < pkcs12->certs->len && good; i++) {
    CryptoPkcs12Cert *entry = pkcs12->certs->pdata[i];
    gboolean was_there;
    good = entry->key ? import_own(slot, entry, pin, error)
                      : crypto_certdb_import(entry->cert, entry->name, &was_there, pin, error);
    g_ptr_array_add(certs, crypto_cert_ref(entry->cert));
  }
  PK11_FreeSlot(slot);
  crypto_keys_forget();
  return good ? g_steal_pointer(&certs) : NULL;
}

/* --- export */

enum { EXPORT_ITERATIONS = 100000 }; /* what an attacker pays for each guess; a fifth of a second here */

static const guint8 oid_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
static const guint8 oid_encrypted[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06 };
static const guint8 oid_shrouded_bag[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x02 };
static const guint8 oid_cert_bag[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03 };
static const guint8 oid_x509[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01 };
static const guint8 oid_name[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14 };
static const guint8 oid_local_id[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x15 };

#define put_oid(out, oid) crypto_ber_put(out, CRYPTO_BER_OID, oid, sizeof oid)

static GByteArray *
attribute(const guint8 *oid, gsize oid_length, guint8 tag, gconstpointer value, gsize length)
{
  GByteArray *out = g_byte_array_new();
  g_autoptr(GByteArray) set = g_byte_array_new();
  crypto_ber_put(out, CRYPTO_BER_OID, oid, oid_length);
  crypto_ber_put(set, tag, value, length);
  crypto_ber_put_array(out, CRYPTO_BER_SET, set);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  return out;
}

/* friendlyName and localKeyId, the same on the key's bag and its certificate's: that is what joins them. */
static void
put_attributes(GByteArray *bag, CryptoCert *cert)
{
  enum { BMP_STRING = 0x1e };
  guint8 id[20];
  gsize length = 0;
  g_autofree char *name = g_convert(cert->common_name, -1, "UTF-16BE", "UTF-8", NULL, &length, NULL);
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  if (name)
    g_ptr_array_add(
        items, g_byte_array_free_to_bytes(attribute(oid_name, sizeof oid_name, BMP_STRING, name, length)));
  if (crypto_cert_key_hash(cert->nss, id))
    g_ptr_array_add(items, g_byte_array_free_to_bytes(attribute(oid_local_id, sizeof oid_local_id,
                                                                CRYPTO_BER_OCTET_STRING, id, sizeof id)));
  crypto_ber_put_set(bag, CRYPTO_BER_SET, items);
}

/* SafeBag of one certificate; @own has the attributes. */
static void
put_cert_bag(GByteArray *bags, const guint8 *der, gsize length, CryptoCert *own)
{
  g_autoptr(GByteArray) value = g_byte_array_new(), bag = g_byte_array_new();
  crypto_ber_put(value, CRYPTO_BER_OCTET_STRING, der, length);
  crypto_ber_wrap(value, CRYPTO_BER_CONTEXT_CONSTRUCTED);
  put_oid(bag, oid_x509);
  g_byte_array_append(bag, value->data, value->len);
  crypto_ber_wrap(bag, CRYPTO_BER_SEQUENCE);
  crypto_ber_wrap(bag, CRYPTO_BER_CONTEXT_CONSTRUCTED);
  g_byte_array_set_size(value, 0);
  put_oid(value, oid_cert_bag);
  g_byte_array_append(value, bag->data, bag->len);
  if (own)
    put_attributes(value, own);
  crypto_ber_put_array(bags, CRYPTO_BER_SEQUENCE, value);
}

/* ContentInfo of an encrypted SafeContents: the certificate and its chain. */
static gboolean
put_certs(GByteArray *safes, CryptoCert *cert, CryptoPkcs12Password *password)
{
  g_autoptr(GByteArray) bags = g_byte_array_new(), info = g_byte_array_new(), data = g_byte_array_new();
  put_cert_bag(bags, g_bytes_get_data(cert->der, NULL), g_bytes_get_size(cert->der), cert);
  CERTCertificateList *chain = CERT_CertChainFromCert(cert->nss, certUsageEmailSigner, PR_TRUE);
  for (int i = 1; chain && i < chain->len && i < 32; i++)
    put_cert_bag(bags, chain->certs[i].data, chain->certs[i].len, NULL);
  if (chain)
    CERT_DestroyCertificateList(chain);
  crypto_ber_wrap(bags, CRYPTO_BER_SEQUENCE);
  put_oid(info, oid_data);
  g_autoptr(GBytes) encrypted = crypto_pkcs12_password_encrypt(password, bags, EXPORT_ITERATIONS, info);
  if (!encrypted)
    return FALSE;
  crypto_ber_put(info, CRYPTO_BER_CONTEXT, g_bytes_get_data(encrypted, NULL), g_bytes_get_size(encrypted));
  crypto_ber_put_small(data, 0);
  crypto_ber_put_array(data, CRYPTO_BER_SEQUENCE, info);
  crypto_ber_wrap(data, CRYPTO_BER_SEQUENCE);
  crypto_ber_wrap(data, CRYPTO_BER_CONTEXT_CONSTRUCTED);
  g_byte_array_set_size(info, 0);
  put_oid(info, oid_encrypted);
  g_byte_array_append(info, data->data, data->len);
  crypto_ber_put_array(safes, CRYPTO_BER_SEQUENCE, info);
  return TRUE;
}

/* ContentInfo of a SafeContents with the key, encrypted by NSS: in the clear it never leaves NSS. */
static gboolean
put_key(GByteArray *safes, CryptoCert *cert, SECKEYPrivateKey *key, CryptoPkcs12Password *password,
        CryptoPinSource *pin)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  gsize length = 0;
  gconstpointer text = g_bytes_get_data(password->utf8, &length);
  SECItem secret = { siBuffer, (guint8 *)text, length - 1 };
  SECKEYEncryptedPrivateKeyInfo *info =
      slot ? PK11_ExportEncryptedPrivKeyInfoV2(slot, SEC_OID_AES_256_CBC, SEC_OID_AES_256_CBC,
                                               SEC_OID_HMAC_SHA256, &secret, key, EXPORT_ITERATIONS, pin)
           : NULL;
  SECItem *der =
      info ? SEC_ASN1EncodeItem(NULL, NULL, info, SEC_ASN1_GET(SECKEY_EncryptedPrivateKeyInfoTemplate))
           : NULL;
  if (der) {
    g_autoptr(GByteArray) bag = g_byte_array_new(), value = g_byte_array_new();
    put_oid(bag, oid_shrouded_bag);
    crypto_ber_put(bag, CRYPTO_BER_CONTEXT_CONSTRUCTED, der->data, der->len);
    put_attributes(bag, cert);
    crypto_ber_wrap(bag, CRYPTO_BER_SEQUENCE);
    crypto_ber_wrap(bag, CRYPTO_BER_SEQUENCE);
    crypto_ber_wrap(bag, CRYPTO_BER_OCTET_STRING);
    crypto_ber_wrap(bag, CRYPTO_BER_CONTEXT_CONSTRUCTED);
    put_oid(value, oid_data);
    g_byte_array_append(value, bag->data, bag->len);
    crypto_ber_put_array(safes, CRYPTO_BER_SEQUENCE, value);
    SECITEM_FreeItem(der, PR_TRUE);
  }
  if (info)
    SECKEY_DestroyEncryptedPrivateKeyInfo(info, PR_TRUE);
  if (slot)
    PK11_FreeSlot(slot);
  return der != NULL;
}

/* PFX ::= SEQUENCE { 3, ContentInfo of the safes, MacData } */
static GBytes *
wrap_up(GByteArray *safes, CryptoPkcs12Password *password)
{
  crypto_ber_wrap(safes, CRYPTO_BER_SEQUENCE);
  g_autoptr(GBytes) content = g_bytes_new(safes->data, safes->len);
  crypto_ber_wrap(safes, CRYPTO_BER_OCTET_STRING);
  crypto_ber_wrap(safes, CRYPTO_BER_CONTEXT_CONSTRUCTED);
  g_autoptr(GByteArray) info = g_byte_array_new();
  put_oid(info, oid_data);
  g_byte_array_append(info, safes->data, safes->len);
  g_autoptr(GByteArray) pfx = g_byte_array_new();
  crypto_ber_put_small(pfx, 3);
  crypto_ber_put_array(pfx, CRYPTO_BER_SEQUENCE, info);
  if (!crypto_pkcs12_password_put_mac(password, content, EXPORT_ITERATIONS, pfx))
    return NULL;
  crypto_ber_wrap(pfx, CRYPTO_BER_SEQUENCE);
  return g_byte_array_free_to_bytes(g_steal_pointer(&pfx));
}

GBytes *
crypto_certdb_export_pkcs12(CryptoCert *cert, const char *password, CryptoPinSource *pin, GError **error)
{
  g_autofree char *token = crypto_keys_token(cert);
  if (token) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "The key of “%s” lies on the token “%s”, and keys do not leave a token.", cert->common_name,
                token);
    return NULL;
  }
  SECKEYPrivateKey *key = crypto_keys_open(cert, pin, error);
  if (!key)
    return NULL;
  CryptoKeyUsing using;
  if (!crypto_keyuse_begin(&using, CRYPTO_KEY_EXPORT, cert, key, NULL, NULL, error)) {
    SECKEY_DestroyPrivateKey(key);
    return NULL;
  }
  CryptoPkcs12Password forms;
  crypto_pkcs12_password_init(&forms, password);
  g_autoptr(GByteArray) safes = g_byte_array_new();
  GBytes *file = put_certs(safes, cert, &forms) && put_key(safes, cert, key, &forms, pin)
                     ? wrap_up(safes, &forms)
                     : NULL;
  g_autoptr(GError) failed = NULL;
  if (!file)
    crypto_error_set_nss(&failed, PORT_GetError(), "The certificate and its key cannot be exported");
  crypto_pkcs12_password_clear(&forms);
  SECKEY_DestroyPrivateKey(key);
  if (!crypto_keyuse_end(&using, g_steal_pointer(&failed), error))
    g_clear_pointer(&file, g_bytes_unref);
  return file;
}
