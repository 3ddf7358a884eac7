#include "mail/imap-private.h"
#include "tests/unit/dovecot-lab.h"

/* The driver on a real Dovecot: TLS, logins, messages, what is changed in them. */

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
  gboolean settled = ml_imap_ahead_settle(((MlImap *)client.driver)->session, NULL); /* ENABLE is on its way */
  g_assert_true(settled);
  g_assert_true(((MlImap *)client.driver)->session->qresync); /* ENABLEd before any folder is selected */
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
  g_autoptr(GArray) first = driver_one(uid);
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
  g_autoptr(GArray) two = driver_one(uid + 1);
  guint32 third = uid + 2;
  g_array_append_val(two, third);
  g_assert_true(ml_driver_flags(client.driver, two, ML_FLAG_DELETED, 0, &error));
  g_autoptr(GArray) second = driver_one(uid + 1);
  g_assert_true(ml_driver_expunge(client.driver, second, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 2"), ==, G_MAXUINT);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 3"), ==, ML_FLAG_DELETED);

  g_autoptr(GArray) fourth = driver_one(uid + 3);
  g_assert_true(ml_driver_move(client.driver, fourth, "Trash", &error));
  g_assert_true(ml_driver_copy(client.driver, first, "Gesendet", &error));
  g_assert_no_error(error);
  g_assert_cmpuint(flags_of(&client, "Trash", "message 4"), ==, 0);
  g_assert_cmpuint(flags_of(&client, "Gesendet", "message 1"), ==,
                   ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FORWARDED);
  g_assert_cmpuint(flags_of(&client, "INBOX", "message 4"), ==, G_MAXUINT);
  g_assert_false(ml_driver_copy(client.driver, first, "No/Such", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NO_FOLDER);
  g_autoptr(MlChanges) gone = ml_changes_new();
  g_assert_true(ml_driver_poll(other.driver, gone, NULL));
  g_assert_cmpuint(gone->vanished->len, ==, 2);
  ml_driver_free(client.driver);
  ml_driver_free(other.driver);
}

static void
add(void)
{
  g_test_add_func("/dovecot/logins", test_logins);
  g_test_add_func("/dovecot/wrong-password", test_wrong_password);
  g_test_add_func("/dovecot/certificates", test_certificates);
  g_test_add_func("/dovecot/messages", test_messages);
  g_test_add_func("/dovecot/changes", test_changes);
}

int
main(int argc, char **argv)
{
  return lab_main(argc, argv, add);
}
