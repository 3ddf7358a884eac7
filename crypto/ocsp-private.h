#ifndef CRYPTO_OCSP_PRIVATE_H
#define CRYPTO_OCSP_PRIVATE_H

/* For crypto/, its tests and its fuzzing: OCSP (RFC 6960). */
#include "crypto/ber.h"
#include "crypto/chain-private.h"
#include "crypto/revocation.h"

enum { CRYPTO_OCSP_NONCE = 16, CRYPTO_OCSP_BYTES_MAX = 64 * 1024, CRYPTO_OCSP_SINGLES = 64, CRYPTO_OCSP_CERTS = 8 };

typedef struct {
  CryptoBerItem hash_algorithm, name_hash, key_hash, serial;
  CryptoRevocation status;
  gint64 revoked_at, this_update, next_update; /* next_update 0: none is promised */
} CryptoOcspSingle;

/* A basic response, cut up; every item points into the bytes that were read. */
typedef struct {
  int status; /* OCSPResponseStatus; only 0 has the rest */
  CryptoBerItem tbs, algorithm, signature;
  CryptoBerItem by_name, by_key; /* of one of them start is NULL */
  gint64 produced;
  CryptoBerItem nonce; /* start NULL: none */
  CryptoOcspSingle singles[CRYPTO_OCSP_SINGLES];
  guint n_singles;
  CryptoBerItem certs[CRYPTO_OCSP_CERTS];
  guint n_certs;
} CryptoOcspResponse;

/* FALSE: malformed, or beyond a limit. Pure. (crypto/ocsp-read.c) */
gboolean crypto_ocsp_read(const guint8 *data, gsize length, CryptoOcspResponse *response);

/* (crypto/ocsp.c) A question about @cert; transfer full. NULL: it cannot be put. */
GBytes *crypto_ocsp_request(CryptoCert *cert, CryptoCert *issuer, const guint8 nonce[CRYPTO_OCSP_NONCE]);
/* Takes an answer in and keeps it until its nextUpdate; takes the chain lock. FALSE: it does not count, @error says
 * why. @nonce: what was sent; NULL: the answer is an old one, out of the cache. */
gboolean crypto_ocsp_take(GBytes *answer, CryptoCert *cert, CryptoCert *issuer, const guint8 *nonce, gint64 at,
                          GError **error);
CryptoRevocation crypto_ocsp_status(CryptoCert *cert, CryptoCert *issuer, gint64 at, gint64 *revoked_at); /* locked */
gboolean crypto_ocsp_any(void); /* is there an answer at all? */
void crypto_ocsp_look_again(void); /* the cache may know more than is remembered of it; locked */
void crypto_ocsp_close(void);

/* (crypto/revocation.c) */
char *crypto_revocation_cache_file(const char *key, const char *kind); /* NULL: there is no cache */
GPtrArray *crypto_revocation_urls(CryptoCert *cert, CryptoAskKind kind); /* of char *; http and https only */

#endif
