#include "pki.h"

#include <pk11pub.h>

#include "crypto/context.h"
#include "crypto/pkcs12-private.h"

/* PKCS#12 files as openssl writes them, old and new, and keys that live for one run only. */

static char *folder;

static GBytes *
file(const char *name)
{
  return pki_read(folder, name);
}

static void
open_nothing(void)
{
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = NULL };
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
}

static void
close_clean(void)
{
  g_autoptr(GError) error = NULL;
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
}

static void
check_sign(SECKEYPrivateKey *key, CryptoCert *cert)
{
  static const guint8 digest[32] = { 1, 2, 3 };
  SECItem hash = { siBuffer, (guint8 *)digest, sizeof digest }, signature = { siBuffer, NULL, 0 };
  int length = PK11_SignatureLen(key);
  g_assert_cmpint(length, >, 0);
  signature.data = g_malloc(length);
  signature.len = length;
  g_assert_cmpint(PK11_Sign(key, &signature, &hash), ==, SECSuccess);
  SECKEYPublicKey *public = CERT_ExtractPublicKey(cert->nss);
  g_assert_cmpint(PK11_Verify(public, &signature, &hash, NULL), ==, SECSuccess);
  SECKEY_DestroyPublicKey(public);
  g_free(signature.data);
}

typedef struct {
  const char *file, *password;
  guint certs;
} Good;

static const Good good[] = {
  { "new.p12", "test", 2 },       { "legacy.p12", "test", 2 },      { "rc2.p12", "test", 2 },
  { "nomac.p12", "test", 1 },     { "ec.p12", "test", 1 },          { "empty.p12", "", 1 },
  { "utf8.p12", "pässwörd€", 1 }, { "plain.p12", "test", 1 },       { "sha512.p12", "test", 1 },
  { "nopoint.p12", "test", 1 },   { "oldutf8.p12", "pässwörd", 1 },
};

static void
test_read(gconstpointer data)
{
  const Good *what = data;
  open_nothing();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = file(what->file);
  g_autoptr(CryptoPkcs12) pkcs12 = crypto_pkcs12_read(bytes, what->password, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(pkcs12->keys->len, ==, 1);
  g_assert_cmpuint(pkcs12->certs->len, ==, what->certs);
  CryptoPkcs12Cert *own = pkcs12->certs->pdata[0];
  g_assert_nonnull(own->key);
  for (guint i = 1; i < pkcs12->certs->len; i++)
    g_assert_null(((CryptoPkcs12Cert *)pkcs12->certs->pdata[i])->key);
  g_assert_cmpstr(own->name, ==, "The Näme");

  gboolean added = crypto_session_add_pkcs12(bytes, what->password, &error);
  g_assert_no_error(error);
  g_assert_true(added);
  CERTCertificate *nss = own->cert->nss;
  g_autoptr(CryptoCert) found = crypto_keys_find(&nss->derIssuer, &nss->serialNumber, NULL);
  g_assert_nonnull(found);
  g_assert_cmpstr(crypto_cert_sha256(found), ==, crypto_cert_sha256(own->cert));
  guint8 hash[20];
  g_assert_true(crypto_cert_key_hash(nss, hash));
  SECItem id = { siBuffer, hash, sizeof hash };
  g_autoptr(CryptoCert) again = crypto_keys_find(NULL, NULL, &id);
  g_assert_nonnull(again);
  hash[0] ^= 1;
  g_assert_null(crypto_keys_find(NULL, NULL, &id));
  g_assert_null(crypto_keys_token(found));
  SECKEYPrivateKey *key = crypto_keys_open(found, NULL, &error);
  g_assert_no_error(error);
  check_sign(key, found);
  SECKEY_DestroyPrivateKey(key);
  g_clear_pointer(&found, crypto_cert_unref);
  g_clear_pointer(&again, crypto_cert_unref);
  g_clear_pointer(&pkcs12, crypto_pkcs12_free);
  close_clean();
}

static void
test_wrong(void)
{
  open_nothing();
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(GBytes) bytes = file(good[i].file);
    if (strcmp(good[i].file, "plain.p12") == 0)
      continue;
    g_test_message("%s", good[i].file);
    g_assert_false(crypto_session_add_pkcs12(bytes, "wrong", &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN);
    g_clear_error(&error);
  }
  g_autoptr(GBytes) pem = file("alice.pem"), ed = file("ed.p12"), none = file("nokey.p12");
  g_assert_false(crypto_session_add_pkcs12(pem, "test", &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED);
  g_clear_error(&error);
  g_assert_false(crypto_session_add_pkcs12(ed, "test", &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED);
  g_assert_nonnull(strstr(error->message, "Ed25519"));
  g_clear_error(&error);
  g_assert_false(crypto_session_add_pkcs12(none, "test", &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY);
  g_clear_error(&error);
  close_clean();
}

/* Cut anywhere, or with any one octet changed: an error (or, where nothing guards the octet, still the file). */
static void
test_damaged(void)
{
  open_nothing();
  g_autoptr(GBytes) bytes = file("nomac.p12"), guarded = file("new.p12");
  gsize length = 0;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  for (gsize i = 0; i < length; i += 7) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) cut = g_bytes_new(data, i);
    g_autoptr(CryptoPkcs12) pkcs12 = crypto_pkcs12_read(cut, "test", &error);
    g_assert_null(pkcs12);
    g_assert_nonnull(error);
  }
  for (gsize i = 0; i < 400; i++) {
    g_autoptr(GError) error = NULL;
    guint8 *changed = g_memdup2(data, length);
    changed[i] ^= 1 << (i % 8);
    g_autoptr(GBytes) copy = g_bytes_new_take(changed, length);
    g_autoptr(CryptoPkcs12) pkcs12 = crypto_pkcs12_read(copy, "test", &error);
    g_assert_true((pkcs12 == NULL) == (error != NULL));
  }
  data = g_bytes_get_data(guarded, &length);
  guint8 *changed = g_memdup2(data, length);
  changed[length / 2] ^= 1;
  g_autoptr(GBytes) copy = g_bytes_new_take(changed, length);
  g_autoptr(GError) error = NULL;
  g_assert_null(crypto_pkcs12_read(copy, "test", &error));
  g_assert_nonnull(error);
  close_clean();
}

#define EXPORT "openssl", "pkcs12", "-export", "-name", "The Näme", "-inkey"

static void
make_files(void)
{
  folder = pki_folder();
  pki_root(folder);
  pki_leaf(folder, "alice", "/CN=Alice", "subjectAltName=email:alice@example.org\n", "rsa:2048");
  pki_leaf(folder, "ec", "/CN=EC", "subjectAltName=email:ec@example.org\n", "ec:P-256");
  pki_leaf(folder, "ed", "/CN=Ed", "subjectAltName=email:ed@example.org\n", "ed25519");
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-certfile", "root.pem", "-passout", "pass:test",
          "-out", "new.p12");
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-certfile", "root.pem", "-passout", "pass:test",
          "-legacy", "-certpbe", "PBE-SHA1-3DES", "-out", "legacy.p12");
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-certfile", "root.pem", "-passout", "pass:test",
          "-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-out", "rc2.p12");
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-passout", "pass:test", "-nomac", "-out",
          "nomac.p12");
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-passout", "pass:test", "-keypbe", "NONE",
          "-certpbe", "NONE", "-nomac", "-out", "plain.p12");
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-passout", "pass:test", "-macalg", "sha512",
          "-out", "sha512.p12");
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-passout", "pass:", "-out", "empty.p12");
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-passout", "pass:pässwörd€", "-out", "utf8.p12");
  pki_run(folder, EXPORT, "ec.key", "-in", "ec.pem", "-passout", "pass:test", "-out", "ec.p12");
  pki_run(folder, "openssl", "ec", "-in", "ec.key", "-no_public", "-out", "nopoint.key");
  pki_run(folder, EXPORT, "nopoint.key", "-in", "ec.pem", "-passout", "pass:test", "-out", "nopoint.p12");
  pki_run(folder, EXPORT, "ed.key", "-in", "ed.pem", "-passout", "pass:test", "-out", "ed.p12");
  pki_run(folder, "openssl", "pkcs12", "-export", "-nokeys", "-in", "alice.pem", "-passout", "pass:test",
          "-out", "nokey.p12");
  /* an OpenSSL before 1.1 took each octet of UTF-8 for a character: today's does, told that they are characters */
  pki_run(folder, EXPORT, "alice.key", "-in", "alice.pem", "-legacy", "-passout", "pass:pÃ¤sswÃ¶rd", "-out",
          "oldutf8.p12");
}

int
main(int argc, char **argv)
{
  g_setenv("LC_ALL", "C.UTF-8", TRUE);
  g_test_init(&argc, &argv, NULL);
  make_files();
  for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autofree char *path = g_strconcat("/pkcs12/read/", good[i].file, NULL);
    g_test_add_data_func(path, &good[i], test_read);
  }
  g_test_add_func("/pkcs12/wrong", test_wrong);
  g_test_add_func("/pkcs12/damaged", test_damaged);
  int result = g_test_run();
  tree_remove(folder);
  g_free(folder);
  return result;
}
