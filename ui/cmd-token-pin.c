#include <stdio.h>
#include <string.h>

#include "ui/cmd-token-private.h"
#include "ui/text.h"

/* signet token change-pin, unblock: the secrets come from files, or from the terminal, the new one twice. */

static char *
secret(UiCli *cli, const char *file, const char *option, const char *question, GError **error)
{
  return file ? ui_cli_read_secret_file(file, error) : ui_cli_secret(cli, question, option, error);
}

/* Transfer full, wipe; NULL: it was said why. */
static char *
new_pin(UiCli *cli, const UiTokenOptions *options, const CryptoToken *token)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *name = g_strdup_printf(token->database ? "password of the certificate database" : "PIN for %s",
                                          token->token);
  g_autofree char *first = g_strdup_printf("New %s:", name), *again = g_strdup_printf("New %s, once more:", name);
  char *pin = secret(cli, options->new_pin_file, "--new-pin-file", first, &error);
  char *second = pin && !options->new_pin_file ? secret(cli, NULL, "--new-pin-file", again, &error) : g_strdup(pin);
  if (error)
    ui_cli_error(cli, "%s", error->message);
  else if (strcmp(pin, second) != 0)
    ui_cli_error(cli, "the two are not the same; nothing was changed, and no try was spent");
  else {
    crypto_pin_wipe(second);
    return pin;
  }
  crypto_pin_wipe(pin);
  crypto_pin_wipe(second);
  return NULL;
}

static char *
old_pin(UiCli *cli, const CryptoToken *token, GError **error)
{
  const char *given = g_getenv("SIGNET_PIN");
  if (token->database && !token->needs_login)
    return g_strdup("");
  if (!cli->pin_file && given && *given)
    return g_strdup(given);
  g_autofree char *question = g_strdup_printf(token->database ? "Password of the certificate database until now:"
                                                              : "%sPIN for %s until now:",
                                              token->final_try   ? "LAST TRY before it locks. "
                                              : token->count_low ? "A wrong PIN was given before. "
                                                                 : "",
                                              token->token);
  return secret(cli, cli->pin_file, "--pin-file or $SIGNET_PIN", question, error);
}

static int
done(UiCli *cli, const CryptoToken *token, gboolean empty)
{
  if (!cli->json) {
    g_autofree char *words = token->database ? g_strdup(empty ? "The certificate database has no password any more."
                                                              : "The certificate database has its new password.")
                                             : g_strdup_printf("%s has its new PIN.", token->token);
    g_autofree char *safe = ui_text_line(words);
    puts(safe);
  }
  return UI_EXIT_OK;
}

static gboolean
may_ask_reader(UiCli *cli, const CryptoToken *token, const char *what)
{
  if (cli->batch)
    ui_cli_error(cli, "the PIN of %s is typed on its reader: leave --batch away", token->token);
  else
    ui_cli_error(cli, "enter it on the reader of %s: %s, the new PIN, the new PIN again", token->token, what);
  return !cli->batch;
}

static int
change(UiCli *cli, const UiTokenOptions *options, const CryptoToken *token)
{
  g_autoptr(GError) error = NULL;
  char *old = NULL, *new = NULL;
  gboolean keypad = token->pinpad && !token->database;
  if (keypad && !may_ask_reader(cli, token, "the PIN until now"))
    return UI_EXIT_PERMISSION;
  if (!keypad && !(old = old_pin(cli, token, &error)))
    return ui_cmd_token_fail(cli, error);
  if (!keypad && !(new = new_pin(cli, options, token))) {
    crypto_pin_wipe(old);
    return UI_EXIT_PERMISSION;
  }
  gboolean changed = crypto_token_change_pin(token->token, old, new, &error), empty = new && !*new;
  crypto_pin_wipe(old);
  crypto_pin_wipe(new);
  return changed ? done(cli, token, empty) : ui_cmd_token_fail(cli, error);
}

static CryptoToken *
find(UiCli *cli, const char *name, gboolean *locked, int *code)
{
  g_autoptr(GError) error = NULL;
  if (!ui_cli_crypto(cli, TRUE, FALSE, TRUE, code))
    return NULL;
  CryptoToken *token = crypto_token_find(name, &error);
  *locked = token && token->locked;
  if (!token)
    *code = ui_cmd_token_fail(cli, error);
  return token;
}

int
ui_cmd_token_change_pin(UiCli *cli, const UiTokenOptions *options, const char *name)
{
  int code;
  gboolean locked;
  g_autoptr(CryptoToken) token = find(cli, name, &locked, &code);
  if (!token)
    return code;
  if (!locked)
    return change(cli, options, token);
  ui_cli_error(cli, "%s is locked after too many wrong PINs: signet token unblock %s, with its PUK", name, name);
  return UI_EXIT_PERMISSION;
}

int
ui_cmd_token_unblock(UiCli *cli, const UiTokenOptions *options, const char *name)
{
  int code;
  gboolean locked;
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoToken) token = find(cli, name, &locked, &code);
  if (!token)
    return code;
  gboolean keypad = token->pinpad && !token->database;
  char *puk = NULL, *new = NULL;
  g_autofree char *question = g_strdup_printf("PUK (SO PIN) of %s:", token->token);
  if (keypad && !may_ask_reader(cli, token, "the PUK (SO PIN)"))
    return UI_EXIT_PERMISSION;
  if (!keypad && !token->database) {
    puk = secret(cli, options->puk_file, "--puk-file", question, &error);
    if (!puk)
      return ui_cmd_token_fail(cli, error);
    new = new_pin(cli, options, token);
    if (!new) {
      crypto_pin_wipe(puk);
      return UI_EXIT_PERMISSION;
    }
  }
  gboolean unblocked = crypto_token_unblock(token->token, puk, new, &error);
  crypto_pin_wipe(puk);
  crypto_pin_wipe(new);
  return unblocked ? done(cli, token, FALSE) : ui_cmd_token_fail(cli, error);
}
