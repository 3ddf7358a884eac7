#ifndef UI_HITS_PRIVATE_H
#define UI_HITS_PRIVATE_H

#include "mail/saved.h"
#include "ui/app-private.h"

/* What a saved search finds stands in the list of messages, in place of the open folder, newest first. Each message lies
 * in a UiBox of its own folder and UIDVALIDITY; app->box is the one of the message under the cursor, so that whatever a
 * key does is done to the message where it lies. The folder that was open waits below, and hears of its news. */
typedef struct {
  UiBox *box; /* one of boxes */
  UiItem *item;
  gint64 date;
  guint32 judged_as; /* its flags and marks, as they were held against a limit that asks for text as well */
} UiHitsRow;
typedef struct UiHitsAsk UiHitsAsk; /* hits-fit.c */
struct UiHits {
  UiApp *app;
  char *name, *text;
  UiBox *home;      /* the folder that was open; NULL: none was */
  GPtrArray *boxes; /* of UiBox; none is freed before the list is closed */
  GHashTable *left; /* "box uid" of messages that have gone out of the list: told again by their folder alone */
  GArray *all;      /* of UiHitsRow, newest first */
  GArray *shown;    /* of guint: places in all, ascending, of those within the limit. ui_hits_row() */
  GArray *fresh;    /* of UiHitsRow: found, and not among all yet */
  MlPattern *limit;
  char *limit_words;
  UiHitsAsk *ask;   /* which messages fit a pattern is being found out; NULL */
  GArray *waiting;  /* of int: keys that were pressed meanwhile, and act on what comes of it */
  gboolean fit_due; /* there are messages that were not held against the limit yet, and are not shown */
  gboolean refit; /* the limit is new: what is under the cursor has to fit it too */
  int cursor;       /* of shown */
  UiWindow window;
  guint account;    /* of the app's: it is searched just now */
  guint64 again;    /* bit i: account i is to be searched (once more) */
  guint64 prune;    /* bit i: and what is not found by that goes out of the list */
  gboolean placed;  /* a key was pressed since something is shown: the cursor stays on its message */
  gboolean running; /* a piece is under way */
  gboolean complete; /* each account was searched to the end once */
  guint serial, open; /* open: messages that could not be looked into */
  guint source;     /* the next piece; 0 */
};

/* hits.c */
const UiHitsRow *ui_hits_row(const UiHits *found, int at); /* the @at-th that is shown; NULL: there is none */
void ui_hits_settle(UiHits *found, const UiItem *current); /* the lists are made anew, with the cursor there; NULL: where it is */
void ui_hits_go(UiHits *found, int at); /* the cursor, and app->box with it */
UiItem *ui_hits_current(const UiHits *found); /* NULL: none */
/* Does it fit? By its header, which is read now, and its marks: for a few. A pattern that looks into messages is refused
 * when it is parsed. */
gboolean ui_hits_fits(const UiHitsRow *row, const MlPattern *pattern);
gboolean ui_hits_reads(const MlPattern *pattern); /* the lines have to be read for it */
MlPattern *ui_hits_pattern(UiApp *app, const char *words); /* NULL: it is none, which is said */

enum { UI_HITS_FEW = 20 }; /* so many headers are read at once where a key waits */

/* hits-fit.c: sets found of every message as it fits @pattern, then calls @then: at once where no header has to be read,
 * else when they were; not at all if that is cancelled, or another pattern is asked. Keys that act on what comes of it wait:
 * ui_hits_wait(). */
typedef void (*UiHitsAsked)(UiHits *found, MlPattern *pattern, gpointer data);
void ui_hits_ask(UiHits *found, MlPattern *pattern, UiHitsAsked then, gpointer data, GDestroyNotify free_data);
/* The same where it becomes the limit, or is: what changes of a message meanwhile is seen when they are settled. */
void ui_hits_ask_limit(UiHits *found, MlPattern *limit, UiHitsAsked then, gpointer data, GDestroyNotify free_data);
void ui_hits_ask_stop(UiHits *found);
void ui_hits_take_fits(UiHits *found); /* what was found is within the limit */
void ui_hits_refit(UiHits *found); /* holds all against the limit anew */
void ui_hits_fit_row(const UiHits *found, UiHitsRow *row); /* this one, now: its header is read */
/* Those whose flags or marks are others than when they were held against the limit: a few now; else fit_due. */
void ui_hits_fit_changed(UiHits *found);

/* hits-view.c: the list of messages, while something found stands in it */
void ui_hits_draw(UiHits *found, int rows, int columns);
gboolean ui_hits_move(UiHits *found, UiMove move);
gboolean ui_hits_search(UiHits *found, const char *words, gboolean backwards);
void ui_hits_hint(GString *hint);

#endif
