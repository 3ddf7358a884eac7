#include "ui/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ui/json-message.h"
#include "ui/save.h"
#include "ui/verify-options.h"

const char ui_cmd_decrypt_help[] =
    "signet decrypt [-o FILE] [OPTIONS] FILE|-|FOLDER/UID    what is inside an encrypted message, as MIME\n"
    "\n"
    "  -o, --output FILE      write it there (mode 0600) instead of to stdout\n"
    "  --raw                  the content of the outermost encryption, octet for octet; else of the "
    "innermost\n"
    "  --key FILE.p12         a key to decrypt with; --password-file FILE: its password (the n-th for the "
    "n-th key)\n"
    "  --pin-file FILE        the PIN of a token or the password of the certificate database\n"
    "  --json                 with -o: the verdict of the message, as signet verify gives it\n"
    "\n"
    "The other options are those of signet verify. Only the message's own encryption is opened, not an "
    "encrypted\n"
    "part inside something else. Nothing is written unless it decrypts as a whole.\n"
    "\n"
    "Exit codes: 0, 1 not encrypted, 2 usage, 8 cannot be decrypted here, 65 not a message, 66 no such "
    "input,\n"
    "74 read or write error, 78 configuration\n";

/* @content is nobody else's any more, and is spent. */
static int
write_output(UiCli *cli, const char *output, GBytes *content)
{
  g_autoptr(GError) error = NULL;
  if (!output || strcmp(output, "-") == 0) {
    int number = fflush(stdout) != 0 ? errno : ui_save_write(STDOUT_FILENO, content, TRUE);
    if (number) {
      ui_cli_error(cli, "standard output: %s", g_strerror(number));
      return UI_EXIT_IO;
    }
    return UI_EXIT_OK;
  }
  if (!ui_save_replace(output, content, TRUE, &error)) {
    ui_cli_error(cli, "%s", error->message);
    return UI_EXIT_IO;
  }
  return UI_EXIT_OK;
}

static int
decrypt_one(UiCli *cli, const UiVerifyOptions *options, const char *input, const char *output, gboolean raw)
{
  int code = UI_EXIT_OK;
  gint64 received = 0;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = ui_cli_message(cli, input, &received, &code);
  if (!bytes)
    return code ? code : UI_EXIT_NOINPUT;
  g_autoptr(MlMessage) message = ui_verify_options_read(options, cli, bytes, received, &error);
  if (!message) {
    ui_cli_error(cli, "%s: %s", input, error->message);
    return ui_cli_exit_for(error);
  }
  const MlVerdict *verdict = ml_message_verdict(message);
  gboolean open =
      verdict->encryption == ML_ENCRYPTION_DECRYPTED || verdict->encryption == ML_ENCRYPTION_LEGACY;
  g_autoptr(GBytes) content = open || raw ? ml_message_decrypted(message, raw, &error) : NULL;
  if (!content) {
    ui_cli_error(cli, "%s: %s", input, error ? error->message : verdict->reason);
    return verdict->encryption == ML_ENCRYPTION_NONE || verdict->encryption == ML_ENCRYPTION_ERRANT
               ? UI_EXIT_NO
               : 8;
  }
  g_autoptr(JsonBuilder) json = cli->json ? ui_json_new() : NULL;
  if (json)
    ui_json_message(json, input, message);
  g_clear_pointer(&message, ml_message_free);
  code = write_output(cli, output, content);
  if (code == UI_EXIT_OK && json)
    ui_json_print(g_steal_pointer(&json));
  return code;
}

int
ui_cmd_decrypt(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "decrypt", NULL, ui_cmd_decrypt_help, NULL };
  UiVerifyOptions options = { .trust = NULL };
  g_autofree char *output = NULL;
  gboolean raw = FALSE;
  UiOption table[UI_VERIFY_OPTIONS + 3] = { { "output", 'o', UI_OPTION_STRING, &output },
                                            { "raw", 0, UI_OPTION_FLAG, &raw },
                                            { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file } };
  ui_verify_options_table(&options, table + 3);
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code < 0 && argc != 2) {
    ui_cli_error(cli, "decrypt one message: a file, - or FOLDER/UID; see signet decrypt --help");
    code = UI_EXIT_USAGE;
  }
  if (code < 0 && cli->json && (!output || strcmp(output, "-") == 0)) {
    ui_cli_error(cli, "--json needs -o FILE: the plaintext goes to stdout otherwise");
    code = UI_EXIT_USAGE;
  }
  if (code < 0 && ui_verify_options_apply(&options, cli, &code))
    code = decrypt_one(cli, &options, argv[1], output, raw);
  ui_verify_options_clear(&options);
  return code;
}
