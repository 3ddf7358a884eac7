#include "ui/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <unistd.h>

/* Signals are the process's, so this is too. A subcommand has no main loop that could hear of them while it is at a
 * server: a pipe carries them to a thread, which may cancel from outside. */
static struct {
  UiCli *cli;
  GThread *thread;
  int pipe[2];
  GMutex lock;      /* guards the next */
  MlDriver *driver; /* NULL: none is at work */
  int signal;       /* atomic */
  struct sigaction before[2];
} watch;

static const int numbers[] = { SIGINT, SIGTERM };

static void
on_signal(int number)
{
  int before = errno;
  char byte = (char)number;
  gssize unused = write(watch.pipe[1], &byte, 1);
  (void)unused;
  errno = before;
}

static gpointer
wait_for_signals(gpointer data)
{
  char byte;
  gssize n;
  while ((n = read(watch.pipe[0], &byte, 1)) != 0) {
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 || !byte)
      break;
    g_atomic_int_set(&watch.signal, byte);
    g_cancellable_cancel(watch.cli->cancellable);
    g_mutex_lock(&watch.lock);
    if (watch.driver)
      ml_driver_interrupt(watch.driver);
    g_mutex_unlock(&watch.lock);
  }
  return data;
}

void
ui_interrupt_begin(UiCli *cli)
{
  /* no SA_RESTART: a question at the terminal ends too */
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
  watch.cli = cli;
  watch.signal = 0;
  watch.driver = NULL;
  if (!g_unix_open_pipe(watch.pipe, FD_CLOEXEC, NULL))
    return;
  watch.thread = g_thread_new("signals", wait_for_signals, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
    sigaction(numbers[i], &action, &watch.before[i]);
    if (watch.before[i].sa_handler == SIG_IGN) /* in the background of a shell, or under nohup */
      sigaction(numbers[i], &watch.before[i], NULL);
  }
}

void
ui_interrupt_driver(MlDriver *driver)
{
  g_mutex_lock(&watch.lock);
  watch.driver = driver;
  if (driver && g_atomic_int_get(&watch.signal))
    ml_driver_interrupt(driver);
  g_mutex_unlock(&watch.lock);
}

int
ui_interrupt_end(void)
{
  const char end = 0;
  if (!watch.thread)
    return 0;
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
    sigaction(numbers[i], &watch.before[i], NULL);
  while (write(watch.pipe[1], &end, 1) < 0 && errno == EINTR)
    ;
  g_thread_join(g_steal_pointer(&watch.thread));
  close(watch.pipe[0]);
  close(watch.pipe[1]);
  return g_atomic_int_get(&watch.signal);
}
