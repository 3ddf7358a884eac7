#ifndef ML_REKEY_H
#define ML_REKEY_H

#include "crypto/cms.h"
#include "mail/driver.h"
#include "mail/message.h"
#include "mail/policy.h"
#include "mail/recipients.h"

/* Encrypted mail that is kept, and the keys that it needs. Subcommands' main thread, or the keys thread. */
typedef enum {
  ML_REKEY_CLEAR,   /* not encrypted by S/MIME */
  ML_REKEY_SEALED,  /* encrypted as a whole: nothing is around the encryption */
  ML_REKEY_WRAPPED, /* there is a signature around the encryption (RFC 8551 3.7), which another encryption would break */
  ML_REKEY_PART,    /* only something in it is */
  ML_REKEY_BROKEN,  /* it says that it is encrypted, and cannot be read as such */
} MlRekeyForm;
const char *ml_rekey_form_word(MlRekeyForm form); /* "sealed", "wrapped", ...; static */

typedef struct {
  MlRekeyForm form;
  CryptoEnvelope *envelope; /* SEALED and WRAPPED: of the outermost encryption */
  char *reason;             /* BROKEN: a sentence */
} MlRekeyLook;

/* Who can read @raw, by what its envelope says: no key is used and nobody asked. @left: as in MlReadOptions. */
void ml_rekey_look(GBytes *raw, GPtrArray *left, MlRekeyLook *look);
void ml_rekey_look_clear(MlRekeyLook *look);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MlRekeyLook, ml_rekey_look_clear)

/* One message of a folder. */
typedef struct {
  guint32 uid;
  guint flags, hints;
  gint64 received;
  guint64 size;
} MlRekeyItem;

/* *@highest (may be NULL): the greatest number there was. Opens @folder and looks at every message there whose outermost type leaves it possible that it, or something in it,
 * is encrypted; oldest first. @func returns FALSE to stop. @done of @total: with this one. */
typedef gboolean (*MlRekeyWalkFunc)(const MlRekeyItem *item, const MlRekeyLook *look, guint done, guint total,
                                    gpointer user_data);
gboolean ml_rekey_walk(MlDriver *driver, const char *folder, MlSelected *selected, guint32 *highest,
                       MlRekeyWalkFunc func, gpointer user_data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- written anew */

/* Whom the new copies are encrypted to (array of MlRecipient, all READY): @to, and the archive where the account or
 * policy names one. Errors: a rule that @to or the archive breaks. */
GPtrArray *ml_rekey_rows(CryptoCert *to, const MlAccount *account, const MlPolicy *rules, gint64 at,
                         CryptoRevocationMode revocation, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Does the key of @row's certificate open what is encrypted to it? Tried out, with an entry in the journal. */
gboolean ml_rekey_try(const MlRecipient *row, CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
  gint64 at, received; /* as in MlReadOptions */
  CryptoRevocationMode revocation;
  GPtrArray *rows;        /* of ml_rekey_rows() */
  gboolean cbc;           /* AES-256-CBC instead of GCM, where the message had no authenticated cipher before */
  const MlPolicy *rules;  /* borrowed; NULL: tests */
  CryptoPinSource *pin;
  GCancellable *cancellable;
  /* Hears of each message that could be written anew, as it was read; NULL: nobody wants to. */
  void (*opened)(const MlMessage *message, guint32 uid, gpointer user_data);
  guint32 uid; /* for it */
  gpointer user_data;
} MlRekeyOptions;

typedef struct {
  GBytes *message;
  const char *cipher;  /* "aes-256-gcm"; static */
  char *old_digest, *new_digest; /* ml_rekey_digest() of both */
  gboolean raised;     /* it had a cipher that is too weak today */
  gboolean inner;      /* an encrypted message or part lies within, which keeps its own key */
} MlRekeyed;
void ml_rekeyed_clear(MlRekeyed *made);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MlRekeyed, ml_rekeyed_clear)

/* The same message, its outermost encryption opened and made anew for rows: header fields octet for octet, but for those
 * that say how the body is encoded; inside octet for octet. What comes of it has been read back, decrypted with the new
 * key and compared, the verdict too. What anybody could have changed (CBC, unsigned) is not given an authenticated
 * cipher, which would vouch for it. Errors: ML_ERROR_FAILED: this message cannot be and is left as it is, a sentence;
 * any other (LOCKED, PIN, CANCELLED, JOURNAL, ...): none can be. */
gboolean ml_rekey_message(GBytes *raw, const MlRekeyOptions *options, MlRekeyed *made,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* SHA-256 of the ciphertext that @raw is, however its transfer encoding and line ends were changed on the way: no two
 * encryptions have the same. Hex, transfer full; NULL: it is none. */
char *ml_rekey_digest(GBytes *raw);
/* Did the store give back what it was given? The ciphertext and the header are compared, but for what a mailbox file
 * keeps in a header (Status, X-Status, X-Keywords). */
gboolean ml_rekey_same(GBytes *stored, GBytes *given);
/* SHA-256 of the header fields that a message and its copy have in common: as ml_rekey_same() takes them, but for those
 * that say what the body is. Hex, transfer full; NULL: no message. */
char *ml_rekey_fields(GBytes *raw);

#endif
