#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/maildir-private.h"

/* Does @work on each message; one that is not where it was is looked for again. 0: done, else errno. */
typedef int (*EntryFunc)(MlMaildir *maildir, const MlMaildirEntry *entry, gpointer data);

static gboolean
each_entry(MlMaildir *maildir, GArray *uids, EntryFunc work, gpointer data, const char *doing, GError **error)
{
  guint missing = 0;
  if (!ml_maildir_need_folder(maildir, error))
    return FALSE;
  for (guint i = 0; i < uids->len; i++) {
    int number = ENOENT;
    for (guint tries = 0; tries < 4 && number == ENOENT; tries++) {
      if (tries && !ml_maildir_rescan(maildir, error))
        return FALSE;
      g_auto(MlMaildirEntry) entry = { 0 };
      if (!ml_maildir_entry(maildir, g_array_index(uids, guint32, i), &entry))
        break;
      number = work(maildir, &entry, data);
    }
    if (number == ENOENT) {
      missing++;
    } else if (number) {
      ml_files_error(error, number, doing, maildir->path);
      return FALSE;
    }
  }
  if (missing)
    ml_maildir_gone(error, missing);
  return missing == 0;
}

static gboolean
sync_folder(const char *path, GError **error)
{
  g_autofree char *cur = g_build_filename(path, "cur", NULL);
  g_autofree char *new = g_build_filename(path, "new", NULL);
  return ml_files_sync_folder(cur, error) && ml_files_sync_folder(new, error);
}

typedef struct {
  guint add, remove;
} FlagWork;

static int
flag_entry(MlMaildir *maildir, const MlMaildirEntry *entry, gpointer data)
{
  FlagWork *work = data;
  g_autofree char *name = ml_maildir_name_with(entry->name, work->add, work->remove);
  if (!entry->new && strcmp(name, entry->name) == 0)
    return 0;
  g_autofree char *from = ml_maildir_entry_path(maildir, entry);
  g_autofree char *to = g_build_filename(maildir->path, "cur", name, NULL);
  if (!ml_files_rename(from, to))
    return errno;
  ml_maildir_renamed(maildir, entry->uid, name);
  return 0;
}

gboolean
ml_maildir_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  FlagWork work = { add, remove };
  return each_entry(maildir, uids, flag_entry, &work, "changed", error) && sync_folder(maildir->path, error);
}

/* The letters behind ":2,", those that we do not know too. */
static int
take_letters(MlMaildir *maildir, const MlMaildirEntry *entry, gpointer data)
{
  char **letters = data;
  g_autofree char *path = ml_maildir_entry_path(maildir, entry);
  if (access(path, F_OK) < 0)
    return errno;
  const char *info = strstr(entry->name, ":2,");
  g_free(*letters);
  *letters = entry->new && !info ? g_strdup("") : g_strconcat(":2,", info ? info + 3 : "", NULL);
  return 0;
}

static int
give_letters(MlMaildir *maildir, const MlMaildirEntry *entry, gpointer data)
{
  const char *letters = data;
  g_autofree char *plain = g_strconcat(entry->key, letters, NULL);
  g_autofree char *name = *letters ? ml_maildir_name_with(plain, 0, ML_FLAG_DELETED) : g_strdup(entry->name);
  gboolean new = entry->new && !*letters;
  if (entry->new == new && strcmp(name, entry->name) == 0)
    return 0;
  g_autofree char *from = ml_maildir_entry_path(maildir, entry);
  g_autofree char *to = g_build_filename(maildir->path, "cur", name, NULL);
  if (!ml_files_rename(from, to))
    return errno;
  ml_maildir_renamed(maildir, entry->uid, name);
  return 0;
}

gboolean
ml_maildir_flags_as(MlDriver *driver, guint32 from, guint32 to, GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  g_autofree char *letters = NULL;
  g_autoptr(GArray) one = g_array_new(FALSE, FALSE, sizeof(guint32)), other = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_val(one, from);
  g_array_append_val(other, to);
  return each_entry(maildir, one, take_letters, &letters, "read", error) &&
         each_entry(maildir, other, give_letters, letters, "changed", error) && sync_folder(maildir->path, error);
}

/* The file appears in cur/ only when all of it is on the disk. */
static int
copy_file(const char *from, const char *folder, const char *name)
{
  int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (in < 0)
    return errno;
  g_autofree char *unique = ml_maildir_unique();
  g_autofree char *temporary = g_build_filename(folder, "tmp", unique, NULL);
  g_autofree char *final = g_build_filename(folder, "cur", name, NULL);
  struct stat about;
  int out = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  int number = out < 0 || fstat(in, &about) < 0 ? (errno == ENOENT ? ENOTDIR : errno) : 0;
  g_autofree char *buffer = g_malloc(256 * 1024);
  while (!number) {
    ssize_t n = read(in, buffer, 256 * 1024);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      number = errno;
    if (n <= 0)
      break;
    if (!ml_files_write_all(out, buffer, (gsize)n, temporary, NULL))
      number = errno ? errno : EIO;
  }
  if (!number) {
    struct timespec times[2] = { about.st_mtim, about.st_mtim };
    if (futimens(out, times) < 0 || fsync(out) < 0)
      number = errno;
  }
  if (!number && !ml_files_rename(temporary, final))
    number = errno;
  if (number && out >= 0)
    unlink(temporary);
  close(in);
  if (out >= 0)
    close(out);
  return number;
}

typedef struct {
  char *path; /* of the folder that receives */
} CopyWork;

static int
copy_entry(MlMaildir *maildir, const MlMaildirEntry *entry, gpointer data)
{
  CopyWork *work = data;
  g_autofree char *from = ml_maildir_entry_path(maildir, entry);
  const char *info = strrchr(entry->name, ':');
  g_autofree char *unique = ml_maildir_unique();
  g_autofree char *name = g_strconcat(unique, info ? info : ":2,", NULL);
  return copy_file(from, work->path, name);
}

static int
move_entry(MlMaildir *maildir, const MlMaildirEntry *entry, gpointer data)
{
  CopyWork *work = data;
  g_autofree char *from = ml_maildir_entry_path(maildir, entry);
  const char *info = strrchr(entry->name, ':');
  g_autofree char *name = info ? g_strdup(entry->name) : g_strconcat(entry->name, ":2,", NULL);
  g_autofree char *to = g_build_filename(work->path, "cur", name, NULL);
  int number = ml_files_rename(from, to) ? 0 : errno;
  if (number == EXDEV || number == EEXIST) {
    number = copy_entry(maildir, entry, data);
    if (!number && unlink(from) < 0 && errno != ENOENT)
      number = errno;
  }
  if (!number) {
    ml_maildir_removed(maildir, entry->uid);
  }
  return number;
}

static gboolean
transfer(MlDriver *driver, GArray *uids, const char *folder, EntryFunc work, const char *doing,
         GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  if (!ml_maildir_need_folder(maildir, error))
    return FALSE;
  g_autofree char *path = ml_maildir_find((MlMaildir *)driver, folder, error);
  if (!path)
    return FALSE;
  if (work == move_entry && strcmp(path, maildir->path) == 0)
    return TRUE;
  CopyWork to = { path };
  gboolean ok = each_entry(maildir, uids, work, &to, doing, error);
  return sync_folder(path, ok ? error : NULL) && sync_folder(maildir->path, ok ? error : NULL) && ok;
}

gboolean
ml_maildir_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  return transfer(driver, uids, folder, copy_entry, "copied", error);
}

gboolean
ml_maildir_move(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  return transfer(driver, uids, folder, move_entry, "moved", error);
}

/* Only what is marked deleted by its name at this moment. */
static int
expunge_entry(MlMaildir *maildir, const MlMaildirEntry *entry, gpointer data)
{
  (void)data;
  if (!(entry->flags & ML_FLAG_DELETED))
    return 0;
  g_autofree char *path = ml_maildir_entry_path(maildir, entry);
  if (unlink(path) < 0)
    return errno;
  ml_maildir_removed(maildir, entry->uid);
  return 0;
}

gboolean
ml_maildir_expunge(MlDriver *driver, GArray *uids, GError **error)
{
  MlMaildir *maildir = (MlMaildir *)driver;
  return each_entry(maildir, uids, expunge_entry, NULL, "removed", error) &&
         sync_folder(maildir->path, error);
}
