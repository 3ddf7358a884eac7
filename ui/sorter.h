#ifndef UI_SORTER_H
#define UI_SORTER_H

#include <glib.h>

/* What the messages of a list are put in order by, and the order that comes of it: a merge sort that is done in pieces as
 * small as the caller likes, and to which messages can be added at any time, so that those that come are merged with those
 * that stand in order and not sorted with them. Messages are numbers: they may go while it goes on. Pure; one thread. */
typedef struct UiSorter UiSorter;
UiSorter *ui_sorter_new(void);
void ui_sorter_free(UiSorter *sorter); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UiSorter, ui_sorter_free)

/* By @text (NULL: none), then @number, then @date, then @uid, which is to be added once only. */
void ui_sorter_add(UiSorter *sorter, guint32 uid, gint64 date, guint64 number, const char *text);
void ui_sorter_remove(UiSorter *sorter, guint32 uid); /* noted only: it keeps its place, and is not to be added again */
gboolean ui_sorter_is_removed(const UiSorter *sorter, guint32 uid);
guint ui_sorter_count(const UiSorter *sorter); /* that were added */
guint ui_sorter_waiting(const UiSorter *sorter); /* that have not been put in order */
/* Moves about @most of them (at least a thousand or so). FALSE: all that were added are in order. */
gboolean ui_sorter_some(UiSorter *sorter, guint most);
void ui_sorter_all(UiSorter *sorter); /* whatever it takes */
guint32 ui_sorter_uid(const UiSorter *sorter, guint at); /* the least first; once all are in order */

#endif
