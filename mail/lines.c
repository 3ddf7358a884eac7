#include "mail/lines-private.h"

#include <string.h>

#include "crypto/mapping.h"
#include "mail/spill.h"

enum { STEP = 1024 * 1024, BLOCK = 64 * 1024 };

/* The next part of a large message; what is behind it needs no memory any more. */
static gsize
step(const char *data, gsize at, gsize length)
{
  if (at >= STEP)
    crypto_mapping_release((const guint8 *)data + at - STEP, (const guint8 *)data + at);
  return MIN(length - at, (gsize)STEP);
}

static void
count(const char *data, gsize length, gsize *lf, gsize *crlf)
{
  *lf = *crlf = 0;
  for (gsize at = 0, part; at < length; at += part) {
    part = step(data, at, length);
    const char *end = data + at + part;
    for (const char *p = data + at; p < end && (p = memchr(p, '\n', (gsize)(end - p))); p++) {
      ++*lf;
      *crlf += p > data && p[-1] == '\r';
    }
  }
}

/* Every line end as CRLF, or as LF. */
static GBytes *
convert(const char *data, gsize length, gboolean crlf)
{
  MlSpill *spill = ml_spill_new();
  g_autofree char *block = g_malloc(BLOCK + 2);
  gsize at = 0;
  for (gsize i = 0; i < length; i++) {
    if (crlf && data[i] == '\n' && (i == 0 || data[i - 1] != '\r'))
      block[at++] = '\r';
    if (crlf || data[i] != '\r' || i + 1 == length || data[i + 1] != '\n')
      block[at++] = data[i];
    if (at < BLOCK)
      continue;
    ml_spill_add(spill, block, at);
    crypto_mapping_release((const guint8 *)data + i - MIN(i, (gsize)BLOCK), (const guint8 *)data + i);
    at = 0;
  }
  ml_spill_add(spill, block, at);
  GError *why = NULL;
  GBytes *made = ml_spill_end(spill, &why);
  if (!made)
    g_error("%s", why->message); /* as g_malloc() does when there is no memory */
  return made;
}

GBytes *
ml_lines_crlf(GBytes *bytes)
{
  gsize length, lf, crlf;
  const char *data = g_bytes_get_data(bytes, &length);
  count(data, length, &lf, &crlf);
  return lf == crlf ? g_bytes_ref(bytes) : convert(data, length, TRUE);
}

GBytes *
ml_lines_lf(GBytes *bytes)
{
  gsize length, lf, crlf;
  const char *data = g_bytes_get_data(bytes, &length);
  count(data, length, &lf, &crlf);
  return lf != crlf || !lf ? g_bytes_ref(bytes) : convert(data, length, FALSE);
}

gboolean
ml_lines_have(GBytes *bytes, MlOctets octets)
{
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  gboolean found = FALSE;
  for (gsize at = 0, part; at < length && !found; at += part) {
    part = step(data, at, length);
    if (octets == ML_OCTETS_NUL)
      found = memchr(data + at, '\0', part) != NULL;
    for (gsize i = at; octets == ML_OCTETS_8BIT && i < at + part && !found; i++)
      found = (data[i] & 0x80) != 0;
  }
  return found;
}
