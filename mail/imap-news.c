#include <string.h>

#include "mail/imap-private.h"

enum { IDLE_MS = 28 * 60 * 1000, QUIET_MS = 200 };

/* ---- news */

/* What happened while there was no connection: the flags of all messages are asked for, a few octets each,
 * and compared with what was told. */
static gboolean
resync(MlImap *imap, GError **error)
{
  MlImapSession *session = imap->session;
  if (!ml_imap_list_all(session, error))
    return FALSE; /* the next connection compares */
  g_autoptr(GArray) known = g_steal_pointer(&imap->known), had = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  for (guint i = 0; i < known->len; i++) {
    MlImapSlot slot = g_array_index(known, MlImapSlot, i);
    MlFlagChange one = ml_imap_slot_says(&slot);
    if (slot.uid)
      g_array_append_val(had, one);
  }
  g_array_sort(had, ml_flag_change_compare);
  g_autoptr(GArray) missing = g_array_new(FALSE, FALSE, sizeof(guint32));
  MlSyncNews news = { .vanished = session->changes->vanished, .flag_changes = session->changes->flag_changes,
                      .missing = missing };
  ml_imap_compare(session, had, &news);
  guint32 top = had->len ? g_array_index(had, MlFlagChange, had->len - 1).uid : 0;
  session->changes->new_mail |= missing->len && g_array_index(missing, guint32, missing->len - 1) > top;
  return TRUE;
}

/* Whoever works sends the next command soon, and the slots would be packed for each. */
static CryptoTlsWait
wait_quietly(MlImapSession *session, int timeout_ms, int wake_fd)
{
  CryptoTls *tls = session->stream->wire.tls;
  int first = MIN(timeout_ms, QUIET_MS);
  CryptoTlsWait what = crypto_tls_wait(tls, first, wake_fd);
  if (what != CRYPTO_TLS_TIMEOUT || first == timeout_ms)
    return what;
  MlImapPacked *packed = ml_imap_slots_pack(session);
  what = crypto_tls_wait(tls, timeout_ms - first, wake_fd);
  ml_imap_slots_unpack(session, packed);
  return what;
}

/* Reads what the server says by itself. TRUE: the wait is over (*done), or goes on. */
static gboolean
listen_once(MlImap *imap, int timeout_ms, int wake_fd, gboolean *woken, gboolean *timeout, GError **error)
{
  MlImapSession *session = imap->session;
  *woken = *timeout = FALSE;
  CryptoTlsWait what = CRYPTO_TLS_DATA;
  if (ml_sieve_is_empty(session->stream->sieve) && !ml_wire_pending(&session->stream->wire))
    what = wait_quietly(session, timeout_ms, wake_fd);
  *woken = what == CRYPTO_TLS_WOKEN;
  *timeout = what == CRYPTO_TLS_TIMEOUT;
  if (*woken || *timeout)
    return TRUE;
  GError *why = NULL;
  while (ml_imap_stream_ready(session->stream, &why))
    continue;
  if (why)
    g_propagate_error(error, why);
  return why == NULL;
}

static gboolean
wait_idle(MlImap *imap, int wake_fd, gboolean *over, GError **error)
{
  MlImapSession *session = imap->session;
  gboolean go_on, woken = FALSE, timeout = FALSE;
  GError *why = NULL;
  if (!ml_imap_session_send(session, "IDLE", error))
    return FALSE;
  if (!ml_imap_session_finish(session, &go_on, NULL, &why)) {
    if (ml_imap_session_is_broken(why)) {
      g_propagate_error(error, why);
      return FALSE;
    }
    g_clear_error(&why);
    go_on = FALSE;
  }
  if (!go_on) {
    imap->idle_refused = TRUE; /* it promised more than it keeps: we ask every minute instead */
    return TRUE;
  }
  gint64 end = g_get_monotonic_time() + (gint64)IDLE_MS * 1000;
  while (ml_changes_empty(session->changes) && !woken && !timeout) {
    gint64 left = (end - g_get_monotonic_time()) / 1000;
    if (!listen_once(imap, (int)MAX(left, 0), wake_fd, &woken, &timeout, error))
      return FALSE;
    timeout |= left <= 0;
  }
  *over = woken;
  return ml_imap_stream_write(session->stream, "DONE\r\n", 6, error) &&
         ml_imap_session_finish(session, NULL, NULL, error);
}

static gboolean
wait_noop(MlImap *imap, int wake_fd, gboolean *over, GError **error)
{
  gboolean woken, timeout;
  if (!listen_once(imap, imap->noop_ms, wake_fd, &woken, &timeout, error))
    return FALSE;
  *over = woken;
  return !timeout || ml_imap_session_noop(imap->session, error);
}

gboolean
ml_imap_wait(MlDriver *driver, int wake_fd, gboolean once, MlChanges *changes, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  gboolean over = FALSE;
  if (imap->folder && !imap->session->folder && !ml_imap_need_folder(imap, error)) {
    if (!error || !ml_error_is_absent(*error))
      return FALSE;
    g_clear_error(error);
    changes->reset = TRUE;
    g_clear_pointer(&imap->folder, g_free);
    return TRUE;
  }
  MlImapSession *session = imap->session;
  if (imap->known && session->folder && !resync(imap, error))
    return FALSE;
  if (once && !ml_imap_session_noop(session, error))
    return FALSE;
  while (!once && !over && ml_changes_empty(session->changes)) {
    gboolean idle = (session->caps & ML_IMAP_IDLE) && !imap->idle_refused;
    if (!(idle ? wait_idle(imap, wake_fd, &over, error) : wait_noop(imap, wake_fd, &over, error)))
      return FALSE;
  }
  ml_changes_merge(changes, session->changes);
  return TRUE;
}
