/* Text that is wanted here (keep = of signet.conf) and that the server does not give: a worker without its thread, on a
 * server of a few lines. */
#include <glib/gstdio.h>

#include "mail/worker-private.h"
#include "tests/unit/imap-server.h"
#include "tests/unit/tree.h"

static guint
count(const char *text, const char *word)
{
  guint n = 0;
  while ((text = strstr(text, word))) {
    text += strlen(word);
    n++;
  }
  return n;
}

/* Asked for once, however often the worker comes back from another folder, until something has changed. */
static void
test_refused(void)
{
  static const Rule rules[] = {
    { "CAPABILITY", "* CAPABILITY IMAP4rev1\r\n$ OK done\r\n" },
    { "SELECT \"INBOX\"", "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 11] x\r\n$ OK done\r\n" },
    { "SELECT \"Other\"", "* 0 EXISTS\r\n* OK [UIDVALIDITY 8] x\r\n* OK [UIDNEXT 1] x\r\n$ OK done\r\n" },
    { "HEADER.FIELDS", "* 1 FETCH (UID 10 FLAGS () RFC822.SIZE 40 BODY[HEADER.FIELDS (SUBJECT)] {14}\r\n"
                       "Subject: x\r\n\r\n)\r\n$ OK done\r\n" },
    { "(UID FLAGS)", "* 1 FETCH (UID 10 FLAGS ())\r\n$ OK done\r\n" },
    { "BODY.PEEK[]", "$ NO its file cannot be read\r\n" },
    { "NOOP", "$ OK done\r\n" },
    { NULL, NULL }
  };
  g_autoptr(GError) error = NULL;
  g_autofree char *dir = g_dir_make_tmp("signet-keep-XXXXXX", NULL);
  MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP, .keep = (char *)"all" };
  account.imap = (MlServer){ (char *)"test.example", (char *)"anna", 143, ML_TLS_STARTTLS };
  MlDriverHooks hooks = { .state_dir = dir, .store_dir = dir };
  Server server;
  MlImap *imap = start_driver(&server, &account, &hooks, rules);
  MlWorker worker = { .account = &account, .driver = &imap->base, .wake_fd = -1, .told_state = TRUE, .state = ML_STATE_ONLINE };
  g_mutex_init(&worker.lock);
  g_assert_nonnull(ml_worker_store(&worker));
  MlCommand open = { .kind = ML_COMMAND_OPEN, .id = 1, .folder = (char *)"INBOX", .first = 10 };
  gboolean ok = ml_worker_sync(&worker, &open, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_true(ml_worker_keep(&worker)); /* it is asked for, and refused */
  g_assert_false(ml_worker_keep(&worker));
  for (guint i = 0; i < 3; i++) {
    MlSelected other;
    ok = ml_worker_select(&worker, "Other", &other, &error) && ml_worker_select_open(&worker, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_false(ml_worker_keep(&worker));
  }
  ml_worker_keep_anew(&worker);
  g_assert_true(ml_worker_keep(&worker));

  ml_store_free(worker.store);
  ml_driver_free(&imap->base);
  g_thread_join(server.thread);
  g_assert_cmpuint(count(server.heard->str, "BODY.PEEK[]"), ==, 2);
  g_assert_cmpuint(count(server.heard->str, "SELECT \"Other\""), ==, 3);
  g_string_free(server.heard, TRUE);
  if (worker.source) {
    g_source_destroy(worker.source);
    g_source_unref(worker.source);
  }
  g_queue_clear_full(&worker.events, (GDestroyNotify)ml_event_free);
  g_queue_clear_full(&worker.spent, (GDestroyNotify)ml_event_free);
  g_clear_pointer(&worker.lacking, g_array_unref);
  g_clear_error(&worker.offline);
  g_free(worker.open);
  g_free(worker.selected);
  g_free(worker.told);
  g_free(worker.store_said);
  g_mutex_clear(&worker.lock);
  tree_remove(dir);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/worker-keep/refused", test_refused);
  return g_test_run();
}
