#ifndef ML_DIRECTORY_H
#define ML_DIRECTORY_H

#include <gio/gio.h>

#include "crypto/cert.h"
#include "mail/config.h"

/* LDAP directories (RFC 4511 to 4519), asked for certificates and for addresses. Blocks up to the directories' own
 * timeouts; any thread but the UI's, without one at a time. Cancelling ends it at once.
 *
 * libldap is given our own stream: the server proves itself by the trust store's server roots as for IMAP, ldap://
 * demands StartTLS, no connection is made but the one to the configured server, and no referral is followed. Nothing
 * is sent about an address outside of a directory's domains. What comes back is anybody's claim: candidates. */
typedef struct {
  CryptoCert *cert;
  char *entry; /* DN: the server's words */
} MlDirectoryCert;

typedef struct {
  char *address;
  char *display; /* "Anna Keller <anna@example.org>", quoted where it must be. Both are the server's words */
} MlDirectoryPerson;

enum { ML_DIRECTORY_ENTRIES = 64, ML_DIRECTORY_CERTS = 32 }; /* of an answer; of an entry */

/* What one directory said. */
typedef struct {
  const MlDirectory *directory; /* borrowed from the configuration */
  GPtrArray *certs;   /* of MlDirectoryCert: nobody's authority; never NULL */
  GPtrArray *issuers; /* of CryptoCert: authorities that came in bundles; never NULL */
  GPtrArray *people;  /* of MlDirectoryPerson; never NULL */
  guint entries, unreadable; /* unreadable: values that hold no certificate */
  gboolean more;  /* than we take, or than the server gives */
  GError *error;  /* why it could not be asked, or could not answer; NULL */
} MlDirectoryAnswer;
void ml_directory_answer_free(MlDirectoryAnswer *answer);

/* The password of a directory's bind; transfer full, wiped by the caller. NULL with an error: it is not asked. Called on
 * the caller's thread, before any time runs. */
typedef char *(*MlDirectoryPassword)(const MlDirectory *directory, GCancellable *cancellable, gpointer user_data,
                                     GError **error);
typedef struct {
  MlDirectoryPassword password; /* may be NULL: nobody knows one */
  gpointer user_data;
} MlDirectoryHooks;

/* May @directory be asked about @address? */
gboolean ml_directory_covers(const MlDirectory *directory, const char *address);

/* Certificates for @address: all directories that cover it at once (@by_itself: those that say ask = auto), an answer
 * from each in the order of the file; empty: none covers it, and nothing was sent. Array of MlDirectoryAnswer. */
GPtrArray *ml_directory_find(const MlConfig *config, const char *address, gboolean by_itself,
                             const MlDirectoryHooks *hooks, GCancellable *cancellable);
/* People whose name or address begins with @typed; at least three characters of a name or an address. */
GPtrArray *ml_directory_complete(const MlConfig *config, const char *typed, const MlDirectoryHooks *hooks,
                                 GCancellable *cancellable);
gboolean ml_directory_completes(const MlDirectory *directory, const char *typed); /* may it be asked that? */

/* Connects, logs in, looks at the base. *words: what was found, "TLS 1.3, ...", transfer full. */
gboolean ml_directory_check(const MlDirectory *directory, const MlDirectoryHooks *hooks, GCancellable *cancellable,
                            char **words, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "ldaps://host:636": how the keyring, prompts and sentences name it; transfer full. */
char *ml_directory_url(const MlDirectory *directory);
/* @template with @text, escaped (RFC 4515 3), for every %s; transfer full. */
char *ml_directory_filter(const char *template, const char *text);

#endif
