#ifndef ML_WORDS_H
#define ML_WORDS_H

#include <glib.h>

/* Text as a search sees it: words, folded so that case, accents and widths do not count. What is written without
 * spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) comes as pairs of neighbouring characters, and the last
 * of a run alone: a word of such a script is then a phrase of pairs, and a single character is the beginning of a pair.
 * Pure; any thread. doc/search.md says why. */
enum { ML_WORD_LENGTH = 64 }; /* octets of a word that count */

typedef struct {
  const char *word; /* folded; borrowed until the call returns */
  guint length;
  gsize start, end; /* where it stands in the text, in octets */
  gboolean last;    /* the last character of a run of two or more, alone: no word of its own */
} MlWord;
/* FALSE: enough. */
typedef gboolean (*MlWordFunc)(const MlWord *word, gpointer user_data);
/* @text: valid UTF-8, or what is wrong in it ends words. FALSE: @func ended it. */
gboolean ml_words_each(const char *text, gsize length, MlWordFunc func, gpointer user_data);

#endif
