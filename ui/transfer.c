#include <string.h>

#include "ui/app-private.h"

/* Messages on their way to another account: fetched whole here, stored there, one after the other. A move deletes
 * here only what is known to be there. Esc stops it between two messages, or in the middle of one. */
typedef struct {
  guint32 uid;
  guint flags;
  gint64 received;
} Letter;

typedef struct {
  UiApp *app;
  guint64 life; /* of the folder that they come from */
  UiAccount *from, *to;
  char *from_folder, *to_folder;
  guint32 validity; /* of from_folder, as the letters' numbers are meant */
  gboolean copy;
  GArray *letters; /* of Letter */
  guint at;
  GArray *stored; /* uids */
  GBytes *bytes;  /* of the one under way */
  GError *error;  /* why it ended early */
  guint running;  /* commands of the deletion */
} Transfer;

static void fetch_next(Transfer *transfer);

static void
transfer_free(Transfer *transfer)
{
  g_free(transfer->from_folder);
  g_free(transfer->to_folder);
  g_array_unref(transfer->letters);
  g_array_unref(transfer->stored);
  g_clear_pointer(&transfer->bytes, g_bytes_unref);
  g_clear_error(&transfer->error);
  g_free(transfer);
}

static UiOp *
watch(Transfer *transfer, UiAccount *account, guint64 id, const char *what,
      void (*finished)(UiApp *app, const GError *error, gpointer data))
{
  UiOp *op = ui_ops_command(transfer->app, account, id, what);

  op->finished = finished;
  op->data = transfer;
  return op;
}

static void
tell(Transfer *transfer)
{
  UiApp *app = transfer->app;
  guint all = transfer->letters->len, done = transfer->stored->len;
  g_autofree char *where = ui_account_join(app, transfer->to, transfer->to_folder);
  const char *verb = transfer->copy ? "copied" : "moved";

  if (!transfer->error)
    ui_app_say(app, "%u %s to %s.", done, verb, where);
  else if (all == 1)
    ui_app_complain(app, "Not %s to %s: %s", verb, where, transfer->error->message);
  else
    ui_app_complain(app, "%u of %u %s to %s, the others not: %s", done, all, verb, where,
                    transfer->error->message);
}

static void
deleted(UiApp *app, const GError *error, gpointer data)
{
  Transfer *transfer = data;

  if (error && !transfer->error)
    transfer->error = g_error_new(ML_ERROR, ML_ERROR_FAILED, "they are there, and could not be deleted here (%s)",
                                  error->message);
  if (--transfer->running)
    return;
  UiBox *box = ui_app_box(app, transfer->life);
  if (!transfer->error && box)
    ui_box_forget(box, transfer->stored);
  tell(transfer);
  transfer_free(transfer);
}

static void
end(Transfer *transfer)
{
  MlWorker *worker = transfer->from->worker;

  if (transfer->copy || !transfer->stored->len) {
    tell(transfer);
    transfer_free(transfer);
    return;
  }
  if (!ui_account_still(transfer->from, transfer->from_folder, transfer->validity, NULL)) {
    g_clear_error(&transfer->error);
    transfer->error = g_error_new(ML_ERROR, ML_ERROR_FAILED,
                                  "those that are there were not deleted here, because the folder %s was replaced by "
                                  "another one on the server meanwhile: look at both.",
                                  transfer->from_folder);
    tell(transfer);
    transfer_free(transfer);
    return;
  }
  transfer->running = 1;
  guint64 id = ml_worker_expunge(worker, transfer->from_folder, transfer->stored);
  watch(transfer, transfer->from, id, "Deleting", deleted);
}

static void
stored(UiApp *app, const GError *error, gpointer data)
{
  Transfer *transfer = data;

  g_clear_pointer(&transfer->bytes, g_bytes_unref);
  if (error) {
    transfer->error = g_error_copy(error);
    end(transfer);
    return;
  }
  g_array_append_val(transfer->stored, g_array_index(transfer->letters, Letter, transfer->at).uid);
  transfer->at++;
  fetch_next(transfer);
}

static void
on_message(UiApp *app, MlEvent *event, gpointer data)
{
  Transfer *transfer = data;

  g_clear_pointer(&transfer->bytes, g_bytes_unref);
  transfer->bytes = g_steal_pointer(&event->bytes);
  if (event->received)
    g_array_index(transfer->letters, Letter, transfer->at).received = event->received;
}

static void
fetched(UiApp *app, const GError *error, gpointer data)
{
  Transfer *transfer = data;
  const Letter *letter = &g_array_index(transfer->letters, Letter, transfer->at);

  if (error || !transfer->bytes) {
    transfer->error = error ? g_error_copy(error) : g_error_new(ML_ERROR, ML_ERROR_FAILED, "it did not arrive");
    end(transfer);
    return;
  }
  guint64 id = ml_worker_append_now(transfer->to->worker, transfer->to_folder, transfer->bytes, letter->flags,
                                letter->received);
  watch(transfer, transfer->to, id, "Storing the message there", stored);
}

/* Are the numbers of the letters still theirs? */
static void
fetch_next(Transfer *transfer)
{
  if (transfer->at == transfer->letters->len ||
      !ui_account_still(transfer->from, transfer->from_folder, transfer->validity, &transfer->error)) {
    end(transfer);
    return;
  }
  guint32 uid = g_array_index(transfer->letters, Letter, transfer->at).uid;
  guint64 id = ml_worker_fetch(transfer->from->worker, transfer->from_folder, uid);
  watch(transfer, transfer->from, id, "Fetching the message", fetched)->event = on_message;
}

void
ui_transfer_start(UiApp *app, GPtrArray *items, gboolean copy, UiAccount *to, const char *folder)
{
  Transfer *transfer = g_new0(Transfer, 1);

  transfer->app = app;
  transfer->life = app->box->life;
  transfer->from = app->box->account;
  transfer->to = to;
  transfer->from_folder = g_strdup(app->box->folder);
  transfer->validity = app->box->uidvalidity;
  transfer->to_folder = g_strdup(folder);
  transfer->copy = copy;
  transfer->letters = g_array_new(FALSE, FALSE, sizeof(Letter));
  transfer->stored = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < items->len; i++) {
    UiItem *item = items->pdata[i];
    const MlHeader *kept = ui_box_kept(app->box, item->uid); /* else what is fetched says when it was received */
    Letter letter = { item->uid, item->flags & ~(guint)(ML_FLAG_DELETED | ML_FLAG_RECENT), kept ? kept->received : 0 };
    g_array_append_val(transfer->letters, letter);
    item->tagged = FALSE;
  }
  fetch_next(transfer);
}
