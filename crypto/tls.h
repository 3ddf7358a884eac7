#ifndef CRYPTO_TLS_H
#define CRYPTO_TLS_H

#include <gio/gio.h>

#include "crypto/cert.h"
#include "crypto/pin.h"

/* A byte stream over a connected socket that begins plain or with TLS 1.2 or later by NSS, and can be raised to
 * TLS in place (STARTTLS). It belongs to one thread; crypto_tls_interrupt() alone may be called from any other.
 * Never blocks beyond its timeouts; poll(), never select(); no SIGPIPE. A handshake never prompts for a PIN: the
 * keys thread logs in to the token first. */
typedef struct CryptoTls CryptoTls;

/* The server's certificate was refused; an exception was stored for this host and key by the user's act? */
typedef struct {
  const char *host;
  guint16 port;
  CryptoCert *cert;
  const char *sha256;   /* its fingerprint */
  const char *sentence; /* what is wrong with it */
} CryptoTlsProblem;
typedef gboolean (*CryptoTlsExceptionFunc)(const CryptoTlsProblem *problem, gpointer user_data); /* TRUE: go on */

typedef struct {
  const char *host;         /* the name that the certificate must prove; never empty */
  guint16 port;
  guint timeout_ms;         /* for one read or write; 0: 30,000 */
  guint handshake_ms;       /* for the handshake; 0: 15,000 */
  CryptoCert *client_cert;  /* for TLS client authentication, or NULL */
  CryptoTlsExceptionFunc exception; /* may be NULL: none */
  gpointer user_data;
} CryptoTlsOptions;

CryptoTls *crypto_tls_new(int fd, const CryptoTlsOptions *options); /* takes the descriptor; plain */
void crypto_tls_free(CryptoTls *tls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoTls, crypto_tls_free)

/* Handshake in place. The caller has made sure that no clear-text byte is buffered. Errors: UNTRUSTED (the
 * sentence names the rule and the fingerprint), OFFLINE, CANCELLED, FAILED. */
gboolean crypto_tls_start(CryptoTls *tls, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean crypto_tls_is_encrypted(CryptoTls *tls);
const char *crypto_tls_protocol(CryptoTls *tls);   /* "TLS 1.3, TLS_AES_128_GCM_SHA256"; "" while plain */
CryptoCert *crypto_tls_peer(CryptoTls *tls);       /* borrowed; NULL while plain */

/* Both return the number of bytes moved, at least 1; -1: error, end of stream, timeout or interrupt. */
gssize crypto_tls_read(CryptoTls *tls, void *buffer, gsize length, GError **error);
gssize crypto_tls_write(CryptoTls *tls, const void *buffer, gsize length, GError **error);

/* Waits for data to read, for @wake_fd to become readable (-1: none), for an interrupt or for the time. */
typedef enum { CRYPTO_TLS_DATA, CRYPTO_TLS_WOKEN, CRYPTO_TLS_TIMEOUT, CRYPTO_TLS_BROKEN } CryptoTlsWait;
CryptoTlsWait crypto_tls_wait(CryptoTls *tls, int timeout_ms, int wake_fd);

/* Any thread: ends whatever call is in progress, and every later one, at once. Sticky. */
void crypto_tls_interrupt(CryptoTls *tls);

#endif
