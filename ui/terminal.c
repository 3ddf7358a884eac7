#include "ui/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Signals are the process's, so this is too. GLib has no sources for SIGTSTP and SIGCONT: a pipe carries them. */
static struct {
  UiTerminalFunc func;
  gpointer user_data;
  guint sources[6];
  guint count;
  int pipe[2];
  struct sigaction stop_before, continue_before;
} watch;

static gboolean
on_resize(gpointer data)
{
  watch.func(UI_TERMINAL_RESIZED, watch.user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_end(gpointer data)
{
  watch.func(UI_TERMINAL_END, watch.user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt(gpointer data)
{
  watch.func(UI_TERMINAL_INTERRUPT, watch.user_data);
  return G_SOURCE_CONTINUE;
}

static void
on_signal(int number)
{
  int before = errno;
  char byte = number == SIGTSTP ? 's' : 'c';
  gssize unused = write(watch.pipe[1], &byte, 1);

  (void)unused;
  errno = before;
}

static gboolean
on_pipe(int fd, GIOCondition condition, gpointer data)
{
  char bytes[16];
  gssize n = read(fd, bytes, sizeof bytes);

  for (gssize i = 0; i < n; i++)
    watch.func(bytes[i] == 's' ? UI_TERMINAL_STOP : UI_TERMINAL_CONTINUED, watch.user_data);
  return G_SOURCE_CONTINUE;
}

void
ui_terminal_watch_signals(UiTerminalFunc func, gpointer user_data)
{
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

  watch.func = func;
  watch.user_data = user_data;
  watch.count = 0;
  watch.sources[watch.count++] = g_unix_signal_add(SIGWINCH, on_resize, NULL);
  watch.sources[watch.count++] = g_unix_signal_add(SIGTERM, on_end, NULL);
  watch.sources[watch.count++] = g_unix_signal_add(SIGHUP, on_end, NULL);
  watch.sources[watch.count++] = g_unix_signal_add(SIGINT, on_interrupt, NULL);
  if (pipe2(watch.pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
    watch.pipe[0] = watch.pipe[1] = -1;
    return;
  }
  watch.sources[watch.count++] = g_unix_fd_add(watch.pipe[0], G_IO_IN, on_pipe, NULL);
  sigaction(SIGTSTP, &action, &watch.stop_before);
  sigaction(SIGCONT, &action, &watch.continue_before);
}

void
ui_terminal_unwatch(void)
{
  for (guint i = 0; i < watch.count; i++)
    g_source_remove(watch.sources[i]);
  watch.count = 0;
  if (watch.pipe[0] < 0)
    return;
  sigaction(SIGTSTP, &watch.stop_before, NULL);
  sigaction(SIGCONT, &watch.continue_before, NULL);
  close(watch.pipe[0]);
  close(watch.pipe[1]);
}

guint
ui_terminal_watch(GUnixFDSourceFunc func, gpointer user_data)
{
  return g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, func, user_data);
}
