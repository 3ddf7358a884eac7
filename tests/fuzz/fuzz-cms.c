/* Everything that a stranger's CMS reaches: parsing, verification, decryption with keys that fit the seeds, and
 * unpacking. Keys and certificates lie in memory only. Made by cms-seeds.sh; run in the top folder. */
#include <stdlib.h>
#include <string.h>

#include "crypto/cms.h"
#include "crypto/context.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static GBytes *content;

static void
add_key(const char *name)
{
  g_autofree char *path = g_build_filename("tests", "fuzz", "keys", name, NULL);
  g_autoptr(GError) error = NULL;
  char *bytes = NULL;
  gsize length = 0;
  g_file_get_contents(path, &bytes, &length, &error);
  g_assert_no_error(error);
  g_autoptr(GBytes) file = g_bytes_new_take(bytes, length);
  gboolean added = crypto_session_add_pkcs12(file, "test", &error);
  g_assert_no_error(error);
  g_assert_true(added);
}

static void
set_up(void)
{
  CryptoOptions options = { 0 };
  g_autoptr(GError) error = NULL;
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
  add_key("rsa.p12");
  add_key("ec.p12");
  content = g_bytes_new_static("Content-Type: text/plain\r\n\r\nseed\r\n", 34);
}

static void
run_signed(CryptoCms *cms)
{
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GPtrArray) signers = crypto_cms_verify(cms, i ? content : NULL, NULL, NULL);
    for (guint j = 0; signers && j < signers->len; j++) {
      const CryptoSigner *signer = signers->pdata[j];
      g_assert_true((signer->reason == NULL) == (signer->state == CRYPTO_SIGNATURE_INTACT));
      g_assert_true(signer->state != CRYPTO_SIGNATURE_INTACT || signer->cert);
      g_assert_true(g_utf8_validate(signer->identifier, -1, NULL));
      g_assert_true(!signer->reason || g_utf8_validate(signer->reason, -1, NULL));
    }
  }
  g_autoptr(GPtrArray) certs = crypto_cms_certs(cms);
  g_autoptr(GBytes) enclosed = crypto_cms_content(cms);
}

static void
run_enveloped(CryptoCms *cms)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoEnvelope) envelope = crypto_cms_envelope(cms);
  g_assert_nonnull(envelope->algorithm);
  g_autoptr(GBytes) plain = crypto_cms_decrypt(cms, NULL, &error);
  g_assert_true((plain == NULL) == (error != NULL));
  g_assert_true(!error || g_utf8_validate(error->message, -1, NULL));
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  if (!content)
    set_up();
  g_autoptr(GBytes) bytes = g_bytes_new_static(data, size);
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCms) cms = crypto_cms_parse(bytes, &error);
  g_assert_true((cms == NULL) == (error != NULL));
  if (!cms)
    return 0;
  g_assert_nonnull(crypto_cms_type_name(cms));
  run_signed(cms);
  run_enveloped(cms);
  g_autoptr(GBytes) unpacked = crypto_cms_decompress(cms, NULL);
  return 0;
}
