#include <stdio.h>
#include <string.h>

#include "crypto/certdb.h"
#include "mail/config-edit.h"
#include "ui/cmd-token-private.h"
#include "ui/json.h"
#include "ui/text.h"

/* signet token setup: what is on a card, and which accounts could sign and read with it. */
typedef struct {
  UiCli *cli;
  const UiTokenOptions *options;
  GPtrArray *certs; /* of CryptoCertEntry: those on the card whose key is there too */
  guint offered, written;
  gboolean failed;
} Setup;

static gboolean
is_valid_now(CryptoCert *cert)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  return crypto_cert_not_before(cert) <= now && now <= crypto_cert_not_after(cert);
}

static gboolean
is_retired(const CryptoCertEntry *entry)
{
  return (entry->flags & CRYPTO_CERT_RETIRED) != 0;
}

static const char *
use_words(const CryptoCertEntry *entry)
{
  gboolean sign = crypto_cert_can_sign(entry->cert), encrypt = crypto_cert_can_encrypt(entry->cert);
  return is_retired(entry)               ? "old key, for reading old mail"
         : !is_valid_now(entry->cert)    ? "not valid today: for reading old mail"
         : sign && encrypt               ? "signs, decrypts"
         : sign                          ? "signs"
         : encrypt                       ? "decrypts"
                                         : "not for mail";
}

static void
print_cert(UiCli *cli, const CryptoCertEntry *entry)
{
  g_autofree char *addresses = g_strjoinv(" ", (char **)crypto_cert_addresses(entry->cert));
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "kind", "certificate");
    ui_json_string(json, "token", entry->token);
    ui_json_string(json, "label", entry->nickname ? entry->nickname : "");
    ui_json_string(json, "sha256", crypto_cert_sha256(entry->cert));
    ui_json_string(json, "addresses", addresses);
    ui_json_string(json, "key", crypto_cert_key_name(entry->cert));
    ui_json_string(json, "use", use_words(entry));
    ui_json_bool(json, "retired", is_retired(entry));
    ui_json_bool(json, "valid", is_valid_now(entry->cert));
    ui_json_print(json);
    return;
  }
  g_autofree char *line = g_strdup_printf("%.16s  %-10s %-28s %s (%s)", crypto_cert_sha256(entry->cert),
                                          crypto_cert_key_name(entry->cert), addresses, use_words(entry),
                                          crypto_cert_common_name(entry->cert));
  g_autofree char *safe = ui_text_line(line);
  puts(safe);
}

static gboolean
is_of_account(const MlAccount *account, CryptoCert *cert)
{
  for (const char *const *address = crypto_cert_addresses(cert); *address; address++)
    if (ml_account_address(account, *address))
      return TRUE;
  return FALSE;
}

/* The one of this use that is valid longest; NULL: none. */
static CryptoCert *
best(const Setup *setup, const MlAccount *account, gboolean (*fits)(CryptoCert *cert))
{
  CryptoCert *found = NULL;
  for (guint i = 0; i < setup->certs->len; i++) {
    const CryptoCertEntry *entry = setup->certs->pdata[i];
    if (fits(entry->cert) && is_valid_now(entry->cert) && !is_retired(entry) && is_of_account(account, entry->cert) &&
        (!found || crypto_cert_not_after(entry->cert) > crypto_cert_not_after(found)))
      found = entry->cert;
  }
  return found;
}

static void
offer(Setup *setup, const MlAccount *account, const char *key, const char *now, CryptoCert *cert)
{
  UiCli *cli = setup->cli;
  g_autoptr(GError) error = NULL;
  if (!cert)
    return;
  const char *sha256 = crypto_cert_sha256(cert);
  gboolean same = now && !g_ascii_strcasecmp(now, sha256);
  setup->offered++;
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "kind", "setting");
    ui_json_string(json, "account", account->name);
    ui_json_string(json, "key", key);
    ui_json_string(json, "value", sha256);
    ui_json_bool(json, "set", same);
    ui_json_print(json);
  } else {
    g_autofree char *line = g_strdup_printf("[account %s] %s = %s%s", account->name, key, sha256, same ? "  (set)" : "");
    puts(line);
  }
  g_autofree char *question = g_strdup_printf("Write %s of [account %s] into %s? (y/n)", key, account->name,
                                              cli->config->file);
  if (same || !(setup->options->write || (!cli->json && ui_cli_confirm(cli, question))))
    return;
  if (ml_config_edit(cli->config->file, account->name, key, sha256, &error)) {
    setup->written++;
    return;
  }
  ui_cli_error(cli, "%s", error->message);
  setup->failed = TRUE;
}

static void
print_bare_keys(UiCli *cli, const char *token)
{
  g_autoptr(GPtrArray) keys = crypto_token_bare_keys(token, NULL);
  for (guint i = 0; keys && i < keys->len; i++) {
    const char *words = keys->pdata[i];
    if (cli->json) {
      JsonBuilder *json = ui_json_new();
      ui_json_string(json, "kind", "key");
      ui_json_string(json, "token", token);
      ui_json_string(json, "key", words);
      ui_json_print(json);
      continue;
    }
    g_autofree char *line = g_strdup_printf("%-16s  %s: a private key without a certificate on the card", "-", words);
    g_autofree char *safe = ui_text_line(line);
    puts(safe);
  }
}

/* Of CryptoCertEntry, borrowed of @all. */
static void
take_own(GPtrArray *certs, GPtrArray *all, const char *token)
{
  for (guint i = 0; i < all->len; i++) {
    const CryptoCertEntry *entry = all->pdata[i];
    if ((entry->flags & CRYPTO_CERT_OWN) && !strcmp(entry->token, token))
      g_ptr_array_add(certs, all->pdata[i]);
  }
}

int
ui_cmd_token_setup(UiCli *cli, const UiTokenOptions *options, const char *token)
{
  int code = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  if (!ui_cli_crypto(cli, FALSE, FALSE, TRUE, &code))
    return code;
  g_autoptr(CryptoToken) found = crypto_token_find(token, &error);
  g_autoptr(GPtrArray) all = found ? crypto_certdb_list(FALSE, &error) : NULL;
  if (!all)
    return ui_cmd_token_fail(cli, error);
  g_autoptr(GPtrArray) certs = g_ptr_array_new();
  Setup setup = { .cli = cli, .options = options, .certs = certs };
  take_own(certs, all, token);
  if (!certs->len && found->needs_login) { /* some cards show nothing before the PIN */
    if (!crypto_token_login(token, ui_cli_pin_source(cli), &error))
      return ui_cmd_token_fail(cli, error);
    g_ptr_array_unref(all);
    all = crypto_certdb_list(FALSE, &error);
    if (!all)
      return ui_cmd_token_fail(cli, error);
    take_own(certs, all, token);
  }
  for (guint i = 0; i < certs->len; i++)
    print_cert(cli, certs->pdata[i]);
  for (guint i = 0; i < cli->config->accounts->len; i++) {
    const MlAccount *account = cli->config->accounts->pdata[i];
    CryptoCert *sign = best(&setup, account, crypto_cert_can_sign);
    offer(&setup, account, "sign-cert", account->sign_cert, sign);
    offer(&setup, account, "encrypt-cert", account->encrypt_cert, best(&setup, account, crypto_cert_can_encrypt));
    if (options->tls && account->kind == ML_ACCOUNT_IMAP)
      offer(&setup, account, "tls-cert", account->tls_cert, sign);
  }
  print_bare_keys(cli, token);
  if (!certs->len)
    ui_cli_error(cli, "there is no certificate with its key on %s: import yours (signet cert import FILE), or request one "
                      "for a new key there (signet cert request)", token);
  else if (!setup.offered)
    ui_cli_error(cli, "no account has an address of these certificates that are valid today");
  if (setup.written && !cli->json)
    printf("%u written to %s.\n", setup.written, cli->config->file);
  return setup.failed ? UI_EXIT_CONFIG : setup.offered ? UI_EXIT_OK : UI_EXIT_NO;
}
