#ifndef ML_NUMBERS_H
#define ML_NUMBERS_H

#include "mail/error.h"

/* Stable numbers for the messages of a Maildir folder or an mbox file, which have none of their own: a
 * small text file per folder below the state directory, written by append and fsync, now and then anew by
 * rename. Several processes may use one file: every change happens under its lock, after reading what the
 * others added. One thread. */
typedef struct MlNumbers MlNumbers;

/* @place: absolute path of the folder; the numbers begin anew when it is another one than last time. */
MlNumbers *ml_numbers_open(const char *state_dir, const char *account, const char *folder, const char *place,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_numbers_free(MlNumbers *numbers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlNumbers, ml_numbers_free)

guint32 ml_numbers_validity(const MlNumbers *numbers);

/* One number for each key (array of const char *), new ones given in the order of the array. */
gboolean ml_numbers_assign(MlNumbers *numbers, GPtrArray *keys, guint32 *uids, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

#endif
