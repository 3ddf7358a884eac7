#include "ui/commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ui/cmd-rekey-private.h"
#include "ui/text.h"

const char ui_cmd_rekey_help[] =
    "signet rekey FOLDER...|--all    which keys the encrypted messages there need\n"
    "signet rekey --to CERT [--from CERT] [--keep-old] [--yes] FOLDER...|--all    write them anew for another key\n"
    "signet rekey --resume    go on with what was interrupted\n"
    "signet rekey --finish    take away the old copies that --keep-old left\n"
    "\n"
    "  --all           every folder of the account (-A, else the first)\n"
    "  --to CERT       your new certificate: fingerprint, address or file; its key must be here\n"
    "  --from CERT     only what this key reads\n"
    "  --keep-old      the old copies stay until --finish\n"
    "  --cipher NAME   aes-256-gcm (default) or aes-256-cbc, which older mail programs read as well\n"
    "  --yes           do not ask; needed where nobody can be asked\n"
    "  --pin-file FILE the PIN of the card and the password of the certificate database\n"
    "  -v              a line for each message of the report\n"
    "\n"
    "The report says for each key how many messages only it reads, and how many another key of yours reads too; then how\n"
    "many nobody here can read, and whom those are encrypted to. Envelopes say it: no key is used, no PIN asked for.\n"
    "\n"
    "With --to each message is decrypted and encrypted to the new certificate alone: same header, same content octet for\n"
    "octet, same flags and date. The new copy is read back with the new key before the old one goes. What cannot be done\n"
    "without loss is left as it is, and listed. Ctrl-C ends it between two messages; run again, it has nothing to do.\n"
    "\n"
    "With --json a line each: kind key (what signet cert list gives, absent, retired, only, others), missing\n"
    "(recipient, messages), report (folders, encrypted, unreadable, wrapped, parts, broken, legacy); with -v message\n"
    "(message, form, cipher, keys, recipients, reason); with --to rekeyed (message, copy, cipher, raised, inner), left\n"
    "(message, reason) and summary (rekeyed, already, left, other_key, raised, inner, waiting, stopped).\n"
    "\n"
    "Exit codes: 0, 1 some message cannot be read here, or was left as it is, 2 usage, 66 no such folder,\n"
    "69 server not reached, 74 read or write error, 75 stopped before its end: --resume goes on, 77 PIN or login\n"
    "refused, or a folder that can only be read, 78 configuration.\n";

typedef struct {
  UiCli *cli;
  const MlAccount *account;
  const char *folder;
  UiRekeyReport *report;
  UiBar bar;
} Rekey;

static gboolean
on_message(const MlRekeyItem *item, const MlRekeyLook *look, guint done, guint total, gpointer user_data)
{
  Rekey *rekey = user_data;
  if (rekey->cli->verbose)
    ui_bar_clear(&rekey->bar);
  ui_cmd_rekey_report_add(rekey->report, item, look);
  ui_bar_draw(&rekey->bar, "", done, total, rekey->folder);
  return TRUE;
}

static int
report_folder(Rekey *rekey, MlDriver *driver, const char *folder)
{
  g_autoptr(GError) error = NULL;
  MlSelected selected;
  rekey->folder = folder;
  ui_cmd_rekey_report_folder(rekey->report, rekey->account->name, folder);
  gboolean ok = ml_rekey_walk(driver, folder, &selected, NULL, on_message, rekey, &error);
  ui_bar_clear(&rekey->bar);
  if (ok)
    return UI_EXIT_OK;
  g_autofree char *where = g_strdup_printf("%s/%s", rekey->account->name, folder);
  return ui_cli_mail_error(rekey->cli, rekey->account, where, error);
}

/* What was named, or all that can be opened. NULL: the error is printed. */
static GPtrArray *
folders_of(Rekey *rekey, MlDriver *driver, gboolean all, int argc, char **argv, int *code)
{
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  for (int i = 1; i < argc; i++)
    if (!g_ptr_array_find_with_equal_func(names, argv[i], g_str_equal, NULL))
      g_ptr_array_add(names, g_strdup(argv[i]));
  if (!all)
    return names;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) folders = ml_driver_folders(driver, FALSE, &error);
  if (!folders) {
    ui_cli_error(rekey->cli, "%s: %s", rekey->account->name, error->message);
    *code = ui_cli_exit_for(error);
    g_ptr_array_unref(names);
    return NULL;
  }
  for (guint i = 0; i < folders->len; i++) {
    const MlFolder *folder = folders->pdata[i];
    if (folder->selectable)
      g_ptr_array_add(names, g_strdup(folder->name));
  }
  return names;
}

static int
report(Rekey *rekey, MlDriver *driver, GPtrArray *names)
{
  int code = UI_EXIT_OK;
  g_autoptr(UiRekeyReport) report = ui_cmd_rekey_report_new(rekey->cli);
  rekey->report = report;
  for (guint i = 0; i < names->len && code == UI_EXIT_OK; i++)
    code = report_folder(rekey, driver, names->pdata[i]);
  if (code != UI_EXIT_OK)
    return code;
  ui_cmd_rekey_report_print(report);
  return ui_cmd_rekey_report_all_read(report) ? UI_EXIT_OK : UI_EXIT_NO;
}

static const char *
misuse(const UiCli *cli, const UiRekeyOptions *given, int argc)
{
  gboolean again = given->resume || given->finish;
  if (again && (given->all || argc > 1 || given->to || given->from || given->keep_old || given->cipher ||
                given->resume == given->finish))
    return "--resume and --finish stand alone: what they go on with is noted";
  if (!again && given->all == (argc > 1))
    return given->all ? "name folders or give --all, not both" : "name a folder, or give --all: see signet rekey --help";
  if (!again && !given->to && (given->from || given->keep_old || given->cipher || given->yes))
    return "--from, --keep-old, --cipher and --yes go with --to CERT";
  if (given->cipher && strcmp(given->cipher, "aes-256-gcm") != 0 && strcmp(given->cipher, "aes-256-cbc") != 0)
    return "--cipher takes aes-256-gcm or aes-256-cbc";
  return NULL;
}

static int
run(UiCli *cli, const UiRekeyOptions *given, int argc, char **argv)
{
  int code = UI_EXIT_OK;
  const char *wrong = misuse(cli, given, argc);
  if (wrong) {
    ui_cli_error(cli, "%s", wrong);
    return UI_EXIT_USAGE;
  }
  gboolean again = given->resume || given->finish;
  MlAccount *account = ui_cli_account(cli, &code);
  if (!account || !ui_cli_crypto(cli, FALSE, TRUE, TRUE, &code))
    return code;
  if (again)
    return ui_cmd_rekey_run_again(cli, given);
  g_autoptr(MlDriver) driver = ui_cli_driver(cli, account, &code);
  if (!driver)
    return code;
  Rekey rekey = { .cli = cli, .account = account, .bar = ui_bar_new(cli->json) };
  g_autoptr(GPtrArray) names = folders_of(&rekey, driver, given->all, argc, argv, &code);
  if (!names)
    return code;
  return given->to ? ui_cmd_rekey_run(cli, given, account, driver, names) : report(&rekey, driver, names);
}

int
ui_cmd_rekey(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "rekey", NULL, ui_cmd_rekey_help, NULL };
  UiRekeyOptions given = { .to = NULL };
  const UiOption options[] = { { "all", 0, UI_OPTION_FLAG, &given.all },
                               { "to", 0, UI_OPTION_STRING, &given.to },
                               { "from", 0, UI_OPTION_STRING, &given.from },
                               { "cipher", 0, UI_OPTION_STRING, &given.cipher },
                               { "keep-old", 0, UI_OPTION_FLAG, &given.keep_old },
                               { "resume", 0, UI_OPTION_FLAG, &given.resume },
                               { "finish", 0, UI_OPTION_FLAG, &given.finish },
                               { "yes", 0, UI_OPTION_FLAG, &given.yes },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code < 0)
    code = run(cli, &given, argc, argv);
  g_free(given.to);
  g_free(given.from);
  g_free(given.cipher);
  return code;
}
