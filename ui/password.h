#ifndef UI_PASSWORD_H
#define UI_PASSWORD_H

#include "mail/config.h"

#include <gio/gio.h>

/* Where an account's password comes from before anybody is asked: $SIGNET_PASSWORD (subcommands with --batch),
 * password-command, the keyring. Any thread but the UI's: the command and the keyring may take long. Transfer
 * full, wipe with crypto_pin_wipe(). NULL without error: none is stored, ask. NULL with error: a source that was
 * configured failed, and the message says which. */
typedef enum { UI_PASSWORD_TYPED, UI_PASSWORD_ENVIRONMENT, UI_PASSWORD_COMMAND, UI_PASSWORD_KEYRING } UiPasswordSource;
char *ui_password_stored(const MlAccount *account, const MlServer *server, UiPasswordSource *source,
                         GCancellable *cancellable, GError **error); /* *source: where it came from */
const char *ui_password_source_words(UiPasswordSource source); /* "from the keyring" */

/* The same for an LDAP directory's bind, whose environment variable there is none; and its account in the keyring. */
char *ui_password_directory(const MlDirectory *directory, GCancellable *cancellable, GError **error);
/* The same as a MlDirectoryPassword, for where nobody is asked: none stored is an error that says what to do. */
char *ui_password_for_directory(const MlDirectory *directory, GCancellable *cancellable, gpointer unused, GError **error);
char *ui_password_directory_account(const MlDirectory *directory); /* transfer full */

/* "imaps://anna@mail.example.org:993": how the keyring and the prompts name a server. Transfer full. */
char *ui_password_server(const MlServer *server, const char *scheme);

#endif
