#include <string.h>

#include "ui/compose-private.h"

/* B: what is on its way, and what did not get there. */
typedef struct {
  UiApp *app;
  GPtrArray *entries; /* of MlOutboxEntry */
} Shown;

typedef enum { LIST, RETRY } Act;
typedef struct {
  Act act;
  char *folder, *id;
  GPtrArray *entries;
  GError *error;
} Job;

static void
shown_free(gpointer data)
{
  Shown *shown = data;

  g_ptr_array_unref(shown->entries);
  g_free(shown);
}

static const char *
state_words(const MlOutboxEntry *entry, gint64 now)
{
  switch (entry->state) {
  case ML_OUTBOX_QUEUED:
    return entry->words ? "tried again" : entry->due > now ? "waits" : "queued";
  case ML_OUTBOX_SENDING:
    return "sending";
  case ML_OUTBOX_UNSURE:
    return "UNSURE";
  case ML_OUTBOX_FAILED:
    return ml_outbox_is_partial(entry) ? "SENT TO SOME" : "NOT SENT";
  case ML_OUTBOX_SENT:
    return "sent";
  }
  return "";
}

static void
fill(UiList *list)
{
  Shown *shown = list->data;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;

  ui_list_clear(list);
  for (guint i = 0; i < shown->entries->len; i++) {
    const MlOutboxEntry *entry = shown->entries->pdata[i];
    const MlOutboxRecipient *first = entry->recipients->len ? entry->recipients->pdata[0] : NULL;
    g_autofree char *outcome = ml_outbox_outcome(entry);
    gboolean bad = entry->state == ML_OUTBOX_FAILED || entry->state == ML_OUTBOX_UNSURE;
    g_autofree char *date = ui_text_date(entry->queued, now, 9),
                    *to = ui_text_line(first ? first->address : "");
    g_autofree char *fit = ui_text_fit(to, 26);
    UiListRow *row = ui_list_add(list, bad ? UI_STYLE_WARN : UI_STYLE_NORMAL, " %-12s %-9s %s%s %s",
                                 state_words(entry, now), date, fit, entry->recipients->len > 1 ? "+" : " ",
                                 entry->subject ? entry->subject : "");
    if (entry->state == ML_OUTBOX_UNSURE)
      ui_list_more(
          row,
          "It may have arrived. r sends it again, perhaps twice; D gives it up. Ask the recipient first.");
    else if (entry->state == ML_OUTBOX_SENT && entry->copy_due)
      ui_list_more(row, entry->words ? entry->words : "Only its copy for the Sent folder is not stored yet.");
    else if (entry->state == ML_OUTBOX_SENT && entry->mark_due)
      ui_list_more(row, "Only the mark on the message that it answers is still to be set.");
    else if (outcome)
      ui_list_more(row, outcome);
    else
      ui_list_more(row, entry->words);
  }
}

static void
show_entry(UiApp *app, UiList *list, guint index)
{
  static const char *const states[] = { "due", "sent", "REFUSED" };
  const MlOutboxEntry *entry = ((Shown *)list->data)->entries->pdata[index];
  UiPane *pane = ui_pane_new(UI_IN_TEXT, "a message in the outbox", "A message in the outbox");
  UiPager *pager = &pane->pager;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autofree char *size = ui_text_size(entry->size), *outcome = ml_outbox_outcome(entry);

  ui_pager_add_format(pager, UI_STYLE_NORMAL, "Subject:  %s", entry->subject ? entry->subject : "");
  ui_pager_add_format(pager, UI_STYLE_NORMAL, "Account:  %s", entry->account);
  ui_pager_add_format(pager, UI_STYLE_NORMAL, "Size:     %s", size);
  ui_pager_add_format(pager, UI_STYLE_NORMAL, "State:    %s, tried %u time%s", state_words(entry, now),
                      entry->attempts, entry->attempts == 1 ? "" : "s");
  if (entry->state == ML_OUTBOX_QUEUED && entry->due > now)
    ui_pager_add_format(pager, UI_STYLE_NORMAL, "Next try: in %d s", (int)(entry->due - now));
  if (outcome)
    ui_pager_add_format(pager, UI_STYLE_WARN, "%s", outcome)->indent = 2;
  if (entry->words && g_strcmp0(entry->words, outcome))
    ui_pager_add_format(pager, UI_STYLE_WARN, "%s", entry->words)->indent = 2;
  ui_pager_add(pager, UI_STYLE_NORMAL, "");
  for (guint i = 0; i < entry->recipients->len; i++) {
    const MlOutboxRecipient *recipient = entry->recipients->pdata[i];
    UiLine *line =
        ui_pager_add_format(pager, recipient->state == ML_RCPT_REFUSED ? UI_STYLE_WARN : UI_STYLE_NORMAL,
                            "%-8s %s%s%s", states[recipient->state], recipient->address,
                            recipient->words ? ": " : "", recipient->words ? recipient->words : "");
    line->indent = 9;
  }
  ui_app_push(app, &pane->view);
}

static void
run_job(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Job *job = data;
  g_autoptr(MlOutbox) outbox = ml_outbox_open(job->folder, &job->error);

  if (!outbox || (job->act == RETRY && !ml_outbox_retry(outbox, job->id, &job->error)))
    return;
  job->entries = ml_outbox_list(outbox, &job->error);
}

static UiList *
view_of(UiApp *app)
{
  return (UiList *)ui_app_view(app, UI_IN_OUTBOX);
}

static void
job_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Job *job = data;
  UiList *list = view_of(app);

  if (job->error)
    ui_app_error(app, job->error);
  if (list && job->entries) {
    Shown *shown = list->data;
    g_ptr_array_unref(shown->entries);
    shown->entries = g_steal_pointer(&job->entries);
    fill(list);
  }
  if (job->act == RETRY && !job->error)
    ui_outbox_poke(app);
  if (job->entries)
    g_ptr_array_unref(job->entries);
  g_clear_error(&job->error);
  g_free(job->folder);
  g_free(job->id);
  g_free(job);
}

static void
start_job(UiApp *app, Act act, const char *id)
{
  Job *job = g_new0(Job, 1);

  job->act = act;
  job->folder = ui_outbox_folder(app);
  job->id = g_strdup(id);
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Looking into the outbox", run_job, job_done, job);
}

void
ui_outbox_view_refresh(UiApp *app)
{
  if (view_of(app))
    start_job(app, LIST, NULL);
}

void
ui_action_outbox(UiApp *app)
{
  Shown *shown = g_new0(Shown, 1);

  if (view_of(app))
    ui_app_pop_to(app, UI_IN_INDEX);
  UiList *list = ui_list_new(UI_IN_OUTBOX, "the outbox", "Outbox",
                             "Enter recipients  r send now  D take back and edit  q back  ? help");
  shown->app = app;
  shown->entries = g_ptr_array_new();
  list->data = shown;
  list->free_data = shown_free;
  list->open = show_entry;
  list->empty = "Nothing is on its way.";
  ui_app_push(app, &list->view);
  start_job(app, LIST, NULL);
}

static const MlOutboxEntry *
current(UiApp *app)
{
  UiList *list = view_of(app);
  Shown *shown = list ? list->data : NULL;

  return shown && list->cursor < (int)shown->entries->len ? shown->entries->pdata[list->cursor] : NULL;
}

typedef struct {
  UiApp *app;
  char *id;
} Retry;

static void
retry_answered(const char *answer, gpointer data)
{
  g_autofree Retry *retry = data;
  g_autofree char *id = retry->id;

  if (answer && *answer == 'y')
    start_job(retry->app, RETRY, id);
}

void
ui_action_outbox_retry(UiApp *app)
{
  const MlOutboxEntry *entry = current(app);

  if (!entry)
    return;
  if (entry->state != ML_OUTBOX_UNSURE) {
    start_job(app, RETRY, entry->id);
    return;
  }
  Retry *retry = g_new(Retry, 1);
  *retry = (Retry){ app, g_strdup(entry->id) };
  const char *explanation[] = { "It may have arrived already: they would get it twice.", NULL };
  ui_prompts_ask(app->prompts, UI_PROMPT_YES_NO, explanation, "Send it again", NULL, NULL, retry_answered,
                 retry);
}

void
ui_action_outbox_cancel(UiApp *app)
{
  const MlOutboxEntry *entry = current(app);

  if (entry)
    ui_outbox_take_back(app, entry->id);
}
