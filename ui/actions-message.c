#include <string.h>

#include "ui/app-private.h"

/* What keys do to messages. In the reader that is the message being read; a message inside another is not in any
 * folder and cannot be moved or deleted. */
GPtrArray *
ui_actions_chosen(UiApp *app)
{
  UiReader *reader = ui_reader_top(app);

  if (!reader) {
    GPtrArray *listed = ui_box_chosen(app);
    if (!listed->len)
      ui_app_say(app, "There is no message here.");
    return listed;
  }
  GPtrArray *items = g_ptr_array_new();
  UiItem *item = reader->box && ui_app_in_box(app, reader->life) ? ui_box_by_uid(app->box, reader->uid) : NULL;
  if (item)
    g_ptr_array_add(items, item);
  else if (reader->box)
    ui_app_say(app, "The message is not in its folder any more.");
  else
    ui_app_say(app, "This message lies inside another; it is in no folder by itself.");
  return items;
}

/* The next message in the list, down or up the screen; NULL: there is none. */
static UiItem *
neighbour(UiBox *box, gboolean down, gboolean deleted_too)
{
  if (!box)
    return NULL;
  for (int at = box->cursor + (down ? -1 : 1); at >= 0 && at < (int)ui_box_rows(box); at += down ? -1 : 1) {
    UiItem *item = ui_box_row(box, at);
    if (deleted_too || !item->deleted)
      return item;
  }
  return NULL;
}

static gboolean
step(UiApp *app, gboolean down, gboolean deleted_too)
{
  UiReader *reader = ui_reader_top(app);

  if (reader && !reader->box) {
    ui_app_say(app, "This message lies inside another: q goes back to it.");
    return FALSE;
  }
  UiItem *item = app->hits ? ui_hits_step(app, down, deleted_too) : neighbour(app->box, down, deleted_too);
  if (!item)
    return FALSE;
  if (reader)
    ui_reader_open(app, item);
  else
    ui_box_seek(app->box, item);
  return TRUE;
}

static void
step_or_say(UiApp *app, gboolean down, gboolean deleted_too)
{
  if (!step(app, down, deleted_too))
    ui_app_say(app, down ? "This is the last message." : "This is the first message.");
}

void
ui_action_next_message(UiApp *app)
{
  step_or_say(app, TRUE, FALSE);
}

void
ui_action_previous_message(UiApp *app)
{
  step_or_say(app, FALSE, FALSE);
}

void
ui_action_next_any(UiApp *app)
{
  step_or_say(app, TRUE, TRUE);
}

void
ui_action_previous_any(UiApp *app)
{
  step_or_say(app, FALSE, TRUE);
}

static void
set_deleted(UiApp *app, gboolean deleted)
{
  gboolean many = app->apply_to_tagged;
  g_autoptr(GPtrArray) items = ui_actions_chosen(app);

  if (!items->len)
    return;
  if (app->box->read_only) {
    ui_app_complain(app, "This folder is read-only: nothing can be deleted in it.");
    return;
  }
  for (guint i = 0; i < items->len; i++)
    ui_items_set_deleted(app->box->all, items->pdata[i], deleted);
  if (!many && !step(app, TRUE, !deleted) && ui_reader_top(app))
    ui_app_pop(app);
}

void
ui_action_delete(UiApp *app)
{
  set_deleted(app, TRUE);
}

void
ui_action_undelete(UiApp *app)
{
  set_deleted(app, FALSE);
}

void
ui_action_tag(UiApp *app)
{
  gboolean many = app->apply_to_tagged;
  g_autoptr(GPtrArray) items = ui_actions_chosen(app);

  for (guint i = 0; i < items->len; i++) {
    UiItem *item = items->pdata[i];
    item->tagged = !item->tagged;
  }
  if (!many && !ui_reader_top(app))
    step(app, TRUE, TRUE);
}

void
ui_action_apply(UiApp *app)
{
  guint n = 0;

  for (guint i = 0; app->box && i < ui_items_count(app->box->all); i++)
    n += ui_items_at(app->box->all, i)->tagged;
  app->apply_to_tagged = n > 0;
  if (n)
    ui_app_say(app, "%u tagged: which key?", n);
  else
    ui_app_say(app, "No message is tagged: t tags one, T those that fit a pattern.");
}

static void
toggle_flag(UiApp *app, guint flag)
{
  g_autoptr(GPtrArray) items = ui_actions_chosen(app);

  if (!items->len)
    return;
  gboolean on = !(((UiItem *)items->pdata[0])->flags & flag);
  ui_box_set_flags(app, items, on ? flag : 0, on ? 0 : flag);
}

void
ui_action_flag(UiApp *app)
{
  toggle_flag(app, ML_FLAG_FLAGGED);
}

void
ui_action_toggle_new(UiApp *app)
{
  toggle_flag(app, ML_FLAG_SEEN);
}

/* A folder is asked for; the messages are remembered by number until it is named. */
typedef struct {
  UiApp *app;
  guint64 life; /* of their folder */
  GArray *uids;
  gboolean copy;
} Filing;

static void
file_items(UiApp *app, GPtrArray *items, gboolean copy, UiAccount *account, const char *folder)
{
  UiReader *reader = ui_reader_top(app);
  UiBox *box = app->box;
  guint32 uid = reader ? reader->uid : 0;
  UiItem *next = copy || items->len != 1 || app->hits ? NULL : neighbour(box, TRUE, FALSE);

  ui_sync_file(app, items, copy, account, folder);
  if (copy || account != box->account)
    return;
  if (reader && app->hits) /* where the message has gone already, the cursor is on the one below it */
    next = app->box == box && ui_box_by_uid(box, uid) ? ui_hits_step(app, TRUE, FALSE) : ui_box_item(app->box);
  if (reader && next)
    ui_reader_open(app, next);
  else if (reader)
    ui_app_pop(app);
}

static void
folder_answered(const char *answer, gpointer data)
{
  Filing *filing = data;
  UiApp *app = filing->app;
  g_autoptr(GPtrArray) items = g_ptr_array_new();
  UiAccount *account;
  g_autofree char *folder = NULL;

  if (answer && *answer && ui_app_in_box(app, filing->life) && ui_account_split(app, answer, &account, &folder)) {
    for (guint i = 0; i < filing->uids->len; i++) {
      UiItem *item = ui_box_by_uid(app->box, g_array_index(filing->uids, guint32, i));
      if (item)
        g_ptr_array_add(items, item);
    }
    if (account->folders && !ui_account_folder(account, folder))
      ui_app_complain(app, "There is no folder %s in %s.", folder, account->account->name);
    else
      file_items(app, items, filing->copy, account, folder);
  }
  g_array_unref(filing->uids);
  g_free(filing);
}

static void
ask_folder(UiApp *app, gboolean copy)
{
  g_autoptr(GPtrArray) items = ui_actions_chosen(app);

  if (!items->len)
    return;
  if (app->box->read_only && !copy) {
    ui_app_complain(app, "This folder is read-only: C copies instead.");
    return;
  }
  Filing *filing = g_new0(Filing, 1);
  *filing = (Filing){ app, app->box->life, g_array_new(FALSE, FALSE, sizeof(guint32)), copy };
  for (guint i = 0; i < items->len; i++)
    g_array_append_val(filing->uids, ((UiItem *)items->pdata[i])->uid);
  g_autofree char *question =
      items->len == 1 ? g_strdup_printf("%s to folder", copy ? "Copy" : "Move")
                      : g_strdup_printf("%s %u messages to folder", copy ? "Copy" : "Move", items->len);
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, question, NULL, ui_account_complete, folder_answered,
                 filing);
}

void
ui_action_move(UiApp *app)
{
  ask_folder(app, FALSE);
}

void
ui_action_copy(UiApp *app)
{
  ask_folder(app, TRUE);
}

void
ui_action_archive(UiApp *app)
{
  g_autoptr(GPtrArray) items = ui_actions_chosen(app);
  const char *archive = app->box ? ui_account_special(app->box->account, ML_ROLE_ARCHIVE) : NULL;

  if (!items->len)
    return;
  if (!archive) {
    ui_app_complain(app,
                    "No archive is known for this account: `archive = FOLDER` in signet.conf names one.");
    return;
  }
  g_autofree char *folder = g_strdup(archive);
  file_items(app, items, FALSE, app->box->account, folder);
}
