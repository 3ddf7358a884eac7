#ifndef ML_WORKER_H
#define ML_WORKER_H

#include "mail/driver.h"

/* The thread that owns one account's driver. Outside it a folder is a name and a message is a number.
 *
 * Call these from the UI thread. None blocks except ml_worker_free(), which cancels what runs and waits for the
 * end. Each command returns its id at once and later posts exactly one ML_EVENT_DONE with that id, cancelled or
 * not; what it brings comes before, in events with the same id. Commands run in the order in which they were
 * given, but ml_worker_fetch() and flag changes overtake a running ml_worker_open()'s headers between chunks.
 * When nothing is to be done the worker waits in the open folder for news (IDLE). A broken connection is made
 * anew by itself, with backoff from 1 s to 5 min; a command that met it is tried again once before it fails,
 * but for a copy or a move that the server may have done: its error says so (FAILED) and where to look. A login
 * or a certificate that was refused is not tried again but by ml_worker_folders(), _open() or _poll().
 * ml_worker_free() drops the events that were not delivered yet; do not call it from the event function. */
typedef struct MlWorker MlWorker;

typedef enum {
  ML_EVENT_STATE,    /* online, connecting, offline (error says why) */
  ML_EVENT_FOLDERS,  /* folders: array of MlFolder */
  ML_EVENT_OPENED,   /* selected; headers follow. Twice where the store knows the folder: at once as it was, with its
                        headers, then as it is, with what has changed since */
  ML_EVENT_HEADERS,  /* headers: array of MlHeader, newest first; done of total */
  ML_EVENT_NEW,      /* headers: messages that arrived in the open folder */
  ML_EVENT_CHANGES,  /* changes: flags and vanished messages of the open folder */
  ML_EVENT_MESSAGE,  /* bytes: the message with this uid */
  ML_EVENT_PART,     /* bytes: what ml_worker_fetch_part() asked for */
  ML_EVENT_PROGRESS, /* done of total octets of the command with this id */
  ML_EVENT_NOTE,     /* error: something to be said that no command asked about */
  ML_EVENT_DONE,     /* the command with this id ended; error if it failed */
} MlEventKind;

typedef enum { ML_STATE_CONNECTING, ML_STATE_ONLINE, ML_STATE_OFFLINE } MlState;

/* Built by the worker, handed over, never touched again by it: nothing in it is shared. */
typedef struct {
  MlEventKind kind;
  guint64 id;          /* of the command; 0: news that nobody asked for */
  char *account;
  char *folder;        /* which folder it speaks of; NULL: none */
  MlState state;
  guint32 uid;
  gint64 received;     /* ML_EVENT_MESSAGE */
  guint64 done, total;
  GPtrArray *folders, *headers;
  MlChanges *changes;
  MlSelected selected;
  GBytes *bytes;
  GPtrArray *left;     /* of MlLeft; ML_EVENT_MESSAGE */
  GError *error;
} MlEvent;
void ml_event_free(MlEvent *event);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlEvent, ml_event_free)

/* Runs in the main context that was the thread default at ml_worker_new(), one call per event, in order; at most
 * 64 a turn, so that a flood of mail cannot starve the keyboard. The event is freed afterwards: steal from it. */
typedef void (*MlEventFunc)(MlEvent *event, gpointer user_data);

/* @hooks' functions are called on the worker's thread. @account and @hooks must outlive the worker. */
MlWorker *ml_worker_new(const MlAccount *account, const MlDriverHooks *hooks, MlEventFunc func, gpointer user_data);
void ml_worker_free(MlWorker *worker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlWorker, ml_worker_free)

guint64 ml_worker_folders(MlWorker *worker, gboolean counts);
guint64 ml_worker_open(MlWorker *worker, const char *folder, guint first); /* OPENED, HEADERS... */
guint64 ml_worker_fetch(MlWorker *worker, const char *folder, guint32 uid); /* PROGRESS..., MESSAGE */
/* MESSAGE with @left where parts of a large message stayed on the server (ml_driver_fetch_shown). */
guint64 ml_worker_fetch_shown(MlWorker *worker, const char *folder, guint32 uid, guint64 size);
/* Fetches a message only to have it here when it is opened; where nothing is kept, or it is large, it does nothing. */
guint64 ml_worker_fetch_ahead(MlWorker *worker, const char *folder, guint32 uid, guint64 size);
guint64 ml_worker_fetch_part(MlWorker *worker, const char *folder, guint32 uid, const char *section,
                             guint64 size); /* PROGRESS..., PART */
guint64 ml_worker_flags(MlWorker *worker, const char *folder, GArray *uids, guint add, guint remove);
guint64 ml_worker_copy(MlWorker *worker, const char *folder, GArray *uids, const char *to);
guint64 ml_worker_move(MlWorker *worker, const char *folder, GArray *uids, const char *to);
guint64 ml_worker_expunge(MlWorker *worker, const char *folder, GArray *uids);
guint64 ml_worker_poll(MlWorker *worker); /* look for news now; also: try to connect now */
/* Stores @bytes in @folder, made where it is missing. After a broken line it is only done again where no message with
 * its Message-ID is there. */
guint64 ml_worker_append(MlWorker *worker, const char *folder, GBytes *bytes, guint flags, gint64 received);
/* Deletes for good every message of @folder with this Message-ID (with or without angle brackets): a draft's copies. */
guint64 ml_worker_remove(MlWorker *worker, const char *folder, const char *message_id);
void ml_worker_cancel(MlWorker *worker, guint64 id); /* within 100 ms; unknown ids are fine */

#endif
