#ifndef UI_APP_PRIVATE_H
#define UI_APP_PRIVATE_H

/* What the files of the screen share. UI thread only, but where a line says otherwise. */
#include "crypto/job.h"
#include "mail/draft.h"
#include "mail/pattern.h"
#include "mail/people.h"
#include "mail/thread.h"
#include "mail/worker.h"
#include "ui/app.h"
#include "ui/items.h"
#include "ui/keys.h"
#include "ui/lines.h"
#include "ui/order.h"
#include "ui/pager.h"
#include "ui/prompt.h"
#include "ui/screen.h"
#include "ui/sorter.h"
#include "ui/subjects.h"
#include "ui/text.h"

typedef struct UiView UiView;
typedef struct UiBox UiBox;
typedef struct UiOrderRun UiOrderRun; /* ui/order-run.c */
typedef struct UiReader UiReader;
typedef struct UiComposer UiComposer;
typedef struct UiVerdicts UiVerdicts; /* ui/verdicts.c */
typedef struct UiAhead UiAhead; /* ui/ahead.c */
typedef struct UiHits UiHits;       /* ui/hits-private.h */
typedef struct MlOpenedText MlOpenedText; /* mail/opened.h */

/* A view is a table of functions and its own state behind this head; the topmost is on the screen. */
typedef struct {
  UiContext context;
  const char *name; /* "the message list": for the help */
  /* Draws into rows 0 to @rows - 1; the bottom lines are the app's. */
  void (*draw)(UiApp *app, UiView *view, int rows, int columns);
  gboolean (*move)(UiApp *app, UiView *view, UiMove move); /* FALSE: there was no further to go */
  /* @limit for lists of messages, @folded for text. */
  gboolean (*search)(UiApp *app, UiView *view, const char *pattern, gboolean backwards);
  void (*hint)(UiApp *app, UiView *view, GString *hint); /* keys for the hint line */
  void (*free)(UiApp *app, UiView *view);
} UiViewType;
struct UiView {
  const UiViewType *type;
};

typedef struct {
  UiApp *app;
  const MlAccount *account;
  MlDriverHooks hooks;
  char *store_dir, *pending_dir;
  MlWorker *worker;
  guint waiting, failed; /* changes that wait for the server, and those that it refused */
  gboolean left_waiting; /* the command that has just ended was a change, and waits */
  MlState state;
  char *why;          /* it is offline; NULL */
  GHashTable *told;   /* set of reasons that were said since it was last online */
  GPtrArray *folders; /* of MlFolder; NULL: not known yet */
  gboolean folders_kept; /* they are those of the store: to be asked for when there is a line */
  char *last;         /* the folder that was open last in it; NULL: none was */
} UiAccount;

/* Something that runs elsewhere: a worker's command, or a job. Shown when it takes longer than half a second;
 * Esc cancels it. */
typedef struct UiOp UiOp;
struct UiOp {
  UiAccount *account; /* of a command; NULL: a job */
  guint64 id;
  GCancellable *cancellable; /* of a job */
  char *what;                /* "Fetching the message" */
  gboolean silent;           /* not shown: it goes on for long, or nobody waits for it */
  gboolean unseen;           /* its end changes nothing on the screen */
  gint64 started;
  guint64 done, total;
  void (*event)(UiApp *app, MlEvent *event, gpointer data);         /* may be NULL; steals what it wants */
  void (*finished)(UiApp *app, const GError *error, gpointer data); /* may be NULL: errors are shown */
  gpointer data;
};

typedef struct {
  gint64 when;
  UiStyle style;
  char *text;
} UiLogLine;

struct UiApp {
  UiCli *cli;
  const MlConfig *config;
  struct MlLists *lists; /* fetches revocation lists; NULL: nobody does */
  GMainLoop *loop;
  UiPrompts *prompts;
  GPtrArray *accounts; /* of UiAccount */
  UiBox *box;          /* the open folder, or that of the message under the cursor where hits is; NULL: none */
  UiHits *hits;        /* what a saved search found, in place of the open folder; NULL */
  UiSubjects *subjects; /* of messages that were read */
  struct UiLooks *looks; /* ui/look.c; NULL */
  gpointer look_ask;     /* ui/look-ask.c; NULL */
  MlThreadEdits *thread_edits; /* opened when it is asked for: ui_thread_edits() */
  GThreadPool *deciding; /* ui/actions-thread.c: writes them down; NULL: nothing was decided yet */
  UiOrder order;        /* of the folders that are opened */
  GPtrArray *views;    /* of UiView, the topmost last */
  GPtrArray *ops;      /* of UiOp */
  GPtrArray *log;      /* of UiLogLine, the oldest first */
  char *status;        /* of the bottom line; NULL */
  UiStyle status_style;
  char *on_reader; /* what the person has to do at a card reader now, until that job ends; NULL */
  /* Hears of what is typed into the question on the screen, after each key, until it is answered; NULL. */
  void (*typing)(UiApp *app, const char *text);
  char *search; /* the last pattern */
  gboolean search_backwards;
  char *before; /* the folder that was left last, as ui_account_split() takes it; NULL: none */
  gboolean dirty, ending, apply_to_tagged;
  gboolean listing_drafts; /* m or R looks for drafts, and is about to ask or to show them */
  int key; /* that is being handled */
  guint64 keys; /* pressed so far */
  gint64 held_until; /* monotonic; 0: not held (ui_app_hold()) */
  const UiView *drawn; /* the view that is on the screen; only to compare */
  guint mend_source, keys_source, draw_source, near_source, tick_source, rest_source, logout_source, notice_source;
  gint64 last_touch; /* a key, or a PIN that was given: ui/idle.c */
  int exit_code;
  char *fatal; /* why it ends, to be said when the screen is gone; NULL */
  gpointer secrets;    /* ui/ask.c */
  gpointer forget_monitor; /* ui/cards.c */
  GPtrArray *composers; /* of UiComposer: messages that are being written */
  GHashTable *draft_titles; /* id of an encrypted draft that was open here -> its subject, until ^F; NULL */
  gpointer outbox;      /* ui/outbox.c */
  gpointer addresses;   /* ui/addresses.c */
  gpointer directories; /* ui/directory.c */
  gpointer finder;      /* ui/finder.c */
  gpointer opened;      /* ui/finder-opened.c */
  guint forgets;        /* how often keys were forgotten: what was begun before brings nothing back */
  gpointer goal;        /* ui/finds.c: the message to be opened when its folder is there; NULL */
  GPtrArray *askings;   /* of UiAsking: servers that are asked for words, and those that were told to stop; NULL */
  gboolean end_with_composer; /* `signet compose`: there is nothing else to do here */
  char *notice; /* in the status line while nothing else is said; through the gate; NULL */
  GPtrArray *outlived; /* of char *: strings of the configuration that other threads may still read; NULL */
  GPtrArray *last_words; /* of char *: what went wrong at the very end, for after the screen; NULL */
  UiVerdicts *verdicts; /* NULL: the screen has just begun */
  UiAhead *ahead;       /* the same */
  MlPeople *people[CRYPTO_JOB_THREADS]; /* by CryptoJobThread: each touched on that thread alone */
};

/* draw.c */
void ui_app_draw(UiApp *app);
void ui_app_dirty(UiApp *app); /* draws in the next turn of the loop */
/* What a key has changed is drawn before anything else is heard of: of a long list that is read each turn brings more. */
void ui_app_draw_now(UiApp *app);
/* What a key asked for is there in a moment: until ui_app_release(), the next key or 12 ms nothing is drawn, so that it is
 * drawn once, and the screen is not empty in between. */
void ui_app_hold(UiApp *app);
void ui_app_release(UiApp *app);

/* app.c */
void ui_app_drawn(UiApp *app);
void ui_app_say(UiApp *app, const char *format, ...) G_GNUC_PRINTF(2, 3); /* status line; through the gate */
void ui_app_complain(UiApp *app, const char *format, ...) G_GNUC_PRINTF(2, 3); /* and in the log */
/* Keys thread: "Enter WHAT of "TOKEN" on the reader." stands for as long as the job runs. */
void ui_app_on_reader(UiApp *app, const char *what, const char *token);
void ui_app_error(UiApp *app, const GError *error);                            /* silent for CANCELLED */
void ui_app_note(UiApp *app, UiStyle style, const char *format, ...) G_GNUC_PRINTF(3, 4); /* log alone */
void ui_app_push(UiApp *app, UiView *view);                                               /* takes it */
void ui_app_pop(UiApp *app);
void ui_app_pop_to(UiApp *app, UiContext context); /* until such a view is on top */
void ui_app_pop_to_alone(UiApp *app, UiContext context); /* and what lies between it and the list of messages goes */
UiView *ui_app_top(UiApp *app);
UiView *ui_app_view(UiApp *app, UiContext context); /* the topmost of this kind; NULL: none */
void ui_app_end(UiApp *app);
void ui_app_tick(UiApp *app);                       /* the clock runs while something does */
void ui_app_key(UiApp *app, int key);               /* it was pressed */
void ui_app_watch_keys(UiApp *app, gboolean watch); /* FALSE while another program has the terminal */
MlPeople *ui_app_people(UiApp *app, CryptoJobThread thread); /* on that thread only; NULL: cannot be opened */
MlPeople *ui_app_people_if_any(UiApp *app, CryptoJobThread thread); /* for who only looks: none is made */

/* ops.c */
UiOp *
ui_ops_command(UiApp *app, UiAccount *account, guint64 id, const char *what); /* borrowed, to set the rest */
UiOp *ui_ops_find(UiApp *app, const UiAccount *account, guint64 id);
void ui_ops_end(UiApp *app, UiOp *op, const GError *error);
void ui_ops_free(UiOp *op);
void ui_ops_forget(UiApp *app, gpointer data); /* cancels what has this data; its functions run no more */
gboolean ui_ops_cancel(UiApp *app);            /* all that is shown; FALSE: there was nothing */
gboolean ui_ops_any_shown(const UiApp *app); /* is anything running that is told? */
char *ui_ops_words(UiApp *app); /* what has run for half a second; NULL: nothing. Transfer full */
/* @run on a crypto thread, then @done in the UI thread, once: @data is freed by @done. */
typedef void (*UiJobDone)(UiApp *app, gboolean cancelled, gpointer data);
GCancellable *ui_ops_job(UiApp *app, CryptoJobThread thread, const char *what, CryptoJobFunc run,
                         UiJobDone done, gpointer data); /* borrowed until @done */
void ui_ops_job_silent(UiApp *app, CryptoJobThread thread, CryptoJobFunc run, UiJobDone done,
                       gpointer data); /* nobody waits for it: not shown, and Esc leaves it alone */
/* The same, and it comes again and again: nothing is drawn for it, unless @done finds something to draw. */
void ui_ops_job_unseen(UiApp *app, CryptoJobThread thread, CryptoJobFunc run, UiJobDone done, gpointer data);

/* account.c */
void ui_account_start(UiApp *app, const MlAccount *account);
void ui_account_free(UiAccount *account);
UiAccount *ui_account_find(UiApp *app, const char *name);
/* Of the message under the cursor, or of the folder in which there is none; the first where none is open. NULL: there is none. */
UiAccount *ui_account_in_use(const UiApp *app);
const MlFolder *ui_account_folder(const UiAccount *account, const char *name); /* NULL: not known */
const char *ui_account_special(const UiAccount *account, MlFolderRole role);   /* its name; NULL: none */
/* "account/folder", or a folder of the account in use. FALSE: no such account. *folder: transfer full. */
gboolean ui_account_split(UiApp *app, const char *name, UiAccount **account, char **folder);
char *
ui_account_join(UiApp *app, const UiAccount *account, const char *folder); /* for the person; transfer full */
/* The next folder with unread mail after the open one, all accounts in a ring; NULL: none is known. For the person,
 * and as ui_account_split() takes it; transfer full. */
/* Numbers that were kept are of the folder that has this name now; else *error says that it was replaced. */
gboolean ui_account_still(const UiAccount *account, const char *folder, guint32 uidvalidity, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
char *ui_account_next_unread(UiApp *app);
char *ui_account_complete(const char *typed, gpointer app); /* a UiPromptComplete over all folders */

/* window.c: what of the list of messages is on the screen, of the open folder or of what a search has found. Lines are
 * counted from the top of all. */
typedef struct {
  int top, rows; /* the first visible line, and how many */
  int drawn, drawn_above; /* top, as it was drawn last; and so many lines before the end */
  int heading;   /* where a key has moved since: -1 up, 1 down, 0: nowhere */
} UiWindow;
UiWindow *ui_window(const UiApp *app); /* of what is shown; NULL: nothing is */
UiItem *ui_window_item(const UiApp *app, int line, UiBox **box); /* NULL: there is no such line */
int ui_window_cursor(const UiApp *app); /* its line; -1: there is none */
void ui_window_prefetch(UiApp *app, int from, int to); /* what these lines say, from the store in one go a folder */
/* @line is looked at as the @step-th of a search through them: those that come next are read with it, now and then. */
void ui_window_read_on(UiApp *app, int line, int step, gboolean up);
gboolean ui_window_move(UiWindow *window, UiMove move, int n, int *line); /* @n lines in all. FALSE: there was no further to go */
/* Before the @n lines of the list are drawn below a title: reads what will be seen, and has the screen written anew where
 * most of it is other lines. The line at the top. */
int ui_window_draw(UiApp *app, int rows, int n);
void ui_window_drawn(UiApp *app); /* after: the page where heading goes is read once nothing else is to be done */

/* box.c: the open folder */
enum {
  UI_PATTERNS = ML_PATTERN_FLAGS | ML_PATTERN_SCREEN | ML_PATTERN_VERDICT | ML_PATTERN_NUMBERS | ML_PATTERN_HEADER |
                ML_PATTERN_TEXT,
};
struct UiBox {
  guint64 life; /* no other numbering has it: of another folder, or of this one with another UIDVALIDITY. Who keeps numbers of
                 * messages keeps it too: an address comes again, and a folder may be replaced meanwhile */
  UiAccount *account;
  UiSubjects *subjects; /* the app's */
  const MlThreadEdits *edits; /* the app's; NULL: they cannot be read */
  char *folder;
  gboolean loading, read_only, stale; /* stale: the line is down, or the folder could not be read anew */
  guint total;                        /* messages */
  guint32 uidvalidity;
  UiItems *all;
  GPtrArray *shown; /* of UiItem: those within the limit, the bottom line first. NULL: all, as they are. ui_box_row() */
  GHashTable *kept; /* uid -> MlHeader: the text of those whose text is in no store */
  GHashTable *until; /* uid -> Unix seconds: marks that hold no longer than that (ui/verdicts.c) */
  UiLines *lines;         /* what the store says of those that keep no header themselves; NULL: there is none */
  gint64 mended;          /* when it was read again last, since a line was missing there */
  guint mends;            /* how often for what a key asked for, in vain */
  UiOrder order;          /* in which they are shown */
  UiOrderRun *run;        /* works out the one that is wanted; NULL: that is order */
  UiSorter *sorter;       /* what all of them are sorted by, while that is worked out or the list is read; else NULL */
  MlThreads *threads;     /* of all; NULL: not needed yet */
  GArray *threaded;       /* of MlThreaded, as last shown; NULL: in another order */
  GArray *places;         /* where in threaded each of them is (ui/order.c); NULL with it */
  GArray *numbers;        /* dates and sizes of all, while they are the order (ui/order.c); else NULL */
  guint unarranged;       /* messages of all that shown does not know of yet */
  gboolean outdated;      /* shown was to be made anew, and is not yet */
  guint32 newest;         /* greatest number that was ever in all */
  gboolean known;         /* the list was read to its end: what comes unasked into an empty one is new, too */
  int cursor;             /* a row */
  UiWindow window;
  gboolean placed;        /* the person, or the first screenful, has set the cursor */
  gint64 unmoved_since;   /* monotonic: the first screenful set it, and no key was pressed since; 0 */
  gboolean comparing;     /* what is kept was told, and what comes now is what has changed since */
  gboolean to_place;      /* nobody has moved the cursor, and the order that is wanted sets it anew */
  gboolean to_first;      /* Home was pressed while older ones are still on their way: the cursor follows */
  guint32 last_uid;       /* the cursor's last message, to find back to when a limit that nothing fits ends */
  MlPattern *limit;
  char *limit_words;
  gboolean incomplete; /* threads, limit or order were made while lines could not be read */
  gboolean unmarked; /* messages have lost their mark while the list was read */
  gboolean fitted;  /* every item's fits is true, but for what has changed since */
  UiHits *hits;     /* it has some of what was found, and no more; NULL: all of the folder */
};
void ui_box_open(UiApp *app, UiAccount *account, const char *folder);
void ui_box_open_below(UiApp *app, UiAccount *account, const char *folder, UiContext context); /* that view stays */
void ui_box_reload(UiApp *app);
UiBox *ui_box_new(UiApp *app, UiAccount *account, const char *folder); /* with nothing in it */
UiItem *ui_box_add_line(UiBox *box, const MlLine *line); /* what the store has; NULL: it was there */
void ui_box_place_cursor(UiBox *box); /* where it is at first */
gboolean ui_box_told(UiBox *box, guint32 uid, guint flags); /* as the mailbox has them; FALSE: it is not in the list */
void ui_box_free(UiBox *box);
gboolean ui_box_event(UiApp *app, MlEvent *event); /* one that speaks of the open folder */

/* box-rows.c: which of them are shown, and where */
UiItem *ui_box_item(const UiBox *box); /* under the cursor; NULL: none */
UiItem *ui_box_by_uid(const UiBox *box, guint32 uid);
guint ui_box_rows(const UiBox *box);
UiItem *ui_box_row(const UiBox *box, guint at); /* from the bottom line on; @at < rows */
gboolean ui_box_row_of(const UiBox *box, const UiItem *item, guint *at); /* FALSE: it is not shown */
gboolean ui_box_seek(UiBox *box, const UiItem *item); /* puts the cursor there, if it is shown */
guint ui_box_number(const UiBox *box, const UiItem *item); /* as the index shows it */
void ui_box_set_limit(UiBox *box, MlPattern *limit, const char *words); /* takes the limit */
void ui_box_set_order(UiApp *app, UiOrder order); /* of the open folder, and of those that are opened; says so */
/* Shown anew, with the cursor there; NULL: where it is. A long list may stand as it did for the moment, but for what does
 * not fit the limit. */
void ui_box_arrange(UiBox *box, const UiItem *current);
void ui_box_arrange_now(UiBox *box, UiOrder order, const UiItem *current); /* whatever it takes */
gboolean ui_box_is_plain(const UiBox *box);    /* all are shown as they are: shown is NULL */
void ui_box_row_new(UiBox *box, UiItem *item); /* it was added to all just now */
void ui_box_rows_drop(UiBox *box);             /* those that are gone, out of all too */
void ui_box_rows_clear(UiBox *box);            /* before all is emptied, or where the order was set */
const MlHeader *ui_box_kept(const UiBox *box, guint32 uid);  /* NULL: the store has its text */
void ui_box_keep(UiBox *box, guint32 uid, MlHeader *header); /* takes it; NULL: it need not be kept any more */

/* box-text.c: what its messages say */
/* Where an item has no text of its own it is read: ask where it is needed, and not in a loop over all of them, which is
 * ui_box_each(). Never NULL. Borrowed until control goes back to the main loop, or five others were asked for. Its
 * flags are the item's business; uid 0: it is lost. */
const MlHeader *ui_box_header(const UiBox *box, const UiItem *item);
gboolean ui_box_is_lost(const UiBox *box, const UiItem *item); /* it has no text: something else took it out of the store */
/* Every one of all once, with its text, which is borrowed for the call. @func must not change the list. */
/* @needs: ML_PATTERN_HEADER: all of it; ML_PATTERN_NUMBERS: date, received and size, which are read much faster; else none
 * of it has to be there. */
typedef void (*UiBoxEach)(UiBox *box, UiItem *item, const MlHeader *header, gpointer data);
void ui_box_each(UiBox *box, guint needs, UiBoxEach func, gpointer data);
/* The same for those with a number below @below (0: all), until about @most lines were read (0: whatever it takes). Where
 * to go on; 0: that was the last. */
guint32 ui_box_some(UiBox *box, guint needs, guint32 below, guint most, UiBoxEach func, gpointer data);
/* Sets found of every one. FALSE: some could not be read, and are not found. */
gboolean ui_box_find(UiBox *box, const MlPattern *pattern);
guint32 ui_box_find_some(UiBox *box, const MlPattern *pattern, guint32 below, guint most); /* as ui_box_some() */
void ui_box_fit(UiBox *box);                            /* sets fits where it is due */
void ui_box_fit_one(UiBox *box, UiItem *item, const MlHeader *header); /* NULL: it is due for all, where text or numbers count */
gboolean ui_box_within(gpointer item, gpointer box);    /* the limit; an MlThreadFilter */
guint ui_box_fitting(const UiBox *box); /* how many are within it, also where not all of them are shown yet */
void ui_box_mend(UiApp *app);                           /* after drawing: reads the list again if lines were missing */
UiPlace ui_box_place(const UiBox *box, const UiItem *item);
/* FALSE where @header (as ui_box_header() tells it, or NULL) does not say what the pattern asks for. */
gboolean ui_box_matches(const UiBox *box, const UiItem *item, const MlHeader *header, const MlPattern *pattern);
MlPatternFacts ui_box_facts(const UiBox *box, const UiItem *item); /* borrowed as long */
MlPatternFacts ui_box_facts_of(const UiBox *box, const UiItem *item, const MlHeader *header); /* NULL: nothing of it is needed */
/* The protected Subject where the message was read, else the one that came with the list. Borrowed; untrusted text. */
const char *ui_box_subject(const UiBox *box, const UiItem *item);
const char *ui_box_read_subject(const UiBox *box, const UiItem *item); /* the protected one alone; NULL: none is known */
void ui_box_note(UiBox *box, const UiItem *item, const MlMessage *message); /* it was read */
void ui_box_forget_hidden(UiApp *app); /* keys were forgotten: rows say again what came with the list */
guint ui_box_count(const UiBox *box, gboolean deleted);    /* pending deletions, or unread ones */
GPtrArray *ui_box_chosen(UiApp *app); /* the tagged after `;`, else the one under the cursor */
void ui_box_set_flags(UiApp *app, GPtrArray *items, guint add, guint remove);
guint ui_box_forget(UiBox *box, const GArray *uids); /* takes them out of the list */

/* hits.c: what a saved search found, in the list of messages */
void ui_hits_open(UiApp *app, const MlSaved *saved);
void ui_hits_close(UiApp *app, UiContext context); /* shows the open folder again, below that view */
void ui_hits_free(UiApp *app);  /* the same without a screen */
void ui_hits_again(UiApp *app); /* searches once more */
void ui_hits_news(UiApp *app, const UiAccount *account); /* its lists or its index have changed */
void ui_hits_event(UiApp *app, const UiAccount *account, const MlEvent *event);
void ui_hits_dropped(UiHits *found, const UiBox *box, const GArray *uids); /* they are gone, and about to be freed */
/* Subjects say something else than when they were held against the limit. @now: it is not to wait for the next search. */
void ui_hits_reworded(UiHits *found, gboolean now);
gboolean ui_hits_has(const UiApp *app, const UiBox *box);
UiBox *ui_app_folder(const UiApp *app); /* the open folder, whatever is shown; NULL: none */
UiBox *ui_app_box(const UiApp *app, guint64 life); /* that is one of ours still; NULL */
gboolean ui_app_in_box(const UiApp *app, guint64 life); /* the folder of the key that is pressed now has these numbers */
void ui_box_new_life(UiBox *box); /* its numbers mean others from here on */
void ui_app_each_box(UiApp *app, void (*func)(UiBox *box, gpointer data), gpointer data);
char *ui_hits_place(UiApp *app, const UiItem *item); /* where the message that is read lies; transfer full */
/* hits-act.c: what the keys of the list do there. */
/* While it is being found out which messages fit a pattern, a key that acts on what comes of it waits for that: TRUE. It
 * is handed to ui_app_key() then, with those behind it. Esc stops both. */
gboolean ui_hits_wait(UiApp *app, int key);
gboolean ui_hits_key(UiApp *app, const UiBinding *binding); /* TRUE: that was all */
UiItem *ui_hits_step(UiApp *app, gboolean down, gboolean deleted_too); /* goes there; NULL: there is none */
guint ui_hits_pending(UiApp *app, guint *for_good); /* deletions that are marked; of them those not for the trash */
void ui_hits_sync(UiApp *app); /* carries them out */

/* look.c */
/* Parses @words as a pattern of the open folder and calls @then, at once or once the messages were looked into where the
 * pattern wants that: not at all if that is cancelled, another folder is opened, or the words are no pattern, which is
 * said. One at a time. @all: of all messages, else of those that are shown. @pattern is borrowed for the call. */
typedef void (*UiLooked)(UiApp *app, MlPattern *pattern, gpointer data);
void ui_look(UiApp *app, const char *words, gboolean all, UiLooked then, gpointer data, GDestroyNotify free_data);
void ui_look_free(UiApp *app); /* when no job runs any more */
/* look-ask.c: what a limit has not found out, since the messages are not here, a server can be asked for (ui_action_ask).
 * How many these are; 0 where there is no such limit. */
guint ui_look_askable(UiApp *app);
void ui_look_ask_free(UiApp *app);

/* actions-thread.c */
MlThreadEdits *ui_thread_edits(UiApp *app); /* as they are on the disk now; NULL: they cannot be read (said once) */

void ui_thread_edits_stop(UiApp *app); /* once all that was decided is on the disk */

/* ahead.c: what is likely to be read next is made ready */
void ui_ahead_start(UiApp *app);
void ui_ahead_stop(UiApp *app); /* before jobs stop */
void ui_ahead_drawn(UiApp *app); /* the list: soon, if the cursor rests where it is */
void ui_ahead_now(UiApp *app);   /* the messages at the cursor */
void ui_ahead_came(UiApp *app, const UiAccount *account, const char *folder, guint32 uid); /* what was fetched ahead */

/* verdicts.c: marks in the list, judged behind the screen */
void ui_verdicts_start(UiApp *app);
void ui_verdicts_stop(UiApp *app); /* before jobs stop */
void ui_verdicts_free(UiApp *app); /* after them */
void ui_verdicts_folder(UiApp *app); /* another one is open, or its numbers are new */
void ui_verdicts_kick(UiApp *app);   /* there may be more to judge */
void ui_verdicts_more(UiApp *app);   /* new messages are there */
void ui_verdicts_drawn(UiApp *app);  /* the list */
void ui_verdicts_forget_opened(UiApp *app); /* keys were forgotten: so are marks of what they opened */
typedef struct {
  char words[4]; /* "": none */
  UiStyle style;
  MlPatternVerdict verdict;
} UiMark;
const UiMark *ui_verdicts_mark(const UiItem *item); /* once judged; else it says nothing. Borrowed */
void ui_verdicts_forget_item(UiBox *box, UiItem *item); /* its line says something else now */
/* @message, which was read, is @item's. @standing: ml_message_standing() before it was judged; @until: ml_message_until()
 * as it was judged; @words: its mark. */
void ui_verdicts_read(UiApp *app, UiItem *item, const MlMessage *message, const char *standing, gint64 until,
                      const char *words);

/* order.c */
void ui_order_show(UiBox *box); /* fills shown from all */
void ui_order_sort_by(const UiBox *box, UiSorter *sorter, UiOrderBy by, const UiItem *item, const MlHeader *header);
void ui_order_forget_threads(UiBox *box); /* as they are shown: they know items that go */
/* The messages of a thread, from its first; NULL: threads are not shown. Array of UiItem, transfer full. */
GPtrArray *ui_order_thread(const UiBox *box, const UiItem *item);
/* Where it stands in its thread; NULL: threads are not shown, or it is not. Borrowed until the list is arranged. */
const MlThreaded *ui_order_place(const UiBox *box, const UiItem *item);

/* order-run.c: the order of a long list is worked out between keys */
UiOrder ui_order_wanted(const UiBox *box); /* what it is, or will be */
gboolean ui_order_is_quick(const UiBox *box, UiOrder order);
/* FALSE: it is no long list, or what is to be known for that order is known: it is to be done at once. */
gboolean ui_order_begin(UiBox *box, UiOrder order);
void ui_order_now(UiBox *box);  /* before what acts on all that is shown: whatever it takes, where that is outdated */
void ui_order_stop(UiBox *box); /* and forgets what it has; order stays as it is shown */
void ui_order_rest(UiBox *box); /* the list is no longer read: what is kept for that goes */
void ui_order_came(UiBox *box, UiItem *item, const MlHeader *header); /* it was added to all; NULL: its text is in the store */
void ui_order_gone(UiBox *box, const GArray *uids); /* they are about to be dropped */
void ui_order_reworded(UiBox *box); /* something of all says something else now: it is read again */

/* sync.c */
typedef void (*UiThen)(UiApp *app, gpointer data);
/* Asks about deletions. @data is @then's; where that is not called, since Esc was pressed or something went wrong, it goes
 * to @free_data (NULL is fine). */
void ui_sync_pending(UiApp *app, UiThen then, gpointer data, GDestroyNotify free_data);
/* The same where another folder comes: asks about the search's first, closes it down to @context, then the open folder's. */
void ui_sync_leave(UiApp *app, UiContext context, UiThen then, gpointer data, GDestroyNotify free_data);
gboolean ui_sync_for_good(const UiBox *box); /* what is deleted in it goes to no trash */
/* What `$` does; @then only if all went well. */
void ui_sync_run(UiApp *app, UiThen then, gpointer data, GDestroyNotify free_data);
void ui_transfer_start(UiApp *app, GPtrArray *items, gboolean copy, UiAccount *to,
                       const char *folder); /* transfer.c: to another account */
void ui_sync_file(UiApp *app, GPtrArray *items, gboolean copy, UiAccount *account, const char *folder);

/* The views */
UiView *ui_index_new(void);
void ui_index_letters(const UiAccount *account, const UiItem *item, char letters[4]);
const char *ui_index_mark(const UiItem *item);
UiStyle ui_index_style(const UiItem *item);
UiView *ui_folders_new(UiApp *app);
UiView *ui_parts_new(UiApp *app, UiReader *reader);
UiView *ui_details_new(UiApp *app, UiReader *reader);
void ui_details_refresh(UiApp *app, UiReader *reader); /* if they are on top of that reader: it was read anew */
UiView *ui_help_new(UiContext context, const char *name, gboolean server); /* server: there is one to ask for words */
/* A hint is keys with two blanks between them. Where they do not all fit, those before the last two (the way back and
 * the help) go, the last of them first. */
void ui_help_fit(GString *hint, int columns);
UiView *ui_log_new(UiApp *app);
void ui_folders_choose(UiApp *app); /* the folder under the cursor */
UiAccount *ui_folders_seek(UiApp *app, int step); /* to the next account's line; NULL: the list is not open */
const MlFolder *ui_folders_current(UiApp *app, UiAccount **account); /* NULL, *account NULL: no folder's line */
const MlSaved *ui_folders_search(UiApp *app); /* the search under the cursor; NULL: it is none */
void ui_details_trust(UiApp *app);
char *ui_details_fingerprint(const char *hex); /* in groups of four; transfer full */
char *ui_details_date(gint64 when);            /* "2026-11-22"; transfer full */
void ui_parts_show(UiApp *app);                /* of the part under the cursor */
void ui_parts_save(UiApp *app);
void ui_parts_pipe(UiApp *app);

/* pane.c: a titled pager */
typedef struct {
  UiView view;
  UiPager pager;
  char *title;
  gpointer data;
  GDestroyNotify free_data;
} UiPane;
UiPane *ui_pane_new(UiContext context, const char *name, const char *title);
gboolean ui_pane_move(UiApp *app, UiView *view, UiMove move);

/* list.c: a titled list with a cursor */
typedef struct UiList UiList;
typedef struct {
  UiStyle style;
  char *text; /* passed the gate */
  char *more; /* up to three lines below it; NULL */
  gpointer data;
} UiListRow;
struct UiList {
  UiView view;
  UiViewType type;
  char *title;
  const char *hint, *empty; /* empty: said where there is no row; NULL */
  char *note;               /* a line below the title, through the gate; NULL */
  char **footer;            /* below the rows; NULL */
  GPtrArray *rows;          /* of UiListRow */
  int cursor, top, height;
  void (*open)(UiApp *app, UiList *list, guint row); /* Enter; may be NULL. May close the list */
  gpointer data;
  GDestroyNotify free_data;
};
UiList *ui_list_new(UiContext context, const char *name, const char *title, const char *hints);
UiListRow *ui_list_add(UiList *list, UiStyle style, const char *format, ...)
    G_GNUC_PRINTF(3, 4); /* through the gate */
void ui_list_more(UiListRow *row, const char *text);
void ui_list_clear(UiList *list);
void ui_list_open(UiApp *app); /* Enter on the list on top */
/* One of the rows that are then added is to be chosen: @chosen gets its number and @data, which is its own from then on.
 * Where nothing is chosen @free_data has it. Borrowed. */
typedef void (*UiListChosen)(UiApp *app, guint row, gpointer data);
UiList *ui_list_choose(UiApp *app, const char *title, UiListChosen chosen, gpointer data, GDestroyNotify free_data);

/* compose*.c, drafts.c, outbox.c: writing mail */
void ui_compose_draft(UiApp *app, UiAccount *account, MlDraft *draft); /* takes it; opens the editor on it */
void ui_compose_open(UiApp *app);                                      /* Enter in the review screen */
void ui_compose_free(UiApp *app);
gboolean ui_compose_leaving(UiApp *app, UiThen then); /* FALSE: @then may run at once; else it is asked first */
void ui_drafts_forget_titles(UiApp *app);             /* what they say lies encrypted */
void ui_drafts_start(UiApp *app);                     /* says what was left unfinished */
void ui_directory_start(UiApp *app);
void ui_directory_stop(UiApp *app); /* waits for its threads; before crypto/ closes */
void ui_addresses_start(UiApp *app);
void ui_addresses_found(UiApp *app, const char *typed); /* directories have answered for it */
void ui_addresses_refresh(UiApp *app); /* mail was read meanwhile */
void ui_addresses_sent(UiApp *app, const MlDraft *draft); /* its recipients rank first from now on */
void ui_addresses_free(UiApp *app);
void ui_outbox_start(UiApp *app);
void ui_outbox_stop(UiApp *app); /* before jobs and workers stop */
void ui_outbox_free(UiApp *app);
char *ui_outbox_words(UiApp *app); /* the countdown; NULL: nothing is about to leave. Transfer full */

/* reader.c */
typedef struct {
  MlMessage *message; /* immutable: jobs that hold this may read it on their thread */
  /* UI thread alone: where parts that stayed on the server are fetched from, and those that were */
  UiAccount *account; /* NULL: all is here */
  char *folder;
  guint32 uid;
  GHashTable *fetched; /* section -> GBytes */
} UiHeld;
UiHeld *ui_held_ref(UiHeld *held); /* UI thread only, both */
void ui_held_unref(UiHeld *held);
struct UiReader {
  UiView view;
  UiPager pager;
  UiBox *box;   /* where the message lies, NULL: inside another. To be looked into only as ui_app_box(life) */
  guint64 life; /* of box */
  UiAccount *account; /* of box; NULL */
  guint32 uid;
  char *title;
  char *message_id;
  GBytes *raw;
  GPtrArray *left; /* of MlLeft: what of it stayed on the server; NULL: nothing */
  gint64 received;
  guint64 size;       /* as the list says; 0: not known */
  MlMessage *message; /* NULL: not read yet; kept by held */
  UiHeld *held;
  char *problem; /* why it cannot be shown; NULL */
  gboolean all_headers, open_errant, can_install;
  gboolean asking;   /* the job waits for the network: any other reading takes its place */
  gboolean asked;    /* the responders of this message were asked, as the configuration says */
  gint64 since;      /* when it was asked for */
  GCancellable *job; /* of the job under way; NULL */
  char *to_note; /* Message-ID of the message that is not noted yet; NULL */
  guint after_source;
  guint seen_source;
};
void ui_reader_open(UiApp *app, UiItem *item); /* in the reader that is there, or a new one */
/* Once its message is drawn: notes who signed it (@message_id NULL: it has none), @ahead: fetches those beside it. */
void ui_reader_after(UiApp *app, UiReader *reader, const char *message_id, gboolean ahead);
void ui_reader_after_now(UiApp *app, UiReader *reader); /* before it goes: what is left of that */
void ui_reader_open_bytes(UiApp *app, GBytes *raw, const char *title);
void ui_reader_read_again(UiApp *app, UiReader *reader, CryptoJobThread thread, gboolean open_errant);
/* Asks the network about its signers (CryptoAskKind bits), and shows what came of it. @by_key: the person wants to hear
 * of it. FALSE: something else is under way. */
gboolean ui_reader_ask(UiApp *app, UiReader *reader, guint kinds, gboolean by_key);
guint ui_online_kinds(const UiApp *app, const MlMessage *message); /* what the configuration lets be asked about it */
void ui_online_news(gpointer app); /* revocation lists came: what is on the screen is judged anew */
void ui_online_tell(UiApp *app, const MlMessage *message, gboolean by_key); /* what came of it */
UiReader *ui_reader_top(UiApp *app); /* the topmost reader; NULL: none */
/* Keys were forgotten: takes what was decrypted off the screen, the index included, with all that was opened from it,
 * and reads those messages again, without asking. */
void ui_reader_shut(UiApp *app);
void ui_reader_lay_out(UiApp *app, UiReader *reader);
char *ui_reader_text_of(const MlMessage *message); /* headers and text for | and p: through the gate; any thread; transfer full */
GPtrArray *ui_reader_links(UiReader *reader); /* of char *, in the order of their numbers; transfer full */

/* install.c, shell.c, ask.c */
void ui_install_start(UiApp *app, UiReader *reader);
typedef void (*UiShellDone)(UiApp *app, int status, gpointer data);
void
ui_shell_pipe(UiApp *app, const char *command, GBytes *input); /* with the terminal, then "press Enter" */
void
ui_shell_feed(UiApp *app, const char *command, GBytes *input, const char *done); /* without it: a printer */
void ui_shell_browse(UiApp *app, const char *url);
/* @done hears of the end, @status as of waitpid(); with the terminal, or in a window of the program's own. FALSE: it
 * was not started, and that was said. */
gboolean ui_shell_edit(UiApp *app, const char *command, gboolean own_window, UiShellDone done, gpointer data);
gpointer ui_ask_new(UiApp *app);
void ui_ask_free(gpointer secrets);
/* What was declined may be asked again. NULL: of all accounts. */
void ui_ask_anew(gpointer secrets, const MlAccount *account);
void ui_ask_hooks(UiApp *app, MlDriverHooks *hooks);
void ui_ask_online(UiApp *app, const MlAccount *account); /* the login worked: a typed password may be kept */

/* idle.c: forgets PINs, by ^F, by `signet token logout`, and after pin-timeout without a key. */
void ui_idle_touch(UiApp *app);     /* a key was pressed */
void ui_idle_forget_secrets(UiApp *app); /* keys were forgotten: what they opened goes from the screen; views may close */
void ui_idle_pin_given(UiApp *app); /* any thread: from now on the clock runs */

/* cards.c: says when one comes or goes, and forgets PINs when `signet token logout` says so. */
void ui_cards_start(UiApp *app); /* the jobs have started */
void ui_cards_stop(UiApp *app);  /* before they end */

/* finder.c: the index of words, kept up in the background; finds.c: the search over all folders */
void ui_finder_start(UiApp *app);
void ui_finder_news(UiApp *app, const UiAccount *account); /* mail came, went, or was read */
/* What an encrypted message says that was read; takes it; NULL is fine. Kept where the account wants it. */
void ui_finder_note(UiApp *app, const UiAccount *account, MlOpenedText *text);
void ui_finder_forget(UiApp *app); /* keys were forgotten */
void ui_finder_free(UiApp *app); /* the jobs have ended; before the accounts go */
void ui_finds_arrived(UiApp *app); /* the open folder's list has grown */
const UiAccount *ui_finds_account(UiApp *app); /* in which is searched; NULL: in none */
void ui_finds_free(UiApp *app);

/* asking.c: servers are asked which messages have some words, each on a line of its own, so that mail is read meanwhile.
 * What is wrong with one folder or one account is said, and the others are asked. Esc stops it. */
typedef struct UiAsking UiAsking;
typedef struct {
  /* A folder was asked: an ML_EVENT_FOUND without an error; borrowed. */
  void (*found)(UiApp *app, UiAccount *account, const MlEvent *event, gpointer data);
  void (*news)(UiApp *app, gpointer data); /* it has come further, or to its end */
  gpointer data;
} UiAskingFuncs;
/* @accounts: of UiAccount, each with a server. @folder: NULL: all. @most: headers of a folder. Borrowed until
 * ui_asking_drop(). */
UiAsking *ui_asking_start(UiApp *app, const GPtrArray *accounts, const char *folder, const MlQuery *query, guint most,
                          const UiAskingFuncs *funcs);
void ui_asking_drop(UiAsking *asking); /* stops it; its functions run no more. NULL is fine */
gboolean ui_asking_is_over(const UiAsking *asking);
char *ui_asking_words(const UiAsking *asking); /* how far it is, or what came of it; transfer full */
void ui_asking_stop(UiApp *app); /* all of them, and waits for their ends */
void ui_asking_free(UiApp *app); /* nobody drops one any more */

/* certs*.c: the certificate screen */
void ui_certs_open(UiApp *app, const char *limit); /* limit: as typed at `l`; NULL: all */

void ui_certs_notice_start(UiApp *app); /* once: what ends soon, in the status line */
void ui_certs_show_current(UiApp *app);
void ui_certs_show_all(UiApp *app);

void ui_tokens_refresh(UiApp *app); /* tokens.c: a card came or went, or PINs were forgotten */

/* keep.c: asks whether a password that was right is to go to the keyring, where there is one. Takes @password. */
void ui_keep_offer(UiApp *app, const char *account, const char *server, char *password);

/* actions*.c: every `run` of the table of keys */
#define UI_ACTIONS(X)                                                                                        \
  X(down)                                                                                                    \
  X(up) X(page_down) X(page_up) X(first) X(last) X(open) X(space) X(back) X(leave) X(help) X(log) X(redraw)  \
      X(cancel) X(search) X(search_next) X(search_previous) X(limit) X(ask) X(jump) X(next_message)                 \
          X(previous_message) X(next_any) X(previous_any) X(delete) X(undelete) X(tag) X(tag_pattern)        \
              X(apply) X(flag) X(toggle_new) X(move) X(copy) X(archive) X(sync) X(folders) X(change_folder)  \
                X(next_account) X(previous_account)                                                          \
                  X(pipe) X(print) X(link) X(details) X(parts) X(install) X(decrypt) X(trust) X(online) X(forget_pins) \
                      X(headers) X(refresh) X(stop) X(save_part) X(pipe_part)                                      \
                      X(compose) X(reply) X(group_reply) X(list_reply) X(forward) X(bounce) X(edit_as_new)   \
                          X(recall) X(outbox) X(unsend) X(edit_from) X(edit_to) X(edit_cc) X(edit_bcc)       \
                              X(edit_reply_to) X(edit_subject) X(edit_text) X(attach) X(detach) X(rename)    \
                                  X(describe) X(retype) X(toggle_sign) X(toggle_encrypt) X(choose_signer)    \
                                      X(send) X(postpone) X(discard) X(missing_remove)                       \
                                          X(missing_remove_all) X(missing_accept) X(missing_directory) X(missing_import)          \
                                              X(missing_apart) X(missing_plain) X(draft_delete)              \
                                                  X(outbox_cancel) X(outbox_retry) \
                                                      X(next_unread) X(delete_pattern) X(undelete_pattern)   \
                                                          X(untag_pattern) X(set_flag) X(clear_flag)         \
                                                              X(address) X(undo) X(search_backwards) X(sort) X(sort_reverse)            \
                          X(fold) X(fold_all) X(tag_thread) X(delete_thread) X(undelete_thread) X(read_thread)         \
                              X(cut_thread) X(link_threads)                                                    \
                                                                  X(find) X(find_ask) X(find_sort) X(find_keep) X(find_decrypt) X(certs) X(certs_next_group)               \
                                                                      X(certs_limit) X(certs_search)         \
                                                                          X(certs_roots) X(certs_refresh)      \
          X(tokens) X(token_login) X(token_logout) X(token_change) X(token_unblock) X(tokens_refresh)           \
          X(certs_import) X(certs_export) X(certs_use) X(certs_request) X(certs_trust) X(certs_delete) X(certs_accept)
GPtrArray *ui_actions_chosen(UiApp *app); /* of UiItem: what a key acts on. It says so where that is nothing */
#define UI_DECLARE(name) void ui_action_##name(UiApp *app);
UI_ACTIONS(UI_DECLARE)

#endif
