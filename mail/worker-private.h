#ifndef ML_WORKER_PRIVATE_H
#define ML_WORKER_PRIVATE_H

#include "mail/driver-private.h"
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
  GBytes *bytes;      /* APPEND */
  gint64 received;
  gboolean cancelled; /* under the lock */
  /* worker thread only */
  guint tries;        /* after an interrupt that was not for us */
  gboolean broken;    /* was tried again after the connection broke */
  guint32 validity, lowest; /* OPEN: what was delivered before the connection broke */
  guint delivered;
  gint64 last_progress;
} MlCommand;

struct MlWorker {
  const MlAccount *account;
  MlEventFunc func;
  gpointer user_data;
  GMainContext *context;
  GThread *thread;
  MlDriver *driver; /* worker thread only, but for ml_driver_interrupt() under the lock */
  int wake_fd;
  guint64 last_id;  /* UI thread only */

  GMutex lock;       /* guards the next five */
  GQueue queue;      /* of MlCommand, to do */
  MlCommand *running[2]; /* the second overtook the first */
  gboolean stop;
  GQueue events;     /* of MlEvent, to be told */
  GSource *source;   /* attached while events wait */

  /* worker thread only */
  gboolean told_state;
  MlState state;
  GError *offline;      /* why it is offline */
  guint backoff;        /* seconds */
  gint64 next_attempt;  /* monotonic; G_MAXINT64: not by itself */
  char *open;           /* the folder that the UI looks at */
  char *selected;       /* the one that the driver has open */
  MlSelected opened;
  guint32 top;          /* greatest number told of the open folder */
  MlStore *store;       /* NULL: none, or not opened yet */
  gboolean store_tried;
  char *told;           /* the folder that was told from it last, and which one it was */
  guint32 told_validity;
  char *store_said;     /* the last failure of it that was told */
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
gboolean ml_worker_sync(MlWorker *worker, MlCommand *command, GError **error);
void ml_worker_keep_changes(MlWorker *worker, const MlChanges *changes);
void ml_worker_keep_new(MlWorker *worker, const GPtrArray *headers);
/* A FETCH from what is kept; FALSE: it is not. */
gboolean ml_worker_tell_kept(MlWorker *worker, const MlCommand *command);
void ml_worker_keep_message(MlWorker *worker, const MlCommand *command, gint64 received, GBytes *bytes);
void ml_worker_keep_flags(MlWorker *worker, const MlCommand *command);

/* worker-command.c: runs one command to its DONE event; takes it */
void ml_worker_run(MlWorker *worker, MlCommand *command);
gboolean ml_worker_run_overtaking(MlWorker *worker, const char *folder); /* between two chunks; FALSE: the line is gone */
gboolean ml_worker_cancelled(MlWorker *worker, MlCommand *command);
gboolean ml_worker_select_open(MlWorker *worker, GError **error); /* the folder that the UI looks at */
gboolean ml_worker_tell_changes(MlWorker *worker, MlChanges *changes, GError **error); /* takes @changes */
void ml_worker_post_changes(MlWorker *worker, MlChanges *changes);                     /* takes @changes */

#endif
