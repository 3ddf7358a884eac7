#ifndef ML_MBOX_PRIVATE_H
#define ML_MBOX_PRIVATE_H

#include <sys/stat.h>

#include "mail/driver-private.h"

/* An mbox file: one message after the other, each behind a line "From sender date" and before an empty line; lines
 * of the text that look like one are quoted with > (mboxrd: one more each time). Content-Length is not believed. */
typedef struct {
  goffset start;  /* of the "From " line */
  goffset header; /* behind it */
  goffset body;   /* behind the empty line that ends the header */
  goffset end;    /* behind the text, before the empty line that parts it from the next message */
  goffset next;   /* where the next message begins, or the end of the file */
  guint flags;    /* MlFlags, from Status, X-Status and X-Keywords */
  gint64 received;
  guint32 uid;
  char key[48];   /* digest of what no program changes; the second of two equal ones has "-2" at its end */
} MlMboxMessage;

typedef struct {
  GArray *messages; /* of MlMboxMessage, in file order */
  struct stat about;
} MlMboxIndex;
MlMboxIndex *ml_mbox_scan(MlDriver *driver, int fd, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_mbox_index_free(MlMboxIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlMboxIndex, ml_mbox_index_free)

/* Both locks that other programs look at: fcntl's and FILE.lock, taken by short tries for some seconds, never by
 * waiting inside the kernel. Where the folder cannot be written, the system's dotlockfile makes the second one; where
 * there is none, fcntl's has to do. A file that is not there can only be locked for writing, which makes it. */
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
  char *text;       /* instead of them; NULL: the file's */
} MlMboxPiece;

/* Replaces everything from @from to the end by @pieces, in place, since others may wait for a lock on this very file.
 * The new text is first on disk in @journal; a run that dies is finished by ml_mbox_recover(), and mail that another
 * program appended meanwhile stays. The lock is held for writing. */
gboolean ml_mbox_replace(MlMboxLock *lock, const char *journal, goffset from, GArray *pieces, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* Finishes what a run that died left behind. */
gboolean ml_mbox_recover(MlMboxLock *lock, const char *journal, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_mbox_needs_recovery(const char *journal);

/* Where a test stops ml_mbox_replace(), as a kill would: after that many steps; -1: never. */
void ml_mbox_stop_after(int steps);

#endif
