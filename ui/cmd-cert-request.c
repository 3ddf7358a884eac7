#include <stdio.h>
#include <string.h>

#include "crypto/issue.h"
#include "mail/error.h"
#include "ui/cert-request.h"
#include "ui/cmd-cert-private.h"
#include "ui/commands.h"
#include "ui/text.h"

/* signet cert request: a new key, and the paper that asks an authority to certify it. */
typedef struct {
  char *name, *organisation, *key, *token, *purpose, *out;
} Request;

static gboolean
choose_purpose(const char *word, CryptoIssue *what)
{
  gboolean both = !word || strcmp(word, "both") == 0;
  what->sign = both || strcmp(word, "sign") == 0;
  what->encrypt = both || strcmp(word, "encrypt") == 0;
  return what->sign || what->encrypt;
}

static int
make(UiCli *cli, const CryptoIssue *what, const Request *request)
{
  g_autoptr(GError) error = NULL;
  if (!ui_cert_request_make(what, request->token, request->out, ui_cli_pin_source(cli), &error))
    return g_error_matches(error, ML_ERROR, ML_ERROR_STORE) ? (ui_cli_error(cli, "%s", error->message), UI_EXIT_IO)
                                                            : ui_cmd_cert_fail(cli, error);
  if (!cli->json) {
    g_autofree char *place = ui_text_line(request->token ? request->token : "the certificate database");
    fprintf(stderr, "The key lies in %s. Send the request to your authority, then: signet cert import FILE\n",
            place);
  }
  return UI_EXIT_OK;
}

int
ui_cmd_cert_request(UiCli *cli, int argc, char **argv)
{
  Request request = { 0 };
  const UiOption options[] = { { "name", 0, UI_OPTION_STRING, &request.name },
                               { "organisation", 0, UI_OPTION_STRING, &request.organisation },
                               { "key", 0, UI_OPTION_STRING, &request.key },
                               { "token", 0, UI_OPTION_STRING, &request.token },
                               { "for", 0, UI_OPTION_STRING, &request.purpose },
                               { "out", 'o', UI_OPTION_STRING, &request.out },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert request", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  g_autofree char *name = request.name, *organisation = request.organisation, *key = request.key,
                  *token = request.token, *purpose = request.purpose, *out = request.out;
  if (code >= 0)
    return code;
  CryptoIssue what = { .common_name = name       ? name
                                      : argc > 1 ? argv[1]
                                                 : NULL,
                       .organisation = organisation,
                       .addresses = (const char *const *)argv + 1 };
  const char *wrong = argc < 2                          ? "say for which address: signet cert request ADDRESS"
                      : !ui_cert_request_key(key, &what)         ? "--key takes rsa-3072, rsa-4096, p-256 or p-384"
                      : !choose_purpose(purpose, &what) ? "--for takes sign, encrypt or both"
                      : strlen(what.common_name) > 64 && name
                          ? "a name has 64 octets at most in a certificate: give a shorter --name"
                          : NULL;
  for (int i = 1; i < argc && !wrong; i++)
    if (!ui_cert_request_is_address(argv[i]))
      wrong = "an address looks like anna@example.org";
  if (wrong) {
    ui_cli_error(cli, "%s", wrong);
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, TRUE, FALSE, token != NULL, &code))
    return code;
  return make(cli, &what, &request);
}
