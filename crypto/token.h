#ifndef CRYPTO_TOKEN_H
#define CRYPTO_TOKEN_H

#include "crypto/pin.h"

/* PKCS#11 tokens and the modules that reach them. Keys thread. */
typedef struct {
  char *token;    /* its label: untrusted text */
  char *slot;
  char *module;   /* the module's name in the database */
  char *manufacturer, *model, *serial;
  gboolean present, logged_in, needs_login, pinpad, count_low, final_try, locked, database;
  guint certificates; /* that have a key on it, as far as can be told without login */
} CryptoToken;
void crypto_token_free(CryptoToken *token);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoToken, crypto_token_free)

GPtrArray *crypto_token_list(GError **error) G_GNUC_WARN_UNUSED_RESULT; /* of CryptoToken */
gboolean crypto_token_login(const char *token, CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void crypto_token_logout_all(void);
/* Writes the module into the certificate database, where modutil and others find it too. */
gboolean crypto_token_add_module(const char *name, const char *library, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean crypto_token_remove_module(const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
