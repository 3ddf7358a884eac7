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
  guint32 uid;
  guint64 hash;   /* of all before the body; 0: not known */
  char key[48];   /* digest of what no program changes; the second of two equal ones has "-2" at its end */
} MlMboxMessage;

enum { ML_MBOX_DIGEST = 32 }; /* letters of a key before "-2" */

typedef struct {
  GArray *messages; /* of MlMboxMessage, in file order */
  struct stat about;
  MlSipKey sip;   /* of the hashes */
  gboolean sure;  /* all of the file was read for it; else a message is held against the file when it is asked for */
  gboolean young; /* the file was written to so shortly before that its time would not tell of a write after that */
  gboolean saved; /* as ml_mbox_index_save() does it */
} MlMboxIndex;
MlMboxIndex *ml_mbox_index_new(void);
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
gboolean ml_mbox_index_save(const MlMboxIndex *index, const char *file); /* FALSE: it is read again the next time */
gboolean ml_mbox_same_file(const struct stat *a, const struct stat *b);
void ml_mbox_index_free(MlMboxIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlMboxIndex, ml_mbox_index_free)

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
  GHashTable *by_uid;            /* number -> position in index->messages + 1 */
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
/* Leaves it empty where the numbers are no longer those that the folder was opened with. */
gboolean ml_mbox_number_index(MlMbox *mbox, MlMboxIndex *index, GError **error);
void ml_mbox_take_index(MlMbox *mbox, MlMboxIndex *index);
MlMboxMessage *ml_mbox_message_by_uid(MlMbox *mbox, guint32 uid);

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
