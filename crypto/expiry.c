#include "crypto/expiry.h"

#include <string.h>

void
crypto_expiry_free(CryptoExpiry *expiry)
{
  if (!expiry)
    return;
  crypto_cert_entry_free(expiry->entry);
  g_free(expiry);
}

static gboolean
covers(CryptoCert *newer, CryptoCert *older)
{
  const char *const *wanted = crypto_cert_addresses(older);
  if (!*wanted)
    return strcmp(crypto_cert_subject(newer), crypto_cert_subject(older)) == 0;
  for (; *wanted; wanted++)
    if (!g_strv_contains(crypto_cert_addresses(newer), *wanted))
      return FALSE;
  return TRUE;
}

/* Nobody is to be told that @entry ends: another does what it did, for longer. */
static gboolean
has_successor(GPtrArray *entries, const CryptoCertEntry *entry, gint64 now)
{
  const guint kind =
      CRYPTO_CERT_OWN | CRYPTO_CERT_AUTHORITY | CRYPTO_CERT_TRUSTED_MAIL | CRYPTO_CERT_TRUSTED_SERVER;
  CryptoCert *cert = entry->cert;
  for (guint i = 0; i < entries->len; i++) {
    const CryptoCertEntry *other = entries->pdata[i];
    if (other == entry || crypto_cert_not_after(other->cert) <= crypto_cert_not_after(cert) ||
        crypto_cert_not_before(other->cert) > now)
      continue;
    if ((entry->flags & kind & ~other->flags) || (other->flags & CRYPTO_CERT_DISTRUSTED) ||
        !covers(other->cert, cert))
      continue;
    if (crypto_cert_is_authority(cert) ||
        (crypto_cert_can_sign(other->cert) >= crypto_cert_can_sign(cert) &&
         crypto_cert_can_encrypt(other->cert) >= crypto_cert_can_encrypt(cert)))
      return TRUE;
  }
  return FALSE;
}

/* What stands above @cert in its chain now, by fingerprint. */
static void
add_chain(GHashTable *used, CryptoCert *cert, gint64 at)
{
  CryptoUse use = crypto_cert_can_sign(cert) ? CRYPTO_USE_SIGN : CRYPTO_USE_ENCRYPT;
  g_autoptr(CryptoChain) chain = crypto_chain_check(cert, use, at, CRYPTO_REVOCATION_OFF, NULL);
  for (guint i = 1; i < chain->certs->len; i++)
    g_hash_table_add(used, g_strdup(crypto_cert_sha256(chain->certs->pdata[i])));
}

static int
by_end(gconstpointer a, gconstpointer b)
{
  const CryptoExpiry *one = *(CryptoExpiry *const *)a, *two = *(CryptoExpiry *const *)b;
  return one->seconds < two->seconds ? -1 : one->seconds > two->seconds;
}

GPtrArray *
crypto_expiry_find(gint64 now, gint64 within, guint flags, GError **error)
{
  g_autoptr(GPtrArray) entries = crypto_certdb_list(flags == 0, error);
  if (!entries)
    return NULL;
  GPtrArray *found = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_expiry_free);
  g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GHashTable) gone = g_hash_table_new(NULL, NULL); /* entries with a successor */
  for (guint i = 0; i < entries->len; i++) {
    CryptoCertEntry *entry = entries->pdata[i];
    if ((entry->flags & CRYPTO_CERT_BUILTIN) || crypto_cert_not_after(entry->cert) > now + within)
      continue; /* those are not looked at, or only for what is above others */
    if (has_successor(entries, entry, now))
      g_hash_table_add(gone, entry);
  }
  for (guint i = 0; flags == 0 && i < entries->len; i++) {
    CryptoCertEntry *entry = entries->pdata[i];
    if (!(entry->flags & (CRYPTO_CERT_AUTHORITY | CRYPTO_CERT_BUILTIN)) &&
        !g_hash_table_contains(gone, entry) && crypto_cert_not_after(entry->cert) > now)
      add_chain(used, entry->cert, now);
  }
  for (guint i = entries->len; i-- > 0;) {
    CryptoCertEntry *entry = entries->pdata[i];
    gint64 seconds = crypto_cert_not_after(entry->cert) - now;
    gboolean authority = entry->flags & (CRYPTO_CERT_AUTHORITY | CRYPTO_CERT_BUILTIN);
    gboolean matters = entry->flags & CRYPTO_CERT_OWN || !authority ||
                       g_hash_table_contains(used, crypto_cert_sha256(entry->cert)) ||
                       (!(entry->flags & CRYPTO_CERT_BUILTIN) &&
                        entry->flags & (CRYPTO_CERT_TRUSTED_MAIL | CRYPTO_CERT_TRUSTED_SERVER));
    gboolean wanted = flags == CRYPTO_EXPIRY_LEAVES ? entry->flags & CRYPTO_CERT_OWN || !authority
                                                    : !flags || entry->flags & flags;
    if (seconds > within || !matters || !wanted ||
        g_hash_table_contains(gone, entry) || entry->flags & CRYPTO_CERT_DISTRUSTED)
      continue;
    CryptoExpiry *expiry = g_new0(CryptoExpiry, 1);
    expiry->entry = g_ptr_array_steal_index(entries, i);
    expiry->seconds = seconds;
    g_ptr_array_add(found, expiry);
  }
  g_ptr_array_sort(found, by_end);
  return found;
}
