#include "crypto/cards-private.h"
#include "crypto/cms-private.h"

#include <string.h>

/* What an encrypted message says about itself, without touching a key. */

enum { NAMES_LOOKED_UP = 16 };

static char *
describe_cert(CryptoCert *cert)
{
  const char *const *addresses = crypto_cert_addresses(cert);
  const char *name = crypto_cert_common_name(cert);
  return addresses[0] && strcmp(addresses[0], name) != 0 ? g_strdup_printf("%s (%s)", addresses[0], name)
                                                         : g_strdup(name);
}

static char *
describe_recipient(const CryptoCmsRecipient *recipient, CryptoCert *cert, gboolean look_up)
{
  if (recipient->kind == CRYPTO_CMS_OTHER_RECIPIENT)
    return g_strdup(recipient->what);
  g_autoptr(CryptoCert) known = cert ? crypto_cert_ref(cert) : NULL;
  if (!known && look_up && !recipient->id.by_key_id)
    known = crypto_cms_id_lookup(&recipient->id);
  return known ? describe_cert(known) : crypto_cms_describe_id(&recipient->id);
}

static void
add_key(CryptoEnvelope *envelope, CryptoCert *cert)
{
  for (guint i = 0; cert && i < envelope->keys->len; i++)
    if (g_bytes_equal(cert->der, ((CryptoCert *)envelope->keys->pdata[i])->der))
      return;
  if (cert)
    g_ptr_array_add(envelope->keys, crypto_cert_ref(cert));
  envelope->others_ours = envelope->keys->len > 1;
}

CryptoEnvelope *
crypto_cms_envelope(CryptoCms *cms)
{
  CryptoEnvelope *envelope = g_new0(CryptoEnvelope, 1);
  const CryptoCmsCipher *cipher = crypto_cms_cipher(&cms->cipher);
  envelope->recipients = g_ptr_array_new_with_free_func(g_free);
  envelope->keys = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  if (cms->kind != CRYPTO_CMS_ENVELOPED && cms->kind != CRYPTO_CMS_AUTH_ENVELOPED) {
    envelope->algorithm = g_strdup("none");
    return envelope;
  }
  envelope->algorithm = crypto_cms_cipher_name(&cms->cipher);
  /* An unknown cipher in AuthEnvelopedData is an authenticated one by its place (RFC 5083). */
  envelope->authenticated = cipher ? cipher->block == 0 : cms->kind == CRYPTO_CMS_AUTH_ENVELOPED;
  envelope->legacy = cipher && cipher->legacy;
  for (guint i = 0; i < cms->recipients->len; i++) {
    const CryptoCmsRecipient *recipient = &g_array_index(cms->recipients, CryptoCmsRecipient, i);
    g_autoptr(CryptoCert) cert = crypto_cms_recipient_cert(recipient);
    g_ptr_array_add(envelope->recipients, describe_recipient(recipient, cert, i < NAMES_LOOKED_UP));
    add_key(envelope, cert);
    if (cert && !envelope->ours) {
      envelope->key_transport = crypto_cms_transport_name(recipient, cert);
      envelope->token = crypto_keys_token(cert);
      char *away = envelope->token ? NULL : crypto_keys_absent(cert);
      envelope->absent = away != NULL;
      envelope->token = away ? away : envelope->token;
      envelope->ours = g_steal_pointer(&cert);
    }
  }
  return envelope;
}

void
crypto_envelope_free(CryptoEnvelope *envelope)
{
  if (!envelope)
    return;
  g_free(envelope->algorithm);
  g_ptr_array_unref(envelope->recipients);
  g_ptr_array_unref(envelope->keys);
  crypto_cert_unref(envelope->ours);
  g_free(envelope->key_transport);
  g_free(envelope->token);
  g_free(envelope);
}
