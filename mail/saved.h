#ifndef ML_SAVED_H
#define ML_SAVED_H

#include "mail/config.h"
#include "mail/store-search.h"

/* Searches that have a name ([searches] of signet.conf), over all that is kept of an account. What begins with ~ ! ( or =
 * is a pattern (mail/pattern.h), asked of the lists; anything else is words (mail/query.h), asked of the index. Both are
 * looked up in the store, so that nothing waits for a server; whoever runs one keeps the store up to date. With
 * in:anywhere before the one or the other Trash and Junk are searched too. */

/* Up to 40 letters and digits, with . _ - @ + and single blanks between. FAILED with a sentence: no such name or search. */
enum { ML_SAVED_NAME = 40 };
gboolean ml_saved_add(GPtrArray *searches, const char *name, const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_saved_free(MlSaved *saved);
const MlSaved *ml_saved_find(const GPtrArray *searches, const char *name); /* borrowed; NULL: there is none */
gboolean ml_saved_is_pattern(const char *text);
gboolean ml_saved_check(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Some of what was found, in one folder. */
typedef struct {
  char *folder;
  guint32 uidvalidity;
  GArray *lines; /* of MlLine, newest first; never empty */
} MlSavedFound;
void ml_saved_found_free(MlSavedFound *found);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSavedFound, ml_saved_found_free)

/* One run over one account, in pieces; on one thread at a time. */
typedef struct MlSavedRun MlSavedRun;
/* @store and @index: that thread's, borrowed as the others. @index NULL: there is none yet, and words find nothing. */
MlSavedRun *ml_saved_run_new(const char *text, const MlAccount *account, const MlDriverHooks *hooks, MlStore *store,
                             MlStoreSearch *index, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_saved_run_free(MlSavedRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSavedRun, ml_saved_run_free)
/* Goes on until @until (monotonic). *@found (transfer full; NULL: nothing in this piece): what came of it. *@more: there
 * is more to be looked at. FALSE: cancelled, or the store failed. */
gboolean ml_saved_run_on(MlSavedRun *run, gint64 until, GCancellable *cancellable, MlSavedFound **found, gboolean *more,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Messages whose text would have told, and is encrypted or not kept here. */
guint ml_saved_run_open(const MlSavedRun *run);

#endif
