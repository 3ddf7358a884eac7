#include "mail/line-private.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "crypto/certdb.h"
#include "crypto/context.h"
#include "mail/etpan-private.h"

enum { CONNECT_SECONDS = 20 };

void
ml_line_error(GError *crypto, GError **error)
{
  int code = ML_ERROR_FAILED;
  if (g_error_matches(crypto, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE))
    code = ML_ERROR_OFFLINE;
  else if (g_error_matches(crypto, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED))
    code = ML_ERROR_CANCELLED;
  else if (g_error_matches(crypto, CRYPTO_ERROR, CRYPTO_ERROR_UNTRUSTED))
    code = ML_ERROR_UNTRUSTED;
  g_set_error_literal(error, ML_ERROR, code, crypto->message);
  g_error_free(crypto);
}

/* For TLS client authentication: a fingerprint, or the first own certificate that speaks for the account and is
 * valid today: own keys are kept long after their certificate has ended, to read old mail. */
static CryptoCert *
client_cert(const MlAccount *account, GError **error)
{
  if (strcmp(account->tls_cert, "auto") != 0) {
    g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(account->tls_cert, error);
    return entry ? crypto_cert_ref(entry->cert) : NULL;
  }
  g_autoptr(GPtrArray) entries = crypto_certdb_list(FALSE, error);
  CryptoCert *best = NULL;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  guint expired = 0;
  for (guint i = 0; entries && i < entries->len; i++) {
    CryptoCertEntry *entry = g_ptr_array_index(entries, i);
    if (!(entry->flags & CRYPTO_CERT_OWN) || entry->flags & CRYPTO_CERT_RETIRED)
      continue;
    if (crypto_cert_not_before(entry->cert) > now || crypto_cert_not_after(entry->cert) < now) {
      expired++;
      continue;
    }
    if (!best)
      best = entry->cert;
    g_autofree char *address = account->address ? g_ascii_strdown(account->address, -1) : NULL;
    if (address && g_strv_contains(crypto_cert_addresses(entry->cert), address)) {
      best = entry->cert;
      break;
    }
  }
  if (entries && !best)
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                expired ? "tls-cert = auto, but the certificates with a key of yours have expired, or are not valid "
                          "yet: import a new one (signet cert import)."
                        : "tls-cert = auto, but the certificate database has no certificate with a key of yours.");
  return best ? crypto_cert_ref(best) : NULL;
}

static GSocketConnection *
dial(const MlServer *server, GCancellable *cancellable, GError **error)
{
  g_autoptr(GError) why = NULL;
  GSocketClient *client = g_socket_client_new();
  g_socket_client_set_enable_proxy(client, FALSE);
  g_socket_client_set_timeout(client, CONNECT_SECONDS);
  g_autoptr(GSocketConnectable) address = g_network_address_new(server->host, server->port);
  GSocketConnection *connection = g_socket_client_connect(client, address, cancellable, &why);
  g_object_unref(client);
  if (!connection && g_error_matches(why, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  else if (!connection)
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE,
                "%s cannot be reached on port %u: %s. Is the network up, and the host right in signet.conf?",
                server->host, server->port, why->message);
  return connection;
}

/* A peer that went without a word (a suspended laptop, a router that forgot) is noticed within two
 * minutes. */
static void
keep_alive(int fd)
{
  const struct {
    int level, option, value;
  } settings[] = { { SOL_SOCKET, SO_KEEPALIVE, 1 },
                   { IPPROTO_TCP, TCP_KEEPIDLE, 60 },
                   { IPPROTO_TCP, TCP_KEEPINTVL, 15 },
                   { IPPROTO_TCP, TCP_KEEPCNT, 4 },
                   { IPPROTO_TCP, TCP_NODELAY, 1 } };
  for (guint i = 0; i < G_N_ELEMENTS(settings); i++)
    if (setsockopt(fd, settings[i].level, settings[i].option, &settings[i].value, sizeof settings[i].value) <
        0)
      g_debug("a socket option was refused");
}

int
ml_line_dial_now(const MlServer *server, GCancellable *cancellable, GError **error)
{
  g_autoptr(GSocketConnection) connection = dial(server, cancellable, error);
  if (!connection)
    return -1;
  int fd = fcntl(g_socket_get_fd(g_socket_connection_get_socket(connection)), F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "This program has too many open files.");
  else
    keep_alive(fd);
  return fd;
}

CryptoTls *
ml_line_open(const MlAccount *account, const MlServer *server, const MlDriverHooks *hooks,
             GCancellable *cancellable, GError **error)
{
  g_autoptr(GError) why = NULL;
  if (!ml_etpan(error))
    return NULL;
  /* The way to the server is found while NSS still opens, but where it has to say who we are. */
  if (account->tls_cert && !crypto_open_wait(cancellable, &why)) {
    ml_line_error(g_steal_pointer(&why), error);
    return NULL;
  }
  g_autoptr(CryptoCert) cert = account->tls_cert ? client_cert(account, &why) : NULL;
  if (why) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "tls-cert of [account %s]: %s", account->name,
                why->message);
    return NULL;
  }
  if (cert && hooks->unlock && !hooks->unlock(cert, cancellable, hooks->user_data, &why)) {
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "tls-cert of [account %s]: %s", account->name, why->message);
    return NULL;
  }
  int fd = ml_line_dial(server, cancellable, error);
  if (fd < 0)
    return NULL;
  if (!crypto_open_wait(cancellable, &why)) {
    close(fd);
    ml_line_error(g_steal_pointer(&why), error);
    return NULL;
  }
  CryptoTlsOptions options = { .host = server->host,
                               .port = server->port,
                               .client_cert = cert,
                               .exception = hooks->exception,
                               .user_data = hooks->user_data };
  return crypto_tls_new(fd, &options);
}
