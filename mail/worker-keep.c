#include "mail/sync.h"
#include "mail/worker-private.h"

/* The text that the account wants here (keep = of signet.conf(5)), newest first, while nothing else is to be done: by pieces
 * so small that who presses a key meanwhile does not notice. First that of the open folder; the others are in
 * mail/worker-round.c. */
enum { MESSAGES = 20, OCTETS = 512 * 1024, LOOK_US = 5 * G_USEC_PER_SEC };

void
ml_worker_keep_anew(MlWorker *worker)
{
  g_clear_pointer(&worker->lacking, g_array_unref);
  worker->keep_over = FALSE;
}

/* The newest of those that are lacking, which they are no longer: none of them is asked for twice. */
static GArray *
take_piece(MlWorker *worker, GArray *lacking, GError **error)
{
  guint n = MIN(lacking->len, MESSAGES), from = lacking->len - n;
  g_autoptr(GArray) some = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_vals(some, &g_array_index(lacking, guint32, from), n);
  g_autoptr(GPtrArray) headers = ml_store_headers_of(worker->store, worker->selected, worker->selected_validity, some, error);
  if (!headers)
    return NULL;
  g_autoptr(GHashTable) sizes = g_hash_table_new(g_direct_hash, g_direct_equal);
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    g_hash_table_insert(sizes, GUINT_TO_POINTER(header->uid), GUINT_TO_POINTER((guint)MIN(header->size, G_MAXUINT32)));
  }
  gsize octets = 0;
  guint taken = 0;
  while (taken < n && (!taken || octets < OCTETS))
    octets += GPOINTER_TO_UINT(g_hash_table_lookup(
        sizes, GUINT_TO_POINTER(g_array_index(lacking, guint32, lacking->len - ++taken))));
  GArray *piece = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_vals(piece, &g_array_index(lacking, guint32, lacking->len - taken), taken);
  g_array_set_size(lacking, lacking->len - taken);
  return piece;
}

typedef struct {
  MlWorker *worker;
  GArray *uids;   /* that are here now */
  gboolean room;
  GError *failed; /* the store */
} Keeping;

static gboolean
on_bodies(GPtrArray *bodies, guint done, guint total, gpointer user_data)
{
  Keeping *keeping = user_data;
  MlWorker *worker = keeping->worker;
  guint kept = 0;
  if (!ml_sync_keep(worker->store, worker->selected, worker->selected_validity, bodies, &kept, &keeping->room, &keeping->failed))
    keeping->room = FALSE;
  for (guint i = 0; i < kept; i++)
    g_array_append_val(keeping->uids, ((const MlBody *)bodies->pdata[i])->uid);
  g_ptr_array_unref(bodies);
  return keeping->room;
}

static void
post_kept(MlWorker *worker, GArray *uids, guint left)
{
  MlEvent *event = ml_worker_event(worker, ML_EVENT_KEPT, NULL, worker->selected);
  event->uids = uids;
  event->total = left;
  ml_worker_post(worker, event);
}

gboolean
ml_worker_keep_look(MlWorker *worker, GError **error)
{
  enum { SHARE = 10 }; /* a server may have to tell the flags of all each time: not more than a tenth of the time */
  gint64 now = g_get_monotonic_time();
  if (now < worker->keep_look)
    return TRUE;
  g_autoptr(MlChanges) changes = ml_changes_new();
  gboolean ok = ml_worker_select_open(worker, error) && ml_driver_poll(worker->driver, changes, error) &&
                ml_worker_tell_changes(worker, g_steal_pointer(&changes), error);
  gint64 took = g_get_monotonic_time() - now;
  worker->keep_look = now + took + MAX(LOOK_US, SHARE * took);
  return ok;
}

/* Once, and not again with each message that comes. */
static void
say_full(MlWorker *worker, guint left)
{
  if (left && !worker->said_full)
    ml_worker_store_failed(worker, g_error_new(ML_ERROR, ML_ERROR_STORE,
                                               "The text of %u message%s in %s is not fetched: 1 GiB is kept of %s already, "
                                               "which is the most. What is read is fetched and kept all the same.",
                                               left, left == 1 ? "" : "s", worker->selected, worker->account->name));
  worker->said_full |= left > 0;
}

gboolean
ml_worker_keep_piece(MlWorker *worker, GArray *lacking, gboolean *over, GError **error)
{
  Keeping keeping = { .worker = worker, .uids = g_array_new(FALSE, FALSE, sizeof(guint32)), .room = TRUE };
  GError *why = NULL;
  g_autoptr(GArray) piece = take_piece(worker, lacking, &keeping.failed);
  gboolean ok = !piece || ml_driver_bodies(worker->driver, piece, ML_STORE_BODY, on_bodies, &keeping, &why);
  *over = !keeping.room || keeping.failed || g_error_matches(why, ML_ERROR, ML_ERROR_FAILED);
  if (keeping.failed)
    ml_worker_store_failed(worker, keeping.failed);
  else if (!keeping.room)
    say_full(worker, lacking->len + (piece->len > keeping.uids->len ? piece->len - keeping.uids->len : 0));
  if (keeping.uids->len)
    post_kept(worker, keeping.uids, lacking->len);
  else
    g_array_unref(keeping.uids);
  if (!ok)
    g_propagate_error(error, why);
  return ok;
}

GArray *
ml_worker_keep_lacking(MlWorker *worker)
{
  gint64 since;
  gboolean room = FALSE;
  GError *why = NULL;
  if (!ml_sync_wants(worker->account, g_get_real_time() / G_USEC_PER_SEC, &since) || !ml_worker_store(worker))
    return NULL;
  g_autoptr(GArray) lacking = ml_sync_room(worker->store, &room, &why) && (room || !worker->said_full)
                                  ? ml_store_lacking(worker->store, worker->selected, since, &why)
                                  : NULL;
  if (why)
    ml_worker_store_failed(worker, why);
  else if (!room && lacking)
    say_full(worker, lacking->len);
  return room ? g_steal_pointer(&lacking) : NULL;
}

gboolean
ml_worker_keep(MlWorker *worker)
{
  g_autoptr(GError) error = NULL;
  if (!worker->open || worker->keep_over || (worker->lacking && !worker->lacking->len) ||
      ml_driver_is_local(worker->driver))
    return FALSE;
  if (!ml_worker_select_open(worker, &error))
    return FALSE; /* the wait for news meets the same, and tells it */
  if (!worker->lacking && !(worker->lacking = ml_worker_keep_lacking(worker)))
    worker->keep_over = TRUE;
  if (worker->keep_over || !worker->lacking->len)
    return FALSE;
  if (ml_worker_keep_piece(worker, worker->lacking, &worker->keep_over, &error) && ml_worker_keep_look(worker, &error))
    return TRUE;
  ml_worker_learn(worker, error);
  return TRUE;
}
