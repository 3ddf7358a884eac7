#include <errno.h>
#include <stdio.h>
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

/* HELD_MAX: so many lines are held back for the end of a use before them; one that lasts longer is shown begun, and ended. */
enum { LINE_MAX_BYTES = 65536, HELD_MAX = 100000 };

typedef struct {
  char *at, *act, *result, *why, *certificate, *key, *name, *token, *about, *use;
  gboolean open; /* begun, and its end was not seen yet */
  gboolean ended;
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
                  member(object, "about"),       member(object, "use"), FALSE,                   FALSE };
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

/* Lines are shown in the order of the file, and a "begun" only where no end follows. */
typedef struct {
  GQueue held;      /* of Line, from the first "begun" on whose end was not seen yet */
  GHashTable *open; /* use -> Line, of held; borrowed */
  guint64 damaged;
} Journal;

/* Prints what waits for nothing any more; @all: the file is at its end. */
static void
release(Journal *journal, gboolean all)
{
  for (Line *line; (line = g_queue_peek_head(&journal->held));) {
    if (line->open && !all && journal->held.length <= HELD_MAX)
      return;
    if (line->open && g_hash_table_lookup(journal->open, line->use) == line)
      g_hash_table_remove(journal->open, line->use);
    if (!line->ended)
      print_line(line);
    line_free(g_queue_pop_head(&journal->held));
  }
}

/* Takes @line. */
static void
hold(Journal *journal, Line *line)
{
  if (!strcmp(line->result, "begun")) {
    line->open = TRUE;
    g_hash_table_replace(journal->open, line->use, line);
  } else {
    Line *begun = g_hash_table_lookup(journal->open, line->use);
    if (begun) {
      g_hash_table_remove(journal->open, line->use);
      begun->open = FALSE;
      begun->ended = TRUE;
    }
  }
  g_queue_push_tail(&journal->held, line);
  release(journal, FALSE);
}

/* One line without its end, of whatever length: what is beyond @text is read and thrown away. FALSE: there is none. */
static gboolean
read_line(FILE *file, char text[LINE_MAX_BYTES], gsize *length)
{
  int octet = getc_unlocked(file);

  if (octet == EOF)
    return FALSE;
  for (*length = 0; octet != EOF && octet != '\n'; octet = getc_unlocked(file)) {
    if (*length < LINE_MAX_BYTES)
      text[*length] = (char)octet;
    ++*length;
  }
  text[MIN(*length, LINE_MAX_BYTES - 1)] = '\0';
  return TRUE;
}

static gboolean
read_lines(UiCli *cli, FILE *file, gint64 since, Journal *journal)
{
  g_autofree char *text = g_malloc(LINE_MAX_BYTES);
  gsize length;

  while (read_line(file, text, &length)) {
    if (!length)
      continue;
    Line *line = length < LINE_MAX_BYTES && strlen(text) == length ? parse(text) : NULL;
    gint64 at = line ? ui_cli_parse_time(line->at) : -1;
    if (at < 0)
      journal->damaged++;
    if (at >= 0 && at >= since && cli->json)
      puts(text);
    else if (at >= 0 && at >= since)
      hold(journal, g_steal_pointer(&line));
    if (line)
      line_free(line);
  }
  release(journal, TRUE);
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
  Journal journal = { .held = G_QUEUE_INIT, .open = g_hash_table_new(g_str_hash, g_str_equal) };
  gboolean read = read_lines(cli, file, since, &journal);
  fclose(file);
  g_hash_table_unref(journal.open);
  if (!read)
    ui_cli_error(cli, "%s cannot be read to its end", path);
  else if (journal.damaged)
    ui_cli_error(cli, "%" G_GUINT64_FORMAT " line%s of %s %s none of a journal's: cut short by a full disk, or written by somebody else", journal.damaged,
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
