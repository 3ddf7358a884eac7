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
CK_FUNCTION_LIST *crypto_token_functions(PK11SlotInfo *slot); /* of its module: NSS keeps the sessions */

#endif
