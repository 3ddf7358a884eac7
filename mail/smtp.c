#include <string.h>

#include "mail/lines-private.h"
#include "mail/smtp-private.h"

enum { ADDRESS_MAX = 320, RECIPIENTS_MAX = 10000 };

struct MlSmtp {
  const MlAccount *account;
  const MlDriverHooks *hooks;
  MlSmtpSession *session; /* NULL: not connected */
  GMutex lock;            /* guards tls, for the interrupt */
  CryptoTls *tls;
};

MlSmtp *
ml_smtp_new(const MlAccount *account, const MlDriverHooks *hooks)
{
  MlSmtp *smtp = g_new0(MlSmtp, 1);
  smtp->account = account;
  smtp->hooks = hooks;
  g_mutex_init(&smtp->lock);
  return smtp;
}

static void
set_tls(MlSmtp *smtp, CryptoTls *tls)
{
  g_mutex_lock(&smtp->lock);
  smtp->tls = tls;
  g_mutex_unlock(&smtp->lock);
}

static void
disconnect(MlSmtp *smtp)
{
  set_tls(smtp, NULL);
  g_clear_pointer(&smtp->session, ml_smtp_session_free);
}

void
ml_smtp_free(MlSmtp *smtp)
{
  if (!smtp)
    return;
  set_tls(smtp, NULL);
  ml_smtp_session_quit(smtp->session);
  g_mutex_clear(&smtp->lock);
  g_free(smtp);
}

/* Any thread. */
static void
on_cancelled(GCancellable *cancellable, gpointer user_data)
{
  (void)cancellable;
  MlSmtp *smtp = user_data;
  g_mutex_lock(&smtp->lock);
  if (smtp->tls)
    crypto_tls_interrupt(smtp->tls);
  g_mutex_unlock(&smtp->lock);
}

static void
tell(MlStepFunc step, gpointer user_data, const char *name, const char *words)
{
  if (step)
    step(name, TRUE, words, user_data);
}

static gboolean
secure(MlSmtp *smtp, GError **error)
{
  MlSmtpSession *session = smtp->session;
  if (smtp->account->smtp.tls == ML_TLS_IMPLICIT) {
    GError *why = NULL;
    if (crypto_tls_start(session->wire.tls, &why))
      return ml_smtp_session_greet(session, error);
    ml_line_error(why, error);
    return FALSE;
  }
  return ml_smtp_session_greet(session, error) && ml_smtp_session_ehlo(session, error) &&
         ml_smtp_session_starttls(session, error);
}

/* Without a user, a demanded mechanism or a client certificate that it asks for, the server is one that takes mail
 * from this network as it is. */
static gboolean
wants_login(const MlAccount *account, const MlSmtpSession *session)
{
  if (account->smtp.user || account->auth)
    return TRUE;
  for (guint i = 0; account->tls_cert && i < session->auths->len; i++)
    if (strcmp(g_ptr_array_index(session->auths, i), "EXTERNAL") == 0)
      return TRUE;
  return FALSE;
}

static gboolean
log_in(MlSmtp *smtp, MlStepFunc step, gpointer user_data, const char **at, GCancellable *cancellable,
       GError **error)
{
  MlSmtpSession *session = smtp->session;
  *at = "smtp capabilities";
  if (!ml_smtp_session_ehlo(session, error))
    return FALSE;
  g_autofree char *size = session->size_max ? g_strdup_printf("at most %" G_GUINT64_FORMAT " octets", session->size_max)
                                            : g_strdup("any size");
  g_autofree char *words = g_strdup_printf(
      "%s%s%s%s", size, session->caps & ML_SMTP_8BITMIME ? ", 8BITMIME" : "",
      session->caps & ML_SMTP_UTF8 ? ", SMTPUTF8" : "", session->caps & ML_SMTP_DSN ? ", DSN" : "");
  tell(step, user_data, *at, words);
  *at = "smtp login";
  if (!wants_login(smtp->account, session)) {
    tell(step, user_data, *at, "none: smtp = names no user");
    return TRUE;
  }
  g_autofree char *mechanism = NULL;
  if (!ml_smtp_session_login(session, smtp->account, smtp->hooks, cancellable, &mechanism, error))
    return FALSE;
  g_autofree char *who = smtp->account->smtp.user
                             ? g_strdup_printf("%s by %s", smtp->account->smtp.user, mechanism)
                             : g_strdup(mechanism);
  tell(step, user_data, *at, who);
  return TRUE;
}

static gboolean
connect_now(MlSmtp *smtp, MlStepFunc step, gpointer user_data, GCancellable *cancellable, GError **error)
{
  const MlServer *server = &smtp->account->smtp;
  g_autoptr(GError) why = NULL;
  const char *at = "smtp connect";
  disconnect(smtp);
  CryptoTls *tls = ml_line_open(smtp->account, server, smtp->hooks, cancellable, &why);
  gboolean ok = tls != NULL;
  if (ok) {
    smtp->session = ml_smtp_session_new(tls, server->host);
    set_tls(smtp, tls);
    if (g_cancellable_is_cancelled(cancellable))
      crypto_tls_interrupt(tls);
    g_autofree char *where = g_strdup_printf("%s, port %u", server->host, server->port);
    tell(step, user_data, at, where);
    at = "smtp TLS";
    ok = secure(smtp, &why);
  }
  if (ok) {
    tell(step, user_data, at, crypto_tls_protocol(tls));
    ok = log_in(smtp, step, user_data, &at, cancellable, &why);
  }
  if (ok)
    return TRUE;
  if (step)
    step(at, FALSE, why->message, user_data);
  disconnect(smtp);
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

static gboolean
check_command(const char *command, MlStepFunc step, gpointer user_data, GError **error)
{
  g_autoptr(GPtrArray) nobody = g_ptr_array_new();
  g_auto(GStrv) argv = ml_smtp_command_argv(command, "", nobody, error);
  if (!argv)
    return FALSE;
  g_autofree char *program = g_find_program_in_path(argv[0]);
  step("sendmail", program != NULL, program ? command : argv[0], user_data);
  if (!program)
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                "%s cannot be run: is it installed, and sendmail = in signet.conf right?", argv[0]);
  return program != NULL;
}

gboolean
ml_smtp_check(MlSmtp *smtp, MlStepFunc step, gpointer user_data, GError **error)
{
  if (smtp->account->sendmail)
    return check_command(smtp->account->sendmail, step, user_data, error);
  if (!smtp->account->smtp.host) {
    step("smtp", TRUE, "none is set up: mail cannot be sent (smtp = or sendmail = in signet.conf)", user_data);
    return TRUE;
  }
  g_autoptr(GCancellable) never = g_cancellable_new();
  return connect_now(smtp, step, user_data, never, error);
}

/* Between < and >, with nothing that could end it or the line. */
static gboolean
is_address(const char *address)
{
  if (strlen(address) > ADDRESS_MAX || !g_utf8_validate(address, -1, NULL) || *address == '-')
    return FALSE;
  gboolean quoted = FALSE;
  for (const char *p = address; *p; p++) {
    if (*p == '"')
      quoted = !quoted;
    if (g_ascii_iscntrl(*p) || (!quoted && strchr("<> ", *p)) || (*p == '\\' && !p[1]))
      return FALSE;
  }
  return !quoted;
}

/* Everything that is wrong whatever the server says. */
static gboolean
check_arguments(const MlSmtp *smtp, const char *from, GPtrArray *recipients, GBytes *message, GError **error)
{
  const char *bad = *from && !is_address(from) ? from : NULL;
  for (guint i = 0; i < recipients->len && !bad; i++) {
    const char *address = ((MlSmtpRecipient *)g_ptr_array_index(recipients, i))->address;
    bad = *address && is_address(address) ? NULL : address;
  }
  if (bad)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "\"%s\" cannot be an address: correct it.", bad);
  else if (!recipients->len || recipients->len > RECIPIENTS_MAX)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The message has %s.",
                recipients->len ? "too many recipients" : "no recipient");
  else if (ml_lines_have(message, ML_OCTETS_NUL))
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "The message holds a NUL octet, which no mail may: send the file as an attachment.");
  else if (!smtp->account->sendmail && !smtp->account->smtp.host)
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                "[account %s] cannot send: write smtp = smtps://USER@HOST (or sendmail = COMMAND) into signet.conf.",
                smtp->account->name);
  else
    return TRUE;
  return FALSE;
}

static MlSmtpResult
send_by_server(MlSmtp *smtp, const char *from, GPtrArray *recipients, GBytes *message, MlSmtpDotFunc dot,
               gpointer user_data, GCancellable *cancellable, GError **error)
{
  for (guint tries = 0;; tries++) {
    GError *why = NULL;
    gboolean stale = FALSE;
    if (!smtp->session && !connect_now(smtp, NULL, NULL, cancellable, error))
      return ML_SMTP_LATER;
    MlSmtpResult result =
        ml_smtp_transact(smtp->session, from, recipients, message, dot, user_data, &stale, &why);
    /* Only a connection whose last word was understood is good for another message. */
    if (smtp->session->wire.error || smtp->session->code == 421 ||
        (why && !g_error_matches(why, ML_ERROR, ML_ERROR_FAILED) && smtp->session->code < 400))
      disconnect(smtp);
    if (!stale || tries || g_cancellable_is_cancelled(cancellable)) {
      if (why)
        g_propagate_error(error, why);
      return result;
    }
    g_clear_error(&why);
  }
}

MlSmtpResult
ml_smtp_send(MlSmtp *smtp, const char *from, GPtrArray *recipients, GBytes *message, MlSmtpDotFunc dot,
             gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autoptr(GCancellable) own = cancellable ? g_object_ref(cancellable) : g_cancellable_new();
  for (guint i = 0; i < recipients->len; i++) {
    MlSmtpRecipient *recipient = g_ptr_array_index(recipients, i);
    recipient->result = ML_SMTP_LATER;
    g_clear_pointer(&recipient->words, g_free);
  }
  g_autoptr(GError) wrong = NULL;
  if (!check_arguments(smtp, from, recipients, message, &wrong)) {
    MlSmtpResult result = g_error_matches(wrong, ML_ERROR, ML_ERROR_CONFIG) ? ML_SMTP_LATER : ML_SMTP_REFUSED;
    for (guint i = 0; i < recipients->len; i++)
      ml_smtp_result(g_ptr_array_index(recipients, i), result, NULL);
    g_propagate_error(error, g_steal_pointer(&wrong));
    return result;
  }
  if (smtp->account->sendmail)
    return ml_smtp_command(smtp->account->sendmail, from, recipients, message, dot, user_data, own, error);
  gulong handler = g_cancellable_connect(own, G_CALLBACK(on_cancelled), smtp, NULL);
  MlSmtpResult result = send_by_server(smtp, from, recipients, message, dot, user_data, own, error);
  g_cancellable_disconnect(own, handler);
  return result;
}
