#include <string.h>

#include "ui/compose-private.h"

/* The table of recipients that cannot be encrypted to, and all that can be done about each of them and about the whole.
 * Opened by sending, or by Enter on such a recipient. */
typedef struct {
  UiComposer *composer;
  GPtrArray *addresses; /* of char *: a row each */
} Missing;

static void
missing_free(gpointer data)
{
  Missing *missing = data;

  ui_composer_unref(missing->composer);
  g_ptr_array_unref(missing->addresses);
  g_free(missing);
}

static UiList *
table_of(UiApp *app)
{
  return (UiList *)ui_app_view(app, UI_IN_MISSING);
}

static const MlRecipient *
recipient_of(const UiComposer *composer, const char *address)
{
  for (guint i = 0; composer->found && i < composer->found->n; i++) {
    const MlRecipient *recipient = composer->found->recipients->pdata[i];
    if (!strcmp(recipient->address, address))
      return recipient;
  }
  return NULL;
}

static void
fill(UiList *list)
{
  static const char *const words[] = { "", "not accepted yet", "no certificate", "unfit" };
  Missing *missing = list->data;
  const UiFound *found = missing->composer->found;

  ui_list_clear(list);
  g_ptr_array_set_size(missing->addresses, 0);
  for (guint i = 0; found && i < found->n; i++) {
    const MlRecipient *recipient = found->recipients->pdata[i];
    if (recipient->state == ML_CERT_READY)
      continue;
    g_autofree char *safe = ui_text_line(recipient->address), *fit = ui_text_fit(safe, 34);
    UiListRow *row = ui_list_add(list, UI_STYLE_NORMAL, " %s  %s", fit, words[recipient->state]);
    if (recipient->state == ML_CERT_CANDIDATE && recipient->cert) {
      g_autofree char *print = ui_details_fingerprint(crypto_cert_sha256(recipient->cert));
      g_autofree char *about = ui_compose_certificate(recipient->cert, 80);
      g_autofree char *more = g_strdup_printf(
          "A accepts: %s, from %s, %s, %s. SHA-256 %s", crypto_cert_common_name(recipient->cert),
          crypto_cert_issuer_name(recipient->cert), about, recipient->source ? recipient->source : "", print);
      ui_list_more(row, more);
    } else
      ui_list_more(row, recipient->reason);
    g_ptr_array_add(missing->addresses, g_strdup(recipient->address));
  }
}

void
ui_missing_refresh(UiComposer *composer)
{
  UiApp *app = composer->app;
  UiList *list = table_of(app);

  if (!list || ((Missing *)list->data)->composer != composer)
    return;
  fill(list);
  if (list->rows->len || ui_app_top(app) != &list->view)
    return;
  ui_app_pop(app);
  ui_app_say(app, composer->found->n ? "Everybody can read it encrypted now: y sends it."
                                     : "Nobody is left to send it to: t names somebody.");
}

void
ui_missing_open(UiComposer *composer)
{
  static const char *const footer[] = {
    "D removes the recipient, X all of these. l asks directories, i takes a file.",
    "2 sends two messages: encrypted to those who can read it, in clear to these.",
    "p sends it to everybody in clear.",
    NULL,
  };
  guint missing_n = ui_compose_missing(composer), all = composer->found ? composer->found->n : 0;
  g_autofree char *title = g_strdup_printf("Cannot be encrypted to %u of %u recipients", missing_n, all);
  Missing *missing = g_new(Missing, 1);

  *missing = (Missing){ ui_composer_ref(composer), g_ptr_array_new_with_free_func(g_free) };
  UiList *list =
      ui_list_new(UI_IN_MISSING, "recipients without a certificate", title,
                  "D remove  X remove all  A accept  i import  2 apart  p in clear  q back  ? help");
  list->data = missing;
  list->free_data = missing_free;
  list->footer = g_strdupv((char **)footer);
  fill(list);
  ui_app_push(composer->app, &list->view);
}

static UiComposer *
composer_of(UiApp *app)
{
  UiList *list = table_of(app);

  return list ? ((Missing *)list->data)->composer : NULL;
}

UiComposer *
ui_missing_composer(UiApp *app)
{
  return composer_of(app);
}

static const MlRecipient *
current(UiApp *app)
{
  UiList *list = table_of(app);
  Missing *missing = list ? list->data : NULL;

  if (!missing || list->cursor >= (int)missing->addresses->len)
    return NULL;
  return recipient_of(missing->composer, missing->addresses->pdata[list->cursor]);
}

/* One address field without those for whom @drop says so. */
static char *
field_without(const UiComposer *composer, GPtrArray *mailboxes, int field, UiDropFunc drop, gpointer data)
{
  g_autoptr(GString) kept = g_string_new(NULL);

  for (guint i = 0; i < mailboxes->len; i++) {
    const MlMailbox *mailbox = mailboxes->pdata[i];
    if ((int)mailbox->field == field && !drop(composer, mailbox->address, data))
      g_string_append_printf(kept, "%s%s", kept->len ? ", " : "", mailbox->display);
  }
  return kept->len ? g_strdup(kept->str) : NULL;
}

void
ui_compose_drop(MlDraft *draft, const UiComposer *composer, UiDropFunc drop, gpointer data)
{
  char **fields[] = { &draft->to, &draft->cc, &draft->bcc };
  g_autoptr(GPtrArray) mailboxes = ml_draft_mailboxes(draft, NULL);

  for (int i = 0; mailboxes && i < 3; i++) { /* a field that cannot be read stays as it is */
    g_free(*fields[i]);
    *fields[i] = field_without(composer, mailboxes, ML_TO + i, drop, data);
  }
}

static gboolean
is_one(const UiComposer *composer, const char *address, gpointer data)
{
  return !strcmp(address, data);
}

static gboolean
is_missing(const UiComposer *composer, const char *address, gpointer data)
{
  const MlRecipient *recipient = recipient_of(composer, address);

  return recipient && recipient->state != ML_CERT_READY;
}

void
ui_action_missing_remove(UiApp *app)
{
  const MlRecipient *recipient = current(app);

  if (!recipient)
    return;
  UiComposer *composer = composer_of(app);
  g_autofree char *address = g_strdup(recipient->address);
  ui_compose_drop(composer->draft, composer, is_one, address);
  ui_composer_changed(composer, TRUE);
  ui_app_say(app, "Removed: %s.", address);
}

void
ui_action_missing_remove_all(UiApp *app)
{
  UiComposer *composer = composer_of(app);

  if (!composer)
    return;
  guint n = ui_compose_missing(composer);
  ui_compose_drop(composer->draft, composer, is_missing, NULL);
  ui_composer_changed(composer, TRUE);
  ui_app_say(app, "Removed: %u recipient%s without a certificate.", n, n == 1 ? "" : "s");
}

/* A certificate is accepted for an address: one seen in their signed mail, or one from a file. */
typedef struct {
  UiComposer *composer;
  char *address, *source;
  CryptoCert *cert;
  GPtrArray *others; /* of CryptoCert that came along: candidates for the chain; may be NULL */
  char *file;
  gboolean done;
  GError *error;
} Accept;

static void
accept_free(Accept *accept)
{
  ui_composer_unref(accept->composer);
  g_free(accept->address);
  g_free(accept->source);
  g_free(accept->file);
  crypto_cert_unref(accept->cert);
  if (accept->others)
    g_ptr_array_unref(accept->others);
  g_clear_error(&accept->error);
  g_free(accept);
}

static void
run_accept(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Accept *accept = data;
  MlPeople *people = ui_app_people(accept->composer->app, CRYPTO_JOB_KEYS);
  gboolean there;

  if (!crypto_certdb_import(accept->cert, accept->address, &there, pin, &accept->error))
    return;
  for (guint i = 0; accept->others && i < accept->others->len; i++) {
    CryptoCert *cert = accept->others->pdata[i];
    if (crypto_cert_is_authority(cert) && !crypto_cert_self_signed(cert) &&
        !crypto_certdb_import(cert, crypto_cert_common_name(cert), &there, pin, &accept->error))
      return;
  }
  if (people && !ml_people_accept(people, accept->address, crypto_cert_sha256(accept->cert), accept->source,
                                  g_get_real_time() / G_USEC_PER_SEC, &accept->error))
    return;
  accept->done = TRUE;
}

static void
accept_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Accept *accept = data;

  if (accept->error)
    ui_app_error(app, accept->error);
  else if (accept->done) {
    ui_app_say(app, "Accepted for %s: %s.", accept->address, crypto_cert_common_name(accept->cert));
    ui_app_note(app, UI_STYLE_NORMAL, "Accepted for %s: SHA-256 %s", accept->address,
                crypto_cert_sha256(accept->cert));
    if (!accept->composer->closed)
      ui_composer_changed(accept->composer, TRUE);
  }
  accept_free(accept);
}

static void
accept_answered(const char *answer, gpointer data)
{
  Accept *accept = data;

  if (answer && *answer == 'y')
    ui_ops_job(accept->composer->app, CRYPTO_JOB_KEYS, "Storing the certificate", run_accept, accept_done,
               accept);
  else
    accept_free(accept);
}

/* Shows what is to be accepted, by its fingerprint; takes @accept. */
static void
ask_accept(Accept *accept)
{
  UiApp *app = accept->composer->app;
  CryptoCert *cert = accept->cert;
  g_autofree char *until = ui_details_date(crypto_cert_not_after(cert));
  g_autofree char *who = g_strdup_printf("%s, from %s, until %s, %s", crypto_cert_common_name(cert),
                                         crypto_cert_issuer_name(cert), until, accept->source);
  g_autofree char *safe = ui_text_line(who), *print = ui_details_fingerprint(crypto_cert_sha256(cert));
  g_autofree char *first = g_strdup_printf("SHA-256 %.40s", print);
  g_autofree char *second = g_strdup_printf("        %s", strlen(print) > 40 ? print + 40 : "");
  g_autofree char *question = g_strdup_printf("Write to %s with this certificate", accept->address);
  g_autofree char *safe_question = ui_text_line(question);
  const char *names = NULL, *explanation[5] = { safe, first, second };
  const char *const *addresses = crypto_cert_addresses(cert);

  if (!g_strv_contains(addresses, accept->address))
    names = "It does not name this address: make sure that it is theirs.";
  explanation[3] = names;
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, explanation, safe_question, NULL, NULL, accept_answered,
                 accept);
}

void
ui_action_missing_accept(UiApp *app)
{
  const MlRecipient *recipient = current(app);

  if (!recipient)
    return;
  if (recipient->state != ML_CERT_CANDIDATE || !recipient->cert) {
    ui_app_say(app, "No certificate of theirs came with signed mail: i takes one from a file.");
    return;
  }
  Accept *accept = g_new0(Accept, 1);
  accept->composer = ui_composer_ref(composer_of(app));
  accept->address = g_strdup(recipient->address);
  accept->source = g_strdup(recipient->source ? recipient->source : "signed mail");
  accept->cert = crypto_cert_ref(recipient->cert);
  ask_accept(accept);
}

/* The certificate of a file that is for @address; else the only one that is nobody's authority. */
static CryptoCert *
choose_cert(GPtrArray *certs, const char *address)
{
  CryptoCert *only = NULL;
  guint n = 0;

  for (guint i = 0; i < certs->len; i++) {
    CryptoCert *cert = certs->pdata[i];
    if (g_strv_contains(crypto_cert_addresses(cert), address) && crypto_cert_can_encrypt(cert))
      return cert;
    if (!crypto_cert_is_authority(cert)) {
      only = cert;
      n++;
    }
  }
  return n == 1 ? only : NULL;
}

static void
run_import(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Accept *accept = data;
  g_autoptr(GBytes) bytes = ui_cli_read_file(accept->file, &accept->error);

  if (bytes)
    accept->others = crypto_certs_parse(bytes, &accept->error);
  CryptoCert *cert = accept->others ? choose_cert(accept->others, accept->address) : NULL;
  if (cert)
    accept->cert = crypto_cert_ref(cert);
  else if (!accept->error)
    g_set_error(&accept->error, ML_ERROR, ML_ERROR_NOT_FOUND, "No certificate in %s is for %s.", accept->file,
                accept->address);
}

static void
import_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Accept *accept = data;

  if (!accept->error && !cancelled && accept->cert && !accept->composer->closed) {
    ask_accept(accept);
    return;
  }
  if (accept->error)
    ui_app_error(app, accept->error);
  accept_free(accept);
}

static void
import_answered(const char *answer, gpointer data)
{
  Accept *accept = data;

  if (!answer || !*answer || !strcmp(answer, "-")) {
    accept_free(accept);
    return;
  }
  accept->file = g_str_has_prefix(answer, "~/") ? g_build_filename(g_get_home_dir(), answer + 2, NULL)
                                                : g_strdup(answer);
  g_autofree char *name = g_path_get_basename(accept->file);
  accept->source = g_strdup_printf("file %s", name);
  ui_ops_job(accept->composer->app, CRYPTO_JOB_VERIFY, "Reading the file", run_import, import_done, accept);
}

void
ui_action_missing_import(UiApp *app)
{
  const MlRecipient *recipient = current(app);

  if (!recipient)
    return;
  Accept *accept = g_new0(Accept, 1);
  accept->composer = ui_composer_ref(composer_of(app));
  accept->address = g_strdup(recipient->address);
  g_autofree char *question = g_strdup_printf("Certificate file of %s", recipient->address);
  g_autofree char *safe = ui_text_line(question);
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, safe, NULL, ui_compose_complete_file, import_answered,
                 accept);
}

static void
apart_answered(const char *answer, gpointer data)
{
  g_autoptr(UiComposer) composer = data;

  if (!answer || composer->closed)
    return;
  if (!strcmp(answer, "plain")) {
    ui_app_pop_to(composer->app, UI_IN_COMPOSE);
    ui_send_apart(composer);
  } else
    ui_app_say(composer->app, "Nothing was sent: only the word plain, typed out, sends in clear.");
}

void
ui_action_missing_apart(UiApp *app)
{
  UiComposer *composer = composer_of(app);

  if (!composer || ui_composer_forced(composer, ML_POLICY_ENCRYPT))
    return;
  guint missing = ui_compose_missing(composer), all = composer->found->n;
  if (missing == all) {
    ui_app_say(app, "Nobody can read it encrypted: p sends it in clear.");
    return;
  }
  g_autofree char *first =
      g_strdup_printf("Two messages: encrypted to %u, in clear to %u.", all - missing, missing);
  const char *explanation[] = { first, "Every server on the way to the latter can read it.", NULL };
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, explanation, "Type plain to send both", NULL, NULL,
                 apart_answered, ui_composer_ref(composer));
}

static void
clear_answered(const char *answer, gpointer data)
{
  g_autoptr(UiComposer) composer = data;

  if (!answer || composer->closed)
    return;
  if (strcmp(answer, "plain") != 0) {
    ui_app_say(composer->app, "Nothing was sent: only the word plain, typed out, sends in clear.");
    return;
  }
  composer->draft->encrypt = FALSE;
  composer->encrypt_set = TRUE;
  ui_composer_changed(composer, FALSE);
  ui_app_pop_to(composer->app, UI_IN_COMPOSE);
  ui_send_start(composer);
}

void
ui_action_missing_plain(UiApp *app)
{
  UiComposer *composer = composer_of(app);
  const char *explanation[] = { "Unencrypted, to everybody: every server on the way can read it.", NULL };

  if (composer && !ui_composer_forced(composer, ML_POLICY_ENCRYPT))
    ui_prompts_ask(app->prompts, UI_PROMPT_LINE, explanation, "Type plain to send it in clear", NULL, NULL,
                   clear_answered, ui_composer_ref(composer));
}
