#include "ui/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/certdb.h"
#include "crypto/mapping.h"
#include "crypto/revocation.h"
#include "crypto/spool.h"
#include "keyring/keyring.h"
#include "mail/files.h"
#include "mail/journal.h"
#include "mail/smtp.h"
#include "mail/store.h"
#include "ui/opened.h"
#include "ui/password.h"
#include "ui/text.h"

enum { LARGEST_INPUT = 1 << 30 };

void
ui_cli_error(UiCli *cli, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_autofree char *safe = ui_text_line(text);
  fprintf(stderr, "signet: %s\n", safe);
}

int
ui_cli_exit_for(const GError *error)
{
  if (error->domain == ML_ERROR) {
    static const int codes[] = {
      [ML_ERROR_FAILED] = UI_EXIT_NO,         [ML_ERROR_CANCELLED] = UI_EXIT_NO,
      [ML_ERROR_OFFLINE] = UI_EXIT_UNAVAILABLE, [ML_ERROR_AUTH] = UI_EXIT_PERMISSION,
      [ML_ERROR_UNTRUSTED] = UI_EXIT_UNAVAILABLE, [ML_ERROR_PROTOCOL] = UI_EXIT_UNAVAILABLE,
      [ML_ERROR_STORE] = UI_EXIT_IO,          [ML_ERROR_CONFIG] = UI_EXIT_CONFIG,
      [ML_ERROR_NOT_FOUND] = UI_EXIT_NOINPUT, [ML_ERROR_NO_FOLDER] = UI_EXIT_NOINPUT,
      [ML_ERROR_MALFORMED] = UI_EXIT_DATA,    [ML_ERROR_POLICY] = UI_EXIT_PERMISSION,
    };
    return error->code >= 0 && error->code < (int)G_N_ELEMENTS(codes) ? codes[error->code] : UI_EXIT_SOFTWARE;
  }
  if (error->domain == CRYPTO_ERROR) {
    switch ((CryptoError)error->code) {
    case CRYPTO_ERROR_LOCKED:
    case CRYPTO_ERROR_PIN:
    case CRYPTO_ERROR_JOURNAL:
      return UI_EXIT_PERMISSION;
    case CRYPTO_ERROR_MALFORMED:
      return UI_EXIT_DATA;
    case CRYPTO_ERROR_BUSY:
      return UI_EXIT_TEMPFAIL;
    case CRYPTO_ERROR_DATABASE:
      return UI_EXIT_CONFIG;
    default:
      return UI_EXIT_NO;
    }
  }
  return error->domain == G_FILE_ERROR ? UI_EXIT_IO : UI_EXIT_NO;
}

void
ui_cli_init(UiCli *cli)
{
  memset(cli, 0, sizeof *cli);
  cli->cancellable = g_cancellable_new();
}

void
ui_cli_clear(UiCli *cli)
{
  ui_opened_end(cli);
  g_clear_pointer(&cli->place.folder, g_free);
  g_clear_pointer(&cli->config, ml_config_free);
  if (cli->crypto_is_open) {
    g_autoptr(GError) error = NULL;
    if (!crypto_close(&error))
      ui_cli_error(cli, "%s", error->message);
  }
  crypto_keyuse_watch(NULL, NULL);
  ml_journal_free(g_steal_pointer(&cli->journal));
  g_clear_object(&cli->cancellable);
  g_clear_object(&cli->pin.cancellable);
  crypto_pin_source_clear(&cli->pin);
  crypto_pin_wipe(g_steal_pointer(&cli->pin_kept));
  char **strings[] = { &cli->profile,   &cli->config_file, &cli->account, &cli->config_path, &cli->data_dir,
                       &cli->state_dir, &cli->cache_dir,   &cli->nssdb,   &cli->pin_file };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_clear_pointer(strings[i], g_free);
}

static char *
absolute(const char *path)
{
  if (g_path_is_absolute(path))
    return g_strdup(path);
  g_autofree char *here = g_get_current_dir();
  return g_build_filename(here, path, NULL);
}

/* Where things lie: DESIGN's XDG folders, or all of them below the profile. */
static void
find_places(UiCli *cli)
{
  if (cli->config_path)
    return;
  if (cli->profile) {
    g_autofree char *top = absolute(cli->profile);
    cli->config_path = g_build_filename(top, "signet.conf", NULL);
    cli->data_dir = g_build_filename(top, "data", NULL);
    cli->state_dir = g_build_filename(top, "state", NULL);
    cli->cache_dir = g_build_filename(top, "cache", NULL);
    cli->nssdb = g_build_filename(top, "nssdb", NULL);
  } else {
    cli->config_path = g_build_filename(g_get_user_config_dir(), "signet", "signet.conf", NULL);
    cli->data_dir = g_build_filename(g_get_user_data_dir(), "signet", NULL);
    cli->state_dir = g_build_filename(g_get_user_state_dir(), "signet", NULL);
    cli->cache_dir = g_build_filename(g_get_user_cache_dir(), "signet", NULL);
    cli->nssdb = g_build_filename(g_get_home_dir(), ".pki", "nssdb", NULL);
  }
  const char *file = cli->config_file ? cli->config_file : cli->profile ? NULL : g_getenv("SIGNET_CONFIG");
  if (file) {
    g_free(cli->config_path);
    cli->config_path = absolute(file);
  }
}

gboolean
ui_cli_config(UiCli *cli, int *code)
{
  g_autoptr(GError) error = NULL;

  find_places(cli);
  if (cli->config)
    return TRUE;
  if (cli->config_file && access(cli->config_path, R_OK) != 0) {
    ui_cli_error(cli, "%s cannot be read: %s", cli->config_path, g_strerror(errno));
    *code = UI_EXIT_CONFIG;
    return FALSE;
  }
  cli->config = ml_config_load(cli->config_path, &error);
  if (!cli->config) {
    ui_cli_error(cli, "%s", error->message);
    *code = UI_EXIT_CONFIG;
    return FALSE;
  }
  if (cli->config->nssdb) {
    g_free(cli->nssdb);
    cli->nssdb = g_strdup(cli->config->nssdb);
  }
  return TRUE;
}

MlAccount *
ui_cli_account(UiCli *cli, int *code)
{
  if (!ui_cli_config(cli, code))
    return NULL;
  MlAccount *account = ml_config_account(cli->config, cli->account);
  if (account)
    return account;
  if (cli->account)
    ui_cli_error(cli, "there is no account %s in %s: see signet account list", cli->account, cli->config_path);
  else
    ui_cli_error(
        cli,
        "no account is set up: write an [account NAME] section into %s (signet.conf(5)), or try signet demo",
        cli->config_path);
  *code = UI_EXIT_CONFIG;
  return NULL;
}

char *
ui_cli_journal_file(const UiCli *cli)
{
  return g_build_filename(cli->state_dir, "journal", NULL);
}

static void
keep_journal(UiCli *cli)
{
  MlJournalMode mode = ml_journal_mode(cli->config);
  g_autofree char *file = ui_cli_journal_file(cli);
  if (mode == ML_JOURNAL_OFF)
    return;
  cli->journal = ml_journal_new(file, mode, cli->config->policy->values[ML_POLICY_JOURNAL].where);
  crypto_keyuse_watch(&ml_journal_watch, cli->journal);
}

static CryptoOptions
crypto_options(const UiCli *cli, const char *cards, gboolean need_database, gboolean roots, gboolean tokens)
{
  return (CryptoOptions){
    .nssdb = cli->nssdb,
    .cards = cards,
    .create = need_database,
    .read_only = !need_database,
    .roots = roots,
    .tokens = tokens && cli->config->system_tokens,
    .only = ml_policy_value(cli->config->policy, ML_POLICY_TRUST),
  };
}

static void
set_up_crypto(UiCli *cli)
{
  g_autofree char *cache = g_build_filename(cli->cache_dir, "revocation", NULL);
  crypto_revocation_set_cache(cache);
  cli->crypto_is_open = TRUE;
  keep_journal(cli);
}

gboolean
ui_cli_crypto(UiCli *cli, gboolean need_database, gboolean roots, gboolean tokens, int *code)
{
  g_autoptr(GError) error = NULL;

  if (cli->crypto_is_open)
    return TRUE;
  if (!ui_cli_config(cli, code))
    return FALSE;
  g_autofree char *cards = g_build_filename(cli->state_dir, "cards", NULL);
  const CryptoOptions options = crypto_options(cli, cards, need_database, roots, tokens);
  if (!crypto_open(&options, &error)) {
    ui_cli_error(cli, "%s", error->message);
    *code = ui_cli_exit_for(error);
    return FALSE;
  }
  set_up_crypto(cli);
  return TRUE;
}

void
ui_cli_crypto_behind(UiCli *cli, CryptoOpened func, gpointer user_data)
{
  if (cli->crypto_is_open)
    return;
  g_autofree char *cards = g_build_filename(cli->state_dir, "cards", NULL);
  const CryptoOptions options = crypto_options(cli, cards, TRUE, TRUE, TRUE);
  set_up_crypto(cli); /* before there is a key that could be used */
  crypto_open_behind(&options, func, user_data);
}

static char *
on_password(const MlAccount *account, const MlServer *server, gboolean retry, GCancellable *cancellable, gpointer data,
            GError **error)
{
  UiCli *cli = data;
  g_autoptr(GError) local = NULL;

  UiPasswordSource before = cli->password_source;
  char *stored = retry ? NULL : ui_password_stored(account, server, &cli->password_source, cancellable, &local);
  cli->password_given = TRUE;
  if (stored)
    return stored;
  if (local && g_error_matches(local, KEYRING_ERROR, KEYRING_ERROR_LOCKED)) {
    ui_cli_error(cli, "%s", local->message);
    g_clear_error(&local);
  }
  if (local) {
    g_propagate_error(error, g_steal_pointer(&local));
    return NULL;
  }
  g_autofree char *question = g_strdup_printf("%sPassword of %s at %s:", retry ? "Refused. " : "",
                                              server->user ? server->user : account->name, server->host);
  char *answer = ui_cli_secret(cli, question, "password-command in signet.conf or $SIGNET_PASSWORD", &local);
  if (!answer) {
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "%s", local->message);
    return NULL;
  }
  /* Refused, and the person has given another: the old one is not to be tried again. (A batch run leaves it.) */
  g_autofree char *name = ui_password_server(server, server == &account->smtp ? "smtp" : "imap");
  if (retry && before == UI_PASSWORD_KEYRING && keyring_forget(account->name, name, cancellable, NULL))
    ui_cli_error(cli, "the keyring has forgotten the password that was refused");
  cli->password_source = UI_PASSWORD_TYPED;
  return answer;
}

static gboolean
on_unlock(CryptoCert *cert, GCancellable *cancellable, gpointer data, GError **error)
{
  return crypto_certdb_unlock(cert, ui_cli_pin_source(data), error);
}

const MlDriverHooks *
ui_cli_hooks(UiCli *cli, gboolean network, gboolean tokens, int *code)
{
  /* A TLS connection needs roots; a token may hold the client's key. */
  if (network && !ui_cli_crypto(cli, FALSE, TRUE, tokens, code))
    return NULL;
  cli->hooks = (MlDriverHooks){
    .password = on_password, .unlock = on_unlock, .user_data = cli, .state_dir = cli->state_dir
  };
  return &cli->hooks;
}

gboolean
ui_cli_check_sending(UiCli *cli, const MlAccount *account, MlStepFunc step, gpointer user_data, GError **error)
{
  int code;
  const MlDriverHooks *hooks = ui_cli_hooks(cli, account->smtp.host != NULL, account->tls_cert != NULL, &code);
  if (!hooks) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The certificate database cannot be opened.");
    return FALSE;
  }
  g_autoptr(MlSmtp) smtp = ml_smtp_new(account, hooks);
  return ml_smtp_check(smtp, step, user_data, error);
}

MlDriver *
ui_cli_driver(UiCli *cli, MlAccount *account, int *code)
{
  if (!ui_cli_hooks(cli, account->kind == ML_ACCOUNT_IMAP, account->tls_cert != NULL, code))
    return NULL;
  if (account->kind == ML_ACCOUNT_IMAP && cli->offline) {
    ui_cli_error(cli, "%s is on a server and --offline was given", account->name);
    *code = UI_EXIT_UNAVAILABLE;
    return NULL;
  }
  return ml_driver_new(account, &cli->hooks);
}

int
ui_cli_mail_error(UiCli *cli, const MlAccount *account, const char *where, const GError *error)
{
  if (g_error_matches(error, ML_ERROR, ML_ERROR_NO_FOLDER))
    ui_cli_error(cli, "%s: %s%s signet folders -A %s lists them.", where, error->message,
                 g_str_has_suffix(error->message, ".") ? "" : ".", account->name);
  else
    ui_cli_error(cli, "%s: %s", where, error->message);
  return ui_cli_exit_for(error);
}

/* "INBOX/12" or "work/INBOX/12" into its parts. */
static gboolean
split_place(UiCli *cli, const char *input, char **folder, guint32 *uid, int *code)
{
  const char *slash = strrchr(input, '/');
  guint64 number;

  if (!slash || slash == input || !g_ascii_string_to_unsigned(slash + 1, 10, 1, G_MAXUINT32, &number, NULL))
    return FALSE;
  *uid = (guint32)number;
  g_autofree char *place = g_strndup(input, (gsize)(slash - input));
  if (!ui_cli_config(cli, code))
    return TRUE;
  const char *inner = strchr(place, '/');
  g_autofree char *name = inner ? g_strndup(place, (gsize)(inner - place)) : NULL;
  if (!cli->account && name && ml_config_account(cli->config, name)) {
    cli->account = g_steal_pointer(&name);
    *folder = g_strdup(inner + 1);
  } else {
    *folder = g_steal_pointer(&place);
  }
  return TRUE;
}

/* With --offline: one that was read here before. */
static GBytes *
kept_message(UiCli *cli, const MlAccount *account, const char *folder, guint32 uid, gint64 *received, int *code)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_build_filename(cli->data_dir, "store", NULL);
  g_autoptr(MlStore) store = ml_store_open_to_read(directory, account, &error);
  gboolean known = store && ml_store_validity(store, folder, &cli->place.uidvalidity, &error);
  GBytes *bytes = known ? ml_store_get(store, folder, cli->place.uidvalidity, uid, received, &error) : NULL;

  if (error) {
    ui_cli_error(cli, "%s", error->message);
    *code = ui_cli_exit_for(error);
  } else if (!bytes) {
    ui_cli_error(cli, "%s/%u is on the server, not here, and --offline was given", folder, uid);
    *code = UI_EXIT_UNAVAILABLE;
  }
  return bytes;
}

static GBytes *
fetch_message(UiCli *cli, const char *folder, guint32 uid, gint64 *received, int *code)
{
  g_autoptr(GError) error = NULL;
  MlSelected selected;
  MlAccount *account = ui_cli_account(cli, code);
  cli->place.account = account;
  cli->place.folder = g_strdup(folder);
  cli->place.uid = uid;
  if (account && account->kind == ML_ACCOUNT_IMAP && cli->offline)
    return kept_message(cli, account, folder, uid, received, code);
  g_autoptr(MlDriver) driver = account ? ui_cli_driver(cli, account, code) : NULL;
  GBytes *bytes = NULL;

  if (!driver)
    return NULL;
  if (ml_driver_select(driver, folder, &selected, &error)) {
    cli->place.uidvalidity = selected.uidvalidity;
    bytes = ml_driver_fetch(driver, uid, received, NULL, NULL, &error);
  }
  if (!bytes) {
    g_autofree char *where = g_strdup_printf("%s/%u", folder, uid);
    *code = ui_cli_mail_error(cli, account, where, error);
  }
  return bytes;
}

GBytes *
ui_cli_message(UiCli *cli, const char *input, gint64 *received, int *code)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = NULL;
  guint32 uid = 0;

  *received = 0;
  *code = UI_EXIT_OK;
  cli->place.account = NULL;
  g_clear_pointer(&cli->place.folder, g_free);
  gboolean is_file = !strcmp(input, "-") || g_file_test(input, G_FILE_TEST_EXISTS); /* a file wins */
  if (!is_file && split_place(cli, input, &folder, &uid, code))
    return folder ? fetch_message(cli, folder, uid, received, code) : NULL;
  GBytes *bytes = ui_cli_read_file(input, &error);
  if (!bytes) {
    gboolean missing = g_error_matches(error, ML_ERROR, ML_ERROR_NOT_FOUND);
    ui_cli_error(cli, "%s%s", error->message, missing ? " A message is a file, - or FOLDER/UID." : "");
    *code = ui_cli_exit_for(error);
  }
  return bytes;
}

/* What cannot be mapped: it may be the plaintext of an encrypted mail, so it goes to memory and never to a disk. */
static GBytes *
read_stream(int fd, const char *name, GError **error)
{
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  guint8 buffer[65536];
  gssize n;

  while ((n = read(fd, buffer, sizeof buffer)) != 0) {
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 || crypto_spool_length(spool) + (gsize)n > LARGEST_INPUT) {
      g_set_error(error, ML_ERROR, n < 0 ? ML_ERROR_STORE : ML_ERROR_MALFORMED, "%s: %s", name,
                  n < 0 ? g_strerror(errno) : "more than 1 GiB");
      return NULL;
    }
    if (!crypto_spool_add(spool, buffer, (gsize)n, error))
      return NULL;
  }
  return crypto_spool_finish(spool, error);
}

/* A small file is read, a large one mapped. */
static GBytes *
read_opened(int fd, const char *file, GError **error)
{
  struct stat about;

  if (fstat(fd, &about) != 0) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s cannot be read: %s", file, g_strerror(errno));
    return NULL;
  }
  if (S_ISDIR(about.st_mode)) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "%s is a folder: name a file in it, or FOLDER/UID", file);
    return NULL;
  }
  if (!S_ISREG(about.st_mode) || about.st_size <= CRYPTO_SPOOL_HEAP)
    return read_stream(fd, file, error);
  if (about.st_size > LARGEST_INPUT) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "%s is larger than 1 GiB", file);
    return NULL;
  }
  return crypto_mapping_new(fd, error);
}

GBytes *
ui_cli_read_file(const char *file, GError **error)
{
  if (!strcmp(file, "-"))
    return read_stream(STDIN_FILENO, "standard input", error);
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    ml_files_error(error, errno, "read", file);
    return NULL;
  }
  GBytes *bytes = read_opened(fd, file, error);
  close(fd);
  return bytes;
}

gint64
ui_cli_parse_time(const char *text)
{
  g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
  g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, utc);

  return time ? g_date_time_to_unix(time) : -1;
}
