#ifndef ML_STORE_SEARCH_H
#define ML_STORE_SEARCH_H

#include "mail/query.h"
#include "mail/store.h"

/* data/store/ACCOUNT.search: which words are in which message of an account's store, headers and text, by SQLite's
 * FTS5. A cache beside a cache: what is damaged, or belongs to another file of lists, is begun anew, and the store's own
 * notes of what was added and removed say what is to be looked at. One handle a thread; several signets may use one
 * file. Blocks on the disk. doc/search.md says how it is built. */
typedef struct MlStoreSearch MlStoreSearch;
/* @store: of the same account, borrowed for as long as this lives; read for lines of the index, and written for what
 * was looked at. */
MlStoreSearch *ml_store_search_open(MlStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* To look only. NULL without an error: there is none yet. */
MlStoreSearch *ml_store_search_open_to_read(MlStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_store_search_free(MlStoreSearch *search);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MlStoreSearch, ml_store_search_free)

/* ---- filling it: mail/search.c. One transaction from _next() to _end(). */
typedef struct {
  gint64 id, mark;
  char *folder;
  guint32 uidvalidity;
  MlHeader *header; /* NULL: it is gone */
  GBytes *bytes;    /* the message, where the store keeps it; NULL */
} MlStoreTouched;
void ml_store_touched_free(MlStoreTouched *touched);
/* At most @most messages that were added, removed, or whose text came since they were looked at; empty: none. NULL:
 * error, and there is nothing to end. */
GPtrArray *ml_store_search_next(MlStoreSearch *search, guint most, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* @text: what it says; NULL: not at hand. */
gboolean ml_store_search_put(MlStoreSearch *search, const MlStoreTouched *touched, const char *text,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* @local: the text of every message can be had again, so that old parts may be written anew. */
gboolean ml_store_search_end(MlStoreSearch *search, const GPtrArray *touched, gboolean local, gboolean ok,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Everything is looked at again; what is there serves until then. */
gboolean ml_store_search_again(MlStoreSearch *search, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
  guint folders;  /* that were read at some time */
  guint messages; /* in the store */
  guint indexed;  /* of these: headers at least */
  guint bodies;   /* of these: text too */
  guint waiting;  /* to be looked at */
  guint elsewhere; /* messages of folders that were never read, as far as the server has told */
} MlSearchState;
gboolean ml_store_search_waiting(MlStoreSearch *search, guint *waiting, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_store_search_state(MlStoreSearch *search, MlSearchState *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ---- asking it */
typedef struct {
  const char *folder; /* NULL: all */
  guint limit;
  gboolean by_rank;   /* else by date, newest first */
  GCancellable *cancellable; /* any thread may; may be NULL */
  guint *aside;       /* how many were left out, as they lie in Trash or Junk (ml_folder_is_aside()); NULL is fine */
} MlFindOptions;
typedef struct {
  char *folder;
  guint32 uidvalidity;
  MlHeader *header;
  gboolean full; /* its text was searched too */
  double score;  /* by_rank: smaller is better */
} MlFound;
void ml_found_free(MlFound *found);
/* Array of MlFound, best or newest first. *@total: how many there are in all. Those in Trash and Junk are left out, unless
 * the query says in:anywhere, or a folder is named. */
GPtrArray *ml_store_search_find(MlStoreSearch *search, const MlQuery *query, const MlFindOptions *options,
                                guint *total, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The numbers in one folder of all messages that fit, ascending: array of guint32. *@complete: the text of every one of
 * its messages was searched. */
GArray *ml_store_search_uids(MlStoreSearch *search, const MlQuery *query, const char *folder, gboolean *complete,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same in all folders at once, as the index has it: some may be gone from the lists. Name of the folder -> GArray of
 * guint32. */
GHashTable *ml_store_search_all(MlStoreSearch *search, const MlQuery *query, GCancellable *cancellable,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
