#ifndef TESTS_OPENSSL_SERVER_H
#define TESTS_OPENSSL_SERVER_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/openssl.h"

/* `openssl s_server` on a free port of loopback, with a certificate of the test's folder; it sends each line back reversed. */
typedef struct {
  GPid pid;
  guint16 port;
  int out;
} Server;

static inline guint16
find_port(const char *text)
{
  const char *line = strstr(text, "ACCEPT");
  const char *end = line ? strchr(line, '\n') : NULL;
  const char *colon = end ? g_strrstr_len(line, end - line, ":") : NULL;
  return colon ? (guint16)g_ascii_strtoull(colon + 1, NULL, 10) : 0;
}

static inline Server
start_server(const char *cert, const char *more)
{
  Server server = { 0 };
  g_autofree char *line = g_strdup_printf("openssl s_server -accept 127.0.0.1:0 -cert %s.pem -key %s.key "
                                          "-CAfile ca.pem -cipher ALL:@SECLEVEL=0 -rev %s",
                                          cert, cert, more);
  g_auto(GStrv) argv = NULL;
  g_autoptr(GError) error = NULL;
  g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
  g_spawn_async_with_pipes(folder, argv, NULL,
                           G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                           NULL, &server.pid, NULL, &server.out, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(GString) text = g_string_new(NULL);
  while (!(server.port = find_port(text->str))) {
    char buffer[256];
    ssize_t got = read(server.out, buffer, sizeof buffer);
    if (got <= 0)
      g_error("s_server ended: %s", text->str);
    g_string_append_len(text, buffer, got);
  }
  return server;
}

static inline void
stop_server(Server *server)
{
  kill(server->pid, SIGKILL);
  int status;
  while (waitpid(server->pid, &status, 0) < 0 && errno == EINTR)
    ;
  g_spawn_close_pid(server->pid);
  close(server->out);
}

#endif
