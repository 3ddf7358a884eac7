#include <string.h>

#include "mail/recipients.h"
#include "ui/cert-mail.h"
#include "ui/certs-private.h"

/* T, D and A: trust, deletion, and the candidates that mail or a directory brought. */

/* One change of one certificate, on its way through its question and its job. */
typedef struct Change Change;
struct Change {
  UiApp *app;
  CryptoCert *cert;
  guint flags;
  UiCertGroup group;
  char *mail, *source; /* of the row; NULL */
  CryptoTrustWish trust_mail, trust_server;
  const char *said; /* when it is done */
  char *lost;       /* what goes with it, counted; NULL */
  gboolean done, deleted;
  GError *error;
};

static void
change_free(gpointer data)
{
  Change *change = data;
  crypto_cert_unref(change->cert);
  g_free(change->mail);
  g_free(change->source);
  g_free(change->lost);
  g_clear_error(&change->error);
  g_free(change);
}

static Change *
change_new(UiApp *app, const UiCertRow *row)
{
  Change *change = g_new0(Change, 1);
  *change = (Change){ .app = app,
                      .cert = crypto_cert_ref(row->entry->cert),
                      .flags = row->entry->flags,
                      .group = row->group,
                      .mail = g_strdup(row->mail),
                      .source = g_strdup(row->source) };
  return change;
}

/* Who it is, by its fingerprint; what follows stands below it. */
static void
ask(Change *change, UiPromptKind kind, const char *question, const char *const *more, UiPromptDone answered)
{
  CryptoCert *cert = change->cert;
  g_autofree char *until = ui_details_date(crypto_cert_not_after(cert));
  g_autofree char *who = g_strdup_printf("%.200s, from %.200s, until %s", crypto_cert_common_name(cert),
                                         crypto_cert_issuer_name(cert), until);
  g_autofree char *valid = g_utf8_make_valid(who, -1);
  g_autofree char *safe = ui_text_line(valid), *safe_question = ui_text_line(question);
  g_autofree char *short_who = ui_text_cut(safe, 150);
  g_autofree char *print = ui_details_fingerprint(crypto_cert_sha256(cert));
  g_autofree char *first = g_strdup_printf("SHA-256 %.39s", print);
  g_autofree char *second = g_strdup_printf("        %s", strlen(print) > 40 ? print + 40 : "");
  const char *explanation[10] = { short_who, first, second };

  for (guint i = 0; more && more[i] && i < 6; i++)
    explanation[3 + i] = more[i];
  ui_prompts_ask(change->app->prompts, kind, explanation, safe_question, NULL, NULL, answered, change);
}

static void
changed(UiApp *app, gboolean cancelled, gpointer data)
{
  Change *change = data;

  if (change->error)
    ui_app_error(app, change->error);
  if (change->error && change->deleted)
    ui_certs_refresh(app);
  if (!change->error && change->done) {
    ui_app_say(app, "%s: %s.", change->said, crypto_cert_common_name(change->cert));
    ui_app_note(app, UI_STYLE_NORMAL, "%s: %s, SHA-256 %s", change->said, crypto_cert_common_name(change->cert),
                crypto_cert_sha256(change->cert));
    ui_certs_refresh(app);
  }
  change_free(change);
}

/* --- trust */

static void
run_trust(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Change *change = data;

  change->done =
      crypto_certdb_set_trust(change->cert, change->trust_mail, change->trust_server, pin, &change->error);
}

static void
trust_answered(const char *answer, gpointer data)
{
  Change *change = data;

  if (answer && *answer != 'n')
    ui_ops_job(change->app, CRYPTO_JOB_KEYS, "Changing the certificate database", run_trust, changed, change);
  else
    change_free(change);
}

/* What the list of T has, where the present state allows it. */
static const struct {
  const char *words, *said;
  guint unless, only; /* flags: not shown where one of unless is set, or none of only */
  gboolean authority; /* for an authority alone */
  CryptoTrustWish mail, server;
} wishes[] = {
  { "Trust it for mail: to say who signs", "Trusted for mail", CRYPTO_CERT_TRUSTED_MAIL, 0, TRUE, CRYPTO_TRUST_TRUSTED,
    CRYPTO_TRUST_KEEP },
  { "Trust it for servers: to say which server this is", "Trusted for servers", CRYPTO_CERT_TRUSTED_SERVER, 0, TRUE,
    CRYPTO_TRUST_KEEP, CRYPTO_TRUST_TRUSTED },
  { "Trust it for mail no longer", "No longer trusted for mail", 0, CRYPTO_CERT_TRUSTED_MAIL, TRUE,
    CRYPTO_TRUST_NEUTRAL, CRYPTO_TRUST_KEEP },
  { "Trust it for servers no longer", "No longer trusted for servers", 0, CRYPTO_CERT_TRUSTED_SERVER, TRUE,
    CRYPTO_TRUST_KEEP, CRYPTO_TRUST_NEUTRAL },
  { "Never trust it for mail, whoever vouches for it", "Distrusted for mail", CRYPTO_CERT_DISTRUSTED, 0, FALSE,
    CRYPTO_TRUST_NEVER, CRYPTO_TRUST_KEEP },
  { "Never trust it for servers", "Distrusted for servers", CRYPTO_CERT_DISTRUSTED_SERVER, 0, TRUE, CRYPTO_TRUST_KEEP,
    CRYPTO_TRUST_NEVER },
  { "Distrust it for mail no longer", "No longer distrusted for mail", 0, CRYPTO_CERT_DISTRUSTED, FALSE,
    CRYPTO_TRUST_NEUTRAL, CRYPTO_TRUST_KEEP },
  { "Distrust it for servers no longer", "No longer distrusted for servers", 0, CRYPTO_CERT_DISTRUSTED_SERVER, FALSE,
    CRYPTO_TRUST_KEEP, CRYPTO_TRUST_NEUTRAL },
};

static gboolean
is_offered(guint index, guint flags, gboolean authority)
{
  return !(wishes[index].unless & flags) && (!wishes[index].only || wishes[index].only & flags) &&
         (authority || !wishes[index].authority);
}

/* @row counts those that are offered. */
static void
wish_chosen(UiApp *app, guint row, gpointer data)
{
  static const char *const compare[] = { "Compare it with what the authority itself publishes, not with a mail.",
                                         NULL };
  Change *change = data;
  guint index = 0;

  for (guint i = 0; i < G_N_ELEMENTS(wishes); i++)
    if (is_offered(i, change->flags, crypto_cert_is_authority(change->cert)) && row-- == 0)
      index = i;
  change->trust_mail = wishes[index].mail;
  change->trust_server = wishes[index].server;
  change->said = wishes[index].said;
  if (wishes[index].mail == CRYPTO_TRUST_TRUSTED || wishes[index].server == CRYPTO_TRUST_TRUSTED)
    ask(change, UI_PROMPT_SPELLED,
        wishes[index].mail == CRYPTO_TRUST_TRUSTED ? "Trust it to say who anybody is? Spell out yes"
                                                   : "Trust it to say which server is which? Spell out yes",
        compare, trust_answered);
  else
    ask(change, UI_PROMPT_YES_NO, wishes[index].words, NULL, trust_answered);
}

void
ui_action_certs_trust(UiApp *app)
{
  const UiCertRow *row = ui_certs_current(app);

  if (!row)
    return;
  guint flags = row->entry->flags;
  gboolean authority = crypto_cert_is_authority(row->entry->cert);
  g_autofree char *title = g_strdup_printf("What is %s to be trusted for", row->address);
  UiList *list = ui_list_choose(app, title, wish_chosen, change_new(app, row), change_free);
  for (guint i = 0; i < G_N_ELEMENTS(wishes); i++)
    if (is_offered(i, flags, authority))
      ui_list_add(list, UI_STYLE_NORMAL, " %s", wishes[i].words);
}

/* --- delete, forget */

/* Whomever it was accepted for, named in it or not. */
static gboolean
take_back_yes(Change *change)
{
  MlPeople *people = ui_app_people(change->app, CRYPTO_JOB_KEYS);
  const char *sha256 = crypto_cert_sha256(change->cert);

  if (!people)
    return TRUE;
  return change->group == UI_CERT_CANDIDATE ? ml_people_forget(people, change->mail, sha256, &change->error)
                                            : ml_people_unaccept(people, NULL, sha256, &change->error);
}

static void
run_delete(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Change *change = data;

  if (change->group == UI_CERT_CANDIDATE)
    change->done = take_back_yes(change);
  else
    change->done = (change->deleted = crypto_certdb_delete(change->cert, pin, &change->error)) && take_back_yes(change);
}

static void
delete_answered(const char *answer, gpointer data)
{
  Change *change = data;

  if (answer && *answer != 'n')
    ui_ops_job(change->app, CRYPTO_JOB_KEYS, "Deleting", run_delete, changed, change);
  else {
    ui_app_say(change->app, "Nothing was deleted.");
    change_free(change);
  }
}

/* How many in the list were issued by it. */
static guint
count_issued(UiApp *app, CryptoCert *authority)
{
  UiCerts *certs = ui_certs_of(app);
  guint n = 0;

  for (guint i = 0; certs && certs->all && i < certs->all->len; i++) {
    CryptoCert *cert = ((UiCertRow *)certs->all->pdata[i])->entry->cert;
    n += cert != authority && !crypto_cert_self_signed(cert) &&
         !strcmp(crypto_cert_issuer(cert), crypto_cert_subject(authority));
  }
  return n;
}

/* What an account in signet.conf names would be missed there. */
static char *
named_by(UiApp *app, CryptoCert *cert)
{
  for (guint i = 0; i < app->config->accounts->len; i++) {
    const MlAccount *account = app->config->accounts->pdata[i];
    const char *const named[] = { account->sign_cert, account->encrypt_cert, account->tls_cert };
    for (gsize k = 0; k < G_N_ELEMENTS(named); k++)
      if (named[k] && !g_ascii_strcasecmp(named[k], crypto_cert_sha256(cert))) {
        g_autofree char *words =
            g_strdup_printf("signet.conf names it for %s: that account could not use it any more.", account->name);
        return ui_text_line(words);
      }
  }
  return NULL;
}

static void
ask_delete(Change *change)
{
  UiApp *app = change->app;
  g_autofree char *named = named_by(app, change->cert), *lost = NULL, *also = NULL;
  const char *more[6] = { NULL };
  guint n = 0;

  if (change->lost) {
    char *end = strchr(change->lost, '\n');
    lost = ui_text_line(end ? end + 1 : "");
    if (end)
      *end = 0;
    more[n++] = change->lost;
    if (*lost)
      more[n++] = lost;
  }
  if (named)
    more[n++] = named;
  if (change->group == UI_CERT_AUTHORITY) {
    also = g_strdup_printf("%u certificate%s in this list came from it: what they sign is no longer trusted by it.",
                           count_issued(app, change->cert), count_issued(app, change->cert) == 1 ? "" : "s");
    more[n++] = also;
  } else if (change->group == UI_CERT_PERSON && crypto_cert_can_encrypt(change->cert)) {
    g_autofree char *words = g_strdup_printf("Mail to %s cannot be encrypted with it any more.",
                                             change->mail ? change->mail : "nobody");
    also = ui_text_line(words);
    more[n++] = also;
  }
  change->said = "Deleted";
  if (change->group == UI_CERT_OWN)
    ask(change, UI_PROMPT_SPELLED, "Delete it and its private key, for ever? Spell out yes", more, delete_answered);
  else
    ask(change, UI_PROMPT_YES_NO, "Delete it", more, delete_answered);
}

static void
run_count(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Change *change = data;

  change->lost =
      ui_cert_mail_count_lost(change->app->config, change->app->cli->state_dir, change->cert, cancellable);
}

static void
counted(UiApp *app, gboolean cancelled, gpointer data)
{
  Change *change = data;

  if (!cancelled && change->lost)
    ask_delete(change);
  else
    change_free(change);
}

void
ui_action_certs_delete(UiApp *app)
{
  const UiCertRow *row = ui_certs_current(app);

  if (!row)
    return;
  if (row->entry->flags & CRYPTO_CERT_BUILTIN) {
    ui_app_say(app, "It is one of NSS's own roots, which cannot be deleted: T takes the trust in it away.");
    return;
  }
  if (row->entry->token && strcmp(row->entry->token, "database") != 0) {
    ui_app_say(app, "It lies on the token \"%s\": delete it there, with the card's own program.", row->where);
    return;
  }
  Change *change = change_new(app, row);
  if (row->group == UI_CERT_CANDIDATE) {
    static const char *const more[] = { "It is not offered again, whatever mail brings it.", NULL };
    change->said = "Forgotten";
    ask(change, UI_PROMPT_YES_NO, "Forget it", more, delete_answered);
  } else if (row->group == UI_CERT_OWN)
    ui_ops_job(app, CRYPTO_JOB_NETWORK, "Counting what only its key can read", run_count, counted, change);
  else
    ask_delete(change);
}

/* --- accept */

static void
run_accept(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Change *change = data;
  MlPeople *people = ui_app_people(change->app, CRYPTO_JOB_KEYS);
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;

  if (!people) {
    g_set_error_literal(&change->error, ML_ERROR, ML_ERROR_STORE,
                        "What is accepted could not be remembered: people.db cannot be opened.");
    return;
  }
  MlRecipient *row =
      ml_recipients_from_cert(change->cert, change->source, now, ml_config_revocation(change->app->config));
  g_free(row->address);
  row->address = g_strdup(change->mail);
  change->done = ml_recipients_accept(people, row, now, pin, &change->error);
  ml_recipient_free(row);
}

static void
accept_answered(const char *answer, gpointer data)
{
  Change *change = data;

  if (answer && *answer == 'y')
    ui_ops_job(change->app, CRYPTO_JOB_KEYS, "Storing the certificate", run_accept, changed, change);
  else
    change_free(change);
}

void
ui_action_certs_accept(UiApp *app)
{
  const UiCertRow *row = ui_certs_current(app);

  if (!row)
    return;
  if (row->group == UI_CERT_OWN || row->group == UI_CERT_AUTHORITY || !row->mail ||
      (row->group == UI_CERT_PERSON && row->accepted)) {
    ui_app_say(app, row->accepted ? "It is accepted already."
                                  : "Only people's certificates are accepted, for writing to them.");
    return;
  }
  Change *change = change_new(app, row);
  g_autofree char *question = g_strdup_printf("Write to %s with this certificate", row->mail);
  g_autofree char *from = row->source ? g_strdup_printf("From %s.", row->source) : NULL;
  g_autofree char *safe = from ? ui_text_line(from) : NULL;
  const char *more[3] = { NULL };
  guint n = 0;
  if (safe)
    more[n++] = safe;
  if (!row->status || row->status->judgement != UI_CERT_GOOD)
    more[n++] = "Nobody you trust vouches for it, or something else is wrong: compare its fingerprint with them.";
  change->said = "Accepted";
  ask(change, UI_PROMPT_YES_NO, question, more, accept_answered);
}
