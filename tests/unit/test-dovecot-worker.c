#include "mail/store.h"
#include "tests/unit/dovecot-relay.h"

/* The worker on a real Dovecot: 10,000 messages, a line that stands still, breaks and comes back, IDLE. */

static void
test_large(void)
{
  Worker w;
  fill("carol", ".Big", 10000);
  worker_start(&w, "carol");
  gint64 then = g_get_monotonic_time();
  guint64 open = ml_worker_open(w.worker, "Big", 40);
  MlEvent *first = await(&w, ML_EVENT_HEADERS, open, 0);
  gint64 screen = g_get_monotonic_time() - then;
  g_assert_cmpuint(first->headers->len, ==, 40);
  g_assert_cmpuint(first->total, ==, 10000);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(first->headers, 0))->subject, ==, "message 10000");
  g_assert_no_error(await(&w, ML_EVENT_DONE, open, 0)->error);
  g_test_message("first screen after %.2f s, all after %.2f s", (double)screen / 1e6,
                 (double)(g_get_monotonic_time() - then) / 1e6);
  guint total = 0;
  guint32 last = G_MAXUINT32;
  for (guint i = 0; i < w.events->len; i++) {
    MlEvent *event = g_ptr_array_index(w.events, i);
    for (guint j = 0; event->kind == ML_EVENT_HEADERS && j < event->headers->len; j++, total++) {
      guint32 uid = ((MlHeader *)g_ptr_array_index(event->headers, j))->uid;
      g_assert_cmpuint(uid, <, last);
      last = uid;
    }
  }
  g_assert_cmpuint(total, ==, 10000);
  worker_stop(&w);
}

/* The line stands still in the middle of an answer: a cancel ends the command at once, and the next one works. */
static void
test_cancel(void)
{
  Worker w;
  worker_start(&w, "carol");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error);
  gint64 worst = 0;
  for (guint i = 0; i < 5; i++) {
    g_atomic_int_set(&w.relay.left, 200000);
    guint64 open = ml_worker_open(w.worker, "Big", 40);
    await_stuck(&w);
    gint64 then = g_get_monotonic_time();
    ml_worker_cancel(w.worker, open);
    g_assert_error(await(&w, ML_EVENT_DONE, open, 0)->error, ML_ERROR, ML_ERROR_CANCELLED);
    worst = MAX(worst, g_get_monotonic_time() - then);
    g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error);
  }
  g_test_message("cancelled within %.1f ms", (double)worst / 1000);
  g_assert_cmpint(worst, <, 100000);
  worker_stop(&w);
}

/* The server dies in the middle of a FETCH and comes back: the worker says offline, keeps what it told, and goes on
 * behind it; what happened meanwhile is told as a change. */
static void
test_killed(void)
{
  Worker w;
  worker_start(&w, "carol");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error);
  g_atomic_int_set(&w.relay.left, 1000000);
  guint64 open = ml_worker_open(w.worker, "Big", 40);
  await_stuck(&w);
  lab_do("stop");
  g_atomic_int_set(&w.relay.cut, 1);
  await_state(&w, ML_STATE_OFFLINE, 0);
  MlEvent *failed = await(&w, ML_EVENT_DONE, open, 0);
  g_assert_error(failed->error, ML_ERROR, ML_ERROR_OFFLINE); /* after its second try */
  guint from = w.events->len;
  fill("carol", ".Fresh", 1);
  lab_do("again");
  await_state(&w, ML_STATE_ONLINE, from);
  guint64 again = ml_worker_open(w.worker, "Big", 40);
  g_assert_no_error(await(&w, ML_EVENT_DONE, again, 0)->error);

  /* Idle in the folder, the line breaks, a message comes while it is down: it is told, nothing else is. */
  from = w.events->len;
  g_atomic_int_set(&w.relay.cut, 1);
  await_state(&w, ML_STATE_OFFLINE, from);
  deliver("carol", ".Big", "1900000000.after.lab", "Subject: meanwhile\n\nx\n");
  MlEvent *news = await(&w, ML_EVENT_NEW, 0, from);
  g_assert_cmpuint(news->headers->len, ==, 1);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(news->headers, 0))->subject, ==, "meanwhile");
  for (guint i = from; i < w.events->len; i++) {
    MlEvent *event = g_ptr_array_index(w.events, i);
    g_assert_true(event->kind != ML_EVENT_HEADERS);
    g_assert_true(event->kind != ML_EVENT_CHANGES ||
                  (!event->changes->reset && !event->changes->vanished->len));
  }
  worker_stop(&w);
}

static void
test_broken_once(void)
{
  Worker w;
  worker_start(&w, "carol");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error);
  g_atomic_int_set(&w.relay.left, 1500000);
  guint64 open = ml_worker_open(w.worker, "Big", 40);
  await_stuck(&w);
  g_atomic_int_set(&w.relay.cut,
                   1); /* the server lives: the second try gets through, and tells nothing twice */
  g_assert_no_error(await(&w, ML_EVENT_DONE, open, 0)->error);
  g_autoptr(GHashTable) seen = g_hash_table_new(g_direct_hash, g_direct_equal);
  guint total = 0, opened = 0;
  for (guint i = 0; i < w.events->len; i++) {
    MlEvent *event = g_ptr_array_index(w.events, i);
    opened += event->kind == ML_EVENT_OPENED;
    for (guint j = 0; event->kind == ML_EVENT_HEADERS && j < event->headers->len; j++, total++)
      g_hash_table_add(seen, GUINT_TO_POINTER(((MlHeader *)g_ptr_array_index(event->headers, j))->uid));
  }
  g_assert_cmpuint(opened, ==, 1);
  g_assert_cmpuint(total, ==, 10001);
  g_assert_cmpuint(g_hash_table_size(seen), ==, total);
  worker_stop(&w);
}

static void
test_idle(void)
{
  Worker w;
  worker_start(&w, "anna");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_open(w.worker, "INBOX", 40), 0)->error);
  gint64 then = g_get_monotonic_time();
  deliver("anna", "", "1950000000.idle.lab", "Subject: told by the server\n\nx\n");
  MlEvent *news = await(&w, ML_EVENT_NEW, 0, 0);
  g_test_message("new mail after %.2f s", (double)(g_get_monotonic_time() - then) / 1e6);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(news->headers, 0))->subject, ==, "told by the server");
  then = g_get_monotonic_time(); /* and a command wakes it from IDLE at once */
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, TRUE), 0)->error);
  g_assert_cmpint(g_get_monotonic_time() - then, <, 2 * G_USEC_PER_SEC);
  worker_stop(&w);
}

/* The line is cut behind so many octets of what the server answers; or it got through before. */
static MlEvent *
await_cut(Worker *w, guint64 id, guint from)
{
  gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
  while (!g_atomic_int_get(&w->relay.stuck)) {
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    g_main_context_iteration(NULL, TRUE);
    for (guint i = from; i < w->events->len; i++) {
      MlEvent *event = g_ptr_array_index(w->events, i);
      if (event->kind == ML_EVENT_DONE && event->id == id)
        return event;
    }
  }
  g_atomic_int_set(&w->relay.cut, 1);
  return await(w, ML_EVENT_DONE, id, from);
}

static guint
count_of(Client *client, const char *folder, const char *subject)
{
  g_autoptr(GPtrArray) headers = list(client, folder);
  guint count = 0;
  for (guint i = 0; i < headers->len; i++)
    count += strcmp(((MlHeader *)g_ptr_array_index(headers, i))->subject, subject) == 0;
  return count;
}

/* Wherever the line is cut: nothing is copied twice, and what may have been done is said. A move, which this server
 * knows, is asked for again and done once. */
static void
test_cut_copy(void)
{
  Worker w;
  Client client;
  fill("bob", "", 24);
  client_open(&client, "bob");
  g_autoptr(GPtrArray) headers = list(&client, "INBOX");
  worker_start(&w, "bob");
  guint copied_unsure = 0;
  for (guint i = 0; i < 24; i++) {
    MlHeader *header = g_ptr_array_index(headers, i);
    g_autoptr(GArray) uids = driver_one(header->uid);
    gboolean move = i % 2;
    const char *to = move ? "Drafts" : "Gesendet";
    g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_open(w.worker, "INBOX", 40), 0)->error);
    guint from = w.events->len;
    g_atomic_int_set(&w.relay.left, 20 + (int)i / 2 * 20);
    guint64 id = move ? ml_worker_move(w.worker, "INBOX", uids, to) : ml_worker_copy(w.worker, "INBOX", uids, to);
    MlEvent *done = await_cut(&w, id, from);
    g_atomic_int_set(&w.relay.left, -1);
    guint count = count_of(&client, to, header->subject);
    if (!done->error) {
      g_assert_cmpuint(count, ==, 1);
    } else if (g_error_matches(done->error, ML_ERROR, ML_ERROR_OFFLINE)) {
      g_assert_cmpuint(count, ==, 0); /* it broke before anything was asked for */
    } else {
      g_assert_false(move);
      g_assert_error(done->error, ML_ERROR, ML_ERROR_FAILED);
      g_test_message("%u: %u copied: %s", i, count, done->error->message);
      g_assert_nonnull(strstr(done->error->message, "look at Gesendet"));
      g_assert_cmpuint(count, <=, 1);
      copied_unsure += count;
    }
    g_assert_cmpuint(count_of(&client, "INBOX", header->subject), ==, move && count ? 0 : 1);
  }
  g_assert_cmpuint(copied_unsure, >, 0); /* those that a second try would have doubled */
  worker_stop(&w);
  ml_driver_free(client.driver);
}

/* What would not be kept is not fetched ahead; what is kept of the folders is told before there is a line. */
static void
test_store(void)
{
  Worker w;
  g_autofree char *store_dir = g_build_filename(dir, "store", NULL);
  fill("anna", ".Kept", 2);
  for (guint round = 0; round < 2; round++) {
    relay_start(&w.relay);
    client_init(&w.client, "localhost", port_tls, ML_TLS_IMPLICIT, "anna"); /* a store is one server's */
    w.client.hooks.store_dir = store_dir;
    w.client.hooks.offline = round == 1;
    w.events = g_ptr_array_new_with_free_func((GDestroyNotify)ml_event_free);
    w.worker = ml_worker_new(&w.client.account, &w.client.hooks, on_event, w.events);
    guint64 folders = ml_worker_folders(w.worker, TRUE);
    MlEvent *told = await(&w, ML_EVENT_FOLDERS, folders, 0);
    g_assert_cmpint(told->kept, ==, round == 1);
    guint found = 0;
    for (guint i = 0; i < told->folders->len; i++) {
      const MlFolder *folder = g_ptr_array_index(told->folders, i);
      found += strcmp(folder->name, "Kept") == 0 && folder->total == 2;
    }
    g_assert_cmpuint(found, ==, 1);
    if (round) {
      g_assert_error(await(&w, ML_EVENT_DONE, folders, 0)->error, ML_ERROR, ML_ERROR_OFFLINE);
    } else {
      guint64 open = ml_worker_open(w.worker, "Kept", 10);
      MlEvent *headers = await(&w, ML_EVENT_HEADERS, open, 0);
      guint32 first = ((MlHeader *)g_ptr_array_index(headers->headers, 0))->uid;
      guint32 second = ((MlHeader *)g_ptr_array_index(headers->headers, 1))->uid;
      guint32 validity = await(&w, ML_EVENT_OPENED, open, 0)->selected.uidvalidity;
      g_assert_no_error(await(&w, ML_EVENT_DONE, open, 0)->error);
      guint64 large = ml_worker_fetch_ahead(w.worker, "Kept", first, ML_STORE_BODY + 1);
      g_assert_no_error(await(&w, ML_EVENT_DONE, large, 0)->error);
      guint64 small = ml_worker_fetch_ahead(w.worker, "Kept", second, 100);
      g_assert_no_error(await(&w, ML_EVENT_DONE, small, 0)->error);
      gint64 received;
      g_autoptr(GError) error = NULL;
      g_autoptr(MlStore) store = ml_store_open_to_read(store_dir, &w.client.account, &error);
      g_autoptr(GBytes) none = ml_store_get(store, "Kept", validity, first, &received, &error);
      g_autoptr(GBytes) kept = ml_store_get(store, "Kept", validity, second, &received, &error);
      g_assert_no_error(error);
      g_assert_null(none);
      g_assert_nonnull(kept);
    }
    worker_stop(&w);
  }
}

/* A message of another folder is fetched, and one of the open folder behind it, before the worker has looked what happened
 * there meanwhile: what came into it is told all the same. The line stands still in the midst of the first answer, so that it
 * comes behind the one SELECT and before the other. */
static void
test_left(void)
{
  enum { OCTETS = 100000, HELD = 30000 };
  Worker w;
  g_autofree char *store_dir = g_build_filename(dir, "left", NULL);
  g_autoptr(GString) large = g_string_new("Subject: large\n\n");
  while (large->len < OCTETS) /* which no compression makes small */
    g_string_append_printf(large, "%08x%08x%08x\n", g_random_int(), g_random_int(), g_random_int());
  deliver("anna", ".Left", "1500000001.a.lab", "Subject: first\n\nx\n");
  deliver("anna", ".Other", "1500000001.b.lab", large->str);
  worker_start_kept(&w, "anna", store_dir);
  guint64 other = ml_worker_open(w.worker, "Other", 10);
  g_assert_no_error(await(&w, ML_EVENT_DONE, other, 0)->error);
  guint32 uid = ((MlHeader *)await(&w, ML_EVENT_HEADERS, other, 0)->headers->pdata[0])->uid;
  guint64 open = ml_worker_open(w.worker, "Left", 10);
  g_assert_no_error(await(&w, ML_EVENT_DONE, open, 0)->error);
  guint32 first = ((MlHeader *)await(&w, ML_EVENT_HEADERS, open, 0)->headers->pdata[0])->uid;

  guint from = w.events->len;
  g_atomic_int_set(&w.relay.left, HELD);
  other = ml_worker_fetch(w.worker, "Other", uid);
  await_stuck(&w);
  open = ml_worker_fetch(w.worker, "Left", first);
  deliver("anna", ".Left", "1500000002.c.lab", "Subject: meanwhile\n\nx\n");
  g_atomic_int_set(&w.relay.left, -1);
  g_assert_no_error(await(&w, ML_EVENT_DONE, other, from)->error);
  g_assert_no_error(await(&w, ML_EVENT_DONE, open, from)->error);
  const MlEvent *news = await(&w, ML_EVENT_HEADERS, 0, from);
  g_assert_cmpstr(news->folder, ==, "Left");
  g_assert_cmpuint(news->id, ==, 0);
  g_assert_cmpuint(news->headers->len, ==, 1);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(news->headers, 0))->subject, ==, "meanwhile");
  worker_stop(&w);
}

/* ---- a server is asked for words */

/* Those that are asked. */
static guint
folders_of(Worker *w, gboolean anywhere)
{
  MlEvent *told = await(w, ML_EVENT_FOLDERS, ml_worker_folders(w->worker, FALSE), 0);
  guint n = 0;
  for (guint i = 0; i < told->folders->len; i++) {
    const MlFolder *folder = g_ptr_array_index(told->folders, i);
    n += folder->selectable && (anywhere || (folder->role != ML_ROLE_TRASH && folder->role != ML_ROLE_JUNK));
  }
  return n;
}

/* How often each folder was told, as it was, or that it was left out. */
static GHashTable *
told_of(const Worker *w, guint64 id, guint from, guint *left_out)
{
  GHashTable *told = g_hash_table_new(g_str_hash, g_str_equal);
  *left_out = 0;
  for (guint i = from; i < w->events->len; i++) {
    const MlEvent *event = g_ptr_array_index(w->events, i);
    if (event->kind != ML_EVENT_FOUND || event->id != id)
      continue;
    g_assert_true(g_hash_table_add(told, event->folder));
    *left_out += event->error != NULL;
  }
  return told;
}

static MlQuery *
query_of(const char *words)
{
  g_autoptr(GError) error = NULL;
  MlQuery *query = ml_query_parse(words, FALSE, &error);
  g_assert_no_error(error);
  return query;
}

static const MlEvent *
found_in(const Worker *w, guint64 id, const char *folder)
{
  for (guint i = 0; i < w->events->len; i++) {
    const MlEvent *event = g_ptr_array_index(w->events, i);
    if (event->kind == ML_EVENT_FOUND && event->id == id && strcmp(event->folder, folder) == 0)
      return event;
  }
  return NULL;
}

/* Folder by folder; one that cannot be opened, or in which the line breaks, does not keep the others from being asked. */
static void
test_search(void)
{
  Worker w;
  guint left_out;
  g_autoptr(MlQuery) query = query_of("hippogriff body:\"a h\303\274ppogriff\" -griffin");
  g_autoptr(MlQuery) anywhere = query_of("hippogriff body:\"a h\303\274ppogriff\" -griffin in:anywhere");
  g_autofree char *shut = g_build_filename(lab, "mail", "bob", "Maildir", ".Shut", NULL);
  deliver("bob", ".Words", "1500000001.a.lab", "Subject: one\n\nHere is a h\303\274ppogriff, or hippogriff.\n");
  deliver("bob", ".Words", "1500000002.b.lab",
          "Subject: two\nContent-Type: text/plain; charset=utf-8\n\nA h\303\274ppogriff and a hippogriff.\n");
  deliver("bob", ".Words", "1500000003.c.lab",
          "Subject: three\nContent-Type: text/plain; charset=utf-8\n\nA h\303\274ppogriff, a hippogriff, a griffin.\n");
  deliver("bob", ".Words", "1500000004.d.lab",
          "Subject: four\nContent-Type: text/plain; charset=utf-8\n\nHippogriffs? Yes, a h\303\274ppogriff.\n");
  deliver("bob", ".Trash", "1500000001.a.lab", "Subject: deleted\n\nA hippogriff, a h\303\274ppogriff.\n");
  deliver("bob", ".Shut", "1500000001.a.lab", "Subject: shut\n\nA hippogriff.\n");
  worker_start(&w, "bob");
  guint folders = folders_of(&w, FALSE);
  g_assert_cmpuint(folders_of(&w, TRUE), >, folders);
  g_assert_cmpint(g_chmod(shut, 0), ==, 0);
  guint64 id = ml_worker_search(w.worker, NULL, query, 1);
  g_assert_no_error(await(&w, ML_EVENT_DONE, id, 0)->error);
  g_autoptr(GHashTable) told = told_of(&w, id, 0, &left_out);
  g_assert_cmpuint(g_hash_table_size(told), ==, folders);
  g_assert_cmpuint(left_out, ==, 1);
  g_assert_nonnull(found_in(&w, id, "Shut")->error);
  const MlEvent *found = found_in(&w, id, "Words");
  g_assert_cmpuint(found->uids->len, ==, 3);
  g_assert_cmpuint(found->selected.uidvalidity, >, 0);
  g_assert_cmpuint(found->headers->len, ==, 1);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(found->headers, 0))->subject, ==, "four");
  g_assert_cmpuint(found_in(&w, id, "INBOX")->headers->len, ==, 0);
  g_assert_null(found_in(&w, id, "Trash"));
  const MlEvent *progress = await(&w, ML_EVENT_PROGRESS, id, 0);
  g_assert_cmpuint(progress->done, ==, 0);
  g_assert_cmpuint(progress->total, ==, folders);
  g_assert_cmpstr(progress->folder, ==, "INBOX");

  guint64 everywhere = ml_worker_search(w.worker, NULL, anywhere, 1);
  g_assert_no_error(await(&w, ML_EVENT_DONE, everywhere, 0)->error);
  g_autoptr(GHashTable) all = told_of(&w, everywhere, 0, &left_out);
  g_assert_cmpuint(g_hash_table_size(all), ==, folders_of(&w, TRUE));
  found = found_in(&w, everywhere, "Trash");
  g_assert_no_error(found->error);
  g_assert_cmpuint(found->uids->len, ==, 1);

  for (guint i = 0; i < 20; i++) {
    guint from = w.events->len;
    g_atomic_int_set(&w.relay.left, 100 + (int)i * 150);
    id = ml_worker_search(w.worker, NULL, query, 0);
    g_assert_no_error(await_cut(&w, id, from)->error);
    g_atomic_int_set(&w.relay.left, -1);
    g_autoptr(GHashTable) again = told_of(&w, id, from, &left_out);
    g_assert_cmpuint(g_hash_table_size(again), ==, folders);
    g_assert_cmpuint(left_out, >=, 1);
    g_assert_cmpuint(left_out, <=, 2);
  }
  g_assert_cmpint(g_chmod(shut, 0700), ==, 0);

  /* The line stands still, as a server that thinks: a cancel ends it. */
  g_atomic_int_set(&w.relay.left, 10);
  id = ml_worker_search(w.worker, "Words", query, 0);
  await_stuck(&w);
  ml_worker_cancel(w.worker, id);
  g_assert_error(await(&w, ML_EVENT_DONE, id, 0)->error, ML_ERROR, ML_ERROR_CANCELLED);
  id = ml_worker_search(w.worker, "Nowhere", query, 0);
  g_assert_no_error(await(&w, ML_EVENT_DONE, id, 0)->error);
  g_assert_error(found_in(&w, id, "Nowhere")->error, ML_ERROR, ML_ERROR_NO_FOLDER);
  worker_stop(&w);
}

static void
add(void)
{
  g_test_add_func("/dovecot/search", test_search);
  g_test_add_func("/dovecot/cut-copy", test_cut_copy);
  g_test_add_func("/dovecot/large", test_large);
  g_test_add_func("/dovecot/cancel", test_cancel);
  g_test_add_func("/dovecot/killed", test_killed);
  g_test_add_func("/dovecot/broken-once", test_broken_once);
  g_test_add_func("/dovecot/idle", test_idle);
  g_test_add_func("/dovecot/store", test_store);
  g_test_add_func("/dovecot/left", test_left);
}

int
main(int argc, char **argv)
{
  return lab_main(argc, argv, add);
}
