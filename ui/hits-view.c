#include <string.h>

#include "ui/hits-private.h"

static char *
place_words(const UiHits *found, const UiBox *box, int width)
{
  g_autofree char *name = ui_account_join(found->app, box->account, box->folder);

  return ui_text_fit(name, width);
}

static void
draw_title(const UiHits *found, int columns)
{
  UiApp *app = found->app;
  g_autoptr(GString) left = g_string_new(NULL);
  g_autofree char *name = ui_text_line(found->name);
  guint n = found->all->len, unread = 0, pending = 0;

  for (guint i = 0; i < found->boxes->len; i++) {
    unread += ui_box_count(found->boxes->pdata[i], FALSE);
    pending += ui_box_count(found->boxes->pdata[i], TRUE);
  }
  g_string_append_printf(left, " Search \"%s\"  %u message%s", name, n, n == 1 ? "" : "s");
  if (unread)
    g_string_append_printf(left, ", %u new", unread);
  if (pending)
    g_string_append_printf(left, ", %u deletion%s pending", pending, pending == 1 ? "" : "s");
  if (found->limit)
    g_string_append_printf(left, "  [%s: %u]", found->limit_words, found->shown->len);
  if (found->running && !found->complete)
    g_string_append(left, "  searching");
  else if (found->open)
    g_string_append_printf(left, "  %u not looked into", found->open);
  ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, left->str);
  if (!app->box || !found->shown->len)
    return;
  g_autofree char *where = ui_account_join(app, app->box->account, app->box->folder);
  g_autofree char *right = g_strdup_printf("%s ", where);
  int width = ui_text_width(right);
  if (columns > width + ui_text_width(left->str) + 2)
    ui_screen_put(0, columns - width, width, UI_STYLE_TITLE, right);
}

static void
draw_row(const UiHits *found, int row, int columns, int at, gint64 now)
{
  const UiHitsRow *shown = ui_hits_row(found, at);
  const UiItem *item = shown->item;
  gboolean current = at == found->cursor, narrow = columns < 60;
  int place_width = narrow ? 0 : columns < 100 ? 16 : 26;
  int from_width = narrow ? columns / 4 : CLAMP((columns - 60) / 3, 14, 26), date_width = narrow ? 0 : 9;
  char letters[4];

  ui_index_letters(shown->box->account, item, letters);
  g_autofree char *date = date_width ? ui_text_date(shown->date, now, date_width) : g_strdup("");
  g_autofree char *date_fit = ui_text_fit(date, date_width);
  g_autofree char *place = place_words(found, shown->box, place_width);
  g_autofree char *from = ui_text_line(ui_box_header(shown->box, item)->from_name);
  g_autofree char *from_fit = ui_text_fit(from, from_width);
  const char *given = ui_box_subject(shown->box, item);
  g_autofree char *subject = ui_text_line(*given                              ? given
                                          : ui_box_is_lost(shown->box, item) ? "..."
                                                                             : "(no subject)");
  g_autofree char *line = g_strdup_printf("%c%s %-3s %s%s%s%s%s  %s", current ? '>' : ' ', letters, ui_index_mark(item),
                                          date_fit, narrow ? "" : "  ", place, narrow ? "" : "  ", from_fit, subject);
  g_autofree char *cut = ui_text_cut(line, columns);

  ui_screen_fill(row, 0, columns, current ? UI_STYLE_CURSOR : ui_index_style(item), cut);
  const UiMark *mark = ui_verdicts_mark(item);
  if (!current && *mark->words && !item->deleted)
    ui_screen_put(row, 5, 3, mark->style, mark->words);
}

static void
draw_empty(const UiHits *found, int columns)
{
  const char *words = found->limit               ? "No message fits the limit: Esc shows all."
                      : found->running || !found->complete ? "Searching..."
                                                 : "Nothing that is kept here is found: Ctrl-R searches again.";
  g_autofree char *text = ui_text_line(found->text);

  ui_screen_put(2, 2, columns - 2, UI_STYLE_QUIET, words);
  ui_screen_put(4, 2, columns - 2, UI_STYLE_QUIET, text);
}

void
ui_hits_draw(UiHits *found, int rows, int columns)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  int n = (int)found->shown->len;

  draw_title(found, columns);
  if (!n) {
    if (rows > 5)
      draw_empty(found, columns);
    return;
  }
  int top = ui_window_draw(found->app, rows, n);
  ui_verdicts_drawn(found->app);
  for (int i = 0; i < found->window.rows && top + i < n; i++)
    draw_row(found, 1 + i, columns, top + i, now);
  ui_window_drawn(found->app);
}

gboolean
ui_hits_move(UiHits *found, UiMove move)
{
  int line = found->cursor;
  gboolean moved = ui_window_move(&found->window, move, (int)found->shown->len, &line);

  ui_hits_go(found, line);
  return moved;
}

static int
next_of(const UiHits *found, int i, gboolean backwards)
{
  int n = (int)found->shown->len;

  return ((found->cursor + (backwards ? -i : i)) % n + n) % n;
}

static void
go_round(UiHits *found, int at, gboolean backwards)
{
  if (backwards ? at > found->cursor : at < found->cursor)
    ui_app_say(found->app, "Search went round.");
  ui_hits_go(found, at);
  ui_app_dirty(found->app);
}

static void
search_asked(UiHits *found, MlPattern *pattern, gpointer backwards)
{
  for (int i = 1; i <= (int)found->shown->len; i++) {
    int at = next_of(found, i, backwards != NULL);
    if (!ui_hits_row(found, at)->item->found)
      continue;
    go_round(found, at, backwards != NULL);
    return;
  }
  ui_app_say(found->app, "That is not to be found here.");
}

/* The next one is mostly near; else all are asked. */
gboolean
ui_hits_search(UiHits *found, const char *words, gboolean backwards)
{
  enum { NEAR_US = 4000 };
  g_autoptr(MlPattern) pattern = ui_hits_pattern(found->app, words);
  gint64 until = g_get_monotonic_time() + NEAR_US;

  if (!pattern)
    return TRUE; /* which was said */
  for (int i = 1; i <= (int)found->shown->len; i++) {
    int at = next_of(found, i, backwards);
    if (ui_hits_reads(pattern))
      ui_window_read_on(found->app, at, i, backwards);
    if (ui_hits_fits(ui_hits_row(found, at), pattern)) {
      go_round(found, at, backwards);
      return TRUE;
    }
    if (g_get_monotonic_time() > until) {
      ui_hits_ask(found, pattern, search_asked, GINT_TO_POINTER(backwards), NULL);
      return TRUE;
    }
  }
  return FALSE;
}

void
ui_hits_hint(GString *hint)
{
  g_string_append(hint, "Enter read  m write  r reply  d delete  l limit  y folders  q back  ? help");
}

char *
ui_hits_place(UiApp *app, const UiItem *item)
{
  const UiHits *found = app->hits;
  int at = 0;

  while (ui_hits_row(found, at) && ui_hits_row(found, at)->item != item)
    at++;
  g_autofree char *where = ui_account_join(app, app->box->account, app->box->folder), *name = ui_text_line(found->name);
  return g_strdup_printf(" %s  \"%s\" %d of %u%s ", where, name, at + 1, found->shown->len,
                         item->deleted ? ", to be deleted" : "");
}
