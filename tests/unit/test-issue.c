#include "pki.h"

#include "crypto/cert-private.h"
#include "crypto/certdb.h"
#include "crypto/context.h"
#include "crypto/issue.h"
#include "crypto/keyuse.h"

/* What we issue is what openssl accepts: chains, purposes, names, revocation lists. */

static char *folder;
static gint64 now;

static void
write_pem(CryptoCert *cert, const char *name)
{
  g_autofree char *pem = crypto_cert_pem(cert);
  pki_write(folder, name, pem, -1);
}

static CryptoCert *
issue(const CryptoIssue *what)
{
  g_autoptr(GError) error = NULL;
  CryptoCert *cert = crypto_issue(what, NULL, &error);
  g_assert_no_error(error);
  return cert;
}

static void
check_chain(CryptoCert *root, CryptoCert *inter, const char *curve)
{
  const char *const addresses[] = { "Anna.Keller@example.org", "ünï@example.org", NULL };
  g_autoptr(CryptoCert) leaf = issue(&(CryptoIssue){ .common_name = "Anna Kéller",
                                                     .organisation = "House",
                                                     .addresses = addresses,
                                                     .issuer = inter,
                                                     .not_before = now - 86400,
                                                     .not_after = now + 86400 * 365,
                                                     .sign = TRUE,
                                                     .encrypt = TRUE,
                                                     .curve = curve });
  g_autofree char *key_name = curve ? g_strdup_printf("EC %s", curve) : g_strdup("RSA 2048");
  g_assert_cmpstr(crypto_cert_key_name(leaf), ==, key_name);
  g_assert_cmpstr(crypto_cert_common_name(leaf), ==, "Anna Kéller");
  g_assert_cmpstr(crypto_cert_addresses(leaf)[0], ==, "anna.keller@example.org");
  g_assert_cmpstr(crypto_cert_addresses(leaf)[1], ==, "ünï@example.org");
  g_assert_true(crypto_cert_can_sign(leaf));
  g_assert_true(crypto_cert_can_encrypt(leaf));
  g_assert_cmpint(crypto_cert_not_before(leaf), ==, now - 86400);
  g_assert_cmpint(crypto_cert_not_after(leaf), ==, now + 86400 * 365);
  write_pem(root, "root.pem");
  write_pem(inter, "inter.pem");
  write_pem(leaf, "leaf.pem");
  pki_run(folder, "openssl", "verify", "-x509_strict", "-purpose", "smimesign", "-CAfile", "root.pem",
          "-untrusted", "inter.pem", "leaf.pem");
  if (!curve) /* of EC keys openssl does not know that they agree instead of enciphering */
    pki_run(folder, "openssl", "verify", "-x509_strict", "-purpose", "smimeencrypt", "-CAfile", "root.pem",
            "-untrusted", "inter.pem", "leaf.pem");

  g_autoptr(GError) error = NULL;
  const char *const serials[] = { crypto_cert_serial(leaf), "0f", NULL };
  g_autoptr(GBytes) none = crypto_issue_crl(inter, NULL, now - 100, 9, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpint(CERT_VerifyCertificate(CERT_GetDefaultCertDB(), leaf->nss, PR_TRUE,
                                         certificateUsageEmailSigner, PR_Now(), NULL, NULL, NULL),
                  ==, SECSuccess);
  g_autoptr(GBytes) crl = crypto_issue_crl(inter, serials, now - 50, 9, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpint(CERT_VerifyCertificate(CERT_GetDefaultCertDB(), leaf->nss, PR_TRUE,
                                         certificateUsageEmailSigner, PR_Now(), NULL, NULL, NULL),
                  ==, SECFailure);
  pki_write(folder, "inter.crl", g_bytes_get_data(crl, NULL), g_bytes_get_size(crl));
  pki_run(folder, "openssl", "crl", "-inform", "DER", "-in", "inter.crl", "-CAfile", "inter.pem", "-out",
          "inter.crl.pem");
  g_assert_cmpint(pki_spawn(folder, NULL, "openssl", "verify", "-crl_check", "-CRLfile", "inter.crl.pem",
                            "-CAfile", "root.pem", "-untrusted", "inter.pem", "leaf.pem", NULL),
                  !=, 0);
  const char *const bad[] = { "no number", NULL };
  g_assert_null(crypto_issue_crl(inter, bad, now, 9, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED);
}

static void
test_chains(void)
{
  static const char *const curves[] = { NULL, "P-256", "P-384", "P-521" };
  g_autofree char *nssdb = g_build_filename(folder, "nssdb", NULL);
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = nssdb, .create = TRUE };
  g_assert_true(crypto_open(&options, &error));
  g_assert_no_error(error);
  for (guint i = 0; i < G_N_ELEMENTS(curves); i++) {
    g_autofree char *name = g_strdup_printf("Root %u", i);
    g_autofree char *inter_name = g_strdup_printf("Issuing CA %u", i);
    CryptoIssue what = { .common_name = name,
                         .organisation = "House",
                         .not_before = now - 864000,
                         .not_after = now + 86400LL * 365 * 40,
                         .authority = TRUE,
                         .curve = curves[i] };
    g_autoptr(CryptoCert) root = issue(&what);
    g_assert_true(crypto_cert_self_signed(root));
    g_assert_true(crypto_cert_is_authority(root));
    gboolean trusted = crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(trusted);
    what.common_name = inter_name;
    what.issuer = root;
    g_autoptr(CryptoCert) inter = issue(&what);
    check_chain(root, inter, curves[i]);
  }
  const char *const hosts[] = { "mail.example.org", NULL };
  g_autoptr(CryptoCert) server = issue(&(CryptoIssue){ .common_name = "mail.example.org",
                                                       .dns_names = hosts,
                                                       .eku = "serverAuth",
                                                       .sign = TRUE,
                                                       .not_before = now,
                                                       .not_after = now + 999 });
  write_pem(server, "server.pem");
  pki_run(folder, "openssl", "verify", "-CAfile", "server.pem", "-verify_hostname", "mail.example.org",
          "-purpose", "sslserver", "server.pem");
  g_autoptr(CryptoCert) weak = issue(&(CryptoIssue){
      .common_name = "Weak", .bits = 1024, .sign = TRUE, .not_before = now, .not_after = now + 999 });
  g_assert_cmpstr(crypto_cert_key_name(weak), ==, "RSA 1024");
  g_assert_null(crypto_issue(&(CryptoIssue){ .common_name = "X", .curve = "P-999" }, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED);
  g_clear_error(&error);
  g_assert_null(crypto_issue(&(CryptoIssue){ .common_name = "X", .eku = "codeSigning" }, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED);
  g_clear_error(&error);
  g_autoptr(GPtrArray) own = crypto_keys_list();
  g_assert_cmpuint(own->len, ==, 3 * G_N_ELEMENTS(curves) + 2);
  g_clear_pointer(&own, g_ptr_array_unref);
  g_clear_pointer(&server, crypto_cert_unref);
  g_clear_pointer(&weak, crypto_cert_unref);
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
}

static gboolean
begin_well(const CryptoKeyUse *use, gpointer unused, GError **error)
{
  return TRUE;
}

static gboolean
end_badly(const CryptoKeyUse *use, const GError *failed, gpointer unused, GError **error)
{
  g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL, "The disk is full.");
  return FALSE;
}

/* What cannot be written down when it is done leaves no key and no certificate behind. */
static void
test_unwritten(void)
{
  static const CryptoKeyWatch full = { begin_well, end_badly };
  g_autofree char *nssdb = g_build_filename(folder, "unwritten", NULL), *spec = g_strconcat("sql:", nssdb, NULL);
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = nssdb, .create = TRUE };
  g_assert_true(crypto_open(&options, &error));
  const CryptoIssue what = { .common_name = "Anna", .sign = TRUE, .curve = "P-256", .not_before = now, .not_after = now + 999 };
  crypto_keyuse_watch(&full, NULL);
  g_assert_null(crypto_issue(&what, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL);
  g_clear_error(&error);
  g_assert_null(crypto_issue_request(&what, NULL, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL);
  g_clear_error(&error);
  pki_root(folder);
  pki_leaf(folder, "bob", "/CN=Bob", "subjectAltName=email:bob@example.org\n", "rsa:2048");
  pki_run(folder, "openssl", "pkcs12", "-export", "-inkey", "bob.key", "-in", "bob.pem", "-passout", "pass:test", "-out",
          "bob.p12");
  g_autoptr(GBytes) p12 = pki_read(folder, "bob.p12");
  g_assert_null(crypto_certdb_import_pkcs12(p12, "test", NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL);
  g_clear_error(&error);
  crypto_keyuse_watch(NULL, NULL);
  g_autoptr(GPtrArray) entries = crypto_certdb_list(FALSE, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(entries->len, ==, 0);
  g_clear_pointer(&entries, g_ptr_array_unref);
  g_assert_true(crypto_close(&error));
  g_autofree char *keys = NULL;
  pki_spawn(folder, &keys, "certutil", "-K", "-d", spec, NULL);
  g_assert_null(strstr(keys, "< 0>"));
}

int
main(int argc, char **argv)
{
  g_setenv("LC_ALL", "C.UTF-8", TRUE);
  g_test_init(&argc, &argv, NULL);
  now = g_get_real_time() / G_USEC_PER_SEC;
  folder = pki_folder();
  g_test_add_func("/issue/unwritten", test_unwritten);
  g_test_add_func("/issue/chains", test_chains);
  int result = g_test_run();
  tree_remove(folder);
  g_free(folder);
  return result;
}
