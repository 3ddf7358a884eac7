#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/context.h"
#include "mail/smtp-private.h"
#include "tests/unit/asleep.h"
#include "tests/unit/loopback.h"

/* A server of a few lines in a thread, on one end of a socket pair: it says its greeting, then for each command line the
 * answer of the first rule whose word begins it. An answer that ends in "!" hangs up after it. After DATA's 354 it
 * takes lines up to the dot, which is looked up as ".". */
typedef struct {
  const char *word, *answer;
} Rule;

typedef struct {
  int fd;
  const char *greeting;
  const Rule *rules;
  GThread *thread;
  GString *heard; /* read after the thread has ended */
} Server;

static gboolean
say(int fd, const char *text)
{
  gsize length = strlen(text);
  gboolean hang_up = length && text[length - 1] == '!';
  for (gsize left = length - hang_up; left;) {
    ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
    if (n <= 0)
      return FALSE;
    text += n;
    left -= (gsize)n;
  }
  return !hang_up;
}

static gpointer
serve(gpointer data)
{
  Server *server = data;
  gboolean go_on = say(server->fd, server->greeting), body = FALSE;
  g_autoptr(GString) line = g_string_new(NULL);
  char c;
  while (go_on && recv(server->fd, &c, 1, 0) == 1) {
    g_string_append_c(line, c);
    g_string_append_c(server->heard, c);
    if (c != '\n')
      continue;
    const Rule *rule = server->rules;
    gboolean dot = body && strcmp(line->str, ".\r\n") == 0;
    for (; (!body || dot) && rule->word; rule++) {
      if (!g_str_has_prefix(line->str, dot ? "." : rule->word) || (dot && strcmp(rule->word, ".") != 0))
        continue;
      go_on = say(server->fd, rule->answer);
      body = g_str_has_prefix(rule->answer, "354");
      break;
    }
    if ((!body || dot) && !rule->word)
      go_on = say(server->fd, "500 what\r\n");
    g_string_truncate(line, 0);
  }
  close(server->fd);
  return NULL;
}

static MlSmtpSession *
start(Server *server, const char *greeting, const Rule *rules)
{
  int fds[2];
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  *server = (Server){ .fd = fds[1], .greeting = greeting, .rules = rules, .heard = g_string_new(NULL) };
  server->thread = g_thread_new("server", serve, server);
  CryptoTlsOptions options = { .host = "test.example", .port = 25, .timeout_ms = 3000 };
  MlSmtpSession *session = ml_smtp_session_new(crypto_tls_new(fds[0], &options), "test.example");
  session->patience_ms = 3000;
  return session;
}

/* What the server heard; the caller frees it. */
static char *
stop(Server *server, MlSmtpSession *session)
{
  ml_smtp_session_quit(session);
  g_thread_join(server->thread);
  return g_string_free(server->heard, FALSE);
}

static void
recipient_free(gpointer data)
{
  MlSmtpRecipient *recipient = data;
  g_free(recipient->address);
  g_free(recipient->words);
  g_free(recipient);
}

static GPtrArray *
recipients(const char *words)
{
  GPtrArray *list = g_ptr_array_new_with_free_func(recipient_free);
  g_auto(GStrv) addresses = g_strsplit(words, " ", -1);
  for (char **address = addresses; *address; address++) {
    MlSmtpRecipient *recipient = g_new0(MlSmtpRecipient, 1);
    recipient->address = g_strdup(*address);
    recipient->result = ML_SMTP_LATER;
    g_ptr_array_add(list, recipient);
  }
  return list;
}

static gboolean
on_dot(gpointer user_data, GError **error)
{
  guint *dots = user_data;
  ++*dots;
  if (*dots < 100)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "stopped");
  return FALSE;
}

#define EHLO_FULL                                                                                                      \
  {                                                                                                                    \
    "EHLO", "250-test.example hello\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-PIPELINING\r\n250-DSN\r\n250-SMTPUTF8\r\n" \
            "250-AUTH PLAIN LOGIN\r\n250 HELP\r\n"                                                                     \
  }
#define EHLO_BARE                         \
  {                                       \
    "EHLO", "250-test.example\r\n250 ok\r\n" \
  }
#define REST                                                                                     \
  { "MAIL", "250 2.1.0 ok\r\n" }, { "RCPT TO:<no@", "550-5.1.1 no such\r\n550 5.1.1 user\r\n" }, \
      { "RCPT TO:<full@", "452 4.2.2 over quota\r\n" }, { "RCPT", "250 2.1.5 ok\r\n" },          \
      { "DATA", "354 go\r\n" }, { "RSET", "250 ok\r\n" }, { "QUIT", "221 bye\r\n" }

static MlSmtpResult
send_one(MlSmtpSession *session, GPtrArray *to, const char *text, guint *dots, gboolean *stale, GError **error)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
  return ml_smtp_transact(session, "anna@example.org", to, bytes, on_dot, dots, stale, error);
}

static void
test_session(void)
{
  static const Rule rules[] = { EHLO_FULL, REST, { ".", "250 2.0.0 queued as 42\r\n" }, { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) to = recipients("bob@example.org no@example.org carol@example.org full@example.org");
  Server server;
  guint dots = 0;
  gboolean stale;
  MlSmtpSession *session = start(&server, "220-test.example\r\n220 ESMTP\r\n", rules);
  g_assert_true(ml_smtp_session_greet(session, &error) && ml_smtp_session_ehlo(session, &error));
  g_assert_cmpuint(session->caps, ==, ML_SMTP_8BITMIME | ML_SMTP_UTF8 | ML_SMTP_SIZE | ML_SMTP_DSN | ML_SMTP_PIPELINING);
  g_assert_cmpuint(session->size_max, ==, 100000);
  ((MlSmtpRecipient *)g_ptr_array_index(to, 0))->notify = ML_SMTP_NOTIFY_SUCCESS | ML_SMTP_NOTIFY_DELAY;
  MlSmtpResult result = send_one(session, to, "Subject: x\r\n\r\n.\r\n..two\nlone\rcr\r\n\xc3\xa4", &dots, &stale, &error);
  g_assert_no_error(error);
  g_assert_cmpint(result, ==, ML_SMTP_SENT);
  static const MlSmtpResult want[] = { ML_SMTP_SENT, ML_SMTP_REFUSED, ML_SMTP_SENT, ML_SMTP_LATER };
  for (guint i = 0; i < G_N_ELEMENTS(want); i++)
    g_assert_cmpint(((MlSmtpRecipient *)g_ptr_array_index(to, i))->result, ==, want[i]);
  g_assert_cmpstr(((MlSmtpRecipient *)g_ptr_array_index(to, 1))->words, ==, "550 5.1.1 no such user");
  g_assert_cmpstr(((MlSmtpRecipient *)g_ptr_array_index(to, 0))->words, ==, "250 2.0.0 queued as 42");
  g_assert_cmpuint(dots, ==, 1);
  g_autoptr(GPtrArray) second = recipients("bob@example.org");
  g_assert_cmpint(send_one(session, second, "Subject: y\r\n\r\n", &dots, &stale, &error), ==, ML_SMTP_SENT);
  g_autofree char *heard = stop(&server, session);
  g_assert_cmpstr(heard, ==,
                  "EHLO [127.0.0.1]\r\n"
                  "MAIL FROM:<anna@example.org> SIZE=34 BODY=8BITMIME SMTPUTF8 RET=HDRS\r\n"
                  "RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY\r\nRCPT TO:<no@example.org>\r\n"
                  "RCPT TO:<carol@example.org>\r\nRCPT TO:<full@example.org>\r\nDATA\r\n"
                  "Subject: x\r\n\r\n..\r\n...two\r\nlone\r\ncr\r\n\xc3\xa4\r\n.\r\n"
                  "MAIL FROM:<anna@example.org> SIZE=14 BODY=7BIT\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
                  "Subject: y\r\n\r\n.\r\nQUIT\r\n");
}

/* A server without SMTPUTF8: who cannot be written to there is refused here, and keeps nobody else from getting it,
 * unless the address stands in the message. */
static void
test_no_utf8(void)
{
  static const Rule rules[] = { EHLO_BARE, REST, { ".", "250 2.0.0 queued\r\n" }, { NULL, NULL } };
  static const char *const texts[] = { "Subject: x\r\n\r\nbody\r\n", "To: j\xc3\xb6rg@x\r\n\r\nbody\r\n" };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) to = recipients("bob@x j\xc3\xb6rg@x carol@x");
    Server server;
    guint dots = 0;
    gboolean stale;
    MlSmtpSession *session = start(&server, "220 test.example\r\n", rules);
    g_assert_true(ml_smtp_session_greet(session, &error) && ml_smtp_session_ehlo(session, &error));
    MlSmtpResult result = send_one(session, to, texts[i], &dots, &stale, &error);
    g_autofree char *heard = stop(&server, session);
    const MlSmtpRecipient *bob = g_ptr_array_index(to, 0), *joerg = g_ptr_array_index(to, 1);
    g_assert_cmpint(result, ==, i ? ML_SMTP_REFUSED : ML_SMTP_SENT);
    g_assert_cmpint(bob->result, ==, i ? ML_SMTP_REFUSED : ML_SMTP_SENT);
    g_assert_cmpint(joerg->result, ==, ML_SMTP_REFUSED);
    g_assert_true(g_pattern_match_simple("test.example cannot send *j\xc3\xb6rg@x*no SMTPUTF8*", joerg->words));
    g_assert_null(strstr(heard, "j\xc3\xb6rg"));
    g_assert_cmpint(strstr(heard, "RCPT TO:<carol@x>") != NULL, ==, !i);
    g_assert_cmpint(error != NULL, ==, (int)i);
  }
}

static MlSmtpResult
run(const Rule *rules, const char *to_words, const char *text, guint dots_before, char **heard, char **words)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) to = recipients(to_words);
  Server server;
  guint dots = dots_before;
  gboolean stale;
  MlSmtpSession *session = start(&server, "220 test.example\r\n", rules);
  g_assert_true(ml_smtp_session_greet(session, &error) && ml_smtp_session_ehlo(session, &error));
  MlSmtpResult result = send_one(session, to, text, &dots, &stale, &error);
  g_assert_true((result == ML_SMTP_SENT) == (error == NULL));
  *words = g_strdup(error ? error->message : "");
  *heard = stop(&server, session);
  return result;
}

/* Each way in which a message does not go out: what becomes of it, and what is told. */
static void
test_outcomes(void)
{
  static const char plain[] = "Subject: x\r\n\r\nbody\r\n", wide[] = "Subject: x\r\n\r\nb\xc3\xb6" "dy\r\n";
  static const struct {
    Rule rules[9];
    const char *to, *text;
    guint dots;
    MlSmtpResult result;
    const char *words;
  } cases[] = {
    { { EHLO_BARE, REST }, "no@x", plain, 0, ML_SMTP_REFUSED, "*no@x*no such user*" },
    { { EHLO_FULL, REST }, "no@x full@x", plain, 0, ML_SMTP_LATER, "*every recipient*" },
    { { EHLO_BARE, { "MAIL", "530 5.7.0 log in first\r\n" }, { "RSET", "250 ok\r\n" } }, "a@x", plain, 0, ML_SMTP_REFUSED, "*sender*log in first*" },
    { { EHLO_FULL, { "MAIL", "451 4.3.0 not now\r\n" }, { "RCPT", "503 no\r\n" }, { "DATA", "503 no\r\n" } }, "a@x b@x", plain, 0, ML_SMTP_LATER, "*not now*" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" }, { "RCPT", "250 ok\r\n" }, { "DATA", "354 go\r\n" }, { ".", "554 5.7.1 spam\r\n" } }, "a@x", plain, 0, ML_SMTP_REFUSED, "*refuses the message*spam*" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" }, { "RCPT", "250 ok\r\n" }, { "DATA", "354 go\r\n" }, { ".", "451 4.7.1 grey\r\n" } }, "a@x", plain, 0, ML_SMTP_LATER, "*grey*" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" }, { "RCPT", "250 ok\r\n" }, { "DATA", "354 go\r\n" }, { ".", "!" } }, "a@x", plain, 0, ML_SMTP_UNSURE, "*closed*" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" }, { "RCPT", "250 ok\r\n" }, { "DATA", "354 go\r\n" }, { ".", "250 never\r\n" } }, "a@x", plain, 99, ML_SMTP_LATER, "stopped" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" }, { "RCPT", "250 ok\r\n" }, { "DATA", "452 full\r\n" }, { "RSET", "250 ok\r\n" } }, "a@x", plain, 0, ML_SMTP_LATER, "*full*" },
    { { EHLO_BARE, { "MAIL", "!" } }, "a@x", plain, 0, ML_SMTP_LATER, "*closed*" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" }, { "RCPT", "421 going\r\n!" } }, "a@x", plain, 0, ML_SMTP_LATER, "*going*" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" } }, "a@x", wide, 0, ML_SMTP_REFUSED, "*8BITMIME*" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" } }, "j\xc3\xb6rg@x", plain, 0, ML_SMTP_REFUSED, "*SMTPUTF8*" },
    { { { "EHLO", "250-x\r\n250 SIZE 10\r\n" } }, "a@x", plain, 0, ML_SMTP_REFUSED, "*at most 10*" },
    { { EHLO_BARE, { "MAIL", "250 ok\r\n" }, { "RCPT", "25\r\n" } }, "a@x", plain, 0, ML_SMTP_LATER, "*broke the rules*" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    Rule rules[16] = { { NULL, NULL } };
    for (guint n = 0; n < 9 && cases[i].rules[n].word; n++)
      rules[n] = cases[i].rules[n];
    g_autofree char *heard = NULL, *words = NULL;
    MlSmtpResult result = run(rules, cases[i].to, cases[i].text, cases[i].dots, &heard, &words);
    g_test_message("%u: %s", i, words);
    g_assert_cmpint(result, ==, cases[i].result);
    g_assert_true(g_pattern_match_simple(cases[i].words, words));
  }
}

/* Servers that want to harm: a clear error, soon, and no byte of theirs goes further. */
static void
test_hostile(void)
{
  g_autofree char *endless = g_strnfill(200000, 'x');
  g_autofree char *line = g_strconcat("220 ", endless, NULL);
  GString *lines = g_string_new(NULL);
  for (guint i = 0; i < 1000; i++)
    g_string_append(lines, "220-more\r\n");
  g_autofree char *many = g_string_free(lines, FALSE);
  const char *greetings[] = { line,           many,     "\r\n",          "HTTP/1.1 400 Bad\r\n", "220-a\r\n250 b\r\n",
                              "999 x\r\n",    "22\r\n", "220_x\r\n",     "!",                    "554 go away\r\n",
                              "421 later\r\n", "199 x\r\n", "220 x" };
  static const Rule none[] = { { NULL, NULL } };
  for (guint i = 0; i < G_N_ELEMENTS(greetings); i++) {
    g_autoptr(GError) error = NULL;
    Server server;
    MlSmtpSession *session = start(&server, greetings[i], none);
    session->patience_ms = 500;
    gint64 begun = g_get_monotonic_time();
    g_assert_false(ml_smtp_session_greet(session, &error));
    g_assert_nonnull(error);
    g_test_message("%u: %s", i, error->message);
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 20 * G_USEC_PER_SEC);
    g_autofree char *heard = stop(&server, session);
    g_assert_cmpstr(heard, ==, "");
  }
}

/* One octet at a time is no way to stay for ever. */
static gpointer
drip(gpointer data)
{
  int fd = GPOINTER_TO_INT(data);
  GPollFD client = { .fd = fd, .events = G_IO_IN };
  while (send(fd, "2", 1, MSG_NOSIGNAL) == 1 && g_poll(&client, 1, 20) == 0)
    continue;
  close(fd);
  return NULL;
}

static void
test_drip(void)
{
  int fds[2];
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  GThread *thread = g_thread_new("drip", drip, GINT_TO_POINTER(fds[1]));
  CryptoTlsOptions options = { .host = "test.example", .port = 25 };
  MlSmtpSession *session = ml_smtp_session_new(crypto_tls_new(fds[0], &options), "test.example");
  session->patience_ms = 300;
  g_assert_false(ml_smtp_session_greet(session, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_OFFLINE);
  ml_smtp_session_free(session);
  g_thread_join(thread);
}

static void
test_starttls(void)
{
  static const Rule injected[] = {
    { "EHLO", "250-x\r\n250 STARTTLS\r\n" }, { "STARTTLS", "220 go\r\n250 evil\r\n" }, { NULL, NULL }
  };
  static const Rule missing[] = { { "EHLO", "250-x\r\n250 SIZE\r\n" }, { NULL, NULL } };
  static const Rule refused[] = { { "EHLO", "250-x\r\n250 STARTTLS\r\n" }, { "STARTTLS", "454 no\r\n" }, { NULL, NULL } };
  const Rule *all[] = { injected, missing, refused };
  const char *words[] = { "*attack*", "*no encryption*", "*refuses STARTTLS*" };
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    g_autoptr(GError) error = NULL;
    Server server;
    MlSmtpSession *session = start(&server, "220 x\r\n", all[i]);
    g_assert_true(ml_smtp_session_greet(session, &error) && ml_smtp_session_ehlo(session, &error));
    g_assert_false(ml_smtp_session_starttls(session, &error));
    g_test_message("%s", error->message);
    g_assert_true(g_pattern_match_simple(words[i], error->message));
    g_autofree char *heard = stop(&server, session);
  }
}

/* Nothing that an address holds may end a command; nobody is called for such a message. */
static void
test_arguments(void)
{
  static const char *const bad[] = { "a@b>\r\nRCPT TO:<c@d", "a@b\nx", "a b@c", "a<b@c", "", "-oQ/tmp", "\"a@b", "a\\" };
  MlAccount account = { .name = (char *)"x", .smtp = { .host = (char *)"127.0.0.1", .port = 1 } };
  MlDriverHooks hooks = { 0 };
  g_autoptr(MlSmtp) smtp = ml_smtp_new(&account, &hooks);
  g_autoptr(GBytes) bytes = g_bytes_new_static("a: b\r\n\r\n", 8);
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) to = g_ptr_array_new_with_free_func(recipient_free);
    MlSmtpRecipient *recipient = g_new0(MlSmtpRecipient, 1);
    recipient->address = g_strdup(bad[i]);
    g_ptr_array_add(to, recipient);
    g_assert_cmpint(ml_smtp_send(smtp, "anna@example.org", to, bytes, NULL, NULL, NULL, &error), ==, ML_SMTP_REFUSED);
    g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  }
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) good = recipients("\"a\"@example.org");
  g_assert_cmpint(ml_smtp_send(smtp, "anna@example.org", good, bytes, NULL, NULL, NULL, &error), ==, ML_SMTP_LATER);
  g_assert_error(error, ML_ERROR, ML_ERROR_OFFLINE);
}

static MlSmtpResult
by_command(const char *command, const char *words, char **said)
{
  g_autoptr(GError) error = NULL;
  MlAccount account = { .name = (char *)"x", .sendmail = (char *)command };
  MlDriverHooks hooks = { 0 };
  guint dots = 0;
  g_autoptr(MlSmtp) smtp = ml_smtp_new(&account, &hooks);
  g_autoptr(GPtrArray) to = recipients(words);
  g_autoptr(GBytes) bytes = g_bytes_new_static("a: b\r\n\r\n.\r\n", 11);
  MlSmtpResult result = ml_smtp_send(smtp, "anna@example.org", to, bytes, on_dot, &dots, NULL, &error);
  *said = g_strdup(error ? error->message : "");
  return result;
}

static void
test_command(void)
{
  g_autofree char *dir = g_dir_make_tmp("signet-smtp-XXXXXX", NULL);
  g_autofree char *out = g_build_filename(dir, "out", NULL);
  g_autofree char *keep = g_strdup_printf("sh -c 'cat >\"$0\"; echo \"$@\" >>\"$0\"' %s -t -i", out);
  g_autofree char *words = NULL, *text = NULL;
  g_assert_cmpint(by_command(keep, "bob@example.org c@x", &words), ==, ML_SMTP_SENT);
  g_assert_true(g_file_get_contents(out, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "a: b\n\n.\n-i -f anna@example.org -- bob@example.org c@x\n");
  static const struct {
    const char *command;
    MlSmtpResult result;
    const char *words;
  } cases[] = { { "sh -c 'cat >/dev/null; echo no such user >&2; exit 67'", ML_SMTP_REFUSED, "*67: no such user*" },
                { "sh -c 'cat >/dev/null; exit 75'", ML_SMTP_LATER, "*75*" },
                { "sh -c 'exit 78'", ML_SMTP_REFUSED, "*78*" },
                { "sh -c 'cat >/dev/null; kill -9 $$'", ML_SMTP_UNSURE, "*killed*" },
                { "/nonexistent/sendmail", ML_SMTP_LATER, "*cannot be run*" },
                { "'unbalanced", ML_SMTP_LATER, "*cannot be understood*" } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *said = NULL;
    MlSmtpResult result = by_command(cases[i].command, "bob@example.org", &said);
    g_test_message("%s", said);
    g_assert_cmpint(result, ==, cases[i].result);
    g_assert_true(g_pattern_match_simple(cases[i].words, said));
  }
  g_assert_cmpint(unlink(out), ==, 0);
  g_assert_cmpint(rmdir(dir), ==, 0);
}

/* Cancels once the thread that sends waits for something. */
typedef struct {
  GCancellable *cancellable;
  int tid;
  GThread *thread;
} Canceller;

static gpointer
cancel_asleep(gpointer data)
{
  Canceller *canceller = data;
  asleep_await(canceller->tid);
  g_cancellable_cancel(canceller->cancellable);
  return NULL;
}

static gboolean
cancel_after_dot(gpointer data, GError **error)
{
  Canceller *canceller = data;
  (void)error;
  canceller->tid = asleep_self();
  canceller->thread = g_thread_new("cancel", cancel_asleep, canceller);
  return TRUE;
}

/* Cancelled while the command does not come to an end. */

static void
test_cancel(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  MlAccount account = { .name = (char *)"x", .sendmail = (char *)"sh -c 'exec sleep 60'" };
  MlDriverHooks hooks = { 0 };
  g_autoptr(MlSmtp) smtp = ml_smtp_new(&account, &hooks);
  g_autoptr(GPtrArray) to = recipients("bob@example.org");
  g_autoptr(GBytes) bytes = g_bytes_new_static("a: b\r\n\r\n", 8);
  Canceller canceller = { .cancellable = cancellable };
  gint64 begun = g_get_monotonic_time();
  g_assert_cmpint(ml_smtp_send(smtp, "anna@example.org", to, bytes, cancel_after_dot, &canceller, cancellable, &error),
                  ==, ML_SMTP_UNSURE);
  g_assert_error(error, ML_ERROR, ML_ERROR_CANCELLED);
  g_assert_cmpint(g_get_monotonic_time() - begun, <, 30 * G_USEC_PER_SEC);
  g_thread_join(canceller.thread);
}

/* Cancelled at a server that never says a word: in its TLS handshake, and when it does not greet. */
static void
test_cancel_server(void)
{
  guint16 port;
  int listener = listen_silent(&port);
  static const MlTlsMode modes[] = { ML_TLS_IMPLICIT, ML_TLS_STARTTLS };
  for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    MlAccount account = { .name = (char *)"x",
                          .smtp = { .host = (char *)"127.0.0.1", .port = port, .tls = modes[i] } };
    MlDriverHooks hooks = { 0 };
    g_autoptr(MlSmtp) smtp = ml_smtp_new(&account, &hooks);
    g_autoptr(GPtrArray) to = recipients("bob@example.org");
    g_autoptr(GBytes) bytes = g_bytes_new_static("a: b\r\n\r\n", 8);
    Canceller canceller = { .cancellable = cancellable, .tid = asleep_self() };
    canceller.thread = g_thread_new("cancel", cancel_asleep, &canceller);
    gint64 begun = g_get_monotonic_time();
    g_assert_cmpint(ml_smtp_send(smtp, "anna@example.org", to, bytes, NULL, NULL, cancellable, &error), ==, ML_SMTP_LATER);
    g_assert_error(error, ML_ERROR, ML_ERROR_CANCELLED);
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 10 * G_USEC_PER_SEC); /* of 15 s for the handshake */
    g_thread_join(canceller.thread);
  }
  close(listener);
}

int
main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  g_test_init(&argc, &argv, NULL);
  g_assert_true(crypto_open(&(CryptoOptions){ .nssdb = NULL }, &error));
  g_test_add_func("/smtp/session", test_session);
  g_test_add_func("/smtp/no-utf8", test_no_utf8);
  g_test_add_func("/smtp/outcomes", test_outcomes);
  g_test_add_func("/smtp/hostile", test_hostile);
  g_test_add_func("/smtp/drip", test_drip);
  g_test_add_func("/smtp/starttls", test_starttls);
  g_test_add_func("/smtp/arguments", test_arguments);
  g_test_add_func("/smtp/command", test_command);
  g_test_add_func("/smtp/cancel", test_cancel);
  g_test_add_func("/smtp/cancel-server", test_cancel_server);
  int code = g_test_run();
  g_assert_true(crypto_close(NULL));
  return code;
}
