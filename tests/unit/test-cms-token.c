#include "crypto/cms-write.h"

#include "tests/unit/cms-lab.h"

/* Keys on a token that knows neither OAEP with SHA-2 nor a derivation function: SoftHSM, as many cards are. */

static guint asked;

static char *
give(const CryptoPinQuestion *question, GCancellable *cancellable, gpointer user_data)
{
  g_assert_cmpstr(question->token, ==, "card");
  asked++;
  return g_strdup(user_data);
}

static CryptoPinSource
source(GCancellable *cancellable, const char *pin)
{
  return (CryptoPinSource){ .func = give, .user_data = (gpointer)pin, .cancellable = cancellable };
}

static void
set_up_token(void)
{
  g_autofree char *configuration = g_build_filename(folder, "softhsm.conf", NULL);
  g_autofree char *text = g_strdup_printf("directories.tokendir = %s/tokens\nlog.level = ERROR\n", folder);
  pki_write(folder, "softhsm.conf", text, -1);
  g_setenv("SOFTHSM2_CONF", configuration, TRUE);
  pki_run(folder, "mkdir", "nssdb", "tokens");
  pki_run(folder, "certutil", "-N", "-d", "sql:nssdb", "--empty-password");
  pki_run(folder, "softhsm2-util", "--init-token", "--free", "--label", "card", "--pin", "1234", "--so-pin",
          "12345678");
  static const char *const paths[] = { "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
                                       "/usr/lib64/libsofthsm2.so" };
  const char *module = NULL;
  for (guint i = 0; i < G_N_ELEMENTS(paths) && !module; i++)
    module = g_file_test(paths[i], G_FILE_TEST_EXISTS) ? paths[i] : NULL;
  g_assert_nonnull(module);
  pki_run(folder, "modutil", "-dbdir", "sql:nssdb", "-add", "lab", "-libfile", module, "-force");
  static const char *const names[] = { "rsa", "ec256", "ec384", "ec521" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *pem = g_strconcat(names[i], ".pem", NULL), *key = g_strconcat(names[i], ".key", NULL);
    pki_run(folder, "openssl", "pkcs12", "-export", "-in", pem, "-inkey", key, "-passout", "pass:test",
            "-out", "p12", "-name", names[i]);
    pki_run(folder, "pk12util", "-i", "p12", "-d", "sql:nssdb", "-h", "card", "-W", "test", "-K", "1234");
  }
}

static GBytes *
seal(const char *recipient, const char *options)
{
  g_autofree char *text = g_strdup_printf(
      "cms -encrypt -binary -outform DER -out out -in content -recip %s.pem %s", recipient, options);
  g_auto(GStrv) arguments = g_strsplit(text, " ", -1);
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  for (guint i = 0; arguments[i]; i++)
    g_ptr_array_add(argv, arguments[i]);
  openssl(argv);
  return pki_read(folder, "out");
}

static void
assert_fails(GBytes *bytes, CryptoPinSource *pin, int code)
{
  g_autoptr(CryptoCms) cms = parse(bytes);
  g_autoptr(GError) error = NULL;
  g_assert_null(crypto_cms_decrypt(cms, pin, &error));
  g_assert_error(error, CRYPTO_ERROR, code);
}

/* Nobody is asked where nobody may be; one wrong answer costs one try; giving up is no failure. */
static void
test_locked(void)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  g_autoptr(GBytes) bytes = seal("rsa", "-aes128");
  CryptoPinSource wrong = source(cancellable, "4321"), none = source(cancellable, NULL);
  g_autoptr(CryptoCms) cms = parse(bytes);
  g_autoptr(CryptoEnvelope) envelope = crypto_cms_envelope(cms);
  g_assert_cmpstr(envelope->token, ==, "card");
  assert_fails(bytes, NULL, CRYPTO_ERROR_LOCKED);
  g_assert_cmpuint(asked, ==, 0);
  assert_fails(bytes, &wrong, CRYPTO_ERROR_PIN);
  asked = 0;
  assert_fails(bytes, &none, CRYPTO_ERROR_CANCELLED);
  g_assert_cmpuint(asked, ==, 1);
}

static void
test_decrypt(void)
{
  static const struct {
    const char *recipient, *options;
  } cases[] = {
    { "rsa", "-aes128" },
    { "rsa", "-aes-256-gcm" },
    { "rsa", "-aes256 -keyopt rsa_padding_mode:oaep" },
    { "rsa", "-aes256 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256" },
    { "rsa", "-aes128 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha512 -keyopt rsa_mgf1_md:sha1" },
    { "rsa",
      "-aes128 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha384 -keyopt rsa_oaep_label:616263" },
    { "ec256", "-aes128" },
    { "ec256", "-aes256 -keyopt ecdh_kdf_md:sha256 -keyopt ecdh_cofactor_mode:1" },
    { "ec384", "-aes-256-gcm -keyopt ecdh_kdf_md:sha384" },
    { "ec521", "-aes256 -keyopt ecdh_kdf_md:sha512" },
  };
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  g_autoptr(GBytes) content = pki_read(folder, "content");
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    CryptoPinSource pin = source(cancellable, "1234");
    g_autoptr(GBytes) bytes = seal(cases[i].recipient, cases[i].options);
    g_autoptr(CryptoCms) cms = parse(bytes);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) plain = crypto_cms_decrypt(cms, &pin, &error);
    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(plain, content));
    g_autoptr(GBytes) bent = flip(bytes, g_bytes_get_size(bytes) - 5);
    if (strstr(cases[i].options, "gcm"))
      assert_fails(bent, &pin, CRYPTO_ERROR_MALFORMED);
  }
}

static void
test_sign(void)
{
  static const struct {
    const char *signer, *digest;
    gboolean pss;
  } cases[] = {
    { "rsa", "sha256", FALSE },   { "rsa", "sha512", FALSE },   { "rsa", "sha256", TRUE },
    { "rsa", "sha384", TRUE },    { "ec256", "sha256", FALSE }, { "ec256", "sha512", FALSE },
    { "ec384", "sha384", FALSE }, { "ec521", "sha512", FALSE },
  };
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  g_autoptr(GBytes) content = pki_read(folder, "content");
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(CryptoCert) cert = certificate(cases[i].signer);
    g_autoptr(GError) error = NULL;
    CryptoPinSource pin = source(cancellable, "1234");
    CryptoSignOptions options = { .digest = cases[i].digest, .pss = cases[i].pss };
    g_autoptr(GBytes) made = crypto_cms_sign(content, cert, &options, &pin, &error);
    g_assert_no_error(error);
    pki_write(folder, "made", g_bytes_get_data(made, NULL), (gssize)g_bytes_get_size(made));
    pki_run(folder, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "made", "-out", "got",
            "-CAfile", "root.pem");
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  make_people();
  set_up_token();
  lab_open();
  g_test_add_func("/cms-token/1-locked", test_locked);
  g_test_add_func("/cms-token/2-decrypt", test_decrypt);
  g_test_add_func("/cms-token/3-sign", test_sign);
  int result = g_test_run();
  lab_close();
  return result;
}
