#ifndef ML_ADDRESSBOOK_PRIVATE_H
#define ML_ADDRESSBOOK_PRIVATE_H

#include "mail/addressbook.h"

/* For mail/ alone. */
enum { ML_ADDRESSBOOK_MAX = 100000 }; /* addresses in memory; of people.db the most used */

/* addressbook-file.c. @func gets the nickname (may be NULL), and what is written for it; FALSE: that was no address. */
typedef gboolean (*MlAddressbookFunc)(const char *nick, const char *typed, gpointer user_data);
gboolean ml_addressbook_file(const char *file, MlAddressbookFunc func, guint *skipped, gpointer user_data,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* store-addresses.c: the table in people.db. */
gboolean ml_store_addresses_begin(MlPeople *people, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_store_addresses_end(MlPeople *people, gboolean good, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_store_addresses_add(MlPeople *people, const char *address, const char *name, gboolean sent,
                                gint64 now, GError **error) G_GNUC_WARN_UNUSED_RESULT;
typedef void (*MlStoreAddressFunc)(const char *address, const char *name, guint sent, guint seen, gint64 last,
                                   gpointer user_data);
gboolean ml_store_addresses_each(MlPeople *people, MlStoreAddressFunc func, gpointer user_data,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
