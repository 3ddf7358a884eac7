#include <string.h>

#include "ui/compose-private.h"

/* From the review screen into the outbox: signed and encrypted on the keys thread, which may ask for a PIN; safely on
 * the disk before anybody says so. Until then nothing is taken from the composer. */
typedef struct {
  MlDraft *draft;
  MlSealed *sealed;
} Part;

typedef struct {
  UiComposer *composer;
  const MlAccount *account;
  CryptoRevocationMode revocation;
  const MlPolicy *rules; /* borrowed: the configuration outlives every job */
  Part parts[2]; /* the second only where it is sent apart */
  guint n;
  char *folder; /* of the outbox */
  GPtrArray *ids;
  gint64 due;
  gboolean missing; /* somebody cannot be encrypted to: nothing was done */
  GError *error;
} Sending;

static void
sending_free(Sending *sending)
{
  for (guint i = 0; i < G_N_ELEMENTS(sending->parts); i++) {
    ml_draft_free(sending->parts[i].draft);
    if (sending->parts[i].sealed)
      ml_sealed_free(sending->parts[i].sealed);
  }
  g_clear_pointer(&sending->ids, g_ptr_array_unref);
  g_clear_error(&sending->error);
  g_free(sending->folder);
  ui_composer_unref(sending->composer);
  g_free(sending);
}

/* FALSE: somebody cannot be encrypted to; of the sender's own rows that is an error. */
static gboolean
all_ready(Sending *sending, GPtrArray *recipients)
{
  const char *own = NULL;

  for (guint i = 0; i < recipients->len; i++) {
    const MlRecipient *recipient = recipients->pdata[i];
    if (recipient->state == ML_CERT_READY)
      continue;
    if (!recipient->self && !recipient->archive) {
      sending->missing = TRUE;
      return FALSE;
    }
    own = recipient->reason ? recipient->reason : "It cannot be encrypted to yourself.";
  }
  if (own)
    g_set_error_literal(&sending->error, ML_ERROR, ML_ERROR_FAILED, own);
  return !own;
}

/* On the keys thread. FALSE: missing, or an error. */
static gboolean
seal_part(Sending *sending, Part *part, CryptoPinSource *pin, GCancellable *cancellable)
{
  MlPeople *people = ui_app_people(sending->composer->app, CRYPTO_JOB_KEYS);
  g_autofree char *from = ui_composer_from_address(part->draft);
  g_autoptr(GPtrArray) mailboxes = ml_draft_mailboxes(part->draft, &sending->error), recipients = NULL;
  g_autoptr(CryptoCert) signer = NULL;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  MlSealOptions options = { .now = now, .revocation = sending->revocation, .rules = sending->rules };

  if (!mailboxes)
    return FALSE;
  if (part->draft->sign) {
    signer = ml_recipients_own(sending->account, from, part->draft->sign_cert, CRYPTO_USE_SIGN, now,
                               sending->revocation, &sending->error);
    if (!signer)
      return FALSE;
  }
  if (part->draft->encrypt) {
    if (!people) {
      g_set_error(&sending->error, ML_ERROR, ML_ERROR_STORE,
                  "What is known of your correspondents cannot be read (people.db): ! shows why.");
      return FALSE;
    }
    recipients = ml_recipients_find(people, mailboxes, now, sending->revocation, &sending->error);
    if (!recipients)
      return FALSE;
    ml_recipients_add_own(recipients, sending->account, from, now, sending->revocation);
    if (!all_ready(sending, recipients))
      return FALSE;
  } else if (part->draft->sign) {
    recipients = ml_recipients_readers(people, mailboxes, sending->account, from, now, sending->revocation);
  }
  options.signer = signer;
  options.recipients = recipients;
  part->sealed = ml_seal(part->draft, &options, pin, cancellable, &sending->error);
  return part->sealed != NULL;
}

static void
run_sending(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Sending *sending = data;

  for (guint i = 0; i < sending->n; i++)
    if (!seal_part(sending, &sending->parts[i], pin, cancellable))
      return;
  g_autoptr(MlOutbox) outbox = ml_outbox_open(sending->folder, &sending->error);
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  sending->due = now + sending->account->undo_send;
  for (guint i = 0; outbox && i < sending->n; i++) {
    char *id = ml_outbox_add(outbox, sending->account, sending->parts[i].sealed, now,
                             sending->account->undo_send, &sending->error);
    if (id) {
      g_ptr_array_add(sending->ids, id);
      continue;
    }
    for (guint j = 0; j < sending->ids->len; j++) /* both or none */
      if (!ml_outbox_cancel(outbox, sending->ids->pdata[j], NULL, NULL))
        g_message("The first of two messages could not be taken back: look into the outbox.");
    g_ptr_array_set_size(sending->ids, 0);
    return;
  }
}

static void
sending_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Sending *sending = data;
  UiComposer *composer = sending->composer;

  composer->busy = FALSE;
  if (sending->ids->len) {
    ui_outbox_queued(composer, g_steal_pointer(&sending->ids), sending->due);
  } else if (sending->missing && !composer->closed) {
    ui_composer_changed(composer, TRUE);
    if (composer->found && ui_compose_missing(composer))
      ui_missing_open(composer);
    else
      ui_app_say(app, "Not everybody can read it encrypted: look at the rows of the recipients.");
  } else if (sending->error) {
    ui_app_error(app, sending->error);
    if (g_error_matches(sending->error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED) ||
        g_error_matches(sending->error, ML_ERROR, ML_ERROR_CANCELLED))
      ui_app_say(app, "Cancelled: nothing was sent, the message is as it was.");
  } else
    ui_app_say(app, "Cancelled: nothing was sent, the message is as it was.");
  sending_free(sending);
}

/* Takes both drafts. */
static void
start_sending(UiComposer *composer, MlDraft *draft, MlDraft *apart)
{
  Sending *sending = g_new0(Sending, 1);

  sending->composer = ui_composer_ref(composer);
  sending->account = composer->account->account;
  sending->revocation = ml_config_revocation(composer->app->config);
  sending->rules = composer->app->config->policy;
  sending->folder = ui_outbox_folder(composer->app);
  sending->ids = g_ptr_array_new_with_free_func(g_free);
  sending->parts[0].draft = draft;
  sending->parts[1].draft = apart;
  sending->n = apart ? 2 : 1;
  composer->busy = TRUE;
  ui_ops_job(composer->app, CRYPTO_JOB_KEYS,
             draft->sign      ? draft->encrypt ? "Signing and encrypting" : "Signing"
             : draft->encrypt ? "Encrypting"
                              : "Queueing",
             run_sending, sending_done, sending);
}

/* The questions before it, one after the other; each may end it. */
typedef enum { ASK_SUBJECT, ASK_ATTACHMENT, ASK_NOTHING } Step;
typedef struct {
  UiComposer *composer;
  Step step;
} Asking;

static void ask_on(UiComposer *composer, Step step);

static void
asked(const char *answer, gpointer data)
{
  g_autofree Asking *asking = data;
  g_autoptr(UiComposer) composer = asking->composer;

  if (answer && *answer == 'y' && !composer->closed)
    ask_on(composer, asking->step + 1);
  else if (!composer->closed)
    ui_app_say(composer->app, asking->step == ASK_SUBJECT ? "s writes a subject." : "a attaches a file.");
}

static void
ask(UiComposer *composer, Step step, const char *question)
{
  Asking *asking = g_new(Asking, 1);

  *asking = (Asking){ ui_composer_ref(composer), step };
  ui_prompts_ask(composer->app->prompts, UI_PROMPT_YES_NO, NULL, question, NULL, NULL, asked, asking);
}

static void
ask_on(UiComposer *composer, Step step)
{
  const MlDraft *draft = composer->draft;

  if (step == ASK_SUBJECT) {
    if (!draft->subject || !*draft->subject) {
      ask(composer, step, "There is no subject. Send it without");
      return;
    }
    step = ASK_ATTACHMENT;
  }
  if (step == ASK_ATTACHMENT) {
    const char *word = draft->attachments->len ? NULL : ml_draft_missing_attachment(draft);
    if (word) {
      g_autofree char *safe = ui_text_line(word);
      g_autofree char *question =
          g_strdup_printf("You wrote \"%s\", but nothing is attached. Send it so", safe);
      ask(composer, step, question);
      return;
    }
  }
  start_sending(composer, ml_draft_copy(draft), NULL);
}

static gboolean
may_send(UiComposer *composer)
{
  UiApp *app = composer->app;
  const MlAccount *account = composer->account->account;
  g_autoptr(GError) error = NULL;

  if (composer->busy || composer->editing)
    ui_app_say(app, composer->busy ? "It is on its way already." : "An editor still has it: end that first.");
  else if (!account->smtp.host && !account->sendmail)
    ui_app_complain(app, "The account %s cannot send: give it `smtp =` or `sendmail =` in signet.conf.",
                    account->name);
  else if (!ml_draft_check(composer->draft, &error))
    ui_app_error(app, error);
  else
    return TRUE;
  return FALSE;
}

void
ui_send_start(UiComposer *composer)
{
  if (!may_send(composer))
    return;
  if (composer->draft->encrypt && composer->found && !composer->finding && ui_compose_missing(composer))
    ui_missing_open(composer);
  else
    ask_on(composer, ASK_SUBJECT);
}

static gboolean
is_ready(const UiComposer *composer, const char *address, gpointer data)
{
  GHashTable *missing = data;

  return !g_hash_table_contains(missing, address);
}

static gboolean
is_not_ready(const UiComposer *composer, const char *address, gpointer data)
{
  return !is_ready(composer, address, data);
}

void
ui_send_apart(UiComposer *composer)
{
  g_autoptr(GHashTable) missing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

  if (!may_send(composer) || !composer->found)
    return;
  for (guint i = 0; i < composer->found->n; i++) {
    const MlRecipient *recipient = composer->found->recipients->pdata[i];
    if (recipient->state != ML_CERT_READY)
      g_hash_table_add(missing, g_strdup(recipient->address));
  }
  MlDraft *clear = ml_draft_copy(composer->draft), *sealed = ml_draft_copy(composer->draft);
  clear->encrypt = FALSE;
  g_clear_pointer(&clear->message_id, g_free); /* two messages, two names */
  ui_compose_drop(clear, composer, is_ready, missing);
  ui_compose_drop(sealed, composer, is_not_ready, missing);
  start_sending(composer, sealed, clear);
}
