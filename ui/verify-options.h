#ifndef UI_VERIFY_OPTIONS_H
#define UI_VERIFY_OPTIONS_H

#include "mail/message.h"
#include "ui/cli.h"

/* What `signet verify` and `signet decrypt` share: options for this run only, the certificates and keys they
 * name, and what ml_message_read() is told. Main thread. */
typedef struct {
  GPtrArray *trust, *certs, *keys, *password_files, *crls; /* of char *; NULL: not given */
  char *at, *revocation;
  gboolean online;
  GPtrArray *candidates; /* of CryptoCert, from --certs */
  CryptoAsker asker;     /* --online */
  MlReadOptions read;
  MlPeople *people;      /* to read only; NULL: nobody is remembered yet */
} UiVerifyOptions;

enum { UI_VERIFY_OPTIONS = 9 };
void ui_verify_options_table(UiVerifyOptions *options, UiOption *into); /* fills UI_VERIFY_OPTIONS rows */

/* Opens crypto and takes in what was named. FALSE: the error is printed, *code is set. */
gboolean ui_verify_options_apply(UiVerifyOptions *options, UiCli *cli, int *code);
/* When it came: as the mailbox says (@received), else when it was first seen here; 0: not known. */
gint64 ui_verify_options_received(const UiVerifyOptions *options, GBytes *bytes, gint64 received);
/* Reads one message as the screen would: with what is remembered of its sender, and of when it was first seen. */
MlMessage *ui_verify_options_read(const UiVerifyOptions *options, UiCli *cli, GBytes *bytes, gint64 received,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ui_verify_options_clear(UiVerifyOptions *options);

#endif
