#include "ui/commands.h"
#include "ui/seal-command.h"

const char ui_cmd_sign_help[] =
    "signet sign [-o FILE] [OPTIONS] FILE|-|FOLDER/UID    the message, signed\n"
    "\n"
    "  -o, --output FILE      write it there (mode 0600) instead of to stdout\n"
    "  --cert FINGERPRINT     the certificate to sign with; else the account's sign-cert, else the newest\n"
    "                         valid one for the address in From\n"
    "  --opaque               application/pkcs7-mime instead of multipart/signed\n"
    "  --digest NAME          sha256, sha384 or sha512; else what fits the key\n"
    "  --pin-file FILE        the PIN of a token or the password of the certificate database\n"
    "  --json                 with -o: who signed, and how\n"
    "\n"
    "The header is protected too (RFC 9788), Bcc goes, and the body is recoded where a transport could "
    "change it.\n"
    "What was made is read back by signet's own reader before it is written.\n"
    "\n"
    "Exit codes: 0, 1 the certificate is missing or does not fit (stderr says which rule failed), 2 usage,\n"
    "65 not a message, 66 no such input, 74 read or write error, 77 a PIN or password is missing or wrong, or policy\n"
    "forbids it, 78 configuration\n";

int
ui_cmd_sign(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "sign", NULL, ui_cmd_sign_help, NULL };
  UiSealOptions given = { .sign = TRUE };
  const UiOption table[] = {
    { "output", 'o', UI_OPTION_STRING, &given.output },  { "cert", 0, UI_OPTION_STRING, &given.cert },
    { "opaque", 0, UI_OPTION_FLAG, &given.opaque },      { "digest", 0, UI_OPTION_STRING, &given.digest },
    { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file }, { NULL, 0, 0, NULL }
  };
  int code = ui_cli_options(cli, &self, table, &argc, argv);
  if (code < 0)
    code = ui_seal_command(cli, self.name, &given, argc, argv);
  ui_seal_options_clear(&given);
  return code;
}
