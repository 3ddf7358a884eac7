#include "ui/chain.h"

static char *
day(gint64 time)
{
  g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(time);
  return date ? g_date_time_format(date, "%Y-%m-%d") : g_strdup("?");
}

static void G_GNUC_PRINTF(2, 3) add(GPtrArray *lines, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_ptr_array_add(lines, g_strdup_vprintf(format, args));
  va_end(args);
}

/* What stands before the words of the @level-th certificate from the top, and of the lines below it. */
static char *
branch(guint level, gboolean first)
{
  if (!level)
    return g_strdup(first ? "" : "   ");
  return g_strdup_printf("%*s%s", (int)(level - 1) * 3, "", first ? "`- " : "      ");
}

static guint
problems_of(const CryptoChain *chain, guint index)
{
  return index < chain->cert_problems->len ? GPOINTER_TO_UINT(chain->cert_problems->pdata[index]) : 0;
}

static void
add_cert(GPtrArray *lines, const CryptoChain *chain, guint index, guint level, gboolean trusted)
{
  CryptoCert *cert = chain->certs->pdata[index];
  g_autofree char *from = day(crypto_cert_not_before(cert)), *to = day(crypto_cert_not_after(cert));
  g_autofree char *addresses = g_strjoinv(", ", (char **)crypto_cert_addresses(cert));
  g_autofree char *head = branch(level, TRUE), *rest = branch(level, FALSE);
  guint problems = problems_of(chain, index);
  add(lines, "%s%s  (%s, %s to %s%s)", head, crypto_cert_subject(cert), crypto_cert_key_name(cert), from, to,
      trusted ? ", trusted for mail" : "");
  if (*addresses)
    add(lines, "%s%s", rest, addresses);
  for (guint bit = 0; bit < 32; bit++)
    if (problems & (1u << bit))
      add(lines, "%s! %s: %s", rest, crypto_trust_word((CryptoTrustProblem)(1u << bit)),
          crypto_trust_words_sentence((CryptoTrustProblem)(1u << bit)));
  if (index == 0 && chain->revocation != CRYPTO_REVOCATION_NOT_CHECKED)
    add(lines, "%s%s", rest,
        chain->revocation == CRYPTO_REVOCATION_GOOD ? "not revoked, says its authority's list"
        : chain->revocation == CRYPTO_REVOCATION_REVOKED
            ? "revoked, says its authority's list"
            : "whether it was revoked is not known: no current list of "
              "its authority is here (O on the screen, or verify --online, asks)");
}

GPtrArray *
ui_chain_lines(const CryptoChain *chain)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
  guint count = chain->certs->len, level = 0;
  if (!count)
    return lines;
  CryptoCert *top = chain->certs->pdata[count - 1];
  guint problems = problems_of(chain, count - 1);
  gboolean trusted = !(problems & (CRYPTO_TRUST_UNKNOWN_ISSUER | CRYPTO_TRUST_SELF_SIGNED));
  if (!trusted && !crypto_cert_self_signed(top)) {
    add(lines, "%s  (not here)", crypto_cert_issuer(top));
    level++;
  }
  for (guint i = count; i-- > 0; level++)
    add_cert(lines, chain, i, level, trusted && i == count - 1);
  return lines;
}
