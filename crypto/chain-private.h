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
char *crypto_chain_allowed(void); /* as given; "": all. Transfer full */
void crypto_chain_close(void); /* at crypto_close(): drops every reference */

/* What another program takes from the database's trust while we run. (crypto/anchors.c) Under the lock, but for
 * watch() and close(). */
void crypto_anchors_watch(const char *nssdb); /* at crypto_open(); NULL: there is none */
void crypto_anchors_close(void);
const char *crypto_anchors_folder(void); /* of the database; NULL: there is none. Until the close; no lock */
gboolean crypto_anchors_changed(void); /* since it was last asked: what was looked up is stale */
gboolean crypto_anchors_withdrawn(CryptoCert *cert); /* NSS may remember that it is trusted; it is not */
gboolean crypto_anchors_distrusted(CryptoCert *cert); /* the same of never */
/* What the database itself says of @cert at this moment, as CERTDB_ flags. FALSE: nothing; both are 0. */
gboolean crypto_anchors_read(CryptoCert *cert, guint *mail, guint *server);
gboolean crypto_anchors_builtin(CryptoCert *cert); /* one of NSS's own: they vouch for themselves where it is silent */

enum { CRYPTO_PATH_MAX = 10 };

/* With one of these in its chain nobody who is trusted vouches for a certificate: whoever wrote it has chosen the
 * addresses in it, and may have signed what lies there. */
enum {
  CRYPTO_TRUST_UNVOUCHED = CRYPTO_TRUST_UNKNOWN_ISSUER | CRYPTO_TRUST_SELF_SIGNED | CRYPTO_TRUST_ISSUER_NOT_CA |
                           CRYPTO_TRUST_DISTRUSTED | CRYPTO_TRUST_NOT_ALLOWED | CRYPTO_TRUST_NAME_CONSTRAINT |
                           CRYPTO_TRUST_PATH_LENGTH | CRYPTO_TRUST_POLICY | CRYPTO_TRUST_CRITICAL_EXTENSION |
                           CRYPTO_TRUST_WEAK_ALGORITHM | CRYPTO_TRUST_WEAK_KEY | CRYPTO_TRUST_OTHER
};

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

/* Is @cert by @issuer, by name and by a signature that is strong enough? Under the lock. (crypto/chain.c) */
gboolean crypto_chain_issued(CryptoCert *cert, CryptoCert *issuer);

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
/* A list that came from @origin: kept if the issuer has signed it, and it is not older than its list from there that it
 * replaces, and says no less. @until: its nextUpdate, 0: none. */
gboolean crypto_crl_take_fetched(GBytes *bytes, const char *origin, CryptoCert *issuer, gint64 at, gint64 *until,
                                 GError **error);

/* Lists and OCSP answers together; of two the worse. @vouched: its chain has none of CRYPTO_TRUST_UNVOUCHED, so that the
 * lists that it names may be fetched. (crypto/revocation.c) Under the lock. */
CryptoRevocation crypto_revocation_status(CryptoCert *cert, CryptoCert *issuer, gint64 at, gboolean vouched,
                                          gint64 *revoked_at);
void crypto_revocation_load_lists(CryptoCert *cert, CryptoCert *issuer); /* of its addresses, from the cache */
void crypto_revocation_close(void);
const char *crypto_revocation_cache(void); /* where answers are kept; NULL: nowhere. No lock */

#endif
