#include "crypto/cms-private.h"
#include "crypto/cms-write.h"

/* SMIMECapabilities (RFC 8551 2.5.2): what we announce, and what others did. */

enum { CAPABILITIES_MAX = 200 };

static const struct {
  CryptoOid oid;
  CryptoCapability bit;
} known[] = {
  { CRYPTO_OID_AES256_GCM, CRYPTO_CAN_AES256_GCM },     { CRYPTO_OID_AES128_GCM, CRYPTO_CAN_AES128_GCM },
  { CRYPTO_OID_AES256_CBC, CRYPTO_CAN_AES256_CBC },     { CRYPTO_OID_AES128_CBC, CRYPTO_CAN_AES128_CBC },
  { CRYPTO_OID_RSA_PSS, CRYPTO_CAN_RSA_PSS },           { CRYPTO_OID_RSA_OAEP, CRYPTO_CAN_RSA_OAEP },
  { CRYPTO_OID_ECDH_STD_SHA256, CRYPTO_CAN_ECDH },      { CRYPTO_OID_ECDH_STD_SHA384, CRYPTO_CAN_ECDH },
  { CRYPTO_OID_ECDH_STD_SHA512, CRYPTO_CAN_ECDH },      { CRYPTO_OID_ECDH_COFACTOR_SHA256, CRYPTO_CAN_ECDH },
  { CRYPTO_OID_ECDH_COFACTOR_SHA384, CRYPTO_CAN_ECDH }, { CRYPTO_OID_ECDH_COFACTOR_SHA512, CRYPTO_CAN_ECDH },
};

/* RSASSA-PSS and RSAES-OAEP are announced with the digest that goes with them (RFC 4055 3 and 4); an empty
 * SEQUENCE is SHA-1's. Without any parameters RFC 8551's own SHA-256 is meant. */
static gboolean
takes_sha256(CryptoOid oid, const CryptoBerItem *parameters)
{
  CryptoCmsRsaParameters rsa = { 0 };
  g_autofree char *unknown = NULL;
  if (parameters->tag == 0 || parameters->tag == CRYPTO_BER_NULL)
    return TRUE;
  gboolean read = oid == CRYPTO_OID_RSA_PSS ? crypto_cms_read_pss(parameters, &rsa, &unknown)
                                            : crypto_cms_read_oaep(parameters, &rsa, &unknown);
  return read && rsa.digest->oid == CRYPTO_OID_SHA256 && rsa.mgf->oid == CRYPTO_OID_SHA256;
}

guint
crypto_cms_capabilities(GBytes *der)
{
  gsize length = 0;
  const guint8 *data = der ? g_bytes_get_data(der, &length) : NULL;
  CryptoBerReader outer = crypto_ber_reader(data, length);
  CryptoBerItem list, item;
  guint bits = 0, count = 0;
  if (!data || !crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &list))
    return 0;
  CryptoBerReader each = crypto_ber_enter(&list);
  while (count++ < CAPABILITIES_MAX && crypto_ber_expect(&each, CRYPTO_BER_SEQUENCE, &item)) {
    CryptoCmsAlgorithm algorithm;
    if (!crypto_cms_read_algorithm(&item, &algorithm))
      return 0;
    gboolean rsa = algorithm.oid == CRYPTO_OID_RSA_PSS || algorithm.oid == CRYPTO_OID_RSA_OAEP;
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
      if (known[i].oid == algorithm.oid && (!rsa || takes_sha256(algorithm.oid, &algorithm.parameters)))
        bits |= known[i].bit;
  }
  return crypto_ber_at_end(&each) ? bits : 0;
}

static void
put_agreement(GByteArray *list, CryptoOid scheme, CryptoOid wrap)
{
  g_autoptr(GByteArray) parameters = g_byte_array_new();
  crypto_cms_put_algorithm(parameters, wrap, NULL);
  crypto_cms_put_algorithm(list, scheme, parameters);
}

/* What we can read, the best first. RC2, DES and 3DES are never offered. */
GBytes *
crypto_cms_own_capabilities(CryptoCert *cert)
{
  static const CryptoOid content[] = { CRYPTO_OID_AES256_GCM, CRYPTO_OID_AES128_GCM, CRYPTO_OID_AES256_CBC,
                                       CRYPTO_OID_AES128_CBC };
  const CryptoCmsDigest *sha256 = crypto_cms_digest(CRYPTO_OID_SHA256);
  g_autoptr(GByteArray) list = g_byte_array_new(), oaep = g_byte_array_new(), pss = g_byte_array_new();
  g_autoptr(GByteArray) salt = g_byte_array_new();
  for (guint i = 0; i < G_N_ELEMENTS(content); i++)
    crypto_cms_put_algorithm(list, content[i], NULL);
  g_autofree char *token = cert ? crypto_keys_token(cert) : NULL;
  if (!token) {
    crypto_cms_put_rsa_parameters(oaep, sha256);
    crypto_ber_wrap(oaep, CRYPTO_BER_SEQUENCE);
    crypto_cms_put_algorithm(list, CRYPTO_OID_RSA_OAEP, oaep);
  }
  put_agreement(list, CRYPTO_OID_ECDH_STD_SHA256, CRYPTO_OID_AES256_WRAP);
  put_agreement(list, CRYPTO_OID_ECDH_STD_SHA256, CRYPTO_OID_AES128_WRAP);
  put_agreement(list, CRYPTO_OID_ECDH_STD_SHA384, CRYPTO_OID_AES256_WRAP);
  put_agreement(list, CRYPTO_OID_ECDH_STD_SHA512, CRYPTO_OID_AES256_WRAP);
  crypto_cms_put_rsa_parameters(pss, sha256);
  crypto_ber_put_small(salt, sha256->length);
  crypto_ber_put_array(pss, CRYPTO_BER_CONTEXT_CONSTRUCTED + 2, salt);
  crypto_ber_wrap(pss, CRYPTO_BER_SEQUENCE);
  crypto_cms_put_algorithm(list, CRYPTO_OID_RSA_PSS, pss);
  crypto_ber_wrap(list, CRYPTO_BER_SEQUENCE);
  return g_byte_array_free_to_bytes(g_steal_pointer(&list));
}

CryptoCert *
crypto_cms_preferred_cert(const CryptoSigner *signer, GPtrArray *certs)
{
  gsize length = 0;
  const guint8 *data =
      signer->encryption_cert_id ? g_bytes_get_data(signer->encryption_cert_id, &length) : NULL;
  CryptoBerReader reader = crypto_ber_reader(data, length);
  CryptoBerItem item;
  CryptoCmsId id = { .by_key_id = TRUE };
  if (!data || !crypto_ber_next(&reader, &item))
    return NULL;
  CryptoBerReader inside = crypto_ber_enter(&item);
  if (item.tag == CRYPTO_BER_CONTEXT + 2) /* SubjectKeyIdentifier */
    id.key_id = item;
  else if (item.tag == CRYPTO_BER_CONTEXT_CONSTRUCTED + 1) { /* RecipientKeyIdentifier */
    if (!crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &id.key_id))
      return NULL;
  } else if (item.tag != CRYPTO_BER_CONTEXT_CONSTRUCTED || !crypto_cms_read_id(&item, &id))
    return NULL;
  for (guint i = 0; i < certs->len; i++)
    if (crypto_cms_id_fits(&id, certs->pdata[i]))
      return crypto_cert_ref(certs->pdata[i]);
  return NULL;
}
