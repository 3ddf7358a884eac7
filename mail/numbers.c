#include "mail/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"

#define FIRST_LINE "signet-numbers 1\n"
enum { MAX_FILE = 512 * 1024 * 1024 };

struct MlNumbers {
  char *folder, *path, *lock_path, *place;
  GHashTable *uids; /* key -> number */
  guint32 validity, next;
  struct stat seen; /* the file as it was when we last read or wrote it */
};

void
ml_numbers_free(MlNumbers *numbers)
{
  if (!numbers)
    return;
  g_free(numbers->folder);
  g_free(numbers->path);
  g_free(numbers->lock_path);
  g_free(numbers->place);
  g_hash_table_unref(numbers->uids);
  g_free(numbers);
}

guint32
ml_numbers_validity(const MlNumbers *numbers)
{
  return numbers->validity;
}

/* A file's name may hold anything; a line may not. */
static char *
key_text(const char *key)
{
  for (const guchar *p = (const guchar *)key; *p; p++)
    if (*p <= 0x20 || *p == 0x7f || *p == '%')
      return g_uri_escape_string(key, NULL, TRUE);
  return g_strdup(key);
}

static void
forget(MlNumbers *numbers)
{
  g_hash_table_remove_all(numbers->uids);
  numbers->validity = 0;
  numbers->next = 1;
}

static void
take_line(MlNumbers *numbers, char *line)
{
  char *blank = strchr(line, ' ');
  if (!blank)
    return;
  *blank = '\0';
  guint64 number;
  if (!g_ascii_string_to_unsigned(line, 10, 1, G_MAXUINT32 - 1, &number, NULL))
    return;
  g_hash_table_insert(numbers->uids, g_strdup(blank + 1), GUINT_TO_POINTER((guint)number));
  numbers->next = MAX(numbers->next, (guint32)number + 1);
}

/* "place PATH", "validity N", "next N", then "N KEY" a line. FALSE: not such a file, or another place's. */
static gboolean
take_text(MlNumbers *numbers, char *text)
{
  forget(numbers);
  if (!g_str_has_prefix(text, FIRST_LINE))
    return FALSE;
  char *line = text + strlen(FIRST_LINE);
  for (char *end; (end = strchr(line, '\n')); line = end + 1) {
    *end = '\0';
    guint64 number;
    if (g_str_has_prefix(line, "place ")) {
      if (strcmp(line + 6, numbers->place) != 0)
        return FALSE;
    } else if (g_str_has_prefix(line, "validity ")) {
      if (!g_ascii_string_to_unsigned(line + 9, 10, 1, G_MAXUINT32, &number, NULL))
        return FALSE;
      numbers->validity = (guint32)number;
    } else if (g_str_has_prefix(line, "next ")) {
      if (g_ascii_string_to_unsigned(line + 5, 10, 1, G_MAXUINT32 - 1, &number, NULL))
        numbers->next = MAX(numbers->next, (guint32)number);
    } else {
      take_line(numbers, line);
    }
  }
  return numbers->validity != 0;
}

/* Writes the whole table under a new name and puts it in the old one's place. */
static gboolean
rewrite(MlNumbers *numbers, GHashTable *keep, GError **error)
{
  g_autoptr(GString) text = g_string_new(FIRST_LINE);
  g_string_append_printf(text, "place %s\nvalidity %u\nnext %u\n", numbers->place, numbers->validity,
                         numbers->next);
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init(&iter, numbers->uids);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    if (keep && !g_hash_table_contains(keep, key))
      g_hash_table_iter_remove(&iter);
    else
      g_string_append_printf(text, "%u %s\n", GPOINTER_TO_UINT(value), (char *)key);
  }
  g_autofree char *temporary = g_strconcat(numbers->path, ".new", NULL);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    ml_files_error(error, errno, "written", temporary);
    return FALSE;
  }
  gboolean ok = ml_files_write_all(fd, text->str, text->len, temporary, error);
  if (ok && (fsync(fd) < 0 || fstat(fd, &numbers->seen) < 0 || rename(temporary, numbers->path) < 0)) {
    ml_files_error(error, errno, "written", numbers->path);
    ok = FALSE;
  }
  close(fd);
  if (!ok) {
    unlink(temporary);
    return FALSE;
  }
  g_autofree char *folder = g_path_get_dirname(numbers->path);
  return ml_files_sync_folder(folder, error);
}

static gboolean
unchanged(const MlNumbers *numbers)
{
  struct stat now;
  return numbers->seen.st_ino && stat(numbers->path, &now) == 0 && now.st_ino == numbers->seen.st_ino &&
         now.st_size == numbers->seen.st_size && now.st_mtim.tv_sec == numbers->seen.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == numbers->seen.st_mtim.tv_nsec;
}

/* Under the lock. A line that a crash cut short is cut off. */
static gboolean
reload(MlNumbers *numbers, GError **error)
{
  if (unchanged(numbers))
    return TRUE;
  int fd = open(numbers->path, O_RDWR | O_CLOEXEC);
  struct stat now = { 0 };
  if (fd < 0 && errno != ENOENT) {
    ml_files_error(error, errno, "opened", numbers->path);
    return FALSE;
  }
  gboolean good = FALSE;
  if (fd >= 0 && fstat(fd, &now) == 0 && now.st_size <= MAX_FILE) {
    g_autofree char *text = g_malloc((gsize)now.st_size + 1);
    gssize length = ml_files_pread(fd, text, (gsize)now.st_size, 0, numbers->path, error);
    if (length < 0) {
      close(fd);
      return FALSE;
    }
    while (length && text[length - 1] != '\n')
      length--;
    text[length] = '\0';
    if (length < now.st_size && (ftruncate(fd, length) < 0 || fstat(fd, &now) < 0)) {
      ml_files_error(error, errno, "written", numbers->path);
      close(fd);
      return FALSE;
    }
    good = take_text(numbers, text);
  }
  if (fd >= 0)
    close(fd);
  numbers->seen = now;
  if (good)
    return TRUE;
  forget(numbers);
  /* Not the time: what others keep by it must not fit a file that is lost and begun anew within a second. */
  numbers->validity = (guint32)g_random_int_range(1, G_MAXINT32);
  return rewrite(numbers, NULL, error);
}

MlNumbers *
ml_numbers_open(const char *state_dir, const char *account, const char *folder, const char *place,
                GError **error)
{
  g_autofree char *dir = g_build_filename(state_dir, "numbers", account, NULL);
  if (g_mkdir_with_parents(dir, 0700) < 0) {
    ml_files_error(error, errno, "made", dir);
    return NULL;
  }
  g_autofree char *name = g_uri_escape_string(folder, NULL, FALSE);
  if (strlen(name) > 200 || *name == '.') {
    g_free(name);
    name = g_compute_checksum_for_string(G_CHECKSUM_SHA256, folder, -1);
  }
  g_autoptr(MlNumbers) numbers = g_new0(MlNumbers, 1);
  numbers->uids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  numbers->folder = g_strdup(folder);
  numbers->path = g_build_filename(dir, name, NULL);
  numbers->lock_path = g_strconcat(numbers->path, ".lock", NULL);
  numbers->place = key_text(place);
  int lock = ml_files_lock(numbers->lock_path, error);
  if (lock < 0)
    return NULL;
  gboolean ok = reload(numbers, error);
  close(lock);
  return ok ? g_steal_pointer(&numbers) : NULL;
}

static gboolean
append(MlNumbers *numbers, const GString *lines, GError **error)
{
  int fd = open(numbers->path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) {
    ml_files_error(error, errno, "opened", numbers->path);
    return FALSE;
  }
  gboolean ok = ml_files_write_all(fd, lines->str, lines->len, numbers->path, error);
  if (ok && (fsync(fd) < 0 || fstat(fd, &numbers->seen) < 0)) {
    ml_files_error(error, errno, "written", numbers->path);
    ok = FALSE;
  }
  close(fd);
  if (!ok)
    memset(&numbers->seen, 0, sizeof numbers->seen); /* read it again next time */
  return ok;
}

static gboolean
assign_locked(MlNumbers *numbers, GPtrArray *keys, guint32 *uids, GError **error)
{
  if (!reload(numbers, error))
    return FALSE;
  g_autoptr(GString) lines = g_string_new(NULL);
  g_autoptr(GHashTable) present = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < keys->len; i++) {
    char *text = key_text(g_ptr_array_index(keys, i));
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(numbers->uids, text));
    if (!number) {
      if (numbers->next >= G_MAXUINT32 - 1) {
        g_set_error(error, ML_ERROR, ML_ERROR_STORE,
                    "%s has run out of numbers; delete the file to begin anew.", numbers->path);
        g_free(text);
        return FALSE;
      }
      number = numbers->next++;
      g_hash_table_insert(numbers->uids, g_strdup(text), GUINT_TO_POINTER(number));
      g_string_append_printf(lines, "%u %s\n", number, text);
    }
    uids[i] = number;
    g_hash_table_add(present, text);
  }
  if (g_hash_table_size(numbers->uids) > 2 * keys->len + 1000)
    return rewrite(numbers, present, error);
  return !lines->len || append(numbers, lines, error);
}

gboolean
ml_numbers_assign(MlNumbers *numbers, GPtrArray *keys, guint32 *uids, GError **error)
{
  int lock = ml_files_lock(numbers->lock_path, error);
  if (lock < 0)
    return FALSE;
  gboolean ok = assign_locked(numbers, keys, uids, error);
  close(lock);
  return ok;
}
