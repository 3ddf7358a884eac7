#include "ui/cert-account.h"

#include <string.h>

#include "mail/config-edit.h"
#include "mail/recipients.h"

static gboolean
names(CryptoCert *cert, const char *address)
{
  for (const char *const *a = crypto_cert_addresses(cert); *a; a++)
    if (!g_ascii_strcasecmp(*a, address))
      return TRUE;
  return FALSE;
}

gboolean
ui_cert_account_has(const MlAccount *account, CryptoCert *cert)
{
  if (account->address && names(cert, account->address))
    return TRUE;
  for (char **also = account->also; *also; also++)
    if (names(cert, *also))
      return TRUE;
  return FALSE;
}

void
ui_cert_account_free(UiCertAccount *move)
{
  g_free(move->why_not);
  g_free(move);
}

static gboolean
is_another(const char *named, CryptoCert *cert)
{
  return named && g_ascii_strcasecmp(named, "auto") != 0 && g_ascii_strcasecmp(named, crypto_cert_sha256(cert)) != 0;
}

/* The address of @account's that the certificate is for. */
static const char *
common_address(const MlAccount *account, CryptoCert *cert)
{
  if (account->address && names(cert, account->address))
    return account->address;
  for (char **also = account->also; *also; also++)
    if (names(cert, *also))
      return *also;
  return NULL;
}

static UiCertAccount *
look(const MlConfig *config, const MlAccount *account, CryptoCert *cert, gint64 now)
{
  UiCertAccount *move = g_new0(UiCertAccount, 1);
  CryptoUse use = crypto_cert_can_sign(cert) ? CRYPTO_USE_SIGN : CRYPTO_USE_ENCRYPT;
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCert) used = NULL;

  move->account = account;
  move->names_another = (crypto_cert_can_sign(cert) && is_another(account->sign_cert, cert)) ||
                        (crypto_cert_can_encrypt(cert) && is_another(account->encrypt_cert, cert));
  /* asked for without an account: what the newest valid one is */
  used = ml_recipients_own(NULL, common_address(account, cert), NULL, use, now, ml_config_revocation(config),
                           &error);
  gboolean best = used && !strcmp(crypto_cert_sha256(used), crypto_cert_sha256(cert));
  move->takes = best && !move->names_another;
  if (!best && !used)
    move->why_not = g_strdup(error->message);
  else if (!best)
    move->why_not = g_strdup_printf("Another certificate for the same address is newer, and stays in use: it is valid until "
                                    "its own end. u here, or signet cert use, names this one instead.");
  return move;
}

GPtrArray *
ui_cert_accounts_for(const MlConfig *config, CryptoCert *cert, gint64 now)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)ui_cert_account_free);
  if (crypto_cert_can_sign(cert) || crypto_cert_can_encrypt(cert))
    for (guint i = 0; i < config->accounts->len; i++)
      if (ui_cert_account_has(config->accounts->pdata[i], cert))
        g_ptr_array_add(all, look(config, config->accounts->pdata[i], cert, now));
  return all;
}

gboolean
ui_cert_account_write(const MlConfig *config, const MlAccount *account, CryptoCert *cert, gboolean sign,
                      gboolean encrypt, GError **error)
{
  const char *value = cert ? crypto_cert_sha256(cert) : "auto";

  if (sign && (!cert || crypto_cert_can_sign(cert)) &&
      !ml_config_edit(config->file, account->name, "sign-cert", value, error))
    return FALSE;
  return !(encrypt && (!cert || crypto_cert_can_encrypt(cert))) ||
         ml_config_edit(config->file, account->name, "encrypt-cert", value, error);
}
