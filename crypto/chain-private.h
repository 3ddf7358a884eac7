#ifndef CRYPTO_CHAIN_PRIVATE_H
#define CRYPTO_CHAIN_PRIVATE_H

/* For crypto/ alone: how a chain is found and judged. */
#include "crypto/cert-private.h"
#include "crypto/chain.h"

/* NSS's chain code is not safe in several threads at once (its own mail client serialises it too): whoever
 * verifies a certificate holds this lock, and calls nobody of ours above while he does. */
void crypto_chain_lock(void);
void crypto_chain_unlock(void);

/* What was looked up is stale: trust or certificates changed. Any thread. */
void crypto_chain_forget(void);
void crypto_chain_only(const char *fingerprints); /* at crypto_open(): CryptoOptions.only */
void crypto_chain_close(void); /* at crypto_close(): drops every reference */

/* What another program takes from the database's trust while we run. (crypto/anchors.c) Under the lock, but for
 * watch() and close(). */
void crypto_anchors_watch(const char *nssdb); /* at crypto_open(); NULL: there is none */
void crypto_anchors_close(void);
gboolean crypto_anchors_changed(void); /* since it was last asked: what was looked up is stale */
gboolean crypto_anchors_withdrawn(CryptoCert *cert); /* NSS may remember that it is trusted; it is not */
gboolean crypto_anchors_distrusted(CryptoCert *cert); /* the same of never */

enum { CRYPTO_PATH_MAX = 10 };

/* A path under the lock: the leaf is links[0]. Certificates are borrowed while it is built. */
typedef struct {
  CryptoCert *cert;
  guint problems; /* CryptoTrustProblem bits of this certificate */
} CryptoLink;

typedef struct {
  CryptoLink links[CRYPTO_PATH_MAX];
  guint count;
  gboolean anchored; /* the last one is trusted for mail */
  CryptoRevocation revocation; /* the leaf's */
  gint64 revoked_at;
} CryptoPath;

/* Every rule of RFC 5280 6.1 and RFC 8550 but signatures and revocation. (crypto/chain-rules.c) */
void crypto_rules_apply(CryptoPath *path, CryptoUse use, gint64 at);
guint crypto_rules_strength(CryptoCert *cert); /* WEAK_KEY, WEAK_ALGORITHM */
gboolean crypto_rules_any_eku(CryptoCert *cert); /* it has anyExtendedKeyUsage */

/* In the database, on a token or given for this run; not only part of some mail. */
gboolean crypto_chain_is_kept(CryptoCert *cert);

/* Verdicts that were good. NULL: none is known that holds for this time and these candidates. Under the lock.
 * (crypto/chain-cache.c) */
CryptoChain *crypto_chain_recall(CryptoCert *cert, CryptoUse use, gint64 at, CryptoRevocationMode mode,
                                 GPtrArray *extra);
void crypto_chain_remember(CryptoCert *cert, CryptoUse use, gint64 at, CryptoRevocationMode mode,
                           const CryptoChain *chain);
void crypto_chain_forget_verdicts(void);

/* Does a certificate keep within the name constraints of an authority above it? (crypto/chain-names.c) */
gboolean crypto_names_allowed(CryptoCert *authority, CryptoCert *cert);

/* Marks where the path breaks the policies that authorities on it demand. (crypto/chain-policy.c) */
void crypto_policy_apply(CryptoPath *path);

/* "The certificate of Anna Keller expired on ...". Transfer full. (crypto/chain-words.c) */
char *crypto_words_for(const CryptoPath *path, const char *nss_reason);

/* Revocation lists, of this run and of the database. (crypto/crl.c) Under the lock. */
CryptoRevocation crypto_crl_status(CryptoCert *cert, CryptoCert *issuer, gint64 at, gint64 *revoked_at);
gboolean crypto_crl_any(void); /* is there a list at all? */
gboolean crypto_crl_add(GBytes *der); /* for this run; takes the lock itself. FALSE: it is malformed */
void crypto_crl_forget(void); /* looks into the database anew */
void crypto_crl_close(void);
gboolean crypto_crl_is_weak(const SECAlgorithmID *algorithm); /* a signature by MD5 or SHA-1 */
/* A list that came from @origin: kept if the issuer has signed it and it is not older than the one from there that it
 * replaces. @until: its nextUpdate, 0: none. */
gboolean crypto_crl_take_fetched(GBytes *bytes, const char *origin, CryptoCert *issuer, gint64 at, gint64 *until,
                                 GError **error);

/* Lists and OCSP answers together; of two the worse. (crypto/revocation.c) Under the lock. */
CryptoRevocation crypto_revocation_status(CryptoCert *cert, CryptoCert *issuer, gint64 at, gint64 *revoked_at);
void crypto_revocation_load_lists(CryptoCert *cert, CryptoCert *issuer); /* of its addresses, from the cache */
void crypto_revocation_close(void);

#endif
