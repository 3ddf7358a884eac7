#include "mail/saved.h"

#include <string.h>

#include "mail/error.h"
#include "mail/look.h"

enum {
  PATTERNS = ML_PATTERN_FLAGS | ML_PATTERN_NUMBERS | ML_PATTERN_HEADER | ML_PATTERN_TEXT,
  CHUNK = 500,        /* lines with their text that are read at once */
  NUMBERS = 4 * 1000, /* lines without; a screen takes in as many between two keys */
};

/* ---- names and what they stand for */

void
ml_saved_free(MlSaved *saved)
{
  if (!saved)
    return;
  g_free(saved->name);
  g_free(saved->text);
  g_free(saved);
}

gboolean
ml_saved_is_pattern(const char *text)
{
  (void)ml_query_anywhere(&text);
  return *text && strchr("~!(=", *text);
}

/* One of them, and NULL for the other; both NULL: it cannot be read. *@anywhere: as MlQuery has it. */
static gboolean
parse(const char *text, MlPattern **pattern, MlQuery **query, gboolean *anywhere, GError **error)
{
  gboolean is_pattern = ml_saved_is_pattern(text);
  *anywhere = is_pattern && ml_query_anywhere(&text);
  *pattern = is_pattern ? ml_pattern_parse(text, PATTERNS, 0, error) : NULL;
  *query = is_pattern ? NULL : ml_query_parse(text, FALSE, error);
  *anywhere |= *query && (*query)->anywhere;
  return *pattern || *query;
}

static gboolean
is_name(const char *name)
{
  if (!*name || strlen(name) > ML_SAVED_NAME || !g_utf8_validate(name, -1, NULL) || strchr(" .-", *name) ||
      g_str_has_suffix(name, " ") || strstr(name, "  "))
    return FALSE;
  for (const char *at = name; *at; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    if (!g_unichar_isalnum(c) && !g_unichar_ismark(c) && (c >= 0x80 || !strchr(" ._-@+", (int)c)))
      return FALSE;
  }
  return TRUE;
}

gboolean
ml_saved_check(const char *text, GError **error)
{
  g_autoptr(MlPattern) pattern = NULL;
  g_autoptr(MlQuery) query = NULL;
  gboolean anywhere;
  return parse(text, &pattern, &query, &anywhere, error);
}

gboolean
ml_saved_add(GPtrArray *searches, const char *name, const char *text, GError **error)
{
  g_autoptr(GError) why = NULL;
  if (!is_name(name)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "\"%s\" cannot be a search's name: use up to %d letters and digits, . _ - @ + and single blanks between",
                name, ML_SAVED_NAME);
    return FALSE;
  }
  if (!*text || !ml_saved_check(text, &why)) {
    g_autofree char *words = g_strdup(why ? why->message : "it has no words and no pattern");
    if (g_str_has_suffix(words, "."))
      words[strlen(words) - 1] = '\0'; /* it is told within a sentence */
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "the search \"%s\" cannot be read: %s", name, words);
    return FALSE;
  }
  MlSaved *saved = g_new(MlSaved, 1);
  *saved = (MlSaved){ g_strdup(name), g_strdup(text) };
  g_ptr_array_add(searches, saved);
  return TRUE;
}

const MlSaved *
ml_saved_find(const GPtrArray *searches, const char *name)
{
  for (guint i = 0; i < searches->len; i++)
    if (strcmp(((const MlSaved *)searches->pdata[i])->name, name) == 0)
      return searches->pdata[i];
  return NULL;
}

/* ---- a run */

struct MlSavedRun {
  const MlAccount *account;
  MlDriverHooks hooks;
  MlStore *store;
  MlStoreSearch *index;
  MlPattern *pattern; /* or else query */
  MlQuery *query;
  gboolean anywhere;  /* Trash and Junk too */
  GHashTable *hits;   /* of the query: folder -> GArray of guint32, ascending; NULL: not asked yet */
  GPtrArray *folders; /* of MlFolder; NULL: not asked yet */
  GPtrArray *trashes; /* of these; borrowed */
  guint at;           /* of folders */
  guint32 uidvalidity, below; /* of the one under way; 0: it was not begun */
  MlLook *look;       /* into it; NULL */
  guint open;
};

void
ml_saved_found_free(MlSavedFound *found)
{
  if (!found)
    return;
  g_free(found->folder);
  g_array_unref(found->lines);
  g_free(found);
}

MlSavedRun *
ml_saved_run_new(const char *text, const MlAccount *account, const MlDriverHooks *hooks, MlStore *store,
                 MlStoreSearch *index, GError **error)
{
  g_autoptr(MlPattern) pattern = NULL;
  g_autoptr(MlQuery) query = NULL;
  gboolean anywhere;
  if (!parse(text, &pattern, &query, &anywhere, error))
    return NULL;
  MlSavedRun *run = g_new0(MlSavedRun, 1);
  run->anywhere = anywhere;
  run->account = account;
  run->hooks = *hooks;
  run->store = store;
  run->index = index;
  run->pattern = g_steal_pointer(&pattern);
  run->query = g_steal_pointer(&query);
  return run;
}

void
ml_saved_run_free(MlSavedRun *run)
{
  if (!run)
    return;
  ml_pattern_free(run->pattern);
  ml_query_free(run->query);
  g_clear_pointer(&run->hits, g_hash_table_unref);
  g_clear_pointer(&run->trashes, g_ptr_array_unref);
  g_clear_pointer(&run->folders, g_ptr_array_unref);
  ml_look_free(run->look);
  g_free(run);
}

guint
ml_saved_run_open(const MlSavedRun *run)
{
  return run->open;
}

static void
next_folder(MlSavedRun *run)
{
  g_clear_pointer(&run->look, ml_look_free);
  run->at++;
  run->uidvalidity = run->below = 0;
}

static void
take(MlSavedRun *run, const MlLine *line, MlSavedFound **found)
{
  if (!*found) {
    *found = g_new(MlSavedFound, 1);
    **found = (MlSavedFound){ g_strdup(((const MlFolder *)run->folders->pdata[run->at])->name), run->uidvalidity,
                              g_array_new(FALSE, FALSE, sizeof(MlLine)) };
  }
  g_array_append_val((*found)->lines, *line);
}

/* ---- by a pattern */

/* @header: NULL: its text counts for nothing. FALSE: it could not be looked into, for a reason. */
static gboolean
ask(MlSavedRun *run, const MlLine *line, const MlHeader *header, GCancellable *cancellable, gboolean *fits, GError **error)
{
  static char empty[] = "";
  const MlHeader bare = { .from = empty, .from_name = empty, .from_address = empty, .to = empty, .cc = empty,
                          .subject = empty, .message_id = empty, .references = empty };
  MlPatternFacts facts = ml_pattern_facts(header ? header : &bare);
  facts.uid = line->uid;
  facts.flags = line->flags;
  facts.hints = line->hints;
  facts.date = line->date;
  facts.received = line->received;
  facts.size = line->size;
  facts.deleted = (line->flags & ML_FLAG_DELETED) != 0;
  MlPatternAnswer answer = ml_pattern_ask(run->pattern, &facts);
  if (answer == ML_PATTERN_OPEN) {
    const MlFolder *folder = run->folders->pdata[run->at];
    if (!run->look)
      run->look = ml_look_new(run->account, &run->hooks, folder->name, run->uidvalidity);
    if (!ml_look_at(run->look, run->pattern, line->uid, line->hints, cancellable, &facts.seen, error))
      return FALSE;
    answer = ml_pattern_ask(run->pattern, &facts);
    run->open += answer == ML_PATTERN_OPEN;
  }
  *fits = answer == ML_PATTERN_YES;
  return TRUE;
}

static MlLine
line_of(const MlHeader *header)
{
  return (MlLine){ header->uid,  (guint16)header->flags, (guint16)header->hints,
                   header->date, header->received,       header->size };
}

/* The next lines of the folder, down from run->below. *@end: there are none. */
static gboolean
look_by_text(MlSavedRun *run, const char *folder, gint64 until, GCancellable *cancellable, MlSavedFound **found,
             gboolean *end, GError **error)
{
  g_autoptr(GPtrArray) headers = ml_store_headers(run->store, folder, run->below, CHUNK, error);
  for (guint i = 0; headers && i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    const MlLine line = line_of(header);
    gboolean fits;
    if (!ask(run, &line, header, cancellable, &fits, error))
      return FALSE;
    if (fits)
      take(run, &line, found);
    run->below = header->uid;
    if (run->look && g_get_monotonic_time() > until)
      break;
  }
  *end = headers && !headers->len;
  return headers != NULL;
}

static gboolean
look_by_numbers(MlSavedRun *run, const char *folder, GCancellable *cancellable, MlSavedFound **found, gboolean *end,
                GError **error)
{
  g_autoptr(GArray) lines = ml_store_lines(run->store, folder, 0, run->below, NUMBERS, error);
  for (guint i = 0; lines && i < lines->len; i++) {
    const MlLine *line = &g_array_index(lines, MlLine, i);
    gboolean fits;
    if (!ask(run, line, NULL, cancellable, &fits, error))
      return FALSE;
    if (fits)
      take(run, line, found);
    run->below = line->uid;
  }
  *end = lines && !lines->len;
  return lines != NULL;
}

/* ---- by words */

static int
compare_uids(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;
  return one < other ? -1 : one > other;
}

static gboolean
look_by_words(MlSavedRun *run, const char *folder, MlSavedFound **found, gboolean *end, GError **error)
{
  GArray *hits = run->hits ? g_hash_table_lookup(run->hits, folder) : NULL;
  *end = !hits;
  if (!hits)
    return TRUE;
  g_autoptr(GArray) lines = ml_store_lines(run->store, folder, 0, run->below, NUMBERS, error);
  for (guint i = 0; lines && i < lines->len; i++) {
    const MlLine *line = &g_array_index(lines, MlLine, i);
    if (bsearch(&line->uid, hits->data, hits->len, sizeof(guint32), compare_uids))
      take(run, line, found);
    run->below = line->uid;
  }
  *end = lines && (!lines->len || run->below <= g_array_index(hits, guint32, 0));
  return lines != NULL;
}

/* ---- piece by piece */

static gboolean
begin(MlSavedRun *run, GCancellable *cancellable, GError **error)
{
  if (!run->folders)
    run->folders = ml_store_folders(run->store, error);
  if (run->folders && !run->trashes)
    run->trashes = ml_folder_trashes(run->folders);
  if (run->folders && run->query && run->index && !run->hits)
    run->hits = ml_store_search_all(run->index, run->query, cancellable, error);
  return run->folders && (!run->query || !run->index || run->hits);
}

/* Whoever replaces the folder meanwhile gives its numbers another meaning: then what is left of it is not looked at. */
static gboolean
look_on(MlSavedRun *run, gint64 until, GCancellable *cancellable, MlSavedFound **found, GError **error)
{
  const MlFolder *folder = run->folders->pdata[run->at];
  guint32 now = 0;
  gboolean end = FALSE, ok;
  if (!folder->selectable || (!run->anywhere && ml_folder_is_aside(run->trashes, folder))) {
    next_folder(run);
    return TRUE;
  }
  if (!ml_store_validity(run->store, folder->name, &now, error))
    return FALSE;
  if (!now || (run->uidvalidity && now != run->uidvalidity)) {
    next_folder(run);
    return TRUE;
  }
  run->uidvalidity = now;
  if (run->query)
    ok = look_by_words(run, folder->name, found, &end, error);
  else if (ml_pattern_needs(run->pattern) & (ML_PATTERN_HEADER | ML_PATTERN_TEXT))
    ok = look_by_text(run, folder->name, until, cancellable, found, &end, error);
  else
    ok = look_by_numbers(run, folder->name, cancellable, found, &end, error);
  if (!ok || !ml_store_validity(run->store, folder->name, &now, error))
    return FALSE;
  if (now != run->uidvalidity)
    g_clear_pointer(found, ml_saved_found_free);
  if (end || now != run->uidvalidity)
    next_folder(run);
  return TRUE;
}

gboolean
ml_saved_run_on(MlSavedRun *run, gint64 until, GCancellable *cancellable, MlSavedFound **found, gboolean *more,
                GError **error)
{
  g_autoptr(MlSavedFound) some = NULL;
  if (!begin(run, cancellable, error))
    return FALSE;
  do {
    if (g_cancellable_set_error_if_cancelled(cancellable, error))
      return FALSE;
    if (run->at < run->folders->len && !look_on(run, until, cancellable, &some, error))
      return FALSE;
  } while (run->at < run->folders->len && !some && g_get_monotonic_time() < until);
  *more = run->at < run->folders->len;
  *found = g_steal_pointer(&some);
  return TRUE;
}
