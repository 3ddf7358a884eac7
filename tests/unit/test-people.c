/* What is remembered of who signed with what. Messages are read without a key: unsigned ones. */
#include <glib/gstdio.h>
#include <string.h>

#include "mail/people.h"

typedef struct {
  char *folder, *file;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  fixture->folder = g_dir_make_tmp("signet-people-XXXXXX", &error);
  g_assert_no_error(error);
  fixture->file = g_build_filename(fixture->folder, "data", "people.db", NULL);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  static const char *const ends[] = { "", "-wal", "-shm" };
  for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
    g_autofree char *file = g_strconcat(fixture->file, ends[i], NULL);
    g_unlink(file);
  }
  g_autofree char *data_folder = g_path_get_dirname(fixture->file);
  g_rmdir(data_folder);
  g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
  g_free(fixture->folder);
  g_free(fixture->file);
}

static MlPeople *
open_people(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  MlPeople *people = ml_people_open(fixture->file, &error);
  g_assert_no_error(error);
  return people;
}

static MlMessage *
read_message(const char *text)
{
  g_autoptr(GBytes) raw = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  const MlReadOptions options = { .at = 1000 };
  MlMessage *message = ml_message_read(raw, &options, NULL, &error);
  g_assert_no_error(error);
  return message;
}

static void
test_first_seen(Fixture *fixture, gconstpointer data)
{
  const char *text = "From: Anna <Anna@Example.org>\nMessage-ID: <1@x>\n\nhello\n";
  g_autoptr(MlMessage) message = read_message(text);
  g_autoptr(GBytes) raw = g_bytes_new_static(text, strlen(text)),
                    other = g_bytes_new_static(text, strlen(text) - 1);
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPeople) people = open_people(fixture);
  g_assert_cmpint(ml_people_first_seen(people, "1@x", raw), ==, 0);
  g_assert_cmpint(ml_people_note(people, message, "1@x", 100, &error), ==, 100);
  g_assert_cmpint(ml_people_note(people, message, "1@x", 200, &error), ==, 100); /* once */
  g_assert_no_error(error);
  /* the same number on other content is another message: nobody can put mail into the past by its Message-ID */
  g_assert_cmpint(ml_people_first_seen(people, "1@x", other), ==, 0);
  g_autoptr(MlPeople) second = open_people(fixture);
  g_assert_cmpint(ml_people_first_seen(second, "1@x", raw), ==, 100);
  g_autoptr(MlHistory) history = ml_people_history(second, "anna@example.ORG", NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(history->messages, ==, 1);
  g_assert_cmpuint(history->with_signature, ==, 0);
  g_assert_null(history->last_sha256);
  g_assert_false(history->known_cert);
  g_autoptr(MlHistory) before = ml_people_history(second, "anna@example.ORG", NULL, raw, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(before->messages, ==, 0); /* itself not counted */
}

/* To look does not make, and does not write. */
static void
test_to_read(Fixture *fixture, gconstpointer data)
{
  const char *text = "From: Anna <Anna@Example.org>\nMessage-ID: <1@x>\n\nhello\n";
  g_autoptr(MlMessage) message = read_message(text);
  g_autoptr(GBytes) raw = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  g_assert_null(ml_people_open_to_read(fixture->file, &error));
  g_assert_no_error(error);
  g_assert_false(g_file_test(fixture->file, G_FILE_TEST_EXISTS));
  g_autoptr(MlPeople) people = open_people(fixture);
  g_assert_cmpint(ml_people_note(people, message, "1@x", 100, &error), ==, 100);
  g_autoptr(MlPeople) looking = ml_people_open_to_read(fixture->file, &error);
  g_assert_no_error(error);
  g_assert_cmpint(ml_people_first_seen(looking, "1@x", raw), ==, 100);
  g_assert_cmpint(ml_people_note(looking, message, "2@x", 100, &error), ==, 0);
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
}

static void
test_accept(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPeople) people = open_people(fixture);
  g_assert_true(ml_people_accept(people, "Anna@Example.org", "aa", "1@x", 1, &error));
  g_assert_true(ml_people_accept(people, "anna@example.org", "bb", NULL, 2, &error));
  g_assert_true(ml_people_accept(people, "anna@example.org", "aa", NULL, 3, &error));
  g_assert_no_error(error);
  g_autoptr(GPtrArray) certs = ml_people_accepted(people, "anna@example.org", &error);
  g_assert_cmpuint(certs->len, ==, 2);
  g_assert_cmpstr(certs->pdata[0], ==, "bb"); /* the newest first */
  g_assert_false(ml_people_accept(people, "nobody", "aa", NULL, 1, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_autoptr(GPtrArray) none = ml_people_accepted(people, "o'brien@example.org", NULL);
  g_assert_cmpuint(none->len, ==, 0);
  g_assert_null(ml_people_capabilities(people, "anna@example.org"));
}

static void
test_accepted_all(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPeople) people = open_people(fixture);
  g_assert_true(ml_people_accept(people, "anna@example.org", "aa", "file a.pem", 1, &error));
  g_assert_true(ml_people_accept(people, "carl@example.org", "bb", NULL, 2, &error));
  g_autoptr(GPtrArray) all = ml_people_accepted_all(people, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(all->len, ==, 2);
  const MlAccepted *newest = all->pdata[0], *older = all->pdata[1];
  g_assert_cmpstr(newest->address, ==, "carl@example.org");
  g_assert_cmpstr(newest->source, ==, "");
  g_assert_cmpstr(older->sha256, ==, "aa");
  g_assert_cmpstr(older->source, ==, "file a.pem");
  g_assert_cmpint(older->at, ==, 1);
  g_assert_true(ml_people_forget(people, "Anna@example.org", "aa", &error));
  g_assert_no_error(error);
  g_autoptr(GPtrArray) left = ml_people_accepted_all(people, &error);
  g_assert_cmpuint(left->len, ==, 1);
  g_assert_true(ml_people_unaccept(people, "Carl@example.org", "bb", &error));
  g_autoptr(GPtrArray) nothing = ml_people_accepted_all(people, &error);
  g_assert_cmpuint(nothing->len, ==, 0);
  g_assert_true(ml_people_accept(people, "anna@example.org", "cc", NULL, 3, &error));
  g_assert_true(ml_people_accept(people, "carl@example.org", "cc", NULL, 4, &error));
  g_assert_true(ml_people_accept(people, "carl@example.org", "dd", NULL, 5, &error));
  g_assert_true(ml_people_unaccept(people, NULL, "cc", &error)); /* whomever for */
  g_autoptr(GPtrArray) other = ml_people_accepted_all(people, &error);
  g_assert_cmpuint(other->len, ==, 1);
  g_assert_cmpstr(((MlAccepted *)other->pdata[0])->sha256, ==, "dd");
  g_assert_false(ml_people_forget(people, "nobody", "aa", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
}

static void
test_is_current(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPeople) people = open_people(fixture);
  g_autoptr(MlMessage) message = read_message("From: Anna <anna@example.org>\nMessage-ID: <1@x>\n\nhello\n");
  g_assert_false(ml_people_is_current(people, "anna@example.org", 0));
  g_assert_cmpint(ml_people_note(people, message, "1@x", 100, &error), ==, 100);
  g_assert_true(ml_people_is_current(people, "Anna@Example.org", 100));
  g_assert_false(ml_people_is_current(people, "anna@example.org", 101));
  g_assert_false(ml_people_is_current(people, "carl@example.org", 0));
  g_assert_false(ml_people_is_current(people, "nobody", 0));
}

static void
test_not_a_database(Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_path_get_dirname(fixture->file);
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
  g_assert_true(
      g_file_set_contents(fixture->file, "this is no database at all, but long enough to look at", -1, NULL));
  g_assert_null(ml_people_open(fixture->file, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add("/people/first-seen", Fixture, NULL, set_up, test_first_seen, tear_down);
  g_test_add("/people/to-read", Fixture, NULL, set_up, test_to_read, tear_down);
  g_test_add("/people/accept", Fixture, NULL, set_up, test_accept, tear_down);
  g_test_add("/people/accepted-all", Fixture, NULL, set_up, test_accepted_all, tear_down);
  g_test_add("/people/is-current", Fixture, NULL, set_up, test_is_current, tear_down);
  g_test_add("/people/not-a-database", Fixture, NULL, set_up, test_not_a_database, tear_down);
  return g_test_run();
}
