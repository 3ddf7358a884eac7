#include "ui/opened.h"

enum { BATCH = 50, BATCH_SIZE = 4 * 1024 * 1024 };

void
ui_opened_end(UiCli *cli)
{
  g_autoptr(GPtrArray) texts = g_steal_pointer(&cli->opened);
  g_autoptr(GError) error = NULL;

  cli->opened_size = 0;
  if (!texts)
    return;
  g_autofree char *directory = g_build_filename(cli->data_dir, "store", NULL);
  CryptoRevocationMode mode = ml_config_revocation(cli->config);
  if (ml_opened_keep(directory, cli->opened_of, texts, mode, &error))
    return;
  ui_cli_error(cli, "%s: %s", cli->opened_of->name, error->message);
  if (g_error_matches(error, ML_ERROR, ML_ERROR_STORE)) /* a file that was damaged is another one now */
    (void)!ml_opened_keep(directory, cli->opened_of, texts, mode, NULL);
}

void
ui_opened_take(UiCli *cli, const MlAccount *account, MlOpenedText *text)
{
  if (!text)
    return;
  if (cli->opened && cli->opened_of != account)
    ui_opened_end(cli);
  if (!cli->opened)
    cli->opened = g_ptr_array_new_with_free_func((GDestroyNotify)ml_opened_text_free);
  cli->opened_of = account;
  cli->opened_size += ml_opened_text_size(text);
  g_ptr_array_add(cli->opened, text);
  if (cli->opened->len >= BATCH || cli->opened_size >= BATCH_SIZE)
    ui_opened_end(cli);
}

void
ui_opened_note(UiCli *cli, const MlMessage *message)
{
  const MlAccount *account = cli->place.account;

  if (account && account->index_encrypted)
    ui_opened_take(cli, account, ml_opened_text(message, cli->place.folder, cli->place.uidvalidity, cli->place.uid));
  else if (account)
    ui_opened_settle(cli, account);
}

/* Where the system's policy cannot be read, nobody knows what it says of this: then nothing is put in or taken away. */
void
ui_opened_settle(UiCli *cli, const MlAccount *account)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(cli->data_dir, "store", NULL);
  gboolean any = FALSE;

  if (account->index_encrypted || cli->config->policy->broken)
    return;
  if (!ml_opened_remove(directory, account, &any, &error))
    ui_cli_error(cli, "%s", error->message);
  else if (any)
    ui_cli_error(cli, "%s: index-encrypted is off: what was kept of encrypted mail is deleted.",
                 account->name);
}
