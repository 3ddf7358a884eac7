#include "crypto/chain-private.h"

#include <secder.h>
#include <secerr.h>
#include <secoid.h>
#include <string.h>

/* The rules that one certificate, or its place in a path, can break. What cannot be read breaks the rule that it
 * belongs to. */
enum { EXTENSIONS_MAX = 64, RSA_BITS_MIN = 2048, EC_BITS_MIN = 256 };

static gboolean
self_issued(CryptoCert *cert)
{
  return crypto_cert_self_signed(cert);
}

/* --- extensions */

static gboolean
extension_known(const SECItem *oid)
{
  switch (SECOID_FindOIDTag(oid)) {
  case SEC_OID_X509_BASIC_CONSTRAINTS:
  case SEC_OID_X509_KEY_USAGE:
  case SEC_OID_X509_EXT_KEY_USAGE:
  case SEC_OID_X509_SUBJECT_ALT_NAME:
  case SEC_OID_X509_ISSUER_ALT_NAME:
  case SEC_OID_X509_NAME_CONSTRAINTS:
  case SEC_OID_X509_CERTIFICATE_POLICIES:
  case SEC_OID_X509_POLICY_MAPPINGS:
  case SEC_OID_X509_POLICY_CONSTRAINTS:
  case SEC_OID_X509_INHIBIT_ANY_POLICY:
  case SEC_OID_X509_CRL_DIST_POINTS:
  case SEC_OID_X509_FRESHEST_CRL:
  case SEC_OID_X509_AUTH_INFO_ACCESS:
  case SEC_OID_X509_SUBJECT_KEY_ID:
  case SEC_OID_X509_AUTH_KEY_ID:
  case SEC_OID_X509_PRIVATE_KEY_USAGE_PERIOD:
  case SEC_OID_NS_CERT_EXT_CERT_TYPE:
    return TRUE;
  default:
    return FALSE;
  }
}

static guint
check_extensions(CERTCertificate *nss)
{
  guint problems = 0, count = 0;
  for (CERTCertExtension **list = nss->extensions; list && list[count]; count++) {
    CERTCertExtension *extension = list[count];
    if (count >= EXTENSIONS_MAX)
      return problems | CRYPTO_TRUST_OTHER;
    if (extension->critical.len > 0 && extension->critical.data[0] && !extension_known(&extension->id))
      problems |= CRYPTO_TRUST_CRITICAL_EXTENSION;
    /* Twice the same is forbidden, and programs would differ on which one counts. */
    for (guint i = 0; i < count; i++)
      if (SECITEM_ItemsAreEqual(&list[i]->id, &extension->id))
        problems |= CRYPTO_TRUST_OTHER;
  }
  return problems;
}

typedef enum { EKU_ABSENT, EKU_MAIL, EKU_ANY, EKU_NONE_OF_OURS } Eku;

static Eku
read_eku(CERTCertificate *nss)
{
  SECItem item = { siBuffer, NULL, 0 };
  if (CERT_FindCertExtension(nss, SEC_OID_X509_EXT_KEY_USAGE, &item) != SECSuccess)
    return PORT_GetError() == SEC_ERROR_EXTENSION_NOT_FOUND ? EKU_ABSENT : EKU_NONE_OF_OURS;
  Eku eku = EKU_NONE_OF_OURS;
  CERTOidSequence *sequence = CERT_DecodeOidSequence(&item);
  for (guint i = 0; sequence && sequence->oids && sequence->oids[i]; i++) {
    SECOidTag tag = SECOID_FindOIDTag(sequence->oids[i]);
    if (tag == SEC_OID_EXT_KEY_USAGE_EMAIL_PROTECT)
      eku = EKU_MAIL;
    else if (tag == SEC_OID_X509_ANY_EXT_KEY_USAGE && eku != EKU_MAIL)
      eku = EKU_ANY;
  }
  if (sequence)
    CERT_DestroyOidSequence(sequence);
  SECITEM_FreeItem(&item, PR_FALSE);
  return eku;
}

gboolean
crypto_rules_any_eku(CryptoCert *cert)
{
  return read_eku(cert->nss) == EKU_ANY;
}

/* Absent: everything is allowed. Malformed: nothing is. */
static gboolean
usage_allows(CERTCertificate *nss, guint wanted)
{
  SECItem item = { siBuffer, NULL, 0 };
  if (CERT_FindKeyUsageExtension(nss, &item) != SECSuccess)
    return PORT_GetError() == SEC_ERROR_EXTENSION_NOT_FOUND;
  guint bits = item.len > 0 ? item.data[0] : 0;
  SECITEM_FreeItem(&item, PR_FALSE);
  return (bits & wanted) != 0;
}

/* --- keys and algorithms */

static guint
check_key(CryptoCert *cert, gboolean *usable)
{
  SECOidTag tag = SECOID_GetAlgorithmTag(&cert->nss->subjectPublicKeyInfo.algorithm);
  gboolean rsa = tag == SEC_OID_PKCS1_RSA_ENCRYPTION || tag == SEC_OID_PKCS1_RSA_PSS_SIGNATURE;
  gboolean dsa = tag == SEC_OID_ANSIX9_DSA_SIGNATURE; /* RFC 8551 2.2: of old mail only */
  *usable = FALSE;
  if (!rsa && !dsa && tag != SEC_OID_ANSIX962_EC_PUBLIC_KEY)
    return 0;
  SECKEYPublicKey *key = CERT_ExtractPublicKey(cert->nss);
  if (!key)
    return 0;
  *usable = TRUE;
  guint bits = SECKEY_PublicKeyStrengthInBits(key);
  SECKEY_DestroyPublicKey(key);
  return (bits < (rsa || dsa ? RSA_BITS_MIN : EC_BITS_MIN) ? CRYPTO_TRUST_WEAK_KEY : 0) |
         (dsa ? CRYPTO_TRUST_WEAK_ALGORITHM : 0);
}

static gboolean
weakly_signed(CryptoCert *cert)
{
  return crypto_cert_name_is_weak(crypto_cert_signature_name(cert));
}

guint
crypto_rules_strength(CryptoCert *cert)
{
  gboolean usable;
  guint problems = check_key(cert, &usable);
  return problems | (!self_issued(cert) && weakly_signed(cert) ? CRYPTO_TRUST_WEAK_ALGORITHM : 0);
}

/* --- one certificate */

static guint
check_dates(CryptoCert *cert, gint64 at, gboolean leaf)
{
  if (at > crypto_cert_not_after(cert))
    return leaf ? CRYPTO_TRUST_EXPIRED : CRYPTO_TRUST_ISSUER_EXPIRED;
  if (at < crypto_cert_not_before(cert))
    return leaf ? CRYPTO_TRUST_NOT_YET_VALID : CRYPTO_TRUST_ISSUER_EXPIRED;
  return 0;
}

static gboolean
leaf_usage_allows(CryptoCert *cert, CryptoUse use)
{
  switch (SECOID_GetAlgorithmTag(&cert->nss->subjectPublicKeyInfo.algorithm)) {
  case SEC_OID_PKCS1_RSA_ENCRYPTION:
    return usage_allows(cert->nss, use == CRYPTO_USE_SIGN ? KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION
                                                          : KU_KEY_ENCIPHERMENT);
  case SEC_OID_ANSIX962_EC_PUBLIC_KEY:
    return usage_allows(cert->nss, use == CRYPTO_USE_SIGN ? KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION
                                                          : KU_KEY_AGREEMENT);
  default: /* RSA-PSS, Ed25519: for signatures only */
    return use == CRYPTO_USE_SIGN && usage_allows(cert->nss, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION);
  }
}

static guint
check_leaf(CryptoCert *cert, CryptoUse use)
{
  guint problems = 0;
  if (read_eku(cert->nss) == EKU_NONE_OF_OURS)
    problems |= CRYPTO_TRUST_EKU;
  if (!leaf_usage_allows(cert, use))
    problems |= CRYPTO_TRUST_KEY_USAGE;
  return problems;
}

/* *length: how many authorities may stand below it; -1: any number. */
static gboolean
read_authority(CERTCertificate *nss, int *length)
{
  SECItem item = { siBuffer, NULL, 0 };
  CERTBasicConstraints constraints = { .isCA = PR_FALSE };
  *length = -1;
  if (CERT_FindCertExtension(nss, SEC_OID_X509_BASIC_CONSTRAINTS, &item) != SECSuccess)
    return FALSE;
  gboolean authority = CERT_DecodeBasicConstraintValue(&constraints, &item) == SECSuccess && constraints.isCA;
  if (authority && constraints.pathLenConstraint >= 0)
    *length = constraints.pathLenConstraint;
  SECITEM_FreeItem(&item, PR_FALSE);
  return authority;
}

/* The anchor is trusted by the user's or Mozilla's decision: that it is an authority, and for mail, is part of it. */
static guint
check_authority(CryptoCert *cert, gboolean anchor, guint below)
{
  guint problems = 0;
  int length;
  if ((!read_authority(cert->nss, &length) || !usage_allows(cert->nss, KU_KEY_CERT_SIGN)) && !anchor)
    problems |= CRYPTO_TRUST_ISSUER_NOT_CA;
  if (length >= 0 && below > (guint)length)
    problems |= CRYPTO_TRUST_PATH_LENGTH;
  if (!anchor && read_eku(cert->nss) == EKU_NONE_OF_OURS)
    problems |= CRYPTO_TRUST_EKU;
  return problems;
}

static guint
check_distrust(CryptoCert *cert)
{
  CERTCertTrust trust;
  if (crypto_anchors_distrusted(cert))
    return CRYPTO_TRUST_DISTRUSTED;
  if (CERT_GetCertTrust(cert->nss, &trust) != SECSuccess)
    return 0;
  guint flags = trust.emailFlags;
  return (flags & CERTDB_TERMINAL_RECORD) && !(flags & (CERTDB_TRUSTED | CERTDB_TRUSTED_CA))
             ? CRYPTO_TRUST_DISTRUSTED
             : 0;
}

/* Mozilla keeps some roots for what they issued up to a date only. */
static gboolean
issued_after_distrust(CryptoCert *anchor, CryptoCert *leaf)
{
  CERTCertDistrust *distrust = anchor->nss->distrust;
  PRTime date;
  return distrust && distrust->emailDistrustAfter.len > 0 &&
         DER_DecodeTimeChoice(&date, &distrust->emailDistrustAfter) == SECSuccess &&
         crypto_cert_not_before(leaf) > date / PR_USEC_PER_SEC;
}

/* --- the path */

static void
check_names(CryptoPath *path, guint authority)
{
  for (guint i = 0; i < authority; i++)
    if ((i == 0 || !self_issued(path->links[i].cert)) &&
        !crypto_names_allowed(path->links[authority].cert, path->links[i].cert))
      path->links[i].problems |= CRYPTO_TRUST_NAME_CONSTRAINT;
}

void
crypto_rules_apply(CryptoPath *path, CryptoUse use, gint64 at)
{
  guint below = 0; /* authorities between this one and the leaf, self-issued ones not counted */
  for (guint i = 0; i < path->count; i++) {
    CryptoLink *link = &path->links[i];
    gboolean anchor = path->anchored && i == path->count - 1, usable,
             authority = i > 0 || use == CRYPTO_USE_AUTHORITY;
    link->problems |=
        check_dates(link->cert, at, i == 0) | check_key(link->cert, &usable) | check_distrust(link->cert);
    if (!anchor)
      link->problems |= check_extensions(link->cert->nss);
    gboolean top =
        i == path->count - 1 && self_issued(link->cert); /* what it says of itself counts for nothing */
    if (!anchor && !top && weakly_signed(link->cert))
      link->problems |= CRYPTO_TRUST_WEAK_ALGORITHM;
    if (!usable)
      link->problems |= CRYPTO_TRUST_OTHER;
    link->problems |= authority ? check_authority(link->cert, anchor, below) : check_leaf(link->cert, use);
    if (i > 0)
      check_names(path, i);
    if (authority && !self_issued(link->cert))
      below++;
  }
  crypto_policy_apply(path);
  if (path->anchored && issued_after_distrust(path->links[path->count - 1].cert, path->links[0].cert))
    path->links[path->count - 1].problems |= CRYPTO_TRUST_DISTRUSTED;
}
