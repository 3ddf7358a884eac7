#include "crypto/cert-private.h"
#include "crypto/context.h"

/* Opening while the screen is drawn already. One for the process, as NSS is. */
static struct {
  GMutex lock;
  GCond wanting, over;
  GThread *thread; /* of the thread that owns the program; NULL: nothing was begun */
  GCancellable *stop;
  gboolean wanted;  /* under the lock, as all below: somebody waits for it */
  gboolean pending;
  GError *error;    /* why it is not open */
  GSource *telling;
  CryptoOpened func;
  gpointer user_data;
  CryptoOptions options; /* copies */
} start;

enum { LOOK_MS = 20 }; /* how often who waits looks whether that was cancelled */

static gboolean
tell(gpointer unused)
{
  g_mutex_lock(&start.lock);
  g_clear_pointer(&start.telling, g_source_unref);
  g_autoptr(GError) error = start.error ? g_error_copy(start.error) : NULL;
  g_mutex_unlock(&start.lock);
  start.func(error, start.user_data);
  return G_SOURCE_REMOVE;
}

/* What is drawn first is not disturbed by it: a start has two processors at best, and NSS maps a dozen libraries. */
static void
wait_wanted(void)
{
  g_mutex_lock(&start.lock);
  while (!start.wanted)
    g_cond_wait(&start.wanting, &start.lock);
  g_mutex_unlock(&start.lock);
}

static gpointer
run(gpointer unused)
{
  GError *error = NULL;
  wait_wanted();
  gboolean given_up = g_cancellable_is_cancelled(start.stop), ok = !given_up && crypto_open(&start.options, &error);
  if (given_up)
    error = g_error_new_literal(CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
  g_mutex_lock(&start.lock);
  start.pending = FALSE;
  start.error = ok ? NULL : error;
  g_cond_broadcast(&start.over);
  start.telling = g_idle_source_new();
  g_source_set_priority(start.telling, G_PRIORITY_DEFAULT);
  g_source_set_callback(start.telling, tell, NULL, NULL);
  g_source_attach(start.telling, NULL);
  g_mutex_unlock(&start.lock);
  return NULL;
}

void
crypto_open_behind(const CryptoOptions *options, CryptoOpened func, gpointer user_data)
{
  g_assert(!start.thread);
  crypto_open_prepare();
  start.options = *options;
  start.options.nssdb = g_strdup(options->nssdb);
  start.options.cards = g_strdup(options->cards);
  start.options.only = g_strdup(options->only);
  start.options.cancellable = start.stop = g_cancellable_new();
  start.func = func;
  start.user_data = user_data;
  start.wanted = FALSE;
  start.pending = TRUE;
  start.thread = g_thread_new("crypto", run, NULL);
}

/* Under the lock. */
static void
want(void)
{
  start.wanted = TRUE;
  g_cond_signal(&start.wanting);
}

void
crypto_open_now(void)
{
  g_mutex_lock(&start.lock);
  want();
  g_mutex_unlock(&start.lock);
}

gboolean
crypto_open_wait(GCancellable *cancellable, GError **error)
{
  g_mutex_lock(&start.lock);
  want();
  while (start.pending && !g_cancellable_is_cancelled(cancellable) && !g_cancellable_is_cancelled(start.stop))
    g_cond_wait_until(&start.over, &start.lock, g_get_monotonic_time() + LOOK_MS * 1000);
  gboolean open = !start.pending && !start.error;
  if (start.error)
    g_propagate_error(error, g_error_copy(start.error));
  else if (!open)
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
  g_mutex_unlock(&start.lock);
  return open;
}

void
crypto_open_stop(void)
{
  if (!start.thread)
    return;
  g_cancellable_cancel(start.stop);
  crypto_open_now(); /* what is given up ends at once */
  g_thread_join(g_steal_pointer(&start.thread));
  if (start.telling) {
    g_source_destroy(start.telling);
    g_clear_pointer(&start.telling, g_source_unref);
  }
  g_clear_object(&start.stop);
  g_free((char *)start.options.nssdb);
  g_free((char *)start.options.cards);
  g_free((char *)start.options.only);
}

void
crypto_open_forget(void)
{
  crypto_open_stop();
  g_clear_error(&start.error);
}
