#include "ui/app-private.h"

UiView *
ui_log_new(UiApp *app)
{
  UiPane *pane = ui_pane_new(UI_IN_TEXT, "the log", "Log: what was said, the latest at the end");

  for (guint i = 0; i < app->log->len; i++) {
    const UiLogLine *line = app->log->pdata[i];
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(line->when);
    g_autofree char *time = g_date_time_format(when, "%H:%M:%S");
    UiLine *shown = ui_pager_add_format(&pane->pager, line->style, "%s  %s", time, line->text);
    shown->indent = 10;
  }
  if (!app->log->len)
    ui_pager_add(&pane->pager, UI_STYLE_QUIET, "Nothing has happened yet.");
  pane->pager.top = G_MAXINT / 2;
  return &pane->view;
}
