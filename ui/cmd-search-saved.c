#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/pending.h"
#include "mail/saved.h"
#include "ui/cmd-search-private.h"
#include "ui/json.h"
#include "ui/text.h"

/* What was found in all accounts is put into one order before any of it is told. */
typedef struct {
  const MlAccount *account;
  MlStore *store; /* borrowed */
  char *folder;   /* borrowed of folders */
  guint32 uidvalidity;
  MlLine line;
} Hit;

typedef struct {
  UiSearch *search;
  const MlSaved *saved;
  GPtrArray *stores;  /* of MlStore, one an account */
  GPtrArray *folders; /* of char * */
  GArray *hits;       /* of Hit */
  guint open, unread; /* messages that could not be looked into; accounts of which nothing is here */
} Saved;

static void
take(Saved *saved, MlStore *store, MlSavedFound *found)
{
  char *folder = g_steal_pointer(&found->folder);

  g_ptr_array_add(saved->folders, folder);
  for (guint i = 0; i < found->lines->len; i++) {
    const Hit hit = { saved->search->account, store, folder, found->uidvalidity,
                      g_array_index(found->lines, MlLine, i) };
    g_array_append_val(saved->hits, hit);
  }
}

static gboolean
run(Saved *saved, MlStore *store, MlStoreSearch *index, GError **error)
{
  UiSearch *search = saved->search;
  g_autofree char *store_dir = g_build_filename(search->cli->data_dir, "store", NULL);
  const MlDriverHooks hooks = { .state_dir = search->cli->state_dir, .store_dir = store_dir };
  g_autoptr(MlSavedRun) one = ml_saved_run_new(saved->saved->text, search->account, &hooks, store, index, error);
  gboolean more = one != NULL;

  while (more) {
    g_autoptr(MlSavedFound) found = NULL;
    if (!ml_saved_run_on(one, G_MAXINT64, search->cli->cancellable, &found, &more, error))
      return FALSE;
    if (found)
      take(saved, store, found);
  }
  saved->open += one ? ml_saved_run_open(one) : 0;
  return one != NULL;
}

/* What was changed and waits for the line counts as done. */
static gboolean
show_pending(UiSearch *search, MlStore *store, GError **error)
{
  GError *why = NULL;
  g_autofree char *directory = g_build_filename(search->cli->data_dir, "pending", NULL);
  g_autoptr(MlPending) pending = ml_pending_open_if_any(directory, search->account, &why);
  g_autofree char *said = pending ? ml_pending_said(pending) : NULL;

  if (said)
    ui_cli_error(search->cli, "%s", said);
  if (pending && !why && ml_pending_refresh_all(pending, store, &why))
    return TRUE;
  if (why)
    g_propagate_error(error, why);
  return !why;
}

static gboolean
look(Saved *saved, MlStore *store, MlDriver *local, GError **error)
{
  UiSearch *search = saved->search;
  MlSearchState state = { 0 };
  g_autoptr(MlStoreSearch) index = ml_store_search_open(store, error);

  if (!index || !ui_search_bring_up(search, store, index, local, error) || !show_pending(search, store, error) ||
      !ml_store_search_state(index, &state, error))
    return FALSE;
  if (!state.folders && !local) {
    saved->unread++;
    ui_cli_error(search->cli, "%s: nothing of it was read here yet: run signet sync", search->account->name);
  }
  g_autoptr(MlOpened) opened = ui_search_opened(search, store, index);
  gboolean ok = run(saved, store, index, error);
  ui_search_print_closed(search);
  return ok;
}

static int
search_account(Saved *saved, MlAccount *account)
{
  UiSearch *search = saved->search;
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(search->cli->data_dir, "store", NULL);

  search->code = search->partly = UI_EXIT_OK;
  g_autoptr(MlDriver) local =
      account->kind == ML_ACCOUNT_IMAP ? NULL : ui_cli_driver(search->cli, account, &search->code);
  if (search->code)
    return search->code;
  search->account = account;
  MlStore *store = ml_store_open(directory, account, &error);
  if (store)
    g_ptr_array_add(saved->stores, store);
  gboolean done = store && look(saved, store, local, &error);
  ui_bar_clear(&search->bar);
  if (done || search->code)
    return search->code ? search->code : search->partly;
  int code = ui_cli_mail_error(search->cli, account, account->name, error);
  return code != UI_EXIT_NO ? code : UI_EXIT_IO; /* 1: nothing was found */
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  const Hit *one = a, *other = b;

  return one->line.date != other->line.date ? (one->line.date < other->line.date ? 1 : -1)
         : one->line.uid != other->line.uid ? (one->line.uid < other->line.uid ? 1 : -1)
                                            : 0;
}

static int
print_all(Saved *saved)
{
  UiSearch *search = saved->search;
  g_autoptr(GError) error = NULL;

  g_array_sort(saved->hits, newest_first);
  for (guint i = 0; i < saved->hits->len && !error && (!search->find.limit || search->found < search->find.limit); i++) {
    const Hit *hit = &g_array_index(saved->hits, Hit, i);
    g_autoptr(GArray) one = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_val(one, hit->line.uid);
    g_autoptr(GPtrArray) headers = ml_store_headers_of(hit->store, hit->folder, hit->uidvalidity, one, &error);
    if (!headers || !headers->len)
      continue;
    MlHeader *header = headers->pdata[0];
    header->flags = hit->line.flags;
    search->account = hit->account;
    ui_search_print(search, &(MlFound){ .folder = hit->folder, .uidvalidity = hit->uidvalidity, .header = header }, FALSE);
    search->found++;
  }
  if (!error)
    return UI_EXIT_OK;
  ui_cli_error(search->cli, "%s", error->message);
  return ui_cli_exit_for(error);
}

/* To stderr, where a person looks. */
static void
print_sum(const Saved *saved)
{
  const UiSearch *search = saved->search;

  if (saved->open)
    ui_cli_error(search->cli, "%u message%s could not be looked into: encrypted, or not kept here", saved->open,
                 saved->open == 1 ? "" : "s");
  if ((search->cli->verbose || (!search->cli->json && isatty(STDERR_FILENO))) && search->found < saved->hits->len)
    fprintf(stderr, "%u of %u are shown: --limit 0 shows all.\n", search->found, saved->hits->len);
}

int
ui_search_saved(UiSearch *search, const char *name, const MlAccount *only)
{
  const GPtrArray *accounts = search->cli->config->accounts;
  Saved saved = { .search = search, .saved = ml_saved_find(search->cli->config->searches, name) };
  int code = UI_EXIT_OK;

  if (!saved.saved) {
    ui_cli_error(search->cli, "there is no search \"%s\" in %s: signet search --list tells what there is", name,
                 search->cli->config_path);
    return UI_EXIT_NOINPUT;
  }
  saved.stores = g_ptr_array_new_with_free_func((GDestroyNotify)ml_store_free);
  saved.folders = g_ptr_array_new_with_free_func(g_free);
  saved.hits = g_array_new(FALSE, FALSE, sizeof(Hit));
  for (guint i = 0; i < accounts->len; i++) {
    int one = only && accounts->pdata[i] != only ? UI_EXIT_OK : search_account(&saved, accounts->pdata[i]);
    code = one ? one : code;
  }
  int printed = print_all(&saved);
  print_sum(&saved);
  code = printed ? printed : code;
  if (!code && !search->found)
    code = saved.unread == (only ? 1 : accounts->len) ? UI_EXIT_NOINPUT : UI_EXIT_NO;
  g_array_unref(saved.hits);
  g_ptr_array_unref(saved.folders);
  g_ptr_array_unref(saved.stores);
  return code;
}

int
ui_search_list(UiCli *cli)
{
  int code = UI_EXIT_OK;

  if (!ui_cli_config(cli, &code))
    return code;
  for (guint i = 0; i < cli->config->searches->len; i++) {
    const MlSaved *saved = cli->config->searches->pdata[i];
    g_autofree char *safe = ui_text_line(saved->name), *text = ui_text_line(saved->text);
    g_autofree char *name = ui_text_fit(safe, MAX(ui_text_width(safe), 24));
    if (cli->json) {
      JsonBuilder *json = ui_json_new();
      ui_json_string(json, "name", saved->name);
      ui_json_string(json, "search", saved->text);
      ui_json_print(json);
    } else
      printf("%s %s\n", name, text);
  }
  return UI_EXIT_OK;
}
