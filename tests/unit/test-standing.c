/* How long a verdict may be repeated: until a certificate of its chain ends, and while nothing that it rests on changes. */
#include "crypto/certdb.h"
#include "crypto/context.h"
#include "crypto/revocation.h"
#include "crypto/standing.h"
#include "mail/message.h"
#include "tests/unit/locks.h"
#include "tests/unit/pki.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

typedef struct {
  char *folder;
  gint64 now;
} Fixture;

static void
issue(const char *folder, const char *name, const char *days)
{
  g_autofree char *key = g_strconcat(name, ".key", NULL), *csr = g_strconcat(name, ".csr", NULL);
  g_autofree char *cert = g_strconcat(name, ".pem", NULL), *subject = g_strconcat("/CN=", name, NULL);
  pki_rsa_key(folder, key, "2048");
  pki_run(folder, "openssl", "req", "-new", "-key", key, "-out", csr, "-subj", subject);
  pki_run(folder, "openssl", "x509", "-req", "-in", csr, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", cert,
          "-days", days, "-extfile", "ext");
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
  static const char ext[] =
      "subjectAltName=email:anna@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\n";
  static const char part[] = "Content-Type: text/plain\r\n\r\nAll is well.\r\n";
  g_autoptr(GError) error = NULL;
  fixture->folder = pki_folder();
  const char *folder = fixture->folder;
  pki_rsa_key(folder, "ca.key", "2048");
  pki_run(folder, "openssl", "req", "-x509", "-key", "ca.key", "-out", "ca.pem", "-days", "300", "-subj",
          "/CN=Standing CA", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
          "keyUsage=critical,keyCertSign,cRLSign");
  pki_write(folder, "ext", ext, -1);
  pki_write(folder, "part", part, -1);
  issue(folder, "short", "1");
  issue(folder, "long", "200");
  g_autofree char *db = g_build_filename(folder, "nssdb", NULL), *cache = g_build_filename(folder, "cache", NULL);
  const CryptoOptions options = { .nssdb = db, .create = TRUE };
  g_assert_true(crypto_open(&options, &error));
  crypto_revocation_set_cache(cache);
  g_assert_cmpint(g_mkdir(cache, 0700), ==, 0);
  fixture->now = g_get_real_time() / G_USEC_PER_SEC;
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_assert_true(crypto_close(&error));
  crypto_revocation_set_cache(NULL);
  tree_remove(fixture->folder);
  g_free(fixture->folder);
}

static CryptoCert *
authority(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) file = pki_read(fixture->folder, "ca.pem");
  g_autoptr(GPtrArray) certs = crypto_certs_parse(file, &error);
  g_assert_no_error(error);
  return crypto_cert_ref(certs->pdata[0]);
}

static void
trust(Fixture *fixture, CryptoTrustWish wish)
{
  g_autoptr(GError) error = NULL;
  CryptoCert *ca = authority(fixture);
  g_assert_true(crypto_certdb_set_trust(ca, wish, CRYPTO_TRUST_KEEP, NULL, &error));
  crypto_cert_unref(ca);
}

/* A message by @signer: clear-signed, no signing time in it. */
static GBytes *
letter(Fixture *fixture, const char *signer)
{
  g_autofree char *cert = g_strconcat(signer, ".pem", NULL), *key = g_strconcat(signer, ".key", NULL);
  pki_run(fixture->folder, "openssl", "cms", "-sign", "-binary", "-noattr", "-in", "part", "-signer", cert, "-inkey", key,
          "-outform", "DER", "-out", "p7s");
  g_autoptr(GBytes) der = pki_read(fixture->folder, "p7s");
  gsize length;
  const guint8 *octets = g_bytes_get_data(der, &length);
  g_autofree char *base64 = g_base64_encode(octets, length);
  char *text = g_strdup_printf("From: Anna <anna@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; "
                               "boundary=b; protocol=\"application/pkcs7-signature\"\r\n\r\n--b\r\n"
                               "Content-Type: text/plain\r\n\r\nAll is well.\r\n\r\n--b\r\n"
                               "Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                               "%s\r\n--b--\r\n", base64);
  return g_bytes_new_take(text, strlen(text));
}

static MlMessage *
judged(GBytes *raw, const MlReadOptions *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  MlMessage *message = ml_message_read(raw, options, cancellable, &error);
  g_assert_no_error(error);
  return message;
}

static gint64
until(GBytes *raw, gint64 at, gint64 received, CryptoRevocationMode mode, MlIndicator wanted, gint64 *end)
{
  const MlReadOptions options = { .at = at, .received = received, .revocation = mode, .sealed = TRUE };
  g_autoptr(MlMessage) message = judged(raw, &options);
  const MlVerdict *verdict = ml_message_verdict(message);
  g_assert_cmpint(verdict->indicator, ==, wanted);
  if (end)
    *end = crypto_cert_not_after(((const MlSigner *)verdict->signers->pdata[0])->cms->cert);
  return ml_message_until(message, &options);
}

static void
test_until(Fixture *fixture, gconstpointer data)
{
  gint64 now = fixture->now, end = 0;
  trust(fixture, CRYPTO_TRUST_TRUSTED);
  g_autoptr(GBytes) short_one = letter(fixture, "short"), long_one = letter(fixture, "long");
  g_autoptr(GBytes) plain = g_bytes_new_static("From: a@x\n\nx", 12);
  /* a day at most, and no longer than the certificate */
  g_assert_cmpint(until(long_one, now, now, CRYPTO_REVOCATION_SOFT, ML_INDICATOR_GOOD, NULL), ==, now + DAY);
  gint64 shortly = until(short_one, now + 2 * HOUR, now, CRYPTO_REVOCATION_SOFT, ML_INDICATOR_GOOD, &end);
  g_assert_cmpint(shortly, ==, end);
  g_assert_cmpint(end, <, now + 2 * HOUR + DAY);
  /* it has ended since, and the message had come before */
  g_assert_cmpint(until(short_one, now + 2 * DAY, now, CRYPTO_REVOCATION_SOFT, ML_INDICATOR_GOOD, NULL), ==, now + 3 * DAY);
  /* lists that must be fresh run out by themselves */
  g_assert_cmpint(until(long_one, now, now, CRYPTO_REVOCATION_HARD, ML_INDICATOR_WARN, NULL), ==, now + DAY);
  g_assert_cmpint(until(plain, now, now, CRYPTO_REVOCATION_SOFT, ML_INDICATOR_NONE, NULL), ==, G_MAXINT64);
}

static void
test_then(Fixture *fixture, gconstpointer data)
{
  gint64 now = fixture->now;
  trust(fixture, CRYPTO_TRUST_TRUSTED);
  g_autoptr(GBytes) raw = letter(fixture, "short");
  MlReadOptions options = { .at = now + 3 * DAY, .received = now + 2 * DAY, .revocation = CRYPTO_REVOCATION_SOFT };
  g_autoptr(MlMessage) late = judged(raw, &options);
  g_autoptr(MlVerdict) then = ml_message_then(late, &options);
  g_assert_cmpint(then->indicator, ==, ML_INDICATOR_WARN); /* it had ended when it came */
  options.received = now + HOUR;
  g_autoptr(MlMessage) early = judged(raw, &options);
  g_autoptr(MlVerdict) good = ml_message_then(early, &options);
  g_assert_cmpint(good->indicator, ==, ML_INDICATOR_GOOD);
  g_assert_false(good->expired_since);
  g_assert_true(ml_message_verdict(early)->expired_since);
  options.received = 0;
  g_assert_null(ml_message_then(early, &options));
}

static void
test_mark(Fixture *fixture, gconstpointer data)
{
  trust(fixture, CRYPTO_TRUST_TRUSTED);
  g_autoptr(GBytes) raw = letter(fixture, "long");
  const MlReadOptions options = { .at = fixture->now, .received = fixture->now, .sealed = TRUE };
  g_autoptr(MlMessage) message = judged(raw, &options);
  g_assert_cmpint(ml_message_mark(message, "Anna <anna@example.org>"), ==, ML_MARK_GOOD);
  /* the row names somebody else, or names them otherwise: whoever gave it has not signed */
  g_assert_cmpint(ml_message_mark(message, "Anna <boss@example.org>"), ==, ML_MARK_WARN);
  g_assert_cmpint(ml_message_mark(message, "The Boss <anna@example.org>"), ==, ML_MARK_WARN);
  g_assert_cmpint(ml_message_mark(message, ""), ==, ML_MARK_WARN);
}

static void
assert_changes(char **before, gboolean changes, gboolean answers)
{
  g_autofree char *now = crypto_standing(answers);
  g_assert_cmpint(strcmp(now, *before) != 0, ==, changes);
  g_free(*before);
  *before = g_steal_pointer(&now);
}

static void
test_standing(Fixture *fixture, gconstpointer data)
{
  g_autofree char *word = crypto_standing(TRUE), *without = crypto_standing(FALSE);
  assert_changes(&word, FALSE, TRUE);
  trust(fixture, CRYPTO_TRUST_TRUSTED);
  assert_changes(&word, TRUE, TRUE);
  assert_changes(&word, FALSE, TRUE);
  trust(fixture, CRYPTO_TRUST_NEVER);
  assert_changes(&word, TRUE, TRUE);
  trust(fixture, CRYPTO_TRUST_TRUSTED); /* at once, in the same tick of the clock maybe */
  assert_changes(&word, TRUE, TRUE);
  g_assert_cmpstr(without, !=, word);
  g_free(without);
  without = crypto_standing(FALSE);
  pki_write(fixture->folder, "cache/answer.crl", "a list", -1);
  assert_changes(&word, TRUE, TRUE);
  assert_changes(&without, FALSE, FALSE);
  pki_write(fixture->folder, "cache/answer.crl", "another list", -1);
  assert_changes(&word, TRUE, TRUE);
  g_autofree char *soft = ml_message_standing(CRYPTO_REVOCATION_SOFT), *hard = ml_message_standing(CRYPTO_REVOCATION_HARD);
  g_assert_cmpstr(soft, !=, hard);
}

/* To look at the database ends no lock that NSS has on it in this process. */
static void
test_locks(Fixture *fixture, gconstpointer data)
{
  struct flock one = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 1024, .l_len = 1 };
  g_autofree char *file = g_build_filename(fixture->folder, "nssdb", "cert9.db", NULL);
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(fcntl(fd, F_SETLK, &one), ==, 0);
  for (guint i = 0; i < 2; i++) {
    g_autofree char *word = crypto_standing(TRUE);
    g_assert_nonnull(word);
    g_assert_true(locks_held(file));
  }
  close(fd);
  g_assert_false(locks_held(file));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/standing/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("until", test_until);
  ADD("then", test_then);
  ADD("mark", test_mark);
  ADD("word", test_standing);
  ADD("locks", test_locks);
  return g_test_run();
}
