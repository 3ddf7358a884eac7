#include <string.h>

#include "mail/address-private.h"
#include "mail/store-opened-private.h"
#include "mail/store-search-private.h"

enum { HITS_MAX = 1000 * 1000, PROGRESS_STEPS = 2000, LENGTH_MAX = 16 * 1024 * 1024, SAME_MAX = 16 };

typedef struct {
  gint64 row; /* in the index */
  char *folder, *message_id;
  guint32 uidvalidity, uid;
  gint64 lost;
  gint64 id, date; /* in the lists; id 0: it is in none */
  gboolean leaves; /* just now */
  gint64 written;  /* `lost`, as the file has it */
  gboolean moved;  /* by its Message-ID: this place is not its own word */
  gboolean nowhere; /* it was, and another says itself that it lies there */
  char *home;      /* of one that was moved: what the file has; NULL: this place */
  guint32 home_validity, home_uid;
  gboolean home_moved; /* it was moved there */
} Doc;

struct MlStoreOpened {
  sqlite3 *db;
  GPtrArray *docs;     /* of Doc, ascending by row */
  gint64 rows;         /* so many were ever given */
  GHashTable *numbers; /* number, as gint64 -> the Doc that says itself that this is its place; or the complement, as the file
                        * has it for one that was moved there */
  GHashTable *places;  /* number, as gint64 -> the Doc that lies there by the lists */
  GHashTable *ids;     /* id -> Doc */
  guint placed;        /* so many were looked for in the lists, when these were what state says */
  guint64 state[3];
};

static void
doc_free(gpointer data)
{
  Doc *doc = data;
  g_free(doc->folder);
  g_free(doc->message_id);
  g_free(doc->home);
  g_free(doc);
}

static gboolean
fail(const MlStoreOpened *opened, GError **error)
{
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "The words of encrypted mail cannot be searched: %s.",
              opened->db ? sqlite3_errmsg(opened->db) : "out of memory");
  return FALSE;
}

/* What SQLite sorts, and puts by, stays in memory as the rest. */
MlStoreOpened *
ml_store_opened_new(GError **error)
{
  static const char schema[] =
      "PRAGMA temp_store = MEMORY; PRAGMA journal_mode = MEMORY; PRAGMA trusted_schema = OFF;"
      "CREATE VIRTUAL TABLE t USING fts5(sender, recipient, subject, body, tokenize='signet');";
  MlStoreOpened *opened = g_new0(MlStoreOpened, 1);
  opened->docs = g_ptr_array_new_with_free_func(doc_free);
  opened->numbers = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  opened->places = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  opened->ids = g_hash_table_new(g_int64_hash, g_int64_equal);
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(":memory:", &opened->db, flags, NULL) == SQLITE_OK &&
      sqlite3_limit(opened->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX) >= 0 &&
      ml_store_search_words(opened->db) == SQLITE_OK &&
      sqlite3_exec(opened->db, schema, NULL, NULL, NULL) == SQLITE_OK)
    return opened;
  fail(opened, error);
  ml_store_opened_free(opened);
  return NULL;
}

void
ml_store_opened_free(MlStoreOpened *opened)
{
  if (!opened)
    return;
  sqlite3_close_v2(opened->db);
  g_hash_table_unref(opened->ids);
  g_hash_table_unref(opened->numbers);
  g_hash_table_unref(opened->places);
  g_ptr_array_unref(opened->docs);
  g_free(opened);
}

guint
ml_store_opened_count(const MlStoreOpened *opened)
{
  return opened->docs->len;
}

guint64
ml_store_opened_number(const char *folder, guint32 uidvalidity, guint32 uid)
{
  g_autofree char *place = g_strdup_printf("%u %u %s", uidvalidity, uid, folder);
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize length = sizeof digest;
  guint64 number;
  g_checksum_update(sum, (const guchar *)place, -1);
  g_checksum_get_digest(sum, digest, &length);
  memcpy(&number, digest, sizeof number);
  return GUINT64_FROM_BE(number);
}

static Doc *
by_number(GHashTable *numbers, guint64 number)
{
  gint64 key = (gint64)number;
  return g_hash_table_lookup(numbers, &key);
}

gboolean
ml_store_opened_has(const MlStoreOpened *opened, guint64 number)
{
  return by_number(opened->numbers, number) != NULL;
}

gboolean
ml_store_opened_knows(const MlStoreOpened *opened, gint64 id)
{
  return g_hash_table_contains(opened->ids, &id);
}

static guint64
number_of(const Doc *doc)
{
  return ml_store_opened_number(doc->folder, doc->uidvalidity, doc->uid);
}

static void
name(GHashTable *numbers, guint64 number, Doc *doc)
{
  gint64 key = (gint64)number;
  g_hash_table_replace(numbers, g_memdup2(&key, sizeof key), doc);
}

static sqlite3_stmt *
prepare(MlStoreOpened *opened, const char *sql, GError **error)
{
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(opened->db, sql, -1, &statement, NULL) != SQLITE_OK)
    fail(opened, error);
  return statement;
}

gboolean
ml_store_opened_add(MlStoreOpened *opened, const MlOpenedText *text, GError **error)
{
  guint64 number = ml_store_opened_number(text->folder, text->uidvalidity, text->uid);
  Doc *there = by_number(opened->numbers, number);
  if (there && text->guessed)
    name(opened->numbers, ~number, there); /* known by both, so that the file is not opened for it again */
  if (there || (text->guessed && ml_store_opened_has(opened, ~number)))
    return TRUE;
  g_autoptr(sqlite3_stmt) insert =
      prepare(opened, "INSERT INTO t(rowid, sender, recipient, subject, body) VALUES(?1, ?2, ?3, ?4, ?5)", error);
  if (!insert)
    return FALSE;
  const char *columns[] = { text->from, text->to, text->subject, text->text };
  sqlite3_bind_int64(insert, 1, opened->rows + 1);
  for (int i = 0; i < (int)G_N_ELEMENTS(columns); i++)
    sqlite3_bind_text(insert, 2 + i, columns[i], -1, SQLITE_STATIC);
  if (sqlite3_step(insert) != SQLITE_DONE)
    return fail(opened, error);
  Doc *doc = g_new0(Doc, 1);
  *doc = (Doc){ .row = ++opened->rows, .folder = g_strdup(text->folder), .message_id = g_strdup(text->message_id),
                .lost = text->lost, .written = text->lost, .uidvalidity = text->uidvalidity, .uid = text->uid,
                .moved = text->guessed };
  g_ptr_array_add(opened->docs, doc);
  name(opened->numbers, text->guessed ? ~number : number, doc);
  return TRUE;
}

static const Doc *
by_row(const MlStoreOpened *opened, gint64 row)
{
  guint low = 0, high = opened->docs->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    const Doc *doc = opened->docs->pdata[middle];
    if (doc->row == row)
      return doc;
    if (doc->row < row)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

static gboolean
leaves(gpointer key, gpointer doc, gpointer unused)
{
  return ((const Doc *)doc)->leaves;
}

static gboolean
step_away(MlStoreOpened *opened, sqlite3_stmt *statement, const GArray *stays, GError **error)
{
  for (guint i = 0; i < opened->docs->len; i++) {
    const Doc *doc = opened->docs->pdata[i];
    if (g_array_index(stays, gboolean, i))
      continue;
    sqlite3_bind_int64(statement, 1, doc->row);
    if (sqlite3_step(statement) != SQLITE_DONE)
      return fail(opened, error);
    sqlite3_reset(statement);
  }
  return TRUE;
}

gboolean
ml_store_opened_keep(MlStoreOpened *opened, const GArray *stays, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = prepare(opened, "DELETE FROM t WHERE rowid = ?1", error);
  if (!statement || (sqlite3_exec(opened->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK && !fail(opened, error)))
    return FALSE;
  gboolean ok = step_away(opened, statement, stays, error);
  if (sqlite3_exec(opened->db, ok ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK && ok)
    ok = fail(opened, error);
  if (!ok)
    return FALSE;
  for (guint i = 0; i < opened->docs->len; i++)
    ((Doc *)opened->docs->pdata[i])->leaves = !g_array_index(stays, gboolean, i);
  g_hash_table_foreach_remove(opened->numbers, leaves, NULL);
  g_hash_table_foreach_remove(opened->places, leaves, NULL);
  g_hash_table_foreach_remove(opened->ids, leaves, NULL);
  g_autoptr(GPtrArray) before = g_steal_pointer(&opened->docs);
  g_ptr_array_set_free_func(before, NULL);
  opened->docs = g_ptr_array_new_with_free_func(doc_free);
  for (guint i = 0; i < before->len; i++)
    if (((const Doc *)before->pdata[i])->leaves)
      doc_free(before->pdata[i]);
    else
      g_ptr_array_add(opened->docs, before->pdata[i]);
  opened->placed = 0;
  return TRUE;
}

/* ---- where each lies */

typedef struct {
  gint64 id;
  guint32 uidvalidity;
  char *name;
} Folder;

static void
folder_free(gpointer data)
{
  Folder *folder = data;
  g_free(folder->name);
  g_free(folder);
}

static GPtrArray *
folders_of(MlStore *store, GError **error)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(folder_free);
  g_autoptr(sqlite3_stmt) statement =
      ml_store_prepare(store, "SELECT id, uidvalidity, name FROM folder WHERE uidvalidity", error);
  int code = SQLITE_DONE;
  if (!statement)
    return NULL;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    Folder *folder = g_new(Folder, 1);
    *folder = (Folder){ sqlite3_column_int64(statement, 0), (guint32)sqlite3_column_int64(statement, 1),
                        ml_store_text(statement, 2) };
    g_ptr_array_add(all, folder);
  }
  if (code == SQLITE_DONE)
    return g_steal_pointer(&all);
  ml_store_fail(store, error);
  return NULL;
}

static void
lies(MlStoreOpened *opened, Doc *doc)
{
  g_hash_table_insert(opened->ids, &doc->id, doc);
  name(opened->places, number_of(doc), doc);
}

static gboolean
place_one(MlStoreOpened *opened, MlStore *store, sqlite3_stmt *find, const Folder *folder, Doc *doc, GError **error)
{
  gint64 id = folder && !doc->nowhere && folder->uidvalidity == doc->uidvalidity ? folder->id << 32 | doc->uid : 0;
  doc->id = 0;
  if (!id)
    return TRUE;
  sqlite3_bind_int64(find, 1, id);
  int code = sqlite3_step(find);
  if (code == SQLITE_ROW) {
    doc->id = id;
    doc->date = sqlite3_column_int64(find, 0);
    lies(opened, doc);
  }
  sqlite3_reset(find);
  return code == SQLITE_ROW || code == SQLITE_DONE || ml_store_fail(store, error);
}

/* Another one than before: somebody has written to the lists. */
static void
state_of(MlStore *store, guint64 state[3])
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(store, "PRAGMA data_version", NULL);
  state[0] = statement && sqlite3_step(statement) == SQLITE_ROW ? (guint64)sqlite3_column_int64(statement, 0) : 0;
  state[1] = store->db ? (guint64)sqlite3_total_changes(store->db) : 0;
  state[2] = store->inode;
}

static void
move(MlStoreOpened *opened, Doc *doc, const GPtrArray *folders, gint64 id, gint64 date)
{
  for (guint i = 0; i < folders->len; i++) {
    const Folder *folder = folders->pdata[i];
    if (folder->id != id >> 32)
      continue;
    if (!doc->home) {
      doc->home = g_steal_pointer(&doc->folder);
      doc->home_validity = doc->uidvalidity;
      doc->home_uid = doc->uid;
      doc->home_moved = doc->moved;
    }
    doc->moved = TRUE;
    doc->nowhere = FALSE;
    g_free(doc->folder);
    doc->folder = g_strdup(folder->name);
    doc->uidvalidity = folder->uidvalidity;
    doc->uid = (guint32)id;
    doc->id = id;
    doc->date = date;
    lies(opened, doc);
    return;
  }
}

/* Has a text come that says itself that it is that message's? */
static gboolean
is_taken(const MlStoreOpened *opened, const Doc *doc)
{
  const Doc *own = doc->moved ? by_number(opened->numbers, number_of(doc)) : NULL;
  return own && own != doc;
}

static void
give_way(const MlStoreOpened *opened, Doc *doc)
{
  if (is_taken(opened, doc) && doc->home) {
    g_free(doc->folder);
    doc->folder = g_steal_pointer(&doc->home);
    doc->uidvalidity = doc->home_validity;
    doc->uid = doc->home_uid;
    doc->moved = doc->home_moved;
  }
  doc->nowhere = is_taken(opened, doc);
}

/* May the message be its? Anybody can send one with another's Message-ID; so its author must be the same, and its date,
 * where a list had the text's message before. */
static gboolean
fits(MlStoreOpened *opened, const Doc *doc, const char *author, gint64 date)
{
  if (doc->date && date && doc->date != date)
    return FALSE;
  g_autoptr(sqlite3_stmt) statement = prepare(opened, "SELECT sender FROM t WHERE rowid = ?1", NULL);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, doc->row);
  g_autofree char *from = sqlite3_step(statement) == SQLITE_ROW ? ml_store_text(statement, 0) : NULL;
  g_autoptr(MlAddresses) authors = from ? ml_address_parse(from) : NULL;
  for (guint i = 0; authors && i < authors->mailboxes->len; i++)
    if (ml_address_equal(((const MlAddress *)authors->mailboxes->pdata[i])->address, author))
      return TRUE;
  return FALSE;
}

static Doc *
take_lost(MlStoreOpened *opened, GHashTable *lost, const char *message_id, const char *author, gint64 date)
{
  GPtrArray *docs = message_id ? g_hash_table_lookup(lost, message_id) : NULL;
  for (guint i = 0; docs && i < docs->len; i++)
    if (fits(opened, docs->pdata[i], author ? author : "", date))
      return g_ptr_array_steal_index(docs, i);
  return NULL;
}

static void
add_lost(GHashTable *lost, Doc *doc)
{
  GPtrArray *docs = g_hash_table_lookup(lost, doc->message_id);
  if (!docs)
    g_hash_table_insert(lost, doc->message_id, docs = g_ptr_array_new());
  if (docs->len < SAME_MAX)
    g_ptr_array_add(docs, doc);
}

/* Messages that were moved: the first that is encrypted, has their Message-ID, fits, and has no text of its own. @lost:
 * Message-ID -> array of Doc. */
static gboolean
follow(MlStoreOpened *opened, MlStore *store, const GPtrArray *folders, GHashTable *lost, GError **error)
{
  g_autoptr(sqlite3_stmt) statement =
      ml_store_prepare(store, "SELECT id, date, message_id, sender_address FROM message WHERE id > 0 AND hints & ?1", error);
  int code = SQLITE_DONE;
  if (!statement)
    return FALSE;
  sqlite3_bind_int(statement, 1, ML_HINT_ENCRYPTED);
  while (g_hash_table_size(lost) && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    gint64 id = sqlite3_column_int64(statement, 0), date = sqlite3_column_int64(statement, 1);
    if (ml_store_opened_knows(opened, id))
      continue;
    Doc *doc = take_lost(opened, lost, (const char *)sqlite3_column_text(statement, 2),
                         (const char *)sqlite3_column_text(statement, 3), date);
    if (doc)
      move(opened, doc, folders, id, date);
  }
  return code == SQLITE_DONE || code == SQLITE_ROW || ml_store_fail(store, error);
}

static gboolean
place_all(MlStoreOpened *opened, MlStore *store, GError **error)
{
  g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) lost = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
  g_autoptr(GPtrArray) folders = folders_of(store, error);
  g_autoptr(sqlite3_stmt) find = folders ? ml_store_prepare(store, "SELECT date FROM message WHERE id = ?1", error) : NULL;
  if (!find)
    return FALSE;
  for (guint i = 0; i < folders->len; i++)
    g_hash_table_insert(by_name, ((Folder *)folders->pdata[i])->name, folders->pdata[i]);
  g_hash_table_remove_all(opened->ids);
  g_hash_table_remove_all(opened->places);
  for (guint i = 0; i < opened->docs->len; i++) {
    Doc *doc = opened->docs->pdata[i];
    give_way(opened, doc);
    if (!place_one(opened, store, find, g_hash_table_lookup(by_name, doc->folder), doc, error))
      return FALSE;
    if (!doc->id && *doc->message_id)
      add_lost(lost, doc);
  }
  return follow(opened, store, folders, lost, error);
}

gboolean
ml_store_opened_place(MlStoreOpened *opened, MlStore *store, gint64 now, GError **error)
{
  guint64 state[3];
  state_of(store, state);
  if (opened->placed == opened->docs->len && memcmp(state, opened->state, sizeof state) == 0)
    return TRUE;
  opened->placed = 0;
  if (!place_all(opened, store, error))
    return FALSE;
  for (guint i = 0; i < opened->docs->len; i++) {
    Doc *doc = opened->docs->pdata[i];
    doc->lost = doc->id ? 0 : doc->lost ? doc->lost : now;
  }
  opened->placed = opened->docs->len;
  memcpy(opened->state, state, sizeof state);
  return TRUE;
}

gboolean
ml_store_opened_changed(const MlStoreOpened *opened)
{
  for (guint i = 0; i < opened->docs->len; i++) {
    const Doc *doc = opened->docs->pdata[i];
    if (doc->home || !doc->lost != !doc->written)
      return TRUE;
  }
  return FALSE;
}

void
ml_store_opened_written(MlStoreOpened *opened)
{
  for (guint i = 0; i < opened->docs->len; i++) {
    Doc *doc = opened->docs->pdata[i];
    if (doc->home)
      name(opened->numbers, ~number_of(doc), doc);
    g_clear_pointer(&doc->home, g_free);
    doc->written = doc->lost;
  }
}

/* ---- asking */

static int
is_cancelled(void *data)
{
  return g_cancellable_is_cancelled(data);
}

GArray *
ml_store_opened_find(MlStoreOpened *opened, const char *words, gint64 from, gint64 to, gboolean by_rank,
                     GCancellable *cancellable, GError **error)
{
  g_autoptr(GArray) hits = g_array_new(FALSE, FALSE, sizeof(MlStoreOpenedHit));
  g_autoptr(sqlite3_stmt) statement =
      prepare(opened, by_rank ? "SELECT rowid, bm25(t, " ML_SEARCH_WEIGHTS ") FROM t WHERE t MATCH ?1"
                              : "SELECT rowid, 0.0 FROM t WHERE t MATCH ?1", error);
  int code;
  if (!statement)
    return NULL;
  if (cancellable)
    sqlite3_progress_handler(opened->db, PROGRESS_STEPS, is_cancelled, cancellable);
  sqlite3_bind_text(statement, 1, words, -1, SQLITE_STATIC);
  while ((code = sqlite3_step(statement)) == SQLITE_ROW && hits->len < HITS_MAX) {
    gint64 row = sqlite3_column_int64(statement, 0);
    const Doc *doc = by_row(opened, row);
    if (!doc || !doc->id || doc->id < from || doc->id >= to)
      continue;
    const MlStoreOpenedHit hit = { doc->id, doc->date, sqlite3_column_double(statement, 1) };
    g_array_append_val(hits, hit);
  }
  sqlite3_progress_handler(opened->db, 0, NULL, NULL);
  if (code == SQLITE_DONE || code == SQLITE_ROW)
    return g_steal_pointer(&hits);
  if (!g_cancellable_set_error_if_cancelled(cancellable, error))
    fail(opened, error);
  return NULL;
}

MlOpenedText *
ml_store_opened_get(MlStoreOpened *opened, guint i, gint64 *date, GError **error)
{
  const Doc *doc = opened->docs->pdata[i];
  g_autoptr(sqlite3_stmt) statement =
      prepare(opened, "SELECT sender, recipient, subject, body FROM t WHERE rowid = ?1", error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, doc->row);
  if (sqlite3_step(statement) != SQLITE_ROW) {
    fail(opened, error);
    return NULL;
  }
  MlOpenedText *text = g_new0(MlOpenedText, 1);
  *text = (MlOpenedText){ .folder = g_strdup(doc->folder), .uidvalidity = doc->uidvalidity, .uid = doc->uid,
                          .guessed = doc->moved, .message_id = g_strdup(doc->message_id), .lost = doc->lost };
  text->from = ml_store_text(statement, 0);
  text->to = ml_store_text(statement, 1);
  text->subject = ml_store_text(statement, 2);
  text->text = ml_store_text(statement, 3);
  *date = doc->id ? doc->date : 0;
  return text;
}

char *
ml_store_opened_text(MlStoreOpened *opened, const char *folder, guint32 uidvalidity, guint32 uid)
{
  const Doc *doc = by_number(opened->places, ml_store_opened_number(folder, uidvalidity, uid));
  if (!doc || !doc->id || doc->uid != uid)
    return NULL;
  g_autoptr(sqlite3_stmt) statement = prepare(opened, "SELECT body FROM t WHERE rowid = ?1", NULL);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, doc->row);
  return sqlite3_step(statement) == SQLITE_ROW ? ml_store_text(statement, 0) : NULL;
}

/* ---- its file */

char *
ml_store_opened_path(const char *directory, const MlAccount *account)
{
  g_autofree char *lists = ml_store_file(directory, account);
  g_autofree char *stem = g_strndup(lists, strlen(lists) - strlen(".db"));
  return g_strconcat(stem, ".sealed", NULL);
}

char *
ml_store_opened_owner(const MlAccount *account)
{
  g_autofree char *identity = ml_store_identity(account);
  return g_compute_checksum_for_string(G_CHECKSUM_SHA256, identity, -1);
}
