#ifndef UI_CLI_H
#define UI_CLI_H

#include <gio/gio.h>

#include "crypto/chain.h"
#include "crypto/context.h"
#include "mail/config.h"
#include "mail/driver.h"
#include "ui/password.h"

/* What every subcommand shares: the global options, where files lie, prompts on the terminal, and exit codes.
 * Main thread only. */
enum {
  UI_EXIT_OK = 0,
  UI_EXIT_NO = 1,       /* a negative answer */
  UI_EXIT_USAGE = 2,
  UI_EXIT_DATA = 65,    /* sysexits from here: not a message */
  UI_EXIT_NOINPUT = 66,
  UI_EXIT_UNAVAILABLE = 69,
  UI_EXIT_SOFTWARE = 70,
  UI_EXIT_IO = 74,
  UI_EXIT_TEMPFAIL = 75,
  UI_EXIT_PERMISSION = 77,
  UI_EXIT_CONFIG = 78,
};

typedef struct {
  /* global options */
  char *profile, *config_file, *account;
  gboolean offline, batch, json, verbose;
  /* where things lie, absolute */
  char *config_path, *data_dir, *state_dir, *cache_dir, *nssdb;
  MlConfig *config;        /* loaded by ui_cli_config() */
  gboolean crypto_is_open;
  gpointer journal;        /* MlJournal of key uses; NULL: off */
  char *pin_file;          /* --pin-file, or NULL */
  CryptoPinSource pin;     /* of this run; see ui_cli_pin_source() */
  gboolean pin_keep;       /* remember the database's password: */
  char *pin_kept;          /* wiped by ui_cli_clear(); NULL */
  gboolean pin_stored;     /* the keyring gave it */
  GCancellable *cancellable; /* of this run: Ctrl-C */
  MlDriverHooks hooks;     /* of this run's driver */
  /* where the message lies that ui_cli_message() read last; account NULL: in a file */
  struct {
    const MlAccount *account;
    char *folder;
    guint32 uidvalidity, uid;
  } place;
  /* ui/opened.c: of MlOpenedText, not on the disk yet, of one account; NULL */
  GPtrArray *opened;
  const MlAccount *opened_of;
  gsize opened_size;
  gboolean password_given; /* the driver asked for one, and the next is true */
  UiPasswordSource password_source;
} UiCli;

/* A subcommand: name, one line for `signet --help`, its own help text, and what runs it. @argv[0] is its name.
 * Returns the exit code. */
typedef struct {
  const char *name, *summary, *help;
  int (*run)(UiCli *cli, int argc, char **argv);
} UiCommand;

const UiCommand *ui_commands(void); /* table, ended by a NULL name (ui/main.c) */

/* One option of a subcommand: long name without dashes, one letter or 0, and where its value goes. A repeated
 * string-list option appends. Unknown options are errors that name the nearest match. */
typedef enum { UI_OPTION_FLAG, UI_OPTION_STRING, UI_OPTION_LIST, UI_OPTION_COUNT } UiOptionKind;
typedef struct {
  const char *name;
  char letter;
  UiOptionKind kind;
  void *value; /* gboolean *, char **, GPtrArray **, int * */
} UiOption;

/* Parses @argv in place, global options too (they are taken anywhere before "--"). Leaves positional arguments in
 * argv[1..] and their number in *argc. Returns -1 to go on, else the exit code (help printed: 0, error: 2). */
int ui_cli_options(UiCli *cli, const UiCommand *command, const UiOption *options, int *argc, char **argv);

/* Each prints its error and returns FALSE with the exit code in *code. */
gboolean ui_cli_config(UiCli *cli, int *code);
MlAccount *ui_cli_account(UiCli *cli, int *code);       /* -A, else the first */
char *ui_cli_journal_file(const UiCli *cli); /* once the configuration is loaded; transfer full */
gboolean ui_cli_crypto(UiCli *cli, gboolean need_database, gboolean roots, gboolean tokens, int *code);
/* For the screen, with the configuration loaded: all of it, while the screen is drawn already (crypto_open_behind()). */
void ui_cli_crypto_behind(UiCli *cli, CryptoOpened func, gpointer user_data);

/* "anna/INBOX/12", "INBOX/12", a file, "-": the bytes of one message. @received is set from the store. */
GBytes *ui_cli_message(UiCli *cli, const char *input, gint64 *received, int *code);
MlDriver *ui_cli_driver(UiCli *cli, MlAccount *account, int *code);
/* Prints "WHERE: ", what a driver met, and where the folder is not there what lists those that are. The exit code. */
int ui_cli_mail_error(UiCli *cli, const MlAccount *account, const char *where, const GError *error);
/* What a driver, or mail/smtp.h and mail/outbox.h, ask while they work; the certificate database is open where TLS
 * will need it. Borrowed; NULL: printed, *code is set. */
const MlDriverHooks *ui_cli_hooks(UiCli *cli, gboolean network, gboolean tokens, int *code);
/* Can the account send? As ml_driver_check() tells of reading. */
gboolean ui_cli_check_sending(UiCli *cli, const MlAccount *account, MlStepFunc step, gpointer user_data,
                              GError **error);

/* A sentence to stderr through the text gate: "signet: ...". Never a secret. */
void ui_cli_error(UiCli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
int ui_cli_exit_for(const GError *error); /* sysexits that fit an error of mail/ or crypto/ */

/* Secrets. The terminal is asked with echo off, from /dev/tty; with --batch, or without a terminal, NULL and
 * *error names the option to give it by. Transfer full; wipe with crypto_pin_wipe(). */
char *ui_cli_secret(UiCli *cli, const char *question, const char *option, GError **error);
/* The certificate database's password in the keyring, for runs that nobody sits at. */
gboolean ui_cli_keep_pin(UiCli *cli, GError **error); /* what was given in this run */
gboolean ui_cli_forget_pin(UiCli *cli); /* takes it out; FALSE: none was there, or no keyring */
void ui_cli_pin_refused(UiCli *cli, const GError *error); /* forgets one that the keyring gave, if that is why */
CryptoPinSource *ui_cli_pin_source(UiCli *cli); /* borrowed: for subcommands */
char *ui_cli_read_secret_file(const char *file, GError **error); /* first line, newline stripped */
gboolean ui_cli_confirm(UiCli *cli, const char *question); /* FALSE with --batch */
gboolean ui_cli_spelled(UiCli *cli, const char *question); /* "yes", written out; FALSE with --batch */
GBytes *ui_cli_read_file(const char *file, GError **error); /* "-" is stdin; at most 1 GiB */
gint64 ui_cli_parse_time(const char *text);  /* RFC 3339; -1: not one */

/* The program's ends (ui/main.c). */
void ui_cli_init(UiCli *cli);
void ui_cli_clear(UiCli *cli);

#endif
