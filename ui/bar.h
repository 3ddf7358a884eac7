#ifndef UI_BAR_H
#define UI_BAR_H

#include <glib.h>

/* How far a subcommand is: one row on stderr, drawn over what stood there, on terminals of every kind. */
typedef struct {
  gboolean on;  /* there is somebody to see it: ui_bar_new() */
  gint64 drawn; /* when; 0: it is not there */
} UiBar;

UiBar ui_bar_new(gboolean json); /* where stderr is a terminal, and not with --json */
/* "WHAT 12 of 100, 12%  NAME"; @what may be "". @name: from mail or a server; through the gate. Not more than some times
 * a second. */
void ui_bar_draw(UiBar *bar, const char *what, guint done, guint total, const char *name);
void ui_bar_clear(UiBar *bar); /* before anything else is printed */

#endif
