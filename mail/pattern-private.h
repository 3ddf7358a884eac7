#ifndef ML_PATTERN_PRIVATE_H
#define ML_PATTERN_PRIVATE_H

#include <glib.h>

/* Both ends belong to it. */
typedef struct {
  gint64 low, high;
} MlPatternRange;

/* The arguments of ~d and ~z. NULL, or why it is none (static). */
const char *ml_pattern_dates(const char *word, gint64 now, MlPatternRange *range);
const char *ml_pattern_sizes(const char *word, MlPatternRange *range);

#endif
