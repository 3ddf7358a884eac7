#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/search.h"
#include "tests/unit/local-lab.h"

/* The list of a mailbox on this machine is made true before it is searched, and left alone where nothing happened. */
typedef struct {
  LocalMailbox local;
  MlStore *store;
} Fixture;

static void
put(Fixture *f, const char *name, const char *subject)
{
  g_autofree char *text = g_strdup_printf("Subject: %s\n\nx\n", subject);
  local_deliver(f->local.path, "cur", name, text);
}

static void
set_up(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_begin(&f->local, ML_ACCOUNT_MAILDIR, "Maildir");
  local_keep_store(&f->local);
  local_make_maildir(f->local.path);
  f->store = ml_store_open(f->local.hooks.store_dir, &f->local.account, &error);
  g_assert_no_error(error);
  put(f, "1700000001.a:2,S", "one");
  put(f, "1700000002.b:2,S", "two");
}

static void
tear_down(Fixture *f, gconstpointer data)
{
  (void)data;
  ml_store_free(f->store);
  local_end(&f->local);
}

/* By a new process, as it were. TRUE: it opened the folder. @stop: it is stopped after the first headers. */
static gboolean
stop_there(guint done, guint waiting, gpointer user_data)
{
  (void)done;
  (void)waiting;
  return !*(const gboolean *)user_data;
}

static gboolean
follow(Fixture *f, gboolean stop)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDriver) driver = ml_driver_new(&f->local.account, &f->local.hooks);
  gboolean ok = ml_search_follow(driver, f->store, NULL, stop_there, &stop, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_autoptr(GArray) uids = ml_driver_uids(driver, NULL);
  return uids != NULL;
}

/* Until the times of the folder tell of whatever comes next. */
static void
follow_until_known(Fixture *f)
{
  while (follow(f, FALSE))
    g_usleep(1000);
}

static char *
listed(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) headers = ml_store_headers(f->store, "INBOX", 0, 100, &error);
  g_assert_no_error(error);
  GString *all = g_string_new(NULL);
  for (guint i = headers->len; i; i--) {
    const MlHeader *header = g_ptr_array_index(headers, i - 1);
    g_string_append_printf(all, "%s%s ", header->subject, header->flags & ML_FLAG_FLAGGED ? "!" : "");
  }
  return g_string_free(all, FALSE);
}

static void
lists(Fixture *f, const char *want)
{
  g_assert_true(follow(f, FALSE));
  g_autofree char *all = listed(f);
  g_assert_cmpstr(all, ==, want);
}

static void
move(Fixture *f, const char *from, const char *to)
{
  g_autofree char *old = g_build_filename(f->local.path, from, NULL), *new = g_build_filename(f->local.path, to, NULL);
  g_assert_cmpint(g_rename(old, new), ==, 0);
}

static void
test_changes(Fixture *f, gconstpointer data)
{
  (void)data;
  follow_until_known(f);
  g_autofree char *first = listed(f);
  g_assert_cmpstr(first, ==, "one two ");
  g_assert_false(follow(f, FALSE));

  put(f, "1700000003.c:2,S", "three");
  lists(f, "one two three ");
  follow_until_known(f);
  move(f, "cur/1700000001.a:2,S", "cur/1700000001.a:2,FS");
  lists(f, "one! two three ");
  follow_until_known(f);
  move(f, "cur/1700000003.c:2,S", "tmp/1700000004.d");
  put(f, "1700000005.e:2,S", "five"); /* as many as before */
  lists(f, "one! two five ");
  follow_until_known(f);
  move(f, "tmp/1700000004.d", "new/1700000004.d");
  lists(f, "one! two five three ");
  follow_until_known(f);

  /* The numbers are lost, and the list names messages that nobody can open by them. */
  g_autofree char *numbers = g_build_filename(f->local.hooks.state_dir, "numbers", "here", "INBOX", NULL);
  g_assert_cmpint(g_unlink(numbers), ==, 0);
  lists(f, "one! two three five ");
}

/* What was stopped before all of it was in the list is gone on with. */
static void
test_stopped(Fixture *f, gconstpointer data)
{
  (void)data;
  follow_until_known(f);
  for (guint i = 0; i < 2500; i++) {
    g_autofree char *name = g_strdup_printf("17%08u.n:2,S", i);
    put(f, name, "more");
  }
  for (;;) {
    g_autoptr(MlDriver) driver = ml_driver_new(&f->local.account, &f->local.hooks);
    while (!ml_driver_mark(driver, "INBOX"))
      g_usleep(1000);
    if (!follow(f, TRUE))
      break;
    MlStoreFolder about;
    g_assert_true(ml_store_folder(f->store, "INBOX", &about, NULL));
    if (about.total == 2502)
      break;
    g_assert_cmpuint(about.total, <, 2502);
  }
  follow_until_known(f);
  MlStoreFolder about;
  g_assert_true(ml_store_folder(f->store, "INBOX", &about, NULL));
  g_assert_cmpuint(about.total, ==, 2502);
}

/* TRUE: the names of the folder were not read for it. */
static gboolean
reads(Fixture *f, guint at, const char *want)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDriver) driver = ml_driver_new(&f->local.account, &f->local.hooks);
  g_autoptr(MlSearchReader) reader = ml_search_reader_new(f->store, driver);
  g_autoptr(GPtrArray) headers = ml_store_headers(f->store, "INBOX", 0, 100, &error);
  MlStoreFolder about;
  g_assert_no_error(error);
  g_assert_true(ml_store_folder(f->store, "INBOX", &about, &error));
  g_autofree char *text = ml_search_text(reader, "INBOX", about.point.uidvalidity, headers->pdata[at]);
  g_assert_cmpstr(text, ==, want);
  g_autoptr(GArray) uids = ml_driver_uids(driver, NULL);
  g_autofree char *other = ml_search_text(reader, "INBOX", about.point.uidvalidity + 1, headers->pdata[at]);
  g_assert_null(other);
  return uids == NULL;
}

/* One message is read without the names of all, wherever its file is as it is listed; else it is looked for. */
static void
test_one_text(Fixture *f, gconstpointer data)
{
  (void)data;
  local_deliver(f->local.path, "new", "1700000003.c", "Subject: three\n\nin new\n");
  local_deliver(f->local.path, "cur", "1700000004.d", "Subject: four\n\nbare\n");
  local_deliver(f->local.path, "cur", "1700000005.e:2,FSab", "Subject: five\n\nwith letters\n");
  g_assert_true(follow(f, FALSE));
  g_assert_true(reads(f, 4, "x"));
  g_assert_true(reads(f, 2, "in new"));
  g_assert_true(reads(f, 1, "bare"));
  g_assert_false(reads(f, 0, "with letters"));
  move(f, "cur/1700000001.a:2,S", "cur/1700000001.a:2,RS"); /* and the list does not know it */
  g_assert_false(reads(f, 4, "x"));
  move(f, "cur/1700000002.b:2,S", "tmp/1700000002.b:2,S");
  g_assert_false(reads(f, 3, NULL));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ml_store_init();
#define ADD(name, func) g_test_add("/search-follow/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("changes", test_changes);
  ADD("stopped", test_stopped);
  ADD("one-text", test_one_text);
  return g_test_run();
}
