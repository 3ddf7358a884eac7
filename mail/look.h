#ifndef ML_LOOK_H
#define ML_LOOK_H

#include "mail/pattern.h"
#include "mail/store.h"

/* Looks into the messages of one folder for a pattern's ~b ~B ~h ~e, as far as they are on this machine: files of a
 * Maildir or an mbox, and what the store keeps of a server's. No key is used and no server is asked. One thread. */
typedef struct MlLook MlLook;
/* @account must outlive it; of the hooks it is only taken where things lie. @uidvalidity 0: of the folder as it was
 * seen last. */
MlLook *ml_look_new(const MlAccount *account, const MlDriverHooks *hooks, const char *folder, guint32 uidvalidity);
void ml_look_free(MlLook *look);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlLook, ml_look_free)

/* Nothing is known of a message that is not here, nor of the text of one that is encrypted (@hints: as MlHeader has
 * them). FALSE: cancelled, or what is kept cannot be read. */
gboolean ml_look_at(MlLook *look, const MlPattern *pattern, guint32 uid, guint hints, GCancellable *cancellable,
                    MlPatternSeen *seen, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The lines of a message's header, unfolded and decoded; NULL: it has none. Transfer full. */
char *ml_look_header(GBytes *raw);

#endif
