#ifndef TESTS_TLS_LAB_H
#define TESTS_TLS_LAB_H

/* An authority of our own with a server's certificate, in a throw-away database, and lines over a stream of TLS. */
#include "crypto/context.h"
#include "crypto/tls.h"
#include "tests/unit/loopback.h"
#include "tests/unit/openssl-server.h"

enum { PATIENCE_MS = 20000 };

static inline void
make_cert_of(const char *key, const char *name, const char *issuer, const char *extensions,
             const char *options)
{
  sh("openssl req -new -newkey %s -nodes -keyout %s.key -out %s.csr -subj '/O=Test TLS/CN=%s'", key, name,
     name, name);
  g_autofree char *config = g_strdup_printf("%s.ext", name), *file = path(config);
  g_assert_true(g_file_set_contents(file, extensions, -1, NULL));
  if (issuer)
    sh("openssl x509 -req -in %s.csr -CA %s.pem -CAkey %s.key -CAcreateserial -extfile %s -out %s.pem %s",
       name, issuer, issuer, config, name, options);
  else
    sh("openssl x509 -req -in %s.csr -signkey %s.key -extfile %s -out %s.pem -days 30", name, name, config,
       name);
}

static inline void
make_cert(const char *name, const char *issuer, const char *extensions)
{
  make_cert_of("ec -pkeyopt ec_paramgen_curve:P-256", name, issuer, extensions, "-days 30");
}

#define AUTHORITY "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
#define SERVER "extendedKeyUsage=serverAuth\nsubjectAltName="

/* With the authority "ca", whom the database trusts, and "good" by it. */
static inline void
make_folder(void)
{
  g_autoptr(GError) error = NULL;
  folder = g_dir_make_tmp("signet-tls-XXXXXX", &error);
  g_assert_no_error(error);
  make_cert("ca", NULL, AUTHORITY);
  make_cert(
      "good", "ca",
      SERVER
      "DNS:localhost,DNS:mail.example.org,DNS:xn--bcher-kva.example,DNS:*.wild.example,IP:127.0.0.1,IP:::1");
  sh("mkdir db");
  sh("certutil -N -d sql:db --empty-password");
  sh("certutil -A -d sql:db -n ca -t C,, -i ca.pem");
}

static inline void
open_database(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *database = path("db");
  gboolean opened = crypto_open(&(CryptoOptions){ .nssdb = database, .roots = TRUE }, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
}

static inline void
remove_folder(void)
{
  g_autoptr(GError) error = NULL;
  gboolean closed = crypto_close(&error); /* nothing of it is still referred to */
  g_assert_no_error(error);
  g_assert_true(closed);
  sh("rm -rf %s", folder);
}

static inline void
write_all(CryptoTls *tls, const char *text)
{
  g_autoptr(GError) error = NULL;
  for (gsize length = strlen(text); length > 0;) {
    gssize sent = crypto_tls_write(tls, text, length, &error);
    g_assert_no_error(error);
    g_assert_cmpint(sent, >, 0);
    text += sent;
    length -= (gsize)sent;
  }
}

static inline char *
read_line(CryptoTls *tls)
{
  g_autoptr(GError) error = NULL;
  GString *line = g_string_new(NULL);
  while (!g_str_has_suffix(line->str, "\n")) {
    char byte;
    gssize got = crypto_tls_read(tls, &byte, 1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(got, ==, 1);
    g_string_append_c(line, byte);
  }
  return g_string_free(line, FALSE);
}

static inline void
check_echo(CryptoTls *tls)
{
  write_all(tls, "abc\n");
  g_assert_cmpint(crypto_tls_wait(tls, PATIENCE_MS, -1), ==, CRYPTO_TLS_DATA);
  g_autofree char *line = read_line(tls);
  g_assert_cmpstr(line, ==, "cba\n");
}

#endif
