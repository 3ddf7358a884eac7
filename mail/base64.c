#include "mail/base64-private.h"

#include <string.h>

#if defined(__x86_64__)
#include <tmmintrin.h>
#endif

enum { NO_DIGIT = 0x80, VECTOR = 16 };

/* What each octet stands for. */
static const guint8 values[256] = {
  [0 ... '+' - 1] = NO_DIGIT,
  ['+'] = 62,
  ['+' + 1 ... '/' - 1] = NO_DIGIT,
  ['/'] = 63,
  ['0'] = 52, 53, 54, 55, 56, 57, 58, 59, 60, 61,
  ['9' + 1 ... 'A' - 1] = NO_DIGIT,
  ['A'] = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
  ['Z' + 1 ... 'a' - 1] = NO_DIGIT,
  ['a'] = 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
  ['z' + 1 ... 255] = NO_DIGIT,
};

typedef struct {
  const guint8 *at, *end;
  guint8 *out;
} Run;

static void
put(Run *run, guint32 bits)
{
  run->out[0] = (guint8)(bits >> 16);
  run->out[1] = (guint8)(bits >> 8);
  run->out[2] = (guint8)bits;
  run->out += 3;
}

/* Four digits at a time, as far as they follow each other. */
static void
take_fours(Run *run)
{
  while (run->end - run->at >= 4) {
    guint8 a = values[run->at[0]], b = values[run->at[1]], c = values[run->at[2]], d = values[run->at[3]];
    if ((a | b | c | d) & NO_DIGIT)
      return;
    put(run, (guint32)a << 18 | (guint32)b << 12 | (guint32)c << 6 | d);
    run->at += 4;
  }
}

#if defined(__x86_64__)

/* Sixteen at a time. Each octet's high half says in which of the alphabet's ranges it can lie and what is to be added
 * there ('/' shares its half with '+' and has a row of its own); with the low half it says whether it is a digit at
 * all. Then four values of six bits are packed into three octets. (W. Mula, D. Lemire: Faster Base64 Encoding and
 * Decoding using AVX2 Instructions, 2018.) */
__attribute__((target("ssse3"))) static void
take_sixteens(Run *run)
{
  const __m128i low_rows = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a,
                                         0x1b, 0x1b, 0x1b, 0x1a);
  const __m128i high_rows = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10,
                                          0x10, 0x10, 0x10, 0x10);
  const __m128i add = _mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m128i order = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
  const __m128i slash = _mm_set1_epi8('/');
  while (run->end - run->at >= VECTOR) {
    __m128i text = _mm_loadu_si128((const __m128i *)(const void *)run->at);
    __m128i high = _mm_and_si128(_mm_srli_epi32(text, 4), slash);
    __m128i bad =
        _mm_and_si128(_mm_shuffle_epi8(low_rows, _mm_and_si128(text, slash)), _mm_shuffle_epi8(high_rows, high));
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(bad, _mm_setzero_si128())) != 0xffff)
      return;
    __m128i sixes =
        _mm_add_epi8(text, _mm_shuffle_epi8(add, _mm_add_epi8(_mm_cmpeq_epi8(text, slash), high)));
    __m128i twelves = _mm_maddubs_epi16(sixes, _mm_set1_epi32(0x01400140));
    __m128i packed = _mm_madd_epi16(twelves, _mm_set1_epi32(0x00011000));
    _mm_storeu_si128((__m128i *)(void *)run->out, _mm_shuffle_epi8(packed, order)); /* 12 octets, and 4 beyond */
    run->at += VECTOR;
    run->out += VECTOR / 4 * 3;
  }
}

static gboolean
has_vectors(void)
{
  return __builtin_cpu_supports("ssse3");
}

#else

static void
take_sixteens(Run *run)
{
}

static gboolean
has_vectors(void)
{
  return FALSE;
}

#endif

gsize
ml_base64_decode(const guint8 *data, gsize length, guint8 *out, guint *digits, guint32 *bits)
{
  Run run = { data, data + length, out };
  gboolean vectors = has_vectors();
  while (run.at < run.end) {
    if (*digits == 0) {
      if (vectors)
        take_sixteens(&run);
      take_fours(&run);
      if (run.at == run.end)
        break;
    }
    guint8 value = values[*run.at++];
    if (value & NO_DIGIT)
      continue;
    *bits = *bits << 6 | value;
    if (++*digits == 4) {
      put(&run, *bits);
      *digits = 0;
      *bits = 0;
    }
  }
  return (gsize)(run.out - out);
}
