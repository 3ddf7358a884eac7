#include <string.h>

#include "mail/imap-private.h"

enum { FLAGS_MAX = 200, FLAG_LENGTH_MAX = 200 };

typedef struct {
  guint32 uid;
  gboolean found;
  guint flags;
  GPtrArray *words; /* of char *: all that it has, as the server writes them */
} Flags;

/* What may stand in a list of flags (RFC 3501 flag-keyword, flag-extension): nothing else is sent back. */
static gboolean
is_flag(const MlNode *node)
{
  gsize from = node->length && *node->text == '\\' ? 1 : 0;
  if (node->kind != ML_NODE_ATOM || node->length <= from || node->length > FLAG_LENGTH_MAX)
    return FALSE;
  for (gsize i = from; i < node->length; i++)
    if (node->text[i] <= ' ' || node->text[i] >= 127 || strchr("(){%*\"\\]", node->text[i]))
      return FALSE;
  return TRUE;
}

static void
on_flags(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Flags *flags = user_data;
  guint64 uid;
  const MlNode *list = response->kind == ML_RESPONSE_FETCH ? ml_imap_item(response->data, "FLAGS") : NULL;
  if (!list || !ml_node_number(ml_imap_item(response->data, "UID"), G_MAXUINT32, &uid) || uid != flags->uid)
    return;
  flags->found = TRUE;
  flags->flags = ml_imap_flags(list);
  g_ptr_array_set_size(flags->words, 0);
  for (const MlNode *node = list->child; node && flags->words->len < FLAGS_MAX; node = node->next)
    if (is_flag(node) && !ml_node_is(node, "\\Recent") && !ml_node_is(node, "\\Deleted"))
      g_ptr_array_add(flags->words, g_strndup(node->text, node->length));
}

gboolean
ml_imap_flags_as(MlDriver *driver, guint32 from, guint32 to, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
  Flags flags = { .uid = from, .words = words };
  if (!ml_imap_need_folder(imap, error) ||
      !ml_imap_session_command(imap->session, on_flags, &flags, error, "UID FETCH %u (UID FLAGS)", from))
    return FALSE;
  if (!flags.found) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "The message is no longer in this folder.");
    return FALSE;
  }
  g_autoptr(GError) why = NULL;
  g_ptr_array_add(words, NULL);
  g_autofree char *list = g_strjoinv(" ", (char **)words->pdata);
  if (ml_imap_session_command(imap->session, NULL, NULL, &why, "UID STORE %u FLAGS (%s)", to, list))
    return TRUE;
  if (ml_imap_session_is_broken(why)) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  /* One of the keywords is none that may be set: then what every folder keeps. */
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_val(uids, to);
  guint all = ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FLAGGED | ML_FLAG_DRAFT | ML_FLAG_FORWARDED;
  return ml_imap_store_flags(driver, uids, flags.flags & all, all & ~flags.flags, error);
}
