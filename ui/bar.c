#include "ui/bar.h"

#include <stdio.h>
#include <unistd.h>

#include "ui/text.h"

enum { STEP_US = 100000, WIDTH = 72 };

UiBar
ui_bar_new(gboolean json)
{
  return (UiBar){ .on = !json && isatty(STDERR_FILENO) };
}

void
ui_bar_draw(UiBar *bar, const char *what, guint done, guint total, const char *name)
{
  gint64 now = g_get_monotonic_time();

  if (!bar->on || now - bar->drawn < STEP_US)
    return;
  g_autofree char *safe = ui_text_line(name);
  g_autofree char *words = g_strdup_printf("%s%s%u of %u, %u%%  %s", what, *what ? " " : "", done, total,
                                           (guint)((guint64)done * 100 / MAX(total, 1)), safe);
  g_autofree char *line = ui_text_fit(words, WIDTH);
  fprintf(stderr, "\r%s", line);
  bar->drawn = now;
}

void
ui_bar_clear(UiBar *bar)
{
  if (bar->drawn)
    fprintf(stderr, "\r%*s\r", WIDTH, "");
  bar->drawn = 0;
}
