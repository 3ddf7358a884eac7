#include "crypto/chain.h"

#include <cert.h>
#include <prerror.h>
#include <secerr.h>
#include <string.h>

#include "crypto/chain-private.h"
#include "crypto/context.h"
#include "crypto/ocsp-private.h"

/* Paths are searched depth first from the certificate upwards, through every authority that its name and its
 * signature allow (cross-certificates, renewed keys), until one breaks no rule. The search is bounded. What it
 * finds good is still put to NSS, which may say no. */
enum {
  CANDIDATES_MAX = 50, /* authorities tried for one certificate to judge */
  SUBJECTS_MAX = 500,  /* looked-up names that are kept */
  SUBJECT_CERTS_MAX = 1000,
  SIGNATURES_MAX = 10000, /* checked signatures that are kept */
  LOOKUP_SECONDS = 60,    /* other programs write to the same database */
};

typedef enum { SIGNATURE_GOOD = 1, SIGNATURE_BAD, SIGNATURE_WEAK, SIGNATURE_UNSUPPORTED } Signature;

typedef struct {
  GPtrArray *certs; /* of CryptoCert */
  gint64 looked_up; /* monotonic */
} Subject;

/* Under the mutex. Holding the authorities keeps NSS from reading them out of SQLite for every mail. */
static GMutex chain_mutex;
static GHashTable *subjects;   /* GBytes of a DER name -> Subject */
static char **only;           /* fingerprints of the authorities that policy allows; NULL: all. See crypto_open() */
static GHashTable *signatures; /* SHA-256 of one and of its issuer -> Signature; a fact that never changes */

typedef struct {
  CryptoUse use;
  CryptoRevocationMode mode;
  gint64 at;
  GPtrArray *extra;
  CryptoPath now, best;
  guint best_cost, tried;
  gboolean found;
} Search;

void
crypto_chain_lock(void)
{
  g_mutex_lock(&chain_mutex);
}

void
crypto_chain_unlock(void)
{
  g_mutex_unlock(&chain_mutex);
}

static void
forget(void)
{
  g_clear_pointer(&subjects, g_hash_table_unref);
  crypto_chain_forget_verdicts();
  crypto_crl_forget();
  crypto_ocsp_look_again();
}

void
crypto_chain_forget(void)
{
  crypto_chain_lock();
  forget();
  crypto_chain_unlock();
  crypto_cert_forget();
}

void
crypto_chain_close(void)
{
  crypto_chain_lock();
  g_clear_pointer(&subjects, g_hash_table_unref);
  g_clear_pointer(&signatures, g_hash_table_unref);
  g_clear_pointer(&only, g_strfreev);
  crypto_chain_forget_verdicts();
  crypto_crl_close();
  crypto_revocation_close();
  crypto_anchors_close();
  crypto_chain_unlock();
  crypto_cert_forget();
}

void
crypto_chain_only(const char *fingerprints)
{
  crypto_chain_lock();
  g_strfreev(only);
  only = fingerprints ? g_strsplit(fingerprints, ",", -1) : NULL;
  crypto_chain_unlock();
}

char *
crypto_chain_allowed(void)
{
  crypto_chain_lock();
  char *all = only ? g_strjoinv(",", only) : g_strdup("");
  crypto_chain_unlock();
  return all;
}

/* --- who could have issued it */

static void
unref_cert(gpointer cert)
{
  crypto_cert_unref(cert);
}

static void
subject_free(gpointer data)
{
  Subject *subject = data;
  g_ptr_array_unref(subject->certs);
  g_free(subject);
}

gboolean
crypto_chain_is_kept(CryptoCert *cert)
{
  if (cert->nss->isperm || cert->nss->slot)
    return TRUE;
  GPtrArray *session = crypto_context_session_certs();
  for (guint i = 0; session && i < session->len; i++)
    if (((CryptoCert *)session->pdata[i])->nss == cert->nss)
      return TRUE;
  return FALSE;
}

/* NSS lists what any mail of this run has brought as well: that mail's own chain may be built with it, no other's. */
static GPtrArray *
look_up(const SECItem *name)
{
  GPtrArray *certs = g_ptr_array_new_with_free_func(unref_cert);
  CERTCertList *list = CERT_CreateSubjectCertList(NULL, CERT_GetDefaultCertDB(), name, PR_Now(), PR_FALSE);
  if (!list)
    return certs;
  for (CERTCertListNode *node = CERT_LIST_HEAD(list);
       !CERT_LIST_END(node, list) && certs->len < SUBJECT_CERTS_MAX; node = CERT_LIST_NEXT(node)) {
    CryptoCert *cert = crypto_cert_wrap(node->cert);
    if (crypto_chain_is_kept(cert))
      g_ptr_array_add(certs, cert);
    else
      crypto_cert_unref(cert);
  }
  CERT_DestroyCertList(list);
  return certs;
}

static gboolean
is_stale(gpointer key, gpointer data, gpointer now)
{
  return *(gint64 *)now - ((Subject *)data)->looked_up > LOOKUP_SECONDS * G_USEC_PER_SEC;
}

/* Before a search only: a search borrows what it finds here. */
static void
tidy(void)
{
  if (!subjects)
    subjects =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, subject_free);
  gint64 now = g_get_monotonic_time();
  g_hash_table_foreach_remove(subjects, is_stale, &now);
  if (g_hash_table_size(subjects) > SUBJECTS_MAX)
    g_hash_table_remove_all(subjects);
}

static GPtrArray *
named(const SECItem *name)
{
  g_autoptr(GBytes) key = g_bytes_new(name->data, name->len);
  Subject *subject = g_hash_table_lookup(subjects, key);
  if (!subject) {
    subject = g_new0(Subject, 1);
    subject->certs = look_up(name);
    subject->looked_up = g_get_monotonic_time();
    g_hash_table_insert(subjects, g_steal_pointer(&key), subject);
  }
  return subject->certs;
}

static gboolean
is_anchor(CryptoCert *cert)
{
  CERTCertTrust trust;
  return CERT_GetCertTrust(cert->nss, &trust) == SECSuccess && (trust.emailFlags & CERTDB_TRUSTED_CA) &&
         !crypto_anchors_withdrawn(cert);
}

static gboolean
is_allowed(CryptoCert *cert)
{
  return !only || g_strv_contains((const char *const *)only, crypto_cert_sha256(cert));
}

static gboolean
same(CryptoCert *a, CryptoCert *b)
{
  return strcmp(crypto_cert_sha256(a), crypto_cert_sha256(b)) == 0;
}

static gboolean
key_id_fits(CryptoCert *cert, CryptoCert *issuer)
{
  CERTAuthKeyID *id = cert->nss->authKeyID;
  return id && id->keyID.len > 0 && SECITEM_ItemsAreEqual(&id->keyID, &issuer->nss->subjectKeyID);
}

typedef struct {
  CryptoCert *cert;
  guint rank;
} Candidate;

static int
compare_rank(gconstpointer a, gconstpointer b)
{
  return (int)((const Candidate *)b)->rank - (int)((const Candidate *)a)->rank;
}

static void
add_candidate(Search *search, GArray *candidates, CryptoCert *cert, CryptoCert *child)
{
  for (guint i = 0; i < candidates->len; i++)
    if (same(g_array_index(candidates, Candidate, i).cert, cert))
      return;
  /* The likely one first, and what is kept before what a mail brings, so that a mail cannot crowd it out. */
  Candidate candidate = { cert, 0 };
  candidate.rank += is_anchor(cert) ? 16 : 0;
  candidate.rank += crypto_chain_is_kept(cert) ? 8 : 0;
  candidate.rank += key_id_fits(child, cert) ? 4 : 0;
  candidate.rank +=
      search->at >= crypto_cert_not_before(cert) && search->at <= crypto_cert_not_after(cert) ? 2 : 0;
  candidate.rank += crypto_cert_is_authority(cert) ? 1 : 0;
  g_array_append_val(candidates, candidate);
}

static GArray *
find_candidates(Search *search, CryptoCert *child)
{
  GArray *candidates = g_array_new(FALSE, FALSE, sizeof(Candidate));
  const SECItem *name = &child->nss->derIssuer;
  GPtrArray *kept = named(name);
  for (guint i = 0; i < kept->len; i++)
    add_candidate(search, candidates, kept->pdata[i], child);
  for (guint i = 0; search->extra && i < search->extra->len; i++) {
    CryptoCert *cert = search->extra->pdata[i];
    if (SECITEM_ItemsAreEqual(name, &cert->nss->derSubject))
      add_candidate(search, candidates, cert, child);
  }
  g_array_sort(candidates, compare_rank);
  return candidates;
}

/* --- did it issue it */

static Signature
check_signature(CryptoCert *cert, CryptoCert *issuer)
{
  /* The algorithm is named twice, and NSS goes by the name that is not signed: a SHA-1 collision could wear the
   * name SHA-256 inside (RFC 5280 4.1.1.2). */
  if (SECOID_CompareAlgorithmID(&cert->nss->signature, &cert->nss->signatureWrap.signatureAlgorithm) !=
      SECEqual)
    return SIGNATURE_BAD;
  SECKEYPublicKey *key = CERT_ExtractPublicKey(issuer->nss);
  if (!key)
    return SIGNATURE_UNSUPPORTED;
  Signature result = SIGNATURE_GOOD;
  if (CERT_VerifySignedDataWithPublicKey(&cert->nss->signatureWrap, key, NULL) != SECSuccess) {
    int code = PORT_GetError();
    result =
        code == SEC_ERROR_CERT_SIGNATURE_ALGORITHM_DISABLED || code == SEC_ERROR_SIGNATURE_ALGORITHM_DISABLED
            ? SIGNATURE_WEAK
        : code == SEC_ERROR_INVALID_ALGORITHM || code == SEC_ERROR_UNSUPPORTED_KEYALG ? SIGNATURE_UNSUPPORTED
                                                                                      : SIGNATURE_BAD;
  }
  SECKEY_DestroyPublicKey(key);
  return result;
}

gboolean
crypto_chain_issued(CryptoCert *cert, CryptoCert *issuer)
{
  return SECITEM_ItemsAreEqual(&cert->nss->derIssuer, &issuer->nss->derSubject) &&
         check_signature(cert, issuer) == SIGNATURE_GOOD;
}

static Signature
signature(CryptoCert *cert, CryptoCert *issuer)
{
  if (!signatures)
    signatures = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  char key[2 * 64 + 1];
  g_snprintf(key, sizeof key, "%s%s", crypto_cert_sha256(cert), crypto_cert_sha256(issuer));
  Signature known = GPOINTER_TO_INT(g_hash_table_lookup(signatures, key));
  if (known)
    return known;
  if (g_hash_table_size(signatures) >= SIGNATURES_MAX)
    g_hash_table_remove_all(signatures);
  known = check_signature(cert, issuer);
  g_hash_table_insert(signatures, g_strdup(key), GINT_TO_POINTER(known));
  return known;
}

/* --- the search */

static guint
all_problems(const CryptoPath *path)
{
  guint problems = 0;
  for (guint i = 0; i < path->count; i++)
    problems |= path->links[i].problems;
  return problems;
}

/* A list is believed because a trusted authority signed it: of a chain without one nothing is known. */
static void
check_revocation(Search *search, CryptoPath *path)
{
  path->revocation =
      search->mode == CRYPTO_REVOCATION_OFF ? CRYPTO_REVOCATION_NOT_CHECKED : CRYPTO_REVOCATION_UNKNOWN;
  if (search->mode == CRYPTO_REVOCATION_OFF || !path->anchored)
    return;
  gboolean vouched = !(all_problems(path) & CRYPTO_TRUST_UNVOUCHED);
  for (guint i = 0; i + 1 < path->count; i++) {
    gint64 date = 0;
    CryptoRevocation status =
        crypto_revocation_status(path->links[i].cert, path->links[i + 1].cert, search->at, vouched, &date);
    if (i == 0) {
      path->revocation = status;
      path->revoked_at = date;
    }
    if (status == CRYPTO_REVOCATION_REVOKED)
      path->links[i].problems |= CRYPTO_TRUST_REVOKED;
    else if (status == CRYPTO_REVOCATION_UNKNOWN && search->mode == CRYPTO_REVOCATION_HARD)
      path->links[i].problems |= CRYPTO_TRUST_REVOCATION_UNKNOWN;
  }
}

/* The path as it stands is one way to see the certificate: the best of all is the one that is told. */
static void
consider(Search *search)
{
  CryptoPath path = search->now;
  crypto_rules_apply(&path, search->use, search->at);
  check_revocation(search, &path);
  guint problems = all_problems(&path);
  guint cost = (path.anchored ? 0 : 1000) + 10 * (guint)__builtin_popcount(problems) + path.count;
  if (problems == 0)
    search->found = TRUE;
  if (problems == 0 || cost < search->best_cost) {
    search->best = path;
    search->best_cost = cost;
  }
}

static gboolean
in_path(const CryptoPath *path, CryptoCert *cert)
{
  for (guint i = 0; i < path->count; i++)
    if (same(path->links[i].cert, cert))
      return TRUE;
  return FALSE;
}

static void search_up(Search *search);

/* TRUE if @issuer has issued the top of the path; the search goes on above it. */
static gboolean
step(Search *search, CryptoCert *issuer)
{
  CryptoLink *top = &search->now.links[search->now.count - 1];
  if (in_path(&search->now, issuer))
    return FALSE;
  search->tried++;
  Signature made = signature(top->cert, issuer);
  if (made == SIGNATURE_BAD)
    return FALSE;
  CryptoLink before = *top;
  top->problems |= made == SIGNATURE_WEAK          ? CRYPTO_TRUST_WEAK_ALGORITHM
                   : made == SIGNATURE_UNSUPPORTED ? CRYPTO_TRUST_OTHER
                                                   : 0;
  search->now.links[search->now.count++] = (CryptoLink){ .cert = issuer };
  search_up(search);
  search->now.count--;
  *top = before;
  return TRUE;
}

static void
search_up(Search *search)
{
  CryptoLink *top = &search->now.links[search->now.count - 1];
  if (is_anchor(top->cert) && is_allowed(top->cert)) {
    search->now.anchored = TRUE;
    consider(search);
    search->now.anchored = FALSE;
    return;
  }
  gboolean any = FALSE;
  if (search->now.count < CRYPTO_PATH_MAX) {
    g_autoptr(GArray) candidates = find_candidates(search, top->cert);
    for (guint i = 0; i < candidates->len && !search->found && search->tried < CANDIDATES_MAX; i++)
      any |= step(search, g_array_index(candidates, Candidate, i).cert);
  }
  if (any)
    return;
  CryptoLink before = *top;
  if (is_anchor(top->cert)) {
    top->problems |= CRYPTO_TRUST_NOT_ALLOWED;
    consider(search);
    *top = before;
    return;
  }
  gboolean alone = crypto_cert_self_signed(top->cert) && signature(top->cert, top->cert) != SIGNATURE_BAD;
  if (alone)
    top->problems |= CRYPTO_TRUST_SELF_SIGNED;
  if (!alone || search->now.count > 1)
    top->problems |= CRYPTO_TRUST_UNKNOWN_ISSUER;
  consider(search);
  *top = before;
}

/* --- NSS's word */

/* NSS takes one issuer for each certificate and looks no further. Did it go our way? */
static gboolean
nss_went_our_way(const CryptoPath *path, gint64 at)
{
  for (guint i = 0; i + 1 < path->count; i++) {
    CERTCertificate *issuer =
        CERT_FindCertIssuer(path->links[i].cert->nss, at * PR_USEC_PER_SEC, certUsageEmailSigner);
    gboolean equal =
        issuer && SECITEM_ItemsAreEqual(&issuer->derCert, &path->links[i + 1].cert->nss->derCert);
    if (issuer)
      CERT_DestroyCertificate(issuer);
    if (!equal)
      return FALSE;
  }
  return TRUE;
}

/* The signatures have been checked on the way up, once for each pair in the life of the process, by the function
 * that NSS would call again for every mail (an EC chain costs 2 ms). */
static SECStatus
ask_nss(CryptoCert *cert, CryptoUse use, gint64 at)
{
  CERTCertDBHandle *handle = CERT_GetDefaultCertDB();
  PRTime time = at * PR_USEC_PER_SEC;
  if (use == CRYPTO_USE_AUTHORITY)
    return CERT_VerifyCACertForUsage(handle, cert->nss, PR_FALSE, certUsageEmailSigner, time, NULL, NULL);
  /* Without a log: with one NSS says yes to what it has just logged as revoked. */
  SECCertificateUsage wanted = use == CRYPTO_USE_SIGN ? certificateUsageEmailSigner
                                                      : certificateUsageEmailRecipient,
                      usable = 0;
  return CERT_VerifyCertificate(handle, cert->nss, PR_FALSE, wanted, time, NULL, NULL, &usable);
}

/* 0: no objection. */
static guint
nss_objects(CryptoPath *path, const Search *search, int *code)
{
  CryptoCert *cert = path->links[0].cert;
  *code = 0;
  if (ask_nss(cert, search->use, search->at) == SECSuccess)
    return 0;
  *code = PORT_GetError();
  switch (*code) {
  case SEC_ERROR_REVOKED_CERTIFICATE:
    return search->mode == CRYPTO_REVOCATION_OFF ? 0 : CRYPTO_TRUST_REVOKED;
  case SEC_ERROR_CRL_EXPIRED:
  case SEC_ERROR_CRL_NOT_YET_VALID:
  case SEC_ERROR_CRL_BAD_SIGNATURE:
  case SEC_ERROR_CRL_INVALID:
    return 0; /* revocation is judged by crypto/crl.c */
  case SEC_ERROR_INADEQUATE_CERT_TYPE:
    if (crypto_rules_any_eku(cert)) /* RFC 8550 4.4.4 */
      return 0;
    break;
  case SEC_ERROR_UNKNOWN_CRITICAL_EXTENSION: /* policyConstraints and others that crypto/chain-policy.c holds */
    return 0; /* a path with one that we do not know would not have been found good */
  default:
    break;
  }
  if (!nss_went_our_way(path, search->at))
    return 0;
  switch (*code) {
  case SEC_ERROR_EXPIRED_CERTIFICATE:
    return CRYPTO_TRUST_EXPIRED;
  case SEC_ERROR_EXPIRED_ISSUER_CERTIFICATE:
    return CRYPTO_TRUST_ISSUER_EXPIRED;
  case SEC_ERROR_UNKNOWN_ISSUER:
    return CRYPTO_TRUST_UNKNOWN_ISSUER;
  case SEC_ERROR_UNTRUSTED_CERT:
    return CRYPTO_TRUST_DISTRUSTED;
  case SEC_ERROR_INADEQUATE_KEY_USAGE:
    return CRYPTO_TRUST_KEY_USAGE;
  case SEC_ERROR_INADEQUATE_CERT_TYPE:
    return CRYPTO_TRUST_EKU;
  case SEC_ERROR_CERT_NOT_IN_NAME_SPACE:
    return CRYPTO_TRUST_NAME_CONSTRAINT;
  case SEC_ERROR_PATH_LEN_CONSTRAINT_INVALID:
    return CRYPTO_TRUST_PATH_LENGTH;
  case SEC_ERROR_CERT_SIGNATURE_ALGORITHM_DISABLED:
    return CRYPTO_TRUST_WEAK_ALGORITHM;
  default:
    return CRYPTO_TRUST_OTHER;
  }
}

/* --- the answer */

static char *
reason_for_other(const CryptoPath *path, int code)
{
  if (code)
    return crypto_error_words(code);
  for (guint i = 0; i < path->count; i++) {
    if (path->links[i].problems & CRYPTO_TRUST_OTHER)
      return g_strdup_printf(
          "its key (%s) or its signature (%s) is of a kind that cannot be checked here, or it is "
          "malformed. Ask the sender for an RSA or EC P-256 certificate.",
          crypto_cert_key_name(path->links[i].cert), crypto_cert_signature_name(path->links[i].cert));
  }
  return NULL;
}

static CryptoChain *
chain_new(const CryptoPath *path, int code)
{
  CryptoChain *chain = g_new0(CryptoChain, 1);
  chain->certs = g_ptr_array_new_with_free_func(unref_cert);
  chain->cert_problems = g_ptr_array_new();
  for (guint i = 0; i < path->count; i++) {
    g_ptr_array_add(chain->certs, crypto_cert_ref(path->links[i].cert));
    g_ptr_array_add(chain->cert_problems, GUINT_TO_POINTER(path->links[i].problems));
  }
  chain->problems = all_problems(path);
  chain->revocation = path->revocation;
  chain->revoked_at = path->revoked_at;
  g_autofree char *reason = reason_for_other(path, code);
  chain->sentence = crypto_words_for(path, reason);
  return chain;
}

CryptoChain *
crypto_chain_check(CryptoCert *cert, CryptoUse use, gint64 at, CryptoRevocationMode mode, GPtrArray *extra)
{
  /* NSS counts microseconds in 64 bits; certificates end with the year 9999. */
  Search search = {
    .use = use, .mode = mode, .at = CLAMP(at, 0, G_GINT64_CONSTANT(253402300799)), .extra = extra
  };
  search.now.links[0].cert = cert;
  search.now.count = 1;
  search.best_cost = G_MAXUINT;
  crypto_chain_lock();
  if (crypto_anchors_changed()) {
    forget();
    crypto_cert_forget();
  }
  CryptoChain *chain = crypto_chain_recall(cert, use, search.at, mode, extra);
  if (chain) {
    crypto_chain_unlock();
    return chain;
  }
  tidy();
  search_up(&search);
  CryptoPath *path = &search.best;
  int code = 0;
  if (search.found)
    path->links[0].problems |= nss_objects(path, &search, &code);
  chain = chain_new(path, all_problems(path) ? code : 0);
  crypto_chain_remember(cert, use, search.at, mode, chain);
  crypto_chain_unlock();
  return chain;
}

void
crypto_chain_free(CryptoChain *chain)
{
  if (!chain)
    return;
  g_ptr_array_unref(chain->certs);
  g_ptr_array_unref(chain->cert_problems);
  g_free(chain->sentence);
  g_free(chain);
}
