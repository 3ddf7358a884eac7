#include "mail/pattern-private.h"

#include <string.h>

static const char *const date_help = "a date is 1/9/2026, 2026-09-01, 1/9-30/9, <2w, >1m or =0d";
static const char *const day_help = "there is no such day";
static const char *const size_help = "a size is >1M, <10K, 10K-1M or 500-";

/* At most @most digits; FALSE where there is none, or one more. */
static gboolean
take_number(const char **at, guint most, gint64 *number)
{
  guint n = 0;
  for (*number = 0; g_ascii_isdigit(**at) && n < most; n++)
    *number = *number * 10 + (*(*at)++ - '0');
  return n > 0 && !g_ascii_isdigit(**at);
}

/* ---- dates */

/* A day in the person's own time zone, from its first second to its last. */
typedef struct {
  gint64 first, last;
} Day;

static gboolean
day_of(int year, int month, int day, Day *out)
{
  g_autoptr(GDateTime) start = g_date_time_new_local(year, month, day, 0, 0, 0);
  g_autoptr(GDateTime) next = start ? g_date_time_add_days(start, 1) : NULL;
  if (!next)
    return FALSE;
  *out = (Day){ g_date_time_to_unix(start), g_date_time_to_unix(next) - 1 };
  return TRUE;
}

static gboolean
is_iso(const char *at)
{
  static const char shape[] = "0000-00-00";
  for (guint i = 0; shape[i]; i++)
    if (shape[i] == '0' ? !g_ascii_isdigit(at[i]) : at[i] != shape[i])
      return FALSE;
  return !g_ascii_isdigit(at[sizeof shape - 1]);
}

/* 2026-09-01, 20260901, or 1[/9[/[20]26]] as mutt has it: month and year are this month and this year. */
static const char *
take_day(const char **at, GDateTime *today, Day *day)
{
  gint64 a, b = g_date_time_get_month(today), c = g_date_time_get_year(today);
  if (is_iso(*at)) {
    int year = (int)g_ascii_strtoull(*at, NULL, 10), month = (int)g_ascii_strtoull(*at + 5, NULL, 10);
    int number = (int)g_ascii_strtoull(*at + 8, NULL, 10);
    *at += 10;
    return day_of(year, month, number, day) ? NULL : day_help;
  }
  const char *start = *at;
  if (!take_number(at, 8, &a))
    return date_help;
  if (*at - start == 8)
    return day_of((int)(a / 10000), (int)(a / 100 % 100), (int)(a % 100), day) ? NULL : day_help;
  if (*at - start > 2)
    return date_help;
  if (**at == '/') {
    (*at)++;
    if (!take_number(at, 2, &b))
      return date_help;
    if (**at == '/') {
      (*at)++;
      start = *at;
      if (!take_number(at, 4, &c) || *at - start == 3)
        return date_help;
      if (*at - start <= 2)
        c += c < 70 ? 2000 : 1900;
    }
  }
  return day_of((int)c, (int)b, (int)a, day) ? NULL : day_help;
}

/* "2w" away from @from. *to NULL: before or after all time. *exact: hours and less; the rest counts in whole days. */
static gboolean
take_offset(const char **at, GDateTime *from, int sign, GDateTime **to, gboolean *exact)
{
  const char *start = *at;
  gint64 number;
  gboolean taken = take_number(at, 6, &number);
  char unit = taken ? *(*at)++ : 0;
  int n = (int)number * sign;
  *exact = unit == 'H' || unit == 'M' || unit == 'S';
  *to = unit == 'y' && number < 10000 ? g_date_time_add_years(from, n)
        : unit == 'm' && number < 120000 ? g_date_time_add_months(from, n)
        : unit == 'w' ? g_date_time_add_weeks(from, n)
        : unit == 'd' ? g_date_time_add_days(from, n)
        : unit == 'H' ? g_date_time_add_hours(from, n)
        : unit == 'M' ? g_date_time_add_minutes(from, n)
        : unit == 'S' ? g_date_time_add_seconds(from, n)
                      : NULL;
  if (taken && unit && strchr("ymwdHMS", unit))
    return TRUE;
  *at = start;
  return FALSE;
}

static Day
day_around(GDateTime *when, gint64 otherwise)
{
  Day day = { otherwise, otherwise };
  if (when)
    day_of(g_date_time_get_year(when), g_date_time_get_month(when), g_date_time_get_day_of_month(when), &day);
  return day;
}

/* "<2w", ">1m", "=3d": how long ago. */
static const char *
take_age(const char *word, GDateTime *now, MlPatternRange *range)
{
  const char *at = word + 1;
  g_autoptr(GDateTime) then = NULL;
  gboolean exact;
  if (!take_offset(&at, now, -1, &then, &exact) || *at)
    return date_help;
  Day day = day_around(then, G_MININT64);
  if (exact && then)
    day = (Day){ g_date_time_to_unix(then), g_date_time_to_unix(then) };
  *range = (MlPatternRange){ *word == '>' ? G_MININT64 : day.first, *word == '<' ? G_MAXINT64 : day.last };
  return NULL;
}

/* "*2w", "+1m", "-3d" behind a day. */
static gboolean
take_margin(const char **at, Day *day)
{
  char sign = **at;
  const char *start = *at;
  gboolean exact;
  (*at)++;
  const char *offset = *at;
  g_autoptr(GDateTime) first = g_date_time_new_from_unix_local(day->first);
  g_autoptr(GDateTime) before = NULL, after = NULL;
  gboolean taken = take_offset(at, first, -1, &before, &exact) && take_offset(&offset, first, 1, &after, &exact);
  if (!taken || exact || offset != *at) {
    *at = start;
    return FALSE;
  }
  if (sign != '+')
    day->first = day_around(before, G_MININT64).first;
  if (sign != '-')
    day->last = day_around(after, G_MAXINT64).last;
  return TRUE;
}

const char *
ml_pattern_dates(const char *word, gint64 now, MlPatternRange *range)
{
  g_autoptr(GDateTime) today = g_date_time_new_from_unix_local(now);
  const char *at = word, *why = NULL;
  Day from = { G_MININT64, G_MAXINT64 }, to;
  gboolean open = *at == '-';
  if (!today)
    return date_help;
  if (*at && strchr("<>=", *at))
    return take_age(word, today, range);
  if (!open && (why = take_day(&at, today, &from)))
    return why;
  while (!open && *at && strchr("*+-", *at) && take_margin(&at, &from))
    ;
  if (*at == '-' && !at[1] && !open) {
    *range = (MlPatternRange){ from.first, G_MAXINT64 };
    return NULL;
  }
  if (*at == '-') {
    at++;
    why = take_day(&at, today, &to);
    if (why || *at)
      return why ? why : date_help;
    *range = open ? (MlPatternRange){ G_MININT64, to.last }
                  : (MlPatternRange){ MIN(from.first, to.first), MAX(from.last, to.last) };
    return NULL;
  }
  *range = (MlPatternRange){ from.first, from.last };
  return *at ? date_help : NULL;
}

/* ---- sizes */

static gboolean
take_size(const char **at, gint64 *size)
{
  if (!take_number(at, 9, size))
    return FALSE;
  int shift = **at == 'K' || **at == 'k' ? 10 : **at == 'M' || **at == 'm' ? 20 : **at == 'G' || **at == 'g' ? 30 : 0;
  *size <<= shift;
  *at += shift > 0;
  return TRUE;
}

const char *
ml_pattern_sizes(const char *word, MlPatternRange *range)
{
  const char *at = word + (*word == '<' || *word == '>');
  gint64 size = 0, other;
  *range = (MlPatternRange){ 0, G_MAXINT64 };
  if (*word == '-' ? FALSE : !take_size(&at, &size))
    return size_help;
  if (*word == '<' || *word == '>') {
    if (*word == '<')
      range->high = size - 1;
    else
      range->low = size + 1;
    return *at ? size_help : NULL;
  }
  range->low = size;
  if (!*at)
    range->high = size;
  else if (*at++ != '-' || (!*at && *word == '-'))
    return size_help;
  else if (*at) {
    if (!take_size(&at, &other) || *at)
      return size_help;
    range->low = MIN(size, other);
    range->high = MAX(size, other);
  }
  return NULL;
}
