#include "mail/pending-private.h"

#include <string.h>
#include <unistd.h>

/* BROKEN_MAX: so often the line may break over one entry before it counts as failed: it must not hold up all others.
 * FRESH: seconds; a change that waited for longer looks first what of its messages is still there. */
enum { BROKEN_MAX = 8, FRESH = 10 };

typedef struct {
  MlPending *pending;
  MlDriver *driver;
  MlStore *store; /* NULL: none */
  const MlPendingFuncs *funcs;
  MlPendingEntry *entry;
  gboolean asked; /* the server may have been asked for this entry */
  GError *journal; /* the journal itself failed: nothing more is done */
} Carry;

static gboolean
for_good(const Carry *carry, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean
for_good(const Carry *carry, GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *words = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "%s", words);
  (void)carry;
  return FALSE;
}

static gboolean
is_for_good(const GError *why)
{
  return g_error_matches(why, ML_ERROR, ML_ERROR_FAILED) || g_error_matches(why, ML_ERROR, ML_ERROR_NOT_FOUND) ||
         g_error_matches(why, ML_ERROR, ML_ERROR_MALFORMED) || g_error_matches(why, ML_ERROR, ML_ERROR_POLICY);
}

static gboolean
select_any(Carry *carry, const char *folder, MlSelected *selected, GError **error)
{
  return carry->funcs->select ? carry->funcs->select(folder, selected, carry->funcs->user_data, error)
                              : ml_driver_select(carry->driver, folder, selected, error);
}

static gboolean
select_folder(Carry *carry, GError **error)
{
  const MlPendingEntry *entry = carry->entry;
  MlSelected selected;
  if (!select_any(carry, entry->folder, &selected, error))
    return FALSE;
  if (entry->uidvalidity && selected.uidvalidity != entry->uidvalidity)
    return for_good(carry, error,
                    "The folder %s was replaced by another one on the server since, so that its messages have other "
                    "numbers: do it again there.",
                    entry->folder);
  if (selected.read_only && entry->kind != ML_PENDING_COPY)
    return for_good(carry, error, "The folder %s is read-only for you on the server.", entry->folder);
  return TRUE;
}

/* From here on the server may have done it. */
static gboolean
begin(Carry *carry, GError **error)
{
  GError *why = NULL;
  if (!ml_pending_begin(carry->pending, carry->entry->id, &why)) {
    if (!why) /* dropped just now */
      why = g_error_new(ML_ERROR, ML_ERROR_CANCELLED, "It was taken back.");
    carry->journal = g_error_copy(why);
    g_propagate_error(error, why);
    return FALSE;
  }
  carry->asked = TRUE;
  ml_pending_point("pending-begun");
  return TRUE;
}

static GArray *
uids_of(const MlPendingEntry *entry)
{
  GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < entry->messages->len; i++)
    g_array_append_val(uids, ((const MlPendingMessage *)entry->messages->pdata[i])->uid);
  return uids;
}

/* uid -> octets */
static gboolean
on_there(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    g_hash_table_insert(user_data, GUINT_TO_POINTER(header->uid), GSIZE_TO_POINTER((gsize)header->size));
  }
  g_ptr_array_unref(headers);
  return TRUE;
}

/* "\"Lunch\" <id@x>", or how many. */
static char *
which_words(const GPtrArray *messages)
{
  const MlPendingMessage *first = messages->pdata[0];
  return messages->len == 1 ? g_strdup_printf("\"%s\"%s%s%s", first->subject, *first->message_id ? " <" : "",
                                              first->message_id, *first->message_id ? ">" : "")
                            : g_strdup_printf("%u messages (\"%s\" is one)", messages->len, first->subject);
}

static gboolean
flags(Carry *carry, GError **error)
{
  g_autoptr(GArray) uids = uids_of(carry->entry);
  return begin(carry, error) &&
         ml_driver_flags(carry->driver, uids, carry->entry->add, carry->entry->remove, error);
}

static gboolean
expunge(Carry *carry, GError **error)
{
  g_autoptr(GArray) uids = uids_of(carry->entry);
  return begin(carry, error) && ml_driver_flags(carry->driver, uids, ML_FLAG_DELETED, 0, error) &&
         ml_driver_expunge(carry->driver, uids, error);
}

typedef struct {
  const char *message_id;
  GArray *uids;
  GHashTable *sizes; /* of octets; NULL: not wanted */
} Named;

static gboolean
on_named(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Named *named = user_data;
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    if (strcmp(header->message_id, named->message_id) != 0)
      continue;
    g_array_append_val(named->uids, header->uid);
    if (named->sizes)
      g_hash_table_add(named->sizes, GSIZE_TO_POINTER((gsize)header->size));
  }
  g_ptr_array_unref(headers);
  return TRUE;
}

/* In the selected folder; newest first. A server finds what the Message-ID is a part of, too. */
static GArray *
find_named(Carry *carry, const char *message_id, GHashTable *sizes, GError **error)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  Named named = { message_id, uids, sizes };
  g_autoptr(GArray) found = *message_id ? ml_driver_find(carry->driver, message_id, error)
                                        : g_array_new(FALSE, FALSE, sizeof(guint32));
  return found && ml_driver_headers_of(carry->driver, found, on_named, &named, error) ? g_steal_pointer(&uids) : NULL;
}

/* A copy or a move, sorted by what was found before it is asked for. */
typedef struct {
  GArray *todo;      /* uids */
  GArray *there;     /* uids that were copied by an attempt before, and are still here */
  GPtrArray *gone;   /* of MlPendingMessage: in neither folder, as far as it can be told */
  GPtrArray *unsure; /* of MlPendingMessage: may be in the target already, and it cannot be looked for */
} Filing;

static void
filing_clear(Filing *filing)
{
  g_array_unref(filing->todo);
  g_array_unref(filing->there);
  g_ptr_array_unref(filing->gone);
  g_ptr_array_unref(filing->unsure);
}

/* One with its Message-ID is there: the same? An older draft, or a forged one, has the Message-ID alone. */
static gboolean
compare_there(Carry *carry, MlPendingMessage *message, gsize size, Filing *filing, GError **error)
{
  MlSelected selected;
  g_autoptr(GHashTable) sizes = g_hash_table_new(NULL, NULL);
  g_autoptr(GArray) uids = select_any(carry, carry->entry->to, &selected, error)
                               ? find_named(carry, message->message_id, sizes, error)
                               : NULL;
  if (!uids)
    return FALSE;
  if (g_hash_table_contains(sizes, GSIZE_TO_POINTER(size)))
    g_array_append_val(filing->there, message->uid);
  else
    g_ptr_array_add(filing->unsure, message);
  return TRUE;
}

/* Has an attempt that nobody saw the end of put it there? @all_here: as on_there() has them. */
static gboolean
look_there(Carry *carry, MlPendingMessage *message, GHashTable *all_here, Filing *filing, GError **error)
{
  gpointer size = NULL;
  gboolean here = g_hash_table_lookup_extended(all_here, GUINT_TO_POINTER(message->uid), NULL, &size);
  gboolean found = FALSE, move = carry->entry->kind == ML_PENDING_MOVE;
  if (move && here && ml_driver_moves_whole(carry->driver)) { /* then it was not moved */
    g_array_append_val(filing->todo, message->uid);
    return TRUE;
  }
  if (!*message->message_id) {
    g_ptr_array_add(filing->unsure, message);
    return TRUE;
  }
  GError *why = NULL;
  if (!ml_driver_has(carry->driver, carry->entry->to, message->message_id, &found, &why)) {
    if (!is_for_good(why)) {
      g_propagate_error(error, why);
      return FALSE;
    }
    g_error_free(why); /* it cannot search */
    g_ptr_array_add(filing->unsure, message);
  } else if (found && here) {
    return compare_there(carry, message, GPOINTER_TO_SIZE(size), filing, error);
  } else if (here) {
    g_array_append_val(filing->todo, message->uid);
  } else if (!found) {
    g_ptr_array_add(filing->gone, message);
  }
  return TRUE;
}

static gboolean
sort_out(Carry *carry, Filing *filing, GError **error)
{
  const MlPendingEntry *entry = carry->entry;
  gboolean again = entry->tries > 0, fresh = g_get_real_time() / G_USEC_PER_SEC - entry->at < FRESH;
  g_autoptr(GArray) uids = uids_of(entry);
  if (!again && fresh) { /* it was on the screen just now */
    g_array_append_vals(filing->todo, uids->data, uids->len);
    return TRUE;
  }
  g_autoptr(GHashTable) here = g_hash_table_new(NULL, NULL);
  if (!ml_driver_headers_of(carry->driver, uids, on_there, here, error))
    return FALSE;
  for (guint i = 0; i < entry->messages->len; i++) {
    MlPendingMessage *message = entry->messages->pdata[i];
    if (again) {
      if (!look_there(carry, message, here, filing, error))
        return FALSE;
    } else if (g_hash_table_contains(here, GUINT_TO_POINTER(message->uid))) {
      g_array_append_val(filing->todo, message->uid);
    } else {
      g_ptr_array_add(filing->gone, message);
    }
  }
  return !again || select_folder(carry, error); /* to look there has left it */
}

/* The server told of none. So it does where there was none any more, and for a folder whose numbers do not last: then
 * they have gone there. What has no Message-ID, or cannot be looked for, counts as done: no second copy comes of it. */
static gboolean
look_after(Carry *carry, Filing *filing, GError **error)
{
  g_autoptr(GHashTable) todo = g_hash_table_new(NULL, NULL), here = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < filing->todo->len; i++)
    g_hash_table_add(todo, GUINT_TO_POINTER(g_array_index(filing->todo, guint32, i)));
  if (!ml_driver_headers_of(carry->driver, filing->todo, on_there, here, error))
    return FALSE;
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    gpointer uid = GUINT_TO_POINTER(message->uid);
    gboolean found = FALSE;
    g_autoptr(GError) why = NULL;
    if (!g_hash_table_contains(todo, uid) || g_hash_table_contains(here, uid) || !*message->message_id)
      continue;
    if (ml_driver_has(carry->driver, carry->entry->to, message->message_id, &found, &why)) {
      if (!found)
        g_ptr_array_add(filing->gone, message);
    } else if (!is_for_good(why)) {
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
  }
  return select_folder(carry, error); /* to look there has left it */
}

/* What the server told of where they are now; those that it did not speak of were gone. */
static gboolean
note_copied(Carry *carry, Filing *filing, GError **error)
{
  guint32 validity;
  GHashTable *copied = ml_driver_copied(carry->driver, &validity);
  if (!copied)
    return TRUE;
  if (!g_hash_table_size(copied))
    return look_after(carry, filing, error);
  carry->entry->to_validity = validity;
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    message->there = GPOINTER_TO_UINT(g_hash_table_lookup(copied, GUINT_TO_POINTER(message->uid)));
    for (guint j = 0; !message->there && j < filing->todo->len; j++)
      if (g_array_index(filing->todo, guint32, j) == message->uid)
        g_ptr_array_add(filing->gone, message);
  }
  return TRUE;
}

/* What was done of it is done; what was not must be known. */
static gboolean
say_rest(Carry *carry, const Filing *filing, GError **error)
{
  const char *verb = carry->entry->kind == ML_PENDING_COPY ? "copied" : "moved";
  if (filing->unsure->len) {
    g_autofree char *which = which_words(filing->unsure);
    return for_good(carry, error,
                    "%s may have been %s to %s already, when the line broke, and was not %s a second time: look there.",
                    which, verb, carry->entry->to, verb);
  }
  if (!filing->gone->len)
    return TRUE;
  g_autofree char *which = which_words(filing->gone);
  return for_good(carry, error,
                  "%s is not in %s any more, and could not be %s to %s: another program has deleted or moved it.", which,
                  carry->entry->folder, verb, carry->entry->to);
}

static gboolean
file_all(Carry *carry, Filing *filing, GError **error)
{
  gboolean move = carry->entry->kind == ML_PENDING_MOVE;
  if (!sort_out(carry, filing, error) || !begin(carry, error))
    return FALSE;
  if (filing->todo->len) {
    if (!(move ? ml_driver_move(carry->driver, filing->todo, carry->entry->to, error)
               : ml_driver_copy(carry->driver, filing->todo, carry->entry->to, error)))
      return FALSE;
    if (!note_copied(carry, filing, error))
      return FALSE;
  }
  if (move && filing->there->len &&
      (!ml_driver_flags(carry->driver, filing->there, ML_FLAG_DELETED, 0, error) ||
       !ml_driver_expunge(carry->driver, filing->there, error)))
    return FALSE;
  return say_rest(carry, filing, error);
}

static gboolean
file(Carry *carry, GError **error)
{
  Filing filing = { g_array_new(FALSE, FALSE, sizeof(guint32)), g_array_new(FALSE, FALSE, sizeof(guint32)),
                    g_ptr_array_new(), g_ptr_array_new() };
  gboolean ok = file_all(carry, &filing, error);
  filing_clear(&filing);
  return ok;
}

/* ---- by Message-ID alone */

static gint
by_uid(gconstpointer a, gconstpointer b)
{
  guint32 one = (*(MlPendingMessage *const *)a)->uid, other = (*(MlPendingMessage *const *)b)->uid;
  return one < other ? -1 : one > other;
}

/* The numbers that were found are written down before they are used: after a broken line it is looked for them. */
static gboolean
keep_names(Carry *carry, guint32 uidvalidity, GError **error)
{
  MlPendingEntry *entry = carry->entry;
  GError *why = NULL;
  entry->uidvalidity = uidvalidity;
  entry->add = 0;
  g_ptr_array_sort(entry->messages, by_uid);
  if (ml_pending_name(carry->pending, entry, &why))
    return TRUE;
  carry->journal = g_error_copy(why);
  g_propagate_error(error, why);
  return FALSE;
}

/* Its number here: of several with one Message-ID the newest that is not in @used, which gets it. */
static gboolean
name_one(Carry *carry, MlPendingMessage *message, GHashTable *used, gboolean *named, GError **error)
{
  g_autoptr(GArray) uids = find_named(carry, message->message_id, NULL, error);
  *named = FALSE;
  for (guint i = 0; uids && i < uids->len && !*named; i++) {
    guint32 uid = g_array_index(uids, guint32, i);
    if (g_hash_table_contains(used, GUINT_TO_POINTER(uid)))
      continue;
    g_hash_table_insert(used, GUINT_TO_POINTER(uid), NULL);
    message->uid = uid;
    *named = TRUE;
  }
  return uids != NULL;
}

/* A move back of what the server did not number. */
static gboolean
move_back(Carry *carry, GError **error)
{
  MlSelected selected;
  g_autoptr(GHashTable) used = g_hash_table_new(NULL, NULL);
  if (!select_any(carry, carry->entry->folder, &selected, error))
    return FALSE;
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    gboolean named;
    if (!name_one(carry, message, used, &named, error))
      return FALSE;
    if (!named) {
      g_autofree char *which = g_strdup_printf("\"%s\"%s%s%s", message->subject, *message->message_id ? " <" : "",
                                               message->message_id, *message->message_id ? ">" : "");
      return for_good(carry, error, "%s is not to be found in %s any more, and was not moved back.", which,
                      carry->entry->folder);
    }
  }
  return keep_names(carry, selected.uidvalidity, error) && file(carry, error);
}

/* What undo moves back may have been moved away and back since, and has another number then. */
static gboolean
name_moved(Carry *carry, GError **error)
{
  g_autoptr(GArray) uids = uids_of(carry->entry);
  g_autoptr(GHashTable) here = g_hash_table_new(NULL, NULL);
  gboolean any = FALSE;
  if (!ml_driver_headers_of(carry->driver, uids, on_there, here, error))
    return FALSE;
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    gboolean named = FALSE;
    if (g_hash_table_contains(here, GUINT_TO_POINTER(message->uid)) || !*message->message_id)
      continue;
    if (!name_one(carry, message, here, &named, error))
      return FALSE;
    any |= named;
  }
  return !any || keep_names(carry, carry->entry->uidvalidity, error);
}

static gboolean
remove_named(Carry *carry, GError **error)
{
  const MlPendingMessage *message = carry->entry->messages->pdata[0];
  g_autoptr(GArray) uids = find_named(carry, message->message_id, NULL, error);
  return uids && begin(carry, error) &&
         (!uids->len || (ml_driver_flags(carry->driver, uids, ML_FLAG_DELETED, 0, error) &&
                         ml_driver_expunge(carry->driver, uids, error)));
}

static gboolean
append(Carry *carry, GError **error)
{
  const MlPendingEntry *entry = carry->entry;
  const MlPendingMessage *message = entry->messages->pdata[0];
  gint64 received = 0;
  gboolean there = FALSE;
  g_autoptr(GBytes) bytes = ml_pending_body(carry->pending, entry->id, &received, error);
  if (!bytes)
    return FALSE;
  if (entry->tries && !*message->message_id)
    return for_good(carry, error,
                    "It may be in %s already, put there when the line broke, and was not put there a second time: look "
                    "there.",
                    entry->folder);
  if (entry->tries && !ml_driver_has(carry->driver, entry->folder, message->message_id, &there, error))
    return FALSE;
  return begin(carry, error) &&
         (there || ml_driver_append(carry->driver, entry->folder, bytes, entry->add, received, NULL, error));
}

static gboolean
carry_out(Carry *carry, GError **error)
{
  gboolean named = carry->entry->kind == ML_PENDING_APPEND || carry->entry->kind == ML_PENDING_REMOVE;
  if (named && !carry->entry->messages->len)
    return for_good(carry, error, "It does not say which message it is about.");
  if (carry->entry->kind == ML_PENDING_APPEND)
    return append(carry, error);
  GError *why = NULL;
  if (!select_folder(carry, &why)) {
    gboolean nothing = carry->entry->kind == ML_PENDING_REMOVE && g_error_matches(why, ML_ERROR, ML_ERROR_NOT_FOUND);
    if (nothing)
      g_error_free(why);
    else
      g_propagate_error(error, why);
    return nothing;
  }
  if (carry->entry->kind == ML_PENDING_MOVE && carry->entry->add)
    return move_back(carry, error);
  if (carry->entry->kind == ML_PENDING_MOVE && carry->entry->by_itself && !carry->entry->tries &&
      !name_moved(carry, error))
    return FALSE;
  switch (carry->entry->kind) {
  case ML_PENDING_FLAGS:
    return flags(carry, error);
  case ML_PENDING_COPY:
  case ML_PENDING_MOVE:
    return file(carry, error);
  case ML_PENDING_EXPUNGE:
    return expunge(carry, error);
  case ML_PENDING_REMOVE:
    return remove_named(carry, error);
  case ML_PENDING_APPEND:
    break;
  }
  g_assert_not_reached();
}

/* The store as the server has it now; what fails here is found by the next comparison. */
static void
keep(Carry *carry, gboolean done)
{
  const MlPendingEntry *entry = carry->entry;
  g_autoptr(GArray) uids = uids_of(entry);
  g_autoptr(GError) why = NULL;
  gboolean ok = TRUE;
  if (!carry->store || !entry->uidvalidity)
    return;
  if (done && entry->kind == ML_PENDING_FLAGS) {
    guint lost = ml_driver_unkept(carry->driver);
    ok = ml_store_change_flags(carry->store, entry->folder, entry->uidvalidity, uids, entry->add & ~lost,
                               entry->remove & ~lost, &why);
  } else if (done && entry->kind != ML_PENDING_COPY) {
    MlStoreStep step = { .uidvalidity = entry->uidvalidity, .vanished = uids };
    ok = ml_store_apply(carry->store, entry->folder, &step, &why);
  }
  if (!ok || !ml_pending_refresh(carry->pending, carry->store, entry->folder, &why))
    g_debug("%s: %s", entry->folder, why ? why->message : "not kept");
}

/* FALSE: no more of them can be carried out now. */
static gboolean
carry_one(Carry *carry, GError **error)
{
  MlPendingEntry *entry = carry->entry;
  g_autoptr(GError) why = NULL;
  gboolean ok = carry_out(carry, &why);
  if (carry->journal) {
    gboolean gone = g_error_matches(carry->journal, ML_ERROR, ML_ERROR_CANCELLED);
    if (!gone)
      g_propagate_error(error, g_error_copy(carry->journal));
    g_clear_error(&carry->journal);
    return gone;
  }
  ml_pending_point("pending-asked");
  if (!ok && !is_for_good(why)) {
    gboolean line = g_error_matches(why, ML_ERROR, ML_ERROR_OFFLINE) || g_error_matches(why, ML_ERROR, ML_ERROR_PROTOCOL);
    if (!carry->asked || !line || entry->tries + 1 < BROKEN_MAX) {
      MlPendingState state = carry->asked || entry->state == ML_PENDING_BEGUN ? ML_PENDING_BEGUN : ML_PENDING_WAITING;
      if (!ml_pending_settle(carry->pending, entry, state, why->message, NULL))
        g_debug("the reason was not kept");
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
    g_prefix_error(&why, "The line broke each time that the server was asked for it: look whether it is done. ");
  }
  keep(carry, ok); /* first: what is shown and waits for nothing any more must be as the server has it */
  if (!ml_pending_settle(carry->pending, entry, ok ? ML_PENDING_DONE : ML_PENDING_FAILED, ok ? NULL : why->message, error))
    return FALSE;
  ml_pending_point("pending-settled");
  keep(carry, FALSE);
  if (carry->funcs->settled)
    carry->funcs->settled(entry, ok ? NULL : why, carry->funcs->user_data);
  return TRUE;
}

gboolean
ml_pending_carry(MlPending *pending, MlDriver *driver, MlStore *store, const MlPendingFuncs *funcs, gboolean *busy,
                 GError **error)
{
  guint open, failed;
  *busy = FALSE;
  if (!ml_pending_count(pending, &open, &failed, error))
    return FALSE;
  if (!open)
    return TRUE;
  int lock = ml_pending_lock(pending, busy, error);
  if (lock < 0)
    return *busy;
  gboolean ok = TRUE;
  for (gint64 above = 0; ok && !(funcs->stopped && funcs->stopped(funcs->user_data));) {
    g_autoptr(GPtrArray) next = ml_pending_list(pending, ML_PENDING_OPEN, above, 1, error);
    if (!next || !next->len) {
      ok = next != NULL;
      break;
    }
    Carry carry = { pending, driver, store, funcs, next->pdata[0], FALSE, NULL };
    above = carry.entry->id;
    ok = carry_one(&carry, error);
  }
  close(lock);
  return ok;
}

/* ---- what the store shows */

gboolean
ml_pending_refresh(MlPending *pending, MlStore *store, const char *folder, GError **error)
{
  guint32 validity;
  if (!ml_store_validity(store, folder, &validity, error))
    return FALSE;
  g_autoptr(GArray) shown = validity ? ml_pending_shown(pending, folder, validity, error) : NULL;
  return !validity || (shown && ml_store_show(store, folder, validity, shown, error));
}

gboolean
ml_pending_refresh_all(MlPending *pending, MlStore *store, GError **error)
{
  g_auto(GStrv) shown = ml_store_shown_folders(store, error);
  g_autoptr(GPtrArray) open = shown ? ml_pending_list(pending, ML_PENDING_OPEN, 0, 0, error) : NULL;
  g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);
  if (!open)
    return FALSE;
  for (guint i = 0; shown[i]; i++)
    g_hash_table_add(done, shown[i]);
  for (guint i = 0; i < open->len; i++)
    g_hash_table_add(done, ((MlPendingEntry *)open->pdata[i])->folder);
  GHashTableIter iter;
  gpointer folder;
  g_hash_table_iter_init(&iter, done);
  while (g_hash_table_iter_next(&iter, &folder, NULL))
    if (!ml_pending_refresh(pending, store, folder, error))
      return FALSE;
  return TRUE;
}
