#include "crypto/cms-write.h"

#include "tests/unit/cms-lab.h"

/* Second and third opinions: gpgsm and NSS's own cmsutil, both ways. They know RSA with PKCS#1 v1.5 and CBC. */

static CryptoCert *cert;

static GBytes *
make(gboolean detached, const char *digest)
{
  CryptoSignOptions options = { .signing_time = g_get_real_time() / G_USEC_PER_SEC,
                                .digest = digest,
                                .detached = detached };
  g_autoptr(GBytes) content = pki_read(folder, "large");
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) made = crypto_cms_sign(content, cert, &options, NULL, &error);
  g_assert_no_error(error);
  pki_write(folder, "made", g_bytes_get_data(made, NULL), (gssize)g_bytes_get_size(made));
  return g_steal_pointer(&made);
}

static void
seal(CryptoCipher cipher)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_ptr_array_add(recipients, cert);
  g_autoptr(GBytes) content = pki_read(folder, "large");
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) made = crypto_cms_encrypt(content, recipients, cipher, FALSE, &error);
  g_assert_no_error(error);
  pki_write(folder, "made", g_bytes_get_data(made, NULL), (gssize)g_bytes_get_size(made));
}

static void
assert_same(const char *one, const char *other)
{
  g_autoptr(GBytes) a = pki_read(folder, one), b = pki_read(folder, other);
  g_assert_true(g_bytes_equal(a, b));
}

static void
assert_signed(gboolean detached)
{
  g_autoptr(GBytes) bytes = pki_read(folder, "theirs"), content = pki_read(folder, "large");
  g_autoptr(CryptoCms) cms = parse(bytes);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) signers = crypto_cms_verify(cms, detached ? content : NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(signers->len, ==, 1);
  g_assert_cmpint(((CryptoSigner *)signers->pdata[0])->state, ==, CRYPTO_SIGNATURE_INTACT);
  g_autoptr(GBytes) bent = flip(content, 700);
  g_autoptr(GPtrArray) altered = crypto_cms_verify(cms, bent, NULL, &error);
  g_assert_cmpint(((CryptoSigner *)altered->pdata[0])->state, ==, CRYPTO_SIGNATURE_ALTERED);
}

static void
assert_sealed(void)
{
  g_autoptr(GBytes) bytes = pki_read(folder, "theirs"), content = pki_read(folder, "large");
  g_autoptr(CryptoCms) cms = parse(bytes);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) plain = crypto_cms_decrypt(cms, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(plain, content));
}

/* --- NSS's own --- */

static void
test_cmsutil(void)
{
  static const char *const digests[] = { "SHA256", "SHA384", "SHA512" };
  for (guint i = 0; i < G_N_ELEMENTS(digests); i++) {
    g_autofree char *name = g_ascii_strdown(digests[i], -1);
    g_autoptr(GBytes) opaque = make(FALSE, name);
    pki_run(folder, "cmsutil", "-D", "-d", "sql:nssdb", "-i", "made", "-o", "got");
    assert_same("got", "large");
    g_autoptr(GBytes) detached = make(TRUE, name);
    pki_run(folder, "cmsutil", "-D", "-d", "sql:nssdb", "-i", "made", "-c", "large", "-o", "got");
    pki_run(folder, "cmsutil", "-S", "-d", "sql:nssdb", "-N", "rsa", "-H", digests[i], "-G", "-P", "-i",
            "large", "-o", "theirs");
    assert_signed(FALSE);
    pki_run(folder, "cmsutil", "-S", "-d", "sql:nssdb", "-N", "rsa", "-H", digests[i], "-T", "-i", "large",
            "-o", "theirs");
    assert_signed(TRUE);
  }
  seal(CRYPTO_CIPHER_AES256_CBC);
  pki_run(folder, "cmsutil", "-D", "-d", "sql:nssdb", "-i", "made", "-o", "got");
  assert_same("got", "large");
  pki_run(folder, "cmsutil", "-E", "-d", "sql:nssdb", "-r", "rsa", "-i", "large", "-o", "theirs");
  assert_sealed();
}

/* --- gpgsm --- */

static void
run_gpgsm(const char *arguments)
{
  g_autofree char *command = g_strdup_printf("exec gpgsm --passphrase-fd 0 %s <word", arguments);
  char *argv[] = { (char *)"sh", (char *)"-c", command, NULL };
  g_autoptr(GError) error = NULL;
  g_autofree char *errors = NULL;
  int status = 0;
  g_spawn_sync(folder, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
               &errors, &status, &error);
  g_assert_no_error(error);
  if (status != 0)
    g_test_message("%s: %s", command, errors);
  g_assert_cmpint(status, ==, 0);
}

static void
set_up_gpgsm(void)
{
  g_autofree char *home = g_build_filename(folder, "gnupg", NULL), *fingerprint = NULL;
  g_assert_cmpint(g_mkdir(home, 0700), ==, 0);
  g_setenv("GNUPGHOME", home, TRUE);
  pki_write(folder, "gnupg/gpgsm.conf", "disable-crl-checks\nbatch\nno-tty\nyes\npinentry-mode loopback\n",
            -1);
  pki_write(folder, "gnupg/gpg-agent.conf", "allow-loopback-pinentry\n", -1);
  pki_write(folder, "word", "test\n", -1);
  g_assert_cmpint(pki_spawn(folder, &fingerprint, "openssl", "x509", "-in", "root.pem", "-noout",
                            "-fingerprint", "-sha1", NULL),
                  ==, 0);
  g_autofree char *trust = g_strconcat(strchr(fingerprint, '=') + 1, NULL);
  g_strchomp(trust);
  g_autofree char *list = g_strconcat(trust, " S relax\n", NULL);
  pki_write(folder, "gnupg/trustlist.txt", list, -1);
  g_autofree char *script = g_canonicalize_filename("tests/lab/gpgsm-key.sh", NULL);
  pki_run(folder, "sh", script, "rsa.pem", "rsa.key", "test", "-certfile", "root.pem");
}

static void
test_gpgsm(void)
{
  set_up_gpgsm();
  g_autoptr(GBytes) opaque = make(FALSE, "sha256");
  run_gpgsm("--verify --output got made");
  assert_same("got", "large");
  g_autoptr(GBytes) detached = make(TRUE, "sha512");
  run_gpgsm("--verify made large");
  run_gpgsm("--local-user CN=rsa --output theirs --sign large");
  assert_signed(FALSE);
  run_gpgsm("--local-user CN=rsa --output theirs --detach-sign large");
  assert_signed(TRUE);
  static const CryptoCipher ciphers[] = { CRYPTO_CIPHER_AES128_CBC, CRYPTO_CIPHER_AES256_CBC,
                                          CRYPTO_CIPHER_3DES_CBC };
  for (guint i = 0; i < G_N_ELEMENTS(ciphers); i++) {
    seal(ciphers[i]);
    run_gpgsm("--decrypt --output got made");
    assert_same("got", "large");
  }
  run_gpgsm("--recipient CN=rsa --output theirs --encrypt large");
  assert_sealed();
  pki_run(folder, "gpgconf", "--kill", "all"); /* the agent that was started for this folder */
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  make_people();
  import_keys();
  pki_run(folder, "certutil", "-A", "-d", "sql:nssdb", "-n", "root", "-t", ",C,", "-i", "root.pem");
  lab_open();
  cert = certificate("rsa");
  g_test_add_func("/cms-interop/cmsutil", test_cmsutil);
  g_test_add_func("/cms-interop/gpgsm", test_gpgsm);
  int result = g_test_run();
  g_clear_pointer(&cert, crypto_cert_unref);
  lab_close();
  return result;
}
