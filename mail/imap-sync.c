#include <string.h>

#include "mail/imap-private.h"

/* Opening a folder that was read before. Whatever the server can do, it ends with the session's slots complete (the
 * number and flags of every message, in order), as if all had been listed; then what the caller had is compared with
 * them. So a server that forgets to tell something costs a longer answer, and not a wrong list. */

static void
enable(MlImapSession *session)
{
  const guint both = ML_IMAP_ENABLE | ML_IMAP_QRESYNC;
  if (!session->qresync && (session->caps & both) == both)
    session->qresync = ml_imap_session_command(session, NULL, NULL, NULL, "ENABLE QRESYNC");
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
 * does not come to the server's own count, or to its order. */
static gboolean
join(MlImapSession *session, const GArray *had, const GArray *gone)
{
  g_autoptr(GArray) all = g_array_sized_new(FALSE, TRUE, sizeof(MlImapSlot), session->slots->len);
  for (guint i = 0; i < had->len; i++) {
    const MlFlagChange *one = &g_array_index(had, MlFlagChange, i);
    MlImapSlot slot = { one->uid, one->flags };
    if (!gone || !ml_imap_in_ranges(gone, one->uid))
      g_array_append_val(all, slot);
  }
  guint kept = all->len;
  for (guint i = 0; i < session->slots->len; i++) {
    MlImapSlot slot = g_array_index(session->slots, MlImapSlot, i);
    if (slot.uid && !had_uid(had, slot.uid))
      g_array_append_val(all, slot);
  }
  if (all->len != session->slots->len)
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
  memcpy(session->slots->data, all->data, all->len * sizeof(MlImapSlot));
  return TRUE;
}

/* CONDSTORE alone tells of changes, and not of what has gone. */
static gboolean
changed_since(MlImapSession *session, const MlSyncPoint *known, const GArray *had, gboolean *joined, GError **error)
{
  *joined = FALSE;
  if (!known->modseq || !session->modseq)
    return TRUE;
  gboolean same = session->modseq == known->modseq && session->uidnext == known->uidnext;
  if (!same && !ml_imap_session_command(session, NULL, NULL, error,
                                        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE %" G_GUINT64_FORMAT ")", known->modseq))
    return FALSE;
  *joined = join(session, had, NULL);
  return TRUE;
}

static gboolean
list_all(MlImapSession *session, GError **error)
{
  guint n = session->slots->len;
  return !n || ml_imap_session_command(session, NULL, NULL, error, "FETCH 1:%u (UID FLAGS)", n);
}

static void
compare(const MlImapSession *session, const GArray *had, MlSyncNews *news)
{
  g_autoptr(GArray) now = g_array_copy(session->slots);
  g_array_sort(now, compare_slots);
  guint i = 0, j = 0;
  while (i < had->len || j < now->len) {
    const MlFlagChange *old = i < had->len ? &g_array_index(had, MlFlagChange, i) : NULL;
    const MlImapSlot *new = j < now->len ? &g_array_index(now, MlImapSlot, j) : NULL;
    if (new && !new->uid) {
      j++; /* the server did not say */
    } else if (old && new && old->uid == new->uid) {
      MlFlagChange change = { new->uid, new->flags };
      if (new->flags != ML_IMAP_FLAGS_UNKNOWN && new->flags != old->flags)
        g_array_append_val(news->flag_changes, change);
      i++;
      j++;
    } else if (old && (!new || old->uid < new->uid)) {
      g_array_append_val(news->vanished, old->uid);
      i++;
    } else {
      g_array_append_val(news->missing, new->uid);
      j++;
    }
  }
}

static gboolean
select_known(MlImap *imap, const char *folder, const MlSyncPoint *known, GArray *earlier, GError **error)
{
  MlImapSession *session = imap->session;
  enable(session);
  gboolean quick = session->qresync && known->uidvalidity && known->modseq;
  g_autofree char *parameters =
      quick ? g_strdup_printf("QRESYNC (%u %" G_GUINT64_FORMAT ")", known->uidvalidity, known->modseq)
      : session->caps & (ML_IMAP_CONDSTORE | ML_IMAP_QRESYNC) ? g_strdup("CONDSTORE")
                                                              : NULL;
  g_autoptr(GError) why = NULL;
  session->earlier = earlier;
  gboolean ok = ml_imap_session_select(session, folder, parameters, &why);
  session->earlier = NULL;
  if (!ok && parameters && !ml_imap_session_is_broken(why) && session->status == ML_RESPONSE_BAD) {
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
  MlImapSession *session = imap->session;
  g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
  g_clear_pointer(&imap->known, g_array_unref);
  imap->listed = FALSE;
  if (!select_known(imap, folder, known, earlier, error))
    return FALSE;
  ml_imap_opened(imap, folder, &news->selected);
  news->point = (MlSyncPoint){ session->uidvalidity, session->uidnext, session->modseq };
  news->reset = !known->uidvalidity || known->uidvalidity != session->uidvalidity;
  if (news->reset)
    return TRUE;
  gboolean joined = FALSE;
  if (session->qresync && known->modseq) {
    ml_imap_ranges_sort(earlier);
    joined = join(session, had, earlier);
  } else if (!changed_since(session, known, had, &joined, error)) {
    return FALSE;
  }
  if (!joined && !list_all(session, error))
    return FALSE;
  news->selected.total = session->slots->len;
  compare(session, had, news);
  imap->listed = TRUE;
  return TRUE;
}
