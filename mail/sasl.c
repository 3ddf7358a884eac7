#include <string.h>
#include <sys/random.h>

#include "mail/line-private.h"

enum { TRIES = 3, SECRET_MAX = 4096, LONG_US = 2 * G_USEC_PER_SEC };

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
choose(const MlSaslLine *line, const MlAccount *account, GError **error)
{
  for (Mechanism m = EXTERNAL; m < COMMAND; m++) {
    gboolean wanted =
        account->auth ? strcmp(account->auth, mechanisms[m].word) == 0 : m != EXTERNAL || account->tls_cert;
    if (wanted && line->offers(line->user_data, mechanisms[m].name))
      return m;
  }
  if (line->command && (!account->auth || strcmp(account->auth, "login") == 0))
    return COMMAND;
  g_autofree char *offered = line->offered(line->user_data);
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
              "%s offers no way to log in that fits%s%s; it offers: %s. signet can do scram-sha-256, plain, "
              "login and external.",
              line->host, account->auth ? " auth = " : "", account->auth ? account->auth : "",
              *offered ? offered : "none");
  return NONE;
}

typedef gboolean (*AnswerFunc)(gpointer user_data, const char *text, gboolean *go_on, char **challenge, GError **error);

/* One message of ours, as base64 on a line of its own; the buffer is wiped. */
static gboolean
answer_by(AnswerFunc func, const MlSaslLine *line, const char *data, gsize length, gboolean *go_on, char **challenge,
          GError **error)
{
  char *text = g_base64_encode((const guchar *)data, length);
  g_clear_pointer(challenge, g_free);
  gboolean ok = func(line->user_data, text, go_on, challenge, error);
  crypto_pin_wipe(text);
  return ok;
}

static gboolean
answer(const MlSaslLine *line, const char *data, gsize length, gboolean *go_on, char **challenge, GError **error)
{
  return answer_by(line->answer, line, data, length, go_on, challenge, error);
}

/* Begins with @first, at once where the server allows it. Then the server's next message is awaited. */
static gboolean
begin(const MlSaslLine *line, Mechanism m, const char *first, gsize length, gboolean *go_on, char **challenge,
      GError **error)
{
  const char *name = mechanisms[m].name;
  if (!line->initial)
    return line->begin(line->user_data, name, NULL, go_on, challenge, error) &&
           (!*go_on || answer(line, first, length, go_on, challenge, error));
  char *text = length ? g_base64_encode((const guchar *)first, length) : g_strdup("=");
  gboolean ok = line->begin(line->user_data, name, text, go_on, challenge, error);
  crypto_pin_wipe(text);
  return ok;
}

static gboolean
give_up(const MlSaslLine *line, GError *why, GError **error)
{
  (void)!line->give_up(line->user_data, g_error_matches(why, ML_ERROR, ML_ERROR_AUTH));
  g_propagate_error(error, why);
  return FALSE;
}

static gboolean
asks_too_much(const MlSaslLine *line, GError **error)
{
  return give_up(
      line,
      g_error_new(ML_ERROR, ML_ERROR_PROTOCOL, "%s asks for more than the login has to say.", line->host),
      error);
}

static gboolean
run_plain(const MlSaslLine *line, const char *user, const char *password, GError **error)
{
  gsize user_length = strlen(user), length = user_length + strlen(password) + 2;
  gboolean go_on;
  g_autofree char *challenge = NULL;
  char *message = g_malloc0(length + 1);
  memcpy(message + 1, user, user_length);
  memcpy(message + user_length + 2, password, strlen(password));
  gboolean ok = begin(line, PLAIN, message, length, &go_on, &challenge, error);
  explicit_bzero(message, length);
  g_free(message);
  return ok && (!go_on || asks_too_much(line, error));
}

static gboolean
run_external(const MlSaslLine *line, const char *user, GError **error)
{
  gboolean go_on;
  g_autofree char *challenge = NULL;
  return begin(line, EXTERNAL, user ? user : "", user ? strlen(user) : 0, &go_on, &challenge, error) &&
         (!go_on || asks_too_much(line, error));
}

/* The server asks for the name, then for the password, in words that nobody agreed on. */
static gboolean
run_login(const MlSaslLine *line, const char *user, const char *password, GError **error)
{
  const char *words[] = { user, password };
  gboolean go_on;
  g_autofree char *ignored = NULL;
  if (!line->begin(line->user_data, "LOGIN", NULL, &go_on, &ignored, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(words) && go_on; i++)
    if (!answer(line, words[i], strlen(words[i]), &go_on, &ignored, error))
      return FALSE;
  return !go_on || asks_too_much(line, error);
}

static char *
decoded(const char *challenge)
{
  gsize length = 0;
  g_autofree guchar *data = g_base64_decode(challenge ? challenge : "", &length);
  return g_strndup((const char *)data, length);
}

/* NULL: error. Transfer full. */
static MlScram *
new_scram(const char *user, GError **error)
{
  guint8 random[18];
  if (getrandom(random, sizeof random, 0) != sizeof random) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The system gives no random numbers.");
    return NULL;
  }
  g_autofree char *nonce = g_base64_encode(random, sizeof random);
  return ml_scram_new(user, nonce);
}

/* SCRAM's first message holds the name alone: where the line allows it, it goes before there is a password, and what gives
 * that may take as long as the server's answer is on its way. *begun stays NULL where it does not. */
static gboolean
hasten(const MlSaslLine *line, Mechanism m, const char *user, MlScram **begun, GError **error)
{
  if (m != SCRAM || !line->hasten)
    return TRUE;
  g_autoptr(MlScram) scram = new_scram(user, error);
  g_autoptr(GError) why = NULL;
  if (!scram)
    return FALSE;
  g_autofree char *first = ml_scram_first(scram);
  g_autofree char *text = g_base64_encode((const guchar *)first, strlen(first));
  if (line->hasten(line->user_data, mechanisms[m].name, text, &why))
    *begun = g_steal_pointer(&scram);
  if (!why)
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

/* @begun: its first message is sent. */
static gboolean
run_scram(const MlSaslLine *line, MlScram *scram, gboolean begun, GError **error)
{
  gboolean go_on;
  GError *why = NULL;
  g_autofree char *first = begun ? NULL : ml_scram_first(scram);
  g_autofree char *challenge = NULL;
  if (!(begun ? line->wait(line->user_data, &go_on, &challenge, error) :
                begin(line, SCRAM, first, strlen(first), &go_on, &challenge, error)))
    return FALSE;
  g_autofree char *server_first = go_on ? decoded(challenge) : g_strdup("");
  g_autofree char *final = ml_scram_final(scram, server_first, &why);
  if (!final)
    return go_on ? give_up(line, why, error) : (g_propagate_error(error, why), FALSE);
  if (!answer_by(line->prove ? line->prove : line->answer, line, final, strlen(final), &go_on, &challenge, error))
    return FALSE;
  /* SMTP servers may send the proof with the 235 itself: it is all that stands for the server. */
  g_autofree char *server_final = decoded(challenge);
  if (!ml_scram_verify(scram, server_final, &why))
    return go_on ? give_up(line, why, error) : (g_propagate_error(error, why), FALSE);
  if (!go_on)
    return TRUE;
  g_clear_pointer(&challenge, g_free);
  return (line->last ? line->last(line->user_data, &go_on, &challenge, error) :
                       answer(line, "", 0, &go_on, &challenge, error)) &&
         (!go_on || asks_too_much(line, error));
}

/* @begun: what hasten() has begun; or NULL. */
static gboolean
run(const MlSaslLine *line, Mechanism m, const char *user, const char *password, MlScram *begun, GError **error)
{
  switch (m) {
  case EXTERNAL:
    return run_external(line, user, error);
  case PLAIN:
    return run_plain(line, user, password, error);
  case LOGIN:
    return run_login(line, user, password, error);
  case COMMAND:
    return line->command(line->user_data, user, password, error);
  case SCRAM: {
    g_autoptr(MlScram) own = begun ? NULL : new_scram(user, error);
    MlScram *scram = begun ? begun : own;
    if (!scram)
      return FALSE;
    ml_scram_set_password(scram, password);
    return run_scram(line, scram, begun != NULL, error);
  }
  case NONE:
    break;
  }
  g_assert_not_reached();
}

/* A refusal that a better password would mend. */
static void
name_refusal(const MlSaslLine *line, const MlAccount *account, const MlServer *server, Mechanism m, GError **why)
{
  const char *words = NULL;
  gboolean passing = FALSE;
  if (!g_error_matches(*why, ML_ERROR, ML_ERROR_FAILED) || !line->refused(line->user_data, &words, &passing))
    return;
  g_clear_error(why);
  words = words && *words ? words : "no reason given";
  if (passing)
    *why = g_error_new(ML_ERROR, ML_ERROR_OFFLINE, "%s cannot check logins just now: %s", line->host, words);
  else
    *why = g_error_new(ML_ERROR, ML_ERROR_AUTH, "%s refuses the login of %s by %s: %s%s", line->host,
                       server->user ? server->user : "this account", mechanisms[m].name, words,
                       m == EXTERNAL && !account->tls_cert
                           ? " (signet.conf names no certificate for it: write tls-cert = auto, or its fingerprint)"
                           : "");
}

static char *
ask_password(const MlAccount *account, const MlServer *server, const MlDriverHooks *hooks, gboolean retry,
             GCancellable *cancellable, GError **error)
{
  g_autoptr(GError) why = NULL;
  char *password =
      hooks->password ? hooks->password(account, server, retry, cancellable, hooks->user_data, &why) : NULL;
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

/* Takes @password. */
static void
want_anew(MlSaslTries *tries, char *password)
{
  tries->given = password;
  tries->anew = TRUE;
}

gboolean
ml_sasl_login(const MlSaslLine *line, const MlAccount *account, const MlServer *server, const MlDriverHooks *hooks,
              GCancellable *cancellable, MlSaslTries *tries, char **mechanism, GError **error)
{
  Mechanism m = choose(line, account, error);
  if (m == NONE)
    return FALSE;
  const char *user = server->user ? server->user : m == EXTERNAL ? NULL : account->address;
  if (!user && m != EXTERNAL) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                "[account %s] does not say who logs in: write %s://USER@%s in signet.conf.", account->name,
                server == &account->smtp ? "smtp = smtps" : "imap = imaps", line->host);
    return FALSE;
  }
  *mechanism = g_strdup(mechanisms[m].name);
  g_autoptr(MlScram) begun = NULL;
  if (!hasten(line, m, user, &begun, error))
    return FALSE;
  for (gboolean here = FALSE;; here = TRUE) { /* here: a password was refused on this line */
    gint64 start = g_get_monotonic_time();
    char *password = m == EXTERNAL ? NULL : g_steal_pointer(&tries->given);
    if (!password && m != EXTERNAL)
      password = ask_password(account, server, hooks, tries->count > 0, cancellable, tries->refusal ? NULL : error);
    if (m != EXTERNAL && !password) {
      tries->none = TRUE;
      if (tries->refusal) /* nobody gave a better one: the server's words say more */
        g_propagate_error(error, g_steal_pointer(&tries->refusal));
      return FALSE;
    }
    if (here && line->is_over && line->is_over(line->user_data)) {
      want_anew(tries, password);
      g_propagate_error(error, g_error_copy(tries->refusal));
      return FALSE;
    }
    gboolean late = begun && g_get_monotonic_time() - start > LONG_US;
    GError *why = NULL;
    gboolean ok = run(line, m, user, password, begun, &why);
    g_clear_pointer(&begun, ml_scram_free);
    /* The server did not wait for whoever typed it. */
    if (!ok && late && g_error_matches(why, ML_ERROR, ML_ERROR_OFFLINE))
      want_anew(tries, g_steal_pointer(&password));
    crypto_pin_wipe(password);
    g_clear_error(&tries->refusal);
    if (ok)
      return TRUE;
    name_refusal(line, account, server, m, &why);
    if (m == EXTERNAL || !g_error_matches(why, ML_ERROR, ML_ERROR_AUTH) || ++tries->count == TRIES) {
      g_propagate_error(error, why);
      return FALSE;
    }
    tries->refusal = why;
  }
}

void
ml_sasl_tries_clear(MlSaslTries *tries)
{
  crypto_pin_wipe(tries->given);
  g_clear_error(&tries->refusal);
  *tries = (MlSaslTries){ 0 };
}
