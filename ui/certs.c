#include <string.h>

#include "ui/certs-private.h"

enum { FOOT = 3, WIDE = 100, LINES_SHORT = 16 };

UiCerts *
ui_certs_of(UiApp *app)
{
  return (UiCerts *)ui_app_view(app, UI_IN_CERTS);
}

static const UiCertLine *
line_at(const UiCerts *certs, int index)
{
  return index >= 0 && index < (int)certs->lines->len ? &g_array_index(certs->lines, UiCertLine, index) : NULL;
}

static UiCertRow *
row_at(const UiCerts *certs, int index)
{
  const UiCertLine *line = line_at(certs, index);
  return line ? line->row : NULL;
}

UiCertRow *
ui_certs_current(UiApp *app)
{
  UiCerts *certs = ui_certs_of(app);
  UiCertRow *row = certs ? row_at(certs, certs->cursor) : NULL;

  if (!row)
    ui_app_say(app, certs && certs->loading ? "The list is still being read." : "There is no certificate here.");
  return row;
}

/* --- what is in the list */

/* The nearest line with a certificate, from @index on in the direction of @step, else in the other. */
static int
nearest(const UiCerts *certs, int index, int step)
{
  int n = (int)certs->lines->len;
  for (int i = CLAMP(index, 0, MAX(n - 1, 0)); i >= 0 && i < n; i += step)
    if (row_at(certs, i))
      return i;
  for (int i = CLAMP(index, 0, MAX(n - 1, 0)); i >= 0 && i < n; i -= step)
    if (row_at(certs, i))
      return i;
  return 0;
}

void
ui_certs_filter(UiCerts *certs, const char *limit)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  gboolean none = !limit || !*limit || !strcmp(limit, "all");
  int group = -1;

  if (limit != certs->limit) {
    g_free(certs->limit);
    certs->limit = none ? NULL : g_strdup(limit);
  }
  g_array_set_size(certs->lines, 0);
  memset(certs->counts, 0, sizeof certs->counts);
  for (guint i = 0; certs->all && i < certs->all->len; i++) {
    UiCertRow *row = certs->all->pdata[i];
    if (certs->limit && !ui_certs_fits(row, certs->limit, now))
      continue;
    if ((int)row->group != group) {
      const UiCertLine title = { NULL, row->group };
      g_array_append_val(certs->lines, title);
      group = (int)row->group;
    }
    const UiCertLine line = { row, row->group };
    g_array_append_val(certs->lines, line);
    certs->counts[row->group]++;
  }
  certs->cursor = nearest(certs, certs->cursor, 1);
}

gboolean
ui_certs_seek(UiCerts *certs, const char *sha256)
{
  for (int i = 0; i < (int)certs->lines->len; i++) {
    const UiCertRow *row = row_at(certs, i);
    if (row && !strcmp(crypto_cert_sha256(row->entry->cert), sha256)) {
      certs->cursor = i;
      return TRUE;
    }
  }
  return FALSE;
}

void
ui_certs_refresh(UiApp *app)
{
  UiCerts *certs = ui_certs_of(app);
  if (!certs)
    return;
  const UiCertRow *row = row_at(certs, certs->cursor);
  if (row && !certs->keep)
    certs->keep = g_strdup(crypto_cert_sha256(row->entry->cert));
  certs->working = FALSE;
  ui_certs_load(app, certs);
}

/* --- drawing */

UiStyle
ui_certs_style(const UiCertStatus *status)
{
  static const UiStyle styles[] = { [UI_CERT_GOOD] = UI_STYLE_GOOD,
                                    [UI_CERT_LOOK] = UI_STYLE_WARN,
                                    [UI_CERT_BAD] = UI_STYLE_BAD };
  return styles[status->judgement];
}

/* Columns: what is left over goes to the address and the issuer. */
typedef struct {
  int address, issuer, use, until, where, status;
} Widths;

static Widths
widths_for(int columns)
{
  gboolean wide = columns >= WIDE;
  Widths widths = { .use = 7, .until = 10, .where = wide ? 14 : 8, .status = wide ? 30 : 11 };
  int left = columns - 7 - widths.use - widths.until - widths.where - widths.status;
  widths.issuer = MAX(left * 2 / 5, 4);
  widths.address = MAX(left - widths.issuer, 8);
  return widths;
}

static char *
cells(const Widths *widths, char mark, const char *const texts[6])
{
  g_autofree char *address = ui_text_fit(texts[0], widths->address), *issuer = ui_text_fit(texts[1], widths->issuer),
                  *use = ui_text_fit(texts[2], widths->use), *until = ui_text_fit(texts[3], widths->until),
                  *where = ui_text_fit(texts[4], widths->where), *status = ui_text_fit(texts[5], widths->status);
  return g_strdup_printf("%c %s %s %s %s %s %s", mark, address, issuer, use, until, where, status);
}

static void
draw_row(const UiCertRow *row, int at, int columns, const Widths *widths, gboolean current)
{
  g_autofree char *until = ui_details_date(crypto_cert_not_after(row->entry->cert));
  const char *texts[] = { row->address, row->issuer, ui_cert_use_word(row->entry->cert),
                          until,        row->where,  row->word ? row->word : "..." };
  g_autofree char *line = cells(widths, current ? '>' : ' ', texts);

  ui_screen_fill(at, 0, columns, current ? UI_STYLE_CURSOR : UI_STYLE_NORMAL, line);
  if (current || !row->status || row->status->judgement == UI_CERT_GOOD)
    return;
  int column = 7 + widths->address + widths->issuer + widths->use + widths->until + widths->where;
  g_autofree char *word = ui_text_cut(row->word, MAX(columns - column, 1));
  ui_screen_put(at, column, columns - column, ui_certs_style(row->status), word);
}

static void
draw_title(const UiCerts *certs, int columns)
{
  g_autoptr(GString) title = g_string_new(" Certificates");
  static const char *const names[UI_CERT_GROUPS][2] = {
    { "own", "own" }, { "of people", "of people" }, { "authority", "authorities" }, { "candidate", "candidates" }
  };
  const char *between = "  ";

  for (guint i = 0; i < UI_CERT_GROUPS; i++) {
    if (!certs->counts[i])
      continue;
    g_string_append_printf(title, "%s%u %s", between, certs->counts[i], names[i][certs->counts[i] != 1]);
    between = ", ";
  }
  if (certs->loading)
    g_string_append(title, "  reading...");
  if (certs->limit) {
    g_autofree char *safe = ui_text_line(certs->limit);
    g_string_append_printf(title, "  limit: %s", safe);
  }
  ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, title->str);
}

/* Below the list: what the status of the line under the cursor means. */
static void
draw_foot(const UiCertRow *row, int at, int columns)
{
  ui_screen_rule(at, 0, columns, UI_STYLE_RULE);
  if (!row || !row->status)
    return;
  g_autofree char *from = row->source ? ui_text_line(row->source) : NULL;
  g_autofree char *safe = row->status->sentence ? ui_text_line(row->status->sentence) : NULL;
  g_autofree char *words =
      g_strdup_printf("%s%s%s%s%s", row->word, safe ? ". " : "", safe ? safe : "", from ? "  From " : "", from ? from : "");
  g_autoptr(GPtrArray) lines = ui_text_wrap(words, MAX(columns - 2, 8));
  for (int i = 0; i < (int)lines->len && i < FOOT - 1; i++)
    ui_screen_put(at + 1 + i, 1, columns - 1, UI_STYLE_NORMAL, lines->pdata[i]);
}

static void
draw_empty(const UiCerts *certs, int columns)
{
  static const char nothing[] = "No certificate is here yet. i takes one from a file (.p12 with your key, .pem, .cer, "
                                ".p7b), r makes a key and asks an authority for a certificate; others come with signed "
                                "mail (I in the reader).";
  const char *words = certs->problem   ? certs->problem
                      : !certs->all    ? (certs->loading ? "Reading..." : "Not read: R does.")
                      : certs->limit   ? "No certificate fits the limit: Esc shows all."
                                       : nothing;
  g_autoptr(GPtrArray) lines = ui_text_wrap(words, MAX(columns - 4, 8));
  for (guint i = 0; i < lines->len; i++)
    ui_screen_put(2 + (int)i, 2, columns - 2, UI_STYLE_QUIET, lines->pdata[i]);
}

static void
draw(UiApp *app, UiView *view, int rows, int columns)
{
  static const char *const captions[] = { "address", "issued by", "use", "until", "lies in", "status" };
  UiCerts *certs = (UiCerts *)view;
  Widths widths = widths_for(columns);
  int foot = rows >= LINES_SHORT ? FOOT : 0, first = 2, n = (int)certs->lines->len;

  draw_title(certs, columns);
  certs->height = MAX(rows - first - foot, 1);
  if (!n) {
    draw_empty(certs, columns);
    return;
  }
  g_autofree char *caption = cells(&widths, ' ', captions);
  ui_screen_put(1, 0, columns, UI_STYLE_QUIET, caption);
  if (certs->cursor < certs->top + 1) /* with the title of its group, where that is the line above */
    certs->top = certs->cursor - (row_at(certs, certs->cursor - 1) ? 0 : 1);
  if (certs->cursor >= certs->top + certs->height)
    certs->top = certs->cursor - certs->height + 1;
  certs->top = CLAMP(certs->top, 0, MAX(n - certs->height, 0));
  for (int i = 0; i < certs->height && certs->top + i < n; i++) {
    const UiCertLine *line = line_at(certs, certs->top + i);
    if (line->row) {
      draw_row(line->row, first + i, columns, &widths, certs->top + i == certs->cursor);
      continue;
    }
    g_autofree char *title =
        g_strdup_printf(" %s (%u)", ui_cert_group_title(line->group), certs->counts[line->group]);
    ui_screen_put(first + i, 0, columns, UI_STYLE_BOLD, title);
  }
  if (foot)
    draw_foot(row_at(certs, certs->cursor), rows - foot, columns);
  ui_certs_work(app, certs); /* the rows that came into sight, first */
}

/* --- moving, searching */

static gboolean
move(UiApp *app, UiView *view, UiMove move)
{
  UiCerts *certs = (UiCerts *)view;
  int before = certs->cursor, n = (int)certs->lines->len;

  switch (move) {
  case UI_MOVE_UP:
    certs->cursor = nearest(certs, before - 1, -1);
    break;
  case UI_MOVE_DOWN:
    certs->cursor = nearest(certs, before + 1, 1);
    break;
  case UI_MOVE_PAGE_UP:
    certs->top -= certs->height;
    certs->cursor = nearest(certs, before - certs->height, -1);
    break;
  case UI_MOVE_PAGE_DOWN:
    certs->top += certs->height;
    certs->cursor = nearest(certs, before + certs->height, 1);
    break;
  case UI_MOVE_FIRST:
    certs->top = 0;
    certs->cursor = nearest(certs, 0, 1);
    break;
  case UI_MOVE_LAST:
    certs->cursor = nearest(certs, n - 1, -1);
    break;
  }
  return certs->cursor != before;
}

/* From @from on, itself among them, round the end. */
static gboolean
search_from(UiCerts *certs, int from, const char *pattern, int step)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  int n = (int)certs->lines->len;

  for (int i = 0; i < n; i++) {
    int at = ((from + i * step) % n + n) % n;
    const UiCertRow *row = row_at(certs, at);
    if (!row || !ui_certs_fits(row, pattern, now))
      continue;
    certs->cursor = at;
    return TRUE;
  }
  return FALSE;
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  UiCerts *certs = (UiCerts *)view;
  return search_from(certs, certs->cursor + (backwards ? -1 : 1), pattern, backwards ? -1 : 1);
}

static void
search_typing(UiApp *app, const char *text)
{
  UiCerts *certs = ui_certs_of(app);

  if (certs && !search_from(certs, certs->origin, text, 1))
    certs->cursor = nearest(certs, certs->origin, 1);
}

static void
search_answered(const char *answer, gpointer data)
{
  UiApp *app = data;
  UiCerts *certs = ui_certs_of(app);

  app->typing = NULL;
  if (!certs)
    return;
  if (!answer || !*answer) {
    certs->cursor = nearest(certs, certs->origin, 1);
    return;
  }
  g_free(app->search);
  app->search = g_strdup(answer);
  app->search_backwards = FALSE;
  g_autofree char *safe = ui_text_line(answer);
  if (!search_from(certs, certs->origin, answer, 1))
    ui_app_say(app, "\"%s\" is not to be found here.", safe);
}

void
ui_action_certs_search(UiApp *app)
{
  UiCerts *certs = ui_certs_of(app);

  certs->origin = certs->cursor;
  app->typing = search_typing;
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Search for", NULL, NULL, search_answered, app);
}

static void
limit_typing(UiApp *app, const char *text)
{
  UiCerts *certs = ui_certs_of(app);
  if (certs)
    ui_certs_filter(certs, text);
}

typedef struct {
  UiApp *app;
  char *before;
} Limit;

static void
limit_answered(const char *answer, gpointer data)
{
  g_autofree Limit *limit = data;
  UiCerts *certs = ui_certs_of(limit->app);

  limit->app->typing = NULL;
  if (certs)
    ui_certs_filter(certs, answer ? answer : limit->before);
  g_free(limit->before);
}

void
ui_action_certs_limit(UiApp *app)
{
  static const char *const explanation[] = {
    "Words in it;  ~o own  ~p people  ~a authorities  ~c candidates  ~s can sign",
    "~e can be encrypted to  ~x ends within 30 days, or has  ~b not good  ! not", NULL
  };
  UiCerts *certs = ui_certs_of(app);
  Limit *limit = g_new(Limit, 1);

  *limit = (Limit){ app, g_strdup(certs->limit) };
  app->typing = limit_typing;
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, explanation, "Show certificates with", NULL, NULL, limit_answered,
                 limit);
}

void
ui_certs_show_all(UiApp *app)
{
  UiCerts *certs = ui_certs_of(app);
  const UiCertRow *row = row_at(certs, certs->cursor);

  ui_certs_filter(certs, NULL);
  if (row)
    ui_certs_seek(certs, crypto_cert_sha256(row->entry->cert));
}

void
ui_action_certs_next_group(UiApp *app)
{
  UiCerts *certs = ui_certs_of(app);
  int n = (int)certs->lines->len;

  for (int i = 1; i <= n; i++) {
    int at = (certs->cursor + i) % n;
    if (row_at(certs, at))
      continue;
    certs->cursor = nearest(certs, at, 1);
    certs->top = at;
    return;
  }
}

void
ui_action_certs_roots(UiApp *app)
{
  UiCerts *certs = ui_certs_of(app);

  certs->builtin = !certs->builtin;
  ui_app_say(app, certs->builtin ? "NSS's own roots are shown." : "NSS's own roots are not shown.");
  ui_certs_refresh(app);
}

void
ui_action_certs_refresh(UiApp *app)
{
  ui_certs_refresh(app);
}

static void
hint(UiApp *app, UiView *view, GString *hint)
{
  g_string_append(hint, "Enter details  i import  e export  T trust  r request  u use  D delete  l limit  q back  ? help");
}

static void
view_free(UiApp *app, UiView *view)
{
  UiCerts *certs = (UiCerts *)view;

  g_clear_pointer(&certs->all, g_ptr_array_unref);
  g_clear_pointer(&certs->extra, g_ptr_array_unref);
  g_array_unref(certs->lines);
  g_free(certs->problem);
  g_free(certs->limit);
  g_free(certs->keep);
  g_free(certs);
}

void
ui_certs_open(UiApp *app, const char *limit)
{
  static const UiViewType type = { UI_IN_CERTS, "the certificates", draw, move, search, hint, view_free };
  UiCerts *certs = g_new0(UiCerts, 1);

  certs->view.type = &type;
  certs->lines = g_array_new(FALSE, TRUE, sizeof(UiCertLine));
  certs->limit = g_strdup(limit);
  ui_app_push(app, &certs->view);
  ui_certs_load(app, certs);
}

void
ui_action_certs(UiApp *app)
{
  g_autofree char *notice = g_steal_pointer(&app->notice); /* it leads here, once */

  ui_certs_open(app, notice ? "~x" : NULL);
  if (notice)
    ui_app_say(app, "What ends within 30 days, or has ended: Esc shows all.");
}
