#include "mail/wire-private.h"

#include <string.h>

#include "mail/deflate-private.h"
#include "mail/line-private.h"

enum { BUFFER = 8192, PACKED = 16384 };

void
ml_wire_die(MlWire *wire, GError *why)
{
  if (wire->error)
    g_error_free(why);
  else
    wire->error = why;
}

void
ml_wire_die_of(MlWire *wire, GError *crypto)
{
  GError *ours = NULL;
  ml_line_error(crypto, &ours);
  ml_wire_die(wire, ours);
}

void
ml_wire_close(MlWire *wire)
{
  if (!wire->error)
    wire->error = g_error_new_literal(ML_ERROR, ML_ERROR_OFFLINE, "The connection is closed.");
}

gboolean
ml_wire_is_dead(const MlWire *wire, GError **error)
{
  if (wire->error)
    g_propagate_error(error, g_error_copy(wire->error));
  return wire->error != NULL;
}

void
ml_wire_compress(MlWire *wire, const void *data, gsize length)
{
  g_assert(!wire->deflate);
  wire->deflate = ml_deflate_new();
  ml_deflate_feed(wire->deflate, data, length);
}

gboolean
ml_wire_pending(const MlWire *wire)
{
  return wire->deflate && ml_deflate_pending(wire->deflate);
}

gsize
ml_wire_buffered(MlWire *wire, void *buffer, gsize length)
{
  GError *why = NULL;
  gsize n = wire->deflate ? ml_deflate_read(wire->deflate, buffer, length, &why) : 0;
  if (why)
    ml_wire_die(wire, why);
  return n;
}

gsize
ml_wire_read(MlWire *wire, void *buffer, gsize length)
{
  guint8 packed[PACKED];
  for (;;) {
    GError *why = NULL;
    gsize here = ml_wire_buffered(wire, buffer, length);
    if (here || wire->error)
      return here;
    gssize n = wire->deflate ? crypto_tls_read(wire->tls, packed, sizeof packed, &why)
                             : crypto_tls_read(wire->tls, buffer, length, &why);
    if (n <= 0) {
      ml_wire_die_of(wire, why);
      return 0;
    }
    if (!wire->deflate)
      return (gsize)n;
    ml_deflate_feed(wire->deflate, packed, (gsize)n);
  }
}

static gboolean
write_all(MlWire *wire, const char *data, gsize length, GError **error)
{
  while (length && !wire->error) {
    GError *why = NULL;
    gssize n = crypto_tls_write(wire->tls, data, length, &why);
    if (n <= 0) {
      ml_wire_die_of(wire, why);
      break;
    }
    data += n;
    length -= (gsize)n;
  }
  return !ml_wire_is_dead(wire, error);
}

gboolean
ml_wire_write(MlWire *wire, const char *data, gsize length, GError **error)
{
  if (!wire->deflate || !length)
    return write_all(wire, data, length, error);
  g_autoptr(GByteArray) packed = ml_deflate_write(wire->deflate, data, length);
  return write_all(wire, (const char *)packed->data, packed->len, error);
}

gboolean
ml_wire_is_clean(const MlWire *wire)
{
  return wire->passed == wire->pass->len && wire->stream->read_buffer_len == 0 &&
         wire->stream->write_buffer_len == 0;
}

/* ---- libetpan's side */

/* Never 0: libetpan would spin on it. */
static ssize_t
low_read(mailstream_low *low, void *buffer, size_t length)
{
  MlWire *wire = low->data;
  while (wire->passed == wire->pass->len) {
    g_string_truncate(wire->pass, 0);
    wire->passed = 0;
    if (!wire->refill(wire->user_data))
      return -1;
  }
  size_t n = MIN(length, wire->pass->len - wire->passed);
  memcpy(buffer, wire->pass->str + wire->passed, n);
  wire->passed += n;
  return (ssize_t)n;
}

static ssize_t
low_write(mailstream_low *low, const void *data, size_t length)
{
  return ml_wire_write(low->data, data, length, NULL) ? (ssize_t)length : -1;
}

static int
low_close(mailstream_low *low)
{
  MlWire *wire = low->data;
  if (wire->dies_closed)
    ml_wire_close(wire);
  return 0;
}

static int
low_get_fd(mailstream_low *low)
{
  (void)low;
  return -1; /* nobody waits for it but we */
}

static void
low_free(mailstream_low *low)
{
  free(low); /* libetpan's own allocation; what it points to is the session's */
}

static void
low_cancel(mailstream_low *low)
{
  crypto_tls_interrupt(((MlWire *)low->data)->tls);
}

static mailstream_low_driver low_driver = { .mailstream_read = low_read,
                                            .mailstream_write = low_write,
                                            .mailstream_close = low_close,
                                            .mailstream_get_fd = low_get_fd,
                                            .mailstream_free = low_free,
                                            .mailstream_cancel = low_cancel };

void
ml_wire_init(MlWire *wire, CryptoTls *tls, gboolean (*refill)(gpointer user_data), gpointer user_data)
{
  *wire = (MlWire){ .tls = tls, .pass = g_string_new(NULL), .refill = refill, .user_data = user_data };
  mailstream_low *low = ml_etpan(NULL)->mailstream_low_new(wire, &low_driver);
  wire->stream = low ? ml_etpan(NULL)->mailstream_new(low, BUFFER) : NULL;
  g_assert(wire->stream != NULL); /* as g_malloc() does when there is no memory */
}

void
ml_wire_clear(MlWire *wire)
{
  crypto_tls_free(wire->tls);
  ml_deflate_free(wire->deflate);
  g_string_free(wire->pass, TRUE);
  g_clear_error(&wire->error);
}
