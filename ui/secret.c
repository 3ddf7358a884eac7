#include "ui/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "crypto/token.h"
#include "keyring/keyring.h"
#include "ui/text.h"

enum { LONGEST_SECRET = 4096 };

/* Reads one line from the terminal into @buffer, without the newline; -1 at end of input. */
static gssize
read_line(int fd, char *buffer, gsize size)
{
  gsize length = 0;

  for (;;) {
    char c;
    gssize n = read(fd, &c, 1);
    if (n <= 0)
      return length ? (gssize)length : -1;
    if (c == '\n')
      return (gssize)length;
    if (length + 1 < size)
      buffer[length++] = c;
  }
}

/* Asks on the controlling terminal; @echo off for secrets. NULL: no terminal, or end of input. */
static char *
ask(const char *question, gboolean echo)
{
  int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  char buffer[LONGEST_SECRET];
  struct termios before;

  if (fd < 0)
    return NULL;
  g_autofree char *safe = ui_text_line(question);
  gboolean silenced = !echo && tcgetattr(fd, &before) == 0;
  if (silenced) {
    struct termios quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    tcsetattr(fd, TCSAFLUSH, &quiet);
  }
  dprintf(fd, "%s ", safe);
  gssize length = read_line(fd, buffer, sizeof buffer);
  if (silenced) {
    tcsetattr(fd, TCSAFLUSH, &before);
    dprintf(fd, "\n");
  }
  close(fd);
  char *answer = length < 0 ? NULL : g_strndup(buffer, (gsize)length);
  explicit_bzero(buffer, sizeof buffer);
  return answer;
}

char *
ui_cli_secret(UiCli *cli, const char *question, const char *option, GError **error)
{
  char *answer = cli->batch ? NULL : ask(question, FALSE);

  if (!answer)
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED, "A secret is needed and nobody can be asked: give it by %s",
                option);
  return answer;
}

gboolean
ui_cli_confirm(UiCli *cli, const char *question)
{
  g_autofree char *answer = cli->batch ? NULL : ask(question, TRUE);

  return answer && (!g_ascii_strcasecmp(answer, "y") || !g_ascii_strcasecmp(answer, "yes"));
}

gboolean
ui_cli_spelled(UiCli *cli, const char *question)
{
  g_autofree char *answer = cli->batch ? NULL : ask(question, TRUE);

  return answer && strcmp(answer, "yes") == 0;
}

char *
ui_cli_read_secret_file(const char *file, GError **error)
{
  char buffer[LONGEST_SECRET];
  int fd = !strcmp(file, "-") ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);

  if (fd < 0) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "%s cannot be read: %s", file, g_strerror(errno));
    return NULL;
  }
  gssize length = read_line(fd, buffer, sizeof buffer);
  if (fd != STDIN_FILENO)
    close(fd);
  if (length > 0 && buffer[length - 1] == '\r')
    length--;
  char *secret = g_strndup(buffer, (gsize)MAX(length, 0)); /* an empty file is an empty password */
  explicit_bzero(buffer, sizeof buffer);
  return secret;
}

/* Waits at the terminal until the card is there; Ctrl-C ends the program, as it does everywhere. */
static char *
wait_for_card(UiCli *cli, const CryptoPinQuestion *question, GCancellable *cancellable)
{
  GPollFD there;
  int fd = cli->batch ? -1 : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

  if (fd < 0)
    return NULL;
  close(fd);
  g_autofree char *hint = crypto_token_holder_hint();
  ui_cli_error(cli, "insert %s; Ctrl-C cancels.%s", question->token, hint);
  if (g_cancellable_make_pollfd(cancellable, &there)) {
    while (!g_cancellable_is_cancelled(cancellable))
      g_poll(&there, 1, -1);
    g_cancellable_release_fd(cancellable);
  }
  return g_strdup("");
}

#define KEYRING_NAME "certificate database"

static char *
database_name(const UiCli *cli)
{
  return g_strconcat("nssdb:", cli->nssdb, NULL);
}

gboolean
ui_cli_keep_pin(UiCli *cli, GError **error)
{
  if (!cli->pin_kept) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "No password was asked for: only that of the certificate database is kept, and only where it has one.");
    return FALSE;
  }
  g_autofree char *name = database_name(cli);
  return keyring_store(KEYRING_NAME, name, cli->pin_kept, cli->cancellable, error);
}

gboolean
ui_cli_forget_pin(UiCli *cli)
{
  g_autofree char *name = database_name(cli);
  char *stored = keyring_lookup(KEYRING_NAME, name, cli->cancellable, NULL);
  gboolean there = stored != NULL;
  crypto_pin_wipe(stored);
  return there && keyring_forget(KEYRING_NAME, name, cli->cancellable, NULL);
}

void
ui_cli_pin_refused(UiCli *cli, const GError *error)
{
  if (!cli->pin_stored || !g_error_matches(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN))
    return;
  g_autofree char *name = database_name(cli);
  if (keyring_forget(KEYRING_NAME, name, cli->cancellable, NULL))
    ui_cli_error(cli, "the keyring has forgotten the password that was refused");
}

static char *
stored_password(UiCli *cli)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *name = database_name(cli);
  char *stored = keyring_lookup(KEYRING_NAME, name, cli->cancellable, &error);
  if (error && !g_error_matches(error, KEYRING_ERROR, KEYRING_ERROR_ABSENT)) /* no keyring here is no error */
    ui_cli_error(cli, "%s", error->message);
  cli->pin_stored = stored != NULL;
  return stored;
}

static char *ask_pin(const CryptoPinQuestion *question, GCancellable *cancellable, UiCli *cli);

static char *
answer_pin(const CryptoPinQuestion *question, GCancellable *cancellable, gpointer data)
{
  UiCli *cli = data;
  char *pin = ask_pin(question, cancellable, cli);
  if (pin && cli->pin_keep && question->database) {
    crypto_pin_wipe(cli->pin_kept);
    cli->pin_kept = g_strdup(pin);
  }
  return pin;
}

/* --pin-file first, then $SIGNET_PIN, then the keyring for the database's password, then the terminal. What was
 * refused once is not given again. */
static char *
ask_pin(const CryptoPinQuestion *question, GCancellable *cancellable, UiCli *cli)
{
  const char *given = g_getenv("SIGNET_PIN");

  if (question->absent) {
    if (!cli->batch && !cli->pin_file && !(given && *given))
      return wait_for_card(cli, question, cancellable);
    g_autofree char *hint = crypto_token_holder_hint();
    ui_cli_error(cli, "the key lies on the card %s, which is not in its reader: insert it and try again.%s", question->token,
                 hint);
    return NULL;
  }
  if (question->locked) {
    ui_cli_error(cli, "the token %s is locked: signet token unblock gives it a new PIN, by its PUK", question->token);
    return NULL;
  }
  if (question->pinpad) {
    if (cli->batch) {
      ui_cli_error(cli, "the PIN of %s is typed on its reader: leave --batch away", question->token);
      return NULL;
    }
    ui_cli_error(cli, "enter the PIN of %s on the reader", question->token);
    return g_strdup("");
  }
  if (cli->pin_file || (given && *given)) {
    if (question->retry)
      return NULL;
    g_autoptr(GError) error = NULL;
    char *pin = cli->pin_file ? ui_cli_read_secret_file(cli->pin_file, &error) : g_strdup(given);
    if (error)
      ui_cli_error(cli, "%s", error->message);
    return pin;
  }
  char *stored = question->database && !question->retry && !cli->pin_keep ? stored_password(cli) : NULL;
  if (stored)
    return stored;
  g_autofree char *text =
      g_strdup_printf("%s%s%s %s:", question->retry ? "Wrong. " : "",
                      question->final_try   ? "LAST TRY before it locks. "
                      : question->count_low ? "A wrong PIN was given before. "
                                            : "",
                      question->database ? "Password of the certificate database" : "PIN for",
                      question->database ? "" : question->token);
  g_autoptr(GError) error = NULL;
  char *pin = ui_cli_secret(cli, text, "--pin-file or $SIGNET_PIN", &error);
  if (error)
    ui_cli_error(cli, "%s", error->message);
  return pin;
}

CryptoPinSource *
ui_cli_pin_source(UiCli *cli)
{
  if (!cli->pin.cancellable)
    cli->pin = (CryptoPinSource){ .func = answer_pin, .user_data = cli, .cancellable = g_cancellable_new() };
  return &cli->pin;
}
