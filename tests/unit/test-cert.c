#include "pki.h"

#include <string.h>

#include "crypto/cert-private.h"
#include "crypto/chain.h"
#include "crypto/context.h"

/* Reading certificates, and what one run is given (roots, certificates, CRLs), without any database. */

static char *folder;

static GBytes *
file(const char *name)
{
  return pki_read(folder, name);
}

static CryptoCert *
load(const char *name)
{
  g_autoptr(GBytes) bytes = file(name);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = crypto_certs_parse(bytes, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(certs->len, ==, 1);
  return crypto_cert_ref(certs->pdata[0]);
}

static void
open_nothing(void)
{
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .roots = TRUE };
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
test_fields(void)
{
  open_nothing();
  g_autoptr(CryptoCert) alice = load("alice.pem");
  g_assert_cmpstr(crypto_cert_subject(alice), ==,
                  "E=Alice@Example.ORG,CN=Alice \\\"A\\\" Liddell\\, Ltd.,O=Test House");
  g_assert_cmpstr(crypto_cert_issuer(alice), ==, "CN=Test Root,O=Test House");
  g_assert_cmpstr(crypto_cert_common_name(alice), ==, "Alice \"A\" Liddell, Ltd.");
  g_assert_cmpstr(crypto_cert_issuer_name(alice), ==, "Test Root");
  g_assert_cmpstr(crypto_cert_key_name(alice), ==, "RSA 2048");
  g_assert_cmpstr(crypto_cert_signature_name(alice), ==, "RSA SHA-256");
  const char *const *addresses = crypto_cert_addresses(alice);
  g_assert_cmpstr(addresses[0], ==, "alice.second@example.org");
  g_assert_cmpstr(addresses[1], ==, "ünï@example.org");
  g_assert_null(
      addresses[2]); /* the subject's counts only where the alternative names have none (RFC 8550 3) */
  g_assert_cmpint(crypto_cert_not_after(alice) - crypto_cert_not_before(alice), ==, 365 * 86400);
  g_assert_cmpuint(strlen(crypto_cert_sha256(alice)), ==, 64);
  g_assert_false(crypto_cert_self_signed(alice));
  g_assert_false(crypto_cert_is_authority(alice));
  g_assert_true(crypto_cert_can_sign(alice));
  g_assert_false(crypto_cert_can_encrypt(alice));

  g_autoptr(CryptoCert) root = load("root.pem");
  g_assert_true(crypto_cert_self_signed(root));
  g_assert_true(crypto_cert_is_authority(root));

  g_autoptr(CryptoCert) ec = load("ec.pem");
  g_assert_cmpstr(crypto_cert_key_name(ec), ==, "EC P-384");
  g_assert_true(crypto_cert_can_encrypt(ec));
  g_assert_false(crypto_cert_can_sign(ec));

  g_autoptr(CryptoCert) server = load("server.pem");
  g_assert_false(crypto_cert_can_sign(server));
  g_assert_null(crypto_cert_addresses(server)[0]);
  g_clear_pointer(&alice, crypto_cert_unref);
  g_clear_pointer(&root, crypto_cert_unref);
  g_clear_pointer(&ec, crypto_cert_unref);
  g_clear_pointer(&server, crypto_cert_unref);
  close_clean();
}

static void
test_files(void)
{
  open_nothing();
  g_autoptr(GError) error = NULL;
  const char *const names[] = { "bundle.pem", "bundle.p7b", "bundle.p7d" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autoptr(GBytes) bytes = file(names[i]);
    g_autoptr(GPtrArray) certs = crypto_certs_parse(bytes, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(certs->len, ==, 2);
  }
  g_autoptr(GBytes) der = file("alice.der");
  g_autoptr(GPtrArray) one = crypto_certs_parse(der, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(one->len, ==, 1);
  g_clear_pointer(&one, g_ptr_array_unref);

  /* Every prefix of it, and it with one octet behind it, is an error and not a crash. */
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(der, &length);
  for (gsize i = 0; i < length; i++) {
    g_autoptr(CryptoCert) cert = crypto_cert_new(bytes, i, &error);
    g_assert_null(cert);
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED);
    g_clear_error(&error);
  }
  g_autofree guint8 *longer = g_malloc0(length + 1);
  memcpy(longer, bytes, length);
  g_assert_null(crypto_cert_new(longer, length + 1, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED);
  g_clear_error(&error);

  const char *const rubbish[] = { "", "rubbish",
                                  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                  "-----BEGIN CERTIFICATE-----\n", "\x30\x80\x30\x80\x30\x80" };
  for (guint i = 0; i < G_N_ELEMENTS(rubbish); i++) {
    g_autoptr(GBytes) bad = g_bytes_new(rubbish[i], strlen(rubbish[i]));
    g_assert_null(crypto_certs_parse(bad, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED);
    g_clear_error(&error);
  }
  close_clean();
}

/* Two certificates with the same issuer and serial number stay two. */
static void
test_twins(void)
{
  open_nothing();
  g_autoptr(CryptoCert) one = load("twin1.pem");
  g_autoptr(CryptoCert) two = load("twin2.pem");
  g_assert_cmpstr(crypto_cert_serial(one), ==, crypto_cert_serial(two));
  g_assert_cmpstr(crypto_cert_issuer(one), ==, crypto_cert_issuer(two));
  g_assert_cmpstr(crypto_cert_sha256(one), !=, crypto_cert_sha256(two));
  g_assert_cmpstr(crypto_cert_common_name(one), ==, "Twin One");
  g_assert_cmpstr(crypto_cert_common_name(two), ==, "Twin Two");
  SECKEYPublicKey *key = CERT_ExtractPublicKey(two->nss);
  g_assert_nonnull(key);
  SECKEY_DestroyPublicKey(key);
  g_clear_pointer(&one, crypto_cert_unref);
  g_clear_pointer(&two, crypto_cert_unref);
  close_clean();
}

static SECStatus
verify(CryptoCert *cert)
{
  return CERT_VerifyCertificate(CERT_GetDefaultCertDB(), cert->nss, PR_TRUE, certificateUsageEmailSigner,
                                PR_Now(), NULL, NULL, NULL);
}

static CryptoRevocation
revocation_of(CryptoCert *cert)
{
  g_autoptr(CryptoChain) chain = crypto_chain_check(cert, CRYPTO_USE_SIGN, g_get_real_time() / G_USEC_PER_SEC,
                                                    CRYPTO_REVOCATION_SOFT, NULL);
  return chain->revocation;
}

static void
test_session(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) root = file("root.pem"), crl = file("root.crl"), crl_der = file("root.crl.der"),
                    alice_file = file("alice.pem");
  for (int round = 0; round < 3; round++) {
    open_nothing();
    g_autoptr(CryptoCert) alice = load("alice.pem");
    g_autoptr(CryptoCert) revoked = load("revoked.pem");
    g_assert_cmpint(verify(alice), ==, SECFailure);
    g_assert_true(crypto_session_add_certs(root, &error));
    g_assert_cmpint(verify(alice), ==, SECFailure); /* a candidate is trusted for nothing */
    g_assert_true(crypto_session_add_roots(root, &error));
    g_assert_no_error(error);
    g_assert_cmpint(verify(alice), ==, SECSuccess);
    g_assert_cmpint(verify(revoked), ==, SECSuccess);
    g_assert_true(crypto_session_add_crls(round == 1 ? crl_der : crl, &error));
    g_assert_no_error(error);
    g_assert_true(crypto_session_add_crls(crl, &error)); /* twice is no error */
    g_assert_cmpint(revocation_of(revoked), ==, CRYPTO_REVOCATION_REVOKED);
    g_assert_cmpint(revocation_of(alice), !=, CRYPTO_REVOCATION_REVOKED);
    g_assert_false(crypto_session_add_crls(alice_file, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED);
    g_clear_error(&error);
    g_clear_pointer(&alice, crypto_cert_unref);
    g_clear_pointer(&revoked, crypto_cert_unref);
    close_clean();
  }
}

static void
make_files(void)
{
  folder = pki_folder();
  pki_root(folder);
  pki_leaf(folder, "alice", "/O=Test House/CN=Alice \"A\" Liddell, Ltd./emailAddress=Alice@Example.ORG",
           "keyUsage=digitalSignature\nextendedKeyUsage=emailProtection\nbasicConstraints=CA:FALSE\n"
           "subjectAltName=@san\n[san]\nemail.1=Alice.Second@example.org\n"
           "otherName.1=1.3.6.1.5.5.7.8.9;FORMAT:UTF8,UTF8:ünï@example.org\n"
           "otherName.2=1.3.6.1.5.5.7.8.9;UTF8:no address\n"
           "email.2=bad address@example.org\nDNS.1=example.org\n",
           "rsa:2048");
  pki_leaf(folder, "revoked", "/CN=Revoked", "subjectAltName=email:r@example.org\n", "rsa:2048");
  pki_leaf(folder, "ec", "/CN=EC", "keyUsage=keyAgreement\nsubjectAltName=email:ec@example.org\n",
           "ec:P-384");
  pki_leaf(folder, "server", "/CN=server.example.org",
           "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:server.example.org\n", "rsa:2048");
  const char *const twins[][2] = { { "twin1", "/CN=Twin One" }, { "twin2", "/CN=Twin Two" } };
  for (guint i = 0; i < 2; i++) {
    g_autofree char *csr = g_strconcat(twins[i][0], ".csr", NULL),
                    *pem = g_strconcat(twins[i][0], ".pem", NULL);
    pki_leaf(folder, twins[i][0], twins[i][1], "subjectAltName=email:twin@example.org\n", "rsa:2048");
    pki_run(folder, "openssl", "x509", "-req", "-in", csr, "-CA", "root.pem", "-CAkey", "root.key",
            "-set_serial", "77", "-days", "9", "-out", pem);
  }
  pki_run(folder, "openssl", "x509", "-in", "alice.pem", "-outform", "DER", "-out", "alice.der");
  g_autoptr(GBytes) a = file("alice.pem"), b = file("root.pem");
  g_autofree char *both = g_strdup_printf("words before\n%.*s\nbetween\n%.*s", (int)g_bytes_get_size(a),
                                          (const char *)g_bytes_get_data(a, NULL), (int)g_bytes_get_size(b),
                                          (const char *)g_bytes_get_data(b, NULL));
  pki_write(folder, "bundle.pem", both, -1);
  pki_run(folder, "openssl", "crl2pkcs7", "-nocrl", "-certfile", "bundle.pem", "-out", "bundle.p7b");
  pki_run(folder, "openssl", "crl2pkcs7", "-nocrl", "-certfile", "bundle.pem", "-outform", "DER", "-out",
          "bundle.p7d");
  pki_write(folder, "ca.conf",
            "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n", -1);
  pki_write(folder, "index.txt", "", 0);
  pki_write(folder, "crlnumber", "01\n", -1);
  pki_run(folder, "openssl", "ca", "-config", "ca.conf", "-cert", "root.pem", "-keyfile", "root.key",
          "-revoke", "revoked.pem");
  pki_run(folder, "openssl", "ca", "-config", "ca.conf", "-cert", "root.pem", "-keyfile", "root.key",
          "-gencrl", "-crldays", "9", "-out", "root.crl");
  pki_run(folder, "openssl", "crl", "-in", "root.crl", "-outform", "DER", "-out", "root.crl.der");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  make_files();
  g_test_add_func("/cert/fields", test_fields);
  g_test_add_func("/cert/files", test_files);
  g_test_add_func("/cert/twins", test_twins);
  g_test_add_func("/cert/session", test_session);
  int result = g_test_run();
  tree_remove(folder);
  g_free(folder);
  return result;
}
