#ifndef CRYPTO_TLS_PRIVATE_H
#define CRYPTO_TLS_PRIVATE_H

/* For crypto/ alone: what is wrong with a server's certificate. */
#include <cert.h>
#include <glib.h>

typedef struct {
  char *sentence;      /* the rules that failed, the host, the fingerprint, the next step; NULL: nothing failed */
  gboolean final;      /* revoked or distrusted by name: no exception is possible */
} CryptoTlsVerdict;

/* NSS's built-in roots count by their server bit, the database's by the user's. /etc/ssl/certs is not read: it
 * has no purposes, so what the system's administrator adds there for servers is imported by
 * `signet cert import --tls`. Calls nobody and never prompts. @host: A-labels or an address. */
void crypto_tls_verify(CERTCertificate *cert, const char *host, guint16 port, CryptoTlsVerdict *verdict);

const char *crypto_tls_code_name(int code); /* "SSL_ERROR_..." for what has no words of ours; static */

#endif
