#include "ui/verify-options.h"

#include <string.h>

#include "mail/fetch.h"
#include "mail/folder.h"
#include "mail/people.h"
#include "ui/opened.h"

void
ui_verify_options_table(UiVerifyOptions *options, UiOption *into)
{
  const UiOption rows[UI_VERIFY_OPTIONS] = {
    { "trust", 0, UI_OPTION_LIST, &options->trust },
    { "certs", 0, UI_OPTION_LIST, &options->certs },
    { "key", 0, UI_OPTION_LIST, &options->keys },
    { "password-file", 0, UI_OPTION_LIST, &options->password_files },
    { "crl", 0, UI_OPTION_LIST, &options->crls },
    { "at", 0, UI_OPTION_STRING, &options->at },
    { "revocation", 0, UI_OPTION_STRING, &options->revocation },
    { "online", 0, UI_OPTION_FLAG, &options->online },
    { NULL, 0, 0, NULL },
  };
  memcpy(into, rows, sizeof rows);
}

static gboolean
fail(UiCli *cli, const char *file, const GError *error, int *code)
{
  ui_cli_error(cli, "%s: %s", file, error->message);
  *code = ui_cli_exit_for(error);
  return FALSE;
}

typedef gboolean (*AddFunc)(GBytes *file, GError **error);

static gboolean
add_files(UiCli *cli, GPtrArray *files, AddFunc add, int *code)
{
  for (guint i = 0; files && i < files->len; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = ui_cli_read_file(files->pdata[i], &error);
    if (!bytes || !add(bytes, &error))
      return fail(cli, files->pdata[i], error, code);
  }
  return TRUE;
}

/* The n-th password belongs to the n-th key. */
static gboolean
add_keys(UiVerifyOptions *options, UiCli *cli, int *code)
{
  for (guint i = 0; options->keys && i < options->keys->len; i++) {
    const char *file = options->keys->pdata[i];
    g_autoptr(GError) error = NULL;
    char *password = NULL;
    if (options->password_files && i < options->password_files->len) {
      password = ui_cli_read_secret_file(options->password_files->pdata[i], &error);
    } else {
      g_autofree char *question = g_strdup_printf("Password of %s:", file);
      password = ui_cli_secret(cli, question, "--password-file FILE", &error);
    }
    if (!password)
      return fail(cli, file, error, code);
    g_autoptr(GBytes) bytes = ui_cli_read_file(file, &error);
    gboolean added = bytes && crypto_session_add_pkcs12(bytes, password, &error);
    crypto_pin_wipe(password);
    if (!added)
      return fail(cli, file, error, code);
  }
  return TRUE;
}

static gboolean
add_candidates(UiVerifyOptions *options, UiCli *cli, int *code)
{
  options->candidates = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  for (guint i = 0; options->certs && i < options->certs->len; i++) {
    const char *file = options->certs->pdata[i];
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = ui_cli_read_file(file, &error);
    g_autoptr(GPtrArray) certs = bytes ? crypto_certs_parse(bytes, &error) : NULL;
    if (!certs)
      return fail(cli, file, error, code);
    for (guint c = 0; c < certs->len; c++)
      g_ptr_array_add(options->candidates, crypto_cert_ref(certs->pdata[c]));
  }
  return TRUE;
}

/* What policy locks is the least: an option may ask for more. */
static gboolean
may_choose(UiCli *cli, CryptoRevocationMode mode, int *code)
{
  static const char *const words[] = { "off", "soft", "hard" };
  const MlPolicyValue *locked = cli->config ? &cli->config->policy->values[ML_POLICY_REVOCATION] : NULL;
  for (guint i = mode + 1; locked && locked->locked && locked->value && i < G_N_ELEMENTS(words); i++)
    if (strcmp(locked->value, words[i]) == 0) {
      ui_cli_error(cli, "--revocation %s is weaker than revocation = %s, which %s locks: leave the option out",
                   words[mode], words[i], locked->where);
      *code = UI_EXIT_PERMISSION;
      return FALSE;
    }
  return TRUE;
}

static gboolean
read_mode(UiVerifyOptions *options, UiCli *cli, int *code)
{
  static const char *const words[] = { "off", "soft", "hard" };
  const char *word = options->revocation ? options->revocation : cli->config ? cli->config->revocation : NULL;
  if (!word)
    word = "soft";
  for (guint i = 0; i < G_N_ELEMENTS(words); i++)
    if (strcmp(word, words[i]) == 0) {
      if (!may_choose(cli, (CryptoRevocationMode)i, code))
        return FALSE;
      options->read.revocation = (CryptoRevocationMode)i;
      return TRUE;
    }
  ui_cli_error(cli, "--revocation takes off, soft or hard, not %s", word);
  *code = UI_EXIT_USAGE;
  return FALSE;
}

/* Only looked into: to verify remembers nothing, or a script that runs twice would change what the screen says. */
static void
open_people(UiVerifyOptions *options, UiCli *cli)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(cli->data_dir, "people.db", NULL);
  options->people = ml_people_open_to_read(file, &error);
  if (error)
    ui_cli_error(cli, "%s", error->message);
  options->read.people = options->people;
}

gint64
ui_verify_options_received(const UiVerifyOptions *options, GBytes *bytes, gint64 received)
{
  if (received || !options->people)
    return received;
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  MlHeader *header = ml_header_parse(data, length); /* its digest must fit too */
  if (header->message_id && *header->message_id)
    received = ml_people_first_seen(options->people, header->message_id, bytes);
  ml_header_free(header);
  return received;
}

MlMessage *
ui_verify_options_read(const UiVerifyOptions *options, UiCli *cli, GBytes *bytes, gint64 received,
                       GError **error)
{
  MlReadOptions read = options->read;
  read.received = ui_verify_options_received(options, bytes, received);
  MlMessage *message = ml_message_read(bytes, &read, cli->cancellable, error);
  if (message)
    ui_opened_note(cli, message);
  return message;
}

gboolean
ui_verify_options_apply(UiVerifyOptions *options, UiCli *cli, int *code)
{
  if (options->online && cli->offline) {
    ui_cli_error(cli, "--online and --offline: which of the two?");
    *code = UI_EXIT_USAGE;
    return FALSE;
  }
  if (options->password_files && (!options->keys || options->password_files->len > options->keys->len)) {
    ui_cli_error(cli, "there are more --password-file than --key: the n-th password is for the n-th key");
    *code = UI_EXIT_USAGE;
    return FALSE;
  }
  options->read.at = options->at ? ui_cli_parse_time(options->at) : g_get_real_time() / G_USEC_PER_SEC;
  if (options->read.at < 0) {
    ui_cli_error(cli, "--at takes a time like 2026-11-22T10:00:00Z, not %s", options->at);
    *code = UI_EXIT_USAGE;
    return FALSE;
  }
  if (!ui_cli_config(cli, code) || !read_mode(options, cli, code))
    return FALSE;
  if (!ui_cli_crypto(cli, FALSE, TRUE, TRUE, code) ||
      !add_files(cli, options->trust, crypto_session_add_roots, code) ||
      !add_files(cli, options->crls, crypto_session_add_crls, code) || !add_keys(options, cli, code) ||
      !add_candidates(options, cli, code))
    return FALSE;
  if (options->online) {
    options->asker =
        ml_fetch_asker(cli->config, CRYPTO_ASK_CRL | CRYPTO_ASK_OCSP | CRYPTO_ASK_ISSUER, cli->cancellable);
    options->read.asker = &options->asker;
  }
  open_people(options, cli);
  options->read.certs = options->candidates;
  options->read.pin = ui_cli_pin_source(cli);
  return TRUE;
}

void
ui_verify_options_clear(UiVerifyOptions *options)
{
  GPtrArray **lists[] = { &options->trust,          &options->certs, &options->keys,
                          &options->password_files, &options->crls,  &options->candidates };
  for (guint i = 0; i < G_N_ELEMENTS(lists); i++)
    g_clear_pointer(lists[i], g_ptr_array_unref);
  g_clear_pointer(&options->people, ml_people_free);
  g_free(options->at);
  g_free(options->revocation);
}
