#include <string.h>

#include "mail/imap-private.h"

/* COMPRESS=DEFLATE (RFC 4978): never before the login, so that no secret of ours is ever in what is packed, and only where
 * much is to come from afar: it costs an answer that must be waited for, and on a quick line more time than it saves. */
enum { FAR_US = 10 * 1000 };

gboolean
ml_imap_compress(MlImap *imap, GError **error)
{
  MlImapSession *session = imap->session;
  const char *choice = imap->base.account->compress;
  gboolean always = g_strcmp0(choice, "always") == 0, never = g_strcmp0(choice, "never") == 0;
  if (session->compressed || never || !session->logged_in || !(session->caps & ML_IMAP_COMPRESS) ||
      (!always && session->answer_us < FAR_US))
    return TRUE;
  g_autoptr(GError) why = NULL;
  session->compressed = TRUE; /* it is asked once */
  if (ml_imap_session_command(session, NULL, NULL, &why, "COMPRESS DEFLATE")) {
    ml_imap_stream_compress(session->stream);
    return TRUE;
  }
  if (!ml_imap_session_is_broken(why))
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}
