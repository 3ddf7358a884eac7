#include "ui/text.h"

#include <locale.h>
#include <string.h>

#define MARK "\xef\xbf\xbd"

static void
check_line(const char *in, const char *want)
{
  g_autofree char *got = ui_text_line(in);
  g_assert_cmpstr(got, ==, want);
}

static void
test_controls(void)
{
  check_line("a\033[31mred", "a" MARK "[31mred");
  check_line("a\rb\nc\td", "a" MARK "b c d");
  check_line("\x7f", MARK);
  check_line("x\xc2\x9b" "2J", "x" MARK "2J"); /* C1 CSI as UTF-8 */
  check_line("x\x9b" "2J", "x" MARK "2J");     /* and as a bare octet */
  check_line(NULL, "");
}

static void
test_bidi(void)
{
  check_line("exe.\xe2\x80\xaegpj", "exe." MARK "gpj");    /* RLO */
  check_line("a\xe2\x81\xa6" "b", "a" MARK "b");           /* LRI */
  check_line("a\xe2\x80\x8b" "b", "a" MARK "b");           /* zero width space */
  check_line("a\xe2\x80\x8d" "b", "a" MARK "b");           /* joiner after ASCII */
  check_line("\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9", "\xf0\x9f\x91\xa8\xf0\x9f\x91\xa9");
  check_line("a\xe2\x80\xa8" "b", "a" MARK "b");           /* line separator */
  check_line("\xf3\xa0\x81\x81", MARK);                    /* tag character */
}

/* One of each category that has no picture, and each that hides under a category that has. */
static void
test_invisible(void)
{
  static const struct {
    gunichar first, last;
  } hidden[] = {
    { 0x00ad, 0x00ad },   { 0x061c, 0x061c },   { 0x180e, 0x180e },   { 0x200b, 0x200f },   { 0x2028, 0x202e },
    { 0x2060, 0x206f },   { 0xe000, 0xe000 },   { 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },   { 0x1bca0, 0x1bca3 },
    { 0x1d173, 0x1d17a }, { 0xf0000, 0xf0000 }, { 0x034f, 0x034f },   { 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },
    { 0x180b, 0x180f },   { 0x3164, 0x3164 },   { 0xffa0, 0xffa0 },   { 0xfff0, 0xfff8 },   { 0xe0000, 0xe00ff },
    { 0xe01f0, 0xe0fff },
  };

  for (guint i = 0; i < G_N_ELEMENTS(hidden); i++)
    for (gunichar c = hidden[i].first; c <= hidden[i].last; c++) {
      char letter[8] = { 0 };
      g_unichar_to_utf8(c, letter);
      g_autofree char *text = g_strconcat("a", letter, "b", NULL), *got = ui_text_line(text);
      if (strcmp(got, "a" MARK "b") != 0)
        g_error("U+%04X is not marked: %s", c, got);
    }
}

static void
test_marks(void)
{
  g_autoptr(GString) zalgo = g_string_new("a");
  for (int i = 0; i < 100; i++)
    g_string_append(zalgo, "\xcc\x81");
  g_autofree char *got = ui_text_line(zalgo->str);
  g_assert_cmpint(g_utf8_strlen(got, -1), ==, 101);
  g_assert_nonnull(strstr(got, MARK));
  check_line("\xcc\x81x", MARK "x"); /* would sit on whatever stands before */
}

static void
test_lines_keep_their_number(void)
{
  g_autofree char *got = ui_text_lines("one\ntwo\xe2\x80\xa9\x0b\x0c\xc2\x85three\n\tx");
  g_auto(GStrv) lines = g_strsplit(got, "\n", -1);
  g_assert_cmpint(g_strv_length(lines), ==, 3);
  g_assert_cmpstr(lines[2], ==, "        x");
}

static void
test_width(void)
{
  g_assert_cmpint(ui_text_width("abc"), ==, 3);
  g_assert_cmpint(ui_text_width("\xe6\x97\xa5\xe6\x9c\xac"), ==, 4);
  g_assert_cmpint(ui_text_width("e\xcc\x81"), ==, 1);
  g_assert_cmpint(ui_text_width("\xf0\x9f\x98\x80"), ==, 2);
}

static void
test_fit(void)
{
  for (int columns = 0; columns < 12; columns++) {
    g_autofree char *fit = ui_text_fit("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e text", columns);
    g_assert_cmpint(ui_text_width(fit), ==, columns);
  }
  g_autofree char *whole = ui_text_cut("whole", 5);
  g_assert_cmpstr(whole, ==, "whole");
}

/* One character at a time, as it is said. */
static char *
fit_slowly(const char *text, int columns)
{
  GString *out = g_string_new(NULL);
  int whole = 0, used = 0;

  for (const char *p = text; *p; p = g_utf8_next_char(p))
    whole += ui_text_char_width(g_utf8_get_char(p));
  gboolean cut = whole > columns;
  for (const char *p = text; *p; p = g_utf8_next_char(p)) {
    int width = ui_text_char_width(g_utf8_get_char(p));
    if (used + width > columns - cut)
      break;
    g_string_append_unichar(out, g_utf8_get_char(p));
    used += width;
  }
  if (cut)
    g_string_append(out, "\xe2\x80\xa6");
  while (used + cut < columns) {
    g_string_append_c(out, ' ');
    used++;
  }
  return g_string_free(out, FALSE);
}

/* All of ASCII, and what may stand beside it, at every width. */
static void
test_fit_everything(void)
{
  static const char *const beside[] = { "", "\xcc\x81", "\xe6\x97\xa5", "\xc3\xb6", "\xe2\x80\xa6", "\xf0\x9f\x98\x80" };

  for (int c = 0x20; c < 0x7f; c++)
    for (guint i = 0; i < G_N_ELEMENTS(beside); i++)
      for (guint k = 0; k < G_N_ELEMENTS(beside); k++) {
        g_autofree char *raw = g_strdup_printf("%cab%s%c%s%s", c, beside[i], c, beside[k], k % 2 ? "yz" : "");
        g_autofree char *text = ui_text_line(raw);
        g_assert_cmpstr(text, ==, raw);
        for (int columns = 1; columns < 14; columns++) {
          g_autofree char *want = fit_slowly(text, columns), *got = ui_text_fit(text, columns);
          g_autofree char *cut = ui_text_cut(text, columns), *start = g_strndup(got, strlen(cut));
          g_assert_cmpstr(got, ==, want);
          g_assert_cmpstr(start, ==, cut);
          g_assert_cmpint(ui_text_width(got), ==, columns);
        }
      }
}

/* Every character below U+0080 alone, in the midst and at the end: only what is printable passes. */
static void
test_every_ascii(void)
{
  for (int c = 1; c < 0x80; c++) {
    gboolean plain = c >= 0x20 && c < 0x7f;
    const char *safe = plain ? (const char[]){ (char)c, 0 } : c == '\n' || c == '\t' ? " " : MARK;
    g_autofree char *alone = g_strdup_printf("%c", c), *within = g_strdup_printf("ab%ccd", c), *last = g_strdup_printf("ab%c", c);
    g_autofree char *want_within = g_strdup_printf("ab%scd", safe), *want_last = g_strdup_printf("ab%s", safe);
    check_line(alone, safe);
    check_line(within, want_within);
    check_line(last, want_last);
  }
}

static void
test_wrap(void)
{
  g_autoptr(GPtrArray) lines = ui_text_wrap("the quick brown\n\nfox \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 9);
  const char *want[] = { "the quick", "brown", "", "fox", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" };
  g_assert_cmpint(lines->len, ==, G_N_ELEMENTS(want));
  for (guint i = 0; i < lines->len; i++)
    g_assert_cmpstr(lines->pdata[i], ==, want[i]);
  g_autoptr(GPtrArray) narrow = ui_text_wrap("\xe6\x97\xa5\xe6\x9c\xac", 1); /* must end */
  g_assert_cmpint(narrow->len, ==, 2);
}

static void
test_size(void)
{
  static const struct {
    guint64 octets;
    const char *want;
  } cases[] = { { 0, "0" }, { 999, "999" }, { 1000, "1.0k" }, { 12345, "12k" }, { 1300000, "1.2M" },
                { 5000000000, "4.7G" }, { G_MAXUINT64, "16E" } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *got = ui_text_size(cases[i].octets);
    g_assert_cmpstr(got, ==, cases[i].want);
  }
}

static void
test_ascii(void)
{
  ui_text_set_utf8(FALSE);
  check_line("M\xc3\xbcller", "Muller");
  check_line("\xe6\x97\xa5", "?");
  check_line("\xe2\x80\x87" "6\xc2\xa0May", " 6 May");
  g_autofree char *json = ui_text_json("M\xc3\xbcller");
  g_assert_cmpstr(json, ==, "M\xc3\xbcller");
  ui_text_set_utf8(TRUE);
}

/* A zone that changes under a running program is met by the next second's dates. */
static void
test_date_zone(void)
{
  enum { NOON = 1718452800 }; /* 2024-06-15, 12:00 UTC */
  g_autofree char *before = g_strdup(g_getenv("TZ"));

  g_setenv("TZ", "UTC", TRUE);
  g_autofree char *utc = ui_text_date(NOON, NOON + 60, 5);
  g_assert_cmpstr(utc, ==, "12:00");
  g_setenv("TZ", "Asia/Tokyo", TRUE);
  g_autofree char *tokyo = ui_text_date(NOON, NOON + 61, 5);
  g_assert_cmpstr(tokyo, ==, "21:00");
  if (before)
    g_setenv("TZ", before, TRUE);
  else
    g_unsetenv("TZ");
}

int
main(int argc, char **argv)
{
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/text/controls", test_controls);
  g_test_add_func("/text/bidi", test_bidi);
  g_test_add_func("/text/invisible", test_invisible);
  g_test_add_func("/text/marks", test_marks);
  g_test_add_func("/text/lines", test_lines_keep_their_number);
  g_test_add_func("/text/width", test_width);
  g_test_add_func("/text/fit", test_fit);
  g_test_add_func("/text/fit/everything", test_fit_everything);
  g_test_add_func("/text/ascii/every", test_every_ascii);
  g_test_add_func("/text/wrap", test_wrap);
  g_test_add_func("/text/size", test_size);
  g_test_add_func("/text/ascii", test_ascii);
  g_test_add_func("/text/date-zone", test_date_zone);
  return g_test_run();
}
