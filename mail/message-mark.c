#include "mail/message-private.h"

#include "crypto/standing.h"

#include <string.h>

static gboolean
says_from(const char *block, gsize length, const char *from)
{
  MlHeader *header = ml_header_parse(block, length);
  gboolean same = strcmp(header->from, from) == 0;
  ml_header_free(header);
  return same;
}

/* Does the line of the index name the author that the signature was held against? The line tells of the header outside,
 * as the server gave it; what was judged is the message's own, and where its header is protected the one inside. That
 * the sender meant the two to differ (RFC 9788 2.2) is no excuse here. */
static gboolean
is_listed_author(const MlMessage *message, const char *from)
{
  gsize length;
  const char *data = g_bytes_get_data(message->root->source, &length);
  if (!says_from(data, length, from))
    return FALSE;
  if (message->protected_by == message->root)
    return TRUE;
  const MlField *field = ml_mime_field(message->protected_by, "From", 0);
  g_autofree char *raw = field ? ml_mime_field_raw(message->protected_by, field) : NULL;
  g_autofree char *inside = g_strdup_printf("From: %s\n\n", raw ? raw : "");
  return says_from(inside, strlen(inside), from);
}

MlMark
ml_message_mark(const MlMessage *message, const char *from)
{
  const MlVerdict *verdict = message->verdict;
  switch (verdict->encryption) {
  case ML_ENCRYPTION_NO_KEY:
  case ML_ENCRYPTION_MALFORMED:
  case ML_ENCRYPTION_UNSUPPORTED:
  case ML_ENCRYPTION_REFUSED:
    return ML_MARK_CLOSED;
  default:
    break;
  }
  switch (verdict->indicator) {
  case ML_INDICATOR_GOOD:
    return is_listed_author(message, from) ? ML_MARK_GOOD : ML_MARK_WARN;
  case ML_INDICATOR_WARN:
    return ML_MARK_WARN;
  case ML_INDICATOR_BAD:
    return ML_MARK_BAD;
  case ML_INDICATOR_NONE:
    break;
  }
  return ML_MARK_UNSIGNED;
}

char *
ml_message_standing(CryptoRevocationMode mode)
{
  enum { RULES = 1 }; /* of mail/verdict.c and crypto/: one more where a version in between judges otherwise */
  g_autofree char *crypto = crypto_standing(TRUE);
  return g_strdup_printf("%s " SIGNET_VERSION " %d %d", crypto, RULES, (int)mode);
}
