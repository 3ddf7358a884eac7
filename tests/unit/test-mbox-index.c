#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mail/mbox-private.h"
#include "tests/unit/driver-lab.h"
#include "tests/unit/local-lab.h"

/* What is kept of an mbox file, and other programs that change the file meanwhile: whatever they did, what is told of it must
 * be what somebody says who reads it for the first time. */
#define FROM "From anna@example.org Thu Mar 12 14:02:00 2026\n"
#define FIRST(subject, from)                                                                                           \
  FROM "Subject: " subject "\nFrom: a@b\n\nText.\n>From here it is quoted\n\n" from                                       \
       " anna@example.org Thu Mar 12 14:02:00 2026\nSubject: x\n\nIt ends.\n\n"
#define ONE FIRST("one", "Form")
#define SPLIT FIRST("one", "From")
#define TWO FROM "Subject: two\nStatus: RO\nX-Status: AF\n\nSecond\n\n\n"
#define THREE FROM "Subject: three\n\nThird\n"
#define FOUR "\n" FROM "Subject: four\n\nFourth\n"

static void
set_up(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  local_begin(f, ML_ACCOUNT_MBOX, "anna");
  local_write(f->path, ONE TWO THREE, O_TRUNC);
}

static void
tear_down(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  local_end(f);
}

/* All that a driver says of the file: subject, marks, length and octets of each message, the oldest first. */
static char *
told_by(MlDriver *driver)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  MlSelected selected;
  gboolean ok = ml_driver_select(driver, "INBOX", &selected, &error);
  g_autoptr(GArray) marks = ok ? ml_driver_uids(driver, &error) : NULL;
  ok = marks && ml_driver_headers(driver, 0, 2, driver_collect, all, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  GString *said = g_string_new(NULL);
  for (guint i = 0; i < marks->len; i++)
    g_string_append_printf(said, "%x ", g_array_index(marks, MlFlagChange, i).flags);
  for (guint i = all->len; i > 0; i--) {
    const MlHeader *header = g_ptr_array_index(all, i - 1);
    g_autoptr(GBytes) bytes = ml_driver_fetch(driver, header->uid, NULL, NULL, NULL, NULL);
    g_string_append_printf(said, "[%s %x %" G_GUINT64_FORMAT " ", header->subject, header->flags, header->size);
    if (bytes)
      g_string_append_len(said, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes));
    g_string_append(said, "]");
  }
  return g_string_free(said, FALSE);
}

/* By one that starts with what is kept in the folder @state. @looks: how often it looks. */
static char *
told(LocalMailbox *f, const char *state, guint looks)
{
  g_autofree char *dir = g_build_filename(f->dir, state, NULL);
  const MlDriverHooks hooks = { .state_dir = dir };
  g_autoptr(MlDriver) driver = ml_driver_new(&f->account, &hooks);
  char *said = NULL;
  for (; looks; looks--) {
    g_free(said);
    said = told_by(driver);
  }
  return said;
}

static char *
index_path(LocalMailbox *f)
{
  g_autofree char *dir = g_build_filename(f->dir, "kept", "mbox", NULL);
  g_autoptr(GDir) inside = g_dir_open(dir, 0, NULL);
  for (const char *name; inside && (name = g_dir_read_name(inside));)
    if (g_str_has_suffix(name, ".index"))
      return g_build_filename(dir, name, NULL);
  g_assert_not_reached();
}

/* Keeps an index of the file as it is, and with @old one that may be believed by the file's times alone. */
static void
keep(LocalMailbox *f, gboolean old)
{
  struct stat about;
  g_assert_cmpint(stat(f->path, &about), ==, 0);
  gint64 end = (gint64)about.st_ctim.tv_sec * G_USEC_PER_SEC + about.st_ctim.tv_nsec / 1000 + G_USEC_PER_SEC / 9;
  while (old && g_get_real_time() < end)
    g_usleep(1000);
  g_autofree char *first = told(f, "kept", 1), *file = index_path(f);
  g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
}

typedef struct {
  const char *name, *text;
  gboolean replaced, times; /* another file under the name; the time of the last write is set back */
} Change;

static const Change changes[] = {
  { "nothing", ONE TWO THREE, FALSE, TRUE },
  { "written again", ONE TWO THREE, FALSE, FALSE },
  { "appended", ONE TWO THREE FOUR, FALSE, FALSE },
  { "appended, time set back", ONE TWO THREE FOUR, FALSE, TRUE },
  { "the last goes on", ONE TWO THREE "Some more of it.\n", FALSE, FALSE },
  { "the last goes on, and one comes", ONE TWO THREE "Some more of it.\n" FOUR, FALSE, FALSE },
  { "an empty line behind", ONE TWO THREE "\n\n", FALSE, FALSE },
  { "another text", FIRST("eno", "Form") TWO THREE, FALSE, TRUE },
  { "another text, and one comes", FIRST("eno", "Form") TWO THREE FOUR,
    FALSE, FALSE },
  { "another mark", ONE FROM "Subject: two\nStatus:  O\nX-Status: AF\n\nSecond\n\n\n" THREE, FALSE, TRUE },
  { "another mark, and one comes", ONE FROM "Subject: two\nStatus:  O\nX-Status: AF\n\nSecond\n\n\n" THREE FOUR, FALSE,
    FALSE },
  { "in another order", TWO ONE THREE, FALSE, TRUE },
  { "in another order, and one comes", TWO ONE THREE FOUR, FALSE, FALSE },
  { "another body", ONE FROM "Subject: two\nStatus: RO\nX-Status: AF\n\nSeconD\n\n\n" THREE, FALSE, TRUE },
  { "two of one", SPLIT TWO THREE, FALSE, TRUE },
  { "cut off", ONE TWO, FALSE, FALSE },
  { "cut in the midst", ONE TWO FROM "Subject: th", FALSE, TRUE },
  { "one taken out", ONE THREE, FALSE, FALSE },
  { "one taken out, others come", ONE THREE FOUR FOUR, FALSE, FALSE },
  { "another file", ONE TWO FROM "Subject: eerht\n\nThird\n", TRUE, TRUE },
  { "another file that is longer", ONE TWO THREE FOUR, TRUE, TRUE },
  { "emptied", "", FALSE, FALSE },
};

static const Change *
named(const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS(changes); i++)
    if (strcmp(changes[i].name, name) == 0)
      return &changes[i];
  g_assert_not_reached();
}

/* Those that nothing but a look into the file can tell from what it was. */
static void
test_sizes(void)
{
  static const char *const names[] = { "another text", "another mark", "another body", "another file", "two of one",
                                       "in another order" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_cmpuint(strlen(named(names[i])->text), ==, strlen(ONE TWO THREE));
}

static void
change_file(LocalMailbox *f, const Change *change)
{
  struct stat before;
  g_assert_cmpint(stat(f->path, &before), ==, 0);
  g_autofree char *other = g_strconcat(f->path, ".other", NULL);
  local_write(change->replaced ? other : f->path, change->text, change->replaced ? O_TRUNC : 0);
  if (!change->replaced)
    g_assert_cmpint(truncate(f->path, (off_t)strlen(change->text)), ==, 0);
  else
    g_assert_cmpint(g_rename(other, f->path), ==, 0);
  const struct timespec times[2] = { before.st_atim, before.st_mtim };
  if (change->times)
    g_assert_cmpint(utimensat(AT_FDCWD, f->path, times, 0), ==, 0);
}

static void
test_changes(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  for (guint i = 0; i < 2 * G_N_ELEMENTS(changes); i++) {
    const Change *change = &changes[i / 2];
    g_test_message("%s", change->name);
    local_write(f->path, ONE TWO THREE, O_TRUNC);
    keep(f, i % 2);
    change_file(f, change);
    /* Where one became two without a word in any header, it is seen once it is asked for. */
    guint looks = strcmp(change->name, "two of one") == 0 ? 2 : 1;
    g_autofree char *kept = told(f, "kept", looks), *fresh = told(f, "fresh", 1);
    g_assert_cmpstr(kept, ==, fresh);
    g_autofree char *again = told(f, "kept", 1);
    g_assert_cmpstr(again, ==, fresh);
  }
}

/* The same while the mailbox is open. */
static void
test_meanwhile(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  for (guint i = 0; i < 2 * G_N_ELEMENTS(changes); i++) {
    const Change *change = &changes[i / 2];
    g_autofree char *dir = g_build_filename(f->dir, "kept", NULL);
    const MlDriverHooks hooks = { .state_dir = dir };
    g_autoptr(GError) error = NULL;
    g_test_message("%s", change->name);
    local_write(f->path, ONE TWO THREE, O_TRUNC);
    keep(f, i % 2);
    g_autoptr(MlDriver) driver = ml_driver_new(&f->account, &hooks);
    g_autofree char *before = told_by(driver);
    change_file(f, change);
    g_autoptr(MlChanges) news = ml_changes_new();
    g_assert_true(ml_driver_poll(driver, news, &error));
    g_autofree char *first = told_by(driver), *kept = told_by(driver), *fresh = told(f, "fresh", 1);
    g_assert_true(strcmp(first, fresh) == 0 || strcmp(change->name, "two of one") == 0);
    g_assert_cmpstr(kept, ==, fresh);
  }
}

/* A write in the same tick of the clock as the one before our look, as long as before: the file has the very times that were
 * seen, which is why a file that was young then is looked at again. */
static void
test_same_tick(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  static const guint marks[] = { ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FLAGGED, ML_FLAG_ANSWERED | ML_FLAG_FLAGGED };
  const char *const texts[] = { ONE TWO THREE, named("another mark")->text };
  g_autofree char *dir = g_build_filename(f->dir, "kept", NULL);
  const MlDriverHooks hooks = { .state_dir = dir };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDriver) driver = ml_driver_new(&f->account, &hooks);
  MlSelected selected;
  local_write(f->path, texts[0], O_TRUNC);
  g_assert_true(ml_driver_select(driver, "INBOX", &selected, &error));
  for (guint i = 1; i < 5; i++) {
    MlMboxIndex *index = ((MlMbox *)driver)->index;
    local_write(f->path, texts[i % 2], 0);
    g_assert_cmpint(stat(f->path, &index->about), ==, 0);
    index->young = TRUE;
    g_autoptr(MlChanges) news = ml_changes_new();
    g_assert_true(ml_driver_poll(driver, news, &error));
    g_autoptr(GArray) uids = ml_driver_uids(driver, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(uids->len, ==, 3);
    g_assert_cmpuint(g_array_index(uids, MlFlagChange, 1).flags & ~(guint)ML_FLAG_RECENT, ==, marks[i % 2]);
  }
}

/* In the place of libc's: another program writes into the mailbox behind the first look into it. */
static const char *written_behind, *mailbox;

ssize_t read_and_write(int fd, void *buffer, size_t length, off_t at) __asm__("pread");

ssize_t
read_and_write(int fd, void *buffer, size_t length, off_t at)
{
  ssize_t n = syscall(SYS_pread64, fd, buffer, length, at);
  struct stat here, there;
  if (!written_behind || fstat(fd, &here) != 0 || stat(mailbox, &there) != 0 || here.st_ino != there.st_ino)
    return n;
  const struct timespec times[2] = { there.st_atim, there.st_mtim };
  local_write(mailbox, g_steal_pointer(&written_behind), 0);
  g_assert_cmpint(utimensat(AT_FDCWD, mailbox, times, 0), ==, 0);
  return n;
}

/* What the file was is asked before anything in it is read, with an index and without: a write between the two is no part of
 * what was read, and makes it another file. */
static void
test_written_behind(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  for (guint i = 0; i < 2; i++) {
    g_autofree char *dir = g_build_filename(f->dir, i ? "none" : "kept", NULL);
    const MlDriverHooks hooks = { .state_dir = dir };
    g_autoptr(GError) error = NULL;
    g_autoptr(MlDriver) driver = ml_driver_new(&f->account, &hooks);
    MlSelected selected;
    local_write(f->path, ONE TWO THREE, O_TRUNC);
    keep(f, TRUE);
    mailbox = f->path;
    written_behind = named("another mark")->text;
    g_assert_true(ml_driver_select(driver, "INBOX", &selected, &error));
    g_assert_null(written_behind);
    g_autoptr(MlChanges) news = ml_changes_new();
    g_assert_true(ml_driver_poll(driver, news, &error));
    g_autoptr(GArray) uids = ml_driver_uids(driver, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(uids->len, ==, 3);
    g_assert_cmpuint(g_array_index(uids, MlFlagChange, 1).flags & ML_FLAG_SEEN, ==, 0);
  }
}

/* What is deleted is what was meant, and nothing else, whatever the index says. */
static void
test_delete(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  static const char *const left[] = { [0] = ONE THREE, [1] = ONE THREE, [2] = ONE THREE FOUR };
  for (guint i = 0; i < 2 * G_N_ELEMENTS(left); i++) {
    g_autofree char *dir = g_build_filename(f->dir, "kept", NULL);
    const MlDriverHooks hooks = { .state_dir = dir };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    local_write(f->path, ONE TWO THREE, O_TRUNC);
    keep(f, i % 2);
    change_file(f, &changes[i / 2]);
    g_autoptr(MlDriver) driver = ml_driver_new(&f->account, &hooks);
    MlSelected selected;
    g_assert_true(ml_driver_select(driver, "INBOX", &selected, &error));
    guint32 second = 2;
    g_array_append_val(uids, second);
    g_assert_true(ml_driver_delete(driver, uids, &error));
    g_assert_no_error(error);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(f->path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, left[i / 2]);
  }
  /* Behind an open driver's back the first became two: what was meant is not there any more, and nothing is cut. */
  g_autofree char *dir = g_build_filename(f->dir, "kept", NULL);
  const MlDriverHooks hooks = { .state_dir = dir };
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  local_write(f->path, ONE TWO THREE, O_TRUNC);
  keep(f, TRUE);
  g_autoptr(MlDriver) driver = ml_driver_new(&f->account, &hooks);
  MlSelected selected;
  g_assert_true(ml_driver_select(driver, "INBOX", &selected, NULL));
  change_file(f, named("two of one"));
  guint32 first = 1;
  g_array_append_val(uids, first);
  g_assert_false(ml_driver_delete(driver, uids, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(f->path, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, SPLIT TWO THREE);
}

/* What is kept may be damaged, or cut short. */
static void
test_damage(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  keep(f, TRUE);
  g_autofree char *fresh = told(f, "fresh", 1), *file = index_path(f), *good = NULL;
  gsize length;
  g_assert_true(g_file_get_contents(file, &good, &length, NULL));
  for (gsize at = 0; at < length; at += 5) {
    g_autofree char *bad = g_memdup2(good, length);
    bad[at] = (char)(bad[at] ^ 0x15);
    g_assert_true(g_file_set_contents(file, bad, (gssize)length, NULL));
    g_autofree char *said = told(f, "kept", 1);
    g_assert_cmpstr(said, ==, fresh);
  }
  for (gsize cut = 0; cut < length; cut += 37) {
    g_assert_true(g_file_set_contents(file, good, (gssize)cut, NULL));
    g_autofree char *said = told(f, "kept", 1);
    g_assert_cmpstr(said, ==, fresh);
  }
}

static guint64
octets_read(void)
{
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents("/proc/self/io", &text, NULL, NULL));
  return g_ascii_strtoull(strstr(text, "rchar: ") + 7, NULL, 10);
}

/* It is worth it: a large mailbox is not read again, and of one that grew what is new. */
static void
test_read(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  enum { LARGE = 8 * 1024 * 1024 };
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < 4; i++) {
    g_string_append_printf(text, FROM "Subject: large %u\n\n", i);
    while (text->len < (i + 1) * LARGE / 4)
      g_string_append(text, "A line of a large letter, and not the last one of them by far.\n");
    g_string_append(text, "\n");
  }
  local_write(f->path, text->str, O_TRUNC);
  keep(f, TRUE);
  for (guint i = 0; i < 2; i++) {
    g_autofree char *dir = g_build_filename(f->dir, "kept", NULL);
    const MlDriverHooks hooks = { .state_dir = dir };
    MlSelected selected;
    gboolean found = FALSE;
    if (i)
      local_write(f->path, FROM "Subject: small\n\nSmall\n\n", O_APPEND);
    g_autoptr(MlDriver) driver = ml_driver_new(&f->account, &hooks);
    guint64 before = octets_read();
    g_assert_true(ml_driver_select(driver, "INBOX", &selected, NULL));
    g_assert_cmpuint(octets_read() - before, <, i ? LARGE / 2 : LARGE / 8);
    g_assert_cmpuint(selected.total, ==, 4 + i);
    before = octets_read();
    g_assert_true(ml_driver_has(driver, "INBOX", "<nowhere@x>", &found, NULL));
    g_assert_false(found);
    g_assert_cmpuint(octets_read() - before, <, LARGE / 2);
  }
  g_autofree char *kept = told(f, "kept", 1), *fresh = told(f, "fresh", 1);
  g_assert_cmpstr(kept, ==, fresh);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/mbox-index/" name, LocalMailbox, NULL, set_up, func, tear_down)
  g_test_add_func("/mbox-index/sizes", test_sizes);
  ADD("changes", test_changes);
  ADD("meanwhile", test_meanwhile);
  ADD("same-tick", test_same_tick);
  ADD("written-behind", test_written_behind);
  ADD("delete", test_delete);
  ADD("damage", test_damage);
  ADD("read", test_read);
  return g_test_run();
}
