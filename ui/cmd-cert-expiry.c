#include <stdio.h>
#include <string.h>

#include "crypto/expiry.h"
#include "ui/cert-status.h"
#include "ui/cmd-cert-private.h"
#include "ui/commands.h"
#include "ui/text.h"

/* signet cert expiry: for a person, a script, or cron. */
enum { DAY = 86400, WITHIN_DAYS = 30 };

/* "30d", "6w", "3m", "1y", "12h", or days alone; -1: nothing of these. */
static gint64
parse_span(const char *text)
{
  static const struct {
    char letter;
    gint64 seconds;
  } units[] = { { 'h', 3600 }, { 'd', DAY }, { 'w', 7 * DAY }, { 'm', 30 * DAY }, { 'y', 365 * DAY } };
  char *end = NULL;
  guint64 number = g_ascii_isdigit(*text) ? g_ascii_strtoull(text, &end, 10) : 0;
  if (!end || number > 100000)
    return -1;
  if (!*end)
    return (gint64)number * DAY;
  for (gsize i = 0; i < G_N_ELEMENTS(units); i++)
    if (*end == units[i].letter && !end[1])
      return (gint64)number * units[i].seconds;
  return -1;
}

static void
tell(UiCli *cli, const CryptoExpiry *expiry)
{
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "kind", ui_cert_group_word(ui_cert_group(expiry->entry)));
    ui_json_bool(json, "expired", expiry->seconds < 0);
    ui_json_int(json, "days_left", expiry->seconds / DAY);
    ui_cmd_cert_fields(json, expiry->entry);
    ui_json_print(json);
    return;
  }
  g_autofree char *words = ui_cert_end_words(expiry->seconds);
  g_autofree char *line = g_strdup_printf("%-9s %-20s", ui_cert_group_word(ui_cert_group(expiry->entry)), words);
  ui_cmd_cert_line(expiry->entry, line);
}

int
ui_cmd_cert_expiry(UiCli *cli, int argc, char **argv)
{
  g_autofree char *span = NULL;
  gboolean own = FALSE;
  const UiOption options[] = { { "within", 0, UI_OPTION_STRING, &span },
                               { "own", 0, UI_OPTION_FLAG, &own },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert expiry", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code >= 0)
    return code;
  gint64 within = span ? parse_span(span) : WITHIN_DAYS * (gint64)DAY;
  if (argc > 1 || within < 0) {
    ui_cli_error(cli, argc > 1 ? "signet cert expiry takes no names: it looks at all that is yours (signet cert --help)"
                               : "--within takes a number of days, or 12h, 30d, 6w, 3m, 1y");
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, FALSE, TRUE, TRUE, &code))
    return code;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) found =
      crypto_expiry_find(g_get_real_time() / G_USEC_PER_SEC, within, own ? CRYPTO_CERT_OWN : 0, &error);
  if (!found)
    return ui_cmd_cert_fail(cli, error);
  for (guint i = 0; i < found->len; i++)
    tell(cli, found->pdata[i]);
  return found->len ? UI_EXIT_NO : UI_EXIT_OK;
}
