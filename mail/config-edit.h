#ifndef ML_CONFIG_EDIT_H
#define ML_CONFIG_EDIT_H

#include "mail/config.h"

/* Sets `key = value` of [account @account] in @file, comments and order kept; a link stays one. The result is read
 * before it takes the old one's place: what could not be read is not written. Errors: CONFIG, STORE. */
gboolean ml_config_edit(const char *file, const char *account, const char *key, const char *value,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for a search in [searches], which is made where it is missing. One with this name is replaced. */
gboolean ml_config_save_search(const char *file, const char *name, const char *text,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
