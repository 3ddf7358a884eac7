/* Threads that the person has cut and put together, and what is left of it on the disk. */
#include <glib/gstdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/folder-private.h"
#include "mail/thread.h"

typedef struct {
  char *folder, *file;
  MlThreadEdits *edits;
} Fixture;

static MlThreadEdits *
open_edits(const char *file)
{
  g_autoptr(GError) error = NULL;
  MlThreadEdits *edits = ml_thread_edits_open(file, &error);
  g_assert_no_error(error);
  return edits;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp("signet-threads-XXXXXX", NULL);
  fixture->file = g_build_filename(fixture->folder, "threads", NULL);
  fixture->edits = open_edits(fixture->file);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  g_autofree char *lock = g_strconcat(fixture->file, ".lock", NULL);
  ml_thread_edits_free(fixture->edits);
  g_chmod(fixture->folder, 0700);
  g_unlink(lock);
  g_unlink(fixture->file);
  g_rmdir(fixture->folder);
  g_free(fixture->file);
  g_free(fixture->folder);
}

static gboolean
set(MlThreadEdits *edits, const char *id, MlThreadEdit edit, const char *parent)
{
  g_autoptr(GPtrArray) ids = g_ptr_array_new();
  g_autoptr(GError) error = NULL;
  g_ptr_array_add(ids, (char *)id);
  gboolean ok = ml_thread_edits_set(edits, ids, edit, parent, &error);
  g_assert_cmpint(ok, ==, error == NULL);
  g_assert_true(ok || strlen(error->message) > 20);
  return ok;
}

static void
assert_references(const MlThreadEdits *edits, const char *id, const char *references, const char *want)
{
  g_autofree char *got = ml_thread_edits_references(edits, id, references);
  g_assert_cmpstr(got, ==, want);
}

static void
test_references(Fixture *fixture, gconstpointer data)
{
  MlThreadEdits *edits = fixture->edits;

  assert_references(edits, "c@x", "<a@x> <b@x>", NULL);
  g_assert_true(set(edits, "c@x", ML_THREAD_UNDER, "q@x"));
  assert_references(edits, "c@x", "<a@x> <b@x>", "<q@x>");
  assert_references(edits, "d@x", "<a@x> <b@x> <c@x>", "<q@x> <c@x>");
  assert_references(edits, "e@x", "<a@x> <c@x> <d@x>", "<q@x> <c@x> <d@x>");
  assert_references(edits, "f@x", "<a@x> <b@x>", NULL);
  assert_references(edits, "f@x", "<cc@x> <c@xx> c@x", NULL);
  assert_references(edits, "", "", NULL);
  /* of two the nearer one counts */
  g_assert_true(set(edits, "a@x", ML_THREAD_UNDER, "p@x"));
  assert_references(edits, "e@x", "<a@x> <c@x> <d@x>", "<q@x> <c@x> <d@x>");
  assert_references(edits, "f@x", "<a@x> <b@x>", "<p@x> <a@x> <b@x>");
  /* one that is cut names something that nobody else does, whatever it named before */
  g_assert_true(set(edits, "c@x", ML_THREAD_CUT, NULL));
  g_assert_true(set(edits, "g@x", ML_THREAD_CUT, NULL));
  g_autofree char *one = ml_thread_edits_references(edits, "c@x", "<a@x>");
  g_autofree char *same = ml_thread_edits_references(edits, "c@x", "");
  g_autofree char *other = ml_thread_edits_references(edits, "g@x", "<a@x>");
  g_autofree char *below = ml_thread_edits_references(edits, "d@x", "<a@x> <c@x>");
  g_autofree char *chain = g_strconcat(one, " <c@x>", NULL);
  g_assert_cmpstr(one, ==, same);
  g_assert_cmpstr(one, !=, other);
  g_assert_cmpstr(below, ==, chain);
  g_assert_null(strstr(one, "a@x"));
  g_assert_null(strstr(one, "c@x"));
  g_autoptr(MlThreadEdits) second = open_edits(fixture->file);
  g_autofree char *elsewhere = ml_thread_edits_references(second, "c@x", "");
  g_assert_cmpstr(one, !=, elsewhere); /* nobody can have learnt it */
  g_assert_true(set(edits, "c@x", ML_THREAD_AS_SENT, NULL));
  assert_references(edits, "c@x", "<b@x>", NULL);
}

/* "a b. c.. d", a dot a level, with these messages ("id references" each) added in any order. */
static char *
outline(const MlThreadEdits *edits, const char *const messages[][2], const guint *turn, guint n)
{
  g_autoptr(MlThreads) threads = ml_threads_new();
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  GString *text = g_string_new(NULL);

  ml_threads_set_edits(threads, edits);
  for (guint i = 0; i < n; i++) {
    const char *id = messages[turn[i]][0], *references = messages[turn[i]][1];
    MlHeader *header = ml_header_new(&(MlHeader){ .date = turn[i] },
                                     (MlSpan[ML_HEADER_TEXTS]){ [6] = { id, strlen(id) }, [7] = { references, strlen(references) } });
    g_ptr_array_add(headers, header);
    ml_threads_add(threads, header, header);
  }
  g_autoptr(GArray) order = ml_threads_order(threads, NULL, NULL);
  for (guint i = 0; i < order->len; i++) {
    const MlThreaded *one = &g_array_index(order, MlThreaded, i);
    g_string_append_printf(text, "%s%.*s ", ((const MlHeader *)one->item)->message_id, (int)one->depth, "......");
  }
  return g_string_free(text, FALSE);
}

static void
test_threads(Fixture *fixture, gconstpointer data)
{
  static const char *const messages[][2] = { { "a", "" }, { "b", "<a>" }, { "c", "<a> <b>" }, { "d", "<a> <b> <c>" },
                                             { "e", "" } };
  static const guint turns[][5] = { { 0, 1, 2, 3, 4 }, { 4, 3, 2, 1, 0 }, { 3, 0, 4, 2, 1 }, { 2, 4, 1, 3, 0 } };
  static const guint without_c[] = { 3, 0, 1, 4 };

  for (guint i = 0; i < G_N_ELEMENTS(turns); i++) {
    g_autofree char *as_sent = outline(fixture->edits, messages, turns[i], 5);
    g_assert_cmpstr(as_sent, ==, "a b. c.. d... e ");
  }
  g_assert_true(set(fixture->edits, "c", ML_THREAD_CUT, NULL));
  for (guint i = 0; i < G_N_ELEMENTS(turns); i++) {
    g_autofree char *cut = outline(fixture->edits, messages, turns[i], 5);
    g_assert_cmpstr(cut, ==, "a b. c d. e ");
  }
  g_autofree char *alone = outline(fixture->edits, messages, without_c, 4);
  g_assert_cmpstr(alone, ==, "a b. d e "); /* in a folder that has no c */
  g_assert_true(set(fixture->edits, "c", ML_THREAD_UNDER, "e"));
  for (guint i = 0; i < G_N_ELEMENTS(turns); i++) {
    g_autofree char *under = outline(fixture->edits, messages, turns[i], 5);
    g_assert_cmpstr(under, ==, "a b. e c. d.. ");
  }
  /* A circle, as two signets could make one, loses no message. */
  g_assert_true(set(fixture->edits, "e", ML_THREAD_UNDER, "d"));
  for (guint i = 0; i < G_N_ELEMENTS(turns); i++) {
    g_autofree char *circle = outline(fixture->edits, messages, turns[i], 5);
    for (guint j = 0; j < 5; j++)
      g_assert_nonnull(strstr(circle, messages[j][0]));
  }
}

static void
test_kept(Fixture *fixture, gconstpointer data)
{
  const char *odd = "50% of ä <b>\n@x";
  struct stat about;

  g_assert_true(set(fixture->edits, "a@x", ML_THREAD_CUT, NULL));
  g_assert_true(set(fixture->edits, "b%20@x", ML_THREAD_UNDER, "p=1+2@x"));
  g_assert_true(set(fixture->edits, odd, ML_THREAD_CUT, NULL));
  g_assert_true(set(fixture->edits, "gone@x", ML_THREAD_CUT, NULL));
  g_assert_true(set(fixture->edits, "gone@x", ML_THREAD_AS_SENT, NULL));
  g_autoptr(MlThreadEdits) again = open_edits(fixture->file);
  g_assert_cmpint(ml_thread_edits_of(again, "a@x"), ==, ML_THREAD_CUT);
  g_assert_cmpint(ml_thread_edits_of(again, "b%20@x"), ==, ML_THREAD_UNDER);
  assert_references(again, "b%20@x", "", "<p=1+2@x>");
  g_assert_cmpint(ml_thread_edits_of(again, odd), ==, ML_THREAD_CUT);
  g_assert_cmpint(ml_thread_edits_of(again, "gone@x"), ==, ML_THREAD_AS_SENT);
  g_assert_cmpint(ml_thread_edits_of(again, "b"), ==, ML_THREAD_AS_SENT);
  g_assert_cmpint(g_stat(fixture->file, &about), ==, 0);
  g_assert_cmpint(about.st_mode & 0777, ==, 0600);
}

/* Two signets: neither loses what the other one wrote. */
static void
test_shared(Fixture *fixture, gconstpointer data)
{
  g_autoptr(MlThreadEdits) other = open_edits(fixture->file);

  g_assert_true(set(fixture->edits, "a@x", ML_THREAD_CUT, NULL));
  g_assert_true(set(other, "b@x", ML_THREAD_CUT, NULL));
  g_assert_cmpint(ml_thread_edits_of(other, "a@x"), ==, ML_THREAD_CUT);
  g_assert_cmpint(ml_thread_edits_of(fixture->edits, "b@x"), ==, ML_THREAD_AS_SENT);
  g_assert_true(ml_thread_edits_refresh(fixture->edits));
  g_assert_cmpint(ml_thread_edits_of(fixture->edits, "b@x"), ==, ML_THREAD_CUT);
  g_assert_cmpint(ml_thread_edits_of(fixture->edits, "a@x"), ==, ML_THREAD_CUT);
  g_assert_false(ml_thread_edits_refresh(fixture->edits));
}

static void
test_refused(Fixture *fixture, gconstpointer data)
{
  g_autofree char *tall = g_strnfill(2000, 'x');

  g_assert_false(set(fixture->edits, "", ML_THREAD_CUT, NULL));
  g_assert_false(set(fixture->edits, tall, ML_THREAD_CUT, NULL));
  g_assert_false(set(fixture->edits, "a@x", ML_THREAD_UNDER, ""));
  g_assert_false(set(fixture->edits, "a@x", ML_THREAD_UNDER, "b c@x"));
  g_assert_false(set(fixture->edits, "a@x", ML_THREAD_UNDER, "b>@x"));
  g_assert_false(set(fixture->edits, "a@x", ML_THREAD_UNDER, tall));
  g_assert_false(g_file_test(fixture->file, G_FILE_TEST_EXISTS));
  g_assert_cmpint(ml_thread_edits_of(fixture->edits, "a@x"), ==, ML_THREAD_AS_SENT);
}

static void
test_damaged(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  const char text[] = "signet-threads 1\ncut a@x\ncut\nunder b@x\nunder c@x d%20d@x\nfold e@x\ncut f@x g@x\n"
                      "cut %zz\n\nunder h@x i@x\nunder j@x k@x l\ncut \xff\xfe\ncut cut-sho";

  g_assert_true(g_file_set_contents(fixture->file, text, -1, NULL));
  g_assert_true(ml_thread_edits_refresh(fixture->edits));
  g_assert_cmpint(ml_thread_edits_of(fixture->edits, "a@x"), ==, ML_THREAD_CUT);
  g_assert_cmpint(ml_thread_edits_of(fixture->edits, "h@x"), ==, ML_THREAD_UNDER);
  for (const char *const *id = (const char *const[]){ "b@x", "c@x", "e@x", "f@x", "j@x", "", NULL }; *id; id++)
    g_assert_cmpint(ml_thread_edits_of(fixture->edits, *id), ==, ML_THREAD_AS_SENT);
  /* A file that no signet wrote is not read, and a folder in its place is an error, not a crash. */
  int fd = g_open(fixture->file, O_WRONLY, 0);
  g_assert_cmpint(ftruncate(fd, 1 << 30), ==, 0);
  g_assert_true(g_close(fd, NULL));
  g_assert_null(ml_thread_edits_open(fixture->file, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_clear_error(&error);
  g_unlink(fixture->file);
  g_assert_cmpint(g_mkdir(fixture->file, 0700), ==, 0);
  g_assert_null(ml_thread_edits_open(fixture->file, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_assert_false(set(fixture->edits, "n@x", ML_THREAD_CUT, NULL));
  g_rmdir(fixture->file);
}

static void
test_bounded(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);

  for (guint i = 0; i < ML_THREAD_EDITS + 10; i++)
    g_ptr_array_add(ids, g_strdup_printf("%u@x", i));
  g_assert_true(ml_thread_edits_set(fixture->edits, ids, ML_THREAD_CUT, NULL, NULL));
  g_autoptr(MlThreadEdits) again = open_edits(fixture->file);
  MlThreadEdits *both[] = { fixture->edits, again };
  for (guint i = 0; i < 2; i++) {
    g_assert_cmpint(ml_thread_edits_of(both[i], "9@x"), ==, ML_THREAD_AS_SENT);
    g_assert_cmpint(ml_thread_edits_of(both[i], "10@x"), ==, ML_THREAD_CUT);
    g_assert_cmpint(ml_thread_edits_of(both[i], "5009@x"), ==, ML_THREAD_CUT);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define CASE(name) g_test_add("/thread-edits/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  CASE(references);
  CASE(threads);
  CASE(kept);
  CASE(shared);
  CASE(refused);
  CASE(damaged);
  CASE(bounded);
  return g_test_run();
}
