#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "mail/line-private.h"
#include "tests/unit/loopback.h"

enum { PATIENCE_MS = 20000 };

/* The way to a server that is begun before there is a driver: one connection, whoever takes it, and none left over. */
typedef struct {
  MlAccount account;
  int listener;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
  (void)data;
  f->account = (MlAccount){ .kind = ML_ACCOUNT_IMAP, .name = (char *)"far" };
  f->account.imap.host = (char *)"127.0.0.1";
  f->listener = listen_silent(&f->account.imap.port);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
  (void)data;
  ml_driver_ahead_stop();
  close(f->listener);
}

static guint16
port_of(int fd, int (*get)(int, struct sockaddr *restrict, socklen_t *restrict))
{
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  g_assert_cmpint(get(fd, (struct sockaddr *)&address, &length), ==, 0);
  return ntohs(address.sin_port);
}

/* A connection or an end that does not come is a failure here, and not the runner's patience. */
static void
await(int fd)
{
  struct pollfd there = { fd, POLLIN, 0 };
  g_assert_cmpint(poll(&there, 1, PATIENCE_MS), ==, 1);
}

static int
hear(Fixture *f)
{
  await(f->listener);
  int fd = accept(f->listener, NULL, NULL);
  g_assert_cmpint(fd, >=, 0);
  return fd;
}

/* The other end of @ours is @heard. */
static gboolean
is_same(int ours, int heard)
{
  g_assert_cmpint(ours, >=, 0);
  return port_of(ours, getsockname) == port_of(heard, getpeername);
}

static gboolean
is_over(int fd)
{
  char c;
  await(fd);
  return recv(fd, &c, 1, 0) == 0;
}

static void
test_taken(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  ml_driver_ahead(&f->account);
  int first = hear(f); /* nobody has asked for it yet */
  int ours = ml_line_dial(&f->account.imap, cancellable, &error);
  g_assert_no_error(error);
  g_assert_true(is_same(ours, first));
  int next = ml_line_dial(&f->account.imap, cancellable, &error);
  g_assert_no_error(error);
  int second = hear(f);
  g_assert_true(is_same(next, second));
  ml_driver_ahead_stop(); /* that what was taken outlives */
  g_assert_cmpint(send(ours, "x", 1, MSG_NOSIGNAL), ==, 1);
  g_assert_false(is_over(first));
  for (guint i = 0; i < 4; i++)
    close((int[]){ first, second, ours, next }[i]);
}

/* Another account of the same server has its own. */
static void
test_another(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  MlAccount other = f->account;
  ml_driver_ahead(&f->account);
  int first = hear(f), ours = ml_line_dial(&other.imap, cancellable, &error);
  g_assert_no_error(error);
  g_assert_false(is_same(ours, first));
  int second = hear(f);
  g_assert_true(is_same(ours, second));
  ml_driver_ahead_stop();
  g_assert_true(is_over(first)); /* what nobody took is ended */
  for (guint i = 0; i < 3; i++)
    close((int[]){ first, second, ours }[i]);
}

/* Where somebody may have to be asked for a key first the server is not kept waiting. */
static void
test_not_wanted(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  MlAccount with_key = f->account, local = f->account;
  with_key.tls_cert = (char *)"auto";
  local.kind = ML_ACCOUNT_MAILDIR;
  ml_driver_ahead(&with_key);
  ml_driver_ahead(&local);
  int ours = ml_line_dial(&with_key.imap, cancellable, &error);
  g_assert_no_error(error);
  int first = hear(f);
  g_assert_true(is_same(ours, first));
  close(ours);
  close(first);
}

static void
test_unreachable(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) ahead = NULL, plain = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  /* A port that is nobody else's, and where nobody listens. */
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  close(f->listener);
  f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint(bind(f->listener, (struct sockaddr *)&address, sizeof address), ==, 0);
  f->account.imap.port = port_of(f->listener, getsockname);
  ml_driver_ahead(&f->account);
  g_assert_cmpint(ml_line_dial(&f->account.imap, cancellable, &ahead), ==, -1);
  g_assert_cmpint(ml_line_dial(&f->account.imap, cancellable, &plain), ==, -1);
  g_assert_error(ahead, ML_ERROR, ML_ERROR_OFFLINE);
  g_assert_cmpstr(ahead->message, ==, plain->message);
}

static void
test_cancelled(Fixture *f, gconstpointer data)
{
  (void)data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  ml_driver_ahead(&f->account);
  int first = hear(f);
  g_cancellable_cancel(cancellable);
  g_assert_cmpint(ml_line_dial(&f->account.imap, cancellable, &error), ==, -1);
  g_assert_error(error, ML_ERROR, ML_ERROR_CANCELLED);
  g_assert_true(is_over(first));
  close(first);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/line/" name, Fixture, NULL, set_up, func, tear_down)
  ADD("taken", test_taken);
  ADD("another", test_another);
  ADD("not-wanted", test_not_wanted);
  ADD("unreachable", test_unreachable);
  ADD("cancelled", test_cancelled);
  return g_test_run();
}
