#include "mail/error.h"
#include "ui/limit.h"
#include "ui/edit.h"
#include "ui/keys.h"
#include "ui/save.h"
#include "ui/exception.h"

#include <glib/gstdio.h>
#include <unistd.h>
#include <string.h>

static MlHeader anna = {
  .uid = 1,
  .flags = ML_FLAG_SEEN,
  .hints = ML_HINT_SIGNED,
  .from = (char *)"Anna Keller <anna@example.org>",
  .to = (char *)"bob@example.org",
  .cc = (char *)"Team <team@example.org>",
  .subject = (char *)"Verträge (Entwurf)",
};

static gboolean
fits(const char *pattern, UiLimitItem item)
{
  g_autofree char *why = NULL;
  g_autoptr(UiLimit) limit = ui_limit_parse(pattern, &why);

  item.header = item.header ? item.header : &anna;
  item.flags = item.header->flags;
  item.subject = item.subject ? item.subject : item.header->subject;
  g_assert_cmpstr(why, ==, NULL);
  g_assert_nonnull(limit);
  return ui_limit_matches(limit, &item);
}

static void
test_words(void)
{
  UiLimitItem item = { 0 };

  g_assert_true(fits("anna", item));
  g_assert_true(fits("ENTWURF", item));
  g_assert_true(fits("VERTRÄGE", item));
  g_assert_true(fits("anna entwurf", item));
  g_assert_false(fits("anna rechnung", item));
  g_assert_false(fits("bob", item));
  g_assert_true(fits("\"anna keller\"", item));
  item.subject = "Gehälter"; /* as the list shows it once the message was read */
  g_assert_true(fits("gehälter", item));
  g_assert_true(fits("~s gehälter", item));
  g_assert_false(fits("entwurf", item));
  g_assert_false(fits("~s entwurf", item));
  g_assert_false(fits("\"keller anna\"", item));
}

static void
test_letters(void)
{
  UiLimitItem item = { .deleted = TRUE };

  g_assert_true(fits("~f anna", item));
  g_assert_false(fits("~f bob", item));
  g_assert_true(fits("~t bob ~c team", item));
  g_assert_true(fits("~C team", item));
  g_assert_true(fits("~s vertr", item));
  g_assert_true(fits("~D", item));
  g_assert_false(fits("~T", item));
  g_assert_true(fits("~R", item));
  g_assert_false(fits("~N", item));
  g_assert_true(fits("~g !~G", item));
  g_assert_true(fits("~A", item));
  g_assert_false(fits("~V", item));
}

static void
test_joining(void)
{
  UiLimitItem item = { 0 };

  g_assert_true(fits("~f bob | ~s entwurf", item));
  g_assert_false(fits("~f bob | ~s rechnung", item));
  g_assert_true(fits("!(~f bob | ~s rechnung)", item));
  g_assert_true(fits("~f anna (~N | ~R)", item));
  g_assert_false(fits("!~f anna", item));
}

static void
test_broken(void)
{
  static const char *const patterns[] = { "",      "   ",    "~",      "~f", "~y x", "(anna",
                                          "anna)", "anna |", "\"anna", "!",  "| x" };

  for (gsize i = 0; i < G_N_ELEMENTS(patterns); i++) {
    char *why = NULL;
    UiLimit *limit = ui_limit_parse(patterns[i], &why);
    if (limit)
      g_error("\"%s\" was taken", patterns[i]);
    g_assert_nonnull(why);
    g_assert_cmpuint(strlen(why), >, 10);
    g_free(why);
  }
  /* Depth and length have an end. */
  g_autofree char *deep = g_strnfill(100000, '('), *nots = g_strnfill(100000, '!');
  g_autoptr(GString) wide = g_string_new("a");
  for (guint i = 0; i < 5000; i++)
    g_string_append(wide, " b");
  const char *big[] = { deep, nots, wide->str };
  for (gsize i = 0; i < G_N_ELEMENTS(big); i++) {
    g_autofree char *why = NULL;
    g_assert_null(ui_limit_parse(big[i], &why));
    g_assert_nonnull(why);
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
  g_test_add_func("/limit/words", test_words);
  g_test_add_func("/limit/letters", test_letters);
  g_test_add_func("/limit/joining", test_joining);
  g_test_add_func("/limit/broken", test_broken);
  g_test_add_func("/edit/keys", test_edit);
  g_test_add_func("/save/never-overwrites", test_save);
  g_test_add_func("/exception/stored", test_exceptions);
  return g_test_run();
}
