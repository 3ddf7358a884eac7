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
  gboolean mute;  /* not present to us, but a card is in the reader that does not answer: see crypto_token_mute_words() */
  guint certificates; /* that have a key on it, as far as can be told without login */
  guint retired;      /* of them, in a place for keys that were replaced: for reading old mail */
} CryptoToken;
void crypto_token_free(CryptoToken *token);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoToken, crypto_token_free)

CryptoToken *crypto_token_copy(const CryptoToken *token);

GPtrArray *crypto_token_list(GError **error) G_GNUC_WARN_UNUSED_RESULT; /* of CryptoToken */
CryptoToken *crypto_token_find(const char *token, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* NO_KEY: not here */
gboolean crypto_token_login(const char *token, CryptoPinSource *pin, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Of char *: the private keys on an open token that have no certificate there, in words: untrusted text. A token that is
 * not logged in to may show none. */
GPtrArray *crypto_token_bare_keys(const char *token, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void crypto_token_logout_all(void);
gboolean crypto_token_logout(const char *token, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* of this one alone */
/* "gpg's scdaemon (process 4711)", which may hold a card so that it looks as if it were not there; NULL: it does not run.
 * Any thread, transfer full. (crypto/token-holder.c) */
char *crypto_token_holder(void);
char *crypto_token_holder_hint(void); /* for behind "insert the card.": a sentence with the next step, or "" */
/* Of a card that does not answer: who may hold it and what lets it go, a clause for behind a colon. Any thread. */
char *crypto_token_mute_words(void);
/* A new PIN, or for "database" a new password: there @old is "" while it has none, and @new "" takes it away. Both NULL
 * for a reader with a keypad of its own. A wrong @old costs one try. Errors: PIN, LOCKED, NO_KEY, REFUSED (a length that
 * the token does not take: no try is spent). (crypto/token-pin.c) */
gboolean crypto_token_change_pin(const char *token, const char *old, const char *new,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for one that is locked, by its SO PIN or PUK. */
gboolean crypto_token_unblock(const char *token, const char *so_pin, const char *new,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Tells when a card comes or goes, on a thread of its own, until crypto_token_unwatch(), which waits for it: before
 * crypto_close(). A card that has gone is logged out of, and a question about its PIN ends. (crypto/token-watch.c) */
typedef enum {
  CRYPTO_CARD_HERE,
  CRYPTO_CARD_PULLED,
  CRYPTO_CARD_MUTE, /* it is in its reader, and its module cannot reach it any more: crypto_token_mute_words() */
} CryptoCardNews;
typedef void (*CryptoTokenEvent)(const char *token, CryptoCardNews news, gpointer user_data);
void crypto_token_watch(CryptoTokenEvent func, gpointer user_data);
void crypto_token_unwatch(void);
/* Writes the module into the certificate database, where modutil and others find it too. */
gboolean crypto_token_add_module(const char *name, const char *library, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean crypto_token_remove_module(const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
