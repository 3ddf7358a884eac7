/* A stranger's mail, read whole: scanner, MIME, charsets, HTML, layers, layout and verdict; with a trusted
 * root and keys that fit the seeds (message-seeds.sh), so that signatures verify and ciphertext opens. Run
 * in the top folder.
 *
 * An input that begins with "%" and letters up to the line's end is wrapped before it is read, the last
 * letter innermost: S signs (opaque), D signs (multipart/signed), E encrypts by AES-CBC, G by AES-GCM. So
 * what a mutation does to the text lies within good signatures and real ciphertext. */
#include <string.h>

#include "crypto/cms-write.h"
#include "crypto/context.h"
#include "mail/message.h"

enum { NOW = 1900000000, WRAPS = 4 };

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static CryptoCert *author;
static GPtrArray *readers;

static GBytes *
key_file(const char *name)
{
  g_autofree char *path = g_build_filename("tests", "fuzz", "keys", name, NULL);
  g_autoptr(GError) error = NULL;
  char *bytes = NULL;
  gsize length = 0;
  g_file_get_contents(path, &bytes, &length, &error);
  g_assert_no_error(error);
  return g_bytes_new_take(bytes, length);
}

static void
add_key(const char *name)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) file = key_file(name);
  gboolean added = crypto_session_add_pkcs12(file, "test", &error);
  g_assert_no_error(error);
  g_assert_true(added);
}

static CryptoCert *
cert_file(const char *name)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) file = key_file(name);
  g_autoptr(GPtrArray) certs = crypto_certs_parse(file, &error);
  g_assert_no_error(error);
  return crypto_cert_ref(certs->pdata[0]);
}

static void
set_up(void)
{
  if (author)
    return;
  const CryptoOptions options = { .nssdb = NULL };
  g_autoptr(GError) error = NULL;
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
  add_key("rsa.p12");
  add_key("ec.p12");
  add_key("author.p12");
  g_autoptr(GBytes) root = key_file("root.pem");
  gboolean added = crypto_session_add_roots(root, &error);
  g_assert_no_error(error);
  g_assert_true(added);
  author = cert_file("author.pem");
  readers = g_ptr_array_new();
  g_ptr_array_add(readers, cert_file("reader.pem"));
}

/* --- wrapping */

static const char head[] = "From: author@fuzz.example\r\nTo: ec@fuzz.example\r\nSubject: seed\r\n"
                           "MIME-Version: 1.0\r\n";

static void
add_base64(GString *out, GBytes *der)
{
  g_autofree char *text = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
  gsize length = strlen(text);
  for (gsize i = 0; i < length; i += 76)
    g_string_append_printf(out, "%.*s\r\n", 76, text + i);
}

static GBytes *
sign(const GString *entity, gboolean detached)
{
  g_autoptr(GBytes) content = g_bytes_new_static(entity->str, entity->len);
  const CryptoSignOptions options = { .signing_time = NOW - 1000, .detached = detached };
  g_autoptr(GError) error = NULL;
  GBytes *der = crypto_cms_sign(content, author, &options, NULL, &error);
  g_assert_no_error(error);
  return der;
}

static GString *
wrap(GString *entity, char how)
{
  GString *out = g_string_new(NULL);
  g_autoptr(GBytes) der = NULL;
  if (how == 'D') {
    der = sign(entity, TRUE);
    g_string_append(out, "Content-Type: multipart/signed; micalg=sha-256; boundary=\"=_fuzz\";\r\n"
                         " protocol=\"application/pkcs7-signature\"\r\n\r\n--=_fuzz\r\n");
    g_string_append_len(out, entity->str, (gssize)entity->len);
    g_string_append(out, "\r\n--=_fuzz\r\nContent-Type: application/pkcs7-signature\r\n"
                         "Content-Transfer-Encoding: base64\r\n\r\n");
    add_base64(out, der);
    g_string_append(out, "--=_fuzz--\r\n");
  } else {
    g_autoptr(GBytes) content = g_bytes_new_static(entity->str, entity->len);
    g_autoptr(GError) error = NULL;
    der = how == 'S' ? sign(entity, FALSE)
                     : crypto_cms_encrypt(content, readers,
                                          how == 'G' ? CRYPTO_CIPHER_AES128_GCM : CRYPTO_CIPHER_AES128_CBC,
                                          FALSE, &error);
    g_assert_no_error(error);
    g_string_append(out, "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    add_base64(out, der);
  }
  g_string_free(entity, TRUE);
  return out;
}

/* NULL: the input asks for nothing, and is read as it is. */
static GBytes *
wrapped(const guint8 *data, gsize size)
{
  const guint8 *end = size && *data == '%' ? memchr(data, '\n', size) : NULL;
  gsize letters = end ? (gsize)(end - data) - 1 : 0;
  if (!letters || letters > WRAPS)
    return NULL;
  for (gsize i = 1; i <= letters; i++)
    if (!strchr("SDEG", data[i]) || !data[i])
      return NULL;
  GString *entity = g_string_new(NULL);
  for (const guint8 *c = end + 1; c < data + size; c++) { /* canonical, as a signer would make it */
    if (*c == '\n' && (c == end + 1 || c[-1] != '\r'))
      g_string_append_c(entity, '\r');
    g_string_append_c(entity, (char)*c);
  }
  for (gsize i = letters; i > 0; i--)
    entity = wrap(entity, (char)data[i]);
  g_string_prepend(entity, head);
  return g_string_free_to_bytes(entity);
}

/* --- what must hold of every message */

static void
assert_text(const char *text)
{
  g_assert_true(!text || g_utf8_validate(text, -1, NULL));
}

static guint
count_lines(const char *text)
{
  guint lines = 1;
  for (; *text; text++)
    lines += *text == '\n';
  return lines;
}

static void
check_blocks(const MlMessage *message)
{
  GPtrArray *blocks = ml_message_blocks(message);
  guint next = 1, lines = count_lines(ml_message_text(message));
  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    assert_text(block->text);
    g_assert_cmpuint(block->part, <, ml_message_parts(message)->len);
    if (block->kind == ML_BLOCK_NOTICE) {
      g_assert_false(block->is_signed);
      continue;
    }
    /* the ranges cover the text without a gap, in order */
    g_assert_cmpuint(block->from_line, ==, next);
    g_assert_cmpuint(block->to_line, ==, next + count_lines(block->text) - 1);
    next = block->to_line + 1;
  }
  g_assert_true(next == 1 || next == lines + 1);
}

static void
check_parts(const MlMessage *message)
{
  GPtrArray *parts = ml_message_parts(message);
  for (guint i = 0; i < parts->len; i++) {
    const MlPart *part = parts->pdata[i];
    g_assert_cmpint(part->parent, <, (int)i);
    assert_text(part->type);
    assert_text(part->name);
    assert_text(part->description);
    g_assert_true(!part->leaf ||
                  (part->save_as && *part->save_as && !strchr(part->save_as, '/') && *part->save_as != '.'));
    g_autoptr(GBytes) content = ml_message_part_content(message, i, NULL);
    g_assert_nonnull(content);
    g_autofree char *text = ml_message_part_text(message, i, NULL);
    assert_text(text);
  }
}

static void
check_verdict(const MlMessage *message, gboolean open_errant)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  g_assert_true(verdict->reason && *verdict->reason);
  assert_text(verdict->reason);
  assert_text(verdict->signer_address);
  int code = ml_verdict_exit_code(verdict);
  g_assert_true(code == 0 || code == 1 || (code >= 3 && code <= 8));
  g_assert_true(code != 0 || verdict->indicator == ML_INDICATOR_GOOD);
  gboolean marked = verdict->signature == ML_SIGNATURE_VALID || verdict->signature == ML_SIGNATURE_UNTRUSTED;
  gboolean opened =
      verdict->encryption == ML_ENCRYPTION_DECRYPTED || verdict->encryption == ML_ENCRYPTION_LEGACY;
  GPtrArray *blocks = ml_message_blocks(message);
  if (verdict->indicator == ML_INDICATOR_GOOD) {
    g_assert_cmpint(verdict->signature, ==, ML_SIGNATURE_VALID);
    g_assert_cmpint(verdict->signer_matches_from, ==, ML_YES);
    g_assert_null(verdict->trust_errors[0]);
    g_assert_cmpstr(verdict->signer_address, ==, "author@fuzz.example");
    g_assert_cmpuint(g_strv_length(ml_message_from_addresses(message)), ==, 1);
  }
  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    g_assert_true(!block->is_signed || marked); /* no line is marked that the verdict does not vouch for */
    g_assert_true(!block->encrypted || opened || verdict->encryption == ML_ENCRYPTION_ERRANT ||
                  block->kind == ML_BLOCK_NOTICE);
    /* under a good mark all is signed, but for what a key press opened of somebody's ciphertext within it */
    g_assert_true(verdict->indicator != ML_INDICATOR_GOOD || block->kind == ML_BLOCK_NOTICE ||
                  block->is_signed || (block->encrypted && open_errant));
  }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  set_up();
  g_autoptr(GBytes) inside = wrapped(data, size);
  g_autoptr(GBytes) raw = inside ? g_steal_pointer(&inside) : g_bytes_new_static(data, size);
  g_autoptr(GError) error = NULL;
  const MlReadOptions options = { .at = NOW, .revocation = CRYPTO_REVOCATION_SOFT, .open_errant = size % 2 };
  g_autoptr(MlMessage) message = ml_message_read(raw, &options, NULL, &error);
  g_assert_true((message == NULL) == (error != NULL));
  if (!message) {
    g_assert_error(error, ML_ERROR, ML_ERROR_MALFORMED);
    return 0;
  }
  check_blocks(message);
  check_parts(message);
  check_verdict(message, options.open_errant);
  GPtrArray *headers = ml_message_headers(message);
  for (guint i = 0; i < headers->len; i++) {
    const MlHeaderLine *line = headers->pdata[i];
    assert_text(line->name);
    assert_text(line->value);
    assert_text(line->outer);
    g_assert_null(strchr(line->value, '\n'));
  }
  return 0;
}
