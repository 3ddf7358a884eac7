#include "mail/rekey.h"

#include <string.h>

#include "crypto/cms-write.h"
#include "mail/message-private.h"

const char *
ml_rekey_form_word(MlRekeyForm form)
{
  static const char *const words[] = { "clear", "sealed", "wrapped", "part", "broken" };
  return words[form];
}

static int
outermost_encryption(const MlMessage *message)
{
  for (guint i = 0; i < message->layers->len; i++)
    if (((const MlLayer *)message->layers->pdata[i])->kind == ML_LAYER_ENCRYPTED)
      return (int)i;
  return -1;
}

void
ml_rekey_look(GBytes *raw, GPtrArray *left, MlRekeyLook *look)
{
  const MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC,
                                  .revocation = CRYPTO_REVOCATION_OFF,
                                  .sealed = TRUE,
                                  .left = left };
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  *look = (MlRekeyLook){ .form = ML_REKEY_CLEAR };
  g_autoptr(MlMessage) message = ml_message_read(raw, &options, cancellable, &error);
  if (!message) {
    look->form = ML_REKEY_BROKEN;
    look->reason = g_strdup(error->message);
    return;
  }
  int layer = outermost_encryption(message);
  if (layer < 0) {
    look->form = message->errant_encryption ? ML_REKEY_PART : ML_REKEY_CLEAR;
    return;
  }
  look->envelope = g_steal_pointer(&message->verdict->envelope);
  look->form = !look->envelope ? ML_REKEY_BROKEN : layer > 0 ? ML_REKEY_WRAPPED : ML_REKEY_SEALED;
  if (!look->envelope)
    look->reason = g_strdup(message->verdict->reason);
}

void
ml_rekey_look_clear(MlRekeyLook *look)
{
  g_clear_pointer(&look->envelope, crypto_envelope_free);
  g_clear_pointer(&look->reason, g_free);
}

/* --- whom it is written to */

GPtrArray *
ml_rekey_rows(CryptoCert *to, const MlAccount *account, const MlPolicy *rules, gint64 at,
              CryptoRevocationMode revocation, GError **error)
{
  g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)ml_recipient_free);
  const char *archives[] = { account ? account->archive_cert : NULL, account ? account->policy_archive : NULL,
                             ml_policy_value(rules, ML_POLICY_ARCHIVE_CERT) };
  MlRecipient *own = ml_recipients_from_cert(to, "own", at, revocation);
  own->self = TRUE;
  own->capabilities = crypto_cms_own_capabilities(to);
  g_ptr_array_add(rows, own);
  for (guint i = 0; i < G_N_ELEMENTS(archives); i++)
    if (archives[i])
      ml_recipients_add_archive(rows, archives[i], at, revocation);
  const char *reason;
  if (!ml_recipients_ready(rows, &reason)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s", reason ? reason : "The certificate cannot be used.");
    return NULL;
  }
  for (guint i = 0; i < rows->len; i++) {
    CryptoCert *cert = ((const MlRecipient *)rows->pdata[i])->cert;
    if (!ml_policy_key(rules, crypto_cert_key_name(cert), crypto_cert_common_name(cert), error))
      return NULL;
  }
  return g_steal_pointer(&rows);
}

gboolean
ml_rekey_try(const MlRecipient *row, CryptoPinSource *pin, GError **error)
{
  static const char text[] = "Content-Type: text/plain\r\n\r\nA trial.\r\n";
  g_autoptr(GPtrArray) to = g_ptr_array_new();
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_ptr_array_add(to, row->cert);
  gboolean oaep = (crypto_cms_capabilities(row->capabilities) & CRYPTO_CAN_RSA_OAEP) != 0;
  g_autoptr(GBytes) bytes = crypto_cms_encrypt(content, to, CRYPTO_CIPHER_AES256_GCM, oaep, error);
  g_autoptr(CryptoCms) cms = bytes ? crypto_cms_parse(bytes, error) : NULL;
  g_autoptr(GBytes) got = cms ? crypto_cms_decrypt(cms, pin, error) : NULL;
  if (got && !g_bytes_equal(got, content))
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, "What was encrypted for a trial came back changed.");
  return got && g_bytes_equal(got, content);
}
