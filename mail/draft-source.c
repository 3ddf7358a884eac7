#include <string.h>

#include "mail/draft-private.h"
#include "mail/headers-private.h"
#include "mail/message-private.h"

enum {
  FIELDS = 20,               /* of one name that are read */
  ID = 250,                  /* octets of one Message-ID */
  QUOTE_LIMIT = 1024 * 1024, /* octets of text that are quoted */
};

/* Where the header is protected, these count from inside alone (protect.c says why). */
static gboolean
inside_only(const char *name)
{
  static const char *const names[] = { "From",        "To",
                                       "Cc",          "Bcc",
                                       "Subject",     "Reply-To",
                                       "Date",        "Sender",
                                       "Followup-To", "Mail-Followup-To",
                                       "Keywords",    "Mail-Reply-To",
                                       "Comments" };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (g_ascii_strcasecmp(name, names[i]) == 0)
      return TRUE;
  return FALSE;
}

char *
ml_draft_source_raw(const MlMessage *message, const char *name, guint index)
{
  const MlEntity *entity = message->protected_by;
  if (entity != message->root && !inside_only(name) && !ml_mime_field(entity, name, 0))
    entity = message->root;
  const MlField *field = ml_mime_field(entity, name, index);
  return field ? ml_mime_field_raw(entity, field) : NULL;
}

char *
ml_draft_source_text(const MlMessage *message, const char *name)
{
  g_autofree char *raw = ml_draft_source_raw(message, name, 0);
  g_autofree char *text = raw ? ml_headers_decode(raw) : NULL;
  g_autofree char *line = ml_draft_one_line(text);
  return line && strlen(line) <= ML_DRAFT_LINE / 2 ? g_steal_pointer(&line) : NULL;
}

GPtrArray *
ml_draft_source_people(const MlMessage *message, const char *name, gboolean *over)
{
  GPtrArray *people = g_ptr_array_new_with_free_func((GDestroyNotify)ml_address_one_free);
  for (guint i = 0; i < FIELDS; i++) {
    g_autofree char *raw = ml_draft_source_raw(message, name, i);
    if (!raw)
      break;
    g_autoptr(MlAddresses) parsed = ml_address_parse(raw);
    if (over && parsed->mailboxes->len >= ML_DRAFT_RECIPIENTS)
      *over = TRUE;
    for (guint m = 0; m < parsed->mailboxes->len; m++) {
      const MlAddress *address = g_ptr_array_index(parsed->mailboxes, m);
      char *good = ml_draft_deliverable(address->address);
      if (!good)
        continue;
      MlAddress *copy = g_new0(MlAddress, 1);
      copy->address = good;
      copy->name = address->name && strlen(address->name) <= 500 ? ml_draft_one_line(address->name) : NULL;
      g_ptr_array_add(people, copy);
    }
  }
  return people;
}

static gboolean
is_id(const char *at, gsize length)
{
  if (length < 3 || length > ID || *at != '<' || at[length - 1] != '>')
    return FALSE;
  for (gsize i = 1; i < length - 1; i++)
    if (at[i] <= 32 || at[i] >= 127 || at[i] == '<' || at[i] == '>')
      return FALSE;
  return TRUE;
}

/* Of very many the first and the last count: the first is the thread's, the last are the nearest. */
char *
ml_draft_source_ids(const MlMessage *message, const char *name, guint most)
{
  g_autofree char *raw = ml_draft_source_raw(message, name, 0);
  g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
  for (const char *at = raw; at && (at = strchr(at, '<'));) {
    gsize length = strcspn(at, " \t,>");
    length += at[length] == '>' ? 1 : 0;
    if (is_id(at, length))
      g_ptr_array_add(ids, g_strndup(at, length));
    at += MAX(length, 1);
    if (ids->len > most)
      g_ptr_array_remove_index(ids, most > 1 ? 1 : 0);
  }
  if (!ids->len)
    return NULL;
  g_ptr_array_add(ids, NULL);
  return g_strjoinv(" ", (char **)ids->pdata);
}

/* Was this part taken out of somebody's ciphertext that is not the message's own envelope? */
static gboolean
is_borrowed(const MlMessage *message, guint part)
{
  for (int at = (int)part; at >= 0;
       at = ((const MlPart *)g_ptr_array_index(message->parts, (guint)at))->parent)
    if (g_hash_table_contains(message->opened, g_ptr_array_index(message->entities, (guint)at)) ||
        g_hash_table_contains(message->locked, g_ptr_array_index(message->entities, (guint)at)))
      return TRUE;
  return FALSE;
}

static gboolean
is_quotable(const MlMessage *message, const MlBlock *block)
{
  return block->kind != ML_BLOCK_NOTICE && !is_borrowed(message, block->part);
}

static gboolean
same_domain(const MlBlock *a, const MlBlock *b)
{
  return a->is_signed == b->is_signed && a->encrypted == b->encrypted;
}

/* The block that the quoted run begins with: NULL: nothing may be quoted. */
static const MlBlock *
domain_of(const MlMessage *message, guint *index)
{
  const MlBlock *first = NULL;
  for (guint i = 0; i < message->blocks->len; i++) {
    const MlBlock *block = g_ptr_array_index(message->blocks, i);
    if (!is_quotable(message, block))
      continue;
    if (!first || ((block->is_signed || block->encrypted) && !(first->is_signed || first->encrypted))) {
      first = block;
      *index = i;
    }
  }
  return first;
}

char *
ml_draft_source_quote(const MlMessage *message)
{
  guint from = 0;
  const MlBlock *first = domain_of(message, &from);
  GString *text = g_string_new(NULL);
  for (guint i = from; first && i < message->blocks->len; i++) {
    const MlBlock *block = g_ptr_array_index(message->blocks, i);
    if (block->kind == ML_BLOCK_NOTICE)
      continue;
    if (!is_quotable(message, block) || !same_domain(first, block))
      break;
    if (text->len)
      g_string_append(text, "\n\n");
    gsize length = strlen(block->text);
    if (text->len + length > QUOTE_LIMIT) {
      const char *cut = block->text + (QUOTE_LIMIT - MIN(text->len, (gsize)QUOTE_LIMIT));
      while (cut > block->text && cut[-1] != '\n')
        cut--;
      g_string_append_len(text, block->text, cut - block->text);
      g_string_append(text, "[...]");
      break;
    }
    g_string_append(text, block->text);
  }
  return g_string_free(text, FALSE);
}

void
ml_draft_source_attach(const MlMessage *message, MlDraft *draft)
{
  guint from = 0;
  const MlBlock *first = domain_of(message, &from);
  gsize total = 0;
  for (guint i = 0; i < message->parts->len && draft->attachments->len < ML_DRAFT_ATTACHMENTS; i++) {
    const MlPart *part = g_ptr_array_index(message->parts, i);
    gboolean foreign = first && (part->is_signed != first->is_signed || part->encrypted != first->encrypted);
    if (!part->attachment || part->locked || foreign || is_borrowed(message, i) ||
        g_str_has_prefix(part->type, "multipart/"))
      continue;
    g_autoptr(GBytes) content = ml_message_part_content(message, i, NULL);
    if (!content || total + g_bytes_get_size(content) > ML_DRAFT_CONTENT)
      continue;
    total += g_bytes_get_size(content);
    gboolean text = g_str_has_prefix(part->type, "text/") && part->charset && strlen(part->charset) < 40;
    g_autofree char *type =
        text ? g_strdup_printf("%s; charset=\"%s\"", part->type, part->charset) : g_strdup(part->type);
    MlAttachment *attachment = ml_attachment_new(content, part->name ? part->save_as : NULL, type);
    attachment->description = ml_draft_one_line(part->description);
    g_ptr_array_add(draft->attachments, attachment);
  }
}

/* Did the sender hide a value of this field (RFC 9788 4.3.1)? What the way here may have changed decides nothing. */
static gboolean
was_hidden(const MlMessage *message, const char *name)
{
  if (!message->header_protection || !message->hp_cipher)
    return FALSE;
  for (guint i = 0; i < FIELDS; i++) {
    const MlField *field = ml_mime_field(message->protected_by, name, i);
    g_autofree char *raw = field ? ml_mime_field_raw(message->protected_by, field) : NULL;
    if (!raw)
      break;
    if (*raw && !ml_protect_shown(message, name, raw))
      return TRUE;
  }
  return FALSE;
}

static const char *const people_fields[] = {
  "From", "To", "Cc", "Reply-To", "Sender", "Mail-Reply-To", "Mail-Followup-To", "Followup-To"
};

static void
add_folded(GHashTable *set, const char *raw)
{
  g_autoptr(MlAddresses) parsed = ml_address_parse(raw);
  for (guint i = 0; i < parsed->mailboxes->len; i++) {
    char *folded = ml_address_fold(((MlAddress *)g_ptr_array_index(parsed->mailboxes, i))->address);
    if (folded)
      g_hash_table_add(set, folded);
  }
}

/* Addresses that were inside alone. Without a record those count as seen that the transport saw: an answer that names
 * nobody outside helps nobody. NULL: none. */
static char *
hidden_people(const MlMessage *message)
{
  if (!message->header_protection || !message->hp_cipher)
    return NULL;
  gboolean recorded = ml_mime_field(message->protected_by, "HP-Outer", 0) != NULL;
  g_autoptr(GHashTable) inner = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (gsize n = 0; n < G_N_ELEMENTS(people_fields); n++) {
    const GPtrArray *outer = ml_protect_outer(message, people_fields[n]);
    for (guint i = 0; outer && i < outer->len; i++)
      add_folded(seen, ((const MlOuter *)outer->pdata[i])->raw);
    for (guint i = 0; i < FIELDS; i++) {
      const MlField *inside = ml_mime_field(message->protected_by, people_fields[n], i);
      const MlField *there = recorded ? NULL : ml_mime_field(message->root, people_fields[n], i);
      g_autofree char *raw = inside ? ml_mime_field_raw(message->protected_by, inside) : NULL;
      g_autofree char *other = there ? ml_mime_field_raw(message->root, there) : NULL;
      if (raw)
        add_folded(inner, raw);
      if (other)
        add_folded(seen, other);
    }
  }
  g_autoptr(GString) hidden = g_string_new(NULL);
  GHashTableIter iter;
  gpointer address;
  g_hash_table_iter_init(&iter, inner);
  while (g_hash_table_iter_next(&iter, &address, NULL))
    if (!g_hash_table_contains(seen, address) && hidden->len < ML_DRAFT_FIELD)
      g_string_append_printf(hidden, "%s%s", hidden->len ? " " : "", (const char *)address);
  return hidden->len ? g_strdup(hidden->str) : NULL;
}

/* RFC 9788 6.1: what was hidden stays so, whatever this account would hide of its own. */
void
ml_draft_source_protect(const MlMessage *message, MlDraft *draft)
{
  MlEncryption encryption = message->verdict->encryption;
  if (encryption == ML_ENCRYPTION_NONE)
    return;
  draft->encrypt = TRUE;
  draft->encrypt_demanded = encryption != ML_ENCRYPTION_ERRANT;
  if (was_hidden(message, "Subject")) {
    g_autofree char *subject = ml_draft_source_text(message, "Subject");
    draft->secret_subject = subject ? ml_draft_source_base(subject) : NULL;
    if (draft->hide == ML_HIDE_NONE)
      draft->hide = ML_HIDE_BASELINE;
  }
  for (gsize i = 0; i < G_N_ELEMENTS(people_fields); i++)
    draft->secret_names = draft->secret_names || was_hidden(message, people_fields[i]);
  if (draft->secret_names)
    draft->hide = ML_HIDE_SHY;
  draft->secret_people = hidden_people(message);
  draft->secret_thread = was_hidden(message, "Message-ID") || was_hidden(message, "References") ||
                         was_hidden(message, "In-Reply-To");
}

/* What stands for "Re:" in mail, with a count in brackets or behind a caret: "Re[2]:", "RE :", "AW:". */
static gsize
reply_mark(const char *text)
{
  static const char *const marks[] = { "re",  "aw",  "antw", "antwort", "sv",   "vs", "odp",
                                       "ynt", "rif", "回复", "答复",    "回覆", NULL };
  for (gsize i = 0; marks[i]; i++) {
    gsize length = strlen(marks[i]);
    if (g_ascii_strncasecmp(text, marks[i], length) != 0)
      continue;
    const char *at = text + length;
    if (*at == '[' || *at == '(' || *at == '^') {
      const char *digits = at + 1;
      gsize count = strspn(digits, "0123456789");
      gboolean open = *at != '^';
      if (!count || count > 4 || (open && digits[count] != ']' && digits[count] != ')'))
        continue;
      at = digits + count + (open ? 1 : 0);
    }
    at += strspn(at, " \t");
    if (*at == ':')
      return (gsize)(at + 1 - text);
    if (g_str_has_prefix(at, "：")) /* full width */
      return (gsize)(at - text) + strlen("：");
  }
  return 0;
}

char *
ml_draft_source_base(const char *subject)
{
  for (;;) {
    subject += strspn(subject, " \t");
    gsize mark = reply_mark(subject);
    if (!mark)
      return g_strdup(subject);
    subject += mark;
  }
}
