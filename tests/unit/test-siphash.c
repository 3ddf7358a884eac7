/* The vectors of the paper and of its reference code: key 00 01 ... 0f, input 00 01 ... of each length. */
#include "mail/siphash.h"

static void
test_vectors(void)
{
  static const struct {
    gsize length;
    guint64 want;
  } vectors[] = { { 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 8, 0x93f5f5799a932462 },
                  { 15, 0xa129ca6149be45e5 } };
  MlSipKey key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
  char input[16];

  for (guint i = 0; i < sizeof input; i++)
    input[i] = (char)i;
  for (guint i = 0; i < G_N_ELEMENTS(vectors); i++)
    g_assert_cmphex(ml_siphash(&key, input, vectors[i].length), ==, vectors[i].want);
}

static void
test_keys(void)
{
  MlSipKey one = ml_siphash_key(), other = ml_siphash_key();

  g_assert_cmphex(ml_siphash(&one, "a", 1), ==, ml_siphash(&one, "a", 1));
  g_assert_cmphex(ml_siphash(&one, "a", 1), !=, ml_siphash(&other, "a", 1));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/siphash/vectors", test_vectors);
  g_test_add_func("/siphash/keys", test_keys);
  return g_test_run();
}
