#include <glib/gstdio.h>
#include <string.h>

#include "crypto/context.h"
#include "mail/directory.h"

/* Whom a directory is asked about, and what is asked: the part that needs no server (tests/integration/directory.t has
 * the rest). */
static void
test_filter(void)
{
  static const struct {
    const char *template, *text, *want;
  } cases[] = {
    { "(mail=%s)", "bob@example.org", "(mail=bob@example.org)" },
    { "(mail=%s)", "*", "(mail=\\2a)" },
    { "(mail=%s)", "*)(uid=*", "(mail=\\2a\\29\\28uid=\\2a)" },
    { "(mail=%s)", "a\\2a@b", "(mail=a\\5c2a@b)" },
    { "(mail=%s)", "%s", "(mail=%s)" },
    { "(|(a=%s)(b=%s))", "x", "(|(a=x)(b=x))" },
    { "(mail=%s*)", "\n\x7f", "(mail=\\0a\\7f*)" },
    { "(mail=%s)", "jürg@example.org", "(mail=jürg@example.org)" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *filter = ml_directory_filter(cases[i].template, cases[i].text);
    g_assert_cmpstr(filter, ==, cases[i].want);
  }
}

static MlDirectory
directory_for(char **domains)
{
  return (MlDirectory){ .name = (char *)"corp", .domains = domains, .complete = TRUE };
}

static void
test_domains(void)
{
  char *some[] = { (char *)"example.org", (char *)".example.com", (char *)"xn--bcher-kva.example", NULL };
  char *all[] = { (char *)"*", NULL };
  const MlDirectory corp = directory_for(some), world = directory_for(all);
  static const char *const in[] = { "bob@example.org", "Bob@EXAMPLE.org", "x@example.com", "x@a.b.example.com", "x@bücher.example" };
  static const char *const out[] = { "bob@sub.example.org", "bob@example.net", "x@badexample.com", "x@notexample.org", "example.org",
                                     "", "x@", "bob@example.org.evil.net" };
  for (guint i = 0; i < G_N_ELEMENTS(in); i++)
    g_assert_true(ml_directory_covers(&corp, in[i]) && ml_directory_covers(&world, in[i]));
  for (guint i = 0; i < G_N_ELEMENTS(out); i++)
    g_assert_false(ml_directory_covers(&corp, out[i]));
  g_assert_true(ml_directory_covers(&world, "a@example.net"));
  g_assert_false(ml_directory_covers(&world, "nobody"));
}

static void
test_completes(void)
{
  char *some[] = { (char *)"example.org", (char *)".example.com", NULL };
  MlDirectory corp = directory_for(some);
  static const char *const yes[] = { "bob", "Bob M", "bob@", "bob@ex", "bob@example.org", "bob@EXAMPLE.C", "bob@a.example.com", "jür" };
  static const char *const no[] = { "bo", "", "bob@f", "bob@example.net", "bob@example.orgx", "Bob <bob", "\"Bob", "a, bob", "jü" };
  for (guint i = 0; i < G_N_ELEMENTS(yes); i++)
    g_assert_true(ml_directory_completes(&corp, yes[i]));
  for (guint i = 0; i < G_N_ELEMENTS(no); i++)
    g_assert_false(ml_directory_completes(&corp, no[i]));
  corp.complete = FALSE;
  g_assert_false(ml_directory_completes(&corp, "bob"));
}

static MlConfig *
load(const char *text, GError **error)
{
  g_autofree char *file = NULL;
  int fd = g_file_open_tmp("signet-directory-XXXXXX", &file, NULL);
  g_assert_cmpint(fd, >=, 0);
  g_assert_true(g_file_set_contents(file, text, -1, NULL));
  MlConfig *config = ml_config_load_with(file, NULL, error);
  g_close(fd, NULL);
  g_unlink(file);
  return config;
}

static void
test_config(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlConfig) config = load("[directory corp]\nurl = ldap://ldap.example.org\nbase = dc=example,dc=org\n"
                                    "domains = Example.ORG, .bücher.example\nask = key\ncomplete = no\ntimeout = 3\n"
                                    "[directory home]\nurl = ldaps://[::1]:1636/\nbase = dc=x\ndomains = *\n",
                                    &error);
  g_assert_no_error(error);
  g_assert_cmpuint(config->directories->len, ==, 2);
  const MlDirectory *corp = config->directories->pdata[0], *home = config->directories->pdata[1];
  g_assert_cmpstr(corp->server.host, ==, "ldap.example.org");
  g_assert_cmpuint(corp->server.port, ==, 389);
  g_assert_cmpint(corp->server.tls, ==, ML_TLS_STARTTLS);
  g_assert_cmpstr(corp->domains[0], ==, "example.org");
  g_assert_cmpstr(corp->domains[1], ==, ".xn--bcher-kva.example");
  g_assert_cmpstr(corp->ask, ==, "key");
  g_assert_false(corp->complete);
  g_assert_cmpuint(corp->timeout, ==, 3);
  g_assert_cmpuint(home->server.port, ==, 1636);
  g_assert_cmpstr(home->filter, ==, "(mail=%s)");
  g_assert_cmpuint(home->timeout, ==, 10);
  g_autofree char *url = ml_directory_url(home);
  g_assert_cmpstr(url, ==, "ldaps://[::1]:1636");
}

static void
test_refused(void)
{
#define SECTION "[directory corp]\nurl = ldaps://x\nbase = dc=x\ndomains = x.org\n"
  static const struct {
    const char *text, *words;
  } cases[] = {
    { "[directory]\n", "a directory needs a name" },
    { SECTION SECTION, "two sections [directory corp]" },
    { "[directory corp]\nbase = dc=x\ndomains = x.org\n", "where it is" },
    { "[directory corp]\nurl = ldaps://x\ndomains = x.org\n", "what to search" },
    { SECTION "timeout = 0\n", "timeout" },
    { SECTION "timeout = 999\n", "timeout" },
    { SECTION "filter = mail=%s\n", "filter" },
    { SECTION "filter = (mail=*)\n", "filter" },
    { SECTION "filter = (mail=%s)(uid=%s)\n", "filter" },
    { SECTION "password = x\n", "passwords do not belong" },
    { SECTION "ask = never\n", "auto, key" },
    { SECTION "tls = none\n", "keep one" },
    { "[directory corp]\nurl = ldap://127.ldap.example.org\nbase = dc=x\ndomains = x.org\ntls = none\nbind = cn=x\n", "in clear" },
    { "[directory corp]\nurl = ldaps://x\nbase = dc=x\ndomains = bob@x.org\n", "no domain" },
  };
#undef SECTION
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlConfig) config = load(cases[i].text, &error);
    g_assert_null(config);
    g_assert_error(error, ML_ERROR, ML_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, cases[i].words));
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/directory/filter", test_filter);
  g_test_add_func("/directory/domains", test_domains);
  g_test_add_func("/directory/completes", test_completes);
  g_test_add_func("/directory/config", test_config);
  g_test_add_func("/directory/refused", test_refused);
  return g_test_run();
}
