/* The rules of the verdict, on plain facts. */
#include <string.h>

#include "mail/message-private.h"

enum { NOW = 1000000, BEGIN = 900000, END = 2000000 };

static const char *const anna[] = { "anna@example.org", "a.keller@example.org", NULL };
static const char *const bob[] = { "bob@example.org", NULL };
static const char *const nobody[] = { NULL };

typedef struct {
  MlFacts facts;
  MlSignerFacts signers[2];
  MlAuthors *authors;
} Case;

static MlAuthors *
authors_of(const char *from)
{
  g_autofree char *text = g_strdup_printf("%s\nX: y\n\n", from);
  g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
  g_autoptr(GError) error = NULL;
  g_autoptr(MlEntity) entity = ml_scan(bytes, TRUE, &error);
  g_assert_no_error(error);
  return ml_protect_authors(entity);
}

static void
set_up(Case *c, const char *from)
{
  memset(c, 0, sizeof *c);
  c->authors = authors_of(from);
  c->facts = (MlFacts){
    .at = NOW, .signed_layer = TRUE, .signers = c->signers, .n_signers = 1, .authors = c->authors
  };
  for (guint i = 0; i < 2; i++)
    c->signers[i] = (MlSignerFacts){ .state = CRYPTO_SIGNATURE_INTACT,
                                     .has_cert = TRUE,
                                     .not_before = BEGIN,
                                     .not_after = END,
                                     .addresses = i ? bob : anna,
                                     .subject = "CN=x",
                                     .digest = "sha256",
                                     .has_time = TRUE,
                                     .signing_time = NOW - 10 };
}

static MlVerdict *
judge(Case *c)
{
  GPtrArray *words[2] = { g_ptr_array_new_with_free_func(g_free), g_ptr_array_new_with_free_func(g_free) };
  MlVerdict *verdict = ml_verdict_judge(&c->facts, words);
  g_ptr_array_unref(words[0]);
  g_ptr_array_unref(words[1]);
  ml_authors_free(c->authors);
  g_assert_nonnull(verdict->reason);
  g_assert_cmpuint(strlen(verdict->reason), >, 0);
  return verdict;
}

/* Judges and compares everything that scripts see. */
static void
expect(Case *c, MlSignature signature, MlIndicator indicator, int code, const char *words)
{
  MlVerdict *verdict = judge(c);
  g_autofree char *got = g_strjoinv(" ", verdict->trust_errors);
  g_assert_cmpstr(ml_signature_word(verdict->signature), ==, ml_signature_word(signature));
  g_assert_cmpstr(ml_indicator_word(verdict->indicator), ==, ml_indicator_word(indicator));
  g_assert_cmpint(ml_verdict_exit_code(verdict), ==, code);
  g_assert_cmpstr(got, ==, words);
  ml_verdict_free(verdict);
}

static void
test_good(void)
{
  Case c;
  set_up(&c, "From: Anna <Anna@Example.org>");
  expect(&c, ML_SIGNATURE_VALID, ML_INDICATOR_GOOD, 0, "");
  set_up(&c, "From: a.keller@example.org"); /* any address of the certificate */
  expect(&c, ML_SIGNATURE_VALID, ML_INDICATOR_GOOD, 0, "");
}

static void
test_sender(void)
{
  static const char *const others[] = {
    "From: Mallory <mallory@example.net>",
    "From: \"anna@example.org\" <mallory@example.net>",
    "From: Anna",
    "From:",
    "Sender: anna@example.org",
    "From: anna@example.org, bob@example.org",
    "From: Team: anna@example.org;",
    "From: anna@example.org\nFrom: anna@example.org",
    "From: anna@example.org\nFrom:", /* the second names nobody, but is there */
    "From: anna@example.org (open",
    "From: аnna@example.org",
    "From: anna+x@example.org",
    "From: \"bob@example.org\" <anna@example.org>",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
    Case c;
    set_up(&c, others[i]);
    g_test_message("%s", others[i]);
    expect(&c, ML_SIGNATURE_VALID, ML_INDICATOR_WARN, 3, "");
  }
}

static void
test_states(void)
{
  static const struct {
    CryptoSignatureState state;
    MlSignature signature;
    MlIndicator indicator;
    int code;
    const char *words;
  } cases[] = {
    { CRYPTO_SIGNATURE_ALTERED, ML_SIGNATURE_INVALID, ML_INDICATOR_BAD, 1, "" },
    { CRYPTO_SIGNATURE_FORGED, ML_SIGNATURE_INVALID, ML_INDICATOR_BAD, 1, "" },
    { CRYPTO_SIGNATURE_NO_CERT, ML_SIGNATURE_UNVERIFIABLE, ML_INDICATOR_WARN, 7,
      "signer-certificate-missing" },
    { CRYPTO_SIGNATURE_UNSUPPORTED, ML_SIGNATURE_UNVERIFIABLE, ML_INDICATOR_WARN, 7, "" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
    for (guint second = 0; second < 2; second++) { /* worst wins, whichever signer it is */
      Case c;
      set_up(&c, "From: anna@example.org");
      c.facts.n_signers = 1 + second;
      c.signers[second].state = cases[i].state;
      if (cases[i].state == CRYPTO_SIGNATURE_NO_CERT) {
        c.signers[second].has_cert = FALSE;
        c.signers[second].addresses = nobody;
      }
      expect(&c, cases[i].signature, cases[i].indicator, cases[i].code, cases[i].words);
    }
}

static void
test_two_signers(void)
{
  Case c;
  set_up(&c, "From: bob@example.org");
  c.facts.n_signers = 2;
  MlVerdict *verdict = judge(&c);
  g_assert_cmpstr(verdict->signer_address, ==, "bob@example.org");
  g_assert_cmpint(verdict->indicator, ==, ML_INDICATOR_GOOD);
  ml_verdict_free(verdict);
  set_up(&c, "From: bob@example.org");
  c.facts.n_signers = 2;
  c.signers[0].problems = CRYPTO_TRUST_UNKNOWN_ISSUER;
  expect(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_WARN, 4, "unknown-issuer");
  set_up(&c, "From: bob@example.org"); /* revoked beside one whose certificate is missing */
  c.facts.n_signers = 2;
  c.signers[0].problems = CRYPTO_TRUST_REVOKED;
  expect(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_BAD, 5, "revoked");
}

static void
test_time(void)
{
  Case c;
  const char *from = "From: anna@example.org";
  set_up(&c, from); /* expired since, by the sender's word only */
  c.facts.at = END + 100;
  c.signers[0].problems = CRYPTO_TRUST_EXPIRED;
  expect(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_WARN, 4, "expired-now");
  set_up(&c, from); /* somebody else saw it while the certificate was valid */
  c.facts.at = END + 100;
  c.signers[0].problems = CRYPTO_TRUST_EXPIRED | CRYPTO_TRUST_ISSUER_EXPIRED;
  c.signers[0].received_inside = TRUE;
  MlVerdict *verdict = judge(&c);
  g_assert_cmpint(verdict->indicator, ==, ML_INDICATOR_GOOD);
  g_assert_true(verdict->expired_since);
  ml_verdict_free(verdict);
  set_up(&c, from); /* signed after the end, whenever it came */
  c.facts.at = END + 100;
  c.signers[0].problems = CRYPTO_TRUST_EXPIRED;
  c.signers[0].received_inside = TRUE;
  c.signers[0].signing_time = END + 1;
  expect(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_WARN, 4, "expired-at-signing");
  set_up(&c, from);
  c.signers[0].signing_time = NOW + 3600;
  expect(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_WARN, 4, "signing-time-future");
  set_up(&c, from);
  c.signers[0].signing_time = BEGIN - 1;
  expect(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_WARN, 4, "signing-time-before-certificate");
  set_up(&c, from);
  c.signers[0].weak_digest = TRUE;
  expect(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_WARN, 4, "weak-algorithm");
}

static void
test_revocation(void)
{
  Case c;
  set_up(&c, "From: anna@example.org");
  c.signers[0].problems = CRYPTO_TRUST_REVOKED;
  expect(&c, ML_SIGNATURE_UNTRUSTED, ML_INDICATOR_BAD, 5, "revoked");
  set_up(&c, "From: anna@example.org"); /* demanded and not known: it cannot be decided */
  c.signers[0].problems = CRYPTO_TRUST_REVOCATION_UNKNOWN;
  MlVerdict *verdict = judge(&c);
  g_assert_cmpint(verdict->signature, ==, ML_SIGNATURE_UNVERIFIABLE);
  g_assert_cmpint(ml_verdict_exit_code(verdict), ==, 7);
  ml_verdict_free(verdict);
}

static void
test_layers(void)
{
  const char *from = "From: anna@example.org";
  g_autoptr(GError) broken = g_error_new_literal(CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED, "It is damaged.");
  Case c;
  set_up(&c, from);
  c.facts.broken = broken;
  c.facts.n_signers = 0;
  expect(&c, ML_SIGNATURE_INVALID, ML_INDICATOR_BAD, 1, "");
  set_up(&c, from); /* what is around a good signature does not verify */
  c.facts.outer_broken = "It was altered.";
  expect(&c, ML_SIGNATURE_INVALID, ML_INDICATOR_BAD, 1, "");
  set_up(&c, from);
  c.facts.signed_layer = FALSE;
  c.facts.n_signers = 0;
  expect(&c, ML_SIGNATURE_UNSIGNED, ML_INDICATOR_NONE, 6, "");
  set_up(&c, from);
  c.facts.signed_layer = FALSE;
  c.facts.n_signers = 0;
  c.facts.errant_signature = TRUE;
  expect(&c, ML_SIGNATURE_ERRANT, ML_INDICATOR_NONE, 6, "");
  set_up(&c, from); /* around the ciphertext alone */
  c.facts.signed_layer = FALSE;
  c.facts.n_signers = 0;
  c.facts.ciphertext_signature = c.facts.encrypted = TRUE;
  c.facts.cipher = "aes-256-gcm";
  expect(&c, ML_SIGNATURE_ERRANT, ML_INDICATOR_NONE, 6, "");
}

static void
test_encryption(void)
{
  static const struct {
    CryptoError code;
    MlEncryption encryption;
    gboolean locked;
  } cases[] = {
    { CRYPTO_ERROR_NO_KEY, ML_ENCRYPTION_NO_KEY, FALSE },
    { CRYPTO_ERROR_LOCKED, ML_ENCRYPTION_REFUSED, TRUE },
    { CRYPTO_ERROR_PIN, ML_ENCRYPTION_REFUSED, TRUE },
    { CRYPTO_ERROR_MALFORMED, ML_ENCRYPTION_MALFORMED, FALSE },
    { CRYPTO_ERROR_FAILED, ML_ENCRYPTION_MALFORMED, FALSE },
    { CRYPTO_ERROR_UNSUPPORTED, ML_ENCRYPTION_UNSUPPORTED, FALSE },
    { CRYPTO_ERROR_REFUSED, ML_ENCRYPTION_REFUSED, FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = g_error_new_literal(CRYPTO_ERROR, (int)cases[i].code, "It cannot be opened.");
    Case c;
    set_up(&c, "From: anna@example.org");
    c.facts.signed_layer = FALSE;
    c.facts.n_signers = 0;
    c.facts.encrypted = TRUE;
    c.facts.cipher = "aes-256-cbc";
    c.facts.decrypt_error = error;
    MlVerdict *verdict = judge(&c);
    g_assert_cmpstr(ml_encryption_word(verdict->encryption), ==, ml_encryption_word(cases[i].encryption));
    g_assert_cmpint(verdict->locked, ==, cases[i].locked);
    g_assert_cmpint(verdict->indicator, ==, ML_INDICATOR_NONE);
    g_assert_cmpint(ml_verdict_exit_code(verdict), ==, 8);
    ml_verdict_free(verdict);
  }
}

/* How it was encrypted never changes what is said of the sender. */
static void
test_cipher_and_sender(void)
{
  Case c;
  set_up(&c, "From: anna@example.org");
  c.facts.encrypted = c.facts.legacy = TRUE;
  c.facts.cipher = "des-ede3-cbc";
  MlVerdict *verdict = judge(&c);
  g_assert_cmpint(verdict->encryption, ==, ML_ENCRYPTION_LEGACY);
  g_assert_cmpint(verdict->indicator, ==, ML_INDICATOR_GOOD);
  g_assert_cmpuint(verdict->warnings->len, ==, 1);
  g_assert_nonnull(strstr(verdict->warnings->pdata[0], "3DES"));
  ml_verdict_free(verdict);
}

/* --- the expected signer */

typedef struct {
  const char *name;
  MlSignature signature;
  MlEncryption encryption;
  guint messages, with_signature;
  const char *last_issuer;
  gboolean known_cert, known_issuer;
  const char *warning, *notice; /* a part of it; NULL: there is none */
} Expectation;

static const Expectation expectations[] = {
  { "41-of-41", ML_SIGNATURE_UNSIGNED, 0, 41, 41, NULL, FALSE, FALSE,
    "anna@example.org has signed 41 of 41 messages; this one is not signed.", NULL },
  { "as-a-whole", ML_SIGNATURE_ERRANT, 0, 3, 3, NULL, FALSE, FALSE, "not signed as a whole.", NULL },
  { "no-habit-yet", ML_SIGNATURE_UNSIGNED, 0, 2, 2, NULL, FALSE, FALSE, NULL, NULL },
  { "forgeries-do-not-silence-it", ML_SIGNATURE_UNSIGNED, 0, 12, 6, NULL, FALSE, FALSE, "has signed 6 of 12",
    NULL },
  { "no-habit-any-more", ML_SIGNATURE_UNSIGNED, 0, 14, 6, NULL, FALSE, FALSE, NULL, NULL },
  { "nobody-knows-what-is-inside", ML_SIGNATURE_UNSIGNED, ML_ENCRYPTION_NO_KEY, 41, 41, NULL, FALSE, FALSE,
    NULL, NULL },
  { "decrypted-and-unsigned", ML_SIGNATURE_UNSIGNED, ML_ENCRYPTION_DECRYPTED, 41, 41, NULL, FALSE, FALSE,
    "is not signed", NULL },
  { "known", ML_SIGNATURE_VALID, 0, 5, 5, "CN=Lab Mail CA", TRUE, TRUE, NULL, NULL },
  { "first", ML_SIGNATURE_VALID, 0, 5, 0, NULL, FALSE, FALSE, NULL, NULL },
  { "new-certificate", ML_SIGNATURE_VALID, 0, 5, 5, "CN=Lab Mail CA,O=Lab", FALSE, TRUE, NULL,
    "of the same authority" },
  { "new-authority", ML_SIGNATURE_VALID, 0, 5, 5, "CN=Lab Mail CA,O=Lab", FALSE, FALSE, NULL,
    "authority: Other CA; until now it was Lab Mail CA." },
  { "untrusted-newcomer", ML_SIGNATURE_UNTRUSTED, 0, 5, 5, "CN=Lab Mail CA,O=Lab", FALSE, FALSE,
    "with a certificate of Lab Mail CA that was trusted", NULL },
};

static void
test_expectation(gconstpointer data)
{
  const Expectation *expected = data;
  MlVerdict verdict = { .signature = expected->signature,
                        .encryption = expected->encryption,
                        .signer_matches_from = ML_YES };
  verdict.warnings = g_ptr_array_new_with_free_func(g_free);
  verdict.notices = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *issuer = g_strdup(expected->last_issuer);
  const MlHistory history = { expected->messages,   expected->with_signature, NULL, issuer,
                              expected->known_cert, expected->known_issuer };
  ml_verdict_expect(&verdict, "anna@example.org", "CN=Other CA", &history);
  g_assert_cmpuint(verdict.warnings->len, ==, expected->warning ? 1 : 0);
  g_assert_cmpuint(verdict.notices->len, ==, expected->notice ? 1 : 0);
  if (expected->warning)
    g_assert_nonnull(strstr(verdict.warnings->pdata[0], expected->warning));
  if (expected->notice)
    g_assert_nonnull(strstr(verdict.notices->pdata[0], expected->notice));
  g_ptr_array_unref(verdict.warnings);
  g_ptr_array_unref(verdict.notices);
  g_free(verdict.next_step);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/verdict/good", test_good);
  g_test_add_func("/verdict/sender", test_sender);
  g_test_add_func("/verdict/states", test_states);
  g_test_add_func("/verdict/two-signers", test_two_signers);
  g_test_add_func("/verdict/time", test_time);
  g_test_add_func("/verdict/revocation", test_revocation);
  g_test_add_func("/verdict/layers", test_layers);
  g_test_add_func("/verdict/encryption", test_encryption);
  g_test_add_func("/verdict/cipher-and-sender", test_cipher_and_sender);
  for (gsize i = 0; i < G_N_ELEMENTS(expectations); i++) {
    g_autofree char *name = g_strconcat("/verdict/expected-signer/", expectations[i].name, NULL);
    g_test_add_data_func(name, &expectations[i], test_expectation);
  }
  return g_test_run();
}
