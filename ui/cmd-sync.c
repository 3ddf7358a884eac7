#include "ui/commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/sync.h"
#include "ui/json.h"
#include "ui/text.h"

const char ui_cmd_sync_help[] =
    "signet sync [FOLDER...]    bring the lists of messages up to date (default: every folder)\n"
    "\n"
    "Of the account that -A names, else of every account on a server. What is fetched is kept, so that the screen and\n"
    "\"signet list --offline\" have it at once; an interrupted run goes on where it ended. Mailboxes on this machine\n"
    "need none of this. Made for cron: silent but for errors where stdout is no terminal, unless -v is given.\n"
    "\n"
    "With --json a line each: account, folder, total, added, changed, vanished, anew.\n"
    "\n"
    "Exit codes: 0, 2 usage, 66 no such folder, 69 server not reached, 74 the store cannot be written,\n"
    "77 login refused, 78 configuration.\n";

typedef struct {
  UiCli *cli;
  const MlAccount *account;
  const char *folder;
  gboolean bar; /* stderr is a terminal */
  gint64 drawn;
} Sync;

static void
on_opened(const MlSelected *selected, gboolean reset, gpointer data)
{
}

static void
on_changes(MlChanges *changes, gpointer data)
{
  ml_changes_free(changes);
}

/* Over what stood there before, on terminals of every kind. */
static void
draw_bar(const char *words)
{
  enum { WIDTH = 72 };
  g_autofree char *line = ui_text_fit(words, WIDTH);
  fprintf(stderr, "\r%s", line);
}

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer data)
{
  enum { STEP_US = 100000 };
  Sync *sync = data;
  gint64 now = g_get_monotonic_time();

  if (sync->bar && now - sync->drawn > STEP_US) {
    g_autofree char *folder = ui_text_line(sync->folder);
    g_autofree char *words = g_strdup_printf("%u of %u, %u%%  %s", done, total,
                                             (guint)((guint64)done * 100 / MAX(total, 1)), folder);
    draw_bar(words);
    sync->drawn = now;
  }
  g_ptr_array_unref(headers);
  return !g_cancellable_is_cancelled(sync->cli->cancellable);
}

static void
print(const Sync *sync, const MlSynced *synced)
{
  if (sync->cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "account", sync->account->name);
    ui_json_string(json, "folder", sync->folder);
    ui_json_int(json, "total", synced->selected.total);
    ui_json_int(json, "added", synced->added);
    ui_json_int(json, "changed", synced->changed);
    ui_json_int(json, "vanished", synced->vanished);
    ui_json_bool(json, "anew", synced->reset);
    ui_json_print(json);
  } else if (sync->cli->verbose || isatty(STDOUT_FILENO)) {
    g_autofree char *folder = ui_text_line(sync->folder);
    printf("%s/%s  %u message%s: %u new here, %u changed, %u gone\n", sync->account->name, folder,
           synced->selected.total, synced->selected.total == 1 ? "" : "s", synced->added, synced->changed,
           synced->vanished);
  }
}

static int
sync_folder(Sync *sync, MlDriver *driver, MlStore *store)
{
  static const MlSyncFuncs funcs = { on_opened, on_changes, on_headers };
  enum { FIRST = 1000 };
  MlSynced synced;
  g_autoptr(GError) error = NULL, store_error = NULL;
  gboolean ok = ml_sync_folder(driver, store, sync->folder, FIRST, &funcs, sync, &synced, &store_error, &error);

  if (sync->drawn) {
    draw_bar("");
    fputc('\r', stderr);
  }
  sync->drawn = 0;
  if (!ok || store_error) {
    ui_cli_error(sync->cli, "%s/%s: %s", sync->account->name, sync->folder, (ok ? store_error : error)->message);
    return ui_cli_exit_for(ok ? store_error : error);
  }
  print(sync, &synced);
  return UI_EXIT_OK;
}

/* Every folder that can be opened; the list of them is kept too. */
static GPtrArray *
folders_of(Sync *sync, MlDriver *driver, MlStore *store, int *code)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) folders = ml_driver_folders(driver, TRUE, &error);

  if (!folders || !ml_store_set_folders(store, folders, &error)) {
    ui_cli_error(sync->cli, "%s: %s", sync->account->name, error->message);
    *code = ui_cli_exit_for(error);
    return NULL;
  }
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < folders->len; i++) {
    const MlFolder *folder = folders->pdata[i];
    if (folder->selectable)
      g_ptr_array_add(names, g_strdup(folder->name));
  }
  return names;
}

static int
sync_account(UiCli *cli, MlAccount *account, char **wanted)
{
  int code = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(cli->data_dir, "store", NULL);
  g_autoptr(MlDriver) driver = ui_cli_driver(cli, account, &code);
  Sync sync = { cli, account, NULL, !cli->json && isatty(STDERR_FILENO), 0 };

  if (!driver)
    return code;
  g_autoptr(MlStore) store = ml_store_open(directory, account, &error);
  if (!store) {
    ui_cli_error(cli, "%s", error->message);
    return ui_cli_exit_for(error);
  }
  g_autoptr(GPtrArray) names = *wanted ? NULL : folders_of(&sync, driver, store, &code);
  if (!*wanted && !names)
    return code;
  for (guint i = 0; *wanted ? wanted[i] != NULL : i < names->len; i++) {
    sync.folder = *wanted ? wanted[i] : names->pdata[i];
    int one = sync_folder(&sync, driver, store);
    code = one ? one : code;
    if (one == UI_EXIT_UNAVAILABLE || one == UI_EXIT_PERMISSION || g_cancellable_is_cancelled(cli->cancellable))
      break; /* the next folder would fare the same */
  }
  return code;
}

int
ui_cmd_sync(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "sync", NULL, ui_cmd_sync_help, NULL };
  static const UiOption options[] = { { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);

  if (code >= 0)
    return code;
  MlAccount *only = ui_cli_account(cli, &code);
  if (!only)
    return code;
  code = UI_EXIT_OK;
  guint servers = 0;
  for (guint i = 0; i < cli->config->accounts->len; i++) {
    MlAccount *account = cli->config->accounts->pdata[i];
    if (account->kind != ML_ACCOUNT_IMAP || ((cli->account || argc > 1) && account != only))
      continue;
    servers++;
    int one = sync_account(cli, account, argv + 1);
    code = one ? one : code;
  }
  if (!servers && cli->verbose)
    ui_cli_error(cli, "there is nothing to do: the mail is on this machine");
  return code;
}
