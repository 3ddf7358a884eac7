#include <string.h>

#include "mail/imap-private.h"
#include "mail/sync.h"

/* Opening a folder that was read before. Whatever the server can do, it ends with the session's slots complete (the
 * number and flags of every message, in order), as if all had been listed; then what the caller had is compared with
 * them. So a server that forgets to tell something costs a longer answer, and not a wrong list. */

MlImapSlot
ml_imap_slot(guint32 uid, guint flags)
{
  return (MlImapSlot){ uid, flags == ML_SYNC_UNKNOWN ? ML_IMAP_FLAGS_UNKNOWN : (guint8)flags };
}

MlFlagChange
ml_imap_slot_says(const MlImapSlot *slot)
{
  return (MlFlagChange){ slot->uid, slot->flags == ML_IMAP_FLAGS_UNKNOWN ? ML_SYNC_UNKNOWN : slot->flags };
}

static int
compare_slots(gconstpointer a, gconstpointer b)
{
  guint32 one = ((const MlImapSlot *)a)->uid, other = ((const MlImapSlot *)b)->uid;
  return one < other ? -1 : one > other ? 1 : 0;
}

static gboolean
had_uid(const GArray *had, guint32 uid)
{
  guint low = 0, high = had->len;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    guint32 at = g_array_index(had, MlFlagChange, middle).uid;
    if (at == uid)
      return TRUE;
    if (at < uid)
      low = middle + 1;
    else
      high = middle;
  }
  return FALSE;
}

/* Completes the slots from what was had without those in @gone, and from what the server told in between. FALSE: that
 * does not come to the server's own count, or to its order; or something came and it does not say what. */
static gboolean
join(MlImapSession *session, const MlSyncPoint *known, const GArray *had, const GArray *gone)
{
  g_autoptr(GArray) all = g_array_sized_new(FALSE, TRUE, sizeof(MlImapSlot), session->slots->len);
  for (guint i = 0; i < had->len; i++) {
    const MlFlagChange *one = &g_array_index(had, MlFlagChange, i);
    MlImapSlot slot = ml_imap_slot(one->uid, one->flags);
    if (!gone || !ml_imap_in_ranges(gone, one->uid))
      g_array_append_val(all, slot);
  }
  guint kept = all->len;
  for (guint i = 0; i < session->slots->len; i++) {
    MlImapSlot slot = g_array_index(session->slots, MlImapSlot, i);
    if (slot.uid && !had_uid(had, slot.uid))
      g_array_append_val(all, slot);
  }
  if (all->len != session->slots->len || (all->len == kept && session->uidnext != known->uidnext))
    return FALSE;
  if (all->len > kept)
    g_array_sort(all, compare_slots);
  for (guint i = 0; i < all->len; i++) {
    const MlImapSlot *told = &g_array_index(session->slots, MlImapSlot, i);
    MlImapSlot *slot = &g_array_index(all, MlImapSlot, i);
    if (told->uid && told->uid != slot->uid)
      return FALSE;
    if (told->uid && told->flags != ML_IMAP_FLAGS_UNKNOWN)
      slot->flags = told->flags;
  }
  if (all->len)
    memcpy(session->slots->data, all->data, all->len * sizeof(MlImapSlot));
  return TRUE;
}

/* CONDSTORE alone tells of changes, and not of what has gone. */
static gboolean
changed_since(MlImapSession *session, const MlSyncPoint *known, const GArray *had, gboolean *joined, GError **error)
{
  gboolean same = session->modseq == known->modseq && session->uidnext == known->uidnext;
  g_autoptr(GError) why = NULL;
  if (!same && !ml_imap_session_command(session, NULL, NULL, &why,
                                        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE %" G_GUINT64_FORMAT ")", known->modseq)) {
    if (!ml_imap_session_is_broken(why))
      return TRUE; /* it promised more than it keeps: all is listed */
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  *joined = join(session, known, had, NULL);
  return TRUE;
}

/* ---- numbers and flags as ranges (ESEARCH, RFC 4731): some hundred octets where a line a message would be megabytes */

static const struct {
  const char *key;
  guint flag;
} found_flags[] = { { "ALL", 0 },
                    { "SEEN", ML_FLAG_SEEN },
                    { "ANSWERED", ML_FLAG_ANSWERED },
                    { "FLAGGED", ML_FLAG_FLAGGED },
                    { "DELETED", ML_FLAG_DELETED },
                    { "DRAFT", ML_FLAG_DRAFT },
                    { "KEYWORD $Forwarded", ML_FLAG_FORWARDED } };
enum { SEARCHES = G_N_ELEMENTS(found_flags), FEW = 100, FOUND_TEXT = 16 * 1024 * 1024 };

typedef struct {
  MlImapAsk ask;
  GArray *ranges; /* of MlImapRange; NULL: none, or it did not say */
  gboolean told;
} Found;

/* (TAG "7") UID ALL 1:3,7; nothing behind UID where nothing was found. */
static void
on_found(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  Found *found = user_data;
  if (response->kind != ML_RESPONSE_ESEARCH || found->told)
    return;
  gboolean uid = FALSE;
  for (const MlNode *node = response->data; node; node = node->next) {
    uid |= ml_node_is(node, "UID");
    if (uid && ml_node_is(node, "ALL") && node->next)
      found->ranges = ml_imap_ranges(node->next);
  }
  found->told = uid;
}

static gboolean
ask_all(MlImapSession *session, Found *found, gboolean *ok, GError **error)
{
  ml_imap_session_pipe(session);
  gboolean sent = TRUE;
  for (guint i = 0; i < SEARCHES && sent; i++) {
    found[i].ask.data = on_found;
    found[i].ask.user_data = &found[i];
    sent = ml_imap_session_ask(session, &found[i].ask, error, "UID SEARCH RETURN (ALL) %s", found_flags[i].key);
  }
  sent = ml_imap_session_pipe_end(session, sent ? error : NULL) && sent;
  *ok = TRUE;
  for (guint i = 0; i < SEARCHES && sent; i++) {
    g_autoptr(GError) why = NULL;
    if (!ml_imap_session_answer(session, &found[i].ask, &why)) {
      *ok = FALSE;
      if (ml_imap_session_is_broken(why)) {
        g_propagate_error(error, g_steal_pointer(&why));
        return FALSE;
      }
    }
    *ok = *ok && found[i].told;
  }
  return sent;
}

/* Its messages one after another, against the server's own count. */
static gboolean
fill_slots(MlImapSession *session, const Found *found)
{
  guint n = session->slots->len;
  g_autoptr(GArray) all = g_array_sized_new(FALSE, TRUE, sizeof(MlImapSlot), n);
  for (guint i = 0; found[0].ranges && i < found[0].ranges->len; i++) {
    const MlImapRange *range = &g_array_index(found[0].ranges, MlImapRange, i);
    if ((guint64)range->high - range->low + 1 > n - all->len)
      return FALSE;
    for (guint64 uid = range->low; uid <= range->high; uid++) {
      MlImapSlot slot = { (guint32)uid, 0 };
      for (guint j = 1; j < SEARCHES; j++)
        if (found[j].ranges && ml_imap_in_ranges(found[j].ranges, slot.uid))
          slot.flags |= (guint8)found_flags[j].flag;
      g_array_append_val(all, slot);
    }
  }
  if (all->len != n)
    return FALSE;
  if (n)
    memcpy(session->slots->data, all->data, n * sizeof(MlImapSlot));
  return TRUE;
}

/* *done: the slots are complete. */
static gboolean
search_all(MlImapSession *session, gboolean *done, GError **error)
{
  Found found[SEARCHES] = { 0 };
  guint moved = session->moved;
  MlSieve *sieve = session->stream->sieve;
  ml_sieve_set_lenient(sieve, FOUND_TEXT);
  gboolean alive = ml_imap_ahead_settle(session, error) && ask_all(session, found, done, error);
  ml_sieve_set_lenient(sieve, 0);
  *done = alive && *done && session->moved == moved && fill_slots(session, found);
  for (guint i = 0; i < SEARCHES; i++) {
    g_clear_pointer(&found[i].ranges, g_array_unref);
    g_free(found[i].ask.code);
    g_free(found[i].ask.words);
    g_queue_remove(&session->asked, &found[i].ask); /* the line broke before its answer */
  }
  return alive;
}

gboolean
ml_imap_list_all(MlImapSession *session, GError **error)
{
  gboolean done = FALSE, search = session->slots->len > FEW && (session->caps & ML_IMAP_ESEARCH);
  if (search && !search_all(session, &done, error))
    return FALSE;
  if (done || !session->slots->len)
    return TRUE;
  /* Some may have gone meanwhile, and a place that is no more may not be asked for. */
  return ml_imap_session_command(session, NULL, NULL, error, "UID FETCH 1:* (UID FLAGS)");
}

gboolean
ml_imap_uids(MlDriver *driver, GArray *uids, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (!ml_imap_need_folder(imap, error) || !ml_imap_list_all(imap->session, error))
    return FALSE;
  for (guint i = 0; i < imap->session->slots->len; i++) {
    const MlImapSlot *slot = &g_array_index(imap->session->slots, MlImapSlot, i);
    const MlFlagChange one = ml_imap_slot_says(slot);
    if (slot->uid) /* else the server did not say */
      g_array_append_val(uids, one);
  }
  imap->listed = TRUE;
  g_clear_pointer(&imap->known, g_array_unref);
  return TRUE;
}

void
ml_imap_compare(const MlImapSession *session, const GArray *had, MlSyncNews *news)
{
  g_autoptr(GArray) now = g_array_sized_new(FALSE, FALSE, sizeof(MlFlagChange), session->slots->len);
  for (guint i = 0; i < session->slots->len; i++) {
    const MlImapSlot *slot = &g_array_index(session->slots, MlImapSlot, i);
    const MlFlagChange one = ml_imap_slot_says(slot);
    if (slot->uid) /* else the server did not say */
      g_array_append_val(now, one);
  }
  g_array_sort(now, ml_flag_change_compare);
  ml_sync_compare(had, now, news);
}

/* NULL: none; else it may be in *made, which is the caller's to free. */
const char *
ml_imap_select_parameters(guint caps, gboolean qresync, const MlSyncPoint *known, char **made)
{
  *made = qresync && known->uidvalidity && known->modseq
              ? g_strdup_printf("QRESYNC (%u %" G_GUINT64_FORMAT ")", known->uidvalidity, known->modseq)
              : NULL;
  return *made ? *made : caps & ML_IMAP_CONDSTORE ? "CONDSTORE" : NULL;
}

/* *resynced: the server was told what we have, and *earlier is all that went since. */
static gboolean
select_known(MlImap *imap, const char *folder, const MlSyncPoint *known, GArray *earlier, gboolean *resynced,
             GError **error)
{
  MlImapSession *session = imap->session;
  g_autoptr(GError) why = NULL;
  g_autofree char *made = NULL;
  const char *parameters = NULL;
  gboolean ok, ahead = ml_imap_ahead_is(session, folder, known);
  if (ahead) {
    ok = ml_imap_ahead_select(session, earlier, resynced, &why);
  } else if (!ml_imap_ahead_settle(session, error)) {
    return FALSE;
  } else {
    parameters = ml_imap_select_parameters(session->caps, session->qresync, known, &made);
    session->earlier = earlier;
    ok = ml_imap_session_select(session, folder, parameters, &why);
    *resynced = ok && made && session->earlier;
    session->earlier = NULL;
  }
  if (!ok && (parameters || ahead) && !ml_imap_session_is_broken(why) && session->status == ML_RESPONSE_BAD) {
    g_clear_error(&why); /* it promised more than it keeps */
    ok = ml_imap_session_select(session, folder, NULL, &why);
  }
  if (!ok)
    g_propagate_error(error, g_steal_pointer(&why));
  return ok;
}

gboolean
ml_imap_sync(MlDriver *driver, const char *folder, const MlSyncPoint *known, const GArray *had, MlSyncNews *news,
             GError **error)
{
  MlImap *imap = (MlImap *)driver;
  g_autoptr(GError) why = NULL;
  g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
  g_clear_pointer(&imap->known, g_array_unref);
  imap->listed = FALSE;
  gboolean resynced = FALSE;
  gboolean ok = select_known(imap, folder, known, earlier, &resynced, &why);
  if (!ok && ml_imap_connect_stepwise(imap, why)) {
    g_clear_error(&why);
    ok = select_known(imap, folder, known, earlier, &resynced, &why);
  }
  if (!ok) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  MlImapSession *session = imap->session;
  ml_imap_opened(imap, folder, &news->selected);
  news->point = (MlSyncPoint){ session->uidvalidity, session->uidnext, session->modseq };
  news->reset = !known->uidvalidity || known->uidvalidity != session->uidvalidity;
  if (news->reset)
    return TRUE;
  /* A folder that keeps no numbers of changes any more, or lower ones (a restored server), tells nothing by them. */
  gboolean joined = FALSE, usable = known->modseq && session->modseq >= known->modseq;
  if (usable && resynced) {
    ml_imap_ranges_sort(earlier);
    joined = join(session, known, had, earlier);
  } else if (usable && !changed_since(session, known, had, &joined, error)) {
    return FALSE;
  }
  if (!joined && !ml_imap_list_all(session, error))
    return FALSE;
  news->selected.total = session->slots->len;
  ml_imap_compare(session, had, news);
  imap->listed = TRUE;
  return TRUE;
}
