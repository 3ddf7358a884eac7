#ifndef ML_RECIPIENTS_H
#define ML_RECIPIENTS_H

#include "crypto/certdb.h"
#include "mail/draft.h"
#include "mail/people.h"

/* Which certificate for whom: one row a recipient, chosen by validated use (RFC 8551 2.3, RFC 8550 3), never by
 * NSS's address lookup. Verify thread or a subcommand's main thread: nothing here asks for a PIN or the network. */
typedef enum {
  ML_CERT_READY, /* valid for encryption now, to this address, and accepted by the user or chained to a root */
  ML_CERT_CANDIDATE, /* seen in signed mail, trusted chain, not accepted yet: one key accepts it */
  ML_CERT_NONE,
  ML_CERT_UNFIT, /* there is one, and `reason` says which rule failed (expired, revoked, usage, untrusted...) */
} MlCertState;

typedef struct {
  char *address, *display;
  gboolean self, archive; /* the sender's own row; the organisation's archive */
  MlCertState state;
  CryptoCert *cert;     /* that will be used; NULL: none */
  GPtrArray *others;    /* of CryptoCert: every other one for this address; never NULL */
  char *source;         /* "database", "signed mail of 2026-11-02", "file", ...; NULL */
  char *reason;         /* a sentence: why not, and what to do; NULL when ready */
  GBytes *capabilities; /* SMIMECapabilities it announced (RFC 8551 2.5.2); NULL: unknown */
} MlRecipient;
void ml_recipient_free(MlRecipient *recipient);

/* Array of MlRecipient, in the order of @mailboxes (of MlMailbox). */
GPtrArray *ml_recipients_find(MlPeople *people, GPtrArray *mailboxes, gint64 at,
                              CryptoRevocationMode revocation, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The account's own certificate for @address: the fingerprint it names, else the newest valid one with the right use,
 * database or token. NULL and an error that says which rule failed and what to do. */
CryptoCert *
ml_recipients_own(const MlAccount *account, const char *address, const char *fingerprint, CryptoUse use,
                  gint64 at, CryptoRevocationMode revocation, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
