#include <string.h>

#include "mail/draft-private.h"

enum { URL_LIMIT = 64 * 1024, FIELDS = 100, NAMED = 10 };

/* %41 is A (RFC 6068 2); a broken escape stays as it is. Invalid UTF-8 and NUL become U+FFFD. */
static char *
unescape(const char *text, gsize length)
{
  g_autoptr(GString) out = g_string_sized_new(length);
  for (gsize i = 0; i < length; i++)
    if (text[i] == '%' && i + 2 < length && g_ascii_isxdigit(text[i + 1]) && g_ascii_isxdigit(text[i + 2])) {
      g_string_append_c(out,
                        (char)(g_ascii_xdigit_value(text[i + 1]) * 16 + g_ascii_xdigit_value(text[i + 2])));
      i += 2;
    } else {
      g_string_append_c(out, text[i]);
    }
  return g_utf8_make_valid(out->str, (gssize)out->len);
}

/* Addresses separated by commas, each escaped by itself: a %2C belongs to its address. */
static gboolean
add_addresses(char **field, const char *text, gsize length, GError **error)
{
  for (const char *end = text + length; text < end;) {
    const char *comma = memchr(text, ',', (gsize)(end - text));
    gsize size = (gsize)((comma ? comma : end) - text);
    g_autofree char *decoded = unescape(text, size), *one = ml_draft_one_line(decoded);
    g_autoptr(GPtrArray) found = *one ? ml_draft_parse("The link", one, error) : NULL;
    if (*one && !found)
      return FALSE;
    g_autoptr(MlAddresses) shape = ml_address_parse(one);
    gboolean odd =
        shape->group || strpbrk(decoded, "\r\n"); /* a group, or a line that would be a header field */
    if (*one && (found->len != 1 || odd)) {
      g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                  "The link is to \"%.60s\", which is not one mail address. Write to whom you mean yourself.",
                  one);
      return FALSE;
    }
    if (*one) {
      char *joined = g_strconcat(*field, **field ? ", " : "", one, NULL);
      g_free(*field);
      *field = joined;
    }
    text = comma ? comma + 1 : end;
  }
  return TRUE;
}

static void
set_body(MlDraft *draft, const char *decoded)
{
  GString *body = g_string_new(NULL);
  for (const char *c = decoded; *c; c++)
    if (*c == '\n' || (*c == '\r' && c[1] != '\n'))
      g_string_append_c(body, '\n');
    else if ((guchar)*c >= 32 ? *c != 127 : *c == '\t')
      g_string_append_c(body, *c);
  if (body->len && !g_str_has_suffix(body->str, "\n"))
    g_string_append_c(body, '\n');
  g_string_append(body, draft->text);
  g_free(draft->text);
  draft->text = g_string_free(body, FALSE);
}

static gboolean
is_id(const char *text)
{
  gsize length = strlen(text);
  if (length < 3 || length > 250 || *text != '<' || text[length - 1] != '>')
    return FALSE;
  for (gsize i = 1; i < length - 1; i++)
    if (text[i] <= 32 || text[i] >= 127 || strchr("<>", text[i]))
      return FALSE;
  return TRUE;
}

static gboolean
first_time(GHashTable *seen, const char *name)
{
  return g_hash_table_add(seen, g_strdup(name));
}

/* One "name=value". FALSE with *left_out: it is not one of the safe ones. */
static gboolean
take_field(MlDraft *draft, const char *name, const char *value, gsize length, GHashTable *seen,
           gboolean *left_out, GError **error)
{
  if (strcmp(name, "to") == 0 || strcmp(name, "cc") == 0)
    return add_addresses(*name == 't' ? &draft->to : &draft->cc, value, length, error);
  g_autofree char *decoded = unescape(value, length), *line = ml_draft_one_line(decoded);
  gboolean fresh = first_time(seen, name);
  if (strcmp(name, "subject") == 0 && fresh && strlen(line) <= ML_DRAFT_LINE) {
    g_free(draft->subject);
    draft->subject = g_steal_pointer(&line);
  } else if (strcmp(name, "body") == 0 && fresh) {
    set_body(draft, decoded);
  } else if (strcmp(name, "in-reply-to") == 0 && fresh && is_id(line)) {
    draft->in_reply_to = g_strdup(line);
    draft->references = g_steal_pointer(&line);
  } else if (strcmp(name, "keywords") == 0 && fresh && strlen(line) <= 500) {
    g_ptr_array_add(draft->more, ml_draft_header_new("Keywords", line));
  } else {
    *left_out = TRUE;
  }
  return TRUE;
}

static void
name_it(GString *ignored, guint count, const char *name)
{
  g_autofree char *line = ml_draft_one_line(name);
  if (count < NAMED)
    g_string_append_printf(ignored, "%s%.40s", ignored->len ? ", " : "", *line ? line : "?");
  else if (count == NAMED)
    g_string_append(ignored, ", ...");
}

MlDraft *
ml_draft_mailto(const MlAccount *account, const char *url, char **ignored, GError **error)
{
  *ignored = NULL;
  if (g_ascii_strncasecmp(url, "mailto:", 7) != 0 || strlen(url) > URL_LIMIT) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        strlen(url) > URL_LIMIT
                            ? "The link is longer than 64 KiB. Write to its address yourself."
                            : "This is no mailto: link.");
    return NULL;
  }
  g_autoptr(MlDraft) draft = ml_draft_new(account);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GString) left = g_string_new(NULL);
  const char *at = url + 7;
  gsize length = strcspn(at, "?#");
  if (!add_addresses(&draft->to, at, length, error))
    return NULL;
  at += length;
  guint count = 0, left_count = 0;
  while (*at == '?' || *at == '&') {
    at++;
    gsize field = strcspn(at, "&#"), name_length = strcspn(at, "=&#");
    g_autofree char *decoded = unescape(at, name_length), *name = g_ascii_strdown(decoded, -1);
    gboolean left_out = FALSE;
    const char *value = at + MIN(name_length + 1, field);
    if (field && (++count > FIELDS || name_length >= field))
      left_out = TRUE;
    else if (field && !take_field(draft, name, value, (gsize)(at + field - value), seen, &left_out, error))
      return NULL;
    if (left_out)
      name_it(left, left_count++, name);
    at += field;
  }
  if (left->len)
    *ignored = g_strdup(left->str);
  return g_steal_pointer(&draft);
}
