#ifndef TESTS_IMAP_SERVER_H
#define TESTS_IMAP_SERVER_H

/* For tests of what mail/imap-*.c makes of a server's words. */
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/imap-private.h"

/* A server of a few lines in a thread: it says its greeting, then for each command line the first rule whose word is in
 * it. In answers $ is the command's tag; an answer that ends in "!" hangs up after it. */
typedef struct {
  const char *word, *answer;
} Rule;

typedef struct {
  int fd, listener;
  guint16 port;
  const char *greeting;
  const Rule *rules;
  GThread *thread;
  GString *heard; /* read after the thread has ended */
} Server;

static inline gboolean
say(int fd, const char *text)
{
  for (gsize left = strlen(text); left;) {
    ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
    if (n <= 0)
      return FALSE;
    text += n;
    left -= (gsize)n;
  }
  return TRUE;
}

static inline gboolean
answer(Server *server, const char *line)
{
  g_autofree char *tag = g_strndup(line, strcspn(line, " \r\n"));
  for (const Rule *rule = server->rules; rule->word; rule++) {
    if (!strstr(line, rule->word))
      continue;
    gsize length = strlen(rule->answer);
    gboolean hang_up = length && rule->answer[length - 1] == '!';
    g_autofree char *raw = g_strndup(rule->answer, length - hang_up);
    g_auto(GStrv) parts = g_strsplit(raw, "$", -1);
    g_autofree char *text = g_strjoinv(tag, parts);
    return say(server->fd, text) && !hang_up;
  }
  g_autofree char *bad = g_strdup_printf("%s BAD what\r\n", tag);
  return say(server->fd, bad);
}

static inline gpointer
serve(gpointer data)
{
  Server *server = data;
  if (server->listener >= 0)
    server->fd = accept(server->listener, NULL, NULL);
  gboolean go_on = say(server->fd, server->greeting);
  GString *line = g_string_new(NULL);
  char c;
  while (go_on && recv(server->fd, &c, 1, 0) == 1) {
    g_string_append_c(line, c);
    if (c != '\n')
      continue;
    g_string_append(server->heard, line->str);
    go_on = answer(server, line->str);
    g_string_truncate(line, 0);
  }
  g_string_free(line, TRUE);
  close(server->fd);
  return NULL;
}

static inline MlImapSession *
start(Server *server, const char *greeting, const Rule *rules)
{
  int fds[2];
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  *server = (Server){
    .fd = fds[1], .listener = -1, .greeting = greeting, .rules = rules, .heard = g_string_new(NULL)
  };
  server->thread = g_thread_new("server", serve, server);
  CryptoTlsOptions options = { .host = "test.example", .port = 143, .timeout_ms = 3000 };
  return ml_imap_session_new(crypto_tls_new(fds[0], &options), "test.example");
}

static inline void
stop(Server *server, MlImapSession *session)
{
  ml_imap_session_free(session);
  g_thread_join(server->thread);
  g_string_free(server->heard, TRUE);
}

/* The driver with a session that has logged in, as connect() leaves it. */
static inline MlImap *
start_driver(Server *server, const MlAccount *account, const MlDriverHooks *hooks, const Rule *rules)
{
  g_autoptr(GError) error = NULL;
  MlImap *imap = (MlImap *)ml_driver_new(account, hooks);
  imap->session = start(server, "* PREAUTH hi\r\n", rules);
  gboolean ok = ml_imap_session_greet(imap->session, &error) && ml_imap_session_capability(imap->session, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  return imap;
}

static inline gboolean
stop_driver(Server *server, MlImap *imap, const char *heard)
{
  ml_driver_free(&imap->base);
  g_thread_join(server->thread);
  gboolean found = strstr(server->heard->str, heard) != NULL;
  g_string_free(server->heard, TRUE);
  return found;
}

#endif
