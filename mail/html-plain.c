#include "mail/html-private.h"

#include <string.h>

/* What gumbo is fit for, measured: its time grows with nesting times tags, with the formatting elements that it
 * opens anew in each block, and with the square of a tag's attributes. */
enum { DEPTH = 400, TAGS = 60000, TAG_LENGTH = 32768, REOPENED = 300000 };

typedef struct {
  char name[16]; /* lower case, cut */
  gboolean closing;
  gsize length; /* of the whole tag */
} Tag;

/* A tag at @at ('<'); FALSE: just a character. Quoted '>' belong to the tag; one that never ends is the rest. */
static gboolean
tag_at(const char *at, const char *end, Tag *tag)
{
  const char *c = at + 1;
  tag->closing = c < end && *c == '/';
  if (tag->closing)
    c++;
  if (c >= end || !(g_ascii_isalpha(*c) || (!tag->closing && (*c == '!' || *c == '?'))))
    return FALSE;
  if (end - c > 3 && memcmp(c, "!--", 3) == 0) {
    const char *close = g_strstr_len(c + 3, end - c - 3, "-->");
    tag->name[0] = 0;
    tag->length = close ? (gsize)(close + 3 - at) : (gsize)(end - at);
    return TRUE;
  }
  gsize n = 0;
  for (; c < end && (g_ascii_isalnum(*c) || *c == '!' || *c == '?'); c++)
    if (n + 1 < sizeof tag->name)
      tag->name[n++] = g_ascii_tolower(*c);
  tag->name[n] = 0;
  char quote = 0;
  for (; c < end && (quote || *c != '>'); c++)
    if (quote ? *c == quote : (*c == '"' || *c == '\'') && c[-1] == '=')
      quote = quote ? 0 : *c;
  tag->length = (gsize)(c - at) + (c < end);
  return TRUE;
}

static gboolean
is_one_of(const char *name, const char *const *names)
{
  for (; *names; names++)
    if (strcmp(name, *names) == 0)
      return TRUE;
  return FALSE;
}

static const char *const formatting[] = { "a", "b",     "big",    "code",   "em", "font", "i", "nobr",
                                          "s", "small", "strike", "strong", "tt", "u",    NULL };
static const char *const flat[] = { "area",  "base",  "br",    "col",      "embed",  "hr",  "img",
                                    "input", "link",  "meta",  "param",    "source", "wbr", "p",
                                    "li",    "td",    "th",    "tr",       "dt",     "dd",  "option",
                                    "tbody", "thead", "tfoot", "!doctype", "",       NULL };
static const char *const raw_text[] = { "script", "style", "iframe", "noembed", "noframes", "xmp", NULL };
static const char *const lines[] = { "p",       "div",  "br",      "tr",      "li",     "h1",
                                     "h2",      "h3",   "h4",      "h5",      "h6",     "table",
                                     "ul",      "ol",   "dl",      "dt",      "dd",     "blockquote",
                                     "pre",     "hr",   "section", "article", "header", "footer",
                                     "address", "form", "option",  "title",   NULL };

/* Behind "</name", any case. */
static const char *
skip_raw_text(const char *at, const char *end, const char *name)
{
  gsize length = strlen(name);
  while ((at = memchr(at, '<', (gsize)(end - at)))) {
    if ((gsize)(end - at) > length + 2 && at[1] == '/' && g_ascii_strncasecmp(at + 2, name, length) == 0)
      return at;
    at++;
  }
  return end;
}

gboolean
ml_html_is_tame(const char *html, gsize length)
{
  const char *end = html + length;
  guint tags = 0, depth = 0, open = 0;
  guint64 reopened = 0;
  for (const char *at = html; (at = memchr(at, '<', (gsize)(end - at)));) {
    Tag tag;
    if (!tag_at(at, end, &tag)) {
      at++;
      continue;
    }
    if (++tags > TAGS || (tag.length > TAG_LENGTH && tag.name[0]))
      return FALSE;
    at += tag.length;
    if (is_one_of(tag.name, formatting))
      open = tag.closing ? open - (open > 0) : open + 1;
    else if (!tag.closing)
      reopened += open;
    if (is_one_of(tag.name, flat))
      continue;
    depth = tag.closing ? depth - (depth > 0) : depth + 1;
    if (depth > DEPTH || open > DEPTH || reopened > REOPENED)
      return FALSE;
    if (!tag.closing && is_one_of(tag.name, raw_text))
      at = skip_raw_text(at, end, tag.name);
  }
  return TRUE;
}

/* A character reference at @at ('&'); returns its length or 0. The five of XML, nbsp and numbers will do here. */
static gsize
append_reference(GString *out, const char *at, const char *end)
{
  static const struct {
    const char *name, *text;
  } names[] = { { "&amp;", "&" },   { "&lt;", "<" },   { "&gt;", ">" },
                { "&quot;", "\"" }, { "&nbsp;", " " }, { "&apos;", "'" } };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if ((gsize)(end - at) >= strlen(names[i].name) && memcmp(at, names[i].name, strlen(names[i].name)) == 0) {
      g_string_append(out, names[i].text);
      return strlen(names[i].name);
    }
  if (end - at < 4 || at[1] != '#')
    return 0;
  gboolean hex = at[2] == 'x' || at[2] == 'X';
  gunichar value = 0;
  const char *c = at + 2 + hex;
  for (; c < end && c - at < 12 && (hex ? g_ascii_isxdigit(*c) : g_ascii_isdigit(*c)); c++)
    value = MIN(value * (hex ? 16 : 10) + (gunichar)g_ascii_xdigit_value(*c), 0x110000);
  if (c == at + 2 + hex)
    return 0;
  g_string_append_unichar(out, value && value < 0x110000 && g_unichar_validate(value) ? value : 0xfffd);
  return (gsize)(c - at) + (c < end && *c == ';');
}

char *
ml_html_strip(const char *html, gsize length)
{
  const char *end = html + length;
  GString *out = g_string_sized_new(length / 2 + 1);
  gboolean blank = TRUE, fresh = TRUE; /* white space, or a line end, was just written */
  for (const char *at = html; at < end;) {
    Tag tag;
    if (*at == '<' && tag_at(at, end, &tag)) {
      at += tag.length;
      if (!tag.closing && is_one_of(tag.name, raw_text))
        at = skip_raw_text(at, end, tag.name);
      if (is_one_of(tag.name, lines) && !fresh) {
        g_string_append_c(out, '\n');
        blank = fresh = TRUE;
      }
      continue;
    }
    if (g_ascii_isspace(*at)) {
      if (!blank)
        g_string_append_c(out, ' ');
      blank = TRUE;
      at++;
      continue;
    }
    gsize used = *at == '&' ? append_reference(out, at, end) : 0;
    if (!used) {
      used = 1;
      g_string_append_c(out, *at);
    }
    at += used;
    blank = fresh = FALSE;
  }
  return g_strchomp(g_string_free(out, FALSE));
}
