#include <string.h>

#include "crypto/token.h"
#include "ui/cert-account.h"
#include "ui/cert-request.h"
#include "ui/certs-private.h"
#include "ui/compose-private.h"
#include "ui/save.h"

/* u and r: which of our certificates an account uses, and asking for a new one. */

/* --- the account's certificate, in signet.conf and in this run */

typedef struct {
  UiApp *app;
  const MlAccount *account;
  CryptoCert *cert; /* NULL: the newest valid one */
  gboolean sign, encrypt;
  GError *error;
} Use;

static void
use_free(gpointer data)
{
  Use *use = data;
  crypto_cert_unref(use->cert);
  g_clear_error(&use->error);
  g_free(use);
}

static void
run_use(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Use *use = data;

  if (!ui_cert_account_write(use->app->config, use->account, use->cert, use->sign, use->encrypt, &use->error) &&
      !use->error)
    g_set_error_literal(&use->error, ML_ERROR, ML_ERROR_FAILED, "The configuration could not be changed.");
}

/* Other threads read the account: they find the old string or the new one, and both live until the end. */
static void
set_string(UiApp *app, char **place, const char *value)
{
  char *old = *place;

  g_atomic_pointer_set(place, g_strdup(value));
  if (!app->outlived)
    app->outlived = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(app->outlived, old);
}

static void
use_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Use *use = data;
  MlAccount *account = ml_config_account(app->config, use->account->name);
  const char *value = use->cert ? crypto_cert_sha256(use->cert) : "auto";

  if (use->error)
    ui_app_error(app, use->error);
  else if (!cancelled && account) {
    gboolean sign = use->sign && (!use->cert || crypto_cert_can_sign(use->cert));
    gboolean encrypt = use->encrypt && (!use->cert || crypto_cert_can_encrypt(use->cert));
    if (sign)
      set_string(app, &account->sign_cert, value);
    if (encrypt)
      set_string(app, &account->encrypt_cert, value);
    ui_app_say(app, use->cert ? "%s uses it %s from now on (signet.conf); old keys stay for reading."
                              : "%s takes the newest valid one %s: so it is in signet.conf now.",
               account->name, sign && encrypt ? "for both" : sign ? "to sign" : "to be written to");
    ui_app_note(app, UI_STYLE_NORMAL, "%s: %s%s%s = %s", account->name, sign ? "sign-cert" : "",
                sign && encrypt ? ", " : "", encrypt ? "encrypt-cert" : "", value);
  }
  use_free(use);
}

static void
start_use(Use *use)
{
  ui_ops_job(use->app, CRYPTO_JOB_KEYS, "Writing the configuration", run_use, use_done, use);
}

static void
offer_answered(const char *answer, gpointer data)
{
  Use *use = data;

  if (answer && *answer == 'y')
    start_use(use);
  else {
    ui_app_say(use->app, "%s stays with the one that signet.conf names; u changes that.", use->account->name);
    use_free(use);
  }
}

void
ui_certs_offer(UiApp *app, const MlAccount *account, CryptoCert *cert)
{
  Use *use = g_new0(Use, 1);
  g_autofree char *name = ui_text_line(account->name);
  g_autofree char *question = g_strdup_printf("Shall %s use the new certificate", name);
  g_autofree char *until = ui_details_date(crypto_cert_not_after(cert));
  g_autofree char *first =
      g_strdup_printf("It is valid until %s. signet.conf names another one for this account.", until);
  const char *explanation[] = { first, "The old one's key stays in any case, for reading old mail.", NULL };

  *use = (Use){ app, account, crypto_cert_ref(cert), TRUE, TRUE, NULL };
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, explanation, question, NULL, NULL, offer_answered, use);
}

/* What the choice of u offers, a row each. */
typedef struct {
  GPtrArray *uses; /* of Use */
} Uses;

static void
uses_free(gpointer data)
{
  Uses *uses = data;
  g_ptr_array_unref(uses->uses);
  g_free(uses);
}

static void
use_chosen(UiApp *app, guint index, gpointer data)
{
  Uses *uses = data;

  start_use(g_ptr_array_steal_index(uses->uses, index));
  uses_free(uses);
}

static void
add_use(UiList *list, Uses *uses, UiApp *app, const MlAccount *account, CryptoCert *cert, gboolean sign,
        gboolean encrypt)
{
  Use *use = g_new0(Use, 1);
  const char *for_what = sign && encrypt ? "sign with it, and be written to at it"
                         : sign          ? "sign with it"
                                         : "be written to at it";

  *use = (Use){ app, account, cert ? crypto_cert_ref(cert) : NULL, sign, encrypt, NULL };
  g_ptr_array_add(uses->uses, use);
  ui_list_add(list, UI_STYLE_NORMAL, " %s: %s", account->name,
              cert ? for_what : "name none; the newest valid one is taken by itself (auto)");
}

void
ui_action_certs_use(UiApp *app)
{
  const UiCertRow *row = ui_certs_current(app);
  guint fitting = 0;

  if (!row)
    return;
  CryptoCert *cert = row->entry->cert;
  gboolean sign = crypto_cert_can_sign(cert), encrypt = crypto_cert_can_encrypt(cert);
  if (row->entry->flags & CRYPTO_CERT_RETIRED) {
    ui_app_say(app, "It is an old key, for reading old mail: no account signs or is written to with it.");
    return;
  }
  if (row->group != UI_CERT_OWN || (!sign && !encrypt)) {
    ui_app_say(app, row->group != UI_CERT_OWN ? "Its private key is not here: an account can use your own alone."
                                              : "This certificate is not made for mail.");
    return;
  }
  for (guint i = 0; i < app->config->accounts->len; i++)
    fitting += ui_cert_account_has(app->config->accounts->pdata[i], cert) ? 1 : 0;
  if (!fitting) {
    ui_app_say(app, "No account has an address that is in this certificate.");
    return;
  }
  Uses *uses = g_new0(Uses, 1);
  uses->uses = g_ptr_array_new_with_free_func(use_free);
  g_autofree char *title = g_strdup_printf("Use the certificate of %s", row->address);
  UiList *list = ui_list_choose(app, title, use_chosen, uses, uses_free);
  for (guint i = 0; i < app->config->accounts->len; i++) {
    const MlAccount *account = app->config->accounts->pdata[i];
    if (!ui_cert_account_has(account, cert))
      continue;
    if (sign && encrypt)
      add_use(list, uses, app, account, cert, TRUE, TRUE);
    if (sign)
      add_use(list, uses, app, account, cert, TRUE, FALSE);
    if (encrypt)
      add_use(list, uses, app, account, cert, FALSE, TRUE);
    add_use(list, uses, app, account, NULL, TRUE, TRUE);
  }
}

/* --- a new key and a request */

static const struct {
  const char *words, *kind;
} kinds[] = { { "RSA 3072: read by every program", "rsa-3072" },
              { "EC P-256: small and fast; some old programs cannot encrypt to it", "p-256" },
              { "EC P-384", "p-384" },
              { "RSA 4096", "rsa-4096" } };

typedef struct {
  UiApp *app;
  const MlAccount *account; /* whose address and name are proposed */
  GPtrArray *tokens; /* of char *: where a key can be made; the first is NULL, the database */
  guint kind, token;
  char **addresses;
  char *name, *path;
  gboolean done;
  GError *error;
} Request;

static void
request_free(gpointer data)
{
  Request *request = data;
  g_clear_pointer(&request->tokens, g_ptr_array_unref);
  g_strfreev(request->addresses);
  g_free(request->name);
  g_free(request->path);
  g_clear_error(&request->error);
  g_free(request);
}

static void
run_request(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Request *request = data;
  CryptoIssue what = { .common_name = request->name,
                       .addresses = (const char *const *)request->addresses,
                       .sign = TRUE,
                       .encrypt = TRUE };

  request->done = ui_cert_request_key(kinds[request->kind].kind, &what) &&
                  ui_cert_request_make(&what, request->tokens->pdata[request->token], request->path, pin,
                                       &request->error);
}

static void
request_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Request *request = data;
  const char *token = request->tokens->pdata[request->token];

  if (request->error)
    ui_app_error(app, request->error);
  else if (request->done) {
    ui_app_say(app, "The key is made. Send %s to your authority; i takes what it sends back.", request->path);
    ui_app_note(app, UI_STYLE_NORMAL, "A key for %s was made in %s; the request is in %s.", request->addresses[0],
                token ? token : "the certificate database", request->path);
  }
  request_free(request);
}

static void
path_answered(const char *answer, gpointer data)
{
  Request *request = data;

  if (!answer || !*answer || !strcmp(answer, "-")) {
    request_free(request);
    return;
  }
  request->path = ui_save_path(answer, "request.csr");
  ui_ops_job(request->app, CRYPTO_JOB_KEYS, "Making a key", run_request, request_done, request);
}

static void
name_answered(const char *answer, gpointer data)
{
  Request *request = data;

  if (!answer || strlen(answer) > 64) {
    if (answer)
      ui_app_complain(request->app, "A name has 64 octets at most in a certificate.");
    request_free(request);
    return;
  }
  request->name = g_strdup(*answer ? answer : request->addresses[0]);
  g_autofree char *stem = g_strdup(request->addresses[0]);
  g_strcanon(stem, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "@._-", '_');
  g_autofree char *file = g_strdup_printf("%s.csr", stem);
  g_autofree char *free_name = ui_save_free_name(NULL, file);
  ui_prompts_ask(request->app->prompts, UI_PROMPT_LINE, NULL, "Save the request in the file", free_name,
                 ui_compose_complete_file, path_answered, request);
}

static void
addresses_answered(const char *answer, gpointer data)
{
  Request *request = data;

  request->addresses = answer ? g_strsplit_set(answer, ", ", 32) : NULL;
  guint n = 0;
  for (guint i = 0; request->addresses && request->addresses[i]; i++) { /* without what lies between two separators */
    char *one = request->addresses[i];
    request->addresses[i] = NULL;
    if (*one)
      request->addresses[n++] = one;
    else
      g_free(one);
  }
  for (guint i = 0; i < n; i++)
    if (!ui_cert_request_is_address(request->addresses[i])) {
      ui_app_complain(request->app, "%s is not a mail address: one looks like anna@example.org.", request->addresses[i]);
      n = 0;
    }
  if (!n) {
    request_free(request);
    return;
  }
  ui_prompts_ask(request->app->prompts, UI_PROMPT_LINE, NULL, "Your name, as it shall be in the certificate",
                 request->account->display_name, NULL, name_answered, request);
}

static void
ask_addresses(Request *request)
{
  ui_prompts_ask(request->app->prompts, UI_PROMPT_LINE, NULL, "For which addresses", request->account->address, NULL,
                 addresses_answered, request);
}

static void
token_chosen(UiApp *app, guint index, gpointer data)
{
  Request *request = data;

  request->token = index;
  ask_addresses(request);
}

static void
kind_chosen(UiApp *app, guint index, gpointer data)
{
  Request *request = data;

  request->kind = index;
  if (request->tokens->len < 2) {
    ask_addresses(request);
    return;
  }
  UiList *list = ui_list_choose(app, "Make the key in", token_chosen, request, request_free);
  ui_list_more(ui_list_add(list, UI_STYLE_NORMAL, " the certificate database"),
               "it can be exported, and kept in a safe place");
  for (guint i = 1; i < request->tokens->len; i++)
    ui_list_more(ui_list_add(list, UI_STYLE_NORMAL, " %s", (const char *)request->tokens->pdata[i]),
                 "it never leaves the token: mail that is encrypted to it is lost with it");
}

/* Where a key could be made: tokens that are there and no keypads that only read. */
static void
run_tokens(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Request *request = data;
  g_autoptr(GPtrArray) tokens = crypto_token_list(NULL);

  g_ptr_array_add(request->tokens, NULL);
  for (guint i = 0; tokens && i < tokens->len; i++) {
    const CryptoToken *token = tokens->pdata[i];
    if (token->present && !token->database && token->needs_login && token->token && *token->token)
      g_ptr_array_add(request->tokens, g_strdup(token->token));
  }
}

static void
tokens_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Request *request = data;

  if (cancelled || ui_app_top(app)->type->context != UI_IN_CERTS) {
    request_free(request);
    return;
  }
  UiList *list = ui_list_choose(app, "Ask for a new certificate: which key", kind_chosen, request, request_free);
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
    ui_list_add(list, UI_STYLE_NORMAL, " %s", kinds[i].words);
}

void
ui_action_certs_request(UiApp *app)
{
  Request *request = g_new0(Request, 1);

  request->app = app;
  request->account = ui_account_in_use(app)->account;
  request->tokens = g_ptr_array_new_with_free_func(g_free);
  ui_ops_job(app, CRYPTO_JOB_KEYS, "Looking for tokens", run_tokens, tokens_done, request);
}
