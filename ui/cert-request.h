#ifndef UI_CERT_REQUEST_H
#define UI_CERT_REQUEST_H

#include "crypto/issue.h"

/* A new key, and the paper (PKCS#10, PEM) that asks an authority to certify it. Keys thread, or a subcommand's. */
gboolean ui_cert_request_key(const char *kind, CryptoIssue *what); /* "rsa-3072", "p-256"...; FALSE: none of these */
gboolean ui_cert_request_is_address(const char *text);

/* @token NULL: the database. @out NULL or "-": stdout; else a file that is not there yet. Its place is taken before the
 * key is made: a request that cannot be written would leave a key nobody asked for. */
gboolean ui_cert_request_make(const CryptoIssue *what, const char *token, const char *out, CryptoPinSource *pin,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
