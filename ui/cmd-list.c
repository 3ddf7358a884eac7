#include "ui/commands.h"

#include <stdio.h>
#include <string.h>

#include "mail/look.h"
#include "mail/pending.h"
#include "ui/listed.h"

const char ui_cmd_list_help[] =
    "signet list [FOLDER] [--match PATTERN] [--limit N]    messages of a folder, newest first (default: INBOX)\n"
    "\n"
    "  --match P   only those that fit, as on the screen: '~f anna ~d <2w !~R' (PATTERNS in signet(1))\n"
    "  --limit N   only the newest N (of those that fit)\n"
    "\n"
    "With --offline a server's folder is listed as it was seen last (by the screen, or by signet sync).\n"
    "\n"
    "With --json a line each: uid, from, to, subject, date, received, flags, size, message_id, hints.\n"
    "A message is then named FOLDER/UID by show, verify and decrypt.\n"
    "\n"
    "Exit codes: 0, 1 nothing fits --match, 2 usage, 66 no such folder, 69 server not reached, 77 login refused,\n"
    "78 configuration.\n";

typedef struct {
  UiCli *cli;
  const MlPattern *pattern; /* NULL: all */
  MlLook *look;             /* where it has to be looked into messages; NULL: not */
  guint open;               /* messages that could not be */
  GError *error;            /* why looking failed; NULL */
  gboolean local; /* there RECENT is known */
  guint limit, printed;
  gint64 now;
} List;

static void
print_json(const MlHeader *header)
{
  JsonBuilder *json = ui_json_new();

  ui_listed_json(json, header);
  ui_json_array(json, "hints");
  if (header->hints & ML_HINT_SIGNED)
    json_builder_add_string_value(json, "signed");
  if (header->hints & ML_HINT_ENCRYPTED)
    json_builder_add_string_value(json, "encrypted");
  json_builder_end_array(json);
  ui_json_print(json);
}

static void
print_text(const List *list, const MlHeader *header)
{
  g_autofree char *number = g_strdup_printf("%7u", header->uid);

  ui_listed_print(number, header, list->now, TRUE);
}

/* Where it has to be looked into messages: into those of this folder. */
static void
begin_looking(List *list, const MlAccount *account, const char *folder, guint32 uidvalidity)
{
  g_autofree char *store_dir = g_build_filename(list->cli->data_dir, "store", NULL);
  const MlDriverHooks hooks = { .state_dir = list->cli->state_dir, .store_dir = store_dir };

  if (list->pattern && ml_pattern_needs(list->pattern) & ML_PATTERN_TEXT)
    list->look = ml_look_new(account, &hooks, folder, uidvalidity);
}

static int
end_looking(List *list, int code)
{
  g_autoptr(GError) why = g_steal_pointer(&list->error);

  g_clear_pointer(&list->look, ml_look_free);
  if (why && code == UI_EXIT_OK) {
    ui_cli_error(list->cli, "%s", why->message);
    return ui_cli_exit_for(why);
  }
  if (list->open && code == UI_EXIT_OK)
    ui_cli_error(list->cli, "%u message%s could not be looked into: encrypted, or not kept here", list->open,
                 list->open == 1 ? "" : "s");
  return code;
}

static gboolean
fits(List *list, MlPatternFacts *facts)
{
  MlPatternAnswer answer = ml_pattern_ask(list->pattern, facts);

  if (answer == ML_PATTERN_OPEN && !list->error &&
      ml_look_at(list->look, list->pattern, facts->header->uid, facts->hints, list->cli->cancellable, &facts->seen,
                 &list->error))
    answer = ml_pattern_ask(list->pattern, facts);
  list->open += answer == ML_PATTERN_OPEN;
  return answer == ML_PATTERN_YES;
}

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer data)
{
  List *list = data;

  for (guint i = 0; i < headers->len && (!list->limit || list->printed < list->limit); i++) {
    MlPatternFacts facts = ml_pattern_facts(headers->pdata[i]);
    facts.old = list->local && !(facts.flags & ML_FLAG_RECENT);
    if (list->pattern && !fits(list, &facts))
      continue;
    list->printed++;
    if (list->cli->json)
      print_json(headers->pdata[i]);
    else
      print_text(list, headers->pdata[i]);
  }
  g_ptr_array_unref(headers);
  return !list->error && (!list->limit || list->printed < list->limit);
}

/* What was changed and waits for the line is shown as done, whoever has written it down. */
static void
show_pending(List *list, const MlAccount *account, const char *directory, const char *folder)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *pending_dir = g_build_filename(list->cli->data_dir, "pending", NULL);
  g_autoptr(MlPending) pending = ml_pending_open_if_any(pending_dir, account, &error);
  g_autoptr(MlStore) store = pending ? ml_store_open(directory, account, &error) : NULL;
  g_autofree char *said = pending ? ml_pending_said(pending) : NULL;

  if (said)
    ui_cli_error(list->cli, "%s", said);
  if (error || (store && !ml_pending_refresh(pending, store, folder, &error)))
    ui_cli_error(list->cli, "%s", error->message);
}

/* As it was seen last. */
static int
list_stored(List *list, const MlAccount *account, const char *folder)
{
  enum { STEP = 1000 };
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(list->cli->data_dir, "store", NULL);
  show_pending(list, account, directory, folder);
  g_autoptr(MlStore) store = ml_store_open_to_read(directory, account, &error);
  MlStoreFolder about = { 0 };

  if (store && ml_store_folder(store, folder, &about, &error) && !about.point.uidvalidity)
    g_clear_pointer(&store, ml_store_free);
  if (!store && !error) {
    ui_cli_error(list->cli, "%s/%s was never read here: run signet sync while %s can be reached", account->name, folder,
                 account->imap.host);
    return UI_EXIT_NOINPUT;
  }
  begin_looking(list, account, folder, about.point.uidvalidity);
  for (guint32 below = 0; !error;) {
    GPtrArray *headers = ml_store_headers(store, folder, below, STEP, &error);
    if (!headers || !headers->len) {
      g_clear_pointer(&headers, g_ptr_array_unref);
      break;
    }
    below = ((const MlHeader *)headers->pdata[headers->len - 1])->uid;
    if (!on_headers(headers, 0, 0, list))
      break;
  }
  if (!error)
    return UI_EXIT_OK;
  ui_cli_error(list->cli, "%s", error->message);
  return ui_cli_exit_for(error);
}

static int
list_asked(List *list, MlDriver *driver, const MlAccount *account, const char *folder)
{
  g_autoptr(GError) error = NULL;
  guint first = list->limit && !list->pattern ? MIN(list->limit, 1000) : 1000;
  MlSelected selected;

  if (ml_driver_select(driver, folder, &selected, &error)) {
    begin_looking(list, account, folder, selected.uidvalidity);
    if (ml_driver_headers(driver, 0, first, on_headers, list, &error))
      return UI_EXIT_OK;
  }
  if (!g_error_matches(error, ML_ERROR, ML_ERROR_OFFLINE))
    return ui_cli_mail_error(list->cli, account, account->name, error);
  ui_cli_error(list->cli, "%s: %s With --offline it is listed as it was seen last.", account->name, error->message);
  return ui_cli_exit_for(error);
}

int
ui_cmd_list(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "list", NULL, ui_cmd_list_help, NULL };
  enum { CAN = ML_PATTERN_FLAGS | ML_PATTERN_NUMBERS | ML_PATTERN_HEADER | ML_PATTERN_TEXT };
  g_autofree char *limit_word = NULL, *match = NULL;
  guint64 limit = 0;
  const UiOption options[] = { { "limit", 'n', UI_OPTION_STRING, &limit_word },
                               { "match", 0, UI_OPTION_STRING, &match },
                               { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  g_autoptr(GError) error = NULL;

  if (code >= 0)
    return code;
  if (argc > 2 || (limit_word && !g_ascii_string_to_unsigned(limit_word, 10, 1, G_MAXUINT32, &limit, NULL))) {
    ui_cli_error(cli, argc > 2 ? "signet list takes one folder: signet folders names them; quote one with blanks"
                               : "--limit takes a number from 1, as --limit 20");
    return UI_EXIT_USAGE;
  }
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(MlPattern) pattern = match ? ml_pattern_parse(match, CAN, now, &error) : NULL;
  if (error) {
    ui_cli_error(cli, "--match: %s", error->message);
    return UI_EXIT_USAGE;
  }
  MlAccount *account = ui_cli_account(cli, &code);
  List list = { .cli = cli,
                .pattern = pattern,
                .local = account && account->kind != ML_ACCOUNT_IMAP,
                .limit = (guint)limit,
                .now = now };
  gboolean kept = account && account->kind == ML_ACCOUNT_IMAP && cli->offline;
  g_autoptr(MlDriver) driver = account && !kept ? ui_cli_driver(cli, account, &code) : NULL;
  if ((!kept && !driver) || !account)
    return code;
  /* A text may be signed, and NSS reads that; a driver for a server has opened it, with more than is needed here. */
  if (pattern && ml_pattern_needs(pattern) & ML_PATTERN_TEXT && !ui_cli_crypto(cli, FALSE, FALSE, FALSE, &code))
    return code;
  const char *folder = argc > 1 ? argv[1] : "INBOX";
  code = kept ? list_stored(&list, account, folder) : list_asked(&list, driver, account, folder);
  code = end_looking(&list, code);
  return code == UI_EXIT_OK && pattern && !list.printed ? UI_EXIT_NO : code;
}
