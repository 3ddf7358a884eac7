#include <stdio.h>
#include <string.h>

#include "mail/recipients.h"
#include "ui/cert-account.h"
#include "ui/cert-candidates.h"
#include "ui/cmd-cert-private.h"
#include "ui/commands.h"
#include "ui/text.h"

/* signet cert use, accept, forget: what a certificate is used for, and the candidates that mail and directories brought. */

/* --- use */

static int
use(UiCli *cli, CryptoCert *cert, gboolean sign, gboolean encrypt)
{
  int code = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  MlAccount *account = ui_cli_account(cli, &code);
  if (!account)
    return code;
  if (cert && !ui_cert_account_has(account, cert)) {
    ui_cli_error(cli, "the certificate of %s has none of %s's addresses: name another account by -A",
                 crypto_cert_common_name(cert), account->name);
    return UI_EXIT_NO;
  }
  if (cert && ((sign && !encrypt && !crypto_cert_can_sign(cert)) || (encrypt && !sign && !crypto_cert_can_encrypt(cert)) ||
               (!crypto_cert_can_sign(cert) && !crypto_cert_can_encrypt(cert)))) {
    ui_cli_error(cli, "the certificate of %s is not made for that", crypto_cert_common_name(cert));
    return UI_EXIT_NO;
  }
  if (!ui_cert_account_write(cli->config, account, cert, sign, encrypt, &error)) {
    ui_cli_error(cli, "%s", error->message);
    return ui_cli_exit_for(error);
  }
  sign = sign && (!cert || crypto_cert_can_sign(cert));
  encrypt = encrypt && (!cert || crypto_cert_can_encrypt(cert));
  const char *value = cert ? crypto_cert_sha256(cert) : "auto";
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "action", "used");
    ui_json_string(json, "account", account->name);
    ui_json_string(json, "sign_cert", sign ? value : account->sign_cert);
    ui_json_string(json, "encrypt_cert", encrypt ? value : account->encrypt_cert);
    ui_json_print(json);
  } else {
    printf("[account %s]%s%s = %s\n", account->name, sign ? " sign-cert" : "",
           encrypt ? (sign ? ", encrypt-cert" : " encrypt-cert") : "", value);
  }
  return UI_EXIT_OK;
}

int
ui_cmd_cert_use(UiCli *cli, int argc, char **argv)
{
  gboolean sign = FALSE, encrypt = FALSE, newest = FALSE, from_file;
  const UiOption options[] = { { "sign", 0, UI_OPTION_FLAG, &sign },
                               { "encrypt", 0, UI_OPTION_FLAG, &encrypt },
                               { "auto", 0, UI_OPTION_FLAG, &newest },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert use", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code >= 0)
    return code;
  if (argc != (newest ? 1 : 2)) {
    ui_cli_error(cli, "say which: signet cert use FINGERPRINT, or --auto for the newest valid one");
    return UI_EXIT_USAGE;
  }
  if (!sign && !encrypt)
    sign = encrypt = TRUE;
  if (newest)
    return use(cli, NULL, sign, encrypt);
  if (!ui_cli_crypto(cli, FALSE, FALSE, TRUE, &code))
    return code;
  g_autoptr(CryptoCertEntry) entry = ui_cmd_cert_find(cli, argv[1], &from_file, &code);
  if (!entry)
    return code;
  if (!(entry->flags & CRYPTO_CERT_OWN)) {
    ui_cli_error(cli, "the private key of %s is not here: import it (signet cert import FILE.p12) or insert its card",
                 crypto_cert_common_name(entry->cert));
    return UI_EXIT_NO;
  }
  return use(cli, entry->cert, sign, encrypt);
}

/* --- candidates */

static gboolean
fits(const UiCertCandidate *candidate, const char *what)
{
  g_autofree char *digits = g_ascii_strdown(what, -1);
  char *to = digits;
  for (const char *from = digits; *from; from++)
    if (*from != ':' && *from != ' ')
      *to++ = *from;
  *to = 0;
  return g_ascii_strcasecmp(candidate->address, what) == 0 ||
         (strlen(digits) >= 8 && g_str_has_prefix(crypto_cert_sha256(candidate->cert), digits));
}

static int
tell(UiCli *cli, const UiCertCandidate *candidate, const char *word)
{
  g_autoptr(CryptoCertEntry) entry = g_new0(CryptoCertEntry, 1);
  entry->cert = crypto_cert_ref(candidate->cert);
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "action", word);
    ui_json_string(json, "address", candidate->address);
    ui_json_string(json, "source", candidate->source);
    ui_cmd_cert_fields(json, entry);
    ui_json_print(json);
  } else {
    ui_cmd_cert_line(entry, word);
  }
  return UI_EXIT_OK;
}

static gboolean
accept_one(UiCli *cli, MlPeople *people, const UiCertCandidate *candidate, GError **error)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  MlRecipient *row =
      ml_recipients_from_cert(candidate->cert, candidate->source, now, ml_config_revocation(cli->config));
  g_free(row->address);
  row->address = g_strdup(candidate->address);
  gboolean done = ml_recipients_accept(people, row, now, ui_cli_pin_source(cli), error);
  ml_recipient_free(row);
  return done;
}

/* The one that @what names; NULL: said why not, *code is set. */
static const UiCertCandidate *
choose(UiCli *cli, GPtrArray *all, const char *what, int *code)
{
  const UiCertCandidate *found = NULL;
  guint n = 0;
  for (guint i = 0; i < all->len; i++)
    if (fits(all->pdata[i], what)) {
      found = all->pdata[i];
      n++;
    }
  if (n == 1)
    return found;
  *code = UI_EXIT_NO;
  if (n)
    ui_cli_error(cli, "%u candidates fit %s: name one by its fingerprint (signet cert list --candidates)", n, what);
  else
    ui_cli_error(cli, "no candidate fits %s: signet cert list --candidates shows them", what);
  return NULL;
}

static int
answer(UiCli *cli, int argc, char **argv, const UiCommand *self, gboolean yes)
{
  const UiOption options[] = { { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file }, { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, self, options, &argc, argv);
  if (code >= 0)
    return code;
  if (argc != 2) {
    ui_cli_error(cli, "say which: signet %s FINGERPRINT or ADDRESS", self->name);
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, yes, TRUE, FALSE, &code))
    return code;
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(cli->data_dir, "people.db", NULL);
  g_autoptr(MlPeople) people = ml_people_open(file, &error);
  if (!people) {
    ui_cli_error(cli, "%s", error->message);
    return UI_EXIT_IO;
  }
  g_autoptr(GPtrArray) all = ui_cert_candidates(people, NULL);
  const UiCertCandidate *candidate = choose(cli, all, argv[1], &code);
  if (!candidate)
    return code;
  gboolean done = yes ? accept_one(cli, people, candidate, &error)
                      : ml_people_forget(people, candidate->address, crypto_cert_sha256(candidate->cert), &error);
  return done ? tell(cli, candidate, yes ? "accepted" : "forgotten") : ui_cmd_cert_fail(cli, error);
}

int
ui_cmd_cert_accept(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "cert accept", NULL, ui_cmd_cert_help, NULL };
  return answer(cli, argc, argv, &self, TRUE);
}

int
ui_cmd_cert_forget(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "cert forget", NULL, ui_cmd_cert_help, NULL };
  return answer(cli, argc, argv, &self, FALSE);
}
