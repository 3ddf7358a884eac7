#include "mail/siphash.h"

#include <string.h>
#include <sys/random.h>

MlSipKey
ml_siphash_key(void)
{
  MlSipKey key;

  if (getrandom(&key, sizeof key, 0) != (gssize)sizeof key) /* an old kernel in a sandbox: better than none */
    key = (MlSipKey){ { (guint64)g_random_int() << 32 | g_random_int(), (guint64)g_get_monotonic_time() } };
  return key;
}

static guint64
turn(guint64 word, guint by)
{
  return word << by | word >> (64 - by);
}

static void
mix(guint64 v[4], guint rounds)
{
  while (rounds--) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = turn(v[1], 13) ^ v[0];
    v[3] = turn(v[3], 16) ^ v[2];
    v[0] = turn(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = turn(v[1], 17) ^ v[2];
    v[3] = turn(v[3], 21) ^ v[0];
    v[2] = turn(v[2], 32);
  }
}

static void
take_in(guint64 v[4], guint64 word)
{
  v[3] ^= word;
  mix(v, 2);
  v[0] ^= word;
}

guint64
ml_siphash(const MlSipKey *key, const char *data, gsize length)
{
  guint64 v[4] = { 0x736f6d6570736575 ^ key->words[0], 0x646f72616e646f6d ^ key->words[1],
                   0x6c7967656e657261 ^ key->words[0], 0x7465646279746573 ^ key->words[1] };
  guint64 word;
  gsize at = 0;

  for (; length - at >= sizeof word; at += sizeof word) {
    memcpy(&word, data + at, sizeof word);
    take_in(v, GUINT64_FROM_LE(word));
  }
  word = 0;
  if (length > at)
    memcpy(&word, data + at, length - at);
  take_in(v, GUINT64_FROM_LE(word) | (guint64)length << 56);
  v[2] ^= 0xff;
  mix(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
