#include <string.h>

#include "ui/verdicts-private.h"

/* Marks in the list for messages that nobody has opened in this run: judged behind the screen, out of what is kept here,
 * without a key, a question or the network; the rows in sight first. A mark rests on ml_message_standing(): when that
 * word is another one, whoever changed what, every mark goes back to the hint until it is judged again. */
enum {
  FILES = 8,                      /* the same of mail on this machine, which comes by the worker */
  SCAN = 2000,                    /* items looked at for one step */
  REST_US = 250000,               /* since the last key */
  SOON_MS = 100, NEXT_MS = 2, LIMIT_MS = 100,
  LONGEST_S = 3600,
};

typedef UiVerdicts Verdicts;
typedef UiVerdictsStep Step;
typedef UiVerdictsMail Mail;

static void
mail_free(gpointer data)
{
  Mail *mail = data;
  g_free(mail->from);
  g_free(mail->subject);
  g_free(mail->digest);
  g_clear_pointer(&mail->bytes, g_bytes_unref);
  g_free(mail);
}

static void
step_free(Step *step)
{
  g_free(step->directory);
  g_free(step->folder);
  g_free(step->was);
  g_free(step->standing);
  g_array_unref(step->uids);
  g_ptr_array_unref(step->mail);
  g_array_unref(step->found);
  g_free(step);
}

/* --- marks */

/* An item has the number of its mark: there are few different ones, whatever the mailbox. */
static UiMark marks_known[64];
static guint known = 1; /* 0: none */

const UiMark *
ui_verdicts_mark(const UiItem *item)
{
  return &marks_known[item->mark];
}

/* 0 where there is no more room, which is a mark that says nothing. */
static guint
number_of(const char *words, UiStyle style, MlPatternVerdict verdict)
{
  UiMark mark = { .style = style, .verdict = verdict };

  g_strlcpy(mark.words, words, sizeof mark.words);
  for (guint i = 0; i < known; i++)
    if (!strcmp(marks_known[i].words, mark.words) && marks_known[i].style == style && marks_known[i].verdict == verdict)
      return i;
  if (known == G_N_ELEMENTS(marks_known))
    return 0;
  marks_known[known] = mark;
  return known++;
}

static gint64
end_of(const UiBox *box, const UiItem *item)
{
  guint until = GPOINTER_TO_UINT(g_hash_table_lookup(box->until, GUINT_TO_POINTER(item->uid)));

  return until ? until : G_MAXINT64;
}

static void
set_mark(Verdicts *verdicts, UiBox *box, UiItem *item, MlMark mark, const char *words, gint64 until)
{
  static const UiMark marks[] = {
    [ML_MARK_UNJUDGED] = { "", UI_STYLE_NORMAL, ML_PATTERN_UNJUDGED },
    [ML_MARK_UNSIGNED] = { "", UI_STYLE_NORMAL, ML_PATTERN_NEITHER },
    [ML_MARK_GOOD] = { "S+", UI_STYLE_GOOD, ML_PATTERN_GOOD },
    [ML_MARK_WARN] = { "S?", UI_STYLE_WARN, ML_PATTERN_WARN },
    [ML_MARK_BAD] = { "S!", UI_STYLE_BAD, ML_PATTERN_BAD },
    [ML_MARK_CLOSED] = { "E", UI_STYLE_NORMAL, ML_PATTERN_UNJUDGED },
  };
  item->mark = number_of(words ? words : marks[mark].words, marks[mark].style, marks[mark].verdict);
  item->judged = mark != ML_MARK_UNJUDGED;
  if (until < G_MAXUINT32)
    g_hash_table_insert(box->until, GUINT_TO_POINTER(item->uid), GUINT_TO_POINTER((guint)MAX(until, 1)));
  else
    g_hash_table_remove(box->until, GUINT_TO_POINTER(item->uid));
  verdicts->expires = MIN(verdicts->expires, until);
}

/* Back to the hint, until it is judged again. */
void
ui_verdicts_forget_item(UiBox *box, UiItem *item)
{
  item->mark = 0;
  item->judged = item->tried = FALSE;
  g_hash_table_remove(box->until, GUINT_TO_POINTER(item->uid));
}

typedef struct {
  Verdicts *verdicts;
  gint64 now;
  gboolean all, any;
} Forgetting;

static void
forget_in(UiBox *box, gpointer data)
{
  Forgetting *forgetting = data;
  Verdicts *verdicts = forgetting->verdicts;
  for (guint i = 0; i < ui_items_count(box->all); i++) {
    UiItem *item = ui_items_at(box->all, i);
    if (forgetting->all || (item->judged && end_of(box, item) < forgetting->now)) {
      ui_verdicts_forget_item(box, item);
      forgetting->any = TRUE;
    }
    if (item->judged)
      verdicts->expires = MIN(verdicts->expires, end_of(box, item));
  }
}

static gboolean
forget_expired(Verdicts *verdicts, gboolean all)
{
  Forgetting forgetting = { verdicts, g_get_real_time() / G_USEC_PER_SEC, all, FALSE };
  verdicts->expires = G_MAXINT64;
  ui_app_each_box(verdicts->app, forget_in, &forgetting); /* what is not shown now, too */
  gboolean any = forgetting.any;
  if (any || all) {
    verdicts->below = verdicts->at = 0;
    verdicts->through = FALSE;
    ui_app_dirty(verdicts->app);
  }
  return any;
}

static gboolean
on_expiry(gpointer data)
{
  Verdicts *verdicts = data;
  verdicts->expiry_source = 0;
  (void)forget_expired(verdicts, FALSE);
  ui_verdicts_kick(verdicts->app);
  return G_SOURCE_REMOVE;
}

/* The clock of the day may be set, and does not stop with the machine: ui_verdicts_drawn() looks too. */
static void
watch_expiry(Verdicts *verdicts)
{
  gint64 left = verdicts->expires - g_get_real_time() / G_USEC_PER_SEC + 1;
  if (verdicts->expiry_source)
    g_source_remove(verdicts->expiry_source);
  verdicts->expiry_source =
      verdicts->expires == G_MAXINT64 ? 0 : g_timeout_add_seconds((guint)CLAMP(left, 1, LONGEST_S), on_expiry, verdicts);
}

/* TRUE: what is on the screen rests on something else; nothing of the step counts. */
static gboolean
is_another(Verdicts *verdicts, const char *standing)
{
  gboolean another = verdicts->standing && strcmp(verdicts->standing, standing) != 0;
  if (!verdicts->standing || another) {
    g_free(verdicts->standing);
    verdicts->standing = g_strdup(standing);
  }
  if (!another)
    return FALSE;
  (void)forget_expired(verdicts, TRUE);
  verdicts->loaded = FALSE;
  return TRUE;
}

static void
take_found(Verdicts *verdicts, const Step *step)
{
  UiBox *box = verdicts->app->box;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  for (guint i = 0; i < step->found->len; i++) {
    const MlStoreVerdict *one = &g_array_index(step->found, MlStoreVerdict, i);
    UiItem *item = ui_box_by_uid(box, one->uid);
    if (!item)
      continue;
    item->tried = TRUE;
    if (item->judged || one->until < now)
      continue;
    set_mark(verdicts, box, item, one->mark, NULL, one->until);
    ui_app_dirty(verdicts->app);
  }
  for (guint i = 0; i < step->mail->len; i++) {
    UiItem *item = ui_box_by_uid(box, ((const Mail *)step->mail->pdata[i])->uid);
    if (item)
      item->tried = TRUE; /* one that could not be read, too */
  }
  if (step->found->len)
    watch_expiry(verdicts);
}

/* --- steps */

static gboolean on_time(gpointer data);

static void
arm(Verdicts *verdicts, guint ms)
{
  if (!verdicts->source && !verdicts->running && !verdicts->app->ending)
    verdicts->source = g_timeout_add_full(G_PRIORITY_LOW, ms, on_time, verdicts, NULL);
}

static void
done(UiApp *app, gboolean cancelled, gpointer data)
{
  Step *step = data;
  Verdicts *verdicts = step->verdicts;
  verdicts->running = FALSE;
  gboolean again = cancelled || !step->standing; /* it gave way */
  if (!cancelled && step->standing) {
    again = is_another(verdicts, step->standing);
    if (!again && step->serial == verdicts->serial && app->box && app->box->uidvalidity == step->uidvalidity) {
      take_found(verdicts, step);
      verdicts->loaded = TRUE;
      verdicts->below = step->range ? step->below : verdicts->below;
      verdicts->through |= step->through;
      again = step->more || step->mail->len;
    } else {
      again = TRUE;
    }
  }
  step_free(step);
  if (again || verdicts->changed)
    arm(verdicts, NEXT_MS);
}

static Step *
step_new(Verdicts *verdicts)
{
  UiBox *box = verdicts->app->box;
  Step *step = g_new0(Step, 1);
  step->verdicts = verdicts;
  step->serial = verdicts->serial;
  step->account = box->account->account;
  step->directory = g_strdup(box->account->store_dir);
  step->folder = g_strdup(box->folder);
  step->was = g_strdup(verdicts->standing);
  step->uidvalidity = box->uidvalidity;
  step->below = verdicts->below;
  step->load = !verdicts->loaded;
  step->range = !verdicts->through;
  step->uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  step->mail = g_ptr_array_new_with_free_func(mail_free);
  step->found = g_array_new(FALSE, TRUE, sizeof(MlStoreVerdict));
  return step;
}

static void
post(Verdicts *verdicts, Step *step)
{
  verdicts->running = TRUE;
  verdicts->changed = FALSE; /* the step looks at it after this */
  ui_ops_job_unseen(verdicts->app, CRYPTO_JOB_VERIFY, ui_verdicts_run, done, step);
}

static gboolean
is_wanted(const UiItem *item)
{
  return !item->judged && !item->tried && item->hints & ML_HINT_SIGNED && !item->large;
}

/* --- mail on this machine: the worker reads it */

static void
gathered(Verdicts *verdicts)
{
  if (!verdicts->gathering || --verdicts->awaited)
    return;
  Step *step = verdicts->gathering;
  verdicts->gathering = NULL;
  post(verdicts, step);
}

static void
on_mail(UiApp *app, MlEvent *event, gpointer data)
{
  Mail *mail = data;
  (void)app;
  g_clear_pointer(&mail->bytes, g_bytes_unref);
  mail->bytes = g_steal_pointer(&event->bytes);
  mail->received = event->received ? event->received : mail->received;
}

static void
on_fetched(UiApp *app, const GError *error, gpointer data)
{
  (void)error; /* it stays without a mark */
  (void)data;
  gathered(app->verdicts);
}

static void
gather(Verdicts *verdicts, Step *step, const UiItem *item)
{
  UiBox *box = verdicts->app->box;
  Mail *mail = g_new0(Mail, 1);
  mail->uid = item->uid;
  const MlHeader *header = ui_box_header(box, item);
  mail->received = header->received;
  mail->from = g_strdup(header->from);
  mail->subject = g_strdup(header->subject);
  g_ptr_array_add(step->mail, mail);
  verdicts->awaited++;
  UiOp *op = ui_ops_command(verdicts->app, box->account, ml_worker_fetch(box->account->worker, box->folder, item->uid), "");
  op->silent = TRUE;
  op->event = on_mail;
  op->finished = on_fetched;
  op->data = mail;
}

static void
gather_all(Verdicts *verdicts, Step *step, const GPtrArray *wanted)
{
  if (!wanted->len) {
    post(verdicts, step); /* what it rests on is looked at */
    return;
  }
  verdicts->running = TRUE;
  verdicts->gathering = step;
  verdicts->awaited = 1; /* until all are asked for */
  for (guint i = 0; i < wanted->len; i++)
    gather(verdicts, step, wanted->pdata[i]);
  gathered(verdicts);
}

static void
on_change(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, gpointer data)
{
  Verdicts *verdicts = data;
  verdicts->changed = TRUE;
  arm(verdicts, SOON_MS);
}

/* Lines of the screen's list, @last first. A step is of one folder: what a search found in others waits for the cursor. */
static void
choose_between(const UiApp *app, GPtrArray *wanted, guint most, int first, int last)
{
  UiBox *box;
  for (int line = last; line >= MAX(first, 0) && wanted->len < most; line--) {
    UiItem *item = ui_window_item(app, line, &box);
    if (item && box == app->box && is_wanted(item))
      g_ptr_array_add(wanted, item);
  }
}

/* In sight, then the pages beside it, then from the newest on. */
static void
choose(Verdicts *verdicts, GPtrArray *wanted, guint most, gboolean rest)
{
  const UiApp *app = verdicts->app;
  const UiBox *box = app->box;
  const UiWindow *window = ui_window(app);
  int top = window->top, below = top + window->rows;
  choose_between(app, wanted, most, top, below - 1);
  choose_between(app, wanted, most, below, below + window->rows - 1);
  choose_between(app, wanted, most, top - window->rows, top - 1);
  for (guint looked = 0; rest && verdicts->at < ui_items_count(box->all) && looked < SCAN && wanted->len < most;
       verdicts->at++, looked++)
    if (is_wanted(ui_items_at(box->all, verdicts->at)) && !g_ptr_array_find(wanted, ui_items_at(box->all, verdicts->at), NULL))
      g_ptr_array_add(wanted, ui_items_at(box->all, verdicts->at));
}

static void
begin(Verdicts *verdicts)
{
  UiBox *box = verdicts->app->box;
  gboolean server = box->account->account->kind == ML_ACCOUNT_IMAP, rest = !server && !box->loading;
  g_autoptr(GPtrArray) wanted = g_ptr_array_new();
  if (verdicts->loaded_early && !box->loading)
    verdicts->loaded = verdicts->loaded_early = FALSE;
  if (server || verdicts->loaded)
    choose(verdicts, wanted, server ? UI_VERDICTS_BATCH : FILES, rest);
  else
    verdicts->loaded_early = box->loading;
  if (!wanted->len && !verdicts->changed && verdicts->loaded && (!server || verdicts->through)) {
    if (rest && verdicts->at < ui_items_count(box->all))
      arm(verdicts, NEXT_MS);
    return;
  }
  Step *step = step_new(verdicts);
  if (!server) {
    gather_all(verdicts, step, wanted);
    return;
  }
  for (guint i = 0; i < wanted->len; i++)
    g_array_append_val(step->uids, ((const UiItem *)wanted->pdata[i])->uid);
  post(verdicts, step);
}

/* Only folders that are there: GIO looks again and again for one that is not. */
static void
watch(Verdicts *verdicts, guint which, const char *path)
{
  g_autoptr(GFile) file = g_file_new_for_path(path);
  GFileMonitor *monitor = !verdicts->monitors[which] && g_file_test(path, G_FILE_TEST_IS_DIR)
                              ? g_file_monitor_directory(file, G_FILE_MONITOR_NONE, NULL, NULL)
                              : NULL;
  if (!monitor)
    return;
  g_file_monitor_set_rate_limit(monitor, LIMIT_MS);
  g_signal_connect(monitor, "changed", G_CALLBACK(on_change), verdicts);
  verdicts->monitors[which] = monitor;
}

/* The database may have been made since. */
static void
watch_all(Verdicts *verdicts)
{
  const UiCli *cli = verdicts->app->cli;
  g_autofree char *answers = g_build_filename(cli->cache_dir, "revocation", NULL);
  watch(verdicts, 0, cli->nssdb);
  watch(verdicts, 1, answers);
  verdicts->changed |= !verdicts->monitors[0] || !verdicts->monitors[1];
}

static gboolean
on_time(gpointer data)
{
  Verdicts *verdicts = data;
  UiApp *app = verdicts->app;
  verdicts->source = 0;
  if (app->ending || !app->box || !app->box->uidvalidity)
    return G_SOURCE_REMOVE;
  if (g_get_monotonic_time() - app->last_touch < REST_US)
    arm(verdicts, REST_US / 1000);
  else if (!verdicts->running) {
    watch_all(verdicts);
    begin(verdicts);
  }
  return G_SOURCE_REMOVE;
}

/* --- from outside */

void
ui_verdicts_kick(UiApp *app)
{
  if (app->verdicts)
    arm(app->verdicts, SOON_MS);
}

void
ui_verdicts_more(UiApp *app)
{
  Verdicts *verdicts = app->verdicts;
  if (!verdicts)
    return;
  verdicts->through = FALSE;
  verdicts->below = verdicts->at = 0;
  ui_verdicts_kick(app);
}

/* "SE+" speaks of a Subject that lay in the ciphertext: beside the one outside, which anybody can have written, it would
 * be a word for that. */
static void
forget_opened_in(UiBox *box, gpointer any)
{
  for (guint i = 0; i < ui_items_count(box->all); i++) {
    UiItem *item = ui_items_at(box->all, i);
    const char *words = ui_verdicts_mark(item)->words;
    if (!item->judged || !strchr(words, 'E') || !words[1]) /* "E" alone: it was not opened */
      continue;
    ui_verdicts_forget_item(box, item);
    *(gboolean *)any = TRUE;
  }
}

void
ui_verdicts_forget_opened(UiApp *app)
{
  gboolean any = FALSE;
  if (app->verdicts)
    ui_app_each_box(app, forget_opened_in, &any);
  if (any)
    ui_verdicts_more(app);
}

void
ui_verdicts_folder(UiApp *app)
{
  Verdicts *verdicts = app->verdicts;
  if (!verdicts)
    return;
  verdicts->serial++;
  verdicts->loaded = verdicts->through = FALSE;
  verdicts->below = verdicts->at = 0;
  ui_verdicts_kick(app);
}

void
ui_verdicts_drawn(UiApp *app)
{
  Verdicts *verdicts = app->verdicts;
  UiBox *box = app->box;
  if (!verdicts || !box)
    return;
  if (verdicts->expires < g_get_real_time() / G_USEC_PER_SEC && forget_expired(verdicts, FALSE))
    ui_verdicts_kick(app);
  const UiWindow *window = ui_window(app);
  if (verdicts->top == window->top && verdicts->cursor == box->cursor && verdicts->rows == window->rows &&
      verdicts->shown == ui_box_rows(box))
    return;
  verdicts->top = window->top;
  verdicts->cursor = box->cursor;
  verdicts->rows = window->rows;
  verdicts->shown = ui_box_rows(box);
  ui_verdicts_kick(app);
}

void
ui_verdicts_read(UiApp *app, UiItem *item, const MlMessage *message, const char *standing, gint64 until, const char *words)
{
  Verdicts *verdicts = app->verdicts;
  if (!verdicts)
    return;
  if (is_another(verdicts, standing))
    ui_verdicts_kick(app);
  if (until < g_get_real_time() / G_USEC_PER_SEC) { /* it may not be repeated, and what was said before does not hold */
    ui_verdicts_forget_item(app->box, item);
    item->tried = TRUE;
    return;
  }
  MlMark mark = ml_message_mark(message, ui_box_header(app->box, item)->from);
  gboolean doubt = mark == ML_MARK_WARN && ml_message_verdict(message)->indicator == ML_INDICATOR_GOOD;
  set_mark(verdicts, app->box, item, mark, doubt ? (strchr(words, 'E') ? "SE?" : "S?") : words, until);
  watch_expiry(verdicts);
  verdicts->through = FALSE; /* the store has the message by now, and is to have a verdict for the next start */
  verdicts->below = 0;
  ui_verdicts_kick(app);
}

void
ui_verdicts_start(UiApp *app)
{
  Verdicts *verdicts = g_new0(Verdicts, 1);
  g_autofree char *answers = g_build_filename(app->cli->cache_dir, "revocation", NULL);
  verdicts->app = app;
  verdicts->expires = G_MAXINT64;
  app->verdicts = verdicts;
  if (g_mkdir_with_parents(answers, 0700) != 0)
    g_message("%s cannot be made: what is new there is seen late.", answers);
  watch_all(verdicts);
  ui_verdicts_kick(app);
}

void
ui_verdicts_stop(UiApp *app)
{
  Verdicts *verdicts = app->verdicts;
  if (!verdicts)
    return;
  if (verdicts->source)
    g_source_remove(verdicts->source);
  if (verdicts->expiry_source)
    g_source_remove(verdicts->expiry_source);
  verdicts->source = verdicts->expiry_source = 0;
  for (guint i = 0; i < G_N_ELEMENTS(verdicts->monitors); i++) {
    if (verdicts->monitors[i])
      g_file_monitor_cancel(verdicts->monitors[i]);
    g_clear_object(&verdicts->monitors[i]);
  }
}

void
ui_verdicts_free(UiApp *app)
{
  Verdicts *verdicts = g_steal_pointer(&app->verdicts);
  if (!verdicts)
    return;
  if (verdicts->gathering)
    step_free(verdicts->gathering);
  ml_store_free(verdicts->store);
  g_free(verdicts->store_account);
  g_free(verdicts->standing);
  g_free(verdicts);
}
