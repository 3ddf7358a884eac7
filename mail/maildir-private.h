#ifndef ML_MAILDIR_PRIVATE_H
#define ML_MAILDIR_PRIVATE_H

#include "mail/driver-private.h"

/* Where the folders of a Maildir are: Maildir++ (".Sent.2024") and plain nested ("Sent/2024"), mixed as found. */
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

/* rename(2) that never takes the place of another file. FALSE with errno. */
gboolean ml_maildir_rename(const char *from, const char *to);

#endif
