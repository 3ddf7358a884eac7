#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ui/app-private.h"

enum { MAX_BROWSERS = 32 };

/* Other programs: they get their input by a pipe that a thread fills, so that one that reads slowly, or never,
 * holds up nobody. */
typedef struct {
  int fd;
  GBytes *input;
} Feed;

static gpointer
feed(gpointer data)
{
  g_autofree Feed *feed = data;
  gsize size, at = 0;
  const char *bytes = g_bytes_get_data(feed->input, &size);

  while (at < size) {
    gssize n = write(feed->fd, bytes + at, size - at);
    if (n <= 0)
      break;
    at += (gsize)n;
  }
  close(feed->fd);
  g_bytes_unref(feed->input);
  return NULL;
}

static void
start_feed(int fd, GBytes *input)
{
  Feed *data = g_new(Feed, 1);

  *data = (Feed){ fd, g_bytes_ref(input) };
  g_thread_unref(g_thread_new("feed", feed, data));
}

/* With the terminal: the screen waits until the program has ended and Enter was pressed. */
typedef struct {
  UiApp *app;
  gboolean pause;
  UiShellDone done; /* may be NULL */
  gpointer data;
} Guest;

static void
come_back(Guest *guest)
{
  ui_screen_resume();
  ui_app_watch_keys(guest->app, TRUE);
  ui_app_dirty(guest->app);
  g_free(guest);
}

static gboolean
on_enter(int fd, GIOCondition condition, gpointer data)
{
  char byte = 0;

  if (read(fd, &byte, 1) == 1 && byte != '\n' && byte != '\r')
    return G_SOURCE_CONTINUE;
  come_back(data);
  return G_SOURCE_REMOVE;
}

static void
on_guest_ended(GPid pid, int status, gpointer data)
{
  Guest *guest = data;

  g_spawn_close_pid(pid);
  if (!guest->pause) {
    UiApp *app = guest->app;
    UiShellDone done = guest->done;
    gpointer own = guest->data;
    come_back(guest);
    if (done)
      done(app, status, own);
    return;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status))
    printf("\nIt ended with code %d. ", WEXITSTATUS(status));
  printf("Press Enter to go back to signet. ");
  fflush(stdout);
  g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_enter, guest);
}

/* Between fork and exec: a terminal program expects the signals as a shell leaves them. */
static void
set_up_child(gpointer data)
{
  signal(SIGPIPE, SIG_DFL);
}

/* The guest that was started; NULL: that was complained of. */
static Guest *
run_guest(UiApp *app, char **argv, GBytes *input, gboolean pause)
{
  g_autoptr(GError) error = NULL;
  GPid pid;
  int fd = -1;

  ui_app_watch_keys(app, FALSE);
  ui_screen_suspend();
  if (!g_spawn_async_with_pipes(NULL, argv, NULL,
                                G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH |
                                    (input ? 0 : G_SPAWN_CHILD_INHERITS_STDIN),
                                set_up_child, NULL, &pid, input ? &fd : NULL, NULL, NULL, &error)) {
    ui_screen_resume();
    ui_app_watch_keys(app, TRUE);
    ui_app_complain(app, "%s", error->message);
    return NULL;
  }
  if (input)
    start_feed(fd, input);
  Guest *guest = g_new0(Guest, 1);
  guest->app = app;
  guest->pause = pause;
  g_child_watch_add(pid, on_guest_ended, guest);
  return guest;
}

static void
on_neighbour_ended(GPid pid, int status, gpointer data)
{
  Guest *neighbour = data;

  g_spawn_close_pid(pid);
  neighbour->done(neighbour->app, status, neighbour->data);
  ui_app_dirty(neighbour->app);
  g_free(neighbour);
}

gboolean
ui_shell_edit(UiApp *app, const char *command, gboolean own_window, UiShellDone done, gpointer data)
{
  char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)command, NULL };
  g_autoptr(GError) error = NULL;
  GPid pid;

  if (!own_window) {
    Guest *guest = run_guest(app, argv, NULL, FALSE);
    if (!guest)
      return FALSE;
    guest->done = done;
    guest->data = data;
    return TRUE;
  }
  if (!g_spawn_async(NULL, argv, NULL,
                     G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                     set_up_child, NULL, &pid, &error)) {
    ui_app_complain(app, "%s", error->message);
    return FALSE;
  }
  Guest *neighbour = g_new0(Guest, 1);
  *neighbour = (Guest){ .app = app, .done = done, .data = data };
  g_child_watch_add(pid, on_neighbour_ended, neighbour);
  return TRUE;
}

void
ui_shell_pipe(UiApp *app, const char *command, GBytes *input)
{
  char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)command, NULL };

  run_guest(app, argv, input, TRUE);
}

/* Without the terminal. */
typedef struct {
  UiApp *app;
  char *command, *done;
} Printer;

static void
on_printer_ended(GPid pid, int status, gpointer data)
{
  Printer *printer = data;

  g_spawn_close_pid(pid);
  if (WIFEXITED(status) && !WEXITSTATUS(status))
    ui_app_say(printer->app, "%s", printer->done);
  else
    ui_app_complain(printer->app, "`%s` failed: try it in a shell.", printer->command);
  g_free(printer->command);
  g_free(printer->done);
  g_free(printer);
}

void
ui_shell_feed(UiApp *app, const char *command, GBytes *input, const char *done)
{
  char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)command, NULL };
  g_autoptr(GError) error = NULL;
  GPid pid;
  int fd;

  if (!g_spawn_async_with_pipes(NULL, argv, NULL,
                                G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                                    G_SPAWN_STDERR_TO_DEV_NULL,
                                set_up_child, NULL, &pid, &fd, NULL, NULL, &error)) {
    ui_app_complain(app, "%s", error->message);
    return;
  }
  start_feed(fd, input);
  Printer *printer = g_new(Printer, 1);
  *printer = (Printer){ app, g_strdup(command), g_strdup(done) };
  g_child_watch_add(pid, on_printer_ended, printer);
}

static void
on_browser_ended(GPid pid, int status, gpointer data)
{
  g_spawn_close_pid(pid);
}

/* Of $BROWSER, a list with colons between, the first whose program is here; else the last is tried, so that the error
 * names one. `browser =` is one command line and may have colons. NULL: none is set. Transfer full. */
static char **
find_browser(UiApp *app, gboolean windows, GError **error)
{
  const char *one = app->config->browser, *list = one ? NULL : g_getenv("BROWSER");
  const char *const single[] = { one ? one : windows ? "xdg-open" : NULL, NULL };
  g_auto(GStrv) choices =
      list && *list ? g_strsplit(list, ":", MAX_BROWSERS) : g_strdupv((char **)single);
  char **words = NULL;

  for (guint i = 0; choices[i]; i++) {
    g_autofree char *program = NULL;
    if (!*g_strstrip(choices[i]))
      continue;
    g_strfreev(words);
    words = NULL;
    if (!g_shell_parse_argv(choices[i], NULL, &words, error)) {
      g_prefix_error(error, "The browser's command line cannot be read: ");
      return NULL;
    }
    program = g_find_program_in_path(words[0]);
    if (program)
      break;
  }
  if (!words)
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                        "No browser is set: `browser =` in signet.conf, or $BROWSER.");
  return words;
}

/* The address is one argument of its own: no shell sees it. A browser with windows runs beside us; one for the
 * terminal gets the terminal. */
void
ui_shell_browse(UiApp *app, const char *url)
{
  gboolean windows = g_getenv("DISPLAY") || g_getenv("WAYLAND_DISPLAY");
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) words = find_browser(app, windows, &error);

  if (!words) {
    ui_app_complain(app, "%s", error->message);
    return;
  }
  guint n = g_strv_length(words);
  g_autofree char **argv = g_new0(char *, n + 2);
  gboolean placed = FALSE;
  for (guint i = 0; i < n; i++) {
    placed = placed || !strcmp(words[i], "%s");
    argv[i] = !strcmp(words[i], "%s") ? (char *)url : words[i];
  }
  if (!placed)
    argv[n] = (char *)url;
  if (!windows) {
    run_guest(app, argv, NULL, FALSE);
    return;
  }
  GPid pid;
  if (!g_spawn_async(NULL, argv, NULL,
                     G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                         G_SPAWN_STDERR_TO_DEV_NULL,
                     set_up_child, NULL, &pid, &error)) {
    ui_app_complain(app, "%s", error->message);
    return;
  }
  g_child_watch_add(pid, on_browser_ended, NULL);
  ui_app_say(app, "Given to %s.", words[0]);
}
