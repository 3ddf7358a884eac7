#ifndef UI_DRAFTS_PRIVATE_H
#define UI_DRAFTS_PRIVATE_H

#include "mail/drafts.h"
#include "ui/compose-private.h"

/* What the two files about drafts share. */
char *ui_drafts_folder(const UiApp *app); /* transfer full */

typedef enum {
  UI_DRAFT_FREE, /* nobody writes it */
  UI_DRAFT_BUSY, /* a signet, this or another, is at it */
  UI_DRAFT_LEFT, /* it was being written when a signet ended badly; or the lock is ours now */
} UiDraftLock;
/* @fd NULL: only looks. */
UiDraftLock ui_drafts_lock(const UiApp *app, const char *id, int *fd);

/* The copy of a draft in an account's Drafts folder. */
typedef struct {
  char *account, *folder, *message_id;
} UiDraftCopy;
void ui_drafts_copy_free(UiDraftCopy *copy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiDraftCopy, ui_drafts_copy_free)
void ui_drafts_note(const UiApp *app, const char *id, const UiDraftCopy *copy); /* NULL: there is none */
UiDraftCopy *ui_drafts_noted(const UiApp *app, const char *id);                 /* NULL: there is none */
char *ui_drafts_of_copy(UiApp *app, const char *account, const char *folder,
                        const char *message_id);   /* its id; NULL */
const char *ui_drafts_title(const UiApp *app, const char *id); /* NULL: it was not open here. Borrowed */
void ui_drafts_delete(UiApp *app, const char *id); /* everywhere */

#endif
