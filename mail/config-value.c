#include "mail/config-private.h"

#include <string.h>

#include "mail/error.h"

gboolean
ml_config_is_secret(const char *name)
{
  static const char *const secrets[] = { "password", "pass", "passwd", "secret", "pin", "token", NULL };
  for (guint i = 0; secrets[i]; i++) {
    if (g_ascii_strcasecmp(name, secrets[i]) == 0)
      return TRUE;
    /* imap-password, smtp_pass */
    size_t length = strlen(name), tail = strlen(secrets[i]);
    if (length > tail + 1 && (name[length - tail - 1] == '-' || name[length - tail - 1] == '_') &&
        g_ascii_strcasecmp(name + length - tail, secrets[i]) == 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
ml_config_valid_name(const char *name)
{
  if (!*name || strlen(name) > ML_CONFIG_NAME || !g_utf8_validate(name, -1, NULL) || *name == '.' || *name == '-')
    return FALSE;
  for (const char *p = name; *p; p++)
    if ((guchar)*p < 0x80 && !g_ascii_isalnum(*p) && !strchr("._-@+", *p))
      return FALSE;
  return TRUE;
}

void
ml_config_add_list(char ***field, const char *value)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (char **p = *field; *p; p++)
    g_ptr_array_add(all, *p);
  g_auto(GStrv) more = g_strsplit(value, ",", 256);
  for (char **p = more; *p; p++)
    if (*g_strstrip(*p))
      g_ptr_array_add(all, g_strdup(*p));
  g_ptr_array_add(all, NULL);
  g_free(*field);
  *field = (char **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
}

/* ~ is the home; what is relative is so to the configuration's folder. */
char *
ml_config_path(const char *config_file, const char *value)
{
  if (strcmp(value, "~") == 0)
    return g_strdup(g_get_home_dir());
  if (g_str_has_prefix(value, "~/"))
    return g_build_filename(g_get_home_dir(), value + 2, NULL);
  g_autofree char *folder = g_path_get_dirname(config_file);
  return g_canonicalize_filename(value, folder);
}

MlAccount *
ml_config_account_new(const char *name)
{
  MlAccount *account = g_new0(MlAccount, 1);
  account->name = g_strdup(name);
  account->also = g_new0(char *, 1);
  account->sign = g_strdup("ask");
  account->encrypt = g_strdup("ask");
  account->hide_headers = g_strdup("baseline");
  account->keep = g_strdup("read");
  account->keep_days = 90;
  account->flowed = TRUE;
  account->undo_send = 10;
  return account;
}

void
ml_config_account_free(MlAccount *account)
{
  if (!account)
    return;
  g_strfreev(account->also);
  char *strings[] = { account->name,         account->address,
                      account->display_name, account->imap.host,
                      account->imap.user,    account->path,
                      account->smtp.host,    account->smtp.user,
                      account->sendmail,     account->password_command,
                      account->auth,         account->tls_cert, account->compress,
                      account->sign,         account->encrypt,
                      account->sign_cert,    account->encrypt_cert, account->archive_cert,
                      account->policy_archive,
                      account->sent,         account->drafts,
                      account->trash,        account->archive,
                      account->hide_headers, account->signature, account->keep };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  g_free(account);
}

/* What an account needs to be one. */
gboolean
ml_config_account_whole(const MlAccount *account, GError **error)
{
  const char *wrong = !account->imap.host && !account->path
                          ? "does not say where its mail is: give one of imap = imaps://user@host, maildir = FOLDER or "
                            "mbox = FILE"
                      : account->imap.host && account->path
                          ? "has more than one place for its mail: keep one of imap, maildir and mbox"
                      : account->smtp.host && account->sendmail ? "has both smtp and sendmail: keep one"
                                                                : NULL;
  if (wrong)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_CONFIG, wrong);
  return wrong == NULL;
}

CryptoRevocationMode
ml_config_revocation(const MlConfig *config)
{
  return g_strcmp0(config->revocation, "off") == 0    ? CRYPTO_REVOCATION_OFF
         : g_strcmp0(config->revocation, "hard") == 0 ? CRYPTO_REVOCATION_HARD
                                                      : CRYPTO_REVOCATION_SOFT;
}

MlAccount *
ml_config_account(const MlConfig *config, const char *name)
{
  if (!name)
    return config->accounts->len ? g_ptr_array_index(config->accounts, 0) : NULL;
  for (guint i = 0; i < config->accounts->len; i++) {
    MlAccount *account = g_ptr_array_index(config->accounts, i);
    if (strcmp(account->name, name) == 0)
      return account;
  }
  return NULL;
}
