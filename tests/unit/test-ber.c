#include <string.h>

#include "crypto/ber.h"
#include "crypto/oid.h"

static void
test_definite(void)
{
  static const guint8 der[] = { 0x30, 0x81, 0x05, 0x02, 0x01, 0x07, 0x05, 0x00 };
  CryptoBerReader reader = crypto_ber_reader(der, sizeof der);
  CryptoBerItem sequence, item;
  g_assert_true(crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &sequence));
  g_assert_true(crypto_ber_at_end(&reader));
  CryptoBerReader inside = crypto_ber_enter(&sequence);
  g_assert_false(crypto_ber_expect(&inside, CRYPTO_BER_NULL, &item));
  g_assert_true(crypto_ber_next(&inside, &item));
  g_assert_cmpint(crypto_ber_small(&item), ==, 7);
  g_assert_true(crypto_ber_optional(&inside, CRYPTO_BER_NULL, &item));
  g_assert_cmpuint(item.length, ==, 0);
  g_assert_true(crypto_ber_at_end(&inside));
  g_assert_cmpint(crypto_ber_peek(&inside), ==, -1);
}

/* Every prefix of a good encoding is bad: nothing reads beyond the end. */
static void
test_truncated(void)
{
  static const guint8 der[] = { 0x30, 0x80, 0x24, 0x80, 0x04, 0x02, 'a',  'b',
                                0x04, 0x81, 0x01, 'c',  0x00, 0x00, 0x00, 0x00 };
  CryptoBerItem item;
  for (gsize n = 0; n <= sizeof der; n++) {
    g_autofree guint8 *copy = g_memdup2(der, n); /* so that a sanitizer sees a read beyond it */
    CryptoBerReader reader = crypto_ber_reader(copy, n);
    g_assert_cmpint(crypto_ber_next(&reader, &item), ==, n == sizeof der);
  }
}

static void
test_octets(void)
{
  static const guint8 der[] = { 0x24, 0x80, 0x04, 0x02, 'a',  'b',  0x24, 0x03,
                                0x04, 0x01, 'c',  0x04, 0x00, 0x00, 0x00 };
  static const guint8 plain[] = { 0x04, 0x03, 'a', 'b', 'c' };
  static const guint8 wrong[] = { 0x24, 0x03, 0x02, 0x01, 'c' };
  g_autoptr(GBytes) owner = g_bytes_new_static(der, sizeof der),
                    simple = g_bytes_new_static(plain, sizeof plain);
  CryptoBerReader reader = crypto_ber_reader(der, sizeof der);
  CryptoBerItem item;
  g_assert_true(crypto_ber_next(&reader, &item));
  g_assert_true(item.indefinite);
  g_autoptr(GBytes) gathered = crypto_ber_octets(owner, &item, 3);
  g_assert_cmpmem(g_bytes_get_data(gathered, NULL), g_bytes_get_size(gathered), "abc", 3);
  g_assert_null(crypto_ber_octets(owner, &item, 2));
  reader = crypto_ber_reader(plain, sizeof plain);
  g_assert_true(crypto_ber_next(&reader, &item));
  g_autoptr(GBytes) slice = crypto_ber_octets(simple, &item, 3);
  g_assert_true(g_bytes_get_data(slice, NULL) == plain + 2); /* not copied */
  reader = crypto_ber_reader(wrong, sizeof wrong);
  g_assert_true(crypto_ber_next(&reader, &item));
  g_assert_null(crypto_ber_octets(simple, &item, 100));
}

/* What is remembered of large values changes nothing of what is read; each level is remembered once. */
static void
test_ends(void)
{
  enum { LEVELS = 5, CONTENT = 100 * 1000 };
  g_autoptr(GByteArray) der = g_byte_array_new();
  for (guint i = 0; i < LEVELS; i++)
    g_byte_array_append(der, (const guint8 *)"\x30\x80", 2);
  for (guint i = 0; i < 5; i++) {
    g_autofree guint8 *piece = g_malloc0(CONTENT);
    crypto_ber_put(der, CRYPTO_BER_OCTET_STRING, piece, CONTENT);
  }
  gsize ends_at = der->len;
  for (guint i = 0; i < LEVELS; i++)
    g_byte_array_append(der, (const guint8 *)"\0\0", 2);
  CryptoBerEnds ends = { 0 };
  CryptoBerReader reader = crypto_ber_reader(der->data, der->len), other = reader;
  other.ends = &ends;
  for (guint i = 0; i < LEVELS; i++) {
    CryptoBerItem item, same;
    g_assert_true(crypto_ber_next(&reader, &item));
    g_assert_true(crypto_ber_next(&other, &same));
    g_assert_cmpuint(ends.n, ==, LEVELS);
    g_assert_true(item.data == same.data && item.start == same.start);
    g_assert_cmpuint(item.length, ==, ends_at + 2 * (LEVELS - 1 - i) - 2 * (i + 1));
    g_assert_cmpuint(same.length, ==, item.length);
    g_assert_cmpuint(same.total, ==, item.total);
    g_assert_true(crypto_ber_at_end(&reader) && crypto_ber_at_end(&other));
    reader = crypto_ber_enter(&item);
    other = crypto_ber_enter(&same);
  }
  /* An end that lies outside what the reader may read is none. */
  CryptoBerItem item;
  reader = crypto_ber_reader(der->data, der->len - 1);
  reader.ends = &ends;
  g_assert_false(crypto_ber_next(&reader, &item));
}

static gboolean
append(const guint8 *data, gsize length, gpointer user_data)
{
  GPtrArray *runs = user_data;
  g_ptr_array_add(runs, g_bytes_new(data, length));
  return TRUE;
}

/* Small pieces come together, large ones alone, all of them in order. */
static void
test_runs(void)
{
  g_autoptr(GByteArray) der = g_byte_array_new(), expected = g_byte_array_new(), got = g_byte_array_new();
  for (guint i = 0; i < 50000; i++) {
    guint8 octet = (guint8)i;
    crypto_ber_put(der, CRYPTO_BER_OCTET_STRING, &octet, i % 5 ? 1 : 0);
    g_byte_array_append(expected, &octet, i % 5 ? 1 : 0);
    if (i % 20000 == 19999) {
      g_autofree guint8 *large = g_malloc0(100000);
      crypto_ber_put(der, CRYPTO_BER_OCTET_STRING, large, 100000);
      g_byte_array_append(expected, large, 100000);
    }
  }
  crypto_ber_wrap(der, CRYPTO_BER_OCTET_STRING | CRYPTO_BER_CONSTRUCTED);
  CryptoBerReader reader = crypto_ber_reader(der->data, der->len);
  CryptoBerItem item;
  g_assert_true(crypto_ber_next(&reader, &item));
  g_autoptr(GPtrArray) runs = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_assert_true(crypto_ber_runs(&item, append, runs));
  g_assert_cmpuint(runs->len, <, 10);
  for (guint i = 0; i < runs->len; i++)
    g_byte_array_append(got, g_bytes_get_data(runs->pdata[i], NULL), (guint)g_bytes_get_size(runs->pdata[i]));
  g_assert_cmpmem(got->data, got->len, expected->data, expected->len);
}

static void
test_depth(void)
{
  g_autofree guint8 *deep = g_malloc0(400);
  for (guint levels = 1; levels <= 100; levels++) {
    memset(deep, 0, 400);
    for (guint i = 0; i < levels; i++) {
      deep[2 * i] = 0x30;
      deep[2 * i + 1] = 0x80;
    }
    CryptoBerReader reader = crypto_ber_reader(deep, 4 * levels);
    CryptoBerItem item;
    g_assert_cmpint(crypto_ber_next(&reader, &item), ==, levels <= CRYPTO_BER_DEPTH);
  }
}

static void
test_refused(void)
{
  static const struct {
    guint8 length, der[12];
  } bad[] = {
    { 2, { 0x00, 0x00 } },                             /* end of contents by itself */
    { 3, { 0x1f, 0x81, 0x00 } },                       /* a tag number of 31 and more */
    { 4, { 0x04, 0x80, 0x00, 0x00 } },                 /* primitive of indefinite length */
    { 3, { 0x04, 0x02, 'a' } },                        /* longer than what is there */
    { 11, { 0x04, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0 } }, /* a length of nine octets */
    { 10, { 0x04, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } }, /* the longest length */
    { 1, { 0x30 } },
  };
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    CryptoBerReader reader = crypto_ber_reader(bad[i].der, bad[i].length);
    CryptoBerItem item;
    g_assert_false(crypto_ber_next(&reader, &item));
  }
}

static gboolean
read_time(guint8 tag, const char *text, gint64 *seconds)
{
  CryptoBerItem item = { .data = (const guint8 *)text, .length = strlen(text), .tag = tag };
  return crypto_ber_time(&item, seconds);
}

static void
test_time(void)
{
  gint64 seconds;
  g_assert_true(read_time(CRYPTO_BER_UTC_TIME, "700101000001Z", &seconds));
  g_assert_cmpint(seconds, ==, 1);
  g_assert_true(read_time(CRYPTO_BER_UTC_TIME, "491231235959Z", &seconds));
  g_assert_cmpint(seconds, ==, G_GINT64_CONSTANT(2524607999));
  g_assert_true(read_time(CRYPTO_BER_GENERALIZED_TIME, "20240229120000Z", &seconds));
  g_assert_cmpint(seconds, ==, 1709208000);
  static const char *const bad[] = {
    "7001010000Z",       "700101000001+0100", "701301000000Z",  "700230000000Z",
    "700101240000Z",     "700101006000Z",     "70010100000 Z",  "",
    "20240229120000.5Z", "20230229120000Z",   "00000101000000Z"
  };
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_assert_false(read_time(CRYPTO_BER_UTC_TIME, bad[i], &seconds));
    g_assert_false(read_time(CRYPTO_BER_GENERALIZED_TIME, bad[i], &seconds));
  }
}

static void
test_write(void)
{
  g_autoptr(GByteArray) out = g_byte_array_new();
  static const guint values[] = { 0, 1, 127, 128, 255, 256, 32768, 0x7fffffff };
  for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
    g_byte_array_set_size(out, 0);
    crypto_ber_put_small(out, values[i]);
    CryptoBerReader reader = crypto_ber_reader(out->data, out->len);
    CryptoBerItem item;
    g_assert_true(crypto_ber_expect(&reader, CRYPTO_BER_INTEGER, &item));
    g_assert_cmpint(crypto_ber_small(&item), ==, values[i]);
    g_assert_true(item.length == 1 || item.data[0] != 0 ||
                  item.data[1] >= 0x80); /* DER: as short as can be */
  }
  static const gsize lengths[] = { 0, 127, 128, 255, 256, 65535, 65536, 70000 };
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
    g_autofree guint8 *data = g_malloc0(lengths[i] + 1);
    g_byte_array_set_size(out, 0);
    crypto_ber_put(out, CRYPTO_BER_OCTET_STRING, data, lengths[i]);
    crypto_ber_wrap(out, CRYPTO_BER_SEQUENCE);
    CryptoBerReader reader = crypto_ber_reader(out->data, out->len);
    CryptoBerItem item;
    g_assert_true(crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &item));
    CryptoBerReader inside = crypto_ber_enter(&item);
    g_assert_true(crypto_ber_expect(&inside, CRYPTO_BER_OCTET_STRING, &item));
    g_assert_cmpuint(item.length, ==, lengths[i]);
    g_assert_cmpuint(item.total, ==, lengths[i] + crypto_ber_header_size(lengths[i]));
    g_assert_true(crypto_ber_at_end(&inside));
  }
  static const gint64 times[] = { 0, 1700000000, G_GINT64_CONSTANT(2524607999),
                                  G_GINT64_CONSTANT(2524608000) };
  for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
    g_byte_array_set_size(out, 0);
    crypto_ber_put_time(out, times[i]);
    CryptoBerReader reader = crypto_ber_reader(out->data, out->len);
    CryptoBerItem item;
    gint64 seconds;
    g_assert_true(crypto_ber_next(&reader, &item));
    g_assert_cmpuint(item.tag, ==, i == 3 ? CRYPTO_BER_GENERALIZED_TIME : CRYPTO_BER_UTC_TIME);
    g_assert_true(crypto_ber_time(&item, &seconds));
    g_assert_cmpint(seconds, ==, times[i]);
  }
}

static void
test_set(void)
{
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_autoptr(GByteArray) out = g_byte_array_new();
  g_ptr_array_add(items, g_bytes_new_static("\x04\x01z", 3));
  g_ptr_array_add(items, g_bytes_new_static("\x02\x02\x01\x01", 4));
  g_ptr_array_add(items, g_bytes_new_static("\x02\x01\x05", 3));
  crypto_ber_put_set(out, CRYPTO_BER_SET, items);
  g_assert_cmpmem(out->data, out->len, "\x31\x0a\x02\x01\x05\x02\x02\x01\x01\x04\x01z", 12);
}

static void
test_oid(void)
{
  for (CryptoOid oid = CRYPTO_OID_DATA; oid <= CRYPTO_OID_BRAINPOOL_P512R1; oid++) {
    g_autoptr(GByteArray) out = g_byte_array_new();
    crypto_oid_put(out, oid);
    CryptoBerReader reader = crypto_ber_reader(out->data, out->len);
    CryptoBerItem item;
    g_assert_true(crypto_ber_expect(&reader, CRYPTO_BER_OID, &item));
    g_autofree char *dots = crypto_ber_oid_dots(&item), *name = crypto_oid_describe(&item);
    g_assert_cmpstr(dots, ==, crypto_oid_dots(oid));
    g_assert_cmpstr(name, ==, crypto_oid_name(oid));
    g_assert_cmpint(crypto_oid_find(&item), ==, oid);
  }
  CryptoBerItem unknown = { .data = (const guint8 *)"\x2a\x03\x04", .length = 3, .tag = CRYPTO_BER_OID };
  g_autofree char *dots = crypto_oid_describe(&unknown);
  g_assert_cmpstr(dots, ==, "1.2.3.4");
  CryptoBerItem cut = { .data = (const guint8 *)"\x2a\x83", .length = 2, .tag = CRYPTO_BER_OID };
  g_assert_null(crypto_ber_oid_dots(&cut));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/ber/definite", test_definite);
  g_test_add_func("/ber/truncated", test_truncated);
  g_test_add_func("/ber/octets", test_octets);
  g_test_add_func("/ber/ends", test_ends);
  g_test_add_func("/ber/runs", test_runs);
  g_test_add_func("/ber/depth", test_depth);
  g_test_add_func("/ber/refused", test_refused);
  g_test_add_func("/ber/time", test_time);
  g_test_add_func("/ber/write", test_write);
  g_test_add_func("/ber/set", test_set);
  g_test_add_func("/ber/oid", test_oid);
  return g_test_run();
}
