#include <string.h>

#include "ui/hits-private.h"

/* What keys do to several messages of several folders, and what they cannot do there. What a key does to one message, or
 * to those of one folder, is done as anywhere: app->box is that folder's. */

UiItem *
ui_hits_step(UiApp *app, gboolean down, gboolean deleted_too)
{
  UiHits *found = app->hits;

  for (int at = found->cursor + (down ? 1 : -1); ui_hits_row(found, at); at += down ? 1 : -1) {
    if (!deleted_too && ui_hits_row(found, at)->item->deleted)
      continue;
    ui_hits_go(found, at);
    return ui_hits_current(found);
  }
  return NULL;
}

/* ---- those with a tag */

static guint
count_tagged(const UiBox *box)
{
  guint n = 0;

  for (guint i = 0; i < ui_items_count(box->all); i++)
    n += ui_items_at(box->all, i)->tagged;
  return n;
}

/* The folders that have some; *@n: how many messages. */
static GPtrArray *
tagged_boxes(const UiHits *found, guint *n)
{
  GPtrArray *boxes = g_ptr_array_new();

  *n = 0;
  for (guint i = 0; i < found->boxes->len; i++) {
    guint tagged = count_tagged(found->boxes->pdata[i]);
    *n += tagged;
    if (tagged)
      g_ptr_array_add(boxes, found->boxes->pdata[i]);
  }
  return boxes;
}

/* Folder by folder. */
static void
run_on_each(UiHits *found, const GPtrArray *boxes, const UiBinding *binding)
{
  UiApp *app = found->app;

  for (guint i = 0; i < boxes->len; i++) {
    app->box = boxes->pdata[i];
    app->apply_to_tagged = TRUE;
    binding->run(app);
  }
  app->apply_to_tagged = FALSE;
  ui_hits_go(found, found->cursor);
}

/* The tagged ones of app->box. A folder without an account's name is of their own account. */
static gboolean
file_from(UiApp *app, const char *name, gboolean copy, gboolean do_it)
{
  UiAccount *account;
  g_autofree char *folder = NULL;

  if (!ui_account_split(app, name, &account, &folder))
    return FALSE;
  if (account->folders && !ui_account_folder(account, folder)) {
    ui_app_complain(app, "There is no folder %s in %s.", folder, account->account->name);
    return FALSE;
  }
  if (!do_it)
    return TRUE;
  app->apply_to_tagged = TRUE;
  g_autoptr(GPtrArray) items = ui_box_chosen(app);
  ui_sync_file(app, items, copy, account, folder);
  return TRUE;
}

static void
file_answered(UiApp *app, const char *answer, gboolean copy)
{
  UiHits *found = app->hits;
  guint n;

  if (!answer || !*answer || !found)
    return;
  g_autoptr(GPtrArray) boxes = tagged_boxes(found, &n);
  gboolean ok = TRUE;
  for (guint pass = 0; ok && pass < 2; pass++) /* all is looked at before anything is done */
    for (guint i = 0; ok && i < boxes->len; i++) {
      app->box = boxes->pdata[i];
      ok = file_from(app, answer, copy, pass == 1);
    }
  ui_hits_go(found, found->cursor);
}

static void
move_answered(const char *answer, gpointer data)
{
  file_answered(data, answer, FALSE);
}

static void
copy_answered(const char *answer, gpointer data)
{
  file_answered(data, answer, TRUE);
}

/* @name in names, which end with NULL. */
static gboolean
is_one_of(const char *name, const char *const *names)
{
  return g_strv_contains(names, name);
}

/* What a key does to those of one folder is asked and done with the cursor on one of them. FALSE: that was said. */
static gboolean
go_to_tagged(UiHits *found, const GPtrArray *boxes)
{
  if (boxes->len > 1) {
    ui_app_say(found->app, "The tagged messages lie in %u folders: that works for those of one.", boxes->len);
    return FALSE;
  }
  for (int at = 0; boxes->len && ui_hits_row(found, at); at++)
    if (ui_hits_row(found, at)->box == boxes->pdata[0] && ui_hits_row(found, at)->item->tagged) {
      ui_hits_go(found, at);
      return TRUE;
    }
  ui_app_say(found->app, "No tagged message is among those shown: Esc shows all.");
  return FALSE;
}

/* Behind `;`. FALSE: the key goes its usual way. */
static gboolean
apply(UiHits *found, const UiBinding *binding)
{
  static const char *const each[] = { "flag", "toggle_new", "delete", "undelete", "tag", "archive", NULL };
  static const char *const of_one[] = { "set_flag", "clear_flag",  "address", "reply",  "group_reply", "list_reply",
                                        "forward",  "edit_as_new", "bounce",  "pipe",   NULL };
  UiApp *app = found->app;
  guint n;
  g_autoptr(GPtrArray) boxes = tagged_boxes(found, &n);
  gboolean copy = !strcmp(binding->action, "copy");

  if (is_one_of(binding->action, each))
    run_on_each(found, boxes, binding);
  else if (copy || !strcmp(binding->action, "move")) {
    g_autofree char *question = g_strdup_printf("%s %u message%s to folder", copy ? "Copy" : "Move", n, n == 1 ? "" : "s");
    ui_prompts_ask(app->prompts, UI_PROMPT_LINE, NULL, question, NULL, ui_account_complete,
                   copy ? copy_answered : move_answered, app);
  } else if (is_one_of(binding->action, of_one)) {
    if (go_to_tagged(found, boxes))
      return FALSE;
  } else {
    app->apply_to_tagged = FALSE; /* it is for no messages */
    return ui_hits_key(app, binding);
  }
  app->apply_to_tagged = FALSE;
  return TRUE;
}

static void
begin_apply(UiHits *found)
{
  guint n;

  g_ptr_array_unref(tagged_boxes(found, &n));
  found->app->apply_to_tagged = n > 0;
  if (n)
    ui_app_say(found->app, "%u tagged: which key?", n);
  else
    ui_app_say(found->app, "No message is tagged: t tags one, T those that fit a pattern.");
}

/* ---- patterns */

static void
set_limit(UiHits *found, MlPattern *limit, gpointer words)
{
  ml_pattern_free(found->limit);
  found->limit = limit ? ml_pattern_ref(limit) : NULL;
  g_free(found->limit_words);
  found->limit_words = ui_text_line(words);
  found->refit = TRUE;
  if (limit)
    ui_hits_take_fits(found);
  ui_hits_settle(found, NULL);
  if (limit && !found->shown->len)
    ui_app_say(found->app, "No message fits.");
}

static void
limit_answered(const char *answer, gpointer data)
{
  UiHits *found = ((UiApp *)data)->hits;
  gboolean all = answer && (!*answer || !strcmp(answer, "all") || !strcmp(answer, ".") || !strcmp(answer, "~A"));
  g_autoptr(MlPattern) limit = answer && found && !all ? ui_hits_pattern(found->app, answer) : NULL;

  if (!answer || !found || (!all && !limit))
    return;
  if (limit)
    ui_hits_ask_limit(found, limit, set_limit, g_strdup(answer), g_free);
  else {
    ui_hits_ask_stop(found); /* by the old limit nothing is to be held any more */
    set_limit(found, NULL, (gpointer)answer);
  }
}

typedef enum { TAG, UNTAG, DELETE, UNDELETE } Mark;

static void
mark_asked(UiHits *found, MlPattern *pattern, gpointer data)
{
  Mark mark = (Mark)GPOINTER_TO_INT(data);
  UiApp *app = found->app;
  guint n = 0;

  for (int at = 0; ui_hits_row(found, at); at++) {
    const UiHitsRow *row = ui_hits_row(found, at);
    if (!row->item->found)
      continue;
    if (mark == TAG || mark == UNTAG)
      row->item->tagged = mark == TAG;
    else
      ui_items_set_deleted(row->box->all, row->item, mark == DELETE);
    n++;
  }
  ui_app_dirty(app);
  if (!n)
    ui_app_say(app, "No message fits.");
  else if (mark == DELETE || mark == UNDELETE)
    ui_app_say(app, mark == DELETE ? "%u marked to be deleted: $ does it." : "%u undeleted.", n);
  else
    ui_app_say(app, mark == TAG ? "%u tagged: after ; the next key acts on all tagged ones." : "%u untagged.", n);
}

static void
mark_answered(UiApp *app, const char *answer, Mark mark)
{
  UiHits *found = app->hits;
  g_autoptr(MlPattern) pattern = answer && *answer && found ? ui_hits_pattern(app, answer) : NULL;

  if (pattern)
    ui_hits_ask(found, pattern, mark_asked, GINT_TO_POINTER(mark), NULL);
}

#define ANSWERED(name, mark)                                                                                 \
  static void name(const char *answer, gpointer data) { mark_answered(data, answer, mark); }
ANSWERED(tag_answered, TAG)
ANSWERED(untag_answered, UNTAG)
ANSWERED(delete_answered, DELETE)
ANSWERED(undelete_answered, UNDELETE)

static gboolean
ask_pattern(UiHits *found, const char *action)
{
  static const struct {
    const char *action, *question;
    void (*answered)(const char *answer, gpointer data);
  } asks[] = { { "limit", "Show messages with", limit_answered },
               { "tag_pattern", "Tag messages with", tag_answered },
               { "untag_pattern", "Untag messages with", untag_answered },
               { "delete_pattern", "Delete messages with", delete_answered },
               { "undelete_pattern", "Undelete messages with", undelete_answered } };

  for (guint i = 0; i < G_N_ELEMENTS(asks); i++)
    if (!strcmp(action, asks[i].action)) {
      ui_prompts_ask(found->app->prompts, UI_PROMPT_LINE, NULL, asks[i].question, NULL, NULL, asks[i].answered, found->app);
      return TRUE;
    }
  return FALSE;
}

/* ---- deletions */

guint
ui_hits_pending(UiApp *app, guint *for_good)
{
  guint n = 0;

  *for_good = 0;
  for (guint i = 0; i < app->hits->boxes->len; i++) {
    UiBox *box = app->hits->boxes->pdata[i];
    guint pending = ui_box_count(box, TRUE);
    n += pending;
    *for_good += ui_sync_for_good(box) ? pending : 0;
  }
  return n;
}

void
ui_hits_sync(UiApp *app)
{
  UiHits *found = app->hits;

  for (guint i = 0; i < found->boxes->len; i++) {
    app->box = found->boxes->pdata[i];
    if (ui_box_count(app->box, TRUE))
      ui_sync_run(app, NULL, NULL, NULL);
  }
  ui_hits_go(found, found->cursor);
}

static void
close_found(UiApp *app, gpointer data)
{
  ui_hits_close(app, UI_IN_INDEX);
}

/* ---- keys */

static void
next_unread(UiHits *found)
{
  int n = (int)found->shown->len;
  UiReader *reader = ui_reader_top(found->app);

  if (reader && !reader->box) {
    ui_app_say(found->app, "This message lies inside another: q goes back to it.");
    return;
  }
  for (int i = 1; i <= n; i++) {
    int at = (found->cursor + i) % n;
    const UiItem *item = ui_hits_row(found, at)->item;
    if (item->deleted || item->flags & ML_FLAG_SEEN || (reader && at == found->cursor))
      continue;
    if (at < found->cursor)
      ui_app_say(found->app, "From the beginning.");
    ui_hits_go(found, at);
    if (reader)
      ui_reader_open(found->app, ui_hits_current(found));
    return;
  }
  ui_app_say(found->app, "Nothing unread here.");
}

static gboolean
cancel(UiHits *found)
{
  if (!found->limit || ui_ops_cancel(found->app))
    return FALSE;
  limit_answered("", found->app);
  return TRUE;
}

gboolean
ui_hits_key(UiApp *app, const UiBinding *binding)
{
  static const char *const refused[] = { "sort",          "sort_reverse",    "fold",        "fold_all",
                                         "tag_thread",    "delete_thread",   "undelete_thread", "read_thread",
                                         "cut_thread",    "link_threads",    "jump",        NULL };
  const char *action = binding->action;
  UiContext context = ui_app_top(app)->type->context;
  guint unused;

  app->hits->placed |= app->hits->shown->len > 0;
  if (!(context & (UI_IN_INDEX | UI_IN_READER)))
    return FALSE;
  if (!strcmp(action, "next_unread"))
    next_unread(app->hits);
  else if (context == UI_IN_READER)
    return FALSE;
  else if (app->apply_to_tagged)
    return apply(app->hits, binding);
  else if (is_one_of(action, refused))
    ui_app_say(app, "What a search has found stands newest first, without threads: open the folder for that.");
  else if (!strcmp(action, "leave"))
    ui_sync_pending(app, close_found, NULL, NULL);
  else if (!strcmp(action, "sync") && ui_hits_pending(app, &unused))
    ui_hits_sync(app);
  else if (!strcmp(action, "sync"))
    ui_app_say(app, "Nothing is marked to be deleted.");
  else if (!strcmp(action, "refresh"))
    ui_hits_again(app);
  else if (!strcmp(action, "apply"))
    begin_apply(app->hits);
  else if (!strcmp(action, "cancel"))
    return cancel(app->hits);
  else if (!app->hits->shown->len && is_one_of(action, (const char *const[]){ "open", "flag", "toggle_new", "delete",
           "undelete", "tag", "move", "copy", "archive", "set_flag", "clear_flag", "address", "reply", "group_reply",
           "list_reply", "forward", "bounce", "edit_as_new", "pipe", NULL }))
    ui_app_say(app, "There is no message here.");
  else
    return ask_pattern(app->hits, action);
  return TRUE;
}
