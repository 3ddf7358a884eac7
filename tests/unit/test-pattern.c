#include "mail/error.h"
#include "mail/pattern.h"
#include "ui/edit.h"
#include "ui/keys.h"
#include "ui/save.h"
#include "ui/exception.h"

#include <glib/gstdio.h>
#include <unistd.h>
#include <string.h>

/* Sent on 2026-09-10 at noon, received the day after. */
static MlHeader anna = {
  .uid = 1,
  .flags = ML_FLAG_SEEN,
  .hints = ML_HINT_SIGNED,
  .size = 20480,
  .from = (char *)"Anna Keller <anna@example.org>",
  .to = (char *)"bob@example.org",
  .cc = (char *)"Team <team@example.org>",
  .subject = (char *)"Verträge (Entwurf)",
  .message_id = (char *)"2026.1@mail.example.org",
  .references = (char *)"<first@mail.example.org> <second@mail.example.org>",
};

enum {
  ALL = ML_PATTERN_FLAGS | ML_PATTERN_SCREEN | ML_PATTERN_VERDICT | ML_PATTERN_NUMBERS | ML_PATTERN_HEADER |
        ML_PATTERN_TEXT,
};

static gint64
noon(int year, int month, int day)
{
  g_autoptr(GDateTime) when = g_date_time_new_local(year, month, day, 12, 0, 0);
  return g_date_time_to_unix(when);
}

static MlPatternAnswer
answer(const char *words, MlPatternFacts facts, const char *header, const char *body)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPattern) pattern = ml_pattern_parse(words, ALL, noon(2026, 9, 20), &error);

  g_assert_no_error(error);
  g_assert_nonnull(pattern);
  anna.date = noon(2026, 9, 10);
  anna.received = noon(2026, 9, 11);
  MlPatternFacts own = ml_pattern_facts(&anna);
  own.subject = facts.subject;
  own.flags = facts.flags ? facts.flags : own.flags;
  own.old = facts.old;
  own.tagged = facts.tagged;
  own.deleted = facts.deleted;
  own.verdict = facts.verdict;
  own.seen = header || body ? ml_pattern_look(pattern, header, body) : own.seen;
  MlPatternAnswer found = ml_pattern_ask(pattern, &own);
  g_assert_cmpint(ml_pattern_matches(pattern, &own), ==, found == ML_PATTERN_YES);
  return found;
}

static gboolean
fits(const char *words, MlPatternFacts facts)
{
  MlPatternAnswer found = answer(words, facts, NULL, NULL);

  g_assert_cmpint(found, !=, ML_PATTERN_OPEN);
  return found == ML_PATTERN_YES;
}

static void
test_words(void)
{
  MlPatternFacts item = { 0 };

  g_assert_true(fits("anna", item));
  g_assert_true(fits("ENTWURF", item));
  g_assert_true(fits("VERTRÄGE", item));
  g_assert_true(fits("anna entwurf", item));
  g_assert_false(fits("anna rechnung", item));
  g_assert_false(fits("bob", item));
  g_assert_true(fits("\"anna keller\"", item));
  g_assert_true(fits("'anna keller'", item));
  g_assert_false(fits("a.na", item)); /* no regular expression */
  g_assert_false(fits(".*", item));
  item.subject = "Gehälter \"neu\""; /* as the list shows it once the message was read */
  g_assert_true(fits("gehälter", item));
  g_assert_true(fits("~s gehälter", item));
  g_assert_true(fits("~s \"\\\"NEU\\\"\"", item));
  g_assert_false(fits("entwurf", item));
  g_assert_false(fits("~s entwurf", item));
  g_assert_false(fits("\"keller anna\"", item));
}

static void
test_letters(void)
{
  static const char *const yes[] = { "~f anna",    "~t bob ~c team", "~C team",  "~C bob",     "~L anna",  "~L bob",
                                     "~L team",    "~s vertr",       "~D",       "~R",         "~g !~G",   "~A",
                                     "~i 2026.1@", "~x second@",      "=f anna",  "~fanna",     "~f 'anna k'" };
  static const char *const no[] = { "~f bob",  "~t team",   "~t anna", "~c bob",    "~L carl", "~s anna", "~T",   "~N",
                                    "~U",      "~O",        "~F",      "~Q",        "~G",      "~V",      "~V bad",
                                    "~i first@", "~x 2026.1@", "=f bob", "~V none" };
  MlPatternFacts item = { .deleted = TRUE };

  for (gsize i = 0; i < G_N_ELEMENTS(yes); i++)
    if (!fits(yes[i], item))
      g_error("%s does not fit", yes[i]);
  for (gsize i = 0; i < G_N_ELEMENTS(no); i++)
    if (fits(no[i], item))
      g_error("%s fits", no[i]);
  item = (MlPatternFacts){ .tagged = TRUE, .flags = ML_FLAG_FLAGGED | ML_FLAG_ANSWERED };
  g_assert_true(fits("~T ~F ~Q ~N ~U !~R !~D !~O", item));
  item.old = TRUE;
  g_assert_true(fits("~N ~O", item));
  item.flags |= ML_FLAG_SEEN;
  g_assert_false(fits("~O", item));
}

static void
test_verdicts(void)
{
  static const char *const words[] = { "~V unknown", "~V none", "~V", "~V warning", "~V bad" };

  for (guint verdict = 0; verdict < G_N_ELEMENTS(words); verdict++)
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
      g_assert_cmpint(fits(words[i], (MlPatternFacts){ .verdict = verdict }), ==, i == verdict);
  MlPatternFacts good = { .verdict = ML_PATTERN_GOOD, .subject = "A bad day" };
  g_assert_true(fits("~V good", good));
  g_assert_true(fits("(~V good|~V bad)", good));
  g_assert_false(fits("~V bad", good));
  g_assert_true(fits("~V \"bad\"", good)); /* a word, not a verdict */
  g_assert_true(fits("~V badly | ~V ~s bad", good));
  g_assert_false(fits("~V badly", good));
}

static void
test_joining(void)
{
  MlPatternFacts item = { 0 };

  g_assert_true(fits("~f bob | ~s entwurf", item));
  g_assert_false(fits("~f bob | ~s rechnung", item));
  g_assert_true(fits("!(~f bob | ~s rechnung)", item));
  g_assert_true(fits("~f anna (~N | ~R)", item));
  g_assert_false(fits("!~f anna", item));
  g_assert_true(fits("!!~f anna", item));
  /* | binds less than standing side by side, ! more */
  g_assert_true(fits("~f bob ~s rechnung | ~f anna", item));
  g_assert_true(fits("~f anna | ~f bob ~s rechnung", item));
  g_assert_false(fits("!~f bob ~s rechnung", item));
  g_assert_false(fits("(~f anna | ~f bob) ~s rechnung", item));
}

static void
test_dates(void)
{
  /* sent on the 10th, received on the 11th, today the 20th */
  static const char *const yes[] = {
    "~d 10/9/2026", "~d 10/9/26",  "~d 10/9",       "~d 10",          "~d 2026-09-10", "~d 20260910",
    "~d 1/9-30/9",  "~d 30/9-1/9", "~d 10/9-",      "~d -10/9",       "~d 9/9-10/9",   "~d 2026-09-01-2026-09-30",
    "~d <2w",       "~d >1w",      "~d =10d",       "~d <10d",        "~d >10d",       "~d <1m",
    "~d <1y",       "~d 15/9*1w",  "~d 5/9+5d",     "~d 15/9-5d",     "~r 11/9",       "~r =9d",
    "~d >200H",     "~d <300H",    "~d <900000S",   "~d >100M",       "!~d =0d",       "~d 2026-09-01-30/9",
  };
  static const char *const no[] = {
    "~d 11/9/2026", "~d 10/9/2025", "~d 9",        "~d 11",      "~d 10/8",      "~d 2026-09-11", "~d 20260909",
    "~d 11/9-",     "~d -9/9",      "~d <1w",      "~d >2w",     "~d =9d",       "~d =11d",       "~d <9d",
    "~d >11d",      "~d >1m",       "~d 15/9*4d",  "~d 5/9+4d",  "~d 15/9-4d",   "~r 10/9",       "~d =0d",
    "~d <200H",     "~d >300H",     "~d 10/9/76",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(yes); i++)
    if (!fits(yes[i], (MlPatternFacts){ 0 }))
      g_error("%s does not fit", yes[i]);
  for (gsize i = 0; i < G_N_ELEMENTS(no); i++)
    if (fits(no[i], (MlPatternFacts){ 0 }))
      g_error("%s fits", no[i]);
}

static void
test_sizes(void)
{
  static const char *const yes[] = { "~z >1K",   "~z 20K",     "~z 20480",  "~z <1M",      "~z 10K-1M",
                                     "~z 1M-1k", "~z 20480-",  "~z -20480", "~z >20479",   "~z <20481",
                                     "~z <1G",   "~z 20K-20K" };
  static const char *const no[] = { "~z >20K", "~z <20K", "~z 20481-", "~z -20479", "~z 21K-1M", "~z 20479", "~z >1M" };

  for (gsize i = 0; i < G_N_ELEMENTS(yes); i++)
    if (!fits(yes[i], (MlPatternFacts){ 0 }))
      g_error("%s does not fit", yes[i]);
  for (gsize i = 0; i < G_N_ELEMENTS(no); i++)
    if (fits(no[i], (MlPatternFacts){ 0 }))
      g_error("%s fits", no[i]);
}

/* What only the message itself can tell. */
static void
test_texts(void)
{
  const char *header = "Subject: Verträge\nX-Mailer: Sender: fake\nSender: Postmaster <office@example.org>\n";
  const char *body = "Die Unterlagen liegen bei.\nGrüße";
  MlPatternFacts item = { 0 };

  g_assert_cmpint(answer("~b unterlagen", item, NULL, NULL), ==, ML_PATTERN_OPEN);
  g_assert_cmpint(answer("!~b unterlagen", item, NULL, NULL), ==, ML_PATTERN_OPEN);
  g_assert_cmpint(answer("~b unterlagen ~f bob", item, NULL, NULL), ==, ML_PATTERN_NO);
  g_assert_cmpint(answer("~b unterlagen | ~f anna", item, NULL, NULL), ==, ML_PATTERN_YES);
  g_assert_cmpint(answer("~f anna ~b unterlagen", item, NULL, NULL), ==, ML_PATTERN_OPEN);
  g_assert_cmpint(answer("~f bob | ~b unterlagen", item, NULL, NULL), ==, ML_PATTERN_OPEN);
  g_assert_cmpint(answer("~b UNTERLAGEN", item, header, body), ==, ML_PATTERN_YES);
  g_assert_cmpint(answer("~b GRÜSSE", item, header, body), ==, ML_PATTERN_YES);
  g_assert_cmpint(answer("~b unterlage1", item, header, body), ==, ML_PATTERN_NO);
  g_assert_cmpint(answer("!~b unterlagen", item, header, body), ==, ML_PATTERN_NO);
  g_assert_cmpint(answer("~b postmaster", item, header, body), ==, ML_PATTERN_NO);
  g_assert_cmpint(answer("~h postmaster", item, header, body), ==, ML_PATTERN_YES);
  g_assert_cmpint(answer("~h unterlagen", item, header, body), ==, ML_PATTERN_NO);
  g_assert_cmpint(answer("~B postmaster ~B unterlagen", item, header, body), ==, ML_PATTERN_YES);
  g_assert_cmpint(answer("~B nirgends", item, header, body), ==, ML_PATTERN_NO);
  g_assert_cmpint(answer("~e office@", item, header, body), ==, ML_PATTERN_YES);
  g_assert_cmpint(answer("~e fake", item, header, body), ==, ML_PATTERN_NO);
  g_assert_cmpint(answer("~e verträge", item, header, body), ==, ML_PATTERN_NO);
  /* of an encrypted one there is no text */
  g_assert_cmpint(answer("~b unterlagen", item, header, NULL), ==, ML_PATTERN_OPEN);
  g_assert_cmpint(answer("~h postmaster", item, header, NULL), ==, ML_PATTERN_YES);
  g_assert_cmpint(answer("~B postmaster", item, header, NULL), ==, ML_PATTERN_YES);
  g_assert_cmpint(answer("~B unterlagen", item, header, NULL), ==, ML_PATTERN_OPEN);
  /* in their order */
  const char *word;
  g_autoptr(MlPattern) pattern = ml_pattern_parse("~f x (~b One | !~h \"Two words\") ~B 3", ALL, 0, NULL);
  g_assert_cmpuint(ml_pattern_texts(pattern), ==, 3);
  g_assert_cmpint(ml_pattern_text(pattern, 0, &word), ==, 'b');
  g_assert_cmpstr(word, ==, "One");
  g_assert_cmpint(ml_pattern_text(pattern, 1, &word), ==, 'h');
  g_assert_cmpstr(word, ==, "Two words");
  g_assert_cmpint(ml_pattern_text(pattern, 2, &word), ==, 'B');
  MlPatternSeen seen = ml_pattern_look(pattern, "two words", "3");
  g_assert_cmpuint(seen.known, ==, 7);
  g_assert_cmpuint(seen.yes, ==, 6);
}

/* What was learnt of one message is told of no other, and lives as long as the last who holds the pattern. */
static void
test_learnt(void)
{
  g_autoptr(MlPattern) pattern = ml_pattern_parse("~b one !~b two", ALL, 0, NULL);
  MlPattern *other = ml_pattern_ref(pattern);
  MlPatternFacts facts = ml_pattern_facts(&anna);

  g_assert_cmpint(ml_pattern_ask(pattern, &facts), ==, ML_PATTERN_OPEN);
  ml_pattern_learn(pattern, 1, ml_pattern_look(pattern, NULL, "One"));
  ml_pattern_learn(pattern, 2, ml_pattern_look(pattern, NULL, "One and two"));
  g_assert_cmpint(ml_pattern_ask(pattern, &facts), ==, ML_PATTERN_YES); /* anna is number 1 */
  facts.uid = 2;
  g_assert_cmpint(ml_pattern_ask(pattern, &facts), ==, ML_PATTERN_NO);
  facts.uid = 3;
  g_assert_cmpint(ml_pattern_ask(pattern, &facts), ==, ML_PATTERN_OPEN);
  facts = (MlPatternFacts){ .uid = 1 };
  ml_pattern_free(other);
  g_assert_cmpint(ml_pattern_ask(pattern, &facts), ==, ML_PATTERN_YES);
}

static void
test_needs(void)
{
  static const struct {
    const char *words;
    guint needs;
  } cases[] = {
    { "~A", 0 },
    { "~N | ~F !~D", ML_PATTERN_FLAGS },
    { "~T", ML_PATTERN_SCREEN },
    { "~V bad", ML_PATTERN_VERDICT },
    { "anna", ML_PATTERN_HEADER },
    { "~d <2w ~z >1 ~g", ML_PATTERN_NUMBERS },
    { "~N (~T | !~b x)", ML_PATTERN_FLAGS | ML_PATTERN_SCREEN | ML_PATTERN_TEXT },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(MlPattern) pattern = ml_pattern_parse(cases[i].words, ALL, 0, NULL);
    g_assert_cmpuint(ml_pattern_needs(pattern), ==, cases[i].needs);
    for (guint can = 0; can <= ALL; can++) {
      g_autoptr(GError) error = NULL;
      g_autoptr(MlPattern) other = ml_pattern_parse(cases[i].words, can | ML_PATTERN_HEADER, 0, &error);
      g_assert_cmpint(other != NULL, ==, !(cases[i].needs & ~can & ~ML_PATTERN_HEADER));
      g_assert_cmpint(error != NULL, ==, other == NULL);
    }
  }
}

static void
test_broken(void)
{
  /* and the character that the sentence names */
  static const struct {
    const char *words, *place;
  } cases[] = {
    { "", "character 1 " },           { "   ", "character 4 " },         { "~", "character 1 " },
    { "~f", "character 3 " },         { "ä ~y x", "character 3 " },      { "(anna", "character 1 " },
    { "anna)", "character 5 " },      { "anna |", "character 7 " },      { "x \"anna", "character 3 " },
    { "!", "character 2 " },          { "| x", "character 1 " },         { "()", "character 2 " },
    { "~d", "character 3 " },         { "~d 31/2/2026", "character 4 " }, { "~d 1/13", "character 4 " },
    { "~d 2026-09-31", "character 4 " }, { "~d 2026-9-1", "character 4 " }, { "~d <2", "character 4 " },
    { "~d <w", "character 4 " },      { "~d <2x", "character 4 " },      { "~d -", "character 4 " },
    { "~d 1/9-30/9-", "character 4 " }, { "~d 0", "character 4 " },      { "~d 1/9/202", "character 4 " },
    { "~d <2w3", "character 4 " },    { "~d yesterday", "character 4 " }, { "~z", "character 3 " },
    { "~z -", "character 4 " },       { "~z >", "character 4 " },        { "~z 10X", "character 4 " },
    { "~z 1-2-3", "character 4 " },   { "~z 9999999999", "character 4 " }, { "~z <1K-2K", "character 4 " },
    { "~n 1", "character 1 " },       { "~f (x)", "character 4 " },      { "~d 1/9*", "character 4 " },
    { "~d 1/9*2H", "character 4 " },
  };

  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlPattern) pattern = ml_pattern_parse(cases[i].words, ALL, 0, &error);
    if (pattern)
      g_error("\"%s\" was taken", cases[i].words);
    g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
    if (!strstr(error->message, cases[i].place))
      g_error("\"%s\": %s", cases[i].words, error->message);
  }
  /* Depth, number and length have an end. */
  g_autofree char *deep = g_strnfill(8000, '('), *nots = g_strnfill(8000, '!'), *tall = g_strnfill(100000, 'x');
  g_autoptr(GString) wide = g_string_new("a"), texts = g_string_new("~b a");
  for (guint i = 0; i < 300; i++)
    g_string_append(wide, " b");
  for (guint i = 0; i < 32; i++)
    g_string_append(texts, " ~b b");
  const char *big[] = { deep, nots, tall, wide->str, texts->str };
  for (gsize i = 0; i < G_N_ELEMENTS(big); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(ml_pattern_parse(big[i], ALL, 0, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "too many") ? error->message : strstr(error->message, "at most"));
  }
}

static void
press(UiEdit *edit, const char *keys)
{
  for (; *keys; keys = g_utf8_next_char(keys))
    g_assert_cmpint(ui_edit_key(edit, (int)g_utf8_get_char(keys)), ==, UI_EDIT_MORE);
}

static void
test_edit(void)
{
  UiEdit edit;

  memset(&edit, 0, sizeof edit);
  ui_edit_set(&edit, NULL);
  press(&edit, "grüße 日本");
  ui_edit_key(&edit, UI_KEY_BACKSPACE);
  g_assert_cmpstr(edit.text, ==, "grüße 日");
  ui_edit_key(&edit, UI_KEY_HOME);
  ui_edit_key(&edit, UI_KEY_DELETE);
  press(&edit, "G");
  ui_edit_key(&edit, UI_KEY_RIGHT);
  ui_edit_key(&edit, UI_KEY_RIGHT);
  ui_edit_key(&edit, UI_KEY_BACKSPACE);
  g_assert_cmpstr(edit.text, ==, "Grße 日");
  ui_edit_key(&edit, UI_KEY_END);
  ui_edit_key(&edit, UI_CTRL('w'));
  g_assert_cmpstr(edit.text, ==, "Grße ");
  ui_edit_key(&edit, UI_CTRL('u'));
  g_assert_cmpstr(edit.text, ==, "");
  g_assert_cmpint(ui_edit_key(&edit, UI_KEY_ENTER), ==, UI_EDIT_DONE);
  g_assert_cmpint(ui_edit_key(&edit, UI_KEY_ESC), ==, UI_EDIT_CANCELLED);
  /* It is full some time, and nothing of a wiped line is left. */
  for (guint i = 0; i < 3000; i++)
    ui_edit_key(&edit, 0x65e5);
  g_assert_true(g_utf8_validate(edit.text, -1, NULL));
  g_assert_cmpuint(strlen(edit.text), <, sizeof edit.text);
  ui_edit_wipe(&edit);
  for (gsize i = 0; i < sizeof edit.text; i++)
    g_assert_cmpint(edit.text[i], ==, 0);
}

static void
test_save(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp("signet-save-XXXXXX", NULL);
  g_autofree char *first = ui_save_path(folder, "a.b.pdf"), *text = NULL;
  g_autoptr(GBytes) content = g_bytes_new_static("one", 3);

  g_assert_true(g_str_has_suffix(first, "/a.b.pdf"));
  g_assert_true(ui_save_file(first, content, &error));
  g_assert_no_error(error);
  g_assert_false(ui_save_file(first, content, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_assert_nonnull(strstr(error->message, "already"));
  g_clear_error(&error);
  g_assert_true(g_file_get_contents(first, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "one");
  g_autofree char *second = ui_save_free_name(folder, "a.b.pdf");
  g_assert_true(g_str_has_suffix(second, "/a.b-1.pdf"));
  /* A link in the last step is not followed, even to where nothing is. */
  g_autofree char *outside = g_build_filename(folder, "outside", NULL),
                  *link = g_build_filename(folder, "link", NULL);
  g_assert_cmpint(symlink(outside, link), ==, 0);
  g_assert_false(ui_save_file(link, content, &error));
  g_assert_false(g_file_test(outside, G_FILE_TEST_EXISTS));
  g_clear_error(&error);
  g_assert_false(ui_save_file("/dev/full/x", content, &error));
  g_assert_nonnull(error);
  g_unlink(link);
  g_unlink(first);
  g_rmdir(folder);
}

static void
test_exceptions(void)
{
  g_autofree char *folder = g_dir_make_tmp("signet-tls-XXXXXX", NULL), *file = ui_exception_file(folder);

  g_assert_false(ui_exception_is_stored(file, "Mail.example.org", 993, "ab12"));
  g_assert_true(ui_exception_store(file, "mail.Example.org", 993, "ab12", NULL));
  g_assert_true(ui_exception_store(file, "mail.example.org", 993, "cd34", NULL));
  g_assert_true(ui_exception_is_stored(file, "Mail.example.org", 993, "ab12"));
  g_assert_false(ui_exception_is_stored(file, "mail.example.org", 994, "ab12"));
  g_assert_false(ui_exception_is_stored(file, "mail.example.org", 993, "ab1"));
  g_assert_false(ui_exception_is_stored(file, "ail.example.org", 993, "ab12"));
  g_unlink(file);
  g_rmdir(folder);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/pattern/words", test_words);
  g_test_add_func("/pattern/letters", test_letters);
  g_test_add_func("/pattern/joining", test_joining);
  g_test_add_func("/pattern/verdicts", test_verdicts);
  g_test_add_func("/pattern/dates", test_dates);
  g_test_add_func("/pattern/sizes", test_sizes);
  g_test_add_func("/pattern/texts", test_texts);
  g_test_add_func("/pattern/learnt", test_learnt);
  g_test_add_func("/pattern/needs", test_needs);
  g_test_add_func("/pattern/broken", test_broken);
  g_test_add_func("/edit/keys", test_edit);
  g_test_add_func("/save/never-overwrites", test_save);
  g_test_add_func("/exception/stored", test_exceptions);
  return g_test_run();
}
