#include "crypto/chain-private.h"

#include <string.h>

typedef struct {
  CryptoTrustProblem bit;
  const char *word;     /* corpus and JSON */
  const char *clause;   /* after "The certificate of NAME" */
  const char *advice;   /* the next step */
  const char *sentence; /* both, of nobody in particular */
} Word;

#define ROW(bit, word, clause, advice)                                                                       \
  {                                                                                                          \
    bit, word, clause, advice, "A certificate " clause ". " advice                                           \
  }

/* In the order in which a person should hear of them. */
static const Word words[] = {
  ROW(CRYPTO_TRUST_REVOKED, "revoked", "was revoked by its authority",
      "Do not rely on it; ask the sender by another way."),
  ROW(CRYPTO_TRUST_DISTRUSTED, "distrusted", "is marked as never to be trusted",
      "Do not rely on it; if the mark is a mistake, `signet cert distrust --remove` takes it away."),
  ROW(CRYPTO_TRUST_NAME_CONSTRAINT, "name-constraint", "names somebody whom its authority may not certify",
      "Do not rely on it; tell the sender, whose authority made a mistake or was tricked."),
  ROW(CRYPTO_TRUST_ISSUER_NOT_CA, "issuer-not-ca",
      "was used to issue another one, but belongs to no authority",
      "Do not rely on it; ask the sender by another way."),
  ROW(CRYPTO_TRUST_PATH_LENGTH, "path-length", "does not allow that many authorities below it",
      "Tell the sender, who needs another certificate."),
  ROW(CRYPTO_TRUST_POLICY, "policy", "breaks the policies that an authority above it demands",
      "Tell the sender, who needs another certificate."),
  ROW(CRYPTO_TRUST_CRITICAL_EXTENSION, "unknown-critical-extension",
      "contains a critical rule that is not understood here", "Ask the sender for another certificate."),
  ROW(CRYPTO_TRUST_EKU, "extended-key-usage", "was not issued for mail",
      "Tell the sender, who needs a certificate for mail."),
  ROW(CRYPTO_TRUST_KEY_USAGE, "key-usage", "does not allow this use of its key",
      "Tell the sender, who needs another certificate for it."),
  ROW(CRYPTO_TRUST_NOT_ALLOWED, "authority-not-allowed",
      "belongs to an authority that policy does not let anybody rely on",
      "If it should be, its fingerprint belongs into trust = ... of [policy]."),
  ROW(CRYPTO_TRUST_UNKNOWN_ISSUER, "unknown-issuer", "comes from an authority that is not trusted here",
      "If you know the authority, trust it for mail: T under V, or `signet cert import --trust FILE`. O, or verify "
      "--online, looks for one that is missing."),
  ROW(CRYPTO_TRUST_SELF_SIGNED, "self-signed", "vouches for itself and is not trusted for mail",
      "Compare its fingerprint with the sender's by another way before you trust it: T under V, or `signet cert trust`."),
  ROW(CRYPTO_TRUST_EXPIRED, "expired-now", "is past its end", "Ask the sender for a current one."),
  ROW(CRYPTO_TRUST_NOT_YET_VALID, "not-yet-valid", "is not valid yet",
      "See whether this computer's clock is right; else ask the sender."),
  ROW(CRYPTO_TRUST_ISSUER_EXPIRED, "issuer-expired", "is an authority's, and is out of date",
      "Ask the sender for a current one."),
  ROW(CRYPTO_TRUST_WEAK_KEY, "weak-key", "has a key that is too short to be safe",
      "Ask the sender for a key of at least RSA 2048 or EC P-256."),
  ROW(CRYPTO_TRUST_WEAK_ALGORITHM, "weak-algorithm",
      "relies on an algorithm that is no longer safe: MD5, SHA-1 or DSA",
      "Ask the sender for a certificate with SHA-256 and a key of RSA 2048 or EC P-256."),
  ROW(CRYPTO_TRUST_REVOCATION_UNKNOWN, "revocation-unknown", "may have been revoked: its status is not known",
      "Ask for it (O on the screen, verify --online), or set revocation = soft in [policy]."),
  ROW(CRYPTO_TRUST_OTHER, "other", "does not pass the rules", "Ask the sender for another certificate."),
};

static const Word *
find(guint problems)
{
  for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
    if (problems & words[i].bit)
      return &words[i];
  return NULL;
}

const char *
crypto_trust_word(CryptoTrustProblem problem)
{
  const Word *word = find(problem);
  return word ? word->word : "";
}

const char *
crypto_trust_words_sentence(CryptoTrustProblem problem)
{
  const Word *word = find(problem);
  return word ? word->sentence : "";
}

static char *
date_of(const CryptoPath *path, guint index, CryptoTrustProblem bit)
{
  CryptoCert *cert = path->links[index].cert;
  gint64 time = bit == CRYPTO_TRUST_REVOKED && index == 0 ? path->revoked_at
                : bit == CRYPTO_TRUST_EXPIRED             ? crypto_cert_not_after(cert)
                : bit == CRYPTO_TRUST_NOT_YET_VALID       ? crypto_cert_not_before(cert)
                                                          : 0;
  g_autoptr(GDateTime) when = time ? g_date_time_new_from_unix_utc(time) : NULL;
  if (!when)
    return g_strdup("");
  return g_date_time_format(when,
                            bit == CRYPTO_TRUST_NOT_YET_VALID ? " (it begins on %Y-%m-%d)" : " (%Y-%m-%d)");
}

char *
crypto_words_for(const CryptoPath *path, const char *nss_reason)
{
  guint all = 0;
  for (guint i = 0; i < path->count; i++)
    all |= path->links[i].problems;
  const Word *word = find(all);
  if (!word)
    return NULL;
  guint index = 0;
  while (!(path->links[index].problems & word->bit))
    index++;
  CryptoCert *cert = path->links[index].cert;
  if (word->bit == CRYPTO_TRUST_OTHER && nss_reason)
    return g_strdup_printf("The certificate of %s cannot be relied on: %s", crypto_cert_common_name(cert),
                           nss_reason);
  if (word->bit == CRYPTO_TRUST_UNKNOWN_ISSUER && (path->links[index].problems & CRYPTO_TRUST_SELF_SIGNED))
    return g_strdup_printf("The chain ends in the authority %s, which is not trusted for mail here. %s",
                           crypto_cert_common_name(cert), word->advice);
  g_autofree char *date = date_of(path, index, word->bit);
  g_autofree char *issuer = word->bit == CRYPTO_TRUST_UNKNOWN_ISSUER || word->bit == CRYPTO_TRUST_REVOKED
                                ? g_strdup_printf(" (%s)", crypto_cert_issuer_name(cert))
                                : g_strdup("");
  return g_strdup_printf("The certificate of %s %s%s%s. %s", crypto_cert_common_name(cert), word->clause,
                         issuer, date, word->advice);
}

char *
crypto_trust_finding(const char *sentence)
{
  for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
    if (g_str_has_suffix(sentence, words[i].advice)) {
      char *finding = g_strndup(sentence, strlen(sentence) - strlen(words[i].advice));
      return g_strchomp(finding);
    }
  return g_strdup(sentence);
}
