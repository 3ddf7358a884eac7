#ifndef CRYPTO_CERT_PRIVATE_H
#define CRYPTO_CERT_PRIVATE_H

/* For crypto/ alone: the certificate's NSS side. */
#include <cert.h>
#include <certdb.h>
#include <keyhi.h>
#include <pk11pub.h>
#include <secitem.h>

#include "crypto/cert.h"
#include "crypto/pin.h"

struct CryptoCert {
  gatomicrefcount references;
  CERTCertificate *nss; /* a reference of ours; holding it keeps NSS from decoding it again */
  GBytes *der;
  char *subject, *issuer, *common_name, *issuer_name, *serial, *sha256, *key_name, *signature_name;
  char **addresses;
  gint64 not_before, not_after;
};

CryptoCert *crypto_cert_wrap(CERTCertificate *nss); /* takes a reference of its own */

/* Certificates read lately; any thread. (crypto/cert-known.c) */
CryptoCert *crypto_cert_known(const guint8 *der, gsize length); /* transfer full; NULL: not among them */
void crypto_cert_keep(CryptoCert *cert);
void crypto_cert_forget(void);

/* Our own certificate that a recipient or signer identifier names: issuer and serial, or subject key
 * identifier; from a cached list of every certificate that has a private key, so that no token is touched and
 * nobody is asked. One on a card that was seen once and is away is found too: opening it says which card to insert.
 * Transfer full; NULL: none of ours. (crypto/keys.c) */
CryptoCert *crypto_keys_find(const SECItem *issuer, const SECItem *serial, const SECItem *key_id);

/* Its private key, logging in by @pin where the token asks. Errors: LOCKED (@pin is NULL and it is needed),
 * PIN, CANCELLED, NO_KEY. Free with SECKEY_DestroyPrivateKey(). */
SECKEYPrivateKey *crypto_keys_open(CryptoCert *cert, CryptoPinSource *pin, GError **error);
char *crypto_keys_token(CryptoCert *cert); /* which token holds it, transfer full; NULL: database or memory */
GPtrArray *crypto_keys_slot_certs(PK11SlotInfo *slot); /* all that a token shows now; of CryptoCert */
gboolean crypto_keys_shows_public(PK11SlotInfo *slot, CryptoCert *cert); /* it has the public key, before a login too */
/* Those of the database with a key there, of CryptoCert; NULL: it shows no key before it has its password.
 * (crypto/keys-database.c) */
GPtrArray *crypto_keys_database(PK11SlotInfo *slot);
guint crypto_keys_count(PK11SlotInfo *slot, guint *retired); /* certificates with a key there, and how many are retired */
/* The DER (GBytes) of every certificate with a key of ours -> whether that lies only where a card keeps keys that were
 * replaced. Transfer full. */
GHashTable *crypto_keys_own(void);
GPtrArray *crypto_keys_list(void); /* every certificate with a key of ours; of CryptoCert, transfer full */
void crypto_keys_forget(void); /* the cached list is stale: something was imported, a token came or went */

/* A key of this run only: it lives in memory, on no token. Takes @key. (crypto/keys.c) */
void crypto_keys_add_session(CryptoCert *cert, SECKEYPrivateKey *key);
void crypto_keys_close(void); /* drops the cached list and every session key, at crypto_close() */

/* Calls @func with the label and the base64 text of every PEM block; FALSE: there is none. (crypto/cert.c) */
typedef void (*CryptoPemFunc)(const char *label, gsize label_length, const char *body, gsize length,
                              gpointer user_data);
gboolean crypto_pem_each(const char *text, gsize length, CryptoPemFunc func, gpointer user_data);

/* What CryptoCert says of itself; all transfer full. (crypto/cert-fields.c) */
char *crypto_cert_hex(const guint8 *bytes, gsize length);
char *crypto_cert_name_text(CERTName *name);                  /* RFC 4514 */
char *crypto_cert_name_part(CERTName *name, SECOidTag type);  /* the most specific of that type; NULL: none */
char **crypto_cert_read_addresses(CERTCertificate *nss);
char *crypto_cert_read_key_name(CERTCertificate *nss);
char *crypto_cert_algorithm_name(const SECAlgorithmID *algorithm); /* of a signature: "ECDSA SHA-256" */
gboolean crypto_cert_name_is_weak(const char *name); /* of such a name: MD5, SHA-1 */

/* SHA-1 of the public key, the identifier that stands in for a missing extension (RFC 5280 4.2.1.2 (1)). */
gboolean crypto_cert_key_hash(CERTCertificate *nss, guint8 hash[20]);

/* The same octets as a certificate that NSS shares with nobody, and so has no trust. CERT_DestroyCertificate() it. */
CERTCertificate *crypto_cert_alone(GBytes *der);

/* Logs in to @slot if that is needed. Errors: LOCKED, PIN, CANCELLED. (crypto/pin.c) */
gboolean crypto_pin_login(PK11SlotInfo *slot, CryptoPinSource *pin, GError **error);
CK_FLAGS crypto_pin_flags(PK11SlotInfo *slot); /* of its token: how many tries are left; 0: it does not tell */
/* LOCKED: a keypad was given no PIN, which PKCS#11 tells in one word, whether by its red key or for too long. */
void crypto_pin_set_reader(GError **error, const char *token);
void crypto_pin_install(void);
void crypto_pin_forget(void);
void crypto_pin_removed(const void *slot); /* its card was pulled: an open question about it ends; any thread */

/* crypto/context.c: is there a database that certificates can be kept in? */
gboolean crypto_context_has_database(void);
void crypto_open_prepare(void); /* what no other thread may look on at */
void crypto_open_forget(void);  /* start.c, at crypto_close() */
gboolean crypto_context_is_read_only(void);
gboolean crypto_context_is_own_module(const void *module); /* loaded by crypto_open(), not by the database */
PK11SlotInfo *crypto_context_database(GError **error); /* PK11_FreeSlot() it */
GPtrArray *crypto_context_session_certs(void);   /* of CryptoCert; borrowed */

/* A name for @cert in the database that no other subject has. (crypto/certdb.c) */
char *crypto_certdb_nickname(CryptoCert *cert, const char *wanted);

/* Set @error from PORT_GetError(), after @what (a clause: "The signature cannot be made"). */
void crypto_error_set_nss(GError **error, int code, const char *what);

#endif
