#include "ui/app-private.h"

static void
row_free(UiListRow *row)
{
  g_free(row->text);
  g_free(row->more);
  g_free(row);
}

static int
height_of(const UiListRow *row, int columns)
{
  if (!row->more)
    return 1;
  g_autoptr(GPtrArray) lines = ui_text_wrap(row->more, MAX(columns - 7, 8));
  return 1 + (int)MIN(lines->len, 3);
}

static void
draw_row(const UiListRow *row, int at, int columns, int limit, gboolean current)
{
  g_autofree char *line = g_strdup_printf("%c%s", current ? '>' : ' ', row->text);

  ui_screen_fill(at, 0, columns, current ? UI_STYLE_CURSOR : row->style, line);
  if (!row->more)
    return;
  g_autoptr(GPtrArray) lines = ui_text_wrap(row->more, MAX(columns - 7, 8));
  for (guint i = 0; i < MIN(lines->len, 3) && at + 1 + (int)i < limit; i++)
    ui_screen_put(at + 1 + (int)i, 6, columns - 6, UI_STYLE_QUIET, lines->pdata[i]);
}

static void
draw(UiApp *app, UiView *view, int rows, int columns)
{
  UiList *list = (UiList *)view;
  int head = list->note ? 2 : 1, row = head, first = list->top;
  g_autofree char *title = g_strdup_printf(" %s", list->title);

  ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, title);
  if (list->note)
    ui_screen_put(1, 1, columns - 1, UI_STYLE_QUIET, list->note);
  if (!list->rows->len && list->empty)
    ui_screen_put(head + 1, 1, columns - 1, UI_STYLE_QUIET, list->empty);
  int n = (int)list->rows->len;
  list->cursor = CLAMP(list->cursor, 0, MAX(n - 1, 0));
  /* Up to the cursor from below until the screen is full: rows differ in height. */
  int room = rows - head, from = list->cursor;
  for (int i = list->cursor; i >= 0 && n; i--) {
    room -= height_of(list->rows->pdata[i], columns);
    if (room < 0)
      break;
    from = i;
  }
  list->top = CLAMP(first, from, list->cursor);
  list->height = rows - head;
  for (int i = list->top; i < n && row < rows; i++) {
    draw_row(list->rows->pdata[i], row, columns, rows, i == list->cursor);
    row += height_of(list->rows->pdata[i], columns);
  }
  for (guint i = 0; list->footer && list->footer[i] && row + 1 < rows; i++) {
    g_autoptr(GPtrArray) lines = ui_text_wrap(list->footer[i], MAX(columns - 2, 8));
    for (guint j = 0; j < lines->len && row + 1 < rows; j++)
      ui_screen_put(++row, 1, columns - 1, UI_STYLE_NORMAL, lines->pdata[j]);
  }
}

static gboolean
move(UiApp *app, UiView *view, UiMove move)
{
  UiList *list = (UiList *)view;
  int before = list->cursor, n = (int)list->rows->len;

  switch (move) {
  case UI_MOVE_UP:
    list->cursor--;
    break;
  case UI_MOVE_DOWN:
    list->cursor++;
    break;
  case UI_MOVE_PAGE_UP:
    list->cursor -= MAX(list->height / 2, 1);
    break;
  case UI_MOVE_PAGE_DOWN:
    list->cursor += MAX(list->height / 2, 1);
    break;
  case UI_MOVE_FIRST:
    list->cursor = 0;
    break;
  case UI_MOVE_LAST:
    list->cursor = n - 1;
    break;
  }
  list->cursor = CLAMP(list->cursor, 0, MAX(n - 1, 0));
  return list->cursor != before;
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  UiList *list = (UiList *)view;
  g_autofree char *folded = ml_pattern_fold(pattern);
  int n = (int)list->rows->len;

  for (int i = 1; i <= n; i++) {
    int at = ((list->cursor + (backwards ? -i : i)) % n + n) % n;
    if (!ml_pattern_contains(((UiListRow *)list->rows->pdata[at])->text, folded))
      continue;
    list->cursor = at;
    return TRUE;
  }
  return FALSE;
}

static void
hint(UiApp *app, UiView *view, GString *hint)
{
  g_string_append(hint, ((UiList *)view)->hint);
}

static void
view_free(UiApp *app, UiView *view)
{
  UiList *list = (UiList *)view;

  g_ptr_array_unref(list->rows);
  g_strfreev(list->footer);
  g_free(list->title);
  g_free(list->note);
  if (list->free_data)
    list->free_data(list->data);
  g_free(list);
}

UiList *
ui_list_new(UiContext context, const char *name, const char *title, const char *hints)
{
  UiList *list = g_new0(UiList, 1);

  list->type = (UiViewType){ context, name, draw, move, search, hint, view_free };
  list->view.type = &list->type;
  list->title = ui_text_line(title);
  list->hint = hints;
  list->rows = g_ptr_array_new_with_free_func((GDestroyNotify)row_free);
  return list;
}

UiListRow *
ui_list_add(UiList *list, UiStyle style, const char *format, ...)
{
  UiListRow *row = g_new0(UiListRow, 1);
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  row->style = style;
  row->text = ui_text_line(words);
  g_ptr_array_add(list->rows, row);
  return row;
}

void
ui_list_more(UiListRow *row, const char *text)
{
  g_free(row->more);
  row->more = text ? ui_text_line(text) : NULL;
}

void
ui_list_clear(UiList *list)
{
  g_ptr_array_set_size(list->rows, 0);
}

void
ui_list_open(UiApp *app)
{
  UiList *list = (UiList *)ui_app_top(app);

  if (list->rows->len && list->open)
    list->open(app, list, (guint)list->cursor);
}

/* --- one of several */

typedef struct {
  UiListChosen chosen;
  gpointer data;
  GDestroyNotify free_data;
} Choice;

static void
choice_free(gpointer data)
{
  Choice *choice = data;

  if (choice->data && choice->free_data)
    choice->free_data(choice->data);
  g_free(choice);
}

static void
choice_open(UiApp *app, UiList *list, guint row)
{
  Choice *choice = list->data;
  UiListChosen chosen = choice->chosen;
  gpointer data = g_steal_pointer(&choice->data);

  ui_app_pop(app);
  chosen(app, row, data);
}

UiList *
ui_list_choose(UiApp *app, const char *title, UiListChosen chosen, gpointer data, GDestroyNotify free_data)
{
  UiList *list = ui_list_new(UI_IN_CHOICE, "a choice", title, "Enter chooses  q back  ? help");
  Choice *choice = g_new(Choice, 1);

  *choice = (Choice){ chosen, data, free_data };
  list->data = choice;
  list->free_data = choice_free;
  list->open = choice_open;
  ui_app_push(app, &list->view);
  return list;
}
