#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/certdb.h"
#include "keyring/keyring.h"
#include "ui/app-private.h"
#include "ui/exception.h"
#include "ui/password.h"

#define KEY_PREFIX "key "

/* What workers ask for, on their threads: passwords, and whether a server's refused certificate is to be accepted.
 * Passwords that were right are kept for the session, by server. */
typedef struct {
  UiApp *app;
  GMutex lock;
  GHashTable *passwords; /* server -> password; under the lock */
  GHashTable *typed;     /* set of servers whose password was typed and not yet tried; under the lock */
  GHashTable *stored;    /* set of servers whose last password came from the keyring; under the lock */
  GHashTable *declined;  /* set of what the person did not want to answer; under the lock */
} Secrets;

gpointer
ui_ask_new(UiApp *app)
{
  Secrets *secrets = g_new0(Secrets, 1);

  secrets->app = app;
  g_mutex_init(&secrets->lock);
  secrets->passwords =
      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)crypto_pin_wipe);
  secrets->typed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  secrets->stored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  secrets->declined = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  return secrets;
}

void
ui_ask_free(gpointer data)
{
  Secrets *secrets = data;

  if (!secrets)
    return;
  g_hash_table_unref(secrets->passwords);
  g_hash_table_unref(secrets->typed);
  g_hash_table_unref(secrets->stored);
  g_hash_table_unref(secrets->declined);
  g_mutex_clear(&secrets->lock);
  g_free(secrets);
}

/* A worker tries again for its next command, and by itself: a question that was declined is not put again until
 * the person wants to connect. */
static gboolean
was_declined(Secrets *secrets, const char *what)
{
  g_mutex_lock(&secrets->lock);
  gboolean declined = g_hash_table_contains(secrets->declined, what);
  g_mutex_unlock(&secrets->lock);
  return declined;
}

static void
decline(Secrets *secrets, const char *what)
{
  g_mutex_lock(&secrets->lock);
  g_hash_table_add(secrets->declined, g_strdup(what));
  g_mutex_unlock(&secrets->lock);
}

/* Is @what, a key of `declined`, asked for @account's servers? */
static gboolean
concerns(const char *what, const MlAccount *account)
{
  const MlServer *servers[] = { &account->imap, &account->smtp };

  if (g_str_has_prefix(what, KEY_PREFIX)) /* of a client certificate */
    return account->tls_cert != NULL;
  for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
    if (!servers[i]->host)
      continue;
    g_autofree char *password = ui_password_server(servers[i], i ? "smtp" : "imap");
    g_autofree char *certificate = g_strdup_printf("%s:%u ", servers[i]->host, servers[i]->port);
    if (!strcmp(what, password) || g_str_has_prefix(what, certificate))
      return TRUE;
  }
  return FALSE;
}

void
ui_ask_anew(gpointer data, const MlAccount *account)
{
  Secrets *secrets = data;
  GHashTableIter iter;
  gpointer what;

  g_mutex_lock(&secrets->lock);
  g_hash_table_iter_init(&iter, secrets->declined);
  while (g_hash_table_iter_next(&iter, &what, NULL))
    if (!account || concerns(what, account))
      g_hash_table_iter_remove(&iter);
  g_mutex_unlock(&secrets->lock);
}

static void
remember(Secrets *secrets, const char *server, const char *password)
{
  char *copy = g_strdup(password);

  mlock(copy, strlen(copy) + 1); /* where the limit allows */
  g_mutex_lock(&secrets->lock);
  g_hash_table_replace(secrets->passwords, g_strdup(server), copy);
  g_hash_table_add(secrets->typed, g_strdup(server));
  g_mutex_unlock(&secrets->lock);
}

/* A password that was refused is not tried again by itself: servers lock accounts for that. */
static void
forget(Secrets *secrets, const char *server)
{
  g_mutex_lock(&secrets->lock);
  g_hash_table_remove(secrets->passwords, server);
  g_mutex_unlock(&secrets->lock);
}

static char *
recall(Secrets *secrets, const char *server)
{
  g_mutex_lock(&secrets->lock);
  char *password = g_strdup(g_hash_table_lookup(secrets->passwords, server));
  g_mutex_unlock(&secrets->lock);
  return password;
}

static void
note_stored(Secrets *secrets, const char *server)
{
  g_mutex_lock(&secrets->lock);
  g_hash_table_add(secrets->stored, g_strdup(server));
  g_mutex_unlock(&secrets->lock);
}

/* What the keyring had was refused: it is taken out, so that it is not tried for ever. */
static const char *
explain_refusal(Secrets *secrets, const MlAccount *account, const char *server, GCancellable *cancellable)
{
  g_autoptr(GError) error = NULL;

  g_mutex_lock(&secrets->lock);
  gboolean stored = g_hash_table_remove(secrets->stored, server);
  g_mutex_unlock(&secrets->lock);
  if (!stored)
    return "The server refused the password.";
  if (keyring_forget(account->name, server, cancellable, &error))
    return "The server refused the password from the keyring, which has forgotten it now.";
  return "The server refused the password from the keyring.";
}

static void
set_not_given(GError **error, gboolean sending)
{
  g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "No password was given%s; Ctrl-R asks again.",
              sending ? " for sending" : "");
}

static char *
ask_password(const MlAccount *account, const MlServer *server, gboolean retry, GCancellable *cancellable,
             gpointer user_data, GError **error)
{
  Secrets *secrets = user_data;
  g_autofree char *name = ui_password_server(server, server == &account->smtp ? "smtp" : "imap");
  g_autoptr(GError) local = NULL;
  UiPasswordSource source = UI_PASSWORD_TYPED;
  gboolean sending = server == &account->smtp;

  if (retry)
    forget(secrets, name);
  char *password = retry ? NULL : recall(secrets, name);
  if (!password && !retry)
    password = ui_password_stored(account, server, &source, cancellable, &local);
  if (password && source == UI_PASSWORD_KEYRING)
    note_stored(secrets, name);
  if (password)
    return password;
  const char *refused = retry ? explain_refusal(secrets, account, name, cancellable) : NULL;
  if (was_declined(secrets, name)) {
    set_not_given(error, sending);
    return NULL;
  }
  g_autofree char *host = ui_text_line(server->host), *user = ui_text_line(server->user ? server->user : "");
  g_autofree char *question = g_strdup_printf("Password of %s at %s", user, host);
  g_autofree char *why = local ? ui_text_line(local->message) : NULL;
  const char *explanation[] = { refused ? refused : why, NULL };
  password = ui_prompts_wait(secrets->app->prompts, sending ? UI_PROMPT_SECRET : UI_PROMPT_PASSWORD, explanation,
                             question, cancellable);
  if (password)
    remember(secrets, name, password);
  else {
    decline(secrets, name);
    if (local)
      g_propagate_error(error, g_steal_pointer(&local));
    else
      set_not_given(error, sending);
  }
  return password;
}

void
ui_ask_online(UiApp *app, const MlAccount *account)
{
  Secrets *secrets = app->secrets;
  g_autofree char *name = ui_password_server(&account->imap, "imap");

  g_mutex_lock(&secrets->lock);
  gboolean typed = g_hash_table_remove(secrets->typed, name);
  char *password = typed ? g_strdup(g_hash_table_lookup(secrets->passwords, name)) : NULL;
  g_mutex_unlock(&secrets->lock);
  if (password && !account->password_command)
    ui_keep_offer(app, account->name, name, password);
  else
    crypto_pin_wipe(password);
}

static gboolean
ask_exception(const CryptoTlsProblem *problem, gpointer user_data)
{
  Secrets *secrets = user_data;
  g_autofree char *file = ui_exception_file(secrets->app->cli->state_dir);

  if (ui_exception_is_stored(file, problem->host, problem->port, problem->sha256))
    return TRUE;
  g_autofree char *key = g_strdup_printf("%s:%u %s", problem->host, problem->port, problem->sha256);
  if (was_declined(secrets, key))
    return FALSE;
  g_autofree char *host = ui_text_line(problem->host), *wrong = ui_text_line(problem->sentence);
  g_autofree char *print = ui_details_fingerprint(problem->sha256);
  g_autofree char *first = g_strdup_printf("SHA-256 %.40s", print);
  g_autofree char *second = g_strdup_printf("        %s", strlen(print) > 40 ? print + 40 : "");
  g_autofree char *question =
      g_strdup_printf("Accept this certificate for %s from now on? Spell out yes", host);
  gboolean has_print = strstr(wrong, "SHA-256") != NULL; /* the sentence gives it already */
  const char *password = "Your password would go to whoever holds this key.";
  const char *explanation[] = { wrong, has_print ? password : first, has_print ? NULL : second, password,
                                NULL };
  char *answer = ui_prompts_wait(secrets->app->prompts, UI_PROMPT_SPELLED, explanation, question, NULL);
  gboolean yes = answer != NULL;
  crypto_pin_wipe(answer);
  if (!yes)
    decline(secrets, key);
  g_autoptr(GError) error = NULL;
  if (yes && !ui_exception_store(file, problem->host, problem->port, problem->sha256, &error))
    g_message("%s", error->message);
  return yes;
}

static char *
ask_pin(const CryptoPinQuestion *question, GCancellable *cancellable, gpointer data)
{
  UiApp *app = data;
  char *pin = ui_prompts_pin(question, cancellable, app->prompts);

  if (pin)
    ui_idle_pin_given(app);
  return pin;
}

/* The key of a TLS client certificate: asked for before the handshake, which itself never asks. */
static gboolean
unlock(CryptoCert *cert, GCancellable *cancellable, gpointer user_data, GError **error)
{
  Secrets *secrets = user_data;
  g_autofree char *name = g_strconcat(KEY_PREFIX, crypto_cert_sha256(cert), NULL);
  g_autoptr(GCancellable) own = cancellable ? g_object_ref(cancellable) : g_cancellable_new();
  g_autoptr(GError) local = NULL;
  CryptoPinSource pin = { .func = ask_pin, .user_data = secrets->app, .cancellable = own };

  if (crypto_certdb_unlock(cert, was_declined(secrets, name) ? NULL : &pin, &local))
    return TRUE;
  if (g_error_matches(local, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED) && !g_cancellable_is_cancelled(own))
    decline(secrets, name);
  g_propagate_error(error, g_steal_pointer(&local));
  return FALSE;
}

void
ui_ask_hooks(UiApp *app, MlDriverHooks *hooks)
{
  hooks->password = ask_password;
  hooks->unlock = unlock;
  hooks->exception = ask_exception;
  hooks->user_data = app->secrets;
}
