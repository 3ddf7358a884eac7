#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/numbers.h"

/* The file of numbers of one folder, in a temporary place. */
typedef struct {
  char *dir, *file;
  MlNumbers *numbers;
} Fixture;

static MlNumbers *
open_numbers(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  MlNumbers *numbers = ml_numbers_open(f->dir, "here", "INBOX", "/mail/here", &error);
  g_assert_no_error(error);
  return numbers;
}

static void
set_up(Fixture *f, gconstpointer data)
{
  (void)data;
  f->dir = g_dir_make_tmp("signet-numbers-XXXXXX", NULL);
  f->file = g_build_filename(f->dir, "numbers", "here", "INBOX", NULL);
  f->numbers = open_numbers(f);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
  (void)data;
  ml_numbers_free(f->numbers);
  g_autofree char *lock = g_strconcat(f->file, "%lock", NULL);
  g_autofree char *inner = g_path_get_dirname(f->file), *outer = g_path_get_dirname(inner);
  g_unlink(f->file);
  g_unlink(lock);
  g_assert_cmpint(g_rmdir(inner), ==, 0);
  g_assert_cmpint(g_rmdir(outer), ==, 0);
  g_assert_cmpint(g_rmdir(f->dir), ==, 0);
  g_free(f->file);
  g_free(f->dir);
}

static void
again(Fixture *f)
{
  ml_numbers_free(f->numbers);
  f->numbers = open_numbers(f);
}

static guint32
assign(MlNumbers *numbers, const char *key)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) keys = g_ptr_array_new();
  guint32 uid = 0;
  g_ptr_array_add(keys, (char *)key);
  g_assert_true(ml_numbers_assign(numbers, keys, &uid, &error));
  g_assert_no_error(error);
  return uid;
}

static guint32
find(MlNumbers *numbers, const char *key)
{
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_numbers_look(numbers, &error));
  g_assert_no_error(error);
  guint32 uid = ml_numbers_find(numbers, key, strlen(key));
  ml_numbers_rest(numbers);
  return uid;
}

static void
has(MlNumbers *numbers, guint32 uid, const char *key)
{
  g_autofree char *found = ml_numbers_key(numbers, uid);
  g_assert_cmpstr(found, ==, key);
}

/* "name-1" has 1, and so on. */
static void
assign_many(Fixture *f, guint from, guint to)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
  for (guint i = from; i <= to; i++)
    g_ptr_array_add(keys, g_strdup_printf("1700000000.M%uP1.a-name-as-they-are,S=4711-%u", i, i));
  g_autofree guint32 *uids = g_new(guint32, keys->len);
  g_assert_true(ml_numbers_assign(f->numbers, keys, uids, &error));
  g_assert_no_error(error);
  for (guint i = 0; i < keys->len; i++)
    g_assert_cmpuint(uids[i], ==, from + i);
  ml_numbers_rest(f->numbers);
}

static void
has_many(Fixture *f, guint from, guint to, guint step)
{
  for (guint i = to; i >= from && i <= to; i -= step) { /* as a list is read: newest first */
    g_autofree char *key = g_strdup_printf("1700000000.M%uP1.a-name-as-they-are,S=4711-%u", i, i);
    has(f->numbers, i, key);
  }
}

/* A number leads to its key, wherever in a long file it stands, after a restart, and with the table at rest. */
static void
test_keys(Fixture *f, gconstpointer data)
{
  (void)data;
  has(f->numbers, 1, NULL);
  assign_many(f, 1, 3000);
  has_many(f, 1, 3000, 1);
  has_many(f, 1, 3000, 377);
  again(f);
  has_many(f, 1, 3000, 91);
  has(f->numbers, 3001, NULL);
  has(f->numbers, 0, NULL);
  assign_many(f, 3001, 3001);
  has_many(f, 2999, 3001, 1);
  g_assert_cmpuint(find(f->numbers, "1700000000.M1500P1.a-name-as-they-are,S=4711-1500"), ==, 1500);
  g_assert_cmpuint(find(f->numbers, "1700000000.M1500P1.a-name-as-they-are,S=4711-150"), ==, 0);
}

/* Names may hold anything but a slash. */
static void
test_names(Fixture *f, gconstpointer data)
{
  (void)data;
  static const char *const names[] = { "two\nlines", "a blank", "100%", "%41", "A", "\xff\xfe", "\xc3\xbc", "3 4", "\x7f", "" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_cmpuint(assign(f->numbers, names[i]), ==, i + 1);
  again(f);
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_assert_cmpuint(find(f->numbers, names[i]), ==, i + 1);
    has(f->numbers, i + 1, names[i]);
  }
  g_autofree char *longest = g_strnfill(255, '\n');
  g_assert_cmpuint(assign(f->numbers, longest), ==, G_N_ELEMENTS(names) + 1);
  again(f);
  g_assert_cmpuint(find(f->numbers, longest), ==, G_N_ELEMENTS(names) + 1);
  has(f->numbers, G_N_ELEMENTS(names) + 1, longest);
}

/* A place whose line is longer than a look at the file takes in at once for anything else. */
static void
test_place(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autofree char *blanks = g_strnfill(4000, ' '), *place = g_strconcat("/", blanks, NULL);
  g_autoptr(MlNumbers) numbers = ml_numbers_open(f->dir, "here", "INBOX", place, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(ml_numbers_validity(numbers), !=, ml_numbers_validity(f->numbers));
  g_assert_cmpuint(assign(numbers, "one"), ==, 1);
  ml_numbers_rest(numbers);
  has(numbers, 1, "one");
}

/* What others add and forget meanwhile. */
static void
test_others(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  assign_many(f, 1, 2500);
  MlNumbers *other = open_numbers(f);
  g_assert_cmpuint(assign(other, "theirs"), ==, 2501);
  g_assert_cmpuint(assign(f->numbers, "ours"), ==, 2502);
  g_assert_cmpuint(find(f->numbers, "theirs"), ==, 2501);
  const guint32 left[] = { 7, 2000, 2501, 2502 };
  g_assert_true(ml_numbers_keep(other, left, G_N_ELEMENTS(left), 2503, &error));
  g_assert_no_error(error);
  has_many(f, 1998, 2000, 1); /* ours, from the file as we know it */
  g_assert_cmpuint(find(f->numbers, "ours"), ==, 2502);
  has(f->numbers, 2000, "1700000000.M2000P1.a-name-as-they-are,S=4711-2000");
  has(f->numbers, 1999, NULL);
  g_assert_cmpuint(assign(f->numbers, "next"), ==, 2503);
  g_assert_cmpuint(find(other, "next"), ==, 2503);
  has(other, 2502, "ours");
  /* Few are not worth it. */
  g_assert_true(ml_numbers_keep(other, left, 1, 2504, &error));
  has(other, 2502, "ours");
  ml_numbers_free(other);
}

/* Another gives numbers between our look at the folder and our forgetting of what is gone: they stay, in both handles and
 * behind a restart, and go the next time if they are gone. */
static void
test_given_meanwhile(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  assign_many(f, 1, 2500);
  g_assert_true(ml_numbers_look(f->numbers, &error));
  guint32 below = ml_numbers_next(f->numbers);
  g_assert_cmpuint(below, ==, 2501);
  MlNumbers *other = open_numbers(f);
  g_assert_cmpuint(assign(other, "theirs"), ==, 2501); /* a message that came behind our look */
  g_assert_cmpuint(assign(f->numbers, "ours"), ==, 2502);
  const guint32 left[] = { 7, 2000, 2502 };
  g_assert_true(ml_numbers_keep(f->numbers, left, G_N_ELEMENTS(left), below, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(find(f->numbers, "theirs"), ==, 2501);
  g_assert_cmpuint(find(other, "theirs"), ==, 2501);
  has(other, 1999, NULL);
  again(f);
  has(f->numbers, 2501, "theirs");
  has(f->numbers, 2000, "1700000000.M2000P1.a-name-as-they-are,S=4711-2000");
  assign_many(f, 2503, 5000);
  g_assert_true(ml_numbers_keep(f->numbers, left, G_N_ELEMENTS(left), ml_numbers_next(f->numbers), &error));
  g_assert_cmpuint(find(f->numbers, "theirs"), ==, 0);
  has(f->numbers, 2502, "ours");
  ml_numbers_free(other);
}

/* A folder whose name is another's with an ending: each has a file of its own, whatever is done to the other. */
static void
test_endings(Fixture *f, gconstpointer data)
{
  (void)data;
  static const char *const endings[] = { ".new", ".lock", "%new", "%lock" };
  assign_many(f, 1, 2500);
  for (guint i = 0; i < G_N_ELEMENTS(endings); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_strconcat("INBOX", endings[i], NULL);
    g_autofree char *file = ml_numbers_path(f->dir, "here", folder), *lock = g_strconcat(file, "%lock", NULL);
    MlNumbers *other = ml_numbers_open(f->dir, "here", folder, "/mail/other", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(assign(other, "theirs"), ==, 1);
    const guint32 left = 2500 - i;
    g_assert_true(ml_numbers_keep(f->numbers, &left, 1, ml_numbers_next(f->numbers), &error));
    g_assert_no_error(error);
    ml_numbers_free(other);
    other = ml_numbers_open(f->dir, "here", folder, "/mail/other", &error);
    g_assert_no_error(error);
    has(other, 1, "theirs");
    ml_numbers_free(other);
    again(f);
    has(f->numbers, left, i ? NULL : "1700000000.M2500P1.a-name-as-they-are,S=4711-2500");
    assign_many(f, 2501 + i * 2500, 2500 + (i + 1) * 2500);
    g_assert_cmpint(g_unlink(file), ==, 0);
    g_assert_cmpint(g_unlink(lock), ==, 0);
  }
}

static void
write_file(Fixture *f, const char *lines)
{
  g_autofree char *text = g_strdup_printf("signet-numbers 1\nplace /mail/here\nvalidity 77\nnext 5\n%s", lines);
  g_assert_true(g_file_set_contents(f->file, text, -1, NULL));
  again(f);
}

/* Files as an earlier version wrote them, cut short, and damaged ones. */
static void
test_files(Fixture *f, gconstpointer data)
{
  (void)data;
  write_file(f, "9 nine\n2 two\n4 four\n");
  g_assert_cmpuint(ml_numbers_validity(f->numbers), ==, 77);
  g_assert_cmpuint(find(f->numbers, "two"), ==, 2);
  has(f->numbers, 9, "nine");
  has(f->numbers, 2, "two");
  g_assert_cmpuint(assign(f->numbers, "ten"), ==, 10);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(f->file, &text, NULL, NULL));
  g_assert_true(g_str_has_suffix(text, "\n2 two\n4 four\n9 nine\n10 ten\n"));

  write_file(f, "1 one\n2 two\n3 thr");
  g_assert_cmpuint(ml_numbers_validity(f->numbers), ==, 77);
  g_assert_cmpuint(find(f->numbers, "thr"), ==, 0);
  g_assert_cmpuint(assign(f->numbers, "three"), ==, 5);
  again(f);
  has(f->numbers, 5, "three");

  write_file(f, "1 one\nwhat is that\n0 none\n99999999999 much\n3\n2 two\n7 one\n");
  g_assert_cmpuint(ml_numbers_validity(f->numbers), ==, 77);
  g_assert_cmpuint(find(f->numbers, "one"), ==, 7); /* of two with one key the last counts */
  g_assert_cmpuint(find(f->numbers, "two"), ==, 2);
  g_assert_cmpuint(assign(f->numbers, "much"), ==, 8);

  write_file(f, "1 one\n2 two\n2 other\n"); /* which of them is 2? */
  g_assert_cmpuint(ml_numbers_validity(f->numbers), !=, 77);
  g_assert_cmpuint(find(f->numbers, "two"), ==, 0);
  again(f);
  g_assert_cmpuint(assign(f->numbers, "two"), ==, 1);

  g_assert_true(g_file_set_contents(f->file, "signet-numbers 1\nplace /mail/there\nvalidity 77\n1 one\n", -1, NULL));
  again(f);
  g_assert_cmpuint(ml_numbers_validity(f->numbers), !=, 77);
  g_assert_cmpuint(find(f->numbers, "one"), ==, 0);
}

/* A damaged file that cannot be begun anew is not taken for one that was: nothing is put behind what it says. */
static void
test_stuck(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autofree char *temporary = g_strconcat(f->file, "%new", NULL), *text = NULL;
  g_assert_cmpuint(assign(f->numbers, "one"), ==, 1);
  g_assert_true(g_file_set_contents(f->file, "nonsense\n", -1, NULL));
  g_assert_cmpint(g_mkdir(temporary, 0700), ==, 0);
  for (guint i = 0; i < 3; i++) {
    g_assert_false(ml_numbers_look(f->numbers, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_clear_error(&error);
  }
  g_assert_true(g_file_get_contents(f->file, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "nonsense\n");
  g_assert_cmpint(g_rmdir(temporary), ==, 0);
  g_assert_cmpuint(assign(f->numbers, "two"), ==, 1);
  again(f);
  has(f->numbers, 1, "two");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/numbers/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("keys", test_keys);
  ADD("names", test_names);
  ADD("place", test_place);
  ADD("others", test_others);
  ADD("given-meanwhile", test_given_meanwhile);
  ADD("endings", test_endings);
  ADD("files", test_files);
  ADD("stuck", test_stuck);
  return g_test_run();
}
