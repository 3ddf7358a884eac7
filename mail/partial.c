#include "mail/message-private.h"
#include "mail/partial-private.h"
#include "mail/spill.h"

#include <string.h>

enum {
  SMALL = 16 * 1024,       /* octets of a part that is fetched whatever it is */
  SMALL_SUM = 192 * 1024,  /* of all such parts */
  WORTH_IT = 64 * 1024,    /* must stay on the server, or the message is fetched whole */
};

/* ---- what to fetch */

static gboolean
says_attachment(const MlStructure *part)
{
  return part->disposition && strcmp(part->disposition, "attachment") == 0;
}

/* S/MIME by its types, or by the names that gateways leave (RFC 8551 3.9). The scanner looks again at the headers
 * themselves once they are here. */
static gboolean
may_be_smime(const MlStructure *part)
{
  static const char *const types[] = { "multipart/signed",
                                       "application/pkcs7-mime",
                                       "application/x-pkcs7-mime",
                                       "application/pkcs7-signature",
                                       "application/x-pkcs7-signature",
                                       NULL };
  static const char *const endings[] = { ".p7m", ".p7s", ".p7c", ".p7z", NULL };
  if (g_strv_contains(types, part->type))
    return TRUE;
  const char *dot = part->name ? strrchr(part->name, '.') : NULL;
  for (guint i = 0; dot && endings[i]; i++)
    if (g_ascii_strcasecmp(dot, endings[i]) == 0)
      return TRUE;
  for (guint i = 0; part->parts && i < part->parts->len; i++)
    if (may_be_smime(g_ptr_array_index(part->parts, i)))
      return TRUE;
  return FALSE;
}

typedef struct {
  gboolean text;     /* one was found */
  guint64 small;     /* octets of small parts so far */
  guint64 left;
} Plan;

static gboolean
is_message(const MlStructure *part)
{
  return strcmp(part->type, "message/rfc822") == 0 || strcmp(part->type, "message/global") == 0;
}

/* What layout.c would show as text. */
static gboolean
is_text(const MlStructure *part, const Plan *plan)
{
  if (says_attachment(part))
    return FALSE;
  if (strcmp(part->type, "message/delivery-status") == 0 ||
      strcmp(part->type, "message/disposition-notification") == 0)
    return TRUE;
  gboolean asked = part->disposition && strcmp(part->disposition, "inline") == 0;
  return g_str_has_prefix(part->type, "text/") && (asked || !part->name || !plan->text);
}

/* An encoded message is one leaf to the scanner (RFC 2045 6.4 forbids it). */
static gboolean
is_identity(const MlStructure *part)
{
  static const char *const words[] = { "7bit", "8bit", "binary", NULL };
  return !part->encoding || g_strv_contains(words, part->encoding);
}

static void
plan_part(MlStructure *part, Plan *plan)
{
  if (is_message(part) && (!part->parts || !is_identity(part) || says_attachment(part)))
    g_clear_pointer(&part->parts, g_ptr_array_unref);
  for (guint i = 0; part->parts && i < part->parts->len; i++)
    plan_part(g_ptr_array_index(part->parts, i), plan);
  if (part->parts)
    return;
  if (is_text(part, plan)) {
    plan->text = TRUE;
  } else if (part->size > SMALL || plan->small + part->size > SMALL_SUM || is_message(part)) {
    part->left = TRUE;
    plan->left += part->size;
  } else {
    plan->small += part->size;
  }
}

gboolean
ml_structure_plan(MlStructure *root)
{
  Plan plan = { .text = FALSE };
  if (may_be_smime(root))
    return FALSE;
  plan_part(root, &plan);
  return plan.left >= WORTH_IT;
}

static void
add_wanted(const MlStructure *part, GPtrArray *sections)
{
  if (!part->head)
    g_ptr_array_add(sections, part->head_section);
  if (!part->parts && !part->left && !part->content)
    g_ptr_array_add(sections, part->section);
  for (guint i = 0; part->parts && i < part->parts->len; i++)
    add_wanted(g_ptr_array_index(part->parts, i), sections);
}

GPtrArray *
ml_structure_wanted(const MlStructure *root)
{
  GPtrArray *sections = g_ptr_array_new();
  add_wanted(root, sections);
  return sections;
}

void
ml_structure_give(MlStructure *part, const char *section, GBytes *bytes)
{
  if (!part->head && g_ascii_strcasecmp(part->head_section, section) == 0)
    part->head = g_bytes_ref(bytes);
  else if (!part->content && !part->parts && !part->left && g_strcmp0(part->section, section) == 0)
    part->content = g_bytes_ref(bytes);
  for (guint i = 0; part->parts && i < part->parts->len; i++)
    ml_structure_give(g_ptr_array_index(part->parts, i), section, bytes);
}

/* ---- putting it together */

void
ml_left_free(MlLeft *left)
{
  g_free(left->section);
  g_free(left);
}

typedef struct {
  MlSpill *out;
  GPtrArray *left;    /* of MlLeft */
  GHashTable *starts; /* MlStructure -> where its content begins */
} Build;

static void
append(Build *build, const char *text)
{
  ml_spill_text(build->out, text);
}

static void
append_bytes(Build *build, GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data(bytes, &size);
  ml_spill_add(build->out, data, size);
}

/* Some servers leave the blank line out that ends a header. */
static void
append_head(Build *build, GBytes *head)
{
  gsize size;
  const char *data = g_bytes_get_data(head, &size);
  append_bytes(build, head);
  gboolean ended = (size == 2 && memcmp(data, "\r\n", 2) == 0) || (size == 1 && *data == '\n') ||
                   (size >= 4 && memcmp(data + size - 4, "\r\n\r\n", 4) == 0) ||
                   (size >= 2 && memcmp(data + size - 2, "\n\n", 2) == 0);
  if (ended)
    return;
  if (size && data[size - 1] != '\n')
    append(build, "\r\n");
  append(build, "\r\n");
}

static char *
boundary_of(GBytes *head)
{
  g_autoptr(MlEntity) entity = ml_scan(head, FALSE, NULL);
  const char *boundary = entity ? ml_mime_param(entity, "boundary") : NULL;
  return boundary && *boundary && !strpbrk(boundary, "\r\n") ? g_strdup(boundary) : NULL;
}

static void
note_left(Build *build, const MlStructure *part, gboolean within)
{
  MlLeft *left = g_new0(MlLeft, 1);
  left->section = g_strdup(part->section);
  left->at = ml_spill_length(build->out);
  left->size = part->size;
  left->within = within;
  g_ptr_array_add(build->left, left);
}

/* FALSE: something did not come. */
static gboolean
build_part(Build *build, const MlStructure *part)
{
  if (!part->head)
    return FALSE;
  append_head(build, part->head);
  g_hash_table_insert(build->starts, (gpointer)part, GSIZE_TO_POINTER(ml_spill_length(build->out)));
  if (part->left) {
    note_left(build, part, FALSE);
    return TRUE;
  }
  if (!part->parts) {
    if (part->content)
      append_bytes(build, part->content);
    return part->content != NULL;
  }
  if (is_message(part)) {
    guint before = build->left->len;
    note_left(build, part, TRUE);
    if (!build_part(build, g_ptr_array_index(part->parts, 0)))
      return FALSE;
    if (build->left->len == before + 1)
      g_ptr_array_remove_index(build->left, before); /* nothing of it was left */
    return TRUE;
  }
  g_autofree char *boundary = boundary_of(part->head);
  for (guint i = 0; boundary && i < part->parts->len; i++) {
    append(build, i ? "\r\n--" : "--");
    append(build, boundary);
    append(build, "\r\n");
    if (!build_part(build, g_ptr_array_index(part->parts, i)))
      return FALSE;
  }
  if (!boundary)
    return FALSE;
  append(build, "\r\n--");
  append(build, boundary);
  append(build, "--\r\n");
  return TRUE;
}

/* Would the scanner, given all bytes, keep this leaf out of the text and out of the cryptography? */
static gboolean
may_stay(const MlEntity *entity)
{
  gboolean attached = entity->disposition && strcmp(entity->disposition, "attachment") == 0;
  gboolean asked = entity->disposition && strcmp(entity->disposition, "inline") == 0;
  gboolean report =
      ml_mime_is(entity, "message/delivery-status") || ml_mime_is(entity, "message/disposition-notification");
  gboolean message = ml_mime_is(entity, "message/rfc822") || ml_mime_is(entity, "message/global");
  return !ml_mime_is(entity, "multipart/") && (attached || !report) &&
         (attached || !message || entity->transfer != ML_TRANSFER_IDENTITY) &&
         (attached || !ml_mime_is(entity, "text/") || (entity->filename && !asked));
}

static gboolean
is_same(const Build *build, const MlStructure *part, const MlEntity *entity)
{
  gsize start = GPOINTER_TO_SIZE(g_hash_table_lookup(build->starts, part));
  if (ml_layers_kind(entity, TRUE) != ML_CRYPTO_NONE || ml_layers_is_signature_part(entity) || entity->beyond ||
      entity->body != start)
    return FALSE;
  if (part->left)
    return entity->end == start && may_stay(entity);
  if (!part->parts)
    return !entity->children && entity->end == start + g_bytes_get_size(part->content);
  if (!entity->children || entity->children->len != part->parts->len)
    return FALSE;
  for (guint i = 0; i < part->parts->len; i++)
    if (!is_same(build, g_ptr_array_index(part->parts, i), g_ptr_array_index(entity->children, i)))
      return FALSE;
  return TRUE;
}

GBytes *
ml_structure_build(const MlStructure *root, GPtrArray **left)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_left_free);
  g_autoptr(GHashTable) starts = g_hash_table_new(g_direct_hash, g_direct_equal);
  Build build = { ml_spill_new(), all, starts };
  gboolean ok = build_part(&build, root);
  g_autoptr(GBytes) bytes = ml_spill_end(build.out, NULL);
  g_autoptr(MlEntity) entity = ok && bytes ? ml_scan(bytes, TRUE, NULL) : NULL;
  if (!entity || !is_same(&build, root, entity))
    return NULL;
  *left = g_steal_pointer(&all);
  return g_steal_pointer(&bytes);
}

/* ---- in a message that was read */

void
ml_left_mark(MlEntity *entity, GPtrArray *left)
{
  for (guint i = 0; i < left->len && !entity->left; i++) {
    const MlLeft *each = g_ptr_array_index(left, i);
    if (entity->body == each->at && (each->within || entity->end == each->at))
      entity->left = each;
  }
  if (entity->left && !entity->left->within)
    g_clear_pointer(&entity->children, g_ptr_array_unref); /* of an attached message: they are not here */
  for (guint i = 0; entity->children && i < entity->children->len; i++) {
    MlEntity *child = g_ptr_array_index(entity->children, i);
    ml_left_mark(child, left);
    entity->incomplete |= child->incomplete;
  }
  entity->incomplete |= entity->left != NULL;
}

/* Encoded octets as decoded ones; lines of 76 are what senders make. */
gsize
ml_left_decoded_size(const MlEntity *entity)
{
  guint64 size = entity->left->size;
  return (gsize)(entity->transfer == ML_TRANSFER_BASE64 ? size / 78 * 57 + size % 78 * 3 / 4 : size);
}

void
ml_left_fill(MlEntity *filled, const MlEntity *entity, GBytes *content)
{
  *filled = *entity;
  filled->source = content;
  filled->start = filled->body = 0;
  filled->end = g_bytes_get_size(content);
  filled->left = NULL;
  filled->incomplete = FALSE;
}
