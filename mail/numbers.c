#include "mail/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/siphash.h"

#define FIRST_LINE "signet-numbers 1\n"
/* Behind the name of a folder, in which two hexadecimal digits follow every %: no folder's name ends like that. */
#define NEW "%new"
#define LOCK "%lock"
enum {
  MAX_FILE = 512 * 1024 * 1024,
  MAX_LINE = 1024, /* a file's name in escapes, and its number */
  WINDOW = 16384, /* the longest line is that of the place */
  SPARE = 1000 /* keys of what is gone, at least, before they are forgotten */
};

struct MlNumbers {
  char *folder, *path, *lock_path, *place;
  guint32 validity, next;
  struct stat seen; /* the file as it was when we last read or wrote it */
  int fd;           /* of that file; -1: none */
  /* What it says, while it is asked for. */
  GString *text; /* all of the file; NULL: it rests */
  MlSipKey sip;
  guint32 *slots; /* where in @text the line of a key begins, by the key's hash; 0: free */
  guint n_slots, n_keys;
  gboolean untidy; /* there are lines that are not ours, or not in ascending order */
  /* Whole lines of the file, for ml_numbers_key(). */
  char window[WINDOW];
  goffset window_at;
  gsize window_length;
};

void
ml_numbers_rest(MlNumbers *numbers)
{
  if (numbers->text)
    g_string_free(numbers->text, TRUE);
  numbers->text = NULL;
  g_clear_pointer(&numbers->slots, g_free);
  numbers->n_slots = numbers->n_keys = 0;
}

void
ml_numbers_free(MlNumbers *numbers)
{
  if (!numbers)
    return;
  ml_numbers_rest(numbers);
  if (numbers->fd >= 0)
    close(numbers->fd);
  g_free(numbers->folder);
  g_free(numbers->path);
  g_free(numbers->lock_path);
  g_free(numbers->place);
  g_free(numbers);
}

guint32
ml_numbers_validity(const MlNumbers *numbers)
{
  return numbers->validity;
}

guint32
ml_numbers_next(const MlNumbers *numbers)
{
  return numbers->next;
}

/* A file's name may hold anything; a line may not. */
static gboolean
is_plain(const char *key, gsize length)
{
  for (const guchar *p = (const guchar *)key; p < (const guchar *)key + length; p++)
    if (*p <= 0x20 || *p == 0x7f || *p == '%')
      return FALSE;
  return TRUE;
}

static char *
key_text(const char *key, gsize length)
{
  g_autofree char *copy = g_strndup(key, length);
  return is_plain(key, length) ? g_steal_pointer(&copy) : g_uri_escape_string(copy, NULL, TRUE);
}

/* "N KEY\n" at @line. 0: it is something else, or not all of it. */
static gsize
read_line(const char *line, gsize length, guint32 *number, const char **key, gsize *key_length)
{
  const char *end = memchr(line, '\n', MIN(length, (gsize)MAX_LINE));
  const char *p = line;
  guint64 value = 0;
  for (; end && p < end && g_ascii_isdigit(*p) && value < G_MAXUINT32; p++)
    value = value * 10 + (guint64)(*p - '0');
  if (!end || p == line || *p != ' ' || !value || value > G_MAXUINT32 - 1)
    return 0;
  *number = (guint32)value;
  *key = p + 1;
  *key_length = (gsize)(end - *key);
  return (gsize)(end - line) + 1;
}

static guint32 *
slot_of(const MlNumbers *numbers, const char *key, gsize length)
{
  guint mask = numbers->n_slots - 1;
  for (guint i = (guint)ml_siphash(&numbers->sip, key, length) & mask;; i = (i + 1) & mask) {
    guint32 number, at = numbers->slots[i];
    const char *other;
    gsize other_length;
    if (!at || (read_line(numbers->text->str + at, numbers->text->len - at, &number, &other, &other_length) &&
                other_length == length && memcmp(other, key, length) == 0))
      return &numbers->slots[i];
  }
}

/* The line of the file that begins at @at has @key; of two with one key the last counts. */
static void
take_key(MlNumbers *numbers, guint32 at, const char *key, gsize length)
{
  if (numbers->n_slots < 2 * (numbers->n_keys + 1)) {
    guint32 *old = numbers->slots;
    guint n = numbers->n_slots;
    numbers->n_slots = MAX(1024, 2 * n);
    numbers->slots = g_new0(guint32, numbers->n_slots);
    for (guint i = 0; i < n; i++) {
      guint32 number;
      const char *other = NULL;
      gsize other_length = 0;
      if (old[i] && read_line(numbers->text->str + old[i], numbers->text->len - old[i], &number, &other, &other_length))
        *slot_of(numbers, other, other_length) = old[i];
    }
    g_free(old);
  }
  guint32 *slot = slot_of(numbers, key, length);
  numbers->n_keys += *slot == 0;
  *slot = at;
}

static void
forget(MlNumbers *numbers)
{
  ml_numbers_rest(numbers);
  numbers->untidy = FALSE;
  numbers->text = g_string_new(NULL);
  numbers->slots = g_new0(guint32, 1);
  numbers->n_slots = 1;
  numbers->validity = 0;
  numbers->next = 1;
}

/* A line without a number. FALSE: it is not this folder's file. */
static gboolean
take_word(MlNumbers *numbers, const char *text, gsize length)
{
  g_autofree char *line = g_strndup(text, length);
  guint64 number;
  if (g_str_has_prefix(line, "place "))
    return strcmp(line + 6, numbers->place) == 0;
  if (g_str_has_prefix(line, "validity ")) {
    if (!g_ascii_string_to_unsigned(line + 9, 10, 1, G_MAXUINT32, &number, NULL))
      return FALSE;
    numbers->validity = (guint32)number;
  } else if (g_str_has_prefix(line, "next ")) {
    if (g_ascii_string_to_unsigned(line + 5, 10, 1, G_MAXUINT32 - 1, &number, NULL))
      numbers->next = MAX(numbers->next, (guint32)number);
  } else
    numbers->untidy = TRUE;
  return TRUE;
}

/* "place PATH", "validity N", "next N", then "N KEY" a line. FALSE: not such a file, or another place's. Takes @text,
 * which ends with a line. */
static gboolean
take_text(MlNumbers *numbers, GString *text)
{
  forget(numbers);
  g_string_free(numbers->text, TRUE);
  numbers->text = text;
  if (text->len > MAX_FILE || !g_str_has_prefix(text->str, FIRST_LINE))
    return FALSE;
  guint32 last = 0;
  for (gsize at = strlen(FIRST_LINE), length; at < text->len; at += length) {
    guint32 number;
    const char *key;
    gsize key_length;
    length = read_line(text->str + at, text->len - at, &number, &key, &key_length);
    if (length) {
      numbers->untidy |= number <= last;
      last = number;
      numbers->next = MAX(numbers->next, number + 1);
      take_key(numbers, (guint32)at, key, key_length);
    } else {
      length = (gsize)((char *)memchr(text->str + at, '\n', text->len - at) - (text->str + at)) + 1;
      if (!take_word(numbers, text->str + at, length - 1))
        return FALSE;
      numbers->untidy |= last != 0;
    }
  }
  return numbers->validity != 0;
}

static int
compare_numbers(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;
  return one < other ? -1 : one > other;
}

typedef struct {
  guint32 number, at;
} Line;

static void
remember(MlNumbers *numbers, int fd)
{
  if (numbers->fd >= 0 && numbers->fd != fd)
    close(numbers->fd);
  numbers->fd = fd;
  numbers->window_length = 0;
}

static GString *
write_down(const MlNumbers *numbers, const GArray *lines)
{
  GString *text = g_string_sized_new(numbers->text->len + 256);
  g_string_append(text, FIRST_LINE);
  g_string_append_printf(text, "place %s\nvalidity %u\nnext %u\n", numbers->place, numbers->validity,
                         numbers->next);
  for (guint i = 0; i < lines->len; i++) {
    const Line *line = &g_array_index(lines, Line, i);
    guint32 number;
    const char *key;
    gsize key_length, length = read_line(numbers->text->str + line->at, numbers->text->len - line->at, &number, &key,
                                         &key_length);
    g_string_append_len(text, numbers->text->str + line->at, (gssize)length);
  }
  return text;
}

/* Writes the whole table, in order, under a new name and puts it in the old one's place. @keep: ascending, of those below
 * @below; NULL: all. */
static gboolean
rewrite(MlNumbers *numbers, const guint32 *keep, guint n, guint32 below, GError **error)
{
  g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(Line));
  for (guint i = 0; i < numbers->n_slots; i++) {
    Line line = { 0, numbers->slots[i] };
    const char *key;
    gsize key_length;
    if (line.at &&
        read_line(numbers->text->str + line.at, numbers->text->len - line.at, &line.number, &key, &key_length) &&
        (!keep || line.number >= below || bsearch(&line.number, keep, n, sizeof *keep, compare_numbers)))
      g_array_append_val(lines, line);
  }
  g_array_sort(lines, compare_numbers); /* a line begins with its number */
  for (guint i = 1; i < lines->len; i++)
    if (g_array_index(lines, Line, i).number == g_array_index(lines, Line, i - 1).number) {
      /* Two messages with one number: which of them is meant cannot be told any more. */
      forget(numbers);
      numbers->validity = (guint32)g_random_int_range(1, G_MAXINT32);
      g_array_set_size(lines, 0);
    }
  g_autoptr(GString) text = write_down(numbers, lines);
  g_autofree char *temporary = g_strconcat(numbers->path, NEW, NULL);
  int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    ml_files_error(error, errno, "written", temporary);
    memset(&numbers->seen, 0, sizeof numbers->seen); /* the table may be another than the file's by now */
    return FALSE;
  }
  gboolean ok = ml_files_write_all(fd, text->str, text->len, temporary, error);
  if (ok && (fsync(fd) < 0 || fstat(fd, &numbers->seen) < 0 || rename(temporary, numbers->path) < 0)) {
    ml_files_error(error, errno, "written", numbers->path);
    ok = FALSE;
  }
  if (!ok) {
    close(fd);
    unlink(temporary);
    memset(&numbers->seen, 0, sizeof numbers->seen);
    return FALSE;
  }
  remember(numbers, fd);
  take_text(numbers, g_steal_pointer(&text));
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

/* All of the file but a line that a crash cut short, which is cut off. NULL with no error: there is none. */
static GString *
read_file(int fd, struct stat *now, const char *path, GError **error)
{
  if (fstat(fd, now) < 0 || !S_ISREG(now->st_mode) || now->st_size > MAX_FILE)
    return NULL;
  gsize size = (gsize)now->st_size;
  GString *text = g_string_sized_new(size + 1);
  gssize length = ml_files_pread(fd, text->str, size, 0, path, error);
  if (length >= 0) {
    const char *end = memrchr(text->str, '\n', (gsize)length);
    g_string_set_size(text, end ? (gsize)(end - text->str) + 1 : 0);
    if ((gsize)text->len == size || (ftruncate(fd, (off_t)text->len) == 0 && fstat(fd, now) == 0))
      return text;
    ml_files_error(error, errno, "written", path);
  }
  g_string_free(text, TRUE);
  return NULL;
}

/* Under the lock. */
static gboolean
reload(MlNumbers *numbers, GError **error)
{
  if (numbers->text && unchanged(numbers))
    return TRUE;
  int fd = open(numbers->path, O_RDWR | O_CLOEXEC);
  struct stat now = { 0 };
  if (fd < 0 && errno != ENOENT) {
    ml_files_error(error, errno, "opened", numbers->path);
    return FALSE;
  }
  GError *why = NULL;
  GString *text = fd < 0 ? NULL : read_file(fd, &now, numbers->path, &why);
  if (why) {
    g_propagate_error(error, why);
    close(fd);
    return FALSE;
  }
  gboolean good = text && take_text(numbers, text);
  remember(numbers, fd);
  numbers->seen = now;
  if (good && !numbers->untidy)
    return TRUE;
  if (!good) {
    forget(numbers);
    /* Not the time: what others keep by it must not fit a file that is lost and begun anew within a second. */
    numbers->validity = (guint32)g_random_int_range(1, G_MAXINT32);
    return rewrite(numbers, NULL, 0, 0, error);
  }
  /* Of another version: in order it can be searched. Where there is no room for that, it is good as it is. */
  guint32 validity = numbers->validity;
  g_autoptr(GError) full = NULL;
  if (rewrite(numbers, NULL, 0, 0, &full))
    return TRUE;
  if (numbers->fd == fd) /* else it has taken the old one's place, and only the folder is not on the disk */
    numbers->seen = now;
  if (numbers->validity == validity)
    return TRUE;
  ml_numbers_rest(numbers);
  g_propagate_error(error, g_steal_pointer(&full));
  return FALSE;
}

gboolean
ml_numbers_look(MlNumbers *numbers, GError **error)
{
  int lock = ml_files_lock(numbers->lock_path, error);
  if (lock < 0)
    return FALSE;
  gboolean ok = reload(numbers, error);
  close(lock);
  return ok;
}

static guint32
number_of(const MlNumbers *numbers, const char *text, gsize length)
{
  guint32 number = 0, at = *slot_of(numbers, text, length);
  const char *key;
  if (at)
    read_line(numbers->text->str + at, numbers->text->len - at, &number, &key, &length);
  return number;
}

guint32
ml_numbers_find(const MlNumbers *numbers, const char *key, gsize length)
{
  g_assert(numbers->text != NULL);
  if (is_plain(key, length))
    return number_of(numbers, key, length);
  g_autofree char *text = key_text(key, length);
  return number_of(numbers, text, strlen(text));
}

char *
ml_numbers_path(const char *state_dir, const char *account, const char *folder)
{
  g_autofree char *name = g_uri_escape_string(folder, NULL, FALSE);
  if (strlen(name) > 200 || *name == '.') {
    g_free(name);
    name = g_compute_checksum_for_string(G_CHECKSUM_SHA256, folder, -1);
  }
  return g_build_filename(state_dir, "numbers", account, name, NULL);
}

MlNumbers *
ml_numbers_open(const char *state_dir, const char *account, const char *folder, const char *place,
                GError **error)
{
  g_autofree char *path = ml_numbers_path(state_dir, account, folder), *dir = g_path_get_dirname(path);
  if (g_mkdir_with_parents(dir, 0700) < 0) {
    ml_files_error(error, errno, "made", dir);
    return NULL;
  }
  g_autoptr(MlNumbers) numbers = g_new0(MlNumbers, 1);
  numbers->fd = -1;
  numbers->sip = ml_siphash_key();
  numbers->folder = g_strdup(folder);
  numbers->path = g_steal_pointer(&path);
  numbers->lock_path = g_strconcat(numbers->path, LOCK, NULL);
  numbers->place = key_text(place, strlen(place));
  return ml_numbers_look(numbers, error) ? g_steal_pointer(&numbers) : NULL;
}

/* Under the lock, to the file as it was read. */
static gboolean
append(MlNumbers *numbers, const GString *lines, GError **error)
{
  goffset end = numbers->seen.st_size;
  gboolean ok = ml_files_pwrite_all(numbers->fd, lines->str, lines->len, end, numbers->path, error);
  if (ok && (fsync(numbers->fd) < 0 || fstat(numbers->fd, &numbers->seen) < 0)) {
    ml_files_error(error, errno, "written", numbers->path);
    ok = FALSE;
  }
  numbers->window_length = 0;
  if (!ok) { /* read it again next time */
    memset(&numbers->seen, 0, sizeof numbers->seen);
    ml_numbers_rest(numbers);
  }
  return ok;
}

/* One more key, in @text alone. 0: there are no numbers left. */
static guint32
next_number(MlNumbers *numbers, const char *text, GError **error)
{
  if (numbers->next >= G_MAXUINT32 - 1 || strlen(text) > MAX_LINE - 16 || numbers->text->len > MAX_FILE - MAX_LINE) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s has run out of numbers; delete the file to begin anew.",
                numbers->path);
    return 0;
  }
  guint32 number = numbers->next++;
  gsize at = numbers->text->len;
  g_string_append_printf(numbers->text, "%u %s\n", number, text);
  take_key(numbers, (guint32)at, text, strlen(text));
  return number;
}

static gboolean
assign_locked(MlNumbers *numbers, GPtrArray *keys, guint32 *uids, GError **error)
{
  if (!reload(numbers, error))
    return FALSE;
  gsize before = numbers->text->len;
  for (guint i = 0; i < keys->len; i++) {
    const char *key = g_ptr_array_index(keys, i);
    uids[i] = ml_numbers_find(numbers, key, strlen(key));
    g_autofree char *text = uids[i] ? NULL : key_text(key, strlen(key));
    if (!uids[i] && !(uids[i] = next_number(numbers, text, error))) {
      ml_numbers_rest(numbers);
      return FALSE;
    }
  }
  const GString lines = { numbers->text->str + before, numbers->text->len - before, 0 };
  return !lines.len || append(numbers, &lines, error);
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

gboolean
ml_numbers_keep(MlNumbers *numbers, const guint32 *uids, guint n, guint32 below, GError **error)
{
  if (numbers->text && numbers->n_keys <= 2 * n + SPARE)
    return TRUE;
  int lock = ml_files_lock(numbers->lock_path, error);
  if (lock < 0)
    return FALSE;
  guint32 validity = numbers->validity;
  gboolean ok = reload(numbers, error);
  if (ok && numbers->validity == validity && numbers->n_keys > 2 * n + SPARE)
    ok = rewrite(numbers, uids, n, below, error);
  close(lock);
  return ok;
}

/* Whole lines of the file from @at on, or from the first behind it. FALSE: there are none. */
static gboolean
look_at(MlNumbers *numbers, goffset at)
{
  goffset from = at > 0 ? at - 1 : 0;
  gssize got = ml_files_pread(numbers->fd, numbers->window, WINDOW, from, numbers->path, NULL);
  const char *start = numbers->window;
  numbers->window_length = 0;
  if (at > 0 && got > 0 && (start = memchr(start, '\n', (gsize)got)))
    start++;
  const char *end = got > 0 && start ? memrchr(numbers->window, '\n', (gsize)got) : NULL;
  if (!end || end < start)
    return FALSE;
  numbers->window_at = from + (start - numbers->window);
  numbers->window_length = (gsize)(end - start) + 1;
  memmove(numbers->window, start, numbers->window_length);
  return TRUE;
}

/* Its key in the window, as the file has it; NULL: it is not in there. */
static char *
in_window(const MlNumbers *numbers, guint32 uid)
{
  for (gsize at = 0; at < numbers->window_length;) {
    const char *line = numbers->window + at, *key;
    guint32 number = 0;
    gsize key_length, length = read_line(line, numbers->window_length - at, &number, &key, &key_length);
    if (length && number == uid)
      return g_strndup(key, key_length);
    const char *end = memchr(line, '\n', numbers->window_length - at);
    at += (gsize)(end - line) + 1;
  }
  return NULL;
}

/* Lines stand in the order of their numbers, unless another version wrote them. */
static void
approach(MlNumbers *numbers, guint32 uid)
{
  struct stat now; /* what was seen may be forgotten, so that it is read again */
  goffset low = 0, high = fstat(numbers->fd, &now) == 0 ? now.st_size : 0;
  while (high - low > WINDOW / 2) {
    goffset middle = low + (high - low) / 2;
    guint32 number;
    const char *key;
    gsize key_length;
    if (!look_at(numbers, middle) || numbers->window_at >= high ||
        !read_line(numbers->window, numbers->window_length, &number, &key, &key_length))
      break;
    if (number <= uid)
      low = numbers->window_at;
    else
      high = middle;
  }
  look_at(numbers, MAX(0, low - WINDOW / 4));
}

/* What stands above the first number. */
static gboolean
read_words(MlNumbers *numbers)
{
  if (!look_at(numbers, 0) || numbers->window_at != 0 || numbers->window_length < strlen(FIRST_LINE) ||
      memcmp(numbers->window, FIRST_LINE, strlen(FIRST_LINE)) != 0)
    return FALSE;
  gboolean placed = FALSE;
  for (gsize at = strlen(FIRST_LINE); at < numbers->window_length && !g_ascii_isdigit(numbers->window[at]);) {
    const char *line = numbers->window + at, *end = memchr(line, '\n', numbers->window_length - at);
    if (!take_word(numbers, line, (gsize)(end - line)))
      return FALSE;
    placed |= strncmp(line, "place ", 6) == 0;
    at += (gsize)(end - line) + 1;
  }
  return placed;
}

MlNumbers *
ml_numbers_glance(const char *state_dir, const char *account, const char *folder, const char *place, guint32 validity)
{
  g_autoptr(MlNumbers) numbers = g_new0(MlNumbers, 1);
  numbers->folder = g_strdup(folder);
  numbers->path = ml_numbers_path(state_dir, account, folder);
  numbers->place = key_text(place, strlen(place));
  numbers->fd = open(numbers->path, O_RDONLY | O_CLOEXEC);
  return numbers->fd >= 0 && read_words(numbers) && numbers->validity == validity ? g_steal_pointer(&numbers) : NULL;
}

char *
ml_numbers_key(MlNumbers *numbers, guint32 uid)
{
  if (numbers->fd < 0)
    return NULL;
  char *text = in_window(numbers, uid);
  if (!text) {
    approach(numbers, uid);
    text = in_window(numbers, uid);
  }
  for (goffset at = 0; !text && look_at(numbers, at); at = numbers->window_at + (goffset)numbers->window_length)
    text = in_window(numbers, uid);
  if (text && strchr(text, '%')) {
    g_autofree char *escaped = text;
    text = g_uri_unescape_string(escaped, NULL);
  }
  return text;
}
