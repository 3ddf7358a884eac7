#include "mail/imap-sieve.h"

#include <string.h>

#include "crypto/spool.h"

enum {
  TEXT_MAX = 1024 * 1024, /* of a response, without its literals */
  DEPTH_MAX = 32,
  NODES_MAX = 20000,
  LITERALS_MAX = 1000,
  KEEP = 256 * 1024,
  MOST = 256 * 1024 * 1024,
};

typedef struct {
  gsize brace;  /* where {n} begins in the response */
  gsize start;  /* where the octets begin */
  gsize length; /* kept in the response */
  gsize full;
  GBytes *bytes; /* kept in a spool */
} Literal;

struct MlSieve {
  GByteArray *input;    /* fed, not yet taken */
  gsize taken;          /* of input */
  GByteArray *response; /* the one that is being read, or that was returned last */
  GArray *literals;     /* of Literal, in it */
  gsize text;           /* octets of it that are no literal */
  gsize line;           /* where its current line begins */
  guint64 literal_left; /* to read */
  gsize literal_keep;   /* of those, to keep */
  CryptoSpool *spool;   /* for those; NULL: they go into the response */
  gsize spooled;        /* octets of the response that are in spools */
  gboolean returned;    /* it was given to the caller: begin anew */
  gboolean failed;
  gsize keep, most;
  gsize lenient; /* octets of text; 0: TEXT_MAX, and no mercy */
  MlNode *nodes; /* NODES_MAX of them */
  guint used;
  char *words; /* of result; NULL: it has none */
  MlResponse result;
};

static void
literal_clear(gpointer data)
{
  g_clear_pointer(&((Literal *)data)->bytes, g_bytes_unref);
}

MlSieve *
ml_sieve_new(void)
{
  MlSieve *sieve = g_new0(MlSieve, 1);
  sieve->input = g_byte_array_new();
  sieve->response = g_byte_array_new();
  sieve->literals = g_array_new(FALSE, FALSE, sizeof(Literal));
  g_array_set_clear_func(sieve->literals, literal_clear);
  sieve->nodes = g_new(MlNode, NODES_MAX);
  sieve->keep = KEEP;
  sieve->most = MOST;
  return sieve;
}

void
ml_sieve_free(MlSieve *sieve)
{
  if (!sieve)
    return;
  g_byte_array_unref(sieve->input);
  g_byte_array_unref(sieve->response);
  g_array_unref(sieve->literals);
  crypto_spool_free(sieve->spool);
  g_free(sieve->nodes);
  g_free(sieve->words);
  g_free(sieve);
}

void
ml_sieve_set_literals(MlSieve *sieve, gsize keep, gsize most)
{
  sieve->keep = keep;
  sieve->most = most;
}

void
ml_sieve_set_lenient(MlSieve *sieve, gsize text)
{
  sieve->lenient = text;
}

static gsize
text_max(const MlSieve *sieve)
{
  return sieve->lenient ? sieve->lenient : TEXT_MAX;
}

void
ml_sieve_feed(MlSieve *sieve, const void *data, gsize length)
{
  if (sieve->taken == sieve->input->len) {
    g_byte_array_set_size(sieve->input, 0);
    sieve->taken = 0;
  } else if (sieve->taken > 65536 && sieve->taken > sieve->input->len / 2) {
    g_byte_array_remove_range(sieve->input, 0, (guint)sieve->taken);
    sieve->taken = 0;
  }
  g_byte_array_append(sieve->input, data, (guint)length);
}

GBytes *
ml_sieve_rest(MlSieve *sieve)
{
  gsize left = sieve->input->len - sieve->taken;
  GBytes *rest = g_bytes_new(left ? sieve->input->data + sieve->taken : NULL, left);
  sieve->taken = sieve->input->len;
  return rest;
}

gboolean
ml_sieve_is_empty(const MlSieve *sieve)
{
  return sieve->taken == sieve->input->len && (sieve->returned || sieve->response->len == 0) &&
         !sieve->literal_left;
}

/* Who can mend it? The server's people; what can we do? Leave. */
static gboolean G_GNUC_PRINTF(3, 4) refuse(MlSieve *sieve, GError **error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *what = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  sieve->failed = TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL,
              "The mail server broke the rules of IMAP: %s. The connection was closed.", what);
  return FALSE;
}

static void
begin(MlSieve *sieve)
{
  /* A large one does not keep its memory. */
  if (sieve->response->len > 1024 * 1024) {
    g_byte_array_unref(sieve->response);
    sieve->response = g_byte_array_new();
  }
  g_byte_array_set_size(sieve->response, 0);
  g_array_set_size(sieve->literals, 0);
  sieve->text = sieve->line = sieve->spooled = 0;
  sieve->returned = FALSE;
}

/* Are the octets this word, case ignored? Nearly always the first of them tells. */
static gboolean
is_word(const char *text, gsize length, const char *word)
{
  for (gsize i = 0; i < length; i++)
    if (!word[i] || (text[i] != word[i] && g_ascii_tolower(text[i]) != g_ascii_tolower(word[i])))
      return FALSE;
  return !word[length];
}

static gboolean
has_word(const char *text, gsize length, const char *word)
{
  gsize n = 0;
  while (n < length && text[n] != ' ' && text[n] != '\r' && text[n] != '\n')
    n++;
  return is_word(text, n, word);
}

/* Words for people may end in "{5}" without a literal behind. Only untagged data has literals. */
static gboolean
may_have_literals(const MlSieve *sieve)
{
  const char *text = (const char *)sieve->response->data;
  gsize length = sieve->response->len;
  if (length < 3 || text[0] != '*' || text[1] != ' ')
    return FALSE;
  if (g_ascii_isdigit(text[2])) /* FETCH */
    return TRUE;
  static const char *const conditions[] = { "OK", "NO", "BAD", "BYE", "PREAUTH", NULL };
  for (guint i = 0; conditions[i]; i++)
    if (has_word(text + 2, length - 2, conditions[i]))
      return FALSE;
  return TRUE;
}

/* A line has ended in the response. Does a literal follow ("{12}", "~{12}", "{12+}")? -1: error. */
static int
literal_follows(MlSieve *sieve, GError **error)
{
  const char *text = (const char *)sieve->response->data;
  gsize end = sieve->response->len - 1;
  if (end > sieve->line && text[end - 1] == '\r')
    end--;
  if (end == sieve->line || text[end - 1] != '}' || !may_have_literals(sieve))
    return 0;
  gsize at = end - 1;
  if (at > sieve->line && text[at - 1] == '+')
    at--;
  gsize last = at;
  while (at > sieve->line && g_ascii_isdigit(text[at - 1]))
    at--;
  if (at == last || at == sieve->line || text[at - 1] != '{')
    return 0;
  guint64 size = 0;
  for (gsize i = at; i < last && size <= sieve->most; i++)
    size = size * 10 + (guint64)(text[i] - '0');
  if (size > sieve->most) {
    refuse(sieve, error, "it announced %.*s octets where at most %" G_GSIZE_FORMAT " are taken",
           (int)MIN(last - at, 24), text + at, sieve->most);
    return -1;
  }
  gsize kept = MIN((gsize)size, sieve->keep);
  if (sieve->response->len + sieve->spooled + kept > sieve->most + text_max(sieve)) {
    refuse(sieve, error, "one response is longer than %" G_GSIZE_FORMAT " octets", sieve->most);
    return -1;
  }
  if (sieve->literals->len >= LITERALS_MAX) {
    refuse(sieve, error, "one response has more than %d strings", LITERALS_MAX);
    return -1;
  }
  gboolean large = kept && sieve->response->len + kept > ML_SIEVE_HEAP;
  Literal literal = { at - 1, sieve->response->len, large ? 0 : kept, (gsize)size, NULL };
  g_array_append_val(sieve->literals, literal);
  sieve->literal_left = size;
  sieve->literal_keep = kept;
  sieve->spooled += large ? kept : 0;
  sieve->spool = large ? crypto_spool_new() : NULL;
  return 1;
}

/* There is no memory for it: ours to say, but what follows cannot be read any more either. */
static gboolean
set_full(MlSieve *sieve, GError *why, GError **error)
{
  sieve->failed = TRUE;
  g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, why->message);
  g_error_free(why);
  return FALSE;
}

/* Octets of the literal that is being read, of which @length are there. */
static gboolean
take_literal(MlSieve *sieve, const guint8 *data, gsize length, GError **error)
{
  GError *why = NULL;
  gsize kept = MIN(length, sieve->literal_keep);
  if (!sieve->spool)
    g_byte_array_append(sieve->response, data, (guint)kept);
  else if (!crypto_spool_add(sieve->spool, data, kept, &why))
    return set_full(sieve, why, error);
  sieve->literal_keep -= kept;
  sieve->literal_left -= length;
  sieve->taken += length;
  if (sieve->literal_left)
    return TRUE;
  sieve->line = sieve->response->len;
  if (!sieve->spool)
    return TRUE;
  Literal *literal = &g_array_index(sieve->literals, Literal, sieve->literals->len - 1);
  literal->bytes = crypto_spool_finish(sieve->spool, &why);
  g_clear_pointer(&sieve->spool, crypto_spool_free);
  return literal->bytes || set_full(sieve, why, error);
}

/* Moves bytes from the input to the response. 1: it is complete; 0: more are needed; -1: error. */
static int
collect(MlSieve *sieve, GError **error)
{
  for (;;) {
    const char *data = (const char *)sieve->input->data + sieve->taken;
    gsize have = sieve->input->len - sieve->taken;
    if (sieve->literal_left) {
      gsize n = (gsize)MIN(sieve->literal_left, have);
      if (!n)
        return 0;
      if (!take_literal(sieve, (const guint8 *)data, n, error))
        return -1;
      continue;
    }
    if (!have)
      return 0;
    const char *newline = memchr(data, '\n', have);
    gsize n = newline ? (gsize)(newline - data) + 1 : have;
    sieve->text += n;
    if (sieve->text > text_max(sieve)) {
      refuse(sieve, error, "a line is longer than %" G_GSIZE_FORMAT " KiB", text_max(sieve) / 1024);
      return -1;
    }
    g_byte_array_append(sieve->response, (const guint8 *)data, (guint)n);
    sieve->taken += n;
    if (!newline)
      return 0;
    int follows = literal_follows(sieve, error);
    if (follows <= 0)
      return follows < 0 ? -1 : 1;
    if (!sieve->literal_left)
      sieve->line = sieve->response->len;
  }
}

/* ---- values */

typedef struct {
  MlSieve *sieve;
  char *text;
  gsize at, end;
  guint literal;  /* the next one of sieve->literals */
  gboolean fatal; /* a limit was passed */
} Parser;

static MlNode *
node_new(Parser *parser, MlNodeKind kind, const char *text, gsize length)
{
  if (parser->sieve->used >= NODES_MAX) {
    parser->fatal = TRUE;
    return NULL;
  }
  MlNode *node = &parser->sieve->nodes[parser->sieve->used++];
  *node = (MlNode){ kind, text, length, length, NULL, NULL, NULL };
  return node;
}

/* "text", with \ before " and \ taken away in place. */
static MlNode *
parse_quoted(Parser *parser)
{
  char *start = parser->text + parser->at + 1, *out = start;
  for (gsize at = parser->at + 1; at < parser->end; at++) {
    char c = parser->text[at];
    if (c == '"') {
      parser->at = at + 1;
      return node_new(parser, ML_NODE_STRING, start, (gsize)(out - start));
    }
    if (c == '\n')
      return NULL;
    if (c == '\\' && ++at < parser->end)
      c = parser->text[at];
    *out++ = c;
  }
  return NULL;
}

static MlNode *
parse_literal(Parser *parser, gsize brace)
{
  if (parser->literal >= parser->sieve->literals->len)
    return NULL;
  Literal *literal = &g_array_index(parser->sieve->literals, Literal, parser->literal);
  if (literal->brace != brace)
    return NULL;
  parser->literal++;
  parser->at = literal->start + literal->length;
  gsize length = literal->length;
  const char *text = literal->bytes ? g_bytes_get_data(literal->bytes, &length) : parser->text + literal->start;
  MlNode *node = node_new(parser, ML_NODE_STRING, text, length);
  if (node) {
    node->full = literal->full;
    node->bytes = literal->bytes;
  }
  return node;
}

/* Or may, for a section begins. */
static gboolean
ends_atom(guchar c)
{
  static const gboolean ends[256] = { [' '] = TRUE, ['('] = TRUE,  [')'] = TRUE, ['"'] = TRUE,
                                      ['['] = TRUE, ['\r'] = TRUE, ['\n'] = TRUE };
  return ends[c];
}

/* An item's section is part of its name, blanks and parentheses and all: BODY[HEADER.FIELDS (FROM TO)]<0>. */
static MlNode *
parse_atom(Parser *parser)
{
  const char *start = parser->text + parser->at, *end = parser->text + parser->end, *at = start;
  for (;; at++) {
    while (at < end && !ends_atom((guchar)*at))
      at++;
    if (at == end || *at == '\r' || *at == '\n' || *at == ' ' || *at == '(' || *at == ')' || *at == '"')
      break;
    if (*at == '[' && at - start >= 4 &&
        (g_ascii_strncasecmp(start, "BODY", 4) == 0 || g_ascii_strncasecmp(start, "BINARY", 6) == 0)) {
      while (at < end && *at != ']' && *at != '\r' && *at != '\n')
        at++;
      if (at == end || *at != ']')
        break;
    }
  }
  if (at == start)
    return NULL;
  gsize length = (gsize)(at - start);
  parser->at += length;
  return node_new(parser, is_word(start, length, "NIL") ? ML_NODE_NIL : ML_NODE_ATOM, start, length);
}

/* Values up to @end or to the ) that closes the list. */
static gboolean
parse_values(Parser *parser, const MlNode **first, guint depth)
{
  const MlNode **tail = first;
  *first = NULL;
  if (depth > DEPTH_MAX) {
    parser->fatal = TRUE;
    return FALSE;
  }
  for (;;) {
    while (parser->at < parser->end && parser->text[parser->at] == ' ')
      parser->at++;
    if (parser->at >= parser->end || parser->text[parser->at] == ')')
      return TRUE;
    char c = parser->text[parser->at];
    MlNode *node;
    if (c == '(') {
      parser->at++;
      node = node_new(parser, ML_NODE_LIST, parser->text + parser->at, 0);
      if (!node || !parse_values(parser, &node->child, depth + 1) || parser->at >= parser->end)
        return FALSE;
      parser->at++;
    } else if (c == '"') {
      node = parse_quoted(parser);
    } else if (c == '{') {
      node = parse_literal(parser, parser->at);
    } else if (c == '~' && parser->at + 1 < parser->end && parser->text[parser->at + 1] == '{') {
      node = parse_literal(parser, parser->at + 1);
    } else {
      node = parse_atom(parser);
    }
    if (!node)
      return FALSE;
    *tail = node;
    tail = &node->next;
  }
}

/* One word up to a blank. */
static gboolean
take_word(Parser *parser, const char **word, gsize *length)
{
  gsize start = parser->at;
  while (parser->at < parser->end && parser->text[parser->at] != ' ')
    parser->at++;
  *word = parser->text + start;
  *length = parser->at - start;
  while (parser->at < parser->end && parser->text[parser->at] == ' ')
    parser->at++;
  return *length > 0;
}

/* Takes @words. */
static void
set_words(MlSieve *sieve, char *words)
{
  g_free(sieve->words);
  sieve->words = words;
  sieve->result.text = words ? words : "";
}

/* "[CODE values] words". A bracket that nothing closes is words. */
static void
parse_words(Parser *parser, MlResponse *result)
{
  const char *text = parser->text + parser->at;
  gsize length = parser->end - parser->at;
  const char *close = length && *text == '[' ? memchr(text, ']', length) : NULL;
  /* A code's value may hold brackets within quotes or a list: take the last ] before a blank that closes
   * them. */
  for (guint open = 0; close; close = memchr(close + 1, ']', (gsize)(text + length - close - 1))) {
    open = 0;
    for (const char *p = text; p < close; p++)
      open += *p == '"';
    if (open % 2 == 0)
      break;
  }
  if (close) {
    Parser inner = { parser->sieve, parser->text, parser->at + 1, (gsize)(close - parser->text), 0, FALSE };
    const MlNode *code = NULL;
    result->broken_code = !parse_values(&inner, &code, 1) || inner.at != inner.end;
    result->code = code;
    parser->fatal |= inner.fatal;
    text = close + 1;
    length = parser->end - (gsize)(text - parser->text);
  }
  while (length && *text == ' ') {
    text++;
    length--;
  }
  set_words(parser->sieve, g_utf8_make_valid(text, (gssize)MIN(length, 2000)));
}

static const struct {
  const char *word;
  MlResponseKind kind;
  gboolean words, number;
} kinds[] = {
  { "OK", ML_RESPONSE_OK, TRUE, FALSE },
  { "NO", ML_RESPONSE_NO, TRUE, FALSE },
  { "BAD", ML_RESPONSE_BAD, TRUE, FALSE },
  { "BYE", ML_RESPONSE_BYE, TRUE, FALSE },
  { "PREAUTH", ML_RESPONSE_PREAUTH, TRUE, FALSE },
  { "CAPABILITY", ML_RESPONSE_CAPABILITY, FALSE, FALSE },
  { "LIST", ML_RESPONSE_LIST, FALSE, FALSE },
  { "STATUS", ML_RESPONSE_STATUS, FALSE, FALSE },
  { "VANISHED", ML_RESPONSE_VANISHED, FALSE, FALSE },
  { "SEARCH", ML_RESPONSE_SEARCH, FALSE, FALSE },
  { "ESEARCH", ML_RESPONSE_ESEARCH, FALSE, FALSE },
  { "EXISTS", ML_RESPONSE_EXISTS, FALSE, TRUE },
  { "EXPUNGE", ML_RESPONSE_EXPUNGE, FALSE, TRUE },
  { "FETCH", ML_RESPONSE_FETCH, FALSE, TRUE },
};

static gboolean
word_number(const char *word, gsize length, guint64 most, guint64 *number)
{
  *number = 0;
  for (gsize i = 0; i < length; i++) {
    if (!g_ascii_isdigit(word[i]) || *number > most / 10)
      return FALSE;
    *number = *number * 10 + (guint64)(word[i] - '0');
  }
  return length > 0 && *number <= most;
}

static void
parse_untagged(Parser *parser, MlResponse *result)
{
  const char *word;
  gsize length;
  guint64 number;
  result->kind = ML_RESPONSE_MALFORMED;
  if (!take_word(parser, &word, &length))
    return;
  gboolean numbered = g_ascii_isdigit(*word);
  if (numbered) {
    if (!word_number(word, length, G_MAXUINT32, &number) || !take_word(parser, &word, &length))
      return;
    result->number = (guint32)number;
  }
  result->kind = ML_RESPONSE_OTHER;
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
    if (kinds[i].number != numbered || !is_word(word, length, kinds[i].word))
      continue;
    result->kind = kinds[i].kind;
    if (kinds[i].words)
      parse_words(parser, result);
    else if (!parse_values(parser, &result->data, 0) || parser->at != parser->end)
      result->kind = ML_RESPONSE_MALFORMED;
    return;
  }
}

static void
parse_tagged(Parser *parser, MlResponse *result)
{
  const char *word;
  gsize length;
  result->kind = ML_RESPONSE_MALFORMED;
  if (!take_word(parser, &word, &length))
    return;
  for (guint i = 0; i < 3; i++) {
    if (is_word(word, length, kinds[i].word)) {
      result->kind = ML_RESPONSE_TAGGED;
      result->status = kinds[i].kind;
      parse_words(parser, result);
    }
  }
}

static gboolean
parse(MlSieve *sieve, GError **error)
{
  Parser parser = { sieve, (char *)sieve->response->data, 0, sieve->response->len, 0, FALSE };
  MlResponse *result = &sieve->result;
  memset(result, 0, sizeof *result);
  set_words(sieve, NULL);
  sieve->used = 0;
  while (parser.end > sieve->line && strchr("\r\n ", parser.text[parser.end - 1]) &&
         parser.text[parser.end - 1])
    parser.end--; /* some servers put a blank there */
  const char *word;
  gsize length;
  if (!take_word(&parser, &word, &length) || length >= sizeof result->tag) {
    result->kind = ML_RESPONSE_MALFORMED;
  } else if (length == 1 && *word == '*') {
    parse_untagged(&parser, result);
  } else if (length == 1 && *word == '+') {
    result->kind = ML_RESPONSE_CONTINUE;
    set_words(sieve, g_utf8_make_valid(parser.text + parser.at, (gssize)(parser.end - parser.at)));
  } else {
    memcpy(result->tag, word, length);
    parse_tagged(&parser, result);
  }
  if (parser.fatal && sieve->lenient && result->kind == ML_RESPONSE_MALFORMED) {
    result->data = result->code = NULL;
    return TRUE;
  }
  if (parser.fatal)
    return refuse(sieve, error, "a response is nested deeper than %d or has more than %d values", DEPTH_MAX,
                  NODES_MAX);
  return TRUE;
}

const MlResponse *
ml_sieve_next(MlSieve *sieve, GError **error)
{
  if (sieve->failed) {
    refuse(sieve, error, "what it sent could not be read");
    return NULL;
  }
  if (sieve->returned)
    begin(sieve);
  if (collect(sieve, error) <= 0)
    return NULL;
  sieve->returned = TRUE;
  return parse(sieve, error) ? &sieve->result : NULL;
}

gboolean
ml_node_is(const MlNode *node, const char *word)
{
  return node && (node->kind == ML_NODE_ATOM || node->kind == ML_NODE_STRING) &&
         is_word(node->text, node->length, word);
}

gboolean
ml_node_number(const MlNode *node, guint64 most, guint64 *number)
{
  return node && (node->kind == ML_NODE_ATOM || node->kind == ML_NODE_STRING) &&
         word_number(node->text, node->length, most, number);
}

char *
ml_node_dup(const MlNode *node)
{
  if (!node || (node->kind != ML_NODE_ATOM && node->kind != ML_NODE_STRING))
    return g_strdup("");
  g_autofree char *text = g_memdup2(node->length ? node->text : "", MAX(node->length, 1));
  for (gsize i = 0; i < node->length; i++)
    if (text[i] == '\0')
      text[i] = ' ';
  return g_utf8_make_valid(text, (gssize)node->length);
}
