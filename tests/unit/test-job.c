/* The crypto threads: exactly one done() for each job, in the posting thread; cancel; the order of the end. */
#include "crypto/job.h"

enum { MANY = 5000, PATIENCE_S = 30 };

typedef struct {
  GCancellable *cancellable;
  GThread *ran_on;
  int run, done, had_source;
  gboolean seen_cancelled;
  GMutex *gate; /* run() holds until this can be locked */
  int *started;
} Work;

static GThread *ui_thread;
static int total_done;

static void
run(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Work *work = data;
  g_assert_nonnull(cancellable);
  g_assert_true(g_thread_self() != ui_thread);
  work->ran_on = g_thread_self();
  work->had_source = pin != NULL;
  work->run++;
  if (work->started)
    g_atomic_int_set(work->started, 1);
  if (work->gate) {
    g_mutex_lock(work->gate);
    g_mutex_unlock(work->gate);
  }
}

static void
done(GCancellable *cancellable, gpointer data)
{
  Work *work = data;
  g_assert_true(g_thread_self() == ui_thread);
  work->done++;
  work->seen_cancelled = g_cancellable_is_cancelled(cancellable);
  total_done++;
}

static gboolean
on_late(gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
loop_until(int count)
{
  gboolean late = FALSE;
  guint id = g_timeout_add_seconds(PATIENCE_S, on_late, &late);
  while (total_done < count && !late)
    g_main_context_iteration(NULL, TRUE);
  g_assert_false(late);
  g_source_remove(id);
}

static char *
ask(const CryptoPinQuestion *question, GCancellable *cancellable, gpointer user_data)
{
  return NULL;
}

static void
test_many(void)
{
  g_autofree Work *work = g_new0(Work, MANY);
  total_done = 0;
  crypto_job_start(ask, NULL);
  for (int i = 0; i < MANY; i++)
    crypto_job_post(i % 3 ? CRYPTO_JOB_VERIFY : CRYPTO_JOB_KEYS, run, done, &work[i], NULL);
  loop_until(MANY);
  crypto_job_stop();
  for (int i = 0; i < MANY; i++) {
    g_assert_cmpint(work[i].run, ==, 1);
    g_assert_cmpint(work[i].done, ==, 1);
    g_assert_cmpint(work[i].had_source, ==, i % 3 == 0);
    g_assert_true(work[i].ran_on == work[i % 3 ? 1 : 0].ran_on);
    g_assert_false(work[i].seen_cancelled);
  }
  g_assert_true(work[0].ran_on != work[1].ran_on);
}

static void
wait_started(int *started)
{
  gint64 end = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
  while (!g_atomic_int_get(started) && g_get_monotonic_time() < end)
    g_thread_yield();
  g_assert_true(g_atomic_int_get(started));
}

static void
test_cancel_waiting(void)
{
  GMutex gate;
  int started = 0;
  g_mutex_init(&gate);
  g_mutex_lock(&gate);
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  Work first = { .gate = &gate, .started = &started }, second = { 0 }, third = { 0 };
  total_done = 0;
  crypto_job_start(ask, NULL);
  crypto_job_post(CRYPTO_JOB_VERIFY, run, done, &first, NULL);
  crypto_job_post(CRYPTO_JOB_VERIFY, run, done, &second, cancellable);
  crypto_job_post(CRYPTO_JOB_VERIFY, run, done, &third, NULL);
  wait_started(&started);
  g_cancellable_cancel(cancellable);
  g_mutex_unlock(&gate);
  loop_until(3);
  crypto_job_stop();
  g_assert_cmpint(second.run, ==, 0);
  g_assert_cmpint(second.done, ==, 1);
  g_assert_true(second.seen_cancelled);
  g_assert_cmpint(third.run, ==, 1);
  g_assert_false(third.seen_cancelled);
  g_mutex_clear(&gate);
}

/* A job that waits for its cancellable, as a PIN prompt does. */
static void
run_until_cancelled(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Work *work = data;
  work->run++;
  g_atomic_int_set(work->started, 1);
  GPollFD fd;
  g_assert_true(g_cancellable_make_pollfd(cancellable, &fd));
  g_assert_cmpint(g_poll(&fd, 1, PATIENCE_S * 1000), ==, 1);
  g_cancellable_release_fd(cancellable);
}

static void
done_posts_again(GCancellable *cancellable, gpointer data)
{
  Work *work = data;
  done(cancellable, work);
  crypto_job_post(CRYPTO_JOB_KEYS, run, done, work + 1, NULL);
}

static void
test_stop(void)
{
  int started = 0;
  Work work[2] = { { .started = &started }, { 0 } }, waiting[100] = { { 0 } };
  total_done = 0;
  crypto_job_start(ask, NULL);
  crypto_job_post(CRYPTO_JOB_KEYS, run_until_cancelled, done_posts_again, &work[0], NULL);
  for (int i = 0; i < 100; i++)
    crypto_job_post(CRYPTO_JOB_KEYS, run, done, &waiting[i], NULL);
  wait_started(&started);
  crypto_job_stop();
  g_assert_cmpint(total_done, ==, 102);
  g_assert_true(work[0].seen_cancelled);
  for (int i = 0; i < 100; i++) {
    g_assert_cmpint(waiting[i].run, ==, 0);
    g_assert_cmpint(waiting[i].done, ==, 1);
  }
  g_assert_cmpint(work[1].run, ==, 0);
  g_assert_cmpint(work[1].done, ==, 1);
  g_assert_true(work[1].seen_cancelled);
  while (g_main_context_iteration(NULL, FALSE))
    ;
  g_assert_cmpint(total_done, ==, 102);
}

/* Cancels race with runs; nothing is lost and nothing comes twice. */
static void
test_storm(void)
{
  g_autofree Work *work = g_new0(Work, MANY);
  total_done = 0;
  crypto_job_start(ask, NULL);
  for (int i = 0; i < MANY; i++) {
    work[i].cancellable = g_cancellable_new();
    crypto_job_post(i % 2, run, done, &work[i], work[i].cancellable);
    if (i % 5 == 0)
      g_cancellable_cancel(work[i / 2].cancellable);
    if (i % 50 == 0)
      g_main_context_iteration(NULL, FALSE);
  }
  crypto_job_stop();
  for (int i = 0; i < MANY; i++) {
    g_assert_cmpint(work[i].done, ==, 1);
    g_assert_cmpint(work[i].run, <=, 1);
    g_assert_true(work[i].run || work[i].seen_cancelled);
    g_object_unref(work[i].cancellable);
  }
}

/* A server that does not answer holds up neither a reading nor a key; and no job of that thread can ask for a PIN. */
static void
test_network(void)
{
  GMutex gate;
  int started = 0;
  Work hangs = { .gate = &gate, .started = &started }, verifies = { NULL }, keys = { NULL };
  g_mutex_init(&gate);
  g_mutex_lock(&gate);
  total_done = 0;
  crypto_job_start(ask, NULL);
  crypto_job_post(CRYPTO_JOB_NETWORK, run, done, &hangs, NULL);
  crypto_job_post(CRYPTO_JOB_VERIFY, run, done, &verifies, NULL);
  crypto_job_post(CRYPTO_JOB_KEYS, run, done, &keys, NULL);
  loop_until(2);
  g_assert_cmpint(verifies.done + keys.done, ==, 2);
  g_assert_cmpint(hangs.done, ==, 0);
  g_mutex_unlock(&gate);
  loop_until(3);
  g_assert_false(hangs.had_source);
  g_assert_true(keys.had_source);
  g_assert_true(hangs.ran_on != verifies.ran_on && hangs.ran_on != keys.ran_on);
  crypto_job_stop();
  g_mutex_clear(&gate);
}

/* What comes in pieces learns that somebody waits, on its own thread alone. */
static void
run_awaited(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Work *work = data;
  run(pin, cancellable, data);
  work->had_source = crypto_job_is_awaited(CRYPTO_JOB_VERIFY);
  g_assert_false(crypto_job_is_awaited(CRYPTO_JOB_KEYS));
}

static void
test_awaited(void)
{
  GMutex gate;
  g_mutex_init(&gate);
  Work first = { .gate = &gate }, second = { 0 };
  total_done = 0;
  g_mutex_lock(&gate);
  crypto_job_start(ask, NULL);
  crypto_job_post(CRYPTO_JOB_VERIFY, run_awaited, done, &first, NULL);
  crypto_job_post(CRYPTO_JOB_VERIFY, run_awaited, done, &second, NULL);
  g_mutex_unlock(&gate);
  loop_until(2);
  crypto_job_stop();
  g_assert_true(first.had_source);
  g_assert_false(second.had_source);
  g_mutex_clear(&gate);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ui_thread = g_thread_self();
  g_test_add_func("/job/many", test_many);
  g_test_add_func("/job/cancel-waiting", test_cancel_waiting);
  g_test_add_func("/job/stop", test_stop);
  g_test_add_func("/job/storm", test_storm);
  g_test_add_func("/job/network", test_network);
  g_test_add_func("/job/awaited", test_awaited);
  return g_test_run();
}
