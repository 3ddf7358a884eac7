#include <string.h>

#include "ui/certs-private.h"

static gboolean
letter_fits(const UiCertRow *row, char letter, gint64 now)
{
  CryptoCert *cert = row->entry->cert;

  switch (letter) {
  case 'o':
    return row->group == UI_CERT_OWN;
  case 'p':
    return row->group == UI_CERT_PERSON;
  case 'a':
    return row->group == UI_CERT_AUTHORITY;
  case 'c':
    return row->group == UI_CERT_CANDIDATE;
  case 's':
    return crypto_cert_can_sign(cert);
  case 'e':
    return crypto_cert_can_encrypt(cert);
  case 'x':
    return crypto_cert_not_after(cert) - now <= UI_CERT_SOON;
  case 'b':
    return !row->status || row->status->judgement != UI_CERT_GOOD;
  default:
    return FALSE;
  }
}

static gboolean
word_fits(const UiCertRow *row, const char *word, gint64 now)
{
  if (*word == '!' && word[1])
    return !word_fits(row, word + 1, now);
  if (*word == '~' && word[1] && !word[2])
    return letter_fits(row, word[1], now);
  if (strstr(row->folded, word))
    return TRUE;
  if (!row->word)
    return FALSE;
  g_autofree char *status = ml_pattern_fold(row->word);
  return strstr(status, word) != NULL;
}

gboolean
ui_certs_fits(const UiCertRow *row, const char *limit, gint64 now)
{
  g_autofree char *folded = ml_pattern_fold(limit);
  g_auto(GStrv) words = g_strsplit(folded, " ", -1);

  for (guint i = 0; words[i]; i++)
    if (*words[i] && !word_fits(row, words[i], now))
      return FALSE;
  return TRUE;
}
