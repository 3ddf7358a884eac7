#include "ui/commands.h"

#include <stdio.h>
#include <string.h>

#include "ui/json.h"
#include "ui/password.h"
#include "ui/text.h"

const char ui_cmd_account_help[] =
    "signet account list              the accounts of signet.conf\n"
    "signet account check [NAME...]   reading and sending: connect, TLS, log in, list folders: each step OK,\n"
    "                                 or the server's own words\n"
    "\n"
    "Exit codes: 0 all well, 1 a step failed, 2 usage, 78 configuration.\n";

static const char *
kind_word(MlAccountKind kind)
{
  static const char *const words[] = { [ML_ACCOUNT_IMAP] = "imap", [ML_ACCOUNT_MAILDIR] = "maildir",
                                       [ML_ACCOUNT_MBOX] = "mbox" };
  return words[kind];
}

static char *
place(const MlAccount *account)
{
  return account->kind == ML_ACCOUNT_IMAP ? ui_password_server(&account->imap, "imap") : g_strdup(account->path);
}

static int
list_accounts(UiCli *cli)
{
  for (guint i = 0; i < cli->config->accounts->len; i++) {
    MlAccount *account = cli->config->accounts->pdata[i];
    g_autofree char *where = place(account);
    if (cli->json) {
      JsonBuilder *json = ui_json_new();
      ui_json_string(json, "name", account->name);
      ui_json_string(json, "kind", kind_word(account->kind));
      ui_json_string(json, "address", account->address);
      ui_json_string(json, "place", where);
      ui_json_print(json);
    } else {
      g_autofree char *line = g_strdup_printf("%-16s %-8s %-32s %s", account->name, kind_word(account->kind),
                                              account->address ? account->address : "-", where);
      g_autofree char *safe = ui_text_line(line);
      puts(safe);
    }
  }
  if (!cli->config->accounts->len && !cli->json)
    ui_cli_error(cli, "no account in %s", cli->config_path);
  return UI_EXIT_OK;
}

typedef struct {
  UiCli *cli;
  const char *account;
} Check;

static void
on_step(const char *step, gboolean ok, const char *words, gpointer data)
{
  Check *check = data;

  if (check->cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "account", check->account);
    ui_json_string(json, "step", step);
    ui_json_bool(json, "ok", ok);
    ui_json_string(json, "words", words);
    ui_json_print(json);
    return;
  }
  g_autofree char *line = g_strdup_printf("%s: %-14s %-6s %s", check->account, step, ok ? "OK" : "FAILED",
                                          words ? words : "");
  g_autofree char *safe = ui_text_line(line);
  puts(g_strchomp(safe));
}

static int
check_account(UiCli *cli, MlAccount *account)
{
  int code = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  g_autoptr(MlDriver) driver = ui_cli_driver(cli, account, &code);
  Check check = { cli, account->name };

  if (!driver)
    return code;
  cli->password_given = FALSE;
  gboolean good = ml_driver_check(driver, on_step, &check, &error);
  if (cli->password_given)
    on_step("password", good, ui_password_source_words(cli->password_source), &check);
  if (good && (cli->offline || ui_cli_check_sending(cli, account, on_step, &check, &error)))
    return UI_EXIT_OK;
  ui_cli_error(cli, "%s: %s", account->name, error->message);
  return UI_EXIT_NO;
}

int
ui_cmd_account(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "account", NULL, ui_cmd_account_help, NULL };
  int code = ui_cli_options(cli, &self, NULL, &argc, argv), worst = UI_EXIT_OK;

  if (code >= 0)
    return code;
  if (argc < 2 || (strcmp(argv[1], "list") && strcmp(argv[1], "check"))) {
    ui_cli_error(cli, "say signet account list or signet account check [NAME...]");
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_config(cli, &code))
    return code;
  if (!strcmp(argv[1], "list"))
    return list_accounts(cli);
  if (argc == 2) {
    if (!ui_cli_account(cli, &code)) /* none at all, or -A names one that is not there */
      return code;
    for (guint i = 0; i < cli->config->accounts->len; i++) {
      MlAccount *account = cli->config->accounts->pdata[i];
      if (cli->account && strcmp(cli->account, account->name))
        continue;
      code = check_account(cli, account);
      worst = MAX(worst, code);
    }
    return worst;
  }
  for (int i = 2; i < argc; i++) {
    g_free(cli->account);
    cli->account = g_strdup(argv[i]);
    MlAccount *account = ui_cli_account(cli, &code);
    if (account)
      code = check_account(cli, account);
    worst = MAX(worst, code);
  }
  return worst;
}
