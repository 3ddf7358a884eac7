#include <string.h>

#include "mail/store-search-private.h"

/* SQLite 3.40 takes a row out of an index without content only if it is told its text again. So a removed message only
 * loses its line in doc, and what the index says of a row without one is not believed. The index is in parts, tables of
 * their own; a part in which a third is dead is written again, which is nothing but to look at its living messages once
 * more, and is dropped when none of it lives. */
enum { SCHEMA = 1, PART_WEIGHT = 32 * 1024 * 1024, PART_ROWS = 1 << 20, REWRITE_MIN = 256 * 1024 };

static const char schema[] =
    "CREATE TABLE about(identity TEXT NOT NULL);"
    "CREATE TABLE filled(done INTEGER NOT NULL);"
    "CREATE TABLE part(id INTEGER PRIMARY KEY, next INTEGER NOT NULL, live INTEGER NOT NULL, dead INTEGER NOT NULL,"
    " docs INTEGER NOT NULL, again INTEGER NOT NULL);"
    "CREATE TABLE doc(docid INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, date INTEGER NOT NULL,"
    " weight INTEGER NOT NULL, whole INTEGER NOT NULL);"
    "PRAGMA user_version = 1;";

/* ---- the tokenizer: documents by ml_words_each(); what is searched for has passed it already (expression()) */

typedef struct {
  void *context;
  int (*token)(void *, int, const char *, int, int, int);
  int code;
} Tokens;

static gboolean
on_word(const MlWord *word, gpointer data)
{
  Tokens *tokens = data;
  tokens->code = tokens->token(tokens->context, 0, word->word, (int)word->length, (int)word->start, (int)word->end);
  return tokens->code == SQLITE_OK;
}

static int
tokenize(Fts5Tokenizer *tokenizer, void *context, int flags, const char *text, int length,
         int (*token)(void *, int, const char *, int, int, int))
{
  Tokens tokens = { context, token, SQLITE_OK };
  if (length <= 0)
    return SQLITE_OK;
  if (!(flags & FTS5_TOKENIZE_QUERY)) {
    ml_words_each(text, (gsize)length, on_word, &tokens);
    return tokens.code;
  }
  for (int at = 0, end; at < length && tokens.code == SQLITE_OK; at = end + 1) {
    for (end = at; end < length && text[end] != ' '; end++)
      ;
    if (end > at)
      tokens.code = token(context, 0, text + at, end - at, at, end);
  }
  return tokens.code;
}

static int
create(void *context, const char **words, int n, Fts5Tokenizer **tokenizer)
{
  *tokenizer = context; /* it has no state */
  return SQLITE_OK;
}

static void
delete(Fts5Tokenizer *tokenizer)
{
}

int
ml_store_search_words(sqlite3 *db)
{
  static fts5_tokenizer functions = { create, delete, tokenize };
  g_autoptr(sqlite3_stmt) statement = NULL;
  fts5_api *api = NULL;
  int code = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, NULL);
  if (code != SQLITE_OK)
    return code;
  sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", NULL);
  sqlite3_step(statement);
  return api ? api->xCreateTokenizer(api, "signet", &functions, &functions, NULL) : SQLITE_ERROR;
}

/* ---- opening */

static const MlStoreKind kind = {
  SCHEMA, schema, NULL, ml_store_search_words, "the words of the mail that is here are gathered again. No mail is lost.",
};

static char *
birth_of(MlStore *store, GError **error)
{
  g_autoptr(MlStoreLent) statement = ml_store_lend(store, "SELECT name FROM birth", error);
  if (!statement)
    return NULL;
  if (sqlite3_step(statement) == SQLITE_ROW)
    return g_strdup((const char *)sqlite3_column_text(statement, 0));
  ml_store_fail(store, error);
  return NULL;
}

static char *
path_of(const MlStore *store)
{
  g_autofree char *stem = g_strndup(store->path, strlen(store->path) - strlen(".db"));
  return g_strconcat(stem, ".search", NULL);
}

static MlStoreSearch *
open_index(MlStore *store, gboolean to_read, GError **error)
{
  g_autofree char *path = path_of(store), *birth = birth_of(store, error);
  MlStore *index = !birth    ? NULL
                   : to_read ? ml_store_open_kind_to_read(&kind, path, birth, error)
                             : ml_store_open_kind(&kind, path, birth, error);
  if (!index)
    return NULL;
  MlStoreSearch *search = g_new0(MlStoreSearch, 1);
  search->store = store;
  search->index = index;
  return search;
}

MlStoreSearch *
ml_store_search_open(MlStore *store, GError **error)
{
  return open_index(store, FALSE, error);
}

MlStoreSearch *
ml_store_search_open_to_read(MlStore *store, GError **error)
{
  return open_index(store, TRUE, error);
}

void
ml_store_search_free(MlStoreSearch *search)
{
  if (!search)
    return;
  sqlite3_finalize(search->insert);
  ml_store_free(search->index);
  g_free(search);
}

void
ml_store_search_join(MlStoreSearch *search, MlStoreOpened *opened)
{
  search->opened = opened;
}

/* ---- one transaction */

static gboolean
set(MlStore *store, const char *sql, gint64 value, GError **error)
{
  g_autoptr(MlStoreLent) statement = ml_store_lend(store, sql, error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, value);
  return ml_store_step(store, statement, error);
}

/* The first number of the first row; 0: there is none. -1: error. */
static gint64
get(MlStore *store, const char *sql, GError **error)
{
  g_autoptr(MlStoreLent) statement = ml_store_lend(store, sql, error);
  int code = statement ? sqlite3_step(statement) : SQLITE_ERROR;
  if (code == SQLITE_ROW)
    return sqlite3_column_int64(statement, 0);
  if (statement && code != SQLITE_DONE)
    ml_store_fail(store, error);
  return code == SQLITE_DONE ? 0 : -1;
}

/* Another signet may have begun the lists anew: what this file says is of others then. */
static gboolean
follow_store(MlStoreSearch *search, GError **error)
{
  g_autofree char *birth = birth_of(search->store, error);
  if (!birth)
    return FALSE;
  if (strcmp(birth, search->index->identity) == 0)
    return TRUE;
  g_autofree char *path = path_of(search->store);
  MlStore *index = ml_store_open_kind(&kind, path, birth, error);
  if (!index)
    return FALSE;
  ml_store_free(search->index);
  search->index = index;
  return TRUE;
}

/* A new file has everything before it. */
static gboolean
fill(MlStoreSearch *search, GError **error)
{
  gint64 done = get(search->index, "SELECT count(*) FROM filled", error);
  if (done)
    return done > 0;
  if (!ml_store_begin(search->store, error))
    return FALSE;
  gboolean ok = ml_store_run(search->store, "INSERT OR IGNORE INTO touched SELECT id, random() FROM message", error);
  return ml_store_end(search->store, ok, error) && ml_store_run(search->index, "INSERT INTO filled VALUES(1)", error);
}

void
ml_store_touched_free(MlStoreTouched *touched)
{
  g_free(touched->folder);
  g_clear_pointer(&touched->header, ml_header_free);
  g_clear_pointer(&touched->bytes, g_bytes_unref);
  g_free(touched);
}

static gboolean
describe(MlStoreSearch *search, MlStoreTouched *touched, GError **error)
{
  GError *why = NULL;
  gint64 received;
  touched->header = ml_store_header(search->store, touched->id, &touched->folder, &touched->uidvalidity, &why);
  if (touched->header)
    touched->bytes = ml_store_get(search->store, touched->folder, touched->uidvalidity, touched->header->uid,
                                  &received, &why);
  if (why)
    g_propagate_error(error, why);
  return why == NULL;
}

static GPtrArray *
touched_now(MlStoreSearch *search, guint most, GError **error)
{
  enum { OCTETS = 8 * 1024 * 1024 };
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_store_touched_free);
  g_autoptr(MlStoreLent) statement =
      ml_store_lend(search->store, "SELECT id, mark FROM touched ORDER BY id DESC LIMIT ?1", error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, most);
  gsize octets = 0;
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW && octets < OCTETS) {
    MlStoreTouched *one = g_new0(MlStoreTouched, 1);
    one->id = sqlite3_column_int64(statement, 0);
    one->mark = sqlite3_column_int64(statement, 1);
    g_ptr_array_add(all, one);
    if (!describe(search, one, error))
      return NULL;
    octets += one->bytes ? g_bytes_get_size(one->bytes) : 0;
  }
  if (code == SQLITE_DONE || code == SQLITE_ROW)
    return g_steal_pointer(&all);
  ml_store_fail(search->store, error);
  return NULL;
}

GPtrArray *
ml_store_search_next(MlStoreSearch *search, guint most, GError **error)
{
  if (!follow_store(search, error) || !ml_store_begin(search->index, error))
    return NULL;
  GPtrArray *touched = fill(search, error) ? touched_now(search, most, error) : NULL;
  if (!touched)
    (void)!ml_store_end(search->index, FALSE, NULL);
  return touched;
}

/* ---- parts */

static gboolean
new_part(MlStoreSearch *search, GError **error)
{
  if (!ml_store_run(search->index, "INSERT INTO part VALUES((SELECT coalesce(max(id), 0) + 1 FROM part), 1, 0, 0, 0, 0)",
                    error))
    return FALSE;
  search->part = sqlite3_last_insert_rowid(search->index->db);
  search->next = 1;
  /* hashsize: octets gathered in memory before they are written as one piece. */
  g_autofree char *sql = g_strdup_printf(
      "CREATE VIRTUAL TABLE t%" G_GINT64_FORMAT " USING fts5(sender, recipient, subject, body, content='',"
      " tokenize='signet'); INSERT INTO t%" G_GINT64_FORMAT "(t%" G_GINT64_FORMAT ", rank) VALUES('hashsize', 8388608)",
      search->part, search->part, search->part);
  return ml_store_run(search->index, sql, error);
}

static gboolean
current_part(MlStoreSearch *search, GError **error)
{
  if (search->insert)
    return TRUE;
  g_autoptr(MlStoreLent) statement = ml_store_lend(
      search->index, "SELECT id, next, live + dead FROM part ORDER BY id DESC LIMIT 1", error);
  if (!statement)
    return FALSE;
  search->part = 0;
  if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int64(statement, 2) < PART_WEIGHT &&
      sqlite3_column_int64(statement, 1) < PART_ROWS) {
    search->part = sqlite3_column_int64(statement, 0);
    search->next = (guint32)sqlite3_column_int64(statement, 1);
  }
  if (!search->part && !new_part(search, error))
    return FALSE;
  g_autofree char *sql = g_strdup_printf("INSERT INTO t%" G_GINT64_FORMAT
                                         "(rowid, sender, recipient, subject, body) VALUES(?1, ?2, ?3, ?4, ?5)",
                                         search->part);
  search->insert = ml_store_prepare(search->index, sql, error);
  return search->insert != NULL;
}

static gboolean
count_in(MlStoreSearch *search, gint64 part, gint64 live, gint64 dead, gint64 docs, GError **error)
{
  g_autoptr(MlStoreLent) statement = ml_store_lend(
      search->index, "UPDATE part SET live = live + ?2, dead = dead + ?3, docs = docs + ?4 WHERE id = ?1", error);
  if (!statement)
    return FALSE;
  const gint64 values[] = { part, live, dead, docs };
  for (int i = 0; i < (int)G_N_ELEMENTS(values); i++)
    sqlite3_bind_int64(statement, 1 + i, values[i]);
  return ml_store_step(search->index, statement, error);
}

/* What was known of a message is not believed any more. */
static gboolean
forget(MlStoreSearch *search, gint64 id, GError **error)
{
  g_autoptr(MlStoreLent) find = ml_store_lend(search->index, "SELECT docid, weight FROM doc WHERE id = ?1", error);
  if (!find)
    return FALSE;
  sqlite3_bind_int64(find, 1, id);
  int code = sqlite3_step(find);
  if (code == SQLITE_DONE)
    return TRUE;
  if (code != SQLITE_ROW)
    return ml_store_fail(search->index, error);
  gint64 docid = sqlite3_column_int64(find, 0), weight = sqlite3_column_int64(find, 1);
  sqlite3_reset(find);
  return set(search->index, "DELETE FROM doc WHERE docid = ?1", docid, error) &&
         count_in(search, docid >> ML_SEARCH_SHIFT, -weight, weight, -1, error);
}

gboolean
ml_store_search_put(MlStoreSearch *search, const MlStoreTouched *touched, const char *text, GError **error)
{
  const MlHeader *header = touched->header;
  if (!forget(search, touched->id, error))
    return FALSE;
  if (!header)
    return TRUE;
  if (!current_part(search, error))
    return FALSE;
  gint64 docid = search->part << ML_SEARCH_SHIFT | search->next++;
  g_autofree char *recipients = g_strconcat(header->to, "\n", header->cc, NULL);
  const char *columns[] = { header->from, recipients, header->subject, text ? text : "" };
  gint64 weight = 0;
  sqlite3_bind_int64(search->insert, 1, docid);
  for (int i = 0; i < (int)G_N_ELEMENTS(columns); i++) {
    sqlite3_bind_text(search->insert, 2 + i, columns[i], -1, SQLITE_STATIC);
    weight += (gint64)strlen(columns[i]);
  }
  if (!ml_store_step(search->index, search->insert, error))
    return FALSE;
  g_autoptr(MlStoreLent) doc =
      ml_store_lend(search->index, "INSERT INTO doc VALUES(?1, ?2, ?3, ?4, ?5)", error);
  if (!doc)
    return FALSE;
  const gint64 values[] = { docid, touched->id, header->date, weight, text != NULL };
  for (int i = 0; i < (int)G_N_ELEMENTS(values); i++)
    sqlite3_bind_int64(doc, 1 + i, values[i]);
  return ml_store_step(search->index, doc, error) && count_in(search, search->part, weight, 0, 1, error);
}

/* Its living messages are looked at again, each into the newest part; those whose text is not at hand stay. */
static gboolean
write_again(MlStoreSearch *search, gint64 part, gboolean local, GError **error)
{
  g_autoptr(MlStoreLent) docs = ml_store_lend(
      search->index, "SELECT id, whole FROM doc WHERE docid >= ?1 << 32 AND docid < (?1 + 1) << 32", error);
  g_autoptr(MlStoreLent) touch = ml_store_lend(
      search->store, "INSERT OR IGNORE INTO touched SELECT ?1, random() WHERE ?2 OR EXISTS (SELECT 1 FROM body WHERE id = ?1)",
      error);
  if (!docs || !touch || !ml_store_begin(search->store, error))
    return FALSE;
  gboolean ok = TRUE;
  sqlite3_bind_int64(docs, 1, part);
  while (ok && sqlite3_step(docs) == SQLITE_ROW) {
    sqlite3_bind_int64(touch, 1, sqlite3_column_int64(docs, 0));
    sqlite3_bind_int64(touch, 2, local || !sqlite3_column_int(docs, 1));
    ok = ml_store_step(search->store, touch, error);
  }
  return ml_store_end(search->store, ok, error) &&
         set(search->index, "UPDATE part SET again = 1 WHERE id = ?1", part, error);
}

static gboolean
tidy(MlStoreSearch *search, gboolean local, GError **error)
{
  g_autoptr(GArray) dead = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_autoptr(MlStoreLent) statement = ml_store_lend(
      search->index, "SELECT id, docs FROM part WHERE id < (SELECT max(id) FROM part) AND"
                     " (docs = 0 OR (NOT again AND dead * 2 > live AND dead > ?1))", error);
  if (!statement)
    return FALSE;
  sqlite3_bind_int64(statement, 1, REWRITE_MIN);
  g_autoptr(GArray) again = g_array_new(FALSE, FALSE, sizeof(gint64));
  while (sqlite3_step(statement) == SQLITE_ROW) {
    gint64 id = sqlite3_column_int64(statement, 0);
    g_array_append_val(sqlite3_column_int64(statement, 1) ? again : dead, id);
  }
  sqlite3_reset(statement);
  for (guint i = 0; i < dead->len; i++) {
    gint64 id = g_array_index(dead, gint64, i);
    g_autofree char *sql = g_strdup_printf("DROP TABLE t%" G_GINT64_FORMAT, id);
    if (!ml_store_run(search->index, sql, error) || !set(search->index, "DELETE FROM part WHERE id = ?1", id, error))
      return FALSE;
  }
  for (guint i = 0; i < again->len; i++)
    if (!write_again(search, g_array_index(again, gint64, i), local, error))
      return FALSE;
  return TRUE;
}

static gboolean
untouch(MlStoreSearch *search, const GPtrArray *touched, GError **error)
{
  if (!ml_store_begin(search->store, error))
    return FALSE;
  g_autoptr(MlStoreLent) statement =
      ml_store_lend(search->store, "DELETE FROM touched WHERE id = ?1 AND mark = ?2", error);
  gboolean ok = statement != NULL;
  for (guint i = 0; ok && i < touched->len; i++) {
    const MlStoreTouched *one = touched->pdata[i];
    sqlite3_bind_int64(statement, 1, one->id);
    sqlite3_bind_int64(statement, 2, one->mark);
    ok = ml_store_step(search->store, statement, error);
  }
  return ml_store_end(search->store, ok, error);
}

gboolean
ml_store_search_end(MlStoreSearch *search, const GPtrArray *touched, gboolean local, gboolean ok, GError **error)
{
  g_clear_pointer(&search->insert, sqlite3_finalize);
  if (ok && search->part) {
    g_autoptr(MlStoreLent) next =
        ml_store_lend(search->index, "UPDATE part SET next = ?2 WHERE id = ?1", error);
    ok = next != NULL;
    if (ok) {
      sqlite3_bind_int64(next, 1, search->part);
      sqlite3_bind_int64(next, 2, search->next);
      ok = ml_store_step(search->index, next, error);
    }
  }
  search->part = 0;
  ok = ok && tidy(search, local, error);
  /* Killed between the two: they are looked at once more. What was touched meanwhile has another mark, and stays. */
  return ml_store_end(search->index, ok, error) && untouch(search, touched, error);
}

gboolean
ml_store_search_again(MlStoreSearch *search, GError **error)
{
  return ml_store_begin(search->index, error) &&
         ml_store_end(search->index, ml_store_run(search->index, "DELETE FROM filled", error), error);
}

gboolean
ml_store_search_waiting(MlStoreSearch *search, guint *waiting, GError **error)
{
  gint64 filled = get(search->index, "SELECT count(*) FROM filled", error);
  gint64 n = filled < 0 ? -1
                        : get(search->store, filled ? "SELECT count(*) FROM touched" : "SELECT count(*) FROM message",
                              error);
  *waiting = (guint)MAX(n, 0);
  return n >= 0;
}

gboolean
ml_store_search_state(MlStoreSearch *search, MlSearchState *state, GError **error)
{
  gint64 messages = get(search->store, "SELECT ifnull(sum(kept), 0) FROM folder", error);
  gint64 indexed = messages < 0 ? -1 : get(search->index, "SELECT count(*) FROM doc", error);
  gint64 bodies = indexed < 0 ? -1 : get(search->index, "SELECT count(*) FROM doc WHERE whole", error);
  gint64 folders = bodies < 0 ? -1 : get(search->store, "SELECT count(*) FROM folder WHERE uidvalidity", error);
  gint64 elsewhere =
      folders < 0 ? -1
                  : get(search->store, "SELECT ifnull(sum(total), 0) FROM folder WHERE listed AND selectable AND"
                                       " NOT uidvalidity AND total > 0", error);
  if (elsewhere < 0 || !ml_store_search_waiting(search, &state->waiting, error))
    return FALSE;
  state->folders = (guint)folders;
  state->messages = (guint)messages;
  state->indexed = (guint)indexed;
  state->bodies = (guint)bodies;
  state->elsewhere = (guint)MIN(elsewhere, G_MAXINT);
  return TRUE;
}
