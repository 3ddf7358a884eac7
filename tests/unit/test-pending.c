#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/store-pending-private.h"
#include "mail/worker-private.h"
#include "tests/unit/locks.h"

/* The journal of changes: kept over kill -9, apart for each account, set aside when it is damaged. What is carried out
 * at a server is in tests/integration/pending.t. */
typedef struct {
  char *dir;
  MlAccount account;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
  f->dir = g_dir_make_tmp("signet-pending-XXXXXX", NULL);
  f->account = (MlAccount){ .name = g_strdup("far"), .kind = ML_ACCOUNT_IMAP };
  f->account.imap.host = g_strdup("mail.example.org");
  f->account.imap.user = g_strdup("anna");
  f->account.imap.port = 993;
}

static void
tear_down(Fixture *f, gconstpointer data)
{
  g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(f->dir, name, NULL);
    g_assert_cmpint(g_unlink(path), ==, 0);
  }
  g_assert_cmpint(g_rmdir(f->dir), ==, 0);
  g_free(f->account.name);
  g_free(f->account.imap.host);
  g_free(f->account.imap.user);
  g_free(f->dir);
}

static MlPending *
must_open(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  MlPending *pending = ml_pending_open(f->dir, &f->account, FALSE, &error);
  g_assert_no_error(error);
  g_assert_nonnull(pending);
  return pending;
}

static gint64
add(MlPending *pending, MlPendingKind kind, guint32 uid, guint add_flags, guint remove, const char *to)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPendingEntry) entry = ml_pending_entry_new(kind, "INBOX", 7, to);
  entry->add = add_flags;
  entry->remove = remove;
  ml_pending_entry_add(entry, uid, ML_FLAG_SEEN, "id@example.org", "A subject");
  gint64 id = ml_pending_add(pending, entry, &error);
  g_assert_no_error(error);
  return id;
}

static guint
count(MlPending *pending)
{
  g_autoptr(GError) error = NULL;
  guint open, failed;
  g_assert_true(ml_pending_count(pending, &open, &failed, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(failed, ==, 0);
  return open;
}

static void
test_kept(Fixture *f, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPending) first = must_open(f);
  gint64 one = add(first, ML_PENDING_MOVE, 4, 0, 0, "Trash"), two = add(first, ML_PENDING_FLAGS, 5, ML_FLAG_FLAGGED, 0, NULL);
  g_assert_cmpint(two, >, one);
  g_autoptr(MlPending) second = must_open(f);
  g_autoptr(GPtrArray) list = ml_pending_list(second, ML_PENDING_OPEN, 0, 0, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(list->len, ==, 2);
  const MlPendingEntry *entry = list->pdata[0];
  const MlPendingMessage *message = entry->messages->pdata[0];
  g_assert_cmpint(entry->id, ==, one);
  g_assert_cmpint(entry->kind, ==, ML_PENDING_MOVE);
  g_assert_cmpstr(entry->folder, ==, "INBOX");
  g_assert_cmpstr(entry->to, ==, "Trash");
  g_assert_cmpuint(entry->uidvalidity, ==, 7);
  g_assert_cmpuint(message->uid, ==, 4);
  g_assert_cmpuint(message->flags, ==, ML_FLAG_SEEN);
  g_assert_cmpstr(message->message_id, ==, "id@example.org");
  g_autofree char *words = ml_pending_words(entry);
  g_assert_cmpstr(words, ==, "move to Trash: \"A subject\" in INBOX");
  g_assert_true(ml_pending_drop(second, one, &error));
  g_assert_false(ml_pending_drop(second, one, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_assert_cmpuint(count(first), ==, 1);
  GStatBuf about;
  g_autofree char *file = ml_pending_file(f->dir, &f->account);
  g_assert_cmpint(g_stat(file, &about), ==, 0);
  g_assert_cmpuint(about.st_mode & 0777, ==, 0600);
}

/* Numbers of messages mean nothing without the folder that they are of; a Message-ID does. */
static void
test_nowhere(Fixture *f, gconstpointer data)
{
  static const struct {
    MlPendingKind kind;
    guint add;
    gboolean kept;
  } cases[] = { { ML_PENDING_FLAGS, ML_FLAG_FLAGGED, FALSE }, { ML_PENDING_COPY, 0, FALSE }, { ML_PENDING_MOVE, 0, FALSE },
                { ML_PENDING_EXPUNGE, 0, FALSE },             { ML_PENDING_MOVE, 1, TRUE },  { ML_PENDING_REMOVE, 0, TRUE } };
  g_autoptr(MlPending) pending = must_open(f);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlPendingEntry) entry = ml_pending_entry_new(cases[i].kind, "INBOX", 0, "Archive");
    entry->add = cases[i].add;
    ml_pending_entry_add(entry, 4, 0, "id@example.org", "A subject");
    g_assert_true((ml_pending_add(pending, entry, &error) != 0) == cases[i].kept);
    if (!cases[i].kept)
      g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  }
  g_assert_cmpuint(count(pending), ==, 2);
}

/* What was added before the kill is there, what was in the midst of it is not, and nothing is half. */
static void
test_killed(Fixture *f, gconstpointer data)
{
  static const struct {
    const char *point;
    guint left;
  } cases[] = { { "pending-add-1", 1 }, { "pending-add-2", 3 } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    int status;
    pid_t pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
      g_autoptr(MlPending) pending = must_open(f);
      add(pending, ML_PENDING_MOVE, 4, 0, 0, "Trash");
      g_setenv("SIGNET_TEST_DIE", cases[i].point, TRUE);
      add(pending, ML_PENDING_MOVE, 5, 0, 0, "Trash");
      _exit(0);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    g_autoptr(MlPending) pending = must_open(f);
    g_assert_null(ml_pending_said(pending));
    g_assert_cmpuint(count(pending), ==, cases[i].left);
  }
}

static void
test_shown(Fixture *f, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPending) pending = must_open(f);
  add(pending, ML_PENDING_FLAGS, 5, ML_FLAG_FLAGGED, 0, NULL);
  add(pending, ML_PENDING_FLAGS, 5, ML_FLAG_ANSWERED, ML_FLAG_SEEN, NULL);
  gint64 back = add(pending, ML_PENDING_FLAGS, 5, 0, ML_FLAG_FLAGGED, NULL);
  add(pending, ML_PENDING_COPY, 6, 0, 0, "Archive");
  add(pending, ML_PENDING_EXPUNGE, 3, 0, 0, NULL);
  g_autoptr(GArray) shown = ml_pending_shown(pending, "INBOX", 7, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(shown->len, ==, 2);
  const MlStoreShown *five = ml_pending_shown_of(shown, 5), *three = ml_pending_shown_of(shown, 3);
  g_assert_true(three && three->gone && !five->gone);
  g_assert_null(ml_pending_shown_of(shown, 6));
  g_assert_cmpuint(ml_pending_flags(five, ML_FLAG_SEEN | ML_FLAG_DRAFT), ==, ML_FLAG_ANSWERED | ML_FLAG_DRAFT);
  g_assert_cmpuint(ml_pending_flags(NULL, ML_FLAG_SEEN), ==, ML_FLAG_SEEN);
  g_autoptr(GArray) other = ml_pending_shown(pending, "INBOX", 8, &error);
  g_assert_cmpuint(other->len, ==, 0);
  gint64 before = ml_pending_version(pending);
  g_assert_cmpint(ml_pending_version(pending), ==, before);
  g_autoptr(MlPending) second = must_open(f);
  g_assert_true(ml_pending_drop(second, back, &error));
  g_assert_cmpint(ml_pending_version(pending), !=, before);
}

static guint
files_aside(Fixture *f)
{
  guint n = 0;
  g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));)
    n += strstr(name, ".db.aside-") != NULL && !g_str_has_suffix(name, "-wal") && !g_str_has_suffix(name, "-shm");
  return n;
}

/* Cut short and overwritten at many places: what can be read is read, the rest is set aside and said, and it goes on. */
static void
test_damaged(Fixture *f, gconstpointer data)
{
  g_autofree char *file = ml_pending_file(f->dir, &f->account);
  g_autofree char *whole = NULL;
  gsize length;
  MlPending *begun = must_open(f);
  for (guint i = 0; i < 200; i++)
    add(begun, ML_PENDING_MOVE, i + 1, 0, 0, "Trash");
  ml_pending_free(begun); /* the last handle: all of it is in the one file now */
  g_assert_true(g_file_get_contents(file, &whole, &length, NULL));
  guint said = 0;
  for (guint i = 0; i < 60; i++) {
    g_autofree char *hurt = g_memdup2(whole, length);
    g_autoptr(GError) error = NULL;
    gsize at = length / 60 * i + i % 13, cut = i % 3 == 2 ? at : length;
    memset(hurt + at, 0xa5, MIN(96, length - at));
    g_assert_true(g_file_set_contents(file, hurt, (gssize)cut, NULL));
    guint before = files_aside(f);
    MlPending *pending = ml_pending_open(f->dir, &f->account, TRUE, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) list = ml_pending_list(pending, ML_PENDING_OPEN, 0, 0, &error);
    g_autofree char *words = ml_pending_said(pending);
    said += words != NULL;
    g_assert_cmpuint(files_aside(f) - before, ==, words != NULL);
    g_assert_true(list || words);
    add(pending, ML_PENDING_MOVE, 1000, 0, 0, "Trash"); /* it works again */
    ml_pending_free(pending);
  }
  g_assert_cmpuint(said, >, 20);
}

/* Nobody takes the list away from one who carries out what is in it; that one itself does. */
static void
test_damaged_while_carried(Fixture *f, gconstpointer data)
{
  g_autofree char *file = ml_pending_file(f->dir, &f->account);
  g_autoptr(GError) error = NULL;
  gboolean busy;
  MlPending *begun = must_open(f);
  add(begun, ML_PENDING_MOVE, 1, 0, 0, "Trash");
  ml_pending_free(begun);
  g_autoptr(MlPending) other = must_open(f);
  g_assert_true(ml_pending_lock(other, &busy, &error));
  f->account.imap.user[0] = 'h';
  g_assert_null(ml_pending_open(f->dir, &f->account, FALSE, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_assert_nonnull(strstr(error->message, "another signet is just carrying"));
  g_clear_error(&error);
  g_assert_cmpuint(files_aside(f), ==, 0);
  g_assert_cmpuint(count(other), ==, 1);
  ml_pending_unlock(other);
  g_autoptr(MlPending) pending = must_open(f);
  g_assert_cmpuint(files_aside(f), ==, 1);
  g_assert_cmpuint(count(pending), ==, 0);
}

static void
test_other_mailbox(Fixture *f, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  MlPending *pending = must_open(f);
  gint64 id = add(pending, ML_PENDING_MOVE, 4, 0, 0, "Trash");
  ml_pending_free(pending);
  f->account.imap.user[0] = 'h'; /* hanna's, under the same name */
  pending = must_open(f);
  g_autofree char *said = ml_pending_said(pending);
  g_assert_nonnull(strstr(said, "another mailbox"));
  g_assert_cmpuint(count(pending), ==, 0);
  g_assert_cmpuint(files_aside(f), ==, 1);
  id = add(pending, ML_PENDING_MOVE, 4, 0, 0, "Trash");
  g_assert_true(ml_pending_drop(pending, id, &error));
  ml_pending_free(pending);
  f->account.imap.user[0] = 'a'; /* nothing waits there: nothing is to be set aside */
  pending = must_open(f);
  g_assert_null(ml_pending_said(pending));
  g_assert_cmpuint(files_aside(f), ==, 1);
  ml_pending_free(pending);
}

/* A signet that runs on when the account became another mailbox writes nothing among that one's changes, carries none of
 * them out, and does not take the file back. */
static void
test_taken_over(Fixture *f, gconstpointer data)
{
  static const MlDriverHooks hooks = { .offline = TRUE };
  static const MlPendingFuncs funcs = { NULL, NULL, NULL, NULL };
  for (guint i = 0; i < 2; i++) { /* nothing waits: the file is taken over; else it is set aside */
    g_autoptr(GError) error = NULL;
    g_autoptr(MlPendingEntry) entry = ml_pending_entry_new(ML_PENDING_MOVE, "INBOX", 7, "Trash");
    g_autoptr(MlDriver) driver = ml_driver_new(&f->account, &hooks);
    f->account.imap.user[0] = 'a';
    g_autoptr(MlPending) old = must_open(f);
    if (i)
      add(old, ML_PENDING_MOVE, 3, 0, 0, "Trash");
    f->account.imap.user[0] = 'h'; /* hanna's */
    g_autoptr(MlPending) fresh = must_open(f);
    g_autofree char *said = ml_pending_said(fresh);
    g_assert_true((said != NULL) == (i == 1));
    gint64 id = add(fresh, ML_PENDING_MOVE, 4, 0, 0, "Trash");
    g_assert_cmpint(ml_pending_add(old, entry, &error), ==, 0);
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_assert_nonnull(strstr(error->message, "hnna@mail.example.org"));
    g_clear_error(&error);
    g_assert_false(ml_pending_drop(old, id, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_clear_error(&error);
    gboolean busy;
    g_assert_false(ml_pending_carry(old, driver, NULL, &funcs, &busy, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_assert_cmpuint(count(fresh), ==, 1);
    g_clear_error(&error);
    g_assert_true(ml_pending_drop(fresh, id, &error));
    g_assert_no_error(error);
  }
}

static void
test_newer(Fixture *f, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *file = ml_pending_file(f->dir, &f->account);
  ml_pending_free(must_open(f));
  g_autofree char *bytes = NULL;
  gsize length;
  g_assert_true(g_file_get_contents(file, &bytes, &length, NULL));
  bytes[63] = 99; /* user_version */
  g_assert_true(g_file_set_contents(file, bytes, (gssize)length, NULL));
  g_assert_null(ml_pending_open(f->dir, &f->account, FALSE, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_CONFIG);
  g_assert_cmpuint(files_aside(f), ==, 0);
}

/* ---- what the store shows */

static void
fill(MlStore *store, guint32 uidvalidity, guint n)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  for (guint uid = n; uid > 0; uid--) {
    g_autofree char *block = g_strdup_printf("From: anna@example.org\r\nSubject: letter %u\r\n"
                                             "Message-ID: <%u@example.org>\r\n\r\n", uid, uid);
    MlHeader *header = ml_header_parse(block, strlen(block));
    header->uid = uid;
    header->flags = uid % 2 ? ML_FLAG_SEEN : 0;
    g_ptr_array_add(headers, header);
  }
  MlSyncPoint point = { uidvalidity, n + 1, 0 };
  MlStoreStep step = { .uidvalidity = uidvalidity, .reset = TRUE, .headers = headers, .point = &point, .complete = TRUE };
  g_assert_true(ml_store_apply(store, "INBOX", &step, &error));
  g_assert_no_error(error);
}

/* "1,3:f,4": the numbers that are listed, f: flagged; and the folder's own counts are right. */
static void
assert_listed(MlStore *store, const char *expected)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GPtrArray) headers = ml_store_headers(store, "INBOX", 0, 100, &error);
  MlStoreFolder about;
  guint unseen = 0;
  g_assert_no_error(error);
  for (guint i = headers->len; i > 0; i--) {
    const MlHeader *header = headers->pdata[i - 1];
    g_string_append_printf(text, "%s%u%s", text->len ? "," : "", header->uid, header->flags & ML_FLAG_FLAGGED ? ":f" : "");
    unseen += !(header->flags & ML_FLAG_SEEN);
  }
  g_assert_cmpstr(text->str, ==, expected);
  g_assert_true(ml_store_folder(store, "INBOX", &about, &error));
  g_assert_cmpuint(about.total, ==, headers->len);
  g_assert_cmpuint(about.unseen, ==, unseen);
}

/* What the server is compared with: all of them, with the flags that it said. */
static void
assert_had(MlStore *store, guint n, guint32 flagged)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) had = ml_store_uids(store, "INBOX", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(had->len, ==, n);
  for (guint i = 0; i < n; i++) {
    const MlFlagChange *one = &g_array_index(had, MlFlagChange, i);
    g_assert_cmpuint(one->uid, ==, i + 1);
    g_assert_cmpuint((one->flags & ML_FLAG_FLAGGED) != 0, ==, one->uid == flagged);
  }
}

static void
refresh(MlPending *pending, MlStore *store)
{
  g_autoptr(GError) error = NULL;
  g_assert_true(ml_pending_refresh_all(pending, store, &error));
  g_assert_no_error(error);
}

static void
test_store(Fixture *f, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *lists = g_build_filename(f->dir, "lists", NULL);
  g_autoptr(MlPending) pending = must_open(f);
  g_autoptr(MlStore) store = ml_store_open(lists, &f->account, &error);
  g_assert_no_error(error);
  fill(store, 7, 5);
  gint64 gone = add(pending, ML_PENDING_MOVE, 2, 0, 0, "Trash");
  gint64 gone_too = add(pending, ML_PENDING_EXPUNGE, 5, 0, 0, NULL);
  gint64 flag = add(pending, ML_PENDING_FLAGS, 3, ML_FLAG_FLAGGED, ML_FLAG_SEEN, NULL);
  refresh(pending, store);
  assert_listed(store, "1,3:f,4");
  refresh(pending, store);
  assert_listed(store, "1,3:f,4");
  assert_had(store, 5, 0);

  /* The server speaks meanwhile: of the flags of all three, of one that is new, and of one again that is out of the list. */
  MlFlagChange said[] = { { 2, ML_FLAG_FLAGGED }, { 3, ML_FLAG_ANSWERED }, { 4, 0 } };
  g_autoptr(GArray) flags = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  g_array_append_vals(flags, said, G_N_ELEMENTS(said));
  guint32 two = 2, five = 5;
  g_autoptr(GArray) second = g_array_new(FALSE, FALSE, sizeof two);
  g_array_append_val(second, two);
  g_autoptr(GPtrArray) again = ml_store_headers_of(store, "INBOX", 7, second, &error);
  g_assert_cmpuint(again->len, ==, 1);
  MlStoreStep step = { .uidvalidity = 7, .flags = flags, .headers = again };
  g_assert_true(ml_store_apply(store, "INBOX", &step, &error));
  assert_listed(store, "1,3:f,4");
  refresh(pending, store);
  assert_listed(store, "1,3:f,4");
  assert_had(store, 5, 2);

  /* Given up: each as the server has it now. */
  g_assert_true(ml_pending_drop(pending, gone, &error));
  g_assert_true(ml_pending_drop(pending, flag, &error));
  refresh(pending, store);
  assert_listed(store, "1,2:f,3,4");
  /* Gone on the server as well: it does not come back. */
  g_autoptr(GArray) vanished = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_val(vanished, five);
  MlStoreStep end = { .uidvalidity = 7, .vanished = vanished };
  g_assert_true(ml_store_apply(store, "INBOX", &end, &error));
  g_assert_true(ml_pending_drop(pending, gone_too, &error));
  refresh(pending, store);
  assert_listed(store, "1,2:f,3,4");
  assert_had(store, 4, 2);

  /* Another folder of that name: what was meant for the old one is not shown. */
  add(pending, ML_PENDING_MOVE, 1, 0, 0, "Trash");
  refresh(pending, store);
  assert_listed(store, "2:f,3,4");
  fill(store, 8, 3);
  refresh(pending, store);
  assert_listed(store, "1,2,3");
  g_clear_pointer(&store, ml_store_free);
  static const char *const names[] = { "far.db", "far.db-wal", "far.db-shm" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename(lists, names[i], NULL);
    g_unlink(path);
  }
  g_assert_cmpint(g_rmdir(lists), ==, 0);
}

/* Two processes at once lose nothing of each other's. */
static void
test_two(Fixture *f, gconstpointer data)
{
  enum { EACH = 100 };
  pid_t pids[2];
  for (guint i = 0; i < 2; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      g_autoptr(MlPending) pending = must_open(f);
      for (guint j = 0; j < EACH; j++)
        add(pending, ML_PENDING_FLAGS, j + 1, ML_FLAG_FLAGGED, 0, NULL);
      _exit(0);
    }
  }
  for (guint i = 0; i < 2; i++) {
    int status;
    g_assert_cmpint(waitpid(pids[i], &status, 0), ==, pids[i]);
    g_assert_cmpint(status, ==, 0);
  }
  g_autoptr(MlPending) pending = must_open(f);
  g_assert_cmpuint(count(pending), ==, 2 * EACH);
}

/* The screen's handle keeps its lock while the worker's is opened and closed. */
static void
test_locked(Fixture *f, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPending) pending = must_open(f);
  g_autofree char *file = ml_pending_file(f->dir, &f->account);
  add(pending, ML_PENDING_FLAGS, 1, ML_FLAG_FLAGGED, 0, NULL);
  g_assert_true(locks_held(file));
  MlPending *worker = ml_pending_open(f->dir, &f->account, TRUE, &error);
  g_assert_no_error(error);
  g_assert_true(locks_held(file));
  ml_pending_free(worker);
  g_assert_true(locks_held(file));
}

/* ---- what the screen is told */

static void
on_event(MlEvent *event, gpointer data)
{
}

/* The numbers of a long list come in pieces: what is moved away meanwhile does not come back with a later one. */
static void
test_lines(Fixture *f, gconstpointer data)
{
  const MlDriverHooks hooks = { .offline = TRUE, .pending_dir = f->dir };
  MlWorker *worker = ml_worker_new(&f->account, &hooks, on_event, NULL);
  g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(guint32)), seen = g_array_new(FALSE, FALSE, sizeof(guint32));
  const guint32 two = 2, three = 3;
  g_array_append_val(gone, two);
  g_array_append_val(seen, three);
  g_hash_table_replace(worker->shown, g_strdup("INBOX"), GUINT_TO_POINTER(7));
  ml_worker_move(worker, "INBOX", gone, "Trash");
  ml_worker_flags(worker, "INBOX", seen, ML_FLAG_SEEN, 0);
  MlEvent *event = ml_worker_event(worker, ML_EVENT_HEADERS, NULL, "INBOX");
  event->lines = g_array_new(FALSE, TRUE, sizeof(MlLine));
  for (guint32 uid = 3; uid > 0; uid--) {
    const MlLine line = { .uid = uid, .flags = ML_FLAG_FLAGGED };
    g_array_append_val(event->lines, line);
  }
  ml_worker_overlay(worker, event);
  g_assert_cmpuint(event->lines->len, ==, 2);
  const MlLine *first = &g_array_index(event->lines, MlLine, 0), *second = &g_array_index(event->lines, MlLine, 1);
  g_assert_cmpuint(first->uid, ==, 3);
  g_assert_cmpuint(first->flags, ==, ML_FLAG_FLAGGED | ML_FLAG_SEEN);
  g_assert_cmpuint(second->uid, ==, 1);
  g_assert_cmpuint(second->flags, ==, ML_FLAG_FLAGGED);
  ml_event_free(event);
  ml_worker_free(worker);
}

/* A large message is not written by the screen's thread, which would wait here for as long as another has the file; and
 * what is changed after it comes after it. */
static void
test_large(Fixture *f, gconstpointer data)
{
  const MlDriverHooks hooks = { .offline = TRUE, .pending_dir = f->dir };
  static const char head[] = "Message-ID: <draft@example.org>\r\nSubject: large\r\n\r\n";
  gsize length = 1024 * 1024;
  char *text = g_strnfill(length, 'x');
  memcpy(text, head, sizeof head - 1);
  g_autoptr(GBytes) bytes = g_bytes_new_take(text, length), kept = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPending) other = must_open(f);
  MlWorker *worker = ml_worker_new(&f->account, &hooks, on_event, NULL);
  g_assert_true(ml_pending_begin_sql(other, &error)); /* nobody else writes now */
  guint64 id = ml_worker_append(worker, "Drafts", bytes, ML_FLAG_DRAFT, 0);
  g_assert_true(ml_pending_end_sql(other, TRUE, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(ml_worker_remove(worker, "Drafts", "<draft@example.org>"), >, id);
  g_autoptr(GPtrArray) list = ml_pending_list(other, ML_PENDING_OPEN, 0, 0, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(list->len, ==, 2);
  const MlPendingEntry *first = list->pdata[0], *second = list->pdata[1];
  g_assert_cmpint(first->kind, ==, ML_PENDING_APPEND);
  g_assert_cmpint(second->kind, ==, ML_PENDING_REMOVE);
  gint64 received;
  kept = ml_pending_body(other, first->id, &received, &error);
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(kept, bytes));
  ml_worker_append(worker, "Drafts", bytes, ML_FLAG_DRAFT, 0);
  ml_worker_free(worker); /* waits for it */
  g_assert_cmpuint(count(other), ==, 3);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add("/pending/kept", Fixture, NULL, set_up, test_kept, tear_down);
  g_test_add("/pending/nowhere", Fixture, NULL, set_up, test_nowhere, tear_down);
  g_test_add("/pending/killed", Fixture, NULL, set_up, test_killed, tear_down);
  g_test_add("/pending/shown", Fixture, NULL, set_up, test_shown, tear_down);
  g_test_add("/pending/damaged", Fixture, NULL, set_up, test_damaged, tear_down);
  g_test_add("/pending/damaged-while-carried", Fixture, NULL, set_up, test_damaged_while_carried, tear_down);
  g_test_add("/pending/other-mailbox", Fixture, NULL, set_up, test_other_mailbox, tear_down);
  g_test_add("/pending/taken-over", Fixture, NULL, set_up, test_taken_over, tear_down);
  g_test_add("/pending/newer", Fixture, NULL, set_up, test_newer, tear_down);
  g_test_add("/pending/store", Fixture, NULL, set_up, test_store, tear_down);
  g_test_add("/pending/locked", Fixture, NULL, set_up, test_locked, tear_down);
  g_test_add("/pending/lines", Fixture, NULL, set_up, test_lines, tear_down);
  g_test_add("/pending/large", Fixture, NULL, set_up, test_large, tear_down);
  g_test_add("/pending/two", Fixture, NULL, set_up, test_two, tear_down);
  return g_test_run();
}
