#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/driver.h"
#include "mail/mbox-private.h"
#include "tests/unit/driver-lab.h"
#include "tests/unit/local-lab.h"

typedef struct {
  LocalMailbox local;
  MlDriver *driver;
} Fixture;

#define FROM "From anna@example.org Thu Mar 12 14:02:00 2026\n"
#define ONE                                                                                                  \
  FROM "Subject: one\nFrom: a@b\n\nText.\n>From here it is quoted\n>>From twice\nFrom nobody, no date\n\n"
#define TWO FROM "Subject: two\nStatus: RO\nContent-Length: 9999\nX-Status: AF\n\nSecond\n\n\n"
#define THREE FROM "Subject: three\nX-Keywords: $Forwarded work\n\nThird\n"

static char *
read_file(const char *file)
{
  char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  return text;
}

static void
set_up(Fixture *f, gconstpointer data)
{
  (void)data;
  local_begin(&f->local, ML_ACCOUNT_MBOX, "anna");
  f->driver = ml_driver_new(&f->local.account, &f->local.hooks);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
  (void)data;
  ml_mbox_stop_after(-1);
  ml_driver_free(f->driver);
  local_end(&f->local);
}

static GPtrArray *
open_inbox(Fixture *f)
{
  return driver_open(f->driver, "INBOX", 2);
}

static char *
subjects(Fixture *f)
{
  g_autoptr(GPtrArray) headers = open_inbox(f);
  GString *all = g_string_new(NULL);
  for (guint i = headers->len; i > 0; i--)
    g_string_append_printf(all, "%s%s", all->len ? " " : "",
                           ((MlHeader *)g_ptr_array_index(headers, i - 1))->subject);
  return g_string_free(all, FALSE);
}

static void
test_read(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_write(f->local.path, ONE TWO THREE, O_TRUNC);
  g_autoptr(GPtrArray) headers = open_inbox(f);
  g_assert_cmpuint(headers->len, ==, 3);
  MlHeader *third = g_ptr_array_index(headers, 0), *second = g_ptr_array_index(headers, 1);
  g_assert_cmpstr(third->subject, ==, "three");
  g_assert_cmpuint(third->flags, ==, ML_FLAG_FORWARDED | ML_FLAG_RECENT);
  g_assert_cmpuint(second->flags, ==, ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FLAGGED);
  g_assert_cmpint(second->received, >, 1773230000);
  g_assert_cmpint(second->date, ==, second->received);
  g_autoptr(GBytes) bytes = ml_driver_fetch(f->driver, 1, NULL, NULL, NULL, &error);
  g_assert_no_error(error);
  g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
  g_assert_cmpstr(
      text, ==,
      "Subject: one\nFrom: a@b\n\nText.\nFrom here it is quoted\n>From twice\nFrom nobody, no date\n");
  g_autoptr(GBytes) two = ml_driver_fetch(f->driver, 2, NULL, NULL, NULL, &error);
  g_assert_cmpmem(g_bytes_get_data(two, NULL), g_bytes_get_size(two), &TWO[strlen(FROM)],
                  strlen(TWO) - strlen(FROM) - 1);
}

static void
test_empty(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autofree char *none = subjects(f); /* no file: no mail yet */
  g_assert_cmpstr(none, ==, "");
  local_write(f->local.path, "", O_TRUNC);
  g_autofree char *empty = subjects(f);
  g_assert_cmpstr(empty, ==, "");
  g_autoptr(GError) error = NULL;
  MlSelected selected;
  local_write(f->local.path, "This is a letter, not a mailbox.\n", O_TRUNC);
  g_assert_false(ml_driver_select(f->driver, "INBOX", &selected, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_MALFORMED);
  g_clear_error(&error);
  g_assert_false(ml_driver_select(f->driver, "Sent", &selected, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NO_FOLDER);
}

static void
test_flags(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_write(f->local.path, ONE TWO THREE, O_TRUNC);
  g_autoptr(GPtrArray) headers = open_inbox(f);
  g_autoptr(GArray) first = driver_one(1);
  guint32 third = 3;
  g_array_append_val(first, third);
  g_assert_true(ml_driver_flags(f->driver, first, ML_FLAG_SEEN | ML_FLAG_DELETED, 0, &error));
  g_assert_no_error(error);
  g_autofree char *text = read_file(f->local.path);
  g_assert_cmpstr(text, ==,
                  FROM "Subject: one\nFrom: a@b\nStatus: RO\nX-Status: D\n\nText.\n>From here it is "
                       "quoted\n>>From twice\nFrom "
                       "nobody, no date\n\n" TWO FROM
                       "Subject: three\nStatus: RO\nX-Status: D\nX-Keywords: work $Forwarded\n\nThird\n");
  g_autoptr(GPtrArray) again = open_inbox(f);
  g_assert_cmpuint(again->len, ==, 3);
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(again, 2))->uid, ==,
                   1); /* flags do not make it another message */
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(again, 2))->flags, ==, ML_FLAG_SEEN | ML_FLAG_DELETED);
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(again, 0))->flags, ==,
                   ML_FLAG_SEEN | ML_FLAG_DELETED | ML_FLAG_FORWARDED);
  g_autoptr(GArray) only = driver_one(1);
  g_assert_true(ml_driver_expunge(f->driver, only, &error));
  g_autofree char *left = subjects(f);
  g_assert_cmpstr(left, ==, "two three");
}

/* The numbers are lost while the file is open: the new 2 is another message, and nothing is done to it by the old one's
 * number. */
static void
test_lost(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_write(f->local.path, ONE TWO THREE, O_TRUNC);
  g_autoptr(GPtrArray) before = open_inbox(f);
  g_autofree char *file = g_build_filename(f->local.hooks.state_dir, "numbers", "here", "INBOX", NULL);
  g_assert_cmpint(g_unlink(file), ==, 0);
  local_write(f->local.path, TWO THREE, O_TRUNC);
  g_autoptr(GArray) second = driver_one(2);
  g_assert_false(ml_driver_delete(f->driver, second, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_clear_error(&error);
  g_autofree char *text = read_file(f->local.path);
  g_assert_cmpstr(text, ==, TWO THREE);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(f->driver, changes, &error));
  g_assert_true(changes->reset);
  g_assert_cmpuint(changes->vanished->len, ==, 0);
  local_write(f->local.path, "\n" ONE, O_APPEND); /* still until it is opened again */
  g_assert_false(ml_driver_flags(f->driver, second, ML_FLAG_SEEN, 0, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_autoptr(GPtrArray) after = open_inbox(f);
  g_assert_cmpuint(after->len, ==, 3);
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(after, 2))->uid, ==, 1);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(after, 2))->subject, ==, "two");
}

/* A folder is there also where the keys of what is gone cannot be forgotten. */
static void
test_keep(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GString) many = g_string_new(NULL);
  for (guint i = 0; i < 1200; i++)
    g_string_append_printf(many, FROM "Subject: %u\n\nText\n\n", i);
  local_write(f->local.path, many->str, O_TRUNC);
  g_autoptr(GPtrArray) all = open_inbox(f);
  g_assert_cmpuint(all->len, ==, 1200);
  g_autofree char *file = g_build_filename(f->local.hooks.state_dir, "numbers", "here", "INBOX%new", NULL);
  g_assert_cmpint(g_mkdir(file, 0700), ==, 0);
  local_write(f->local.path, ONE TWO, O_TRUNC);
  g_autofree char *left = subjects(f);
  g_assert_cmpstr(left, ==, "one two");
  local_write(f->local.path, THREE, O_APPEND);
  g_autofree char *more = subjects(f);
  g_assert_cmpstr(more, ==, "one two three");
}

/* Counted also where nothing can be kept. */
static void
test_count(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autofree char *kept = g_build_filename(f->local.hooks.state_dir, "mbox", NULL);
  local_write(f->local.path, ONE TWO THREE, O_TRUNC);
  g_assert_cmpint(g_mkdir_with_parents(f->local.hooks.state_dir, 0700), ==, 0);
  g_assert_true(g_file_set_contents(kept, "", -1, NULL));
  g_autoptr(GPtrArray) folders = ml_driver_folders(f->driver, TRUE, &error);
  g_assert_no_error(error);
  const MlFolder *inbox = g_ptr_array_index(folders, 0);
  g_assert_cmpint(inbox->total, ==, 3);
  g_assert_cmpint(inbox->unseen, ==, 2);
}

static void
test_twins(Fixture *f, gconstpointer data)
{
  (void)data;
  local_write(f->local.path, ONE ONE ONE, O_TRUNC);
  g_autoptr(GPtrArray) headers = open_inbox(f);
  g_assert_cmpuint(headers->len, ==, 3);
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(headers, 0))->uid, ==, 3);
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(headers, 2))->uid, ==, 1);
}

static void
test_changes(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_write(f->local.path, ONE, O_TRUNC);
  g_autoptr(GPtrArray) headers = open_inbox(f);
  local_write(f->local.path, TWO, O_APPEND);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_wait(f->driver, -1, changes, &error));
  g_assert_true(changes->new_mail);
  g_autoptr(GPtrArray) news = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  g_assert_true(ml_driver_headers(f->driver, 1, 10, driver_collect, news, &error));
  g_assert_cmpuint(news->len, ==, 1);
  local_write(f->local.path, TWO, O_TRUNC); /* another program took the first away */
  g_autoptr(MlChanges) gone = ml_changes_new();
  g_assert_true(ml_driver_poll(f->driver, gone, &error));
  g_assert_cmpuint(gone->vanished->len, ==, 1);
  g_assert_cmpuint(g_array_index(gone->vanished, guint32, 0), ==, 1);
  g_assert_cmpint(g_unlink(f->local.path), ==, 0);
  g_autoptr(MlChanges) all = ml_changes_new();
  g_assert_true(ml_driver_poll(f->driver, all, &error));
  g_assert_cmpuint(all->vanished->len, ==, 1);
}

static void
test_move(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autofree char *other = g_build_filename(f->local.dir, "archive", NULL);
  local_write(f->local.path, ONE TWO THREE, O_TRUNC);
  g_autoptr(GPtrArray) headers = open_inbox(f);
  g_autoptr(GArray) third = driver_one(3);
  g_autoptr(GArray) first = driver_one(1);
  g_assert_true(ml_driver_move(f->driver, third, other, &error));
  g_assert_true(ml_driver_copy(f->driver, first, other, &error));
  g_assert_no_error(error);
  g_autofree char *left = read_file(f->local.path), *archive = read_file(other);
  g_assert_cmpstr(left, ==, ONE TWO);
  g_assert_cmpstr(archive, ==, THREE "\n" ONE);
}

/* A child that holds fcntl's lock, or the dot-lock, until it is told to go. */
static void
test_locks(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_write(f->local.path, ONE, O_TRUNC);
  int ready[2], go[2];
  g_assert_cmpint(pipe(ready), ==, 0);
  g_assert_cmpint(pipe(go), ==, 0);
  pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    int fd = open(f->local.path, O_RDWR);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_SETLK, &lock) < 0 || write(ready[1], &byte, 1) != 1)
      _exit(1);
    _exit(read(go[0], &byte, 1) == 1 ? 0 : 1);
  }
  char byte = 0;
  g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
  MlSelected selected;
  g_assert_false(ml_driver_select(f->driver, "INBOX", &selected, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_autofree char *who = g_strdup_printf("process %d", (int)child);
  g_assert_nonnull(strstr(error->message, who));
  g_assert_cmpint(write(go[1], &byte, 1), ==, 1);
  int status;
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
  for (guint i = 0; i < 2; i++) {
    close(ready[i]);
    close(go[i]);
  }
  g_clear_error(&error);
  g_autofree char *dot = g_strconcat(f->local.path, ".lock", NULL);
  g_autofree char *own = g_strdup_printf("%d\n", (int)getpid());
  g_assert_true(g_file_set_contents(dot, own, -1, NULL));
  g_assert_false(ml_driver_select(f->driver, "INBOX", &selected, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_assert_true(g_file_test(dot, G_FILE_TEST_EXISTS)); /* a live program's lock is left alone */
  struct timespec old[2] = { { time(NULL) - 400, 0 }, { time(NULL) - 400, 0 } };
  g_assert_cmpint(utimensat(AT_FDCWD, dot, old, 0), ==, 0);
  g_assert_true(ml_driver_select(f->driver, "INBOX", &selected, NULL)); /* a forgotten one is not */
  g_assert_false(g_file_test(dot, G_FILE_TEST_EXISTS));
}

/* Kills the rewrite at every step there is, lets another program append or not, and looks: nothing is lost, nothing
 * is doubled, and the change is either made or not. */
static void
kill_everywhere(Fixture *f, guint add, gboolean expunge, gboolean appended, const char *before,
                const char *after)
{
  for (int step = 0;; step++) {
    g_autoptr(GError) error = NULL;
    local_write(f->local.path, ONE TWO THREE, O_TRUNC);
    g_autoptr(GPtrArray) headers = open_inbox(f);
    guint32 top = ((MlHeader *)g_ptr_array_index(headers, 0))->uid;
    g_autoptr(GArray) uids = driver_one(((MlHeader *)g_ptr_array_index(headers, 1))->uid);
    if (expunge)
      g_assert_true(ml_driver_flags(f->driver, uids, ML_FLAG_DELETED, 0, &error));
    ml_mbox_stop_after(step);
    gboolean ok = expunge ? ml_driver_expunge(f->driver, uids, &error)
                          : ml_driver_flags(f->driver, uids, add, 0, &error);
    ml_mbox_stop_after(-1);
    if (appended)
      local_write(f->local.path, "\n" FROM "Subject: late\n\nLate\n", O_APPEND);
    g_autofree char *now = subjects(f);
    g_autofree char *want_before = g_strconcat(before, appended ? " late" : "", NULL);
    g_autofree char *want_after = g_strconcat(after, appended ? " late" : "", NULL);
    if (strcmp(now, want_before) != 0)
      g_assert_cmpstr(now, ==, want_after);
    g_autoptr(GPtrArray) again = open_inbox(f);
    MlHeader *header = g_ptr_array_index(again, appended ? 1 : 0);
    g_assert_cmpuint(header->uid, ==, top);
    g_autofree char *text = read_file(f->local.path);
    g_autofree char *contents = NULL;
    gsize length;
    g_assert_true(g_file_get_contents(f->local.path, &contents, &length, NULL));
    g_assert_cmpuint(strlen(text), ==, length); /* no zeros are left */
    g_assert_nonnull(strstr(text, "Third\n"));
    g_assert_true(g_str_has_prefix(text, ONE FROM));
    if (ok)
      break;
    g_assert_cmpint(step, <, 20);
  }
}

static void
test_kill(Fixture *f, gconstpointer data)
{
  (void)data;
  for (guint appended = 0; appended < 2; appended++) {
    kill_everywhere(f, ML_FLAG_DRAFT | ML_FLAG_FORWARDED, FALSE, appended, "one two three",
                    "one two three");                                    /* grows */
    kill_everywhere(f, 0, TRUE, appended, "one two three", "one three"); /* shrinks */
  }
}

/* Other programs deliver, with fcntl's lock, while we change flags as fast as we can. Half way the other one waits
 * until we have had some turns, so that the two meet however slow the machine is. */
static void
test_delivery(Fixture *f, gconstpointer data)
{
  (void)data;
  enum { COUNT = 200, TURNS = 6 };
  int turns[2];
  g_autoptr(GError) error = NULL;
  local_write(f->local.path, ONE, O_TRUNC);
  g_autoptr(GPtrArray) first = open_inbox(f);
  g_assert_cmpint(pipe(turns), ==, 0);
  pid_t child = fork();
  if (child == 0) {
    char token;
    for (guint i = 0; i < COUNT; i++) {
      for (guint turn = 0; i == COUNT / 2 && turn < TURNS; turn++)
        if (read(turns[0], &token, 1) != 1)
          _exit(2);
      int fd = open(f->local.path, O_RDWR | O_APPEND);
      struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
      g_autofree char *text = g_strdup_printf("\n" FROM "Subject: n%u\n\nBody\n", i);
      if (fd < 0 || fcntl(fd, F_SETLKW, &lock) < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        _exit(1);
      close(fd);
    }
    _exit(0);
  }
  int status = -1;
  guint rounds = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    g_autoptr(GArray) uids = driver_one(1);
    guint add = rounds % 2 ? ML_FLAG_FLAGGED | ML_FLAG_SEEN : 0,
          remove = rounds % 2 ? 0 : ML_FLAG_FLAGGED | ML_FLAG_SEEN;
    gboolean ok = ml_driver_flags(f->driver, uids, add, remove, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    if (rounds++ < TURNS)
      g_assert_cmpint(write(turns[1], "", 1), ==, 1);
  }
  close(turns[0]);
  close(turns[1]);
  g_assert_cmpint(status, ==, 0);
  g_autoptr(GPtrArray) all = open_inbox(f);
  g_assert_cmpuint(all->len, ==, COUNT + 1);
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < all->len; i++)
    g_hash_table_add(seen, ((MlHeader *)g_ptr_array_index(all, i))->subject);
  g_assert_cmpuint(g_hash_table_size(seen), ==, COUNT + 1);
  g_assert_cmpuint(rounds, >=, TURNS);
  g_test_message("%u rewrites meanwhile", rounds);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/mbox/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("read", test_read);
  ADD("empty", test_empty);
  ADD("flags", test_flags);
  ADD("lost", test_lost);
  ADD("keep", test_keep);
  ADD("count", test_count);
  ADD("twins", test_twins);
  ADD("changes", test_changes);
  ADD("move", test_move);
  ADD("locks", test_locks);
  ADD("kill", test_kill);
  ADD("delivery", test_delivery);
  return g_test_run();
}
