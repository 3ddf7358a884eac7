/* The words of mail: how text is cut into them, what a person may type, and the index that finds them again. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "mail/init.h"
#include "mail/search.h"

/* ---- words */

static gboolean
append(const MlWord *word, gpointer data)
{
  g_string_append_printf(data, "%s%.*s", ((GString *)data)->len ? " " : "", (int)word->length, word->word);
  return TRUE;
}

static void
expect_words(const char *text, const char *expected)
{
  g_autoptr(GString) words = g_string_new(NULL);
  g_assert_true(ml_words_each(text, strlen(text), append, words));
  g_assert_cmpstr(words->str, ==, expected);
}

static void
test_words(void)
{
  expect_words("The Report, 2nd; anna@example.org", "the report 2nd anna example org");
  expect_words("M\303\274ller MU\314\210LLER Stra\303\237e S\303\270ren \305\201\303\263d\305\272 \303\206sop",
               "muller muller strasse soren lodz aesop");
  expect_words("\316\237\316\224\316\237\316\243 \316\277\316\264\316\277\317\202",
               "\316\277\316\264\316\277\317\203 \316\277\316\264\316\277\317\203"); /* the final sigma */
  expect_words("co\302\255operate", "cooperate"); /* a soft hyphen */
  expect_words("\357\274\241\357\274\242\357\274\221", "ab1"); /* full width */
  expect_words("\330\247\331\204\330\263\331\216\331\204\330\247\331\205", "\330\247\331\204\330\263\331\204\330\247\331\205");
  expect_words("", "");
  expect_words("... !?", "");
  expect_words("a\377b\300\200c", "a b c"); /* no UTF-8 */
  /* kai gi shitsu: the pairs, and the last alone */
  expect_words("\344\274\232\350\255\260\345\256\244", "\344\274\232\350\255\260 \350\255\260\345\256\244 \345\256\244");
  expect_words("\344\274\232", "\344\274\232");
  /* half-width ka with its mark is ga, as one letter of katakana */
  expect_words("\357\275\266\357\276\236\357\275\275", "\343\202\254\343\202\271 \343\202\271");
  /* a word beside it is its own */
  expect_words("PDF\344\274\232\350\255\260ok", "pdf \344\274\232\350\255\260 \350\255\260 ok");
  /* Korean, composed and in parts */
  expect_words("\355\232\214\354\235\230", "\355\232\214\354\235\230 \354\235\230");
  expect_words("\341\204\222\341\205\254\341\204\213\341\205\264", "\355\232\214\354\235\230 \354\235\230");
}

static gboolean
count(const MlWord *word, gpointer data)
{
  g_assert_cmpuint(word->length, <=, ML_WORD_LENGTH);
  g_assert_true(g_utf8_validate(word->word, (gssize)word->length, NULL));
  ++*(guint *)data;
  return TRUE;
}

static void
test_words_limits(void)
{
  guint n = 0;
  g_autofree char *wide = g_strnfill(100000, 'x');
  ml_words_each(wide, 100000, count, &n);
  g_assert_cmpuint(n, ==, 1);
  g_autoptr(GString) marks = g_string_new("e");
  for (guint i = 0; i < 10000; i++)
    g_string_append(marks, "\303\244\314\201\344\274\232\343\202\231");
  n = 0;
  ml_words_each(marks->str, marks->len, count, &n);
  g_assert_cmpuint(n, >=, 10000);
}

/* ---- what a person types */

static char *
describe(const char *typed, gboolean typing)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlQuery) query = ml_query_parse(typed, typing, &error);
  GString *words = g_string_new(NULL);
  g_assert_true((query != NULL) == (error == NULL));
  for (guint i = 0; query && i < query->terms->len; i++) {
    const MlQueryTerm *term = query->terms->pdata[i];
    g_string_append_printf(words, "%s%s", i ? "|" : "", term->negated ? "-" : "");
    if (term->fields != ML_QUERY_ALL)
      g_string_append_printf(words, "%u:", term->fields);
    for (guint k = 0; k < term->words->len; k++)
      g_string_append_printf(words, "%s%s", k ? " " : "", (const char *)term->words->pdata[k]);
    g_string_append(words, term->prefix ? "*" : "");
  }
  return g_string_free(words, FALSE);
}

static void
expect_query(const char *typed, const char *expected)
{
  g_autofree char *words = describe(typed, FALSE);
  g_assert_cmpstr(words, ==, expected);
}

static void
test_query(void)
{
  expect_query("Anna  report", "anna|report");
  expect_query("\"annual report\" -draft budg*", "annual report|-draft|budg*");
  expect_query("\342\200\234annual report\342\200\235 x", "annual report|x");
  expect_query("from:Anna SUBJECT:\"to do\"* to:b -body:c", "1:anna|4:to do*|2:b|-8:c");
  expect_query("anna@example.org", "anna example org");
  expect_query("\"never closed", "never closed");
  expect_query("\344\274\232\350\255\260", "\344\274\232\350\255\260"); /* it may go on */
  expect_query("\344\274\232", "\344\274\232*");
  expect_query("", "");
  expect_query("-only -not", "");
  expect_query("!!! \"\" - *", "");
  expect_query("anna In:Anywhere report", "anna|report"); /* says where, and is no word */
  expect_query("in:anywhere", "");
  expect_query("in:anywhere* in:trash", "in anywhere*|in trash");
  g_autofree char *typing = describe("annual re", TRUE), *done = describe("annual re ", TRUE);
  g_autofree char *quoted = describe("\"annual re", TRUE), *one = describe("a", TRUE);
  g_assert_cmpstr(typing, ==, "annual|re*");
  g_assert_cmpstr(done, ==, "annual|re");
  g_assert_cmpstr(quoted, ==, "annual re*");
  g_assert_cmpstr(one, ==, "a");
}

static void
test_fits(void)
{
  g_autoptr(MlQuery) query = ml_query_parse("muller \"annual report\" -draft", FALSE, NULL);
  MlQueryText text = { .from = "Jo M\303\274ller", .subject = "hello", .body = "see the Annual\nreport, please" };
  g_assert_true(ml_query_fits(query, &text));
  gsize start, end;
  g_autofree char *around = ml_query_snippet(query, text.body, &start, &end);
  g_assert_cmpstr(around, ==, "see the Annual report, please");
  g_assert_cmpuint(start, ==, 8);
  g_assert_cmpuint(end, ==, 21);
  text.cc = "a draft";
  g_assert_false(ml_query_fits(query, &text));
  text.cc = NULL;
  text.body = "report annual";
  g_assert_false(ml_query_fits(query, &text));
  g_autofree char *nothing = ml_query_snippet(query, text.body, &start, &end);
  g_assert_cmpstr(nothing, ==, "");
}

/* ---- the index */

typedef struct {
  char *folder;
  MlAccount account;
  MlStore *store;
  MlStoreSearch *search;
} Fixture;

static void
open_index(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  fixture->store = ml_store_open(fixture->folder, &fixture->account, &error);
  g_assert_no_error(error);
  fixture->search = ml_store_search_open(fixture->store, &error);
  g_assert_no_error(error);
}

static void
close_index(Fixture *fixture)
{
  g_clear_pointer(&fixture->search, ml_store_search_free);
  g_clear_pointer(&fixture->store, ml_store_free);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp("signet-search-XXXXXX", NULL);
  fixture->account = (MlAccount){ .name = (char *)"work", .kind = ML_ACCOUNT_IMAP,
                                  .imap = { .host = (char *)"mail.example.org", .user = (char *)"anna", .port = 993 } };
  open_index(fixture);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  close_index(fixture);
  g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *file = g_build_filename(fixture->folder, name, NULL);
    g_unlink(file);
  }
  g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
  g_free(fixture->folder);
}

static void
apply(Fixture *fixture, const char *folder, MlStoreStep *step)
{
  g_autoptr(GError) error = NULL;
  step->uidvalidity = 7;
  gboolean ok = ml_store_apply(fixture->store, folder, step, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static void
begin_folder(Fixture *fixture, const char *folder)
{
  const MlSyncPoint point = { 7, 1, 0 };
  MlStoreStep step = { .reset = TRUE, .point = &point };
  apply(fixture, folder, &step);
}

static void
add(Fixture *fixture, const char *folder, guint32 uid, const char *subject)
{
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  g_autofree char *block = g_strdup_printf("From: Jo M\303\274ller <jo@example.org>\nTo: anna@example.org\nSubject: %s\n\n",
                                           subject);
  MlHeader *header = ml_header_parse(block, strlen(block));
  header->uid = uid;
  header->date = 1000 + uid;
  g_ptr_array_add(headers, header);
  MlStoreStep step = { .headers = headers };
  apply(fixture, folder, &step);
}

static void
remove_one(Fixture *fixture, const char *folder, guint32 uid)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof uid);
  g_array_append_val(uids, uid);
  MlStoreStep step = { .vanished = uids };
  apply(fixture, folder, &step);
}

static void
put(Fixture *fixture, const char *folder, guint32 uid, const char *message)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = g_bytes_new_static(message, strlen(message));
  gboolean ok = ml_store_put(fixture->store, folder, 7, uid, 1, bytes, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static void
update(Fixture *fixture)
{
  g_autoptr(GError) error = NULL;
  gboolean ok = ml_search_update(fixture->search, NULL, 50, NULL, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

/* The numbers that are found, as words, in the order in which they come. */
static char *
find(Fixture *fixture, const char *words, const MlFindOptions *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlQuery) query = ml_query_parse(words, FALSE, &error);
  g_assert_no_error(error);
  guint total;
  g_autoptr(GPtrArray) found = ml_store_search_find(fixture->search, query, options, &total, &error);
  g_assert_no_error(error);
  GString *uids = g_string_new(NULL);
  for (guint i = 0; i < found->len; i++)
    g_string_append_printf(uids, "%s%u", i ? " " : "", ((const MlFound *)found->pdata[i])->header->uid);
  return g_string_free(uids, FALSE);
}

static void
expect(Fixture *fixture, const char *words, const char *expected)
{
  g_autofree char *found = find(fixture, words, &(MlFindOptions){ NULL });
  g_assert_cmpstr(found, ==, expected);
}

/* Searches over all folders leave Trash and Junk out, and what lies below them. */
static void
test_aside(Fixture *fixture, gconstpointer data)
{
  static const MlFolder all[] = { { (char *)"INBOX", ML_ROLE_INBOX, TRUE, -1, -1 }, { (char *)"Bin", ML_ROLE_TRASH, TRUE, -1, -1 },
                                  { (char *)"Bin/2020", ML_ROLE_NONE, TRUE, -1, -1 }, { (char *)"Binder", ML_ROLE_NONE, TRUE, -1, -1 },
                                  { (char *)"Spam", ML_ROLE_JUNK, TRUE, -1, -1 } };
  g_autoptr(GPtrArray) folders = g_ptr_array_new();
  for (guint i = 0; i < G_N_ELEMENTS(all); i++)
    g_ptr_array_add(folders, (gpointer)&all[i]);
  g_assert_true(ml_store_set_folders(fixture->store, folders, NULL));
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    begin_folder(fixture, all[i].name);
    add(fixture, all[i].name, i + 1, "Annual report");
  }
  update(fixture);
  guint aside = 0;
  g_autofree char *found = find(fixture, "report", &(MlFindOptions){ .aside = &aside });
  g_assert_cmpstr(found, ==, "4 1");
  g_assert_cmpuint(aside, ==, 3);
  g_autofree char *anywhere = find(fixture, "report in:anywhere", &(MlFindOptions){ .aside = &aside });
  g_assert_cmpstr(anywhere, ==, "5 4 3 2 1");
  g_assert_cmpuint(aside, ==, 0);
  g_autofree char *named = find(fixture, "report", &(MlFindOptions){ .folder = "Bin" });
  g_assert_cmpstr(named, ==, "2");
}

static void
test_find(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX");
  begin_folder(fixture, "Sent");
  add(fixture, "INBOX", 1, "Annual report");
  add(fixture, "INBOX", 2, "Lunch");
  add(fixture, "Sent", 3, "Re: Annual report");
  update(fixture);
  expect(fixture, "report", "3 1");
  expect(fixture, "muller", "3 2 1");
  expect(fixture, "lunch -report", "2");
  expect(fixture, "subject:muller", "");
  expect(fixture, "from:m\303\274ller lunch", "2");
  expect(fixture, "repo", "");
  expect(fixture, "repo*", "3 1");
  expect(fixture, "\"report annual\"", "");
  g_autofree char *sent = find(fixture, "report", &(MlFindOptions){ .folder = "Sent" });
  g_assert_cmpstr(sent, ==, "3");
  g_autofree char *first = find(fixture, "report", &(MlFindOptions){ .limit = 1 });
  g_assert_cmpstr(first, ==, "3");
  put(fixture, "INBOX", 2, "From: x@y\nSubject: Lunch\n\nThe quetzalcoatlus flew in Jun\303\255.\n");
  expect(fixture, "quetzalcoatlus", "");
  update(fixture);
  expect(fixture, "quetzalcoatlus junI", "2");
  expect(fixture, "lunch", "2"); /* once, though it was looked at twice */
  put(fixture, "INBOX", 1,
      "From: x@y\nContent-Type: text/html\n\n<p>a <b>report</b> report report on <i>lunch</i><style>hidden{}</style>\n");
  update(fixture);
  g_autofree char *best = find(fixture, "lunch", &(MlFindOptions){ .by_rank = TRUE });
  g_assert_cmpstr(best, ==, "2 1"); /* the subject counts for more */
  expect(fixture, "hidden", "");
  MlSearchState state;
  g_assert_true(ml_store_search_state(fixture->search, &state, NULL));
  g_assert_cmpuint(state.messages, ==, 3);
  g_assert_cmpuint(state.indexed, ==, 3);
  g_assert_cmpuint(state.bodies, ==, 2);
  g_assert_cmpuint(state.waiting, ==, 0);
  g_autoptr(MlQuery) query = ml_query_parse("report", FALSE, NULL);
  gboolean complete;
  g_autoptr(GArray) uids = ml_store_search_uids(fixture->search, query, "INBOX", &complete, NULL);
  g_assert_cmpuint(uids->len, ==, 1);
  g_assert_cmpuint(g_array_index(uids, guint32, 0), ==, 1);
  g_assert_true(complete);
}

static void
test_languages(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "x");
  add(fixture, "INBOX", 2, "x");
  add(fixture, "INBOX", 3, "x");
  /* "the meeting room in Tokyo"; Thai "there is a meeting today"; Chinese written in GB 2312 */
  put(fixture, "INBOX", 1, "Content-Type: text/plain; charset=utf-8\n\n"
                           "\346\235\261\344\272\254\343\201\256\344\274\232\350\255\260\345\256\244\343\201\247\n");
  put(fixture, "INBOX", 2, "Content-Type: text/plain; charset=utf-8\n\n"
                           "\340\270\247\340\270\261\340\270\231\340\270\231\340\270\265\340\271\211\340\270\241\340\270\265"
                           "\340\270\233\340\270\243\340\270\260\340\270\212\340\270\270\340\270\241\n");
  put(fixture, "INBOX", 3, "Content-Type: text/plain; charset=gb2312\n\n\273\341\322\351\n");
  update(fixture);
  expect(fixture, "\344\274\232\350\255\260", "1");
  expect(fixture, "\346\235\261\344\272\254", "1");
  expect(fixture, "\344\274\232", "3 1"); /* one character is the beginning of a pair */
  expect(fixture, "\345\256\244", "1");
  expect(fixture, "\350\255\260\344\274\232", ""); /* the other way round */
  expect(fixture, "\340\270\233\340\270\243\340\270\260\340\270\212\340\270\270\340\270\241", "2");
  expect(fixture, "\344\274\232\350\256\256", "3"); /* as it is written in China */
  expect(fixture, "\344\274\232\350\256\256 -x", "");
  expect(fixture, "\344\274\232\350\255\260 x", "1");
}

/* Nothing that is typed reaches FTS5 or SQL as its own language. */
static void
test_hostile(Fixture *fixture, gconstpointer data)
{
  static const char *const typed[] = {
    "\"",      "NEAR(a b)",   "a AND",       "NOT",        "^a",           "a:b",       "{sender} : x",  "a OR b",
    "x*y*",    "((((",        "') OR 1=1",   "\\",         "--",           "a\nb",      "sender:a",      "- - -",
    "\"a\"\"b\"", "*",        "from:",       "from:\"",    "-from:-to:*",  "t1",        "rank",          "a\001b",
    "NEAR/3",  "+a",          "\"a\" + \"b\"", "\xff\xfe", "\xc0\x80",     "\342\200\235\342\200\234", "x -\"",
  };
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "a b AND NOT near");
  update(fixture);
  for (guint i = 0; i < G_N_ELEMENTS(typed); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlQuery) query = ml_query_parse(typed[i], i % 2, &error);
    guint total;
    if (!query)
      continue;
    g_autoptr(GPtrArray) found =
        ml_store_search_find(fixture->search, query, &(MlFindOptions){ .by_rank = i % 3 == 0 }, &total, &error);
    g_assert_no_error(error);
    g_assert_nonnull(found);
  }
  expect(fixture, "a AND b", "1"); /* a word like any other */
  expect(fixture, "a OR b", "");
  g_autofree char *huge = g_strnfill(1024 * 1024, 'a');
  g_autoptr(GError) error = NULL;
  g_assert_null(ml_query_parse(huge, FALSE, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_clear_error(&error);
  g_autoptr(GString) many = g_string_new(NULL);
  for (guint i = 0; i < 200; i++)
    g_string_append(many, "\"a b\" ");
  g_assert_null(ml_query_parse(many->str, FALSE, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
}

static void
test_removed(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX");
  for (guint32 uid = 1; uid <= 120; uid++)
    add(fixture, "INBOX", uid, "word");
  update(fixture);
  for (guint32 uid = 1; uid <= 118; uid++)
    remove_one(fixture, "INBOX", uid);
  expect(fixture, "word", "120 119"); /* before it is looked at, too */
  update(fixture);
  expect(fixture, "word", "120 119");
  /* A folder that was replaced: the same number, another message. */
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 119, "other");
  update(fixture);
  expect(fixture, "word", "");
  expect(fixture, "other", "119");
}

/* A message that comes while the index is being written is not forgotten. */
static void
test_meanwhile(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "one");
  g_autoptr(GPtrArray) touched = ml_store_search_next(fixture->search, 10, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(touched->len, ==, 1);
  put(fixture, "INBOX", 1, "Subject: one\n\nthe text\n");
  g_assert_true(ml_store_search_put(fixture->search, touched->pdata[0], NULL, &error));
  g_assert_true(ml_store_search_end(fixture->search, touched, FALSE, TRUE, &error));
  update(fixture);
  expect(fixture, "text", "1");
}

static void
damage(const char *path)
{
  int fd = open(path, O_RDWR);
  g_autofree char *noise = g_strnfill(64 * 1024, 'Z');
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(pwrite(fd, noise, 64 * 1024, 0), ==, 64 * 1024);
  close(fd);
}

static void
test_damaged(Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename(fixture->folder, "work.search", NULL);
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "found");
  update(fixture);
  close_index(fixture);
  damage(path);
  open_index(fixture);
  update(fixture);
  expect(fixture, "found", "1");
  /* Another signet begins the lists anew while this one has the index open. */
  g_autofree char *gone = g_build_filename(fixture->folder, "work.db", NULL);
  g_unlink(gone);
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "fresh");
  update(fixture);
  expect(fixture, "fresh", "1");
  expect(fixture, "found", "");
  /* The lists are begun anew: what the index knows is of others. */
  close_index(fixture);
  g_autofree char *lists = g_build_filename(fixture->folder, "work.db", NULL);
  g_unlink(lists);
  open_index(fixture);
  expect(fixture, "found", "");
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "again");
  update(fixture);
  expect(fixture, "again", "1");
  expect(fixture, "fresh", "");
}

static void
test_two_handles(Fixture *fixture, gconstpointer data)
{
  Fixture other = *fixture;
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "first");
  update(fixture);
  open_index(&other);
  add(fixture, "INBOX", 2, "second");
  update(&other);
  expect(fixture, "second", "2");
  g_autoptr(GError) error = NULL;
  g_autoptr(MlStoreSearch) reader = ml_store_search_open_to_read(other.store, &error);
  g_assert_no_error(error);
  g_assert_nonnull(reader);
  close_index(&other);
}

static int
number(const char *path, const char *sql)
{
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  g_assert_cmpint(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), ==, SQLITE_OK);
  g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
  g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
  int value = sqlite3_column_int(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return value;
}

/* More than a part holds; most of it goes; what lives is written again, and the rest found as before. */
static void
test_parts(Fixture *fixture, gconstpointer data)
{
  enum { MESSAGES = 170 };
  begin_folder(fixture, "INBOX");
  for (guint32 uid = 1; uid <= MESSAGES; uid++) {
    g_autoptr(GString) text = g_string_new("Subject: big\n\n");
    g_string_append_printf(text, "number%u\n", uid);
    while (text->len < ML_SEARCH_TEXT)
      g_string_append_printf(text, "word%u some more words of no great interest in this line\n", (guint)text->len % 97);
    add(fixture, "INBOX", uid, "big");
    put(fixture, "INBOX", uid, text->str);
  }
  update(fixture);
  g_autofree char *path = g_build_filename(fixture->folder, "work.search", NULL);
  expect(fixture, "number3", "3");
  g_assert_cmpint(number(path, "SELECT count(*) FROM part"), ==, 2);
  int first = number(path, "SELECT min(id) FROM part");
  for (guint32 uid = 70; uid <= MESSAGES; uid++)
    remove_one(fixture, "INBOX", uid);
  update(fixture);
  expect(fixture, "number3", "3");
  expect(fixture, "number69", "69"); /* out of a part that was written again */
  expect(fixture, "number70", "");
  /* What was mostly dead is dropped, with its table. */
  g_assert_cmpint(number(path, "SELECT min(id) FROM part"), >, first);
  g_assert_cmpint(number(path, "SELECT count(*) FROM sqlite_master WHERE name = 't1'"), ==, 0);
  g_autofree char *all = find(fixture, "big", &(MlFindOptions){ .limit = 3 });
  g_assert_cmpstr(all, ==, "69 68 67");
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "small");
  update(fixture);
  expect(fixture, "number3", "");
  expect(fixture, "small", "1");
}

static void
test_words_in(Fixture *fixture, gconstpointer data)
{
  begin_folder(fixture, "INBOX");
  add(fixture, "INBOX", 1, "subject words");
  g_autoptr(GPtrArray) headers = ml_store_headers(fixture->store, "INBOX", 0, 1, NULL);
  const MlHeader *header = headers->pdata[0];
  g_autoptr(MlSearchReader) reader = ml_search_reader_new(fixture->store, NULL);
  g_autoptr(MlQuery) subject = ml_query_parse("words", FALSE, NULL);
  g_autoptr(MlQuery) body = ml_query_parse("body:text", FALSE, NULL);
  g_autoptr(MlQuery) from = ml_query_parse("from:nobody", FALSE, NULL);
  g_autoptr(MlQuery) without = ml_query_parse("words -text", FALSE, NULL);
  g_assert_cmpint(ml_search_words_in(reader, "INBOX", 7, header, subject), ==, ML_YES);
  g_assert_cmpint(ml_search_words_in(reader, "INBOX", 7, header, body), ==, ML_UNKNOWN);
  g_assert_cmpint(ml_search_words_in(reader, "INBOX", 7, header, without), ==, ML_UNKNOWN);
  g_assert_cmpint(ml_search_words_in(reader, "INBOX", 7, header, from), ==, ML_NO);
  put(fixture, "INBOX", 1, "Subject: subject words\n\nthe text\n");
  g_assert_cmpint(ml_search_words_in(reader, "INBOX", 7, header, body), ==, ML_YES);
  g_assert_cmpint(ml_search_words_in(reader, "INBOX", 7, header, without), ==, ML_NO);
}

#define TEST(name, func) g_test_add("/search/" name, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ml_init();
  g_test_add_func("/search/words", test_words);
  g_test_add_func("/search/words-limits", test_words_limits);
  g_test_add_func("/search/query", test_query);
  g_test_add_func("/search/fits", test_fits);
  TEST("find", test_find);
  TEST("aside", test_aside);
  TEST("languages", test_languages);
  TEST("hostile", test_hostile);
  TEST("removed", test_removed);
  TEST("meanwhile", test_meanwhile);
  TEST("damaged", test_damaged);
  TEST("two-handles", test_two_handles);
  TEST("parts", test_parts);
  TEST("words-in", test_words_in);
  return g_test_run();
}
