#ifndef ML_PATTERN_H
#define ML_PATTERN_H

#include "mail/folder.h"

/* mutt's patterns, as far as signet.1 tells of them: the language of the screen (`l`, `/`, `T`, `D`, `U`, Ctrl-t) and of
 * `signet list --match`. Words are searched for as they stand, whatever the case of their letters; there are no
 * regular expressions, so that no text takes longer than its length. Pure but for the clock; any thread may read a
 * pattern that is not being freed. */
typedef struct MlPattern MlPattern;

/* What a pattern has to be told of a message. */
typedef enum {
  ML_PATTERN_FLAGS = 1 << 0,   /* flags, old, deleted: ~N ~O ~U ~R ~F ~Q ~D */
  ML_PATTERN_SCREEN = 1 << 1,  /* tagged: ~T */
  ML_PATTERN_VERDICT = 1 << 2, /* ~V */
  ML_PATTERN_NUMBERS = 1 << 3, /* hints, date, received, size: ~g ~G ~d ~r ~z */
  ML_PATTERN_HEADER = 1 << 4,  /* header: ~f ~t ~c ~C ~L ~s ~i ~x and words, so that every caller must have it */
  ML_PATTERN_TEXT = 1 << 5,    /* the message itself: ~b ~B ~h ~e */
} MlPatternNeeds;

/* @can: needs that the caller is able to meet; a letter beyond them is refused. @now: Unix seconds, for dates like
 * "<2w"; 0: the clock. FAILED with a sentence that names the place. */
MlPattern *ml_pattern_parse(const char *pattern, guint can, gint64 now, GError **error) G_GNUC_WARN_UNUSED_RESULT;
MlPattern *ml_pattern_ref(MlPattern *pattern); /* no two threads may count */
void ml_pattern_free(MlPattern *pattern);      /* one reference */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlPattern, ml_pattern_free)
guint ml_pattern_needs(const MlPattern *pattern); /* MlPatternNeeds */

typedef enum {
  ML_PATTERN_UNJUDGED,
  ML_PATTERN_NEITHER, /* judged: nothing is signed */
  ML_PATTERN_GOOD,
  ML_PATTERN_WARN,
  ML_PATTERN_BAD,
} MlPatternVerdict;

/* What the message itself was found to answer: bit i for the pattern's i-th ~b ~B ~h ~e. */
typedef struct {
  guint32 known, yes;
} MlPatternSeen;

/* What is not needed may be left out. */
typedef struct {
  const MlHeader *header;   /* for its text alone */
  guint32 uid;              /* for what was learnt; 0: the header's */
  const char *subject;      /* as it is shown; NULL: the header's */
  guint flags, hints;       /* as MlHeader has them; flags with changes on their way */
  gint64 date, received;
  guint64 size;
  gboolean old;             /* unread, but no longer new: "O" in a list of local mail */
  gboolean tagged, deleted; /* deleted: or to be */
  MlPatternVerdict verdict;
  MlPatternSeen seen;       /* where nothing was learnt */
} MlPatternFacts;

MlPatternFacts ml_pattern_facts(const MlHeader *header); /* what it tells; borrows it */

/* OPEN: only the message itself can tell, and facts->seen does not have it. */
typedef enum { ML_PATTERN_NO, ML_PATTERN_YES, ML_PATTERN_OPEN } MlPatternAnswer;
MlPatternAnswer ml_pattern_ask(const MlPattern *pattern, const MlPatternFacts *facts);
gboolean ml_pattern_matches(const MlPattern *pattern, const MlPatternFacts *facts); /* YES */

/* The tests of the message itself, at most 32: for looking, or for asking a server. */
guint ml_pattern_texts(const MlPattern *pattern);
char ml_pattern_text(const MlPattern *pattern, guint at, const char **word); /* its letter; the word as it was typed */
/* @header: its lines, unfolded and decoded; @body: its text. NULL: not known. */
MlPatternSeen ml_pattern_look(const MlPattern *pattern, const char *header, const char *body);
/* Keeps with the pattern what the message with this number (in the only folder that is asked about) was found to say. */
void ml_pattern_learn(MlPattern *pattern, guint32 uid, MlPatternSeen seen);
MlPatternSeen ml_pattern_learnt(const MlPattern *pattern, guint32 uid);
gboolean ml_pattern_has_learnt(const MlPattern *pattern, guint32 uid); /* be it that nothing is known */

/* Does @text hold @needle, whatever the case of the letters? The needle is given by ml_pattern_fold(). */
gboolean ml_pattern_contains(const char *text, const char *needle);
char *ml_pattern_fold(const char *text);

#endif
