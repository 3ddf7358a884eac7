#include "crypto/ber.h"
#include "crypto/chain-private.h"

#include <secerr.h>
#include <secoid.h>
#include <string.h>

/* Certificate policies (RFC 5280 6.1.2 to 6.1.5), begun as mail begins them: any policy will do, and none
 * is demanded unless an authority on the path demands one. Then all that counts of the tree of policies is
 * whether a node of it is left, so that its bottom row is enough, and it cannot grow beyond what
 * certificates name (RFC 9618 tells of trees that did). A trust anchor's own constraints are not looked at
 * (RFC 5280 6.2). */
enum { POLICIES_MAX = 100 };

typedef struct {
  GHashTable *named; /* set of GBytes: object identifiers that a certificate below may name */
  gboolean any;      /* or any at all */
} Row;

typedef struct {
  guint explicit_policy, mapping, inhibit_any; /* certificates until the rule holds */
} Counters;

static const guint8 any_policy[] = { 0x55, 0x1d, 0x20, 0x00 };

static Row
row_new(void)
{
  return (Row){ .named =
                    g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL) };
}

static gboolean
is_empty(const Row *row)
{
  return !row->any && !g_hash_table_size(row->named);
}

static void
row_add(Row *row, const CryptoBerItem *oid)
{
  g_hash_table_add(row->named, g_bytes_new(oid->data, oid->length));
}

static gboolean
row_has(const Row *row, const CryptoBerItem *oid)
{
  g_autoptr(GBytes) key = g_bytes_new_static(oid->data, oid->length);
  return row->any || g_hash_table_contains(row->named, key);
}

/* Opens the extension's SEQUENCE. @item holds its bytes, for the caller to free. FALSE: not there
 * (@malformed FALSE) or not to be read. */
static gboolean
open_extension(CERTCertificate *nss, SECOidTag tag, SECItem *item, CryptoBerReader *inside,
               gboolean *malformed)
{
  *item = (SECItem){ siBuffer, NULL, 0 };
  if (CERT_FindCertExtension(nss, (int)tag, item) != SECSuccess) {
    *malformed = *malformed || PORT_GetError() != SEC_ERROR_EXTENSION_NOT_FOUND;
    return FALSE;
  }
  CryptoBerReader reader = crypto_ber_reader(item->data, item->len);
  CryptoBerItem sequence;
  if (!crypto_ber_expect(&reader, CRYPTO_BER_SEQUENCE, &sequence) || !crypto_ber_at_end(&reader)) {
    *malformed = TRUE;
    SECITEM_FreeItem(item, PR_FALSE);
    return FALSE;
  }
  *inside = crypto_ber_enter(&sequence);
  return TRUE;
}

/* 6.1.3 (d), (e): the row below @above by what this certificate names. FALSE: its extension cannot be
 * read. */
static gboolean
descend(Row *row, CERTCertificate *nss, gboolean may_any)
{
  SECItem item;
  CryptoBerReader list;
  gboolean malformed = FALSE, any = FALSE;
  Row below = row_new();
  if (open_extension(nss, SEC_OID_X509_CERTIFICATE_POLICIES, &item, &list, &malformed)) {
    CryptoBerItem info, oid;
    guint count = 0;
    while (crypto_ber_expect(&list, CRYPTO_BER_SEQUENCE, &info) && ++count <= POLICIES_MAX) {
      CryptoBerReader fields = crypto_ber_enter(&info);
      if (!crypto_ber_expect(&fields, CRYPTO_BER_OID, &oid)) {
        malformed = TRUE;
        break;
      }
      if (crypto_ber_is(&oid, any_policy, sizeof any_policy))
        any = TRUE;
      else if (row_has(row, &oid))
        row_add(&below, &oid);
    }
    malformed = malformed || !crypto_ber_at_end(&list) || !count;
    SECITEM_FreeItem(&item, PR_FALSE);
  }
  if (any && may_any) {
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, row->named);
    while (g_hash_table_iter_next(&iter, &key, NULL))
      g_hash_table_add(below.named, g_bytes_ref(key));
    below.any = row->any;
  }
  g_hash_table_unref(row->named);
  *row = below;
  return !malformed;
}

/* One pair of policyMappings, 6.1.4 (b): read from @before, written to @row. */
static void
map_pair(const Row *before, Row *row, const CryptoBerItem *from, const CryptoBerItem *to, gboolean allowed)
{
  if (allowed && row_has(before, from))
    row_add(row, to);
}

/* 6.1.4 (a), (b). FALSE: it cannot be read, or maps from or to anyPolicy. */
static gboolean
map(Row *row, CERTCertificate *nss, gboolean allowed)
{
  SECItem item;
  CryptoBerReader list;
  gboolean malformed = FALSE;
  if (!open_extension(nss, SEC_OID_X509_POLICY_MAPPINGS, &item, &list, &malformed))
    return !malformed;
  Row before = *row;
  *row = row_new();
  row->any = before.any;
  g_autoptr(GHashTable) mapped =
      g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  CryptoBerItem pair, from, to;
  guint count = 0;
  while (!malformed && crypto_ber_expect(&list, CRYPTO_BER_SEQUENCE, &pair) && ++count <= POLICIES_MAX) {
    CryptoBerReader fields = crypto_ber_enter(&pair);
    malformed = !crypto_ber_expect(&fields, CRYPTO_BER_OID, &from) ||
                !crypto_ber_expect(&fields, CRYPTO_BER_OID, &to) ||
                crypto_ber_is(&from, any_policy, sizeof any_policy) ||
                crypto_ber_is(&to, any_policy, sizeof any_policy);
    if (malformed)
      break;
    g_hash_table_add(mapped, g_bytes_new(from.data, from.length));
    map_pair(&before, row, &from, &to, allowed);
  }
  malformed = malformed || !crypto_ber_at_end(&list) || !count;
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, before.named);
  while (g_hash_table_iter_next(&iter, &key, NULL))
    if (!g_hash_table_contains(mapped, key))
      g_hash_table_add(row->named, g_bytes_ref(key));
  g_hash_table_unref(before.named);
  SECITEM_FreeItem(&item, PR_FALSE);
  return !malformed;
}

/* A number of certificates, under whatever tag. -1: it is not one. */
static int
read_skip(const CryptoBerItem *item)
{
  CryptoBerItem number = *item;
  number.tag = CRYPTO_BER_INTEGER;
  return crypto_ber_small(&number);
}

/* *require, *inhibit: -1 where the certificate does not say. FALSE: it cannot be read. */
static gboolean
read_constraints(CERTCertificate *nss, int *require, int *inhibit)
{
  SECItem item;
  CryptoBerReader fields;
  gboolean malformed = FALSE;
  *require = *inhibit = -1;
  if (!open_extension(nss, SEC_OID_X509_POLICY_CONSTRAINTS, &item, &fields, &malformed))
    return !malformed;
  CryptoBerItem number;
  if (crypto_ber_optional(&fields, CRYPTO_BER_CONTEXT, &number)) {
    *require = read_skip(&number);
    malformed = *require < 0;
  }
  if (crypto_ber_optional(&fields, CRYPTO_BER_CONTEXT + 1, &number)) {
    *inhibit = read_skip(&number);
    malformed = malformed || *inhibit < 0;
  }
  malformed = malformed || !crypto_ber_at_end(&fields) || (*require < 0 && *inhibit < 0);
  SECITEM_FreeItem(&item, PR_FALSE);
  return !malformed;
}

static gboolean
read_inhibit_any(CERTCertificate *nss, int *skip)
{
  SECItem item = { siBuffer, NULL, 0 };
  *skip = -1;
  if (CERT_FindCertExtension(nss, SEC_OID_X509_INHIBIT_ANY_POLICY, &item) != SECSuccess)
    return PORT_GetError() == SEC_ERROR_EXTENSION_NOT_FOUND;
  CryptoBerReader reader = crypto_ber_reader(item.data, item.len);
  CryptoBerItem number;
  if (crypto_ber_expect(&reader, CRYPTO_BER_INTEGER, &number) && crypto_ber_at_end(&reader))
    *skip = crypto_ber_small(&number);
  SECITEM_FreeItem(&item, PR_FALSE);
  return *skip >= 0;
}

static void
lower(guint *counter, int skip)
{
  if (skip >= 0)
    *counter = MIN(*counter, (guint)skip);
}

/* 6.1.4 (a) to (j): from an authority to what is below it. */
static gboolean
prepare(Row *row, Counters *counters, CryptoCert *cert)
{
  int require, inhibit, any;
  if (!map(row, cert->nss, counters->mapping > 0) || !read_constraints(cert->nss, &require, &inhibit) ||
      !read_inhibit_any(cert->nss, &any))
    return FALSE;
  if (!crypto_cert_self_signed(cert)) { /* it names itself as issuer: self-issued */
    counters->explicit_policy -= counters->explicit_policy > 0;
    counters->mapping -= counters->mapping > 0;
    counters->inhibit_any -= counters->inhibit_any > 0;
  }
  lower(&counters->explicit_policy, require);
  lower(&counters->mapping, inhibit);
  lower(&counters->inhibit_any, any);
  return TRUE;
}

/* 6.1.5 (a), (b) */
static gboolean
wrap_up(Counters *counters, CryptoCert *cert)
{
  int require, inhibit;
  if (!read_constraints(cert->nss, &require, &inhibit))
    return FALSE;
  counters->explicit_policy -= counters->explicit_policy > 0;
  if (require == 0)
    counters->explicit_policy = 0;
  return TRUE;
}

void
crypto_policy_apply(CryptoPath *path)
{
  guint n = path->count - (path->anchored ? 1 : 0);
  Counters counters = { n + 1, n + 1, n + 1 };
  Row row = row_new();
  row.any = TRUE;
  for (guint i = n; i-- > 0;) {
    CryptoCert *cert = path->links[i].cert;
    gboolean may_any = counters.inhibit_any > 0 || (i > 0 && crypto_cert_self_signed(cert));
    gboolean good = descend(&row, cert->nss, may_any) && (counters.explicit_policy > 0 || !is_empty(&row)) &&
                    (i > 0 ? prepare(&row, &counters, cert) : wrap_up(&counters, cert)) &&
                    (i > 0 || counters.explicit_policy > 0 || !is_empty(&row));
    if (!good) {
      path->links[i].problems |= CRYPTO_TRUST_POLICY;
      break;
    }
  }
  g_hash_table_unref(row.named);
}
