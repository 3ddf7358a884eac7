#ifndef UI_PROMPT_H
#define UI_PROMPT_H

#include <gio/gio.h>

#include "crypto/pin.h"
#include "ui/edit.h"

/* Questions to the person at the terminal, from this thread or from any other. They wait their turn; one is shown
 * at a time, in the bottom rows that belong to us. What is typed goes to one fixed buffer, which is wiped. */
typedef enum {
  UI_PROMPT_LINE,    /* text */
  UI_PROMPT_SECRET,  /* text that is not shown */
  UI_PROMPT_YES_NO,  /* one key; answers "y", "n" (Enter too, unless something else was typed), or NULL for Esc */
  UI_PROMPT_SPELLED, /* "yes", spelled out and Enter: for what must not happen by a slip of the finger */
  UI_PROMPT_NOTICE,  /* Enter goes on, Esc gives up */
  UI_PROMPT_YES_NO_NEVER, /* the same, or "never" */
  UI_PROMPT_WAIT,    /* for something that happens by itself; Esc gives up */
  UI_PROMPT_PASSWORD, /* a secret without which an account stays offline */
  UI_PROMPT_LETTER,   /* one key, which is the answer; NULL for Enter and Esc */
} UiPromptKind;

typedef struct UiPrompts UiPrompts;

/* Runs in the UI thread when something else is to be shown than before. */
typedef void (*UiPromptsChanged)(gpointer user_data);

UiPrompts *ui_prompts_new(UiPromptsChanged changed, gpointer user_data); /* in the UI thread */
void ui_prompts_close(
    UiPrompts *prompts); /* from now on everything is answered by NULL: before threads are joined */
void ui_prompts_free(UiPrompts *prompts); /* after they were */

/* From the UI thread: @done runs later, once, with the answer or NULL. What a @done asks first is shown next, before
 * whatever else waits. @explanation (may be NULL)
 * are lines above the question. All words must have passed the gate. @complete (may be NULL) extends what was
 * typed on Tab: returns the new text (transfer full) or NULL; it is handed ui_prompts_new()'s user_data. */
typedef void (*UiPromptDone)(const char *answer, gpointer data);
typedef char *(*UiPromptComplete)(const char *typed, gpointer user_data);
void
ui_prompts_ask(UiPrompts *prompts, UiPromptKind kind, const char *const *explanation, const char *question,
               const char *initial, UiPromptComplete complete, UiPromptDone done, gpointer data);

/* What Tab could not complete at once is known now: the same as Tab, if @text is still all that is typed. UI thread. */
void ui_prompts_complete(UiPrompts *prompts, const char *text);

/* From any other thread: waits for the answer, for @cancellable (may be NULL) or for the end. Transfer full, to be
 * wiped by crypto_pin_wipe(); NULL: given up. */
char *ui_prompts_wait(UiPrompts *prompts, UiPromptKind kind, const char *const *explanation,
                      const char *question, GCancellable *cancellable);
char *ui_prompts_pin(const CryptoPinQuestion *question, GCancellable *cancellable,
                     gpointer prompts); /* a CryptoPinFunc */

/* What is to be drawn, UI thread. */
typedef struct {
  UiPromptKind kind;
  const char *const *explanation; /* never NULL */
  const char *question;
  const UiEdit *edit;
  guint typed; /* characters */
  gboolean completes; /* on Tab */
} UiPromptShown;
gboolean ui_prompts_shown(UiPrompts *prompts, UiPromptShown *shown); /* FALSE: nothing is being asked */
void ui_prompts_key(UiPrompts *prompts, int key);

#endif
