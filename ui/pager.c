#include "ui/pager.h"

#include <string.h>

#include "mail/pattern.h"
#include "ui/text.h"

enum { GUTTER = 2 }; /* columns: the mark and a blank, so that lines of 78 stand unwrapped at 80 */

static void
line_free(UiLine *line)
{
  g_free(line->text);
  g_free(line);
}

void
ui_pager_init(UiPager *pager, gboolean gutter)
{
  memset(pager, 0, sizeof *pager);
  pager->source = g_ptr_array_new_with_free_func((GDestroyNotify)line_free);
  pager->lines = g_ptr_array_new_with_free_func((GDestroyNotify)line_free);
  pager->gutter = gutter;
  pager->found = -1;
}

void
ui_pager_clear(UiPager *pager)
{
  g_clear_pointer(&pager->source, g_ptr_array_unref);
  g_clear_pointer(&pager->lines, g_ptr_array_unref);
}

UiLine *
ui_pager_add(UiPager *pager, UiStyle style, const char *text)
{
  UiLine *line = g_new0(UiLine, 1);

  line->text = g_strdup(text);
  line->style = style;
  line->gutter = ' ';
  g_ptr_array_add(pager->source, line);
  return line;
}

UiLine *
ui_pager_add_format(UiPager *pager, UiStyle style, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_autofree char *safe = ui_text_line(text);
  return ui_pager_add(pager, style, safe);
}

void
ui_pager_add_rule(UiPager *pager, const char *label)
{
  g_autofree char *safe = ui_text_line(label);
  UiLine *line = ui_pager_add(pager, UI_STYLE_RULE, safe);

  line->rule = TRUE;
}

static UiLine *
line_copy(const UiLine *line, const char *text)
{
  UiLine *copy = g_new0(UiLine, 1);

  *copy = *line;
  copy->text = g_strdup(text);
  return copy;
}

static int
text_columns(const UiPager *pager)
{
  return MAX(pager->columns - (pager->gutter ? GUTTER : 1), 4);
}

static void
lay_out_line(UiPager *pager, const UiLine *line)
{
  int columns = text_columns(pager);

  if (line->rule || (strlen(line->text) <= (gsize)columns && g_str_is_ascii(line->text)) ||
      ui_text_width(line->text) <= columns) {
    g_ptr_array_add(pager->lines, line_copy(line, line->text));
    return;
  }
  /* The first row has the whole width, those below it stand under the indent. */
  g_autoptr(GPtrArray) first = ui_text_wrap(line->text, columns);
  if (!first->len) {
    g_ptr_array_add(pager->lines, line_copy(line, ""));
    return;
  }
  UiLine *copy = line_copy(line, first->pdata[0]);
  copy->lead = MIN(line->lead, strlen(copy->text));
  g_ptr_array_add(pager->lines, copy);
  const char *rest = line->text + MIN(strlen(first->pdata[0]), strlen(line->text));
  while (*rest == ' ')
    rest++;
  guint indent = MIN(line->indent, (guint)columns / 2);
  g_autoptr(GPtrArray) parts = *rest ? ui_text_wrap(rest, columns - (int)indent) : NULL;
  for (guint i = 0; parts && i < parts->len; i++) {
    g_autofree char *text = g_strdup_printf("%*s%s", (int)indent, "", (char *)parts->pdata[i]);
    copy = line_copy(line, text);
    copy->lead = 0;
    g_ptr_array_add(pager->lines, copy);
  }
}

/* Keeps the place: as far down as before, in lines or, where the width changed, in proportion. */
static void
lay_out(UiPager *pager, int columns)
{
  guint before = pager->lines->len;

  pager->columns = columns;
  g_ptr_array_set_size(pager->lines, 0);
  for (guint i = 0; i < pager->source->len; i++)
    lay_out_line(pager, pager->source->pdata[i]);
  if (before && before != pager->lines->len)
    pager->top = (int)((guint64)pager->top * pager->lines->len / before);
  pager->found = -1;
}

void
ui_pager_changed(UiPager *pager)
{
  if (pager->columns)
    lay_out(pager, pager->columns);
}

static int
last_top(const UiPager *pager)
{
  return MAX((int)pager->lines->len - pager->rows, 0);
}

static UiStyle
gutter_style(char gutter)
{
  switch (gutter) {
  case '|':
    return UI_STYLE_SIGNED;
  case '=':
    return UI_STYLE_ENCRYPTED;
  case '#':
    return UI_STYLE_BOTH;
  default:
    return UI_STYLE_BARE;
  }
}

static void
draw_rule(const UiLine *line, int row, int columns)
{
  ui_screen_rule(row, 0, columns, UI_STYLE_RULE);
  if (!*line->text)
    return;
  g_autofree char *label = g_strdup_printf(" %s ", line->text);
  g_autofree char *cut = ui_text_cut(label, MAX(columns - 4, 1));
  ui_screen_put(row, 2, columns - 4, UI_STYLE_RULE, cut);
}

static void
draw_line(const UiPager *pager, const UiLine *line, int row, int columns, gboolean found)
{
  if (line->rule) {
    draw_rule(line, row, columns);
    return;
  }
  int at = pager->gutter ? GUTTER : 1;
  if (pager->gutter && line->gutter != ' ') {
    char mark[] = { line->gutter, 0 };
    ui_screen_put(row, 0, 1, gutter_style(line->gutter), mark);
  }
  if (found)
    ui_screen_put(row, at, columns - at, UI_STYLE_MATCH, line->text);
  else if (line->lead) {
    g_autofree char *lead = g_strndup(line->text, line->lead);
    int width = ui_text_width(lead);
    ui_screen_put(row, at, columns - at, UI_STYLE_HEADER, lead);
    ui_screen_put(row, at + width, columns - at - width, line->style, line->text + line->lead);
  } else
    ui_screen_put(row, at, columns - at, line->style, line->text);
}

void
ui_pager_draw(UiPager *pager, int row, int rows, int columns)
{
  pager->rows = MAX(rows, 1);
  if (columns != pager->columns)
    lay_out(pager, columns);
  pager->top = CLAMP(pager->top, 0, last_top(pager));
  for (int i = 0; i < rows && pager->top + i < (int)pager->lines->len; i++)
    draw_line(pager, pager->lines->pdata[pager->top + i], row + i, columns, pager->top + i == pager->found);
}

gboolean
ui_pager_move(UiPager *pager, UiMove move)
{
  int before = pager->top, page = MAX(pager->rows - 1, 1);

  switch (move) {
  case UI_MOVE_UP:
    pager->top--;
    break;
  case UI_MOVE_DOWN:
    pager->top++;
    break;
  case UI_MOVE_PAGE_UP:
    pager->top -= page;
    break;
  case UI_MOVE_PAGE_DOWN:
    pager->top += page;
    break;
  case UI_MOVE_FIRST:
    pager->top = 0;
    break;
  case UI_MOVE_LAST:
    pager->top = last_top(pager);
    break;
  }
  pager->top = CLAMP(pager->top, 0, last_top(pager));
  return pager->top != before;
}

gboolean
ui_pager_search(UiPager *pager, const char *folded, gboolean backwards)
{
  int n = (int)pager->lines->len, step = backwards ? -1 : 1;
  int start = pager->found >= 0 ? pager->found : backwards ? pager->top : pager->top - 1;

  for (int i = 1; i <= n; i++) {
    int at = ((start + i * step) % n + n) % n;
    if (!ml_pattern_contains(((UiLine *)pager->lines->pdata[at])->text, folded))
      continue;
    pager->found = at;
    if (at < pager->top || at >= pager->top + pager->rows)
      pager->top = CLAMP(at - pager->rows / 3, 0, last_top(pager));
    return TRUE;
  }
  return FALSE;
}

int
ui_pager_percent(const UiPager *pager)
{
  guint shown = (guint)(pager->top + pager->rows);

  return shown >= pager->lines->len ? 100 : (int)(shown * 100 / pager->lines->len);
}
