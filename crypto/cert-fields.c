#include <prprf.h>
#include <secoid.h>
#include <string.h>

#include "crypto/ber.h"
#include "crypto/cert-private.h"

/* Names, addresses and algorithms of a certificate, taken from its DER here: NSS folds, drops and cuts them (an
 * embedded NUL, the second address, SmtpUTF8Mailbox). */
enum {
  NAME_MAX_PARTS = 128,
  NAME_MAX_BYTES = 4096,
  ADDRESS_MAX_BYTES = 512,
  ADDRESSES_MAX = 1000,
};

char *
crypto_cert_hex(const guint8 *bytes, gsize length)
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
  case SEC_OID_AVA_COMMON_NAME:
    return "CN";
  case SEC_OID_AVA_COUNTRY_NAME:
    return "C";
  case SEC_OID_AVA_LOCALITY:
    return "L";
  case SEC_OID_AVA_STATE_OR_PROVINCE:
    return "ST";
  case SEC_OID_AVA_STREET_ADDRESS:
    return "STREET";
  case SEC_OID_AVA_ORGANIZATION_NAME:
    return "O";
  case SEC_OID_AVA_ORGANIZATIONAL_UNIT_NAME:
    return "OU";
  case SEC_OID_AVA_DC:
    return "DC";
  case SEC_OID_RFC1274_UID:
    return "UID";
  case SEC_OID_RFC1274_MAIL:
    return "MAIL";
  case SEC_OID_PKCS9_EMAIL_ADDRESS:
    return "E";
  case SEC_OID_AVA_SURNAME:
    return "SN";
  case SEC_OID_AVA_GIVEN_NAME:
    return "givenName";
  case SEC_OID_AVA_SERIAL_NUMBER:
    return "serialNumber";
  case SEC_OID_AVA_TITLE:
    return "title";
  case SEC_OID_AVA_PSEUDONYM:
    return "pseudonym";
  default:
    return NULL;
  }
}

/* The value of one attribute as valid UTF-8: a NUL or a byte that is none becomes U+FFFD. NULL: no string. */
static char *
ava_text(CERTAVA *ava)
{
  SECItem *item = CERT_DecodeAVAValue(&ava->value);
  if (!item)
    return NULL;
  char *text = g_utf8_make_valid((const char *)item->data, MIN(item->len, NAME_MAX_BYTES));
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
    g_autofree char *raw = crypto_cert_hex(ava->value.data, MIN(ava->value.len, 256));
    g_string_append_printf(out, "#%s", raw);
  }
}

/* The most specific part first, as RFC 4514 orders them. */
char *
crypto_cert_name_text(CERTName *name)
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
char *
crypto_cert_name_part(CERTName *name, SECOidTag tag)
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
    const char *p = (const char *)bytes, *end = p + length;
    if (!g_utf8_validate_len(p, length, NULL))
      return;
    for (; p < end; p = g_utf8_next_char(p))
      if (g_unichar_iscntrl(g_utf8_get_char(p)) || g_unichar_isspace(g_utf8_get_char(p)))
        return;
  }
  g_autofree char *address = g_ascii_strdown((const char *)bytes, length);
  for (guint i = 0; i < addresses->len; i++)
    if (strcmp(addresses->pdata[i], address) == 0)
      return;
  g_ptr_array_add(addresses, g_steal_pointer(&address));
}

/* OtherName ::= SEQUENCE { type-id OID, value [0] EXPLICIT ANY }, here implicitly tagged [0]. */
static void
add_other_name(GPtrArray *addresses, const CryptoBerItem *name)
{
  static const guint8 smtp_utf8[] = { 0x2b, 6, 1, 5, 5, 7, 8, 9 }; /* 1.3.6.1.5.5.7.8.9, RFC 8398 */
  enum { UTF8_STRING = 0x0c };
  CryptoBerReader fields = crypto_ber_enter(name), inner;
  CryptoBerItem oid, wrapped, text;
  if (!crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid) ||
      !crypto_ber_is(&oid, smtp_utf8, sizeof smtp_utf8) ||
      !crypto_ber_expect(&fields, CRYPTO_BER_CONTEXT_CONSTRUCTED, &wrapped))
    return;
  inner = crypto_ber_enter(&wrapped);
  if (crypto_ber_expect(&inner, UTF8_STRING, &text))
    add_address(addresses, text.data, text.length, TRUE);
}

static void
add_alternative_names(GPtrArray *addresses, CERTCertificate *nss)
{
  SECItem item = { siBuffer, NULL, 0 };
  if (CERT_FindCertExtension(nss, SEC_OID_X509_SUBJECT_ALT_NAME, &item) != SECSuccess)
    return;
  CryptoBerReader outer = crypto_ber_reader(item.data, item.len), names;
  CryptoBerItem whole, name;
  if (crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &whole)) {
    names = crypto_ber_enter(&whole);
    while (crypto_ber_next(&names, &name)) {
      if (name.tag == (CRYPTO_BER_CONTEXT | 1))
        add_address(addresses, name.data, name.length, FALSE);
      else if (name.tag == CRYPTO_BER_CONTEXT_CONSTRUCTED)
        add_other_name(addresses, &name);
    }
  }
  SECITEM_FreeItem(&item, PR_FALSE);
}

char **
crypto_cert_read_addresses(CERTCertificate *nss)
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
        add_address(addresses, (const guint8 *)text, strlen(text), FALSE);
    }
  }
  g_ptr_array_add(addresses, NULL);
  return (char **)g_ptr_array_free(addresses, FALSE);
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
  { "1.3.14.3.2.15", "RSA SHA-1" },
  { "1.3.14.3.2.29", "RSA SHA-1" },
  { "1.2.840.10045.4.1", "ECDSA SHA-1" },
  { "1.2.840.10045.4.3.1", "ECDSA SHA-224" },
  { "1.2.840.10045.4.3.2", "ECDSA SHA-256" },
  { "1.2.840.10045.4.3.3", "ECDSA SHA-384" },
  { "1.2.840.10045.4.3.4", "ECDSA SHA-512" },
  { "1.2.840.10040.4.1", "DSA" },
  { "1.2.840.10040.4.3", "DSA SHA-1" },
  { "1.3.14.3.2.27", "DSA SHA-1" },
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

/* The name of the OID that @reader stands at, or NULL. */
static char *
next_oid_name(CryptoBerReader reader)
{
  CryptoBerItem value;
  if (!crypto_ber_expect(&reader, CRYPTO_BER_OID, &value))
    return NULL;
  SECItem oid = { siBuffer, (guint8 *)value.data, value.length };
  return oid_name(&oid);
}

/* RSASSA-PSS-params: hashAlgorithm [0] AlgorithmIdentifier DEFAULT sha1 (RFC 4055). */
static char *
pss_digest(const SECItem *parameters)
{
  CryptoBerReader reader = crypto_ber_reader(parameters->data, parameters->len);
  CryptoBerItem whole, wrapped, algorithm;
  if (!crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &whole))
    return g_strdup("SHA-1");
  reader = crypto_ber_enter(&whole);
  if (!crypto_ber_expect(&reader, CRYPTO_BER_CONTEXT_CONSTRUCTED, &wrapped))
    return g_strdup("SHA-1");
  reader = crypto_ber_enter(&wrapped);
  char *name = crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &algorithm)
                   ? next_oid_name(crypto_ber_enter(&algorithm))
                   : NULL;
  return name ? name : g_strdup("?");
}

char *
crypto_cert_algorithm_name(const SECAlgorithmID *algorithm)
{
  if (SECOID_GetAlgorithmTag(algorithm) == SEC_OID_PKCS1_RSA_PSS_SIGNATURE) {
    g_autofree char *digest = pss_digest(&algorithm->parameters);
    return g_strdup_printf("RSA-PSS %s", digest);
  }
  return oid_name(&algorithm->algorithm);
}

gboolean
crypto_cert_name_is_weak(const char *name)
{
  return g_str_has_suffix(name, " SHA-1") || g_str_has_suffix(name, " MD5") || g_str_has_suffix(name, " MD2");
}

char *
crypto_cert_read_key_name(CERTCertificate *nss)
{
  SECAlgorithmID *algorithm = &nss->subjectPublicKeyInfo.algorithm;
  SECOidTag tag = SECOID_GetAlgorithmTag(algorithm);
  if (tag == SEC_OID_ANSIX962_EC_PUBLIC_KEY) {
    const SECItem *parameters = &algorithm->parameters;
    g_autofree char *curve = next_oid_name(crypto_ber_reader(parameters->data, parameters->len));
    return g_strdup_printf("EC %s", curve ? curve : "with its own parameters");
  }
  g_autofree char *name =
      tag == SEC_OID_PKCS1_RSA_PSS_SIGNATURE ? g_strdup("RSA-PSS") : oid_name(&algorithm->algorithm);
  if (tag == SEC_OID_PKCS1_RSA_ENCRYPTION || tag == SEC_OID_PKCS1_RSA_PSS_SIGNATURE ||
      tag == SEC_OID_ANSIX9_DSA_SIGNATURE) {
    SECKEYPublicKey *key = CERT_ExtractPublicKey(nss);
    guint bits = key ? SECKEY_PublicKeyStrengthInBits(key) : 0;
    SECKEY_DestroyPublicKey(key);
    if (bits)
      return g_strdup_printf("%s %u", name, bits);
  }
  return g_steal_pointer(&name);
}
