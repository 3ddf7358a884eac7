#ifndef ML_ERROR_H
#define ML_ERROR_H

#include <glib.h>

/* Codes say what the caller can do about it, not where it happened. The message is a sentence for a person in
 * UTF-8; a server's or a file's words are quoted in it as they came and made harmless when drawn. */
typedef enum {
  ML_ERROR_FAILED,    /* show it; nothing better to do */
  ML_ERROR_CANCELLED, /* the user asked; show nothing */
  ML_ERROR_OFFLINE,   /* try again later by itself */
  ML_ERROR_AUTH,      /* ask for the password again */
  ML_ERROR_UNTRUSTED, /* the server's certificate; ask the user */
  ML_ERROR_PROTOCOL,  /* the server broke the rules; log its words */
  ML_ERROR_STORE,     /* a local file or the local cache failed */
  ML_ERROR_CONFIG,    /* the configuration; the message names file and line */
  ML_ERROR_NOT_FOUND, /* no such message, part, file or place */
  ML_ERROR_NO_FOLDER, /* no such folder in this mailbox: tell what lists them */
  ML_ERROR_MALFORMED, /* not a message, or one beyond our limits */
  ML_ERROR_POLICY,    /* [policy] forbids it; the message names the rule, its file and line */
} MlError;

#define ML_ERROR ml_error_quark()
GQuark ml_error_quark(void);

/* What was asked for is not there, be it the folder or what should lie in it. NULL is no error. */
gboolean ml_error_is_absent(const GError *error);

#endif
