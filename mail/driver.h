#ifndef ML_DRIVER_H
#define ML_DRIVER_H

#include <gio/gio.h>

#include "crypto/pin.h"
#include "crypto/tls.h"
#include "mail/config.h"
#include "mail/folder.h"
#include "mail/left.h"
#include "mail/query.h"

/* One account's mailbox, whatever keeps it: a table of functions with one implementation for IMAP, one for
 * Maildir, one for mbox. All calls block and belong to one thread: the account's worker on the screen, the
 * program's main thread in a subcommand. ml_driver_interrupt() alone may come from another thread: the call in
 * progress ends within 100 ms as CANCELLED, and the connection is thrown away.
 *
 * Errors are ML_ERROR. After OFFLINE, PROTOCOL or CANCELLED the driver is disconnected and the next call
 * connects anew. */
typedef struct MlDriver MlDriver;

/* Secrets come from above. @retry: what was given last was refused. Returns a password (transfer full, wiped
 * by the caller with crypto_pin_wipe) or NULL to give up; sets *error to say why where there is a reason. */
typedef char *(*MlPasswordFunc)(const MlAccount *account, const MlServer *server, gboolean retry,
                                GCancellable *cancellable, gpointer user_data, GError **error);

/* A TLS client certificate is about to be used: log in to where its key lies (crypto_certdb_unlock). */
typedef gboolean (*MlUnlockFunc)(CryptoCert *cert, GCancellable *cancellable, gpointer user_data, GError **error);

typedef struct {
  MlPasswordFunc password;
  MlUnlockFunc unlock; /* may be NULL: only keys that need no login */
  CryptoTlsExceptionFunc exception; /* may be NULL */
  gpointer user_data;
  const char *state_dir; /* where Maildir and mbox numbers are kept; folder is made when needed */
  gboolean offline;      /* a server is not asked: every call fails with OFFLINE */
  const char *store_dir; /* of MlStore, for a worker; NULL: nothing is kept */
  const char *pending_dir; /* of MlPending, for a worker; NULL: changes are asked of the server at once, or fail */
} MlDriverHooks;

MlDriver *ml_driver_new(const MlAccount *account, const MlDriverHooks *hooks); /* both must outlive it */
void ml_driver_free(MlDriver *driver); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlDriver, ml_driver_free)
void ml_driver_interrupt(MlDriver *driver); /* any thread */
void ml_driver_resume(MlDriver *driver);    /* owner's thread: forget an interrupt that came between two calls */

/* Begins the way to @account's server while there is no driver yet that could: the first one of this account goes on with
 * it, and hears of it what it would have heard of its own. For one account, which must outlive it; where none takes it
 * _stop() ends it, before the program does. Main thread. */
void ml_driver_ahead(const MlAccount *account);
void ml_driver_ahead_stop(void);

/* One fact about each step of the way (connect, TLS, capabilities, login, list), for `account check`. */
typedef void (*MlStepFunc)(const char *step, gboolean ok, const char *words, gpointer user_data);
gboolean ml_driver_check(MlDriver *driver, MlStepFunc step, gpointer user_data, GError **error);

gboolean ml_driver_connect(MlDriver *driver, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Keeping up with a folder that was read before, without reading it again (RFC 7162 where the server has it). */
typedef struct {
  guint32 uidvalidity; /* 0: nothing is known */
  guint32 uidnext;     /* 0: not known */
  guint64 modseq;      /* 0: the server keeps none */
} MlSyncPoint;

/* A hint for the next connection, whose first question can so be sent along with the login. @server: as
 * ml_driver_server() said after an earlier one; NULL: not known. @total: messages that @folder is said to have; -1: not
 * known. */
typedef struct {
  const char *server, *folder; /* NULL, both: nothing is known */
  MlSyncPoint known;           /* as it will be given to ml_driver_sync() */
  int total;
  guint first;                 /* as it will be given to ml_driver_headers() */
} MlExpected;
void ml_driver_expect(MlDriver *driver, const MlExpected *expected);
const char *ml_driver_server(MlDriver *driver); /* what to keep of it for that; NULL: nothing. Borrowed */

/* Array of MlFolder, INBOX first, then special uses, then by name; unread counts only with @counts. */
GPtrArray *ml_driver_folders(MlDriver *driver, gboolean counts, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
  guint32 uidvalidity;
  guint total;     /* messages */
  gboolean read_only;
} MlSelected;
gboolean ml_driver_select(MlDriver *driver, const char *folder, MlSelected *selected, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
  guint32 uid;
  guint flags;
} MlFlagChange;

typedef struct {
  MlSelected selected;
  MlSyncPoint point;    /* to be given the next time, once all of this was taken in */
  gboolean reset;       /* nothing is known, or of another folder: read all of it (ml_driver_headers) */
  GArray *vanished;     /* guint32: those that were had and are gone */
  GArray *flag_changes; /* MlFlagChange: those that were had and have other flags now */
  GArray *missing;      /* guint32, ascending: those that are there and were not had */
} MlSyncNews;
void ml_sync_news_clear(MlSyncNews *news);
gboolean ml_driver_is_local(const MlDriver *driver); /* a mailbox on this machine: its messages are files, and no line breaks */
/* Opens @folder as ml_driver_select() does. @had: array of MlFlagChange, ascending: what the caller has of it. @news is
 * filled on TRUE: clear it. */
gboolean ml_driver_sync(MlDriver *driver, const char *folder, const MlSyncPoint *known, const GArray *had,
                        MlSyncNews *news, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* After ml_driver_sync(): adds to @uids (of guint32) those of @lines (of MlLine, as they were had) that have their numbers
 * still and say something else, which only a file that is edited in its place does. */
gboolean ml_driver_rewritten(MlDriver *driver, const GArray *lines, GArray *uids, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* Of a mailbox on this machine: as long as this is the same, nothing came, went or was marked in @folder, as files and
 * directories say that without being read. 0: that cannot be told. ml_driver_sync() puts it into the point as modseq. */
guint64 ml_driver_mark(MlDriver *driver, const char *folder);

/* The messages of the open folder, ascending: array of MlFlagChange. No message is read for it. */
GArray *ml_driver_uids(MlDriver *driver, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Headers of the selected folder in chunks, newest first; within a chunk newest first too. @func gets an array of
 * MlHeader (takes it) and returns FALSE to stop early. The first chunk is @first long (a screenful), later ones
 * up to 1,000. @above: only messages with a greater uid (0: all). */
typedef gboolean (*MlHeadersFunc)(GPtrArray *headers, guint done, guint total, gpointer user_data);
gboolean ml_driver_headers(MlDriver *driver, guint32 above, guint first, MlHeadersFunc func, gpointer user_data,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for these messages alone (array of guint32), newest first; those that are gone are left out. @total is
 * how many were asked for. */
gboolean ml_driver_headers_of(MlDriver *driver, const GArray *uids, MlHeadersFunc func, gpointer user_data,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One message, whole, without marking it seen. @func (may be NULL) hears of progress in octets. */
typedef void (*MlProgressFunc)(guint64 done, guint64 total, gpointer user_data);
GBytes *ml_driver_fetch(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whole messages of the open folder (@uids: array of guint32, ascending), the newest first, some at a time: @func gets an
 * array of MlBody (takes it). Those that are gone, or longer than @most octets, are left out. The server is at the next
 * ones meanwhile, so that @func must not ask the driver for anything; after it has returned FALSE it is not called
 * again, and what still comes of what was asked for is dropped. Of a server alone. */
typedef struct {
  guint32 uid;
  gint64 received;
  GBytes *bytes;    /* NULL: too long, or the server has no text of it; of ml_driver_whole() alone */
  MlHeader *header; /* of ml_driver_whole(), else NULL */
} MlBody;
void ml_body_free(MlBody *body);
typedef gboolean (*MlBodiesFunc)(GPtrArray *bodies, guint done, guint total, gpointer user_data); /* FALSE: stop */
gboolean ml_driver_bodies(MlDriver *driver, const GArray *uids, gsize most, MlBodiesFunc func, gpointer user_data,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same with the line of the index of each, made of the text where that comes; those without text are there as well. */
gboolean ml_driver_whole(MlDriver *driver, const GArray *uids, gsize most, MlBodiesFunc func, gpointer user_data,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What of the open folder fits, as the server sees it: its words may be parts of longer ones. Array of guint32, newest
 * first. Of a server alone. */
GArray *ml_driver_search(MlDriver *driver, const MlQuery *query, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a reader: of a message that is large (@size: as its MlHeader says) and not S/MIME, parts that are not
 * shown may stay on the server. *left: array of MlLeft, transfer full, for MlReadOptions; NULL: it is whole. */
GBytes *ml_driver_fetch_shown(MlDriver *driver, guint32 uid, guint64 size, GPtrArray **left, gint64 *received,
                              MlProgressFunc func, gpointer user_data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The content of a part that stayed there, encoded as it is. @size: what to expect, for the progress. */
GBytes *ml_driver_fetch_part(MlDriver *driver, guint32 uid, const char *section, guint64 size, MlProgressFunc func,
                             gpointer user_data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* @uids: array of guint32. */
gboolean ml_driver_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* @to gets the flags that @from has at this moment, and the keywords that are no MlFlags as far as the folder keeps
 * them; deleted apart. NOT_FOUND: one of them is gone. */
gboolean ml_driver_flags_as(MlDriver *driver, guint32 from, guint32 to, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_driver_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_driver_move(MlDriver *driver, GArray *uids, const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Right after a copy or a move that failed: the line broke, or was cut by a cancel, after the server was asked,
 * so that it may have done it. Doing it again could leave two copies; a move has lost nothing either way. */
gboolean ml_driver_unsure(const MlDriver *driver);
/* Right after a call that failed: the server refused it and said that it will not in a while (RFC 5530 UNAVAILABLE, INUSE,
 * SERVERBUG). */
gboolean ml_driver_passing(const MlDriver *driver);
guint ml_driver_unkept(const MlDriver *driver); /* flags that the last ml_driver_flags() left out: not kept there */
/* Right after a copy or a move that went well: the new number of each message that was there, by its old one (COPYUID).
 * What is not in it was not there any more. NULL: the mailbox does not tell. Borrowed until the next call. */
GHashTable *ml_driver_copied(const MlDriver *driver, guint32 *uidvalidity);
/* Is a move done or not done, and never half (MOVE)? After a connection was made. */
gboolean ml_driver_moves_whole(const MlDriver *driver);
/* Those marked deleted. */
gboolean ml_driver_expunge(MlDriver *driver, GArray *uids, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Marks them deleted, then expunges them. */
gboolean ml_driver_delete(MlDriver *driver, GArray *uids, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Puts one message into @folder, which is made where it is missing. Line ends of @bytes are CRLF; a local store keeps
 * them as its other programs expect. @received: Unix seconds, 0: now. *@uid (may be NULL): its number, 0 where the
 * server does not tell. On the disk when it returns TRUE. After OFFLINE it may have been stored or not: look with
 * ml_driver_has() before it is done again. Needs no open folder. */
gboolean ml_driver_append(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received,
                          guint32 *uid, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Is a message with this Message-ID (with or without angle brackets) in @folder? A missing folder has none. */
gboolean ml_driver_has(MlDriver *driver, const char *folder, const char *message_id, gboolean *found,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The messages of the open folder whose Message-ID has this in it (without angle brackets): their numbers, guint32. NULL:
 * error. */
GArray *ml_driver_find(MlDriver *driver, const char *message_id, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The folder for a role, as the account names it, else by special use or usual name. Transfer full; NULL with an
 * error only when the mailbox could not be asked; NOT_FOUND where there is none. */
char *ml_driver_role_folder(MlDriver *driver, MlFolderRole role, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What changed by itself since the last look: new messages are fetched by the caller (ml_driver_headers_of with @arrived
 * where that has any, else ml_driver_headers with @above); flags and vanished ones are in the lists. Owned by the
 * caller. */
typedef struct {
  gboolean new_mail;
  GArray *arrived;      /* guint32 uids, in any order. Mailboxes on this machine name them: one that comes back has its old
                           number */
  gboolean reset;       /* UIDVALIDITY changed or the folder was replaced: load it again */
  GArray *vanished;     /* guint32 uids */
  GArray *flag_changes; /* MlFlagChange */
} MlChanges;
MlChanges *ml_changes_new(void);
void ml_changes_free(MlChanges *changes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlChanges, ml_changes_free)

/* Asks once, now (NOOP; a look at the directory). */
gboolean ml_driver_poll(MlDriver *driver, MlChanges *changes, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Waits for a change (IDLE; inotify; NOOP every minute where there is neither) until @wake_fd is readable. */
gboolean ml_driver_wait(MlDriver *driver, int wake_fd, MlChanges *changes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
