#include <glib/gstdio.h>
#include <string.h>

#include "mail/config.h"

/* What [policy] and [rule NAME] come to: read from a user's file and a system's, put together, and asked. */
static char *dir;

static MlConfig *
load(const char *user, const char *system, GError **error)
{
  g_autofree char *file = g_build_filename(dir, "signet.conf", NULL);
  g_autofree char *above = g_build_filename(dir, "policy.conf", NULL);
  g_assert_true(g_file_set_contents(file, user, -1, NULL));
  if (system)
    g_assert_true(g_file_set_contents(above, system, -1, NULL));
  MlConfig *config = ml_config_load_with(file, above, error);
  g_assert_cmpint(g_unlink(file), ==, 0);
  if (system)
    g_assert_cmpint(g_unlink(above), ==, 0);
  return config;
}

static MlConfig *
good(const char *user, const char *system)
{
  g_autoptr(GError) error = NULL;
  MlConfig *config = load(user, system, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(config->policy->broken, ==, NULL);
  return config;
}

static gboolean
said(const char *text, const char *words)
{
  g_auto(GStrv) all = g_strsplit(words, "|", -1);
  for (char **word = all; *word; word++)
    if (!text || !strstr(text, *word)) {
      g_test_message("want \"%s\" in: %s", *word, text ? text : "(nothing)");
      return FALSE;
    }
  return TRUE;
}

static void
refused(const char *user, const char *words)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlConfig) config = load(user, NULL, &error);
  g_assert_null(config);
  g_assert_error(error, ML_ERROR, ML_ERROR_CONFIG);
  g_assert_true(said(error->message, words));
}

static void
test_refused(void)
{
  refused("[policy]\nsigm = always\n", "signet.conf:2: |unknown key|did you mean \"sign\"?");
  refused("[policy]\nsign = maybe\n", "signet.conf:2: |free, always");
  refused("[policy]\nmin-rsa = 1024\n", "signet.conf:2: |2048");
  refused("[policy]\ntrust = abc\n", "signet.conf:2: |fingerprint");
  refused("[policy]\nlocked = sign\n", "signet.conf:2: |policy.conf");
  refused("[rule]\n", "signet.conf:1: |a rule needs a name");
  refused("[rule a]\ndomain = x.example\n", "signet.conf:1: |demands nothing");
  refused("[rule a]\nsign = demand\n", "signet.conf:1: |what mail it is for");
  refused("[rule a]\nsubject = x\nsign = always\n", "signet.conf:3: |demand");
  refused("[rule a]\ndomian = x.example\n", "signet.conf:2: |did you mean \"domain\"?");
  refused("[rule a]\ndomain = bob@x.example\n", "signet.conf:2: |is no domain");
  refused("[rule a]\nsubject = x\nsign = demand\n[rule a]\n", "signet.conf:4: |two sections");
}

static MlPolicyDecision *
decide(const MlConfig *config, const char *from, const char *to, const char *subject)
{
  g_auto(GStrv) all = g_strsplit(to, " ", -1);
  const MlPolicyFacts facts = { from, (const char *const *)all, subject };
  return ml_policy_decide(config->policy, &facts);
}

/* "se" both demanded, "-" none, "c" no clear text. */
static void
expect(const MlConfig *config, const char *from, const char *to, const char *subject, const char *want)
{
  g_autoptr(MlPolicyDecision) made = decide(config, from, to, subject);
  g_autofree char *got =
      g_strdup_printf("%s%s%s%s", made->sign ? "s" : "", made->encrypt ? "e" : "", made->no_clear ? "c" : "",
                      made->sign || made->encrypt || made->no_clear ? "" : "-");
  if (strcmp(got, want) != 0)
    g_test_message("%s -> %s, %s: %s, want %s", from, to, subject, got, want);
  g_assert_cmpstr(got, ==, want);
}

static void
test_rules(void)
{
  g_autoptr(MlConfig) config = good("[rule exact]\ndomain = partner.example\nencrypt = demand\n"
                                    "[rule below]\ndomain = .bank.example, xn--mnchen-3ya.example\nsign = demand\n"
                                    "[rule words]\nsubject = Streng  geheim, [confidential]\nclear = forbid\n"
                                    "[rule out]\nexcept-domain = .home.example\nsubject = Angebot\n"
                                    "subject = offer\nsign = demand\n"
                                    "[rule boss]\nfrom = boss@home.example\nsign = demand\nencrypt = demand\n",
                                    NULL);
  const char *me = "anna@home.example";
  expect(config, me, "bob@partner.example", "Hello", "e");
  expect(config, me, "bob@PARTNER.Example", "Hello", "e");
  expect(config, me, "bob@mail.partner.example", "Hello", "-");
  expect(config, me, "bob@notpartner.example", "Hello", "-");
  expect(config, me, "a@other.example bob@partner.example", "Hello", "e");
  expect(config, me, "a@bank.example", "Hello", "s");
  expect(config, me, "a@mail.bank.example", "Hello", "s");
  expect(config, me, "a@riverbank.example", "Hello", "-");
  expect(config, me, "a@m\xc3\xbcnchen.example", "Hello", "s");
  expect(config, me, "a@b.example", "AW: STRENG GEHEIM!", "c");
  expect(config, me, "a@b.example", "streng\n\tgeheim", "c");
  expect(config, me, "a@b.example", "Re: [Confidential] x", "c");
  expect(config, me, "a@b.example", "confidential", "-");
  expect(config, me, "a@b.example", "Our OFFER", "s");
  expect(config, me, "c@home.example a@b.example", "Our offer", "s");
  expect(config, me, "c@home.example d@sub.home.example", "Our offer", "-");
  expect(config, "Boss@HOME.example", "c@home.example", NULL, "se");
  expect(config, "boss@home.example", "bob@partner.example", "streng geheim", "sec");
  expect(config, me, "nobody", "Hello", "se"); /* unreadable: may be anybody's */
  expect(config, NULL, "", NULL, "se"); /* its author cannot be told: may be anybody */
  expect(config, "", "a@b.example", "Hello", "se");
  expect(config, "root", "a@b.example", "Hello", "se");

  g_autoptr(MlPolicyDecision) made = decide(config, me, "bob@partner.example", "x");
  g_autofree char *words = ml_policy_words(ml_policy_reason(made, ML_POLICY_ENCRYPT));
  g_assert_true(said(words, "rule exact, |signet.conf:3: bob@partner.example is in the domain partner.example"));
  g_assert_null(ml_policy_reason(made, ML_POLICY_SIGN));
}

static void
test_allows(void)
{
  g_autoptr(MlConfig) config = good("[policy]\nsign = always\n[rule p]\ndomain = p.example\nclear = forbid\n", NULL);
  const char *const to[] = { "x@p.example", NULL }, *const other[] = { "x@q.example", NULL };
  const MlPolicyFacts facts = { "a@b.example", to, "s" }, free_ = { "a@b.example", other, "s" };
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_policy_allows(config->policy, &facts, TRUE, TRUE, NULL));
  g_assert_true(ml_policy_allows(config->policy, &free_, TRUE, FALSE, NULL));
  g_assert_true(ml_policy_allows(NULL, &facts, FALSE, FALSE, NULL));
  g_assert_false(ml_policy_allows(config->policy, &free_, FALSE, TRUE, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_POLICY);
  g_assert_true(said(error->message, "not signed|sign = always|signet.conf:2"));
  g_clear_error(&error);
  g_assert_false(ml_policy_allows(config->policy, &facts, TRUE, FALSE, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_POLICY);
  g_assert_true(said(error->message, "not encrypted|rule p|signet.conf:5|x@p.example"));
}

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void
value(const MlConfig *config, MlPolicyKey key, const char *want, const char *where, const char *overruled)
{
  const MlPolicyValue *got = &config->policy->values[key];
  g_assert_cmpstr(got->value, ==, want);
  g_assert_true(said(got->where, where));
  g_assert_cmpint(got->overruled != NULL, ==, overruled != NULL);
  if (overruled)
    g_assert_true(said(got->overruled, overruled));
}

static void
test_merge(void)
{
  g_autoptr(MlConfig) config =
      good("[account x]\nmbox = m\n[policy]\nsign = free\nencrypt = free\nrevocation = off\nmin-digest = sha512\n"
           "min-cipher = aes-128-gcm\nmin-rsa = 2048\narchive-cert = " B "\ntrust = " B "," C "\n"
           "[rule one]\nsubject = x\nsign = demand\n",
           "[policy]\nlocked = sign, revocation, min-digest, min-cipher, archive-cert, trust, min-rsa\nsign = always\n"
           "encrypt = always\nrevocation = hard\nmin-digest = sha384\nmin-cipher = aes-256-cbc\nmin-rsa = 3072\n"
           "archive-cert = AA:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
           "trust = " A "," B "\n[rule one]\nsubject = y\nencrypt = demand\n");
  value(config, ML_POLICY_SIGN, "always", "policy.conf:3", "signet.conf:4");
  value(config, ML_POLICY_ENCRYPT, "free", "signet.conf:5", NULL); /* not locked */
  value(config, ML_POLICY_REVOCATION, "hard", "policy.conf:5", "signet.conf:6");
  g_assert_cmpstr(config->revocation, ==, "hard");
  value(config, ML_POLICY_MIN_DIGEST, "sha512", "signet.conf:7", NULL); /* stronger */
  value(config, ML_POLICY_MIN_CIPHER, "aes-256-gcm", "policy.conf:7", "signet.conf:8");
  value(config, ML_POLICY_MIN_RSA, "3072", "policy.conf:8", "signet.conf:9");
  value(config, ML_POLICY_ARCHIVE_CERT, A, "policy.conf:9", "signet.conf:10");
  g_assert_cmpstr(ml_config_account(config, "x")->policy_archive, ==, A);
  value(config, ML_POLICY_TRUST, B, "policy.conf:10", "signet.conf:11");
  expect(config, "a@b.example", "c@d.example", "x y", "se"); /* both rules hold, whatever their names */
}

/* What is asked of the network, and where an unknown certificate may lead. */
static void
test_merge_network(void)
{
  g_autoptr(MlConfig) config =
      good("[account x]\nmbox = m\n[policy]\nonline = ocsp\ninternal-hosts = a.example  PKI.example\n"
           "trust = " A "\ntrust = " B "\n",
           "[policy]\nonline = crl\ninternal-hosts = z.example\n");
  value(config, ML_POLICY_ONLINE, "ocsp", "signet.conf:4", NULL);
  value(config, ML_POLICY_INTERNAL_HOSTS, "a.example,pki.example", "signet.conf:5", NULL);
  value(config, ML_POLICY_TRUST, A "," B, "signet.conf:6", NULL); /* lines add up */
  g_assert_cmpstr(config->online, ==, "ocsp");
  g_assert_cmpstr(config->internal_hosts, ==, "a.example,pki.example");
  g_autoptr(MlConfig) locked =
      good("[account x]\nmbox = m\n[policy]\nonline = off\ninternal-hosts = b.example\ninternal-hosts = c.example\n",
           "[policy]\nlocked = online, internal-hosts\nonline = crl\ninternal-hosts = a.example, b.example\n");
  value(locked, ML_POLICY_ONLINE, "crl", "policy.conf:3", "signet.conf:4");
  value(locked, ML_POLICY_INTERNAL_HOSTS, "b.example", "policy.conf:4", "signet.conf:5");
  g_autoptr(MlConfig) silent = good("[account x]\nmbox = m\n", NULL);
  g_assert_cmpstr(silent->online, ==, "crl"); /* lists in the background, nobody's certificate named to anybody */
  g_assert_null(silent->internal_hosts);
}

/* A locked key without a value locks what is built in. */
static void
test_locked_alone(void)
{
  g_autoptr(MlConfig) config =
      good("[account x]\nmbox = m\n[policy]\nrevocation = off\nonline = ocsp\ninternal-hosts = a.example\n"
           "min-rsa = 3072\n",
           "[policy]\nlocked = revocation, online, internal-hosts, min-rsa\n");
  value(config, ML_POLICY_REVOCATION, "soft", "policy.conf:2", "signet.conf:4");
  value(config, ML_POLICY_ONLINE, "crl", "policy.conf:2", "signet.conf:5");
  value(config, ML_POLICY_INTERNAL_HOSTS, "", "policy.conf:2", "signet.conf:6");
  value(config, ML_POLICY_MIN_RSA, "3072", "signet.conf:7", NULL);
  g_assert_cmpstr(config->revocation, ==, "soft");
  g_autoptr(MlConfig) stronger = good("[account x]\nmbox = m\n[policy]\nrevocation = hard\n", "[policy]\nlocked = revocation\n");
  value(stronger, ML_POLICY_REVOCATION, "hard", "signet.conf:4", NULL);
}

/* What encrypted mail says is kept for the search where the account says so, unless policy forbids it. */
static void
test_index(void)
{
  static const char account[] = "[account x]\nmbox = m\nindex-encrypted = yes\n";
  static const struct {
    const char *user, *above;
    gboolean kept;
  } cases[] = {
    { "", NULL, TRUE },
    { "[policy]\nindex-encrypted = forbid\n", NULL, FALSE },
    { "", "[policy]\nindex-encrypted = forbid\n", FALSE },
    { "[policy]\nindex-encrypted = allow\n", "[policy]\nindex-encrypted = forbid\n", TRUE },
    { "[policy]\nindex-encrypted = allow\n", "[policy]\nlocked = index-encrypted\nindex-encrypted = forbid\n", FALSE },
    { "[policy]\nindex-encrypted = forbid\n", "[policy]\nlocked = index-encrypted\nindex-encrypted = allow\n", FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *text = g_strconcat(account, cases[i].user, NULL);
    g_autoptr(MlConfig) config = good(text, cases[i].above);
    g_assert_cmpint(ml_config_account(config, "x")->index_encrypted, ==, cases[i].kept);
  }
  g_autoptr(MlConfig) silent = good("[account x]\nmbox = m\n", NULL);
  g_assert_false(ml_config_account(silent, "x")->index_encrypted);
}

static void
test_broken(void)
{
  static const struct {
    const char *text, *words;
  } cases[] = {
    { "[policy]\nsing = always\n", "policy.conf:2: |did you mean" },
    { "[policy]\nlocked = sing\n", "policy.conf:2: |did you mean \"sign\"" },
    { "[account x]\nmbox = y\n", "policy.conf:1: |no [account x]" },
    { "[ui]\nascii = yes\n", "policy.conf:1: " },
    { "[policy]\n\xff\n", "policy.conf|UTF-8" },
    { "nonsense\n", "policy.conf:1: " },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlConfig) config = load("[account x]\nmbox = m\n", cases[i].text, &error);
    g_assert_no_error(error); /* reading goes on */
    g_assert_true(said(config->policy->broken, cases[i].words));
    const MlPolicyFacts facts = { NULL, NULL, NULL };
    g_assert_false(ml_policy_allows(config->policy, &facts, TRUE, TRUE, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_CONFIG);
    g_assert_true(said(error->message, cases[i].words));
  }
}

static void
test_algorithms(void)
{
  g_autoptr(MlConfig) config = good("[policy]\nmin-digest = sha384\nmin-cipher = aes-256-gcm\nmin-rsa = 3072\n"
                                    "min-ec = 384\n",
                                    NULL);
  const MlPolicy *policy = config->policy;
  g_autoptr(GError) error = NULL;
  g_assert_cmpstr(ml_policy_digest(policy, "sha256", FALSE, NULL), ==, "sha384");
  g_assert_cmpstr(ml_policy_digest(policy, "sha512", TRUE, NULL), ==, "sha512");
  g_assert_null(ml_policy_digest(policy, "sha256", TRUE, &error));
  g_assert_true(said(error->message, "sha256|min-digest = sha384|signet.conf:2"));
  g_clear_error(&error);
  g_assert_cmpstr(ml_policy_cipher(policy, "aes-256-cbc", FALSE, NULL), ==, "aes-256-gcm");
  g_assert_cmpstr(ml_policy_cipher(policy, "aes-128-gcm", FALSE, NULL), ==, "aes-256-gcm");
  g_assert_null(ml_policy_cipher(policy, "aes-128-gcm", TRUE, &error));
  g_clear_error(&error);
  g_assert_true(ml_policy_key(policy, "RSA 3072", "x", NULL));
  g_assert_false(ml_policy_key(policy, "RSA 2048", "bob", &error));
  g_assert_true(said(error->message, "bob|RSA 2048|min-rsa = 3072|signet.conf:4"));
  g_assert_false(ml_policy_key(policy, "RSA-PSS 2048", "bob", NULL));
  g_assert_true(ml_policy_key(policy, "EC P-384", "x", NULL));
  g_assert_true(ml_policy_key(policy, "EC P-521", "x", NULL));
  g_assert_false(ml_policy_key(policy, "EC P-256", "x", NULL));
  g_assert_cmpstr(ml_policy_digest(NULL, "sha256", TRUE, NULL), ==, "sha256");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  dir = g_dir_make_tmp("signet-policy-XXXXXX", NULL);
  g_test_add_func("/policy/refused", test_refused);
  g_test_add_func("/policy/rules", test_rules);
  g_test_add_func("/policy/allows", test_allows);
  g_test_add_func("/policy/merge", test_merge);
  g_test_add_func("/policy/merge-network", test_merge_network);
  g_test_add_func("/policy/locked-alone", test_locked_alone);
  g_test_add_func("/policy/index", test_index);
  g_test_add_func("/policy/broken", test_broken);
  g_test_add_func("/policy/algorithms", test_algorithms);
  int code = g_test_run();
  g_assert_cmpint(g_rmdir(dir), ==, 0);
  g_free(dir);
  return code;
}
