#ifndef TESTS_CMS_LAB_H
#define TESTS_CMS_LAB_H

/* Keys, certificates and a database for the tests of the CMS codec. */
#include <string.h>

#include "crypto/cms.h"
#include "crypto/context.h"
#include "tests/unit/pki.h"

static char *folder; /* one for the whole program: making keys is slow */

static const char mail_extensions[] = "subjectAltName=email:%s@test.example\nkeyUsage=digitalSignature,%s\n"
                                      "extendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\n"
                                      "authorityKeyIdentifier=keyid\n";

static const struct {
  const char *name, *key, *usage;
} people[] = {
  { "rsa", "rsa:2048", "keyEncipherment" }, { "ec256", "ec:P-256", "keyAgreement" },
  { "ec384", "ec:P-384", "keyAgreement" },  { "ec521", "ec:P-521", "keyAgreement" },
  { "other", "rsa:2048", "keyEncipherment" },
  { "pss", "rsa-pss", "nonRepudiation" },   { "ed", "ed25519", "nonRepudiation" },
};

static inline void
make_people(void)
{
  folder = pki_folder();
  pki_root(folder);
  for (guint i = 0; i < G_N_ELEMENTS(people); i++) {
    g_autofree char *subject = g_strconcat("/CN=", people[i].name, NULL);
    g_autofree char *extensions = NULL;
    GString *text = g_string_new(mail_extensions);
    g_string_replace(text, "%s@", "@@", 1);
    g_string_replace(text, "%s", people[i].usage, 1);
    g_string_replace(text, "@@", people[i].name, 1);
    g_string_replace(text, "test.example", "@test.example", 1);
    extensions = g_string_free(text, FALSE);
    pki_leaf(folder, people[i].name, subject, extensions, people[i].key);
  }
}

static inline CryptoCert *
certificate(const char *name)
{
  g_autofree char *file = g_strconcat(name, ".pem", NULL);
  g_autoptr(GBytes) pem = pki_read(folder, file);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = crypto_certs_parse(pem, &error);
  g_assert_no_error(error);
  return crypto_cert_ref(certs->pdata[0]);
}

static inline GBytes *
flip(GBytes *bytes, gsize at)
{
  gsize length;
  guint8 *copy = g_memdup2(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
  length = g_bytes_get_size(bytes);
  g_assert_cmpuint(at, <, length);
  copy[at] ^= 1;
  return g_bytes_new_take(copy, length);
}

static inline CryptoCms *
parse(GBytes *bytes)
{
  g_autoptr(GError) error = NULL;
  CryptoCms *cms = crypto_cms_parse(bytes, &error);
  g_assert_no_error(error);
  return cms;
}

static inline void
openssl(GPtrArray *argv)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *errors = NULL;
  int status = 0;
  g_ptr_array_insert(argv, 0, (char *)"openssl");
  g_ptr_array_add(argv, NULL);
  g_spawn_sync(folder, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &errors, &status, &error);
  g_assert_no_error(error);
  if (status != 0)
    g_test_message("%s", errors);
  g_assert_cmpint(status, ==, 0);
}

/* Into the database, as another program would. */
static inline void
import_keys(void)
{
  static const char *const names[] = { "rsa", "ec256", "ec384", "ec521" };
  pki_run(folder, "mkdir", "nssdb");
  pki_run(folder, "certutil", "-N", "-d", "sql:nssdb", "--empty-password");
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *pem = g_strconcat(names[i], ".pem", NULL), *key = g_strconcat(names[i], ".key", NULL);
    pki_run(folder, "openssl", "pkcs12", "-export", "-in", pem, "-inkey", key, "-passout", "pass:test", "-out", "p12",
            "-name", names[i]);
    pki_run(folder, "pk12util", "-i", "p12", "-d", "sql:nssdb", "-W", "test");
  }
}

static inline void
lab_open(void)
{
  pki_write(folder, "content", "Content-Type: text/plain\r\n\r\nThree thousand, by Friday.\r\n", -1);
  pki_write(folder, "empty", "", 0);
  pki_write(folder, "block", "0123456789abcdef", 16);
  g_autofree char *large = g_malloc(100001);
  for (guint i = 0; i < 100001; i++)
    large[i] = (char)(i * i >> 3);
  pki_write(folder, "large", large, 100001);
  g_autofree char *database = g_build_filename(folder, "nssdb", NULL);
  CryptoOptions options = { .nssdb = database };
  g_autoptr(GError) error = NULL;
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
}

static inline void
lab_close(void)
{
  g_autoptr(GError) error = NULL;
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
  tree_remove(folder);
  g_free(folder);
}

/* What main() of such a program begins with, and ends with. */
static inline void
lab_begin(int *argc, char ***argv)
{
  g_test_init(argc, argv, NULL);
  make_people();
  import_keys();
  lab_open();
}

static inline int
lab_run(void)
{
  int result = g_test_run();
  lab_close();
  return result;
}

#endif
