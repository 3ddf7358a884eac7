#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/context.h"
#include "mail/driver.h"
#include "mail/mbox-private.h"
#include "tests/unit/driver-lab.h"
#include "tests/unit/local-lab.h"
#include "tests/unit/pki.h"

/* Messages put into folders: Maildir and mbox in temporary folders; a real Dovecot where tests/integration/dovecot.t
 * has started one. */
typedef struct {
  LocalMailbox local;
  MlDriver *driver;
} Fixture;

#define MESSAGE                                                                                              \
  "From: Anna <anna@example.org>\r\nMessage-ID: <one@example.org>\r\nSubject: sent\r\n\r\n"                 \
  "Body\r\nFrom here on\r\n>From there\r\n.\r\n\xc3\xa4\r\n"

static void
set_up(Fixture *f, MlAccountKind kind, const char *path)
{
  local_begin(&f->local, kind, path);
  f->driver = ml_driver_new(&f->local.account, &f->local.hooks);
}

static void
tear_down(Fixture *f)
{
  ml_mbox_stop_after(-1);
  ml_driver_free(f->driver);
  local_end(&f->local);
}

static void
append(Fixture *f, const char *folder, const char *text, guint flags, guint32 *uid)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
  gboolean ok = ml_driver_append(f->driver, folder, bytes, flags, 1600000000, uid, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static gboolean
has(Fixture *f, const char *folder, const char *id)
{
  g_autoptr(GError) error = NULL;
  gboolean found = FALSE, ok = ml_driver_has(f->driver, folder, id, &found, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  return found;
}

/* What comes back is what was given, but for the line ends that the store keeps. */
static void
check_stored(Fixture *f, const char *folder, const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) headers = driver_open(f->driver, folder, 50);
  g_assert_cmpuint(headers->len, ==, 1);
  MlHeader *header = g_ptr_array_index(headers, 0);
  g_assert_cmpstr(header->message_id, ==, "one@example.org");
  g_assert_cmpuint(header->flags & ML_FLAG_SEEN, ==, ML_FLAG_SEEN);
  g_assert_cmpint(header->received, ==, 1600000000);
  g_autoptr(GBytes) bytes = ml_driver_fetch(f->driver, header->uid, NULL, NULL, NULL, &error);
  g_assert_no_error(error);
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  g_autoptr(GString) got = g_string_new_len(data, (gssize)length), want = g_string_new(text);
  g_string_replace(got, "Status: RO\n", "", 0); /* mbox keeps the flag in the message */
  g_string_replace(got, "\r\n", "\n", 0);
  g_string_replace(want, "\r\n", "\n", 0);
  g_assert_cmpstr(got->str, ==, want->str);
}

static void
test_maildir(void)
{
  static const char *const subs[] = { "Maildir/cur", "Maildir/new", "Maildir/tmp" };
  Fixture f = { 0 };
  set_up(&f, ML_ACCOUNT_MAILDIR, "Maildir");
  for (guint i = 0; i < G_N_ELEMENTS(subs); i++) {
    g_autofree char *sub = g_build_filename(f.local.dir, subs[i], NULL);
    g_assert_cmpint(g_mkdir_with_parents(sub, 0700), ==, 0);
  }
  g_assert_false(has(&f, "Sent", "one@example.org"));
  append(&f, "Sent", MESSAGE, ML_FLAG_SEEN, NULL); /* makes the folder */
  g_autofree char *made = g_build_filename(f.local.dir, "Maildir", ".Sent", "cur", NULL);
  g_assert_true(g_file_test(made, G_FILE_TEST_IS_DIR));
  g_assert_true(has(&f, "Sent", "<one@example.org>"));
  g_assert_false(has(&f, "Sent", "<two@example.org>"));
  check_stored(&f, "Sent", MESSAGE);
  append(&f, "INBOX", MESSAGE, 0, NULL);
  g_autoptr(GPtrArray) inbox = driver_open(f.driver, "INBOX", 50);
  g_assert_cmpuint(inbox->len, ==, 1);
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(inbox, 0))->flags & ML_FLAG_SEEN, ==, 0);
  g_autoptr(GBytes) bytes = g_bytes_new_static(MESSAGE, strlen(MESSAGE));
  static const char *const wrong[] = { "../up", "a.b", ".hidden", "a//b", "" };
  for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(ml_driver_append(f.driver, wrong[i], bytes, 0, 0, NULL, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  }
  tear_down(&f);
}

static char *
contents(const char *file)
{
  char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  return text;
}

/* In the place of the C library's, for test_folder_sync() and test_mbox_sync(). */
static gboolean folders_fail;
static const char *fails_below; /* NULL: everywhere */
static int fails_after;         /* so many of them go well */
static const char *taken; /* NULL: nobody takes it */

int
fsync(int fd)
{
  struct stat about;
  if (!folders_fail || fstat(fd, &about) < 0 || !S_ISDIR(about.st_mode))
    return (int)syscall(SYS_fsync, fd);
  if (fails_below) {
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd), *where = g_file_read_link(link, NULL);
    if (!g_str_has_prefix(where, fails_below) || fails_after-- > 0)
      return (int)syscall(SYS_fsync, fd);
  }
  if (taken) { /* another program sees the message at once */
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd), *where = g_file_read_link(link, NULL);
    g_autoptr(GDir) dir = g_dir_open(where, 0, NULL);
    const char *name = g_dir_read_name(dir);
    g_autofree char *from = g_build_filename(where, name, NULL), *to = g_build_filename(taken, name, NULL);
    g_assert_cmpint(rename(from, to), ==, 0);
  }
  errno = EIO;
  return -1;
}

/* The message is in place, and its name perhaps not on the disk: what is told as failed is not there twice after it was
 * done again. */
static void
test_folder_sync(void)
{
  Fixture f = { 0 };
  set_up(&f, ML_ACCOUNT_MAILDIR, "Maildir");
  const guint flags[] = { 0, ML_FLAG_SEEN };
  g_assert_cmpint(g_mkdir_with_parents(f.local.path, 0700), ==, 0);
  append(&f, "Sent", MESSAGE, 0, NULL);
  g_autoptr(GBytes) bytes = g_bytes_new_static(MESSAGE, strlen(MESSAGE));
  for (guint i = 0; i < G_N_ELEMENTS(flags); i++) {
    g_autoptr(GError) error = NULL;
    folders_fail = TRUE;
    gboolean ok = ml_driver_append(f.driver, "Sent", bytes, flags[i], 0, NULL, &error);
    folders_fail = FALSE;
    g_assert_false(ok);
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_assert_null(strstr(error->message, "perhaps"));
    g_autoptr(GPtrArray) before = driver_open(f.driver, "Sent", 50);
    g_assert_cmpuint(before->len, ==, 1 + i);
    append(&f, "Sent", MESSAGE, flags[i], NULL);
    g_autoptr(GPtrArray) after = driver_open(f.driver, "Sent", 50);
    g_assert_cmpuint(after->len, ==, 2 + i);
  }
  g_autoptr(GError) error = NULL;
  append(&f, "Taken", "Subject: x\r\n\r\nx\r\n", ML_FLAG_SEEN, NULL);
  g_autofree char *there = g_build_filename(f.local.path, "Taken", "cur", NULL);
  taken = there;
  folders_fail = TRUE;
  gboolean ok = ml_driver_append(f.driver, "Taken", bytes, 0, 0, NULL, &error);
  folders_fail = FALSE;
  taken = NULL;
  g_assert_false(ok);
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_assert_nonnull(strstr(error->message, "perhaps in Taken"));
  g_autoptr(GPtrArray) all = driver_open(f.driver, "Taken", 50);
  g_assert_cmpuint(all->len, ==, 2);
  tear_down(&f);
}

static guint
messages(Fixture *f, const char *folder)
{
  g_autoptr(GPtrArray) all = driver_open(f->driver, folder, 50);
  return all->len;
}

static gboolean
append_failing(Fixture *f, const char *below, int after, GError **error)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static(MESSAGE, strlen(MESSAGE));
  fails_below = below;
  fails_after = after;
  folders_fail = TRUE;
  gboolean ok = ml_driver_append(f->driver, "sent", bytes, ML_FLAG_SEEN, 1600000000, NULL, error);
  folders_fail = FALSE;
  fails_below = NULL;
  return ok;
}

/* A new mbox, or its journal, whose folder cannot be synced: what is told as failed is not there, or it is said that it is
 * perhaps. */
static void
test_mbox_sync(void)
{
  guint failed = 0;
  gboolean ok = FALSE;
  for (int after = -1; !ok; after++) {
    Fixture f = { 0 };
    g_autoptr(GError) error = NULL;
    set_up(&f, ML_ACCOUNT_MBOX, "Mail");
    g_assert_cmpint(g_mkdir(f.local.path, 0700), ==, 0);
    for (guint again = 0; after < 0 && again < 2; again++) { /* the file is there the second time */
      g_autoptr(GError) why = NULL;
      g_assert_false(append_failing(&f, f.local.path, 0, &why));
      g_assert_error(why, ML_ERROR, ML_ERROR_STORE);
      g_assert_null(strstr(why->message, "perhaps"));
      g_assert_cmpuint(messages(&f, "sent"), ==, 0);
    }
    append(&f, "sent", MESSAGE, ML_FLAG_SEEN, NULL);
    g_assert_cmpuint(messages(&f, "sent"), ==, 1);
    ok = append_failing(&f, f.local.hooks.state_dir, MAX(after, 0), &error);
    g_assert_true(ok || g_error_matches(error, ML_ERROR, ML_ERROR_STORE));
    failed += !ok;
    if (ok || !strstr(error->message, "perhaps in sent"))
      g_assert_cmpuint(messages(&f, "sent"), ==, 1 + (guint)ok);
    else
      g_assert_cmpuint(messages(&f, "sent"), ==, 2);
    g_assert_cmpint(after, <, 20);
    tear_down(&f);
  }
  g_assert_cmpuint(failed, >, 2);
}

static void
test_mbox(void)
{
  Fixture f = { 0 };
  set_up(&f, ML_ACCOUNT_MBOX, "Mail");
  g_assert_cmpint(g_mkdir(f.local.path, 0700), ==, 0);
  g_autofree char *file = g_build_filename(f.local.path, "sent", NULL);
  g_assert_false(has(&f, "sent", "one@example.org"));
  append(&f, "sent", MESSAGE, ML_FLAG_SEEN, NULL);
  g_assert_true(has(&f, "sent", "one@example.org"));
  check_stored(&f, "sent", MESSAGE);
  g_autofree char *first = contents(file);
  g_assert_true(g_str_has_prefix(first, "From anna@example.org Sun Sep 13 "));
  g_assert_nonnull(strstr(first, "\n>From here on\n>>From there\n"));
  g_assert_true(g_str_has_suffix(first, "\n\n"));
  append(&f, "sent", "Message-ID: <two@example.org>\r\n\r\nno end", 0, NULL);
  g_autofree char *second = contents(file);
  g_assert_true(g_str_has_prefix(second, first));
  g_assert_true(g_str_has_suffix(second, "\nno end\n\n"));
  g_assert_nonnull(strstr(second, "\n\nFrom MAILER-DAEMON "));
  g_autoptr(GPtrArray) both = driver_open(f.driver, "sent", 50);
  g_assert_cmpuint(both->len, ==, 2);
  tear_down(&f);
}

/* Stopped at each step as a kill would: the next who comes finds the message or does not, and nothing half. */
static void
test_mbox_killed(void)
{
  guint stored = 0;
  for (int step = 0; step < 8; step++) {
    Fixture f = { 0 };
    set_up(&f, ML_ACCOUNT_MBOX, "Mail");
    g_assert_cmpint(g_mkdir(f.local.path, 0700), ==, 0);
    append(&f, "sent", "Message-ID: <zero@example.org>\r\n\r\nbefore\r\n", ML_FLAG_SEEN, NULL);
    g_autoptr(GBytes) bytes = g_bytes_new_static(MESSAGE, strlen(MESSAGE));
    ml_mbox_stop_after(step);
    g_autoptr(GError) error = NULL;
    gboolean ok = ml_driver_append(f.driver, "sent", bytes, ML_FLAG_SEEN, 1600000000, NULL, &error);
    ml_mbox_stop_after(-1);
    gboolean there = has(&f, "sent", "one@example.org");
    g_assert_true(!ok || there);
    g_autoptr(GPtrArray) headers = driver_open(f.driver, "sent", 50);
    g_assert_cmpuint(headers->len, ==, 1 + there);
    stored += there;
    tear_down(&f);
  }
  g_assert_cmpuint(stored, >, 2);
}

static void
test_limits(void)
{
  Fixture f = { 0 };
  set_up(&f, ML_ACCOUNT_MBOX, "Mail");
  g_assert_cmpint(g_mkdir(f.local.path, 0700), ==, 0);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) nul = g_bytes_new_static("a: b\r\n\r\n\0\r\n", 11);
  g_assert_false(ml_driver_append(f.driver, "sent", nul, 0, 0, NULL, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_MALFORMED);
  tear_down(&f);
}

static char *
password(const MlAccount *account, const MlServer *server, gboolean retry, GCancellable *cancellable,
         gpointer user_data, GError **error)
{
  (void)account;
  (void)server;
  (void)cancellable;
  (void)user_data;
  (void)error;
  return retry ? NULL : g_strdup("secret-carol");
}

static guint16
lab_port(const char *lab)
{
  g_autofree char *env = g_build_filename(lab, "env", NULL);
  g_autofree char *text = contents(env);
  const char *at = strstr(text, "PORT_TLS=");
  g_assert_nonnull(at);
  return (guint16)g_ascii_strtoull(at + 9, NULL, 10);
}

static void
test_dovecot(void)
{
  const char *dir = g_getenv("SIGNET_DOVECOT");
  if (!dir) {
    g_test_skip("run by tests/integration/dovecot.t");
    return;
  }
  Fixture f = { 0 };
  set_up(&f, ML_ACCOUNT_IMAP, "none");
  g_autofree char *lab = g_build_filename(dir, "lab", NULL);
  g_autofree char *ca = g_build_filename(lab, "tls", "ca-good.pem", NULL);
  g_autofree char *db = g_build_filename(f.local.dir, "nssdb", NULL);
  g_autofree char *sql = g_strconcat("sql:", db, NULL);
  g_assert_cmpint(g_mkdir(db, 0700), ==, 0);
  g_assert_cmpint(pki_spawn(NULL, NULL, "certutil", "-N", "--empty-password", "-d", sql, NULL), ==, 0);
  g_assert_cmpint(pki_spawn(NULL, NULL, "certutil", "-A", "-n", "lab", "-t", "C,,", "-i", ca, "-d", sql, NULL), ==, 0);
  g_autoptr(GError) error = NULL;
  gboolean opened = crypto_open(&(CryptoOptions){ .nssdb = db }, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
  f.local.account.imap = (MlServer){ .host = (char *)"localhost", .user = (char *)"carol", .port = lab_port(lab) };
  f.local.hooks.password = password;
  guint32 uid = 0, second = 0;
  g_autofree char *sent = ml_driver_role_folder(f.driver, ML_ROLE_SENT, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(sent, ==, "Gesendet");
  g_assert_false(has(&f, sent, "one@example.org"));
  append(&f, sent, MESSAGE, ML_FLAG_SEEN, &uid);
  append(&f, "Neu/Ganz tief", MESSAGE, ML_FLAG_SEEN, &second); /* the server says TRYCREATE */
  g_assert_cmpuint(uid, >, 0);
  g_assert_cmpuint(second, >, 0);
  g_assert_true(has(&f, sent, "<one@example.org>"));
  g_assert_false(has(&f, sent, "other@example.org"));
  g_assert_false(has(&f, sent, "ne@example.org")); /* a part of one that is there */
  g_assert_false(has(&f, sent, "one@example.or"));
  g_assert_false(has(&f, "Nowhere", "one@example.org"));
  append(&f, "Neu", "Subject: no brackets\r\nMessage-ID: bare@example.org\r\n\r\nx\r\n", ML_FLAG_SEEN, NULL);
  g_assert_true(has(&f, "Neu", "bare@example.org"));
  g_assert_true(has(&f, "Neu", "<bare@example.org>"));
  g_assert_false(has(&f, "Neu", "are@example.org"));
  check_stored(&f, sent, MESSAGE);
  check_stored(&f, "Neu/Ganz tief", MESSAGE);
  /* A search does not take the open folder away from the caller. */
  g_assert_true(has(&f, sent, "one@example.org"));
  g_autoptr(GBytes) again = ml_driver_fetch(f.driver, second, NULL, NULL, NULL, &error);
  g_assert_no_error(error);
  ml_driver_free(g_steal_pointer(&f.driver));
  g_assert_true(crypto_close(NULL));
  f.driver = NULL;
  tear_down(&f);
}

int
main(int argc, char **argv)
{
  g_setenv("TZ", "UTC", TRUE);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/append/maildir", test_maildir);
  g_test_add_func("/append/folder-sync", test_folder_sync);
  g_test_add_func("/append/mbox", test_mbox);
  g_test_add_func("/append/mbox-sync", test_mbox_sync);
  g_test_add_func("/append/mbox-killed", test_mbox_killed);
  g_test_add_func("/append/limits", test_limits);
  g_test_add_func("/append/dovecot", test_dovecot);
  return g_test_run();
}
