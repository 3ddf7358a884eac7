#include "ui/commands.h"
#include "ui/seal-command.h"

const char ui_cmd_encrypt_help[] =
    "signet encrypt [-o FILE] [OPTIONS] FILE|-|FOLDER/UID    the message, encrypted\n"
    "\n"
    "  -o, --output FILE      write it there (mode 0600) instead of to stdout\n"
    "  --to ADDRESS           encrypt to the certificate of ADDRESS (repeatable)\n"
    "  --recipient-cert FILE  encrypt to the certificate in FILE (repeatable)\n"
    "                         Without either: to everybody in To and Cc\n"
    "  --no-self              not to yourself: you cannot read it again\n"
    "  --sign                 sign it first, in the same step: then the real subject is hidden\n"
    "  --cert, --opaque, --digest   for --sign, as in signet sign\n"
    "  --hide WHAT            baseline: the subject (the default); shy: names and time zone too; none\n"
    "  --cipher NAME          aes-256-gcm, aes-256-cbc, aes-128-gcm or aes-128-cbc; else AES-256-GCM when "
    "every\n"
    "                         recipient announced it, else AES-256-CBC\n"
    "  --pin-file FILE        the PIN of a token or the password of the certificate database\n"
    "  --json                 with -o: to whom, and how\n"
    "\n"
    "Exit codes: 0, 1 a certificate is missing or does not fit (stderr says whose and why), 2 usage,\n"
    "65 not a message, 66 no such input, 74 read or write error, 77 a PIN or password is missing or wrong, or policy\n"
    "forbids it, 78 configuration\n";

int
ui_cmd_encrypt(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "encrypt", NULL, ui_cmd_encrypt_help, NULL };
  UiSealOptions given = { .encrypt = TRUE };
  const UiOption table[] = { { "output", 'o', UI_OPTION_STRING, &given.output },
                             { "to", 0, UI_OPTION_LIST, &given.to },
                             { "recipient-cert", 0, UI_OPTION_LIST, &given.files },
                             { "no-self", 0, UI_OPTION_FLAG, &given.no_self },
                             { "sign", 0, UI_OPTION_FLAG, &given.sign },
                             { "cert", 0, UI_OPTION_STRING, &given.cert },
                             { "opaque", 0, UI_OPTION_FLAG, &given.opaque },
                             { "digest", 0, UI_OPTION_STRING, &given.digest },
                             { "hide", 0, UI_OPTION_STRING, &given.hide },
                             { "cipher", 0, UI_OPTION_STRING, &given.cipher },
                             { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                             { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code < 0)
    code = ui_seal_command(cli, self.name, &given, argc, argv);
  ui_seal_options_clear(&given);
  return code;
}
