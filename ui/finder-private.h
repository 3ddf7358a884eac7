#ifndef UI_FINDER_PRIVATE_H
#define UI_FINDER_PRIVATE_H

#include "mail/opened.h"
#include "mail/search.h"
#include "ui/app-private.h"

/* The index of words of an account, for ui/finder.c and ui/finds.c. Opened and used on the verify thread alone. */
typedef struct UiFinderMail UiFinderMail;
UiFinderMail *ui_finder_mail(UiApp *app, const UiAccount *account); /* UI thread; NULL: there is none */
gboolean ui_finder_open(UiFinderMail *mail, GError **error) G_GNUC_WARN_UNUSED_RESULT;
MlStoreSearch *ui_finder_index(UiFinderMail *mail);
MlStore *ui_finder_store(UiFinderMail *mail);
/* What a message says, for a look at it; NULL: it is not here. The first of a local mailbox reads all its names. */
char *ui_finder_text(UiFinderMail *mail, const MlFound *found); /* transfer full */
gboolean ui_finder_is_warm(const UiFinderMail *mail);           /* that first one is through */
const MlAccount *ui_finder_account(UiFinderMail *mail, const char **store_dir);

/* What encrypted messages say, in memory: finder-opened.c. Verify thread alone. */
typedef struct {
  MlOpened *index; /* NULL: it is not open */
  gint64 looked;   /* at the file, monotonic; 0: never */
  guint closed;    /* messages that could not be opened */
  gboolean locked; /* a PIN would open some */
} UiFinderOpened;
UiFinderOpened *ui_finder_opened(UiFinderMail *mail);
/* Joins it to what is found, as far as it can be opened without asking. Error: it could not, for a reason. */
void ui_finder_join(UiFinderMail *mail, CryptoRevocationMode mode, GCancellable *cancellable, GError **error);
void ui_finder_opened_clear(UiFinderMail *mail);
/* UI thread */
void ui_finder_opened_start(UiApp *app);
void ui_finder_opened_end(UiApp *app);
void ui_finder_flush(UiApp *app, const UiAccount *account); /* seals what was noted, before what is asked next */
void ui_finder_unlock(UiApp *app, const UiAccount *account); /* asks for the PIN; then ui_finds_again() */
void ui_finds_again(UiApp *app);
void ui_finds_forget(UiApp *app); /* keys were forgotten: what is shown is asked for anew */

/* UI thread: when it was looked last. *@changes counts looks that changed the index. */
const MlSearchState *ui_finder_state(UiApp *app, const UiAccount *account, guint *changes);
void ui_finds_news(UiApp *app); /* it has grown */

#endif
