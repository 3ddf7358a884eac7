#ifndef ML_OPENED_H
#define ML_OPENED_H

#include "mail/config.h"
#include "mail/message.h"
#include "mail/store-search.h"

/* What encrypted messages say, for the search, where the account wants that (index-encrypted). It is taken when a message
 * is decrypted anyway, and lies in data/store/ACCOUNT.sealed, piece by piece, each encrypted to the account's own
 * certificate: to put something in no key is used and nobody asked. To search it the pieces are opened into memory
 * (mail/store-opened.c). doc/search.md says what it protects against. All of it blocks. */

/* Of one message. Immutable; any thread. */
typedef struct MlOpenedText {
  char *folder;
  guint32 uidvalidity, uid;
  gboolean guessed; /* that it lies there: its Message-ID says so, and nobody has read it there */
  char *message_id; /* without angle brackets; "": none. By it a message is found again that was moved */
  gint64 lost;      /* Unix seconds: since when no list has it; 0: one has */
  char *from, *to, *subject, *text; /* as they were protected; to: Cc too */
} MlOpenedText;
/* NULL: nothing of it was encrypted and is open. */
MlOpenedText *ml_opened_text(const MlMessage *message, const char *folder, guint32 uidvalidity, guint32 uid);
void ml_opened_text_free(MlOpenedText *text); /* NULL is fine */
gsize ml_opened_text_size(const MlOpenedText *text); /* octets */

enum {
  ML_OPENED_TEXTS = 100 * 1000,       /* messages in the index */
  ML_OPENED_SIZE = 64 * 1024 * 1024,  /* octets of them; the newest stay */
  ML_OPENED_LOST = 30 * 24 * 60 * 60, /* seconds: what is in no list any more is kept for so long */
};

/* Puts @texts (of MlOpenedText) in, as one piece; those that are there already are left out. On the disk when it returns
 * TRUE. @directory: of the account's store; made if missing. Errors: there is no certificate of the account to encrypt to; STORE. */
gboolean ml_opened_keep(const char *directory, const MlAccount *account, const GPtrArray *texts,
                        CryptoRevocationMode revocation, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The account does not want it any more. *@any: there was something. */
gboolean ml_opened_remove(const char *directory, const MlAccount *account, gboolean *any,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean ml_opened_any(const char *directory, const MlAccount *account); /* is there something? */

/* The index in memory: one thread at a time. Whoever forgets his PINs frees it. */
typedef struct MlOpened MlOpened;
MlOpened *ml_opened_new(const char *directory, const MlAccount *account, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_opened_free(MlOpened *opened);
void ml_opened_set_limits(MlOpened *opened, guint texts, gsize size); /* tests: for ML_OPENED_TEXTS and ML_OPENED_SIZE */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlOpened, ml_opened_free)
typedef struct {
  guint messages; /* that can be searched */
  guint closed;   /* that are in the file and not in memory: their key could not be used, or there was no room */
  GError *why;    /* that key's last error; NULL */
  gboolean locked; /* a PIN would open some of them */
  gboolean newer;  /* some of them are in a form that only a newer signet reads */
  gboolean full;   /* some of them were not opened, as there was no room for more: the next load finds room */
} MlOpenedState;
void ml_opened_state_clear(MlOpenedState *state);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MlOpenedState, ml_opened_state_clear)
/* Opens what is not in memory yet and can be opened, the newest pieces first; @pin NULL: without asking. Each piece is one
 * use of the key. Twice as much as is kept has room, so that ml_opened_tidy() can say which the newest messages are; what
 * has none stays in the file. Errors: STORE; CANCELLED; JOURNAL where policy forbids to use it. */
gboolean ml_opened_load(MlOpened *opened, CryptoPinSource *pin, GCancellable *cancellable, MlOpenedState *state,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Says where each message lies now, by the lists. Before it is searched. */
gboolean ml_opened_place(MlOpened *opened, MlStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Makes one piece of all that ml_opened_load() opened, so that the next load uses the key once; without what is in no
 * list for long, and of more than is kept the newest, which alone stay in memory then. Nothing where it is one already,
 * unless what was lost, found or moved was not written for a day. After ml_opened_place(). */
gboolean ml_opened_tidy(MlOpened *opened, CryptoRevocationMode revocation, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* What was put into the file is in memory too, without the key. */
gboolean ml_opened_add(MlOpened *opened, const GPtrArray *texts, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* From now on what @search finds is what the index in memory finds, too (NULL: no more); of a message that both have it
 * is the latter that says whether it fits. Borrowed. */
void ml_opened_join(MlOpened *opened, MlStoreSearch *search);
/* The text of a message, for the words around a find; NULL: it is not there. Transfer full. */
char *ml_opened_find(MlOpened *opened, const char *folder, guint32 uidvalidity, guint32 uid);

#endif
