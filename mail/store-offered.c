#include <sqlite3.h>
#include <string.h>

#include "mail/store-people-private.h"

/* What directories offered: candidates, kept apart from those that mail brought and from those that were accepted. */
enum { OFFERED_MAX = 32, OFFERED_AT_ONCE = 64, OFFERED_ALL = 5000, CERT_SIZE = 64 * 1024 };

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

static gboolean
fail(MlPeople *people, GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "people.db, which keeps what directories offered, cannot be used: %s.",
              sqlite3_errmsg(ml_people_db(people)));
  return FALSE;
}

static sqlite3_stmt *
prepare(MlPeople *people, const char *sql, const char *address, GError **error)
{
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(ml_people_db(people), sql, -1, &statement, NULL) != SQLITE_OK) {
    fail(people, error);
    return NULL;
  }
  if (address)
    sqlite3_bind_text(statement, 1, address, -1, SQLITE_TRANSIENT);
  return statement;
}

static gboolean
add(MlPeople *people, const char *sql, const char *address, const char *source, CryptoCert *cert, gint64 now, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = prepare(people, sql, address, error);
  GBytes *der = crypto_cert_der(cert);
  if (!statement)
    return FALSE;
  sqlite3_bind_text(statement, 2, crypto_cert_sha256(cert), -1, SQLITE_TRANSIENT);
  sqlite3_bind_blob64(statement, 3, g_bytes_get_data(der, NULL), g_bytes_get_size(der), SQLITE_TRANSIENT);
  sqlite3_bind_int64(statement, 4, now);
  sqlite3_bind_text(statement, 5, source, -1, SQLITE_TRANSIENT);
  return sqlite3_step(statement) == SQLITE_DONE || fail(people, error);
}

static gboolean
names_address(CryptoCert *cert, const char *address)
{
  const char *const *addresses = crypto_cert_addresses(cert);
  for (guint i = 0; addresses[i]; i++)
    if (ml_address_equal(addresses[i], address))
      return TRUE;
  return FALSE;
}

/* Of the authorities that came along only those that stand above the certificate are kept. */
static gboolean
add_with_chain(MlPeople *people, const char *folded, const char *source, CryptoCert *cert, const CryptoChain *chain,
               gint64 now, GError **error)
{
  static const char insert[] = "INSERT OR REPLACE INTO offered(address, cert, der, at, source) VALUES(?1, ?2, ?3, ?4, ?5)";
  static const char issuer[] = "INSERT INTO issuers(cert, der, at) SELECT ?2, ?3, ?4 WHERE ?1 <> ?5 ON CONFLICT(cert) DO UPDATE"
                               " SET at = max(at, excluded.at)";
  if (!add(people, insert, folded, source, cert, now, error))
    return FALSE;
  for (guint i = 1; i < chain->certs->len; i++)
    if (!crypto_cert_self_signed(chain->certs->pdata[i]) &&
        g_bytes_get_size(crypto_cert_der(chain->certs->pdata[i])) <= CERT_SIZE &&
        !add(people, issuer, folded, "", chain->certs->pdata[i], now, error))
      return FALSE;
  return TRUE;
}

gboolean
ml_people_offer(MlPeople *people, const char *address, const char *source, GPtrArray *certs, GPtrArray *issuers, gint64 now,
                GError **error)
{
  g_autofree char *folded = ml_address_fold(address);
  sqlite3 *db = ml_people_db(people);
  g_autoptr(GPtrArray) taken = g_ptr_array_new();
  if (!folded)
    return TRUE;
  /* before the transaction: other programs need not wait for NSS */
  g_autoptr(GPtrArray) chains = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_chain_free);
  for (guint i = 0; i < certs->len && taken->len < OFFERED_MAX; i++) {
    CryptoCert *cert = certs->pdata[i];
    if (!names_address(cert, folded) || g_bytes_get_size(crypto_cert_der(cert)) > CERT_SIZE)
      continue;
    g_ptr_array_add(taken, cert);
    g_ptr_array_add(chains, crypto_chain_check(cert, CRYPTO_USE_ENCRYPT, now, CRYPTO_REVOCATION_OFF, issuers));
  }
  if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
    return fail(people, error);
  g_autoptr(sqlite3_stmt) forget = prepare(people, "DELETE FROM offered WHERE address = ?1 AND source = ?2", folded, error);
  gboolean good = forget != NULL;
  if (good) {
    sqlite3_bind_text(forget, 2, source, -1, SQLITE_TRANSIENT);
    good = sqlite3_step(forget) == SQLITE_DONE || fail(people, error);
    sqlite3_reset(forget);
  }
  for (guint i = 0; good && i < taken->len; i++)
    good = add_with_chain(people, folded, source, taken->pdata[i], chains->pdata[i], now, error);
  if (good && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
    return TRUE;
  if (good)
    fail(people, error);
  sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

static void
offered_free(gpointer data)
{
  MlOffered *offered = data;
  crypto_cert_unref(offered->cert);
  g_free(offered->address);
  g_free(offered->source);
  g_free(offered);
}

GPtrArray *
ml_people_offered(MlPeople *people, const char *address, GError **error)
{
  g_autofree char *folded = address ? ml_address_fold(address) : NULL;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(offered_free);
  /* without those to which the user said no (ml_people_forget) */
  g_autofree char *sql = g_strdup_printf(
      "SELECT der, source, at, address FROM offered WHERE%s NOT EXISTS (SELECT 1 FROM brought WHERE"
      " brought.address = offered.address AND brought.cert = offered.cert AND length(brought.der) = 0)"
      " ORDER BY at DESC, rowid LIMIT %d",
      address ? " address = ?1 AND" : "", address ? OFFERED_AT_ONCE : OFFERED_ALL);
  g_autoptr(sqlite3_stmt) statement = prepare(people, sql, address ? (folded ? folded : "") : NULL, error);
  if (!statement)
    return NULL;
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    int length = sqlite3_column_bytes(statement, 0);
    CryptoCert *cert = length > 0 ? crypto_cert_new(sqlite3_column_blob(statement, 0), (gsize)length, NULL) : NULL;
    if (!cert)
      continue;
    MlOffered *offered = g_new0(MlOffered, 1);
    *offered = (MlOffered){ .cert = cert,
                            .source = g_strdup((const char *)sqlite3_column_text(statement, 1)),
                            .at = sqlite3_column_int64(statement, 2),
                            .address = g_strdup((const char *)sqlite3_column_text(statement, 3)) };
    g_ptr_array_add(all, offered);
  }
  if (step != SQLITE_DONE) {
    fail(people, error);
    return NULL;
  }
  return g_steal_pointer(&all);
}
