#include "ui/prompt.h"

#include <string.h>
#include <sys/mman.h>

#include "crypto/token.h"
#include "ui/keys.h"
#include "ui/text.h"

/* Counted: the asker may give up while it is on the screen. */
typedef struct {
  UiPromptKind kind; /* these never change */
  char **explanation;
  char *question, *initial;
  UiPromptComplete complete;
  UiPromptDone finished; /* asked by the UI thread; NULL: a thread waits */
  gpointer data;
  char *answer; /* these are under the lock */
  gboolean done;
} Prompt;

struct UiPrompts {
  GThread *ui_thread;
  UiPromptsChanged changed;
  gpointer user_data;
  Prompt *shown;    /* UI thread only; a reference */
  UiEdit edit;      /* UI thread only */
  gboolean stray;   /* UI thread only: something that is no answer was typed at a yes-no question */
  gboolean answering, following; /* UI thread only: an answer's function runs; and has asked nothing yet */
  GSource *refresh; /* under the lock: one is on its way */

  GMutex lock;
  GCond answered;
  GQueue waiting; /* of Prompt, references */
  gboolean closed;
};

static void
prompt_clear(Prompt *prompt)
{
  g_strfreev(prompt->explanation);
  g_free(prompt->question);
  g_free(prompt->initial);
  crypto_pin_wipe(prompt->answer);
}

static void
prompt_unref(Prompt *prompt)
{
  if (prompt)
    g_atomic_rc_box_release_full(prompt, (GDestroyNotify)prompt_clear);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Prompt, prompt_unref)

static Prompt *
prompt_new(UiPromptKind kind, const char *const *explanation, const char *question)
{
  static const char *const nothing[] = { NULL };
  Prompt *prompt = g_atomic_rc_box_new0(Prompt);

  prompt->kind = kind;
  prompt->explanation = g_strdupv((char **)(explanation ? explanation : nothing));
  prompt->question = g_strdup(question);
  return prompt;
}

/* Makes the screen show the first of those that wait. */
static void
show_first(UiPrompts *prompts)
{
  g_mutex_lock(&prompts->lock);
  Prompt *first = g_queue_peek_head(&prompts->waiting);
  g_autoptr(Prompt) before = prompts->shown;
  prompts->shown = first ? g_atomic_rc_box_acquire(first) : NULL;
  g_mutex_unlock(&prompts->lock);
  if (prompts->shown == before)
    return;
  prompts->stray = FALSE;
  ui_edit_set(&prompts->edit, prompts->shown ? prompts->shown->initial : NULL);
  prompts->changed(prompts->user_data);
}

static gboolean
on_refresh(gpointer data)
{
  UiPrompts *prompts = data;

  g_mutex_lock(&prompts->lock);
  g_clear_pointer(&prompts->refresh, g_source_unref);
  g_mutex_unlock(&prompts->lock);
  show_first(prompts);
  return G_SOURCE_REMOVE;
}

/* Under the lock. */
static void
schedule_refresh(UiPrompts *prompts)
{
  if (prompts->refresh)
    return;
  prompts->refresh = g_idle_source_new();
  g_source_set_priority(prompts->refresh, G_PRIORITY_DEFAULT);
  g_source_set_callback(prompts->refresh, on_refresh, prompts, NULL);
  g_source_attach(prompts->refresh, NULL);
}

UiPrompts *
ui_prompts_new(UiPromptsChanged changed, gpointer user_data)
{
  UiPrompts *prompts = g_new0(UiPrompts, 1);

  prompts->ui_thread = g_thread_self();
  prompts->changed = changed;
  prompts->user_data = user_data;
  g_mutex_init(&prompts->lock);
  g_cond_init(&prompts->answered);
  g_queue_init(&prompts->waiting);
  mlock(&prompts->edit, sizeof prompts->edit); /* if the limit allows; the buffer is wiped either way */
  return prompts;
}

void
ui_prompts_close(UiPrompts *prompts)
{
  GQueue own = G_QUEUE_INIT;

  g_mutex_lock(&prompts->lock);
  prompts->closed = TRUE;
  for (Prompt *prompt; (prompt = g_queue_pop_head(&prompts->waiting));) {
    prompt->done = TRUE;
    if (prompt->finished)
      g_queue_push_tail(&own, prompt);
    else
      prompt_unref(prompt);
  }
  g_cond_broadcast(&prompts->answered);
  g_mutex_unlock(&prompts->lock);
  for (Prompt *prompt; (prompt = g_queue_pop_head(&own));) {
    prompt->finished(NULL, prompt->data);
    prompt_unref(prompt);
  }
  show_first(prompts);
}

void
ui_prompts_free(UiPrompts *prompts)
{
  if (!prompts)
    return;
  ui_prompts_close(prompts);
  if (prompts->refresh) {
    g_source_destroy(prompts->refresh);
    g_source_unref(prompts->refresh);
  }
  prompt_unref(prompts->shown);
  ui_edit_wipe(&prompts->edit);
  munlock(&prompts->edit, sizeof prompts->edit);
  g_mutex_clear(&prompts->lock);
  g_cond_clear(&prompts->answered);
  g_free(prompts);
}

void
ui_prompts_ask(UiPrompts *prompts, UiPromptKind kind, const char *const *explanation, const char *question,
               const char *initial, UiPromptComplete complete, UiPromptDone done, gpointer data)
{
  g_autoptr(Prompt) prompt = prompt_new(kind, explanation, question);

  prompt->initial = g_strdup(initial);
  prompt->complete = complete;
  prompt->finished = done;
  prompt->data = data;
  g_mutex_lock(&prompts->lock);
  gboolean closed = prompts->closed;
  if (!closed && prompts->following) /* who is typing answers this next, whatever else waits */
    g_queue_push_head(&prompts->waiting, g_atomic_rc_box_acquire(prompt));
  else if (!closed)
    g_queue_push_tail(&prompts->waiting, g_atomic_rc_box_acquire(prompt));
  prompts->following = FALSE;
  g_mutex_unlock(&prompts->lock);
  if (closed)
    done(NULL, data);
  else if (!prompts->answering)
    show_first(prompts);
}

static void
on_cancelled(GCancellable *unused, UiPrompts *prompts)
{
  g_mutex_lock(&prompts->lock);
  g_cond_broadcast(&prompts->answered);
  g_mutex_unlock(&prompts->lock);
}

char *
ui_prompts_wait(UiPrompts *prompts, UiPromptKind kind, const char *const *explanation, const char *question,
                GCancellable *cancellable)
{
  g_return_val_if_fail(g_thread_self() != prompts->ui_thread, NULL); /* it would wait for itself */
  g_autoptr(Prompt) prompt = prompt_new(kind, explanation, question);
  gulong handler =
      cancellable ? g_cancellable_connect(cancellable, G_CALLBACK(on_cancelled), prompts, NULL) : 0;

  g_mutex_lock(&prompts->lock);
  if (prompts->closed)
    prompt->done = TRUE;
  else
    g_queue_push_tail(&prompts->waiting, g_atomic_rc_box_acquire(prompt));
  schedule_refresh(prompts);
  while (!prompt->done && !g_cancellable_is_cancelled(cancellable))
    g_cond_wait(&prompts->answered, &prompts->lock);
  if (g_queue_remove(&prompts->waiting, prompt))
    prompt_unref(prompt);
  char *answer = g_steal_pointer(&prompt->answer);
  schedule_refresh(prompts); /* shows the next, or takes this one down */
  g_mutex_unlock(&prompts->lock);
  g_cancellable_disconnect(cancellable, handler);
  return answer;
}

static char *
pin_warning(const CryptoPinQuestion *question)
{
  if (question->final_try)
    return g_strdup("One try is left: another wrong PIN locks the card.");
  if (question->count_low)
    return g_strdup("A wrong PIN was entered since the last right one: few tries are left.");
  return NULL;
}

char *
ui_prompts_pin(const CryptoPinQuestion *question, GCancellable *cancellable, gpointer data)
{
  g_autofree char *token = ui_text_line(question->token ? question->token : "");
  g_autofree char *name = ui_text_cut(g_strchomp(token), 40);
  g_autofree char *warning = pin_warning(question);
  g_autofree char *words = NULL;
  UiPromptKind kind = UI_PROMPT_SECRET;
  const char *explanation[5] = { NULL };
  guint n = 0;

  if (question->absent) {
    words = g_strdup_printf("Insert \"%s\"", name);
    explanation[0] =
        "The key for this lies on a card that is not in its reader. It goes on by itself when it is there.";
    g_autofree char *hint = crypto_token_holder_hint();
    if (*hint)
      explanation[1] = g_strchug(hint);
    return ui_prompts_wait(data, UI_PROMPT_WAIT, explanation, words, cancellable);
  }
  if (question->retry)
    explanation[n++] =
        question->database ? "That was not the right password." : "That was not the right PIN.";
  if (question->locked) {
    explanation[n++] = "Too many wrong PINs: signet token unblock gives it a new one, by its PUK.";
    words = g_strdup_printf("The token \"%s\" is locked", name);
    kind = UI_PROMPT_NOTICE;
  } else if (question->database) {
    words = g_strdup("Password of the certificate database");
  } else {
    if (warning)
      explanation[n++] = warning;
    if (question->always)
      explanation[n++] = "This key wants its PIN for every use.";
    words = g_strdup_printf(question->pinpad ? "Press Enter here, then enter the PIN of \"%s\" on the reader"
                                             : "PIN of the token \"%s\"",
                            name);
    kind = question->pinpad ? UI_PROMPT_NOTICE : UI_PROMPT_SECRET;
  }
  char *answer = ui_prompts_wait(data, kind, explanation, words, cancellable);
  if (question->locked)
    g_clear_pointer(&answer, crypto_pin_wipe);
  return answer;
}

/* The question is down before its function runs; the next comes up after it, for it may be one that function asks. */
static void
finish(UiPrompts *prompts, Prompt *finished, const char *answer)
{
  char *copy = g_strdup(answer); /* it lies in the buffer that is wiped now */

  g_clear_pointer(&prompts->shown, prompt_unref);
  ui_edit_wipe(&prompts->edit);
  prompts->changed(prompts->user_data);
  prompts->answering = prompts->following = TRUE;
  finished->finished(copy, finished->data);
  prompts->answering = prompts->following = FALSE;
  crypto_pin_wipe(copy);
  prompt_unref(finished);
}

/* @answer NULL: no. Only the prompt that is on the screen can be answered. */
static void
answer_shown(UiPrompts *prompts, const char *answer)
{
  Prompt *finished = NULL;

  g_mutex_lock(&prompts->lock);
  Prompt *first = g_queue_peek_head(&prompts->waiting);
  if (first && first == prompts->shown) {
    g_queue_pop_head(&prompts->waiting);
    first->done = TRUE;
    if (first->finished) {
      finished = first;
    } else {
      first->answer = g_strdup(answer);
      g_cond_broadcast(&prompts->answered);
      prompt_unref(first);
    }
  }
  g_mutex_unlock(&prompts->lock);
  if (finished)
    finish(prompts, finished, answer);
  show_first(prompts);
}

gboolean
ui_prompts_shown(UiPrompts *prompts, UiPromptShown *shown)
{
  if (!prompts->shown)
    return FALSE;
  shown->kind = prompts->shown->kind;
  shown->explanation = (const char *const *)prompts->shown->explanation;
  shown->question = prompts->shown->question;
  shown->completes = prompts->shown->complete != NULL;
  shown->edit = &prompts->edit;
  shown->typed = (guint)g_utf8_strlen(prompts->edit.text, -1);
  return TRUE;
}

static gboolean
is_cancel(int key)
{
  return key == UI_KEY_ESC || key == UI_CTRL('g') || key == UI_CTRL('c');
}

static void
complete(UiPrompts *prompts)
{
  if (!prompts->shown->complete)
    return;
  g_autofree char *more = prompts->shown->complete(prompts->edit.text, prompts->user_data);
  if (more)
    ui_edit_set(&prompts->edit, more);
}

void
ui_prompts_complete(UiPrompts *prompts, const char *text)
{
  if (!prompts->shown || !prompts->shown->complete || strcmp(prompts->edit.text, text) != 0)
    return;
  complete(prompts);
  prompts->changed(prompts->user_data);
}

static void
type(UiPrompts *prompts, int key)
{
  switch (ui_edit_key(&prompts->edit, key)) {
  case UI_EDIT_CANCELLED:
    answer_shown(prompts, NULL);
    break;
  case UI_EDIT_COMPLETE:
    complete(prompts);
    break;
  case UI_EDIT_DONE:
    if (prompts->shown->kind == UI_PROMPT_SPELLED && g_ascii_strcasecmp(prompts->edit.text, "yes") != 0)
      answer_shown(prompts, NULL);
    else
      answer_shown(prompts, prompts->edit.text);
    break;
  case UI_EDIT_MORE:
    break;
  }
}

/* Who typed a line here meant another question, which this one came before: its Enter is no answer. */
static void
yes_or_no(UiPrompts *prompts, int key)
{
  if (prompts->shown->kind == UI_PROMPT_YES_NO_NEVER && (key == 'v' || key == 'V'))
    answer_shown(prompts, "never");
  else if (key == 'y' || key == 'Y')
    answer_shown(prompts, "y");
  else if (key == 'n' || key == 'N' || (key == UI_KEY_ENTER && !prompts->stray) || is_cancel(key))
    answer_shown(prompts, is_cancel(key) ? NULL : "n");
  else if (key >= ' ' && key != UI_KEY_BACKSPACE && key < UI_KEY_UP)
    prompts->stray = TRUE;
}

static void
letter(UiPrompts *prompts, int key)
{
  if (key == UI_KEY_ENTER || is_cancel(key))
    answer_shown(prompts, NULL);
  else if (key > ' ' && key < 0x7f)
    answer_shown(prompts, (char[]){ (char)key, '\0' });
}

void
ui_prompts_key(UiPrompts *prompts, int key)
{
  if (!prompts->shown)
    return;
  switch (prompts->shown->kind) {
  case UI_PROMPT_YES_NO:
  case UI_PROMPT_YES_NO_NEVER:
    yes_or_no(prompts, key);
    break;
  case UI_PROMPT_LETTER:
    letter(prompts, key);
    break;
  case UI_PROMPT_WAIT:
    if (is_cancel(key))
      answer_shown(prompts, NULL);
    break;
  case UI_PROMPT_NOTICE:
    if (key == UI_KEY_ENTER || is_cancel(key))
      answer_shown(prompts, key == UI_KEY_ENTER ? "" : NULL);
    break;
  default:
    type(prompts, key);
  }
}
