#include "ui/limit.h"

#include <string.h>

enum { MAX_DEPTH = 20, MAX_NODES = 200 };

/* A node is a test, or joins its children. */
struct UiLimit {
  char kind;    /* a mutt letter, 'w' for a bare word, '&', '|' or '!' */
  char *needle; /* folded; NULL: the test needs none */
  UiLimit *left, *right;
};

typedef struct {
  const char *at;
  guint depth, nodes;
  char *why;
} Parser;

void
ui_limit_free(UiLimit *limit)
{
  if (!limit)
    return;
  ui_limit_free(limit->left);
  ui_limit_free(limit->right);
  g_free(limit->needle);
  g_free(limit);
}

char *
ui_limit_fold(const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  return g_utf8_casefold(valid, -1);
}

gboolean
ui_limit_contains(const char *text, const char *needle)
{
  if (!text || !*needle)
    return text != NULL;
  if (g_str_is_ascii(needle))
    return strcasestr(text, needle) != NULL;
  g_autofree char *folded = ui_limit_fold(text);
  return strstr(folded, needle) != NULL;
}

static UiLimit *
fail(Parser *parser, const char *why)
{
  if (!parser->why)
    parser->why = g_strdup(why);
  return NULL;
}

static UiLimit *
node(Parser *parser, char kind, UiLimit *left, UiLimit *right)
{
  if (++parser->nodes > MAX_NODES) {
    ui_limit_free(left);
    ui_limit_free(right);
    return fail(parser, "This pattern is too long.");
  }
  UiLimit *limit = g_new0(UiLimit, 1);
  limit->kind = kind;
  limit->left = left;
  limit->right = right;
  return limit;
}

static void
skip_blanks(Parser *parser)
{
  while (*parser->at == ' ' || *parser->at == '\t')
    parser->at++;
}

/* A word, or what stands in quotes. */
static char *
take_word(Parser *parser)
{
  skip_blanks(parser);
  char quote = *parser->at == '"' || *parser->at == '\'' ? *parser->at++ : 0;
  const char *start = parser->at;

  while (*parser->at && (quote ? *parser->at != quote : !strchr(" \t|()", *parser->at)))
    parser->at++;
  if (quote && !*parser->at) {
    fail(parser, "A quotation mark is missing at the end of the pattern.");
    return NULL;
  }
  g_autofree char *word = g_strndup(start, (gsize)(parser->at - start));
  if (quote)
    parser->at++;
  return ui_limit_fold(word);
}

static UiLimit *parse_or(Parser *parser);

static UiLimit *
parse_letter(Parser *parser)
{
  char letter = *++parser->at;

  if (!letter || !strchr("ftcsCNRFDTQgGVAUO", letter)) {
    char shown[] = { letter && g_ascii_isprint(letter) ? letter : '?', 0 };
    g_autofree char *why =
        g_strdup_printf("There is no pattern ~%s. Known: ~f ~t ~c ~s ~N ~R ~F ~D ~T ~Q ~g ~G ~V ~A.", shown);
    return fail(parser, why);
  }
  parser->at++;
  g_autofree char *needle = NULL;
  if (strchr("ftcsC", letter)) {
    needle = take_word(parser);
    if (!needle)
      return NULL;
    if (!*needle)
      return fail(parser, "A word is missing after ~f, ~t, ~c or ~s.");
  }
  UiLimit *limit = node(parser, letter, NULL, NULL);
  if (limit)
    limit->needle = g_steal_pointer(&needle);
  return limit;
}

static UiLimit *
parse_primary(Parser *parser)
{
  skip_blanks(parser);
  if (*parser->at == '!') {
    parser->at++;
    if (++parser->depth > MAX_DEPTH)
      return fail(parser, "This pattern is nested too deeply.");
    UiLimit *inner = parse_primary(parser);
    parser->depth--;
    return inner ? node(parser, '!', inner, NULL) : NULL;
  }
  if (*parser->at == '(') {
    parser->at++;
    if (++parser->depth > MAX_DEPTH)
      return fail(parser, "This pattern is nested too deeply.");
    g_autoptr(UiLimit) inner = parse_or(parser);
    parser->depth--;
    skip_blanks(parser);
    if (inner && *parser->at != ')')
      return fail(parser, "A closing parenthesis is missing in the pattern.");
    parser->at++;
    return g_steal_pointer(&inner);
  }
  if (*parser->at == '~')
    return parse_letter(parser);
  g_autofree char *needle = take_word(parser);
  if (!needle)
    return NULL;
  if (!*needle)
    return fail(parser, "A word or a ~letter is missing in the pattern.");
  UiLimit *limit = node(parser, 'w', NULL, NULL);
  if (limit)
    limit->needle = g_steal_pointer(&needle);
  return limit;
}

static UiLimit *
parse_and(Parser *parser)
{
  g_autoptr(UiLimit) left = parse_primary(parser);

  while (left) {
    skip_blanks(parser);
    if (!*parser->at || *parser->at == '|' || *parser->at == ')')
      break;
    UiLimit *right = parse_primary(parser);
    if (!right)
      return NULL;
    left = node(parser, '&', g_steal_pointer(&left), right);
  }
  return g_steal_pointer(&left);
}

static UiLimit *
parse_or(Parser *parser)
{
  g_autoptr(UiLimit) left = parse_and(parser);

  while (left) {
    skip_blanks(parser);
    if (*parser->at != '|')
      break;
    parser->at++;
    UiLimit *right = parse_and(parser);
    if (!right)
      return NULL;
    left = node(parser, '|', g_steal_pointer(&left), right);
  }
  return g_steal_pointer(&left);
}

UiLimit *
ui_limit_parse(const char *pattern, char **why)
{
  Parser parser = { .at = pattern };
  g_autoptr(UiLimit) limit = parse_or(&parser);

  skip_blanks(&parser);
  if (limit && *parser.at) {
    g_clear_pointer(&limit, ui_limit_free);
    fail(&parser, "There is a closing parenthesis too many in the pattern.");
  }
  if (!limit && !parser.why)
    fail(&parser, "This pattern is too long.");
  if (!limit && why)
    *why = g_steal_pointer(&parser.why);
  g_free(parser.why);
  return g_steal_pointer(&limit);
}

static gboolean
matches_flag(char kind, const UiLimitItem *item)
{
  switch (kind) {
  case 'N':
  case 'U':
  case 'O':
    return !(item->flags & ML_FLAG_SEEN);
  case 'R':
    return (item->flags & ML_FLAG_SEEN) != 0;
  case 'F':
    return (item->flags & ML_FLAG_FLAGGED) != 0;
  case 'Q':
    return (item->flags & ML_FLAG_ANSWERED) != 0;
  case 'D':
    return item->deleted;
  case 'T':
    return item->tagged;
  case 'V':
    return item->verified;
  case 'g':
    return (item->header->hints & ML_HINT_SIGNED) != 0;
  case 'G':
    return (item->header->hints & ML_HINT_ENCRYPTED) != 0;
  default:
    return TRUE; /* ~A */
  }
}

gboolean
ui_limit_matches(const UiLimit *limit, const UiLimitItem *item)
{
  const MlHeader *header = item->header;

  switch (limit->kind) {
  case '&':
    return ui_limit_matches(limit->left, item) && ui_limit_matches(limit->right, item);
  case '|':
    return ui_limit_matches(limit->left, item) || ui_limit_matches(limit->right, item);
  case '!':
    return !ui_limit_matches(limit->left, item);
  case 'w':
    return ui_limit_contains(header->from, limit->needle) ||
           ui_limit_contains(item->subject, limit->needle);
  case 'f':
    return ui_limit_contains(header->from, limit->needle);
  case 't':
    return ui_limit_contains(header->to, limit->needle);
  case 'c':
    return ui_limit_contains(header->cc, limit->needle);
  case 'C':
    return ui_limit_contains(header->to, limit->needle) || ui_limit_contains(header->cc, limit->needle);
  case 's':
    return ui_limit_contains(item->subject, limit->needle);
  default:
    return matches_flag(limit->kind, item);
  }
}
