#include "crypto/tls-private.h"

#include <pk11pub.h>
#include <prerror.h>
#include <secerr.h>
#include <sslerr.h>

#include "crypto/cert-private.h"
#include "crypto/chain-private.h"
#include "crypto/context.h"

enum { NAMES_SHOWN = 4, CHAIN_MAX = 10 };

const char *
crypto_tls_code_name(int code)
{
  const char *name = PR_ErrorToName(code);
  return name ? name : "unknown error";
}

static char *
day(PRTime time)
{
  g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(time / PR_USEC_PER_SEC);
  return when ? g_date_time_format(when, "%Y-%m-%d %H:%M UTC") : g_strdup("an impossible date");
}

static char *
names_of(CERTCertificate *cert)
{
  GString *list = g_string_new(NULL);
  CERTCertNicknames *names = CERT_GetValidDNSPatternsFromCert(cert);
  int count = names ? names->numnicknames : 0;
  for (int i = 0; i < count && i < NAMES_SHOWN; i++)
    g_string_append_printf(list, "%s%s", i ? ", " : "", names->nicknames[i]);
  if (count > NAMES_SHOWN)
    g_string_append_printf(list, " and %d more", count - NAMES_SHOWN);
  if (names)
    CERT_FreeNicknames(names);
  if (list->len == 0)
    g_string_append(list, "no host at all");
  return g_string_free(list, FALSE);
}

static char *
clause_expired(CERTCertificate *cert)
{
  PRTime begin, end;
  if (CERT_GetCertTimes(cert, &begin, &end) != SECSuccess)
    return g_strdup("its dates cannot be read");
  g_autofree char *from = day(begin), *to = day(end);
  if (PR_Now() < begin)
    return g_strdup_printf("it is not valid before %s (is this computer's clock right?)", from);
  return g_strdup_printf("it expired on %s", to);
}

static char *
clause_issuer(CERTCertificate *cert, gboolean known)
{
  if (CERT_CompareName(&cert->subject, &cert->issuer) == SECEqual)
    return g_strdup("it is signed by itself, not by an authority");
  g_autofree char *issuer = NULL;
  char *name = CERT_GetCommonName(&cert->issuer);
  if (!name)
    name = CERT_GetOrgName(&cert->issuer);
  issuer = g_utf8_make_valid(name ? name : "an authority without a name", -1);
  PORT_Free(name);
  return known ? g_strdup_printf("its authority, %s, is not trusted for servers", issuer)
               : g_strdup_printf(
                     "its authority, %s, is not known here, or the server left out a certificate of "
                     "its chain",
                     issuer);
}

static char *
clause(CERTCertificate *cert, int code)
{
  switch (code) {
  case SEC_ERROR_EXPIRED_CERTIFICATE:
  case SEC_ERROR_INVALID_TIME:
    return clause_expired(cert);
  case SEC_ERROR_EXPIRED_ISSUER_CERTIFICATE:
    return g_strdup("the certificate of its authority is out of date");
  case SEC_ERROR_UNKNOWN_ISSUER:
    return clause_issuer(cert, FALSE);
  case SEC_ERROR_UNTRUSTED_ISSUER:
  case SEC_ERROR_CA_CERT_INVALID:
    return clause_issuer(cert, TRUE);
  case SEC_ERROR_UNTRUSTED_CERT:
    return g_strdup("it is marked as never to be trusted");
  case SEC_ERROR_REVOKED_CERTIFICATE:
    return g_strdup("its authority has revoked it");
  case SEC_ERROR_INADEQUATE_KEY_USAGE:
  case SEC_ERROR_INADEQUATE_CERT_TYPE:
    return g_strdup("it was not issued for servers");
  case SEC_ERROR_CERT_SIGNATURE_ALGORITHM_DISABLED:
    return g_strdup("it is signed with an algorithm that is too weak");
  case SEC_ERROR_BAD_SIGNATURE:
    return g_strdup("its authority did not sign it: the signature is wrong");
  case SEC_ERROR_CERT_NOT_IN_NAME_SPACE:
    return g_strdup("its authority may not issue certificates for this name");
  case SEC_ERROR_PATH_LEN_CONSTRAINT_INVALID:
    return g_strdup("its chain is longer than its authority allows");
  default:
    return g_strdup_printf("it does not pass the rules: %s (%s)", crypto_error_sentence(code),
                           crypto_tls_code_name(code));
  }
}

/* NSS 3.87 lets SHA-1 and RSA 1024 pass. */
static guint
strength(CERTCertificate *cert)
{
  guint problems = 0;
  CERTCertificate *next = CERT_DupCertificate(cert);
  for (int i = 0; next && i < CHAIN_MAX; i++) {
    g_autoptr(CryptoCert) link = crypto_cert_wrap(next);
    problems |= crypto_rules_strength(link);
    CERTCertificate *issuer =
        crypto_cert_self_signed(link) ? NULL : CERT_FindCertIssuer(next, PR_Now(), certUsageSSLServer);
    CERT_DestroyCertificate(next);
    next = issuer;
  }
  if (next)
    CERT_DestroyCertificate(next);
  return problems;
}

static void
add(GString *list, char *text)
{
  if (list->len > 0)
    g_string_append(list, "; and ");
  g_string_append(list, text);
  g_free(text);
}

static char *
fingerprint(CERTCertificate *cert)
{
  guint8 digest[32];
  if (PK11_HashBuf(SEC_OID_SHA256, digest, cert->derCert.data, (PRInt32)cert->derCert.len) != SECSuccess)
    return g_strdup("(cannot be computed)");
  GString *hex = g_string_new(NULL);
  for (gsize i = 0; i < sizeof digest; i++)
    g_string_append_printf(hex, "%s%02X", i ? ":" : "", digest[i]);
  return g_string_free(hex, FALSE);
}

void
crypto_tls_verify(CERTCertificate *cert, const char *host, guint16 port, CryptoTlsVerdict *verdict)
{
  *verdict = (CryptoTlsVerdict){ 0 };
  g_autoptr(GString) wrong = g_string_new(NULL);
  crypto_chain_lock();
  SECCertificateUsage usages = 0;
  SECStatus chain = CERT_VerifyCertificate(CERT_GetDefaultCertDB(), cert, PR_TRUE, certificateUsageSSLServer,
                                           PR_Now(), NULL, NULL, &usages);
  int code = chain == SECSuccess ? 0 : PORT_GetError();
  guint weak = strength(cert);
  crypto_chain_unlock();
  if (chain != SECSuccess) {
    verdict->final = code == SEC_ERROR_REVOKED_CERTIFICATE || code == SEC_ERROR_UNTRUSTED_CERT;
    add(wrong, clause(cert, code));
    /* NSS stops at the first rule; a person who is to decide is told of the dates as well. */
    if (code != SEC_ERROR_EXPIRED_CERTIFICATE &&
        CERT_CheckCertValidTimes(cert, PR_Now(), PR_FALSE) != secCertTimeValid)
      add(wrong, clause_expired(cert));
  }
  if (weak & CRYPTO_TRUST_WEAK_ALGORITHM)
    add(wrong, g_strdup("it, or its authority's, is signed with MD5 or SHA-1, which can be forged"));
  if (weak & CRYPTO_TRUST_WEAK_KEY)
    add(wrong, g_strdup("its key, or its authority's, is too short to be safe"));
  if (CERT_VerifyCertName(cert, host) != SECSuccess) {
    g_autofree char *names = names_of(cert);
    add(wrong, g_strdup_printf("it is for %s, not for %s", names, host));
  }
  if (wrong->len == 0)
    return;
  g_autofree char *hex = fingerprint(cert);
  verdict->sentence =
      g_strdup_printf("The certificate of %s, port %u, does not prove that this is the server: %s. Its "
                      "SHA-256 fingerprint is %s. "
                      "%s",
                      host, port, wrong->str, hex,
                      verdict->final ? "The connection was not made."
                                     : "Ask the server's operator; an authority is trusted for servers by "
                                       "`signet cert import --tls FILE`.");
}
