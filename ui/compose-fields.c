#include <string.h>

#include "ui/compose-private.h"

/* What the review screen's keys do to the message. */

enum { LONGEST_LINE = 1000 }; /* octets that a question's line can hold */

static UiComposer *
usable(UiApp *app)
{
  UiComposer *composer = ui_composer_top(app);

  if (!composer)
    return NULL;
  if (composer->editing || composer->busy) {
    ui_app_say(app, composer->editing ? "An editor has this message in another window: end it first."
                                      : "It is on its way into the outbox: Esc stops that.");
    return NULL;
  }
  return composer;
}

/* A question about one field or one attachment of a message. */
typedef struct {
  UiComposer *composer;
  UiComposeRowKind kind;
  guint index;
} Question;

static Question *
question_new(UiComposer *composer, UiComposeRowKind kind, guint index)
{
  Question *question = g_new(Question, 1);

  *question = (Question){ ui_composer_ref(composer), kind, index };
  return question;
}

static void
question_free(Question *question)
{
  ui_composer_unref(question->composer);
  g_free(question);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Question, question_free)

static char **
field_of(MlDraft *draft, UiComposeRowKind kind)
{
  switch (kind) {
  case UI_ROW_FROM:
    return &draft->from;
  case UI_ROW_TO:
    return &draft->to;
  case UI_ROW_CC:
    return &draft->cc;
  case UI_ROW_BCC:
    return &draft->bcc;
  case UI_ROW_REPLY_TO:
    return &draft->reply_to;
  default:
    return &draft->subject;
  }
}

static void
field_answered(const char *answer, gpointer data)
{
  g_autoptr(Question) question = data;
  UiComposer *composer = question->composer;
  char **field = field_of(composer->draft, question->kind);

  if (!answer || composer->closed || !g_strcmp0(answer, *field ? *field : ""))
    return;
  g_free(*field);
  *field = *answer ? g_strdup(answer) : NULL;
  ui_composer_changed(composer, question->kind != UI_ROW_SUBJECT && question->kind != UI_ROW_REPLY_TO);
}

void
ui_compose_field(UiComposer *composer, UiComposeRowKind kind)
{
  static const char *const labels[] = { "From", "To", "Cc", "Bcc", "Reply-To", "Subject" };
  const char *value = *field_of(composer->draft, kind);

  if (value && strlen(value) > LONGEST_LINE) {
    ui_app_say(composer->app, "There is too much in %s for one line: e edits it in the editor.",
               labels[kind]);
    return;
  }
  ui_prompts_ask(composer->app->prompts, UI_PROMPT_LINE, NULL, labels[kind], value,
                 kind == UI_ROW_SUBJECT ? NULL : ui_compose_complete_address, field_answered,
                 question_new(composer, kind, 0));
}

static void
edit_field(UiApp *app, UiComposeRowKind kind)
{
  UiComposer *composer = usable(app);

  if (composer)
    ui_compose_field(composer, kind);
}

void
ui_action_edit_to(UiApp *app)
{
  edit_field(app, UI_ROW_TO);
}

void
ui_action_edit_cc(UiApp *app)
{
  edit_field(app, UI_ROW_CC);
}

void
ui_action_edit_bcc(UiApp *app)
{
  edit_field(app, UI_ROW_BCC);
}

void
ui_action_edit_reply_to(UiApp *app)
{
  edit_field(app, UI_ROW_REPLY_TO);
}

void
ui_action_edit_subject(UiApp *app)
{
  edit_field(app, UI_ROW_SUBJECT);
}

void
ui_action_edit_text(UiApp *app)
{
  UiComposer *composer = usable(app);

  if (composer)
    ui_composer_edit(composer);
}

/* From: one of the addresses of all accounts, or typed. */
typedef struct {
  UiComposer *composer;
  GPtrArray *values; /* of char *: From fields, or fingerprints ("" : the account's choice) */
} Choice;

static void
choice_free(gpointer data)
{
  Choice *choice = data;

  ui_composer_unref(choice->composer);
  g_ptr_array_unref(choice->values);
  g_free(choice);
}

static Choice *
choice_new(UiComposer *composer)
{
  Choice *choice = g_new(Choice, 1);

  *choice = (Choice){ ui_composer_ref(composer), g_ptr_array_new_with_free_func(g_free) };
  return choice;
}

static char *
mailbox_of(const MlAccount *account, const char *address)
{
  g_autoptr(MlDraft) draft = ml_draft_new(account); /* it knows how a name is quoted */
  g_autofree char *own = ui_composer_from_address(draft);

  if (!g_strcmp0(own, address) || !account->display_name)
    return g_strdup(own && !g_strcmp0(own, address) ? draft->from : address);
  const char *end = draft->from ? strrchr(draft->from, '<') : NULL;
  return end ? g_strdup_printf("%.*s<%s>", (int)(end - draft->from), draft->from, address)
             : g_strdup(address);
}

static void
from_chosen(UiApp *app, UiList *list, guint row)
{
  Choice *choice = list->data;
  g_autoptr(UiComposer) composer = ui_composer_ref(choice->composer);
  const UiListRow *line = list->rows->pdata[row];
  g_autofree char *from = g_strdup(choice->values->pdata[row]);
  UiAccount *account = line->data;

  ui_app_pop(app);
  if (composer->closed)
    return;
  if (!from) {
    ui_compose_field(composer, UI_ROW_FROM);
    return;
  }
  g_free(composer->draft->from);
  composer->draft->from = g_steal_pointer(&from);
  if (account != composer->account) {
    composer->account = account;
    g_free(composer->draft->account);
    composer->draft->account = g_strdup(account->account->name);
    g_clear_pointer(&composer->draft->sign_cert, g_free);
  }
  ui_composer_changed(composer, TRUE);
}

static void
add_from(UiList *list, Choice *choice, UiAccount *account, const char *address)
{
  if (!address || !*address)
    return;
  char *from = mailbox_of(account->account, address);
  ui_list_add(list, UI_STYLE_NORMAL, " %-44s %s", from, account->account->name)->data = account;
  g_ptr_array_add(choice->values, from);
}

void
ui_action_edit_from(UiApp *app)
{
  UiComposer *composer = usable(app);

  if (!composer)
    return;
  Choice *choice = choice_new(composer);
  UiList *list =
      ui_list_new(UI_IN_CHOICE, "the choice of a sender", "Send it from", "Enter chooses  q back  ? help");
  list->data = choice;
  list->free_data = choice_free;
  list->open = from_chosen;
  for (guint i = 0; i < app->accounts->len; i++) {
    UiAccount *account = app->accounts->pdata[i];
    add_from(list, choice, account, account->account->address);
    for (char **also = account->account->also; *also; also++)
      add_from(list, choice, account, *also);
  }
  ui_list_add(list, UI_STYLE_NORMAL, " Another: type it")->data = composer->account;
  g_ptr_array_add(choice->values, NULL);
  ui_app_push(app, &list->view);
}

/* The certificate to sign with. */
typedef struct {
  UiComposer *composer;
  GPtrArray *entries; /* of CryptoCertEntry */
  GError *error;
} Signers;

/* Those that can be used first, the newest of them first; in an order that stays. */
static int
compare_signers(gconstpointer a, gconstpointer b, gpointer user_data)
{
  gint64 now = *(const gint64 *)user_data;
  CryptoCert *one = (*(CryptoCertEntry *const *)a)->cert, *other = (*(CryptoCertEntry *const *)b)->cert;
  gboolean one_ended = crypto_cert_not_after(one) < now, other_ended = crypto_cert_not_after(other) < now;
  gint64 one_begins = crypto_cert_not_before(one), other_begins = crypto_cert_not_before(other);

  if (one_ended != other_ended)
    return one_ended ? 1 : -1;
  if (one_begins != other_begins)
    return one_begins > other_begins ? -1 : 1;
  return strcmp(crypto_cert_sha256(one), crypto_cert_sha256(other));
}

static void
run_signers(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Signers *signers = data;

  signers->entries = crypto_certdb_list(FALSE, &signers->error);
  if (!signers->entries)
    return;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  crypto_certdb_add_absent(signers->entries);
  g_ptr_array_sort_with_data(signers->entries, compare_signers, &now);
}

static void
signer_chosen(UiApp *app, UiList *list, guint row)
{
  Choice *choice = list->data;
  g_autoptr(UiComposer) composer = ui_composer_ref(choice->composer);
  g_autofree char *fingerprint = g_strdup(choice->values->pdata[row]);

  ui_app_pop(app);
  if (composer->closed)
    return;
  g_free(composer->draft->sign_cert);
  composer->draft->sign_cert = g_steal_pointer(&fingerprint);
  composer->draft->sign = TRUE;
  ui_composer_changed(composer, TRUE);
}

static void
add_signer(UiList *list, Choice *choice, const CryptoCertEntry *entry)
{
  g_autofree char *about = ui_compose_certificate(entry->cert, 80);
  g_autofree char *addresses = g_strjoinv(", ", (char **)crypto_cert_addresses(entry->cert));
  g_autofree char *print = ui_details_fingerprint(crypto_cert_sha256(entry->cert));
  UiListRow *row = ui_list_add(list, UI_STYLE_NORMAL, " %s <%s>, %s%s, %s",
                               crypto_cert_common_name(entry->cert), addresses, entry->token,
                               entry->flags & CRYPTO_CERT_ABSENT ? " (not in its reader)" : "", about);
  g_autofree char *more =
      g_strdup_printf("from %s, SHA-256 %.19s...", crypto_cert_issuer_name(entry->cert), print);

  ui_list_more(row, more);
  g_ptr_array_add(choice->values, g_strdup(crypto_cert_sha256(entry->cert)));
}

static void
signers_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Signers *signers = data;
  g_autoptr(UiComposer) composer = signers->composer;

  if (signers->error)
    ui_app_error(app, signers->error);
  else if (!cancelled && !composer->closed && signers->entries) {
    Choice *choice = choice_new(composer);
    UiList *list = ui_list_new(UI_IN_CHOICE, "the choice of a certificate", "Sign it with",
                               "Enter chooses  q back  ? help");
    list->data = choice;
    list->free_data = choice_free;
    list->open = signer_chosen;
    UiListRow *row = ui_list_add(list, UI_STYLE_NORMAL, " The newest that is valid for the address in From");
    ui_list_more(row, "or what sign-cert in signet.conf names");
    g_ptr_array_add(choice->values, NULL);
    for (guint i = 0; i < signers->entries->len; i++) {
      const CryptoCertEntry *entry = signers->entries->pdata[i];
      if ((entry->flags & (CRYPTO_CERT_OWN | CRYPTO_CERT_RETIRED)) == CRYPTO_CERT_OWN && crypto_cert_can_sign(entry->cert) &&
          !crypto_cert_is_authority(entry->cert))
        add_signer(list, choice, entry);
    }
    ui_app_push(app, &list->view);
  }
  if (signers->entries)
    g_ptr_array_unref(signers->entries);
  g_clear_error(&signers->error);
  g_free(signers);
}

void
ui_action_choose_signer(UiApp *app)
{
  UiComposer *composer = usable(app);

  if (!composer)
    return;
  Signers *signers = g_new0(Signers, 1);
  signers->composer = ui_composer_ref(composer);
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Looking for your certificates", run_signers, signers_done, signers);
}

/* The switches. */
void
ui_action_toggle_sign(UiApp *app)
{
  UiComposer *composer = usable(app);

  if (!composer || (composer->draft->sign && ui_composer_forced(composer, ML_POLICY_SIGN)))
    return;
  composer->draft->sign = !composer->draft->sign;
  ui_composer_changed(composer, FALSE);
}

static void
plain_answered(const char *answer, gpointer data)
{
  g_autoptr(UiComposer) composer = data;

  if (!answer || composer->closed)
    return;
  if (strcmp(answer, "plain") != 0) {
    ui_app_say(composer->app, "It stays encrypted: only the word plain, typed out, turns that off.");
    return;
  }
  composer->draft->encrypt = FALSE;
  composer->encrypt_set = TRUE;
  ui_composer_changed(composer, FALSE);
}

/* Encryption that the answered mail or the account demands is not turned off by a slip of the finger. */
void
ui_compose_ask_plain(UiComposer *composer)
{
  const char *explanation[] = { composer->draft->encrypt_demanded
                                    ? "What you answer was encrypted, and your text may quote it."
                                    : "This message was to be encrypted.",
                                "Unencrypted, every server on the way can read it.", NULL };

  ui_prompts_ask(composer->app->prompts, UI_PROMPT_LINE, explanation, "Type plain to send it unencrypted",
                 NULL, NULL, plain_answered, ui_composer_ref(composer));
}

void
ui_action_toggle_encrypt(UiApp *app)
{
  UiComposer *composer = usable(app);

  if (!composer)
    return;
  MlDraft *draft = composer->draft;
  if (draft->encrypt && ui_composer_forced(composer, ML_POLICY_ENCRYPT))
    return;
  if (draft->encrypt &&
      (draft->encrypt_demanded || !g_strcmp0(composer->account->account->encrypt, "always"))) {
    ui_compose_ask_plain(composer);
    return;
  }
  draft->encrypt = !draft->encrypt;
  composer->encrypt_set = TRUE;
  ui_composer_changed(composer, FALSE);
}

/* Attachments. */
static void
attach_answered(const char *answer, gpointer data)
{
  g_autoptr(UiComposer) composer = data;
  g_autoptr(GError) error = NULL;

  if (!answer || !*answer || composer->closed)
    return;
  g_autofree char *path = g_strchomp(g_strdup(answer));
  MlAttachment *attachment = ml_attachment_open(path, &error);
  if (!attachment) {
    ui_app_error(composer->app, error);
    return;
  }
  g_ptr_array_add(composer->draft->attachments, attachment);
  g_autofree char *size = ui_text_size(g_bytes_get_size(attachment->content));
  ui_app_say(composer->app, "Attached %s, %s, %s.", attachment->name, attachment->type, size);
  ui_composer_changed(composer, FALSE);
}

void
ui_action_attach(UiApp *app)
{
  UiComposer *composer = usable(app);

  if (composer)
    ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Attach file", NULL, ui_compose_complete_file,
                   attach_answered, ui_composer_ref(composer));
}

/* The attachment under the cursor, or the only one. */
static MlAttachment *
current_attachment(UiApp *app, UiComposer *composer, guint *index)
{
  GPtrArray *attachments = composer->draft->attachments;
  UiComposeRowKind kind;

  ui_compose_view_row(ui_app_top(app), &kind, index);
  if (kind != UI_ROW_ATTACHMENT)
    *index = 0;
  if (kind == UI_ROW_ATTACHMENT || attachments->len == 1)
    return attachments->pdata[*index];
  ui_app_say(app, attachments->len ? "Put the cursor on an attachment first."
                                   : "Nothing is attached: a attaches.");
  return NULL;
}

void
ui_action_detach(UiApp *app)
{
  UiComposer *composer = usable(app);
  guint index;
  const MlAttachment *attachment = composer ? current_attachment(app, composer, &index) : NULL;

  if (!attachment)
    return;
  ui_app_say(app, "Removed: %s.", attachment->name ? attachment->name : attachment->type);
  g_ptr_array_remove_index(composer->draft->attachments, index);
  ui_composer_changed(composer, FALSE);
}

enum { ATTACHMENT_NAME, ATTACHMENT_TYPE, ATTACHMENT_DESCRIPTION };

static gboolean
is_type(const char *type)
{
  const char *slash = strchr(type, '/');

  return slash && slash > type && slash[1] && !strpbrk(type, "\r\n\"<>()") && g_str_is_ascii(type);
}

static void
attachment_answered(const char *answer, gpointer data)
{
  g_autoptr(Question) question = data;
  UiComposer *composer = question->composer;
  GPtrArray *attachments = composer->draft->attachments;

  if (!answer || composer->closed || question->index >= attachments->len)
    return;
  MlAttachment *attachment = attachments->pdata[question->index];
  if ((int)question->kind == ATTACHMENT_TYPE && !is_type(answer)) {
    ui_app_complain(composer->app, "A type reads like application/pdf or text/plain; charset=utf-8.");
    return;
  }
  char **field = (int)question->kind == ATTACHMENT_NAME   ? &attachment->name
                 : (int)question->kind == ATTACHMENT_TYPE ? &attachment->type
                                                          : &attachment->description;
  g_free(*field);
  *field = *answer ? g_strdup(answer) : NULL;
  ui_composer_changed(composer, FALSE);
}

static void
ask_attachment(UiApp *app, int what, const char *label)
{
  UiComposer *composer = usable(app);
  guint index;
  const MlAttachment *attachment = composer ? current_attachment(app, composer, &index) : NULL;

  if (!attachment)
    return;
  const char *value = what == ATTACHMENT_NAME   ? attachment->name
                      : what == ATTACHMENT_TYPE ? attachment->type
                                                : attachment->description;
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, label, value, NULL, attachment_answered,
                 question_new(composer, (UiComposeRowKind)what, index));
}

void
ui_action_rename(UiApp *app)
{
  ask_attachment(app, ATTACHMENT_NAME, "Name for the recipient");
}

void
ui_action_describe(UiApp *app)
{
  ask_attachment(app, ATTACHMENT_DESCRIPTION, "Description");
}

void
ui_action_retype(UiApp *app)
{
  ask_attachment(app, ATTACHMENT_TYPE, "Type");
}

void
ui_compose_open(UiApp *app)
{
  UiComposer *composer = usable(app);
  UiComposeRowKind kind;
  guint index;

  if (!composer)
    return;
  ui_compose_view_row(ui_app_top(app), &kind, &index);
  switch (kind) {
  case UI_ROW_FROM:
    ui_action_edit_from(app);
    break;
  case UI_ROW_RECIPIENT: {
    const MlRecipient *recipient = composer->found->recipients->pdata[index];
    if (recipient->state == ML_CERT_READY && recipient->cert) {
      g_autofree char *print = ui_details_fingerprint(crypto_cert_sha256(recipient->cert));
      ui_app_say(app, "%s, from %s, SHA-256 %s", crypto_cert_common_name(recipient->cert),
                 crypto_cert_issuer_name(recipient->cert), print);
    } else if (recipient->self || recipient->archive)
      ui_app_say(app, "%s", recipient->reason ? recipient->reason : "");
    else
      ui_missing_open(composer);
    break;
  }
  case UI_ROW_ATTACHMENT:
    ui_action_rename(app);
    break;
  default:
    ui_compose_field(composer, kind);
  }
}

/* Tab. */
char *
ui_compose_complete_file(const char *typed, gpointer data)
{
  const char *slash = strrchr(typed, '/'), *begun = slash ? slash + 1 : typed;
  g_autofree char *head = g_strndup(typed, (gsize)(begun - typed)), *common = NULL;
  g_autofree char *folder = g_str_has_prefix(head, "~/") ? g_build_filename(g_get_home_dir(), head + 2, NULL)
                            : *head                      ? g_strdup(head)
                                                         : g_strdup(".");
  guint fits = 0;

  if (!strcmp(typed, "~"))
    return g_strdup("~/");
  GDir *dir = g_dir_open(folder, 0, NULL);
  if (!dir)
    return NULL;
  for (const char *name; (name = g_dir_read_name(dir));) {
    if (!g_str_has_prefix(name, begun) || (*name == '.' && !*begun) || !g_utf8_validate(name, -1, NULL))
      continue;
    fits++;
    if (!common) {
      common = g_strdup(name);
      continue;
    }
    gsize n = 0;
    while (common[n] && common[n] == name[n])
      n++;
    while (n && ((guchar)common[n] & 0xc0) == 0x80)
      n--;
    common[n] = 0;
  }
  g_dir_close(dir);
  if (!common)
    return NULL;
  g_autofree char *whole = g_build_filename(folder, common, NULL);
  return g_strconcat(head, common, fits == 1 && g_file_test(whole, G_FILE_TEST_IS_DIR) ? "/" : "", NULL);
}
