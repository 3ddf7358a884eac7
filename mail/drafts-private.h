#ifndef ML_DRAFTS_PRIVATE_H
#define ML_DRAFTS_PRIVATE_H

#include "mail/draft-private.h"
#include "mail/drafts.h"
#include "mail/mime-private.h"

/* For mail/ alone. drafts-state.c: a draft as a mail of its own, without loss, and back. */
GBytes *ml_drafts_encode(const MlDraft *draft, gboolean encrypted, gint64 now, GError **error);
MlDraft *ml_drafts_decode(GBytes *bytes, GError **error);                       /* NOT_FOUND: none of ours */
GPtrArray *ml_drafts_fields(const MlDraft *draft, gboolean secret, gint64 now); /* of MlDraftHeader */

#endif
