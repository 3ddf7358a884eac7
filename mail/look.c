#include "mail/look.h"

#include <string.h>

#include "mail/headers-private.h"
#include "mail/message.h"

enum { MAX_HEADER = 1024 * 1024, MAX_TEXT = 16 * 1024 * 1024 }; /* octets that are looked into */

struct MlLook {
  const MlAccount *account;
  MlDriverHooks hooks; /* its strings are ours */
  char *folder, *state_dir, *store_dir;
  guint32 uidvalidity;
  gboolean opened;
  MlDriver *driver; /* of a mailbox here; NULL: the store's, or its folder is another one by now */
  MlStore *store;   /* NULL: there is none */
};

MlLook *
ml_look_new(const MlAccount *account, const MlDriverHooks *hooks, const char *folder, guint32 uidvalidity)
{
  MlLook *look = g_new0(MlLook, 1);
  look->account = account;
  look->state_dir = g_strdup(hooks->state_dir);
  look->store_dir = g_strdup(hooks->store_dir);
  look->hooks = (MlDriverHooks){ .state_dir = look->state_dir, .store_dir = look->store_dir, .offline = TRUE };
  look->folder = g_strdup(folder);
  look->uidvalidity = uidvalidity;
  return look;
}

void
ml_look_free(MlLook *look)
{
  if (!look)
    return;
  ml_driver_free(look->driver);
  ml_store_free(look->store);
  g_free(look->folder);
  g_free(look->state_dir);
  g_free(look->store_dir);
  g_free(look);
}

static gboolean
open_once(MlLook *look, GError **error)
{
  MlSelected selected;
  GError *why = NULL;
  if (look->opened)
    return TRUE;
  if (look->account->kind == ML_ACCOUNT_IMAP) {
    look->store = look->store_dir ? ml_store_open_to_read(look->store_dir, look->account, &why) : NULL;
  } else {
    look->driver = ml_driver_new(look->account, &look->hooks);
    if (ml_driver_select(look->driver, look->folder, &selected, &why) && look->uidvalidity &&
        selected.uidvalidity != look->uidvalidity)
      g_clear_pointer(&look->driver, ml_driver_free);
  }
  look->opened = why == NULL;
  if (why)
    g_propagate_error(error, why);
  return look->opened;
}

/* NULL without an error: it is not here, or not any more. */
static GBytes *
read_one(MlLook *look, guint32 uid, GError **error)
{
  gint64 received;
  if (look->store)
    return ml_store_get(look->store, look->folder, look->uidvalidity, uid, &received, error);
  return look->driver ? ml_driver_fetch(look->driver, uid, &received, NULL, NULL, NULL) : NULL;
}

/* Up to the blank line. */
static gsize
header_length(const char *text, gsize length)
{
  for (const char *at = text, *end = text + length; at < end;) {
    const char *next = memchr(at, '\n', (gsize)(end - at));
    if (*at == '\n' || (*at == '\r' && next == at + 1))
      return (gsize)(at - text);
    if (!next)
      break;
    at = next + 1;
  }
  return length;
}

char *
ml_look_header(GBytes *raw)
{
  gsize length;
  const char *text = g_bytes_get_data(raw, &length);
  g_autoptr(GBytes) block = g_bytes_new_from_bytes(raw, 0, header_length(text, MIN(length, (gsize)MAX_HEADER)));
  g_autoptr(MlEntity) entity = ml_scan(block, TRUE, NULL);
  if (!entity)
    return NULL;
  GString *lines = g_string_new(NULL);
  for (guint i = 0; i < entity->fields->len; i++) {
    const MlField *field = &g_array_index(entity->fields, MlField, i);
    g_autofree char *name = ml_mime_field_name(entity, field), *value = ml_mime_field_raw(entity, field);
    g_autofree char *words = ml_headers_decode(value);
    g_string_append_printf(lines, "%s: %s\n", name, g_strstrip(words));
  }
  return g_string_free(lines, FALSE);
}

/* Which of the two have to be looked at? */
static void
wanted(const MlPattern *pattern, gboolean *header, gboolean *body)
{
  const char *word;
  *header = *body = FALSE;
  for (guint i = 0; i < ml_pattern_texts(pattern); i++) {
    char letter = ml_pattern_text(pattern, i, &word);
    *header |= letter != 'b';
    *body |= letter == 'b' || letter == 'B';
  }
}

gboolean
ml_look_at(MlLook *look, const MlPattern *pattern, guint32 uid, guint hints, GCancellable *cancellable,
           MlPatternSeen *seen, GError **error)
{
  gboolean header, body;
  GError *why = NULL;
  *seen = (MlPatternSeen){ 0 };
  wanted(pattern, &header, &body);
  body = body && !(hints & ML_HINT_ENCRYPTED);
  if (g_cancellable_set_error_if_cancelled(cancellable, error) || !open_once(look, error))
    return FALSE;
  if (!header && !body)
    return TRUE;
  g_autoptr(GBytes) raw = read_one(look, uid, &why);
  if (!raw) {
    if (why)
      g_propagate_error(error, why);
    return why == NULL;
  }
  g_autofree char *lines = header ? ml_look_header(raw) : NULL;
  g_autofree char *text = body ? ml_message_plain(raw, MAX_TEXT, cancellable, &why) : NULL;
  if (g_cancellable_set_error_if_cancelled(cancellable, error)) {
    g_clear_error(&why);
    return FALSE;
  }
  /* What is no message holds nothing that could be found. */
  *seen = ml_pattern_look(pattern, header && !lines ? "" : lines, why ? "" : text);
  g_clear_error(&why);
  return TRUE;
}
