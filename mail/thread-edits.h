#ifndef ML_THREAD_EDITS_H
#define ML_THREAD_EDITS_H

#include "mail/error.h"

/* data/threads: which messages the person has cut off their thread, or put under another one. By Message-ID, so that it
 * holds in every folder and account; no mail is changed for it, here or on a server. A text file of a line each, replaced
 * as a whole under a lock, so that several signets share it. It is no cache: a line that cannot be read is left out, and
 * nothing else is lost. One thread; calls block on the disk for some milliseconds. */
enum { ML_THREAD_EDITS = 5000 }; /* at most; then those that were made first go */

typedef struct MlThreadEdits MlThreadEdits;
MlThreadEdits *ml_thread_edits_open(const char *file, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* missing: none */
void ml_thread_edits_free(MlThreadEdits *edits);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlThreadEdits, ml_thread_edits_free)
/* Takes in what others have written since; TRUE: something has changed. */
gboolean ml_thread_edits_refresh(MlThreadEdits *edits);

typedef enum {
  ML_THREAD_AS_SENT, /* what its References say */
  ML_THREAD_CUT,     /* it begins a thread */
  ML_THREAD_UNDER,   /* it answers another */
} MlThreadEdit;
MlThreadEdit ml_thread_edits_of(const MlThreadEdits *edits, const char *message_id);
/* @ids: array of char *, Message-IDs as MlHeader has them; @parent: for UNDER. On the disk when it returns TRUE. FAILED:
 * one of them cannot name a message. */
gboolean ml_thread_edits_set(MlThreadEdits *edits, const GPtrArray *ids, MlThreadEdit edit, const char *parent,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What counts as a message's References instead of @references; NULL: they do. Transfer full. */
char *ml_thread_edits_references(const MlThreadEdits *edits, const char *message_id, const char *references);

#endif
