#include <string.h>

#include "mail/fetch.h"
#include "ui/app-private.h"

/* O: the user lets this one message's signature be asked about, now. */
void
ui_action_online(UiApp *app)
{
  UiReader *reader = ui_reader_top(app);

  if (!reader || !reader->message)
    return;
  if (app->cli->offline)
    ui_app_say(app, "signet was started with --offline: nobody is asked.");
  else if (!ml_message_verdict(reader->message)->signers->len)
    ui_app_say(app, "There is no signature here to ask about.");
  else if (!g_strcmp0(app->config->revocation, "off"))
    ui_app_say(app, "Nobody is asked: revocation = off in [policy].");
  else if (ui_reader_ask(app, reader, CRYPTO_ASK_OCSP | CRYPTO_ASK_CRL | CRYPTO_ASK_ISSUER, TRUE))
    reader->asked = TRUE;
}

/* A signature that is not intact, or that nobody vouches for, sends nobody on the way. */
static gboolean
is_open(const MlSigner *signer)
{
  return signer->now && signer->cms->state == CRYPTO_SIGNATURE_INTACT &&
         signer->now->revocation == CRYPTO_REVOCATION_UNKNOWN &&
         !(signer->now->problems & (CRYPTO_TRUST_UNKNOWN_ISSUER | CRYPTO_TRUST_SELF_SIGNED));
}

guint
ui_online_kinds(const UiApp *app, const MlMessage *message)
{
  const MlVerdict *verdict = ml_message_verdict(message);

  if (app->cli->offline || strcmp(app->config->online, "ocsp") != 0 || !strcmp(app->config->revocation, "off"))
    return 0;
  for (guint i = 0; i < verdict->signers->len; i++)
    if (is_open(verdict->signers->pdata[i]))
      return CRYPTO_ASK_OCSP;
  return 0;
}

void
ui_online_tell(UiApp *app, const MlMessage *message, gboolean by_key)
{
  GPtrArray *asked = ml_message_asked(message);
  const CryptoAsked *failed = NULL;

  for (guint i = 0; i < asked->len; i++) {
    const CryptoAsked *one = asked->pdata[i];
    ui_app_note(app, one->failure ? UI_STYLE_WARN : UI_STYLE_NORMAL, "Asked %s: %s", one->url,
                one->failure ? one->failure : "answered");
    if (one->failure)
      failed = one;
  }
  if (!by_key)
    return;
  if (failed)
    ui_app_complain(app, "%s (%s)", failed->failure, failed->url);
  else if (asked->len)
    ui_app_say(app, "Asked, and answered: V shows the chain.");
  else
    ui_app_say(app, "Nobody was asked: what is known is fresh, or the certificates name nobody to ask.");
}

/* What had to be decrypted stays as it was read: its key may be locked again. */
void
ui_online_news(gpointer data)
{
  UiApp *app = data;
  UiReader *reader = ui_reader_top(app);

  if (reader && reader->message && !reader->asking &&
      ml_message_verdict(reader->message)->encryption == ML_ENCRYPTION_NONE &&
      ml_message_verdict(reader->message)->signers->len)
    ui_reader_read_again(app, reader, CRYPTO_JOB_VERIFY, reader->open_errant);
}
