#include "ui/cli.h"

#include <locale.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/nearest.h"
#include "mail/store.h"
#include "ui/app.h"
#include "ui/commands.h"
#include "ui/text.h"

static const UiCommand commands[] = {
  { "account", "list and check accounts", ui_cmd_account_help, ui_cmd_account },
  { "audit", "the verdict on every message of a folder", ui_cmd_audit_help, ui_cmd_audit },
  { "cert", "certificates: list, show, import, export, trust, delete", ui_cmd_cert_help, ui_cmd_cert },
  { "compose", "write a message on the screen", ui_cmd_compose_help, ui_cmd_compose },
  { "decrypt", "what is inside an encrypted message", ui_cmd_decrypt_help, ui_cmd_decrypt },
  { "demo", "a throw-away mailbox with every verdict in it", ui_cmd_demo_help, ui_cmd_demo },
  { "doctor", "look at every part: OK, or why not and what next", ui_cmd_doctor_help, ui_cmd_doctor },
  { "encrypt", "a message, encrypted for its recipients", ui_cmd_encrypt_help, ui_cmd_encrypt },
  { "folders", "the folders of an account", ui_cmd_folders_help, ui_cmd_folders },
  { "journal", "what your keys were used for", ui_cmd_journal_help, ui_cmd_journal },
  { "list", "the messages of a folder", ui_cmd_list_help, ui_cmd_list },
  { "outbox", "what is to leave: list, flush, cancel, add", ui_cmd_outbox_help, ui_cmd_outbox },
  { "pending", "changes that wait for the line, or were refused", ui_cmd_pending_help, ui_cmd_pending },
  { "policy", "which rules would apply to a message, and why", ui_cmd_policy_help, ui_cmd_policy },
  { "rekey", "which keys encrypted mail needs; write it anew for another", ui_cmd_rekey_help, ui_cmd_rekey },
  { "search", "messages in which words are, in all folders", ui_cmd_search_help, ui_cmd_search },
  { "send", "send a message from a script, with mailx's letters", ui_cmd_send_help, ui_cmd_send },
  { "sendmail", "take a whole message as sendmail(8) does", ui_cmd_sendmail_help, ui_cmd_sendmail },
  { "show", "one message as the reader shows it", ui_cmd_show_help, ui_cmd_show },
  { "sign", "a message, signed", ui_cmd_sign_help, ui_cmd_sign },
  { "sync", "bring the lists of messages up to date", ui_cmd_sync_help, ui_cmd_sync },
  { "token", "smart cards: list, add, remove, login", ui_cmd_token_help, ui_cmd_token },
  { "verify", "who signed a message, and may it be believed", ui_cmd_verify_help, ui_cmd_verify },
  { NULL, NULL, NULL, NULL },
};

const UiCommand *
ui_commands(void)
{
  return commands;
}

static void
print_help(void)
{
  puts("signet: a mail reader for the terminal with S/MIME built in\n\n"
       "  signet [FOLDER]          read mail\n"
       "  signet SUBCOMMAND ...    the same from a script; each has --help\n");
  for (const UiCommand *c = commands; c->name; c++)
    printf("  %-12s %s\n", c->name, c->summary);
  puts("\nEverywhere: --profile DIR, --config FILE, -A ACCOUNT, --offline, --batch, --json, -v, --version, --help.\n"
       "Manual: signet(1), signet.conf(5).");
}

static const UiCommand *
find_command(const char *name)
{
  for (const UiCommand *c = commands; c->name; c++)
    if (!strcmp(c->name, name))
      return c;
  return NULL;
}

/* The first word that is neither an option nor an option's value: the subcommand, or a folder. */
static int
find_word(int argc, char **argv)
{
  static const char *const with_value[] = { "--profile", "--config", "--account", "-A", NULL };

  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--"))
      return 0;
    if (g_strv_contains(with_value, argv[i]))
      i++;
    else if (argv[i][0] != '-' || !argv[i][1])
      return i;
  }
  return 0;
}

/* A word that is nearly a subcommand is a slip of the finger; any other is a folder. */
static gboolean
is_slip(UiCli *cli, const char *word)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new();

  for (const UiCommand *c = commands; c->name; c++)
    g_ptr_array_add(names, (char *)c->name);
  g_ptr_array_add(names, NULL);
  const char *near = ml_nearest(word, (const char *const *)names->pdata);
  if (near)
    ui_cli_error(cli, "there is no subcommand %s: did you mean %s? (A folder of that name: signet -- %s)", word, near,
                 word);
  return near != NULL;
}

/* No subcommand: the screen, on the folder that is named. */
static int
open_screen(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "", NULL, "", NULL };

  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
      print_help();
      return UI_EXIT_OK;
    }
    if (!strcmp(argv[i], "--version")) {
      puts("signet " SIGNET_VERSION);
      return UI_EXIT_OK;
    }
  }
  gboolean literal = g_strv_contains((const char *const *)argv, "--");
  int code = ui_cli_options(cli, &self, NULL, &argc, argv);
  if (code >= 0)
    return code;
  if (argc >= 2 && !literal && is_slip(cli, argv[1]))
    return UI_EXIT_USAGE;
  if (argc > 2) {
    ui_cli_error(cli, "one folder at a time: see signet --help");
    return UI_EXIT_USAGE;
  }
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || cli->json || cli->batch) {
    ui_cli_error(cli, "the screen needs a terminal: from a script use a subcommand (signet --help)");
    return UI_EXIT_USAGE;
  }
  return ui_app_run(cli, argv[1], NULL);
}

static int
run(UiCli *cli, int argc, char **argv)
{
  int word = find_word(argc, argv);
  const UiCommand *command = word ? find_command(argv[word]) : NULL;

  if (!command)
    return open_screen(cli, argc, argv);
  /* The subcommand's name goes to argv[0]; what stood before it are global options and stays. */
  char *name = argv[word];
  memmove(&argv[1 + 1], &argv[1], (gsize)(word - 1) * sizeof *argv);
  argv[1] = name;
  return command->run(cli, argc - 1, argv + 1);
}

int
main(int argc, char **argv)
{
  UiCli cli;

  umask(077);
  signal(SIGPIPE, SIG_IGN);
  if (!setlocale(LC_ALL, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
    /* A terminal without UTF-8, or a locale that is not installed: our own text handling stays UTF-8. */
    ui_text_set_utf8(FALSE);
  }
  ml_store_init();
  ui_cli_init(&cli);
  int code = run(&cli, argc, argv);
  ui_cli_clear(&cli);
  if (fflush(stdout) != 0 && code == UI_EXIT_OK)
    code = UI_EXIT_IO;
  return code;
}
