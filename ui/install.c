#include <string.h>

#include "crypto/certdb.h"
#include "ui/app-private.h"

/* I: keeps the signer's certificate, and those between it and its authority, for writing to them. Nothing becomes
 * trusted by it, and a certificate that is there already for the same address stays beside it. */
typedef struct {
  UiApp *app;
  CryptoCert *cert;
  GPtrArray *between; /* of CryptoCert: intermediates */
  char *source; /* "mail <ID>" */
  gboolean was_there;
  guint addresses;
  GError *error;
} Install;

static void
install_free(Install *install)
{
  crypto_cert_unref(install->cert);
  g_ptr_array_unref(install->between);
  g_free(install->source);
  g_clear_error(&install->error);
  g_free(install);
}

static void
run_install(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Install *install = data;
  MlPeople *people = ui_app_people(install->app, CRYPTO_JOB_KEYS);
  const char *const *addresses = crypto_cert_addresses(install->cert);
  const char *name = addresses[0] ? addresses[0] : crypto_cert_common_name(install->cert);
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;

  if (!crypto_certdb_import(install->cert, name, &install->was_there, pin, &install->error))
    return;
  for (guint i = 0; i < install->between->len; i++) {
    CryptoCert *cert = install->between->pdata[i];
    gboolean known;
    if (!crypto_certdb_import(cert, crypto_cert_common_name(cert), &known, pin, &install->error))
      return;
  }
  for (guint i = 0; people && addresses[i]; i++) {
    if (!ml_people_accept(people, addresses[i], crypto_cert_sha256(install->cert), install->source, now,
                          &install->error))
      return;
    install->addresses++;
  }
}

static void
install_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Install *install = data;
  UiReader *reader = ui_reader_top(app);

  if (install->error)
    ui_app_error(app, install->error);
  else if (!cancelled) {
    ui_app_say(app,
               install->was_there ? "The certificate of %s was there already; it is accepted."
                                  : "The certificate of %s is installed.",
               crypto_cert_common_name(install->cert));
    ui_app_note(app, UI_STYLE_NORMAL, "Installed: %s, SHA-256 %s", crypto_cert_common_name(install->cert),
                crypto_cert_sha256(install->cert));
    if (reader)
      reader->can_install = FALSE;
  }
  install_free(install);
}

static void
install_answered(const char *answer, gpointer data)
{
  Install *install = data;

  if (answer && *answer == 'y')
    ui_ops_job(install->app, CRYPTO_JOB_KEYS, "Storing the certificate", run_install, install_done, install);
  else
    install_free(install);
}

static void
add_intermediates(Install *install, const CryptoChain *chain)
{
  for (guint i = 1; chain && i < chain->certs->len; i++) {
    CryptoCert *cert = chain->certs->pdata[i];
    if (!crypto_cert_self_signed(cert))
      g_ptr_array_add(install->between, crypto_cert_ref(cert));
  }
}

/* The signer to install: the one that is the From, else the first with a certificate and an intact signature. */
static const MlSigner *
choose(const MlVerdict *verdict)
{
  const MlSigner *chosen = NULL;

  for (guint i = 0; i < verdict->signers->len; i++) {
    const MlSigner *signer = verdict->signers->pdata[i];
    if (!signer->cms->cert || signer->cms->state != CRYPTO_SIGNATURE_INTACT)
      continue;
    if (signer->matches_from)
      return signer;
    chosen = chosen ? chosen : signer;
  }
  return chosen;
}

static void
ask(UiApp *app, Install *install, const MlVerdict *verdict)
{
  CryptoCert *cert = install->cert;
  g_autofree char *addresses = g_strjoinv(", ", (char **)crypto_cert_addresses(cert));
  g_autofree char *to = ui_details_date(crypto_cert_not_after(cert));
  g_autofree char *fingerprint = ui_details_fingerprint(crypto_cert_sha256(cert));
  g_autofree char *who = g_strdup_printf("%s, from %s, until %s", crypto_cert_common_name(cert),
                                         crypto_cert_issuer_name(cert), to);
  g_autofree char *whom =
      g_strdup_printf("for mail to %s", *addresses ? addresses : "nobody: it names no address");
  g_autofree char *more = g_strdup_printf("with %u certificate%s between it and its authority",
                                          install->between->len, install->between->len == 1 ? "" : "s");
  g_autofree char *safe_who = ui_text_line(who), *safe_whom = ui_text_line(whom);
  g_autofree char *print = g_strdup_printf("SHA-256 %.40s", fingerprint);
  g_autofree char *print_end =
      g_strdup_printf("        %s", strlen(fingerprint) > 40 ? fingerprint + 40 : "");
  const char *explanation[9] = { safe_who, safe_whom, print, print_end };
  guint n = 4;

  if (install->between->len)
    explanation[n++] = more;
  if (verdict->signature != ML_SIGNATURE_VALID)
    explanation[n++] = "NOT TRUSTED: nobody you trust vouches for it. It is kept, but trusted for nothing.";
  if (!crypto_cert_can_encrypt(cert))
    explanation[n++] = "It is for signing only: mail to them cannot be encrypted with it.";
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, explanation, "Install this certificate", NULL, NULL,
                 install_answered, install);
}

void
ui_install_start(UiApp *app, UiReader *reader)
{
  const MlVerdict *verdict = ml_message_verdict(reader->message);
  const MlSigner *signer = choose(verdict);

  if (!signer) {
    ui_app_complain(app, verdict->signers->len
                             ? "No signer's certificate here belongs to an intact signature."
                             : "This message is not signed: there is no certificate to install.");
    return;
  }
  Install *install = g_new0(Install, 1);
  install->app = app;
  install->cert = crypto_cert_ref(signer->cms->cert);
  install->between = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  install->source = reader->message_id ? g_strdup_printf("mail <%s>", reader->message_id) : g_strdup("mail");
  add_intermediates(install, signer->now);
  ask(app, install, verdict);
}
