#include "mail/imap-private.h"

#include <string.h>

enum { READ_SIZE = 64 * 1024, PASS_CAPABILITIES = 200 };

void
ml_imap_stream_fail(MlImapStream *stream)
{
  ml_wire_close(&stream->wire);
}

/* A response that is complete already. NULL: none, or the stream died. */
static const MlResponse *
take(MlImapStream *stream)
{
  GError *why = NULL;
  const MlResponse *response = ml_sieve_next(stream->sieve, &why);
  if (why) {
    ml_wire_die(&stream->wire, why);
    return NULL;
  }
  if (response && !stream->func(response, stream->user_data, &why)) {
    ml_wire_die(&stream->wire, why);
    return NULL;
  }
  return response;
}

static void
fill(MlImapStream *stream)
{
  char buffer[READ_SIZE];
  gsize n = ml_wire_read(&stream->wire, buffer, sizeof buffer);
  if (n)
    ml_sieve_feed(stream->sieve, buffer, n);
}

const MlResponse *
ml_imap_stream_next(MlImapStream *stream, GError **error)
{
  while (!ml_wire_is_dead(&stream->wire, error)) {
    const MlResponse *response = take(stream);
    if (response)
      return response;
    if (!stream->wire.error)
      fill(stream);
  }
  return NULL;
}

const MlResponse *
ml_imap_stream_ready(MlImapStream *stream, GError **error)
{
  while (!ml_wire_is_dead(&stream->wire, error)) {
    const MlResponse *response = take(stream);
    if (response)
      return response;
    char buffer[READ_SIZE];
    gsize n = stream->wire.error ? 0 : ml_wire_buffered(&stream->wire, buffer, sizeof buffer);
    if (n)
      ml_sieve_feed(stream->sieve, buffer, n);
    if (n || stream->wire.error)
      continue;
    CryptoTlsWait what = crypto_tls_wait(stream->wire.tls, 0, -1);
    if (what == CRYPTO_TLS_TIMEOUT)
      return NULL;
    fill(stream); /* where it is broken, this says why */
  }
  return NULL;
}

gboolean
ml_imap_stream_write(MlImapStream *stream, const char *data, gsize length, GError **error)
{
  if (ml_wire_is_dead(&stream->wire, error))
    return FALSE;
  if (ml_etpan(NULL)->mailstream_flush(stream->wire.stream) < 0)
    return !ml_wire_is_dead(&stream->wire, error);
  return ml_wire_write(&stream->wire, data, length, error);
}

void
ml_imap_stream_compress(MlImapStream *stream)
{
  g_autoptr(GBytes) rest = ml_sieve_rest(stream->sieve);
  gsize length;
  const void *data = g_bytes_get_data(rest, &length);
  ml_wire_compress(&stream->wire, data, length);
}

gboolean
ml_imap_stream_is_clean(MlImapStream *stream)
{
  return ml_sieve_is_empty(stream->sieve) && ml_wire_is_clean(&stream->wire);
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
  GString *pass = stream->wire.pass;
  gboolean greeting = !stream->greeted;
  stream->greeted = TRUE;
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

static gboolean
refill(gpointer user_data)
{
  MlImapStream *stream = user_data;
  const MlResponse *response = ml_imap_stream_next(stream, NULL);
  if (response)
    pass_on(stream, response);
  return response != NULL;
}

MlImapStream *
ml_imap_stream_new(CryptoTls *tls, MlImapResponseFunc func, gpointer user_data)
{
  MlImapStream *stream = g_new0(MlImapStream, 1);
  ml_wire_init(&stream->wire, tls, refill, stream);
  stream->wire.dies_closed = TRUE;
  stream->sieve = ml_sieve_new();
  stream->func = func;
  stream->user_data = user_data;
  return stream;
}

void
ml_imap_stream_free(MlImapStream *stream)
{
  if (!stream)
    return;
  ml_wire_clear(&stream->wire);
  ml_sieve_free(stream->sieve);
  g_free(stream);
}
