#include "ui/commands.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "crypto/certdb.h"
#include "crypto/token.h"
#include "keyring/keyring.h"
#include "mail/directory.h"
#include "mail/journal.h"
#include "mail/outbox.h"
#include "ui/json.h"
#include "ui/text.h"

const char ui_cmd_doctor_help[] =
    "signet doctor    look at every part: OK, or why not and what to do next\n"
    "\n"
    "Configuration, policy, folders, certificate database, tokens, keyring, terminal, and each account (unless --offline).\n"
    "Nothing is changed, and no PIN is asked for.\n"
    "\n"
    "Exit codes: 0 all well, 1 something failed (a warning is not a failure), 2 usage.\n";

enum { DAY = 24 * 60 * 60, SOON = 30 };
static const guint64 little_space = 100 << 20;

typedef enum { GOOD, WARN, BAD } Health;

typedef struct {
  UiCli *cli;
  gboolean failed;
  const char *account;
} Doctor;

static void say(Doctor *doctor, Health health, const char *what, const char *format, ...) G_GNUC_PRINTF(4, 5);

static void
say(Doctor *doctor, Health health, const char *what, const char *format, ...)
{
  static const char *const words[] = { [GOOD] = "OK", [WARN] = "WARN", [BAD] = "FAILED" };
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  doctor->failed |= health == BAD;
  if (doctor->cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "what", what);
    ui_json_string(json, "health", health == GOOD ? "ok" : health == WARN ? "warning" : "failed");
    ui_json_string(json, "words", text);
    ui_json_print(json);
    return;
  }
  g_autofree char *safe = ui_text_line(text);
  printf("%-7s %-14s %s\n", words[health], what, safe);
}

static void
look_at_terminal(Doctor *doctor)
{
  const char *term = g_getenv("TERM");

  if (!term || !strcmp(term, "dumb"))
    say(doctor, WARN, "terminal", "TERM is %s: the screen needs a real terminal; subcommands work",
        term ? term : "not set");
  else if (!ui_text_is_utf8())
    say(doctor, WARN, "terminal",
        "%s without UTF-8: set LANG to a UTF-8 locale (C.UTF-8, say) to see every letter", term);
  else
    say(doctor, GOOD, "terminal", "%s, UTF-8%s", term, g_getenv("NO_COLOR") ? ", NO_COLOR" : "");
}

static gboolean
look_at_config(Doctor *doctor)
{
  int code;

  if (!ui_cli_config(doctor->cli, &code)) {
    g_autoptr(GError) error = NULL;
    g_autoptr(MlConfig) config = ml_config_load(doctor->cli->config_path, &error);
    say(doctor, BAD, "configuration", "%s; mend that line, then run this again",
        error ? error->message : "it cannot be read");
    return FALSE;
  }
  if (!g_file_test(doctor->cli->config_path, G_FILE_TEST_EXISTS))
    say(doctor, WARN, "configuration", "there is no %s yet: write an [account NAME] section (signet.conf(5)), or try "
        "signet demo", doctor->cli->config_path);
  else if (!doctor->cli->config->accounts->len)
    say(doctor, WARN, "configuration", "%s has no account", doctor->cli->config_path);
  else
    say(doctor, GOOD, "configuration", "%s, %u account%s", doctor->cli->config_path, doctor->cli->config->accounts->len,
        doctor->cli->config->accounts->len == 1 ? "" : "s");
  return TRUE;
}

/* Where the system's cannot be understood mail can be read, but none leaves. */
static void
look_at_policy(Doctor *doctor)
{
  const MlPolicy *policy = doctor->cli->config->policy;
  guint locked = 0, given = 0;

  for (guint i = 0; i < ML_POLICY_KEYS; i++) {
    given += policy->values[i].value != NULL;
    locked += policy->values[i].value && policy->values[i].locked;
    if (policy->values[i].overruled)
      say(doctor, WARN, "policy", "%s: %s would weaken what %s locks, and does not count", policy->values[i].overruled,
          ml_policy_names[i], policy->values[i].where);
  }
  if (policy->broken)
    say(doctor, BAD, "policy", "%s; nothing can be sent until whoever keeps that file mends the line", policy->broken);
  else if (given || policy->rules->len)
    say(doctor, GOOD, "policy", "%u setting%s, %u locked, %u rule%s: signet policy test --to ADDRESS says what applies",
        given, given == 1 ? "" : "s", locked, policy->rules->len, policy->rules->len == 1 ? "" : "s");
}

/* The nearest folder above that exists: what will be made must be makeable there. */
static void
look_at_folder(Doctor *doctor, const char *what, const char *path)
{
  g_autofree char *there = g_strdup(path);
  struct statvfs space;

  while (!g_file_test(there, G_FILE_TEST_EXISTS) && strlen(there) > 1) {
    char *above = g_path_get_dirname(there);
    g_free(there);
    there = above;
  }
  if (access(there, W_OK | X_OK) != 0)
    say(doctor, BAD, what, "%s cannot be written: %s", there, g_strerror(errno));
  else if (statvfs(there, &space) == 0 && (guint64)space.f_bavail * space.f_frsize < little_space)
    say(doctor, WARN, what, "%s: less than 100 MB are free", path);
  else
    say(doctor, GOOD, what, "%s", path);
}

static void
look_at_own_cert(Doctor *doctor, const CryptoCertEntry *entry, gint64 now)
{
  gint64 left = (crypto_cert_not_after(entry->cert) - now) / DAY;
  const char *name = crypto_cert_common_name(entry->cert);
  const char *const *addresses = crypto_cert_addresses(entry->cert);
  const char *address = addresses[0] ? addresses[0] : "no address";

  if (crypto_cert_not_after(entry->cert) < now)
    say(doctor, GOOD, "certificate", "%s <%s>: expired; kept for reading old mail", name, address);
  else if (left < SOON)
    say(doctor, WARN, "certificate", "%s <%s>: ends in %d days: ask your authority for a new one", name,
        address, (int)left);
  else
    say(doctor, GOOD, "certificate", "%s <%s>: %s, %s", name, address, crypto_cert_key_name(entry->cert), entry->token);
}

static gboolean
look_at_certificates(Doctor *doctor)
{
  g_autoptr(GError) error = NULL;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  guint own = 0;
  int code;

  if (!ui_cli_crypto(doctor->cli, FALSE, TRUE, TRUE, &code)) {
    say(doctor, BAD, "certificates", "%s cannot be opened", doctor->cli->nssdb);
    return FALSE;
  }
  g_autofree char *file = g_build_filename(doctor->cli->nssdb, "cert9.db", NULL);
  if (!g_file_test(file, G_FILE_TEST_EXISTS))
    say(doctor, WARN, "certificates", "%s does not exist yet: signet cert import makes it", doctor->cli->nssdb);
  else
    say(doctor, GOOD, "certificates", "%s", doctor->cli->nssdb);
  g_autoptr(GPtrArray) entries = crypto_certdb_list(FALSE, &error);
  for (guint i = 0; entries && i < entries->len; i++) {
    const CryptoCertEntry *entry = entries->pdata[i];
    if (!(entry->flags & CRYPTO_CERT_OWN))
      continue;
    own++;
    look_at_own_cert(doctor, entry, now);
  }
  if (!entries)
    say(doctor, BAD, "certificates", "%s", error->message);
  else if (!own)
    say(doctor, WARN, "certificate",
        "none of your own: signet cert import FILE.p12, or insert your card. Signed mail is "
        "verified without one");
  return TRUE;
}

static void
look_at_tokens(Doctor *doctor)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) tokens = crypto_token_list(&error);

  if (!tokens) {
    say(doctor, BAD, "tokens", "%s", error->message);
    return;
  }
  gboolean empty = FALSE;
  g_autofree char *holder = crypto_token_holder();
  for (guint i = 0; i < tokens->len; i++)
    empty |= !((const CryptoToken *)tokens->pdata[i])->present;
  if (holder && empty)
    say(doctor, WARN, "token", "%s runs: a card that it holds looks as if it were not in its reader. gpgconf --kill "
        "scdaemon lets it go", holder);
  for (guint i = 0; i < tokens->len; i++) {
    const CryptoToken *token = tokens->pdata[i];
    if (token->mute) {
      g_autofree char *words = crypto_token_mute_words();
      say(doctor, WARN, "token", "a card in a reader of module %s does not answer: %s", token->module, words);
    }
    if (token->database || !token->present)
      continue;
    if (token->locked)
      say(doctor, BAD, "token", "%s is locked: unblock it with its PUK", token->token);
    else if (token->final_try)
      say(doctor, WARN, "token", "%s: one wrong PIN more locks it", token->token);
    else
      say(doctor, GOOD, "token", "%s (%s)", token->token, token->module);
  }
}

static void
look_at_keyring(Doctor *doctor)
{
  g_autoptr(GError) error = NULL;

  if (keyring_is_locked(doctor->cli->cancellable))
    say(doctor, WARN, "passwords",
        "asked for, or password-command: the desktop's keyring is locked. Log in to the desktop to unlock it");
  else if (keyring_available(doctor->cli->cancellable, &error))
    say(doctor, GOOD, "passwords", "the desktop's keyring answers; without a stored one they are asked for");
  else
    say(doctor, GOOD, "passwords", "asked for, or password-command. (%s)", error->message);
}

static void
on_step(const char *step, gboolean ok, const char *words, gpointer data)
{
  Doctor *doctor = data;

  say(doctor, ok ? GOOD : BAD, doctor->account, "%s%s%s", step, words && *words ? ": " : "", words ? words : "");
}

static void
look_at_accounts(Doctor *doctor)
{
  for (guint i = 0; i < doctor->cli->config->accounts->len; i++) {
    MlAccount *account = doctor->cli->config->accounts->pdata[i];
    g_autoptr(GError) error = NULL;
    int code = 0;
    if (doctor->cli->offline && account->kind == ML_ACCOUNT_IMAP) {
      say(doctor, GOOD, account->name, "not asked: --offline");
      continue;
    }
    g_autoptr(MlDriver) driver = ui_cli_driver(doctor->cli, account, &code);
    doctor->account = account->name;
    doctor->cli->password_given = FALSE;
    gboolean good = driver && ml_driver_check(driver, on_step, doctor, &error);
    if (doctor->cli->password_given)
      say(doctor, good ? GOOD : WARN, account->name, "password: %s",
          ui_password_source_words(doctor->cli->password_source));
    if (!good)
      say(doctor, BAD, account->name, "%s", error ? error->message : "see above");
    g_autoptr(GError) sending = NULL;
    if (driver && !doctor->cli->offline && !ui_cli_check_sending(doctor->cli, account, on_step, doctor, &sending))
      say(doctor, BAD, account->name, "%s", sending->message);
  }
}

static void
look_at_journal(Doctor *doctor)
{
  static const char *const words[] = { "off: nothing is written of what keys are used for", "on", "required" };
  MlJournalMode mode = ml_journal_mode(doctor->cli->config);
  g_autofree char *file = ui_cli_journal_file(doctor->cli);
  MlJournal *journal = ml_journal_new(file, mode, NULL);
  g_autoptr(GError) error = NULL;
  if (mode == ML_JOURNAL_OFF)
    say(doctor, GOOD, "journal", "%s", words[mode]);
  else if (ml_journal_check(journal, &error))
    say(doctor, GOOD, "journal", "%s: %s", words[mode], file);
  else if (mode == ML_JOURNAL_REQUIRED)
    say(doctor, BAD, "journal", "required, and %s: no key is used", error->message);
  else
    say(doctor, WARN, "journal", "on, and %s", error->message);
  ml_journal_free(journal);
}

static void
look_at_directories(Doctor *doctor)
{
  const MlDirectoryHooks hooks = { ui_password_for_directory, NULL };
  for (guint i = 0; i < doctor->cli->config->directories->len; i++) {
    const MlDirectory *directory = doctor->cli->config->directories->pdata[i];
    g_autoptr(GError) error = NULL;
    g_autofree char *words = NULL, *name = g_strdup_printf("directory %s", directory->name);
    if (doctor->cli->offline)
      say(doctor, GOOD, name, "not asked: --offline");
    else if (ml_directory_check(directory, &hooks, doctor->cli->cancellable, &words, &error))
      say(doctor, GOOD, name, "%s", words);
    else
      say(doctor, BAD, name, "%s", error->message);
  }
}

/* Mail that did not leave is nothing to be found out by chance. */
static void
look_at_outbox(Doctor *doctor)
{
  g_autofree char *folder = g_build_filename(doctor->cli->data_dir, "outbox", NULL);
  if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
    return;
  g_autoptr(GError) error = NULL;
  g_autoptr(MlOutbox) outbox = ml_outbox_open(folder, &error);
  g_autoptr(GPtrArray) entries = outbox ? ml_outbox_list(outbox, &error) : NULL;
  guint waiting = 0, stuck = 0;
  for (guint i = 0; entries && i < entries->len; i++) {
    const MlOutboxEntry *entry = entries->pdata[i];
    stuck += entry->state == ML_OUTBOX_UNSURE || entry->state == ML_OUTBOX_FAILED;
    waiting += entry->state == ML_OUTBOX_QUEUED || entry->state == ML_OUTBOX_SENDING;
  }
  if (!entries)
    say(doctor, BAD, "outbox", "%s", error->message);
  else if (stuck)
    say(doctor, WARN, "outbox", "%u message%s could not be sent, or may have been: signet outbox list", stuck,
        stuck == 1 ? "" : "s");
  else
    say(doctor, GOOD, "outbox", "%u waiting", waiting);
}

int
ui_cmd_doctor(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "doctor", NULL, ui_cmd_doctor_help, NULL };
  int code = ui_cli_options(cli, &self, NULL, &argc, argv);
  Doctor doctor = { .cli = cli };

  if (code >= 0)
    return code;
  if (argc > 1) {
    ui_cli_error(cli, "signet doctor takes no names: see signet doctor --help");
    return UI_EXIT_USAGE;
  }
  look_at_terminal(&doctor);
  if (look_at_config(&doctor)) {
    look_at_policy(&doctor);
    look_at_folder(&doctor, "data", cli->data_dir);
    look_at_folder(&doctor, "state", cli->state_dir);
    if (look_at_certificates(&doctor))
      look_at_tokens(&doctor);
    look_at_keyring(&doctor);
    look_at_journal(&doctor);
    look_at_outbox(&doctor);
    look_at_accounts(&doctor);
    look_at_directories(&doctor);
  }
  return doctor.failed ? UI_EXIT_NO : UI_EXIT_OK;
}
