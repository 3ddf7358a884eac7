#include "mail/mime-private.h"

#include <string.h>

#include "crypto/mapping.h"
#include "crypto/spool.h"

/* One pass over the lines of a buffer. The multiparts that are open form a stack; a delimiter line belongs to
 * the outermost of them that has it, which closes everything within: the reading that RFC 1847 wants, where the
 * outer multipart alone decides what its first part is, and the same that a top-down splitter gives. */
enum { GARBAGE_LINES = 5, RELEASE_STEP = 1024 * 1024, STAGE = 64 * 1024 };

typedef enum { SCAN_HEADER, SCAN_BODY } ScanState;

typedef struct {
  MlEntity *entity;
  char *boundary;
} ScanLevel;

typedef struct {
  GBytes *source;
  const char *data;
  gsize length;
  GArray *levels;          /* ScanLevel, outermost first */
  GHashTable *by_boundary; /* boundary -> its level + 1; the outermost of equal ones */
  MlEntity *current;       /* whose header or leaf content we are in; NULL: preamble or epilogue */
  ScanState state;
  gboolean first_line; /* of the current header */
  gboolean mbox_line;  /* a "From " line may stand here */
  guint garbage; /* so many lines that are no fields may still come before a message's first */
  guint parts;
  GError *error;
} Scan;

void
ml_entity_free(MlEntity *entity)
{
  if (!entity)
    return;
  g_bytes_unref(entity->source);
  g_clear_pointer(&entity->fields, g_array_unref);
  g_clear_pointer(&entity->params, g_ptr_array_unref);
  g_clear_pointer(&entity->children, g_ptr_array_unref);
  ml_entity_free(entity->opened);
  g_free(entity->type);
  g_free(entity->disposition);
  g_free(entity->filename);
  g_free(entity);
}

static MlEntity *
entity_new(Scan *scan, MlEntity *parent, gsize start)
{
  MlEntity *entity = g_new0(MlEntity, 1);
  entity->source = g_bytes_ref(scan->source);
  entity->parent = parent;
  entity->depth = parent ? parent->depth + 1 : 0;
  entity->start = entity->body = start;
  entity->end = G_MAXSIZE; /* still open */
  entity->fields = g_array_new(FALSE, FALSE, sizeof(MlField));
  entity->type = g_strdup("text/plain");
  if (parent) {
    if (!parent->children)
      parent->children = g_ptr_array_new_with_free_func((GDestroyNotify)ml_entity_free);
    g_ptr_array_add(parent->children, entity);
  }
  scan->parts++;
  return entity;
}

static void
begin_header(Scan *scan, MlEntity *entity)
{
  scan->current = entity;
  scan->state = SCAN_HEADER;
  scan->first_line = TRUE;
}

/* A part ends before the line end that precedes its delimiter (RFC 2046 5.1.1), unless there is none left. */
static gsize
end_before(const Scan *scan, gsize line, gsize floor)
{
  gsize end = line;
  if (end > floor && scan->data[end - 1] == '\n')
    end--;
  if (end > floor && scan->data[end - 1] == '\r')
    end--;
  return end;
}

static void
close_entity(MlEntity *entity, gsize end)
{
  for (MlEntity *e = entity; e;) {
    if (e->end == G_MAXSIZE)
      e->end = end;
    e = e->children && e->children->len ? g_ptr_array_index(e->children, e->children->len - 1) : NULL;
  }
}

static void
pop_levels(Scan *scan, guint keep)
{
  while (scan->levels->len > keep) {
    ScanLevel *level = &g_array_index(scan->levels, ScanLevel, scan->levels->len - 1);
    if (GPOINTER_TO_UINT(g_hash_table_lookup(scan->by_boundary, level->boundary)) == scan->levels->len)
      g_hash_table_remove(scan->by_boundary, level->boundary);
    g_free(level->boundary);
    g_array_set_size(scan->levels, scan->levels->len - 1);
  }
}

static void
push_level(Scan *scan, MlEntity *entity, const char *boundary)
{
  ScanLevel level = { entity, g_strdup(boundary) };
  g_array_append_val(scan->levels, level);
  if (!g_hash_table_contains(scan->by_boundary, level.boundary))
    g_hash_table_insert(scan->by_boundary, level.boundary, GUINT_TO_POINTER(scan->levels->len));
}

/* Is this line (without its end) a delimiter of an open multipart? Its level + 1, or 0. */
static guint
delimiter_level(Scan *scan, const char *line, gsize length, gboolean *closing)
{
  if (!scan->levels->len || length < 3 || line[0] != '-' || line[1] != '-')
    return 0;
  while (length > 2 && (line[length - 1] == ' ' || line[length - 1] == '\t'))
    length--;
  if (length > ML_MIME_BOUNDARY + 4 || memchr(line, 0, length))
    return 0;
  char key[ML_MIME_BOUNDARY + 5];
  memcpy(key, line + 2, length - 2);
  key[length - 2] = 0;
  guint open = GPOINTER_TO_UINT(g_hash_table_lookup(scan->by_boundary, key));
  guint close = 0;
  if (length > 4 && line[length - 1] == '-' && line[length - 2] == '-') {
    key[length - 4] = 0;
    close = GPOINTER_TO_UINT(g_hash_table_lookup(scan->by_boundary, key));
  }
  *closing = close && (!open || close < open);
  return *closing ? close : open;
}

static void
take_delimiter(Scan *scan, guint level, gboolean closing, gsize line, gsize next)
{
  MlEntity *multipart = g_array_index(scan->levels, ScanLevel, level - 1).entity;
  pop_levels(scan, level);
  if (multipart->children && multipart->children->len) {
    MlEntity *last = g_ptr_array_index(multipart->children, multipart->children->len - 1);
    close_entity(last, end_before(scan, line, last->start));
  }
  scan->current = NULL;
  if (closing) {
    pop_levels(scan, level - 1); /* what follows is the epilogue: nobody's */
    return;
  }
  if (scan->parts >= ML_MIME_PARTS || multipart->depth + 1 >= ML_MIME_DEPTH) {
    multipart->beyond = TRUE;
    return;
  }
  begin_header(scan, entity_new(scan, multipart, next));
}

/* The header of @current has ended at @body: what it describes decides how its content is read. */
static void
begin_body(Scan *scan, gsize body)
{
  MlEntity *entity = scan->current;
  entity->body = body;
  scan->state = SCAN_BODY;
  ml_mime_describe(entity);
  if (entity->transfer != ML_TRANSFER_IDENTITY)
    return; /* RFC 2045 6.4: what is encoded is one leaf */
  if (g_str_has_prefix(entity->type, "multipart/")) {
    const char *boundary = ml_mime_param(entity, "boundary");
    if (boundary && *boundary && strlen(boundary) <= ML_MIME_BOUNDARY) {
      push_level(scan, entity, boundary);
      scan->current = NULL;
    }
    return;
  }
  if (strcmp(entity->type, "message/rfc822") == 0 || strcmp(entity->type, "message/global") == 0) {
    if (scan->parts >= ML_MIME_PARTS || entity->depth + 1 >= ML_MIME_DEPTH) {
      entity->beyond = TRUE;
      return;
    }
    begin_header(scan, entity_new(scan, entity, body));
    scan->mbox_line = TRUE;
  }
}

/* The length of a field's name if the line is one (RFC 5322 2.2: printable ASCII, no colon; blanks before the
 * colon are old but allowed), else 0. */
static gsize
field_name_length(const char *line, gsize length, gsize *colon)
{
  gsize i = 0;
  while (i < length && line[i] > 32 && line[i] < 127 && line[i] != ':')
    i++;
  gsize name = i;
  while (i < length && (line[i] == ' ' || line[i] == '\t'))
    i++;
  if (!name || i >= length || line[i] != ':')
    return 0;
  *colon = i;
  return name;
}

static void
take_header_line(Scan *scan, gsize line, gsize length, gsize next)
{
  MlEntity *entity = scan->current;
  const char *text = scan->data + line;
  gboolean first = scan->first_line;
  if (length == 0) {
    begin_body(scan, next);
    return;
  }
  if (first && scan->mbox_line &&
      ((length > 5 && memcmp(text, "From ", 5) == 0) || (length > 6 && memcmp(text, ">From ", 6) == 0))) {
    scan->mbox_line = FALSE;
    return;
  }
  gsize colon = 0, name = field_name_length(text, length, &colon);
  if (first && !name && scan->garbage) {
    scan->garbage--; /* "POST / HTTP/1.1", an mbox line without a sender: what follows may still be a header */
    return;
  }
  scan->first_line = FALSE;
  scan->mbox_line = FALSE;
  scan->garbage = 0;
  if (entity->fields->len >= ML_MIME_FIELDS || next - entity->start > ML_MIME_HEADER) {
    g_set_error_literal(
        &scan->error, ML_ERROR, ML_ERROR_MALFORMED,
        "The header of this message is beyond every measure (8 MiB, 20,000 fields), so that it is "
        "not read.");
    return;
  }
  if ((*text == ' ' || *text == '\t') && entity->fields->len) {
    MlField *last = &g_array_index(entity->fields, MlField, entity->fields->len - 1);
    last->value_length = (guint32)(line + length - last->value);
    return;
  }
  if (name) {
    MlField field = { line, line + colon + 1, (guint32)name, (guint32)(length - colon - 1) };
    g_array_append_val(entity->fields, field);
  } else if (first) {
    begin_body(scan, line); /* no header at all: the line is content */
  } /* else: a line that is no field is passed over, and the header goes on (as GMime reads it) */
}

/* Of a large message the lines behind us need not stay in memory. */
static gsize
let_go(const char *data, gsize from, gsize at)
{
  if (at - from < RELEASE_STEP)
    return from;
  crypto_mapping_release((const guint8 *)data + from, (const guint8 *)data + at);
  return at;
}

static void
scan_lines(Scan *scan)
{
  gsize behind = 0;
  gsize line =
      scan->length >= 3 && memcmp(scan->data, "\357\273\277", 3) == 0 ? 3 : 0; /* a byte order mark */
  while (line < scan->length && !scan->error) {
    const char *end = memchr(scan->data + line, '\n', scan->length - line);
    gsize next = end ? (gsize)(end - scan->data) + 1 : scan->length;
    gsize length = (end ? next - 1 : next) - line;
    if (length && scan->data[line + length - 1] == '\r')
      length--;
    gboolean closing = FALSE;
    guint level = delimiter_level(scan, scan->data + line, length, &closing);
    if (level)
      take_delimiter(scan, level, closing, line, next);
    else if (scan->current && scan->state == SCAN_HEADER)
      take_header_line(scan, line, length, next);
    else if (!scan->levels->len)
      break; /* the content of a leaf that nothing can end */
    line = next;
    behind = let_go(scan->data, behind, line);
  }
}

/* What the buffer's end left open ends here; a header that it cut short describes an entity without content.
 * A delimiter may follow so closely that a part would begin behind its parent's end: such a part is empty. */
static void
finish(MlEntity *entity, gsize length)
{
  entity->end = MIN(entity->end, length);
  entity->start = MIN(entity->start, entity->end);
  if (!entity->params) {
    entity->body = entity->end;
    ml_mime_describe(entity);
  }
  entity->body = CLAMP(entity->body, entity->start, entity->end);
  for (guint i = 0; entity->children && i < entity->children->len; i++)
    finish(g_ptr_array_index(entity->children, i), entity->end);
}

MlEntity *
ml_scan(GBytes *source, gboolean message, GError **error)
{
  Scan scan = { .source = source };
  scan.data = g_bytes_get_data(source, &scan.length);
  scan.levels = g_array_new(FALSE, FALSE, sizeof(ScanLevel));
  scan.by_boundary = g_hash_table_new(g_str_hash, g_str_equal);
  scan.mbox_line = message;
  scan.garbage = message ? GARBAGE_LINES : 0;
  g_autoptr(MlEntity) root = entity_new(&scan, NULL, 0);
  begin_header(&scan, root);
  scan_lines(&scan);
  pop_levels(&scan, 0);
  g_array_unref(scan.levels);
  g_hash_table_unref(scan.by_boundary);
  if (scan.error) {
    g_propagate_error(error, scan.error);
    return NULL;
  }
  finish(root, scan.length);
  if (message && !root->fields->len) {
    g_set_error_literal(
        error, ML_ERROR, ML_ERROR_MALFORMED,
        "This is not a message: it does not begin with header fields (From:, Subject:, ...).");
    return NULL;
  }
  return g_steal_pointer(&root);
}

GBytes *
ml_scan_exact(const MlEntity *entity)
{
  return g_bytes_new_from_bytes(entity->source, entity->start, entity->end - entity->start);
}

/* Tells how the lines of the whole buffer end; looks no further than the first CRLF. */
static gboolean
has_crlf(GBytes *source)
{
  gsize length = 0, behind = 0;
  const char *data = g_bytes_get_data(source, &length), *at = data;
  while ((at = memchr(at, '\n', length - (gsize)(at - data)))) {
    if (at > data && at[-1] == '\r')
      return TRUE;
    at++;
    behind = let_go(data, behind, (gsize)(at - data));
  }
  return FALSE;
}

/* A copy with CRLF for each LF. NULL: no memory. */
static GBytes *
with_crlf(const char *data, gsize length, GError **error)
{
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  g_autofree char *stage = g_malloc(2 * STAGE);
  gsize behind = 0;
  for (gsize at = 0; at < length;) {
    gsize stop = MIN(at + STAGE, length), used = 0;
    for (; at < stop; at++) {
      if (data[at] == '\n')
        stage[used++] = '\r';
      stage[used++] = data[at];
    }
    if (!crypto_spool_add(spool, stage, used, error))
      return NULL;
    behind = let_go(data, behind, at);
  }
  return crypto_spool_finish(spool, error);
}

GBytes *
ml_scan_canonical(const MlEntity *entity, GError **error)
{
  g_autoptr(GBytes) exact = ml_scan_exact(entity);
  gsize length = 0;
  const char *data = g_bytes_get_data(exact, &length);
  if (!length || has_crlf(entity->source) || !memchr(data, '\n', length))
    return g_steal_pointer(&exact);
  return with_crlf(data, length, error);
}
