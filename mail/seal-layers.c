#include <string.h>

#include "crypto/cms-write.h"
#include "crypto/mapping.h"
#include "mail/seal-private.h"

enum { STEP = 1024 * 1024, LINE = 57 }; /* octets that make a line of 76 characters */

GPtrArray *
ml_seal_parts(GBytes *only)
{
  GPtrArray *parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  if (only)
    g_ptr_array_add(parts, g_bytes_ref(only));
  return parts;
}

static void
add_text(GPtrArray *parts, char *text)
{
  g_ptr_array_add(parts, g_bytes_new_take(text, strlen(text)));
}

gboolean
ml_seal_add(CryptoSpool *spool, GBytes *bytes, GError **error)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  while (length > 0) {
    gsize part = MIN(length, (gsize)STEP);
    if (!crypto_spool_add(spool, data, part, error))
      return FALSE;
    crypto_mapping_release(data, data + part);
    data += part;
    length -= part;
  }
  return TRUE;
}

static gboolean
put_text(CryptoSpool *spool, const char *text, GError **error)
{
  return crypto_spool_add(spool, text, strlen(text), error);
}

/* --- base64, line by line --- */

typedef struct {
  CryptoSpool *spool;
  guint8 held[LINE];
  gsize n_held;
} Base64;

static gboolean
put_line(Base64 *out, const guint8 *data, gsize length, GError **error)
{
  char line[LINE / 3 * 4 + 8];
  int state = 0, save = 0;
  gsize n = g_base64_encode_step(data, length, FALSE, line, &state, &save);
  n += g_base64_encode_close(FALSE, line + n, &state, &save);
  line[n++] = '\r';
  line[n++] = '\n';
  return crypto_spool_add(out->spool, line, n, error);
}

static gboolean
put_base64(const guint8 *data, gsize length, gpointer user_data, GError **error)
{
  Base64 *out = user_data;
  while (length > 0) {
    if (out->n_held == 0 && length >= LINE) {
      if (!put_line(out, data, LINE, error))
        return FALSE;
      data += LINE;
      length -= LINE;
      continue;
    }
    gsize part = MIN(length, LINE - out->n_held);
    memcpy(out->held + out->n_held, data, part);
    out->n_held += part;
    data += part;
    length -= part;
    if (out->n_held == LINE) {
      if (!put_line(out, out->held, LINE, error))
        return FALSE;
      out->n_held = 0;
    }
  }
  return TRUE;
}

static gboolean
end_base64(Base64 *out, GError **error)
{
  return out->n_held == 0 || put_line(out, out->held, out->n_held, error);
}

/* --- signing --- */

static gboolean
contains(GBytes *bytes, const char *text)
{
  gsize length, needle = strlen(text);
  const guint8 *data = g_bytes_get_data(bytes, &length);
  while (length >= needle) {
    gsize part = MIN(length, (gsize)STEP);
    if (memmem(data, part, text, needle))
      return TRUE;
    gsize next = part == length ? length : part - needle + 1;
    crypto_mapping_release(data, data + next);
    data += next;
    length -= next;
  }
  return FALSE;
}

/* One that does not occur in @payload; the same for the same seed. */
static char *
new_boundary(guint64 seed, GBytes *payload)
{
  for (guint try = 0;; try++) {
    g_autofree char *text =
        seed ? g_strdup_printf("signed %" G_GUINT64_FORMAT " %u", seed, try) : g_uuid_string_random();
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    g_autofree char *boundary = g_strdup_printf("=_sig_%.32s", digest);
    if (!contains(payload, boundary))
      return g_steal_pointer(&boundary);
  }
}

/* Everybody whose reading is known takes RSA-PSS? */
static gboolean
all_can(GPtrArray *rows, guint capability)
{
  for (guint i = 0; rows && i < rows->len; i++) {
    const MlRecipient *row = rows->pdata[i];
    if (!(crypto_cms_capabilities(row->capabilities) & capability))
      return FALSE;
  }
  return rows && rows->len > 0;
}

/* @cert's chain without its root, which everybody who trusts it has. */
static void
add_chain(GPtrArray *certs, CryptoCert *cert, CryptoUse use, gint64 now)
{
  g_autoptr(CryptoChain) chain = crypto_chain_check(cert, use, now, CRYPTO_REVOCATION_OFF, NULL);
  for (guint i = 1; i < chain->certs->len; i++)
    if (!crypto_cert_self_signed(chain->certs->pdata[i]))
      g_ptr_array_add(certs, crypto_cert_ref(chain->certs->pdata[i]));
}

/* Which certificate answers should be encrypted to: the one that was given, else the self row's. */
static CryptoCert *
announced(const MlSealOptions *options)
{
  for (guint i = 0; !options->encryption && options->recipients && i < options->recipients->len; i++) {
    const MlRecipient *row = options->recipients->pdata[i];
    if (row->self && row->state == ML_CERT_READY)
      return row->cert;
  }
  return options->encryption;
}

static GBytes *
make_signature(const MlSealing *sealing, GBytes *payload, const char *digest, GError **error)
{
  const MlSealOptions *options = sealing->options;
  g_autoptr(GPtrArray) chain = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  CryptoCert *encryption = announced(options);
  add_chain(chain, options->signer, CRYPTO_USE_SIGN, options->now);
  if (encryption && encryption != options->signer) /* it may come from another authority */
    add_chain(chain, encryption, CRYPTO_USE_ENCRYPT, options->now);
  CryptoSignOptions sign = { .signing_time = options->now,
                             .digest = digest,
                             .pss = all_can(options->recipients, CRYPTO_CAN_RSA_PSS),
                             .detached = !sealing->policy->opaque,
                             .chain = chain,
                             .encryption = encryption };
  g_autoptr(GError) first = NULL;
  GBytes *made = crypto_cms_sign(payload, options->signer, &sign, sealing->pin, &first);
  if (!made && sign.pss && first->code == CRYPTO_ERROR_FAILED) { /* a card that cannot do it */
    sign.pss = FALSE;
    made = crypto_cms_sign(payload, options->signer, &sign, sealing->pin, error);
  } else if (!made) {
    g_propagate_error(error, g_steal_pointer(&first));
  }
  return made;
}

/* RFC 8551 3.5.3.2 */
static const char *
micalg(const char *digest)
{
  return strcmp(digest, "sha384") == 0 ? "sha-384" : strcmp(digest, "sha512") == 0 ? "sha-512" : "sha-256";
}

static GBytes *
base64_of(GBytes *bytes, GError **error)
{
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  Base64 out = { .spool = spool };
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  while (length > 0) {
    gsize part = MIN(length, (gsize)STEP);
    if (!put_base64(data, part, &out, error))
      return NULL;
    crypto_mapping_release(data, data + part);
    data += part;
    length -= part;
  }
  return end_base64(&out, error) ? crypto_spool_finish(spool, error) : NULL;
}

GPtrArray *
ml_seal_sign(const MlSealing *sealing, GBytes *payload, GError **error)
{
  const char *digest = ml_seal_digest(sealing, error);
  g_autoptr(GBytes) signature = digest ? make_signature(sealing, payload, digest, error) : NULL;
  g_autoptr(GBytes) text = signature ? base64_of(signature, error) : NULL;
  if (!text)
    return NULL;
  GPtrArray *parts = ml_seal_parts(NULL);
  if (sealing->policy->opaque) {
    add_text(
        parts,
        g_strdup("MIME-Version: 1.0\r\n"
                 "Content-Type: application/pkcs7-mime; smime-type=signed-data;\r\n name=\"smime.p7m\"\r\n"
                 "Content-Transfer-Encoding: base64\r\n"
                 "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"));
    g_ptr_array_add(parts, g_steal_pointer(&text));
    return parts;
  }
  g_autofree char *boundary = new_boundary(sealing->options->boundary_seed, payload);
  add_text(parts, g_strdup_printf("MIME-Version: 1.0\r\n"
                                  "Content-Type: multipart/signed; micalg=%s;\r\n"
                                  " protocol=\"application/pkcs7-signature\";\r\n"
                                  " boundary=\"%s\"\r\n\r\n--%s\r\n",
                                  micalg(digest), boundary, boundary));
  g_ptr_array_add(parts, g_bytes_ref(payload));
  add_text(parts, g_strdup_printf("\r\n--%s\r\n"
                                  "Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
                                  "Content-Transfer-Encoding: base64\r\n"
                                  "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n",
                                  boundary));
  g_ptr_array_add(parts, g_steal_pointer(&text));
  add_text(parts, g_strdup_printf("--%s--\r\n", boundary));
  return parts;
}

/* --- encrypting --- */

/* The rows' certificates, each once. */
static GArray *
keys_of(GPtrArray *rows)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_bytes_hash, g_bytes_equal);
  GArray *to = g_array_new(FALSE, FALSE, sizeof(CryptoCmsTo));
  for (guint i = 0; i < rows->len; i++) {
    const MlRecipient *row = rows->pdata[i];
    CryptoCmsTo key = { row->cert, (crypto_cms_capabilities(row->capabilities) & CRYPTO_CAN_RSA_OAEP) != 0 };
    if (g_hash_table_add(seen, crypto_cert_der(row->cert)))
      g_array_append_val(to, key);
  }
  return to;
}

static gboolean
put_fields(CryptoSpool *spool, GPtrArray *fields, GError **error)
{
  for (guint i = 0; i < fields->len; i++) {
    const MlDraftHeader *field = fields->pdata[i];
    g_autofree char *line = g_strdup_printf("%s: %s\r\n", field->name, field->value);
    if (!put_text(spool, line, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
ml_seal_ciphertext(CryptoSpool *spool, GPtrArray *inside, GPtrArray *rows, CryptoCipher cipher, GError **error)
{
  g_autoptr(GArray) to = keys_of(rows);
  Base64 out = { .spool = spool };
  return crypto_cms_encrypt_to(inside, to, cipher, put_base64, &out, error) && end_base64(&out, error);
}

GBytes *
ml_seal_encrypt(const MlSealing *sealing, GPtrArray *outer, GPtrArray *inside, GPtrArray *rows,
                GError **error)
{
  gboolean gcm = all_can(rows, CRYPTO_CAN_AES256_GCM);
  CryptoCipher cipher = gcm ? CRYPTO_CIPHER_AES256_GCM : CRYPTO_CIPHER_AES256_CBC;
  if (sealing->options->cipher)
    cipher = *sealing->options->cipher;
  if (!ml_seal_cipher(sealing, &cipher, error))
    return NULL;
  gcm = cipher == CRYPTO_CIPHER_AES256_GCM || cipher == CRYPTO_CIPHER_AES128_GCM;
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  g_autofree char *head = g_strdup_printf("MIME-Version: 1.0\r\n"
                                          "Content-Type: application/pkcs7-mime; smime-type=%s;\r\n"
                                          " name=\"smime.p7m\"\r\n"
                                          "Content-Transfer-Encoding: base64\r\n"
                                          "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n",
                                          gcm ? "authEnveloped-data" : "enveloped-data");
  if (!put_fields(spool, outer, error) || !put_text(spool, head, error) ||
      !ml_seal_ciphertext(spool, inside, rows, cipher, error))
    return NULL;
  return crypto_spool_finish(spool, error);
}

GBytes *
ml_seal_join(GPtrArray *outer, GPtrArray *parts, GError **error)
{
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  if (!put_fields(spool, outer, error))
    return NULL;
  for (guint i = 0; i < parts->len; i++)
    if (!ml_seal_add(spool, parts->pdata[i], error))
      return NULL;
  return crypto_spool_finish(spool, error);
}
