#include <string.h>

#include "ui/hits-private.h"

/* The view holds no state: the open folder keeps its own place. */

/* With what waits for the line, and what the server refused. */
static char *
state_words(const UiAccount *account)
{
  const char *state = account->state == ML_STATE_ONLINE    ? "online"
                      : account->state == ML_STATE_OFFLINE ? "offline"
                                                           : "connecting";
  GString *words = g_string_new(state);

  if (account->waiting)
    g_string_append_printf(words, ", %u change%s wait%s", account->waiting, account->waiting == 1 ? "" : "s",
                           account->waiting == 1 ? "s" : "");
  if (account->failed)
    g_string_append_printf(words, ", %u failed", account->failed);
  return g_string_free(words, FALSE);
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
    g_string_append_printf(left, "  [%s: %u]", box->limit_words, ui_box_rows(box));
  if (box->loading && ui_items_count(box->all) < box->total)
    g_string_append_printf(left, "  reading %u%%", (guint)((guint64)ui_items_count(box->all) * 100 / box->total));
  if (box->read_only)
    g_string_append(left, "  read-only");
  g_autofree char *account = ui_text_line(box->account->account->name);
  g_autofree char *state = state_words(box->account);
  g_autofree char *right = g_strdup_printf("%s  %s ", account, state);
  int width = ui_text_width(right);
  ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, left->str);
  if (columns > width + 20)
    ui_screen_put(0, columns - width, width, UI_STYLE_TITLE, right);
}

/* The three letters of a message's state. */
void
ui_index_letters(const UiAccount *account, const UiItem *item, char letters[4])
{
  guint flags = item->flags;
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

const char *
ui_index_mark(const UiItem *item)
{
  static const char *const hints[] = { "", "S", "E", "SE" };

  return item->judged ? ui_verdicts_mark(item)->words : hints[item->hints & (ML_HINT_SIGNED | ML_HINT_ENCRYPTED)];
}

UiStyle
ui_index_style(const UiItem *item)
{
  if (item->deleted)
    return UI_STYLE_DELETED;
  if (item->tagged)
    return UI_STYLE_TAGGED;
  return item->flags & ML_FLAG_SEEN ? UI_STYLE_NORMAL : UI_STYLE_NEW;
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
branches(const MlThreaded *place, int width)
{
  gboolean ascii = ui_screen_ascii();
  guint depth = place->depth, most = (guint)MAX(width / 2 / 2, 2), from = depth > most ? depth - most : 0;
  GString *tree = g_string_new(NULL);

  for (guint i = from; i + 1 < depth; i++)
    g_string_append(tree, i < 64 && place->more >> i & 1 ? (ascii ? "| " : "│ ") : "  ");
  if (depth) {
    gboolean more = depth <= 64 && place->more >> (depth - 1) & 1;
    g_string_append(tree, more ? (ascii ? "|->" : "├─>") : (ascii ? "`->" : "└─>"));
  }
  return g_string_free(tree, FALSE);
}

/* The message that its branch grows from: above it, since its thread is not folded. NULL: it begins the thread. */
static const UiItem *
answered_above(const MlThreaded *place)
{
  const MlThreaded *above = place;

  while (above->depth && above->depth >= place->depth)
    above--;
  return place->depth ? above->item : NULL;
}

/* Is it left out, since the row above says it already? Never where one of the two was read and says what it protects,
 * and never "[...]", which stands for a Subject that is not known yet. */
static gboolean
is_said_above(const UiBox *box, guint at, const MlThreaded *place)
{
  const UiItem *item = ui_box_row(box, at);
  gboolean reply, words = FALSE;

  if (!place->same_subject || ui_box_read_subject(box, item))
    return FALSE;
  g_autofree char *subject = ml_thread_subject(ui_box_header(box, item)->subject, &reply);
  for (const char *c = subject; *c && !words; c++)
    words = g_ascii_isalnum(*c) || *c & 0x80;
  const UiItem *above = words ? answered_above(place) : NULL;
  return above && !ui_box_read_subject(box, above);
}

/* "[+4, 2 new]": what a folded thread hides. */
static char *
folded_words(const MlThreaded *head)
{
  guint unread = 0, size = head->size;

  for (guint i = 0; i < size; i++)
    unread += !(((const UiItem *)head[i].item)->flags & ML_FLAG_SEEN);
  return unread ? g_strdup_printf("[+%u, %u new]", size - 1, unread) : g_strdup_printf("[+%u]", size - 1);
}

/* The subject as the list shows it: in a thread, only where it is another than that of the message above. */
static char *
subject_words(const UiBox *box, guint row, int width)
{
  const UiItem *item = ui_box_row(box, row);
  const char *given = ui_box_subject(box, item);
  const MlThreaded *place = box->order.by == UI_ORDER_THREADS ? ui_order_place(box, item) : NULL;
  g_autofree char *subject = ui_text_line(*given                     ? given
                                          : ui_box_is_lost(box, item) ? "..."
                                                                      : "(no subject)");

  if (!place)
    return g_steal_pointer(&subject);
  g_autofree char *tree = branches(place, width);
  if (item->folded && place->size > 1) {
    g_autofree char *hidden = folded_words(place);
    return g_strdup_printf("%s %s", hidden, subject);
  }
  gboolean hide = is_said_above(box, row, place);
  return g_strdup_printf("%s%s%s", tree, *tree && !hide ? " " : "", hide ? "" : subject);
}

static void
draw_item(const UiBox *box, int row, int columns, guint at, gint64 now)
{
  const UiItem *item = ui_box_row(box, at);
  gboolean current = (int)at == box->cursor;
  gboolean sorted = box->order.by != UI_ORDER_ARRIVAL || box->order.reverse;
  guint total = MAX(box->total, ui_items_count(box->all));
  guint number = sorted ? ui_box_rows(box) - at : box->limit ? ui_box_number(box, item) : total - at;
  int number_width = MAX(digits(total), 3), narrow = columns < 60;
  int from_width = narrow ? columns / 4 : CLAMP((columns - 40) / 3, 12, 30), date_width = narrow ? 0 : 9;
  char letters[4];

  ui_index_letters(box->account, item, letters);
  const MlHeader *header = ui_box_header(box, item);
  g_autofree char *date = date_width && header->uid ? ui_text_date(header->date, now, date_width) : g_strdup("");
  g_autofree char *date_fit = ui_text_fit(date, date_width);
  g_autofree char *from = ui_text_line(header->from_name);
  g_autofree char *from_fit = ui_text_fit(from, from_width);
  g_autofree char *size = narrow || !header->uid ? g_strdup("") : ui_text_size(header->size);
  int before = 1 + number_width + 1 + 3 + 1 + 3 + 1 + date_width + (date_width ? 2 : 0) + from_width + 2;
  int subject_width = MAX(columns - before - (narrow ? 0 : 7), 1);
  g_autofree char *subject = subject_words(box, at, subject_width);
  g_autofree char *subject_fit = ui_text_fit(subject, subject_width);
  g_autofree char *line =
      g_strdup_printf("%c%*u %s %-3s %s%s%s  %s %6s", current ? '>' : ' ', number_width, number, letters,
                      ui_index_mark(item), date_fit, date_width ? "  " : "", from_fit, subject_fit, size);

  ui_screen_fill(row, 0, columns, current ? UI_STYLE_CURSOR : ui_index_style(item), line);
  const UiMark *mark = ui_verdicts_mark(item);
  if (!current && *mark->words && !item->deleted)
    ui_screen_put(row, 1 + number_width + 1 + 3 + 1, 3, mark->style, mark->words);
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

  if (app->hits) {
    ui_hits_draw(app->hits, rows, columns);
    return;
  }
  draw_title(app, columns);
  if (!box || !ui_box_rows(box)) {
    draw_empty(app, box, rows, columns);
    ui_box_mend(app); /* what fits may be what could not be read */
    return;
  }
  int n = (int)ui_box_rows(box), top = ui_window_draw(app, rows, n);
  ui_verdicts_drawn(app);
  for (int i = 0; i < box->window.rows && top + i < n; i++)
    draw_item(box, 1 + i, columns, (guint)(n - 1 - top - i), now);
  ui_box_mend(app);
  ui_window_drawn(app);
}

static gboolean
move(UiApp *app, UiView *view, UiMove move)
{
  UiBox *box = app->box;

  if (app->hits)
    return ui_hits_move(app->hits, move);
  if (box && !ui_box_rows(box) && box->loading && move == UI_MOVE_FIRST)
    box->placed = box->to_first = TRUE; /* nothing is there yet */
  if (!box || !ui_box_rows(box))
    return FALSE;
  int n = (int)ui_box_rows(box), line = n - 1 - box->cursor;
  gboolean moved = ui_window_move(&box->window, move, n, &line);
  box->to_first = move == UI_MOVE_FIRST && box->loading;
  box->cursor = n - 1 - line;
  box->placed = TRUE;
  return moved;
}

/* The @step-th that is looked at. What is near is read as the screen reads it; farther away all are read once. */
static gboolean
is_hit(UiApp *app, const MlPattern *pattern, int at, int step, gboolean backwards)
{
  enum { NEAR = 300 };
  UiBox *box = app->box;

  if (step <= NEAR && ml_pattern_needs(pattern) & (ML_PATTERN_HEADER | ML_PATTERN_NUMBERS)) {
    ui_window_read_on(app, (int)ui_box_rows(box) - 1 - at, step, backwards);
    const UiItem *item = ui_box_row(box, (guint)at);
    box->incomplete |= ui_box_is_lost(box, item);
    return ui_box_matches(box, item, ui_box_header(box, item), pattern);
  }
  if (step == NEAR + 1 || step == 1)
    ui_box_find(box, pattern); /* what cannot be read is passed over */
  return ui_box_row(box, at)->found;
}

/* What a search came to; it may end after search() has. */
typedef struct {
  gboolean backwards, done, found, told, later;
} Seeking;

static void
seek_looked(UiApp *app, MlPattern *pattern, gpointer data)
{
  Seeking *seeking = data;
  UiBox *box = app->box;

  if (box)
    ui_order_now(box);
  int n = box ? (int)ui_box_rows(box) : 0;
  seeking->done = TRUE;
  if (seeking->later && ui_app_top(app)->type->context != UI_IN_INDEX)
    return;
  for (int i = 1; i <= n && !seeking->found; i++) { /* down the screen is towards the newest */
    int at = ((box->cursor + (seeking->backwards ? i : -i)) % n + n) % n;
    if (!is_hit(app, pattern, at, i, seeking->backwards))
      continue;
    if (seeking->backwards ? at < box->cursor : at > box->cursor)
      ui_app_say(app, "Search went round.");
    box->cursor = at;
    seeking->found = TRUE;
  }
  if (!seeking->found && n && box->incomplete) {
    ui_app_complain(app, "Not all messages could be read here: n looks again once the server has told them again.");
    seeking->told = TRUE;
  } else if (!seeking->found && seeking->later)
    ui_app_say(app, "That is not to be found here.");
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  if (app->hits)
    return ui_hits_search(app->hits, pattern, backwards);
  Seeking *seeking = g_rc_box_new0(Seeking);
  seeking->backwards = backwards;
  ui_look(app, pattern, FALSE, seek_looked, g_rc_box_acquire(seeking), g_rc_box_release);
  gboolean told = !seeking->done || seeking->found || seeking->told; /* or will be */
  seeking->later = TRUE;
  g_rc_box_release(seeking);
  return told;
}

static void
hint(UiApp *app, UiView *view, GString *hint)
{
  if (app->hits)
    ui_hits_hint(hint);
  else
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
