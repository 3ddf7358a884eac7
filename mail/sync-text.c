#include <string.h>

#include "mail/sync.h"

/* Which text an account wants here, and keeping it. */

gboolean
ml_sync_wants(const MlAccount *account, gint64 now, gint64 *since)
{
  if (!account->keep || !strcmp(account->keep, "read"))
    return FALSE;
  *since = !strcmp(account->keep, "all")      ? G_MININT64
           : !strcmp(account->keep, "recent") ? now - (gint64)account->keep_days * 86400
                                              : G_MAXINT64;
  return TRUE;
}

gboolean
ml_sync_room(MlStore *store, gboolean *room, GError **error)
{
  enum { RESERVE = 64 * 1024 * 1024 };
  guint64 left = 0;
  gboolean ok = ml_store_room(store, &left, error);
  *room = ok && left > RESERVE;
  return ok;
}

gboolean
ml_sync_keep(MlStore *store, const char *folder, guint32 uidvalidity, const GPtrArray *bodies, guint *kept, gboolean *room,
             GError **error)
{
  if (!ml_store_put_all(store, folder, uidvalidity, bodies, error))
    return FALSE;
  *kept += bodies->len;
  return ml_sync_room(store, room, error);
}
