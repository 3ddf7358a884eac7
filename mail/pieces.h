#ifndef ML_PIECES_H
#define ML_PIECES_H

#include "mail/error.h"

/* A file that grows by pieces: octets of which nothing is known here but how many they are, and the numbers of what is
 * in them, as the writer has it. It belongs to one owner; what is another's is begun anew. Several processes may use
 * it: a lock beside it (PATH.lock) is held for as long as it is looked at or written. A piece that a kill or a power
 * cut left half written is cut off; one that was changed since is left out, and those before and behind it stay; a
 * file that does not begin as it should, is too large, or has no piece that is right, is set aside as PATH.damaged,
 * and the call that met it fails with STORE, and the next one works. Blocks on the disk; any thread, each with handles
 * of its own. */
enum {
  ML_PIECES_MAX = 4096,                   /* in a file */
  ML_PIECES_IDS = 128 * 1024,             /* numbers in a piece */
  ML_PIECES_PIECE = 128 * 1024 * 1024,    /* octets of one */
  ML_PIECES_FILE = 256 * 1024 * 1024,     /* of all */
};

typedef struct MlPieces MlPieces;
/* As it is now; what is appended later is not in it. Empty where there is no file. @owner: at most 64 letters and digits. */
MlPieces *ml_pieces_open(const char *path, const char *owner, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_pieces_free(MlPieces *pieces);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlPieces, ml_pieces_free)
guint ml_pieces_count(const MlPieces *pieces);
gint64 ml_pieces_written(const MlPieces *pieces); /* Unix seconds; 0: there is no file */
const guint64 *ml_pieces_ids(const MlPieces *pieces, guint i, guint *n); /* borrowed */
/* Errors: MALFORMED: it was changed since it was written; STORE. Transfer full. */
GBytes *ml_pieces_get(MlPieces *pieces, guint i, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* @ids: array of guint64. On the disk when it returns TRUE. Errors: FAILED where there is no more room in it, STORE. */
gboolean ml_pieces_append(const char *path, const char *owner, const GArray *ids, GBytes *sealed,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Those of @pieces that @gone (array of gboolean, one each) says go, and one with @ids and @sealed (both NULL: none) is
 * there in their stead; what was appended meanwhile stays. At any moment the old file or the new one is there.
 * *@done FALSE: another process was quicker, and nothing was changed. */
gboolean ml_pieces_replace(MlPieces *pieces, const GArray *gone, const GArray *ids, GBytes *sealed, gboolean *done,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes the file away, and what was set aside of it. *@any: there was one. */
gboolean ml_pieces_remove(const char *path, gboolean *any, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
