#ifndef UI_PASSWORD_H
#define UI_PASSWORD_H

#include "mail/config.h"

#include <gio/gio.h>

/* Where an account's password comes from before anybody is asked: $SIGNET_PASSWORD (subcommands with --batch),
 * password-command, the keyring. Any thread but the UI's: the command and the keyring may take long. Transfer
 * full, wipe with crypto_pin_wipe(). NULL without error: none is stored, ask. NULL with error: a source that was
 * configured failed, and the message says which. */
char *ui_password_stored(const MlAccount *account, const MlServer *server, GCancellable *cancellable, GError **error);

/* "imaps://anna@mail.example.org:993": how the keyring and the prompts name a server. Transfer full. */
char *ui_password_server(const MlServer *server, const char *scheme);

#endif
