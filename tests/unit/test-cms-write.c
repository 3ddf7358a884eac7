#include "crypto/cms-write.h"

#include "crypto/ber.h"
#include "crypto/oid.h"
#include "tests/unit/cms-lab.h"

/* What we write, read by openssl and by ourselves. */

static void
run_openssl(const char *text)
{
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_auto(GStrv) arguments = g_strsplit(text, " ", -1);
  for (guint i = 0; arguments[i]; i++)
    if (*arguments[i])
      g_ptr_array_add(argv, arguments[i]);
  openssl(argv);
}

static void
assert_file_is(const char *name, GBytes *expected)
{
  g_autoptr(GBytes) got = pki_read(folder, name);
  g_assert_true(g_bytes_equal(got, expected));
}

typedef struct {
  const char *name, *signer, *digest, *algorithm;
  gboolean pss;
} SignCase;

static const SignCase sign_cases[] = {
  { "rsa-sha256", "rsa", NULL, "RSA", FALSE },
  { "rsa-sha384", "rsa", "sha384", "RSA", FALSE },
  { "rsa-sha512", "rsa", "sha512", "RSA", FALSE },
  { "pss-sha256", "rsa", "sha256", "RSA-PSS", TRUE },
  { "pss-sha384", "rsa", "sha384", "RSA-PSS", TRUE },
  { "pss-sha512", "rsa", "sha512", "RSA-PSS", TRUE },
  { "ec256-own", "ec256", NULL, "ECDSA", FALSE },
  { "ec384-own", "ec384", NULL, "ECDSA", FALSE },
  { "ec521-own", "ec521", NULL, "ECDSA", FALSE },
  { "ec256-sha256", "ec256", "sha256", "ECDSA", FALSE },
  { "ec256-sha512", "ec256", "sha512", "ECDSA", FALSE },
  { "ec384-sha384", "ec384", "sha384", "ECDSA", FALSE },
  { "ec521-sha512", "ec521", "sha512", "ECDSA", FALSE },
  { "ec521-sha256", "ec521", "sha256", "ECDSA", FALSE },
};

static void
test_sign(gconstpointer data)
{
  const SignCase *test = data;
  static const char *const files[] = { "content", "empty", "large" };
  g_autoptr(CryptoCert) cert = certificate(test->signer), root = certificate("root");
  g_autoptr(GPtrArray) chain = g_ptr_array_new();
  g_ptr_array_add(chain, root);
  g_ptr_array_add(chain, cert);
  for (guint form = 0; form < 4; form++)
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
      CryptoSignOptions options = { .signing_time = g_get_real_time() / G_USEC_PER_SEC,
                                    .digest = test->digest,
                                    .pss = test->pss,
                                    .detached = form & 1,
                                    .no_attributes = form >> 1,
                                    .chain = chain };
      g_autoptr(GBytes) content = pki_read(folder, files[i]);
      g_autoptr(GError) error = NULL;
      g_autoptr(GBytes) made = crypto_cms_sign(content, cert, &options, NULL, &error);
      g_assert_no_error(error);
      pki_write(folder, "made", g_bytes_get_data(made, NULL), (gssize)g_bytes_get_size(made));
      g_autofree char *text =
          g_strdup_printf("cms -verify -binary -inform DER -in made -out got -CAfile root.pem %s%s",
                          options.detached ? "-content " : "", options.detached ? files[i] : "");
      run_openssl(text);
      assert_file_is("got", content);
      g_autoptr(CryptoCms) cms = parse(made);
      g_autoptr(GPtrArray) certs = crypto_cms_certs(cms);
      g_assert_cmpuint(certs->len, ==, 2);
      g_autoptr(GPtrArray) signers = crypto_cms_verify(cms, options.detached ? content : NULL, NULL, &error);
      g_assert_no_error(error);
      const CryptoSigner *signer = signers->pdata[0];
      g_assert_cmpint(signer->state, ==, CRYPTO_SIGNATURE_INTACT);
      g_assert_cmpstr(signer->algorithm, ==, test->algorithm);
      g_assert_cmpstr(signer->digest, ==, crypto_cms_sign_digest(cert, test->digest));
      g_assert_cmpint(signer->has_signing_time, ==, !options.no_attributes);
      if (!options.no_attributes)
        g_assert_cmpint(signer->signing_time, ==, options.signing_time);
    }
}

/* AES only, and GCM first: what we cannot or will not read is never asked for. */
static void
test_capabilities(void)
{
  g_autoptr(CryptoCert) cert = certificate("rsa");
  g_autoptr(GBytes) content = pki_read(folder, "content");
  CryptoSignOptions options = { .detached = TRUE };
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) made = crypto_cms_sign(content, cert, &options, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(CryptoCms) cms = parse(made);
  g_autoptr(GPtrArray) signers = crypto_cms_verify(cms, content, NULL, &error);
  const CryptoSigner *signer = signers->pdata[0];
  g_assert_false(signer->has_signing_time);
  const guint all = CRYPTO_CAN_AES128_CBC | CRYPTO_CAN_AES256_CBC | CRYPTO_CAN_AES128_GCM |
                    CRYPTO_CAN_AES256_GCM | CRYPTO_CAN_RSA_OAEP | CRYPTO_CAN_RSA_PSS | CRYPTO_CAN_ECDH;
  g_assert_cmpuint(crypto_cms_capabilities(signer->capabilities), ==, all);
  gsize length;
  const guint8 *der = g_bytes_get_data(signer->capabilities, &length);
  CryptoBerReader outer = crypto_ber_reader(der, length);
  CryptoBerItem list, first, item;
  g_assert_true(crypto_ber_expect(&outer, CRYPTO_BER_SEQUENCE, &list) && crypto_ber_at_end(&outer));
  CryptoBerReader each = crypto_ber_enter(&list);
  for (guint i = 0; crypto_ber_next(&each, &item); i++) {
    CryptoBerReader inside = crypto_ber_enter(&item);
    g_assert_true(crypto_ber_next(&inside, &first));
    CryptoOid oid = crypto_oid_find(&first);
    g_assert_cmpint(oid == CRYPTO_OID_AES256_GCM, ==, i == 0);
    g_assert_true(oid != CRYPTO_OID_UNKNOWN && oid != CRYPTO_OID_RC2_CBC && oid != CRYPTO_OID_DES_CBC &&
                  oid != CRYPTO_OID_TDES_CBC);
  }
  g_assert_true(crypto_ber_at_end(&each));
  g_assert_cmpuint(crypto_cms_capabilities(NULL), ==, 0);
  g_autoptr(GBytes) cut = g_bytes_new_from_bytes(signer->capabilities, 0, length - 1);
  g_assert_cmpuint(crypto_cms_capabilities(cut), ==, 0);
  /* What openssl announces: AES-CBC among others, 3DES and RC2 that count for nothing here. */
  run_openssl("cms -sign -binary -in content -signer rsa.pem -inkey rsa.key -outform DER -out made");
  g_autoptr(GBytes) theirs = pki_read(folder, "made");
  g_autoptr(CryptoCms) other = parse(theirs);
  g_autoptr(GPtrArray) others = crypto_cms_verify(other, content, NULL, &error);
  const CryptoSigner *peer = others->pdata[0];
  g_assert_cmpuint(crypto_cms_capabilities(peer->capabilities), ==, CRYPTO_CAN_AES128_CBC | CRYPTO_CAN_AES256_CBC);
}

/* Two certificates, one to sign and one to be written to: both go along, and the attribute names the second. */
static void
test_preference(void)
{
  g_autoptr(CryptoCert) cert = certificate("rsa"), second = certificate("ec384");
  g_autoptr(GBytes) content = pki_read(folder, "content");
  CryptoSignOptions options = { .detached = TRUE, .encryption = second };
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) made = crypto_cms_sign(content, cert, &options, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(CryptoCms) cms = parse(made);
  g_autoptr(GPtrArray) certs = crypto_cms_certs(cms);
  g_assert_cmpuint(certs->len, ==, 2);
  g_autoptr(GPtrArray) signers = crypto_cms_verify(cms, content, NULL, &error);
  const CryptoSigner *signer = signers->pdata[0];
  g_assert_cmpint(signer->state, ==, CRYPTO_SIGNATURE_INTACT);
  g_autoptr(CryptoCert) named = crypto_cms_preferred_cert(signer, certs);
  g_assert_cmpstr(crypto_cert_sha256(named), ==, crypto_cert_sha256(second));
  g_ptr_array_set_size(certs, 0);
  g_assert_null(crypto_cms_preferred_cert(signer, certs));
}

static void
test_sign_refused(void)
{
  static const struct {
    const char *signer, *digest;
    int code;
  } cases[] = {
    { "rsa", "sha1", CRYPTO_ERROR_REFUSED },         { "rsa", "md5", CRYPTO_ERROR_REFUSED },
    { "rsa", "sha3-256", CRYPTO_ERROR_UNSUPPORTED }, { "ed", NULL, CRYPTO_ERROR_UNSUPPORTED },
    { "other", NULL, CRYPTO_ERROR_NO_KEY },
  };
  g_autoptr(GBytes) content = pki_read(folder, "content");
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(CryptoCert) cert = certificate(cases[i].signer);
    CryptoSignOptions options = { .digest = cases[i].digest };
    g_autoptr(GError) error = NULL;
    g_assert_null(crypto_cms_sign(content, cert, &options, NULL, &error));
    g_assert_error(error, CRYPTO_ERROR, cases[i].code);
  }
}

/* --- encryption --- */

static const struct {
  CryptoCipher cipher;
  const char *name;
} ciphers[] = {
  { CRYPTO_CIPHER_AES128_CBC, "aes-128-cbc" }, { CRYPTO_CIPHER_AES256_CBC, "aes-256-cbc" },
  { CRYPTO_CIPHER_AES128_GCM, "aes-128-gcm" }, { CRYPTO_CIPHER_AES256_GCM, "aes-256-gcm" },
  { CRYPTO_CIPHER_3DES_CBC, "des-ede3-cbc" },
};

static void
seal(const char *const *names, guint cipher, gboolean oaep, const char *file)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  for (guint i = 0; names[i]; i++)
    g_ptr_array_add(recipients, certificate(names[i]));
  g_autoptr(GBytes) content = pki_read(folder, file);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) made = crypto_cms_encrypt(content, recipients, ciphers[cipher].cipher, oaep, &error);
  g_assert_no_error(error);
  pki_write(folder, "made", g_bytes_get_data(made, NULL), (gssize)g_bytes_get_size(made));
  for (guint i = 0; names[i]; i++) {
    g_autofree char *text = g_strdup_printf(
        "cms -decrypt -binary -inform DER -in made -out got -recip %s.pem -inkey %s.key", names[i], names[i]);
    run_openssl(text);
    assert_file_is("got", content);
  }
  g_autoptr(CryptoCms) cms = parse(made);
  g_autoptr(CryptoEnvelope) envelope = crypto_cms_envelope(cms);
  g_assert_cmpstr(envelope->algorithm, ==, ciphers[cipher].name);
  g_autoptr(GBytes) plain = crypto_cms_decrypt(cms, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(plain, content));
  if (!names[1] && strcmp(names[0], "rsa") == 0)
    g_assert_cmpstr(envelope->key_transport, ==, oaep ? "RSA-OAEP SHA-256" : "RSA PKCS#1 v1.5");
}

static void
test_encrypt(void)
{
  static const char *const to[][5] = {
    { "rsa" }, { "ec256" }, { "ec384" }, { "ec521" }, { "other", "ec384", "rsa", "ec521" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(to); i++)
    for (guint cipher = 0; cipher < G_N_ELEMENTS(ciphers); cipher++)
      for (guint oaep = 0; oaep < 2; oaep++)
        seal(to[i], cipher, oaep, "content");
}

static void
test_encrypt_sizes(void)
{
  static const char *const files[] = { "empty", "block", "large" }, *const to[] = { "rsa", NULL };
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    for (guint cipher = 0; cipher < G_N_ELEMENTS(ciphers); cipher++)
      seal(to, cipher, FALSE, files[i]);
}

static void
test_encrypt_refused(void)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  g_autoptr(GBytes) content = pki_read(folder, "content");
  g_autoptr(GError) error = NULL;
  g_assert_null(crypto_cms_encrypt(content, recipients, CRYPTO_CIPHER_AES256_CBC, FALSE, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  static const char *const unfit[] = { "ed", "pss" };
  for (guint i = 0; i < G_N_ELEMENTS(unfit); i++) {
    g_clear_error(&error);
    g_ptr_array_set_size(recipients, 0);
    g_ptr_array_add(recipients, certificate("rsa"));
    g_ptr_array_add(recipients, certificate(unfit[i]));
    g_assert_null(crypto_cms_encrypt(content, recipients, CRYPTO_CIPHER_AES256_CBC, FALSE, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error->message, unfit[i]));
  }
}

int
main(int argc, char **argv)
{
  lab_begin(&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS(sign_cases); i++) {
    g_autofree char *path = g_strconcat("/cms-write/sign/", sign_cases[i].name, NULL);
    g_test_add_data_func(path, &sign_cases[i], test_sign);
  }
  g_test_add_func("/cms-write/capabilities", test_capabilities);
  g_test_add_func("/cms-write/preference", test_preference);
  g_test_add_func("/cms-write/sign-refused", test_sign_refused);
  g_test_add_func("/cms-write/encrypt", test_encrypt);
  g_test_add_func("/cms-write/encrypt-sizes", test_encrypt_sizes);
  g_test_add_func("/cms-write/encrypt-refused", test_encrypt_refused);
  return lab_run();
}
