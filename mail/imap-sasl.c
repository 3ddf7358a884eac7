#include <string.h>

#include "mail/imap-private.h"
#include "mail/line-private.h"

/* AUTHENTICATE (RFC 3501 6.2.2, RFC 4959) and LOGIN, for mail/sasl.c. Secrets go straight to the stream. */

static gboolean
offers(gpointer user_data, const char *mechanism)
{
  return ml_imap_session_has_auth(user_data, mechanism);
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

static gboolean
begin(gpointer user_data, const char *mechanism, const char *text, gboolean *go_on, char **challenge,
      GError **error)
{
  char *command = g_strconcat("AUTHENTICATE ", mechanism, text ? " " : "", text, NULL);
  gboolean ok = ml_imap_session_send(user_data, command, error);
  crypto_pin_wipe(command);
  return ok && ml_imap_session_finish(user_data, go_on, challenge, error);
}

static gboolean
answer(gpointer user_data, const char *text, gboolean *go_on, char **challenge, GError **error)
{
  MlImapSession *session = user_data;
  return ml_imap_stream_write(session->stream, text, strlen(text), error) &&
         ml_imap_stream_write(session->stream, "\r\n", 2, error) &&
         ml_imap_session_finish(session, go_on, challenge, error);
}

/* "*" ends it, and the tagged BAD is awaited. */
static gboolean
give_up(gpointer user_data)
{
  MlImapSession *session = user_data;
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
  return ok && ml_imap_session_finish(user_data, NULL, NULL, error);
}

static gboolean
refused(gpointer user_data, const char **words, gboolean *passing)
{
  MlImapSession *session = user_data;
  *words = session->words;
  *passing = session->code && g_ascii_strcasecmp(session->code, "UNAVAILABLE") == 0;
  return session->status == ML_RESPONSE_NO && !session->stream->wire.error;
}

gboolean
ml_imap_login(MlImapSession *session, const MlAccount *account, const MlDriverHooks *hooks,
              GCancellable *cancellable, char **mechanism, GError **error)
{
  if (!crypto_tls_is_encrypted(session->stream->wire.tls)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "No login is sent to %s over a connection that is not encrypted.", session->host);
    return FALSE;
  }
  const MlSaslLine line = { .host = session->host,
                            .user_data = session,
                            .initial = (session->caps & ML_IMAP_SASL_IR) != 0,
                            .offers = offers,
                            .offered = offered,
                            .begin = begin,
                            .answer = answer,
                            .give_up = give_up,
                            .command = session->caps & ML_IMAP_LOGINDISABLED ? NULL : run_command,
                            .refused = refused };
  if (!ml_sasl_login(&line, account, &account->imap, hooks, cancellable, mechanism, error))
    return FALSE;
  session->imap->imap_state = MAILIMAP_STATE_AUTHENTICATED;
  return TRUE;
}
