#include <string.h>

#include "ui/compose-private.h"

/* m: To and Subject are asked for, then the editor; and how a message leaves the review screen. */
typedef struct {
  UiApp *app;
  char *account, *to;
} Beginning;

static void
beginning_free(Beginning *beginning)
{
  g_free(beginning->account);
  g_free(beginning->to);
  g_free(beginning);
}

static void
subject_answered(const char *answer, gpointer data)
{
  Beginning *beginning = data;
  UiAccount *account = answer ? ui_account_find(beginning->app, beginning->account) : NULL;

  if (account) {
    MlDraft *draft = ml_draft_new(account->account);
    g_free(draft->to);
    draft->to = *beginning->to ? g_strdup(beginning->to) : NULL;
    g_free(draft->subject);
    draft->subject = *answer ? g_strdup(answer) : NULL;
    ui_compose_draft(beginning->app, account, draft);
  }
  beginning_free(beginning);
}

static void
to_answered(const char *answer, gpointer data)
{
  Beginning *beginning = data;

  if (!answer) {
    beginning_free(beginning);
    return;
  }
  beginning->to = g_strdup(answer);
  ui_prompts_ask(beginning->app->prompts, UI_PROMPT_LINE, NULL, "Subject", NULL, NULL, subject_answered,
                 beginning);
}

void
ui_compose_begin(UiApp *app)
{
  const UiAccount *account = ui_account_in_use(app);
  Beginning *beginning = g_new0(Beginning, 1);

  ui_addresses_refresh(app);
  beginning->app = app;
  beginning->account = g_strdup(account->account->name);
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "To", NULL, ui_compose_complete_address, to_answered,
                 beginning);
}

void
ui_action_send(UiApp *app)
{
  UiComposer *composer = ui_composer_top(app);

  if (composer)
    ui_send_start(composer);
}

static void
leave_answered(const char *answer, gpointer data)
{
  g_autoptr(UiComposer) composer = data;
  UiApp *app = composer->app;

  if (!answer || composer->closed)
    return;
  if (*answer == 'y') {
    ui_drafts_postpone(composer);
    return;
  }
  ui_app_say(app, "Dropped.");
  ui_drafts_forget(composer);
  ui_composer_close(composer);
  ui_compose_end_if_alone(app);
}

/* q. A message that an editor has in another window stays, to be found again by R. */
void
ui_action_discard(UiApp *app)
{
  UiComposer *composer = ui_composer_top(app);

  if (!composer || composer->busy)
    return;
  if (composer->editing) {
    ui_app_pop(app);
    ui_app_say(app, "It goes on in the editor's window; R comes back to it.");
    return;
  }
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, NULL, "Keep this message as a draft", NULL, NULL,
                 leave_answered, ui_composer_ref(composer));
}

void
ui_action_postpone(UiApp *app)
{
  UiComposer *composer = ui_composer_top(app);

  if (!composer || composer->busy)
    return;
  if (composer->editing)
    ui_app_say(app, "An editor has this message in another window: end it first.");
  else
    ui_drafts_postpone(composer);
}

void
ui_compose_end_if_alone(UiApp *app)
{
  if (app->end_with_composer && !app->composers->len && !ui_outbox_leaving(app)->len)
    ui_app_end(app);
}

/* Before the program ends: what is being written, then what has not left yet. */
typedef struct {
  UiApp *app;
  UiThen then;
} Leaving;

static void
send_answered(const char *answer, gpointer data)
{
  g_autofree Leaving *leaving = data;

  if (!answer)
    return;
  if (*answer == 'y')
    ui_outbox_send_now(leaving->app, leaving->then);
  else
    leaving->then(leaving->app, NULL);
}

static void
ask_send(UiApp *app, UiThen then)
{
  guint n = ui_outbox_waiting(app);

  if (!n) {
    then(app, NULL);
    return;
  }
  const char *explanation[] = { "Otherwise signet sends it when it is started next.", NULL };
  g_autofree char *question = g_strdup_printf("%u message%s not left yet. Send %s now", n,
                                              n == 1 ? " has" : "s have", n == 1 ? "it" : "them");
  Leaving *leaving = g_new(Leaving, 1);
  *leaving = (Leaving){ app, then };
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, explanation, question, NULL, NULL, send_answered, leaving);
}

static void
writing_answered(const char *answer, gpointer data)
{
  g_autofree Leaving *leaving = data;

  if (answer && *answer == 'y')
    ask_send(leaving->app, leaving->then);
}

gboolean
ui_compose_leaving(UiApp *app, UiThen then)
{
  guint n = app->composers->len;

  if (!n && !ui_outbox_waiting(app))
    return FALSE;
  if (!n) {
    ask_send(app, then);
    return TRUE;
  }
  const char *explanation[] = { "What was saved of it is kept as a draft.", NULL };
  g_autofree char *question =
      g_strdup_printf("%u message%s still being written. Quit", n, n == 1 ? " is" : "s are");
  Leaving *leaving = g_new(Leaving, 1);
  *leaving = (Leaving){ app, then };
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, explanation, question, NULL, NULL, writing_answered,
                 leaving);
  return TRUE;
}
