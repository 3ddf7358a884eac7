#ifndef UI_TEXT_H
#define UI_TEXT_H

#include <glib.h>

/* The one gate between text and the terminal. Nothing from a mail, a server, a certificate, a token or a file
 * name reaches the screen, stdout (as text) or stderr but through here. Any thread.
 *
 * C0 (but for '\n' in ui_text_lines), C1, DEL, bidi controls and isolates, line and paragraph separators, zero
 * width and tag characters, variation and interlinear marks, lone combining marks beyond 8 on one base,
 * noncharacters, private use, and bytes that are no UTF-8 become visible marks: U+FFFD, or '?' where the terminal
 * has no UTF-8. Width is counted by one function, so that columns hold. */
char *ui_text_line(const char *text);  /* one line: '\n' and '\t' become blanks; transfer full; NULL gives "" */
char *ui_text_lines(const char *text); /* '\n' stays, '\t' goes to the next column of 8; transfer full */
char *ui_text_json(const char *text);  /* as ui_text_lines, but tabs stay and nothing becomes '?' */

/* Columns that the terminal gives to one character (0, 1 or 2) or a whole string that passed the gate. */
int ui_text_char_width(gunichar c);
int ui_text_width(const char *text);
/* How many octets of @text, at most @most, are printable ASCII: a column each, whatever the locale, and safe as they are. */
gsize ui_text_plain_run(const char *text, gsize most);

/* Exactly @columns wide: cut (with an ellipsis where it was) or filled with blanks. Transfer full. */
char *ui_text_fit(const char *text, int columns);
char *ui_text_cut(const char *text, int columns); /* cut but not filled */

/* Lines of at most @columns, broken at blanks where possible; array of char *. '\n' breaks. */
GPtrArray *ui_text_wrap(const char *text, int columns);

/* Set once at start: does the terminal show UTF-8? Otherwise letters it lacks become their nearest ASCII. */
void ui_text_set_utf8(gboolean utf8);
gboolean ui_text_is_utf8(void);

char *ui_text_size(guint64 octets);  /* "4k", "1.2M": at most 5 columns */
char *ui_text_date(gint64 when, gint64 now, int columns); /* "Thu 14:02", "12 Mar", "2024-03-12" as fits */

#endif
