#include <string.h>

#include "mail/addressbook-private.h"

enum { FILE_MAX = 16 * 1024 * 1024, LONGEST = 8192 };

typedef struct {
  MlAddressbookFunc func;
  gpointer user_data;
  guint skipped;
  char *card_name; /* FN of the vCard that is read */
  gboolean in_card, card_used;
} Reading;

static void
give(Reading *reading, const char *nick, const char *typed)
{
  if (!reading->func(nick, typed, reading->user_data))
    reading->skipped++;
}

/* The value of "EMAIL;TYPE=work:anna@example.org" or "item1.FN:Anna"; NULL: another property. */
static const char *
property(const char *line, const char *name)
{
  const char *end = line + strcspn(line, ":;"), *dot = memchr(line, '.', (gsize)(end - line));
  const char *start = dot ? dot + 1 : line;
  if ((gsize)(end - start) != strlen(name) || g_ascii_strncasecmp(start, name, strlen(name)) != 0)
    return NULL;
  gboolean quoted = FALSE;
  for (; *end && (quoted || *end != ':'); end++)
    quoted = quoted != (*end == '"');
  return *end ? end + 1 : NULL;
}

/* RFC 6350 3.4: a backslash before a comma, a semicolon, itself, or n. */
static char *
card_text(const char *value)
{
  GString *out = g_string_new(NULL);
  for (const char *c = value; *c; c++) {
    if (*c == '\\' && c[1])
      c++;
    g_string_append_c(out, *c == '"' ? '\'' : *c);
  }
  return g_strstrip(g_string_free(out, FALSE));
}

static void
card_line(Reading *reading, const char *line)
{
  const char *name = property(line, "FN"), *email = property(line, "EMAIL"), *end = property(line, "END");
  if (name) {
    g_free(reading->card_name);
    reading->card_name = card_text(name);
  } else if (email) {
    g_autofree char *address = card_text(email);
    g_autofree char *typed = reading->card_name && *reading->card_name
                                 ? g_strdup_printf("\"%s\" <%s>", reading->card_name, address)
                                 : g_strdup(address);
    give(reading, NULL, typed);
  } else if (end) {
    reading->in_card = FALSE;
    g_clear_pointer(&reading->card_name, g_free);
  }
}

/* mutt's: alias [-group NAME]... NICK ADDRESSES */
static void
alias_line(Reading *reading, const char *rest)
{
  g_auto(GStrv) words = g_strsplit_set(rest, " \t", -1);
  guint at = 0;
  const char *nick = NULL;
  for (gboolean group = FALSE; words[at]; at++) {
    if (!*words[at])
      continue;
    if (group)
      group = FALSE;
    else if (strcmp(words[at], "-group") == 0)
      group = TRUE;
    else {
      nick = words[at++];
      break;
    }
  }
  g_autofree char *typed = nick ? g_strjoinv(" ", words + at) : NULL;
  const char *comment = typed ? strstr(typed, " #") : NULL;
  if (comment)
    typed[comment - typed] = '\0';
  if (typed && *g_strstrip(typed))
    give(reading, nick, typed);
  else
    reading->skipped++;
}

static void
read_line(Reading *reading, const char *line)
{
  if (reading->in_card) {
    card_line(reading, line);
    return;
  }
  line += strspn(line, " \t");
  if (!*line || *line == '#')
    return;
  if (g_ascii_strncasecmp(line, "BEGIN:VCARD", 11) == 0)
    reading->in_card = TRUE;
  else if (g_str_has_prefix(line, "alias ") || g_str_has_prefix(line, "alias\t"))
    alias_line(reading, line + 6);
  else
    give(reading, NULL, line);
}

/* A vCard's line goes on in the next one that begins with a blank (RFC 6350 3.2), mutt's behind a backslash. FN may
 * stand below EMAIL: cards are read twice, for the name first. */
static GPtrArray *
lines_of(const char *text)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
  gboolean card = FALSE, more = FALSE;
  for (const char *at = text; *at;) {
    gsize length = strcspn(at, "\n");
    const char *next = at + length + (at[length] ? 1 : 0);
    if (length && at[length - 1] == '\r')
      length--;
    g_autofree char *line = g_strndup(at, MIN(length, (gsize)LONGEST));
    gboolean fold = (card && (*line == ' ' || *line == '\t')) || more;
    more = !card && length && line[strlen(line) - 1] == '\\';
    if (more)
      line[strlen(line) - 1] = ' ';
    if (g_ascii_strncasecmp(line, "BEGIN:VCARD", 11) == 0)
      card = TRUE;
    else if (g_ascii_strncasecmp(line, "END:VCARD", 9) == 0)
      card = FALSE;
    char *last = lines->len ? g_ptr_array_index(lines, lines->len - 1) : NULL;
    if (fold && last && strlen(last) < LONGEST) {
      g_ptr_array_index(lines, lines->len - 1) = g_strconcat(last, card ? line + 1 : line, NULL);
      g_free(last);
    } else {
      g_ptr_array_add(lines, g_steal_pointer(&line));
    }
    at = next;
  }
  return lines;
}

/* The FN of the card that begins at @from, before its addresses are taken. */
static void
name_ahead(Reading *reading, GPtrArray *lines, guint from)
{
  for (guint i = from; i < lines->len && i < from + 200; i++) {
    const char *line = g_ptr_array_index(lines, i), *name = property(line, "FN");
    if (g_ascii_strncasecmp(line, "END:VCARD", 9) == 0)
      return;
    if (name) {
      g_free(reading->card_name);
      reading->card_name = card_text(name);
      return;
    }
  }
}

gboolean
ml_addressbook_file(const char *file, MlAddressbookFunc func, guint *skipped, gpointer user_data,
                    GError **error)
{
  g_autofree char *octets = NULL;
  gsize length = 0;
  g_autoptr(GError) why = NULL;
  if (!g_file_get_contents(file, &octets, &length, &why)) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE,
                "The address book %s cannot be read: %s. Look at address-book in signet.conf.", file,
                why->message);
    return FALSE;
  }
  if (length > FILE_MAX || memchr(octets, 0, length)) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The address book %s is %s.", file,
                length > FILE_MAX ? "larger than 16 MiB" : "no text");
    return FALSE;
  }
  g_autofree char *text = g_utf8_make_valid(octets, (gssize)length);
  g_autoptr(GPtrArray) lines = lines_of(text);
  Reading reading = { .func = func, .user_data = user_data };
  for (guint i = 0; i < lines->len; i++) {
    gboolean before = reading.in_card;
    read_line(&reading, g_ptr_array_index(lines, i));
    if (!before && reading.in_card)
      name_ahead(&reading, lines, i + 1);
  }
  g_free(reading.card_name);
  *skipped = reading.skipped;
  return TRUE;
}
