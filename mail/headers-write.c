#include "mail/headers-write-private.h"

#include <gmime/gmime.h>
#include <string.h>

#include "mail/address-private.h"

enum {
  LINE = 78,   /* RFC 5322 2.1.1 */
  WORD = 70,   /* a longer word is encoded, so that it can be folded */
  GAP = 30,    /* so is a longer run of blanks */
  ENCODED = 75 /* RFC 2047 2 */
};

typedef struct {
  GString *out;
  gsize column;
} Fold;

/* @gap: the blanks between what stands there and @piece; a line may end before them. */
static void
add_piece(Fold *fold, const char *gap, gsize gap_length, const char *piece, gsize length)
{
  if (fold->out->len && gap_length && fold->column + gap_length + length > LINE) {
    g_string_append(fold->out, "\r\n");
    fold->column = 0;
  }
  g_string_append_len(fold->out, gap, (gssize)gap_length);
  g_string_append_len(fold->out, piece, (gssize)length);
  fold->column += gap_length + length;
}

/* Q leaves what RFC 2047 5 (3) lets stand in a phrase, so one encoder serves names and text. */
static gboolean
stays_in_q(char c)
{
  return g_ascii_isalnum(c) || (c && strchr("!*+-/", c));
}

static gsize
q_length(const char *text, gsize length)
{
  gsize total = 0;
  for (gsize i = 0; i < length; i++)
    total += stays_in_q(text[i]) || text[i] == ' ' ? 1 : 3;
  return total;
}

static char *
encoded_word(const char *text, gsize length, gboolean base64)
{
  if (base64) {
    g_autofree char *digits = g_base64_encode((const guchar *)text, length);
    return g_strconcat("=?UTF-8?B?", digits, "?=", NULL);
  }
  GString *word = g_string_new("=?UTF-8?Q?");
  for (gsize i = 0; i < length; i++)
    if (stays_in_q(text[i]))
      g_string_append_c(word, text[i]);
    else if (text[i] == ' ')
      g_string_append_c(word, '_');
    else
      g_string_append_printf(word, "=%02X", (guint)(guchar)text[i]);
  return g_string_free(g_string_append(word, "?="), FALSE);
}

/* One character of UTF-8; a stray octet counts as one. */
static gsize
char_length(const char *text, gsize length)
{
  gsize size = (gsize)g_utf8_skip[(guchar)*text];
  return size && size <= length ? size : 1;
}

static void
add_encoded(Fold *fold, const char *gap, gsize gap_length, const char *text, gsize length)
{
  enum { FRAME = 12 /* =?UTF-8?Q??= */, LEAST = 24 };
  gboolean base64 = q_length(text, length) > (length + 2) / 3 * 4;
  while (length) {
    gsize used = fold->column + gap_length;
    gsize room = used + LEAST <= LINE ? LINE - used : fold->out->len ? ENCODED : LEAST;
    room = MIN(room, (gsize)ENCODED) - FRAME;
    gsize take = 0;
    while (take < length) {
      gsize next = take + char_length(text + take, length - take);
      if (take && (base64 ? (next + 2) / 3 * 4 : q_length(text, next)) > room)
        break;
      take = next;
    }
    g_autofree char *word = encoded_word(text, take, base64);
    add_piece(fold, gap, gap_length, word, strlen(word));
    gap = " ";
    gap_length = 1;
    text += take;
    length -= take;
  }
}

static gboolean
is_plain(const char *word, gsize length)
{
  if (length > WORD)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (word[i] <= 32 || word[i] >= 127 || (word[i] == '=' && i + 1 < length && word[i + 1] == '?'))
      return FALSE;
  return TRUE;
}

static gsize
blanks(const char *text)
{
  return strspn(text, " \t");
}

static gsize
word_length(const char *text)
{
  return strcspn(text, " \t");
}

static void
add_text(Fold *fold, const char *text)
{
  for (const char *c = text; *c; c++)
    if (blanks(c) > GAP) {
      add_encoded(fold, "", 0, text, strlen(text));
      return;
    }
  while (*text) {
    gsize gap = blanks(text);
    const char *word = text + gap;
    gsize length = word_length(word);
    if (is_plain(word, length)) {
      add_piece(fold, text, gap, word, length);
      text = word + length;
      continue;
    }
    /* neighbours that must be encoded are encoded together: blanks between encoded words do not count */
    const char *end = word + length;
    for (;;) {
      const char *next = end + blanks(end);
      gsize next_length = word_length(next);
      if (!next_length || is_plain(next, next_length))
        break;
      end = next + next_length;
    }
    add_encoded(fold, text, gap, word, (gsize)(end - word));
    text = end;
  }
}

static Fold
fold_new(const char *name)
{
  return (Fold){ g_string_new(NULL), strlen(name) + 2 };
}

char *
ml_headers_write_text(const char *name, const char *text)
{
  Fold fold = fold_new(name);
  g_autofree char *trimmed = g_strstrip(g_strdup(text));
  add_text(&fold, trimmed);
  return g_string_free(fold.out, FALSE);
}

char *
ml_headers_write_words(const char *name, const char *text)
{
  Fold fold = fold_new(name);
  for (text += blanks(text); *text; text += blanks(text)) {
    gsize length = word_length(text);
    add_piece(&fold, " ", fold.out->len ? 1 : 0, text, length);
    text += length;
  }
  return g_string_free(fold.out, FALSE);
}

static gboolean
is_atoms(const char *text)
{
  for (const char *c = text; *c; c++)
    if (!g_ascii_isalnum(*c) && !strchr("!#$%&'*+-/=?^_`{|}~ ", *c))
      return FALSE;
  return TRUE;
}

static char *
quoted(const char *text)
{
  GString *out = g_string_new("\"");
  for (const char *c = text; *c; c++) {
    if (*c == '"' || *c == '\\')
      g_string_append_c(out, '\\');
    g_string_append_c(out, *c);
  }
  return g_string_free(g_string_append_c(out, '"'), FALSE);
}

static gboolean
is_ascii_line(const char *text)
{
  for (const char *c = text; *c; c++)
    if (*c < 32 || *c == 127)
      return FALSE;
  return !strstr(text, "=?");
}

/* add_text() would take RFC 5322's specials as they are: names that hold some are quoted. */
static void
add_name(Fold *fold, const char *gap, const char *name)
{
  if (!is_ascii_line(name) || strlen(name) > WORD || strstr(name, "  ")) {
    add_encoded(fold, gap, strlen(gap), name, strlen(name));
    return;
  }
  g_autofree char *text = is_atoms(name) ? g_strdup(name) : quoted(name);
  if (*text == '"') {
    add_piece(fold, gap, strlen(gap), text, strlen(text));
    return;
  }
  for (const char *c = text; *c; c += blanks(c)) {
    gsize length = word_length(c);
    add_piece(fold, gap, strlen(gap), c, length);
    gap = " ";
    c += length;
  }
}

char *
ml_headers_write_addresses(const char *name, GPtrArray *addresses, gboolean with_names)
{
  Fold fold = fold_new(name);
  for (guint i = 0; i < addresses->len; i++) {
    const MlAddress *address = g_ptr_array_index(addresses, i);
    const char *gap = i ? " " : "", *comma = i + 1 < addresses->len ? "," : "";
    gboolean named = with_names && address->name && *address->name;
    if (named)
      add_name(&fold, gap, address->name);
    g_autofree char *spec = named ? g_strdup_printf("<%s>%s", address->address, comma)
                                  : g_strconcat(address->address, comma, NULL);
    add_piece(&fold, named ? " " : gap, named ? 1 : strlen(gap), spec, strlen(spec));
  }
  return g_string_free(fold.out, FALSE);
}

char *
ml_headers_write_date(gint64 when, gboolean utc)
{
  static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
  static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  g_autoptr(GDateTime) date =
      utc ? g_date_time_new_from_unix_utc(when) : g_date_time_new_from_unix_local(when);
  if (!date)
    date = g_date_time_new_from_unix_utc(0);
  gint64 offset = g_date_time_get_utc_offset(date) / G_TIME_SPAN_MINUTE;
  return g_strdup_printf(
      "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d", days[g_date_time_get_day_of_week(date) - 1],
      g_date_time_get_day_of_month(date), months[g_date_time_get_month(date) - 1], g_date_time_get_year(date),
      g_date_time_get_hour(date), g_date_time_get_minute(date), g_date_time_get_second(date),
      offset < 0 ? '-' : '+', (int)(ABS(offset) / 60), (int)(ABS(offset) % 60));
}

/* GMime folds by LF and a tab, and begins with a blank where the field would. */
static char *
by_crlf(char *encoded)
{
  g_strstrip(encoded);
  GString *out = g_string_new(NULL);
  for (const char *c = encoded; *c; c++) {
    if (*c == '\n')
      g_string_append_c(out, '\r');
    g_string_append_c(out, *c);
  }
  g_free(encoded);
  return g_string_free(out, FALSE);
}

static void
start_gmime(void)
{
  static gsize once = 0;
  if (g_once_init_enter(&once)) {
    g_mime_init();
    g_once_init_leave(&once, 1);
  }
}

static gboolean
is_media_type(const char *type)
{
  gsize length = strcspn(type, "; \t");
  const char *slash = memchr(type, '/', length);
  if (!slash || slash == type || slash + 1 == type + length || length > 200)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (type + i != slash && !g_ascii_isalnum(type[i]) && !strchr("!#$&-^_.+", type[i]))
      return FALSE;
  for (const char *c = type; *c; c++)
    if ((guchar)*c < 32 || *c == 127)
      return FALSE;
  return TRUE;
}

char *
ml_headers_write_type(const char *type, const char *file)
{
  start_gmime();
  GMimeContentType *content =
      g_mime_content_type_parse(NULL, type && is_media_type(type) ? type : "application/octet-stream");
  if (file)
    g_mime_content_type_set_parameter(content, "name", file);
  char *encoded = g_mime_content_type_encode(content, NULL);
  g_object_unref(content);
  return by_crlf(encoded);
}

char *
ml_headers_write_disposition(gboolean is_inline, const char *file)
{
  start_gmime();
  GMimeContentDisposition *disposition = g_mime_content_disposition_new();
  g_mime_content_disposition_set_disposition(disposition, is_inline ? "inline" : "attachment");
  if (file)
    g_mime_content_disposition_set_parameter(disposition, "filename", file);
  char *encoded = g_mime_content_disposition_encode(disposition, NULL);
  g_object_unref(disposition);
  return by_crlf(encoded);
}

char *
ml_headers_write_mailbox(const char *display, const char *address)
{
  if (!display || !*display)
    return g_strdup(address);
  gboolean plain = TRUE;
  for (const char *c = display; *c; c++)
    plain = plain && ((guchar)*c >= 128 || (*c != '.' && is_atoms((char[]){ *c, 0 })));
  if (plain && !strstr(display, "=?"))
    return g_strdup_printf("%s <%s>", display, address);
  g_autofree char *name = quoted(display);
  return g_strdup_printf("%s <%s>", name, address);
}
