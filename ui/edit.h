#ifndef UI_EDIT_H
#define UI_EDIT_H

#include <glib.h>

/* One line that is being typed, in a fixed buffer that is wiped when it is done with: passwords are typed here too.
 * UI thread; pure. */
typedef struct {
  char text[1024]; /* valid UTF-8, NUL-terminated */
  gsize cursor;    /* octets; between characters */
} UiEdit;

typedef enum { UI_EDIT_MORE, UI_EDIT_DONE, UI_EDIT_CANCELLED, UI_EDIT_COMPLETE /* Tab */ } UiEditResult;

void ui_edit_set(UiEdit *edit, const char *text); /* NULL: empty; wipes what was there */
void ui_edit_wipe(UiEdit *edit);
UiEditResult ui_edit_key(UiEdit *edit, int key);

#endif
