#include "crypto/certdb.h"

#include <cert.h>
#include <pk11pub.h>

#include "crypto/cert-private.h"

enum { CRL_BYTES_MAX = 64 << 20 };

/* NSS finds the issuer's certificate in the database and checks the list's signature before it keeps it. */
gboolean
crypto_certdb_import_crl(GBytes *der, CryptoPinSource *pin, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(der, &length);
  SECItem item = { siBuffer, (guint8 *)data, (unsigned)length };

  if (length > CRL_BYTES_MAX) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED, "The revocation list is larger than 64 MiB.");
    return FALSE;
  }
  PK11SlotInfo *slot = crypto_context_database(error);
  if (!slot)
    return FALSE;
  gboolean ok = crypto_pin_login(slot, pin, error);
  if (ok) {
    CERTSignedCrl *crl = PK11_ImportCRL(slot, &item, NULL, SEC_CRL_TYPE, pin, CRL_IMPORT_DEFAULT_OPTIONS, NULL,
                                        CRL_DECODE_DEFAULT_OPTIONS);
    ok = crl != NULL;
    if (crl)
      SEC_DestroyCrl(crl);
    else
      crypto_error_set_nss(error, PORT_GetError(), "The revocation list cannot be kept");
  }
  PK11_FreeSlot(slot);
  return ok;
}
