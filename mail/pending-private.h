#ifndef ML_PENDING_PRIVATE_H
#define ML_PENDING_PRIVATE_H

#include "mail/pending.h"

/* Between mail/pending.c, which carries out, and mail/store-pending.c, which keeps. */

/* flock(2), until it is unlocked. FALSE with *busy: another process has it. FALSE without: error. */
gboolean ml_pending_lock(MlPending *pending, gboolean *busy, GError **error);
void ml_pending_unlock(MlPending *pending);
/* Its messages are those of @entry now, by the numbers of `uidvalidity`, and by Message-ID alone no more. */
gboolean ml_pending_name(MlPending *pending, const MlPendingEntry *entry, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* From now on the server may have been asked. FALSE without an error: it was dropped, or is done. */
gboolean ml_pending_begin(MlPending *pending, gint64 id, GError **error);
/* @state and tries, with @why for the next one who looks; `there` of its messages is kept for DONE. */
gboolean ml_pending_settle(MlPending *pending, const MlPendingEntry *entry, MlPendingState state, const char *why,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
