#ifndef ML_NUMBERS_H
#define ML_NUMBERS_H

#include "mail/error.h"

/* Stable numbers for the messages of a Maildir folder or an mbox file, which have none of their own: a
 * small text file per folder below the state directory, written by append and fsync, now and then anew by
 * rename. Several processes may use one file: every change happens under its lock, after reading what the
 * others added. One thread.
 *
 * The file is where the table is: it is in memory only from the first question for a number to ml_numbers_rest(). */
typedef struct MlNumbers MlNumbers;

/* @place: absolute path of the folder; the numbers begin anew when it is another one than last time. */
MlNumbers *ml_numbers_open(const char *state_dir, const char *account, const char *folder, const char *place,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for ml_numbers_key() alone: little is read, and nothing written. NULL: there is no file of that place and
 * validity. */
MlNumbers *ml_numbers_glance(const char *state_dir, const char *account, const char *folder, const char *place,
                             guint32 validity) G_GNUC_WARN_UNUSED_RESULT;
void ml_numbers_free(MlNumbers *numbers);
char *ml_numbers_path(const char *state_dir, const char *account, const char *folder); /* where that is */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlNumbers, ml_numbers_free)

guint32 ml_numbers_validity(const MlNumbers *numbers);
guint32 ml_numbers_next(const MlNumbers *numbers); /* that a new key would have got when the file was read last */

/* Reads what is not at hand, or was changed by others: what ml_numbers_find() answers from, until ml_numbers_rest(). */
gboolean ml_numbers_look(MlNumbers *numbers, GError **error) G_GNUC_WARN_UNUSED_RESULT;
guint32 ml_numbers_find(const MlNumbers *numbers, const char *key, gsize length); /* 0: it has none */
void ml_numbers_rest(MlNumbers *numbers);

/* One number for each key (array of const char *), new ones given in the order of the array. */
gboolean ml_numbers_assign(MlNumbers *numbers, GPtrArray *keys, guint32 *uids, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* These (ascending) are all that are still there of those below @below, which is what ml_numbers_next() said before the
 * folder was looked at: the others' keys are forgotten once they are more. What was given to a key since stays, for it may
 * be that of a message which came behind our look. */
gboolean ml_numbers_keep(MlNumbers *numbers, const guint32 *uids, guint n, guint32 below, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* The key that has this number, read from the file; NULL: none. Quick for numbers that lie side by side. */
char *ml_numbers_key(MlNumbers *numbers, guint32 uid);

#endif
