#include "mail/mime-private.h"
#include "mail/base64-private.h"
#include "mail/charset-private.h"
#include "mail/headers-private.h"

#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/mapping.h"
#include "crypto/spool.h"

enum { RELEASE_STEP = 1024 * 1024 };

void
ml_param_free(MlParam *param)
{
  g_free(param->name);
  g_free(param->value);
  g_free(param);
}

gboolean
ml_mime_is(const MlEntity *entity, const char *type)
{
  return g_str_has_suffix(type, "/") ? g_str_has_prefix(entity->type, type) : strcmp(entity->type, type) == 0;
}

const MlField *
ml_mime_field(const MlEntity *entity, const char *name, guint index)
{
  const char *data = g_bytes_get_data(entity->source, NULL);
  gsize length = strlen(name);
  for (guint i = 0; i < entity->fields->len; i++) {
    const MlField *field = &g_array_index(entity->fields, MlField, i);
    if (field->name_length == length && g_ascii_strncasecmp(data + field->name, name, length) == 0 &&
        !index--)
      return field;
  }
  return NULL;
}

guint
ml_mime_field_count(const MlEntity *entity, const char *name)
{
  const char *data = g_bytes_get_data(entity->source, NULL);
  gsize length = strlen(name);
  guint count = 0;
  for (guint i = 0; i < entity->fields->len; i++) {
    const MlField *field = &g_array_index(entity->fields, MlField, i);
    count += field->name_length == length && g_ascii_strncasecmp(data + field->name, name, length) == 0;
  }
  return count;
}

char *
ml_mime_field_raw(const MlEntity *entity, const MlField *field)
{
  const char *data = (const char *)g_bytes_get_data(entity->source, NULL) + field->value;
  GString *out = g_string_sized_new(field->value_length + 1);
  for (guint32 i = 0; i < field->value_length; i++) {
    if (data[i] == '\n' || (data[i] == '\r' && i + 1 < field->value_length && data[i + 1] == '\n'))
      continue; /* a fold: the white space after it stays */
    if (!data[i])
      g_string_append(out, "\357\277\275");
    else
      g_string_append_c(out, data[i]);
  }
  return g_strstrip(g_string_free(out, FALSE));
}

char *
ml_mime_field_name(const MlEntity *entity, const MlField *field)
{
  return g_strndup((const char *)g_bytes_get_data(entity->source, NULL) + field->name, field->name_length);
}

/* RFC 822 comments and white space, not recursive. An open comment swallows the rest. */
static const char *
skip_blank(const char *at)
{
  guint depth = 0;
  for (; *at; at++) {
    if (*at == '(')
      depth++;
    else if (*at == ')' && depth)
      depth--;
    else if (depth && *at == '\\' && at[1])
      at++;
    else if (!depth && !strchr(" \t\r", *at))
      break;
  }
  return at;
}

/* A quoted string or a run up to ';', without comments; *next is behind it. */
static char *
take_value(const char *at, const char **next)
{
  GString *out = g_string_new(NULL);
  at = skip_blank(at);
  if (*at == '"') {
    for (at++; *at && *at != '"'; at++) {
      if (*at == '\\' && at[1])
        at++;
      g_string_append_c(out, *at);
    }
    while (*at && *at != ';')
      at++;
  } else {
    while (*at && *at != ';')
      if (*at == '(')
        at = skip_blank(at);
      else
        g_string_append_c(out, *at++);
  }
  *next = at;
  return g_strstrip(g_string_free(out, FALSE));
}

/* One parameter as it stands: "filename*1*" is segment 1 of "filename", encoded. */
typedef struct {
  char *name, *value;
  int index; /* -1: not a segment */
  gboolean encoded;
  guint order;
} Segment;

static void
segment_clear(Segment *segment)
{
  g_free(segment->name);
  g_free(segment->value);
}

static void
add_segment(GArray *segments, char *name, char *value)
{
  Segment segment = { .value = value, .index = -1, .order = segments->len };
  gsize length = strlen(name);
  if (length > 1 && name[length - 1] == '*') {
    segment.encoded = TRUE;
    name[--length] = 0;
  }
  char *star = strchr(name, '*');
  if (star && g_ascii_isdigit(star[1]) && strlen(star) < 7) {
    segment.index = (int)strtol(star + 1, NULL, 10);
    *star = 0;
  }
  segment.name = g_ascii_strdown(name, -1);
  g_free(name);
  g_array_append_val(segments, segment);
  /* cppcheck-suppress memleak ; the array's now */
}

/* Of one name, RFC 2231's whole encoded value comes first, then its segments, then the plain one; of equals the
 * one that stands first. So there is one reading, whatever a sender writes beside it. */
static int
compare_segments(gconstpointer a, gconstpointer b)
{
  const Segment *x = a, *y = b;
  int order = strcmp(x->name, y->name);
  int xrank = x->index < 0 ? (x->encoded ? 0 : 2) : 1, yrank = y->index < 0 ? (y->encoded ? 0 : 2) : 1;
  if (!order)
    order = xrank - yrank;
  if (!order)
    order = x->index - y->index;
  return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

static void
append_percent(GString *out, const char *text)
{
  for (; *text; text++)
    if (*text == '%' && g_ascii_isxdigit(text[1]) && g_ascii_isxdigit(text[2])) {
      g_string_append_c(out, (char)(g_ascii_xdigit_value(text[1]) * 16 + g_ascii_xdigit_value(text[2])));
      text += 2;
    } else {
      g_string_append_c(out, *text);
    }
}

/* Joins segments[from..] of one name; returns how many belong to the name. */
static guint
join_segments(GArray *segments, guint from, GPtrArray *params)
{
  const Segment *first = &g_array_index(segments, Segment, from);
  guint count = 1;
  while (from + count < segments->len &&
         strcmp(first->name, g_array_index(segments, Segment, from + count).name) == 0)
    count++;
  MlParam *param = g_new0(MlParam, 1);
  param->name = g_strdup(first->name);
  g_ptr_array_add(params, param);
  if (first->index < 0 && !first->encoded) {
    if (strcmp(first->name, "boundary") == 0)
      param->value = g_strdup(first->value);
    else
      param->value =
          strstr(first->value, "=?") ? ml_headers_decode(first->value) : ml_headers_plain(first->value);
    return count;
  }
  g_autoptr(GString) octets = g_string_new(NULL);
  g_autofree char *charset = NULL;
  int wanted = first->index;
  for (guint i = 0; i < count; i++) {
    const Segment *segment = &g_array_index(segments, Segment, from + i);
    if (segment->index != wanted || (i && first->index < 0))
      break;
    const char *value = segment->value;
    const char *one = segment->encoded && !i ? strchr(value, '\'') : NULL;
    const char *two = one ? strchr(one + 1, '\'') : NULL;
    if (two) {
      charset = g_strndup(value, (gsize)(one - value));
      value = two + 1;
    }
    if (segment->encoded)
      append_percent(octets, value);
    else
      g_string_append(octets, value);
    wanted++;
  }
  param->value = ml_charset_to_utf8(octets->str, octets->len, charset, NULL);
  return count;
}

char *
ml_mime_parse_value(const char *raw, GPtrArray *params)
{
  const char *at = raw;
  g_autofree char *head = take_value(at, &at);
  char *value = g_ascii_strdown(head, -1);
  g_autoptr(GArray) segments = g_array_new(FALSE, FALSE, sizeof(Segment));
  g_array_set_clear_func(segments, (GDestroyNotify)segment_clear);
  while (*at == ';' && segments->len < ML_MIME_PARAMETERS) {
    at = skip_blank(at + 1);
    const char *name = at;
    while (*at && !strchr("=; \t\r(", *at))
      at++;
    gsize length = (gsize)(at - name);
    at = skip_blank(at);
    if (*at == '=' && length) {
      char *word = g_strndup(name, length);
      add_segment(segments, word, take_value(at + 1, &at));
    }
    while (*at && *at != ';')
      at++;
  }
  g_array_sort(segments, compare_segments);
  for (guint i = 0; i < segments->len;)
    i += join_segments(segments, i, params);
  return value;
}

const char *
ml_mime_param(const MlEntity *entity, const char *name)
{
  for (guint i = 0; entity->params && i < entity->params->len; i++) {
    const MlParam *param = g_ptr_array_index(entity->params, i);
    if (strcmp(param->name, name) == 0)
      return param->value;
  }
  return NULL;
}

static gboolean
is_media_type(const char *type)
{
  const char *slash = strchr(type, '/');
  if (!slash || slash == type || !slash[1] || strlen(type) > 255)
    return FALSE;
  for (const char *c = type; *c; c++)
    if (c != slash && !g_ascii_isalnum(*c) && !strchr("!#$&-^_.+", *c))
      return FALSE;
  return TRUE;
}

static MlTransfer
transfer_of(const MlEntity *entity)
{
  const MlField *field = ml_mime_field(entity, "Content-Transfer-Encoding", 0);
  if (!field)
    return ML_TRANSFER_IDENTITY;
  g_autofree char *raw = ml_mime_field_raw(entity, field);
  g_autoptr(GPtrArray) none = g_ptr_array_new_with_free_func((GDestroyNotify)ml_param_free);
  g_autofree char *word = ml_mime_parse_value(raw, none);
  static const struct {
    const char *word;
    MlTransfer transfer;
  } words[] = {
    { "", ML_TRANSFER_IDENTITY },      { "7bit", ML_TRANSFER_IDENTITY },
    { "8bit", ML_TRANSFER_IDENTITY },  { "binary", ML_TRANSFER_IDENTITY },
    { "7-bit", ML_TRANSFER_IDENTITY }, { "8-bit", ML_TRANSFER_IDENTITY },
    { "base64", ML_TRANSFER_BASE64 },  { "quoted-printable", ML_TRANSFER_QUOTED },
    { "x-uuencode", ML_TRANSFER_UU },  { "uuencode", ML_TRANSFER_UU },
    { "x-uue", ML_TRANSFER_UU },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
    if (strcmp(word, words[i].word) == 0)
      return words[i].transfer;
  return ML_TRANSFER_UNKNOWN;
}

void
ml_mime_describe(MlEntity *entity)
{
  entity->params = g_ptr_array_new_with_free_func((GDestroyNotify)ml_param_free);
  const MlField *field = ml_mime_field(entity, "Content-Type", 0);
  if (field) {
    g_autofree char *raw = ml_mime_field_raw(entity, field);
    g_autofree char *type = ml_mime_parse_value(raw, entity->params);
    g_free(entity->type);
    /* RFC 2045 5.2: an unreadable type is text; but not one that names something we cannot read */
    entity->type = is_media_type(type)                  ? g_steal_pointer(&type)
                   : *type && strcmp(type, "text") != 0 ? g_strdup("application/octet-stream")
                                                        : g_strdup("text/plain");
  } else if (entity->parent && strcmp(entity->parent->type, "multipart/digest") == 0) {
    g_free(entity->type);
    entity->type = g_strdup("message/rfc822");
  }
  entity->transfer = transfer_of(entity);
  /* RFC 2045 6.4 forbids an encoding on composite types; senders that name one for a multipart did not do it */
  if (g_str_has_prefix(entity->type, "multipart/"))
    entity->transfer = ML_TRANSFER_IDENTITY;
  g_autoptr(GPtrArray) params = g_ptr_array_new_with_free_func((GDestroyNotify)ml_param_free);
  field = ml_mime_field(entity, "Content-Disposition", 0);
  if (field) {
    g_autofree char *raw = ml_mime_field_raw(entity, field);
    entity->disposition = ml_mime_parse_value(raw, params);
    for (guint i = 0; i < params->len && !entity->filename; i++) {
      const MlParam *param = g_ptr_array_index(params, i);
      if (strcmp(param->name, "filename") == 0)
        entity->filename = g_strdup(param->value);
    }
  }
  if (!entity->filename || !*entity->filename) {
    const char *name = ml_mime_param(entity, "name");
    g_free(entity->filename);
    entity->filename = name && *name ? g_strdup(name) : NULL;
  }
}

static GBytes *
content_slice(const MlEntity *entity)
{
  return g_bytes_new_from_bytes(entity->source, entity->body, entity->end - entity->body);
}

/* Where decoded octets go, up to a limit (0: none), and what has been read is let go of. */
typedef struct {
  CryptoSpool *out;
  gsize limit;
  gboolean full; /* the limit is reached, or there is no memory for more */
} Decoded;

static void
decoded_add(Decoded *decoded, const void *octets, gsize length)
{
  gsize room = decoded->limit ? decoded->limit - crypto_spool_length(decoded->out) : length;
  gboolean kept = crypto_spool_add(decoded->out, octets, MIN(length, room), NULL);
  decoded->full = !kept || length > room;
}

/* Base64 up to the first '=', which ends it: our own decoder, many times as fast, takes up GMime's state and leaves what
 * GMime's would have left. Returns how much of @data it took; the rest is GMime's to decode. */
static gsize
decode_digits(GMimeEncoding *state, const char *data, gsize length, char *octets, gsize *used)
{
  if (state->encoding != GMIME_CONTENT_ENCODING_BASE64 || state->state < 0 || state->state > 3)
    return 0;
  const char *stop = memchr(data, '=', length);
  gsize taken = stop ? (gsize)(stop - data) : length;
  guint digits = (guint)state->state;
  *used = ml_base64_decode((const guint8 *)data, taken, (guint8 *)octets, &digits, &state->save);
  state->state = (int)digits;
  return taken;
}

/* GMime's decoder, fed in pieces so that its hand-over of one octet past the end cannot happen on our buffer:
 * every piece is a copy with room behind it. */
static void
decode_by_gmime(const char *data, gsize length, GMimeContentEncoding encoding, Decoded *decoded)
{
  enum { PIECE = 48 * 1024, BEHIND = 4 };
  GMimeEncoding state;
  g_mime_encoding_init_decode(&state, encoding);
  gsize most = MIN(length, (gsize)PIECE);
  g_autofree char *piece = g_malloc(most + BEHIND);
  g_autofree char *octets = g_malloc(g_mime_encoding_outlen(&state, most) + ML_BASE64_BEHIND);
  for (gsize at = 0; at < length && !decoded->full;) {
    gsize take = MIN(length - at, most), used = 0;
    gsize taken = decode_digits(&state, data + at, take, octets, &used), rest = take - taken;
    gboolean last = at + take == length;
    if (last || rest) {
      memcpy(piece, data + at + taken, rest);
      memset(piece + rest, 0, BEHIND);
      used += last ? g_mime_encoding_flush(&state, piece, rest, octets + used)
                   : g_mime_encoding_step(&state, piece, rest, octets + used);
    }
    crypto_mapping_release((const guint8 *)data + at, (const guint8 *)data + at + take);
    at += take;
    decoded_add(decoded, octets, used);
  }
}

/* uuencode, line by line between "begin" and "end": a length, then sixes of bits. GMime's decoder expects the
 * begin line to be taken away and mistakes it for data. */
static void
decode_uu(const char *data, gsize length, Decoded *decoded)
{
  const char *end = data + length;
  gboolean begun = FALSE;
  while (data < end && !decoded->full) {
    const char *newline = memchr(data, '\n', (gsize)(end - data));
    const char *stop = newline ? newline : end;
    if (!begun) {
      begun = stop - data > 6 && memcmp(data, "begin ", 6) == 0;
    } else if (data < stop) {
      guint octets = ((guint)(guchar)*data - 32) & 63;
      if (!octets)
        break;
      guint8 line[63];
      const char *c = data + 1;
      for (guint done = 0; done < octets; c += 4) {
        guint32 bits = 0;
        for (guint i = 0; i < 4; i++)
          bits = bits << 6 | (c + i < stop ? ((guint)(guchar)c[i] - 32) & 63 : 0);
        for (guint i = 0; i < 3 && done < octets; i++, done++)
          line[done] = (guint8)(bits >> (16 - 8 * i));
      }
      decoded_add(decoded, line, octets);
    }
    data = stop + 1;
  }
}

GBytes *
ml_mime_decode(const MlEntity *entity, gsize limit, gboolean *cut)
{
  gboolean ignored = FALSE;
  if (!cut)
    cut = &ignored;
  *cut = FALSE;
  g_autoptr(GBytes) content = content_slice(entity);
  gsize length = 0;
  const char *data = g_bytes_get_data(content, &length);
  if (entity->transfer == ML_TRANSFER_IDENTITY || entity->transfer == ML_TRANSFER_UNKNOWN) {
    if (!limit || length <= limit)
      return g_steal_pointer(&content);
    *cut = TRUE;
    return g_bytes_new_from_bytes(content, 0, limit);
  }
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  Decoded decoded = { .out = spool, .limit = limit };
  if (entity->transfer == ML_TRANSFER_UU)
    decode_uu(data, length, &decoded);
  else
    decode_by_gmime(data, length,
                    entity->transfer == ML_TRANSFER_BASE64 ? GMIME_CONTENT_ENCODING_BASE64
                                                           : GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE,
                    &decoded);
  *cut = decoded.full;
  GBytes *octets = crypto_spool_finish(spool, NULL);
  if (octets)
    return octets;
  *cut = TRUE;
  return g_bytes_new_static("", 0);
}

/* How many of eight octets at @data are above a blank, each counted in its own byte. Those beyond ASCII count too. */
static guint64
count_eight(const char *data)
{
  const guint64 ones = G_GUINT64_CONSTANT(0x0101010101010101);
  guint64 word;
  memcpy(&word, data, sizeof word);
  guint64 above = (word & (ones * 0x7f)) + ones * 0x5f; /* the high bit: 0x21 and more */
  return ((above | word) >> 7) & ones;
}

/* Digits of base64 in a body: whatever is no blank, but for the padding at its end. */
static gsize
count_digits(const char *data, gsize length)
{
  enum { RUN = 255 * 8 }; /* a byte can count so far */
  gsize digits = 0, at = 0, behind = 0;
  while (at + RUN <= length) {
    guint64 run = 0;
    for (guint i = 0; i < RUN; i += 8)
      run += count_eight(data + at + i);
    for (; run; run >>= 8)
      digits += run & 0xff;
    at += RUN;
    if (at - behind >= RELEASE_STEP) {
      crypto_mapping_release((const guint8 *)data + behind, (const guint8 *)data + at);
      behind = at;
    }
  }
  for (; at < length; at++)
    digits += (guchar)data[at] > ' ';
  for (gsize i = length; i > 0 && ((guchar)data[i - 1] <= ' ' || data[i - 1] == '='); i--)
    digits -= data[i - 1] == '=';
  return digits;
}

/* Of a large body in lines of one length, as base64 is, some lines in each MiB are looked at, and the end; where they
 * do not agree, all of it is counted. */
static gsize
estimate_digits(const char *data, gsize length)
{
  enum { LARGE = 4 * 1024 * 1024, LINE_MAX_LENGTH = 1024, LOOK = 16 * 1024, STRIDE = 1024 * 1024 };
  const char *end = length < LARGE ? NULL : memchr(data, '\n', LINE_MAX_LENGTH);
  if (!end)
    return count_digits(data, length);
  gsize line = (gsize)(end - data) + 1, look = LOOK / line * line, stride = STRIDE / line * line;
  gsize lines = length / line - 1, digits = count_digits(data, look);
  gboolean regular = data[lines * line - 1] == '\n';
  for (gsize at = stride; at < lines * line - look && regular; at += stride) {
    regular = data[at - 1] == '\n' && count_digits(data + at, look) == digits;
    /* with the pages around, which the kernel maps along with those that are read */
    crypto_mapping_release((const guint8 *)data + at - stride, (const guint8 *)data + at + look);
  }
  if (!regular)
    return count_digits(data, length);
  return digits / (look / line) * lines + count_digits(data + lines * line, length - lines * line);
}

gsize
ml_mime_decoded_size(const MlEntity *entity)
{
  gsize length = entity->end - entity->body;
  if (entity->left)
    return ml_left_decoded_size(entity);
  if (entity->transfer == ML_TRANSFER_BASE64) {
    gsize digits = estimate_digits((const char *)g_bytes_get_data(entity->source, NULL) + entity->body, length);
    return digits / 4 * 3 + (digits % 4 ? digits % 4 - 1 : 0);
  }
  if (entity->transfer == ML_TRANSFER_QUOTED && length < (1u << 20)) {
    g_autoptr(GBytes) decoded = ml_mime_decode(entity, 0, NULL);
    return g_bytes_get_size(decoded);
  }
  return entity->transfer == ML_TRANSFER_UU ? length / 4 * 3 : length;
}
