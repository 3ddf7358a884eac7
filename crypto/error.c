#include "crypto/error.h"

#include <nss.h>
#include <prerror.h>
#include <secerr.h>
#include <secport.h>
#include <sslerr.h>
#include <string.h>

#include "crypto/cert-private.h"
#include "crypto/context.h"
#include "crypto/error-private.h"

G_DEFINE_QUARK(signet_crypto_error_quark, crypto_error)

const CryptoErrorRow *
crypto_error_row(int number)
{
  for (const CryptoErrorRow *row = crypto_error_rows; number && row->sentence; row++)
    for (const int *each = row->numbers; *each; each++)
      if (*each == number)
        return row;
  return NULL;
}

/* Where the sentence does not go on to say it ("...; insert the card"): what a person can do, by what the caller
 * can. */
const char *
crypto_error_next_step(int code)
{
  const CryptoErrorRow *row = crypto_error_row(code);
  if (!row && code >= SSL_ERROR_BASE && code < SSL_ERROR_LIMIT)
    return "tell whoever runs the server; signet doctor shows each step of connecting";
  if (!row)
    return "try again; signet doctor says what is not in order";
  if (strchr(row->sentence, ';') || strstr(row->sentence, "(signet "))
    return "";
  switch (row->code) {
  case CRYPTO_ERROR_CANCELLED:
    return "";
  case CRYPTO_ERROR_LOCKED:
  case CRYPTO_ERROR_PIN:
    return "try again with the right one; a card counts the wrong ones";
  case CRYPTO_ERROR_NO_KEY:
    return "import the key, or insert the card that holds it";
  case CRYPTO_ERROR_MALFORMED:
    return "get it anew from where it came";
  case CRYPTO_ERROR_UNSUPPORTED:
  case CRYPTO_ERROR_REFUSED:
    return "ask for one with RSA 2048 or EC P-256, SHA-256 and AES";
  case CRYPTO_ERROR_BUSY:
    return "close the other program, or try again";
  case CRYPTO_ERROR_DATABASE:
    return "signet doctor names its files";
  case CRYPTO_ERROR_UNTRUSTED:
    return "ask its owner, or whoever runs the server";
  case CRYPTO_ERROR_OFFLINE:
    return "look at the network, then try again";
  case CRYPTO_ERROR_JOURNAL: /* never NSS's */
  case CRYPTO_ERROR_FAILED:
    break;
  }
  return code >= SSL_ERROR_BASE && code < SSL_ERROR_LIMIT
             ? "tell whoever runs the server; signet doctor shows each step of connecting"
             : "try again; signet doctor says what is not in order";
}

const char *
crypto_error_sentence(int code)
{
  const CryptoErrorRow *row = crypto_error_row(code);
  if (row)
    return row->sentence;
  /* NSS's own table: English, without a next step, but it names every code there is. */
  const char *text = code ? PR_ErrorToString(code, PR_LANGUAGE_I_DEFAULT) : NULL;
  return text && *text ? text : "NSS gave no reason";
}

/* "what: sentence; next step." */
char *
crypto_error_words(int code)
{
  const char *sentence = crypto_error_sentence(code), *next = crypto_error_next_step(code);
  g_autofree char *bare = g_strdup(sentence);
  gsize length = strlen(bare);
  if (length && bare[length - 1] == '.') /* NSS ends some of its own */
    bare[length - 1] = '\0';
  return g_strdup_printf("%s%s%s.", bare, *next ? "; " : "", next);
}

void
crypto_error_set_nss(GError **error, int code, const char *what)
{
  const CryptoErrorRow *row = crypto_error_row(code);
  g_autofree char *words = crypto_error_words(code);
  g_set_error(error, CRYPTO_ERROR, row ? row->code : CRYPTO_ERROR_FAILED, "%s: %s", what, words);
}
