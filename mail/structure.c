#include "mail/partial-private.h"

#include <string.h>

/* BODYSTRUCTURE (RFC 3501 7.4.2), read leniently: what follows the fields that we need is passed over. */

void
ml_structure_free(MlStructure *structure)
{
  if (!structure)
    return;
  g_free(structure->type);
  g_free(structure->disposition);
  g_free(structure->name);
  g_free(structure->encoding);
  g_free(structure->section);
  g_free(structure->head_section);
  g_clear_pointer(&structure->parts, g_ptr_array_unref);
  g_clear_pointer(&structure->head, g_bytes_unref);
  g_clear_pointer(&structure->content, g_bytes_unref);
  g_free(structure);
}

/* A short word in lower case; NULL for what is none. */
static char *
word(const MlNode *node)
{
  if (!node || node->kind != ML_NODE_STRING || !node->length || node->length > 255 || node->full > node->length)
    return NULL;
  g_autofree char *text = ml_node_dup(node);
  return g_ascii_strdown(text, -1);
}

static const MlNode *
skip(const MlNode *node, guint n)
{
  while (node && n--)
    node = node->next;
  return node;
}

/* ("charset" "utf-8" "name" "x.pdf"): the value of the first whose name is @name, or is it with RFC 2231's marks. */
static char *
parameter(const MlNode *list, const char *name)
{
  gsize length = strlen(name);
  for (const MlNode *node = list && list->kind == ML_NODE_LIST ? list->child : NULL; node && node->next;
       node = node->next->next)
    if (node->kind == ML_NODE_STRING && node->length >= length &&
        g_ascii_strncasecmp(node->text, name, length) == 0 &&
        (node->length == length || node->text[length] == '*') && node->next->kind == ML_NODE_STRING)
      return ml_node_dup(node->next);
  return NULL;
}

/* ("attachment" ("filename" "x.pdf")) */
static void
take_disposition(MlStructure *structure, const MlNode *node)
{
  if (!node || node->kind != ML_NODE_LIST || !node->child)
    return;
  structure->disposition = word(node->child);
  char *name = parameter(node->child->next, "filename");
  if (name && *name) {
    g_free(structure->name);
    structure->name = name;
  } else {
    g_free(name);
  }
}

static MlStructure *read_part(const MlNode *node, guint depth, guint *budget);

static gboolean
add_part(MlStructure *structure, const MlNode *node, guint depth, guint *budget)
{
  MlStructure *part = read_part(node, depth + 1, budget);
  if (!part)
    return FALSE;
  if (!structure->parts)
    structure->parts = g_ptr_array_new_with_free_func((GDestroyNotify)ml_structure_free);
  g_ptr_array_add(structure->parts, part);
  return TRUE;
}

/* (part part ... "mixed" parameters disposition ...) */
static gboolean
read_multipart(MlStructure *structure, const MlNode *node, guint depth, guint *budget)
{
  for (; node && node->kind == ML_NODE_LIST; node = node->next)
    if (!add_part(structure, node, depth, budget))
      return FALSE;
  g_autofree char *subtype = word(node);
  if (!subtype)
    return FALSE;
  structure->type = g_strconcat("multipart/", subtype, NULL);
  take_disposition(structure, skip(node, 2));
  return TRUE;
}

/* ("text" "plain" parameters id description encoding octets ...) */
static gboolean
read_single(MlStructure *structure, const MlNode *node, guint depth, guint *budget)
{
  g_autofree char *type = word(node), *subtype = word(skip(node, 1));
  const MlNode *octets = skip(node, 6), *rest = octets ? octets->next : NULL;
  if (!type || !subtype || !ml_node_number(octets, G_MAXINT64, &structure->size) || strcmp(type, "multipart") == 0)
    return FALSE;
  structure->type = g_strconcat(type, "/", subtype, NULL);
  structure->name = parameter(skip(node, 2), "name");
  structure->encoding = word(skip(node, 5));
  gboolean message = strcmp(structure->type, "message/rfc822") == 0 || strcmp(structure->type, "message/global") == 0;
  if (message && rest && rest->kind == ML_NODE_LIST && rest->next && rest->next->kind == ML_NODE_LIST) {
    if (!add_part(structure, rest->next, depth, budget))
      return FALSE;
    rest = skip(rest, 3); /* the envelope, the body, its lines */
  } else if (strcmp(type, "text") == 0) {
    rest = skip(rest, 1); /* its lines */
  }
  take_disposition(structure, skip(rest, 1)); /* behind an MD5 */
  return TRUE;
}

static MlStructure *
read_part(const MlNode *node, guint depth, guint *budget)
{
  if (!node || node->kind != ML_NODE_LIST || !node->child || depth > ML_STRUCTURE_DEPTH || !*budget)
    return NULL;
  (*budget)--;
  g_autoptr(MlStructure) structure = g_new0(MlStructure, 1);
  gboolean multipart = node->child->kind == ML_NODE_LIST;
  if (!(multipart ? read_multipart(structure, node->child, depth, budget)
                  : read_single(structure, node->child, depth, budget)))
    return NULL;
  return g_steal_pointer(&structure);
}

static gboolean
is_multipart(const MlStructure *structure)
{
  return g_str_has_prefix(structure->type, "multipart/");
}

static void number_body(MlStructure *structure, const char *prefix, char *head);

/* RFC 3501 6.4.5: a part of a multipart has its place in it, and a header of its own. */
static void
number_part(MlStructure *structure, const char *section)
{
  structure->section = g_strdup(section);
  structure->head_section = g_strconcat(section, ".MIME", NULL);
  for (guint i = 0; structure->parts && i < structure->parts->len; i++) {
    g_autofree char *inner = g_strdup_printf("%s.%u", section, i + 1);
    g_autofree char *prefix = g_strconcat(section, ".", NULL);
    if (is_multipart(structure))
      number_part(g_ptr_array_index(structure->parts, i), inner);
    else
      number_body(g_ptr_array_index(structure->parts, i), prefix, g_strconcat(section, ".HEADER", NULL));
  }
}

/* The body of a message: a multipart's parts are counted without it, anything else is part 1. Takes @head. */
static void
number_body(MlStructure *structure, const char *prefix, char *head)
{
  if (!is_multipart(structure)) {
    g_autofree char *section = g_strconcat(prefix, "1", NULL);
    number_part(structure, section);
  }
  for (guint i = 0; is_multipart(structure) && i < structure->parts->len; i++) {
    g_autofree char *inner = g_strdup_printf("%s%u", prefix, i + 1);
    number_part(g_ptr_array_index(structure->parts, i), inner);
  }
  g_free(structure->head_section);
  structure->head_section = head;
}

MlStructure *
ml_structure_read(const MlNode *data)
{
  guint budget = ML_STRUCTURE_PARTS;
  MlStructure *root = read_part(data, 0, &budget);
  if (root)
    number_body(root, "", g_strdup("HEADER"));
  return root;
}
