#include <fcntl.h>
#include <unistd.h>

#include "crypto/ber.h"
#include "crypto/mapping.h"
#include "crypto/oid.h"
#include "tests/unit/cms-lab.h"

/* The codec against what openssl writes. */

/* The one signer of @bytes over @detached; freed with the array. */
static GPtrArray *
verify(GBytes *bytes, GBytes *detached)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCms) cms = parse(bytes);
  GPtrArray *signers = crypto_cms_verify(cms, detached, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(signers->len, ==, 1);
  return signers;
}

static void
assert_state(GBytes *bytes, GBytes *detached, CryptoSignatureState state)
{
  g_autoptr(GPtrArray) signers = verify(bytes, detached);
  const CryptoSigner *signer = signers->pdata[0];
  if (signer->state != state)
    g_test_message("%s", signer->reason);
  g_assert_cmpint(signer->state, ==, state);
  g_assert_true((signer->reason == NULL) == (state == CRYPTO_SIGNATURE_INTACT));
}

typedef struct {
  const char *name, *signer, *digest, *algorithm,
      *options; /* options: further arguments of openssl cms -sign */
} SignCase;

static const SignCase sign_cases[] = {
  { "rsa-sha256", "rsa", "sha256", "RSA", "" },
  { "rsa-sha224", "rsa", "sha224", "RSA", "" },
  { "rsa-sha384", "rsa", "sha384", "RSA", "" },
  { "rsa-sha512", "rsa", "sha512", "RSA", "" },
  { "rsa-sha1", "rsa", "sha1", "RSA", "" },
  { "rsa-md5", "rsa", "md5", "RSA", "" },
  { "rsa-noattr", "rsa", "sha256", "RSA", "-noattr" },
  { "rsa-keyid", "rsa", "sha256", "RSA", "-keyid" },
  { "rsa-ess", "rsa", "sha256", "RSA", "-cades" },
  { "pss-sha1", "rsa", "sha1", "RSA-PSS", "-keyopt rsa_padding_mode:pss" },
  { "pss-sha256", "rsa", "sha256", "RSA-PSS", "-keyopt rsa_padding_mode:pss" },
  { "pss-sha256-salt0", "rsa", "sha256", "RSA-PSS",
    "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:0" },
  { "pss-sha384-max", "rsa", "sha384", "RSA-PSS", "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:-3" },
  { "pss-sha512-mgf1", "rsa", "sha512", "RSA-PSS", "-keyopt rsa_padding_mode:pss -keyopt rsa_mgf1_md:sha1" },
  { "pss-noattr", "rsa", "sha256", "RSA-PSS", "-noattr -keyopt rsa_padding_mode:pss" },
  { "psskey-sha256", "pss", "sha256", "RSA-PSS", "-keyopt rsa_padding_mode:pss" },
  { "ec256-sha256", "ec256", "sha256", "ECDSA", "" },
  { "ec256-sha1", "ec256", "sha1", "ECDSA", "" },
  { "ec256-sha512", "ec256", "sha512", "ECDSA", "" },
  { "ec384-sha384", "ec384", "sha384", "ECDSA", "" },
  { "ec384-sha224", "ec384", "sha224", "ECDSA", "" },
  { "ec521-sha512", "ec521", "sha512", "ECDSA", "" },
  { "ec521-noattr", "ec521", "sha256", "ECDSA", "-noattr" },
};

static GBytes *
openssl_sign(const SignCase *test, gboolean opaque, gboolean stream)
{
  g_autofree char *pem = g_strconcat(test->signer, ".pem", NULL),
                  *key = g_strconcat(test->signer, ".key", NULL);
  g_auto(GStrv) options = g_strsplit(test->options, " ", -1);
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  const char *const always[] = { "cms",        "-sign",   "-binary", "-in",    "content",
                                 "-outform",   "DER",     "-out",    "out",    "-md",
                                 test->digest, "-signer", pem,       "-inkey", key };
  for (guint i = 0; i < G_N_ELEMENTS(always); i++)
    g_ptr_array_add(argv, (char *)always[i]);
  if (opaque)
    g_ptr_array_add(argv, (char *)"-nodetach");
  if (stream)
    g_ptr_array_add(argv, (char *)"-stream");
  for (guint i = 0; options[i]; i++)
    if (*options[i])
      g_ptr_array_add(argv, options[i]);
  openssl(argv);
  return pki_read(folder, "out");
}

static void
test_openssl_signs(gconstpointer data)
{
  const SignCase *test = data;
  g_autoptr(GBytes) content = pki_read(folder, "content"), changed = flip(content, 5);
  /* OpenSSL 3.0 cannot stream RSA-PSS. */
  for (guint form = 0; form < (strcmp(test->algorithm, "RSA-PSS") == 0 ? 2 : 3); form++) {
    g_autoptr(GBytes) bytes = openssl_sign(test, form > 0, form == 2);
    GBytes *detached = form == 0 ? content : NULL;
    g_autoptr(GPtrArray) signers = verify(bytes, detached);
    const CryptoSigner *signer = signers->pdata[0];
    g_assert_cmpstr(signer->reason, ==, NULL);
    g_assert_cmpint(signer->state, ==, CRYPTO_SIGNATURE_INTACT);
    g_assert_cmpstr(signer->digest, ==, test->digest);
    g_assert_cmpstr(signer->algorithm, ==, test->algorithm);
    g_assert_cmpint(signer->weak_digest, ==,
                    strcmp(test->digest, "sha1") == 0 || strcmp(test->digest, "md5") == 0);
    g_assert_cmpstr(crypto_cert_common_name(signer->cert), ==, test->signer);
    gboolean attributes = !strstr(test->options, "-noattr");
    g_assert_cmpint(signer->has_signing_time, ==, attributes);
    g_assert_cmpint(signer->capabilities != NULL, ==, attributes);
    if (attributes)
      g_assert_cmpint(ABS(signer->signing_time - g_get_real_time() / G_USEC_PER_SEC), <, 100);
    assert_state(bytes, changed,
                 attributes || strcmp(test->algorithm, "RSA") == 0 ? CRYPTO_SIGNATURE_ALTERED
                                                                   : CRYPTO_SIGNATURE_FORGED);
    /* The signature value is the last thing but for the ends of an indefinite length. */
    gsize back = form == 2 ? 12 : 3;
    g_autoptr(GBytes) bent = flip(bytes, g_bytes_get_size(bytes) - back);
    assert_state(bent, detached, CRYPTO_SIGNATURE_FORGED);
    if (form == 0)
      continue;
    g_autoptr(CryptoCms) cms = parse(bytes);
    g_autoptr(GBytes) enclosed = crypto_cms_content(cms);
    g_assert_true(g_bytes_equal(enclosed, content));
    g_assert_cmpstr(crypto_cms_type_name(cms), ==, "SignedData");
    g_assert_cmpstr(crypto_cms_content_type(cms), ==, "data");
  }
}

static void
test_unknown_algorithm(void)
{
  g_autoptr(GBytes) content = pki_read(folder, "content"),
                    bytes = openssl_sign(&sign_cases[20], FALSE, FALSE);
  static const guint8 from[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x01 };
  gsize length = g_bytes_get_size(bytes);
  g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(bytes, NULL), length);
  guint8 *at = NULL;
  for (gsize i = 0; i + sizeof from < length; i++)
    if (memcmp(copy + i, from, sizeof from) == 0)
      at = copy + i;
  g_assert_nonnull(at);
  at[11] = 0x7f; /* an OID that nobody knows */
  g_autoptr(GBytes) renamed = g_bytes_new(copy, length);
  g_autoptr(GPtrArray) signers = verify(renamed, content);
  const CryptoSigner *signer = signers->pdata[0];
  g_assert_cmpint(signer->state, ==, CRYPTO_SIGNATURE_UNSUPPORTED);
  g_assert_nonnull(strstr(signer->reason, "1.2.840.10045.4.3.127"));
  g_assert_nonnull(signer->cert);
}

/* OpenSSL 3.0, unless told otherwise, makes PKCS#1 signatures with keys that are for RSA-PSS alone. */
static void
test_wrong_scheme(void)
{
  static const SignCase wrong = { "pss-key-pkcs1", "pss", "sha256", "RSA", "" };
  g_autoptr(GBytes) content = pki_read(folder, "content"), bytes = openssl_sign(&wrong, FALSE, FALSE);
  g_autoptr(GPtrArray) signers = verify(bytes, content);
  const CryptoSigner *signer = signers->pdata[0];
  g_assert_cmpint(signer->state, ==, CRYPTO_SIGNATURE_FORGED);
  g_assert_nonnull(strstr(signer->reason, "does not fit the signer's key"));
}

static void
test_no_cert(void)
{
  static const SignCase bare = { "nocerts", "other", "sha256", "RSA", "-nocerts" };
  g_autoptr(GBytes) content = pki_read(folder, "content"), bytes = openssl_sign(&bare, FALSE, FALSE);
  g_autoptr(GPtrArray) signers = verify(bytes, content);
  const CryptoSigner *signer = signers->pdata[0];
  g_assert_cmpint(signer->state, ==, CRYPTO_SIGNATURE_NO_CERT);
  g_assert_nonnull(strstr(signer->identifier, "Test Root"));
  g_autoptr(GBytes) pem = pki_read(folder, "other.pem");
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) extra = crypto_certs_parse(pem, &error);
  g_assert_no_error(error);
  g_autoptr(CryptoCms) cms = parse(bytes);
  g_autoptr(GPtrArray) found = crypto_cms_verify(cms, content, extra, &error);
  g_assert_no_error(error);
  g_assert_cmpint(((CryptoSigner *)found->pdata[0])->state, ==, CRYPTO_SIGNATURE_INTACT);
}

/* The DER of one message's signed attributes as the content of another, with none of its own: Johnny's forgery. */
static void
test_attributes_as_content(void)
{
  g_autoptr(GBytes) content = pki_read(folder, "content"), bytes = openssl_sign(&sign_cases[0], FALSE, FALSE);
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  static const guint8 content_type[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03 };
  const guint8 *at = NULL;
  for (gsize i = 4; i + sizeof content_type < length && !at; i++)
    if (memcmp(data + i, content_type, sizeof content_type) == 0)
      at = data + i;
  g_assert_nonnull(at);
  while (*at != 0xa0) /* [0] signedAttrs */
    at--;
  g_autofree guint8 *attributes = NULL;
  gsize attributes_length = at[1] == 0x82   ? 4u + at[2] * 256u + at[3]
                            : at[1] == 0x81 ? 3u + at[2]
                                            : 2u + at[1];
  attributes = g_memdup2(at, attributes_length);
  attributes[0] = 0x31;
  g_autoptr(GBytes) as_content = g_bytes_new(attributes, attributes_length);
  /* Cut the attributes out and mend the four lengths around them. */
  g_autoptr(GByteArray) forged = g_byte_array_new();
  gsize offset = (gsize)(at - data);
  g_byte_array_append(forged, data, (guint)offset);
  g_byte_array_append(forged, at + attributes_length, (guint)(length - offset - attributes_length));
  for (guint i = 0; i + 3 < offset; i++)
    if ((data[i] & 0x20) && data[i + 1] == 0x82) {
      gsize size = data[i + 2] * 256u + data[i + 3];
      if (i + 4 + size >= offset + attributes_length && i + 4 + size <= length) {
        size -= attributes_length;
        forged->data[i + 2] = (guint8)(size >> 8);
        forged->data[i + 3] = (guint8)size;
      }
    }
  g_autoptr(GBytes) message = g_bytes_new(forged->data, forged->len);
  assert_state(bytes, content, CRYPTO_SIGNATURE_INTACT);
  g_autoptr(GPtrArray) signers = verify(message, as_content);
  const CryptoSigner *signer = signers->pdata[0];
  g_assert_cmpint(signer->state, ==, CRYPTO_SIGNATURE_FORGED);
  g_assert_nonnull(strstr(signer->reason, "another message"));
}

static void
test_two_signers(void)
{
  pki_run(folder, "openssl", "cms", "-sign", "-binary", "-in", "content", "-outform", "DER", "-out", "out",
          "-signer", "rsa.pem", "-inkey", "rsa.key", "-signer", "ec256.pem", "-inkey", "ec256.key");
  g_autoptr(GBytes) bytes = pki_read(folder, "out"), content = pki_read(folder, "content");
  g_autoptr(CryptoCms) cms = parse(bytes);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) signers = crypto_cms_verify(cms, content, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(signers->len, ==, 2);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint(((CryptoSigner *)signers->pdata[i])->state, ==, CRYPTO_SIGNATURE_INTACT);
  g_autoptr(GPtrArray) certs = crypto_cms_certs(cms);
  g_assert_cmpuint(certs->len, ==, 2);
}

static void
test_certs_only(void)
{
  pki_run(folder, "openssl", "crl2pkcs7", "-nocrl", "-certfile", "rsa.pem", "-certfile", "root.pem",
          "-outform", "DER", "-out", "out");
  g_autoptr(GBytes) bytes = pki_read(folder, "out");
  g_autoptr(CryptoCms) cms = parse(bytes);
  g_assert_cmpint(crypto_cms_kind(cms), ==, CRYPTO_CMS_CERTS_ONLY);
  g_autoptr(GPtrArray) certs = crypto_cms_certs(cms);
  g_assert_cmpuint(certs->len, ==, 2);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) signers = crypto_cms_verify(cms, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(signers->len, ==, 0);
}

/* --- decryption --- */

typedef struct {
  const char *name, *recipients, *algorithm, *transport, *options;
} SealCase;

static const SealCase seal_cases[] = {
  { "rsa-aes128", "rsa", "aes-128-cbc", "RSA PKCS#1 v1.5", "-aes128" },
  { "rsa-aes192", "rsa", "aes-192-cbc", "RSA PKCS#1 v1.5", "-aes192" },
  { "rsa-aes256", "rsa", "aes-256-cbc", "RSA PKCS#1 v1.5", "-aes256" },
  { "rsa-keyid", "rsa", "aes-256-cbc", "RSA PKCS#1 v1.5", "-aes256 -keyid" },
  { "rsa-3des", "rsa", "des-ede3-cbc", "RSA PKCS#1 v1.5", "-des3" },
  { "rsa-rc2-128", "rsa", "rc2-128-cbc", "RSA PKCS#1 v1.5", "-rc2-128" },
  { "rsa-gcm128", "rsa", "aes-128-gcm", "RSA PKCS#1 v1.5", "-aes-128-gcm" },
  { "rsa-gcm192", "rsa", "aes-192-gcm", "RSA PKCS#1 v1.5", "-aes-192-gcm" },
  { "rsa-gcm256", "rsa", "aes-256-gcm", "RSA PKCS#1 v1.5", "-aes-256-gcm" },
  { "oaep-sha1", "rsa", "aes-256-cbc", "RSA-OAEP SHA-1", "-aes256 -keyopt rsa_padding_mode:oaep" },
  { "oaep-sha256", "rsa", "aes-256-gcm", "RSA-OAEP SHA-256",
    "-aes-256-gcm -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256" },
  { "oaep-mixed", "rsa", "aes-128-cbc", "RSA-OAEP SHA-384, MGF1 SHA-1",
    "-aes128 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha384 -keyopt rsa_mgf1_md:sha1" },
  { "oaep-label", "rsa", "aes-128-cbc", "RSA-OAEP SHA-512",
    "-aes128 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha512 -keyopt rsa_mgf1_md:sha512 -keyopt "
    "rsa_oaep_label:616263" },
  { "oaep-sha224", "rsa", "aes-128-cbc", "RSA-OAEP SHA-224",
    "-aes128 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha224 -keyopt rsa_mgf1_md:sha224" },
  { "ec256", "ec256", "aes-128-cbc", "ECDH P-256 SHA-1 AES-128 wrap", "-aes128" },
  { "ec256-sha256", "ec256", "aes-256-cbc", "ECDH P-256 SHA-256 AES-256 wrap",
    "-aes256 -keyopt ecdh_kdf_md:sha256" },
  { "ec256-sha224", "ec256", "aes-192-cbc", "ECDH P-256 SHA-224 AES-192 wrap",
    "-aes192 -keyopt ecdh_kdf_md:sha224" },
  { "ec384-sha384", "ec384", "aes-256-gcm", "ECDH P-384 SHA-384 AES-256 wrap",
    "-aes-256-gcm -keyopt ecdh_kdf_md:sha384" },
  { "ec521-sha512", "ec521", "aes-256-cbc", "ECDH P-521 SHA-512 AES-256 wrap",
    "-aes256 -keyopt ecdh_kdf_md:sha512" },
  { "ec256-cofactor", "ec256", "aes-128-cbc", "ECDH P-256 SHA-256 AES-128 wrap",
    "-aes128 -keyopt ecdh_kdf_md:sha256 -keyopt ecdh_cofactor_mode:1" },
  { "ec384-keyid", "ec384", "aes-128-cbc", "ECDH P-384 SHA-256 AES-128 wrap",
    "-aes128 -keyid -keyopt ecdh_kdf_md:sha256" },
  { "ec521-3des", "ec521", "des-ede3-cbc", NULL, "-des3 -aes256-wrap" },
  { "other-and-ec", "other ec256", "aes-256-cbc", NULL, "-aes256" },
  { "ec-and-rsa", "ec384 rsa", "aes-256-gcm", NULL, "-aes-256-gcm" },
};

static GBytes *
openssl_seal(const char *recipients, const char *options, const char *file, gboolean stream)
{
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_autofree char *text = g_strdup_printf(
      "cms -encrypt -binary -outform DER -out out -provider default -provider legacy -in %s %s%s", file,
      stream ? "-stream " : "", options);
  g_autoptr(GString) command = g_string_new(text);
  g_auto(GStrv) names = g_strsplit(recipients, " ", -1);
  const char *keyopt = strstr(options, "-keyopt");
  if (keyopt) /* belongs to the recipient before it */
    g_string_truncate(command, command->len - strlen(keyopt));
  for (guint i = 0; names[i]; i++)
    g_string_append_printf(command, " -recip %s.pem", names[i]);
  if (keyopt)
    g_string_append_printf(command, " %s", keyopt);
  g_auto(GStrv) arguments = g_strsplit(command->str, " ", -1);
  for (guint i = 0; arguments[i]; i++)
    if (*arguments[i])
      g_ptr_array_add(argv, arguments[i]);
  openssl(argv);
  return pki_read(folder, "out");
}

static GBytes *
decrypt(GBytes *bytes, GError **error)
{
  g_autoptr(CryptoCms) cms = parse(bytes);
  return crypto_cms_decrypt(cms, NULL, error);
}

static void
assert_decrypts(GBytes *bytes, GBytes *content)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) plain = decrypt(bytes, &error);
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(plain, content));
}

static void
assert_fails(GBytes *bytes, int code)
{
  g_autoptr(GError) error = NULL;
  g_assert_null(decrypt(bytes, &error));
  g_assert_error(error, CRYPTO_ERROR, code);
}

static void
test_openssl_seals(gconstpointer data)
{
  const SealCase *test = data;
  static const char *const files[] = { "content", "empty", "block", "large" };
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    for (guint stream = 0; stream < 2; stream++) {
      if (stream && i == 1 && strstr(test->algorithm, "gcm"))
        continue; /* OpenSSL 3.0 cannot */
      g_autoptr(GBytes) content = pki_read(folder, files[i]);
      g_autoptr(GBytes) bytes = openssl_seal(test->recipients, test->options, files[i], stream);
      g_autoptr(CryptoCms) cms = parse(bytes);
      g_autoptr(CryptoEnvelope) envelope = crypto_cms_envelope(cms);
      g_assert_cmpstr(envelope->algorithm, ==, test->algorithm);
      g_assert_cmpint(envelope->authenticated, ==, strstr(test->algorithm, "gcm") != NULL);
      g_assert_cmpint(envelope->legacy, ==, strncmp(test->algorithm, "aes", 3) != 0);
      g_assert_nonnull(envelope->ours);
      g_assert_null(envelope->token);
      g_assert_cmpuint(envelope->recipients->len, ==, strchr(test->recipients, ' ') ? 2 : 1);
      if (test->transport)
        g_assert_cmpstr(envelope->key_transport, ==, test->transport);
      assert_decrypts(bytes, content);
    }
}

typedef struct {
  GByteArray *got;
  guint calls, stop_at;
} Sink;

static gboolean
take(const guint8 *data, gsize length, gpointer user_data, GError **error)
{
  Sink *sink = user_data;
  g_byte_array_append(sink->got, data, (guint)length);
  if (++sink->calls != sink->stop_at)
    return TRUE;
  g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "enough");
  return FALSE;
}

/* The same plaintext in small runs, out of a file whose pages may be let go. */
static void
test_stream(void)
{
  static const char *const options[] = { "-aes256", "-aes-256-gcm", "-des3" };
  g_autoptr(GBytes) content = pki_read(folder, "large");
  for (guint i = 0; i < 2 * G_N_ELEMENTS(options); i++) {
    g_autoptr(GBytes) unused = openssl_seal("other rsa", options[i / 2], "large", i % 2);
    g_autofree char *path = g_build_filename(folder, "out", NULL);
    g_autoptr(GError) error = NULL;
    int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
    g_autoptr(GBytes) bytes = crypto_mapping_new(fd, &error);
    g_assert_no_error(error);
    close(fd);
    g_autoptr(CryptoCms) cms = parse(bytes);
    g_autoptr(GByteArray) got = g_byte_array_new();
    Sink sink = { .got = got };
    gboolean done = crypto_cms_decrypt_to(cms, NULL, take, &sink, &error);
    g_assert_no_error(error);
    g_assert_true(done);
    g_assert_cmpmem(got->data, got->len, g_bytes_get_data(content, NULL), g_bytes_get_size(content));
    g_assert_true((sink.calls == 1) == (i / 2 == 1));
    sink = (Sink){ .got = got, .stop_at = 1 };
    g_assert_false(crypto_cms_decrypt_to(cms, NULL, take, &sink, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
    g_assert_cmpuint(sink.calls, ==, 1);
    const guint8 *data = g_bytes_get_data(bytes, NULL);
    for (gsize at = 0; at < g_bytes_get_size(bytes); at += 4096)
      crypto_mapping_release(data, data + at); /* nothing is lost by it */
    g_assert_true(g_bytes_equal(bytes, unused));
  }
}

/* One failure sounds like another, and no octet of the message may be changed unnoticed where GCM holds it. */
static void
test_damaged(void)
{
  static const char *const options[] = { "-aes256", "-aes-256-gcm" };
  g_autofree char *sentence = NULL;
  for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
    g_autoptr(GBytes) content = pki_read(folder, "content"),
                      bytes = openssl_seal("rsa", options[i], "content", FALSE);
    gsize length = g_bytes_get_size(bytes);
    guint failed = 0, unharmed = 0;
    for (gsize at = 0; at < length; at++) {
      g_autoptr(GBytes) bent = flip(bytes, at);
      g_autoptr(GError) error = NULL;
      g_autoptr(CryptoCms) cms = crypto_cms_parse(bent, NULL);
      g_autoptr(GBytes) plain = cms ? crypto_cms_decrypt(cms, NULL, &error) : NULL;
      if (!cms)
        continue;
      if (plain) {
        unharmed += g_bytes_equal(plain, content);
        g_assert_true(i == 0 || g_bytes_equal(plain, content));
      } else if (error->code == CRYPTO_ERROR_MALFORMED && at > length / 2) {
        failed++;
        g_assert_true(!sentence || strcmp(sentence, error->message) == 0);
        if (!sentence)
          sentence = g_strdup(error->message);
      }
    }
    g_assert_cmpuint(failed, >, 30);
    g_assert_cmpuint(unharmed, >, 0); /* version numbers */
  }
}

static void
test_refused(void)
{
  static const char *const weak[] = { "-rc2-40", "-rc2-64", "-des" };
  for (guint i = 0; i < G_N_ELEMENTS(weak); i++) {
    g_autoptr(GBytes) bytes = openssl_seal("rsa", weak[i], "content", FALSE);
    assert_fails(bytes, CRYPTO_ERROR_REFUSED);
  }
  g_autoptr(GBytes) camellia = openssl_seal("rsa", "-camellia128", "content", FALSE);
  assert_fails(camellia, CRYPTO_ERROR_UNSUPPORTED);
  g_autoptr(GBytes) other = openssl_seal("other", "-aes128", "content", FALSE);
  assert_fails(other, CRYPTO_ERROR_NO_KEY);
  g_autoptr(CryptoCms) cms = parse(other);
  g_autoptr(CryptoEnvelope) envelope = crypto_cms_envelope(cms);
  g_assert_null(envelope->ours);
  g_assert_nonnull(strstr(envelope->recipients->pdata[0], "Test Root"));
}

static void
test_password(void)
{
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  static const char *const arguments[] = {
    "cms", "-encrypt", "-binary", "-outform",       "DER",   "-out", "out",
    "-in", "content",  "-aes128", "-pwri_password", "secret"
  };
  for (guint i = 0; i < G_N_ELEMENTS(arguments); i++)
    g_ptr_array_add(argv, (char *)arguments[i]);
  openssl(argv);
  g_autoptr(GBytes) bytes = pki_read(folder, "out");
  assert_fails(bytes, CRYPTO_ERROR_UNSUPPORTED);
}

/* GCM written into EnvelopedData, with its tag after the content, as some senders do. */
static void
test_mislabelled_gcm(void)
{
  g_autoptr(GBytes) content = pki_read(folder, "content"),
                    bytes = openssl_seal("rsa", "-aes-128-gcm", "content", FALSE);
  gsize length, n = g_bytes_get_size(content);
  const guint8 *data = g_bytes_get_data(bytes, &length);
  /* ... 80 len ciphertext 04 10 tag: swallow the tag's header, and lengthen what is around the ciphertext. */
  static const guint8 type[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17 };
  static const guint8 enveloped[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03 };
  g_assert_cmpmem(data + 6, sizeof type, type, sizeof type);
  g_assert_cmpuint(data[1], ==, 0x82);
  g_assert_cmpuint(n, <, 100);
  gsize header = length - 18 - n - 2, info = header;
  g_assert_cmpuint(data[header], ==, 0x80);
  while (!(data[info] == 0x30 && data[info + 1] + 2u + info == length - 18))
    info--;
  g_autoptr(GByteArray) out = g_byte_array_new();
  g_byte_array_append(out, data, 5);
  const guint8 oid_length = sizeof enveloped;
  g_byte_array_append(out, &oid_length, 1);
  g_byte_array_append(out, enveloped, sizeof enveloped);
  guint shift = out->len;
  g_byte_array_append(out, data + 6 + sizeof type, (guint)(length - 18 - 6 - sizeof type));
  g_byte_array_append(out, data + length - 16, 16);
  gsize moved = sizeof type - sizeof enveloped;
  out->data[info - moved + 1] += 16;
  out->data[header - moved + 1] += 16;
  const gsize at[] = { 0, shift, shift + 4 };
  for (guint i = 0; i < G_N_ELEMENTS(at); i++) {
    gsize size = out->data[at[i] + 2] * 256u + out->data[at[i] + 3];
    g_assert_cmpuint(out->data[at[i] + 1], ==, 0x82);
    size -= i == 0 ? 2 + moved : 2;
    out->data[at[i] + 2] = (guint8)(size >> 8);
    out->data[at[i] + 3] = (guint8)size;
  }
  g_autoptr(GBytes) relabelled = g_bytes_new(out->data, out->len);
  g_autoptr(CryptoCms) cms = parse(relabelled);
  g_assert_cmpint(crypto_cms_kind(cms), ==, CRYPTO_CMS_ENVELOPED);
  assert_decrypts(relabelled, content);
  g_autoptr(GBytes) bent = flip(relabelled, out->len - 20);
  assert_fails(bent, CRYPTO_ERROR_MALFORMED);
}

static void
test_compressed(void)
{
  g_autoptr(GBytes) zeros = g_bytes_new_take(g_malloc0(20 * 1024 * 1024), 20 * 1024 * 1024);
  pki_write(folder, "zeros", g_bytes_get_data(zeros, NULL), (gssize)g_bytes_get_size(zeros));
  static const char *const files[] = { "content", "large", "zeros" };
  for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autoptr(GBytes) content = pki_read(folder, files[i]);
    g_autoptr(GByteArray) der = g_byte_array_new();
    g_autoptr(GZlibCompressor) compressor = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB, 9);
    g_autoptr(GInputStream) memory = g_memory_input_stream_new_from_bytes(content);
    g_autoptr(GInputStream) stream = g_converter_input_stream_new(memory, G_CONVERTER(compressor));
    g_autoptr(GOutputStream) sink = g_memory_output_stream_new_resizable();
    g_assert_cmpint(g_output_stream_splice(sink, stream, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, NULL), >,
                    0);
    g_autoptr(GBytes) packed = g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(sink));
    g_autoptr(GByteArray) algorithm = g_byte_array_new(), inner = g_byte_array_new();
    crypto_ber_put(inner, CRYPTO_BER_OCTET_STRING, g_bytes_get_data(packed, NULL), g_bytes_get_size(packed));
    crypto_ber_wrap(inner, CRYPTO_BER_CONTEXT_CONSTRUCTED);
    crypto_oid_put(der, CRYPTO_OID_DATA);
    g_byte_array_append(der, inner->data, inner->len);
    crypto_ber_wrap(der, CRYPTO_BER_SEQUENCE);
    crypto_ber_put_small(algorithm, 0);
    g_byte_array_append(algorithm, (const guint8 *)"\x30\x0d", 2);
    crypto_oid_put(algorithm, CRYPTO_OID_ZLIB);
    g_byte_array_append(algorithm, der->data, der->len);
    crypto_ber_wrap(algorithm, CRYPTO_BER_SEQUENCE);
    crypto_ber_wrap(algorithm, CRYPTO_BER_CONTEXT_CONSTRUCTED);
    g_autoptr(GByteArray) out = g_byte_array_new();
    crypto_oid_put(out, CRYPTO_OID_COMPRESSED_DATA);
    g_byte_array_append(out, algorithm->data, algorithm->len);
    crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
    g_autoptr(GBytes) bytes = g_bytes_new(out->data, out->len);
    g_autoptr(CryptoCms) cms = parse(bytes);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) plain = crypto_cms_decompress(cms, &error);
    if (i == 2) { /* 1,026 times */
      g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED);
      continue;
    }
    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(plain, content));
    g_autoptr(GBytes) bent = flip(bytes, out->len - 2); /* zlib's checksum */
    g_autoptr(CryptoCms) broken = parse(bent);
    g_assert_null(crypto_cms_decompress(broken, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED);
  }
}

static void
test_malformed(void)
{
  g_autoptr(GBytes) bytes = openssl_sign(&sign_cases[0], TRUE, FALSE);
  gsize length = g_bytes_get_size(bytes);
  for (gsize n = 0; n < length; n += 7) {
    g_autoptr(GBytes) cut = g_bytes_new(g_bytes_get_data(bytes, NULL), n);
    g_autoptr(GError) error = NULL;
    g_assert_null(crypto_cms_parse(cut, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED);
  }
  for (guint tail = 0; tail < 2; tail++) {
    g_autoptr(GByteArray) longer = g_byte_array_new();
    g_byte_array_append(longer, g_bytes_get_data(bytes, NULL), (guint)length);
    g_byte_array_append(longer, (const guint8 *)(tail ? "\r\nx" : "\r\n"), tail ? 3 : 2);
    g_autoptr(GBytes) with_tail = g_bytes_new(longer->data, longer->len);
    g_autoptr(GError) error = NULL;
    g_autoptr(CryptoCms) cms = crypto_cms_parse(with_tail, &error);
    g_assert_true((cms == NULL) == (tail == 1));
  }
}

int
main(int argc, char **argv)
{
  lab_begin(&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS(sign_cases); i++) {
    g_autofree char *path = g_strconcat("/cms/openssl-signs/", sign_cases[i].name, NULL);
    g_test_add_data_func(path, &sign_cases[i], test_openssl_signs);
  }
  g_test_add_func("/cms/unsupported", test_unknown_algorithm);
  g_test_add_func("/cms/wrong-scheme", test_wrong_scheme);
  g_test_add_func("/cms/no-cert", test_no_cert);
  g_test_add_func("/cms/attributes-as-content", test_attributes_as_content);
  g_test_add_func("/cms/two-signers", test_two_signers);
  g_test_add_func("/cms/certs-only", test_certs_only);
  g_test_add_func("/cms/malformed", test_malformed);
  for (guint i = 0; i < G_N_ELEMENTS(seal_cases); i++) {
    g_autofree char *path = g_strconcat("/cms/openssl-seals/", seal_cases[i].name, NULL);
    g_test_add_data_func(path, &seal_cases[i], test_openssl_seals);
  }
  g_test_add_func("/cms/stream", test_stream);
  g_test_add_func("/cms/damaged", test_damaged);
  g_test_add_func("/cms/refused", test_refused);
  g_test_add_func("/cms/password", test_password);
  g_test_add_func("/cms/mislabelled-gcm", test_mislabelled_gcm);
  g_test_add_func("/cms/compressed", test_compressed);
  return lab_run();
}
