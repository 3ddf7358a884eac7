#include "ui/cert-candidates.h"

static void
candidate_free(gpointer data)
{
  UiCertCandidate *candidate = data;
  crypto_cert_unref(candidate->cert);
  g_free(candidate->address);
  g_free(candidate->source);
  g_free(candidate);
}

static void
add(GPtrArray *all, GHashTable *seen, GHashTable *kept, CryptoCert *cert, const char *address, char *source)
{
  g_autofree char *owned = source;
  gboolean known = kept && g_hash_table_contains(kept, crypto_cert_sha256(cert));
  if (!g_hash_table_add(seen, g_strdup_printf("%s %s", crypto_cert_sha256(cert), address)) || known)
    return;
  UiCertCandidate *candidate = g_new(UiCertCandidate, 1);
  *candidate = (UiCertCandidate){ crypto_cert_ref(cert), g_strdup(address), g_steal_pointer(&owned) };
  g_ptr_array_add(all, candidate);
}

GPtrArray *
ui_cert_candidates(MlPeople *people, GHashTable *kept)
{
  GPtrArray *all = g_ptr_array_new_with_free_func(candidate_free);
  g_autoptr(GPtrArray) brought = ml_people_brought(people, NULL, NULL), offered = ml_people_offered(people, NULL, NULL);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; brought && i < brought->len; i++) {
    const MlBrought *one = brought->pdata[i];
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(one->at);
    add(all, seen, kept, one->cert, one->address,
        when ? g_date_time_format(when, "signed mail of %Y-%m-%d") : g_strdup("signed mail"));
  }
  for (guint i = 0; offered && i < offered->len; i++) {
    const MlOffered *one = offered->pdata[i];
    add(all, seen, kept, one->cert, one->address, g_strdup(one->source));
  }
  return all;
}
