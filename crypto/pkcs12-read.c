#include "crypto/pkcs12-private.h"

#include <string.h>

enum {
  FILE_MAX_BYTES = 16 * 1024 * 1024,
  MAX_KEYS = 100,
  MAX_CERTS = 1000,
  MAX_NESTING = 4,
};

#define OID_DATA "1.2.840.113549.1.7.1"
#define OID_ENCRYPTED_DATA "1.2.840.113549.1.7.6"
#define OID_KEY_BAG "1.2.840.113549.1.12.10.1.1"
#define OID_SHROUDED_BAG "1.2.840.113549.1.12.10.1.2"
#define OID_CERT_BAG "1.2.840.113549.1.12.10.1.3"
#define OID_SAFE_BAG "1.2.840.113549.1.12.10.1.6"
#define OID_X509 "1.2.840.113549.1.9.22.1"
#define OID_FRIENDLY_NAME "1.2.840.113549.1.9.20"
#define OID_LOCAL_KEY_ID "1.2.840.113549.1.9.21"
#define OID_RSA "1.2.840.113549.1.1.1"
#define OID_RSA_PSS "1.2.840.113549.1.1.10"
#define OID_EC "1.2.840.10045.2.1"

typedef struct {
  CryptoPkcs12 *result;
  CryptoPkcs12Password password;
} Reader;

/* --- what is in it */

static void
key_free(gpointer data)
{
  CryptoPkcs12Key *key = data;
  g_bytes_unref(key->pkcs8);
  g_clear_pointer(&key->public_value, g_bytes_unref);
  g_clear_pointer(&key->local_id, g_bytes_unref);
  g_free(key->name);
  g_free(key);
}

static void
cert_free(gpointer data)
{
  CryptoPkcs12Cert *cert = data;
  crypto_cert_unref(cert->cert);
  g_clear_pointer(&cert->local_id, g_bytes_unref);
  g_free(cert->name);
  g_free(cert);
}

void
crypto_pkcs12_free(CryptoPkcs12 *file)
{
  if (!file)
    return;
  g_ptr_array_unref(file->keys);
  g_ptr_array_unref(file->certs);
  g_free(file->left_out);
  g_free(file);
}

static gboolean
is_oid(const CryptoBerItem *item, const char *dots)
{
  g_autofree char *have = crypto_ber_oid_dots(item);
  return have && strcmp(have, dots) == 0;
}

/* A copy of its own: what is cut out of a file here is small. */
static GBytes *
octet_string(const CryptoBerItem *item, gsize limit)
{
  if (item->tag & CRYPTO_BER_CONSTRUCTED)
    return crypto_ber_octets(NULL, item, limit);
  return item->length <= limit ? g_bytes_new(item->data, item->length) : NULL;
}

/* --- bags */

/* Attributes of a bag: SET OF SEQUENCE { OID, SET OF value }. */
static void
read_attributes(const CryptoBerItem *set, char **name, GBytes **local_id)
{
  CryptoBerReader attributes = crypto_ber_enter(set);
  CryptoBerItem attribute, oid, values, value;
  for (int i = 0; i < 32 && crypto_ber_expect(&attributes, CRYPTO_BER_SEQUENCE, &attribute); i++) {
    CryptoBerReader fields = crypto_ber_enter(&attribute), inner;
    if (!crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid) ||
        !crypto_ber_expect(&fields, CRYPTO_BER_SET, &values))
      continue;
    inner = crypto_ber_enter(&values);
    if (!crypto_ber_next(&inner, &value))
      continue;
    if (is_oid(&oid, OID_LOCAL_KEY_ID) && value.tag == CRYPTO_BER_OCTET_STRING && !*local_id)
      *local_id = g_bytes_new(value.data, value.length);
    else if (is_oid(&oid, OID_FRIENDLY_NAME) && value.length < 1024 && !*name)
      *name = g_convert((const char *)value.data, value.length, "UTF-8", "UTF-16BE", NULL, NULL, NULL);
  }
}

static gboolean
read_cert_bag(Reader *reader, const CryptoBerItem *value, const CryptoBerItem *attributes)
{
  CryptoBerReader outer = crypto_ber_enter(value), fields;
  CryptoBerItem bag, oid, wrapped, octets;
  if (!crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &bag))
    return FALSE;
  fields = crypto_ber_enter(&bag);
  if (!crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid) || !crypto_ber_next(&fields, &wrapped))
    return FALSE;
  if (!is_oid(&oid, OID_X509))
    return TRUE; /* an SDSI certificate: none of ours */
  fields = crypto_ber_enter(&wrapped);
  if (!crypto_ber_next(&fields, &octets))
    return FALSE;
  g_autoptr(GBytes) der = octet_string(&octets, 1024 * 1024);
  CryptoCert *cert = der ? crypto_cert_new(g_bytes_get_data(der, NULL), g_bytes_get_size(der), NULL) : NULL;
  if (!cert || reader->result->certs->len >= MAX_CERTS) {
    crypto_cert_unref(cert);
    return cert == NULL ? TRUE : FALSE; /* one that nobody can read does not spoil the rest */
  }
  CryptoPkcs12Cert *entry = g_new0(CryptoPkcs12Cert, 1);
  entry->cert = cert;
  if (attributes)
    read_attributes(attributes, &entry->name, &entry->local_id);
  g_ptr_array_add(reader->result->certs, entry);
  return TRUE;
}

static GBytes *
number(const CryptoBerItem *item)
{
  gsize skip = 0;
  while (skip + 1 < item->length && item->data[skip] == 0)
    skip++;
  return g_bytes_new(item->data + skip, item->length - skip);
}

/* What a private key says of its public half: RSAPrivateKey's modulus, ECPrivateKey's point. */
static GBytes *
public_half(const CryptoBerItem *octets, gboolean rsa)
{
  CryptoBerReader outer = crypto_ber_reader(octets->data, octets->length), fields;
  CryptoBerItem sequence, item;
  if (!crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &sequence))
    return NULL;
  fields = crypto_ber_enter(&sequence);
  if (!crypto_ber_expect(&fields, CRYPTO_BER_INTEGER, &item) || !crypto_ber_next(&fields, &item))
    return NULL;
  if (rsa)
    return number(&item);
  while (crypto_ber_next(&fields, &item)) {
    if (item.tag != (CRYPTO_BER_CONTEXT_CONSTRUCTED | 1))
      continue;
    CryptoBerReader inner = crypto_ber_enter(&item);
    if (crypto_ber_expect(&inner, CRYPTO_BER_BIT_STRING, &item) && item.length > 1)
      return g_bytes_new(item.data + 1, item.length - 1);
  }
  return NULL;
}

/* PrivateKeyInfo ::= SEQUENCE { version, algorithm, privateKey OCTET STRING, attributes [0] OPTIONAL } */
static gboolean
read_key(Reader *reader, GBytes *pkcs8, const CryptoBerItem *attributes)
{
  CryptoBerReader outer = crypto_ber_reader(g_bytes_get_data(pkcs8, NULL), g_bytes_get_size(pkcs8)), fields;
  CryptoBerItem info, version, algorithm, oid, octets;
  if (!crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &info))
    return FALSE;
  fields = crypto_ber_enter(&info);
  if (!crypto_ber_expect(&fields, CRYPTO_BER_INTEGER, &version) ||
      !crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &algorithm) ||
      !crypto_ber_expect(&fields, CRYPTO_BER_OCTET_STRING, &octets))
    return FALSE;
  fields = crypto_ber_enter(&algorithm);
  if (!crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid))
    return FALSE;
  gboolean rsa = is_oid(&oid, OID_RSA) || is_oid(&oid, OID_RSA_PSS);
  if (!rsa && !is_oid(&oid, OID_EC)) {
    g_autofree char *dots = crypto_ber_oid_dots(&oid);
    g_free(reader->result->left_out);
    reader->result->left_out = g_strdup(g_strcmp0(dots, "1.3.101.112") == 0         ? "Ed25519"
                                        : g_strcmp0(dots, "1.3.101.110") == 0       ? "X25519"
                                        : g_strcmp0(dots, "1.2.840.10040.4.1") == 0 ? "DSA"
                                                                                    : dots);
    return TRUE;
  }
  if (reader->result->keys->len >= MAX_KEYS)
    return FALSE;
  CryptoPkcs12Key *key = g_new0(CryptoPkcs12Key, 1);
  key->pkcs8 =
      g_bytes_new_from_bytes(pkcs8, info.start - (const guint8 *)g_bytes_get_data(pkcs8, NULL), info.total);
  key->public_value = public_half(&octets, rsa);
  if (attributes)
    read_attributes(attributes, &key->name, &key->local_id);
  g_ptr_array_add(reader->result->keys, key);
  return TRUE;
}

static gboolean
read_shrouded(Reader *reader, const CryptoBerItem *value, const CryptoBerItem *attributes, GError **error)
{
  CryptoBerReader outer = crypto_ber_enter(value), fields;
  CryptoBerItem info, algorithm, octets;
  if (!crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &info))
    return crypto_pkcs12_fail_malformed(error);
  fields = crypto_ber_enter(&info);
  if (!crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &algorithm) || !crypto_ber_next(&fields, &octets))
    return crypto_pkcs12_fail_malformed(error);
  g_autoptr(GBytes) data = octet_string(&octets, 1024 * 1024);
  if (!data)
    return crypto_pkcs12_fail_malformed(error);
  g_autoptr(GBytes) plain = crypto_pkcs12_password_decrypt(&reader->password, &algorithm, data, error);
  if (!plain)
    return FALSE;
  return read_key(reader, plain, attributes) || crypto_pkcs12_fail_malformed(error);
}

static gboolean
read_plain_key(Reader *reader, const CryptoBerItem *value, const CryptoBerItem *attributes, GError **error)
{
  g_autoptr(GBytes) pkcs8 = crypto_pkcs12_secret(g_memdup2(value->data, value->length), value->length);
  return read_key(reader, pkcs8, attributes) || crypto_pkcs12_fail_malformed(error);
}

static gboolean
read_bags(Reader *reader, const guint8 *bytes, gsize length, int depth, GError **error)
{
  CryptoBerReader outer = crypto_ber_reader(bytes, length), bags;
  CryptoBerItem sequence, bag, oid, value, set;
  if (depth > MAX_NESTING || !crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &sequence))
    return crypto_pkcs12_fail_malformed(error);
  bags = crypto_ber_enter(&sequence);
  while (crypto_ber_next(&bags, &bag)) {
    CryptoBerReader fields = crypto_ber_enter(&bag);
    if (bag.tag != CRYPTO_BER_SEQUENCE || !crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid) ||
        !crypto_ber_expect(&fields, CRYPTO_BER_CONTEXT_CONSTRUCTED, &value))
      return crypto_pkcs12_fail_malformed(error);
    const CryptoBerItem *attributes = crypto_ber_optional(&fields, CRYPTO_BER_SET, &set) ? &set : NULL;
    gboolean good = TRUE;
    if (is_oid(&oid, OID_CERT_BAG))
      good = read_cert_bag(reader, &value, attributes) || crypto_pkcs12_fail_malformed(error);
    else if (is_oid(&oid, OID_SHROUDED_BAG))
      good = read_shrouded(reader, &value, attributes, error);
    else if (is_oid(&oid, OID_KEY_BAG))
      good = read_plain_key(reader, &value, attributes, error);
    else if (is_oid(&oid, OID_SAFE_BAG))
      good = read_bags(reader, value.data, value.length, depth + 1, error);
    if (!good)
      return FALSE;
  }
  return crypto_ber_at_end(&bags) || crypto_pkcs12_fail_malformed(error);
}

/* EncryptedData ::= SEQUENCE { version, SEQUENCE { contentType, algorithm, content [0] IMPLICIT OCTET STRING } } */
static GBytes *
read_encrypted(Reader *reader, const CryptoBerItem *wrapped, GError **error)
{
  CryptoBerReader fields = crypto_ber_enter(wrapped);
  CryptoBerItem data, info, version, oid, algorithm, octets;
  if (!crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &data)) {
    crypto_pkcs12_fail_malformed(error);
    return NULL;
  }
  fields = crypto_ber_enter(&data);
  if (!crypto_ber_expect(&fields, CRYPTO_BER_INTEGER, &version) ||
      !crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &info)) {
    crypto_pkcs12_fail_malformed(error);
    return NULL;
  }
  fields = crypto_ber_enter(&info);
  g_autoptr(GBytes) content = NULL;
  if (crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid) &&
      crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &algorithm) && crypto_ber_next(&fields, &octets) &&
      (octets.tag & ~CRYPTO_BER_CONSTRUCTED) == CRYPTO_BER_CONTEXT)
    content = octet_string(&octets, FILE_MAX_BYTES);
  if (!content) {
    crypto_pkcs12_fail_malformed(error);
    return NULL;
  }
  return crypto_pkcs12_password_decrypt(&reader->password, &algorithm, content, error);
}

static gboolean
read_safe(Reader *reader, const CryptoBerItem *info, GError **error)
{
  CryptoBerReader fields = crypto_ber_enter(info);
  CryptoBerItem oid, wrapped, octets;
  if (!crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid) ||
      !crypto_ber_expect(&fields, CRYPTO_BER_CONTEXT_CONSTRUCTED, &wrapped))
    return crypto_pkcs12_fail_malformed(error);
  g_autoptr(GBytes) safe = NULL;
  if (is_oid(&oid, OID_DATA)) {
    CryptoBerReader inner = crypto_ber_enter(&wrapped);
    safe = crypto_ber_next(&inner, &octets) ? octet_string(&octets, FILE_MAX_BYTES) : NULL;
    if (!safe)
      return crypto_pkcs12_fail_malformed(error);
  } else if (is_oid(&oid, OID_ENCRYPTED_DATA)) {
    safe = read_encrypted(reader, &wrapped, error);
    if (!safe)
      return FALSE;
  } else {
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
        "The PKCS#12 file is protected by a public key and not by a password: that is not supported.");
    return FALSE;
  }
  return read_bags(reader, g_bytes_get_data(safe, NULL), g_bytes_get_size(safe), 0, error);
}

/* --- all of it */

static GBytes *
cert_public_value(CryptoCert *cert)
{
  SECKEYPublicKey *key = CERT_ExtractPublicKey(cert->nss);
  GBytes *value = NULL;
  if (key && key->keyType == rsaKey) {
    const CryptoBerItem modulus = { .data = key->u.rsa.modulus.data, .length = key->u.rsa.modulus.len };
    value = number(&modulus);
  } else if (key && key->keyType == ecKey) {
    value = g_bytes_new(key->u.ec.publicValue.data, key->u.ec.publicValue.len);
  }
  SECKEY_DestroyPublicKey(key);
  return value;
}

/* By the public key where the private one tells it, else by the identifier that ties the two bags together. */
static gboolean
belong_together(const CryptoPkcs12Key *key, const CryptoPkcs12Cert *cert, GBytes *value)
{
  if (key->public_value && value)
    return g_bytes_equal(key->public_value, value);
  return key->local_id && cert->local_id && g_bytes_equal(key->local_id, cert->local_id);
}

static int
own_first(gconstpointer a, gconstpointer b)
{
  const CryptoPkcs12Cert *x = *(CryptoPkcs12Cert *const *)a, *y = *(CryptoPkcs12Cert *const *)b;
  return (y->key != NULL) - (x->key != NULL);
}

static void
join(CryptoPkcs12 *file)
{
  for (guint i = 0; i < file->certs->len; i++) {
    CryptoPkcs12Cert *cert = file->certs->pdata[i];
    g_autoptr(GBytes) value = cert_public_value(cert->cert);
    for (guint k = 0; k < file->keys->len && !cert->key; k++)
      if (belong_together(file->keys->pdata[k], cert, value))
        cert->key = file->keys->pdata[k];
    if (cert->key && !cert->name)
      cert->name = g_strdup(cert->key->name);
  }
  g_ptr_array_sort(file->certs, own_first); /* a stable sort */
}

/* PFX ::= SEQUENCE { version, authSafe ContentInfo, macData OPTIONAL } */
static gboolean
read_file(Reader *reader, GBytes *file, GError **error)
{
  CryptoBerReader outer = crypto_ber_reader(g_bytes_get_data(file, NULL), g_bytes_get_size(file)), fields,
                  inner;
  CryptoBerItem pfx, version, info, oid, wrapped, octets, mac, list;
  if (!crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &pfx))
    return crypto_pkcs12_fail_malformed(error);
  fields = crypto_ber_enter(&pfx);
  if (!crypto_ber_expect(&fields, CRYPTO_BER_INTEGER, &version) || crypto_ber_small(&version) != 3 ||
      !crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &info))
    return crypto_pkcs12_fail_malformed(error);
  inner = crypto_ber_enter(&info);
  if (!crypto_ber_expect(&inner, CRYPTO_BER_OID, &oid) ||
      !crypto_ber_expect(&inner, CRYPTO_BER_CONTEXT_CONSTRUCTED, &wrapped))
    return crypto_pkcs12_fail_malformed(error);
  if (!is_oid(&oid, OID_DATA)) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The PKCS#12 file is signed instead of protected by a password: that is not supported.");
    return FALSE;
  }
  inner = crypto_ber_enter(&wrapped);
  g_autoptr(GBytes) content = crypto_ber_next(&inner, &octets) ? octet_string(&octets, FILE_MAX_BYTES) : NULL;
  if (!content)
    return crypto_pkcs12_fail_malformed(error);
  if (crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &mac) &&
      !crypto_pkcs12_password_check(&reader->password, &mac, content, error))
    return FALSE;
  outer = crypto_ber_reader(g_bytes_get_data(content, NULL), g_bytes_get_size(content));
  if (!crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &list))
    return crypto_pkcs12_fail_malformed(error);
  inner = crypto_ber_enter(&list);
  while (crypto_ber_expect(&inner, CRYPTO_BER_SEQUENCE, &info))
    if (!read_safe(reader, &info, error))
      return FALSE;
  return crypto_ber_at_end(&inner) || crypto_pkcs12_fail_malformed(error);
}

/* Some programs write it as PEM ("PKCS12"); the first one counts. */
static void
on_pem(const char *label, gsize label_length, const char *body, gsize length, gpointer data)
{
  GBytes **der = data;
  if (*der || label_length != 6 || memcmp(label, "PKCS12", 6) != 0)
    return;
  g_autofree char *text = g_strndup(body, length);
  gsize size = 0;
  guchar *bytes = g_base64_decode(text, &size);
  *der = g_bytes_new_take(bytes, size);
}

CryptoPkcs12 *
crypto_pkcs12_read(GBytes *file, const char *password, GError **error)
{
  if (g_bytes_get_size(file) > FILE_MAX_BYTES) {
    crypto_pkcs12_fail_malformed(error);
    return NULL;
  }
  g_autoptr(GBytes) unwrapped = NULL;
  crypto_pem_each(g_bytes_get_data(file, NULL), g_bytes_get_size(file), on_pem, &unwrapped);
  if (unwrapped)
    file = unwrapped;
  g_autoptr(CryptoPkcs12) result = g_new0(CryptoPkcs12, 1);
  result->keys = g_ptr_array_new_with_free_func(key_free);
  result->certs = g_ptr_array_new_with_free_func(cert_free);
  Reader reader = { .result = result };
  crypto_pkcs12_password_init(&reader.password, password);
  gboolean read = read_file(&reader, file, error);
  crypto_pkcs12_password_clear(&reader.password);
  if (!read)
    return NULL;
  join(result);
  return g_steal_pointer(&result);
}

/* NSS takes an EC key only with its point in it, which the format leaves optional: put it in. */
static GBytes *
with_point(CryptoPkcs12Key *key, CryptoCert *cert)
{
  if (key->public_value)
    return g_bytes_ref(key->pkcs8);
  CryptoBerReader outer = crypto_ber_reader(g_bytes_get_data(key->pkcs8, NULL), g_bytes_get_size(key->pkcs8)),
                  fields;
  CryptoBerItem info, version, algorithm, octets, private;
  g_autoptr(GBytes) point = cert_public_value(cert);
  if (!point || !crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &info))
    return g_bytes_ref(key->pkcs8);
  fields = crypto_ber_enter(&info);
  if (!crypto_ber_expect(&fields, CRYPTO_BER_INTEGER, &version) ||
      !crypto_ber_expect(&fields, CRYPTO_BER_SEQUENCE, &algorithm) ||
      !crypto_ber_expect(&fields, CRYPTO_BER_OCTET_STRING, &octets))
    return g_bytes_ref(key->pkcs8);
  outer = crypto_ber_reader(octets.data, octets.length);
  if (!crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &private))
    return g_bytes_ref(key->pkcs8);

  gsize size = g_bytes_get_size(point);
  g_autoptr(GByteArray) bits = g_byte_array_sized_new(size + 16);
  const guint8 unused = 0;
  g_byte_array_append(bits, &unused, 1);
  g_byte_array_append(bits, g_bytes_get_data(point, NULL), size);
  crypto_ber_wrap(bits, CRYPTO_BER_BIT_STRING);
  crypto_ber_wrap(bits, CRYPTO_BER_CONTEXT_CONSTRUCTED | 1);
  gsize inner = private.length + bits->len;
  gsize sequence = crypto_ber_header_size(inner) + inner;
  gsize total = version.total + algorithm.total + crypto_ber_header_size(sequence) + sequence;
  GByteArray *out = g_byte_array_sized_new(total + 32); /* sized once: no copy of the secret is left behind */
  crypto_ber_put_header(out, CRYPTO_BER_SEQUENCE, total);
  g_byte_array_append(out, version.start, version.total);
  g_byte_array_append(out, algorithm.start, algorithm.total);
  crypto_ber_put_header(out, CRYPTO_BER_OCTET_STRING, sequence);
  crypto_ber_put_header(out, CRYPTO_BER_SEQUENCE, inner);
  g_byte_array_append(out, private.data, private.length);
  g_byte_array_append(out, bits->data, bits->len);
  gsize length = out->len;
  return crypto_pkcs12_secret(g_byte_array_free(out, FALSE), length);
}

SECKEYPrivateKey *
crypto_pkcs12_import_key(CryptoPkcs12Key *key, CryptoCert *cert, PK11SlotInfo *slot, gboolean permanent,
                         const char *nickname, CryptoPinSource *pin, GError **error)
{
  g_autoptr(GBytes) pkcs8 = with_point(key, cert);
  SECItem der = { siBuffer, (guint8 *)g_bytes_get_data(pkcs8, NULL), g_bytes_get_size(pkcs8) };
  SECItem name = { siAsciiString, (guint8 *)nickname, nickname ? strlen(nickname) : 0 };
  SECKEYPrivateKey *result = NULL;
  SECStatus rv = PK11_ImportDERPrivateKeyInfoAndReturnKey(slot, &der, nickname ? &name : NULL, NULL,
                                                          permanent, permanent, KU_ALL, &result, pin);
  if (rv == SECSuccess && result)
    return result;
  crypto_error_set_nss(error, PORT_GetError(), "The private key cannot be imported");
  return NULL;
}

gboolean
crypto_pkcs12_fail_empty(CryptoPkcs12 *file, GError **error)
{
  if (file->left_out)
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The key in the file is of a kind (%s) that this version of NSS cannot use.", file->left_out);
  else if (file->keys->len)
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY,
                "There is a private key in the file, but not its certificate. Export both together.");
  else
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY, "There is no private key in the file.");
  return FALSE;
}
