#include <string.h>

#include "ui/app-private.h"

/* The whole screen: the view, and below it what was said last, or the question that waits for an answer. */
enum { HOLD_US = 12000 };

/* How many rows a question takes, above the last one. */
static GPtrArray *
explanation_rows(const UiPromptShown *prompt, int rows, int columns)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

  for (guint i = 0; prompt->explanation[i]; i++) {
    g_autoptr(GPtrArray) wrapped = ui_text_wrap(prompt->explanation[i], MAX(columns - 2, 4));
    for (guint j = 0; j < wrapped->len && (int)lines->len < rows - 2; j++)
      g_ptr_array_add(lines, g_strdup(wrapped->pdata[j]));
  }
  return lines;
}

/* The part of what is typed that fits, the cursor in it. Returns the cursor's column. */
static int
draw_typed(const UiPromptShown *prompt, int row, int column, int columns)
{
  int room = MAX(columns - column - 1, 1);

  if (prompt->kind == UI_PROMPT_SECRET || prompt->kind == UI_PROMPT_PASSWORD) {
    g_autofree char *stars = g_strnfill(MIN((gsize)prompt->typed, (gsize)room), '*');
    ui_screen_put(row, column, room, UI_STYLE_NORMAL, stars);
    return column + (int)strlen(stars);
  }
  g_autofree char *before = g_strndup(prompt->edit->text, prompt->edit->cursor);
  g_autofree char *safe_before = ui_text_line(before);
  g_autofree char *safe = ui_text_line(prompt->edit->text);
  const char *from = safe;
  int cursor = ui_text_width(safe_before);
  while (cursor > room && *from) {
    cursor -= ui_text_char_width(g_utf8_get_char(from));
    from = g_utf8_next_char(from);
  }
  ui_screen_put(row, column, room + 1, UI_STYLE_NORMAL, from);
  return column + cursor;
}

/* At the right of the rule above: which keys end it, where the question itself does not say so. */
static void
draw_prompt_hint(const UiPromptShown *prompt, int row, int columns)
{
  static const char *const hints[] = { [UI_PROMPT_LINE] = "Esc cancels",
                                       [UI_PROMPT_SECRET] = "Esc cancels",
                                       [UI_PROMPT_SPELLED] = "Esc is no",
                                       [UI_PROMPT_PASSWORD] = "Esc leaves it offline",
                                       [UI_PROMPT_LETTER] = "Esc cancels" };
  const char *words = (guint)prompt->kind < G_N_ELEMENTS(hints) ? hints[prompt->kind] : NULL;

  if (!words)
    return;
  g_autofree char *hint =
      g_strdup_printf(" %s%s ", prompt->completes ? "Tab completes, " : "", words);
  int width = ui_text_width(hint);
  if (row >= 0 && columns > width + 4)
    ui_screen_put(row, columns - width - 2, width, UI_STYLE_QUIET, hint);
}

static int
draw_prompt(UiApp *app, const UiPromptShown *prompt, GPtrArray *explanation, int rows, int columns,
            int *cursor)
{
  static const char *const ends[] = { ": ", ": ", "? (y/n) ", ": ", "  (Enter, or Esc) ",
                                      "? (y/n, v: never) ", ", Esc cancels ", ": ", ": " };
  int top = rows - 1 - (int)explanation->len;

  ui_screen_rule(top - 1, 0, columns, UI_STYLE_PROMPT);
  draw_prompt_hint(prompt, top - 1, columns);
  for (guint i = 0; i < explanation->len; i++)
    ui_screen_put(top + (int)i, 1, columns - 1, UI_STYLE_NORMAL, explanation->pdata[i]);
  int room = prompt->kind == UI_PROMPT_LETTER ? 3 : 12; /* for what is typed */
  g_autofree char *end = ui_text_cut(prompt->question, MAX(columns - room, 4));
  g_autofree char *words = g_strconcat(end, ends[prompt->kind], NULL);
  ui_screen_put(rows - 1, 0, columns, UI_STYLE_PROMPT, words);
  int width = ui_text_width(words);
  gboolean typed = prompt->kind != UI_PROMPT_YES_NO && prompt->kind != UI_PROMPT_NOTICE &&
                   prompt->kind != UI_PROMPT_YES_NO_NEVER && prompt->kind != UI_PROMPT_WAIT &&
                   prompt->kind != UI_PROMPT_LETTER;
  *cursor = typed ? draw_typed(prompt, rows - 1, width, columns) : width;
  return top - 1;
}

/* The end of a sentence often is what to do next: where it does not fit, it goes over the hint, then over the view, until
 * a key is pressed. */
static void
draw_said(const char *words, UiStyle style, int rows, int columns)
{
  enum { MOST = 4 };
  g_autoptr(GPtrArray) lines = ui_text_wrap(words, MAX(columns - 1, 1));
  int n = CLAMP((int)lines->len, 1, MIN(MOST, MAX(rows / 4, 1)));

  g_autoptr(GString) last = g_string_new(NULL);
  for (guint i = (guint)n - 1; i < lines->len; i++)
    g_string_append_printf(last, "%s%s", last->len ? " " : "", (const char *)lines->pdata[i]);
  g_autofree char *cut = ui_text_cut(last->str, MAX(columns - 1, 1));
  for (int i = 0; i < n; i++) {
    if (n > 1)
      ui_screen_fill(rows - n + i, 0, columns - (i == n - 1), UI_STYLE_NORMAL, "");
    ui_screen_put(rows - n + i, 0, columns, style, i < n - 1 ? lines->pdata[i] : cut);
  }
}

static void
draw_bottom(UiApp *app, int rows, int columns, gboolean hints)
{
  UiView *view = ui_app_top(app);

  if (hints) {
    g_autoptr(GString) hint = g_string_new(" ");
    view->type->hint(app, view, hint);
    ui_help_fit(hint, columns - 1);
    ui_screen_put(rows - 2, 0, columns, UI_STYLE_QUIET, hint->str);
  }
  g_autofree char *running = app->on_reader ? g_strdup(app->on_reader) : ui_ops_words(app);
  g_autofree char *leaving = ui_outbox_words(app);
  const char *words = running       ? running
                      : app->status ? app->status
                      : leaving     ? leaving
                      : app->notice ? app->notice
                                    : "";
  UiStyle style = running || (!app->status && (leaving || !app->notice)) ? UI_STYLE_NORMAL
                  : app->status                                          ? app->status_style
                                                                         : UI_STYLE_WARN;
  if (!running && app->status) {
    draw_said(words, style, rows, columns);
    return;
  }
  g_autofree char *cut = ui_text_cut(words, MAX(columns - 1, 1));
  ui_screen_put(rows - 1, 0, columns, style, cut);
}

void
ui_app_draw(UiApp *app)
{
  UiView *view = ui_app_top(app);
  UiPromptShown prompt;
  int rows, columns, cursor = 0;

  ui_screen_size(&rows, &columns);
  gboolean asking = ui_prompts_shown(app->prompts, &prompt), hints = app->config->hints && rows >= 10;
  g_autoptr(GPtrArray) explanation = asking ? explanation_rows(&prompt, rows, columns) : NULL;
  int bottom = asking ? MIN((int)explanation->len + 2, rows) : hints ? 2 : 1;
  ui_screen_begin();
  if (app->drawn != view)
    ui_screen_renew(0, rows);
  app->drawn = view;
  if (rows - bottom > 0)
    view->type->draw(app, view, rows - bottom, columns);
  if (asking)
    draw_prompt(app, &prompt, explanation, rows, columns, &cursor);
  else
    draw_bottom(app, rows, columns, hints);
  ui_screen_end(rows - 1, cursor, asking);
}

/* ---- when */

static gboolean
on_draw(gpointer data)
{
  UiApp *app = data;

  app->draw_source = 0;
  app->dirty = FALSE;
  ui_app_draw(app);
  ui_app_drawn(app);
  return G_SOURCE_REMOVE;
}

/* Whatever a turn of the loop brings, it is drawn once, in the next; at the priority of everything else, so that a
 * flood of events does not keep it from the screen. */
void
ui_app_dirty(UiApp *app)
{
  app->dirty = TRUE;
  if (app->draw_source || app->ending)
    return;
  gint64 left = app->held_until ? app->held_until - g_get_monotonic_time() : 0;
  app->draw_source = left > 0 ? g_timeout_add((guint)(left / 1000) + 1, on_draw, app)
                              : g_idle_add_full(G_PRIORITY_DEFAULT, on_draw, app, NULL);
}

static void
hold_until(UiApp *app, gint64 until)
{
  app->held_until = until;
  if (app->draw_source)
    g_source_remove(app->draw_source);
  app->draw_source = 0;
  if (app->dirty)
    ui_app_dirty(app);
}

void
ui_app_hold(UiApp *app)
{
  hold_until(app, g_get_monotonic_time() + HOLD_US);
}

void
ui_app_release(UiApp *app)
{
  if (app->held_until)
    hold_until(app, 0);
}

void
ui_app_draw_now(UiApp *app)
{
  gboolean held = app->held_until && app->held_until > g_get_monotonic_time();

  if (!app->draw_source || held || app->ending)
    return;
  g_source_remove(app->draw_source);
  on_draw(app);
}
