#include "mail/charset-private.h"

#include <errno.h>
#include <string.h>

/* Names that mail uses for more than the registry means by them, or that iconv knows by another name. What is
 * labelled Latin-1 is windows-1252 in practice (the WHATWG's rule too): the C1 range has no other use in mail. */
static const struct {
  const char *label, *iconv;
} aliases[] = {
  { "iso-8859-1", "WINDOWS-1252" },
  { "iso8859-1", "WINDOWS-1252" },
  { "iso_8859-1", "WINDOWS-1252" },
  { "latin1", "WINDOWS-1252" },
  { "latin-1", "WINDOWS-1252" },
  { "cp1252", "WINDOWS-1252" },
  { "gb2312", "GB18030" },
  { "gbk", "GB18030" },
  { "x-gbk", "GB18030" },
  { "euc-kr", "UHC" },
  { "ks_c_5601-1987", "UHC" },
  { "ks_c_5601", "UHC" },
  { "shift_jis", "CP932" },
  { "shift-jis", "CP932" },
  { "sjis", "CP932" },
  { "x-sjis", "CP932" },
  { "windows-31j", "CP932" },
  { "big5", "BIG5-HKSCS" },
  { "iso-8859-8-i", "ISO-8859-8" },
  { "iso-8859-6-i", "ISO-8859-6" },
  { "unicode-1-1-utf-7", "UTF-7" },
  { "utf8", "UTF-8" },
  { "x-unicode-2-0-utf-8", "UTF-8" },
  { "iso-8859-9", "WINDOWS-1254" },
  { "tis-620", "WINDOWS-874" },
  { "iso-8859-11", "WINDOWS-874" },
};

/* A charset as iconv may be asked for it; NULL: guess. The mail's word goes no further than this. */
static const char *
iconv_name(const char *charset, char *buffer, gsize size)
{
  if (!charset || !*charset || strlen(charset) >= size)
    return NULL;
  if (g_ascii_strcasecmp(charset, "UTF-8") == 0) /* nearly all mail */
    return "UTF-8";
  for (const char *c = charset; *c; c++)
    if (!g_ascii_isalnum(*c) && !strchr("-_.:+", *c))
      return NULL;
  if (g_ascii_strcasecmp(charset, "us-ascii") == 0 || g_ascii_strcasecmp(charset, "ascii") == 0)
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(aliases); i++)
    if (g_ascii_strcasecmp(charset, aliases[i].label) == 0)
      return aliases[i].iconv;
  g_strlcpy(buffer, charset, size);
  return buffer;
}

static void
append_bad(GString *out, gboolean *lossy)
{
  g_string_append(out, "\357\277\275");
  if (lossy)
    *lossy = TRUE;
}

/* Valid UTF-8 stays, each octet that is none becomes one mark. */
static void
append_utf8(GString *out, const char *data, gsize length, gboolean *lossy)
{
  while (length) {
    const char *end = NULL;
    g_utf8_validate(data, (gssize)length, &end);
    g_string_append_len(out, data, end - data);
    length -= (gsize)(end - data);
    if (!length)
      break;
    append_bad(out, lossy);
    data = end + 1;
    length--;
  }
}

static void
convert(GIConv converter, GString *out, const char *data, gsize length, gboolean *lossy)
{
  char buffer[8192];
  char *in = (char *)data;
  while (length) {
    char *to = buffer;
    gsize room = sizeof buffer;
    gsize result = g_iconv(converter, &in, &length, &to, &room);
    int code = errno;
    append_utf8(out, buffer, sizeof buffer - room, lossy);
    if (result != (gsize)-1 || code == E2BIG)
      continue;
    append_bad(out, lossy); /* EILSEQ, or EINVAL: cut off at the end */
    if (code == EINVAL)
      return;
    in++;
    length--;
    g_iconv(converter, NULL, NULL, NULL, NULL);
  }
  char *to = buffer;
  gsize room = sizeof buffer;
  g_iconv(converter, NULL, NULL, &to, &room); /* what a stateful charset still held */
  append_utf8(out, buffer, sizeof buffer - room, lossy);
}

gboolean
ml_charset_known(const char *charset)
{
  char buffer[41];
  const char *name = iconv_name(charset, buffer, sizeof buffer);
  if (!name)
    return FALSE;
  GIConv converter = g_iconv_open("UTF-8", name);
  if (converter == (GIConv)-1)
    return FALSE;
  g_iconv_close(converter);
  return TRUE;
}

/* NULs aside, which no text has but some mail does. */
static gboolean
is_utf8(const char *data, gsize length)
{
  while (length) {
    const char *nul = memchr(data, 0, length);
    gsize run = nul ? (gsize)(nul - data) : length;
    if (!g_utf8_validate_len(data, run, NULL))
      return FALSE;
    run += nul ? 1 : 0;
    data += run;
    length -= run;
  }
  return TRUE;
}

char *
ml_charset_to_utf8(const char *data, gsize length, const char *charset, gboolean *lossy)
{
  char buffer[41];
  const char *name = iconv_name(charset, buffer, sizeof buffer);
  if (lossy)
    *lossy = FALSE;
  if (!name && !is_utf8(data, length))
    name = "WINDOWS-1252";
  GIConv converter = (GIConv)-1;
  if (name && g_ascii_strcasecmp(name, "UTF-8") != 0)
    converter = g_iconv_open("UTF-8", name);
  GString *out = g_string_sized_new(length + 1);
  if (converter == (GIConv)-1) {
    append_utf8(out, data, length, lossy);
  } else {
    convert(converter, out, data, length, lossy);
    g_iconv_close(converter);
  }
  return g_string_free(out, FALSE);
}
