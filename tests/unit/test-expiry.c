/* Whose end is told: what is ours, correspondents', and above them; not what has a successor. */
#include "crypto/certdb.h"
#include "crypto/expiry.h"
#include "tests/unit/chain-material.h"

#define SIGN_ONLY "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n"
#define BOTH "keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\n"
#define RSA "rsa:2048"

/* Each group stands alone: the groups have no address in common. */
static const Make makes[] = {
  { "root", "-", .extensions = CA, .subject = "/CN=Root", .days = 400 },
  { "unused", "-", .extensions = CA, .subject = "/CN=Unused", .days = 12 },
  { "trusted", "-", .extensions = CA, .subject = "/CN=Trusted", .days = 14 },
  { "inter", "root", .extensions = CA, .days = 45 },
  { "old", .extensions = BOTH "subjectAltName=email:anna@example.org\n", .key = RSA, .days = 30 },
  { "new", .extensions = BOTH "subjectAltName=email:anna@example.org,email:a@example.org\n", .key = RSA, .days = 90 },
  { "pair", .extensions = BOTH "subjectAltName=email:bob@example.org,email:b@example.org\n", .key = RSA, .days = 10 },
  { "half", .extensions = BOTH "subjectAltName=email:bob@example.org\n", .key = RSA, .days = 100 },
  { "both", .extensions = BOTH "subjectAltName=email:carla@example.org\n", .key = RSA, .days = 11 },
  { "signs", .extensions = SIGN_ONLY "subjectAltName=email:carla@example.org\n", .days = 100 },
  { "dora", .extensions = BOTH "subjectAltName=email:dora@example.org\n", .key = RSA, .days = 13 },
  { "bad", .extensions = BOTH "subjectAltName=email:dora@example.org\n", .key = RSA, .days = 100 },
  { "mine", .extensions = BOTH "subjectAltName=email:me@example.org\n", .key = RSA, .days = 15 },
  { "notmine", .extensions = BOTH "subjectAltName=email:me@example.org\n", .key = RSA, .days = 100 },
};

/* The names that are told of, the nearest end first. */
static void
expect(gint64 at, int within, guint flags, const char *names)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) found = crypto_expiry_find(at, (gint64)within * DAY, flags, &error);
  g_assert_no_error(error);
  g_autoptr(GString) all = g_string_new(NULL);
  gint64 before = G_MININT64;
  for (guint i = 0; i < found->len; i++) {
    const CryptoExpiry *one = found->pdata[i];
    g_string_append_printf(all, "%s%s", i ? " " : "", crypto_cert_common_name(one->entry->cert));
    g_assert_cmpint(one->seconds, ==, crypto_cert_not_after(one->entry->cert) - at);
    g_assert_cmpint(one->seconds, >=, before);
    before = one->seconds;
  }
  g_assert_cmpstr(all->str, ==, names);
}

static void
fill(void)
{
  static const char *const kept[] = { "root", "unused", "trusted", "inter", "old",  "new", "pair",
                                      "half", "both",   "signs",   "dora",  "bad",  "notmine" };
  g_autoptr(GError) error = NULL;
  g_autofree char *database = path("db");
  const CryptoOptions options = { .nssdb = database, .create = TRUE };
  g_assert_true(crypto_open(&options, &error));
  for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
    g_autoptr(CryptoCert) one = cert(kept[i]);
    g_assert_true(crypto_certdb_import(one, kept[i], NULL, NULL, &error));
    g_assert_no_error(error);
    if (strcmp(kept[i], "root") == 0 || strcmp(kept[i], "trusted") == 0)
      g_assert_true(crypto_certdb_set_trust(one, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
    if (strcmp(kept[i], "bad") == 0)
      g_assert_true(crypto_certdb_set_trust(one, CRYPTO_TRUST_NEVER, CRYPTO_TRUST_KEEP, NULL, &error));
    g_assert_no_error(error);
  }
  sh("openssl pkcs12 -export -in mine.pem -inkey mine.key -passout pass:x -out mine.p12");
  g_autoptr(GBytes) file = get("mine.p12");
  g_autoptr(GPtrArray) imported = crypto_certdb_import_pkcs12(file, "x", NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(imported->len, ==, 1);
}

static void
test_whose(void)
{
  expect(now, 5, 0, "");
  expect(now, 12, 0, "pair both"); /* "unused" vouches for nobody here, and nobody trusts it */
  expect(now, 20, 0, "pair both dora Trusted mine");
  expect(now, 20, CRYPTO_CERT_OWN, "mine");
  expect(now, 5, CRYPTO_CERT_OWN, "");
}

/* "old" has "new", which has one address more. Half of the addresses, less use, a mark "never", somebody else's key for
 * the same address: none of these takes over. */
static void
test_successors(void)
{
  expect(now, 40, 0, "pair both dora Trusted mine");
  expect(now - DAY, 40, 0, "pair both dora Trusted mine old"); /* "new" has not begun */
}

/* An authority in use, before its end and after it. */
static void
test_authorities(void)
{
  expect(now, 50, 0, "pair both dora Trusted mine inter");
  expect(now + 20 * DAY, 0, 0, "pair both dora Trusted mine");
  expect(now + 50 * DAY, 0, 0, "pair both dora Trusted mine inter"); /* it has ended, and "new" hangs on it */
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_autoptr(GError) error = NULL;
  folder = g_dir_make_tmp("signet-expiry-XXXXXX", &error);
  g_assert_no_error(error);
  for (gsize i = 0; i < G_N_ELEMENTS(makes); i++)
    make_one(&makes[i]);
  now = g_get_real_time() / G_USEC_PER_SEC;
  fill();
  g_test_add_func("/expiry/whose", test_whose);
  g_test_add_func("/expiry/successors", test_successors);
  g_test_add_func("/expiry/authorities", test_authorities);
  int failed = g_test_run();
  end();
  sh("rm -rf %s", folder);
  return failed;
}
