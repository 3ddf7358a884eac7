#ifndef ML_SEAL_H
#define ML_SEAL_H

#include "crypto/cms-write.h"
#include "mail/recipients.h"
#include "mail/source.h"

/* From a draft to the octets that leave: built, headers protected (RFC 9788), signed, encrypted, and read back by our
 * own reader before anybody sees them. Keys thread (may ask for a PIN), or a subcommand's main thread. */
typedef struct {
  gint64 now;
  guint64 boundary_seed; /* tests; 0 */
  CryptoCert *signer;    /* needed when the draft's sign is on */
  GPtrArray *recipients; /* of MlRecipient, self and archive rows included; when encrypt is on, all READY. When it is not,
                          * ml_recipients_readers(), or NULL: nothing is known of anybody */
  CryptoRevocationMode revocation;
  CryptoCert *encryption;     /* announced as the one to write to; NULL: the self row's, if there is one */
  const char *digest;         /* "sha256", ...; NULL: what fits the key */
  const CryptoCipher *cipher; /* NULL: AES-256-GCM when all recipients announced it, else AES-256-CBC */
  const MlPolicy *rules;      /* the configuration's, borrowed: what breaks it is refused. NULL: tests */
  const MlPolicyFacts *facts; /* ml_seal_message(): who it goes to, where its header does not say so; NULL: it does */
} MlSealOptions;

typedef struct {
  char *from;            /* envelope sender */
  GPtrArray *recipients; /* of char *: envelope recipients */
  GBytes *bytes;         /* CRLF, no Bcc */
} MlOutgoing;
void ml_outgoing_free(MlOutgoing *outgoing);

typedef struct {
  char *message_id, *subject; /* subject as may lie on a disk in clear: "[...]" of an encrypted one */
  GPtrArray *outgoing;        /* of MlOutgoing: one for To and Cc together, one for each Bcc when encrypted */
  GBytes *copy; /* for the Sent folder; encrypted to self if it was encrypted; carries Bcc inside */
  MlSource *source; /* what it answers or forwards; NULL: nothing */
} MlSealed;
void ml_sealed_free(MlSealed *sealed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlSealed, ml_sealed_free)

/* Errors are sentences with the rule that failed and a next step; the draft is untouched. */
MlSealed *ml_seal(MlDraft *draft, const MlSealOptions *options, CryptoPinSource *pin,
                  GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a message that exists (signet sign, signet encrypt): @policy says whether to sign and encrypt, how, and
 * what to hide; nothing else of it is read. Its body is made canonical, and 7-bit safe where it is signed; Bcc goes;
 * trace fields (Received, ...) stay outside. What is signed already is encrypted as it is. @rows of options: every
 * recipient; without a self row nobody here can read it. *notes (may be NULL): array of char *, sentences worth
 * knowing, transfer full. */
GBytes *
ml_seal_message(GBytes *message, const MlDraft *policy, const MlSealOptions *options, CryptoPinSource *pin,
                GCancellable *cancellable, GPtrArray **notes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What it has around it already: S/MIME by what it holds, not by what it says. What is encrypted counts as signed:
 * nobody can look. FALSE: no message. */
gboolean ml_seal_layers(GBytes *message, gboolean *is_signed, gboolean *encrypted);
/* Those of @mailboxes (of MlMailbox; NULL: nobody) for the facts of policy. g_free() it; the addresses are borrowed. */
const char **ml_seal_addresses(GPtrArray *mailboxes);
/* May it be handed on as it is? Errors as ml_policy_allows(). */
gboolean ml_seal_may_leave(GBytes *message, const MlPolicy *rules, const MlPolicyFacts *facts,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Of such a message: the one author's address (NULL: not exactly one), and, unless NULL, who is in To and Cc (array of
 * MlMailbox); transfer full. */
gboolean
ml_seal_people(GBytes *message, char **from, GPtrArray **mailboxes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
