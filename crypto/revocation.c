#include "crypto/revocation.h"

#include <cert.h>
#include <glib/gstdio.h>
#include <pk11pub.h>
#include <string.h>

#include "crypto/ocsp-private.h"

enum {
  URLS_MAX = 4,
  URL_LENGTH = 1000,
  MET_MAX = 500,
  CRL_LIMIT = 64 << 20,
  CERT_LIMIT = 256 << 10,
  ISSUERS_MAX = 8,       /* certificates taken of what a caIssuers address gives */
  ALONE_SECONDS = 600,   /* an address that failed is left alone for so long */
  HOUR_SECONDS = 3600, /* until the background asks again for a list that did not come, or does not count */
  DAY_SECONDS = 24 * 3600,
};

static char *cache; /* set before threads run */
/* Under the chain lock. */
static GHashTable *met;    /* list_key() -> Met: the lists of authorities that chains were judged by */
static GHashTable *loaded; /* list_key() -> when its file in the cache was last changed (gint64) */
static GHashTable *failed; /* address -> when asking it failed (monotonic gint64) */
static GHashTable *later;  /* list_key() -> when the background may ask for it again (monotonic gint64) */

typedef struct {
  char *url;
  CryptoCert *issuer;
} Met;

static void
met_free(gpointer data)
{
  Met *one = data;
  g_free(one->url);
  crypto_cert_unref(one->issuer);
  g_free(one);
}

/* A list is one authority's: another that names the same address has another list, and its own place in the cache. */
static char *
list_key(CryptoCert *issuer, const char *url)
{
  return g_strconcat(crypto_cert_sha256(issuer), " ", url, NULL);
}

void
crypto_asked_free(CryptoAsked *asked)
{
  g_free(asked->url);
  g_free(asked->failure);
  g_free(asked);
}

const char *
crypto_ask_word(CryptoAskKind kind)
{
  return kind == CRYPTO_ASK_CRL ? "crl" : kind == CRYPTO_ASK_OCSP ? "ocsp" : "issuer";
}

void
crypto_revocation_set_cache(const char *folder)
{
  g_free(cache);
  cache = g_strdup(folder);
}

const char *
crypto_revocation_cache(void)
{
  return cache;
}

char *
crypto_revocation_cache_file(const char *key, const char *kind)
{
  if (!cache || g_mkdir_with_parents(cache, 0700) != 0)
    return NULL;
  g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1);
  return g_strdup_printf("%s/%s.%s", cache, hash, kind);
}

/* --- addresses in certificates */

/* GeneralName [6]: only what can be fetched, and nothing that would be another address in another program. */
static void
add_url(GPtrArray *urls, const CryptoBerItem *name)
{
  if (name->tag != CRYPTO_BER_CONTEXT + 6 || name->length > URL_LENGTH || urls->len == URLS_MAX)
    return;
  for (gsize i = 0; i < name->length; i++)
    if (name->data[i] <= ' ' || name->data[i] >= 0x7f)
      return;
  g_autofree char *url = g_strndup((const char *)name->data, name->length);
  if (g_ascii_strncasecmp(url, "http://", 7) != 0 && g_ascii_strncasecmp(url, "https://", 8) != 0)
    return;
  if (!g_ptr_array_find_with_equal_func(urls, url, g_str_equal, NULL))
    g_ptr_array_add(urls, g_steal_pointer(&url));
}

/* AuthorityInfoAccessSyntax ::= SEQUENCE OF SEQUENCE { accessMethod, accessLocation } */
static void
read_access(GPtrArray *urls, CryptoBerReader list, guint8 method)
{
  const guint8 wanted[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, method };
  CryptoBerItem entry, oid, name;
  while (crypto_ber_expect(&list, CRYPTO_BER_SEQUENCE, &entry)) {
    CryptoBerReader reader = crypto_ber_enter(&entry);
    if (crypto_ber_expect(&reader, CRYPTO_BER_OID, &oid) && crypto_ber_is(&oid, wanted, sizeof wanted) &&
        crypto_ber_next(&reader, &name))
      add_url(urls, &name);
  }
}

/* DistributionPoint ::= SEQUENCE { [0] { [0] fullName }, ... }; one with [1] reasons or [2] cRLIssuer is passed over:
 * its list would not say everything, or is another's. */
static void
read_points(GPtrArray *urls, CryptoBerReader list)
{
  CryptoBerItem point, where, full, name;
  while (crypto_ber_expect(&list, CRYPTO_BER_SEQUENCE, &point)) {
    CryptoBerReader reader = crypto_ber_enter(&point);
    if (!crypto_ber_expect(&reader, CRYPTO_BER_CONTEXT_CONSTRUCTED, &where) || !crypto_ber_at_end(&reader))
      continue;
    CryptoBerReader inner = crypto_ber_enter(&where);
    if (!crypto_ber_expect(&inner, CRYPTO_BER_CONTEXT_CONSTRUCTED, &full))
      continue;
    CryptoBerReader names = crypto_ber_enter(&full);
    while (crypto_ber_next(&names, &name))
      add_url(urls, &name);
  }
}

GPtrArray *
crypto_revocation_urls(CryptoCert *cert, CryptoAskKind kind)
{
  GPtrArray *urls = g_ptr_array_new_with_free_func(g_free);
  SECItem value = { siBuffer, NULL, 0 };
  SECOidTag extension = kind == CRYPTO_ASK_CRL ? SEC_OID_X509_CRL_DIST_POINTS : SEC_OID_X509_AUTH_INFO_ACCESS;
  if (CERT_FindCertExtension(cert->nss, (int)extension, &value) != SECSuccess)
    return urls;
  CryptoBerReader reader = crypto_ber_reader(value.data, value.len);
  CryptoBerItem list;
  if (crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &list)) {
    if (kind == CRYPTO_ASK_CRL)
      read_points(urls, crypto_ber_enter(&list));
    else
      read_access(urls, crypto_ber_enter(&list), kind == CRYPTO_ASK_OCSP ? 1 : 2);
  }
  SECITEM_FreeItem(&value, PR_FALSE);
  return urls;
}

/* --- what is known, under the lock */

static void
note_met(const char *url, CryptoCert *issuer)
{
  if (!met)
    met = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, met_free);
  g_autofree char *key = list_key(issuer, url);
  if (g_hash_table_contains(met, key) || g_hash_table_size(met) >= MET_MAX)
    return;
  Met *one = g_new0(Met, 1);
  one->url = g_strdup(url);
  one->issuer = crypto_cert_ref(issuer);
  g_hash_table_insert(met, g_steal_pointer(&key), one);
}

/* Another signet may have written it, so its time is looked at; what is in it is checked as if it had just come. */
static void
load_list(const char *url, CryptoCert *issuer)
{
  g_autofree char *key = list_key(issuer, url);
  g_autofree char *file = crypto_revocation_cache_file(key, "crl");
  GStatBuf info;
  if (!file || g_stat(file, &info) != 0 || info.st_size > CRL_LIMIT)
    return;
  gint64 changed = (gint64)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec, until;
  if (!loaded)
    loaded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  const gint64 *known = g_hash_table_lookup(loaded, key);
  if (known && *known == changed)
    return;
  g_hash_table_insert(loaded, g_steal_pointer(&key), g_memdup2(&changed, sizeof changed));
  char *contents;
  gsize length;
  if (!g_file_get_contents(file, &contents, &length, NULL))
    return;
  g_autoptr(GBytes) bytes = g_bytes_new_take(contents, length);
  g_autoptr(GError) error = NULL;
  if (!crypto_crl_take_fetched(bytes, url, issuer, 0, &until, &error))
    g_debug("%s: %s", file, error->message);
}

void
crypto_revocation_load_lists(CryptoCert *cert, CryptoCert *issuer)
{
  if (!cache)
    return;
  g_autoptr(GPtrArray) urls = crypto_revocation_urls(cert, CRYPTO_ASK_CRL);
  for (guint i = 0; i < urls->len; i++)
    load_list(urls->pdata[i], issuer);
}

CryptoRevocation
crypto_revocation_status(CryptoCert *cert, CryptoCert *issuer, gint64 at, gboolean vouched, gint64 *revoked_at)
{
  g_autoptr(GPtrArray) urls = crypto_revocation_urls(cert, CRYPTO_ASK_CRL);
  for (guint i = 0; vouched && i < urls->len; i++)
    note_met(urls->pdata[i], issuer);
  CryptoRevocation listed = crypto_crl_status(cert, issuer, at, revoked_at);
  if (listed == CRYPTO_REVOCATION_REVOKED)
    return listed;
  CryptoRevocation answered = crypto_ocsp_status(cert, issuer, at, revoked_at);
  return answered == CRYPTO_REVOCATION_UNKNOWN ? listed : answered;
}

void
crypto_revocation_close(void)
{
  crypto_ocsp_close();
  g_clear_pointer(&met, g_hash_table_unref);
  g_clear_pointer(&loaded, g_hash_table_unref);
  g_clear_pointer(&failed, g_hash_table_unref);
  g_clear_pointer(&later, g_hash_table_unref);
}

/* --- asking: without the lock */

static gboolean
failed_lately(const char *url)
{
  crypto_chain_lock();
  const gint64 *when = failed ? g_hash_table_lookup(failed, url) : NULL;
  gboolean lately = when && g_get_monotonic_time() - *when < ALONE_SECONDS * G_USEC_PER_SEC;
  crypto_chain_unlock();
  return lately;
}

static void
note_failed(const char *url)
{
  gint64 now = g_get_monotonic_time();
  crypto_chain_lock();
  if (!failed)
    failed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  if (g_hash_table_size(failed) >= MET_MAX)
    g_hash_table_remove_all(failed);
  g_hash_table_insert(failed, g_strdup(url), g_memdup2(&now, sizeof now));
  crypto_chain_unlock();
}

static GBytes *
fetch(const CryptoAsker *asker, const CryptoAsk *ask, GError **error)
{
  if (!asker->insist && failed_lately(ask->url)) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_OFFLINE,
                "It failed a short while ago and is left alone for %d minutes.", ALONE_SECONDS / 60);
    return NULL;
  }
  GBytes *answer = asker->func(ask, asker->cancellable, asker->data, error);
  if (!answer && !g_cancellable_is_cancelled(asker->cancellable))
    note_failed(ask->url);
  return answer;
}

static void
note(GPtrArray *log, CryptoAskKind kind, const char *url, const GError *error)
{
  if (!log)
    return;
  CryptoAsked *asked = g_new0(CryptoAsked, 1);
  asked->kind = kind;
  asked->url = g_strdup(url);
  asked->failure = error ? g_strdup(error->message) : NULL;
  g_ptr_array_add(log, asked);
}

static gboolean
ask_responder(const char *url, CryptoCert *cert, CryptoCert *issuer, gint64 at, const CryptoAsker *asker,
              GPtrArray *log)
{
  guint8 nonce[CRYPTO_OCSP_NONCE];
  g_autoptr(GError) error = NULL;
  if (PK11_GenerateRandom(nonce, sizeof nonce) != SECSuccess)
    return FALSE;
  g_autoptr(GBytes) question = crypto_ocsp_request(cert, issuer, nonce);
  CryptoAsk ask = { CRYPTO_ASK_OCSP, url, question, CRYPTO_OCSP_BYTES_MAX, TRUE };
  g_autoptr(GBytes) answer = question ? fetch(asker, &ask, &error) : NULL;
  gboolean good = answer && crypto_ocsp_take(answer, cert, issuer, nonce, at, &error);
  note(log, CRYPTO_ASK_OCSP, url, error);
  return good;
}

static gboolean
keep_list(GBytes *bytes, const char *url, CryptoCert *issuer, gint64 at, GError **error)
{
  gint64 until = 0;
  crypto_chain_lock();
  gboolean good = crypto_crl_take_fetched(bytes, url, issuer, at, &until, error);
  crypto_chain_unlock();
  g_autofree char *key = list_key(issuer, url);
  g_autofree char *file = good ? crypto_revocation_cache_file(key, "crl") : NULL;
  if (file) /* a cache: it may fail */
    g_file_set_contents_full(file, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes),
                             G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
  if (good && until < at) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                        until ? "The revocation list is stale: a newer one should have come out."
                              : "The revocation list does not say how long it holds.");
  }
  return good;
}

/* TRUE: a list came and was taken, be it stale. */
static gboolean
ask_list(const char *url, CryptoCert *issuer, gint64 at, const CryptoAsker *asker, GPtrArray *log)
{
  g_autoptr(GError) error = NULL;
  CryptoAsk ask = { CRYPTO_ASK_CRL, url, NULL, CRL_LIMIT, TRUE };
  g_autoptr(GBytes) bytes = fetch(asker, &ask, &error);
  gboolean good = bytes && keep_list(bytes, url, issuer, at, &error);
  note(log, CRYPTO_ASK_CRL, url, error);
  return good;
}

static gboolean
ask_about(CryptoCert *cert, CryptoCert *issuer, gint64 at, const CryptoAsker *asker, GPtrArray *log)
{
  gint64 date;
  gboolean news = FALSE;
  crypto_chain_lock();
  CryptoRevocation listed = crypto_crl_status(cert, issuer, at, &date);
  CryptoRevocation answered = crypto_ocsp_status(cert, issuer, at, &date);
  crypto_chain_unlock();
  if (listed == CRYPTO_REVOCATION_REVOKED || answered != CRYPTO_REVOCATION_UNKNOWN)
    return FALSE;
  g_autoptr(GPtrArray) responders = crypto_revocation_urls(cert, CRYPTO_ASK_OCSP);
  for (guint i = 0; (asker->kinds & CRYPTO_ASK_OCSP) && i < responders->len; i++)
    if (ask_responder(responders->pdata[i], cert, issuer, at, asker, log))
      return TRUE;
  g_autoptr(GPtrArray) points = crypto_revocation_urls(cert, CRYPTO_ASK_CRL);
  for (guint i = 0; (asker->kinds & CRYPTO_ASK_CRL) && i < points->len && listed == CRYPTO_REVOCATION_UNKNOWN; i++) {
    if (!ask_list(points->pdata[i], issuer, at, asker, log))
      continue;
    news = TRUE;
    crypto_chain_lock();
    listed = crypto_crl_status(cert, issuer, at, &date);
    crypto_chain_unlock();
  }
  return news;
}

gboolean
crypto_revocation_ask(const CryptoChain *chain, gint64 at, const CryptoAsker *asker, GPtrArray *log)
{
  gboolean news = FALSE;
  if (chain->problems & CRYPTO_TRUST_UNVOUCHED)
    return FALSE; /* anybody could have named the addresses, and nobody vouches for the answers */
  for (guint i = 0; i + 1 < chain->certs->len && !g_cancellable_is_cancelled(asker->cancellable); i++)
    news |= ask_about(chain->certs->pdata[i], chain->certs->pdata[i + 1], at, asker, log);
  return news;
}

GPtrArray *
crypto_revocation_find_issuer(const CryptoChain *chain, const CryptoAsker *asker, GPtrArray *log)
{
  if (!(asker->kinds & CRYPTO_ASK_ISSUER) || !(chain->problems & CRYPTO_TRUST_UNKNOWN_ISSUER))
    return NULL;
  CryptoCert *top = chain->certs->pdata[chain->certs->len - 1];
  g_autoptr(GPtrArray) urls = crypto_revocation_urls(top, CRYPTO_ASK_ISSUER);
  for (guint i = 0; i < urls->len; i++) {
    g_autoptr(GError) error = NULL;
    CryptoAsk ask = { CRYPTO_ASK_ISSUER, urls->pdata[i], NULL, CERT_LIMIT, FALSE };
    g_autoptr(GBytes) bytes = fetch(asker, &ask, &error);
    g_autoptr(GPtrArray) certs = bytes ? crypto_certs_parse(bytes, &error) : NULL;
    note(log, CRYPTO_ASK_ISSUER, urls->pdata[i], error);
    if (!certs || !certs->len)
      continue;
    if (certs->len > ISSUERS_MAX)
      g_ptr_array_set_size(certs, ISSUERS_MAX);
    return g_steal_pointer(&certs);
  }
  return NULL;
}

/* --- the background's */

/* Here, too, in case that the cache cannot be written. */
static gboolean
is_too_early(const char *key)
{
  crypto_chain_lock();
  const gint64 *next = later ? g_hash_table_lookup(later, key) : NULL;
  gboolean early = next && g_get_monotonic_time() < *next;
  crypto_chain_unlock();
  return early;
}

static void
note_later(const char *key, gint64 seconds)
{
  gint64 next = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
  crypto_chain_lock();
  if (!later)
    later = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_insert(later, g_strdup(key), g_memdup2(&next, sizeof next));
  crypto_chain_unlock();
}

static gboolean
is_due(const char *key)
{
  if (is_too_early(key))
    return FALSE;
  g_autofree char *file = crypto_revocation_cache_file(key, "crl");
  GStatBuf info;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  return !file || g_stat(file, &info) != 0 || info.st_mtime > now || now - info.st_mtime > DAY_SECONDS;
}

gboolean
crypto_revocation_refresh(const CryptoAsker *asker, GPtrArray *log)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(met_free);
  GHashTableIter iter;
  gpointer value;
  gboolean news = FALSE;
  crypto_chain_lock();
  if (met) {
    g_hash_table_iter_init(&iter, met);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
      Met *copy = g_memdup2(value, sizeof *copy);
      copy->url = g_strdup(copy->url);
      crypto_cert_ref(copy->issuer);
      g_ptr_array_add(all, copy);
    }
  }
  crypto_chain_unlock();
  for (guint i = 0; i < all->len && !g_cancellable_is_cancelled(asker->cancellable); i++) {
    const Met *one = all->pdata[i];
    g_autofree char *key = list_key(one->issuer, one->url);
    if (!is_due(key))
      continue;
    gboolean good = ask_list(one->url, one->issuer, g_get_real_time() / G_USEC_PER_SEC, asker, log);
    note_later(key, good ? DAY_SECONDS : HOUR_SECONDS);
    news |= good;
  }
  return news;
}
