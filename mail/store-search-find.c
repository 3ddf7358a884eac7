#include <string.h>

#include "mail/store-search-private.h"

enum { HITS_MAX = 5 * 1000 * 1000, PROGRESS_STEPS = 2000 };

void
ml_found_free(MlFound *found)
{
  g_free(found->folder);
  g_clear_pointer(&found->header, ml_header_free);
  g_free(found);
}

/* ---- in FTS5's language. Words are folded letters and digits by now, so that none can end a quoted string. */

static void
add_term(GString *into, const MlQueryTerm *term)
{
  static const char *const columns[] = { "sender ", "recipient ", "subject ", "body " };
  if (term->fields != ML_QUERY_ALL) {
    g_string_append(into, "{");
    for (guint i = 0; i < G_N_ELEMENTS(columns); i++)
      if (term->fields & 1u << i)
        g_string_append(into, columns[i]);
    g_string_append(into, "} : ");
  }
  for (guint i = 0; i < term->words->len; i++)
    g_string_append_printf(into, "%s%s", i ? " " : "\"", (const char *)term->words->pdata[i]);
  g_string_append(into, term->prefix ? "\" *" : "\"");
}

static char *
expression(const MlQuery *query)
{
  GString *wanted = g_string_new(NULL), *left_out = g_string_new(NULL);
  for (guint i = 0; i < query->terms->len; i++) {
    const MlQueryTerm *term = query->terms->pdata[i];
    GString *into = term->negated ? left_out : wanted;
    if (into->len)
      g_string_append(into, term->negated ? " OR " : " AND ");
    add_term(into, term);
  }
  char *all = left_out->len ? g_strdup_printf("(%s) NOT (%s)", wanted->str, left_out->str) : g_strdup(wanted->str);
  g_string_free(wanted, TRUE);
  g_string_free(left_out, TRUE);
  return all;
}

/* ---- what fits */

typedef struct {
  gint64 id, date;
  double score;
  gboolean whole;
} Hit;

typedef struct {
  MlStoreSearch *search;
  char *words;
  gint64 from, to; /* ids: the folder's */
  gboolean by_rank;
  GCancellable *cancellable;
  GArray *hits; /* of Hit */
} Find;

static int
is_cancelled(void *data)
{
  return g_cancellable_is_cancelled(data);
}

static gboolean
collect(Find *find, gint64 part, GError **error)
{
  g_autofree char *score = find->by_rank
                               ? g_strdup_printf("bm25(t%" G_GINT64_FORMAT ", " ML_SEARCH_WEIGHTS ")", part)
                               : g_strdup("0.0");
  g_autofree char *sql = g_strdup_printf(
      "SELECT doc.id, doc.date, %s, doc.whole FROM t%" G_GINT64_FORMAT " CROSS JOIN doc ON doc.docid = t%"
      G_GINT64_FORMAT ".rowid WHERE t%" G_GINT64_FORMAT " MATCH ?1 AND doc.id >= ?2 AND doc.id < ?3",
      score, part, part, part);
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(find->search->index, sql, error);
  if (!statement)
    return FALSE;
  sqlite3_bind_text(statement, 1, find->words, -1, SQLITE_STATIC);
  sqlite3_bind_int64(statement, 2, find->from);
  sqlite3_bind_int64(statement, 3, find->to);
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW && find->hits->len < HITS_MAX) {
    Hit hit = { sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
                sqlite3_column_double(statement, 2), sqlite3_column_int(statement, 3) != 0 };
    g_array_append_val(find->hits, hit);
  }
  if (code == SQLITE_DONE || code == SQLITE_ROW)
    return TRUE;
  if (g_cancellable_is_cancelled(find->cancellable)) {
    g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    return FALSE;
  }
  return ml_store_fail(find->search->index, error);
}

static GArray *
parts(MlStoreSearch *search, GError **error)
{
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_autoptr(sqlite3_stmt) statement =
      ml_store_prepare(search->index, "SELECT id FROM part ORDER BY id DESC", error);
  if (!statement)
    return NULL;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    gint64 id = sqlite3_column_int64(statement, 0);
    g_array_append_val(all, id);
  }
  return g_steal_pointer(&all);
}

/* All parts as they were at one moment: they come and go. */
static gboolean
collect_all(Find *find, GError **error)
{
  MlStore *index = find->search->index;
  g_autoptr(sqlite3_stmt) begin = ml_store_prepare(index, "BEGIN", error);
  if (!begin || !ml_store_step(index, begin, error))
    return FALSE;
  if (find->cancellable)
    sqlite3_progress_handler(index->db, PROGRESS_STEPS, is_cancelled, find->cancellable);
  g_autoptr(GArray) all = parts(find->search, error);
  gboolean ok = all != NULL;
  for (guint i = 0; ok && i < all->len; i++)
    ok = collect(find, g_array_index(all, gint64, i), error);
  if (index->db) {
    sqlite3_progress_handler(index->db, 0, NULL, NULL);
    sqlite3_exec(index->db, "COMMIT", NULL, NULL, NULL);
  }
  return ok;
}

/* Of a message that is in both, what its encryption hid says whether it fits. */
static gboolean
join_opened(Find *find, GError **error)
{
  MlStoreOpened *opened = find->search->opened;
  guint kept = 0;
  g_autoptr(GArray) more = ml_store_opened_find(opened, find->words, find->from, find->to, find->by_rank,
                                                find->cancellable, error);
  if (!more)
    return FALSE;
  for (guint i = 0; i < find->hits->len; i++)
    if (!ml_store_opened_knows(opened, g_array_index(find->hits, Hit, i).id))
      g_array_index(find->hits, Hit, kept++) = g_array_index(find->hits, Hit, i);
  g_array_set_size(find->hits, kept);
  for (guint i = 0; i < more->len; i++) {
    const MlStoreOpenedHit *one = &g_array_index(more, MlStoreOpenedHit, i);
    const Hit hit = { one->id, one->date, one->score, TRUE };
    g_array_append_val(find->hits, hit);
  }
  return TRUE;
}

static gboolean
find_hits(Find *find, const MlQuery *query, const char *folder, GError **error)
{
  find->from = 0;
  find->to = G_MAXINT64;
  find->hits = g_array_new(FALSE, FALSE, sizeof(Hit));
  if (folder) {
    GError *why = NULL;
    gint64 id = ml_store_folder_id(find->search->store, folder, &why);
    if (!id) {
      if (!why)
        g_set_error(&why, ML_ERROR, ML_ERROR_NO_FOLDER, "There is no folder \"%s\" here that was ever read.", folder);
      g_propagate_error(error, why);
      return FALSE;
    }
    find->from = id << 32;
    find->to = (id + 1) << 32;
  }
  find->words = expression(query);
  gboolean ok = collect_all(find, error) && (!find->search->opened || join_opened(find, error));
  g_free(find->words);
  return ok;
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  const Hit *one = a, *other = b;
  return one->date != other->date ? (one->date < other->date ? 1 : -1)
         : one->id != other->id   ? (one->id < other->id ? 1 : -1)
                                  : 0;
}

static int
best_first(gconstpointer a, gconstpointer b)
{
  const Hit *one = a, *other = b;
  return one->score != other->score ? (one->score > other->score ? 1 : -1) : newest_first(a, b);
}

static gboolean
is_aside(const GArray *aside, gint64 folder)
{
  for (guint i = 0; i < aside->len; i++)
    if (g_array_index(aside, gint64, i) == folder)
      return TRUE;
  return FALSE;
}

/* Out of @hits. How many they were, in *@n. */
static gboolean
leave_aside(MlStoreSearch *search, GArray *hits, guint *n, GError **error)
{
  g_autoptr(GArray) aside = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_autoptr(GPtrArray) folders = ml_store_folders(search->store, error);
  g_autoptr(GPtrArray) trashes = folders ? ml_folder_trashes(folders) : NULL;
  guint kept = 0;
  for (guint i = 0; folders && i < folders->len; i++) {
    const MlFolder *folder = folders->pdata[i];
    GError *why = NULL;
    gint64 id = ml_folder_is_aside(trashes, folder) ? ml_store_folder_id(search->store, folder->name, &why) : 0;
    if (id)
      g_array_append_val(aside, id);
    if (why) {
      g_propagate_error(error, why);
      return FALSE;
    }
  }
  for (guint i = 0; aside->len && i < hits->len; i++)
    if (!is_aside(aside, g_array_index(hits, Hit, i).id >> 32))
      g_array_index(hits, Hit, kept++) = g_array_index(hits, Hit, i);
  if (aside->len) {
    *n = hits->len - kept;
    g_array_set_size(hits, kept);
  }
  return folders != NULL;
}

GPtrArray *
ml_store_search_find(MlStoreSearch *search, const MlQuery *query, const MlFindOptions *options, guint *total,
                     GError **error)
{
  Find find = { .search = search, .by_rank = options->by_rank, .cancellable = options->cancellable };
  gboolean ok = find_hits(&find, query, options->folder, error);
  g_autoptr(GArray) hits = find.hits;
  g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)ml_found_free);
  g_autoptr(GError) why = NULL;
  guint aside = 0;
  if (!ok || (!options->folder && !query->anywhere && !leave_aside(search, hits, &aside, error)))
    return NULL;
  if (options->aside)
    *options->aside = aside;
  g_array_sort(hits, options->by_rank ? best_first : newest_first);
  *total = hits->len;
  for (guint i = 0; i < hits->len && !why && (!options->limit || found->len < options->limit); i++) {
    const Hit *hit = &g_array_index(hits, Hit, i);
    MlFound one = { .full = hit->whole, .score = hit->score };
    one.header = ml_store_header(search->store, hit->id, &one.folder, &one.uidvalidity, &why);
    if (one.header)
      g_ptr_array_add(found, g_memdup2(&one, sizeof one));
    else
      --*total; /* gone since, and not yet from the index */
  }
  if (why) {
    g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
  }
  return g_steal_pointer(&found);
}

static int
compare_numbers(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;
  return one < other ? -1 : one > other ? 1 : 0;
}

GArray *
ml_store_search_uids(MlStoreSearch *search, const MlQuery *query, const char *folder, gboolean *complete,
                     GError **error)
{
  Find find = { .search = search };
  gboolean ok = find_hits(&find, query, folder, error);
  g_autoptr(GArray) hits = find.hits, uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  MlStoreFolder about;
  if (!ok || !ml_store_folder(search->store, folder, &about, error))
    return NULL;
  for (guint i = 0; i < hits->len; i++) {
    guint32 uid = (guint32)g_array_index(hits, Hit, i).id;
    g_array_append_val(uids, uid);
  }
  g_array_sort(uids, compare_numbers);
  g_autoptr(sqlite3_stmt) whole = ml_store_prepare(
      search->index, "SELECT count(*) FROM doc WHERE id >= ?1 AND id < ?2 AND whole", error);
  if (!whole)
    return NULL;
  sqlite3_bind_int64(whole, 1, find.from);
  sqlite3_bind_int64(whole, 2, find.to);
  if (sqlite3_step(whole) != SQLITE_ROW) {
    ml_store_fail(search->index, error);
    return NULL;
  }
  *complete = (guint)sqlite3_column_int(whole, 0) == about.total;
  return g_steal_pointer(&uids);
}

static int
compare_ids(gconstpointer a, gconstpointer b)
{
  const Hit *one = a, *other = b;
  return one->id < other->id ? -1 : one->id > other->id;
}

/* The array of a folder by its number; NULL: it is not there any more, or an error, which is set. */
static GArray *
array_of(MlStoreSearch *search, GHashTable *all, gint64 folder, GError **error)
{
  g_autoptr(sqlite3_stmt) statement = ml_store_prepare(search->store, "SELECT name FROM folder WHERE id = ?1", error);
  if (!statement)
    return NULL;
  sqlite3_bind_int64(statement, 1, folder);
  int code = sqlite3_step(statement);
  if (code != SQLITE_ROW) {
    if (code != SQLITE_DONE)
      ml_store_fail(search->store, error);
    return NULL;
  }
  GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_hash_table_replace(all, ml_store_text(statement, 0), uids);
  return uids;
}

GHashTable *
ml_store_search_all(MlStoreSearch *search, const MlQuery *query, GCancellable *cancellable, GError **error)
{
  Find find = { .search = search, .cancellable = cancellable };
  gboolean ok = find_hits(&find, query, NULL, error);
  g_autoptr(GArray) hits = find.hits;
  g_autoptr(GHashTable) all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
  g_autoptr(GError) why = NULL;
  GArray *uids = NULL;
  gint64 folder = 0;
  if (!ok)
    return NULL;
  g_array_sort(hits, compare_ids);
  for (guint i = 0; i < hits->len && !why; i++) {
    gint64 id = g_array_index(hits, Hit, i).id;
    guint32 uid = (guint32)id;
    if (id >> 32 != folder) {
      folder = id >> 32;
      uids = array_of(search, all, folder, &why);
    }
    if (uids)
      g_array_append_val(uids, uid);
  }
  if (!why)
    return g_steal_pointer(&all);
  g_propagate_error(error, g_steal_pointer(&why));
  return NULL;
}
