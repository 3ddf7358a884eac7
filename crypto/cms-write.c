#include "crypto/cms-private.h"

#include <string.h>

/* What signing and encrypting share. */

GByteArray *
crypto_cms_head(CryptoOid type, const GByteArray *before, gsize rest)
{
  GByteArray *head = g_byte_array_new();
  g_autoptr(GByteArray) name = g_byte_array_new();
  gsize inner = before->len + rest, wrapped = crypto_ber_header_size(inner) + inner;
  crypto_oid_put(name, type);
  crypto_ber_put_header(head, CRYPTO_BER_SEQUENCE, name->len + crypto_ber_header_size(wrapped) + wrapped);
  g_byte_array_append(head, name->data, name->len);
  crypto_ber_put_header(head, CRYPTO_BER_CONTEXT_CONSTRUCTED, wrapped);
  crypto_ber_put_header(head, CRYPTO_BER_SEQUENCE, inner);
  g_byte_array_append(head, before->data, before->len);
  return head;
}

void
crypto_cms_put_id(GByteArray *out, CryptoCert *cert)
{
  const CERTCertificate *nss = cert->nss;
  g_autoptr(GByteArray) id = g_byte_array_new();
  g_byte_array_append(id, nss->derIssuer.data, nss->derIssuer.len);
  crypto_ber_put(id, CRYPTO_BER_INTEGER, nss->serialNumber.data, nss->serialNumber.len);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, id);
}

void
crypto_cms_put_algorithm(GByteArray *out, CryptoOid oid, const GByteArray *parameters)
{
  g_autoptr(GByteArray) algorithm = g_byte_array_new();
  crypto_oid_put(algorithm, oid);
  if (parameters)
    g_byte_array_append(algorithm, parameters->data, parameters->len);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, algorithm);
}

void
crypto_cms_put_null_algorithm(GByteArray *out, CryptoOid oid)
{
  g_autoptr(GByteArray) null = g_byte_array_new();
  crypto_ber_put(null, CRYPTO_BER_NULL, NULL, 0);
  crypto_cms_put_algorithm(out, oid, null);
}

/* The digest and the mask generation of RSASSA-PSS and RSAES-OAEP, the same digest in both. */
void
crypto_cms_put_rsa_parameters(GByteArray *out, const CryptoCmsDigest *digest)
{
  g_autoptr(GByteArray) hash = g_byte_array_new(), mgf = g_byte_array_new();
  crypto_cms_put_digest(hash, digest, TRUE);
  crypto_cms_put_algorithm(mgf, CRYPTO_OID_MGF1, hash);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED, hash);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, mgf);
}
