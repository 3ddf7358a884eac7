#include "mail/spill.h"

#include <string.h>

#include "crypto/mapping.h"
#include "crypto/spool.h"

enum { STEP = 1024 * 1024 };

struct MlSpill {
  CryptoSpool *spool;
  GError *error;
};

MlSpill *
ml_spill_new(void)
{
  MlSpill *spill = g_new0(MlSpill, 1);
  spill->spool = crypto_spool_new();
  return spill;
}

void
ml_spill_free(MlSpill *spill)
{
  if (!spill)
    return;
  crypto_spool_free(spill->spool);
  g_clear_error(&spill->error);
  g_free(spill);
}

void
ml_spill_add(MlSpill *spill, const void *data, gsize length)
{
  const guint8 *octets = data;
  gboolean good = TRUE;
  while (length > 0 && good && !spill->error) {
    gsize part = MIN(length, (gsize)STEP);
    good = crypto_spool_add(spill->spool, octets, part, NULL);
    crypto_mapping_release(octets, octets + part);
    octets += part;
    length -= part;
  }
  if (!good)
    g_set_error_literal(&spill->error, ML_ERROR, ML_ERROR_FAILED,
                        "There is not enough memory for a message of this size. Take an attachment out.");
}

void
ml_spill_text(MlSpill *spill, const char *text)
{
  ml_spill_add(spill, text, strlen(text));
}

gsize
ml_spill_length(const MlSpill *spill)
{
  return crypto_spool_length(spill->spool);
}

GBytes *
ml_spill_end(MlSpill *spill, GError **error)
{
  g_autoptr(MlSpill) owned = spill;
  if (owned->error) {
    g_propagate_error(error, g_steal_pointer(&owned->error));
    return NULL;
  }
  return crypto_spool_finish(owned->spool, error);
}
