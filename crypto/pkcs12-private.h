#ifndef CRYPTO_PKCS12_PRIVATE_H
#define CRYPTO_PKCS12_PRIVATE_H

#include "crypto/ber.h"
#include "crypto/cert-private.h"

/* A PKCS#12 file (RFC 7292) taken apart in memory. It is read here and not by NSS, whose import always writes
 * into a database, gives one error for everything, and puts what belongs to the chain into the user's. */
typedef struct {
  GBytes *pkcs8;        /* PrivateKeyInfo, DER; wiped when freed */
  GBytes *public_value; /* RSA modulus or EC point; NULL: not told */
  GBytes *local_id;     /* ties it to its certificate; NULL: not given */
  char *name;           /* friendlyName; NULL: none */
} CryptoPkcs12Key;

typedef struct {
  CryptoCert *cert;
  GBytes *local_id;
  char *name;
  CryptoPkcs12Key *key; /* of the same file; NULL: a certificate of the chain */
} CryptoPkcs12Cert;

typedef struct {
  GPtrArray *keys;  /* of CryptoPkcs12Key */
  GPtrArray *certs; /* of CryptoPkcs12Cert, those with a key first */
  char *left_out;   /* a kind of key that we cannot use, for a person; NULL: none */
} CryptoPkcs12;

/* Errors: PIN (the password is wrong), MALFORMED, UNSUPPORTED, REFUSED. */
CryptoPkcs12 *crypto_pkcs12_read(GBytes *file, const char *password, GError **error);
void crypto_pkcs12_free(CryptoPkcs12 *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoPkcs12, crypto_pkcs12_free)

gboolean crypto_pkcs12_fail_empty(CryptoPkcs12 *file, GError **error); /* says why no key could be used; FALSE */

/* Puts @key into @slot; kept there if @permanent. NULL: see @error. */
SECKEYPrivateKey *crypto_pkcs12_import_key(CryptoPkcs12Key *key, CryptoCert *cert, PK11SlotInfo *slot,
                                           gboolean permanent, const char *nickname, CryptoPinSource *pin,
                                           GError **error);

/* The password in the forms that have been used for it. PKCS#12's own derivation takes UTF-16BE with its
 * terminator; PBES2 takes UTF-8 (older NSS: UTF-16BE there too); OpenSSL before 1.1 widened each octet. */
typedef struct {
  GBytes *utf16, *widened, *utf8, *nothing;
  GBytes *wide;       /* borrowed: the one of utf16, widened and nothing that the MAC agreed with */
  guint64 iterations; /* spent so far: the whole file shares one allowance */
  gboolean checked;   /* the MAC was right: what fails now is damage, not a wrong password */
} CryptoPkcs12Password;

void crypto_pkcs12_password_init(CryptoPkcs12Password *password, const char *text);
void crypto_pkcs12_password_clear(CryptoPkcs12Password *password);
gboolean crypto_pkcs12_password_check(CryptoPkcs12Password *password, const CryptoBerItem *mac_data, GBytes *content,
                                      GError **error);
/* What @algorithm (an AlgorithmIdentifier of PBES1 or PBES2) made of one SEQUENCE; wiped when freed. */
GBytes *crypto_pkcs12_password_decrypt(CryptoPkcs12Password *password, const CryptoBerItem *algorithm, GBytes *data,
                                       GError **error);
GBytes *crypto_pkcs12_password_encrypt(CryptoPkcs12Password *password, const GByteArray *plain, int iterations,
                                       GByteArray *out); /* writes the algorithm to @out; NULL: NSS failed */
gboolean crypto_pkcs12_password_put_mac(CryptoPkcs12Password *password, GBytes *content, int iterations,
                                        GByteArray *out); /* writes MacData */
GBytes *crypto_pkcs12_secret(guint8 *data, gsize length); /* takes @data (g_malloc); wiped when freed */
gboolean crypto_pkcs12_fail_malformed(GError **error);

#endif
