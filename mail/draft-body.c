#include "mail/draft-private.h"

#include <gmime/gmime.h>
#include <string.h>

#include "crypto/mapping.h"

enum {
  QP_LINE = 76,   /* RFC 2045 6.7 (5) */
  FLOW_LINE = 78, /* longer lines are broken softly */
  FLOW_TO = 72,
  LINE_LIMIT = 998, /* RFC 5322 2.1.1 */
  BASE64_ROW = 54,  /* octets of one line of 72 digits: GMime's */
};

/* What a text needs of its encoding. */
typedef struct {
  gboolean eight_bit, controls, trailing, from_, dot;
  gsize longest, escapes, length;
} Traits;

static Traits
look_at(const char *text)
{
  Traits traits = { .length = strlen(text) };
  for (const char *line = text; *line;) {
    const char *end = strchrnul(line, '\n');
    gsize length = (gsize)(end - line);
    traits.longest = MAX(traits.longest, length);
    traits.trailing = traits.trailing || (length && (end[-1] == ' ' || end[-1] == '\t'));
    traits.from_ = traits.from_ || g_str_has_prefix(line, "From ");
    traits.dot = traits.dot || *line == '.';
    for (const char *c = line; c < end; c++) {
      traits.eight_bit = traits.eight_bit || (guchar)*c >= 128;
      traits.controls = traits.controls || ((guchar)*c < 32 && *c != '\t') || *c == 127;
      traits.escapes += (guchar)*c >= 127 || ((guchar)*c < 32 && *c != '\t') || *c == '=';
    }
    line = *end ? end + 1 : end;
  }
  return traits;
}

/* Does the octet at @c need its code? At the end of a line blanks do, and at its start what a transport could take
 * for its own: "From " and a dot. */
static gboolean
qp_escapes(const char *line, const char *c, const char *end)
{
  if ((guchar)*c >= 127 || ((guchar)*c < 32 && *c != '\t') || *c == '=')
    return TRUE;
  if (*c == ' ' || *c == '\t')
    return c + 1 == end;
  return c == line && (*c == '.' || (*c == 'F' && end - c >= 5 && memcmp(c, "From ", 5) == 0));
}

static void
qp_line(MlSpill *spill, const char *line, const char *end)
{
  static const char hex[] = "0123456789ABCDEF";
  char out[QP_LINE + 4];
  gsize used = 0;
  for (const char *c = line; c < end; c++) {
    gboolean escape = qp_escapes(line, c, end);
    gsize need = escape ? 3 : 1, keep = c + 1 == end ? 0 : 1; /* room for the soft break's '=' */
    if (used + need + keep > QP_LINE) {
      memcpy(out + used, "=\r\n", 3);
      ml_spill_add(spill, out, used + 3);
      used = 0;
    }
    if (escape) {
      out[used++] = '=';
      out[used++] = hex[(guchar)*c >> 4];
      out[used++] = hex[(guchar)*c & 15];
    } else {
      out[used++] = *c;
    }
  }
  ml_spill_add(spill, out, used);
}

static void
encode_octets(MlSpill *spill, const char *data, gsize length)
{
  enum { PIECE = BASE64_ROW * 1000 };
  GMimeEncoding state;
  g_mime_encoding_init_encode(&state, GMIME_CONTENT_ENCODING_BASE64);
  g_autofree char *digits = g_malloc(g_mime_encoding_outlen(&state, PIECE) + 16);
  for (gsize at = 0; at < length;) {
    gsize take = MIN(length - at, (gsize)PIECE);
    gsize got = at + take < length ? g_mime_encoding_step(&state, data + at, take, digits)
                                   : g_mime_encoding_flush(&state, data + at, take, digits);
    for (const char *line = digits, *end = digits + got; line < end;) {
      const char *stop = memchr(line, '\n', (gsize)(end - line));
      ml_spill_add(spill, line, (gsize)((stop ? stop : end) - line));
      if (stop)
        ml_spill_add(spill, "\r\n", 2);
      line = stop ? stop + 1 : end;
    }
    crypto_mapping_release((const guint8 *)data + at, (const guint8 *)data + at + take);
    at += take;
  }
}

static void
each_line(MlSpill *spill, const char *text, void (*func)(MlSpill *, const char *, const char *))
{
  for (const char *line = text; *line;) {
    const char *end = strchrnul(line, '\n');
    func(spill, line, end);
    if (*end)
      ml_spill_add(spill, "\r\n", 2);
    line = *end ? end + 1 : end;
  }
}

static void
plain_line(MlSpill *spill, const char *line, const char *end)
{
  ml_spill_add(spill, line, (gsize)(end - line));
}

void
ml_draft_body_text(MlSpill *spill, const char *text, gboolean keep_blanks)
{
  Traits traits = look_at(text);
  if (!traits.eight_bit && !traits.controls && !traits.from_ && !(traits.trailing && keep_blanks) &&
      !(traits.dot && keep_blanks) && traits.longest <= LINE_LIMIT) {
    ml_spill_text(spill, "Content-Transfer-Encoding: 7bit\r\n\r\n");
    each_line(spill, text, plain_line);
  } else if (traits.length + 2 * traits.escapes <= traits.length / 3 * 4 + 1000) {
    ml_spill_text(spill, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    each_line(spill, text, qp_line);
  } else {
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *canonical =
        g_strjoinv("\r\n", lines); /* RFC 2045 6.8: lines are CRLF before base64 too */
    ml_spill_text(spill, "Content-Transfer-Encoding: base64\r\n\r\n");
    encode_octets(spill, canonical, strlen(canonical));
  }
}

void
ml_draft_body_octets(MlSpill *spill, GBytes *content)
{
  gsize length = 0;
  const char *data = g_bytes_get_data(content, &length);
  ml_spill_text(spill, "Content-Transfer-Encoding: base64\r\n\r\n");
  encode_octets(spill, data, length);
}

GBytes *
ml_draft_body_message(GBytes *raw)
{
  gsize length = 0;
  const char *data = g_bytes_get_data(raw, &length);
  gsize crlf = 0, lf = 0, column = 0;
  for (gsize i = 0; i < length; i++) {
    if (data[i] == '\n') {
      gboolean pair = i && data[i - 1] == '\r';
      crlf += pair;
      lf += !pair;
      column = 0;
    } else if (!data[i] || (guchar)data[i] >= 128 ||
               (data[i] == '\r' && (i + 1 == length || data[i + 1] != '\n')) || ++column > LINE_LIMIT + 1) {
      return NULL;
    }
  }
  if (!length || (crlf && lf))
    return NULL;
  if (!lf)
    return g_bytes_ref(raw);
  MlSpill *spill = ml_spill_new();
  for (const char *line = data, *end = data + length; line < end;) {
    const char *stop = memchr(line, '\n', (gsize)(end - line));
    ml_spill_add(spill, line, (gsize)((stop ? stop : end) - line));
    if (stop)
      ml_spill_add(spill, "\r\n", 2);
    line = stop ? stop + 1 : end;
  }
  return ml_spill_end(spill, NULL);
}

static guint
quote_depth(const char **at)
{
  guint depth = 0;
  const char *c = *at;
  while (*c == '>') {
    depth++;
    c++;
    if (*c == ' ' && c[1] == '>')
      c++;
  }
  if (depth && *c == ' ')
    c++;
  *at = c;
  return depth;
}

/* Where a line may be broken softly: behind the last blank within @width columns, else behind the first. */
static gsize
soft_break(const char *line, gsize length, gsize width)
{
  gsize best = 0, column = 0;
  for (gsize i = 0; i < length; i++) {
    column += ((guchar)line[i] & 0xc0) != 0x80;
    if (line[i] != ' ' || i + 1 >= length || line[i + 1] == ' ')
      continue;
    if (column > width && best)
      break;
    best = i + 1;
    if (column > width)
      break;
  }
  return best;
}

static void
flow_line(GString *out, const char *line, gsize length)
{
  const char *content = line;
  guint depth = quote_depth(&content);
  gsize rest = length - MIN((gsize)(content - line), length);
  gboolean signature = rest == 3 && memcmp(content, "-- ", 3) == 0;
  gsize width = FLOW_TO > depth + 20 ? FLOW_TO - depth : 20;
  for (gboolean first = TRUE; first || rest; first = FALSE) {
    gsize take = rest;
    if (!signature && depth < 40 && (gsize)g_utf8_strlen(content, (gssize)rest) + depth > FLOW_LINE) {
      gsize cut = soft_break(content, rest, width);
      take = cut ? cut : rest;
    }
    for (guint d = 0; d < depth; d++)
      g_string_append_c(out, '>');
    /* space-stuffing, RFC 3676 4.4: what could be read as a quote, as stuffing, or by a transport */
    if (depth ? rest > 0 || signature
              : *content == ' ' || *content == '>' || (rest >= 5 && memcmp(content, "From ", 5) == 0))
      g_string_append_c(out, ' ');
    g_string_append_len(out, content, (gssize)take);
    content += take;
    rest -= take;
    if (rest)
      g_string_append_c(out, '\n');
  }
}

char *
ml_draft_flow(const char *text)
{
  GString *out = g_string_sized_new(strlen(text) + 64);
  for (const char *line = text; *line;) {
    const char *end = strchrnul(line, '\n');
    flow_line(out, line, (gsize)(end - line));
    if (*end)
      g_string_append_c(out, '\n');
    line = *end ? end + 1 : end;
  }
  return g_string_free(out, FALSE);
}
