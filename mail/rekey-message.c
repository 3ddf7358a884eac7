#include <string.h>

#include "crypto/mapping.h"
#include "mail/lines-private.h"
#include "mail/message-private.h"
#include "mail/rekey.h"
#include "mail/seal-private.h"

enum { STEP = 1024 * 1024 };

void
ml_rekeyed_clear(MlRekeyed *made)
{
  g_clear_pointer(&made->message, g_bytes_unref);
  g_clear_pointer(&made->old_digest, g_free);
  g_clear_pointer(&made->new_digest, g_free);
}

static gboolean G_GNUC_PRINTF(2, 3)
leave(GError **error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, words);
  return FALSE;
}

/* --- what stands there */

static MlMessage *
read_message(GBytes *raw, const MlRekeyOptions *options, GError **error)
{
  const MlReadOptions read = { .at = options->at,
                               .received = options->received,
                               .revocation = options->revocation,
                               .pin = options->pin };
  g_autoptr(GError) why = NULL;
  MlMessage *message = ml_message_read(raw, &read, options->cancellable, &why);
  if (!message && g_error_matches(why, ML_ERROR, ML_ERROR_MALFORMED))
    leave(error, "%s", why->message);
  else if (!message)
    g_propagate_error(error, g_steal_pointer(&why));
  return message;
}

/* Where the key, or who was asked, is at fault, the next message would fare the same. */
static gboolean
is_everybodys(const GError *error)
{
  return error->domain == CRYPTO_ERROR &&
         (error->code == CRYPTO_ERROR_LOCKED || error->code == CRYPTO_ERROR_PIN ||
          error->code == CRYPTO_ERROR_CANCELLED || error->code == CRYPTO_ERROR_JOURNAL);
}

static gboolean
check_layers(const MlMessage *message, GError **error)
{
  const MlLayer *first = message->layers->len ? message->layers->pdata[0] : NULL;
  if (!first || first->kind != ML_LAYER_ENCRYPTED) {
    for (guint i = 0; i < message->layers->len; i++)
      if (((const MlLayer *)message->layers->pdata[i])->kind == ML_LAYER_ENCRYPTED)
        return leave(error, "It is signed around its encryption, and that signature would break.");
    return leave(error, message->errant_encryption ? "Only a part of it is encrypted." : "It is not encrypted.");
  }
  if (first->error && is_everybodys(first->error)) {
    g_propagate_error(error, g_error_copy(first->error));
    return FALSE;
  }
  if (first->error)
    return leave(error, "%s", first->error->message);
  for (guint i = 1; i < message->layers->len; i++)
    if (((const MlLayer *)message->layers->pdata[i])->kind == ML_LAYER_ENCRYPTED)
      return leave(error, "It is encrypted twice, and what is inside needs its own key all the same.");
  return TRUE;
}

/* Nothing but base64, so that no line of text that somebody put behind it gets lost. */
static gboolean
is_pure(const MlEntity *root)
{
  if (root->transfer != ML_TRANSFER_BASE64)
    return TRUE;
  const guint8 *data = g_bytes_get_data(root->source, NULL);
  const guint8 *at = data + root->body, *end = data + root->end, *kept = at;
  gboolean ended = FALSE;
  for (; at < end; at++) {
    gboolean blank = *at == '\r' || *at == '\n' || *at == ' ' || *at == '\t';
    if (!blank && *at != '=' && (ended || !(g_ascii_isalnum(*at) || *at == '+' || *at == '/')))
      return FALSE;
    ended = ended || *at == '=';
    if (at - kept >= STEP) {
      crypto_mapping_release(kept, at);
      kept = at;
    }
  }
  return TRUE;
}

static CryptoCms *
cms_of(const MlEntity *root, char **digest)
{
  gboolean cut = FALSE;
  g_autoptr(GBytes) bytes = ml_mime_decode(root, ML_CMS_SIZE, &cut);
  g_autoptr(CryptoCms) cms = bytes && !cut ? crypto_cms_parse(bytes, NULL) : NULL;
  if (!cms || (crypto_cms_kind(cms) != CRYPTO_CMS_ENVELOPED && crypto_cms_kind(cms) != CRYPTO_CMS_AUTH_ENVELOPED))
    return NULL;
  *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
  return g_steal_pointer(&cms);
}

char *
ml_rekey_digest(GBytes *raw)
{
  g_autoptr(MlEntity) root = ml_scan(raw, TRUE, NULL);
  char *digest = NULL;
  g_autoptr(CryptoCms) cms = root && ml_layers_kind(root, TRUE) == ML_CRYPTO_CMS ? cms_of(root, &digest) : NULL;
  return digest;
}

static gboolean
check_form(const MlEntity *root, char **digest, GError **error)
{
  if (ml_mime_field_count(root, "Content-Type") > 1 || ml_mime_field_count(root, "Content-Transfer-Encoding") > 1)
    return leave(error, "Its header says twice what its body is.");
  if (memchr(g_bytes_get_data(root->source, NULL), 0, root->body))
    return leave(error, "Its header holds a NUL, which no mail may.");
  if (!is_pure(root))
    return leave(error, "There is other text beside the encrypted one.");
  g_autoptr(CryptoCms) cms = cms_of(root, digest);
  if (!cms)
    return leave(error, "Its encryption cannot be read.");
  if (g_strcmp0(crypto_cms_content_type(cms), "data") != 0)
    return leave(error, "What is encrypted is not mail but %s.", crypto_cms_content_type(cms));
  return TRUE;
}

/* Who changes a CBC ciphertext leaves blocks of noise behind: no mail has such octets (the escapes of ISO 2022 apart). */
static gboolean
is_clean(GBytes *content)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(content, &length), *kept = data;
  for (const guint8 *at = data; at < data + length; at++) {
    if ((*at < 32 && !strchr("\t\n\f\r\033", *at)) || *at == 127 || *at == 0)
      return FALSE;
    if (at - kept >= STEP) {
      crypto_mapping_release(kept, at);
      kept = at;
    }
  }
  return TRUE;
}

static gboolean
check_content(const MlMessage *message, GBytes *content, GError **error)
{
  const MlEntity *inside = ((const MlLayer *)message->layers->pdata[0])->entity->opened;
  if (!message->cbc_only)
    return TRUE;
  if (!inside || !inside->fields->len || !is_clean(content))
    return leave(error, "What was decrypted is no clean mail: it may have been altered on its way, and nothing in it "
                        "would tell.");
  return TRUE;
}

/* --- what is written */

static const char *const cipher_names[] = { [CRYPTO_CIPHER_AES128_CBC] = "aes-128-cbc",
                                            [CRYPTO_CIPHER_AES256_CBC] = "aes-256-cbc",
                                            [CRYPTO_CIPHER_AES128_GCM] = "aes-128-gcm",
                                            [CRYPTO_CIPHER_AES256_GCM] = "aes-256-gcm" };

static gboolean
is_gcm(CryptoCipher cipher)
{
  return cipher == CRYPTO_CIPHER_AES128_GCM || cipher == CRYPTO_CIPHER_AES256_GCM;
}

static gboolean
choose_cipher(const MlMessage *message, const MlRekeyOptions *options, CryptoCipher *cipher, GError **error)
{
  const CryptoEnvelope *before = message->verdict->envelope;
  gboolean authenticated = before && before->authenticated;
  const MlSealOptions seal = { .rules = options->rules };
  const MlSealing sealing = { .options = &seal };
  *cipher = message->cbc_only || (options->cbc && !authenticated) ? CRYPTO_CIPHER_AES256_CBC : CRYPTO_CIPHER_AES256_GCM;
  if (!ml_seal_cipher(&sealing, cipher, error))
    return FALSE;
  if (message->cbc_only && is_gcm(*cipher))
    return leave(error,
                 "It is not signed and its cipher does not show changes; policy (min-cipher) asks for one that would "
                 "vouch for it from now on. Keep the old key for it.");
  return TRUE;
}

/* The field with another smime-type in the same place, if it says one; else anew. */
static char *
new_type(const MlEntity *root, const MlField *field, const char *kind)
{
  const char *says = ml_mime_param(root, "smime-type");
  const char *data = g_bytes_get_data(root->source, NULL);
  g_autofree char *raw = g_strndup(data + field->name, field->value + field->value_length - field->name);
  if (!says || g_ascii_strcasecmp(says, kind) == 0)
    return g_steal_pointer(&raw);
  g_autofree char *lower = g_ascii_strdown(raw, -1);
  g_autofree char *old = g_ascii_strdown(says, -1);
  char *at = strstr(lower, old);
  gboolean once = at && *old && !strstr(at + 1, old);
  if (once)
    return g_strdup_printf("%.*s%s%s", (int)(at - lower), raw, kind, raw + (at - lower) + strlen(old));
  return g_strdup_printf("Content-Type: application/pkcs7-mime; smime-type=%s;\r\n name=\"smime.p7m\"", kind);
}

typedef struct {
  const MlEntity *root;
  CryptoSpool *spool;
  gsize copied; /* of the header */
} Header;

static gboolean
put_until(Header *header, gsize end, GError **error)
{
  const char *data = g_bytes_get_data(header->root->source, NULL);
  gsize from = header->copied;
  header->copied = MAX(from, end);
  return end <= from || crypto_spool_add(header->spool, data + from, end - from, error);
}

static gboolean
put_instead(Header *header, const MlField *field, const char *text, GError **error)
{
  if (!put_until(header, field->name, error) || !crypto_spool_add(header->spool, text, strlen(text), error))
    return FALSE;
  header->copied = field->value + field->value_length;
  return TRUE;
}

/* The header as it is, but that the body is base64 now, and which kind of encryption. */
static gboolean
put_header(const MlEntity *root, CryptoSpool *spool, const char *kind, GError **error)
{
  static const char transfer[] = "Content-Transfer-Encoding: base64";
  Header header = { root, spool, 0 };
  gboolean has_transfer = ml_mime_field_count(root, "Content-Transfer-Encoding") > 0;
  for (guint i = 0; i < root->fields->len; i++) {
    const MlField *field = &g_array_index(root->fields, MlField, i);
    g_autofree char *name = ml_mime_field_name(root, field);
    if (g_ascii_strcasecmp(name, "Content-Type") == 0) {
      g_autofree char *type = new_type(root, field, kind);
      g_autofree char *both = has_transfer ? NULL : g_strconcat(type, "\r\n", transfer, NULL);
      if (!put_instead(&header, field, both ? both : type, error))
        return FALSE;
    } else if (g_ascii_strcasecmp(name, "Content-Transfer-Encoding") == 0 && root->transfer != ML_TRANSFER_BASE64) {
      if (!put_instead(&header, field, transfer, error))
        return FALSE;
    }
  }
  return put_until(&header, root->body, error);
}

/* --- what came of it */

static gboolean
same_text(const char *a, const char *b)
{
  return g_strcmp0(a, b) == 0;
}

/* A weak cipher may have been a reason for doubt before; nothing else may change. */
static gboolean
same_verdict(const MlMessage *before, const MlMessage *after)
{
  const MlVerdict *a = before->verdict, *b = after->verdict;
  gboolean raised = a->encryption == ML_ENCRYPTION_LEGACY;
  return b->encryption == ML_ENCRYPTION_DECRYPTED && a->signature == b->signature &&
         (raised || a->indicator == b->indicator) && a->protected_headers == b->protected_headers &&
         a->signer_matches_from == b->signer_matches_from && same_text(a->signer_address, b->signer_address) &&
         g_strv_equal((const char *const *)a->trust_errors, (const char *const *)b->trust_errors) &&
         before->cbc_only == after->cbc_only && before->errant_signature == after->errant_signature &&
         before->errant_encryption == after->errant_encryption &&
         same_text(before->text->str, after->text->str) &&
         g_strv_equal((const char *const *)before->outer_differs, (const char *const *)after->outer_differs) &&
         (!a->envelope || !a->envelope->authenticated || (b->envelope && b->envelope->authenticated));
}

static gboolean
same_bytes(GBytes *a, GBytes *b)
{
  gsize length, other;
  const guint8 *x = g_bytes_get_data(a, &length), *y = g_bytes_get_data(b, &other);
  for (gsize at = 0; length == other && at < length; at += STEP) {
    gsize part = MIN((gsize)STEP, length - at);
    if (memcmp(x + at, y + at, part) != 0)
      return FALSE;
    crypto_mapping_release(x + at, x + at + part);
    crypto_mapping_release(y + at, y + at + part);
  }
  return length == other;
}

static gboolean
check_made(const MlMessage *before, GBytes *content, const MlRekeyOptions *options, MlRekeyed *made, GError **error)
{
  g_autoptr(MlMessage) after = read_message(made->message, options, error);
  if (!after || !check_layers(after, error))
    return FALSE;
  g_autoptr(GBytes) got = ml_message_decrypted(after, TRUE, error);
  if (!got)
    return FALSE;
  made->new_digest = ml_rekey_digest(made->message);
  if (!made->new_digest || !same_bytes(got, content))
    return leave(error, "What was decrypted from the new copy is not what was in the old one.");
  const char *says = ml_mime_param(after->root, "smime-type");
  if (says && g_ascii_strcasecmp(says, after->verdict->envelope->authenticated ? "authEnveloped-data" : "enveloped-data") != 0)
    return leave(error, "What its header says of the encryption cannot be changed safely.");
  if (!same_verdict(before, after))
    return leave(error, "The new copy would be judged otherwise: \"%s\" instead of \"%s\".", after->verdict->reason,
                 before->verdict->reason);
  return TRUE;
}

static GBytes *
make(const MlMessage *message, GBytes *content, const MlRekeyOptions *options, CryptoCipher cipher, GError **error)
{
  g_autoptr(CryptoSpool) spool = crypto_spool_new();
  g_autoptr(GPtrArray) inside = ml_seal_parts(content);
  if (!put_header(message->root, spool, is_gcm(cipher) ? "authEnveloped-data" : "enveloped-data", error) ||
      !ml_seal_ciphertext(spool, inside, options->rows, cipher, error))
    return NULL;
  g_autoptr(GBytes) bytes = crypto_spool_finish(spool, error);
  return bytes ? ml_lines_crlf(bytes) : NULL; /* the header of a file has LF */
}

gboolean
ml_rekey_message(GBytes *raw, const MlRekeyOptions *options, MlRekeyed *made, GError **error)
{
  CryptoCipher cipher;
  *made = (MlRekeyed){ .message = NULL };
  g_autoptr(MlMessage) message = read_message(raw, options, error);
  if (!message || !check_layers(message, error) || !check_form(message->root, &made->old_digest, error))
    return FALSE;
  g_autoptr(GBytes) content = ml_message_decrypted(message, TRUE, error);
  if (!content || !check_content(message, content, error) || !choose_cipher(message, options, &cipher, error))
    return FALSE;
  made->cipher = cipher_names[cipher];
  made->raised = message->verdict->encryption == ML_ENCRYPTION_LEGACY;
  made->inner = message->errant_encryption;
  made->message = make(message, content, options, cipher, error);
  if (!made->message || !check_made(message, content, options, made, error))
    return FALSE;
  if (options->opened)
    options->opened(message, options->uid, options->user_data);
  return TRUE;
}

/* --- what the store gives back */

static gboolean
is_the_stores(const char *name)
{
  return g_ascii_strcasecmp(name, "Status") == 0 || g_ascii_strcasecmp(name, "X-Status") == 0 ||
         g_ascii_strcasecmp(name, "X-Keywords") == 0;
}

/* The next field from *@at on that is the message's own, with folds but whatever its line ends; NULL: no more. */
static char *
next_field(const MlEntity *root, guint *at)
{
  const char *data = g_bytes_get_data(root->source, NULL);
  while (*at < root->fields->len) {
    const MlField *field = &g_array_index(root->fields, MlField, (*at)++);
    g_autofree char *name = ml_mime_field_name(root, field);
    if (is_the_stores(name))
      continue;
    GString *text = g_string_new(NULL);
    for (gsize i = field->name; i < field->value + field->value_length; i++)
      if (data[i] != '\r')
        g_string_append_c(text, data[i] ? data[i] : ' ');
    return g_string_free(text, FALSE);
  }
  return NULL;
}

gboolean
ml_rekey_same(GBytes *stored, GBytes *given)
{
  g_autoptr(MlEntity) a = ml_scan(stored, TRUE, NULL), b = ml_scan(given, TRUE, NULL);
  g_autofree char *one = ml_rekey_digest(stored), *other = ml_rekey_digest(given);
  if (!a || !b || !one || !other || strcmp(one, other) != 0)
    return FALSE;
  for (guint i = 0, k = 0;;) {
    g_autofree char *x = next_field(a, &i), *y = next_field(b, &k);
    if (!x || !y)
      return !x && !y;
    if (strcmp(x, y) != 0)
      return FALSE;
  }
}

char *
ml_rekey_fields(GBytes *raw)
{
  g_autoptr(MlEntity) root = ml_scan(raw, TRUE, NULL);
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  if (!root)
    return NULL;
  for (guint i = 0;;) {
    g_autofree char *field = next_field(root, &i);
    if (!field)
      return g_strdup(g_checksum_get_string(sum));
    g_autofree char *name = ml_mime_field_name(root, &g_array_index(root->fields, MlField, i - 1));
    if (g_ascii_strcasecmp(name, "Content-Type") != 0 && g_ascii_strcasecmp(name, "Content-Transfer-Encoding") != 0)
      g_checksum_update(sum, (const guchar *)field, (gssize)strlen(field) + 1);
  }
}
