#include "mail/headers-private.h"

#include <string.h>

#include "mail/folder.h"

/* Nearly all mail writes From, Date and Content-Type in one of a few ways. What is written so is read here; whatever differs
 * by an octet is left to GMime, which knows the rest, and takes ten times as long. */

/* Days since 1 January 1970 of the proleptic Gregorian calendar; @year from 1970 on. A year begins in March here, so that the
 * day that is not always there is its last. */
static gint64
days_until(int year, int month, int day)
{
  enum { YEARS = 400, DAYS = 146097, EPOCH = 719468 };
  int from = month > 2 ? year : year - 1, of = from % YEARS;
  int in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return (gint64)(from / YEARS) * DAYS + of * 365 + of / 4 - of / 100 + in_year - EPOCH;
}

static int
days_of(int year, int month)
{
  static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
  gboolean leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month - 1] + (month == 2 && leap);
}

gboolean
ml_unix_time(int year, int month, int day, int hour, int minute, int second, gint64 *when)
{
  if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_of(year, month) || hour < 0 || hour > 23 ||
      minute < 0 || minute > 59 || second < 0 || second > 60)
    return FALSE;
  *when = days_until(year, month, day) * 86400 + hour * 3600 + minute * 60 + MIN(second, 59);
  return TRUE;
}

int
ml_month_of(const char *text)
{
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for (int i = 0; i < 12; i++)
    if (strncmp(text, months + 3 * i, 3) == 0)
      return i + 1;
  return 0;
}

int
ml_two_digits(const char *text)
{
  return g_ascii_isdigit(text[0]) && g_ascii_isdigit(text[1]) ? (text[0] - '0') * 10 + text[1] - '0' : -1;
}

/* ---- From: a@b.example / Name of Somebody <a@b.example> / "Somebody, Name" <a@b.example> */

static gboolean
is_plain(char c)
{
  return g_ascii_isalnum(c) || c == '-' || c == '_';
}

/* Up to @end: words with one dot between each and the next. */
static gboolean
is_dotted(const char *at, const char *end)
{
  gboolean dot = TRUE;
  for (; at < end; at++) {
    if (!is_plain(*at) && (*at != '.' || dot))
      return FALSE;
    dot = *at == '.';
  }
  return !dot;
}

/* GMime tells a domain of xn-- in its own letters. */
static gboolean
is_encoded(const char *domain, const char *end)
{
  for (; end - domain >= 4; domain++)
    if ((domain[0] == 'x' || domain[0] == 'X') && (domain[1] == 'n' || domain[1] == 'N') && domain[2] == '-' && domain[3] == '-')
      return TRUE;
  return FALSE;
}

static gboolean
is_address(const char *at, const char *end)
{
  const char *sign = memchr(at, '@', (gsize)(end - at));
  return sign && is_dotted(at, sign) && is_dotted(sign + 1, end) && !is_encoded(sign + 1, end);
}

/* Words with one blank between each and the next; quoted, commas and dots as well. */
static gboolean
is_name(const char *at, const char *end, gboolean quoted)
{
  gboolean blank = TRUE;
  for (; at < end; at++) {
    if (!is_plain(*at) && (*at != ' ' || blank) && (!quoted || (*at != ',' && *at != '.')))
      return FALSE;
    blank = *at == ' ';
  }
  return !blank;
}

/* "NAME <ADDRESS>" */
static gboolean
split(MlSpan raw, MlSpan *name, MlSpan *address)
{
  const char *end = raw.at + raw.length, *open = memchr(raw.at, '<', raw.length);
  if (!open || open - raw.at < 2 || open[-1] != ' ' || end[-1] != '>' || !is_address(open + 1, end - 1))
    return FALSE;
  *name = (MlSpan){ raw.at, (gsize)(open - 1 - raw.at) };
  *address = (MlSpan){ open + 1, (gsize)(end - open - 2) };
  return TRUE;
}

gboolean
ml_header_quick_from(MlSpan raw, MlSpan *name, MlSpan *address)
{
  if (!split(raw, name, address)) {
    *name = (MlSpan){ NULL, 0 };
    *address = raw;
    return is_address(raw.at, raw.at + raw.length);
  }
  gboolean quoted = name->length > 2 && *name->at == '"' && name->at[name->length - 1] == '"';
  if (quoted)
    *name = (MlSpan){ name->at + 1, name->length - 2 };
  return is_name(name->at, name->at + name->length, quoted);
}

/* =?UTF-8?Q?Andr=C3=A9?= <a@b.example>: one encoded word or several, with one blank between each and the next. */
gboolean
ml_header_quick_encoded(MlSpan raw, MlSpan *name, MlSpan *address)
{
  if (raw.length < 2 || raw.at[0] != '=' || raw.at[1] != '?' || !split(raw, name, address))
    return FALSE;
  const char *word = name->at, *end = word + name->length;
  while (word < end) {
    const char *stop = memchr(word, ' ', (gsize)(end - word));
    stop = stop ? stop : end;
    guint marks = 0;
    for (const char *c = word; c < stop; c++) {
      if (!is_plain(*c) && !strchr("=?+/", *c)) /* NUL is found, and refused below */
        return FALSE;
      marks += *c == '?';
    }
    if (stop - word < 8 || marks != 4 || word[0] != '=' || word[1] != '?' || stop[-2] != '?' || stop[-1] != '=' ||
        memchr(word, '\0', (gsize)(stop - word)))
      return FALSE;
    word = stop + (stop < end);
  }
  return end[-1] != ' ';
}

/* ---- Date: Sun, 13 Sep 2020 12:26:40 +0200 */

gboolean
ml_header_quick_date(const char *raw, gint64 *when)
{
  static const char pattern[] = " Aaa 0000 00:00:00 +0000", days[] = "Sun, Mon, Tue, Wed, Thu, Fri, Sat, ";
  const char *at = raw;
  for (const char *day = days; *day && at == raw; day += 5)
    if (strncmp(raw, day, 5) == 0)
      at += 5;
  int day = ml_two_digits(at);
  if (day < 0 && g_ascii_isdigit(*at))
    day = *at - '0';
  at += day < 0 ? 0 : g_ascii_isdigit(at[1]) ? 2 : 1;
  for (gsize i = 0; i < sizeof pattern; i++)
    if (pattern[i] == '0'   ? !g_ascii_isdigit(at[i])
        : pattern[i] == '+' ? at[i] != '+' && at[i] != '-'
                            : at[i] != pattern[i] && (!g_ascii_isalpha(pattern[i]) || !g_ascii_isalpha(at[i])))
      return FALSE;
  int second = ml_two_digits(at + 16), hours = ml_two_digits(at + 20), minutes = ml_two_digits(at + 22);
  if (second > 59 || hours > 14 || minutes > 59 ||
      !ml_unix_time(ml_two_digits(at + 5) * 100 + ml_two_digits(at + 7), ml_month_of(at + 1), day, ml_two_digits(at + 10),
                    ml_two_digits(at + 13), second, when))
    return FALSE;
  *when -= (at[19] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  return TRUE;
}

/* ---- Content-Type: multipart/mixed; ... */

gboolean
ml_header_quick_hints(const char *raw, guint *hints)
{
  static const char multipart[] = "multipart/";
  static const struct {
    const char *subtype;
    guint hint;
  } known[] = { { "mixed", ML_HINT_ATTACHMENT },    { "signed", ML_HINT_SIGNED }, { "alternative", 0 }, { "related", 0 },
                { "encrypted", ML_HINT_ENCRYPTED }, { "report", 0 } };
  if (g_ascii_strncasecmp(raw, multipart, sizeof multipart - 1) != 0)
    return FALSE;
  const char *subtype = raw + sizeof multipart - 1;
  gsize length = strcspn(subtype, ";");
  for (guint i = 0; i < G_N_ELEMENTS(known); i++)
    if (strlen(known[i].subtype) == length && g_ascii_strncasecmp(subtype, known[i].subtype, length) == 0) {
      *hints = known[i].hint;
      return TRUE;
    }
  return FALSE;
}
