#include "ui/commands.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ui/submit.h"

const char ui_cmd_sendmail_help[] =
    "signet sendmail [-t] [-i] [-f ADDRESS] [-F NAME] [OPTIONS] [--] [ADDRESS...] < MESSAGE\n"
    "\n"
    "A message with its header, as cron, git send-email and scripts hand it to sendmail(8); sent through the account's\n"
    "server, by way of the outbox. The account is the one whose address is in From (or -A), else the first.\n"
    "\n"
    "  -t                     to those in To, Cc and Bcc, too\n"
    "  -i, -oi                a line with a single dot does not end the message\n"
    "  -f, -r ADDRESS         the envelope's sender; else the address in From\n"
    "  -F NAME                the sender's name, where From has none\n"
    "  -N WHEN                as --notify\n"
    "  -oem, -o..., -B, -b m  taken and ignored\n"
    "  --sign, --encrypt      sign, encrypt it; the account's sign = and encrypt = in signet.conf hold anyway\n"
    "  --cert FINGERPRINT     sign with this certificate of yours\n"
    "  --pin-file FILE        the PIN of a token or the password of the certificate database (else $SIGNET_PIN)\n"
    "  --queue                only into the outbox: signet outbox flush sends it\n"
    "\n"
    "Bcc is taken out; From, Date and Message-ID are put in where they are missing. A name without a domain gets the\n"
    "account's; root and yourself are the account's address.\n"
    "\n"
    "Exit codes: 0 sent or safely queued, 64 usage, 65 not a message that can be sent, 69 a recipient was refused for\n"
    "good (the message stays in the outbox), 75 not queued: try again, 77 policy forbids it,\n"
    "78 configuration\n";

/* Without -i a line with a single dot is the end. */
static GBytes *
cut_at_dot(GBytes *input)
{
  gsize length;
  const char *data = g_bytes_get_data(input, &length);
  for (gsize at = 0, end; at < length; at = end) {
    const char *newline = memchr(data + at, '\n', length - at);
    end = newline ? (gsize)(newline - data) + 1 : length;
    gsize line = newline ? (gsize)(newline - data) - at : length - at;
    if (line && data[at + line - 1] == '\r')
      line--;
    if (line == 1 && data[at] == '.')
      return g_bytes_new_from_bytes(input, 0, at);
  }
  return g_bytes_ref(input);
}

int
ui_cmd_sendmail(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "sendmail", NULL, ui_cmd_sendmail_help, NULL };
  UiSubmitOptions options = { FALSE };
  g_autoptr(GPtrArray) ignored = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *sender = NULL, *name = NULL, *ignored_word = NULL, *mode = NULL;
  gboolean headers = FALSE, dots = FALSE, nothing = FALSE;
  UiOption table[UI_SUBMIT_OPTIONS + 14] = { { "read-recipients", 't', UI_OPTION_FLAG, &headers },
                                             { "ignore-dots", 'i', UI_OPTION_FLAG, &dots },
                                             { "from", 'f', UI_OPTION_STRING, &sender },
                                             { "sender", 'r', UI_OPTION_STRING, &sender },
                                             { "full-name", 'F', UI_OPTION_STRING, &name },
                                             { "option", 'o', UI_OPTION_LIST, &ignored },
                                             { "dsn", 'N', UI_OPTION_STRING, &options.notify },
                                             { "body", 'B', UI_OPTION_STRING, &ignored_word },
                                             { "mode", 'b', UI_OPTION_STRING, &mode },
                                             { "no-alias", 'n', UI_OPTION_FLAG, &nothing },
                                             { "metoo", 'm', UI_OPTION_FLAG, &nothing },
                                             { "gateway", 'G', UI_OPTION_FLAG, &nothing },
                                             { "user", 'U', UI_OPTION_FLAG, &nothing } };
  ui_submit_table(&options, cli, table + 13);
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code < 0 && mode && strcmp(mode, "m") != 0) {
    ui_cli_error(cli, "-b%s is nothing that signet does: it only takes a message from standard input", mode);
    code = UI_EXIT_USAGE;
  }
  for (guint i = 0; ignored && i < ignored->len; i++)
    dots |= !strcmp(ignored->pdata[i], "i");
  if (code < 0 && argc < 2 && !headers) {
    ui_cli_error(cli, "nobody is named who should get it: give addresses, or -t; see signet sendmail --help");
    code = UI_EXIT_USAGE;
  }
  if (code < 0) {
    g_autoptr(GBytes) all = ui_cli_read_file("-", &error);
    g_autoptr(GBytes) input = all ? (dots ? g_bytes_ref(all) : cut_at_dot(all)) : NULL;
    const MlSubmissionOptions how = { .sender = sender,
                                      .full_name = name,
                                      .recipients = (const char *const *)argv + 1,
                                      .headers = headers,
                                      .now = g_get_real_time() / G_USEC_PER_SEC };
    if (!input)
      ui_cli_error(cli, "%s", error->message);
    code = input ? ui_submit_input(cli, input, &how, &options) : UI_EXIT_TEMPFAIL;
  }
  ui_submit_clear(&options);
  return code == UI_EXIT_USAGE ? EX_USAGE : code;
}
