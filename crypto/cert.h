#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include <gio/gio.h>

#include "crypto/error.h"

/* One certificate (RFC 5280), parsed. Immutable and counted: any thread may hold one and read it; strings live
 * as long as it does. Every string came from the certificate's maker: valid UTF-8, not yet harmless on a
 * terminal. All must be released before crypto_close(). */
typedef struct CryptoCert CryptoCert;

CryptoCert *crypto_cert_new(const guint8 *der, gsize length, GError **error) G_GNUC_WARN_UNUSED_RESULT;
CryptoCert *crypto_cert_ref(CryptoCert *cert);
void crypto_cert_unref(CryptoCert *cert); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CryptoCert, crypto_cert_unref)

/* All certificates of a PEM, DER or PKCS#7 file, at most 1,000; array of CryptoCert with its free function. */
GPtrArray *crypto_certs_parse(GBytes *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;

GBytes *crypto_cert_der(CryptoCert *cert);           /* borrowed */
const char *crypto_cert_subject(CryptoCert *cert);   /* RFC 4514 */
const char *crypto_cert_issuer(CryptoCert *cert);    /* RFC 4514 */
const char *crypto_cert_common_name(CryptoCert *cert); /* CN, else O, else the first address, else subject */
const char *crypto_cert_issuer_name(CryptoCert *cert); /* the issuer's CN or O, for a line of text */
const char *crypto_cert_serial(CryptoCert *cert);    /* lower-case hex, no colons */
const char *crypto_cert_sha256(CryptoCert *cert);    /* lower-case hex, no colons: our name for a certificate */
gint64 crypto_cert_not_before(CryptoCert *cert);     /* Unix seconds */
gint64 crypto_cert_not_after(CryptoCert *cert);

/* Every mail address in it: rfc822Name and SmtpUTF8Mailbox (RFC 8398); only where there is none, emailAddress of the
 * subject. ASCII letters folded to lower case; NULL-terminated, never NULL; an embedded NUL drops the address. */
const char *const *crypto_cert_addresses(CryptoCert *cert);

const char *crypto_cert_key_name(CryptoCert *cert);  /* "RSA 2048", "EC P-256", "RSA-PSS 3072", "Ed25519" */
const char *crypto_cert_signature_name(CryptoCert *cert); /* what its issuer signed it with: "RSA SHA-256" */
gboolean crypto_cert_self_signed(CryptoCert *cert);  /* issuer and subject are the same name */
gboolean crypto_cert_is_authority(CryptoCert *cert); /* basicConstraints CA */
gboolean crypto_cert_can_sign(CryptoCert *cert);     /* key usage and EKU allow mail signatures */
gboolean crypto_cert_can_encrypt(CryptoCert *cert);  /* key usage and EKU allow receiving encrypted mail */

#endif
