#ifndef ML_NEAREST_H
#define ML_NEAREST_H

#include <glib.h>

/* The word of @words (NULL-terminated) that @word was most likely meant to be, for "did you mean": NULL where
 * none is within a third of its letters. Borrowed from @words. Any thread. */
const char *ml_nearest(const char *word, const char *const *words);

#endif
