#ifndef ML_SOURCE_H
#define ML_SOURCE_H

#include "mail/driver.h"

/* The message that a draft answers or forwards, so that it can still be marked by a later run: folder numbers are kept
 * by the server (a Maildir's and an mbox's below the state folder, for the file's own name there). Plain values. */
typedef struct {
  char *account, *folder;
  guint32 uidvalidity, uid;
  gboolean forwarded; /* else answered */
} MlSource;

/* NULL where nothing is named well enough to be found again. */
MlSource *ml_source_new(const char *account, const char *folder, guint32 uidvalidity, guint32 uid,
                        gboolean forwarded);
MlSource *ml_source_copy(const MlSource *source); /* NULL: NULL */
void ml_source_free(MlSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSource, ml_source_free)

guint ml_source_flag(const MlSource *source); /* ML_FLAG_ANSWERED or ML_FLAG_FORWARDED */
/* Sets that flag; opens the folder for it. Where folder or message are gone, were numbered anew or cannot be written,
 * nothing is marked and it is TRUE all the same: there is nothing left to do. FALSE: to be tried again. */
gboolean ml_source_mark(const MlSource *source, MlDriver *driver, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
