#ifndef ML_SUBMISSION_H
#define ML_SUBMISSION_H

#include "mail/config.h"

/* A whole message as a program hands it over on standard input (sendmail(8): cron, git send-email), made ready to
 * leave. Pure values, any thread. */
typedef struct {
  const char *sender;             /* -f; NULL: by From */
  const char *full_name;          /* -F, where From has no name; NULL */
  const char *const *recipients;  /* from the command line */
  gboolean headers;               /* -t: those of To, Cc and Bcc too */
  gint64 now;
} MlSubmissionOptions;

typedef struct {
  GBytes *bytes;      /* CRLF; Bcc and Return-Path gone; From, Date and Message-ID there */
  char *sender;       /* envelope */
  char *from;         /* the address in From, of several the first */
  gboolean several;   /* From names more than one, or cannot be read: which of them it is from cannot be told */
  GPtrArray *open;    /* of char *: recipients that To or Cc name */
  GPtrArray *blind;   /* of char *: the others */
  char *message_id, *subject;
} MlSubmission;

/* Errors: MALFORMED, a sentence that names what is wrong and what to do. A name without a domain is somebody on this
 * machine: root and the user himself are the account's address, anybody else gets its domain; with sendmail = it
 * goes on as it is. */
MlSubmission *ml_submission_read(GBytes *input, const MlAccount *account, const MlSubmissionOptions *options,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_submission_free(MlSubmission *submission);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSubmission, ml_submission_free)

#endif
