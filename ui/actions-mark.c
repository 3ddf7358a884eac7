#include <string.h>

#include "ui/app-private.h"

/* What keys do to the marks of messages: by a pattern, or by a flag's letter. */
typedef enum { TAG, UNTAG, DELETE, UNDELETE } Mark;

typedef struct {
  UiApp *app;
  Mark mark;
} Marking;

/* *@all FALSE: some could not be read, and were left alone. */
static guint
mark_fitting(UiBox *box, const MlPattern *limit, Mark mark, gboolean *all)
{
  guint n = 0;

  ui_order_now(box);
  *all = ui_box_find(box, limit);
  for (guint i = 0; i < ui_box_rows(box); i++) {
    UiItem *item = ui_box_row(box, i);
    if (!item->found)
      continue;
    if (mark == TAG || mark == UNTAG)
      item->tagged = mark == TAG;
    else
      ui_items_set_deleted(box->all, item, mark == DELETE);
    n++;
  }
  return n;
}

static void
pattern_looked(UiApp *app, MlPattern *pattern, gpointer data)
{
  const Marking *marking = data;
  gboolean all;
  guint n = mark_fitting(app->box, pattern, marking->mark, &all);

  if (!all)
    ui_app_complain(app, "%u fit; others cannot be read now and are left alone: Ctrl-R, then again.", n);
  else if (!n)
    ui_app_say(app, "No message fits.");
  else if (marking->mark == TAG)
    ui_app_say(app, "%u tagged: after ; the next key acts on all tagged ones.", n);
  else if (marking->mark == UNTAG)
    ui_app_say(app, "%u untagged.", n);
  else
    ui_app_say(app, marking->mark == DELETE ? "%u marked to be deleted: $ does it." : "%u undeleted.", n);
}

static void
pattern_answered(const char *answer, gpointer data)
{
  Marking *marking = data;

  if (answer && *answer && marking->app->box)
    ui_look(marking->app, answer, FALSE, pattern_looked, marking, g_free);
  else
    g_free(marking);
}

static void
ask_pattern(UiApp *app, Mark mark)
{
  static const char *const questions[] = { "Tag messages with", "Untag messages with", "Delete messages with",
                                           "Undelete messages with" };

  if (app->box)
    ui_order_now(app->box);
  if (!app->box || !ui_box_rows(app->box)) {
    ui_app_say(app, "There is no message here.");
    return;
  }
  if (app->box->read_only && mark == DELETE) {
    ui_app_complain(app, "This folder is read-only: nothing can be deleted in it.");
    return;
  }
  Marking *marking = g_new(Marking, 1);
  *marking = (Marking){ app, mark };
  ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, questions[mark], NULL, NULL, pattern_answered, marking);
}

void
ui_action_tag_pattern(UiApp *app)
{
  ask_pattern(app, TAG);
}

void
ui_action_untag_pattern(UiApp *app)
{
  ask_pattern(app, UNTAG);
}

void
ui_action_delete_pattern(UiApp *app)
{
  ask_pattern(app, DELETE);
}

void
ui_action_undelete_pattern(UiApp *app)
{
  ask_pattern(app, UNDELETE);
}

/* The messages are remembered by number until the letter is typed. */
typedef struct {
  UiApp *app;
  guint64 life; /* of their folder */
  GArray *uids;
  gboolean on;
} Flagging;

static void
set_flags(UiApp *app, GPtrArray *items, char letter, gboolean on)
{
  guint flag = letter == 'F' || letter == '!' ? ML_FLAG_FLAGGED
               : letter == 'r'                ? ML_FLAG_ANSWERED
               : letter == 'N'                ? ML_FLAG_SEEN
                                              : 0;

  if (letter == 'N')
    on = !on;
  if (flag) {
    ui_box_set_flags(app, items, on ? flag : 0, on ? 0 : flag);
    return;
  }
  if (letter != 'D')
    ui_app_complain(app, "The letters are N new, F flagged, r answered and D deleted.");
  else if (app->box->read_only && on)
    ui_app_complain(app, "This folder is read-only: nothing can be deleted in it.");
  else
    for (guint i = 0; i < items->len; i++)
      ui_items_set_deleted(app->box->all, items->pdata[i], on);
}

static void
flag_answered(const char *answer, gpointer data)
{
  g_autofree Flagging *flagging = data;
  UiApp *app = flagging->app;
  g_autoptr(GPtrArray) items = g_ptr_array_new();

  for (guint i = 0; answer && *answer && ui_app_in_box(app, flagging->life) && i < flagging->uids->len; i++) {
    UiItem *item = ui_box_by_uid(app->box, g_array_index(flagging->uids, guint32, i));
    if (item)
      g_ptr_array_add(items, item);
  }
  if (items->len)
    set_flags(app, items, *answer, flagging->on);
  g_array_unref(flagging->uids);
}

static void
ask_flag(UiApp *app, gboolean on)
{
  g_autoptr(GPtrArray) items = ui_actions_chosen(app);

  if (!items->len)
    return;
  Flagging *flagging = g_new(Flagging, 1);
  *flagging = (Flagging){ app, app->box->life, g_array_new(FALSE, FALSE, sizeof(guint32)), on };
  for (guint i = 0; i < items->len; i++)
    g_array_append_val(flagging->uids, ((UiItem *)items->pdata[i])->uid);
  ui_prompts_ask(app->prompts, UI_PROMPT_LETTER, NULL,
                 on ? "Set flag (N new, F flagged, r answered, D deleted)"
                    : "Clear flag (N new, F flagged, r answered, D deleted)",
                 NULL, NULL, flag_answered, flagging);
}

void
ui_action_set_flag(UiApp *app)
{
  ask_flag(app, TRUE);
}

void
ui_action_clear_flag(UiApp *app)
{
  ask_flag(app, FALSE);
}

/* Of the account in use: what waits for the line is given up, what was carried out is reversed. */
void
ui_action_undo(UiApp *app)
{
  const UiAccount *account = ui_account_in_use(app);

  if (account->account->kind != ML_ACCOUNT_IMAP) {
    ui_app_say(app, "Alt-z takes back what a server was told. Here u undeletes before $, and s moves back.");
    return;
  }
  g_autofree char *said = ml_worker_undo(account->worker);
  ui_app_say(app, "%s", said);
}

/* Down the list, which is towards the newest, and round to the oldest: as reading goes on. */
void
ui_action_next_unread(UiApp *app)
{
  UiBox *box = app->box;
  UiReader *reader = ui_reader_top(app);

  if (box)
    ui_order_now(box);
  int n = box ? (int)ui_box_rows(box) : 0;
  if (reader && !(box && ui_app_in_box(app, reader->life))) {
    ui_app_say(app, "This message lies inside another: q goes back to it.");
    return;
  }
  for (int i = 1; i <= n; i++) {
    int at = ((box->cursor - i) % n + n) % n;
    UiItem *item = ui_box_row(box, at);
    if (item->deleted || item->flags & ML_FLAG_SEEN || (reader && at == box->cursor))
      continue;
    if (at > box->cursor)
      ui_app_say(app, "From the beginning.");
    if (reader)
      ui_reader_open(app, item);
    else
      ui_box_seek(box, item);
    return;
  }
  g_autofree char *unread = ui_account_next_unread(app);
  if (unread)
    ui_app_say(app, "Nothing unread here; c and Enter go on to %s.", unread);
  else
    ui_app_say(app, "Nothing unread here.");
}

void
ui_action_address(UiApp *app)
{
  g_autoptr(GPtrArray) items = ui_actions_chosen(app);

  if (items->len)
    ui_app_say(app, "%s", ui_box_header(app->box, items->pdata[0])->from);
}
