#ifndef TESTS_PROTECT_LAB_H
#define TESTS_PROTECT_LAB_H

/* Alice and Bob of RFC 9788's samples, with keys of our own, and a header read by nothing of signet's. */
#include <string.h>

#include "crypto/cms-write.h"
#include "crypto/context.h"
#include "crypto/issue.h"
#include "mail/seal.h"
#include "tests/unit/pki.h"

static char *folder;
static gint64 now;
static CryptoCert *root, *alice, *bob;

static inline CryptoCert *
issue(const char *name, gboolean authority)
{
  g_autofree char *address = g_strconcat(name, "@smime.example", NULL);
  const char *addresses[] = { address, NULL };
  g_autoptr(GError) error = NULL;
  const CryptoIssue what = { .common_name = name,
                             .addresses = authority ? NULL : addresses,
                             .issuer = root,
                             .authority = authority,
                             .sign = TRUE,
                             .encrypt = !authority,
                             .not_before = now - 86400 * 100,
                             .not_after = now + 86400 * 100,
                             .curve = authority ? "P-256" : NULL };
  CryptoCert *cert = crypto_issue(&what, NULL, &error);
  g_assert_no_error(error);
  return cert;
}

static inline void
set_up(void)
{
  g_autoptr(GError) error = NULL;
  folder = pki_folder();
  g_autofree char *database = g_build_filename(folder, "nssdb", NULL);
  const CryptoOptions options = { .nssdb = database, .create = TRUE };
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
  now = g_get_real_time() / G_USEC_PER_SEC;
  root = issue("Root", TRUE);
  g_assert_true(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  alice = issue("alice", FALSE);
  bob = issue("bob", FALSE);
}

static inline void
tear_down(void)
{
  g_autoptr(GError) error = NULL;
  crypto_cert_unref(alice);
  crypto_cert_unref(bob);
  crypto_cert_unref(root);
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
  tree_remove(folder);
  g_free(folder);
}

/* --- a header, read by nothing of signet's --- */

typedef struct {
  char *name, *value, *raw; /* the value unfolded; the lines as they stood */
} Field;

static inline void
field_free(Field *field)
{
  g_free(field->name);
  g_free(field->value);
  g_free(field->raw);
  g_free(field);
}

/* The fields of @text up to its empty line; *body: what is behind. */
static inline GPtrArray *
fields_of(const char *text, const char **body)
{
  GPtrArray *fields = g_ptr_array_new_with_free_func((GDestroyNotify)field_free);
  while (*text && !g_str_has_prefix(text, "\r\n")) {
    const char *end = text;
    do {
      end = strstr(end, "\r\n");
      g_assert_nonnull(end);
      end += 2;
    } while (*end == ' ' || *end == '\t');
    Field *field = g_new0(Field, 1);
    field->raw = g_strndup(text, (gsize)(end - text));
    g_auto(GStrv) lines = g_strsplit(field->raw, "\r\n", -1);
    g_autofree char *line = g_strjoinv("", lines);
    char *colon = strchr(line, ':');
    g_assert_nonnull(colon);
    field->name = g_strndup(line, (gsize)(colon - line));
    field->value = g_strstrip(g_strdup(colon + 1));
    g_ptr_array_add(fields, field);
    text = end;
  }
  if (body)
    *body = *text ? text + 2 : text;
  return fields;
}

static inline const char *
value_of(GPtrArray *fields, const char *name)
{
  for (guint i = 0; i < fields->len; i++)
    if (g_ascii_strcasecmp(((Field *)fields->pdata[i])->name, name) == 0)
      return ((Field *)fields->pdata[i])->value;
  return NULL;
}

static inline gboolean
is_structural(const char *name) /* RFC 9787 1.1.1 */
{
  return g_ascii_strcasecmp(name, "MIME-Version") == 0 || g_ascii_strncasecmp(name, "Content-", 8) == 0;
}

static inline char *
text_of(GBytes *bytes)
{
  return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static inline MlMessage *
read_message(GBytes *bytes)
{
  const MlReadOptions options = { .at = now, .received = now };
  g_autoptr(GError) error = NULL;
  MlMessage *message = ml_message_read(bytes, &options, NULL, &error);
  g_assert_no_error(error);
  return message;
}

static inline const MlHeaderLine *
line_of(const MlMessage *message, const char *name)
{
  GPtrArray *lines = ml_message_headers(message);
  for (guint i = 0; i < lines->len; i++)
    if (g_ascii_strcasecmp(((MlHeaderLine *)lines->pdata[i])->name, name) == 0)
      return lines->pdata[i];
  g_error("no %s", name);
}

/* --- messages made --- */

static const MlAccount account = { .name = (char *)"test",
                                   .address = (char *)"alice@smime.example",
                                   .sign = (char *)"ask",
                                   .encrypt = (char *)"ask" };

static inline GBytes *
sealed_message(MlDraft *draft, gint64 at)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) who = ml_draft_mailboxes(draft, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) rows = ml_recipients_find(NULL, who, now, CRYPTO_REVOCATION_OFF, &error);
  g_assert_no_error(error);
  MlAccount own = account;
  gboolean is_bob = strstr(draft->from, "bob@") != NULL;
  own.address = (char *)(is_bob ? "bob@smime.example" : "alice@smime.example");
  ml_recipients_add_own(rows, &own, own.address, now, CRYPTO_REVOCATION_OFF);
  const MlSealOptions options = { .now = at, .signer = is_bob ? bob : alice, .recipients = rows };
  g_autoptr(MlSealed) sealed = ml_seal(draft, &options, NULL, NULL, &error);
  g_assert_no_error(error);
  return g_bytes_ref(((MlOutgoing *)sealed->outgoing->pdata[0])->bytes);
}

/* Base64 in lines, as the body of an entity. */
static inline char *
p7m(GBytes *der, const char *type)
{
  g_autofree char *digits = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
  GString *out = g_string_new(NULL);
  g_string_append_printf(
      out,
      "Content-Transfer-Encoding: base64\r\n"
      "Content-Type: application/pkcs7-mime; name=\"smime.p7m\";\r\n smime-type=\"%s\"\r\n",
      type);
  g_autofree char *head = g_string_free(out, FALSE);
  out = g_string_new(NULL);
  for (gsize at = 0; at < strlen(digits); at += 64)
    g_string_append_printf(out, "%.64s\r\n", digits + at);
  g_autofree char *body = g_string_free(out, FALSE);
  return g_strconcat(head, "\n", body, NULL); /* the caller puts its fields where the "\n" is */
}

static inline gboolean
to_array(const guint8 *data, gsize length, gpointer user_data, GError **error)
{
  (void)error;
  g_byte_array_append(user_data, data, (guint)length);
  return TRUE;
}

/* @payload signed by Alice as signed-data, then, where @encrypt, encrypted to both; with @fields outside. */
static inline GBytes *
wrap(const char *payload, gboolean encrypt, const char *fields)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) content = g_bytes_new(payload, strlen(payload));
  const CryptoSignOptions sign = { .signing_time = now, .digest = "sha256" };
  g_autoptr(GBytes) der = crypto_cms_sign(content, alice, &sign, NULL, &error);
  g_assert_no_error(error);
  g_autofree char *entity = p7m(der, "signed-data");
  if (encrypt) {
    g_auto(GStrv) halves = g_strsplit(entity, "\n\n", 2);
    char *gap = strstr(entity, "\r\n\n") + 2;
    g_autofree char *head = g_strndup(entity, (gsize)(gap - entity)),
                    *whole = g_strconcat(head, "\r\n", gap + 1, NULL);
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_ptr_array_add(parts, g_bytes_new(whole, strlen(whole)));
    const CryptoCmsTo to[] = { { alice, FALSE }, { bob, FALSE } };
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(CryptoCmsTo));
    g_array_append_vals(keys, to, 2);
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_assert_true(crypto_cms_encrypt_to(parts, keys, CRYPTO_CIPHER_AES256_CBC, to_array, out, &error));
    g_assert_no_error(error);
    g_autoptr(GBytes) enveloped = g_byte_array_free_to_bytes(g_steal_pointer(&out));
    g_free(entity);
    entity = p7m(enveloped, "enveloped-data");
  }
  char *gap = strstr(entity, "\r\n\n") + 2;
  g_autofree char *head = g_strndup(entity, (gsize)(gap - entity));
  char *message = g_strconcat(head, fields, "\r\n", gap + 1, NULL);
  return g_bytes_new_take(message, strlen(message));
}

#endif
