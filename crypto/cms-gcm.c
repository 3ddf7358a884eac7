#include "crypto/cms-private.h"

#include <pk11pub.h>
#include <string.h>

#include "crypto/mapping.h"

/* AES-GCM (NIST SP 800-38D) over content of any length in little memory. NSS has it in one call only, with all of the
 * content in memory, and its multi-part contexts fail. So the content is read twice: first for its tag, then, only if
 * that is right, in counter mode. Every block operation is NSS's: the hash of a chunk is what NSS authenticates when
 * the chunk is given as additional data to an empty message, and chunks are joined by what GHASH is, a polynomial in
 * the hash key:
 *
 *   tag(chunk) = hash(chunk) H + lengths(chunk) H + E(J0)
 *   hash(A followed by B) = hash(A) H^(blocks of B) + hash(B)
 */
enum { BLOCK = 16, CHUNK = 256 * 1024 };

typedef struct {
  guint64 high, low; /* bit 0 of GCM is the highest of high */
} Element;

typedef struct {
  PK11SymKey *authenticate, *count;
  guint8 iv[CRYPTO_CMS_IV_MAX];
  guint iv_length;
  Element h, mask, chunk_power; /* the hash key, E(J0), H^(blocks of a whole chunk) */
  Element sum;                  /* hash so far, times H */
  guint8 *chunk, *plain;
  gsize used;
  PK11Context *counter;       /* second pass */
  gsize left, tag_left;       /* of this pass */
  guint8 tag[BLOCK];          /* at the end of the content, where it is there */
  guint tag_at;
  CryptoCmsGcmFunc func;
  gpointer user_data;
} Gcm;

static Element
load(const guint8 *octets)
{
  Element e;
  memcpy(&e.high, octets, 8);
  memcpy(&e.low, octets + 8, 8);
  return (Element){ GUINT64_FROM_BE(e.high), GUINT64_FROM_BE(e.low) };
}

static Element
add(Element a, Element b)
{
  return (Element){ a.high ^ b.high, a.low ^ b.low };
}

/* In the field of GCM; takes the same time whatever the operands are. */
static Element
multiply(Element x, Element y)
{
  Element z = { 0, 0 };
  for (guint i = 0; i < 128; i++) {
    guint64 bit = i < 64 ? x.high >> (63 - i) : x.low >> (127 - i);
    guint64 take = 0 - (bit & 1), carry = 0 - (y.low & 1);
    z.high ^= y.high & take;
    z.low ^= y.low & take;
    y.low = y.low >> 1 | y.high << 63;
    y.high = y.high >> 1 ^ (carry & G_GUINT64_CONSTANT(0xe100000000000000));
  }
  return z;
}

static Element
power(Element base, gsize exponent)
{
  Element result = { G_GUINT64_CONSTANT(0x8000000000000000), 0 }; /* one */
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1)
      result = multiply(result, base);
    base = multiply(base, base);
  }
  return result;
}

static PK11SymKey *
import_key(const guint8 *cek, guint length, CK_MECHANISM_TYPE mechanism, CK_ATTRIBUTE_TYPE use)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECItem item = { siBuffer, (guint8 *)cek, length };
  PK11SymKey *key = PK11_ImportSymKey(slot, mechanism, PK11_OriginUnwrap, use, &item, NULL);
  PK11_FreeSlot(slot);
  return key;
}

/* NSS's tag of an empty message with this additional data. */
static gboolean
authenticate(const Gcm *gcm, const guint8 *data, gsize length, Element *tag)
{
  CK_NSS_GCM_PARAMS parameters = { .pIv = (guint8 *)gcm->iv,
                                   .ulIvLen = gcm->iv_length,
                                   .pAAD = (guint8 *)data,
                                   .ulAADLen = length,
                                   .ulTagBits = BLOCK * 8 };
  SECItem item = { siBuffer, (guint8 *)&parameters, sizeof parameters };
  guint8 octets[BLOCK], nothing = 0;
  unsigned got = 0;
  if (PK11_Encrypt(gcm->authenticate, CKM_AES_GCM, &item, octets, &got, sizeof octets, &nothing, 0) !=
          SECSuccess ||
      got != BLOCK)
    return FALSE;
  *tag = load(octets);
  return TRUE;
}

/* The next octets of what is authenticated; all but the last of a kind fill whole blocks. */
static gboolean
absorb(Gcm *gcm, const guint8 *data, gsize length)
{
  Element tag;
  if (length == 0)
    return TRUE;
  if (!authenticate(gcm, data, length, &tag))
    return FALSE;
  Element hash = add(add(tag, gcm->mask), multiply((Element){ (guint64)length * 8, 0 }, gcm->h));
  gsize blocks = (length + BLOCK - 1) / BLOCK;
  Element shift = length == CHUNK ? gcm->chunk_power : power(gcm->h, blocks);
  gcm->sum = add(multiply(gcm->sum, shift), hash);
  return TRUE;
}

static void
make_first_counter(const Gcm *gcm, guint8 counter[BLOCK])
{
  memset(counter, 0, BLOCK);
  if (gcm->iv_length == 12) {
    memcpy(counter, gcm->iv, 12);
    counter[15] = 1;
  } else {
    Element y = { 0, 0 };
    for (guint at = 0; at < gcm->iv_length; at += BLOCK) {
      guint8 block[BLOCK] = { 0 };
      memcpy(block, gcm->iv + at, MIN(gcm->iv_length - at, (guint)BLOCK));
      y = multiply(add(y, load(block)), gcm->h);
    }
    y = multiply(add(y, (Element){ 0, (guint64)gcm->iv_length * 8 }), gcm->h);
    guint64 high = GUINT64_TO_BE(y.high), low = GUINT64_TO_BE(y.low);
    memcpy(counter, &high, 8);
    memcpy(counter + 8, &low, 8);
  }
  for (guint i = BLOCK; i-- > BLOCK - 4 && ++counter[i] == 0;)
    ; /* the first block of content has the next one: the last 32 bits count */
}

static gboolean
start_counter(Gcm *gcm)
{
  CK_AES_CTR_PARAMS parameters = { .ulCounterBits = 32 };
  make_first_counter(gcm, parameters.cb);
  SECItem item = { siBuffer, (guint8 *)&parameters, sizeof parameters };
  gcm->counter = PK11_CreateContextBySymKey(CKM_AES_CTR, CKA_DECRYPT, gcm->count, &item);
  return gcm->counter != NULL;
}

/* A whole chunk, or the last one: of the first pass hashed, of the second decrypted and handed on. */
static gboolean
flush(Gcm *gcm)
{
  gsize length = gcm->used;
  int got = 0;
  gcm->used = 0;
  if (length == 0)
    return TRUE;
  if (!gcm->counter)
    return absorb(gcm, gcm->chunk, length);
  return PK11_CipherOp(gcm->counter, gcm->plain, &got, CHUNK, gcm->chunk, (int)length) == SECSuccess &&
         (gsize)got == length && gcm->func(gcm->plain, length, gcm->user_data);
}

static gboolean
on_piece(const guint8 *data, gsize length, gpointer user_data)
{
  Gcm *gcm = user_data;
  while (length > 0 && gcm->left > 0) {
    gsize part = MIN(MIN(length, gcm->left), CHUNK - gcm->used);
    memcpy(gcm->chunk + gcm->used, data, part);
    gcm->used += part;
    gcm->left -= part;
    data += part;
    length -= part;
    if (gcm->used == CHUNK && !flush(gcm))
      return FALSE;
  }
  if (length > gcm->tag_left)
    return FALSE;
  memcpy(gcm->tag + gcm->tag_at, data, length);
  gcm->tag_at += (guint)length;
  gcm->tag_left -= length;
  return TRUE;
}

static gboolean
run_pass(Gcm *gcm, const CryptoBerItem *content, gsize length, guint tag_inside)
{
  gcm->left = length;
  gcm->tag_left = tag_inside;
  gcm->tag_at = 0;
  return crypto_ber_runs(content, on_piece, gcm) && gcm->left == 0 && gcm->tag_left == 0 && flush(gcm);
}

static gboolean
prepare(Gcm *gcm, const CryptoCmsGcm *what)
{
  static const guint8 zero[BLOCK];
  guint8 octets[BLOCK];
  unsigned got = 0;
  gcm->authenticate = import_key(what->key, what->key_length, CKM_AES_GCM, CKA_ENCRYPT);
  gcm->count = import_key(what->key, what->key_length, CKM_AES_CTR, CKA_DECRYPT);
  PK11SymKey *raw = import_key(what->key, what->key_length, CKM_AES_ECB, CKA_ENCRYPT);
  gboolean good =
      gcm->authenticate && gcm->count && raw &&
      PK11_Encrypt(raw, CKM_AES_ECB, NULL, octets, &got, sizeof octets, zero, sizeof zero) == SECSuccess &&
      got == BLOCK;
  if (raw)
    PK11_FreeSymKey(raw);
  if (!good)
    return FALSE;
  gcm->h = load(octets);
  explicit_bzero(octets, sizeof octets);
  gcm->chunk_power = power(gcm->h, CHUNK / BLOCK);
  return authenticate(gcm, NULL, 0, &gcm->mask);
}

static void
make_tag(const Gcm *gcm, gsize aad_length, gsize length, guint8 *tag)
{
  Element lengths = { (guint64)aad_length * 8, (guint64)length * 8 };
  Element made = add(add(gcm->sum, multiply(lengths, gcm->h)), gcm->mask);
  guint64 words[2] = { GUINT64_TO_BE(made.high), GUINT64_TO_BE(made.low) };
  memcpy(tag, words, BLOCK);
}

static gboolean
tag_fits(Gcm *gcm, const CryptoCmsGcm *what)
{
  guint8 made[BLOCK];
  make_tag(gcm, what->aad_length, what->length, made);
  const guint8 *given = what->tag ? what->tag : gcm->tag;
  guint8 difference = 0;
  for (guint i = 0; i < what->tag_length; i++)
    difference |= made[i] ^ given[i];
  return difference == 0;
}

static void
gcm_free(Gcm *gcm)
{
  if (gcm->counter)
    PK11_DestroyContext(gcm->counter, PR_TRUE);
  if (gcm->authenticate)
    PK11_FreeSymKey(gcm->authenticate);
  if (gcm->count)
    PK11_FreeSymKey(gcm->count);
  explicit_bzero(gcm->plain, CHUNK);
  g_free(gcm->plain);
  explicit_bzero(gcm->chunk, CHUNK);
  g_free(gcm->chunk);
  explicit_bzero(gcm, sizeof *gcm);
  g_free(gcm);
}

static Gcm *
gcm_new(const guint8 *iv, guint iv_length, CryptoCmsGcmFunc func, gpointer user_data)
{
  Gcm *gcm = g_new0(Gcm, 1);
  gcm->func = func;
  gcm->user_data = user_data;
  memcpy(gcm->iv, iv, iv_length);
  gcm->iv_length = iv_length;
  gcm->chunk = g_malloc(CHUNK);
  gcm->plain = g_malloc(CHUNK);
  return gcm;
}

/* What stands in chunk, encrypted and hashed. */
static gboolean
seal_chunk(Gcm *gcm)
{
  gsize length = gcm->used;
  int got = 0;
  gcm->used = 0;
  return length == 0 ||
         (PK11_CipherOp(gcm->counter, gcm->plain, &got, CHUNK, gcm->chunk, (int)length) == SECSuccess &&
          (gsize)got == length && absorb(gcm, gcm->plain, length) && gcm->func(gcm->plain, length, gcm->user_data));
}

gboolean
crypto_cms_gcm_seal(const CryptoCmsGcm *what, GPtrArray *content, CryptoCmsGcmFunc func, gpointer user_data,
                    guint8 *tag)
{
  Gcm *gcm = gcm_new(what->iv, what->iv_length, func, user_data);
  gboolean good = prepare(gcm, what) && start_counter(gcm);
  for (guint i = 0; good && i < content->len; i++) {
    gsize length;
    const guint8 *data = g_bytes_get_data(content->pdata[i], &length);
    while (good && length > 0) {
      gsize part = MIN(length, CHUNK - gcm->used);
      memcpy(gcm->chunk + gcm->used, data, part);
      crypto_mapping_release(data, data + part);
      gcm->used += part;
      data += part;
      length -= part;
      good = gcm->used < CHUNK || seal_chunk(gcm);
    }
  }
  good = good && seal_chunk(gcm);
  if (good)
    make_tag(gcm, 0, what->length, tag);
  gcm_free(gcm);
  return good;
}

gboolean
crypto_cms_gcm(const CryptoCmsGcm *what, CryptoCmsGcmFunc func, gpointer user_data)
{
  Gcm *gcm = gcm_new(what->iv, what->iv_length, func, user_data);
  guint tag_inside = what->tag ? 0 : what->tag_length;
  gboolean good = prepare(gcm, what) && absorb(gcm, what->aad, what->aad_length) &&
                  run_pass(gcm, what->content, what->length, tag_inside) && tag_fits(gcm, what) &&
                  start_counter(gcm) && run_pass(gcm, what->content, what->length, tag_inside);
  gcm_free(gcm);
  return good;
}
