#include "ui/commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/pending.h"
#include "mail/search.h"
#include "mail/sync.h"
#include "ui/bar.h"
#include "ui/json.h"
#include "ui/opened.h"
#include "ui/text.h"

const char ui_cmd_sync_help[] =
    "signet sync [--bodies] [--no-index] [FOLDER...]    bring the lists of messages up to date (default: every folder)\n"
    "\n"
    "  --bodies   fetch the text of all messages too, up to 1 MiB each (else: as keep = says in signet.conf(5))\n"
    "  --no-index the index of words is left as it is: the next search, or the screen, brings it up to date\n"
    "\n"
    "Of the account that -A names, else of every account on a server. What is fetched is kept, so that the screen and\n"
    "\"signet list --offline\" have it at once; an interrupted run goes on where it ended. Mailboxes on this machine\n"
    "need none of this. The index of words (signet search) is brought up to date as well. Made for cron: silent but for errors where stdout is no terminal, unless -v is given.\n"
    "\n"
    "Changes that were made without a line (signet pending) are carried out first, whichever folders are named.\n"
    "\n"
    "With --json a line each: account, folder, total, added, changed, vanished, anew, bodies, large, left; before them, where\n"
    "changes waited, one with account, changes_done, changes_failed, changes_waiting.\n"
    "\n"
    "Exit codes: 0, 1 a change was refused for good (signet pending says why), 2 usage, 66 no such folder, 69 server not reached, 74 the store cannot be written,\n"
    "75 the server puts a change off, 77 login refused, 78 configuration.\n";

typedef struct {
  UiCli *cli;
  const MlAccount *account;
  const char *folder;
  UiBar bar;
  gboolean all_bodies;
  MlStore *store;
  guint32 uidvalidity;
  guint kept, large; /* bodies of this folder; those that are too large to be kept */
  guint left;        /* those for which there was no room any more */
  gboolean full;
  GError *failed;
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

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer data)
{
  Sync *sync = data;

  ui_bar_draw(&sync->bar, "", done, total, sync->folder);
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
    ui_json_int(json, "bodies", sync->kept);
    ui_json_int(json, "large", sync->large);
    ui_json_int(json, "left", sync->left);
    ui_json_print(json);
  } else if (sync->cli->verbose || isatty(STDOUT_FILENO)) {
    g_autofree char *folder = ui_text_line(sync->folder);
    printf("%s/%s  %u message%s: %u new here, %u changed, %u gone\n", sync->account->name, folder,
           synced->selected.total, synced->selected.total == 1 ? "" : "s", synced->added, synced->changed,
           synced->vanished);
    if (sync->kept)
      printf("%s/%s  text of %u message%s fetched\n", sync->account->name, folder, sync->kept,
             sync->kept == 1 ? "" : "s");
    if (sync->large)
      printf("%s/%s  %u message%s over 1 MiB stay%s on the server: the screen and signet show fetch one when it is read\n",
             sync->account->name, folder, sync->large, sync->large == 1 ? "" : "s", sync->large == 1 ? "s" : "");
    if (sync->left)
      printf("%s/%s  text of %u message%s not fetched: 1 GiB is kept of %s already, which is the most. What is read is "
             "fetched and kept all the same\n",
             sync->account->name, folder, sync->left, sync->left == 1 ? "" : "s", sync->account->name);
  }
}

/* ---- text */

static gboolean
on_bodies(GPtrArray *bodies, guint done, guint total, gpointer data)
{
  Sync *sync = data;
  gboolean room = FALSE;
  gboolean ok = ml_sync_keep(sync->store, sync->folder, sync->uidvalidity, bodies, &sync->kept, &room, &sync->failed);

  g_ptr_array_unref(bodies);
  g_autofree char *what = g_strconcat(sync->folder, ": text", NULL);
  ui_bar_draw(&sync->bar, "", done, total, what);
  sync->full = ok && !room;
  return ok && room && !g_cancellable_is_cancelled(sync->cli->cancellable);
}

/* Of which messages is text wanted? *@since: as of ml_sync_wants(). */
static gboolean
wants_text(const Sync *sync, gint64 *since)
{
  *since = G_MININT64;
  return sync->all_bodies || ml_sync_wants(sync->account, g_get_real_time() / G_USEC_PER_SEC, since);
}

/* What did not come with the lines. */
static int
fetch_bodies(Sync *sync, MlDriver *driver)
{
  const MlAccount *account = sync->account;
  gint64 since;
  g_autoptr(GError) error = NULL;

  sync->large = sync->left = 0;
  if (!wants_text(sync, &since))
    return UI_EXIT_OK;
  gboolean room = FALSE;
  g_autoptr(GArray) uids = ml_store_lacking(sync->store, sync->folder, since, &error);
  gboolean ok = uids && ml_sync_room(sync->store, &room, &error);
  guint wanted = uids ? uids->len : 0, before = sync->kept;
  sync->full = ok && !room;
  if (sync->full)
    g_array_set_size(uids, 0);
  ok = ok && ml_store_large(sync->store, sync->folder, since, &sync->large, &error) &&
                ml_driver_bodies(driver, uids, ML_STORE_BODY, on_bodies, sync, &error);
  ui_bar_clear(&sync->bar);
  sync->left = sync->full && wanted > sync->kept - before ? wanted - (sync->kept - before) : 0;
  if (sync->failed) {
    g_clear_error(&error);
    error = g_steal_pointer(&sync->failed);
  } else if (ok)
    return UI_EXIT_OK;
  ui_cli_error(sync->cli, "%s/%s: %s", account->name, sync->folder, error->message);
  return ui_cli_exit_for(error);
}

/* ---- words */

static gboolean
on_words(guint done, guint waiting, gpointer data)
{
  Sync *sync = data;

  ui_bar_draw(&sync->bar, "", done, done + waiting, "words");
  return !g_cancellable_is_cancelled(sync->cli->cancellable);
}

/* What was fetched is searched without waiting for it then. */
static int
index_words(Sync *sync)
{
  enum { STEP = 2000 };
  int code = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  g_autoptr(MlStoreSearch) index = ml_store_search_open(sync->store, &error);
  gboolean ok = index && ui_cli_crypto(sync->cli, FALSE, TRUE, FALSE, &code) &&
                ml_search_update(index, NULL, STEP, on_words, sync, sync->cli->cancellable, &error);

  ui_bar_clear(&sync->bar);
  if (ok || !error || g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED) || code)
    return code;
  ui_cli_error(sync->cli, "%s: %s", sync->account->name, error->message);
  return ui_cli_exit_for(error);
}

/* ---- a folder */

static int
sync_folder(Sync *sync, MlDriver *driver, MlStore *store)
{
  enum { FIRST = 1000 };
  MlSynced synced;
  gint64 since;
  const MlSyncFuncs funcs = { .opened = on_opened, .changes = on_changes, .headers = on_headers,
                              .whole = wants_text(sync, &since) && since == G_MININT64 };
  g_autoptr(GError) error = NULL, store_error = NULL;
  gboolean ok = ml_sync_folder(driver, store, sync->folder, FIRST, &funcs, sync, &synced, &store_error, &error);

  ui_bar_clear(&sync->bar);
  if (!ok || store_error) {
    g_autofree char *where = g_strdup_printf("%s/%s", sync->account->name, sync->folder);
    return ui_cli_mail_error(sync->cli, sync->account, where, ok ? store_error : error);
  }
  sync->uidvalidity = synced.selected.uidvalidity;
  sync->kept = synced.bodies;
  int code = fetch_bodies(sync, driver);
  print(sync, &synced);
  return code;
}

/* ---- changes that wait */

typedef struct {
  Sync *sync;
  guint done, failed;
} Carrying;

static void
on_settled(const MlPendingEntry *entry, const GError *why, gpointer data)
{
  Carrying *carrying = data;
  g_autofree char *what = ml_pending_words(entry);

  carrying->done += why == NULL;
  carrying->failed += why != NULL;
  if (why)
    ui_cli_error(carrying->sync->cli, "%s: change %" G_GINT64_FORMAT " (%s) was refused: %s",
                 carrying->sync->account->name, entry->id, what, why->message);
}

static gboolean
on_stopped(gpointer data)
{
  Carrying *carrying = data;
  return g_cancellable_is_cancelled(carrying->sync->cli->cancellable);
}

static void
print_carried(const Carrying *carrying, MlPending *pending)
{
  const Sync *sync = carrying->sync;
  guint waiting = 0, all_failed;
  g_autoptr(GError) error = NULL;

  if (!ml_pending_count(pending, &waiting, &all_failed, &error))
    ui_cli_error(sync->cli, "%s", error->message);
  if (!carrying->done && !carrying->failed && !waiting)
    return;
  if (sync->cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "account", sync->account->name);
    ui_json_int(json, "changes_done", carrying->done);
    ui_json_int(json, "changes_failed", carrying->failed);
    ui_json_int(json, "changes_waiting", waiting);
    ui_json_print(json);
  } else if (sync->cli->verbose || isatty(STDOUT_FILENO)) {
    printf("%s  %u change%s carried out, %u refused, %u waiting\n", sync->account->name, carrying->done,
           carrying->done == 1 ? "" : "s", carrying->failed, waiting);
  }
}

/* Until another process that is at it has ended, but not for ever. */
static gboolean
carry_all(Carrying *carrying, MlPending *pending, MlDriver *driver, MlStore *store, GError **error)
{
  enum { STEP_US = 50000, STEPS = 600 };
  const MlPendingFuncs funcs = { NULL, on_settled, on_stopped, carrying };
  gboolean busy = TRUE, ok = TRUE;

  for (guint i = 0; ok && busy && i < STEPS && !on_stopped(carrying); i++) {
    if (i)
      g_usleep(STEP_US);
    ok = ml_pending_carry(pending, driver, store, &funcs, &busy, error);
  }
  return ok;
}

static int
carry_out(Sync *sync, MlPending *pending, MlDriver *driver, MlStore *store)
{
  Carrying carrying = { sync, 0, 0 };
  g_autoptr(GError) error = NULL;
  gboolean ok = carry_all(&carrying, pending, driver, store, &error);
  g_autofree char *said = ml_pending_said(pending);

  if (said)
    ui_cli_error(sync->cli, "%s: %s", sync->account->name, said);
  print_carried(&carrying, pending);
  if (!ok)
    ui_cli_error(sync->cli, "%s: %s", sync->account->name, error->message);
  int code = ok ? UI_EXIT_OK : ui_cli_exit_for(error);
  if (g_error_matches(error, ML_ERROR, ML_ERROR_FAILED) || ml_error_is_absent(error))
    code = UI_EXIT_TEMPFAIL; /* put off: it waits on */
  return code ? code : carrying.failed ? UI_EXIT_NO : UI_EXIT_OK;
}

/* Every folder that can be opened; the list of them is kept too. */
static GPtrArray *
folders_of(Sync *sync, MlDriver *driver, MlStore *store, int *code)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) folders = ml_driver_folders(driver, TRUE, &error);

  /* A server that lists none has them all the same, as it may say a moment later. */
  if (!folders || (folders->len && !ml_store_set_folders(store, folders, &error))) {
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
sync_account(UiCli *cli, MlAccount *account, gboolean bodies, gboolean index, char **wanted)
{
  int code = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(cli->data_dir, "store", NULL);
  g_autoptr(MlDriver) driver = ui_cli_driver(cli, account, &code);
  Sync sync = { .cli = cli, .account = account, .bar = ui_bar_new(cli->json), .all_bodies = bodies };

  if (!driver)
    return code;
  ui_opened_settle(cli, account);
  g_autoptr(MlStore) store = ml_store_open(directory, account, &error);
  if (!store) {
    ui_cli_error(cli, "%s", error->message);
    return ui_cli_exit_for(error);
  }
  sync.store = store;
  ml_store_be_bulk(store);
  g_autofree char *pending_dir = g_build_filename(cli->data_dir, "pending", NULL);
  g_autoptr(MlPending) pending = ml_pending_open_if_any(pending_dir, account, &error);
  if (error)
    ui_cli_error(cli, "%s", error->message);
  code = pending ? carry_out(&sync, pending, driver, store) : error ? ui_cli_exit_for(error) : UI_EXIT_OK;
  if (code != UI_EXIT_OK && code != UI_EXIT_NO && code != UI_EXIT_TEMPFAIL)
    return code;
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
  if (pending && !ml_pending_refresh_all(pending, store, &error)) {
    ui_cli_error(cli, "%s", error->message);
    code = ui_cli_exit_for(error);
  }
  int indexed = index ? index_words(&sync) : UI_EXIT_OK;
  return code ? code : indexed;
}

int
ui_cmd_sync(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "sync", NULL, ui_cmd_sync_help, NULL };
  gboolean bodies = FALSE, no_index = FALSE;
  const UiOption options[] = { { "bodies", 0, UI_OPTION_FLAG, &bodies },
                               { "no-index", 0, UI_OPTION_FLAG, &no_index },
                               { NULL, 0, 0, NULL } };
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
    int one = sync_account(cli, account, bodies, !no_index, argv + 1);
    code = one ? one : code;
  }
  if (!servers && (cli->verbose || argc > 1))
    ui_cli_error(cli, "there is nothing to do: the mail is on this machine");
  return code;
}
