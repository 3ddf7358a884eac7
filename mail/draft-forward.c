#include <string.h>

#include "mail/draft-private.h"
#include "mail/headers-private.h"
#include "mail/headers-write-private.h"
#include "mail/message-private.h"

static char *
forward_subject(const MlMessage *message)
{
  g_autofree char *subject = ml_draft_source_text(message, "Subject");
  const char *text = subject ? subject : "";
  static const char *const marks[] = { "fwd:", "fw:", "wg:", "tr:" };
  for (gsize i = 0; i < G_N_ELEMENTS(marks); i++)
    if (g_ascii_strncasecmp(text, marks[i], strlen(marks[i])) == 0)
      return g_strdup(text);
  return g_strdup_printf("Fwd: %s", text);
}

static void
inline_text(MlDraft *draft, const MlAccount *account, const MlMessage *message)
{
  static const char *const fields[] = { "From", "Date", "Subject", "To", "Cc" };
  GString *text = g_string_new("\n\n---------- Forwarded message ----------\n");
  for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
    g_autofree char *value = ml_draft_source_text(message, fields[i]);
    if (value && *value)
      g_string_append_printf(text, "%s: %s\n", fields[i], value);
  }
  g_autofree char *body = ml_draft_source_quote(message), *signature = ml_draft_signature(account);
  g_string_append_printf(text, "\n%s\n", body);
  if (*signature)
    g_string_append_printf(text, "\n%s", signature);
  g_free(draft->text);
  draft->text = g_string_free(text, FALSE);
}

/* An encrypted message goes on as what was inside, or the new recipient could not read it: its header as the
 * reader shows it, and the decrypted entity octet for octet, so that a signature in there holds. */
static GBytes *
opened_message(const MlMessage *message)
{
  static const char *const fields[] = { "From", "To", "Cc", "Subject", "Date", "Message-ID" };
  g_autoptr(GBytes) inside = ml_message_decrypted(message, TRUE, NULL);
  if (!inside)
    return NULL;
  g_autoptr(GPtrArray) headers = ml_draft_headers_new();
  for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
    g_autofree char *value = NULL;
    if (i < 3) {
      g_autoptr(GPtrArray) people = ml_draft_source_people(message, fields[i], NULL);
      value = ml_headers_write_addresses(fields[i], people, TRUE);
    } else if (i == 5) {
      value = ml_draft_source_ids(message, fields[i], 1);
    } else {
      g_autofree char *text = ml_draft_source_text(message, fields[i]);
      value = ml_headers_write_text(fields[i], text ? text : "");
    }
    /* of a payload with its own header fields these come from there */
    if (value && *value && message->protected_by == message->root)
      g_ptr_array_add(headers, ml_draft_header_new(fields[i], value));
  }
  return ml_draft_join(headers, inside);
}

static void
attach_message(MlDraft *draft, const MlMessage *message, GBytes *raw)
{
  g_autoptr(GBytes) opened = opened_message(message);
  g_autofree char *subject = ml_draft_source_text(message, "Subject");
  g_autofree char *name = g_strdup_printf("%.100s.eml", subject && *subject ? subject : "message");
  g_autofree char *valid = g_utf8_make_valid(name, -1);
  g_strdelimit(valid, "/\\", '-');
  g_ptr_array_add(draft->attachments, ml_attachment_new(opened ? opened : raw, valid, "message/rfc822"));
}

static gboolean
fits(const MlDraft *draft, GError **error)
{
  gsize total = 0;
  for (guint i = 0; i < draft->attachments->len; i++)
    total += g_bytes_get_size(((const MlAttachment *)g_ptr_array_index(draft->attachments, i))->content);
  if (total <= ML_DRAFT_CONTENT)
    return TRUE;
  g_set_error_literal(
      error, ML_ERROR, ML_ERROR_FAILED,
      "This message is larger than 140 MiB, more than mail carries. Save what is needed of it and send "
      "a link.");
  return FALSE;
}

MlDraft *
ml_draft_forward(const MlAccount *account, const MlMessage *message, GBytes *raw, gboolean as_attachment,
                 GError **error)
{
  g_autoptr(MlDraft) draft = ml_draft_new(account);
  g_free(draft->subject);
  draft->subject = forward_subject(message);
  draft->source_forwarded = TRUE;
  ml_draft_choose_from(draft, account, message);
  ml_draft_source_protect(message, draft);
  if (as_attachment) {
    attach_message(draft, message, raw);
  } else {
    inline_text(draft, account, message);
    ml_draft_source_attach(message, draft);
  }
  return fits(draft, error) ? g_steal_pointer(&draft) : NULL;
}

/* Takes over the fields as they can be typed again. Our own From where it is one of ours. */
MlDraft *
ml_draft_edit(const MlAccount *account, const MlMessage *message, GError **error)
{
  g_autoptr(MlDraft) draft = ml_draft_new(account);
  char **into[] = { &draft->to, &draft->cc, &draft->bcc, &draft->reply_to };
  static const char *const fields[] = { "To", "Cc", "Bcc", "Reply-To" };
  gboolean over = FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
    g_autoptr(GPtrArray) people = ml_draft_source_people(message, fields[i], &over);
    g_free(*into[i]);
    *into[i] = people->len || i < 3 ? ml_draft_join_people(people) : NULL;
  }
  if (over) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "This message names 10,000 addresses or more. Write a new one to fewer.");
    return NULL;
  }
  g_autoptr(GPtrArray) from = ml_draft_source_people(message, "From", NULL);
  const MlAddress *author = from->len == 1 ? g_ptr_array_index(from, 0) : NULL;
  if (author && ml_account_address(account, author->address)) {
    g_free(draft->from);
    draft->from = ml_draft_join_people(from);
  }
  g_free(draft->subject);
  draft->subject = ml_draft_source_text(message, "Subject");
  if (!draft->subject)
    draft->subject = g_strdup("");
  ml_draft_source_protect(message, draft);
  draft->doubt = ml_draft_doubt(message, ML_REPLY, from);
  g_autofree char *text = ml_draft_source_quote(message);
  g_free(draft->text);
  draft->text = *text ? g_strconcat(text, "\n", NULL) : g_strdup("");
  ml_draft_source_attach(message, draft);
  return fits(draft, error) ? g_steal_pointer(&draft) : NULL;
}

/* Where the message's own octets begin: an mbox's separator is none of them. Their line ends are made CRLF where they
 * are LF throughout, as they have to be on their way. */
static void
add_raw(MlSpill *spill, GBytes *raw)
{
  gsize length = 0;
  const char *data = g_bytes_get_data(raw, &length), *end = data + length;
  if (length > 5 && memcmp(data, "From ", 5) == 0) {
    const char *newline = memchr(data, '\n', length);
    data = newline ? newline + 1 : end;
  }
  for (const char *line = data; line < end;) {
    const char *stop = memchr(line, '\n', (gsize)(end - line));
    gsize size = (gsize)((stop ? stop : end) - line);
    ml_spill_add(spill, line, size);
    if (stop)
      ml_spill_add(spill, size && stop[-1] == '\r' ? "\n" : "\r\n", size && stop[-1] == '\r' ? 1 : 2);
    line = stop ? stop + 1 : end;
  }
}

GBytes *
ml_draft_bounce(const MlAccount *account, GBytes *raw, const char *to, gint64 now, GError **error)
{
  g_autoptr(MlDraft) draft = ml_draft_new(account);
  g_free(draft->to);
  draft->to = g_strdup(to);
  g_autoptr(MlBuilt) built = NULL;
  const MlBuildOptions options = { .date = now };
  built = ml_draft_build(draft, &options, error);
  if (!built)
    return NULL;
  static const char *const taken[] = { "From", "To", "Date", "Message-ID" };
  MlSpill *spill = ml_spill_new();
  for (guint i = 0; i < built->fields->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(built->fields, i);
    for (gsize t = 0; t < G_N_ELEMENTS(taken); t++) {
      if (strcmp(header->name, taken[t]) != 0)
        continue;
      g_autofree char *line = g_strdup_printf("Resent-%s: %s\r\n", header->name, header->value);
      ml_spill_text(spill, line);
    }
  }
  add_raw(spill, raw);
  return ml_spill_end(spill, error);
}
