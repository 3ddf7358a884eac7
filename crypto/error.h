#ifndef CRYPTO_ERROR_H
#define CRYPTO_ERROR_H

#include <glib.h>

/* Codes say what the caller can do about it, not where it happened. The message is a sentence for a person,
 * UTF-8, with what to do next where that is known. Words of a card, a certificate or a server are quoted in it
 * as they came: they are made harmless when drawn. */
typedef enum {
  CRYPTO_ERROR_FAILED,      /* show it; nothing better to do */
  CRYPTO_ERROR_CANCELLED,   /* the user asked; show nothing */
  CRYPTO_ERROR_LOCKED,      /* a PIN or password is needed and the job may not ask, or the token is locked */
  CRYPTO_ERROR_PIN,         /* the PIN or password that was given is wrong */
  CRYPTO_ERROR_NO_KEY,      /* no private key of ours fits */
  CRYPTO_ERROR_MALFORMED,   /* the bytes break the format's rules, or a decryption failed */
  CRYPTO_ERROR_UNSUPPORTED, /* well formed, but of a kind that we cannot do; the message names it */
  CRYPTO_ERROR_REFUSED,     /* we could, but it is too weak to be done */
  CRYPTO_ERROR_BUSY,        /* another process holds the database; try again */
  CRYPTO_ERROR_DATABASE,    /* the certificate database cannot be used */
  CRYPTO_ERROR_UNTRUSTED,   /* TLS: the server's certificate does not prove the host */
  CRYPTO_ERROR_OFFLINE,     /* TLS: the connection broke or timed out */
  CRYPTO_ERROR_JOURNAL,     /* policy wants each use of a key written down, and it cannot be (crypto/keyuse.h) */
} CryptoError;

#define CRYPTO_ERROR crypto_error_quark()
GQuark crypto_error_quark(void);

#endif
