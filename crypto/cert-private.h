#ifndef CRYPTO_CERT_PRIVATE_H
#define CRYPTO_CERT_PRIVATE_H

/* For crypto/ alone: the certificate's NSS side. */
#include <cert.h>
#include <keyhi.h>
#include <secitem.h>

#include "crypto/cert.h"
#include "crypto/pin.h"

struct CryptoCert {
  gatomicrefcount references;
  CERTCertificate *nss; /* a reference of ours; holding it keeps NSS from decoding it again */
  GBytes *der;
  char *subject, *issuer, *common_name, *issuer_name, *serial, *sha256, *key_name, *signature_name;
  char **addresses;
  gint64 not_before, not_after;
};

CryptoCert *crypto_cert_wrap(CERTCertificate *nss); /* takes a reference of its own */

/* Our own certificate that a recipient or signer identifier names: issuer and serial, or subject key
 * identifier; from a cached list of every certificate that has a private key, so that no token is touched and
 * nobody is asked. Transfer full; NULL: none of ours. (crypto/keys.c) */
CryptoCert *crypto_keys_find(const SECItem *issuer, const SECItem *serial, const SECItem *key_id);

/* Its private key, logging in by @pin where the token asks. Errors: LOCKED (@pin is NULL and it is needed),
 * PIN, CANCELLED, NO_KEY. Free with SECKEY_DestroyPrivateKey(). */
SECKEYPrivateKey *crypto_keys_open(CryptoCert *cert, CryptoPinSource *pin, GError **error);
void crypto_keys_forget(void); /* the cached list is stale: something was imported, a token came or went */

/* Set @error from PORT_GetError(), after @what (a clause: "The signature cannot be made"). */
void crypto_error_set_nss(GError **error, int code, const char *what);

#endif
