#include <string.h>

#include "mail/carry-private.h"
#include "mail/files.h"

/* BROKEN_MAX: so often the line may break over one entry before it counts as failed: it must not hold up all others.
 * PATIENCE: seconds after which what a server puts off counts as refused. */
enum { BROKEN_MAX = 8, PATIENCE = 24 * 3600 };

gboolean
ml_carry_for_good(MlCarry *carry, GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *words = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "%s", words);
  carry->ours = TRUE;
  return FALSE;
}

/* Right after the call that failed. */
static gboolean
is_passing(const MlCarry *carry)
{
  return !carry->ours && ml_driver_passing(carry->driver) &&
         g_get_real_time() / G_USEC_PER_SEC - carry->entry->at < PATIENCE;
}

gboolean
ml_carry_is_for_good(const MlCarry *carry, const GError *why)
{
  if (is_passing(carry))
    return FALSE;
  return g_error_matches(why, ML_ERROR, ML_ERROR_FAILED) || ml_error_is_absent(why) ||
         g_error_matches(why, ML_ERROR, ML_ERROR_MALFORMED) || g_error_matches(why, ML_ERROR, ML_ERROR_POLICY);
}

gboolean
ml_carry_open(MlCarry *carry, const char *folder, MlSelected *selected, GError **error)
{
  return carry->funcs->select ? carry->funcs->select(folder, selected, carry->funcs->user_data, error)
                              : ml_driver_select(carry->driver, folder, selected, error);
}

gboolean
ml_carry_select(MlCarry *carry, GError **error)
{
  const MlPendingEntry *entry = carry->entry;
  MlSelected selected;
  if (!ml_carry_open(carry, entry->folder, &selected, error))
    return FALSE;
  if (entry->uidvalidity && selected.uidvalidity != entry->uidvalidity)
    return ml_carry_for_good(carry, error,
                    "The folder %s was replaced by another one on the server since, so that its messages have other "
                    "numbers: do it again there.",
                    entry->folder);
  if (selected.read_only && entry->kind != ML_PENDING_COPY)
    return ml_carry_for_good(carry, error, "The folder %s is read-only for you on the server.", entry->folder);
  return TRUE;
}

/* From here on the server may have done it. */
gboolean
ml_carry_begin(MlCarry *carry, GError **error)
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
  carry->entry->tries++;
  ml_files_point("pending-begun");
  return TRUE;
}

GArray *
ml_carry_uids(const MlPendingEntry *entry)
{
  GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < entry->messages->len; i++)
    g_array_append_val(uids, ((const MlPendingMessage *)entry->messages->pdata[i])->uid);
  return uids;
}

static gboolean
flags(MlCarry *carry, GError **error)
{
  g_autoptr(GArray) uids = ml_carry_uids(carry->entry);
  return ml_carry_begin(carry, error) &&
         ml_driver_flags(carry->driver, uids, carry->entry->add, carry->entry->remove, error);
}

static gboolean
expunge(MlCarry *carry, GError **error)
{
  g_autoptr(GArray) uids = ml_carry_uids(carry->entry);
  return ml_carry_begin(carry, error) && ml_driver_delete(carry->driver, uids, error);
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
GArray *
ml_carry_find_named(MlCarry *carry, const char *message_id, GHashTable *sizes, GError **error)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  Named named = { message_id, uids, sizes };
  g_autoptr(GArray) found = *message_id ? ml_driver_find(carry->driver, message_id, error)
                                        : g_array_new(FALSE, FALSE, sizeof(guint32));
  return found && ml_driver_headers_of(carry->driver, found, on_named, &named, error) ? g_steal_pointer(&uids) : NULL;
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
keep_names(MlCarry *carry, guint32 uidvalidity, GError **error)
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
name_one(MlCarry *carry, MlPendingMessage *message, GHashTable *used, gboolean *named, GError **error)
{
  g_autoptr(GArray) uids = ml_carry_find_named(carry, message->message_id, NULL, error);
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

static gboolean
not_back(MlCarry *carry, const MlPendingMessage *message, GError **error)
{
  g_autofree char *which = g_strdup_printf("\"%s\"%s%s%s", message->subject, *message->message_id ? " <" : "",
                                           message->message_id, *message->message_id ? ">" : "");
  return ml_carry_for_good(carry, error, "%s is not to be found in %s any more, and was not moved back.", which,
                  carry->entry->folder);
}

/* A move back of what the server did not number. */
static gboolean
move_back(MlCarry *carry, GError **error)
{
  MlSelected selected;
  g_autoptr(GHashTable) used = g_hash_table_new(NULL, NULL);
  if (!ml_carry_open(carry, carry->entry->folder, &selected, error))
    return FALSE;
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    gboolean named;
    if (!name_one(carry, message, used, &named, error))
      return FALSE;
    if (!named)
      return not_back(carry, message, error);
  }
  return keep_names(carry, selected.uidvalidity, error) && ml_carry_file(carry, error);
}

/* uid -> Message-ID */
static gboolean
on_ids(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    g_hash_table_insert(user_data, GUINT_TO_POINTER(header->uid), g_strdup(header->message_id));
  }
  g_ptr_array_unref(headers);
  return TRUE;
}

/* What undo moves back may have been moved away and back since, and has another number then; and a number that a server
 * told may be another message's. */
static gboolean
name_moved(MlCarry *carry, GError **error)
{
  g_autoptr(GArray) uids = ml_carry_uids(carry->entry);
  g_autoptr(GHashTable) here = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  gboolean any = FALSE;
  if (!ml_driver_headers_of(carry->driver, uids, on_ids, here, error))
    return FALSE;
  for (guint i = 0; i < carry->entry->messages->len; i++) {
    MlPendingMessage *message = carry->entry->messages->pdata[i];
    const char *id = g_hash_table_lookup(here, GUINT_TO_POINTER(message->uid));
    gboolean named = FALSE;
    if (!*message->message_id || (id && strcmp(id, message->message_id) == 0))
      continue;
    if (!name_one(carry, message, here, &named, error))
      return FALSE;
    if (id && !named)
      return not_back(carry, message, error);
    any |= named;
  }
  return !any || keep_names(carry, carry->entry->uidvalidity, error);
}

static gboolean
remove_named(MlCarry *carry, GError **error)
{
  const MlPendingMessage *message = carry->entry->messages->pdata[0];
  g_autoptr(GArray) uids = ml_carry_find_named(carry, message->message_id, NULL, error);
  return uids && ml_carry_begin(carry, error) && ml_driver_delete(carry->driver, uids, error);
}

/* The folder is not opened: where there is none, nothing of it is there either. Any other reason is none to call it done. */
static gboolean
remove_nowhere(MlCarry *carry, GError **error)
{
  const MlPendingMessage *message = carry->entry->messages->pdata[0];
  gboolean there = FALSE;
  if (!ml_driver_has(carry->driver, carry->entry->folder, message->message_id, &there, error))
    return FALSE;
  return !there || (ml_carry_select(carry, error) && remove_named(carry, error));
}

static gboolean
append(MlCarry *carry, GError **error)
{
  const MlPendingEntry *entry = carry->entry;
  const MlPendingMessage *message = entry->messages->pdata[0];
  gint64 received = 0;
  gboolean there = FALSE;
  GError *why = NULL;
  g_autoptr(GBytes) bytes = ml_pending_body(carry->pending, entry->id, &received, &why);
  if (!bytes) {
    carry->ours = TRUE; /* the server was not asked */
    if (!g_error_matches(why, ML_ERROR, ML_ERROR_NOT_FOUND))
      carry->journal = g_error_copy(why);
    g_propagate_error(error, why);
    return FALSE;
  }
  carry->partly = entry->tries && !*message->message_id;
  if (carry->partly)
    return ml_carry_for_good(carry, error,
                    "It may be in %s already, put there when the line broke, and was not put there a second time: look "
                    "there.",
                    entry->folder);
  if (entry->tries && !ml_driver_has(carry->driver, entry->folder, message->message_id, &there, error))
    return FALSE;
  return ml_carry_begin(carry, error) &&
         (there || ml_driver_append(carry->driver, entry->folder, bytes, entry->add, received, NULL, error));
}

static gboolean
carry_out(MlCarry *carry, GError **error)
{
  gboolean named = carry->entry->kind == ML_PENDING_APPEND || carry->entry->kind == ML_PENDING_REMOVE;
  if (named && !carry->entry->messages->len)
    return ml_carry_for_good(carry, error, "It does not say which message it is about.");
  if (carry->entry->kind == ML_PENDING_APPEND)
    return append(carry, error);
  GError *why = NULL;
  if (!ml_carry_select(carry, &why)) {
    if (carry->entry->kind != ML_PENDING_REMOVE || carry->ours || !ml_error_is_absent(why)) {
      g_propagate_error(error, why);
      return FALSE;
    }
    g_error_free(why);
    return remove_nowhere(carry, error);
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
    return ml_carry_file(carry, error);
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
keep(MlCarry *carry, gboolean done)
{
  const MlPendingEntry *entry = carry->entry;
  g_autoptr(GArray) uids = ml_carry_uids(entry);
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

/* Was it refused as a whole? A COPY is (RFC 9051 6.4.7), a MOVE message by message (RFC 6851 3.3). */
static gboolean
is_whole(const MlCarry *carry)
{
  const MlPendingEntry *entry = carry->entry;
  if (carry->partly || entry->messages->len > ML_CARRY_ONE_COMMAND)
    return FALSE;
  return entry->kind == ML_PENDING_COPY || entry->kind == ML_PENDING_APPEND ||
         (entry->kind == ML_PENDING_MOVE && entry->messages->len == 1 && ml_driver_moves_whole(carry->driver));
}

/* What a person has to know who would now do it again. */
static void
say_partly(MlCarry *carry, GError **why)
{
  const MlPendingEntry *entry = carry->entry;
  carry->partly |= carry->asked && !carry->ours && ml_driver_unsure(carry->driver);
  if (carry->partly && !carry->ours && entry->kind == ML_PENDING_MOVE)
    g_prefix_error(why,
                   "It may have been copied to %s already, and is perhaps still in %s: nothing is lost; look at both before "
                   "you move it again. ",
                   entry->to, entry->folder);
}

/* FALSE: no more of them can be carried out now; or this one is put off. */
static gboolean
carry_one(MlCarry *carry, GError **error)
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
  ml_files_point("pending-asked");
  if (!ok && !ml_carry_is_for_good(carry, why)) {
    gboolean line = g_error_matches(why, ML_ERROR, ML_ERROR_OFFLINE) || g_error_matches(why, ML_ERROR, ML_ERROR_PROTOCOL);
    gboolean refused = is_passing(carry);
    carry->passing = refused || g_error_matches(why, ML_ERROR, ML_ERROR_STORE); /* a file here, say: for this one alone */
    if (!carry->asked || !line || entry->tries < BROKEN_MAX) {
      gboolean begun = entry->state == ML_PENDING_BEGUN || (carry->asked && !(refused && is_whole(carry)));
      MlPendingState state = begun ? ML_PENDING_BEGUN : ML_PENDING_WAITING;
      if (carry->passing) /* the line is not at fault; and of what was refused whole nothing is to be looked for */
        entry->tries = begun ? MIN(entry->tries, 1) : 0;
      if (!ml_pending_settle(carry->pending, entry, state, why->message, NULL))
        g_debug("the reason was not kept");
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
    g_prefix_error(&why, "The line broke each time that the server was asked for it: look whether it is done. ");
    carry->partly = carry->ours = TRUE; /* that says it */
  }
  if (!ok)
    say_partly(carry, &why);
  entry->partly = carry->partly;
  keep(carry, ok); /* first: what is shown and waits for nothing any more must be as the server has it */
  if (!ml_pending_settle(carry->pending, entry, ok ? ML_PENDING_DONE : ML_PENDING_FAILED, ok ? NULL : why->message, error))
    return FALSE;
  ml_files_point("pending-settled");
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
  if (!ml_pending_lock(pending, busy, error))
    return *busy;
  gboolean ok = TRUE;
  g_autoptr(GHashTable) held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL); /* folders */
  g_autoptr(GError) put_off = NULL;
  for (gint64 above = 0; ok && !(funcs->stopped && funcs->stopped(funcs->user_data));) {
    g_autoptr(GPtrArray) next = ml_pending_list(pending, ML_PENDING_OPEN, above, 1, error);
    if (!next || !next->len) {
      ok = next != NULL;
      break;
    }
    MlCarry carry = { .pending = pending, .driver = driver, .store = store, .funcs = funcs, .entry = next->pdata[0] };
    const MlPendingEntry *entry = carry.entry;
    GError *why = NULL;
    above = entry->id;
    if (!g_hash_table_contains(held, entry->folder) && !(entry->to && g_hash_table_contains(held, entry->to)))
      ok = carry_one(&carry, &why) || carry.passing;
    else
      carry.passing = TRUE;
    if (carry.passing) { /* what comes behind it there waits, so that the order stays */
      g_hash_table_add(held, g_strdup(entry->folder));
      if (entry->to)
        g_hash_table_add(held, g_strdup(entry->to));
    }
    if (why && carry.passing && !put_off) {
      put_off = g_steal_pointer(&why);
      put_off->code = put_off->code == ML_ERROR_STORE ? ML_ERROR_FAILED : put_off->code; /* STORE: the journal's own */
    }
    if (why && !ok)
      g_propagate_error(error, why);
    else
      g_clear_error(&why);
  }
  ml_pending_unlock(pending);
  if (ok && put_off) {
    g_propagate_error(error, g_steal_pointer(&put_off));
    return FALSE;
  }
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
