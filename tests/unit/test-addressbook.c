/* Addresses are remembered by use, and found as they are typed. */
#include <string.h>

#include "mail/addressbook.h"
#include "tests/unit/pki.h"

enum { NOW = 1763776800, DAY = 86400 };

typedef struct {
  char *folder, *db, *file;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
  fixture->folder = pki_folder();
  fixture->db = g_build_filename(fixture->folder, "people.db", NULL);
  fixture->file = g_build_filename(fixture->folder, "book", NULL);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  tree_remove(fixture->folder);
  g_free(fixture->folder);
  g_free(fixture->db);
  g_free(fixture->file);
}

static MlPeople *
open_people(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  MlPeople *people = ml_people_open(fixture->db, &error);
  g_assert_no_error(error);
  return people;
}

static MlAddressbook *
open_book(MlPeople *people, const char *file)
{
  g_autoptr(GError) error = NULL;
  MlAddressbook *book = ml_addressbook_open(people, file, &error);
  g_assert_no_error(error);
  return book;
}

static void
sent(MlPeople *people, const char *to, gint64 when)
{
  const MlAccount account = { .name = (char *)"x", .address = (char *)"me@example.org" };
  g_autoptr(MlDraft) draft = ml_draft_new(&account);
  g_free(draft->to);
  draft->to = g_strdup(to);
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_addressbook_note_sent(people, draft, when, &error));
  g_assert_no_error(error);
}

static void
seen(MlPeople *people, const char *header, gint64 when)
{
  g_autofree char *text = g_strconcat(header, "\n\nx\n", NULL);
  g_autoptr(GBytes) raw = g_bytes_new(text, strlen(text));
  const MlReadOptions how = { .at = NOW };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlMessage) message = ml_message_read(raw, &how, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(ml_addressbook_note_seen(people, message, when, &error));
  g_assert_no_error(error);
}

static void
assert_found(const MlAddressbook *book, const char *typed, ...)
{
  g_autoptr(GPtrArray) found = ml_addressbook_complete(book, typed, 10, NOW);
  va_list wanted;
  va_start(wanted, typed);
  const char *display;
  guint count = 0;
  while ((display = va_arg(wanted, const char *))) {
    g_assert_cmpuint(count, <, found->len);
    g_assert_cmpstr(((MlSuggestion *)found->pdata[count++])->display, ==, display);
  }
  va_end(wanted);
  g_assert_cmpuint(found->len, ==, count);
}

static void
test_use(Fixture *fixture, gconstpointer data)
{
  {
    g_autoptr(MlPeople) people = open_people(fixture);
    for (guint i = 0; i < 5; i++)
      seen(people, "From: Anna Read <anna.read@x.example>\nTo: me@example.org, Dora <dora@x.example>",
           NOW - DAY);
    sent(people, "Anna Sent <anna.sent@x.example>", NOW - DAY);
    sent(people, "Anna Old <anna.old@x.example>", NOW - 3000 * (gint64)DAY);
    sent(people, "J\303\274rgen M\303\274ller <jm@x.example>", NOW - DAY);
  }
  g_autoptr(MlPeople) people = open_people(fixture);
  g_autoptr(MlAddressbook) book = open_book(people, NULL);
  assert_found(book, "anna", "Anna Sent <anna.sent@x.example>", "Anna Read <anna.read@x.example>",
               "Anna Old <anna.old@x.example>", NULL);
  assert_found(book, "ANNA re", "Anna Read <anna.read@x.example>", NULL);
  assert_found(book, "muller", "J\303\274rgen M\303\274ller <jm@x.example>", NULL);
  assert_found(book, "M\303\234LL", "J\303\274rgen M\303\274ller <jm@x.example>", NULL);
  assert_found(book, "ora", "Dora <dora@x.example>", NULL); /* anywhere */
  assert_found(book, "nobody", NULL);
  g_autoptr(GPtrArray) all = ml_addressbook_complete(book, "", 2, NOW);
  g_assert_cmpuint(all->len, ==, 2);
}

static void
test_names(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlPeople) people = open_people(fixture);
  seen(people, "From: \"boss@corp.example\" <evil@e.example>", NOW);
  seen(people, "From: First <a@x.example>", NOW);
  seen(people, "From: Second <A@X.example>", NOW);
  sent(people, "Bobby <bob@x.example>", NOW);
  seen(people, "From: The Great Bob <bob@x.example>", NOW);
  seen(people, "From: =?utf-8?q?x=0Ay?= <n@x.example>", NOW);
  g_autoptr(MlAddressbook) book = open_book(people, NULL);
  assert_found(book, "boss", NULL);
  assert_found(book, "evil", "evil@e.example", NULL);
  assert_found(book, "a@x", "Second <a@x.example>", NULL);
  assert_found(book, "bob", "Bobby <bob@x.example>", NULL);
  g_assert_cmpuint(ml_addressbook_size(book), ==, 4);
}

static void
test_file(Fixture *fixture, gconstpointer data)
{
  static const char text[] = "# mine\n"
                             "Carl Weber <carl@y.example>\n"
                             "plain@y.example\n"
                             "alias -group team bw Bob Weber <bob@y.example> # at work\n"
                             "alias team a@y.example, \\\n  Bea <b@y.example>\n"
                             "no address at all\n"
                             "BEGIN:VCARD\r\nVERSION:3.0\r\nEMAIL;TYPE=\"a:b\",work:vera@y.example\r\n"
                             "FN:Vera\\, Gr\303\274n\r\n lich\r\nitem1.EMAIL:vera@z.example\r\nEND:VCARD\r\n";
  g_assert_true(g_file_set_contents(fixture->file, text, -1, NULL));
  g_autoptr(MlPeople) people = open_people(fixture);
  sent(people, "carl@y.example", NOW);
  g_autoptr(MlAddressbook) book = open_book(people, fixture->file);
  g_assert_cmpuint(ml_addressbook_skipped(book), ==, 1);
  assert_found(book, "carl", "Carl Weber <carl@y.example>", NULL);
  assert_found(book, "weber", "Carl Weber <carl@y.example>", "Bob Weber <bob@y.example>", NULL);
  assert_found(book, "bw", "Bob Weber <bob@y.example>", NULL);
  assert_found(book, "team", "a@y.example, Bea <b@y.example>", NULL);
  assert_found(book, "grunlich", "\"Vera, Gr\303\274nlich\" <vera@y.example>",
               "\"Vera, Gr\303\274nlich\" <vera@z.example>", NULL);
  g_autoptr(GError) error = NULL;
  g_assert_null(ml_addressbook_open(NULL, "/nonexistent/book", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
}

/* A people.db of the version before keeps what it had and gains the table. */
static void
test_migration(Fixture *fixture, gconstpointer data)
{
  {
    g_autoptr(MlPeople) people = open_people(fixture);
    g_autoptr(GError) error = NULL;
    g_assert_true(ml_people_accept(people, "a@x.example", "AB", "file", NOW, &error));
  }
  pki_run(fixture->folder, "python3", "-c",
          "import sqlite3; d = sqlite3.connect('people.db'); d.execute('DROP TABLE addresses');"
          "d.execute('PRAGMA user_version=2'); d.commit()");
  g_autoptr(MlPeople) people = open_people(fixture);
  g_autoptr(GPtrArray) accepted = ml_people_accepted(people, "a@x.example", NULL);
  g_assert_cmpuint(accepted->len, ==, 1);
  sent(people, "b@x.example", NOW);
  g_autoptr(MlAddressbook) book = open_book(people, NULL);
  g_assert_cmpuint(ml_addressbook_size(book), ==, 1);
}

/* Of 50,000: the right ones. How long it takes is said, not asserted. */
static void
test_many(Fixture *fixture, gconstpointer data)
{
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < 50000; i++)
    g_string_append_printf(text, "Person %u Name <person.%u@host%u.example>\n", i, i, i % 100);
  g_assert_true(g_file_set_contents(fixture->file, text->str, (gssize)text->len, NULL));
  g_string_free(text, TRUE);
  g_autoptr(MlAddressbook) book = open_book(NULL, fixture->file);
  g_assert_cmpuint(ml_addressbook_size(book), ==, 50000);
  static const char *const typed[] = { "person.4711@", "name", "", "zzz", "host7 person 1" };
  static const guint count[] = { 1, 10, 10, 0, 10 };
  for (gsize i = 0; i < G_N_ELEMENTS(typed); i++) {
    gint64 from = g_get_monotonic_time();
    g_autoptr(GPtrArray) found = ml_addressbook_complete(book, typed[i], 10, NOW);
    g_test_message("\"%s\": %.2f ms", typed[i], (double)(g_get_monotonic_time() - from) / 1000);
    g_assert_cmpuint(found->len, ==, count[i]);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/addressbook/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("use", test_use);
  ADD("names", test_names);
  ADD("file", test_file);
  ADD("migration", test_migration);
  ADD("many", test_many);
  return g_test_run();
}
