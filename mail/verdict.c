#include "mail/message-private.h"

#include <string.h>

enum { CLOCK_SLACK = 300 };      /* seconds by which a sender's clock may be ahead of ours */
enum { DATE_SLACK = 7 * 86400 }; /* between Date and signing time before it is worth a word */

const char *
ml_signature_word(MlSignature signature)
{
  static const char *const words[] = { "valid",    "valid-but-untrusted",    "invalid", "unverifiable",
                                       "unsigned", "not-displayed-as-signed" };
  return words[signature];
}

const char *
ml_encryption_word(MlEncryption encryption)
{
  static const char *const words[] = { "none",          "decrypted",
                                       "legacy-warned", "no-key",
                                       "malformed",     "unsupported",
                                       "refused",       "not-displayed-as-encrypted" };
  return words[encryption];
}

const char *
ml_indicator_word(MlIndicator indicator)
{
  static const char *const words[] = { "good", "warn", "bad", "none" };
  return words[indicator];
}

const char *
ml_protected_word(MlProtected protected_headers)
{
  static const char *const words[] = { "none", "signed", "encrypted", "signed-and-encrypted" };
  return words[protected_headers];
}

static gboolean
has_word(char **words, const char *word)
{
  return words && g_strv_contains((const char *const *)words, word);
}

/* The rows of the table in signet(1); of two that fit, the worse in the order 1 5 8 7 4 3 6 0. */
int
ml_verdict_exit_code(const MlVerdict *verdict)
{
  int code = 6;
  switch (verdict->signature) {
  case ML_SIGNATURE_INVALID:
    return 1;
  case ML_SIGNATURE_UNVERIFIABLE:
    code = 7;
    break;
  case ML_SIGNATURE_UNTRUSTED:
    if (has_word(verdict->trust_errors, "revoked"))
      return 5;
    code = 4;
    break;
  case ML_SIGNATURE_VALID:
    code = verdict->indicator == ML_INDICATOR_GOOD ? 0 : 3;
    break;
  case ML_SIGNATURE_UNSIGNED:
  case ML_SIGNATURE_ERRANT:
    break;
  }
  switch (verdict->encryption) {
  case ML_ENCRYPTION_NO_KEY:
  case ML_ENCRYPTION_MALFORMED:
  case ML_ENCRYPTION_UNSUPPORTED:
  case ML_ENCRYPTION_REFUSED:
    return 8;
  default:
    return code;
  }
}

void
ml_verdict_free(MlVerdict *verdict)
{
  if (!verdict)
    return;
  g_free(verdict->signer_address);
  g_strfreev(verdict->trust_errors);
  g_free(verdict->reason);
  g_free(verdict->next_step);
  g_clear_pointer(&verdict->warnings, g_ptr_array_unref);
  g_clear_pointer(&verdict->notices, g_ptr_array_unref);
  g_clear_pointer(&verdict->signers, g_ptr_array_unref);
  crypto_envelope_free(verdict->envelope);
  g_free(verdict);
}

static void
add_word(GPtrArray *words, const char *word)
{
  for (guint i = 0; i < words->len; i++)
    if (strcmp(g_ptr_array_index(words, i), word) == 0)
      return;
  g_ptr_array_add(words, g_strdup(word));
}

static gboolean
is_broken(const MlSignerFacts *signer)
{
  return signer->state == CRYPTO_SIGNATURE_ALTERED || signer->state == CRYPTO_SIGNATURE_FORGED;
}

/* Time: a certificate that expired since is as good as it was if somebody else than the sender says that the
 * message was there before: the server (or our own first sight of it). The sender's own claim can only make
 * things worse. */
static void
collect_time_words(const MlFacts *facts, const MlSignerFacts *signer, GPtrArray *words)
{
  gboolean late = signer->has_time && signer->signing_time > signer->not_after;
  if (signer->problems & CRYPTO_TRUST_EXPIRED) {
    if (late)
      add_word(words, "expired-at-signing");
    else if (!signer->received_inside)
      add_word(words, "expired-now");
  }
  if ((signer->problems & CRYPTO_TRUST_ISSUER_EXPIRED) && !signer->received_inside)
    add_word(words, crypto_trust_word(CRYPTO_TRUST_ISSUER_EXPIRED));
  if (signer->has_time && signer->signing_time > facts->at + CLOCK_SLACK)
    add_word(words, "signing-time-future");
  if (signer->has_time && signer->signing_time < signer->not_before)
    add_word(words, "signing-time-before-certificate");
}

static void
collect_trust_words(const MlFacts *facts, const MlSignerFacts *signer, GPtrArray *words)
{
  if (signer->state == CRYPTO_SIGNATURE_NO_CERT)
    add_word(words, "signer-certificate-missing");
  if (!signer->has_cert)
    return;
  collect_time_words(facts, signer, words);
  for (guint bit = 0; bit < 32; bit++) {
    guint problem =
        signer->problems & (1u << bit) & ~(guint)(CRYPTO_TRUST_EXPIRED | CRYPTO_TRUST_ISSUER_EXPIRED);
    if (problem)
      add_word(words, crypto_trust_word((CryptoTrustProblem)problem));
  }
  if (signer->weak_digest)
    add_word(words, "weak-algorithm");
}

static MlSignature
judge_signature(const MlFacts *facts, GPtrArray **words)
{
  if (!facts->signed_layer)
    return facts->errant_signature || facts->ciphertext_signature ? ML_SIGNATURE_ERRANT
                                                                  : ML_SIGNATURE_UNSIGNED;
  if (facts->broken)
    return g_error_matches(facts->broken, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED) ? ML_SIGNATURE_UNVERIFIABLE
                                                                                  : ML_SIGNATURE_INVALID;
  if (facts->outer_broken)
    return ML_SIGNATURE_INVALID; /* worst wins */
  if (!facts->n_signers)
    return ML_SIGNATURE_UNSIGNED;
  gboolean unverifiable = FALSE, untrusted = FALSE;
  for (guint i = 0; i < facts->n_signers; i++) {
    const MlSignerFacts *signer = &facts->signers[i];
    if (is_broken(signer))
      return ML_SIGNATURE_INVALID;
    unverifiable = unverifiable || signer->state != CRYPTO_SIGNATURE_INTACT;
    /* revocation that was demanded and is not known: nothing can be said, unless something else is wrong too */
    if (signer->problems == CRYPTO_TRUST_REVOCATION_UNKNOWN && words[i]->len == 1)
      unverifiable = TRUE;
    else
      untrusted = untrusted || words[i]->len;
  }
  return unverifiable ? ML_SIGNATURE_UNVERIFIABLE : untrusted ? ML_SIGNATURE_UNTRUSTED : ML_SIGNATURE_VALID;
}

/* The one author, if there is exactly one, unmistakably. */
static const MlAddress *
sole_author(const MlAuthors *authors)
{
  if (!authors || authors->fields != 1 || authors->group || authors->broken || authors->mailboxes->len != 1)
    return NULL;
  return g_ptr_array_index(authors->mailboxes, 0);
}

static void
judge_sender(const MlFacts *facts, MlVerdict *verdict)
{
  const MlAddress *author = sole_author(facts->authors);
  const char *first = NULL, *matching = NULL;
  gboolean have_cert = FALSE;
  for (guint i = 0; i < facts->n_signers; i++) {
    const MlSignerFacts *signer = &facts->signers[i];
    have_cert = have_cert || signer->has_cert;
    for (guint a = 0; signer->addresses[a]; a++) {
      if (!first)
        first = signer->addresses[a];
      if (author && !matching && ml_address_equal(author->address, signer->addresses[a]))
        matching = signer->addresses[a];
    }
  }
  verdict->signer_address = g_strdup(matching ? matching : first);
  gboolean intact = verdict->signature == ML_SIGNATURE_VALID || verdict->signature == ML_SIGNATURE_UNTRUSTED;
  verdict->signer_matches_from = !intact || !have_cert ? ML_UNKNOWN : matching ? ML_YES : ML_NO;
}

static MlEncryption
judge_encryption(const MlFacts *facts, gboolean *locked)
{
  if (facts->decrypt_error) {
    if (facts->decrypt_error->domain != CRYPTO_ERROR)
      return ML_ENCRYPTION_MALFORMED;
    switch ((CryptoError)facts->decrypt_error->code) {
    case CRYPTO_ERROR_LOCKED:
    case CRYPTO_ERROR_PIN:
    case CRYPTO_ERROR_CANCELLED:
      *locked = TRUE;
      return ML_ENCRYPTION_REFUSED; /* "no-key" is said only where no recipient is ours */
    case CRYPTO_ERROR_NO_KEY:
      return ML_ENCRYPTION_NO_KEY;
    case CRYPTO_ERROR_UNSUPPORTED:
      return ML_ENCRYPTION_UNSUPPORTED;
    case CRYPTO_ERROR_REFUSED:
    case CRYPTO_ERROR_JOURNAL:
      return ML_ENCRYPTION_REFUSED;
    default:
      return ML_ENCRYPTION_MALFORMED;
    }
  }
  if (facts->encrypted)
    return facts->legacy ? ML_ENCRYPTION_LEGACY : ML_ENCRYPTION_DECRYPTED;
  return facts->errant_encryption ? ML_ENCRYPTION_ERRANT : ML_ENCRYPTION_NONE;
}

static void G_GNUC_PRINTF(2, 3) warn(MlVerdict *verdict, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_ptr_array_add(verdict->warnings, g_strdup_vprintf(format, args));
  va_end(args);
}

/* What makes a sender suspicious whatever the signature says. TRUE: no mark may be given. */
static gboolean
warn_of_sender(const MlFacts *facts, MlVerdict *verdict)
{
  gboolean suspicious = FALSE;
  for (guint i = 0; i < facts->authors->mailboxes->len; i++) {
    const MlAddress *author = g_ptr_array_index(facts->authors->mailboxes, i);
    if (author->name && ml_address_other_in(author->name, author->address)) {
      warn(verdict, "The sender's name looks like an address, but the address is %s.",
           *author->address ? author->address : "missing");
      suspicious = TRUE;
    }
    if (ml_address_mixes_scripts(author->address)) {
      warn(
          verdict,
          "The sender's address mixes letters of several alphabets that look alike; it may imitate another.");
      suspicious = TRUE;
    }
  }
  if (facts->authors->fields > 1)
    warn(verdict,
         "The message has %u From fields, which is against the rules: nobody can tell who it is from.",
         facts->authors->fields);
  else if (facts->authors->mailboxes->len > 1)
    warn(verdict, "The message names %u authors; a signature proves one at most.",
         facts->authors->mailboxes->len);
  if (facts->outer && verdict->signature != ML_SIGNATURE_VALID)
    warn(verdict,
         "The sender that the mail servers saw is another than the one inside the message, and no valid "
         "signature says which is right.");
  return suspicious;
}

/* As a person would name it. */
static char *
cipher_name(const char *cipher)
{
  return g_str_has_prefix(cipher, "des-ede3") ? g_strdup("3DES") : g_ascii_strup(cipher, -1);
}

static void
warn_of_rest(const MlFacts *facts, MlVerdict *verdict)
{
  gboolean marked = verdict->signature == ML_SIGNATURE_VALID || verdict->signature == ML_SIGNATURE_UNTRUSTED;
  if (facts->encrypted && !facts->decrypt_error) {
    g_autofree char *cipher = cipher_name(facts->cipher);
    if (verdict->encryption == ML_ENCRYPTION_LEGACY)
      warn(verdict, "The cipher (%s) is out of date. Ask the sender for a program that uses AES.", cipher);
    if (!marked && !facts->authenticated)
      warn(verdict, "It is encrypted (%s), but not protected against change: links in it are inactive.",
           cipher);
    if (!marked)
      warn(verdict, "That it was encrypted to you says nothing about who sent it.");
  }
  if (facts->ciphertext_signature)
    warn(verdict, "A signature lies around the encryption only: who made it need not know the text.");
  if (facts->errant_signature && facts->signed_layer)
    warn(verdict, "A part of it has a signature of its own; that one says nothing of the whole.");
  if (facts->errant_encryption)
    warn(verdict,
         "A part of it is encrypted by itself. It stays closed until you ask for it, and is never quoted.");
  for (guint i = 0; marked && i < facts->n_signers; i++) {
    gint64 apart = facts->signers[i].signing_time - facts->date;
    if (facts->signers[i].has_time && facts->date && ABS(apart) > DATE_SLACK)
      warn(verdict, "It was signed %d days %s the date that it shows.", (int)(ABS(apart) / 86400),
           apart < 0 ? "before" : "after");
  }
}

/* The sentence for whoever is first in the way of a mark. */
static void
explain_trust(const MlFacts *facts, MlVerdict *verdict)
{
  const char *sentence = NULL;
  for (guint i = 0; i < facts->n_signers && !sentence; i++)
    sentence = facts->signers[i].sentence;
  if (has_word(verdict->trust_errors, "revoked")) {
    verdict->reason = g_strdup(sentence ? sentence : "The signer's certificate has been revoked.");
    verdict->next_step = g_strdup("Do not rely on this message; ask the sender by another way.");
  } else if (has_word(verdict->trust_errors, "signing-time-future")) {
    verdict->reason = g_strdup("Unaltered, but it claims to have been signed in the future.");
    verdict->next_step = g_strdup("Look at the clock of this computer; if it is right, ask the sender.");
  } else if (has_word(verdict->trust_errors, "expired-at-signing")) {
    verdict->reason = g_strdup("Unaltered, but the certificate had expired before it was signed.");
    verdict->next_step = g_strdup("Ask the sender to renew the certificate.");
  } else if (has_word(verdict->trust_errors, "signing-time-before-certificate")) {
    verdict->reason =
        g_strdup("Unaltered, but it claims to have been signed before the certificate existed.");
    verdict->next_step = g_strdup("Ask the sender to set the clock of the computer that signed it.");
  } else if (sentence) {
    verdict->reason = g_strdup(sentence);
  } else if (has_word(verdict->trust_errors, "weak-algorithm")) {
    verdict->reason =
        g_strdup("Unaltered as far as can be told, but signed with a digest that is out of date and can "
                 "be forged.");
    verdict->next_step = g_strdup("Ask the sender to sign with SHA-256.");
  } else {
    g_autofree char *words = g_strjoinv(", ", verdict->trust_errors);
    verdict->reason = g_strdup_printf("Unaltered, but the certificate is not trusted: %s.", words);
    verdict->next_step = g_strdup("V, or verify --explain, shows which rule it breaks.");
  }
}

static void
explain_valid(const MlFacts *facts, MlVerdict *verdict, gboolean suspicious)
{
  const char *signer = verdict->signer_address ? verdict->signer_address : "somebody without a mail address";
  if (verdict->indicator == ML_INDICATOR_GOOD) {
    verdict->reason = g_strdup_printf("Signed by %s, unaltered and trusted%s.", signer,
                                      verdict->expired_since ? "; the certificate has expired since" : "");
  } else if (verdict->signer_matches_from == ML_YES && suspicious) {
    verdict->reason =
        g_strdup_printf("Signed by %s, but the sender's name or address looks like somebody else's.", signer);
    verdict->next_step = g_strdup("Believe the certified address, letter by letter, and nothing else.");
  } else {
    const MlAddress *author = sole_author(facts->authors);
    if (author && *author->address)
      verdict->reason = g_strdup_printf("Signed by someone else: %s, not %s.", signer, author->address);
    else
      verdict->reason =
          g_strdup_printf("Signed by %s, but the message does not name one author that could be the "
                          "signer.",
                          signer);
    verdict->next_step = g_strdup("Ask the sender by another way if this message is from them.");
  }
}

static const MlSignerFacts *
worst_signer(const MlFacts *facts, gboolean broken)
{
  for (guint i = 0; i < facts->n_signers; i++)
    if (broken ? is_broken(&facts->signers[i]) : facts->signers[i].state != CRYPTO_SIGNATURE_INTACT)
      return &facts->signers[i];
  return NULL;
}

static void
explain_unverifiable(const MlFacts *facts, MlVerdict *verdict)
{
  const MlSignerFacts *signer = worst_signer(facts, FALSE);
  if (facts->broken) {
    verdict->reason = g_strdup(facts->broken->message);
    verdict->next_step = g_strdup("Ask the sender for an ordinary S/MIME signature (RSA or EC, SHA-256).");
  } else if (signer && signer->state == CRYPTO_SIGNATURE_NO_CERT) {
    verdict->reason =
        g_strdup("Signed, but the signer's certificate is neither in the message nor known here, so that "
                 "nothing can be said.");
    verdict->next_step = g_strdup("Ask the sender for the certificate and import it (signet cert import FILE), or give it with "
                                  "--certs.");
  } else if (signer && signer->reason) {
    verdict->reason = g_strdup(signer->reason);
    verdict->next_step = g_strdup("Ask the sender for a signature by RSA or EC (P-256) with SHA-256.");
  } else {
    verdict->reason =
        g_strdup("It is not known whether the certificate has been revoked, and your policy demands it.");
    verdict->next_step = g_strdup("Ask for it (O on the screen, verify --online), or set revocation = soft in [policy].");
  }
}

/* What mends a message that stays closed. */
static const char *
closed_next_step(const MlVerdict *verdict)
{
  if (verdict->locked)
    return "D in the reader asks for the PIN or password; in a script, --pin-file.";
  switch (verdict->encryption) {
  case ML_ENCRYPTION_NO_KEY:
    return "Import the key it was encrypted to (signet cert import FILE.p12), or insert the card that holds "
           "it.";
  case ML_ENCRYPTION_UNSUPPORTED:
    return "Ask the sender to encrypt with AES, to your RSA or EC certificate.";
  case ML_ENCRYPTION_REFUSED:
    return "Ask the sender for a program that encrypts with AES.";
  default:
    return "Ask the sender to send it again.";
  }
}

static void
explain_unsigned(const MlFacts *facts, MlVerdict *verdict)
{
  switch (verdict->encryption) {
  case ML_ENCRYPTION_NO_KEY:
  case ML_ENCRYPTION_MALFORMED:
  case ML_ENCRYPTION_UNSUPPORTED:
  case ML_ENCRYPTION_REFUSED:
    verdict->reason = g_strdup(facts->decrypt_error->message);
    if (!strstr(verdict->reason, ". ")) /* else the sentence goes on with what to do */
      verdict->next_step = g_strdup(closed_next_step(verdict));
    return;
  case ML_ENCRYPTION_DECRYPTED:
  case ML_ENCRYPTION_LEGACY:
    verdict->reason =
        g_strdup(verdict->signature == ML_SIGNATURE_ERRANT
                     ? "Encrypted to you. A signature is there, but not of this text: nothing shows who "
                       "wrote it."
                     : "Encrypted to you, but not signed: nothing shows who sent it.");
    if (verdict->signature == ML_SIGNATURE_ERRANT)
      verdict->next_step = g_strdup("Ask the sender to sign first and encrypt then.");
    return;
  default:
    break;
  }
  if (verdict->signature == ML_SIGNATURE_ERRANT) {
    verdict->reason =
        g_strdup("Only a part of this message is signed, so that nothing shows who sent it as a whole.");
    verdict->next_step = g_strdup("v in the reader shows which part; rely on nothing else.");
  } else if (verdict->encryption == ML_ENCRYPTION_ERRANT)
    verdict->reason = g_strdup("Not signed; a part of it is encrypted by itself.");
  else
    verdict->reason = g_strdup("Not signed: nothing shows who sent it, or whether it was changed.");
}

static void
explain(const MlFacts *facts, MlVerdict *verdict, gboolean suspicious)
{
  switch (verdict->signature) {
  case ML_SIGNATURE_VALID:
    explain_valid(facts, verdict, suspicious);
    break;
  case ML_SIGNATURE_UNTRUSTED:
    explain_trust(facts, verdict);
    break;
  case ML_SIGNATURE_INVALID: {
    const MlSignerFacts *signer = worst_signer(facts, TRUE);
    verdict->reason = g_strdup(facts->broken              ? facts->broken->message
                               : facts->outer_broken      ? facts->outer_broken
                               : signer && signer->reason ? signer->reason
                                                          : "The message was altered after it was signed.");
    verdict->next_step = g_strdup("Do not rely on it. Ask the sender to send it again, or by another way.");
    break;
  }
  case ML_SIGNATURE_UNVERIFIABLE:
    explain_unverifiable(facts, verdict);
    break;
  case ML_SIGNATURE_UNSIGNED:
  case ML_SIGNATURE_ERRANT:
    explain_unsigned(facts, verdict);
    break;
  }
}

MlVerdict *
ml_verdict_judge(const MlFacts *facts, GPtrArray **words)
{
  MlVerdict *verdict = g_new0(MlVerdict, 1);
  verdict->warnings = g_ptr_array_new_with_free_func(g_free);
  verdict->notices = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (guint i = 0; i < facts->n_signers; i++) {
    collect_trust_words(facts, &facts->signers[i], words[i]);
    for (guint w = 0; w < words[i]->len; w++)
      add_word(all, g_ptr_array_index(words[i], w));
    const guint expired = CRYPTO_TRUST_EXPIRED | CRYPTO_TRUST_ISSUER_EXPIRED;
    if ((facts->signers[i].problems & expired) && facts->signers[i].received_inside)
      verdict->expired_since = TRUE;
  }
  g_ptr_array_add(all, NULL);
  verdict->trust_errors = (char **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
  verdict->signature = judge_signature(facts, words);
  verdict->encryption = judge_encryption(facts, &verdict->locked);
  judge_sender(facts, verdict);
  gboolean suspicious = warn_of_sender(facts, verdict);
  switch (verdict->signature) {
  case ML_SIGNATURE_VALID:
    verdict->indicator =
        verdict->signer_matches_from == ML_YES && !suspicious ? ML_INDICATOR_GOOD : ML_INDICATOR_WARN;
    break;
  case ML_SIGNATURE_INVALID:
    verdict->indicator = ML_INDICATOR_BAD;
    break;
  case ML_SIGNATURE_UNTRUSTED:
  case ML_SIGNATURE_UNVERIFIABLE:
    verdict->indicator = has_word(verdict->trust_errors, "revoked") ? ML_INDICATOR_BAD : ML_INDICATOR_WARN;
    break;
  case ML_SIGNATURE_UNSIGNED:
  case ML_SIGNATURE_ERRANT:
    verdict->indicator = ML_INDICATOR_NONE;
    break;
  }
  verdict->expired_since = verdict->expired_since && verdict->signature == ML_SIGNATURE_VALID;
  warn_of_rest(facts, verdict);
  explain(facts, verdict, suspicious);
  return verdict;
}
