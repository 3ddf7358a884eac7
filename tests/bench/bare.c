/* What NSS alone takes for the operations that signet's figures are held against: `bare KEY.p12 PASSWORD MESSAGE COUNT`
 * prints the CPU seconds of one private-key operation on the key of an encrypted message (DER), and of AES-256-CBC over
 * 100 MB in runs of 16 KiB. Everything else that reading a mail costs is signet's own. */
#include <pk11pub.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/certdb.h"
#include "crypto/cms-private.h"
#include "crypto/context.h"

enum { RUN = 16 * 1024, RUNS = 6104, KEY = 512 };

static GBytes *
file(const char *path)
{
  char *text = NULL;
  gsize length = 0;
  if (!g_file_get_contents(path, &text, &length, NULL))
    g_error("%s cannot be read", path);
  return g_bytes_new_take(text, length);
}

/* Of this process alone: on a loaded machine the clock says more about the others. */
static double
cpu_seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
private_operation(CryptoCms *cms, int count)
{
  const CryptoCmsRecipient *recipient = &g_array_index(cms->recipients, CryptoCmsRecipient, 0);
  g_autoptr(CryptoCert) cert = crypto_cms_recipient_cert(recipient);
  SECKEYPrivateKey *key = cert ? crypto_keys_open(cert, NULL, NULL) : NULL;
  if (!key)
    g_error("the key does not fit the message");
  double start = cpu_seconds();
  for (int i = 0; i < count; i++) {
    guint8 out[KEY];
    unsigned length = 0;
    SECStatus done = PK11_PrivDecryptPKCS1(key, out, &length, sizeof out, (guint8 *)recipient->key.data,
                                           (unsigned)recipient->key.length);
    if (done != SECSuccess || length != 32)
      g_error("NSS did not decrypt");
  }
  double seconds = (cpu_seconds() - start) / count;
  SECKEY_DestroyPrivateKey(key);
  return seconds;
}

static double
bulk(void)
{
  guint8 octets[32] = { 1 };
  SECItem item = { siBuffer, octets, 32 }, iv = { siBuffer, octets, 16 };
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  PK11SymKey *key = PK11_ImportSymKey(slot, CKM_AES_CBC, PK11_OriginUnwrap, CKA_DECRYPT, &item, NULL);
  PK11Context *context = PK11_CreateContextBySymKey(CKM_AES_CBC, CKA_DECRYPT, key, &iv);
  g_autofree guint8 *in = g_malloc0(RUN), *out = g_malloc0(RUN);
  double start = cpu_seconds();
  for (int i = 0; i < RUNS; i++) {
    int got = 0;
    if (PK11_CipherOp(context, out, &got, RUN, in, RUN) != SECSuccess)
      g_error("NSS did not decrypt");
  }
  double seconds = cpu_seconds() - start;
  PK11_DestroyContext(context, PR_TRUE);
  PK11_FreeSymKey(key);
  PK11_FreeSlot(slot);
  return seconds;
}

int
main(int argc, char **argv)
{
  if (argc != 5) {
    fprintf(stderr, "bare KEY.p12 PASSWORD MESSAGE.der COUNT\n");
    return 2;
  }
  CryptoOptions options = { 0 };
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) p12 = file(argv[1]), message = file(argv[3]);
  if (!crypto_open(&options, &error) || !crypto_session_add_pkcs12(p12, argv[2], &error))
    g_error("%s", error->message);
  CryptoCms *cms = crypto_cms_parse(message, &error);
  if (!cms)
    g_error("%s", error->message);
  double operation = private_operation(cms, (int)strtol(argv[4], NULL, 10)), cbc = bulk();
  printf("%.9f %.6f\n", operation, cbc);
  crypto_cms_free(cms);
  return crypto_close(&error) ? 0 : 1;
}
