#include <string.h>

#include "ui/app-private.h"

void
ui_account_free(UiAccount *account)
{
  if (!account)
    return;
  ml_worker_free(account->worker);
  if (account->folders)
    g_ptr_array_unref(account->folders);
  g_free(account->store_dir);
  g_free(account->pending_dir);
  g_free(account->why);
  g_hash_table_unref(account->told);
  g_free(account->last);
  g_free(account);
}

/* What comes of @sentence. A server's words, which many end with, often have no full stop. */
static const char *
sequel(const char *sentence, gboolean again)
{
  static const char words[] = ". It is tried again by itself; Ctrl-R in the list of folders (y) tries at once.";
  gsize length = strlen(sentence);
  gboolean ended = length && strchr(".!?", sentence[length - 1]);
  return again ? words + ended : "";
}

static void
on_state(UiAccount *account, const MlEvent *event)
{
  UiApp *app = account->app;
  MlState before = account->state;

  account->state = event->state;
  if (event->state == ML_STATE_OFFLINE && event->error) {
    g_free(account->why);
    account->why = g_strdup(event->error->message);
    gboolean again = !account->hooks.offline && (g_error_matches(event->error, ML_ERROR, ML_ERROR_OFFLINE) ||
                                                 g_error_matches(event->error, ML_ERROR, ML_ERROR_PROTOCOL));
    if (g_hash_table_add(account->told, g_strdup(account->why))) /* said once, however often it is tried */
      ui_app_complain(app, "%s: %s%s", account->account->name, account->why, sequel(account->why, again));
  }
  if (event->state != ML_STATE_ONLINE)
    return;
  g_clear_pointer(&account->why, g_free);
  g_hash_table_remove_all(account->told);
  if (before == ML_STATE_ONLINE)
    return;
  ui_app_note(app, UI_STYLE_NORMAL, "%s is online.", account->account->name);
  ui_ask_online(app, account->account);
  if (!account->folders || account->folders_kept)
    ui_ops_command(app, account, ml_worker_folders(account->worker, TRUE), "Asking for the folders")->silent =
        TRUE;
  UiBox *open = ui_app_folder(app);
  if (open && open->account == account && open->stale && !open->loading)
    ui_box_reload(app); /* it could not be read when it was opened */
}

/* New counts; a folder whose counts are not known this time keeps the old ones. */
static void
take_folders(UiAccount *account, MlEvent *event)
{
  GPtrArray *before = account->folders;

  account->folders = g_steal_pointer(&event->folders);
  for (guint i = 0; before && i < account->folders->len; i++) {
    MlFolder *folder = account->folders->pdata[i];
    for (guint j = 0; folder->unseen < 0 && j < before->len; j++) {
      const MlFolder *old = before->pdata[j];
      if (strcmp(old->name, folder->name) != 0)
        continue;
      folder->unseen = old->unseen;
      folder->total = old->total;
    }
  }
  if (before)
    g_ptr_array_unref(before);
}

static void
on_event(MlEvent *event, gpointer data)
{
  UiAccount *account = data;
  UiApp *app = account->app;
  UiOp *op = ui_ops_find(app, account, event->id);

  switch (event->kind) {
  case ML_EVENT_STATE:
    on_state(account, event);
    break;
  case ML_EVENT_FOLDERS:
    if (event->folders && (event->folders->len || !account->folders)) /* offline, the last list stays */
      take_folders(account, event);
    account->folders_kept = event->kept;
    break;
  case ML_EVENT_PROGRESS:
    if (op) {
      op->done = event->done;
      op->total = event->total;
    }
    break;
  case ML_EVENT_NOTE:
    ui_app_error(app, event->error);
    break;
  case ML_EVENT_PENDING:
    account->waiting = (guint)event->done;
    account->failed = (guint)event->total;
    break;
  case ML_EVENT_DONE:
    account->left_waiting = event->waiting;
    if (op) {
      ui_ops_end(app, op, event->error);
      break;
    }
    ui_verdicts_kick(app); /* a message may have been fetched ahead */
    ui_ahead_came(app, account, event->folder, event->uid);
    break;
  case ML_EVENT_KEPT:
    if (event->total)
      ui_verdicts_kick(app); /* those in sight */
    else
      ui_verdicts_more(app);
    ui_finder_news(app, account);
    break;
  case ML_EVENT_MESSAGE:
  case ML_EVENT_PART:
    if (op && op->event)
      op->event(app, event, op->data);
    ui_finder_news(app, account);
    break;
  default:
    ui_hits_event(app, account, event); /* first: the other takes what it wants */
    if (ui_app_folder(app) && ui_app_folder(app)->account == account)
      ui_box_event(app, event);
    ui_finder_news(app, account);
  }
  if (app->goal)
    ui_finds_arrived(app);
  if (event->kind != ML_EVENT_KEPT) /* bodies that come behind the screen change nothing on it */
    ui_app_dirty(app);
}

void
ui_account_start(UiApp *app, const MlAccount *account)
{
  UiAccount *started = g_new0(UiAccount, 1);

  started->app = app;
  started->account = account;
  started->state = ML_STATE_CONNECTING;
  started->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  started->store_dir = g_build_filename(app->cli->data_dir, "store", NULL);
  started->hooks.state_dir = app->cli->state_dir;
  started->hooks.store_dir = started->store_dir;
  started->pending_dir = g_build_filename(app->cli->data_dir, "pending", NULL);
  started->hooks.pending_dir = started->pending_dir;
  started->hooks.offline = app->cli->offline;
  ui_ask_hooks(app, &started->hooks);
  started->worker = ml_worker_new(account, &started->hooks, on_event, started);
  g_ptr_array_add(app->accounts, started);
}

UiAccount *
ui_account_find(UiApp *app, const char *name)
{
  for (guint i = 0; i < app->accounts->len; i++) {
    UiAccount *account = app->accounts->pdata[i];
    if (!strcmp(account->account->name, name))
      return account;
  }
  return NULL;
}

const MlFolder *
ui_account_folder(const UiAccount *account, const char *name)
{
  for (guint i = 0; account->folders && i < account->folders->len; i++) {
    const MlFolder *folder = account->folders->pdata[i];
    if (!strcmp(folder->name, name))
      return folder;
  }
  return NULL;
}

const char *
ui_account_special(const UiAccount *account, MlFolderRole role)
{
  const MlAccount *config = account->account;
  const char *named = role == ML_ROLE_TRASH     ? config->trash
                      : role == ML_ROLE_ARCHIVE ? config->archive
                      : role == ML_ROLE_SENT    ? config->sent
                      : role == ML_ROLE_DRAFTS  ? config->drafts
                                                : NULL;

  if (named)
    return named;
  for (guint i = 0; account->folders && i < account->folders->len; i++) {
    const MlFolder *folder = account->folders->pdata[i];
    if (folder->role == role && folder->selectable)
      return folder->name;
  }
  return NULL;
}

UiAccount *
ui_account_in_use(const UiApp *app)
{
  const UiBox *box = app->box ? app->box : ui_app_folder(app); /* a search that has found nothing has no box */

  return box ? box->account : app->accounts->len ? app->accounts->pdata[0] : NULL;
}

gboolean
ui_account_split(UiApp *app, const char *name, UiAccount **account, char **folder)
{
  const char *slash = strchr(name, '/');
  g_autofree char *first = slash ? g_strndup(name, (gsize)(slash - name)) : g_strdup(name);
  UiAccount *current = ui_account_in_use(app);
  UiAccount *named = ui_account_find(app, first);

  if (!current)
    return FALSE;
  /* An account's name wins, but for a folder of the account in use that is known by the whole name. */
  if (named && !(named != current && ui_account_folder(current, name))) {
    *account = named;
    *folder = g_strdup(slash && slash[1] ? slash + 1 : "INBOX");
  } else {
    *account = current;
    *folder = g_strdup(name);
  }
  return TRUE;
}

char *
ui_account_join(UiApp *app, const UiAccount *account, const char *folder)
{
  if (app->accounts->len < 2)
    return ui_text_line(folder);
  g_autofree char *name = g_strdup_printf("%s/%s", account->account->name, folder);
  return ui_text_line(name);
}

gboolean
ui_account_still(const UiAccount *account, const char *folder, guint32 uidvalidity, GError **error)
{
  if (uidvalidity && ml_worker_shown_validity(account->worker, folder) == uidvalidity)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "the folder %s was replaced by another one on the server meanwhile", folder);
  return FALSE;
}

char *
ui_account_next_unread(UiApp *app)
{
  char *first = NULL;
  gboolean passed = FALSE;
  const UiBox *open = ui_app_folder(app);

  for (guint a = 0; a < app->accounts->len; a++) {
    const UiAccount *account = app->accounts->pdata[a];
    for (guint i = 0; account->folders && i < account->folders->len; i++) {
      const MlFolder *folder = account->folders->pdata[i];
      if (open && open->account == account && !strcmp(open->folder, folder->name)) {
        passed = TRUE;
        continue;
      }
      if (folder->unseen <= 0 || !folder->selectable || (first && !passed))
        continue;
      g_free(first);
      first = ui_account_join(app, account, folder->name);
      if (passed)
        return first;
    }
  }
  return first;
}

static gsize
common_length(const char *a, const char *b)
{
  gsize n = 0;

  while (a[n] && a[n] == b[n])
    n++;
  while (n && (b[n] & 0xc0) == 0x80)
    n--;
  return n;
}

/* Are the letters of @typed in @name, in this order? */
static gboolean
fuzzy(const char *typed, const char *name)
{
  for (const char *p = name; *typed; p++) {
    if (!*p)
      return FALSE;
    if (*p == *typed)
      typed++;
  }
  return TRUE;
}

/* Tab: the longest beginning that all fitting folders share; where none begins so, the first that has what was
 * typed in it, then the first that has its letters in this order; pressed again, the next one. */
char *
ui_account_complete(const char *typed, gpointer data)
{
  UiApp *app = data;
  g_autofree char *folded = ml_pattern_fold(typed);
  g_autofree char *common = NULL, *inside = NULL, *scattered = NULL, *next = NULL;
  gboolean exact = FALSE;

  for (guint a = 0; a < app->accounts->len; a++) {
    const UiAccount *account = app->accounts->pdata[a];
    for (guint i = 0; account->folders && i < account->folders->len; i++) {
      const MlFolder *folder = account->folders->pdata[i];
      g_autofree char *name = ui_account_join(app, account, folder->name);
      g_autofree char *name_folded = ml_pattern_fold(name);
      if (exact && !next)
        next = g_strdup(name);
      exact = exact || !strcmp(name, typed);
      if (g_str_has_prefix(name_folded, folded)) {
        if (common)
          common[common_length(common, name)] = 0;
        else
          common = g_strdup(name);
      } else if (!inside && strstr(name_folded, folded))
        inside = g_strdup(name);
      else if (!scattered && fuzzy(folded, name_folded))
        scattered = g_strdup(name);
    }
  }
  if (common && strlen(common) > strlen(typed))
    return g_steal_pointer(&common);
  if (exact)
    return g_steal_pointer(&next);
  return inside ? g_steal_pointer(&inside) : g_steal_pointer(&scattered);
}
