#include <cert.h>
#include <pk11pub.h>
#include <secder.h>
#include <secerr.h>
#include <string.h>

#include "crypto/ber.h"
#include "crypto/ocsp-private.h"

/* Revocation lists (RFC 5280 5), read here and not by NSS: each once in the life of the process, without a copy,
 * into a table of serial numbers, so that a list of 16 MB costs milliseconds once and 4 bytes an entry. A list
 * counts only when the certificate's own issuer has signed it. Doubt is never in the sender's favour: whoever is listed
 * is revoked, be the list stale, a delta, weakly signed or not understood (as X.509 7.3 has it); that somebody is not
 * listed counts only where the list is none of these. Everything here runs under the chain lock. */
enum {
  CRL_BYTES_MAX = 64 << 20,
  ENTRIES_MAX = 4 << 20,
  CLOCK_SLACK = 300, /* seconds by which two clocks may differ */
  NAMES_MAX = 200,   /* issuers of which the database was asked */
  SIGNERS_MAX = 100,
  ASK_AGAIN_SECONDS = 600, /* other programs write to the same database */
};

typedef struct {
  const guint8 *at, *end;
} Der;

typedef struct {
  GBytes *bytes;
  CERTSignedData signed_data; /* points into bytes; in the arena */
  PLArenaPool *arena;
  Der issuer;
  gint64 this_update, next_update; /* next_update 0: none is promised, so it never proves anything good */
  gboolean weak;                   /* signed with MD5 or SHA-1 */
  gboolean incomplete;             /* who is not listed may be revoked all the same: a delta, one not understood */
  gboolean delta;                  /* its entries may also take others back, which is not believed */
  gboolean attributes;             /* of attribute certificates: the numbers are not those of ours */
  gboolean users_only, authorities_only, some_reasons;
  Der point;      /* the distribution point's names, GeneralNames one after the other */
  guint32 *table; /* offsets of serial numbers in bytes; open addressing; 0: free */
  guint32 mask, count;
  GHashTable *signers; /* SHA-256 of an issuer -> whether it has signed the list */
  char *origin;        /* where it was fetched; NULL: it was given, or is the database's */
} Crl;

static GPtrArray *lists;  /* of Crl */
static GHashTable *asked; /* names (GBytes) of which the database was asked */
static gint64 asked_since;

/* --- DER, definite lengths only: a window on the bytes, read by crypto/ber.h */

static gboolean
der_next(Der *der, guint8 *tag, Der *value)
{
  CryptoBerReader reader = crypto_ber_reader(der->at, (gsize)(der->end - der->at));
  CryptoBerItem item;
  if (!crypto_ber_next(&reader, &item) || item.indefinite)
    return FALSE;
  *tag = item.tag;
  *value = (Der){ item.data, item.data + item.length };
  der->at = reader.at;
  return TRUE;
}

static gboolean
der_take(Der *der, guint8 tag, Der *value)
{
  guint8 found;
  return der_next(der, &found, value) && found == tag;
}

static gboolean
der_is(Der der, guint8 tag)
{
  return der.at < der.end && *der.at == tag;
}

static gboolean
der_time(Der *der, gint64 *seconds)
{
  guint8 tag;
  Der value;
  PRTime time;
  if (!der_next(der, &tag, &value) || (tag != SEC_ASN1_UTC_TIME && tag != SEC_ASN1_GENERALIZED_TIME))
    return FALSE;
  SECItem item = { tag == SEC_ASN1_UTC_TIME ? siUTCTime : siGeneralizedTime, (guint8 *)value.at,
                   (guint)(value.end - value.at) };
  if (DER_DecodeTimeChoice(&time, &item) != SECSuccess)
    return FALSE;
  *seconds = time / PR_USEC_PER_SEC;
  return TRUE;
}

/* --- the table of serial numbers */

static guint32
hash_serial(const guint8 *bytes, gsize length)
{
  guint32 hash = 2166136261u;
  for (gsize i = 0; i < length; i++)
    hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}

/* DER's integers may carry a zero that another issuer's encoder left out. */
static Der
trimmed(Der serial)
{
  while (serial.end - serial.at > 1 && *serial.at == 0)
    serial.at++;
  return serial;
}

static gboolean
entry_at(const Crl *crl, guint32 offset, Der *serial, Der *rest)
{
  gsize length;
  const guint8 *start = g_bytes_get_data(crl->bytes, &length);
  *rest = (Der){ start + offset, start + length };
  return der_take(rest, 0x02, serial);
}

static void
table_add(Crl *crl, guint32 offset, Der serial)
{
  serial = trimmed(serial);
  guint32 slot = hash_serial(serial.at, (gsize)(serial.end - serial.at)) & crl->mask;
  while (crl->table[slot])
    slot = (slot + 1) & crl->mask;
  crl->table[slot] = offset;
}

/* The time of revocation; FALSE: not in the list. */
static gboolean
table_find(const Crl *crl, Der serial, gint64 *date)
{
  if (!crl->table)
    return FALSE;
  serial = trimmed(serial);
  gsize length = (gsize)(serial.end - serial.at);
  for (guint32 slot = hash_serial(serial.at, length) & crl->mask; crl->table[slot];
       slot = (slot + 1) & crl->mask) {
    Der found, rest;
    if (!entry_at(crl, crl->table[slot], &found, &rest))
      continue;
    found = trimmed(found);
    if ((gsize)(found.end - found.at) != length || memcmp(found.at, serial.at, length) != 0)
      continue;
    if (!der_time(&rest, date))
      *date = 0;
    return TRUE;
  }
  return FALSE;
}

/* --- reading one */

static gboolean
read_extension(Der *extensions, SECOidTag *tag, gboolean *critical, Der *value)
{
  Der extension, oid, flag;
  *critical = FALSE;
  if (!der_take(extensions, 0x30, &extension) || !der_take(&extension, 0x06, &oid))
    return FALSE;
  if (der_is(extension, 0x01)) {
    if (!der_take(&extension, 0x01, &flag) || flag.end - flag.at != 1)
      return FALSE;
    *critical = *flag.at != 0;
  }
  SECItem item = { siDEROID, (guint8 *)oid.at, (guint)(oid.end - oid.at) };
  *tag = SECOID_FindOIDTag(&item);
  return der_take(&extension, 0x04, value);
}

/* GeneralNames with the list's own issuer among them: what follows is again of it. */
static gboolean
names_issuer(const Crl *crl, Der value)
{
  Der names, name;
  guint8 tag;
  gsize length = (gsize)(crl->issuer.end - crl->issuer.at);
  if (!der_take(&value, 0x30, &names))
    return FALSE;
  while (der_next(&names, &tag, &name))
    if (tag == 0xa4 && (gsize)(name.end - name.at) == length && memcmp(name.at, crl->issuer.at, length) == 0)
      return TRUE;
  return FALSE;
}

/* @own: this entry and those after it are of the list's issuer (RFC 5280 5.3.3). @back: a delta takes it off the list.
 * One that is not understood says nothing of those that are not listed. */
static gboolean
check_entry(Crl *crl, Der entry, gboolean *own, gboolean *back)
{
  enum { REMOVE_FROM_CRL = 8 };
  *back = FALSE;
  Der serial, extensions;
  gint64 date;
  if (!der_take(&entry, 0x02, &serial) || serial.at == serial.end || !der_time(&entry, &date))
    return FALSE;
  if (entry.at == entry.end)
    return TRUE;
  if (!der_take(&entry, 0x30, &extensions))
    return FALSE;
  while (extensions.at < extensions.end) {
    SECOidTag tag;
    gboolean critical;
    Der value;
    if (!read_extension(&extensions, &tag, &critical, &value))
      return FALSE;
    if (tag == SEC_OID_X509_CERT_ISSUER) {
      *own = names_issuer(crl, value);
      crl->incomplete = TRUE; /* an indirect list, and only such a one may have it */
    } else if (tag == SEC_OID_X509_REASON_CODE)
      *back = crl->delta && value.end - value.at == 3 && value.at[2] == REMOVE_FROM_CRL;
    else if (critical && tag != SEC_OID_X509_INVALID_DATE)
      crl->incomplete = TRUE;
  }
  return TRUE;
}

static gboolean
read_entries(Crl *crl, Der entries)
{
  Der entry, count = entries;
  guint8 tag;
  while (count.at < count.end) {
    if (!der_next(&count, &tag, &entry) || tag != 0x30 || ++crl->count > ENTRIES_MAX)
      return FALSE;
  }
  guint32 size = 16;
  while (size < crl->count * 2)
    size *= 2;
  crl->mask = size - 1;
  crl->table = g_new0(guint32, size);
  const guint8 *start = g_bytes_get_data(crl->bytes, NULL);
  gboolean own = TRUE, back;
  while (entries.at < entries.end) {
    if (!der_take(&entries, 0x30, &entry) || !check_entry(crl, entry, &own, &back))
      return FALSE;
    if (!own || back)
      continue;
    guint32 offset = (guint32)(entry.at - start);
    Der serial;
    if (!der_take(&entry, 0x02, &serial))
      return FALSE;
    table_add(crl, offset, serial);
  }
  return TRUE;
}

/* IssuingDistributionPoint (RFC 5280 5.2.5). */
static gboolean
read_point(Crl *crl, Der value)
{
  Der fields, field;
  guint8 tag;
  if (!der_take(&value, 0x30, &fields))
    return FALSE;
  while (fields.at < fields.end) {
    if (!der_next(&fields, &tag, &field))
      return FALSE;
    gboolean yes = field.at < field.end && *field.at != 0;
    switch (tag) {
    case 0xa0: /* DistributionPointName; only fullName [0] is understood */
      if (!der_take(&field, 0xa0, &crl->point))
        crl->incomplete = TRUE;
      break;
    case 0x81:
      crl->users_only = yes;
      break;
    case 0x82:
      crl->authorities_only = yes;
      break;
    case 0x83:
      crl->some_reasons = TRUE;
      break;
    case 0x85:
      crl->attributes |= yes;
      break;
    default: /* indirect */
      crl->incomplete |= yes;
    }
  }
  return TRUE;
}

static gboolean
read_extensions(Crl *crl, Der extensions)
{
  while (extensions.at < extensions.end) {
    SECOidTag tag;
    gboolean critical;
    Der value;
    if (!read_extension(&extensions, &tag, &critical, &value))
      return FALSE;
    if (tag == SEC_OID_X509_ISSUING_DISTRIBUTION_POINT) {
      if (!read_point(crl, value))
        return FALSE;
    } else if (tag == SEC_OID_X509_DELTA_CRL_INDICATOR) {
      crl->delta = crl->incomplete = TRUE; /* it says nothing of what it leaves out */
    } else if (critical && tag != SEC_OID_X509_AUTH_KEY_ID && tag != SEC_OID_X509_CRL_NUMBER) {
      crl->incomplete = TRUE;
    }
  }
  return TRUE;
}

/* What signed it is named in the signed part and again behind it: NSS goes by the second, so both must be one. */
static gboolean
same_algorithm(const Crl *crl, Der inside, const guint8 *behind)
{
  gsize length, wanted = (gsize)(inside.end - inside.at);
  const guint8 *start = g_bytes_get_data(crl->bytes, &length);
  return (gsize)(start + length - behind) >= wanted && memcmp(behind, inside.at, wanted) == 0;
}

/* TBSCertList ::= SEQUENCE { version?, signature, issuer, thisUpdate, nextUpdate?, revoked?, [0] extensions? } */
static gboolean
read_list(Crl *crl, Der tbs)
{
  Der inner, value, algorithm, entries = { NULL, NULL };
  if (!der_take(&tbs, 0x30, &inner) || (der_is(inner, 0x02) && !der_take(&inner, 0x02, &value)))
    return FALSE;
  algorithm.at = inner.at;
  if (!der_take(&inner, 0x30, &value))
    return FALSE;
  algorithm.end = inner.at;
  if (!same_algorithm(crl, algorithm, tbs.at))
    return FALSE;
  crl->issuer.at = inner.at;
  if (!der_take(&inner, 0x30, &value))
    return FALSE;
  crl->issuer.end = inner.at;
  if (!der_time(&inner, &crl->this_update))
    return FALSE;
  if ((der_is(inner, SEC_ASN1_UTC_TIME) || der_is(inner, SEC_ASN1_GENERALIZED_TIME)) &&
      !der_time(&inner, &crl->next_update))
    return FALSE;
  if (der_is(inner, 0x30) && !der_take(&inner, 0x30, &entries))
    return FALSE;
  if (der_is(inner, 0xa0)) {
    Der extensions;
    if (!der_take(&inner, 0xa0, &value) || !der_take(&value, 0x30, &extensions) ||
        !read_extensions(crl, extensions))
      return FALSE;
  }
  return inner.at == inner.end && read_entries(crl, entries);
}

static void
crl_free(gpointer data)
{
  Crl *crl = data;
  g_bytes_unref(crl->bytes);
  if (crl->arena)
    PORT_FreeArena(crl->arena, PR_FALSE);
  g_free(crl->table);
  g_hash_table_unref(crl->signers);
  g_free(crl->origin);
  g_free(crl);
}

gboolean
crypto_crl_is_weak(const SECAlgorithmID *algorithm)
{
  g_autofree char *name = crypto_cert_algorithm_name(algorithm);
  return crypto_cert_name_is_weak(name);
}

static Crl *
crl_new(GBytes *bytes)
{
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  if (length > CRL_BYTES_MAX)
    return NULL;
  Crl *crl = g_new0(Crl, 1);
  crl->bytes = g_bytes_ref(bytes);
  crl->signers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  crl->arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
  g_assert(crl->arena);
  SECItem item = { siBuffer, (guint8 *)data, (guint)length };
  gboolean good = SEC_QuickDERDecodeItem(crl->arena, &crl->signed_data, SEC_ASN1_GET(CERT_SignedDataTemplate),
                                         &item) == SECSuccess;
  if (good) {
    /* Not decoded any further: the template hands on the bytes as they lie in the file. */
    Der tbs = { crl->signed_data.data.data, crl->signed_data.data.data + crl->signed_data.data.len };
    good = tbs.at >= data && tbs.end <= data + length && read_list(crl, tbs);
    crl->weak = crypto_crl_is_weak(&crl->signed_data.signatureAlgorithm);
  }
  if (!good)
    g_clear_pointer(&crl, crl_free);
  return crl;
}

/* --- the lists that there are */

static gboolean
take(GBytes *bytes)
{
  if (!lists)
    lists = g_ptr_array_new_with_free_func(crl_free);
  for (guint i = 0; i < lists->len; i++)
    if (g_bytes_equal(((Crl *)lists->pdata[i])->bytes, bytes))
      return TRUE;
  Crl *crl = crl_new(bytes);
  if (crl) {
    g_ptr_array_add(lists, crl);
    crypto_chain_forget_verdicts();
  }
  return crl != NULL;
}

gboolean
crypto_crl_add(GBytes *der)
{
  crypto_chain_lock();
  gboolean taken = take(der);
  crypto_chain_unlock();
  return taken;
}

static void
take_database(const SECItem *issuer)
{
  if (!asked)
    asked = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  g_autoptr(GBytes) name = g_bytes_new(issuer->data, issuer->len);
  gint64 now = g_get_monotonic_time();
  if (g_hash_table_size(asked) >= NAMES_MAX || now - asked_since > ASK_AGAIN_SECONDS * G_USEC_PER_SEC) {
    g_hash_table_remove_all(asked);
    asked_since = now;
  }
  if (g_hash_table_contains(asked, name))
    return;
  g_hash_table_add(asked, g_steal_pointer(&name));
  SECItem wanted = *issuer;
  CERTSignedCrl *found = SEC_FindCrlByName(CERT_GetDefaultCertDB(), &wanted, SEC_CRL_TYPE);
  if (!found)
    return;
  if (found->derCrl) {
    g_autoptr(GBytes) bytes = g_bytes_new(found->derCrl->data, found->derCrl->len);
    take(bytes);
  }
  SEC_DestroyCrl(found);
}

gboolean
crypto_crl_any(void)
{
  return lists && lists->len > 0;
}

void
crypto_crl_forget(void)
{
  if (asked)
    g_hash_table_remove_all(asked);
}

void
crypto_crl_close(void)
{
  g_clear_pointer(&lists, g_ptr_array_unref);
  g_clear_pointer(&asked, g_hash_table_unref);
}

/* --- what they say */

static gboolean
may_sign(CryptoCert *issuer)
{
  SECItem item = { siBuffer, NULL, 0 };
  if (CERT_FindKeyUsageExtension(issuer->nss, &item) != SECSuccess)
    return PORT_GetError() == SEC_ERROR_EXTENSION_NOT_FOUND;
  gboolean may = item.len > 0 && (item.data[0] & KU_CRL_SIGN);
  SECITEM_FreeItem(&item, PR_FALSE);
  return may;
}

static gboolean
signed_by(Crl *crl, CryptoCert *issuer)
{
  gpointer known;
  if (g_hash_table_lookup_extended(crl->signers, crypto_cert_sha256(issuer), NULL, &known))
    return GPOINTER_TO_INT(known);
  SECKEYPublicKey *key = CERT_ExtractPublicKey(issuer->nss);
  gboolean fits = key && may_sign(issuer) &&
                  CERT_VerifySignedDataWithPublicKey(&crl->signed_data, key, NULL) == SECSuccess;
  if (key)
    SECKEY_DestroyPublicKey(key);
  if (g_hash_table_size(crl->signers) >= SIGNERS_MAX)
    g_hash_table_remove_all(crl->signers);
  g_hash_table_insert(crl->signers, g_strdup(crypto_cert_sha256(issuer)), GINT_TO_POINTER(fits));
  return fits;
}

/* A list of one distribution point covers the certificates that name that point. */
static gboolean
covers(const Crl *crl, CryptoCert *cert)
{
  gboolean authority = crypto_cert_is_authority(cert);
  if ((crl->users_only && authority) || (crl->authorities_only && !authority))
    return FALSE;
  if (!crl->point.at)
    return TRUE;
  SECItem points = { siBuffer, NULL, 0 };
  if (CERT_FindCertExtension(cert->nss, SEC_OID_X509_CRL_DIST_POINTS, &points) != SECSuccess)
    return FALSE;
  gboolean found = FALSE;
  Der names = crl->point, name;
  guint8 tag;
  for (const guint8 *start = names.at; !found && der_next(&names, &tag, &name); start = names.at)
    found = memmem(points.data, points.len, start, (gsize)(names.at - start)) != NULL;
  SECITEM_FreeItem(&points, PR_FALSE);
  return found;
}

/* Does it prove that what it does not list is good at that time? An older list proves nothing of later, one of
 * later still names what was revoked earlier, until the certificate itself has ended. */
static gboolean
is_fresh(const Crl *crl, CryptoCert *cert, gint64 at)
{
  gint64 now = MAX(at, g_get_real_time() / G_USEC_PER_SEC) + CLOCK_SLACK;
  return !crl->weak && !crl->incomplete && !crl->some_reasons && crl->this_update <= now &&
         crl->next_update && crl->next_update >= at && crl->this_update <= crypto_cert_not_after(cert);
}

static gboolean
is_of(Crl *crl, CryptoCert *issuer)
{
  const SECItem *name = &issuer->nss->derSubject;
  return (gsize)(crl->issuer.end - crl->issuer.at) == name->len &&
         memcmp(crl->issuer.at, name->data, name->len) == 0 && signed_by(crl, issuer);
}

/* @issuer's list from this address that is here already. */
static Crl *
from(const char *origin, CryptoCert *issuer)
{
  for (guint i = 0; lists && i < lists->len; i++)
    if (g_strcmp0(((Crl *)lists->pdata[i])->origin, origin) == 0 && is_of(lists->pdata[i], issuer))
      return lists->pdata[i];
  return NULL;
}

static gboolean
names_address(const Crl *crl, const char *url)
{
  Der names = crl->point, name;
  guint8 tag;
  gsize length = strlen(url);
  while (der_next(&names, &tag, &name))
    if (tag == 0x86 && (gsize)(name.end - name.at) == length && memcmp(name.at, url, length) == 0)
      return TRUE;
  return FALSE;
}

/* In what a list says less than the whole one of its address would: a bit for each way. */
static guint
lacks(const Crl *crl, const char *origin)
{
  gboolean elsewhere = crl->point.at && !names_address(crl, origin);
  return (guint)(crl->delta || crl->attributes) | (guint)elsewhere << 1 | (guint)crl->incomplete << 2 |
         (guint)crl->weak << 3 | (guint)crl->some_reasons << 4 | (guint)crl->users_only << 5 |
         (guint)crl->authorities_only << 6;
}

/* An authority signs lists of several kinds, and whoever stands on the way may put one in another's place: one that does
 * not speak of what is known to be revoked would make it forgotten. NULL: @crl may replace @known. */
static const char *
why_not_replace(const Crl *known, const Crl *crl, const char *origin)
{
  guint had = lacks(known, origin), has = lacks(crl, origin);
  if (has & ~had)
    return "The revocation list says less than the one that is here, which stays: it is a part of it, a list of "
           "another address, or weakly signed. Tell its authority, should it stay so.";
  if (!(had & ~has) && known->this_update > crl->this_update)
    return "The revocation list is older than the one that is here, which stays. Ask again later.";
  return NULL;
}

gboolean
crypto_crl_take_fetched(GBytes *bytes, const char *origin, CryptoCert *issuer, gint64 at, gint64 *until,
                        GError **error)
{
  Crl *crl = crl_new(bytes), *known = from(origin, issuer);
  const char *fault = NULL;
  gint64 now = MAX(at, g_get_real_time() / G_USEC_PER_SEC);
  *until = crl ? crl->next_update : 0;
  if (!crl)
    fault = "What came is not a revocation list. Ask again later, or tell the authority.";
  else if (!is_of(crl, issuer))
    fault = "The revocation list is not signed by the certificate's issuer. Ask again later, or tell the authority.";
  else if (crl->this_update > now + CLOCK_SLACK)
    fault = "The revocation list is dated ahead of now; is the clock right?";
  else if (known)
    fault = why_not_replace(known, crl, origin);
  if (fault) {
    g_clear_pointer(&crl, crl_free);
    g_set_error_literal(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED, fault);
    return FALSE;
  }
  if (known)
    g_ptr_array_remove_fast(lists, known);
  if (!lists)
    lists = g_ptr_array_new_with_free_func(crl_free);
  crl->origin = g_strdup(origin);
  g_ptr_array_add(lists, crl);
  crypto_chain_forget_verdicts();
  return TRUE;
}

CryptoRevocation
crypto_crl_status(CryptoCert *cert, CryptoCert *issuer, gint64 at, gint64 *revoked_at)
{
  *revoked_at = 0;
  const SECItem *name = &cert->nss->derIssuer, *number = &cert->nss->serialNumber;
  take_database(name);
  crypto_revocation_load_lists(cert, issuer);
  CryptoRevocation status = CRYPTO_REVOCATION_UNKNOWN;
  for (guint i = 0; lists && i < lists->len; i++) {
    Crl *crl = lists->pdata[i];
    if ((gsize)(crl->issuer.end - crl->issuer.at) != name->len ||
        memcmp(crl->issuer.at, name->data, name->len) != 0 || !signed_by(crl, issuer))
      continue;
    Der serial = { number->data, number->data + number->len };
    if (crl->attributes)
      continue;
    if (table_find(crl, serial, revoked_at))
      return CRYPTO_REVOCATION_REVOKED;
    if (covers(crl, cert) && is_fresh(crl, cert, at))
      status = CRYPTO_REVOCATION_GOOD;
  }
  return status;
}
