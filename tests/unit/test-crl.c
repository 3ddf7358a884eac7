/* Revocation lists: what they prove, what spoils them, and how the three modes take it. */
#include "crypto/ocsp-private.h"
#include "tests/unit/chain-material.h"

static const Make makes[] = {
  { "root", "-", .extensions = CA, .subject = "/CN=Root" },
  { "stranger", "-", .extensions = CA, .subject = "/CN=Stranger" },
  { "inter", "root", .extensions = CA },
  { "good", .extensions = MAIL },
  { "bare", .extensions = "subjectAltName=email:anna@example.org\n" },
  { "twin", "root", .extensions = CA, .subject = "/CN=inter" },
  { "liar", "stranger", .extensions = CA, .subject = "/CN=inter" },
  { "rsa", "root", .extensions = CA, .key = "rsa:2048" },
  { "customer", "rsa", .extensions = MAIL },
};

/* --- revocation --- */

static char *
stamp(gint64 time, const char *format)
{
  g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(time);
  return g_date_time_format(when, format);
}

/* A list by @issuer that names @revoked ("a b:certificateHold"), made @age days ago for @days. "-sha1" and "-pss"
 * among them: so it is signed. */
static GBytes *
make_crl(const char *issuer, const char *revoked, int age, int days, const char *extensions)
{
  g_autoptr(GString) index = g_string_new(NULL);
  g_auto(GStrv) split = g_strsplit(revoked, " ", -1);
  const char *md = "sha256";
  gboolean pss = strstr(revoked, "-pss") != NULL;
  g_autofree char *on = stamp(now - 10 * DAY, "%y%m%d%H%M%SZ");
  for (char **name = split; *name; name++) {
    if (**name == '-' && strcmp(*name, "-pss") != 0)
      md = *name + 1;
    if (!**name || **name == '-')
      continue;
    char *reason = strchr(*name, ':');
    if (reason)
      *reason++ = '\0';
    g_autoptr(CryptoCert) one = cert(*name);
    g_autofree char *serial = g_ascii_strup(crypto_cert_serial(one), -1);
    g_string_append_printf(index, "R\t400101000000Z\t%s%s%s\t%s\tunknown\t/CN=x\n", on, reason ? "," : "",
                           reason ? reason : "", serial);
  }
  put("index.txt", index->str);
  g_autofree char *config = g_strdup_printf("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=%s\n"
                                            "crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n%s\n",
                                            md, extensions);
  put("crl.cnf", config);
  g_autofree char *from = stamp(now - (gint64)age * DAY, "%Y%m%d%H%M%SZ");
  g_autofree char *to = stamp(now + (gint64)(days - age) * DAY, "%Y%m%d%H%M%SZ");
  sh("openssl ca -gencrl -config crl.cnf -cert %s.pem -keyfile %s.key -crl_lastupdate %s -crl_nextupdate %s "
     "-out crl.pem %s",
     issuer, issuer, from, to, pss ? "-sigopt rsa_padding_mode:pss" : "");
  return get("crl.pem");
}

typedef struct {
  const char *issuer, *revoked;
  int age, days;
  const char *extensions;
  CryptoRevocation leaf;
  const char *soft, *hard; /* the words; NULL list of the root's own: "good" is assumed there */
} Lists;

static const Lists lists[] = {
  { "inter", "", 1, 30, "", CRYPTO_REVOCATION_GOOD, "", "" },
  { "inter", "good", 1, 30, "", CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" },
  { "inter", "bare", 1, 30, "", CRYPTO_REVOCATION_GOOD, "", "" },
  { "inter", "", 20, 10, "", CRYPTO_REVOCATION_UNKNOWN, "", "revocation-unknown" },
  { "inter", "good", 20, 10, "", CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" },
  { "inter", "", -5, 30, "", CRYPTO_REVOCATION_UNKNOWN, "", "revocation-unknown" },
  { "twin", "good", 1, 30, "", CRYPTO_REVOCATION_UNKNOWN, "",
    "revocation-unknown" }, /* that name, another key */
  { "liar", "good", 1, 30, "", CRYPTO_REVOCATION_UNKNOWN, "", "revocation-unknown" },
  { "inter", "", 1, 30, "1.2.3.4.5=critical,ASN1:NULL", CRYPTO_REVOCATION_UNKNOWN, "", "revocation-unknown" },
  { "inter", "", 1, 30, "1.2.3.4.5=ASN1:NULL", CRYPTO_REVOCATION_GOOD, "", "" },
  { "inter", "", 1, 30, "2.5.29.27=critical,ASN1:INTEGER:1", CRYPTO_REVOCATION_UNKNOWN, "",
    "revocation-unknown" },
  { "inter", "", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nonlyuser=TRUE", CRYPTO_REVOCATION_GOOD,
    "", "" },
  { "inter", "", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nonlyCA=TRUE", CRYPTO_REVOCATION_UNKNOWN,
    "", "revocation-unknown" },
  { "inter", "", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nfullname=URI:http://x.example/a.crl",
    CRYPTO_REVOCATION_UNKNOWN, "", "revocation-unknown" },
  { "inter", "", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nindirectCRL=TRUE",
    CRYPTO_REVOCATION_UNKNOWN, "", "revocation-unknown" },
  /* Who is listed is revoked, whatever else there is about the list; only a sender would have it otherwise. */
  { "inter", "good:certificateHold", 1, 30, "", CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" },
  { "inter", "good:keyCompromise", 1, 30, "1.2.3.4.5=critical,ASN1:NULL", CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" },
  { "inter", "good", 1, 30, "2.5.29.27=critical,ASN1:INTEGER:1", CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" },
  { "inter", "good:removeFromCRL", 1, 30, "2.5.29.27=critical,ASN1:INTEGER:1", CRYPTO_REVOCATION_UNKNOWN, "",
    "revocation-unknown" }, /* a delta's word for: no longer */
  { "inter", "good:removeFromCRL", 1, 30, "", CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" }, /* no delta */
  { "inter", "good", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nfullname=URI:http://x.example/a.crl",
    CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" },
  { "inter", "good", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nonlyCA=TRUE", CRYPTO_REVOCATION_REVOKED,
    "revoked", "revoked" },
  { "inter", "good", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nindirectCRL=TRUE", CRYPTO_REVOCATION_REVOKED,
    "revoked", "revoked" },
  { "inter", "good", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nonlyAA=TRUE", CRYPTO_REVOCATION_UNKNOWN, "",
    "revocation-unknown" }, /* numbers of attribute certificates */
  { "inter", "", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nonlyAA=TRUE", CRYPTO_REVOCATION_UNKNOWN, "",
    "revocation-unknown" },
  { "inter", "", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nonlysomereasons=keyCompromise",
    CRYPTO_REVOCATION_UNKNOWN, "", "revocation-unknown" },
  { "inter", "good", 1, 30, "issuingDistributionPoint=critical,@p\n[p]\nonlysomereasons=keyCompromise",
    CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" },
  { "inter", "-sha1", 1, 30, "", CRYPTO_REVOCATION_UNKNOWN, "", "revocation-unknown" },
  { "inter", "-sha1 good", 1, 30, "", CRYPTO_REVOCATION_REVOKED, "revoked", "revoked" },
};

static CryptoChain *
check_mode(CryptoRevocationMode mode, const char *expected)
{
  CryptoCert *leaf = cert("good");
  GPtrArray *extra = certs("inter twin liar");
  CryptoChain *chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, mode, extra);
  g_autofree char *words = words_of(chain->problems);
  g_test_message("%s", chain->sentence ? chain->sentence : "trusted");
  g_assert_cmpstr(words, ==, expected);
  g_ptr_array_unref(extra);
  crypto_cert_unref(leaf);
  return chain;
}

static void
test_list(gconstpointer data)
{
  const Lists *list = data;
  begin();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) of_root = make_crl("root", "", 1, 30, "");
  g_assert_true(crypto_session_add_crls(of_root, &error));
  g_autoptr(GBytes) crl = make_crl(list->issuer, list->revoked, list->age, list->days, list->extensions);
  g_assert_true(crypto_session_add_crls(crl, &error));
  g_assert_no_error(error);
  CryptoChain *chain = check_mode(CRYPTO_REVOCATION_OFF, "");
  g_assert_cmpint(chain->revocation, ==, CRYPTO_REVOCATION_NOT_CHECKED);
  crypto_chain_free(chain);
  chain = check_mode(CRYPTO_REVOCATION_SOFT, list->soft);
  g_assert_cmpint(chain->revocation, ==, list->leaf);
  if (list->leaf == CRYPTO_REVOCATION_REVOKED)
    g_assert_cmpint(chain->revoked_at, ==, now - 10 * DAY);
  crypto_chain_free(chain);
  chain = check_mode(CRYPTO_REVOCATION_HARD, list->hard);
  g_assert_cmpint(chain->revocation, ==, list->leaf);
  crypto_chain_free(chain);
  end();
}

/* --- by hand: what openssl does not write */

typedef struct {
  const char *cert;   /* whose number the entry has */
  const char *issuer; /* certificateIssuer; NULL: not said */
  gboolean strange;   /* a critical extension that is not understood */
} Entry;

static void
put_name(GByteArray *out, const char *name)
{
  CryptoCert *one = cert(name);
  g_byte_array_append(out, one->nss->derSubject.data, one->nss->derSubject.len);
  crypto_cert_unref(one);
}

static void
put_critical(GByteArray *out, const guint8 *oid, gsize length, const GByteArray *value)
{
  static const guint8 yes = 0xff;
  g_autoptr(GByteArray) extension = g_byte_array_new();
  crypto_ber_put(extension, CRYPTO_BER_OID, oid, length);
  crypto_ber_put(extension, CRYPTO_BER_BOOLEAN, &yes, 1);
  crypto_ber_put_array(extension, CRYPTO_BER_OCTET_STRING, value);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, extension);
}

static void
put_entry(GByteArray *out, const Entry *one)
{
  static const guint8 certificate_issuer[] = { 0x55, 0x1d, 0x1d }, strange[] = { 0x2a, 0x03, 0x04 };
  g_autoptr(GByteArray) entry = g_byte_array_new(), extensions = g_byte_array_new(), value = g_byte_array_new();
  CryptoCert *about = cert(one->cert);
  crypto_ber_put(entry, CRYPTO_BER_INTEGER, about->nss->serialNumber.data, about->nss->serialNumber.len);
  crypto_cert_unref(about);
  crypto_ber_put_time(entry, now - 10 * DAY);
  if (one->issuer) {
    put_name(value, one->issuer);
    crypto_ber_wrap(value, CRYPTO_BER_CONTEXT_CONSTRUCTED + 4);
    crypto_ber_wrap(value, CRYPTO_BER_SEQUENCE);
    put_critical(extensions, certificate_issuer, sizeof certificate_issuer, value);
  }
  if (one->strange)
    put_critical(extensions, strange, sizeof strange, value);
  if (extensions->len)
    crypto_ber_put_array(entry, CRYPTO_BER_SEQUENCE, extensions);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, entry);
}

static GBytes *
list_of(const Entry *entries)
{
  static const guint8 ecdsa_sha256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
  g_autoptr(GByteArray) algorithm = g_byte_array_new(), tbs = g_byte_array_new(), list = g_byte_array_new(),
                        bits = g_byte_array_new();
  crypto_ber_put(algorithm, CRYPTO_BER_OID, ecdsa_sha256, sizeof ecdsa_sha256);
  crypto_ber_wrap(algorithm, CRYPTO_BER_SEQUENCE);
  crypto_ber_put_small(tbs, 1);
  g_byte_array_append(tbs, algorithm->data, algorithm->len);
  put_name(tbs, "inter");
  crypto_ber_put_time(tbs, now - DAY);
  crypto_ber_put_time(tbs, now + DAY);
  for (; entries->cert; entries++)
    put_entry(list, entries);
  crypto_ber_put_array(tbs, CRYPTO_BER_SEQUENCE, list);
  crypto_ber_wrap(tbs, CRYPTO_BER_SEQUENCE);
  g_autofree char *file = path("tbs");
  g_assert_true(g_file_set_contents(file, (const char *)tbs->data, (gssize)tbs->len, NULL));
  sh("openssl dgst -sha256 -sign inter.key -out sig tbs");
  g_autoptr(GBytes) signature = get("sig");
  g_byte_array_append(bits, (const guint8 *)"", 1);
  g_byte_array_append(bits, g_bytes_get_data(signature, NULL), (guint)g_bytes_get_size(signature));
  g_byte_array_append(tbs, algorithm->data, algorithm->len);
  crypto_ber_put_array(tbs, CRYPTO_BER_BIT_STRING, bits);
  crypto_ber_wrap(tbs, CRYPTO_BER_SEQUENCE);
  return g_byte_array_free_to_bytes(g_steal_pointer(&tbs));
}

static const struct {
  const char *name;
  Entry entries[4];
  const char *soft;
  CryptoRevocation leaf;
} by_hand[] = {
  { "plain", { { "bare", NULL, FALSE } }, "", CRYPTO_REVOCATION_GOOD },
  { "other-authority", { { "bare", "stranger", FALSE }, { "good", NULL, FALSE } }, "", CRYPTO_REVOCATION_UNKNOWN },
  { "back-to-its-own", { { "bare", "stranger", FALSE }, { "good", "inter", FALSE } }, "revoked",
    CRYPTO_REVOCATION_REVOKED },
  { "own-first", { { "good", NULL, FALSE }, { "bare", "stranger", FALSE } }, "revoked", CRYPTO_REVOCATION_REVOKED },
  { "strange", { { "good", NULL, TRUE } }, "revoked", CRYPTO_REVOCATION_REVOKED },
  { "strange-elsewhere", { { "bare", NULL, TRUE } }, "", CRYPTO_REVOCATION_UNKNOWN },
};

static void
test_by_hand(gconstpointer data)
{
  guint i = GPOINTER_TO_UINT(data);
  begin();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) der = list_of(by_hand[i].entries);
  g_assert_true(crypto_session_add_crls(der, &error));
  CryptoChain *chain = check_mode(CRYPTO_REVOCATION_SOFT, by_hand[i].soft);
  g_assert_cmpint(chain->revocation, ==, by_hand[i].leaf);
  crypto_chain_free(chain);
  end();
}

/* What it is signed with: MD5 is no signature, SHA-1 (PSS's own too) proves nobody good. */
static void
test_signatures(void)
{
  static const struct {
    const char *revoked;
    CryptoRevocation leaf;
  } all[] = {
    { "", CRYPTO_REVOCATION_GOOD },
    { "-pss", CRYPTO_REVOCATION_GOOD },
    { "-sha1", CRYPTO_REVOCATION_UNKNOWN },
    { "-sha1 -pss", CRYPTO_REVOCATION_UNKNOWN },
    { "-md5", CRYPTO_REVOCATION_UNKNOWN },
    { "-md5 customer", CRYPTO_REVOCATION_UNKNOWN },
    { "-pss customer", CRYPTO_REVOCATION_REVOKED },
    { "-sha1 customer", CRYPTO_REVOCATION_REVOKED },
    { "-sha1 -pss customer", CRYPTO_REVOCATION_REVOKED },
  };
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    begin();
    g_autoptr(GBytes) list = make_crl("rsa", all[i].revoked, 1, 30, "");
    g_assert_true(crypto_session_add_crls(list, NULL));
    CryptoCert *leaf = cert("customer");
    GPtrArray *extra = certs("rsa");
    CryptoChain *chain = crypto_chain_check(leaf, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, extra);
    g_test_message("\"%s\"", all[i].revoked);
    g_assert_cmpint(chain->revocation, ==, all[i].leaf);
    crypto_chain_free(chain);
    g_ptr_array_unref(extra);
    crypto_cert_unref(leaf);
    end();
  }
}

/* One octet over the limit is not even looked at; what says that it is large and is not ends where it ends. */
static void
test_huge(void)
{
  begin();
  gsize length = (64 << 20) + 1;
  guint8 *zeros = g_malloc0(length);
  memcpy(zeros, "\x30\x84\x03\xff\xff\xfb", 6);
  g_autoptr(GBytes) huge = g_bytes_new_take(zeros, length);
  g_assert_false(crypto_session_add_crls(huge, NULL));
  g_autoptr(GBytes) promise = g_bytes_new_static("\x30\x84\x03\xff\xff\xfb\x30\x84\x03\xff\xff\x00", 12);
  g_assert_false(crypto_session_add_crls(promise, NULL));
  end();
}

/* The authority itself revoked; and a whole chain of which one status is missing. */
static void
test_revoked_authority(void)
{
  begin();
  g_autoptr(GBytes) of_inter = make_crl("inter", "", 1, 30, "");
  g_assert_true(crypto_session_add_crls(of_inter, NULL));
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_SOFT, ""));
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_HARD, "revocation-unknown"));
  g_autoptr(GBytes) of_root = make_crl("root", "inter", 1, 30, "");
  g_assert_true(crypto_session_add_crls(of_root, NULL));
  CryptoChain *chain = check_mode(CRYPTO_REVOCATION_SOFT, "revoked");
  g_assert_cmpint(chain->revocation, ==, CRYPTO_REVOCATION_GOOD); /* the leaf's own */
  g_assert_cmpuint(GPOINTER_TO_UINT(chain->cert_problems->pdata[1]), ==, CRYPTO_TRUST_REVOKED);
  crypto_chain_free(chain);
  end();
}

/* Of a DER element, with its head. */
static gsize
signed_length(const guint8 *data)
{
  g_assert_cmphex(data[0], ==, 0x30);
  if (data[1] < 0x80)
    return 2 + (gsize)data[1];
  return data[1] == 0x81 ? 3 + (gsize)data[2] : 4 + (gsize)data[2] * 256 + data[3];
}

static void
test_bad_lists(void)
{
  begin();
  g_autoptr(GBytes) pem = make_crl("inter", "good", 1, 30, "");
  sh("openssl crl -in crl.pem -outform DER -out crl.der");
  g_autoptr(GBytes) der = get("crl.der");
  gsize length;
  const guint8 *data = g_bytes_get_data(der, &length);
  /* Cut anywhere: refused, never a crash. One bit turned in what is signed: refused, or of no effect. */
  for (gsize cut = 0; cut < length; cut++) {
    g_autoptr(GBytes) part = g_bytes_new(data, cut);
    g_assert_false(crypto_session_add_crls(part, NULL));
  }
  gsize outer = data[1] & 0x80 ? 2 + (data[1] & 0x7f) : 2, signed_end = outer + signed_length(data + outer);
  for (gsize i = 0; i < signed_end; i++) {
    g_autofree guint8 *copy = g_memdup2(data, length);
    copy[i] ^= 1 << (i % 8);
    g_autoptr(GBytes) turned = g_bytes_new(copy, length);
    (void)!crypto_session_add_crls(turned, NULL);
  }
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_SOFT, ""));
  g_assert_true(crypto_session_add_crls(der, NULL));
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_SOFT, "revoked"));
  end();
}

/* --- fetched */

#define ADDRESS "http://x.example/a.crl"
#define POINT_OF(rest) "issuingDistributionPoint=critical,@p\n[p]\n" rest

/* NULL: it was taken; else a part of the sentence. */
static void
fetched(const char *issuer, const char *revoked, int age, const char *extensions, const char *refusal)
{
  g_autoptr(GBytes) pem = make_crl(issuer, revoked, age, 30, extensions);
  sh("openssl crl -in crl.pem -outform DER -out fetched.crl");
  g_autoptr(GBytes) der = get("fetched.crl");
  g_autoptr(CryptoCert) authority = cert(issuer);
  g_autoptr(GError) error = NULL;
  gint64 until;
  crypto_chain_lock();
  gboolean taken = crypto_crl_take_fetched(der, ADDRESS, authority, now, &until, &error);
  crypto_chain_unlock();
  g_test_message("%s: %s", extensions, error ? error->message : "taken");
  g_assert_cmpint(taken, ==, refusal == NULL);
  if (refusal)
    g_assert_nonnull(strstr(error->message, refusal));
}

/* Its authority's other lists do not take the place of the one of an address, however new. */
static void
test_fetched(void)
{
  static const char *const less[] = {
    "2.5.29.27=critical,ASN1:INTEGER:1",
    "1.2.3.4.5=critical,ASN1:NULL",
    POINT_OF("fullname=URI:http://x.example/other.crl"),
    POINT_OF("onlyAA=TRUE"),
    POINT_OF("onlyCA=TRUE"),
    POINT_OF("onlyuser=TRUE"),
    POINT_OF("onlysomereasons=keyCompromise"),
    POINT_OF("indirectCRL=TRUE"),
  };
  begin();
  fetched("inter", "good", 5, less[0], NULL); /* better than none */
  fetched("inter", "good", 6, "", NULL);      /* the whole one, though older */
  for (guint i = 0; i < G_N_ELEMENTS(less); i++) {
    fetched("inter", "", 2, less[i], "says less");
    crypto_chain_free(check_mode(CRYPTO_REVOCATION_SOFT, "revoked"));
  }
  fetched("inter", "-sha1", 2, "", "says less");
  fetched("inter", "", 7, "", "older");
  fetched("twin", "", 1, "", NULL); /* another's, of the same name */
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_SOFT, "revoked"));
  fetched("inter", "good", 4, POINT_OF("fullname=URI:" ADDRESS), NULL);
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_SOFT, "revoked"));
  fetched("inter", "", 3, "", NULL);
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_SOFT, ""));
  end();
}

static void
test_database_list(void)
{
  sh("mkdir db");
  sh("certutil -N -d sql:db --empty-password");
  sh("certutil -A -d sql:db -n root -t ,C, -i root.pem");
  sh("certutil -A -d sql:db -n inter -t ,, -i inter.pem");
  begin(); /* to read the serial number */
  g_autoptr(GBytes) pem = make_crl("inter", "good", 1, 30, "");
  end();
  sh("openssl crl -in crl.pem -outform DER -out crl.der");
  sh("crlutil -I -d sql:db -i crl.der");
  open_database();
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_OFF, ""));
  crypto_chain_free(check_mode(CRYPTO_REVOCATION_SOFT, "revoked"));
  end();
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_autoptr(GError) error = NULL;
  folder = g_dir_make_tmp("signet-crl-XXXXXX", &error);
  g_assert_no_error(error);
  for (gsize i = 0; i < G_N_ELEMENTS(makes); i++)
    make_one(&makes[i]);
  now = g_get_real_time() / G_USEC_PER_SEC + 5;
  for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
    g_autofree char *name = g_strdup_printf("/crl/list/%02d", (int)i);
    g_test_add_data_func(name, &lists[i], test_list);
  }
  for (guint i = 0; i < G_N_ELEMENTS(by_hand); i++) {
    g_autofree char *name = g_strdup_printf("/crl/by-hand/%s", by_hand[i].name);
    g_test_add_data_func(name, GUINT_TO_POINTER(i), test_by_hand);
  }
  g_test_add_func("/crl/signatures", test_signatures);
  g_test_add_func("/crl/huge", test_huge);
  g_test_add_func("/crl/revoked-authority", test_revoked_authority);
  g_test_add_func("/crl/bad-lists", test_bad_lists);
  g_test_add_func("/crl/fetched", test_fetched);
  g_test_add_func("/crl/database", test_database_list);
  int failed = g_test_run();
  sh("rm -rf %s", folder);
  return failed;
}
