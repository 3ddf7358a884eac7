#ifndef CRYPTO_TOKEN_PRIVATE_H
#define CRYPTO_TOKEN_PRIVATE_H

/* For crypto/token*.c alone. */
#include <pk11pub.h>
#include <pkcs11.h>
#include <secmodt.h>

#include "crypto/token.h"

PK11SlotInfo *crypto_token_slot(const char *token, GError **error); /* a reference; NULL with NO_KEY */
GPtrArray *crypto_token_slots(void); /* of PK11SlotInfo, references: each that is worth showing, empty readers too */
char *crypto_token_field(const CK_UTF8CHAR *text, gsize size); /* PKCS#11's padded text; transfer full */
/* A card is in its reader, and its module cannot reach it. Talks to the card. (crypto/token-holder.c) */
gboolean crypto_token_is_mute(PK11SlotInfo *slot);
void crypto_token_set_mute(PK11SlotInfo *slot, GError **error); /* LOCKED, and what lets the card go */
/* After NSS's @code for something that a key on @slot was to do: the same where the card does not answer. */
void crypto_token_set_failed(PK11SlotInfo *slot, int code, const char *what, GError **error);
CK_FUNCTION_LIST *crypto_token_functions(PK11SlotInfo *slot); /* of its module: NSS keeps the sessions */

#endif
