#include "ui/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mail/pending.h"
#include "ui/json.h"
#include "ui/text.h"

const char ui_cmd_pending_help[] =
    "signet pending [--drop ID | --raw ID]    changes that wait for the line, and those that the server refused\n"
    "\n"
    "  --drop ID   give one up: says what is lost, and shows the messages as the server has them\n"
    "  --raw ID    the message that was to be put into a folder, as it is\n"
    "\n"
    "Flags, copies, moves and deletions in a mailbox on a server are written down before they are shown, and carried\n"
    "out in their order when there is a line: on the screen by itself, from a script by signet sync. What the server\n"
    "refuses for good is taken back on the screen, and stays in this list until it is dropped. Of the account that -A\n"
    "names, else of all.\n"
    "\n"
    "With --json a line each: account, id, what (flags, copy, move, expunge, append, remove), state (waiting, begun, failed), folder, to,\n"
    "set, clear, at, tries, error, messages (an array of uid, message_id, subject); with --drop that one, and dropped. \"begun\": the line broke while\n"
    "the server was asked; it is looked what came of it first.\n"
    "\n"
    "Exit codes: 0 (nothing waits, too), 1 there is a refused one, 2 usage, 66 no such change, 74 the list cannot be\n"
    "read, 78 configuration.\n";

static const char *
state_word(MlPendingState state)
{
  return state == ML_PENDING_WAITING ? "waiting" : state == ML_PENDING_BEGUN ? "begun" : "failed";
}

static void
print_json(const MlAccount *account, const MlPendingEntry *entry, gboolean dropped)
{
  JsonBuilder *json = ui_json_new();
  g_auto(GStrv) set = ml_flags_words(entry->add), clear = ml_flags_words(entry->remove);

  ui_json_string(json, "account", account->name);
  ui_json_int(json, "id", entry->id);
  ui_json_string(json, "what", ml_pending_kind_word(entry->kind));
  ui_json_string(json, "state", state_word(entry->state));
  ui_json_string(json, "folder", entry->folder);
  if (entry->to)
    ui_json_string(json, "to", entry->to);
  ui_json_strings(json, "set", (const char *const *)set);
  ui_json_strings(json, "clear", (const char *const *)clear);
  ui_json_time(json, "at", entry->at);
  ui_json_int(json, "tries", entry->tries);
  if (entry->error)
    ui_json_string(json, "error", entry->error);
  ui_json_array(json, "messages");
  for (guint i = 0; i < entry->messages->len; i++) {
    const MlPendingMessage *message = entry->messages->pdata[i];
    json_builder_begin_object(json);
    ui_json_int(json, "uid", message->uid);
    ui_json_string(json, "message_id", message->message_id);
    ui_json_string(json, "subject", message->subject);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
  if (dropped)
    ui_json_bool(json, "dropped", TRUE);
  ui_json_print(json);
}

static void
print_text(const MlAccount *account, const MlPendingEntry *entry, gint64 now)
{
  enum { MESSAGES_SHOWN = 10 };
  g_autofree char *date = ui_text_date(entry->at, now, 10);
  g_autofree char *words = ml_pending_words(entry);
  g_autofree char *safe = ui_text_line(words);
  g_autofree char *error = ui_text_line(entry->error ? entry->error : "");

  printf("%5" G_GINT64_FORMAT "  %-7s %s  %s  %s\n", entry->id, state_word(entry->state), date, account->name, safe);
  for (guint i = 0; entry->messages->len > 1 && i < MIN(entry->messages->len, MESSAGES_SHOWN); i++) {
    g_autofree char *subject = ui_text_line(((const MlPendingMessage *)entry->messages->pdata[i])->subject);
    printf("       %s\n", subject);
  }
  if (entry->messages->len > MESSAGES_SHOWN)
    printf("       and %u more\n", entry->messages->len - MESSAGES_SHOWN);
  if (*error)
    printf("       %s\n", error);
}

typedef struct {
  UiCli *cli;
  gint64 drop; /* 0: list */
  gint64 raw;
  gint64 now;
  gboolean failed, dropped;
} Listing;

static void
refresh(Listing *listing, const MlAccount *account, MlPending *pending, const char *folder)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(listing->cli->data_dir, "store", NULL);
  g_autoptr(MlStore) store = ml_store_open(directory, account, &error);

  if (!store || !ml_pending_refresh(pending, store, folder, &error))
    ui_cli_error(listing->cli, "%s", error->message);
}

static gboolean
drop(Listing *listing, const MlAccount *account, MlPending *pending, GError **error)
{
  g_autoptr(MlPendingEntry) entry = ml_pending_find(pending, listing->drop, NULL);

  if (!entry || entry->state == ML_PENDING_DONE)
    return TRUE; /* another account's, perhaps */
  if (!ml_pending_drop(pending, entry->id, error))
    return FALSE;
  listing->dropped = TRUE;
  refresh(listing, account, pending, entry->folder);
  if (listing->cli->json) {
    print_json(account, entry, TRUE);
    return TRUE;
  }
  g_autofree char *words = ml_pending_words(entry);
  g_autofree char *safe = ui_text_line(words);
  printf(entry->state == ML_PENDING_FAILED ? "Given up, and not done on the server: %s\n"
                                           : "Given up; the server never hears of it: %s\n",
         safe);
  return TRUE;
}

static gboolean
print_raw(Listing *listing, const MlAccount *account, MlPending *pending, GError **error)
{
  gint64 received;
  gsize length;
  g_autoptr(GBytes) bytes = ml_pending_body(pending, listing->raw, &received, error);
  const void *data = bytes ? g_bytes_get_data(bytes, &length) : NULL;

  (void)account;
  if (!bytes)
    return FALSE;
  listing->dropped = TRUE;
  if (fwrite(data, 1, length, stdout) == length && fflush(stdout) == 0)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The message cannot be written: %s", g_strerror(errno));
  return FALSE;
}

static gboolean
list(Listing *listing, const MlAccount *account, MlPending *pending, GError **error)
{
  g_autoptr(GPtrArray) entries = ml_pending_list(pending, ML_PENDING_OPEN | ML_PENDING_FAILED, 0, 0, error);

  for (guint i = 0; entries && i < entries->len; i++) {
    const MlPendingEntry *entry = entries->pdata[i];
    listing->failed |= entry->state == ML_PENDING_FAILED;
    if (listing->cli->json)
      print_json(account, entry, FALSE);
    else
      print_text(account, entry, listing->now);
  }
  return entries != NULL;
}

static int
look_at(Listing *listing, const MlAccount *account)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(listing->cli->data_dir, "pending", NULL);
  g_autoptr(MlPending) pending = ml_pending_open_if_any(directory, account, &error);
  g_autofree char *said = pending ? ml_pending_said(pending) : NULL;

  if (said)
    ui_cli_error(listing->cli, "%s: %s", account->name, said);
  if (pending && !(listing->drop ? drop : listing->raw ? print_raw : list)(listing, account, pending, &error))
    g_clear_pointer(&pending, ml_pending_free);
  if (!error)
    return UI_EXIT_OK;
  ui_cli_error(listing->cli, "%s: %s", account->name, error->message);
  return ui_cli_exit_for(error);
}

int
ui_cmd_pending(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "pending", NULL, ui_cmd_pending_help, NULL };
  g_autofree char *drop_word = NULL, *raw_word = NULL;
  guint64 number = 0;
  const UiOption options[] = { { "drop", 0, UI_OPTION_STRING, &drop_word },
                               { "raw", 0, UI_OPTION_STRING, &raw_word },
                               { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);

  if (code >= 0)
    return code;
  const char *word = drop_word ? drop_word : raw_word;
  if (argc > 1 || (drop_word && raw_word) ||
      (word && !g_ascii_string_to_unsigned(word, 10, 1, G_MAXINT64, &number, NULL))) {
    ui_cli_error(cli, argc > 1                 ? "signet pending takes no names: choose the account by -A"
                      : drop_word && raw_word ? "--drop and --raw: which of the two?"
                                              : "--drop and --raw take the number of a change: signet pending lists them");
    return UI_EXIT_USAGE;
  }
  MlAccount *only = ui_cli_account(cli, &code);
  if (!only)
    return code;
  Listing listing = { .cli = cli, .drop = drop_word ? (gint64)number : 0,
                      .raw = raw_word ? (gint64)number : 0, .now = g_get_real_time() / G_USEC_PER_SEC };
  code = UI_EXIT_OK;
  guint servers = 0;
  for (guint i = 0; i < cli->config->accounts->len; i++)
    servers += ((const MlAccount *)cli->config->accounts->pdata[i])->kind == ML_ACCOUNT_IMAP;
  if (word && servers > 1 && !cli->account) {
    ui_cli_error(cli, "each account counts its own changes: name the account with -A");
    return UI_EXIT_USAGE;
  }
  for (guint i = 0; i < cli->config->accounts->len; i++) {
    const MlAccount *account = cli->config->accounts->pdata[i];
    if (account->kind != ML_ACCOUNT_IMAP || (cli->account && account != only))
      continue;
    int one = look_at(&listing, account);
    code = one ? one : code;
  }
  if (!code && word && !listing.dropped) {
    ui_cli_error(cli, "there is no change %s that waits or was refused", word);
    return UI_EXIT_NOINPUT;
  }
  return code ? code : listing.failed ? UI_EXIT_NO : UI_EXIT_OK;
}
