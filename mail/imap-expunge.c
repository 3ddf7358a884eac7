#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/imap-private.h"

/* EXPUNGE on a server without UIDPLUS takes every message that anybody marked: those that are not ours are unmarked for
 * the moment. Which they are is written down first, below state_dir, and whoever has a line to that mailbox next marks
 * them again: the line may break in between, the program may be killed, and the folder may not be opened for long. */
#define MAGIC "signet-unmarked 1"
enum { FILE_MAX = 16 * 1024 * 1024, SET = 200, TRIES = 3 };

typedef struct {
  char *folder;
  guint32 uidvalidity;
  GArray *uids; /* guint32 */
} Unmarked;

static void
unmarked_free(Unmarked *unmarked)
{
  g_free(unmarked->folder);
  g_array_unref(unmarked->uids);
  g_free(unmarked);
}

static Unmarked *
unmarked_new(const char *folder, guint32 uidvalidity)
{
  Unmarked *unmarked = g_new0(Unmarked, 1);
  unmarked->folder = g_strdup(folder);
  unmarked->uidvalidity = uidvalidity;
  unmarked->uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  return unmarked;
}

/* ---- the file */

/* One a mailbox, whatever the account is called today. NULL: there is no place for it, and it is kept in memory. */
static char *
file_of(const MlImap *imap, const char *suffix)
{
  const MlServer *server = &imap->base.account->imap;
  if (!imap->base.hooks->state_dir)
    return NULL;
  g_autofree char *mailbox = g_strdup_printf("%s\n%u\n%s", server->host, server->port, server->user ? server->user : "");
  g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, mailbox, -1);
  g_autofree char *name = g_strdup_printf("%.32s%s", digest, suffix);
  return g_build_filename(imap->base.hooks->state_dir, "unmarked", name, NULL);
}

/* "UIDVALIDITY UID,UID,... FOLDER"; FALSE: it is not such a line. */
static gboolean
take_line(GPtrArray *all, const char *line)
{
  g_auto(GStrv) words = g_strsplit(line, " ", 3);
  guint64 number;
  if (g_strv_length(words) != 3 || !g_ascii_string_to_unsigned(words[0], 10, 0, G_MAXUINT32, &number, NULL))
    return FALSE;
  g_autofree char *folder = g_strcompress(words[2]);
  Unmarked *unmarked = unmarked_new(folder, (guint32)number);
  g_ptr_array_add(all, unmarked);
  g_auto(GStrv) uids = g_strsplit(words[1], ",", -1);
  for (char **uid = uids; *uid; uid++) {
    if (!g_ascii_string_to_unsigned(*uid, 10, 1, G_MAXUINT32, &number, NULL))
      return FALSE;
    guint32 one = (guint32)number;
    g_array_append_val(unmarked->uids, one);
  }
  return TRUE;
}

/* NULL with *@why, a sentence, where there is something that cannot be read; NULL without: there is nothing. */
static char *
read_note(const char *path, gsize *length, char **why)
{
  struct stat about;
  char *text = NULL;
  g_autoptr(GError) error = NULL;
  if (stat(path, &about) < 0) {
    *why = errno == ENOENT ? NULL : g_strdup(g_strerror(errno));
    return NULL;
  }
  if (!S_ISREG(about.st_mode) || about.st_size > FILE_MAX) {
    *why = g_strdup(S_ISREG(about.st_mode) ? "it is too large" : "it is not a file");
    return NULL;
  }
  if (g_file_get_contents(path, &text, length, &error))
    return text;
  *why = g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? NULL : g_strdup(error->message);
  return NULL;
}

static gboolean
take_note(GPtrArray *all, const char *text, gsize length)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  if (strlen(text) != length || !lines[0] || strcmp(lines[0], MAGIC) != 0)
    return FALSE;
  for (char **line = lines + 1; *line; line++)
    if (**line && !take_line(all, *line))
      return FALSE;
  return TRUE;
}

/* What the file has, under the lock: another process may have changed it. What cannot be read is not taken for nothing: the
 * next who writes would lose it. */
static gboolean
load(MlImap *imap, GError **error)
{
  g_autofree char *path = file_of(imap, ""), *why = NULL;
  gsize length;
  if (!imap->unmarked)
    imap->unmarked = g_ptr_array_new_with_free_func((GDestroyNotify)unmarked_free);
  if (!path)
    return TRUE;
  g_ptr_array_set_size(imap->unmarked, 0);
  g_autofree char *text = read_note(path, &length, &why);
  if (text && !take_note(imap->unmarked, text, length))
    why = g_strdup("it is damaged, or a newer signet's");
  if (!why)
    return TRUE;
  g_ptr_array_set_size(imap->unmarked, 0);
  g_set_error(error, ML_ERROR, ML_ERROR_STORE,
              "Nothing was deleted: %s says which messages other programs have marked as deleted, and cannot be read (%s). "
              "Put it right; or move it away, and mark these messages again where you want them to go.",
              path, why);
  return FALSE;
}

static GString *
text_of(const GPtrArray *all)
{
  GString *text = g_string_new(MAGIC "\n");
  for (guint i = 0; i < all->len; i++) {
    const Unmarked *unmarked = all->pdata[i];
    g_autofree char *folder = g_strescape(unmarked->folder, NULL);
    g_string_append_printf(text, "%u ", unmarked->uidvalidity);
    for (guint j = 0; j < unmarked->uids->len; j++)
      g_string_append_printf(text, "%s%u", j ? "," : "", g_array_index(unmarked->uids, guint32, j));
    g_string_append_printf(text, " %s\n", folder);
  }
  return text;
}

static gboolean
save(MlImap *imap, GError **error)
{
  g_autofree char *path = file_of(imap, "");
  if (!path)
    return TRUE;
  g_autofree char *dir = g_path_get_dirname(path);
  g_autoptr(GError) why = NULL;
  if (!imap->unmarked->len) {
    if (unlink(path) == 0 || errno == ENOENT)
      return TRUE;
    ml_files_error(error, errno, "removed", path);
    return FALSE;
  }
  g_autoptr(GString) text = text_of(imap->unmarked);
  if (text->len > FILE_MAX) { /* it could not be read again */
    g_set_error(error, ML_ERROR, ML_ERROR_STORE,
                "Nothing was deleted: other programs have marked so many messages in %s as deleted that they cannot be "
                "written down. Expunge them with one of these programs, or take the marks away, and delete again.",
                imap->folder);
    return FALSE;
  }
  if (g_file_set_contents_full(path, text->str, (gssize)text->len,
                               G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &why))
    return ml_files_sync_folder(dir, error);
  g_set_error(error, ML_ERROR, ML_ERROR_STORE,
              "Nothing was deleted: what other programs have marked as deleted could not be written down (%s).",
              why->message);
  return FALSE;
}

static void
forget(MlImap *imap, Unmarked *unmarked)
{
  g_autoptr(GError) why = NULL;
  g_ptr_array_remove(imap->unmarked, unmarked);
  if (!save(imap, &why)) /* they are marked once more then */
    g_debug("%s", why->message);
}

/* Whoever has unmarked something holds it until that is marked again. -1 without an error: there is none to hold. */
static int
lock_file(MlImap *imap, GError **error)
{
  g_autofree char *path = file_of(imap, ".lock");
  g_autofree char *dir = path ? g_path_get_dirname(path) : NULL;
  if (!path)
    return -1;
  if (g_mkdir_with_parents(dir, 0700) == 0)
    return ml_files_lock(path, error);
  ml_files_error(error, errno, "made", dir);
  return -1;
}

/* ---- marked again */

static gboolean
mark(MlImapSession *session, const Unmarked *unmarked, GError **error)
{
  for (guint at = 0; at < unmarked->uids->len; at += SET) {
    g_autoptr(GArray) part = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(part, &g_array_index(unmarked->uids, guint32, at), MIN(SET, unmarked->uids->len - at));
    g_autofree char *set = ml_imap_uid_set(part);
    if (!ml_imap_session_command(session, NULL, NULL, error, "UID STORE %s +FLAGS (\\Deleted)", set))
      return FALSE;
  }
  return TRUE;
}

/* FALSE: the line broke. What the server refuses, but for a while, is given up: it would refuse it with each connection. */
static gboolean
mark_there(MlImap *imap, Unmarked *unmarked, GError **error)
{
  MlImapSession *session = imap->session;
  g_autoptr(GError) why = NULL;
  gboolean ok = ml_imap_session_select(session, unmarked->folder, NULL, &why) &&
                (session->uidvalidity != unmarked->uidvalidity || mark(session, unmarked, &why));
  g_clear_pointer(&session->folder, g_free); /* the caller's is opened again */
  if (!ok && ml_imap_session_is_broken(why)) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  if (!ok)
    g_debug("%s: %s: %s", session->host, unmarked->folder, why->message);
  if (ok || !imap->base.ops->passing(&imap->base))
    forget(imap, unmarked);
  return TRUE;
}

gboolean
ml_imap_mark_again(MlImap *imap, GError **error)
{
  g_autofree char *path = file_of(imap, ""), *lock_path = file_of(imap, ".lock");
  if (path ? !g_file_test(path, G_FILE_TEST_EXISTS) : !imap->unmarked || !imap->unmarked->len)
    return TRUE;
  if (imap->unmarked_tries >= TRIES) /* the line breaks over it each time */
    return TRUE;
  int lock = path ? open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
  gboolean ok = TRUE, mine = !path || (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0); /* else another is at it */
  g_autoptr(GError) why = NULL;
  if (mine && !load(imap, &why)) { /* whoever deletes something is told */
    g_debug("%s", why->message);
    mine = FALSE;
  }
  imap->unmarked_tries++;
  for (guint i = mine ? imap->unmarked->len : 0; ok && i > 0; i--)
    ok = mark_there(imap, imap->unmarked->pdata[i - 1], error);
  if (ok)
    imap->unmarked_tries = 0;
  if (lock >= 0)
    close(lock);
  return ok;
}

/* Of the open folder. */
static gboolean
mark_here(MlImap *imap, GError **error)
{
  for (guint i = imap->unmarked->len; i > 0; i--) {
    Unmarked *unmarked = imap->unmarked->pdata[i - 1];
    if (strcmp(unmarked->folder, imap->folder) != 0)
      continue;
    if (unmarked->uidvalidity == imap->uidvalidity &&
        !ml_imap_store_flags(&imap->base, unmarked->uids, ML_FLAG_DELETED, 0, error))
      return FALSE;
    forget(imap, unmarked);
  }
  return TRUE;
}

/* ---- expunged */

static void
on_deleted(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  guint64 uid;
  if (response->kind == ML_RESPONSE_FETCH &&
      ml_node_number(ml_imap_item(response->data, "UID"), G_MAXUINT32, &uid) &&
      (ml_imap_flags(ml_imap_item(response->data, "FLAGS")) & ML_FLAG_DELETED))
    g_hash_table_add(user_data, GUINT_TO_POINTER((guint)uid));
}

/* Those of @marked, which are others' all. */
static gboolean
unmark(MlImap *imap, GHashTable *marked, GError **error)
{
  Unmarked *unmarked = unmarked_new(imap->folder, imap->uidvalidity);
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, marked);
  while (g_hash_table_iter_next(&iter, &key, NULL)) {
    guint32 uid = GPOINTER_TO_UINT(key);
    g_array_append_val(unmarked->uids, uid);
  }
  g_ptr_array_add(imap->unmarked, unmarked);
  if (!save(imap, error)) {
    g_ptr_array_remove(imap->unmarked, unmarked);
    return FALSE;
  }
  if (!ml_imap_store_flags(&imap->base, unmarked->uids, 0, ML_FLAG_DELETED, error))
    return FALSE;
  ml_files_point("imap-unmarked");
  return TRUE;
}

/* What was refused is what the caller asks about afterwards. */
static void
mark_after_refusal(MlImap *imap)
{
  MlImapSession *session = imap->session;
  MlResponseKind status = session->status;
  g_autofree char *code = g_strdup(session->code);
  if (!mark_here(imap, NULL))
    g_debug("%s: the marks of others are set with the next connection", session->host);
  session->status = status;
  g_free(session->code);
  session->code = g_steal_pointer(&code);
}

static gboolean
look_and_expunge(MlImap *imap, const GArray *uids, GError **error)
{
  g_autoptr(GHashTable) marked = g_hash_table_new(g_direct_hash, g_direct_equal);
  if (!mark_here(imap, error) ||
      !ml_imap_session_command(imap->session, on_deleted, marked, error, "FETCH 1:* (UID FLAGS)"))
    return FALSE;
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_remove(marked, GUINT_TO_POINTER(g_array_index(uids, guint32, i)));
  g_autoptr(GError) why = NULL;
  if ((!g_hash_table_size(marked) || unmark(imap, marked, &why)) &&
      ml_imap_session_command(imap->session, NULL, NULL, &why, "EXPUNGE"))
    return mark_here(imap, error);
  if (!ml_imap_session_is_broken(why))
    mark_after_refusal(imap);
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

/* What another program marks between our look and the EXPUNGE goes; it was to go by any EXPUNGE of that program. */
gboolean
ml_imap_expunge_plain(MlImap *imap, const GArray *uids, GError **error)
{
  GError *why = NULL;
  if (!imap->session->slots->len)
    return TRUE;
  int lock = lock_file(imap, &why);
  if (why) {
    g_propagate_error(error, why);
    return FALSE;
  }
  gboolean ok = load(imap, error) && look_and_expunge(imap, uids, error);
  if (lock >= 0)
    close(lock);
  return ok;
}
