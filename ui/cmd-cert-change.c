#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/people.h"
#include "ui/cert-account.h"
#include "ui/cert-file.h"
#include "ui/cert-mail.h"
#include "ui/cmd-cert-private.h"
#include "ui/commands.h"
#include "ui/text.h"

/* signet cert import, export, trust, delete. */

/* --- import */

typedef struct {
  gboolean trust, tls;
  char *password_file, *name;
} Import;

static GPtrArray *
import_pkcs12(UiCli *cli, GBytes *bytes, const char *file, const Import *wanted, GError **error)
{
  char *password = NULL;
  if (wanted->password_file) {
    password = ui_cli_read_secret_file(wanted->password_file, error);
  } else {
    /* many have none; whether this one does is a quick question */
    g_autoptr(GError) tried = NULL;
    GPtrArray *certs = crypto_certdb_import_pkcs12(bytes, "", ui_cli_pin_source(cli), &tried);
    if (certs || !g_error_matches(tried, CRYPTO_ERROR, CRYPTO_ERROR_PIN)) {
      if (tried)
        g_propagate_error(error, g_steal_pointer(&tried));
      return certs;
    }
    g_autofree char *question = g_strdup_printf("Password of %s:", file);
    password = ui_cli_secret(cli, question, "--password-file", error);
  }
  GPtrArray *certs =
      password ? crypto_certdb_import_pkcs12(bytes, password, ui_cli_pin_source(cli), error) : NULL;
  crypto_pin_wipe(password);
  return certs;
}

/* Adds trust, and leaves what is there. */
static gboolean
add_trust(UiCli *cli, CryptoCert *cert, gboolean mail, gboolean server, GError **error)
{
  return crypto_certdb_set_trust(cert, mail ? CRYPTO_TRUST_TRUSTED : CRYPTO_TRUST_KEEP,
                                 server ? CRYPTO_TRUST_TRUSTED : CRYPTO_TRUST_KEEP, ui_cli_pin_source(cli), error);
}

static void
report_entry(UiCli *cli, const CryptoCertEntry *entry, const char *word)
{
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "action", word);
    ui_cmd_cert_fields(json, entry);
    ui_json_print(json);
  } else {
    ui_cmd_cert_line(entry, word);
  }
}

static int
report(UiCli *cli, CryptoCert *cert, const char *word)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(crypto_cert_sha256(cert), &error);
  if (!entry)
    return ui_cmd_cert_fail(cli, error);
  report_entry(cli, entry, word);
  return UI_EXIT_OK;
}

/* SHA-256 -> CryptoCertEntry of what is kept; *entries owns both. */
static GHashTable *
kept(GPtrArray **entries)
{
  GHashTable *found = g_hash_table_new(g_str_hash, g_str_equal);
  *entries = crypto_certdb_list(FALSE, NULL);
  for (guint i = 0; *entries && i < (*entries)->len; i++) {
    CryptoCertEntry *entry = (*entries)->pdata[i];
    g_hash_table_insert(found, (char *)crypto_cert_sha256(entry->cert), entry);
  }
  return found;
}

/* What a new certificate of ours means for the accounts; to a person, on stderr. */
static void
tell_accounts(UiCli *cli, CryptoCert *cert)
{
  g_autoptr(GPtrArray) moves = ui_cert_accounts_for(cli->config, cert, g_get_real_time() / G_USEC_PER_SEC);
  for (guint i = 0; i < moves->len; i++) {
    const UiCertAccount *move = moves->pdata[i];
    if (move->takes)
      ui_cli_error(cli, "%s uses it from now on; old keys stay for reading", move->account->name);
    else if (move->names_another)
      ui_cli_error(cli, "%s stays with the certificate that signet.conf names: signet cert use %.16s -A %s moves it",
                   move->account->name, crypto_cert_sha256(cert), move->account->name);
    else
      ui_cli_error(cli, "%s does not use it: %s", move->account->name, move->why_not);
  }
}

/* Stores, and trusts what is to be trusted; *trusted counts. -1: go on. */
static int
store(UiCli *cli, GPtrArray *certs, gboolean stored, const Import *wanted, GHashTable *before, guint *trusted)
{
  for (guint i = 0; i < certs->len; i++) {
    CryptoCert *cert = certs->pdata[i];
    g_autoptr(GError) error = NULL;
    gboolean there = g_hash_table_contains(before, crypto_cert_sha256(cert));
    if (!stored && !there &&
        !crypto_certdb_import(cert, wanted->name, &there, ui_cli_pin_source(cli), &error))
      return ui_cmd_cert_fail(cli, error);
    if ((wanted->trust || wanted->tls) && ui_cert_file_is_top(certs, cert)) {
      if (!add_trust(cli, cert, wanted->trust, wanted->tls, &error))
        return ui_cmd_cert_fail(cli, error);
      ++*trusted;
    }
  }
  return -1;
}

/* Stores, trusts what is to be trusted, and tells of each. The database is listed before and after, not for each. */
static int
import_certs(UiCli *cli, GPtrArray *certs, gboolean stored, const Import *wanted)
{
  guint trusted = 0;
  g_autoptr(GPtrArray) old = NULL, new = NULL;
  g_autoptr(GHashTable) before = kept(&old);
  int code = store(cli, certs, stored, wanted, before, &trusted);
  g_autoptr(GHashTable) after = kept(&new);
  for (guint i = 0; i < certs->len; i++) { /* as far as it came */
    const char *sha256 = crypto_cert_sha256(certs->pdata[i]);
    const CryptoCertEntry *entry = g_hash_table_lookup(after, sha256);
    const CryptoCertEntry *was = g_hash_table_lookup(before, sha256);
    if (!entry)
      continue;
    report_entry(cli, entry, was && !stored ? "already there" : "imported");
    if (entry->flags & CRYPTO_CERT_OWN && !(was && was->flags & CRYPTO_CERT_OWN) &&
        !(entry->flags & CRYPTO_CERT_AUTHORITY))
      tell_accounts(cli, entry->cert);
  }
  if (code >= 0)
    return code;
  if (!(wanted->trust || wanted->tls) || trusted)
    return UI_EXIT_OK;
  ui_cli_error(cli, "nothing in the file is an authority, so nothing became trusted");
  return UI_EXIT_NO;
}

static int
import_file(UiCli *cli, const char *file, const Import *wanted)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = ui_cli_read_file(file, &error);
  if (!bytes)
    return ui_cmd_cert_fail(cli, error);
  gboolean pkcs12 = ui_cert_file_is_pkcs12(bytes);
  g_autoptr(GPtrArray) certs =
      pkcs12 ? import_pkcs12(cli, bytes, file, wanted, &error) : crypto_certs_parse(bytes, &error);
  if (!certs && !pkcs12 && g_error_matches(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED)) {
    ui_cli_error(cli, "%s is none of the files that are taken here: %s", file, ui_cert_file_kinds);
    return UI_EXIT_DATA;
  }
  if (!certs)
    return ui_cmd_cert_fail(cli, error);
  return import_certs(cli, certs, pkcs12, wanted);
}

static int
import_mutt(UiCli *cli, const char *folder, const Import *wanted)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GString) left_out = g_string_new(NULL);
  g_autoptr(GPtrArray) certs = ui_cert_file_mutt(folder, left_out, &error);
  g_auto(GStrv) lines = g_strsplit(left_out->str, "\n", -1);
  for (guint i = 0; lines[i]; i++)
    if (*lines[i])
      ui_cli_error(cli, "%s", lines[i]);
  if (certs)
    return import_certs(cli, certs, FALSE, wanted);
  ui_cli_error(cli, "%s", error->message);
  return UI_EXIT_NOINPUT;
}

static int
import_gpgsm(UiCli *cli, const Import *wanted)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = ui_cert_file_gpgsm(&error);
  if (!certs) {
    ui_cli_error(cli, "%s", error->message);
    return UI_EXIT_UNAVAILABLE;
  }
  if (!certs->len)
    ui_cli_error(cli, "gpgsm keeps no certificate");
  return import_certs(cli, certs, FALSE, wanted);
}

int
ui_cmd_cert_import(UiCli *cli, int argc, char **argv)
{
  Import wanted = { 0 };
  g_autofree char *mutt = NULL;
  gboolean gpgsm = FALSE;
  const UiOption options[] = { { "trust", 0, UI_OPTION_FLAG, &wanted.trust },
                               { "tls", 0, UI_OPTION_FLAG, &wanted.tls },
                               { "password-file", 0, UI_OPTION_STRING, &wanted.password_file },
                               { "name", 0, UI_OPTION_STRING, &wanted.name },
                               { "from-mutt", 0, UI_OPTION_STRING, &mutt },
                               { "from-gpgsm", 0, UI_OPTION_FLAG, &gpgsm },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert import", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  g_autofree char *password_file = wanted.password_file, *name = wanted.name;
  if (code >= 0)
    return code;
  if (argc < 2 && !mutt && !gpgsm) {
    ui_cli_error(cli, "say which file: signet cert import FILE. It is %s", ui_cert_file_kinds);
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, TRUE, FALSE, TRUE, &code)) /* a token may have the key of what comes */
    return code;
  if (mutt)
    code = import_mutt(cli, mutt, &wanted);
  if (gpgsm && (!mutt || code == UI_EXIT_OK))
    code = import_gpgsm(cli, &wanted);
  if ((mutt || gpgsm) && code != UI_EXIT_OK)
    return code;
  for (int i = 1; i < argc; i++) {
    code = import_file(cli, argv[i], &wanted);
    if (code != UI_EXIT_OK)
      return code;
  }
  return UI_EXIT_OK;
}

/* --- export */

typedef struct {
  gboolean p12, der, chain, ldif, base64;
  char *out, *password_file, *dn;
} Export;

/* A new file, readable by nobody else; an existing one is never written over. */
static int
write_out(UiCli *cli, const char *out, GBytes *bytes)
{
  gsize length = 0, done = 0;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  gboolean to_stdout = !out || strcmp(out, "-") == 0;
  int fd = to_stdout ? STDOUT_FILENO : open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  int saved = errno;
  if (fd < 0) {
    ui_cli_error(cli, "%s cannot be written: %s", out,
                 saved == EEXIST ? "there is a file of that name already" : g_strerror(saved));
    return UI_EXIT_IO;
  }
  while (done < length) {
    gssize n = write(fd, data + done, length - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      break;
    done += (gsize)n;
  }
  saved = errno;
  gboolean good = done == length && (to_stdout || (fsync(fd) == 0 && close(fd) == 0));
  if (good)
    return UI_EXIT_OK;
  ui_cli_error(cli, "%s could not be written completely: %s", to_stdout ? "stdout" : out, g_strerror(saved));
  if (!to_stdout)
    unlink(out);
  return UI_EXIT_IO;
}

static char *
new_password(UiCli *cli, const Export *wanted, GError **error)
{
  if (wanted->password_file)
    return ui_cli_read_secret_file(wanted->password_file, error);
  char *first = ui_cli_secret(cli, "Password for the exported file:", "--password-file", error);
  char *second = first ? ui_cli_secret(cli, "The same again:", "--password-file", error) : NULL;
  if (first && second && strcmp(first, second) != 0) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN, "The two passwords differ: nothing was exported.");
    crypto_pin_wipe(first);
    first = NULL;
  } else if (!second) {
    crypto_pin_wipe(first);
    first = NULL;
  }
  crypto_pin_wipe(second);
  return first;
}

static GBytes *
export_bytes(UiCli *cli, CryptoCert *cert, const Export *wanted, GError **error)
{
  if (wanted->p12) {
    char *password = new_password(cli, wanted, error);
    GBytes *bytes =
        password ? crypto_certdb_export_pkcs12(cert, password, ui_cli_pin_source(cli), error) : NULL;
    crypto_pin_wipe(password);
    return bytes;
  }
  return ui_cert_file_bytes(cert,
                            wanted->der      ? UI_CERT_DER
                            : wanted->ldif   ? UI_CERT_LDIF
                            : wanted->base64 ? UI_CERT_BASE64
                            : wanted->chain  ? UI_CERT_CHAIN
                                             : UI_CERT_PEM,
                            wanted->dn);
}

int
ui_cmd_cert_export(UiCli *cli, int argc, char **argv)
{
  Export wanted = { 0 };
  const UiOption options[] = { { "p12", 0, UI_OPTION_FLAG, &wanted.p12 },
                               { "der", 0, UI_OPTION_FLAG, &wanted.der },
                               { "ldif", 0, UI_OPTION_FLAG, &wanted.ldif },
                               { "base64", 0, UI_OPTION_FLAG, &wanted.base64 },
                               { "dn", 0, UI_OPTION_STRING, &wanted.dn },
                               { "chain", 0, UI_OPTION_FLAG, &wanted.chain },
                               { "out", 'o', UI_OPTION_STRING, &wanted.out },
                               { "password-file", 0, UI_OPTION_STRING, &wanted.password_file },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert export", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  g_autofree char *out = wanted.out, *password_file = wanted.password_file, *dn = wanted.dn;
  if (code >= 0)
    return code;
  int forms = wanted.p12 + wanted.der + wanted.ldif + wanted.base64;
  if (argc != 2 || forms > 1 || (forms && wanted.chain) || (dn && !wanted.ldif)) {
    ui_cli_error(cli, argc != 2   ? "say which: signet cert export FINGERPRINT or ADDRESS"
                      : forms > 1 ? "one form at a time: --p12, --der, --ldif or --base64"
                      : dn        ? "--dn names the entry for --ldif"
                                  : "--chain goes with PEM; PKCS#12 has the chain in it always");
    return UI_EXIT_USAGE;
  }
  if (!out && (wanted.p12 || wanted.der) && isatty(STDOUT_FILENO)) {
    ui_cli_error(cli, "that is not for a terminal: name a file by --out");
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, FALSE, TRUE, TRUE, &code))
    return code;
  gboolean from_file;
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCertEntry) entry = ui_cmd_cert_find(cli, argv[1], &from_file, &code);
  if (!entry)
    return code;
  g_autoptr(GBytes) bytes = export_bytes(cli, entry->cert, &wanted, &error);
  return bytes ? write_out(cli, out, bytes) : ui_cmd_cert_fail(cli, error);
}

/* --- trust and delete */

/* Shows what it is about, and asks. With --batch only a full fingerprint, or a file, is as good as an answer. */
static gboolean
is_agreed(UiCli *cli, const CryptoCertEntry *entry, const char *what, gboolean from_file,
          const char *question, int *code)
{
  g_autofree char *fingerprint = ui_cmd_cert_fingerprint(entry->cert);
  g_autofree char *shown =
      g_strdup_printf("%s\n  issued by %s\n  SHA-256 %s", crypto_cert_subject(entry->cert),
                      crypto_cert_issuer(entry->cert), fingerprint);
  g_autofree char *safe = ui_text_lines(shown);
  fprintf(stderr, "%s\n", safe);
  if (from_file || (cli->batch && ui_cmd_cert_is_full_fingerprint(what)))
    return TRUE;
  if (cli->batch) {
    ui_cli_error(cli, "with --batch name it by its full SHA-256 fingerprint, as printed above");
    *code = UI_EXIT_USAGE;
    return FALSE;
  }
  *code = UI_EXIT_NO;
  return ui_cli_confirm(cli, question);
}

/* trust and distrust are one act with another wish, each for mail or for servers; --remove: neither of both. */
static int
change_trust(UiCli *cli, int argc, char **argv, const UiCommand *self, CryptoTrustWish wish)
{
  gboolean tls = FALSE, take_back = FALSE, from_file, never = wish == CRYPTO_TRUST_NEVER;
  const UiOption options[] = { { "tls", 0, UI_OPTION_FLAG, &tls },
                               { "remove", 0, UI_OPTION_FLAG, &take_back },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, self, options, &argc, argv);
  if (code >= 0)
    return code;
  if (argc != 2) {
    ui_cli_error(cli, "say which: signet %s FILE or FINGERPRINT", self->name);
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, TRUE, TRUE, FALSE, &code))
    return code;
  g_autoptr(CryptoCertEntry) entry = ui_cmd_cert_find(cli, argv[1], &from_file, &code);
  if (!entry)
    return code;
  const char *verb = never       ? (take_back ? "No longer distrust" : "Never trust")
                     : take_back ? "No longer trust"
                                 : "Trust";
  g_autofree char *question = g_strdup_printf(
      "%s this %s for %s? [y/N]", verb, crypto_cert_is_authority(entry->cert) ? "authority" : "certificate",
      tls ? "servers" : "mail");
  if (!is_agreed(cli, entry, argv[1], from_file, question, &code))
    return code;
  if (take_back)
    wish = CRYPTO_TRUST_NEUTRAL;
  g_autoptr(GError) error = NULL;
  if (!crypto_certdb_set_trust(entry->cert, tls ? CRYPTO_TRUST_KEEP : wish, tls ? wish : CRYPTO_TRUST_KEEP,
                               ui_cli_pin_source(cli), &error))
    return ui_cmd_cert_fail(cli, error);
  return report(cli, entry->cert,
                never       ? (take_back ? "distrust removed" : "distrusted")
                : take_back ? "trust removed"
                            : "trusted");
}

int
ui_cmd_cert_trust(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "cert trust", NULL, ui_cmd_cert_help, NULL };
  return change_trust(cli, argc, argv, &self, CRYPTO_TRUST_TRUSTED);
}

int
ui_cmd_cert_distrust(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "cert distrust", NULL, ui_cmd_cert_help, NULL };
  return change_trust(cli, argc, argv, &self, CRYPTO_TRUST_NEVER);
}

static char *
count_lost(UiCli *cli, CryptoCert *cert)
{
  int code = 0;
  if (!ui_cli_config(cli, &code))
    return g_strdup("  How much mail becomes unreadable was not counted: the configuration cannot be read.");
  g_autofree char *words = ui_cert_mail_count_lost(cli->config, cli->state_dir, cert, cli->cancellable);
  g_auto(GStrv) lines = g_strsplit(words ? words : "Not counted: interrupted.", "\n", -1);
  g_autofree char *indented = g_strjoinv("\n  ", lines);
  return g_strconcat("  ", indented, NULL);
}

/* Says what goes for good, and has it agreed to by a word that nobody types by accident. */
static gboolean
is_delete_agreed(UiCli *cli, const CryptoCertEntry *entry, gboolean own, gboolean yes, int *code)
{
  g_autofree char *fingerprint = ui_cmd_cert_fingerprint(entry->cert);
  g_autofree char *lost = own ? count_lost(cli, entry->cert) : NULL;
  g_autofree char *shown =
      g_strdup_printf("%s\n  issued by %s\n  SHA-256 %s%s%s", crypto_cert_subject(entry->cert),
                      crypto_cert_issuer(entry->cert), fingerprint, lost ? "\n" : "", lost ? lost : "");
  g_autofree char *safe = ui_text_lines(shown);
  fprintf(stderr, "%s\n", safe);
  if (yes)
    return TRUE;
  if (cli->batch) {
    ui_cli_error(cli, "with --batch say --yes: nothing was deleted");
    *code = UI_EXIT_USAGE;
    return FALSE;
  }
  *code = UI_EXIT_NO;
  return own ? ui_cli_spelled(cli, "Delete it and its private key, for ever? Type yes:")
             : ui_cli_confirm(cli, "Delete it? [y/N]");
}

/* What mail brought is a candidate again, and not one that was accepted, whomever for. */
static void
take_back_yes(UiCli *cli, CryptoCert *cert)
{
  g_autofree char *file = g_build_filename(cli->data_dir, "people.db", NULL);
  if (!g_file_test(file, G_FILE_TEST_EXISTS))
    return;
  g_autoptr(GError) error = NULL;
  g_autoptr(MlPeople) people = ml_people_open(file, &error);
  if (!people || !ml_people_unaccept(people, NULL, crypto_cert_sha256(cert), &error))
    ui_cli_error(cli, "it is deleted, but that it was accepted could not be taken back: %s", error->message);
}

int
ui_cmd_cert_delete(UiCli *cli, int argc, char **argv)
{
  gboolean with_key = FALSE, yes = FALSE, from_file;
  const UiOption options[] = { { "with-key", 0, UI_OPTION_FLAG, &with_key },
                               { "yes", 0, UI_OPTION_FLAG, &yes },
                               { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "cert delete", NULL, ui_cmd_cert_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code >= 0)
    return code;
  if (argc != 2) {
    ui_cli_error(cli, "say which: signet cert delete FINGERPRINT or ADDRESS");
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_crypto(cli, TRUE, TRUE, TRUE, &code))
    return code;
  g_autoptr(CryptoCertEntry) entry = ui_cmd_cert_find(cli, argv[1], &from_file, &code);
  if (!entry)
    return code;
  gboolean own = (entry->flags & CRYPTO_CERT_OWN) != 0;
  if (own && !with_key) {
    ui_cli_error(
        cli, "its private key is here and would be deleted with it: mail encrypted to it could never be read "
             "again. Export it first (signet cert export --p12), then say --with-key");
    return UI_EXIT_NO;
  }
  if (!is_delete_agreed(cli, entry, own, yes, &code))
    return code;
  g_autoptr(GError) error = NULL;
  if (!crypto_certdb_delete(entry->cert, ui_cli_pin_source(cli), &error))
    return ui_cmd_cert_fail(cli, error);
  take_back_yes(cli, entry->cert);
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "action", "deleted");
    ui_cmd_cert_fields(json, entry);
    ui_json_print(json);
  } else {
    ui_cmd_cert_line(entry, "deleted");
  }
  return UI_EXIT_OK;
}
