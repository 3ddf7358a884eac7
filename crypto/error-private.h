#ifndef CRYPTO_ERROR_PRIVATE_H
#define CRYPTO_ERROR_PRIVATE_H

#include "crypto/error.h"

/* What numbers of NSS and NSPR mean to a person, and the code that tells the caller what to do about it. One sentence
 * stands once; it begins with "the server " where it speaks of one, so that a host's name can take that place. A
 * semicolon in it leads to the next step; where there is none, crypto_error_next_step() has one for the code. */
typedef struct {
  CryptoError code;
  const char *sentence;
  const int *numbers; /* ends with 0 */
} CryptoErrorRow;

extern const CryptoErrorRow crypto_error_rows[];    /* ends with one without a sentence (error-table.c) */
const CryptoErrorRow *crypto_error_row(int number); /* NULL: none; NSS's own text serves */

#endif
