#include <sqlite3.h>
#include <string.h>

#include "mail/addressbook-private.h"
#include "mail/store-people-private.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

static gboolean
fail(MlPeople *people, GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "people.db, which remembers addresses, cannot be used: %s.",
              sqlite3_errmsg(ml_people_db(people)));
  return FALSE;
}

static gboolean
run(MlPeople *people, const char *sql, GError **error)
{
  return sqlite3_exec(ml_people_db(people), sql, NULL, NULL, NULL) == SQLITE_OK || fail(people, error);
}

gboolean
ml_store_addresses_begin(MlPeople *people, GError **error)
{
  return run(people, "BEGIN IMMEDIATE", error);
}

gboolean
ml_store_addresses_end(MlPeople *people, gboolean good, GError **error)
{
  if (good)
    return run(people, "COMMIT", error);
  return run(people, "ROLLBACK", NULL) && FALSE;
}

/* A name that the user typed when writing is not replaced by what a sender calls himself. */
static const char add[] =
    "INSERT INTO addresses(folded, address, name, sent, seen, last) VALUES(?1, ?2, ?3, ?4, 1 - ?4, ?5)"
    " ON CONFLICT(folded) DO UPDATE SET sent = sent + excluded.sent, seen = seen + excluded.seen,"
    " last = max(last, excluded.last),"
    " address = CASE WHEN excluded.sent THEN excluded.address ELSE address END,"
    " name = CASE WHEN excluded.name <> '' AND (excluded.sent OR NOT sent OR name = '') THEN excluded.name"
    " ELSE name END";

gboolean
ml_store_addresses_add(MlPeople *people, const char *address, const char *name, gboolean sent, gint64 now,
                       GError **error)
{
  g_autofree char *folded = ml_address_fold(address);
  if (!folded)
    return TRUE;
  g_autoptr(sqlite3_stmt) statement = NULL;
  if (sqlite3_prepare_v2(ml_people_db(people), add, -1, &statement, NULL) != SQLITE_OK)
    return fail(people, error);
  sqlite3_bind_text(statement, 1, folded, -1, SQLITE_TRANSIENT);
  sqlite3_bind_text(statement, 2, address, -1, SQLITE_TRANSIENT);
  sqlite3_bind_text(statement, 3, name ? name : "", -1, SQLITE_TRANSIENT);
  sqlite3_bind_int(statement, 4, sent ? 1 : 0);
  sqlite3_bind_int64(statement, 5, now);
  return sqlite3_step(statement) == SQLITE_DONE || fail(people, error);
}

gboolean
ml_store_addresses_each(MlPeople *people, MlStoreAddressFunc func, gpointer user_data, GError **error)
{
  g_autofree char *sql = g_strdup_printf("SELECT address, name, sent, seen, last FROM addresses"
                                         " ORDER BY sent DESC, last DESC LIMIT %d",
                                         ML_ADDRESSBOOK_MAX);
  g_autoptr(sqlite3_stmt) statement = NULL;
  if (sqlite3_prepare_v2(ml_people_db(people), sql, -1, &statement, NULL) != SQLITE_OK)
    return fail(people, error);
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW)
    func((const char *)sqlite3_column_text(statement, 0), (const char *)sqlite3_column_text(statement, 1),
         (guint)sqlite3_column_int(statement, 2), (guint)sqlite3_column_int(statement, 3),
         sqlite3_column_int64(statement, 4), user_data);
  return step == SQLITE_DONE || fail(people, error);
}
