#ifndef ML_MAILDIR_PRIVATE_H
#define ML_MAILDIR_PRIVATE_H

#include "mail/driver-private.h"
#include "mail/numbers.h"

/* Where the folders of a Maildir are: Maildir++ (".Sent.2024") and plain nested ("Sent/2024"), mixed as
 * found. */
typedef struct {
  char *name; /* as the user types it */
  char *path; /* absolute */
} MlMaildirPlace;

GPtrArray *ml_maildir_places(const char *root, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* of MlMaildirPlace */
char *ml_maildir_find(const char *root, const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_maildir_count(const char *path, int *total, int *unseen);

/* "1700000000.M1P2.host:2,FS" and what it says. Names of messages never hold a slash. */
char *ml_maildir_key(const char *name);
guint ml_maildir_name_flags(const char *name); /* MlFlags */
char *ml_maildir_name_with(const char *name, guint add, guint remove); /* for cur/; letters we do not know stay */
char *ml_maildir_unique(void);

/* A Maildir. Other programs move its files at any time: a name is only a hint, the part before the colon
 * is the message, and a file that is not where it was is looked for again before it counts as gone. */
typedef struct {
  char *key;
  char *name;   /* in cur/ or new/ */
  gboolean new; /* it is in new/ */
  guint flags;
  guint32 uid;
} MlMaildirEntry;

typedef struct {
  MlDriver base;
  char *folder, *path;   /* the selected one; NULL: none */
  GHashTable *entries;   /* key -> MlMaildirEntry */
  GHashTable *by_uid;    /* number -> MlMaildirEntry, borrowed */
  MlNumbers *numbers;
  MlChanges *pending;    /* found while something else was done; told by the next wait() */
  int inotify;
} MlMaildir;

/* maildir.c */
char *ml_maildir_entry_path(const MlMaildir *maildir, const MlMaildirEntry *entry);
gboolean ml_maildir_rescan(MlMaildir *maildir, GError **error); /* the differences go to pending */
gboolean ml_maildir_need_folder(MlMaildir *maildir, GError **error);
void ml_maildir_gone(GError **error, guint count);

/* maildir-change.c */
gboolean ml_maildir_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error);
gboolean ml_maildir_flags_as(MlDriver *driver, guint32 from, guint32 to, GError **error);
gboolean ml_maildir_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error);
gboolean ml_maildir_move(MlDriver *driver, GArray *uids, const char *folder, GError **error);
gboolean ml_maildir_expunge(MlDriver *driver, GArray *uids, GError **error);

/* maildir-append.c */
gboolean ml_maildir_append(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received,
                      guint32 *uid, GError **error);
gboolean ml_maildir_has(MlDriver *driver, const char *folder, const char *message_id, gboolean *found, GError **error);

#endif
