#include "mail/thread-edits.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"

#define FIRST_LINE "signet-threads 1\n"
enum { MAX_ID = 998, MAX_FILE = ML_THREAD_EDITS * (6 * MAX_ID + 10) };

struct MlThreadEdits {
  char *path, *lock_path;
  GHashTable *by_id;  /* Message-ID -> Edit */
  GQueue order;       /* of Edit, borrowed, the one made first in front */
  char *nobody;       /* what stands above cut messages, each its own: a name that no mail can know */
  guint64 made;       /* counts */
  struct stat seen;   /* the file as it was when we last read or wrote it */
};

typedef struct {
  char *id, *parent; /* parent NULL: cut */
  GList *link;       /* in order */
  guint64 number;
} Edit;

static void
edit_free(gpointer data)
{
  Edit *edit = data;
  g_free(edit->id);
  g_free(edit->parent);
  g_free(edit);
}

void
ml_thread_edits_free(MlThreadEdits *edits)
{
  if (!edits)
    return;
  g_queue_clear(&edits->order);
  g_hash_table_unref(edits->by_id);
  g_free(edits->path);
  g_free(edits->lock_path);
  g_free(edits->nobody);
  g_free(edits);
}

/* As a References header can name it. */
static gboolean
can_be_named(const char *id)
{
  gsize length = strlen(id);
  return length && length <= MAX_ID && !strpbrk(id, "<> \t\r\n");
}

static void
drop(MlThreadEdits *edits, const char *id)
{
  Edit *edit = g_hash_table_lookup(edits->by_id, id);
  if (!edit)
    return;
  g_queue_delete_link(&edits->order, edit->link);
  g_hash_table_remove(edits->by_id, id);
}

static void
put(MlThreadEdits *edits, const char *id, const char *parent)
{
  drop(edits, id);
  if (edits->order.length >= ML_THREAD_EDITS)
    drop(edits, ((Edit *)g_queue_peek_head(&edits->order))->id);
  Edit *edit = g_new0(Edit, 1);
  edit->id = g_strdup(id);
  edit->parent = g_strdup(parent);
  g_queue_push_tail(&edits->order, edit);
  edit->link = edits->order.tail;
  edit->number = ++edits->made;
  g_hash_table_insert(edits->by_id, edit->id, edit);
}

/* ---- the file: "cut ID" or "under ID PARENT" a line, what was done first above. An id's own % and blanks as %XX. */

static void
take_line(MlThreadEdits *edits, const char *line)
{
  g_auto(GStrv) words = g_strsplit(line, " ", 4);
  guint n = g_strv_length(words);
  g_autofree char *id = n > 1 ? g_uri_unescape_string(words[1], NULL) : NULL;
  g_autofree char *parent = n > 2 ? g_uri_unescape_string(words[2], NULL) : NULL;
  if (!id || !*id || strlen(id) > MAX_ID)
    return;
  if (n == 2 && !strcmp(words[0], "cut"))
    put(edits, id, NULL);
  else if (n == 3 && !strcmp(words[0], "under") && parent && can_be_named(parent))
    put(edits, id, parent);
}

static gboolean
is_unchanged(const MlThreadEdits *edits)
{
  struct stat now;
  if (stat(edits->path, &now) < 0)
    return !edits->seen.st_ino;
  return now.st_ino == edits->seen.st_ino && now.st_size == edits->seen.st_size &&
         now.st_mtim.tv_sec == edits->seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == edits->seen.st_mtim.tv_nsec;
}

static gboolean
load(MlThreadEdits *edits, GError **error)
{
  struct stat now = { 0 };
  g_autofree char *text = NULL;
  GError *why = NULL;
  if (stat(edits->path, &now) < 0 && errno != ENOENT) {
    ml_files_error(error, errno, "read", edits->path);
    return FALSE;
  }
  if (now.st_size > MAX_FILE) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s is larger than signet makes it; move it away to begin anew.",
                edits->path);
    return FALSE;
  }
  if (now.st_ino && !g_file_get_contents(edits->path, &text, NULL, &why)) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s", why->message);
    g_error_free(why);
    return FALSE;
  }
  g_queue_clear(&edits->order);
  g_hash_table_remove_all(edits->by_id);
  edits->seen = now;
  g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;
  for (gsize i = 0; lines && lines[i]; i++)
    take_line(edits, lines[i]);
  return TRUE;
}

static gboolean
save(MlThreadEdits *edits, GError **error)
{
  g_autoptr(GString) text = g_string_new(FIRST_LINE);
  for (const GList *at = edits->order.head; at; at = at->next) {
    const Edit *edit = at->data;
    g_autofree char *id = g_uri_escape_string(edit->id, "@!$&'()*+,;=:/?", FALSE);
    g_autofree char *parent = edit->parent ? g_uri_escape_string(edit->parent, "@!$&'()*+,;=:/?", FALSE) : NULL;
    g_string_append_printf(text, parent ? "under %s %s\n" : "cut %s\n", id, parent);
  }
  g_autofree char *folder = g_path_get_dirname(edits->path);
  GError *why = NULL;
  if (!g_file_set_contents_full(edits->path, text->str, (gssize)text->len,
                                G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &why)) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s", why->message);
    g_error_free(why);
    return FALSE;
  }
  if (stat(edits->path, &edits->seen) < 0)
    memset(&edits->seen, 0, sizeof edits->seen);
  return ml_files_sync_folder(folder, error);
}

MlThreadEdits *
ml_thread_edits_open(const char *file, GError **error)
{
  g_autoptr(MlThreadEdits) edits = g_new0(MlThreadEdits, 1);
  edits->path = g_strdup(file);
  edits->lock_path = g_strconcat(file, ".lock", NULL);
  edits->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, edit_free);
  edits->nobody = g_uuid_string_random();
  return load(edits, error) ? g_steal_pointer(&edits) : NULL;
}

gboolean
ml_thread_edits_refresh(MlThreadEdits *edits)
{
  return !is_unchanged(edits) && load(edits, NULL);
}

/* ---- what was decided */

MlThreadEdit
ml_thread_edits_of(const MlThreadEdits *edits, const char *message_id)
{
  const Edit *edit = g_hash_table_lookup(edits->by_id, message_id);
  return !edit ? ML_THREAD_AS_SENT : edit->parent ? ML_THREAD_UNDER : ML_THREAD_CUT;
}

gboolean
ml_thread_edits_set(MlThreadEdits *edits, const GPtrArray *ids, MlThreadEdit how, const char *parent, GError **error)
{
  gboolean named = how != ML_THREAD_UNDER || can_be_named(parent);
  for (guint i = 0; i < ids->len; i++)
    named = named && *(const char *)ids->pdata[i] && strlen(ids->pdata[i]) <= MAX_ID;
  if (!named) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "A message here has no usable Message-ID: its place among others cannot be remembered.");
    return FALSE;
  }
  int lock = ml_files_lock(edits->lock_path, error);
  if (lock < 0)
    return FALSE;
  gboolean ok = is_unchanged(edits) || load(edits, error);
  for (guint i = 0; ok && i < ids->len; i++) {
    if (how == ML_THREAD_AS_SENT)
      drop(edits, ids->pdata[i]);
    else
      put(edits, ids->pdata[i], how == ML_THREAD_UNDER ? parent : NULL);
  }
  if (ok && !save(edits, error)) {
    ok = FALSE;
    memset(&edits->seen, 0, sizeof edits->seen);
    (void)load(edits, NULL); /* as it is on the disk */
  }
  close(lock);
  return ok;
}

/* What is above, as an edit says. */
static void
append(GString *out, const MlThreadEdits *edits, const Edit *edit)
{
  if (edit->parent)
    g_string_append_printf(out, "<%s>", edit->parent);
  else
    g_string_append_printf(out, "<%s.%" G_GUINT64_FORMAT ">", edits->nobody, edit->number);
}

char *
ml_thread_edits_references(const MlThreadEdits *edits, const char *message_id, const char *references)
{
  g_autoptr(GString) out = NULL;
  if (!edits->order.length)
    return NULL;
  const Edit *edit = *message_id ? g_hash_table_lookup(edits->by_id, message_id) : NULL;
  if (edit) {
    out = g_string_new(NULL);
    append(out, edits, edit);
    return g_string_free(g_steal_pointer(&out), FALSE);
  }
  /* What stands before one that was cut off, or put elsewhere, is not above this one any more. */
  const char *rest = NULL;
  for (const char *at = references; (at = strchr(at, '<')); at++) {
    gsize length = strcspn(at + 1, "<>");
    if (length > MAX_ID || at[1 + length] != '>')
      continue;
    g_autofree char *id = g_strndup(at + 1, length);
    const Edit *above = g_hash_table_lookup(edits->by_id, id);
    if (above) {
      edit = above;
      rest = at;
    }
  }
  if (!edit)
    return NULL;
  out = g_string_new(NULL);
  append(out, edits, edit);
  g_string_append_c(out, ' ');
  g_string_append(out, rest);
  return g_string_free(g_steal_pointer(&out), FALSE);
}
