#include <string.h>

#include "mail/smtp-private.h"

enum {
  READ_SIZE = 8192,
  PATIENCE_MS = 120 * 1000, /* of RFC 5321 4.5.3.2's five minutes: somebody waits here */
  GOODBYE_MS = 1000,
  CAPS_MAX = 100,
};

static void
fill(MlSmtpSession *session, gint64 deadline)
{
  char buffer[READ_SIZE];
  gint64 left = (deadline - g_get_monotonic_time()) / 1000;
  if (left <= 0 || crypto_tls_wait(session->wire.tls, (int)MIN(left, G_MAXINT), -1) == CRYPTO_TLS_TIMEOUT) {
    ml_wire_die(&session->wire, g_error_new(ML_ERROR, ML_ERROR_OFFLINE,
                                            "%s does not answer (the answer took too long).", session->host));
    return;
  }
  gsize n = ml_wire_read(&session->wire, buffer, sizeof buffer);
  if (n)
    ml_replies_feed(session->replies, buffer, n);
}

static const MlReply *
next_reply(MlSmtpSession *session, guint patience_ms, GError **error)
{
  gint64 deadline = g_get_monotonic_time() + (gint64)patience_ms * 1000;
  session->code = 0;
  while (!ml_wire_is_dead(&session->wire, error)) {
    GError *why = NULL;
    const MlReply *reply = ml_replies_next(session->replies, &why);
    if (reply) {
      g_free(session->words);
      session->words = g_strdup(reply->words);
      session->code = reply->code;
      return reply;
    }
    if (why)
      ml_wire_die(&session->wire, why);
    else
      fill(session, deadline);
  }
  return NULL;
}

guint
ml_smtp_session_reply(MlSmtpSession *session, guint patience_ms, GError **error)
{
  return next_reply(session, patience_ms, error) ? session->code : 0;
}

gboolean
ml_smtp_session_write(MlSmtpSession *session, const char *data, gsize length, GError **error)
{
  return ml_wire_write(&session->wire, data, length, error);
}

static gboolean
refill(gpointer user_data)
{
  MlSmtpSession *session = user_data;
  if (!ml_smtp_session_reply(session, session->patience_ms, NULL))
    return FALSE;
  g_string_printf(session->wire.pass, "%03u done\r\n", session->code);
  return TRUE;
}

MlSmtpSession *
ml_smtp_session_new(CryptoTls *tls, const char *host)
{
  MlSmtpSession *session = g_new0(MlSmtpSession, 1);
  ml_wire_init(&session->wire, tls, refill, session);
  session->host = g_strdup(host);
  session->replies = ml_replies_new();
  session->auths = g_ptr_array_new_with_free_func(g_free);
  session->words = g_strdup("");
  session->patience_ms = PATIENCE_MS;
  session->smtp = ml_etpan(NULL)->mailsmtp_new(0, NULL);
  g_assert(session->smtp != NULL); /* as g_malloc() does when there is no memory */
  return session;
}

void
ml_smtp_session_free(MlSmtpSession *session)
{
  if (!session)
    return;
  /* Dead before libetpan lets go of it, so that its QUIT goes nowhere and waits for nothing. */
  ml_wire_close(&session->wire);
  if (!session->smtp->stream && session->wire.stream)
    ml_etpan(NULL)->mailstream_close(session->wire.stream);
  ml_etpan(NULL)->mailsmtp_free(session->smtp);
  ml_wire_clear(&session->wire);
  ml_replies_free(session->replies);
  g_free(session->host);
  g_free(session->words);
  g_ptr_array_unref(session->auths);
  g_free(session);
}

void
ml_smtp_session_quit(MlSmtpSession *session)
{
  if (!session)
    return;
  session->patience_ms = GOODBYE_MS;
  if (!session->wire.error && session->smtp->stream) {
    ml_etpan(NULL)->mailsmtp_quit(session->smtp); /* lets go of the stream, whatever it came to */
    session->smtp->stream = NULL;
    session->wire.stream = NULL;
  }
  ml_smtp_session_free(session);
}

/* ---- the way in */

static gboolean
refused(MlSmtpSession *session, const char *what, GError **error)
{
  if (ml_wire_is_dead(&session->wire, error))
    return FALSE;
  gboolean passing = session->code < 500;
  g_set_error(error, ML_ERROR, passing ? ML_ERROR_OFFLINE : ML_ERROR_FAILED, "%s refuses %s%s: %s", session->host,
              what, passing ? " just now" : "", session->words);
  return FALSE;
}

/* By libetpan: it takes the stream. */
gboolean
ml_smtp_session_greet(MlSmtpSession *session, GError **error)
{
  int result = ml_etpan(NULL)->mailsmtp_connect(session->smtp, session->wire.stream);
  session->wire.stream = session->smtp->stream; /* NULL: it has closed it */
  return result == MAILSMTP_NO_ERROR || refused(session, "connections", error);
}

static void
take_auths(MlSmtpSession *session, const char *words)
{
  g_auto(GStrv) names = g_strsplit_set(words, " \t=", CAPS_MAX);
  for (char **name = names; *name; name++)
    if (**name && strlen(*name) < 40)
      g_ptr_array_add(session->auths, g_ascii_strup(*name, -1));
}

static void
take_capability(MlSmtpSession *session, const char *line)
{
  static const struct {
    const char *word;
    guint cap;
  } words[] = {
    { "STARTTLS", ML_SMTP_STARTTLS }, { "8BITMIME", ML_SMTP_8BITMIME }, { "SMTPUTF8", ML_SMTP_UTF8 },
    { "SIZE", ML_SMTP_SIZE },         { "DSN", ML_SMTP_DSN },           { "PIPELINING", ML_SMTP_PIPELINING },
  };
  gsize length = strcspn(line, " \t=");
  for (guint i = 0; i < G_N_ELEMENTS(words); i++)
    if (strlen(words[i].word) == length && g_ascii_strncasecmp(line, words[i].word, length) == 0)
      session->caps |= words[i].cap;
  if (length == 4 && g_ascii_strncasecmp(line, "AUTH", 4) == 0)
    take_auths(session, line + 4);
  guint64 size;
  if (length == 4 && g_ascii_strncasecmp(line, "SIZE", 4) == 0 && line[4] == ' ' &&
      g_ascii_string_to_unsigned(line + 5, 10, 0, G_MAXINT64, &size, NULL))
    session->size_max = size;
}

/* Not libetpan's, which tells the server this machine's name. What was learnt before is forgotten. */
gboolean
ml_smtp_session_ehlo(MlSmtpSession *session, GError **error)
{
  static const char command[] = "EHLO [127.0.0.1]\r\n";
  session->caps = 0;
  session->size_max = 0;
  g_ptr_array_set_size(session->auths, 0);
  if (!ml_smtp_session_write(session, command, strlen(command), error))
    return FALSE;
  const MlReply *reply = next_reply(session, session->patience_ms, error);
  if (!reply)
    return FALSE;
  if (reply->code != 250)
    return refused(session, "EHLO", error);
  for (guint i = 1; i < MIN(reply->lines->len, CAPS_MAX); i++)
    take_capability(session, g_ptr_array_index(reply->lines, i));
  return TRUE;
}

gboolean
ml_smtp_session_starttls(MlSmtpSession *session, GError **error)
{
  if (!(session->caps & ML_SMTP_STARTTLS)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "%s offers no encryption on this port (STARTTLS). Nothing was sent; use smtps:// in signet.conf "
                "if it has a port for that.",
                session->host);
    return FALSE;
  }
  session->smtp->esmtp |= MAILSMTP_ESMTP | MAILSMTP_ESMTP_STARTTLS; /* our EHLO asked, not libetpan's */
  int result = ml_etpan(NULL)->mailesmtp_starttls(session->smtp);
  if (session->wire.error || session->code != 220)
    return refused(session, "STARTTLS", error);
  /* A line that a stranger put behind the answer would be taken for the server's after the handshake. */
  if (result != MAILSMTP_NO_ERROR || !ml_replies_is_empty(session->replies) ||
      !ml_wire_is_clean(&session->wire)) {
    ml_wire_die(&session->wire,
        g_error_new(ML_ERROR, ML_ERROR_PROTOCOL,
                    "The mail server %s broke the rules of SMTP: it sends data between STARTTLS and the "
                    "encryption, which may be an attack. The connection was closed.",
                    session->host));
    return !ml_wire_is_dead(&session->wire, error);
  }
  GError *why = NULL;
  if (!crypto_tls_start(session->wire.tls, &why)) {
    ml_wire_die_of(&session->wire, why);
    return !ml_wire_is_dead(&session->wire, error);
  }
  return TRUE;
}

gboolean
ml_smtp_session_reset(MlSmtpSession *session, GError **error)
{
  return ml_etpan(NULL)->mailsmtp_reset(session->smtp) == MAILSMTP_NO_ERROR || refused(session, "RSET", error);
}

/* ---- AUTH (RFC 4954), for mail/sasl.c. Secrets go straight to the stream. */

static gboolean
offers(gpointer user_data, const char *mechanism)
{
  MlSmtpSession *session = user_data;
  for (guint i = 0; i < session->auths->len; i++)
    if (strcmp(g_ptr_array_index(session->auths, i), mechanism) == 0)
      return TRUE;
  return FALSE;
}

static char *
offered(gpointer user_data)
{
  MlSmtpSession *session = user_data;
  g_ptr_array_add(session->auths, NULL);
  char *text = g_strjoinv(", ", (char **)session->auths->pdata);
  g_ptr_array_remove_index(session->auths, session->auths->len - 1);
  return text;
}

static gboolean
auth_reply(MlSmtpSession *session, gboolean *go_on, char **challenge, GError **error)
{
  guint code = ml_smtp_session_reply(session, session->patience_ms, error);
  if (!code)
    return FALSE;
  *go_on = code == 334;
  if (code == 334 || code == 235) {
    g_free(*challenge);
    *challenge = g_strdup(strlen(session->words) > 4 ? session->words + 4 : "");
    return TRUE;
  }
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s refuses: %s", session->host, session->words);
  return FALSE;
}

static gboolean
begin(gpointer user_data, const char *mechanism, const char *text, gboolean *go_on, char **challenge,
      GError **error)
{
  MlSmtpSession *session = user_data;
  char *command = g_strconcat("AUTH ", mechanism, text ? " " : "", text ? text : "", "\r\n", NULL);
  gboolean ok = ml_smtp_session_write(session, command, strlen(command), error);
  crypto_pin_wipe(command);
  return ok && auth_reply(session, go_on, challenge, error);
}

static gboolean
answer(gpointer user_data, const char *text, gboolean *go_on, char **challenge, GError **error)
{
  MlSmtpSession *session = user_data;
  return ml_smtp_session_write(session, text, strlen(text), error) &&
         ml_smtp_session_write(session, "\r\n", 2, error) && auth_reply(session, go_on, challenge, error);
}

static gboolean
give_up(gpointer user_data, gboolean refused)
{
  MlSmtpSession *session = user_data;
  (void)refused;
  return ml_smtp_session_write(session, "*\r\n", 3, NULL) &&
         ml_smtp_session_reply(session, session->patience_ms, NULL) != 0;
}

static gboolean
auth_refused(gpointer user_data, const char **words, gboolean *passing)
{
  MlSmtpSession *session = user_data;
  *words = session->words;
  *passing = session->code < 500;
  return !session->wire.error;
}

gboolean
ml_smtp_session_login(MlSmtpSession *session, const MlAccount *account, const MlDriverHooks *hooks,
                      GCancellable *cancellable, char **mechanism, GError **error)
{
  if (!crypto_tls_is_encrypted(session->wire.tls)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "No login is sent to %s over a connection that is not encrypted.", session->host);
    return FALSE;
  }
  const MlSaslLine line = { .host = session->host,
                            .user_data = session,
                            .initial = TRUE,
                            .offers = offers,
                            .offered = offered,
                            .begin = begin,
                            .answer = answer,
                            .give_up = give_up,
                            .refused = auth_refused };
  MlSaslTries tries = { 0 };
  gboolean ok = ml_sasl_login(&line, account, &account->smtp, hooks, cancellable, &tries, mechanism, error);
  ml_sasl_tries_clear(&tries);
  return ok;
}
