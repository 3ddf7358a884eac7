#include <string.h>

#include "ui/app-private.h"

/* One account's line: a worker of its own, which keeps nothing. */
typedef struct {
  UiAsking *asking;
  UiAccount *account;
  MlDriverHooks hooks;
  MlWorker *worker;
  guint64 id;
  guint at, total; /* folders */
  char *folder;    /* that is asked now; NULL: none is */
  gboolean over;
} Line;

struct UiAsking {
  UiApp *app;
  UiAskingFuncs funcs; /* none: nobody wants to hear of it any more */
  GPtrArray *lines;    /* of Line */
  UiOp *op;            /* NULL: it is over */
  GCancellable *cancellable;
  gulong handler;
  guint left_out;      /* folders */
  guint failed;        /* accounts */
  guint source;        /* frees what has ended; 0 */
};

static void
line_free(gpointer data)
{
  Line *line = data;

  ml_worker_free(line->worker);
  g_free(line->folder);
  g_free(line);
}

static void
asking_free(UiAsking *asking)
{
  if (asking->source)
    g_source_remove(asking->source);
  g_cancellable_disconnect(asking->cancellable, asking->handler);
  g_ptr_array_unref(asking->lines);
  g_object_unref(asking->cancellable);
  g_free(asking);
}

static gboolean
tidy(gpointer data)
{
  UiAsking *asking = data;

  asking->source = 0;
  for (guint i = 0; i < asking->lines->len; i++) {
    Line *line = asking->lines->pdata[i];
    if (line->over)
      g_clear_pointer(&line->worker, ml_worker_free);
  }
  if (!asking->op && !asking->funcs.news)
    g_ptr_array_remove(asking->app->askings, asking);
  return G_SOURCE_REMOVE;
}

/* A worker must not be freed by what it calls. */
static void
tidy_later(UiAsking *asking)
{
  if (!asking->source)
    asking->source = g_idle_add(tidy, asking);
}

char *
ui_asking_words(const UiAsking *asking)
{
  guint at = 0, total = 0, n = asking->lines->len;
  const char *server = n == 1 ? "server" : "servers", *folder = NULL;

  for (guint i = 0; i < n; i++) {
    const Line *line = asking->lines->pdata[i];
    at += MIN(line->at + !line->over, line->total);
    total += line->total;
    folder = line->over || !line->folder ? folder : line->folder;
  }
  if (asking->op && !total)
    return g_strdup_printf("Asking the %s...", server);
  if (asking->op) {
    g_autofree char *name = ui_text_line(folder ? folder : "");
    return g_strdup_printf("Asking the %s: folder %u of %u%s%s", server, at, total, folder ? ", " : "", name);
  }
  if (g_cancellable_is_cancelled(asking->cancellable))
    return total ? g_strdup_printf("Stopped: the %s answered for %u of %u folders", server, at, total)
                 : g_strdup_printf("Stopped: the %s was not asked", server);
  if (asking->failed == n)
    return g_strdup_printf("The %s did not answer (! says why)", server);
  g_autoptr(GString) words = g_string_new(NULL);
  g_string_printf(words, "The %s answered", server);
  if (asking->failed)
    g_string_append_printf(words, ", but for %u account%s", asking->failed, asking->failed == 1 ? "" : "s");
  if (asking->left_out)
    g_string_append_printf(words, ", but for %u folder%s", asking->left_out, asking->left_out == 1 ? "" : "s");
  if (asking->failed || asking->left_out)
    g_string_append(words, " (! says why)");
  return g_string_free(g_steal_pointer(&words), FALSE);
}

gboolean
ui_asking_is_over(const UiAsking *asking)
{
  return !asking->op;
}

static void
tell(UiAsking *asking)
{
  if (asking->op) {
    g_free(asking->op->what);
    asking->op->what = ui_asking_words(asking);
  }
  if (asking->funcs.news)
    asking->funcs.news(asking->app, asking->funcs.data);
  ui_app_dirty(asking->app);
}

static void
end_line(Line *line, const GError *error)
{
  UiAsking *asking = line->asking;
  gboolean all = TRUE;

  line->over = TRUE;
  if (error && !g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED)) {
    asking->failed++;
    ui_app_complain(asking->app, "%s: %s", line->account->account->name, error->message);
  } else if (!error)
    line->at = line->total;
  for (guint i = 0; i < asking->lines->len; i++)
    all = all && ((const Line *)asking->lines->pdata[i])->over;
  if (all)
    ui_ops_end(asking->app, g_steal_pointer(&asking->op), NULL);
  tell(asking);
  tidy_later(asking);
}

static void
on_found(Line *line, const MlEvent *event)
{
  UiAsking *asking = line->asking;

  if (event->error) {
    asking->left_out++;
    ui_app_complain(asking->app, "%s/%s was left out: %s", line->account->account->name, event->folder,
                    event->error->message);
  } else if (asking->funcs.found)
    asking->funcs.found(asking->app, line->account, event, asking->funcs.data);
}

static void
on_event(MlEvent *event, gpointer data)
{
  Line *line = data;

  if (line->asking->app->ending || line->over || event->id != line->id)
    return;
  if (event->kind == ML_EVENT_PROGRESS) {
    line->at = (guint)event->done;
    line->total = (guint)event->total;
    g_free(line->folder);
    line->folder = g_strdup(event->folder);
    tell(line->asking);
  } else if (event->kind == ML_EVENT_FOUND)
    on_found(line, event);
  else if (event->kind == ML_EVENT_DONE)
    end_line(line, event->error);
}

static void
on_cancelled(GCancellable *cancellable, UiAsking *asking)
{
  for (guint i = 0; i < asking->lines->len; i++) {
    const Line *line = asking->lines->pdata[i];
    if (!line->over)
      ml_worker_cancel(line->worker, line->id);
  }
}

UiAsking *
ui_asking_start(UiApp *app, const GPtrArray *accounts, const char *folder, const MlQuery *query, guint most,
                const UiAskingFuncs *funcs)
{
  UiAsking *asking = g_new0(UiAsking, 1);

  asking->app = app;
  asking->funcs = *funcs;
  asking->cancellable = g_cancellable_new();
  asking->lines = g_ptr_array_new_with_free_func(line_free);
  for (guint i = 0; i < accounts->len; i++) {
    Line *line = g_new0(Line, 1);
    line->asking = asking;
    line->account = accounts->pdata[i];
    line->hooks = line->account->hooks;
    line->hooks.store_dir = line->hooks.pending_dir = NULL;
    line->worker = ml_worker_new(line->account->account, &line->hooks, on_event, line);
    line->id = ml_worker_search(line->worker, folder, query, most);
    g_ptr_array_add(asking->lines, line);
  }
  asking->handler = g_cancellable_connect(asking->cancellable, G_CALLBACK(on_cancelled), asking, NULL);
  asking->op = ui_ops_command(app, accounts->pdata[0], 0, "Asking the server");
  asking->op->cancellable = g_object_ref(asking->cancellable);
  if (!app->askings)
    app->askings = g_ptr_array_new_with_free_func((GDestroyNotify)asking_free);
  g_ptr_array_add(app->askings, asking);
  return asking;
}

void
ui_asking_drop(UiAsking *asking)
{
  if (!asking)
    return;
  asking->funcs = (UiAskingFuncs){ NULL };
  if (asking->op)
    asking->op->silent = TRUE;
  g_cancellable_cancel(asking->cancellable);
  tidy_later(asking);
}

void
ui_asking_stop(UiApp *app)
{
  for (guint i = 0; app->askings && i < app->askings->len; i++) {
    UiAsking *asking = app->askings->pdata[i];
    g_cancellable_cancel(asking->cancellable);
    g_ptr_array_set_size(asking->lines, 0);
  }
}

void
ui_asking_free(UiApp *app)
{
  g_clear_pointer(&app->askings, g_ptr_array_unref);
}
