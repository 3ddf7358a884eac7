#include <curses.h>
#include <locale.h>
#include <string.h>

#include "ui/screen-cells.h"
#include "ui/text.h"

enum { WIDTH = 40, AT = 3 };

/* What stands where text was put, cell for cell, with the row above and below. */
static char *
cells_of(void)
{
  GString *all = g_string_new(NULL);

  for (int row = 0; row < 3; row++)
    for (int column = 0; column < COLS; column++) {
      cchar_t cell;
      wchar_t text[CCHARW_MAX + 1] = { 0 };
      attr_t attributes = 0;
      short pair = 0;
      g_assert_cmpint(mvin_wch(row, column, &cell), ==, OK);
      g_assert_cmpint(getcchar(&cell, text, &attributes, &pair, NULL), ==, OK);
      g_string_append_printf(all, "%x/%d:", (guint)attributes, pair);
      for (int i = 0; text[i]; i++)
        g_string_append_printf(all, "%x ", (guint)text[i]);
    }
  return g_string_free(all, FALSE);
}

typedef struct {
  int column, width;
  const char *text;
  gboolean fill;
} Put;

/* Every text, one over the other, once in runs and once a character at a time. */
static void
compare(const Put *puts, guint n)
{
  char *cells[2];
  int used[2][8];

  g_assert_cmpuint(n, <=, G_N_ELEMENTS(used[0]));
  for (int slow = 0; slow < 2; slow++) {
    erase();
    ui_screen_cells_begin();
    ui_screen_cells_be_slow(slow);
    for (guint i = 0; i < n; i++)
      used[slow][i] = ui_screen_cells_put(1, puts[i].column, puts[i].width, i % 2 ? A_BOLD : A_REVERSE, (int)i % 3,
                                          puts[i].text, puts[i].fill);
    cells[slow] = cells_of();
  }
  g_assert_cmpstr(cells[0], ==, cells[1]);
  for (guint i = 0; i < n; i++)
    g_assert_cmpint(used[0][i], ==, used[1][i]);
  g_free(cells[0]);
  g_free(cells[1]);
}

/* At every width, in the middle and at the right edge, alone and over another text. */
static void
compare_text(const char *text)
{
  static const char *const below[] = { "", "plain text that lies below all of it", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
                                       "e\xcc\x81" "e\xcc\x81" "e\xcc\x81" "e\xcc\x81" "e\xcc\x81" };

  for (int width = 0; width < 12; width++)
    for (guint i = 0; i < G_N_ELEMENTS(below); i++)
      for (int from = AT; from < AT + 2; from++) {
        Put puts[] = { { AT, 30, below[i], TRUE }, { from, width, text, width % 2 }, { COLS - width, width, text, FALSE } };
        compare(puts, G_N_ELEMENTS(puts));
      }
}

static void
test_ascii(void)
{
  for (int c = 1; c < 0x80; c++) {
    const char alone[] = { (char)c, 0 }, within[] = { 'a', 'b', (char)c, 'd', 'e', 0 };
    compare_text(alone);
    compare_text(within);
  }
}

static void
test_marks(void)
{
  static const char *const texts[] = { "e\xcc\x81", "ab\xcc\x81" "cd", "abcdefghij\xcc\x81", "abcdefghij\xcc\x81\xcc\x82",
                                       "\xcc\x81" "abc", "abc\xcc\x81\xe6\x97\xa5\xcc\x81" "def", "a\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85\xcc\x86" "bc" };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    compare_text(texts[i]);
}

static void
test_wide(void)
{
  static const char *const texts[] = { "\xe6\x97\xa5", "a\xe6\x97\xa5" "bcd", "abcdefghi\xe6\x97\xa5" "jkl", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e plain text",
                                       "ab \xf0\x9f\x98\x80 cd ef", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80" };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    compare_text(texts[i]);
}

/* What lists are full of, and what the gate leaves. */
static void
test_lines(void)
{
  static const char *const texts[] = { "Gr\xc3\xb6\xc3\x9f" "e \xe2\x80\x94 zu lang\xe2\x80\xa6  4k", "\xe2\x94\x9c\xe2\x94\x80>Re: plain", "\xef\xbf\xbd[31mred",
                                       "a\xe2\x80\xa6", "\xe2\x80\xa6", "\xe2\x80\xa6 b", "ab\xe2\x80\xa6" "c\xe2\x80\xa6" "de\xe2\x80\xa6", "" };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    compare_text(texts[i]);
}

/* One of everything that passes the gate, between ASCII. */
static void
test_everything(void)
{
  for (gunichar c = 0x80; c < 0x30000; c = c < 0x3000 ? c + 1 : c + 37) {
    char letter[8] = { 0 };
    if (!g_unichar_validate(c))
      continue;
    g_unichar_to_utf8(c, letter);
    g_autofree char *text = g_strconcat("ab", letter, "cdef", NULL), *safe = ui_text_line(text);
    Put puts[] = { { AT, 4, safe, TRUE }, { AT + 6, 20, safe, FALSE }, { COLS - 3, 3, safe, FALSE } };
    compare(puts, G_N_ELEMENTS(puts));
  }
}

/* Blanks that fill are as blanks that are put. */
static void
test_fill(void)
{
  char *cells[2];

  for (int spelled = 0; spelled < 2; spelled++) {
    erase();
    ui_screen_cells_begin();
    ui_screen_cells_be_slow(spelled);
    ui_screen_cells_put(1, AT, 10, A_REVERSE | A_BOLD, 2, spelled ? "abc       " : "abc", TRUE);
    ui_screen_cells_put(2, AT, 10, A_NORMAL, 0, spelled ? "          " : NULL, TRUE);
    cells[spelled] = cells_of();
  }
  g_assert_cmpstr(cells[0], ==, cells[1]);
  g_free(cells[0]);
  g_free(cells[1]);
}

static void
test_outside(void)
{
  static const Put puts[] = { { -1, 9, "abc", TRUE }, { WIDTH, 9, "abc", TRUE }, { 4, -2, "abc", TRUE }, { 4, 9, NULL, TRUE } };
  compare(puts, G_N_ELEMENTS(puts));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  if (!setlocale(LC_ALL, "C.UTF-8"))
    g_error("C.UTF-8 is not installed");
  g_setenv("LINES", "5", TRUE);
  g_setenv("COLUMNS", "40", TRUE);
  FILE *nowhere = fopen("/dev/null", "r+");
  SCREEN *screen = nowhere ? newterm("xterm-256color", nowhere, nowhere) : NULL;
  if (!screen)
    g_error("curses does not start");
  g_assert_cmpint(COLS, ==, WIDTH);
  start_color();
  for (int i = 1; i < 3; i++)
    init_extended_pair(i, i, 0);
  g_test_add_func("/screen/ascii", test_ascii);
  g_test_add_func("/screen/marks", test_marks);
  g_test_add_func("/screen/wide", test_wide);
  g_test_add_func("/screen/lines", test_lines);
  g_test_add_func("/screen/everything", test_everything);
  g_test_add_func("/screen/fill", test_fill);
  g_test_add_func("/screen/outside", test_outside);
  int code = g_test_run();
  endwin();
  delscreen(screen);
  fclose(nowhere);
  return code;
}
