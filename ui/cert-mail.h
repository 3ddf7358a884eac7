#ifndef UI_CERT_MAIL_H
#define UI_CERT_MAIL_H

#include "mail/driver.h"
#include "mail/message.h"

/* What mail says of certificates. One thread for one driver; any. */
typedef gboolean (*UiCertMailFunc)(const MlHeader *header, GBytes *raw, gint64 received, gpointer data);

/* @look at every message of @folder whose outermost type promises @hint (MlHint), until it says FALSE. */
gboolean ui_cert_mail_each(MlDriver *driver, const char *folder, guint hint, UiCertMailFunc look, gpointer data,
                           GError **error);
/* Asks nobody; NULL: no message. */
MlMessage *ui_cert_mail_read(GBytes *raw, gint64 received, CryptoRevocationMode revocation, MlPeople *people);

/* How many messages only @cert's key reads, in words: in the accounts that are kept here, all folders. Asks nobody, and
 * uses no key: the envelopes say it. May take long. NULL: cancelled. Transfer full. */
char *ui_cert_mail_count_lost(const MlConfig *config, const char *state_dir, CryptoCert *cert,
                              GCancellable *cancellable);

#endif
