#include "mail/nearest.h"

#include <string.h>

enum { LONGEST = 64 }; /* octets of a word worth comparing */

/* Levenshtein's distance, one row at a time. */
static guint
distance(const char *a, const char *b)
{
  guint row[LONGEST + 1];
  gsize la = strlen(a), lb = strlen(b);

  if (la > LONGEST || lb > LONGEST)
    return LONGEST;
  for (guint j = 0; j <= lb; j++)
    row[j] = j;
  for (guint i = 1; i <= la; i++) {
    guint corner = row[0];
    row[0] = i;
    for (guint j = 1; j <= lb; j++) {
      guint above = row[j];
      guint change = corner + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));
      row[j] = MIN(MIN(row[j] + 1, row[j - 1] + 1), change);
      corner = above;
    }
  }
  return row[lb];
}

const char *
ml_nearest(const char *word, const char *const *words)
{
  const char *best = NULL;
  guint least = (guint)strlen(word) / 3 + 1;

  for (; *words; words++) {
    guint d = distance(word, *words);
    if (d < least || (d == least && !best)) {
      least = d;
      best = *words;
    }
  }
  return best;
}
