#include "crypto/cards-private.h"
#include "crypto/cms-private.h"

#include <pk11pub.h>
#include <secerr.h>
#include <string.h>

#include "crypto/spool.h"

/* The content of EnvelopedData and AuthEnvelopedData. Whatever goes wrong once a key of ours is at work ends in
 * one sentence, so that a sender learns nothing from how a decryption failed. */

enum {
  TAG_MIN = 12,
  TAG_MAX = 16,
  KEY_MAX = 32,
  BLOCK_MAX = 16,
  CHUNK = 16 * 1024, /* stays in the processor's cache */
};

static void
set_failed(GError **error)
{
  g_set_error_literal(
      error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED,
      "The message cannot be decrypted: it is damaged, or was not really encrypted to your key. Ask "
      "the sender to send it again.");
}

/* What the content needs besides the key, read and judged before any key is touched. */
typedef struct {
  const CryptoCmsCipher *cipher;
  guint8 iv[CRYPTO_CMS_IV_MAX];
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
  if (parameters->tag != CRYPTO_BER_SEQUENCE ||
      !crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &nonce) || nonce.length < 1 ||
      nonce.length > CRYPTO_CMS_IV_MAX)
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
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
        "The message is encrypted with a cipher that is not supported here (%s). Ask the sender to use AES.",
        name);
    return FALSE;
  }
  if (plan->cipher->refused) {
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED,
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

static PK11SymKey *
import_key(const Plan *plan, const guint8 *cek)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECItem item = { siBuffer, (guint8 *)cek, plan->cipher->key_length };
  PK11SymKey *key =
      PK11_ImportSymKey(slot, plan->cipher->mechanism, PK11_OriginUnwrap, CKA_DECRYPT, &item, NULL);
  PK11_FreeSlot(slot);
  return key;
}

/* --- CBC, as the pieces come --- */

/* Where the plaintext goes. A stand-in key's plaintext (muted) goes nowhere, but is made all the same. */
typedef struct {
  CryptoSinkFunc sink;
  gpointer user_data;
  gboolean muted, given, stopped;
  GError *error; /* the sink's own */
} Output;

typedef struct {
  PK11Context *context;
  Output *output;
  guint8 rest[BLOCK_MAX]; /* ciphertext that does not fill a block yet */
  guint n_rest, block;
  guint8 plain[BLOCK_MAX + CHUNK]; /* what is held back (the last block so far), then fresh plaintext */
  guint held;
  gboolean failed;
} CbcRun;

static gboolean
give(Output *output, const guint8 *data, gsize length)
{
  if (length == 0 || output->muted)
    return TRUE;
  output->given = TRUE;
  output->stopped = !output->sink(data, length, output->user_data, &output->error);
  return !output->stopped;
}

/* @length is a multiple of the block. Everything but the last block is passed on: that may hold the padding. */
static void
cbc_feed(CbcRun *run, const guint8 *data, gsize length)
{
  while (length > 0 && !run->failed) {
    int part = (int)MIN(length, (gsize)CHUNK), got = 0;
    run->failed =
        PK11_CipherOp(run->context, run->plain + run->held, &got, CHUNK, data, part) != SECSuccess ||
        got != part;
    if (run->failed)
      return;
    guint ready = run->held + (guint)part - run->block;
    run->failed = !give(run->output, run->plain, ready);
    memcpy(run->plain, run->plain + ready, run->block);
    run->held = run->block;
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
  data += whole;
  length -= whole;
  if (length > 0) {
    memcpy(run->rest, data, length);
    run->n_rest = (guint)length;
  }
  return !run->failed;
}

/* RFC 5652 6.3, looking at the same octets whatever they hold; 0: the padding is wrong. */
static guint
padding_length(const guint8 *last, guint block)
{
  guint pad = last[block - 1], bad = (pad == 0) | (pad > block);
  for (guint i = 0; i < block; i++)
    bad |= (i < pad) & (last[block - 1 - i] != pad);
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

static gboolean
decrypt_cbc(CryptoCms *cms, const Plan *plan, PK11SymKey *key, Output *output)
{
  CbcRun *run = g_new(CbcRun, 1);
  *run = (CbcRun){ .context = cbc_context(plan, key), .output = output, .block = plan->cipher->block };
  gboolean read = run->context && crypto_ber_runs(&cms->content, cbc_piece, run);
  guint pad =
      read && run->n_rest == 0 && run->held == run->block ? padding_length(run->plain, run->block) : 0;
  gboolean good = pad > 0 && give(output, run->plain, run->block - pad);
  if (run->context)
    PK11_DestroyContext(run->context, PR_TRUE);
  explicit_bzero(run->plain, sizeof run->plain);
  g_free(run);
  return good;
}

/* --- GCM: nothing leaves before the tag is checked --- */

static gboolean
append_piece(const guint8 *data, gsize length, gpointer user_data)
{
  guint8 **at = user_data;
  memcpy(*at, data, length);
  *at += length;
  return TRUE;
}

static gboolean
give_authenticated(const guint8 *data, gsize length, gpointer user_data)
{
  return give(user_data, data, length);
}

/* What fits into memory: one call of NSS. @what has its tag apart or at the end of the content. */
static gboolean
decrypt_gcm_at_once(const Plan *plan, const CryptoCmsGcm *what, Output *output)
{
  gsize total = what->length + what->tag_length;
  g_autofree guint8 *buffer = g_malloc(total);
  guint8 *end = buffer;
  crypto_ber_pieces(what->content, append_piece, &end);
  if (what->tag)
    memcpy(end, what->tag, what->tag_length);
  CK_NSS_GCM_PARAMS gcm = { .pIv = (guint8 *)what->iv,
                            .ulIvLen = what->iv_length,
                            .pAAD = (guint8 *)what->aad,
                            .ulAADLen = what->aad_length,
                            .ulTagBits = what->tag_length * 8 };
  SECItem parameters = { siBuffer, (guint8 *)&gcm, sizeof gcm };
  unsigned got = 0;
  PK11SymKey *key = import_key(plan, what->key);
  gboolean good = key &&
                  PK11_Decrypt(key, CKM_AES_GCM, &parameters, buffer, &got, (unsigned)total, buffer,
                               (unsigned)total) == SECSuccess &&
                  got == what->length && give(output, buffer, got);
  if (key)
    PK11_FreeSymKey(key);
  explicit_bzero(buffer, total);
  return good;
}

static gboolean
decrypt_gcm(CryptoCms *cms, const Plan *plan, const guint8 *cek, Output *output)
{
  gsize length = 0;
  gboolean apart = cms->kind == CRYPTO_CMS_AUTH_ENVELOPED;
  if (!crypto_ber_pieces(&cms->content, count, &length) || (!apart && length < plan->tag_length))
    return FALSE;
  g_autoptr(GByteArray) aad = NULL;
  if (cms->attributes.tag != 0) /* authenticated as a SET OF, not under their tag (RFC 5083 2.2) */
    aad = crypto_cms_attributes_signed(&cms->attributes, FALSE);
  CryptoCmsGcm what = { .key = cek,
                        .key_length = plan->cipher->key_length,
                        .iv = plan->iv,
                        .iv_length = plan->iv_length,
                        .aad = aad ? aad->data : NULL,
                        .aad_length = aad ? aad->len : 0,
                        .content = &cms->content,
                        .length = apart ? length : length - plan->tag_length,
                        .tag = apart ? cms->mac.data : NULL,
                        .tag_length = plan->tag_length };
  if (length <= CRYPTO_SPOOL_HEAP)
    return decrypt_gcm_at_once(plan, &what, output);
  return crypto_cms_gcm(&what, give_authenticated, output);
}

static gboolean
decrypt_content(CryptoCms *cms, const Plan *plan, const guint8 *cek, Output *output)
{
  if (plan->cipher->block == 0)
    return decrypt_gcm(cms, plan, cek, output);
  PK11SymKey *key = import_key(plan, cek);
  gboolean good = key && decrypt_cbc(cms, plan, key, output);
  if (key)
    PK11_FreeSymKey(key);
  return good;
}

/* One recipient of ours. */
static gboolean
try_recipient(CryptoCms *cms, const Plan *plan, const CryptoCmsRecipient *recipient, CryptoCert *cert,
              CryptoPinSource *pin, Output *output, GError **error)
{
  guint8 cek[KEY_MAX];
  gboolean genuine = FALSE;
  CryptoKeyUsing using = { .begun = FALSE };
  g_autoptr(GError) failed = NULL;
  if (crypto_cms_unwrap(recipient, cert, pin, &using, cek, plan->cipher->key_length, &genuine, &failed)) {
    output->muted = !genuine; /* one stand-in key in 256 leaves padding that looks right */
    gboolean good = plan->sound && decrypt_content(cms, plan, cek, output);
    if (output->stopped)
      failed = g_steal_pointer(&output->error);
    else if (!good || !genuine)
      set_failed(&failed);
  }
  explicit_bzero(cek, sizeof cek);
  return crypto_keyuse_end(&using, g_steal_pointer(&failed), error);
}

/* Of several failures the one that the user can do something about is told. */
static int
rank(const GError *error)
{
  switch (error->code) {
  case CRYPTO_ERROR_JOURNAL:
    return 6;
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

/* Every key of ours is out of reach, and one lies on a card that is away: once that is in its reader, it goes on. */
static gboolean
try_card(CryptoCms *cms, const Plan *plan, const CryptoCmsRecipient *recipient, CryptoPinSource *pin,
         Output *output, GError **error)
{
  g_autoptr(CryptoCert) cert = crypto_cms_recipient_cert(recipient);
  g_autoptr(GError) problem = NULL;
  if (cert && crypto_cards_await(cert, pin, &problem) &&
      try_recipient(cms, plan, recipient, cert, pin, output, &problem))
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&problem));
  return FALSE;
}

/* @restart (may be NULL: cannot be done) empties the sink, so that another of our keys may be tried. */
static gboolean
decrypt(CryptoCms *cms, CryptoPinSource *pin, Output *output, void (*restart)(gpointer user_data),
        GError **error)
{
  Plan plan;
  if (cms->kind != CRYPTO_CMS_ENVELOPED && cms->kind != CRYPTO_CMS_AUTH_ENVELOPED) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED, "This is not encrypted data but %s.",
                cms->type_name);
    return FALSE;
  }
  if (!make_plan(cms, &plan, error))
    return FALSE;
  g_autoptr(GError) worst = NULL;
  gboolean ours = FALSE;
  const CryptoCmsRecipient *away = NULL;
  for (guint i = 0; i < cms->recipients->len; i++) {
    const CryptoCmsRecipient *recipient = &g_array_index(cms->recipients, CryptoCmsRecipient, i);
    g_autoptr(CryptoCert) cert = crypto_cms_recipient_cert(recipient);
    g_autoptr(GError) problem = NULL;
    if (!cert)
      continue;
    ours = TRUE;
    g_autofree char *token = crypto_keys_absent(cert);
    if (token && !away)
      away = recipient;
    if (try_recipient(cms, &plan, recipient, cert, pin, output, &problem))
      return TRUE;
    if (problem->code == CRYPTO_ERROR_CANCELLED || problem->code == CRYPTO_ERROR_JOURNAL || output->stopped || (output->given && !restart)) {
      g_propagate_error(error, g_steal_pointer(&problem));
      return FALSE;
    }
    if (restart)
      restart(output->user_data);
    if (!worst || rank(problem) > rank(worst)) {
      g_clear_error(&worst);
      worst = g_steal_pointer(&problem);
    }
  }
  if (away && pin && pin->func && worst->code == CRYPTO_ERROR_LOCKED)
    return try_card(cms, &plan, away, pin, output, error);
  if (!ours)
    crypto_cms_set_no_key(cms, error);
  else
    g_propagate_error(error, g_steal_pointer(&worst));
  return FALSE;
}

gboolean
crypto_cms_decrypt_to(CryptoCms *cms, CryptoPinSource *pin, CryptoSinkFunc sink, gpointer user_data,
                      GError **error)
{
  Output output = { .sink = sink, .user_data = user_data };
  return decrypt(cms, pin, &output, NULL, error);
}

static gboolean
collect(const guint8 *data, gsize length, gpointer user_data, GError **error)
{
  return crypto_spool_add(user_data, data, length, error);
}

static void
drop(gpointer user_data)
{
  crypto_spool_empty(user_data);
}

GBytes *
crypto_cms_decrypt(CryptoCms *cms, CryptoPinSource *pin, GError **error)
{
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  Output output = { .sink = collect, .user_data = spool };
  return decrypt(cms, pin, &output, drop, error) ? crypto_spool_finish(spool, error) : NULL;
}
