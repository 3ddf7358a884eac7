#include <string.h>

#include "ui/app-private.h"

enum { SHOWN_AFTER = G_USEC_PER_SEC / 2 };

void
ui_ops_free(UiOp *op)
{
  g_clear_object(&op->cancellable);
  g_free(op->what);
  g_free(op);
}

static UiOp *
op_new(UiApp *app, const char *what)
{
  UiOp *op = g_new0(UiOp, 1);

  op->what = g_strdup(what);
  op->started = g_get_monotonic_time();
  g_ptr_array_add(app->ops, op);
  return op;
}

UiOp *
ui_ops_command(UiApp *app, UiAccount *account, guint64 id, const char *what)
{
  UiOp *op = op_new(app, what);

  op->account = account;
  op->id = id;
  ui_app_tick(app);
  return op;
}

UiOp *
ui_ops_find(UiApp *app, const UiAccount *account, guint64 id)
{
  for (guint i = 0; id && i < app->ops->len; i++) {
    UiOp *op = app->ops->pdata[i];
    if (op->account == account && op->id == id)
      return op;
  }
  return NULL;
}

void
ui_ops_end(UiApp *app, UiOp *op, const GError *error)
{
  g_ptr_array_remove(app->ops, op);
  if (op->finished)
    op->finished(app, error, op->data);
  else if (error && op->account && g_hash_table_contains(op->account->told, error->message)) {
    if (!op->silent) /* the log has it already */
      ui_app_say(app, "%s: %s", op->account->account->name, error->message);
  } else if (error)
    ui_app_error(app, error);
  ui_ops_free(op);
  ui_app_dirty(app);
}

static void
stop(UiOp *op)
{
  if (op->cancellable)
    g_cancellable_cancel(op->cancellable);
  else
    ml_worker_cancel(op->account->worker, op->id);
}

static void
finish_silently(UiApp *app, const GError *error, gpointer data)
{
}

void
ui_ops_forget(UiApp *app, gpointer data)
{
  for (guint i = 0; i < app->ops->len; i++) {
    UiOp *op = app->ops->pdata[i];
    if (op->data != data || op->cancellable)
      continue;
    op->event = NULL;
    op->finished = finish_silently;
    op->data = NULL;
    op->silent = TRUE;
    stop(op);
  }
}

gboolean
ui_ops_cancel(UiApp *app)
{
  gboolean any = FALSE;

  for (guint i = 0; i < app->ops->len; i++) {
    UiOp *op = app->ops->pdata[i];
    if (op->silent)
      continue;
    stop(op);
    any = TRUE;
  }
  return any;
}

gboolean
ui_ops_any_shown(const UiApp *app)
{
  for (guint i = 0; i < app->ops->len; i++)
    if (!((const UiOp *)app->ops->pdata[i])->silent)
      return TRUE;
  return FALSE;
}

char *
ui_ops_words(UiApp *app)
{
  gint64 now = g_get_monotonic_time();

  for (guint i = app->ops->len; i-- > 0;) {
    const UiOp *op = app->ops->pdata[i];
    if (op->silent || now - op->started < SHOWN_AFTER)
      continue;
    if (op->total)
      return g_strdup_printf("%s... %d%%  Esc cancels", op->what,
                             (int)(MIN(op->done, op->total) * 100 / op->total));
    return g_strdup_printf("%s...  Esc cancels", op->what);
  }
  return NULL;
}

/* What a job's end needs beside the data of the one who asked. */
typedef struct {
  UiApp *app;
  UiOp *op;
  CryptoJobFunc run;
  UiJobDone done;
  gpointer data;
} Job;

static void
run_job(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Job *job = data;

  if (!g_cancellable_is_cancelled(cancellable))
    job->run(pin, cancellable, job->data);
}

static void
job_done(GCancellable *cancellable, gpointer data)
{
  g_autofree Job *job = data;
  gboolean cancelled = g_cancellable_is_cancelled(cancellable);

  g_ptr_array_remove(job->app->ops, job->op);
  gboolean unseen = job->op->unseen && !job->app->on_reader;
  g_clear_pointer(&job->app->on_reader, g_free);
  job->done(job->app, cancelled, job->data);
  ui_ops_free(job->op);
  if (!unseen)
    ui_app_dirty(job->app);
}

typedef enum { SHOWN, SILENT, UNSEEN } Notice;

static GCancellable *
post(UiApp *app, CryptoJobThread thread, const char *what, Notice notice, CryptoJobFunc run, UiJobDone done, gpointer data)
{
  if (app->ending) { /* the threads are gone, or about to go */
    done(app, TRUE, data);
    return NULL;
  }
  Job *job = g_new0(Job, 1);
  UiOp *op = op_new(app, what);

  op->silent = notice != SHOWN;
  op->unseen = notice == UNSEEN;
  if (!op->unseen)
    ui_app_tick(app);
  op->cancellable = g_cancellable_new();
  *job = (Job){ .app = app, .op = op, .run = run, .done = done, .data = data };
  crypto_job_post(thread, run_job, job_done, job, op->cancellable);
  return op->cancellable;
}

GCancellable *
ui_ops_job(UiApp *app, CryptoJobThread thread, const char *what, CryptoJobFunc run, UiJobDone done,
           gpointer data)
{
  return post(app, thread, what, SHOWN, run, done, data);
}

void
ui_ops_job_silent(UiApp *app, CryptoJobThread thread, CryptoJobFunc run, UiJobDone done, gpointer data)
{
  post(app, thread, "", SILENT, run, done, data);
}

void
ui_ops_job_unseen(UiApp *app, CryptoJobThread thread, CryptoJobFunc run, UiJobDone done, gpointer data)
{
  post(app, thread, "", UNSEEN, run, done, data);
}
