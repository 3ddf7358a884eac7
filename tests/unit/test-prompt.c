#include "ui/prompt.h"

#include "ui/keys.h"

#include <string.h>

/* What stands on the screen, as the tests' person sees it. */
typedef struct {
  UiPrompts *prompts;
  guint changes;
} Person;

static void
on_changed(gpointer data)
{
  ((Person *)data)->changes++;
}

static void
wait_for_question(Person *person, UiPromptShown *shown)
{
  while (!ui_prompts_shown(person->prompts, shown))
    g_main_context_iteration(NULL, TRUE);
}

static void
type(Person *person, const char *keys)
{
  for (; *keys; keys++)
    ui_prompts_key(person->prompts, *keys == '\n' ? UI_KEY_ENTER : *keys);
}

typedef struct {
  UiPrompts *prompts;
  CryptoPinQuestion question;
  GCancellable *cancellable;
  char *answer;
} Asker;

static gpointer
ask(gpointer data)
{
  Asker *asker = data;

  asker->answer = ui_prompts_pin(&asker->question, asker->cancellable, asker->prompts);
  return NULL;
}

static GThread *
start(Asker *asker, Person *person, CryptoPinQuestion question)
{
  *asker = (Asker){ person->prompts, question, g_cancellable_new(), NULL };
  return g_thread_new("asker", ask, asker);
}

static void
finish(Asker *asker, GThread *thread)
{
  g_thread_join(thread);
  g_object_unref(asker->cancellable);
  crypto_pin_wipe(asker->answer);
}

static void
test_pin(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  Asker asker;

  person.prompts = ui_prompts_new(on_changed, &person);
  GThread *thread = start(&asker, &person,
                          (CryptoPinQuestion){ .token = "Card\033[31m", .retry = TRUE, .final_try = TRUE });
  wait_for_question(&person, &shown);
  g_assert_cmpint(shown.kind, ==, UI_PROMPT_SECRET);
  g_assert_null(strchr(shown.question, 033));
  g_assert_nonnull(strstr(shown.question, "Card"));
  g_assert_nonnull(strstr(shown.explanation[0], "not the right PIN"));
  g_assert_nonnull(strstr(shown.explanation[1], "One try is left"));
  type(&person, "123");
  ui_prompts_key(person.prompts, UI_KEY_BACKSPACE);
  type(&person, "4\n");
  g_thread_join(g_steal_pointer(&thread));
  g_assert_cmpstr(asker.answer, ==, "124");
  g_assert_false(ui_prompts_shown(person.prompts, &shown));
  g_object_unref(asker.cancellable);
  crypto_pin_wipe(asker.answer);
  ui_prompts_free(person.prompts);
}

static void
test_buffer_is_wiped(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  Asker asker;

  person.prompts = ui_prompts_new(on_changed, &person);
  GThread *thread = start(&asker, &person, (CryptoPinQuestion){ .token = "t" });
  wait_for_question(&person, &shown);
  type(&person, "topsecret");
  g_assert_cmpstr(shown.edit->text, ==, "topsecret");
  type(&person, "\n");
  for (gsize i = 0; i < sizeof shown.edit->text; i++)
    g_assert_cmpint(shown.edit->text[i], ==, 0);
  finish(&asker, thread);
  ui_prompts_free(person.prompts);
}

static void
test_escape(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  Asker asker;

  person.prompts = ui_prompts_new(on_changed, &person);
  GThread *thread = start(&asker, &person, (CryptoPinQuestion){ .database = TRUE });
  wait_for_question(&person, &shown);
  g_assert_nonnull(strstr(shown.question, "database"));
  ui_prompts_key(person.prompts, UI_KEY_ESC);
  g_thread_join(thread);
  g_assert_null(asker.answer);
  g_object_unref(asker.cancellable);
  ui_prompts_free(person.prompts);
}

static void
test_locked(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  Asker asker;

  person.prompts = ui_prompts_new(on_changed, &person);
  GThread *thread = start(&asker, &person, (CryptoPinQuestion){ .token = "t", .locked = TRUE });
  wait_for_question(&person, &shown);
  g_assert_cmpint(shown.kind, ==, UI_PROMPT_NOTICE);
  type(&person, "1234\n");
  g_thread_join(thread);
  g_assert_null(asker.answer); /* no PIN will do */
  g_object_unref(asker.cancellable);
  ui_prompts_free(person.prompts);
}

static void
test_cancel_takes_it_down(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  Asker asker;

  person.prompts = ui_prompts_new(on_changed, &person);
  GThread *thread = start(&asker, &person, (CryptoPinQuestion){ .token = "t" });
  wait_for_question(&person, &shown);
  g_cancellable_cancel(asker.cancellable);
  g_thread_join(thread);
  g_assert_null(asker.answer);
  while (ui_prompts_shown(person.prompts, &shown))
    g_main_context_iteration(NULL, TRUE);
  g_object_unref(asker.cancellable);
  ui_prompts_free(person.prompts);
}

static void
test_close_answers_all(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  Asker a, b;

  person.prompts = ui_prompts_new(on_changed, &person);
  GThread *one = start(&a, &person, (CryptoPinQuestion){ .token = "a" });
  GThread *two = start(&b, &person, (CryptoPinQuestion){ .token = "b" });
  wait_for_question(&person, &shown);
  ui_prompts_close(person.prompts);
  finish(&a, one);
  finish(&b, two);
  ui_prompts_free(person.prompts);
}

static void
take(const char *answer, gpointer data)
{
  g_free(*(char **)data);
  *(char **)data = g_strdup(answer ? answer : "(none)");
}

static char *
complete(const char *typed, gpointer user_data)
{
  return g_strdup("INBOX");
}

static void
test_own_questions(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  char *answer = NULL, *second = NULL;
  const char *explanation[] = { "Think twice.", NULL };

  person.prompts = ui_prompts_new(on_changed, &person);
  ui_prompts_ask(person.prompts, UI_PROMPT_SPELLED, explanation, "Sure", NULL, NULL, take, &answer);
  ui_prompts_ask(person.prompts, UI_PROMPT_LINE, NULL, "Folder", "in", complete, take, &second);
  g_assert_true(ui_prompts_shown(person.prompts, &shown));
  g_assert_cmpstr(shown.explanation[0], ==, "Think twice.");
  type(&person, "y\n"); /* is not spelled out */
  g_assert_cmpstr(answer, ==, "(none)");
  g_assert_true(ui_prompts_shown(person.prompts, &shown));
  g_assert_cmpstr(shown.edit->text, ==, "in");
  ui_prompts_key(person.prompts, UI_KEY_TAB);
  type(&person, "\n");
  g_assert_cmpstr(second, ==, "INBOX");
  ui_prompts_ask(person.prompts, UI_PROMPT_SPELLED, NULL, "Sure", NULL, NULL, take, &answer);
  type(&person, "yes\n");
  g_assert_cmpstr(answer, ==, "yes");
  ui_prompts_ask(person.prompts, UI_PROMPT_YES_NO, NULL, "Sure", NULL, NULL, take, &answer);
  type(&person, "x");
  g_assert_true(ui_prompts_shown(person.prompts, &shown));
  type(&person, "n");
  g_assert_cmpstr(answer, ==, "n");
  g_free(answer);
  g_free(second);
  ui_prompts_free(person.prompts);
}

typedef struct {
  UiPrompts *prompts;
  GString *order;
} Talk;

static void
second_answered(const char *answer, gpointer data)
{
  g_string_append_printf(((Talk *)data)->order, "second=%s ", answer ? answer : "(none)");
}

static void
third_answered(const char *answer, gpointer data)
{
  g_string_append_printf(((Talk *)data)->order, "third=%s ", answer ? answer : "(none)");
}

static void
waiting_answered(const char *answer, gpointer data)
{
  g_string_append_printf(((Talk *)data)->order, "waiting=%s ", answer ? answer : "(none)");
}

static void
first_answered(const char *answer, gpointer data)
{
  Talk *talk = data;
  UiPromptShown shown;

  g_assert_false(ui_prompts_shown(talk->prompts, &shown)); /* it is down, and nothing else came up meanwhile */
  g_string_append_printf(talk->order, "first=%s ", answer ? answer : "(none)");
  ui_prompts_ask(talk->prompts, UI_PROMPT_LINE, NULL, "Second", "x", NULL, second_answered, talk);
  ui_prompts_ask(talk->prompts, UI_PROMPT_LINE, NULL, "Third", NULL, NULL, third_answered, talk);
}

/* To, and then Subject, though a PIN is wanted meanwhile. */
static void
test_one_after_the_other(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  Asker asker;
  g_autoptr(GString) order = g_string_new(NULL);

  person.prompts = ui_prompts_new(on_changed, &person);
  Talk talk = { person.prompts, order };
  ui_prompts_ask(person.prompts, UI_PROMPT_LINE, NULL, "First", NULL, NULL, first_answered, &talk);
  ui_prompts_ask(person.prompts, UI_PROMPT_YES_NO, NULL, "Waiting", NULL, NULL, waiting_answered, &talk);
  GThread *thread = start(&asker, &person, (CryptoPinQuestion){ .token = "Card" });
  type(&person, "anna\n");
  g_assert_true(ui_prompts_shown(person.prompts, &shown));
  g_assert_cmpstr(shown.question, ==, "Second");
  type(&person, "Hello\ny");
  g_assert_cmpstr(order->str, ==, "first=anna second=xHello waiting=y ");
  /* The card's question came at any time: it stands before the third one, or behind it. */
  while (!ui_prompts_shown(person.prompts, &shown) || shown.kind != UI_PROMPT_SECRET) {
    if (ui_prompts_shown(person.prompts, &shown) && shown.kind == UI_PROMPT_LINE)
      type(&person, "z\n");
    g_main_context_iteration(NULL, FALSE);
  }
  type(&person, "1234\n");
  g_thread_join(thread);
  g_assert_cmpstr(asker.answer, ==, "1234");
  g_object_unref(asker.cancellable);
  crypto_pin_wipe(asker.answer);
  ui_prompts_close(person.prompts);
  g_assert_nonnull(strstr(order->str, "third="));
  ui_prompts_free(person.prompts);
}

/* A line for another question, which a yes-no question came before, is no answer to it. */
static void
test_stray_keys(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  char *answer = NULL;

  person.prompts = ui_prompts_new(on_changed, &person);
  ui_prompts_ask(person.prompts, UI_PROMPT_YES_NO, NULL, "Go on with it", NULL, NULL, take, &answer);
  type(&person, "bob@x.org\n\n");
  g_assert_null(answer);
  g_assert_true(ui_prompts_shown(person.prompts, &shown));
  type(&person, "y");
  g_assert_cmpstr(answer, ==, "y");
  ui_prompts_ask(person.prompts, UI_PROMPT_YES_NO, NULL, "Once more", NULL, NULL, take, &answer);
  type(&person, "\n"); /* the next question knows nothing of it */
  g_assert_cmpstr(answer, ==, "n");
  g_free(answer);
  ui_prompts_free(person.prompts);
}

static void
on_letter(const char *answer, gpointer data)
{
  char **got = data;

  g_free(*got);
  *got = g_strdup(answer ? answer : "none");
}

/* One key is the answer. */
static void
test_letter(void)
{
  Person person = { 0 };
  UiPromptShown shown;
  g_autofree char *got = NULL;
  static const struct {
    int key;
    const char *answer;
  } cases[] = { { 'd', "d" }, { 'X', "X" }, { '!', "!" }, { UI_KEY_ENTER, "none" }, { UI_KEY_ESC, "none" },
                { UI_CTRL('g'), "none" } };

  person.prompts = ui_prompts_new(on_changed, &person);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    ui_prompts_ask(person.prompts, UI_PROMPT_LETTER, NULL, "Which", NULL, NULL, on_letter, &got);
    wait_for_question(&person, &shown);
    static const int ignored[] = { UI_KEY_UP, UI_KEY_RESIZE, UI_KEY_BACKSPACE, ' ', '\t', 0xe9 };
    for (guint k = 0; k < G_N_ELEMENTS(ignored); k++)
      ui_prompts_key(person.prompts, ignored[k]);
    g_assert_true(ui_prompts_shown(person.prompts, &shown));
    ui_prompts_key(person.prompts, cases[i].key);
    g_assert_cmpstr(got, ==, cases[i].answer);
    g_assert_false(ui_prompts_shown(person.prompts, &shown));
  }
  ui_prompts_free(person.prompts);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/prompt/pin", test_pin);
  g_test_add_func("/prompt/letter", test_letter);
  g_test_add_func("/prompt/buffer-is-wiped", test_buffer_is_wiped);
  g_test_add_func("/prompt/escape", test_escape);
  g_test_add_func("/prompt/locked", test_locked);
  g_test_add_func("/prompt/cancel-takes-it-down", test_cancel_takes_it_down);
  g_test_add_func("/prompt/close-answers-all", test_close_answers_all);
  g_test_add_func("/prompt/own-questions", test_own_questions);
  g_test_add_func("/prompt/one-after-the-other", test_one_after_the_other);
  g_test_add_func("/prompt/stray-keys", test_stray_keys);
  return g_test_run();
}
