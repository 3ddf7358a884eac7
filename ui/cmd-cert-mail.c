#include <stdio.h>
#include <string.h>

#include "mail/draft.h"
#include "mail/recipients.h"
#include "ui/cert-mail.h"
#include "ui/cmd-cert-private.h"
#include "ui/commands.h"
#include "ui/text.h"

/* signet cert harvest: whose certificates mail brought. */

typedef struct {
  UiCli *cli;
  MlPeople *people;
  GHashTable *addresses; /* of those who signed, in this run */
  guint signed_mail, good;
  GError *error;
} Harvest;

static gboolean
harvest_one(const MlHeader *header, GBytes *raw, gint64 received, gpointer data)
{
  Harvest *harvest = data;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(MlMessage) message = ui_cert_mail_read(raw, received, ml_config_revocation(harvest->cli->config), harvest->people);
  if (!message)
    return TRUE;
  harvest->signed_mail++;
  if (ml_message_verdict(message)->signature != ML_SIGNATURE_VALID)
    return TRUE;
  harvest->good++;
  const char *id = header->message_id && *header->message_id ? header->message_id : NULL;
  g_autofree char *digest = id ? NULL : g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, raw);
  ml_people_note(harvest->people, message, id ? id : digest, now, &harvest->error);
  for (char **address = ml_message_from_addresses(message); *address; address++)
    g_hash_table_add(harvest->addresses, g_strdup(*address));
  return harvest->error == NULL;
}

static void
tell(const Harvest *harvest, const char *address, const MlBrought *brought, const char *state)
{
  g_autoptr(CryptoCertEntry) entry = g_new0(CryptoCertEntry, 1);
  entry->cert = crypto_cert_ref(brought->cert);
  if (harvest->cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "address", address);
    ui_json_string(json, "state", state);
    ui_json_string(json, "source", "mail");
    ui_json_time(json, "brought", brought->at);
    ui_cmd_cert_fields(json, entry);
    ui_json_print(json);
  } else {
    ui_cmd_cert_line(entry, state);
  }
}

/* The newest one that a trusted authority issued; what composing would offer. */
static gboolean
accept_for(Harvest *harvest, const char *address, GError **error)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(GPtrArray) mailboxes = g_ptr_array_new();
  MlMailbox mailbox = { .address = (char *)address };
  g_ptr_array_add(mailboxes, &mailbox);
  g_autoptr(GPtrArray) rows =
      ml_recipients_find(harvest->people, mailboxes, now, ml_config_revocation(harvest->cli->config), error);
  if (!rows)
    return FALSE;
  MlRecipient *row = rows->len ? rows->pdata[0] : NULL;
  return !row || row->state != ML_CERT_CANDIDATE ||
         ml_recipients_accept(harvest->people, row, now, ui_cli_pin_source(harvest->cli), error);
}

static int
tell_all(Harvest *harvest, gboolean accept)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GList) addresses = g_list_sort(g_hash_table_get_keys(harvest->addresses), (GCompareFunc)strcmp);
  for (GList *l = addresses; l; l = l->next) {
    const char *address = l->data;
    if (accept && !accept_for(harvest, address, &error))
      return ui_cmd_cert_fail(harvest->cli, error);
    g_autoptr(GPtrArray) accepted = ml_people_accepted(harvest->people, address, NULL);
    g_autoptr(GPtrArray) all = ml_people_brought(harvest->people, address, &error);
    if (!all)
      return ui_cmd_cert_fail(harvest->cli, error);
    for (guint i = 0; i < all->len; i++) {
      const MlBrought *brought = all->pdata[i];
      gboolean yes = accepted && g_ptr_array_find_with_equal_func(accepted, crypto_cert_sha256(brought->cert),
                                                                  g_str_equal, NULL);
      g_autoptr(CryptoCertEntry) here = crypto_certdb_find(crypto_cert_sha256(brought->cert), NULL);
      tell(harvest, address, brought, yes || here ? "kept" : "candidate");
    }
  }
  if (!harvest->cli->json)
    fprintf(stderr, "%u signed message%s read, %u with a good signature.\n", harvest->signed_mail,
            harvest->signed_mail == 1 ? "" : "s", harvest->good);
  return UI_EXIT_OK;
}

static int
harvest_folders(Harvest *harvest, int argc, char **argv)
{
  int code = UI_EXIT_OK;
  for (int i = 1; i < argc; i++) {
    g_autoptr(GError) error = NULL;
    /* "account/folder" where such an account is; else a folder of -A's, or the first */
    const char *slash = strchr(argv[i], '/'), *folder = argv[i];
    g_autofree char *prefix = slash ? g_strndup(argv[i], (gsize)(slash - argv[i])) : NULL;
    const MlAccount *named = prefix ? ml_config_account(harvest->cli->config, prefix) : NULL;
    MlAccount *account = named ? (MlAccount *)named : ui_cli_account(harvest->cli, &code);
    if (named)
      folder = slash + 1;
    g_autoptr(MlDriver) driver = account ? ui_cli_driver(harvest->cli, account, &code) : NULL;
    if (!driver)
      return code;
    if (!ui_cert_mail_each(driver, folder, ML_HINT_SIGNED, harvest_one, harvest, &error)) {
      const GError *why = error ? error : harvest->error;
      ui_cli_error(harvest->cli, "%s: %s", argv[i], why->message);
      return ui_cli_exit_for(why);
    }
  }
  return UI_EXIT_OK;
}

int
ui_cmd_cert_harvest(UiCli *cli, int argc, char **argv)
{
  gboolean accept = FALSE;
  const UiOption options[] = { { "accept", 0, UI_OPTION_FLAG, &accept },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert harvest", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code >= 0)
    return code;
  if (argc < 2) {
    ui_cli_error(cli, "say which folders: signet cert harvest INBOX");
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_config(cli, &code) || !ui_cli_crypto(cli, TRUE, TRUE, FALSE, &code))
    return code;
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(cli->data_dir, "people.db", NULL);
  g_mkdir_with_parents(cli->data_dir, 0700);
  g_autoptr(MlPeople) people = ml_people_open(file, &error);
  if (!people) {
    ui_cli_error(cli, "%s", error->message);
    return UI_EXIT_IO;
  }
  Harvest harvest = { .cli = cli, .people = people };
  harvest.addresses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  code = harvest_folders(&harvest, argc, argv);
  if (code == UI_EXIT_OK)
    code = tell_all(&harvest, accept);
  g_hash_table_unref(harvest.addresses);
  g_clear_error(&harvest.error);
  return code;
}
