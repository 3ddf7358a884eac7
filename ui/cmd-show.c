#include "ui/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ui/json-message.h"
#include "ui/layout.h"
#include "ui/save.h"
#include "ui/strip.h"
#include "ui/text.h"
#include "ui/verify-options.h"

const char ui_cmd_show_help[] =
    "signet show [OPTIONS] FILE|-|FOLDER/UID    one message as the reader shows it\n"
    "\n"
    "  --all-headers          every header\n"
    "  --raw                  the message itself, octet for octet\n"
    "  --pin-file FILE        the PIN of a token or the password of the certificate database\n"
    "\n"
    "First the verdict in signet's words, then a rule, then the message with a mark beside every line of a protected\n"
    "one: | signed, = encrypted, # both, : neither. The other options are those of signet verify, and --json prints\n"
    "what signet verify --json prints.\n"
    "\n"
    "Exit codes: 0 shown (whatever the verdict), 2 usage, 65 not a message, 66 no such input, 74 read error,\n"
    "78 configuration.\n";

enum { WIDTH = 80, STRIP_ROWS = 6 };

static void
print_strip(const MlMessage *message)
{
  char **from = ml_message_from_addresses(message);
  const UiStripFacts facts = { .from = from[0] };
  g_autoptr(GPtrArray) rows = ui_strip_rows(ml_message_verdict(message), &facts, WIDTH, STRIP_ROWS);

  for (guint i = 0; i < rows->len; i++) {
    const UiStripRow *row = rows->pdata[i];
    printf("%s\n", row->text);
  }
  for (int i = 0; i < WIDTH; i++)
    putchar('-');
  putchar('\n');
}

static void
print_line(const UiLine *line)
{
  if (line->rule)
    printf("-- %s --\n", line->text);
  else if (line->gutter != ' ' && line->gutter)
    printf("%c %s\n", line->gutter, line->text);
  else
    printf("%s\n", line->text);
}

static void
print_text(const MlMessage *message, gboolean all_headers)
{
  const UiLayoutOptions options = { .all_headers = all_headers };
  UiPager pager;

  ui_pager_init(&pager, TRUE);
  ui_layout_message(&pager, message, &options);
  print_strip(message);
  for (guint i = 0; i < pager.source->len; i++)
    print_line(pager.source->pdata[i]);
  ui_pager_clear(&pager);
}

static int
print_raw(UiCli *cli, GBytes *bytes)
{
  int number = fflush(stdout) != 0 ? errno : ui_save_write(STDOUT_FILENO, bytes, FALSE);

  if (number)
    ui_cli_error(cli, "standard output: %s", g_strerror(number));
  return number ? UI_EXIT_IO : UI_EXIT_OK;
}

static int
show(UiCli *cli, const UiVerifyOptions *options, const char *input, gboolean raw, gboolean all_headers)
{
  g_autoptr(GError) error = NULL;
  gint64 received = 0;
  int code = UI_EXIT_OK;
  g_autoptr(GBytes) bytes = ui_cli_message(cli, input, &received, &code);

  if (!bytes)
    return code ? code : UI_EXIT_NOINPUT;
  if (raw)
    return print_raw(cli, bytes);
  g_autoptr(MlMessage) message = ui_verify_options_read(options, cli, bytes, received, &error);
  if (!message) {
    ui_cli_error(cli, "%s: %s", input, error->message);
    return ui_cli_exit_for(error);
  }
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_message(json, input, message);
    ui_json_print(json);
  } else {
    print_text(message, all_headers);
  }
  return UI_EXIT_OK;
}

int
ui_cmd_show(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "show", NULL, ui_cmd_show_help, NULL };
  UiVerifyOptions options = { .trust = NULL };
  gboolean raw = FALSE, all_headers = FALSE;
  UiOption table[UI_VERIFY_OPTIONS + 3] = { { "raw", 0, UI_OPTION_FLAG, &raw },
                                            { "all-headers", 0, UI_OPTION_FLAG, &all_headers },
                                            { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file } };
  ui_verify_options_table(&options, table + 3);
  int code = ui_cli_options(cli, &self, table, &argc, argv);

  if (code < 0 && argc != 2) {
    ui_cli_error(cli, "show one message: a file, - or FOLDER/UID; see signet show --help");
    code = UI_EXIT_USAGE;
  }
  if (code < 0 && (raw || ui_verify_options_apply(&options, cli, &code)))
    code = show(cli, &options, argv[1], raw, all_headers);
  ui_verify_options_clear(&options);
  return code;
}
