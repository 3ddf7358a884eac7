#include "mail/imap-private.h"

#include <string.h>
#include <sys/random.h>

enum { TRIES = 3, SECRET_MAX = 4096 };

typedef enum { EXTERNAL, SCRAM, PLAIN, LOGIN, COMMAND, NONE } Mechanism;

static const struct {
  const char *word; /* in signet.conf */
  const char *name; /* on the wire */
} mechanisms[] = { [EXTERNAL] = { "external", "EXTERNAL" },
                   [SCRAM] = { "scram-sha-256", "SCRAM-SHA-256" },
                   [PLAIN] = { "plain", "PLAIN" },
                   [LOGIN] = { "login", "LOGIN" },
                   [COMMAND] = { "", "the LOGIN command" } };

static Mechanism
choose(MlImapSession *session, const MlAccount *account, GError **error)
{
  gboolean plain_login = !(session->caps & ML_IMAP_LOGINDISABLED);
  for (Mechanism m = EXTERNAL; m < COMMAND; m++) {
    gboolean wanted =
        account->auth ? strcmp(account->auth, mechanisms[m].word) == 0 : m != EXTERNAL || account->tls_cert;
    if (wanted && ml_imap_session_has_auth(session, mechanisms[m].name))
      return m;
  }
  if (plain_login && (!account->auth || strcmp(account->auth, "login") == 0))
    return COMMAND;
  g_autofree char *offered = NULL;
  g_ptr_array_add(session->auths, NULL);
  offered = g_strjoinv(", ", (char **)session->auths->pdata);
  g_ptr_array_remove_index(session->auths, session->auths->len - 1);
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
              "%s offers no way to log in that fits%s%s; it offers: %s. signet can do scram-sha-256, plain, "
              "login and external.",
              session->host, account->auth ? " auth = " : "", account->auth ? account->auth : "",
              *offered ? offered : "none");
  return NONE;
}

/* One message of ours, as base64 on a line of its own; the buffers are wiped. */
static gboolean
answer(MlImapSession *session, const char *data, gsize length, GError **error)
{
  char *text = g_base64_encode((const guchar *)data, length);
  gboolean ok = ml_imap_stream_write(session->stream, text, strlen(text), error) &&
                ml_imap_stream_write(session->stream, "\r\n", 2, error);
  crypto_pin_wipe(text);
  return ok;
}

/* Begins AUTHENTICATE with @first, at once where the server allows it. Then the server's next message is
 * awaited. */
static gboolean
begin(MlImapSession *session, Mechanism m, const char *first, gsize length, gboolean *go_on, char **challenge,
      GError **error)
{
  const char *name = mechanisms[m].name;
  g_autofree char *ignored = NULL;
  if (session->caps & ML_IMAP_SASL_IR) {
    char *text = length ? g_base64_encode((const guchar *)first, length) : g_strdup("=");
    char *command = g_strconcat("AUTHENTICATE ", name, " ", text, NULL);
    gboolean ok = ml_imap_session_send(session, command, error);
    crypto_pin_wipe(command);
    crypto_pin_wipe(text);
    return ok && ml_imap_session_finish(session, go_on, challenge, error);
  }
  g_autofree char *command = g_strconcat("AUTHENTICATE ", name, NULL);
  if (!ml_imap_session_send(session, command, error) ||
      !ml_imap_session_finish(session, go_on, &ignored, error))
    return FALSE;
  return !*go_on ||
         (answer(session, first, length, error) && ml_imap_session_finish(session, go_on, challenge, error));
}

/* The server asks for more than the mechanism has: "*" ends it, and the tagged BAD is awaited. */
static gboolean
give_up(MlImapSession *session, GError *why, GError **error)
{
  if (ml_imap_stream_write(session->stream, "*\r\n", 3, NULL))
    (void)!ml_imap_session_finish(session, NULL, NULL, NULL);
  g_propagate_error(error, why);
  return FALSE;
}

static gboolean
asks_too_much(MlImapSession *session, GError **error)
{
  return give_up(
      session,
      g_error_new(ML_ERROR, ML_ERROR_PROTOCOL, "%s asks for more than the login has to say.", session->host),
      error);
}

static gboolean
run_plain(MlImapSession *session, const char *user, const char *password, GError **error)
{
  gsize user_length = strlen(user), length = user_length + strlen(password) + 2;
  gboolean go_on;
  g_autofree char *challenge = NULL;
  char *message = g_malloc0(length + 1);
  memcpy(message + 1, user, user_length);
  memcpy(message + user_length + 2, password, strlen(password));
  gboolean ok = begin(session, PLAIN, message, length, &go_on, &challenge, error);
  explicit_bzero(message, length);
  g_free(message);
  return ok && (!go_on || asks_too_much(session, error));
}

static gboolean
run_external(MlImapSession *session, const char *user, GError **error)
{
  gboolean go_on;
  g_autofree char *challenge = NULL;
  return begin(session, EXTERNAL, user ? user : "", user ? strlen(user) : 0, &go_on, &challenge, error) &&
         (!go_on || asks_too_much(session, error));
}

/* The server asks for the name, then for the password, in words that nobody agreed on. */
static gboolean
run_login(MlImapSession *session, const char *user, const char *password, GError **error)
{
  gboolean go_on;
  g_autofree char *ignored = NULL;
  if (!ml_imap_session_send(session, "AUTHENTICATE LOGIN", error) ||
      !ml_imap_session_finish(session, &go_on, NULL, error))
    return FALSE;
  if (!go_on || !answer(session, user, strlen(user), error) ||
      !ml_imap_session_finish(session, &go_on, NULL, error))
    return FALSE;
  if (!go_on || !answer(session, password, strlen(password), error) ||
      !ml_imap_session_finish(session, &go_on, &ignored, error))
    return FALSE;
  return !go_on || asks_too_much(session, error);
}

static char *
decoded(const char *challenge)
{
  gsize length = 0;
  g_autofree guchar *data = g_base64_decode(challenge, &length);
  return g_strndup((const char *)data, length);
}

static gboolean
run_scram(MlImapSession *session, MlScram *scram, GError **error)
{
  gboolean go_on;
  GError *why = NULL;
  g_autofree char *first = ml_scram_first(scram);
  g_autofree char *challenge = NULL, *last = NULL;
  if (!begin(session, SCRAM, first, strlen(first), &go_on, &challenge, error))
    return FALSE;
  g_autofree char *server_first = go_on ? decoded(challenge) : g_strdup("");
  g_autofree char *final = ml_scram_final(scram, server_first, &why);
  if (!final)
    return go_on ? give_up(session, why, error) : (g_propagate_error(error, why), FALSE);
  if (!answer(session, final, strlen(final), error) || !ml_imap_session_finish(session, &go_on, &last, error))
    return FALSE;
  g_autofree char *server_final = go_on ? decoded(last) : g_strdup("");
  if (!ml_scram_verify(scram, server_final, &why))
    return go_on ? give_up(session, why, error) : (g_propagate_error(error, why), FALSE);
  return answer(session, "", 0, error) && ml_imap_session_finish(session, NULL, NULL, error);
}

/* Both words as quoted strings, in a buffer of ours. */
static gboolean
run_command(MlImapSession *session, const char *user, const char *password, GError **error)
{
  gsize size = 2 * (strlen(user) + strlen(password)) + 16, at = 0;
  char *command = g_malloc0(size);
  at += g_strlcpy(command, "LOGIN \"", size);
  const char *words[] = { user, password };
  for (guint i = 0; i < 2; i++) {
    for (const char *p = words[i]; *p; p++) {
      if (*p == '"' || *p == '\\')
        command[at++] = '\\';
      command[at++] = *p;
    }
    command[at++] = '"';
    if (i == 0) {
      command[at++] = ' ';
      command[at++] = '"';
    }
  }
  gboolean ok = ml_imap_session_send(session, command, error);
  explicit_bzero(command, size);
  g_free(command);
  return ok && ml_imap_session_finish(session, NULL, NULL, error);
}

static gboolean
run(MlImapSession *session, Mechanism m, const char *user, const char *password, GError **error)
{
  switch (m) {
  case EXTERNAL:
    return run_external(session, user, error);
  case PLAIN:
    return run_plain(session, user, password, error);
  case LOGIN:
    return run_login(session, user, password, error);
  case COMMAND:
    return run_command(session, user, password, error);
  case SCRAM: {
    guint8 random[18];
    if (getrandom(random, sizeof random, 0) != sizeof random) {
      g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The system gives no random numbers.");
      return FALSE;
    }
    g_autofree char *nonce = g_base64_encode(random, sizeof random);
    MlScram *scram = ml_scram_new(user, password, nonce);
    gboolean ok = run_scram(session, scram, error);
    ml_scram_free(scram);
    return ok;
  }
  case NONE:
    break;
  }
  g_assert_not_reached();
}

/* A refusal (FAILED by a tagged NO) that a better password would mend. */
static void
name_refusal(MlImapSession *session, const MlAccount *account, Mechanism m, GError **why)
{
  if (!g_error_matches(*why, ML_ERROR, ML_ERROR_FAILED) || session->status != ML_RESPONSE_NO)
    return;
  g_clear_error(why);
  if (session->code && g_ascii_strcasecmp(session->code, "UNAVAILABLE") == 0)
    *why = g_error_new(ML_ERROR, ML_ERROR_OFFLINE, "%s cannot check logins just now: %s", session->host,
                       session->words);
  else
    *why = g_error_new(ML_ERROR, ML_ERROR_AUTH, "%s refuses the login of %s by %s: %s", session->host,
                       account->imap.user ? account->imap.user : "this account", mechanisms[m].name,
                       session->words && *session->words ? session->words : "no reason given");
}

static char *
ask_password(const MlAccount *account, const MlDriverHooks *hooks, gboolean retry, GCancellable *cancellable,
             GError **error)
{
  g_autoptr(GError) why = NULL;
  char *password = hooks->password
                       ? hooks->password(account, &account->imap, retry, cancellable, hooks->user_data, &why)
                       : NULL;
  if (password && strlen(password) <= SECRET_MAX && !strpbrk(password, "\r\n"))
    return password;
  if (password)
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "The password holds a line break or is too long.");
  else if (why && !g_error_matches(why, ML_ERROR, ML_ERROR_CANCELLED))
    g_propagate_error(error, g_steal_pointer(&why));
  else
    g_set_error(error, ML_ERROR, ML_ERROR_AUTH, "No password was given for %s.", account->name);
  crypto_pin_wipe(password);
  return NULL;
}

gboolean
ml_imap_login(MlImapSession *session, const MlAccount *account, const MlDriverHooks *hooks,
              GCancellable *cancellable, char **mechanism, GError **error)
{
  if (!crypto_tls_is_encrypted(session->stream->tls)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "No login is sent to %s over a connection that is not encrypted.", session->host);
    return FALSE;
  }
  Mechanism m = choose(session, account, error);
  if (m == NONE)
    return FALSE;
  const char *user = account->imap.user ? account->imap.user : m == EXTERNAL ? NULL : account->address;
  if (!user && m != EXTERNAL) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                "[account %s] does not say who logs in: write imap = imaps://USER@%s in signet.conf.",
                account->name, session->host);
    return FALSE;
  }
  *mechanism = g_strdup(mechanisms[m].name);
  for (guint tries = 0;; tries++) {
    char *password = m == EXTERNAL ? NULL : ask_password(account, hooks, tries > 0, cancellable, error);
    if (m != EXTERNAL && !password)
      return FALSE;
    GError *why = NULL;
    gboolean ok = run(session, m, user, password, &why);
    crypto_pin_wipe(password);
    if (ok) {
      session->imap->imap_state = MAILIMAP_STATE_AUTHENTICATED;
      return TRUE;
    }
    name_refusal(session, account, m, &why);
    if (m == EXTERNAL || tries + 1 == TRIES || session->stream->error ||
        !g_error_matches(why, ML_ERROR, ML_ERROR_AUTH)) {
      g_propagate_error(error, why);
      return FALSE;
    }
    g_error_free(why);
  }
}
