#include "crypto/cms-private.h"

#include <sechash.h>
#include <string.h>

/* Signed attributes (RFC 5652 5.3 and 11, RFC 5035, RFC 6211). */

typedef struct {
  CryptoOid oid;
  CryptoBerItem whole; /* the Attribute */
  CryptoBerItem value; /* the first value */
  guint values;
} Attribute;

static gboolean
broken(CryptoSigner *signer, const char *rule)
{
  signer->state = CRYPTO_SIGNATURE_FORGED;
  g_free(signer->reason);
  signer->reason = g_strdup_printf("The signature breaks a rule: %s. It proves nothing.", rule);
  return FALSE;
}

static gboolean
read_attribute(CryptoBerReader *reader, Attribute *attribute)
{
  *attribute = (Attribute){ .oid = CRYPTO_OID_UNKNOWN };
  if (!crypto_ber_expect(reader, CRYPTO_BER_SEQUENCE, &attribute->whole))
    return FALSE;
  CryptoBerReader inside = crypto_ber_enter(&attribute->whole);
  CryptoBerItem name, values;
  if (!crypto_ber_expect(&inside, CRYPTO_BER_OID, &name) ||
      !crypto_ber_expect(&inside, CRYPTO_BER_SET, &values) || !crypto_ber_at_end(&inside))
    return FALSE;
  attribute->oid = crypto_oid_find(&name);
  CryptoBerReader each = crypto_ber_enter(&values);
  while (!crypto_ber_at_end(&each)) {
    CryptoBerItem value;
    if (!crypto_ber_next(&each, &value))
      return FALSE;
    if (attribute->values++ == 0)
      attribute->value = value;
  }
  return TRUE;
}

/* The attribute of this kind. FALSE: a rule about it is broken; tag 0 of its value: not there. */
static gboolean
find_single(const CryptoBerItem *set, CryptoOid oid, CryptoSigner *signer, Attribute *found)
{
  CryptoBerReader reader = crypto_ber_enter(set);
  guint count = 0;
  *found = (Attribute){ .oid = oid };
  while (!crypto_ber_at_end(&reader)) {
    Attribute attribute;
    if (!read_attribute(&reader, &attribute) || ++count > CRYPTO_CMS_ATTRIBUTES_MAX)
      return broken(signer, "its signed attributes are malformed or too many");
    if (attribute.oid != oid)
      continue;
    if (found->values > 0 || attribute.values != 1) {
      g_autofree char *rule = g_strdup_printf(
          "the attribute %s is there more than once, or has not exactly one value", crypto_oid_name(oid));
      return broken(signer, rule);
    }
    *found = attribute;
  }
  return TRUE;
}

static CryptoBerItem
find_first(const CryptoBerItem *set, CryptoOid oid)
{
  CryptoBerReader reader = crypto_ber_enter(set);
  Attribute attribute;
  while (read_attribute(&reader, &attribute))
    if (attribute.oid == oid && attribute.values > 0)
      return attribute.value;
  return (CryptoBerItem){ 0 };
}

static GBytes *
copy_first(const CryptoBerItem *set, CryptoOid oid)
{
  CryptoBerItem value = find_first(set, oid);
  return value.tag != 0 && value.total <= 64 * 1024 ? g_bytes_new(value.start, value.total) : NULL;
}

/* RFC 6211: the algorithms, once more, inside what is signed. */
static gboolean
check_protection(const CryptoCmsSignerInfo *info, CryptoSigner *signer)
{
  Attribute attribute;
  if (!find_single(&info->attributes, CRYPTO_OID_ALGORITHM_PROTECTION, signer, &attribute))
    return FALSE;
  if (attribute.values == 0)
    return TRUE;
  CryptoBerReader inside = crypto_ber_enter(&attribute.value);
  CryptoBerItem item;
  CryptoCmsAlgorithm digest, signature;
  if (attribute.value.tag != CRYPTO_BER_SEQUENCE || !crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &item) ||
      !crypto_cms_read_algorithm(&item, &digest) ||
      !crypto_ber_expect(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, &item) ||
      !crypto_cms_read_algorithm(&item, &signature) || !crypto_ber_equal(&digest.name, &info->digest.name) ||
      !crypto_ber_equal(&signature.name, &info->signature.name))
    return broken(signer, "it was made with other algorithms than it names");
  return TRUE;
}

gboolean
crypto_cms_read_attributes(CryptoCms *cms, const CryptoCmsSignerInfo *info, const guint8 *content_digest,
                           const CryptoCmsDigest *digest, CryptoSigner *signer, gboolean *altered)
{
  Attribute type, hash, time;
  const CryptoBerItem *set = &info->attributes;
  if (!find_single(set, CRYPTO_OID_CONTENT_TYPE, signer, &type) ||
      !find_single(set, CRYPTO_OID_MESSAGE_DIGEST, signer, &hash) ||
      !find_single(set, CRYPTO_OID_SIGNING_TIME, signer, &time))
    return FALSE;
  signer->has_signing_time = time.values > 0 && crypto_ber_time(&time.value, &signer->signing_time);
  signer->capabilities = copy_first(set, CRYPTO_OID_SMIME_CAPABILITIES);
  signer->encryption_cert_id = copy_first(set, CRYPTO_OID_ENCRYPTION_KEY_PREFERENCE);
  if (time.values > 0 && !signer->has_signing_time)
    return broken(signer, "its signing time is malformed");
  if (type.values == 0)
    return broken(signer, "the signed attributes do not say what kind of content was signed");
  if (!crypto_ber_equal(&type.value, &cms->content_name))
    return broken(signer, "another kind of content was signed than the one that is here");
  if (hash.values == 0)
    return broken(signer, "the signed attributes do not contain the digest of the message");
  if (hash.value.tag != CRYPTO_BER_OCTET_STRING)
    return broken(signer, "the digest in its signed attributes is malformed");
  *altered = !crypto_ber_is(&hash.value, content_digest, digest->length);
  return check_protection(info, signer);
}

/* RFC 5652 11 and RFC 5035 5.4: these speak for the signer, so they must be among what is signed. Anybody could
 * have added them outside. */
gboolean
crypto_cms_check_unsigned(const CryptoCmsSignerInfo *info, CryptoSigner *signer)
{
  CryptoBerReader reader = crypto_ber_enter(&info->unprotected);
  guint count = 0;
  while (info->unprotected.tag != 0 && !crypto_ber_at_end(&reader)) {
    Attribute attribute;
    if (!read_attribute(&reader, &attribute) || ++count > CRYPTO_CMS_ATTRIBUTES_MAX)
      return broken(signer, "its unsigned attributes are malformed or too many");
    if (attribute.oid == CRYPTO_OID_CONTENT_TYPE || attribute.oid == CRYPTO_OID_MESSAGE_DIGEST ||
        attribute.oid == CRYPTO_OID_SIGNING_TIME || attribute.oid == CRYPTO_OID_SIGNING_CERTIFICATE ||
        attribute.oid == CRYPTO_OID_SIGNING_CERTIFICATE_V2) {
      g_autofree char *rule =
          g_strdup_printf("the attribute %s is not signed", crypto_oid_name(attribute.oid));
      return broken(signer, rule);
    }
  }
  return TRUE;
}

/* --- ESSCertID, ESSCertIDv2 --- */

/* IssuerSerial: the serial number decides; the issuer's name must be among the general names. */
static gboolean
issuer_serial_fits(const CryptoBerItem *item, CryptoCert *cert)
{
  CryptoBerReader inside = crypto_ber_enter(item);
  CryptoBerItem names, serial, name;
  if (!crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &names) ||
      !crypto_ber_expect(&inside, CRYPTO_BER_INTEGER, &serial) ||
      !crypto_ber_is(&serial, cert->nss->serialNumber.data, cert->nss->serialNumber.len))
    return FALSE;
  CryptoBerReader each = crypto_ber_enter(&names);
  while (crypto_ber_next(&each, &name)) {
    CryptoBerReader directory = crypto_ber_enter(&name);
    CryptoBerItem issuer;
    if (name.tag == CRYPTO_BER_CONTEXT_CONSTRUCTED + 4 && crypto_ber_next(&directory, &issuer) &&
        issuer.total == cert->nss->derIssuer.len &&
        memcmp(issuer.start, cert->nss->derIssuer.data, issuer.total) == 0)
      return TRUE;
  }
  return FALSE;
}

/* One ESSCertID or ESSCertIDv2. FALSE with *unknown set: its digest is one that we cannot do. */
static gboolean
cert_id_fits(const CryptoBerItem *item, gboolean second_version, CryptoCert *cert, char **unknown)
{
  const CryptoCmsDigest *digest = crypto_cms_digest(second_version ? CRYPTO_OID_SHA256 : CRYPTO_OID_SHA1);
  CryptoBerReader inside = crypto_ber_enter(item);
  CryptoBerItem part, hash;
  if (second_version && crypto_ber_optional(&inside, CRYPTO_BER_SEQUENCE, &part)) {
    CryptoCmsAlgorithm algorithm;
    if (!crypto_cms_read_algorithm(&part, &algorithm))
      return FALSE;
    digest = crypto_cms_digest(algorithm.oid);
    if (!digest) {
      *unknown = crypto_oid_describe(&algorithm.name);
      return FALSE;
    }
  }
  guint8 result[CRYPTO_CMS_DIGEST_MAX];
  crypto_cms_digest_bytes(digest, cert->nss->derCert.data, cert->nss->derCert.len, result);
  if (!crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &hash) ||
      !crypto_ber_is(&hash, result, digest->length))
    return FALSE;
  return crypto_ber_at_end(&inside) ||
         (crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &part) && issuer_serial_fits(&part, cert));
}

static gboolean
check_signing_certificate(const CryptoCmsSignerInfo *info, CryptoOid oid, CryptoCert *cert,
                          CryptoSigner *signer)
{
  Attribute attribute;
  if (!find_single(&info->attributes, oid, signer, &attribute))
    return FALSE;
  if (attribute.values == 0)
    return TRUE;
  CryptoBerReader inside = crypto_ber_enter(&attribute.value);
  CryptoBerItem certs, first;
  if (attribute.value.tag != CRYPTO_BER_SEQUENCE || !crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &certs))
    return broken(signer, "its note of the signing certificate is malformed");
  CryptoBerReader each = crypto_ber_enter(&certs);
  if (!crypto_ber_expect(&each, CRYPTO_BER_SEQUENCE, &first))
    return broken(signer, "its note of the signing certificate is malformed");
  g_autofree char *unknown = NULL;
  if (cert_id_fits(&first, oid == CRYPTO_OID_SIGNING_CERTIFICATE_V2, cert, &unknown))
    return TRUE;
  if (!unknown)
    return broken(signer, "the signer named another certificate than the one that it is checked with");
  signer->state = CRYPTO_SIGNATURE_UNSUPPORTED;
  g_free(signer->reason);
  signer->reason =
      g_strdup_printf("The signature names its certificate by a digest that is not supported (%s).", unknown);
  return FALSE;
}

gboolean
crypto_cms_attributes_name_cert(const CryptoCmsSignerInfo *info, CryptoCert *cert, CryptoSigner *signer)
{
  return info->attributes.tag == 0 ||
         (check_signing_certificate(info, CRYPTO_OID_SIGNING_CERTIFICATE, cert, signer) &&
          check_signing_certificate(info, CRYPTO_OID_SIGNING_CERTIFICATE_V2, cert, signer));
}

/* --- the bytes that were signed --- */

GByteArray *
crypto_cms_attributes_signed(const CryptoBerItem *attributes, gboolean sorted)
{
  GByteArray *out = g_byte_array_new();
  if (!sorted) {
    crypto_ber_put(out, CRYPTO_BER_SET, attributes->data, attributes->length);
    return out;
  }
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  CryptoBerReader reader = crypto_ber_enter(attributes);
  CryptoBerItem item;
  while (crypto_ber_next(&reader, &item))
    g_ptr_array_add(items, g_bytes_new_static(item.start, item.total));
  crypto_ber_put_set(out, CRYPTO_BER_SET, items);
  return out;
}

gboolean
crypto_cms_looks_like_attributes(const guint8 *data, gsize length)
{
  CryptoBerReader reader = crypto_ber_reader(data, length);
  CryptoBerItem set;
  if (!crypto_ber_expect(&reader, CRYPTO_BER_SET, &set))
    return FALSE;
  CryptoBerReader inside = crypto_ber_enter(&set);
  guint count = 0;
  Attribute attribute;
  while (!crypto_ber_at_end(&inside)) {
    if (!read_attribute(&inside, &attribute))
      return FALSE;
    count++;
  }
  return count > 0;
}
