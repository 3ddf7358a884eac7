#include <stdlib.h>
#include <string.h>

#include "ui/app-private.h"
#include "ui/strip.h"

enum { MAX_LINKS = 999, LONGEST = 4096 };

/* An address in plain text ends at a blank, a quote or a bracket, and its last full stop is the sentence's. */
static char *
take_address(const char *start, const char **end)
{
  const char *at = start;

  while (*at && (guchar)*at > ' ' && (guchar)*at < 0x7f && !strchr("<>\"'`", *at))
    at++;
  *end = at;
  while (at > start && strchr(".,;:!?)]", at[-1]))
    at--;
  return at - start > 8 ? g_strndup(start, (gsize)(at - start)) : NULL;
}

static void
scan(GPtrArray *links, const char *text)
{
  for (const char *at = text; *at && links->len < MAX_LINKS;) {
    if (g_ascii_strncasecmp(at, "http://", 7) != 0 && g_ascii_strncasecmp(at, "https://", 8) != 0) {
      at++;
      continue;
    }
    const char *end;
    char *address = take_address(at, &end);
    if (address)
      g_ptr_array_add(links, address);
    at = end > at ? end : at + 1;
  }
}

/* HTML has numbered its links; those of plain text are counted from the top, after them. */
GPtrArray *
ui_reader_links(UiReader *reader)
{
  GPtrArray *links = g_ptr_array_new_with_free_func(g_free), *blocks = ml_message_blocks(reader->message);

  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    for (guint j = 0; block->links && j < block->links->len && links->len < MAX_LINKS; j++)
      g_ptr_array_add(links, g_strdup(((MlLink *)block->links->pdata[j])->url));
  }
  for (guint i = 0; i < blocks->len; i++) {
    const MlBlock *block = blocks->pdata[i];
    if (block->kind == ML_BLOCK_TEXT)
      scan(links, block->text);
  }
  return links;
}

static gboolean
is_web(const char *url)
{
  if (g_ascii_strncasecmp(url, "http://", 7) != 0 && g_ascii_strncasecmp(url, "https://", 8) != 0)
    return FALSE;
  for (const char *p = url; *p; p++)
    if ((guchar)*p <= ' ' || *p == 0x7f)
      return FALSE;
  return TRUE;
}

typedef struct {
  UiApp *app;
  char *url;
} Opening;

static void
open_answered(const char *answer, gpointer data)
{
  Opening *opening = data;

  if (answer && *answer == 'y')
    ui_shell_browse(opening->app, opening->url);
  g_free(opening->url);
  g_free(opening);
}

/* The whole of where it goes is shown before anything is opened. */
static void
confirm(UiApp *app, const char *url)
{
  if (!is_web(url)) {
    ui_app_complain(app, "Only http and https links are opened; this one is %s", url);
    return;
  }
  int rows, columns;
  ui_screen_size(&rows, &columns);
  g_autofree char *safe = ui_text_line(url);
  g_autoptr(GPtrArray) lines = ui_text_wrap(safe, MAX(columns - 4, 10));
  if (strlen(url) >= LONGEST || (int)lines->len > rows - 2) {
    ui_app_complain(app, "This link is too long to be shown whole, so it is not opened.");
    return;
  }
  g_ptr_array_add(lines, NULL);
  Opening *opening = g_new(Opening, 1);
  *opening = (Opening){ app, g_strdup(url) };
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, (const char *const *)lines->pdata, "Open this address", NULL,
                 NULL, open_answered, opening);
}

static void
number_answered(const char *answer, gpointer data)
{
  UiApp *app = data;
  UiReader *reader = ui_reader_top(app);

  if (!answer || !*answer || !reader || !reader->message)
    return;
  g_autoptr(GPtrArray) links = ui_reader_links(reader);
  guint64 number;
  if (!g_ascii_string_to_unsigned(answer, 10, 1, links->len, &number, NULL))
    ui_app_say(app, "There is no link %s.", answer);
  else
    confirm(app, links->pdata[number - 1]);
}

void
ui_action_link(UiApp *app)
{
  UiReader *reader = ui_reader_top(app);

  if (!reader || !reader->message)
    return;
  if (ui_strip_is_malleable(ml_message_verdict(reader->message))) {
    ui_app_complain(
        app, "Links stay shut here: this text is not protected against change, and a link could carry off "
             "what was decrypted.");
    return;
  }
  g_autoptr(GPtrArray) links = ui_reader_links(reader);
  if (!links->len) {
    ui_app_say(app, "There is no link in this message.");
    return;
  }
  if (links->len == 1) {
    confirm(app, links->pdata[0]);
    return;
  }
  g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
  int rows, columns;
  ui_screen_size(&rows, &columns);
  guint most = (guint)CLAMP(rows - 6, 1, 12);
  for (guint i = 0; i < links->len && i < most; i++) {
    g_autofree char *safe = ui_text_line(links->pdata[i]);
    g_autofree char *line = g_strdup_printf("%2u  %s", i + 1, safe);
    g_ptr_array_add(list, ui_text_cut(line, MAX(columns - 4, 10)));
  }
  g_ptr_array_add(list, NULL);
  g_autofree char *question = g_strdup_printf("Open link (1 to %u)", links->len);
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, (const char *const *)list->pdata, question, NULL, NULL,
                 number_answered, app);
}
