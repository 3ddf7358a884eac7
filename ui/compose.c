#include <string.h>

#include "ui/compose-private.h"

/* One message that is written, from its first line to its way into the outbox or the drafts. */

UiComposer *
ui_composer_ref(UiComposer *composer)
{
  return g_rc_box_acquire(composer);
}

static void
composer_clear(UiComposer *composer)
{
  ui_found_free(composer->found);
  ml_policy_decision_free(composer->policy);
  ml_draft_free(composer->draft);
  g_free(composer->draft_id);
  g_free(composer->recalled_folder);
  g_free(composer->save_problem);
  g_free(composer->note);
}

void
ui_composer_unref(UiComposer *composer)
{
  if (composer)
    g_rc_box_release_full(composer, (GDestroyNotify)composer_clear);
}

const char *
ui_composer_title(const UiComposer *composer)
{
  const char *subject = composer->draft->subject;

  return subject && *subject ? subject : "(no subject)";
}

static void start_finding(UiComposer *composer);

UiComposer *
ui_composer_new(UiApp *app, UiAccount *account, MlDraft *draft)
{
  UiComposer *composer = g_rc_box_new0(UiComposer);

  composer->app = app;
  composer->account = account;
  composer->draft = draft;
  composer->fresh = TRUE;
  composer->lock = -1;
  g_ptr_array_add(app->composers, composer);
  ui_composer_follow_policy(composer);
  start_finding(composer);
  return composer;
}

static UiView *
view_of(UiComposer *composer)
{
  UiApp *app = composer->app;

  for (guint i = 0; i < app->views->len; i++) {
    UiView *view = app->views->pdata[i];
    if (ui_compose_view_composer(view) == composer)
      return view;
  }
  return NULL;
}

UiComposer *
ui_composer_top(UiApp *app)
{
  return ui_compose_view_composer(ui_app_top(app));
}

/* Takes down its view, and what stands above it. */
static void
hide(UiComposer *composer)
{
  UiView *view = view_of(composer);

  if (!view)
    return;
  while (ui_app_top(composer->app) != view)
    ui_app_pop(composer->app);
  ui_app_pop(composer->app);
}

void
ui_composer_close(UiComposer *composer)
{
  UiApp *app = composer->app;

  hide(composer);
  composer->closed = TRUE;
  if (composer->finding)
    g_cancellable_cancel(composer->finding);
  if (composer->save_source)
    g_source_remove(composer->save_source);
  composer->save_source = 0;
  ui_drafts_unlock(composer);
  if (g_ptr_array_remove(app->composers, composer))
    ui_composer_unref(composer);
}

void
ui_composer_show(UiComposer *composer)
{
  UiApp *app = composer->app;

  if (composer->closed)
    return;
  if (view_of(composer))
    hide(composer);
  ui_app_push(app, ui_compose_view_new(composer));
}

char *
ui_composer_from_address(const MlDraft *draft)
{
  g_autoptr(MlDraft) alone = ml_draft_copy(draft);

  g_free(alone->to);
  alone->to = g_strdup(draft->from);
  g_clear_pointer(&alone->cc, g_free);
  g_clear_pointer(&alone->bcc, g_free);
  g_autoptr(GPtrArray) mailboxes = ml_draft_mailboxes(alone, NULL);
  return mailboxes && mailboxes->len ? g_strdup(((MlMailbox *)mailboxes->pdata[0])->address) : NULL;
}

/* The certificates of the recipients and of the sender. */
typedef struct {
  UiComposer *composer;
  const MlAccount *account;
  MlDraft *draft;
  CryptoRevocationMode revocation;
  UiFound *found;
} Finding;

void
ui_found_free(UiFound *found)
{
  if (!found)
    return;
  g_ptr_array_unref(found->recipients);
  crypto_cert_unref(found->signer);
  g_free(found->signer_problem);
  g_free(found->signer_place);
  g_free(found->problem);
  g_free(found);
}

static char *
place_of(CryptoCert *cert)
{
  g_autoptr(CryptoCertEntry) entry = cert ? crypto_certdb_find(crypto_cert_sha256(cert), NULL) : NULL;

  return entry ? g_strconcat(entry->token, entry->flags & CRYPTO_CERT_ABSENT ? " (not in its reader)" : "", NULL) : NULL;
}

static void
find_signer(const Finding *finding, const char *from, gint64 now)
{
  UiFound *found = finding->found;
  g_autoptr(GError) error = NULL;

  if (from)
    found->signer = ml_recipients_own(finding->account, from, finding->draft->sign_cert, CRYPTO_USE_SIGN, now,
                                      finding->revocation, &error);
  if (!found->signer)
    found->signer_problem = g_strdup(error ? error->message : "there is no address in From: f chooses one.");
  found->signer_place = place_of(found->signer);
}

static void
run_finding(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Finding *finding = data;
  MlPeople *people = ui_app_people(finding->composer->app, CRYPTO_JOB_VERIFY);
  UiFound *found = finding->found = g_new0(UiFound, 1);
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) mailboxes = ml_draft_mailboxes(finding->draft, &error);

  g_autofree char *from = ui_composer_from_address(finding->draft);
  if (mailboxes && mailboxes->len && people)
    found->recipients = ml_recipients_find(people, mailboxes, now, finding->revocation, &error);
  if (error)
    found->problem = g_strdup(error->message);
  if (!found->recipients)
    found->recipients = g_ptr_array_new_with_free_func((GDestroyNotify)ml_recipient_free);
  found->n = found->recipients->len;
  if (found->n && from)
    ml_recipients_add_own(found->recipients, finding->account, from, now, finding->revocation);
  find_signer(finding, from, now);
}

const char *
ui_compose_own_problem(const UiComposer *composer)
{
  const UiFound *found = composer->found;

  for (guint i = found ? found->n : 0; found && i < found->recipients->len; i++) {
    const MlRecipient *own = found->recipients->pdata[i];
    if (own->state != ML_CERT_READY)
      return own->reason;
  }
  return NULL;
}

guint
ui_compose_missing(const UiComposer *composer)
{
  guint n = 0;

  for (guint i = 0; composer->found && i < composer->found->n; i++)
    n += ((MlRecipient *)composer->found->recipients->pdata[i])->state != ML_CERT_READY;
  return n;
}

/* encrypt = when-possible: as long as the person says nothing, the switch follows the recipients. */
static void
follow_recipients(UiComposer *composer)
{
  const UiFound *found = composer->found;

  if (composer->encrypt_set || composer->draft->encrypt_demanded ||
      g_strcmp0(composer->account->account->encrypt, "when-possible") != 0)
    return;
  composer->draft->encrypt = found->n && !ui_compose_own_problem(composer) && !ui_compose_missing(composer);
}

static void
finding_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Finding *finding = data;
  UiComposer *composer = finding->composer;

  composer->finding = NULL;
  if (!composer->closed && composer->find_again) {
    composer->find_again = FALSE;
    start_finding(composer);
  } else if (!composer->closed && finding->found && !cancelled) {
    ui_found_free(composer->found);
    composer->found = g_steal_pointer(&finding->found);
    follow_recipients(composer);
    ui_composer_follow_policy(composer);
    ui_missing_refresh(composer);
    if (composer->draft->encrypt || g_strcmp0(composer->account->account->encrypt, "never") != 0)
      ui_directory_find(composer, TRUE);
  }
  ui_found_free(finding->found);
  ml_draft_free(finding->draft);
  ui_composer_unref(composer);
  g_free(finding);
}

static void
start_finding(UiComposer *composer)
{
  Finding *finding = g_new0(Finding, 1);

  *finding = (Finding){ .composer = ui_composer_ref(composer),
                        .account = composer->account->account,
                        .draft = ml_draft_copy(composer->draft),
                        .revocation = ml_config_revocation(composer->app->config) };
  composer->finding = ui_ops_job(composer->app, CRYPTO_JOB_VERIFY, "Looking for certificates", run_finding,
                                 finding_done, finding);
}

void
ui_composer_look(UiComposer *composer)
{
  if (composer->finding)
    composer->find_again = TRUE;
  else
    start_finding(composer);
}

void
ui_composer_changed(UiComposer *composer, gboolean recipients)
{
  composer->changed = TRUE;
  ui_composer_follow_policy(composer);
  ui_drafts_save_soon(composer);
  ui_app_dirty(composer->app);
  if (recipients)
    ui_composer_look(composer);
}

/* The editor. */
static void
edited_unchanged(const char *answer, gpointer data)
{
  g_autoptr(UiComposer) composer = data;

  if (composer->closed)
    return;
  if (answer && *answer == 'n') {
    ui_app_say(composer->app, "Dropped: nothing had been written.");
    ui_drafts_forget(composer);
    ui_composer_close(composer);
  } else
    ui_composer_show(composer);
}

typedef struct {
  UiComposer *composer;
  char *text;
} Unreadable;

static void run_editor(UiComposer *composer, const char *text);

/* Enter goes back to the editor with the very text; Esc keeps it all as the message's text. */
static void
unreadable_answered(const char *answer, gpointer data)
{
  g_autofree Unreadable *unreadable = data;
  g_autoptr(UiComposer) composer = unreadable->composer;
  g_autofree char *text = unreadable->text;

  if (composer->closed)
    return;
  if (answer) {
    run_editor(composer, text);
    return;
  }
  g_free(composer->draft->text);
  composer->draft->text = g_steal_pointer(&text);
  ui_composer_changed(composer, FALSE);
  ui_composer_show(composer);
  ui_app_say(composer->app, "What was written above the text is in the text now.");
}

/* An editor in another window has ended: whoever reads, answers a question or is at another message meanwhile is not
 * interrupted, lest the next key be for the wrong one. Where no key was pressed nobody is. */
static gboolean
may_show(const UiComposer *composer)
{
  UiApp *app = composer->app;
  UiPromptShown prompt;

  if (app->keys == composer->keys || ui_composer_top(app) == composer)
    return TRUE;
  return ui_app_top(app)->type->context == UI_IN_INDEX && !ui_prompts_shown(app->prompts, &prompt);
}

static void
editor_done(UiApp *app, const char *text, gboolean changed, gpointer data)
{
  g_autoptr(UiComposer) composer = data;
  g_autoptr(GError) error = NULL;
  gboolean first = composer->fresh;

  composer->editing = FALSE;
  if (composer->closed)
    return;
  if (!text) {
    ui_composer_show(composer);
    return;
  }
  if (changed && !ml_draft_from_text(composer->draft, text, &error)) {
    Unreadable *unreadable = g_new(Unreadable, 1);
    *unreadable = (Unreadable){ ui_composer_ref(composer), g_strdup(text) };
    g_autofree char *safe = ui_text_line(error->message);
    const char *explanation[] = { safe, NULL };
    ui_prompts_ask(app->prompts, UI_PROMPT_NOTICE, explanation, "Edit it again", NULL, NULL,
                   unreadable_answered, unreadable);
    return;
  }
  composer->fresh = FALSE;
  if (changed)
    ui_composer_changed(composer, TRUE);
  if (!changed && first) {
    ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, NULL, "Nothing was written. Keep this message", NULL, NULL,
                   edited_unchanged, ui_composer_ref(composer));
    return;
  }
  if (may_show(composer))
    ui_composer_show(composer);
  else
    ui_app_say(app, "\"%s\" is written: R goes on with it.", ui_composer_title(composer));
}

static void
editor_written(UiApp *app, const char *text, gpointer data)
{
  UiComposer *composer = data;

  if (!composer->closed)
    ui_drafts_save_text(composer, text);
}

static void
run_editor(UiComposer *composer, const char *text)
{
  UiEditorTask task = { .text = text,
                        .name = composer->draft_id,
                        .written = editor_written,
                        .done = editor_done,
                        .data = ui_composer_ref(composer) };

  composer->editing = TRUE;
  composer->keys = composer->app->keys;
  if (ui_editor_run(composer->app, &task)) {
    if (ui_editor_beside(composer->app))
      ui_app_say(composer->app, "The editor is open in another window; R comes back to the message.");
    return;
  }
  composer->editing = FALSE;
  ui_composer_show(composer);
  ui_composer_unref(composer);
}

void
ui_composer_edit(UiComposer *composer)
{
  g_autofree char *text = ml_draft_to_text(composer->draft);

  run_editor(composer, text);
}

static void
first_saved(UiComposer *composer, const MlDraftsSaved *saved, const GError *error)
{
  ui_composer_edit(composer);
}

/* It is saved before the editor begins, so that nothing that happens meanwhile loses it. */
void
ui_compose_draft(UiApp *app, UiAccount *account, MlDraft *draft)
{
  ui_drafts_save(ui_composer_new(app, account, draft), first_saved);
}

void
ui_compose_free(UiApp *app)
{
  for (guint i = 0; i < app->composers->len; i++)
    ui_drafts_save_last(app->composers->pdata[i]);
  while (app->composers->len)
    ui_composer_close(app->composers->pdata[app->composers->len - 1]);
  g_ptr_array_unref(app->composers);
  ui_drafts_forget_titles(app);
}
