#ifndef ML_SEARCH_H
#define ML_SEARCH_H

#include "mail/message.h"
#include "mail/store-search.h"

/* Keeps the index of words up with the mail that is here. All of it blocks; the thread's own handles. */

enum { ML_SEARCH_TEXT = 256 * 1024 }; /* octets of a message's text that are searched */

/* A mailbox on this machine has no list in the store but for the search: makes it true for these folders (array of
 * char *; NULL: all there are). @func as of ml_search_update(), with the headers that were read. */
typedef gboolean (*MlSearchFunc)(guint done, guint waiting, gpointer user_data); /* FALSE: stop here */
gboolean ml_search_follow(MlDriver *driver, MlStore *store, const GPtrArray *folders, MlSearchFunc func,
                          gpointer user_data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Looks at what was added, removed and fetched since the last time, newest first, in transactions of @step messages;
 * what one of them has done stays. @local: the driver of a mailbox on this machine, to read its files by; NULL: the text
 * is what the store keeps. Encrypted text is not read. TRUE with @func having stopped it, too. */
gboolean ml_search_update(MlStoreSearch *search, MlDriver *local, guint step, MlSearchFunc func, gpointer user_data,
                          GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the text of messages that are here, as it is searched. @local: as above. */
typedef struct MlSearchReader MlSearchReader;
MlSearchReader *ml_search_reader_new(MlStore *store, MlDriver *local); /* borrows both */
void ml_search_reader_free(MlSearchReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSearchReader, ml_search_reader_free)
/* @header: as the store has it. NULL: it is not here. */
char *ml_search_text(MlSearchReader *reader, const char *folder, guint32 uidvalidity, const MlHeader *header);

/* Does this message fit, by what is here of it? ML_UNKNOWN: its text is not here, and the words may be in it. For one
 * message; for a folder ml_store_search_uids() is quicker. */
MlTristate ml_search_words_in(MlSearchReader *reader, const char *folder, guint32 uidvalidity, const MlHeader *header,
                              const MlQuery *query);

#endif
