#include <string.h>

#include "crypto/ocsp-private.h"

/* OCSPResponse (RFC 6960 4.2.1), definite lengths only. */

static gboolean
take(CryptoBerReader *reader, guint8 tag, CryptoBerItem *item)
{
  return crypto_ber_expect(reader, tag, item) && !item->indefinite;
}

static gboolean
take_time(CryptoBerReader *reader, gint64 *seconds)
{
  CryptoBerItem item;
  return take(reader, CRYPTO_BER_GENERALIZED_TIME, &item) && crypto_ber_time(&item, seconds);
}

/* CertStatus ::= CHOICE { good [0], revoked [1] { revocationTime, [0] reason? }, unknown [2] } */
static gboolean
read_status(CryptoBerReader *reader, CryptoOcspSingle *single)
{
  CryptoBerItem item;
  if (!crypto_ber_next(reader, &item) || item.indefinite)
    return FALSE;
  switch (item.tag) {
  case CRYPTO_BER_CONTEXT:
    single->status = CRYPTO_REVOCATION_GOOD;
    return item.length == 0;
  case CRYPTO_BER_CONTEXT_CONSTRUCTED + 1: {
    CryptoBerReader inner = crypto_ber_enter(&item);
    single->status = CRYPTO_REVOCATION_REVOKED;
    return take_time(&inner, &single->revoked_at);
  }
  case CRYPTO_BER_CONTEXT + 2:
    single->status = CRYPTO_REVOCATION_UNKNOWN;
    return TRUE;
  default:
    return FALSE;
  }
}

/* A critical extension would change what the answer means, and none is understood. */
static gboolean
read_extensions(const CryptoBerItem *wrapped, CryptoBerItem *nonce)
{
  static const guint8 nonce_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };
  CryptoBerReader outer = crypto_ber_enter(wrapped);
  CryptoBerItem list, extension, oid, flag, value;
  if (!take(&outer, CRYPTO_BER_SEQUENCE, &list) || !crypto_ber_at_end(&outer))
    return FALSE;
  CryptoBerReader all = crypto_ber_enter(&list);
  while (!crypto_ber_at_end(&all)) {
    if (!take(&all, CRYPTO_BER_SEQUENCE, &extension))
      return FALSE;
    CryptoBerReader one = crypto_ber_enter(&extension);
    if (!take(&one, CRYPTO_BER_OID, &oid))
      return FALSE;
    gboolean is_nonce = crypto_ber_is(&oid, nonce_oid, sizeof nonce_oid);
    if (crypto_ber_peek(&one) == CRYPTO_BER_BOOLEAN &&
        (!take(&one, CRYPTO_BER_BOOLEAN, &flag) || flag.length != 1 || (*flag.data && !is_nonce)))
      return FALSE;
    if (!take(&one, CRYPTO_BER_OCTET_STRING, &value) || !crypto_ber_at_end(&one))
      return FALSE;
    if (is_nonce && nonce)
      *nonce = value;
  }
  return TRUE;
}

static gboolean
read_single(const CryptoBerItem *item, CryptoOcspSingle *single)
{
  CryptoBerReader reader = crypto_ber_enter(item);
  CryptoBerItem id, field;
  if (!take(&reader, CRYPTO_BER_SEQUENCE, &id))
    return FALSE;
  CryptoBerReader parts = crypto_ber_enter(&id);
  if (!take(&parts, CRYPTO_BER_SEQUENCE, &field))
    return FALSE;
  CryptoBerReader algorithm = crypto_ber_enter(&field);
  if (!take(&algorithm, CRYPTO_BER_OID, &single->hash_algorithm) ||
      !take(&parts, CRYPTO_BER_OCTET_STRING, &single->name_hash) ||
      !take(&parts, CRYPTO_BER_OCTET_STRING, &single->key_hash) ||
      !take(&parts, CRYPTO_BER_INTEGER, &single->serial) || !crypto_ber_at_end(&parts))
    return FALSE;
  if (!read_status(&reader, single) || !take_time(&reader, &single->this_update))
    return FALSE;
  if (crypto_ber_peek(&reader) == CRYPTO_BER_CONTEXT_CONSTRUCTED) {
    if (!take(&reader, CRYPTO_BER_CONTEXT_CONSTRUCTED, &field))
      return FALSE;
    CryptoBerReader next = crypto_ber_enter(&field);
    if (!take_time(&next, &single->next_update) || !crypto_ber_at_end(&next))
      return FALSE;
  }
  if (crypto_ber_peek(&reader) == CRYPTO_BER_CONTEXT_CONSTRUCTED + 1 &&
      (!take(&reader, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, &field) || !read_extensions(&field, NULL)))
    return FALSE;
  return crypto_ber_at_end(&reader);
}

static gboolean
read_responder(CryptoBerReader *reader, CryptoOcspResponse *response)
{
  CryptoBerItem choice;
  if (!crypto_ber_next(reader, &choice) || choice.indefinite)
    return FALSE;
  CryptoBerReader inner = crypto_ber_enter(&choice);
  if (choice.tag == CRYPTO_BER_CONTEXT_CONSTRUCTED + 1)
    return take(&inner, CRYPTO_BER_SEQUENCE, &response->by_name) && crypto_ber_at_end(&inner);
  return choice.tag == CRYPTO_BER_CONTEXT_CONSTRUCTED + 2 &&
         take(&inner, CRYPTO_BER_OCTET_STRING, &response->by_key) && crypto_ber_at_end(&inner);
}

static gboolean
read_data(CryptoOcspResponse *response)
{
  CryptoBerReader reader = crypto_ber_enter(&response->tbs);
  CryptoBerItem field, single;
  /* [0] version DEFAULT v1: DER leaves it out, and another would be another protocol. */
  if (crypto_ber_peek(&reader) == CRYPTO_BER_CONTEXT_CONSTRUCTED) {
    CryptoBerItem version;
    if (!take(&reader, CRYPTO_BER_CONTEXT_CONSTRUCTED, &field))
      return FALSE;
    CryptoBerReader inner = crypto_ber_enter(&field);
    if (!take(&inner, CRYPTO_BER_INTEGER, &version) || crypto_ber_small(&version) != 0)
      return FALSE;
  }
  if (!read_responder(&reader, response) || !take_time(&reader, &response->produced) ||
      !take(&reader, CRYPTO_BER_SEQUENCE, &field))
    return FALSE;
  CryptoBerReader list = crypto_ber_enter(&field);
  while (!crypto_ber_at_end(&list)) {
    if (response->n_singles == CRYPTO_OCSP_SINGLES || !take(&list, CRYPTO_BER_SEQUENCE, &single) ||
        !read_single(&single, &response->singles[response->n_singles++]))
      return FALSE;
  }
  if (crypto_ber_peek(&reader) == CRYPTO_BER_CONTEXT_CONSTRUCTED + 1 &&
      (!take(&reader, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, &field) || !read_extensions(&field, &response->nonce)))
    return FALSE;
  return crypto_ber_at_end(&reader);
}

static gboolean
read_basic(const guint8 *data, gsize length, CryptoOcspResponse *response)
{
  CryptoBerReader top = crypto_ber_reader(data, length);
  CryptoBerItem basic, field, certs;
  if (!take(&top, CRYPTO_BER_SEQUENCE, &basic) || !crypto_ber_at_end(&top))
    return FALSE;
  CryptoBerReader reader = crypto_ber_enter(&basic);
  if (!take(&reader, CRYPTO_BER_SEQUENCE, &response->tbs) ||
      !take(&reader, CRYPTO_BER_SEQUENCE, &response->algorithm) ||
      !take(&reader, CRYPTO_BER_BIT_STRING, &response->signature) || response->signature.length < 2 ||
      response->signature.data[0] != 0)
    return FALSE;
  if (crypto_ber_peek(&reader) == CRYPTO_BER_CONTEXT_CONSTRUCTED) {
    if (!take(&reader, CRYPTO_BER_CONTEXT_CONSTRUCTED, &field))
      return FALSE;
    CryptoBerReader wrapped = crypto_ber_enter(&field);
    if (!take(&wrapped, CRYPTO_BER_SEQUENCE, &certs))
      return FALSE;
    CryptoBerReader list = crypto_ber_enter(&certs);
    while (!crypto_ber_at_end(&list)) {
      if (response->n_certs == CRYPTO_OCSP_CERTS ||
          !take(&list, CRYPTO_BER_SEQUENCE, &response->certs[response->n_certs++]))
        return FALSE;
    }
  }
  return crypto_ber_at_end(&reader) && read_data(response);
}

gboolean
crypto_ocsp_read(const guint8 *data, gsize length, CryptoOcspResponse *response)
{
  static const guint8 basic_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01 };
  memset(response, 0, sizeof *response);
  CryptoBerReader top = crypto_ber_reader(data, length);
  CryptoBerItem outer, status, bytes, wrapped, oid, octets;
  if (length > CRYPTO_OCSP_BYTES_MAX || !take(&top, CRYPTO_BER_SEQUENCE, &outer) || !crypto_ber_at_end(&top))
    return FALSE;
  CryptoBerReader reader = crypto_ber_enter(&outer);
  if (!take(&reader, 0x0a, &status) || status.length != 1)
    return FALSE;
  response->status = *status.data;
  if (response->status != 0)
    return TRUE;
  if (!take(&reader, CRYPTO_BER_CONTEXT_CONSTRUCTED, &bytes) || !crypto_ber_at_end(&reader))
    return FALSE;
  CryptoBerReader inner = crypto_ber_enter(&bytes);
  if (!take(&inner, CRYPTO_BER_SEQUENCE, &wrapped))
    return FALSE;
  CryptoBerReader parts = crypto_ber_enter(&wrapped);
  return take(&parts, CRYPTO_BER_OID, &oid) && crypto_ber_is(&oid, basic_oid, sizeof basic_oid) &&
         take(&parts, CRYPTO_BER_OCTET_STRING, &octets) && crypto_ber_at_end(&parts) &&
         read_basic(octets.data, octets.length, response);
}
