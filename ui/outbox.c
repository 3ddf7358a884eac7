#include <string.h>

#include "ui/compose-private.h"

/* The thread that sends: it waits for the time of the next attempt, or to be told. Its own handle, its own
 * connections; what it has to say comes to the UI thread. */
typedef struct {
  UiApp *app;
  GThread *thread;
  GCancellable *cancellable;
  MlDriverHooks hooks;
  char *folder;
  GPtrArray *leaving; /* of UiLeaving; UI thread */
  GHashTable *said;   /* set of what was said; UI thread */
  UiThen when_idle;   /* UI thread: to be run once nothing of ours is about to leave */
  GMutex lock;
  GCond woken;
  gboolean stop, poked; /* under the lock */
} Outbox;

enum { LONGEST_WAIT = 60 }; /* seconds: clocks are set, laptops sleep */

static void
leaving_free(gpointer data)
{
  UiLeaving *leaving = data;

  ui_composer_unref(leaving->composer);
  g_ptr_array_unref(leaving->ids);
  g_ptr_array_unref(leaving->got);
  g_free(leaving);
}

char *
ui_outbox_folder(const UiApp *app)
{
  return g_build_filename(app->cli->data_dir, "outbox", NULL);
}

GPtrArray *
ui_outbox_leaving(UiApp *app)
{
  return ((Outbox *)app->outbox)->leaving;
}

guint
ui_outbox_waiting(UiApp *app)
{
  const GPtrArray *leaving = ui_outbox_leaving(app);
  guint n = 0;

  for (guint i = 0; i < leaving->len; i++)
    n += !((const UiLeaving *)leaving->pdata[i])->held;
  return n;
}

UiLeaving *
ui_outbox_leaving_of(UiApp *app, const char *id)
{
  Outbox *outbox = app->outbox;

  for (guint i = 0; i < outbox->leaving->len; i++) {
    UiLeaving *leaving = outbox->leaving->pdata[i];
    for (guint j = 0; j < leaving->ids->len; j++)
      if (!strcmp(leaving->ids->pdata[j], id))
        return leaving;
  }
  return NULL;
}

void
ui_outbox_forget(UiApp *app, const char *id)
{
  Outbox *outbox = app->outbox;
  UiLeaving *leaving = ui_outbox_leaving_of(app, id);

  for (guint j = 0; leaving && j < leaving->ids->len; j++)
    if (!strcmp(leaving->ids->pdata[j], id)) {
      g_ptr_array_remove_index(leaving->ids, j);
      break;
    }
  if (leaving && !leaving->ids->len)
    g_ptr_array_remove(outbox->leaving, leaving);
}

/* What the UI thread is told of an entry. */
typedef struct {
  Outbox *outbox;
  char *id, *title, *words;
  char *outcome;    /* some have it, others do not: who, in words; NULL */
  GPtrArray *got;   /* of char *: who has it */
  MlSource *marked; /* what it answers was marked; NULL */
  MlOutboxState state;
} News;

static void
news_free(gpointer data)
{
  News *news = data;

  g_free(news->id);
  g_free(news->title);
  g_free(news->words);
  g_free(news->outcome);
  g_ptr_array_unref(news->got);
  ml_source_free(news->marked);
  g_free(news);
}

/* In the mailbox it has its flag; the open folder may hear of that late, where the server tells nothing by itself. */
static void
show_mark_in(UiBox *box, gpointer data)
{
  const MlSource *source = data;
  gboolean open = !strcmp(box->account->account->name, source->account) &&
                  !strcmp(box->folder, source->folder) && box->uidvalidity == source->uidvalidity;
  UiItem *item = open ? ui_box_by_uid(box, source->uid) : NULL;

  if (item)
    ui_items_set_flags(box->all, item, item->flags | ml_source_flag(source));
}

static void
show_mark(UiApp *app, MlSource *source)
{
  ui_app_each_box(app, show_mark_in, source);
}

static void
say_news(UiApp *app, const News *news, const char *title)
{
  const char *words = news->words ? news->words : "";

  switch (news->state) {
  case ML_OUTBOX_SENT:
    if (news->outcome) {
      ui_app_complain(app, "\"%s\" was %s", title, news->outcome);
      break;
    }
    ui_app_say(app, "Sent: %s", title);
    ui_app_note(app, UI_STYLE_NORMAL, "Sent: %s", title);
    break;
  case ML_OUTBOX_UNSURE:
    ui_app_complain(app, "\"%s\" MAY HAVE BEEN SENT: the line broke before the server's answer. B decides.",
                    title);
    break;
  case ML_OUTBOX_FAILED:
    if (news->outcome)
      ui_app_complain(app, "\"%s\" was %s B shows it.", title, news->outcome);
    else
      ui_app_complain(app, "\"%s\" was NOT SENT: %s%sB shows it.", title, words, *words ? " " : "");
    break;
  case ML_OUTBOX_QUEUED:
    if (news->outcome)
      ui_app_complain(app, "\"%s\" was %s It is tried again for the others.", title, news->outcome);
    else if (*words)
      ui_app_complain(app, "\"%s\" is not sent yet, it is tried again: %s", title, words);
    break;
  case ML_OUTBOX_SENDING:
    break;
  }
}

static void
end_if_idle(Outbox *outbox)
{
  UiApp *app = outbox->app;
  UiThen then = outbox->when_idle;

  if (then && !ui_outbox_waiting(app)) {
    outbox->when_idle = NULL;
    then(app, NULL);
  } else if (!outbox->leaving->len && app->end_with_composer && !app->composers->len && !then)
    ui_app_end(app);
}

static gboolean
on_news(gpointer data)
{
  News *news = data;
  Outbox *outbox = news->outbox;
  UiApp *app = outbox->app;
  UiLeaving *leaving = ui_outbox_leaving_of(app, news->id);
  g_autofree char *title = g_strdup(leaving ? ui_composer_title(leaving->composer) : news->title);
  g_autofree char *sent = g_strdup_printf("%s%d", news->id, ML_OUTBOX_SENT);
  g_autofree char *saying =
      g_strdup_printf("%s%d %s %s", news->id, news->state, news->words ? news->words : "",
                      news->outcome ? news->outcome : "");

  /* Each thing once; that it was sent before the news of its copy. */
  if (g_hash_table_add(outbox->said, g_steal_pointer(&saying))) {
    if (news->state != ML_OUTBOX_SENT || g_hash_table_add(outbox->said, g_steal_pointer(&sent)))
      say_news(app, news, title);
    else if (news->words)
      ui_app_complain(app, "The copy of \"%s\" for the Sent folder is not stored yet: %s", title,
                      news->words);
  }
  for (guint i = 0; leaving && i < news->got->len; i++)
    if (!g_ptr_array_find_with_equal_func(leaving->got, news->got->pdata[i], g_str_equal, NULL))
      g_ptr_array_add(leaving->got, g_strdup(news->got->pdata[i]));
  if (leaving)
    leaving->held = news->state == ML_OUTBOX_FAILED || news->state == ML_OUTBOX_UNSURE;
  if (news->marked)
    show_mark(app, news->marked);
  if (leaving && (news->state == ML_OUTBOX_SENT || (news->state == ML_OUTBOX_FAILED && news->got->len))) {
    ui_addresses_sent(app, leaving->composer->draft);
    ui_outbox_forget(app, news->id);
  } else if (news->state == ML_OUTBOX_FAILED || news->state == ML_OUTBOX_UNSURE ||
             (news->state == ML_OUTBOX_QUEUED && news->words))
    outbox->when_idle = NULL; /* it is not to be left unseen */
  end_if_idle(outbox);
  ui_outbox_view_refresh(app);
  ui_app_dirty(app);
  return G_SOURCE_REMOVE;
}

/* On the outbox's thread. */
static void
on_entry(const MlOutboxEntry *entry, gpointer data)
{
  News *news = g_new0(News, 1);

  *news = (News){ .outbox = data,
                  .id = g_strdup(entry->id),
                  .title = g_strdup(entry->subject && *entry->subject ? entry->subject : "(no subject)"),
                  .words = g_strdup(entry->words),
                  .outcome = ml_outbox_outcome(entry),
                  .got = g_ptr_array_new_with_free_func(g_free),
                  .marked = entry->mark_due ? NULL : ml_source_copy(entry->source),
                  .state = entry->state };
  for (guint i = 0; i < entry->recipients->len; i++) {
    const MlOutboxRecipient *recipient = entry->recipients->pdata[i];
    if (recipient->state == ML_RCPT_SENT)
      g_ptr_array_add(news->got, g_strdup(recipient->address));
  }
  g_idle_add_full(G_PRIORITY_DEFAULT, on_news, news, news_free);
}

static gint64
flush(Outbox *outbox, MlOutbox *handle, char **last_error)
{
  g_autoptr(GError) error = NULL;
  gint64 next =
      ml_outbox_flush(handle, outbox->app->config, &outbox->hooks, g_get_real_time() / G_USEC_PER_SEC,
                      on_entry, outbox, outbox->cancellable, &error);

  if (error && g_strcmp0(*last_error, error->message) != 0 &&
      !g_cancellable_is_cancelled(outbox->cancellable)) {
    g_free(*last_error);
    *last_error = g_strdup(error->message);
    g_message("%s", error->message);
  }
  return next;
}

/* Until it is poked, stopped, or @next has come. FALSE: stopped. */
static gboolean
wait_for(Outbox *outbox, gint64 next)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  gint64 seconds = next > 0 ? CLAMP(next - now, 0, LONGEST_WAIT) : LONGEST_WAIT;
  gint64 end = g_get_monotonic_time() + MAX(seconds * G_USEC_PER_SEC, G_USEC_PER_SEC / 4);

  g_mutex_lock(&outbox->lock);
  while (!outbox->stop && !outbox->poked && g_cond_wait_until(&outbox->woken, &outbox->lock, end))
    ;
  outbox->poked = FALSE;
  gboolean go_on = !outbox->stop;
  g_mutex_unlock(&outbox->lock);
  return go_on;
}

static gpointer
run(gpointer data)
{
  Outbox *outbox = data;
  g_autoptr(GError) error = NULL;
  g_autoptr(MlOutbox) handle = ml_outbox_open(outbox->folder, &error);
  g_autofree char *last_error = NULL;

  if (!handle) {
    g_message("The outbox cannot be opened: %s", error->message);
    return NULL;
  }
  gint64 next;
  do
    next = flush(outbox, handle, &last_error);
  while (wait_for(outbox, next));
  return NULL;
}

/* What an earlier run left behind. */
typedef struct {
  char *folder;
  guint waiting, failed, unsure;
} Left;

static void
run_left(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Left *left = data;
  g_autoptr(MlOutbox) outbox = ml_outbox_open(left->folder, NULL);
  g_autoptr(GPtrArray) entries = outbox ? ml_outbox_list(outbox, NULL) : NULL;

  for (guint i = 0; entries && i < entries->len; i++) {
    const MlOutboxEntry *entry = entries->pdata[i];
    left->waiting += entry->state == ML_OUTBOX_QUEUED;
    left->failed += entry->state == ML_OUTBOX_FAILED;
    left->unsure += entry->state == ML_OUTBOX_UNSURE;
  }
}

static void
left_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Left *left = data;

  if (left->unsure)
    ui_app_complain(app, "%u message%s MAY HAVE BEEN SENT when signet ended last: B decides what to do.",
                    left->unsure, left->unsure == 1 ? "" : "s");
  else if (left->failed)
    ui_app_complain(app, "%u message%s could not be sent: B shows why.", left->failed,
                    left->failed == 1 ? "" : "s");
  else if (left->waiting)
    ui_app_say(app, "%u message%s in the outbox from last time: B shows %s.", left->waiting,
               left->waiting == 1 ? "" : "s", left->waiting == 1 ? "it" : "them");
  g_free(left->folder);
  g_free(left);
  if (app->cli->offline)
    return;
  Outbox *outbox = app->outbox;
  if (!app->ending)
    outbox->thread = g_thread_new("outbox", run, outbox);
}

void
ui_outbox_start(UiApp *app)
{
  Outbox *outbox = g_new0(Outbox, 1);

  outbox->app = app;
  outbox->cancellable = g_cancellable_new();
  outbox->folder = ui_outbox_folder(app);
  outbox->leaving = g_ptr_array_new_with_free_func(leaving_free);
  outbox->said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  outbox->hooks.state_dir = app->cli->state_dir;
  ui_ask_hooks(app, &outbox->hooks);
  g_mutex_init(&outbox->lock);
  g_cond_init(&outbox->woken);
  app->outbox = outbox;
  Left *left = g_new0(Left, 1);
  left->folder = ui_outbox_folder(app);
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Looking into the outbox", run_left, left_done, left);
}

void
ui_outbox_stop(UiApp *app)
{
  Outbox *outbox = app->outbox;

  if (!outbox)
    return;
  g_cancellable_cancel(outbox->cancellable);
  g_mutex_lock(&outbox->lock);
  outbox->stop = TRUE;
  g_cond_broadcast(&outbox->woken);
  g_mutex_unlock(&outbox->lock);
  if (outbox->thread)
    g_thread_join(g_steal_pointer(&outbox->thread));
}

void
ui_outbox_free(UiApp *app)
{
  Outbox *outbox = g_steal_pointer(&app->outbox);

  if (!outbox)
    return;
  g_ptr_array_unref(outbox->leaving);
  g_hash_table_unref(outbox->said);
  g_object_unref(outbox->cancellable);
  g_free(outbox->folder);
  g_mutex_clear(&outbox->lock);
  g_cond_clear(&outbox->woken);
  g_free(outbox);
}

void
ui_outbox_poke(UiApp *app)
{
  Outbox *outbox = app->outbox;

  g_mutex_lock(&outbox->lock);
  outbox->poked = TRUE;
  g_cond_broadcast(&outbox->woken);
  g_mutex_unlock(&outbox->lock);
}

void
ui_outbox_queued(UiComposer *composer, GPtrArray *ids, gint64 due)
{
  UiApp *app = composer->app;
  Outbox *outbox = app->outbox;
  UiLeaving *leaving = g_new(UiLeaving, 1);

  *leaving = (UiLeaving){ .composer = ui_composer_ref(composer),
                          .ids = ids,
                          .got = g_ptr_array_new_with_free_func(g_free),
                          .due = due };
  g_ptr_array_add(outbox->leaving, leaving);
  ui_drafts_forget(composer);
  ui_composer_close(composer);
  ui_outbox_poke(app);
  ui_app_tick(app);
  if (due <= g_get_real_time() / G_USEC_PER_SEC)
    ui_app_say(app, "Queued.");
}

char *
ui_outbox_words(UiApp *app)
{
  Outbox *outbox = app->outbox;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;

  for (guint i = outbox ? outbox->leaving->len : 0; i-- > 0;) {
    const UiLeaving *leaving = outbox->leaving->pdata[i];
    if (leaving->due <= now)
      continue;
    g_autofree char *title = ui_text_line(ui_composer_title(leaving->composer)),
                    *cut = ui_text_cut(title, 36);
    return g_strdup_printf("Queued: \"%s\" leaves in %d s. Ctrl-U takes it back.", g_strchomp(cut),
                           (int)(leaving->due - now));
  }
  return NULL;
}

/* Sends what this run has queued without its delay, then goes on with @then. */
typedef struct {
  char *folder;
  GPtrArray *ids;
  GError *error;
} Hurry;

static void
run_hurry(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Hurry *hurry = data;
  g_autoptr(MlOutbox) outbox = ml_outbox_open(hurry->folder, &hurry->error);

  for (guint i = 0; outbox && i < hurry->ids->len; i++) {
    g_autoptr(GError) error = NULL;
    if (!ml_outbox_retry(outbox, hurry->ids->pdata[i], &error))
      g_message("%s", error->message); /* it has just left by itself */
  }
}

static void
hurry_done(UiApp *app, gboolean cancelled, gpointer data)
{
  Hurry *hurry = data;

  if (hurry->error)
    ui_app_error(app, hurry->error);
  ui_outbox_poke(app);
  g_ptr_array_unref(hurry->ids);
  g_clear_error(&hurry->error);
  g_free(hurry->folder);
  g_free(hurry);
}

void
ui_outbox_send_now(UiApp *app, UiThen then)
{
  Outbox *outbox = app->outbox;
  Hurry *hurry = g_new0(Hurry, 1);

  outbox->when_idle = then;
  hurry->folder = ui_outbox_folder(app);
  hurry->ids = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < outbox->leaving->len; i++) {
    UiLeaving *leaving = outbox->leaving->pdata[i];
    leaving->due = 0;
    for (guint j = 0; j < leaving->ids->len; j++)
      g_ptr_array_add(hurry->ids, g_strdup(leaving->ids->pdata[j]));
  }
  ui_app_say(app, "Sending; signet ends when it is done.");
  ui_ops_job(app, CRYPTO_JOB_VERIFY, "Sending", run_hurry, hurry_done, hurry);
}
