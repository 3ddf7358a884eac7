#include "ui/commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ui/cmd-search-private.h"
#include "ui/listed.h"
#include "ui/text.h"

const char ui_cmd_search_help[] =
    "signet search [OPTION...] WORD...    messages in which these words are, in all folders\n"
    "signet search --saved NAME           what the search with this name finds, in all accounts (or that of -A)\n"
    "signet search --list                 the searches that have a name: [searches] in signet.conf\n"
    "\n"
    "  --folder F         only in this folder\n"
    "  --all              in all accounts (default: the one that -A names, else the first)\n"
    "  --limit N          only the first N (default: 100; 0: all)\n"
    "  --sort date|rank   newest first (default), or best first\n"
    "  --server           ask the server too, for what is not here (it finds parts of words, and takes its time)\n"
    "  --encrypted        in encrypted messages too, as far as they were read: may ask for the PIN\n"
    "  --pin-file FILE    the PIN of a token or the password of the certificate database\n"
    "  --reindex          look at everything again first\n"
    "\n"
    "All words must be there, in any order, in the header or the text; case and accents do not count. word* is the\n"
    "beginning of one, \"some words\" stand side by side, -word must not be there (after --, as it looks like an\n"
    "option), and from:, to:, subject: or body: before one of these say where. Trash and Junk are left out, unless\n"
    "in:anywhere stands among the words or --folder names one. Encrypted text is searched where the\n"
    "account says index-encrypted = yes, once the message was decrypted; without --encrypted only where that needs no\n"
    "PIN, and else it is told how many messages were not searched.\n"
    "\n"
    "What is searched is the mail that is here: of a server the lists that the screen and signet sync keep, and the\n"
    "text of messages that were read, or that sync --bodies fetched. The index is brought up to\n"
    "date first, with a bar on a terminal.\n"
    "\n"
    "With --json a line each, as of signet list, with account, folder, text_searched and server (--saved: without the\n"
    "last two), and one with account and not_searched where encrypted messages were not; with --list a line each: name,\n"
    "search.\n"
    "\n"
    "Exit codes: 0 found, 1 nothing found, 2 usage, 66 no such folder or search, or nothing was read yet,\n"
    "69 server, or one of its folders, not reached, 74 the index cannot be written, 77 with --encrypted: not opened,\n"
    "78 configuration.\n";

/* ---- bringing it up to date */

static gboolean
draw(guint done, guint waiting, gpointer data)
{
  UiSearch *search = data;
  g_autofree char *name = g_strdup_printf("%s: words", search->account->name);

  ui_bar_draw(&search->bar, "", done, done + waiting, name);
  return !g_cancellable_is_cancelled(search->cli->cancellable);
}

/* Once for all accounts: with the authorities and tokens that a server may ask for behind it, or that what encrypted mail
 * says is sealed to. */
gboolean
ui_search_open_crypto(UiSearch *search, GError **error)
{
  gboolean tokens = FALSE, roots = search->server;

  for (guint i = 0; i < search->cli->config->accounts->len; i++) {
    const MlAccount *account = search->cli->config->accounts->pdata[i];
    tokens |= account->index_encrypted || (search->server && account->tls_cert);
    roots |= account->index_encrypted;
  }
  if (ui_cli_crypto(search->cli, FALSE, roots, tokens, &search->code))
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The certificate database cannot be opened.");
  return FALSE;
}

gboolean
ui_search_bring_up(UiSearch *search, MlStore *store, MlStoreSearch *index, MlDriver *local, GError **error)
{
  enum { STEP = 2000 };
  guint waiting;
  gboolean ok = (!local || ml_search_follow(local, store, NULL, draw, search, error)) &&
                (!search->reindex || ml_store_search_again(index, error)) &&
                ml_store_search_waiting(index, &waiting, error);

  if (ok && waiting)
    ok = ui_search_open_crypto(search, error) &&
         ml_search_update(index, local, STEP, draw, search, search->cli->cancellable, error);
  ui_bar_clear(&search->bar);
  return ok;
}

/* ---- telling */

static void
print_json(const UiSearch *search, const MlFound *found, gboolean server)
{
  const MlHeader *header = found->header;
  JsonBuilder *json = ui_json_new();

  ui_json_string(json, "account", search->account->name);
  ui_json_string(json, "folder", found->folder);
  ui_listed_json(json, header);
  if (search->query) {
    ui_json_bool(json, "text_searched", found->full);
    ui_json_bool(json, "server", server);
  }
  ui_json_print(json);
}

static void
print_text(const UiSearch *search, const MlFound *found)
{
  enum { PLACE = 20 };
  const MlHeader *header = found->header;
  g_autofree char *folder = ui_text_line(found->folder);
  g_autofree char *place = search->find.folder || !search->account
                               ? g_strdup_printf("%s/%u", folder, header->uid)
                               : g_strdup_printf("%s/%s/%u", search->account->name, folder, header->uid);
  g_autofree char *wide = g_strdup_printf("%-*s", PLACE, place);

  ui_listed_print(wide, header, search->now, FALSE);
}

void
ui_search_print(const UiSearch *search, const MlFound *found, gboolean server)
{
  if (search->cli->json)
    print_json(search, found, server);
  else
    print_text(search, found);
}

/* To stderr, where a person looks. */
static void
print_sum(const UiSearch *search)
{
  const MlSearchState *state = &search->state;

  if (!search->cli->verbose && (search->cli->json || !isatty(STDERR_FILENO)))
    return;
  if (search->aside)
    fprintf(stderr, "%u more %s in Trash or Junk: in:anywhere among the words shows %s too.\n", search->aside,
            search->aside == 1 ? "lies" : "lie", search->aside == 1 ? "it" : "them");
  if (search->found < search->total)
    fprintf(stderr, "%u of %u are shown: --limit 0 shows all.\n", search->found, search->total);
  if (state->bodies < state->messages)
    fprintf(stderr, "The text of %u of %u messages is here and was searched; of the others the header was.\n",
            state->bodies, state->messages);
}

/* ---- the server */

typedef struct {
  UiSearch *search;
  const char *folder;
} Asked;

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer data)
{
  Asked *asked = data;
  UiSearch *search = asked->search;

  for (guint i = 0; i < headers->len; i++) {
    MlFound found = { .folder = (char *)asked->folder, .header = headers->pdata[i], .full = TRUE };
    ui_search_print(search, &found, TRUE);
  }
  search->found += headers->len;
  search->total += headers->len;
  g_ptr_array_unref(headers);
  return !g_cancellable_is_cancelled(search->cli->cancellable);
}

static gboolean
is_told(const GPtrArray *told, const char *folder, guint32 uid)
{
  for (guint i = 0; i < told->len; i++) {
    const MlFound *found = told->pdata[i];
    if (found->header->uid == uid && !strcmp(found->folder, folder))
      return TRUE;
  }
  return FALSE;
}

/* What was told from here is not told again. */
static gboolean
ask_folder(UiSearch *search, MlDriver *driver, const char *folder, const GPtrArray *told, GError **error)
{
  Asked asked = { search, folder };
  MlSelected selected;
  g_autoptr(GArray) wanted = g_array_new(FALSE, FALSE, sizeof(guint32));

  if (!ml_driver_select(driver, folder, &selected, error))
    return FALSE;
  g_autoptr(GArray) uids = ml_driver_search(driver, search->query, error);
  for (guint i = 0; uids && i < uids->len; i++) {
    guint32 uid = g_array_index(uids, guint32, i);
    if (search->find.limit && search->found - search->before + wanted->len >= search->find.limit)
      break;
    if (!is_told(told, folder, uid))
      g_array_prepend_val(wanted, uid);
  }
  return uids && ml_driver_headers_of(driver, wanted, on_headers, &asked, error);
}

/* One that may not be opened does not keep the others from being asked. */
static gboolean
is_one_folders(const GError *why)
{
  return ml_error_is_absent(why) || g_error_matches(why, ML_ERROR, ML_ERROR_FAILED);
}

static gboolean
ask_server(UiSearch *search, const GPtrArray *told, GError **error)
{
  g_autoptr(MlDriver) driver = ui_cli_driver(search->cli, (MlAccount *)search->account, &search->code);

  if (!driver) {
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "The server was not asked.");
    return FALSE;
  }
  if (search->find.folder)
    return ask_folder(search, driver, search->find.folder, told, error);
  g_autoptr(GPtrArray) folders = ml_driver_folders(driver, FALSE, error);
  g_autoptr(GPtrArray) trashes = folders ? ml_folder_trashes(folders) : NULL;
  for (guint i = 0; folders && i < folders->len; i++) {
    const MlFolder *folder = folders->pdata[i];
    g_autoptr(GError) why = NULL;
    if (!folder->selectable || (!search->query->anywhere && ml_folder_is_aside(trashes, folder)) ||
        ask_folder(search, driver, folder->name, told, &why))
      continue;
    if (!is_one_folders(why)) {
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
    ui_cli_error(search->cli, "%s/%s was left out: %s", search->account->name, folder->name, why->message);
    search->partly = UI_EXIT_UNAVAILABLE;
  }
  return folders != NULL;
}

/* ---- one account */

static gboolean
look(UiSearch *search, MlStore *store, MlDriver *local, GError **error)
{
  guint total = 0, aside = 0;
  MlFindOptions options = search->find;
  MlSearchState state = { 0 };
  g_autoptr(MlStoreSearch) index = ml_store_search_open(store, error);

  if (!index || !ui_search_bring_up(search, store, index, local, error))
    return FALSE;
  g_autoptr(MlOpened) opened = ui_search_opened(search, store, index);
  GError *why = NULL;
  options.aside = &aside;
  g_autoptr(GPtrArray) found = ml_store_search_find(index, search->query, &options, &total, &why);
  if (!found && search->server && !local && g_error_matches(why, ML_ERROR, ML_ERROR_NO_FOLDER)) {
    g_clear_error(&why); /* never read here: the server may have it */
    found = g_ptr_array_new();
  }
  if (!found)
    g_propagate_error(error, why);
  if (!found || !ml_store_search_state(index, &state, error))
    return FALSE;
  if (!state.folders && !local && !search->server) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "Nothing of it was read here yet: run signet sync.");
    return FALSE;
  }
  for (guint i = 0; i < found->len; i++)
    ui_search_print(search, found->pdata[i], FALSE);
  search->found += found->len;
  search->total += total;
  search->aside += aside;
  search->state.messages += state.messages;
  search->state.bodies += state.bodies;
  ui_search_print_closed(search);
  return local || !search->server || ask_server(search, found, error);
}

static int
search_account(UiSearch *search, MlAccount *account)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(search->cli->data_dir, "store", NULL);

  search->code = search->partly = UI_EXIT_OK;
  g_autoptr(MlDriver) local =
      account->kind == ML_ACCOUNT_IMAP ? NULL : ui_cli_driver(search->cli, account, &search->code);
  if (search->code)
    return search->code;
  search->account = account;
  search->before = search->found;
  g_autoptr(MlStore) store = ml_store_open(directory, account, &error);
  gboolean done = store && look(search, store, local, &error);
  ui_bar_clear(&search->bar);
  if (done || search->code)
    return search->code ? search->code : search->partly;
  int code = ui_cli_mail_error(search->cli, account, account->name, error);
  return code != UI_EXIT_NO ? code : search->server ? UI_EXIT_UNAVAILABLE : UI_EXIT_IO; /* 1: nothing was found */
}

/* ---- the command */

typedef struct {
  char *folder, *limit, *sort, *saved;
  gboolean all, reindex, server, list, encrypted;
} Options;

static gboolean
read_options(UiCli *cli, const Options *given, UiSearch *search)
{
  guint64 limit = 100;

  if (given->limit && !g_ascii_string_to_unsigned(given->limit, 10, 0, G_MAXUINT32, &limit, NULL)) {
    ui_cli_error(cli, "--limit takes a number, as --limit 20; 0 is all");
    return FALSE;
  }
  if (given->sort && strcmp(given->sort, "date") && strcmp(given->sort, "rank")) {
    ui_cli_error(cli, "--sort takes date or rank");
    return FALSE;
  }
  search->find = (MlFindOptions){ given->folder, (guint)limit, given->sort && !strcmp(given->sort, "rank"),
                                  cli->cancellable, NULL };
  search->reindex = given->reindex;
  search->server = given->server;
  search->encrypted = given->encrypted;
  return TRUE;
}

static int
search_all(UiSearch *search, const MlAccount *only)
{
  int code = UI_EXIT_OK;
  gboolean any = FALSE;

  for (guint i = 0; i < search->cli->config->accounts->len; i++) {
    MlAccount *account = search->cli->config->accounts->pdata[i];
    if (only && account != only)
      continue;
    int one = search_account(search, account);
    any |= one == UI_EXIT_OK;
    code = one && (!code || code == UI_EXIT_NOINPUT) ? one : code;
  }
  print_sum(search);
  if (any && code == UI_EXIT_NOINPUT)
    code = UI_EXIT_OK; /* of all accounts one was never read, or has no such folder */
  return code ? code : search->found ? UI_EXIT_OK : UI_EXIT_NO;
}

/* What goes with --saved, and with --list. */
static gboolean
check_saved(UiCli *cli, const Options *given, int argc)
{
  if (given->saved && given->list)
    ui_cli_error(cli, "--list names the saved searches, and --saved NAME searches one: which of the two?");
  else if (argc > 1)
    ui_cli_error(cli, given->list ? "--list takes no words: signet search --saved NAME searches one of them"
                                  : "--saved takes the words that are saved, and no others; quote a name with blanks");
  else if (given->folder || given->sort || given->server || given->reindex ||
           (given->list && (given->limit || given->encrypted)))
    ui_cli_error(cli, given->list ? "--list goes with no other option: say signet search --list"
                                  : "--saved goes with --limit, --encrypted, -A and --json alone");
  else
    return TRUE;
  return FALSE;
}

static int
run_saved(UiCli *cli, const Options *given, int argc)
{
  UiSearch search = { .cli = cli, .now = g_get_real_time() / G_USEC_PER_SEC, .bar = ui_bar_new(cli->json) };
  int code = UI_EXIT_USAGE;

  if (!check_saved(cli, given, argc) || !read_options(cli, given, &search))
    return UI_EXIT_USAGE;
  if (given->list)
    return ui_search_list(cli);
  MlAccount *account = ui_cli_account(cli, &code);
  return account ? ui_search_saved(&search, given->saved, cli->account ? account : NULL) : code;
}

static void
clear_options(Options *given)
{
  g_free(given->folder);
  g_free(given->limit);
  g_free(given->sort);
  g_free(given->saved);
}

int
ui_cmd_search(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "search", NULL, ui_cmd_search_help, NULL };
  Options given = { NULL };
  const UiOption options[] = { { "folder", 'f', UI_OPTION_STRING, &given.folder },
                               { "limit", 'n', UI_OPTION_STRING, &given.limit },
                               { "sort", 0, UI_OPTION_STRING, &given.sort },
                               { "all", 0, UI_OPTION_FLAG, &given.all },
                               { "server", 0, UI_OPTION_FLAG, &given.server },
                               { "encrypted", 0, UI_OPTION_FLAG, &given.encrypted },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { "reindex", 0, UI_OPTION_FLAG, &given.reindex },
                               { "saved", 0, UI_OPTION_STRING, &given.saved },
                               { "list", 0, UI_OPTION_FLAG, &given.list },
                               { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  UiSearch search = { .cli = cli, .now = g_get_real_time() / G_USEC_PER_SEC, .bar = ui_bar_new(cli->json) };
  g_autoptr(GError) error = NULL;

  if (code < 0 && (given.saved || given.list)) {
    code = run_saved(cli, &given, argc);
    clear_options(&given);
    return code;
  }
  if (code < 0 && argc < 2)
    ui_cli_error(cli, "say which words: signet search WORD..., as signet search from:anna invoice (signet search --help)");
  if (code < 0 && (argc < 2 || !read_options(cli, &given, &search)))
    code = UI_EXIT_USAGE;
  g_autofree char *words = g_strjoinv(" ", argv + 1);
  g_autoptr(MlQuery) query = code < 0 ? ml_query_parse(words, FALSE, &error) : NULL;
  if (error) {
    ui_cli_error(cli, "%s", error->message);
    code = UI_EXIT_USAGE;
  }
  search.query = query;
  MlAccount *account = code < 0 ? ui_cli_account(cli, &code) : NULL;
  if (account)
    code = search_all(&search, given.all ? NULL : account);
  clear_options(&given);
  return code;
}
