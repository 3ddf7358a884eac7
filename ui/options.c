#include "ui/cli.h"

#include <stdio.h>
#include <string.h>

#include "mail/nearest.h"

/* The options that every subcommand takes, wherever they stand. */
static void
global_options(UiCli *cli, UiOption *out)
{
  const UiOption options[] = {
    { "profile", 0, UI_OPTION_STRING, &cli->profile },
    { "config", 0, UI_OPTION_STRING, &cli->config_file },
    { "account", 'A', UI_OPTION_STRING, &cli->account },
    { "offline", 0, UI_OPTION_FLAG, &cli->offline },
    { "batch", 0, UI_OPTION_FLAG, &cli->batch },
    { "json", 0, UI_OPTION_FLAG, &cli->json },
    { "verbose", 'v', UI_OPTION_FLAG, &cli->verbose },
    { NULL, 0, 0, NULL },
  };
  memcpy(out, options, sizeof options);
}
enum { GLOBAL_OPTIONS = 8 };

static const UiOption *
find_long(const UiOption *options, const char *name, gsize length)
{
  for (; options && options->name; options++)
    if (strlen(options->name) == length && !strncmp(options->name, name, length))
      return options;
  return NULL;
}

static const UiOption *
find_letter(const UiOption *options, char letter)
{
  for (; options && options->name; options++)
    if (options->letter && options->letter == letter)
      return options;
  return NULL;
}

static void
store(const UiOption *option, const char *value)
{
  switch (option->kind) {
  case UI_OPTION_FLAG:
    *(gboolean *)option->value = TRUE;
    break;
  case UI_OPTION_COUNT:
    ++*(int *)option->value;
    break;
  case UI_OPTION_STRING:
    g_free(*(char **)option->value);
    *(char **)option->value = g_strdup(value);
    break;
  case UI_OPTION_LIST: {
    GPtrArray **list = option->value;
    if (!*list)
      *list = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(*list, g_strdup(value));
    break;
  }
  }
}

static gboolean
takes_value(const UiOption *option)
{
  return option->kind == UI_OPTION_STRING || option->kind == UI_OPTION_LIST;
}

/* The screen is a command without a name. */
static char *
help_of(const UiCommand *command)
{
  return command && *command->name ? g_strdup_printf("signet %s --help", command->name) : g_strdup("signet --help");
}

static void
unknown_option(UiCli *cli, const UiCommand *command, const char *given, const UiOption *own, const UiOption *global)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  g_autofree char *word = g_strdup(given);

  word[strcspn(word, "=")] = '\0';
  for (const UiOption *o = own; o && o->name; o++)
    g_ptr_array_add(names, (char *)o->name);
  for (const UiOption *o = global; o->name; o++)
    g_ptr_array_add(names, (char *)o->name);
  g_ptr_array_add(names, (char *)"help");
  g_ptr_array_add(names, NULL);
  const char *near = ml_nearest(word, (const char *const *)names->pdata);
  g_autofree char *help = help_of(command);
  if (near)
    ui_cli_error(cli, "unknown option --%s: did you mean --%s? See %s", word, near, help);
  else
    ui_cli_error(cli, "unknown option --%s: see %s", word, help);
}

/* One long option at argv[*i]. -1: go on. */
static int
parse_long(UiCli *cli, const UiCommand *command, const UiOption *own, const UiOption *global, int argc, char **argv,
           int *i)
{
  const char *word = argv[*i] + 2;
  gsize length = strcspn(word, "=");
  g_autofree char *help = help_of(command);
  const char *value = word[length] ? word + length + 1 : NULL;
  const UiOption *option = find_long(own, word, length);

  if (!option)
    option = find_long(global, word, length);
  if (!option) {
    unknown_option(cli, command, word, own, global);
    return UI_EXIT_USAGE;
  }
  if (!takes_value(option) && value) {
    ui_cli_error(cli, "--%s takes no value: see %s", option->name, help);
    return UI_EXIT_USAGE;
  }
  if (takes_value(option) && !value) {
    if (*i + 1 >= argc) {
      ui_cli_error(cli, "--%s needs a value: see %s", option->name, help);
      return UI_EXIT_USAGE;
    }
    value = argv[++*i];
  }
  store(option, value);
  return -1;
}

static int
parse_letters(UiCli *cli, const UiCommand *command, const UiOption *own, const UiOption *global, int argc, char **argv,
              int *i)
{
  g_autofree char *help = help_of(command);

  for (const char *p = argv[*i] + 1; *p; p++) {
    const UiOption *option = find_letter(own, *p);
    if (!option)
      option = find_letter(global, *p);
    if (!option) {
      ui_cli_error(cli, "unknown option -%c: see %s", *p, help);
      return UI_EXIT_USAGE;
    }
    if (!takes_value(option)) {
      store(option, NULL);
      continue;
    }
    const char *value = p[1] ? p + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    if (!value) {
      ui_cli_error(cli, "-%c needs a value: see %s", *p, help);
      return UI_EXIT_USAGE;
    }
    store(option, value);
    break;
  }
  return -1;
}

static const char global_help[] =
    "\nOptions of every subcommand:\n"
    "  --profile DIR       configuration, state, store and certificates all below DIR\n"
    "  --config FILE       another signet.conf\n"
    "  -A, --account NAME  which account (default: the first)\n"
    "  --offline           ask nothing of the network\n"
    "  --batch             never ask; a missing secret is an error that names its option\n"
    "  --json              one JSON object a line on stdout\n"
    "  -v, --verbose       say more on stderr\n"
    "  -h, --help          this\n";

int
ui_cli_options(UiCli *cli, const UiCommand *command, const UiOption *own, int *argc, char **argv)
{
  UiOption global[GLOBAL_OPTIONS];
  int count = 1, code = -1;

  global_options(cli, global);
  for (int i = 1; i < *argc && code < 0; i++) {
    if (!strcmp(argv[i], "--")) {
      for (i++; i < *argc; i++)
        argv[count++] = argv[i];
    } else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
      fputs(command ? command->help : "", stdout);
      fputs(global_help, stdout);
      return UI_EXIT_OK;
    } else if (g_str_has_prefix(argv[i], "--")) {
      code = parse_long(cli, command, own, global, *argc, argv, &i);
    } else if (argv[i][0] == '-' && argv[i][1]) {
      code = parse_letters(cli, command, own, global, *argc, argv, &i);
    } else {
      argv[count++] = argv[i];
    }
  }
  *argc = count;
  argv[count] = NULL;
  return code;
}
