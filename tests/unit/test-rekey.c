/* One encrypted message written anew for another key: what must be the same is, octet for octet, and what cannot be done
 * without loss is left alone. Every key lies in one throw-away database. */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "crypto/cms-write.h"
#include "crypto/context.h"
#include "crypto/issue.h"
#include "mail/driver-private.h"
#include "mail/rekey-run.h"
#include "mail/seal.h"
#include "tests/unit/pki.h"

enum { DAY = 86400 };

static char *folder;
static gint64 now;
static CryptoCert *root, *old, *fresh, *curve, *bob, *ended, *archive;

static CryptoCert *
issue(const char *name, const char *on_curve, gboolean sign, int to)
{
  g_autofree char *address = g_strconcat(name, "@example.org", NULL);
  const char *addresses[] = { address, NULL };
  g_autoptr(GError) error = NULL;
  const CryptoIssue what = { .common_name = name,
                             .addresses = addresses,
                             .issuer = root,
                             .not_before = now - 20 * DAY,
                             .not_after = now + to * DAY,
                             .sign = sign,
                             .encrypt = TRUE,
                             .curve = on_curve };
  CryptoCert *cert = crypto_issue(&what, NULL, &error);
  g_assert_no_error(error);
  return cert;
}

static void
set_up(void)
{
  g_autoptr(GError) error = NULL;
  folder = pki_folder();
  g_autofree char *database = g_build_filename(folder, "nssdb", NULL);
  const CryptoOptions options = { .nssdb = database, .create = TRUE };
  g_assert_true(crypto_open(&options, &error));
  now = g_get_real_time() / G_USEC_PER_SEC;
  const CryptoIssue what = { .common_name = "Root",
                             .organisation = "Test House",
                             .authority = TRUE,
                             .sign = TRUE,
                             .not_before = now - 1000 * DAY,
                             .not_after = now + 1000 * DAY,
                             .curve = "P-256" };
  root = crypto_issue(&what, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  old = issue("anna", NULL, TRUE, 10);
  fresh = issue("anna", NULL, TRUE, 100);
  curve = issue("anna", "P-384", TRUE, 100);
  bob = issue("bob", NULL, TRUE, 10);
  ended = issue("anna", "P-256", TRUE, -1);
  archive = issue("archive", "P-256", FALSE, 100);
}

static void
tear_down(void)
{
  g_autoptr(GError) error = NULL;
  CryptoCert *all[] = { root, old, fresh, curve, bob, ended, archive };
  for (guint i = 0; i < G_N_ELEMENTS(all); i++)
    crypto_cert_unref(all[i]);
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
  tree_remove(folder);
  g_free(folder);
}

/* --- messages */

#define HEADER                                                                                                         \
  "Received: from there\r\n by here\r\nFrom: Bob <bob@example.org>\r\nto:   anna@example.org \r\nSubject: x\r\n"       \
  "X-Odd:  a \t b\r\nMIME-Version: 1.0\r\n"
#define TYPE "Content-Type: application/pkcs7-mime; name=smime.p7m;\r\n smime-type=enveloped-data\r\n"
#define BASE64 "content-transfer-encoding: BASE64\r\n"
#define TEXT "Content-Type: text/plain; charset=utf-8\r\nX-Inner: 1\r\n\r\nHello, Anna.\r\n\r\n"

static GBytes *
encrypt(GBytes *content, CryptoCert *first, CryptoCert *second, CryptoCipher cipher)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) to = g_ptr_array_new();
  g_ptr_array_add(to, first);
  if (second)
    g_ptr_array_add(to, second);
  GBytes *bytes = crypto_cms_encrypt(content, to, cipher, FALSE, &error);
  g_assert_no_error(error);
  return bytes;
}

/* @header, and @der in base64 lines ending as @end says. */
static GBytes *
message_of(const char *header, GBytes *der, const char *end)
{
  gsize length;
  gconstpointer data = g_bytes_get_data(der, &length);
  g_autofree char *base64 = g_base64_encode(data, length);
  GString *text = g_string_new(header);
  g_string_append(text, end);
  for (gsize at = 0; at < strlen(base64); at += 64)
    g_string_append_printf(text, "%.64s%s", base64 + at, end);
  return g_string_free_to_bytes(text);
}

static GBytes *
sealed_text(const char *text, CryptoCert *to, CryptoCipher cipher)
{
  g_autoptr(GBytes) content = g_bytes_new(text, strlen(text));
  g_autoptr(GBytes) der = encrypt(content, to, NULL, cipher);
  gboolean gcm = cipher == CRYPTO_CIPHER_AES128_GCM || cipher == CRYPTO_CIPHER_AES256_GCM;
  return message_of(gcm ? HEADER "Content-Type: application/pkcs7-mime; smime-type=authEnveloped-data\r\n" BASE64
                        : HEADER TYPE BASE64,
                    der, "\r\n");
}

/* A MIME entity, signed by @signer. */
static char *
signed_entity(const char *text, CryptoCert *signer)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) content = g_bytes_new(text, strlen(text));
  const CryptoSignOptions options = { .signing_time = now };
  g_autoptr(GBytes) der = crypto_cms_sign(content, signer, &options, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(GBytes) entity = message_of("Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n" BASE64, der, "\r\n");
  gsize length;
  const char *data = g_bytes_get_data(entity, &length);
  return g_strndup(data, length);
}

/* --- the act */

static GPtrArray *
rows_for(CryptoCert *to, const MlAccount *account)
{
  g_autoptr(GError) error = NULL;
  GPtrArray *rows = ml_rekey_rows(to, account, NULL, now, CRYPTO_REVOCATION_SOFT, &error);
  g_assert_no_error(error);
  return rows;
}

static gboolean
act_with(GBytes *raw, GPtrArray *rows, gboolean cbc, const MlPolicy *rules, MlRekeyed *made, GError **error)
{
  const MlRekeyOptions options = {
    .at = now, .received = now, .revocation = CRYPTO_REVOCATION_SOFT, .rows = rows, .cbc = cbc, .rules = rules
  };
  return ml_rekey_message(raw, &options, made, error);
}

static gboolean
act(GBytes *raw, CryptoCert *to, MlRekeyed *made, GError **error)
{
  g_autoptr(GPtrArray) rows = rows_for(to, NULL);
  return act_with(raw, rows, FALSE, NULL, made, error);
}

static MlMessage *
read_back(GBytes *bytes)
{
  const MlReadOptions options = { .at = now, .received = now, .revocation = CRYPTO_REVOCATION_SOFT };
  g_autoptr(GError) error = NULL;
  MlMessage *message = ml_message_read(bytes, &options, NULL, &error);
  g_assert_no_error(error);
  return message;
}

static char *
header_of(GBytes *message)
{
  gsize length;
  const char *data = g_bytes_get_data(message, &length);
  const char *end = memmem(data, length, "\r\n\r\n", 4);
  g_assert_nonnull(end);
  return g_strndup(data, (gsize)(end - data) + 2);
}

static void
check_inside(GBytes *message, const char *text, CryptoCert *to, const char *cipher)
{
  g_autoptr(MlMessage) read = read_back(message);
  const MlVerdict *verdict = ml_message_verdict(read);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) inside = ml_message_decrypted(read, TRUE, &error);
  g_assert_no_error(error);
  g_assert_cmpmem(g_bytes_get_data(inside, NULL), g_bytes_get_size(inside), text, strlen(text));
  g_assert_cmpstr(verdict->envelope->algorithm, ==, cipher);
  g_assert_cmpuint(verdict->envelope->keys->len, ==, 1);
  g_assert_cmpstr(crypto_cert_sha256(verdict->envelope->ours), ==, crypto_cert_sha256(to));
}

static void
test_identity(void)
{
  static const struct {
    CryptoCipher cipher;
    const char *then; /* unsigned: what anybody could have changed is not vouched for */
    gboolean raised;
  } forms[] = { { CRYPTO_CIPHER_AES128_CBC, "aes-256-cbc", FALSE },
                { CRYPTO_CIPHER_AES256_CBC, "aes-256-cbc", FALSE },
                { CRYPTO_CIPHER_3DES_CBC, "aes-256-cbc", TRUE },
                { CRYPTO_CIPHER_AES128_GCM, "aes-256-gcm", FALSE },
                { CRYPTO_CIPHER_AES256_GCM, "aes-256-gcm", FALSE } };
  CryptoCert *to[] = { fresh, curve };
  for (guint i = 0; i < G_N_ELEMENTS(forms); i++)
    for (guint k = 0; k < G_N_ELEMENTS(to); k++) {
      g_autoptr(GError) error = NULL;
      g_auto(MlRekeyed) made = { .message = NULL };
      g_autoptr(GBytes) raw = sealed_text(TEXT, old, forms[i].cipher);
      g_assert_true(act(raw, to[k], &made, &error));
      g_assert_no_error(error);
      check_inside(made.message, TEXT, to[k], forms[i].then);
      g_assert_cmpstr(made.cipher, ==, forms[i].then);
      g_assert_cmpint(made.raised, ==, forms[i].raised);
      g_assert_false(made.inner);
      g_autofree char *before = header_of(raw), *after = header_of(made.message);
      g_assert_cmpstr(before, ==, after);
      g_autofree char *digest = ml_rekey_digest(made.message), *first = ml_rekey_digest(raw);
      g_assert_cmpstr(digest, ==, made.new_digest);
      g_assert_cmpstr(first, ==, made.old_digest);
      g_assert_cmpstr(first, !=, digest);
    }
}

/* A signed text inside is as good in GCM, and its verdict stays. */
static void
test_signed(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *entity = signed_entity(TEXT, bob);
  g_autoptr(GBytes) raw = sealed_text(entity, old, CRYPTO_CIPHER_AES128_CBC);
  g_auto(MlRekeyed) made = { .message = NULL };
  g_assert_true(act(raw, fresh, &made, &error));
  g_assert_no_error(error);
  check_inside(made.message, entity, fresh, "aes-256-gcm");
  g_autoptr(MlMessage) before = read_back(raw), after = read_back(made.message);
  g_assert_cmpint(ml_message_verdict(before)->signature, ==, ML_SIGNATURE_VALID);
  g_assert_cmpint(ml_message_verdict(after)->signature, ==, ML_SIGNATURE_VALID);
  g_assert_cmpint(ml_message_verdict(after)->indicator, ==, ml_message_verdict(before)->indicator);
  g_autofree char *header = header_of(made.message);
  g_assert_cmpstr(header, ==,
                  HEADER "Content-Type: application/pkcs7-mime; name=smime.p7m;\r\n smime-type=authEnveloped-data\r\n" BASE64);
  g_autoptr(GPtrArray) rows = rows_for(fresh, NULL);
  g_auto(MlRekeyed) in_cbc = { .message = NULL };
  g_assert_true(act_with(raw, rows, TRUE, NULL, &in_cbc, &error));
  check_inside(in_cbc.message, entity, fresh, "aes-256-cbc");
  /* what was authenticated stays so */
  g_autoptr(GBytes) gcm = sealed_text(TEXT, old, CRYPTO_CIPHER_AES128_GCM);
  g_auto(MlRekeyed) stays = { .message = NULL };
  g_assert_true(act_with(gcm, rows, TRUE, NULL, &stays, &error));
  g_assert_cmpstr(stays.cipher, ==, "aes-256-gcm");
}

/* Who signed badly before signed badly afterwards. */
static void
test_bad_signature(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *entity = signed_entity(TEXT, bob);
  char *other = strstr(entity, "smime-type=signed-data");
  g_assert_nonnull(other);
  g_autofree char *forged = signed_entity(TEXT, ended);
  g_autoptr(GBytes) raw = sealed_text(forged, old, CRYPTO_CIPHER_AES128_GCM);
  g_auto(MlRekeyed) made = { .message = NULL };
  g_assert_true(act(raw, fresh, &made, &error));
  g_autoptr(MlMessage) before = read_back(raw), after = read_back(made.message);
  g_assert_cmpint(ml_message_verdict(before)->signature, !=, ML_SIGNATURE_VALID);
  g_assert_cmpint(ml_message_verdict(after)->signature, ==, ml_message_verdict(before)->signature);
  g_assert_cmpint(ml_message_verdict(after)->indicator, ==, ml_message_verdict(before)->indicator);
}

/* --- the header's forms */

static void
test_headers(void)
{
  static const struct {
    const char *before, *after, *end;
    gboolean raw; /* the body as it is, not in base64 */
  } forms[] = {
    { "From: b@example.org\nX: 1\nContent-Type: application/x-pkcs7-mime\nContent-Transfer-Encoding: base64\n",
      "From: b@example.org\r\nX: 1\r\nContent-Type: application/x-pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n", "\n",
      FALSE },
    { "From: b@example.org\r\nContent-Type: application/octet-stream; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n",
      "From: b@example.org\r\nContent-Type: application/octet-stream; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n",
      "\r\n", FALSE },
    { "From: b@example.org\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=\"enveloped-data\"\r\n"
      "Content-Transfer-Encoding: binary\r\nSubject: y\r\n",
      "From: b@example.org\r\nContent-Type: application/pkcs7-mime; smime-type=authEnveloped-data;\r\n"
      " name=\"smime.p7m\"\r\nContent-Transfer-Encoding: base64\r\nSubject: y\r\n",
      "\r\n", TRUE },
    { "From: b@example.org\r\nContent-Type: application/pkcs7-mime; smime-type=\"enveloped-data\"\r\nSubject: y\r\n",
      "From: b@example.org\r\nContent-Type: application/pkcs7-mime; smime-type=\"authEnveloped-data\"\r\n"
      "Content-Transfer-Encoding: base64\r\nSubject: y\r\n",
      "\r\n", TRUE },
  };
  g_autofree char *entity = signed_entity(TEXT, bob);
  g_autoptr(GBytes) content = g_bytes_new(entity, strlen(entity));
  g_autoptr(GBytes) der = encrypt(content, old, NULL, CRYPTO_CIPHER_AES256_CBC);
  for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
    g_autoptr(GError) error = NULL;
    g_auto(MlRekeyed) made = { .message = NULL };
    g_autoptr(GBytes) raw = NULL;
    if (forms[i].raw) {
      GByteArray *bytes = g_byte_array_new();
      g_byte_array_append(bytes, (const guint8 *)forms[i].before, (guint)strlen(forms[i].before));
      g_byte_array_append(bytes, (const guint8 *)"\r\n", 2);
      g_byte_array_append(bytes, g_bytes_get_data(der, NULL), (guint)g_bytes_get_size(der));
      raw = g_byte_array_free_to_bytes(bytes);
    } else {
      raw = message_of(forms[i].before, der, forms[i].end);
    }
    g_assert_true(act(raw, fresh, &made, &error));
    g_assert_no_error(error);
    g_autofree char *header = header_of(made.message);
    g_assert_cmpstr(header, ==, forms[i].after);
    check_inside(made.message, entity, fresh, "aes-256-gcm");
  }
}

/* --- left alone */

static void
check_left(GBytes *raw, const char *words)
{
  g_autoptr(GError) error = NULL;
  g_auto(MlRekeyed) made = { .message = NULL };
  g_assert_false(act(raw, fresh, &made, &error));
  g_test_message("%s", error->message);
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, words));
}

static GBytes *
changed_at(GBytes *der, gsize from_end)
{
  gsize length;
  gconstpointer data = g_bytes_get_data(der, &length);
  guint8 *copy = g_memdup2(data, length);
  g_assert_cmpuint(length, >, from_end);
  copy[length - from_end] ^= 0x40;
  return g_bytes_new_take(copy, length);
}

static void
test_tampered(void)
{
  g_autoptr(GString) text = g_string_new("Content-Type: text/plain\r\n\r\n");
  for (guint i = 0; i < 20; i++)
    g_string_append(text, "A line that is long enough to fill some blocks of the cipher.\r\n");
  g_autoptr(GBytes) content = g_bytes_new(text->str, text->len);
  g_autoptr(GBytes) cbc = encrypt(content, old, NULL, CRYPTO_CIPHER_AES256_CBC);
  g_autoptr(GBytes) gcm = encrypt(content, old, NULL, CRYPTO_CIPHER_AES256_GCM);
  /* a flipped bit in the midst of CBC: noise in two blocks, and the padding is fine */
  guint left = 0;
  for (gsize at = 200; at < 1000; at += 80) {
    g_autoptr(GBytes) changed = changed_at(cbc, at);
    g_autoptr(GBytes) raw = message_of(HEADER TYPE BASE64, changed, "\r\n");
    g_autoptr(GError) error = NULL;
    g_auto(MlRekeyed) made = { .message = NULL };
    left += !act(raw, fresh, &made, &error);
    if (made.message && !error) /* its mark stays even where the noise looks like text */
      g_assert_cmpstr(made.cipher, ==, "aes-256-cbc");
  }
  g_assert_cmpuint(left, >=, 2); /* the keys are new each time: noise looks like text once in seven */
  g_autoptr(GBytes) no_padding = changed_at(cbc, 20);
  g_autoptr(GBytes) cut = message_of(HEADER TYPE BASE64, no_padding, "\r\n");
  check_left(cut, "cannot be decrypted");
  g_autoptr(GBytes) no_tag = changed_at(gcm, 100);
  g_autoptr(GBytes) forged = message_of(HEADER TYPE BASE64, no_tag, "\r\n");
  check_left(forged, "cannot be decrypted");
}

static void
test_left(void)
{
  g_autoptr(GBytes) content = g_bytes_new(TEXT, strlen(TEXT));
  g_autoptr(GBytes) der = encrypt(content, old, NULL, CRYPTO_CIPHER_AES256_CBC);
  g_autoptr(GBytes) inner = message_of(TYPE BASE64, der, "\r\n");
  g_autofree char *entity = g_strndup(g_bytes_get_data(inner, NULL), g_bytes_get_size(inner));
  /* signed around the encryption */
  g_autofree char *outer = signed_entity(entity, bob);
  g_autofree char *triple = g_strconcat(HEADER, outer, NULL);
  g_autoptr(GBytes) wrapped = g_bytes_new(triple, strlen(triple));
  check_left(wrapped, "signed around");
  g_auto(MlRekeyLook) look = { .form = ML_REKEY_CLEAR };
  ml_rekey_look(wrapped, NULL, &look);
  g_assert_cmpint(look.form, ==, ML_REKEY_WRAPPED);
  g_assert_cmpuint(look.envelope->keys->len, ==, 1);
  /* twice */
  g_autoptr(GBytes) twice = sealed_text(entity, old, CRYPTO_CIPHER_AES256_GCM);
  check_left(twice, "encrypted twice");
  /* a part of it */
  g_autofree char *mixed = g_strconcat(HEADER "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" TEXT "\r\n--b\r\n",
                                       entity, "--b--\r\n", NULL);
  g_autoptr(GBytes) part = g_bytes_new(mixed, strlen(mixed));
  check_left(part, "Only a part");
  g_auto(MlRekeyLook) beside = { .form = ML_REKEY_CLEAR };
  ml_rekey_look(part, NULL, &beside);
  g_assert_cmpint(beside.form, ==, ML_REKEY_PART);
  g_autoptr(GBytes) clear = g_bytes_new(HEADER TEXT, strlen(HEADER TEXT));
  check_left(clear, "not encrypted");
  /* what stands behind the ciphertext would be lost */
  g_autofree char *more = g_strconcat(HEADER, entity, "==\r\n--\r\nThe list's footer\r\n", NULL);
  g_autoptr(GBytes) footer = g_bytes_new(more, strlen(more));
  check_left(footer, "");
  g_autoptr(GBytes) said_twice = message_of(HEADER TYPE TYPE BASE64, der, "\r\n");
  check_left(said_twice, "twice what its body is");
}

/* An encrypted mail within is carried along, and that is said. */
static void
test_inner(void)
{
  g_autoptr(GBytes) content = g_bytes_new(TEXT, strlen(TEXT));
  g_autoptr(GBytes) der = encrypt(content, old, NULL, CRYPTO_CIPHER_AES256_CBC);
  g_autoptr(GBytes) inner = message_of(TYPE BASE64, der, "\r\n");
  g_autofree char *mixed = g_strdup_printf("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" TEXT "\r\n--b\r\n%.*s--b--\r\n",
                                           (int)g_bytes_get_size(inner), (const char *)g_bytes_get_data(inner, NULL));
  g_autoptr(GBytes) raw = sealed_text(mixed, old, CRYPTO_CIPHER_AES256_GCM);
  g_autoptr(GError) error = NULL;
  g_auto(MlRekeyed) made = { .message = NULL };
  g_assert_true(act(raw, fresh, &made, &error));
  g_assert_no_error(error);
  g_assert_true(made.inner);
}

/* --- policy */

static MlPolicy *
policy(MlPolicyKey key, const char *value)
{
  MlPolicy *rules = g_new0(MlPolicy, 1);
  rules->rules = g_ptr_array_new();
  rules->values[key].value = g_strdup(value);
  rules->values[key].where = g_strdup("signet.conf:1");
  return rules;
}

static void
policy_free(MlPolicy *rules)
{
  for (guint i = 0; i < ML_POLICY_KEYS; i++) {
    g_free(rules->values[i].value);
    g_free(rules->values[i].where);
  }
  g_ptr_array_unref(rules->rules);
  g_free(rules);
}

static void
test_policy(void)
{
  g_autoptr(GError) error = NULL;
  MlPolicy *gcm = policy(ML_POLICY_MIN_CIPHER, "aes-256-gcm");
  g_autofree char *entity = signed_entity(TEXT, bob);
  g_autoptr(GBytes) signed_mail = sealed_text(entity, old, CRYPTO_CIPHER_AES128_CBC);
  g_autoptr(GBytes) bare = sealed_text(TEXT, old, CRYPTO_CIPHER_AES128_CBC);
  g_autoptr(GPtrArray) rows = rows_for(fresh, NULL);
  g_auto(MlRekeyed) made = { .message = NULL }, none = { .message = NULL };
  g_assert_true(act_with(signed_mail, rows, TRUE, gcm, &made, &error));
  g_assert_cmpstr(made.cipher, ==, "aes-256-gcm"); /* stronger than what was asked for */
  g_assert_false(act_with(bare, rows, FALSE, gcm, &none, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, "vouch"));
  g_clear_error(&error);
  policy_free(gcm);
  MlPolicy *keys = policy(ML_POLICY_MIN_RSA, "4096");
  g_assert_null(ml_rekey_rows(fresh, NULL, keys, now, CRYPTO_REVOCATION_SOFT, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_POLICY);
  g_clear_error(&error);
  policy_free(keys);
  g_assert_null(ml_rekey_rows(ended, NULL, NULL, now, CRYPTO_REVOCATION_SOFT, &error));
  g_assert_nonnull(strstr(error->message, "past its end"));
  g_clear_error(&error);
  /* the archive reads the copy too */
  MlPolicy *kept = policy(ML_POLICY_ARCHIVE_CERT, crypto_cert_sha256(archive));
  g_autoptr(GPtrArray) with_archive = ml_rekey_rows(fresh, NULL, kept, now, CRYPTO_REVOCATION_SOFT, &error);
  g_assert_no_error(error);
  g_auto(MlRekeyed) copy = { .message = NULL };
  g_assert_true(act_with(signed_mail, with_archive, FALSE, kept, &copy, &error));
  g_autoptr(MlMessage) read = read_back(copy.message);
  g_assert_cmpuint(ml_message_verdict(read)->envelope->recipients->len, ==, 2);
  policy_free(kept);
  g_assert_true(ml_rekey_try(rows->pdata[0], NULL, &error));
  g_assert_no_error(error);
}

/* --- what a store gives back */

static void
test_same(void)
{
  g_autoptr(GBytes) content = g_bytes_new(TEXT, strlen(TEXT));
  g_autoptr(GBytes) der = encrypt(content, old, NULL, CRYPTO_CIPHER_AES256_CBC);
  g_autoptr(GBytes) other_der = encrypt(content, old, NULL, CRYPTO_CIPHER_AES256_CBC);
  g_autoptr(GBytes) given = message_of("From: a@example.org\r\n" TYPE BASE64, der, "\r\n");
  g_autoptr(GBytes) as_file = message_of("From: a@example.org\nContent-Type: application/pkcs7-mime; name=smime.p7m;\n"
                                         " smime-type=enveloped-data\n" "content-transfer-encoding: BASE64\nStatus: RO\n",
                                         der, "\n");
  g_autoptr(GBytes) other_header = message_of("From: b@example.org\r\n" TYPE BASE64, der, "\r\n");
  g_autoptr(GBytes) less = message_of(TYPE BASE64, der, "\r\n");
  g_autoptr(GBytes) other_text = message_of("From: a@example.org\r\n" TYPE BASE64, other_der, "\r\n");
  g_assert_true(ml_rekey_same(given, given));
  g_assert_true(ml_rekey_same(as_file, given));
  g_assert_false(ml_rekey_same(other_header, given));
  g_assert_false(ml_rekey_same(less, given));
  g_assert_false(ml_rekey_same(given, less));
  g_assert_false(ml_rekey_same(other_text, given));
}

/* What a message and its copy have in common: all but what says what the body is, and what a mailbox file adds. */
static void
test_fields(void)
{
  static const struct {
    const char *header;
    gboolean same;
  } forms[] = { { HEADER "Content-Type: application/pkcs7-mime; smime-type=authEnveloped-data\r\n", TRUE },
                { TYPE HEADER "Status: RO\r\n" BASE64, TRUE },
                { "X-Odd:  a \t b\r\n" TYPE BASE64, FALSE },
                { HEADER TYPE "X-More: 1\r\n" BASE64, FALSE },
                { HEADER HEADER TYPE BASE64, FALSE },
                { TYPE BASE64, FALSE } };
  g_autoptr(GBytes) content = g_bytes_new(TEXT, strlen(TEXT));
  g_autoptr(GBytes) der = encrypt(content, old, NULL, CRYPTO_CIPHER_AES256_CBC);
  g_autoptr(GBytes) raw = message_of(HEADER TYPE BASE64, der, "\r\n");
  g_autofree char *first = ml_rekey_fields(raw);
  g_assert_nonnull(first);
  for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
    g_autoptr(GBytes) copy = message_of(forms[i].header, der, "\r\n");
    g_autofree char *fields = ml_rekey_fields(copy);
    g_test_message("form %u", i);
    g_assert_cmpint(g_strcmp0(first, fields) == 0, ==, forms[i].same);
  }
}

/* --- a folder whose notes find no room for a moment */

static const MlDriverOps *real_ops;
static MlRekeyState *noted;
static guint stored;
static struct rlimit unlimited;

/* It tells the copy's number, and from the second on there is no room to note it. */
static gboolean
append_and_fill(MlDriver *driver, const char *name, GBytes *bytes, guint flags, gint64 received, guint32 *uid,
                GError **error)
{
  MlSelected selected;
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  if (!real_ops->append(driver, name, bytes, flags, received, uid, error) ||
      !real_ops->select(driver, name, &selected, error) || !real_ops->uids(driver, all, error))
    return FALSE;
  for (guint i = 0; i < all->len; i++)
    *uid = MAX(*uid, g_array_index(all, MlFlagChange, i).uid);
  struct stat about;
  g_assert_cmpint(fstat(noted->fd, &about), ==, 0);
  const struct rlimit full = { (rlim_t)about.st_size, unlimited.rlim_max };
  if (++stored == 2)
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &full), ==, 0);
  return TRUE;
}

static GBytes *
fetch_with_room(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data, GError **error)
{
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &unlimited), ==, 0);
  return real_ops->fetch(driver, uid, received, func, user_data, error);
}

static void
test_no_room(void)
{
  static const char *const subs[] = { "cur", "new", "tmp" };
  g_autoptr(GError) error = NULL;
  g_autofree char *box = g_build_filename(folder, "box", NULL), *dir = g_build_filename(folder, "notes", NULL);
  for (guint i = 0; i < G_N_ELEMENTS(subs); i++) {
    g_autofree char *sub = g_build_filename(box, subs[i], NULL);
    g_assert_cmpint(g_mkdir_with_parents(sub, 0700), ==, 0);
  }
  const MlAccount account = { .name = (char *)"here", .kind = ML_ACCOUNT_MAILDIR, .path = box };
  const MlDriverHooks hooks = { .state_dir = folder };
  g_autoptr(MlDriver) driver = ml_driver_new(&account, &hooks);
  g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(MlRekeyItem));
  for (guint32 i = 1; i <= 2; i++) {
    g_autoptr(GBytes) raw = sealed_text(TEXT, old, CRYPTO_CIPHER_AES256_GCM);
    g_assert_true(ml_driver_append(driver, "INBOX", raw, ML_FLAG_SEEN, now, NULL, &error));
    const MlRekeyItem item = { .uid = i, .flags = ML_FLAG_SEEN, .received = now };
    g_array_append_val(todo, item);
  }
  MlSelected selected;
  g_assert_true(ml_driver_select(driver, "INBOX", &selected, &error));
  g_assert_cmpuint(selected.total, ==, 2);
  const MlRekeyState like = { .account = (char *)"here", .folder = (char *)"INBOX", .uidvalidity = selected.uidvalidity,
                              .to = (char *)crypto_cert_sha256(fresh) };
  g_autoptr(MlRekeyState) state = noted = ml_rekey_state_begin(dir, &like, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) rows = rows_for(fresh, NULL);
  const MlRekeyOptions options = { .at = now, .received = now, .revocation = CRYPTO_REVOCATION_SOFT, .rows = rows };
  MlDriverOps ops = *driver->ops;
  real_ops = driver->ops;
  ops.append = append_and_fill;
  ops.fetch = fetch_with_room;
  driver->ops = &ops;
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &unlimited), ==, 0);
  void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
  gboolean stopped, ok = ml_rekey_run(driver, state, todo, 2, &options, NULL, &stopped, &error);
  signal(SIGXFSZ, before);
  driver->ops = real_ops;
  g_assert_false(ok);
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_clear_error(&error);
  g_assert_cmpuint(stored, ==, 2); /* each once */
  g_assert_cmpuint(ml_rekey_state_waiting(state), ==, 0);
  g_assert_true(ml_driver_select(driver, "INBOX", &selected, &error));
  g_assert_cmpuint(selected.total, ==, 2);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  set_up();
  g_test_add_func("/rekey/identity", test_identity);
  g_test_add_func("/rekey/signed", test_signed);
  g_test_add_func("/rekey/bad-signature", test_bad_signature);
  g_test_add_func("/rekey/headers", test_headers);
  g_test_add_func("/rekey/tampered", test_tampered);
  g_test_add_func("/rekey/left", test_left);
  g_test_add_func("/rekey/inner", test_inner);
  g_test_add_func("/rekey/policy", test_policy);
  g_test_add_func("/rekey/same", test_same);
  g_test_add_func("/rekey/fields", test_fields);
  g_test_add_func("/rekey/no-room", test_no_room);
  int status = g_test_run();
  tear_down();
  return status;
}
