#ifndef ML_PENDING_H
#define ML_PENDING_H

#include "mail/store.h"

/* data/pending/ACCOUNT.db: the changes that a person made to a mailbox on a server, each kept before it is shown, until
 * the server has it. Not the journal of key uses (mail/journal.h).
 *
 * It lies apart from the store, which is a cache: this is no cache. A damaged file, and one of another mailbox under the
 * same name, is set aside under a name of its own and never deleted; ml_pending_said() tells where. One of a newer
 * signet is left alone, and its changes are refused.
 *
 * SQLite in WAL mode; several handles, in several processes, work together. What was added survives a killed process at
 * once; a power cut too from the moment that it is carried out, or that a handle opened as durable has written. Entries
 * are carried out in their order, by one process at a time (ml_pending_carry()). A handle belongs to one thread. */
typedef struct MlPending MlPending;

typedef enum {
  ML_PENDING_FLAGS,
  ML_PENDING_COPY,
  ML_PENDING_MOVE,
  ML_PENDING_EXPUNGE, /* marked as deleted, then expunged */
  ML_PENDING_APPEND,  /* into `folder`: its one message is known by Message-ID alone, as of the next */
  ML_PENDING_REMOVE,  /* every message of `folder` with this Message-ID, for good */
} MlPendingKind;

typedef enum {
  ML_PENDING_WAITING = 1 << 0,
  ML_PENDING_BEGUN = 1 << 1,  /* the server may have been asked: it is looked what came of it before it is asked again */
  ML_PENDING_DONE = 1 << 2,   /* kept for a while, to be undone */
  ML_PENDING_FAILED = 1 << 3, /* for good: until it is dropped */
} MlPendingState;
/* Octets of a message that is to be put into a folder. */
enum { ML_PENDING_BODY = 64 * 1024 * 1024 };
enum { ML_PENDING_OPEN = ML_PENDING_WAITING | ML_PENDING_BEGUN };

/* A message as it was when the change was made. */
typedef struct {
  guint32 uid;
  guint flags;
  char *message_id; /* without angle brackets; "": not known */
  char *subject;    /* as the list has it; to say which was meant */
  guint32 there;    /* its number in the target, once it was carried out; 0: not known */
} MlPendingMessage;

typedef struct {
  gint64 id;
  MlPendingKind kind;
  MlPendingState state;
  char *folder;        /* where the messages lie */
  guint32 uidvalidity; /* of it, as it was seen; 0: not known */
  char *to;            /* COPY, MOVE; NULL */
  guint32 to_validity; /* of it, as far as `there` goes; 0: not known */
  guint add, remove;   /* FLAGS, APPEND (add); add of a MOVE: its messages are known by Message-ID alone */
  GBytes *bytes;       /* APPEND, to be added; read by ml_pending_body() */
  gint64 received;     /* of it; 0: now */
  GPtrArray *messages; /* of MlPendingMessage */
  gint64 at;           /* Unix seconds */
  guint tries;
  char *error;         /* why it failed, last; NULL */
  gboolean by_itself;  /* nobody pressed a key for it: undo passes it over */
  gboolean partly;     /* of one that failed: some of it is done, or may be */
} MlPendingEntry;
MlPendingEntry *ml_pending_entry_new(MlPendingKind kind, const char *folder, guint32 uidvalidity, const char *to);
void ml_pending_entry_add(MlPendingEntry *entry, guint32 uid, guint flags, const char *message_id, const char *subject);
void ml_pending_entry_free(MlPendingEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlPendingEntry, ml_pending_entry_free)
/* "Move of 3 messages from INBOX to Trash"; transfer full, not yet made harmless for the terminal. */
char *ml_pending_words(const MlPendingEntry *entry);
const char *ml_pending_kind_word(MlPendingKind kind); /* "flags", "copy", "move", "expunge", "append", "remove" */

/* Both made if missing. @durable: what is written is on the disk (fsync). */
MlPending *ml_pending_open(const char *directory, const MlAccount *account, gboolean durable, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* NULL without an error: nothing was ever written. */
MlPending *ml_pending_open_if_any(const char *directory, const MlAccount *account, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* Another handle of the same, not durable; the thread that uses it first has it. Transfer full. */
MlPending *ml_pending_beside(const MlPending *pending);
char *ml_pending_file(const char *directory, const MlAccount *account); /* transfer full */
void ml_pending_free(MlPending *pending);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlPending, ml_pending_free)
/* A sentence about a file that had to be set aside, once; NULL: none was. Transfer full. */
char *ml_pending_said(MlPending *pending);

/* The new entry's number; 0: error, and nothing is kept. Refused: numbers of messages without the UIDVALIDITY. */
gint64 ml_pending_add(MlPending *pending, const MlPendingEntry *entry, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Those in any of @states, the oldest first, with a number above @above; at most @most (0: all). NULL: error. */
GPtrArray *ml_pending_list(MlPending *pending, guint states, gint64 above, guint most, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
MlPendingEntry *ml_pending_find(MlPending *pending, gint64 id, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_pending_count(MlPending *pending, guint *open, guint *failed, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* What undo takes back next, whether it waits or is done; NULL without an error: there is none. */
MlPendingEntry *ml_pending_newest(MlPending *pending, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_pending_pass_over(MlPending *pending, gint64 id, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* by undo */
/* Of an APPEND that is open, or has failed. NULL: error. */
GBytes *ml_pending_body(MlPending *pending, gint64 id, gint64 *received, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Gives up one that waits or has failed. FALSE with NOT_FOUND where it is neither: done, being carried out, or not there. */
gboolean ml_pending_drop(MlPending *pending, gint64 id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

gint64 ml_pending_version(MlPending *pending); /* another one after any change, by whichever handle */
/* What the open entries make of a folder's messages, whatever the server still says: array of MlStoreShown, ascending;
 * NULL: error. */
GArray *ml_pending_shown(MlPending *pending, const char *folder, guint32 uidvalidity, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
const MlStoreShown *ml_pending_shown_of(const GArray *shown, guint32 uid); /* NULL: as the server has it */
guint ml_pending_flags(const MlStoreShown *shown, guint flags); /* NULL is fine */

/* Carries out what is open, in order, for as long as there is a line. @funcs->select opens a folder (ml_driver_select()
 * where it is NULL); ->settled hears of each entry that is over, @why: it failed for good and was kept as such. One
 * process at a time: where another one is at it, nothing is done and *busy is set. @store (may be NULL) is kept up.
 * FALSE: the line, or the journal, failed, and what was not carried out stays open; or (FAILED, NOT_FOUND) some are put
 * off, by the server or as another file here cannot be read or written: those stay open, and what comes behind them in the
 * same folders; all others were carried out. */
typedef struct {
  gboolean (*select)(const char *folder, MlSelected *selected, gpointer user_data, GError **error);
  void (*settled)(const MlPendingEntry *entry, const GError *why, gpointer user_data);
  gboolean (*stopped)(gpointer user_data); /* asked between two entries; may be NULL */
  gpointer user_data;
} MlPendingFuncs;
gboolean ml_pending_carry(MlPending *pending, MlDriver *driver, MlStore *store, const MlPendingFuncs *funcs,
                          gboolean *busy, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The store's lists of a folder as the open entries make them; whatever came between. Call it after entries were added,
 * dropped or carried out, and after the folder was compared. */
gboolean ml_pending_refresh(MlPending *pending, MlStore *store, const char *folder, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* The same for every folder that has, or had, some. */
gboolean ml_pending_refresh_all(MlPending *pending, MlStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
