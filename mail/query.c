#include "mail/query.h"

#include <string.h>

#include "mail/error.h"

enum { QUERY_LENGTH = 4096, TERMS_MAX = 32, WORDS_MAX = 128, SNIPPET_BEFORE = 40, SNIPPET_LENGTH = 160 };

static void
term_free(gpointer data)
{
  MlQueryTerm *term = data;
  g_ptr_array_unref(term->words);
  g_free(term->text);
  g_free(term);
}

void
ml_query_free(MlQuery *query)
{
  if (!query)
    return;
  g_ptr_array_unref(query->terms);
  g_free(query);
}

static MlQuery *
query_new(void)
{
  MlQuery *query = g_new0(MlQuery, 1);
  query->terms = g_ptr_array_new_with_free_func(term_free);
  return query;
}

MlQuery *
ml_query_copy(const MlQuery *query)
{
  MlQuery *copy = query_new();
  copy->anywhere = query->anywhere;
  for (guint i = 0; i < query->terms->len; i++) {
    const MlQueryTerm *from = query->terms->pdata[i];
    MlQueryTerm *to = g_memdup2(from, sizeof *from);
    to->text = g_strdup(from->text);
    to->words = g_ptr_array_new_with_free_func(g_free);
    for (guint k = 0; k < from->words->len; k++)
      g_ptr_array_add(to->words, g_strdup(from->words->pdata[k]));
    g_ptr_array_add(copy->terms, to);
  }
  return copy;
}

MlQuery *
ml_query_literal(MlQueryField field, const char *text)
{
  MlQuery *query = query_new();
  MlQueryTerm *term = g_new0(MlQueryTerm, 1);
  term->fields = field;
  term->words = g_ptr_array_new_with_free_func(g_free);
  term->text = g_utf8_make_valid(text, -1);
  g_ptr_array_add(query->terms, term);
  return query;
}

/* ---- reading what was typed */

typedef struct {
  GPtrArray *words;
  gboolean last; /* the last of them is the end of a run: any pair may begin with it */
} Collect;

static gboolean
collect(const MlWord *word, gpointer data)
{
  Collect *into = data;
  if (into->words->len >= WORDS_MAX)
    return FALSE;
  g_ptr_array_add(into->words, g_strndup(word->word, word->length));
  into->last = word->last;
  return TRUE;
}

/* A single character of a script without spaces: it begins a pair, or ends a run. */
static gboolean
is_single(const char *word)
{
  return g_utf8_strlen(word, -1) == 1 && (guchar)*word >= 0xe0;
}

static MlQueryTerm *
make_term(const char *text, gsize length, guint fields, gboolean negated, gboolean prefix)
{
  Collect found = { .words = g_ptr_array_new_with_free_func(g_free) };
  ml_words_each(text, length, collect, &found);
  if (found.last && found.words->len > 1)
    g_ptr_array_set_size(found.words, (int)found.words->len - 1); /* the text may go on */
  if (!found.words->len) {
    g_ptr_array_unref(found.words);
    return NULL;
  }
  MlQueryTerm *term = g_new0(MlQueryTerm, 1);
  term->fields = fields;
  term->negated = negated;
  term->words = found.words;
  term->prefix = prefix || is_single(found.words->pdata[found.words->len - 1]);
  term->text = g_strndup(text, length);
  return term;
}

static const char *const opening[] = { "\"", "\342\200\234", "\342\200\236", "\302\253" };
static const char *const closing[] = { "\"", "\342\200\235", "\342\200\234", "\302\273" };

static gsize
quote_at(const char *at, const char *const *quotes)
{
  for (guint i = 0; i < G_N_ELEMENTS(opening); i++)
    if (g_str_has_prefix(at, quotes[i]))
      return strlen(quotes[i]);
  return 0;
}

static guint
field_at(const char **at)
{
  static const struct {
    const char *name;
    guint field;
  } names[] = { { "from:", ML_QUERY_FROM }, { "to:", ML_QUERY_TO }, { "cc:", ML_QUERY_TO },
                { "subject:", ML_QUERY_SUBJECT }, { "body:", ML_QUERY_BODY } };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    if (g_ascii_strncasecmp(*at, names[i].name, strlen(names[i].name)) == 0) {
      *at += strlen(names[i].name);
      return names[i].field;
    }
  return ML_QUERY_ALL;
}

gboolean
ml_query_anywhere(const char **text)
{
  static const char words[] = "in:anywhere";
  const char *at = *text + strlen(words);
  if (g_ascii_strncasecmp(*text, words, strlen(words)) != 0 || (*at && !g_unichar_isspace(g_utf8_get_char(at))))
    return FALSE;
  while (*at && g_unichar_isspace(g_utf8_get_char(at)))
    at = g_utf8_next_char(at);
  *text = at;
  return TRUE;
}

/* One term from @at on, which is no space; returns where the next may begin. */
static const char *
read_term(const char *at, gboolean typing, MlQueryTerm **term)
{
  gboolean negated = *at == '-';
  at += negated;
  guint fields = field_at(&at);
  gsize quote = quote_at(at, opening);
  const char *start = at + quote, *end = start;
  for (; *end; end = g_utf8_next_char(end))
    if (quote ? quote_at(end, closing) != 0 : g_unichar_isspace(g_utf8_get_char(end)))
      break;
  const char *next = end + (quote ? quote_at(end, closing) : 0);
  gboolean star = quote ? *next == '*' : end > start && end[-1] == '*';
  next += quote && star;
  gboolean unfinished = typing && !*next && (!quote || next == end) && g_utf8_strlen(start, end - start) > 1;
  *term = make_term(start, (gsize)(end - start) - (!quote && star), fields, negated, star || unfinished);
  return next;
}

MlQuery *
ml_query_parse(const char *text, gboolean typing, GError **error)
{
  if (strlen(text) > QUERY_LENGTH) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "That is too long for a search: %d octets are read at most.",
                QUERY_LENGTH);
    return NULL;
  }
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  g_autoptr(MlQuery) query = query_new();
  guint wanted = 0;
  for (const char *at = valid; *at;) {
    if (g_unichar_isspace(g_utf8_get_char(at))) {
      at = g_utf8_next_char(at);
      continue;
    }
    if (ml_query_anywhere(&at)) {
      query->anywhere = TRUE;
      continue;
    }
    MlQueryTerm *term;
    at = read_term(at, typing, &term);
    if (!term)
      continue;
    wanted += !term->negated;
    g_ptr_array_add(query->terms, term);
    if (query->terms->len > TERMS_MAX) {
      g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "A search takes at most %d words.", TERMS_MAX);
      return NULL;
    }
  }
  if (!wanted) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        query->terms->len ? "Name a word that is to be found, too: what is only left out finds nothing."
                                          : "There is no word in it to search for: name one of letters or digits.");
    return NULL;
  }
  return g_steal_pointer(&query);
}

/* ---- without an index */

typedef struct {
  const MlQueryTerm *term;
  GPtrArray *recent;   /* of char *: the last words, as many as the term has, in a ring */
  guint next;
  gsize *starts;
  gboolean found;
  gsize start, end;
} Match;

static gboolean
is_word(const char *wanted, const char *word, gboolean prefix)
{
  return prefix ? g_str_has_prefix(word, wanted) : strcmp(wanted, word) == 0;
}

static gboolean
on_word(const MlWord *word, gpointer data)
{
  Match *match = data;
  guint n = match->term->words->len;
  char *copy = g_strndup(word->word, word->length);
  g_free(match->recent->pdata[match->next % n]);
  match->recent->pdata[match->next % n] = copy;
  match->starts[match->next % n] = word->start;
  match->next++;
  if (match->next < n)
    return TRUE;
  for (guint i = 0; i < n; i++)
    if (!is_word(match->term->words->pdata[i], match->recent->pdata[(match->next + i) % n],
                 match->term->prefix && i + 1 == n))
      return TRUE;
  match->found = TRUE;
  match->start = match->starts[match->next % n];
  match->end = word->end;
  return FALSE;
}

static gboolean
find(const MlQueryTerm *term, const char *text, gsize *start, gsize *end)
{
  if (!text)
    return FALSE;
  Match match = { .term = term, .recent = g_ptr_array_new_with_free_func(g_free),
                  .starts = g_new0(gsize, term->words->len) };
  g_ptr_array_set_size(match.recent, (int)term->words->len);
  ml_words_each(text, strlen(text), on_word, &match);
  g_ptr_array_unref(match.recent);
  g_free(match.starts);
  *start = match.start;
  *end = match.end;
  return match.found;
}

gboolean
ml_query_fits(const MlQuery *query, const MlQueryText *text)
{
  const struct {
    guint field;
    const char *text;
  } places[] = { { ML_QUERY_FROM, text->from },       { ML_QUERY_TO, text->to },    { ML_QUERY_TO, text->cc },
                 { ML_QUERY_SUBJECT, text->subject }, { ML_QUERY_BODY, text->body } };
  for (guint i = 0; i < query->terms->len; i++) {
    const MlQueryTerm *term = query->terms->pdata[i];
    gboolean found = FALSE;
    gsize start, end;
    for (guint k = 0; k < G_N_ELEMENTS(places) && !found; k++)
      found = (term->fields & places[k].field) && find(term, places[k].text, &start, &end);
    if (found == term->negated)
      return FALSE;
  }
  return TRUE;
}

/* ---- around what was found */

static gboolean
is_space(const char *at)
{
  return g_unichar_isspace(g_utf8_get_char(at));
}

char *
ml_query_snippet(const MlQuery *query, const char *body, gsize *start, gsize *end)
{
  gsize from = 0, to = 0;
  gboolean found = FALSE;
  *start = *end = 0;
  for (guint i = 0; i < query->terms->len && !found; i++) {
    const MlQueryTerm *term = query->terms->pdata[i];
    found = !term->negated && (term->fields & ML_QUERY_BODY) && find(term, body, &from, &to);
  }
  if (!found)
    return g_strdup("");
  const char *at = body + from;
  for (guint i = 0; i < SNIPPET_BEFORE && at > body; i++)
    at = g_utf8_prev_char(at);
  while (at > body && at < body + from && !is_space(at))
    at = g_utf8_next_char(at); /* from a whole word on */
  GString *line = g_string_new(NULL);
  gboolean space = TRUE;
  for (guint n = 0; *at && n < SNIPPET_LENGTH; at = g_utf8_next_char(at)) {
    if (at == body + from)
      *start = line->len;
    if (at == body + to)
      *end = line->len;
    gboolean is = is_space(at);
    if (is && space)
      continue;
    g_string_append_unichar(line, is ? ' ' : g_utf8_get_char(at));
    space = is;
    n++;
  }
  if (!*end)
    *end = line->len;
  return g_string_free(line, FALSE);
}
