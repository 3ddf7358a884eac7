#include "mail/message-private.h"

#include <string.h>

/* The expected signer: somebody who always signs, and now does not, is not who he seems, or somebody took the
 * signature off. A warning from the third signed message on, for as long as at least half of all that was read of the
 * sender was signed: forged mail would have to be opened as often, each time under this warning, to silence it. */
enum { HABIT = 3 };

static void G_GNUC_PRINTF(2, 3) add(GPtrArray *sentences, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_ptr_array_add(sentences, g_strdup_vprintf(format, args));
  va_end(args);
}

/* "CN=Lab Mail CA,O=Lab" -> "Lab Mail CA". Transfer full. */
static char *
common_name(const char *name)
{
  g_auto(GStrv) parts = g_strsplit(name, ",", 100);
  for (char **part = parts; *part; part++)
    if (g_str_has_prefix(*part, "CN=") && (*part)[3])
      return g_strdup(*part + 3);
  return g_strdup(name);
}

static gboolean
is_closed(const MlVerdict *verdict)
{
  return verdict->encryption == ML_ENCRYPTION_NO_KEY || verdict->encryption == ML_ENCRYPTION_MALFORMED ||
         verdict->encryption == ML_ENCRYPTION_UNSUPPORTED || verdict->encryption == ML_ENCRYPTION_REFUSED;
}

static void
expect_signature(MlVerdict *verdict, const char *address, const MlHistory *history)
{
  if (is_closed(verdict) || history->with_signature < HABIT ||
      history->with_signature < history->messages / 2)
    return;
  add(verdict->warnings, "%s has signed %u of %u messages; this one is not signed%s.", address,
      history->with_signature, history->messages,
      verdict->signature == ML_SIGNATURE_ERRANT ? " as a whole" : "");
  if (!verdict->next_step)
    verdict->next_step = g_strdup("Ask the sender by another way before you rely on it.");
}

void
ml_verdict_expect(MlVerdict *verdict, const char *address, const char *issuer, const MlHistory *history)
{
  if (verdict->signature == ML_SIGNATURE_UNSIGNED || verdict->signature == ML_SIGNATURE_ERRANT) {
    expect_signature(verdict, address, history);
    return;
  }
  if (!history->with_signature || history->known_cert || verdict->signer_matches_from != ML_YES)
    return;
  g_autofree char *before = common_name(history->last_issuer ? history->last_issuer : "another authority");
  if (verdict->signature == ML_SIGNATURE_UNTRUSTED)
    add(verdict->warnings,
        "%s has signed %u of %u messages with a certificate of %s that was trusted; this is another.", address,
        history->with_signature, history->messages, before);
  else if (verdict->signature == ML_SIGNATURE_VALID && history->known_issuer)
    add(verdict->notices, "Signed with a new certificate, of the same authority as before.");
  else if (verdict->signature == ML_SIGNATURE_VALID && issuer) {
    g_autofree char *now = common_name(issuer);
    add(verdict->notices, "Signed with a new certificate of another authority: %s; until now it was %s.", now,
        before);
  }
}
