#ifndef ML_ADDRESSBOOK_H
#define ML_ADDRESSBOOK_H

#include "mail/draft.h"
#include "mail/people.h"

/* Addresses to complete from: those of sent and of read mail, which data/people.db counts, and those of an address book
 * file (`[ui] address-book`). */

/* After a message was sent: its recipients rank before all that were only read. */
gboolean ml_addressbook_note_sent(MlPeople *people, const MlDraft *draft, gint64 now, GError **error);
/* Of a message that is read for the first time (ml_people_note() says so by returning @now): From, Reply-To, To, Cc. */
gboolean ml_addressbook_note_seen(MlPeople *people, const MlMessage *message, gint64 now, GError **error);

/* All of them in memory, as they were when it was opened. ml_addressbook_open() reads the disk: not on the UI thread.
 * Everything else is quick (50,000 addresses: 2 ms) and needs the book alone; one thread at a time. */
typedef struct MlAddressbook MlAddressbook;
/* Each may be NULL. A file that cannot be read is an error; of lines in it that are none, only the number is kept. */
MlAddressbook *
ml_addressbook_open(MlPeople *people, const char *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_addressbook_free(MlAddressbook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlAddressbook, ml_addressbook_free)
guint ml_addressbook_size(const MlAddressbook *book);
guint ml_addressbook_skipped(const MlAddressbook *book); /* lines of the file that hold no address */

typedef struct {
  char *address; /* NULL: an alias of several */
  char *display; /* to type: "Anna Keller <anna@example.org>" */
  guint sent, seen;
  gboolean listed; /* in the file */
} MlSuggestion;
void ml_suggestion_free(MlSuggestion *suggestion);
/* Those in which every word of @typed begins a word, then those that hold them anywhere, each by use; at most @limit.
 * Case and accents do not count. Never NULL; "" gives the most used. */
GPtrArray *ml_addressbook_complete(const MlAddressbook *book, const char *typed, guint limit, gint64 now);

#endif
