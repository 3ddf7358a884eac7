#include "ui/cert-file.h"

#include <string.h>

#include "mail/error.h"
#include "ui/cli.h"

const char ui_cert_file_kinds[] = "a certificate or several as PEM (.pem, .crt), one as DER (.cer, .der), "
                                  "PKCS#7 (.p7b, .p7c), or PKCS#12 with a "
                                  "private key (.p12, .pfx)";

/* PFX begins with its version, 3; a certificate or a PKCS#7 with something else. */
gboolean
ui_cert_file_is_pkcs12(GBytes *file)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(file, &length);
  if (length < 8 || bytes[0] != 0x30)
    return FALSE;
  gsize at = 2 + (bytes[1] & 0x80 ? bytes[1] & 0x7f : 0);
  return at + 3 <= length && bytes[at] == 2 && bytes[at + 1] == 1 && bytes[at + 2] == 3;
}

/* --- other programs' */

enum { MUTT_FILES_MAX = 20000 };

gboolean
ui_cert_file_is_mutt(const char *folder)
{
  g_autofree char *place = g_build_filename(folder, "certificates", NULL);
  return g_file_test(place, G_FILE_TEST_IS_DIR);
}

GPtrArray *
ui_cert_file_mutt(const char *folder, GString *left_out, GError **error)
{
  g_autoptr(GError) problem = NULL;
  g_autofree char *place = g_build_filename(folder, "certificates", NULL);
  g_autoptr(GDir) dir = g_dir_open(place, 0, &problem);
  if (!dir) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "%s is no folder as mutt's smime_keys makes it: %s", folder,
                problem->message);
    return NULL;
  }
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  const char *name;
  for (guint seen = 0; seen < MUTT_FILES_MAX && (name = g_dir_read_name(dir)); seen++) {
    if (*name == '.') /* .index, which the certificates say better */
      continue;
    g_autofree char *file = g_build_filename(place, name, NULL);
    g_autoptr(GError) wrong = NULL;
    g_autoptr(GBytes) bytes = ui_cli_read_file(file, &wrong);
    g_autoptr(GPtrArray) certs = bytes ? crypto_certs_parse(bytes, &wrong) : NULL;
    for (guint i = 0; certs && i < certs->len; i++)
      g_ptr_array_add(all, crypto_cert_ref(certs->pdata[i]));
    if (!certs)
      g_string_append_printf(left_out, "%s was left out: %s\n", file, wrong->message);
  }
  return all;
}

GPtrArray *
ui_cert_file_gpgsm(GError **error)
{
  static const char *const command[] = { "gpgsm", "--batch", "--armor", "--export", NULL };
  g_autoptr(GError) problem = NULL;
  g_autofree char *output = NULL;
  int status = 0;
  if (!g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                    &output, NULL, &status, &problem) ||
      !g_spawn_check_wait_status(status, &problem)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "gpgsm --export did not work: %s", problem->message);
    return NULL;
  }
  if (!*output)
    return g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  g_autoptr(GBytes) bytes = g_bytes_new_static(output, strlen(output));
  return crypto_certs_parse(bytes, error);
}

gboolean
ui_cert_file_is_top(GPtrArray *certs, CryptoCert *cert)
{
  if (!crypto_cert_is_authority(cert))
    return FALSE;
  for (guint i = 0; i < certs->len; i++)
    if (certs->pdata[i] != cert && !crypto_cert_self_signed(cert) &&
        crypto_cert_is_authority(certs->pdata[i]) &&
        strcmp(crypto_cert_subject(certs->pdata[i]), crypto_cert_issuer(cert)) == 0)
      return FALSE;
  return TRUE;
}

/* --- export */

/* RFC 2849: a value that is not plain is base64; lines are folded. */
static void
ldif_line(GString *out, const char *name, const char *value, gboolean binary)
{
  gboolean plain = !binary && g_str_is_ascii(value) && !strpbrk(value, "\r\n") && *value &&
                   !strchr(" :<", *value) && value[strlen(value) - 1] != ' ';
  g_autofree char *encoded =
      plain || binary ? g_strdup(value) : g_base64_encode((const guchar *)value, strlen(value));
  g_autofree char *line = g_strdup_printf("%s:%s %s", name, plain ? "" : ":", encoded);
  for (gsize at = 0, length = strlen(line), room = 76; at < length; at += room, room = 75)
    g_string_append_printf(out, "%s%.*s\n", at ? " " : "", (int)MIN(room, length - at), line + at);
}

static char *
base64_of(CryptoCert *cert)
{
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(crypto_cert_der(cert), &length);
  return g_base64_encode(der, length);
}

/* What ldapmodify takes: the entry is the person's in the directory, else one of the certificate's own subject. */
static void
add_ldif(GString *out, CryptoCert *cert, const char *dn)
{
  g_autofree char *base64 = base64_of(cert);
  ldif_line(out, "dn", dn ? dn : crypto_cert_subject(cert), FALSE);
  g_string_append(out, "changetype: modify\nadd: userCertificate;binary\n");
  ldif_line(out, "userCertificate;binary", base64, TRUE);
  g_string_append(out, "-\n");
}

static void
add_pem(GString *out, CryptoCert *cert)
{
  g_autofree char *pem = crypto_cert_pem(cert);
  g_string_append(out, pem);
}

GBytes *
ui_cert_file_bytes(CryptoCert *cert, UiCertForm form, const char *dn)
{
  if (form == UI_CERT_DER)
    return g_bytes_ref(crypto_cert_der(cert));
  GString *out = g_string_new(NULL);
  if (form == UI_CERT_LDIF)
    add_ldif(out, cert, dn);
  else if (form == UI_CERT_BASE64) {
    g_autofree char *base64 = base64_of(cert);
    g_string_append_printf(out, "%s\n", base64);
  } else
    add_pem(out, cert);
  if (form == UI_CERT_CHAIN) {
    g_autoptr(CryptoChain) chain = crypto_chain_check(
        cert, CRYPTO_USE_SIGN, g_get_real_time() / G_USEC_PER_SEC, CRYPTO_REVOCATION_OFF, NULL);
    for (guint i = 1; i < chain->certs->len; i++)
      add_pem(out, chain->certs->pdata[i]);
  }
  return g_string_free_to_bytes(out);
}
