#ifndef UI_KEYS_H
#define UI_KEYS_H

#include <glib.h>

/* Keys, and what they do where: one const table that both the screen and its help read. */
enum { /* characters are themselves; beyond Unicode lie the keys that have none */
       UI_KEY_NONE = 0,
       UI_KEY_TAB = 9,
       UI_KEY_ENTER = 13,
       UI_KEY_ESC = 27,
       UI_KEY_BACKSPACE = 127,
       UI_KEY_UP = 0x200000,
       UI_KEY_DOWN,
       UI_KEY_LEFT,
       UI_KEY_RIGHT,
       UI_KEY_PAGE_UP,
       UI_KEY_PAGE_DOWN,
       UI_KEY_HOME,
       UI_KEY_END,
       UI_KEY_DELETE,
       UI_KEY_RESIZE,
       UI_KEY_OTHER, /* one that has no name here */
};
#define UI_KEY_F(number) (0x200100 + (number))
#define UI_CTRL(letter) ((letter)&0x1f)
#define UI_ALT(character) (0x300000 + (character))

/* Where a binding holds: the view on top. */
typedef enum {
  UI_IN_INDEX = 1 << 0,
  UI_IN_READER = 1 << 1,
  UI_IN_FOLDERS = 1 << 2,
  UI_IN_DETAILS = 1 << 3,
  UI_IN_PARTS = 1 << 4,
  UI_IN_TEXT = 1 << 5, /* help, log, a part as text */
  UI_IN_COMPOSE = 1 << 6,
  UI_IN_MISSING = 1 << 7, /* recipients that cannot be encrypted to */
  UI_IN_DRAFTS = 1 << 8,
  UI_IN_OUTBOX = 1 << 9,
  UI_IN_CHOICE = 1 << 10, /* one of several is asked for */
  UI_IN_CERTS = 1 << 11,
  UI_IN_TOKENS = 1 << 12,
  UI_IN_FINDS = 1 << 13,
  UI_IN_WRITING = UI_IN_COMPOSE | UI_IN_MISSING | UI_IN_DRAFTS | UI_IN_OUTBOX | UI_IN_CHOICE,
  UI_IN_LISTS = UI_IN_INDEX | UI_IN_FOLDERS | UI_IN_PARTS | UI_IN_WRITING | UI_IN_CERTS | UI_IN_TOKENS |
                UI_IN_FINDS,
  UI_IN_PAGERS = UI_IN_READER | UI_IN_DETAILS | UI_IN_TEXT,
  UI_IN_ALL = 0x3fff,
} UiContext;

typedef struct UiApp UiApp;
typedef struct {
  int key;
  guint context;
  const char *action; /* its name */
  const char *help;
  void (*run)(UiApp *app);
} UiBinding;

const UiBinding *ui_keys_table(void);                      /* ended by key 0 */
const UiBinding *ui_keys_find(int key, UiContext context); /* NULL: bound to nothing here */
char *ui_keys_name(int key);                               /* "j", "Space", "Ctrl-F", "PgDn"; transfer full */

#endif
