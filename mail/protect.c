#include "mail/headers-private.h"
#include "mail/message-private.h"

#include <string.h>

enum {
  LINES = 2000, /* header lines that are kept for display */
  OUTER = 100,  /* fields outside, or said to be, that one is held against */
};

static const char *const main_fields[] = {
  "From", "To", "Cc", "Subject", "Date", "Reply-To", "Sender", NULL
};
/* Where the header is protected these count from inside only: an outer one that is not there was not the
 * sender's (RFC 9788 4.6), and an answer must not go where it says. */
static const char *const inside_only[] = {
  "From",          "To",       "Cc",       "Bcc",         "Subject",
  "Date",          "Reply-To", "Sender",   "Followup-To", "Mail-Followup-To",
  "Mail-Reply-To", "Comments", "Keywords", NULL
};

static gboolean
is_named(const char *name, const char *const *names)
{
  for (; *names; names++)
    if (g_ascii_strcasecmp(name, *names) == 0)
      return TRUE;
  return FALSE;
}

static void
header_line_free(MlHeaderLine *line)
{
  g_free(line->name);
  g_free(line->value);
  g_free(line->outer);
  g_free(line);
}

static gboolean
has_decrypted_layer(const MlMessage *message)
{
  for (guint i = 0; i < message->layers->len; i++) {
    const MlLayer *layer = g_ptr_array_index(message->layers, i);
    if (layer->kind == ML_LAYER_ENCRYPTED && !layer->error)
      return TRUE;
  }
  return FALSE;
}

static gboolean
param_is(const MlEntity *entity, const char *name, const char *value)
{
  const char *given = ml_mime_param(entity, name);
  return given && g_ascii_strcasecmp(given, value) == 0;
}

/* RFC 9788 4.10.1: a message around the message, as RFC 8551 3.1 had it. Nothing but `forwarded=no` (RFC 7508) tells
 * it from a mail that somebody forwards and signs; few write that, so one whose Message-ID is the outer one's counts
 * too: what is forwarded has its own. */
static gboolean
is_wrapped(const MlMessage *message, const MlEntity *payload)
{
  const char *forwarded = ml_mime_param(payload, "forwarded");
  if ((!ml_mime_is(payload, "message/rfc822") && !ml_mime_is(payload, "message/global")) ||
      !payload->children)
    return FALSE;
  const MlEntity *inner = g_ptr_array_index(payload->children, 0);
  if (ml_mime_param(inner, "hp") || ml_layers_kind(inner, TRUE) != ML_CRYPTO_NONE)
    return FALSE;
  if (forwarded)
    return g_ascii_strcasecmp(forwarded, "no") == 0;
  g_autofree char *inside = ml_headers_text(inner, "Message-ID");
  g_autofree char *outside = ml_headers_text(message->root, "Message-ID");
  return inside && *inside && g_strcmp0(inside, outside) == 0;
}

MlAuthors *
ml_protect_authors(const MlEntity *entity)
{
  MlAuthors *authors = g_new0(MlAuthors, 1);
  authors->mailboxes = g_ptr_array_new_with_free_func((GDestroyNotify)ml_address_one_free);
  authors->fields = ml_mime_field_count(entity, "From");
  for (guint i = 0; i < MIN(authors->fields, 20u); i++) {
    g_autofree char *raw = ml_mime_field_raw(entity, ml_mime_field(entity, "From", i));
    g_autoptr(MlAddresses) addresses = ml_address_parse(raw);
    authors->group = authors->group || addresses->group;
    authors->broken = authors->broken || addresses->broken;
    for (guint m = 0; m < addresses->mailboxes->len; m++)
      g_ptr_array_add(authors->mailboxes, g_ptr_array_index(addresses->mailboxes, m));
    g_ptr_array_set_free_func(addresses->mailboxes, NULL);
  }
  return authors;
}

void
ml_authors_free(MlAuthors *authors)
{
  if (!authors)
    return;
  g_ptr_array_unref(authors->mailboxes);
  g_free(authors);
}

/* Folds and runs of blanks do not make a difference, nor does another spelling of the same time. */
static gboolean
same_value(const char *name, const char *a, const char *b)
{
  if (!a || !b)
    return a == b;
  if (g_ascii_strcasecmp(name, "Date") == 0 && ml_headers_date(a) && ml_headers_date(a) == ml_headers_date(b))
    return TRUE;
  for (;; a++, b++) {
    gboolean gap = *a == ' ' || *a == '\t' || *b == ' ' || *b == '\t';
    a += strspn(a, " \t");
    b += strspn(b, " \t");
    if (gap && (!*a || !*b))
      return *a == *b;
    if (*a != *b)
      return FALSE;
    if (!*a)
      return TRUE;
  }
}

/* --- what the sender put outside --- */

static void
outer_free(gpointer data)
{
  MlOuter *outer = data;
  g_free(outer->raw);
  g_free(outer->text);
  g_free(outer);
}

static void
add_outer(GHashTable *all, const char *name, const char *raw)
{
  g_autofree char *key = g_ascii_strdown(name, -1);
  GPtrArray *values = g_hash_table_lookup(all, key);
  if (!values) {
    values = g_ptr_array_new_with_free_func(outer_free);
    g_hash_table_insert(all, g_steal_pointer(&key), values);
  }
  if (values->len >= OUTER)
    return;
  MlOuter *outer = g_new0(MlOuter, 1);
  *outer = (MlOuter){ g_strdup(raw), ml_headers_decode(raw) };
  g_ptr_array_add(values, outer);
}

/* Once for the message: a hostile one has 20,000 fields, and each line is held against these. */
static GHashTable *
read_outer(const MlMessage *message)
{
  const MlEntity *entity = message->protected_by;
  GHashTable *all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
  guint recorded = 0;
  for (guint i = 0; i < entity->fields->len && recorded < OUTER; i++) {
    const MlField *field = &g_array_index(entity->fields, MlField, i);
    g_autofree char *name = ml_mime_field_name(entity, field);
    if (g_ascii_strcasecmp(name, "HP-Outer") != 0)
      continue;
    recorded++;
    g_autofree char *raw = ml_mime_field_raw(entity, field);
    char *colon = strchr(raw, ':');
    if (!colon)
      continue;
    *colon = '\0';
    add_outer(all, raw, g_strstrip(colon + 1));
  }
  if (message->hp_stated || recorded)
    return all;
  for (guint i = 0; i < message->root->fields->len; i++) { /* older schemes: what there is (RFC 9788 4.10.2) */
    const MlField *field = &g_array_index(message->root->fields, MlField, i);
    g_autofree char *name = ml_mime_field_name(message->root, field);
    g_autofree char *raw = ml_mime_field_raw(message->root, field);
    add_outer(all, name, raw);
  }
  return all;
}

GPtrArray *
ml_protect_outer(const MlMessage *message, const char *name)
{
  g_autofree char *key = g_ascii_strdown(name, -1);
  return message->outer ? g_hash_table_lookup(message->outer, key) : NULL;
}

gboolean
ml_protect_shown(const MlMessage *message, const char *name, const char *value)
{
  const GPtrArray *values = ml_protect_outer(message, name);
  g_autofree char *text = values ? ml_headers_decode(value) : NULL;
  for (guint i = 0; values && i < values->len; i++) {
    const MlOuter *other = values->pdata[i];
    if (same_value(message->hp_stated ? "" : name, text, other->text)) /* a zone can be what was hidden */
      return TRUE;
  }
  return FALSE;
}

/* Whose header fields are the message's, and how they are protected. */
void
ml_protect_read(MlMessage *message, gboolean signature_intact)
{
  MlEntity *payload = message->payload;
  gboolean encrypted = has_decrypted_layer(message);
  message->protected_by = message->root;
  if (!payload || payload == message->root || !(signature_intact || encrypted))
    return;
  gboolean hp_clear = param_is(payload, "hp", "clear"), hp_cipher = param_is(payload, "hp", "cipher");
  gboolean draft = param_is(payload, "protected-headers", "v1"); /* what programs sent before RFC 9788 */
  gboolean wrapped = !hp_clear && !hp_cipher && is_wrapped(message, payload);
  if (!hp_clear && !hp_cipher && !draft && !wrapped)
    return;
  message->header_protection = TRUE;
  message->protected_by = wrapped ? g_ptr_array_index(payload->children, 0) : payload;
  message->hp_stated = hp_clear || hp_cipher;
  message->hp_cipher = encrypted && !hp_clear;
  message->legacy_display = encrypted && (hp_cipher || draft);
  MlProtected how = message->hp_cipher ? (signature_intact ? ML_PROTECTED_BOTH : ML_PROTECTED_ENCRYPTED)
                                       : (signature_intact ? ML_PROTECTED_SIGNED : ML_PROTECTED_NONE);
  message->verdict->protected_headers = how;
  message->outer = read_outer(message);
}

/* The outer field where it says something that it should not; NULL: as expected. */
static char *
outer_value(const MlMessage *message, const char *name, const char *inner)
{
  if (!message->header_protection)
    return NULL;
  g_autofree char *outer = ml_headers_text(message->root, name);
  gboolean recorded = ml_mime_field(message->protected_by, "HP-Outer", 0) != NULL;
  if (message->hp_cipher && !recorded && (!outer || inner))
    return NULL; /* hidden by intent, and nobody said what would show */
  g_autofree char *expected = NULL;
  if (message->hp_cipher && recorded) {
    const GPtrArray *values = ml_protect_outer(message, name);
    expected = values ? g_strdup(((const MlOuter *)values->pdata[0])->text) : NULL;
  } else {
    expected = g_strdup(inner);
  }
  if (same_value(name, outer, expected))
    return NULL;
  return outer ? g_steal_pointer(&outer) : g_strdup("");
}

static void
add_line(MlMessage *message, const MlEntity *entity, const MlField *field)
{
  if (message->headers->len >= LINES)
    return;
  MlHeaderLine *line = g_new0(MlHeaderLine, 1);
  g_autofree char *name = ml_mime_field_name(entity, field);
  line->name = ml_headers_plain(name);
  g_autofree char *raw = ml_mime_field_raw(entity, field);
  line->value = ml_headers_decode(raw);
  gboolean inside = message->header_protection && entity == message->protected_by;
  MlProtected how = message->verdict->protected_headers;
  line->is_signed = inside && (how == ML_PROTECTED_SIGNED || how == ML_PROTECTED_BOTH);
  line->encrypted = inside && message->hp_cipher && !ml_protect_shown(message, name, raw);
  g_ptr_array_add(message->headers, line);
}

static void
add_main_lines(MlMessage *message, GPtrArray *differs)
{
  const MlEntity *entity = message->protected_by;
  for (gsize n = 0; main_fields[n]; n++) {
    guint count = ml_mime_field_count(entity, main_fields[n]), before = message->headers->len;
    for (guint i = 0; i < MIN(count, 20u); i++)
      add_line(message, entity, ml_mime_field(entity, main_fields[n], i));
    MlHeaderLine *first = count ? g_ptr_array_index(message->headers, before) : NULL;
    g_autofree char *outer = outer_value(message, main_fields[n], first ? first->value : NULL);
    if (!outer)
      continue;
    g_ptr_array_add(differs, g_ascii_strdown(main_fields[n], -1));
    if (first)
      first->outer = g_steal_pointer(&outer);
  }
}

static void
add_other_lines(MlMessage *message, const MlEntity *entity)
{
  gboolean outer = entity != message->protected_by;
  for (guint i = 0; i < entity->fields->len; i++) {
    const MlField *field = &g_array_index(entity->fields, MlField, i);
    g_autofree char *name = ml_mime_field_name(entity, field);
    if (is_named(name, main_fields) || (outer && is_named(name, inside_only)) ||
        (outer && ml_mime_field(message->protected_by, name, 0)) || g_ascii_strcasecmp(name, "HP-Outer") == 0)
      continue;
    add_line(message, entity, field);
  }
}

void
ml_protect_lines(MlMessage *message)
{
  message->headers = g_ptr_array_new_with_free_func((GDestroyNotify)header_line_free);
  g_autoptr(GPtrArray) differs = g_ptr_array_new();
  add_main_lines(message, differs);
  add_other_lines(message, message->protected_by);
  if (message->header_protection)
    add_other_lines(message, message->root);
  g_ptr_array_add(differs, NULL);
  message->outer_differs = (char **)g_ptr_array_free(g_steal_pointer(&differs), FALSE);
}

/* A bad signature says that somebody changed the message: then what is inside is not to be believed more than what is
 * outside, and the list goes on saying what it always said. */
const char *
ml_message_listed_subject(const MlMessage *message, gboolean *hidden)
{
  *hidden = has_decrypted_layer(message);
  if (!message->header_protection || message->verdict->indicator == ML_INDICATOR_BAD)
    return NULL;
  const char *subject = ml_message_header(message, "Subject");
  return subject ? subject : "";
}
