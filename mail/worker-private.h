#ifndef ML_WORKER_PRIVATE_H
#define ML_WORKER_PRIVATE_H

#include "mail/driver-private.h"
#include "mail/pending.h"
#include "mail/sync.h"
#include "mail/worker.h"

typedef enum {
  ML_COMMAND_FOLDERS,
  ML_COMMAND_OPEN,
  ML_COMMAND_FETCH,
  ML_COMMAND_FETCH_PART,
  ML_COMMAND_FLAGS,
  ML_COMMAND_COPY,
  ML_COMMAND_MOVE,
  ML_COMMAND_EXPUNGE,
  ML_COMMAND_POLL,
  ML_COMMAND_APPEND,
  ML_COMMAND_REMOVE, /* to: the Message-ID */
  ML_COMMAND_CARRY,  /* entry: what waits for the line, up to this one at least */
  ML_COMMAND_SEARCH, /* query; first: headers of a folder; folder: NULL: all */
} MlCommandKind;

/* Made by the UI thread, then the worker's. */
typedef struct {
  MlCommandKind kind;
  guint64 id;
  char *folder, *to;
  GArray *uids;
  guint32 uid;
  guint add, remove, first;
  char *section;      /* FETCH_PART */
  guint64 size;       /* FETCH_PART, FETCH: 0: whole */
  gboolean counts;
  gboolean ahead;     /* FETCH: only to be kept; nobody waits for it */
  guint32 meant;      /* UIDVALIDITY of the folder as it was seen by whoever gave this; 0: not known */
  GBytes *bytes;      /* APPEND */
  gint64 received;
  gint64 entry;       /* CARRY: of the journal of changes */
  MlQuery *query;     /* SEARCH */
  gboolean failed;    /* CARRY: for good; worker thread only */
  gboolean cancelled; /* under the lock */
  /* worker thread only */
  guint tries;        /* after an interrupt that was not for us */
  gboolean broken;    /* was tried again after the connection broke */
  guint32 validity, lowest; /* OPEN: what was delivered before the connection broke */
  guint delivered;
  gint64 last_progress;
  GPtrArray *folders;       /* SEARCH: of char *, to be asked; NULL: not known yet */
  guint at;                 /* of these: the next one */
} MlCommand;

struct MlWorker {
  const MlAccount *account;
  MlEventFunc func;
  gpointer user_data;
  GMainContext *context;
  GThread *thread;
  MlDriver *driver; /* worker thread only, but for ml_driver_interrupt() under the lock */
  int wake_fd;
  guint64 last_id;  /* UI thread only, both */
  GHashTable *shown; /* folder -> the UIDVALIDITY that the UI was told last */
  MlState shown_state;  /* the UI thread's, as the next three */
  MlPending *journal;   /* where changes are written down; NULL: not opened yet */
  MlStore *names;       /* to look up what they are about; NULL: not opened, or there is none */
  gboolean by_itself;   /* the next change is */
  GThread *writing;     /* writes down a large message; NULL: none is */
  GArray *overlay;      /* of MlStoreShown, what was written down for overlay_folder; NULL: to be asked for */
  char *overlay_folder;
  gint64 overlay_of;    /* ml_pending_version() of it */

  GMutex lock;       /* guards the next eight */
  GQueue queue;      /* of MlCommand, to do */
  MlCommand *running[2]; /* the second overtook the first */
  gboolean stop;
  gboolean changed;  /* something was written down */
  GQueue events;     /* of MlEvent, to be told */
  GQueue spent;      /* of MlEvent, told: to be freed by the worker */
  GSource *again;    /* wakes the worker, since another process is carrying out; NULL */
  GSource *source;   /* attached while events wait */
  GSource *round_timer; /* wakes the worker, since a round is due; NULL */

  /* worker thread only */
  gboolean told_state;
  MlState state;
  GError *offline;      /* why it is offline */
  guint backoff;        /* seconds */
  gint64 next_attempt;  /* monotonic; G_MAXINT64: not by itself */
  char *open;           /* the folder that the UI looks at */
  gboolean left;        /* it, for another one: what changed in it meanwhile is not known */
  char *selected;       /* the one that the driver has open */
  guint32 selected_validity;
  gboolean selected_read_only;
  MlSelected opened;
  guint32 top;          /* greatest number told of the open folder */
  MlStore *store;       /* NULL: none, or not opened yet */
  gboolean store_tried;
  gboolean told_folders; /* the list of folders was told, from it or by the server */
  char *told;           /* the folder that was told from it last, and which one it was */
  guint32 told_validity;
  char *store_said;     /* the last failure of it that was told */
  GArray *lacking;      /* messages of the open folder whose text is wanted here, ascending; NULL: not asked for yet */
  gboolean said_full;   /* that there is no room for more text */
  gboolean keep_over;   /* it is not fetched any more: there is no room, it was refused, or nobody wants it */
  gint64 keep_look;     /* monotonic: when it looks for news meanwhile */
  GPtrArray *round;     /* of char *: the other folders whose text is still to be fetched, the next one last; NULL: no round */
  GArray *round_lacking; /* as lacking, of the next one; NULL: it was not compared yet */
  guint32 round_validity; /* which folder that is of */
  gint64 round_due, asked; /* monotonic: no round before that; when the last command ended */
  MlPending *pending;   /* its own handle to the changes that wait; NULL: there are none yet */
};

/* worker.c: events, taken over by the UI's context; and the state of the line */
MlEvent *ml_worker_event(MlWorker *worker, MlEventKind kind, const MlCommand *command, const char *folder);
void ml_worker_post(MlWorker *worker, MlEvent *event);                            /* takes it */
void ml_worker_post_done(MlWorker *worker, MlCommand *command, GError *error);    /* takes both */
gboolean ml_worker_is_broken(const GError *error);
gboolean ml_worker_needs_user(const GError *error);
void ml_worker_go_offline(MlWorker *worker, const GError *error);
gboolean ml_worker_connect_now(MlWorker *worker, GError **error);
gboolean ml_worker_go_online(MlWorker *worker, const MlCommand *command, GError **error);

/* worker-store.c */
MlStore *ml_worker_store(MlWorker *worker); /* NULL: nothing is kept of this account */
void ml_worker_store_failed(MlWorker *worker, GError *why); /* takes it; says so, once */
void ml_worker_tell_stored(MlWorker *worker, MlCommand *command); /* an OPEN, before there is a line */
void ml_worker_tell_folders(MlWorker *worker, MlCommand *command); /* a FOLDERS, as well */
void ml_worker_keep_folders(MlWorker *worker, const GPtrArray *folders);
gboolean ml_worker_sync_open(MlWorker *worker, GError **error); /* the folder that the UI looks at, anew */
gboolean ml_worker_sync(MlWorker *worker, MlCommand *command, GError **error);
void ml_worker_keep_changes(MlWorker *worker, const MlChanges *changes);
gboolean ml_worker_keep_new(MlWorker *worker, const GPtrArray *headers); /* FALSE: they are not kept */
/* Numbers of a folder under the same name, but of another validity, name other messages: which one is @command about?
 * 0: not known. */
guint32 ml_worker_validity(const MlWorker *worker, const MlCommand *command);
/* A FETCH from what is kept; FALSE: it is not. */
gboolean ml_worker_tell_kept(MlWorker *worker, const MlCommand *command);
void ml_worker_keep_message(MlWorker *worker, const MlCommand *command, gint64 received, GBytes *bytes);
void ml_worker_keep_flags(MlWorker *worker, const MlCommand *command);

/* worker-keep.c */
gboolean ml_worker_keep(MlWorker *worker); /* a piece of what is wanted here; FALSE: nothing is */
void ml_worker_keep_anew(MlWorker *worker); /* the open folder is another one, or has changed */
/* Of the selected folder: messages whose text is wanted here, ascending; NULL: none, or there is no room. */
GArray *ml_worker_keep_lacking(MlWorker *worker);
/* Takes the newest of @lacking from it, and fetches them. *over: no more, since there is no room, or it was refused. */
gboolean ml_worker_keep_piece(MlWorker *worker, GArray *lacking, gboolean *over, GError **error);
/* What is new in the open folder meanwhile is told as it would be by a worker that waits for it. */
gboolean ml_worker_keep_look(MlWorker *worker, GError **error);

/* worker-round.c */
gboolean ml_worker_round(MlWorker *worker); /* a piece of what is wanted of the other folders; FALSE: nothing now */
void ml_worker_round_clear(MlWorker *worker);

/* worker-pending.c: changes, written down on the UI thread and carried out here */
MlCommand *ml_worker_command(MlCommandKind kind, const char *folder, const char *to, GArray *uids);
guint64 ml_worker_give(MlWorker *worker, MlCommand *command); /* takes it */
void ml_worker_wake(MlWorker *worker);
gboolean ml_worker_is_woken(const MlWorker *worker);
guint64 ml_worker_change(MlWorker *worker, MlPendingEntry *entry, GArray *uids); /* UI thread; takes @entry */
void ml_worker_wait_written(MlWorker *worker); /* UI thread: what ml_worker_change() leaves to a thread of its own */
void ml_worker_overlay(MlWorker *worker, MlEvent *event); /* UI thread: what waits is shown as done */
void ml_worker_pending_start(MlWorker *worker); /* UI thread: says what waits from before */
void ml_worker_refresh(MlWorker *worker, const char *folder); /* the store; NULL: all folders */
gboolean ml_worker_refresh_changed(MlWorker *worker); /* after something was written down */
gboolean ml_worker_run_carry(MlWorker *worker, MlCommand *command, GError **error); /* NULL: when there is nothing else */
gboolean ml_worker_may_overtake(MlWorker *worker, const char *folder); /* what waits is flags of this folder alone */
void ml_worker_pending_clear(MlWorker *worker);
gboolean ml_worker_select(MlWorker *worker, const char *folder, MlSelected *selected, GError **error);
void ml_worker_learn(MlWorker *worker, const GError *error);

/* worker-search.c */
gboolean ml_worker_run_search(MlWorker *worker, MlCommand *command, GError **error);

/* worker-command.c: runs one command to its DONE event; takes it */
void ml_worker_run(MlWorker *worker, MlCommand *command);
gboolean ml_worker_run_overtaking(MlWorker *worker, const char *folder); /* between two chunks; FALSE: the line is gone */
gboolean ml_worker_cancelled(MlWorker *worker, MlCommand *command);
gboolean ml_worker_select_open(MlWorker *worker, GError **error); /* the folder that the UI looks at */
gboolean ml_worker_tell_changes(MlWorker *worker, MlChanges *changes, GError **error); /* takes @changes */
void ml_worker_post_changes(MlWorker *worker, MlChanges *changes);                     /* takes @changes */

#endif
