#include "mail/maildir-private.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mail/files.h"

enum { SUFFIXES = (1 << 30) - 1 };

MlMaildirList *
ml_maildir_list_new(void)
{
  MlMaildirList *list = g_new0(MlMaildirList, 1);
  list->files = g_array_new(FALSE, FALSE, sizeof(MlMaildirFile));
  list->suffixes = g_ptr_array_new_with_free_func(g_free);
  list->places = g_hash_table_new(g_str_hash, g_str_equal);
  return list;
}

void
ml_maildir_list_free(MlMaildirList *list)
{
  if (!list)
    return;
  g_array_unref(list->files);
  g_hash_table_unref(list->places);
  g_ptr_array_unref(list->suffixes);
  g_free(list);
}

void
ml_maildir_entry_clear(MlMaildirEntry *entry)
{
  g_clear_pointer(&entry->key, g_free);
  g_clear_pointer(&entry->name, g_free);
}

static guint
suffix_place(MlMaildirList *list, const char *suffix)
{
  gpointer place;
  if (g_hash_table_lookup_extended(list->places, suffix, NULL, &place))
    return GPOINTER_TO_UINT(place);
  char *copy = g_strdup(suffix);
  g_hash_table_insert(list->places, copy, GUINT_TO_POINTER(list->suffixes->len));
  g_ptr_array_add(list->suffixes, copy);
  return list->suffixes->len - 1;
}

guint
ml_maildir_file_flags(const MlMaildirList *list, const MlMaildirFile *file)
{
  return ml_maildir_name_flags(g_ptr_array_index(list->suffixes, file->suffix)) | (file->new ? ML_FLAG_RECENT : 0);
}

static int
compare_uids(gconstpointer a, gconstpointer b)
{
  const MlMaildirFile *one = a, *other = b;
  return one->uid < other->uid ? -1 : one->uid > other->uid;
}

static MlMaildirFile *
find(const MlMaildirList *list, guint32 uid)
{
  const MlMaildirFile wanted = { .uid = uid };
  MlMaildirFile *file = list->files->len ? bsearch(&wanted, list->files->data, list->files->len, sizeof *file, compare_uids)
                                         : NULL;
  return file && !file->gone ? file : NULL;
}

gboolean
ml_maildir_entry(MlMaildir *maildir, guint32 uid, MlMaildirEntry *entry)
{
  const MlMaildirFile *file = find(maildir->list, uid);
  char *key = file ? ml_numbers_key(maildir->numbers, uid) : NULL;
  if (!key || strchr(key, '/')) { /* a key was a name in cur/ or new/: nothing leads out of there */
    g_free(key);
    return FALSE;
  }
  entry->key = key;
  entry->name = g_strconcat(key, g_ptr_array_index(maildir->list->suffixes, file->suffix), NULL);
  entry->new = file->new;
  entry->flags = ml_maildir_file_flags(maildir->list, file);
  entry->uid = uid;
  return TRUE;
}

char *
ml_maildir_entry_path(const MlMaildir *maildir, const MlMaildirEntry *entry)
{
  return g_build_filename(maildir->path, entry->new ? "new" : "cur", entry->name, NULL);
}

void
ml_maildir_renamed(MlMaildir *maildir, guint32 uid, const char *name)
{
  MlMaildirFile *file = find(maildir->list, uid);
  const char *colon = strrchr(name, ':');
  if (!file)
    return;
  file->suffix = suffix_place(maildir->list, colon ? colon : "") & SUFFIXES;
  file->new = FALSE;
}

void
ml_maildir_removed(MlMaildir *maildir, guint32 uid)
{
  MlMaildirFile *file = find(maildir->list, uid);
  g_array_append_val(maildir->pending->vanished, uid);
  if (file)
    file->gone = TRUE;
}

/* ---- looking */

typedef struct {
  MlMaildirList *list;
  GString *names; /* of those that have no number yet: 'n' or 'c', the key, NUL, the suffix, NUL */
  GArray *fresh;  /* gsize: where they begin there */
} Look;

static void
look_clear(Look *look)
{
  ml_maildir_list_free(look->list);
  g_string_free(look->names, TRUE);
  g_array_unref(look->fresh);
}

static void
take_name(MlMaildir *maildir, Look *look, const char *name, gboolean new)
{
  const char *colon = strrchr(name, ':');
  gsize length = colon ? (gsize)(colon - name) : strlen(name);
  MlMaildirFile file = { .uid = ml_numbers_find(maildir->numbers, name, length), .new = new };
  if (file.uid) {
    file.suffix = suffix_place(look->list, name + length) & SUFFIXES;
    g_array_append_val(look->list->files, file);
    return;
  }
  gsize at = look->names->len;
  g_array_append_val(look->fresh, at);
  g_string_append_c(look->names, new ? 'n' : 'c');
  g_string_append_len(look->names, name, (gssize)length);
  g_string_append_c(look->names, '\0');
  g_string_append(look->names, name + length);
  g_string_append_c(look->names, '\0');
}

static gboolean
scan_dir(MlMaildir *maildir, Look *look, gboolean new, struct stat *seen, GError **error)
{
  g_autofree char *path = g_build_filename(maildir->path, new ? "new" : "cur", NULL);
  DIR *dir = opendir(path);
  if (!dir || fstat(dirfd(dir), seen) < 0) {
    ml_files_error(error, errno, "read", path);
    if (dir)
      closedir(dir);
    return FALSE;
  }
  int number;
  for (;;) {
    errno = 0;
    struct dirent *file = readdir(dir);
    number = errno;
    if (!file)
      break;
    if (*file->d_name != '.' && file->d_type != DT_DIR)
      take_name(maildir, look, file->d_name, new);
  }
  closedir(dir);
  if (number)
    ml_files_error(error, number, "read", path);
  return number == 0;
}

static gboolean
same_time(const struct stat *a, const struct stat *b)
{
  return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* In order, each once: what was seen last counts. */
static void
put_in_order(GArray *files)
{
  guint n = 0;
  g_array_sort(files, compare_uids); /* leaves equal ones as they are */
  for (guint i = 0; i < files->len; i++) {
    const MlMaildirFile *file = &g_array_index(files, MlMaildirFile, i);
    if (n && g_array_index(files, MlMaildirFile, n - 1).uid == file->uid)
      n--;
    g_array_index(files, MlMaildirFile, n++) = *file;
  }
  g_array_set_size(files, n);
}

static gboolean
misses_any(const GArray *known, const GArray *found)
{
  for (guint i = 0, k = 0; i < known->len; i++) {
    const MlMaildirFile *file = &g_array_index(known, MlMaildirFile, i);
    while (k < found->len && g_array_index(found, MlMaildirFile, k).uid < file->uid)
      k++;
    if (!file->gone && (k == found->len || g_array_index(found, MlMaildirFile, k).uid != file->uid))
      return TRUE;
  }
  return FALSE;
}

/* What is there now. A file that is renamed while a directory is read may be missed or seen twice, so a
 * look counts only when neither directory changed meanwhile, or when several looks in a row found what we
 * knew. */
static gboolean
scan(MlMaildir *maildir, Look *look, GError **error)
{
  g_autofree char *new = g_build_filename(maildir->path, "new", NULL);
  g_autofree char *cur = g_build_filename(maildir->path, "cur", NULL);
  for (guint tries = 0; tries < 8; tries++) {
    struct stat before_new, before_cur, after_new, after_cur;
    /* What one of the looks saw is there: all of them together are the answer if it never gets quiet. */
    guint files = look->list->files->len, fresh = look->fresh->len;
    if (!scan_dir(maildir, look, TRUE, &before_new, error) || !scan_dir(maildir, look, FALSE, &before_cur, error))
      return FALSE;
    gboolean quiet = stat(new, &after_new) == 0 && stat(cur, &after_cur) == 0 && same_time(&before_new, &after_new) &&
                     same_time(&before_cur, &after_cur);
    if (tries == 0)
      put_in_order(look->list->files);
    /* Times tick in milliseconds; what we knew and miss now is looked for once more. */
    if (quiet && (tries > 0 || !misses_any(maildir->list->files, look->list->files))) {
      g_array_remove_range(look->list->files, 0, files);
      g_array_remove_range(look->fresh, 0, fresh);
      return TRUE;
    }
    if (ml_driver_interrupted(&maildir->base)) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
  }
  return TRUE;
}

static int
compare_keys(gconstpointer a, gconstpointer b)
{
  const char *one = *(char *const *)a, *other = *(char *const *)b;
  /* Names begin with the seconds of delivery: numbers follow the time of arrival. */
  gint64 when = g_ascii_strtoll(one, NULL, 10), other_when = g_ascii_strtoll(other, NULL, 10);
  return when != other_when ? (when < other_when ? -1 : 1) : strcmp(one, other);
}

static gboolean
give_numbers(MlMaildir *maildir, Look *look, GError **error)
{
  if (!look->fresh->len)
    return TRUE;
  g_autoptr(GPtrArray) keys = g_ptr_array_sized_new(look->fresh->len);
  for (guint i = 0; i < look->fresh->len; i++)
    g_ptr_array_add(keys, look->names->str + g_array_index(look->fresh, gsize, i) + 1);
  g_ptr_array_sort(keys, compare_keys);
  g_autofree guint32 *uids = g_new(guint32, keys->len);
  if (!ml_numbers_assign(maildir->numbers, keys, uids, error))
    return FALSE;
  for (guint i = 0; i < keys->len; i++) {
    const char *key = g_ptr_array_index(keys, i);
    MlMaildirFile file = { .uid = uids[i], .new = key[-1] == 'n' };
    file.suffix = suffix_place(look->list, key + strlen(key) + 1) & SUFFIXES;
    g_array_append_val(look->list->files, file);
  }
  return TRUE;
}

static void
compare(MlMaildir *maildir, const MlMaildirList *then, const MlMaildirList *now)
{
  for (guint i = 0, k = 0; i < then->files->len || k < now->files->len;) {
    const MlMaildirFile *old = i < then->files->len ? &g_array_index(then->files, MlMaildirFile, i) : NULL;
    const MlMaildirFile *file = k < now->files->len ? &g_array_index(now->files, MlMaildirFile, k) : NULL;
    if (old && old->gone) {
      i++;
    } else if (!old || (file && file->uid < old->uid)) {
      guint32 uid = file->uid;
      maildir->pending->new_mail = TRUE;
      g_array_append_val(maildir->pending->arrived, uid);
      k++;
    } else if (!file || old->uid < file->uid) {
      guint32 uid = old->uid;
      g_array_append_val(maildir->pending->vanished, uid);
      i++;
    } else {
      MlFlagChange change = { file->uid, ml_maildir_file_flags(now, file) };
      if (change.flags != ml_maildir_file_flags(then, old))
        g_array_append_val(maildir->pending->flag_changes, change);
      i++;
      k++;
    }
  }
}

/* The keys of what is gone are forgotten some day. @below: the first number that nothing had before the look. */
static void
keep_numbers(MlMaildir *maildir, const GArray *files, guint32 below)
{
  g_autoptr(GError) why = NULL;
  g_autofree guint32 *uids = g_new(guint32, files->len + 1);
  for (guint i = 0; i < files->len; i++)
    uids[i] = g_array_index(files, MlMaildirFile, i).uid;
  if (!ml_numbers_keep(maildir->numbers, uids, files->len, below, &why))
    g_debug("old keys of %s stay: %s", maildir->path, why->message);
}

static gboolean
look_again(MlMaildir *maildir, Look *look, GError **error)
{
  if (!ml_numbers_look(maildir->numbers, error))
    return FALSE;
  guint32 below = ml_numbers_next(maildir->numbers), before = ml_numbers_validity(maildir->numbers);
  if (!scan(maildir, look, error) || !give_numbers(maildir, look, error))
    return FALSE;
  put_in_order(look->list->files);
  guint32 validity = ml_numbers_validity(maildir->numbers);
  if (look->fresh->len && validity == before)
    keep_numbers(maildir, look->list->files, below);
  maildir->validity = maildir->validity ? maildir->validity : validity;
  if (maildir->validity == validity) {
    compare(maildir, maildir->list, look->list);
  } else { /* the numbers were lost: a new one is not what the caller means by it, until the folder is opened again */
    maildir->pending->reset = TRUE;
    g_array_set_size(look->list->files, 0);
  }
  ml_maildir_list_free(maildir->list);
  maildir->list = g_steal_pointer(&look->list);
  return TRUE;
}

gboolean
ml_maildir_rescan(MlMaildir *maildir, GError **error)
{
  Look look = { ml_maildir_list_new(), g_string_new(NULL), g_array_new(FALSE, FALSE, sizeof(gsize)) };
  gboolean ok = look_again(maildir, &look, error);
  if (!ok && maildir->validity && ml_numbers_validity(maildir->numbers) != maildir->validity) {
    maildir->pending->reset = TRUE; /* no key behind a number that we know is the one that was meant */
    g_array_set_size(maildir->list->files, 0);
  }
  look_clear(&look);
  ml_numbers_rest(maildir->numbers);
  return ok;
}
