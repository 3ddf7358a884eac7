#ifndef UI_FINDS_PRIVATE_H
#define UI_FINDS_PRIVATE_H

#include "mail/store-search.h"
#include "ui/app-private.h"

/* The rows of the search over all folders (ui/finds.c), from several that look for the same words: a message that two have
 * found is one row, that of the first of them. */
typedef enum {
  UI_FINDS_HERE,   /* the index of words */
  UI_FINDS_SERVER, /* asked with a key */
  UI_FINDS_BY,
} UiFindsBy;
typedef struct {
  UiAccount *account;
  char *folder;
  guint32 uidvalidity, uid;
  /* finds-rows.c's own */
  gint64 date;
  double score;
  guint serial;
  UiFindsBy by;
  UiStyle style;
  char *text, *more; /* passed the gate; more: NULL */
} UiFindsRow;
typedef struct UiFindsRows UiFindsRows;
UiFindsRows *ui_finds_rows_new(void);
void ui_finds_rows_free(UiFindsRows *found);
void ui_finds_rows_clear(UiFindsRows *found, UiFindsBy by);
/* In the order in which they rank. @snippet: some words around what was found; NULL. FALSE: there are enough. */
gboolean ui_finds_rows_add(UiFindsRows *found, UiFindsBy by, UiAccount *account, const MlFound *one, const char *snippet);
/* Of the first rows of the index of words; the others have none, and no place for one. */
void ui_finds_rows_snippets(UiFindsRows *found, const GPtrArray *snippets);
/* All that the index of words finds: more than are rows. Folder -> GArray of guint32, ascending; takes it; NULL: no more than
 * the rows. */
void ui_finds_rows_here(UiFindsRows *found, GHashTable *here);
guint ui_finds_rows_far(const UiFindsRows *found); /* of those that are shown: what the server alone has found */
/* Fills @list: newest first, or best first. @stay: the cursor stays on its message; else it goes to the first. */
void ui_finds_rows_show(UiFindsRows *found, UiList *list, gboolean by_rank, gboolean stay);
const UiFindsRow *ui_finds_rows_at(const UiFindsRows *found, guint row); /* as they were shown; NULL: there is none */

#endif
