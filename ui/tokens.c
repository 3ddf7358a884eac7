#include <string.h>

#include "crypto/token.h"
#include "ui/app-private.h"

/* The screen of tokens: the certificate database and the cards, what state each is in, and what can be done about its
 * PIN. All of it runs on the keys thread, which also asks, one question after the other. */
typedef enum { LOOK, LOGIN, LOGOUT, CHANGE, UNBLOCK } Act;

typedef struct {
  UiApp *app;
  Act act;
  CryptoToken *token; /* NULL: LOOK */
  GPtrArray *tokens;  /* of CryptoToken; as they are afterwards */
  char *done;         /* what to say; NULL */
  GError *error;
} Job;

static void
job_free(Job *job)
{
  crypto_token_free(job->token);
  g_clear_pointer(&job->tokens, g_ptr_array_unref);
  g_clear_error(&job->error);
  g_free(job->done);
  g_free(job);
}

static UiList *
view_of(UiApp *app)
{
  return (UiList *)ui_app_view(app, UI_IN_TOKENS);
}

static const char *
state_words(const CryptoToken *token)
{
  return token->mute         ? "a card that does not answer"
         : !token->present   ? "no card"
         : !*token->token    ? "not set up: it has no name and no PIN"
         : token->locked     ? "LOCKED: U unblocks it with its PUK"
         : token->final_try  ? "LAST TRY: one more wrong PIN locks it"
         : token->count_low  ? "few tries left: a wrong PIN was given"
         : token->logged_in  ? "logged in"
         : token->pinpad     ? "its PIN is typed on the reader"
         : token->needs_login ? (token->database ? "locked by a password" : "its PIN is needed")
                              : (token->database ? "open: it has no password" : "open: it needs no PIN");
}

static void
fill(UiList *list)
{
  GPtrArray *tokens = list->data;

  ui_list_clear(list);
  for (guint i = 0; i < tokens->len; i++) {
    const CryptoToken *token = tokens->pdata[i];
    g_autofree char *safe = ui_text_line(token->database  ? "Certificate database"
                                         : *token->token  ? token->token
                                                          : token->slot);
    g_autofree char *name = ui_text_fit(safe, 28);
    gboolean bad = token->locked || token->final_try;
    UiListRow *row =
        ui_list_add(list, bad ? UI_STYLE_BAD : UI_STYLE_NORMAL, " %s  %s", name, state_words(token));
    g_autofree char *old = token->retired ? g_strdup_printf(", %u of them old, for reading old mail", token->retired)
                                          : g_strdup("");
    g_autofree char *more =
        token->database  ? g_strdup_printf("%u certificates with their key", token->certificates)
        : token->present ? g_strdup_printf("%u certificates with their key%s; in %s, %s %s, by module %s",
                                           token->certificates, old, token->slot, token->manufacturer, token->model,
                                           token->module)
        : token->mute    ? crypto_token_mute_words()
                         : g_strdup_printf("a reader of module %s", token->module);
    ui_list_more(row, more);
  }
}

/* --- on the keys thread */

/* "What of TOKEN until now" */
static char *
ask(Job *job, GCancellable *cancellable, const char *why, const char *what, const char *end)
{
  const CryptoToken *token = job->token;
  g_autofree char *name = ui_text_line(token->token), *cut = ui_text_cut(name, 40);
  g_autofree char *question = token->database ? g_strconcat(what, " of the certificate database", end, NULL)
                                              : g_strconcat(what, " of \"", cut, "\"", end, NULL);
  const char *explanation[] = { why, NULL };
  char *answer = ui_prompts_wait(job->app->prompts, UI_PROMPT_SECRET, explanation, question, cancellable);

  if (!answer)
    g_set_error(&job->error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
  return answer;
}

/* Twice; NULL: it says why. */
static char *
ask_new(Job *job, GCancellable *cancellable)
{
  const CryptoToken *token = job->token;
  const char *what = token->database ? "New password" : "New PIN";
  const char *empty = token->database ? "Enter alone takes the password away: then who has the files has the keys." : NULL;
  char *first = ask(job, cancellable, empty, what, "");
  char *second = first ? ask(job, cancellable, "Once more, to be sure.", what, "") : NULL;

  if (first && second && !strcmp(first, second)) {
    crypto_pin_wipe(second);
    return first;
  }
  if (first && second)
    g_set_error(&job->error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "The two are not the same. Nothing was changed, and no try was spent.");
  crypto_pin_wipe(first);
  crypto_pin_wipe(second);
  return NULL;
}

static const char *
warning(const CryptoToken *token)
{
  return token->final_try   ? "One try is left: another wrong PIN locks the card."
         : token->count_low ? "A wrong PIN was entered since the last right one: few tries are left."
                            : NULL;
}

/* On a reader with a keypad all is typed there: @what, and the new PIN twice. */
static gboolean
tell_reader(Job *job, GCancellable *cancellable, const char *what, const char *why)
{
  const CryptoToken *token = job->token;
  g_autofree char *name = ui_text_line(token->token), *cut = ui_text_cut(name, 40);
  g_autofree char *question = g_strdup_printf("Press Enter here, then go on at the reader of \"%s\"", cut);
  g_autofree char *order = g_strdup_printf("Enter it on the reader: %s, the new PIN, the new PIN again.", what);
  const char *explanation[] = { order, why, NULL };
  char *answer = ui_prompts_wait(job->app->prompts, UI_PROMPT_NOTICE, explanation, question, cancellable);
  gboolean go_on = answer != NULL;

  crypto_pin_wipe(answer);
  if (!go_on)
    g_set_error(&job->error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
  else if (!job->app->ending) {
    g_autofree char *both = g_strdup_printf("%s, and twice the new one,", what);
    ui_app_on_reader(job->app, both, token->token);
  }
  return go_on;
}

static void
change(Job *job, GCancellable *cancellable)
{
  const CryptoToken *token = job->token;
  gboolean keypad = token->pinpad && !token->database;
  char *old = NULL, *new = NULL;

  if (keypad && !tell_reader(job, cancellable, "the PIN until now", warning(token)))
    return;
  if (!keypad && token->database && !token->needs_login)
    old = g_strdup("");
  else if (!keypad)
    old = ask(job, cancellable, warning(token), token->database ? "Password" : "PIN", " until now");
  if (old)
    new = ask_new(job, cancellable);
  if ((keypad || new) && crypto_token_change_pin(token->token, old, new, &job->error))
    job->done = !token->database ? g_strdup_printf("\"%s\" has its new PIN.", token->token)
                : *new           ? g_strdup("The certificate database has its new password.")
                                 : g_strdup("The certificate database has no password any more.");
  crypto_pin_wipe(old);
  crypto_pin_wipe(new);
}

static void
unblock(Job *job, GCancellable *cancellable)
{
  static const char counted[] = "Wrong ones are counted here too: after the last, only whoever issued the card can help.";
  const CryptoToken *token = job->token;
  gboolean keypad = token->pinpad && !token->database;
  char *puk = NULL, *new = NULL;

  if (keypad && !tell_reader(job, cancellable, "the PUK (SO PIN)", counted))
    return;
  if (!keypad && !token->database) {
    puk = ask(job, cancellable, counted, "PUK (SO PIN)", "");
    new = puk ? ask_new(job, cancellable) : NULL;
  }
  if ((keypad || token->database || new) && crypto_token_unblock(token->token, puk, new, &job->error))
    job->done = g_strdup_printf("\"%s\" is unblocked, and has its new PIN.", token->token);
  crypto_pin_wipe(puk);
  crypto_pin_wipe(new);
}

static void
run_job(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Job *job = data;
  g_autoptr(GError) error = NULL;

  switch (job->act) {
  case LOGIN:
    if (crypto_token_login(job->token->token, pin, &job->error))
      job->done = g_strdup_printf("\"%s\" is open.", job->token->token);
    break;
  case LOGOUT:
    if (crypto_token_logout(job->token->token, &job->error))
      job->done = g_strdup_printf("\"%s\" is closed: what opened it is forgotten.", job->token->token);
    break;
  case CHANGE:
    change(job, cancellable);
    break;
  case UNBLOCK:
    unblock(job, cancellable);
    break;
  case LOOK:
    break;
  }
  job->tokens = crypto_token_list(job->error ? &error : &job->error);
}

static void
job_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Job *job = data;

  if (job->act == LOGOUT && job->done)
    ui_idle_forget_secrets(app);
  UiList *list = view_of(app); /* not before: it may have stood above a message that is shut now */
  if (job->error)
    ui_app_error(app, job->error);
  else if (job->done)
    ui_app_say(app, "%s", job->done);
  if (list && job->tokens) {
    g_ptr_array_unref(list->data);
    list->data = g_steal_pointer(&job->tokens);
    fill(list);
  }
  job_free(job);
}

/* --- on the screen */

static void
start(UiApp *app, Act act, CryptoToken *token)
{
  static const char *const words[] = { "Looking at the readers", "Logging in", "Logging out", "Changing the PIN",
                                       "Unblocking the PIN" };
  Job *job = g_new0(Job, 1);

  job->app = app;
  job->act = act;
  job->token = token;
  ui_ops_job(app, CRYPTO_JOB_KEYS, words[act], run_job, job_done, job);
}

void
ui_tokens_refresh(UiApp *app)
{
  if (view_of(app))
    start(app, LOOK, NULL);
}

void
ui_action_tokens(UiApp *app)
{
  static const char *const footer[] = { "Ctrl-F forgets the PINs of all, and the password.", NULL };
  UiList *list = ui_list_new(UI_IN_TOKENS, "the cards", "Cards and PINs",
                             "l log in  L log out  P change PIN  U unblock  R look again  q back  ? help");

  list->data = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_token_free);
  list->free_data = (GDestroyNotify)g_ptr_array_unref;
  list->footer = g_strdupv((char **)footer);
  ui_app_push(app, &list->view);
  start(app, LOOK, NULL);
}

/* The token under the cursor is taken along: the list may be filled anew meanwhile. */
static void
act(UiApp *app, Act what)
{
  UiList *list = view_of(app);
  GPtrArray *tokens = list ? list->data : NULL;
  CryptoToken *token = tokens && list->cursor < (int)tokens->len ? tokens->pdata[list->cursor] : NULL;

  if (!token)
    return;
  if (token->mute)
    ui_app_complain(app, "The card in this reader does not answer: see what its row says, then R looks again.");
  else if (!token->present)
    ui_app_complain(app, "There is no card in this reader.");
  else if (!*token->token)
    ui_app_complain(app, "This token is not set up: that is done by the program of its maker.");
  else if (what == CHANGE && token->locked)
    ui_app_complain(app, "It is locked after too many wrong PINs: U unblocks it with its PUK.");
  else if (what == LOGIN && !token->needs_login)
    ui_app_say(app, token->database ? "It has no password: P gives it its first one." : "It needs no PIN.");
  else
    start(app, what, crypto_token_copy(token));
}

void
ui_action_token_login(UiApp *app)
{
  act(app, LOGIN);
}

void
ui_action_token_logout(UiApp *app)
{
  act(app, LOGOUT);
}

void
ui_action_token_change(UiApp *app)
{
  act(app, CHANGE);
}

void
ui_action_token_unblock(UiApp *app)
{
  act(app, UNBLOCK);
}

void
ui_action_tokens_refresh(UiApp *app)
{
  ui_tokens_refresh(app);
}
