#ifndef ML_CARRY_PRIVATE_H
#define ML_CARRY_PRIVATE_H

#include "mail/pending-private.h"

enum { ML_CARRY_ONE_COMMAND = 200 }; /* more messages are asked for in several: the first may be done, the next refused */

/* One change on its way: between mail/pending.c, which carries them out one after another, and mail/carry-*.c, which know
 * how one kind is carried out. */
typedef struct {
  MlPending *pending;
  MlDriver *driver;
  MlStore *store; /* NULL: none */
  const MlPendingFuncs *funcs;
  MlPendingEntry *entry;
  gboolean asked; /* the server may have been asked for this entry */
  gboolean ours;  /* it failed by what was found, not by what the server said last */
  gboolean passing; /* put off, by the server or by a file here that cannot be read or written: it waits by itself */
  gboolean partly;  /* some of it was done, or may have been, whatever is refused behind that */
  GError *journal; /* the journal itself failed: nothing more is done */
} MlCarry;

/* It failed by what was found: another time would not help. NOT_FOUND; always FALSE. */
gboolean ml_carry_for_good(MlCarry *carry, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Right after the call that failed with @why. */
gboolean ml_carry_is_for_good(const MlCarry *carry, const GError *why);
gboolean ml_carry_open(MlCarry *carry, const char *folder, MlSelected *selected, GError **error);
gboolean ml_carry_select(MlCarry *carry, GError **error); /* its folder, if it is the one that was meant */
/* From here on the server may have done it. FALSE: it was taken back, or the journal failed. */
gboolean ml_carry_begin(MlCarry *carry, GError **error);
GArray *ml_carry_uids(const MlPendingEntry *entry); /* transfer full */
/* In the selected folder; newest first. @sizes (may be NULL) gets the octets of each. NULL: error. */
GArray *ml_carry_find_named(MlCarry *carry, const char *message_id, GHashTable *sizes, GError **error);

gboolean ml_carry_file(MlCarry *carry, GError **error); /* COPY, MOVE; mail/carry-file.c */

#endif
