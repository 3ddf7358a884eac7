#ifndef UI_SCREEN_OUTPUT_H
#define UI_SCREEN_OUTPUT_H

#include <stdio.h>

/* One write(2) a picture: curses makes one at each movement of the cursor, a hundred for a page, and a terminal that
 * reads them draws as many half pictures. For the UI thread; nothing but curses writes between the two. */

/* The terminal of stdout, for newterm(), once a process; NULL with errno. It lives as long as the process. */
FILE *ui_screen_output(void);
/* What is written to it from here on is kept in memory, and sent together. Without memory for it both do nothing. */
void ui_screen_output_gather(void);
void ui_screen_output_send(void);

#endif
