#include "mail/line-private.h"

#include <unistd.h>

/* A way to a server that is begun before there is a driver. One, and its first taker's. */
enum { FRESH_SECONDS = 10 }; /* a server gives up on who says nothing; and a network may have come up meanwhile */

typedef struct {
  const MlServer *server;
  GCancellable *cancellable;
  GThread *thread;
  gint64 begun;
  int fd;        /* the thread's until it has ended, as the next; -1: error */
  GError *error;
} Ahead;

static struct {
  GMutex lock;
  Ahead *begun; /* under the lock; NULL: none, or taken */
} ahead;

static gpointer
run(gpointer data)
{
  Ahead *own = data;
  own->fd = ml_line_dial_now(own->server, own->cancellable, &own->error);
  return NULL;
}

static void
end(Ahead *own)
{
  g_cancellable_cancel(own->cancellable);
  if (own->thread)
    g_thread_join(own->thread);
  if (own->fd >= 0)
    close(own->fd);
  g_clear_error(&own->error);
  g_object_unref(own->cancellable);
  g_free(own);
}

/* What was begun to @server; NULL: any. Transfer full, or NULL. */
static Ahead *
take(const MlServer *server)
{
  Ahead *own = NULL;
  g_mutex_lock(&ahead.lock);
  if (ahead.begun && (!server || ahead.begun->server == server))
    own = g_steal_pointer(&ahead.begun);
  g_mutex_unlock(&ahead.lock);
  return own;
}

void
ml_driver_ahead(const MlAccount *account)
{
  /* With a certificate of ours somebody may have to be asked first, which the server would not wait for. */
  if (account->kind != ML_ACCOUNT_IMAP || account->tls_cert)
    return;
  ml_driver_ahead_stop();
  Ahead *own = g_new0(Ahead, 1);
  own->server = &account->imap;
  own->cancellable = g_cancellable_new();
  own->begun = g_get_monotonic_time();
  own->fd = -1;
  own->thread = g_thread_new("ahead", run, own);
  g_mutex_lock(&ahead.lock);
  ahead.begun = own;
  g_mutex_unlock(&ahead.lock);
}

void
ml_driver_ahead_stop(void)
{
  Ahead *own = take(NULL);
  if (own)
    end(own);
}

static void
on_cancelled(GCancellable *unused, GCancellable *other)
{
  (void)unused;
  g_cancellable_cancel(other);
}

int
ml_line_dial(const MlServer *server, GCancellable *cancellable, GError **error)
{
  Ahead *own = take(server);
  if (own && g_get_monotonic_time() - own->begun > FRESH_SECONDS * G_USEC_PER_SEC)
    end(g_steal_pointer(&own));
  if (!own)
    return ml_line_dial_now(server, cancellable, error);
  gulong watch = g_cancellable_connect(cancellable, G_CALLBACK(on_cancelled), own->cancellable, NULL);
  g_thread_join(g_steal_pointer(&own->thread));
  g_cancellable_disconnect(cancellable, watch);
  int fd = own->fd;
  own->fd = -1;
  if (fd >= 0 && g_cancellable_is_cancelled(cancellable)) {
    close(fd);
    fd = -1;
    g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  } else if (fd < 0)
    g_propagate_error(error, g_steal_pointer(&own->error));
  end(own);
  return fd;
}
