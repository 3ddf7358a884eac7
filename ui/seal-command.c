#include "ui/seal-command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/mapping.h"
#include "mail/people.h"
#include "mail/seal.h"
#include "ui/json.h"

typedef struct {
  const UiSealOptions *given;
  const char *input;
  MlDraft policy;
  MlSealOptions seal;
  CryptoCipher chosen;
  MlPeople *people;
  char *from;
  GPtrArray *rows;    /* of MlRecipient: that it is encrypted to */
  GPtrArray *readers; /* of MlRecipient: of one that is signed alone */
} Run;

static void
run_clear(Run *run)
{
  g_free(run->from);
  g_clear_pointer(&run->rows, g_ptr_array_unref);
  g_clear_pointer(&run->readers, g_ptr_array_unref);
  crypto_cert_unref(run->seal.signer);
  crypto_cert_unref(run->seal.encryption);
  ml_people_free(run->people);
}

static int
fail(UiCli *cli, const char *input, const GError *error)
{
  if (g_error_matches(error, CRYPTO_ERROR,
                      CRYPTO_ERROR_CANCELLED)) /* nobody could be asked, and that was said */
    return UI_EXIT_PERMISSION;
  ui_cli_error(cli, "%s: %s", input, error->message);
  return ui_cli_exit_for(error);
}

static gboolean
choose_words(UiCli *cli, Run *run)
{
  static const char *const hides[] = { "baseline", "shy", "none", NULL };
  static const struct {
    const char *name;
    CryptoCipher cipher;
  } ciphers[] = { { "aes-256-gcm", CRYPTO_CIPHER_AES256_GCM },
                  { "aes-256-cbc", CRYPTO_CIPHER_AES256_CBC },
                  { "aes-128-gcm", CRYPTO_CIPHER_AES128_GCM },
                  { "aes-128-cbc", CRYPTO_CIPHER_AES128_CBC } };
  guint i = 0;
  while (run->given->hide && hides[i] && strcmp(run->given->hide, hides[i]) != 0)
    i++;
  if (!hides[i]) {
    ui_cli_error(cli, "--hide takes baseline, shy or none, not %s", run->given->hide);
    return FALSE;
  }
  run->policy.hide = (MlHeaderPolicy)i;
  for (i = 0;
       run->given->cipher && i < G_N_ELEMENTS(ciphers) && strcmp(run->given->cipher, ciphers[i].name) != 0;)
    i++;
  if (i == G_N_ELEMENTS(ciphers)) {
    ui_cli_error(cli, "--cipher takes aes-256-gcm, aes-256-cbc, aes-128-gcm or aes-128-cbc, not %s",
                 run->given->cipher);
    return FALSE;
  }
  run->chosen = ciphers[i].cipher;
  run->seal.cipher = run->given->cipher ? &run->chosen : NULL;
  return TRUE;
}

static GPtrArray *
typed_mailboxes(const GPtrArray *typed)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_mailbox_free);
  for (guint i = 0; typed && i < typed->len; i++) {
    MlMailbox *mailbox = g_new0(MlMailbox, 1);
    mailbox->address = g_strdup(typed->pdata[i]);
    mailbox->display = g_strdup(typed->pdata[i]);
    g_ptr_array_add(all, mailbox);
  }
  return all;
}

static gboolean
add_files(UiCli *cli, Run *run, int *code)
{
  for (guint i = 0; run->given->files && i < run->given->files->len; i++) {
    const char *file = run->given->files->pdata[i];
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = ui_cli_read_file(file, &error);
    g_autoptr(GPtrArray) certs = bytes ? crypto_certs_parse(bytes, &error) : NULL;
    if (!certs) {
      *code = fail(cli, file, error);
      return FALSE;
    }
    CryptoCert *cert = NULL; /* the first that is no authority's: chains may come along */
    for (guint c = 0; c < certs->len && !cert; c++)
      cert = crypto_cert_is_authority(certs->pdata[c]) ? NULL : certs->pdata[c];
    if (!cert && certs->len == 0) {
      ui_cli_error(cli, "%s: there is no certificate in it", file);
      *code = UI_EXIT_DATA;
      return FALSE;
    }
    g_ptr_array_add(run->rows, ml_recipients_from_cert(cert ? cert : certs->pdata[0], "file", run->seal.now,
                                                       run->seal.revocation));
  }
  return TRUE;
}

static void
open_people(UiCli *cli, Run *run)
{
  g_autofree char *file = g_build_filename(cli->data_dir, "people.db", NULL);
  if (!run->people && g_file_test(file, G_FILE_TEST_EXISTS))
    run->people = ml_people_open(file, NULL);
}

/* Everybody that it is encrypted to, the sender too where he can be. */
static gboolean
find_recipients(UiCli *cli, Run *run, const MlAccount *account, GPtrArray *mailboxes, int *code)
{
  g_autoptr(GError) error = NULL;
  open_people(cli, run);
  run->rows = ml_recipients_find(run->people, mailboxes, run->seal.now, run->seal.revocation, &error);
  if (!run->rows) {
    *code = fail(cli, run->input, error);
    return FALSE;
  }
  if (!add_files(cli, run, code))
    return FALSE;
  if (run->rows->len == 0) {
    ui_cli_error(cli,
                 "%s: nobody to encrypt to: it has no To or Cc; give --to ADDRESS or --recipient-cert FILE",
                 run->input);
    *code = UI_EXIT_USAGE;
    return FALSE;
  }
  for (guint i = 0; i < run->rows->len; i++) {
    const MlRecipient *row = run->rows->pdata[i];
    if (row->state == ML_CERT_READY)
      continue;
    ui_cli_error(cli, "%s: %s", *row->address ? row->address : row->display, row->reason);
    *code = UI_EXIT_NO;
  }
  if (*code != UI_EXIT_OK)
    return FALSE;
  guint before = run->rows->len;
  const char *archive = ml_policy_value(cli->config->policy, ML_POLICY_ARCHIVE_CERT);
  if (!run->given->no_self && run->from)
    ml_recipients_add_own(run->rows, account, run->from, run->seal.now, run->seal.revocation);
  if (archive)
    ml_recipients_add_archive(run->rows, archive, run->seal.now, run->seal.revocation);
  for (guint i = run->rows->len; i-- > before;) {
    MlRecipient *row = run->rows->pdata[i];
    if (row->state == ML_CERT_READY)
      continue;
    ui_cli_error(cli, "%s%s", row->reason,
                 row->self ? " To encrypt without a copy for yourself: --no-self" : "");
    *code = UI_EXIT_NO;
    return FALSE;
  }
  run->seal.recipients = run->rows;
  return TRUE;
}

static gboolean
find_signer(UiCli *cli, Run *run, const MlAccount *account, GPtrArray *mailboxes, int *code)
{
  g_autoptr(GError) error = NULL;
  if (!run->from) {
    ui_cli_error(cli,
                 "%s: the message has not exactly one author in its From, so nobody's signature would fit it",
                 run->input);
    *code = UI_EXIT_DATA;
    return FALSE;
  }
  run->seal.signer = ml_recipients_own(account, run->from, run->given->cert, CRYPTO_USE_SIGN, run->seal.now,
                                       run->seal.revocation, &error);
  if (!run->seal.signer) {
    *code = fail(cli, run->input, error);
    return FALSE;
  }
  run->seal.encryption = ml_recipients_own(account, run->from, NULL, CRYPTO_USE_ENCRYPT, run->seal.now,
                                           run->seal.revocation, NULL);
  if (run->given->encrypt)
    return TRUE;
  open_people(cli, run);
  run->readers =
      ml_recipients_readers(run->people, mailboxes, account, run->from, run->seal.now, run->seal.revocation);
  run->seal.recipients = run->readers;
  return TRUE;
}

static gboolean
write_pieces(FILE *file, GBytes *bytes)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  while (length > 0) {
    gsize part = MIN(length, (gsize)1 << 20);
    if (fwrite(data, 1, part, file) != part)
      return FALSE;
    crypto_mapping_release(data, data + part);
    data += part;
    length -= part;
  }
  return fflush(file) == 0;
}

static int
write_output(UiCli *cli, const char *output, GBytes *bytes)
{
  if (!output || strcmp(output, "-") == 0) {
    if (write_pieces(stdout, bytes))
      return UI_EXIT_OK;
    ui_cli_error(cli, "standard output: %s", g_strerror(errno));
    return UI_EXIT_IO;
  }
  /* Whole or not at all. */
  g_autofree char *part = g_strconcat(output, ".XXXXXX", NULL);
  int fd = g_mkstemp_full(part, O_RDWR | O_CLOEXEC, 0600);
  FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
  gboolean good = file && write_pieces(file, bytes) && fsync(fd) == 0;
  int number = errno;
  if (file && fclose(file) != 0)
    good = FALSE;
  if (good && rename(part, output) == 0)
    return UI_EXIT_OK;
  ui_cli_error(cli, "%s: %s", output, g_strerror(good ? errno : number));
  if (fd >= 0)
    unlink(part);
  return UI_EXIT_IO;
}

static void
print_json(const Run *run, GBytes *bytes, GPtrArray *notes)
{
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "input", run->input);
  ui_json_string(json, "output", run->given->output);
  ui_json_int(json, "size", (gint64)g_bytes_get_size(bytes));
  ui_json_string(json, "signer", run->seal.signer ? crypto_cert_sha256(run->seal.signer) : NULL);
  const char *digest = run->seal.signer ? crypto_cms_sign_digest(run->seal.signer, run->given->digest) : NULL;
  ui_json_string(json, "digest", digest ? ml_policy_digest(run->seal.rules, digest, FALSE, NULL) : NULL);
  ui_json_array(json, "recipients");
  for (guint i = 0; run->rows && i < run->rows->len; i++) {
    const MlRecipient *row = run->rows->pdata[i];
    ui_json_object(json, NULL);
    ui_json_string(json, "address", row->address);
    ui_json_string(json, "sha256", crypto_cert_sha256(row->cert));
    ui_json_string(json, "source", row->source);
    ui_json_bool(json, "self", row->self);
    ui_json_bool(json, "archive", row->archive);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
  ui_json_array(json, "notes");
  for (guint i = 0; notes && i < notes->len; i++)
    json_builder_add_string_value(json, notes->pdata[i]);
  json_builder_end_array(json);
  ui_json_print(json);
}

/* -A, else the one that the author's address belongs to; NULL: none, and certificates go by the address alone. */
static const MlAccount *
account_of(UiCli *cli, const char *from)
{
  if (cli->account)
    return ml_config_account(cli->config, cli->account);
  for (guint i = 0; from && i < cli->config->accounts->len; i++) {
    const MlAccount *account = cli->config->accounts->pdata[i];
    if (ml_account_address(account, from))
      return account;
  }
  return NULL;
}

static int
seal_one(UiCli *cli, Run *run)
{
  int code = UI_EXIT_OK;
  gint64 received;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) mailboxes = NULL, notes = NULL;
  g_autoptr(GBytes) bytes = ui_cli_message(cli, run->input, &received, &code);
  if (!bytes)
    return code ? code : UI_EXIT_NOINPUT;
  if (!ui_cli_config(cli, &code))
    return code;
  gboolean typed = run->given->to || run->given->files;
  if (!ml_seal_people(bytes, &run->from, typed ? NULL : &mailboxes, &error))
    return fail(cli, run->input, error);
  const MlAccount *account = account_of(cli, run->from);
  run->seal.now = g_get_real_time() / G_USEC_PER_SEC;
  run->seal.revocation = ml_config_revocation(cli->config);
  run->seal.digest = run->given->digest;
  run->seal.rules = cli->config->policy;
  if (!mailboxes)
    mailboxes = typed_mailboxes(run->given->to);
  if ((run->given->encrypt && !find_recipients(cli, run, account, mailboxes, &code)) ||
      (run->policy.sign && !find_signer(cli, run, account, mailboxes, &code)))
    return code;
  g_autoptr(GBytes) sealed = ml_seal_message(bytes, &run->policy, &run->seal, ui_cli_pin_source(cli),
                                             cli->cancellable, &notes, &error);
  if (!sealed)
    return fail(cli, run->input, error);
  for (guint i = 0; notes && i < notes->len; i++)
    ui_cli_error(cli, "%s: %s", run->input, (char *)notes->pdata[i]);
  code = write_output(cli, run->given->output, sealed);
  if (code == UI_EXIT_OK && cli->json)
    print_json(run, sealed, notes);
  return code;
}

static gboolean
check_usage(UiCli *cli, const char *name, const UiSealOptions *given, int argc)
{
  if (argc != 2)
    ui_cli_error(cli, "%s one message: a file, - or FOLDER/UID; see signet %s --help", name, name);
  else if (cli->json && (!given->output || strcmp(given->output, "-") == 0))
    ui_cli_error(cli, "--json needs -o FILE: the message goes to stdout otherwise");
  else if (!given->sign && (given->cert || given->digest || given->opaque))
    ui_cli_error(cli, "--cert, --digest and --opaque are about a signature: give --sign too");
  else
    return TRUE;
  return FALSE;
}

int
ui_seal_command(UiCli *cli, const char *name, const UiSealOptions *given, int argc, char **argv)
{
  Run run = { .given = given };
  int code = UI_EXIT_OK;
  if (!check_usage(cli, name, given, argc) || !choose_words(cli, &run))
    return UI_EXIT_USAGE;
  run.input = argv[1];
  run.policy.sign = given->sign;
  run.policy.encrypt = given->encrypt;
  run.policy.opaque = given->opaque;
  if (ui_cli_crypto(cli, FALSE, TRUE, TRUE, &code))
    code = seal_one(cli, &run);
  run_clear(&run);
  return code;
}

void
ui_seal_options_clear(UiSealOptions *given)
{
  char *strings[] = { given->output, given->cert, given->digest, given->hide, given->cipher };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  g_clear_pointer(&given->to, g_ptr_array_unref);
  g_clear_pointer(&given->files, g_ptr_array_unref);
}
