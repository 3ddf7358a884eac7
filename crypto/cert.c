#include "crypto/cert.h"

#include <prtime.h>
#include <secerr.h>
#include <sechash.h>
#include <secoid.h>
#include <string.h>

#include "crypto/ber.h"
#include "crypto/cert-private.h"

enum {
  CERT_MAX_BYTES = 256 * 1024,
  FILE_MAX_BYTES = 16 * 1024 * 1024,
  FILE_MAX_CERTS = 1000,
};

/* --- making one */

static gint64
seconds(PRTime time)
{
  return time >= 0 ? time / PR_USEC_PER_SEC : -((-time + PR_USEC_PER_SEC - 1) / PR_USEC_PER_SEC);
}

CryptoCert *
crypto_cert_wrap(CERTCertificate *nss)
{
  CryptoCert *cert = g_new0(CryptoCert, 1);
  g_atomic_ref_count_init(&cert->references);
  cert->nss = CERT_DupCertificate(nss);
  cert->der = g_bytes_new(nss->derCert.data, nss->derCert.len);
  cert->subject = crypto_cert_name_text(&nss->subject);
  cert->issuer = crypto_cert_name_text(&nss->issuer);
  cert->addresses = crypto_cert_read_addresses(nss);
  cert->common_name = crypto_cert_name_part(&nss->subject, SEC_OID_AVA_COMMON_NAME);
  if (!cert->common_name)
    cert->common_name = crypto_cert_name_part(&nss->subject, SEC_OID_AVA_ORGANIZATION_NAME);
  if (!cert->common_name)
    cert->common_name = g_strdup(cert->addresses[0] ? cert->addresses[0] : cert->subject);
  cert->issuer_name = crypto_cert_name_part(&nss->issuer, SEC_OID_AVA_COMMON_NAME);
  if (!cert->issuer_name)
    cert->issuer_name = crypto_cert_name_part(&nss->issuer, SEC_OID_AVA_ORGANIZATION_NAME);
  if (!cert->issuer_name)
    cert->issuer_name = g_strdup(cert->issuer);
  cert->serial = crypto_cert_hex(nss->serialNumber.data, MIN(nss->serialNumber.len, 256));
  cert->sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, cert->der);
  cert->key_name = crypto_cert_read_key_name(nss);
  cert->signature_name = crypto_cert_algorithm_name(&nss->signature);
  PRTime before = 0, after = 0;
  CERT_GetCertTimes(nss, &before, &after); /* fails on dates that do not exist: then 1970, valid never */
  cert->not_before = seconds(before);
  cert->not_after = seconds(after);
  return cert;
}

/* Exported by every NSS since 3.2; its header declares it under a name that the library does not export. */
extern CERTCertificate *__CERT_DecodeDERCertificate(SECItem *der, PRBool copy, char *nickname);

CERTCertificate *
crypto_cert_alone(GBytes *der)
{
  gsize length = 0;
  const guint8 *data = g_bytes_get_data(der, &length);
  SECItem item = { siDERCertBuffer, (guint8 *)data, (unsigned int)length };
  return __CERT_DecodeDERCertificate(&item, PR_TRUE, NULL);
}

/* NSS keeps one certificate for an issuer and serial number, and gives the first one's for both. A second one,
 * which is never genuine but which must be seen for what it is, is held apart from NSS's store. */
static CERTCertificate *
decode(const guint8 *der, gsize length)
{
  SECItem item = { siDERCertBuffer, (guint8 *)der, length };
  CERTCertificate *nss = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &item, NULL, PR_FALSE, PR_TRUE);
  if (nss && nss->derCert.len == length && memcmp(nss->derCert.data, der, length) == 0)
    return nss;
  if (!nss && PORT_GetError() != SEC_ERROR_REUSED_ISSUER_AND_SERIAL)
    return NULL;
  if (nss)
    CERT_DestroyCertificate(nss);
  return __CERT_DecodeDERCertificate(&item, PR_TRUE, NULL);
}

CryptoCert *
crypto_cert_new(const guint8 *der, gsize length, GError **error)
{
  CryptoBerReader reader = crypto_ber_reader(der, length);
  CryptoBerItem whole;
  if (length > CERT_MAX_BYTES || !crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &whole) ||
      whole.indefinite || !crypto_ber_at_end(&reader)) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED, "This is not a certificate, or a damaged one.");
    return NULL;
  }
  CryptoCert *known = crypto_cert_known(der, length);
  if (known)
    return known;
  CERTCertificate *nss = decode(der, length);
  if (!nss) {
    crypto_error_set_nss(error, PORT_GetError(), "The certificate cannot be read");
    return NULL;
  }
  CryptoCert *cert = crypto_cert_wrap(nss);
  CERT_DestroyCertificate(nss);
  crypto_cert_keep(cert);
  return cert;
}

CryptoCert *
crypto_cert_ref(CryptoCert *cert)
{
  g_atomic_ref_count_inc(&cert->references);
  return cert;
}

void
crypto_cert_unref(CryptoCert *cert)
{
  if (!cert || !g_atomic_ref_count_dec(&cert->references))
    return;
  CERT_DestroyCertificate(cert->nss);
  g_bytes_unref(cert->der);
  g_free(cert->subject);
  g_free(cert->issuer);
  g_free(cert->common_name);
  g_free(cert->issuer_name);
  g_free(cert->serial);
  g_free(cert->sha256);
  g_free(cert->key_name);
  g_free(cert->signature_name);
  g_strfreev(cert->addresses);
  g_free(cert);
}

/* --- files */

static void
unref_cert(gpointer cert)
{
  crypto_cert_unref(cert);
}

static void
add_cert(GPtrArray *certs, const guint8 *der, gsize length)
{
  if (certs->len >= FILE_MAX_CERTS)
    return;
  CryptoCert *cert = crypto_cert_new(der, length, NULL);
  if (cert)
    g_ptr_array_add(certs, cert);
}

static SECStatus
collect(void *data, SECItem **items, int count)
{
  for (int i = 0; i < count && items && items[i]; i++)
    add_cert(data, items[i]->data, items[i]->len);
  return SECSuccess;
}

/* DER: one certificate, several one after the other, or a PKCS#7 that carries them. */
static void
add_der(GPtrArray *certs, const guint8 *bytes, gsize length)
{
  CryptoBerReader file = crypto_ber_reader(bytes, length);
  CryptoBerItem item;
  while (crypto_ber_expect(&file, CRYPTO_BER_SEQUENCE, &item)) {
    CryptoBerReader inside = crypto_ber_enter(&item);
    if (crypto_ber_peek(&inside) != CRYPTO_BER_SEQUENCE)
      break;
    add_cert(certs, item.start, item.total);
  }
  if (!certs->len && length > 2 && bytes[0] == CRYPTO_BER_SEQUENCE)
    CERT_DecodeCertPackage((char *)bytes, (int)length, collect, certs);
}

static gboolean
is_cert_label(const char *label, gsize length)
{
  static const char *const labels[] = { "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "PKCS7",
                                        "CMS" };
  for (gsize i = 0; i < G_N_ELEMENTS(labels); i++)
    if (strlen(labels[i]) == length && memcmp(labels[i], label, length) == 0)
      return TRUE;
  return FALSE;
}

/* "TRUSTED CERTIFICATE" is OpenSSL's, with its own trust settings behind the certificate: those are not taken. */
static void
add_pem_block(GPtrArray *certs, const char *base64, gsize length)
{
  g_autofree char *text = g_strndup(base64, length);
  gsize size = 0;
  g_autofree guchar *der = g_base64_decode(text, &size);
  GPtrArray *found = g_ptr_array_new_with_free_func(unref_cert);
  add_der(found, der, size);
  for (guint i = 0; i < found->len && certs->len < FILE_MAX_CERTS; i++)
    g_ptr_array_add(certs, crypto_cert_ref(found->pdata[i]));
  g_ptr_array_unref(found);
}

gboolean
crypto_pem_each(const char *text, gsize length, CryptoPemFunc func, gpointer user_data)
{
  static const char begin[] = "-----BEGIN ", end[] = "-----END ", dashes[] = "-----";
  const char *at = text, *stop = text + length;
  gboolean any = FALSE;
  while (length && (at = memmem(at, stop - at, begin, strlen(begin)))) {
    const char *label = at + strlen(begin);
    const char *label_end = memmem(label, stop - label, dashes, strlen(dashes));
    if (!label_end || label_end - label > 64)
      break;
    const char *body = label_end + strlen(dashes);
    const char *body_end = memmem(body, stop - body, end, strlen(end));
    if (!body_end)
      break;
    any = TRUE;
    func(label, label_end - label, body, body_end - body, user_data);
    at = body_end;
  }
  return any;
}

static void
on_pem(const char *label, gsize label_length, const char *body, gsize length, gpointer certs)
{
  if (is_cert_label(label, label_length))
    add_pem_block(certs, body, length);
}

GPtrArray *
crypto_certs_parse(GBytes *file, GError **error)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(file, &length);
  if (length > FILE_MAX_BYTES) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "The file is too large to hold certificates only.");
    return NULL;
  }
  GPtrArray *certs = g_ptr_array_new_with_free_func(unref_cert);
  if (!crypto_pem_each((const char *)bytes, length, on_pem, certs))
    add_der(certs, bytes, length);
  if (certs->len)
    return certs;
  g_ptr_array_unref(certs);
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED,
              "There is no certificate in this file. PEM, DER and PKCS#7 are understood here.");
  return NULL;
}

/* --- what it says */

GBytes *
crypto_cert_der(CryptoCert *cert)
{
  return cert->der;
}
const char *
crypto_cert_subject(CryptoCert *cert)
{
  return cert->subject;
}
const char *
crypto_cert_issuer(CryptoCert *cert)
{
  return cert->issuer;
}
const char *
crypto_cert_common_name(CryptoCert *cert)
{
  return cert->common_name;
}
const char *
crypto_cert_issuer_name(CryptoCert *cert)
{
  return cert->issuer_name;
}
const char *
crypto_cert_serial(CryptoCert *cert)
{
  return cert->serial;
}
const char *
crypto_cert_sha256(CryptoCert *cert)
{
  return cert->sha256;
}
gint64
crypto_cert_not_before(CryptoCert *cert)
{
  return cert->not_before;
}
gint64
crypto_cert_not_after(CryptoCert *cert)
{
  return cert->not_after;
}
const char *
crypto_cert_key_name(CryptoCert *cert)
{
  return cert->key_name;
}
const char *
crypto_cert_signature_name(CryptoCert *cert)
{
  return cert->signature_name;
}

const char *const *
crypto_cert_addresses(CryptoCert *cert)
{
  return (const char *const *)cert->addresses;
}

gboolean
crypto_cert_self_signed(CryptoCert *cert)
{
  return SECITEM_ItemsAreEqual(&cert->nss->derIssuer, &cert->nss->derSubject);
}

gboolean
crypto_cert_is_authority(CryptoCert *cert)
{
  SECItem item = { siBuffer, NULL, 0 };
  CERTBasicConstraints constraints = { .isCA = PR_FALSE };
  if (CERT_FindCertExtension(cert->nss, SEC_OID_X509_BASIC_CONSTRAINTS, &item) != SECSuccess)
    return FALSE;
  gboolean authority = CERT_DecodeBasicConstraintValue(&constraints, &item) == SECSuccess && constraints.isCA;
  SECITEM_FreeItem(&item, PR_FALSE);
  return authority;
}

static gboolean
has_key_usage(CERTCertificate *nss, guint wanted)
{
  SECItem item = { siBuffer, NULL, 0 };
  if (CERT_FindKeyUsageExtension(nss, &item) != SECSuccess)
    return PORT_GetError() == SEC_ERROR_EXTENSION_NOT_FOUND; /* absent: everything; malformed: nothing */
  guint bits = item.len ? item.data[0] : 0;
  SECITEM_FreeItem(&item, PR_FALSE);
  return (bits & wanted) != 0;
}

static gboolean
is_for_mail(CERTCertificate *nss)
{
  SECItem item = { siBuffer, NULL, 0 };
  if (CERT_FindCertExtension(nss, SEC_OID_X509_EXT_KEY_USAGE, &item) != SECSuccess)
    return PORT_GetError() == SEC_ERROR_EXTENSION_NOT_FOUND;
  gboolean fits = FALSE;
  CERTOidSequence *sequence = CERT_DecodeOidSequence(&item);
  for (guint i = 0; sequence && sequence->oids && sequence->oids[i]; i++) {
    SECOidTag tag = SECOID_FindOIDTag(sequence->oids[i]);
    fits |= tag == SEC_OID_EXT_KEY_USAGE_EMAIL_PROTECT || tag == SEC_OID_X509_ANY_EXT_KEY_USAGE;
  }
  if (sequence)
    CERT_DestroyOidSequence(sequence);
  SECITEM_FreeItem(&item, PR_FALSE);
  return fits;
}

gboolean
crypto_cert_can_sign(CryptoCert *cert)
{
  return has_key_usage(cert->nss, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION) && is_for_mail(cert->nss) &&
         !g_str_has_prefix(cert->key_name, "X25519") && !g_str_has_prefix(cert->key_name, "X448");
}

gboolean
crypto_cert_can_encrypt(CryptoCert *cert)
{
  gboolean rsa =
      SECOID_GetAlgorithmTag(&cert->nss->subjectPublicKeyInfo.algorithm) == SEC_OID_PKCS1_RSA_ENCRYPTION;
  gboolean agrees = g_str_has_prefix(cert->key_name, "EC ") || g_str_has_prefix(cert->key_name, "X25519") ||
                    g_str_has_prefix(cert->key_name, "X448");
  return (rsa || agrees) && has_key_usage(cert->nss, rsa ? KU_KEY_ENCIPHERMENT : KU_KEY_AGREEMENT) &&
         is_for_mail(cert->nss);
}

gboolean
crypto_cert_key_hash(CERTCertificate *nss, guint8 hash[20])
{
  const SECItem *key = &nss->subjectPublicKeyInfo.subjectPublicKey; /* a bit string: the length is in bits */
  return HASH_HashBuf(HASH_AlgSHA1, hash, key->data, (key->len + 7) / 8) == SECSuccess;
}
