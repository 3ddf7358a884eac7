#ifndef ML_SEAL_PRIVATE_H
#define ML_SEAL_PRIVATE_H

/* For mail/ alone: the layers of a message that leaves. */
#include "crypto/spool.h"
#include "mail/seal.h"

/* One message to be sealed: a draft's, or one that was there already. */
typedef struct {
  const MlDraft *policy; /* the switches, the form, what is hidden */
  const char *from;      /* the address */
  const MlSealOptions *options;
  CryptoPinSource *pin;
  GCancellable *cancellable;
  gboolean unread; /* nobody here can decrypt it: read back as far as that goes */
} MlSealing;

/* seal-layers.c. An entity as octets one after the other (array of GBytes): MIME header, empty line, body. */
GPtrArray *ml_seal_parts(GBytes *only);
gboolean ml_seal_add(CryptoSpool *spool, GBytes *bytes, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* multipart/signed or a signed-data around @payload. */
GPtrArray *ml_seal_sign(const MlSealing *sealing, GBytes *payload, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The message: @outer fields, then an encrypted entity around @inside for every READY row of @rows. */
GBytes *ml_seal_encrypt(const MlSealing *sealing, GPtrArray *outer, GPtrArray *inside, GPtrArray *rows,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The ciphertext alone, in base64: what stands behind such an entity's header. */
gboolean ml_seal_ciphertext(CryptoSpool *spool, GPtrArray *inside, GPtrArray *rows, CryptoCipher cipher,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The message: @outer fields, then @parts as they are. */
GBytes *ml_seal_join(GPtrArray *outer, GPtrArray *parts, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* seal-policy.c. What [policy] makes of the digest, and of @cipher. */
const char *ml_seal_digest(const MlSealing *sealing, GError **error); /* static or borrowed; NULL: error */
gboolean
ml_seal_cipher(const MlSealing *sealing, CryptoCipher *cipher, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* May it leave, with the layers that it has or gets? Keys and the archive are looked at too. */
gboolean ml_seal_allowed(const MlSealing *sealing, const MlPolicyFacts *facts, gboolean sign, gboolean encrypt,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
typedef struct MlEntity MlEntity;
gboolean ml_seal_allowed_header(const MlSealing *sealing, GBytes *message, const MlEntity *root,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_seal_layers_of(const MlEntity *root, gboolean *is_signed, gboolean *encrypted);

/* seal-check.c. Read as any recipient would, by our own reader: is it what was meant? @inside: what was encrypted, or
 * NULL. */
gboolean ml_seal_check(const MlSealing *sealing, GBytes *message, GPtrArray *inside,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* May this certificate sign for this address now? */
gboolean ml_seal_check_signer(const MlSealing *sealing, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
