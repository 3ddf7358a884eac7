#include "crypto/ber.h"
#include "crypto/oid.h"
#include "tests/unit/cms-lab.h"

/* The rules about signatures that go beyond arithmetic: each is broken on purpose, in a message that is otherwise
 * signed as it should be. The messages are put together here, and openssl makes the raw RSA signature. */

typedef enum {
  GOOD,
  NO_CONTENT_TYPE,
  WRONG_CONTENT_TYPE,
  NO_DIGEST,
  TWO_DIGESTS,
  TWO_VALUES,
  TWO_TIMES,
  BAD_TIME,
  UNSIGNED_TIME,
  UNSIGNED_UNKNOWN,
  ESS_GOOD,
  ESS_WRONG,
  ESS_WRONG_SERIAL,
  ESS_UNKNOWN_DIGEST,
  ESS_V1_GOOD,
  ESS_V1_WRONG,
  PROTECTION_GOOD,
  PROTECTION_WRONG,
  NAMED_DIGEST,
  OTHER_DIGEST,
  UNKNOWN_DIGEST,
  MD2_DIGEST,
  SENT_UNSORTED,
  SIGNED_UNSORTED,
  BARE,
  BARE_OTHER_TYPE,
  NULL_LEFT_OUT,
  TRAILING_OCTET,
  INFO_OF_OTHER_DIGEST,
  ALTERED_ATTRIBUTE,
  BY_KEY_ID,
  TWIN_FIRST,
  TWIN_LAST,
  EMPTY_ATTRIBUTES,
} Rule;

static const struct {
  Rule rule;
  const char *name;
  CryptoSignatureState state;
  const char *words; /* in the reason */
} cases[] = {
  { GOOD, "good", CRYPTO_SIGNATURE_INTACT, NULL },
  { NO_CONTENT_TYPE, "no-content-type", CRYPTO_SIGNATURE_FORGED, "kind of content" },
  { WRONG_CONTENT_TYPE, "wrong-content-type", CRYPTO_SIGNATURE_FORGED, "kind of content" },
  { NO_DIGEST, "no-digest", CRYPTO_SIGNATURE_FORGED, "digest of the message" },
  { TWO_DIGESTS, "two-digests", CRYPTO_SIGNATURE_FORGED, "messageDigest" },
  { TWO_VALUES, "two-values", CRYPTO_SIGNATURE_FORGED, "messageDigest" },
  { TWO_TIMES, "two-times", CRYPTO_SIGNATURE_FORGED, "signingTime" },
  { BAD_TIME, "bad-time", CRYPTO_SIGNATURE_FORGED, "signing time" },
  { UNSIGNED_TIME, "unsigned-time", CRYPTO_SIGNATURE_FORGED, "signingTime is not signed" },
  { UNSIGNED_UNKNOWN, "unsigned-unknown", CRYPTO_SIGNATURE_INTACT, NULL },
  { ESS_GOOD, "ess-good", CRYPTO_SIGNATURE_INTACT, NULL },
  { ESS_WRONG, "ess-wrong", CRYPTO_SIGNATURE_FORGED, "another certificate" },
  { ESS_WRONG_SERIAL, "ess-wrong-serial", CRYPTO_SIGNATURE_FORGED, "another certificate" },
  { ESS_UNKNOWN_DIGEST, "ess-unknown-digest", CRYPTO_SIGNATURE_UNSUPPORTED, "sha3-256" },
  { ESS_V1_GOOD, "ess-v1-good", CRYPTO_SIGNATURE_INTACT, NULL },
  { ESS_V1_WRONG, "ess-v1-wrong", CRYPTO_SIGNATURE_FORGED, "another certificate" },
  { PROTECTION_GOOD, "protection-good", CRYPTO_SIGNATURE_INTACT, NULL },
  { PROTECTION_WRONG, "protection-wrong", CRYPTO_SIGNATURE_FORGED, "other algorithms" },
  { NAMED_DIGEST, "named-digest", CRYPTO_SIGNATURE_INTACT, NULL },
  { OTHER_DIGEST, "other-digest", CRYPTO_SIGNATURE_FORGED, "two different digests" },
  { UNKNOWN_DIGEST, "unknown-digest", CRYPTO_SIGNATURE_UNSUPPORTED, "sha3-256" },
  { MD2_DIGEST, "md2", CRYPTO_SIGNATURE_UNSUPPORTED, "MD2" },
  { SENT_UNSORTED, "sent-unsorted", CRYPTO_SIGNATURE_INTACT, NULL },
  { SIGNED_UNSORTED, "signed-unsorted", CRYPTO_SIGNATURE_FORGED, "order" },
  { BARE, "bare", CRYPTO_SIGNATURE_INTACT, NULL },
  { BARE_OTHER_TYPE, "bare-other-type", CRYPTO_SIGNATURE_FORGED, "content of this kind" },
  { NULL_LEFT_OUT, "null-left-out", CRYPTO_SIGNATURE_INTACT, NULL },
  { TRAILING_OCTET, "trailing-octet", CRYPTO_SIGNATURE_FORGED, "signer's key" },
  { INFO_OF_OTHER_DIGEST, "info-of-other-digest", CRYPTO_SIGNATURE_FORGED, "signer's key" },
  { ALTERED_ATTRIBUTE, "altered-attribute", CRYPTO_SIGNATURE_FORGED, "signer's key" },
  { BY_KEY_ID, "by-key-id", CRYPTO_SIGNATURE_INTACT, NULL },
  { TWIN_FIRST, "twin-first", CRYPTO_SIGNATURE_INTACT, NULL },
  { TWIN_LAST, "twin-last", CRYPTO_SIGNATURE_INTACT, NULL },
  { EMPTY_ATTRIBUTES, "empty-attributes", CRYPTO_SIGNATURE_FORGED, "kind of content" },
};

static const char text[] = "Content-Type: text/plain\r\n\r\nThree thousand, by Friday.\r\n";

static GByteArray *
algorithm(CryptoOid oid)
{
  GByteArray *out = g_byte_array_new();
  crypto_oid_put(out, oid);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  return out;
}

static void
put_algorithm(GByteArray *out, guint8 tag, CryptoOid oid)
{
  g_autoptr(GByteArray) made = algorithm(oid);
  made->data[0] = tag;
  g_byte_array_append(out, made->data, made->len);
}

static void
digest(GChecksumType type, gconstpointer data, gsize length, guint8 *out, gsize *size)
{
  g_autoptr(GChecksum) sum = g_checksum_new(type);
  g_checksum_update(sum, data, (gssize)length);
  g_checksum_get_digest(sum, out, size);
}

/* One Attribute with @copies of @value. */
static void
add(GPtrArray *attributes, CryptoOid oid, const GByteArray *value, guint copies)
{
  g_autoptr(GByteArray) out = g_byte_array_new(), set = g_byte_array_new();
  for (guint i = 0; i < copies; i++)
    g_byte_array_append(set, value->data, value->len);
  crypto_oid_put(out, oid);
  crypto_ber_put_array(out, CRYPTO_BER_SET, set);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  g_ptr_array_add(attributes, g_byte_array_free_to_bytes(g_steal_pointer(&out)));
}

static GBytes *
cert_der(const char *name)
{
  g_autofree char *pem = g_strconcat(name, ".pem", NULL), *der = g_strconcat(name, ".der", NULL);
  pki_run(folder, "openssl", "x509", "-in", pem, "-outform", "DER", "-out", der);
  return pki_read(folder, der);
}

/* Issuer and serial number as they stand in a certificate. */
static void
find_id(GBytes *der, CryptoBerItem *issuer, CryptoBerItem *serial)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(der, &length);
  CryptoBerReader reader = crypto_ber_reader(data, length);
  CryptoBerItem item;
  g_assert_true(crypto_ber_next(&reader, &item));
  reader = crypto_ber_enter(&item);
  g_assert_true(crypto_ber_next(&reader, &item));
  reader = crypto_ber_enter(&item);
  g_assert_true(crypto_ber_next(&reader, &item)); /* version */
  g_assert_true(crypto_ber_expect(&reader, CRYPTO_BER_INTEGER, serial));
  g_assert_true(crypto_ber_next(&reader, &item)); /* algorithm */
  g_assert_true(crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, issuer));
}

static void
add_ess(GPtrArray *attributes, Rule rule, GBytes *der)
{
  gboolean first = rule == ESS_V1_GOOD || rule == ESS_V1_WRONG;
  guint8 hash[32];
  gsize size = sizeof hash;
  CryptoBerItem issuer, serial;
  find_id(der, &issuer, &serial);
  digest(first ? G_CHECKSUM_SHA1 : G_CHECKSUM_SHA256, g_bytes_get_data(der, NULL), g_bytes_get_size(der),
         hash, &size);
  hash[3] ^= rule == ESS_WRONG || rule == ESS_V1_WRONG;
  g_autoptr(GByteArray) value = g_byte_array_new(), names = g_byte_array_new();
  if (rule == ESS_UNKNOWN_DIGEST)
    put_algorithm(value, CRYPTO_BER_SEQUENCE, CRYPTO_OID_SHA3_256);
  crypto_ber_put(value, CRYPTO_BER_OCTET_STRING, hash, size);
  crypto_ber_put(names, CRYPTO_BER_CONTEXT_CONSTRUCTED + 4, issuer.start, issuer.total);
  crypto_ber_wrap(names, CRYPTO_BER_SEQUENCE);
  if (rule == ESS_WRONG_SERIAL)
    crypto_ber_put_small(names, 77);
  else
    g_byte_array_append(names, serial.start, (guint)serial.total);
  crypto_ber_put_array(value, CRYPTO_BER_SEQUENCE, names);
  for (guint i = 0; i < 3; i++)
    crypto_ber_wrap(value, CRYPTO_BER_SEQUENCE);
  add(attributes, first ? CRYPTO_OID_SIGNING_CERTIFICATE : CRYPTO_OID_SIGNING_CERTIFICATE_V2, value, 1);
}

static GPtrArray *
make_attributes(Rule rule, GBytes *der)
{
  GPtrArray *attributes = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_autoptr(GByteArray) type = g_byte_array_new(), hash = g_byte_array_new(), time = g_byte_array_new();
  guint8 sum[32];
  gsize size = sizeof sum;
  if (rule == EMPTY_ATTRIBUTES)
    return attributes;
  digest(G_CHECKSUM_SHA256, text, strlen(text), sum, &size);
  crypto_oid_put(type, rule == WRONG_CONTENT_TYPE ? CRYPTO_OID_ENVELOPED_DATA : CRYPTO_OID_DATA);
  crypto_ber_put(hash, CRYPTO_BER_OCTET_STRING, sum, size);
  crypto_ber_put_time(time, 1700000000);
  if (rule == BAD_TIME)
    time->data[2] = 'x';
  if (rule != NO_DIGEST)
    add(attributes, CRYPTO_OID_MESSAGE_DIGEST, hash, rule == TWO_VALUES ? 2 : 1);
  if (rule == TWO_DIGESTS)
    add(attributes, CRYPTO_OID_MESSAGE_DIGEST, hash, 1);
  if (rule != UNSIGNED_TIME)
    add(attributes, CRYPTO_OID_SIGNING_TIME, time, 1);
  if (rule == TWO_TIMES)
    add(attributes, CRYPTO_OID_SIGNING_TIME, time, 1);
  if (rule != NO_CONTENT_TYPE)
    add(attributes, CRYPTO_OID_CONTENT_TYPE, type, 1);
  if (rule >= ESS_GOOD && rule <= ESS_V1_WRONG)
    add_ess(attributes, rule, der);
  if (rule == PROTECTION_GOOD || rule == PROTECTION_WRONG) {
    g_autoptr(GByteArray) value = algorithm(CRYPTO_OID_SHA256);
    put_algorithm(value, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1,
                  rule == PROTECTION_GOOD ? CRYPTO_OID_RSA : CRYPTO_OID_RSA_PSS);
    crypto_ber_wrap(value, CRYPTO_BER_SEQUENCE);
    add(attributes, CRYPTO_OID_ALGORITHM_PROTECTION, value, 1);
  }
  return attributes;
}

/* RSA PKCS#1 v1.5 over a DigestInfo of our own making. */
static GBytes *
sign(Rule rule, const GByteArray *what)
{
  guint8 sum[32];
  gsize size = sizeof sum;
  g_autoptr(GByteArray) info = g_byte_array_new();
  digest(G_CHECKSUM_SHA256, what->data, what->len, sum, &size);
  crypto_oid_put(info, rule == INFO_OF_OTHER_DIGEST ? CRYPTO_OID_SHA512_256 : CRYPTO_OID_SHA256);
  if (rule != NULL_LEFT_OUT)
    crypto_ber_put(info, CRYPTO_BER_NULL, NULL, 0);
  crypto_ber_wrap(info, CRYPTO_BER_SEQUENCE);
  crypto_ber_put(info, CRYPTO_BER_OCTET_STRING, sum, size);
  crypto_ber_wrap(info, CRYPTO_BER_SEQUENCE);
  if (rule == TRAILING_OCTET)
    g_byte_array_append(info, (const guint8 *)"", 1);
  pki_write(folder, "info", (const char *)info->data, info->len);
  pki_run(folder, "openssl", "pkeyutl", "-sign", "-inkey", "rsa.key", "-in", "info", "-out", "value");
  return pki_read(folder, "value");
}

static void
put_unsigned(GByteArray *out, Rule rule)
{
  g_autoptr(GPtrArray) attributes = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_autoptr(GByteArray) time = g_byte_array_new();
  if (rule != UNSIGNED_TIME && rule != UNSIGNED_UNKNOWN)
    return;
  crypto_ber_put_time(time, 1700000000);
  add(attributes, rule == UNSIGNED_TIME ? CRYPTO_OID_SIGNING_TIME : CRYPTO_OID_RECEIPT, time, 1);
  crypto_ber_put_set(out, CRYPTO_BER_CONTEXT_CONSTRUCTED + 1, attributes);
}

static void
put_identifier(GByteArray *out, Rule rule, GBytes *der)
{
  CryptoBerItem issuer, serial;
  g_autoptr(GByteArray) id = g_byte_array_new();
  find_id(der, &issuer, &serial);
  crypto_ber_put_small(out, rule == BY_KEY_ID ? 3 : 1);
  if (rule == BY_KEY_ID) {
    g_autofree char *digits = NULL;
    g_assert_cmpint(pki_spawn(folder, &digits, "openssl", "x509", "-in", "rsa.pem", "-noout", "-ext",
                              "subjectKeyIdentifier", NULL),
                    ==, 0);
    const char *at = strchr(digits, '\n') + 1;
    for (; *at; at++)
      if (g_ascii_isxdigit(at[0]) && g_ascii_isxdigit(at[1])) {
        guint8 octet = (guint8)(g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]));
        g_byte_array_append(id, &octet, 1);
        at++;
      }
    g_assert_cmpuint(id->len, ==, 20);
    crypto_ber_put_array(out, CRYPTO_BER_CONTEXT, id);
    return;
  }
  g_byte_array_append(id, issuer.start, (guint)issuer.total);
  g_byte_array_append(id, serial.start, (guint)serial.total);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, id);
}

static void
put_signer(GByteArray *out, Rule rule, GBytes *der)
{
  g_autoptr(GPtrArray) attributes = make_attributes(rule, der);
  g_autoptr(GByteArray) signed_bytes = g_byte_array_new(), sent = g_byte_array_new(),
                        signer = g_byte_array_new();
  /* As they were made: messageDigest first, which DER puts last. */
  for (guint i = 0; i < attributes->len; i++)
    g_byte_array_append(sent, g_bytes_get_data(attributes->pdata[i], NULL),
                        (guint)g_bytes_get_size(attributes->pdata[i]));
  crypto_ber_wrap(sent, CRYPTO_BER_SET);
  if (rule == SIGNED_UNSORTED)
    g_byte_array_append(signed_bytes, sent->data, sent->len);
  else
    crypto_ber_put_set(signed_bytes, CRYPTO_BER_SET, attributes);
  if (rule != SENT_UNSORTED && rule != SIGNED_UNSORTED) {
    g_byte_array_set_size(sent, 0);
    g_byte_array_append(sent, signed_bytes->data, signed_bytes->len);
  }
  gboolean bare = rule == BARE || rule == BARE_OTHER_TYPE;
  if (bare) {
    g_byte_array_set_size(signed_bytes, 0);
    g_byte_array_append(signed_bytes, (const guint8 *)text, (guint)strlen(text));
  }
  g_autoptr(GBytes) value = sign(rule, signed_bytes);
  if (rule == ALTERED_ATTRIBUTE) {
    guint8 *time = memmem(sent->data, sent->len, "231114221320Z", 13);
    g_assert_nonnull(time);
    time[11] = '1';
  }
  put_identifier(signer, rule, der);
  put_algorithm(signer, CRYPTO_BER_SEQUENCE,
                rule == UNKNOWN_DIGEST ? CRYPTO_OID_SHA3_256
                : rule == MD2_DIGEST   ? CRYPTO_OID_MD2
                                       : CRYPTO_OID_SHA256);
  sent->data[0] = CRYPTO_BER_CONTEXT_CONSTRUCTED;
  if (!bare)
    g_byte_array_append(signer, sent->data, sent->len);
  put_algorithm(signer, CRYPTO_BER_SEQUENCE,
                rule == NAMED_DIGEST   ? CRYPTO_OID_SHA256_RSA
                : rule == OTHER_DIGEST ? CRYPTO_OID_SHA512_RSA
                                       : CRYPTO_OID_RSA);
  crypto_ber_put(signer, CRYPTO_BER_OCTET_STRING, g_bytes_get_data(value, NULL), g_bytes_get_size(value));
  put_unsigned(signer, rule);
  crypto_ber_put_array(out, CRYPTO_BER_SEQUENCE, signer);
}

static GBytes *
make_message(Rule rule)
{
  g_autoptr(GBytes) der = cert_der("rsa"), twin = cert_der("twin");
  g_autoptr(GByteArray) body = g_byte_array_new(), type = g_byte_array_new(), digests = g_byte_array_new();
  g_autoptr(GByteArray) certs = g_byte_array_new(), signers = g_byte_array_new(), out = g_byte_array_new();
  crypto_ber_put_small(body, 1);
  put_algorithm(digests, CRYPTO_BER_SEQUENCE, CRYPTO_OID_SHA256);
  crypto_ber_put_array(body, CRYPTO_BER_SET, digests);
  crypto_oid_put(type, rule == BARE_OTHER_TYPE ? CRYPTO_OID_TST_INFO : CRYPTO_OID_DATA);
  crypto_ber_put_array(body, CRYPTO_BER_SEQUENCE, type);
  for (guint i = 0; i < 3; i++) {
    GBytes *one = i == 1 ? der : twin;
    if (i == 1 || (i == 0 && rule == TWIN_FIRST) || (i == 2 && rule == TWIN_LAST))
      g_byte_array_append(certs, g_bytes_get_data(one, NULL), (guint)g_bytes_get_size(one));
  }
  crypto_ber_put_array(body, CRYPTO_BER_CONTEXT_CONSTRUCTED, certs);
  put_signer(signers, rule, der);
  crypto_ber_put_array(body, CRYPTO_BER_SET, signers);
  crypto_ber_wrap(body, CRYPTO_BER_SEQUENCE);
  crypto_oid_put(out, CRYPTO_OID_SIGNED_DATA);
  crypto_ber_put_array(out, CRYPTO_BER_CONTEXT_CONSTRUCTED, body);
  crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
  return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

static void
test_rule(gconstpointer data)
{
  guint i = GPOINTER_TO_UINT(data);
  g_autoptr(GBytes) message = make_message(cases[i].rule), content = g_bytes_new_static(text, strlen(text));
  g_autoptr(CryptoCms) cms = parse(message);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) signers = crypto_cms_verify(cms, content, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(signers->len, ==, 1);
  const CryptoSigner *signer = signers->pdata[0];
  if (signer->reason)
    g_test_message("%s", signer->reason);
  g_assert_cmpint(signer->state, ==, cases[i].state);
  g_assert_nonnull(signer->cert);
  g_assert_cmpstr(crypto_cert_common_name(signer->cert), ==,
                  cases[i].rule == TWIN_FIRST && signer->state ? "twin" : "rsa");
  g_assert_cmpint(signer->weak_digest, ==, cases[i].rule == MD2_DIGEST);
  if (cases[i].words)
    g_assert_nonnull(strstr(signer->reason, cases[i].words));
  else
    g_assert_null(signer->reason);
}

/* The same issuer and serial number, another key: an authority that was fooled, or one that we do not know. */
static void
make_twin(void)
{
  g_autofree char *serial = NULL;
  g_assert_cmpint(pki_spawn(folder, &serial, "openssl", "x509", "-in", "rsa.pem", "-noout", "-serial", NULL),
                  ==, 0);
  g_strchomp(serial);
  g_autofree char *number = g_strconcat("0x", strchr(serial, '=') + 1, NULL);
  pki_rsa_key(folder, "twin.key", "2048");
  pki_run(folder, "openssl", "req", "-new", "-key", "twin.key", "-out", "twin.csr", "-subj", "/CN=twin");
  pki_run(folder, "openssl", "x509", "-req", "-in", "twin.csr", "-CA", "root.pem", "-CAkey", "root.key",
          "-set_serial", number, "-days", "365", "-out", "twin.pem");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  make_people();
  make_twin();
  import_keys();
  lab_open();
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *path = g_strconcat("/cms-rules/", cases[i].name, NULL);
    g_test_add_data_func(path, GUINT_TO_POINTER(i), test_rule);
  }
  int result = g_test_run();
  lab_close();
  return result;
}
