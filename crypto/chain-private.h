#ifndef CRYPTO_CHAIN_PRIVATE_H
#define CRYPTO_CHAIN_PRIVATE_H

/* For crypto/ alone. NSS's chain code is not safe in several threads at once (its own mail client serialises it
 * too): whoever verifies a certificate holds this lock, and calls nobody of ours above while he does. */
void crypto_chain_lock(void);
void crypto_chain_unlock(void);

#endif
