#include "ui/cert-status.h"

#include <string.h>

enum { DAY = 86400, UNVOUCHED = CRYPTO_TRUST_UNKNOWN_ISSUER | CRYPTO_TRUST_SELF_SIGNED };

static const struct {
  const char *word, *title;
} groups[UI_CERT_GROUPS] = {
  [UI_CERT_OWN] = { "own", "Own" },
  [UI_CERT_PERSON] = { "person", "People" },
  [UI_CERT_AUTHORITY] = { "authority", "Authorities" },
  [UI_CERT_CANDIDATE] = { "candidate", "Candidates from mail and directories, not accepted" },
};

UiCertGroup
ui_cert_group(const CryptoCertEntry *entry)
{
  return entry->flags & CRYPTO_CERT_OWN                                 ? UI_CERT_OWN
         : entry->flags & (CRYPTO_CERT_AUTHORITY | CRYPTO_CERT_BUILTIN) ? UI_CERT_AUTHORITY
                                                                        : UI_CERT_PERSON;
}

const char *
ui_cert_group_word(UiCertGroup group)
{
  return groups[group].word;
}

const char *
ui_cert_group_title(UiCertGroup group)
{
  return groups[group].title;
}

const char *
ui_cert_use_word(CryptoCert *cert)
{
  gboolean sign = crypto_cert_can_sign(cert), encrypt = crypto_cert_can_encrypt(cert);
  return crypto_cert_is_authority(cert) ? "issue"
         : sign && encrypt              ? "both"
         : sign                         ? "sign"
         : encrypt                      ? "encrypt"
                                        : "other";
}

CryptoUse
ui_cert_main_use(CryptoCert *cert)
{
  return crypto_cert_is_authority(cert)                                     ? CRYPTO_USE_AUTHORITY
         : !crypto_cert_can_sign(cert) && crypto_cert_can_encrypt(cert) ? CRYPTO_USE_ENCRYPT
                                                                            : CRYPTO_USE_SIGN;
}

char *
ui_cert_end_words(gint64 seconds)
{
  gint64 days = ABS(seconds) / DAY;
  if (seconds < 0)
    return days ? g_strdup_printf("expired %" G_GINT64_FORMAT " day%s ago", days, days == 1 ? "" : "s")
                : g_strdup("expired today");
  return days ? g_strdup_printf("%" G_GINT64_FORMAT " day%s left", days, days == 1 ? "" : "s")
              : g_strdup("ends within a day");
}

/* A yes is remembered with what it was said to, in words of ours; once with the bare Message-ID of the mail. */
char *
ui_cert_source_words(const char *source)
{
  static const char *const ours[] = { "file ", "directory ", "token ", "signed mail", "database", "mail <" };
  for (gsize i = 0; i < G_N_ELEMENTS(ours); i++)
    if (g_str_has_prefix(source, ours[i]))
      return g_strdup(source);
  return *source && strcmp(source, "mail") != 0 ? g_strdup_printf("mail <%s>", source) : g_strdup("mail");
}

/* The first that fits is what is told. */
static const struct {
  guint problem;
  const char *words;
} reasons[] = {
  { CRYPTO_TRUST_NOT_ALLOWED, "policy does not allow its authority" },
  { CRYPTO_TRUST_WEAK_KEY, "weak key" },
  { CRYPTO_TRUST_WEAK_ALGORITHM, "weak algorithm" },
  { CRYPTO_TRUST_EKU, "not made for mail" },
  { CRYPTO_TRUST_KEY_USAGE, "its key is for other uses" },
  { CRYPTO_TRUST_ISSUER_EXPIRED, "its authority expired" },
  { CRYPTO_TRUST_ISSUER_NOT_CA, "its issuer is no authority" },
  { CRYPTO_TRUST_NAME_CONSTRAINT, "its authority may not issue this name" },
  { CRYPTO_TRUST_PATH_LENGTH, "its chain is too long" },
  { CRYPTO_TRUST_CRITICAL_EXTENSION, "unknown critical extension" },
  { CRYPTO_TRUST_POLICY, "certificate policies" },
  { CRYPTO_TRUST_UNKNOWN_ISSUER, "unknown authority" },
  { CRYPTO_TRUST_SELF_SIGNED, "nobody trusted vouches" },
  { CRYPTO_TRUST_REVOCATION_UNKNOWN, "revocation unknown" },
};

static const char *
reason_words(guint problems)
{
  for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++)
    if (problems & reasons[i].problem)
      return reasons[i].words;
  return "Enter says why";
}

static UiCertStatus *
status_new(UiCertJudgement judgement, guint problems, const char *word, const char *sentence)
{
  UiCertStatus *status = g_new0(UiCertStatus, 1);
  *status = (UiCertStatus){ judgement, problems, g_strdup(word), g_strdup(sentence) };
  return status;
}

void
ui_cert_status_free(UiCertStatus *status)
{
  if (!status)
    return;
  g_free(status->word);
  g_free(status->sentence);
  g_free(status);
}

/* Nothing is wrong with it now. */
static UiCertStatus *
fine(const CryptoCertEntry *entry, const char *word, gint64 now, const char *sentence)
{
  gint64 left = crypto_cert_not_after(entry->cert) - now;
  if (left > UI_CERT_SOON)
    return status_new(UI_CERT_GOOD, 0, word, sentence);
  g_autofree char *ends = left < DAY ? g_strdup("ends today")
                                     : g_strdup_printf("ends in %dd", (int)(left / DAY));
  const char *said = sentence ? sentence
                     : ui_cert_group(entry) == UI_CERT_OWN
                         ? "Good, but it ends soon: r asks for a new one. Its key stays for reading old mail."
                     : ui_cert_group(entry) == UI_CERT_AUTHORITY
                         ? "Good, but it ends soon: what it issued needs a newer authority then, which i imports."
                         : "Good, but it ends soon: a newer one comes with their signed mail.";
  return status_new(UI_CERT_LOOK, 0, ends, said);
}

static UiCertStatus *
out_of_date(const CryptoCertEntry *entry, guint problems)
{
  if (problems & CRYPTO_TRUST_NOT_YET_VALID)
    return status_new(UI_CERT_LOOK, problems, "not yet valid", "Its time has not begun: see the dates, and your clock.");
  switch (ui_cert_group(entry)) {
  case UI_CERT_OWN:
    return status_new(UI_CERT_LOOK, problems, "expired",
                      "It signs no more; its key stays, for reading the mail that was encrypted to it.");
  case UI_CERT_AUTHORITY:
    return status_new(UI_CERT_LOOK, problems, "expired", "What it issued cannot be checked any more as good for now.");
  default:
    return status_new(UI_CERT_LOOK, problems, "expired", "Nothing is encrypted to it any more: ask them for a new one.");
  }
}

static UiCertStatus *
untrusted(const CryptoCertEntry *entry, const CryptoChain *chain)
{
  gboolean root = entry->flags & CRYPTO_CERT_AUTHORITY && crypto_cert_self_signed(entry->cert);
  if (root && (chain->problems & ~(guint)UNVOUCHED) == 0)
    return status_new(UI_CERT_LOOK, chain->problems, "not trusted",
                      entry->flags & CRYPTO_CERT_TRUSTED_SERVER
                          ? "Trusted for servers, not for mail: T changes that."
                          : "It is kept, and vouches for nobody: T trusts it, after you have compared its fingerprint.");
  g_autofree char *word = g_strdup_printf("not trusted: %s", reason_words(chain->problems));
  return status_new(UI_CERT_LOOK, chain->problems, word, chain->sentence);
}

UiCertStatus *
ui_cert_status(const CryptoCertEntry *entry, gboolean accepted, gint64 now, CryptoRevocationMode revocation,
               GPtrArray *extra)
{
  if (entry->flags & CRYPTO_CERT_DISTRUSTED)
    return status_new(UI_CERT_BAD, CRYPTO_TRUST_DISTRUSTED, "distrusted",
                      "Marked as never to be trusted for mail: T changes that.");
  g_autoptr(CryptoChain) chain =
      crypto_chain_check(entry->cert, ui_cert_main_use(entry->cert), now, revocation, extra);
  guint problems = chain->problems;
  if (problems & CRYPTO_TRUST_REVOKED)
    return status_new(UI_CERT_BAD, problems, "revoked", chain->sentence);
  if (problems & CRYPTO_TRUST_DISTRUSTED)
    return status_new(UI_CERT_BAD, problems, "not trusted: distrusted authority", chain->sentence);
  if (entry->flags & CRYPTO_CERT_RETIRED)
    return status_new(UI_CERT_GOOD, problems, "old key, for reading old mail",
                      "It lies where a card keeps keys that were replaced: it decrypts, and signs no more.");
  if (problems & (CRYPTO_TRUST_EXPIRED | CRYPTO_TRUST_NOT_YET_VALID))
    return out_of_date(entry, problems);
  if (!problems)
    return fine(entry, entry->flags & CRYPTO_CERT_TRUSTED_MAIL ? "trusted" : "good", now, NULL);
  if (accepted && (problems & ~(guint)UNVOUCHED) == 0)
    return fine(entry, "accepted", now,
                "Nobody you trust vouches for it, but you accepted it yourself: mail is encrypted to it.");
  return untrusted(entry, chain);
}
