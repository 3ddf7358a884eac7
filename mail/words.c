#include "mail/words.h"

#include <string.h>

/* Letters of scripts that put no space between words; Korean, which hangs its particles on them, too. */
static gboolean
is_unspaced(gunichar c)
{
  static const struct {
    gunichar from, to;
  } ranges[] = {
    { 0x0e01, 0x0e4e },   { 0x0e80, 0x0ecf },   { 0x0edc, 0x0eff },   { 0x1000, 0x103f },   { 0x1050, 0x108f },
    { 0x1100, 0x11ff },   { 0x1780, 0x17d3 },   { 0x1950, 0x19df },   { 0x1a20, 0x1a7c },   { 0x3005, 0x3007 },
    { 0x3031, 0x3035 },   { 0x303b, 0x303c },   { 0x3041, 0x30ff },   { 0x3105, 0x318e },   { 0x31a0, 0x31ff },
    { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xa960, 0xa97f },   { 0xaa60, 0xaa7f },   { 0xac00, 0xd7fb },
    { 0xf900, 0xfaff },   { 0xff66, 0xffdc },   { 0x1b000, 0x1b2ff }, { 0x20000, 0x3ffff },
  };
  if (c < ranges[0].from)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(ranges) && c >= ranges[i].from; i++)
    if (c <= ranges[i].to)
      return g_unichar_isalnum(c) || g_unichar_ismark(c);
  return FALSE;
}

/* Accents and vowel points that people leave out when they type; not the vowels of Indian scripts, which are marks too. */
static gboolean
is_accent(gunichar c)
{
  return (c >= 0x300 && c <= 0x36f) || (c >= 0x591 && c <= 0x5c7) || (c >= 0x64b && c <= 0x65f) || c == 0x670 ||
         c == 0x640 || (c >= 0x1ab0 && c <= 0x1aff) || (c >= 0x1dc0 && c <= 0x1dff) || (c >= 0x20d0 && c <= 0x20ff) ||
         (c >= 0xfe20 && c <= 0xfe2f);
}

/* Stands inside a word and is not seen. */
static gboolean
is_invisible(gunichar c)
{
  return c == 0xad || (c >= 0x200b && c <= 0x200d) || c == 0x2060 || c == 0xfeff;
}

static gboolean
is_letter(gunichar c)
{
  return g_unichar_isalnum(c) || g_unichar_ismark(c);
}

/* Letters that Unicode takes for their own and people for an accented one. */
static const char *
plain_letter(gunichar c)
{
  switch (c) {
  case 0xdf:
  case 0x1e9e:
    return "ss";
  case 0xe6:
    return "ae";
  case 0xf0:
  case 0x111:
    return "d";
  case 0xf8:
    return "o";
  case 0xfe:
    return "th";
  case 0x127:
    return "h";
  case 0x131:
    return "i";
  case 0x142:
    return "l";
  case 0x153:
    return "oe";
  case 0x3c2:
    return "\317\203"; /* the final sigma */
  default:
    return NULL;
  }
}

typedef struct {
  MlWordFunc func;
  gpointer user_data;
  char buffer[ML_WORD_LENGTH];
  guint length;
  gboolean full; /* what comes now is left out */
} Words;

static void
add(Words *words, const char *bytes, guint length)
{
  words->full |= words->length + length > sizeof words->buffer;
  if (words->full)
    return;
  memcpy(words->buffer + words->length, bytes, length);
  words->length += length;
}

static void
add_letter(Words *words, gunichar c)
{
  gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
  char bytes[6];
  gsize n = g_unichar_fully_decompose(c, TRUE, parts, G_N_ELEMENTS(parts));
  for (gsize i = 0; i < n; i++) {
    gunichar one = g_unichar_tolower(parts[i]);
    const char *plain = plain_letter(one);
    if (plain)
      add(words, plain, (guint)strlen(plain));
    else if (!is_accent(one) && is_letter(one))
      add(words, bytes, (guint)g_unichar_to_utf8(one, bytes));
  }
}

static gboolean
tell(const Words *words, const char *word, guint length, gsize start, gsize end, gboolean last)
{
  const MlWord one = { word, length, start, end, last };
  return !length || words->func(&one, words->user_data);
}

/* NUL and what is no UTF-8 are separators. */
static gunichar
letter_at(const char *at, const char *end, gsize *width)
{
  guchar c = (guchar)*at;
  *width = 1;
  if (c < 0x80)
    return c ? c : ' ';
  gunichar wide = g_utf8_get_char_validated(at, end - at);
  if (wide == (gunichar)-1 || wide == (gunichar)-2)
    return ' ';
  *width = g_utf8_skip[c];
  return wide;
}

/* From a letter on; returns where the word ends. */
static gsize
spaced_word(Words *words, const char *text, gsize at, gsize length)
{
  words->length = 0;
  words->full = FALSE;
  while (at < length) {
    guchar c = (guchar)text[at];
    if (c < 0x80) {
      if (!g_ascii_isalnum(c))
        break;
      char lower = g_ascii_tolower((char)c);
      add(words, &lower, 1);
      at++;
      continue;
    }
    gsize width;
    gunichar wide = letter_at(text + at, text + length, &width);
    if (!is_invisible(wide) && (!is_letter(wide) || is_unspaced(wide)))
      break;
    if (!is_invisible(wide))
      add_letter(words, wide);
    at += width;
  }
  return at;
}

/* Half-width forms and separate marks are put together where they are, so that what is found can be pointed at. */
static gunichar
compose(const char *text, gsize length, gsize *at)
{
  gsize width;
  gunichar c = letter_at(text + *at, text + length, &width), wide, whole;
  *at += width;
  gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
  if (c >= 0xf900 && g_unichar_fully_decompose(c, TRUE, parts, G_N_ELEMENTS(parts)) == 1)
    c = parts[0];
  while (*at < length) {
    wide = letter_at(text + *at, text + length, &width);
    if (wide == 0xff9e || wide == 0xff9f)
      wide -= 0xff9e - 0x3099;
    if (!is_invisible(wide) && !g_unichar_compose(c, wide, &whole))
      break;
    if (!is_invisible(wide))
      c = whole;
    *at += width;
  }
  return c;
}

static gboolean
unspaced_run(const Words *words, const char *text, gsize *at, gsize length)
{
  char pair[12];
  guint first = 0; /* octets of the character before */
  gsize first_at = *at;
  gboolean more = FALSE;
  for (;;) {
    gsize here = *at, width;
    if (here >= length || !is_unspaced(letter_at(text + here, text + length, &width)))
      return tell(words, pair, first, first_at, here, more);
    gunichar c = compose(text, length, at);
    guint second = (guint)g_unichar_to_utf8(c, pair + first);
    if (first && !tell(words, pair, first + second, first_at, *at, FALSE))
      return FALSE;
    more = first != 0;
    memmove(pair, pair + first, second);
    first = second;
    first_at = here;
  }
}

gboolean
ml_words_each(const char *text, gsize length, MlWordFunc func, gpointer user_data)
{
  Words words = { .func = func, .user_data = user_data };
  for (gsize at = 0; at < length;) {
    gsize width, start = at;
    gunichar c = letter_at(text + at, text + length, &width);
    if (c < 0x80 ? !g_ascii_isalnum((char)c) : !is_letter(c)) {
      at += width;
    } else if (is_unspaced(c)) {
      if (!unspaced_run(&words, text, &at, length))
        return FALSE;
    } else {
      at = spaced_word(&words, text, at, length);
      if (!tell(&words, words.buffer, words.length, start, at, FALSE))
        return FALSE;
    }
  }
  return TRUE;
}
