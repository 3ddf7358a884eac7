#include "crypto/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/error.h"
#include "crypto/mapping.h"

enum { FIRST_ROOM = 4096, STAGE = 256 * 1024 };

struct CryptoSpool {
  guint8 *data; /* what is not in the file: all of it, or up to STAGE octets, since the kernel likes whole pages */
  gsize used, room;
  int fd; /* -1: none yet, or this kernel has none to give */
  gboolean no_file;
  gsize length; /* of all of it */
};

CryptoSpool *
crypto_spool_new(void)
{
  CryptoSpool *spool = g_new0(CryptoSpool, 1);
  spool->fd = -1;
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
  if (spool->fd >= 0)
    close(spool->fd);
  spool->fd = -1;
  spool->length = 0;
}

void
crypto_spool_free(CryptoSpool *spool)
{
  if (!spool)
    return;
  crypto_spool_empty(spool);
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

/* The heap's part goes into the file, which takes everything from now on. */
static gboolean
move_to_file(CryptoSpool *spool, GError **error)
{
  spool->fd = memfd_create("signet", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (spool->fd < 0) {
    spool->no_file = TRUE; /* a sandbox may forbid it: then it takes memory of ours */
    return TRUE;
  }
  gsize whole = spool->used - spool->used % STAGE, rest = spool->used - whole;
  if (!write_all(spool->fd, spool->data, whole, error))
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
      if (!write_all(spool->fd, spool->data, STAGE, error))
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
  if (spool->fd < 0 && !spool->no_file && spool->length + length > CRYPTO_SPOOL_HEAP &&
      !move_to_file(spool, error))
    return FALSE;
  if (spool->fd >= 0) {
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
  if (spool->fd >= 0) {
    if (!write_all(spool->fd, spool->data, spool->used, error))
      return NULL;
    /* Where seals are not known it still has no other name or descriptor that it could be changed by. */
    (void)fcntl(spool->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    bytes = crypto_mapping_new(spool->fd, error);
  } else {
    bytes = g_bytes_new_take(g_steal_pointer(&spool->data), spool->used);
  }
  crypto_spool_empty(spool);
  return bytes;
}
