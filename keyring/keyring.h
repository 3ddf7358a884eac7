#ifndef KEYRING_KEYRING_H
#define KEYRING_KEYRING_H

#include <gio/gio.h>

/* Passwords in the desktop's Secret Service, through libsecret, which is loaded when it is first asked for: a
 * server without it runs signet all the same. Every call may wait for D-Bus and for the person to unlock the
 * keyring: never from the UI thread. Nothing is stored unless the user said so. */
typedef enum {
  KEYRING_ERROR_ABSENT, /* no libsecret, no D-Bus session, or no service that answers: use another way */
  KEYRING_ERROR_LOCKED, /* the keyring is locked and was not unlocked */
  KEYRING_ERROR_FAILED,
} KeyringError;

#define KEYRING_ERROR keyring_error_quark()
GQuark keyring_error_quark(void);

/* Transfer full; wipe with keyring_wipe(). NULL without error: none is stored; LOCKED: nobody can tell. @server:
 * "imaps://host:993". */
char *keyring_lookup(const char *account, const char *server, GCancellable *cancellable, GError **error);
gboolean keyring_store(const char *account, const char *server, const char *password, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean keyring_forget(const char *account, const char *server, GCancellable *cancellable, GError **error);

/* Does a service answer? For `signet doctor`. */
gboolean keyring_available(GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean keyring_is_locked(GCancellable *cancellable); /* FALSE also where there is none */

void keyring_wipe(char *password); /* overwrites and frees; NULL is fine */

#endif
