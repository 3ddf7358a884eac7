#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/issue.h"
#include "ui/cmd-cert-private.h"
#include "ui/commands.h"
#include "ui/save.h"
#include "ui/text.h"

/* signet cert request: a new key, and the paper that asks an authority to certify it. */
typedef struct {
  char *name, *organisation, *key, *token, *purpose, *out;
} Request;

static gboolean
choose_key(const char *name, CryptoIssue *what)
{
  static const struct {
    const char *name, *curve;
    guint bits;
  } kinds[] = {
    { "rsa-3072", NULL, 3072 }, { "rsa-4096", NULL, 4096 }, { "p-256", "P-256", 0 }, { "p-384", "P-384", 0 }
  };
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (g_ascii_strcasecmp(name ? name : "rsa-3072", kinds[i].name) == 0) {
      what->curve = kinds[i].curve;
      what->bits = kinds[i].bits;
      return TRUE;
    }
  return FALSE;
}

static gboolean
choose_purpose(const char *word, CryptoIssue *what)
{
  gboolean both = !word || strcmp(word, "both") == 0;
  what->sign = both || strcmp(word, "sign") == 0;
  what->encrypt = both || strcmp(word, "encrypt") == 0;
  return what->sign || what->encrypt;
}

static gboolean
is_address(const char *text)
{
  const char *at = strrchr(text, '@');
  return at && at != text && at[1] && strlen(text) <= 254 && g_utf8_validate(text, -1, NULL) &&
         !strpbrk(text, " \t\r\n<>,;");
}

static char *
pem(GBytes *der)
{
  gsize length = 0;
  const guint8 *data = g_bytes_get_data(der, &length);
  g_autofree char *base64 = g_base64_encode(data, length);
  GString *text = g_string_new("-----BEGIN CERTIFICATE REQUEST-----\n");
  for (gsize at = 0, size = strlen(base64); at < size; at += 64)
    g_string_append_printf(text, "%.64s\n", base64 + at);
  g_string_append(text, "-----END CERTIFICATE REQUEST-----\n");
  return g_string_free(text, FALSE);
}

/* The place is taken before the key is made: a request that cannot be written would leave a key nobody asked for. */
static int
open_out(UiCli *cli, const char *out)
{
  if (!out || strcmp(out, "-") == 0)
    return STDOUT_FILENO;
  int fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0)
    ui_cli_error(cli, "%s cannot be written: %s", out,
                 errno == EEXIST ? "there is a file of that name already" : g_strerror(errno));
  return fd;
}

static int
make(UiCli *cli, const CryptoIssue *what, const Request *request)
{
  g_autoptr(GError) error = NULL;
  int fd = open_out(cli, request->out);
  if (fd < 0)
    return UI_EXIT_IO;
  g_autoptr(GBytes) der = crypto_issue_request(what, request->token, ui_cli_pin_source(cli), &error);
  if (!der) {
    if (fd != STDOUT_FILENO) {
      close(fd);
      unlink(request->out);
    }
    return ui_cmd_cert_fail(cli, error);
  }
  char *text = pem(der);
  g_autoptr(GBytes) bytes = g_bytes_new_take(text, strlen(text));
  int number = ui_save_write(fd, bytes);
  if (fd != STDOUT_FILENO && close(fd) != 0 && !number)
    number = errno;
  if (number) {
    ui_cli_error(cli, "the request could not be written: %s", g_strerror(number));
    return UI_EXIT_IO;
  }
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
                      : !choose_key(key, &what)         ? "--key takes rsa-3072, rsa-4096, p-256 or p-384"
                      : !choose_purpose(purpose, &what) ? "--for takes sign, encrypt or both"
                      : strlen(what.common_name) > 64 && name
                          ? "a name has 64 octets at most in a certificate"
                          : NULL;
  for (int i = 1; i < argc && !wrong; i++)
    if (!is_address(argv[i]))
      wrong = "an address looks like anna@example.org";
  if (wrong) {
    ui_cli_error(cli, "%s", wrong);
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, TRUE, FALSE, token != NULL, &code))
    return code;
  return make(cli, &what, &request);
}
