/* OCSP answers, made octet by octet and signed by openssl: who is believed, of which certificate, and for how long. */
#include "crypto/ocsp-private.h"
#include "crypto/standing.h"
#include "tests/unit/chain-material.h"

#define OCSP "keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\n"

static const Make makes[] = {
  { "root", "-", .extensions = CA, .subject = "/CN=Root" },
  { "stranger", "-", .extensions = CA, .subject = "/CN=Stranger" },
  { "inter", "root", .extensions = CA },
  { "liar", "stranger", .extensions = CA, .subject = "/CN=inter" },
  { "good", .extensions = MAIL },
  { "other", .extensions = MAIL },
  { "responder", .extensions = OCSP },
  { "short", .extensions = OCSP, .days = 1 },
  { "withdrawn", .extensions = OCSP },
  { "plain", .extensions = "keyUsage=critical,digitalSignature\n" },
  { "any", .extensions = "keyUsage=critical,digitalSignature\nextendedKeyUsage=anyExtendedKeyUsage\n" },
  { "lied", "liar", .extensions = OCSP },
  { "uncle", "root", .extensions = OCSP }, /* named by the issuer's issuer */
  { "weak", .extensions = OCSP, .key = "rsa:1024" },
};

enum {
  BY_KEY = 1 << 0,   /* the responder is named by its key, not by its name */
  BARE = 1 << 1,     /* without the signer's certificate */
  SHA1 = 1 << 2,     /* what it is signed with */
  NONCE = 1 << 3,    /* ours comes back */
  NONCE_X = 1 << 4,  /* another's does */
  CRITICAL = 1 << 5, /* an extension that is not understood */
  SINGLE_CRITICAL = 1 << 6,
  SERIAL = 1 << 7, /* it speaks of another serial number, issuer, key, or by another hash */
  NAME = 1 << 8,
  KEY = 1 << 9,
  HASH = 1 << 10,
  TURNED = 1 << 11,   /* a bit of the signed part */
  TRAILING = 1 << 12, /* an octet more than there should be */
  AS_ISSUER = 1 << 13, /* says that it is the issuer */
};

static const guint8 nonce[CRYPTO_OCSP_NONCE] = "sixteen octets!";

/* --- writing one */

static void
put_gtime(GByteArray *out, gint64 seconds)
{
  g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(seconds);
  g_autofree char *text = g_date_time_format(when, "%Y%m%d%H%M%SZ");
  crypto_ber_put(out, CRYPTO_BER_GENERALIZED_TIME, text, strlen(text));
}

/* The CertID that our own question has. */
static CryptoBerItem
cert_id(GBytes *question)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(question, &length);
  CryptoBerReader reader = crypto_ber_reader(data, length);
  CryptoBerItem item;
  for (guint i = 0; i < 5; i++) { /* OCSPRequest, TBSRequest, requestList, Request, CertID */
    g_assert_true(crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &item));
    if (i < 4)
      reader = crypto_ber_enter(&item);
  }
  return item;
}

static void
put_id(GByteArray *out, const char *name, guint flags)
{
  g_autoptr(CryptoCert) about = cert(name), issuer = cert("inter");
  g_autoptr(GBytes) question = crypto_ocsp_request(about, issuer, nonce);
  CryptoBerItem id = cert_id(question), algorithm, field;
  guint start = out->len;
  g_byte_array_append(out, id.start, id.total);
  CryptoBerReader reader = crypto_ber_enter(&id);
  g_assert_true(crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &algorithm));
  if (flags & HASH)
    out->data[start + (guint)(algorithm.data - id.start) + 6] ^= 1; /* within the OID */
  const guint turn[] = { NAME, KEY, SERIAL };
  for (guint i = 0; i < G_N_ELEMENTS(turn); i++) {
    g_assert_true(crypto_ber_next(&reader, &field));
    if (flags & turn[i])
      out->data[start + (guint)(field.data - id.start) + field.length - 1] ^= 1;
  }
}

static void
put_extension(GByteArray *out, guint8 tag, const guint8 *oid, gsize length, gboolean critical, const guint8 *value)
{
  static const guint8 yes = 0xff;
  g_autoptr(GByteArray) extension = g_byte_array_new(), inner = g_byte_array_new();
  crypto_ber_put(inner, CRYPTO_BER_OCTET_STRING, value, CRYPTO_OCSP_NONCE);
  crypto_ber_put(extension, CRYPTO_BER_OID, oid, length);
  if (critical)
    crypto_ber_put(extension, CRYPTO_BER_BOOLEAN, &yes, 1);
  crypto_ber_put_array(extension, CRYPTO_BER_OCTET_STRING, inner);
  crypto_ber_wrap(extension, CRYPTO_BER_SEQUENCE);
  crypto_ber_wrap(extension, CRYPTO_BER_SEQUENCE);
  crypto_ber_put_array(out, tag, extension);
}

static const guint8 nonce_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };
static const guint8 strange_oid[] = { 0x2a, 0x03, 0x04 };

/* @letter: g, r or u of "good"; in capitals of "other". @this, @next: minutes from now; next 0: none. */
static void
put_single(GByteArray *out, char letter, int this, int next, guint flags)
{
  g_autoptr(GByteArray) single = g_byte_array_new(), when = g_byte_array_new();
  put_id(single, g_ascii_isupper(letter) ? "other" : "good", flags);
  put_gtime(when, now - 2 * DAY);
  if (g_ascii_tolower(letter) == 'r')
    crypto_ber_put_array(single, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, when);
  else
    crypto_ber_put(single, g_ascii_tolower(letter) == 'g' ? CRYPTO_BER_CONTEXT : CRYPTO_BER_CONTEXT + 2, "", 0);
  put_gtime(single, now + this * 60);
  if (next) {
    g_autoptr(GByteArray) until = g_byte_array_new();
    put_gtime(until, now + next * 60);
    crypto_ber_put_array(single, CRYPTO_BER_CONTEXT_CONSTRUCTED, until);
  }
  if (flags & SINGLE_CRITICAL)
    put_extension(single, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, strange_oid, sizeof strange_oid, TRUE, nonce);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, single);
}

static void
put_responder(GByteArray *out, CryptoCert *signer, gboolean by_key)
{
  g_autoptr(GByteArray) choice = g_byte_array_new();
  if (!by_key) {
    g_byte_array_append(choice, signer->nss->derSubject.data, signer->nss->derSubject.len);
    crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, choice);
    return;
  }
  g_autoptr(GBytes) question = crypto_ocsp_request(signer, signer, nonce); /* it names the key as well */
  CryptoBerItem id = cert_id(question), field;
  CryptoBerReader reader = crypto_ber_enter(&id);
  for (guint i = 0; i < 3; i++)
    g_assert_true(crypto_ber_next(&reader, &field));
  g_byte_array_append(choice, field.start, field.total);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED + 2, choice);
}

static void
put_signature(GByteArray *out, const GByteArray *tbs, const char *signer, guint flags)
{
  static const guint8 ecdsa_sha256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
  static const guint8 ecdsa_sha1[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01 };
  static const guint8 rsa_sha256[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b };
  g_autofree char *file = path("tbs");
  g_assert_true(g_file_set_contents(file, (const char *)tbs->data, (gssize)tbs->len, NULL));
  sh("openssl dgst -%s -sign %s.key -out sig tbs", flags & SHA1 ? "sha1" : "sha256", signer);
  g_autoptr(GByteArray) algorithm = g_byte_array_new(), bits = g_byte_array_new();
  if (strcmp(signer, "weak") == 0)
    crypto_ber_put(algorithm, CRYPTO_BER_OID, rsa_sha256, sizeof rsa_sha256);
  else if (flags & SHA1)
    crypto_ber_put(algorithm, CRYPTO_BER_OID, ecdsa_sha1, sizeof ecdsa_sha1);
  else
    crypto_ber_put(algorithm, CRYPTO_BER_OID, ecdsa_sha256, sizeof ecdsa_sha256);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, algorithm);
  g_autoptr(GBytes) signature = get("sig");
  g_byte_array_append(bits, (const guint8 *)"", 1); /* no unused bits */
  g_byte_array_append(bits, g_bytes_get_data(signature, NULL), (guint)g_bytes_get_size(signature));
  crypto_ber_put_array(out, CRYPTO_BER_BIT_STRING, bits);
}

static GBytes *
wrap_basic(GByteArray *basic)
{
  static const guint8 basic_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01 };
  static const guint8 successful[] = { 0x0a, 0x01, 0x00 };
  GByteArray *out = g_byte_array_new();
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  crypto_ber_put(bytes, CRYPTO_BER_OID, basic_oid, sizeof basic_oid);
  crypto_ber_put_array(bytes, CRYPTO_BER_OCTET_STRING, basic);
  crypto_ber_wrap(bytes, CRYPTO_BER_SEQUENCE);
  g_byte_array_append(out, successful, sizeof successful);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED, bytes);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  return g_byte_array_free_to_bytes(out);
}

/* @about: a letter for each single response. */
static GBytes *
answer(const char *signer, const char *about, int this, int next, guint flags, guint copies)
{
  g_autoptr(CryptoCert) by = cert(signer), as = cert(flags & AS_ISSUER ? "inter" : signer);
  g_autoptr(GByteArray) tbs = g_byte_array_new(), singles = g_byte_array_new(), basic = g_byte_array_new();
  put_responder(tbs, as, flags & BY_KEY);
  put_gtime(tbs, now);
  for (const char *letter = about; *letter; letter++)
    put_single(singles, *letter, this, next, flags);
  crypto_ber_put_array(tbs, CRYPTO_BER_SEQUENCE, singles);
  if (flags & (NONCE | NONCE_X))
    put_extension(tbs, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, nonce_oid, sizeof nonce_oid, FALSE,
                  flags & NONCE ? nonce : (const guint8 *)"quite another one");
  if (flags & CRITICAL)
    put_extension(tbs, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, strange_oid, sizeof strange_oid, TRUE, nonce);
  crypto_ber_wrap(tbs, CRYPTO_BER_SEQUENCE);
  g_byte_array_append(basic, tbs->data, tbs->len);
  put_signature(basic, tbs, signer, flags);
  if (!(flags & BARE)) {
    g_autoptr(GByteArray) certs = g_byte_array_new();
    for (guint i = 0; i < copies; i++)
      g_byte_array_append(certs, g_bytes_get_data(by->der, NULL), (guint)g_bytes_get_size(by->der));
    crypto_ber_wrap(certs, CRYPTO_BER_SEQUENCE);
    crypto_ber_put_array(basic, CRYPTO_BER_CONTEXT_CONSTRUCTED, certs);
  }
  if (flags & TRAILING)
    crypto_ber_put(basic, CRYPTO_BER_NULL, "", 0);
  crypto_ber_wrap(basic, CRYPTO_BER_SEQUENCE);
  if (flags & TURNED) /* a digit of thisUpdate: the tbs stays well-formed */
    for (guint i = 0; i + 15 < basic->len; i++)
      if (basic->data[i] == CRYPTO_BER_GENERALIZED_TIME && basic->data[i + 1] == 15)
        basic->data[i + 15] ^= 1;
  return wrap_basic(basic);
}

/* --- reading it */

typedef struct {
  const char *name, *signer, *about;
  int this, next;
  guint flags;
  const char *refusal; /* part of the sentence; NULL: it counts */
  CryptoRevocation known;
} Case;

#define GOOD CRYPTO_REVOCATION_GOOD
#define REVOKED CRYPTO_REVOCATION_REVOKED
#define UNKNOWN CRYPTO_REVOCATION_UNKNOWN

static const Case cases[] = {
  { "issuer", "inter", "g", -10, 600, BARE, NULL, GOOD },
  { "issuer-by-key", "inter", "g", -10, 600, BARE | BY_KEY, NULL, GOOD },
  { "delegate", "responder", "g", -10, 600, 0, NULL, GOOD },
  { "delegate-by-key", "responder", "g", -10, 600, BY_KEY, NULL, GOOD },
  { "delegate-revokes", "responder", "r", -10, 600, 0, NULL, REVOKED },
  { "delegate-missing", "responder", "g", -10, 600, BARE, "not signed by", UNKNOWN },
  { "no-eku", "plain", "g", -10, 600, 0, "not signed by", UNKNOWN },
  { "any-eku", "any", "g", -10, 600, 0, "not signed by", UNKNOWN },
  { "leaf-as-issuer", "other", "g", -10, 600, AS_ISSUER, "not signed by", UNKNOWN },
  { "issuer-of-that-name", "liar", "g", -10, 600, 0, "not signed by", UNKNOWN },
  { "delegate-of-that-one", "lied", "g", -10, 600, 0, "not signed by", UNKNOWN },
  { "delegate-of-the-root", "uncle", "g", -10, 600, 0, "not signed by", UNKNOWN },
  { "weak-key", "weak", "g", -10, 600, 0, "not signed by", UNKNOWN },
  { "sha1", "inter", "g", -10, 600, BARE | SHA1, "SHA-1", UNKNOWN },
  { "sha1-revokes", "inter", "r", -10, 600, BARE | SHA1, NULL, REVOKED },
  { "altered", "responder", "g", -10, 600, TURNED, "not signed by", UNKNOWN },
  { "unknown", "responder", "u", -10, 600, 0, "does not know", UNKNOWN },
  { "another", "responder", "G", -10, 600, 0, "does not speak", UNKNOWN },
  { "among-others", "responder", "RGUg", -10, 600, 0, NULL, GOOD },
  { "nothing", "responder", "", -10, 600, 0, "does not speak", UNKNOWN },
  { "two-of-one", "responder", "gr", -10, 600, 0, NULL, REVOKED }, /* the worse, in either order */
  { "two-of-one-again", "responder", "rg", -10, 600, 0, NULL, REVOKED },
  { "good-and-unknown", "responder", "gu", -10, 600, 0, "does not know", UNKNOWN },
  { "other-serial", "responder", "g", -10, 600, SERIAL, "does not speak", UNKNOWN },
  { "other-issuer", "responder", "g", -10, 600, NAME, "does not speak", UNKNOWN },
  { "other-key", "responder", "g", -10, 600, KEY, "does not speak", UNKNOWN },
  { "other-hash", "responder", "g", -10, 600, HASH, "does not speak", UNKNOWN },
  { "nonce", "responder", "g", -10, 600, NONCE, NULL, GOOD },
  { "nonce-of-another", "responder", "g", -10, 600, NONCE_X, "another question", UNKNOWN },
  { "slow-clock", "responder", "g", 3, 600, 0, NULL, GOOD },
  { "ahead", "responder", "g", 60, 600, 0, "ahead of now", UNKNOWN },
  { "ahead-revokes", "responder", "r", 60, 600, 0, "ahead of now", UNKNOWN },
  { "stale", "responder", "g", -600, -10, 0, "stale", UNKNOWN },
  { "stale-revokes", "responder", "r", -600, -10, 0, NULL, REVOKED },
  { "no-next", "responder", "g", -30, 0, 0, NULL, GOOD },
  { "no-next-stale", "responder", "g", -120, 0, 0, "stale", UNKNOWN },
  { "critical", "responder", "g", -10, 600, CRITICAL, "not an OCSP answer", UNKNOWN },
  { "single-critical", "responder", "g", -10, 600, SINGLE_CRITICAL, "not an OCSP answer", UNKNOWN },
  { "trailing", "responder", "g", -10, 600, TRAILING, "not an OCSP answer", UNKNOWN },
};

static CryptoRevocation
standing(gint64 at)
{
  g_autoptr(CryptoCert) leaf = cert("good"), issuer = cert("inter");
  gint64 when;
  crypto_chain_lock();
  CryptoRevocation known = crypto_ocsp_status(leaf, issuer, at, &when);
  crypto_chain_unlock();
  if (known == CRYPTO_REVOCATION_REVOKED)
    g_assert_cmpint(when, ==, now - 2 * DAY);
  return known;
}

static void
expect(GBytes *bytes, gint64 at, const char *refusal)
{
  g_autoptr(CryptoCert) leaf = cert("good"), issuer = cert("inter");
  g_autoptr(GError) error = NULL;
  gboolean good = crypto_ocsp_take(bytes, leaf, issuer, nonce, at, &error);
  if (!refusal)
    g_assert_no_error(error);
  g_assert_cmpint(good, ==, refusal == NULL);
  if (refusal && !strstr(error->message, refusal))
    g_error("\"%s\" does not say \"%s\"", error->message, refusal);
}

static void
test_case(gconstpointer data)
{
  const Case *one = data;
  begin();
  g_autoptr(GBytes) bytes = answer(one->signer, one->about, one->this, one->next, one->flags, 1);
  expect(bytes, now, one->refusal);
  g_assert_cmpint(standing(now), ==, one->known);
  end();
}

/* --- over time */

/* A responder's word is worth no more once its own certificate has ended; that something was revoked stays. */
static void
test_delegate_ends(void)
{
  begin();
  g_autoptr(GBytes) good = answer("short", "g", -10, 30 * 24 * 60, 0, 1);
  expect(good, now, NULL);
  g_assert_cmpint(standing(now), ==, GOOD);
  g_assert_cmpint(standing(now + 3 * DAY), ==, UNKNOWN);
  expect(good, now + 3 * DAY, "stale");
  g_autoptr(GBytes) revoked = answer("short", "r", -5, 30 * 24 * 60, 0, 1);
  expect(revoked, now, NULL);
  g_assert_cmpint(standing(now + 3 * DAY), ==, REVOKED);
  end();
}

/* A list of the same issuer names the responder. */
static void
test_delegate_revoked(void)
{
  begin();
  g_autoptr(GBytes) before = answer("withdrawn", "g", -10, 600, 0, 1);
  expect(before, now, NULL);
  CryptoCert *responder = cert("withdrawn");
  g_autofree char *serial = g_ascii_strup(crypto_cert_serial(responder), -1);
  crypto_cert_unref(responder);
  g_autofree char *index = g_strdup_printf("R\t400101000000Z\t250101000000Z\t%s\tunknown\t/CN=x\n", serial);
  put("index.txt", index);
  put("crl.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\n");
  sh("openssl ca -gencrl -config crl.cnf -cert inter.pem -keyfile inter.key -crldays 5 -out crl.pem");
  g_autoptr(GBytes) list = get("crl.pem");
  g_assert_true(crypto_session_add_crls(list, NULL));
  expect(before, now, "not signed by");
  end();
}

/* Who replays an older answer does not unsay a newer one. */
static void
test_replay(void)
{
  begin();
  g_autoptr(GBytes) older = answer("responder", "g", -60, 600, 0, 1), newer = answer("responder", "r", -10, 600, 0, 1);
  expect(newer, now, NULL);
  expect(older, now, NULL);
  g_assert_cmpint(standing(now), ==, REVOKED);
  end();
}

/* From run to run, and checked as if it had just come. */
static void
test_cache(void)
{
  g_autofree char *cache = path("cache");
  begin();
  crypto_revocation_set_cache(cache);
  g_autoptr(GBytes) bytes = answer("responder", "g", -10, 600, 0, 1);
  expect(bytes, now, NULL);
  end();
  begin();
  g_assert_cmpint(standing(now), ==, GOOD);
  g_assert_cmpint(standing(now + DAY), ==, UNKNOWN); /* it held for ten hours */
  end();
  g_autoptr(GDir) dir = g_dir_open(cache, 0, NULL);
  g_autofree char *file = g_build_filename(cache, g_dir_read_name(dir), NULL);
  g_assert_null(g_dir_read_name(dir));
  g_autofree char *contents = NULL;
  gsize length;
  g_assert_true(g_file_get_contents(file, &contents, &length, NULL));
  contents[length / 3] ^= 1;
  g_assert_true(g_file_set_contents(file, contents, (gssize)length, NULL));
  begin();
  g_assert_cmpint(standing(now), ==, UNKNOWN);
  end();
  crypto_revocation_set_cache(NULL);
}

/* What another program has learnt holds from the moment on that the standing tells of it, whatever is remembered. */
static void
test_elsewhere(void)
{
  g_autofree char *cache = path("elsewhere");
  begin();
  crypto_revocation_set_cache(cache);
  g_autoptr(GBytes) good = answer("responder", "g", -10, 600, 0, 1), revoked = answer("responder", "r", -5, 600, 0, 1);
  expect(good, now, NULL);
  g_autofree char *before = crypto_standing(TRUE);
  g_assert_cmpint(standing(now), ==, GOOD);
  g_autoptr(GDir) dir = g_dir_open(cache, 0, NULL);
  g_autofree char *file = g_build_filename(cache, g_dir_read_name(dir), NULL);
  gsize length;
  const char *octets = g_bytes_get_data(revoked, &length);
  g_assert_true(g_file_set_contents(file, octets, (gssize)length, NULL));
  g_autofree char *after = crypto_standing(TRUE);
  g_assert_cmpstr(before, !=, after);
  g_assert_cmpint(standing(now), ==, REVOKED);
  end();
  crypto_revocation_set_cache(NULL);
}

/* Having looked for answers, and found none, is no reason to judge a chain again. */
static void
test_nothing_known(void)
{
  g_autofree char *cache = path("empty");
  begin();
  crypto_revocation_set_cache(cache);
  for (guint known = 0; known < 2; known++) {
    if (known) {
      g_autoptr(GBytes) bytes = answer("responder", "g", -10, 600, 0, 1);
      expect(bytes, now, NULL);
    }
    g_autoptr(CryptoCert) leaf = cert("good");
    g_autoptr(GPtrArray) extra = certs("inter");
    g_autoptr(CryptoChain) chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, extra);
    g_assert_cmpuint(chain->problems, ==, 0);
    crypto_chain_lock();
    CryptoChain *again = crypto_chain_recall(leaf, CRYPTO_USE_SIGN, now + 1, CRYPTO_REVOCATION_SOFT, extra);
    crypto_chain_unlock();
    g_assert_cmpint(again != NULL, ==, !known); /* what an answer proves depends on the second */
    crypto_chain_free(again);
  }
  end();
  crypto_revocation_set_cache(NULL);
}

/* --- the form */

static void
test_statuses(void)
{
  static const struct {
    guint8 status;
    const char *words;
  } all[] = { { 1, "malformed" }, { 2, "error of its own" }, { 3, "busy" },
              { 5, "refuses" },   { 6, "not to us" },        { 77, "refuses" } };
  begin();
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    const guint8 text[] = { 0x30, 3, 0x0a, 1, all[i].status };
    g_autoptr(GBytes) bytes = g_bytes_new(text, sizeof text);
    expect(bytes, now, all[i].words);
  }
  end();
}

static gboolean
is_read(GBytes *bytes)
{
  CryptoOcspResponse response;
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  return crypto_ocsp_read(data, length, &response) && response.status == 0;
}

/* Cut anywhere it is malformed; within the limits it is read, and one beyond them it is not. */
static void
test_limits(void)
{
  begin();
  g_autoptr(GBytes) bytes = answer("responder", "g", -10, 600, NONCE, 1);
  g_assert_true(is_read(bytes));
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  for (gsize cut = 0; cut < length; cut++) {
    g_autofree guint8 *copy = g_memdup2(data, cut); /* of its own, so that a sanitizer sees a step beyond */
    g_autoptr(GBytes) part = g_bytes_new_take(g_steal_pointer(&copy), cut);
    g_assert_false(is_read(part));
  }
  g_autofree char *most = g_strnfill(CRYPTO_OCSP_SINGLES, 'G'), *more = g_strnfill(CRYPTO_OCSP_SINGLES + 1, 'G');
  g_autoptr(GBytes) singles = answer("responder", most, -10, 600, 0, 1);
  g_autoptr(GBytes) one_more = answer("responder", more, -10, 600, 0, 1);
  g_assert_true(is_read(singles));
  g_assert_false(is_read(one_more));
  g_autoptr(GBytes) certs = answer("responder", "g", -10, 600, 0, CRYPTO_OCSP_CERTS);
  g_autoptr(GBytes) a_ninth = answer("responder", "g", -10, 600, 0, CRYPTO_OCSP_CERTS + 1);
  g_assert_true(is_read(certs));
  g_assert_false(is_read(a_ninth));
  g_autoptr(GByteArray) large = g_byte_array_new();
  g_byte_array_set_size(large, CRYPTO_OCSP_BYTES_MAX);
  memset(large->data, 0, large->len);
  g_autoptr(GByteArray) outer = g_byte_array_new();
  crypto_ber_put_array(outer, CRYPTO_BER_SEQUENCE, large);
  g_autoptr(GBytes) oversize = g_byte_array_free_to_bytes(g_steal_pointer(&outer));
  g_assert_false(is_read(oversize));
  expect(oversize, now, "not an OCSP answer");
  end();
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_autoptr(GError) error = NULL;
  folder = g_dir_make_tmp("signet-ocsp-XXXXXX", &error);
  g_assert_no_error(error);
  for (gsize i = 0; i < G_N_ELEMENTS(makes); i++)
    make_one(&makes[i]);
  now = g_get_real_time() / G_USEC_PER_SEC;
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *name = g_strdup_printf("/ocsp/%s", cases[i].name);
    g_test_add_data_func(name, &cases[i], test_case);
  }
  g_test_add_func("/ocsp/delegate-ends", test_delegate_ends);
  g_test_add_func("/ocsp/delegate-revoked", test_delegate_revoked);
  g_test_add_func("/ocsp/replay", test_replay);
  g_test_add_func("/ocsp/cache", test_cache);
  g_test_add_func("/ocsp/elsewhere", test_elsewhere);
  g_test_add_func("/ocsp/nothing-known", test_nothing_known);
  g_test_add_func("/ocsp/statuses", test_statuses);
  g_test_add_func("/ocsp/limits", test_limits);
  int failed = g_test_run();
  sh("rm -rf %s", folder);
  return failed;
}
