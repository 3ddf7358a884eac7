#include <fcntl.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/store.h"
#include "mail/worker.h"
#include "tests/unit/local-lab.h"

/* Mailboxes on this machine in the store: what a second start shows at once, and that the comparison makes it true. Real
 * files, real threads, and this thread as the screen, which keeps a list as the screen does. */
/* One that looks at the mailbox. */
typedef struct {
  MlWorker *worker;
  GHashTable *list;  /* number -> Row, as it would stand on the screen */
  guint32 validity;
  guint64 done;      /* the last command that ended */
  GError *error;     /* of it */
  guint told_stored; /* rows with text that came from the store before anything was compared */
  guint read;        /* those that came since */
  guint opened, notes;
} Screen;

typedef struct {
  char *subject; /* NULL: a line without text */
  guint flags;
} Row;

static void
row_free(gpointer data)
{
  g_free(((Row *)data)->subject);
  g_free(data);
}

static void
put_row(Screen *screen, guint32 uid, guint flags, const char *subject)
{
  Row *row = g_new0(Row, 1);
  row->flags = flags;
  row->subject = g_strdup(subject);
  g_hash_table_replace(screen->list, GUINT_TO_POINTER(uid), row);
}

static void
take_headers(Screen *screen, const MlEvent *event)
{
  for (guint i = 0; event->headers && i < event->headers->len; i++) {
    const MlHeader *header = event->headers->pdata[i];
    put_row(screen, header->uid, header->flags, header->subject);
    screen->read++;
  }
  for (guint i = 0; event->lines && i < event->lines->len; i++) {
    const MlLine *line = &g_array_index(event->lines, MlLine, i);
    put_row(screen, line->uid, line->flags, NULL);
  }
}

static void
on_event(MlEvent *event, gpointer user_data)
{
  Screen *screen = user_data;
  switch (event->kind) {
  case ML_EVENT_OPENED:
    if (screen->validity != event->selected.uidvalidity)
      g_hash_table_remove_all(screen->list);
    screen->validity = event->selected.uidvalidity;
    if (screen->opened++ == 1) { /* what came until now was from the store */
      screen->told_stored = screen->read;
      screen->read = 0;
    }
    break;
  case ML_EVENT_HEADERS:
    take_headers(screen, event);
    break;
  case ML_EVENT_NEW:
    take_headers(screen, event);
    break;
  case ML_EVENT_CHANGES:
    for (guint i = 0; i < event->changes->vanished->len; i++)
      g_hash_table_remove(screen->list, GUINT_TO_POINTER(g_array_index(event->changes->vanished, guint32, i)));
    for (guint i = 0; i < event->changes->flag_changes->len; i++) {
      const MlFlagChange *one = &g_array_index(event->changes->flag_changes, MlFlagChange, i);
      Row *row = g_hash_table_lookup(screen->list, GUINT_TO_POINTER(one->uid));
      if (row)
        row->flags = one->flags;
    }
    break;
  case ML_EVENT_NOTE:
    screen->notes++;
    break;
  case ML_EVENT_DONE:
    screen->done = event->id;
    g_clear_error(&screen->error);
    screen->error = g_steal_pointer(&event->error);
    break;
  default:
    break;
  }
}

static void
set_up(LocalMailbox *f, gconstpointer data)
{
  gboolean mbox = g_strcmp0(data, "mbox") == 0;
  local_begin(f, mbox ? ML_ACCOUNT_MBOX : ML_ACCOUNT_MAILDIR, mbox ? "spool" : "Maildir");
  local_keep_store(f);
  if (!mbox)
    local_make_maildir(f->path);
}

static void
tear_down(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  local_end(f);
}

static char *
path_of(LocalMailbox *f, const char *sub, const char *name)
{
  return g_build_filename(f->path, sub, name, NULL);
}

static void
deliver(LocalMailbox *f, const char *name, const char *subject)
{
  g_autofree char *text = g_strdup_printf("Subject: %s\n\nBody of %s\n", subject, subject);
  if (f->account.kind == ML_ACCOUNT_MBOX) {
    g_autofree char *mail = g_strdup_printf("From a@example.org Thu Jan  1 00:00:00 2026\n%s\n", text);
    local_write(f->path, mail, O_APPEND);
    return;
  }
  local_deliver(f->path, "cur", name, text);
}

static void
fill(LocalMailbox *f, guint messages)
{
  for (guint i = 0; i < messages; i++) {
    g_autofree char *name = g_strdup_printf("%u.m:2,S", 1700000000 + i), *subject = g_strdup_printf("s%u", i);
    deliver(f, name, subject);
  }
}

static Screen *
begin(LocalMailbox *f)
{
  Screen *screen = g_new0(Screen, 1);
  screen->list = g_hash_table_new_full(NULL, NULL, NULL, row_free);
  screen->worker = ml_worker_new(&f->account, &f->hooks, on_event, screen);
  return screen;
}

static void
end(Screen *screen)
{
  ml_worker_free(screen->worker);
  g_hash_table_unref(screen->list);
  g_clear_error(&screen->error);
  g_free(screen);
}

static void
await(Screen *screen, guint64 id)
{
  gint64 limit = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
  while (screen->done < id) {
    g_assert_cmpint(g_get_monotonic_time(), <, limit);
    g_main_context_iteration(NULL, FALSE);
    g_thread_yield();
  }
}

static void
open_box(Screen *screen)
{
  await(screen, ml_worker_open(screen->worker, "INBOX", 30));
  g_assert_no_error(screen->error);
}

static Screen *
begin_open(LocalMailbox *f)
{
  Screen *screen = begin(f);
  open_box(screen);
  return screen;
}

static guint32
number_of(Screen *screen, const char *subject)
{
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init(&iter, screen->list);
  while (g_hash_table_iter_next(&iter, &key, &value))
    if (g_strcmp0(((Row *)value)->subject, subject) == 0)
      return GPOINTER_TO_UINT(key);
  return 0;
}

static guint
flags_of(Screen *screen, guint32 uid)
{
  Row *row = g_hash_table_lookup(screen->list, GUINT_TO_POINTER(uid));
  g_assert_nonnull(row);
  return row->flags;
}

static void
await_rows(Screen *screen, guint rows)
{
  gint64 limit = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
  while (g_hash_table_size(screen->list) != rows) {
    g_assert_cmpint(g_get_monotonic_time(), <, limit);
    g_main_context_iteration(NULL, FALSE);
    g_thread_yield();
  }
}

/* The list of the store and that of the screen are the same. */
static void
check_store(LocalMailbox *f, Screen *screen)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlStore) store = ml_store_open(f->hooks.store_dir, &f->account, &error);
  g_assert_no_error(error);
  MlStoreFolder about;
  g_assert_true(ml_store_folder(store, "INBOX", &about, &error));
  g_assert_true(about.complete);
  g_assert_cmpuint(about.point.uidvalidity, ==, screen->validity);
  g_autoptr(GPtrArray) headers = ml_store_headers(store, "INBOX", 0, 100000, &error);
  g_assert_cmpuint(headers->len, ==, g_hash_table_size(screen->list));
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    const Row *row = g_hash_table_lookup(screen->list, GUINT_TO_POINTER(header->uid));
    g_assert_nonnull(row);
    g_assert_cmpuint(row->flags, ==, header->flags);
    g_assert_true(!row->subject || strcmp(row->subject, header->subject) == 0);
  }
}

static void
test_second(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 2500);
  Screen *screen = begin_open(f);
  g_assert_cmpuint(screen->told_stored, ==, 0);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 2500);
  guint32 first = number_of(screen, "s0"), validity = screen->validity;
  check_store(f, screen);
  end(screen);
  screen = begin_open(f);
  g_assert_cmpuint(screen->told_stored, ==, 30);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 2500);
  g_assert_cmpuint(screen->opened, ==, 2);
  g_assert_cmpuint(screen->read, ==, 0);
  g_assert_cmpuint(screen->validity, ==, validity);
  g_assert_nonnull(g_hash_table_lookup(screen->list, GUINT_TO_POINTER(first)));
  g_assert_cmpuint(screen->notes, ==, 0);
  check_store(f, screen);
  end(screen);
}

/* What another program did while nobody looked. */
static void
test_meanwhile(LocalMailbox *f, gconstpointer data)
{
  gboolean mbox = g_strcmp0(data, "mbox") == 0;
  fill(f, 20);
  Screen *screen = begin_open(f);
  guint32 gone = number_of(screen, "s3"), changed = number_of(screen, "s5"), last = number_of(screen, "s19");
  guint flags = flags_of(screen, changed);
  end(screen);
  if (mbox) {
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(f->path, &text, NULL, NULL));
    char *at = strstr(text, "Subject: s3\n");
    while (memcmp(at, "From ", 5) != 0)
      at--;
    const char *next = strstr(at + 5, "From a@");
    GString *other = g_string_new_len(text, at - text);
    const char *fifth = strstr(next, "Subject: s5\n");
    g_string_append_len(other, next, fifth - next);
    g_string_append(other, "Status: RO\nX-Status: F\n");
    g_string_append(other, fifth);
    g_assert_true(g_file_set_contents(f->path, other->str, -1, NULL));
    g_string_free(other, TRUE);
  } else {
    g_autofree char *old = path_of(f, "cur", "1700000003.m:2,S"), *from = path_of(f, "cur", "1700000005.m:2,S"),
                    *to = path_of(f, "cur", "1700000005.m:2,FS");
    g_assert_cmpint(g_unlink(old), ==, 0);
    g_assert_cmpint(g_rename(from, to), ==, 0);
  }
  deliver(f, "1800000000.x:2,", "fresh");
  screen = begin_open(f);
  g_assert_cmpuint(screen->told_stored, ==, 20); /* at once, as it was */
  g_assert_cmpuint(screen->read, ==, 1);         /* of the disk, the new one alone */
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 20);
  g_assert_null(g_hash_table_lookup(screen->list, GUINT_TO_POINTER(gone)));
  g_assert_cmpuint(flags_of(screen, changed) & ~(guint)ML_FLAG_RECENT, ==, ML_FLAG_SEEN | ML_FLAG_FLAGGED);
  g_assert_cmpuint(flags_of(screen, changed), !=, flags);
  g_assert_cmpuint(number_of(screen, "fresh"), >, last);
  check_store(f, screen);
  end(screen);
}

/* One that was put away and comes back has its old number, and is in the list again. */
static void
test_back(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 5);
  Screen *screen = begin_open(f);
  guint32 uid = number_of(screen, "s2");
  g_autofree char *here = path_of(f, "cur", "1700000002.m:2,S"), *away = g_build_filename(f->dir, "away", NULL);
  g_assert_cmpint(g_rename(here, away), ==, 0);
  await_rows(screen, 4);
  g_assert_cmpint(g_rename(away, here), ==, 0);
  await_rows(screen, 5);
  g_assert_cmpuint(number_of(screen, "s2"), ==, uid);
  check_store(f, screen);
  end(screen);
}

/* The numbers begin anew: nothing of the old list is taken for a message of the new one. */
static void
test_renumbered(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 5);
  Screen *screen = begin_open(f);
  guint32 validity = screen->validity;
  end(screen);
  tree_remove(f->hooks.state_dir);
  if (f->account.kind == ML_ACCOUNT_MBOX)
    g_assert_cmpint(g_unlink(f->path), ==, 0);
  else {
    g_autofree char *cur = path_of(f, "cur", NULL);
    tree_remove(cur);
    g_assert_cmpint(g_mkdir(cur, 0700), ==, 0);
  }
  deliver(f, "1700000001.other:2,S", "another");
  screen = begin_open(f);
  g_assert_cmpuint(screen->validity, !=, validity);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 1);
  g_assert_cmpuint(number_of(screen, "another"), ==, 1);
  check_store(f, screen);
  end(screen);
}

static char *
store_file(LocalMailbox *f)
{
  return g_build_filename(f->hooks.store_dir, "here.db", NULL);
}

static void
test_damaged(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 50);
  end(begin_open(f));
  g_autofree char *file = store_file(f);
  static const char *const suffixes[] = { "-wal", "-shm" };
  for (guint i = 0; i < 2; i++) {
    g_autofree char *beside = g_strconcat(file, suffixes[i], NULL);
    g_unlink(beside);
  }
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  static const char rubbish[65536] = { 'x' };
  g_assert_cmpint(pwrite(fd, rubbish, sizeof rubbish, 0), ==, (ssize_t)sizeof rubbish);
  close(fd);
  Screen *screen = begin_open(f);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 50);
  g_assert_cmpuint(number_of(screen, "s0"), ==, 1);
  end(screen);
  g_assert_cmpint(g_unlink(file), ==, 0); /* and one that is not there any more */
  screen = begin_open(f);
  g_assert_cmpuint(screen->told_stored, ==, 0);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 50);
  check_store(f, screen);
  end(screen);
}

/* Where the store cannot be written the list is right all the same. */
static void
test_unwritable(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 50);
  g_assert_true(g_file_set_contents(f->hooks.store_dir, "no folder", -1, NULL));
  Screen *screen = begin_open(f);
  g_assert_cmpuint(screen->notes, ==, 1);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 50);
  deliver(f, "1800000000.x:2,", "fresh");
  await_rows(screen, 51);
  end(screen);
  g_assert_cmpint(g_unlink(f->hooks.store_dir), ==, 0);
}

/* Somebody holds the store's lock: what is there is shown, and what the disk says counts. */
static void
test_locked(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 20);
  end(begin_open(f));
  deliver(f, "1800000000.x:2,", "fresh");
  g_autofree char *file = store_file(f);
  sqlite3 *other;
  g_assert_cmpint(sqlite3_open(file, &other), ==, SQLITE_OK);
  g_assert_cmpint(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), ==, SQLITE_OK);
  Screen *screen = begin_open(f);
  g_assert_cmpuint(screen->told_stored, ==, 20);
  g_assert_cmpuint(screen->notes, ==, 1);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 21);
  g_assert_cmpuint(number_of(screen, "fresh"), !=, 0);
  sqlite3_close(other);
  end(screen);
  screen = begin_open(f);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 21);
  check_store(f, screen);
  end(screen);
}

static void
change_flags(Screen *screen, guint32 uid, guint add)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof uid);
  g_array_append_val(uids, uid);
  await(screen, ml_worker_flags(screen->worker, "INBOX", uids, add, 0));
  g_assert_no_error(screen->error);
}

/* Two at one mailbox and one store; what each does the other shows. */
static void
test_two(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 30);
  Screen *one = begin(f), *other = begin(f);
  open_box(one);
  open_box(other);
  g_assert_cmpuint(one->validity, ==, other->validity);
  guint32 uid = number_of(one, "s7");
  change_flags(one, uid, ML_FLAG_FLAGGED);
  gint64 limit = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
  while (!(flags_of(other, uid) & ML_FLAG_FLAGGED)) {
    g_assert_cmpint(g_get_monotonic_time(), <, limit);
    g_main_context_iteration(NULL, FALSE);
    g_thread_yield();
  }
  deliver(f, "1800000000.x:2,", "fresh");
  await_rows(one, 31);
  await_rows(other, 31);
  g_assert_cmpuint(number_of(one, "fresh"), ==, number_of(other, "fresh"));
  end(one);
  end(other);
  Screen *again = begin_open(f);
  g_assert_cmpuint(g_hash_table_size(again->list), ==, 31);
  g_assert_cmpuint(flags_of(again, uid) & ML_FLAG_FLAGGED, !=, 0);
  check_store(f, again);
  end(again);
}

/* Marks are changed, by us and in new/, and the store says the same as the disk afterwards: nothing is left to compare. */
static void
test_flags(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 3);
  local_deliver(f->path, "new", "1800000000.n", "Subject: new\n\nx\n");
  Screen *screen = begin_open(f);
  guint32 uid = number_of(screen, "new");
  g_assert_cmpuint(flags_of(screen, uid), ==, ML_FLAG_RECENT);
  end(screen);
  screen = begin_open(f);
  g_assert_cmpuint(flags_of(screen, uid), ==, ML_FLAG_RECENT); /* as the store has it */
  change_flags(screen, uid, ML_FLAG_SEEN);
  g_hash_table_lookup(screen->list, GUINT_TO_POINTER(uid));
  put_row(screen, uid, ML_FLAG_SEEN, NULL);
  check_store(f, screen);
  end(screen);
}

/* A file that a person edited under its name: its line is read anew, and stays in its place meanwhile. */
static void
test_edited(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 40);
  Screen *screen = begin_open(f);
  guint32 uid = number_of(screen, "s8");
  end(screen);
  g_autofree char *path = path_of(f, "cur", "1700000008.m:2,S");
  g_assert_true(g_file_set_contents(path, "Subject: edited\n\nBody\n", -1, NULL));
  screen = begin_open(f);
  g_assert_cmpuint(screen->read, ==, 1);
  g_assert_cmpuint(number_of(screen, "edited"), ==, uid);
  check_store(f, screen);
  end(screen);
}

/* A folder that is not there any more has nothing in the list. */
static void
test_gone(LocalMailbox *f, gconstpointer data)
{
  (void)data;
  fill(f, 5);
  g_autofree char *sub = g_build_filename(f->path, ".Sub", NULL);
  local_make_maildir(sub);
  local_deliver(sub, "cur", "1.x:2,S", "Subject: in it\n\nx\n");
  Screen *screen = begin(f);
  await(screen, ml_worker_open(screen->worker, "Sub", 30));
  g_assert_no_error(screen->error);
  g_assert_cmpuint(g_hash_table_size(screen->list), ==, 1);
  end(screen);
  tree_remove(sub);
  for (guint i = 0; i < 2; i++) {
    screen = begin(f);
    await(screen, ml_worker_open(screen->worker, "Sub", 30));
    g_assert_error(screen->error, ML_ERROR, ML_ERROR_NO_FOLDER);
    g_assert_cmpuint(screen->read, ==, i == 0 ? 1 : 0);
    g_assert_cmpuint(g_hash_table_size(screen->list), ==, 0);
    end(screen);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, kind, func) g_test_add("/local/" kind "/" name, LocalMailbox, kind, set_up, func, tear_down)
#define BOTH(name, func)                                                                                     \
  ADD(name, "maildir", func);                                                                                \
  ADD(name, "mbox", func)
  BOTH("second", test_second);
  BOTH("meanwhile", test_meanwhile);
  BOTH("renumbered", test_renumbered);
  BOTH("damaged", test_damaged);
  BOTH("unwritable", test_unwritable);
  BOTH("locked", test_locked);
  BOTH("two", test_two);
  ADD("back", "maildir", test_back);
  ADD("flags", "maildir", test_flags);
  ADD("edited", "maildir", test_edited);
  ADD("gone", "maildir", test_gone);
  return g_test_run();
}
