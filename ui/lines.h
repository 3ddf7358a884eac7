#ifndef UI_LINES_H
#define UI_LINES_H

#include "mail/store.h"

/* The text of a folder's lines, as the store of its account has it: what is on the screen is read when it is drawn, and
 * some hundred lines are kept, so that memory does not grow with the mailbox. UI thread; a read takes a few pages of
 * the file, and waits for nobody. The same messages are meant until ui_lines_clear(). */
typedef struct UiLines UiLines;

UiLines *ui_lines_new(const char *store_dir, const MlAccount *account, const char *folder); /* borrows all three */
void ui_lines_free(UiLines *lines); /* NULL is fine */
void ui_lines_close(UiLines *lines); /* the file; it is opened again by whoever reads on. NULL is fine */
void ui_lines_clear(UiLines *lines, guint32 uidvalidity); /* the folder is another one */
void ui_lines_forget(UiLines *lines, guint32 uid);
gboolean ui_lines_put(UiLines *lines, MlHeader *header); /* one that is in the store; takes it, or FALSE: there is no room */

/* Reads those that are not here already. @uids: array of guint32. */
void ui_lines_prefetch(UiLines *lines, const GArray *uids);
/* NULL: the store does not have it any more. Borrowed until five others were asked for. */
const MlHeader *ui_lines_get(UiLines *lines, guint32 uid);
const MlHeader *ui_lines_at_hand(const UiLines *lines, guint32 uid); /* without reading; NULL: it is not */
/* At most @most of them (0: all) with a number below @below (0: any), downwards. What cannot be read is left out; from
 * where the file ended, another one in its place may begin again. */
void ui_lines_each(UiLines *lines, guint32 below, guint most, MlStoreEach func, gpointer user_data);
/* The same without their text, many times faster. */
typedef void (*UiLinesNumbers)(const MlLine *line, gpointer user_data);
void ui_lines_numbers(UiLines *lines, guint32 below, guint most, UiLinesNumbers func, gpointer user_data);
void ui_lines_again(UiLines *lines); /* what was not found may be there now */
void ui_lines_miss(UiLines *lines); /* one was left out that should be there: ui_lines_missed() */
/* The whole message, where it is kept (ML_STORE_BODY octets at most), without waiting for the worker, which may have to
 * end IDLE first. Transfer full; NULL: it is not. */
GBytes *ui_lines_message(UiLines *lines, guint32 uid, gint64 *received);

/* Something was not found, or could not be read, since this was asked last. *error (transfer full): why, if it is
 * known. */
gboolean ui_lines_missed(UiLines *lines, GError **error);

#endif
