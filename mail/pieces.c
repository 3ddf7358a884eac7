#include "mail/pieces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"

/* The file: a line that says what and whose it is, then pieces. A piece: MARK, its octets, how many numbers, the digest of
 * the octets, a check over all of that and the numbers; the numbers; the octets. Big endian. */
#define MAGIC "signet-pieces 1 "
enum {
  OWNER = 64,
  HEAD = sizeof MAGIC - 1 + OWNER + 1,
  MARK = 0x534e5043,
  DIGEST = 16,
  CHECK = 8,
  FRAME = 4 + 4 + 4 + DIGEST + CHECK,
  STEP = 256 * 1024,
  TRIES = 256,
};

typedef struct {
  goffset at; /* of the frame */
  guint32 length, n;
  guint8 digest[DIGEST], check[CHECK];
  guint64 *ids;
} Piece;

struct MlPieces {
  char *path, *owner;
  int fd; /* -1: there is no file */
  GPtrArray *all; /* of Piece */
  goffset end;    /* of the last of them */
};

static void
piece_free(gpointer data)
{
  Piece *piece = data;
  g_free(piece->ids);
  g_free(piece);
}

void
ml_pieces_free(MlPieces *pieces)
{
  if (!pieces)
    return;
  if (pieces->fd >= 0)
    close(pieces->fd);
  g_ptr_array_unref(pieces->all);
  g_free(pieces->path);
  g_free(pieces->owner);
  g_free(pieces);
}

static goffset
octets_at(const Piece *piece)
{
  return piece->at + FRAME + (goffset)piece->n * 8;
}

static goffset
end_of(const Piece *piece)
{
  return octets_at(piece) + piece->length;
}

/* ---- one frame */

static guint32
get32(const guint8 *from)
{
  guint32 value;
  memcpy(&value, from, sizeof value);
  return GUINT32_FROM_BE(value);
}

static void
put32(guint8 *to, guint32 value)
{
  value = GUINT32_TO_BE(value);
  memcpy(to, &value, sizeof value);
}

static void
digest(GChecksum *sum, guint8 *into, gsize wanted)
{
  guint8 all[32];
  gsize length = sizeof all;
  g_checksum_get_digest(sum, all, &length);
  memcpy(into, all, wanted);
}

/* Over what stands before the check, and the numbers as they stand in the file. */
static void
check_of(const guint8 *frame, const guint8 *numbers, gsize length, guint8 check[CHECK])
{
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(sum, frame, FRAME - CHECK);
  g_checksum_update(sum, numbers, (gssize)length);
  digest(sum, check, CHECK);
}

static void
digest_of(GBytes *octets, guint8 into[DIGEST])
{
  gsize length;
  const guint8 *data = g_bytes_get_data(octets, &length);
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(sum, data, (gssize)length);
  digest(sum, into, DIGEST);
}

/* Frame and numbers, as they are written. */
static GByteArray *
frame_of(const GArray *ids, GBytes *octets)
{
  guint8 frame[FRAME] = { 0 };
  GByteArray *whole = g_byte_array_new();
  put32(frame, MARK);
  put32(frame + 4, (guint32)g_bytes_get_size(octets));
  put32(frame + 8, ids->len);
  digest_of(octets, frame + 12);
  g_byte_array_append(whole, frame, FRAME);
  for (guint i = 0; i < ids->len; i++) {
    guint64 id = GUINT64_TO_BE(g_array_index(ids, guint64, i));
    g_byte_array_append(whole, (const guint8 *)&id, sizeof id);
  }
  check_of(whole->data, whole->data + FRAME, whole->len - FRAME, whole->data + FRAME - CHECK);
  return whole;
}

/* ---- reading the file, under the lock */

typedef enum { NEXT_PIECE, NEXT_NONE, NEXT_ERROR } Next;

/* NEXT_NONE: no piece begins here that is there as a whole. */
static Next
read_frame(const MlPieces *pieces, goffset at, goffset size, Piece *piece, GError **error)
{
  guint8 frame[FRAME], check[CHECK];
  gssize n = ml_files_pread(pieces->fd, frame, FRAME, at, pieces->path, error);
  if (n < 0)
    return NEXT_ERROR;
  if (n < FRAME || get32(frame) != MARK)
    return NEXT_NONE;
  piece->at = at;
  piece->length = get32(frame + 4);
  piece->n = get32(frame + 8);
  if (piece->length > ML_PIECES_PIECE || piece->n > ML_PIECES_IDS || end_of(piece) > size)
    return NEXT_NONE;
  gsize numbers = (gsize)piece->n * 8;
  g_free(piece->ids);
  piece->ids = g_malloc(numbers + 1);
  n = ml_files_pread(pieces->fd, piece->ids, numbers, at + FRAME, pieces->path, error);
  if (n < 0)
    return NEXT_ERROR;
  if ((gsize)n < numbers)
    return NEXT_NONE;
  check_of(frame, (const guint8 *)piece->ids, numbers, check);
  if (memcmp(check, frame + FRAME - CHECK, CHECK) != 0)
    return NEXT_NONE;
  memcpy(piece->digest, frame + 12, DIGEST);
  memcpy(piece->check, check, CHECK);
  for (guint i = 0; i < piece->n; i++)
    piece->ids[i] = GUINT64_FROM_BE(piece->ids[i]);
  return NEXT_PIECE;
}

/* Behind what makes no sense: the first frame whose check is right. NEXT_NONE: there is none. *@tries: what looks like a
 * frame and is none costs time, so there is an end to it, and 0 says that it was come to. */
static Next
find_frame(const MlPieces *pieces, goffset at, goffset size, guint *tries, Piece *piece, GError **error)
{
  const guint8 mark[] = { MARK >> 24, MARK >> 16 & 0xff, MARK >> 8 & 0xff, MARK & 0xff };
  g_autofree guint8 *some = g_malloc(STEP);
  while (at < size) {
    gssize n = ml_files_pread(pieces->fd, some, STEP, at, pieces->path, error);
    if (n < 0)
      return NEXT_ERROR;
    const guint8 *end = some + n, *found = some;
    while ((found = memmem(found, (gsize)(end - found), mark, sizeof mark))) {
      Next next = *tries ? read_frame(pieces, at + (found - some), size, piece, error) : NEXT_NONE;
      if (next != NEXT_NONE || !*tries)
        return next;
      --*tries;
      found++;
    }
    if (n < STEP)
      break;
    at += n - (gssize)sizeof mark + 1; /* one may lie across */
  }
  return NEXT_NONE;
}

static char *
head_of(const char *owner)
{
  return g_strdup_printf(MAGIC "%-*.*s\n", OWNER, OWNER, owner);
}

/* Nobody can tell any more what its pieces are: it is of no use to anybody. */
static gboolean
set_aside(const MlPieces *pieces, GError **error)
{
  g_autofree char *aside = g_strconcat(pieces->path, ".damaged", NULL);
  if (rename(pieces->path, aside) < 0) {
    ml_files_error(error, errno, "renamed", pieces->path);
    return FALSE;
  }
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s was damaged; it is kept as %s, and begun anew.", pieces->path, aside);
  return FALSE;
}

/* The owner's own file, or one that can be taken for it: FALSE without an error is another's, or half a line. */
static gboolean
is_ours(const MlPieces *pieces, goffset size, gboolean *damaged, GError **error)
{
  char head[HEAD + 1] = "";
  g_autofree char *wanted = head_of(pieces->owner);
  gssize n = ml_files_pread(pieces->fd, head, HEAD, 0, pieces->path, error);
  *damaged = FALSE;
  if (n < 0)
    return FALSE;
  if (n == HEAD && memcmp(head, wanted, HEAD) == 0)
    return TRUE;
  gboolean begun = memcmp(head, MAGIC, MIN((gsize)n, strlen(MAGIC))) == 0;
  *damaged = !begun || (n == HEAD && head[HEAD - 1] != '\n');
  return FALSE;
}

/* Begins it, where there is nothing yet or what there is belongs to another mailbox of the same name. */
static gboolean
begin(MlPieces *pieces, GError **error)
{
  g_autofree char *head = head_of(pieces->owner), *folder = g_path_get_dirname(pieces->path);
  if (ftruncate(pieces->fd, 0) < 0 || fsync(pieces->fd) < 0) {
    ml_files_error(error, errno, "written", pieces->path);
    return FALSE;
  }
  pieces->end = HEAD;
  return ml_files_pwrite_all(pieces->fd, head, HEAD, 0, pieces->path, error) &&
         ml_files_sync_folder(folder, error);
}

/* Can an append that did not come to its end have left this frame: not at all, or before the octets are all there? */
static gboolean
is_torn(const MlPieces *pieces, goffset at, goffset size)
{
  static const guint8 none[FRAME];
  guint8 frame[FRAME];
  if (ml_files_pread(pieces->fd, frame, FRAME, at, pieces->path, NULL) < FRAME || memcmp(frame, none, FRAME) == 0)
    return TRUE;
  const Piece piece = { .at = at, .length = get32(frame + 4), .n = get32(frame + 8) };
  return get32(frame) == MARK && piece.length <= ML_PIECES_PIECE && piece.n <= ML_PIECES_IDS && end_of(&piece) > size;
}

/* A piece is written before its frame is, so that nothing right stands behind a frame that is none, where a power cut has
 * made it so: that tail is cut off. Where there is something right behind it, what is between was damaged since, and is
 * left out. A file in which nothing is right is not emptied without a word. */
static gboolean
scan(MlPieces *pieces, goffset size, GError **error)
{
  guint tries = TRIES;
  pieces->end = HEAD;
  while (pieces->end < size) {
    Piece *piece = g_new0(Piece, 1);
    Next next = read_frame(pieces, pieces->end, size, piece, error);
    if (next == NEXT_NONE)
      next = find_frame(pieces, pieces->end + 1, size, &tries, piece, error);
    if (next == NEXT_PIECE && pieces->all->len < ML_PIECES_MAX) {
      g_ptr_array_add(pieces->all, piece);
      pieces->end = end_of(piece);
      continue;
    }
    piece_free(piece);
    if (next == NEXT_PIECE || !tries || (next == NEXT_NONE && !pieces->all->len && !is_torn(pieces, HEAD, size)))
      return set_aside(pieces, error);
    if (next == NEXT_NONE && ftruncate(pieces->fd, pieces->end) < 0) {
      ml_files_error(error, errno, "written", pieces->path);
      return FALSE;
    }
    return next == NEXT_NONE;
  }
  return TRUE;
}

/* The file as it is, torn pieces cut off. @make: there shall be one. */
static gboolean
look(MlPieces *pieces, gboolean make, GError **error)
{
  struct stat about;
  gboolean damaged;
  GError *why = NULL;
  pieces->fd = open(pieces->path, O_RDWR | (make ? O_CREAT : 0) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (pieces->fd < 0 && errno == ENOENT && !make)
    return TRUE;
  if (pieces->fd < 0 || fstat(pieces->fd, &about) < 0 || !S_ISREG(about.st_mode)) {
    ml_files_error(error, pieces->fd < 0 ? errno : EINVAL, "opened", pieces->path);
    return FALSE;
  }
  if (about.st_size > ML_PIECES_FILE)
    return set_aside(pieces, error);
  if (is_ours(pieces, about.st_size, &damaged, &why))
    return scan(pieces, about.st_size, error);
  if (!why)
    return damaged ? set_aside(pieces, error) : begin(pieces, error);
  g_propagate_error(error, why);
  return FALSE;
}

static int
lock(const char *path, GError **error)
{
  g_autofree char *file = g_strconcat(path, ".lock", NULL);
  return ml_files_lock(file, error);
}

static MlPieces *
pieces_new(const char *path, const char *owner)
{
  MlPieces *pieces = g_new0(MlPieces, 1);
  pieces->path = g_strdup(path);
  pieces->owner = g_strdup(owner);
  pieces->fd = -1;
  pieces->end = HEAD;
  pieces->all = g_ptr_array_new_with_free_func(piece_free);
  return pieces;
}

MlPieces *
ml_pieces_open(const char *path, const char *owner, GError **error)
{
  g_autoptr(MlPieces) pieces = pieces_new(path, owner);
  if (access(path, F_OK) < 0 && errno == ENOENT)
    return g_steal_pointer(&pieces);
  int held = lock(path, error);
  if (held < 0)
    return NULL;
  gboolean ok = look(pieces, FALSE, error);
  close(held);
  return ok ? g_steal_pointer(&pieces) : NULL;
}

guint
ml_pieces_count(const MlPieces *pieces)
{
  return pieces->all->len;
}

gint64
ml_pieces_written(const MlPieces *pieces)
{
  struct stat about;
  return pieces->fd >= 0 && fstat(pieces->fd, &about) == 0 ? about.st_mtime : 0;
}

const guint64 *
ml_pieces_ids(const MlPieces *pieces, guint i, guint *n)
{
  const Piece *piece = pieces->all->pdata[i];
  *n = piece->n;
  return piece->ids;
}

GBytes *
ml_pieces_get(MlPieces *pieces, guint i, GError **error)
{
  const Piece *piece = pieces->all->pdata[i];
  guint8 got[DIGEST];
  guint8 *data = g_try_malloc((gsize)piece->length + 1);
  gssize n = data ? ml_files_pread(pieces->fd, data, piece->length, octets_at(piece), pieces->path, error) : -1;
  if (!data)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_STORE, "There is no memory for a piece of this size.");
  if (n < 0) {
    g_free(data);
    return NULL;
  }
  g_autoptr(GBytes) octets = g_bytes_new_take(data, (gsize)n);
  digest_of(octets, got);
  if (n == (gssize)piece->length && memcmp(got, piece->digest, DIGEST) == 0)
    return g_steal_pointer(&octets);
  g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "A part of %s was damaged and is left out.", pieces->path);
  return NULL;
}

/* ---- writing it */

static gboolean
has_room(const MlPieces *pieces, const GArray *ids, GBytes *sealed, GError **error)
{
  gsize length = g_bytes_get_size(sealed);
  if (pieces->all->len < ML_PIECES_MAX && ids->len <= ML_PIECES_IDS && length <= ML_PIECES_PIECE &&
      pieces->end + FRAME + (goffset)ids->len * 8 + (goffset)length <= ML_PIECES_FILE)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "There is no more room in %s.", pieces->path);
  return FALSE;
}

static gboolean
on_disk(int fd, const char *path, GError **error)
{
  if (fdatasync(fd) == 0)
    return TRUE;
  ml_files_error(error, errno, "written", path);
  return FALSE;
}

/* A disk may have written the last of it first when its power is cut: the frame, which says that it is all there, comes
 * when it is. */
static gboolean
append_piece(int fd, const char *path, const GArray *ids, GBytes *sealed, goffset at, GError **error)
{
  g_autoptr(GByteArray) frame = frame_of(ids, sealed);
  gsize length, numbers = frame->len - FRAME;
  const void *data = g_bytes_get_data(sealed, &length);
  return ml_files_pwrite_all(fd, frame->data + FRAME, numbers, at + FRAME, path, error) &&
         ml_files_pwrite_all(fd, data, length, at + (goffset)frame->len, path, error) && on_disk(fd, path, error) &&
         ml_files_pwrite_all(fd, frame->data, FRAME, at, path, error) && on_disk(fd, path, error);
}

/* Into a file that is not in its place yet. */
static gboolean
write_piece(int fd, const char *path, const GArray *ids, GBytes *sealed, goffset at, GError **error)
{
  g_autoptr(GByteArray) frame = frame_of(ids, sealed);
  gsize length;
  const void *data = g_bytes_get_data(sealed, &length);
  return ml_files_pwrite_all(fd, frame->data, frame->len, at, path, error) &&
         ml_files_pwrite_all(fd, data, length, at + (goffset)frame->len, path, error);
}

gboolean
ml_pieces_append(const char *path, const char *owner, const GArray *ids, GBytes *sealed, GError **error)
{
  g_autoptr(MlPieces) pieces = pieces_new(path, owner);
  int held = lock(path, error);
  if (held < 0)
    return FALSE;
  gboolean ok = look(pieces, TRUE, error) && has_room(pieces, ids, sealed, error);
  if (ok && !append_piece(pieces->fd, path, ids, sealed, pieces->end, error)) {
    ok = FALSE;
    if (ftruncate(pieces->fd, pieces->end) < 0)
      g_message("%s ends with half a piece", path); /* which the next one sees */
  }
  close(held);
  return ok;
}

static gboolean
copy(const MlPieces *from, const Piece *piece, int fd, const char *path, goffset *at, GError **error)
{
  g_autofree guint8 *some = g_malloc(STEP);
  for (goffset next = piece->at, end = end_of(piece); next < end;) {
    gssize n = ml_files_pread(from->fd, some, (gsize)MIN(end - next, (goffset)STEP), next, from->path, error);
    if (n <= 0) {
      if (!n)
        ml_files_error(error, EIO, "read", from->path);
      return FALSE;
    }
    if (!ml_files_pwrite_all(fd, some, (gsize)n, *at, path, error))
      return FALSE;
    next += n;
    *at += n;
  }
  return TRUE;
}

static gboolean
write_anew(const MlPieces *now, const GArray *gone, const GArray *ids, GBytes *sealed, int fd, const char *path,
           GError **error)
{
  g_autofree char *head = head_of(now->owner);
  goffset at = HEAD;
  if (!ml_files_pwrite_all(fd, head, HEAD, 0, path, error))
    return FALSE;
  if (sealed) {
    if (!write_piece(fd, path, ids, sealed, at, error))
      return FALSE;
    at += FRAME + (goffset)ids->len * 8 + (goffset)g_bytes_get_size(sealed);
  }
  for (guint i = 0; i < now->all->len; i++)
    if ((i >= gone->len || !g_array_index(gone, gboolean, i)) && !copy(now, now->all->pdata[i], fd, path, &at, error))
      return FALSE;
  if (fsync(fd) == 0)
    return TRUE;
  ml_files_error(error, errno, "written", path);
  return FALSE;
}

static gboolean
put_in_place(const MlPieces *now, const GArray *gone, const GArray *ids, GBytes *sealed, GError **error)
{
  g_autofree char *temporary = g_strconcat(now->path, ".new", NULL), *folder = g_path_get_dirname(now->path);
  unlink(temporary); /* of one that was killed: we have the lock */
  int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    ml_files_error(error, errno, "made", temporary);
    return FALSE;
  }
  gboolean ok = write_anew(now, gone, ids, sealed, fd, temporary, error);
  close(fd);
  if (ok && rename(temporary, now->path) < 0) {
    ml_files_error(error, errno, "written", now->path);
    ok = FALSE;
  }
  if (!ok)
    unlink(temporary);
  return ok && ml_files_sync_folder(folder, error);
}

/* Does the file still begin with what was looked at? */
static gboolean
begins_with(const MlPieces *now, const MlPieces *before)
{
  if (now->all->len < before->all->len)
    return FALSE;
  for (guint i = 0; i < before->all->len; i++) {
    const Piece *a = now->all->pdata[i], *b = before->all->pdata[i];
    if (a->at != b->at || memcmp(a->check, b->check, CHECK) != 0)
      return FALSE;
  }
  return TRUE;
}

gboolean
ml_pieces_replace(MlPieces *pieces, const GArray *gone, const GArray *ids, GBytes *sealed, gboolean *done, GError **error)
{
  g_autoptr(MlPieces) now = pieces_new(pieces->path, pieces->owner);
  *done = FALSE;
  if (sealed && (ids->len > ML_PIECES_IDS || g_bytes_get_size(sealed) > ML_PIECES_PIECE)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "There is no more room in %s.", pieces->path);
    return FALSE;
  }
  int held = lock(pieces->path, error);
  if (held < 0)
    return FALSE;
  gboolean ok = look(now, FALSE, error);
  if (ok && now->fd >= 0 && begins_with(now, pieces))
    ok = *done = put_in_place(now, gone, ids, sealed, error);
  close(held);
  return ok;
}

gboolean
ml_pieces_remove(const char *path, gboolean *any, GError **error)
{
  static const char *const suffixes[] = { "", ".damaged", ".new" };
  gboolean there = FALSE, ok = TRUE;
  *any = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
    g_autofree char *file = g_strconcat(path, suffixes[i], NULL);
    there |= g_file_test(file, G_FILE_TEST_EXISTS) || g_file_test(file, G_FILE_TEST_IS_SYMLINK);
  }
  if (!there)
    return TRUE;
  int held = lock(path, error);
  if (held < 0)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(suffixes) && ok; i++) {
    g_autofree char *file = g_strconcat(path, suffixes[i], NULL);
    if (unlink(file) == 0)
      *any = TRUE;
    else if (errno != ENOENT) {
      ml_files_error(error, errno, "removed", file);
      ok = FALSE;
    }
  }
  close(held);
  return ok;
}
