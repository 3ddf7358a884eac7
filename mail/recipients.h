#ifndef ML_RECIPIENTS_H
#define ML_RECIPIENTS_H

#include "crypto/certdb.h"
#include "mail/draft.h"
#include "mail/people.h"

/* Which certificate for whom: one row a recipient, chosen by validated use (RFC 8551 2.3, RFC 8550 3), never by
 * NSS's address lookup. Verify thread or a subcommand's main thread: nothing here asks for a PIN or the network. */
typedef enum {
  ML_CERT_READY, /* valid for encryption now, to this address, and accepted by the user or chained to a root */
  ML_CERT_CANDIDATE, /* seen in signed mail or in a directory, trusted chain, not accepted yet: one key accepts it */
  ML_CERT_NONE,
  ML_CERT_UNFIT, /* there is one, and `reason` says which rule failed (expired, revoked, usage, untrusted...) */
} MlCertState;

typedef struct {
  char *address, *display;
  gboolean self, archive; /* the sender's own row; the organisation's archive */
  MlCertState state;
  CryptoCert *cert;     /* that will be used, or could be (CANDIDATE, UNFIT); NULL: none */
  GPtrArray *others;    /* of CryptoCert: every other one for this address; never NULL */
  char *source;         /* "database", "token NAME", "signed mail of 2026-11-02", "directory corp", "file"; NULL */
  char *reason;         /* a sentence: why not, and what to do; NULL when ready */
  GBytes *capabilities; /* SMIMECapabilities it announced (RFC 8551 2.5.2); NULL: unknown */
} MlRecipient;
void ml_recipient_free(MlRecipient *recipient); /* NULL is fine */

/* Array of MlRecipient, in the order of @mailboxes (of MlMailbox). @people may be NULL. */
GPtrArray *ml_recipients_find(MlPeople *people, GPtrArray *mailboxes, gint64 at,
                              CryptoRevocationMode revocation, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The rows that every encrypted message has besides, appended to @rows: the sender's own (READY, or with the reason why
 * the copy could not be read again) and the archive's where the account names one. */
void ml_recipients_add_own(GPtrArray *rows, const MlAccount *account, const char *address, gint64 at,
                           CryptoRevocationMode revocation);

/* For a message that is signed alone: a row for each who reads it, for what it is known to take, and the sender's own, for
 * the certificate that answers are to be encrypted to. No others have certificates. @people, @account may be NULL. */
GPtrArray *ml_recipients_readers(MlPeople *people, GPtrArray *mailboxes, const MlAccount *account, const char *address,
                                 gint64 at, CryptoRevocationMode revocation);

/* An archive's alone, unless it is there. */
void ml_recipients_add_archive(GPtrArray *rows, const char *fingerprint, gint64 at, CryptoRevocationMode revocation);

/* Every row READY? Else the first reason (borrowed from its row). */
gboolean ml_recipients_ready(GPtrArray *rows, const char **reason);

/* The user named @cert for @row: by file, or one of `others`. It need not come from a trusted authority then; every
 * other rule holds, and READY or UNFIT with the reason comes of it. */
void ml_recipients_use(MlRecipient *row, CryptoCert *cert, const char *source, gint64 at,
                       CryptoRevocationMode revocation);
MlRecipient *ml_recipients_from_cert(CryptoCert *cert, const char *source, gint64 at,
                                     CryptoRevocationMode revocation); /* a row of its own */

/* What of one @cert that is not kept here would come of it for @address: CANDIDATE, UNFIT with the reason, or READY where
 * it is among @accepted (of char *: sha256; may be NULL). @extra: to build the chain with. A row of its own. */
MlRecipient *ml_recipients_judge(CryptoCert *cert, const char *address, const char *source, GPtrArray *accepted,
                                 GPtrArray *extra, gint64 at, CryptoRevocationMode revocation);

/* The user says yes to @row's CANDIDATE: it and what is between it and its root are kept in the database, the yes is
 * remembered, and the row is READY. Keys thread (the database may ask for its password). */
gboolean ml_recipients_accept(MlPeople *people, MlRecipient *row, gint64 now, CryptoPinSource *pin,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The account's own certificate for @address: @fingerprint, else the one that the account names for this use
 * (CRYPTO_USE_SIGN, CRYPTO_USE_ENCRYPT), else the newest valid one with the right use, database or token. @account may
 * be NULL. NULL and an error that says which rule failed and what to do. One that is named may come from an authority
 * that is not trusted here; one that is looked for may not. */
CryptoCert *
ml_recipients_own(const MlAccount *account, const char *address, const char *fingerprint, CryptoUse use,
                  gint64 at, CryptoRevocationMode revocation, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
