#include "mail/utf7.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static void
encode_run(GString *out, const gunichar2 *units, glong count)
{
  guint32 bits = 0;
  guint have = 0;
  g_string_append_c(out, '&');
  for (glong i = 0; i < count; i++) {
    bits = bits << 16 | units[i];
    have += 16;
    while (have >= 6) {
      have -= 6;
      g_string_append_c(out, digits[bits >> have & 63]);
    }
  }
  if (have)
    g_string_append_c(out, digits[bits << (6 - have) & 63]);
  g_string_append_c(out, '-');
}

char *
ml_utf7_encode(const char *utf8)
{
  GString *out = g_string_new(NULL);
  for (const char *p = utf8; *p;) {
    if (*p == '&') {
      g_string_append(out, "&-");
      p++;
    } else if ((guchar)*p >= 0x20 && (guchar)*p < 0x7f) {
      g_string_append_c(out, *p++);
    } else {
      const char *end = p;
      while (*end && !((guchar)*end >= 0x20 && (guchar)*end < 0x7f))
        end++;
      glong count = 0;
      g_autofree gunichar2 *units = g_utf8_to_utf16(p, end - p, NULL, &count, NULL);
      encode_run(out, units, count);
      p = end;
    }
  }
  return g_string_free(out, FALSE);
}

/* The base64 between & and -; NULL where it is not canonical: left-over bits, lone surrogates, or ASCII. */
static char *
decode_run(const char *start, const char *end)
{
  g_autofree gunichar2 *units = g_new(gunichar2, (gsize)(end - start) + 1);
  glong count = 0;
  guint32 bits = 0;
  guint have = 0;
  for (const char *p = start; p < end; p++) {
    const char *digit = *p ? strchr(digits, *p) : NULL;
    if (!digit)
      return NULL;
    bits = bits << 6 | (guint32)(digit - digits);
    have += 6;
    if (have >= 16) {
      have -= 16;
      units[count++] = (gunichar2)(bits >> have);
    }
  }
  if (have >= 6 || (bits & ((1u << have) - 1)) || !count)
    return NULL;
  for (glong i = 0; i < count; i++)
    if (units[i] >= 0x20 && units[i] < 0x7f)
      return NULL;
  return g_utf16_to_utf8(units, count, NULL, NULL, NULL);
}

char *
ml_utf7_decode(const char *mailbox)
{
  g_autoptr(GString) out = g_string_new(NULL);
  for (const char *p = mailbox; *p; p++) {
    if ((guchar)*p < 0x20 || (guchar)*p >= 0x7f)
      return NULL;
    if (*p != '&') {
      g_string_append_c(out, *p);
      continue;
    }
    const char *end = strchr(++p, '-');
    if (!end)
      return NULL;
    if (end == p) {
      g_string_append_c(out, '&');
    } else {
      g_autofree char *run = decode_run(p, end);
      if (!run)
        return NULL;
      g_string_append(out, run);
    }
    p = end;
  }
  return g_string_free(g_steal_pointer(&out), FALSE);
}
