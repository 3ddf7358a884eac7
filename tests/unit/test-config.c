#include <glib/gstdio.h>
#include <string.h>

#include "mail/config.h"

static char *dir;

static MlConfig *
load(const char *text, GError **error)
{
  g_autofree char *file = g_build_filename(dir, "signet.conf", NULL);
  g_assert_true(g_file_set_contents(file, text, -1, NULL));
  MlConfig *config = ml_config_load(file, error);
  g_assert_cmpint(g_unlink(file), ==, 0);
  return config;
}

/* @text must fail with CONFIG at line @line, with all of @words (split at '|') in the message. */
static void
refused(const char *text, guint line, const char *words)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlConfig) config = load(text, &error);
  g_assert_null(config);
  g_assert_error(error, ML_ERROR, ML_ERROR_CONFIG);
  g_autofree char *where = g_strdup_printf("signet.conf:%u: ", line);
  if (!strstr(error->message, where))
    g_test_message("want %s in: %s", where, error->message);
  g_assert_nonnull(strstr(error->message, where));
  g_auto(GStrv) all = g_strsplit(words, "|", -1);
  for (char **word = all; *word; word++) {
    if (!strstr(error->message, *word))
      g_test_message("want \"%s\" in: %s", *word, error->message);
    g_assert_nonnull(strstr(error->message, *word));
  }
}

static void
test_whole(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlConfig) config = load("# comment\n"
                                    "[account work]\n"
                                    "  address = anna@example.org\r\n"
                                    "  name = Anna Keller\n"
                                    "  also = a@b.c, d@e.f\n"
                                    "  also = g@h.i\n"
                                    "imap = imaps://anna%40example.org@Mail.Example.ORG\n"
                                    "smtp = smtp://anna@mail.example.org:2587/\n"
                                    "password-command = pass mail/work\n"
                                    "auth = SCRAM-SHA-256\n"
                                    "undo-send = 0\n"
                                    "\n[account here]\n"
                                    "mbox = box/root ; the local one\n"
                                    "sendmail = /usr/sbin/sendmail -t -i\n"
                                    "sign = always\nencrypt = when-possible\n"
                                    "[account six]\nimap = imap://u@[::1]:10143\n"
                                    "[account dir]\nmaildir = ~/Maildir\n"
                                    "[ui]\nhints = no\nmark-seen-after = 3\n"
                                    "[keys]\npin-timeout = 15\n[policy]\nrevocation = hard\nonline = ocsp\ninternal-hosts = pki.example.org\n",
                                    &error);
  g_assert_no_error(error);
  g_assert_cmpuint(config->accounts->len, ==, 4);
  MlAccount *work = ml_config_account(config, NULL);
  g_assert_cmpstr(work->name, ==, "work");
  g_assert_cmpstr(work->address, ==, "anna@example.org");
  g_assert_cmpstr(work->display_name, ==, "Anna Keller");
  g_assert_cmpuint(g_strv_length(work->also), ==, 3);
  g_assert_cmpstr(work->also[2], ==, "g@h.i");
  g_assert_cmpint(work->kind, ==, ML_ACCOUNT_IMAP);
  g_assert_cmpstr(work->imap.host, ==, "mail.example.org");
  g_assert_cmpstr(work->imap.user, ==, "anna@example.org");
  g_assert_cmpuint(work->imap.port, ==, 993);
  g_assert_cmpint(work->imap.tls, ==, ML_TLS_IMPLICIT);
  g_assert_cmpuint(work->smtp.port, ==, 2587);
  g_assert_cmpint(work->smtp.tls, ==, ML_TLS_STARTTLS);
  g_assert_cmpstr(work->auth, ==, "scram-sha-256");
  g_assert_cmpuint(work->undo_send, ==, 0);
  MlAccount *here = ml_config_account(config, "here");
  g_assert_cmpint(here->kind, ==, ML_ACCOUNT_MBOX);
  g_autofree char *path = g_build_filename(dir, "box", "root", NULL);
  g_assert_cmpstr(here->path, ==, path);
  g_assert_cmpstr(here->sign, ==, "always");
  g_assert_null(here->imap.host);
  MlAccount *six = ml_config_account(config, "six");
  g_assert_cmpstr(six->imap.host, ==, "::1");
  g_assert_cmpuint(six->imap.port, ==, 10143);
  MlAccount *maildir = ml_config_account(config, "dir");
  g_assert_true(g_path_is_absolute(maildir->path) && g_str_has_suffix(maildir->path, "/Maildir"));
  g_assert_null(ml_config_account(config, "nobody"));
  g_assert_false(config->hints);
  g_assert_cmpuint(config->mark_seen_after, ==, 3);
  g_assert_cmpuint(config->pin_timeout, ==, 15 * 60);
  g_assert_cmpstr(config->revocation, ==, "hard");
  g_assert_cmpstr(config->online, ==, "ocsp");
  g_assert_cmpstr(config->internal_hosts, ==, "pki.example.org");
}

static void
test_none(void)
{
  g_autofree char *file = g_build_filename(dir, "nowhere", "signet.conf", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(MlConfig) config = ml_config_load(file, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(config->accounts->len, ==, 0);
  g_assert_null(ml_config_account(config, NULL));
  g_assert_cmpstr(config->file, ==, file);
}

static void
test_refused(void)
{
  refused("[account a]\nmaildir = x\nadress = a@b\n", 3, "adress|did you mean \"address\"");
  refused("[account a]\nmaildir = x\nzzzzzz = a@b\n", 3, "unknown key|signet.conf(5)");
  refused("[ui]\n[polcy]\n", 2, "[polcy]|[policy]");
  refused("\n[weather]\n", 2, "unknown section");
  refused("[account]\n", 1, "needs a name");
  refused("[account ../x]\n", 1, "cannot be an account's name");
  refused("[account a]\nmaildir = x\n[account a]\nmaildir = x\n", 3, "two sections");
  refused("[account a]\n\nmaildir = x\nmbox = y\n", 4, "both maildir and mbox");
  refused("\n[account a]\nimap = imaps://h\nmaildir = x\n", 2, "more than one place");
  refused("\n[account a]\naddress = a@b\n[ui]\n", 2, "where its mail is");
  refused("address = a@b\n", 1, "before any section");
  refused("[account a]\nmaildir = x\nmaildir = y\n", 3, "twice");
  refused("[account a]\nmaildir x\n", 2, "key = value");
  refused("[account a\nmaildir = x\n", 1, "]");
  refused("[ui]\nhints = maybe\n", 2, "yes nor no");
  refused("[policy]\nrevocation = harder\n", 2, "off, soft, hard");
  refused("[keys]\npin-timeout = -1\n", 2, "number");
  refused("[keys]\npin-timeout = s\n", 2, "number");
  refused("[keys]\npin-timeout = 10sm\n", 2, "seconds");
  refused("[ui]\nbrowser =\n", 2, "no value");
  refused("[account a]\nmaildir = x\npassword-command = a ; b\n", 3, "script");
  g_autofree char *filler = g_strnfill(400, 'x');
  g_autofree char *longer = g_strconcat("[ui]\nbrowser = ", filler, "\n", NULL);
  refused(longer, 2, "longer than");
}

static void
test_searches(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(MlConfig) config = load("[searches]\n# by words\nFrom Anna = from:anna \"annual report\" -draft\n"
                                    "  important: ~F !~R\ntoken = password\n[account a]\nmaildir = x\n",
                                    &error);
  g_assert_no_error(error);
  g_assert_cmpuint(config->searches->len, ==, 3);
  static const char *const wanted[][2] = { { "From Anna", "from:anna \"annual report\" -draft" },
                                           { "important", "~F !~R" },
                                           { "token", "password" } };
  for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
    const MlSaved *saved = config->searches->pdata[i];
    g_assert_cmpstr(saved->name, ==, wanted[i][0]);
    g_assert_cmpstr(saved->text, ==, wanted[i][1]);
  }
  refused("[searches]\n\nx = ~F (~N\n", 3, "the search \"x\" cannot be read|parenthesis");
  refused("[searches]\nx = -y\n", 2, "the search \"x\" cannot be read");
  refused("[searches]\nx =\n", 2, "no words and no pattern");
  refused("[searches]\na/b = c\n", 2, "cannot be a search's name");
  refused("[searches]\na = b\na = c\n", 3, "two searches");
  refused("[searches]\na = b ; c\n", 2, "comment");
  refused("[serches]\na = b\n", 1, "did you mean [searches]");
  g_autoptr(GString) many = g_string_new("[searches]\n");
  for (guint i = 0; i < 101; i++)
    g_string_append_printf(many, "s%u = x\n", i);
  refused(many->str, 102, "more than 100");
}

static void
test_secrets(void)
{
  const char *sentence =
      "passwords do not belong in signet.conf: use password-command = ... or let signet ask once "
      "and keep it in the keyring";
  const char *names[] = { "password", "pass", "secret", "imap-password", "Smtp_Pass", NULL };
  for (guint i = 0; names[i]; i++) {
    g_autofree char *text = g_strdup_printf("[account a]\nmaildir = x\n%s = hunter2\n", names[i]);
    refused(text, 3, sentence);
    g_autoptr(GError) error = NULL;
    g_autoptr(MlConfig) config = load(text, &error);
    g_assert_null(config);
    g_assert_null(strstr(error->message, "hunter2"));
  }
  refused("[account a]\nimap = imaps://u:hunter2@h\n", 2, sentence);
}

static void
test_urls(void)
{
  const char *bad[] = { "mail.example.org",  "http://h",          "imaps://",
                        "imaps://u@",        "imaps://u@h:0",     "imaps://u@h:70000",
                        "imaps://u@h:",      "imaps://u@h/INBOX", "imaps://u%@h",
                        "imaps://u%0a@h",    "imaps://@h",        "imaps://u@[::1",
                        "imaps://u@ho_st;x", "smtps://u@h",       NULL };
  for (guint i = 0; bad[i]; i++) {
    g_autofree char *text = g_strdup_printf("[account a]\nimap = %s\n", bad[i]);
    refused(text, 2, "imap");
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  dir = g_dir_make_tmp("signet-config-XXXXXX", NULL);
  g_test_add_func("/config/whole", test_whole);
  g_test_add_func("/config/none", test_none);
  g_test_add_func("/config/refused", test_refused);
  g_test_add_func("/config/searches", test_searches);
  g_test_add_func("/config/secrets", test_secrets);
  g_test_add_func("/config/urls", test_urls);
  int result = g_test_run();
  g_assert_cmpint(g_rmdir(dir), ==, 0);
  g_free(dir);
  return result;
}
