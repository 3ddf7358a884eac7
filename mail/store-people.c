#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "crypto/mapping.h"
#include "mail/address-private.h"
#include "mail/message-private.h"
#include "mail/people.h"
#include "mail/store-people-private.h"
#include "mail/store-private.h"

enum { SCHEMA = 4, BUSY_MS = 5000, WORD_LIMIT = 998, BROUGHT_MAX = 20, BROUGHT_ALL = 5000, ISSUERS_MAX = 500,
       CERT_SIZE = 64 * 1024 };

struct MlPeople {
  sqlite3 *db;
};

/* seen: each judged message once. cert and issuer are of the signature that counted: intact, trusted, and by the
 * From; '' where there was none. Such a message alone fills the other tables: caps with the newest
 * SMIMECapabilities, brought with the certificate that its sender wants to be written to, issuers with what stood
 * between that and its root. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS seen(id TEXT NOT NULL, digest TEXT NOT NULL, address TEXT NOT NULL,"
    " cert TEXT NOT NULL, issuer TEXT NOT NULL, first INTEGER NOT NULL, PRIMARY KEY(id, digest));"
    "CREATE INDEX IF NOT EXISTS seen_address ON seen(address, cert);"
    "CREATE TABLE IF NOT EXISTS accepted(address TEXT NOT NULL, cert TEXT NOT NULL, source TEXT NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY(address, cert));"
    "CREATE TABLE IF NOT EXISTS caps(address TEXT PRIMARY KEY, der BLOB NOT NULL, at INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS brought(address TEXT NOT NULL, cert TEXT NOT NULL, der BLOB NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY(address, cert));"
    "CREATE TABLE IF NOT EXISTS issuers(cert TEXT PRIMARY KEY, der BLOB NOT NULL, at INTEGER NOT NULL);"
    /* what directories offered (store-offered.c) */
    "CREATE TABLE IF NOT EXISTS offered(address TEXT NOT NULL, cert TEXT NOT NULL, der BLOB NOT NULL,"
    " at INTEGER NOT NULL, source TEXT NOT NULL, PRIMARY KEY(address, cert, source));"
    /* addresses, for completion (store-addresses.c): how often written to, and read of */
    "CREATE TABLE IF NOT EXISTS addresses(folded TEXT PRIMARY KEY, address TEXT NOT NULL, name TEXT NOT NULL,"
    " sent INTEGER NOT NULL, seen INTEGER NOT NULL, last INTEGER NOT NULL);";

struct sqlite3 *
ml_people_db(MlPeople *people)
{
  return people->db;
}

static gboolean
fail(MlPeople *people, GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_STORE,
              "people.db, which remembers who signed with what, cannot be used: %s.",
              people->db ? sqlite3_errmsg(people->db) : "out of memory");
  return FALSE;
}

static gboolean
run(MlPeople *people, const char *sql, GError **error)
{
  return sqlite3_exec(people->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(people, error);
}

/* Texts for ?1, ?2, ... up to a NULL. NULL: the error is set. */
static sqlite3_stmt *
prepare(MlPeople *people, GError **error, const char *sql, ...)
{
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(people->db, sql, -1, &statement, NULL) != SQLITE_OK) {
    fail(people, error);
    return NULL;
  }
  va_list args;
  va_start(args, sql);
  const char *text;
  for (int i = 1; (text = va_arg(args, const char *)); i++)
    sqlite3_bind_text(statement, i, text, (int)MIN(strlen(text), (gsize)WORD_LIMIT), SQLITE_TRANSIENT);
  va_end(args);
  return statement;
}

static char *
column(sqlite3_stmt *statement, int index)
{
  return g_strdup((const char *)sqlite3_column_text(statement, index));
}

static int
user_version(MlPeople *people)
{
  g_autoptr(sqlite3_stmt) statement = prepare(people, NULL, "PRAGMA user_version", NULL);
  return statement && sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;
}

MlPeople *
ml_people_open(const char *file, GError **error)
{
  g_autoptr(MlPeople) people = g_new0(MlPeople, 1);
  g_autofree char *folder = g_path_get_dirname(file);
  if (g_mkdir_with_parents(folder, 0700) != 0) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The folder %s cannot be made.", folder);
    return NULL;
  }
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  if (sqlite3_open_v2(file, &people->db, flags, NULL) != SQLITE_OK) {
    fail(people, error);
    return NULL;
  }
  chmod(file, 0600);
  sqlite3_limit(people->db, SQLITE_LIMIT_LENGTH, 16 * 1024 * 1024);
  if (ml_store_be_shared(people->db, BUSY_MS) != SQLITE_OK) {
    fail(people, error);
    return NULL;
  }
  if (!run(people, "PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF", error))
    return NULL;
  int version = user_version(people);
  if (version > SCHEMA) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s was written by a newer signet; use that one.", file);
    return NULL;
  }
  if (version < SCHEMA && (!run(people, "BEGIN IMMEDIATE", error) || !run(people, schema, error) ||
                           !run(people, "PRAGMA user_version=4; COMMIT", error)))
    return NULL;
  return g_steal_pointer(&people);
}

MlPeople *
ml_people_open_to_read(const char *file, GError **error)
{
  if (!g_file_test(file, G_FILE_TEST_EXISTS))
    return NULL;
  g_autoptr(MlPeople) people = g_new0(MlPeople, 1);
  if (sqlite3_open_v2(file, &people->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, NULL) != SQLITE_OK) {
    fail(people, error);
    return NULL;
  }
  sqlite3_busy_timeout(people->db, BUSY_MS);
  sqlite3_limit(people->db, SQLITE_LIMIT_LENGTH, 16 * 1024 * 1024);
  if (!run(people, "PRAGMA trusted_schema=OFF", error))
    return NULL;
  int version = user_version(people);
  if (version < 0)
    fail(people, error);
  else if (version > SCHEMA)
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s was written by a newer signet; use that one.", file);
  return version == SCHEMA ? g_steal_pointer(&people) : NULL; /* 0: another signet is just making it */
}

void
ml_people_free(MlPeople *people)
{
  if (!people)
    return;
  sqlite3_close_v2(people->db);
  g_free(people);
}

static char *
digest_of(GBytes *raw)
{
  enum { STEP = 1024 * 1024 };
  GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
  gsize length;
  const guint8 *data = g_bytes_get_data(raw, &length);
  for (gsize at = 0; at < length; at += STEP) {
    gsize part = MIN(length - at, (gsize)STEP);
    g_checksum_update(sum, data + at, (gssize)part);
    crypto_mapping_release(data + at, data + at + part);
  }
  char *digest = g_strdup(g_checksum_get_string(sum));
  g_checksum_free(sum);
  return digest;
}

/* The signature that a sender is known by: intact, trusted and by the From. */
static const MlSigner *
counting_signer(const MlMessage *message)
{
  const MlVerdict *verdict = ml_message_verdict(message);
  if (verdict->signature != ML_SIGNATURE_VALID || verdict->signer_matches_from != ML_YES)
    return NULL;
  for (guint i = 0; i < verdict->signers->len; i++) {
    const MlSigner *signer = verdict->signers->pdata[i];
    if (signer->matches_from)
      return signer;
  }
  return NULL;
}

static gint64
signed_at(const MlSigner *signer, gint64 now)
{
  return signer->cms->has_signing_time ? MIN(signer->cms->signing_time, now) : now;
}

static gboolean
keep_capabilities(MlPeople *people, const char *address, const MlSigner *signer, gint64 now, GError **error)
{
  if (!signer->cms->capabilities)
    return TRUE;
  gint64 at = signed_at(signer, now);
  g_autoptr(sqlite3_stmt) statement =
      prepare(people, error,
              "INSERT INTO caps(address, der, at) VALUES(?1, ?2, ?3) ON CONFLICT(address) DO UPDATE"
              " SET der = excluded.der, at = excluded.at WHERE excluded.at >= caps.at",
              address, NULL);
  if (!statement)
    return FALSE;
  gsize length = 0;
  const void *der = g_bytes_get_data(signer->cms->capabilities, &length);
  sqlite3_bind_blob64(statement, 2, der, length, SQLITE_TRANSIENT);
  sqlite3_bind_int64(statement, 3, at);
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

/* The certificate that the sender wants to be written to: the one that the signature names, else the signer's own,
 * else one that came along; it must be the sender's. Transfer full; NULL: none. */
static CryptoCert *
wanted_cert(const MlMessage *message, const MlSigner *signer, const char *address)
{
  GPtrArray *certs = ml_message_certs(message);
  g_autoptr(CryptoCert) named = crypto_cms_preferred_cert(signer->cms, certs);
  if (named && names_address(named, address) && crypto_cert_can_encrypt(named))
    return g_steal_pointer(&named);
  if (crypto_cert_can_encrypt(signer->cms->cert))
    return crypto_cert_ref(signer->cms->cert);
  for (guint i = 0; i < certs->len; i++)
    if (!crypto_cert_is_authority(certs->pdata[i]) && names_address(certs->pdata[i], address) &&
        crypto_cert_can_encrypt(certs->pdata[i]))
      return crypto_cert_ref(certs->pdata[i]);
  return NULL;
}

static gboolean
keep_cert(MlPeople *people, const char *sql, const char *address, CryptoCert *cert, gint64 at, GError **error)
{
  GBytes *der = crypto_cert_der(cert);
  g_autoptr(sqlite3_stmt) statement = prepare(people, error, sql, address, crypto_cert_sha256(cert), NULL);
  if (!statement)
    return FALSE;
  sqlite3_bind_blob64(statement, 3, g_bytes_get_data(der, NULL), g_bytes_get_size(der), SQLITE_TRANSIENT);
  sqlite3_bind_int64(statement, 4, at);
  return sqlite3_step(statement) == SQLITE_DONE || fail(people, error);
}

static gboolean
keep_certs(MlPeople *people, const MlMessage *message, const char *address, const MlSigner *signer, gint64 now,
           GError **error)
{
  g_autoptr(CryptoCert) cert = wanted_cert(message, signer, address);
  gint64 at = signed_at(signer, now);
  if (!cert || g_bytes_get_size(crypto_cert_der(cert)) > CERT_SIZE)
    return TRUE;
  if (!keep_cert(people,
                 "INSERT INTO brought(address, cert, der, at) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(address, cert)"
                 " DO UPDATE SET at = max(at, excluded.at)",
                 address, cert, at, error))
    return FALSE;
  g_autofree char *trim = g_strdup_printf("DELETE FROM brought WHERE address = ?1 AND rowid NOT IN (SELECT rowid"
                                          " FROM brought WHERE address = ?1 ORDER BY at DESC LIMIT %d)",
                                          BROUGHT_MAX);
  g_autoptr(sqlite3_stmt) statement = prepare(people, error, trim, address, NULL);
  if (!statement || (sqlite3_step(statement) != SQLITE_DONE && !fail(people, error)))
    return FALSE;
  GPtrArray *chain = signer->now ? signer->now->certs : NULL;
  for (guint i = 1; chain && i < chain->len; i++)
    if (!crypto_cert_self_signed(chain->pdata[i]) &&
        g_bytes_get_size(crypto_cert_der(chain->pdata[i])) <= CERT_SIZE &&
        !keep_cert(people,
                   "INSERT INTO issuers(cert, der, at) SELECT ?2, ?3, ?4 WHERE ?1 <> '' ON CONFLICT(cert) DO UPDATE"
                   " SET at = max(at, excluded.at)",
                   address, chain->pdata[i], at, error))
      return FALSE;
  return TRUE;
}

static gint64
first_seen(MlPeople *people, const char *message_id, const char *digest)
{
  g_autoptr(sqlite3_stmt) statement =
      prepare(people, NULL, "SELECT first FROM seen WHERE id = ?1 AND digest = ?2", message_id, digest, NULL);
  return statement && sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
}

gint64
ml_people_note(MlPeople *people, const MlMessage *message, const char *message_id, gint64 now, GError **error)
{
  const MlSigner *signer = counting_signer(message);
  char **from = ml_message_from_addresses(message);
  const char *address = from[0] && !from[1] ? from[0] : "";
  g_autofree char *digest = digest_of(message->root->source);
  /* A message that was judged before its certificate was trusted counts once it is. */
  g_autoptr(sqlite3_stmt) statement = prepare(
      people, error,
      "INSERT INTO seen(id, digest, address, cert, issuer, first) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
      " ON CONFLICT(id, digest) DO UPDATE SET cert = excluded.cert, issuer = excluded.issuer"
      " WHERE seen.cert = '' AND excluded.cert <> ''",
      message_id ? message_id : "", digest, address, signer ? crypto_cert_sha256(signer->cms->cert) : "",
      signer ? crypto_cert_issuer(signer->cms->cert) : "", NULL);
  if (!statement)
    return 0;
  sqlite3_bind_int64(statement, 6, now);
  if (sqlite3_step(statement) != SQLITE_DONE) {
    fail(people, error);
    return 0;
  }
  if (signer && *address &&
      (!keep_capabilities(people, address, signer, now, error) ||
       !keep_certs(people, message, address, signer, now, error)))
    return 0;
  return first_seen(people, message_id ? message_id : "", digest);
}

gint64
ml_people_first_seen(MlPeople *people, const char *message_id, GBytes *raw)
{
  g_autofree char *digest = digest_of(raw);
  return first_seen(people, message_id ? message_id : "", digest);
}

void
ml_history_free(MlHistory *history)
{
  if (!history)
    return;
  g_free(history->last_sha256);
  g_free(history->last_issuer);
  g_free(history);
}

/* The two counts of @history, and whether @cert and its authority are known, without the message of @digest. */
static gboolean
count(MlPeople *people, const char *address, CryptoCert *cert, const char *digest, MlHistory *history,
      GError **error)
{
  g_autoptr(sqlite3_stmt) statement = prepare(
      people, error,
      "SELECT count(*), count(nullif(cert, '')), count(CASE WHEN cert = ?2 THEN 1 END),"
      " count(CASE WHEN cert <> '' AND issuer = ?3 THEN 1 END) FROM seen WHERE address = ?1 AND digest <> ?4",
      address, cert ? crypto_cert_sha256(cert) : "-", cert ? crypto_cert_issuer(cert) : "-", digest, NULL);
  if (!statement)
    return FALSE;
  if (sqlite3_step(statement) != SQLITE_ROW)
    return fail(people, error);
  history->messages = (guint)sqlite3_column_int(statement, 0);
  history->with_signature = (guint)sqlite3_column_int(statement, 1);
  history->known_cert = sqlite3_column_int(statement, 2) > 0;
  history->known_issuer = sqlite3_column_int(statement, 3) > 0;
  return TRUE;
}

static gboolean
look_at_last(MlPeople *people, const char *address, const char *digest, MlHistory *history, GError **error)
{
  g_autoptr(sqlite3_stmt) last =
      prepare(people, error,
              "SELECT cert, issuer FROM seen WHERE address = ?1 AND cert <> '' AND digest <> ?2 "
              "ORDER BY first DESC, rowid DESC LIMIT 1",
              address, digest, NULL);
  if (!last)
    return FALSE;
  int step = sqlite3_step(last);
  if (step == SQLITE_ROW) {
    history->last_sha256 = column(last, 0);
    history->last_issuer = column(last, 1);
  }
  return step == SQLITE_ROW || step == SQLITE_DONE || fail(people, error);
}

MlHistory *
ml_people_history(MlPeople *people, const char *address, CryptoCert *cert, GBytes *except, GError **error)
{
  g_autofree char *folded = ml_address_fold(address);
  g_autoptr(MlHistory) history = g_new0(MlHistory, 1);
  if (!folded)
    return g_steal_pointer(&history);
  if (!count(people, folded, cert, "", history, error))
    return NULL;
  if (!history->messages)
    return g_steal_pointer(&history);
  /* only now: a large message's digest takes a while */
  g_autofree char *digest = except ? digest_of(except) : g_strdup("");
  if ((*digest && !count(people, folded, cert, digest, history, error)) ||
      !look_at_last(people, folded, digest, history, error))
    return NULL;
  return g_steal_pointer(&history);
}

gboolean
ml_people_accept(MlPeople *people, const char *address, const char *sha256, const char *source, gint64 now,
                 GError **error)
{
  g_autofree char *folded = ml_address_fold(address);
  if (!folded) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s is not a mail address.", address);
    return FALSE;
  }
  g_autoptr(sqlite3_stmt) statement = prepare(
      people, error, "INSERT OR IGNORE INTO accepted(address, cert, source, at) VALUES(?1, ?2, ?3, ?4)",
      folded, sha256, source ? source : "", NULL);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 4, now);
  return sqlite3_step(statement) == SQLITE_DONE || fail(people, error);
}

GPtrArray *
ml_people_accepted(MlPeople *people, const char *address, GError **error)
{
  g_autofree char *folded = ml_address_fold(address);
  g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(sqlite3_stmt) statement = prepare(
      people, error, "SELECT cert FROM accepted WHERE address = ?1 ORDER BY at DESC, rowid DESC LIMIT 100",
      folded ? folded : "", NULL);
  if (!statement)
    return NULL;
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW)
    g_ptr_array_add(certs, column(statement, 0));
  if (step != SQLITE_DONE) {
    fail(people, error);
    return NULL;
  }
  return g_steal_pointer(&certs);
}

GBytes *
ml_people_capabilities(MlPeople *people, const char *address)
{
  g_autofree char *folded = ml_address_fold(address);
  g_autoptr(sqlite3_stmt) statement =
      prepare(people, NULL, "SELECT der FROM caps WHERE address = ?1", folded ? folded : "", NULL);
  if (!statement || sqlite3_step(statement) != SQLITE_ROW)
    return NULL;
  return g_bytes_new(sqlite3_column_blob(statement, 0), (gsize)sqlite3_column_bytes(statement, 0));
}

static CryptoCert *
column_cert(sqlite3_stmt *statement, int index)
{
  int length = sqlite3_column_bytes(statement, index);
  return length > 0 ? crypto_cert_new(sqlite3_column_blob(statement, index), (gsize)length, NULL) : NULL;
}

static void
brought_free(gpointer data)
{
  MlBrought *brought = data;
  crypto_cert_unref(brought->cert);
  g_free(brought->address);
  g_free(brought);
}

GPtrArray *
ml_people_brought(MlPeople *people, const char *address, GError **error)
{
  g_autofree char *folded = address ? ml_address_fold(address) : NULL;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(brought_free);
  g_autofree char *sql = g_strdup_printf("SELECT der, at, address FROM brought WHERE length(der) > 0%s"
                                         " ORDER BY at DESC, rowid DESC LIMIT %d",
                                         address ? " AND address = ?1" : "", address ? BROUGHT_MAX : BROUGHT_ALL);
  g_autoptr(sqlite3_stmt) statement = prepare(people, error, sql, address ? (folded ? folded : "") : NULL, NULL);
  if (!statement)
    return NULL;
  int step;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    CryptoCert *cert = column_cert(statement, 0);
    if (!cert)
      continue;
    MlBrought *brought = g_new0(MlBrought, 1);
    brought->cert = cert;
    brought->at = sqlite3_column_int64(statement, 1);
    brought->address = column(statement, 2);
    g_ptr_array_add(all, brought);
  }
  if (step != SQLITE_DONE) {
    fail(people, error);
    return NULL;
  }
  return g_steal_pointer(&all);
}

GPtrArray *
ml_people_issuers(MlPeople *people)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  g_autofree char *sql = g_strdup_printf("SELECT der FROM issuers ORDER BY at DESC LIMIT %d", ISSUERS_MAX);
  g_autoptr(sqlite3_stmt) statement = prepare(people, NULL, sql, NULL);
  while (statement && sqlite3_step(statement) == SQLITE_ROW) {
    CryptoCert *cert = column_cert(statement, 0);
    if (cert)
      g_ptr_array_add(all, cert);
  }
  return all;
}
