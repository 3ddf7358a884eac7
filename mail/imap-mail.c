#include <string.h>

#include "mail/imap-private.h"

enum { UIDS_A_COMMAND = 200, SET_MAX = 6000, FIRST_CHUNK = 100, AHEAD_MAX = 2000, QUICK_US = 250 * 1000 };

typedef struct {
  GPtrArray *headers;
  guint32 above;
  guint32 highest; /* sequence number of the chunk's newest; 0: any */
  guint32 lowest;
} Headers;

static void
on_header(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Headers *chunk = user_data;
  if (response->kind != ML_RESPONSE_FETCH || !ml_imap_body(response->data))
    return; /* flags that somebody changed just now */
  if (chunk->highest && (response->number > chunk->highest || response->number < chunk->lowest))
    return;
  MlHeader *header = ml_imap_header(response->data);
  if (header && header->uid > chunk->above)
    g_ptr_array_add(chunk->headers, header);
  else
    ml_header_free(header);
}

static void
on_ahead(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  Headers any = { user_data, 0, 0, 0 };
  if (any.headers->len < AHEAD_MAX)
    on_header(session, response, &any);
}

gboolean
ml_imap_ask_headers(MlImapSession *session, MlImapAsk *ask, guint32 from, GError **error)
{
  ask->data = on_ahead;
  return ml_imap_session_ask(session, ask, error, "FETCH %u:* " ML_IMAP_HEADER_ITEMS, from);
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  guint32 one = (*(MlHeader *const *)a)->uid, other = (*(MlHeader *const *)b)->uid;
  return one < other ? 1 : one > other ? -1 : 0;
}

/* A server that answers twice must not fill the index with twins. */
static void
sort_headers(GPtrArray *headers)
{
  g_ptr_array_sort(headers, newest_first);
  for (guint i = headers->len; i > 1; i--)
    if (((MlHeader *)g_ptr_array_index(headers, i - 1))->uid ==
        ((MlHeader *)g_ptr_array_index(headers, i - 2))->uid)
      g_ptr_array_remove_index(headers, i - 1);
}

/* FALSE: it was to stop. */
static gboolean
tell_slices(GPtrArray *headers, guint total, MlHeadersFunc func, gpointer user_data)
{
  for (guint done = 0; done < headers->len;) {
    GPtrArray *slice = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
    for (; done < headers->len && slice->len < ML_CHUNK_MAX; done++)
      g_ptr_array_add(slice, g_steal_pointer(&g_ptr_array_index(headers, done)));
    if (!func(slice, done, total, user_data))
      return FALSE;
  }
  return TRUE;
}

static gboolean
headers_above(MlImap *imap, guint32 above, MlHeadersFunc func, gpointer user_data, GError **error)
{
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  Headers chunk = { headers, above, 0, 0 };
  if (above == G_MAXUINT32)
    return TRUE;
  if (!ml_imap_session_command(imap->session, on_header, &chunk, error, "UID FETCH %u:* " ML_IMAP_HEADER_ITEMS,
                               above + 1))
    return FALSE;
  sort_headers(headers);
  tell_slices(headers, headers->len, func, user_data);
  return TRUE;
}

/* A command that is on its way. */
typedef struct {
  MlImapAsk ask;
  Headers chunk;
  gint64 since;
} Piece;

static void
piece_free(Piece *piece)
{
  if (!piece)
    return;
  g_ptr_array_unref(piece->chunk.headers);
  g_free(piece->ask.code);
  g_free(piece->ask.words);
  g_free(piece);
}

static Piece *
ask_piece(MlImap *imap, guint32 highest, guint size, GError **error)
{
  MlImapSession *session = imap->session;
  Piece *piece = g_new0(Piece, 1);
  piece->chunk.headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  piece->chunk.highest = highest;
  piece->chunk.lowest = highest > size ? highest - size + 1 : 1;
  piece->ask = (MlImapAsk){ .data = on_header, .user_data = &piece->chunk };
  piece->since = g_get_monotonic_time();
  ml_imap_session_pipe(session);
  gboolean ok = ml_imap_session_ask(session, &piece->ask, error, "FETCH %u:%u " ML_IMAP_HEADER_ITEMS, piece->chunk.lowest,
                                    piece->chunk.highest);
  if (ml_imap_session_pipe_end(session, ok ? error : NULL) && ok)
    return piece;
  g_queue_remove(&session->asked, &piece->ask);
  piece_free(piece);
  return NULL;
}

typedef struct {
  MlImap *imap;
  guint connection; /* of imap->connections */
  guint32 highest;  /* what is below is not asked for yet, and this */
  guint size, done, total;
  gboolean told;
  Piece *next; /* asked for already; NULL */
  MlHeadersFunc func;
  gpointer user_data;
} All;

static gboolean
is_same_session(const All *all)
{
  return all->imap->session && all->imap->connections == all->connection;
}

/* *@piece stays NULL where nothing is left to be asked for. */
static gboolean
ask_next(All *all, Piece **piece, GError **error)
{
  MlImap *imap = all->imap;
  /* A first screen does not wait for it. */
  if ((all->done || all->size > ML_IMAP_BULK) && all->highest > ML_IMAP_BULK && !ml_imap_compress(imap, error))
    return FALSE;
  if (!ml_imap_session_settle(imap->session, error))
    return FALSE;
  /* The answers to these, too, may have told of expunged messages. */
  all->highest = MIN(all->highest, imap->session->slots->len);
  if (!all->highest)
    return TRUE;
  *piece = ask_piece(imap, all->highest, all->size, error);
  if (!*piece)
    return FALSE;
  all->done += (*piece)->chunk.highest - (*piece)->chunk.lowest + 1;
  all->highest = (*piece)->chunk.lowest - 1;
  all->size = MIN(MAX(all->size * 2, 100), ML_CHUNK_MAX);
  return TRUE;
}

/* The server reads on while those that came are kept. What overtakes has to wait for that, so not on a slow line. */
static gboolean
take_piece(All *all, Piece *piece, gboolean *go_on, GError **error)
{
  MlImap *imap = all->imap;
  if (!ml_imap_session_answer(imap->session, &piece->ask, error))
    return FALSE;
  gboolean quick = g_get_monotonic_time() - piece->since < QUICK_US;
  guint done = MIN(all->done, all->total);
  if (all->told && quick && all->highest && !ask_next(all, &all->next, error))
    return FALSE;
  sort_headers(piece->chunk.headers);
  GPtrArray *headers = g_steal_pointer(&piece->chunk.headers);
  piece->chunk.headers = g_ptr_array_new();
  all->told = TRUE;
  if (headers->len)
    *go_on = all->func(headers, done, all->total, all->user_data);
  else
    g_ptr_array_unref(headers);
  if (*go_on && !is_same_session(all)) {
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "The connection was lost.");
    return FALSE;
  }
  /* The caller may have fetched meanwhile, and heard of expunged messages: count from below. */
  if (*go_on)
    all->highest = MIN(all->highest, imap->session->slots->len);
  return TRUE;
}

static gboolean
take_all(All *all, GError **error)
{
  gboolean ok = TRUE, go_on = TRUE;
  while (ok && go_on && (all->next || all->highest)) {
    Piece *piece = g_steal_pointer(&all->next);
    ok = (piece || ask_next(all, &piece, error)) && (!piece || take_piece(all, piece, &go_on, error));
    if (piece && is_same_session(all))
      g_queue_remove(&all->imap->session->asked, &piece->ask); /* the line broke before its answer */
    piece_free(piece);
  }
  if (all->next && is_same_session(all)) {
    if (!ml_imap_session_settle(all->imap->session, NULL))
      g_debug("the line broke before the rest of the list came"); /* whoever asks next is told */
    g_queue_remove(&all->imap->session->asked, &all->next->ask);
  }
  piece_free(all->next);
  return ok;
}

/* By sequence numbers: they cannot change while such a FETCH runs, chunks are of equal size however thin
 * the uids are, and the answers fill the session's slots. What is expunged between two chunks moves only
 * what was told already. */
static gboolean
headers_all(MlImap *imap, guint first, MlHeadersFunc func, gpointer user_data, GError **error)
{
  guint32 lowest_ahead = 0;
  GError *why = NULL;
  g_autoptr(GPtrArray) ahead = ml_imap_ahead_headers(imap->session, &lowest_ahead, &why);
  if (why) {
    g_propagate_error(error, why);
    return FALSE;
  }
  guint total = imap->session->slots->len;
  All all = { .imap = imap, .connection = imap->connections, .highest = total, .size = first, .total = total, .func = func,
              .user_data = user_data };
  if (ahead) {
    sort_headers(ahead);
    all.done = ahead->len;
    if (!tell_slices(ahead, total, func, user_data))
      return TRUE;
    if (!is_same_session(&all)) {
      g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "The connection was lost.");
      return FALSE;
    }
    /* The caller may have heard of expunged messages meanwhile. */
    all.highest = MIN(lowest_ahead - 1, imap->session->slots->len);
    all.size = 100;
    all.told = TRUE;
  }
  return take_all(&all, error);
}

gboolean
ml_imap_headers(MlDriver *driver, guint32 above, guint first, MlHeadersFunc func, gpointer user_data,
                GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (!ml_imap_need_folder(imap, error))
    return FALSE;
  if (above)
    return headers_above(imap, above, func, user_data, error);
  imap->listed = TRUE;
  g_clear_pointer(&imap->known, g_array_unref);
  imap->session->changes->new_mail = FALSE;
  return headers_all(imap, first, func, user_data, error);
}

/* Asks for the last @n of @uids, or fewer where they lie so thin that the command would grow too long. */
static char *
last_set(const GArray *uids, guint end, guint *n)
{
  for (;; *n = (*n + 1) / 2) {
    g_autoptr(GArray) part = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(part, &g_array_index(uids, guint32, end - *n), *n);
    g_autofree char *set = ml_imap_uid_set(part);
    if (*n == 1 || strlen(set) <= SET_MAX)
      return g_steal_pointer(&set);
  }
}

gboolean
ml_imap_headers_of(MlDriver *driver, const GArray *uids, MlHeadersFunc func, gpointer user_data, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  guint connection = imap->connections, size = FIRST_CHUNK;
  for (guint end = uids->len; end > 0;) {
    if (imap->connections != connection || !imap->session) {
      g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "The connection was lost.");
      return FALSE;
    }
    guint n = MIN(size, end);
    g_autofree char *set = last_set(uids, end, &n);
    g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
    Headers chunk = { headers, 0, 0, 0 };
    if (!ml_imap_need_folder(imap, error) || (end > ML_IMAP_BULK && !ml_imap_compress(imap, error)) ||
        !ml_imap_session_command(imap->session, on_header, &chunk, error, "UID FETCH %s " ML_IMAP_HEADER_ITEMS, set))
      return FALSE;
    sort_headers(headers);
    end -= n;
    if (headers->len && !func(g_steal_pointer(&headers), uids->len - end, uids->len, user_data))
      return TRUE;
    size = MIN(size * 2, ML_CHUNK_MAX);
  }
  return TRUE;
}

/* ---- changes */

/* What "[COPYUID 38505 304,319:320 3956:3958]" says (RFC 4315). */
static void
on_copied(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  MlDriver *driver = user_data;
  const MlNode *validity = response->code ? response->code->next : NULL, *from = validity ? validity->next : NULL;
  guint64 number;
  if (!driver->copied || !ml_node_is(response->code, "COPYUID") || !from ||
      !ml_node_number(validity, G_MAXUINT32, &number))
    return;
  g_autoptr(GArray) here = ml_imap_numbers(from, UIDS_A_COMMAND), there = ml_imap_numbers(from->next, UIDS_A_COMMAND);
  if (!here || !there || here->len != there->len || !number)
    return;
  if (driver->copied_validity && driver->copied_validity != number)
    g_hash_table_remove_all(driver->copied); /* of a folder that was replaced in between */
  driver->copied_validity = (guint32)number;
  for (guint i = 0; i < here->len; i++)
    g_hash_table_insert(driver->copied, GUINT_TO_POINTER(g_array_index(here, guint32, i)),
                        GUINT_TO_POINTER(g_array_index(there, guint32, i)));
}

/* A copy or a move is about to be asked for. */
static void
listen_for_copied(MlImap *imap)
{
  if (imap->session->caps & ML_IMAP_UIDPLUS && !imap->base.copied)
    imap->base.copied = g_hash_table_new(NULL, NULL);
}

/* Runs @format, which ends in "%s" for a set of numbers, over all of @uids in commands of bounded length. */
static gboolean
each_set(MlImap *imap, GArray *uids, const char *verb, const char *rest, GError **error)
{
  if (!ml_imap_need_folder(imap, error))
    return FALSE;
  g_autoptr(GArray) all = g_array_copy(uids);
  g_autofree char *sorted = ml_imap_uid_set(all);
  for (guint at = 0; at < all->len; at += UIDS_A_COMMAND) {
    g_autoptr(GArray) part = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(part, &g_array_index(all, guint32, at), MIN(UIDS_A_COMMAND, all->len - at));
    g_autofree char *set = ml_imap_uid_set(part);
    if (!ml_imap_session_command(imap->session, on_copied, &imap->base, error, "UID %s %s%s%s", verb, set,
                                 *rest ? " " : "", rest))
      return FALSE;
  }
  return TRUE;
}

static gboolean
store(MlImap *imap, GArray *uids, const char *sign, guint flags, GError **error)
{
  MlImapSession *session = imap->session;
  if (!ml_imap_need_folder(imap, error))
    return FALSE;
  if (!session->keywords && !session->forwarded) { /* a keyword, which this folder does not keep */
    imap->base.unkept |= flags & ML_FLAG_FORWARDED;
    flags &= ~(guint)ML_FLAG_FORWARDED;
  }
  if (!flags)
    return TRUE;
  g_autoptr(GHashTable) own = g_hash_table_new(g_direct_hash, g_direct_equal);
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_add(own, GUINT_TO_POINTER(g_array_index(uids, guint32, i)));
  g_autofree char *words = ml_imap_flags_text(flags);
  g_autofree char *rest = g_strdup_printf("%sFLAGS (%s)", sign, words);
  session->own = own;
  gboolean ok = each_set(imap, uids, "STORE", rest, error);
  session->own = NULL;
  return ok;
}

gboolean
ml_imap_store_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  return (!add || store(imap, uids, "+", add, error)) && (!remove || store(imap, uids, "-", remove, error));
}

static char *
quoted_mailbox(MlImap *imap, const char *folder, GError **error)
{
  g_autofree char *mailbox = ml_imap_session_mailbox(imap->session, folder, error);
  return mailbox ? ml_imap_quote(mailbox) : NULL;
}

static gboolean
name_target(MlImap *imap, const char *folder, gboolean ok, GError **error)
{
  if (!ok && imap->session->code && g_ascii_strcasecmp(imap->session->code, "TRYCREATE") == 0 && error) {
    g_clear_error(error);
    g_set_error(error, ML_ERROR, ML_ERROR_NO_FOLDER, "There is no folder \"%s\" on %s.", folder,
                imap->session->host);
  }
  return ok;
}

/* Did the line break with the question on its way? Then nobody knows whether the server has done it. */
static void
note_unsure(MlImap *imap, const GError *why)
{
  if (ml_imap_session_is_broken(why) && imap->session && imap->session->sent)
    imap->base.unsure = TRUE;
}

gboolean
ml_imap_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  GError *why = NULL;
  g_autofree char *quoted = ml_imap_need_folder(imap, error) ? quoted_mailbox(imap, folder, error) : NULL;
  if (!quoted)
    return FALSE;
  listen_for_copied(imap);
  if (name_target(imap, folder, each_set(imap, uids, "COPY", quoted, &why), &why))
    return TRUE;
  note_unsure(imap, why);
  g_propagate_error(error, why);
  return FALSE;
}

gboolean
ml_imap_expunge(MlDriver *driver, GArray *uids, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (!ml_imap_need_folder(imap, error))
    return FALSE;
  if (imap->session->caps & ML_IMAP_UIDPLUS)
    return each_set(imap, uids, "EXPUNGE", "", error);
  return ml_imap_expunge_plain(imap, uids, error);
}

gboolean
ml_imap_moves_whole(const MlDriver *driver)
{
  const MlImapSession *session = ((const MlImap *)driver)->session;
  return session && session->caps & ML_IMAP_MOVE;
}

/* MOVE may be said twice: what has moved is not there any more. Without it a message is copied, then deleted: once the
 * copy was asked for, a broken line leaves it in either folder or in both, never in none. */
gboolean
ml_imap_move(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (!ml_imap_need_folder(imap, error))
    return FALSE;
  if (imap->session->caps & ML_IMAP_MOVE) {
    g_autofree char *quoted = quoted_mailbox(imap, folder, error);
    listen_for_copied(imap);
    return quoted && name_target(imap, folder, each_set(imap, uids, "MOVE", quoted, error), error);
  }
  if (!ml_imap_copy(driver, uids, folder, error))
    return FALSE;
  GError *why = NULL;
  if (ml_imap_store_flags(driver, uids, ML_FLAG_DELETED, 0, &why) && ml_imap_expunge(driver, uids, &why))
    return TRUE;
  imap->base.unsure = TRUE;
  g_propagate_error(error, why);
  return FALSE;
}
