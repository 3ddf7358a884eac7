#include "mail/imap-private.h"
#include "mail/line-private.h"

#include <string.h>

enum { READ_SIZE = 64 * 1024, PASS_CAPABILITIES = 200 };

/* Keeps the first reason; what fails afterwards fails because of it. */
static void
die(MlImapStream *stream, GError *why)
{
  if (stream->error)
    g_error_free(why);
  else
    stream->error = why;
}

void
ml_imap_stream_fail(MlImapStream *stream)
{
  if (!stream->error)
    stream->error = g_error_new(ML_ERROR, ML_ERROR_OFFLINE, "The connection is closed.");
}

static gboolean
is_dead(MlImapStream *stream, GError **error)
{
  if (stream->error)
    g_propagate_error(error, g_error_copy(stream->error));
  return stream->error != NULL;
}

/* A response that is complete already. NULL: none, or the stream died. */
static const MlResponse *
take(MlImapStream *stream)
{
  GError *why = NULL;
  const MlResponse *response = ml_sieve_next(stream->sieve, &why);
  if (why) {
    die(stream, why);
    return NULL;
  }
  if (response && !stream->func(response, stream->user_data, &why)) {
    die(stream, why);
    return NULL;
  }
  return response;
}

static gboolean
fill(MlImapStream *stream)
{
  char buffer[READ_SIZE];
  GError *why = NULL;
  gssize n = crypto_tls_read(stream->tls, buffer, sizeof buffer, &why);
  if (n > 0) {
    ml_sieve_feed(stream->sieve, buffer, (gsize)n);
    return TRUE;
  }
  GError *ours = NULL;
  ml_line_error(why, &ours);
  die(stream, ours);
  return FALSE;
}

const MlResponse *
ml_imap_stream_next(MlImapStream *stream, GError **error)
{
  while (!is_dead(stream, error)) {
    const MlResponse *response = take(stream);
    if (response)
      return response;
    if (!stream->error)
      fill(stream);
  }
  return NULL;
}

const MlResponse *
ml_imap_stream_ready(MlImapStream *stream, GError **error)
{
  while (!is_dead(stream, error)) {
    const MlResponse *response = take(stream);
    if (response)
      return response;
    if (stream->error)
      continue;
    CryptoTlsWait what = crypto_tls_wait(stream->tls, 0, -1);
    if (what == CRYPTO_TLS_TIMEOUT)
      return NULL;
    fill(stream); /* where it is broken, this says why */
  }
  return NULL;
}

gboolean
ml_imap_stream_write(MlImapStream *stream, const char *data, gsize length, GError **error)
{
  if (is_dead(stream, error))
    return FALSE;
  if (mailstream_flush(stream->stream) < 0)
    return !is_dead(stream, error);
  while (length) {
    GError *why = NULL;
    gssize n = crypto_tls_write(stream->tls, data, length, &why);
    if (n <= 0) {
      GError *ours = NULL;
      ml_line_error(why, &ours);
      die(stream, ours);
      return !is_dead(stream, error);
    }
    data += n;
    length -= (gsize)n;
  }
  return TRUE;
}

gboolean
ml_imap_stream_is_clean(MlImapStream *stream)
{
  return ml_sieve_is_empty(stream->sieve) && stream->passed == stream->pass->len &&
         stream->stream->read_buffer_len == 0 && stream->stream->write_buffer_len == 0;
}

/* ---- what libetpan reads: never the server's words, only ours for what they mean */

static void
pass_capabilities(GString *pass, const MlNode *data)
{
  g_string_append(pass, "* CAPABILITY");
  guint count = 0;
  for (const MlNode *node = data; node && count < PASS_CAPABILITIES; node = node->next) {
    gboolean plain = node->kind == ML_NODE_ATOM && node->length > 0 && node->length < 64;
    for (gsize i = 0; plain && i < node->length; i++)
      plain = g_ascii_isalnum(node->text[i]) || strchr("=+-._/:", node->text[i]);
    if (plain) {
      g_string_append_c(pass, ' ');
      g_string_append_len(pass, node->text, (gssize)node->length);
      count++;
    }
  }
  /* An empty list crashes libetpan 1.9.4; the session has refused a server that sends none at all. */
  g_string_append(pass, count ? "\r\n" : " IMAP4rev1\r\n");
}

static void
pass_on(MlImapStream *stream, const MlResponse *response)
{
  GString *pass = stream->pass;
  gboolean greeting = !stream->greeted;
  stream->greeted = TRUE;
  g_string_truncate(pass, 0);
  stream->passed = 0;
  switch (response->kind) {
  case ML_RESPONSE_TAGGED:
    g_string_append_printf(pass, "%s %s done\r\n", response->tag,
                           response->status == ML_RESPONSE_OK   ? "OK"
                           : response->status == ML_RESPONSE_NO ? "NO"
                                                                : "BAD");
    break;
  case ML_RESPONSE_OK:
    if (greeting)
      g_string_append(pass, "* OK hello\r\n");
    break;
  case ML_RESPONSE_PREAUTH:
    if (greeting)
      g_string_append(pass, "* PREAUTH hello\r\n");
    break;
  case ML_RESPONSE_BYE:
    g_string_append(pass, "* BYE bye\r\n");
    break;
  case ML_RESPONSE_CAPABILITY:
    pass_capabilities(pass, response->data);
    break;
  case ML_RESPONSE_EXISTS:
    g_string_append_printf(pass, "* %u EXISTS\r\n", response->number);
    break;
  default:
    break;
  }
}

/* Never 0: libetpan would spin on it. */
static ssize_t
low_read(mailstream_low *low, void *buffer, size_t length)
{
  MlImapStream *stream = low->data;
  while (stream->passed == stream->pass->len) {
    const MlResponse *response = ml_imap_stream_next(stream, NULL);
    if (!response)
      return -1;
    pass_on(stream, response);
  }
  size_t n = MIN(length, stream->pass->len - stream->passed);
  memcpy(buffer, stream->pass->str + stream->passed, n);
  stream->passed += n;
  return (ssize_t)n;
}

static ssize_t
low_write(mailstream_low *low, const void *data, size_t length)
{
  MlImapStream *stream = low->data;
  if (stream->error)
    return -1;
  GError *why = NULL;
  gssize n = crypto_tls_write(stream->tls, data, length, &why);
  if (n > 0)
    return n;
  GError *ours = NULL;
  ml_line_error(why, &ours);
  die(stream, ours);
  return -1;
}

static int
low_close(mailstream_low *low)
{
  ml_imap_stream_fail(low->data);
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
  crypto_tls_interrupt(((MlImapStream *)low->data)->tls);
}

static mailstream_low_driver low_driver = { .mailstream_read = low_read,
                                            .mailstream_write = low_write,
                                            .mailstream_close = low_close,
                                            .mailstream_get_fd = low_get_fd,
                                            .mailstream_free = low_free,
                                            .mailstream_cancel = low_cancel };

MlImapStream *
ml_imap_stream_new(CryptoTls *tls, MlImapResponseFunc func, gpointer user_data)
{
  MlImapStream *stream = g_new0(MlImapStream, 1);
  stream->tls = tls;
  stream->sieve = ml_sieve_new();
  stream->func = func;
  stream->user_data = user_data;
  stream->pass = g_string_new(NULL);
  mailstream_low *low = mailstream_low_new(stream, &low_driver);
  stream->stream = low ? mailstream_new(low, 8192) : NULL;
  g_assert(stream->stream != NULL); /* as g_malloc() does when there is no memory */
  return stream;
}

void
ml_imap_stream_free(MlImapStream *stream)
{
  if (!stream)
    return;
  crypto_tls_free(stream->tls);
  ml_sieve_free(stream->sieve);
  g_string_free(stream->pass, TRUE);
  g_clear_error(&stream->error);
  g_free(stream);
}
