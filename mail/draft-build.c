#include "mail/draft-private.h"

#include <string.h>
#include <sys/random.h>

#include "mail/headers-private.h"
#include "mail/headers-write-private.h"

/* What is made by chance, or from the seed of a test: each @label another. */
static char *
token(guint64 seed, const char *label, guint digits)
{
  g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT " %s", seed, label);
  char *hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
  hex[digits] = 0;
  return hex;
}

static guint64
chance(void)
{
  guint64 number = 0;
  while (!number)
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
      number = (guint64)g_random_int() << 32 | g_random_int();
  return number;
}

static char *
message_id(guint64 seed, guint64 boundary_seed, const char *address)
{
  g_autofree char *one = token(boundary_seed ? seed : chance(), "message-id", 16);
  g_autofree char *two = token(boundary_seed ? seed : chance(), "message-id 2", 16);
  const char *domain = strrchr(address, '@');
  return g_strdup_printf("<%s%s%s>", one, two, domain ? domain : "@localhost");
}

void
ml_draft_make_id(MlDraft *draft)
{
  if (draft->message_id)
    return;
  g_autoptr(GPtrArray) from = ml_draft_parse("From", draft->from, NULL);
  if (from && from->len) /* else its domain is not known yet */
    draft->message_id = message_id(0, 0, ((MlAddress *)g_ptr_array_index(from, 0))->address);
}

static void
add_field(GPtrArray *fields, const char *name, char *value)
{
  if (value && *value)
    g_ptr_array_add(fields, ml_draft_header_new(name, value));
  g_free(value);
}

static gboolean
add_addresses(GPtrArray *fields, const MlDraft *draft, const char *name, const char *typed, GError **error)
{
  g_autoptr(GPtrArray) found = ml_draft_parse(name, typed, error);
  gboolean own = strcmp(name, "From") == 0, names = draft->encrypt || !draft->secret_names || own;
  if (found && !draft->encrypt && !own)
    ml_draft_drop_secret(draft, found);
  if (found && found->len)
    add_field(fields, name, ml_headers_write_addresses(name, found, names));
  return found != NULL;
}

/* A Subject that the answered mail had only inside its encryption must not go out in clear (RFC 9788 6.1): where
 * the user left it in, "[...]" stands for it. */
char *
ml_draft_subject(const MlDraft *draft)
{
  const char *subject = draft->subject ? draft->subject : "";
  if (draft->encrypt || !draft->secret_subject || !*draft->secret_subject)
    return g_strdup(subject);
  g_autofree char *folded = g_utf8_casefold(subject, -1);
  g_autofree char *secret = g_utf8_casefold(draft->secret_subject, -1);
  const char *at = strstr(folded, secret);
  if (!at)
    return g_strdup(subject);
  return g_strdup(g_ascii_strncasecmp(subject, "fwd:", 4) == 0 ? "Fwd: [...]" : "Re: [...]");
}

static gboolean
is_header_utf8(GPtrArray *fields)
{
  for (guint i = 0; i < fields->len; i++)
    if (!g_str_is_ascii(((const MlDraftHeader *)g_ptr_array_index(fields, i))->value))
      return TRUE;
  return FALSE;
}

/* An address of ours may be ASCII while a Bcc is not: that too needs SMTPUTF8, of the envelope. */
static gboolean
fill_fields(MlBuilt *built, MlDraft *draft, const MlBuildOptions *options, GError **error)
{
  GPtrArray *fields = built->fields;
  if (!add_addresses(fields, draft, "From", draft->from, error) ||
      !add_addresses(fields, draft, "To", draft->to, error) ||
      !add_addresses(fields, draft, "Cc", draft->cc, error))
    return FALSE;
  if (fields->len == 1)
    add_field(fields, "To", g_strdup("undisclosed-recipients:;"));
  g_autofree char *subject = ml_draft_subject(draft);
  add_field(fields, "Subject", ml_headers_write_text("Subject", subject));
  add_field(fields, "Date", ml_headers_write_date(options->date, FALSE));
  if (!draft->message_id) {
    g_autoptr(GPtrArray) from = ml_draft_parse("From", draft->from, error);
    if (!from || !from->len)
      return FALSE;
    draft->message_id =
        message_id(built->seed, options->boundary_seed, ((MlAddress *)g_ptr_array_index(from, 0))->address);
  }
  add_field(fields, "Message-ID", ml_headers_write_words("Message-ID", draft->message_id));
  gboolean thread = draft->encrypt || !draft->secret_thread;
  if (thread && draft->in_reply_to)
    add_field(fields, "In-Reply-To", ml_headers_write_words("In-Reply-To", draft->in_reply_to));
  if (thread && draft->references)
    add_field(fields, "References", ml_headers_write_words("References", draft->references));
  if (!add_addresses(fields, draft, "Reply-To", draft->reply_to, error))
    return FALSE;
  for (guint i = 0; i < draft->more->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(draft->more, i);
    add_field(fields, header->name, ml_headers_write_text(header->name, header->value));
  }
  built->utf8 = is_header_utf8(fields);
  return TRUE;
}

static void
write_text_part(MlSpill *spill, const MlDraft *draft, const char *legacy)
{
  const char *typed = draft->text ? draft->text : "";
  g_autofree char *text = draft->flowed ? ml_draft_flow(typed) : g_strdup(typed);
  g_autofree char *whole =
      g_strconcat(legacy ? legacy : "", text, *text && !g_str_has_suffix(text, "\n") ? "\n" : "", NULL);
  g_autofree char *type = g_strdup_printf(
      "Content-Type: text/plain; charset=%s%s%s\r\n", g_str_is_ascii(whole) ? "us-ascii" : "utf-8",
      draft->flowed ? "; format=flowed" : "", legacy ? ";\r\n hp-legacy-display=\"1\"" : "");
  ml_spill_text(spill, type);
  ml_draft_body_text(spill, whole, draft->sign);
}

static void
write_attachment(MlSpill *spill, const MlAttachment *attachment)
{
  const char *type = attachment->type ? attachment->type : "application/octet-stream";
  g_autofree char *name = ml_draft_one_line(attachment->name);
  gboolean composite =
      g_ascii_strncasecmp(type, "multipart/", 10) == 0 || g_ascii_strncasecmp(type, "message/", 8) == 0;
  g_autoptr(GBytes) message = NULL;
  if (composite && g_ascii_strncasecmp(type, "message/", 8) == 0)
    message = ml_draft_body_message(attachment->content);
  if (composite && !message) {
    type =
        "application/octet-stream"; /* an encoding is forbidden there (RFC 2045 6.4), and 8 bits may not pass */
    if (!name)
      name = g_strdup("message.eml");
  }
  const char *file = name && *name ? name : NULL;
  g_autofree char *content_type = ml_headers_write_type(type, message ? NULL : file);
  g_autofree char *disposition = ml_headers_write_disposition(attachment->inline_, file);
  g_autofree char *head =
      g_strdup_printf("Content-Type: %s\r\nContent-Disposition: %s\r\n", content_type, disposition);
  ml_spill_text(spill, head);
  if (attachment->description && *attachment->description) {
    g_autofree char *words = ml_headers_write_text("Content-Description", attachment->description);
    g_autofree char *line = g_strdup_printf("Content-Description: %s\r\n", words);
    ml_spill_text(spill, line);
  }
  if (!message) {
    ml_draft_body_octets(spill, attachment->content);
    return;
  }
  ml_spill_text(spill, "Content-Transfer-Encoding: 7bit\r\n\r\n");
  gsize length = 0;
  const char *data = g_bytes_get_data(message, &length);
  ml_spill_add(spill, data, length);
}

GBytes *
ml_draft_entity(const MlDraft *draft, guint64 seed, const char *legacy, GError **error)
{
  MlSpill *spill = ml_spill_new();
  ml_spill_text(spill, "MIME-Version: 1.0\r\n");
  if (!draft->attachments->len) {
    write_text_part(spill, draft, legacy);
    return ml_spill_end(spill, error);
  }
  g_autofree char *mark = token(seed, "boundary", 24);
  g_autofree char *head =
      g_strdup_printf("Content-Type: multipart/mixed; boundary=\"=_%s\"\r\n\r\n--=_%s\r\n", mark, mark);
  g_autofree char *line = g_strdup_printf("\r\n--=_%s\r\n", mark),
                  *last = g_strdup_printf("\r\n--=_%s--\r\n", mark);
  ml_spill_text(spill, head);
  write_text_part(spill, draft, legacy);
  for (guint i = 0; i < draft->attachments->len; i++) {
    ml_spill_text(spill, line);
    write_attachment(spill, g_ptr_array_index(draft->attachments, i));
  }
  ml_spill_text(spill, last);
  return ml_spill_end(spill, error);
}

MlBuilt *
ml_draft_build(MlDraft *draft, const MlBuildOptions *options, GError **error)
{
  if (!ml_draft_check(draft, error))
    return NULL;
  g_autoptr(MlBuilt) built = g_new0(MlBuilt, 1);
  built->fields = ml_draft_headers_new();
  built->seed = options->boundary_seed ? options->boundary_seed : chance();
  if (!fill_fields(built, draft, options, error))
    return NULL;
  built->entity = ml_draft_entity(draft, built->seed, NULL, error);
  return built->entity ? g_steal_pointer(&built) : NULL;
}

void
ml_built_free(MlBuilt *built)
{
  if (!built)
    return;
  g_clear_pointer(&built->fields, g_ptr_array_unref);
  g_clear_pointer(&built->entity, g_bytes_unref);
  g_free(built);
}

MlDraftHeader *
ml_draft_bcc(const MlDraft *draft)
{
  g_autoptr(GPtrArray) found = ml_draft_parse("Bcc", draft->bcc, NULL);
  if (!found || !found->len)
    return NULL;
  g_autofree char *value = ml_headers_write_addresses("Bcc", found, TRUE);
  return ml_draft_header_new("Bcc", value);
}

GBytes *
ml_draft_join(GPtrArray *fields, GBytes *entity)
{
  MlSpill *spill = ml_spill_new();
  for (guint i = 0; i < fields->len; i++) {
    const MlDraftHeader *header = g_ptr_array_index(fields, i);
    g_autofree char *line = g_strdup_printf("%s: %s\r\n", header->name, header->value);
    ml_spill_text(spill, line);
  }
  gsize length = 0;
  const char *data = g_bytes_get_data(entity, &length);
  ml_spill_add(spill, data, length);
  return ml_spill_end(spill, NULL);
}
