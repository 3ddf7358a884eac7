#include "ui/commands.h"

#include <stdio.h>

#include "ui/json.h"
#include "ui/text.h"

const char ui_cmd_folders_help[] =
    "signet folders [--counts]    the folders of an account (-A NAME; default: the first)\n"
    "\n"
    "  --counts    ask for the number of messages and of unread ones too\n"
    "\n"
    "Exit codes: 0, 2 usage, 66 no such folder, 69 server not reached, 77 login refused, 78 configuration.\n";

static const char *
role_word(MlFolderRole role)
{
  static const char *const words[] = {
    [ML_ROLE_NONE] = NULL,       [ML_ROLE_INBOX] = "inbox",     [ML_ROLE_DRAFTS] = "drafts",
    [ML_ROLE_SENT] = "sent",     [ML_ROLE_TRASH] = "trash",     [ML_ROLE_JUNK] = "junk",
    [ML_ROLE_ARCHIVE] = "archive", [ML_ROLE_ALL] = "all",       [ML_ROLE_FLAGGED] = "flagged",
  };
  return words[role];
}

static void
print_json(const char *account, const MlFolder *folder)
{
  JsonBuilder *json = ui_json_new();

  ui_json_string(json, "account", account);
  ui_json_string(json, "name", folder->name);
  ui_json_string(json, "role", role_word(folder->role));
  ui_json_bool(json, "selectable", folder->selectable);
  if (folder->total >= 0)
    ui_json_int(json, "total", folder->total);
  if (folder->unseen >= 0)
    ui_json_int(json, "unseen", folder->unseen);
  ui_json_print(json);
}

static void
print_text(const MlFolder *folder)
{
  g_autofree char *safe = ui_text_line(folder->name);
  g_autofree char *name = ui_text_fit(safe, MAX(ui_text_width(safe), 32));

  if (folder->total >= 0)
    printf("%s %8d %8d new  %s\n", name, folder->total, MAX(folder->unseen, 0),
           role_word(folder->role) ? role_word(folder->role) : "");
  else
    printf("%s %s\n", name, role_word(folder->role) ? role_word(folder->role) : "");
}

int
ui_cmd_folders(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "folders", NULL, ui_cmd_folders_help, NULL };
  gboolean counts = FALSE;
  const UiOption options[] = { { "counts", 0, UI_OPTION_FLAG, &counts }, { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  g_autoptr(GError) error = NULL;

  if (code >= 0)
    return code;
  if (argc > 1) {
    ui_cli_error(cli, "signet folders takes no names: choose the account by -A");
    return UI_EXIT_USAGE;
  }
  MlAccount *account = ui_cli_account(cli, &code);
  g_autoptr(MlDriver) driver = account ? ui_cli_driver(cli, account, &code) : NULL;
  if (!driver)
    return code;
  g_autoptr(GPtrArray) folders = ml_driver_folders(driver, counts, &error);
  if (!folders) {
    ui_cli_error(cli, "%s: %s", account->name, error->message);
    return ui_cli_exit_for(error);
  }
  for (guint i = 0; i < folders->len; i++) {
    if (cli->json)
      print_json(account->name, folders->pdata[i]);
    else
      print_text(folders->pdata[i]);
  }
  return UI_EXIT_OK;
}
