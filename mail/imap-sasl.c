#include <string.h>

#include "mail/imap-private.h"
#include "mail/line-private.h"

/* AUTHENTICATE (RFC 3501 6.2.2, RFC 4959) and LOGIN, for mail/sasl.c. Secrets go straight to the stream. */
enum { EARLY_US = 2 * G_USEC_PER_SEC }; /* by then a greeting has come */

static gboolean
offers(gpointer user_data, const char *mechanism)
{
  MlImapSession *session = user_data;
  return session->early ? strcmp(mechanism, ML_IMAP_EARLY_BY) == 0 : ml_imap_session_has_auth(session, mechanism);
}

static char *
offered(gpointer user_data)
{
  MlImapSession *session = user_data;
  g_ptr_array_add(session->auths, NULL);
  char *text = g_strjoinv(", ", (char **)session->auths->pdata);
  g_ptr_array_remove_index(session->auths, session->auths->len - 1);
  return text;
}

/* Mechanisms whose first message is the last. */
static gboolean
one_step(const char *mechanism)
{
  return strcmp(mechanism, "PLAIN") == 0 || strcmp(mechanism, "EXTERNAL") == 0;
}

static void
follow(MlImapSession *session)
{
  if (session->follow)
    session->follow(session, session->follow_user);
}

/* What was sent behind a login that is refused is refused too: those answers are read before anything else. Where a
 * server hangs up instead, it is still the login that was refused. */
static gboolean
finish(MlImapSession *session, gboolean *go_on, char **challenge, GError **error)
{
  gboolean ok = ml_imap_session_finish(session, go_on, challenge, error);
  if (!ok && session->ahead && session->status == ML_RESPONSE_NO) {
    g_autofree char *words = g_strdup(session->words), *code = g_strdup(session->code);
    (void)!ml_imap_ahead_settle(session, NULL);
    session->status = ML_RESPONSE_NO;
    session->refused = TRUE;
    g_free(session->words);
    g_free(session->code);
    session->words = g_steal_pointer(&words);
    session->code = g_steal_pointer(&code);
  }
  return ok;
}

/* Of the last message. A server that wants to know more has taken what is behind it for its answer. */
static gboolean
finish_last(MlImapSession *session, gboolean *go_on, char **challenge, GError **error)
{
  gboolean ok = finish(session, go_on, challenge, error);
  if (!ok || !session->ahead || !go_on || !*go_on)
    return ok;
  ml_wire_die(&session->stream->wire, g_error_new(ML_ERROR, ML_ERROR_PROTOCOL,
                                                  "%s asks for more than the login has to say.", session->host));
  return !ml_wire_is_dead(&session->stream->wire, error);
}

static gboolean
knows_us(const MlImapSession *session, GError **error)
{
  if (session->preauth)
    g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL, "%s knows us already.", session->host);
  return session->preauth;
}

/* It came to no haste: the greeting is here. */
static gboolean
greet_first(MlImapSession *session, GError **error)
{
  gboolean believe = session->believe;
  session->early = ML_IMAP_IN_TURN;
  if (!ml_imap_session_greet(session, error))
    return FALSE;
  session->believe = believe;
  session->saw_capability = FALSE;
  return !knows_us(session, error);
}

/* Under TLS even before the greeting. */
static gboolean
hasten(gpointer user_data, const char *mechanism, const char *text, GError **error)
{
  MlImapSession *session = user_data;
  g_autofree char *command = g_strconcat("AUTHENTICATE ", mechanism, " ", text, NULL);
  if (!session->early)
    return (session->caps & ML_IMAP_SASL_IR) && ml_imap_session_send(session, command, error);
  if (g_get_monotonic_time() - session->began > EARLY_US)
    return FALSE;
  session->early = ML_IMAP_EARLY_SENT;
  session->hastened = g_get_monotonic_time();
  return ml_imap_session_send_early(session, command, error);
}

/* Where the greeting was not awaited it is read now, and what it can do before a login is of no interest any more. */
static gboolean
wait_for(gpointer user_data, gboolean *go_on, char **challenge, GError **error)
{
  MlImapSession *session = user_data;
  if (!session->early)
    return finish(session, go_on, challenge, error);
  if (!ml_imap_session_greet_early(session, error) || knows_us(session, error) ||
      !finish(session, go_on, challenge, error))
    return FALSE;
  /* Of the challenge, since the greeting may have been here; with the password's time, so that the proof's may be less. */
  session->answer_us = g_get_monotonic_time() - session->hastened;
  session->early = ML_IMAP_IN_TURN;
  return TRUE;
}

static gboolean
begin(gpointer user_data, const char *mechanism, const char *text, gboolean *go_on, char **challenge,
      GError **error)
{
  MlImapSession *session = user_data;
  if (session->early && !greet_first(session, error))
    return FALSE;
  char *command = g_strconcat("AUTHENTICATE ", mechanism, text ? " " : "", text, NULL);
  gboolean ok = ml_imap_session_send(session, command, error);
  crypto_pin_wipe(command);
  if (ok && text && one_step(mechanism))
    follow(session);
  return ok && finish_last(session, go_on, challenge, error);
}

/* In one piece; it may hold a password. */
static gboolean
send_text(MlImapSession *session, const char *text, const char *end, GError **error)
{
  char *line = g_strconcat(text, end, NULL);
  gboolean ok = ml_imap_stream_write(session->stream, line, strlen(line), error);
  crypto_pin_wipe(line);
  return ok;
}

static gboolean
answer(gpointer user_data, const char *text, gboolean *go_on, char **challenge, GError **error)
{
  MlImapSession *session = user_data;
  return send_text(session, text, "\r\n", error) && ml_imap_session_finish(session, go_on, challenge, error);
}

/* The proof gives nothing away, nor does what follows but the name of a folder, to a server whose certificate is good.
 * What it answers is believed when it has proved itself too: that comes first. */
static gboolean
prove(gpointer user_data, const char *text, gboolean *go_on, char **challenge, GError **error)
{
  MlImapSession *session = user_data;
  if (!session->together)
    return answer(session, text, go_on, challenge, error);
  session->proved_along = TRUE;
  gint64 start = g_get_monotonic_time();
  if (!send_text(session, text, "\r\n\r\n", error))
    return FALSE;
  follow(session);
  gboolean ok = finish(session, go_on, challenge, error);
  session->answer_us = MIN(session->answer_us, g_get_monotonic_time() - start);
  return ok;
}

/* SCRAM's last word is empty: it is as good as a login of one step. */
static gboolean
last(gpointer user_data, gboolean *go_on, char **challenge, GError **error)
{
  MlImapSession *session = user_data;
  if (!session->proved_along) {
    if (!ml_imap_stream_write(session->stream, "\r\n", 2, error))
      return FALSE;
    follow(session);
  }
  return finish_last(session, go_on, challenge, error);
}

/* "*" ends it, and the tagged BAD is awaited. Where the last word is said already, a server that refuses says so by itself;
 * with one that has not proved itself only the line is left to end. It is not what went along that was too much for it. */
static gboolean
give_up(gpointer user_data, gboolean refused)
{
  MlImapSession *session = user_data;
  if (session->proved_along) {
    session->along = FALSE;
    if (refused && !finish(session, NULL, NULL, NULL) && session->refused)
      return TRUE;
    ml_imap_stream_fail(session->stream);
    return FALSE;
  }
  return ml_imap_stream_write(session->stream, "*\r\n", 3, NULL) &&
         ml_imap_session_finish(session, NULL, NULL, NULL);
}

/* Both words as quoted strings, in a buffer of ours. */
static gboolean
run_command(gpointer user_data, const char *user, const char *password, GError **error)
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
  gboolean ok = ml_imap_session_send(user_data, command, error);
  explicit_bzero(command, size);
  g_free(command);
  if (ok)
    follow(user_data);
  return ok && finish_last(user_data, NULL, NULL, error);
}

static gboolean
refused(gpointer user_data, const char **words, gboolean *passing)
{
  MlImapSession *session = user_data;
  if (session->early) /* it may be its own haste that is refused */
    return FALSE;
  *words = session->words;
  *passing = session->code && g_ascii_strcasecmp(session->code, "UNAVAILABLE") == 0;
  return session->status == ML_RESPONSE_NO && (session->refused || !session->stream->wire.error);
}

static gboolean
is_over(gpointer user_data)
{
  MlImapSession *session = user_data;
  while (ml_imap_stream_ready(session->stream, NULL))
    ; /* its words of parting */
  return session->stream->wire.error != NULL;
}

gboolean
ml_imap_login(MlImapSession *session, const MlAccount *account, const MlDriverHooks *hooks,
              GCancellable *cancellable, MlSaslTries *tries, char **mechanism, GError **error)
{
  if (!crypto_tls_is_encrypted(session->stream->wire.tls)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "No login is sent to %s over a connection that is not encrypted.", session->host);
    return FALSE;
  }
  const MlSaslLine line = { .host = session->host,
                            .user_data = session,
                            .initial = session->early || (session->caps & ML_IMAP_SASL_IR),
                            .offers = offers,
                            .offered = offered,
                            .begin = begin,
                            .hasten = hasten,
                            .wait = wait_for,
                            .answer = answer,
                            .prove = prove,
                            .last = last,
                            .give_up = give_up,
                            .command = session->early || session->caps & ML_IMAP_LOGINDISABLED ? NULL : run_command,
                            .refused = refused,
                            .is_over = is_over };
  if (!ml_sasl_login(&line, account, &account->imap, hooks, cancellable, tries, mechanism, error))
    return FALSE;
  session->imap->imap_state = MAILIMAP_STATE_AUTHENTICATED;
  return TRUE;
}
