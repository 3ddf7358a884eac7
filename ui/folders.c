#include <string.h>

#include "ui/app-private.h"

/* All folders of all accounts, one below the other, and the searches that have a name. */
typedef struct {
  UiView view;
  int cursor, top, rows;
  const UiAccount *on; /* the row the cursor is on, by name: lists of folders come and change below it */
  char *on_folder;     /* NULL: the account's own line */
  const MlSaved *on_search; /* NULL: no search */
  gboolean placed;          /* the last three are true */
} Folders;

typedef struct {
  UiAccount *account;     /* NULL: of the searches */
  const MlFolder *folder; /* NULL: the account's own line */
  const MlSaved *search;  /* NULL: their own line */
} Row;

static GArray *
collect(UiApp *app)
{
  GArray *rows = g_array_new(FALSE, FALSE, sizeof(Row));

  for (guint a = 0; a < app->accounts->len; a++) {
    UiAccount *account = app->accounts->pdata[a];
    Row head = { account, NULL, NULL };
    g_array_append_val(rows, head);
    for (guint i = 0; account->folders && i < account->folders->len; i++) {
      Row row = { account, account->folders->pdata[i], NULL };
      g_array_append_val(rows, row);
    }
  }
  const GPtrArray *searches = app->config->searches;
  for (guint i = 0; searches->len && i <= searches->len; i++) {
    Row row = { NULL, NULL, i ? searches->pdata[i - 1] : NULL };
    g_array_append_val(rows, row);
  }
  return rows;
}

static void
put_cursor(Folders *folders, const GArray *rows, int at)
{
  folders->cursor = CLAMP(at, 0, MAX((int)rows->len - 1, 0));
  if (!rows->len)
    return;
  const Row *row = &g_array_index(rows, Row, folders->cursor);
  folders->on = row->account;
  folders->on_search = row->search;
  folders->placed = TRUE;
  g_free(folders->on_folder);
  folders->on_folder = row->folder ? g_strdup(row->folder->name) : NULL;
}

/* The rows as they are now, with the cursor on the row that it was on. */
static GArray *
current_rows(UiApp *app, Folders *folders)
{
  GArray *rows = collect(app);

  for (guint i = 0; i < rows->len; i++) {
    const Row *row = &g_array_index(rows, Row, i);
    if (!folders->placed || row->account != folders->on || row->search != folders->on_search ||
        g_strcmp0(row->folder ? row->folder->name : NULL, folders->on_folder) != 0)
      continue;
    folders->cursor = (int)i;
    return rows;
  }
  for (guint i = 0; folders->on && !folders->on->folders && i < rows->len; i++)
    if (g_array_index(rows, Row, i).account == folders->on) {
      folders->cursor = (int)i; /* the account's line, until its folders are known */
      return rows;
    }
  put_cursor(folders, rows, folders->cursor); /* it is gone: what took its place */
  return rows;
}

static void
draw_account(const UiAccount *account, int row, int columns, UiStyle style)
{
  g_autofree char *name = ui_text_line(account->account->name);
  g_autofree char *why = ui_text_line(account->why && account->state == ML_STATE_OFFLINE ? account->why : "");
  static const char *const states[] = { "connecting", "online", "offline" };
  g_autofree char *line = g_strdup_printf("%c%s  %s%s%s", style == UI_STYLE_CURSOR ? '>' : ' ', name,
                                          states[account->state], *why ? ": " : "", why);
  g_autofree char *cut = ui_text_cut(line, columns);

  ui_screen_fill(row, 0, columns, style, cut);
}

static const char *
role_word(MlFolderRole role)
{
  static const char *const words[] = {
    "", "", "drafts", "sent", "trash", "junk", "archive", "all", "flagged"
  };

  return (guint)role < G_N_ELEMENTS(words) ? words[role] : "";
}

static void
draw_folder(UiApp *app, const Row *shown, int row, int columns, gboolean current)
{
  const MlFolder *folder = shown->folder;
  UiBox *box = ui_app_folder(app);
  gboolean open = box && box->account == shown->account && !strcmp(box->folder, folder->name);
  int unseen = open && !box->loading ? (int)ui_box_count(box, FALSE) : folder->unseen;
  int total = open && !box->loading ? (int)box->total : folder->total;
  g_autofree char *name = ui_text_line(folder->name);
  g_autofree char *fit = ui_text_fit(name, MAX(columns - 36, 8));
  g_autofree char *unread = unseen > 0 ? g_strdup_printf("%d new", unseen) : g_strdup("");
  g_autofree char *all = total >= 0 ? g_strdup_printf("%d", total) : g_strdup("");
  g_autofree char *line = g_strdup_printf("%c %c %s %9s %8s  %-8s", current ? '>' : ' ', open ? '*' : ' ',
                                          fit, unread, all, role_word(folder->role));
  UiStyle style = current               ? UI_STYLE_CURSOR
                  : !folder->selectable ? UI_STYLE_QUIET
                  : unseen > 0          ? UI_STYLE_NEW
                                        : UI_STYLE_NORMAL;

  ui_screen_fill(row, 0, columns, style, line);
}

static void
draw_search(UiApp *app, const MlSaved *search, int row, int columns, gboolean current)
{
  g_autofree char *name = ui_text_line(search ? search->name : "Searches");
  g_autofree char *fit = ui_text_fit(name, CLAMP(columns / 3, 8, 40));
  g_autofree char *text = ui_text_line(search ? search->text : "");
  g_autofree char *line = search ? g_strdup_printf("%c   %s %s", current ? '>' : ' ', fit, text)
                                 : g_strdup_printf("%c%s", current ? '>' : ' ', name);
  g_autofree char *cut = ui_text_cut(line, columns);

  ui_screen_fill(row, 0, columns, current ? UI_STYLE_CURSOR : search ? UI_STYLE_NORMAL : UI_STYLE_HEADER, cut);
}

static void
draw(UiApp *app, UiView *view, int rows, int columns)
{
  Folders *folders = (Folders *)view;
  g_autoptr(GArray) list = current_rows(app, folders);

  ui_screen_fill(0, 0, columns, UI_STYLE_TITLE, " Folders");
  folders->rows = MAX(rows - 1, 1);
  if (folders->cursor < folders->top)
    folders->top = folders->cursor;
  if (folders->cursor >= folders->top + folders->rows)
    folders->top = folders->cursor - folders->rows + 1;
  folders->top = CLAMP(folders->top, 0, MAX((int)list->len - folders->rows, 0));
  for (int i = 0; i < folders->rows && folders->top + i < (int)list->len; i++) {
    int at = folders->top + i;
    const Row *row = &g_array_index(list, Row, at);
    gboolean current = at == folders->cursor;
    if (!row->account)
      draw_search(app, row->search, 1 + i, columns, current);
    else if (row->folder)
      draw_folder(app, row, 1 + i, columns, current);
    else
      draw_account(row->account, 1 + i, columns, current ? UI_STYLE_CURSOR : UI_STYLE_HEADER);
  }
}

static gboolean
move(UiApp *app, UiView *view, UiMove move)
{
  Folders *folders = (Folders *)view;
  g_autoptr(GArray) list = current_rows(app, folders);
  int before = folders->cursor;

  switch (move) {
  case UI_MOVE_UP:
    folders->cursor--;
    break;
  case UI_MOVE_DOWN:
    folders->cursor++;
    break;
  case UI_MOVE_PAGE_UP:
    folders->cursor -= folders->rows;
    break;
  case UI_MOVE_PAGE_DOWN:
    folders->cursor += folders->rows;
    break;
  case UI_MOVE_FIRST:
    folders->cursor = 0;
    break;
  case UI_MOVE_LAST:
    folders->cursor = (int)list->len - 1;
    break;
  }
  put_cursor(folders, list, folders->cursor);
  return folders->cursor != before;
}

static gboolean
search(UiApp *app, UiView *view, const char *pattern, gboolean backwards)
{
  Folders *folders = (Folders *)view;
  g_autoptr(GArray) list = current_rows(app, folders);
  g_autofree char *folded = ml_pattern_fold(pattern);
  int n = (int)list->len;

  for (int i = 1; i <= n; i++) {
    int at = ((folders->cursor + (backwards ? -i : i)) % n + n) % n;
    const Row *row = &g_array_index(list, Row, at);
    const char *name = row->folder    ? row->folder->name
                       : row->account ? row->account->account->name
                       : row->search  ? row->search->name
                                      : "Searches";
    if (!ml_pattern_contains(name, folded))
      continue;
    put_cursor(folders, list, at);
    return TRUE;
  }
  return FALSE;
}

static void
hint(UiApp *app, UiView *view, GString *hint)
{
  g_string_append(hint, "Enter open  c change by name  / search  R ask the server  q back  ? help");
}

static void
view_free(UiApp *app, UiView *view)
{
  g_free(((Folders *)view)->on_folder);
  g_free(view);
}

UiView *
ui_folders_new(UiApp *app)
{
  static const UiViewType type = {
    UI_IN_FOLDERS, "the list of folders", draw, move, search, hint, view_free
  };
  Folders *folders = g_new0(Folders, 1);

  folders->view.type = &type;
  if (ui_app_folder(app)) {
    folders->on = ui_app_folder(app)->account;
    folders->on_folder = g_strdup(ui_app_folder(app)->folder);
    folders->placed = TRUE;
  }
  folders->cursor = 1;
  return &folders->view;
}

UiAccount *
ui_folders_seek(UiApp *app, int step)
{
  Folders *folders = (Folders *)ui_app_view(app, UI_IN_FOLDERS);
  guint n = app->accounts->len, at = 0;

  if (!folders || !n)
    return NULL;
  g_autoptr(GArray) list = current_rows(app, folders);
  UiAccount *here = NULL;
  if (folders->cursor < (int)list->len)
    here = g_array_index(list, Row, folders->cursor).account;
  g_ptr_array_find(app->accounts, here, &at);
  here = app->accounts->pdata[(at + n + (guint)step) % n];
  for (guint i = 0; i < list->len; i++) {
    if (g_array_index(list, Row, i).account != here)
      continue;
    put_cursor(folders, list, (int)i);
    return here;
  }
  return NULL;
}

const MlFolder *
ui_folders_current(UiApp *app, UiAccount **account)
{
  Folders *folders = (Folders *)ui_app_view(app, UI_IN_FOLDERS);

  if (!folders)
    return NULL;
  g_autoptr(GArray) list = current_rows(app, folders);
  if (folders->cursor < 0 || folders->cursor >= (int)list->len)
    return NULL;
  const Row *row = &g_array_index(list, Row, folders->cursor);
  *account = row->account;
  return row->folder;
}

const MlSaved *
ui_folders_search(UiApp *app)
{
  Folders *folders = (Folders *)ui_app_view(app, UI_IN_FOLDERS);

  if (!folders)
    return NULL;
  g_autoptr(GArray) list = current_rows(app, folders);
  return folders->cursor >= 0 && folders->cursor < (int)list->len ? g_array_index(list, Row, folders->cursor).search : NULL;
}
