#include "ui/app-private.h"

static void
draw(UiApp *app, UiView *view, int rows, int columns)
{
  UiPane *pane = (UiPane *)view;
  g_autofree char *title = g_strdup_printf(" %s", pane->title);

  ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, title);
  ui_pager_draw(&pane->pager, 1, rows - 1, columns);
  if (pane->pager.lines->len > (guint)pane->pager.rows && columns > 30) {
    g_autofree char *percent = g_strdup_printf("%d%% ", ui_pager_percent(&pane->pager));
    ui_screen_put(0, columns - ui_text_width(percent), 5, UI_STYLE_TITLE, percent);
  }
}

gboolean
ui_pane_move(UiApp *app, UiView *view, UiMove move)
{
  return ui_pager_move(&((UiPane *)view)->pager, move);
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  g_autofree char *folded = ml_pattern_fold(pattern);
  return ui_pager_search(&((UiPane *)view)->pager, folded, backwards);
}

static void
hint(UiApp *app, UiView *view, GString *hint)
{
  g_string_append(hint, "Space page  / search  n next  ");
  if (view->type->context == UI_IN_DETAILS)
    g_string_append(hint, "I install  T trust  O ask  ");
  g_string_append(hint, "q back  ? help");
}

static void
pane_free(UiApp *app, UiView *view)
{
  UiPane *pane = (UiPane *)view;

  ui_pager_clear(&pane->pager);
  g_free(pane->title);
  if (pane->free_data)
    pane->free_data(pane->data);
  g_free(pane);
}

UiPane *
ui_pane_new(UiContext context, const char *name, const char *title)
{
  static const UiViewType details = {
    UI_IN_DETAILS, "the details of a message's security", draw, ui_pane_move, search, hint, pane_free
  };
  static const UiViewType text = {
    UI_IN_TEXT, "a page of text", draw, ui_pane_move, search, hint, pane_free
  };
  UiPane *pane = g_new0(UiPane, 1);

  pane->view.type = context == UI_IN_DETAILS ? &details : &text;
  pane->title = ui_text_line(title);
  ui_pager_init(&pane->pager, FALSE);
  return pane;
}
