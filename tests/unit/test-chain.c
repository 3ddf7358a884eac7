/* Chains for mail: every rule by its word, the search for a path. Certificates by openssl. */
#include "tests/unit/chain-material.h"

enum { MANY_AUTHORITIES = 70 };

#define DEMAND "policyConstraints=critical,requireExplicitPolicy:0\n"

static const Make makes[] = {
  { "root", "-", .extensions = CA, .subject = "/CN=Root" },
  { "stranger", "-", .extensions = CA, .subject = "/CN=Stranger" },
  { "inter", "root", .extensions = CA },
  { "good", .extensions = MAIL },
  { "bare", .extensions = "subjectAltName=email:anna@example.org\n" },
  { "rsa", .extensions = "keyUsage=digitalSignature,keyEncipherment\n", .key = "rsa:2048" },
  { "pss-ca", "root", .extensions = CA, .key = "rsa-pss:2048" },
  { "pss", "pss-ca", .extensions = "keyUsage=digitalSignature\n", .key = "rsa-pss:2048" },
  { "pss-plain", "rsa-ca", .extensions = "keyUsage=digitalSignature\n", .key = "rsa:2048",
    .options = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32" },
  { "ku-encrypt", .extensions = "keyUsage=keyAgreement\n" },
  { "ku-repudiation", .extensions = "keyUsage=nonRepudiation\n" },
  { "eku-server", .extensions = MAIL_WITH("extendedKeyUsage=serverAuth\n") },
  { "eku-any", .extensions = MAIL_WITH("extendedKeyUsage=anyExtendedKeyUsage\n") },
  { "eku-ca", "root", .extensions = CA "extendedKeyUsage=serverAuth\n" },
  { "below-eku-ca", "eku-ca", .extensions = MAIL },
  { "eku-mail-ca", "root", .extensions = CA "extendedKeyUsage=clientAuth,emailProtection\n" },
  { "below-eku-mail-ca", "eku-mail-ca", .extensions = MAIL },
  { "short-ca", "root", .extensions = CA, .days = 20 },
  { "below-short-ca", "short-ca", .extensions = MAIL },
  { "leaf-as-ca", "good", .extensions = MAIL },
  { "no-sign-ca", "root", .extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n" },
  { "below-no-sign-ca", "no-sign-ca", .extensions = MAIL },
  { "narrow", "root",
    .extensions = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n" },
  { "below-narrow", "narrow", .extensions = MAIL },
  { "sub-narrow", "narrow", .extensions = CA },
  { "below-sub-narrow", "sub-narrow", .extensions = MAIL },
  { "critical", .extensions = MAIL_WITH("1.2.3.4.5=critical,ASN1:NULL\n") },
  { "not-critical", .extensions = MAIL_WITH("1.2.3.4.5=ASN1:NULL\n") },
  { "self", "-", .extensions = MAIL },
  { "below-stranger", "stranger", .extensions = MAIL },
  { "sha1", .extensions = MAIL, .options = "-sha1" },
  { "md5-ca", "rsa-ca", .extensions = CA, .key = "rsa:2048", .options = "-md5" },
  { "below-md5-ca", "md5-ca", .extensions = MAIL },
  { "short", .extensions = "keyUsage=digitalSignature\n", .key = "rsa:1024" },
  { "short-ec", .extensions = MAIL, .key = "ec -pkeyopt ec_paramgen_curve:P-224" },
  { "worst", .extensions = "extendedKeyUsage=serverAuth\n", .key = "rsa:1024", .options = "-sha1",
    .days = 10 },
  { "ed", .extensions = MAIL, .key = "ed25519" },
  { "dsa", .extensions = "keyUsage=digitalSignature\n", .key = "dsa:dsa.parameters" },
  /* policies: an authority demands one; 1.2.3.4 and 1.2.3.5 are two of them, 2.5.29.32.0 is any */
  { "p-ca", "root", .extensions = CA "certificatePolicies=1.2.3.4\n" DEMAND },
  { "p-good", "p-ca", .extensions = MAIL "certificatePolicies=1.2.3.4\n" },
  { "p-other", "p-ca", .extensions = MAIL "certificatePolicies=1.2.3.5\n" },
  { "p-none", "p-ca", .extensions = MAIL },
  { "p-any", "p-ca", .extensions = MAIL "certificatePolicies=2.5.29.32.0\n" },
  { "p-any-ca", "root",
    .extensions = CA "certificatePolicies=2.5.29.32.0\ninhibitAnyPolicy=critical,0\n" DEMAND },
  { "p-below-any", "p-any-ca", .extensions = MAIL "certificatePolicies=2.5.29.32.0\n" },
  { "p-named-below-any", "p-any-ca", .extensions = MAIL "certificatePolicies=1.2.3.5\n" },
  { "p-map-ca", "root",
    .extensions = CA "certificatePolicies=1.2.3.4\npolicyMappings=critical,1.2.3.4:1.2.3.5\n" DEMAND },
  { "p-mapped", "p-map-ca", .extensions = MAIL "certificatePolicies=1.2.3.5\n" },
  { "p-unmapped", "p-map-ca", .extensions = MAIL "certificatePolicies=1.2.3.4\n" },
  { "p-nomap-ca", "root",
    .extensions = CA "certificatePolicies=1.2.3.4\n"
                     "policyConstraints=critical,requireExplicitPolicy:0,inhibitPolicyMapping:0\n" },
  { "p-maps-anyway", "p-nomap-ca",
    .extensions = CA "certificatePolicies=1.2.3.4\npolicyMappings=1.2.3.4:1.2.3.5\n" },
  { "p-below-nomap", "p-maps-anyway", .extensions = MAIL "certificatePolicies=1.2.3.5\n" },
  { "p-mapany-ca", "root",
    .extensions = CA "certificatePolicies=1.2.3.4\npolicyMappings=2.5.29.32.0:1.2.3.5\n" },
  { "p-below-mapany", "p-mapany-ca", .extensions = MAIL },
  { "p-later-ca", "root",
    .extensions = CA "policyConstraints=critical,requireExplicitPolicy:1\ncertificatePolicies=1.2.3.4\n" },
  { "p-later", "p-later-ca", .extensions = MAIL },
  { "p-later-sub", "p-later-ca", .extensions = CA "certificatePolicies=1.2.3.4\n" },
  { "p-much-later", "p-later-sub", .extensions = MAIL },
  { "p-free-ca", "root", .extensions = CA "certificatePolicies=1.2.3.4\n" },
  { "p-free", "p-free-ca", .extensions = MAIL "certificatePolicies=1.2.3.5\n" },
  { "p-self", .extensions = MAIL "policyConstraints=critical,requireExplicitPolicy:0\n" },
  { "p-broken-ca", "root", .extensions = CA "2.5.29.36=critical,ASN1:NULL\n" },
  { "p-below-broken", "p-broken-ca", .extensions = MAIL },
  /* one authority, two certificates: by the root and by the stranger */
  { "cross-good", "root", .extensions = CA, .subject = "/CN=Cross" },
  { "cross-bad", "stranger", .extensions = CA, .key = "=cross-good", .subject = "/CN=Cross" },
  { "below-cross", "cross-good", .extensions = MAIL },
  /* one name, two keys */
  { "twin", "root", .extensions = CA, .subject = "/CN=inter" },
  { "below-twin", "twin", .extensions = MAIL },
  /* a name that only a liar uses for it */
  { "liar", "stranger", .extensions = CA, .subject = "/CN=inter" },
  { "below-liar", "liar", .extensions = MAIL },
  /* two that vouch for each other */
  { "loop-a", "-", .extensions = CA, .subject = "/CN=Loop A" },
  { "loop-b", "loop-a", .extensions = CA, .subject = "/CN=Loop B" },
  { "loop-a2", "loop-b", .extensions = CA, .key = "=loop-a", .subject = "/CN=Loop A" },
  { "below-loop", "loop-a", .extensions = MAIL },
};

typedef struct {
  const char *name, *extra;
  CryptoUse use;
  int day;           /* from now */
  const char *words; /* expected */
} Case;

static const Case cases[] = {
  { "good", "inter", CRYPTO_USE_SIGN, 0, "" },
  { "good", "", CRYPTO_USE_SIGN, 0, "unknown-issuer" },
  { "good", "inter root stranger good", CRYPTO_USE_SIGN, 0, "" },
  { "good", "inter", CRYPTO_USE_ENCRYPT, 0, "" },
  { "good", "inter", CRYPTO_USE_SIGN, 101, "expired-now issuer-expired" },
  { "good", "inter", CRYPTO_USE_SIGN, -1, "not-yet-valid issuer-expired" },
  { "bare", "inter", CRYPTO_USE_SIGN, 0, "" },
  { "bare", "inter", CRYPTO_USE_ENCRYPT, 0, "" },
  { "rsa", "inter", CRYPTO_USE_SIGN, 0, "" },
  { "rsa", "inter", CRYPTO_USE_ENCRYPT, 0, "" },
  { "pss", "pss-ca", CRYPTO_USE_SIGN, 0, "" },
  { "pss", "pss-ca", CRYPTO_USE_ENCRYPT, 0, "key-usage" },
  { "pss-plain", "rsa-ca", CRYPTO_USE_SIGN, 0, "" },
  { "inter", "", CRYPTO_USE_AUTHORITY, 0, "" },
  { "root", "", CRYPTO_USE_AUTHORITY, 0, "" },
  { "good", "inter", CRYPTO_USE_AUTHORITY, 0, "issuer-not-ca" },
  { "ku-encrypt", "inter", CRYPTO_USE_SIGN, 0, "key-usage" },
  { "ku-encrypt", "inter", CRYPTO_USE_ENCRYPT, 0, "" },
  { "ku-repudiation", "inter", CRYPTO_USE_SIGN, 0, "" },
  { "ku-repudiation", "inter", CRYPTO_USE_ENCRYPT, 0, "key-usage" },
  { "eku-server", "inter", CRYPTO_USE_SIGN, 0, "extended-key-usage" },
  { "eku-any", "inter", CRYPTO_USE_SIGN, 0, "" },
  { "below-eku-ca", "eku-ca", CRYPTO_USE_SIGN, 0, "extended-key-usage" },
  { "below-eku-mail-ca", "eku-mail-ca", CRYPTO_USE_SIGN, 0, "" },
  { "below-short-ca", "short-ca", CRYPTO_USE_SIGN, 0, "" },
  { "below-short-ca", "short-ca", CRYPTO_USE_SIGN, 30, "issuer-expired" },
  { "leaf-as-ca", "good inter", CRYPTO_USE_SIGN, 0, "issuer-not-ca" },
  { "below-no-sign-ca", "no-sign-ca", CRYPTO_USE_SIGN, 0, "issuer-not-ca" },
  { "below-narrow", "narrow", CRYPTO_USE_SIGN, 0, "" },
  { "below-sub-narrow", "sub-narrow narrow", CRYPTO_USE_SIGN, 0, "path-length" },
  { "sub-narrow", "narrow", CRYPTO_USE_AUTHORITY, 0, "path-length" },
  { "critical", "inter", CRYPTO_USE_SIGN, 0, "unknown-critical-extension" },
  { "not-critical", "inter", CRYPTO_USE_SIGN, 0, "" },
  { "self", "", CRYPTO_USE_SIGN, 0, "self-signed" },
  { "below-stranger", "stranger", CRYPTO_USE_SIGN, 0, "self-signed unknown-issuer" },
  { "below-stranger", "", CRYPTO_USE_SIGN, 0, "unknown-issuer" },
  { "sha1", "inter", CRYPTO_USE_SIGN, 0, "weak-algorithm" },
  { "below-md5-ca", "md5-ca rsa-ca", CRYPTO_USE_SIGN, 0, "weak-algorithm" },
  { "short", "inter", CRYPTO_USE_SIGN, 0, "weak-key" },
  { "short-ec", "inter", CRYPTO_USE_SIGN, 0, "weak-key" },
  { "worst", "inter", CRYPTO_USE_SIGN, 20, "expired-now extended-key-usage weak-algorithm weak-key" },
  { "ed", "inter", CRYPTO_USE_SIGN, 0, "other" },
  { "dsa", "inter", CRYPTO_USE_SIGN, 0, "weak-algorithm" },
  { "p-good", "p-ca", CRYPTO_USE_SIGN, 0, "" },
  { "p-other", "p-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-none", "p-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-any", "p-ca", CRYPTO_USE_SIGN, 0, "" },
  { "p-below-any", "p-any-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-named-below-any", "p-any-ca", CRYPTO_USE_SIGN, 0, "" },
  { "p-mapped", "p-map-ca", CRYPTO_USE_SIGN, 0, "" },
  { "p-unmapped", "p-map-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-below-nomap", "p-maps-anyway p-nomap-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-below-mapany", "p-mapany-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-later", "p-later-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-much-later", "p-later-sub p-later-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-free", "p-free-ca", CRYPTO_USE_SIGN, 0, "" },
  { "p-self", "inter", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-below-broken", "p-broken-ca", CRYPTO_USE_SIGN, 0, "policy" },
  { "p-good", "p-ca", CRYPTO_USE_ENCRYPT, 0, "" },
  { "p-ca", "", CRYPTO_USE_AUTHORITY, 0, "" },
  { "below-cross", "cross-good cross-bad stranger", CRYPTO_USE_SIGN, 0, "" },
  { "below-cross", "stranger cross-bad cross-good", CRYPTO_USE_SIGN, 0, "" },
  { "below-cross", "stranger cross-bad", CRYPTO_USE_SIGN, 0, "self-signed unknown-issuer" },
  { "below-twin", "inter twin liar stranger", CRYPTO_USE_SIGN, 0, "" },
  { "good", "liar twin inter stranger", CRYPTO_USE_SIGN, 0, "" },
  { "below-liar", "inter twin", CRYPTO_USE_SIGN, 0, "unknown-issuer" },
  { "below-liar", "inter twin liar stranger", CRYPTO_USE_SIGN, 0, "self-signed unknown-issuer" },
  { "below-loop", "loop-a2 loop-b", CRYPTO_USE_SIGN, 0, "unknown-issuer" },
  { "below-loop", "loop-a loop-b loop-a2", CRYPTO_USE_SIGN, 0, "unknown-issuer" },
};

static void
check_words(CryptoCert *leaf, GPtrArray *extra, const Case *expected)
{
  g_autoptr(CryptoChain) chain = crypto_chain_check(leaf, expected->use, now + (gint64)expected->day * DAY,
                                                    CRYPTO_REVOCATION_OFF, extra);
  g_autofree char *words = words_of(chain->problems);
  g_test_message("%s", chain->sentence ? chain->sentence : "trusted");
  g_assert_cmpstr(words, ==, expected->words);
  g_assert_true((chain->sentence == NULL) == (chain->problems == 0));
  g_assert_cmpuint(chain->certs->len, >=, 1);
  g_assert_cmpuint(chain->certs->len, ==, chain->cert_problems->len);
  g_assert_cmpstr(crypto_cert_sha256(chain->certs->pdata[0]), ==, crypto_cert_sha256(leaf));
  g_assert_cmpint(chain->revocation, ==, CRYPTO_REVOCATION_NOT_CHECKED);
  guint all = 0;
  for (guint i = 0; i < chain->cert_problems->len; i++)
    all |= GPOINTER_TO_UINT(chain->cert_problems->pdata[i]);
  g_assert_cmpuint(all, ==, chain->problems);
  if (!chain->problems) {
    CryptoCert *top = chain->certs->pdata[chain->certs->len - 1];
    g_assert_cmpstr(crypto_cert_common_name(top), ==, "Root");
  }
}

static void
test_case(gconstpointer data)
{
  const Case *expected = data;
  begin();
  CryptoCert *leaf = cert(expected->name);
  GPtrArray *extra = certs(expected->extra);
  check_words(leaf, extra, expected);
  check_words(leaf, extra, expected); /* from what is kept now */
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
  end();
}

/* The same through candidates of the session, and nothing of one session is left in the next. */
/* In one run, whatever was judged before: what one mail brought or a good verdict that is remembered decides
 * nothing about another. */
static void
test_in_a_row(void)
{
  begin();
  for (guint pass = 0; pass < 3; pass++)
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
      const Case *one = &cases[pass == 1 ? G_N_ELEMENTS(cases) - 1 - i : i];
      CryptoCert *leaf = cert(one->name);
      g_autoptr(GPtrArray) extra = certs(one->extra);
      g_test_message("pass %u: %s with \"%s\", day %d", pass, one->name, one->extra, one->day);
      check_words(leaf, extra, one);
      crypto_cert_unref(leaf);
    }
  end();
}

static void
test_session(void)
{
  const Case good = { "good", "", CRYPTO_USE_SIGN, 0, "" },
             lost = { "good", "", CRYPTO_USE_SIGN, 0, "unknown-issuer" };
  for (int round = 0; round < 2; round++) {
    begin();
    CryptoCert *leaf = cert("good");
    check_words(leaf, NULL, &lost);
    crypto_cert_unref(leaf);
    end();
    begin();
    g_autoptr(GBytes) inter = get("inter.pem");
    g_assert_true(crypto_session_add_certs(inter, NULL));
    leaf = cert("good");
    check_words(leaf, NULL, &good);
    crypto_cert_unref(leaf);
    end();
  }
}

/* --- name constraints --- */

typedef struct {
  const char *constraints, *names; /* openssl's */
  gboolean allowed;
} Names;

#define UTF8(mailbox) "@names\n[names]\notherName=1.3.6.1.5.5.7.8.9;FORMAT:UTF8,UTF8:" mailbox

static const Names names[] = {
  { "permitted;email:example.org", "email:anna@example.org", TRUE },
  { "permitted;email:example.org", "email:Anna@EXAMPLE.org", TRUE },
  { "permitted;email:example.org", "email:anna@sub.example.org", FALSE },
  { "permitted;email:example.org", "email:anna@badexample.org", FALSE },
  { "permitted;email:.example.org", "email:anna@sub.example.org", TRUE },
  { "permitted;email:.example.org", "email:anna@example.org", FALSE },
  { "permitted;email:anna@example.org", "email:anna@example.org", TRUE },
  { "permitted;email:anna@example.org", "email:otto@example.org", FALSE },
  { "permitted;email:example.org", "email:anna@example.org,email:anna@other.example", FALSE },
  { "excluded;email:example.org", "email:anna@example.org", FALSE },
  { "excluded;email:example.org", "email:anna@other.example", TRUE },
  { "excluded;email:.example.org", "email:anna@a.b.example.org", FALSE },
  { "permitted;email:example.org,excluded;email:otto@example.org", "email:otto@example.org", FALSE },
  { "permitted;email:example.org,excluded;email:otto@example.org", "email:anna@example.org", TRUE },
  { "permitted;email:example.org", "otherName:1.3.6.1.5.5.7.8.9;UTF8:anna@example.org", TRUE },
  { "permitted;email:example.org", "otherName:1.3.6.1.5.5.7.8.9;UTF8:anna@other.example", FALSE },
  /* IDN and SmtpUTF8Mailbox (RFC 9598): compared by A-labels, whichever way the name is written */
  { "permitted;email:xn--bcher-kva.example",
    UTF8("m\xc3\xbcller@b\xc3\xbc"
         "cher.example"),
    TRUE },
  { "permitted;email:xn--bcher-kva.example", UTF8("m\xc3\xbcller@bucher.example"), FALSE },
  { "permitted;email:.xn--bcher-kva.example",
    UTF8("m\xc3\xbcller@post.b\xc3\xbc"
         "cher.example"),
    TRUE },
  { "excluded;email:xn--bcher-kva.example",
    UTF8("m\xc3\xbcller@b\xc3\xbc"
         "cher.example"),
    FALSE },
  { "permitted;email:xn--bcher-kva.example", "email:anna@xn--bcher-kva.example", TRUE },
  { "permitted;email:xn--bcher-kva.example", "email:anna@xn--nothing-kva.example", FALSE },
  { "permitted;email:example.org", "email:anna@example.org,DNS:www.other.example", TRUE },
  { "permitted;email:example.org,permitted;DNS:example.org", "email:anna@example.org,DNS:other.example",
    FALSE },
  /* a rule for hosts says nothing of mailboxes, nor the other way round */
  { "permitted;DNS:example.org", "email:anna@other.example", TRUE },
  { "excluded;DNS:example.org", "email:anna@example.org", TRUE },
  { "permitted;email:example.org", "email:anna@example.org@other.example", FALSE },
  { "permitted;email:example.org", "DNS:www.other.example", TRUE },
  { "permitted;DNS:example.org", "DNS:www.other.example", FALSE },
  { "permitted;IP:10.0.0.0/255.0.0.0", "IP:192.0.2.1", FALSE },
};

static void
test_names(gconstpointer data)
{
  const Names *rule = data;
  g_autofree char *ca = g_strdup_printf(CA "nameConstraints=critical,%s\n", rule->constraints);
  g_autofree char *leaf_text = g_strdup_printf("keyUsage=digitalSignature\nsubjectAltName=%s\n", rule->names);
  make_one(&(Make){ .name = "names-ca", .issuer = "root", .extensions = ca });
  make_one(&(Make){ .name = "names-leaf", .issuer = "names-ca", .extensions = leaf_text });
  begin();
  CryptoCert *leaf = cert("names-leaf");
  GPtrArray *extra = certs("names-ca");
  Case expected = { "", "", CRYPTO_USE_SIGN, 0, rule->allowed ? "" : "name-constraint" };
  check_words(leaf, extra, &expected);
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
  end();
}

/* An address slipped into the subject, where no rfc822Name stands. */
static void
test_names_in_subject(void)
{
  make_one(&(Make){ .name = "names-ca",
                    .issuer = "root",
                    .extensions = CA "nameConstraints=permitted;email:example.org\n" });
  make_one(&(Make){ .name = "names-leaf",
                    .issuer = "names-ca",
                    .extensions = "keyUsage=digitalSignature\n",
                    .subject = "/CN=A/emailAddress=boss@other.example" });
  begin();
  CryptoCert *leaf = cert("names-leaf");
  GPtrArray *extra = certs("names-ca");
  Case expected = { "", "", CRYPTO_USE_SIGN, 0, "name-constraint" };
  check_words(leaf, extra, &expected);
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
  end();
}

/* The signature's algorithm stands in the signed part and again behind it: both must say the same. */
static void
test_two_algorithms(void)
{
  begin();
  make_one(&(Make){ .name = "two", .issuer = "rsa-ca", .extensions = MAIL });
  g_autoptr(CryptoCert) two = cert("two");
  gsize length;
  const guint8 *der = g_bytes_get_data(crypto_cert_der(two), &length);
  g_autofree guint8 *copy = g_memdup2(der, length);
  static const guint8 sha256_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b };
  guint8 *inner = memmem(copy, length, sha256_rsa, sizeof sha256_rsa);
  guint8 *outer = memmem(inner + 1, length - (gsize)(inner + 1 - copy), sha256_rsa, sizeof sha256_rsa);
  g_assert_nonnull(outer);
  outer[8] = 0x01; /* rsaEncryption: NSS would take the digest that the signature itself names */
  g_autoptr(CryptoCert) leaf = crypto_cert_new(copy, length, NULL);
  g_assert_nonnull(leaf);
  GPtrArray *extra = certs("rsa-ca");
  const Case same = { "", "", CRYPTO_USE_SIGN, 0, "" },
             differ = { "", "", CRYPTO_USE_SIGN, 0, "unknown-issuer" };
  check_words(two, extra, &same);
  check_words(leaf, extra, &differ);
  g_ptr_array_unref(extra);
  g_clear_pointer(&two, crypto_cert_unref);
  g_clear_pointer(&leaf, crypto_cert_unref);
  end();
}

/* --- long chains and floods --- */

static void
make_ladder(int rungs)
{
  for (int i = 0; i < rungs; i++) {
    g_autofree char *name = g_strdup_printf("rung-%d", i), *below = g_strdup_printf("rung-%d", i - 1);
    make_one(&(Make){ .name = name, .issuer = i ? below : "root", .extensions = CA });
  }
}

static void
test_depth(void)
{
  make_ladder(10);
  make_one(&(Make){ .name = "below-8", .issuer = "rung-7", .extensions = MAIL });
  make_one(&(Make){ .name = "below-10", .issuer = "rung-9", .extensions = MAIL });
  begin();
  GPtrArray *extra = certs("rung-0 rung-1 rung-2 rung-3 rung-4 rung-5 rung-6 rung-7 rung-8 rung-9");
  Case good = { "", "", CRYPTO_USE_SIGN, 0, "" }, deep = { "", "", CRYPTO_USE_SIGN, 0, "unknown-issuer" };
  CryptoCert *leaf = cert("below-8"); /* ten with leaf and root */
  check_words(leaf, extra, &good);
  crypto_cert_unref(leaf);
  leaf = cert("below-10");
  check_words(leaf, extra, &deep);
  crypto_cert_unref(leaf);
  g_ptr_array_unref(extra);
  end();
}

/* A mail brings many liars that all use the name and key identifier of an authority that is kept. */
static void
test_flood(void)
{
  begin();
  GPtrArray *extra = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  sh("openssl req -new -key liar.key -out flood.csr -subj /CN=inter");
  put("flood.ext", CA);
  for (int i = 0; i < MANY_AUTHORITIES; i++) {
    sh("openssl x509 -req -in flood.csr -CA stranger.pem -CAkey stranger.key -set_serial %d -extfile "
       "flood.ext -days 50 "
       "-out flood.pem",
       1000 + i);
    g_ptr_array_add(extra, cert("flood"));
  }
  g_autoptr(GBytes) inter = get("inter.pem");
  g_assert_true(crypto_session_add_certs(inter, NULL));
  CryptoCert *leaf = cert("good");
  Case good = { "", "", CRYPTO_USE_SIGN, 0, "" };
  check_words(leaf, extra, &good);
  crypto_cert_unref(leaf);
  leaf = cert("below-liar");
  gint64 start = g_get_monotonic_time();
  g_autoptr(CryptoChain) chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_OFF, extra);
  g_assert_cmpuint(chain->problems, !=, 0);
  g_assert_cmpint(g_get_monotonic_time() - start, <, 2 * G_USEC_PER_SEC);
  g_clear_pointer(&chain, crypto_chain_free);
  crypto_cert_unref(leaf);
  g_ptr_array_unref(extra);
  end();
}

/* --- the user's database --- */

static void
begin_database(const char *root_trust, const char *inter_trust)
{
  sh("rm -rf db");
  sh("mkdir db");
  sh("certutil -N -d sql:db --empty-password");
  sh("certutil -A -d sql:db -n root -t %s -i root.pem", root_trust);
  sh("certutil -A -d sql:db -n inter -t %s -i inter.pem", inter_trust);
}

static void
test_database_trust(void)
{
  static const struct {
    const char *root, *inter, *words;
  } trusts[] = {
    { ",C,", ",,", "" },
    { "C,,", ",,", "self-signed unknown-issuer" }, /* for servers only */
    { ",,", ",,", "self-signed unknown-issuer" },
    { ",,", ",C,", "" }, /* trusted below its root */
    { ",C,", ",p,", "distrusted" },
    { ",p,", ",,", "self-signed unknown-issuer distrusted" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(trusts); i++) {
    begin_database(trusts[i].root, trusts[i].inter);
    open_database();
    CryptoCert *leaf = cert("good");
    g_autoptr(CryptoChain) chain =
        crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, NULL);
    g_autofree char *words = words_of(chain->problems);
    g_assert_cmpstr(words, ==, trusts[i].words);
    g_clear_pointer(&chain, crypto_chain_free);
    crypto_cert_unref(leaf);
    end();
  }
}

/* A root that lies there untrusted is trusted for the run, and only for it. */
static void
test_database_and_session(void)
{
  begin_database(",,", ",,");
  for (int round = 0; round < 2; round++) {
    const Case before = { "", "", CRYPTO_USE_SIGN, 0, "self-signed unknown-issuer" },
               after = { "", "", CRYPTO_USE_SIGN, 0, "" };
    open_database();
    CryptoCert *leaf = cert("good");
    check_words(leaf, NULL, &before);
    g_autoptr(GBytes) root = get("root.pem");
    g_assert_true(crypto_session_add_roots(root, NULL));
    check_words(leaf, NULL, &after);
    crypto_cert_unref(leaf);
    end();
  }
}

static void
test_words(void)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint bit = CRYPTO_TRUST_EXPIRED; bit <= CRYPTO_TRUST_NOT_ALLOWED; bit <<= 1) {
    const char *word = crypto_trust_word(bit), *sentence = crypto_trust_words_sentence(bit);
    g_assert_cmpuint(strlen(word), >, 0);
    g_assert_true(g_str_has_suffix(sentence, "."));
    g_assert_nonnull(strstr(sentence, ". ")); /* what is wrong, and what to do */
    g_assert_true(g_hash_table_add(seen, (gpointer)word));
  }
  g_assert_cmpstr(crypto_trust_word(CRYPTO_TRUST_EXPIRED), ==, "expired-now");
}

/* Several threads: the index scrolls while a mail is opened. */
static gpointer
check_many(gpointer data)
{
  CryptoCert *leaf = cert("good");
  GPtrArray *extra = certs("inter liar");
  for (int i = 0; i < 200; i++) {
    g_autoptr(CryptoChain) chain =
        crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, extra);
    g_assert_cmpuint(chain->problems, ==, 0);
  }
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
  return NULL;
}

static void
test_threads(void)
{
  begin();
  GThread *threads[4];
  for (int i = 0; i < 4; i++)
    threads[i] = g_thread_new("check", check_many, NULL);
  for (int i = 0; i < 4; i++)
    g_thread_join(threads[i]);
  end();
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_autoptr(GError) error = NULL;
  folder = g_dir_make_tmp("signet-chain-XXXXXX", &error);
  g_assert_no_error(error);
  make_one(&makes[0]);
  make_one(&(Make){ .name = "rsa-ca", .issuer = "root", .extensions = CA, .key = "rsa:2048" });
  sh("openssl dsaparam -out dsa.parameters 2048");
  for (gsize i = 1; i < G_N_ELEMENTS(makes); i++)
    make_one(&makes[i]);
  now = g_get_real_time() / G_USEC_PER_SEC +
        3600; /* after all that is made below, however slow the machine is */
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *name = g_strdup_printf("/chain/rule/%02d-%s", (int)i, cases[i].name);
    g_test_add_data_func(name, &cases[i], test_case);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *name = g_strdup_printf("/chain/names/%02d", (int)i);
    g_test_add_data_func(name, &names[i], test_names);
  }
  g_test_add_func("/chain/in-a-row", test_in_a_row);
  g_test_add_func("/chain/session", test_session);
  g_test_add_func("/chain/names-in-subject", test_names_in_subject);
  g_test_add_func("/chain/two-algorithms", test_two_algorithms);
  g_test_add_func("/chain/depth", test_depth);
  g_test_add_func("/chain/flood", test_flood);
  g_test_add_func("/chain/database/trust", test_database_trust);
  g_test_add_func("/chain/database/session", test_database_and_session);
  g_test_add_func("/chain/words", test_words);
  g_test_add_func("/chain/threads", test_threads);
  int failed = g_test_run();
  sh("rm -rf %s", folder);
  return failed;
}
