#include "crypto/ber.h"

#include <string.h>

#include "crypto/mapping.h"
#include "crypto/spool.h"

enum { RELEASE_STEP = 1024 * 1024, RUN_MAX = 1024 * 1024, STAGE = 16 * 1024, WHOLE = 2048, LARGE = 64 * 1024 };

CryptoBerReader
crypto_ber_reader(const guint8 *data, gsize length)
{
  return (CryptoBerReader){ .at = data, .end = data ? data + length : data, .depth = 0 };
}

CryptoBerReader
crypto_ber_enter(const CryptoBerItem *item)
{
  CryptoBerReader inside = crypto_ber_reader(item->data, item->length); /* an absent item is an empty one */
  inside.depth = item->depth + 1;
  inside.ends = item->ends;
  return inside;
}

gboolean
crypto_ber_at_end(const CryptoBerReader *reader)
{
  return reader->at == reader->end;
}

int
crypto_ber_peek(const CryptoBerReader *reader)
{
  return reader->at < reader->end ? *reader->at : -1;
}

/* The same bytes lead to the same end, if it lies within what this reader may read. */
static gboolean
known_end(const CryptoBerReader *inside, CryptoBerItem *item)
{
  const CryptoBerEnds *ends = inside->ends;
  for (guint i = 0; ends && i < ends->n; i++)
    if (ends->of[i].start == item->start && ends->of[i].total <= (gsize)(inside->end - item->start)) {
      item->length = ends->of[i].length;
      item->total = ends->of[i].total;
      return TRUE;
    }
  return FALSE;
}

static void
remember_end(CryptoBerEnds *ends, const CryptoBerItem *item)
{
  if (!ends || item->total < LARGE || ends->n == G_N_ELEMENTS(ends->of))
    return;
  ends->of[ends->n].start = item->start;
  ends->of[ends->n].length = item->length;
  ends->of[ends->n++].total = item->total;
}

/* Finds the end-of-contents octets of an indefinite length. Where nothing is remembered each level is walked once for
 * every level above it that is indefinite too: at most CRYPTO_BER_DEPTH times. */
static gboolean
find_end(CryptoBerReader inside, CryptoBerItem *item)
{
  const guint8 *released = inside.at;
  item->data = inside.at;
  if (known_end(&inside, item))
    return TRUE;
  for (;;) {
    if (inside.at - released > RELEASE_STEP) {
      crypto_mapping_release(released, inside.at);
      released = inside.at;
    }
    if (inside.end - inside.at >= 2 && inside.at[0] == 0 && inside.at[1] == 0) {
      item->length = (gsize)(inside.at - item->data);
      item->total = (gsize)(inside.at + 2 - item->start);
      remember_end(inside.ends, item);
      return TRUE;
    }
    CryptoBerItem skipped;
    if (!crypto_ber_next(&inside, &skipped))
      return FALSE;
  }
}

gboolean
crypto_ber_next(CryptoBerReader *reader, CryptoBerItem *item)
{
  const guint8 *at = reader->at, *end = reader->end;
  if (reader->depth >= CRYPTO_BER_DEPTH || end - at < 2)
    return FALSE;
  *item = (CryptoBerItem){ .start = at, .tag = at[0], .depth = reader->depth, .ends = reader->ends };
  if ((item->tag & 0x1f) == 0x1f || item->tag == 0)
    return FALSE;
  guint8 first = at[1];
  at += 2;
  if (first == 0x80) {
    item->indefinite = TRUE;
    if (!(item->tag & CRYPTO_BER_CONSTRUCTED) ||
        !find_end((CryptoBerReader){ at, end, reader->depth + 1, reader->ends }, item))
      return FALSE;
    reader->at = item->start + item->total;
    return TRUE;
  }
  gsize length = first;
  if (first > 0x80) {
    guint octets = first & 0x7f;
    if (octets > sizeof(gsize) || (gsize)(end - at) < octets)
      return FALSE;
    for (length = 0; octets > 0; octets--)
      length = length << 8 | *at++;
  }
  if ((gsize)(end - at) < length)
    return FALSE;
  item->data = at;
  item->length = length;
  item->total = (gsize)(at - item->start) + length;
  reader->at = at + length;
  return TRUE;
}

gboolean
crypto_ber_expect(CryptoBerReader *reader, guint8 tag, CryptoBerItem *item)
{
  return crypto_ber_peek(reader) == tag && crypto_ber_next(reader, item);
}

gboolean
crypto_ber_optional(CryptoBerReader *reader, guint8 tag, CryptoBerItem *item)
{
  return crypto_ber_expect(reader, tag, item);
}

gboolean
crypto_ber_is(const CryptoBerItem *item, const guint8 *data, gsize length)
{
  return item->length == length && (length == 0 || memcmp(item->data, data, length) == 0);
}

gboolean
crypto_ber_equal(const CryptoBerItem *a, const CryptoBerItem *b)
{
  return a->total == b->total && memcmp(a->start, b->start, a->total) == 0;
}

gboolean
crypto_ber_pieces(const CryptoBerItem *item, CryptoBerPieceFunc func, gpointer user_data)
{
  if (!(item->tag & CRYPTO_BER_CONSTRUCTED))
    return item->length == 0 || func(item->data, item->length, user_data);
  CryptoBerReader inside = crypto_ber_enter(item);
  const guint8 *released = inside.at;
  while (!crypto_ber_at_end(&inside)) {
    CryptoBerItem piece;
    if (!crypto_ber_next(&inside, &piece) ||
        (piece.tag & ~CRYPTO_BER_CONSTRUCTED) != CRYPTO_BER_OCTET_STRING ||
        !crypto_ber_pieces(&piece, func, user_data))
      return FALSE;
    if (inside.at - released > RELEASE_STEP) {
      crypto_mapping_release(released, inside.at);
      released = inside.at;
    }
  }
  return TRUE;
}

typedef struct {
  CryptoBerPieceFunc func;
  gpointer user_data;
  gsize length;
  guint8 stage[STAGE];
} Staging;

static gboolean
stage_flush(Staging *staging)
{
  gsize length = staging->length;
  staging->length = 0;
  return length == 0 || staging->func(staging->stage, length, staging->user_data);
}

/* A long piece in parts, the pages behind each given back. */
static gboolean
hand_on(const guint8 *data, gsize length, CryptoBerPieceFunc func, gpointer user_data)
{
  while (length > 0) {
    gsize part = MIN(length, (gsize)RUN_MAX);
    if (!func(data, part, user_data))
      return FALSE;
    if (part == RUN_MAX) /* crypto_ber_pieces() sees to what comes in shorter pieces */
      crypto_mapping_release(data, data + part);
    data += part;
    length -= part;
  }
  return TRUE;
}

static gboolean
stage_piece(const guint8 *data, gsize length, gpointer user_data)
{
  Staging *staging = user_data;
  if ((length >= WHOLE || length > STAGE - staging->length) && !stage_flush(staging))
    return FALSE;
  if (length >= WHOLE)
    return hand_on(data, length, staging->func, staging->user_data);
  memcpy(staging->stage + staging->length, data, length);
  staging->length += length;
  return TRUE;
}

gboolean
crypto_ber_runs(const CryptoBerItem *item, CryptoBerPieceFunc func, gpointer user_data)
{
  if (!(item->tag & CRYPTO_BER_CONSTRUCTED))
    return hand_on(item->data, item->length, func, user_data);
  Staging *staging = g_new(Staging, 1);
  staging->func = func;
  staging->user_data = user_data;
  staging->length = 0;
  gboolean read = crypto_ber_pieces(item, stage_piece, staging) && stage_flush(staging);
  explicit_bzero(staging->stage, sizeof staging->stage);
  g_free(staging);
  return read;
}

typedef struct {
  CryptoSpool *out;
  gsize length, limit;
} Gathered;

static gboolean
count_piece(const guint8 *data, gsize length, gpointer user_data)
{
  Gathered *gathered = user_data;
  gathered->length += length;
  return gathered->length <= gathered->limit;
}

static gboolean
gather_piece(const guint8 *data, gsize length, gpointer user_data)
{
  Gathered *gathered = user_data;
  return crypto_spool_add(gathered->out, data, length, NULL);
}

GBytes *
crypto_ber_octets(GBytes *owner, const CryptoBerItem *item, gsize limit)
{
  if (!(item->tag & CRYPTO_BER_CONSTRUCTED)) {
    if (item->length > limit)
      return NULL;
    const guint8 *base = g_bytes_get_data(owner, NULL);
    return g_bytes_new_from_bytes(owner, (gsize)(item->data - base), item->length);
  }
  Gathered gathered = { .limit = MIN(limit, (gsize)G_MAXINT32) };
  if (!crypto_ber_pieces(item, count_piece, &gathered))
    return NULL;
  g_autoptr(CryptoSpool) spool = gathered.out = crypto_spool_new();
  return crypto_ber_runs(item, gather_piece, &gathered) ? crypto_spool_finish(spool, NULL) : NULL;
}

int
crypto_ber_small(const CryptoBerItem *item)
{
  if (item->tag != CRYPTO_BER_INTEGER || item->length < 1 || item->length > 4 || (item->data[0] & 0x80))
    return -1;
  int value = 0;
  for (gsize i = 0; i < item->length; i++)
    value = value << 8 | item->data[i];
  return value;
}

static gboolean
two_digits(const guint8 *at, int low, int high, int *value)
{
  if (!g_ascii_isdigit(at[0]) || !g_ascii_isdigit(at[1]))
    return FALSE;
  *value = (at[0] - '0') * 10 + (at[1] - '0');
  return *value >= low && *value <= high;
}

gboolean
crypto_ber_time(const CryptoBerItem *item, gint64 *seconds)
{
  gboolean utc = item->tag == CRYPTO_BER_UTC_TIME;
  if ((!utc && item->tag != CRYPTO_BER_GENERALIZED_TIME) || item->length != (utc ? 13u : 15u) ||
      item->data[item->length - 1] != 'Z')
    return FALSE;
  const guint8 *at = item->data;
  int century = 0, year, month, day, hour, minute, second;
  if (!utc) {
    if (!two_digits(at, 0, 99, &century))
      return FALSE;
    at += 2;
  }
  if (!two_digits(at, 0, 99, &year) || !two_digits(at + 2, 1, 12, &month) ||
      !two_digits(at + 4, 1, 31, &day) || !two_digits(at + 6, 0, 23, &hour) ||
      !two_digits(at + 8, 0, 59, &minute) || !two_digits(at + 10, 0, 59, &second))
    return FALSE;
  year += utc ? (year < 50 ? 2000 : 1900) : century * 100;
  if (year < 1 || !g_date_valid_dmy((GDateDay)day, month, (GDateYear)year))
    return FALSE;
  g_autoptr(GDateTime) time = g_date_time_new_utc(year, month, day, hour, minute, second);
  if (!time)
    return FALSE;
  *seconds = g_date_time_to_unix(time);
  return TRUE;
}

char *
crypto_ber_oid_dots(const CryptoBerItem *item)
{
  if (item->length == 0 || item->length > 64 || (item->data[item->length - 1] & 0x80))
    return NULL;
  GString *dots = g_string_new(NULL);
  guint64 arc = 0;
  for (gsize i = 0; i < item->length; i++) {
    if (arc > G_MAXUINT64 >> 7) {
      g_string_free(dots, TRUE);
      return NULL;
    }
    arc = arc << 7 | (item->data[i] & 0x7f);
    if (item->data[i] & 0x80)
      continue;
    if (dots->len == 0) {
      guint64 first = MIN(arc / 40, 2);
      g_string_append_printf(dots, "%" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT, first, arc - first * 40);
    } else {
      g_string_append_printf(dots, ".%" G_GUINT64_FORMAT, arc);
    }
    arc = 0;
  }
  return g_string_free(dots, FALSE);
}

/* Identifier and length octets into @header (room for 10); returns how many. */
static gsize
make_header(guint8 *header, guint8 tag, gsize length)
{
  gsize n = 0, octets = 0;
  header[n++] = tag;
  if (length < 0x80) {
    header[n++] = (guint8)length;
    return n;
  }
  for (gsize rest = length; rest > 0; rest >>= 8)
    octets++;
  header[n++] = (guint8)(0x80 | octets);
  while (octets-- > 0)
    header[n++] = (guint8)(length >> (8 * octets));
  return n;
}

gsize
crypto_ber_header_size(gsize length)
{
  guint8 header[10];
  return make_header(header, 0, length);
}

void
crypto_ber_put_header(GByteArray *out, guint8 tag, gsize length)
{
  guint8 header[10];
  gsize n = make_header(header, tag, length);
  g_byte_array_append(out, header, (guint)n);
}

void
crypto_ber_put(GByteArray *out, guint8 tag, gconstpointer data, gsize length)
{
  g_assert(length <= G_MAXINT32);
  crypto_ber_put_header(out, tag, length);
  if (length > 0)
    g_byte_array_append(out, data, (guint)length);
}

void
crypto_ber_put_array(GByteArray *out, guint8 tag, const GByteArray *contents)
{
  crypto_ber_put(out, tag, contents->data, contents->len);
}

void
crypto_ber_put_small(GByteArray *out, guint value)
{
  guint8 octets[5];
  guint n = 0;
  for (int shift = 32; shift >= 0; shift -= 8) {
    guint8 octet = shift == 32 ? 0 : (guint8)(value >> shift);
    guint8 next = shift == 0 ? 0 : (guint8)(value >> (shift - 8));
    if (n > 0 || octet != 0 || (next & 0x80) || shift == 0)
      octets[n++] = octet;
  }
  crypto_ber_put(out, CRYPTO_BER_INTEGER, octets, n);
}

void
crypto_ber_put_time(GByteArray *out, gint64 seconds)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seconds);
  g_return_if_fail(time != NULL);
  int year = g_date_time_get_year(time);
  gboolean utc = year >= 1950 && year < 2050; /* RFC 5652 11.3 */
  g_autofree char *text = g_date_time_format(time, utc ? "%y%m%d%H%M%SZ" : "%Y%m%d%H%M%SZ");
  crypto_ber_put(out, utc ? CRYPTO_BER_UTC_TIME : CRYPTO_BER_GENERALIZED_TIME, text, strlen(text));
}

void
crypto_ber_wrap(GByteArray *out, guint8 tag)
{
  guint8 header[10];
  gsize n = make_header(header, tag, out->len);
  g_byte_array_prepend(out, header, (guint)n);
}

/* X.690 11.6: as octet strings, the shorter padded with zeros at its end. */
static int
compare_items(gconstpointer a, gconstpointer b)
{
  gsize a_length, b_length;
  const guint8 *a_data = g_bytes_get_data(*(GBytes *const *)a, &a_length);
  const guint8 *b_data = g_bytes_get_data(*(GBytes *const *)b, &b_length);
  int order = memcmp(a_data, b_data, MIN(a_length, b_length));
  return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

void
crypto_ber_put_set(GByteArray *out, guint8 tag, GPtrArray *items)
{
  g_ptr_array_sort(items, compare_items);
  gsize length = 0;
  for (guint i = 0; i < items->len; i++)
    length += g_bytes_get_size(items->pdata[i]);
  crypto_ber_put_header(out, tag, length);
  for (guint i = 0; i < items->len; i++) {
    gsize size;
    const guint8 *data = g_bytes_get_data(items->pdata[i], &size);
    g_byte_array_append(out, data, (guint)size);
  }
}
