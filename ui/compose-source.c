#include <string.h>

#include "ui/drafts-private.h"

/* r g L f b e: a message is fetched, read (with the key, if it is encrypted: the person asked for its text), and made
 * into a draft. What the reader shows already is taken from there. */
typedef enum { REPLY, REPLY_ALL, REPLY_LIST, FORWARD, FORWARD_ATTACHED, BOUNCE, EDIT_AS_NEW, RECALL } Act;

typedef struct {
  UiApp *app;
  Act act;
  UiAccount *account;
  char *folder; /* NULL: it lies inside another message */
  guint32 uidvalidity; /* of the folder */
  GArray *uids;
  guint fetched;
  GPtrArray *raws; /* of GBytes */
  GPtrArray *subjects;
  UiHeld *held; /* as the reader read it; NULL */
  char *to;     /* BOUNCE, FORWARD: as typed; NULL */
  CryptoRevocationMode revocation;
  char *outbox;
  CryptoJobThread thread;
  MlDraft *draft;
  guint bounced;
  GError *error;
} Source;

static void
source_free(Source *source)
{
  ui_held_unref(source->held);
  g_array_unref(source->uids);
  g_ptr_array_unref(source->raws);
  g_ptr_array_unref(source->subjects);
  ml_draft_free(source->draft);
  g_free(source->folder);
  g_free(source->to);
  g_free(source->outbox);
  g_clear_error(&source->error);
  g_free(source);
}

static MlDraft *
make_draft(Source *source, const MlMessage *message, GBytes *raw)
{
  const MlAccount *account = source->account->account;

  switch (source->act) {
  case REPLY:
    return ml_draft_reply(account, message, ML_REPLY, &source->error);
  case REPLY_ALL:
    return ml_draft_reply(account, message, ML_REPLY_ALL, &source->error);
  case REPLY_LIST:
    return ml_draft_reply(account, message, ML_REPLY_LIST, &source->error);
  case FORWARD:
  case FORWARD_ATTACHED:
    return ml_draft_forward(account, message, raw, source->act == FORWARD_ATTACHED, &source->error);
  case RECALL: {
    g_autoptr(GError) error = NULL;
    MlDraft *draft = ml_drafts_read(message, &error);
    if (draft || !g_error_matches(error, ML_ERROR, ML_ERROR_NOT_FOUND)) {
      if (!draft)
        g_propagate_error(&source->error, g_steal_pointer(&error));
      return draft;
    }
    return ml_draft_edit(account, message, &source->error);
  }
  default:
    return ml_draft_edit(account, message, &source->error);
  }
}

/* Several messages are forwarded in one, each attached. */
static void
take_draft(Source *source, MlDraft *draft)
{
  if (!draft)
    return;
  if (!source->draft) {
    source->draft = draft;
    return;
  }
  while (draft->attachments->len)
    g_ptr_array_add(source->draft->attachments, g_ptr_array_steal_index(draft->attachments, 0));
  source->draft->encrypt_demanded = source->draft->encrypt_demanded || draft->encrypt_demanded;
  source->draft->encrypt = source->draft->encrypt || draft->encrypt;
  ml_draft_free(draft);
}

static void
run_draft(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Source *source = data;
  MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC,
                            .revocation = source->revocation,
                            .pin = pin };

  for (guint i = 0; i < source->raws->len && !source->error; i++) {
    GBytes *raw = source->raws->pdata[i];
    if (source->held) {
      take_draft(source, make_draft(source, source->held->message, raw));
      continue;
    }
    g_autoptr(MlMessage) message = ml_message_read(raw, &options, cancellable, &source->error);
    if (message)
      take_draft(source, make_draft(source, message, raw));
  }
}

/* A draft out of the Drafts folder: it goes away there when it is sent or kept anew. */
static void
recall(UiApp *app, Source *source)
{
  UiAccount *account = source->draft->account ? ui_account_find(app, source->draft->account) : NULL;
  UiComposer *composer =
      ui_composer_new(app, account ? account : source->account, g_steal_pointer(&source->draft));

  composer->fresh = FALSE;
  composer->encrypt_set = TRUE;
  composer->recalled_account = source->account;
  composer->recalled_folder = g_strdup(source->folder);
  composer->recalled_uid = g_array_index(source->uids, guint32, 0);
  composer->recalled_validity = source->uidvalidity;
  g_autofree char *id =
      ui_drafts_of_copy(app, source->account->account->name, source->folder, composer->draft->message_id);
  if (id && ui_drafts_lock(app, id, &composer->lock) == UI_DRAFT_LEFT)
    composer->draft_id = g_steal_pointer(&id);
  ui_app_pop_to(app, UI_IN_INDEX);
  ui_composer_show(composer);
}

/* To the editor; takes the source. */
static void
write_on(Source *source)
{
  MlDraft *draft = source->draft;
  gboolean forward = source->act == FORWARD || source->act == FORWARD_ATTACHED;

  if (source->folder && source->act != EDIT_AS_NEW && source->uids->len == 1) {
    g_free(draft->source_account);
    g_free(draft->source_folder);
    draft->source_account = g_strdup(source->account->account->name);
    draft->source_folder = g_strdup(source->folder);
    draft->source_uidvalidity = source->uidvalidity;
    draft->source_uid = g_array_index(source->uids, guint32, 0);
    draft->source_forwarded = forward;
  }
  if (forward) {
    g_free(draft->to);
    draft->to = g_strdup(source->to);
  }
  ui_compose_draft(source->app, source->account, g_steal_pointer(&source->draft));
  source_free(source);
}

/* "It would go to anna@example.org, bob@example.org and 3 more." In lines of its own: none may be cut. Transfer full. */
static char *
readers_of(const MlDraft *draft)
{
  enum { NAMED = 3 };
  g_autoptr(GPtrArray) mailboxes = ml_draft_mailboxes(draft, NULL);
  GString *words = g_string_new("It would go to ");

  for (guint i = 0; mailboxes && i < MIN(mailboxes->len, NAMED); i++)
    g_string_append_printf(words, "%s%s", i ? ", " : "", ((MlMailbox *)mailboxes->pdata[i])->address);
  if (mailboxes && mailboxes->len > NAMED)
    g_string_append_printf(words, " and %u more", mailboxes->len - NAMED);
  g_string_append(words, mailboxes ? "." : draft->to);
  return g_string_free(words, FALSE);
}

static void
doubt_answered(const char *answer, gpointer data)
{
  Source *source = data;

  if (!answer) {
    source_free(source);
    return;
  }
  if (*answer == 'y')
    ml_draft_take_quote(source->draft);
  write_on(source);
}

/* Nothing shows that what was decrypted is the text of whom it would go to. An answer may do without its quote; of mail
 * that is edited as new the text is all there is, so whom it goes to is typed. */
static void
ask_doubt(Source *source)
{
  MlDraft *draft = source->draft;

  if (source->act == EDIT_AS_NEW) {
    ui_app_complain(source->app, "%s Say yourself to whom it goes.", draft->doubt);
    char **fields[] = { &draft->to, &draft->cc, &draft->bcc, &draft->reply_to };
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
      g_clear_pointer(fields[i], g_free);
    write_on(source);
    return;
  }
  g_autofree char *readers = readers_of(draft), *safe = ui_text_line(readers);
  const char *explanation[] = { draft->doubt,
                                "Who re-sends another's encrypted mail as his own gets its text from a quote.",
                                safe, NULL };
  ui_prompts_ask(source->app->prompts, UI_PROMPT_YES_NO, explanation, "Quote what was decrypted", NULL, NULL,
                 doubt_answered, source);
}

static void
draft_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Source *source = data;

  if (source->draft && !cancelled && !source->error) {
    if (source->act == RECALL && source->folder)
      recall(app, source);
    else if (source->draft->doubt && source->act != RECALL) {
      ask_doubt(source);
      return;
    } else {
      write_on(source);
      return;
    }
  } else if (source->error)
    ui_app_error(app, source->error);
  source_free(source);
}

/* Bounced mail goes out as it is, under a Resent header. */
static MlSealed *
sealed_of(const Source *source, GBytes *bytes, const char *subject, GPtrArray *mailboxes, const char *from)
{
  MlSealed *sealed = g_new0(MlSealed, 1);
  MlOutgoing *outgoing = g_new0(MlOutgoing, 1);

  outgoing->from = g_strdup(from);
  outgoing->bytes = g_bytes_ref(bytes);
  outgoing->recipients = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < mailboxes->len; i++)
    g_ptr_array_add(outgoing->recipients, g_strdup(((MlMailbox *)mailboxes->pdata[i])->address));
  sealed->subject = g_strdup(subject);
  sealed->outgoing = g_ptr_array_new_with_free_func((GDestroyNotify)ml_outgoing_free);
  g_ptr_array_add(sealed->outgoing, outgoing);
  return sealed;
}

static void
run_bounce(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Source *source = data;
  const MlAccount *account = source->account->account;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(MlDraft) draft = ml_draft_new(account);

  draft->to = g_strdup(source->to);
  g_autoptr(GPtrArray) mailboxes = ml_draft_mailboxes(draft, &source->error);
  g_autofree char *from = ui_composer_from_address(draft);
  g_autoptr(MlOutbox) outbox = mailboxes ? ml_outbox_open(source->outbox, &source->error) : NULL;
  for (guint i = 0; outbox && i < source->raws->len && !source->error; i++) {
    g_autoptr(GBytes) bytes =
        ml_draft_bounce(account, source->raws->pdata[i], source->to, now, &source->error);
    g_autofree const char **to = ml_seal_addresses(mailboxes);
    const MlPolicyFacts facts = { from, to, source->subjects->pdata[i] };
    if (!bytes || !ml_seal_may_leave(bytes, source->app->config->policy, &facts, &source->error))
      return;
    g_autoptr(MlSealed) sealed = sealed_of(source, bytes, source->subjects->pdata[i], mailboxes, from);
    g_autofree char *id = ml_outbox_add(outbox, account, sealed, now, 0, &source->error);
    source->bounced += id != NULL;
  }
}

static void
bounce_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Source *source = data;

  if (source->error)
    ui_app_error(app, source->error);
  else if (source->bounced == 1)
    ui_app_say(app, "Bounced to %s.", source->to);
  else if (source->bounced)
    ui_app_say(app, "%u messages bounced to %s.", source->bounced, source->to);
  if (source->bounced)
    ui_outbox_poke(app);
  source_free(source);
}

static void
go_on(Source *source)
{
  if (source->act == BOUNCE)
    ui_ops_job(source->app, CRYPTO_JOB_VERIFY, "Bouncing", run_bounce, bounce_done, source);
  else
    ui_ops_job(source->app, source->held ? CRYPTO_JOB_VERIFY : CRYPTO_JOB_KEYS, "Reading the message",
               run_draft, draft_done, source);
}

static void fetch_next(Source *source);

static void
on_message(UiApp *app, MlEvent *event, gpointer data)
{
  Source *source = data;

  if (event->bytes)
    g_ptr_array_add(source->raws, g_steal_pointer(&event->bytes));
}

static void
on_fetched(UiApp *app, const GError *error, gpointer data)
{
  Source *source = data;

  if (!error && source->raws->len == source->fetched) {
    fetch_next(source);
    return;
  }
  if (error)
    ui_app_error(app, error);
  source_free(source);
}

static void
fetch_next(Source *source)
{
  if (source->fetched == source->uids->len) {
    go_on(source);
    return;
  }
  g_autoptr(GError) error = NULL;
  if (!ui_account_still(source->account, source->folder, source->uidvalidity, &error)) {
    ui_app_complain(source->app, "Stopped: %s.", error->message);
    source_free(source);
    return;
  }
  guint32 uid = g_array_index(source->uids, guint32, source->fetched++);
  UiOp *op =
      ui_ops_command(source->app, source->account,
                     ml_worker_fetch(source->account->worker, source->folder, uid), "Fetching the message");
  op->event = on_message;
  op->finished = on_fetched;
  op->data = source;
}

static Source *
source_new(UiApp *app, Act act, UiAccount *account, const char *folder)
{
  Source *source = g_new0(Source, 1);

  source->app = app;
  source->act = act;
  source->account = account;
  source->folder = g_strdup(folder);
  source->uidvalidity = app->box->uidvalidity;
  source->uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  source->raws = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  source->subjects = g_ptr_array_new_with_free_func(g_free);
  source->revocation = ml_config_revocation(app->config);
  source->outbox = ui_outbox_folder(app);
  return source;
}

/* What the reader shows; NULL: it is not read yet. */
static Source *
source_of_reader(UiApp *app, Act act, UiReader *reader)
{
  if (!reader->raw || !reader->held) {
    ui_app_say(app, "The message is not here yet.");
    return NULL;
  }
  const UiBox *box = reader->box ? ui_app_box(app, reader->life) : NULL; /* the cursor may have gone on */
  Source *source = source_new(app, act, reader->account ? reader->account : app->box->account, box ? box->folder : NULL);
  source->uidvalidity = box ? box->uidvalidity : 0;
  g_array_append_val(source->uids, reader->uid);
  source->fetched = 1;
  g_ptr_array_add(source->raws, g_bytes_ref(reader->raw));
  g_ptr_array_add(source->subjects, g_strdup(reader->title));
  if (!ml_message_verdict(reader->message)->locked)
    source->held = ui_held_ref(reader->held);
  return source;
}

/* The messages that a key is for; NULL: there is none, and that was said. */
static Source *
source_of(UiApp *app, Act act, gboolean many)
{
  UiReader *reader = ui_reader_top(app);

  if (!app->box)
    return NULL;
  if (reader)
    return source_of_reader(app, act, reader);
  g_autoptr(GPtrArray) items = ui_box_chosen(app);
  if (!items->len) {
    ui_app_say(app, "There is no message.");
    return NULL;
  }
  if (items->len > 1 && !many) {
    ui_app_say(app, "That is for one message at a time.");
    return NULL;
  }
  Source *source = source_new(app, act, app->box->account, app->box->folder);
  for (guint i = 0; i < items->len; i++) {
    const UiItem *item = items->pdata[i];
    g_array_append_val(source->uids, item->uid);
    g_ptr_array_add(source->subjects, g_strdup(ui_box_header(app->box, item)->subject));
  }
  return source;
}

static void
start(UiApp *app, Act act)
{
  Source *source = source_of(app, act, FALSE);

  if (source)
    fetch_next(source);
}

void
ui_action_reply(UiApp *app)
{
  start(app, REPLY);
}

void
ui_action_group_reply(UiApp *app)
{
  start(app, REPLY_ALL);
}

void
ui_action_list_reply(UiApp *app)
{
  start(app, REPLY_LIST);
}

void
ui_action_edit_as_new(UiApp *app)
{
  start(app, EDIT_AS_NEW);
}

void
ui_compose_recall(UiApp *app)
{
  start(app, RECALL);
}

static void
how_answered(const char *answer, gpointer data)
{
  Source *source = data;

  if (!answer) {
    source_free(source);
    return;
  }
  source->act = *answer == 'y' ? FORWARD_ATTACHED : FORWARD;
  fetch_next(source);
}

/* Several are forwarded as attachments anyhow. */
static void
forward_answered(const char *answer, gpointer data)
{
  Source *source = data;

  if (!answer) {
    source_free(source);
    return;
  }
  source->to = g_strdup(answer);
  if (source->uids->len > 1)
    fetch_next(source);
  else
    ui_prompts_ask(source->app->prompts, UI_PROMPT_YES_NO, NULL, "Forward as attachment, as it is", NULL, NULL,
                   how_answered, source);
}

void
ui_action_forward(UiApp *app)
{
  Source *source = source_of(app, FORWARD_ATTACHED, TRUE);

  if (!source)
    return;
  ui_addresses_refresh(app);
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "To", NULL, ui_compose_complete_address, forward_answered,
                 source);
}

static void
bounce_confirmed(const char *answer, gpointer data)
{
  Source *source = data;

  if (answer && *answer == 'y')
    fetch_next(source);
  else
    source_free(source);
}

static void
bounce_answered(const char *answer, gpointer data)
{
  Source *source = data;

  if (!answer || !*answer) {
    source_free(source);
    return;
  }
  source->to = g_strdup(answer);
  g_autofree char *safe = ui_text_line(answer);
  g_autofree char *question = source->uids->len == 1
                                  ? g_strdup_printf("Bounce this message to %s", safe)
                                  : g_strdup_printf("Bounce %u messages to %s", source->uids->len, safe);
  ui_prompts_ask(source->app->prompts, UI_PROMPT_YES_NO, NULL, question, NULL, NULL, bounce_confirmed,
                 source);
}

void
ui_action_bounce(UiApp *app)
{
  Source *source = source_of(app, BOUNCE, TRUE);

  if (!source)
    return;
  ui_addresses_refresh(app);
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Bounce to", NULL, ui_compose_complete_address,
                 bounce_answered, source);
}
