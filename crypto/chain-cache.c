#include <string.h>

#include "crypto/ocsp-private.h"

/* Verdicts that were good, so that a folder of one correspondent's mail is not judged two thousand times. The
 * certificate itself is the key, never an address in it; what is kept is good within the validity of every certificate
 * in the chain, and while nothing that it rests on has changed. Everything here runs under the chain lock. */
enum {
  VERDICTS_MAX = 500,
  SECONDS = 60, /* other programs write to the same database */
};

typedef struct {
  CryptoChain *chain;
  gint64 at, from, until;
  gint64 since; /* monotonic */
} Verdict;

static GHashTable *verdicts; /* "use mode sha256" -> Verdict */

static void
verdict_free(gpointer data)
{
  Verdict *verdict = data;
  crypto_chain_free(verdict->chain);
  g_free(verdict);
}

static void
make_key(char key[80], CryptoCert *cert, CryptoUse use, CryptoRevocationMode mode)
{
  g_snprintf(key, 80, "%d %d %s", (int)use, (int)mode, crypto_cert_sha256(cert));
}

/* May a search with these candidates come upon @cert? What only another mail brought does not count. */
static gboolean
is_at_hand(CryptoCert *cert, GPtrArray *extra)
{
  if (crypto_chain_is_kept(cert))
    return TRUE;
  for (guint i = 0; extra && i < extra->len; i++)
    if (g_bytes_equal(((CryptoCert *)extra->pdata[i])->der, cert->der))
      return TRUE;
  return FALSE;
}

static gpointer
ref_cert(gconstpointer cert, gpointer unused)
{
  return crypto_cert_ref((CryptoCert *)cert);
}

static CryptoChain *
copy(const CryptoChain *chain)
{
  CryptoChain *other = g_new0(CryptoChain, 1);
  other->certs = g_ptr_array_copy(chain->certs, ref_cert, NULL);
  g_ptr_array_set_free_func(other->certs, (GDestroyNotify)crypto_cert_unref);
  other->cert_problems = g_ptr_array_copy(chain->cert_problems, NULL, NULL);
  other->problems = chain->problems;
  other->revocation = chain->revocation;
  other->revoked_at = chain->revoked_at;
  other->sentence = g_strdup(chain->sentence);
  return other;
}

CryptoChain *
crypto_chain_recall(CryptoCert *cert, CryptoUse use, gint64 at, CryptoRevocationMode mode, GPtrArray *extra)
{
  char key[80];
  make_key(key, cert, use, mode);
  Verdict *verdict = verdicts ? g_hash_table_lookup(verdicts, key) : NULL;
  if (!verdict)
    return NULL;
  gboolean fits = g_get_monotonic_time() - verdict->since <= SECONDS * G_USEC_PER_SEC;
  /* What a revocation list proves depends on the very second. */
  if (mode != CRYPTO_REVOCATION_OFF && (crypto_crl_any() || crypto_ocsp_any()))
    fits = fits && at == verdict->at;
  fits = fits && at >= verdict->from && at <= verdict->until;
  for (guint i = 1; fits && i < verdict->chain->certs->len; i++)
    fits = is_at_hand(verdict->chain->certs->pdata[i], extra);
  return fits ? copy(verdict->chain) : NULL;
}

void
crypto_chain_remember(CryptoCert *cert, CryptoUse use, gint64 at, CryptoRevocationMode mode, const CryptoChain *chain)
{
  if (chain->problems)
    return;
  Verdict *verdict = g_new0(Verdict, 1);
  *verdict = (Verdict){ .chain = copy(chain), .at = at, .from = G_MININT64, .until = G_MAXINT64 };
  verdict->since = g_get_monotonic_time();
  for (guint i = 0; i < chain->certs->len; i++) {
    verdict->from = MAX(verdict->from, crypto_cert_not_before(chain->certs->pdata[i]));
    verdict->until = MIN(verdict->until, crypto_cert_not_after(chain->certs->pdata[i]));
  }
  if (at < verdict->from || at > verdict->until) { /* an anchor may have expired: then it is this second's alone */
    verdict->from = verdict->until = at;
  }
  if (!verdicts)
    verdicts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, verdict_free);
  if (g_hash_table_size(verdicts) >= VERDICTS_MAX)
    g_hash_table_remove_all(verdicts);
  char key[80];
  make_key(key, cert, use, mode);
  g_hash_table_insert(verdicts, g_strdup(key), verdict);
}

void
crypto_chain_forget_verdicts(void)
{
  g_clear_pointer(&verdicts, g_hash_table_unref);
}
