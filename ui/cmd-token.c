#include <stdio.h>
#include <string.h>

#include "ui/cmd-token-private.h"
#include "ui/commands.h"
#include "ui/json.h"
#include "ui/text.h"

const char ui_cmd_token_help[] =
    "signet token list                     readers, cards and the certificate database, and what state they "
    "are in\n"
    "signet token add NAME MODULE.so       use a PKCS#11 library (written into the certificate database)\n"
    "signet token remove NAME              no longer use it\n"
    "signet token login [--keep] TOKEN     try the PIN, and show which certificates have their key there\n"
    "                                      --keep: the certificate database's password into the keyring, for runs\n"
    "                                      that nobody sits at (cron)\n"
    "signet token logout                   running screens forget PINs and the database's password; what --keep kept\n"
    "                                      leaves the keyring\n"
    "signet token setup TOKEN              what is on the card, and the settings with which accounts use it; asks before\n"
    "                                      it writes each into signet.conf (--write: does not ask; --tls: also\n"
    "                                      as the client certificate of IMAP accounts)\n"
    "signet token change-pin TOKEN         a new PIN; for \"database\" its password, the first one too, and an empty\n"
    "                                      new one takes it away (--new-pin-file F)\n"
    "signet token unblock TOKEN            a new PIN for a locked card, by its PUK or SO PIN (--puk-file F,\n"
    "                                      --new-pin-file F)\n"
    "\n"
    "Cards that p11-kit knows need no `add`. --pin-file F or $SIGNET_PIN give the PIN; a wrong PIN costs one "
    "try.\n"
    "Exit codes: 0 done, 1 no such token or module, 2 usage, 77 wrong or missing PIN, or locked, 78 "
    "database.\n";

int
ui_cmd_token_fail(UiCli *cli, const GError *error)
{
  if (g_error_matches(error, CRYPTO_ERROR,
                      CRYPTO_ERROR_CANCELLED)) /* nobody could be asked, and that was said */
    return UI_EXIT_PERMISSION;
  ui_cli_error(cli, "%s", error->message);
  return ui_cli_exit_for(error);
}

static const char *
state_words(const CryptoToken *token)
{
  return token->mute          ? "a card that does not answer"
         : !token->present    ? "no card inserted"
         : token->locked      ? "LOCKED: signet token unblock, with its PUK"
         : token->final_try   ? "one more wrong PIN locks it"
         : token->logged_in   ? "logged in"
         : token->pinpad      ? "PIN is typed on the reader"
         : token->count_low   ? "a wrong PIN was given"
         : token->needs_login ? (token->database ? "protected by a password" : "PIN needed")
                              : "no PIN needed";
}

static void
print_token(UiCli *cli, const CryptoToken *token)
{
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "token", token->token);
    ui_json_string(json, "slot", token->slot);
    ui_json_string(json, "module", token->module);
    ui_json_string(json, "manufacturer", token->manufacturer);
    ui_json_string(json, "model", token->model);
    ui_json_string(json, "serial", token->serial);
    ui_json_bool(json, "present", token->present);
    ui_json_bool(json, "mute", token->mute);
    ui_json_bool(json, "database", token->database);
    ui_json_bool(json, "needs_login", token->needs_login);
    ui_json_bool(json, "logged_in", token->logged_in);
    ui_json_bool(json, "pinpad", token->pinpad);
    ui_json_bool(json, "count_low", token->count_low);
    ui_json_bool(json, "final_try", token->final_try);
    ui_json_bool(json, "locked", token->locked);
    ui_json_int(json, "certificates", token->certificates);
    ui_json_int(json, "retired", token->retired);
    ui_json_print(json);
    return;
  }
  g_autofree char *what = token->database  ? g_strdup("certificate database")
                          : token->present ? g_strdup_printf("%s %s", token->manufacturer, token->model)
                                           : g_strdup(token->slot);
  g_autofree char *why = token->mute ? crypto_token_mute_words() : NULL;
  g_autofree char *old = why ? g_strdup_printf(": %s", why)
                         : token->retired ? g_strdup_printf(", %u old key%s, for reading old mail", token->retired,
                                                          token->retired == 1 ? "" : "s")
                                        : g_strdup("");
  g_autofree char *line =
      g_strdup_printf("%-24s %2u with key  %-32s %s, module %s%s", *token->token ? token->token : "-",
                      token->certificates, what, state_words(token), token->module, old);
  g_autofree char *safe = ui_text_line(line);
  puts(safe);
}

static int
list(UiCli *cli, int argc, char **argv, const UiTokenOptions *options)
{
  int code = UI_EXIT_OK;
  if (!ui_cli_crypto(cli, FALSE, FALSE, TRUE, &code))
    return code;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) tokens = crypto_token_list(&error);
  if (!tokens)
    return ui_cmd_token_fail(cli, error);
  for (guint i = 0; i < tokens->len; i++)
    print_token(cli, tokens->pdata[i]);
  if (!tokens->len && !cli->json)
    ui_cli_error(
        cli, "no token and no reader is known: install your card's PKCS#11 module, then signet token add");
  return UI_EXIT_OK;
}

static int
add(UiCli *cli, int argc, char **argv, const UiTokenOptions *options)
{
  int code = UI_EXIT_OK;
  if (!ui_cli_crypto(cli, TRUE, FALSE, FALSE, &code))
    return code;
  g_autoptr(GError) error = NULL;
  if (!crypto_token_add_module(argv[1], argv[2], &error))
    return ui_cmd_token_fail(cli, error);
  g_autoptr(GPtrArray) tokens = crypto_token_list(&error);
  for (guint i = 0; tokens && i < tokens->len; i++) {
    const CryptoToken *token = tokens->pdata[i];
    if (strcmp(token->module, argv[1]) == 0)
      print_token(cli, token);
  }
  return UI_EXIT_OK;
}

static int
take_away(UiCli *cli, int argc, char **argv, const UiTokenOptions *options)
{
  int code = UI_EXIT_OK;
  if (!ui_cli_crypto(cli, TRUE, FALSE, FALSE, &code))
    return code;
  g_autoptr(GError) error = NULL;
  return crypto_token_remove_module(argv[1], &error) ? UI_EXIT_OK : ui_cmd_token_fail(cli, error);
}

static int
login(UiCli *cli, int argc, char **argv, const UiTokenOptions *options)
{
  int code = UI_EXIT_OK;
  if (!ui_cli_crypto(cli, FALSE, FALSE, TRUE, &code))
    return code;
  g_autoptr(GError) error = NULL;
  if (!crypto_token_login(argv[1], ui_cli_pin_source(cli), &error))
    return ui_cmd_token_fail(cli, error);
  if (cli->pin_keep && !ui_cli_keep_pin(cli, &error)) {
    ui_cli_error(cli, "the password is not kept: %s", error->message);
    return UI_EXIT_NO;
  }
  g_autoptr(GPtrArray) tokens = crypto_token_list(&error);
  for (guint i = 0; tokens && i < tokens->len; i++) {
    const CryptoToken *token = tokens->pdata[i];
    if (strcmp(token->token, argv[1]) == 0)
      print_token(cli, token);
  }
  return UI_EXIT_OK;
}

/* The screens that run look at this file. */
static gboolean
tell_screens(UiCli *cli)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(cli->state_dir, "forget-pins", NULL);
  g_autofree char *now = g_strdup_printf("%" G_GINT64_FORMAT "\n", g_get_real_time());
  g_mkdir_with_parents(cli->state_dir, 0700);
  if (g_file_set_contents_full(file, now, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    return TRUE;
  ui_cli_error(cli, "%s", error->message);
  return FALSE;
}

static int
logout(UiCli *cli, int argc, char **argv, const UiTokenOptions *options)
{
  int code = UI_EXIT_OK;
  if (!ui_cli_config(cli, &code))
    return code;
  gboolean told = tell_screens(cli);
  if (ui_cli_forget_pin(cli) && !cli->json)
    puts("The keyring has forgotten the password of the certificate database.");
  return told ? UI_EXIT_OK : UI_EXIT_IO;
}

static int
change_pin(UiCli *cli, int argc, char **argv, const UiTokenOptions *options)
{
  return ui_cmd_token_change_pin(cli, options, argv[1]);
}

static int
unblock(UiCli *cli, int argc, char **argv, const UiTokenOptions *options)
{
  return ui_cmd_token_unblock(cli, options, argv[1]);
}

static int
setup(UiCli *cli, int argc, char **argv, const UiTokenOptions *options)
{
  return ui_cmd_token_setup(cli, options, argv[1]);
}

static const struct {
  const char *name, *usage;
  int words;
  int (*run)(UiCli *cli, int argc, char **argv, const UiTokenOptions *options);
} verbs[] = {
  { "list", "signet token list", 0, list },
  { "add", "signet token add NAME MODULE.so", 2, add },
  { "remove", "signet token remove NAME", 1, take_away },
  { "login", "signet token login TOKEN", 1, login },
  { "logout", "signet token logout", 0, logout },
  { "change-pin", "signet token change-pin TOKEN", 1, change_pin },
  { "unblock", "signet token unblock TOKEN", 1, unblock },
  { "setup", "signet token setup TOKEN", 1, setup },
};

static int
run(UiCli *cli, UiTokenOptions *token, int argc, char **argv)
{
  const UiOption options[] = { { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
                               { "keep", 0, UI_OPTION_FLAG, &cli->pin_keep },
                               { "new-pin-file", 0, UI_OPTION_STRING, &token->new_pin_file },
                               { "puk-file", 0, UI_OPTION_STRING, &token->puk_file },
                               { "write", 0, UI_OPTION_FLAG, &token->write },
                               { "tls", 0, UI_OPTION_FLAG, &token->tls },
                               { NULL, 0, 0, NULL } };
  static const UiCommand self = { "token", NULL, ui_cmd_token_help, NULL };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code >= 0)
    return code;
  for (gsize i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++) {
    if (strcmp(argv[1], verbs[i].name) != 0)
      continue;
    if (argc == verbs[i].words + 2)
      return verbs[i].run(cli, argc - 1, argv + 1, token);
    ui_cli_error(cli, "say %s", verbs[i].usage);
    return UI_EXIT_USAGE;
  }
  ui_cli_error(cli, "say signet token list, add, remove, login, logout, setup, change-pin or unblock (signet token --help)");
  return UI_EXIT_USAGE;
}

int
ui_cmd_token(UiCli *cli, int argc, char **argv)
{
  UiTokenOptions token = { 0 };
  int code = run(cli, &token, argc, argv);
  g_free(token.new_pin_file);
  g_free(token.puk_file);
  return code;
}
