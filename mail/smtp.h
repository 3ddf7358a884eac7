#ifndef ML_SMTP_H
#define ML_SMTP_H

#include "mail/driver.h"

/* Submission (RFC 6409) through libetpan over crypto/'s TLS stream, or a local sendmail command. One thread. Every
 * argument is checked for CR, LF and NUL; STARTTLS is demanded, capabilities asked again after it; SIZE is looked at
 * before MAIL FROM. */
typedef struct MlSmtp MlSmtp;

typedef enum {
  ML_SMTP_SENT,    /* accepted for at least one recipient: see each */
  ML_SMTP_REFUSED, /* 5xx, for good */
  ML_SMTP_LATER,   /* 4xx, no line, no login: try again */
  ML_SMTP_UNSURE,  /* the line broke between the final dot and the server's answer */
} MlSmtpResult;

/* Delivery status notifications asked for (RFC 3461), where the server can; 0: as the server likes. */
enum {
  ML_SMTP_NOTIFY_SUCCESS = 1 << 0,
  ML_SMTP_NOTIFY_FAILURE = 1 << 1,
  ML_SMTP_NOTIFY_DELAY = 1 << 2,
  ML_SMTP_NOTIFY_NEVER = 1 << 3,
};

typedef struct {
  char *address;
  guint notify; /* ML_SMTP_NOTIFY_* */
  MlSmtpResult result;
  char *words; /* the server's own, bounded; NULL */
} MlSmtpRecipient;

MlSmtp *ml_smtp_new(const MlAccount *account, const MlDriverHooks *hooks); /* both must outlive it */
void ml_smtp_free(MlSmtp *smtp);                                           /* QUIT; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSmtp, ml_smtp_free)
gboolean
ml_smtp_check(MlSmtp *smtp, MlStepFunc step, gpointer user_data, GError **error); /* `account check` */

/* Called right before the octets that end the message are written (crash safety: the outbox notes it). FALSE: stop. */
typedef gboolean (*MlSmtpDotFunc)(gpointer user_data, GError **error);
/* @recipients: of MlSmtpRecipient, results are filled in. The connection is kept for the next message. */
MlSmtpResult ml_smtp_send(MlSmtp *smtp, const char *from, GPtrArray *recipients, GBytes *message,
                          MlSmtpDotFunc dot, gpointer user_data, GCancellable *cancellable, GError **error);

#endif
