#include <string.h>

#include "mail/headers-private.h"
#include "mail/message-private.h"
#include "mail/seal-private.h"

/* What mail/policy.h says of a message, held where it is sealed. */

static const char *const ciphers[] = { [CRYPTO_CIPHER_AES128_CBC] = "aes-128-cbc",
                                       [CRYPTO_CIPHER_AES256_CBC] = "aes-256-cbc",
                                       [CRYPTO_CIPHER_AES128_GCM] = "aes-128-gcm",
                                       [CRYPTO_CIPHER_AES256_GCM] = "aes-256-gcm" };

const char *
ml_seal_digest(const MlSealing *sealing, GError **error)
{
  const MlSealOptions *options = sealing->options;
  return ml_policy_digest(options->rules, crypto_cms_sign_digest(options->signer, options->digest),
                          options->digest != NULL, error);
}

gboolean
ml_seal_cipher(const MlSealing *sealing, CryptoCipher *cipher, GError **error)
{
  if (*cipher >= G_N_ELEMENTS(ciphers)) /* 3DES: only the demo and tests ask for it */
    return TRUE;
  const char *name =
      ml_policy_cipher(sealing->options->rules, ciphers[*cipher], sealing->options->cipher != NULL, error);
  for (guint i = 0; name && i < G_N_ELEMENTS(ciphers); i++)
    if (strcmp(ciphers[i], name) == 0)
      *cipher = (CryptoCipher)i;
  return name != NULL;
}

static gboolean
keys_fit(const MlSealing *sealing, gboolean sign, gboolean encrypt, GError **error)
{
  const MlSealOptions *options = sealing->options;
  if (sign && options->signer &&
      !ml_policy_key(options->rules, crypto_cert_key_name(options->signer), crypto_cert_common_name(options->signer),
                     error))
    return FALSE;
  for (guint i = 0; encrypt && options->recipients && i < options->recipients->len; i++) {
    const MlRecipient *row = options->recipients->pdata[i];
    if (row->cert && !ml_policy_key(options->rules, crypto_cert_key_name(row->cert),
                                    *row->address ? row->address : crypto_cert_common_name(row->cert), error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
archive_is_there(const MlSealing *sealing, GError **error)
{
  const MlSealOptions *options = sealing->options;
  const char *wanted = ml_policy_value(options->rules, ML_POLICY_ARCHIVE_CERT);
  for (guint i = 0; wanted && options->recipients && i < options->recipients->len; i++) {
    const MlRecipient *row = options->recipients->pdata[i];
    if (row->archive && (!row->cert || strcmp(crypto_cert_sha256(row->cert), wanted) == 0))
      return TRUE; /* one without a certificate is told of as the row that is not ready */
  }
  if (!wanted)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_POLICY,
              "The message is not encrypted to the archive's certificate, which policy demands (archive-cert, %s).",
              options->rules->values[ML_POLICY_ARCHIVE_CERT].where);
  return FALSE;
}

gboolean
ml_seal_allowed(const MlSealing *sealing, const MlPolicyFacts *facts, gboolean sign, gboolean encrypt,
                GError **error)
{
  return ml_policy_allows(sealing->options->rules, facts, sign, encrypt, error) &&
         keys_fit(sealing, sealing->policy->sign, sealing->policy->encrypt, error) &&
         (!sealing->policy->encrypt || archive_is_there(sealing, error));
}

const char **
ml_seal_addresses(GPtrArray *mailboxes)
{
  const char **all = g_new0(const char *, mailboxes ? mailboxes->len + 1 : 1);
  for (guint i = 0; mailboxes && i < mailboxes->len; i++)
    all[i] = ((MlMailbox *)mailboxes->pdata[i])->address;
  return all;
}

/* What that part holds, whatever its label says. */
static CryptoCmsKind
kind_inside(const MlEntity *part)
{
  gboolean cut = FALSE;
  g_autoptr(GBytes) bytes = ml_mime_decode(part, ML_CMS_SIZE, &cut);
  g_autoptr(CryptoCms) cms = bytes && !cut ? crypto_cms_parse(bytes, NULL) : NULL;
  return cms ? crypto_cms_kind(cms) : CRYPTO_CMS_OTHER;
}

void
ml_seal_layers_of(const MlEntity *root, gboolean *is_signed, gboolean *encrypted)
{
  MlCryptoKind kind = ml_layers_kind(root, TRUE);
  *is_signed = *encrypted = FALSE;
  if (kind == ML_CRYPTO_NONE)
    return;
  if (kind == ML_CRYPTO_DETACHED) {
    *is_signed = root->children && root->children->len == 2 &&
                 kind_inside(g_ptr_array_index(root->children, 1)) == CRYPTO_CMS_SIGNED;
    return;
  }
  CryptoCmsKind what = kind_inside(root);
  *encrypted = what == CRYPTO_CMS_ENVELOPED || what == CRYPTO_CMS_AUTH_ENVELOPED;
  *is_signed = what == CRYPTO_CMS_SIGNED || *encrypted;
}

gboolean
ml_seal_layers(GBytes *message, gboolean *is_signed, gboolean *encrypted)
{
  g_autoptr(MlEntity) root = ml_scan(message, TRUE, NULL);
  *is_signed = *encrypted = FALSE;
  if (root)
    ml_seal_layers_of(root, is_signed, encrypted);
  return root != NULL;
}

/* Who it is from and to, and what about, by its own header. */
gboolean
ml_seal_allowed_header(const MlSealing *sealing, GBytes *message, const MlEntity *root, GError **error)
{
  gboolean is_signed = FALSE, encrypted = FALSE;
  g_autoptr(GPtrArray) mailboxes = NULL;
  g_autofree char *from = NULL, *subject = NULL;
  ml_seal_layers_of(root, &is_signed, &encrypted);
  const MlPolicyFacts *facts = sealing->options->facts;
  is_signed = is_signed || sealing->policy->sign;
  encrypted = encrypted || sealing->policy->encrypt;
  if (facts)
    return ml_seal_allowed(sealing, facts, is_signed, encrypted, error);
  if (!ml_seal_people(message, &from, &mailboxes, error))
    return FALSE;
  for (guint i = 0; sealing->options->recipients && i < sealing->options->recipients->len; i++) {
    const MlRecipient *row = sealing->options->recipients->pdata[i];
    if (row->self || row->archive || !*row->address)
      continue;
    MlMailbox *mailbox = g_new0(MlMailbox, 1);
    *mailbox = (MlMailbox){ g_strdup(row->address), g_strdup(row->address), ML_TO };
    g_ptr_array_add(mailboxes, mailbox);
  }
  if (ml_mime_field_count(root, "Subject") > 0) {
    g_autofree char *raw = ml_mime_field_raw(root, ml_mime_field(root, "Subject", 0));
    subject = ml_headers_decode(raw);
  }
  g_autofree const char **addresses = ml_seal_addresses(mailboxes);
  const MlPolicyFacts own = { from, addresses, subject };
  return ml_seal_allowed(sealing, &own, is_signed, encrypted, error);
}

gboolean
ml_seal_may_leave(GBytes *message, const MlPolicy *rules, const MlPolicyFacts *facts, GError **error)
{
  gboolean is_signed = FALSE, encrypted = FALSE;
  if (!rules)
    return TRUE;
  if (!ml_seal_layers(message, &is_signed, &encrypted))
    g_debug("a message that leaves cannot be read: it counts as neither signed nor encrypted");
  return ml_policy_allows(rules, facts, is_signed, encrypted, error);
}
