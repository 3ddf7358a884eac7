#include "mail/search.h"

#include <string.h>

#include "mail/driver-private.h"
#include "mail/message.h"
#include "mail/sync.h"

/* ---- the list of a mailbox on this machine */

typedef struct {
  MlStore *store;
  const char *folder;
  guint32 uidvalidity;
  guint32 top;
  MlSearchFunc func;
  gpointer user_data;
  gboolean stopped;
  GError *why;
} Follow;

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer data)
{
  Follow *follow = data;
  const MlStoreStep step = { .uidvalidity = follow->uidvalidity, .headers = headers };
  gboolean ok = ml_store_apply(follow->store, follow->folder, &step, &follow->why);
  follow->stopped = follow->func && !follow->func(done, total - MIN(done, total), follow->user_data);
  g_ptr_array_unref(headers);
  return ok && !follow->stopped;
}

static gboolean
follow_folder(MlDriver *driver, Follow *follow, GError **error)
{
  MlSelected selected;
  MlStoreFolder about;
  guint64 mark = ml_driver_mark(driver, follow->folder);
  if (!ml_store_folder(follow->store, follow->folder, &about, error))
    return FALSE;
  if (mark && about.complete && about.point.uidvalidity && about.point.modseq == mark)
    return TRUE; /* nothing happened there since it was compared */
  if (!ml_driver_select(driver, follow->folder, &selected, error))
    return FALSE;
  g_autoptr(GArray) there = ml_driver_uids(driver, error);
  gboolean reset = about.point.uidvalidity != selected.uidvalidity;
  g_autoptr(GArray) had = !there  ? NULL
                          : reset ? g_array_new(FALSE, FALSE, sizeof(MlFlagChange))
                                  : ml_store_uids(follow->store, follow->folder, error);
  if (!had)
    return FALSE;
  g_autoptr(GArray) vanished = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_autoptr(GArray) missing = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_autoptr(GArray) changed = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  MlSyncNews news = { .vanished = vanished, .flag_changes = changed, .missing = missing };
  ml_sync_compare(had, there, &news);
  follow->uidvalidity = selected.uidvalidity;
  const MlSyncPoint point = { .uidvalidity = selected.uidvalidity };
  const MlStoreStep step = { .uidvalidity = selected.uidvalidity, .reset = reset, .vanished = vanished,
                             .flags = changed, .point = &point, .complete = TRUE };
  if ((reset || vanished->len || changed->len) && !ml_store_apply(follow->store, follow->folder, &step, error))
    return FALSE;
  gboolean ok = ml_driver_headers_of(driver, missing, on_headers, follow, error);
  if (follow->why) {
    g_clear_error(error);
    g_propagate_error(error, g_steal_pointer(&follow->why));
    return FALSE;
  }
  /* Only now, with all of it in the list; and by what the folder was before it was looked at. */
  const MlSyncPoint end = { .uidvalidity = selected.uidvalidity, .modseq = mark };
  const MlStoreStep last = { .uidvalidity = selected.uidvalidity, .point = &end, .complete = TRUE };
  return ok && (follow->stopped || !mark || mark != ml_driver_mark(driver, follow->folder) ||
                ml_store_apply(follow->store, follow->folder, &last, error));
}

gboolean
ml_search_follow(MlDriver *driver, MlStore *store, const GPtrArray *folders, MlSearchFunc func, gpointer user_data,
                 GError **error)
{
  Follow follow = { .store = store, .func = func, .user_data = user_data };
  g_autoptr(GPtrArray) all = folders ? NULL : ml_driver_folders(driver, FALSE, error);
  if (!folders && (!all || !ml_store_set_folders(store, all, error)))
    return FALSE;
  guint n = folders ? folders->len : all->len;
  for (guint i = 0; i < n && !follow.stopped; i++) {
    const MlFolder *folder = all ? all->pdata[i] : NULL;
    follow.folder = folder ? folder->name : folders->pdata[i];
    if ((!folder || folder->selectable) && !follow_folder(driver, &follow, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- words */

struct MlSearchReader {
  MlStore *store;
  MlDriver *local;
  gboolean looked; /* for what @local did not know */
  guint glances;   /* messages that were read without a look at their folder */
};

MlSearchReader *
ml_search_reader_new(MlStore *store, MlDriver *local)
{
  MlSearchReader *reader = g_new0(MlSearchReader, 1);
  reader->store = store;
  reader->local = local;
  return reader;
}

void
ml_search_reader_free(MlSearchReader *reader)
{
  g_free(reader);
}

/* Of a file of a mailbox here. What cannot be read is searched by its header alone; that it cannot be is said where
 * somebody reads it. To open a folder is to read all its names, so one that is open stays so, and is looked at once more
 * for a message that it does not have. */
static GBytes *
read_local(MlSearchReader *reader, const char *folder, guint32 uidvalidity, guint32 uid)
{
  MlDriver *local = reader->local;
  gint64 received;
  for (;;) {
    gboolean known = g_strcmp0(local->at, folder) == 0 && local->at_validity == uidvalidity;
    MlSelected selected;
    if (!known && (!ml_driver_select(local, folder, &selected, NULL) || selected.uidvalidity != uidvalidity))
      return NULL;
    reader->looked |= !known;
    g_autoptr(GError) why = NULL;
    GBytes *bytes = ml_driver_fetch(local, uid, &received, NULL, NULL, &why);
    if (bytes || reader->looked || !ml_error_is_absent(why))
      return bytes;
    g_clear_pointer(&local->at, g_free);
  }
}

/* A few messages are not worth the names of all. */
static GBytes *
read_one(MlSearchReader *reader, const char *folder, guint32 uidvalidity, const MlHeader *header)
{
  enum { GLANCES = 200 };
  MlDriver *local = reader->local;
  gboolean known = g_strcmp0(local->at, folder) == 0 && local->at_validity == uidvalidity;
  GBytes *bytes = !known && local->ops->glance && reader->glances < GLANCES
                      ? local->ops->glance(local, folder, uidvalidity, header)
                      : NULL;
  reader->glances += bytes != NULL;
  return bytes ? bytes : read_local(reader, folder, uidvalidity, header->uid);
}

static char *
text_of(GBytes *bytes, GCancellable *cancellable)
{
  g_autoptr(GError) why = NULL;
  char *text = bytes ? ml_message_plain(bytes, ML_SEARCH_TEXT, cancellable, &why) : NULL;
  if (why && !g_cancellable_is_cancelled(cancellable))
    return g_strdup(""); /* no message: there is nothing in it to find, now or later */
  return text;
}

static gboolean
take_in(MlStoreSearch *search, MlSearchReader *reader, const GPtrArray *touched, GCancellable *cancellable,
        GError **error)
{
  reader->looked = FALSE; /* they may be younger than the last look */
  for (guint i = 0; i < touched->len; i++) {
    const MlStoreTouched *one = touched->pdata[i];
    g_autoptr(GBytes) bytes = one->bytes ? g_bytes_ref(one->bytes)
                              : one->header && reader->local
                                  ? read_local(reader, one->folder, one->uidvalidity, one->header->uid)
                                  : NULL;
    g_autofree char *text = text_of(bytes, cancellable);
    if (g_cancellable_set_error_if_cancelled(cancellable, error) ||
        !ml_store_search_put(search, one, text, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
ml_search_update(MlStoreSearch *search, MlDriver *local, guint step, MlSearchFunc func, gpointer user_data,
                 GCancellable *cancellable, GError **error)
{
  g_autoptr(MlSearchReader) reader = ml_search_reader_new(NULL, local);
  gboolean ok = TRUE, go_on = TRUE;
  for (guint done = 0; ok && go_on;) {
    g_autoptr(GPtrArray) touched = ml_store_search_next(search, step, error);
    MlSearchState state = { 0 };
    if (!touched) {
      ok = FALSE;
      break;
    }
    go_on = touched->len > 0;
    GError *why = NULL;
    gboolean taken = take_in(search, reader, touched, cancellable, &why);
    ok = ml_store_search_end(search, touched, local != NULL, taken, taken ? error : NULL) && taken;
    if (why)
      g_propagate_error(error, why);
    done += touched->len;
    if (ok && go_on && func)
      go_on = ml_store_search_waiting(search, &state.waiting, NULL) && func(done, state.waiting, user_data);
  }
  return ok;
}

/* ---- one message */

char *
ml_search_text(MlSearchReader *reader, const char *folder, guint32 uidvalidity, const MlHeader *header)
{
  gint64 received;
  g_autoptr(GBytes) bytes = reader->local ? read_one(reader, folder, uidvalidity, header)
                                          : ml_store_get(reader->store, folder, uidvalidity, header->uid, &received, NULL);
  return text_of(bytes, NULL);
}

MlTristate
ml_search_words_in(MlSearchReader *reader, const char *folder, guint32 uidvalidity, const MlHeader *header,
                   const MlQuery *query)
{
  MlQueryText text = { header->from, header->to, header->cc, header->subject, NULL };
  g_autofree char *body = ml_search_text(reader, folder, uidvalidity, header);
  text.body = body;
  if (body)
    return ml_query_fits(query, &text) ? ML_YES : ML_NO;
  gboolean open = FALSE;
  for (guint i = 0; i < query->terms->len; i++) {
    MlQueryTerm *term = query->terms->pdata[i];
    g_autoptr(GPtrArray) only = g_ptr_array_new();
    g_ptr_array_add(only, term);
    gboolean fits = ml_query_fits(&(MlQuery){ .terms = only }, &text), unknown = (term->fields & ML_QUERY_BODY) != 0;
    if (!fits && (term->negated || !unknown))
      return ML_NO;
    open = open || (unknown && fits == term->negated);
  }
  return open ? ML_UNKNOWN : ML_YES;
}
