#include "crypto/cms-private.h"

#include <sechash.h>
#include <string.h>

#include "crypto/mapping.h"

/* Every signer of a SignedData against the content. Trust in the certificates is not asked here. */

/* Of the certificates that one signer may mean, and of searches in the database for one message. */
enum { CANDIDATES_MAX = 4, LOOKUPS_MAX = 8 };

/* What was signed: the caller's bytes, or the message's own, piece by piece. Digests are taken once each. */
typedef struct {
  CryptoCms *cms;
  GBytes *detached; /* borrowed; NULL: the message's own */
  GPtrArray *extra; /* borrowed; may be NULL */
  struct {
    const CryptoCmsDigest *digest;
    guint8 value[CRYPTO_CMS_DIGEST_MAX];
  } done[8];
  guint n_done, lookups;
} Verification;

static gboolean
hash_piece(const guint8 *data, gsize length, gpointer context)
{
  while (length > 0) {
    PRUint32 part = (PRUint32)MIN(length, 1u << 20);
    HASH_Update(context, data, part);
    crypto_mapping_release(data, data + part);
    data += part;
    length -= part;
  }
  return TRUE;
}

/* NULL: the content is malformed. */
static const guint8 *
content_digest(Verification *job, const CryptoCmsDigest *digest)
{
  for (guint i = 0; i < job->n_done; i++)
    if (job->done[i].digest == digest)
      return job->done[i].value;
  g_assert(job->n_done < G_N_ELEMENTS(job->done));
  HASHContext *context = HASH_Create(digest->hash);
  g_assert(context != NULL);
  HASH_Begin(context);
  gboolean read = TRUE;
  if (job->detached) {
    gsize length;
    const guint8 *data = g_bytes_get_data(job->detached, &length);
    hash_piece(data, length, context);
  } else {
    read = crypto_ber_runs(&job->cms->content, hash_piece, context);
  }
  unsigned length = 0;
  HASH_End(context, job->done[job->n_done].value, &length, CRYPTO_CMS_DIGEST_MAX);
  HASH_Destroy(context);
  if (!read)
    return NULL;
  job->done[job->n_done].digest = digest;
  return job->done[job->n_done++].value;
}

static void
add_candidate(GPtrArray *candidates, CryptoCert *cert)
{
  if (!cert)
    return;
  for (guint i = 0; i < candidates->len; i++) {
    CryptoCert *known = candidates->pdata[i];
    if (candidates->len >= CANDIDATES_MAX || g_bytes_equal(crypto_cert_der(known), crypto_cert_der(cert))) {
      crypto_cert_unref(cert);
      return;
    }
  }
  g_ptr_array_add(candidates, cert);
}

/* Every certificate that this signer may mean; two of the same name and number are possible, and only one of
 * them will verify. */
static GPtrArray *
find_candidates(Verification *job, const CryptoCmsId *id)
{
  GPtrArray *candidates = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  GArray *certs = job->cms->certs;
  for (guint i = 0; i < certs->len && candidates->len < CANDIDATES_MAX; i++) {
    const CryptoBerItem *der = &g_array_index(certs, CryptoBerItem, i);
    if (!id->by_key_id && !crypto_cms_id_fits_der(id, der))
      continue;
    g_autoptr(CryptoCert) cert = crypto_cert_new(der->start, der->total, NULL);
    if (cert && crypto_cms_id_fits(id, cert))
      add_candidate(candidates, g_steal_pointer(&cert));
  }
  for (guint i = 0; job->extra && i < job->extra->len; i++)
    if (crypto_cms_id_fits(id, job->extra->pdata[i]))
      add_candidate(candidates, crypto_cert_ref(job->extra->pdata[i]));
  if (candidates->len == 0 && job->lookups++ < LOOKUPS_MAX)
    add_candidate(candidates, crypto_cms_id_lookup(id));
  return candidates;
}

static void
conclude(CryptoSigner *signer, CryptoSignatureState state, char *reason)
{
  signer->state = state;
  g_free(signer->reason);
  signer->reason = reason;
}

static CryptoSignatureState
check_over(const CryptoCmsSignerInfo *info, const CryptoCmsDigest *digest, const GByteArray *what,
           CryptoCert *cert, char **reason)
{
  guint8 hash[CRYPTO_CMS_DIGEST_MAX];
  crypto_cms_digest_bytes(digest, what->data, what->len, hash);
  return crypto_cms_check_signature(info, digest, hash, cert, reason);
}

/* The signature value: over the attributes in DER's order, whatever the order that they came in (RFC 5652 5.4); or
 * over the content. One that fits only another order was made by breaking the rules, and is not made good, but the
 * reason says so: some old programs (Outlook 2011 for Mac) sign in the order in which they send. */
static CryptoSignatureState
check_value(const CryptoCmsSignerInfo *info, const CryptoCmsDigest *digest, const guint8 *content,
            CryptoCert *cert, char **reason)
{
  if (info->attributes.tag == 0)
    return crypto_cms_check_signature(info, digest, content, cert, reason);
  g_autoptr(GByteArray) sorted = crypto_cms_attributes_signed(&info->attributes, TRUE);
  CryptoSignatureState state = check_over(info, digest, sorted, cert, reason);
  if (state != CRYPTO_SIGNATURE_FORGED)
    return state;
  g_autoptr(GByteArray) sent = crypto_cms_attributes_signed(&info->attributes, FALSE);
  g_autofree char *other_reason = NULL;
  if (check_over(info, digest, sent, cert, &other_reason) != CRYPTO_SIGNATURE_INTACT)
    return state;
  g_free(*reason);
  *reason = g_strdup(
      "The sender's program signed the attributes in an order that breaks the rules (RFC 5652 5.4), so that "
      "the signature is not counted. Ask the sender for another program.");
  return state;
}

/* With which of the certificates does it verify? The first one speaks for the others where none does. */
static void
try_candidates(const CryptoCmsSignerInfo *info, const CryptoCmsDigest *digest, const guint8 *content,
               gboolean altered, GPtrArray *candidates, CryptoSigner *signer)
{
  for (guint i = 0; i < candidates->len; i++) {
    CryptoCert *cert = candidates->pdata[i];
    char *reason = NULL;
    CryptoSignatureState state = check_value(info, digest, content, cert, &reason);
    if (i == 0 || state == CRYPTO_SIGNATURE_INTACT)
      conclude(signer, state, reason);
    else
      g_free(reason);
    if (state != CRYPTO_SIGNATURE_INTACT)
      continue;
    crypto_cert_unref(signer->cert);
    signer->cert = crypto_cert_ref(cert);
    if (!crypto_cms_attributes_name_cert(info, cert, signer))
      continue;
    if (altered)
      conclude(signer, CRYPTO_SIGNATURE_ALTERED, g_strdup("The message was changed after it was signed."));
    return;
  }
}

/* No signed attributes: the signature is over the content itself. FALSE: a rule is broken. */
static gboolean
check_bare_content(Verification *job, CryptoSigner *signer)
{
  CryptoCms *cms = job->cms;
  g_autoptr(GBytes) gathered = NULL;
  if (crypto_oid_find(&cms->content_name) != CRYPTO_OID_DATA) {
    conclude(
        signer, CRYPTO_SIGNATURE_FORGED,
        g_strdup("The signature breaks a rule: content of this kind must be signed with signed attributes. "
                 "It proves nothing."));
    return FALSE;
  }
  if (!job->detached)
    gathered = crypto_ber_octets(cms->bytes, &cms->content, G_MAXINT32);
  gsize length = 0;
  const guint8 *data = job->detached ? g_bytes_get_data(job->detached, &length)
                       : gathered    ? g_bytes_get_data(gathered, &length)
                                     : NULL;
  if (length == 0 || data[0] != CRYPTO_BER_SET || !crypto_cms_looks_like_attributes(data, length))
    return TRUE;
  conclude(
      signer, CRYPTO_SIGNATURE_FORGED,
      g_strdup(
          "The signature was taken from another message: what is shown as content was the list of signed "
          "attributes there. It proves nothing."));
  return FALSE;
}

static void
check_signer(Verification *job, const CryptoCmsSignerInfo *info, CryptoSigner *signer)
{
  const CryptoCmsDigest *digest = crypto_cms_digest(info->digest.oid);
  const char *algorithm = crypto_cms_signature_name(&info->signature);
  g_autoptr(GPtrArray) candidates = find_candidates(job, &info->id);
  signer->identifier = crypto_cms_describe_id(&info->id);
  signer->digest = digest ? g_strdup(digest->name) : crypto_oid_describe(&info->digest.name);
  signer->algorithm = algorithm ? g_strdup(algorithm) : crypto_oid_describe(&info->signature.name);
  signer->weak_digest =
      digest ? digest->weak : info->digest.oid == CRYPTO_OID_MD2 || info->digest.oid == CRYPTO_OID_MD4;
  if (candidates->len > 0)
    signer->cert = crypto_cert_ref(candidates->pdata[0]);
  if (!digest || !algorithm) {
    conclude(signer, CRYPTO_SIGNATURE_UNSUPPORTED,
             g_strdup_printf("The signature cannot be checked: the %s algorithm (%s) is not supported here.",
                             digest ? "signature" : "digest", digest ? signer->algorithm : signer->digest));
    return;
  }
  const guint8 *content = content_digest(job, digest);
  if (!content) {
    conclude(signer, CRYPTO_SIGNATURE_FORGED, g_strdup("The signed content is damaged or cut short."));
    return;
  }
  gboolean altered = FALSE;
  if (!crypto_cms_check_unsigned(info, signer))
    return;
  if (info->attributes.tag == 0
          ? !check_bare_content(job, signer)
          : !crypto_cms_read_attributes(job->cms, info, content, digest, signer, &altered))
    return;
  if (candidates->len > 0) {
    try_candidates(info, digest, content, altered, candidates, signer);
    return;
  }
  if (altered)
    conclude(signer, CRYPTO_SIGNATURE_ALTERED, g_strdup("The message was changed after it was signed."));
  else
    conclude(signer, CRYPTO_SIGNATURE_NO_CERT,
             g_strdup_printf(
                 "The signature cannot be checked: the signer's certificate (%s) was not sent along and is "
                 "not known here. Ask the sender for it.",
                 signer->identifier));
}

GPtrArray *
crypto_cms_verify(CryptoCms *cms, GBytes *detached, GPtrArray *extra, GError **error)
{
  if (cms->kind != CRYPTO_CMS_SIGNED && cms->kind != CRYPTO_CMS_CERTS_ONLY) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED, "This is not signed data but %s.",
                cms->type_name);
    return NULL;
  }
  if (!detached && cms->content.tag == 0 && cms->kind == CRYPTO_CMS_SIGNED) {
    crypto_cms_malformed(error, "the content that was signed is not in it");
    return NULL;
  }
  Verification job = { .cms = cms, .detached = detached, .extra = extra };
  GPtrArray *signers = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_signer_free);
  for (guint i = 0; i < cms->signers->len; i++) {
    CryptoSigner *signer = g_new0(CryptoSigner, 1);
    g_ptr_array_add(signers, signer);
    check_signer(&job, &g_array_index(cms->signers, CryptoCmsSignerInfo, i), signer);
  }
  return signers;
}

void
crypto_signer_free(CryptoSigner *signer)
{
  if (!signer)
    return;
  g_free(signer->reason);
  crypto_cert_unref(signer->cert);
  g_free(signer->identifier);
  g_free(signer->digest);
  g_free(signer->algorithm);
  g_clear_pointer(&signer->capabilities, g_bytes_unref);
  g_clear_pointer(&signer->encryption_cert_id, g_bytes_unref);
  g_free(signer);
}
