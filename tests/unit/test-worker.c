#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/worker.h"
#include "tests/unit/local-lab.h"

/* The worker over a Maildir: real files, a real thread, and this thread as the screen. */
typedef struct {
  LocalMailbox local;
  MlWorker *worker;
  GPtrArray *events; /* of MlEvent, as they came */
  guint most_a_turn, this_turn;
} Fixture;

static void
on_event(MlEvent *event, gpointer user_data)
{
  Fixture *f = user_data;
  MlEvent *copy = g_new0(MlEvent, 1);
  *copy = *event;
  memset(event, 0, sizeof *event);
  g_ptr_array_add(f->events, copy);
  f->this_turn++;
  f->most_a_turn = MAX(f->most_a_turn, f->this_turn);
}

static void
deliver(Fixture *f, const char *name, const char *subject)
{
  g_autofree char *text = g_strdup_printf("Subject: %s\n\nBody\n", subject);
  local_deliver(f->local.path, "new", name, text);
}

static void
set_up(Fixture *f, gconstpointer data)
{
  (void)data;
  local_begin(&f->local, ML_ACCOUNT_MAILDIR, "Maildir");
  local_make_maildir(f->local.path);
  f->events = g_ptr_array_new_with_free_func((GDestroyNotify)ml_event_free);
}

static void
start(Fixture *f)
{
  f->worker = ml_worker_new(&f->local.account, &f->local.hooks, on_event, f);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
  (void)data;
  ml_worker_free(f->worker);
  g_ptr_array_unref(f->events);
  local_end(&f->local);
}

/* The first event of @kind (and @id, unless 0) from @from on; turns the loop until it is there. */
static MlEvent *
await(Fixture *f, MlEventKind kind, guint64 id, guint from)
{
  gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
  for (guint i = from;;) {
    for (; i < f->events->len; i++) {
      MlEvent *event = g_ptr_array_index(f->events, i);
      if (event->kind == kind && (!id || event->id == id))
        return event;
    }
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    f->this_turn = 0;
    g_main_context_iteration(NULL, FALSE);
    g_thread_yield();
  }
}

static guint
count(Fixture *f, MlEventKind kind, guint64 id)
{
  guint n = 0;
  for (guint i = 0; i < f->events->len; i++) {
    MlEvent *event = g_ptr_array_index(f->events, i);
    n += event->kind == kind && event->id == id;
  }
  return n;
}

static void
fill(Fixture *f, guint messages)
{
  for (guint i = 0; i < messages; i++) {
    g_autofree char *name = g_strdup_printf("%u.m", 1700000000 + i);
    g_autofree char *subject = g_strdup_printf("s%u", i);
    deliver(f, name, subject);
  }
}

static void
test_open(Fixture *f, gconstpointer data)
{
  (void)data;
  fill(f, 2500);
  start(f);
  guint64 folders = ml_worker_folders(f->worker, TRUE), open = ml_worker_open(f->worker, "INBOX", 30);
  MlEvent *list = await(f, ML_EVENT_FOLDERS, folders, 0);
  g_assert_cmpint(((MlFolder *)g_ptr_array_index(list->folders, 0))->total, ==, 2500);
  g_assert_no_error(await(f, ML_EVENT_DONE, folders, 0)->error);
  g_assert_no_error(await(f, ML_EVENT_DONE, open, 0)->error);
  g_assert_cmpuint(await(f, ML_EVENT_OPENED, open, 0)->selected.total, ==, 2500);
  g_assert_cmpuint(await(f, ML_EVENT_HEADERS, open, 0)->headers->len, ==, 30);
  guint total = 0;
  guint32 last = G_MAXUINT32;
  for (guint i = 0; i < f->events->len; i++) {
    MlEvent *event = g_ptr_array_index(f->events, i);
    for (guint j = 0; event->kind == ML_EVENT_HEADERS && j < event->headers->len; j++, total++) {
      guint32 uid = ((MlHeader *)g_ptr_array_index(event->headers, j))->uid;
      g_assert_cmpuint(uid, <, last);
      last = uid;
    }
  }
  g_assert_cmpuint(total, ==, 2500);
  g_assert_cmpuint(count(f, ML_EVENT_DONE, open), ==, 1);
  g_assert_cmpint(await(f, ML_EVENT_STATE, 0, 0)->state, ==, ML_STATE_CONNECTING);
}

static void
test_news(Fixture *f, gconstpointer data)
{
  (void)data;
  fill(f, 3);
  start(f);
  await(f, ML_EVENT_DONE, ml_worker_open(f->worker, "INBOX", 30), 0);
  deliver(f, "1800000000.x", "fresh");
  MlEvent *news = await(f, ML_EVENT_NEW, 0, 0);
  g_assert_cmpuint(news->headers->len, ==, 1);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(news->headers, 0))->subject, ==, "fresh");
  g_autofree char *path = g_build_filename(f->local.path, "new", "1700000000.m", NULL);
  guint from = f->events->len;
  g_assert_cmpint(g_unlink(path), ==, 0);
  MlEvent *changes = await(f, ML_EVENT_CHANGES, 0, from);
  g_assert_cmpuint(changes->changes->vanished->len, ==, 1);
}

static void
test_commands(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autofree char *trash = g_build_filename(f->local.path, ".Trash", NULL);
  local_make_maildir(trash);
  fill(f, 3);
  start(f);
  await(f, ML_EVENT_DONE, ml_worker_open(f->worker, "INBOX", 30), 0);
  guint64 fetch = ml_worker_fetch(f->worker, "INBOX", 2);
  g_assert_no_error(await(f, ML_EVENT_DONE, fetch, 0)->error);
  MlEvent *message = await(f, ML_EVENT_MESSAGE, fetch, 0);
  g_assert_cmpuint(message->uid, ==, 2);
  g_assert_cmpmem(g_bytes_get_data(message->bytes, NULL), g_bytes_get_size(message->bytes),
                  "Subject: s1\n\nBody\n", 18);
  g_assert_cmpuint(count(f, ML_EVENT_PROGRESS, fetch), >=, 1);
  guint32 uid = 1;
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof uid);
  g_array_append_val(uids, uid);
  guint64 flags = ml_worker_flags(f->worker, "INBOX", uids, ML_FLAG_SEEN, 0);
  guint64 move = ml_worker_move(f->worker, "INBOX", uids, "Trash");
  guint64 again = ml_worker_move(f->worker, "INBOX", uids, "Trash");
  g_assert_no_error(await(f, ML_EVENT_DONE, flags, 0)->error);
  g_assert_no_error(await(f, ML_EVENT_DONE, move, 0)->error);
  g_assert_error(await(f, ML_EVENT_DONE, again, 0)->error, ML_ERROR, ML_ERROR_NOT_FOUND);
  guint64 other = ml_worker_open(f->worker, "Trash", 30);
  g_assert_no_error(await(f, ML_EVENT_DONE, other, 0)->error);
  MlHeader *moved = g_ptr_array_index(await(f, ML_EVENT_HEADERS, other, 0)->headers, 0);
  g_assert_cmpuint(moved->flags, ==, ML_FLAG_SEEN);
  guint64 nowhere = ml_worker_open(f->worker, "Nowhere", 30);
  g_assert_error(await(f, ML_EVENT_DONE, nowhere, 0)->error, ML_ERROR, ML_ERROR_NO_FOLDER);
}

/* A fetch overtakes a listing: its message is here before the listing's end. */
static void
test_overtake(Fixture *f, gconstpointer data)
{
  (void)data;
  fill(f, 6000);
  start(f);
  guint64 open = ml_worker_open(f->worker, "INBOX", 10);
  guint64 fetch = ml_worker_fetch(f->worker, "INBOX", 5);
  await(f, ML_EVENT_DONE, open, 0);
  await(f, ML_EVENT_DONE, fetch, 0);
  guint fetched = 0, opened = 0;
  for (guint i = 0; i < f->events->len; i++) {
    MlEvent *event = g_ptr_array_index(f->events, i);
    if (event->kind == ML_EVENT_DONE)
      *(event->id == fetch ? &fetched : &opened) = i;
  }
  g_assert_cmpuint(fetched, <, opened);
}

static void
test_cancel(Fixture *f, gconstpointer data)
{
  (void)data;
  fill(f, 3000);
  start(f);
  guint64 open = ml_worker_open(f->worker, "INBOX", 10);
  guint64 waiting = ml_worker_folders(f->worker, TRUE);
  await(f, ML_EVENT_HEADERS, open, 0);
  gint64 then = g_get_monotonic_time();
  ml_worker_cancel(f->worker, open);
  ml_worker_cancel(f->worker, waiting);
  ml_worker_cancel(f->worker, 4711);
  MlEvent *done = await(f, ML_EVENT_DONE, open, 0);
  g_assert_cmpint(g_get_monotonic_time() - then, <, 2 * G_USEC_PER_SEC);
  if (done->error)
    g_assert_error(done->error, ML_ERROR, ML_ERROR_CANCELLED);
  MlEvent *other = await(f, ML_EVENT_DONE, waiting, 0);
  g_assert_true(!other->error || g_error_matches(other->error, ML_ERROR, ML_ERROR_CANCELLED));
  guint64 next = ml_worker_folders(f->worker, FALSE); /* a cancel ends one command, not the worker */
  g_assert_no_error(await(f, ML_EVENT_DONE, next, 0)->error);
  g_assert_cmpuint(count(f, ML_EVENT_DONE, open), ==, 1);
  g_assert_cmpuint(count(f, ML_EVENT_DONE, waiting), ==, 1);
}

/* The folder goes and comes back: offline with the reason, and online again by itself. */
static void
test_offline(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autofree char *away = g_strconcat(f->local.path, ".away", NULL);
  g_assert_cmpint(g_rename(f->local.path, away), ==, 0);
  start(f);
  guint64 open = ml_worker_open(f->worker, "INBOX", 10);
  g_assert_error(await(f, ML_EVENT_DONE, open, 0)->error, ML_ERROR, ML_ERROR_NOT_FOUND);
  MlEvent *state = NULL;
  for (guint i = 0; i < f->events->len; i++)
    if (((MlEvent *)g_ptr_array_index(f->events, i))->kind == ML_EVENT_STATE)
      state = g_ptr_array_index(f->events, i);
  g_assert_cmpint(state->state, ==, ML_STATE_OFFLINE);
  g_assert_nonnull(state->error);
  g_assert_cmpint(g_rename(away, f->local.path), ==, 0);
  for (guint from = f->events->len;; from++) {
    MlEvent *event = await(f, ML_EVENT_STATE, 0, from);
    if (event->state == ML_STATE_ONLINE)
      break;
  }
}

/* A flood of events leaves room for others in every turn of the loop. */
static void
test_turns(Fixture *f, gconstpointer data)
{
  (void)data;
  start(f);
  guint64 last = 0;
  for (guint i = 0; i < 1000; i++)
    last = ml_worker_folders(f->worker, FALSE);
  await(f, ML_EVENT_DONE, last, 0);
  g_assert_cmpuint(f->most_a_turn, <=, 64);
}

/* Freed in the middle of everything: no event, no leak, no hang. */
static void
test_free(Fixture *f, gconstpointer data)
{
  (void)data;
  fill(f, 2000);
  start(f);
  for (guint i = 0; i < 5; i++)
    ml_worker_open(f->worker, "INBOX", 10);
  await(f, ML_EVENT_HEADERS, 0, 0);
  gint64 then = g_get_monotonic_time();
  ml_worker_free(g_steal_pointer(&f->worker));
  g_assert_cmpint(g_get_monotonic_time() - then, <, G_USEC_PER_SEC);
  guint before = f->events->len;
  while (g_main_context_iteration(NULL, FALSE))
    continue;
  g_assert_cmpuint(f->events->len, ==, before);
}

/* Another folder comes to INBOX's place: the same numbers, of another validity. */
static void
replace_inbox(Fixture *f, const char *validity)
{
  g_autofree char *path = g_build_filename(f->local.hooks.state_dir, "numbers", "here", "INBOX", NULL);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  char *at = strstr(text, "\nvalidity ");
  g_assert_nonnull(at);
  *at = '\0';
  g_autofree char *other = g_strconcat(text, "\nvalidity ", validity, strchr(at + 1, '\n'), NULL);
  g_assert_true(g_file_set_contents(path, other, -1, NULL));
}

static void
assert_refused(Fixture *f, guint64 id)
{
  MlEvent *done = await(f, ML_EVENT_DONE, id, 0);
  g_assert_error(done->error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_assert_nonnull(strstr(done->error->message, "replaced by another one"));
}

/* What is asked for by numbers that were told of another folder is not done, whichever of the two is open by now. */
static void
test_replaced(Fixture *f, gconstpointer data)
{
  (void)data;
  fill(f, 3);
  g_autofree char *other = g_build_filename(f->local.path, ".Other", NULL);
  local_make_maildir(other);
  start(f);
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  MlEvent *headers = await(f, ML_EVENT_HEADERS, ml_worker_open(f->worker, "INBOX", 30), 0);
  guint32 uid = ((MlHeader *)g_ptr_array_index(headers->headers, 0))->uid;
  g_array_append_val(uids, uid);
  g_assert_no_error(await(f, ML_EVENT_DONE, ml_worker_open(f->worker, "Other", 30), 0)->error);
  replace_inbox(f, "5");
  guint64 flags = ml_worker_flags(f->worker, "INBOX", uids, ML_FLAG_DELETED, 0);
  guint64 move = ml_worker_move(f->worker, "INBOX", uids, "Other");
  guint64 expunge = ml_worker_expunge(f->worker, "INBOX", uids);
  guint64 fetch = ml_worker_fetch(f->worker, "INBOX", uid);
  assert_refused(f, flags);
  assert_refused(f, move);
  assert_refused(f, expunge);
  assert_refused(f, fetch);
  /* Given before it was seen that the open one is another. */
  guint64 open = ml_worker_open(f->worker, "INBOX", 30);
  guint64 queued = ml_worker_flags(f->worker, "INBOX", uids, ML_FLAG_DELETED, 0);
  assert_refused(f, queued);
  g_assert_no_error(await(f, ML_EVENT_DONE, open, 0)->error);
  g_assert_cmpuint(await(f, ML_EVENT_OPENED, open, 0)->selected.uidvalidity, ==, 5);
  guint64 now = ml_worker_flags(f->worker, "INBOX", uids, ML_FLAG_SEEN, 0);
  g_assert_no_error(await(f, ML_EVENT_DONE, now, 0)->error);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/worker/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("open", test_open);
  ADD("news", test_news);
  ADD("commands", test_commands);
  ADD("overtake", test_overtake);
  ADD("cancel", test_cancel);
  ADD("offline", test_offline);
  ADD("turns", test_turns);
  ADD("free", test_free);
  ADD("replaced", test_replaced);
  return g_test_run();
}
