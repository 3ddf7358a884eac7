#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/context.h"
#include "mail/worker.h"
#include "tests/unit/pki.h"

/* The driver and the worker against a real Dovecot of tests/lab/dovecot.sh: TLS, logins, 10,000 messages, broken lines.
 * tests/integration/dovecot.t starts the server and runs this. */
static char *dir, *lab;
static guint16 port_tls, port_plain;
static int mail_uid, mail_gid;

static void
lab_do(const char *what)
{
  g_assert_cmpint(pki_spawn(NULL, NULL, "sh", "tests/lab/dovecot.sh", what, lab, NULL), ==, 0);
}

static char *
lab_log(void)
{
  g_autofree char *file = g_build_filename(lab, "log", NULL);
  char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  return text;
}

static void
lab_start(void)
{
  dir = g_strdup(g_getenv("SIGNET_DOVECOT"));
  lab = g_build_filename(dir, "lab", NULL);
  g_autofree char *env = g_build_filename(lab, "env", NULL);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(env, &text, NULL, NULL));
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++) {
    const char *value = strchr(*line, '=');
    int number = value ? (int)g_ascii_strtoll(value + 1, NULL, 10) : 0;
    if (g_str_has_prefix(*line, "PORT_TLS="))
      port_tls = (guint16)number;
    else if (g_str_has_prefix(*line, "PORT_PLAIN="))
      port_plain = (guint16)number;
    else if (g_str_has_prefix(*line, "MAIL_UID="))
      mail_uid = number;
    else if (g_str_has_prefix(*line, "MAIL_GID="))
      mail_gid = number;
  }
  g_autofree char *ca = g_build_filename(lab, "tls", "ca-good.pem", NULL);
  g_autofree char *db = g_build_filename(dir, "nssdb", NULL);
  g_autofree char *sql = g_strconcat("sql:", db, NULL);
  g_assert_cmpint(g_mkdir(db, 0700), ==, 0);
  g_assert_cmpint(pki_spawn(NULL, NULL, "certutil", "-N", "--empty-password", "-d", sql, NULL), ==, 0);
  g_assert_cmpint(
      pki_spawn(NULL, NULL, "certutil", "-A", "-n", "lab", "-t", "C,,", "-i", ca, "-d", sql, NULL), ==, 0);
  g_autoptr(GError) error = NULL;
  gboolean opened = crypto_open(&(CryptoOptions){ .nssdb = db }, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
}

/* A message into a Maildir of the server's, as a delivery agent would put it there. */
static void
deliver(const char *user, const char *folder, const char *name, const char *text)
{
  g_autofree char *base = g_build_filename(lab, "mail", user, "Maildir", folder, NULL);
  static const char *const subs[] = { "", "cur", "new", "tmp" };
  for (guint i = 0; i < G_N_ELEMENTS(subs); i++) {
    g_autofree char *sub = g_build_filename(base, subs[i], NULL);
    if (g_mkdir(sub, 0700) == 0)
      g_assert_cmpint(chown(sub, (uid_t)mail_uid, (gid_t)mail_gid), ==, 0);
  }
  g_autofree char *temporary = g_build_filename(base, "tmp", name, NULL);
  g_autofree char *path = g_build_filename(base, "new", name, NULL);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
  g_assert_cmpint(fchown(fd, (uid_t)mail_uid, (gid_t)mail_gid), ==, 0);
  close(fd);
  g_assert_cmpint(g_rename(temporary, path), ==, 0);
}

static void
fill(const char *user, const char *folder, guint count)
{
  for (guint i = 1; i <= count; i++) {
    g_autofree char *name = g_strdup_printf("%u.M%uP1.lab", 1600000000 + i, i);
    g_autofree char *text =
        g_strdup_printf("From: Sender %u <s%u@example.org>\nTo: %s@example.org\nSubject: message %u\n"
                        "Message-ID: <m%u@example.org>\nDate: Thu, 12 Mar 2026 14:02:00 +0100\n\nBody %u\n",
                        i, i, user, i, i, i);
    deliver(user, folder, name, text);
  }
}

typedef struct {
  MlAccount account;
  MlDriverHooks hooks;
  const char *const *passwords; /* one a question, the last again and again */
  guint asked, retries;
  gboolean accept; /* an exception for every certificate */
  guint problems;
  MlDriver *driver;
} Client;

static char *
give_password(const MlAccount *account, const MlServer *server, gboolean retry, GCancellable *cancellable,
              gpointer user_data, GError **error)
{
  Client *client = user_data;
  (void)server;
  (void)cancellable;
  (void)error;
  client->retries += retry;
  if (!client->passwords)
    return g_strconcat("secret-", account->imap.user, NULL);
  const char *password = client->passwords[client->asked];
  if (client->passwords[client->asked + 1])
    client->asked++;
  return g_strdup(password);
}

static gboolean
on_exception(const CryptoTlsProblem *problem, gpointer user_data)
{
  Client *client = user_data;
  g_assert_nonnull(problem->sentence);
  client->problems++;
  return client->accept;
}

static void
client_init(Client *client, const char *host, guint16 port, MlTlsMode tls, const char *user)
{
  memset(client, 0, sizeof *client);
  client->account = (MlAccount){ .name = (char *)"lab", .kind = ML_ACCOUNT_IMAP };
  client->account.imap = (MlServer){ (char *)host, (char *)user, port, tls };
  client->hooks = (MlDriverHooks){ .password = give_password, .exception = on_exception, .user_data = client, .state_dir = dir };
}

static void
client_open(Client *client, const char *user)
{
  g_autoptr(GError) error = NULL;
  client_init(client, "localhost", port_tls, ML_TLS_IMPLICIT, user);
  client->driver = ml_driver_new(&client->account, &client->hooks);
  gboolean ok = ml_driver_connect(client->driver, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static GArray *
one(guint32 uid)
{
  GArray *uids = g_array_new(FALSE, FALSE, sizeof uid);
  return g_array_append_val(uids, uid);
}

static gboolean
collect(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  (void)done;
  (void)total;
  g_ptr_array_extend_and_steal(user_data, headers);
  return TRUE;
}

static GPtrArray *
list(Client *client, const char *folder)
{
  g_autoptr(GError) error = NULL;
  MlSelected selected;
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  gboolean ok = ml_driver_select(client->driver, folder, &selected, &error) &&
                ml_driver_headers(client->driver, 0, 30, collect, all, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(all->len, ==, selected.total);
  return all;
}

static void
test_logins(void)
{
  static const struct {
    const char *user, *auth;
    MlTlsMode tls;
  } cases[] = { { "anna", NULL, ML_TLS_IMPLICIT },
                { "bob", NULL, ML_TLS_STARTTLS },
                { "carol", "plain", ML_TLS_IMPLICIT },
                { "anna", "login", ML_TLS_STARTTLS },
                { "bob", "scram-sha-256", ML_TLS_IMPLICIT } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    Client client;
    g_autoptr(GError) error = NULL;
    gboolean implicit = cases[i].tls == ML_TLS_IMPLICIT;
    client_init(&client, "localhost", implicit ? port_tls : port_plain, cases[i].tls, cases[i].user);
    client.account.auth = (char *)cases[i].auth;
    client.driver = ml_driver_new(&client.account, &client.hooks);
    g_autoptr(GPtrArray) folders = ml_driver_folders(client.driver, TRUE, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(folders->len, >=, 4);
    g_assert_cmpstr(((MlFolder *)g_ptr_array_index(folders, 0))->name, ==, "INBOX");
    gboolean sent = FALSE;
    for (guint j = 0; j < folders->len; j++) {
      MlFolder *folder = g_ptr_array_index(folders, j);
      g_assert_cmpint(folder->total, >=, 0);
      sent |= folder->role == ML_ROLE_SENT && strcmp(folder->name, "Gesendet") == 0;
    }
    g_assert_true(sent);
    ml_driver_free(client.driver);
  }
  g_autofree char *log = lab_log();
  static const char *const methods[] = { "user=<anna>, method=SCRAM-SHA-256",
                                         "user=<bob>, method=SCRAM-SHA-256", "user=<carol>, method=PLAIN",
                                         "user=<anna>, method=LOGIN" };
  for (guint i = 0; i < G_N_ELEMENTS(methods); i++)
    g_assert_nonnull(strstr(log, methods[i]));
  Client client; /* a mechanism that is demanded and not offered is not replaced by a weaker one */
  g_autoptr(GError) error = NULL;
  client_init(&client, "localhost", port_tls, ML_TLS_IMPLICIT, "anna");
  client.account.auth = (char *)"external";
  client.driver = ml_driver_new(&client.account, &client.hooks);
  g_assert_false(ml_driver_connect(client.driver, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  ml_driver_free(client.driver);
}

static void
test_wrong_password(void)
{
  static const char *const never[] = { "wrong", NULL }, *const second[] = { "wrong", "secret-anna", NULL };
  Client client;
  g_autoptr(GError) error = NULL;
  client_init(&client, "localhost", port_tls, ML_TLS_IMPLICIT, "anna");
  client.passwords = never;
  client.driver = ml_driver_new(&client.account, &client.hooks);
  g_assert_false(ml_driver_connect(client.driver, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_AUTH);
  g_assert_cmpuint(client.retries, ==, 2); /* three times in all */
  g_assert_null(strstr(error->message, "wrong"));
  client.passwords = second;
  client.asked = client.retries = 0;
  g_assert_true(ml_driver_connect(client.driver, NULL));
  g_assert_cmpuint(client.retries, ==, 1);
  ml_driver_free(client.driver);
}

/* Before a password is asked for or sent, by whichever way the connection is encrypted. */
static void
test_certificates(void)
{
  static const struct {
    const char *host, *words;
  } cases[] = { { "127.0.0.2", "expired" }, { "127.0.0.3", "mail.example.org" }, { "127.0.0.4", "" } };
  for (guint i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
    Client client;
    g_autoptr(GError) error = NULL;
    g_autofree char *user = g_strdup_printf("spy%u", i);
    client_init(&client, cases[i / 2].host, i % 2 ? port_plain : port_tls,
                i % 2 ? ML_TLS_STARTTLS : ML_TLS_IMPLICIT, user);
    client.passwords = (const char *const[]){ "hunter2", "hunter2", NULL };
    client.driver = ml_driver_new(&client.account, &client.hooks);
    g_assert_false(ml_driver_connect(client.driver, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, ML_ERROR, ML_ERROR_UNTRUSTED);
    g_assert_nonnull(strstr(error->message, cases[i / 2].words));
    g_assert_cmpuint(client.asked, ==, 0);
    g_assert_cmpuint(client.problems, ==, 1);
    ml_driver_free(client.driver);
    g_autofree char *log = lab_log();
    g_assert_null(strstr(log, user));
  }
  Client client; /* the user's explicit act */
  g_autoptr(GError) error = NULL;
  client_init(&client, "127.0.0.4", port_tls, ML_TLS_IMPLICIT, "anna");
  client.accept = TRUE;
  client.driver = ml_driver_new(&client.account, &client.hooks);
  gboolean ok = ml_driver_connect(client.driver, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  ml_driver_free(client.driver);
}

static void
test_messages(void)
{
  g_autoptr(GError) error = NULL;
  Client client;
  g_autoptr(GString) big = g_string_new("Subject: big\n\n");
  while (big->len < 3 * 1024 * 1024)
    g_string_append_printf(big, "line %" G_GSIZE_FORMAT " of a long letter\n", big->len);
  fill("anna", "", 5);
  deliver("anna", "", "1700000000.big.lab", big->str);
  client_open(&client, "anna");
  g_autoptr(GPtrArray) headers = list(&client, "INBOX");
  g_assert_cmpuint(headers->len, ==, 6);
  MlHeader *newest = g_ptr_array_index(headers, 0), *oldest = g_ptr_array_index(headers, 5);
  g_assert_cmpstr(newest->subject, ==, "big");
  g_assert_cmpstr(oldest->from_name, ==, "Sender 1");
  g_assert_cmpstr(oldest->message_id, ==, "m1@example.org");
  g_assert_cmpint(oldest->date, ==, 1773320520);
  g_assert_cmpint(oldest->received, >, 1000000000);
  gint64 received = 0;
  g_autoptr(GBytes) bytes = ml_driver_fetch(client.driver, newest->uid, &received, NULL, NULL, &error);
  g_assert_no_error(error);
  g_auto(GStrv) lines = g_strsplit(big->str, "\n", -1);
  g_autofree char *crlf = g_strjoinv("\r\n", lines);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), crlf, strlen(crlf));
  g_assert_cmpuint(newest->size, ==, strlen(crlf));
  g_assert_cmpint(received, ==, newest->received);
  g_autoptr(GPtrArray) again = list(&client, "INBOX");
  g_assert_cmpuint(((MlHeader *)g_ptr_array_index(again, 0))->flags & ML_FLAG_SEEN, ==, 0); /* PEEK */
  g_autoptr(GBytes) none = ml_driver_fetch(client.driver, 4711, NULL, NULL, NULL, &error);
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  ml_driver_free(client.driver);
}

static guint
flags_of(Client *client, const char *folder, const char *subject)
{
  g_autoptr(GPtrArray) headers = list(client, folder);
  for (guint i = 0; i < headers->len; i++) {
    MlHeader *header = g_ptr_array_index(headers, i);
    if (strcmp(header->subject, subject) == 0)
      return header->flags;
  }
  return G_MAXUINT;
}

static void
test_changes(void)
{
  g_autoptr(GError) error = NULL;
  Client client, other;
  fill("bob", "", 6);
  client_open(&client, "bob");
  client_open(&other, "bob");
  g_autoptr(GPtrArray) mine = list(&client, "INBOX");
  g_autoptr(GPtrArray) theirs = list(&other, "INBOX");
  guint all = ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FLAGGED | ML_FLAG_DRAFT | ML_FLAG_FORWARDED;
  guint32 uid = ((MlHeader *)g_ptr_array_index(mine, 5))->uid;
  g_autoptr(GArray) first = one(uid);
  gboolean ok = ml_driver_flags(client.driver, first, all, 0, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_autoptr(MlChanges) own = ml_changes_new();
  g_assert_true(ml_driver_poll(client.driver, own, &error));
  g_assert_cmpuint(own->flag_changes->len, ==, 0); /* our own doing is no news */
  g_autoptr(MlChanges) seen = ml_changes_new();
  g_assert_true(ml_driver_poll(other.driver, seen, &error));
  g_assert_cmpuint(seen->flag_changes->len, ==, 1);
  g_assert_cmpuint(g_array_index(seen->flag_changes, MlFlagChange, 0).flags, ==, all);
  g_assert_true(ml_driver_flags(client.driver, first, 0, ML_FLAG_FLAGGED | ML_FLAG_DRAFT, &error));
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 1"), ==,
                   ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FORWARDED);

  /* Two are marked deleted, one is expunged: the other stays. */
  g_autoptr(GArray) two = one(uid + 1);
  guint32 third = uid + 2;
  g_array_append_val(two, third);
  g_assert_true(ml_driver_flags(client.driver, two, ML_FLAG_DELETED, 0, &error));
  g_autoptr(GArray) second = one(uid + 1);
  g_assert_true(ml_driver_expunge(client.driver, second, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 2"), ==, G_MAXUINT);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 3"), ==, ML_FLAG_DELETED);

  g_autoptr(GArray) fourth = one(uid + 3);
  g_assert_true(ml_driver_move(client.driver, fourth, "Trash", &error));
  g_assert_true(ml_driver_copy(client.driver, first, "Gesendet", &error));
  g_assert_no_error(error);
  g_assert_cmpuint(flags_of(&client, "Trash", "message 4"), ==, 0);
  g_assert_cmpuint(flags_of(&client, "Gesendet", "message 1"), ==,
                   ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FORWARDED);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 4"), ==, G_MAXUINT);
  g_assert_false(ml_driver_copy(client.driver, first, "No/Such", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NOT_FOUND);
  g_autoptr(MlChanges) gone = ml_changes_new();
  g_assert_true(ml_driver_poll(other.driver, gone, NULL));
  g_assert_cmpuint(gone->vanished->len, ==, 2);
  ml_driver_free(client.driver);
  ml_driver_free(other.driver);
}

/* ---- through a relay that can stop the flow in the middle of an answer, and cut the line */

typedef struct {
  int listener;
  guint16 port, to;
  GThread *thread;
  gint left;  /* octets that the server may still send; -1: any number */
  gint stuck; /* it was stopped there */
  gint cut, stop;
} Relay;

static gboolean
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
  for (ssize_t at = 0; at < n;) {
    ssize_t sent = send(to, buffer + at, (size_t)(n - at), MSG_NOSIGNAL);
    if (sent <= 0)
      return FALSE;
    at += sent;
  }
  return TRUE;
}

static void
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
    if (poll(fds, 2, 10) <= 0)
      continue;
    go_on = (!fds[0].revents || pass(relay, client, server, FALSE)) &&
            (!fds[1].revents || pass(relay, server, client, TRUE));
  }
  close(server);
  close(client);
}

static gpointer
relay_run(gpointer data)
{
  Relay *relay = data;
  while (!g_atomic_int_get(&relay->stop)) {
    struct pollfd fd = { relay->listener, POLLIN, 0 };
    if (poll(&fd, 1, 10) <= 0)
      continue;
    int client = accept(relay->listener, NULL, NULL);
    g_atomic_int_set(&relay->cut, 0);
    relay_one(relay, client);
    g_atomic_int_set(&relay->stuck, 0);
    g_atomic_int_set(&relay->left, -1);
  }
  return NULL;
}

static void
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

static void
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

static void
on_event(MlEvent *event, gpointer user_data)
{
  MlEvent *copy = g_memdup2(event, sizeof *event);
  memset(event, 0, sizeof *event);
  g_ptr_array_add(user_data, copy);
}

static void
worker_start(Worker *w, const char *user)
{
  relay_start(&w->relay);
  client_init(&w->client, "localhost", w->relay.port, ML_TLS_IMPLICIT, user);
  w->events = g_ptr_array_new_with_free_func((GDestroyNotify)ml_event_free);
  w->worker = ml_worker_new(&w->client.account, &w->client.hooks, on_event, w->events);
}

static void
worker_stop(Worker *w)
{
  ml_worker_free(w->worker);
  relay_stop(&w->relay);
  g_ptr_array_unref(w->events);
}

static MlEvent *
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
    if (!g_main_context_iteration(NULL, FALSE))
      g_usleep(500);
  }
}

static void
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

static void
await_stuck(Worker *w)
{
  gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
  while (!g_atomic_int_get(&w->relay.stuck)) {
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    g_main_context_iteration(NULL, FALSE);
  }
}

static void
test_large(void)
{
  Worker w;
  fill("carol", ".Big", 10000);
  worker_start(&w, "carol");
  gint64 then = g_get_monotonic_time();
  guint64 open = ml_worker_open(w.worker, "Big", 40);
  MlEvent *first = await(&w, ML_EVENT_HEADERS, open, 0);
  gint64 screen = g_get_monotonic_time() - then;
  g_assert_cmpuint(first->headers->len, ==, 40);
  g_assert_cmpuint(first->total, ==, 10000);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(first->headers, 0))->subject, ==, "message 10000");
  g_assert_no_error(await(&w, ML_EVENT_DONE, open, 0)->error);
  g_test_message("first screen after %.2f s, all after %.2f s", (double)screen / 1e6,
                 (double)(g_get_monotonic_time() - then) / 1e6);
  guint total = 0;
  guint32 last = G_MAXUINT32;
  for (guint i = 0; i < w.events->len; i++) {
    MlEvent *event = g_ptr_array_index(w.events, i);
    for (guint j = 0; event->kind == ML_EVENT_HEADERS && j < event->headers->len; j++, total++) {
      guint32 uid = ((MlHeader *)g_ptr_array_index(event->headers, j))->uid;
      g_assert_cmpuint(uid, <, last);
      last = uid;
    }
  }
  g_assert_cmpuint(total, ==, 10000);
  worker_stop(&w);
}

/* The line stands still in the middle of an answer: a cancel ends the command at once, and the next one works. */
static void
test_cancel(void)
{
  Worker w;
  worker_start(&w, "carol");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error);
  gint64 worst = 0;
  for (guint i = 0; i < 5; i++) {
    g_atomic_int_set(&w.relay.left, 200000);
    guint64 open = ml_worker_open(w.worker, "Big", 40);
    await_stuck(&w);
    gint64 then = g_get_monotonic_time();
    ml_worker_cancel(w.worker, open);
    g_assert_error(await(&w, ML_EVENT_DONE, open, 0)->error, ML_ERROR, ML_ERROR_CANCELLED);
    worst = MAX(worst, g_get_monotonic_time() - then);
    g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error);
  }
  g_test_message("cancelled within %.1f ms", (double)worst / 1000);
  g_assert_cmpint(worst, <, 100000);
  worker_stop(&w);
}

/* The server dies in the middle of a FETCH and comes back: the worker says offline, keeps what it told, and goes on
 * behind it; what happened meanwhile is told as a change. */
static void
test_killed(void)
{
  Worker w;
  worker_start(&w, "carol");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error);
  g_atomic_int_set(&w.relay.left, 1000000);
  guint64 open = ml_worker_open(w.worker, "Big", 40);
  await_stuck(&w);
  lab_do("stop");
  g_atomic_int_set(&w.relay.cut, 1);
  await_state(&w, ML_STATE_OFFLINE, 0);
  MlEvent *failed = await(&w, ML_EVENT_DONE, open, 0);
  g_assert_error(failed->error, ML_ERROR, ML_ERROR_OFFLINE); /* after its second try */
  guint from = w.events->len;
  fill("carol", ".Fresh", 1);
  lab_do("again");
  await_state(&w, ML_STATE_ONLINE, from);
  guint64 again = ml_worker_open(w.worker, "Big", 40);
  g_assert_no_error(await(&w, ML_EVENT_DONE, again, 0)->error);

  /* Idle in the folder, the line breaks, a message comes while it is down: it is told, nothing else is. */
  from = w.events->len;
  g_atomic_int_set(&w.relay.cut, 1);
  await_state(&w, ML_STATE_OFFLINE, from);
  deliver("carol", ".Big", "1900000000.after.lab", "Subject: meanwhile\n\nx\n");
  MlEvent *news = await(&w, ML_EVENT_NEW, 0, from);
  g_assert_cmpuint(news->headers->len, ==, 1);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(news->headers, 0))->subject, ==, "meanwhile");
  for (guint i = from; i < w.events->len; i++) {
    MlEvent *event = g_ptr_array_index(w.events, i);
    g_assert_true(event->kind != ML_EVENT_HEADERS);
    g_assert_true(event->kind != ML_EVENT_CHANGES ||
                  (!event->changes->reset && !event->changes->vanished->len));
  }
  worker_stop(&w);
}

static void
test_broken_once(void)
{
  Worker w;
  worker_start(&w, "carol");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, FALSE), 0)->error);
  g_atomic_int_set(&w.relay.left, 1500000);
  guint64 open = ml_worker_open(w.worker, "Big", 40);
  await_stuck(&w);
  g_atomic_int_set(&w.relay.cut,
                   1); /* the server lives: the second try gets through, and tells nothing twice */
  g_assert_no_error(await(&w, ML_EVENT_DONE, open, 0)->error);
  g_autoptr(GHashTable) seen = g_hash_table_new(g_direct_hash, g_direct_equal);
  guint total = 0, opened = 0;
  for (guint i = 0; i < w.events->len; i++) {
    MlEvent *event = g_ptr_array_index(w.events, i);
    opened += event->kind == ML_EVENT_OPENED;
    for (guint j = 0; event->kind == ML_EVENT_HEADERS && j < event->headers->len; j++, total++)
      g_hash_table_add(seen, GUINT_TO_POINTER(((MlHeader *)g_ptr_array_index(event->headers, j))->uid));
  }
  g_assert_cmpuint(opened, ==, 1);
  g_assert_cmpuint(total, ==, 10001);
  g_assert_cmpuint(g_hash_table_size(seen), ==, total);
  worker_stop(&w);
}

static void
test_idle(void)
{
  Worker w;
  worker_start(&w, "anna");
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_open(w.worker, "INBOX", 40), 0)->error);
  gint64 then = g_get_monotonic_time();
  deliver("anna", "", "1950000000.idle.lab", "Subject: told by the server\n\nx\n");
  MlEvent *news = await(&w, ML_EVENT_NEW, 0, 0);
  g_test_message("new mail after %.2f s", (double)(g_get_monotonic_time() - then) / 1e6);
  g_assert_cmpstr(((MlHeader *)g_ptr_array_index(news->headers, 0))->subject, ==, "told by the server");
  then = g_get_monotonic_time(); /* and a command wakes it from IDLE at once */
  g_assert_no_error(await(&w, ML_EVENT_DONE, ml_worker_folders(w.worker, TRUE), 0)->error);
  g_assert_cmpint(g_get_monotonic_time() - then, <, 2 * G_USEC_PER_SEC);
  worker_stop(&w);
}

int
main(int argc, char **argv)
{
  if (!g_getenv("SIGNET_DOVECOT")) {
    g_print("1..0 # SKIP run by tests/integration/dovecot.t\n");
    return 0;
  }
  g_test_init(&argc, &argv, NULL);
  lab_start();
  g_test_add_func("/dovecot/logins", test_logins);
  g_test_add_func("/dovecot/wrong-password", test_wrong_password);
  g_test_add_func("/dovecot/certificates", test_certificates);
  g_test_add_func("/dovecot/messages", test_messages);
  g_test_add_func("/dovecot/changes", test_changes);
  g_test_add_func("/dovecot/large", test_large);
  g_test_add_func("/dovecot/cancel", test_cancel);
  g_test_add_func("/dovecot/killed", test_killed);
  g_test_add_func("/dovecot/broken-once", test_broken_once);
  g_test_add_func("/dovecot/idle", test_idle);
  int result = g_test_run();
  g_autoptr(GError) error = NULL;
  if (!crypto_close(&error)) {
    g_printerr("%s\n", error->message);
    result = 1;
  }
  g_free(lab);
  g_free(dir);
  return result;
}
