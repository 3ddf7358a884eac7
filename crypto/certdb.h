#ifndef CRYPTO_CERTDB_H
#define CRYPTO_CERTDB_H

#include "crypto/chain.h"
#include "crypto/pin.h"

/* The certificates that are kept: NSS's database and the tokens. Keys thread for everything that takes a
 * CryptoPinSource, any thread for the rest. Changes are seen by other programs on the same database. */
typedef enum {
  CRYPTO_CERT_OWN = 1 << 0,       /* we have its private key */
  CRYPTO_CERT_AUTHORITY = 1 << 1,
  CRYPTO_CERT_TRUSTED_MAIL = 1 << 2,   /* trusted to issue certificates for mail */
  CRYPTO_CERT_TRUSTED_SERVER = 1 << 3, /* trusted to issue certificates for servers */
  CRYPTO_CERT_DISTRUSTED = 1 << 4,     /* never to be trusted for mail */
  CRYPTO_CERT_BUILTIN = 1 << 5,   /* one of NSS's own roots */
  CRYPTO_CERT_DISTRUSTED_SERVER = 1 << 6, /* never to be trusted for servers */
  CRYPTO_CERT_ABSENT = 1 << 7,    /* ours, and its key lies on a card that is not in its reader: "token" names it */
  CRYPTO_CERT_RETIRED = 1 << 8,   /* ours, in a card's place for keys that were replaced: it reads old mail, and nothing new
                                   * is chosen for it by itself */
} CryptoCertFlags;

typedef struct {
  CryptoCert *cert;
  guint flags;
  char *token;    /* where it lies: "database", or the token's name */
  char *nickname;
} CryptoCertEntry;
void crypto_cert_entry_free(CryptoCertEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoCertEntry, crypto_cert_entry_free)

/* Array of CryptoCertEntry. Own, people and authorities of the database and of tokens that need no login for
 * it; built-in roots only if @builtin. */
GPtrArray *crypto_certdb_list(gboolean builtin, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Adds to such a list what is ours by a card that was seen once and is not in its reader now; one that is listed already,
 * without its key, is marked. */
void crypto_certdb_add_absent(GPtrArray *entries);

/* By SHA-256 fingerprint (hex, colons and case ignored, a unique prefix of 8 or more digits is enough) or by
 * address. Errors: FAILED with a sentence when none or several fit. */
CryptoCertEntry *crypto_certdb_find(const char *what, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Keeps @cert as a candidate: trusted for nothing by itself. An existing one stays; *was_there tells. */
gboolean crypto_certdb_import(CryptoCert *cert, const char *nickname, gboolean *was_there, CryptoPinSource *pin,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean crypto_certdb_delete(CryptoCert *cert, CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Trust for mail and for servers: neutral is what its issuer makes of it, never is never, whatever issued it, and keep is
 * what the database says at this moment. Anybody's certificate may be distrusted; only an authority can be trusted. Stores
 * the certificate in the database if need be. */
typedef enum { CRYPTO_TRUST_KEEP, CRYPTO_TRUST_NEUTRAL, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEVER } CryptoTrustWish;
gboolean crypto_certdb_set_trust(CryptoCert *cert, CryptoTrustWish mail, CryptoTrustWish server, CryptoPinSource *pin,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Logs in where this certificate's private key lies, if that is needed, so that a TLS handshake, which never asks, can
 * use it. Errors: LOCKED, PIN, CANCELLED, NO_KEY. */
gboolean crypto_certdb_unlock(CryptoCert *cert, CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* PKCS#12 (RFC 7292). Import gives the certificates that were in it, own ones first; chain certificates are
 * kept as candidates. Export writes AES-256 and the chain. Passwords: UTF-8. */
GPtrArray *crypto_certdb_import_pkcs12(GBytes *file, const char *password, CryptoPinSource *pin,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
GBytes *crypto_certdb_export_pkcs12(CryptoCert *cert, const char *password, CryptoPinSource *pin,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Keeps a revocation list (DER) whose issuer is in the database and has signed it; a newer one replaces an older. */
gboolean crypto_certdb_import_crl(GBytes *der, CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;

char *crypto_cert_pem(CryptoCert *cert); /* transfer full */
/* Every authority that is trusted for servers, the user's and NSS's own, one PEM after the other, for a library with a TLS
 * of its own. Transfer full; NULL: error, or there is none. Any thread. */
char *crypto_certdb_server_roots(GError **error);

#endif
