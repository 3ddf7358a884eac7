#ifndef CRYPTO_CHAIN_H
#define CRYPTO_CHAIN_H

#include "crypto/cert.h"

/* Is this certificate to be believed for mail, at a given time? NSS decides (CERT_VerifyCertificate without a
 * log, see NOTES); a walk of our own over the same chain names every rule that failed, in the words of the
 * verdict (RFC 5280 6.1, RFC 8550). Any thread; serialised inside; never prompts; calls nobody. */
typedef enum {
  CRYPTO_USE_SIGN,    /* a signer of mail: digitalSignature or nonRepudiation, emailProtection */
  CRYPTO_USE_ENCRYPT, /* a recipient of mail: keyEncipherment or keyAgreement, emailProtection */
  CRYPTO_USE_AUTHORITY, /* an authority of mail signers */
} CryptoUse;

typedef enum { CRYPTO_REVOCATION_OFF, CRYPTO_REVOCATION_SOFT, CRYPTO_REVOCATION_HARD } CryptoRevocationMode;

typedef enum {
  CRYPTO_REVOCATION_NOT_CHECKED,
  CRYPTO_REVOCATION_GOOD,
  CRYPTO_REVOCATION_REVOKED,
  CRYPTO_REVOCATION_UNKNOWN,
} CryptoRevocation;

/* Bits of what is wrong, worst read first by the caller. crypto_trust_word() gives each its word. */
typedef enum {
  CRYPTO_TRUST_EXPIRED = 1 << 0, /* at the time asked for */
  CRYPTO_TRUST_NOT_YET_VALID = 1 << 1,
  CRYPTO_TRUST_EKU = 1 << 2,
  CRYPTO_TRUST_KEY_USAGE = 1 << 3,
  CRYPTO_TRUST_ISSUER_EXPIRED = 1 << 4,
  CRYPTO_TRUST_ISSUER_NOT_CA = 1 << 5,
  CRYPTO_TRUST_NAME_CONSTRAINT = 1 << 6,
  CRYPTO_TRUST_PATH_LENGTH = 1 << 7,
  CRYPTO_TRUST_REVOKED = 1 << 8,
  CRYPTO_TRUST_SELF_SIGNED = 1 << 9, /* it, or the top of its chain, is its own and untrusted issuer */
  CRYPTO_TRUST_CRITICAL_EXTENSION = 1 << 10,
  CRYPTO_TRUST_UNKNOWN_ISSUER = 1 << 11,
  CRYPTO_TRUST_WEAK_ALGORITHM = 1 << 12, /* MD5 or SHA-1 in the chain below the root; a DSA key */
  CRYPTO_TRUST_WEAK_KEY = 1 << 13,       /* RSA and DSA below 2048 bits, EC below 256 */
  CRYPTO_TRUST_REVOCATION_UNKNOWN = 1 << 14, /* mode hard, and the status of one in the chain is not known */
  CRYPTO_TRUST_OTHER = 1 << 15,          /* NSS says no for a reason that has no word; see sentence */
  CRYPTO_TRUST_DISTRUSTED = 1 << 16,     /* the user or NSS marked it as never to be trusted */
  CRYPTO_TRUST_POLICY = 1 << 17,         /* certificate policies (RFC 5280 6.1.3 to 6.1.5) */
  CRYPTO_TRUST_NOT_ALLOWED = 1 << 18,    /* its authority is trusted, but not among those that policy names */
} CryptoTrustProblem;

typedef struct {
  guint problems;           /* 0: trusted for mail at that time */
  GPtrArray *certs;         /* of CryptoCert, the leaf first, as far as it could be built */
  GPtrArray *cert_problems; /* for each of certs, GUINT_TO_POINTER(its own CryptoTrustProblem bits) */
  CryptoRevocation revocation; /* the leaf's */
  gint64 revoked_at;        /* Unix seconds, 0: not known */
  char *sentence;           /* which rule failed and what to do about it; NULL when nothing did */
} CryptoChain;

/* @extra (may be NULL): array of CryptoCert to build with, as candidates. @at: Unix seconds. */
CryptoChain *crypto_chain_check(CryptoCert *cert, CryptoUse use, gint64 at, CryptoRevocationMode mode,
                                GPtrArray *extra);
void crypto_chain_free(CryptoChain *chain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoChain, crypto_chain_free)

/* "unknown-issuer" and so on for one bit; CRYPTO_TRUST_EXPIRED has two words (expired-now and
 * expired-at-signing) that only the caller can choose between and is given as "expired-now". */
const char *crypto_trust_word(CryptoTrustProblem problem);
const char *crypto_trust_words_sentence(CryptoTrustProblem problem); /* a sentence with a next step; static */
char *crypto_trust_finding(const char *sentence); /* what is wrong, without the next step; transfer full */

#endif
