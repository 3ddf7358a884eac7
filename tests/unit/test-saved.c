/* Searches that have a name: what they may say, and what they find in the lists and the index of an account. */
#include <glib/gstdio.h>
#include <string.h>

#include "mail/init.h"
#include "mail/saved.h"
#include "mail/search.h"

/* ---- what they may say */

static void
expect_refused(const char *name, const char *text, const char *words)
{
  g_autoptr(GPtrArray) searches = g_ptr_array_new_with_free_func((GDestroyNotify)ml_saved_free);
  g_autoptr(GError) error = NULL;
  g_assert_false(ml_saved_add(searches, name, text, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, words));
  g_assert_cmpuint(searches->len, ==, 0);
}

static void
test_names(void)
{
  g_autoptr(GPtrArray) searches = g_ptr_array_new_with_free_func((GDestroyNotify)ml_saved_free);
  static const char *const names[] = { "x", "From Anna", "M\303\274ller", "2024", "a.b_c-d+e@f",
                                       "1234567890123456789012345678901234567890" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_true(ml_saved_add(searches, names[i], "word", &error));
    g_assert_no_error(error);
    g_assert_cmpstr(ml_saved_find(searches, names[i])->text, ==, "word");
  }
  g_assert_null(ml_saved_find(searches, "from anna"));
  static const char *const wrong[] = { "", " x", "x ", "a  b", "a/b", "a=b", "a\tb", "a\nb", "-a", ".a", "\342\200\256x", "a\377",
                                       "12345678901234567890123456789012345678901" };
  for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
    expect_refused(wrong[i], "word", "cannot be a search's name");
}

static void
test_texts(void)
{
  static const char *const good[] = { "report", "from:anna \"annual report\"", "~F", "!~R", "(~f anna | ~f eve) ~d <2w", "=f anna",
                                      "~b budget ~g", "x ~y", "in:anywhere report", "in:anywhere ~F" };
  for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_true(ml_saved_check(good[i], &error));
    g_assert_no_error(error);
  }
  expect_refused("a", "", "no words and no pattern");
  expect_refused("a", "-report", "the search \"a\" cannot be read");
  expect_refused("a", "\"\"", "no word in it");
  expect_refused("a", "~f", "at character");
  expect_refused("a", "in:anywhere", "no word in it");
  expect_refused("a", "in:anywhere ~f", "at character");
  expect_refused("a", "(~F", "parenthesis");
  expect_refused("a", "~T", "~T"); /* nothing is tagged in it yet */
  expect_refused("a", "~V good", "~V");
}

/* ---- what they find */

typedef struct {
  char *folder;
  MlAccount account;
  MlStore *store;
  MlStoreSearch *index;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fixture->folder = g_dir_make_tmp("signet-saved-XXXXXX", NULL);
  fixture->account = (MlAccount){ .name = (char *)"work", .kind = ML_ACCOUNT_IMAP,
                                  .imap = { .host = (char *)"mail.example.org", .user = (char *)"anna", .port = 993 } };
  fixture->store = ml_store_open(fixture->folder, &fixture->account, &error);
  g_assert_no_error(error);
  fixture->index = ml_store_search_open(fixture->store, &error);
  g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  ml_store_search_free(fixture->index);
  ml_store_free(fixture->store);
  g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *file = g_build_filename(fixture->folder, name, NULL);
    g_unlink(file);
  }
  g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
  g_free(fixture->folder);
}

static void
apply(Fixture *fixture, const char *folder, const MlStoreStep *step)
{
  g_autoptr(GError) error = NULL;
  gboolean ok = ml_store_apply(fixture->store, folder, step, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

/* As the server lists them; "branch" holds folders alone. */
static void
begin(Fixture *fixture, guint32 uidvalidity)
{
  static char *const names[] = { (char *)"INBOX", (char *)"branch", (char *)"Sent", (char *)"branch/Spam", (char *)"Bin" };
  static const MlFolderRole roles[] = { ML_ROLE_INBOX, ML_ROLE_NONE, ML_ROLE_SENT, ML_ROLE_JUNK, ML_ROLE_TRASH };
  g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    const MlFolder folder = { names[i], roles[i], i != 1, -1, -1 };
    g_ptr_array_add(folders, g_memdup2(&folder, sizeof folder));
  }
  g_assert_true(ml_store_set_folders(fixture->store, folders, NULL));
  for (guint i = 0; i < G_N_ELEMENTS(names); i += i ? 1 : 2) {
    const MlSyncPoint point = { uidvalidity, 1, 0 };
    const MlStoreStep step = { .uidvalidity = uidvalidity, .reset = TRUE, .point = &point };
    apply(fixture, names[i], &step);
  }
}

static void
add(Fixture *fixture, const char *folder, guint32 uidvalidity, guint32 first, guint32 last, guint flags, const char *subject)
{
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  g_autofree char *block = g_strdup_printf("From: Jo <jo@example.org>\nTo: anna@example.org\nSubject: %s\n\n", subject);
  for (guint32 uid = first; uid <= last; uid++) {
    MlHeader *header = ml_header_parse(block, strlen(block));
    header->uid = uid;
    header->date = 1000 + uid;
    header->flags = flags;
    g_ptr_array_add(headers, header);
  }
  const MlStoreStep step = { .uidvalidity = uidvalidity, .headers = headers };
  apply(fixture, folder, &step);
}

static MlSavedRun *
run_new(Fixture *fixture, const char *text)
{
  g_autoptr(GError) error = NULL;
  const MlDriverHooks hooks = { .store_dir = fixture->folder };
  MlSavedRun *run = ml_saved_run_new(text, &fixture->account, &hooks, fixture->store, fixture->index, &error);
  g_assert_no_error(error);
  return run;
}

/* "INBOX:3 1 Sent:2", and the number of messages that could not be looked into, if any. @until: of each piece. */
static char *
find(Fixture *fixture, const char *text, gint64 until)
{
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_search_update(fixture->index, NULL, 50, NULL, NULL, NULL, &error));
  g_assert_no_error(error);
  g_autoptr(MlSavedRun) run = run_new(fixture, text);
  GString *words = g_string_new(NULL);
  g_autofree char *last = NULL;
  for (gboolean more = TRUE; more;) {
    g_autoptr(MlSavedFound) found = NULL;
    g_assert_true(ml_saved_run_on(run, until, NULL, &found, &more, &error));
    g_assert_no_error(error);
    if (found && g_strcmp0(last, found->folder) != 0)
      g_string_append_printf(words, "%s%s:", words->len ? " " : "", found->folder);
    for (guint i = 0; found && i < found->lines->len; i++)
      g_string_append_printf(words, "%s%u", words->str[words->len - 1] == ':' ? "" : " ",
                             g_array_index(found->lines, MlLine, i).uid);
    if (found) {
      g_free(last);
      last = g_strdup(found->folder);
    }
  }
  if (ml_saved_run_open(run))
    g_string_append_printf(words, " ?%u", ml_saved_run_open(run));
  return g_string_free(words, FALSE);
}

static void
expect(Fixture *fixture, const char *text, const char *expected)
{
  g_autofree char *whole = find(fixture, text, G_MAXINT64), *pieces = find(fixture, text, 0);
  g_assert_cmpstr(whole, ==, expected);
  g_assert_cmpstr(pieces, ==, expected);
}

static void
test_find(Fixture *fixture, gconstpointer data)
{
  begin(fixture, 7);
  add(fixture, "INBOX", 7, 1, 2, ML_FLAG_SEEN, "Annual report");
  add(fixture, "INBOX", 7, 3, 3, ML_FLAG_FLAGGED, "Lunch");
  add(fixture, "Sent", 7, 2, 2, ML_FLAG_SEEN | ML_FLAG_FLAGGED, "Re: Annual report");
  expect(fixture, "report", "INBOX:2 1 Sent:2");
  expect(fixture, "lunch", "INBOX:3");
  expect(fixture, "nothing", "");
  expect(fixture, "~F", "INBOX:3 Sent:2");
  expect(fixture, "~N", "INBOX:3");
  expect(fixture, "~s report !~F", "INBOX:2 1");
  expect(fixture, "~f jo ~F", "INBOX:3 Sent:2");
  expect(fixture, "~z >1M", "");
  add(fixture, "Bin", 7, 8, 8, ML_FLAG_FLAGGED, "Old report");
  add(fixture, "branch/Spam", 7, 9, 9, ML_FLAG_FLAGGED, "Report now");
  expect(fixture, "report", "INBOX:2 1 Sent:2"); /* Trash and Junk are left out */
  expect(fixture, "~F", "INBOX:3 Sent:2");
  expect(fixture, "in:anywhere report", "INBOX:2 1 Sent:2 branch/Spam:9 Bin:8");
  expect(fixture, "report in:anywhere", "INBOX:2 1 Sent:2 branch/Spam:9 Bin:8");
  expect(fixture, "in:anywhere ~F", "INBOX:3 Sent:2 branch/Spam:9 Bin:8");
  expect(fixture, "~b budget", " ?4");
  g_autoptr(GBytes) text = g_bytes_new_static("Subject: Lunch\n\nthe budget\n", 27);
  g_assert_true(ml_store_put(fixture->store, "INBOX", 7, 3, 1, text, NULL));
  expect(fixture, "~b budget", "INBOX:3 ?3");
  expect(fixture, "~b budget ~F", "INBOX:3 ?1");
  expect(fixture, "budget", "INBOX:3");
}

/* Gone from the list, in a folder that was replaced, or with an index that does not know yet: what is in the list counts. */
static void
test_changing(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  gboolean more;
  begin(fixture, 7);
  add(fixture, "INBOX", 7, 1, 3, 0, "report");
  g_assert_true(ml_search_update(fixture->index, NULL, 50, NULL, NULL, NULL, NULL));
  g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(guint32));
  const guint32 two = 2;
  g_array_append_val(gone, two);
  const MlStoreStep vanished = { .uidvalidity = 7, .vanished = gone };
  apply(fixture, "INBOX", &vanished);
  g_autoptr(MlSavedRun) run = run_new(fixture, "report"), other = run_new(fixture, "~s report");
  g_autoptr(MlSavedFound) found = NULL;
  g_assert_true(ml_saved_run_on(run, G_MAXINT64, NULL, &found, &more, &error));
  g_assert_cmpuint(found->uidvalidity, ==, 7);
  g_assert_cmpuint(found->lines->len, ==, 2);
  g_assert_cmpuint(g_array_index(found->lines, MlLine, 0).uid, ==, 3);
  g_clear_pointer(&found, ml_saved_found_free);
  g_assert_true(ml_saved_run_on(other, 0, NULL, &found, &more, &error));
  g_assert_cmpuint(found->lines->len, ==, 2);
  g_assert_true(more);
  g_clear_pointer(&found, ml_saved_found_free);
  begin(fixture, 8);
  add(fixture, "INBOX", 8, 1, 3, 0, "another report");
  while (more) { /* of the folder that was there when it began, nothing more */
    g_assert_true(ml_saved_run_on(other, 0, NULL, &found, &more, &error));
    g_assert_null(found);
  }
}

static void
test_many(Fixture *fixture, gconstpointer data)
{
  enum { MANY = 1234 };
  begin(fixture, 7);
  add(fixture, "INBOX", 7, 1, MANY, 0, "report");
  static const char *const texts[] = { "report", "~s report", "~N" };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autofree char *found = find(fixture, texts[i], 0);
    g_auto(GStrv) words = g_strsplit(found + strlen("INBOX:"), " ", -1);
    g_assert_cmpuint(g_strv_length(words), ==, MANY);
    for (guint k = 0; k < MANY; k++)
      g_assert_cmpuint(g_ascii_strtoull(words[k], NULL, 10), ==, MANY - k);
  }
}

static void
test_cancelled(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  g_autoptr(MlSavedFound) found = NULL;
  gboolean more;
  begin(fixture, 7);
  add(fixture, "INBOX", 7, 1, 3, 0, "report");
  g_autoptr(MlSavedRun) run = run_new(fixture, "~s report");
  g_cancellable_cancel(cancellable);
  g_assert_false(ml_saved_run_on(run, G_MAXINT64, cancellable, &found, &more, &error));
  g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

#define TEST(name, func) g_test_add("/saved/" name, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ml_init();
  g_test_add_func("/saved/names", test_names);
  g_test_add_func("/saved/texts", test_texts);
  TEST("find", test_find);
  TEST("changing", test_changing);
  TEST("many", test_many);
  TEST("cancelled", test_cancelled);
  return g_test_run();
}
