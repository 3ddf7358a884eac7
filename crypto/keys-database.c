#include "crypto/cert-private.h"
#include "crypto/token-private.h"

/* The database's certificates that have a key of ours, found by the keys: it may hold thousands of other people's, and
 * NSS takes milliseconds for each that it lists. */
enum { OWN_CERTS_MAX = 256, CERT_MAX_BYTES = 1 << 20 };

/* The identifiers (CKA_ID) of the objects of @class. */
static void
add_ids(GHashTable *ids, PK11SlotInfo *slot, CK_OBJECT_CLASS class)
{
  PK11GenericObject *first = PK11_FindGenericObjects(slot, class);
  for (PK11GenericObject *o = first; o; o = PK11_GetNextGenericObject(o)) {
    SECItem id = { siBuffer, NULL, 0 };
    if (PK11_ReadRawAttribute(PK11_TypeGeneric, o, CKA_ID, &id) != SECSuccess)
      continue;
    if (id.len)
      g_hash_table_add(ids, g_bytes_new(id.data, id.len));
    SECITEM_FreeItem(&id, PR_FALSE);
  }
  if (first)
    PK11_DestroyGenericObjects(first);
}

static void
add_cert(GPtrArray *certs, CK_FUNCTION_LIST *module, CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object)
{
  CK_ATTRIBUTE value = { CKA_VALUE, NULL, 0 };
  if (module->C_GetAttributeValue(handle, object, &value, 1) != CKR_OK || !value.ulValueLen ||
      value.ulValueLen > CERT_MAX_BYTES)
    return;
  g_autofree guint8 *der = g_malloc(value.ulValueLen);
  value.pValue = der;
  if (module->C_GetAttributeValue(handle, object, &value, 1) != CKR_OK)
    return;
  SECItem item = { siBuffer, der, (unsigned)value.ulValueLen };
  CERTCertificate *nss = CERT_FindCertByDERCert(CERT_GetDefaultCertDB(), &item);
  if (!nss)
    return;
  g_ptr_array_add(certs, crypto_cert_wrap(nss));
  CERT_DestroyCertificate(nss);
}

GPtrArray *
crypto_keys_database(PK11SlotInfo *slot)
{
  g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  g_autoptr(GHashTable) ids =
      g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  gboolean locked = PK11_NeedLogin(slot) && !PK11_IsLoggedIn(slot, NULL);
  CK_FUNCTION_LIST *module = crypto_token_functions(slot);
  CK_SESSION_HANDLE session;
  CK_OBJECT_HANDLE found[OWN_CERTS_MAX];
  GHashTableIter each;
  gpointer id;
  add_ids(ids, slot, CKO_PRIVATE_KEY);
  if (locked && !g_hash_table_size(ids))
    return NULL;
  if (module->C_OpenSession(PK11_GetSlotID(slot), CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
    return NULL;
  g_hash_table_iter_init(&each, ids);
  while (g_hash_table_iter_next(&each, &id, NULL)) {
    gsize size;
    gconstpointer octets = g_bytes_get_data(id, &size);
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_ATTRIBUTE wanted[] = { { CKA_CLASS, &class, sizeof class }, { CKA_ID, (gpointer)octets, size } };
    CK_ULONG count = 0;
    if (module->C_FindObjectsInit(session, wanted, G_N_ELEMENTS(wanted)) != CKR_OK)
      continue;
    if (module->C_FindObjects(session, found, OWN_CERTS_MAX, &count) != CKR_OK)
      count = 0;
    module->C_FindObjectsFinal(session);
    for (CK_ULONG i = 0; i < count; i++)
      add_cert(certs, module, session, found[i]);
  }
  module->C_CloseSession(session);
  return g_steal_pointer(&certs);
}
