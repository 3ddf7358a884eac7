#include "mail/lists.h"

#include <string.h>

#include "crypto/context.h"
#include "mail/fetch.h"

enum { FIRST_SECONDS = 10, EVERY_SECONDS = 30 }; /* looking costs nothing; crypto/ knows what is due */

struct MlLists {
  const MlConfig *config;
  GThread *thread;
  GCancellable *cancellable;
  MlListsNews news;
  gpointer data;
  guint source; /* under the lock: news is about to be called; 0: it is not */
  GMutex lock;
  GCond stop;
  gboolean stopped; /* under the lock */
};

static gboolean
tell(gpointer data)
{
  MlLists *lists = data;
  g_mutex_lock(&lists->lock);
  lists->source = 0;
  g_mutex_unlock(&lists->lock);
  lists->news(lists->data);
  return G_SOURCE_REMOVE;
}

/* FALSE: it is over. */
static gboolean
wait_seconds(MlLists *lists, guint seconds)
{
  gint64 until = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
  g_mutex_lock(&lists->lock);
  while (!lists->stopped && g_cond_wait_until(&lists->stop, &lists->lock, until))
    ;
  gboolean go_on = !lists->stopped;
  g_mutex_unlock(&lists->lock);
  return go_on;
}

static gpointer
run(gpointer data)
{
  MlLists *lists = data;
  if (!crypto_open_wait(lists->cancellable, NULL))
    return NULL;
  CryptoAsker asker = ml_fetch_asker(lists->config, CRYPTO_ASK_CRL, lists->cancellable);
  for (guint seconds = FIRST_SECONDS; wait_seconds(lists, seconds); seconds = EVERY_SECONDS) {
    g_autoptr(GPtrArray) log = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_asked_free);
    gboolean news = crypto_revocation_refresh(&asker, log);
    g_mutex_lock(&lists->lock);
    if (news && !lists->source)
      lists->source = g_idle_add(tell, lists);
    g_mutex_unlock(&lists->lock);
    for (guint i = 0; i < log->len; i++) {
      const CryptoAsked *asked = log->pdata[i];
      g_info("%s: %s", asked->url, asked->failure ? asked->failure : "fetched");
    }
  }
  return NULL;
}

MlLists *
ml_lists_start(const MlConfig *config, MlListsNews news, gpointer data)
{
  if (strcmp(config->online, "off") == 0 || strcmp(config->revocation, "off") == 0)
    return NULL;
  MlLists *lists = g_new0(MlLists, 1);
  lists->config = config;
  lists->news = news;
  lists->data = data;
  lists->cancellable = g_cancellable_new();
  g_mutex_init(&lists->lock);
  g_cond_init(&lists->stop);
  lists->thread = g_thread_new("revocation", run, lists);
  return lists;
}

void
ml_lists_stop(MlLists *lists)
{
  if (!lists)
    return;
  g_cancellable_cancel(lists->cancellable);
  g_mutex_lock(&lists->lock);
  lists->stopped = TRUE;
  g_cond_signal(&lists->stop);
  g_mutex_unlock(&lists->lock);
  g_thread_join(lists->thread);
  if (lists->source)
    g_source_remove(lists->source);
  g_object_unref(lists->cancellable);
  g_mutex_clear(&lists->lock);
  g_cond_clear(&lists->stop);
  g_free(lists);
}
