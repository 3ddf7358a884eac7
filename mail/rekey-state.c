#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/rekey-private.h"

#define MAGIC "signet-rekey 1"
#define SUFFIX ".state"

enum { FILE_MAX = 256 * 1024 * 1024, DIGEST = 64 };

static void
entry_free(MlRekeyEntry *entry)
{
  g_free(entry->old_digest);
  g_free(entry->new_digest);
  g_free(entry->fields);
  g_clear_pointer(&entry->given, g_bytes_unref);
  g_free(entry);
}

static MlRekeyState *
state_new(void)
{
  MlRekeyState *state = g_new0(MlRekeyState, 1);
  state->entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
  state->fd = -1;
  return state;
}

void
ml_rekey_state_free(MlRekeyState *state)
{
  if (!state)
    return;
  if (state->fd >= 0)
    close(state->fd);
  g_free(state->path);
  g_free(state->account);
  g_free(state->folder);
  g_free(state->to);
  g_free(state->from);
  g_ptr_array_unref(state->entries);
  g_free(state);
}

static gboolean
make_dir(const char *dir, GError **error)
{
  if (g_mkdir_with_parents(dir, 0700) == 0)
    return TRUE;
  ml_files_error(error, errno, "made", dir);
  return FALSE;
}

int
ml_rekey_state_lock(const char *dir, GError **error)
{
  g_autofree char *path = g_build_filename(dir, "lock", NULL);
  return make_dir(dir, error) ? ml_files_lock(path, error) : -1;
}

static char *
path_of(const char *dir, const char *account, const char *folder)
{
  g_autofree char *both = g_strconcat(account, "\n", folder, NULL);
  g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, both, -1);
  g_autofree char *name = g_strdup_printf("%.32s" SUFFIX, digest);
  return g_build_filename(dir, name, NULL);
}

/* --- reading */

static MlRekeyEntry *
entry_of(const MlRekeyState *state, guint32 old)
{
  for (guint i = state->entries->len; i-- > 0;) {
    MlRekeyEntry *entry = state->entries->pdata[i];
    if (entry->old == old && !entry->done)
      return entry;
  }
  return NULL;
}

static gboolean
number(const char *word, guint32 *value)
{
  guint64 wide = 0;
  if (!word || !g_ascii_string_to_unsigned(word, 10, 0, G_MAXUINT32, &wide, NULL))
    return FALSE;
  *value = (guint32)wide;
  return TRUE;
}

static gboolean
take_put(MlRekeyState *state, char **words)
{
  guint32 old, above;
  if (g_strv_length(words) != 5 || !number(words[1], &old) || !number(words[2], &above) ||
      strlen(words[3]) != DIGEST || strlen(words[4]) != DIGEST)
    return FALSE;
  MlRekeyEntry *entry = g_new0(MlRekeyEntry, 1);
  entry->old = old;
  entry->above = above;
  entry->old_digest = g_strdup(words[3]);
  entry->new_digest = g_strdup(words[4]);
  g_ptr_array_add(state->entries, entry);
  return TRUE;
}

static gboolean
take_step(MlRekeyState *state, char **words)
{
  guint32 old, copy = 0;
  if (!number(words[1], &old) || (strcmp(words[0], "stored") == 0 && !number(words[2], &copy)))
    return FALSE;
  MlRekeyEntry *entry = entry_of(state, old);
  if (!entry)
    return FALSE;
  if (copy)
    entry->copy = copy;
  else
    entry->done = TRUE;
  return TRUE;
}

static gboolean
take_head(MlRekeyState *state, const char *name, const char *value)
{
  guint32 flag = 0;
  if (strcmp(name, "account") == 0)
    state->account = g_strcompress(value);
  else if (strcmp(name, "folder") == 0)
    state->folder = g_strcompress(value);
  else if (strcmp(name, "to") == 0)
    state->to = g_strdup(value);
  else if (strcmp(name, "from") == 0)
    state->from = g_strdup(value);
  else if (strcmp(name, "uidvalidity") == 0)
    return number(value, &state->uidvalidity);
  else if (strcmp(name, "cbc") == 0 && number(value, &flag))
    state->cbc = flag != 0;
  else if (strcmp(name, "keep") == 0 && number(value, &flag))
    state->keep = flag != 0;
  else
    return FALSE;
  return TRUE;
}

static gboolean
take_line(MlRekeyState *state, const char *line)
{
  g_auto(GStrv) words = g_strsplit(line, " ", 6);
  if (strcmp(words[0], "put") == 0)
    return take_put(state, words);
  if (strcmp(words[0], "stored") == 0 || strcmp(words[0], "done") == 0)
    return take_step(state, words);
  const char *blank = strchr(line, ' ');
  return blank && take_head(state, words[0], blank + 1);
}

/* A line that a crash cut short was never acted upon: it goes. Any other that is not understood is an error. */
static gboolean
read_lines(MlRekeyState *state, char *text, gsize length, GError **error)
{
  gsize whole = 0;
  gboolean good = TRUE;
  for (char *line = text, *end; good && (end = memchr(line, '\n', length - (gsize)(line - text))); line = end + 1) {
    *end = '\0';
    good = line == text ? strcmp(line, MAGIC) == 0 : take_line(state, line);
    whole = (gsize)(end - text) + 1;
  }
  if (!good || !state->account || !state->folder || !state->to || !state->from || !state->uidvalidity) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE,
                "%s is damaged: what an earlier signet rekey began cannot be told from it. Look for messages that are "
                "there twice, then remove that file.",
                state->path);
    return FALSE;
  }
  if (whole < length && ftruncate(state->fd, (off_t)whole) < 0) {
    ml_files_error(error, errno, "written", state->path);
    return FALSE;
  }
  return TRUE;
}

static MlRekeyState *
open_state(const char *path, GError **error)
{
  g_autoptr(MlRekeyState) state = state_new();
  struct stat about;
  state->path = g_strdup(path);
  state->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
  if (state->fd < 0 && errno == ENOENT)
    return NULL;
  if (state->fd < 0 || fstat(state->fd, &about) < 0 || about.st_size > FILE_MAX) {
    ml_files_error(error, state->fd < 0 ? errno : EFBIG, "opened", path);
    return NULL;
  }
  g_autofree char *text = g_malloc0((gsize)about.st_size + 1);
  gssize n = ml_files_pread(state->fd, text, (gsize)about.st_size, 0, path, error);
  return n >= 0 && read_lines(state, text, (gsize)n, error) ? g_steal_pointer(&state) : NULL;
}

MlRekeyState *
ml_rekey_state_find(const char *dir, const char *account, const char *folder, GError **error)
{
  g_autofree char *path = path_of(dir, account, folder);
  return open_state(path, error);
}

GPtrArray *
ml_rekey_state_all(const char *dir, GError **error)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)ml_rekey_state_free);
  g_autoptr(GDir) names = g_dir_open(dir, 0, NULL);
  for (const char *name; names && (name = g_dir_read_name(names));) {
    if (!g_str_has_suffix(name, SUFFIX))
      continue;
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autoptr(GError) why = NULL;
    MlRekeyState *state = open_state(path, &why);
    if (state)
      g_ptr_array_add(all, state);
    if (why) {
      g_propagate_error(error, g_steal_pointer(&why));
      return NULL;
    }
  }
  return g_steal_pointer(&all);
}

guint
ml_rekey_state_waiting(const MlRekeyState *state)
{
  guint n = 0;
  for (guint i = 0; i < state->entries->len; i++)
    n += !((const MlRekeyEntry *)state->entries->pdata[i])->done;
  return n;
}

gboolean
ml_rekey_state_knows(const MlRekeyState *state, guint32 uid)
{
  for (guint i = 0; i < state->entries->len; i++) {
    const MlRekeyEntry *entry = state->entries->pdata[i];
    if ((!entry->done && (entry->old == uid || entry->copy == uid)) || (entry->mangled && entry->old == uid))
      return TRUE;
  }
  return FALSE;
}

/* --- writing */

static GString *
head_of(const MlRekeyState *state)
{
  GString *text = g_string_new(MAGIC "\n");
  g_autofree char *account = g_strescape(state->account, NULL), *folder = g_strescape(state->folder, NULL);
  g_string_append_printf(text, "account %s\nfolder %s\nuidvalidity %u\nto %s\nfrom %s\ncbc %d\nkeep %d\n", account,
                         folder, state->uidvalidity, state->to, state->from, state->cbc != 0, state->keep != 0);
  return text;
}

/* Under another name first; *fd is the new file's. */
static gboolean
write_whole(MlRekeyState *state, const GString *text, GError **error)
{
  g_autofree char *temporary = g_strconcat(state->path, ".new", NULL);
  g_autofree char *dir = g_path_get_dirname(state->path);
  int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    ml_files_error(error, errno, "made", temporary);
    return FALSE;
  }
  gboolean ok = ml_files_write_all(fd, text->str, text->len, temporary, error);
  if (ok && (fsync(fd) < 0 || rename(temporary, state->path) < 0)) {
    ml_files_error(error, errno, "written", state->path);
    ok = FALSE;
  }
  if (!ok || !ml_files_sync_folder(dir, error)) {
    close(fd);
    unlink(temporary);
    return FALSE;
  }
  if (state->fd >= 0)
    close(state->fd);
  state->fd = fd;
  return TRUE;
}

MlRekeyState *
ml_rekey_state_begin(const char *dir, const MlRekeyState *like, GError **error)
{
  g_autoptr(MlRekeyState) state = state_new();
  state->path = path_of(dir, like->account, like->folder);
  state->account = g_strdup(like->account);
  state->folder = g_strdup(like->folder);
  state->uidvalidity = like->uidvalidity;
  state->to = g_strdup(like->to);
  state->from = g_strdup(like->from ? like->from : "");
  state->cbc = like->cbc;
  state->keep = like->keep;
  g_autoptr(GString) text = head_of(state);
  return make_dir(dir, error) && write_whole(state, text, error) ? g_steal_pointer(&state) : NULL;
}

static void
add_put(GString *text, const MlRekeyEntry *entry)
{
  g_string_append_printf(text, "put %u %u %s %s\n", entry->old, entry->above, entry->old_digest, entry->new_digest);
}

gboolean
ml_rekey_state_rewrite(MlRekeyState *state, GError **error)
{
  g_autoptr(GString) text = head_of(state);
  for (guint i = 0; i < state->entries->len; i++) {
    const MlRekeyEntry *entry = state->entries->pdata[i];
    if (entry->done)
      continue;
    add_put(text, entry);
    if (entry->copy)
      g_string_append_printf(text, "stored %u %u\n", entry->old, entry->copy);
  }
  return write_whole(state, text, error);
}

static gboolean
add_line(MlRekeyState *state, const char *line, GError **error)
{
  struct stat before;
  gboolean known = fstat(state->fd, &before) == 0;
  gboolean ok = ml_files_write_all(state->fd, line, strlen(line), state->path, error);
  if (ok && fdatasync(state->fd) < 0) {
    ml_files_error(error, errno, "written", state->path);
    ok = FALSE;
  }
  if (!ok && known && ftruncate(state->fd, before.st_size) < 0)
    g_debug("%s ends with half a line, which the next run passes over", state->path);
  return ok;
}

MlRekeyEntry *
ml_rekey_state_put(MlRekeyState *state, guint32 old, guint32 above, const MlRekeyed *made, GError **error)
{
  MlRekeyEntry *entry = g_new0(MlRekeyEntry, 1);
  g_autoptr(GString) line = g_string_new(NULL);
  entry->old = old;
  entry->above = above;
  entry->old_digest = g_strdup(made->old_digest);
  entry->new_digest = g_strdup(made->new_digest);
  entry->given = g_bytes_ref(made->message);
  entry->cipher = made->cipher;
  entry->raised = made->raised;
  entry->inner = made->inner;
  add_put(line, entry);
  if (!add_line(state, line->str, error)) {
    entry_free(entry);
    return NULL;
  }
  g_ptr_array_add(state->entries, entry);
  return entry;
}

gboolean
ml_rekey_state_stored(MlRekeyState *state, MlRekeyEntry *entry, guint32 copy, GError **error)
{
  g_autofree char *line = g_strdup_printf("stored %u %u\n", entry->old, copy);
  entry->copy = copy;
  return add_line(state, line, error);
}

gboolean
ml_rekey_state_done(MlRekeyState *state, MlRekeyEntry *entry, GError **error)
{
  g_autofree char *line = g_strdup_printf("done %u\n", entry->old);
  entry->done = TRUE;
  g_clear_pointer(&entry->given, g_bytes_unref);
  return add_line(state, line, error);
}

gboolean
ml_rekey_state_end(MlRekeyState *state, GError **error)
{
  g_autofree char *dir = g_path_get_dirname(state->path);
  if (unlink(state->path) < 0 && errno != ENOENT) {
    ml_files_error(error, errno, "removed", state->path);
    return FALSE;
  }
  if (!ml_files_sync_folder(dir, error))
    return FALSE;
  ml_files_point("rekey-done");
  return TRUE;
}
