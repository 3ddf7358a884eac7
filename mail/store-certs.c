#include <sqlite3.h>
#include <string.h>

#include "mail/store-people-private.h"

/* What was said to certificates that mail, a file or a directory brought: yes (accepted) and no. */
enum { ACCEPTED_MAX = 20000 };

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

static gboolean
fail(MlPeople *people, GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "people.db, which remembers certificates, cannot be used: %s.",
              sqlite3_errmsg(ml_people_db(people)));
  return FALSE;
}

/* Texts for ?1 and ?2; the second may be NULL. NULL: the error is set. */
static sqlite3_stmt *
prepare(MlPeople *people, const char *sql, const char *first, const char *second, GError **error)
{
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(ml_people_db(people), sql, -1, &statement, NULL) != SQLITE_OK) {
    fail(people, error);
    return NULL;
  }
  if (first)
    sqlite3_bind_text(statement, 1, first, -1, SQLITE_TRANSIENT);
  if (second)
    sqlite3_bind_text(statement, 2, second, -1, SQLITE_TRANSIENT);
  return statement;
}

static void
accepted_free(gpointer data)
{
  MlAccepted *accepted = data;
  g_free(accepted->address);
  g_free(accepted->sha256);
  g_free(accepted->source);
  g_free(accepted);
}

GPtrArray *
ml_people_accepted_all(MlPeople *people, GError **error)
{
  g_autofree char *sql = g_strdup_printf("SELECT address, cert, source, at FROM accepted ORDER BY at DESC, rowid DESC"
                                         " LIMIT %d",
                                         ACCEPTED_MAX);
  g_autoptr(sqlite3_stmt) statement = prepare(people, sql, NULL, NULL, error);
  if (!statement)
    return NULL;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(accepted_free);
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    MlAccepted *accepted = g_new0(MlAccepted, 1);
    accepted->address = g_strdup((const char *)sqlite3_column_text(statement, 0));
    accepted->sha256 = g_strdup((const char *)sqlite3_column_text(statement, 1));
    accepted->source = g_strdup((const char *)sqlite3_column_text(statement, 2));
    accepted->at = sqlite3_column_int64(statement, 3);
    g_ptr_array_add(all, accepted);
  }
  if (step != SQLITE_DONE) {
    fail(people, error);
    return NULL;
  }
  return g_steal_pointer(&all);
}

static gboolean
run(MlPeople *people, const char *sql, const char *address, const char *sha256, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = prepare(people, sql, address, sha256, error);
  return statement && (sqlite3_step(statement) == SQLITE_DONE || fail(people, error));
}

static char *
folded_address(const char *address, GError **error)
{
  char *folded = ml_address_fold(address);
  if (!folded)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s is not a mail address.", address);
  return folded;
}

gboolean
ml_people_unaccept(MlPeople *people, const char *address, const char *sha256, GError **error)
{
  if (!address)
    return run(people, "DELETE FROM accepted WHERE cert = ?1", sha256, NULL, error);
  g_autofree char *folded = folded_address(address, error);
  return folded && run(people, "DELETE FROM accepted WHERE address = ?1 AND cert = ?2", folded, sha256, error);
}

/* A row without octets stays: mail that brings the certificate again finds it there. */
gboolean
ml_people_forget(MlPeople *people, const char *address, const char *sha256, GError **error)
{
  sqlite3 *db = ml_people_db(people);
  g_autofree char *folded = folded_address(address, error);
  if (!folded)
    return FALSE;
  if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
    return fail(people, error);
  gboolean good = run(people,
                      "INSERT INTO brought(address, cert, der, at) VALUES(?1, ?2, x'', strftime('%s', 'now'))"
                      " ON CONFLICT(address, cert) DO UPDATE SET der = x''",
                      folded, sha256, error) &&
                  ml_people_unaccept(people, folded, sha256, error);
  if (good && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
    return TRUE;
  if (good)
    fail(people, error);
  sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

gboolean
ml_people_is_current(MlPeople *people, const char *address, gint64 since)
{
  g_autofree char *folded = ml_address_fold(address);
  g_autoptr(sqlite3_stmt) statement =
      prepare(people,
              "SELECT 1 FROM addresses WHERE folded = ?1 AND last >= ?2 UNION ALL"
              " SELECT 1 FROM seen WHERE address = ?1 AND first >= ?2 LIMIT 1",
              folded ? folded : "", NULL, NULL);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 2, since);
  return sqlite3_step(statement) == SQLITE_ROW;
}
