#include "mail/pattern.h"

#include <string.h>

#include "mail/error.h"
#include "mail/pattern-private.h"

enum { MAX_LENGTH = 8192, MAX_DEPTH = 20, MAX_NODES = 200, MAX_TEXTS = 32 };

typedef enum { NOTHING, WORD, DATES, SIZES, VERDICT } Argument;

typedef struct {
  char letter;
  Argument argument;
  guint needs;
} Letter;

/* A bare word is 'w', a join '&' or '|', a negation '!'. */
static const Letter letters[] = {
  { 'A', NOTHING, 0 },
  { 'B', WORD, ML_PATTERN_TEXT },
  { 'C', WORD, ML_PATTERN_HEADER },
  { 'D', NOTHING, ML_PATTERN_FLAGS },
  { 'F', NOTHING, ML_PATTERN_FLAGS },
  { 'G', NOTHING, ML_PATTERN_NUMBERS },
  { 'L', WORD, ML_PATTERN_HEADER },
  { 'N', NOTHING, ML_PATTERN_FLAGS },
  { 'O', NOTHING, ML_PATTERN_FLAGS },
  { 'Q', NOTHING, ML_PATTERN_FLAGS },
  { 'R', NOTHING, ML_PATTERN_FLAGS },
  { 'T', NOTHING, ML_PATTERN_SCREEN },
  { 'U', NOTHING, ML_PATTERN_FLAGS },
  { 'V', VERDICT, ML_PATTERN_VERDICT },
  { 'b', WORD, ML_PATTERN_TEXT },
  { 'c', WORD, ML_PATTERN_HEADER },
  { 'd', DATES, ML_PATTERN_NUMBERS },
  { 'e', WORD, ML_PATTERN_TEXT },
  { 'f', WORD, ML_PATTERN_HEADER },
  { 'g', NOTHING, ML_PATTERN_NUMBERS },
  { 'h', WORD, ML_PATTERN_TEXT },
  { 'i', WORD, ML_PATTERN_HEADER },
  { 'r', DATES, ML_PATTERN_NUMBERS },
  { 's', WORD, ML_PATTERN_HEADER },
  { 't', WORD, ML_PATTERN_HEADER },
  { 'x', WORD, ML_PATTERN_HEADER },
  { 'z', SIZES, ML_PATTERN_NUMBERS },
};

static const Letter bare = { 'w', WORD, ML_PATTERN_HEADER };

/* A node is a test, or joins its children. */
typedef struct Node Node;
struct Node {
  char kind;
  char *needle; /* folded; NULL: the test needs none */
  MlPatternRange range;
  guint which;  /* of ~V: bit i for verdict i; of ~b and its like: its place in texts */
  guint needs;  /* with its children */
  Node *left, *right;
};

struct MlPattern {
  Node *root;
  Node *texts[MAX_TEXTS]; /* borrowed of the tree, ~b ~B ~h ~e in their order */
  char *words[MAX_TEXTS]; /* as they were typed */
  guint n_texts, references;
  GHashTable *learnt; /* uid -> MlPatternSeen; NULL: nothing was */
};

typedef struct {
  MlPattern *pattern;
  const char *start, *at;
  guint can, depth, nodes;
  gint64 now;
  GError **error;
} Parser;

static void
node_free(Node *node)
{
  if (!node)
    return;
  node_free(node->left);
  node_free(node->right);
  g_free(node->needle);
  g_free(node);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Node, node_free)

MlPattern *
ml_pattern_ref(MlPattern *pattern)
{
  pattern->references++;
  return pattern;
}

void
ml_pattern_free(MlPattern *pattern)
{
  if (!pattern || pattern->references-- > 0)
    return;
  g_clear_pointer(&pattern->learnt, g_hash_table_unref);
  node_free(pattern->root);
  for (guint i = 0; i < pattern->n_texts; i++)
    g_free(pattern->words[i]);
  g_free(pattern);
}

char *
ml_pattern_fold(const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  return g_utf8_casefold(valid, -1);
}

gboolean
ml_pattern_contains(const char *text, const char *needle)
{
  if (!text || !*needle)
    return text != NULL;
  if (g_str_is_ascii(needle))
    return strcasestr(text, needle) != NULL;
  g_autofree char *folded = ml_pattern_fold(text);
  return strstr(folded, needle) != NULL;
}

/* ---- reading a pattern */

/* The place is counted as a person does: in characters, from 1. */
static Node *G_GNUC_PRINTF(3, 4)
fail(Parser *parser, const char *place, const char *format, ...)
{
  if (parser->error && *parser->error)
    return NULL;
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *why = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  glong at = g_utf8_validate(parser->start, place - parser->start, NULL)
                 ? g_utf8_strlen(parser->start, place - parser->start)
                 : place - parser->start;
  g_set_error(parser->error, ML_ERROR, ML_ERROR_FAILED, "%s (at character %ld of the pattern).", why, at + 1);
  return NULL;
}

static Node *
node_new(Parser *parser, char kind, guint needs, Node *left, Node *right)
{
  if (++parser->nodes > MAX_NODES) {
    node_free(left);
    node_free(right);
    return fail(parser, parser->at, "More than %d words and letters are too many", MAX_NODES);
  }
  Node *node = g_new0(Node, 1);
  node->kind = kind;
  node->needs = needs | (left ? left->needs : 0) | (right ? right->needs : 0);
  node->left = left;
  node->right = right;
  return node;
}

static void
skip_blanks(Parser *parser)
{
  while (*parser->at == ' ' || *parser->at == '\t')
    parser->at++;
}

/* A word, or what stands in quotes, where a backslash takes the next character as it is. */
static char *
take_word(Parser *parser)
{
  skip_blanks(parser);
  const char *start = parser->at;
  char quote = *start == '"' || *start == '\'' ? *parser->at++ : 0;
  g_autoptr(GString) word = g_string_new(NULL);

  while (*parser->at && (quote ? *parser->at != quote : !strchr(" \t|()", *parser->at))) {
    if (quote && *parser->at == '\\' && parser->at[1])
      parser->at++;
    g_string_append_c(word, *parser->at++);
  }
  if (quote && !*parser->at) {
    fail(parser, start, "A quotation mark is missing at the end");
    return NULL;
  }
  parser->at += quote != 0;
  return g_string_free(g_steal_pointer(&word), FALSE);
}

/* Those that the caller can answer. */
static char *
letters_for(guint can)
{
  GString *known = g_string_new(NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(letters); i++)
    if (!(letters[i].needs & ~can))
      g_string_append_c(known, letters[i].letter);
  return g_string_free(known, FALSE);
}

/* A letter of ours as the argument of ~V: a word in quotes is always one to be found. */
static guint
take_verdict(Parser *parser)
{
  static const struct {
    const char *word;
    guint which;
  } words[] = { { "good", 1 << ML_PATTERN_GOOD },
                { "warning", 1 << ML_PATTERN_WARN },
                { "bad", 1 << ML_PATTERN_BAD },
                { "none", 1 << ML_PATTERN_NEITHER },
                { "unknown", 1 << ML_PATTERN_UNJUDGED } };
  const char *start = parser->at + strspn(parser->at, " \t");
  gsize length = strcspn(start, " \t|()");

  for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
    if (strlen(words[i].word) == length && !strncmp(start, words[i].word, length)) {
      parser->at = start + length;
      return words[i].which;
    }
  return 1 << ML_PATTERN_GOOD;
}

static gboolean
take_argument(Parser *parser, const Letter *letter, Node *node)
{
  if (letter->argument == NOTHING)
    return TRUE;
  if (letter->argument == VERDICT) {
    node->which = take_verdict(parser);
    return TRUE;
  }
  skip_blanks(parser);
  const char *start = parser->at, *why = NULL;
  g_autofree char *word = take_word(parser);
  if (!word)
    return FALSE;
  if (letter->argument == DATES)
    why = ml_pattern_dates(word, parser->now, &node->range);
  else if (letter->argument == SIZES)
    why = ml_pattern_sizes(word, &node->range);
  else if (!*word)
    why = "a word is missing";
  if (why) {
    fail(parser, start, letter == &bare ? "A word or a ~letter is missing" : "After ~%c: %s", letter->letter, why);
    return FALSE;
  }
  node->needle = letter->argument == WORD ? ml_pattern_fold(word) : NULL;
  if (!(letter->needs & ML_PATTERN_TEXT))
    return TRUE;
  MlPattern *pattern = parser->pattern;
  if (pattern->n_texts == MAX_TEXTS) {
    fail(parser, start, "More than %d words to be looked for in messages are too many", MAX_TEXTS);
    return FALSE;
  }
  node->which = pattern->n_texts;
  pattern->words[pattern->n_texts] = g_steal_pointer(&word);
  pattern->texts[pattern->n_texts++] = node;
  return TRUE;
}

static Node *
take_test(Parser *parser, const Letter *letter)
{
  g_autoptr(Node) node = node_new(parser, letter->letter, letter->needs, NULL, NULL);

  return node && take_argument(parser, letter, node) ? g_steal_pointer(&node) : NULL;
}

static Node *
take_letter(Parser *parser)
{
  const char *start = parser->at++;
  const Letter *letter = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS(letters) && !letter; i++)
    letter = letters[i].letter == *parser->at ? &letters[i] : NULL;
  if (letter && !(letter->needs & ~parser->can)) {
    parser->at++;
    return take_test(parser, letter);
  }
  const char known[] = { *start, g_ascii_isgraph(*parser->at) ? *parser->at : '?', 0 };
  g_autofree char *all = letters_for(parser->can);
  return fail(parser, start, letter ? "%s is not possible here; letters are %s" : "There is no %s; letters are %s", known,
              all);
}

static Node *take_either(Parser *parser);

static Node *
take_one(Parser *parser)
{
  skip_blanks(parser);
  const char *start = parser->at;
  if (*start == '!' || *start == '(') {
    parser->at++;
    if (++parser->depth > MAX_DEPTH)
      return fail(parser, start, "More than %d levels are too many", MAX_DEPTH);
    g_autoptr(Node) inner = *start == '!' ? take_one(parser) : take_either(parser);
    parser->depth--;
    if (!inner)
      return NULL;
    if (*start == '!')
      return node_new(parser, '!', 0, g_steal_pointer(&inner), NULL);
    skip_blanks(parser);
    if (*parser->at != ')')
      return fail(parser, start, "A closing parenthesis is missing for this one");
    parser->at++;
    return g_steal_pointer(&inner);
  }
  if (*start == '~' || (*start == '=' && g_ascii_isalpha(start[1]) && strchr(" \t", start[2])))
    return take_letter(parser);
  return take_test(parser, &bare);
}

static Node *
take_all(Parser *parser)
{
  g_autoptr(Node) left = take_one(parser);

  while (left) {
    skip_blanks(parser);
    if (!*parser->at || *parser->at == '|' || *parser->at == ')')
      break;
    Node *right = take_one(parser);
    if (!right)
      return NULL;
    left = node_new(parser, '&', 0, g_steal_pointer(&left), right);
  }
  return g_steal_pointer(&left);
}

static Node *
take_either(Parser *parser)
{
  g_autoptr(Node) left = take_all(parser);

  while (left) {
    skip_blanks(parser);
    if (*parser->at != '|')
      break;
    parser->at++;
    Node *right = take_all(parser);
    if (!right)
      return NULL;
    left = node_new(parser, '|', 0, g_steal_pointer(&left), right);
  }
  return g_steal_pointer(&left);
}

MlPattern *
ml_pattern_parse(const char *text, guint can, gint64 now, GError **error)
{
  g_autoptr(MlPattern) pattern = g_new0(MlPattern, 1);
  g_autoptr(GError) why = NULL;
  Parser parser = { .pattern = pattern,
                    .start = text,
                    .at = text,
                    .can = can,
                    .now = now ? now : g_get_real_time() / G_USEC_PER_SEC,
                    .error = &why };

  if (strlen(text) > MAX_LENGTH)
    fail(&parser, text + MAX_LENGTH, "A pattern is at most %d octets long", MAX_LENGTH);
  else
    pattern->root = take_either(&parser);
  skip_blanks(&parser);
  if (pattern->root && *parser.at)
    fail(&parser, parser.at, "There is a closing parenthesis too many");
  if (!why)
    return g_steal_pointer(&pattern);
  g_propagate_error(error, g_steal_pointer(&why));
  return NULL;
}

guint
ml_pattern_needs(const MlPattern *pattern)
{
  return pattern->root->needs;
}

guint
ml_pattern_texts(const MlPattern *pattern)
{
  return pattern->n_texts;
}

char
ml_pattern_text(const MlPattern *pattern, guint at, const char **word)
{
  g_return_val_if_fail(at < pattern->n_texts, 0);
  *word = pattern->words[at];
  return pattern->texts[at]->kind;
}

/* ---- asking */

static MlPatternAnswer
answer(gboolean yes)
{
  return yes ? ML_PATTERN_YES : ML_PATTERN_NO;
}

static gboolean
holds_word(const Node *node, const MlPatternFacts *facts)
{
  const MlHeader *header = facts->header;
  const char *needle = node->needle, *subject;

  if (!header)
    return FALSE;
  subject = facts->subject ? facts->subject : header->subject;

  switch (node->kind) {
  case 'w':
    return ml_pattern_contains(header->from, needle) || ml_pattern_contains(subject, needle);
  case 'f':
    return ml_pattern_contains(header->from, needle);
  case 't':
    return ml_pattern_contains(header->to, needle);
  case 'c':
    return ml_pattern_contains(header->cc, needle);
  case 'C':
    return ml_pattern_contains(header->to, needle) || ml_pattern_contains(header->cc, needle);
  case 'L':
    return ml_pattern_contains(header->from, needle) || ml_pattern_contains(header->to, needle) ||
           ml_pattern_contains(header->cc, needle);
  case 's':
    return ml_pattern_contains(subject, needle);
  case 'i':
    return ml_pattern_contains(header->message_id, needle);
  default: /* 'x' */
    return ml_pattern_contains(header->references, needle);
  }
}

static gboolean
is_within(const Node *node, gint64 value)
{
  return value >= node->range.low && value <= node->range.high;
}

static gboolean
has_number(const Node *node, const MlPatternFacts *facts)
{
  switch (node->kind) {
  case 'd':
    return is_within(node, facts->date);
  case 'r':
    return is_within(node, facts->received ? facts->received : facts->date);
  case 'z':
    return is_within(node, (gint64)MIN(facts->size, (guint64)G_MAXINT64));
  case 'g':
    return (facts->hints & ML_HINT_SIGNED) != 0;
  default: /* 'G' */
    return (facts->hints & ML_HINT_ENCRYPTED) != 0;
  }
}

static gboolean
has_mark(const Node *node, const MlPatternFacts *facts)
{
  switch (node->kind) {
  case 'N':
  case 'U':
    return !(facts->flags & ML_FLAG_SEEN);
  case 'O':
    return facts->old && !(facts->flags & ML_FLAG_SEEN);
  case 'R':
    return (facts->flags & ML_FLAG_SEEN) != 0;
  case 'F':
    return (facts->flags & ML_FLAG_FLAGGED) != 0;
  case 'Q':
    return (facts->flags & ML_FLAG_ANSWERED) != 0;
  case 'D':
    return facts->deleted;
  case 'T':
    return facts->tagged;
  case 'V':
    return (node->which >> facts->verdict & 1) != 0;
  default:
    return TRUE; /* ~A */
  }
}

static MlPatternAnswer
ask(const Node *node, const MlPatternFacts *facts, MlPatternSeen seen)
{
  MlPatternAnswer left, right;

  if (node->kind == '&' || node->kind == '|') {
    MlPatternAnswer settled = answer(node->kind == '|');
    left = ask(node->left, facts, seen);
    right = left == settled ? left : ask(node->right, facts, seen);
    return right == settled ? right : left == ML_PATTERN_OPEN ? left : right;
  }
  if (node->kind == '!') {
    left = ask(node->left, facts, seen);
    return left == ML_PATTERN_OPEN ? left : answer(left == ML_PATTERN_NO);
  }
  if (node->needs & ML_PATTERN_TEXT)
    return seen.known >> node->which & 1 ? answer(seen.yes >> node->which & 1) : ML_PATTERN_OPEN;
  return answer(node->needs & ML_PATTERN_HEADER    ? holds_word(node, facts)
                : node->needs & ML_PATTERN_NUMBERS ? has_number(node, facts)
                                                   : has_mark(node, facts));
}

MlPatternFacts
ml_pattern_facts(const MlHeader *header)
{
  return (MlPatternFacts){ .header = header,
                           .flags = header->flags,
                           .hints = header->hints,
                           .date = header->date,
                           .received = header->received,
                           .size = header->size,
                           .deleted = (header->flags & ML_FLAG_DELETED) != 0 };
}

MlPatternAnswer
ml_pattern_ask(const MlPattern *pattern, const MlPatternFacts *facts)
{
  guint32 uid = facts->uid || !facts->header ? facts->uid : facts->header->uid;
  const MlPatternSeen *learnt =
      pattern->learnt ? g_hash_table_lookup(pattern->learnt, GUINT_TO_POINTER(uid)) : NULL;

  return ask(pattern->root, facts, learnt ? *learnt : facts->seen);
}

gboolean
ml_pattern_matches(const MlPattern *pattern, const MlPatternFacts *facts)
{
  return ml_pattern_ask(pattern, facts) == ML_PATTERN_YES;
}

/* ---- looking into a message */

void
ml_pattern_learn(MlPattern *pattern, guint32 uid, MlPatternSeen seen)
{
  if (!pattern->learnt)
    pattern->learnt = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  g_hash_table_insert(pattern->learnt, GUINT_TO_POINTER(uid), g_memdup2(&seen, sizeof seen));
}

MlPatternSeen
ml_pattern_learnt(const MlPattern *pattern, guint32 uid)
{
  const MlPatternSeen *seen =
      pattern->learnt ? g_hash_table_lookup(pattern->learnt, GUINT_TO_POINTER(uid)) : NULL;
  return seen ? *seen : (MlPatternSeen){ 0 };
}

gboolean
ml_pattern_has_learnt(const MlPattern *pattern, guint32 uid)
{
  return pattern->learnt && g_hash_table_contains(pattern->learnt, GUINT_TO_POINTER(uid));
}

/* Is there a Sender field with it? */
static gboolean
has_sender(const char *header, const char *needle)
{
  static const char name[] = "sender:";
  for (const char *line = header; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (g_ascii_strncasecmp(line, name, strlen(name)) != 0)
      continue;
    g_autofree char *field = g_strndup(line + strlen(name), strcspn(line + strlen(name), "\n"));
    if (ml_pattern_contains(field, needle))
      return TRUE;
  }
  return FALSE;
}

MlPatternSeen
ml_pattern_look(const MlPattern *pattern, const char *header, const char *body)
{
  MlPatternSeen seen = { 0 };
  for (guint i = 0; i < pattern->n_texts; i++) {
    const Node *node = pattern->texts[i];
    gboolean in_header = node->kind != 'b', in_body = node->kind == 'b' || node->kind == 'B';
    gboolean yes = node->kind == 'e' ? header && has_sender(header, node->needle)
                                     : (in_header && ml_pattern_contains(header, node->needle)) ||
                                           (in_body && ml_pattern_contains(body, node->needle));
    gboolean known = yes || ((!in_header || header) && (!in_body || body));
    seen.known |= (guint32)known << i;
    seen.yes |= (guint32)yes << i;
  }
  return seen;
}
