#include "mail/filename-private.h"

#include <glib.h>
#include <string.h>

enum { NAME_LIMIT = 200, ENDING_LIMIT = 16 };

static const struct {
  const char *type, *name;
} defaults[] = {
  { "text/plain", "text.txt" },
  { "text/html", "page.html" },
  { "text/calendar", "event.ics" },
  { "message/rfc822", "message.eml" },
  { "application/pdf", "document.pdf" },
  { "image/png", "image.png" },
  { "image/jpeg", "image.jpg" },
  { "image/gif", "image.gif" },
  { "text/csv", "table.csv" },
  { "application/pkcs7-mime", "smime.p7m" },
  { "application/pkcs7-signature", "smime.p7s" },
  { "application/zip", "archive.zip" },
  { "message/global", "message.eml" },
};

static gboolean
is_harmless(gunichar c)
{
  if (c < 128)
    return g_ascii_isalnum((char)c) || strchr("-_.,+=@#%()[]{} ", (int)c) != NULL;
  switch (g_unichar_type(c)) {
  case G_UNICODE_LOWERCASE_LETTER:
  case G_UNICODE_UPPERCASE_LETTER:
  case G_UNICODE_TITLECASE_LETTER:
  case G_UNICODE_OTHER_LETTER:
  case G_UNICODE_MODIFIER_LETTER:
  case G_UNICODE_DECIMAL_NUMBER:
  case G_UNICODE_LETTER_NUMBER:
  case G_UNICODE_OTHER_NUMBER:
  case G_UNICODE_NON_SPACING_MARK:
  case G_UNICODE_SPACING_MARK:
  case G_UNICODE_OTHER_SYMBOL:
  case G_UNICODE_CURRENCY_SYMBOL:
  case G_UNICODE_MATH_SYMBOL:
  case G_UNICODE_DASH_PUNCTUATION:
  case G_UNICODE_OTHER_PUNCTUATION:
    return c != 0x115f && c != 0x1160 && c != 0x3164 && c != 0xffa0 && c != 0x34f && c != 0xfffd &&
           !(c >= 0xfe00 && c <= 0xfe0f) && !(c >= 0xe0100 && c <= 0xe01ef) && c != 0x2024 && c != 0xff0f &&
           c != 0xff3c && c != 0x2215 &&
           c != 0x29f8; /* blanks that look like letters; look-alikes of . / \ */
  default:
    return FALSE;
  }
}

/* Names that Windows takes for devices, with or without an ending: mail is saved to shared folders too. */
static gboolean
is_device(const char *name)
{
  static const char *const devices[] = { "con", "prn", "aux", "nul", "com", "lpt", NULL };
  gsize stem = strcspn(name, ".");
  for (gsize i = 0; devices[i]; i++)
    if (g_ascii_strncasecmp(name, devices[i], 3) == 0 &&
        (stem == 3 ? i < 4 : stem == 4 && i >= 4 && g_ascii_isdigit(name[3])))
      return TRUE;
  return FALSE;
}

/* Cuts to @limit octets at a character, keeping a short ending. */
static char *
shorten(const char *name, gsize limit)
{
  gsize length = strlen(name);
  if (length <= limit)
    return g_strdup(name);
  const char *dot = strrchr(name, '.');
  gsize ending = dot && length - (gsize)(dot - name) <= ENDING_LIMIT ? length - (gsize)(dot - name) : 0;
  const char *cut = name + limit - ending;
  while (cut > name && ((guchar)*cut & 0xc0) == 0x80)
    cut--;
  return g_strdup_printf("%.*s%s", (int)(cut - name), name, ending ? dot : "");
}

static char *
clean(const char *name)
{
  /* the last component, for either kind of path */
  const char *slash = strrchr(name, '/'), *back = strrchr(name, '\\');
  const char *base = slash && (!back || slash > back) ? slash + 1 : back ? back + 1 : name;
  g_autofree char *valid = g_utf8_make_valid(base, -1);
  GString *out = g_string_new(NULL);
  guint marks = 0;
  for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
    gunichar wide = g_utf8_get_char(c);
    marks = g_unichar_ismark(wide) ? marks + 1 : 0;
    if (marks > 4)
      continue;
    if (is_harmless(wide))
      g_string_append_unichar(out, wide);
    else if (!out->len || out->str[out->len - 1] != '_')
      g_string_append_c(out, '_');
  }
  while (out->len && strchr(" .", out->str[out->len - 1]))
    g_string_truncate(out, out->len - 1);
  gsize lead = strspn(out->str, " .-~");
  g_string_erase(out, 0, (gssize)lead);
  if (out->len && g_unichar_ismark(g_utf8_get_char(out->str)))
    g_string_prepend_c(out, '_');
  return g_string_free(out, FALSE);
}

char *
ml_filename_safe(const char *name, const char *type)
{
  g_autofree char *base = clean(name ? name : "");
  if (strspn(base, "_") == strlen(base)) {
    for (gsize i = 0; i < G_N_ELEMENTS(defaults); i++)
      if (g_strcmp0(type, defaults[i].type) == 0)
        return g_strdup(defaults[i].name);
    return g_strdup("attachment.bin");
  }
  if (is_device(base)) {
    g_autofree char *device = g_strconcat("_", base, NULL);
    return shorten(device, NAME_LIMIT);
  }
  return shorten(base, NAME_LIMIT);
}
