#ifndef ML_SPILL_H
#define ML_SPILL_H

#include "mail/error.h"

/* Octets that grow piece by piece and become one GBytes. Small ones lie on the heap; large ones in anonymous memory
 * of the kernel that is mapped once at the end, so that nothing is copied to grow and no plaintext gets a name on a
 * disk (DESIGN: 50 MB attachments). One thread. */
typedef struct MlSpill MlSpill;

MlSpill *ml_spill_new(void);
void ml_spill_free(MlSpill *spill); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSpill, ml_spill_free)

void ml_spill_add(MlSpill *spill, const void *data, gsize length); /* a failure is told by ml_spill_end() */
void ml_spill_text(MlSpill *spill, const char *text);
gsize ml_spill_length(const MlSpill *spill);
/* What was added, and frees @spill. NULL: out of memory, in words. */
GBytes *ml_spill_end(MlSpill *spill, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
