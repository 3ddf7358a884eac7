#ifndef ML_OUTBOX_PRIVATE_H
#define ML_OUTBOX_PRIVATE_H

#include "mail/outbox.h"

/* An entry is one file, ID.entry: a head that never changes (who, to whom, where in the file each message lies, with
 * its digest), the messages, and behind them a journal: every change of state appends one record, the whole state
 * on one line with a check sum, and syncs it; a line before it names the message that is to be marked as answered, for
 * as long as it is not. The last whole record counts; a torn one never was. The file itself is the lock (flock): who
 * holds it works on the entry. */
typedef struct {
  char *from;
  GPtrArray *recipients; /* of char * */
  goffset offset;
  gsize length;
  char sha256[65];
  guint first; /* of its recipients, among all of the entry's */
} MlOutboxMessage;

typedef struct {
  char *path;
  int fd;         /* -1: not open */
  gboolean locked;
  MlOutboxEntry *entry;
  GPtrArray *messages; /* of MlOutboxMessage */
  MlOutboxMessage copy; /* length 0: none */
  guint notify;
  int dot;        /* of which message the dot was about to be written; -1: none */
  goffset end;    /* of the last whole record */
} MlOutboxFile;

struct MlOutbox {
  char *folder;
  GPtrArray *held; /* of MlOutboxPending, between ml_outbox_hold() and _release(); NULL: each is published at once */
};

/* outbox-record.c: the lines of an entry, fields parted by tabs */
enum { ML_OUTBOX_SUM = 16 }; /* octets of a check sum, in hex */
void ml_outbox_add_field(GString *out, const char *text); /* NULL and "" are told apart */
void ml_outbox_add_sum(GString *out, const char *from);   /* and the line's end */
char *ml_outbox_field(const char *text);                  /* back; transfer full */
gboolean ml_outbox_number(const char *text, gint64 least, gint64 most, gint64 *value);
char *ml_outbox_record_text(const MlOutboxEntry *entry, int dot);
gboolean ml_outbox_take_record(MlOutboxFile *file, const char *line, gsize length);
MlSource *ml_outbox_take_source(const char *line, gsize length);

/* outbox-file.c */
void ml_outbox_file_free(MlOutboxFile *file); /* lets go of the lock */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlOutboxFile, ml_outbox_file_free)
/* A new entry, written but neither synced nor visible; then all of some at once, which are on the disk when it returns
 * TRUE, and gone where it fails. */
typedef struct {
  int fd;
  char *temporary, *path;
  gboolean published; /* it has its name */
} MlOutboxPending;
void ml_outbox_pending_free(MlOutboxPending *pending);
MlOutboxPending *ml_outbox_file_make(const char *folder, const char *id, const MlOutboxEntry *entry,
                                     const MlSealed *sealed, guint notify, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_outbox_file_publish(const char *folder, GPtrArray *all, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* NOT_FOUND: gone meanwhile; MALFORMED: damaged. @lock: for as long as the file is open; FAILED where somebody else
 * has it. Without a lock the state is SENDING where somebody has what was queued. */
MlOutboxFile *ml_outbox_file_open(const char *folder, const char *id, gboolean lock, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_outbox_file_record(MlOutboxFile *file, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* entry and dot, now */
/* Checked against its digest. */
GBytes *ml_outbox_file_bytes(MlOutboxFile *file, const MlOutboxMessage *message, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_outbox_file_remove(MlOutboxFile *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *ml_outbox_ids(const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* of char *, oldest first */

#endif
