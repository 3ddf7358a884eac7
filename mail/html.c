#include "mail/html-private.h"
#include "mail/message.h"

#include <gumbo.h>
#include <string.h>

enum { TEXT_LIMIT = 4 * 1024 * 1024, URL_LIMIT = 4096, WALK_DEPTH = 600 };

typedef struct {
  GString *out;
  GPtrArray *links;    /* NULL: links are not shown */
  GHashTable *numbers; /* url -> number */
  guint newlines;      /* wanted before the next text: 1 a new line, 2 a blank one */
  gboolean blank;      /* a blank is wanted before the next text */
  gboolean at_start;   /* nothing on this line yet but its quote marks */
  gboolean cell_gap;   /* the next text begins another cell of this row */
  guint quotes;        /* blockquotes around us */
  guint preformatted;
  guint depth;
  guint indent;            /* of lists */
  gboolean legacy_display; /* drop RFC 9788 4.10.2's element */
  gboolean cut;
} Render;

static void
want_lines(Render *render, guint lines)
{
  render->newlines = MAX(render->newlines, lines);
  render->blank = render->cell_gap = FALSE;
}

static void
start_line(Render *render)
{
  for (guint i = 0; i < MIN(render->quotes, 10u); i++)
    g_string_append(render->out, "> ");
  for (guint i = 1; i < MIN(render->indent, 10u); i++)
    g_string_append(render->out, "  ");
  render->at_start = TRUE;
}

/* Writes what was wanted before the next visible character. */
static void
settle(Render *render)
{
  if (!render->out->len) {
    start_line(render);
  } else if (render->newlines) {
    for (guint i = 0; i < render->newlines; i++)
      g_string_append_c(render->out, '\n');
    start_line(render);
  } else if (render->cell_gap && !render->at_start) {
    g_string_append(render->out, "  ");
  } else if (render->blank && !render->at_start) {
    g_string_append_c(render->out, ' ');
  }
  render->newlines = 0;
  render->blank = render->cell_gap = render->at_start = FALSE;
}

/* Characters that mail hides its preview padding with. Beside a blank or another they pad; between letters they
 * are a trick, and stay to be marked by the text gate. */
static gboolean
is_padding(gunichar c)
{
  return (c >= 0x200b && c <= 0x200d) || c == 0xfeff || c == 0x34f || c == 0xad || c == 0x2007 || c == 0x2060;
}

static void
add_text(Render *render, const char *raw)
{
  /* gumbo makes a broken character of a reference to one beyond Unicode's end */
  g_autofree char *valid = g_utf8_validate(raw, -1, NULL) ? NULL : g_utf8_make_valid(raw, -1);
  const char *text = valid ? valid : raw;
  gboolean padded = TRUE;
  for (const char *c = text; *c; c = g_utf8_next_char(c)) {
    gunichar wide = g_utf8_get_char(c);
    if (render->out->len > TEXT_LIMIT) {
      render->cut = TRUE;
      return;
    }
    if (render->preformatted && wide == '\n') {
      render->newlines++;
      render->newlines = MIN(render->newlines, 3);
    } else if (render->preformatted && (wide == ' ' || wide == '\t')) {
      settle(render);
      g_string_append_c(render->out, (char)wide);
    } else if (wide == ' ' || wide == '\t' || wide == '\n' || wide == '\r' || wide == '\f' || wide == 0xa0) {
      render->blank = TRUE;
      padded = TRUE;
    } else if (is_padding(wide) && (padded || render->blank)) {
      padded = TRUE;
    } else {
      settle(render);
      g_string_append_unichar(render->out, wide ? wide : 0xfffd);
      padded = FALSE;
    }
  }
}

/* The note's number for a link that may be opened; 0: none. */
static guint
link_number(Render *render, const char *href)
{
  static const char *const schemes[] = {
    "http:", "https:", "mailto:", "ftp:", "tel:", "xmpp:", "sip:", NULL
  };
  if (!render->links || !href || render->links->len >= ML_HTML_LINKS || strlen(href) > URL_LIMIT)
    return 0;
  g_autofree char *url = g_strstrip(g_strdup(href));
  gboolean known = FALSE;
  for (gsize i = 0; schemes[i]; i++)
    known = known || g_ascii_strncasecmp(url, schemes[i], strlen(schemes[i])) == 0;
  if (!known)
    return 0;
  g_autoptr(GString) clean = g_string_new(NULL);
  for (const char *c = url; *c; c++)
    if ((guchar)*c <= 32 || *c == 127 || (guchar)*c >= 128)
      g_string_append_printf(clean, "%%%02X", (guchar)*c);
    else
      g_string_append_c(clean, *c);
  guint number = GPOINTER_TO_UINT(g_hash_table_lookup(render->numbers, clean->str));
  if (number)
    return number;
  MlLink *link = g_new0(MlLink, 1);
  link->url = g_strdup(clean->str);
  link->number = render->links->len + 1;
  g_ptr_array_add(render->links, link);
  g_hash_table_insert(render->numbers, link->url, GUINT_TO_POINTER(link->number));
  return link->number;
}

static const char *
attribute(const GumboElement *element, const char *name)
{
  GumboAttribute *found = gumbo_get_attribute(&element->attributes, name);
  return found ? found->value : NULL;
}

static void walk(Render *render, const GumboNode *node);

static void
walk_children(Render *render, const GumboVector *children)
{
  if (++render->depth > WALK_DEPTH)
    render->cut = TRUE;
  else
    for (guint i = 0; i < children->length; i++)
      walk(render, children->data[i]);
  render->depth--;
}

static void
walk_link(Render *render, const GumboElement *element)
{
  walk_children(render, &element->children);
  guint number = link_number(render, attribute(element, "href"));
  if (number) {
    g_autofree char *mark = g_strdup_printf("[%u]", number);
    render->blank = TRUE;
    add_text(render, mark);
  }
}

static void
walk_list(Render *render, const GumboElement *element)
{
  gboolean nested = render->indent > 0;
  guint number = 0;
  want_lines(render, nested ? 1 : 2);
  render->indent++;
  for (guint i = 0; i < element->children.length; i++) {
    const GumboNode *child = element->children.data[i];
    if (child->type == GUMBO_NODE_ELEMENT && child->v.element.tag == GUMBO_TAG_LI) {
      g_autofree char *mark = element->tag == GUMBO_TAG_OL ? g_strdup_printf("%u.", ++number) : g_strdup("*");
      want_lines(render, 1);
      add_text(render, mark);
      render->blank = TRUE;
      walk_children(render, &child->v.element.children);
    } else {
      walk(render, child);
    }
  }
  render->indent--;
  want_lines(render, nested ? 1 : 2);
}

/* How many lines an element stands apart from its neighbours: 0 inline, 1 its own line, 2 a blank line. */
static guint
apart(GumboTag tag)
{
  switch (tag) {
  case GUMBO_TAG_P:
  case GUMBO_TAG_H1:
  case GUMBO_TAG_H2:
  case GUMBO_TAG_H3:
  case GUMBO_TAG_H4:
  case GUMBO_TAG_H5:
  case GUMBO_TAG_H6:
  case GUMBO_TAG_DL:
  case GUMBO_TAG_PRE:
  case GUMBO_TAG_PLAINTEXT:
  case GUMBO_TAG_BLOCKQUOTE:
    return 2;
  case GUMBO_TAG_DIV:
  case GUMBO_TAG_TABLE:
  case GUMBO_TAG_TR:
  case GUMBO_TAG_CAPTION:
  case GUMBO_TAG_DT:
  case GUMBO_TAG_DD:
  case GUMBO_TAG_LI:
  case GUMBO_TAG_SECTION:
  case GUMBO_TAG_ARTICLE:
  case GUMBO_TAG_ASIDE:
  case GUMBO_TAG_HEADER:
  case GUMBO_TAG_FOOTER:
  case GUMBO_TAG_NAV:
  case GUMBO_TAG_MAIN:
  case GUMBO_TAG_FIGURE:
  case GUMBO_TAG_FIGCAPTION:
  case GUMBO_TAG_ADDRESS:
  case GUMBO_TAG_CENTER:
  case GUMBO_TAG_FORM:
  case GUMBO_TAG_FIELDSET:
  case GUMBO_TAG_OPTION:
  case GUMBO_TAG_TEXTAREA:
  case GUMBO_TAG_BODY:
    return 1;
  default:
    return 0;
  }
}

static void
walk_block(Render *render, const GumboElement *element)
{
  const char *class = render->legacy_display ? attribute(element, "class") : NULL;
  if (class && element->tag == GUMBO_TAG_DIV && strcmp(class, "header-protection-legacy-display") == 0)
    return;
  guint lines = apart(element->tag);
  gboolean quote = element->tag == GUMBO_TAG_BLOCKQUOTE;
  gboolean pre = element->tag == GUMBO_TAG_PRE || element->tag == GUMBO_TAG_PLAINTEXT ||
                 element->tag == GUMBO_TAG_TEXTAREA;
  if (lines)
    want_lines(render, lines);
  if (element->tag == GUMBO_TAG_TD || element->tag == GUMBO_TAG_TH)
    render->cell_gap = TRUE;
  render->quotes += quote;
  render->preformatted += pre;
  walk_children(render, &element->children);
  render->preformatted -= pre;
  render->quotes -= quote;
  if (lines)
    want_lines(render, lines);
}

static void
walk_element(Render *render, const GumboElement *element)
{
  switch (element->tag) {
  case GUMBO_TAG_SCRIPT:
  case GUMBO_TAG_STYLE:
  case GUMBO_TAG_IFRAME:
  case GUMBO_TAG_TITLE:
  case GUMBO_TAG_NOEMBED:
    return;
  case GUMBO_TAG_BR:
    render->newlines = MIN(render->newlines + 1, 2);
    render->blank = FALSE;
    return;
  case GUMBO_TAG_HR:
    want_lines(render, 1);
    add_text(render, "----------------------------------------");
    want_lines(render, 1);
    return;
  case GUMBO_TAG_IMG: {
    const char *alt = attribute(element, "alt");
    if (alt && *alt) {
      add_text(render, "[");
      add_text(render, alt);
      add_text(render, "]");
    }
    return;
  }
  case GUMBO_TAG_A:
    walk_link(render, element);
    return;
  case GUMBO_TAG_UL:
  case GUMBO_TAG_OL:
    walk_list(render, element);
    return;
  default:
    walk_block(render, element);
  }
}

static void
walk(Render *render, const GumboNode *node)
{
  if (render->cut)
    return;
  switch (node->type) {
  case GUMBO_NODE_TEXT:
  case GUMBO_NODE_WHITESPACE:
  case GUMBO_NODE_CDATA:
    add_text(render, node->v.text.text);
    break;
  case GUMBO_NODE_ELEMENT:
  case GUMBO_NODE_TEMPLATE:
    walk_element(render, &node->v.element);
    break;
  case GUMBO_NODE_DOCUMENT:
  case GUMBO_NODE_COMMENT:
    break;
  }
}

static void
add_notes(Render *render)
{
  for (guint i = 0; render->links && i < render->links->len; i++) {
    const MlLink *link = g_ptr_array_index(render->links, i);
    g_string_append_printf(render->out, "%s[%u] %s",
                           i                  ? "\n"
                           : render->out->len ? "\n\n"
                                              : "",
                           link->number, link->url);
  }
}

char *
ml_html_to_text(const char *html, gsize length, gboolean legacy_display, GPtrArray *links, gboolean *cut)
{
  *cut = length > ML_HTML_SIZE;
  length = MIN(length, (gsize)ML_HTML_SIZE);
  while (length && *cut && ((guchar)html[length] & 0xc0) == 0x80)
    length--;
  if (!ml_html_is_tame(html, length))
    return ml_html_strip(html, length);
  GumboOptions options = kGumboDefaultOptions;
  options.max_errors = 0;
  GumboOutput *tree = gumbo_parse_with_options(&options, html, length);
  if (!tree)
    return ml_html_strip(html, length);
  Render render = {
    .out = g_string_new(NULL), .links = links, .at_start = TRUE, .legacy_display = legacy_display
  };
  render.numbers = g_hash_table_new(g_str_hash, g_str_equal);
  walk(&render, tree->root);
  gumbo_destroy_output(&options, tree);
  *cut = *cut || render.cut;
  add_notes(&render);
  g_hash_table_unref(render.numbers);
  return g_string_free(render.out, FALSE);
}
