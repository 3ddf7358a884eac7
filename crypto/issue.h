#ifndef CRYPTO_ISSUE_H
#define CRYPTO_ISSUE_H

#include "crypto/cert.h"
#include "crypto/pin.h"

/* Makes keys and certificates: what `signet demo` shows, what tests use. The key is made in the certificate
 * database that crypto_open() opened, and the certificate is stored beside it. Keys thread. */
typedef struct {
  const char *common_name;
  const char *organisation;    /* may be NULL */
  const char *const *addresses; /* rfc822Name SANs, NULL-terminated; may be NULL */
  CryptoCert *issuer;          /* whose key is in the database too; NULL: self-signed */
  gint64 not_before, not_after; /* Unix seconds */
  gboolean authority;
  gboolean sign, encrypt;      /* key usage */
  const char *curve;           /* "P-256", "P-384", "P-521"; NULL: RSA of @bits */
  guint bits;                  /* RSA: 2048 when 0 */
  const char *eku;             /* "emailProtection" when NULL; "serverAuth" */
  const char *const *dns_names; /* for servers; may be NULL */
} CryptoIssue;

CryptoCert *crypto_issue(const CryptoIssue *what, CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A key in the database, or on @token (NULL: the database), and a request for a certificate of it (PKCS#10, DER) with
 * @what's names, usages and purpose; issuer and dates are the authority's to say. The key stays, whether an answer ever
 * comes or not; crypto_certdb_import() puts the answer beside it, wherever it lies. Errors: LOCKED, PIN, CANCELLED. */
GBytes *crypto_issue_request(const CryptoIssue *what, const char *token, CryptoPinSource *pin,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A CRL of @issuer that names @serials (hex), valid from @this_update for @days. DER; it is stored too. */
GBytes *crypto_issue_crl(CryptoCert *issuer, const char *const *serials, gint64 this_update, guint days,
                         CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
