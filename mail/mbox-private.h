#ifndef ML_MBOX_PRIVATE_H
#define ML_MBOX_PRIVATE_H

#include <sys/stat.h>

#include "mail/driver-private.h"
#include "mail/numbers.h"
#include "mail/siphash.h"

/* An mbox file: one message after the other, each behind a line "From sender date" and before an empty
 * line; lines of the text that look like one are quoted with > (mboxrd: one more each time).
 * Content-Length is not believed. */
typedef struct {
  goffset start;  /* of the "From " line */
  goffset header; /* behind it */
  goffset body;   /* behind the empty line that ends the header */
  goffset end;    /* behind the text, before the empty line that parts it from the next message */
  goffset next;   /* where the next message begins, or the end of the file */
  guint flags;    /* MlFlags, from Status, X-Status and X-Keywords */
  gint64 received;
  guint32 uid;    /* 0: it has none yet */
  guint64 hash;   /* of all before the body; 0: not known */
  guint8 digest[16]; /* of what no program changes */
  guint32 twin;   /* 2: the second of two with one digest */
} MlMboxMessage;

/* What is kept of it, in memory or in a file. */
typedef struct {
  gint64 start, body, end, received;
  guint64 hash;
  guint8 digest[16];
  guint32 twin;
  guint16 flags, header; /* behind start */
} MlMboxRecord;

/* Of a large mailbox, a number is all that memory has of a message: the rest is in the file in which the index is kept. */
typedef struct {
  GBytes *file;   /* that file as it was when it was written: records of the first messages. NULL: none */
  guint in_file;
  gsize records;  /* where they begin in it */
  GArray *tail;   /* of MlMboxRecord: those behind them */
  GArray *uids;   /* of guint32, in file order; fewer: the others have no number yet */
  GArray *sorted; /* of guint32: their places in ascending order of the numbers; NULL: they ascend */
  struct stat about;
  MlSipKey sip;   /* of the hashes */
  gboolean sure;  /* all of the file was read for it; else a message is held against the file when it is asked for */
  gboolean young; /* the file was written to so shortly before that its time would not tell of a write after that */
  gboolean saved; /* as ml_mbox_index_save() does it */
} MlMboxIndex;

/* mbox-list.c */
MlMboxIndex *ml_mbox_index_new(void);
void ml_mbox_index_free(MlMboxIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlMboxIndex, ml_mbox_index_free)
guint ml_mbox_count(const MlMboxIndex *index);
void ml_mbox_at(const MlMboxIndex *index, guint place, MlMboxMessage *message);
const MlMboxRecord *ml_mbox_record(const MlMboxIndex *index, guint place); /* until it grows or is saved */
gboolean ml_mbox_find(const MlMboxIndex *index, guint32 uid, MlMboxMessage *message); /* FALSE: it is not there */
void ml_mbox_add(MlMboxIndex *index, const MlMboxMessage *message);
void ml_mbox_take_first(MlMboxIndex *index, const MlMboxIndex *from, guint n); /* into an empty one */
void ml_mbox_take_uids(MlMboxIndex *index, const guint32 *uids);
void ml_mbox_clear(MlMboxIndex *index); /* no messages */
enum { ML_MBOX_KEY = 48 };
void ml_mbox_key(const MlMboxMessage *message, char key[ML_MBOX_KEY]); /* the second of two has "-2" at its end */

/* mbox-scan.c */
MlMboxIndex *ml_mbox_scan(MlDriver *driver, int fd, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same in two steps. An empty one of the file as it is now, before anything of it is looked at. */
MlMboxIndex *ml_mbox_index_at(int fd, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* @known: what stood before its last message stands there still; NULL: all of it is read. */
gboolean ml_mbox_index_fill(MlMboxIndex *index, MlDriver *driver, int fd, const char *path, const MlMboxIndex *known,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Is @message still there, with the same key, marks and length? */
gboolean ml_mbox_holds(MlDriver *driver, int fd, const char *path, const MlMboxMessage *message);

/* mbox-index.c. The same for as little as will do, by what is known already: @known (may be NULL), or what is kept in @file. */
MlMboxIndex *ml_mbox_read(MlDriver *driver, int fd, const char *path, const MlMboxIndex *known, const char *file,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_mbox_index_save(MlMboxIndex *index, const char *file); /* FALSE: it is read again the next time */
char *ml_mbox_index_file(const char *journal); /* where that is. Transfer full */
gboolean ml_mbox_same_file(const struct stat *a, const struct stat *b);

/* Both locks that other programs look at: fcntl's and FILE.lock, taken by short tries for some seconds,
 * never by waiting inside the kernel. Where the folder cannot be written, the system's dotlockfile makes
 * the second one; where there is none, fcntl's has to do. A file that is not there can only be locked for
 * writing, which makes it. */
typedef struct {
  int fd;
  char *path, *dot_lock;
  gboolean helper; /* dotlockfile made it */
} MlMboxLock;
MlMboxLock *ml_mbox_lock(MlDriver *driver, const char *path, gboolean write, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_mbox_unlock(MlMboxLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlMboxLock, ml_mbox_unlock)

/* One stretch of the new text: bytes of the old file, or words of ours. */
typedef struct {
  goffset from, to; /* of the old file */
  char *text;       /* instead of them; NULL: the file's. `to`: its length, or 0 */
} MlMboxPiece;

/* Replaces everything from @from to the end by @pieces, in place, since others may wait for a lock on this
 * very file. The new text is first on disk in @journal; a run that dies is finished by ml_mbox_recover(),
 * and mail that another program appended meanwhile stays. The lock is held for writing. */
gboolean ml_mbox_replace(MlMboxLock *lock, const char *journal, goffset from, GArray *pieces, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* Finishes what a run that died left behind. */
gboolean ml_mbox_recover(MlMboxLock *lock, const char *journal, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_mbox_needs_recovery(const char *journal);

/* Where a test stops ml_mbox_replace(), as a kill would: after that many steps; -1: never. */
void ml_mbox_stop_after(int steps);

/* mbox files: /var/mail/USER, or a folder of such files. Offsets are only good while a lock is held;
 * between two calls a message is its number, and the file is read anew when it is not the one that was
 * read last. */
typedef struct {
  MlDriver base;
  char *folder, *path, *journal; /* the selected one; NULL: none */
  MlMboxIndex *index;            /* as of the last look; never NULL while selected */
  MlNumbers *numbers;
  guint32 validity; /* of the numbers, as the folder was opened; 0: not known yet */
  MlChanges *pending;
  int inotify;
} MlMbox;

/* mbox.c */
char *ml_mbox_folder_path(MlDriver *driver, const char *folder, GError **error);
gboolean ml_mbox_is_name(const char *name);
char *ml_mbox_journal_path(MlDriver *driver, const char *path, GError **error);
gboolean ml_mbox_look(MlMbox *mbox, gboolean write, MlMboxLock **lock, GError **error);
/* After that, before anything is written by offsets: all of the file was read under this lock, or since it changed last. */
gboolean ml_mbox_make_sure(MlMbox *mbox, MlMboxLock *lock, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_mbox_take_index(MlMbox *mbox, MlMboxIndex *index);

/* mbox-numbers.c. Leaves it empty where the numbers are no longer those that the folder was opened with. */
gboolean ml_mbox_number_index(MlMbox *mbox, MlMboxIndex *index, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* mbox-change.c */
gboolean ml_mbox_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error);
gboolean ml_mbox_flags_as(MlDriver *driver, guint32 from, guint32 to, GError **error);
gboolean ml_mbox_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error);
gboolean ml_mbox_move(MlDriver *driver, GArray *uids, const char *folder, GError **error);
gboolean ml_mbox_expunge(MlDriver *driver, GArray *uids, GError **error);
char *ml_mbox_header_with_flags(const char *block, gsize length, guint flags); /* transfer full */

/* mbox-append.c */
gboolean ml_mbox_append(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received,
                      guint32 *uid, GError **error);
gboolean ml_mbox_has(MlDriver *driver, const char *folder, const char *message_id, gboolean *found, GError **error);

#endif
