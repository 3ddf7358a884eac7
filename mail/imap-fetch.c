#include <string.h>

#include "crypto/mapping.h"
#include "crypto/spool.h"
#include "mail/imap-private.h"
#include "mail/partial-private.h"

/* A message, or one part of it: in chunks, so that there is progress to tell. Or only what is shown of it. */
enum {
  CHUNK_FIRST = 128 * 1024, /* octets: small, so that progress shows soon */
  CHUNK_LAST = 2 * 1024 * 1024,
  SECTIONS_A_COMMAND = 60,      /* command lines stay below 2 KiB */
  WHOLE = 128 * 1024,           /* octets of a message that is not worth asking what it consists of */
  STRUCTURE_TEXT = 8 * 1024 * 1024,
};

typedef struct {
  guint32 uid;
  const char *section;   /* "": the message */
  gboolean found, whole; /* whole: the server ignored the range and sent all */
  guint64 size;          /* as far as known */
  gint64 received;
  CryptoSpool *data;
  GBytes *all; /* instead of @data: what a server sent in one piece that ignored the range; owned */
  gsize got; /* of this chunk */
  gboolean cut;
  GError *full; /* there is no memory for it */
} Fetch;

static gboolean
is_of(const MlResponse *response, guint32 wanted)
{
  guint64 uid;
  return response->kind == ML_RESPONSE_FETCH &&
         ml_node_number(ml_imap_item(response->data, "UID"), G_MAXUINT32, &uid) && uid == wanted;
}

/* Behind what is read of a literal in a spool its pages are given back. */
static void
add_octets(Fetch *fetch, const MlNode *body)
{
  enum { STEP = 1024 * 1024 };
  for (gsize at = 0; at < body->length && !fetch->full;) {
    gsize part = MIN(body->length - at, (gsize)STEP);
    (void)!crypto_spool_add(fetch->data, body->text + at, part, &fetch->full);
    if (body->bytes)
      crypto_mapping_release((const guint8 *)body->text + at, (const guint8 *)body->text + at + part);
    at += part;
  }
}

static void
on_chunk(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Fetch *fetch = user_data;
  const MlNode *body = ml_imap_body(response->data);
  guint64 size;
  if (!is_of(response, fetch->uid) || !body)
    return;
  if (!*fetch->section && ml_node_number(ml_imap_item(response->data, "RFC822.SIZE"), G_MAXINT64, &size))
    fetch->size = size;
  ml_imap_date(ml_imap_item(response->data, "INTERNALDATE"), &fetch->received);
  fetch->found = TRUE;
  if (body->kind != ML_NODE_STRING || fetch->got)
    return;
  g_autofree char *all = g_strdup_printf("BODY[%s]", fetch->section);
  fetch->got = body->length;
  fetch->cut |= body->full > body->length;
  fetch->whole = ml_imap_item(response->data, all) != NULL;
  if (fetch->whole)
    crypto_spool_empty(fetch->data);
  if (crypto_spool_length(fetch->data) + body->length > ML_MESSAGE_MAX)
    fetch->cut = TRUE;
  else if (fetch->whole && body->bytes)
    fetch->all = g_bytes_ref(body->bytes);
  else
    add_octets(fetch, body);
}

static gboolean
is_gone(GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "The message is no longer in this folder.");
  return FALSE;
}

static gboolean
fetch_chunks(MlImap *imap, Fetch *fetch, MlProgressFunc func, gpointer user_data, GError **error)
{
  MlDriver *driver = &imap->base;
  for (gsize ask = CHUNK_FIRST;; ask = MIN(ask * 2, CHUNK_LAST)) {
    fetch->got = 0;
    fetch->found = FALSE;
    if (!ml_imap_session_command(imap->session, on_chunk, fetch, error,
                                 "UID FETCH %u (UID RFC822.SIZE INTERNALDATE BODY.PEEK[%s]"
                                 "<%" G_GSIZE_FORMAT ".%" G_GSIZE_FORMAT ">)",
                                 fetch->uid, fetch->section, crypto_spool_length(fetch->data), ask))
      return FALSE;
    if (fetch->full)
      return FALSE; /* fetch_section() hands it on */
    if (!fetch->found)
      return is_gone(error);
    if (fetch->cut || fetch->size > ML_MESSAGE_MAX) {
      g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "The message is larger than %d MiB.",
                  ML_MESSAGE_MAX / 1024 / 1024);
      return FALSE;
    }
    /* RFC822.SIZE is a guess on some servers: the end is where less comes than was asked for. */
    gboolean end = fetch->whole || fetch->got < ask;
    gsize length = fetch->all ? g_bytes_get_size(fetch->all) : crypto_spool_length(fetch->data);
    if (func)
      func(length, end ? length : MAX(fetch->size, length), user_data);
    if (end)
      return TRUE;
    if (ml_driver_interrupted(driver)) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
  }
}

static GBytes *
fetch_section(MlImap *imap, Fetch *fetch, MlProgressFunc func, gpointer user_data, GError **error)
{
  g_autoptr(CryptoSpool) data = crypto_spool_new();
  fetch->data = data;
  ml_sieve_set_literals(imap->session->stream->sieve, ML_MESSAGE_MAX, ML_MESSAGE_MAX);
  gboolean ok = fetch_chunks(imap, fetch, func, user_data, error);
  ml_sieve_set_literals(imap->session->stream->sieve, ML_HEADER_MAX, ML_MESSAGE_MAX);
  if (fetch->full)
    g_propagate_error(error, g_steal_pointer(&fetch->full));
  g_autoptr(GBytes) all = fetch->all;
  if (!ok)
    return NULL;
  return all ? g_steal_pointer(&all) : crypto_spool_finish(data, error);
}

GBytes *
ml_imap_fetch(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data,
              GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (!ml_imap_need_folder(imap, error))
    return NULL;
  Fetch fetch = { .uid = uid, .section = "" };
  GBytes *bytes = fetch_section(imap, &fetch, func, user_data, error);
  if (bytes)
    *received = fetch.received;
  return bytes;
}

GBytes *
ml_imap_fetch_part(MlDriver *driver, guint32 uid, const char *section, guint64 size, MlProgressFunc func,
                   gpointer user_data, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (!ml_imap_need_folder(imap, error))
    return NULL;
  if (strspn(section, "0123456789.") != strlen(section) || strlen(section) > 200) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "There is no such part.");
    return NULL;
  }
  Fetch fetch = { .uid = uid, .section = section, .size = MIN(size, (guint64)ML_MESSAGE_MAX) };
  g_autoptr(GBytes) bytes = fetch_section(imap, &fetch, func, user_data, error);
  if (bytes && size && !g_bytes_get_size(bytes)) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
                "%s does not give this part of the message. Open the message again.", imap->session->host);
    return NULL;
  }
  return g_steal_pointer(&bytes);
}

/* ---- what is shown of a message */

typedef struct {
  guint32 uid;
  gboolean cut;
  gint64 received;
  MlStructure *structure; /* NULL: none that can be used */
  GBytes *head;           /* of the message, with the structure */
} Shown;

/* The name of an item like "BODY[2.MIME]" is what stands in its brackets. */
static void
take_sections(Shown *shown, const MlNode *items)
{
  for (const MlNode *node = items ? items->child : NULL; node && node->next; node = node->next->next) {
    const MlNode *value = node->next;
    if (node->kind != ML_NODE_ATOM || node->length < 7 || node->length > 250 ||
        g_ascii_strncasecmp(node->text, "BODY[", 5) != 0 || node->text[node->length - 1] != ']')
      continue;
    g_autofree char *section = g_strndup(node->text + 5, node->length - 6);
    gboolean text = value->kind == ML_NODE_STRING;
    g_autoptr(GBytes) bytes = text && value->bytes
                                  ? g_bytes_ref(value->bytes)
                                  : g_bytes_new(text ? value->text : "", text ? value->length : 0);
    shown->cut |= text && value->full > value->length;
    if (shown->structure)
      ml_structure_give(shown->structure, section, bytes);
    else if (g_ascii_strcasecmp(section, "HEADER") == 0 && !shown->head)
      shown->head = g_bytes_ref(bytes);
  }
}

static void
on_structure(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Shown *shown = user_data;
  if (!is_of(response, shown->uid))
    return;
  ml_imap_date(ml_imap_item(response->data, "INTERNALDATE"), &shown->received);
  take_sections(shown, response->data);
  const MlNode *structure = ml_imap_item(response->data, "BODYSTRUCTURE");
  if (!structure || shown->structure || !shown->head)
    return;
  shown->structure = ml_structure_read(structure);
  if (shown->structure)
    ml_structure_give(shown->structure, "HEADER", shown->head);
}

static void
on_sections(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Shown *shown = user_data;
  if (is_of(response, shown->uid))
    take_sections(shown, response->data);
}

static gboolean
fetch_structure(MlImap *imap, Shown *shown, GError **error)
{
  MlSieve *sieve = imap->session->stream->sieve;
  ml_sieve_set_lenient(sieve, STRUCTURE_TEXT);
  gboolean ok = ml_imap_session_command(imap->session, on_structure, shown, error,
                                        "UID FETCH %u (UID INTERNALDATE BODYSTRUCTURE BODY.PEEK[HEADER])",
                                        shown->uid);
  ml_sieve_set_lenient(sieve, 0);
  return ok;
}

static gboolean
fetch_sections(MlImap *imap, Shown *shown, GError **error)
{
  g_autoptr(GPtrArray) wanted = ml_structure_wanted(shown->structure);
  for (guint at = 0; at < wanted->len;) {
    g_autoptr(GString) items = g_string_new("UID");
    for (guint i = 0; i < SECTIONS_A_COMMAND && at < wanted->len; i++, at++)
      g_string_append_printf(items, " BODY.PEEK[%s]", (const char *)g_ptr_array_index(wanted, at));
    if (!ml_imap_session_command(imap->session, on_sections, shown, error, "UID FETCH %u (%s)", shown->uid,
                                 items->str))
      return FALSE;
  }
  return TRUE;
}

/* NULL without an error: it must be fetched whole; that also tells whether it is there at all. */
static GBytes *
fetch_pieces(MlImap *imap, Shown *shown, GPtrArray **left, GError **error)
{
  g_autoptr(GError) why = NULL;
  MlSieve *sieve = imap->session->stream->sieve;
  ml_sieve_set_literals(sieve, ML_MESSAGE_MAX, ML_MESSAGE_MAX);
  gboolean ok = fetch_structure(imap, shown, &why);
  if (ok && shown->structure && ml_structure_plan(shown->structure))
    ok = fetch_sections(imap, shown, &why);
  ml_sieve_set_literals(sieve, ML_HEADER_MAX, ML_MESSAGE_MAX);
  if (!ok && g_error_matches(why, ML_ERROR, ML_ERROR_FAILED))
    return NULL; /* it does not want to say: then as a whole */
  if (!ok) {
    /* A structure that cost us the connection is not asked for again. */
    if (g_error_matches(why, ML_ERROR, ML_ERROR_PROTOCOL))
      imap->unstructured = shown->uid;
    g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
  }
  return shown->structure && !shown->cut ? ml_structure_build(shown->structure, left) : NULL;
}

GBytes *
ml_imap_fetch_shown(MlDriver *driver, guint32 uid, guint64 size, GPtrArray **left, gint64 *received,
                    MlProgressFunc func, gpointer user_data, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (!ml_imap_need_folder(imap, error))
    return NULL;
  if (size <= WHOLE || imap->unstructured == uid)
    return ml_imap_fetch(driver, uid, received, func, user_data, error);
  GError *why = NULL;
  Shown shown = { .uid = uid };
  GBytes *bytes = fetch_pieces(imap, &shown, left, &why);
  *received = shown.received;
  ml_structure_free(shown.structure);
  g_clear_pointer(&shown.head, g_bytes_unref);
  if (why) {
    g_propagate_error(error, why);
    return NULL;
  }
  return bytes ? bytes : ml_imap_fetch(driver, uid, received, func, user_data, error);
}
