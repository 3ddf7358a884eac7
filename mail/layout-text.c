#include "mail/charset-private.h"
#include "mail/html-private.h"
#include "mail/message-private.h"

#include <string.h>

void
ml_link_free(MlLink *link)
{
  g_free(link->url);
  g_free(link);
}

/* CR before LF goes; one that stands alone stays a mark for the text gate. No blank lines at the end. */
static char *
unix_lines(char *text)
{
  char *to = text;
  for (char *from = text; *from; from++)
    if (*from != '\r' || (from[1] != '\n' && from[1] != '\r' && from[1]))
      *to++ = *from;
  *to = 0;
  while (to > text && (to[-1] == '\n' || to[-1] == ' ' || to[-1] == '\t'))
    *--to = 0;
  return text;
}

static guint
quote_depth(const char **line)
{
  guint depth = 0;
  while (**line == '>') {
    depth++;
    (*line)++;
  }
  return depth;
}

/* format=flowed (RFC 3676): a line that ends in a blank goes on in the next of the same quote depth. */
static char *
unflow(const char *text, gboolean delsp)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  GString *out = g_string_sized_new(strlen(text));
  gboolean open = FALSE;
  guint open_depth = 0;
  for (gsize i = 0; lines[i]; i++) {
    const char *line = lines[i];
    guint depth = quote_depth(&line);
    if (*line == ' ')
      line++; /* space-stuffed */
    gboolean signature = strcmp(line, "-- ") == 0;
    if (!open || depth != open_depth || signature) {
      if (i)
        g_string_append_c(out, '\n');
      for (guint d = 0; d < MIN(depth, 50u); d++)
        g_string_append(out, "> ");
    }
    gsize length = strlen(line);
    open = length && line[length - 1] == ' ' && !signature;
    open_depth = depth;
    g_string_append_len(out, line, (gssize)(open && delsp ? length - 1 : length));
  }
  return g_string_free(out, FALSE);
}

/* RFC 9788 4.5.3: lines that look like header fields, up to the first blank one. */
static const char *
after_legacy_display(const char *text)
{
  for (const char *line = text; *line;) {
    const char *end = strchr(line, '\n');
    if (end == line || (end == line + 1 && *line == '\r'))
      return line == text ? text : end + 1;
    const char *colon = strchr(line, ':');
    gboolean field =
        (line != text && (*line == ' ' || *line == '\t')) || (colon && colon > line && (!end || colon < end));
    for (const char *c = line; field && *line != ' ' && *line != '\t' && c < colon; c++)
      field = g_ascii_isalnum(*c) || *c == '-';
    if (!field || !end)
      return text;
    line = end + 1;
  }
  return text;
}

/* The charset that HTML names in itself, where the mail names none. */
static char *
meta_charset(const char *html, gsize length)
{
  g_autofree char *head = g_strndup(html, MIN(length, (gsize)2048));
  g_autofree char *lower = g_ascii_strdown(head, -1);
  const char *at = strstr(lower, "charset=");
  if (!at)
    return NULL;
  at += strlen("charset=");
  at += strspn(at, "\"' ");
  gsize size = strcspn(at, "\"' />;");
  return size && size < 40 ? g_strndup(at, size) : NULL;
}

char *
ml_layout_text(const MlEntity *entity, gboolean legacy_display, GPtrArray *links, gsize limit, gboolean *cut)
{
  g_autoptr(GBytes) content = ml_mime_decode(entity, limit, cut);
  gsize length = 0;
  const char *octets = g_bytes_get_data(content, &length), *data = length ? octets : "";
  const char *charset = ml_mime_param(entity, "charset");
  gboolean html = ml_mime_is(entity, "text/html");
  g_autofree char *meta = html && !charset ? meta_charset(data, length) : NULL;
  g_autofree char *text = ml_charset_to_utf8(data, length, charset ? charset : meta, NULL);
  legacy_display = legacy_display && g_strcmp0(ml_mime_param(entity, "hp-legacy-display"), "1") == 0;
  if (html) {
    gboolean html_cut = FALSE;
    g_autofree char *shown = ml_html_to_text(text, strlen(text), legacy_display, links, &html_cut);
    *cut = *cut || html_cut;
    return unix_lines(g_steal_pointer(&shown));
  }
  const char *from = legacy_display ? after_legacy_display(text) : text;
  const char *format = ml_mime_param(entity, "format"), *delsp = ml_mime_param(entity, "delsp");
  if (!format || g_ascii_strcasecmp(format, "flowed") != 0)
    return unix_lines(g_strdup(from));
  g_autofree char *unix_text = g_strdup(from);
  char *to = unix_text;
  for (const char *c = from; *c; c++)
    if (*c != '\r' || c[1] != '\n')
      *to++ = *c;
  *to = 0;
  return unix_lines(unflow(unix_text, delsp && g_ascii_strcasecmp(delsp, "yes") == 0));
}
