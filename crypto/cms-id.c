#include "crypto/cms-private.h"

#include <certdb.h>
#include <pk11pub.h>
#include <string.h>

/* Which certificate a SignerIdentifier or RecipientIdentifier means, and how to name it to a person. */

gboolean
crypto_cms_id_fits(const CryptoCmsId *id, CryptoCert *cert)
{
  const CERTCertificate *nss = cert->nss;
  if (id->by_key_id) /* NSS puts the SHA-1 of the key there where the extension is absent */
    return crypto_ber_is(&id->key_id, nss->subjectKeyID.data, nss->subjectKeyID.len);
  return crypto_ber_is(&id->serial, nss->serialNumber.data, nss->serialNumber.len) &&
         id->issuer.total == nss->derIssuer.len &&
         memcmp(id->issuer.start, nss->derIssuer.data, id->issuer.total) == 0;
}

/* The same of a certificate that NSS has not seen yet, so that a mail full of them costs little. */
gboolean
crypto_cms_id_fits_der(const CryptoCmsId *id, const CryptoBerItem *der)
{
  CryptoBerReader outer = crypto_ber_enter(der);
  CryptoBerItem tbs, version, serial, algorithm, issuer;
  if (!crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &tbs))
    return FALSE;
  CryptoBerReader inside = crypto_ber_enter(&tbs);
  crypto_ber_optional(&inside, CRYPTO_BER_CONTEXT_CONSTRUCTED, &version);
  return crypto_ber_expect(&inside, CRYPTO_BER_INTEGER, &serial) &&
         crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &algorithm) &&
         crypto_ber_expect(&inside, CRYPTO_BER_SEQUENCE, &issuer) &&
         crypto_ber_is(&id->serial, serial.data, serial.length) && crypto_ber_equal(&id->issuer, &issuer);
}

CryptoCert *
crypto_cms_id_lookup(const CryptoCmsId *id)
{
  CERTCertificate *found = NULL;
  GPtrArray *given = crypto_context_session_certs();
  for (guint i = 0; given && i < given->len; i++)
    if (crypto_cms_id_fits(id, given->pdata[i]))
      return crypto_cert_ref(given->pdata[i]);
  if (!id->by_key_id) {
    CERTIssuerAndSN name = { 0 };
    if (id->issuer.total > 64 * 1024 || id->serial.length > 64)
      return NULL;
    name.derIssuer = (SECItem){ siBuffer, (guint8 *)id->issuer.start, (unsigned)id->issuer.total };
    name.serialNumber = (SECItem){ siBuffer, (guint8 *)id->serial.data, (unsigned)id->serial.length };
    found = CERT_FindCertByIssuerAndSN(CERT_GetDefaultCertDB(), &name);
  } else if (id->key_id.length <= 64) {
    SECItem key = { siBuffer, (guint8 *)id->key_id.data, (unsigned)id->key_id.length };
    CERTCertList *list = PK11_ListCerts(PK11CertListUnique, NULL);
    for (CERTCertListNode *node = list ? CERT_LIST_HEAD(list) : NULL;
         node && !CERT_LIST_END(node, list) && !found; node = CERT_LIST_NEXT(node))
      if (SECITEM_ItemsAreEqual(&node->cert->subjectKeyID, &key))
        found = CERT_DupCertificate(node->cert);
    if (list)
      CERT_DestroyCertList(list);
  }
  if (!found)
    return NULL;
  /* One that another mail of this run has brought is not known here. */
  CryptoCert *cert = found->isperm || found->slot ? crypto_cert_wrap(found) : NULL;
  CERT_DestroyCertificate(found);
  return cert;
}

static char *
hex(const CryptoBerItem *item)
{
  gsize length = MIN(item->length, 64);
  GString *text = g_string_sized_new(2 * length);
  for (gsize i = 0; i < length; i++)
    g_string_append_printf(text, "%02x", item->data[i]);
  return g_string_free(text, FALSE);
}

char *
crypto_cms_describe_id(const CryptoCmsId *id)
{
  if (id->by_key_id) {
    g_autofree char *digits = hex(&id->key_id);
    return g_strdup_printf("key id %s", digits);
  }
  g_autofree char *digits = hex(&id->serial), *issuer = NULL;
  SECItem der = { siBuffer, (guint8 *)id->issuer.start, (unsigned)MIN(id->issuer.total, 64u * 1024) };
  char *text = id->issuer.total <= 64 * 1024 ? CERT_DerNameToAscii(&der) : NULL;
  issuer = g_utf8_make_valid(text ? text : "an unreadable name", -1);
  PORT_Free(text);
  return g_strdup_printf("serial %s of %s", digits, issuer);
}
