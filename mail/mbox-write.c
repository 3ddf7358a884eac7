#include "mail/mbox-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"

/* How a rewrite survives a kill at any point:
 *
 *   1. JOURNAL.new: a head, then all of the new text behind `from`. fsync. Where the file grows it is renamed
 *      to JOURNAL.grow, the file is made longer, with zeros, and that is renamed to JOURNAL; else to JOURNAL.
 *   2. The new text goes over the old. fsync. JOURNAL is renamed to JOURNAL.done.
 *   3. Where the file shrinks it is cut. fsync. JOURNAL.done goes.
 *
 * Whoever finds a journal knows by its name how far things were, and so where the mail begins that others
 * appended after the kill: behind the larger of both sizes, or, when it is not known whether the file was made
 * longer or cut, where the zeros or the head's digest tell. It is kept by a rewrite of the same kind, one
 * generation later. */
enum { HEAD = 4096, BLOCK = 256 * 1024 };

typedef struct {
  guint64 device, inode;
  gint64 from, old, new; /* offsets: where the change begins, the file's size before and after */
  guint generation;      /* of two journals the later one counts */
  char tail[65]; /* SHA-256 of the old text between the new size and the old; "" where the file grows */
} Head;

static int steps_left = -1;

void
ml_mbox_stop_after(int steps)
{
  steps_left = steps;
}

static gboolean
stopped(GError **error)
{
  if (steps_left < 0 || steps_left-- > 0)
    return FALSE;
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "Stopped by the test.");
  return TRUE;
}

typedef enum { GROW, WRITE, DONE, STATES } State;

static char *
state_name(const char *journal, State state)
{
  static const char *const suffixes[] = { ".grow", "", ".done" };
  return g_strconcat(journal, suffixes[state], NULL);
}

gboolean
ml_mbox_needs_recovery(const char *journal)
{
  for (State state = GROW; state < STATES; state++) {
    g_autofree char *name = state_name(journal, state);
    if (g_file_test(name, G_FILE_TEST_EXISTS))
      return TRUE;
  }
  return FALSE;
}

static gboolean
sync_parent(const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname(path);
  return ml_files_sync_folder(folder, error);
}

static gboolean
sync_file(int fd, const char *path, GError **error)
{
  if (fsync(fd) == 0)
    return TRUE;
  ml_files_error(error, errno, "written", path);
  return FALSE;
}

static gboolean
copy_range(int in, const char *in_path, goffset from, goffset to, int out, const char *out_path, goffset at,
           GError **error)
{
  g_autofree char *buffer = g_malloc(BLOCK);
  while (from < to) {
    gssize n = ml_files_pread(in, buffer, (gsize)MIN(to - from, BLOCK), from, in_path, error);
    if (n == 0)
      g_set_error(error, ML_ERROR, ML_ERROR_STORE,
                  "%s became shorter while it was read. Nothing was changed.", in_path);
    if (n <= 0 || !ml_files_pwrite_all(out, buffer, (gsize)n, at, out_path, error))
      return FALSE;
    from += n;
    at += n;
  }
  return TRUE;
}

static char *
digest_range(int fd, const char *path, goffset from, goffset to, GError **error)
{
  GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_autofree char *buffer = g_malloc(BLOCK);
  char *digest = NULL;
  gssize n = 0;
  while (from < to && (n = ml_files_pread(fd, buffer, (gsize)MIN(to - from, BLOCK), from, path, error)) > 0) {
    g_checksum_update(sum, (const guchar *)buffer, n);
    from += n;
  }
  if (n >= 0)
    digest = g_strdup(g_checksum_get_string(sum));
  g_checksum_free(sum);
  return digest;
}

static gboolean
write_head(int fd, const char *journal, const Head *head, GError **error)
{
  char text[HEAD];
  memset(text, '\n', sizeof text);
  int n = snprintf(text, sizeof text,
                   "signet-mbox 1\n%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT
                   " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %u %s.\n",
                   head->device, head->inode, head->from, head->old, head->new, head->generation, head->tail);
  text[n] = '\n';
  return ml_files_pwrite_all(fd, text, sizeof text, 0, journal, error) && sync_file(fd, journal, error);
}

static gboolean
read_head(int fd, const char *journal, Head *head, GError **error)
{
  char text[HEAD + 1];
  gssize n = ml_files_pread(fd, text, HEAD, 0, journal, error);
  if (n < 0)
    return FALSE;
  text[n] = '\0';
  if (n == HEAD && sscanf(text,
                          "signet-mbox 1\n%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT
                          " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %u %64[0-9a-f.]",
                          &head->device, &head->inode, &head->from, &head->old, &head->new, &head->generation,
                          head->tail) == 7) {
    head->tail[strcspn(head->tail, ".")] = '\0';
    return TRUE;
  }
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s is damaged. Move it away; it may hold mail.", journal);
  return FALSE;
}

static gboolean
rename_journal(const char *from, const char *to, GError **error)
{
  if (rename(from, to) < 0) {
    ml_files_error(error, errno, "written", to);
    return FALSE;
  }
  return sync_parent(to, error);
}

static gboolean
remove_journal(const char *name, GError **error)
{
  if (unlink(name) < 0 && errno != ENOENT) {
    ml_files_error(error, errno, "removed", name);
    return FALSE;
  }
  return sync_parent(name, error);
}

/* Ends step 1: the head goes before the new text, and the journal gets the name that counts. */
static gboolean
publish(MlMboxLock *lock, const char *journal, const char *temporary, int fd, Head *head, GError **error)
{
  head->tail[0] = '\0';
  if (head->new < head->old) {
    g_autofree char *tail = digest_range(lock->fd, lock->path, head->new, head->old, error);
    if (!tail)
      return FALSE;
    g_strlcpy(head->tail, tail, sizeof head->tail);
  }
  g_autofree char *name = state_name(journal, head->new > head->old ? GROW : WRITE);
  return write_head(fd, temporary, head, error) && rename_journal(temporary, name, error);
}

static int
open_temporary(const char *temporary, GError **error)
{
  int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    ml_files_error(error, errno, "written", temporary);
  return fd;
}

static gboolean
make_journal(MlMboxLock *lock, const char *journal, goffset from, GArray *pieces, GError **error)
{
  g_autofree char *temporary = g_strconcat(journal, ".new", NULL);
  struct stat about;
  int fd = open_temporary(temporary, error);
  if (fd < 0)
    return FALSE;
  goffset at = HEAD;
  State state = WRITE;
  gboolean ok = fstat(lock->fd, &about) == 0;
  if (!ok)
    ml_files_error(error, errno, "read", lock->path);
  for (guint i = 0; ok && i < pieces->len; i++) {
    MlMboxPiece *piece = &g_array_index(pieces, MlMboxPiece, i);
    goffset length = piece->text && !piece->to ? (goffset)strlen(piece->text) : piece->to - piece->from;
    ok = piece->text ? ml_files_pwrite_all(fd, piece->text, (gsize)length, at, temporary, error)
                     : copy_range(lock->fd, lock->path, piece->from, piece->to, fd, temporary, at, error);
    at += length;
  }
  if (ok) {
    Head head = { about.st_dev, about.st_ino, from, about.st_size, from + (at - HEAD), 1, "" };
    state = head.new > head.old ? GROW : WRITE;
    ok = publish(lock, journal, temporary, fd, &head, error);
  }
  close(fd);
  g_autofree char *name = state_name(journal, state);
  if (!ok && unlink(temporary) < 0) /* it has the name that counts, which is not on the disk: nobody may finish it */
    unlink(name);
  return ok;
}

/* Step 3, when it is known that the cut was not made and nothing was appended. */
static gboolean
cut(MlMboxLock *lock, const char *done, const Head *head, GError **error)
{
  if (head->new < head->old && ftruncate(lock->fd, head->new) < 0) {
    ml_files_error(error, errno, "cut", lock->path);
    return FALSE;
  }
  if (!sync_file(lock->fd, lock->path, error) || stopped(error))
    return FALSE;
  g_autoptr(GError) why = NULL;
  if (!remove_journal(done, &why)) /* all is done, and the next who comes sees that */
    g_debug("%s", why->message);
  return TRUE;
}

/* The second half of step 1. With no room for it nothing is lost: the file is as it was. */
static gboolean
grow(MlMboxLock *lock, const char *journal, const Head *head, GError **error)
{
  g_autofree char *growing = state_name(journal, GROW);
  int number = posix_fallocate(lock->fd, head->old, head->new - head->old);
  if (number == EOPNOTSUPP || number == EINVAL)
    number = ftruncate(lock->fd, head->new) < 0 ? errno : 0;
  if (number) {
    ml_files_error(error, number, "made longer", lock->path);
    if (ftruncate(lock->fd, head->old) == 0)
      unlink(growing);
    return FALSE;
  }
  return sync_file(lock->fd, lock->path, error) && !stopped(error) &&
         rename_journal(growing, journal, error) && !stopped(error);
}

/* Step 2, in two halves so that a test can stop between them. */
static gboolean
overwrite(MlMboxLock *lock, const char *journal, int fd, const Head *head, GError **error)
{
  goffset length = head->new - head->from, half = length / 2;
  return copy_range(fd, journal, HEAD, HEAD + half, lock->fd, lock->path, head->from, error) &&
         !stopped(error) &&
         copy_range(fd, journal, HEAD + half, HEAD + length, lock->fd, lock->path, head->from + half,
                    error) &&
         sync_file(lock->fd, lock->path, error) && !stopped(error);
}

static int
open_journal(const char *name, Head *head, GError **error)
{
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    ml_files_error(error, errno, "opened", name);
    return -1;
  }
  if (read_head(fd, name, head, error))
    return fd;
  close(fd);
  return -1;
}

/* A journal in state GROW or WRITE, over a file to which nothing was appended. */
static gboolean
carry_out(MlMboxLock *lock, const char *journal, State state, GError **error)
{
  Head head;
  g_autofree char *name = state_name(journal, state), *done = state_name(journal, DONE);
  int fd = open_journal(name, &head, error);
  if (fd < 0)
    return FALSE;
  gboolean ok =
      (state != GROW || grow(lock, journal, &head, error)) && overwrite(lock, journal, fd, &head, error);
  close(fd);
  return ok && rename_journal(journal, done, error) && !stopped(error) && cut(lock, done, &head, error);
}

gboolean
ml_mbox_replace(MlMboxLock *lock, const char *journal, goffset from, GArray *pieces, GError **error)
{
  g_autofree char *growing = state_name(journal, GROW);
  return !stopped(error) && make_journal(lock, journal, from, pieces, error) && !stopped(error) &&
         carry_out(lock, journal, g_file_test(growing, G_FILE_TEST_EXISTS) ? GROW : WRITE, error);
}

/* The same change, one generation later, with what others appended at [@appended, @size) behind it. */
static gboolean
with_appended(MlMboxLock *lock, const char *journal, State state, const Head *head, goffset appended,
              goffset size, GError **error)
{
  g_autofree char *temporary = g_strconcat(journal, ".new", NULL);
  g_autofree char *old = state_name(journal, state);
  Head ignored, next = { head->device,         head->inode, head->from, size, head->new + (size - appended),
                         head->generation + 1, "" };
  goffset length = head->new - head->from;
  int in = open_journal(old, &ignored, error);
  int fd = in < 0 ? -1 : open_temporary(temporary, error);
  gboolean ok = fd >= 0 && copy_range(in, old, HEAD, HEAD + length, fd, temporary, HEAD, error) &&
                copy_range(lock->fd, lock->path, appended, size, fd, temporary, HEAD + length, error) &&
                publish(lock, journal, temporary, fd, &next, error);
  if (in >= 0)
    close(in);
  if (fd >= 0)
    close(fd);
  State state_now = next.new > next.old ? GROW : WRITE;
  if (ok && state_now != state)
    ok = remove_journal(old, error);
  return ok && carry_out(lock, journal, state_now, error);
}

/* It is not known whether the file was made longer: only then zeros begin where it ended. */
static gboolean
recover_grow(MlMboxLock *lock, const char *journal, const Head *head, goffset size, GError **error)
{
  char first[16] = { 1 };
  if (size > head->old && ml_files_pread(lock->fd, first, sizeof first, head->old, lock->path, error) < 0)
    return FALSE;
  gboolean longer = size >= head->new &&first[0] == '\0';
  goffset appended = longer ? head->new : head->old;
  if (size > appended)
    return with_appended(lock, journal, GROW, head, appended, size, error);
  return carry_out(lock, journal, GROW, error);
}

/* The text is in place; only the cut may be missing. */
static gboolean
recover_done(MlMboxLock *lock, const char *journal, const Head *head, goffset size, GError **error)
{
  g_autofree char *done = state_name(journal, DONE);
  if (!sync_parent(done, error)) /* behind a cut the name before this one must not come back */
    return FALSE;
  if (head->new >= head->old || size < head->old)
    return remove_journal(done, error);
  g_autofree char *tail = digest_range(lock->fd, lock->path, head->new, head->old, error);
  if (!tail)
    return FALSE;
  if (strcmp(tail, head->tail) != 0)
    return remove_journal(done, error); /* it was cut, and mail has come since */
  if (size == head->old)
    return cut(lock, done, head, error);
  return with_appended(lock, journal, DONE, head, head->old, size, error);
}

/* The latest journal; earlier ones go. STATES: there is none, or an error. */
static State
latest(const char *journal, Head *head, GError **error)
{
  State best = STATES;
  for (State state = GROW; state < STATES; state++) {
    g_autofree char *name = state_name(journal, state);
    Head one;
    if (!g_file_test(name, G_FILE_TEST_EXISTS))
      continue;
    int fd = open_journal(name, &one, error);
    if (fd < 0)
      return STATES;
    close(fd);
    if (best == STATES || one.generation > head->generation) {
      *head = one;
      best = state;
    }
  }
  for (State state = GROW; best != STATES && state < STATES; state++) {
    g_autofree char *name = state_name(journal, state);
    if (state != best && !remove_journal(name, error))
      return STATES;
  }
  return best;
}

gboolean
ml_mbox_recover(MlMboxLock *lock, const char *journal, GError **error)
{
  if (!ml_mbox_needs_recovery(journal))
    return TRUE;
  struct stat about;
  Head head;
  State state = latest(journal, &head, error);
  if (state == STATES)
    return FALSE;
  if (fstat(lock->fd, &about) < 0) {
    ml_files_error(error, errno, "read", lock->path);
    return FALSE;
  }
  if (about.st_dev != head.device || about.st_ino != head.inode) {
    g_autofree char *name = state_name(journal, state);
    g_autofree char *kept = g_strdup_printf("%s.kept-%" G_GINT64_FORMAT, journal, g_get_real_time());
    g_warning("%s was replaced by another file; what an interrupted change would have written is kept in %s",
              lock->path, kept);
    return rename_journal(name, kept, error);
  }
  if (state == GROW)
    return recover_grow(lock, journal, &head, about.st_size, error);
  if (state == DONE)
    return recover_done(lock, journal, &head, about.st_size, error);
  goffset end = MAX(head.old, head.new);
  if (about.st_size > end)
    return with_appended(lock, journal, WRITE, &head, end, about.st_size, error);
  return carry_out(lock, journal, WRITE, error);
}
