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
 * Numbers are those of the folder as the last ML_EVENT_OPENED told it: where it was replaced by another one meanwhile
 * (UIDVALIDITY), the command fails with NOT_FOUND, and nothing is done to what has that number now.
 * ml_worker_free() drops the events that were not delivered yet; do not call it from the event function. */
typedef struct MlWorker MlWorker;

typedef enum {
  ML_EVENT_STATE,    /* online, connecting, offline (error says why) */
  ML_EVENT_FOLDERS,  /* folders: array of MlFolder. Twice where the store knows them and there is no line yet: as they
                        were (kept), then as they are */
  ML_EVENT_OPENED,   /* selected; headers follow. Twice where the store knows the folder: at once as it was, with its
                        headers, then as it is, with what has changed since */
  ML_EVENT_HEADERS,  /* headers: array of MlHeader, newest first; done of total; or lines */
  ML_EVENT_NEW,      /* headers: messages that arrived in the open folder */
  ML_EVENT_CHANGES,  /* changes: flags and vanished messages of the open folder */
  ML_EVENT_MESSAGE,  /* bytes: the message with this uid */
  ML_EVENT_PART,     /* bytes: what ml_worker_fetch_part() asked for */
  ML_EVENT_PROGRESS, /* done of total octets of the command with this id; of ml_worker_search(): of folders, and folder is
                        asked now */
  ML_EVENT_FOUND,    /* uids: those of folder that fit, newest first, and headers of the first of them; selected: what the
                        numbers are meant of. Or error: this folder was left out */
  ML_EVENT_NOTE,     /* error: something to be said that no command asked about */
  ML_EVENT_PENDING,  /* done: changes that wait for the server; total: those that failed and were not dropped */
  ML_EVENT_KEPT,     /* uids: messages of folder, which need not be the open one, whose text is kept here from now on, though
                        nobody has read them (NULL: not told which); total: as many are still to come */
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
  gboolean kept;       /* ML_EVENT_FOLDERS */
  gboolean waiting;    /* ML_EVENT_DONE of a change: it is kept here, and carried out once there is a line */
  GPtrArray *folders, *headers;
  GArray *lines;       /* ML_EVENT_HEADERS, instead of headers: of MlLine, newest first, whose text the store has */
  gboolean stored;     /* ML_EVENT_HEADERS, _NEW: the store has them */
  MlChanges *changes;
  MlSelected selected;
  GBytes *bytes;
  GPtrArray *left;     /* of MlLeft; ML_EVENT_MESSAGE */
  GArray *uids;        /* of guint32; ML_EVENT_FOUND, _KEPT */
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
/* Changes. Where ml_worker_keeps_changes() each is on the disk before its function returns, and is carried out in its
 * order, now or when there is a line again, by this program or the next (mail/pending.h): DONE comes at once without a
 * line, with `waiting`, and so it does to a cancel; an error says that it was refused or has failed for good, and then
 * HEADERS and CHANGES that nobody asked for bring back what was shown as changed. What waits is applied to all that is
 * told of a folder. */
gboolean ml_worker_keeps_changes(const MlWorker *worker);
void ml_worker_by_itself(MlWorker *worker); /* nobody pressed a key for the next change: undo passes it over */
/* Takes back the newest change that a key made and that was not taken back: gives it up where it waits, else does the
 * reverse as a new one. What came of it, or why not, for the person; transfer full. CHANGES and HEADERS show it. */
char *ml_worker_undo(MlWorker *worker);
/* Which folder of that name the numbers of a change would be taken as of now, as OPENED told last; 0: none. Who keeps
 * numbers for longer keeps it too, and compares. */
guint32 ml_worker_shown_validity(const MlWorker *worker, const char *folder);
/* The numbers of a folder that was not opened are known from elsewhere (the store): they are meant as of this UIDVALIDITY.
 * FALSE: OPENED told of another one, and nothing has changed. */
gboolean ml_worker_expect(MlWorker *worker, const char *folder, guint32 uidvalidity) G_GNUC_WARN_UNUSED_RESULT;
guint64 ml_worker_flags(MlWorker *worker, const char *folder, GArray *uids, guint add, guint remove);
guint64 ml_worker_copy(MlWorker *worker, const char *folder, GArray *uids, const char *to);
guint64 ml_worker_move(MlWorker *worker, const char *folder, GArray *uids, const char *to);
guint64 ml_worker_expunge(MlWorker *worker, const char *folder, GArray *uids); /* marks them as deleted first */
guint64 ml_worker_poll(MlWorker *worker); /* look for news now; also: try to connect now */
/* Asks the server what fits (ml_driver_search), in @folder, or one folder after the other (NULL): PROGRESS and FOUND for
 * each. At most @most headers of a folder, those of the newest. It may take minutes, and nothing overtakes it. */
guint64 ml_worker_search(MlWorker *worker, const char *folder, const MlQuery *query, guint most);
/* A change too; a large one is written down on another thread, and the next change waits for that. Stores @bytes in
 * @folder, made where it is missing. After a broken line it is only done again where no message with
 * its Message-ID is there. */
guint64 ml_worker_append(MlWorker *worker, const char *folder, GBytes *bytes, guint flags, gint64 received);
/* The same for a message that is still elsewhere, too: it is not kept for later, and fails without a line. */
guint64 ml_worker_append_now(MlWorker *worker, const char *folder, GBytes *bytes, guint flags, gint64 received);
/* A change too. Deletes for good every message of @folder with this Message-ID (with or without angle brackets): a draft's copies. */
guint64 ml_worker_remove(MlWorker *worker, const char *folder, const char *message_id);
void ml_worker_cancel(MlWorker *worker, guint64 id); /* within 100 ms; unknown ids are fine */

#endif
