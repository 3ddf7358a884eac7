#ifndef UI_TERMINAL_H
#define UI_TERMINAL_H

#include <glib-unix.h>

/* What the terminal and the shell tell us, as sources of the main loop. UI thread. */
typedef enum {
  UI_TERMINAL_RESIZED,
  UI_TERMINAL_STOP, /* asked to stop: Ctrl-Z from elsewhere */
  UI_TERMINAL_CONTINUED,
  UI_TERMINAL_INTERRUPT,
  UI_TERMINAL_END, /* asked to end, or the terminal is gone */
} UiTerminalEvent;
typedef void (*UiTerminalFunc)(UiTerminalEvent event, gpointer user_data);

void ui_terminal_watch_signals(UiTerminalFunc func, gpointer user_data); /* after ui_screen_open() */
void ui_terminal_unwatch(void);
guint ui_terminal_watch(GUnixFDSourceFunc func,
                        gpointer user_data); /* keys are there to be read; the source's id */

#endif
