#include "mail/maildir-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/utf7.h"

enum { MAX_DEPTH = 16, MAX_PLACES = 10000 };

static void
place_free(gpointer data)
{
  MlMaildirPlace *place = data;
  g_free(place->name);
  g_free(place->path);
  g_free(place);
}

static gboolean
is_maildir(const char *path)
{
  g_autofree char *cur = g_build_filename(path, "cur", NULL);
  g_autofree char *new = g_build_filename(path, "new", NULL);
  return g_file_test(cur, G_FILE_TEST_IS_DIR) && g_file_test(new, G_FILE_TEST_IS_DIR);
}

typedef struct {
  GPtrArray *places;
  GHashTable *paths; /* of their names */
} Walk;

/* The first of two folders with one name stays. */
static void
add_place(Walk *all, const char *name, const char *path)
{
  g_autofree char *valid = g_utf8_make_valid(name, -1);
  if (g_hash_table_contains(all->paths, valid))
    return;
  MlMaildirPlace *place = g_new0(MlMaildirPlace, 1);
  g_hash_table_insert(all->paths, g_strdup(valid), g_strdup(path));
  place->name = g_steal_pointer(&valid);
  place->path = g_strdup(path);
  g_ptr_array_add(all->places, place);
}

/* Servers write modified UTF-7 on disk, others UTF-8; a level's name never brings a slash of its own. */
static char *
level_name(const char *on_disk)
{
  char *decoded = ml_utf7_decode(on_disk);
  if (decoded && !strchr(decoded, '/') && *decoded)
    return decoded;
  g_free(decoded);
  return g_utf8_make_valid(on_disk, -1);
}

/* ".Sent.2024" is "Sent/2024". NULL: an empty level. */
static char *
plus_name(const char *on_disk)
{
  g_auto(GStrv) levels = g_strsplit(on_disk + 1, ".", MAX_DEPTH);
  for (char **level = levels; *level; level++) {
    if (!**level)
      return NULL;
    char *name = level_name(*level);
    g_free(*level);
    *level = name;
  }
  return levels[0] ? g_strjoinv("/", levels) : NULL;
}

static void
walk(Walk *all, const char *path, const char *prefix, guint depth)
{
  g_autoptr(GDir) dir = depth < MAX_DEPTH ? g_dir_open(path, 0, NULL) : NULL;
  const char *entry;
  while (dir && (entry = g_dir_read_name(dir)) && all->places->len < MAX_PLACES) {
    if (strcmp(entry, "cur") == 0 || strcmp(entry, "new") == 0 || strcmp(entry, "tmp") == 0)
      continue;
    g_autofree char *child = g_build_filename(path, entry, NULL);
    if (!g_file_test(child, G_FILE_TEST_IS_DIR))
      continue;
    gboolean plus = *entry == '.';
    if (plus && depth > 0)
      continue;
    g_autofree char *level = plus ? plus_name(entry) : level_name(entry);
    if (!level)
      continue;
    g_autofree char *name = *prefix ? g_strconcat(prefix, "/", level, NULL) : g_strdup(level);
    if (is_maildir(child))
      add_place(all, name, child);
    if (!plus)
      walk(all, child, name, depth + 1);
  }
}

GPtrArray *
ml_maildir_places(MlMaildir *maildir, GError **error)
{
  const char *root = maildir->base.account->path;
  if (!g_file_test(root, G_FILE_TEST_IS_DIR)) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
                "%s is no folder: look at maildir = in signet.conf, or make the Maildir there.", root);
    return NULL;
  }
  Walk all = { g_ptr_array_new_with_free_func(place_free), g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free) };
  if (is_maildir(root))
    add_place(&all, "INBOX", root);
  walk(&all, root, "", 0);
  g_clear_pointer(&maildir->places, g_hash_table_unref);
  maildir->places = all.paths;
  return all.places;
}

char *
ml_maildir_find(MlMaildir *maildir, const char *folder, GError **error)
{
  /* Who asks for one folder after the other does not have the tree walked each time. */
  const char *known = maildir->places ? g_hash_table_lookup(maildir->places, folder) : NULL;
  const char *root = maildir->base.account->path;
  gboolean inbox = strcmp(folder, "INBOX") == 0; /* the root's name, if the root is one by now */
  if (known && is_maildir(known) && (!inbox || strcmp(known, root) == 0 || !is_maildir(root)))
    return g_strdup(known);
  g_autoptr(GPtrArray) places = ml_maildir_places(maildir, error);
  if (!places)
    return NULL;
  for (guint pass = 0; pass < 2; pass++) {
    for (guint i = 0; i < places->len; i++) {
      MlMaildirPlace *place = g_ptr_array_index(places, i);
      if (strcmp(place->name, folder) == 0 ||
          (pass && g_ascii_strcasecmp(folder, "INBOX") == 0 && g_ascii_strcasecmp(place->name, "INBOX") == 0))
        return g_strdup(place->path);
    }
  }
  g_set_error(error, ML_ERROR, ML_ERROR_NO_FOLDER, "There is no folder \"%s\" in %s.", folder, root);
  return NULL;
}

static gboolean
count_dir(const char *path, const char *sub, int *total, int *unseen)
{
  g_autofree char *full = g_build_filename(path, sub, NULL);
  DIR *dir = opendir(full);
  if (!dir)
    return FALSE;
  gboolean new = strcmp(sub, "new") == 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (*entry->d_name == '.')
      continue;
    ++*total;
    if (new || !(ml_maildir_name_flags(entry->d_name) & ML_FLAG_SEEN))
      ++*unseen;
  }
  closedir(dir);
  return TRUE;
}

gboolean
ml_maildir_count(const char *path, int *total, int *unseen)
{
  *total = *unseen = 0;
  return count_dir(path, "new", total, unseen) && count_dir(path, "cur", total, unseen);
}

char *
ml_maildir_key(const char *name)
{
  const char *colon = strrchr(name, ':');
  return colon ? g_strndup(name, (gsize)(colon - name)) : g_strdup(name);
}

static const struct {
  char letter;
  guint flag;
} letters[] = { { 'D', ML_FLAG_DRAFT },    { 'F', ML_FLAG_FLAGGED }, { 'P', ML_FLAG_FORWARDED },
                { 'R', ML_FLAG_ANSWERED }, { 'S', ML_FLAG_SEEN },    { 'T', ML_FLAG_DELETED } };

static const char *
info_letters(const char *name)
{
  const char *colon = strrchr(name, ':');
  return colon && colon[1] == '2' && colon[2] == ',' ? colon + 3 : "";
}

guint
ml_maildir_name_flags(const char *name)
{
  guint flags = 0;
  for (const char *p = info_letters(name); *p && *p != ','; p++)
    for (guint i = 0; i < G_N_ELEMENTS(letters); i++)
      if (letters[i].letter == *p)
        flags |= letters[i].flag;
  return flags;
}

static int
compare_letters(const void *a, const void *b)
{
  return *(const char *)a - *(const char *)b;
}

char *
ml_maildir_name_with(const char *name, guint add, guint remove)
{
  guint flags = (ml_maildir_name_flags(name) | add) & ~remove;
  g_autoptr(GString) info = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(letters); i++)
    if (flags & letters[i].flag)
      g_string_append_c(info, letters[i].letter);
  for (const char *p = info_letters(name); *p; p++)
    if (!strchr("DFPRST", *p))
      g_string_append_c(info, *p);
  qsort(info->str, info->len, 1, compare_letters);
  g_autofree char *key = ml_maildir_key(name);
  return g_strconcat(key, ":2,", info->str, NULL);
}

char *
ml_maildir_unique(void)
{
  static gint counter;
  gint64 now = g_get_real_time();
  g_autofree char *host = g_strdup(g_get_host_name());
  g_strdelimit(host, "/:", '_');
  return g_strdup_printf("%" G_GINT64_FORMAT ".M%06dP%dQ%dR%08x.%s", now / G_USEC_PER_SEC,
                         (int)(now % G_USEC_PER_SEC), (int)getpid(), g_atomic_int_add(&counter, 1),
                         g_random_int(), host);
}
