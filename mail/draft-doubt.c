#include <string.h>

#include "mail/draft-private.h"
#include "mail/headers-private.h"
#include "mail/message-private.h"

/* S/MIME binds no ciphertext to its sender: whoever has seen another's encrypted mail may send it again as his own, and
 * an answer that quotes it would hand him the text. What binds it: a signature by the From inside the encryption, or
 * header fields in there that nobody can have changed, for then the answer goes where these say. */

static gboolean
was_opened(const MlMessage *message)
{
  MlEncryption encryption = message->verdict->encryption;
  return encryption == ML_ENCRYPTION_DECRYPTED || encryption == ML_ENCRYPTION_LEGACY;
}

static gboolean
is_among(const char *address, GPtrArray *people)
{
  for (guint i = 0; i < people->len; i++)
    if (ml_address_equal(((const MlAddress *)g_ptr_array_index(people, i))->address, address))
      return TRUE;
  return FALSE;
}

const char *
ml_draft_doubt(const MlMessage *message, MlReplyKind kind, GPtrArray *to)
{
  if (!was_opened(message))
    return NULL;
  if (kind == ML_REPLY_LIST) /* List-Post is the list's, which signs nothing */
    return "It was encrypted to you, and nothing shows that the list may read it.";
  if (message->header_protection && !message->cbc_only)
    return NULL;
  const MlVerdict *verdict = message->verdict;
  if (!message->signature_intact || verdict->signer_matches_from != ML_YES)
    return verdict->signature == ML_SIGNATURE_UNSIGNED || verdict->signature == ML_SIGNATURE_ERRANT
               ? "It was encrypted, but not signed: nothing shows that its sender wrote it."
           : message->signature_intact ? "It was signed by somebody else than its sender."
                                       : "Its signature does not hold: nothing shows that its sender wrote it.";
  g_autoptr(GPtrArray) from = ml_draft_source_people(message, "From", NULL);
  for (guint i = 0; i < to->len; i++)
    if (!is_among(((const MlAddress *)g_ptr_array_index(to, i))->address, from))
      return "An unprotected header sends the answer to somebody else than its signer.";
  return NULL;
}

/* What everybody on the way could read of its Subject. */
char *
ml_draft_outer_subject(const MlMessage *message)
{
  g_autofree char *raw = ml_headers_text(message->root, "Subject");
  g_autofree char *line = ml_draft_one_line(raw);
  return line && strlen(line) <= ML_DRAFT_LINE / 2 ? g_steal_pointer(&line) : NULL;
}

void
ml_draft_take_quote(MlDraft *draft)
{
  draft->doubt = NULL;
  if (!draft->quoted_text)
    return;
  g_free(draft->text);
  draft->text = g_steal_pointer(&draft->quoted_text);
  g_free(draft->subject);
  draft->subject = g_steal_pointer(&draft->quoted_subject);
}
