#ifndef ML_DIRECTORY_PRIVATE_H
#define ML_DIRECTORY_PRIVATE_H

#include "mail/directory.h"

/* One connection and one search; directory-ldap.c. Blocks until @cancellable ends it: it keeps no time of its own. */
typedef enum { ML_LDAP_CERTS, ML_LDAP_PEOPLE, ML_LDAP_BASE } MlLdapWhat;
typedef struct {
  const MlDirectory *directory;
  MlLdapWhat what;
  const char *filter;
  const char *password; /* of its bind; NULL: none */
} MlLdapQuestion;
gboolean ml_directory_ldap_ask(const MlLdapQuestion *question, MlDirectoryAnswer *answer, char **protocol,
                               GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
