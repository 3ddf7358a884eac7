#include "mail/source.h"

MlSource *
ml_source_new(const char *account, const char *folder, guint32 uidvalidity, guint32 uid, gboolean forwarded)
{
  if (!account || !folder || !uidvalidity || !uid)
    return NULL;
  MlSource *source = g_new(MlSource, 1);
  *source = (MlSource){ g_strdup(account), g_strdup(folder), uidvalidity, uid, forwarded };
  return source;
}

MlSource *
ml_source_copy(const MlSource *source)
{
  return source ? ml_source_new(source->account, source->folder, source->uidvalidity, source->uid, source->forwarded)
                : NULL;
}

void
ml_source_free(MlSource *source)
{
  if (!source)
    return;
  g_free(source->account);
  g_free(source->folder);
  g_free(source);
}

guint
ml_source_flag(const MlSource *source)
{
  return source->forwarded ? ML_FLAG_FORWARDED : ML_FLAG_ANSWERED;
}

static gboolean
is_passing(const GError *error)
{
  static const MlError codes[] = { ML_ERROR_CANCELLED, ML_ERROR_OFFLINE, ML_ERROR_AUTH, ML_ERROR_UNTRUSTED,
                                   ML_ERROR_PROTOCOL };
  for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
    if (g_error_matches(error, ML_ERROR, (int)codes[i]))
      return TRUE;
  return FALSE;
}

gboolean
ml_source_mark(const MlSource *source, MlDriver *driver, GError **error)
{
  MlSelected selected = { 0 };
  g_autoptr(GError) why = NULL;
  const char *reason = NULL;
  if (!ml_driver_select(driver, source->folder, &selected, &why))
    reason = why->message;
  else if (selected.uidvalidity != source->uidvalidity)
    reason = "the folder was numbered anew since";
  else if (selected.read_only)
    reason = "the folder is read-only";
  if (!reason) {
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_val(uids, source->uid);
    if (!ml_driver_flags(driver, uids, ml_source_flag(source), 0, &why))
      reason = why->message;
  }
  if (why && is_passing(why)) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  if (reason)
    g_info("message %u of %s/%s is not marked as %s: %s", source->uid, source->account, source->folder,
           source->forwarded ? "forwarded" : "answered", reason);
  return TRUE;
}
