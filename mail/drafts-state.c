#include <string.h>

#include "mail/drafts-private.h"
#include "mail/headers-write-private.h"

/* A draft's own form: a mail whose field X-Signet-Draft holds, in base64, everything but text and attachments, as
 * "name length\nvalue\n". Text and attachments are its parts, in base64 of their exact octets. */
#define FIELD "X-Signet-Draft"
enum { STATE_LIMIT = 7 * 1024 * 1024, ROW = 54 };

/* The members that are strings: name in the file, and where. NULL and "" are told apart by being there. */
static const struct {
  const char *name;
  gsize offset;
} strings[] = {
  { "account", G_STRUCT_OFFSET(MlDraft, account) },
  { "from", G_STRUCT_OFFSET(MlDraft, from) },
  { "to", G_STRUCT_OFFSET(MlDraft, to) },
  { "cc", G_STRUCT_OFFSET(MlDraft, cc) },
  { "bcc", G_STRUCT_OFFSET(MlDraft, bcc) },
  { "reply-to", G_STRUCT_OFFSET(MlDraft, reply_to) },
  { "subject", G_STRUCT_OFFSET(MlDraft, subject) },
  { "in-reply-to", G_STRUCT_OFFSET(MlDraft, in_reply_to) },
  { "references", G_STRUCT_OFFSET(MlDraft, references) },
  { "secret-subject", G_STRUCT_OFFSET(MlDraft, secret_subject) },
  { "secret-people", G_STRUCT_OFFSET(MlDraft, secret_people) },
  { "sign-cert", G_STRUCT_OFFSET(MlDraft, sign_cert) },
  { "message-id", G_STRUCT_OFFSET(MlDraft, message_id) },
  { "source-account", G_STRUCT_OFFSET(MlDraft, source_account) },
  { "source-folder", G_STRUCT_OFFSET(MlDraft, source_folder) },
};

static const struct {
  const char *name;
  gsize offset;
} flags[] = {
  { "flowed", G_STRUCT_OFFSET(MlDraft, flowed) },
  { "sign", G_STRUCT_OFFSET(MlDraft, sign) },
  { "encrypt", G_STRUCT_OFFSET(MlDraft, encrypt) },
  { "encrypt-demanded", G_STRUCT_OFFSET(MlDraft, encrypt_demanded) },
  { "opaque", G_STRUCT_OFFSET(MlDraft, opaque) },
  { "legacy-display", G_STRUCT_OFFSET(MlDraft, legacy_display) },
  { "secret-names", G_STRUCT_OFFSET(MlDraft, secret_names) },
  { "secret-thread", G_STRUCT_OFFSET(MlDraft, secret_thread) },
  { "source-forwarded", G_STRUCT_OFFSET(MlDraft, source_forwarded) },
};

static void
put(GString *out, const char *name, const char *value)
{
  if (value)
    g_string_append_printf(out, "%s %" G_GSIZE_FORMAT "\n%s\n", name, strlen(value), value);
}

static void
put_number(GString *out, const char *name, guint number)
{
  g_autofree char *value = g_strdup_printf("%u", number);
  put(out, name, value);
}

static char *
state_of(const MlDraft *draft)
{
  GString *out = g_string_new(NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
    put(out, strings[i].name, G_STRUCT_MEMBER(char *, draft, strings[i].offset));
  for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
    put_number(out, flags[i].name, G_STRUCT_MEMBER(gboolean, draft, flags[i].offset) ? 1 : 0);
  put_number(out, "hide", draft->hide);
  put_number(out, "source-uid", draft->source_uid);
  put_number(out, "source-uidvalidity", draft->source_uidvalidity);
  if (draft->text)
    put(out, "text", "");
  for (guint i = 0; i < draft->more->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(draft->more, i);
    put(out, "more", header->name);
    put(out, "value", header->value);
  }
  for (guint i = 0; i < draft->attachments->len; i++) {
    const MlAttachment *attachment = g_ptr_array_index(draft->attachments, i);
    put_number(out, "attachment", attachment->inline_ ? 1 : 0);
    put(out, "name", attachment->name);
    put(out, "type", attachment->type);
    put(out, "description", attachment->description);
  }
  return g_string_free(out, FALSE);
}

static char *
folded_state(const MlDraft *draft)
{
  g_autofree char *state = state_of(draft);
  gsize length = strlen(state);
  GString *out = g_string_new("1");
  for (gsize at = 0; at < length; at += ROW) {
    g_autofree char *digits = g_base64_encode((const guchar *)state + at, MIN(length - at, (gsize)ROW));
    g_string_append_printf(out, "\r\n %s", digits);
  }
  return g_string_free(out, FALSE);
}

static void
add_field(GPtrArray *fields, const char *name, char *value)
{
  if (value && *value)
    g_ptr_array_add(fields, ml_draft_header_new(name, value));
  g_free(value);
}

static void
add_people(GPtrArray *fields, const char *name, const char *typed)
{
  g_autoptr(GPtrArray) found = ml_draft_parse(name, typed, NULL);
  if (found && found->len)
    add_field(fields, name, ml_headers_write_addresses(name, found, TRUE));
}

/* For other programs: as far as what was typed so far can be one. */
GPtrArray *
ml_drafts_fields(const MlDraft *draft, gboolean secret, gint64 now)
{
  GPtrArray *fields = ml_draft_headers_new();
  add_people(fields, "From", draft->from);
  add_people(fields, "To", draft->to);
  add_people(fields, "Cc", draft->cc);
  g_autofree char *subject = ml_draft_one_line(draft->subject);
  add_field(fields, "Subject",
            secret ? g_strdup("[...]") : ml_headers_write_text("Subject", subject ? subject : ""));
  add_field(fields, "Date", ml_headers_write_date(now, FALSE));
  g_autofree char *id = ml_draft_one_line(draft->message_id);
  if (id) /* else From names nobody yet */
    add_field(fields, "Message-ID", ml_headers_write_words("Message-ID", id));
  return fields;
}

static void
put_part(MlSpill *spill, const char *mark, const char *type, GBytes *content)
{
  g_autofree char *head = g_strdup_printf("\r\n--%s\r\nContent-Type: %s\r\n", mark, type);
  ml_spill_text(spill, head);
  ml_draft_body_octets(spill, content);
}

GBytes *
ml_drafts_encode(const MlDraft *draft, gboolean encrypted, gint64 now, GError **error)
{
  g_autoptr(GPtrArray) fields = ml_drafts_fields(draft, FALSE, now);
  add_field(fields, FIELD, folded_state(draft));
  g_autofree char *uuid = g_uuid_string_random(), *mark = g_strconcat("=_", uuid, NULL);
  MlSpill *spill = ml_spill_new();
  g_autofree char *head =
      g_strdup_printf("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"%s\"%s\r\n", mark,
                      encrypted ? ";\r\n hp=\"cipher\"" : "");
  g_autofree char *last = g_strdup_printf("\r\n--%s--\r\n", mark);
  for (guint i = 0; i < fields->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(fields, i);
    g_autofree char *line = g_strdup_printf("%s: %s\r\n", header->name, header->value);
    ml_spill_text(spill, line);
  }
  ml_spill_text(spill, head);
  const char *typed = draft->text ? draft->text : "";
  g_autoptr(GBytes) text = g_bytes_new(typed, strlen(typed));
  put_part(spill, mark, "text/plain; charset=utf-8", text);
  for (guint i = 0; i < draft->attachments->len; i++) {
    const MlAttachment *attachment = g_ptr_array_index(draft->attachments, i);
    g_autofree char *name = ml_draft_one_line(attachment->name);
    g_autofree char *disposition = ml_headers_write_disposition(FALSE, name);
    g_autofree char *type =
        g_strdup_printf("application/octet-stream\r\nContent-Disposition: %s", disposition);
    put_part(spill, mark, type, attachment->content);
  }
  ml_spill_text(spill, last);
  return ml_spill_end(spill, error);
}

/* ---- and back */

static gboolean
damaged(GError **error)
{
  g_set_error_literal(
      error, ML_ERROR, ML_ERROR_MALFORMED,
      "This draft is damaged: signet cannot read what it wrote. Open the file as a message to save "
      "what is in it.");
  return FALSE;
}

/* The next "name length\nvalue\n" of @at; NULL: the end, or *bad. */
static const char *
take(const char *at, const char *end, char **name, char **value, gboolean *bad)
{
  if (at >= end)
    return NULL;
  *bad = TRUE;
  const char *blank = memchr(at, ' ', (gsize)(end - at)), *newline = memchr(at, '\n', (gsize)(end - at));
  if (!blank || !newline || blank > newline || newline - blank > 9 || blank - at > 40)
    return NULL;
  g_autofree char *digits = g_strndup(blank + 1, (gsize)(newline - blank - 1));
  guint64 length = 0;
  if (!g_ascii_string_to_unsigned(digits, 10, 0, STATE_LIMIT, &length, NULL) ||
      length + 1 > (guint64)(end - newline - 1) || newline[1 + length] != '\n')
    return NULL;
  if (!g_utf8_validate_len(newline + 1, length, NULL))
    return NULL;
  *bad = FALSE;
  *name = g_strndup(at, (gsize)(blank - at));
  *value = g_strndup(newline + 1, length);
  return newline + 1 + length + 1;
}

static void
set(char **field, const char *value)
{
  g_free(*field);
  *field = g_strdup(value);
}

static void
take_string(MlDraft *draft, const char *name, const char *value)
{
  for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
    if (strcmp(name, strings[i].name) == 0)
      set(&G_STRUCT_MEMBER(char *, draft, strings[i].offset), value);
  for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
    if (strcmp(name, flags[i].name) == 0)
      G_STRUCT_MEMBER(gboolean, draft, flags[i].offset) = strcmp(value, "1") == 0;
}

static guint32
number(const char *value)
{
  guint64 result = 0;
  return g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32, &result, NULL) ? (guint32)result : 0;
}

static void
take_one(MlDraft *draft, const char *name, char *value)
{
  MlAttachment *attachment =
      draft->attachments->len ? g_ptr_array_index(draft->attachments, draft->attachments->len - 1) : NULL;
  MlDraftHeader *header = draft->more->len ? g_ptr_array_index(draft->more, draft->more->len - 1) : NULL;
  if (strcmp(name, "hide") == 0)
    draft->hide = (MlHeaderPolicy)MIN(number(value), (guint32)ML_HIDE_NONE);
  else if (strcmp(name, "source-uid") == 0)
    draft->source_uid = number(value);
  else if (strcmp(name, "source-uidvalidity") == 0)
    draft->source_uidvalidity = number(value);
  else if (strcmp(name, "text") == 0)
    set(&draft->text, "");
  else if (strcmp(name, "more") == 0 && draft->more->len < ML_DRAFT_MORE)
    g_ptr_array_add(draft->more, ml_draft_header_new(value, ""));
  else if (strcmp(name, "value") == 0 && header)
    set(&header->value, value);
  else if (strcmp(name, "attachment") == 0 && draft->attachments->len < ML_DRAFT_ATTACHMENTS) {
    attachment = g_new0(MlAttachment, 1);
    attachment->inline_ = strcmp(value, "1") == 0;
    g_ptr_array_add(draft->attachments, attachment);
  } else if (strcmp(name, "name") == 0 && attachment)
    set(&attachment->name, value);
  else if (strcmp(name, "type") == 0 && attachment)
    set(&attachment->type, value);
  else if (strcmp(name, "description") == 0 && attachment)
    set(&attachment->description, value);
  else
    take_string(draft, name, value);
}

static gboolean
take_state(MlDraft *draft, const char *raw, GError **error)
{
  if (*raw != '1')
    return damaged(error);
  GString *digits = g_string_sized_new(strlen(raw));
  for (const char *c = raw + 1; *c; c++)
    if (*c != ' ')
      g_string_append_c(digits, *c);
  g_autofree char *base64 = g_string_free(digits, FALSE);
  gsize length = 0;
  g_autofree guchar *state = g_base64_decode(base64, &length);
  const char *at = (const char *)state, *end = at + length;
  gboolean bad = length > STATE_LIMIT;
  while (!bad) {
    g_autofree char *name = NULL, *value = NULL;
    const char *next = take(at, end, &name, &value, &bad);
    if (!next)
      break;
    take_one(draft, name, value);
    at = next;
  }
  return bad ? damaged(error) : TRUE;
}

static gboolean
take_parts(MlDraft *draft, const MlEntity *root, GError **error)
{
  if (!root->children || root->children->len != draft->attachments->len + 1)
    return damaged(error);
  g_autoptr(GBytes) text = ml_mime_decode(g_ptr_array_index(root->children, 0), 0, NULL);
  gsize length = 0;
  const char *octets = g_bytes_get_data(text, &length);
  if (length && (memchr(octets, 0, length) || !g_utf8_validate(octets, (gssize)length, NULL)))
    return damaged(error);
  if (draft->text) {
    g_free(draft->text);
    draft->text = g_strndup(length ? octets : "", length);
  }
  for (guint i = 0; i < draft->attachments->len; i++) {
    MlAttachment *attachment = g_ptr_array_index(draft->attachments, i);
    attachment->content = ml_mime_decode(g_ptr_array_index(root->children, i + 1), 0, NULL);
  }
  return TRUE;
}

MlDraft *
ml_drafts_decode(GBytes *bytes, GError **error)
{
  g_autoptr(MlEntity) root = ml_scan(bytes, TRUE, error);
  if (!root)
    return NULL;
  const MlField *field = ml_mime_field(root, FIELD, 0);
  if (!field) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_NOT_FOUND, "This is no draft that signet wrote.");
    return NULL;
  }
  g_autofree char *raw = ml_mime_field_raw(root, field);
  g_autoptr(MlDraft) draft = g_new0(MlDraft, 1);
  draft->more = ml_draft_headers_new();
  draft->attachments = ml_draft_attachments_new();
  if (!take_state(draft, raw, error) || !take_parts(draft, root, error))
    return NULL;
  char **needed[] = { &draft->account, &draft->from, &draft->to, &draft->cc, &draft->bcc, &draft->subject };
  for (gsize i = 0; i < G_N_ELEMENTS(needed); i++)
    if (!*needed[i])
      *needed[i] = g_strdup("");
  return g_steal_pointer(&draft);
}
