#ifndef UI_SCREEN_CELLS_H
#define UI_SCREEN_CELLS_H

#include <glib.h>

/* Puts text into curses' picture, for ui/screen.c alone. Printable ASCII goes there in runs; everything else, and what is
 * put over a row with wide characters, one character at a time, as curses itself fits it in. Both give the same cells
 * (tests/unit/test-screen.c). @attributes and @pair: as curses numbers them. */
void ui_screen_cells_begin(void); /* the picture is empty */
/* Returns the columns that @text took, at most @width; @fill: the rest of @width is blanked, and none is left. */
int ui_screen_cells_put(int row, int column, int width, guint attributes, int pair, const char *text, gboolean fill);
/* As if there were no ASCII, for the test. */
void ui_screen_cells_be_slow(gboolean slow);

#endif
