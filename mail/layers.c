#include "mail/message-private.h"

#include <string.h>

typedef struct {
  MlEntity *entity;
  char *words;
} Note;

void
ml_layer_free(MlLayer *layer)
{
  if (layer->signers)
    g_ptr_array_unref(layer->signers);
  crypto_envelope_free(layer->envelope);
  g_clear_error(&layer->error);
  g_free(layer);
}

static void
note_free(Note *note)
{
  g_free(note->words);
  g_free(note);
}

void
ml_message_note(MlMessage *message, MlEntity *entity, const char *words)
{
  if (!message->notes)
    message->notes = g_ptr_array_new_with_free_func((GDestroyNotify)note_free);
  Note *note = g_new0(Note, 1);
  note->entity = entity;
  note->words = g_strdup(words);
  g_ptr_array_add(message->notes, note);
}

const char *
ml_message_note_of(const MlMessage *message, const MlEntity *entity)
{
  for (guint i = 0; message->notes && i < message->notes->len; i++) {
    const Note *note = g_ptr_array_index(message->notes, i);
    if (note->entity == entity)
      return note->words;
  }
  return NULL;
}

MlLayer *
ml_layers_of(const MlMessage *message, const MlEntity *entity)
{
  for (guint i = 0; i < message->layers->len; i++) {
    MlLayer *layer = g_ptr_array_index(message->layers, i);
    if (layer->entity == entity)
      return layer;
  }
  return NULL;
}

/* RFC 8551 3.9: gateways that do not know the types call them application/octet-stream and keep the names. */
static gboolean
is_octets_named(const MlEntity *entity, const char *const *endings)
{
  const char *dot = entity->filename ? strrchr(entity->filename, '.') : NULL;
  if (!dot || !ml_mime_is(entity, "application/octet-stream"))
    return FALSE;
  for (; *endings; endings++)
    if (g_ascii_strcasecmp(dot, *endings) == 0)
      return TRUE;
  return FALSE;
}

gboolean
ml_layers_is_signature_part(const MlEntity *entity)
{
  static const char *const endings[] = { ".p7s", NULL };
  return ml_mime_is(entity, "application/pkcs7-signature") ||
         ml_mime_is(entity, "application/x-pkcs7-signature") ||
         (entity->parent && ml_mime_is(entity->parent, "multipart/signed") &&
          is_octets_named(entity, endings));
}

/* RFC 8551 3.5.3.2 wants the protocol parameter; where it is missing the parts speak for themselves. Where it
 * names another protocol the message is that protocol's, whatever its parts are. */
static MlCryptoKind
signed_kind(const MlEntity *entity)
{
  const char *protocol = ml_mime_param(entity, "protocol");
  if (protocol)
    return g_ascii_strcasecmp(protocol, "application/pkcs7-signature") == 0 ||
                   g_ascii_strcasecmp(protocol, "application/x-pkcs7-signature") == 0
               ? ML_CRYPTO_DETACHED
               : ML_CRYPTO_NONE;
  for (guint i = 0; entity->children && i < entity->children->len; i++)
    if (ml_layers_is_signature_part(g_ptr_array_index(entity->children, i)))
      return ML_CRYPTO_DETACHED;
  return ML_CRYPTO_NONE;
}

MlCryptoKind
ml_layers_kind(const MlEntity *entity, gboolean at_root)
{
  if (ml_mime_is(entity, "multipart/signed"))
    return signed_kind(entity);
  if (ml_mime_is(entity, "application/pkcs7-mime") || ml_mime_is(entity, "application/x-pkcs7-mime"))
    return ML_CRYPTO_CMS;
  static const char *const endings[] = { ".p7m", ".p7z", ".p7c", NULL };
  return at_root && is_octets_named(entity, endings) ? ML_CRYPTO_CMS : ML_CRYPTO_NONE;
}

static MlLayer *
add_layer(MlMessage *message, MlLayerKind kind, MlEntity *entity)
{
  MlLayer *layer = g_new0(MlLayer, 1);
  layer->kind = kind;
  layer->entity = entity;
  g_ptr_array_add(message->layers, layer);
  return layer;
}

static void
keep_certs(MlMessage *message, CryptoCms *cms)
{
  g_autoptr(GPtrArray) certs = crypto_cms_certs(cms);
  for (guint i = 0; certs && i < certs->len; i++)
    g_ptr_array_add(message->certs, crypto_cert_ref(g_ptr_array_index(certs, i)));
}

/* All that signers may be found among; borrowed elements. */
static GPtrArray *
candidates(const MlMessage *message, const MlReadOptions *options)
{
  GPtrArray *all = g_ptr_array_new();
  for (guint i = 0; i < message->certs->len; i++)
    g_ptr_array_add(all, g_ptr_array_index(message->certs, i));
  for (guint i = 0; options->certs && i < options->certs->len; i++)
    g_ptr_array_add(all, g_ptr_array_index(options->certs, i));
  return all;
}

static void
verify(MlMessage *message, MlLayer *layer, CryptoCms *cms, GBytes *detached, const MlReadOptions *options)
{
  keep_certs(message, cms);
  g_autoptr(GPtrArray) extra = candidates(message, options);
  layer->signers = crypto_cms_verify(cms, detached, extra, &layer->error);
}

static void
set_broken(MlLayer *layer, const char *words)
{
  g_clear_error(&layer->error);
  g_set_error_literal(&layer->error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED, words);
}

static CryptoCms *
parse_cms(const MlEntity *entity, GError **error)
{
  gboolean cut = FALSE;
  g_autoptr(GBytes) bytes = ml_mime_decode(entity, ML_CMS_SIZE, &cut);
  if (cut) {
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                        "This S/MIME part is larger than 192 MiB, which is more than signet reads.");
    return NULL;
  }
  return crypto_cms_parse(bytes, error);
}

/* multipart/signed. Returns the signed part, to look for further layers in; NULL: there is none to be found. */
static MlEntity *
open_detached(MlMessage *message, MlEntity *entity, const MlReadOptions *options)
{
  GPtrArray *parts = entity->children;
  MlEntity *content = parts && parts->len ? g_ptr_array_index(parts, 0) : NULL;
  if (!parts || parts->len != 2 || entity->beyond ||
      !ml_layers_is_signature_part(g_ptr_array_index(parts, 1))) {
    set_broken(
        add_layer(message, ML_LAYER_SIGNED, entity),
        "A signed message has two parts, the text and its signature; this one is put together otherwise.");
    return NULL;
  }
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCms) cms = parse_cms(g_ptr_array_index(parts, 1), &error);
  if (cms && crypto_cms_kind(cms) == CRYPTO_CMS_CERTS_ONLY) {
    keep_certs(message, cms);
    ml_message_note(message, entity,
                    "There is a signature part, but nobody signed in it: this message is not signed.");
    return NULL;
  }
  MlLayer *layer = add_layer(message, ML_LAYER_SIGNED, entity);
  g_autoptr(GBytes) enclosed =
      cms && crypto_cms_kind(cms) == CRYPTO_CMS_SIGNED ? crypto_cms_content(cms) : NULL;
  if (!cms) {
    layer->error = g_steal_pointer(&error);
  } else if (crypto_cms_kind(cms) != CRYPTO_CMS_SIGNED) {
    set_broken(layer, "The signature part holds no signature.");
  } else if (strcmp(crypto_cms_content_type(cms), "data") != 0) {
    set_broken(layer, "The signature is over another kind of content than mail (RFC 8551 2.4.2).");
  } else if (enclosed) {
    keep_certs(message, cms);
    set_broken(layer, "The signature brings a text of its own instead of signing the one that is shown.");
  } else {
    g_autoptr(GBytes) covered = ml_scan_canonical(content, &layer->error);
    if (covered)
      verify(message, layer, cms, covered, options);
  }
  return content;
}

/* What a layer held becomes an entity of its own below it. Content that is no MIME entity is shown as text. */
static MlEntity *
hold(MlEntity *entity, GBytes *content)
{
  g_autoptr(GError) error = NULL;
  entity->opened = ml_scan(content, FALSE, &error);
  if (entity->opened)
    entity->opened->parent = entity;
  return entity->opened;
}

static const char *
smime_type(const MlEntity *entity)
{
  const char *type = ml_mime_param(entity, "smime-type");
  return type ? type : "";
}

/* The part is no CMS that can be read: what it claims to be decides what is said of it. */
static void
note_unreadable(MlMessage *message, MlEntity *entity, GError *error)
{
  const char *claim = smime_type(entity);
  if (g_ascii_strcasecmp(claim, "certs-only") == 0 || g_ascii_strcasecmp(claim, "compressed-data") == 0) {
    ml_message_note(message, entity, error->message);
    g_error_free(error);
    return;
  }
  gboolean is_signature = g_ascii_strcasecmp(claim, "signed-data") == 0;
  add_layer(message, is_signature ? ML_LAYER_SIGNED : ML_LAYER_ENCRYPTED, entity)->error = error;
}

static GBytes *
open_encrypted(MlMessage *message, MlEntity *entity, CryptoCms *cms, const MlReadOptions *options)
{
  MlLayer *layer = add_layer(message, ML_LAYER_ENCRYPTED, entity);
  layer->envelope = crypto_cms_envelope(cms);
  if (options->sealed) {
    g_set_error_literal(&layer->error, CRYPTO_ERROR, CRYPTO_ERROR_PIN, "It was not to be opened.");
    return NULL;
  }
  return crypto_cms_decrypt(cms, options->pin, &layer->error);
}

static void
note_certs(MlMessage *message, MlEntity *entity, CryptoCms *cms)
{
  g_autoptr(GPtrArray) certs = crypto_cms_certs(cms);
  g_autoptr(GString) words =
      g_string_new("This message brings certificates and no signature. Nothing is trusted or "
                   "kept because it came by mail; import what you want to keep:");
  for (guint i = 0; certs && i < MIN(certs->len, 20u); i++) {
    CryptoCert *cert = g_ptr_array_index(certs, i);
    g_string_append_printf(words, "\n  %s, issued by %s", crypto_cert_common_name(cert),
                           crypto_cert_issuer_name(cert));
  }
  keep_certs(message, cms);
  ml_message_note(message, entity, words->str);
}

/* application/pkcs7-mime: what its content says it is, not what smime-type says. Returns what was inside. */
static MlEntity *
open_cms(MlMessage *message, MlEntity *entity, const MlReadOptions *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCms) cms = parse_cms(entity, &error);
  if (!cms) {
    note_unreadable(message, entity, g_steal_pointer(&error));
    return NULL;
  }
  g_autoptr(GBytes) content = NULL;
  switch (crypto_cms_kind(cms)) {
  case CRYPTO_CMS_SIGNED: {
    MlLayer *layer = add_layer(message, ML_LAYER_SIGNED, entity);
    content = crypto_cms_content(cms);
    if (content && strcmp(crypto_cms_content_type(cms), "data") != 0) {
      g_set_error(&layer->error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED,
                  "What is signed is not mail but %s, which signet does not read.",
                  crypto_cms_content_type(cms));
      g_clear_pointer(&content, g_bytes_unref);
    } else if (content)
      verify(message, layer, cms, NULL, options);
    else
      set_broken(layer, "The signature is here, but the text that it signs is not.");
    break;
  }
  case CRYPTO_CMS_CERTS_ONLY:
    content = crypto_cms_content(cms);
    if (content && g_bytes_get_size(content))
      ml_message_note(message, entity, "This is wrapped like a signed message, but nobody signed it.");
    else
      note_certs(message, entity, cms);
    break;
  case CRYPTO_CMS_ENVELOPED:
  case CRYPTO_CMS_AUTH_ENVELOPED:
    content = open_encrypted(message, entity, cms, options);
    break;
  case CRYPTO_CMS_COMPRESSED: {
    MlLayer *layer = add_layer(message, ML_LAYER_COMPRESSED, entity);
    content = crypto_cms_decompress(cms, &layer->error);
    if (!content)
      ml_message_note(message, entity, layer->error->message);
    break;
  }
  case CRYPTO_CMS_OTHER: {
    g_autofree char *words =
        g_strdup_printf("signet cannot read this kind of S/MIME content (%s). Ask the sender for an "
                        "ordinary signed or encrypted message.",
                        crypto_cms_type_name(cms));
    if (strcmp(crypto_cms_type_name(cms), "EncryptedData") == 0)
      g_set_error_literal(&add_layer(message, ML_LAYER_ENCRYPTED, entity)->error, CRYPTO_ERROR,
                          CRYPTO_ERROR_UNSUPPORTED, words);
    ml_message_note(message, entity, words);
    break;
  }
  }
  return content ? hold(entity, content) : NULL;
}

/* The envelope: layers directly around each other from the root on. Compression hides what is within it from
 * the envelope (it is no cryptographic layer), but what it is within still protects it. */
static gboolean
open_envelope(MlMessage *message, const MlReadOptions *options, GCancellable *cancellable, GError **error)
{
  MlEntity *entity = message->root;
  while (entity && message->layers->len < ML_LAYERS) {
    if (g_cancellable_is_cancelled(cancellable)) {
      g_set_error_literal(error, ML_ERROR, ML_ERROR_CANCELLED, "Reading the message was cancelled.");
      return FALSE;
    }
    message->payload = entity;
    guint before = message->layers->len;
    MlCryptoKind kind = ml_layers_kind(entity, TRUE);
    if (kind == ML_CRYPTO_NONE)
      break;
    MlEntity *inside = kind == ML_CRYPTO_DETACHED ? open_detached(message, entity, options)
                                                  : open_cms(message, entity, options);
    if (message->layers->len == before)
      break; /* it turned out to be no layer: certificates, no signer */
    const MlLayer *layer = g_ptr_array_index(message->layers, before);
    if (layer->error && layer->kind == ML_LAYER_ENCRYPTED)
      inside = NULL;
    if (!inside) {
      if (layer->kind == ML_LAYER_ENCRYPTED)
        message->payload = NULL; /* nothing of it can be shown */
      break;
    }
    message->payload = entity = inside;
    if (layer->kind == ML_LAYER_COMPRESSED)
      break;
  }
  return TRUE;
}

/* A cryptographic part that is not of the envelope. Signatures there earn no mark and are not verified; what is
 * encrypted stays closed until the user asks, so that no reply can be made to carry it (DESIGN: reply oracles). */
static void
look_into(MlMessage *message, MlEntity *entity, const MlReadOptions *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CryptoCms) cms = parse_cms(entity, &error);
  if (!cms) {
    ml_message_note(message, entity, error->message);
    return;
  }
  g_autoptr(GBytes) content = NULL;
  switch (crypto_cms_kind(cms)) {
  case CRYPTO_CMS_SIGNED:
    message->errant_signature = TRUE;
    content = crypto_cms_content(cms);
    keep_certs(message, cms);
    break;
  case CRYPTO_CMS_CERTS_ONLY:
    content = crypto_cms_content(cms);
    if (!content)
      note_certs(message, entity, cms);
    break;
  case CRYPTO_CMS_COMPRESSED:
    content = crypto_cms_decompress(cms, &error);
    break;
  case CRYPTO_CMS_ENVELOPED:
  case CRYPTO_CMS_AUTH_ENVELOPED:
    message->errant_encryption = TRUE;
    g_hash_table_add(message->locked, entity);
    if (options->open_errant && !options->sealed)
      content = crypto_cms_decrypt(cms, options->pin, &error);
    if (content) {
      g_hash_table_remove(message->locked, entity);
      g_hash_table_add(message->opened, entity);
    }
    break;
  case CRYPTO_CMS_OTHER:
    break;
  }
  if (error)
    ml_message_note(message, entity, error->message);
  if (content)
    hold(entity, content);
}

static void
find_errant(MlMessage *message, MlEntity *entity, const MlReadOptions *options, guint *budget)
{
  if (!ml_layers_of(message, entity) && !ml_message_note_of(message, entity)) {
    MlCryptoKind kind = ml_layers_kind(entity, FALSE);
    if (kind == ML_CRYPTO_DETACHED && entity->children && entity->children->len > 1)
      message->errant_signature = TRUE;
    if (kind == ML_CRYPTO_CMS && *budget && !entity->opened) {
      (*budget)--;
      look_into(message, entity, options);
    }
  }
  for (guint i = 0; entity->children && i < entity->children->len; i++)
    find_errant(message, g_ptr_array_index(entity->children, i), options, budget);
  if (entity->opened)
    find_errant(message, entity->opened, options, budget);
}

/* Of signatures directly around each other the outer counts; one that is only around ciphertext says nothing of
 * the text (RFC 8551 3.7), so the search begins within the innermost encryption. */
static int
signature_that_counts(const MlMessage *message)
{
  guint from = 0;
  for (guint i = 0; i < message->layers->len; i++)
    if (((MlLayer *)g_ptr_array_index(message->layers, i))->kind == ML_LAYER_ENCRYPTED)
      from = i + 1;
  if (from < message->layers->len &&
      ((MlLayer *)g_ptr_array_index(message->layers, from))->kind == ML_LAYER_SIGNED)
    return (int)from;
  return -1;
}

/* Why a signature layer does not verify; NULL: it does, or there is not enough here to tell. */
static const char *
what_broke(const MlLayer *layer)
{
  if (layer->error)
    return g_error_matches(layer->error, CRYPTO_ERROR, CRYPTO_ERROR_UNSUPPORTED) ? NULL
                                                                                 : layer->error->message;
  for (guint i = 0; layer->signers && i < layer->signers->len; i++) {
    const CryptoSigner *signer = g_ptr_array_index(layer->signers, i);
    if (signer->state == CRYPTO_SIGNATURE_ALTERED || signer->state == CRYPTO_SIGNATURE_FORGED)
      return "A signature around the encryption does not verify: the message was altered on its way, or put "
             "together "
             "by somebody else.";
  }
  return NULL;
}

static gboolean
is_intact(const MlLayer *layer)
{
  for (guint i = 0; layer->signers && i < layer->signers->len; i++)
    if (((CryptoSigner *)g_ptr_array_index(layer->signers, i))->state != CRYPTO_SIGNATURE_INTACT)
      return FALSE;
  return layer->signers && layer->signers->len;
}

static void
judge_layers(MlMessage *message)
{
  gboolean encrypted = FALSE, authenticated = FALSE;
  for (guint i = 0; i < message->layers->len; i++) {
    const MlLayer *layer = g_ptr_array_index(message->layers, i);
    if (layer->kind == ML_LAYER_ENCRYPTED && !layer->error) {
      encrypted = TRUE;
      /* the innermost counts: who wraps a changed one in his own authenticates his change */
      authenticated = layer->envelope && layer->envelope->authenticated;
    }
    if (layer->kind == ML_LAYER_SIGNED && (int)i < message->message_signature && !message->outer_broken)
      message->outer_broken = what_broke(layer);
  }
  message->signature_intact =
      message->message_signature >= 0 && !message->outer_broken &&
      is_intact(g_ptr_array_index(message->layers, (guint)message->message_signature));
  message->cbc_only = encrypted && !authenticated && !message->signature_intact;
}

gboolean
ml_layers_open(MlMessage *message, const MlReadOptions *options, GCancellable *cancellable, GError **error)
{
  if (!open_envelope(message, options, cancellable, error))
    return FALSE;
  message->message_signature = signature_that_counts(message);
  judge_layers(message);
  guint budget = ML_ERRANT;
  find_errant(message, message->root, options, &budget);
  return TRUE;
}
