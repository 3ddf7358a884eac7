#include "mail/spill.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mail/files.h"

enum { HEAP = 1024 * 1024, PIECE = 256 * 1024 };

struct MlSpill {
  GByteArray *buffer; /* all of it, or what was not written yet */
  int fd;             /* -1: still on the heap */
  gsize written;
  GError *error;
};

MlSpill *
ml_spill_new(void)
{
  MlSpill *spill = g_new0(MlSpill, 1);
  spill->buffer = g_byte_array_new();
  spill->fd = -1;
  return spill;
}

void
ml_spill_free(MlSpill *spill)
{
  if (!spill)
    return;
  g_clear_pointer(&spill->buffer, g_byte_array_unref);
  g_clear_error(&spill->error);
  if (spill->fd >= 0)
    close(spill->fd);
  g_free(spill);
}

static gboolean
fail(MlSpill *spill)
{
  if (!spill->error)
    g_set_error(&spill->error, ML_ERROR, ML_ERROR_FAILED,
                "There is not enough memory for a message of this size: %s. Take an attachment out.",
                g_strerror(errno));
  return FALSE;
}

static gboolean
write_out(MlSpill *spill)
{
  if (!spill->error && ml_files_write_all(spill->fd, spill->buffer->data, spill->buffer->len, "Memory", NULL))
    spill->written += spill->buffer->len;
  else
    fail(spill);
  g_byte_array_set_size(spill->buffer, 0);
  return spill->error == NULL;
}

void
ml_spill_add(MlSpill *spill, const void *data, gsize length)
{
  const guint8 *octets = data;
  while (length && !spill->error) {
    gsize take = MIN(length, (gsize)PIECE);
    g_byte_array_append(spill->buffer, octets, (guint)take);
    octets += take;
    length -= take;
    if (spill->fd < 0 && spill->buffer->len > HEAP) {
      spill->fd = memfd_create("signet", MFD_CLOEXEC);
      if (spill->fd < 0)
        fail(spill);
    }
    if (spill->fd >= 0 && spill->buffer->len >= PIECE)
      write_out(spill);
  }
}

void
ml_spill_text(MlSpill *spill, const char *text)
{
  ml_spill_add(spill, text, strlen(text));
}

GBytes *
ml_spill_end(MlSpill *spill, GError **error)
{
  g_autoptr(MlSpill) owned = spill;
  if (owned->fd < 0 && !owned->error)
    return g_byte_array_free_to_bytes(g_steal_pointer(&owned->buffer));
  if (owned->error || !write_out(owned)) {
    g_propagate_error(error, g_steal_pointer(&owned->error));
    return NULL;
  }
  g_autoptr(GMappedFile) mapped = g_mapped_file_new_from_fd(owned->fd, FALSE, NULL);
  if (mapped)
    return g_mapped_file_get_bytes(mapped);
  fail(owned);
  g_propagate_error(error, g_steal_pointer(&owned->error));
  return NULL;
}
