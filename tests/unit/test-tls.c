/* The TLS stream against `openssl s_server` on loopback, with an authority of our own in a throw-away database. */
#include "crypto/tls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/certdb.h"
#include "tests/unit/asleep.h"
#include "tests/unit/tls-lab.h"

/* --- certificates --- */

static void
make_material(void)
{
  make_cert("stranger", NULL, AUTHORITY);
  make_cert("other", "ca", SERVER "DNS:other.example.org");
  make_cert("unknown", "stranger", SERVER "DNS:localhost");
  make_cert("mailonly", "ca", "extendedKeyUsage=emailProtection\nsubjectAltName=DNS:localhost");
  make_cert("alone", NULL, SERVER "DNS:localhost");
  make_cert_of("ec -pkeyopt ec_paramgen_curve:P-256", "sha1", "ca", SERVER "DNS:localhost", "-sha1");
  make_cert("banned", "ca", SERVER "DNS:localhost");
  make_cert_of("rsa:1024", "short", "ca", SERVER "DNS:localhost", "");
  make_cert("client", "ca", "extendedKeyUsage=clientAuth\n");
  make_cert("person", "ca", "subjectAltName=email:anna@example.org\n");
  make_cert("by-person", "person", SERVER "DNS:localhost");
  sh("openssl req -new -key good.key -out old.csr -subj '/O=Test TLS/CN=old'");
}

/* x509 -req cannot make a certificate of the past; `openssl ca` can. */
static void
make_expired(void)
{
  g_autofree char *config = path("ca.cnf"), *index = path("index.txt"), *old = path("old.ext");
  g_assert_true(g_file_set_contents(index, "", 0, NULL));
  g_assert_true(g_file_set_contents(old, SERVER "DNS:localhost\n", -1, NULL));
  g_assert_true(g_file_set_contents(
      config,
      "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\n"
      "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\norganizationName=supplied\n",
      -1, NULL));
  sh("openssl ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -in old.csr -out old.pem -notext "
     "-startdate 20200101000000Z -enddate 20210101000000Z -extfile old.ext");
  sh("cp good.key old.key");
}

static void
fill_database(void)
{
  sh("certutil -A -d sql:db -n banned -t p,, -i banned.pem");
  sh("openssl pkcs12 -export -in client.pem -inkey client.key -name client -passout pass:test -out "
     "client.p12");
  sh("pk12util -i client.p12 -d sql:db -W test -K ''");
}

static CryptoCert *
load_cert(const char *name)
{
  g_autofree char *file = path(name), *text = NULL;
  gsize length;
  g_autoptr(GError) error = NULL;
  g_assert_true(g_file_get_contents(file, &text, &length, NULL));
  g_autoptr(GBytes) bytes = g_bytes_new(text, length);
  g_autoptr(GPtrArray) certs = crypto_certs_parse(bytes, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(certs->len, ==, 1);
  return crypto_cert_ref(certs->pdata[0]);
}

/* --- the stream --- */

static void
test_good(gconstpointer host)
{
  Server server = start_server("good", "");
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &(CryptoTlsOptions){ .host = host });
  g_assert_false(crypto_tls_is_encrypted(tls));
  g_assert_cmpstr(crypto_tls_protocol(tls), ==, "");
  gboolean started = crypto_tls_start(tls, &error);
  g_assert_no_error(error);
  g_assert_true(started);
  g_assert_true(crypto_tls_is_encrypted(tls));
  g_assert_true(g_str_has_prefix(crypto_tls_protocol(tls), "TLS 1.3, TLS_"));
  g_assert_cmpstr(crypto_cert_common_name(crypto_tls_peer(tls)), ==, "good");
  check_echo(tls);
  stop_server(&server);
  char byte;
  g_assert_cmpint(crypto_tls_read(tls, &byte, 1, &error), ==, -1);
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE);
}

typedef struct {
  const char *cert, *host, *says;
} Refusal;

static void
test_refused(gconstpointer data)
{
  const Refusal *refusal = data;
  Server server = start_server(refusal->cert, "");
  g_autoptr(GError) error = NULL;
  CryptoTlsOptions options = { .host = refusal->host, .port = server.port };
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &options);
  g_assert_false(crypto_tls_start(tls, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNTRUSTED);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, refusal->says));
  g_assert_nonnull(strstr(error->message, refusal->host));
  g_assert_nonnull(strstr(error->message, "SHA-256 fingerprint is "));
  g_assert_false(crypto_tls_is_encrypted(tls));
  char byte = 'x';
  g_assert_cmpint(crypto_tls_write(tls, &byte, 1, NULL), ==, -1);
  stop_server(&server);
}

static gboolean
on_problem(const CryptoTlsProblem *problem, gpointer data)
{
  char **seen = data;
  *seen = g_strdup_printf("%s %u %s %s %s", problem->host, problem->port,
                          crypto_cert_common_name(problem->cert), problem->sha256, problem->sentence);
  return TRUE;
}

static void
test_exception(void)
{
  Server server = start_server("unknown", "");
  g_autoptr(GError) error = NULL;
  g_autofree char *seen = NULL;
  CryptoTlsOptions options = {
    .host = "elsewhere.example", .port = 993, .exception = on_problem, .user_data = &seen
  };
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &options);
  gboolean started = crypto_tls_start(tls, &error);
  g_assert_no_error(error);
  g_assert_true(started);
  g_assert_true(g_str_has_prefix(seen, "elsewhere.example 993 unknown "));
  g_assert_nonnull(strstr(seen, crypto_cert_sha256(crypto_tls_peer(tls))));
  g_assert_nonnull(strstr(seen, "not known here")); /* both rules are named */
  g_assert_nonnull(strstr(seen, "it is for localhost, not for elsewhere.example"));
  check_echo(tls);
  stop_server(&server);
}

/* What the user marked as never to be trusted is no matter of exceptions. */
static void
test_no_exception(void)
{
  Server server = start_server("banned", "");
  g_autoptr(GError) error = NULL;
  g_autofree char *seen = NULL;
  CryptoTlsOptions options = { .host = "localhost", .exception = on_problem, .user_data = &seen };
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &options);
  g_assert_false(crypto_tls_start(tls, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNTRUSTED);
  g_assert_nonnull(strstr(error->message, "never to be trusted"));
  g_assert_null(seen);
  stop_server(&server);
}

/* Nobody's certificate becomes an authority's by a mark against its mail. */
static void
test_person(void)
{
  g_autoptr(CryptoCert) person = load_cert("person.pem");
  g_autoptr(GError) error = NULL;
  static const CryptoTrustWish wishes[] = { CRYPTO_TRUST_NEUTRAL, CRYPTO_TRUST_NEVER };
  for (guint i = 0; i < G_N_ELEMENTS(wishes); i++) {
    g_assert_true(crypto_certdb_set_trust(person, wishes[i], i ? CRYPTO_TRUST_KEEP : CRYPTO_TRUST_NEUTRAL, NULL, &error));
    g_assert_no_error(error);
    Server server = start_server("by-person", "");
    g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &(CryptoTlsOptions){ .host = "localhost" });
    g_assert_false(crypto_tls_start(tls, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNTRUSTED);
    g_clear_error(&error);
    stop_server(&server);
  }
}

static int caller; /* the thread that is to be interrupted */

static gpointer
interrupt_asleep(gpointer data)
{
  asleep_await(caller);
  gint64 *when = g_new(gint64, 1);
  *when = g_get_monotonic_time();
  crypto_tls_interrupt(data);
  return when;
}

static void
check_interrupted(GThread *thread, GError *error)
{
  gint64 now = g_get_monotonic_time();
  g_autofree gint64 *when = g_thread_join(thread);
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
  g_assert_cmpint(now - *when, <, 2 * G_USEC_PER_SEC);
}

static void
test_interrupt_handshake(void)
{
  guint16 port;
  int listener = listen_silent(&port);
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(port), &(CryptoTlsOptions){ .host = "localhost" });
  GThread *thread = (caller = asleep_self(), g_thread_new("interrupt", interrupt_asleep, tls));
  g_assert_false(crypto_tls_start(tls, &error));
  check_interrupted(thread, error);
  char byte = 0; /* sticky */
  g_autoptr(GError) again = NULL;
  g_assert_cmpint(crypto_tls_read(tls, &byte, 1, &again), ==, -1);
  g_assert_error(again, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
  g_assert_cmpint(crypto_tls_wait(tls, 1000, -1), ==, CRYPTO_TLS_BROKEN);
  close(listener);
}

static void
test_interrupt_read_write_wait(void)
{
  Server server = start_server("good", "");
  for (int what = 0; what < 3; what++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &(CryptoTlsOptions){ .host = "localhost" });
    g_assert_true(crypto_tls_start(tls, &error));
    kill(server.pid, SIGSTOP);
    GThread *thread = (caller = asleep_self(), g_thread_new("interrupt", interrupt_asleep, tls));
    char *block = g_malloc0(1 << 16);
    if (what == 0)
      g_assert_cmpint(crypto_tls_read(tls, block, 1 << 16, &error), ==, -1);
    else if (what == 1)
      while (crypto_tls_write(tls, block, 1 << 16, &error) > 0)
        ;
    else {
      g_assert_cmpint(crypto_tls_wait(tls, -1, -1), ==, CRYPTO_TLS_BROKEN);
      g_assert_cmpint(crypto_tls_read(tls, block, 1, &error), ==, -1);
    }
    check_interrupted(thread, error);
    g_free(block);
    kill(server.pid, SIGCONT);
  }
  stop_server(&server);
}

static void
check_timeout(gint64 began, GError *error, int at_least_ms)
{
  gint64 took = (g_get_monotonic_time() - began) / 1000;
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE);
  g_assert_cmpint(took, >=, at_least_ms);
  g_assert_cmpint(took, <, at_least_ms + 2000);
}

static void
test_timeouts(void)
{
  guint16 port;
  int listener = listen_silent(&port);
  CryptoTlsOptions options = { .host = "localhost", .timeout_ms = 150, .handshake_ms = 200 };
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoTls) plain = crypto_tls_new(dial(port), &options);
  char byte;
  gint64 began = g_get_monotonic_time();
  g_assert_cmpint(crypto_tls_read(plain, &byte, 1, &error), ==, -1);
  check_timeout(began, error, 150);
  g_clear_error(&error);
  began = g_get_monotonic_time();
  g_assert_cmpint(crypto_tls_wait(plain, 100, -1), ==, CRYPTO_TLS_TIMEOUT);
  g_assert_cmpint(g_get_monotonic_time() - began, >=, 100000);
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(port), &options);
  began = g_get_monotonic_time();
  g_assert_false(crypto_tls_start(tls, &error));
  check_timeout(began, error, 200);
  close(listener);
}

static void
test_client_certificate(gconstpointer version)
{
  Server server = start_server("good", version);
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCert) client = load_cert("client.pem");
  CryptoTlsOptions options = { .host = "localhost", .client_cert = client };
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &options);
  gboolean started = crypto_tls_start(tls, &error);
  g_assert_no_error(error);
  g_assert_true(started);
  check_echo(tls);
  stop_server(&server);
}

/* Without one the server ends it: TLS 1.3 tells only at the first read. */
static void
test_client_certificate_missing(void)
{
  Server server = start_server("good", "-Verify 1");
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &(CryptoTlsOptions){ .host = "localhost" });
  char byte;
  if (crypto_tls_start(tls, &error))
    g_assert_cmpint(crypto_tls_read(tls, &byte, 1, &error), ==, -1);
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, "client certificate"));
  stop_server(&server);
}

static void
test_client_key_missing(void)
{
  Server server = start_server("good", "");
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCert) client = load_cert("good.pem"); /* its key is not in the database */
  CryptoTlsOptions options = { .host = "localhost", .client_cert = client };
  g_autoptr(CryptoTls) tls = crypto_tls_new(dial(server.port), &options);
  g_assert_false(crypto_tls_start(tls, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY);
  stop_server(&server);
}

/* --- a server that begins in the clear: it says a line, then is a pipe to s_server --- */

typedef struct {
  int listener;
  guint16 behind;
} Proxy;

static gboolean
pass_on(int from, int to)
{
  char buffer[4096];
  ssize_t got = read(from, buffer, sizeof buffer);
  for (ssize_t done = 0; done < got;) {
    ssize_t put = send(to, buffer + done, (size_t)(got - done), MSG_NOSIGNAL);
    if (put <= 0)
      return FALSE;
    done += put;
  }
  return got > 0;
}

static gpointer
proxy_main(gpointer data)
{
  Proxy *proxy = data;
  char byte = 0;
  int front = accept(proxy->listener, NULL, NULL);
  while (byte != '\n' && read(front, &byte, 1) == 1)
    ;
  g_assert_cmpint(write(front, "go ahead\n", 9), ==, 9);
  int back = dial(proxy->behind);
  for (gboolean open = TRUE; open;) {
    GPollFD fds[2] = { { front, G_IO_IN, 0 }, { back, G_IO_IN, 0 } };
    g_assert_cmpint(g_poll(fds, 2, PATIENCE_MS), >, 0);
    if (fds[0].revents)
      open = pass_on(front, back);
    if (open && fds[1].revents)
      open = pass_on(back, front);
  }
  close(front);
  close(back);
  return NULL;
}

static void
test_upgrade(void)
{
  Server server = start_server("good", "-tls1_2");
  Proxy proxy = { .behind = server.port };
  guint16 port;
  proxy.listener = listen_silent(&port);
  GThread *thread = g_thread_new("proxy", proxy_main, &proxy);
  g_autoptr(GError) error = NULL;
  CryptoTls *tls = crypto_tls_new(dial(port), &(CryptoTlsOptions){ .host = "mail.example.org" });
  write_all(tls, "STARTTLS\n");
  g_autofree char *line = read_line(tls);
  g_assert_cmpstr(line, ==, "go ahead\n");
  gboolean started = crypto_tls_start(tls, &error);
  g_assert_no_error(error);
  g_assert_true(started);
  g_assert_true(g_str_has_prefix(crypto_tls_protocol(tls), "TLS 1.2, "));
  check_echo(tls);
  crypto_tls_free(tls);
  g_thread_join(thread);
  close(proxy.listener);
  stop_server(&server);
}

/* A server that speaks no TLS, and one that speaks only an old one. */
static void
test_not_tls(void)
{
  Server server = start_server("good", "-tls1_1");
  Proxy proxy = { .behind = server.port };
  guint16 port;
  proxy.listener = listen_silent(&port);
  g_autoptr(GError) error = NULL;
  CryptoTls *old = crypto_tls_new(dial(server.port), &(CryptoTlsOptions){ .host = "localhost" });
  g_assert_false(crypto_tls_start(old, &error));
  g_test_message("%s", error->message);
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, "older than 1.2"));
  g_clear_error(&error);
  crypto_tls_free(old);
  CryptoTls *tls = crypto_tls_new(dial(port), &(CryptoTlsOptions){ .host = "localhost" });
  int peer = accept(proxy.listener, NULL, NULL);
  g_assert_cmpint(write(peer, "* OK [CAPABILITY IMAP4rev1] ready\r\n", 35), ==, 35);
  g_assert_false(crypto_tls_start(tls, &error));
  g_test_message("%s", error->message);
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, "does not speak TLS"));
  crypto_tls_free(tls);
  close(peer);
  close(proxy.listener);
  stop_server(&server);
}

/* select() would abort here, and a write to a closed peer would kill. */
static void
test_high_descriptor_and_no_signal(void)
{
  struct rlimit limit;
  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = MIN(limit.rlim_max, 4096);
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  signal(SIGPIPE, SIG_DFL);
  Server server = start_server("good", "");
  int low = dial(server.port), high = dup2(low, 2000);
  g_assert_cmpint(high, ==, 2000);
  close(low);
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoTls) tls = crypto_tls_new(high, &(CryptoTlsOptions){ .host = "localhost" });
  g_assert_true(crypto_tls_start(tls, &error));
  check_echo(tls);
  stop_server(&server);
  gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000;
  while (crypto_tls_write(tls, "x", 1, &error) > 0 && g_get_monotonic_time() < end)
    ;
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE);
}

/* A key behind a password that nobody typed yet: said at once, and nobody is asked in a handshake. */
static void
test_client_key_locked(void)
{
  g_autoptr(GError) error = NULL;
  g_assert_true(crypto_close(&error));
  sh("mkdir locked");
  g_autofree char *password = path("password"), *database = path("locked");
  g_assert_true(g_file_set_contents(password, "secret\n", -1, NULL));
  sh("certutil -N -d sql:locked -f password");
  sh("certutil -A -d sql:locked -n ca -t C,, -i ca.pem -f password");
  sh("pk12util -i client.p12 -d sql:locked -W test -k password");
  g_assert_true(crypto_open(&(CryptoOptions){ .nssdb = database }, &error));
  Server server = start_server("good", "");
  CryptoCert *client = load_cert("client.pem");
  CryptoTls *tls =
      crypto_tls_new(dial(server.port), &(CryptoTlsOptions){ .host = "localhost", .client_cert = client });
  g_assert_false(crypto_tls_start(tls, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_test_message("%s", error->message);
  crypto_tls_free(tls);
  crypto_cert_unref(client);
  stop_server(&server);
  g_clear_error(&error);
  g_assert_true(crypto_close(&error));
  open_database();
}

static const Refusal refusals[] = {
  { "other", "localhost", "it is for other.example.org, not for localhost" },
  { "old", "localhost", "it expired on 2021-01-01" },
  { "unknown", "localhost", "not known here" },
  { "alone", "localhost", "signed by itself" },
  { "mailonly", "localhost", "not issued for servers" },
  { "sha1", "localhost", "signed with MD5 or SHA-1" },
  { "short", "localhost", "too short to be safe" },
  { "good", "a.b.wild.example", "not for a.b.wild.example" },
  { "good", "wild.example", "not for wild.example" },
  { "good", "192.0.2.1", "not for 192.0.2.1" },
};

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  make_folder();
  make_material();
  make_expired();
  fill_database();
  open_database();
  g_test_add_data_func("/tls/good/name", "localhost", test_good);
  g_test_add_data_func("/tls/good/final-dot", "mail.example.org.", test_good);
  g_test_add_data_func("/tls/good/address", "127.0.0.1", test_good);
  g_test_add_data_func("/tls/good/address-6", "::1", test_good);
  g_test_add_data_func("/tls/good/address-6-url", "[::1]", test_good);
  g_test_add_data_func("/tls/good/idn",
                       "b\xc3\xbc"
                       "cher.example",
                       test_good);
  g_test_add_data_func("/tls/good/wildcard", "a.wild.example", test_good);
  for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++) {
    g_autofree char *name = g_strdup_printf("/tls/refused/%s-%s", refusals[i].cert, refusals[i].host);
    g_test_add_data_func(name, &refusals[i], test_refused);
  }
  g_test_add_func("/tls/person", test_person);
  g_test_add_func("/tls/exception", test_exception);
  g_test_add_func("/tls/no-exception", test_no_exception);
  g_test_add_func("/tls/interrupt/handshake", test_interrupt_handshake);
  g_test_add_func("/tls/interrupt/read-write-wait", test_interrupt_read_write_wait);
  g_test_add_func("/tls/timeouts", test_timeouts);
  g_test_add_data_func("/tls/client-certificate/1.3", "-Verify 1 -verify_return_error",
                       test_client_certificate);
  g_test_add_data_func("/tls/client-certificate/1.2", "-Verify 1 -verify_return_error -tls1_2",
                       test_client_certificate);
  g_test_add_func("/tls/client-certificate/missing", test_client_certificate_missing);
  g_test_add_func("/tls/client-certificate/no-key", test_client_key_missing);
  g_test_add_func("/tls/client-certificate/locked", test_client_key_locked);
  g_test_add_func("/tls/upgrade", test_upgrade);
  g_test_add_func("/tls/not-tls", test_not_tls);
  g_test_add_func("/tls/high-descriptor", test_high_descriptor_and_no_signal);
  int failed = g_test_run();
  remove_folder();
  return failed;
}
