#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/error.h"
#include "mail/journal.h"

/* The journal's lines and its file. That every use of a key passes it is tests/integration/journal.t's. */
static char *dir, *file;

static CryptoKeyUse
use_about(const char *about)
{
  return (CryptoKeyUse){ .act = CRYPTO_KEY_DECRYPT,
                         .certificate = "ab",
                         .key = "cd",
                         .name = "Anna",
                         .token = "database",
                         .about = about,
                         .number = 7 };
}

static void
test_line(void)
{
  const CryptoKeyUse use = use_about("<1@example.org>");
  g_autofree char *line = ml_journal_line(&use, "done", NULL, G_GINT64_CONSTANT(1763793000) * G_USEC_PER_SEC + 42);
  g_autofree char *want = g_strdup_printf(
      "{\"schema\":1,\"at\":\"2025-11-22T06:30:00.000042Z\",\"act\":\"decrypt\",\"result\":\"done\",\"certificate\":\"ab\","
      "\"key\":\"cd\",\"name\":\"Anna\",\"token\":\"database\",\"about\":\"<1@example.org>\",\"use\":\"%d-7\"}\n",
      (int)getpid());
  g_assert_cmpstr(line, ==, want);
}

/* Whatever a sender or a card calls things, there is one line, of printable ASCII, and nothing in it ends early. */
static void
test_forged(void)
{
  static const char *const evil[] = {
    "x\n{\"schema\":1,\"act\":\"sign\"}", "\",\"result\":\"done", "\\", "\\\"", "a\r\nb\tc\x01\x7f", "\xc2\x85\xe2\x80\xa8\xe2\x80\xae",
    "\xff\xfe broken", "\xf0\x9f\x94\x91", "\x1b[2J",
  };
  static const char *const written[] = {
    "x\\u000a{\\\"schema\\\":1,\\\"act\\\":\\\"sign\\\"}", "\\\",\\\"result\\\":\\\"done", "\\\\", "\\\\\\\"",
    "a\\u000d\\u000ab\\u0009c\\u0001\\u007f", "\\u0085\\u2028\\u202e", "\\ufffd\\ufffd broken", "\\ud83d\\udd11", "\\u001b[2J",
  };
  for (guint i = 0; i < G_N_ELEMENTS(evil); i++) {
    const CryptoKeyUse use = use_about(evil[i]);
    g_autofree char *line = ml_journal_line(&use, "done", NULL, 0);
    g_autofree char *want = g_strdup_printf("\"about\":\"%s\",\"use\":", written[i]);
    g_assert_nonnull(strstr(line, want));
    for (const char *p = line; *p; p++)
      g_assert_true((*p >= 0x20 && *p < 0x7f) || (*p == '\n' && !p[1]));
  }
  g_autofree char *much = g_strnfill(100000, 'x');
  const CryptoKeyUse use = use_about(much);
  g_autofree char *line = ml_journal_line(&use, "done", NULL, 0);
  g_assert_cmpuint(strlen(line), <, 2000);
}

static guint
lines(const char *result)
{
  g_autofree char *text = NULL, *want = g_strdup_printf("\"result\":\"%s\"", result);
  guint n = 0;
  if (!g_file_get_contents(file, &text, NULL, NULL))
    return 0;
  g_auto(GStrv) all = g_strsplit(text, "\n", -1);
  for (char **line = all; *line; line++)
    n += strstr(*line, want) != NULL;
  return n;
}

static void
test_modes(void)
{
  const CryptoKeyUse use = use_about(NULL);
  g_autoptr(GError) failed = g_error_new_literal(CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED, "It is damaged.");
  MlJournal *on = ml_journal_new(file, ML_JOURNAL_ON, NULL), *required = ml_journal_new(file, ML_JOURNAL_REQUIRED, NULL);
  struct stat about;
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_journal_watch.begin(&use, on, &error));
  g_assert_cmpuint(lines("begun"), ==, 0);
  g_assert_true(ml_journal_watch.end(&use, NULL, on, &error));
  g_assert_true(ml_journal_watch.end(&use, failed, on, &error));
  g_assert_cmpuint(lines("done"), ==, 1);
  g_assert_cmpuint(lines("failed"), ==, 1);
  g_assert_cmpint(stat(file, &about), ==, 0);
  g_assert_cmpuint(about.st_mode & 0777, ==, 0600);

  g_assert_true(ml_journal_watch.begin(&use, required, &error));
  g_assert_cmpuint(lines("begun"), ==, 1);
  g_assert_true(ml_journal_watch.end(&use, NULL, required, &error));
  g_assert_cmpuint(lines("done"), ==, 2);

  /* Rotated away between two lines: the next begins a new file. */
  g_autofree char *moved = g_strconcat(file, ".1", NULL);
  g_assert_cmpint(g_rename(file, moved), ==, 0);
  g_assert_true(ml_journal_watch.end(&use, NULL, on, &error));
  g_assert_cmpuint(lines("done"), ==, 1);
  g_assert_cmpuint(lines("failed"), ==, 0);

  /* Half a line, left by a full disk, is ended before ours. */
  g_assert_true(g_file_set_contents(file, "{\"schema\":1,\"at\":\"20", -1, NULL));
  g_assert_true(ml_journal_watch.end(&use, NULL, on, &error));
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  g_assert_nonnull(strstr(text, "\"20\n{\"schema\":1,"));
  g_assert_cmpint(g_unlink(moved), ==, 0);
  g_assert_cmpint(g_unlink(file), ==, 0);
  ml_journal_free(on);
  ml_journal_free(required);
}

/* What is in its place that is no file: nothing is written there, and nobody waits for it. */
static void
test_unwritable(void)
{
  const CryptoKeyUse use = use_about(NULL);
  for (guint kind = 0; kind < 3; kind++) {
    g_autoptr(GError) error = NULL, later = NULL, check = NULL;
    MlJournal *on = ml_journal_new(file, ML_JOURNAL_ON, NULL), *required = ml_journal_new(file, ML_JOURNAL_REQUIRED, "/etc/x:3");
    g_autofree char *target = g_build_filename(dir, "target", NULL);
    g_assert_cmpint(kind == 0 ? g_mkdir(file, 0700) : kind == 1 ? mkfifo(file, 0600) : symlink(target, file), ==, 0);
    g_assert_false(ml_journal_watch.begin(&use, required, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL);
    g_assert_nonnull(strstr(error->message, "The key was not used: policy at /etc/x:3"));
    g_assert_nonnull(strstr(error->message, file));
    g_assert_false(ml_journal_watch.end(&use, NULL, required, &later));
    g_assert_error(later, CRYPTO_ERROR, CRYPTO_ERROR_JOURNAL);
    g_assert_false(ml_journal_check(required, &check));
    g_test_expect_message("mail", G_LOG_LEVEL_MESSAGE, "*not in the journal*");
    g_assert_true(ml_journal_watch.begin(&use, on, NULL));
    g_assert_true(ml_journal_watch.end(&use, NULL, on, NULL));
    g_assert_true(ml_journal_watch.end(&use, NULL, on, NULL)); /* said once */
    g_test_assert_expected_messages();
    g_assert_false(g_file_test(target, G_FILE_TEST_EXISTS));
    g_assert_cmpint(g_remove(file), ==, 0);
    ml_journal_free(on);
    ml_journal_free(required);
  }
}

/* Eight threads, a hundred lines each: each whole. */
static gpointer
write_many(gpointer journal)
{
  const CryptoKeyUse use = use_about("<a-message-id-that-is-not-short@mail.example.org>");
  for (guint i = 0; i < 100; i++)
    g_assert_true(ml_journal_watch.end(&use, NULL, journal, NULL));
  return NULL;
}

static void
test_together(void)
{
  GThread *threads[8];
  MlJournal *journal = ml_journal_new(file, ML_JOURNAL_ON, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("writer", write_many, journal);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    g_thread_join(threads[i]);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  g_auto(GStrv) all = g_strsplit(text, "\n", -1);
  guint whole = 0;
  for (char **line = all; *line; line++)
    if (**line) {
      g_assert_true(g_str_has_prefix(*line, "{\"schema\":1,") && g_str_has_suffix(*line, "\"}"));
      whole++;
    }
  g_assert_cmpuint(whole, ==, 800);
  g_assert_cmpint(g_unlink(file), ==, 0);
  ml_journal_free(journal);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  dir = g_dir_make_tmp("signet-journal-XXXXXX", NULL);
  file = g_build_filename(dir, "journal", NULL);
  g_test_add_func("/journal/line", test_line);
  g_test_add_func("/journal/forged", test_forged);
  g_test_add_func("/journal/modes", test_modes);
  g_test_add_func("/journal/unwritable", test_unwritable);
  g_test_add_func("/journal/together", test_together);
  int result = g_test_run();
  g_rmdir(dir);
  g_free(file);
  g_free(dir);
  return result;
}
