#ifndef TESTS_DOVECOT_LAB_H
#define TESTS_DOVECOT_LAB_H

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/context.h"
#include "mail/worker.h"
#include "tests/unit/driver-lab.h"
#include "tests/unit/pki.h"

/* A real Dovecot of tests/lab/dovecot.sh, and a driver on it. tests/lab/with-dovecot.sh starts the server and runs the
 * program; without it the program says that it skips. */
static char *dir, *lab;
static guint16 port_tls, port_plain;
static int mail_uid, mail_gid;

static inline void
lab_do(const char *what)
{
  g_assert_cmpint(pki_spawn(NULL, NULL, "sh", "tests/lab/dovecot.sh", what, lab, NULL), ==, 0);
}

static inline char *
lab_log(void)
{
  g_autofree char *file = g_build_filename(lab, "log", NULL);
  char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  return text;
}

static inline void
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
static inline void
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

static inline void
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

static inline char *
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

static inline gboolean
on_exception(const CryptoTlsProblem *problem, gpointer user_data)
{
  Client *client = user_data;
  g_assert_nonnull(problem->sentence);
  client->problems++;
  return client->accept;
}

static inline void
client_init(Client *client, const char *host, guint16 port, MlTlsMode tls, const char *user)
{
  memset(client, 0, sizeof *client);
  client->account = (MlAccount){ .name = (char *)"lab", .kind = ML_ACCOUNT_IMAP };
  client->account.imap = (MlServer){ (char *)host, (char *)user, port, tls };
  client->hooks = (MlDriverHooks){
    .password = give_password, .exception = on_exception, .user_data = client, .state_dir = dir
  };
}

static inline void
client_open(Client *client, const char *user)
{
  g_autoptr(GError) error = NULL;
  client_init(client, "localhost", port_tls, ML_TLS_IMPLICIT, user);
  client->driver = ml_driver_new(&client->account, &client->hooks);
  gboolean ok = ml_driver_connect(client->driver, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

static inline GPtrArray *
list(Client *client, const char *folder)
{
  return driver_open(client->driver, folder, 30);
}

static inline guint
flags_of(Client *client, const char *folder, const char *subject)
{
  g_autoptr(GPtrArray) headers = list(client, folder);
  const MlHeader *header = driver_by_subject(headers, subject);
  return header ? header->flags : G_MAXUINT;
}

/* The whole of main(): @add names the tests once the server is known. */
static inline int
lab_main(int argc, char **argv, void (*add)(void))
{
  if (!g_getenv("SIGNET_DOVECOT")) {
    g_print("1..0 # SKIP run by tests/integration/dovecot*.t\n");
    return 0;
  }
  g_test_init(&argc, &argv, NULL);
  lab_start();
  add();
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

#endif
