#ifndef ML_OUTBOX_H
#define ML_OUTBOX_H

#include "mail/driver.h"
#include "mail/seal.h"

/* Mail that is to leave, on disk before anybody says "queued": data/outbox/ID.entry, a file an entry, written whole,
 * synced (file and folder) and renamed into place; each later state is one more record at its end, synced. Several
 * signets share it: an entry is locked while it is worked on. Any thread, one handle each; blocks on the disk and,
 * in ml_outbox_flush(), on the network. */
typedef struct MlOutbox MlOutbox;
MlOutbox *ml_outbox_open(const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* made if missing */
void ml_outbox_free(MlOutbox *outbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlOutbox, ml_outbox_free)

typedef enum {
  ML_OUTBOX_QUEUED, /* waits for its time, the line, or a retry */
  ML_OUTBOX_SENDING, /* somebody is at it; or was, when a crash fell between DATA's dot and its 250: see UNSURE */
  ML_OUTBOX_UNSURE, /* may have been sent: the person decides (flush again, or cancel) */
  ML_OUTBOX_FAILED, /* refused for good; the server's words are kept; the message too */
  ML_OUTBOX_SENT,   /* gone; the copy for the Sent folder may still be due */
} MlOutboxState;

typedef struct {
  char *address;
  enum { ML_RCPT_DUE, ML_RCPT_SENT, ML_RCPT_REFUSED } state;
  char *words; /* the server's; NULL */
} MlOutboxRecipient;

typedef struct {
  char *id;
  char *account, *message_id, *subject;
  MlOutboxState state;
  gint64 queued, due; /* Unix seconds: nothing happens before `due` */
  guint attempts;
  char *words;           /* what went wrong last, and what to do; NULL */
  GPtrArray *recipients; /* of MlOutboxRecipient, over all its messages */
  gboolean copy_due;     /* the Sent copy was not stored yet */
  MlSource *source;      /* what it answers or forwards; NULL: nothing */
  gboolean mark_due;     /* and that was not marked yet */
  gsize size;
} MlOutboxEntry;
void ml_outbox_entry_free(MlOutboxEntry *entry);

/* Returns the new entry's id (transfer full) once everything is safely on disk. */
char *ml_outbox_add(MlOutbox *outbox, const MlAccount *account, const MlSealed *sealed, gint64 now,
                    guint delay, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same, with delivery status notifications asked for (ML_SMTP_NOTIFY_* of mail/smtp.h). */
char *ml_outbox_add_notify(MlOutbox *outbox, const MlAccount *account, const MlSealed *sealed, gint64 now,
                           guint delay, guint notify, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Many at once: between the two nothing that is added is queued yet; _release() puts all of it on the disk together,
 * or says why none of it is queued. At most some 100 between them: each holds a descriptor. */
void ml_outbox_hold(MlOutbox *outbox);
gboolean ml_outbox_release(MlOutbox *outbox, GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *ml_outbox_list(MlOutbox *outbox,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT; /* of MlOutboxEntry, oldest first */
/* Takes it back. FAILED with a sentence when it has left, or is leaving. *copy (may be NULL): its Sent copy. */
gboolean
ml_outbox_cancel(MlOutbox *outbox, const char *id, GBytes **copy, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same, to be written anew: *entry (transfer full) says who has it already. */
gboolean ml_outbox_take_back(MlOutbox *outbox, const char *id, GBytes **copy, MlOutboxEntry **entry,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* "sent to 2 of 3; REFUSED: x@example.org (550 no such user)." where some have it and others do not; else NULL.
 * Transfer full. */
char *ml_outbox_outcome(const MlOutboxEntry *entry);
gboolean ml_outbox_is_partial(const MlOutboxEntry *entry); /* FAILED, though some have it */
gboolean ml_outbox_retry(MlOutbox *outbox, const char *id,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT; /* due now; UNSURE and FAILED too */

/* Sends what is due, over one connection an account, and stores Sent copies. @func hears of every entry whose state
 * changed. Returns the time of the next attempt (0: nothing is left to do); -1 and an error only where the outbox
 * itself cannot be read. */
typedef void (*MlOutboxFunc)(const MlOutboxEntry *entry, gpointer user_data);
gint64 ml_outbox_flush(MlOutbox *outbox, const MlConfig *config, const MlDriverHooks *hooks, gint64 now,
                       MlOutboxFunc func, gpointer user_data, GCancellable *cancellable, GError **error);
/* The same for one entry. NOT_FOUND: it is not there (any more). */
gint64 ml_outbox_flush_one(MlOutbox *outbox, const char *id, const MlConfig *config, const MlDriverHooks *hooks,
                           gint64 now, MlOutboxFunc func, gpointer user_data, GCancellable *cancellable,
                           GError **error);

#endif
