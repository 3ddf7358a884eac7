#include <cert.h>
#include <pk11pub.h>
#include <secder.h>
#include <secerr.h>
#include <string.h>

#include "crypto/ocsp-private.h"

/* What responders say (RFC 6960). NSS's own OCSP code keeps one setting and one cache for the process and cannot be
 * told who may ask, so the answer is read by crypto/ocsp-read.c and its signature checked here, by NSS's primitives.
 * Everything but the two functions that say so runs under the chain lock. */
enum {
  CLOCK_SLACK = 300,   /* seconds by which two clocks may differ */
  ANSWERS_MAX = 2000,  /* kept in memory */
  NO_NEXT_SECONDS = 3600, /* how long an answer without nextUpdate holds */
  LOOK_AGAIN_SECONDS = 60, /* another signet writes to the same cache */
};

typedef struct {
  CryptoRevocation status; /* NOT_CHECKED: nothing is known */
  gint64 revoked_at, this_update, next_update;
  gint64 signer_ends; /* of the responder's own certificate; G_MAXINT64: the issuer signed it itself */
  gint64 looked; /* monotonic: when the cache was looked into */
  guint turn;    /* in which it was: another one's may be out of date */
} Answer;

static GHashTable *answers; /* "certificate issuer", by SHA-256 -> Answer */
static gboolean any;        /* one of them knows something */
static guint turn;

static char *
key_of(CryptoCert *cert, CryptoCert *issuer)
{
  return g_strconcat(crypto_cert_sha256(cert), " ", crypto_cert_sha256(issuer), NULL);
}

static gboolean
refuse(GError **error, CryptoError code, const char *sentence)
{
  g_set_error_literal(error, CRYPTO_ERROR, code, sentence);
  return FALSE;
}

/* --- the question */

static gboolean
hash_names(SECOidTag algorithm, CryptoCert *issuer, guint8 name[HASH_LENGTH_MAX], guint8 key[HASH_LENGTH_MAX],
           guint *length)
{
  SECItem bits = issuer->nss->subjectPublicKeyInfo.subjectPublicKey;
  DER_ConvertBitString(&bits);
  const SECItem *subject = &issuer->nss->derSubject;
  *length = algorithm == SEC_OID_SHA1 ? 20 : 32;
  return PK11_HashBuf(algorithm, name, subject->data, (PRInt32)subject->len) == SECSuccess &&
         PK11_HashBuf(algorithm, key, bits.data, (PRInt32)bits.len) == SECSuccess;
}

/* The certificate is named by SHA-1 of its issuer: the one name that every responder knows (RFC 5019). */
GBytes *
crypto_ocsp_request(CryptoCert *cert, CryptoCert *issuer, const guint8 nonce[CRYPTO_OCSP_NONCE])
{
  static const guint8 sha1[] = { 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00 };
  static const guint8 nonce_oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };
  guint8 name[HASH_LENGTH_MAX], key[HASH_LENGTH_MAX];
  guint length;
  if (!hash_names(SEC_OID_SHA1, issuer, name, key, &length))
    return NULL;
  GByteArray *request = g_byte_array_new();
  g_byte_array_append(request, sha1, sizeof sha1);
  crypto_ber_put(request, CRYPTO_BER_OCTET_STRING, name, length);
  crypto_ber_put(request, CRYPTO_BER_OCTET_STRING, key, length);
  crypto_ber_put(request, CRYPTO_BER_INTEGER, cert->nss->serialNumber.data, cert->nss->serialNumber.len);
  for (guint i = 0; i < 3; i++) /* CertID, Request, requestList */
    crypto_ber_wrap(request, CRYPTO_BER_SEQUENCE);
  g_autoptr(GByteArray) extension = g_byte_array_new(), value = g_byte_array_new();
  crypto_ber_put(value, CRYPTO_BER_OCTET_STRING, nonce, CRYPTO_OCSP_NONCE);
  crypto_ber_put(extension, CRYPTO_BER_OID, nonce_oid, sizeof nonce_oid);
  crypto_ber_put_array(extension, CRYPTO_BER_OCTET_STRING, value);
  crypto_ber_wrap(extension, CRYPTO_BER_SEQUENCE);
  crypto_ber_wrap(extension, CRYPTO_BER_SEQUENCE);
  crypto_ber_put_array(request, CRYPTO_BER_CONTEXT_CONSTRUCTED + 2, extension);
  crypto_ber_wrap(request, CRYPTO_BER_SEQUENCE);
  crypto_ber_wrap(request, CRYPTO_BER_SEQUENCE);
  return g_byte_array_free_to_bytes(request);
}

/* --- who signed the answer */

static gboolean
verifies(const CryptoOcspResponse *response, CryptoCert *signer, gboolean *weak)
{
  PLArenaPool *arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
  SECKEYPublicKey *key = CERT_ExtractPublicKey(signer->nss);
  CERTSignedData data;
  memset(&data, 0, sizeof data);
  data.data = (SECItem){ siBuffer, (guint8 *)response->tbs.start, (guint)response->tbs.total };
  SECItem algorithm = { siBuffer, (guint8 *)response->algorithm.start, (guint)response->algorithm.total };
  /* NSS counts a signature's length in bits. */
  data.signature.data = (guint8 *)response->signature.data + 1;
  data.signature.len = (guint)(response->signature.length - 1) * 8;
  gboolean good = arena && key &&
                  SEC_QuickDERDecodeItem(arena, &data.signatureAlgorithm, SEC_ASN1_GET(SECOID_AlgorithmIDTemplate),
                                         &algorithm) == SECSuccess &&
                  CERT_VerifySignedDataWithPublicKey(&data, key, NULL) == SECSuccess;
  *weak = good && crypto_crl_is_weak(&data.signatureAlgorithm);
  if (key)
    SECKEY_DestroyPublicKey(key);
  if (arena)
    PORT_FreeArena(arena, PR_FALSE);
  return good;
}

static gboolean
is_named(const CryptoOcspResponse *response, CryptoCert *signer)
{
  const SECItem *subject = &signer->nss->derSubject;
  if (response->by_name.start)
    return response->by_name.total == subject->len &&
           memcmp(response->by_name.start, subject->data, subject->len) == 0;
  guint8 name[HASH_LENGTH_MAX], key[HASH_LENGTH_MAX];
  guint length;
  return hash_names(SEC_OID_SHA1, signer, name, key, &length) && crypto_ber_is(&response->by_key, key, length);
}

/* id-kp-OCSPSigning itself, by RFC 6960 4.2.2.2: any use is not enough. */
static gboolean
may_answer(CryptoCert *cert)
{
  static const guint8 ocsp_signing[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09 };
  SECItem value = { siBuffer, NULL, 0 };
  if (CERT_FindCertExtension(cert->nss, SEC_OID_X509_EXT_KEY_USAGE, &value) != SECSuccess)
    return FALSE;
  CryptoBerReader reader = crypto_ber_reader(value.data, value.len);
  CryptoBerItem list, oid;
  gboolean found = FALSE;
  if (crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &list)) {
    CryptoBerReader all = crypto_ber_enter(&list);
    while (crypto_ber_expect(&all, CRYPTO_BER_OID, &oid))
      found = found || crypto_ber_is(&oid, ocsp_signing, sizeof ocsp_signing);
  }
  SECITEM_FreeItem(&value, PR_FALSE);
  return found;
}

/* A responder's certificate: the issuer's own child, made for this, in its time, strong, and not itself revoked. */
static gboolean
is_delegate(CryptoCert *cert, CryptoCert *issuer, gint64 at)
{
  gint64 date;
  return may_answer(cert) && at + CLOCK_SLACK >= crypto_cert_not_before(cert) &&
         at - CLOCK_SLACK <= crypto_cert_not_after(cert) && crypto_rules_strength(cert) == 0 &&
         crypto_chain_issued(cert, issuer) &&
         crypto_crl_status(cert, issuer, at, &date) != CRYPTO_REVOCATION_REVOKED;
}

/* @ends: when its signer's certificate does. @weak: it is signed with SHA-1. */
static gboolean
is_authentic(const CryptoOcspResponse *response, CryptoCert *issuer, gint64 *ends, gboolean *weak)
{
  *ends = G_MAXINT64;
  if (is_named(response, issuer) && verifies(response, issuer, weak))
    return TRUE;
  for (guint i = 0; i < response->n_certs; i++) {
    g_autoptr(CryptoCert) cert = crypto_cert_new(response->certs[i].start, response->certs[i].total, NULL);
    if (cert && is_named(response, cert) && is_delegate(cert, issuer, response->produced) &&
        verifies(response, cert, weak)) {
      *ends = crypto_cert_not_after(cert);
      return TRUE;
    }
  }
  return FALSE;
}

/* --- what it says */

static gboolean
is_about(const CryptoOcspSingle *single, CryptoCert *cert, CryptoCert *issuer)
{
  static const guint8 sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
  static const guint8 sha256[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };
  SECOidTag algorithm = crypto_ber_is(&single->hash_algorithm, sha1, sizeof sha1)       ? SEC_OID_SHA1
                        : crypto_ber_is(&single->hash_algorithm, sha256, sizeof sha256) ? SEC_OID_SHA256
                                                                                        : SEC_OID_UNKNOWN;
  guint8 name[HASH_LENGTH_MAX], key[HASH_LENGTH_MAX];
  guint length;
  return algorithm != SEC_OID_UNKNOWN &&
         crypto_ber_is(&single->serial, cert->nss->serialNumber.data, cert->nss->serialNumber.len) &&
         hash_names(algorithm, issuer, name, key, &length) && crypto_ber_is(&single->name_hash, name, length) &&
         crypto_ber_is(&single->key_hash, key, length);
}

static gboolean
nonce_fits(const CryptoOcspResponse *response, const guint8 *nonce)
{
  if (!nonce || !response->nonce.start)
    return TRUE;
  CryptoBerReader reader = crypto_ber_reader(response->nonce.data, response->nonce.length);
  CryptoBerItem inner;
  return crypto_ber_expect(&reader, CRYPTO_BER_OCTET_STRING, &inner) &&
         crypto_ber_is(&inner, nonce, CRYPTO_OCSP_NONCE);
}

static const char *
refusal(int status)
{
  switch (status) {
  case 1:
    return "The responder calls our question malformed. Tell the authority.";
  case 2:
    return "The responder has an error of its own; ask again later.";
  case 3:
    return "The responder is busy; ask again later.";
  case 6:
    return "The responder does not answer for this authority, or not to us. Tell the authority.";
  default:
    return "The responder refuses to answer. Ask again later.";
  }
}

/* A responder's key that outlives its certificate could date answers back: they end with it. */
static gint64
holds_until(const Answer *answer)
{
  return MIN(answer->next_update ? answer->next_update : answer->this_update + NO_NEXT_SECONDS, answer->signer_ends);
}

static gint64
now_seconds(void)
{
  return g_get_real_time() / G_USEC_PER_SEC;
}

static int
badness(const CryptoOcspSingle *single)
{
  return single->status == CRYPTO_REVOCATION_REVOKED ? 2 : single->status == CRYPTO_REVOCATION_UNKNOWN ? 1 : 0;
}

static gboolean
judge(GBytes *bytes, CryptoCert *cert, CryptoCert *issuer, const guint8 *nonce, Answer *answer, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  CryptoOcspResponse response;
  if (!crypto_ocsp_read(data, length, &response))
    return refuse(error, CRYPTO_ERROR_MALFORMED, "What came is not an OCSP answer. Ask again later, or tell the authority.");
  if (response.status != 0)
    return refuse(error, CRYPTO_ERROR_FAILED, refusal(response.status));
  if (!nonce_fits(&response, nonce))
    return refuse(error, CRYPTO_ERROR_REFUSED,
                  "It answers another question than ours (the nonce differs). Ask again later.");
  gint64 ends;
  gboolean weak = FALSE;
  if (!is_authentic(&response, issuer, &ends, &weak))
    return refuse(error, CRYPTO_ERROR_UNTRUSTED,
                  "The answer is not signed by the certificate's issuer, nor by a responder that it named. "
                  "Ask again later, or tell the authority.");
  const CryptoOcspSingle *said = NULL; /* the worst, where it says more than one thing */
  for (guint i = 0; i < response.n_singles; i++) {
    const CryptoOcspSingle *single = &response.singles[i];
    if (is_about(single, cert, issuer) && (!said || badness(single) > badness(said)))
      said = single;
  }
  if (!said)
    return refuse(error, CRYPTO_ERROR_FAILED, "The answer does not speak of this certificate. Tell the authority.");
  if (weak && said->status != CRYPTO_REVOCATION_REVOKED)
    return refuse(error, CRYPTO_ERROR_REFUSED,
                  "The answer is signed with SHA-1, which is no longer safe. Tell the authority.");
  *answer = (Answer){ said->status, said->revoked_at, said->this_update, said->next_update, ends, 0, 0 };
  return TRUE;
}

static void
remember(CryptoCert *cert, CryptoCert *issuer, Answer answer)
{
  if (!answers)
    answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  if (g_hash_table_size(answers) >= ANSWERS_MAX)
    g_hash_table_remove_all(answers);
  answer.looked = g_get_monotonic_time();
  answer.turn = turn;
  any |= answer.status != CRYPTO_REVOCATION_NOT_CHECKED;
  g_hash_table_insert(answers, key_of(cert, issuer), g_memdup2(&answer, sizeof answer));
}

gboolean
crypto_ocsp_take(GBytes *bytes, CryptoCert *cert, CryptoCert *issuer, const guint8 *nonce, gint64 at, GError **error)
{
  Answer answer;
  crypto_chain_lock();
  gboolean good = judge(bytes, cert, issuer, nonce, &answer, error);
  gint64 latest = MAX(at, now_seconds()) + CLOCK_SLACK;
  if (good && answer.this_update > latest)
    good = refuse(error, CRYPTO_ERROR_REFUSED, "The answer is dated ahead of now; is the clock right?");
  if (good && answer.status != CRYPTO_REVOCATION_REVOKED && holds_until(&answer) < at)
    good = refuse(error, CRYPTO_ERROR_REFUSED,
                  "The answer is stale: it held only until an earlier time. Ask again later.");
  if (good) {
    g_autofree char *key = key_of(cert, issuer);
    g_autofree char *file = crypto_revocation_cache_file(key, "ocsp");
    const Answer *known = answers ? g_hash_table_lookup(answers, key) : NULL;
    if (!known || known->this_update <= answer.this_update) {
      remember(cert, issuer, answer);
      if (file && answer.status != CRYPTO_REVOCATION_UNKNOWN)
        g_file_set_contents_full(file, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes),
                                 G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL); /* a cache: it may fail */
      crypto_chain_forget_verdicts();
    }
    if (answer.status == CRYPTO_REVOCATION_UNKNOWN)
      good = refuse(error, CRYPTO_ERROR_FAILED, "The responder does not know this certificate. Tell the authority.");
  }
  crypto_chain_unlock();
  return good;
}

/* Under the lock. */
static const Answer *
look_up(CryptoCert *cert, CryptoCert *issuer)
{
  g_autofree char *key = key_of(cert, issuer);
  const Answer *known = answers ? g_hash_table_lookup(answers, key) : NULL;
  if (known && known->turn == turn &&
      (holds_until(known) > now_seconds() ||
       g_get_monotonic_time() - known->looked < LOOK_AGAIN_SECONDS * G_USEC_PER_SEC))
    return known;
  g_autofree char *file = crypto_revocation_cache_file(key, "ocsp");
  if (!file)
    return known;
  Answer answer = known ? *known : (Answer){ .status = CRYPTO_REVOCATION_NOT_CHECKED };
  g_autoptr(GMappedFile) mapped = g_mapped_file_new(file, FALSE, NULL);
  if (mapped && g_mapped_file_get_length(mapped) <= CRYPTO_OCSP_BYTES_MAX) {
    g_autoptr(GBytes) bytes = g_bytes_new(g_mapped_file_get_contents(mapped), g_mapped_file_get_length(mapped));
    Answer read;
    if (judge(bytes, cert, issuer, NULL, &read, NULL) && read.this_update >= answer.this_update)
      answer = read;
  }
  remember(cert, issuer, answer);
  return g_hash_table_lookup(answers, key);
}

CryptoRevocation
crypto_ocsp_status(CryptoCert *cert, CryptoCert *issuer, gint64 at, gint64 *revoked_at)
{
  const Answer *answer = look_up(cert, issuer);
  *revoked_at = 0;
  if (!answer)
    return CRYPTO_REVOCATION_UNKNOWN;
  if (answer->status == CRYPTO_REVOCATION_REVOKED) {
    *revoked_at = answer->revoked_at;
    return CRYPTO_REVOCATION_REVOKED;
  }
  gint64 latest = MAX(at, now_seconds()) + CLOCK_SLACK;
  gboolean fresh = answer->this_update <= latest && holds_until(answer) >= at &&
                   answer->this_update <= crypto_cert_not_after(cert);
  return answer->status == CRYPTO_REVOCATION_GOOD && fresh ? CRYPTO_REVOCATION_GOOD : CRYPTO_REVOCATION_UNKNOWN;
}

void
crypto_ocsp_look_again(void)
{
  turn++;
}

gboolean
crypto_ocsp_any(void)
{
  return any;
}

void
crypto_ocsp_close(void)
{
  g_clear_pointer(&answers, g_hash_table_unref);
  any = FALSE;
}
