#include "crypto/job.h"

#include "crypto/context.h"

enum { DONE_PER_TURN = 64, THREADS = CRYPTO_JOB_THREADS };

typedef struct {
  CryptoJobThread thread;
  CryptoJobFunc run;
  CryptoJobDone done;
  gpointer data;
  GCancellable *cancellable; /* never NULL */
  GList link;                /* in jobs.outstanding; UI thread only */
} Job;

/* One set of threads for the process, as there is one NSS. */
static struct {
  GThread *threads[THREADS];
  GAsyncQueue *queues[THREADS];
  GAsyncQueue *finished; /* of Job, on its way back to the UI thread */
  GMutex lock;
  gboolean armed;     /* under the lock: the pump's source is attached */
  GQueue outstanding; /* UI thread only: every job whose done() has not run */
  CryptoPinFunc ask;  /* set before the threads start */
  gpointer user_data;
  gboolean running; /* UI thread only */
} jobs;

static Job stop_marker;

static void
job_finish(Job *job)
{
  g_queue_unlink(&jobs.outstanding, &job->link);
  job->done(job->cancellable, job->data);
  g_object_unref(job->cancellable);
  g_free(job);
}

/* UI thread. A flood of results is spread over several turns, so that keys are answered between them. */
static gboolean
pump(gpointer unused)
{
  for (int i = 0; i < DONE_PER_TURN; i++) {
    Job *job = g_async_queue_try_pop(jobs.finished);
    if (!job)
      break;
    job_finish(job);
  }
  g_mutex_lock(&jobs.lock);
  gboolean more = g_async_queue_length(jobs.finished) > 0;
  jobs.armed = more;
  g_mutex_unlock(&jobs.lock);
  return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void
give_back(Job *job)
{
  g_mutex_lock(&jobs.lock);
  g_async_queue_push(jobs.finished, job);
  if (!jobs.armed) {
    /* Not g_main_context_invoke(): it would run done() right here while the UI thread is not in its loop. */
    GSource *source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, pump, NULL, NULL);
    g_source_attach(source, NULL);
    g_source_unref(source);
    jobs.armed = TRUE;
  }
  g_mutex_unlock(&jobs.lock);
}

static gpointer
thread_main(gpointer data)
{
  CryptoJobThread which = GPOINTER_TO_INT(data);
  for (;;) {
    Job *job = g_async_queue_pop(jobs.queues[which]);
    if (job == &stop_marker)
      return NULL;
    /* Where NSS is not open and will not be, nothing can run. */
    if (!crypto_open_wait(job->cancellable, NULL))
      g_cancellable_cancel(job->cancellable);
    if (!g_cancellable_is_cancelled(job->cancellable)) {
      CryptoPinSource source = { .func = jobs.ask,
                                 .user_data = jobs.user_data,
                                 .cancellable = job->cancellable };
      job->run(which == CRYPTO_JOB_KEYS ? &source : NULL, job->cancellable, job->data);
      crypto_pin_source_clear(&source);
    }
    give_back(job);
  }
}

void
crypto_job_start(CryptoPinFunc ask, gpointer user_data)
{
  g_assert(!jobs.running);
  jobs.ask = ask;
  jobs.user_data = user_data;
  if (!jobs.finished)
    jobs.finished = g_async_queue_new();
  static const char *const names[THREADS] = { [CRYPTO_JOB_VERIFY] = "verify",
                                              [CRYPTO_JOB_KEYS] = "keys",
                                              [CRYPTO_JOB_NETWORK] = "network" };
  for (int i = 0; i < THREADS; i++) {
    jobs.queues[i] = g_async_queue_new();
    jobs.threads[i] = g_thread_new(names[i], thread_main, GINT_TO_POINTER(i));
  }
  jobs.running = TRUE;
}

void
crypto_job_post(CryptoJobThread thread, CryptoJobFunc run, CryptoJobDone done, gpointer data,
                GCancellable *cancellable)
{
  g_assert(jobs.finished);
  Job *job = g_new0(Job, 1);
  *job = (Job){ .thread = thread, .run = run, .done = done, .data = data };
  job->cancellable = cancellable ? g_object_ref(cancellable) : g_cancellable_new();
  job->link.data = job;
  g_queue_push_tail_link(&jobs.outstanding, &job->link);
  if (jobs.running) {
    g_async_queue_push(jobs.queues[thread], job);
  } else {
    /* Posted by a done() that runs while everything ends: it never starts, and still gets its done(). */
    g_cancellable_cancel(job->cancellable);
    give_back(job);
  }
}

gboolean
crypto_job_is_awaited(CryptoJobThread thread)
{
  return g_async_queue_length(jobs.queues[thread]) > 0;
}

void
crypto_job_stop(void)
{
  if (!jobs.running)
    return;
  jobs.running = FALSE;
  /* What waits before what runs, so that nothing begins any more. */
  for (GList *link = jobs.outstanding.tail; link; link = link->prev)
    g_cancellable_cancel(((Job *)link->data)->cancellable);
  for (int i = 0; i < THREADS; i++)
    g_async_queue_push(jobs.queues[i], &stop_marker);
  for (int i = 0; i < THREADS; i++) {
    g_thread_join(jobs.threads[i]);
    jobs.threads[i] = NULL;
    g_clear_pointer(&jobs.queues[i], g_async_queue_unref);
  }
  for (Job *job; (job = g_async_queue_try_pop(jobs.finished));)
    job_finish(job);
  g_assert(g_queue_is_empty(&jobs.outstanding));
}
