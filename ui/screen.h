#ifndef UI_SCREEN_H
#define UI_SCREEN_H

#include <glib.h>

#include "ui/keys.h"

/* The terminal: the only file that knows curses. Text that is put here has passed ui_text_*. UI thread only. */
typedef enum {
  UI_STYLE_NORMAL,
  UI_STYLE_BOLD,
  UI_STYLE_QUIET,  /* hints, what matters less */
  UI_STYLE_TITLE,  /* top and bottom lines */
  UI_STYLE_CURSOR, /* the line that keys act on */
  UI_STYLE_NEW,
  UI_STYLE_DELETED,
  UI_STYLE_TAGGED,
  UI_STYLE_HEADER,
  UI_STYLE_QUOTE,
  UI_STYLE_MATCH, /* what a search found */
  UI_STYLE_GOOD,
  UI_STYLE_WARN,
  UI_STYLE_BAD,
  UI_STYLE_SIGNED, /* gutters: what covers a line */
  UI_STYLE_ENCRYPTED,
  UI_STYLE_BOTH,
  UI_STYLE_BARE,
  UI_STYLE_RULE,
  UI_STYLE_PROMPT,
  UI_STYLES,
} UiStyle;

/* Takes the terminal; FALSE where there is none that could show a screen. It is given back by _close(), by exit()
 * and by a crash alike. @log: what libraries write to stderr goes to this file meanwhile; NULL: nowhere. */
gboolean ui_screen_open(gboolean ascii, const char *log, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void ui_screen_close(void);

void ui_screen_size(int *rows, int *columns);
void ui_screen_resize(void); /* after SIGWINCH: asks the terminal for its size */
void ui_screen_redraw(void); /* the next _end() writes everything, whatever was thought to be there */
gboolean ui_screen_ascii(void);

/* Between _begin() and _end() the picture is put together; _end() writes what differs from the last one. The
 * cursor goes to @row, @column, visible only if @show. */
void ui_screen_begin(void);
void ui_screen_put(int row, int column, int width, UiStyle style,
                   const char *text); /* cut at @width, not filled */
void
ui_screen_fill(int row, int column, int width, UiStyle style, const char *text); /* cut or filled to @width */
void ui_screen_rule(int row, int column, int width, UiStyle style);
/* These rows are others than before: they are written whole, which is quicker, for curses and for the terminal, than to
 * look for what stayed and to move over it. */
void ui_screen_renew(int row, int rows);
void ui_screen_end(int row, int column, gboolean show);

/* The next key that was typed, or UI_KEY_NONE at once. */
int ui_screen_key(void);

/* Gives the terminal to another program, and takes it back. */
void ui_screen_suspend(void);
void ui_screen_resume(void);
void ui_screen_stop(void); /* Ctrl-Z: until SIGCONT */

#endif
