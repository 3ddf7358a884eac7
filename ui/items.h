#ifndef UI_ITEMS_H
#define UI_ITEMS_H

#include <glib.h>

/* The messages of a folder as its list has them in memory, newest first: eight octets each, since a folder may have
 * 100,000 of them and more. Whatever else is to be known of one is read from the store when it is needed (ui/lines.h), or
 * kept beside for those few that have it (ui/box.c). UI thread. */
#define UI_ITEM_FIELDS(COUNTED)                                                                              \
  guint32 uid;                                                                                               \
  COUNTED guint8 flags;        /* as the screen shows them */                                                \
  COUNTED _Bool deleted : 1;   /* pending until $ */                                                         \
  guint32 hints : 4;                                                                                         \
  guint32 mark : 6;            /* ui/verdicts.c: ui_verdicts_mark() */                                       \
  guint32 tagged : 1;                                                                                        \
  guint32 gone : 1;            /* about to be taken out of the list */                                       \
  guint32 folded : 1;          /* the rest of its thread is not shown */                                     \
  guint32 told : 1;            /* by the last reading of the list */                                         \
  guint32 fits : 1, found : 1; /* the limit, or what ui_box_find() was given */                              \
  guint32 judged : 1, tried : 1; /* the mark holds; there is nothing to be judged */                         \
  guint32 large : 1;           /* more than ML_STORE_BODY octets: it is not judged unasked */
/* Read-only is what is kept count of, for all but ui_items_set_flags() and its like: none can forget to count. (A const
 * bit-field of another type than _Bool would be a warning only.) */
typedef struct {
  UI_ITEM_FIELDS(const)
} UiItem;

/* Where they lie: an item keeps its address until it is dropped. */
typedef struct UiItems UiItems;
UiItems *ui_items_new(void);
void ui_items_free(UiItems *items); /* NULL is fine */
void ui_items_clear(UiItems *items);
guint ui_items_count(const UiItems *items);
UiItem *ui_items_at(const UiItems *items, guint at); /* @at < count */
guint ui_items_place(const UiItems *items, guint32 uid); /* where the one with this number is, or belongs */
UiItem *ui_items_find(const UiItems *items, guint32 uid); /* NULL: there is none */
UiItem *ui_items_add(UiItems *items, guint32 uid); /* it must not be there; all else is zero */
void ui_items_set_flags(UiItems *items, UiItem *item, guint flags); /* @item is one of theirs, here and below */
void ui_items_set_deleted(UiItems *items, UiItem *item, gboolean deleted);
guint ui_items_unread(const UiItems *items);
guint ui_items_pending(const UiItems *items); /* that are deleted here, and not in the mailbox */
guint ui_items_drop_gone(UiItems *items); /* those that are gone; how many. Their addresses come again */

#endif
