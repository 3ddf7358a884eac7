#ifndef ML_SMTP_PRIVATE_H
#define ML_SMTP_PRIVATE_H

#include "mail/etpan-private.h"
#include "mail/line-private.h"
#include "mail/smtp.h"
#include "mail/wire-private.h"

/* ---- smtp-reply.c: cuts what an SMTP server sends into replies, within limits; the first reader of bytes that may be
 * hostile. Pure: no input or output of its own. */
typedef struct {
  guint code;       /* 200 to 599 */
  GPtrArray *lines; /* of char *: what stands behind the code, valid UTF-8 */
  char *words;      /* all of it as one line, bounded; never NULL */
} MlReply;
typedef struct MlReplies MlReplies;
MlReplies *ml_replies_new(void);
void ml_replies_free(MlReplies *replies);
void ml_replies_feed(MlReplies *replies, const void *data, gsize length);
/* The next whole reply, borrowed until the next call. NULL without an error: more bytes are needed. */
const MlReply *ml_replies_next(MlReplies *replies, GError **error);
gboolean ml_replies_is_empty(const MlReplies *replies); /* not a byte waits */

/* ---- smtp-session.c: one connection */
enum {
  ML_SMTP_STARTTLS = 1 << 0,
  ML_SMTP_8BITMIME = 1 << 1,
  ML_SMTP_UTF8 = 1 << 2,
  ML_SMTP_SIZE = 1 << 3,
  ML_SMTP_DSN = 1 << 4,
  ML_SMTP_PIPELINING = 1 << 5,
};

typedef struct {
  mailsmtp *smtp;     /* libetpan's; it reads only our own words for what the server said */
  MlWire wire;
  MlReplies *replies;
  char *host;
  guint caps;
  guint64 size_max; /* 0: none was named */
  GPtrArray *auths; /* of char *, upper case */
  guint code; /* of the last reply */
  char *words;
  guint patience_ms; /* for one reply */
  gboolean used;     /* a message went over it before */
} MlSmtpSession;

MlSmtpSession *ml_smtp_session_new(CryptoTls *tls, const char *host); /* takes @tls */
void ml_smtp_session_free(MlSmtpSession *session);                    /* without a word to the server */
void ml_smtp_session_quit(MlSmtpSession *session);                    /* QUIT, and its answer for a second */
gboolean ml_smtp_session_greet(MlSmtpSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_smtp_session_ehlo(MlSmtpSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_smtp_session_starttls(MlSmtpSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_smtp_session_login(MlSmtpSession *session, const MlAccount *account, const MlDriverHooks *hooks,
                               GCancellable *cancellable, char **mechanism, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_smtp_session_reset(MlSmtpSession *session, GError **error); /* RSET */
gboolean ml_smtp_session_write(MlSmtpSession *session, const char *data, gsize length, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* The next reply; its code (0: the line is dead) is in session->code, its words in session->words. */
guint ml_smtp_session_reply(MlSmtpSession *session, guint patience_ms, GError **error);

/* ---- smtp-send.c: one message over a session */
MlSmtpResult ml_smtp_transact(MlSmtpSession *session, const char *from, GPtrArray *recipients, GBytes *message,
                              MlSmtpDotFunc dot, gpointer user_data, gboolean *stale, GError **error);
/* @words may be NULL. */
void ml_smtp_result(MlSmtpRecipient *recipient, MlSmtpResult result, const char *words);

/* ---- smtp-command.c: a local sendmail command */
MlSmtpResult ml_smtp_command(const char *command, const char *from, GPtrArray *recipients, GBytes *message,
                             MlSmtpDotFunc dot, gpointer user_data, GCancellable *cancellable, GError **error);
char **ml_smtp_command_argv(const char *command, const char *from, GPtrArray *recipients, GError **error);

#endif
