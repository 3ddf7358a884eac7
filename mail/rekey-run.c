#include <string.h>

#include "mail/files.h"
#include "mail/rekey-private.h"

/* Some messages are begun before the first of them is ended, so that a folder is read again, and expunged, once for all
 * of them. What is begun lies in the folder twice. */
enum { BATCH = 20, BATCH_OCTETS = 16 * 1024 * 1024, FIRST = 1000 };

typedef struct {
  MlDriver *driver;
  MlRekeyState *state;
  const MlRekeyFuncs *funcs;
  gboolean remove;
  gboolean unsure; /* the line broke: what was asked for last may yet be done */
} Run;

static void
tell_left(const Run *run, guint32 uid, const char *reason)
{
  const MlRekeyTold told = { .uid = uid, .reason = reason };
  if (run->funcs && run->funcs->told)
    run->funcs->told(&told, run->funcs->user_data);
}

static GArray *
one_uid(guint32 uid)
{
  GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_val(uids, uid);
  return uids;
}

/* --- where they are */

typedef struct {
  GArray *uids; /* guint32: of what may be a copy */
} Candidates;

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Candidates *candidates = user_data;
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    if (header->hints & ML_HINT_ENCRYPTED)
      g_array_append_val(candidates->uids, header->uid);
  }
  g_ptr_array_unref(headers);
  return TRUE;
}

/* What has its ciphertext is the copy. Where it was stored in this run, its header must be what was stored, too; else
 * that of the old one, once that is at hand. */
static void
take_copy(MlRekeyEntry *entry, guint32 uid, GBytes *raw)
{
  entry->copy = uid;
  entry->checked = TRUE;
  entry->mangled = entry->given && !ml_rekey_same(raw, entry->given);
  g_free(entry->fields);
  entry->fields = entry->given ? NULL : ml_rekey_fields(raw);
}

static void
match(MlRekeyState *state, guint32 uid, GBytes *raw, gboolean anew)
{
  g_autofree char *digest = ml_rekey_digest(raw);
  for (guint i = 0; digest && i < state->entries->len; i++) {
    MlRekeyEntry *entry = state->entries->pdata[i];
    if (entry->done)
      continue;
    if (!entry->copy && strcmp(entry->new_digest, digest) == 0) {
      take_copy(entry, uid, raw);
    } else if (anew && !entry->old && strcmp(entry->old_digest, digest) == 0) {
      entry->old = uid;
      return; /* one that was there twice has two */
    }
  }
}

/* Looks through what has a number above @above for the copies whose number is not known; @anew: for the old ones too. */
static gboolean
locate(Run *run, guint32 above, gboolean anew, GError **error)
{
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  Candidates candidates = { uids };
  if (!ml_driver_headers(run->driver, above, FIRST, on_headers, &candidates, error))
    return FALSE;
  for (guint i = 0; i < uids->len; i++) {
    g_autoptr(GError) why = NULL;
    guint32 uid = g_array_index(uids, guint32, i);
    g_autoptr(GBytes) raw = ml_driver_fetch(run->driver, uid, NULL, NULL, NULL, &why);
    if (raw) {
      match(run->state, uid, raw, anew);
    } else if (!ml_error_is_absent(why)) {
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
  }
  return TRUE;
}

/* The folder has other numbers than when this was noted: all are found again by what they hold. */
static gboolean
renumber(Run *run, guint32 uidvalidity, GError **error)
{
  MlRekeyState *state = run->state;
  for (guint i = 0; i < state->entries->len; i++) {
    MlRekeyEntry *entry = state->entries->pdata[i];
    entry->old = entry->copy = entry->above = 0;
    entry->checked = FALSE;
  }
  if (!locate(run, 0, TRUE, error))
    return FALSE;
  state->uidvalidity = uidvalidity;
  for (guint i = 0; i < state->entries->len; i++) {
    MlRekeyEntry *entry = state->entries->pdata[i];
    entry->done = entry->done || !entry->old; /* gone: whoever took it away knows why */
  }
  return ml_rekey_state_rewrite(state, error);
}

/* The message of that number; NULL without an error: there is none. */
static GBytes *
fetch(MlDriver *driver, guint32 uid, GError **error)
{
  g_autoptr(GError) why = NULL;
  GBytes *raw = ml_driver_fetch(driver, uid, NULL, NULL, NULL, &why);
  if (!raw && !ml_error_is_absent(why))
    g_propagate_error(error, g_steal_pointer(&why));
  return raw;
}

/* The number that a copy was said to have, or had: if something else has it, it is none. */
static gboolean
check_number(Run *run, MlRekeyEntry *entry, GError **error)
{
  GError *why = NULL;
  if (entry->done || entry->checked || !entry->copy)
    return TRUE;
  g_autoptr(GBytes) raw = fetch(run->driver, entry->copy, &why);
  if (why) {
    g_propagate_error(error, why);
    return FALSE;
  }
  g_autofree char *digest = raw ? ml_rekey_digest(raw) : NULL;
  if (!digest || strcmp(digest, entry->new_digest) != 0)
    entry->copy = 0;
  else
    take_copy(entry, entry->copy, raw);
  return TRUE;
}

static gboolean
find_copies(Run *run, GError **error)
{
  MlRekeyState *state = run->state;
  guint32 above = G_MAXUINT32;
  for (guint i = 0; i < state->entries->len; i++)
    if (!check_number(run, state->entries->pdata[i], error))
      return FALSE;
  for (guint i = 0; i < state->entries->len; i++) {
    const MlRekeyEntry *entry = state->entries->pdata[i];
    if (!entry->done && !entry->copy)
      above = MIN(above, entry->above);
  }
  return above == G_MAXUINT32 || locate(run, above, FALSE, error);
}

/* --- what becomes of one */

static gboolean
take_out(MlDriver *driver, GArray *uids, GError **error)
{
  if (!uids->len)
    return TRUE;
  if (!ml_driver_flags(driver, uids, ML_FLAG_DELETED, 0, error))
    return FALSE;
  ml_files_point("rekey-marked");
  return ml_driver_expunge(driver, uids, error);
}

/* No copy is there that could stand for the old one. */
static gboolean
give_up(Run *run, MlRekeyEntry *entry, GError **error)
{
  g_autoptr(GArray) uids = one_uid(entry->copy);
  if (run->unsure && !entry->copy)
    return TRUE; /* the next run looks again */
  if (entry->mangled && !take_out(run->driver, uids, error)) /* it is ours: nobody else has that ciphertext */
    return FALSE;
  if (entry->given || entry->mangled)
    tell_left(run, entry->old, entry->mangled ? "The mail server gave back another header than was stored."
                                              : "The new copy was stored, and cannot be found.");
  return ml_rekey_state_done(run->state, entry, error);
}

/* Is the old one there still, and what it was? One whose copy was stored in this run is known to be. What an earlier
 * run stored is not at hand any more: there the old one's header tells whether the copy's is whole. Without an old one
 * the copy is all there is, and stays whatever its header is. */
static gboolean
old_is_there(Run *run, MlRekeyEntry *entry, gboolean *there, GError **error)
{
  GError *why = NULL;
  *there = entry->given && !entry->mangled;
  if (*there)
    return TRUE;
  g_autoptr(GBytes) raw = fetch(run->driver, entry->old, &why);
  if (why) {
    g_propagate_error(error, why);
    return FALSE;
  }
  g_autofree char *digest = raw ? ml_rekey_digest(raw) : NULL;
  *there = digest && strcmp(digest, entry->old_digest) == 0;
  if (*there && !entry->given) {
    g_autofree char *fields = ml_rekey_fields(raw);
    entry->mangled = !fields || g_strcmp0(fields, entry->fields) != 0;
  }
  entry->mangled = entry->mangled && *there;
  return TRUE;
}

/* Its flags, as they are now. Who had both for a while may have given the new one others since. */
static gboolean
give_flags(Run *run, const MlRekeyEntry *entry, gboolean *there, GError **error)
{
  g_autoptr(GError) why = NULL;
  if (!*there || (run->state->keep && !entry->given) ||
      ml_driver_flags_as(run->driver, entry->old, entry->copy, &why))
    return TRUE;
  *there = FALSE;
  if (ml_error_is_absent(why))
    return TRUE; /* another program has taken it away meanwhile */
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

static gboolean
end_one(Run *run, MlRekeyEntry *entry, GError **error)
{
  const MlRekeyTold told = { .uid = entry->old,
                             .copy = entry->copy,
                             .cipher = entry->cipher,
                             .raised = entry->raised,
                             .inner = entry->inner };
  if (run->funcs && run->funcs->told && (run->remove || entry->given))
    run->funcs->told(&told, run->funcs->user_data);
  g_clear_pointer(&entry->given, g_bytes_unref);
  entry->ended = TRUE;
  return !run->remove || ml_rekey_state_done(run->state, entry, error);
}

static gboolean
settle_all(Run *run, GError **error)
{
  g_autoptr(GPtrArray) ready = g_ptr_array_new();
  g_autoptr(GArray) olds = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint i = 0; i < run->state->entries->len; i++) {
    MlRekeyEntry *entry = run->state->entries->pdata[i];
    gboolean there = FALSE;
    if (entry->done || (entry->checked && entry->ended && !run->remove))
      continue;
    if (entry->checked && !old_is_there(run, entry, &there, error))
      return FALSE;
    if (!entry->checked || entry->mangled) {
      if (!give_up(run, entry, error))
        return FALSE;
      continue;
    }
    if (!give_flags(run, entry, &there, error))
      return FALSE;
    g_ptr_array_add(ready, entry);
    if (there)
      g_array_append_val(olds, entry->old);
  }
  ml_files_point("rekey-checked");
  if (run->remove && !take_out(run->driver, olds, error))
    return FALSE;
  ml_files_point("rekey-expunged");
  for (guint i = 0; i < ready->len; i++)
    if (!end_one(run, ready->pdata[i], error))
      return FALSE;
  return TRUE;
}

/* @open: the folder is, and the numbers of all copies are known. */
static gboolean
settle(Run *run, gboolean open, GError **error)
{
  MlSelected selected;
  if (!ml_rekey_state_waiting(run->state))
    return TRUE;
  if (!open && !ml_driver_select(run->driver, run->state->folder, &selected, error))
    return FALSE;
  if (!open && selected.uidvalidity != run->state->uidvalidity && !renumber(run, selected.uidvalidity, error))
    return FALSE;
  return find_copies(run, error) && settle_all(run, error);
}

gboolean
ml_rekey_settle(MlDriver *driver, MlRekeyState *state, gboolean remove, const MlRekeyFuncs *funcs, GError **error)
{
  Run run = { .driver = driver, .state = state, .funcs = funcs, .remove = remove };
  return settle(&run, FALSE, error);
}

/* --- a folder */

typedef struct {
  Run run;
  const MlRekeyOptions *options;
  guint32 above;
  guint begun; /* since the last settling */
  gsize octets;
  gboolean unnumbered; /* the store does not tell a copy's number */
} Work;

static gboolean
settle_batch(Work *work, GError **error)
{
  if (!settle(&work->run, !work->unnumbered, error))
    return FALSE;
  for (guint i = 0; i < work->run.state->entries->len; i++) {
    const MlRekeyEntry *entry = work->run.state->entries->pdata[i];
    work->above = MAX(work->above, entry->copy);
  }
  work->begun = 0;
  work->octets = 0;
  work->unnumbered = FALSE;
  return TRUE;
}

/* Nothing came of it on the other side, as far as can be told. */
static gboolean
is_refusal(const GError *error)
{
  return ml_error_is_absent(error) ||
         (error->domain == ML_ERROR && (error->code == ML_ERROR_FAILED || error->code == ML_ERROR_STORE ||
                                        error->code == ML_ERROR_MALFORMED));
}

static gboolean
append(Work *work, const MlRekeyItem *item, const MlRekeyed *made, guint32 *copy, GError **error)
{
  const guint kept = ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FLAGGED | ML_FLAG_DRAFT | ML_FLAG_FORWARDED;
  GError *why = NULL;
  if (ml_driver_append(work->run.driver, work->run.state->folder, made->message, item->flags & kept, item->received,
                       copy, &why))
    return TRUE;
  g_propagate_error(error, why);
  return FALSE;
}

static gboolean
store(Work *work, const MlRekeyItem *item, const MlRekeyed *made, GError **error)
{
  MlRekeyState *state = work->run.state;
  guint32 copy = 0;
  GError *why = NULL;
  MlRekeyEntry *entry = ml_rekey_state_put(state, item->uid, work->above, made, error);
  if (!entry)
    return FALSE;
  ml_files_point("rekey-noted");
  if (!append(work, item, made, &copy, &why)) {
    if (is_refusal(why) && !ml_rekey_state_done(state, entry, NULL))
      g_debug("the next run looks for a copy that was not stored");
    g_propagate_error(error, why);
    return FALSE;
  }
  ml_files_point("rekey-stored");
  work->begun++;
  work->octets += g_bytes_get_size(made->message);
  work->unnumbered = work->unnumbered || !copy;
  if (copy && !ml_rekey_state_stored(state, entry, copy, error))
    return FALSE;
  ml_files_point("rekey-numbered");
  return TRUE;
}

/* A full mailbox may have room again once the old copies of what was stored before are gone. Once more only if it was the
 * mailbox that refused it: a copy that lies there, and whose number could not be noted, is one of those that are begun. */
static gboolean
try_store(Work *work, const MlRekeyItem *item, const MlRekeyed *made, GError **error)
{
  g_autoptr(GError) why = NULL;
  guint begun = work->begun;
  if (store(work, item, made, &why))
    return TRUE;
  if (begun && work->begun == begun && !work->run.state->keep && is_refusal(why) && settle_batch(work, error))
    return store(work, item, made, error);
  if (why && (!error || !*error))
    g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

/* FALSE: an error that the next message would meet too. */
static gboolean
do_one(Work *work, const MlRekeyItem *item, GError **error)
{
  g_autoptr(GError) why = NULL;
  g_auto(MlRekeyed) made = { .message = NULL };
  MlRekeyOptions options = *work->options;
  g_autoptr(GBytes) raw = ml_driver_fetch(work->run.driver, item->uid, NULL, NULL, NULL, &why);
  if (!raw && ml_error_is_absent(why))
    return TRUE; /* gone meanwhile */
  options.received = item->received;
  options.uid = item->uid;
  if (raw && ml_rekey_message(raw, &options, &made, &why))
    return try_store(work, item, &made, error);
  if (!raw || !g_error_matches(why, ML_ERROR, ML_ERROR_FAILED)) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  tell_left(&work->run, item->uid, why->message);
  return TRUE;
}

gboolean
ml_rekey_run(MlDriver *driver, MlRekeyState *state, const GArray *todo, guint32 highest,
             const MlRekeyOptions *options, const MlRekeyFuncs *funcs, gboolean *stopped, GError **error)
{
  Work work = { .options = options, .above = highest };
  work.run = (Run){ .driver = driver, .state = state, .funcs = funcs, .remove = !state->keep };
  MlSelected selected;
  GError *why = NULL;
  *stopped = FALSE;
  if (!ml_driver_select(driver, state->folder, &selected, error))
    return FALSE;
  if (selected.uidvalidity != state->uidvalidity) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The folder was replaced meanwhile: nothing was done. Try again.");
    return FALSE;
  }
  for (guint i = 0; i < todo->len && !why && !*stopped; i++) {
    *stopped = funcs && funcs->step && !funcs->step(i, todo->len, funcs->user_data);
    if (!*stopped && do_one(&work, &g_array_index(todo, MlRekeyItem, i), &why) &&
        (work.begun >= BATCH || work.octets >= BATCH_OCTETS) && !settle_batch(&work, &why))
      work.begun = 0;
  }
  /* What was stored before something failed is ended all the same, if that can be. */
  GError *late = NULL;
  work.run.unsure = why && !is_refusal(why);
  if (work.begun && !settle_batch(&work, &late) && !why)
    why = g_steal_pointer(&late);
  g_clear_error(&late);
  if (why)
    g_propagate_error(error, why);
  return why == NULL;
}
