#include "ui/edit.h"

#include <string.h>

#include "ui/keys.h"

void
ui_edit_wipe(UiEdit *edit)
{
  explicit_bzero(edit, sizeof *edit);
}

void
ui_edit_set(UiEdit *edit, const char *text)
{
  ui_edit_wipe(edit);
  if (!text)
    return;
  gsize length = strlen(text);
  if (length >= sizeof edit->text)
    length = (gsize)(g_utf8_find_prev_char(text, text + sizeof edit->text) - text);
  memcpy(edit->text, text, length);
  edit->cursor = length;
}

static void
delete_range(UiEdit *edit, gsize from, gsize to)
{
  gsize length = strlen(edit->text);

  memmove(edit->text + from, edit->text + to, length - to);
  explicit_bzero(edit->text + length - (to - from), to - from);
  edit->cursor = from;
}

static gsize
before(const UiEdit *edit)
{
  return edit->cursor == 0 ? 0 : (gsize)(g_utf8_prev_char(edit->text + edit->cursor) - edit->text);
}

static gsize
after(const UiEdit *edit)
{
  const char *at = edit->text + edit->cursor;
  return *at ? (gsize)(g_utf8_next_char(at) - edit->text) : edit->cursor;
}

static gsize
word_start(const UiEdit *edit)
{
  gsize at = edit->cursor;

  while (at > 0 && edit->text[at - 1] == ' ')
    at--;
  while (at > 0 && edit->text[at - 1] != ' ' && !(at < edit->cursor && edit->text[at - 1] == '/'))
    at--;
  return at;
}

static void
insert(UiEdit *edit, gunichar c)
{
  char bytes[6];
  gsize length = strlen(edit->text), n = (gsize)g_unichar_to_utf8(c, bytes);

  if (length + n >= sizeof edit->text)
    return;
  memmove(edit->text + edit->cursor + n, edit->text + edit->cursor, length - edit->cursor);
  memcpy(edit->text + edit->cursor, bytes, n);
  edit->cursor += n;
  explicit_bzero(bytes, sizeof bytes);
}

UiEditResult
ui_edit_key(UiEdit *edit, int key)
{
  switch (key) {
  case UI_KEY_ENTER:
    return UI_EDIT_DONE;
  case UI_KEY_ESC:
  case UI_CTRL('c'):
  case UI_CTRL('g'):
    return UI_EDIT_CANCELLED;
  case UI_KEY_TAB:
    return UI_EDIT_COMPLETE;
  case UI_KEY_LEFT:
  case UI_CTRL('b'):
    edit->cursor = before(edit);
    break;
  case UI_KEY_RIGHT:
  case UI_CTRL('f'):
    edit->cursor = after(edit);
    break;
  case UI_KEY_HOME:
  case UI_CTRL('a'):
    edit->cursor = 0;
    break;
  case UI_KEY_END:
  case UI_CTRL('e'):
    edit->cursor = strlen(edit->text);
    break;
  case UI_KEY_BACKSPACE:
    delete_range(edit, before(edit), edit->cursor);
    break;
  case UI_KEY_DELETE:
  case UI_CTRL('d'): {
    gsize end = after(edit);
    delete_range(edit, edit->cursor, end);
    break;
  }
  case UI_CTRL('w'):
    delete_range(edit, word_start(edit), edit->cursor);
    break;
  case UI_CTRL('u'):
    delete_range(edit, 0, edit->cursor);
    break;
  case UI_CTRL('k'):
    delete_range(edit, edit->cursor, strlen(edit->text));
    break;
  default:
    if (key >= 0x20 && key < 0x110000 && g_unichar_validate((gunichar)key))
      insert(edit, (gunichar)key);
  }
  return UI_EDIT_MORE;
}
