#include <string.h>

#include "ui/subjects.h"

static UiPlace
at(guint32 uid)
{
  return (UiPlace){ "work", "INBOX", 7, uid };
}

static void
test_found(void)
{
  g_autoptr(UiSubjects) subjects = ui_subjects_new();
  UiPlace place = at(3), other_uid = at(4), other_folder = at(3), other_account = at(3), renumbered = at(3);

  other_folder.folder = "Archive";
  other_account.account = "home";
  renumbered.uidvalidity = 8;
  g_assert_null(ui_subjects_find(subjects, &place));
  ui_subjects_note(subjects, &place, "Budget", TRUE);
  g_assert_cmpstr(ui_subjects_find(subjects, &place), ==, "Budget");
  g_assert_null(ui_subjects_find(subjects, &other_uid));
  g_assert_null(ui_subjects_find(subjects, &other_folder));
  g_assert_null(ui_subjects_find(subjects, &other_account));
  g_assert_null(ui_subjects_find(subjects, &renumbered));
  ui_subjects_note(subjects, &other_folder, "", FALSE);
  g_assert_cmpstr(ui_subjects_find(subjects, &other_folder), ==, "");
  ui_subjects_note(subjects, &place, "Budget 2027", TRUE);
  g_assert_cmpstr(ui_subjects_find(subjects, &place), ==, "Budget 2027");
  ui_subjects_note(subjects, &place, NULL, FALSE);
  g_assert_null(ui_subjects_find(subjects, &place));
  g_assert_cmpstr(ui_subjects_find(subjects, &other_folder), ==, "");
}

static void
test_forgotten(void)
{
  g_autoptr(UiSubjects) subjects = ui_subjects_new();
  UiPlace hidden = at(1), open = at(2), opened = at(3);

  g_assert_false(ui_subjects_forget_hidden(subjects));
  ui_subjects_note(subjects, &hidden, "Budget", TRUE);
  ui_subjects_note(subjects, &open, "Minutes", FALSE);
  ui_subjects_note(subjects, &opened, "Once hidden", TRUE);
  ui_subjects_note(subjects, &opened, "Not any more", FALSE);
  g_assert_true(ui_subjects_forget_hidden(subjects));
  g_assert_null(ui_subjects_find(subjects, &hidden));
  g_assert_cmpstr(ui_subjects_find(subjects, &open), ==, "Minutes");
  g_assert_cmpstr(ui_subjects_find(subjects, &opened), ==, "Not any more");
  g_assert_false(ui_subjects_forget_hidden(subjects));
}

static void
test_bounded(void)
{
  g_autoptr(UiSubjects) subjects = ui_subjects_new();
  g_autoptr(GString) text = g_string_new("x"); /* so that a letter of two octets lies across the limit */

  while (text->len < 5000)
    g_string_append(text, "ü");
  UiPlace first = at(1), last = at(20000);
  ui_subjects_note(subjects, &first, text->str, FALSE);
  const char *kept = ui_subjects_find(subjects, &first);
  g_assert_cmpuint(strlen(kept), ==, 1999);
  g_assert_true(g_utf8_validate(kept, -1, NULL));
  g_string_truncate(text, 2000 - 1);
  g_string_append(text, "x"); /* just as long as may be */
  ui_subjects_note(subjects, &first, text->str, FALSE);
  g_assert_cmpstr(ui_subjects_find(subjects, &first), ==, text->str);

  for (guint32 uid = 2; uid <= 20000; uid++) {
    UiPlace place = at(uid);
    ui_subjects_note(subjects, &place, "one of many", uid % 2 != 0);
  }
  g_assert_null(ui_subjects_find(subjects, &first));
  g_assert_cmpstr(ui_subjects_find(subjects, &last), ==, "one of many");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/subjects/found", test_found);
  g_test_add_func("/subjects/forgotten", test_forgotten);
  g_test_add_func("/subjects/bounded", test_bounded);
  return g_test_run();
}
