#include "ui/cert-request.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mail/error.h"
#include "ui/save.h"

gboolean
ui_cert_request_key(const char *kind, CryptoIssue *what)
{
  static const struct {
    const char *name, *curve;
    guint bits;
  } kinds[] = {
    { "rsa-3072", NULL, 3072 }, { "rsa-4096", NULL, 4096 }, { "p-256", "P-256", 0 }, { "p-384", "P-384", 0 }
  };
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (g_ascii_strcasecmp(kind ? kind : "rsa-3072", kinds[i].name) == 0) {
      what->curve = kinds[i].curve;
      what->bits = kinds[i].bits;
      return TRUE;
    }
  return FALSE;
}

gboolean
ui_cert_request_is_address(const char *text)
{
  const char *at = strrchr(text, '@');
  return at && at != text && at[1] && strlen(text) <= 254 && g_utf8_validate(text, -1, NULL) &&
         !strpbrk(text, " \t\r\n<>,;");
}

static GBytes *
pem(GBytes *der)
{
  gsize length = 0;
  const guint8 *data = g_bytes_get_data(der, &length);
  g_autofree char *base64 = g_base64_encode(data, length);
  GString *text = g_string_new("-----BEGIN CERTIFICATE REQUEST-----\n");
  for (gsize at = 0, size = strlen(base64); at < size; at += 64)
    g_string_append_printf(text, "%.64s\n", base64 + at);
  g_string_append(text, "-----END CERTIFICATE REQUEST-----\n");
  return g_string_free_to_bytes(text);
}

gboolean
ui_cert_request_make(const CryptoIssue *what, const char *token, const char *out, CryptoPinSource *pin,
                     GError **error)
{
  gboolean to_stdout = !out || strcmp(out, "-") == 0;
  int fd = to_stdout ? STDOUT_FILENO : open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) {
    int number = errno;
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s cannot be written: %s.", out,
                number == EEXIST ? "there is a file of that name already" : g_strerror(number));
    return FALSE;
  }
  g_autoptr(GBytes) der = crypto_issue_request(what, token, pin, error);
  if (!der) {
    if (!to_stdout) {
      close(fd);
      unlink(out);
    }
    return FALSE;
  }
  g_autoptr(GBytes) text = pem(der);
  int number = ui_save_write(fd, text, FALSE);
  if (!to_stdout && close(fd) != 0 && !number)
    number = errno;
  if (number)
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The request could not be written: %s.", g_strerror(number));
  return number == 0;
}
