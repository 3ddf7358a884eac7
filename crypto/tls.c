#include "crypto/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pk11pub.h>
#include <prerror.h>
#include <secerr.h>
#include <ssl.h>
#include <sslerr.h>
#include <sslproto.h>

#include "crypto/cert-private.h"
#include "crypto/keyuse-private.h"
#include "crypto/context.h"
#include "crypto/error-private.h"
#include "crypto/tls-private.h"

enum { DEFAULT_TIMEOUT_MS = 30000, DEFAULT_HANDSHAKE_MS = 15000, CHUNK_MAX = 1 << 24, AHEAD = 32 * 1024 };

struct CryptoTls {
  int fd;
  int interrupt; /* eventfd; written once by crypto_tls_interrupt(), never read: that makes it sticky */
  int stop;      /* atomic; set before that, and looked at without asking the kernel */
  char *host;
  guint16 port;
  guint timeout_ms, handshake_ms;
  CryptoCert *client_cert;
  SECKEYPrivateKey *client_key;
  CryptoTlsExceptionFunc exception;
  gpointer user_data;
  PRFileDesc *ssl; /* NULL while plain */
  gboolean encrypted, failed;
  short want; /* what the socket last said it was not ready for: POLLIN, POLLOUT */
  /* NSS asks for five octets of each record, then for the rest: what the socket has is read at once and handed on. */
  guint8 *ahead; /* AHEAD octets; NULL while plain */
  gsize ahead_at, ahead_end;
  gboolean drained; /* the socket gave less than it was asked for: it has no more, poll() will tell */
  gboolean ended;   /* behind what was read last the stream ended with end_code, which the next read says */
  int end_code;
  CryptoCert *peer;
  char *refusal; /* the sentence of the certificate that ended the handshake */
  CryptoKeyUsing using; /* of client_key, in this handshake */
  GError *unused;       /* why it was not used although the server asked; NULL */
  char *protocol;
};

/* NSS's TLS sits on a bottom layer of our own, not on NSPR's socket: it sends without SIGPIPE, it says what it
 * waits for, and it needs none of NSPR's private headers. */

static CryptoTls *
layer_tls(PRFileDesc *layer)
{
  return (CryptoTls *)layer->secret;
}

static gint32
layer_failed(CryptoTls *tls, short event)
{
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    tls->want |= event;
    PR_SetError(PR_WOULD_BLOCK_ERROR, errno);
  } else {
    PR_SetError(errno == ECONNRESET || errno == EPIPE ? PR_CONNECT_RESET_ERROR : PR_IO_ERROR, errno);
  }
  return -1;
}

/* Of the socket, as recv(). */
static ssize_t
receive(CryptoTls *tls, void *buffer, gsize length)
{
  if (tls->drained) {
    tls->drained = FALSE;
    errno = EAGAIN;
    return -1;
  }
  ssize_t got = recv(tls->fd, buffer, length, 0);
  tls->drained = got > 0 && (gsize)got < length;
  return got;
}

static PRInt32 PR_CALLBACK
layer_recv(PRFileDesc *layer, void *buffer, PRInt32 length, PRIntn flags, PRIntervalTime timeout)
{
  CryptoTls *tls = layer_tls(layer);
  if (tls->ahead_at == tls->ahead_end) {
    ssize_t got = receive(tls, tls->ahead, AHEAD);
    if (got <= 0)
      return got < 0 ? layer_failed(tls, POLLIN) : 0;
    tls->ahead_at = 0;
    tls->ahead_end = (gsize)got;
  }
  gsize n = MIN((gsize)length, tls->ahead_end - tls->ahead_at);
  memcpy(buffer, tls->ahead + tls->ahead_at, n);
  tls->ahead_at += n;
  return (PRInt32)n;
}

static PRInt32 PR_CALLBACK
layer_read(PRFileDesc *layer, void *buffer, PRInt32 length)
{
  return layer_recv(layer, buffer, length, 0, PR_INTERVAL_NO_WAIT);
}

static PRInt32 PR_CALLBACK
layer_send(PRFileDesc *layer, const void *buffer, PRInt32 length, PRIntn flags, PRIntervalTime timeout)
{
  CryptoTls *tls = layer_tls(layer);
  ssize_t sent = send(tls->fd, buffer, (size_t)length, MSG_NOSIGNAL);
  return sent < 0 ? layer_failed(tls, POLLOUT) : (PRInt32)sent;
}

static PRInt32 PR_CALLBACK
layer_write(PRFileDesc *layer, const void *buffer, PRInt32 length)
{
  return layer_send(layer, buffer, length, 0, PR_INTERVAL_NO_WAIT);
}

static PRStatus PR_CALLBACK
layer_getsocketoption(PRFileDesc *layer, PRSocketOptionData *data)
{
  if (data->option != PR_SockOpt_Nonblocking) {
    PR_SetError(PR_OPERATION_NOT_SUPPORTED_ERROR, 0);
    return PR_FAILURE;
  }
  data->value.non_blocking = PR_TRUE;
  return PR_SUCCESS;
}

/* On closing NSS asks for a lingering goodbye, which would block. */
static PRStatus PR_CALLBACK
layer_setsocketoption(PRFileDesc *layer, const PRSocketOptionData *data)
{
  return PR_SUCCESS;
}

/* NSS asks only whether there is a peer, and for a key of its session cache, which is off. */
static PRStatus PR_CALLBACK
layer_getpeername(PRFileDesc *layer, PRNetAddr *address)
{
  memset(address, 0, sizeof *address);
  address->inet.family = PR_AF_INET;
  return PR_SUCCESS;
}

static PRStatus PR_CALLBACK
layer_shutdown(PRFileDesc *layer, PRIntn how)
{
  return PR_SUCCESS;
}

/* The descriptor itself is closed by crypto_tls_free(). */
static PRStatus PR_CALLBACK
layer_close(PRFileDesc *layer)
{
  layer->secret = NULL;
  layer->dtor(layer);
  return PR_SUCCESS;
}

static PRFileDesc *
layer_new(CryptoTls *tls)
{
  static gsize once;
  static PRIOMethods methods;
  static PRDescIdentity identity;
  if (g_once_init_enter(&once)) {
    methods = *PR_GetDefaultIOMethods(); /* these pass a call on to a lower layer, which we have none of */
    methods.recv = layer_recv;
    methods.read = layer_read;
    methods.send = layer_send;
    methods.write = layer_write;
    methods.getsocketoption = layer_getsocketoption;
    methods.setsocketoption = layer_setsocketoption;
    methods.getpeername = layer_getpeername;
    methods.getsockname = layer_getpeername;
    methods.shutdown = layer_shutdown;
    methods.close = layer_close;
    identity = PR_GetUniqueIdentity("signet-socket");
    g_once_init_leave(&once, 1);
  }
  PRFileDesc *layer = PR_CreateIOLayerStub(identity, &methods);
  if (layer)
    layer->secret = (PRFilePrivate *)tls;
  return layer;
}

/* As certificates write it: A-labels without a final dot, an address without brackets. */
static char *
name_to_prove(const char *host)
{
  gsize length = strlen(host);
  if (length > 2 && host[0] == '[' && host[length - 1] == ']')
    return g_strndup(host + 1, length - 2);
  char *name = g_hostname_is_ip_address(host) ? NULL : g_hostname_to_ascii(host);
  if (!name)
    return g_strdup(host); /* proves nothing unless a certificate says just that */
  length = strlen(name);
  if (length > 1 && name[length - 1] == '.')
    name[length - 1] = '\0';
  return name;
}

CryptoTls *
crypto_tls_new(int fd, const CryptoTlsOptions *options)
{
  g_assert(fd >= 0 && options->host && *options->host);
  CryptoTls *tls = g_new0(CryptoTls, 1);
  tls->fd = fd;
  tls->interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (tls->interrupt < 0)
    g_error("No descriptor is left for an eventfd: %s", g_strerror(errno));
  tls->host = name_to_prove(options->host);
  tls->port = options->port;
  tls->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
  tls->handshake_ms = options->handshake_ms ? options->handshake_ms : DEFAULT_HANDSHAKE_MS;
  tls->client_cert = options->client_cert ? crypto_cert_ref(options->client_cert) : NULL;
  tls->exception = options->exception;
  tls->user_data = options->user_data;
  tls->protocol = g_strdup("");
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
    tls->failed = TRUE; /* not a descriptor that can be used: every call says so */
  return tls;
}

void
crypto_tls_free(CryptoTls *tls)
{
  if (!tls)
    return;
  if (tls->ssl)
    PR_Close(tls->ssl); /* says goodbye as far as the socket takes it at once */
  g_free(tls->ahead);
  close(tls->fd);
  close(tls->interrupt);
  if (tls->client_key)
    SECKEY_DestroyPrivateKey(tls->client_key);
  crypto_cert_unref(tls->client_cert);
  crypto_cert_unref(tls->peer);
  g_free(tls->refusal);
  g_free(tls->protocol);
  g_free(tls->host);
  g_free(tls);
}

gboolean
crypto_tls_is_encrypted(CryptoTls *tls)
{
  return tls->encrypted;
}

const char *
crypto_tls_protocol(CryptoTls *tls)
{
  return tls->protocol;
}

CryptoCert *
crypto_tls_peer(CryptoTls *tls)
{
  return tls->peer;
}

void
crypto_tls_interrupt(CryptoTls *tls)
{
  guint64 one = 1;
  ssize_t written;
  g_atomic_int_set(&tls->stop, 1);
  do
    written = write(tls->interrupt, &one, sizeof one);
  while (written < 0 && errno == EINTR);
}

static gboolean
interrupted(CryptoTls *tls)
{
  return g_atomic_int_get(&tls->stop) != 0;
}

/* In g_get_monotonic_time()'s microseconds. */
static gint64
deadline_after(guint ms)
{
  return g_get_monotonic_time() + (gint64)ms * 1000;
}

typedef enum { READY, TIMED_OUT, INTERRUPTED, WOKEN, FAILED } Wait;

/* @deadline negative: none. */
static Wait
wait_for(CryptoTls *tls, short events, gint64 deadline, int wake_fd)
{
  for (;;) {
    struct pollfd entries[3] = { { tls->interrupt, POLLIN, 0 },
                                 { tls->fd, events, 0 },
                                 { wake_fd, POLLIN, 0 } };
    gint64 left = deadline < 0 ? -1 : (MAX(deadline - g_get_monotonic_time(), 0) + 999) / 1000;
    int ready = poll(entries, wake_fd >= 0 ? 3 : 2, (int)MIN(left, INT32_MAX));
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready < 0)
      return FAILED;
    if (ready == 0)
      return TIMED_OUT;
    if (entries[0].revents)
      return INTERRUPTED;
    return entries[1].revents ? READY : WOKEN;
  }
}

static void
set_cancelled(GError **error)
{
  g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "The connection was cancelled.");
}

/* FALSE with an error unless the socket became ready. */
static gboolean
wait_ready(CryptoTls *tls, short events, gint64 deadline, const char *doing, GError **error)
{
  switch (wait_for(tls, events, deadline, -1)) {
  case READY:
    return TRUE;
  case INTERRUPTED:
    set_cancelled(error);
    return FALSE;
  case TIMED_OUT:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE, "%s does not answer (%s took too long).",
                tls->host, doing);
    return FALSE;
  default:
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE, "The connection to %s broke.", tls->host);
    return FALSE;
  }
}

/* What a person can do about a handshake or a connection that NSS ended with @code. Where the rules of TLS were broken
 * an administrator wants to know which. */
static void
set_ending(CryptoTls *tls, int code, GError **error)
{
  static const char server[] = "the server ";
  const CryptoErrorRow *row = crypto_error_row(code);
  CryptoError kind = row && row->code == CRYPTO_ERROR_OFFLINE ? CRYPTO_ERROR_OFFLINE : CRYPTO_ERROR_FAILED;

  if (row && g_str_has_prefix(row->sentence, server) && row->code != CRYPTO_ERROR_MALFORMED) {
    g_set_error(error, CRYPTO_ERROR, kind, "%s %s.", tls->host, row->sentence + strlen(server));
    return;
  }
  g_autofree char *words = crypto_error_words(code);
  g_set_error(error, CRYPTO_ERROR, kind, "The secure connection to %s failed (%s): %s", tls->host,
              crypto_tls_code_name(code), words);
}

/* NSS asks in the middle of the handshake; the exception function may take as long as a person needs. */
static SECStatus
on_certificate(void *data, PRFileDesc *ssl, PRBool check_signature, PRBool is_server)
{
  CryptoTls *tls = data;
  CERTCertificate *cert = SSL_PeerCertificate(ssl);
  if (!cert) {
    PORT_SetError(SSL_ERROR_NO_CERTIFICATE);
    return SECFailure;
  }
  CryptoTlsVerdict verdict;
  crypto_tls_verify(cert, tls->host, tls->port, &verdict);
  crypto_cert_unref(tls->peer);
  tls->peer = crypto_cert_wrap(cert);
  CERT_DestroyCertificate(cert);
  if (!verdict.sentence)
    return SECSuccess;
  CryptoTlsProblem problem = { tls->host, tls->port, tls->peer, crypto_cert_sha256(tls->peer),
                               verdict.sentence };
  gboolean accepted = !verdict.final && tls->exception && tls->exception(&problem, tls->user_data);
  g_free(tls->refusal);
  tls->refusal = verdict.sentence;
  if (accepted) {
    g_clear_pointer(&tls->refusal, g_free);
    return SECSuccess;
  }
  PORT_SetError(SSL_ERROR_BAD_CERTIFICATE);
  return SECFailure;
}

static SECStatus
on_client_certificate(void *data, PRFileDesc *ssl, CERTDistNames *authorities, CERTCertificate **cert,
                      SECKEYPrivateKey **key)
{
  CryptoTls *tls = data;
  if (!tls->client_key)
    return SECFailure; /* none is sent; the server decides whether it minds */
  g_autofree char *peer = g_strdup_printf("%s:%u", tls->host, tls->port);
  crypto_keyuse_push(peer);
  gboolean may = crypto_keyuse_begin(&tls->using, CRYPTO_KEY_LOGIN, tls->client_cert, tls->client_key, NULL, NULL, &tls->unused);
  crypto_keyuse_pop();
  if (!may) {
    PORT_SetError(SEC_ERROR_NO_KEY);
    return SECFailure;
  }
  *key = SECKEY_CopyPrivateKey(tls->client_key);
  if (!*key)
    return SECFailure;
  *cert = CERT_DupCertificate(tls->client_cert->nss);
  return SECSuccess;
}

/* TLS 1.2 or 1.3, as far as the system's policy for NSS allows; no cipher below 128 bits, no RC4. No session is
 * resumed: a resumed one skips the check of the certificate and would outlive an exception that was taken back. */
static gboolean
configure(CryptoTls *tls)
{
  SSLVersionRange range;
  if (SSL_VersionRangeGetSupported(ssl_variant_stream, &range) != SECSuccess)
    return FALSE;
  range.min = MAX(range.min, SSL_LIBRARY_VERSION_TLS_1_2);
  range.max = MIN(range.max, SSL_LIBRARY_VERSION_TLS_1_3);
  if (range.min > range.max || SSL_VersionRangeSet(tls->ssl, &range) != SECSuccess)
    return FALSE;
  const PRUint16 *suites = SSL_GetImplementedCiphers();
  for (PRUint16 i = 0; i < SSL_GetNumImplementedCiphers(); i++) {
    SSLCipherSuiteInfo info;
    if (SSL_GetCipherSuiteInfo(suites[i], &info, sizeof info) == SECSuccess &&
        (info.effectiveKeyBits < 128 || info.symCipher == ssl_calg_rc4) &&
        SSL_CipherPrefSet(tls->ssl, suites[i], PR_FALSE) != SECSuccess)
      return FALSE;
  }
  static const struct {
    PRInt32 option;
    PRIntn value;
  } settings[] = {
    { SSL_SECURITY, PR_TRUE },
    { SSL_HANDSHAKE_AS_CLIENT, PR_TRUE },
    { SSL_NO_CACHE, PR_TRUE },
    { SSL_ENABLE_SESSION_TICKETS, PR_FALSE },
    { SSL_ENABLE_RENEGOTIATION, SSL_RENEGOTIATE_NEVER },
    { SSL_REQUIRE_SAFE_NEGOTIATION, PR_FALSE },
    { SSL_ENABLE_EXTENDED_MASTER_SECRET, PR_TRUE },
    { SSL_ENABLE_0RTT_DATA, PR_FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(settings); i++)
    if (SSL_OptionSet(tls->ssl, settings[i].option, settings[i].value) != SECSuccess)
      return FALSE;
  return SSL_SetURL(tls->ssl, tls->host) == SECSuccess && SSL_SetPKCS11PinArg(tls->ssl, NULL) == SECSuccess &&
         SSL_AuthCertificateHook(tls->ssl, on_certificate, tls) == SECSuccess &&
         SSL_GetClientAuthDataHook(tls->ssl, on_client_certificate, tls) == SECSuccess &&
         SSL_ResetHandshake(tls->ssl, PR_FALSE) == SECSuccess;
}

static gboolean
handshake(CryptoTls *tls, GError **error)
{
  gint64 deadline = deadline_after(tls->handshake_ms);
  for (;;) {
    if (interrupted(tls)) {
      set_cancelled(error);
      return FALSE;
    }
    tls->want = 0;
    if (SSL_ForceHandshake(tls->ssl) == SECSuccess)
      return TRUE;
    int code = PORT_GetError();
    if (code == PR_WOULD_BLOCK_ERROR) {
      if (!wait_ready(tls, tls->want ? tls->want : POLLIN, deadline, "the TLS handshake", error))
        return FALSE;
    } else if (tls->refusal) {
      g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_UNTRUSTED, tls->refusal);
      return FALSE;
    } else {
      set_ending(tls, code, error);
      return FALSE;
    }
  }
}

static char *
describe(PRFileDesc *ssl)
{
  SSLChannelInfo channel;
  SSLCipherSuiteInfo suite;
  if (SSL_GetChannelInfo(ssl, &channel, sizeof channel) != SECSuccess ||
      SSL_GetCipherSuiteInfo(channel.cipherSuite, &suite, sizeof suite) != SECSuccess)
    return g_strdup("TLS");
  const char *version = channel.protocolVersion == SSL_LIBRARY_VERSION_TLS_1_3 ? "TLS 1.3" : "TLS 1.2";
  return g_strdup_printf("%s, %s", version, suite.cipherSuiteName);
}

gboolean
crypto_tls_start(CryptoTls *tls, GError **error)
{
  g_assert(!tls->ssl);
  /* A client key that cannot be used is said now, not by a server that only sees no certificate. */
  if (tls->client_cert && !tls->client_key) {
    tls->client_key = crypto_keys_open(tls->client_cert, NULL, error);
    if (!tls->client_key)
      return FALSE;
  }
  PRFileDesc *layer = layer_new(tls);
  tls->ahead = g_malloc(AHEAD);
  tls->ssl = layer ? SSL_ImportFD(NULL, layer) : NULL;
  if (!tls->ssl) {
    if (layer)
      PR_Close(layer);
    tls->failed = TRUE;
    crypto_error_set_nss(error, PORT_GetError(), "TLS cannot be started");
    return FALSE;
  }
  if (!configure(tls)) {
    tls->failed = TRUE;
    crypto_error_set_nss(error, PORT_GetError(), "TLS cannot be set up");
    return FALSE;
  }
  g_autoptr(GError) failed = NULL;
  gboolean done = handshake(tls, &failed);
  /* Where the key could not be used, that is told: it would only have been a client without a certificate. */
  done = crypto_keyuse_end(&tls->using, g_steal_pointer(&failed), tls->unused ? NULL : error) && done;
  if (tls->unused) {
    g_propagate_error(error, g_steal_pointer(&tls->unused));
  } else if (done) {
    tls->encrypted = TRUE;
    g_free(tls->protocol);
    tls->protocol = describe(tls->ssl);
    return TRUE;
  }
  tls->failed = TRUE;
  return FALSE;
}

/* One try, without waiting. 0 is the end of the stream; -1 with tls->want set, or with an NSPR code. */
static gint32
move_in(CryptoTls *tls, void *buffer, gsize length, int flags, int *code)
{
  tls->want = 0;
  gint32 got;
  if (tls->ended) {
    *code = tls->end_code;
    return tls->end_code ? -1 : 0;
  }
  if (tls->encrypted) {
    got = PR_Recv(tls->ssl, buffer, (PRInt32)length, flags & MSG_PEEK ? PR_MSG_PEEK : 0, PR_INTERVAL_NO_WAIT);
    *code = got < 0 ? PORT_GetError() : 0;
    if (got < 0 && *code == PR_WOULD_BLOCK_ERROR && !tls->want)
      tls->want = POLLIN;
  } else {
    got = (gint32)recv(tls->fd, buffer, length, flags);
    if (got < 0) {
      layer_failed(tls, POLLIN);
      *code = PORT_GetError();
    }
  }
  return got;
}

static gint32
move_out(CryptoTls *tls, const void *buffer, gsize length, int *code)
{
  tls->want = 0;
  gint32 sent;
  if (tls->encrypted) {
    sent = PR_Send(tls->ssl, buffer, (PRInt32)length, 0, PR_INTERVAL_NO_WAIT);
    *code = sent < 0 ? PORT_GetError() : 0;
    if (sent < 0 && *code == PR_WOULD_BLOCK_ERROR && !tls->want)
      tls->want = POLLOUT;
  } else {
    sent = (gint32)send(tls->fd, buffer, length, MSG_NOSIGNAL);
    if (sent < 0) {
      layer_failed(tls, POLLOUT);
      *code = PORT_GetError();
    }
  }
  return sent;
}

static gboolean
usable(CryptoTls *tls, GError **error)
{
  if (interrupted(tls)) {
    set_cancelled(error);
    return FALSE;
  }
  if (tls->failed) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE, "The connection to %s is closed.", tls->host);
    return FALSE;
  }
  return TRUE;
}

/* The records that are here already, behind the @got octets of the first: each would cost a call, and a look whether it was
 * cancelled. */
static gint32
move_more(CryptoTls *tls, char *buffer, gsize length, gint32 got)
{
  while (tls->ahead_at < tls->ahead_end && (gsize)got < length) {
    int code = 0;
    gint32 more = move_in(tls, buffer + got, length - (gsize)got, 0, &code);
    if (more <= 0) {
      tls->ended = more == 0 || code != PR_WOULD_BLOCK_ERROR;
      tls->end_code = code;
      break;
    }
    got += more;
  }
  return got;
}

gssize
crypto_tls_read(CryptoTls *tls, void *buffer, gsize length, GError **error)
{
  g_assert(length > 0);
  gint64 deadline = deadline_after(tls->timeout_ms);
  length = MIN(length, CHUNK_MAX);
  if (!usable(tls, error))
    return -1;
  for (;;) {
    int code = 0;
    gint32 got = move_in(tls, buffer, length, 0, &code);
    if (got > 0)
      return move_more(tls, buffer, length, got);
    if (got < 0 && code == PR_WOULD_BLOCK_ERROR) {
      if (!wait_ready(tls, tls->want, deadline, "the answer", error))
        return -1;
      continue;
    }
    /* The end is an error and never 0: libetpan reads on for ever after a 0. */
    tls->failed = TRUE;
    set_ending(tls, got == 0 ? PR_END_OF_FILE_ERROR : code, error);
    return -1;
  }
}

gssize
crypto_tls_write(CryptoTls *tls, const void *buffer, gsize length, GError **error)
{
  g_assert(length > 0);
  gint64 deadline = deadline_after(tls->timeout_ms);
  length = MIN(length, CHUNK_MAX);
  if (!usable(tls, error))
    return -1;
  for (;;) {
    int code = 0;
    gint32 sent = move_out(tls, buffer, length, &code);
    if (sent > 0)
      return sent;
    if (sent < 0 && code != PR_WOULD_BLOCK_ERROR) {
      tls->failed = TRUE;
      set_ending(tls, code, error);
      return -1;
    }
    if (!wait_ready(tls, tls->want ? tls->want : POLLOUT, deadline, "sending", error))
      return -1;
  }
}

CryptoTlsWait
crypto_tls_wait(CryptoTls *tls, int timeout_ms, int wake_fd)
{
  gint64 deadline = timeout_ms < 0 ? -1 : deadline_after((guint)timeout_ms);
  if (!usable(tls, NULL))
    return CRYPTO_TLS_BROKEN;
  for (;;) {
    /* NSS may hold decrypted bytes that poll() cannot see, and a readable socket may carry no data at all (a
     * TLS 1.3 ticket): so the stream is asked before the descriptor. */
    char byte;
    int code = 0;
    gint32 got = move_in(tls, &byte, 1, MSG_PEEK, &code);
    if (got > 0)
      return CRYPTO_TLS_DATA;
    if (got == 0 || code != PR_WOULD_BLOCK_ERROR) {
      tls->failed = TRUE;
      return CRYPTO_TLS_BROKEN;
    }
    switch (wait_for(tls, tls->want, deadline, wake_fd)) {
    case READY:
      break;
    case WOKEN:
      return CRYPTO_TLS_WOKEN;
    case TIMED_OUT:
      return CRYPTO_TLS_TIMEOUT;
    default:
      return CRYPTO_TLS_BROKEN;
    }
  }
}
