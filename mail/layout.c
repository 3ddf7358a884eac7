#include "mail/filename-private.h"
#include "mail/headers-private.h"
#include "mail/message-private.h"

#include <string.h>

enum {
  BLOCK_LIMIT = 4 * 1024 * 1024, /* octets of one leaf that are shown */
  TEXT_LIMIT = 16 * 1024 * 1024, /* of all of them */
  INLINE_MESSAGES = 5,           /* messages within messages that are shown in place */
  BLOCKS = 2000,
};

typedef struct {
  MlMessage *message;
  const MlReadOptions *options;
  guint lines;       /* of the text so far */
  gsize budget;      /* octets of text that may still be shown */
  guint messages;    /* inline messages around us */
  gboolean hidden;   /* an alternative that was not chosen: list, do not show */
  gboolean attached; /* inside an attached message, whose parts are its own business */
} Layout;

static void
block_free(MlBlock *block)
{
  g_free(block->text);
  g_clear_pointer(&block->links, g_ptr_array_unref);
  g_free(block);
}

static void
part_free(MlPart *part)
{
  g_free(part->type);
  g_free(part->layer);
  g_free(part->charset);
  g_free(part->name);
  g_free(part->save_as);
  g_free(part->description);
  g_free(part);
}

static void walk(Layout *layout, MlEntity *entity, int parent, guint depth, MlShield shield);

/* Takes @text. Blank text makes no block. */
static void
add_block(Layout *layout, MlBlockKind kind, guint part, char *text, MlShield shield, GPtrArray *links)
{
  MlMessage *message = layout->message;
  if (!*text || message->blocks->len >= BLOCKS) {
    g_free(text);
    g_clear_pointer(&links, g_ptr_array_unref);
    return;
  }
  MlBlock *block = g_new0(MlBlock, 1);
  block->kind = kind;
  block->text = text;
  block->part = part;
  block->is_signed = shield.is_signed;
  block->encrypted = shield.encrypted;
  if (links && links->len)
    block->links = links;
  else
    g_clear_pointer(&links, g_ptr_array_unref);
  g_ptr_array_add(message->blocks, block);
  if (kind == ML_BLOCK_NOTICE)
    return;
  ((MlPart *)g_ptr_array_index(message->parts, part))->shown = TRUE;
  if (message->text->len)
    g_string_append_c(message->text, '\n');
  g_string_append(message->text, text);
  block->from_line = ++layout->lines;
  for (const char *c = text; *c; c++)
    layout->lines += *c == '\n';
  block->to_line = layout->lines;
  gsize length = strlen(text);
  layout->budget -= MIN(length, layout->budget);
}

static void
add_notice(Layout *layout, guint part, const char *words)
{
  MlShield none = { .is_signed = FALSE };
  add_block(layout, ML_BLOCK_NOTICE, part, g_strdup(words), none, NULL);
}

static gboolean
says_attachment(const MlEntity *entity)
{
  return entity->disposition && strcmp(entity->disposition, "attachment") == 0;
}

static MlPart *
add_part(Layout *layout, MlEntity *entity, int parent, guint depth, MlShield shield)
{
  MlMessage *message = layout->message;
  MlPart *part = g_new0(MlPart, 1);
  part->depth = depth;
  part->parent = parent;
  part->type = g_strdup(entity->type);
  part->charset = g_strdup(ml_mime_param(entity, "charset"));
  part->name = g_strdup(entity->filename);
  part->leaf = !entity->children && !entity->opened;
  if (part->leaf || says_attachment(entity) || !g_str_has_prefix(entity->type, "multipart/"))
    part->save_as = ml_filename_safe(entity->filename, entity->type);
  part->description = ml_headers_text(entity, "Content-Description");
  part->size = ml_mime_decoded_size(entity);
  part->on_server = entity->incomplete && (part->leaf || entity->left);
  part->is_signed = shield.is_signed;
  part->encrypted = shield.encrypted;
  g_ptr_array_add(message->parts, part);
  g_ptr_array_add(message->entities, entity);
  return part;
}

/* Is this leaf shown as text? The first text of a message is, even under a name: some programs name their bodies. */
static gboolean
is_shown_text(const Layout *layout, const MlEntity *entity)
{
  if (entity->transfer == ML_TRANSFER_UNKNOWN || says_attachment(entity) || entity->left)
    return FALSE;
  if (ml_mime_is(entity, "message/delivery-status") || ml_mime_is(entity, "message/disposition-notification"))
    return TRUE;
  if (g_str_has_prefix(entity->type, "multipart/") && !entity->children)
    return TRUE; /* a multipart that cannot be taken apart */
  if (!ml_mime_is(entity, "text/"))
    return FALSE;
  gboolean asked = entity->disposition && strcmp(entity->disposition, "inline") == 0;
  return asked || !entity->filename || !layout->lines;
}

static void
show_text(Layout *layout, MlEntity *entity, guint part, MlShield shield)
{
  MlMessage *message = layout->message;
  gboolean inactive = message->cbc_only || shield.inactive;
  GPtrArray *links = inactive ? NULL : g_ptr_array_new_with_free_func((GDestroyNotify)ml_link_free);
  gboolean cut = FALSE, html = ml_mime_is(entity, "text/html");
  gsize limit = MIN((gsize)BLOCK_LIMIT, layout->budget);
  char *text = ml_layout_text(entity, message->legacy_display, links, MAX(limit, 1), &cut);
  if (!limit)
    *text = 0;
  add_block(layout, html ? ML_BLOCK_HTML : ML_BLOCK_TEXT, part, text, shield, links);
  if (html && inactive)
    add_notice(layout, part,
               "Links are left out: whoever sent this need not have known the encrypted text, and a link "
               "could carry it away.");
  if (cut || !limit)
    add_notice(layout, part, "This text is too long to be shown whole. Save the part to read the rest.");
}

/* The parts that are not shown say in our words what they are. */
static const char *
words_for(const MlEntity *entity)
{
  if (ml_mime_is(entity, "message/external-body"))
    return "This part is not in the message; it says where its content could be fetched from. signet does "
           "not fetch it.";
  if (ml_mime_is(entity, "message/partial"))
    return "This is one piece of a longer message that was sent in pieces. signet does not put them "
           "together.";
  if (ml_mime_is(entity, "application/pgp-encrypted"))
    return "This is encrypted with OpenPGP, which signet does not read. Save the parts and use GnuPG.";
  if (ml_mime_is(entity, "application/pgp-signature"))
    return "There is an OpenPGP signature, which signet does not check.";
  if (entity->transfer == ML_TRANSFER_UNKNOWN)
    return "This part is encoded in a way that nobody knows; it can be saved as it is.";
  return NULL;
}

static void
leaf(Layout *layout, MlEntity *entity, guint index, MlShield shield)
{
  MlMessage *message = layout->message;
  MlPart *part = g_ptr_array_index(message->parts, index);
  const char *note = ml_message_note_of(message, entity), *words = words_for(entity);
  if (note)
    add_notice(layout, index, note);
  if (g_hash_table_contains(message->locked, entity)) {
    part->locked = TRUE;
    part->layer = g_strdup("encrypted");
    part->attachment = TRUE;
    add_notice(layout, index,
               "A part of this message is encrypted by itself. It is not opened with the message, since "
               "whoever built the message may have taken it from elsewhere; open it from the list of "
               "parts.");
    return;
  }
  if (ml_layers_is_signature_part(entity))
    return;
  if (message->legacy_display && entity != message->payload && ml_mime_param(entity, "protected-headers"))
    return; /* the older scheme's copy of the header for programs that do not know it */
  if (words && !layout->hidden)
    add_notice(layout, index, words);
  if (ml_mime_is(entity, "application/pgp-signature"))
    return;
  if (!is_shown_text(layout, entity))
    part->attachment = !layout->attached;
  else if (!layout->hidden)
    show_text(layout, entity, index, shield);
}

static guint rank(MlEntity *entity);

static guint
rank_children(MlEntity *entity)
{
  guint best = 0, count = entity->children->len;
  if (ml_mime_is(entity, "multipart/signed"))
    count = MIN(count, 1u); /* the signature is no text */
  for (guint i = 0; i < count; i++) {
    guint value = rank(g_ptr_array_index(entity->children, i));
    best = MAX(best, value);
  }
  return best;
}

static guint
rank_leaf(const MlEntity *entity)
{
  if (says_attachment(entity) || entity->transfer == ML_TRANSFER_UNKNOWN || entity->left)
    return 0;
  if (ml_mime_is(entity, "text/html"))
    return 3;
  if (!ml_mime_is(entity, "text/plain"))
    return ml_mime_is(entity, "text/") ? 2 : 0;
  gboolean cut = FALSE;
  g_autofree char *text = ml_layout_text(entity, FALSE, NULL, 4096, &cut);
  return *text ? 4 : 1;
}

/* How well an alternative serves a terminal: plain text, else HTML, else any text. Found once for each entity:
 * alternatives nest, and each would ask all that it holds. */
static guint
rank(MlEntity *entity)
{
  if (!entity->ranked) {
    entity->rank = entity->children ? rank_children(entity) : rank_leaf(entity);
    entity->ranked = TRUE;
  }
  return entity->rank;
}

static void
alternatives(Layout *layout, MlEntity *entity, int index, guint depth, MlShield shield)
{
  guint best = 0, chosen = 0;
  for (guint i = 0; i < entity->children->len; i++) {
    guint value = rank(g_ptr_array_index(entity->children, i));
    if (value > best) {
      best = value;
      chosen = i;
    }
  }
  for (guint i = 0; i < entity->children->len; i++) {
    gboolean hidden = layout->hidden;
    layout->hidden = hidden || (best && i != chosen);
    walk(layout, g_ptr_array_index(entity->children, i), index, depth + 1, shield);
    layout->hidden = hidden;
  }
}

/* A message in a message: a few lines of its header, then its text. Nobody vouches for that header. */
static void
inner_message(Layout *layout, MlEntity *entity, int index, guint depth, MlShield shield)
{
  MlMessage *message = layout->message;
  MlEntity *inner = g_ptr_array_index(entity->children, 0);
  MlPart *part = g_ptr_array_index(message->parts, index);
  part->attachment = inner != message->protected_by && !layout->attached;
  gboolean hidden = layout->hidden, attached = layout->attached;
  layout->hidden = hidden || says_attachment(entity) || layout->messages >= INLINE_MESSAGES;
  layout->attached = attached || layout->hidden;
  if (!layout->hidden && part->attachment) {
    static const char *const names[] = { "From", "To", "Cc", "Subject", "Date" };
    GString *head = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
      g_autofree char *value = ml_headers_text(inner, names[i]);
      if (value)
        g_string_append_printf(head, "%s%s: %s", head->len ? "\n" : "", names[i], value);
    }
    if (head->len)
      g_string_append_c(head, '\n');
    add_block(layout, ML_BLOCK_TEXT, (guint)index, g_string_free(head, FALSE), shield, NULL);
  }
  layout->messages++;
  walk(layout, inner, index, depth + 1, shield);
  layout->messages--;
  layout->hidden = hidden;
  layout->attached = attached;
}

/* What protects the content of @entity, given what protects itself. Only the signature that counts gives a mark,
 * and only to what is within the innermost encryption: a signature around ciphertext says nothing of text. */
static MlShield
shield_inside(const MlMessage *message, const MlEntity *entity, MlShield shield, MlPart *part)
{
  const MlLayer *layer = ml_layers_of(message, entity);
  if (!layer) {
    MlCryptoKind kind = ml_layers_kind(entity, FALSE);
    if (kind == ML_CRYPTO_DETACHED && !ml_message_note_of(message, entity))
      part->layer = g_strdup("signed");
    if (kind == ML_CRYPTO_CMS && entity->opened && g_hash_table_contains(message->opened, entity)) {
      part->layer = g_strdup("encrypted");
      shield = (MlShield){ .encrypted = TRUE, .inactive = TRUE };
    }
    return shield;
  }
  static const char *const names[] = { "signed", "encrypted", "compressed" };
  part->layer = g_strdup(names[layer->kind]);
  if (layer->kind == ML_LAYER_ENCRYPTED)
    return (MlShield){ .encrypted = !layer->error };
  if (message->message_signature >= 0 &&
      layer == g_ptr_array_index(message->layers, (guint)message->message_signature))
    shield.is_signed = message->signature_intact;
  return shield;
}

static void
walk_parts(Layout *layout, MlEntity *entity, int index, guint depth, MlShield outside, MlShield inside)
{
  gboolean detached = ml_layers_kind(entity, FALSE) == ML_CRYPTO_DETACHED;
  for (guint i = 0; i < entity->children->len; i++)
    walk(layout, g_ptr_array_index(entity->children, i), index, depth + 1, detached && i ? outside : inside);
  if (entity->beyond)
    add_notice(layout, (guint)index,
               "This message has more parts than signet reads (10,000 in all, 100 deep). The "
               "rest is not shown.");
}

static void
walk(Layout *layout, MlEntity *entity, int parent, guint depth, MlShield shield)
{
  MlMessage *message = layout->message;
  MlPart *part = add_part(layout, entity, parent, depth, shield);
  int index = (int)message->parts->len - 1;
  MlShield inside = shield_inside(message, entity, shield, part);
  const MlLayer *layer = ml_layers_of(message, entity);
  if (entity->opened) {
    const char *note = ml_message_note_of(message, entity);
    if (note && !layout->hidden)
      add_notice(layout, (guint)index, note);
    walk(layout, entity->opened, index, depth + 1, inside);
  } else if (layer && layer->kind == ML_LAYER_ENCRYPTED) {
    add_notice(layout, (guint)index,
               layer->error ? layer->error->message : "There is nothing inside the encryption.");
  } else if (!entity->children) {
    leaf(layout, entity, (guint)index, shield);
  } else if (ml_mime_is(entity, "multipart/alternative")) {
    alternatives(layout, entity, index, depth, inside);
  } else if (!g_str_has_prefix(entity->type, "multipart/")) {
    inner_message(layout, entity, index, depth, inside);
  } else {
    gboolean hidden = layout->hidden;
    part->attachment = says_attachment(entity) && !layout->attached;
    layout->hidden = hidden || says_attachment(entity);
    const char *note = ml_message_note_of(message, entity);
    if (note && !layout->hidden)
      add_notice(layout, (guint)index, note);
    walk_parts(layout, entity, index, depth, shield, inside);
    layout->hidden = hidden;
  }
}

void
ml_layout(MlMessage *message, const MlReadOptions *options)
{
  message->blocks = g_ptr_array_new_with_free_func((GDestroyNotify)block_free);
  message->parts = g_ptr_array_new_with_free_func((GDestroyNotify)part_free);
  message->entities = g_ptr_array_new();
  message->text = g_string_new(NULL);
  Layout layout = { .message = message, .options = options, .budget = TEXT_LIMIT };
  MlShield none = { .is_signed = FALSE };
  walk(&layout, message->root, -1, 0, none);
}
