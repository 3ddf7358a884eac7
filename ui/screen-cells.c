#include "ui/screen-cells.h"

#include <curses.h>
#include <string.h>
#include <wchar.h>

#include "ui/text.h"

enum { ROWS = 1000, CELLS = 2048 };

static struct {
  guint8 wide[ROWS]; /* has characters of two columns: what goes over a half of one is left to curses */
  gboolean slow;
} picture;

/* Where text is put, and how it looks. */
typedef struct {
  int row, column, left; /* columns */
  attr_t attributes;
  int pair;
} Place;

void
ui_screen_cells_begin(void)
{
  memset(picture.wide, 0, sizeof picture.wide);
}

void
ui_screen_cells_be_slow(gboolean slow)
{
  picture.slow = slow;
}

/* The C library and the gate may know different editions of Unicode. Where curses would not give a character the
 * columns that we counted, marks that it does know stand in, so that columns hold. */
static gsize
append_cell(wchar_t *out, gunichar c, int width)
{
  int known = wcwidth((wchar_t)c);

  if (known == width) {
    out[0] = (wchar_t)c;
    return 1;
  }
  if (width == 0)
    return 0;
  out[0] = ui_text_is_utf8() ? 0xfffd : '?';
  out[1] = ' ';
  return (gsize)width;
}

/* May ASCII go there as it is? */
static gboolean
is_quick(const Place *place)
{
  return !picture.slow && place->row < ROWS && !picture.wide[place->row];
}

/* How many of @text do: all but the last before something else, which may be a mark that sits on it. */
static int
plain_run(const Place *place, const char *text)
{
  if (!is_quick(place))
    return 0;
  int n = (int)ui_text_plain_run(text, (gsize)CLAMP(place->left, 0, CELLS));
  return n && text[n] & 0x80 ? n - 1 : n;
}

static chtype
styled(const Place *place, char c)
{
  return (chtype)(guchar)c | place->attributes | (chtype)COLOR_PAIR(place->pair);
}

static const char *
put_plain(Place *place, const char *text, int n)
{
  chtype cells[CELLS];

  for (int i = 0; i < n; i++)
    cells[i] = styled(place, text[i]);
  mvaddchnstr(place->row, place->column, cells, n);
  place->column += n;
  place->left -= n;
  return text + n;
}

/* Up to the next ASCII that can go in a run. NULL: no more fits. */
static const char *
put_others(Place *place, const char *text)
{
  wchar_t cells[CELLS];
  gsize n = 0;
  int used = 0;
  const char *p = text;
  gboolean full = FALSE, quick = is_quick(place);

  for (; *p; p = g_utf8_next_char(p)) {
    if (quick && p > text && ui_text_plain_run(p, 2) == 2)
      break;
    gunichar c = g_utf8_get_char(p);
    int w = ui_text_char_width(c);
    full = used + w > place->left || n + 3 >= G_N_ELEMENTS(cells);
    if (full)
      break;
    n += append_cell(cells + n, c, w);
    used += w;
    quick = quick && w < 2;
    if (w == 2 && place->row < ROWS)
      picture.wide[place->row] = TRUE;
  }
  attr_set(place->attributes, (short)place->pair, NULL);
  if (n)
    mvaddnwstr(place->row, place->column, cells, (int)n);
  attr_set(A_NORMAL, 0, NULL);
  place->column += used;
  place->left -= used;
  return full ? NULL : p;
}

int
ui_screen_cells_put(int row, int column, int width, guint attributes, int pair, const char *text, gboolean fill)
{
  if (row < 0 || row >= LINES || column < 0 || column >= COLS)
    return 0;
  width = MIN(width, COLS - column);
  Place place = { row, column, width, attributes, pair };
  while (text && *text) {
    int plain = plain_run(&place, text);
    text = plain ? put_plain(&place, text, plain) : put_others(&place, text);
  }
  int used = width - place.left;
  if (fill && place.left > 0)
    mvhline(row, place.column, styled(&place, ' '), place.left);
  return used;
}
