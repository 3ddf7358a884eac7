/* The file of pieces: whatever was cut off, changed or written at the same time, what is given back is what was put in. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/pieces.h"
#include "tests/unit/pki.h"

static const char owner[] = "0123456789abcdef";

typedef struct {
  char *folder, *path;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
  fixture->folder = pki_folder();
  fixture->path = g_build_filename(fixture->folder, "work.sealed", NULL);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
  tree_remove(fixture->folder);
  g_free(fixture->folder);
  g_free(fixture->path);
}

static gboolean
append(const char *path, guint64 id, const char *text, GError **error)
{
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof id);
  g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
  g_array_append_val(ids, id);
  id++;
  g_array_append_val(ids, id);
  return ml_pieces_append(path, owner, ids, bytes, error);
}

static void
put(const char *path, guint64 id, const char *text)
{
  g_autoptr(GError) error = NULL;
  gboolean ok = append(path, id, text, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static MlPieces *
open_now(const char *path)
{
  g_autoptr(GError) error = NULL;
  MlPieces *pieces = ml_pieces_open(path, owner, &error);
  g_assert_no_error(error);
  return pieces;
}

static void
expect(MlPieces *pieces, guint i, guint64 id, const char *text)
{
  g_autoptr(GError) error = NULL;
  guint n;
  const guint64 *ids = ml_pieces_ids(pieces, i, &n);
  g_assert_cmpuint(n, ==, 2);
  g_assert_cmpuint(ids[0], ==, id);
  g_assert_cmpuint(ids[1], ==, id + 1);
  g_autoptr(GBytes) bytes = ml_pieces_get(pieces, i, &error);
  g_assert_no_error(error);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
}

static void
test_append(Fixture *fixture, gconstpointer data)
{
  struct stat about;
  g_autoptr(MlPieces) none = open_now(fixture->path);
  g_assert_cmpuint(ml_pieces_count(none), ==, 0);
  g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
  put(fixture->path, 10, "one");
  put(fixture->path, 20, "");
  put(fixture->path, 30, "the third");
  g_assert_cmpint(stat(fixture->path, &about), ==, 0);
  g_assert_cmpint(about.st_mode & 07777, ==, 0600);
  g_autoptr(MlPieces) pieces = open_now(fixture->path);
  put(fixture->path, 40, "later");
  g_assert_cmpuint(ml_pieces_count(pieces), ==, 3);
  expect(pieces, 0, 10, "one");
  expect(pieces, 1, 20, "");
  expect(pieces, 2, 30, "the third");
}

/* Three pieces; where each ends. */
static GBytes *
three(const Fixture *fixture, gsize ends[4])
{
  static const char *const texts[] = { "one", "the second", "three" };
  for (guint i = 0; i < 3; i++) {
    struct stat about;
    put(fixture->path, 10 * i, texts[i]);
    g_assert_cmpint(stat(fixture->path, &about), ==, 0);
    ends[i + 1] = (gsize)about.st_size;
  }
  ends[0] = 2 * ends[1] - ends[2] + strlen("the second") - strlen("one");
  return pki_read(fixture->folder, "work.sealed");
}

static void
expect_three(MlPieces *pieces, guint n)
{
  static const char *const texts[] = { "one", "the second", "three" };
  g_assert_cmpuint(ml_pieces_count(pieces), ==, n);
  for (guint i = 0; i < n; i++)
    expect(pieces, i, 10 * i, texts[i]);
}

static void
write_octets(const Fixture *fixture, const char *octets, gsize length)
{
  pki_write(fixture->folder, "work.sealed", octets, (gssize)length);
}

static void
test_torn(Fixture *fixture, gconstpointer data)
{
  gsize ends[4];
  g_autoptr(GBytes) whole = three(fixture, ends);
  const char *octets = g_bytes_get_data(whole, NULL);
  for (gsize length = 0; length <= ends[3]; length++) {
    guint n = 0;
    while (n < 3 && ends[n + 1] <= length)
      n++;
    write_octets(fixture, octets, length);
    g_autoptr(MlPieces) pieces = open_now(fixture->path);
    expect_three(pieces, n);
    write_octets(fixture, octets, length); /* the next writer meets it too */
    put(fixture->path, 77, "new");
    g_autoptr(MlPieces) after = open_now(fixture->path);
    g_assert_cmpuint(ml_pieces_count(after), ==, n + 1);
    expect(after, n, 77, "new");
  }
}

/* Nothing of it stays behind a shorter piece that takes its place. */
static void
test_torn_long(Fixture *fixture, gconstpointer data)
{
  gsize ends[4];
  struct stat about;
  g_autoptr(GBytes) whole = three(fixture, ends);
  g_autofree char *large = g_strnfill(5000, 'x');
  put(fixture->path, 66, large);
  g_assert_cmpint(stat(fixture->path, &about), ==, 0);
  g_assert_cmpint(truncate(fixture->path, about.st_size - 1), ==, 0);
  put(fixture->path, 77, "new");
  put(fixture->path, 88, "newer");
  g_autoptr(MlPieces) pieces = open_now(fixture->path);
  g_assert_cmpuint(ml_pieces_count(pieces), ==, 5);
  expect(pieces, 3, 77, "new");
  expect(pieces, 4, 88, "newer");
}

static void
test_zeros(Fixture *fixture, gconstpointer data)
{
  gsize ends[4];
  g_autoptr(GBytes) whole = three(fixture, ends);
  for (guint n = 0; n <= 3; n++) {
    g_autofree char *octets = g_malloc0(ends[3] + 600000);
    memcpy(octets, g_bytes_get_data(whole, NULL), ends[n]);
    write_octets(fixture, octets, ends[3] + 600000);
    g_autoptr(MlPieces) pieces = open_now(fixture->path);
    expect_three(pieces, n);
    put(fixture->path, 77, "new");
    g_autoptr(MlPieces) after = open_now(fixture->path);
    expect(after, n, 77, "new");
  }
}

/* The last append, of which a power cut left some pages and not others, in whatever order the disk wrote them. */
static void
test_pages(Fixture *fixture, gconstpointer data)
{
  enum { PAGE = 4096, PAGES = 5 };
  gsize ends[4];
  g_autoptr(GBytes) before = three(fixture, ends);
  g_autofree char *large = g_strnfill(PAGE * (PAGES - 1), 'x');
  put(fixture->path, 66, large);
  g_autoptr(GBytes) whole = pki_read(fixture->folder, "work.sealed");
  gsize length = g_bytes_get_size(whole);
  g_assert_cmpuint((length + PAGE - 1) / PAGE, ==, PAGES);
  for (guint missing = 0; missing < 1 << PAGES; missing++) {
    g_autofree char *octets = g_memdup2(g_bytes_get_data(whole, NULL), length);
    for (gsize at = ends[3]; at < length; at++)
      if (missing >> at / PAGE & 1)
        octets[at] = 0;
    write_octets(fixture, octets, length);
    g_autoptr(MlPieces) pieces = open_now(fixture->path);
    guint n = ml_pieces_count(pieces);
    g_assert_cmpuint(n, ==, missing & 1 ? 3 : 4); /* what is missing behind the frame is seen when it is read */
    expect(pieces, 0, 0, "one");
    expect(pieces, 1, 10, "the second");
    expect(pieces, 2, 20, "three");
    if (n == 4) {
      g_autoptr(GError) error = NULL;
      g_autoptr(GBytes) got = ml_pieces_get(pieces, 3, &error);
      g_assert_cmpint(got != NULL, ==, missing == 0);
    }
    put(fixture->path, 77, "new");
    g_autoptr(MlPieces) after = open_now(fixture->path);
    g_assert_cmpuint(ml_pieces_count(after), ==, n + 1);
    expect(after, n, 77, "new");
  }
}

/* In the place of the C library's, for test_order(). */
static char *watched; /* its file */
static GPtrArray *synced; /* of GBytes: what was in it each time */

int
fdatasync(int fd)
{
  if (watched) {
    char *data;
    gsize length;
    g_assert_true(g_file_get_contents(watched, &data, &length, NULL));
    g_ptr_array_add(synced, g_bytes_new_take(data, length));
  }
  return fsync(fd);
}

/* All of a piece is on the disk before its frame is written. */
static void
test_order(Fixture *fixture, gconstpointer data)
{
  gsize ends[4];
  g_autoptr(GBytes) before = three(fixture, ends);
  synced = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  watched = fixture->path;
  put(fixture->path, 66, "the fourth");
  watched = NULL;
  g_autoptr(GBytes) whole = pki_read(fixture->folder, "work.sealed");
  g_assert_cmpuint(synced->len, ==, 2);
  GBytes *first = synced->pdata[0];
  gsize length = g_bytes_get_size(whole), frame = length - strlen("the fourth") - 2 * 8 - ends[3];
  const char *then = g_bytes_get_data(first, NULL), *now = g_bytes_get_data(whole, NULL);
  g_assert_cmpuint(g_bytes_get_size(first), ==, length);
  for (gsize i = 0; i < frame; i++)
    g_assert_cmpint(then[ends[3] + i], ==, 0);
  g_assert_cmpmem(then + ends[3] + frame, length - ends[3] - frame, now + ends[3] + frame, length - ends[3] - frame);
  g_assert_true(g_bytes_equal(synced->pdata[1], whole));
  g_ptr_array_unref(synced);
}

/* One piece alone, as it is after tidying. */
static void
test_only(Fixture *fixture, gconstpointer data)
{
  const gsize head = strlen("signet-pieces 1 ") + 64 + 1;
  put(fixture->path, 10, "all of it");
  g_autoptr(GBytes) whole = pki_read(fixture->folder, "work.sealed");
  g_autofree char *damaged = g_strconcat(fixture->path, ".damaged", NULL);
  for (gsize at = head; at < head + 36 + 2 * 8; at++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *octets = g_memdup2(g_bytes_get_data(whole, NULL), g_bytes_get_size(whole));
    octets[at] ^= (char)0x80;
    write_octets(fixture, octets, g_bytes_get_size(whole));
    g_autoptr(MlPieces) pieces = ml_pieces_open(fixture->path, owner, &error);
    if (pieces) { /* longer than what is there: cut short, as far as one can tell */
      g_assert_true(at >= head + 4 && at < head + 12);
      continue;
    }
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_assert_cmpint(g_unlink(damaged), ==, 0);
  }
}

/* Looks like many frames. */
static void
test_marks(Fixture *fixture, gconstpointer data)
{
  gsize ends[4];
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) whole = three(fixture, ends);
  g_autoptr(GByteArray) octets = g_byte_array_new();
  g_byte_array_append(octets, g_bytes_get_data(whole, NULL), (guint)ends[3]);
  g_byte_array_append(octets, (const guint8 *)"?", 1);
  for (guint i = 0; i < 10000; i++)
    g_byte_array_append(octets, (const guint8 *)"SNPC\0\0\0\0", 8);
  write_octets(fixture, (const char *)octets->data, octets->len);
  g_assert_null(ml_pieces_open(fixture->path, owner, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  put(fixture->path, 77, "new");
}

static gboolean
is_one_of_three(GBytes *bytes)
{
  static const char *const texts[] = { "one", "the second", "three" };
  for (guint i = 0; i < 3; i++)
    if (g_bytes_get_size(bytes) == strlen(texts[i]) && !memcmp(g_bytes_get_data(bytes, NULL), texts[i], strlen(texts[i])))
      return TRUE;
  return FALSE;
}

static void
test_changed(Fixture *fixture, gconstpointer data)
{
  gsize ends[4];
  guint aside = 0, left_out = 0, fewer = 0, head = (guint)strlen("signet-pieces 1 ") + 64 + 1;
  g_autofree char *damaged = g_strconcat(fixture->path, ".damaged", NULL);
  g_autoptr(GBytes) whole = three(fixture, ends);
  for (gsize at = 0; at < ends[3]; at++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bent = g_bytes_new(g_bytes_get_data(whole, NULL), ends[3]);
    g_autofree char *octets = g_memdup2(g_bytes_get_data(bent, NULL), ends[3]);
    octets[at] ^= 4;
    write_octets(fixture, octets, ends[3]);
    g_unlink(damaged);
    g_autoptr(MlPieces) pieces = ml_pieces_open(fixture->path, owner, &error);
    if (!pieces) {
      g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
      g_assert_true(g_file_test(damaged, G_FILE_TEST_EXISTS));
      aside++;
    }
    if (at >= head) { /* the other two are there */
      g_assert_nonnull(pieces);
      g_assert_cmpuint(ml_pieces_count(pieces), >=, 2);
      fewer += ml_pieces_count(pieces) == 2;
    }
    for (guint i = 0; pieces && i < ml_pieces_count(pieces); i++) {
      g_autoptr(GError) why = NULL;
      g_autoptr(GBytes) got = ml_pieces_get(pieces, i, &why);
      if (!got)
        g_assert_error(why, ML_ERROR, ML_ERROR_MALFORMED);
      left_out += !got;
      g_assert_true(!got || is_one_of_three(got));
    }
    put(fixture->path, 77, "new"); /* the next call works */
  }
  g_assert_cmpuint(aside, ==, strlen("signet-pieces 1 ") + 1);
  g_assert_cmpuint(fewer, ==, 3 * (36 + 2 * 8)); /* frame and numbers */
  g_assert_cmpuint(left_out, ==, strlen("onethe secondthree"));
}

static void
test_another_owner(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  put(fixture->path, 10, "one");
  g_autoptr(MlPieces) pieces = ml_pieces_open(fixture->path, "somebody", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(ml_pieces_count(pieces), ==, 0);
  g_autoptr(MlPieces) back = open_now(fixture->path);
  g_assert_cmpuint(ml_pieces_count(back), ==, 0);
}

static void
test_together(Fixture *fixture, gconstpointer data)
{
  enum { PROCESSES = 4, EACH = 25 };
  pid_t children[PROCESSES];
  for (guint p = 0; p < PROCESSES; p++) {
    children[p] = fork();
    if (children[p])
      continue;
    for (guint i = 0; i < EACH; i++) {
      g_autofree char *text = g_strdup_printf("%u of %u", i, p);
      if (!append(fixture->path, p * 1000 + i * 2, text, NULL))
        _exit(1);
    }
    _exit(0);
  }
  for (guint p = 0; p < PROCESSES; p++) {
    int status;
    g_assert_cmpint(waitpid(children[p], &status, 0), ==, children[p]);
    g_assert_cmpint(status, ==, 0);
  }
  g_autoptr(MlPieces) pieces = open_now(fixture->path);
  guint next[PROCESSES] = { 0 };
  g_assert_cmpuint(ml_pieces_count(pieces), ==, PROCESSES * EACH);
  for (guint i = 0; i < PROCESSES * EACH; i++) {
    guint n, p = (guint)(ml_pieces_ids(pieces, i, &n)[0] / 1000);
    g_autofree char *text = g_strdup_printf("%u of %u", next[p], p);
    expect(pieces, i, p * 1000 + next[p]++ * 2, text);
  }
}

static gboolean
replace(MlPieces *pieces, const char *gone, guint64 id, const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) which = g_array_new(FALSE, FALSE, sizeof(gboolean)), ids = g_array_new(FALSE, FALSE, sizeof id);
  g_autoptr(GBytes) bytes = text ? g_bytes_new(text, strlen(text)) : NULL;
  for (; *gone; gone++) {
    gboolean goes = *gone == 'x';
    g_array_append_val(which, goes);
  }
  g_array_append_val(ids, id);
  id++;
  g_array_append_val(ids, id);
  gboolean done, ok = ml_pieces_replace(pieces, which, text ? ids : NULL, bytes, &done, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  return done;
}

static void
test_replace(Fixture *fixture, gconstpointer data)
{
  gsize ends[4];
  struct stat about;
  g_autofree char *left = g_strconcat(fixture->path, ".new", NULL);
  g_autoptr(GBytes) whole = three(fixture, ends);
  g_autoptr(MlPieces) before = open_now(fixture->path);
  put(fixture->path, 40, "meanwhile");
  pki_write(fixture->folder, "work.sealed.new", "what one left that was killed", -1);
  g_assert_true(replace(before, "x-x", 100, "two of them"));
  g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
  g_assert_cmpint(stat(fixture->path, &about), ==, 0);
  g_assert_cmpint(about.st_mode & 07777, ==, 0600);
  g_autoptr(MlPieces) pieces = open_now(fixture->path);
  g_assert_cmpuint(ml_pieces_count(pieces), ==, 3);
  expect(pieces, 0, 100, "two of them");
  expect(pieces, 1, 10, "the second");
  expect(pieces, 2, 40, "meanwhile");
  expect(before, 2, 20, "three"); /* who had it open reads on */
  g_assert_false(replace(before, "xxx", 200, "too late"));
  g_assert_true(replace(pieces, "xxx", 0, NULL));
  g_autoptr(MlPieces) none = open_now(fixture->path);
  g_assert_cmpuint(ml_pieces_count(none), ==, 0);
}

static void
test_limits(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) ids = g_array_new(FALSE, TRUE, sizeof(guint64));
  g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);
  g_array_set_size(ids, ML_PIECES_IDS + 1);
  g_assert_false(ml_pieces_append(fixture->path, owner, ids, bytes, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_clear_error(&error);
  g_array_set_size(ids, 1);
  for (guint i = 0; i < 3; i++)
    put(fixture->path, i * 2, "x");
  g_assert_cmpint(truncate(fixture->path, (off_t)ML_PIECES_FILE + 1), ==, 0);
  g_assert_null(ml_pieces_open(fixture->path, owner, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_clear_error(&error);
  g_autoptr(MlPieces) anew = open_now(fixture->path);
  g_assert_cmpuint(ml_pieces_count(anew), ==, 0);
}

/* Nobody's word for a file is taken for one. */
static void
test_no_file(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
  g_assert_null(ml_pieces_open(fixture->path, owner, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_clear_error(&error);
  g_assert_false(append(fixture->path, 1, "x", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_clear_error(&error);
  g_unlink(fixture->path);
  g_autofree char *other = g_build_filename(fixture->folder, "other", NULL);
  pki_write(fixture->folder, "other", "somebody's letter", -1);
  g_assert_cmpint(symlink(other, fixture->path), ==, 0);
  g_assert_false(append(fixture->path, 1, "x", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_autoptr(GBytes) letter = pki_read(fixture->folder, "other");
  g_assert_cmpuint(g_bytes_get_size(letter), ==, strlen("somebody's letter"));
}

static void
test_remove(Fixture *fixture, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  gboolean any = TRUE;
  g_autofree char *lock = g_strconcat(fixture->path, ".lock", NULL);
  g_assert_true(ml_pieces_remove(fixture->path, &any, &error));
  g_assert_false(any);
  g_assert_false(g_file_test(lock, G_FILE_TEST_EXISTS)); /* nobody who never wanted it finds a file */
  put(fixture->path, 10, "one");
  pki_write(fixture->folder, "work.sealed.damaged", "x", 1);
  pki_write(fixture->folder, "work.sealed.new", "x", 1);
  g_assert_true(ml_pieces_remove(fixture->path, &any, &error));
  g_assert_no_error(error);
  g_assert_true(any);
  g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));)
    g_assert_cmpstr(name, ==, "work.sealed.lock");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/pieces/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("append", test_append);
  ADD("torn", test_torn);
  ADD("torn-long", test_torn_long);
  ADD("zeros", test_zeros);
  ADD("pages", test_pages);
  ADD("order", test_order);
  ADD("only", test_only);
  ADD("marks", test_marks);
  ADD("changed", test_changed);
  ADD("another-owner", test_another_owner);
  ADD("together", test_together);
  ADD("replace", test_replace);
  ADD("limits", test_limits);
  ADD("no-file", test_no_file);
  ADD("remove", test_remove);
  return g_test_run();
}
