#ifndef ML_DRIVER_PRIVATE_H
#define ML_DRIVER_PRIVATE_H

#include "mail/driver.h"
#include "mail/folder-private.h"

enum {
  ML_MESSAGE_MAX = 256 * 1024 * 1024, /* octets of one message */
  ML_HEADER_MAX = 256 * 1024,         /* of its header block: what is beyond is not looked at for the index */
  ML_CHUNK_MAX = 1000,                /* messages in one call of MlHeadersFunc */
};

/* What a kind of mailbox must do. driver.c has checked the arguments, connected where @connected says no,
 * and turns every error after an interrupt into CANCELLED; so these only need to end soon once
 * ml_driver_interrupted(). An MlHeadersFunc may call fetch() and flags() of the same driver between
 * chunks. */
typedef struct {
  void (*free)(MlDriver *driver);
  void (*interrupt)(MlDriver *driver); /* any thread, under the driver's lock; may be NULL */
  gboolean (*connected)(MlDriver *driver);
  void (*begin)(MlDriver *driver); /* of every call: what was refused before is forgotten; may be NULL */
  gboolean (*connect)(MlDriver *driver, MlStepFunc step, gpointer user_data, GError **error); /* step may be NULL */
  void (*expect)(MlDriver *driver, const MlExpected *expected); /* may be NULL, both */
  const char *(*server)(MlDriver *driver);
  void (*disconnect)(MlDriver *driver); /* without a word to the other side */
  GPtrArray *(*folders)(MlDriver *driver, gboolean counts, GError **error);
  gboolean (*select)(MlDriver *driver, const char *folder, MlSelected *selected, GError **error);
  gboolean (*headers)(MlDriver *driver, guint32 above, guint first, MlHeadersFunc func, gpointer user_data,
                      GError **error);
  /* Into an array of MlFlagChange, in any order. */
  gboolean (*uids)(MlDriver *driver, GArray *uids, GError **error);
  /* Adds to @uids (of guint32) those of @lines (of MlLine) whose file was written anew under its name. NULL: the number is
   * another one then. */
  gboolean (*rewritten)(MlDriver *driver, const GArray *lines, GArray *uids, GError **error);
  /* Adds to @parts what tells by its times whether anything happened in @folder: paths. FALSE: it cannot be told. With
   * @uids. */
  gboolean (*parts)(MlDriver *driver, const char *folder, GPtrArray *parts);
  /* NULL: what @uids tells after @select is compared. */
  gboolean (*sync)(MlDriver *driver, const char *folder, const MlSyncPoint *known, const GArray *had,
                   MlSyncNews *news, GError **error);
  gboolean (*headers_of)(MlDriver *driver, const GArray *uids, MlHeadersFunc func, gpointer user_data,
                         GError **error);
  /* What a message that is listed so says, without a look at the folder. NULL: it is not where the list has it. May be NULL. */
  GBytes *(*glance)(MlDriver *driver, const char *folder, guint32 uidvalidity, const MlHeader *header);
  GBytes *(*fetch)(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data,
                   GError **error);
  /* NULL: a mailbox on this machine. @lines: ml_driver_whole(). */
  gboolean (*bodies)(MlDriver *driver, const GArray *uids, gsize most, gboolean lines, MlBodiesFunc func,
                     gpointer user_data, GError **error);
  /* NULL: a mailbox on this machine. Appends to @uids, newest first. */
  gboolean (*search)(MlDriver *driver, const MlQuery *query, GArray *uids, GError **error);
  /* May be NULL, both: messages are always whole. */
  GBytes *(*fetch_shown)(MlDriver *driver, guint32 uid, guint64 size, GPtrArray **left, gint64 *received,
                         MlProgressFunc func, gpointer user_data, GError **error);
  GBytes *(*fetch_part)(MlDriver *driver, guint32 uid, const char *section, guint64 size, MlProgressFunc func,
                        gpointer user_data, GError **error);
  gboolean (*flags)(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error);
  gboolean (*flags_as)(MlDriver *driver, guint32 from, guint32 to, GError **error);
  gboolean (*copy)(MlDriver *driver, GArray *uids, const char *folder, GError **error);
  gboolean (*move)(MlDriver *driver, GArray *uids, const char *folder, GError **error);
  gboolean (*expunge)(MlDriver *driver, GArray *uids, GError **error);
  gboolean (*append)(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received, guint32 *uid,
                     GError **error);
  gboolean (*has)(MlDriver *driver, const char *folder, const char *message_id, gboolean *found, GError **error);
  gboolean (*find)(MlDriver *driver, const char *message_id, GArray *uids, GError **error); /* NULL: it cannot */
  gboolean (*moves_whole)(const MlDriver *driver); /* NULL: it does */
  gboolean (*passing)(const MlDriver *driver); /* of what was refused last; NULL: never */
  gboolean (*wait)(MlDriver *driver, int wake_fd, gboolean once, MlChanges *changes, GError **error); /* once: poll */
} MlDriverOps;

/* Every kind's own struct begins with this one. */
struct MlDriver {
  const MlDriverOps *ops;
  const MlAccount *account;
  const MlDriverHooks *hooks;
  GMutex lock;               /* guards the next field, and ops->interrupt */
  GCancellable *cancellable; /* replaced by ml_driver_resume() */
  gboolean passing;          /* ml_driver_passing(); cleared by every call */
  gboolean unsure;           /* ml_driver_unsure(); set by copy and move, cleared by every call */
  GHashTable *copied;        /* ml_driver_copied(); made by copy and move, cleared by every call. NULL: not told */
  guint32 copied_validity;
  char *at;                  /* the folder that ml_driver_select() opened last, and which one it was; NULL: none */
  guint32 at_validity;
  guint unkept;              /* flags that the last ml_driver_flags() left out: the folder does not keep them */
};

MlDriver *ml_imap_new(const MlAccount *account, const MlDriverHooks *hooks);
MlDriver *ml_maildir_new(const MlAccount *account, const MlDriverHooks *hooks);
MlDriver *ml_mbox_new(const MlAccount *account, const MlDriverHooks *hooks);

gboolean ml_driver_interrupted(MlDriver *driver);
/* Owner's thread; borrowed until the next ml_driver_resume(). */
GCancellable *ml_driver_cancellable(MlDriver *driver);

/* Waits for @fd (-1: none), the wake descriptor (-1: none), an interrupt, or the time. */
typedef enum { ML_WAIT_DATA, ML_WAIT_WOKEN, ML_WAIT_TIMEOUT, ML_WAIT_INTERRUPTED } MlWait;
MlWait ml_driver_wait_fd(MlDriver *driver, int fd, int wake_fd, int timeout_ms);

int ml_flag_change_compare(gconstpointer a, gconstpointer b); /* of MlFlagChange: by number */
/* Takes @later's contents over into @changes. */
void ml_changes_merge(MlChanges *changes, MlChanges *later);
gboolean ml_changes_empty(const MlChanges *changes);

#endif
