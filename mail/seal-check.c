#include <string.h>

#include "crypto/mapping.h"
#include "mail/address-private.h"
#include "mail/seal-private.h"

enum { STEP = 1024 * 1024 };
/* What the user's own word stands in for: see recipients.c. */
enum { UNVOUCHED = CRYPTO_TRUST_UNKNOWN_ISSUER | CRYPTO_TRUST_SELF_SIGNED };

gboolean
ml_seal_check_signer(const MlSealing *sealing, GError **error)
{
  const MlSealOptions *options = sealing->options;
  if (!options->signer) {
    g_set_error_literal(
        error, ML_ERROR, ML_ERROR_FAILED,
        "There is no certificate to sign with. Import yours (signet cert import FILE.p12), or "
        "turn signing off.");
    return FALSE;
  }
  const char *const *addresses = crypto_cert_addresses(options->signer);
  gboolean fits = FALSE;
  for (guint i = 0; addresses[i] && !fits; i++)
    fits = ml_address_equal(addresses[i], sealing->from);
  if (!fits) {
    g_set_error(
        error, ML_ERROR, ML_ERROR_FAILED,
        "The certificate of %s is not for %s: every reader would be warned. Sign with another one, or "
        "write from an address in it (%s).",
        crypto_cert_common_name(options->signer), sealing->from, addresses[0] ? addresses[0] : "none");
    return FALSE;
  }
  g_autoptr(CryptoChain) chain =
      crypto_chain_check(options->signer, CRYPTO_USE_SIGN, options->now, options->revocation, NULL);
  if ((chain->problems & ~UNVOUCHED) == 0)
    return TRUE;
  g_autofree char *finding = crypto_trust_finding(chain->sentence ? chain->sentence : "");
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
              "The message is not signed: %s Sign with another certificate, or turn signing off.", finding);
  return FALSE;
}

/* An authority that is not trusted here is no surprise: the user named the certificate all the same. */
static gboolean
signature_fits(const MlSealing *sealing, const MlVerdict *verdict)
{
  if (verdict->signer_matches_from != ML_YES || verdict->signers->len != 1)
    return FALSE;
  const MlSigner *signer = verdict->signers->pdata[0];
  if (!signer->cms->cert ||
      strcmp(crypto_cert_sha256(signer->cms->cert), crypto_cert_sha256(sealing->options->signer)) != 0)
    return FALSE;
  if (verdict->signature == ML_SIGNATURE_VALID)
    return TRUE;
  return verdict->signature == ML_SIGNATURE_UNTRUSTED && signer->now && signer->now->problems != 0 &&
         (signer->now->problems & ~UNVOUCHED) == 0;
}

static gboolean
same_run(const guint8 *a, const guint8 *b, gsize length)
{
  while (length > 0) {
    gsize part = MIN(length, (gsize)STEP);
    if (memcmp(a, b, part) != 0)
      return FALSE;
    crypto_mapping_release(a, a + part);
    crypto_mapping_release(b, b + part);
    a += part;
    b += part;
    length -= part;
  }
  return TRUE;
}

static gboolean
same_octets(GBytes *got, GPtrArray *parts)
{
  gsize length, at = 0;
  const guint8 *data = g_bytes_get_data(got, &length);
  for (guint i = 0; i < parts->len; i++) {
    gsize part;
    const guint8 *expected = g_bytes_get_data(parts->pdata[i], &part);
    if (part > length - at || !same_run(data + at, expected, part))
      return FALSE;
    at += part;
  }
  return at == length;
}

static gboolean
refuse(GError **error, const char *what, const char *reason)
{
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
              "The message was read back before it left, and %s: %s It was not sent, and nothing is lost.",
              what, reason);
  return FALSE;
}

static gboolean
check_encryption(const MlSealing *sealing, const MlMessage *message, GPtrArray *inside, GError **error)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  if (sealing->unread)
    return verdict->encryption == ML_ENCRYPTION_NO_KEY || verdict->encryption == ML_ENCRYPTION_DECRYPTED ||
           refuse(error, "its encryption is not in order", verdict->reason);
  if (verdict->encryption != ML_ENCRYPTION_DECRYPTED)
    return refuse(error, "it could not be decrypted with your own key", verdict->reason);
  g_autoptr(GBytes) got = ml_message_decrypted(message, TRUE, error);
  if (!got)
    return FALSE;
  return same_octets(got, inside) ||
         refuse(error, "what was decrypted is not what was written", "Please report this.");
}

gboolean
ml_seal_check(const MlSealing *sealing, GBytes *bytes, GPtrArray *inside, GError **error)
{
  const MlSealOptions *options = sealing->options;
  const MlReadOptions read = {
    .at = options->now, .received = options->now, .revocation = options->revocation, .pin = sealing->pin
  };
  if (g_cancellable_is_cancelled(sealing->cancellable)) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    return FALSE;
  }
  g_autoptr(MlMessage) message = ml_message_read(bytes, &read, sealing->cancellable, error);
  if (!message)
    return FALSE;
  const MlVerdict *verdict = ml_message_verdict(message);
  if (inside && !check_encryption(sealing, message, inside, error))
    return FALSE;
  if (inside && sealing->unread && verdict->encryption == ML_ENCRYPTION_NO_KEY)
    return TRUE;
  if (sealing->policy->sign && !signature_fits(sealing, verdict))
    return refuse(error, "its signature is not good", verdict->reason);
  char **differs = ml_message_outer_differs(message);
  if (differs[0])
    return refuse(error, "a header outside differs from the one inside", differs[0]);
  return TRUE;
}
