#include <string.h>

#include "mail/files.h"
#include "ui/app-private.h"

/* What is likely to be read next, the one at the cursor and the way down and up from it, once the cursor rests: its bytes
 * are fetched, and what a signed one is judged by is read ahead, so that both are here when its key comes. The verdict
 * itself is thrown away: what is shown is judged when it is opened, by what holds then. */
enum { REST_MS = 80, SMALL = 128 * 1024, NEAR = 3 };

typedef struct {
  guint64 life; /* of its box: a number of another folder is another message */
  guint32 uid;  /* 0: none */
} Place;

struct UiAhead {
  Place drawn;       /* where the cursor was drawn last */
  Place ready[NEAR]; /* are here, and were read if signed, first that at the cursor */
  guint source;
};

typedef struct {
  UiApp *app;
  GPtrArray *mail; /* of GBytes */
} Warming;

/* No key, no question, no network, and nothing is written down: where there is no people.db, none is made. */
static void
warm(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  const Warming *warming = data;
  MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC,
                            .revocation = ml_config_revocation(warming->app->config),
                            .sealed = TRUE,
                            .people = ui_app_people_if_any(warming->app, CRYPTO_JOB_VERIFY) };
  g_autofree char *standing = ml_message_standing(options.revocation);

  /* The first is the one that is likeliest to be opened, whoever waits. */
  for (guint i = 0; i < warming->mail->len && (!i || !crypto_job_is_awaited(CRYPTO_JOB_VERIFY)); i++) {
    g_autoptr(MlMessage) message = ml_message_read(warming->mail->pdata[i], &options, cancellable, NULL);
    ml_files_point("read-ahead");
  }
}

static void
warmed(UiApp *app, gboolean cancelled, gpointer data)
{
  Warming *warming = data;

  g_ptr_array_unref(warming->mail);
  g_free(warming);
}

static gboolean
is_ready(const UiAhead *ahead, const UiBox *box, const UiItem *item)
{
  for (guint i = 0; i < NEAR; i++)
    if (ahead->ready[i].life == box->life && ahead->ready[i].uid == item->uid)
      return TRUE;
  return FALSE;
}

static gboolean
is_small(UiBox *box, const UiItem *item)
{
  const MlHeader *header = ui_box_header(box, item);

  return header->uid && header->size <= SMALL;
}

/* Is it here? Then, if it is signed, it is one of @mail. */
static gboolean
is_here(UiBox *box, const UiItem *item, GPtrArray *mail)
{
  gint64 received;
  g_autoptr(GBytes) bytes = box->lines ? ui_lines_message(box->lines, item->uid, &received) : NULL;

  if (bytes && item->hints & ML_HINT_SIGNED)
    g_ptr_array_add(mail, g_bytes_ref(bytes));
  return bytes != NULL;
}

/* What is not here is fetched: the worker is not asked for what is, since that would end its IDLE, nor for messages of several
 * folders, which the line would have to open one after the other. */
static gboolean
make_ready(const UiApp *app, UiBox *box, const UiItem *item, GPtrArray *mail)
{
  const UiAccount *account = box->account;

  if (!is_small(box, item))
    return FALSE;
  if (is_here(box, item, mail))
    return TRUE;
  if (!app->hits && account->account->kind == ML_ACCOUNT_IMAP && account->state == ML_STATE_ONLINE)
    ml_worker_fetch_ahead(account->worker, box->folder, item->uid, ui_box_header(box, item)->size);
  return FALSE;
}

/* Takes @mail. */
static void
read_ahead(UiApp *app, GPtrArray *mail)
{
  Warming *warming = g_new(Warming, 1);

  *warming = (Warming){ app, mail };
  ui_ops_job_unseen(app, CRYPTO_JOB_VERIFY, warm, warmed, warming);
}

/* While older ones are on their way the cursor goes with them, and rests nowhere: nobody opens what it passes, and each
 * fetch would stand between two pieces of the list. */
static gboolean
is_carried(const UiApp *app)
{
  const UiBox *box = app->box;

  return !app->hits && box && box->to_first && ui_items_count(box->all) < box->total;
}

void
ui_ahead_now(UiApp *app)
{
  static const int steps[NEAR] = { 0, 1, -1 };
  Place ready[NEAR] = { { 0 } };
  UiBox *box;

  if (!app->ahead || app->ending || is_carried(app))
    return;
  g_autoptr(GPtrArray) mail = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  for (guint i = 0; i < NEAR; i++) {
    const UiItem *item = ui_window_item(app, ui_window_cursor(app) + steps[i], &box);
    if (item && (is_ready(app->ahead, box, item) || make_ready(app, box, item, mail)))
      ready[i] = (Place){ box->life, item->uid };
  }
  memcpy(app->ahead->ready, ready, sizeof ready);
  if (mail->len)
    read_ahead(app, g_steal_pointer(&mail));
}

void
ui_ahead_came(UiApp *app, const UiAccount *account, const char *folder, guint32 uid)
{
  UiAhead *ahead = app->ahead;
  UiBox *box;
  const UiItem *item = ui_window_item(app, ui_window_cursor(app), &box);

  if (!ahead || ahead->source || !item || app->ending) /* a cursor that does not rest yet is looked at when it does */
    return;
  if (box->account != account || g_strcmp0(box->folder, folder) != 0 || item->uid != uid)
    return;
  g_autoptr(GPtrArray) mail = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  if (!is_ready(ahead, box, item) && is_small(box, item) && is_here(box, item, mail))
    ahead->ready[0] = (Place){ box->life, uid };
  if (mail->len)
    read_ahead(app, g_steal_pointer(&mail));
}

static gboolean
on_rest(gpointer data)
{
  UiApp *app = data;
  gint64 left = app->last_touch + REST_MS * (gint64)1000 - g_get_monotonic_time();

  app->ahead->source = left > 0 ? g_timeout_add((guint)(left / 1000) + 1, on_rest, app) : 0;
  if (left <= 0)
    ui_ahead_now(app);
  return G_SOURCE_REMOVE;
}

void
ui_ahead_drawn(UiApp *app)
{
  UiAhead *ahead = app->ahead;
  UiBox *box;
  const UiItem *item = ui_window_item(app, ui_window_cursor(app), &box);

  if (!ahead || !item || app->ending || (ahead->drawn.life == box->life && ahead->drawn.uid == item->uid))
    return;
  ahead->drawn = (Place){ box->life, item->uid };
  if (!ahead->source)
    ahead->source = g_timeout_add(REST_MS, on_rest, app);
}

void
ui_ahead_start(UiApp *app)
{
  app->ahead = g_new0(UiAhead, 1);
  ui_ahead_drawn(app);
}

void
ui_ahead_stop(UiApp *app)
{
  if (app->ahead && app->ahead->source)
    g_source_remove(app->ahead->source);
  g_clear_pointer(&app->ahead, g_free);
}
