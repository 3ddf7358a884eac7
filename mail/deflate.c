#include "mail/deflate-private.h"

#include <zlib.h>

enum { RAW = -15, MEMORY = 8, STEP = 16384 };

struct MlDeflate {
  z_stream in, out;
  GByteArray *raw; /* fed, not yet unpacked */
  gsize taken;
  gboolean more;   /* the last read was full: there may be more behind */
};

MlDeflate *
ml_deflate_new(void)
{
  MlDeflate *both = g_new0(MlDeflate, 1);
  both->raw = g_byte_array_new();
  gboolean ok = inflateInit2(&both->in, RAW) == Z_OK &&
                deflateInit2(&both->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW, MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
  g_assert(ok); /* as g_malloc() does when there is no memory */
  return both;
}

void
ml_deflate_free(MlDeflate *both)
{
  if (!both)
    return;
  inflateEnd(&both->in);
  deflateEnd(&both->out);
  g_byte_array_unref(both->raw);
  g_free(both);
}

void
ml_deflate_feed(MlDeflate *both, const void *data, gsize length)
{
  if (both->taken == both->raw->len) {
    g_byte_array_set_size(both->raw, 0);
    both->taken = 0;
  }
  g_byte_array_append(both->raw, data, (guint)length);
}

gboolean
ml_deflate_pending(const MlDeflate *both)
{
  return both->more || both->taken < both->raw->len;
}

gsize
ml_deflate_read(MlDeflate *both, void *buffer, gsize length, GError **error)
{
  z_stream *in = &both->in;
  if (!ml_deflate_pending(both))
    return 0;
  in->next_in = both->raw->data + both->taken;
  in->avail_in = both->raw->len - (guint)both->taken;
  in->next_out = buffer;
  in->avail_out = (uInt)length;
  int code = inflate(in, Z_SYNC_FLUSH);
  both->taken = both->raw->len - in->avail_in;
  both->more = in->avail_out == 0;
  gsize got = length - in->avail_out;
  /* Z_BUF_ERROR: there was nothing to do. The end of the stream is none that this protocol knows. */
  if (code == Z_OK || code == Z_BUF_ERROR || (code == Z_STREAM_END && got && !in->avail_in))
    return got;
  g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL,
              "The mail server broke the rules of IMAP: what it sent cannot be unpacked. The connection was closed; "
              "compress = never in signet.conf does without.");
  return 0;
}

GByteArray *
ml_deflate_write(MlDeflate *both, const void *data, gsize length)
{
  GByteArray *packed = g_byte_array_new();
  z_stream *out = &both->out;
  guint8 step[STEP];
  out->next_in = (Bytef *)data;
  out->avail_in = (uInt)length;
  do {
    out->next_out = step;
    out->avail_out = sizeof step;
    int code = deflate(out, Z_SYNC_FLUSH);
    g_assert(code == Z_OK || code == Z_BUF_ERROR); /* it fails for wrong arguments only */
    g_byte_array_append(packed, step, (guint)(sizeof step - out->avail_out));
  } while (out->avail_out == 0);
  return packed;
}
