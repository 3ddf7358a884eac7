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
void ml_maildir_entry_clear(MlMaildirEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MlMaildirEntry, ml_maildir_entry_clear)

/* What is in a folder, in 8 octets a message: a name is the key, which stands in the file of numbers, and what follows it,
 * which many have in common. */
typedef struct {
  guint32 uid;
  guint32 suffix : 30; /* of the list's suffixes */
  guint32 new : 1;
  guint32 gone : 1; /* taken away by us since the last look */
} MlMaildirFile;

typedef struct {
  GArray *files;       /* of MlMaildirFile, ascending */
  GPtrArray *suffixes; /* ":2,S"; "" is the first */
  GHashTable *places;  /* of them in @suffixes */
} MlMaildirList;
void ml_maildir_list_free(MlMaildirList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlMaildirList, ml_maildir_list_free)

typedef struct {
  MlDriver base;
  char *folder, *path;   /* the selected one; NULL: none */
  MlMaildirList *list;   /* as of the last look; never NULL while selected */
  MlNumbers *numbers;
  guint32 validity;      /* of the numbers that were told; 0: none yet */
  MlChanges *pending;    /* found while something else was done; told by the next wait() */
  int inotify;
  GHashTable *places;    /* name -> path of each folder, as the tree was walked last; NULL: never */
} MlMaildir;

/* Array of MlMaildirPlace; the tree is walked for it. */
GPtrArray *ml_maildir_places(MlMaildir *maildir, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One of them; where it was the last time, if it is there still. Transfer full. */
char *ml_maildir_find(MlMaildir *maildir, const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* maildir.c */
gboolean ml_maildir_need_folder(MlMaildir *maildir, GError **error);
void ml_maildir_gone(GError **error, guint count);

/* maildir-list.c */
MlMaildirList *ml_maildir_list_new(void);
gboolean ml_maildir_rescan(MlMaildir *maildir, GError **error); /* the differences go to pending */
/* The message as it was seen last; *entry is to be cleared. FALSE: there is none. */
gboolean ml_maildir_entry(MlMaildir *maildir, guint32 uid, MlMaildirEntry *entry);
char *ml_maildir_entry_path(const MlMaildir *maildir, const MlMaildirEntry *entry);
guint ml_maildir_file_flags(const MlMaildirList *list, const MlMaildirFile *file);
void ml_maildir_renamed(MlMaildir *maildir, guint32 uid, const char *name); /* it is in cur/ now */
void ml_maildir_removed(MlMaildir *maildir, guint32 uid);

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
