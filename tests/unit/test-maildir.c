#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mail/driver.h"
#include "tests/unit/asleep.h"
#include "tests/unit/driver-lab.h"
#include "tests/unit/local-lab.h"

/* A Maildir of a temporary folder, driven as the worker drives it. */
typedef struct {
  LocalMailbox local;
  MlDriver *driver;
} Fixture;

/* In the place of libc's: a disk that does not take the names in a folder. */
static gboolean no_folder_sync;

int
fsync(int fd)
{
  struct stat about;
  if (!no_folder_sync || fstat(fd, &about) != 0 || !S_ISDIR(about.st_mode))
    return (int)syscall(SYS_fsync, fd);
  errno = EIO;
  return -1;
}

static void
set_up(Fixture *f, gconstpointer data)
{
  (void)data;
  local_begin(&f->local, ML_ACCOUNT_MAILDIR, "Maildir");
  local_make_maildir(f->local.path);
  f->driver = ml_driver_new(&f->local.account, &f->local.hooks);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
  (void)data;
  ml_driver_free(f->driver);
  local_end(&f->local);
}

typedef struct {
  GPtrArray *all;
  guint chunks, first;
} Headers;

static gboolean
collect(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Headers *to = user_data;
  g_assert_cmpuint(done, <=, total);
  if (!to->chunks++)
    to->first = headers->len;
  g_ptr_array_extend_and_steal(to->all, headers);
  return TRUE;
}

static GPtrArray *
headers_of(Fixture *f, guint32 above)
{
  g_autoptr(GError) error = NULL;
  Headers to = { g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free), 0, 0 };
  g_assert_true(ml_driver_headers(f->driver, above, 20, collect, &to, &error));
  g_assert_no_error(error);
  return to.all;
}

static void
open_folder(Fixture *f, const char *name, guint total)
{
  g_autoptr(GError) error = NULL;
  MlSelected selected;
  gboolean ok = ml_driver_select(f->driver, name, &selected, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(selected.total, ==, total);
  g_assert_cmpuint(selected.uidvalidity, !=, 0);
}

static gboolean
exists(Fixture *f, const char *sub, const char *name)
{
  g_autofree char *path = g_build_filename(f->local.path, sub, name, NULL);
  return g_file_test(path, G_FILE_TEST_EXISTS);
}

#define MAIL(subject)                                                                                        \
  "From: =?utf-8?q?Anna_K=C3=A9ller?= <anna@example.org>\nTo: Bob <bob@example.org>\n"                       \
  "Subject: " subject "\nMessage-ID: <" subject "@example.org>\n"                                            \
  "Date: Thu, 12 Mar 2026 14:02:00 +0100\n\nText of " subject "\n"

static void
test_headers(Fixture *f, gconstpointer data)
{
  (void)data;
  local_deliver(f->local.path, "cur", "1700000001.a:2,FS", MAIL("one"));
  local_deliver(f->local.path, "cur", "1700000002.b:2,RS",
      "Subject: =?iso-8859-1?q?Gr=FC=DFe?=\n two\nContent-Type: multipart/signed;\n\tprotocol=x\n\nx\n");
  local_deliver(f->local.path, "new", "1700000003.c",
      "Subject: three\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\n");
  open_folder(f, "INBOX", 3);
  g_autoptr(GPtrArray) headers = headers_of(f, 0);
  g_assert_cmpuint(headers->len, ==, 3);
  MlHeader *newest = g_ptr_array_index(headers, 0);
  g_assert_cmpstr(newest->subject, ==, "three");
  g_assert_cmpuint(newest->uid, ==, 3);
  g_assert_cmpuint(newest->flags, ==, ML_FLAG_RECENT);
  g_assert_cmpuint(newest->hints, ==, ML_HINT_ENCRYPTED);
  g_assert_cmpstr(newest->from, ==, "");
  g_assert_cmpint(newest->date, ==, newest->received);
  MlHeader *two = g_ptr_array_index(headers, 1);
  g_assert_cmpstr(two->subject, ==,
                  "Gr\xc3\xbc\xc3\x9f"
                  "e two");
  g_assert_cmpuint(two->hints, ==, ML_HINT_SIGNED);
  g_assert_cmpuint(two->flags, ==, ML_FLAG_SEEN | ML_FLAG_ANSWERED);
  MlHeader *first = g_ptr_array_index(headers, 2);
  g_assert_cmpstr(first->from_name, ==, "Anna K\xc3\xa9ller");
  g_assert_cmpstr(first->from_address, ==, "anna@example.org");
  g_assert_cmpstr(first->message_id, ==, "one@example.org");
  g_assert_cmpint(first->date, ==, 1773320520);
  g_assert_cmpuint(first->size, ==, strlen(MAIL("one")));
  g_autoptr(GPtrArray) above = headers_of(f, 2);
  g_assert_cmpuint(above->len, ==, 1);
}

/* Numbers stay when files are renamed, when the program starts again, and when others come and go. */
static void
test_numbers(Fixture *f, gconstpointer data)
{
  (void)data;
  local_deliver(f->local.path, "new", "1700000001.a", MAIL("one"));
  local_deliver(f->local.path, "new", "1700000002.b", MAIL("two"));
  open_folder(f, "INBOX", 2);
  g_autofree char *from = g_build_filename(f->local.path, "new", "1700000001.a", NULL);
  g_autofree char *to = g_build_filename(f->local.path, "cur", "1700000001.a:2,S", NULL);
  g_assert_cmpint(g_rename(from, to), ==, 0);
  g_autofree char *two = g_build_filename(f->local.path, "new", "1700000002.b", NULL);
  g_assert_cmpint(g_unlink(two), ==, 0);
  local_deliver(f->local.path, "new", "1600000000.z", MAIL("old but late"));
  ml_driver_free(f->driver);
  f->driver = ml_driver_new(&f->local.account, &f->local.hooks);
  open_folder(f, "INBOX", 2);
  g_autoptr(GPtrArray) headers = headers_of(f, 0);
  g_assert_cmpuint(driver_by_subject(headers, "one")->uid, ==, 1);
  g_assert_cmpuint(driver_by_subject(headers, "one")->flags, ==, ML_FLAG_SEEN);
  g_assert_cmpuint(driver_by_subject(headers, "old but late")->uid, ==, 3);

  /* A crash while a line was written: what is cut short does not count, the rest does. */
  g_autofree char *file = g_build_filename(f->local.hooks.state_dir, "numbers", "here", "INBOX", NULL);
  int fd = open(file, O_WRONLY | O_APPEND);
  g_assert_cmpint(write(fd, "99 17000", 8), ==, 8);
  close(fd);
  local_deliver(f->local.path, "new", "1700000009.q", MAIL("next"));
  open_folder(f, "INBOX", 3);
  g_autoptr(GPtrArray) again = headers_of(f, 0);
  g_assert_cmpuint(driver_by_subject(again, "next")->uid, ==, 4);
  g_assert_cmpuint(driver_by_subject(again, "one")->uid, ==, 1);
}

static void
test_fetch_moved(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_deliver(f->local.path, "new", "1700000001.a", MAIL("one"));
  open_folder(f, "INBOX", 1);
  g_autofree char *from = g_build_filename(f->local.path, "new", "1700000001.a", NULL);
  g_autofree char *to = g_build_filename(f->local.path, "cur", "1700000001.a:2,FS", NULL);
  g_assert_cmpint(g_rename(from, to), ==, 0); /* another program, behind our back */
  gint64 received = 0;
  g_autoptr(GBytes) bytes = ml_driver_fetch(f->driver, 1, &received, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), MAIL("one"), strlen(MAIL("one")));
  g_assert_cmpint(received, >, 0);

  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(f->driver, changes, &error));
  g_assert_cmpuint(changes->flag_changes->len, ==, 1);
  g_assert_cmpuint(g_array_index(changes->flag_changes, MlFlagChange, 0).flags, ==,
                   ML_FLAG_SEEN | ML_FLAG_FLAGGED);

  g_autoptr(GArray) uids = driver_one(1);
  g_autofree char *again = g_build_filename(f->local.path, "cur", "1700000001.a:2,S", NULL);
  g_assert_cmpint(g_rename(to, again), ==, 0);
  g_assert_true(ml_driver_flags(f->driver, uids, ML_FLAG_ANSWERED, 0, &error));
  g_assert_no_error(error);
  g_assert_true(exists(f, "cur", "1700000001.a:2,RS"));

  g_autofree char *last = g_build_filename(f->local.path, "cur", "1700000001.a:2,RS", NULL);
  g_assert_cmpint(g_unlink(last), ==, 0);
  g_autoptr(GBytes) none = ml_driver_fetch(f->driver, 1, NULL, NULL, NULL, &error);
  g_assert_null(none);
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
}

static void
test_flags_expunge(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_deliver(f->local.path, "new", "1700000001.a", MAIL("one"));
  local_deliver(f->local.path, "cur", "1700000002.b:2,Sab", MAIL("two"));
  open_folder(f, "INBOX", 2);
  g_autoptr(GArray) uids = driver_one(1);
  guint32 two = 2;
  g_array_append_val(uids, two);
  g_assert_true(ml_driver_flags(f->driver, uids, ML_FLAG_SEEN | ML_FLAG_FLAGGED, 0, &error));
  g_assert_true(exists(f, "cur", "1700000001.a:2,FS"));
  g_assert_true(exists(f, "cur", "1700000002.b:2,FSab"));
  g_assert_true(ml_driver_expunge(f->driver, uids, &error)); /* none is marked deleted */
  g_assert_true(exists(f, "cur", "1700000001.a:2,FS"));
  g_autoptr(GArray) first = driver_one(1);
  g_assert_true(ml_driver_flags(f->driver, first, ML_FLAG_DELETED, ML_FLAG_FLAGGED, &error));
  g_assert_true(exists(f, "cur", "1700000001.a:2,ST"));
  g_assert_true(ml_driver_expunge(f->driver, uids, &error));
  g_assert_no_error(error);
  g_assert_false(exists(f, "cur", "1700000001.a:2,ST"));
  g_assert_true(exists(f, "cur", "1700000002.b:2,FSab"));
  g_autoptr(GPtrArray) headers = headers_of(f, 0);
  g_assert_cmpuint(headers->len, ==, 1);
}

static void
test_folders(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  static const char *const names[] = { ".Sent",         ".Projects.Budget 2027",
                                       ".Entw&APw-rfe", "Plain/Deep",
                                       ".Sent.2024",    NULL };
  for (guint i = 0; names[i]; i++) {
    g_autofree char *path = g_build_filename(f->local.path, names[i], NULL);
    local_make_maildir(path);
  }
  local_deliver(f->local.path, "new", "1700000001.a", MAIL("one"));
  local_deliver(f->local.path, "cur", "1700000002.b:2,S", MAIL("two"));
  g_autoptr(GPtrArray) folders = ml_driver_folders(f->driver, TRUE, &error);
  g_assert_no_error(error);
  static const char *const want[] = {
    "INBOX", "Sent", "Entw\xc3\xbcrfe", "Plain/Deep", "Projects/Budget 2027", "Sent/2024"
  };
  g_assert_cmpuint(folders->len, ==, G_N_ELEMENTS(want));
  for (guint i = 0; i < G_N_ELEMENTS(want); i++)
    g_assert_cmpstr(((MlFolder *)g_ptr_array_index(folders, i))->name, ==, want[i]);
  MlFolder *inbox = g_ptr_array_index(folders, 0);
  g_assert_cmpint(inbox->total, ==, 2);
  g_assert_cmpint(inbox->unseen, ==, 1);
  g_assert_cmpint(inbox->role, ==, ML_ROLE_INBOX);
  g_assert_cmpint(((MlFolder *)g_ptr_array_index(folders, 1))->role, ==, ML_ROLE_SENT);
  open_folder(f, "Entw\xc3\xbcrfe", 0);
  MlSelected selected;
  g_assert_false(ml_driver_select(f->driver, "../state", &selected, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NO_FOLDER);
}

/* How often a directory was opened since the last look; events that wait and are equal are told once. */
static guint
openings(int inotify)
{
  char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
  guint count = 0;
  for (ssize_t n; (n = read(inotify, buffer, sizeof buffer)) > 0;)
    for (char *p = buffer; p < buffer + n; p += sizeof(struct inotify_event) + ((struct inotify_event *)p)->len)
      count += !((struct inotify_event *)p)->len;
  return count;
}

/* Of many folders, one after the other, none has the tree walked: what is where is known. What has moved since is found. */
static void
test_places(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < 20; i++) {
    g_autofree char *name = g_strdup_printf(".box%u", i), *path = g_build_filename(f->local.path, name, NULL);
    local_make_maildir(path);
  }
  int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  g_assert_cmpint(inotify_add_watch(inotify, f->local.path, IN_OPEN | IN_ONLYDIR), >=, 0);
  g_autoptr(GPtrArray) folders = ml_driver_folders(f->driver, FALSE, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(folders->len, ==, 21);
  g_assert_cmpuint(openings(inotify), >, 0);
  MlSelected selected;
  for (guint i = 0; i < folders->len; i++) {
    const MlFolder *folder = folders->pdata[i];
    (void)ml_driver_mark(f->driver, folder->name);
    g_assert_true(ml_driver_select(f->driver, folder->name, &selected, &error));
  }
  g_assert_cmpuint(openings(inotify), ==, 0);
  g_autofree char *old = g_build_filename(f->local.path, ".box3", NULL), *nested = g_build_filename(f->local.path, "box3", NULL);
  g_assert_cmpint(g_rename(old, nested), ==, 0);
  g_assert_true(ml_driver_select(f->driver, "box3", &selected, &error));
  g_assert_cmpuint(openings(inotify), >, 0);
  tree_remove(nested);
  g_assert_false(ml_driver_select(f->driver, "box3", &selected, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NO_FOLDER);
  g_clear_error(&error);
  local_make_maildir(old);
  g_assert_true(ml_driver_select(f->driver, "box3", &selected, &error));
  close(inotify);
}

static void
test_copy_move(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autofree char *sent = g_build_filename(f->local.path, ".Sent", NULL);
  local_make_maildir(sent);
  local_deliver(f->local.path, "cur", "1700000001.a:2,FS", MAIL("one"));
  local_deliver(f->local.path, "new", "1700000002.b", MAIL("two"));
  open_folder(f, "INBOX", 2);
  g_autoptr(GArray) first = driver_one(1);
  g_autoptr(GArray) second = driver_one(2);
  g_assert_true(ml_driver_copy(f->driver, first, "Sent", &error));
  g_assert_true(ml_driver_move(f->driver, second, "Sent", &error));
  g_assert_no_error(error);
  g_assert_true(exists(f, "cur", "1700000001.a:2,FS"));
  g_assert_false(exists(f, "new", "1700000002.b"));
  g_assert_false(ml_driver_copy(f->driver, second, "Sent", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_clear_error(&error);
  g_assert_false(ml_driver_copy(f->driver, first, "Nowhere", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NO_FOLDER);
  open_folder(f, "Sent", 2);
  g_autoptr(GPtrArray) headers = headers_of(f, 0);
  MlHeader *copied = driver_by_subject(headers, "one");
  g_assert_cmpuint(copied->flags, ==, ML_FLAG_SEEN | ML_FLAG_FLAGGED);
  g_autoptr(GBytes) bytes = ml_driver_fetch(f->driver, copied->uid, NULL, NULL, NULL, &error);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), MAIL("one"), strlen(MAIL("one")));
  g_assert_nonnull(driver_by_subject(headers, "two"));
}

/* While another thread renames the same files as fast as it can, none is ever reported as gone. */
typedef struct {
  const char *root;
  gint stop;
} Mover;

static gpointer
move_about(gpointer data)
{
  Mover *mover = data;
  for (guint round = 0; !g_atomic_int_get(&mover->stop); round++) {
    for (guint i = 0; i < 50; i++) {
      g_autofree char *plain = g_strdup_printf("%s/cur/17000000%02u.m:2,", mover->root, i);
      g_autofree char *seen = g_strconcat(plain, "S", NULL);
      g_rename(round % 2 ? seen : plain, round % 2 ? plain : seen);
    }
  }
  return NULL;
}

static void
test_race(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < 50; i++) {
    g_autofree char *name = g_strdup_printf("17000000%02u.m:2,", i);
    local_deliver(f->local.path, "cur", name, MAIL("moving"));
  }
  open_folder(f, "INBOX", 50);
  Mover mover = { f->local.path, 0 };
  GThread *thread = g_thread_new("mover", move_about, &mover);
  guint vanished = 0, fetched = 0;
  for (guint i = 0; i < 100; i++) {
    g_autoptr(MlChanges) changes = ml_changes_new();
    g_assert_true(ml_driver_poll(f->driver, changes, &error));
    vanished += changes->vanished->len;
    g_assert_false(changes->new_mail);
    g_autoptr(GBytes) bytes = ml_driver_fetch(f->driver, i % 50 + 1, NULL, NULL, NULL, NULL);
    fetched += bytes != NULL;
  }
  g_atomic_int_set(&mover.stop, 1);
  g_thread_join(thread);
  g_assert_cmpuint(vanished, ==, 0);
  g_assert_cmpuint(fetched, >, 90);
  g_autoptr(GPtrArray) headers = headers_of(f, 0);
  g_assert_cmpuint(headers->len, ==, 50);
}

/* Names as other programs write them, kept through a mark that is set and taken away again. */
static void
test_names(Fixture *f, gconstpointer data)
{
  (void)data;
  static const char *const names[][2] = {
    { "", ":2,S" },
    { "1700000001.plain", ":2," },       { "1700000002.odd", ":2,Sa" },      { "1700000003.noinfo", "" },
    { "1700000004.old", ":1,abc" },      { "1700000005.order", ":2,SF" },    { "1700000006.two:colons", ":2,S" },
    { "1700000007 blank", ":2,S" },      { "1700000008.100%41", ":2,S" },    { "1700000009.line\nend", ":2,S" },
    { "1700000010.\xff\xfe", ":2,Szz" }, { "1700000011.\xc3\xbc", ":2,RS,x" },
  };
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *name = g_strconcat(names[i][0], names[i][1], NULL), *text = g_strdup_printf("Subject: %u\n\n", i + 1);
    local_deliver(f->local.path, "cur", name, text);
  }
  open_folder(f, "INBOX", G_N_ELEMENTS(names));
  for (guint32 uid = 1; uid <= G_N_ELEMENTS(names); uid++) {
    g_autofree char *text = g_strdup_printf("Subject: %u\n\n", uid);
    g_autoptr(GBytes) bytes = ml_driver_fetch(f->driver, uid, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
    g_autoptr(GArray) uids = driver_one(uid);
    g_assert_true(ml_driver_flags(f->driver, uids, ML_FLAG_DRAFT, 0, &error));
    g_autoptr(GBytes) marked = ml_driver_fetch(f->driver, uid, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(bytes, marked));
    g_assert_true(ml_driver_flags(f->driver, uids, 0, ML_FLAG_DRAFT, &error));
  }
  g_assert_true(exists(f, "cur", "1700000001.plain:2,"));
  g_assert_true(exists(f, "cur", "1700000002.odd:2,Sa"));
  g_assert_true(exists(f, "cur", "1700000006.two:colons:2,S"));
  g_assert_true(exists(f, "cur", "1700000008.100%41:2,S"));
  g_assert_true(exists(f, "cur", "1700000010.\xff\xfe:2,Szz"));
  g_autoptr(MlChanges) none = ml_changes_new();
  g_assert_true(ml_driver_poll(f->driver, none, &error));
  g_assert_cmpuint(none->vanished->len + none->flag_changes->len + none->arrived->len, ==, 0);
}

/* What is taken away and put back while the folder is open is told as gone, and as come. */
static void
test_back(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autofree char *sent = g_build_filename(f->local.path, ".Sent", NULL);
  local_make_maildir(sent);
  local_deliver(f->local.path, "cur", "1700000001.a:2,S", MAIL("one"));
  local_deliver(f->local.path, "cur", "1700000002.b:2,S", MAIL("two"));
  open_folder(f, "INBOX", 2);
  g_autoptr(GArray) uids = driver_one(1);
  g_assert_true(ml_driver_move(f->driver, uids, "Sent", &error));
  g_autoptr(GArray) there = ml_driver_uids(f->driver, &error);
  g_assert_cmpuint(there->len, ==, 1);
  g_autofree char *from = g_build_filename(sent, "cur", "1700000001.a:2,S", NULL);
  g_autofree char *to = g_build_filename(f->local.path, "cur", "1700000001.a:2,FS", NULL);
  g_assert_cmpint(g_rename(from, to), ==, 0);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(f->driver, changes, &error));
  g_assert_cmpuint(changes->vanished->len, ==, 1);
  g_assert_cmpuint(changes->arrived->len, ==, 1);
  g_assert_cmpuint(g_array_index(changes->arrived, guint32, 0), ==, 1);
  g_assert_cmpuint(changes->flag_changes->len, ==, 0);
  g_autoptr(GPtrArray) headers = headers_of(f, 0);
  g_assert_cmpuint(driver_by_subject(headers, "one")->flags, ==, ML_FLAG_SEEN | ML_FLAG_FLAGGED);
}

/* The numbers are lost while the folder is open: the new 1 is another message, and nothing is done to it by the old one's
 * number. */
static void
test_lost(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_deliver(f->local.path, "cur", "1700000002.b:2,S", MAIL("two"));
  open_folder(f, "INBOX", 1);
  local_deliver(f->local.path, "cur", "1700000001.a:2,S", MAIL("one"));
  g_autofree char *file = g_build_filename(f->local.hooks.state_dir, "numbers", "here", "INBOX", NULL);
  g_assert_cmpint(g_unlink(file), ==, 0);
  g_autofree char *from = g_build_filename(f->local.path, "cur", "1700000002.b:2,S", NULL);
  g_autofree char *to = g_build_filename(f->local.path, "cur", "1700000002.b:2,FS", NULL);
  g_assert_cmpint(g_rename(from, to), ==, 0); /* so that it is looked for again */
  g_autoptr(GArray) uids = driver_one(1);
  g_assert_false(ml_driver_delete(f->driver, uids, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_clear_error(&error);
  g_assert_true(exists(f, "cur", "1700000001.a:2,S"));
  g_assert_true(exists(f, "cur", "1700000002.b:2,FS"));
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(f->driver, changes, &error));
  g_assert_true(changes->reset);
  open_folder(f, "INBOX", 2);
  g_autoptr(GPtrArray) headers = headers_of(f, 0);
  g_assert_cmpuint(driver_by_subject(headers, "one")->uid, ==, 1);
  g_assert_cmpuint(driver_by_subject(headers, "two")->uid, ==, 2);
}

/* The same where the look in which they were found lost fails: another signet has numbered the messages meanwhile, and what
 * we had by a number is no message of ours any more. */
static void
test_lost_unseen(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  local_deliver(f->local.path, "cur", "1700000002.b:2,S", MAIL("two"));
  open_folder(f, "INBOX", 1);
  local_deliver(f->local.path, "cur", "1700000001.a:2,S", MAIL("one"));
  g_autofree char *file = g_build_filename(f->local.hooks.state_dir, "numbers", "here", "INBOX", NULL);
  g_autofree char *cur = g_build_filename(f->local.path, "cur", NULL), *away = g_build_filename(f->local.path, "away", NULL);
  g_assert_cmpint(g_unlink(file), ==, 0);
  g_assert_cmpint(g_rename(cur, away), ==, 0);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_false(ml_driver_poll(f->driver, changes, &error));
  g_assert_nonnull(error);
  g_clear_error(&error);
  g_assert_cmpint(g_rename(away, cur), ==, 0);
  g_autoptr(MlDriver) other = ml_driver_new(&f->local.account, &f->local.hooks);
  MlSelected selected;
  g_assert_true(ml_driver_select(other, "INBOX", &selected, &error)); /* there "one" is 1 */
  g_autoptr(GArray) uids = driver_one(1);
  g_assert_false(ml_driver_delete(f->driver, uids, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_clear_error(&error);
  g_assert_true(exists(f, "cur", "1700000001.a:2,S"));
  g_assert_true(exists(f, "cur", "1700000002.b:2,S"));
  g_assert_true(ml_driver_poll(f->driver, changes, &error));
  g_assert_true(changes->reset);
}

/* Where the name of a message is not on the disk it is taken back: whoever is told that it failed may do it again. */
static void
test_not_synced(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GBytes) bytes = g_bytes_new_static("Subject: x\r\n\r\nText.\r\n", 21);
  for (guint i = 0; i < 4; i++) {
    const guint flags = i % 2 ? ML_FLAG_SEEN : 0;
    g_autoptr(GError) error = NULL;
    no_folder_sync = i < 2;
    gboolean ok = ml_driver_append(f->driver, "INBOX", bytes, flags, 1700000000, NULL, &error);
    no_folder_sync = FALSE;
    g_assert_cmpint(ok, ==, i >= 2);
    if (!ok)
      g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    MlSelected selected;
    g_assert_true(ml_driver_select(f->driver, "INBOX", &selected, NULL));
    g_assert_cmpuint(selected.total, ==, i < 2 ? 0 : i - 1);
  }
}

static gpointer
deliver_later(gpointer data)
{
  local_deliver(((Fixture *)data)->local.path, "new", "1700000005.n", MAIL("arrived"));
  return NULL;
}

static void
test_wait(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  open_folder(f, "INBOX", 0);
  int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  GThread *thread = g_thread_new("deliver", deliver_later, f);
  g_autoptr(MlChanges) changes = ml_changes_new();
  gint64 start = g_get_monotonic_time();
  g_assert_true(ml_driver_wait(f->driver, wake, changes, &error));
  g_thread_join(thread);
  g_assert_true(changes->new_mail);
  g_assert_cmpint(g_get_monotonic_time() - start, <,
                  10 * G_USEC_PER_SEC); /* inotify, not the minute's look */
  guint64 number = 1;
  g_assert_cmpint(write(wake, &number, sizeof number), ==, sizeof number);
  g_autoptr(MlChanges) none = ml_changes_new();
  g_assert_true(ml_driver_wait(f->driver, wake, none, &error));
  g_assert_false(none->new_mail);
  close(wake);
}

static int caller; /* the thread that is to be interrupted */

static gpointer
interrupt_asleep(gpointer data)
{
  asleep_await(caller);
  ml_driver_interrupt(data);
  return NULL;
}

static void
test_interrupt(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  open_folder(f, "INBOX", 0);
  caller = asleep_self();
  GThread *thread = g_thread_new("interrupt", interrupt_asleep, f->driver);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_false(ml_driver_wait(f->driver, -1, changes, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_CANCELLED);
  g_thread_join(thread);
  g_assert_true(ml_driver_poll(f->driver, changes, NULL)); /* an interrupt is over when it was told */
  ml_driver_interrupt(f->driver);
  ml_driver_resume(f->driver);
  g_assert_true(ml_driver_poll(f->driver, changes, NULL));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/maildir/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("headers", test_headers);
  ADD("numbers", test_numbers);
  ADD("fetch-moved", test_fetch_moved);
  ADD("flags-expunge", test_flags_expunge);
  ADD("folders", test_folders);
  ADD("places", test_places);
  ADD("copy-move", test_copy_move);
  ADD("race", test_race);
  ADD("names", test_names);
  ADD("back", test_back);
  ADD("lost", test_lost);
  ADD("lost-unseen", test_lost_unseen);
  ADD("not-synced", test_not_synced);
  ADD("wait", test_wait);
  ADD("interrupt", test_interrupt);
  return g_test_run();
}
