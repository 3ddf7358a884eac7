#ifndef ML_STORE_OPENED_PRIVATE_H
#define ML_STORE_OPENED_PRIVATE_H

#include "mail/opened.h"
#include "mail/store-search.h"

/* The words of encrypted messages, in memory alone: SQLite's FTS5 without a file, for mail/opened.c and the search. One
 * thread at a time. */
typedef struct MlStoreOpened MlStoreOpened;
MlStoreOpened *ml_store_opened_new(GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ml_store_opened_free(MlStoreOpened *opened);
guint ml_store_opened_count(const MlStoreOpened *opened);
/* The number of a message in the file of pieces, if it says itself that this is its place; of one that was moved there by its
 * Message-ID it is the complement, so that what is read there gets in all the same. */
guint64 ml_store_opened_number(const char *folder, guint32 uidvalidity, guint32 uid);
/* Is the one with this number there? */
gboolean ml_store_opened_has(const MlStoreOpened *opened, guint64 number);
/* One that is there already is left as it is. */
gboolean ml_store_opened_add(MlStoreOpened *opened, const MlOpenedText *text,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Takes out those for which @stays (of gboolean, one each, in their order) is FALSE. */
gboolean ml_store_opened_keep(MlStoreOpened *opened, const GArray *stays, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_store_opened_place(MlStoreOpened *opened, MlStore *store, gint64 now,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Is any of them lost, found or moved since, other than its text in the file says? */
gboolean ml_store_opened_changed(const MlStoreOpened *opened);
void ml_store_opened_written(MlStoreOpened *opened); /* the file says now where each lies, and since when it does not */
/* The @i-th with the place where it is now, or was last; @date as the list has it, 0: none has. NULL: error. */
MlOpenedText *ml_store_opened_get(MlStoreOpened *opened, guint i, gint64 *date, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
/* By its place; NULL: it is not there. */
char *ml_store_opened_text(MlStoreOpened *opened, const char *folder, guint32 uidvalidity, guint32 uid);

/* For store-search-find.c. @words: in FTS5's language. *@hits: array of MlStoreOpenedHit, those in [@from, @to). */
typedef struct {
  gint64 id, date;
  double score;
} MlStoreOpenedHit;
GArray *ml_store_opened_find(MlStoreOpened *opened, const char *words, gint64 from, gint64 to, gboolean by_rank,
                             GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean ml_store_opened_knows(const MlStoreOpened *opened, gint64 id); /* a message of the lists */

/* store-search.c, store-search-find.c */
void ml_store_search_join(MlStoreSearch *search, MlStoreOpened *opened);

/* Where its file is, and whose. Transfer full. */
char *ml_store_opened_path(const char *directory, const MlAccount *account);
char *ml_store_opened_owner(const MlAccount *account);

#endif
