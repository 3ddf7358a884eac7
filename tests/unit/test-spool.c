/* Large content in little memory: the spool, and AES-GCM in chunks held against NSS's own in one call. */
#include <pk11pub.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto/cms-private.h"
#include "crypto/context.h"
#include "crypto/mapping.h"
#include "crypto/spool.h"

static GRand *dice;

static guint8 *
random_octets(gsize length)
{
  guint8 *octets = g_malloc(length + 1);
  for (gsize i = 0; i < length; i++)
    octets[i] = (guint8)g_rand_int(dice);
  return octets;
}

/* --- the spool */

static void
test_spool(gconstpointer data)
{
  gsize length = GPOINTER_TO_SIZE(data);
  g_autofree guint8 *octets = random_octets(length);
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  for (guint round = 0; round < 2; round++) {
    g_autoptr(GError) error = NULL;
    gsize at = 0;
    while (at < length) {
      gsize part = (gsize)g_rand_int_range(dice, 0, 300000);
      part = MIN(part, length - at);
      gboolean added = crypto_spool_add(spool, octets + at, part, &error);
      g_assert_no_error(error);
      g_assert_true(added);
      at += part;
    }
    g_assert_cmpuint(crypto_spool_length(spool), ==, length);
    if (round == 0) {
      crypto_spool_empty(spool);
      g_assert_cmpuint(crypto_spool_length(spool), ==, 0);
      continue;
    }
    g_autoptr(GBytes) bytes = crypto_spool_finish(spool, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), octets, length);
    g_assert_cmpuint(crypto_spool_length(spool), ==, 0);
  }
}

static guint
mapped_files(void)
{
  g_autofree char *maps = NULL;
  guint n = 0;
  g_assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
  for (const char *at = maps; (at = strstr(at, "memfd:signet")); at++)
    n++;
  return n;
}

/* What is spent is the system's again, file by file, and what is behind it is as it was. */
static void
test_spend(void)
{
  enum { LENGTH = 40 * 1000 * 1000 + 3, PIECE = 16 * 1024 * 1024 };
  static const struct {
    gsize to;
    guint left;
  } steps[] = { { 1, 3 },         { PIECE - 1, 3 }, { PIECE, 2 },     { 5, 2 },
                { 2 * PIECE - 1, 2 }, { 2 * PIECE, 1 }, { LENGTH, 1 } };
  g_autofree guint8 *octets = random_octets(LENGTH);
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  g_autoptr(GError) error = NULL;
  gboolean added = crypto_spool_add(spool, octets, LENGTH, &error);
  g_assert_no_error(error);
  g_assert_true(added);
  GBytes *bytes = crypto_spool_finish(spool, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(mapped_files(), ==, 3);
  const guint8 *data = g_bytes_get_data(bytes, NULL);
  g_assert_cmpmem(data, g_bytes_get_size(bytes), octets, LENGTH);
  crypto_mapping_spend(octets + LENGTH); /* no mapping */
  crypto_mapping_spend(data);
  for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
    gsize from = (3 - steps[i].left) * (gsize)PIECE;
    crypto_mapping_spend(data + steps[i].to);
    g_assert_cmpuint(mapped_files(), ==, steps[i].left);
    g_assert_cmpint(memcmp(data + from, octets + from, LENGTH - from), ==, 0);
  }
  crypto_mapping_release(data, data + LENGTH);
  g_bytes_unref(bytes);
  g_assert_cmpuint(mapped_files(), ==, 0);
}

/* Without further files to be had, the last one takes the rest. */
static void
test_few_files(void)
{
  enum { LENGTH = 40 * 1000 * 1000 + 3 };
  struct rlimit before, now;
  g_autofree guint8 *octets = random_octets(LENGTH);
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  g_autoptr(GError) error = NULL;
  int next = dup(0);
  g_assert_cmpint(next, >=, 0);
  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
  close(next);
  now = (struct rlimit){ (rlim_t)next + 2, before.rlim_max };
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &now), ==, 0);
  gboolean added = crypto_spool_add(spool, octets, LENGTH, &error);
  g_autoptr(GBytes) bytes = added ? crypto_spool_finish(spool, &error) : NULL;
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
  g_assert_no_error(error);
  g_assert_cmpuint(mapped_files(), ==, 2);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), octets, LENGTH);
}

/* --- GCM */

typedef struct {
  gsize length;
  guint iv, aad, tag, key;
} GcmCase;

static const GcmCase cases[] = {
  { 0, 12, 0, 16, 16 },         { 1, 12, 1, 16, 32 },           { 16, 12, 16, 12, 24 },
  { 17, 1, 31, 13, 16 },        { 262143, 12, 100, 16, 32 },    { 262144, 12, 0, 16, 16 },
  { 262145, 16, 5, 16, 32 },    { 524288, 64, 77, 14, 24 },     { 3000001, 12, 300, 16, 32 },
  { 3000016, 17, 0, 15, 16 },   { 1048576, 8, 262160, 16, 32 },
};

typedef struct {
  GByteArray *out;
  gsize stop_after;
} Taken;

static gboolean
take(const guint8 *data, gsize length, gpointer user_data)
{
  Taken *taken = user_data;
  g_byte_array_append(taken->out, data, (guint)length);
  return !taken->stop_after || taken->out->len < taken->stop_after;
}

/* Ciphertext and tag, by NSS. */
static guint8 *
encrypt(const GcmCase *test, const guint8 *key, const guint8 *iv, const guint8 *aad, const guint8 *plain)
{
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  SECItem item = { siBuffer, (guint8 *)key, test->key };
  PK11SymKey *made = PK11_ImportSymKey(slot, CKM_AES_GCM, PK11_OriginUnwrap, CKA_ENCRYPT, &item, NULL);
  CK_NSS_GCM_PARAMS gcm = { (guint8 *)iv, test->iv, (guint8 *)aad, test->aad, test->tag * 8 };
  SECItem parameters = { siBuffer, (guint8 *)&gcm, sizeof gcm };
  unsigned got = 0, room = (unsigned)test->length + test->tag;
  guint8 *out = g_malloc(room + 1);
  SECStatus status = PK11_Encrypt(made, CKM_AES_GCM, &parameters, out, &got, room, plain, (unsigned)test->length);
  g_assert_cmpint(status, ==, SECSuccess);
  g_assert_cmpuint(got, ==, room);
  PK11_FreeSymKey(made);
  PK11_FreeSlot(slot);
  return out;
}

/* The octets as an OCTET STRING, in pieces or whole. */
static GByteArray *
wrap(const guint8 *data, gsize length, gsize piece)
{
  GByteArray *all = g_byte_array_new();
  if (!piece) {
    crypto_ber_put(all, CRYPTO_BER_OCTET_STRING, data, length);
    return all;
  }
  for (gsize at = 0; at < length; at += piece)
    crypto_ber_put(all, CRYPTO_BER_OCTET_STRING, data + at, MIN(piece, length - at));
  crypto_ber_wrap(all, CRYPTO_BER_OCTET_STRING | CRYPTO_BER_CONSTRUCTED);
  return all;
}

static gboolean
decrypt(const GcmCase *test, CryptoCmsGcm *what, const guint8 *sealed, gboolean apart, gsize piece, Taken *taken)
{
  g_autoptr(GByteArray) wrapped = wrap(sealed, test->length + (apart ? 0 : test->tag), piece);
  CryptoBerReader reader = crypto_ber_reader(wrapped->data, wrapped->len);
  CryptoBerItem item;
  g_assert_true(crypto_ber_next(&reader, &item));
  what->content = &item;
  what->tag = apart ? sealed + test->length : NULL;
  g_byte_array_set_size(taken->out, 0);
  return crypto_cms_gcm(what, take, taken);
}

static void
test_gcm(gconstpointer data)
{
  const GcmCase *test = data;
  static const gsize pieces[] = { 0, 1000, 7, 300001 };
  g_autofree guint8 *key = random_octets(test->key), *iv = random_octets(test->iv), *aad = random_octets(test->aad),
                    *plain = random_octets(test->length);
  g_autofree guint8 *sealed = encrypt(test, key, iv, aad, plain);
  Taken taken = { .out = g_byte_array_new() };
  CryptoCmsGcm what = { .key = key, .key_length = test->key, .iv = iv, .iv_length = test->iv, .aad = aad,
                        .aad_length = test->aad, .length = test->length, .tag_length = test->tag };
  for (guint i = 0; i < 2 * G_N_ELEMENTS(pieces); i++) {
    g_assert_true(decrypt(test, &what, sealed, i & 1, pieces[i / 2], &taken));
    g_assert_cmpmem(taken.out->data, taken.out->len, plain, test->length);
  }
  /* one octet anywhere: nothing at all comes out */
  gsize total = test->length + test->tag;
  for (guint i = 0; i < 12; i++) {
    gsize at = i == 0 ? 0 : i == 1 ? total - 1 : (gsize)g_rand_int(dice) % total;
    sealed[at] ^= 0x10;
    g_assert_false(decrypt(test, &what, sealed, i & 1, 0, &taken));
    g_assert_cmpuint(taken.out->len, ==, 0);
    sealed[at] ^= 0x10;
  }
  if (test->aad) {
    aad[test->aad / 2] ^= 1;
    g_assert_false(decrypt(test, &what, sealed, TRUE, 0, &taken));
    g_assert_cmpuint(taken.out->len, ==, 0);
    aad[test->aad / 2] ^= 1;
  }
  iv[0] ^= 1;
  g_assert_false(decrypt(test, &what, sealed, TRUE, 0, &taken));
  iv[0] ^= 1;
  what.length++; /* cut short */
  g_assert_false(decrypt(test, &what, sealed, TRUE, 0, &taken));
  what.length--;
  taken.stop_after = 1;
  if (test->length)
    g_assert_false(decrypt(test, &what, sealed, TRUE, 0, &taken)); /* whoever takes it has enough */
  g_byte_array_unref(taken.out);
}

int
main(int argc, char **argv)
{
  static const gsize lengths[] = { 0, 1, 4096, CRYPTO_SPOOL_HEAP, CRYPTO_SPOOL_HEAP + 1, 5000003,
                                   16 * 1024 * 1024, 16 * 1024 * 1024 + 1, 32 * 1024 * 1024 };
  CryptoOptions options = { 0 };
  g_autoptr(GError) error = NULL;
  g_test_init(&argc, &argv, NULL);
  dice = g_rand_new_with_seed(2026);
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
    g_autofree char *name = g_strdup_printf("/spool/%" G_GSIZE_FORMAT, lengths[i]);
    g_test_add_data_func(name, GSIZE_TO_POINTER(lengths[i]), test_spool);
  }
  g_test_add_func("/spool/spend", test_spend);
  g_test_add_func("/spool/few-files", test_few_files);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *name = g_strdup_printf("/gcm/%" G_GSIZE_FORMAT "-iv%u-aad%u-tag%u-key%u", cases[i].length,
                                            cases[i].iv, cases[i].aad, cases[i].tag, cases[i].key);
    g_test_add_data_func(name, &cases[i], test_gcm);
  }
  int status = g_test_run();
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
  g_rand_free(dice);
  return status;
}
