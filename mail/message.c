#include "crypto/keyuse.h"
#include "mail/headers-private.h"
#include "mail/message-private.h"
#include "mail/people.h"

#include <string.h>

enum {
  MESSAGE_SIZE = 1024 * 1024 * 1024,
  ISSUERS_MAX = 3, /* authorities fetched for one signer */
};

static void
signer_free(MlSigner *signer)
{
  crypto_signer_free(signer->cms);
  crypto_chain_free(signer->now);
  crypto_chain_free(signer->then);
  g_strfreev(signer->trust_words);
  g_free(signer);
}

void
ml_message_free(MlMessage *message)
{
  if (!message)
    return;
  g_clear_pointer(&message->headers, g_ptr_array_unref);
  g_clear_pointer(&message->blocks, g_ptr_array_unref);
  g_clear_pointer(&message->parts, g_ptr_array_unref);
  g_clear_pointer(&message->entities, g_ptr_array_unref);
  g_clear_pointer(&message->notes, g_ptr_array_unref);
  g_clear_pointer(&message->layers, g_ptr_array_unref);
  g_clear_pointer(&message->certs, g_ptr_array_unref);
  g_clear_pointer(&message->asked, g_ptr_array_unref);
  g_clear_pointer(&message->fetched, g_ptr_array_unref);
  g_clear_pointer(&message->locked, g_hash_table_unref);
  g_clear_pointer(&message->opened, g_hash_table_unref);
  g_clear_pointer(&message->outer, g_hash_table_unref);
  if (message->text)
    g_string_free(message->text, TRUE);
  g_strfreev(message->outer_differs);
  g_strfreev(message->from_addresses);
  ml_verdict_free(message->verdict);
  ml_entity_free(message->root);
  g_clear_pointer(&message->left, g_ptr_array_unref);
  g_free(message);
}

static const MlLayer *
signature_layer(const MlMessage *message)
{
  return message->message_signature < 0
             ? NULL
             : g_ptr_array_index(message->layers, (guint)message->message_signature);
}

/* Everything that a chain may be built with; borrowed elements. */
static GPtrArray *
chain_candidates(const MlMessage *message, const MlReadOptions *options)
{
  GPtrArray *all = g_ptr_array_new();
  for (guint i = 0; i < message->certs->len; i++)
    g_ptr_array_add(all, g_ptr_array_index(message->certs, i));
  for (guint i = 0; message->fetched && i < message->fetched->len; i++)
    g_ptr_array_add(all, g_ptr_array_index(message->fetched, i));
  for (guint i = 0; options->certs && i < options->certs->len; i++)
    g_ptr_array_add(all, g_ptr_array_index(options->certs, i));
  return all;
}

/* The chain of a signer as it is known here; and once more after asking, where the caller may ask. */
static CryptoChain *
judge_signer(MlMessage *message, const MlReadOptions *options, CryptoCert *cert, GPtrArray *extra)
{
  CryptoChain *chain = crypto_chain_check(cert, CRYPTO_USE_SIGN, options->at, options->revocation, extra);
  if (!options->asker)
    return chain;
  for (guint i = 0; i < ISSUERS_MAX; i++) {
    g_autoptr(GPtrArray) issuers = crypto_revocation_find_issuer(chain, options->asker, message->asked);
    if (!issuers)
      break;
    if (!message->fetched)
      message->fetched = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
    for (guint k = 0; k < issuers->len; k++) {
      g_ptr_array_add(message->fetched, crypto_cert_ref(issuers->pdata[k]));
      g_ptr_array_add(extra, issuers->pdata[k]);
    }
    crypto_chain_free(chain);
    chain = crypto_chain_check(cert, CRYPTO_USE_SIGN, options->at, options->revocation, extra);
  }
  if (options->revocation != CRYPTO_REVOCATION_OFF &&
      crypto_revocation_ask(chain, options->at, options->asker, message->asked)) {
    crypto_chain_free(chain);
    chain = crypto_chain_check(cert, CRYPTO_USE_SIGN, options->at, options->revocation, extra);
  }
  return chain;
}

GPtrArray *
ml_message_asked(const MlMessage *message)
{
  return message->asked;
}

/* Moves the layer's signers into the verdict's form, each with its chain: now, and where time is all that is
 * wrong with it, at the time of receipt too. */
static GPtrArray *
check_signers(MlMessage *message, const MlReadOptions *options)
{
  GPtrArray *signers = g_ptr_array_new_with_free_func((GDestroyNotify)signer_free);
  const MlLayer *layer = signature_layer(message);
  g_autoptr(GPtrArray) extra = chain_candidates(message, options);
  for (guint i = 0; layer && layer->signers && i < layer->signers->len; i++) {
    MlSigner *signer = g_new0(MlSigner, 1);
    signer->cms = g_ptr_array_index(layer->signers, i);
    g_ptr_array_add(signers, signer);
    if (!signer->cms->cert)
      continue;
    signer->now = judge_signer(message, options, signer->cms->cert, extra);
    const guint time = CRYPTO_TRUST_EXPIRED | CRYPTO_TRUST_ISSUER_EXPIRED;
    if (options->received && signer->now->problems && !(signer->now->problems & ~time))
      signer->then = crypto_chain_check(signer->cms->cert, CRYPTO_USE_SIGN, options->received,
                                        options->revocation, extra);
  }
  return signers;
}

static void
fill_facts(MlSignerFacts *facts, const MlSigner *signer)
{
  static const char *const nobody[] = { NULL };
  const CryptoSigner *cms = signer->cms;
  facts->state = cms->state;
  facts->reason = cms->reason;
  facts->weak_digest = cms->weak_digest;
  facts->has_time = cms->has_signing_time;
  facts->signing_time = cms->signing_time;
  facts->digest = cms->digest;
  facts->addresses = nobody;
  if (!cms->cert)
    return;
  facts->has_cert = TRUE;
  facts->addresses = crypto_cert_addresses(cms->cert);
  facts->not_before = crypto_cert_not_before(cms->cert);
  facts->not_after = crypto_cert_not_after(cms->cert);
  facts->subject = crypto_cert_subject(cms->cert);
  facts->problems = signer->now->problems;
  facts->sentence = signer->now->sentence;
  facts->received_inside = signer->then && !signer->then->problems;
}

/* The envelope of the verdict: the innermost one that was opened, or the one that could not be. */
static const MlLayer *
cipher_layer(const MlMessage *message)
{
  const MlLayer *found = NULL;
  for (guint i = 0; i < message->layers->len; i++) {
    const MlLayer *layer = g_ptr_array_index(message->layers, i);
    if (layer->kind == ML_LAYER_ENCRYPTED)
      found = layer;
  }
  return found;
}

static gboolean
same_authors(const MlAuthors *a, const MlAuthors *b)
{
  if (a->mailboxes->len != b->mailboxes->len)
    return FALSE;
  for (guint i = 0; i < a->mailboxes->len; i++) {
    const MlAddress *x = g_ptr_array_index(a->mailboxes, i), *y = g_ptr_array_index(b->mailboxes, i);
    if (strcmp(x->address, y->address) != 0 && !ml_address_equal(x->address, y->address))
      return FALSE;
  }
  return TRUE;
}

static void
fill_encryption(MlFacts *facts, const MlMessage *message)
{
  const MlLayer *cipher = cipher_layer(message);
  facts->errant_encryption = message->errant_encryption;
  if (!cipher)
    return;
  facts->encrypted = TRUE;
  facts->decrypt_error = cipher->error;
  facts->cipher = "an unknown cipher";
  for (guint i = 0; i < message->layers->len; i++) {
    const MlLayer *layer = g_ptr_array_index(message->layers, i);
    if (layer->kind != ML_LAYER_ENCRYPTED || !layer->envelope)
      continue;
    facts->cipher = layer->envelope->algorithm;
    facts->authenticated = facts->authenticated || layer->envelope->authenticated;
    facts->legacy = facts->legacy || layer->envelope->legacy;
  }
}

/* Is there a signature in the envelope that is only around ciphertext? */
static gboolean
has_ciphertext_signature(const MlMessage *message)
{
  gboolean signature = FALSE;
  for (guint i = 0; i < message->layers->len; i++) {
    MlLayerKind kind = ((MlLayer *)g_ptr_array_index(message->layers, i))->kind;
    if (kind == ML_LAYER_ENCRYPTED && signature)
      return TRUE;
    signature = signature || kind == ML_LAYER_SIGNED;
  }
  return FALSE;
}

static void
finish_signers(MlVerdict *verdict, GPtrArray *signers, GPtrArray **words)
{
  for (guint i = 0; i < signers->len; i++) {
    MlSigner *signer = g_ptr_array_index(signers, i);
    g_ptr_array_add(words[i], NULL);
    signer->trust_words = (char **)g_ptr_array_free(words[i], FALSE);
    const char *const *addresses = signer->cms->cert ? crypto_cert_addresses(signer->cms->cert) : NULL;
    for (guint a = 0; addresses && addresses[a] && verdict->signer_matches_from == ML_YES; a++)
      signer->matches_from = signer->matches_from || ml_address_equal(addresses[a], verdict->signer_address);
  }
  verdict->signers = signers;
}

/* The verdict at options->at, with its signers: their CMS part is the layer's. */
static MlVerdict *
build_verdict(MlMessage *message, const MlReadOptions *options, const MlAuthors *authors)
{
  const MlLayer *layer = signature_layer(message);
  GPtrArray *signers = check_signers(message, options);
  g_autofree MlSignerFacts *signer_facts = g_new0(MlSignerFacts, signers->len + 1);
  g_autofree GPtrArray **words = g_new0(GPtrArray *, signers->len + 1);
  for (guint i = 0; i < signers->len; i++) {
    fill_facts(&signer_facts[i], g_ptr_array_index(signers, i));
    words[i] = g_ptr_array_new();
  }
  g_autoptr(MlAuthors) outer = message->header_protection ? ml_protect_authors(message->root) : NULL;
  MlFacts facts = { .at = options->at,
                    .signed_layer = layer != NULL,
                    .signers = signer_facts,
                    .n_signers = signers->len,
                    .authors = authors,
                    .broken = layer ? layer->error : NULL };
  facts.outer_broken = message->outer_broken;
  facts.errant_signature = message->errant_signature;
  facts.ciphertext_signature = has_ciphertext_signature(message);
  facts.outer = outer && !same_authors(authors, outer) ? outer : NULL;
  const MlField *date = ml_mime_field(message->protected_by, "Date", 0);
  g_autofree char *raw_date = date ? ml_mime_field_raw(message->protected_by, date) : NULL;
  facts.date = ml_headers_date(raw_date);
  fill_encryption(&facts, message);
  MlVerdict *verdict = ml_verdict_judge(&facts, words);
  verdict->protected_headers = message->verdict->protected_headers;
  finish_signers(verdict, signers, words);
  return verdict;
}

static void
judge(MlMessage *message, const MlReadOptions *options)
{
  const MlLayer *layer = signature_layer(message);
  g_autoptr(MlAuthors) authors = ml_protect_authors(message->protected_by);
  message->asked = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_asked_free);
  MlVerdict *verdict = build_verdict(message, options, authors);
  if (layer && layer->signers)
    g_ptr_array_set_free_func(layer->signers, NULL); /* they are the verdict's now */
  ml_verdict_free(message->verdict);
  message->verdict = verdict;
  g_autoptr(GPtrArray) folded = g_ptr_array_new();
  for (guint i = 0; i < authors->mailboxes->len; i++) {
    const MlAddress *mailbox = g_ptr_array_index(authors->mailboxes, i);
    char *address = ml_address_fold(mailbox->address);
    if (address)
      g_ptr_array_add(folded, address);
  }
  g_ptr_array_add(folded, NULL);
  message->from_addresses = (char **)g_ptr_array_free(g_steal_pointer(&folded), FALSE);
}

MlVerdict *
ml_message_judge_at(MlMessage *message, const MlReadOptions *options)
{
  g_autoptr(MlAuthors) authors = ml_protect_authors(message->protected_by);
  MlReadOptions quiet = *options;
  quiet.asker = NULL;
  MlVerdict *verdict = build_verdict(message, &quiet, authors);
  for (guint i = 0; i < verdict->signers->len; i++)
    ((MlSigner *)verdict->signers->pdata[i])->cms = NULL; /* the message's own verdict has them */
  g_ptr_array_set_size(verdict->signers, 0);
  return verdict;
}

/* A store that cannot be read says nothing of the message: it is judged without. */
static void
expect(MlMessage *message, MlPeople *people)
{
  char **from = message->from_addresses;
  if (!people || !from[0] || from[1])
    return;
  CryptoCert *cert = NULL;
  GPtrArray *signers = message->verdict->signers;
  for (guint i = 0; i < signers->len && !cert; i++) {
    const MlSigner *signer = g_ptr_array_index(signers, i);
    cert = signer->matches_from ? signer->cms->cert : NULL;
  }
  g_autoptr(GError) error = NULL;
  g_autoptr(MlHistory) history = ml_people_history(people, from[0], cert, message->root->source, &error);
  if (history)
    ml_verdict_expect(message->verdict, from[0], cert ? crypto_cert_issuer(cert) : NULL, history);
  else
    g_message("%s", error->message);
}

static gboolean
needs_all(MlEntity *entity)
{
  gboolean needs = ml_layers_kind(entity, TRUE) != ML_CRYPTO_NONE || ml_layers_is_signature_part(entity);
  for (guint i = 0; entity->children && i < entity->children->len && !needs; i++)
    needs = needs_all(g_ptr_array_index(entity->children, i));
  return needs;
}

/* A message of which bytes are missing must have no cryptography to judge: whoever put it together saw to that,
 * and here it is held once more. */
static gboolean
mark_left(MlMessage *message, const MlReadOptions *options, GError **error)
{
  if (!options->left || !options->left->len)
    return TRUE;
  message->left = g_ptr_array_ref(options->left);
  ml_left_mark(message->root, message->left);
  if (!needs_all(message->root))
    return TRUE;
  g_set_error_literal(error, ML_ERROR, ML_ERROR_MALFORMED,
                      "This message is signed or encrypted and must be fetched whole.");
  return FALSE;
}

/* Parsed, opened as far as @options allow, laid out, and not judged yet. */
static MlMessage *
lay_out(GBytes *raw, const MlReadOptions *options, GCancellable *cancellable, GError **error)
{
  if (g_bytes_get_size(raw) > MESSAGE_SIZE) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_MALFORMED,
                        "This message is larger than 1 GiB and is not read.");
    return NULL;
  }
  g_autoptr(MlMessage) message = g_new0(MlMessage, 1);
  message->message_signature = -1;
  message->layers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_layer_free);
  message->certs = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  message->locked = g_hash_table_new(NULL, NULL);
  message->opened = g_hash_table_new(NULL, NULL);
  message->verdict = g_new0(MlVerdict, 1);
  message->root = ml_scan(raw, TRUE, error);
  if (!message->root || !mark_left(message, options, error))
    return NULL;
  g_autofree char *id = ml_headers_text(message->root, "Message-ID");
  crypto_keyuse_push(id);
  gboolean opened = ml_layers_open(message, options, cancellable, error);
  crypto_keyuse_pop();
  if (!opened)
    return NULL;
  ml_protect_read(message, message->signature_intact);
  ml_layout(message, options);
  return g_steal_pointer(&message);
}

MlMessage *
ml_message_read(GBytes *raw, const MlReadOptions *options, GCancellable *cancellable, GError **error)
{
  g_autoptr(MlMessage) message = lay_out(raw, options, cancellable, error);
  if (!message)
    return NULL;
  judge(message, options);
  expect(message, options->people);
  ml_protect_lines(message);
  MlLayer *cipher = (MlLayer *)cipher_layer(message);
  if (cipher)
    message->verdict->envelope = g_steal_pointer(&cipher->envelope);
  return g_steal_pointer(&message);
}

/* Its text, and the names of its parts. */
static char *
words_of(const MlMessage *message, gsize limit)
{
  GString *words = g_string_new_len(message->text->str, (gssize)MIN(message->text->len, limit + 1));
  for (guint i = 0; i < message->parts->len && words->len <= limit; i++) {
    const MlPart *part = g_ptr_array_index(message->parts, i);
    if (part->name)
      g_string_append_printf(words, "\n%s", part->name);
  }
  if (words->len > limit) {
    const char *end = g_utf8_find_prev_char(words->str, words->str + limit + 1);
    g_string_truncate(words, end ? (gsize)(end - words->str) : 0);
  }
  return g_string_free(words, FALSE);
}

char *
ml_message_plain(GBytes *raw, gsize limit, GCancellable *cancellable, GError **error)
{
  const MlReadOptions options = { .sealed = TRUE };
  g_autoptr(MlMessage) message = lay_out(raw, &options, cancellable, error);
  return message ? words_of(message, limit) : NULL;
}

char *
ml_message_opened(const MlMessage *message, gsize limit)
{
  gboolean any = message->verdict->encryption == ML_ENCRYPTION_DECRYPTED ||
                 message->verdict->encryption == ML_ENCRYPTION_LEGACY;
  for (guint i = 0; i < message->blocks->len && !any; i++) {
    const MlBlock *block = message->blocks->pdata[i];
    any = block->encrypted && block->kind != ML_BLOCK_NOTICE;
  }
  return any ? words_of(message, limit) : NULL;
}

const MlVerdict *
ml_message_verdict(const MlMessage *message)
{
  return message->verdict;
}

GPtrArray *
ml_message_headers(const MlMessage *message)
{
  return message->headers;
}

GPtrArray *
ml_message_blocks(const MlMessage *message)
{
  return message->blocks;
}

GPtrArray *
ml_message_parts(const MlMessage *message)
{
  return message->parts;
}

const char *
ml_message_text(const MlMessage *message)
{
  return message->text->str;
}

const char *
ml_message_header(const MlMessage *message, const char *name)
{
  for (guint i = 0; i < message->headers->len; i++) {
    const MlHeaderLine *line = g_ptr_array_index(message->headers, i);
    if (g_ascii_strcasecmp(line->name, name) == 0)
      return line->value;
  }
  return NULL;
}

char **
ml_message_outer_differs(const MlMessage *message)
{
  return message->outer_differs;
}

char **
ml_message_from_addresses(const MlMessage *message)
{
  return message->from_addresses;
}

GPtrArray *
ml_message_certs(const MlMessage *message)
{
  return message->certs;
}

static MlEntity *
part_entity(const MlMessage *message, guint part, GError **error)
{
  if (part >= message->entities->len) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "This message has no part %u.", part + 1);
    return NULL;
  }
  return g_ptr_array_index(message->entities, part);
}

static gboolean
must_be_here(const MlEntity *entity, GError **error)
{
  if (!entity->incomplete)
    return TRUE;
  g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, "This part is still on the server: fetch it first.");
  return FALSE;
}

GBytes *
ml_message_part_content(const MlMessage *message, guint part, GError **error)
{
  const MlEntity *entity = part_entity(message, part, error);
  if (!entity || !must_be_here(entity, error))
    return NULL;
  if (g_str_has_prefix(entity->type, "multipart/") && entity->children)
    return ml_scan_exact(entity);
  return ml_mime_decode(entity, 0, NULL);
}

const char *
ml_message_part_section(const MlMessage *message, guint part, guint64 *size)
{
  const MlEntity *entity = part_entity(message, part, NULL);
  if (size)
    *size = entity && entity->left ? entity->left->size : 0;
  return entity && entity->left ? entity->left->section : NULL;
}

GBytes *
ml_message_left_content(const MlMessage *message, guint part, GBytes *fetched, GError **error)
{
  const MlEntity *entity = part_entity(message, part, error);
  MlEntity filled;
  if (!entity)
    return NULL;
  ml_left_fill(&filled, entity, fetched);
  return ml_mime_decode(&filled, 0, NULL);
}

GBytes *
ml_message_decrypted(const MlMessage *message, gboolean outermost, GError **error)
{
  const MlLayer *found = NULL;
  for (guint i = 0; i < message->layers->len; i++) {
    const MlLayer *layer = g_ptr_array_index(message->layers, i);
    if (layer->kind == ML_LAYER_ENCRYPTED && (!outermost || !found))
      found = layer;
  }
  if (found && found->entity->opened)
    return g_bytes_ref(found->entity->opened->source);
  g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                      found && found->error ? found->error->message : "This message is not encrypted.");
  return NULL;
}

static char *
text_of(const MlMessage *message, const MlEntity *entity, GError **error)
{
  if (entity->children || !ml_mime_is(entity, "text/")) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, "This part is not text. It can be saved.");
    return NULL;
  }
  gboolean cut = FALSE;
  return ml_layout_text(entity, message->legacy_display, NULL, 16 * 1024 * 1024, &cut);
}

char *
ml_message_part_text(const MlMessage *message, guint part, GError **error)
{
  const MlEntity *entity = part_entity(message, part, error);
  return entity && must_be_here(entity, error) ? text_of(message, entity, error) : NULL;
}

char *
ml_message_left_text(const MlMessage *message, guint part, GBytes *fetched, GError **error)
{
  const MlEntity *entity = part_entity(message, part, error);
  MlEntity filled;
  if (!entity)
    return NULL;
  ml_left_fill(&filled, entity, fetched);
  return text_of(message, &filled, error);
}
