#ifndef ML_REKEY_PRIVATE_H
#define ML_REKEY_PRIVATE_H

/* For mail/rekey-*.c alone: the notes. Each is on the disk when its function returns. */
#include "mail/rekey-run.h"

MlRekeyEntry *ml_rekey_state_put(MlRekeyState *state, guint32 old, guint32 above, const MlRekeyed *made,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT; /* about to be stored; borrowed */
gboolean ml_rekey_state_stored(MlRekeyState *state, MlRekeyEntry *entry, guint32 copy, GError **error);
gboolean ml_rekey_state_done(MlRekeyState *state, MlRekeyEntry *entry, GError **error);
/* All of it anew: numbers have changed. */
gboolean ml_rekey_state_rewrite(MlRekeyState *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
