#include <glib/gstdio.h>
#include <pkcs11.h>
#include <pkcs11n.h>
#include <string.h>

#include "crypto/chain-private.h"

/* Whom the database trusts for mail, once another program has changed it while we run. NSS keeps what it has read of a
 * certificate's trust for as long as anybody holds the certificate, and a message on the screen does: so the records
 * themselves are read, and what they say less than NSS remembers counts. They never add trust. Under the chain lock. */
enum { RECORDS_MAX = 20000, SHA1_OCTETS = 20 };

typedef struct {
  gint64 seconds, nanoseconds, size;
  guint64 inode;
} Stamp;

static char *file, *folder; /* cert9.db and where it lies; NULL: there is no database */
static Stamp seen;
static GHashTable *records; /* SHA-1 (GBytes) -> CK_TRUST for mail; NULL: nobody has changed anything */

static Stamp
stamp(void)
{
  GStatBuf info;
  if (!file || g_stat(file, &info) != 0)
    return (Stamp){ 0, 0, 0, 0 };
  return (Stamp){ info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size, info.st_ino };
}

void
crypto_anchors_watch(const char *nssdb)
{
  g_free(file);
  g_free(folder);
  folder = g_strdup(nssdb);
  file = nssdb ? g_build_filename(nssdb, "cert9.db", NULL) : NULL;
  seen = stamp();
}

void
crypto_anchors_close(void)
{
  g_clear_pointer(&file, g_free);
  g_clear_pointer(&folder, g_free);
  g_clear_pointer(&records, g_hash_table_unref);
}

const char *
crypto_anchors_folder(void)
{
  return folder;
}

static gboolean
read_attribute(PK11GenericObject *object, CK_ATTRIBUTE_TYPE type, gsize length, gpointer value)
{
  SECItem item = { siBuffer, NULL, 0 };
  gboolean good = PK11_ReadRawAttribute(PK11_TypeGeneric, object, type, &item) == SECSuccess && item.len == length;
  if (good)
    memcpy(value, item.data, length);
  SECITEM_FreeItem(&item, PR_FALSE);
  return good;
}

/* In the words of CERT_ChangeCertTrust(). */
static guint
flags_of(CK_TRUST trust)
{
  switch (trust) {
  case CKT_NSS_NOT_TRUSTED:
    return CERTDB_TERMINAL_RECORD;
  case CKT_NSS_TRUSTED:
    return CERTDB_TERMINAL_RECORD | CERTDB_TRUSTED;
  case CKT_NSS_TRUSTED_DELEGATOR:
    return CERTDB_VALID_CA | CERTDB_TRUSTED_CA;
  case CKT_NSS_VALID_DELEGATOR:
    return CERTDB_VALID_CA;
  default:
    return 0;
  }
}

static CK_TRUST
read_trust(PK11GenericObject *object, CK_ATTRIBUTE_TYPE purpose)
{
  CK_TRUST trust = CKT_NSS_TRUST_UNKNOWN;
  (void)!read_attribute(object, purpose, sizeof trust, &trust);
  return trust;
}

static gboolean
hash_of(CryptoCert *cert, guint8 hash[SHA1_OCTETS])
{
  const SECItem *der = &cert->nss->derCert;
  return PK11_HashBuf(SEC_OID_SHA1, hash, der->data, (PRInt32)der->len) == SECSuccess;
}

gboolean
crypto_anchors_read(CryptoCert *cert, guint *mail, guint *server)
{
  guint8 wanted[SHA1_OCTETS], hash[SHA1_OCTETS];
  PK11SlotInfo *slot = hash_of(cert, wanted) ? PK11_GetInternalKeySlot() : NULL;
  PK11GenericObject *all = slot ? PK11_FindGenericObjects(slot, CKO_NSS_TRUST) : NULL, *one = all;
  while (one && !(read_attribute(one, CKA_CERT_SHA1_HASH, sizeof hash, hash) && memcmp(hash, wanted, sizeof hash) == 0))
    one = PK11_GetNextGenericObject(one);
  *mail = one ? flags_of(read_trust(one, CKA_TRUST_EMAIL_PROTECTION)) : 0;
  *server = one ? flags_of(read_trust(one, CKA_TRUST_SERVER_AUTH)) : 0;
  if (one && read_trust(one, CKA_TRUST_CLIENT_AUTH) == CKT_NSS_TRUSTED_DELEGATOR)
    *server |= CERTDB_TRUSTED_CLIENT_CA;
  if (all)
    PK11_DestroyGenericObjects(all);
  if (slot)
    PK11_FreeSlot(slot);
  return one != NULL;
}

static void
read_records(void)
{
  g_clear_pointer(&records, g_hash_table_unref);
  records = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, g_free);
  PK11SlotInfo *slot = PK11_GetInternalKeySlot();
  PK11GenericObject *all = slot ? PK11_FindGenericObjects(slot, CKO_NSS_TRUST) : NULL;
  for (PK11GenericObject *one = all; one && g_hash_table_size(records) < RECORDS_MAX;
       one = PK11_GetNextGenericObject(one)) {
    guint8 hash[SHA1_OCTETS];
    if (!read_attribute(one, CKA_CERT_SHA1_HASH, sizeof hash, hash))
      continue;
    CK_TRUST trust = read_trust(one, CKA_TRUST_EMAIL_PROTECTION);
    g_hash_table_replace(records, g_bytes_new(hash, sizeof hash), g_memdup2(&trust, sizeof trust));
  }
  if (all)
    PK11_DestroyGenericObjects(all);
  if (slot)
    PK11_FreeSlot(slot);
}

gboolean
crypto_anchors_changed(void)
{
  Stamp now = stamp();
  if (!file || memcmp(&now, &seen, sizeof now) == 0)
    return FALSE;
  seen = now;
  read_records();
  return TRUE;
}

static const CK_TRUST *
record_of(CryptoCert *cert)
{
  guint8 hash[SHA1_OCTETS];
  if (!records || !hash_of(cert, hash))
    return NULL;
  g_autoptr(GBytes) key = g_bytes_new_static(hash, sizeof hash);
  return g_hash_table_lookup(records, key);
}

gboolean
crypto_anchors_builtin(CryptoCert *cert)
{
  gboolean found = FALSE;
  PK11SlotList *slots = PK11_GetAllSlotsForCert(cert->nss, NULL);
  for (PK11SlotListElement *e = slots ? PK11_GetFirstSafe(slots) : NULL; e; e = PK11_GetNextSafe(slots, e, PR_FALSE))
    found |= PK11_HasRootCerts(e->slot);
  if (slots)
    PK11_FreeSlotList(slots);
  return found;
}

gboolean
crypto_anchors_withdrawn(CryptoCert *cert)
{
  if (!records)
    return FALSE;
  GPtrArray *session = crypto_context_session_certs();
  for (guint i = 0; session && i < session->len; i++)
    if (((CryptoCert *)session->pdata[i])->nss == cert->nss)
      return FALSE; /* this run's own word */
  const CK_TRUST *trust = record_of(cert);
  if (trust)
    return *trust != CKT_NSS_TRUSTED_DELEGATOR;
  return cert->nss->slot && PK11_IsInternal(cert->nss->slot) && !crypto_anchors_builtin(cert);
}

gboolean
crypto_anchors_distrusted(CryptoCert *cert)
{
  const CK_TRUST *trust = record_of(cert);
  return trust && *trust == CKT_NSS_NOT_TRUSTED;
}
