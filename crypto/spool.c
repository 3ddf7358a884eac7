#include "crypto/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/error.h"
#include "crypto/mapping.h"

enum { FIRST_ROOM = 4096, STAGE = 256 * 1024, PIECE = 16 * 1024 * 1024, FILES_MAX = 16 };

struct CryptoSpool {
  guint8 *data; /* what is not in a file: all of it, or up to STAGE octets, since the kernel likes whole pages */
  gsize used, room;
  GArray *files; /* of int; empty: none yet, or this kernel has none to give */
  gsize filled;  /* of the last file */
  gboolean no_file;
  gsize length; /* of all of it */
};

CryptoSpool *
crypto_spool_new(void)
{
  CryptoSpool *spool = g_new0(CryptoSpool, 1);
  spool->files = g_array_new(FALSE, FALSE, sizeof(int));
  return spool;
}

static void
drop_heap(CryptoSpool *spool)
{
  if (spool->data)
    explicit_bzero(spool->data, spool->room);
  g_clear_pointer(&spool->data, g_free);
  spool->used = spool->room = 0;
}

void
crypto_spool_empty(CryptoSpool *spool)
{
  drop_heap(spool);
  for (guint i = 0; i < spool->files->len; i++)
    close(g_array_index(spool->files, int, i));
  g_array_set_size(spool->files, 0);
  spool->filled = 0;
  spool->length = 0;
}

void
crypto_spool_free(CryptoSpool *spool)
{
  if (!spool)
    return;
  crypto_spool_empty(spool);
  g_array_unref(spool->files);
  g_free(spool);
}

gsize
crypto_spool_length(const CryptoSpool *spool)
{
  return spool->length;
}

static gboolean
set_full(GError **error)
{
  g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED,
                      "There is not enough memory for this message. Close other programs and open it again.");
  return FALSE;
}

static gboolean
write_all(int fd, const guint8 *data, gsize length, GError **error)
{
  while (length > 0) {
    gssize n = write(fd, data, length);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return set_full(error);
    data += n;
    length -= (gsize)n;
  }
  return TRUE;
}

/* Another file; FALSE: there is none to be had. */
static gboolean
add_file(CryptoSpool *spool)
{
  int fd = memfd_create("signet", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0)
    return FALSE;
  g_array_append_val(spool->files, fd);
  spool->filled = 0;
  return TRUE;
}

/* PIECE octets to a file, so that each can go for itself (crypto_mapping_spend()). Where no more files are to be had, or
 * there are enough, the last one takes the rest. */
static gboolean
write_out(CryptoSpool *spool, gsize length, GError **error)
{
  if (spool->filled == PIECE && spool->files->len < FILES_MAX)
    (void)add_file(spool);
  spool->filled += length;
  return write_all(g_array_index(spool->files, int, spool->files->len - 1), spool->data, length, error);
}

/* The heap's part goes into a file, and everything does from now on. */
static gboolean
move_to_file(CryptoSpool *spool, GError **error)
{
  if (!add_file(spool)) {
    spool->no_file = TRUE; /* a sandbox may forbid it: then it takes memory of ours */
    return TRUE;
  }
  gsize whole = spool->used - spool->used % STAGE, rest = spool->used - whole;
  if (!write_out(spool, whole, error))
    return FALSE;
  guint8 *stage = g_malloc(STAGE);
  if (rest)
    memcpy(stage, spool->data + whole, rest);
  drop_heap(spool);
  spool->data = stage;
  spool->used = rest;
  spool->room = STAGE;
  return TRUE;
}

static gboolean
add_to_file(CryptoSpool *spool, const guint8 *data, gsize length, GError **error)
{
  while (length > 0) {
    gsize part = MIN(length, STAGE - spool->used);
    memcpy(spool->data + spool->used, data, part);
    spool->used += part;
    data += part;
    length -= part;
    if (spool->used == STAGE) {
      if (!write_out(spool, STAGE, error))
        return FALSE;
      spool->used = 0;
    }
  }
  return TRUE;
}

/* No g_realloc(): it would leave a copy behind that nobody wipes. */
static gboolean
make_room(CryptoSpool *spool, gsize length, GError **error)
{
  if (length <= spool->room - spool->used)
    return TRUE;
  gsize room = MAX(MAX(spool->room * 2, spool->used + length), (gsize)FIRST_ROOM);
  guint8 *data = g_try_malloc(room);
  if (!data)
    return set_full(error);
  if (spool->data) {
    memcpy(data, spool->data, spool->used);
    explicit_bzero(spool->data, spool->used);
    g_free(spool->data);
  }
  spool->data = data;
  spool->room = room;
  return TRUE;
}

gboolean
crypto_spool_add(CryptoSpool *spool, gconstpointer data, gsize length, GError **error)
{
  if (length == 0)
    return TRUE;
  if (length > G_MAXSSIZE - spool->length)
    return set_full(error);
  if (!spool->files->len && !spool->no_file && spool->length + length > CRYPTO_SPOOL_HEAP &&
      !move_to_file(spool, error))
    return FALSE;
  if (spool->files->len) {
    if (!add_to_file(spool, data, length, error))
      return FALSE;
  } else {
    if (!make_room(spool, length, error))
      return FALSE;
    memcpy(spool->data + spool->used, data, length);
    spool->used += length;
  }
  spool->length += length;
  return TRUE;
}

GBytes *
crypto_spool_finish(CryptoSpool *spool, GError **error)
{
  GBytes *bytes = NULL;
  GArray *files = spool->files;
  if (files->len) {
    if (spool->used && !write_out(spool, spool->used, error))
      return NULL;
    /* Where seals are not known they still have no other name or descriptor that they could be changed by. */
    for (guint i = 0; i < files->len; i++)
      (void)fcntl(g_array_index(files, int, i), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    bytes = crypto_mapping_join((const int *)(gconstpointer)files->data, files->len, PIECE, error);
  } else {
    bytes = g_bytes_new_take(g_steal_pointer(&spool->data), spool->used);
  }
  crypto_spool_empty(spool);
  return bytes;
}
