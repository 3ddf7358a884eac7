#include <string.h>

#include "crypto/certdb.h"
#include "ui/app-private.h"
#include "ui/chain.h"
#include "ui/strip.h"

char *
ui_details_fingerprint(const char *hex)
{
  GString *out = g_string_new(NULL);

  for (gsize i = 0; hex[i]; i++)
    g_string_append_printf(out, "%s%c", i && i % 4 == 0 ? " " : "", g_ascii_toupper(hex[i]));
  return g_string_free(out, FALSE);
}

static char *
time_words(gint64 when, const char *format)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(when);

  return time ? g_date_time_format(time, format) : g_strdup_printf("%" G_GINT64_FORMAT, when);
}

char *
ui_details_date(gint64 when)
{
  return time_words(when, "%Y-%m-%d");
}

/* "Name:      what it is", wrapped under itself. */
static void G_GNUC_PRINTF(4, 5) add(UiPager *pager, UiStyle style, const char *name, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  UiLine *line = ui_pager_add_format(pager, style, "%-14s %s", name, words);
  line->lead = MIN(14, strlen(line->text));
  line->indent = 15;
}

static void
add_cert(UiPager *pager, CryptoCert *cert, guint depth)
{
  g_autofree char *from = ui_details_date(crypto_cert_not_before(cert));
  g_autofree char *to = ui_details_date(crypto_cert_not_after(cert));
  g_autofree char *fingerprint = ui_details_fingerprint(crypto_cert_sha256(cert));
  g_autofree char *addresses = g_strjoinv(", ", (char **)crypto_cert_addresses(cert));

  add(pager, UI_STYLE_BOLD, depth ? "issued by" : "certificate", "%s", crypto_cert_common_name(cert));
  add(pager, UI_STYLE_NORMAL, "", "%s", crypto_cert_subject(cert));
  if (*addresses)
    add(pager, UI_STYLE_NORMAL, "", "for %s", addresses);
  add(pager, UI_STYLE_NORMAL, "", "valid %s to %s, %s, signed with %s", from, to, crypto_cert_key_name(cert),
      crypto_cert_signature_name(cert));
  add(pager, UI_STYLE_NORMAL, "", "serial %s", crypto_cert_serial(cert));
  add(pager, UI_STYLE_NORMAL, "", "SHA-256 %s", fingerprint);
}

static const char *
revocation_words(CryptoRevocation revocation)
{
  switch (revocation) {
  case CRYPTO_REVOCATION_GOOD:
    return "not revoked, says the authority";
  case CRYPTO_REVOCATION_REVOKED:
    return "REVOKED by the authority";
  case CRYPTO_REVOCATION_UNKNOWN:
    return "not known: no current list of the authority is here (O asks now)";
  default:
    return "not checked";
  }
}

static void
add_chain(UiPager *pager, const CryptoChain *chain)
{
  g_autoptr(GPtrArray) tree = ui_chain_lines(chain);
  for (guint i = 0; i < tree->len; i++)
    add(pager, strstr(tree->pdata[i], "! ") ? UI_STYLE_WARN : UI_STYLE_NORMAL, i ? "" : "chain", "%s",
        (const char *)tree->pdata[i]);
  for (guint i = 0; i < chain->certs->len; i++)
    add_cert(pager, chain->certs->pdata[i], i);
  add(pager, chain->revocation == CRYPTO_REVOCATION_REVOKED ? UI_STYLE_BAD : UI_STYLE_NORMAL, "revocation",
      "%s", revocation_words(chain->revocation));
  if (chain->revoked_at) {
    g_autofree char *when = ui_details_date(chain->revoked_at);
    add(pager, UI_STYLE_BAD, "", "on %s", when);
  }
  if (chain->sentence)
    add(pager, UI_STYLE_WARN, "trust", "%s", chain->sentence);
  else
    add(pager, UI_STYLE_GOOD, "trust", "trusted to vouch for mail");
}

static const char *
state_words(CryptoSignatureState state)
{
  switch (state) {
  case CRYPTO_SIGNATURE_INTACT:
    return "intact: nothing was changed since it was signed";
  case CRYPTO_SIGNATURE_ALTERED:
    return "ALTERED: the text was changed after it was signed";
  case CRYPTO_SIGNATURE_FORGED:
    return "DOES NOT VERIFY";
  case CRYPTO_SIGNATURE_NO_CERT:
    return "cannot be checked: the signer's certificate is not here";
  default:
    return "cannot be checked: of a kind that is not known here";
  }
}

static void
add_signer(UiPager *pager, const MlSigner *signer, guint number, guint total)
{
  const CryptoSigner *cms = signer->cms;
  g_autofree char *label = total > 1 ? g_strdup_printf("Signer %u of %u", number, total) : g_strdup("Signer");

  ui_pager_add_rule(pager, label);
  add(pager, cms->state == CRYPTO_SIGNATURE_INTACT ? UI_STYLE_GOOD : UI_STYLE_BAD, "signature", "%s",
      state_words(cms->state));
  if (cms->reason)
    add(pager, UI_STYLE_NORMAL, "", "%s", cms->reason);
  gboolean intact = cms->state == CRYPTO_SIGNATURE_INTACT;
  add(pager, signer->matches_from ? UI_STYLE_GOOD : UI_STYLE_WARN, "From", "%s",
      signer->matches_from ? "is the certificate's address"
      : intact             ? "is not an address of this certificate"
                           : "is not proven: the signature does not hold");
  if (cms->has_signing_time) {
    g_autofree char *when = time_words(cms->signing_time, "%Y-%m-%d %H:%M:%S %Z");
    add(pager, UI_STYLE_NORMAL, "signed on", "%s (says the signer)", when);
  }
  add(pager, cms->weak_digest ? UI_STYLE_WARN : UI_STYLE_NORMAL, "algorithms", "%s, %s%s",
      cms->algorithm ? cms->algorithm : "?", cms->digest ? cms->digest : "?",
      cms->weak_digest ? " (weak)" : "");
  if (!cms->cert)
    add(pager, UI_STYLE_NORMAL, "names", "%s", cms->identifier ? cms->identifier : "nobody");
  for (guint i = 0; signer->trust_words[i]; i++)
    add(pager, UI_STYLE_WARN, i ? "" : "wrong", "%s", signer->trust_words[i]);
  if (signer->now)
    add_chain(pager, signer->now);
  else if (cms->cert)
    add_cert(pager, cms->cert, 0);
  if (signer->then && signer->now && signer->then->problems != signer->now->problems)
    add(pager, UI_STYLE_NORMAL, "when signed", "%s",
        signer->then->problems ? signer->then->sentence : "the chain was trusted and valid");
}

static void
add_encryption(UiPager *pager, const MlVerdict *verdict)
{
  const CryptoEnvelope *envelope = verdict->envelope;

  ui_pager_add_rule(pager, "Encryption");
  add(pager, UI_STYLE_NORMAL, "state", "%s", ml_encryption_word(verdict->encryption));
  if (verdict->locked)
    add(pager, UI_STYLE_WARN, "", "your key is locked: D in the reader decrypts it");
  if (!envelope)
    return;
  g_autofree char *cipher = ui_strip_algorithm(envelope->algorithm);
  add(pager, envelope->legacy ? UI_STYLE_WARN : UI_STYLE_NORMAL, "cipher", "%s, %s", cipher,
      envelope->authenticated ? "which shows any change" : "which does not show changes by itself");
  if (envelope->key_transport)
    add(pager, UI_STYLE_NORMAL, "key sent by", "%s", envelope->key_transport);
  if (envelope->ours)
    add(pager, UI_STYLE_NORMAL, "your key", "%s%s%s", crypto_cert_common_name(envelope->ours),
        envelope->absent  ? ", on a card that is away: "
        : envelope->token ? ", on "
                          : "",
        envelope->token ? envelope->token : "");
  for (guint i = 0; envelope->recipients && i < envelope->recipients->len && i < 100; i++)
    add(pager, UI_STYLE_NORMAL, i ? "" : "readable by", "%s", (char *)envelope->recipients->pdata[i]);
}

static void
add_headers(UiPager *pager, const MlMessage *message)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  char **differs = ml_message_outer_differs(message);

  ui_pager_add_rule(pager, "Headers");
  add(pager, UI_STYLE_NORMAL, "protected", "%s", ml_protected_word(verdict->protected_headers));
  for (guint i = 0; differs[i]; i++)
    add(pager, UI_STYLE_WARN, i ? "" : "differ outside", "%s", differs[i]);
}

UiView *
ui_details_new(UiApp *app, UiReader *reader)
{
  UiPane *pane = ui_pane_new(UI_IN_DETAILS, "details", "Security of this message");
  UiPager *pager = &pane->pager;
  const MlVerdict *verdict = ml_message_verdict(reader->message);

  add(pager, ui_strip_style(verdict), "verdict", "%s (signature %s)", ml_indicator_word(verdict->indicator),
      ml_signature_word(verdict->signature));
  add(pager, UI_STYLE_NORMAL, "why", "%s", verdict->reason);
  for (guint i = 0; verdict->warnings && i < verdict->warnings->len; i++)
    add(pager, UI_STYLE_WARN, "", "%s", (char *)verdict->warnings->pdata[i]);
  for (guint i = 0; verdict->notices && i < verdict->notices->len; i++)
    add(pager, UI_STYLE_NORMAL, "", "%s", (char *)verdict->notices->pdata[i]);
  if (verdict->next_step)
    add(pager, UI_STYLE_BOLD, "what to do", "%s", verdict->next_step);
  for (guint i = 0; i < verdict->signers->len; i++)
    add_signer(pager, verdict->signers->pdata[i], i + 1, verdict->signers->len);
  GPtrArray *asked = ml_message_asked(reader->message);
  for (guint i = 0; asked && i < asked->len; i++) {
    const CryptoAsked *one = asked->pdata[i];
    add(pager, one->failure ? UI_STYLE_WARN : UI_STYLE_NORMAL, i ? "" : "asked", "%s: %s", one->url,
        one->failure ? one->failure : "answered");
  }
  if (verdict->encryption != ML_ENCRYPTION_NONE)
    add_encryption(pager, verdict);
  add_headers(pager, reader->message);
  return &pane->view;
}

void
ui_details_refresh(UiApp *app, UiReader *reader)
{
  UiView *view = ui_app_top(app);
  if (view->type->context != UI_IN_DETAILS || ui_reader_top(app) != reader)
    return;
  int top = ((UiPane *)view)->pager.top;
  ui_app_pop(app);
  view = ui_details_new(app, reader);
  ((UiPane *)view)->pager.top = top;
  ui_app_push(app, view);
}

/* T: an authority that a chain ends in becomes trusted for mail. */
typedef struct {
  UiApp *app;
  CryptoCert *cert;
  GError *error;
} Trust;

static void
trust_free(Trust *trust)
{
  crypto_cert_unref(trust->cert);
  g_clear_error(&trust->error);
  g_free(trust);
}

static void
run_trust(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Trust *trust = data;

  if (!crypto_certdb_set_trust(trust->cert, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_KEEP, pin, &trust->error) && !trust->error)
    g_set_error_literal(&trust->error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                        "The authority could not be trusted.");
}

static void
trust_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Trust *trust = data;
  UiReader *reader = ui_reader_top(app);

  if (trust->error)
    ui_app_error(app, trust->error);
  else if (!cancelled) {
    ui_app_say(app, "%s is trusted to vouch for mail.", crypto_cert_common_name(trust->cert));
    ui_app_note(app, UI_STYLE_NORMAL, "Trusted for mail: %s, SHA-256 %s",
                crypto_cert_common_name(trust->cert), crypto_cert_sha256(trust->cert));
    if (ui_app_top(app)->type->context == UI_IN_DETAILS)
      ui_app_pop(app);
    if (reader)
      ui_reader_read_again(app, reader, CRYPTO_JOB_VERIFY, reader->open_errant);
  }
  trust_free(trust);
}

static void
trust_answered(const char *answer, gpointer data)
{
  Trust *trust = data;

  if (answer)
    ui_ops_job(trust->app, CRYPTO_JOB_KEYS, "Changing the certificate database", run_trust, trust_done,
               trust);
  else
    trust_free(trust);
}

/* The end of the first chain that nobody vouches for yet. */
static CryptoCert *
untrusted_authority(const MlVerdict *verdict)
{
  for (guint i = 0; i < verdict->signers->len; i++) {
    const MlSigner *signer = verdict->signers->pdata[i];
    if (!signer->now || !signer->now->certs->len ||
        !(signer->now->problems & (CRYPTO_TRUST_SELF_SIGNED | CRYPTO_TRUST_UNKNOWN_ISSUER)))
      continue;
    return signer->now->certs->pdata[signer->now->certs->len - 1];
  }
  return NULL;
}

void
ui_details_trust(UiApp *app)
{
  UiReader *reader = ui_reader_top(app);
  CryptoCert *cert =
      reader && reader->message ? untrusted_authority(ml_message_verdict(reader->message)) : NULL;

  if (!cert) {
    ui_app_say(app, "There is no authority here that waits to be trusted.");
    return;
  }
  if (!crypto_cert_self_signed(cert)) {
    ui_app_complain(app,
                    "The authority itself, %s, did not come with the message: get its certificate and run "
                    "`signet cert import FILE`.",
                    crypto_cert_issuer_name(cert));
    return;
  }
  if (!crypto_cert_is_authority(cert)) {
    ui_app_complain(
        app,
        "This certificate vouches only for itself; it is no authority. Ask %s for its fingerprint, "
        "then run `signet cert trust`.",
        crypto_cert_common_name(cert));
    return;
  }
  g_autofree char *name = ui_text_line(crypto_cert_common_name(cert));
  g_autofree char *fingerprint = ui_details_fingerprint(crypto_cert_sha256(cert));
  g_autofree char *first = g_strdup_printf("SHA-256 %.39s", fingerprint);
  g_autofree char *second = g_strdup_printf("        %s", strlen(fingerprint) > 40 ? fingerprint + 40 : "");
  g_autofree char *question = g_strdup_printf("Trust %s to say who anybody is? Spell out yes", name);
  const char *explanation[] = { first, second,
                                "Compare it with what the authority itself publishes, not with a mail.",
                                NULL };
  Trust *trust = g_new0(Trust, 1);
  trust->app = app;
  trust->cert = crypto_cert_ref(cert);
  ui_prompts_ask(app->prompts, UI_PROMPT_SPELLED, explanation, question, NULL, NULL, trust_answered, trust);
}
