#include "mail/address-private.h"
#include "mail/charset-private.h"
#include "mail/headers-private.h"

#include <string.h>

void
ml_address_one_free(MlAddress *mailbox)
{
  g_free(mailbox->name);
  g_free(mailbox->address);
  g_free(mailbox);
}

void
ml_address_free(MlAddresses *addresses)
{
  if (!addresses)
    return;
  g_ptr_array_unref(addresses->mailboxes);
  g_free(addresses);
}

/* What has been read of one mailbox so far. */
typedef struct {
  GString *words;   /* as they would be a display name */
  GString *spec;    /* as they would be an address: no white space, quotes kept only where needed */
  GString *angle;   /* what stood in <>; NULL: none yet */
  GString *comment; /* the first comment: a display name of old */
  gboolean blank;   /* white space since the last word */
  gboolean spaced;  /* two words of the spec were apart: it is no address */
} Reader;

static void
reader_reset(Reader *reader)
{
  g_string_truncate(reader->words, 0);
  g_string_truncate(reader->spec, 0);
  g_string_truncate(reader->comment, 0);
  if (reader->angle)
    g_string_free(reader->angle, TRUE);
  reader->angle = NULL;
  reader->blank = reader->spaced = FALSE;
}

static gboolean
needs_no_quotes(const char *text)
{
  if (!*text || *text == '.')
    return FALSE;
  for (const char *c = text; *c; c++)
    if ((guchar)*c < 33 || strchr("()<>[]:;@\\,\"", *c) || *c == 127 || (*c == '.' && (c[1] == '.' || !c[1])))
      return FALSE;
  return TRUE;
}

/* Reads a quoted string at @at ('"'); returns what follows it, NULL: never closed. */
static const char *
read_quoted(const char *at, GString *out)
{
  for (at++; *at && *at != '"'; at++) {
    if (*at == '\\' && at[1])
      at++;
    g_string_append_c(out, *at);
  }
  return *at ? at + 1 : NULL;
}

static const char *
read_comment(const char *at, GString *out)
{
  guint depth = 0;
  do {
    if (*at == '(' && depth++)
      g_string_append_c(out, *at);
    else if (*at == ')' && --depth)
      g_string_append_c(out, *at);
    else if (*at == '\\' && at[1])
      g_string_append_c(out, *++at);
    else if (*at != '(' && *at != ')')
      g_string_append_c(out, *at);
  } while (*++at && depth);
  return depth ? NULL : at;
}

/* The address between < and >: comments and blanks out, a source route (RFC 5322 4.4) dropped. */
static const char *
read_angle(const char *at, GString *out, gboolean *broken)
{
  for (at++; *at && *at != '>';) {
    if (*at == '"') {
      g_autoptr(GString) quoted = g_string_new(NULL);
      at = read_quoted(at, quoted);
      if (!at)
        return NULL;
      if (needs_no_quotes(quoted->str) && *at == '@')
        g_string_append(out, quoted->str);
      else
        g_string_append_printf(out, "\"%s\"", quoted->str);
    } else if (*at == '(') {
      g_autoptr(GString) comment = g_string_new(NULL);
      at = read_comment(at, comment);
      if (!at)
        return NULL;
    } else if (*at == '<') {
      *broken = TRUE;
      at++;
    } else if (strchr(" \t\r\n", *at)) {
      at++;
    } else if (*at == ':' && out->str[0] == '@') {
      g_string_truncate(out, 0);
      at++;
    } else {
      g_string_append_c(out, *at++);
    }
  }
  return *at ? at + 1 : NULL;
}

static void
finish_mailbox(Reader *reader, MlAddresses *into)
{
  g_autofree char *spec = NULL;
  g_autofree char *name = NULL;
  if (reader->angle) {
    spec = ml_headers_plain(reader->angle->str);
    name = ml_headers_decode(reader->words->str);
  } else if (reader->spec->len && strchr(reader->spec->str, '@') && !reader->spaced) {
    spec = ml_headers_plain(reader->spec->str);
    name = ml_headers_decode(reader->comment->str);
  } else if (reader->words->len || reader->comment->len) {
    into->broken = TRUE;
    spec = g_strdup("");
    name = ml_headers_decode(reader->words->len ? reader->words->str : reader->comment->str);
  }
  if (spec && into->mailboxes->len < ML_ADDRESS_LIMIT) {
    MlAddress *mailbox = g_new0(MlAddress, 1);
    mailbox->address = g_steal_pointer(&spec);
    mailbox->name = name && *name ? g_steal_pointer(&name) : NULL;
    g_ptr_array_add(into->mailboxes, mailbox);
  }
  reader_reset(reader);
}

static void
take_word(Reader *reader, const char *word, gboolean quoted)
{
  char last = reader->spec->len ? reader->spec->str[reader->spec->len - 1] : 0;
  if (reader->words->len && reader->blank)
    g_string_append_c(reader->words, ' ');
  g_string_append(reader->words, word);
  if (last && reader->blank && last != '@' && last != '.' && *word != '@' && *word != '.')
    reader->spaced = TRUE;
  if (quoted && !needs_no_quotes(word))
    g_string_append_printf(reader->spec, "\"%s\"", word);
  else
    g_string_append(reader->spec, word);
  reader->blank = FALSE;
}

/* An encoded word is one atom (RFC 2047 5), even one that holds what no atom may: some programs do not encode it. */
static gsize
encoded_word_length(const char *at)
{
  if (at[0] != '=' || at[1] != '?')
    return 0;
  const char *mark = strchr(at + 2, '?');
  if (!mark || !mark[1] || mark[2] != '?')
    return 0;
  const char *end = strstr(mark + 3, "?=");
  gsize length = end ? (gsize)(end + 2 - at) : 0;
  return length && strcspn(at, " \t") >= length ? length : 0;
}

/* One token at @at; returns what follows it, NULL when something was never closed. */
static const char *
read_token(const char *at, Reader *reader, MlAddresses *into)
{
  g_autoptr(GString) text = g_string_new(NULL);
  switch (*at) {
  case '"':
    at = read_quoted(at, text);
    take_word(reader, text->str, TRUE);
    return at;
  case '(':
    at = read_comment(at, text);
    if (!reader->comment->len)
      g_string_append(reader->comment, text->str);
    reader->blank = TRUE;
    return at;
  case '<':
    if (reader->angle) { /* a second address: which one counts is anybody's guess */
      into->broken = TRUE;
      return read_angle(at, text, &into->broken);
    }
    reader->angle = g_string_new(NULL);
    return read_angle(at, reader->angle, &into->broken);
  case ',':
  case ';':
    finish_mailbox(reader, into);
    return at + 1;
  case ':':
    into->group = TRUE;
    reader_reset(reader);
    return at + 1;
  case ' ':
  case '\t':
    reader->blank = TRUE;
    return at + 1;
  default:
    g_string_append_len(text, at, (gssize)encoded_word_length(at));
    at += text->len;
    while (*at && !strchr("\"(<,;: \t", *at))
      g_string_append_c(text, *at++);
    if (reader->angle)
      into->broken = TRUE; /* words behind the address */
    take_word(reader, text->str, FALSE);
    return at;
  }
}

MlAddresses *
ml_address_parse(const char *raw)
{
  MlAddresses *into = g_new0(MlAddresses, 1);
  into->mailboxes = g_ptr_array_new_with_free_func((GDestroyNotify)ml_address_one_free);
  Reader reader = { g_string_new(NULL), g_string_new(NULL), NULL, g_string_new(NULL), FALSE, FALSE };
  const char *at = raw;
  while (at && *at)
    at = read_token(at, &reader, into);
  if (!at)
    into->broken = TRUE;
  finish_mailbox(&reader, into);
  g_string_free(reader.words, TRUE);
  g_string_free(reader.spec, TRUE);
  g_string_free(reader.comment, TRUE);
  return into;
}

char *
ml_address_fold(const char *address)
{
  const char *at = strrchr(address, '@');
  if (!at || at == address || !at[1] || strlen(address) > 1000)
    return NULL;
  for (const char *c = address; *c; c++)
    if ((guchar)*c <= 32 || *c == 127 || strchr("<>,;()", *c))
      return NULL;
  g_autofree char *local = g_ascii_strdown(address, at - address);
  gboolean ascii = TRUE;
  for (const char *c = at; *c; c++)
    ascii = ascii && (guchar)*c < 128;
  g_autofree char *domain = ascii ? g_strdup(at + 1) : g_hostname_to_ascii(at + 1);
  if (!domain || !*domain)
    return NULL;
  g_autofree char *lower = g_ascii_strdown(domain, -1);
  return g_strdup_printf("%s@%s", local, lower);
}

char *
ml_address_domain(const char *text)
{
  if (strcmp(text, "*") == 0)
    return g_strdup(text);
  if (g_str_has_prefix(text, "*."))
    text++;
  gboolean below = *text == '.';
  g_autofree char *mailbox = g_strconcat("x@", text + below, NULL);
  g_autofree char *folded = ml_address_fold(mailbox);
  if (!folded || strchr(text, '@') || strchr(text, '*') || !text[below])
    return NULL;
  return g_strconcat(below ? "." : "", strrchr(folded, '@') + 1, NULL);
}

gboolean
ml_address_in_domain(const char *entry, const char *host)
{
  if (strcmp(entry, "*") == 0)
    return TRUE;
  return *entry == '.' ? strcmp(entry + 1, host) == 0 || g_str_has_suffix(host, entry) : strcmp(entry, host) == 0;
}

gboolean
ml_address_equal(const char *a, const char *b)
{
  g_autofree char *x = ml_address_fold(a), *y = ml_address_fold(b);
  return x && y && strcmp(x, y) == 0;
}

static gboolean
is_address_char(gunichar c)
{
  return c > 127 ? g_unichar_isalnum(c)
                 : c && (g_ascii_isalnum((char)c) || strchr(".!#$%&'*+-/=?^_`{|}~", (int)c));
}

gboolean
ml_address_other_in(const char *text, const char *address)
{
  /* Full-width and small forms of '@' fool a reader as well as the real one: compare the compatible form. */
  g_autofree char *plain = g_utf8_normalize(text, -1, G_NORMALIZE_ALL_COMPOSE);
  if (!plain)
    return FALSE;
  for (const char *at = strchr(plain, '@'); at; at = strchr(at + 1, '@')) {
    const char *from = at, *to = at + 1;
    while (from > plain) {
      const char *before = g_utf8_prev_char(from);
      if (!is_address_char(g_utf8_get_char(before)))
        break;
      from = before;
    }
    while (is_address_char(g_utf8_get_char(to)))
      to = g_utf8_next_char(to);
    while (to > at + 1 && to[-1] == '.')
      to--;
    if (from == at || to == at + 1)
      continue;
    g_autofree char *found = g_strndup(from, (gsize)(to - from));
    if (!ml_address_equal(found, address))
      return TRUE;
  }
  return FALSE;
}

gboolean
ml_address_mixes_scripts(const char *address)
{
  guint seen = 0;
  g_autofree char *unicode = NULL;
  const char *at = strrchr(address, '@');
  if (at) { /* an A-label hides its letters */
    g_autofree char *domain = g_hostname_to_unicode(at + 1);
    unicode = g_strdup_printf("%.*s@%s", (int)(at - address), address, domain ? domain : at + 1);
  }
  for (const char *c = unicode ? unicode : address; *c; c = g_utf8_next_char(c)) {
    gunichar wide = g_utf8_get_char(c);
    if (wide == '@' || wide == '.') {
      seen = 0;
      continue;
    }
    GUnicodeScript script = g_unichar_isalpha(wide) ? g_unichar_get_script(wide) : G_UNICODE_SCRIPT_COMMON;
    seen |= script == G_UNICODE_SCRIPT_LATIN      ? 1
            : script == G_UNICODE_SCRIPT_CYRILLIC ? 2
            : script == G_UNICODE_SCRIPT_GREEK    ? 4
                                                  : 0;
    if (seen & (seen - 1))
      return TRUE;
  }
  return FALSE;
}
