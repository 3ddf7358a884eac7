#include "ui/commands.h"

#include <stdio.h>
#include <string.h>

#include "mail/store.h"
#include "ui/json.h"
#include "ui/text.h"

const char ui_cmd_list_help[] =
    "signet list [FOLDER] [--limit N]    the messages of a folder, newest first (default: INBOX)\n"
    "\n"
    "  --limit N   only the newest N\n"
    "\n"
    "With --offline a server's folder is listed as it was seen last (by the screen, or by signet sync).\n"
    "\n"
    "With --json a line each: uid, from, to, subject, date, received, flags, size, message_id, hints.\n"
    "A message is then named FOLDER/UID by show, verify and decrypt.\n"
    "\n"
    "Exit codes: 0, 2 usage, 66 no such folder, 69 server not reached, 77 login refused, 78 configuration.\n";

typedef struct {
  UiCli *cli;
  guint limit, printed;
  gint64 now;
} List;

static void
print_json(const MlHeader *header)
{
  JsonBuilder *json = ui_json_new();
  g_auto(GStrv) flags = ml_flags_words(header->flags);

  ui_json_int(json, "uid", header->uid);
  ui_json_string(json, "from", header->from);
  ui_json_string(json, "to", header->to);
  ui_json_string(json, "subject", header->subject);
  ui_json_time(json, "date", header->date);
  ui_json_time(json, "received", header->received);
  ui_json_strings(json, "flags", (const char *const *)flags);
  ui_json_int(json, "size", (gint64)header->size);
  ui_json_string(json, "message_id", header->message_id);
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
  g_autofree char *date = ui_text_date(header->date, list->now, 10);
  g_autofree char *size = ui_text_size(header->size);
  g_autofree char *safe_from = ui_text_line(header->from_name);
  g_autofree char *from = ui_text_fit(safe_from, 22);
  g_autofree char *subject = ui_text_line(header->subject);

  printf("%7u %c%c%c %-10s %s %5s  %s\n", header->uid,
         header->flags & ML_FLAG_DELETED ? 'D'
         : header->flags & ML_FLAG_SEEN  ? ' '
                                         : 'N',
         header->flags & ML_FLAG_FLAGGED    ? 'F'
         : header->flags & ML_FLAG_ANSWERED ? 'r'
                                            : ' ',
         header->hints & ML_HINT_ENCRYPTED ? 'E'
         : header->hints & ML_HINT_SIGNED  ? 'S'
                                           : ' ',
         date, from, size, subject);
}

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer data)
{
  List *list = data;

  for (guint i = 0; i < headers->len && (!list->limit || list->printed < list->limit); i++, list->printed++) {
    if (list->cli->json)
      print_json(headers->pdata[i]);
    else
      print_text(list, headers->pdata[i]);
  }
  g_ptr_array_unref(headers);
  return !list->limit || list->printed < list->limit;
}

/* As it was seen last. */
static int
list_stored(List *list, const MlAccount *account, const char *folder)
{
  enum { STEP = 1000 };
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(list->cli->data_dir, "store", NULL);
  g_autoptr(MlStore) store = ml_store_open_to_read(directory, account, &error);
  MlStoreFolder about = { 0 };

  if (store && ml_store_folder(store, folder, &about, &error) && !about.point.uidvalidity)
    g_clear_pointer(&store, ml_store_free);
  if (!store && !error) {
    ui_cli_error(list->cli, "%s/%s was never read here: run signet sync while %s can be reached", account->name, folder,
                 account->imap.host);
    return UI_EXIT_NOINPUT;
  }
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

int
ui_cmd_list(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "list", NULL, ui_cmd_list_help, NULL };
  g_autofree char *limit_word = NULL;
  guint64 limit = 0;
  const UiOption options[] = { { "limit", 'n', UI_OPTION_STRING, &limit_word }, { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  g_autoptr(GError) error = NULL;
  MlSelected selected;

  if (code >= 0)
    return code;
  if (argc > 2 || (limit_word && !g_ascii_string_to_unsigned(limit_word, 10, 1, G_MAXUINT32, &limit, NULL))) {
    ui_cli_error(cli, argc > 2 ? "signet list takes one folder" : "--limit takes a number from 1");
    return UI_EXIT_USAGE;
  }
  MlAccount *account = ui_cli_account(cli, &code);
  List list = { cli, (guint)limit, 0, g_get_real_time() / G_USEC_PER_SEC };
  if (account && account->kind == ML_ACCOUNT_IMAP && cli->offline)
    return list_stored(&list, account, argc > 1 ? argv[1] : "INBOX");
  g_autoptr(MlDriver) driver = account ? ui_cli_driver(cli, account, &code) : NULL;
  if (!driver)
    return code;
  if (!ml_driver_select(driver, argc > 1 ? argv[1] : "INBOX", &selected, &error) ||
      !ml_driver_headers(driver, 0, limit ? (guint)MIN(limit, 1000) : 1000, on_headers, &list, &error)) {
    ui_cli_error(cli, "%s: %s", account->name, error->message);
    return ui_cli_exit_for(error);
  }
  return UI_EXIT_OK;
}
