#include "ui/hits-private.h"

/* The lines of the list of messages that are on the screen: of the open folder, or of what a search has found, whose
 * messages lie in several folders. Line 0 is the top one of all. */

UiWindow *
ui_window(const UiApp *app)
{
  return app->hits ? &app->hits->window : app->box ? &app->box->window : NULL;
}

UiItem *
ui_window_item(const UiApp *app, int line, UiBox **box)
{
  int n = app->hits ? (int)app->hits->shown->len : app->box ? (int)ui_box_rows(app->box) : 0;

  if (line < 0 || line >= n)
    return NULL;
  const UiHitsRow *row = app->hits ? ui_hits_row(app->hits, line) : NULL;
  *box = row ? row->box : app->box;
  return row ? row->item : ui_box_row(app->box, (guint)(n - 1 - line));
}

int
ui_window_cursor(const UiApp *app)
{
  return app->hits ? app->hits->cursor : app->box ? (int)ui_box_rows(app->box) - 1 - app->box->cursor : -1;
}

void
ui_window_prefetch(UiApp *app, int from, int to)
{
  g_autoptr(GHashTable) wanted = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);
  GHashTableIter each;
  gpointer key, value;
  UiBox *box;
  const UiItem *item;

  for (int line = MAX(from, 0); line <= to && (item = ui_window_item(app, line, &box)); line++) {
    if (!box->lines || ui_box_kept(box, item->uid))
      continue;
    GArray *uids = g_hash_table_lookup(wanted, box);
    if (!uids) {
      uids = g_array_new(FALSE, FALSE, sizeof(guint32));
      g_hash_table_insert(wanted, box, uids);
    }
    guint32 uid = item->uid;
    g_array_append_val(uids, uid);
  }
  g_hash_table_iter_init(&each, wanted);
  while (g_hash_table_iter_next(&each, &key, &value))
    ui_lines_prefetch(((UiBox *)key)->lines, value);
}

void
ui_window_read_on(UiApp *app, int line, int step, gboolean up)
{
  enum { SOME = 60 };

  if (step % SOME == 1)
    ui_window_prefetch(app, up ? line - SOME + 1 : line, up ? line : line + SOME - 1);
}

gboolean
ui_window_move(UiWindow *window, UiMove move, int n, int *line)
{
  int at = *line, before = at;

  switch (move) {
  case UI_MOVE_UP:
    at--;
    break;
  case UI_MOVE_DOWN:
    at++;
    break;
  case UI_MOVE_PAGE_UP:
    at -= window->rows;
    window->top -= window->rows;
    break;
  case UI_MOVE_PAGE_DOWN:
    at += window->rows;
    window->top += window->rows;
    break;
  case UI_MOVE_FIRST:
    at = 0;
    break;
  case UI_MOVE_LAST:
    at = n - 1;
    break;
  }
  window->heading = move == UI_MOVE_UP || move == UI_MOVE_PAGE_UP || move == UI_MOVE_LAST ? -1 : 1;
  at = CLAMP(at, 0, MAX(n - 1, 0));
  window->top = CLAMP(window->top, 0, MAX(n - MAX(window->rows, 1), 0));
  if (at == window->top + window->rows)
    window->top++;
  *line = at;
  return at != before;
}

int
ui_window_draw(UiApp *app, int rows, int n)
{
  UiWindow *window = ui_window(app);
  int line = ui_window_cursor(app);

  window->rows = MAX(rows - 1, 1);
  if (line < window->top || line >= window->top + window->rows)
    window->top = line < window->top && window->top - line == 1 ? line : line - window->rows * 2 / 3;
  window->top = CLAMP(window->top, 0, MAX(n - window->rows, 0));
  ui_window_prefetch(app, window->top, window->top + window->rows - 1);
  /* What comes above what is in sight moves it from the one end, and what comes below from the other. */
  if (MIN(ABS(window->top - window->drawn), ABS(n - window->top - window->drawn_above)) > window->rows / 2)
    ui_screen_renew(1, window->rows);
  window->drawn = window->top;
  window->drawn_above = n - window->top;
  return window->top;
}

static gboolean
read_near(gpointer data)
{
  UiApp *app = data;
  UiWindow *window = ui_window(app);

  app->near_source = 0;
  if (!window)
    return G_SOURCE_REMOVE;
  if (window->heading > 0)
    ui_window_prefetch(app, window->top + window->rows, window->top + 2 * window->rows - 1);
  else if (window->heading < 0)
    ui_window_prefetch(app, window->top - window->rows, window->top - 1);
  window->heading = 0;
  return G_SOURCE_REMOVE;
}

void
ui_window_drawn(UiApp *app)
{
  if (ui_window(app)->heading && !app->near_source && !app->ending)
    app->near_source = g_idle_add_full(G_PRIORITY_LOW, read_near, app, NULL);
  ui_ahead_drawn(app);
}
