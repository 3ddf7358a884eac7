#include "mail/message-private.h"

enum { DAY = 24 * 3600 };

/* Had one of this signer's certificates been revoked at @time? Where it is not known since when, it had. */
static gboolean
was_revoked(const CryptoChain *chain, gint64 time)
{
  if (!(chain->problems & CRYPTO_TRUST_REVOKED))
    return FALSE;
  for (guint i = 1; i < chain->cert_problems->len; i++)
    if (GPOINTER_TO_UINT(chain->cert_problems->pdata[i]) & CRYPTO_TRUST_REVOKED)
      return TRUE; /* an authority: its day is not told */
  return chain->revocation != CRYPTO_REVOCATION_REVOKED || !chain->revoked_at || chain->revoked_at <= time;
}

MlVerdict *
ml_message_then(MlMessage *message, const MlReadOptions *options)
{
  const MlVerdict *now = ml_message_verdict(message);
  MlReadOptions then = *options;
  if (!options->received)
    return NULL;
  then.at = MIN(options->received, options->at);
  then.revocation = CRYPTO_REVOCATION_OFF;
  for (guint i = 0; i < now->signers->len; i++) {
    const MlSigner *signer = now->signers->pdata[i];
    if (signer->now && was_revoked(signer->now, then.at))
      then.revocation = options->revocation;
  }
  return ml_message_judge_at(message, &then);
}

gint64
ml_message_until(const MlMessage *message, const MlReadOptions *options)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  if (verdict->indicator == ML_INDICATOR_NONE)
    return G_MAXINT64;
  if (verdict->indicator == ML_INDICATOR_GOOD && options->revocation == CRYPTO_REVOCATION_HARD)
    return options->at;
  gint64 until = options->at + DAY;
  for (guint i = 0; verdict->indicator == ML_INDICATOR_GOOD && i < verdict->signers->len; i++) {
    const MlSigner *signer = verdict->signers->pdata[i];
    for (guint c = 0; signer->now && c < signer->now->certs->len; c++) {
      gint64 end = crypto_cert_not_after(signer->now->certs->pdata[c]);
      if (end >= options->at) /* what has ended before is good for when it came */
        until = MIN(until, end);
    }
  }
  return until;
}
