#ifndef UI_CHAIN_H
#define UI_CHAIN_H

#include "crypto/chain.h"

/* A chain as a tree, the authority at the top, each certificate with the rules that it breaks in words and what mends
 * them: for `verify --explain` and the reader's V. Array of char *, not yet through the gate. */
GPtrArray *ui_chain_lines(const CryptoChain *chain);

#endif
