#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mail/smtp-private.h"

/* An SMTP server's bytes through the reader of replies, in pieces whose size is the first octet. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size)
    return 0;
  size_t piece = (size_t)data[0] + 1;
  MlReplies *replies = ml_replies_new();
  g_autoptr(GError) error = NULL;
  for (size_t at = 1; at < size && !error; at += piece) {
    ml_replies_feed(replies, data + at, MIN(piece, size - at));
    for (const MlReply *reply; (reply = ml_replies_next(replies, &error));) {
      g_assert(reply->code >= 200 && reply->code <= 599 && reply->lines->len > 0);
      g_assert(g_utf8_validate(reply->words, -1, NULL) && strlen(reply->words) <= 1000);
      g_assert(!strpbrk(reply->words, "\r\n"));
      for (guint i = 0; i < reply->lines->len; i++)
        g_assert(g_utf8_validate(g_ptr_array_index(reply->lines, i), -1, NULL));
    }
  }
  g_assert(!error || g_error_matches(error, ML_ERROR, ML_ERROR_PROTOCOL));
  ml_replies_free(replies);
  return 0;
}
