#include "mail/lines-private.h"

#include <string.h>

static void
count(const char *data, gsize length, gsize *lf, gsize *crlf)
{
  *lf = *crlf = 0;
  const char *end = data + length;
  for (const char *p = data; p < end && (p = memchr(p, '\n', (gsize)(end - p))); p++) {
    ++*lf;
    *crlf += p > data && p[-1] == '\r';
  }
}

GBytes *
ml_lines_crlf(GBytes *bytes)
{
  gsize length, lf, crlf, at = 0;
  const char *data = g_bytes_get_data(bytes, &length);
  count(data, length, &lf, &crlf);
  if (lf == crlf)
    return g_bytes_ref(bytes);
  gsize size = length + lf - crlf;
  char *out = g_malloc(size);
  for (gsize i = 0; i < length; i++) {
    if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r'))
      out[at++] = '\r';
    out[at++] = data[i];
  }
  return g_bytes_new_take(out, size);
}

GBytes *
ml_lines_lf(GBytes *bytes)
{
  gsize length, lf, crlf, at = 0;
  const char *data = g_bytes_get_data(bytes, &length);
  count(data, length, &lf, &crlf);
  if (lf != crlf || !lf)
    return g_bytes_ref(bytes);
  gsize size = length - crlf;
  char *out = g_malloc(size);
  for (gsize i = 0; i < length; i++)
    if (data[i] != '\r' || i + 1 == length || data[i + 1] != '\n')
      out[at++] = data[i];
  return g_bytes_new_take(out, size);
}
