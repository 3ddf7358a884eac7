#ifndef UI_CMD_SEARCH_PRIVATE_H
#define UI_CMD_SEARCH_PRIVATE_H

#include "mail/opened.h"
#include "mail/search.h"
#include "ui/bar.h"
#include "ui/cli.h"

/* What the files of `signet search` share. */
typedef struct {
  UiCli *cli;
  const MlAccount *account; /* that is searched */
  const MlQuery *query;
  MlFindOptions find;
  gboolean reindex, server, encrypted;
  guint not_searched; /* encrypted messages of the account */
  int code;   /* of what was said already, and ended the search of the account */
  int partly; /* of what was said already and left out, while the rest was searched */
  gint64 now;
  UiBar bar;
  guint found, total;
  guint aside; /* left out, in Trash or Junk */
  guint before; /* found in other accounts */
  MlSearchState state;
} UiSearch;

/* The index of the account, and the lists of a mailbox on this machine, with a bar on a terminal. */
gboolean ui_search_bring_up(UiSearch *search, MlStore *store, MlStoreSearch *index, MlDriver *local,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Opens crypto/ with what this run may need of it, once. */
gboolean ui_search_open_crypto(UiSearch *search, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ui_search_print(const UiSearch *search, const MlFound *found, gboolean server); /* one line */

/* cmd-search-opened.c: what encrypted mail says, joined to @index for as long as it lives; NULL: there is nothing, or it
 * cannot be opened, which is said. */
MlOpened *ui_search_opened(UiSearch *search, MlStore *store, MlStoreSearch *index);
void ui_search_print_closed(const UiSearch *search); /* with --json: how many were not searched */

/* cmd-search-saved.c: `signet search --saved NAME`, over all accounts or @only; and --list. The exit code. */
int ui_search_saved(UiSearch *search, const char *name, const MlAccount *only);
int ui_search_list(UiCli *cli);

#endif
