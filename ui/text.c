#include "ui/text.h"

#include <string.h>
#include <wchar.h>

enum {
  MAX_MARKS = 8,           /* combining characters on one base */
  TAB = 8,
  DAY = 24 * 60 * 60,
};

static gboolean terminal_is_utf8 = TRUE; /* set once, before any thread starts */

void
ui_text_set_utf8(gboolean utf8)
{
  terminal_is_utf8 = utf8;
}

gboolean
ui_text_is_utf8(void)
{
  return terminal_is_utf8;
}

/* What has no picture of its own though its category calls it a letter, a mark, or not yet assigned. Everything
 * else that is invisible is known by its category, in is_unsafe(). */
static gboolean
is_blank_letter(gunichar c)
{
  return c == 0x034f || c == 0x115f || c == 0x1160 || c == 0x17b4 || c == 0x17b5 ||
         (c >= 0x180b && c <= 0x180f) || c == 0x2065 || c == 0x3164 || c == 0xffa0 ||
         (c >= 0xfff0 && c <= 0xfff8) || (c >= 0xe0000 && c <= 0xe0fff);
}

static gboolean
is_unsafe(gunichar c)
{
  if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || is_blank_letter(c))
    return TRUE;
  switch (g_unichar_type(c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_SURROGATE:
  case G_UNICODE_PRIVATE_USE:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return TRUE;
  case G_UNICODE_UNASSIGNED: /* GLib's tables may be older than the mail; noncharacters never become letters */
    return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef) || wcwidth((wchar_t)c) < 0;
  default:
    return FALSE;
  }
}

static gboolean
is_mark(gunichar c)
{
  GUnicodeType type = g_unichar_type(c);

  return type == G_UNICODE_NON_SPACING_MARK || type == G_UNICODE_ENCLOSING_MARK;
}

/* Joiners and variation selectors belong to emoji and to several scripts; a terminal cannot honour them, so they
 * are left out there and marked where they could only deceive, after ASCII. */
static gboolean
is_joiner(gunichar c)
{
  return c == 0x200c || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

static void
append_safe(GString *out, gunichar c, gboolean ascii)
{
  if (!ascii) {
    g_string_append_unichar(out, c);
    return;
  }
  if (c < 0x80 || g_unichar_type(c) == G_UNICODE_SPACE_SEPARATOR) { /* a date has blanks as wide as a digit */
    g_string_append_c(out, c < 0x80 ? (char)c : ' ');
    return;
  }
  char letter[8] = { 0 };
  g_unichar_to_utf8(c, letter);
  g_autofree char *near = g_str_to_ascii(letter, "C");
  g_string_append(out, near && *near ? near : "?");
}

/* Printable ASCII: one column, whatever the locale, and safe; most of all text. */
static gboolean
is_plain(char c)
{
  return c >= 0x20 && c < 0x7f;
}

gsize
ui_text_plain_run(const char *text, gsize most)
{
  gsize length = 0;
  while (length < most && is_plain(text[length]))
    length++;
  return length;
}

typedef enum { BLANK, KEEP, EXPAND } Whitespace;

static char *
clean(const char *text, Whitespace newline, Whitespace tab, gboolean ascii)
{
  if (!text || !text[ui_text_plain_run(text, G_MAXSIZE)])
    return g_strdup(text ? text : "");
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *out = g_string_sized_new(strlen(valid) + 16);
  guint column = 0, marks = 0;
  gunichar before = 0;

  for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
    gsize plain = ui_text_plain_run(p, G_MAXSIZE);
    if (plain) { /* most of all text, at once */
      g_string_append_len(out, p, (gssize)plain);
      column += (guint)plain;
      p += plain - 1;
      before = (gunichar)*p;
      marks = 0;
      continue;
    }
    gunichar c = g_utf8_get_char(p);
    if (c == '\n' && newline == KEEP) {
      g_string_append_c(out, '\n');
      column = marks = 0;
      before = 0;
      continue;
    }
    if (c == '\t' && tab == KEEP) {
      g_string_append_c(out, '\t');
    } else if (c == '\t' && tab == EXPAND) {
      guint blanks = TAB - column % TAB;
      g_string_append_printf(out, "%*s", (int)blanks, "");
      column += blanks - 1;
    } else if (c == '\n' || c == '\t') {
      g_string_append_c(out, ' ');
    } else if (is_joiner(c) && before >= 0x80) {
      continue;
    } else if (is_mark(c) && (++marks > MAX_MARKS || before == 0)) {
      append_safe(out, 0xfffd, ascii);
    } else if (is_unsafe(c) || is_joiner(c)) {
      append_safe(out, 0xfffd, ascii);
      marks = 0;
    } else {
      append_safe(out, c, ascii);
      if (!is_mark(c))
        marks = 0;
      column += (guint)MAX(ui_text_char_width(c), 0);
      before = c;
      continue;
    }
    column++;
    before = is_mark(c) ? before : 0xfffd;
  }
  return g_string_free(out, FALSE);
}

char *
ui_text_line(const char *text)
{
  return clean(text, BLANK, BLANK, !terminal_is_utf8);
}

char *
ui_text_lines(const char *text)
{
  return clean(text, KEEP, EXPAND, !terminal_is_utf8);
}

char *
ui_text_json(const char *text)
{
  return clean(text, KEEP, KEEP, FALSE);
}

int
ui_text_char_width(gunichar c)
{
  if (c < 0x20 || c == 0x7f)
    return 0;
  if (c < 0x7f)
    return 1;
  int width = wcwidth((wchar_t)c);
  if (width >= 0)
    return width;
  return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

int
ui_text_width(const char *text)
{
  gsize plain = ui_text_plain_run(text, G_MAXSIZE);
  int width = (int)plain;

  for (const char *p = text + plain; *p; p = g_utf8_next_char(p))
    width += is_plain(*p) ? 1 : ui_text_char_width(g_utf8_get_char(p));
  return width;
}

/* Where @text has used up @columns; *used tells how many were. Marks stay with their base. */
static const char *
end_of_columns(const char *text, int columns, int *used)
{
  const char *p = text;

  *used = 0;
  for (; *p && *p != '\n'; p = g_utf8_next_char(p)) {
    int width = is_plain(*p) ? 1 : ui_text_char_width(g_utf8_get_char(p));
    if (*used + width > columns)
      break;
    *used += width;
  }
  return p;
}

/* What stands for what was cut off. */
static const char *
cut_mark(void)
{
  return terminal_is_utf8 ? "\xe2\x80\xa6" : "~";
}

char *
ui_text_cut(const char *text, int columns)
{
  int used;

  if (columns <= 0)
    return g_strdup("");
  const char *end = end_of_columns(text, columns, &used);
  if (!*end)
    return g_strdup(text);
  end = end_of_columns(text, columns - 1, &used);
  return g_strdup_printf("%.*s%s", (int)(end - text), text, cut_mark());
}

char *
ui_text_fit(const char *text, int columns)
{
  int used;

  if (columns <= 0)
    return g_strdup("");
  const char *end = end_of_columns(text, columns, &used), *mark = "";
  if (*end) {
    mark = cut_mark();
    end = end_of_columns(text, columns - 1, &used);
  }
  gsize length = (gsize)(end - text), more = strlen(mark);
  gsize blanks = (gsize)MAX(columns - used - ui_text_width(mark), 0);
  char *fit = g_malloc(length + more + blanks + 1);
  memcpy(fit, text, length);
  memcpy(fit + length, mark, more);
  memset(fit + length + more, ' ', blanks);
  fit[length + more + blanks] = 0;
  return fit;
}

static void
wrap_line(GPtrArray *lines, const char *line, int columns)
{
  do {
    int used;
    const char *end = end_of_columns(line, columns, &used);
    if (end == line && *line)
      end = g_utf8_next_char(line); /* a wide letter in a column of one: never stand still */
    const char *next = end;
    if (*end && *end != ' ') {
      const char *blank = end;
      while (blank > line && *blank != ' ')
        blank--;
      if (blank > line && *blank == ' ') {
        end = blank;
        next = blank + 1;
      }
    } else if (*end == ' ') {
      next = end + 1;
    }
    while (end > line && *next && end[-1] == ' ')
      end--;
    g_ptr_array_add(lines, g_strndup(line, (gsize)(end - line)));
    line = next;
  } while (*line);
}

GPtrArray *
ui_text_wrap(const char *text, int columns)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) parts = g_strsplit(text, "\n", -1);

  for (guint i = 0; parts[i]; i++)
    wrap_line(lines, parts[i], MAX(columns, 1));
  if (lines->len == 0)
    g_ptr_array_add(lines, g_strdup(""));
  return lines;
}

char *
ui_text_size(guint64 octets)
{
  static const char units[] = "kMGTPE";
  double size = (double)octets / 1024;
  guint unit = 0;

  if (octets < 1000)
    return g_strdup_printf("%u", (guint)octets);
  while (size >= 999.5 && unit + 2 < sizeof units) {
    size /= 1024;
    unit++;
  }
  return g_strdup_printf(size < 9.95 ? "%.1f%c" : "%.0f%c", MAX(size, 1.0), units[unit]);
}

/* GLib asks the file system for the zone at every date, with six calls; a page of dates asks once, and a clock that is set
 * to another zone is met a second later. */
static GTimeZone *
zone_of(gint64 now)
{
  static _Thread_local GTimeZone *zone;
  static _Thread_local gint64 since;

  if (!zone || since != now) {
    g_clear_pointer(&zone, g_time_zone_unref);
    zone = g_time_zone_new_local();
    since = now;
  }
  return zone;
}

char *
ui_text_date(gint64 when, gint64 now, int columns)
{
  GTimeZone *zone = zone_of(now);
  g_autoptr(GDateTime) then_utc = g_date_time_new_from_unix_utc(when);
  g_autoptr(GDateTime) then = then_utc ? g_date_time_to_timezone(then_utc, zone) : NULL;
  g_autoptr(GDateTime) now_utc = g_date_time_new_from_unix_utc(now);
  g_autoptr(GDateTime) today = now_utc ? g_date_time_to_timezone(now_utc, zone) : NULL;
  const char *format = "%Y-%m-%d";

  if (!then || !today)
    return g_strdup("?");
  if (when <= now + DAY && now - when < 6 * DAY)
    format = columns < 9 ? "%H:%M" : "%a %H:%M";
  else if (g_date_time_get_year(then) == g_date_time_get_year(today))
    format = "%e %b";
  else if (columns < 10)
    format = "%b %Y"; /* the whole date does not fit */
  g_autofree char *text = g_date_time_format(then, columns < 6 ? "%H:%M" : format);
  g_autofree char *safe = ui_text_line(text); /* the locale's month names */
  return ui_text_cut(g_strchug(safe), columns);
}
