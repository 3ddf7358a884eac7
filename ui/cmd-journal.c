#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/journal.h"
#include "ui/commands.h"
#include "ui/json.h"
#include "ui/text.h"

const char ui_cmd_journal_help[] =
    "signet journal [--since TIME] [--file FILE]    what your keys were used for\n"
    "\n"
    "  --since TIME       from then on: 2026-11-22T06:00:00Z, 2026-11-22, or 12h, 7d, 4w ago\n"
    "  --file FILE        another than this profile's: one that logrotate has moved away\n"
    "\n"
    "A line a use: when, what for, what came of it, which key, where it lies, and for which message or server. It is\n"
    "written where journal = on or required is in [policy] of signet.conf or of the system's policy.conf\n"
    "(signet.conf(5)). --json prints its lines as they are; \"begun\" is a use whose end is not in the file.\n"
    "\n"
    "Exit codes: 0, 1 lines are damaged, 2 usage, 66 there is no journal, 74 it cannot be read\n";

enum { LINES_MAX = 5000000, LINE_MAX_BYTES = 65536 };

typedef struct {
  char *at, *act, *result, *why, *certificate, *key, *name, *token, *about, *use;
} Line;

static void
line_free(gpointer data)
{
  Line *line = data;
  char *all[] = { line->at,  line->act,  line->result, line->why,   line->certificate,
                  line->key, line->name, line->token,  line->about, line->use };
  for (guint i = 0; i < G_N_ELEMENTS(all); i++)
    g_free(all[i]);
  g_free(line);
}

static char *
member(JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member(object, name);
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_dup_string(node) : NULL;
}

/* NULL: no line of a journal. */
static Line *
parse(const char *text)
{
  g_autoptr(JsonParser) parser = json_parser_new();
  if (!json_parser_load_from_data(parser, text, -1, NULL) || !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
    return NULL;
  JsonObject *object = json_node_get_object(json_parser_get_root(parser));
  Line *line = g_new0(Line, 1);
  *line = (Line){ member(object, "at"),          member(object, "act"), member(object, "result"), member(object, "why"),
                  member(object, "certificate"), member(object, "key"), member(object, "name"),   member(object, "token"),
                  member(object, "about"),       member(object, "use") };
  if (line->at && line->act && line->result && line->use)
    return line;
  line_free(line);
  return NULL;
}

/* -1: not a time. */
static gint64
parse_since(const char *text)
{
  static const struct {
    char letter;
    gint64 seconds;
  } units[] = { { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 } };
  char *end = NULL;
  guint64 number = g_ascii_isdigit(*text) ? g_ascii_strtoull(text, &end, 10) : 0;
  for (guint i = 0; end && number <= 100000 && i < G_N_ELEMENTS(units); i++)
    if (*end == units[i].letter && !end[1])
      return g_get_real_time() / G_USEC_PER_SEC - (gint64)number * units[i].seconds;
  g_autofree char *day = strlen(text) == 10 ? g_strconcat(text, "T00:00:00Z", NULL) : g_strdup(text);
  return ui_cli_parse_time(day);
}

static void
print_line(const Line *line)
{
  g_autofree char *when = g_strndup(line->at, 19);
  g_autofree char *key = line->certificate ? g_strndup(line->certificate, 16) : line->key ? g_strndup(line->key, 16) : g_strdup("-");
  g_autofree char *raw =
      g_strdup_printf("%sZ  %-8s %-6s %s  %s, %s%s%s%s%s", when, line->act, line->result, key, line->name ? line->name : "a new key",
                      line->token ? line->token : "?", line->about ? "  " : "", line->about ? line->about : "",
                      line->why ? "  " : "", line->why ? line->why : "");
  g_autofree char *safe = ui_text_line(raw);
  puts(safe);
}

typedef struct {
  GPtrArray *lines;  /* of Line */
  GHashTable *ended; /* of char *: the uses whose end was seen; borrowed */
  guint damaged;
} Journal;

static gboolean
read_lines(UiCli *cli, FILE *file, gint64 since, Journal *journal)
{
  char *text = NULL;
  size_t room = 0;
  ssize_t length;
  while ((length = getline(&text, &room, file)) > 0 && journal->lines->len < LINES_MAX) {
    if (text[length - 1] == '\n')
      text[--length] = '\0';
    if (!length)
      continue;
    Line *line = length < LINE_MAX_BYTES && strlen(text) == (gsize)length ? parse(text) : NULL;
    gint64 at = line ? ui_cli_parse_time(line->at) : -1;
    if (at < 0)
      journal->damaged++;
    if (at < since || at < 0) {
      if (line)
        line_free(line);
      continue;
    }
    g_ptr_array_add(journal->lines, line);
    if (strcmp(line->result, "begun") != 0)
      g_hash_table_add(journal->ended, line->use);
    if (cli->json)
      puts(text);
  }
  free(text);
  return !ferror(file);
}

static int
show(UiCli *cli, const char *path, gint64 since)
{
  FILE *file = fopen(path, "re");
  if (!file && errno == ENOENT) {
    ui_cli_error(cli, "there is no journal at %s%s", path,
                 ml_journal_mode(cli->config) == ML_JOURNAL_OFF ? ": journal = on in [policy] of signet.conf begins one" : " yet");
    return UI_EXIT_NOINPUT;
  }
  if (!file) {
    ui_cli_error(cli, "%s cannot be read: %s", path, g_strerror(errno));
    return UI_EXIT_IO;
  }
  Journal journal = { g_ptr_array_new_with_free_func(line_free), g_hash_table_new(g_str_hash, g_str_equal), 0 };
  gboolean read = read_lines(cli, file, since, &journal);
  fclose(file);
  for (guint i = 0; i < journal.lines->len && !cli->json; i++) {
    const Line *line = journal.lines->pdata[i];
    if (strcmp(line->result, "begun") != 0 || !g_hash_table_contains(journal.ended, line->use))
      print_line(line);
  }
  g_hash_table_unref(journal.ended);
  g_ptr_array_unref(journal.lines);
  if (!read)
    ui_cli_error(cli, "%s cannot be read to its end", path);
  else if (journal.damaged)
    ui_cli_error(cli, "%u line%s of %s %s none of a journal's: cut short by a full disk, or written by somebody else", journal.damaged,
                 journal.damaged == 1 ? "" : "s", path, journal.damaged == 1 ? "is" : "are");
  return !read ? UI_EXIT_IO : journal.damaged ? UI_EXIT_NO : UI_EXIT_OK;
}

int
ui_cmd_journal(UiCli *cli, int argc, char **argv)
{
  static const UiCommand self = { "journal", NULL, ui_cmd_journal_help, NULL };
  g_autofree char *since_text = NULL, *file = NULL;
  const UiOption options[] = { { "since", 0, UI_OPTION_STRING, &since_text },
                               { "file", 0, UI_OPTION_STRING, &file },
                               { NULL, 0, 0, NULL } };
  int code = ui_cli_options(cli, &self, options, &argc, argv);
  if (code >= 0)
    return code;
  gint64 since = since_text ? parse_since(since_text) : 0;
  if (argc > 1 || since < 0) {
    ui_cli_error(cli, since < 0 ? "--since takes a time, as 2026-11-22T06:00:00Z, a day, or 12h, 7d, 4w"
                                : "signet journal takes no names (signet journal --help)");
    return UI_EXIT_USAGE;
  }
  if (!ui_cli_config(cli, &code))
    return code;
  g_autofree char *own = ui_cli_journal_file(cli);
  return show(cli, file ? file : own, since);
}
