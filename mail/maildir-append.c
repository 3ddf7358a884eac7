#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/lines-private.h"
#include "mail/maildir-private.h"
#include "mail/utf7.h"

/* Where a folder that is not there yet would lie: Maildir++ (".Sent.2024") below a root that is a Maildir
 * itself, nested otherwise. */
static char *
new_place(const char *root, const char *folder, GError **error)
{
  g_autofree char *cur = g_build_filename(root, "cur", NULL);
  gboolean plus = g_file_test(cur, G_FILE_TEST_IS_DIR);
  g_auto(GStrv) levels = g_strsplit(folder, "/", -1);
  g_autoptr(GString) path = g_string_new(root);
  for (char **level = levels; *level; level++) {
    g_autofree char *name = ml_utf7_encode(*level);
    if (!*name || *name == '.' || (plus && strchr(name, '.')) || !g_utf8_validate(*level, -1, NULL) ||
        (!plus && (strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0))) {
      g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "A folder in %s cannot be called \"%s\".", root,
                  folder);
      return NULL;
    }
    g_string_append_printf(path, "%s%s", !plus ? "/" : level == levels ? "/." : ".", name);
  }
  if (!levels[0]) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "A folder needs a name.");
    return NULL;
  }
  return g_string_free(g_steal_pointer(&path), FALSE);
}

static char *
find_or_make(MlMaildir *maildir, const char *folder, GError **error)
{
  const char *root = maildir->base.account->path;
  static const char *const parts[] = { "tmp", "new", "cur" };
  GError *why = NULL;
  char *found = ml_maildir_find(maildir, folder, &why);
  if (found || !g_error_matches(why, ML_ERROR, ML_ERROR_NO_FOLDER)) {
    if (why)
      g_propagate_error(error, why);
    return found;
  }
  g_error_free(why);
  g_autofree char *path = new_place(root, folder, error);
  for (guint i = 0; path && i < G_N_ELEMENTS(parts); i++) {
    g_autofree char *part = g_build_filename(path, parts[i], NULL);
    if (g_mkdir_with_parents(part, 0700) < 0) {
      ml_files_error(error, errno, "made", part);
      return NULL;
    }
  }
  return path && ml_files_sync_folder(path, error) && ml_files_sync_folder(root, error)
             ? g_steal_pointer(&path)
             : NULL;
}

static gboolean
write_file(const char *path, GBytes *bytes, gint64 received, GError **error)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    ml_files_error(error, errno, "made", path);
    return FALSE;
  }
  gsize length;
  const void *data = g_bytes_get_data(bytes, &length);
  struct timespec times[2] = { { .tv_sec = received }, { .tv_sec = received } };
  gboolean ok = ml_files_write_all(fd, data, length, path, error);
  if (ok && (futimens(fd, times) < 0 || fsync(fd) < 0)) {
    ml_files_error(error, errno, "written", path);
    ok = FALSE;
  }
  close(fd);
  if (!ok)
    unlink(path);
  return ok;
}

/* The name may be lost with a power cut. As the caller is told that it failed, and may do it again, the message goes; where
 * that cannot be, or another program has renamed it already, it says so. Always FALSE. */
static gboolean
take_back(const char *final, const char *folder, GError **error)
{
  if (unlink(final) < 0)
    g_prefix_error(error, "The message is perhaps in %s, but it may be gone after a power cut: look there before you do it "
                          "again. ", folder);
  return FALSE;
}

/* In tmp/ until all of it is on the disk; without a flag it is new mail. The number is given when the folder is
 * read. */
gboolean
ml_maildir_append(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received,
                  guint32 *uid, GError **error)
{
  (void)uid;
  g_autofree char *path = find_or_make((MlMaildir *)driver, folder, error);
  if (!path)
    return FALSE;
  g_autoptr(GBytes) text = ml_lines_lf(bytes);
  g_autofree char *unique = ml_maildir_unique();
  g_autofree char *temporary = g_build_filename(path, "tmp", unique, NULL);
  g_autofree char *name = flags ? ml_maildir_name_with(unique, flags, 0) : g_strdup(unique);
  g_autofree char *where = g_build_filename(path, flags ? "cur" : "new", NULL);
  g_autofree char *final = g_build_filename(where, name, NULL);
  if (!write_file(temporary, text, received, error))
    return FALSE;
  if (!ml_files_rename(temporary, final)) {
    ml_files_error(error, errno, "written", final);
    unlink(temporary);
    return FALSE;
  }
  return ml_files_sync_folder(where, error) || take_back(final, folder, error);
}

static gboolean
file_has(const char *path, const char *message_id)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return FALSE;
  g_autofree char *block = g_malloc(ML_HEADER_MAX);
  gssize n = ml_files_pread(fd, block, ML_HEADER_MAX, 0, path, NULL);
  close(fd);
  gsize length = n > 0 ? ml_header_block_length(block, (gsize)n) : 0;
  g_autofree char *value = length ? ml_header_value(block, length, "Message-ID") : NULL;
  return value && strstr(value, message_id) != NULL;
}

gboolean
ml_maildir_has(MlDriver *driver, const char *folder, const char *message_id, gboolean *found, GError **error)
{
  GError *why = NULL;
  g_autofree char *path = ml_maildir_find((MlMaildir *)driver, folder, &why);
  if (!path) {
    if (!g_error_matches(why, ML_ERROR, ML_ERROR_NO_FOLDER)) {
      g_propagate_error(error, why);
      return FALSE;
    }
    g_error_free(why);
    return TRUE;
  }
  static const char *const parts[] = { "new", "cur" };
  for (guint i = 0; i < G_N_ELEMENTS(parts) && !*found; i++) {
    g_autofree char *part = g_build_filename(path, parts[i], NULL);
    g_autoptr(GDir) dir = g_dir_open(part, 0, NULL);
    for (const char *name; !*found && dir && (name = g_dir_read_name(dir));) {
      g_autofree char *file = g_build_filename(part, name, NULL);
      *found = *name != '.' && file_has(file, message_id);
      if (ml_driver_interrupted(driver)) {
        g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
        return FALSE;
      }
    }
  }
  return TRUE;
}
