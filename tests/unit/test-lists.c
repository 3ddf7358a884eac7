/* Who fetches revocation lists in the background, of what, and how often: with a server that only counts. */
#include "crypto/revocation.h"
#include "mail/config.h"
#include "mail/lists.h"
#include "tests/unit/chain-material.h"

#define AT "http://lists.example/"
#define POINT(name) "crlDistributionPoints=URI:" AT name "\n"

static const Make makes[] = {
  { "root", "-", .extensions = CA, .subject = "/CN=Root" },
  { "stranger", "-", .extensions = CA, .subject = "/CN=Stranger" },
  { "inter", "root", .extensions = CA POINT("root.crl") },
  { "good", .extensions = MAIL POINT("inter.crl") },
  { "silent", .extensions = MAIL POINT("silent.crl") },
  { "garbled", .extensions = MAIL POINT("garbled.crl") },
  { "unknown", "stranger", .extensions = MAIL POINT("stranger.crl") },
  { "mallory", "root", .extensions = "subjectAltName=email:mallory@example.org\n" },
  { "forged", "mallory", .extensions = MAIL POINT("inter.crl") },
  { "branch", "root", .extensions = CA },
  { "alike", "branch", .extensions = MAIL POINT("inter.crl") }, /* names the address of another authority's list */
};

static GPtrArray *asked; /* of char *: what was fetched, after AT */

static GBytes *
fetch(const CryptoAsk *ask, GCancellable *cancellable, gpointer data, GError **error)
{
  g_assert_true(g_str_has_prefix(ask->url, AT));
  g_assert_cmpint(ask->kind, ==, CRYPTO_ASK_CRL);
  g_assert_null(ask->post);
  g_assert_true(ask->vouched);
  const char *name = ask->url + strlen(AT);
  g_ptr_array_add(asked, g_strdup(name));
  if (strcmp(name, "garbled.crl") == 0)
    return g_bytes_new_static("<html>", 6);
  if (strcmp(name, "inter.crl") == 0 || strcmp(name, "root.crl") == 0)
    return get(name);
  g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE, "Nobody answers.");
  return NULL;
}

static int
compare(gconstpointer a, gconstpointer b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static gboolean
refresh(const char *fetched)
{
  const CryptoAsker asker = { .func = fetch, .kinds = CRYPTO_ASK_CRL };
  g_autoptr(GPtrArray) log = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_asked_free);
  g_ptr_array_set_size(asked, 0);
  gboolean news = crypto_revocation_refresh(&asker, log);
  g_ptr_array_sort(asked, compare);
  g_autoptr(GString) names = g_string_new(NULL);
  for (guint i = 0; i < asked->len; i++)
    g_string_append_printf(names, "%s%s", i ? " " : "", (char *)asked->pdata[i]);
  g_assert_cmpint(log->len, ==, asked->len);
  g_assert_cmpstr(names->str, ==, fetched);
  return news;
}

static CryptoRevocation
read_one(const char *name)
{
  CryptoCert *leaf = cert(name);
  GPtrArray *extra = certs("inter stranger mallory branch");
  CryptoChain *chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, extra);
  CryptoRevocation standing = chain->revocation;
  crypto_chain_free(chain);
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
  return standing;
}

static void
test_refresh(void)
{
  g_autofree char *cache = path("cache");
  begin();
  crypto_revocation_set_cache(cache);
  g_assert_false(refresh("")); /* nobody's mail was read */
  g_assert_cmpint(read_one("unknown"), ==, CRYPTO_REVOCATION_UNKNOWN);
  g_assert_false(refresh("")); /* no authority that is trusted vouches for that address */
  g_assert_cmpint(read_one("good"), ==, CRYPTO_REVOCATION_UNKNOWN);
  g_assert_true(refresh("inter.crl root.crl"));
  g_assert_cmpint(read_one("good"), ==, CRYPTO_REVOCATION_REVOKED);
  g_assert_false(refresh("")); /* today's are here */
  read_one("silent");
  read_one("garbled");
  g_assert_false(refresh("garbled.crl silent.crl"));
  g_assert_false(refresh("")); /* and are left alone for a while */
  end();
  begin();
  g_assert_cmpint(read_one("good"), ==, CRYPTO_REVOCATION_REVOKED); /* from the cache */
  g_assert_false(refresh(""));
  end();
  crypto_revocation_set_cache(NULL);
}

/* Whoever has a certificate for mail can sign another with it: that one chooses no address for us. */
static void
test_forged(void)
{
  begin();
  read_one("forged");
  g_assert_false(refresh(""));
  g_autoptr(CryptoCert) leaf = cert("forged");
  g_autoptr(GPtrArray) extra = certs("mallory");
  g_autoptr(CryptoChain) chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, extra);
  g_assert_cmpuint(chain->problems, ==, CRYPTO_TRUST_ISSUER_NOT_CA);
  const CryptoAsker asker = { .func = fetch, .kinds = CRYPTO_ASK_CRL };
  g_assert_false(crypto_revocation_ask(chain, now, &asker, NULL));
  g_assert_cmpuint(asked->len, ==, 0);
  read_one("good");
  g_assert_true(refresh("inter.crl root.crl"));
  g_assert_cmpint(read_one("good"), ==, CRYPTO_REVOCATION_REVOKED);
  g_clear_pointer(&chain, crypto_chain_free);
  g_clear_pointer(&extra, g_ptr_array_unref);
  g_clear_pointer(&leaf, crypto_cert_unref);
  end();
}

/* Nor does an authority that names another's address take that list away, in memory or in the cache. */
static void
test_same_address(void)
{
  g_autofree char *cache = path("same");
  begin();
  crypto_revocation_set_cache(cache);
  read_one("alike");
  read_one("good");
  g_assert_true(refresh("inter.crl inter.crl root.crl"));
  g_assert_cmpint(read_one("good"), ==, CRYPTO_REVOCATION_REVOKED);
  g_assert_cmpint(read_one("alike"), ==, CRYPTO_REVOCATION_UNKNOWN);
  end();
  begin();
  g_assert_cmpint(read_one("alike"), ==, CRYPTO_REVOCATION_UNKNOWN);
  g_assert_cmpint(read_one("good"), ==, CRYPTO_REVOCATION_REVOKED);
  end();
  crypto_revocation_set_cache(NULL);
}

/* Without a folder to keep them in, too, once is enough. */
static void
test_no_cache(void)
{
  begin();
  g_assert_cmpint(read_one("good"), ==, CRYPTO_REVOCATION_UNKNOWN);
  g_assert_true(refresh("inter.crl root.crl"));
  g_assert_false(refresh(""));
  g_assert_cmpint(read_one("good"), ==, CRYPTO_REVOCATION_REVOKED);
  end();
}

static void
no_news(gpointer data)
{
  g_assert_not_reached();
}

static void
test_by_choice(void)
{
  static const struct {
    const char *policy;
    gboolean fetches;
  } all[] = {
    { "", TRUE },
    { "[policy]\nonline = crl\n", TRUE },
    { "[policy]\nonline = ocsp\n", TRUE },
    { "[policy]\nonline = off\n", FALSE },
    { "[policy]\nrevocation = off\n", FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    put("signet.conf", all[i].policy);
    g_autofree char *file = path("signet.conf");
    g_autoptr(GError) error = NULL;
    g_autoptr(MlConfig) config = ml_config_load_with(file, NULL, &error);
    g_assert_no_error(error);
    MlLists *lists = ml_lists_start(config, no_news, NULL);
    g_assert_cmpint(lists != NULL, ==, all[i].fetches);
    ml_lists_stop(lists);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_autoptr(GError) error = NULL;
  folder = g_dir_make_tmp("signet-lists-XXXXXX", &error);
  g_assert_no_error(error);
  for (gsize i = 0; i < G_N_ELEMENTS(makes); i++)
    make_one(&makes[i]);
  now = g_get_real_time() / G_USEC_PER_SEC;
  asked = g_ptr_array_new_with_free_func(g_free);
  CryptoCert *good;
  begin();
  good = cert("good");
  g_autofree char *serial = g_ascii_strup(crypto_cert_serial(good), -1);
  crypto_cert_unref(good);
  end();
  g_autofree char *index = g_strdup_printf("R\t400101000000Z\t250101000000Z\t%s\tunknown\t/CN=x\n", serial);
  put("index.txt", index);
  put("none.txt", "");
  put("crl.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\n");
  put("none.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=none.txt\ndefault_md=sha256\n");
  sh("openssl ca -gencrl -config crl.cnf -cert inter.pem -keyfile inter.key -crldays 5 -out inter.pem.crl");
  sh("openssl crl -in inter.pem.crl -outform DER -out inter.crl");
  sh("openssl ca -gencrl -config none.cnf -cert root.pem -keyfile root.key -crldays 5 -out root.pem.crl");
  sh("openssl crl -in root.pem.crl -outform DER -out root.crl");
  g_test_add_func("/lists/refresh", test_refresh);
  g_test_add_func("/lists/forged", test_forged);
  g_test_add_func("/lists/same-address", test_same_address);
  g_test_add_func("/lists/no-cache", test_no_cache);
  g_test_add_func("/lists/by-choice", test_by_choice);
  int failed = g_test_run();
  g_ptr_array_unref(asked);
  sh("rm -rf %s", folder);
  return failed;
}
