#include "ui/json-message.h"

static const char *
revocation_word(CryptoRevocation revocation)
{
  static const char *const words[] = { "not-checked", "good", "revoked", "unknown" };
  return words[revocation];
}

static void
add_chain(JsonBuilder *json, const CryptoChain *chain)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; chain && chain->certs && i < chain->certs->len; i++)
    g_ptr_array_add(names, (char *)crypto_cert_subject(chain->certs->pdata[i]));
  g_ptr_array_add(names, NULL);
  ui_json_strings(json, "chain", (const char *const *)names->pdata);
}

static void
add_signer(JsonBuilder *json, const MlSigner *signer)
{
  CryptoCert *cert = signer->cms->cert;
  ui_json_object(json, NULL);
  ui_json_string(json, "subject", cert ? crypto_cert_subject(cert) : NULL);
  ui_json_string(json, "issuer", cert ? crypto_cert_issuer(cert) : NULL);
  ui_json_string(json, "serial", cert ? crypto_cert_serial(cert) : NULL);
  ui_json_string(json, "sha256", cert ? crypto_cert_sha256(cert) : NULL);
  ui_json_string(json, "identifier", signer->cms->identifier);
  ui_json_strings(json, "addresses", cert ? crypto_cert_addresses(cert) : NULL);
  ui_json_time(json, "not_before", cert ? crypto_cert_not_before(cert) : 0);
  ui_json_time(json, "not_after", cert ? crypto_cert_not_after(cert) : 0);
  ui_json_time(json, "signing_time", signer->cms->has_signing_time ? signer->cms->signing_time : 0);
  ui_json_string(json, "digest", signer->cms->digest);
  ui_json_string(json, "algorithm", signer->cms->algorithm);
  ui_json_bool(json, "intact", signer->cms->state == CRYPTO_SIGNATURE_INTACT);
  ui_json_bool(json, "matches_from", signer->matches_from);
  ui_json_strings(json, "trust_errors", (const char *const *)signer->trust_words);
  ui_json_string(json, "revocation",
                 revocation_word(signer->now ? signer->now->revocation : CRYPTO_REVOCATION_NOT_CHECKED));
  add_chain(json, signer->now);
  json_builder_end_object(json);
}

static void
add_cipher(JsonBuilder *json, const MlVerdict *verdict)
{
  const CryptoEnvelope *envelope = verdict->envelope;
  if (!envelope) {
    ui_json_null(json, "cipher");
    return;
  }
  ui_json_object(json, "cipher");
  ui_json_string(json, "algorithm", envelope->algorithm);
  ui_json_bool(json, "authenticated", envelope->authenticated);
  ui_json_string(json, "key_transport", envelope->key_transport);
  ui_json_string(json, "token", envelope->token);
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; envelope->recipients && i < envelope->recipients->len; i++)
    g_ptr_array_add(names, envelope->recipients->pdata[i]);
  g_ptr_array_add(names, NULL);
  ui_json_strings(json, "recipients", (const char *const *)names->pdata);
  json_builder_end_object(json);
}

/* Of a field that stands there twice, both. */
static char *
header_values(const MlMessage *message, const char *name)
{
  GPtrArray *lines = ml_message_headers(message);
  g_autoptr(GPtrArray) values = g_ptr_array_new();
  for (guint i = 0; i < lines->len; i++) {
    const MlHeaderLine *line = lines->pdata[i];
    if (g_ascii_strcasecmp(line->name, name) == 0)
      g_ptr_array_add(values, line->value);
  }
  if (!values->len)
    return NULL;
  g_ptr_array_add(values, NULL);
  return g_strjoinv(", ", (char **)values->pdata);
}

static void
add_headers(JsonBuilder *json, const MlMessage *message)
{
  static const char *const names[] = { "from", "to", "cc", "subject", "date", "reply-to", "sender" };
  ui_json_object(json, "headers");
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *value = header_values(message, names[i]);
    if (value || i < 5)
      ui_json_string(json, names[i], value);
  }
  ui_json_strings(json, "outer_differs", (const char *const *)ml_message_outer_differs(message));
  json_builder_end_object(json);
}

static void
add_covered(JsonBuilder *json, const MlMessage *message)
{
  GPtrArray *blocks = ml_message_blocks(message);
  ui_json_array(json, "covered");
  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    if (block->kind == ML_BLOCK_NOTICE)
      continue;
    ui_json_object(json, NULL);
    ui_json_int(json, "from_line", block->from_line);
    ui_json_int(json, "to_line", block->to_line);
    ui_json_bool(json, "signed", block->is_signed);
    ui_json_bool(json, "encrypted", block->encrypted);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

static void
add_attachments(JsonBuilder *json, const MlMessage *message)
{
  GPtrArray *parts = ml_message_parts(message);
  ui_json_array(json, "attachments");
  for (guint i = 0; i < parts->len; i++) {
    const MlPart *part = parts->pdata[i];
    if (!part->attachment)
      continue;
    ui_json_object(json, NULL);
    ui_json_int(json, "part", i);
    ui_json_string(json, "name", part->name);
    ui_json_string(json, "save_as", part->save_as);
    ui_json_string(json, "type", part->type);
    ui_json_int(json, "size", (gint64)part->size);
    ui_json_bool(json, "signed", part->is_signed);
    ui_json_bool(json, "encrypted", part->encrypted);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

static void
add_notices(JsonBuilder *json, const MlMessage *message)
{
  GPtrArray *blocks = ml_message_blocks(message);
  g_autoptr(GPtrArray) notices = g_ptr_array_new();
  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    if (block->kind == ML_BLOCK_NOTICE)
      g_ptr_array_add(notices, block->text);
  }
  g_ptr_array_add(notices, NULL);
  ui_json_strings(json, "notices", (const char *const *)notices->pdata);
}

static void
add_sentences(JsonBuilder *json, const char *name, GPtrArray *sentences)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (guint i = 0; i < sentences->len; i++)
    g_ptr_array_add(all, sentences->pdata[i]);
  g_ptr_array_add(all, NULL);
  ui_json_strings(json, name, (const char *const *)all->pdata);
}

/* Empty unless the user let it ask. */
static void
add_asked(JsonBuilder *json, const MlMessage *message)
{
  GPtrArray *asked = ml_message_asked(message);
  ui_json_array(json, "network");
  for (guint i = 0; asked && i < asked->len; i++) {
    const CryptoAsked *one = asked->pdata[i];
    json_builder_begin_object(json);
    ui_json_string(json, "kind", crypto_ask_word(one->kind));
    ui_json_string(json, "url", one->url);
    ui_json_string(json, "failure", one->failure);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

void
ui_json_message(JsonBuilder *json, const char *input, const MlMessage *message)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  ui_json_string(json, "input", input);
  ui_json_string(json, "signature", ml_signature_word(verdict->signature));
  ui_json_string(json, "encryption", ml_encryption_word(verdict->encryption));
  ui_json_string(json, "signer_address", verdict->signer_address);
  if (verdict->signer_matches_from == ML_UNKNOWN)
    ui_json_null(json, "signer_matches_from");
  else
    ui_json_bool(json, "signer_matches_from", verdict->signer_matches_from == ML_YES);
  ui_json_string(json, "indicator", ml_indicator_word(verdict->indicator));
  ui_json_string(json, "protected_headers", ml_protected_word(verdict->protected_headers));
  ui_json_strings(json, "trust_errors", (const char *const *)verdict->trust_errors);
  ui_json_string(json, "reason", verdict->reason);
  ui_json_string(json, "next_step", verdict->next_step);
  add_sentences(json, "warnings", verdict->warnings);
  add_sentences(json, "remarks", verdict->notices); /* "notices" are about parts */
  ui_json_array(json, "signers");
  for (guint i = 0; i < verdict->signers->len; i++)
    add_signer(json, verdict->signers->pdata[i]);
  json_builder_end_array(json);
  add_cipher(json, verdict);
  add_headers(json, message);
  ui_json_string(json, "text", ml_message_text(message));
  add_covered(json, message);
  add_notices(json, message);
  add_attachments(json, message);
  add_asked(json, message);
}
