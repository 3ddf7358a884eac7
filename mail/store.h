#ifndef ML_STORE_H
#define ML_STORE_H

#include "mail/driver.h"

/* data/store/ACCOUNT.db: what an account's mailbox looked like when it was seen last, so that its lists are there at
 * once, and without the network. SQLite in WAL mode, one file an account, one handle a thread; several signets on one
 * profile work together. It is a cache and nothing else: whatever is in it can be fetched again, and what cannot (who
 * signed, drafts, the outbox) lies elsewhere. So a damaged file, one of a newer signet, or one of another mailbox under
 * the same name is taken away and begun anew; the call that met it fails with STORE, and the next one works. All calls
 * block on the disk. */
typedef struct MlStore MlStore;
MlStore *ml_store_open(const char *directory, const MlAccount *account, GError **error)
    G_GNUC_WARN_UNUSED_RESULT; /* both made if missing */
/* To look only. NULL without an error: there is none yet. */
MlStore *ml_store_open_to_read(const char *directory, const MlAccount *account, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
void ml_store_free(MlStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlStore, ml_store_free)

/* A folder as it was when it was compared last. */
typedef struct {
  MlSyncPoint point; /* uidvalidity 0: it was never read */
  gboolean complete; /* every message below point.uidnext is here */
  gint64 compared;   /* Unix seconds; 0: never to the end */
  guint total, unseen; /* messages that are here */
} MlStoreFolder;
gboolean ml_store_folder(MlStore *store, const char *folder, MlStoreFolder *about, GError **error)
    G_GNUC_WARN_UNUSED_RESULT; /* one that is not known is all zero */

/* The messages that are here: array of MlFlagChange, the oldest first. NULL: error. */
GArray *ml_store_uids(MlStore *store, const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* At most @most lines of the index with a number below @below (0: from the newest), newest first: array of MlHeader. */
GPtrArray *ml_store_headers(MlStore *store, const char *folder, guint32 below, guint most, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* One step of keeping up, all of it on the disk or nothing. FAILED: the folder is another one meanwhile (another signet
 * has found a new UIDVALIDITY), and nothing was changed. */
typedef struct {
  guint32 uidvalidity;      /* of the folder that this speaks of */
  gboolean reset;           /* first forget all that is known of it */
  const GArray *vanished;   /* of guint32; NULL */
  const GArray *flags;      /* of MlFlagChange; NULL */
  const GPtrArray *headers; /* of MlHeader, those that are new here; NULL */
  const MlSyncPoint *point; /* where it stands from now on; NULL: as before */
  gboolean complete;        /* with @point */
} MlStoreStep;
gboolean ml_store_apply(MlStore *store, const char *folder, const MlStoreStep *step, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* What we did ourselves. @uids: array of guint32. */
gboolean ml_store_change_flags(MlStore *store, const char *folder, const GArray *uids, guint add, guint remove,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whole messages that were read, as they came, up to ML_STORE_BODY octets each; where they come to more than
 * ML_STORE_BODIES those that were kept longest ago go. Of a message that no list has, nothing is kept. */
enum { ML_STORE_BODY = 1024 * 1024, ML_STORE_BODIES = 512 * 1024 * 1024 };
gboolean ml_store_put(MlStore *store, const char *folder, guint32 uidvalidity, guint32 uid, gint64 received,
                      GBytes *bytes, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* NULL without an error: it is not here. @uidvalidity 0: of the folder as it was seen last. */
GBytes *ml_store_get(MlStore *store, const char *folder, guint32 uidvalidity, guint32 uid, gint64 *received,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The list of folders as it was seen last: array of MlFolder, empty where it was never. */
GPtrArray *ml_store_folders(MlStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Forgets the messages of those that are not in it any more. */
gboolean ml_store_set_folders(MlStore *store, const GPtrArray *folders, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
