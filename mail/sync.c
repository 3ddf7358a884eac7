#include "mail/sync.h"

#include <string.h>

typedef struct {
  MlStore *store; /* NULL: it failed */
  const char *folder;
  const MlSyncFuncs *funcs;
  gpointer user_data;
  MlSynced *synced;
  GError *why;      /* the store failed */
  gboolean stopped; /* by the caller */
} Sync;

/* A store that fails is left alone for the rest of this run. */
static void
keep(Sync *sync, MlStoreStep *step)
{
  step->uidvalidity = sync->synced->selected.uidvalidity;
  if (sync->store && !ml_store_apply(sync->store, sync->folder, step, &sync->why))
    sync->store = NULL;
  sync->synced->kept = sync->store != NULL;
}

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Sync *sync = user_data;
  MlStoreStep step = { .headers = headers };
  keep(sync, &step);
  sync->synced->added += headers->len;
  sync->stopped = !sync->funcs->headers(headers, done, total, sync->user_data);
  return !sync->stopped;
}

/* ---- with the text */

typedef struct {
  Sync *sync;
  const GArray *uids; /* of guint32, ascending: those that are missing */
  guint8 *told;       /* those that came */
  gboolean room;
} Whole;

static void
note_told(Whole *whole, guint32 uid)
{
  guint low = 0, high = whole->uids->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (g_array_index(whole->uids, guint32, middle) < uid)
      low = middle + 1;
    else
      high = middle;
  }
  if (low < whole->uids->len && g_array_index(whole->uids, guint32, low) == uid)
    whole->told[low] = TRUE;
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  guint32 one = (*(MlHeader *const *)a)->uid, other = (*(MlHeader *const *)b)->uid;
  return one < other ? 1 : one > other ? -1 : 0;
}

/* Line and text of a message come into the store together, or neither does. */
static gboolean
on_whole(GPtrArray *bodies, guint done, guint total, gpointer user_data)
{
  Whole *whole = user_data;
  Sync *sync = whole->sync;
  GPtrArray *headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  guint kept = 0;
  for (guint i = 0; i < bodies->len; i++) {
    MlBody *body = bodies->pdata[i];
    if (!body->header)
      continue;
    g_ptr_array_add(headers, g_steal_pointer(&body->header));
    note_told(whole, body->uid);
    kept += body->bytes != NULL;
  }
  g_ptr_array_sort(headers, newest_first);
  MlStoreStep step = { .headers = headers, .bodies = whole->room ? bodies : NULL };
  keep(sync, &step);
  sync->synced->added += headers->len;
  if (sync->store && whole->room) {
    sync->synced->bodies += kept;
    if (!ml_sync_room(sync->store, &whole->room, &sync->why))
      sync->store = NULL;
  }
  g_ptr_array_unref(bodies);
  sync->stopped |= !sync->funcs->headers(headers, done, total, sync->user_data);
  return !sync->stopped && sync->store && whole->room;
}

/* What did not come is read as it would be without: a text that the server cannot read, or that costs us the line, must not
 * keep the list from being read. */
static gboolean
take_whole(Sync *sync, MlDriver *driver, const GArray *uids, GError **error)
{
  g_autofree guint8 *told = g_malloc0(MAX(uids->len, 1));
  g_autoptr(GError) why = NULL;
  Whole whole = { sync, uids, told, FALSE };
  if (!ml_sync_room(sync->store, &whole.room, &sync->why))
    sync->store = NULL;
  if (whole.room && !ml_driver_whole(driver, uids, ML_STORE_BODY, on_whole, &whole, &why) &&
      g_error_matches(why, ML_ERROR, ML_ERROR_CANCELLED)) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  if (why)
    g_debug("%s: the list is read without the text: %s", sync->folder, why->message);
  g_autoptr(GArray) left = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < uids->len; i++)
    if (!told[i])
      g_array_append_val(left, g_array_index(uids, guint32, i));
  return sync->stopped || ml_driver_headers_of(driver, left, on_headers, sync, error);
}

static gboolean
take_all_whole(Sync *sync, MlDriver *driver, GError **error)
{
  g_autoptr(GArray) there = ml_driver_uids(driver, error), uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; there && i < there->len; i++)
    g_array_append_val(uids, g_array_index(there, MlFlagChange, i).uid);
  return there && take_whole(sync, driver, uids, error);
}

static gboolean
take_missing(Sync *sync, MlDriver *driver, const MlSyncNews *news, guint first, GError **error)
{
  if (sync->funcs->whole && sync->store && !ml_driver_is_local(driver))
    return news->reset ? take_all_whole(sync, driver, error) : take_whole(sync, driver, news->missing, error);
  return news->reset ? ml_driver_headers(driver, 0, first, on_headers, sync, error)
                     : ml_driver_headers_of(driver, news->missing, on_headers, sync, error);
}

/* ---- a folder */

static void
tell_changes(Sync *sync, const MlSyncNews *news)
{
  if (!news->vanished->len && !news->flag_changes->len)
    return;
  MlChanges *changes = ml_changes_new();
  g_array_append_vals(changes->vanished, news->vanished->data, news->vanished->len);
  g_array_append_vals(changes->flag_changes, news->flag_changes->data, news->flag_changes->len);
  sync->synced->vanished = news->vanished->len;
  sync->synced->changed = news->flag_changes->len;
  sync->funcs->changes(changes, sync->user_data);
}

static int
compare_uids(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;
  return one < other ? -1 : one > other;
}

/* Those that say something else under their number go from the store, and are missing: all they were is read anew. The
 * list has them all the while. *gone: what goes from the store. */
static gboolean
find_rewritten(Sync *sync, MlDriver *driver, MlSyncNews *news, GArray *gone, GError **error)
{
  enum { PIECE = 4000 };
  guint before = gone->len;
  for (guint32 below = 0; sync->store;) {
    g_autoptr(GArray) lines = ml_store_lines(sync->store, sync->folder, 0, below, PIECE, &sync->why);
    if (!lines)
      sync->store = NULL;
    if (!lines || !lines->len)
      break;
    if (!ml_driver_rewritten(driver, lines, gone, error))
      return FALSE;
    below = g_array_index(lines, MlLine, lines->len - 1).uid;
  }
  if (gone->len > before) {
    g_array_append_vals(news->missing, &g_array_index(gone, guint32, before), gone->len - before);
    g_array_sort(news->missing, compare_uids);
  }
  return TRUE;
}

/* The point moves with what was taken in; what is still missing is found again by whoever comes next, as long as the
 * folder does not say that it is complete. */
static gboolean
take_in(Sync *sync, MlDriver *driver, MlSyncNews *news, guint first, GError **error)
{
  g_autoptr(GArray) gone = g_array_copy(news->vanished);
  if (!news->reset && ml_driver_is_local(driver) && !find_rewritten(sync, driver, news, gone, error))
    return FALSE;
  gboolean complete = !news->reset && !news->missing->len;
  MlStoreStep begin = { .reset = news->reset, .vanished = gone, .flags = news->flag_changes,
                        .point = &news->point, .complete = complete };
  keep(sync, &begin);
  sync->funcs->opened(&news->selected, news->reset, sync->user_data);
  tell_changes(sync, news);
  if (complete)
    return TRUE;
  if (!take_missing(sync, driver, news, first, error))
    return FALSE;
  MlStoreStep end = { .point = &news->point, .complete = TRUE };
  if (!sync->stopped)
    keep(sync, &end);
  return TRUE;
}

void
ml_sync_compare(const GArray *had, const GArray *there, MlSyncNews *news)
{
  for (guint i = 0, k = 0; i < had->len || k < there->len;) {
    const MlFlagChange *old = i < had->len ? &g_array_index(had, MlFlagChange, i) : NULL;
    const MlFlagChange *now = k < there->len ? &g_array_index(there, MlFlagChange, k) : NULL;
    if (now && !now->uid) {
      k++;
    } else if (!now || (old && old->uid < now->uid)) {
      g_array_append_val(news->vanished, old->uid);
      i++;
    } else if (!old || now->uid < old->uid) {
      g_array_append_val(news->missing, now->uid);
      k++;
    } else {
      if (now->flags != ML_SYNC_UNKNOWN && old->flags != ML_SYNC_UNKNOWN && now->flags != old->flags)
        g_array_append_val(news->flag_changes, *now);
      i++;
      k++;
    }
  }
}

void
ml_sync_expect(MlDriver *driver, MlStore *store, const char *folder, guint first)
{
  MlStoreFolder about;
  g_autofree char *server = store ? ml_store_server(store, NULL) : NULL;
  if (!server || !ml_store_folder(store, folder, &about, NULL))
    return;
  const MlExpected expected = { .server = *server ? server : NULL, .folder = folder, .known = about.point,
                                .total = about.listed, .first = first };
  ml_driver_expect(driver, &expected);
}

void
ml_sync_learn(MlDriver *driver, MlStore *store)
{
  const char *server = ml_driver_server(driver);
  g_autofree char *before = store && server ? ml_store_server(store, NULL) : NULL;
  if (before && strcmp(before, server) != 0 && !ml_store_set_server(store, server, NULL))
    g_debug("what the server can do was not kept"); /* the next connection asks */
}

gboolean
ml_sync_folder(MlDriver *driver, MlStore *store, const char *folder, guint first, const MlSyncFuncs *funcs,
               gpointer user_data, MlSynced *synced, GError **store_error, GError **error)
{
  Sync sync = { .store = store, .folder = folder, .funcs = funcs, .user_data = user_data, .synced = synced };
  MlStoreFolder about = { 0 };
  MlSyncNews news;
  *synced = (MlSynced){ 0 };
  ml_sync_expect(driver, store, folder, funcs->whole ? 0 : first);
  g_autoptr(GArray) had = ml_store_folder(store, folder, &about, &sync.why) ? ml_store_uids(store, folder, &sync.why)
                                                                            : NULL;
  if (!had) {
    sync.store = NULL;
    about = (MlStoreFolder){ 0 };
    had = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  }
  gboolean ok = ml_driver_sync(driver, folder, &about.point, had, &news, error);
  if (ok) {
    synced->selected = news.selected;
    synced->reset = news.reset;
    ok = take_in(&sync, driver, &news, first, error);
    ml_sync_news_clear(&news);
    ml_sync_learn(driver, sync.store);
  }
  if (sync.why)
    g_propagate_error(store_error, sync.why);
  return ok;
}
