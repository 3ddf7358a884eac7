#include "ui/submit.h"

#include <string.h>

#include "mail/smtp.h"
#include "ui/json.h"
#include "ui/text.h"

void
ui_submit_table(UiSubmitOptions *options, UiCli *cli, UiOption *table)
{
  const UiOption all[UI_SUBMIT_OPTIONS] = {
    { "sign", 0, UI_OPTION_FLAG, &options->sign },        { "encrypt", 0, UI_OPTION_FLAG, &options->encrypt },
    { "cert", 0, UI_OPTION_STRING, &options->cert },      { "pin-file", 0, UI_OPTION_STRING, &cli->pin_file },
    { "queue", 0, UI_OPTION_FLAG, &options->queue },      { "notify", 0, UI_OPTION_STRING, &options->notify },
  };
  memcpy(table, all, sizeof all);
}

void
ui_submit_clear(UiSubmitOptions *options)
{
  g_clear_pointer(&options->cert, g_free);
  g_clear_pointer(&options->notify, g_free);
}

MlOutbox *
ui_submit_outbox(UiCli *cli, int *code)
{
  g_autoptr(GError) error = NULL;
  if (!ui_cli_config(cli, code))
    return NULL;
  g_autofree char *folder = g_build_filename(cli->data_dir, "outbox", NULL);
  MlOutbox *outbox = ml_outbox_open(folder, &error);
  if (!outbox) {
    ui_cli_error(cli, "%s", error->message);
    *code = UI_EXIT_TEMPFAIL;
  }
  return outbox;
}

/* Not queued: 65, 78 and, by policy, 77 where trying again is of no use, else 75. */
static void
refuse(UiCli *cli, const GError *error, int *code)
{
  int fit = ui_cli_exit_for(error);
  ui_cli_error(cli, "%s", error->message);
  ui_cli_pin_refused(cli, error);
  gboolean lasting =
      fit == UI_EXIT_DATA || fit == UI_EXIT_CONFIG || g_error_matches(error, ML_ERROR, ML_ERROR_POLICY);
  *code = lasting ? fit : UI_EXIT_TEMPFAIL;
}

/* ---- whose certificates */

typedef struct {
  gboolean sign, encrypt;
  gboolean demanded; /* encryption: no copy may leave in clear */
  MlSealOptions seal;
  const char *author, *subject; /* borrowed, for policy; author NULL: it cannot be told */
  GBytes *whole;          /* the message where it is there already; NULL: a draft */
  const char **addresses; /* borrowed inside */
  MlPolicyFacts facts;
  char *why; /* which rule turned encryption on; NULL: none */
} Plan;

static void
plan_clear(Plan *plan)
{
  g_clear_pointer(&plan->seal.signer, crypto_cert_unref);
  g_clear_pointer(&plan->seal.recipients, g_ptr_array_unref);
  g_free(plan->addresses);
  g_free(plan->why);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Plan, plan_clear)

/* Every recipient that keeps the message from being encrypted, with what to do. */
static void
name_missing(UiCli *cli, GPtrArray *rows, const char *why)
{
  ui_cli_error(cli, "the message is not sent: it is to be encrypted, and that cannot be done for everybody%s%s%s",
               why ? " (policy demands it: " : "", why ? why : "", why ? ")" : "");
  for (guint i = 0; i < rows->len; i++) {
    const MlRecipient *row = rows->pdata[i];
    if (row->state == ML_CERT_READY)
      continue;
    ui_cli_error(cli, "%s: %s", row->address, row->reason ? row->reason : "no certificate was found");
  }
}

static gboolean
find_rows(UiCli *cli, const MlAccount *account, const char *from, GPtrArray *mailboxes, Plan *plan, int *code)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(cli->data_dir, "people.db", NULL);
  g_autoptr(MlPeople) people = ml_people_open_to_read(file, NULL);
  GPtrArray *rows = ml_recipients_find(people, mailboxes, plan->seal.now, plan->seal.revocation, &error);
  const char *reason;
  if (!rows) {
    refuse(cli, error, code);
    return FALSE;
  }
  ml_recipients_add_own(rows, account, from, plan->seal.now, plan->seal.revocation);
  plan->seal.recipients = rows;
  if (ml_recipients_ready(rows, &reason))
    return TRUE;
  if (plan->demanded) {
    name_missing(cli, rows, plan->why);
    *code = UI_EXIT_TEMPFAIL;
    return FALSE;
  }
  plan->encrypt = FALSE; /* encrypt = when-possible */
  return TRUE;
}

/* What policy demands is turned on, where the message does not have it already. FALSE: it may not leave. */
static gboolean
apply_policy(UiCli *cli, GPtrArray *mailboxes, Plan *plan, int *code)
{
  const MlPolicy *rules = cli->config->policy;
  g_autoptr(GError) error = NULL;
  gboolean is_signed = FALSE, encrypted = FALSE;
  plan->addresses = ml_seal_addresses(mailboxes);
  plan->facts = (MlPolicyFacts){ plan->author, plan->addresses, plan->subject };
  plan->seal.rules = rules;
  plan->seal.facts = &plan->facts;
  g_autoptr(MlPolicyDecision) decision = ml_policy_decide(rules, &plan->facts);
  if (plan->whole && decision->reasons->len && !ml_seal_layers(plan->whole, &is_signed, &encrypted))
    is_signed = encrypted = FALSE;
  plan->sign |= decision->sign && !is_signed;
  plan->encrypt |= decision->encrypt && !encrypted;
  plan->demanded |= plan->encrypt && (decision->encrypt || decision->no_clear);
  if (plan->demanded && (decision->encrypt || decision->no_clear))
    plan->why = ml_policy_words(ml_policy_reason(decision, ML_POLICY_ENCRYPT));
  if (ml_policy_allows(rules, &plan->facts, plan->sign || is_signed, plan->encrypt || encrypted, &error))
    return TRUE;
  refuse(cli, error, code);
  return FALSE;
}

static gboolean
make_plan(UiCli *cli, const MlAccount *account, const char *from, GPtrArray *mailboxes,
          const UiSubmitOptions *options, Plan *plan, int *code)
{
  g_autoptr(GError) error = NULL;
  plan->sign = options->sign || options->cert || g_strcmp0(account->sign, "always") == 0;
  plan->demanded = options->encrypt || g_strcmp0(account->encrypt, "always") == 0;
  plan->encrypt = plan->demanded || g_strcmp0(account->encrypt, "when-possible") == 0;
  plan->seal.now = g_get_real_time() / G_USEC_PER_SEC;
  plan->seal.revocation = ml_config_revocation(cli->config);
  if (!apply_policy(cli, mailboxes, plan, code))
    return FALSE;
  if (!plan->sign && !plan->encrypt)
    return TRUE;
  if (!ui_cli_crypto(cli, FALSE, TRUE, TRUE, code))
    return FALSE;
  if (plan->encrypt && !find_rows(cli, account, from, mailboxes, plan, code))
    return FALSE;
  if (!plan->sign)
    return TRUE;
  plan->seal.signer = ml_recipients_own(account, from, options->cert, CRYPTO_USE_SIGN, plan->seal.now,
                                        plan->seal.revocation, &error);
  if (!plan->seal.signer) {
    refuse(cli, error, code);
    return FALSE;
  }
  if (!plan->encrypt) {
    g_autofree char *file = g_build_filename(cli->data_dir, "people.db", NULL);
    g_autoptr(MlPeople) people = ml_people_open_to_read(file, NULL);
    g_clear_pointer(&plan->seal.recipients, g_ptr_array_unref); /* encrypt = when-possible, and it was not */
    plan->seal.recipients =
        ml_recipients_readers(people, mailboxes, account, from, plan->seal.now, plan->seal.revocation);
  }
  return TRUE;
}

MlSealed *
ui_submit_draft(UiCli *cli, const MlAccount *account, MlDraft *draft, const UiSubmitOptions *options, int *code)
{
  g_autoptr(GError) error = NULL;
  g_auto(Plan) plan = { FALSE };
  g_autoptr(GPtrArray) mailboxes = ml_draft_check(draft, &error) ? ml_draft_mailboxes(draft, &error) : NULL;
  g_autoptr(MlDraft) sender = mailboxes ? ml_draft_copy(draft) : NULL;
  g_autoptr(GPtrArray) from = NULL;
  if (sender) { /* From by the reader of To */
    g_free(sender->to);
    sender->to = g_strdup(draft->from);
    g_clear_pointer(&sender->cc, g_free);
    g_clear_pointer(&sender->bcc, g_free);
    from = ml_draft_mailboxes(sender, &error);
  }
  if (!from) {
    ui_cli_error(cli, "%s", error->message);
    *code = UI_EXIT_DATA;
    return NULL;
  }
  plan.subject = draft->subject;
  plan.author = ((MlMailbox *)from->pdata[0])->address;
  if (!make_plan(cli, account, plan.author, mailboxes, options, &plan, code))
    return NULL;
  draft->sign = plan.sign;
  draft->encrypt = plan.encrypt;
  MlSealed *sealed = ml_seal(draft, &plan.seal, ui_cli_pin_source(cli), cli->cancellable, &error);
  if (!sealed)
    refuse(cli, error, code);
  return sealed;
}

/* ---- a whole message */

static void
add_outgoing(MlSealed *sealed, const char *sender, GPtrArray *addresses, const char *address, GBytes *bytes)
{
  MlOutgoing *one = g_new0(MlOutgoing, 1);
  one->from = g_strdup(sender);
  one->bytes = g_bytes_ref(bytes);
  one->recipients = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; addresses && i < addresses->len; i++)
    g_ptr_array_add(one->recipients, g_strdup(addresses->pdata[i]));
  if (address)
    g_ptr_array_add(one->recipients, g_strdup(address));
  g_ptr_array_add(sealed->outgoing, one);
}

static void
add_mailboxes(GPtrArray *mailboxes, GPtrArray *addresses, gboolean blind)
{
  for (guint i = 0; i < addresses->len; i++) {
    MlMailbox *mailbox = g_new0(MlMailbox, 1);
    mailbox->address = g_strdup(addresses->pdata[i]);
    mailbox->display = g_strdup(addresses->pdata[i]);
    mailbox->field = blind ? ML_BCC : ML_TO;
    g_ptr_array_add(mailboxes, mailbox);
  }
}

/* The rows of @addresses (NULL: of nobody) and @one, and those that every copy has. Borrowed. */
static GPtrArray *
rows_for(GPtrArray *rows, GPtrArray *addresses, const char *one)
{
  GPtrArray *some = g_ptr_array_new();
  for (guint i = 0; i < rows->len; i++) {
    MlRecipient *row = rows->pdata[i];
    gboolean wanted = row->self || row->archive || (one && !g_ascii_strcasecmp(row->address, one));
    for (guint j = 0; !wanted && addresses && j < addresses->len; j++)
      wanted = !g_ascii_strcasecmp(row->address, addresses->pdata[j]);
    if (wanted)
      g_ptr_array_add(some, row);
  }
  return some;
}

typedef struct {
  UiCli *cli;
  Plan *plan;
  MlDraft *policy;
  GBytes *bytes;
} Whole;

static GBytes *
seal_whole(Whole *whole, GPtrArray *rows, GError **error)
{
  MlSealOptions options = whole->plan->seal;
  options.recipients = rows;
  return ml_seal_message(whole->bytes, whole->policy, &options, ui_cli_pin_source(whole->cli), whole->cli->cancellable,
                         NULL, error);
}

static gboolean
seal_all(Whole *whole, MlSealed *sealed, const char *sender, GPtrArray *open, GPtrArray *blind, GError **error)
{
  GPtrArray *rows = whole->plan->seal.recipients;
  if (!whole->plan->encrypt) {
    g_autoptr(GBytes) bytes = whole->plan->sign ? seal_whole(whole, rows, error) : g_bytes_ref(whole->bytes);
    if (!bytes)
      return FALSE;
    g_autoptr(GPtrArray) all = g_ptr_array_copy(open, NULL, NULL);
    g_ptr_array_set_free_func(all, NULL);
    for (guint i = 0; i < blind->len; i++)
      g_ptr_array_add(all, blind->pdata[i]);
    add_outgoing(sealed, sender, all, NULL, bytes);
    sealed->copy = g_bytes_ref(bytes);
    return TRUE;
  }
  if (open->len) {
    g_autoptr(GPtrArray) some = rows_for(rows, open, NULL);
    sealed->copy = seal_whole(whole, some, error);
    if (!sealed->copy)
      return FALSE;
    add_outgoing(sealed, sender, open, NULL, sealed->copy);
  }
  for (guint i = 0; i < blind->len; i++) {
    g_autoptr(GPtrArray) some = rows_for(rows, NULL, blind->pdata[i]);
    g_autoptr(GBytes) bytes = seal_whole(whole, some, error);
    if (!bytes)
      return FALSE;
    add_outgoing(sealed, sender, NULL, blind->pdata[i], bytes);
  }
  g_autoptr(GPtrArray) own = rows_for(rows, NULL, NULL);
  if (!sealed->copy)
    sealed->copy = seal_whole(whole, own, error);
  return sealed->copy != NULL;
}

MlSealed *
ui_submit_message(UiCli *cli, const MlAccount *account, const MlSubmission *message, const UiSubmitOptions *options,
                  int *code)
{
  g_autoptr(GError) error = NULL;
  g_auto(Plan) plan = { FALSE };
  g_autoptr(GPtrArray) mailboxes = g_ptr_array_new_with_free_func((GDestroyNotify)ml_mailbox_free);
  add_mailboxes(mailboxes, message->open, FALSE);
  add_mailboxes(mailboxes, message->blind, TRUE);
  plan.subject = message->subject;
  plan.author = message->several ? NULL : message->from;
  plan.whole = message->bytes;
  if (!make_plan(cli, account, message->from, mailboxes, options, &plan, code))
    return NULL;
  g_autoptr(MlDraft) policy = ml_draft_new(account);
  policy->sign = plan.sign;
  policy->encrypt = plan.encrypt;
  g_autoptr(MlSealed) sealed = g_new0(MlSealed, 1);
  sealed->outgoing = g_ptr_array_new_with_free_func((GDestroyNotify)ml_outgoing_free);
  sealed->message_id = g_strdup(message->message_id);
  sealed->subject = g_strdup(plan.encrypt && policy->hide != ML_HIDE_NONE ? "[...]" : message->subject);
  Whole whole = { cli, &plan, policy, message->bytes };
  if (seal_all(&whole, sealed, message->sender, message->open, message->blind, &error))
    return g_steal_pointer(&sealed);
  refuse(cli, error, code);
  return NULL;
}

/* ---- through the outbox */

static const char *
state_word(const MlOutboxEntry *entry)
{
  static const char *const words[] = { [ML_OUTBOX_QUEUED] = "queued",
                                       [ML_OUTBOX_SENDING] = "sending",
                                       [ML_OUTBOX_UNSURE] = "unsure",
                                       [ML_OUTBOX_FAILED] = "failed",
                                       [ML_OUTBOX_SENT] = "sent" };
  return ml_outbox_is_partial(entry) ? "partial" : words[entry->state];
}

static void
tell_json(const MlOutboxEntry *entry)
{
  static const char *const words[] = { [ML_RCPT_DUE] = "due", [ML_RCPT_SENT] = "sent", [ML_RCPT_REFUSED] = "refused" };
  g_autofree char *outcome = ml_outbox_outcome(entry);
  JsonBuilder *json = ui_json_new();
  ui_json_string(json, "id", entry->id);
  ui_json_string(json, "account", entry->account);
  ui_json_string(json, "state", state_word(entry));
  ui_json_string(json, "message_id", entry->message_id);
  ui_json_string(json, "subject", entry->subject);
  ui_json_int(json, "size", (gint64)entry->size);
  ui_json_time(json, "queued", entry->queued);
  ui_json_time(json, "due", entry->state == ML_OUTBOX_QUEUED ? entry->due : 0);
  ui_json_int(json, "attempts", entry->attempts);
  ui_json_bool(json, "copy_due", entry->copy_due);
  ui_json_string(json, "words", entry->words);
  ui_json_string(json, "outcome", outcome);
  ui_json_bool(json, "mark_due", entry->mark_due);
  ui_json_array(json, "recipients");
  for (guint i = 0; i < entry->recipients->len; i++) {
    const MlOutboxRecipient *recipient = entry->recipients->pdata[i];
    ui_json_object(json, NULL);
    ui_json_string(json, "address", recipient->address);
    ui_json_string(json, "state", words[recipient->state]);
    ui_json_string(json, "words", recipient->words);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
  ui_json_print(json);
}

void
ui_submit_tell(UiCli *cli, const MlOutboxEntry *entry)
{
  if (cli->json) {
    tell_json(entry);
    return;
  }
  g_autofree char *outcome = ml_outbox_outcome(entry);
  for (guint i = 0; i < entry->recipients->len; i++) {
    const MlOutboxRecipient *recipient = entry->recipients->pdata[i];
    if (recipient->state == ML_RCPT_REFUSED)
      ui_cli_error(cli, "%s was refused: %s", recipient->address, recipient->words ? recipient->words : entry->words);
  }
  if (entry->state == ML_OUTBOX_UNSURE)
    ui_cli_error(cli, "%s: %s (signet outbox flush %s, or signet outbox cancel %s)", entry->id, entry->words, entry->id,
                 entry->id);
  else if (entry->state == ML_OUTBOX_QUEUED && outcome)
    ui_cli_error(cli, "%s was %s It will be tried again for the others", entry->id, outcome);
  else if (entry->state == ML_OUTBOX_QUEUED)
    ui_cli_error(cli, "%s is queued and will be tried again%s%s", entry->id, entry->words ? ": " : "",
                 entry->words ? entry->words : "");
  else if (entry->state == ML_OUTBOX_FAILED && outcome)
    ui_cli_error(cli, "%s was %s The rest stays in the outbox (signet outbox flush %s, or signet outbox cancel %s)",
                 entry->id, outcome, entry->id, entry->id);
  else if (entry->state == ML_OUTBOX_FAILED)
    ui_cli_error(cli, "%s stays in the outbox%s%s (signet outbox flush %s, or signet outbox cancel %s)", entry->id,
                 entry->words ? ": " : "", entry->words ? entry->words : "", entry->id, entry->id);
  else if (entry->copy_due && entry->words)
    ui_cli_error(cli, "%s: %s", entry->id, entry->words);
  else if (cli->verbose)
    ui_cli_error(cli, "%s: %s", entry->id, state_word(entry));
}

gboolean
ui_submit_needs_network(const MlAccount *account)
{
  return account->smtp.host || account->kind == ML_ACCOUNT_IMAP;
}

static gboolean
read_notify(UiCli *cli, const char *text, guint *notify)
{
  static const struct {
    const char *word;
    guint bit;
  } words[] = { { "success", ML_SMTP_NOTIFY_SUCCESS },
                { "failure", ML_SMTP_NOTIFY_FAILURE },
                { "delay", ML_SMTP_NOTIFY_DELAY },
                { "never", ML_SMTP_NOTIFY_NEVER } };
  g_auto(GStrv) parts = g_strsplit(text ? text : "", ",", -1);
  *notify = 0;
  for (char **part = parts; *part && text; part++) {
    guint bit = 0;
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
      if (!g_ascii_strcasecmp(*part, words[i].word))
        bit = words[i].bit;
    if (!bit || (bit == ML_SMTP_NOTIFY_NEVER && parts[1])) {
      ui_cli_error(cli, "--notify takes success, failure, delay (parted by commas) or never, not %s", *part);
      return FALSE;
    }
    *notify |= bit;
  }
  return TRUE;
}

typedef struct {
  UiCli *cli;
  const char *id; /* whose state is wanted */
  MlOutboxState state;
  gboolean refused, told;
} Watch;

static void
on_entry(const MlOutboxEntry *entry, gpointer data)
{
  Watch *watch = data;
  if (entry->state == ML_OUTBOX_SENDING)
    return;
  if (!strcmp(entry->id, watch->id)) {
    watch->state = entry->state;
    watch->refused |= entry->state == ML_OUTBOX_FAILED;
  }
  /* Sent, and its copy follows: that is told once. */
  if (entry->state == ML_OUTBOX_SENT && entry->copy_due && !entry->words)
    return;
  if (entry->state == ML_OUTBOX_FAILED && watch->told)
    return;
  watch->told |= entry->state == ML_OUTBOX_FAILED;
  ui_submit_tell(watch->cli, entry);
}

static int
send_now(UiCli *cli, MlOutbox *outbox, const MlAccount *account, const char *id)
{
  int code = UI_EXIT_OK;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  Watch watch = { .cli = cli, .id = id, .state = ML_OUTBOX_QUEUED };
  const MlDriverHooks *hooks = ui_cli_hooks(cli, ui_submit_needs_network(account), account->tls_cert != NULL, &code);
  if (!hooks) {
    ui_cli_error(cli, "%s is queued: signet outbox flush sends it", id);
    return UI_EXIT_OK;
  }
  ml_outbox_flush_one(outbox, id, cli->config, hooks, now, on_entry, &watch, cli->cancellable, NULL);
  /* The line is up: what waits for its next try may go too. */
  if (watch.state == ML_OUTBOX_SENT)
    ml_outbox_flush(outbox, cli->config, hooks, now, on_entry, &watch, cli->cancellable, NULL);
  return watch.refused ? UI_EXIT_UNAVAILABLE : UI_EXIT_OK;
}

int
ui_submit(UiCli *cli, MlOutbox *outbox, const MlAccount *account, const MlSealed *sealed,
          const UiSubmitOptions *options)
{
  g_autoptr(GError) error = NULL;
  guint notify;
  if (!read_notify(cli, options->notify, &notify))
    return UI_EXIT_USAGE;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autofree char *id = ml_outbox_add_notify(outbox, account, sealed, now, 0, notify, &error);
  if (!id) {
    ui_cli_error(cli, "the message is not queued: %s", error->message);
    return UI_EXIT_TEMPFAIL;
  }
  if (options->ids) {
    g_ptr_array_add(options->ids, g_steal_pointer(&id));
    return UI_EXIT_OK;
  }
  if (!options->queue && !cli->offline)
    return send_now(cli, outbox, account, id);
  ui_submit_tell_queued(cli, id);
  return UI_EXIT_OK;
}

void
ui_submit_tell_queued(UiCli *cli, const char *id)
{
  if (cli->json) {
    JsonBuilder *json = ui_json_new();
    ui_json_string(json, "id", id);
    ui_json_string(json, "state", "queued");
    ui_json_print(json);
  } else if (cli->verbose || cli->offline) {
    ui_cli_error(cli, "%s is queued: signet outbox flush sends it", id);
  }
}

const MlAccount *
ui_submit_account(UiCli *cli, const char *address, int *code)
{
  MlAccount *account = ui_cli_account(cli, code);
  for (guint i = 0; account && !cli->account && address && i < cli->config->accounts->len; i++)
    if (ml_account_address(cli->config->accounts->pdata[i], address))
      return cli->config->accounts->pdata[i];
  return account;
}

static char *
from_address(GBytes *input)
{
  gsize length;
  const char *data = g_bytes_get_data(input, &length);
  MlHeader *header = ml_header_parse(data, MIN(length, 65536));
  char *address = g_strdup(header->from_address);
  ml_header_free(header);
  return address;
}

int
ui_submit_input(UiCli *cli, GBytes *input, const MlSubmissionOptions *how, const UiSubmitOptions *options)
{
  int code = UI_EXIT_OK;
  g_autoptr(GError) error = NULL;
  g_autofree char *from = from_address(input);
  const MlAccount *account = ui_submit_account(cli, from, &code);
  g_autoptr(MlOutbox) own = account && !options->outbox ? ui_submit_outbox(cli, &code) : NULL;
  MlOutbox *outbox = options->outbox ? options->outbox : own;
  if (!account || !outbox)
    return code;
  g_autoptr(MlSubmission) message = ml_submission_read(input, account, how, &error);
  if (!message) {
    ui_cli_error(cli, "%s", error->message);
    return UI_EXIT_DATA;
  }
  g_autoptr(MlSealed) sealed = ui_submit_message(cli, account, message, options, &code);
  return sealed ? ui_submit(cli, outbox, account, sealed, options) : code;
}

int
ui_submit_file(UiCli *cli, const char *file, const UiSubmitOptions *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) input = ui_cli_read_file(file, &error);
  if (!input) {
    ui_cli_error(cli, "%s", error->message);
    return ui_cli_exit_for(error);
  }
  const MlSubmissionOptions how = { .headers = TRUE, .now = g_get_real_time() / G_USEC_PER_SEC };
  return ui_submit_input(cli, input, &how, options);
}
