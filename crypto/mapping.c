#include "crypto/mapping.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/error.h"

typedef struct {
  guint8 *start, *end;
  gsize piece;   /* of each file but the last; 0: one file, which goes with its bytes */
  guint8 *spent; /* all before it; under the lock */
} Range;

/* The live mappings: dropping pages of any other memory would destroy it. Few, so a list will do. */
static GMutex lock;
static GArray *ranges; /* of Range; under the lock */

static void
unmap(gpointer data)
{
  Range *range = data;
  g_mutex_lock(&lock);
  for (guint i = 0; i < ranges->len; i++)
    if (g_array_index(ranges, Range, i).start == range->start) {
      g_array_remove_index_fast(ranges, i);
      break;
    }
  if (ranges->len == 0)
    g_clear_pointer(&ranges, g_array_unref);
  g_mutex_unlock(&lock);
  munmap(range->start, (gsize)(range->end - range->start));
  g_free(range);
}

static GBytes *
take(guint8 *start, gsize length, gsize piece)
{
  Range *range = g_new(Range, 1);
  *range = (Range){ start, start + length, piece, start };
  g_mutex_lock(&lock);
  if (!ranges)
    ranges = g_array_new(FALSE, FALSE, sizeof(Range));
  g_array_append_vals(ranges, range, 1);
  g_mutex_unlock(&lock);
  return g_bytes_new_with_free_func(start, length, unmap, range);
}

static GBytes *
set_unread(GError **error)
{
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED, "The message cannot be read from its file: %s.",
              g_strerror(errno));
  return NULL;
}

static gboolean
get_size(int fd, gsize *size, GError **error)
{
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED, "The message is not in an ordinary file.");
    return FALSE;
  }
  *size = (gsize)status.st_size;
  return TRUE;
}

GBytes *
crypto_mapping_new(int fd, GError **error)
{
  gsize length;
  if (!get_size(fd, &length, error))
    return NULL;
  if (length == 0)
    return g_bytes_new_static("", 0);
  guint8 *start = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
  return start == MAP_FAILED ? set_unread(error) : take(start, length, 0);
}

GBytes *
crypto_mapping_join(const int *fds, guint n, gsize piece, GError **error)
{
  gsize last, before = piece * (n - 1);
  if (n == 1)
    return crypto_mapping_new(fds[0], error);
  if (!get_size(fds[n - 1], &last, error))
    return NULL;
  guint8 *start = mmap(NULL, before + last, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED)
    return set_unread(error);
  for (guint i = 0; i < n; i++)
    if (mmap(start + i * piece, i + 1 < n ? piece : last, PROT_READ, MAP_PRIVATE | MAP_FIXED, fds[i], 0) == MAP_FAILED) {
      set_unread(error);
      munmap(start, before + last);
      return NULL;
    }
  return take(start, before + last, piece);
}

void
crypto_mapping_spend(const guint8 *to)
{
  g_mutex_lock(&lock);
  for (guint i = 0; ranges && i < ranges->len; i++) {
    Range *range = &g_array_index(ranges, Range, i);
    if (!range->piece || to <= range->start || to > range->end)
      continue;
    guint8 *upto = range->start + (gsize)(to - range->start) / range->piece * range->piece;
    /* What is laid over the files is their last mapping's end, and theirs. */
    if (upto > range->spent && mmap(range->spent, (gsize)(upto - range->spent), PROT_NONE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED)
      range->spent = upto;
  }
  g_mutex_unlock(&lock);
}

void
crypto_mapping_release(const guint8 *from, const guint8 *to)
{
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  /* The page in which @from lies has been read to its end by now, and nothing is lost by letting go of too much. */
  uintptr_t first = (uintptr_t)from & ~(page - 1), last = (uintptr_t)to & ~(page - 1);
  if (first >= last)
    return;
  g_mutex_lock(&lock);
  for (guint i = 0; ranges && i < ranges->len; i++) {
    const Range *range = &g_array_index(ranges, Range, i);
    if (from >= range->start && to <= range->end)
      madvise((void *)first, last - first,
              MADV_DONTNEED); /* clean pages of a private mapping: nothing is lost */
  }
  g_mutex_unlock(&lock);
}
