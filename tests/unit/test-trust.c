/* Who is believed for mail: trust apart from servers', taken away here and by other programs, and at once. */
#include "crypto/certdb.h"
#include "tests/unit/chain-material.h"

static const Make makes[] = {
  { "root", "-", .extensions = CA, .subject = "/CN=Root" },
  { "inter", "root", .extensions = CA },
  { "good", .extensions = MAIL },
};

static void
expect(const char *wanted)
{
  CryptoCert *leaf = cert("good");
  GPtrArray *extra = certs("inter root");
  CryptoChain *chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, extra);
  g_autofree char *words = words_of(chain->problems);
  g_assert_cmpstr(words, ==, wanted);
  crypto_chain_free(chain);
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
}

/* A database in which certutil gave the root @trust. */
static void
start(const char *trust)
{
  sh("rm -rf db");
  sh("mkdir db");
  sh("certutil -N -d sql:db --empty-password");
  sh("certutil -A -d sql:db -n root -t %s -i root.pem", trust);
  open_database();
}

static void
wish(CryptoTrustWish mail, CryptoTrustWish server)
{
  g_autoptr(CryptoCert) root = cert("root");
  g_autoptr(GError) error = NULL;
  g_assert_true(crypto_certdb_set_trust(root, mail, server, NULL, &error));
  g_assert_no_error(error);
}

static const struct {
  const char *trust, *words;
} columns[] = {
  { ",C,", "" },
  { "C,C,", "" },
  { "C,,", "self-signed unknown-issuer" }, /* of servers alone */
  { "CT,,C", "self-signed unknown-issuer" },
  { ",,C", "self-signed unknown-issuer" }, /* of programs */
  { ",,", "self-signed unknown-issuer" },
  { ",c,", "self-signed unknown-issuer" }, /* may be an authority, and nobody vouches for it */
  { ",P,", "self-signed unknown-issuer" }, /* as a correspondent: it vouches for itself, not for others */
  { "C,p,", "self-signed unknown-issuer distrusted" },
};

static void
test_column(gconstpointer data)
{
  guint i = GPOINTER_TO_UINT(data);
  start(columns[i].trust);
  expect(columns[i].words);
  end();
}

/* What was judged good before is judged anew. */
static void
test_taken_away(void)
{
  start(",,");
  expect("self-signed unknown-issuer");
  wish(CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_KEEP);
  expect("");
  wish(CRYPTO_TRUST_NEUTRAL, CRYPTO_TRUST_TRUSTED);
  expect("self-signed unknown-issuer");
  wish(CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_KEEP);
  expect("");
  wish(CRYPTO_TRUST_NEVER, CRYPTO_TRUST_KEEP);
  expect("self-signed unknown-issuer distrusted");
  wish(CRYPTO_TRUST_KEEP, CRYPTO_TRUST_NEVER);
  expect("self-signed unknown-issuer distrusted");
  wish(CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_KEEP); /* never for servers, and trusted for mail */
  expect("");
  end();
}

/* What is kept is what the database says, be it a mark against servers, or another program's of a moment ago. */
static void
test_kept(void)
{
  start("p,,");
  wish(CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_KEEP);
  sh("sh -c \"certutil -L -d sql:db | grep -q '^root *p,C,'\"");
  wish(CRYPTO_TRUST_KEEP, CRYPTO_TRUST_TRUSTED);
  sh("sh -c \"certutil -L -d sql:db | grep -q '^root *C,C,'\"");
  CryptoCert *leaf = cert("good");
  GPtrArray *extra = certs("inter root");
  CryptoChain *chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, extra);
  sh("certutil -M -d sql:db -n root -t p,C,");
  wish(CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_KEEP);
  sh("sh -c \"certutil -L -d sql:db | grep -q '^root *p,C,'\"");
  sh("certutil -M -d sql:db -n root -t CT,p,");
  wish(CRYPTO_TRUST_KEEP, CRYPTO_TRUST_KEEP);
  sh("sh -c \"certutil -L -d sql:db | grep -q '^root *CT,p,'\"");
  expect("self-signed unknown-issuer distrusted");
  crypto_chain_free(chain);
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
  end();
}

/* By another program, while this one runs; @held: a message on the screen keeps its chain, and NSS what it knew of it. */
static void
test_elsewhere(gconstpointer held)
{
  start(",C,");
  expect("");
  CryptoCert *leaf = cert("good");
  GPtrArray *extra = certs("inter root");
  CryptoChain *chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, extra);
  if (!held)
    g_clear_pointer(&chain, crypto_chain_free);
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
  sh("certutil -M -d sql:db -n root -t ,,");
  expect("self-signed unknown-issuer");
  sh("certutil -M -d sql:db -n root -t ,C,");
  expect("");
  sh("certutil -M -d sql:db -n root -t ,p,");
  expect("self-signed unknown-issuer distrusted");
  sh("certutil -M -d sql:db -n root -t ,C,");
  expect("");
  sh("certutil -D -d sql:db -n root");
  expect("self-signed unknown-issuer");
  g_clear_pointer(&chain, crypto_chain_free);
  end();
}

/* A database with a password, which nobody has entered here; and a change that takes nothing away. */
static void
test_password(void)
{
  sh("rm -rf db");
  sh("mkdir db");
  put("password", "secret\n");
  sh("certutil -N -d sql:db -f password");
  sh("certutil -A -d sql:db -n root -t ,C, -i root.pem -f password");
  open_database();
  expect("");
  sh("certutil -A -d sql:db -n inter -t ,, -i inter.pem -f password");
  expect("");
  sh("certutil -M -d sql:db -n root -t C,, -f password");
  expect("self-signed unknown-issuer");
  end();
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_autoptr(GError) error = NULL;
  folder = g_dir_make_tmp("signet-trust-XXXXXX", &error);
  g_assert_no_error(error);
  for (gsize i = 0; i < G_N_ELEMENTS(makes); i++)
    make_one(&makes[i]);
  now = g_get_real_time() / G_USEC_PER_SEC;
  for (guint i = 0; i < G_N_ELEMENTS(columns); i++) {
    g_autofree char *name = g_strdup_printf("/trust/column/%s", columns[i].trust);
    g_test_add_data_func(name, GUINT_TO_POINTER(i), test_column);
  }
  g_test_add_func("/trust/taken-away", test_taken_away);
  g_test_add_func("/trust/kept", test_kept);
  g_test_add_data_func("/trust/elsewhere", NULL, test_elsewhere);
  g_test_add_data_func("/trust/elsewhere-held", "held", test_elsewhere);
  g_test_add_func("/trust/password", test_password);
  int failed = g_test_run();
  sh("rm -rf %s", folder);
  return failed;
}
