#include "mail/headers-private.h"
#include "mail/charset-private.h"

#include <gmime/gmime.h>
#include <string.h>

enum { VALUE_LIMIT = 256 * 1024 }; /* octets of one field that are decoded: a screen shows far less */

static void
start_gmime(void)
{
  static gsize once = 0;
  if (g_once_init_enter(&once)) {
    g_mime_init();
    g_once_init_leave(&once, 1);
  }
}

/* One line: folds are gone already, so a line end that is left was hidden in an encoded word. */
static char *
one_line(char *text)
{
  gboolean clean = TRUE;
  for (const char *c = text; clean && *c; c++)
    clean = *c != '\n' && *c != '\r';
  if (clean)
    return g_strstrip(text);
  g_strstrip(text);
  GString *out = g_string_new(NULL);
  for (const char *c = text; *c; c++)
    if (*c == '\n' || *c == '\r')
      g_string_append(out, "\357\277\275");
    else
      g_string_append_c(out, *c);
  g_free(text);
  return g_string_free(out, FALSE);
}

char *
ml_headers_plain(const char *raw)
{
  gsize length = MIN(strlen(raw), (gsize)VALUE_LIMIT);
  gboolean ascii = TRUE;
  for (gsize i = 0; ascii && i < length; i++)
    ascii = (guchar)raw[i] < 0x80;
  return one_line(ascii ? g_strndup(raw, length) : ml_charset_to_utf8(raw, length, NULL, NULL));
}

/* The encoded text of one word (RFC 2047 4), in octets; NULL: not decodable. */
static GByteArray *
word_octets(const char *text, gsize length, char encoding)
{
  GByteArray *out = g_byte_array_sized_new((guint)length);
  if (encoding == 'q') {
    for (gsize i = 0; i < length; i++) {
      guint8 octet = (guint8)text[i];
      if (octet == '_')
        octet = ' ';
      if (octet == '=' && i + 2 < length + 0 && g_ascii_isxdigit(text[i + 1]) &&
          g_ascii_isxdigit(text[i + 2])) {
        octet = (guint8)(g_ascii_xdigit_value(text[i + 1]) * 16 + g_ascii_xdigit_value(text[i + 2]));
        i += 2;
      }
      g_byte_array_append(out, &octet, 1);
    }
    return out;
  }
  start_gmime();
  GMimeEncoding state;
  g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_BASE64);
  g_byte_array_set_size(out, (guint)g_mime_encoding_outlen(&state, length) + 4);
  gsize used = g_mime_encoding_flush(&state, text, length, (char *)out->data);
  g_byte_array_set_size(out, (guint)used);
  return out;
}

/* An encoded word at @at: its charset, encoding and text. Returns the end, or NULL. */
static const char *
word_at(const char *at, char *charset, gsize size, char *encoding, const char **text, gsize *length)
{
  if (at[0] != '=' || at[1] != '?')
    return NULL;
  const char *name = at + 2, *mark = strchr(name, '?');
  if (!mark || mark == name || (gsize)(mark - name) >= size)
    return NULL;
  *encoding = (char)g_ascii_tolower(mark[1]);
  if ((*encoding != 'q' && *encoding != 'b') || mark[2] != '?')
    return NULL;
  *text = mark + 3;
  const char *end = strstr(*text, "?=");
  if (!end)
    return NULL;
  *length = (gsize)(end - *text);
  memcpy(charset, name, (gsize)(mark - name));
  charset[mark - name] = 0;
  char *language = strchr(charset, '*'); /* RFC 2231 5 */
  if (language)
    *language = 0;
  return end + 2;
}

/* Adjacent words of one charset are joined before conversion: senders split characters between them. */
static void
flush_words(GString *out, GByteArray *pending, const char *charset)
{
  if (!pending->len)
    return;
  g_autofree char *text = ml_charset_to_utf8((const char *)pending->data, pending->len, charset, NULL);
  g_string_append(out, text);
  g_byte_array_set_size(pending, 0);
}

char *
ml_headers_decode(const char *raw)
{
  g_autofree char *plain = ml_headers_plain(raw);
  if (!strstr(plain, "=?"))
    return g_steal_pointer(&plain);
  GString *out = g_string_sized_new(strlen(plain));
  g_autoptr(GByteArray) pending = g_byte_array_new();
  char pending_charset[41] = "";
  const char *gap = NULL; /* white space after a word, dropped if another word follows */
  for (const char *at = plain; *at;) {
    char charset[41], encoding = 0;
    const char *text = NULL;
    gsize length = 0;
    const char *end = word_at(at, charset, sizeof charset, &encoding, &text, &length);
    if (end) {
      if (strcmp(charset, pending_charset) != 0)
        flush_words(out, pending, pending_charset);
      memcpy(pending_charset, charset, sizeof charset);
      g_autoptr(GByteArray) octets = word_octets(text, length, encoding);
      g_byte_array_append(pending, octets->data, octets->len);
      at = gap = end;
    } else if (gap && (*at == ' ' || *at == '\t')) {
      at++;
    } else {
      flush_words(out, pending, pending_charset);
      if (gap)
        g_string_append_len(out, gap, at - gap);
      gap = NULL;
      gsize run = 1 + strcspn(at + 1, "="); /* no word begins in it */
      g_string_append_len(out, at, (gssize)run);
      at += run;
    }
  }
  flush_words(out, pending, pending_charset);
  return one_line(g_string_free(out, FALSE));
}

char *
ml_headers_text(const MlEntity *entity, const char *name)
{
  const MlField *field = ml_mime_field(entity, name, 0);
  if (!field)
    return NULL;
  g_autofree char *raw = ml_mime_field_raw(entity, field);
  return ml_headers_decode(raw);
}

gint64
ml_headers_date(const char *raw)
{
  if (!raw || strlen(raw) > 200)
    return 0;
  start_gmime();
  g_autoptr(GDateTime) date = g_mime_utils_header_decode_date(raw);
  return date ? g_date_time_to_unix(date) : 0;
}
