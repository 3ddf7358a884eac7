#ifndef CRYPTO_KEYUSE_H
#define CRYPTO_KEYUSE_H

#include <glib.h>

/* Every use of a private key of ours passes here, before it and after it, so that somebody above can keep a journal of
 * them, or forbid one that cannot be written down. Looking at what keys there are, and a login alone, are no uses. */
typedef enum {
  CRYPTO_KEY_SIGN,    /* a message */
  CRYPTO_KEY_DECRYPT, /* its content key was unwrapped */
  CRYPTO_KEY_LOGIN,   /* TLS client authentication */
  CRYPTO_KEY_REQUEST, /* a new key, and a request signed with it */
  CRYPTO_KEY_ISSUE,   /* a certificate, or a revocation list */
  CRYPTO_KEY_IMPORT,  /* into the database */
  CRYPTO_KEY_EXPORT,  /* as PKCS#12 */
  CRYPTO_KEY_DELETE,
} CryptoKeyAct;
const char *crypto_keyuse_word(CryptoKeyAct act); /* "sign", "decrypt", ...; static */

typedef struct {
  CryptoKeyAct act;
  const char *certificate; /* its SHA-256; NULL: there is none yet */
  const char *key;         /* SHA-256 of its SubjectPublicKeyInfo; NULL: not known yet */
  const char *name;        /* of the certificate; untrusted text; NULL */
  const char *token;       /* "database", a token's name (untrusted), or "this run" */
  const char *about;       /* Message-ID, host and port: untrusted; NULL */
  guint64 number;          /* of this use in this process */
} CryptoKeyUse;

/* Called on the thread that uses the key; several may at once. @begin: FALSE with an error (CRYPTO_ERROR_JOURNAL): the key
 * is left alone. @end: @failed is NULL where it was done; FALSE with an error: what came of it is thrown away. */
typedef struct {
  gboolean (*begin)(const CryptoKeyUse *use, gpointer user_data, GError **error);
  gboolean (*end)(const CryptoKeyUse *use, const GError *failed, gpointer user_data, GError **error);
} CryptoKeyWatch;
void crypto_keyuse_watch(const CryptoKeyWatch *watch, gpointer user_data); /* while no job runs; NULL: nobody */

/* What this thread is at, for `about`: from a push to its pop. NULL is fine. */
void crypto_keyuse_push(const char *about);
void crypto_keyuse_pop(void);

#endif
