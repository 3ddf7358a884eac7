#include <string.h>

#include "mail/saved.h"
#include "ui/app-private.h"

/* What keys do that open views, change folders or hand a message to something else. */

void
ui_action_sync(UiApp *app)
{
  if (!app->box)
    return;
  if (!ui_box_count(app->box, TRUE))
    ui_app_say(app, "Nothing is marked to be deleted.");
  ui_sync_run(app, NULL, NULL, NULL);
}

static void
counted(UiApp *app, const GError *error, gpointer data)
{
}

void
ui_action_folders(UiApp *app)
{
  ui_app_pop_to(app, UI_IN_INDEX);
  ui_app_push(app, ui_folders_new(app));
  for (guint i = 0; i < app->accounts->len; i++) {
    UiAccount *account = app->accounts->pdata[i];
    UiOp *op =
        ui_ops_command(app, account, ml_worker_folders(account->worker, TRUE), "Asking for the folders");
    op->silent = account->folders != NULL;
    op->finished = counted; /* the list itself says which account is offline, and why */
  }
}

/* Where to go once the question about pending deletions is answered. */
typedef struct {
  char *folder;
  char account[]; /* its name */
} Going;

static void
going_free(gpointer data)
{
  Going *going = data;

  g_free(going->folder);
  g_free(going);
}

static void
go(UiApp *app, gpointer data)
{
  Going *going = data;
  UiAccount *account = ui_account_find(app, going->account);

  if (account) {
    ui_ask_anew(app->secrets, account->account);
    ui_box_open(app, account, going->folder);
  }
  going_free(going);
}

static void
go_search(UiApp *app, gpointer data)
{
  const MlSaved *saved = ml_saved_find(app->config->searches, data);

  if (saved)
    ui_hits_open(app, saved);
  g_free(data);
}

static void
go_to(UiApp *app, UiAccount *account, const char *folder)
{
  gsize length = strlen(account->account->name) + 1;
  Going *going = g_malloc(sizeof *going + length);

  going->folder = g_strdup(folder);
  memcpy(going->account, account->account->name, length);
  ui_sync_leave(app, UI_IN_INDEX, go, going, going_free);
}

void
ui_folders_choose(UiApp *app)
{
  UiAccount *account = NULL;
  const MlFolder *folder = ui_folders_current(app, &account);
  const MlSaved *search = ui_folders_search(app);

  if (search && app->hits) /* another one takes its place */
    ui_sync_pending(app, go_search, g_strdup(search->name), g_free);
  else if (search)
    ui_hits_open(app, search);
  else if (folder && folder->selectable)
    go_to(app, account, folder->name);
  else if (folder)
    ui_app_say(app, "This is only a branch: it holds folders, no messages.");
  else if (account)
    go_to(app, account, "INBOX");
}

/* Enter alone takes the next folder with unread mail, "-" the one that was open before: as in mutt. */
static void
folder_named(const char *typed, gpointer data)
{
  UiApp *app = data;
  UiAccount *account;
  g_autofree char *folder = NULL, *unread = typed && !*typed ? ui_account_next_unread(app) : NULL;
  const char *answer = unread ? unread : typed;

  if (typed && !strcmp(typed, "-")) {
    if (!app->before)
      ui_app_say(app, "No other folder was open.");
    answer = app->before;
  }
  if (!answer || !*answer || !ui_account_split(app, answer, &account, &folder))
    return;
  if (account->folders && !ui_account_folder(account, folder)) {
    g_autofree char *completed = ui_account_complete(answer, app);
    g_autofree char *other = NULL;
    if (!completed || !ui_account_split(app, completed, &account, &other) ||
        !ui_account_folder(account, other)) {
      ui_app_complain(app, "There is no folder %s in %s: y lists them.", folder, account->account->name);
      return;
    }
    g_free(folder);
    folder = g_steal_pointer(&other);
  }
  go_to(app, account, folder);
}

void
ui_action_change_folder(UiApp *app)
{
  g_autofree char *unread = ui_account_next_unread(app);
  g_autofree char *cut = ui_text_cut(unread ? unread : "", 30);
  g_autofree char *question =
      unread ? g_strdup_printf("Change to folder (Enter: %s)", cut) : g_strdup("Change to folder");

  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, question, NULL, ui_account_complete, folder_named, app);
}

/* In the list of folders the cursor goes to the account; elsewhere its folder opens, the one that was open last. */
static void
step_account(UiApp *app, int step)
{
  guint n = app->accounts->len, at = 0;

  if (n < 2) {
    ui_app_say(app, "There is only one account.");
    return;
  }
  if (ui_app_top(app)->type->context == UI_IN_FOLDERS) {
    ui_folders_seek(app, step);
    return;
  }
  if (ui_app_folder(app))
    g_ptr_array_find(app->accounts, ui_app_folder(app)->account, &at);
  UiAccount *account = app->accounts->pdata[(at + n + (guint)step) % n];
  go_to(app, account, account->last ? account->last : "INBOX");
}

void
ui_action_next_account(UiApp *app)
{
  step_account(app, 1);
}

void
ui_action_previous_account(UiApp *app)
{
  step_account(app, -1);
}

static UiReader *
read_reader(UiApp *app)
{
  UiReader *reader = ui_reader_top(app);

  return reader && reader->message ? reader : NULL;
}

static void
print_answered(const char *answer, gpointer data)
{
  UiApp *app = data;
  UiReader *reader = read_reader(app);

  if (!answer || *answer != 'y' || !reader)
    return;
  char *text = ui_reader_text_of(reader->message);
  g_autoptr(GBytes) input = g_bytes_new_take(text, strlen(text));
  ui_shell_feed(app, app->config->print_command ? app->config->print_command : "lpr", input, "Printed.");
}

void
ui_action_print(UiApp *app)
{
  if (!read_reader(app))
    return;
  const char *command = app->config->print_command ? app->config->print_command : "lpr";
  g_autofree char *safe = ui_text_line(command);
  g_autofree char *question = g_strdup_printf("Print this message with %s", safe);
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, NULL, question, NULL, NULL, print_answered, app);
}

void
ui_action_details(UiApp *app)
{
  UiReader *reader = read_reader(app);

  if (reader)
    ui_app_push(app, ui_details_new(app, reader));
}

void
ui_action_parts(UiApp *app)
{
  UiReader *reader = read_reader(app);

  if (reader)
    ui_app_push(app, ui_parts_new(app, reader));
}

void
ui_action_install(UiApp *app)
{
  UiReader *reader = read_reader(app);

  if (reader)
    ui_install_start(app, reader);
}

void
ui_action_trust(UiApp *app)
{
  ui_details_trust(app);
}

void
ui_action_decrypt(UiApp *app)
{
  UiReader *reader = read_reader(app);

  if (!reader)
    return;
  const MlVerdict *verdict = ml_message_verdict(reader->message);
  gboolean part = verdict->encryption == ML_ENCRYPTION_ERRANT;
  GPtrArray *parts = ml_message_parts(reader->message);
  for (guint i = 0; i < parts->len && !part; i++)
    part = ((MlPart *)parts->pdata[i])->locked;
  if (!verdict->locked && !part && verdict->encryption == ML_ENCRYPTION_NONE)
    ui_app_say(app, "Nothing here is encrypted.");
  else if (!verdict->locked && !part && verdict->encryption == ML_ENCRYPTION_DECRYPTED)
    ui_app_say(app, "It is decrypted already.");
  else
    ui_reader_read_again(app, reader, CRYPTO_JOB_KEYS, part || reader->open_errant);
}

void
ui_action_headers(UiApp *app)
{
  UiReader *reader = read_reader(app);

  if (!reader)
    return;
  reader->all_headers = !reader->all_headers;
  reader->pager.top = 0;
  ui_reader_lay_out(app, reader);
}

void
ui_action_save_part(UiApp *app)
{
  ui_parts_save(app);
}

void
ui_action_pipe_part(UiApp *app)
{
  ui_parts_pipe(app);
}
