#include "crypto/cms-private.h"

#include <pk11pub.h>
#include <secerr.h>
#include <string.h>

/* The content of EnvelopedData and AuthEnvelopedData. Whatever goes wrong once a key of ours is at work ends in
 * one sentence, so that a sender learns nothing from how a decryption failed. */

enum { TAG_MIN = 12, TAG_MAX = 16, IV_MAX = 64, CHUNK = 256 * 1024 };

static void
set_failed(GError **error)
{
  g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED,
                      "The message cannot be decrypted: it is damaged, or was not really encrypted to your key. Ask "
                      "the sender to send it again.");
}

/* What the content needs besides the key, read and judged before any key is touched. */
typedef struct {
  const CryptoCmsCipher *cipher;
  guint8 iv[IV_MAX];
  guint iv_length, tag_length;
  gboolean sound; /* FALSE: parameters or lengths are impossible; fails like any other decryption */
} Plan;

static gboolean
read_gcm(CryptoCms *cms, Plan *plan)
{
  const CryptoBerItem *parameters = &cms->cipher.parameters;
  CryptoBerReader inside = crypto_ber_enter(parameters);
  CryptoBerItem nonce, length;
  plan->tag_length = TAG_MIN;
  if (parameters->tag != CRYPTO_BER_SEQUENCE || !crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &nonce) ||
      nonce.length < 1 || nonce.length > IV_MAX)
    return FALSE;
  if (crypto_ber_optional(&inside, CRYPTO_BER_INTEGER, &length)) {
    int value = crypto_ber_small(&length);
    if (value < TAG_MIN || value > TAG_MAX)
      return FALSE;
    plan->tag_length = (guint)value;
  }
  memcpy(plan->iv, nonce.data, nonce.length);
  plan->iv_length = (guint)nonce.length;
  /* GCM inside EnvelopedData (some senders do it) has its tag at the end of the content. */
  return crypto_ber_at_end(&inside) &&
         (cms->kind != CRYPTO_CMS_AUTH_ENVELOPED || cms->mac.length == plan->tag_length);
}

static gboolean
read_cbc(CryptoCms *cms, Plan *plan)
{
  CryptoBerItem iv = cms->cipher.parameters;
  if (cms->kind == CRYPTO_CMS_AUTH_ENVELOPED)
    return FALSE;
  if (plan->cipher->oid == CRYPTO_OID_RC2_CBC) {
    CryptoBerReader inside = crypto_ber_enter(&cms->cipher.parameters);
    CryptoBerItem version;
    if (!crypto_ber_expect(&inside, CRYPTO_BER_INTEGER, &version) || !crypto_ber_next(&inside, &iv))
      return FALSE;
  }
  if (iv.tag != CRYPTO_BER_OCTET_STRING || iv.length != plan->cipher->block)
    return FALSE;
  memcpy(plan->iv, iv.data, iv.length);
  plan->iv_length = (guint)iv.length;
  return TRUE;
}

static gboolean
make_plan(CryptoCms *cms, Plan *plan, GError **error)
{
  g_autofree char *name = crypto_cms_cipher_name(&cms->cipher);
  *plan = (Plan){ .cipher = crypto_cms_cipher(&cms->cipher) };
  if (!plan->cipher) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The message is encrypted with a cipher that is not supported here (%s). Ask the sender to use AES.", name);
    return FALSE;
  }
  if (plan->cipher->refused) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
                "The message is encrypted with %s, which anybody can break: it is not decrypted. Ask the sender to "
                "use AES.",
                name);
    return FALSE;
  }
  if (cms->content.tag == 0) {
    crypto_cms_malformed(error, "the encrypted content is not in it");
    return FALSE;
  }
  plan->sound = plan->cipher->block == 0 ? read_gcm(cms, plan) : read_cbc(cms, plan);
  return TRUE;
}

static gboolean
count(const guint8 *data, gsize length, gpointer user_data)
{
  gsize *total = user_data;
  *total += length;
  return *total <= G_MAXINT32;
}

/* Room for the content, plus @extra. NULL: malformed or absurdly long. */
static guint8 *
allocate(CryptoCms *cms, gsize extra, gsize *length)
{
  *length = 0;
  if (!crypto_ber_pieces(&cms->content, count, length))
    return NULL;
  return g_try_malloc(*length + extra);
}

static PK11SymKey *
import_key(const Plan *plan, const guint8 *cek)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECItem item = { siBuffer, (guint8 *)cek, plan->cipher->key_length };
  PK11SymKey *key = PK11_ImportSymKey(slot, plan->cipher->mechanism, PK11_OriginUnwrap, CKA_DECRYPT, &item, NULL);
  PK11_FreeSlot(slot);
  return key;
}

/* --- CBC, as the pieces come --- */

typedef struct {
  PK11Context *context;
  guint8 *out;
  gsize length; /* plaintext so far */
  guint8 rest[16];
  guint n_rest, block;
  gboolean failed;
} CbcRun;

static void
cbc_feed(CbcRun *run, const guint8 *data, gsize length)
{
  while (length > 0 && !run->failed) {
    int part = (int)MIN(length, (gsize)CHUNK), got = 0;
    run->failed = PK11_CipherOp(run->context, run->out + run->length, &got, part, data, part) != SECSuccess ||
                  got != part;
    run->length += (gsize)part;
    data += part;
    length -= (gsize)part;
  }
}

static gboolean
cbc_piece(const guint8 *data, gsize length, gpointer user_data)
{
  CbcRun *run = user_data;
  if (run->n_rest > 0) {
    guint part = (guint)MIN(length, (gsize)(run->block - run->n_rest));
    memcpy(run->rest + run->n_rest, data, part);
    run->n_rest += part;
    data += part;
    length -= part;
    if (run->n_rest == run->block) {
      cbc_feed(run, run->rest, run->block);
      run->n_rest = 0;
    }
  }
  gsize whole = length - length % run->block;
  cbc_feed(run, data, whole);
  if (whole < length) {
    memcpy(run->rest, data + whole, length - whole);
    run->n_rest = (guint)(length - whole);
  }
  return TRUE;
}

/* RFC 5652 6.3, looking at the same octets whatever they hold; 0: the padding is wrong. */
static guint
padding_length(const guint8 *plain, gsize length, guint block)
{
  if (length < block)
    return 0;
  guint pad = plain[length - 1], bad = (pad == 0) | (pad > block);
  for (guint i = 0; i < block; i++)
    bad |= (i < pad) & (plain[length - 1 - i] != pad);
  return bad ? 0 : pad;
}

/* CBC parameters for PKCS#11: the IV alone, but for RC2. */
static PK11Context *
cbc_context(const Plan *plan, PK11SymKey *key)
{
  CK_RC2_CBC_PARAMS rc2 = { .ulEffectiveBits = 128 };
  SECItem parameters = { siBuffer, (guint8 *)plan->iv, plan->iv_length };
  if (plan->cipher->mechanism == CKM_RC2_CBC) {
    memcpy(rc2.iv, plan->iv, sizeof rc2.iv);
    parameters = (SECItem){ siBuffer, (guint8 *)&rc2, sizeof rc2 };
  }
  return PK11_CreateContextBySymKey(plan->cipher->mechanism, CKA_DECRYPT, key, &parameters);
}

static GBytes *
decrypt_cbc(CryptoCms *cms, const Plan *plan, PK11SymKey *key)
{
  gsize length;
  guint8 *out = allocate(cms, 1, &length);
  CbcRun run = { .context = out ? cbc_context(plan, key) : NULL, .out = out, .block = plan->cipher->block };
  if (!run.context) {
    g_free(out);
    return NULL;
  }
  crypto_ber_pieces(&cms->content, cbc_piece, &run);
  PK11_DestroyContext(run.context, PR_TRUE);
  guint pad = run.failed || run.n_rest > 0 ? 0 : padding_length(out, run.length, run.block);
  if (pad == 0) {
    explicit_bzero(out, run.length);
    g_free(out);
    return NULL;
  }
  return g_bytes_new_take(out, run.length - pad);
}

/* --- GCM: all of it in one call and in one buffer, so that nothing leaves before the tag is checked --- */

static gboolean
append_piece(const guint8 *data, gsize length, gpointer user_data)
{
  guint8 **at = user_data;
  memcpy(*at, data, length);
  *at += length;
  return TRUE;
}

static GBytes *
decrypt_gcm(CryptoCms *cms, const Plan *plan, PK11SymKey *key)
{
  gsize length;
  guint8 *buffer = allocate(cms, TAG_MAX, &length);
  if (!buffer)
    return NULL;
  guint8 *end = buffer;
  crypto_ber_pieces(&cms->content, append_piece, &end);
  if (cms->kind == CRYPTO_CMS_AUTH_ENVELOPED)
    append_piece(cms->mac.data, cms->mac.length, &end);
  gsize total = (gsize)(end - buffer);
  g_autoptr(GByteArray) aad = NULL;
  if (cms->attributes.tag != 0) /* authenticated as a SET OF, not under their tag (RFC 5083 2.2) */
    aad = crypto_cms_attributes_signed(&cms->attributes, FALSE);
  CK_NSS_GCM_PARAMS gcm = { .pIv = (guint8 *)plan->iv, .ulIvLen = plan->iv_length, .pAAD = aad ? aad->data : NULL,
                            .ulAADLen = aad ? aad->len : 0, .ulTagBits = plan->tag_length * 8 };
  SECItem parameters = { siBuffer, (guint8 *)&gcm, sizeof gcm };
  unsigned got = 0;
  gboolean good = total >= plan->tag_length &&
                  PK11_Decrypt(key, CKM_AES_GCM, &parameters, buffer, &got, (unsigned)total, buffer,
                               (unsigned)total) == SECSuccess &&
                  got == total - plan->tag_length;
  if (good)
    return g_bytes_new_take(buffer, got);
  explicit_bzero(buffer, total);
  g_free(buffer);
  return NULL;
}

static GBytes *
decrypt_content(CryptoCms *cms, const Plan *plan, const guint8 *cek)
{
  PK11SymKey *key = import_key(plan, cek);
  if (!key)
    return NULL;
  GBytes *plain = plan->cipher->block == 0 ? decrypt_gcm(cms, plan, key) : decrypt_cbc(cms, plan, key);
  PK11_FreeSymKey(key);
  return plain;
}

/* One recipient of ours. NULL without an error: the decryption failed; the caller has the sentence. */
static GBytes *
try_recipient(CryptoCms *cms, const Plan *plan, const CryptoCmsRecipient *recipient, CryptoCert *cert,
              CryptoPinSource *pin, GError **error)
{
  guint8 cek[32];
  gboolean genuine = FALSE;
  if (!crypto_cms_unwrap(recipient, cert, pin, cek, plan->cipher->key_length, &genuine, error))
    return NULL;
  GBytes *plain = plan->sound ? decrypt_content(cms, plan, cek) : NULL;
  explicit_bzero(cek, sizeof cek);
  if (plain && !genuine) /* one stand-in key in 256 leaves padding that looks right */
    g_clear_pointer(&plain, g_bytes_unref);
  return plain;
}

/* Of several failures the one that the user can do something about is told. */
static int
rank(const GError *error)
{
  switch (error->code) {
  case CRYPTO_ERROR_PIN:
    return 5;
  case CRYPTO_ERROR_LOCKED:
    return 4;
  case CRYPTO_ERROR_NO_KEY:
    return 1;
  case CRYPTO_ERROR_UNSUPPORTED:
    return 2;
  default:
    return 3;
  }
}

static void
set_no_key(CryptoCms *cms, GError **error)
{
  const char *other = NULL;
  for (guint i = 0; i < cms->recipients->len; i++) {
    const CryptoCmsRecipient *recipient = &g_array_index(cms->recipients, CryptoCmsRecipient, i);
    other = recipient->what;
    if (!other)
      break;
  }
  if (cms->recipients->len == 0)
    crypto_cms_malformed(error, "it names no recipient");
  else if (other)
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                "The message is encrypted for %s, which is not supported here.", other);
  else
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY,
                        "The message is not encrypted to any key that is here. Import the right key, or insert the "
                        "card that holds it.");
}

GBytes *
crypto_cms_decrypt(CryptoCms *cms, CryptoPinSource *pin, GError **error)
{
  Plan plan;
  if (cms->kind != CRYPTO_CMS_ENVELOPED && cms->kind != CRYPTO_CMS_AUTH_ENVELOPED) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED, "This is not encrypted data but %s.", cms->type_name);
    return NULL;
  }
  if (!make_plan(cms, &plan, error))
    return NULL;
  g_autoptr(GError) worst = NULL;
  gboolean ours = FALSE;
  for (guint i = 0; i < cms->recipients->len; i++) {
    const CryptoCmsRecipient *recipient = &g_array_index(cms->recipients, CryptoCmsRecipient, i);
    g_autoptr(CryptoCert) cert = crypto_cms_recipient_cert(recipient);
    g_autoptr(GError) problem = NULL;
    if (!cert)
      continue;
    ours = TRUE;
    GBytes *plain = try_recipient(cms, &plan, recipient, cert, pin, &problem);
    if (plain)
      return plain;
    if (!problem)
      set_failed(&problem);
    if (problem->code == CRYPTO_ERROR_CANCELLED) {
      g_propagate_error(error, g_steal_pointer(&problem));
      return NULL;
    }
    if (!worst || rank(problem) > rank(worst)) {
      g_clear_error(&worst);
      worst = g_steal_pointer(&problem);
    }
  }
  if (!ours)
    set_no_key(cms, error);
  else
    g_propagate_error(error, g_steal_pointer(&worst));
  return NULL;
}
