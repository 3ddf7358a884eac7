#include "mail/seal.h"

#include <string.h>

#include "crypto/keyuse.h"
#include "mail/address-private.h"
#include "mail/draft-private.h"
#include "mail/seal-private.h"

void
ml_outgoing_free(MlOutgoing *outgoing)
{
  if (!outgoing)
    return;
  g_free(outgoing->from);
  g_ptr_array_unref(outgoing->recipients);
  g_clear_pointer(&outgoing->bytes, g_bytes_unref);
  g_free(outgoing);
}

void
ml_sealed_free(MlSealed *sealed)
{
  if (!sealed)
    return;
  g_free(sealed->message_id);
  g_free(sealed->subject);
  g_ptr_array_unref(sealed->outgoing);
  g_clear_pointer(&sealed->copy, g_bytes_unref);
  ml_source_free(sealed->source);
  g_free(sealed);
}

static void
header_free(MlDraftHeader *header)
{
  g_free(header->name);
  g_free(header->value);
  g_free(header);
}

static const MlDraftHeader *
field_of(GPtrArray *fields, const char *name)
{
  for (guint i = 0; i < fields->len; i++) {
    const MlDraftHeader *field = fields->pdata[i];
    if (g_ascii_strcasecmp(field->name, name) == 0)
      return field;
  }
  return NULL;
}

/* --- one draft --- */

typedef struct {
  MlSealing sealing;
  MlDraft *draft;
  GPtrArray *mailboxes; /* of MlMailbox */
  MlBuilt *built;
  char *from;
  char *bcc; /* the Bcc field's value, encoded; NULL: none */
  MlSealed *sealed;
} Job;

static void
job_clear(Job *job)
{
  g_clear_pointer(&job->mailboxes, g_ptr_array_unref);
  g_clear_pointer(&job->built, ml_built_free);
  g_free(job->from);
  g_free(job->bcc);
  ml_sealed_free(job->sealed);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Job, job_clear)

/* The address in a From, To, ... of one mailbox. */
static char *
sole_address(const char *text)
{
  g_autoptr(MlAddresses) parsed = ml_address_parse(text ? text : "");
  return parsed->mailboxes->len == 1 ? g_strdup(((MlAddress *)parsed->mailboxes->pdata[0])->address) : NULL;
}

/* As the draft's To would be written. */
static gboolean
encode_bcc(Job *job, GError **error)
{
  if (!job->draft->bcc || !job->draft->bcc[strspn(job->draft->bcc, " \t")])
    return TRUE;
  g_autoptr(MlDraft) only = ml_draft_copy(job->draft);
  g_free(only->to);
  only->to = g_strdup(job->draft->bcc);
  g_clear_pointer(&only->cc, g_free);
  g_clear_pointer(&only->bcc, g_free);
  g_ptr_array_set_size(only->attachments, 0);
  g_free(only->text);
  only->text = g_strdup("");
  const MlBuildOptions build = { .date = job->sealing.options->now, .boundary_seed = 1 };
  g_autoptr(MlBuilt) built = ml_draft_build(only, &build, error);
  const MlDraftHeader *to = built ? field_of(built->fields, "To") : NULL;
  job->bcc = to ? g_strdup(to->value) : NULL;
  return built != NULL;
}

static GPtrArray *
copy_fields(GPtrArray *fields, const char *bcc)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)header_free);
  for (guint i = 0; i < fields->len; i++) {
    const MlDraftHeader *field = fields->pdata[i];
    MlDraftHeader *copy = g_new0(MlDraftHeader, 1);
    *copy = (MlDraftHeader){ g_strdup(field->name), g_strdup(field->value) };
    g_ptr_array_add(all, copy);
  }
  if (bcc) {
    MlDraftHeader *field = g_new0(MlDraftHeader, 1);
    *field = (MlDraftHeader){ g_strdup("Bcc"), g_strdup(bcc) };
    g_ptr_array_add(all, field);
  }
  return all;
}

/* The rows that this copy is encrypted to: those of @mailboxes, the sender's and the archive's. */
static GPtrArray *
rows_for(const Job *job, GPtrArray *mailboxes, GError **error)
{
  GPtrArray *given = job->sealing.options->recipients;
  g_autoptr(GPtrArray) rows = g_ptr_array_new();
  gboolean self = FALSE;
  for (guint i = 0; given && i < given->len; i++) {
    MlRecipient *row = given->pdata[i];
    if (!row->self && !row->archive)
      continue;
    self = self || row->self;
    g_ptr_array_add(rows, row);
  }
  if (!self) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "The message is not encrypted: no certificate of yours would let you read it again.");
    return NULL;
  }
  for (guint m = 0; m < mailboxes->len; m++) {
    const MlMailbox *mailbox = mailboxes->pdata[m];
    MlRecipient *found = NULL;
    for (guint i = 0; given && i < given->len && !found; i++) {
      MlRecipient *row = given->pdata[i];
      if (!row->self && !row->archive && ml_address_equal(row->address, mailbox->address))
        found = row;
    }
    if (!found) {
      g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "No certificate was chosen for %s.", mailbox->address);
      return NULL;
    }
    g_ptr_array_add(rows, found);
  }
  const char *reason;
  if (ml_recipients_ready(rows, &reason))
    return g_steal_pointer(&rows);
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The message is not encrypted: %s", reason ? reason : "");
  return NULL;
}

/* Payload, signed if it is to be: what a copy of this draft holds inside. @bcc: with that field in front. */
static GPtrArray *
make_inside(Job *job, GBytes *payload, const char *bcc, GError **error)
{
  g_autoptr(GBytes) whole = g_bytes_ref(payload);
  if (bcc) {
    g_autoptr(CryptoSpool) spool = crypto_spool_new();
    g_autofree char *line = g_strdup_printf("Bcc: %s\r\n", bcc);
    g_bytes_unref(whole);
    whole = NULL;
    if (!crypto_spool_add(spool, line, strlen(line), error) || !ml_seal_add(spool, payload, error))
      return NULL;
    whole = crypto_spool_finish(spool, error);
    if (!whole)
      return NULL;
  }
  return job->draft->sign ? ml_seal_sign(&job->sealing, whole, error) : ml_seal_parts(whole);
}

static void
add_outgoing(Job *job, GBytes *bytes, GPtrArray *mailboxes)
{
  MlOutgoing *outgoing = g_new0(MlOutgoing, 1);
  outgoing->from = g_strdup(job->from);
  outgoing->recipients = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < mailboxes->len; i++)
    g_ptr_array_add(outgoing->recipients, g_strdup(((MlMailbox *)mailboxes->pdata[i])->address));
  outgoing->bytes = g_bytes_ref(bytes);
  g_ptr_array_add(job->sealed->outgoing, outgoing);
}

static GBytes *
encrypt_checked(Job *job, GPtrArray *outer, GPtrArray *inside, GPtrArray *mailboxes, GError **error)
{
  g_autoptr(GPtrArray) rows = rows_for(job, mailboxes, error);
  if (!rows)
    return NULL;
  g_autoptr(GBytes) bytes = ml_seal_encrypt(&job->sealing, outer, inside, rows, error);
  if (!bytes || !ml_seal_check(&job->sealing, bytes, inside, error))
    return NULL;
  return g_steal_pointer(&bytes);
}

/* One message for To and Cc, one for each Bcc, and the sender's own, which says who they were. */
static gboolean
seal_encrypted(Job *job, GBytes *payload, GPtrArray *outer, GError **error)
{
  g_autoptr(GPtrArray) open = g_ptr_array_new(), nobody = g_ptr_array_new();
  g_autoptr(GPtrArray) inside = make_inside(job, payload, NULL, error);
  if (!inside)
    return FALSE;
  for (guint i = 0; i < job->mailboxes->len; i++)
    if (((MlMailbox *)job->mailboxes->pdata[i])->field != ML_BCC)
      g_ptr_array_add(open, job->mailboxes->pdata[i]);
  if (open->len > 0) {
    g_autoptr(GBytes) bytes = encrypt_checked(job, outer, inside, open, error);
    if (!bytes)
      return FALSE;
    add_outgoing(job, bytes, open);
    if (!job->bcc)
      job->sealed->copy = g_bytes_ref(bytes);
  }
  for (guint i = 0; i < job->mailboxes->len; i++) {
    MlMailbox *mailbox = job->mailboxes->pdata[i];
    if (mailbox->field != ML_BCC)
      continue;
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_ptr_array_add(one, mailbox);
    g_autoptr(GBytes) bytes = encrypt_checked(job, outer, inside, one, error);
    if (!bytes)
      return FALSE;
    add_outgoing(job, bytes, one);
  }
  if (job->sealed->copy)
    return TRUE;
  g_autoptr(GPtrArray) kept = make_inside(job, payload, job->bcc, error);
  job->sealed->copy = kept ? encrypt_checked(job, outer, kept, nobody, error) : NULL;
  return job->sealed->copy != NULL;
}

static gboolean
seal_signed(Job *job, GBytes *payload, GPtrArray *outer, GError **error)
{
  g_autoptr(GPtrArray) inside = make_inside(job, payload, NULL, error);
  g_autoptr(GBytes) bytes = inside ? ml_seal_join(outer, inside, error) : NULL;
  if (!bytes || !ml_seal_check(&job->sealing, bytes, NULL, error))
    return FALSE;
  add_outgoing(job, bytes, job->mailboxes);
  if (!job->bcc) {
    job->sealed->copy = g_bytes_ref(bytes);
    return TRUE;
  }
  g_autoptr(GPtrArray) kept = make_inside(job, payload, job->bcc, error);
  g_autoptr(GPtrArray) fields = copy_fields(outer, job->bcc);
  g_autoptr(GBytes) copy = kept ? ml_seal_join(fields, kept, error) : NULL;
  if (!copy || !ml_seal_check(&job->sealing, copy, NULL, error))
    return FALSE;
  job->sealed->copy = g_steal_pointer(&copy);
  return TRUE;
}

static gboolean
seal_plain(Job *job, GError **error)
{
  g_autoptr(GPtrArray) body = ml_seal_parts(job->built->entity);
  g_autoptr(GBytes) bytes = ml_seal_join(job->built->fields, body, error);
  if (!bytes)
    return FALSE;
  add_outgoing(job, bytes, job->mailboxes);
  g_autoptr(GPtrArray) fields = copy_fields(job->built->fields, job->bcc);
  job->sealed->copy = job->bcc ? ml_seal_join(fields, body, error) : g_bytes_ref(bytes);
  return job->sealed->copy != NULL;
}

MlSealed *
ml_seal(MlDraft *draft, const MlSealOptions *options, CryptoPinSource *pin, GCancellable *cancellable,
        GError **error)
{
  g_auto(Job)
      job = { .draft = draft,
              .sealing = { .policy = draft, .options = options, .pin = pin, .cancellable = cancellable } };
  if (!ml_draft_check(draft, error))
    return NULL;
  job.mailboxes = ml_draft_mailboxes(draft, error);
  if (!job.mailboxes)
    return NULL;
  job.from = sole_address(draft->from);
  job.sealing.from = job.from ? job.from : "";
  g_autofree const char **to = ml_seal_addresses(job.mailboxes);
  const MlPolicyFacts facts = { job.sealing.from, to, draft->subject };
  if (!ml_seal_allowed(&job.sealing, &facts, draft->sign, draft->encrypt, error) ||
      (draft->sign && !ml_seal_check_signer(&job.sealing, error)))
    return NULL;
  const MlBuildOptions build = { .date = options->now, .boundary_seed = options->boundary_seed };
  job.built = ml_draft_build(draft, &build, error);
  if (!job.built || !encode_bcc(&job, error))
    return NULL;
  job.sealed = g_new0(MlSealed, 1);
  job.sealed->outgoing = g_ptr_array_new_with_free_func((GDestroyNotify)ml_outgoing_free);
  job.sealed->message_id = g_strdup(draft->message_id);
  job.sealed->source = ml_source_new(draft->source_account, draft->source_folder, draft->source_uidvalidity,
                                     draft->source_uid, draft->source_forwarded);
  gboolean hidden = draft->encrypt && draft->hide != ML_HIDE_NONE;
  job.sealed->subject = hidden ? g_strdup("[...]") : ml_draft_subject(draft);
  if (!draft->sign && !draft->encrypt)
    return seal_plain(&job, error) ? g_steal_pointer(&job.sealed) : NULL;
  g_autoptr(GPtrArray) outer = NULL;
  g_autoptr(GBytes) payload = ml_draft_payload(draft, job.built, draft->encrypt, &outer, error);
  if (!payload)
    return NULL;
  crypto_keyuse_push(draft->message_id);
  gboolean good =
      draft->encrypt ? seal_encrypted(&job, payload, outer, error) : seal_signed(&job, payload, outer, error);
  crypto_keyuse_pop();
  return good ? g_steal_pointer(&job.sealed) : NULL;
}
