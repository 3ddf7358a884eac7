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
/* Once, before any thread opens a database (NSS has some too): readers and writers of different files wait for nobody. */
void ml_store_init(void);
MlStore *ml_store_open(const char *directory, const MlAccount *account, GError **error)
    G_GNUC_WARN_UNUSED_RESULT; /* both made if missing */
/* To look only. NULL without an error: there is none yet. */
MlStore *ml_store_open_to_read(const char *directory, const MlAccount *account, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* For one that only reads, while a person waits: who holds a lock is not waited for, little memory is taken, and where
 * the file was begun anew it goes on reading the one that it knows. */
void ml_store_be_quick(MlStore *store);
/* For one that writes much at a time: what is in the log goes over into the file every 16 MiB, not every 4, so that a page
 * which changes again and again is written, and the disk waited for, less often. */
void ml_store_be_bulk(MlStore *store);
void ml_store_free(MlStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlStore, ml_store_free)

/* A folder as it was when it was compared last. */
typedef struct {
  MlSyncPoint point; /* uidvalidity 0: it was never read */
  gboolean complete; /* every message below point.uidnext is here */
  gint64 compared;   /* Unix seconds; 0: never to the end */
  guint total, unseen; /* messages that are here */
  int listed;          /* that the server said it has, with its list of folders; -1: not known */
} MlStoreFolder;
gboolean ml_store_folder(MlStore *store, const char *folder, MlStoreFolder *about, GError **error)
    G_GNUC_WARN_UNUSED_RESULT; /* one that is not known is all zero */

/* The messages that are here, as the server has them: array of MlFlagChange, the oldest first. NULL: error. */
GArray *ml_store_uids(MlStore *store, const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* At most @most lines of the index with a number below @below (0: from the newest), newest first: array of MlHeader. */
GPtrArray *ml_store_headers(MlStore *store, const char *folder, guint32 below, guint most, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* Their numbers alone, as @uidvalidity names them (0: any): array of MlLine. @most 0: all. */
GArray *ml_store_lines(MlStore *store, const char *folder, guint32 uidvalidity, guint32 below, guint most, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* Those of @uids (array of guint32) that are here, out of the list or not, in that order, of the folder as @uidvalidity
 * names it (0: any): array of MlHeader. */
GPtrArray *ml_store_headers_of(MlStore *store, const char *folder, guint32 uidvalidity, const GArray *uids,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* At most @most lines (0: all) with a number below @below (0: any) once, newest first; @func borrows them. The text is
 * read as it passes, so that no memory is taken. */
typedef void (*MlStoreEach)(const MlHeader *header, gpointer user_data);
gboolean ml_store_some(MlStore *store, const char *folder, guint32 uidvalidity, guint32 below, guint most,
                       MlStoreEach func, gpointer user_data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One step of keeping up, all of it on the disk or nothing. FAILED: the folder is another one meanwhile (another signet
 * has found a new UIDVALIDITY), and nothing was changed. */
typedef struct {
  guint32 uidvalidity;      /* of the folder that this speaks of */
  gboolean reset;           /* first forget all that is known of it */
  const GArray *vanished;   /* of guint32; NULL */
  const GArray *flags;      /* of MlFlagChange; NULL */
  const GPtrArray *headers; /* of MlHeader, those that are new here; NULL */
  const GPtrArray *bodies;  /* of MlBody: the text of some of them, as ml_store_put_all() keeps it; NULL */
  const MlSyncPoint *point; /* where it stands from now on; NULL: as before */
  gboolean complete;        /* with @point */
} MlStoreStep;
gboolean ml_store_apply(MlStore *store, const char *folder, const MlStoreStep *step, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* What we did ourselves at the server. @uids: array of guint32. Nothing where the folder here is another one, or was never read. */
gboolean ml_store_change_flags(MlStore *store, const char *folder, guint32 uidvalidity, const GArray *uids, guint add,
                               guint remove, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Changes that wait for the line (mail/pending.h): the lists show what will be, and remember what the server said. An
 * array of MlStoreShown, ascending, of all that wait in this folder; those that waited before and are not in it are shown
 * as the server has them. Nothing where the folder here is another one. */
typedef struct {
  guint32 uid;
  guint add, remove;
  gboolean gone; /* out of the list */
} MlStoreShown;
gboolean ml_store_show(MlStore *store, const char *folder, guint32 uidvalidity, const GArray *shown, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* Which folder is this? 0: it was never read. */
gboolean ml_store_validity(MlStore *store, const char *folder, guint32 *uidvalidity, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
char **ml_store_shown_folders(MlStore *store, GError **error); /* those with such changes; NULL: error */

/* Whole messages that were read, as they came, up to ML_STORE_BODY octets each; where they come to more than
 * ML_STORE_BODIES those that were kept longest ago go. Of a message that no list has, nothing is kept. */
enum { ML_STORE_BODY = 1024 * 1024, ML_STORE_BODIES = 1024 * 1024 * 1024 };
gboolean ml_store_put(MlStore *store, const char *folder, guint32 uidvalidity, guint32 uid, gint64 received,
                      GBytes *bytes, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same of several (of MlBody), all or none. */
gboolean ml_store_put_all(MlStore *store, const char *folder, guint32 uidvalidity, const GPtrArray *bodies,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Whose text is not here and could be kept, ascending: array of guint32. @since: of what was dated before, only those
 * that are flagged. */
GArray *ml_store_lacking(MlStore *store, const char *folder, gint64 since, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* How many of those that are meant are too large to be kept. */
gboolean ml_store_large(MlStore *store, const char *folder, gint64 since, guint *large, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* Octets that may still be kept before something has to go. */
gboolean ml_store_room(MlStore *store, guint64 *room, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* NULL without an error: it is not here. @uidvalidity 0: of the folder as it was seen last. */
GBytes *ml_store_get(MlStore *store, const char *folder, guint32 uidvalidity, guint32 uid, gint64 *received,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What ml_driver_server() said last; "": nothing. Transfer full; NULL: error. */
char *ml_store_server(MlStore *store, GError **error);
gboolean ml_store_set_server(MlStore *store, const char *words, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The verdict on a message that is kept whole, or lies in a file of this machine, as an index shows it (MlMark), judged without a key: nothing that was
 * decrypted is in it. @standing is one word for all that it was judged by (ml_message_standing()): under another word it
 * is not there, and past @until neither; and it goes with the message, and when other octets are kept of it.
 * (store-verdict.c) */
typedef struct {
  guint32 uid;
  MlMark mark;
  gint64 until; /* Unix seconds, that one included */
  gint64 received;
  guint64 size; /* of the file that was judged: it is put in only where the line says the same. 0: of what is kept here */
  const char *digest; /* instead of those two, where nothing would tell that a text is another one: of all that was judged. NULL */
} MlStoreVerdict;
/* Those that still hold at @now, ascending: array of MlStoreVerdict. None that was put in with a digest. */
GArray *ml_store_verdicts(MlStore *store, const char *folder, guint32 uidvalidity, const char *standing, gint64 now,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The one with this digest, if it still holds; else its mark is ML_MARK_UNJUDGED. */
gboolean ml_store_verdict_of(MlStore *store, const char *folder, guint32 uidvalidity, const char *standing, gint64 now,
                             guint32 uid, const char *digest, MlStoreVerdict *verdict,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* What is of another standing goes. Nothing is put in of a message that is not kept whole, nor of a file that is another
 * one than its line speaks of. */
gboolean ml_store_put_verdicts(MlStore *store, const char *folder, guint32 uidvalidity, const char *standing,
                               const GArray *verdicts, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* At most @most messages that are kept whole, promise a signature, and have no verdict that holds: of @uids (array of
 * guint32), or where that is NULL those below @below (0: from the newest), newest first. Array of MlStoreUnjudged. */
typedef struct {
  guint32 uid;
  char *from, *subject; /* as its line of the index has them */
} MlStoreUnjudged;
GPtrArray *ml_store_unjudged(MlStore *store, const char *folder, guint32 uidvalidity, const char *standing, gint64 now,
                             const GArray *uids, guint32 below, guint most,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The list of folders as it was seen last: array of MlFolder, empty where it was never. */
GPtrArray *ml_store_folders(MlStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Forgets the messages of those that are not in it any more. */
gboolean ml_store_set_folders(MlStore *store, const GPtrArray *folders, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
