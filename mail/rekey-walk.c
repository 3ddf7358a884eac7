#include "mail/rekey.h"

enum { HINTS = ML_HINT_ENCRYPTED | ML_HINT_SIGNED | ML_HINT_ATTACHMENT, FIRST = 1000 };

typedef struct {
  GArray *items; /* of MlRekeyItem */
  guint32 highest;
} Headers;

static gboolean
on_headers(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  Headers *all = user_data;
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    all->highest = MAX(all->highest, header->uid);
    if (header->hints & HINTS) {
      MlRekeyItem item = { header->uid, header->flags, header->hints, header->received, header->size };
      g_array_append_val(all->items, item);
    }
  }
  g_ptr_array_unref(headers);
  return TRUE;
}

/* What promises to be encrypted comes whole; of the rest only what could be S/MIME does. */
static GBytes *
fetch(MlDriver *driver, const MlRekeyItem *item, GPtrArray **left, GError **error)
{
  if (item->hints & ML_HINT_ENCRYPTED)
    return ml_driver_fetch(driver, item->uid, NULL, NULL, NULL, error);
  return ml_driver_fetch_shown(driver, item->uid, item->size, left, NULL, NULL, NULL, error);
}

static gboolean
look_at(MlDriver *driver, const MlRekeyItem *item, MlRekeyLook *look, GError **error)
{
  g_autoptr(GPtrArray) left = NULL;
  g_autoptr(GBytes) raw = fetch(driver, item, &left, error);
  if (!raw)
    return FALSE;
  ml_rekey_look(raw, left, look);
  if (look->form != ML_REKEY_BROKEN || !left)
    return TRUE;
  ml_rekey_look_clear(look); /* it could be S/MIME after all */
  g_autoptr(GBytes) whole = ml_driver_fetch(driver, item->uid, NULL, NULL, NULL, error);
  if (whole)
    ml_rekey_look(whole, NULL, look);
  return whole != NULL;
}

gboolean
ml_rekey_walk(MlDriver *driver, const char *folder, MlSelected *selected, guint32 *highest, MlRekeyWalkFunc func,
              gpointer user_data, GError **error)
{
  g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(MlRekeyItem));
  Headers headers = { items, 0 };
  if (!ml_driver_select(driver, folder, selected, error) ||
      !ml_driver_headers(driver, 0, FIRST, on_headers, &headers, error))
    return FALSE;
  if (highest)
    *highest = headers.highest;
  for (guint i = items->len; i-- > 0;) {
    const MlRekeyItem *item = &g_array_index(items, MlRekeyItem, i);
    g_autoptr(GError) why = NULL;
    g_auto(MlRekeyLook) look = { .form = ML_REKEY_CLEAR };
    gboolean here = look_at(driver, item, &look, &why);
    if (!here && ml_error_is_absent(why))
      continue; /* gone meanwhile */
    if (!here) {
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
    if (!func(item, &look, items->len - i, items->len, user_data))
      return TRUE;
  }
  return TRUE;
}
