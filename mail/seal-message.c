#include <string.h>

#include "crypto/keyuse.h"
#include "crypto/mapping.h"
#include "mail/draft-private.h"
#include "mail/headers-private.h"
#include "mail/message-private.h"
#include "mail/seal-private.h"

/* A message that was there already, sealed: its header cut in three (trace, the message's own, MIME), its body made
 * canonical. */

enum { LINE_MAX_OCTETS = 998, STEP = 1024 * 1024 };

typedef struct {
  MlSpill *spill;
  gboolean seven_bit; /* recode what a transport could change */
} Canonical;

/* A large message is read once here: what lies behind need not stay in memory. */
static void
let_go(const char **kept, const char *at)
{
  if (at - *kept < STEP)
    return;
  crypto_mapping_release((const guint8 *)*kept, (const guint8 *)at);
  *kept = at;
}

/* --- line ends --- */

/* Bare LF, and bare CR, become CRLF. */
static void
put_canonical(MlSpill *spill, const char *data, gsize length)
{
  const char *end = data + length, *kept = data;
  while (data < end) {
    const char *stop = data;
    while (stop < end && *stop != '\n' && *stop != '\r' && stop - data < STEP)
      stop++;
    ml_spill_add(spill, data, (gsize)(stop - data));
    if (stop < end && (*stop == '\n' || *stop == '\r')) {
      ml_spill_text(spill, "\r\n");
      stop += *stop == '\r' && stop + 1 < end && stop[1] == '\n' ? 2 : 1;
    }
    data = stop;
    let_go(&kept, data);
  }
}

static void
put_range(Canonical *out, const MlEntity *entity, gsize from, gsize to)
{
  const char *data = g_bytes_get_data(entity->source, NULL);
  if (to > from)
    put_canonical(out->spill, data + from, to - from);
}

static void
put_octets(Canonical *out, const char *data, gsize length)
{
  while (length > 0) {
    gsize part = MIN(length, (gsize)STEP);
    ml_spill_add(out->spill, data, part);
    crypto_mapping_release((const guint8 *)data, (const guint8 *)data + part);
    data += part;
    length -= part;
  }
}

/* --- what a transport may change --- */

/* 8-bit, NUL, long lines, blanks at a line's end, "From " and a dot at its start. */
static gboolean
is_fragile(const char *data, gsize length)
{
  const char *end = data + length, *kept = data;
  for (const char *line = data; line < end;) {
    const char *stop = memchr(line, '\n', (gsize)(end - line));
    const char *next = stop ? stop + 1 : end;
    stop = stop ? stop : end;
    if (stop > line && stop[-1] == '\r')
      stop--;
    gsize size = (gsize)(stop - line);
    if (size > LINE_MAX_OCTETS || (size > 0 && (stop[-1] == ' ' || stop[-1] == '\t' || *line == '.')) ||
        (size >= 5 && memcmp(line, "From ", 5) == 0))
      return TRUE;
    for (const char *c = line; c < stop; c++)
      if ((guchar)*c >= 127 || *c == 0 || *c == '\r')
        return TRUE;
    line = next;
    let_go(&kept, line);
  }
  return FALSE;
}

/* What its own signature or somebody else's encryption covers stays as it is. */
static gboolean
is_sealed(const MlEntity *entity)
{
  return ml_mime_is(entity, "multipart/signed") || ml_mime_is(entity, "multipart/encrypted") ||
         entity->beyond;
}

static gboolean
needs_recoding(const Canonical *out, const MlEntity *entity)
{
  const char *data = g_bytes_get_data(entity->source, NULL);
  return out->seven_bit && !entity->children && entity->transfer == ML_TRANSFER_IDENTITY &&
         !ml_mime_is(entity, "message/") && !ml_mime_is(entity, "multipart/") &&
         is_fragile(data + entity->body, entity->end - entity->body);
}

static void
put_recoded(Canonical *out, const MlEntity *entity)
{
  const char *data = (const char *)g_bytes_get_data(entity->source, NULL) + entity->body;
  gsize length = entity->end - entity->body;
  if (!ml_mime_is(entity, "text/") || memchr(data, 0, length) || length > ML_DRAFT_TEXT) {
    g_autoptr(GBytes) octets = g_bytes_new_from_bytes(entity->source, entity->body, length);
    ml_draft_body_octets(out->spill, octets);
    return;
  }
  GString *text = g_string_sized_new(length + 1); /* '\n' line ends */
  for (gsize i = 0; i < length; i++) {
    if (data[i] == '\r')
      i += i + 1 < length && data[i + 1] == '\n';
    g_string_append_c(text, data[i] == '\r' ? '\n' : data[i]);
  }
  ml_draft_body_text(out->spill, text->str, TRUE);
  g_string_free(text, TRUE);
}

/* --- the tree --- */

static gboolean
is_transfer(const MlEntity *entity, const MlField *field)
{
  g_autofree char *name = ml_mime_field_name(entity, field);
  return g_ascii_strcasecmp(name, "Content-Transfer-Encoding") == 0;
}

static gsize
field_end(const MlField *field)
{
  return field->value + field->value_length;
}

static void
put_field(Canonical *out, const MlEntity *entity, const MlField *field)
{
  const char *data = g_bytes_get_data(entity->source, NULL);
  gsize end = field_end(field);
  while (end > field->name && (data[end - 1] == '\n' || data[end - 1] == '\r'))
    end--;
  put_range(out, entity, field->name, end);
  ml_spill_text(out->spill, "\r\n");
}

/* LF throughout becomes CRLF; a mixture is as it was signed. */
static void
put_sealed(Canonical *out, const MlEntity *entity, gsize from)
{
  g_autoptr(GBytes) exact = ml_scan_canonical(entity, NULL);
  gsize length = 0;
  const char *data = exact ? g_bytes_get_data(exact, &length) : NULL;
  if (length == entity->end - entity->start)
    put_octets(out, data + (from - entity->start), length - (from - entity->start));
  else
    put_range(out, entity, from, entity->end);
}

static void put_body(Canonical *out, const MlEntity *entity, gboolean recode);

/* A part as it is, but for its line ends and an encoding that would not survive. */
static void
put_part(Canonical *out, const MlEntity *entity)
{
  if (is_sealed(entity)) {
    put_sealed(out, entity, entity->start);
    return;
  }
  gboolean recode = needs_recoding(out, entity);
  for (guint i = 0; i < entity->fields->len; i++) {
    const MlField *field = &g_array_index(entity->fields, MlField, i);
    if (!((recode || (entity->children && out->seven_bit)) && is_transfer(entity, field)))
      put_field(out, entity, field);
  }
  put_body(out, entity, recode);
}

/* The empty line and what follows; where it is encoded anew, its Content-Transfer-Encoding before that. */
static void
put_body(Canonical *out, const MlEntity *entity, gboolean recode)
{
  if (recode) {
    put_recoded(out, entity);
    return;
  }
  ml_spill_text(out->spill, "\r\n");
  gsize at = entity->body;
  for (guint i = 0; entity->children && i < entity->children->len; i++) {
    const MlEntity *child = entity->children->pdata[i];
    put_range(out, entity, at, child->start);
    put_part(out, child);
    at = child->end;
  }
  put_range(out, entity, at, entity->end);
}

/* --- the message's own header --- */

static gboolean
is_trace(const char *name)
{
  static const char *const names[] = { "Received",
                                       "Return-Path",
                                       "Delivered-To",
                                       "X-Original-To",
                                       "Envelope-To",
                                       "DKIM-Signature",
                                       "Authentication-Results",
                                       "Received-SPF",
                                       "Status",
                                       "X-Status",
                                       "Lines",
                                       NULL };
  for (guint i = 0; names[i]; i++)
    if (g_ascii_strcasecmp(name, names[i]) == 0)
      return TRUE;
  return g_ascii_strncasecmp(name, "ARC-", 4) == 0 || g_ascii_strncasecmp(name, "X-Spam-", 7) == 0;
}

static gboolean
is_mime(const char *name)
{
  return g_ascii_strcasecmp(name, "MIME-Version") == 0 || g_ascii_strncasecmp(name, "Content-", 8) == 0;
}

/* The field's value with canonical folds, as it stood. */
static char *
folded_value(const MlEntity *entity, const MlField *field)
{
  const char *data = (const char *)g_bytes_get_data(entity->source, NULL) + field->value;
  g_autofree char *raw = g_strndup(data, field->value_length);
  g_auto(GStrv) lines = g_strsplit(raw, "\n", -1);
  g_autoptr(GString) out = g_string_new(NULL);
  for (guint i = 0; lines[i]; i++) {
    g_strchomp(lines[i]);
    g_strdelimit(lines[i], "\r", ' ');
    if (*lines[i])
      g_string_append_printf(out, "%s%s", out->len ? "\r\n" : "", i == 0 ? g_strchug(lines[i]) : lines[i]);
  }
  return g_strdup(out->str);
}

static void
add_field(GPtrArray *fields, const char *name, char *value)
{
  MlDraftHeader *header = g_new0(MlDraftHeader, 1);
  *header = (MlDraftHeader){ g_strdup(name), value };
  g_ptr_array_add(fields, header);
}

/* The fields outside of MIME, the trace apart. Bcc is nobody's business any more; blind recipients are told by the
 * envelope. */
static void
cut_header(const MlEntity *root, GPtrArray *trace, GPtrArray *own)
{
  for (guint i = 0; i < root->fields->len; i++) {
    const MlField *field = &g_array_index(root->fields, MlField, i);
    g_autofree char *name = ml_mime_field_name(root, field);
    if (is_mime(name) || g_ascii_strcasecmp(name, "Bcc") == 0 || g_ascii_strcasecmp(name, "HP-Outer") == 0)
      continue;
    add_field(is_trace(name) ? trace : own, name, folded_value(root, field));
  }
}

/* Text without a word on its charset: what it can be. */
static const char *
guessed_type(const MlEntity *root)
{
  gsize length = root->end - root->body;
  const char *data = (const char *)g_bytes_get_data(root->source, NULL) + root->body;
  gboolean ascii = TRUE;
  for (gsize i = 0; i < length && ascii; i++)
    ascii = (guchar)data[i] < 128;
  return ascii                                         ? "Content-Type: text/plain; charset=us-ascii\r\n"
         : g_utf8_validate(data, (gssize)length, NULL) ? "Content-Type: text/plain; charset=utf-8\r\n"
                                                       : "Content-Type: text/plain; charset=unknown-8bit\r\n";
}

/* Without the mark of a protection that is made anew. */
static void
put_type(Canonical *out, const MlEntity *root, const MlField *field)
{
  g_autofree char *value = folded_value(root, field);
  if (ml_mime_param(root, "hp")) {
    g_autoptr(GRegex) mark = g_regex_new(";\\s*hp=\"?[a-z]*\"?", G_REGEX_CASELESS | G_REGEX_RAW, 0, NULL);
    char *rest = g_regex_replace_literal(mark, value, -1, 0, "", 0, NULL);
    g_free(value);
    value = rest;
  }
  g_autofree char *line = g_strdup_printf("Content-Type: %s\r\n", value);
  ml_spill_text(out->spill, line);
}

static GBytes *
entity_of(const MlEntity *root, gboolean seven_bit, GError **error)
{
  Canonical out = { .spill = ml_spill_new(), .seven_bit = seven_bit && !is_sealed(root) };
  gboolean recode = needs_recoding(&out, root);
  ml_spill_text(out.spill, "MIME-Version: 1.0\r\n");
  if (!ml_mime_field(root, "Content-Type", 0))
    ml_spill_text(out.spill, guessed_type(root));
  for (guint i = 0; i < root->fields->len; i++) {
    const MlField *field = &g_array_index(root->fields, MlField, i);
    g_autofree char *name = ml_mime_field_name(root, field);
    gboolean transfer = is_transfer(root, field) && (recode || (root->children && out.seven_bit));
    if (g_ascii_strcasecmp(name, "Content-Type") == 0)
      put_type(&out, root, field);
    else if (g_ascii_strncasecmp(name, "Content-", 8) == 0 && !transfer)
      put_field(&out, root, field);
  }
  if (is_sealed(root)) {
    ml_spill_text(out.spill, "\r\n");
    put_sealed(&out, root, root->body);
  } else {
    put_body(&out, root, recode);
  }
  return ml_spill_end(out.spill, error);
}

/* --- sealing it --- */

typedef struct {
  MlSealing sealing;
  MlEntity *root;
  GPtrArray *trace;
  MlBuilt *built;
  char *from;
  GPtrArray *notes;
} Job;

static void
job_clear(Job *job)
{
  ml_entity_free(job->root);
  g_clear_pointer(&job->trace, g_ptr_array_unref);
  g_clear_pointer(&job->built, ml_built_free);
  g_free(job->from);
  g_clear_pointer(&job->notes, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Job, job_clear)

static char *
sole_author(const MlEntity *root)
{
  g_autoptr(MlAuthors) authors = ml_protect_authors(root);
  return authors->fields == 1 && authors->mailboxes->len == 1
             ? g_strdup(((MlAddress *)authors->mailboxes->pdata[0])->address)
             : NULL;
}

gboolean
ml_seal_people(GBytes *message, char **from, GPtrArray **mailboxes, GError **error)
{
  static const char *const names[] = { "To", "Cc" };
  g_autoptr(MlEntity) root = ml_scan(message, TRUE, error);
  if (!root)
    return FALSE;
  *from = sole_author(root);
  if (!mailboxes)
    return TRUE;
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  *mailboxes = g_ptr_array_new_with_free_func((GDestroyNotify)ml_mailbox_free);
  for (guint n = 0; n < G_N_ELEMENTS(names); n++)
    for (guint i = 0; i < ml_mime_field_count(root, names[n]); i++) {
      g_autofree char *raw = ml_mime_field_raw(root, ml_mime_field(root, names[n], i));
      g_autoptr(MlAddresses) parsed = ml_address_parse(raw);
      for (guint m = 0; m < parsed->mailboxes->len; m++) {
        const MlAddress *one = parsed->mailboxes->pdata[m];
        char *folded = ml_address_fold(one->address);
        if (!folded || !g_hash_table_add(seen, folded))
          continue;
        MlMailbox *mailbox = g_new0(MlMailbox, 1);
        *mailbox = (MlMailbox){ g_strdup(one->address), g_strdup(one->address), n == 0 ? ML_TO : ML_CC };
        g_ptr_array_add(*mailboxes, mailbox);
      }
    }
  return TRUE;
}

static gboolean
read_message(Job *job, GBytes *bytes, GError **error)
{
  job->root = ml_scan(bytes, TRUE, error);
  if (!job->root)
    return FALSE;
  job->trace = ml_draft_headers_new();
  job->built = g_new0(MlBuilt, 1);
  job->built->fields = ml_draft_headers_new();
  cut_header(job->root, job->trace, job->built->fields);
  job->built->entity = entity_of(job->root, job->sealing.policy->sign, error);
  if (!job->built->entity)
    return FALSE;
  job->from = sole_author(job->root);
  job->sealing.from = job->from ? job->from : "";
  if (job->sealing.policy->sign && !job->from) {
    g_set_error_literal(
        error, ML_ERROR, ML_ERROR_MALFORMED,
        "The message has not exactly one author in its From, so nobody's signature would fit it.");
    return FALSE;
  }
  return TRUE;
}

/* Payload and outer fields. A layer that is there already has its header inside, or nobody's: it is left alone. */
static GBytes *
make_payload(Job *job, GPtrArray **outer, GError **error)
{
  const MlDraft *policy = job->sealing.policy;
  if (ml_layers_kind(job->root, TRUE) == ML_CRYPTO_NONE)
    return ml_draft_payload(policy, job->built, policy->encrypt, outer, error);
  *outer = g_ptr_array_ref(job->built->fields);
  if (policy->encrypt && policy->hide != ML_HIDE_NONE)
    g_ptr_array_add(job->notes, g_strdup("It was signed or encrypted before, so its header stays readable "
                                         "outside. To hide the subject, sign and encrypt in one step."));
  return g_bytes_ref(job->built->entity);
}

static gboolean
has_self(GPtrArray *rows)
{
  for (guint i = 0; i < rows->len; i++)
    if (((MlRecipient *)rows->pdata[i])->self)
      return TRUE;
  return FALSE;
}

/* Takes @outer. */
static GBytes *
seal(Job *job, GPtrArray *outer, GBytes *payload, GError **error)
{
  const MlDraft *policy = job->sealing.policy;
  GPtrArray *rows = job->sealing.options->recipients;
  g_ptr_array_extend_and_steal(job->trace, outer);
  g_autoptr(GPtrArray) inside =
      policy->sign ? ml_seal_sign(&job->sealing, payload, error) : ml_seal_parts(payload);
  if (!inside)
    return NULL;
  const char *reason = NULL;
  if (policy->encrypt && !ml_recipients_ready(rows, &reason)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The message is not encrypted: %s", reason ? reason : "");
    return NULL;
  }
  if (policy->encrypt && !has_self(rows)) {
    job->sealing.unread = TRUE;
    g_ptr_array_add(job->notes, g_strdup("It is encrypted to others alone: you cannot read it again."));
  }
  g_autoptr(GBytes) bytes = policy->encrypt ? ml_seal_encrypt(&job->sealing, job->trace, inside, rows, error)
                                            : ml_seal_join(job->trace, inside, error);
  if (!bytes || !ml_seal_check(&job->sealing, bytes, policy->encrypt ? inside : NULL, error))
    return NULL;
  return g_steal_pointer(&bytes);
}

GBytes *
ml_seal_message(GBytes *message, const MlDraft *policy, const MlSealOptions *options, CryptoPinSource *pin,
                GCancellable *cancellable, GPtrArray **notes, GError **error)
{
  MlDraft switches = *policy;
  switches.legacy_display = FALSE; /* that one is made from a draft's text */
  g_auto(Job) job = { .sealing = {
                          .policy = &switches, .options = options, .pin = pin, .cancellable = cancellable } };
  job.notes = g_ptr_array_new_with_free_func(g_free);
  if (!read_message(&job, message, error) ||
      (options->rules && !ml_seal_allowed_header(&job.sealing, message, job.root, error)) ||
      (policy->sign && !ml_seal_check_signer(&job.sealing, error)))
    return NULL;
  GPtrArray *outer = NULL;
  g_autoptr(GBytes) payload = make_payload(&job, &outer, error);
  if (!payload)
    return NULL;
  g_autofree char *id = ml_headers_text(job.root, "Message-ID");
  crypto_keyuse_push(id);
  GBytes *sealed = seal(&job, outer, payload, error);
  crypto_keyuse_pop();
  if (sealed && notes)
    *notes = g_steal_pointer(&job.notes);
  return sealed;
}
