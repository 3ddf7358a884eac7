#include "crypto/cms-private.h"

#include <string.h>
#include <zlib.h>

#include "crypto/spool.h"

/* CompressedData (RFC 3274). It protects nothing; all that matters is that it cannot fill the memory. */

enum { RATIO_MAX = 1000, RATIO_FREE = 1024 * 1024, STEP = 64 * 1024 };
static const gsize output_max = 256 * 1024 * 1024;

typedef struct {
  z_stream stream;
  CryptoSpool *out;
  gsize fed;
  gboolean ended, too_long, broken;
  GError *error;
} Inflation;

static gboolean
inflate_piece(const guint8 *data, gsize length, gpointer user_data)
{
  Inflation *run = user_data;
  if (length > G_MAXINT32 || run->ended) {
    run->broken = TRUE; /* something follows the end of the compressed data */
    return FALSE;
  }
  run->stream.next_in = (Bytef *)data;
  run->stream.avail_in = (uInt)length;
  while (run->stream.avail_in > 0 || run->stream.avail_out == 0) {
    guint8 step[STEP];
    run->stream.next_out = step;
    run->stream.avail_out = sizeof step;
    int status = inflate(&run->stream, Z_NO_FLUSH);
    gsize got = sizeof step - run->stream.avail_out, used = run->fed + length - run->stream.avail_in;
    gboolean kept = crypto_spool_add(run->out, step, got, &run->error);
    gsize out = crypto_spool_length(run->out);
    run->too_long = out > output_max || (out > RATIO_FREE && out / RATIO_MAX > used);
    run->ended = status == Z_STREAM_END;
    run->broken = (status != Z_OK && status != Z_STREAM_END && !(status == Z_BUF_ERROR && got == 0)) ||
                  (run->ended && run->stream.avail_in > 0);
    if (!kept || run->too_long || run->broken)
      return FALSE;
    if (run->ended || (status == Z_BUF_ERROR && got == 0))
      break;
  }
  run->fed += length;
  return TRUE;
}

GBytes *
crypto_cms_decompress(CryptoCms *cms, GError **error)
{
  if (cms->kind != CRYPTO_CMS_COMPRESSED) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED, "This is not compressed data but %s.",
                cms->type_name);
    return NULL;
  }
  if (cms->cipher.oid != CRYPTO_OID_ZLIB) {
    g_autofree char *name = crypto_oid_describe(&cms->cipher.name);
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The message is compressed in a way that is not supported here (%s).", name);
    return NULL;
  }
  if (cms->content.tag == 0) {
    crypto_cms_malformed(error, "the compressed content is not in it");
    return NULL;
  }
  Inflation run = { .out = crypto_spool_new() };
  g_autoptr(CryptoSpool) out = run.out;
  gboolean started = inflateInit(&run.stream) == Z_OK;
  gboolean read = started && crypto_ber_runs(&cms->content, inflate_piece, &run);
  if (started)
    inflateEnd(&run.stream);
  if (run.error) {
    g_propagate_error(error, run.error);
    return NULL;
  }
  if (run.too_long) {
    g_set_error_literal(
        error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
        "The compressed message would become far larger than mail is (beyond 256 MiB, or 1,000 times "
        "its size): it is not unpacked.");
    return NULL;
  }
  if (!read || !run.ended) {
    crypto_cms_malformed(error, "its compressed content");
    return NULL;
  }
  return crypto_spool_finish(out, error);
}
