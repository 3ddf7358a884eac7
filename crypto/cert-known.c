#include "crypto/cert-private.h"

/* Certificates that have been read lately, by their octets: the same few come with every mail of a correspondent, and
 * NSS looks through every token, the built-in roots among them, for each one that it is shown. Knowing one is no
 * trust: what a mail may be judged by is asked of the database, of this run's options and of that mail alone. */
enum { CERTS_MAX = 500, BYTES_MAX = 4 * 1024 * 1024 };

static GMutex lock;
static GHashTable *known; /* GBytes of the DER -> CryptoCert; under the lock */
static gsize octets;

static GHashTable *
steal_locked(void)
{
  octets = 0;
  return g_steal_pointer(&known);
}

CryptoCert *
crypto_cert_known(const guint8 *der, gsize length)
{
  g_autoptr(GBytes) key = g_bytes_new_static(der, length);
  g_mutex_lock(&lock);
  CryptoCert *cert = known ? g_hash_table_lookup(known, key) : NULL;
  if (cert)
    crypto_cert_ref(cert);
  g_mutex_unlock(&lock);
  return cert;
}

void
crypto_cert_keep(CryptoCert *cert)
{
  GHashTable *full = NULL;
  g_mutex_lock(&lock);
  if (known && (g_hash_table_size(known) >= CERTS_MAX || octets > BYTES_MAX))
    full = steal_locked();
  if (!known)
    known = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, NULL, (GDestroyNotify)crypto_cert_unref);
  if (g_hash_table_replace(known, cert->der, crypto_cert_ref(cert)))
    octets += g_bytes_get_size(cert->der);
  g_mutex_unlock(&lock);
  g_clear_pointer(&full, g_hash_table_unref); /* NSS has locks of its own */
}

void
crypto_cert_forget(void)
{
  g_mutex_lock(&lock);
  GHashTable *all = steal_locked();
  g_mutex_unlock(&lock);
  g_clear_pointer(&all, g_hash_table_unref);
}
