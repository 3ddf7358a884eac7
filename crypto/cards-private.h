#ifndef CRYPTO_CARDS_PRIVATE_H
#define CRYPTO_CARDS_PRIVATE_H

/* Cards that are not in the reader, for crypto/ alone.
 *
 * How an absent card is known to hold a key: when it was in the reader, its certificate was listed as one whose key
 * lies on it (crypto/keys.c), and the pair of its token's name and that certificate was kept. Nothing else makes a
 * certificate ours: not one that came by mail, not one that the database holds without a key. The list is a file of
 * the user's (CryptoOptions.cards), of public things only. */
#include "crypto/cert-private.h"

typedef struct {
  CryptoCert *cert;
  char *token; /* as the card gave it: untrusted text */
  gboolean retired; /* in a place for keys that were replaced */
} CryptoCard;
void crypto_card_free(CryptoCard *card);

enum { CRYPTO_CARDS_MAX = 64 };

/* Of CryptoCard; empty where there is no such file. Lines that cannot be read are left out. */
GPtrArray *crypto_cards_load(const char *file);
void crypto_cards_save(const char *file, GPtrArray *cards);

/* Puts the question "insert it" (CryptoPinQuestion.absent) to @pin until the card is there, or the person or
 * @pin's cancellable says no. A thread of its own looks at the readers meanwhile, so that a slow one delays nobody.
 * Errors: LOCKED (nobody may be asked), CANCELLED. */
gboolean crypto_cards_await(CryptoCert *cert, CryptoPinSource *pin, GError **error);
/* crypto_keys_open(), which waits for the card where that is away and somebody may be asked. */
SECKEYPrivateKey *crypto_cards_open(CryptoCert *cert, CryptoPinSource *pin, GError **error);
void crypto_cards_close(void); /* waits for the threads that look, at crypto_close() */

char *crypto_keys_absent(CryptoCert *cert); /* the token of a card that is not here; NULL: not so. (crypto/keys.c) */
GPtrArray *crypto_keys_absent_cards(void); /* of CryptoCard: all that are not here. Transfer full */
void crypto_keys_remember(const char *file); /* cards of earlier runs; once, at crypto_open() */

#endif
