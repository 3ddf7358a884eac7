#ifndef UI_FINDER_PRIVATE_H
#define UI_FINDER_PRIVATE_H

#include "mail/search.h"
#include "ui/app-private.h"

/* The index of words of an account, for ui/finder.c and ui/finds.c. Opened and used on the verify thread alone. */
typedef struct UiFinderMail UiFinderMail;
UiFinderMail *ui_finder_mail(UiApp *app, const UiAccount *account); /* UI thread; NULL: there is none */
gboolean ui_finder_open(UiFinderMail *mail, GError **error) G_GNUC_WARN_UNUSED_RESULT;
MlStoreSearch *ui_finder_index(UiFinderMail *mail);
MlStore *ui_finder_store(UiFinderMail *mail);
MlSearchReader *ui_finder_reader(UiFinderMail *mail);
/* UI thread: when it was looked last. *@changes counts looks that changed the index. */
const MlSearchState *ui_finder_state(UiApp *app, const UiAccount *account, guint *changes);
void ui_finds_news(UiApp *app); /* it has grown */

#endif
