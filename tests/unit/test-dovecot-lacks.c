#include "mail/imap-private.h"
#include "mail/worker-private.h"
#include "tests/unit/dovecot-relay.h"

/* A real Dovecot that says that it can do nothing beyond IMAP4rev1: no IDLE, UIDPLUS, MOVE, SPECIAL-USE, LIST-STATUS,
 * UTF8. tests/integration/dovecot-lacks.t sets it up so. */

static void
test_capabilities(void)
{
  g_autoptr(GError) error = NULL;
  Client client;
  fill("carol", ".Entw&APw-rfe", 2);
  fill("carol", ".Sent", 1);
  client_open(&client, "carol");
  g_assert_cmpuint(((MlImap *)client.driver)->session->caps, ==, 0);
  g_autoptr(GPtrArray) folders = ml_driver_folders(client.driver, TRUE, &error);
  g_assert_no_error(error);
  gboolean umlaut = FALSE, trash = FALSE;
  for (guint i = 0; i < folders->len; i++) {
    MlFolder *folder = g_ptr_array_index(folders, i);
    g_test_message("%s: role %d, %d of %d", folder->name, folder->role, folder->unseen, folder->total);
    g_assert_cmpint(folder->total, >=, 0); /* by a STATUS each */
    umlaut |= strcmp(folder->name, "Entw\xc3\xbcrfe") == 0 && folder->total == 2 && folder->unseen == 2;
    trash |= strcmp(folder->name, "Trash") == 0 && folder->role == ML_ROLE_TRASH;
  }
  g_assert_true(umlaut);
  g_assert_true(trash);
  g_autoptr(GPtrArray) headers = list(&client, "Entw\xc3\xbcrfe");
  g_assert_cmpuint(headers->len, ==, 2);
  ml_driver_free(client.driver);
}

/* Another program has marked a message deleted: neither our expunge nor our move takes it away, or its mark. */
static void
test_expunge(void)
{
  g_autoptr(GError) error = NULL;
  Client client, other;
  fill("anna", "", 6);
  client_open(&client, "anna");
  client_open(&other, "anna");
  g_autoptr(GPtrArray) headers = list(&client, "INBOX");
  g_autoptr(GPtrArray) theirs = list(&other, "INBOX");
  guint32 first = ((MlHeader *)g_ptr_array_index(headers, 5))->uid;
  g_autoptr(GArray) marked = driver_one(first + 3);
  g_assert_true(ml_driver_flags(other.driver, marked, ML_FLAG_DELETED, 0, &error));

  g_autoptr(GArray) mine = driver_one(first);
  g_assert_true(ml_driver_flags(client.driver, mine, ML_FLAG_DELETED, 0, &error));
  gboolean ok = ml_driver_expunge(client.driver, mine, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 1"), ==, G_MAXUINT);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 4"), ==, ML_FLAG_DELETED);

  g_autoptr(GArray) two = driver_one(first + 1);
  guint32 third = first + 2;
  g_array_append_val(two, third);
  ok = ml_driver_move(client.driver, two, "Drafts", &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_autoptr(GPtrArray) moved = list(&client, "Drafts");
  g_assert_cmpuint(moved->len, ==, 2);
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(moved, 0))->flags & ML_FLAG_DELETED, ==, 0);
  g_autoptr(GPtrArray) rest = list(&client, "INBOX");
  g_assert_cmpuint(rest->len, ==, 3);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 4"), ==, ML_FLAG_DELETED);
  ml_driver_free(client.driver);
  ml_driver_free(other.driver);
}

/* The worker asks now and then. */
static void
test_noop(void)
{
  Worker w;
  fill("bob", "", 1);
  relay_start(&w.relay);
  client_init(&w.client, "localhost", w.relay.port, ML_TLS_IMPLICIT, "bob");
  w.events = g_ptr_array_new_with_free_func((GDestroyNotify)ml_event_free);
  w.worker = ml_worker_new(&w.client.account, &w.client.hooks, on_event, w.events);
  g_assert_cmpint(((MlImap *)w.worker->driver)->noop_ms, ==, 60000);
  ((MlImap *)w.worker->driver)->noop_ms = 300; /* before it is given anything to do */
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_open(w.worker, "INBOX", 40), 0)->error);
  deliver("bob", "", "1950000000.noop.lab", "Subject: asked for\n\nx\n");
  MlEvent *news = await(&w, ML_EVENT_NEW, 0, 0);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(news->headers, 0))->subject, ==, "asked for");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error); /* wakes it */
  worker_stop(&w);
}

static guint32 move_uid;

static guint64
give_move(Worker *w)
{
  g_autoptr(GArray) uids = driver_one(move_uid);
  return ml_worker_move(w->worker, "INBOX", uids, "Gesendet");
}

/* A move by copying whose line is cut at each of many places: the message is in one of the folders at least, in the
 * other at most once, and nothing was copied twice. */
static void
test_cut_move(void)
{
  Client client;
  Worker w;
  fill("carol", "", 20);
  client_open(&client, "carol");
  worker_start(&w, "carol");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_open(w.worker, "INBOX", 40), 0)->error);
  g_autoptr(GPtrArray) headers = list(&client, "INBOX");
  guint unsure = 0;
  for (guint i = 0; i < 16; i++) {
    MlHeader *header = g_ptr_array_index(headers, i);
    move_uid = header->uid;
    guint from = w.events->len;
    g_atomic_int_set(&w.relay.left, 30 + (int)i * 60);
    guint64 id = give_move(&w);
    gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    MlEvent *done = NULL;
    while (!done && !g_atomic_int_get(&w.relay.stuck)) { /* late cuts fall behind its end */
      g_assert_cmpint(g_get_monotonic_time(), <, end);
      g_main_context_iteration(NULL, TRUE);
      for (guint j = from; j < w.events->len && !done; j++) {
        MlEvent *event = g_ptr_array_index(w.events, j);
        done = event->kind == ML_EVENT_DONE && event->id == id ? event : NULL;
      }
    }
    if (!done) {
      g_atomic_int_set(&w.relay.cut, 1);
      done = await(&w, ML_EVENT_DONE, id, from);
    }
    g_atomic_int_set(&w.relay.left, -1);
    if (done->error) {
      g_test_message("%u: %s", i, done->error->message);
      g_assert_error(done->error, ML_ERROR, ML_ERROR_FAILED);
      g_assert_nonnull(strstr(done->error->message, "nothing is lost"));
      unsure++;
    }
    g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_open(w.worker, "INBOX", 40), 0)->error);
    gboolean here = flags_of(&client, "INBOX", header->subject) != G_MAXUINT;
    g_autoptr(GPtrArray) copies = list(&client, "Gesendet");
    guint count = 0;
    for (guint j = 0; j < copies->len; j++)
      count += strcmp(((MlHeader *)g_ptr_array_index(copies, j))->subject, header->subject) == 0;
    g_assert_cmpuint(count, <=, 1);
    g_assert_true(here || count == 1);
    g_assert_true(done->error || (!here && count == 1));
  }
  g_assert_cmpuint(unsure, >, 0);
  worker_stop(&w);
  ml_driver_free(client.driver);
}

static void
add(void)
{
  g_test_add_func("/dovecot/lacks/capabilities", test_capabilities);
  g_test_add_func("/dovecot/lacks/expunge", test_expunge);
  g_test_add_func("/dovecot/lacks/noop", test_noop);
  g_test_add_func("/dovecot/lacks/cut-move", test_cut_move);
}

int
main(int argc, char **argv)
{
  return lab_main(argc, argv, add);
}
