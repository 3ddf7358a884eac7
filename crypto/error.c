#include "crypto/error.h"

#include <nss.h>
#include <prerror.h>
#include <secerr.h>
#include <secport.h>
#include <sslerr.h>
#include <string.h>

#include "crypto/cert-private.h"
#include "crypto/context.h"

G_DEFINE_QUARK(signet_crypto_error_quark, crypto_error)

/* What a number of NSS or NSPR means to a person, and the code that tells the caller what to do about it. */
typedef struct {
  int nss;
  CryptoError code;
  const char *sentence;
} ErrorRow;

static const ErrorRow rows[] = {
  { SEC_ERROR_BAD_PASSWORD, CRYPTO_ERROR_PIN, "the PIN or password is wrong" },
  { SEC_ERROR_INVALID_PASSWORD, CRYPTO_ERROR_PIN,
    "the PIN or password has a form that the token does not take" },
  { SEC_ERROR_RETRY_PASSWORD, CRYPTO_ERROR_PIN, "the PIN or password is wrong" },
  { SEC_ERROR_RETRY_OLD_PASSWORD, CRYPTO_ERROR_PIN, "the old PIN or password is wrong" },
  { SEC_ERROR_TOKEN_NOT_LOGGED_IN, CRYPTO_ERROR_LOCKED,
    "the token is locked; log in to it first (signet token login)" },
  { SEC_ERROR_NEED_RANDOM, CRYPTO_ERROR_FAILED, "the system gives no random numbers" },
  { SEC_ERROR_NO_TOKEN, CRYPTO_ERROR_NO_KEY,
    "the token is not there; insert the card or connect the reader" },
  { SEC_ERROR_NO_SLOT_SELECTED, CRYPTO_ERROR_NO_KEY,
    "no token can do this; insert the card or connect the reader" },
  { SEC_ERROR_NO_MODULE, CRYPTO_ERROR_FAILED,
    "the token's PKCS#11 module is not loaded (signet token list)" },
  { SEC_ERROR_NO_KEY, CRYPTO_ERROR_NO_KEY, "the private key is not here" },
  { SEC_ERROR_KEYGEN_FAIL, CRYPTO_ERROR_FAILED, "the token could not make a key of this kind" },
  { SEC_ERROR_PKCS11_GENERAL_ERROR, CRYPTO_ERROR_FAILED,
    "the token or the certificate database reported a general error; try again, or take the card out and put "
    "it back" },
  { SEC_ERROR_PKCS11_FUNCTION_FAILED, CRYPTO_ERROR_FAILED,
    "the token could not do it; try again, or take the card out and put it back" },
  { SEC_ERROR_PKCS11_DEVICE_ERROR, CRYPTO_ERROR_FAILED,
    "the card or its reader failed; take the card out, put it back and try again" },
  { SEC_ERROR_BAD_INFO_ACCESS_METHOD, CRYPTO_ERROR_UNSUPPORTED,
    "the certificate names an unknown way to reach its issuer" },
  { SEC_ERROR_INVALID_KEY, CRYPTO_ERROR_UNSUPPORTED, "the key cannot be used for this" },
  { SEC_ERROR_BAD_KEY, CRYPTO_ERROR_MALFORMED, "the public key is malformed" },
  { SEC_ERROR_UNSUPPORTED_KEYALG, CRYPTO_ERROR_UNSUPPORTED, "the key is of a kind that is not supported" },
  { SEC_ERROR_UNSUPPORTED_ELLIPTIC_CURVE, CRYPTO_ERROR_UNSUPPORTED,
    "the key's elliptic curve is not supported" },
  { SEC_ERROR_UNSUPPORTED_EC_POINT_FORM, CRYPTO_ERROR_UNSUPPORTED,
    "the key's elliptic curve point has a form that is not supported" },
  { SEC_ERROR_UNRECOGNIZED_OID, CRYPTO_ERROR_UNSUPPORTED, "an algorithm in it is not known here" },
  { SEC_ERROR_INVALID_ALGORITHM, CRYPTO_ERROR_UNSUPPORTED, "the algorithm is not supported for this" },
  { SEC_ERROR_UNSUPPORTED_MESSAGE_TYPE, CRYPTO_ERROR_UNSUPPORTED, "it is of a kind that is not supported" },
  { SEC_ERROR_CERT_SIGNATURE_ALGORITHM_DISABLED, CRYPTO_ERROR_REFUSED,
    "the certificate is signed with an algorithm that is no longer safe; its owner needs a new one" },
  { SEC_ERROR_SIGNATURE_ALGORITHM_DISABLED, CRYPTO_ERROR_REFUSED,
    "the signature's algorithm is no longer safe" },
  { SEC_ERROR_BAD_EXPORT_ALGORITHM, CRYPTO_ERROR_REFUSED, "the policy of this system forbids the algorithm" },
  { SEC_ERROR_BAD_SIGNATURE, CRYPTO_ERROR_MALFORMED, "the signature does not verify" },
  { SEC_ERROR_BAD_DER, CRYPTO_ERROR_MALFORMED, "its encoding is broken" },
  { SEC_ERROR_BAD_DATA, CRYPTO_ERROR_MALFORMED, "the data is damaged" },
  { SEC_ERROR_INPUT_LEN, CRYPTO_ERROR_MALFORMED, "the data has a wrong length" },
  { SEC_ERROR_OUTPUT_LEN, CRYPTO_ERROR_MALFORMED, "the data has a wrong length" },
  { SEC_ERROR_INVALID_TIME, CRYPTO_ERROR_MALFORMED, "it holds a time that does not exist" },
  { SEC_ERROR_EXTENSION_VALUE_INVALID, CRYPTO_ERROR_MALFORMED,
    "one of the certificate's extensions is malformed" },
  { SEC_ERROR_DECRYPTION_DISALLOWED, CRYPTO_ERROR_REFUSED, "this system's policy forbids decrypting it" },
  { SEC_ERROR_INVALID_ARGS, CRYPTO_ERROR_FAILED, "NSS refused the request as invalid" },
  { SEC_ERROR_LIBRARY_FAILURE, CRYPTO_ERROR_FAILED, "NSS failed inside" },
  { SEC_ERROR_NO_MEMORY, CRYPTO_ERROR_FAILED, "memory ran out" },
  { PR_OUT_OF_MEMORY_ERROR, CRYPTO_ERROR_FAILED, "memory ran out" },
  { SEC_ERROR_READ_ONLY, CRYPTO_ERROR_DATABASE, "the certificate database, or the token, is read-only" },
  { SEC_ERROR_BAD_DATABASE, CRYPTO_ERROR_DATABASE,
    "the certificate database cannot be read; restore it from a copy" },
  { SEC_ERROR_LEGACY_DATABASE, CRYPTO_ERROR_DATABASE,
    "the certificate database has the old DBM format; convert it with certutil --upgrade-merge" },
  { SEC_ERROR_INCOMPATIBLE_PKCS11, CRYPTO_ERROR_FAILED, "the PKCS#11 module does not work with NSS" },
  { SEC_ERROR_ADDING_CERT, CRYPTO_ERROR_FAILED, "the certificate could not be stored" },
  { SEC_ERROR_FILING_KEY, CRYPTO_ERROR_FAILED, "the key could not be stored" },
  { SEC_ERROR_DUPLICATE_CERT, CRYPTO_ERROR_FAILED, "the certificate is there already" },
  { SEC_ERROR_DUPLICATE_CERT_NAME, CRYPTO_ERROR_FAILED,
    "another certificate has that name in the database; choose another name" },
  { SEC_ERROR_CERT_NICKNAME_COLLISION, CRYPTO_ERROR_FAILED,
    "another certificate has that name in the database; choose another name" },
  { SEC_ERROR_PKCS12_CERT_COLLISION, CRYPTO_ERROR_FAILED,
    "another certificate has that name in the database; choose another name" },
  { SEC_ERROR_REUSED_ISSUER_AND_SERIAL, CRYPTO_ERROR_FAILED,
    "another certificate here has the same issuer and serial number; one of them is not genuine" },
  { SEC_ERROR_BUSY, CRYPTO_ERROR_BUSY, "something is still in use" },
  { SEC_ERROR_UNKNOWN_ISSUER, CRYPTO_ERROR_UNTRUSTED, "its issuer's certificate is not here" },
  { SEC_ERROR_UNTRUSTED_ISSUER, CRYPTO_ERROR_UNTRUSTED, "its issuer is not trusted" },
  { SEC_ERROR_UNTRUSTED_CERT, CRYPTO_ERROR_UNTRUSTED, "the certificate is marked as never to be trusted" },
  { SEC_ERROR_CA_CERT_INVALID, CRYPTO_ERROR_UNTRUSTED,
    "its issuer's certificate is no authority for this use" },
  { SEC_ERROR_EXPIRED_CERTIFICATE, CRYPTO_ERROR_UNTRUSTED,
    "the certificate has expired; check the clock, else a new one is needed" },
  { SEC_ERROR_EXPIRED_ISSUER_CERTIFICATE, CRYPTO_ERROR_UNTRUSTED, "its issuer's certificate has expired" },
  { SEC_ERROR_CERT_NOT_VALID, CRYPTO_ERROR_UNTRUSTED, "the certificate is not valid" },
  { SEC_ERROR_CERT_USAGES_INVALID, CRYPTO_ERROR_UNTRUSTED, "the certificate is not made for this use" },
  { SEC_ERROR_INADEQUATE_KEY_USAGE, CRYPTO_ERROR_UNTRUSTED,
    "the certificate's key usage does not allow this" },
  { SEC_ERROR_INADEQUATE_CERT_TYPE, CRYPTO_ERROR_UNTRUSTED,
    "the certificate's extended key usage does not allow this" },
  { SEC_ERROR_CERT_NOT_IN_NAME_SPACE, CRYPTO_ERROR_UNTRUSTED,
    "its authority may not issue for this name (name constraints)" },
  { SEC_ERROR_PATH_LEN_CONSTRAINT_INVALID, CRYPTO_ERROR_UNTRUSTED,
    "its chain is longer than an authority in it allows" },
  { SEC_ERROR_UNKNOWN_CRITICAL_EXTENSION, CRYPTO_ERROR_UNTRUSTED,
    "the certificate has a critical extension that is not known here" },
  { SEC_ERROR_CERT_NO_RESPONSE, CRYPTO_ERROR_FAILED, "there is no such certificate" },
  { SEC_ERROR_UNKNOWN_CERT, CRYPTO_ERROR_FAILED, "the certificate is not here" },
  { SEC_ERROR_REVOKED_CERTIFICATE, CRYPTO_ERROR_UNTRUSTED, "the certificate was revoked by its issuer" },
  { SEC_ERROR_REVOKED_KEY, CRYPTO_ERROR_UNTRUSTED, "the key was revoked" },
  { SEC_ERROR_CRL_EXPIRED, CRYPTO_ERROR_UNTRUSTED, "the revocation list is out of date; fetch a new one" },
  { SEC_ERROR_CRL_NOT_YET_VALID, CRYPTO_ERROR_UNTRUSTED,
    "the revocation list is dated in the future; check the clock" },
  { SEC_ERROR_CRL_BAD_SIGNATURE, CRYPTO_ERROR_UNTRUSTED, "the revocation list's signature does not verify" },
  { SEC_ERROR_CRL_INVALID, CRYPTO_ERROR_MALFORMED, "the revocation list is malformed" },
  { SEC_ERROR_CRL_UNKNOWN_CRITICAL_EXTENSION, CRYPTO_ERROR_UNSUPPORTED,
    "the revocation list has a critical extension that is not known here" },
  { SEC_ERROR_OLD_CRL, CRYPTO_ERROR_FAILED, "a newer revocation list is here already" },
  { SEC_ERROR_OCSP_SERVER_ERROR, CRYPTO_ERROR_FAILED, "the authority's OCSP responder failed" },
  { SEC_ERROR_OCSP_TRY_SERVER_LATER, CRYPTO_ERROR_FAILED,
    "the authority's OCSP responder is busy; try again later" },
  { SEC_ERROR_OCSP_UNKNOWN_CERT, CRYPTO_ERROR_UNTRUSTED,
    "the authority's OCSP responder does not know the certificate" },
  { SEC_ERROR_OCSP_OLD_RESPONSE, CRYPTO_ERROR_UNTRUSTED, "the OCSP answer is out of date" },
  { SEC_ERROR_OCSP_FUTURE_RESPONSE, CRYPTO_ERROR_UNTRUSTED,
    "the OCSP answer is dated in the future; check the clock" },
  { SEC_ERROR_OCSP_UNAUTHORIZED_RESPONSE, CRYPTO_ERROR_UNTRUSTED,
    "the OCSP answer is signed by somebody who may not" },
  { SEC_ERROR_OCSP_INVALID_SIGNING_CERT, CRYPTO_ERROR_UNTRUSTED,
    "the OCSP answer's signing certificate is not valid" },
  { SEC_ERROR_OCSP_MALFORMED_RESPONSE, CRYPTO_ERROR_MALFORMED, "the OCSP answer is malformed" },
  { SEC_ERROR_BAD_HTTP_RESPONSE, CRYPTO_ERROR_FAILED, "the authority's server gave no usable answer" },
  { SEC_ERROR_USER_CANCELLED, CRYPTO_ERROR_CANCELLED, "it was cancelled" },
  { SEC_ERROR_IO, CRYPTO_ERROR_FAILED, "reading or writing failed" },
  { PR_NO_DEVICE_SPACE_ERROR, CRYPTO_ERROR_FAILED, "the disk is full" },
  { PR_NO_ACCESS_RIGHTS_ERROR, CRYPTO_ERROR_FAILED, "the file's permissions forbid it" },
  { PR_FILE_NOT_FOUND_ERROR, CRYPTO_ERROR_FAILED, "the file does not exist" },
  { PR_LOAD_LIBRARY_ERROR, CRYPTO_ERROR_FAILED, "the library cannot be loaded; check its path" },
  { PR_FIND_SYMBOL_ERROR, CRYPTO_ERROR_FAILED, "the library is no PKCS#11 module" },
  { PR_IO_TIMEOUT_ERROR, CRYPTO_ERROR_OFFLINE, "the server took too long to answer" },
  { PR_CONNECT_RESET_ERROR, CRYPTO_ERROR_OFFLINE, "the connection was reset" },
  { PR_CONNECT_REFUSED_ERROR, CRYPTO_ERROR_OFFLINE, "the connection was refused" },
  { PR_END_OF_FILE_ERROR, CRYPTO_ERROR_OFFLINE, "the connection was closed" },
  { PR_NETWORK_UNREACHABLE_ERROR, CRYPTO_ERROR_OFFLINE, "the network cannot be reached" },
  { PR_HOST_UNREACHABLE_ERROR, CRYPTO_ERROR_OFFLINE, "the host cannot be reached" },
  { SSL_ERROR_BAD_CERT_DOMAIN, CRYPTO_ERROR_UNTRUSTED, "the server's certificate is for another host" },
  { SSL_ERROR_NO_CYPHER_OVERLAP, CRYPTO_ERROR_FAILED, "the server and we share no cipher" },
  { SSL_ERROR_UNSUPPORTED_VERSION, CRYPTO_ERROR_FAILED,
    "the server speaks only a version of TLS that is too old" },
  { SSL_ERROR_PROTOCOL_VERSION_ALERT, CRYPTO_ERROR_FAILED,
    "the server speaks only a version of TLS that is too old" },
  { SSL_ERROR_WEAK_SERVER_EPHEMERAL_DH_KEY, CRYPTO_ERROR_REFUSED,
    "the server's Diffie-Hellman key is too weak" },
  { SSL_ERROR_RX_RECORD_TOO_LONG, CRYPTO_ERROR_FAILED, "the server does not speak TLS on this port" },
  { SSL_ERROR_NO_CERTIFICATE, CRYPTO_ERROR_FAILED, "the server asks for a certificate, and none was chosen" },
  { SSL_ERROR_BAD_CERT_ALERT, CRYPTO_ERROR_FAILED, "the server refused our certificate" },
  { SSL_ERROR_UNKNOWN_CA_ALERT, CRYPTO_ERROR_FAILED, "the server does not know our certificate's issuer" },
  { SSL_ERROR_EXPIRED_CERT_ALERT, CRYPTO_ERROR_FAILED, "the server says that our certificate has expired" },
  { SSL_ERROR_REVOKED_CERT_ALERT, CRYPTO_ERROR_FAILED, "the server says that our certificate was revoked" },
  { SSL_ERROR_HANDSHAKE_FAILURE_ALERT, CRYPTO_ERROR_FAILED, "the server broke off the handshake" },
  { SSL_ERROR_RX_CERTIFICATE_REQUIRED_ALERT, CRYPTO_ERROR_FAILED,
    "the server demands a certificate of ours" },
};

static const ErrorRow *
find_row(int code)
{
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    if (rows[i].nss == code)
      return &rows[i];
  return NULL;
}

/* Where the sentence does not go on to say it ("...; insert the card"): what a person can do, by what the caller
 * can. */
const char *
crypto_error_next_step(int code)
{
  const ErrorRow *row = find_row(code);
  if (!row && code >= SSL_ERROR_BASE && code < SSL_ERROR_LIMIT)
    return "tell whoever runs the server; signet doctor shows each step of connecting";
  if (!row)
    return "try again; signet doctor says what is not in order";
  if (strchr(row->sentence, ';') || strstr(row->sentence, "(signet "))
    return "";
  switch (row->code) {
  case CRYPTO_ERROR_CANCELLED:
    return "";
  case CRYPTO_ERROR_LOCKED:
  case CRYPTO_ERROR_PIN:
    return "try again with the right one; a card counts the wrong ones";
  case CRYPTO_ERROR_NO_KEY:
    return "import the key, or insert the card that holds it";
  case CRYPTO_ERROR_MALFORMED:
    return "get it anew from where it came";
  case CRYPTO_ERROR_UNSUPPORTED:
  case CRYPTO_ERROR_REFUSED:
    return "ask for one with RSA 2048 or EC P-256, SHA-256 and AES";
  case CRYPTO_ERROR_BUSY:
    return "close the other program, or try again";
  case CRYPTO_ERROR_DATABASE:
    return "signet doctor names its files";
  case CRYPTO_ERROR_UNTRUSTED:
    return "ask its owner, or whoever runs the server";
  case CRYPTO_ERROR_OFFLINE:
    return "look at the network, then try again";
  case CRYPTO_ERROR_FAILED:
    break;
  }
  return code >= SSL_ERROR_BASE && code < SSL_ERROR_LIMIT
             ? "tell whoever runs the server; signet doctor shows each step of connecting"
             : "try again; signet doctor says what is not in order";
}

const char *
crypto_error_sentence(int code)
{
  const ErrorRow *row = find_row(code);
  if (row)
    return row->sentence;
  /* NSS's own table: English, without a next step, but it names every code there is. */
  const char *text = code ? PR_ErrorToString(code, PR_LANGUAGE_I_DEFAULT) : NULL;
  return text && *text ? text : "NSS gave no reason";
}

/* "what: sentence; next step." */
char *
crypto_error_words(int code)
{
  const char *sentence = crypto_error_sentence(code), *next = crypto_error_next_step(code);
  g_autofree char *bare = g_strdup(sentence);
  gsize length = strlen(bare);
  if (length && bare[length - 1] == '.') /* NSS ends some of its own */
    bare[length - 1] = '\0';
  return g_strdup_printf("%s%s%s.", bare, *next ? "; " : "", next);
}

void
crypto_error_set_nss(GError **error, int code, const char *what)
{
  const ErrorRow *row = find_row(code);
  g_autofree char *words = crypto_error_words(code);
  g_set_error(error, CRYPTO_ERROR, row ? row->code : CRYPTO_ERROR_FAILED, "%s: %s", what, words);
}
