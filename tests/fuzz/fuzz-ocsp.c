#include <stddef.h>
#include <stdint.h>

#include "crypto/ocsp-private.h"

/* A responder's answer, cut up: every item lies within the bytes, every count within its limit. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
inside(const CryptoBerItem *item, const uint8_t *data, size_t size)
{
  if (item->start)
    g_assert(item->start >= data && item->data >= item->start && item->data + item->length <= data + size &&
             item->start + item->total <= data + size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  CryptoOcspResponse response;
  if (!crypto_ocsp_read(data, size, &response) || response.status != 0)
    return 0;
  g_assert(response.n_singles <= CRYPTO_OCSP_SINGLES && response.n_certs <= CRYPTO_OCSP_CERTS);
  g_assert(response.tbs.start && response.algorithm.start && response.signature.length >= 2);
  g_assert((response.by_name.start != NULL) != (response.by_key.start != NULL));
  const CryptoBerItem *items[] = { &response.tbs, &response.algorithm, &response.signature, &response.by_name,
                                   &response.by_key, &response.nonce };
  for (guint i = 0; i < G_N_ELEMENTS(items); i++)
    inside(items[i], data, size);
  for (guint i = 0; i < response.n_certs; i++)
    inside(&response.certs[i], data, size);
  for (guint i = 0; i < response.n_singles; i++) {
    const CryptoOcspSingle *single = &response.singles[i];
    g_assert(single->status != CRYPTO_REVOCATION_NOT_CHECKED && single->serial.start);
    inside(&single->serial, data, size);
    inside(&single->name_hash, data, size);
    inside(&single->key_hash, data, size);
  }
  return 0;
}
