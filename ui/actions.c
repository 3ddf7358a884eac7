#include <string.h>

#include "ui/app-private.h"

/* What keys do in every view: moving about, searching, help. */

static gboolean
move(UiApp *app, UiMove move)
{
  UiView *view = ui_app_top(app);

  return view->type->move(app, view, move);
}

void
ui_action_down(UiApp *app)
{
  move(app, UI_MOVE_DOWN);
}

void
ui_action_up(UiApp *app)
{
  move(app, UI_MOVE_UP);
}

void
ui_action_page_down(UiApp *app)
{
  if (!move(app, UI_MOVE_PAGE_DOWN) && ui_app_top(app)->type->context == UI_IN_READER)
    ui_app_say(app, "This is the end; j reads the next message.");
}

void
ui_action_page_up(UiApp *app)
{
  move(app, UI_MOVE_PAGE_UP);
}

void
ui_action_first(UiApp *app)
{
  move(app, UI_MOVE_FIRST);
}

void
ui_action_last(UiApp *app)
{
  move(app, UI_MOVE_LAST);
}

void
ui_action_space(UiApp *app)
{
  ui_action_page_down(app);
}

void
ui_action_open(UiApp *app)
{
  UiItem *item;

  switch (ui_app_top(app)->type->context) {
  case UI_IN_INDEX:
    item = ui_box_item(app->box);
    if (item)
      ui_reader_open(app, item);
    else
      ui_app_say(app, app->box && app->box->loading ? "The list is still being read." : "There is no message here.");
    break;
  case UI_IN_FOLDERS:
    ui_folders_choose(app);
    break;
  case UI_IN_PARTS:
    ui_parts_show(app);
    break;
  case UI_IN_COMPOSE:
    ui_compose_open(app);
    break;
  case UI_IN_CERTS:
    ui_certs_show_current(app);
    break;
  case UI_IN_MISSING:
  case UI_IN_DRAFTS:
  case UI_IN_OUTBOX:
  case UI_IN_CHOICE:
  case UI_IN_TOKENS:
  case UI_IN_FINDS:
    ui_list_open(app);
    break;
  default:
    break;
  }
}

void
ui_action_back(UiApp *app)
{
  ui_app_pop(app);
}

static void
end(UiApp *app, gpointer data)
{
  ui_app_end(app);
}

static void
end_writing(UiApp *app, gpointer data)
{
  if (!ui_compose_leaving(app, end))
    end(app, NULL);
}

void
ui_action_leave(UiApp *app)
{
  ui_sync_leave(app, UI_IN_INDEX, end_writing, NULL, NULL);
}

void
ui_action_help(UiApp *app)
{
  UiView *view = ui_app_top(app);
  const UiAccount *searched = view->type->context == UI_IN_FINDS ? ui_finds_account(app) : NULL;
  const UiAccount *account = searched ? searched : ui_account_in_use(app);
  gboolean server = account && account->account->kind == ML_ACCOUNT_IMAP;

  ui_app_push(app, ui_help_new(view->type->context, view->type->name, server));
}

void
ui_action_log(UiApp *app)
{
  ui_app_push(app, ui_log_new(app));
}

void
ui_action_redraw(UiApp *app)
{
  ui_screen_resize();
}

void
ui_action_stop(UiApp *app)
{
  ui_screen_stop();
}

void
ui_action_cancel(UiApp *app)
{
  if (ui_ops_cancel(app))
    ui_app_say(app, "Cancelled.");
  else if (app->box && app->box->limit && ui_app_top(app)->type->context == UI_IN_INDEX)
    ui_box_set_limit(app->box, NULL, NULL);
  else if (ui_app_top(app)->type->context == UI_IN_CERTS)
    ui_certs_show_all(app);
}

static void
search_on(UiApp *app, gboolean backwards)
{
  UiView *view = ui_app_top(app);

  if (!app->search)
    ui_app_say(app, "Nothing was searched for yet: / does.");
  else if (!view->type->search(app, view, app->search, backwards)) {
    g_autofree char *safe = ui_text_line(app->search);
    ui_app_say(app, "\"%s\" is not to be found here.", safe);
  }
}

static void
search_answered(const char *answer, gpointer data)
{
  UiApp *app = data;

  if (!answer || !*answer)
    return;
  g_free(app->search);
  app->search = g_strdup(answer);
  search_on(app, app->search_backwards);
}

void
ui_action_search_backwards(UiApp *app)
{
  app->search_backwards = TRUE;
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Search backwards for", NULL, NULL, search_answered, app);
}

void
ui_action_search(UiApp *app)
{
  app->search_backwards = FALSE;
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Search for", NULL, NULL, search_answered, app);
}

void
ui_action_search_next(UiApp *app)
{
  search_on(app, app->search_backwards);
}

void
ui_action_search_previous(UiApp *app)
{
  search_on(app, !app->search_backwards);
}

static void
limit_looked(UiApp *app, MlPattern *pattern, gpointer words)
{
  ui_box_set_limit(app->box, ml_pattern_ref(pattern), words);
  if (app->box->incomplete)
    ui_app_complain(app, "Not all messages could be read here: what fits is shown anew once the server has told them again.");
  else if (!ui_box_fitting(app->box))
    ui_app_say(app, "No message fits.");
}

static void
limit_answered(const char *answer, gpointer data)
{
  UiApp *app = data;

  if (!answer || !app->box)
    return;
  if (!*answer || !strcmp(answer, "all") || !strcmp(answer, ".") || !strcmp(answer, "~A")) {
    ui_box_set_limit(app->box, NULL, NULL);
    return;
  }
  ui_look(app, answer, TRUE, limit_looked, g_strdup(answer), g_free);
}

void
ui_action_limit(UiApp *app)
{
  if (app->box)
    ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Show messages with", NULL, NULL, limit_answered, app);
}

static void
jump_answered(const char *answer, gpointer data)
{
  UiApp *app = data;
  UiBox *box = app->box;
  guint64 number;

  if (!answer || !*answer || !box)
    return;
  if (!g_ascii_string_to_unsigned(answer, 10, 1, G_MAXUINT32, &number, NULL)) {
    ui_app_complain(app, "A message is called by its number: %s is none.", answer);
    return;
  }
  guint total = MAX(box->total, ui_items_count(box->all));
  gboolean sorted = box->order.by != UI_ORDER_ARRIVAL || box->order.reverse; /* numbers are lines then */
  if (sorted && number <= ui_box_rows(box) && ui_box_seek(box, ui_box_row(box, ui_box_rows(box) - number)))
    return;
  if (!sorted && number <= total && total - number < ui_items_count(box->all) &&
      ui_box_seek(box, ui_items_at(box->all, total - number))) {
    box->placed = TRUE;
    return;
  }
  ui_app_say(app, "There is no message %s in this list.", answer);
}

void
ui_action_jump(UiApp *app)
{
  const char digit[] = { (char)app->key, 0 };

  if (app->box)
    ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, "Go to message", digit, NULL, jump_answered, app);
}

void
ui_action_refresh(UiApp *app)
{
  UiReader *reader = ui_reader_top(app);

  /* In a folder for its account alone; in the list of folders for all of them. */
  ui_ask_anew(app->secrets, ui_app_top(app)->type->context == UI_IN_FOLDERS || !app->box
                                ? NULL
                                : app->box->account->account);
  switch (ui_app_top(app)->type->context) {
  case UI_IN_READER:
    if (reader->box && ui_app_in_box(app, reader->life) && !reader->raw) {
      UiItem *item = ui_box_by_uid(app->box, reader->uid);
      if (item)
        ui_reader_open(app, item);
    } else
      ui_reader_read_again(app, reader, CRYPTO_JOB_VERIFY, reader->open_errant);
    break;
  case UI_IN_INDEX:
    if (app->box)
      ml_worker_poll(app->box->account->worker);
    ui_box_reload(app);
    break;
  default:
    for (guint i = 0; i < app->accounts->len; i++) {
      UiAccount *account = app->accounts->pdata[i];
      ui_ops_command(app, account, ml_worker_folders(account->worker, TRUE), "Asking for the folders");
    }
  }
}
