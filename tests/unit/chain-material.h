#ifndef TESTS_CHAIN_MATERIAL_H
#define TESTS_CHAIN_MATERIAL_H

/* Certificates by openssl in a throw-away folder, and a session that trusts one root: for the tests of chains. */
#include "crypto/chain.h"
#include "crypto/context.h"
#include "tests/unit/openssl.h"

enum { DAY = 86400 };

static gint64 now;

static inline void
put(const char *name, const char *text)
{
  g_autofree char *file = path(name);
  g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static inline GBytes *
get(const char *name)
{
  g_autofree char *file = path(name);
  char *text;
  gsize length;
  g_autoptr(GError) error = NULL;
  g_file_get_contents(file, &text, &length, &error);
  g_assert_no_error(error);
  return g_bytes_new_take(text, length);
}

/* What a certificate is made of; NULLs are filled in as for a good signer of mail by "inter". */
typedef struct {
  const char *name;
  const char *issuer;     /* "-": itself */
  const char *extensions; /* added to the key identifiers */
  const char *key;        /* options of openssl req -newkey; or "=NAME": that one's key */
  const char *subject;
  const char *options; /* of openssl x509 */
  int days;
} Make;

#define MAIL                                                                                                 \
  "keyUsage=critical,digitalSignature,keyAgreement\nextendedKeyUsage=emailProtection\n"                      \
  "subjectAltName=email:anna@example.org\n"
#define CA "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
#define EC "ec -pkeyopt ec_paramgen_curve:P-256"
#define MAIL_WITH(rest) "keyUsage=digitalSignature\n" rest

static inline void
make_one(const Make *make)
{
  const char *name = make->name, *issuer = make->issuer ? make->issuer : "inter";
  g_autofree char *subject = make->subject ? g_strdup(make->subject) : g_strdup_printf("/CN=%s", name);
  if (make->key && *make->key == '=') {
    sh("cp %s.key %s.key", make->key + 1, name);
    sh("openssl req -new -key %s.key -out %s.csr -subj '%s'", name, name, subject);
  } else {
    sh("openssl req -new -newkey %s -nodes -keyout %s.key -out %s.csr -subj '%s'", make->key ? make->key : EC,
       name, name, subject);
  }
  g_autofree char *file = g_strdup_printf("%s.ext", name);
  g_autofree char *text =
      g_strdup_printf("subjectKeyIdentifier=hash\n%s%s",
                      *issuer == '-' ? "" : "authorityKeyIdentifier=keyid\n", make->extensions);
  put(file, text);
  g_autofree char *by = *issuer == '-'
                            ? g_strdup_printf("-signkey %s.key", name)
                            : g_strdup_printf("-CA %s.pem -CAkey %s.key -CAcreateserial", issuer, issuer);
  sh("openssl x509 -req -in %s.csr %s -extfile %s -days %d -out %s.pem %s", name, by, file,
     make->days ? make->days : 100, name, make->options ? make->options : "");
}

static inline CryptoCert *
cert(const char *name)
{
  g_autofree char *file = g_strconcat(name, ".pem", NULL);
  g_autoptr(GBytes) bytes = get(file);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = crypto_certs_parse(bytes, &error);
  g_assert_no_error(error);
  return crypto_cert_ref(certs->pdata[0]);
}

/* "a b c" */
static inline GPtrArray *
certs(const char *names)
{
  GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  g_auto(GStrv) split = g_strsplit(names, " ", -1);
  for (char **name = split; *name; name++)
    if (**name)
      g_ptr_array_add(list, cert(*name));
  return list;
}

static inline char *
words_of(guint problems)
{
  GString *words = g_string_new(NULL);
  for (guint i = 0; i < 32; i++)
    if (problems & 1u << i)
      g_string_append_printf(words, "%s%s", words->len ? " " : "", crypto_trust_word(1u << i));
  return g_string_free(words, FALSE);
}

/* --- a session with one trusted root --- */

static inline void
begin(void)
{
  g_autoptr(GError) error = NULL;
  CryptoOptions options = { 0 };
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
  g_autoptr(GBytes) root = get("root.pem");
  gboolean added = crypto_session_add_roots(root, &error);
  g_assert_no_error(error);
  g_assert_true(added);
}

static inline void
end(void)
{
  g_autoptr(GError) error = NULL;
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
}

static inline void
open_database(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *database = path("db");
  CryptoOptions options = { .nssdb = database };
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
}

#endif
