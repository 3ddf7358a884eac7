#ifndef ML_CONFIG_PRIVATE_H
#define ML_CONFIG_PRIVATE_H

#include "mail/config.h"

/* Reads "imaps://user@host:port" into @server. @service is "imap" or "smtp": its plain scheme means
 * STARTTLS, the one with an s implicit TLS. The error's message is a sentence without file and line. */
gboolean ml_config_server(const char *url, const char *service, MlServer *server, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

#endif
