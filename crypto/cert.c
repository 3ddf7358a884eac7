#include "crypto/cert.h"

#include <nss.h>
#include <prprf.h>
#include <prtime.h>
#include <secerr.h>
#include <sechash.h>
#include <secoid.h>
#include <string.h>

#include "crypto/cert-private.h"

/* A certificate is read by NSS; names, addresses and identifiers are taken from its DER here, since NSS folds,
 * drops and cuts them (an embedded NUL, the second address, SmtpUTF8Mailbox). */
enum {
  CERT_MAX_BYTES = 256 * 1024,
  FILE_MAX_BYTES = 16 * 1024 * 1024,
  FILE_MAX_CERTS = 1000,
  NAME_MAX_PARTS = 128,
  NAME_MAX_BYTES = 4096,
  ADDRESS_MAX_BYTES = 512,
  ADDRESSES_MAX = 1000,
};

/* One element of DER, definite lengths only. */
typedef struct {
  const guint8 *at, *end;
} Der;

static gboolean
der_next(Der *der, guint8 *tag, Der *value)
{
  if (der->end - der->at < 2)
    return FALSE;
  *tag = der->at[0];
  gsize length = der->at[1];
  const guint8 *at = der->at + 2;
  if ((*tag & 0x1f) == 0x1f)
    return FALSE;
  if (length & 0x80) {
    guint count = length & 0x7f;
    if (count == 0 || count > 4 || der->end - at < (gssize) count)
      return FALSE;
    for (length = 0; count; count--)
      length = length << 8 | *at++;
  }
  if (length > (gsize) (der->end - at))
    return FALSE;
  *value = (Der){ at, at + length };
  der->at = at + length;
  return TRUE;
}

static char *
hex(const guint8 *bytes, gsize length)
{
  static const char digits[] = "0123456789abcdef";
  char *text = g_malloc(2 * length + 1);
  for (gsize i = 0; i < length; i++) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  text[2 * length] = 0;
  return text;
}

/* --- names (RFC 4514) */

static char *
dotted(const SECItem *oid)
{
  char *text = CERT_GetOidString(oid);
  char *result = g_strdup(text ? (g_str_has_prefix(text, "OID.") ? text + 4 : text) : "?");
  if (text)
    PR_smprintf_free(text);
  return result;
}

static const char *
short_type(SECOidTag tag)
{
  switch (tag) {
  case SEC_OID_AVA_COMMON_NAME: return "CN";
  case SEC_OID_AVA_COUNTRY_NAME: return "C";
  case SEC_OID_AVA_LOCALITY: return "L";
  case SEC_OID_AVA_STATE_OR_PROVINCE: return "ST";
  case SEC_OID_AVA_STREET_ADDRESS: return "STREET";
  case SEC_OID_AVA_ORGANIZATION_NAME: return "O";
  case SEC_OID_AVA_ORGANIZATIONAL_UNIT_NAME: return "OU";
  case SEC_OID_AVA_DC: return "DC";
  case SEC_OID_RFC1274_UID: return "UID";
  case SEC_OID_RFC1274_MAIL: return "MAIL";
  case SEC_OID_PKCS9_EMAIL_ADDRESS: return "E";
  case SEC_OID_AVA_SURNAME: return "SN";
  case SEC_OID_AVA_GIVEN_NAME: return "givenName";
  case SEC_OID_AVA_SERIAL_NUMBER: return "serialNumber";
  case SEC_OID_AVA_TITLE: return "title";
  case SEC_OID_AVA_PSEUDONYM: return "pseudonym";
  default: return NULL;
  }
}

/* The value of one attribute as valid UTF-8: a NUL or a byte that is none becomes U+FFFD. NULL: no string. */
static char *
ava_text(CERTAVA *ava)
{
  SECItem *item = CERT_DecodeAVAValue(&ava->value);
  if (!item)
    return NULL;
  char *text = g_utf8_make_valid((const char *) item->data, MIN(item->len, NAME_MAX_BYTES));
  SECITEM_FreeItem(item, PR_TRUE);
  return text;
}

static void
append_escaped(GString *out, const char *text)
{
  gsize length = strlen(text);
  for (gsize i = 0; i < length; i++) {
    guchar c = text[i];
    gboolean edge = (c == ' ' && (i == 0 || i + 1 == length)) || (c == '#' && i == 0);
    if (c < 0x20 || c == 0x7f)
      g_string_append_printf(out, "\\%02X", c);
    else {
      if (edge || strchr(",+\"\\<>;=", c))
        g_string_append_c(out, '\\');
      g_string_append_c(out, c);
    }
  }
}

static void
append_ava(GString *out, CERTAVA *ava)
{
  const char *type = short_type(CERT_GetAVATag(ava));
  g_autofree char *oid = type ? NULL : dotted(&ava->type);
  g_string_append_printf(out, "%s=", type ? type : oid);
  g_autofree char *text = ava_text(ava);
  if (text) {
    append_escaped(out, text);
  } else {
    g_autofree char *raw = hex(ava->value.data, MIN(ava->value.len, 256));
    g_string_append_printf(out, "#%s", raw);
  }
}

/* The most specific part first, as RFC 4514 orders them. */
static char *
name_text(CERTName *name)
{
  GString *out = g_string_new(NULL);
  guint count = 0;
  while (name->rdns && name->rdns[count] && count < NAME_MAX_PARTS)
    count++;
  for (guint i = count; i-- > 0 && out->len < 4 * NAME_MAX_BYTES;) {
    if (out->len)
      g_string_append_c(out, ',');
    CERTAVA **avas = name->rdns[i]->avas;
    for (guint k = 0; avas && avas[k] && k < NAME_MAX_PARTS; k++) {
      if (k)
        g_string_append_c(out, '+');
      append_ava(out, avas[k]);
    }
  }
  return g_string_free(out, FALSE);
}

/* The last value of that type: the most specific one. */
static char *
name_part(CERTName *name, SECOidTag tag)
{
  char *found = NULL;
  for (guint i = 0; name->rdns && name->rdns[i] && i < NAME_MAX_PARTS; i++) {
    CERTAVA **avas = name->rdns[i]->avas;
    for (guint k = 0; avas && avas[k] && k < NAME_MAX_PARTS; k++) {
      if (CERT_GetAVATag(avas[k]) != tag)
        continue;
      g_autofree char *text = ava_text(avas[k]);
      if (!text || !*text)
        continue;
      g_free(found);
      found = g_steal_pointer(&text);
    }
  }
  return found;
}

/* --- addresses */

/* Takes only what can be an address, whole: no control, no blank, exactly one part on either side of the '@'. */
static void
add_address(GPtrArray *addresses, const guint8 *bytes, gsize length, gboolean utf8)
{
  if (length < 3 || length > ADDRESS_MAX_BYTES || addresses->len >= ADDRESSES_MAX)
    return;
  const guint8 *at = NULL;
  for (gsize i = 0; i < length; i++) {
    if (bytes[i] <= 0x20 || bytes[i] == 0x7f || (!utf8 && bytes[i] >= 0x80))
      return;
    if (bytes[i] == '@')
      at = bytes + i;
  }
  if (!at || at == bytes || at == bytes + length - 1)
    return;
  if (utf8) {
    const char *p = (const char *) bytes, *end = p + length;
    if (!g_utf8_validate_len(p, length, NULL))
      return;
    for (; p < end; p = g_utf8_next_char(p))
      if (g_unichar_iscntrl(g_utf8_get_char(p)) || g_unichar_isspace(g_utf8_get_char(p)))
        return;
  }
  g_autofree char *address = g_ascii_strdown((const char *) bytes, length);
  for (guint i = 0; i < addresses->len; i++)
    if (strcmp(addresses->pdata[i], address) == 0)
      return;
  g_ptr_array_add(addresses, g_steal_pointer(&address));
}

/* OtherName ::= SEQUENCE { type-id OID, value [0] EXPLICIT ANY }, here implicitly tagged [0]. */
static void
add_other_name(GPtrArray *addresses, Der value)
{
  static const guint8 smtp_utf8[] = { 0x2b, 6, 1, 5, 5, 7, 8, 9 }; /* 1.3.6.1.5.5.7.8.9, RFC 8398 */
  guint8 tag;
  Der oid, wrapped, text;
  if (!der_next(&value, &tag, &oid) || tag != 0x06 || oid.end - oid.at != sizeof smtp_utf8
      || memcmp(oid.at, smtp_utf8, sizeof smtp_utf8) != 0)
    return;
  if (der_next(&value, &tag, &wrapped) && tag == 0xa0 && der_next(&wrapped, &tag, &text) && tag == 0x0c)
    add_address(addresses, text.at, text.end - text.at, TRUE);
}

static void
add_alternative_names(GPtrArray *addresses, CERTCertificate *nss)
{
  SECItem item = { siBuffer, NULL, 0 };
  if (CERT_FindCertExtension(nss, SEC_OID_X509_SUBJECT_ALT_NAME, &item) != SECSuccess)
    return;
  Der whole = { item.data, item.data + item.len }, names, value;
  guint8 tag;
  if (der_next(&whole, &tag, &names) && tag == 0x30) {
    while (der_next(&names, &tag, &value)) {
      if (tag == 0x81)
        add_address(addresses, value.at, value.end - value.at, FALSE);
      else if (tag == 0xa0)
        add_other_name(addresses, value);
    }
  }
  SECITEM_FreeItem(&item, PR_FALSE);
}

static char **
read_addresses(CERTCertificate *nss)
{
  GPtrArray *addresses = g_ptr_array_new();
  add_alternative_names(addresses, nss);
  /* RFC 8550 3: the subject's is an address of old, for certificates that have none in their alternative names */
  for (guint i = 0; !addresses->len && nss->subject.rdns && nss->subject.rdns[i] && i < NAME_MAX_PARTS; i++) {
    CERTAVA **avas = nss->subject.rdns[i]->avas;
    for (guint k = 0; avas && avas[k] && k < NAME_MAX_PARTS; k++) {
      if (CERT_GetAVATag(avas[k]) != SEC_OID_PKCS9_EMAIL_ADDRESS)
        continue;
      g_autofree char *text = ava_text(avas[k]);
      if (text)
        add_address(addresses, (const guint8 *) text, strlen(text), FALSE);
    }
  }
  g_ptr_array_add(addresses, NULL);
  return (char **) g_ptr_array_free(addresses, FALSE);
}

/* --- algorithms */

typedef struct {
  const char *oid, *name;
} OidName;

static const OidName algorithm_names[] = {
  { "1.2.840.113549.1.1.1", "RSA" },
  { "1.2.840.113549.1.1.2", "RSA MD2" },
  { "1.2.840.113549.1.1.4", "RSA MD5" },
  { "1.2.840.113549.1.1.5", "RSA SHA-1" },
  { "1.2.840.113549.1.1.14", "RSA SHA-224" },
  { "1.2.840.113549.1.1.11", "RSA SHA-256" },
  { "1.2.840.113549.1.1.12", "RSA SHA-384" },
  { "1.2.840.113549.1.1.13", "RSA SHA-512" },
  { "1.3.14.3.2.29", "RSA SHA-1" },
  { "1.2.840.10045.4.1", "ECDSA SHA-1" },
  { "1.2.840.10045.4.3.1", "ECDSA SHA-224" },
  { "1.2.840.10045.4.3.2", "ECDSA SHA-256" },
  { "1.2.840.10045.4.3.3", "ECDSA SHA-384" },
  { "1.2.840.10045.4.3.4", "ECDSA SHA-512" },
  { "1.2.840.10040.4.1", "DSA" },
  { "1.2.840.10040.4.3", "DSA SHA-1" },
  { "2.16.840.1.101.3.4.3.2", "DSA SHA-256" },
  { "1.2.840.10046.2.1", "DH" },
  { "1.3.101.110", "X25519" },
  { "1.3.101.111", "X448" },
  { "1.3.101.112", "Ed25519" },
  { "1.3.101.113", "Ed448" },
  { "1.2.840.10045.3.1.7", "P-256" },
  { "1.3.132.0.34", "P-384" },
  { "1.3.132.0.35", "P-521" },
  { "1.3.132.0.10", "secp256k1" },
  { "1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1" },
  { "1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1" },
  { "1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1" },
  { "1.3.14.3.2.26", "SHA-1" },
  { "2.16.840.1.101.3.4.2.4", "SHA-224" },
  { "2.16.840.1.101.3.4.2.1", "SHA-256" },
  { "2.16.840.1.101.3.4.2.2", "SHA-384" },
  { "2.16.840.1.101.3.4.2.3", "SHA-512" },
};

static char *
oid_name(const SECItem *oid)
{
  g_autofree char *dots = dotted(oid);
  for (gsize i = 0; i < G_N_ELEMENTS(algorithm_names); i++)
    if (strcmp(algorithm_names[i].oid, dots) == 0)
      return g_strdup(algorithm_names[i].name);
  return g_steal_pointer(&dots);
}

/* The name of the OID that a DER element holds, or NULL. */
static char *
der_oid_name(Der der)
{
  guint8 tag;
  Der value;
  if (!der_next(&der, &tag, &value) || tag != 0x06)
    return NULL;
  SECItem oid = { siBuffer, (guint8 *) value.at, value.end - value.at };
  return oid_name(&oid);
}

/* RSASSA-PSS-params: hashAlgorithm [0] AlgorithmIdentifier DEFAULT sha1 (RFC 4055). */
static char *
pss_digest(const SECItem *parameters)
{
  Der whole = { parameters->data, parameters->data + parameters->len }, fields, value, algorithm;
  guint8 tag;
  if (parameters->len && der_next(&whole, &tag, &fields) && tag == 0x30 && der_next(&fields, &tag, &value)
      && tag == 0xa0 && der_next(&value, &tag, &algorithm) && tag == 0x30) {
    char *name = der_oid_name(algorithm);
    return name ? name : g_strdup("?");
  }
  return g_strdup("SHA-1");
}

static char *
signature_name(CERTCertificate *nss)
{
  SECAlgorithmID *algorithm = &nss->signature;
  if (SECOID_GetAlgorithmTag(algorithm) == SEC_OID_PKCS1_RSA_PSS_SIGNATURE) {
    g_autofree char *digest = pss_digest(&algorithm->parameters);
    return g_strdup_printf("RSA-PSS %s", digest);
  }
  return oid_name(&algorithm->algorithm);
}

static char *
key_name(CERTCertificate *nss)
{
  SECAlgorithmID *algorithm = &nss->subjectPublicKeyInfo.algorithm;
  SECOidTag tag = SECOID_GetAlgorithmTag(algorithm);
  if (tag == SEC_OID_ANSIX962_EC_PUBLIC_KEY) {
    const SECItem *parameters = &algorithm->parameters;
    Der der = { parameters->data, parameters->data + parameters->len };
    g_autofree char *curve = parameters->len ? der_oid_name(der) : NULL;
    return g_strdup_printf("EC %s", curve ? curve : "with its own parameters");
  }
  g_autofree char *name = tag == SEC_OID_PKCS1_RSA_PSS_SIGNATURE ? g_strdup("RSA-PSS") : oid_name(&algorithm->algorithm);
  if (tag == SEC_OID_PKCS1_RSA_ENCRYPTION || tag == SEC_OID_PKCS1_RSA_PSS_SIGNATURE
      || tag == SEC_OID_ANSIX9_DSA_SIGNATURE) {
    SECKEYPublicKey *key = CERT_ExtractPublicKey(nss);
    guint bits = key ? SECKEY_PublicKeyStrengthInBits(key) : 0;
    SECKEY_DestroyPublicKey(key);
    if (bits)
      return g_strdup_printf("%s %u", name, bits);
  }
  return g_steal_pointer(&name);
}

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
  cert->subject = name_text(&nss->subject);
  cert->issuer = name_text(&nss->issuer);
  cert->addresses = read_addresses(nss);
  cert->common_name = name_part(&nss->subject, SEC_OID_AVA_COMMON_NAME);
  if (!cert->common_name)
    cert->common_name = name_part(&nss->subject, SEC_OID_AVA_ORGANIZATION_NAME);
  if (!cert->common_name)
    cert->common_name = g_strdup(cert->addresses[0] ? cert->addresses[0] : cert->subject);
  cert->issuer_name = name_part(&nss->issuer, SEC_OID_AVA_COMMON_NAME);
  if (!cert->issuer_name)
    cert->issuer_name = name_part(&nss->issuer, SEC_OID_AVA_ORGANIZATION_NAME);
  if (!cert->issuer_name)
    cert->issuer_name = g_strdup(cert->issuer);
  cert->serial = hex(nss->serialNumber.data, MIN(nss->serialNumber.len, 256));
  cert->sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, cert->der);
  cert->key_name = key_name(nss);
  cert->signature_name = signature_name(nss);
  PRTime before = 0, after = 0;
  CERT_GetCertTimes(nss, &before, &after); /* fails on dates that do not exist: then 1970, valid never */
  cert->not_before = seconds(before);
  cert->not_after = seconds(after);
  return cert;
}

/* Exported by every NSS since 3.2; its header declares it under a name that the library does not export. */
extern CERTCertificate *__CERT_DecodeDERCertificate(SECItem *der, PRBool copy, char *nickname);

/* NSS keeps one certificate for an issuer and serial number, and gives the first one's for both. A second one,
 * which is never genuine but which must be seen for what it is, is held apart from NSS's store. */
static CERTCertificate *
decode(const guint8 *der, gsize length)
{
  SECItem item = { siDERCertBuffer, (guint8 *) der, length };
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
  Der whole = { der, der + length }, value;
  guint8 tag;
  if (length > CERT_MAX_BYTES || !der_next(&whole, &tag, &value) || tag != 0x30 || whole.at != whole.end) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED, "This is not a certificate, or a damaged one.");
    return NULL;
  }
  CERTCertificate *nss = decode(der, length);
  if (!nss) {
    crypto_error_set_nss(error, PORT_GetError(), "The certificate cannot be read");
    return NULL;
  }
  CryptoCert *cert = crypto_cert_wrap(nss);
  CERT_DestroyCertificate(nss);
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
  Der file = { bytes, bytes + length }, element, first;
  guint8 tag;
  const guint8 *start = file.at;
  if (length && bytes[0] == 0x30) {
    while (der_next(&file, &tag, &element) && tag == 0x30 && der_next(&element, &tag, &first) && tag == 0x30) {
      add_cert(certs, start, file.at - start);
      start = file.at;
    }
  }
  if (!certs->len && length > 2 && bytes[0] == 0x30)
    CERT_DecodeCertPackage((char *) bytes, (int) length, collect, certs);
}

static gboolean
is_cert_label(const char *label, gsize length)
{
  static const char *const labels[] = { "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "PKCS7", "CMS" };
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
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED, "The file is too large to hold certificates only.");
    return NULL;
  }
  GPtrArray *certs = g_ptr_array_new_with_free_func(unref_cert);
  if (!crypto_pem_each((const char *) bytes, length, on_pem, certs))
    add_der(certs, bytes, length);
  if (certs->len)
    return certs;
  g_ptr_array_unref(certs);
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED,
              "There is no certificate in this file. PEM, DER and PKCS#7 are understood here.");
  return NULL;
}

/* --- what it says */

GBytes *crypto_cert_der(CryptoCert *cert) { return cert->der; }
const char *crypto_cert_subject(CryptoCert *cert) { return cert->subject; }
const char *crypto_cert_issuer(CryptoCert *cert) { return cert->issuer; }
const char *crypto_cert_common_name(CryptoCert *cert) { return cert->common_name; }
const char *crypto_cert_issuer_name(CryptoCert *cert) { return cert->issuer_name; }
const char *crypto_cert_serial(CryptoCert *cert) { return cert->serial; }
const char *crypto_cert_sha256(CryptoCert *cert) { return cert->sha256; }
gint64 crypto_cert_not_before(CryptoCert *cert) { return cert->not_before; }
gint64 crypto_cert_not_after(CryptoCert *cert) { return cert->not_after; }
const char *crypto_cert_key_name(CryptoCert *cert) { return cert->key_name; }
const char *crypto_cert_signature_name(CryptoCert *cert) { return cert->signature_name; }

const char *const *
crypto_cert_addresses(CryptoCert *cert)
{
  return (const char *const *) cert->addresses;
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
  return has_key_usage(cert->nss, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION) && is_for_mail(cert->nss)
         && !g_str_has_prefix(cert->key_name, "X25519") && !g_str_has_prefix(cert->key_name, "X448");
}

gboolean
crypto_cert_can_encrypt(CryptoCert *cert)
{
  gboolean rsa = SECOID_GetAlgorithmTag(&cert->nss->subjectPublicKeyInfo.algorithm) == SEC_OID_PKCS1_RSA_ENCRYPTION;
  gboolean agrees = g_str_has_prefix(cert->key_name, "EC ") || g_str_has_prefix(cert->key_name, "X25519")
                    || g_str_has_prefix(cert->key_name, "X448");
  return (rsa || agrees) && has_key_usage(cert->nss, rsa ? KU_KEY_ENCIPHERMENT : KU_KEY_AGREEMENT)
         && is_for_mail(cert->nss);
}

gboolean
crypto_cert_key_hash(CERTCertificate *nss, guint8 hash[20])
{
  const SECItem *key = &nss->subjectPublicKeyInfo.subjectPublicKey; /* a bit string: the length is in bits */
  return HASH_HashBuf(HASH_AlgSHA1, hash, key->data, (key->len + 7) / 8) == SECSuccess;
}
