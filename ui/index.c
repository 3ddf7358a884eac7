#include <string.h>

#include "ui/app-private.h"

/* The view holds no state: the open folder keeps its own place. */

static const char *
state_words(const UiAccount *account)
{
  switch (account->state) {
  case ML_STATE_ONLINE:
    return "online";
  case ML_STATE_OFFLINE:
    return "offline";
  default:
    return "connecting";
  }
}

static void
draw_title(UiApp *app, int columns)
{
  UiBox *box = app->box;

  if (!box) {
    ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, " signet");
    return;
  }
  g_autoptr(GString) left = g_string_new(NULL);
  g_autofree char *folder = ui_text_line(box->folder);
  g_string_append_printf(left, " %s  %u message%s", folder, box->total, box->total == 1 ? "" : "s");
  guint unread = ui_box_count(box, FALSE), pending = ui_box_count(box, TRUE);
  if (unread)
    g_string_append_printf(left, ", %u new", unread);
  if (pending)
    g_string_append_printf(left, ", %u deletion%s pending", pending, pending == 1 ? "" : "s");
  if (box->limit)
    g_string_append_printf(left, "  [%s: %u]", box->limit_words, box->shown->len);
  if (box->loading && box->all->len < box->total)
    g_string_append_printf(left, "  reading %u%%", (guint)((guint64)box->all->len * 100 / box->total));
  if (box->read_only)
    g_string_append(left, "  read-only");
  g_autofree char *account = ui_text_line(box->account->account->name);
  g_autofree char *right = g_strdup_printf("%s  %s ", account, state_words(box->account));
  int width = ui_text_width(right);
  ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, left->str);
  if (columns > width + 20)
    ui_screen_put(0, columns - width, width, UI_STYLE_TITLE, right);
}

/* The three letters of a message's state. */
static void
flag_letters(const UiAccount *account, const UiItem *item, char letters[4])
{
  guint flags = item->header->flags;
  gboolean files = account->account->kind != ML_ACCOUNT_IMAP; /* there RECENT is known */

  letters[0] = item->deleted               ? 'D'
               : !(flags & ML_FLAG_SEEN)   ? (files && !(flags & ML_FLAG_RECENT) ? 'O' : 'N')
               : flags & ML_FLAG_ANSWERED  ? 'r'
               : flags & ML_FLAG_FORWARDED ? 'f'
                                           : ' ';
  letters[1] = flags & ML_FLAG_FLAGGED ? 'F' : flags & ML_FLAG_DRAFT ? 'd' : ' ';
  letters[2] = item->tagged ? 't' : ' ';
  letters[3] = 0;
}

static const char *
mark_of(const UiItem *item)
{
  static const char *const hints[] = { "", "S", "E", "SE" };

  return *item->mark ? item->mark : hints[item->header->hints & (ML_HINT_SIGNED | ML_HINT_ENCRYPTED)];
}

static UiStyle
style_of(const UiItem *item)
{
  if (item->deleted)
    return UI_STYLE_DELETED;
  if (item->tagged)
    return UI_STYLE_TAGGED;
  return item->header->flags & ML_FLAG_SEEN ? UI_STYLE_NORMAL : UI_STYLE_NEW;
}

static int
digits(guint number)
{
  int n = 1;

  while (number >= 10) {
    number /= 10;
    n++;
  }
  return n;
}

/* "├─>" and its like before a subject: which message of the thread above it answers. */
static char *
branches(const UiItem *item, int width)
{
  gboolean ascii = ui_screen_ascii();
  guint most = (guint)MAX(width / 2 / 2, 2), from = item->depth > most ? item->depth - most : 0;
  GString *tree = g_string_new(NULL);

  for (guint i = from; i + 1 < item->depth; i++)
    g_string_append(tree, i < 64 && item->branches >> i & 1 ? (ascii ? "| " : "│ ") : "  ");
  if (item->depth) {
    gboolean more = item->depth <= 64 && item->branches >> (item->depth - 1) & 1;
    g_string_append(tree, more ? (ascii ? "|->" : "├─>") : (ascii ? "`->" : "└─>"));
  }
  return g_string_free(tree, FALSE);
}

/* The subject as the list shows it: in a thread, only where it is another than that of the message above. */
static char *
subject_words(const UiBox *box, const UiItem *item, int width)
{
  const char *given = ui_box_subject(box, item);
  gboolean threads = box->order.by == UI_ORDER_THREADS;
  g_autofree char *subject = ui_text_line(*given ? given : "(no subject)");

  if (!threads)
    return g_steal_pointer(&subject);
  g_autofree char *tree = branches(item, width);
  if (item->folded && item->thread_size > 1)
    return item->thread_unread ? g_strdup_printf("[+%u, %u new] %s", item->thread_size - 1, item->thread_unread, subject)
                               : g_strdup_printf("[+%u] %s", item->thread_size - 1, subject);
  /* A protected subject that was read is always said. */
  gboolean hide = item->same_subject && given == item->header->subject;
  return g_strdup_printf("%s%s%s", tree, *tree && !hide ? " " : "", hide ? "" : subject);
}

static void
draw_item(const UiBox *box, int row, int columns, guint at, gint64 now)
{
  const UiItem *item = box->shown->pdata[at];
  const MlHeader *header = item->header;
  gboolean current = (int)at == box->cursor;
  gboolean sorted = box->order.by != UI_ORDER_ARRIVAL || box->order.reverse;
  guint total = MAX(box->total, box->all->len);
  guint number = sorted ? box->shown->len - at : box->limit ? ui_box_number(box, item) : total - at;
  int number_width = MAX(digits(total), 3), narrow = columns < 60;
  int from_width = narrow ? columns / 4 : CLAMP((columns - 40) / 3, 12, 30), date_width = narrow ? 0 : 9;
  char letters[4];

  flag_letters(box->account, item, letters);
  g_autofree char *date = date_width ? ui_text_date(header->date, now, date_width) : g_strdup("");
  g_autofree char *date_fit = ui_text_fit(date, date_width);
  g_autofree char *from = ui_text_line(header->from_name);
  g_autofree char *from_fit = ui_text_fit(from, from_width);
  g_autofree char *size = narrow ? g_strdup("") : ui_text_size(header->size);
  int before = 1 + number_width + 1 + 3 + 1 + 3 + 1 + date_width + (date_width ? 2 : 0) + from_width + 2;
  int subject_width = MAX(columns - before - (narrow ? 0 : 7), 1);
  g_autofree char *subject = subject_words(box, item, subject_width);
  g_autofree char *subject_fit = ui_text_fit(subject, subject_width);
  g_autofree char *line =
      g_strdup_printf("%c%*u %s %-3s %s%s%s  %s %6s", current ? '>' : ' ', number_width, number, letters,
                      mark_of(item), date_fit, date_width ? "  " : "", from_fit, subject_fit, size);

  ui_screen_fill(row, 0, columns, current ? UI_STYLE_CURSOR : style_of(item), line);
  if (!current && *item->mark && !item->deleted)
    ui_screen_put(row, 1 + number_width + 1 + 3 + 1, 3, item->mark_style, item->mark);
}

static void
draw_empty(const UiApp *app, const UiBox *box, int rows, int columns)
{
  const char *words = !box           ? "No folder is open: y lists them."
                      : box->limit   ? "No message fits the limit: Esc shows all."
                      : box->loading ? "Reading..."
                      : box->account->state == ML_STATE_OFFLINE && box->stale
                          ? "Offline: the list cannot be read now."
                          : "No messages.";

  if (rows > 2)
    ui_screen_put(2, 2, columns - 2, UI_STYLE_QUIET, words);
  if (rows > 4 && box && box->stale && box->account->why) {
    g_autofree char *why = ui_text_line(box->account->why);
    g_autoptr(GPtrArray) lines = ui_text_wrap(why, MAX(columns - 4, 1));
    for (guint i = 0; i < lines->len && (int)i + 4 < rows; i++)
      ui_screen_put(4 + (int)i, 2, columns - 2, UI_STYLE_NORMAL, lines->pdata[i]);
  }
}

/* Lines are counted from the oldest, at the top; messages from the newest, which is where they are added. */
static void
draw(UiApp *app, UiView *view, int rows, int columns)
{
  UiBox *box = app->box;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;

  draw_title(app, columns);
  if (!box || !box->shown->len) {
    draw_empty(app, box, rows, columns);
    return;
  }
  int n = (int)box->shown->len, line = n - 1 - box->cursor;
  box->rows = MAX(rows - 1, 1);
  if (line < box->top || line >= box->top + box->rows)
    box->top = line < box->top && box->top - line == 1 ? line : line - box->rows * 2 / 3;
  box->top = CLAMP(box->top, 0, MAX(n - box->rows, 0));
  for (int i = 0; i < box->rows && box->top + i < n; i++)
    draw_item(box, 1 + i, columns, (guint)(n - 1 - box->top - i), now);
}

static gboolean
move(UiApp *app, UiView *view, UiMove move)
{
  UiBox *box = app->box;

  if (box && !box->shown->len && box->loading && move == UI_MOVE_FIRST)
    box->placed = box->to_first = TRUE; /* nothing is there yet */
  if (!box || !box->shown->len)
    return FALSE;
  int n = (int)box->shown->len, line = n - 1 - box->cursor, before = line;
  switch (move) {
  case UI_MOVE_UP:
    line--;
    break;
  case UI_MOVE_DOWN:
    line++;
    break;
  case UI_MOVE_PAGE_UP:
    line -= box->rows;
    box->top -= box->rows;
    break;
  case UI_MOVE_PAGE_DOWN:
    line += box->rows;
    box->top += box->rows;
    break;
  case UI_MOVE_FIRST:
    line = 0;
    break;
  case UI_MOVE_LAST:
    line = n - 1;
    break;
  }
  box->to_first = move == UI_MOVE_FIRST && box->loading;
  line = CLAMP(line, 0, n - 1);
  box->top = CLAMP(box->top, 0, MAX(n - MAX(box->rows, 1), 0));
  if (line == box->top + box->rows)
    box->top++;
  box->cursor = n - 1 - line;
  box->placed = TRUE;
  return line != before;
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  UiBox *box = app->box;
  g_autofree char *why = NULL;
  g_autoptr(UiLimit) limit = ui_limit_parse(pattern, &why);

  if (!limit) {
    ui_app_complain(app, "%s", why);
    return TRUE;
  }
  int n = box ? (int)box->shown->len : 0;
  for (int i = 1; i <= n; i++) { /* down the screen is towards the newest */
    int at = ((box->cursor + (backwards ? i : -i)) % n + n) % n;
    UiLimitItem facts = ui_box_facts(box, box->shown->pdata[at]);
    if (!ui_limit_matches(limit, &facts))
      continue;
    if (backwards ? at < box->cursor : at > box->cursor)
      ui_app_say(app, "Search went round.");
    box->cursor = at;
    return TRUE;
  }
  return FALSE;
}

static void
hint(UiApp *app, UiView *view, GString *hint)
{
  g_string_append(hint, "Enter read  m write  r reply  d delete  l limit  y folders  q quit  ? help");
}

static void
view_free(UiApp *app, UiView *view)
{
  g_free(view);
}

UiView *
ui_index_new(void)
{
  static const UiViewType type = { UI_IN_INDEX, "the list of messages", draw, move, search, hint, view_free };
  UiView *view = g_new0(UiView, 1);

  view->type = &type;
  return view;
}
