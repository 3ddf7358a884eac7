#ifndef UI_PAGER_H
#define UI_PAGER_H

#include "ui/screen.h"

/* Lines to scroll through: the reader's text, details, help, the log. Lines are laid out for a width when they are
 * first drawn at it. What a line says stands to the right of its gutter, which is ours alone. UI thread. */
typedef struct {
  char *text; /* one line that passed the gate; a rule's label; never NULL */
  UiStyle style;
  guint lead;    /* octets at the beginning that are a name ("From:") */
  guint indent;  /* columns before what was wrapped */
  gboolean rule; /* a line across the screen with the text in it */
  char gutter;   /* what covers the line: '|' signed, '=' encrypted, '#' both, ':' neither; ' ': no word */
} UiLine;

typedef enum {
  UI_MOVE_UP,
  UI_MOVE_DOWN,
  UI_MOVE_PAGE_UP,
  UI_MOVE_PAGE_DOWN,
  UI_MOVE_FIRST,
  UI_MOVE_LAST
} UiMove;

typedef struct {
  GPtrArray *source; /* of UiLine, not wrapped */
  GPtrArray *lines;  /* of UiLine, as wide as columns */
  int columns, rows; /* of the last drawing */
  int top, found;    /* found: the line that a search stands on, or -1 */
  gboolean gutter;   /* show it */
} UiPager;

void ui_pager_init(UiPager *pager, gboolean gutter);
void ui_pager_clear(UiPager *pager);   /* frees the lines; the pager is as new */
void ui_pager_changed(UiPager *pager); /* the source was changed: lay out again, keep the place */
UiLine *ui_pager_add(UiPager *pager, UiStyle style, const char *text); /* borrowed, to set the rest */
UiLine *ui_pager_add_format(UiPager *pager, UiStyle style, const char *format, ...)
    G_GNUC_PRINTF(3, 4); /* through the gate */
void ui_pager_add_rule(UiPager *pager, const char *label);

void ui_pager_draw(UiPager *pager, int row, int rows, int columns);
gboolean ui_pager_move(UiPager *pager, UiMove move); /* FALSE: it was there already */
gboolean ui_pager_search(UiPager *pager, const char *folded, gboolean backwards);
int ui_pager_percent(const UiPager *pager); /* how far down the last visible line is */

#endif
