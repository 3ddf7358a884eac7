#include <stdio.h>
#include <string.h>

#include "crypto/pin.h"
#include "keyring/keyring.h"
#include "mail/directory.h"
#include "mail/recipients.h"
#include "ui/cmd-cert-private.h"
#include "ui/commands.h"
#include "ui/text.h"

/* signet cert find: what directories have for an address. */
typedef struct {
  UiCli *cli;
  const char *address;
  char *password_file, *cert;
  gboolean accept, import, keep; /* import: accept what the person says yes to */
  MlPeople *people;
  GPtrArray *rows;    /* of MlRecipient: one certificate each */
  GPtrArray *entries; /* of char *: the DN of each */
  int failed;         /* exit code of a directory that did not answer; 0 */
} Find;

static char *
on_password(const MlDirectory *directory, GCancellable *cancellable, gpointer data, GError **error)
{
  Find *find = data;
  UiCli *cli = find->cli;
  if (find->password_file)
    return ui_cli_read_secret_file(find->password_file, error);
  g_autoptr(GError) local = NULL;
  char *stored = find->keep ? NULL : ui_password_directory(directory, cancellable, &local);
  if (stored)
    return stored;
  if (local) {
    g_propagate_error(error, g_steal_pointer(&local));
    return NULL;
  }
  g_autofree char *url = ml_directory_url(directory);
  g_autofree char *question = g_strdup_printf("Password of %s at %s:", directory->bind, url);
  char *typed = ui_cli_secret(cli, question, "--password-file", &local);
  if (!typed) {
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "The directory %s wants a password: %s", directory->name, local->message);
  } else if (find->keep) {
    g_autofree char *account = ui_password_directory_account(directory);
    if (!keyring_store(account, url, typed, cancellable, &local))
      ui_cli_error(cli, "the password is not kept: %s", local->message);
  }
  return typed;
}

static void
say_answer(Find *find, const MlDirectoryAnswer *answer)
{
  UiCli *cli = find->cli;
  const char *name = answer->directory->name;
  if (answer->error) {
    ui_cli_error(cli, "%s", answer->error->message);
    find->failed = ui_cli_exit_for(answer->error);
    return;
  }
  if (answer->more)
    ui_cli_error(cli, "the directory %s has more than is taken from it: its filter in signet.conf may be too wide", name);
  if (answer->unreadable)
    ui_cli_error(cli, "the directory %s has %u value%s for %s that hold%s no certificate", name, answer->unreadable,
                 answer->unreadable == 1 ? "" : "s", find->address, answer->unreadable == 1 ? "s" : "");
  if (!answer->entries)
    ui_cli_error(cli, "the directory %s does not know %s", name, find->address);
  else if (!answer->certs->len)
    ui_cli_error(cli, "the directory %s knows %s, but has no certificate for it", name, find->address);
}

static gboolean
take_answer(Find *find, const MlDirectoryAnswer *answer, GError **error)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autofree char *source = g_strdup_printf("directory %s", answer->directory->name);
  g_autoptr(GPtrArray) accepted = ml_people_accepted(find->people, find->address, NULL), certs = g_ptr_array_new();
  say_answer(find, answer);
  if (answer->error)
    return TRUE;
  for (guint i = 0; i < answer->certs->len; i++) {
    const MlDirectoryCert *found = answer->certs->pdata[i];
    g_ptr_array_add(certs, found->cert);
    g_ptr_array_add(find->entries, g_strdup(found->entry));
    g_ptr_array_add(find->rows, ml_recipients_judge(found->cert, find->address, source, accepted, answer->issuers, now,
                                                    ml_config_revocation(find->cli->config)));
  }
  return ml_people_offer(find->people, find->address, source, certs, answer->issuers, now, error);
}

static void
tell(const Find *find, const MlRecipient *row, const char *dn)
{
  static const char *const words[] = { [ML_CERT_READY] = "accepted",
                                       [ML_CERT_CANDIDATE] = "candidate",
                                       [ML_CERT_NONE] = "none",
                                       [ML_CERT_UNFIT] = "unfit" };
  g_autoptr(CryptoCertEntry) entry = g_new0(CryptoCertEntry, 1);
  entry->cert = crypto_cert_ref(row->cert);
  if (find->cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "address", row->address);
    ui_json_string(json, "state", words[row->state]);
    ui_json_string(json, "source", row->source);
    ui_json_string(json, "entry", dn);
    ui_json_string(json, "reason", row->reason);
    ui_cmd_cert_fields(json, entry);
    ui_json_print(json);
    return;
  }
  ui_cmd_cert_line(entry, words[row->state]);
  g_autofree char *place = g_strdup_printf("    %s, %s", row->source, dn), *safe_place = ui_text_line(place);
  g_autofree char *reason = g_strdup_printf("    %s", row->reason ? row->reason : ""), *safe_reason = ui_text_line(reason);
  puts(safe_place);
  if (row->state == ML_CERT_UNFIT)
    puts(safe_reason);
}

/* The one that --cert names, else the newest candidate. */
static MlRecipient *
chosen(const Find *find)
{
  MlRecipient *best = NULL;
  for (guint i = 0; i < find->rows->len; i++) {
    MlRecipient *row = find->rows->pdata[i];
    if (find->cert ? g_str_has_prefix(crypto_cert_sha256(row->cert), find->cert)
                   : row->state == ML_CERT_CANDIDATE &&
                         (!best || crypto_cert_not_before(row->cert) > crypto_cert_not_before(best->cert)))
      best = row;
  }
  return best;
}

/* FALSE: the sentence was printed. */
static gboolean
accept_one(Find *find, int *code)
{
  g_autoptr(GError) error = NULL;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  MlRecipient *row = chosen(find);
  if (!row) {
    ui_cli_error(find->cli, find->cert ? "no certificate that was found begins with %s"
                                       : "nothing that was found can be accepted as it is for %s: --cert FINGERPRINT names one whose "
                                         "fingerprint you have compared",
                 find->cert ? find->cert : find->address);
    *code = UI_EXIT_NO;
    return FALSE;
  }
  if (find->cert) {
    g_autofree char *source = g_strdup(row->source);
    ml_recipients_use(row, row->cert, source, now, ml_config_revocation(find->cli->config));
    if (row->state != ML_CERT_READY) {
      ui_cli_error(find->cli, "%s", row->reason);
      *code = UI_EXIT_NO;
      return FALSE;
    }
  }
  if (!ml_recipients_accept(find->people, row, now, ui_cli_pin_source(find->cli), &error)) {
    *code = ui_cmd_cert_fail(find->cli, error);
    return FALSE;
  }
  return TRUE;
}

/* What would be accepted, with the fingerprint to compare; yes or no at the terminal. */
static void
offer(Find *find, int *code)
{
  const MlRecipient *row = chosen(find);
  if (row) {
    g_autofree char *print = ui_cmd_cert_fingerprint(row->cert);
    g_autofree char *words = g_strdup_printf("Accept for %s: %s, issued by %s, SHA-256 %s (y/n)", find->address,
                                             crypto_cert_common_name(row->cert), crypto_cert_issuer_name(row->cert), print);
    g_autofree char *question = ui_text_line(words);
    if (!ui_cli_confirm(find->cli, question)) {
      ui_cli_error(find->cli, "nothing was accepted: it stays a candidate (signet cert accept, or A on the screen, takes it later)");
      *code = UI_EXIT_NO;
      return;
    }
  }
  guint index = 0;
  if (accept_one(find, code) && g_ptr_array_find(find->rows, row, &index))
    tell(find, row, find->entries->pdata[index]);
}

static int
ask(Find *find)
{
  g_autoptr(GError) error = NULL;
  const MlDirectoryHooks hooks = { on_password, find };
  g_autoptr(GPtrArray) answers = ml_directory_find(find->cli->config, find->address, FALSE, &hooks, find->cli->cancellable);
  int code = UI_EXIT_OK;
  gboolean usable = FALSE;
  for (guint i = 0; i < answers->len; i++)
    if (!take_answer(find, answers->pdata[i], &error))
      return ui_cmd_cert_fail(find->cli, error);
  if (find->accept && find->rows->len)
    accept_one(find, &code);
  for (guint i = 0; i < find->rows->len; i++) {
    const MlRecipient *row = find->rows->pdata[i];
    usable |= row->state == ML_CERT_READY || row->state == ML_CERT_CANDIDATE;
    tell(find, row, find->entries->pdata[i]);
  }
  if (find->import && find->rows->len)
    offer(find, &code);
  return code != UI_EXIT_OK ? code : usable ? UI_EXIT_OK : find->failed ? find->failed : UI_EXIT_NO;
}

/* FALSE: nobody is to be asked about it, which was said. */
static gboolean
may_ask(Find *find, int *code)
{
  UiCli *cli = find->cli;
  if (!ui_cli_config(cli, code))
    return FALSE;
  guint covering = 0;
  for (guint i = 0; i < cli->config->directories->len; i++)
    covering += ml_directory_covers(cli->config->directories->pdata[i], find->address);
  if (cli->config->directories->len && covering && !cli->offline)
    return TRUE;
  if (!cli->config->directories->len) {
    *code = UI_EXIT_CONFIG;
    ui_cli_error(cli, "no directory is set up: write a [directory NAME] section into %s (signet.conf(5))", cli->config_path);
  } else if (!covering) {
    *code = UI_EXIT_NO;
    ui_cli_error(cli, "no directory is asked about %s, and nothing was sent: domains = in its section of %s says whom it is "
                      "asked about", find->address, cli->config_path);
  } else {
    *code = UI_EXIT_UNAVAILABLE;
    ui_cli_error(cli, "a directory is on the network, and --offline was given");
  }
  return FALSE;
}

static int
run(Find *find)
{
  UiCli *cli = find->cli;
  int code = UI_EXIT_OK;
  if (!may_ask(find, &code) || !ui_cli_crypto(cli, find->accept || find->import, TRUE, FALSE, &code))
    return code;
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(cli->data_dir, "people.db", NULL);
  find->people = ml_people_open(file, &error);
  if (!find->people) {
    ui_cli_error(cli, "%s", error->message);
    return UI_EXIT_IO;
  }
  find->rows = g_ptr_array_new_with_free_func((GDestroyNotify)ml_recipient_free);
  find->entries = g_ptr_array_new_with_free_func(g_free);
  code = ask(find);
  g_ptr_array_unref(find->rows);
  g_ptr_array_unref(find->entries);
  ml_people_free(find->people);
  return code;
}

static gboolean
is_address(const char *text)
{
  const char *at = strrchr(text, '@');
  return at && at > text && at[1] && !strpbrk(text, " \t\r\n<>,;");
}

int
ui_cmd_cert_find_in_directories(UiCli *cli, int argc, char **argv)
{
  Find find = { .cli = cli };
  const UiOption options[] = { { "accept", 0, UI_OPTION_FLAG, &find.accept },
                               { "import", 0, UI_OPTION_FLAG, &find.import },
                               { "cert", 0, UI_OPTION_STRING, &find.cert },
                               { "password-file", 0, UI_OPTION_STRING, &find.password_file },
                               { "keep-password", 0, UI_OPTION_FLAG, &find.keep },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert find", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code < 0) {
    find.address = argc == 2 ? argv[1] : NULL;
    g_autofree char *cert = find.cert ? ui_cmd_cert_plain_fingerprint(find.cert) : NULL;
    code = UI_EXIT_USAGE;
    if (!find.address)
      ui_cli_error(cli, "say whose: signet cert find ADDRESS");
    else if (!is_address(find.address))
      ui_cli_error(cli, "%s is no mail address, and directories are asked for one, such as anna@example.org (what is here: "
                        "signet cert list)", find.address);
    else if (find.import && (find.accept || cli->batch))
      ui_cli_error(cli, "--import asks before it accepts: with --batch say --accept, which does not");
    else if (find.cert && ((!find.accept && !find.import) || !cert))
      ui_cli_error(cli, find.accept || find.import ? "--cert takes a SHA-256 fingerprint, or its first eight digits or more"
                                    : "--cert goes with --accept or --import");
    else {
      char *given = find.cert;
      find.cert = cert;
      code = run(&find);
      find.cert = given;
    }
  }
  g_free(find.cert);
  g_free(find.password_file);
  return code;
}
