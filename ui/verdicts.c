#include <string.h>

#include "mail/store.h"
#include "ui/app-private.h"

/* Marks in the list for messages that nobody has opened in this run: judged behind the screen, out of what is kept here,
 * without a key, a question or the network; the rows in sight first. A mark rests on ml_message_standing(): when that
 * word is another one, whoever changed what, every mark goes back to the hint until it is judged again. */
enum {
  BATCH = 64,                     /* messages of a step, at most */
  FILES = 8,                      /* the same of mail on this machine, which comes by the worker */
  BUDGET_US = 15000,              /* a mail that is opened waits so long at most */
  SCAN = 2000,                    /* items looked at for one step */
  REST_US = 250000,               /* since the last key */
  SOON_MS = 100, NEXT_MS = 2, LIMIT_MS = 100,
  LONGEST_S = 3600,
};

struct UiVerdicts {
  UiApp *app;
  guint64 serial;        /* of the open folder: what was begun for another one is dropped */
  char *standing;        /* what every mark on the screen rests on; NULL: not known yet */
  gboolean changed;      /* it may be another one */
  gboolean running;      /* a step is under way */
  gboolean loaded;       /* what the store has of this folder is on the screen */
  guint32 below;         /* of a server's folder: judged down to this number; 0: from the newest */
  gboolean through;      /* down to the last */
  guint at;              /* of mail on this machine: index in all */
  int top, cursor, rows; /* when the list was drawn last */
  guint shown;
  guint source, expiry_source;
  gint64 expires;        /* when the first of the marks does; G_MAXINT64: none */
  GFileMonitor *monitors[2];
  struct Step *gathering; /* messages of this machine that are being read; NULL */
  guint awaited;
  MlStore *store;        /* the verify thread's alone, as the next */
  char *store_account;
};
typedef struct UiVerdicts Verdicts;

/* A message of this machine. */
typedef struct {
  guint32 uid;
  char *from, *subject; /* as its line of the list has them */
  gint64 received;
  GBytes *bytes;
} Mail;

/* One step: filled by the UI thread, worked through by the verify thread, taken in by the UI thread. */
typedef struct Step {
  Verdicts *verdicts;
  guint64 serial;
  const MlAccount *account;
  char *directory, *folder, *was;
  guint32 uidvalidity, below;
  gboolean load, range;
  GArray *uids;    /* guint32: in sight */
  GPtrArray *mail; /* of Mail */
  char *standing;  /* from here on: found */
  GArray *found;   /* of MlStoreVerdict */
  gboolean more, through;
} Step;

static void
mail_free(gpointer data)
{
  Mail *mail = data;
  g_free(mail->from);
  g_free(mail->subject);
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

/* --- on the verify thread */

static MlStore *
store_of(const Step *step)
{
  Verdicts *verdicts = step->verdicts;
  g_autoptr(GError) error = NULL;
  if (g_strcmp0(verdicts->store_account, step->account->name) != 0) {
    g_clear_pointer(&verdicts->store, ml_store_free);
    g_free(verdicts->store_account);
    verdicts->store_account = g_strdup(step->account->name);
  }
  if (!verdicts->store)
    verdicts->store = ml_store_open(step->directory, step->account, &error);
  if (error)
    g_message("%s", error->message);
  return verdicts->store;
}

static gint64
first_seen(UiApp *app, GBytes *bytes)
{
  MlPeople *people = ui_app_people(app, CRYPTO_JOB_VERIFY);
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  MlHeader *header = ml_header_parse(data, length);
  gint64 when = people && *header->message_id ? ml_people_first_seen(people, header->message_id, bytes) : 0;
  ml_header_free(header);
  return when;
}

/* The words beside a good mark are those that were signed, where any were: else it waits until the message is opened,
 * and the row says the Subject inside. */
static gboolean
is_listed_subject(const MlMessage *message, const char *listed)
{
  gboolean hidden;
  const char *subject = ml_message_listed_subject(message, &hidden);
  return !subject || strcmp(listed, subject) == 0; /* NULL: nothing protects it */
}

static void
judge(Step *step, guint32 uid, const char *from, const char *subject, gint64 received, GBytes *bytes,
      GCancellable *cancellable)
{
  UiApp *app = step->verdicts->app;
  const MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC,
                                  .received = received ? received : first_seen(app, bytes),
                                  .revocation = ml_config_revocation(app->config),
                                  .sealed = TRUE };
  g_autoptr(GError) error = NULL;
  g_autoptr(MlMessage) message = ml_message_read(bytes, &options, cancellable, &error);
  MlStoreVerdict verdict = { uid, ML_MARK_UNSIGNED, G_MAXINT64 };
  if (g_cancellable_is_cancelled(cancellable))
    return;
  if (message) {
    verdict.mark = ml_message_mark(message, from);
    verdict.until = ml_message_until(message, &options);
    if (verdict.until <= options.at || (verdict.mark == ML_MARK_GOOD && !is_listed_subject(message, subject)))
      verdict = (MlStoreVerdict){ uid, ML_MARK_UNJUDGED, 0 };
  }
  g_array_append_val(step->found, verdict);
}

/* FALSE: the time is up. */
static gboolean
judge_kept(Step *step, MlStore *store, const GPtrArray *unjudged, gint64 until, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; unjudged && i < unjudged->len; i++) {
    const MlStoreUnjudged *one = unjudged->pdata[i];
    gint64 received = 0;
    if (g_get_monotonic_time() > until || g_cancellable_is_cancelled(cancellable))
      return FALSE;
    g_autoptr(GBytes) bytes = ml_store_get(store, step->folder, step->uidvalidity, one->uid, &received, error);
    if (*error)
      return FALSE;
    if (bytes)
      judge(step, one->uid, one->from, one->subject, received, bytes, cancellable);
    if (step->range)
      step->below = one->uid;
  }
  return unjudged != NULL;
}

static gboolean
look(Step *step, MlStore *store, GCancellable *cancellable, GError **error)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC, until = g_get_monotonic_time() + BUDGET_US;
  gboolean range = step->range;
  step->range = FALSE;
  g_autoptr(GPtrArray) sight = ml_store_unjudged(store, step->folder, step->uidvalidity, step->standing, now, step->uids, 0,
                                                 BATCH, error);
  step->more = !judge_kept(step, store, sight, until, cancellable, error);
  step->range = range;
  if (step->more || !range || *error)
    return !*error;
  g_autoptr(GPtrArray) rest = ml_store_unjudged(store, step->folder, step->uidvalidity, step->standing, now, NULL,
                                                step->below, BATCH, error);
  step->through = rest && !rest->len;
  step->more = rest && rest->len;
  (void)judge_kept(step, store, rest, until, cancellable, error);
  return !*error;
}

static void
run_kept(Step *step, GCancellable *cancellable)
{
  g_autoptr(GError) error = NULL;
  MlStore *store = store_of(step);
  if (!store || !look(step, store, cancellable, &error) ||
      (step->found->len && !ml_store_put_verdicts(store, step->folder, step->uidvalidity, step->standing, step->found,
                                                  &error))) {
    if (error)
      g_message("%s", error->message);
    step->more = FALSE; /* what was found counts; nothing is tried again and again */
    step->through = TRUE;
  }
  if (!store || !step->load)
    return;
  g_autoptr(GError) why = NULL;
  g_autoptr(GArray) known = ml_store_verdicts(store, step->folder, step->uidvalidity, step->standing,
                                              g_get_real_time() / G_USEC_PER_SEC, &why);
  if (known)
    g_array_append_vals(step->found, known->data, known->len);
}

static void
run(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Step *step = data;
  (void)pin;
  step->standing = ml_message_standing(ml_config_revocation(step->verdicts->app->config));
  if (step->was && strcmp(step->was, step->standing) != 0)
    return; /* first what is on the screen goes */
  if (step->account->kind == ML_ACCOUNT_IMAP) {
    run_kept(step, cancellable);
    return;
  }
  for (guint i = 0; i < step->mail->len; i++) {
    const Mail *mail = step->mail->pdata[i];
    if (mail->bytes)
      judge(step, mail->uid, mail->from, mail->subject, mail->received, mail->bytes, cancellable);
  }
}

/* --- marks */

static gint64
end_of(const UiItem *item)
{
  return item->mark_until == G_MAXUINT32 ? G_MAXINT64 : item->mark_until;
}

static void
set_mark(Verdicts *verdicts, UiItem *item, MlMark mark, const char *words, gint64 until)
{
  static const struct {
    const char *words;
    UiStyle style;
    MlPatternVerdict verdict;
  } marks[] = {
    [ML_MARK_UNJUDGED] = { "", UI_STYLE_NORMAL, ML_PATTERN_UNJUDGED },
    [ML_MARK_UNSIGNED] = { "", UI_STYLE_NORMAL, ML_PATTERN_NEITHER },
    [ML_MARK_GOOD] = { "S+", UI_STYLE_GOOD, ML_PATTERN_GOOD },
    [ML_MARK_WARN] = { "S?", UI_STYLE_WARN, ML_PATTERN_WARN },
    [ML_MARK_BAD] = { "S!", UI_STYLE_BAD, ML_PATTERN_BAD },
    [ML_MARK_CLOSED] = { "E", UI_STYLE_NORMAL, ML_PATTERN_UNJUDGED },
  };
  g_strlcpy(item->mark, words ? words : marks[mark].words, sizeof item->mark);
  item->mark_style = marks[mark].style;
  item->verdict = marks[mark].verdict;
  item->mark_until = (guint32)MIN(until, G_MAXUINT32);
  item->judged = mark != ML_MARK_UNJUDGED;
  verdicts->expires = MIN(verdicts->expires, until);
}

static gboolean
forget_expired(Verdicts *verdicts, gboolean all)
{
  UiBox *box = verdicts->app->box;
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  gboolean any = FALSE;
  verdicts->expires = G_MAXINT64;
  for (guint i = 0; box && i < box->all->len; i++) {
    UiItem *item = box->all->pdata[i];
    if (all || (item->judged && end_of(item) < now)) {
      set_mark(verdicts, item, ML_MARK_UNJUDGED, NULL, G_MAXINT64);
      item->tried = FALSE;
      any = TRUE;
    }
    if (item->judged)
      verdicts->expires = MIN(verdicts->expires, end_of(item));
  }
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
    if (!item->judged && one->until >= now)
      set_mark(verdicts, item, one->mark, NULL, one->until);
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
  gboolean again = cancelled;
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
  ui_ops_job_silent(verdicts->app, CRYPTO_JOB_VERIFY, run, done, step);
}

static gboolean
is_wanted(const UiItem *item)
{
  return !item->judged && !item->tried && item->hints & ML_HINT_SIGNED && item->size <= ML_STORE_BODY;
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
  mail->received = item->received;
  const MlHeader *header = ui_box_header(box, item);
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

/* Of shown, from @first to @last. */
static void
choose_between(const UiBox *box, GPtrArray *wanted, guint most, int first, int last)
{
  for (int i = MAX(first, 0); i <= MIN(last, (int)box->shown->len - 1) && wanted->len < most; i++)
    if (is_wanted(box->shown->pdata[i]))
      g_ptr_array_add(wanted, box->shown->pdata[i]);
}

/* In sight, then the pages beside it, then from the newest on. */
static void
choose(Verdicts *verdicts, GPtrArray *wanted, guint most, gboolean rest)
{
  const UiBox *box = verdicts->app->box;
  int top = (int)box->shown->len - 1 - box->top, bottom = top - box->rows + 1;
  choose_between(box, wanted, most, bottom, top);
  choose_between(box, wanted, most, bottom - box->rows, bottom - 1);
  choose_between(box, wanted, most, top + 1, top + box->rows);
  for (guint looked = 0; rest && verdicts->at < box->all->len && looked < SCAN && wanted->len < most;
       verdicts->at++, looked++)
    if (is_wanted(box->all->pdata[verdicts->at]) && !g_ptr_array_find(wanted, box->all->pdata[verdicts->at], NULL))
      g_ptr_array_add(wanted, box->all->pdata[verdicts->at]);
}

static void
begin(Verdicts *verdicts)
{
  UiBox *box = verdicts->app->box;
  gboolean server = box->account->account->kind == ML_ACCOUNT_IMAP, rest = !server && !box->loading;
  g_autoptr(GPtrArray) wanted = g_ptr_array_new();
  choose(verdicts, wanted, server ? BATCH : FILES, rest);
  if (!wanted->len && !verdicts->changed && verdicts->loaded && (!server || verdicts->through)) {
    if (rest && verdicts->at < box->all->len)
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

void
ui_verdicts_folder(UiApp *app)
{
  Verdicts *verdicts = app->verdicts;
  if (!verdicts)
    return;
  verdicts->serial++;
  verdicts->loaded = verdicts->through = FALSE;
  verdicts->below = verdicts->at = 0;
  verdicts->expires = G_MAXINT64;
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
  if (verdicts->top == box->top && verdicts->cursor == box->cursor && verdicts->rows == box->rows &&
      verdicts->shown == box->shown->len)
    return;
  verdicts->top = box->top;
  verdicts->cursor = box->cursor;
  verdicts->rows = box->rows;
  verdicts->shown = box->shown->len;
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
  if (until < g_get_real_time() / G_USEC_PER_SEC)
    return;
  MlMark mark = ml_message_mark(message, ui_box_header(app->box, item)->from);
  gboolean doubt = mark == ML_MARK_WARN && ml_message_verdict(message)->indicator == ML_INDICATOR_GOOD;
  set_mark(verdicts, item, mark, doubt ? (strchr(words, 'E') ? "SE?" : "S?") : words, until);
  watch_expiry(verdicts);
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
