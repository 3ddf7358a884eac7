#ifndef TESTS_DOVECOT_RELAY_H
#define TESTS_DOVECOT_RELAY_H

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/unit/dovecot-lab.h"

/* A worker that reaches the server through a relay that can stop the flow in the middle of an answer, and cut the
 * line */

typedef struct {
  int listener;
  guint16 port, to;
  GThread *thread;
  gint left;  /* octets that the server may still send; -1: any number */
  gint stuck; /* it was stopped there */
  gint passed; /* octets that the server sent, TLS and all */
  gint cut, stop;
} Relay;

static inline gboolean
pass(Relay *relay, int from, int to, gboolean counted)
{
  char buffer[4096];
  gsize want = sizeof buffer;
  int left = g_atomic_int_get(&relay->left);
  if (counted && left >= 0)
    want = MIN(want, (gsize)left);
  ssize_t n = recv(from, buffer, want, 0);
  if (n <= 0)
    return FALSE;
  if (counted && left >= 0)
    g_atomic_int_add(&relay->left, (int)-n);
  if (counted)
    g_atomic_int_add(&relay->passed, (int)n);
  for (ssize_t at = 0; at < n;) {
    ssize_t sent = send(to, buffer + at, (size_t)(n - at), MSG_NOSIGNAL);
    if (sent <= 0)
      return FALSE;
    at += sent;
  }
  return TRUE;
}

static inline void
relay_one(Relay *relay, int client)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons(relay->to),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean go_on = connect(server, (struct sockaddr *)&address, sizeof address) == 0;
  while (go_on && !g_atomic_int_get(&relay->stop) && !g_atomic_int_get(&relay->cut)) {
    gboolean stuck = g_atomic_int_get(&relay->left) == 0;
    g_atomic_int_set(&relay->stuck, stuck);
    struct pollfd fds[] = { { client, POLLIN, 0 }, { stuck ? -1 : server, POLLIN, 0 } };
    if (poll(fds, 2, 10) <= 0) {
      g_main_context_wakeup(NULL); /* who waits looks at the relay, and at the clock */
      continue;
    }
    go_on = (!fds[0].revents || pass(relay, client, server, FALSE)) &&
            (!fds[1].revents || pass(relay, server, client, TRUE));
  }
  close(server);
  close(client);
}

static inline gpointer
relay_run(gpointer data)
{
  Relay *relay = data;
  while (!g_atomic_int_get(&relay->stop)) {
    struct pollfd fd = { relay->listener, POLLIN, 0 };
    if (poll(&fd, 1, 10) <= 0) {
      g_main_context_wakeup(NULL);
      continue;
    }
    int client = accept(relay->listener, NULL, NULL);
    g_atomic_int_set(&relay->cut, 0);
    relay_one(relay, client);
    g_atomic_int_set(&relay->stuck, 0);
    g_atomic_int_set(&relay->left, -1);
  }
  return NULL;
}

static inline void
relay_start(Relay *relay)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  *relay = (Relay){ .to = port_tls, .left = -1 };
  relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint(bind(relay->listener, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(relay->listener, 5), ==, 0);
  g_assert_cmpint(getsockname(relay->listener, (struct sockaddr *)&address, &length), ==, 0);
  relay->port = ntohs(address.sin_port);
  relay->thread = g_thread_new("relay", relay_run, relay);
}

static inline void
relay_stop(Relay *relay)
{
  g_atomic_int_set(&relay->stop, 1);
  g_thread_join(relay->thread);
  close(relay->listener);
}

typedef struct {
  Client client;
  Relay relay;
  MlWorker *worker;
  GPtrArray *events;
} Worker;

static inline void
on_event(MlEvent *event, gpointer user_data)
{
  MlEvent *copy = g_memdup2(event, sizeof *event);
  memset(event, 0, sizeof *event);
  g_ptr_array_add(user_data, copy);
}

static inline void
worker_start_kept(Worker *w, const char *user, const char *store_dir)
{
  relay_start(&w->relay);
  client_init(&w->client, "localhost", w->relay.port, ML_TLS_IMPLICIT, user);
  w->client.hooks.store_dir = store_dir;
  w->events = g_ptr_array_new_with_free_func((GDestroyNotify)ml_event_free);
  w->worker = ml_worker_new(&w->client.account, &w->client.hooks, on_event, w->events);
}

static inline void
worker_start(Worker *w, const char *user)
{
  worker_start_kept(w, user, NULL);
}

static inline void
worker_stop(Worker *w)
{
  ml_worker_free(w->worker);
  relay_stop(&w->relay);
  g_ptr_array_unref(w->events);
}

static inline MlEvent *
await(Worker *w, MlEventKind kind, guint64 id, guint from)
{
  gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
  for (guint i = from;;) {
    for (; i < w->events->len; i++) {
      MlEvent *event = g_ptr_array_index(w->events, i);
      if (event->kind == kind && (!id || event->id == id))
        return event;
    }
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    g_main_context_iteration(NULL, TRUE); /* an event comes, or the relay's next turn */
  }
}

static inline void
await_state(Worker *w, MlState state, guint from)
{
  for (;; from++) {
    MlEvent *event = await(w, ML_EVENT_STATE, 0, from);
    if (event->state == state)
      return;
    while (g_ptr_array_index(w->events, from) != event)
      from++;
  }
}

static inline void
await_stuck(Worker *w)
{
  gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
  while (!g_atomic_int_get(&w->relay.stuck)) {
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    g_main_context_iteration(NULL, TRUE);
  }
}

#endif
