#include <nss.h>
#include <prerror.h>
#include <secerr.h>
#include <ssl.h>
#include <sslerr.h>
#include <string.h>

#include "crypto/cert-private.h"
#include "crypto/context.h"
#include "crypto/error-private.h"

/* Why a number has no sentence of ours: no call that we make can end with it. */
typedef struct {
  const char *reason;
  const int *numbers; /* ends with 0 */
} Never;
#define NUMBERS(...)                                                                                         \
  (const int[])                                                                                              \
  {                                                                                                          \
    __VA_ARGS__, 0                                                                                           \
  }

static const Never never[] = {
  { "it is no error",
    NUMBERS(SEC_ERROR_CERT_VALID, SEC_INTERNAL_ONLY, SEC_ERROR_NO_EVENT, PR_NO_MORE_FILES_ERROR) },
  { "Fortezza cards, SSL 2 and 3, key revocation lists, Netscape's Java and node locks are gone from NSS",
    NUMBERS(SEC_ERROR_NO_NODELOCK, XP_SEC_FORTEZZA_BAD_CARD, XP_SEC_FORTEZZA_NO_CARD,
            XP_SEC_FORTEZZA_NONE_SELECTED, XP_SEC_FORTEZZA_MORE_INFO, XP_SEC_FORTEZZA_PERSON_NOT_FOUND,
            XP_SEC_FORTEZZA_NO_MORE_INFO, XP_SEC_FORTEZZA_BAD_PIN, XP_SEC_FORTEZZA_PERSON_ERROR,
            SEC_ERROR_NO_KRL, SEC_ERROR_KRL_EXPIRED, SEC_ERROR_KRL_BAD_SIGNATURE, SEC_ERROR_KRL_INVALID,
            SEC_ERROR_OLD_KRL, SEC_ERROR_CKL_CONFLICT, SEC_ERROR_KRL_NOT_YET_VALID,
            SEC_ERROR_NOT_FORTEZZA_ISSUER, XP_JAVA_REMOVE_PRINCIPAL_ERROR, XP_JAVA_DELETE_PRIVILEGE_ERROR,
            XP_JAVA_CERT_NOT_EXISTS_ERROR, SEC_ERROR_MESSAGE_SEND_ABORTED, SSL_ERROR_EXPORT_ONLY_SERVER,
            SSL_ERROR_US_ONLY_SERVER, SSL_ERROR_UNUSED_5, SSL_ERROR_UNUSED_10, SSL_ERROR_POST_WARNING,
            SSL_ERROR_SSL2_DISABLED, SSL_ERROR_FORTEZZA_PQG, SSL_ERROR_FEATURE_NOT_SUPPORTED_FOR_SSL2,
            SSL_ERROR_DECOMPRESSION_FAILURE) },
  { "NSS's own CMS and PKCS#7 are never called: the codec is ours (crypto/cms-*.c)",
    NUMBERS(SEC_ERROR_NO_EMAIL_CERT, SEC_ERROR_NO_RECIPIENT_CERTS_QUERY, SEC_ERROR_NOT_A_RECIPIENT,
            SEC_ERROR_PKCS7_KEYALG_MISMATCH, SEC_ERROR_PKCS7_BAD_SIGNATURE, SEC_ERROR_CERT_ADDR_MISMATCH,
            SEC_ERROR_DIGEST_NOT_FOUND) },
  { "NSS's own PKCS#12 is never called: ours is crypto/pkcs12*.c",
    NUMBERS(SEC_ERROR_SAFE_NOT_CREATED, SEC_ERROR_BAGGAGE_NOT_CREATED, SEC_ERROR_EXPORTING_CERTIFICATES,
            SEC_ERROR_IMPORTING_CERTIFICATES, SEC_ERROR_PKCS12_DECODING_PFX, SEC_ERROR_PKCS12_INVALID_MAC,
            SEC_ERROR_PKCS12_UNSUPPORTED_MAC_ALGORITHM, SEC_ERROR_PKCS12_UNSUPPORTED_TRANSPORT_MODE,
            SEC_ERROR_PKCS12_CORRUPT_PFX_STRUCTURE, SEC_ERROR_PKCS12_UNSUPPORTED_PBE_ALGORITHM,
            SEC_ERROR_PKCS12_UNSUPPORTED_VERSION, SEC_ERROR_PKCS12_PRIVACY_PASSWORD_INCORRECT,
            SEC_ERROR_PKCS12_CERT_COLLISION, SEC_ERROR_PKCS12_DUPLICATE_DATA,
            SEC_ERROR_PKCS12_UNABLE_TO_IMPORT_KEY, SEC_ERROR_PKCS12_IMPORTING_CERT_CHAIN,
            SEC_ERROR_PKCS12_UNABLE_TO_LOCATE_OBJECT_BY_NAME, SEC_ERROR_PKCS12_UNABLE_TO_EXPORT_KEY,
            SEC_ERROR_PKCS12_UNABLE_TO_WRITE, SEC_ERROR_PKCS12_UNABLE_TO_READ,
            SEC_ERROR_PKCS12_KEY_DATABASE_NOT_INITIALIZED, SEC_ERROR_BAD_NICKNAME,
            SEC_ERROR_APPLICATION_CALLBACK_ERROR) },
  { "a browser's scripts add modules with these",
    NUMBERS(SEC_ERROR_JS_INVALID_MODULE_NAME, SEC_ERROR_JS_INVALID_DLL, SEC_ERROR_JS_ADD_MOD_FAILURE,
            SEC_ERROR_JS_DEL_MOD_FAILURE) },
  { "NSS's own OCSP is never turned on: ours is crypto/ocsp*.c",
    NUMBERS(SEC_ERROR_UNKNOWN_SIGNER, SEC_ERROR_OCSP_UNKNOWN_RESPONSE_TYPE, SEC_ERROR_OCSP_BAD_HTTP_RESPONSE,
            SEC_ERROR_OCSP_MALFORMED_REQUEST, SEC_ERROR_OCSP_SERVER_ERROR, SEC_ERROR_OCSP_TRY_SERVER_LATER,
            SEC_ERROR_OCSP_REQUEST_NEEDS_SIG, SEC_ERROR_OCSP_UNAUTHORIZED_REQUEST,
            SEC_ERROR_OCSP_UNKNOWN_RESPONSE_STATUS, SEC_ERROR_OCSP_UNKNOWN_CERT, SEC_ERROR_OCSP_NOT_ENABLED,
            SEC_ERROR_OCSP_NO_DEFAULT_RESPONDER, SEC_ERROR_OCSP_MALFORMED_RESPONSE,
            SEC_ERROR_OCSP_UNAUTHORIZED_RESPONSE, SEC_ERROR_OCSP_FUTURE_RESPONSE, SEC_ERROR_OCSP_OLD_RESPONSE,
            SEC_ERROR_OCSP_INVALID_SIGNING_CERT, SEC_ERROR_OCSP_RESPONDER_CERT_INVALID,
            SEC_ERROR_OCSP_BAD_SIGNATURE) },
  { "we never change the policy of NSS", NUMBERS(SEC_ERROR_POLICY_LOCKED) },
  { "we are never the server",
    NUMBERS(SSL_ERROR_BAD_CLIENT, SSL_ERROR_RX_MALFORMED_CLIENT_HELLO, SSL_ERROR_RX_MALFORMED_CLIENT_KEY_EXCH,
            SSL_ERROR_NO_SERVER_KEY_FOR_ALG, SSL_ERROR_NO_TRUSTED_SSL_CLIENT_CA,
            SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, SSL_ERROR_FEATURE_NOT_SUPPORTED_FOR_SERVERS,
            SSL_ERROR_FEATURE_NOT_SUPPORTED_FOR_CLIENTS, SSL_ERROR_MISSING_SUPPORTED_GROUPS_EXTENSION,
            SSL_ERROR_BAD_2ND_CLIENT_HELLO, SSL_ERROR_MISSING_SIGNATURE_ALGORITHMS_EXTENSION,
            SSL_ERROR_MALFORMED_PSK_KEY_EXCHANGE_MODES, SSL_ERROR_MISSING_PSK_KEY_EXCHANGE_MODES,
            SSL_ERROR_RX_MALFORMED_END_OF_EARLY_DATA, SSL_ERROR_TOO_MUCH_EARLY_DATA,
            SSL_ERROR_MISSING_COOKIE_EXTENSION, SSL_ERROR_MISSING_POST_HANDSHAKE_AUTH_EXTENSION) },
  { "we speak TLS over streams, not DTLS",
    NUMBERS(SSL_ERROR_RX_MALFORMED_HELLO_VERIFY_REQUEST, SSL_ERROR_RX_SHORT_DTLS_READ,
            SSL_ERROR_RX_MALFORMED_DTLS_ACK, SSL_ERROR_NO_TIMERS_FOUND) },
  { "ALPN, early data, resumption by token, delegated credentials, encrypted hellos, hooks and experiments "
    "are off",
    NUMBERS(
        SSL_ERROR_NEXT_PROTOCOL_DATA_INVALID, SSL_ERROR_NEXT_PROTOCOL_NO_CALLBACK,
        SSL_ERROR_NEXT_PROTOCOL_NO_PROTOCOL, SSL_ERROR_MISSING_ALPN_EXTENSION, SSL_ERROR_MALFORMED_EARLY_DATA,
        SSL_ERROR_DOWNGRADE_WITH_EARLY_DATA, SSL_ERROR_BAD_RESUMPTION_TOKEN_ERROR,
        SSL_ERROR_DC_CERT_VERIFY_ALG_MISMATCH, SSL_ERROR_DC_BAD_SIGNATURE, SSL_ERROR_DC_INVALID_KEY_USAGE,
        SSL_ERROR_DC_EXPIRED, SSL_ERROR_DC_INAPPROPRIATE_VALIDITY_PERIOD, SSL_ERROR_RX_MALFORMED_ESNI_KEYS,
        SSL_ERROR_RX_MALFORMED_ESNI_EXTENSION, SSL_ERROR_MISSING_ESNI_EXTENSION, SSL_ERROR_ECH_RETRY_WITH_ECH,
        SSL_ERROR_ECH_RETRY_WITHOUT_ECH, SSL_ERROR_ECH_FAILED, SSL_ERROR_UNSUPPORTED_EXPERIMENTAL_API,
        SSL_ERROR_APPLICATION_ABORT, SSL_ERROR_APP_CALLBACK_ERROR) },
  { "sockets are GIO's and ours: NSPR opens, names, binds and lists none, and reads no folder",
    NUMBERS(PR_IO_PENDING_ERROR, PR_DIRECTORY_OPEN_ERROR, PR_ADDRESS_NOT_AVAILABLE_ERROR,
            PR_ADDRESS_NOT_SUPPORTED_ERROR, PR_IS_CONNECTED_ERROR, PR_BAD_ADDRESS_ERROR,
            PR_ADDRESS_IN_USE_ERROR, PR_DIRECTORY_LOOKUP_ERROR, PR_NOT_SOCKET_ERROR, PR_NOT_TCP_SOCKET_ERROR,
            PR_SOCKET_ADDRESS_IS_BOUND_ERROR, PR_PROTOCOL_NOT_SUPPORTED_ERROR, PR_NO_SEEK_DEVICE_ERROR,
            PR_DIRECTORY_NOT_EMPTY_ERROR, PR_FILESYSTEM_MOUNTED_ERROR, PR_NOT_SAME_DEVICE_ERROR,
            PR_ALREADY_INITIATED_ERROR, PR_GROUP_EMPTY_ERROR) },
};

static const char *
reason_for_none(int number)
{
  for (gsize i = 0; i < G_N_ELEMENTS(never); i++)
    for (const int *each = never[i].numbers; *each; each++)
      if (*each == number)
        return never[i].reason;
  return NULL;
}

/* A number has a sentence of ours or a reason why it cannot come, and not both. */
static void
walk(int from, int to)
{
  for (int number = from; number < to; number++) {
    const CryptoErrorRow *row = crypto_error_row(number);
    const char *reason = reason_for_none(number);
    const char *name = PR_ErrorToName(number);
    g_test_message("%d %s: %s", number, name ? name : "?", row ? row->sentence : reason ? reason : "NOTHING");
    if (!row == !reason)
      g_test_fail_printf("%s (%d) has %s", name ? name : "?", number,
                         row ? "a sentence and a reason" : "neither");
  }
}

/* As far as NSS 3.87 goes: what a later one adds has that one's own text. */
static void
test_all(void)
{
  walk(SEC_ERROR_BASE, SEC_ERROR_ALGORITHM_MISMATCH + 1);
  walk(SSL_ERROR_BASE, SSL_ERROR_ECH_REQUIRED_ALERT + 1);
  walk(PR_NSPR_ERROR_BASE, PR_MAX_ERROR);
}

static void
test_once(void)
{
  g_autoptr(GHashTable) sentences = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);

  for (const CryptoErrorRow *row = crypto_error_rows; row->sentence; row++) {
    g_test_message("%s", row->sentence);
    g_assert_true(g_hash_table_add(sentences, (char *)row->sentence));
    g_assert_cmpint(row->numbers[0], !=, 0);
    for (const int *each = row->numbers; *each; each++)
      g_assert_true(g_hash_table_add(numbers, GINT_TO_POINTER(*each)));
  }
}

/* Each says what to do next, and NSS's own text stands in for what is not here. */
static void
words(int from, int to)
{
  for (int code = from; code < to; code++) {
    const char *sentence = crypto_error_sentence(code), *next = crypto_error_next_step(code);
    g_autofree char *text = crypto_error_words(code);
    g_test_message("%d: %s", code, text);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    g_assert_true(g_str_has_suffix(text, ".") && !g_str_has_suffix(text, ".."));
    g_assert_cmpuint(strlen(sentence), >, 5);
    g_assert_null(strstr(sentence, "Unknown code"));
    const CryptoErrorRow *row = crypto_error_row(code);
    gboolean says = strchr(sentence, ';') || strstr(sentence, "(signet ");
    g_assert_true(says || *next || (row && row->code == CRYPTO_ERROR_CANCELLED));
  }
}

static void
test_words(void)
{
  words(SEC_ERROR_BASE, SEC_ERROR_END_OF_LIST);
  words(SSL_ERROR_BASE, SSL_ERROR_END_OF_LIST);
  words(PR_NSPR_ERROR_BASE, PR_MAX_ERROR);
  g_assert_cmpuint(strlen(crypto_error_sentence(0)), >, 5);
  g_assert_cmpuint(strlen(crypto_error_sentence(-1)), >, 5);
}

static void
test_codes(void)
{
  g_autoptr(GError) no_token = NULL, locked = NULL;

  g_assert_cmpstr(crypto_error_sentence(SEC_ERROR_REVOKED_CERTIFICATE), ==,
                  "the certificate was revoked by its issuer");
  crypto_error_set_nss(&no_token, SEC_ERROR_NO_TOKEN, "The signature cannot be made");
  g_assert_error(no_token, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY);
  g_assert_true(g_str_has_prefix(no_token->message, "The signature cannot be made: the token is not there"));
  crypto_error_set_nss(&locked, SEC_ERROR_LOCKED_PASSWORD, "The signature cannot be made");
  g_assert_error(locked, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_assert_nonnull(strstr(locked->message, "signet token unblock"));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_assert_cmpint(NSS_NoDB_Init(NULL), ==, SECSuccess);
  NSS_SetDomesticPolicy(); /* loads the table of the TLS part, as every connection does */
  g_test_add_func("/error/all", test_all);
  g_test_add_func("/error/once", test_once);
  g_test_add_func("/error/words", test_words);
  g_test_add_func("/error/codes", test_codes);
  int code = g_test_run();
  g_assert_cmpint(NSS_Shutdown(), ==, SECSuccess);
  return code;
}
