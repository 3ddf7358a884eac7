#include "mail/mbox-private.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "crypto/mapping.h"
#include "mail/files.h"

/* What was found in an mbox file the last time, so that it need not be read from front to back again. The file is other
 * programs': what is kept is believed as far as it is held against the file's marks of change, or its headers. */

#define MAGIC "signet-mbox 2\n"
enum { HEADER_MOST = 1024 * 1024, MESSAGES_MOST = 2000000, BLOCK = 1024 };

typedef struct {
  char magic[16];
  guint64 device, inode;
  gint64 size, changed[2], modified[2]; /* seconds, nanoseconds */
  MlSipKey sip;
  guint32 count, young;
  guint64 sum; /* of the records, which follow */
} Front;
G_STATIC_ASSERT(sizeof(Front) % sizeof(gint64) == 0 && sizeof(MlMboxRecord) == 64);

static gboolean
same_inode(const struct stat *a, const struct stat *b)
{
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* The time of change goes with every write and cannot be set back by the program that writes. */
gboolean
ml_mbox_same_file(const struct stat *a, const struct stat *b)
{
  return same_inode(a, b) && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
         a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* ---- in a file */

char *
ml_mbox_index_file(const char *journal)
{
  return g_strconcat(journal, ".index", NULL);
}

/* Several drivers may look at one mailbox, and one of them will do. -1: another is at it. */
static int
open_alone(const char *path)
{
  struct stat ours, there;
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &ours) < 0 || stat(path, &there) < 0 ||
                  !same_inode(&ours, &there) || ftruncate(fd, 0) < 0)) {
    close(fd);
    fd = -1;
  }
  return fd;
}

/* The sum goes from block to block, so that they need not lie in one piece. @fd -1: nothing is written. */
static gboolean
write_records(const MlMboxIndex *index, int fd, const char *path, guint64 *sum)
{
  g_autofree MlMboxRecord *block = g_new0(MlMboxRecord, BLOCK);
  guint n, total = ml_mbox_count(index);
  gboolean ok = TRUE;
  *sum = 0;
  for (guint done = 0; ok && done < total; done += n) {
    n = MIN(total - done, BLOCK);
    for (guint i = 0; i < n; i++)
      block[i] = *ml_mbox_record(index, done + i);
    const guint64 both[] = { *sum, ml_siphash(&index->sip, (const char *)block, n * sizeof *block) };
    *sum = ml_siphash(&index->sip, (const char *)both, sizeof both);
    ok = fd < 0 || ml_files_write_all(fd, block, n * sizeof *block, path, NULL);
  }
  return ok;
}

/* Whole in memory, of a file that another machine may take away, or that is served by a program: a page of it that could not
 * be read would kill us. NULL: it was not to be read. */
static GBytes *
bytes_of(int fd, gsize length)
{
  static const guint remote[] = { NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, FUSE_SUPER_MAGIC,
                                  V9FS_MAGIC, AFS_SUPER_MAGIC, CODA_SUPER_MAGIC };
  struct statfs about;
  gboolean local = fstatfs(fd, &about) == 0;
  for (guint i = 0; local && i < G_N_ELEMENTS(remote); i++)
    local = (guint)about.f_type != remote[i];
  if (local)
    return crypto_mapping_new(fd, NULL);
  g_autofree char *text = g_try_malloc(length);
  gboolean ok = text && ml_files_pread(fd, text, length, 0, "", NULL) == (gssize)length;
  return ok ? g_bytes_new_take(g_steal_pointer(&text), length) : NULL;
}

/* What is in the file need not be in memory: nobody writes to it any more, for the next one gets its name. */
static gboolean
take_file(MlMboxIndex *index, int fd, guint count)
{
  GBytes *file = bytes_of(fd, sizeof(Front) + (gsize)count * sizeof(MlMboxRecord));
  if (!file || g_bytes_get_size(file) != sizeof(Front) + (gsize)count * sizeof(MlMboxRecord)) {
    g_clear_pointer(&file, g_bytes_unref);
    return FALSE;
  }
  g_clear_pointer(&index->file, g_bytes_unref);
  index->file = file;
  index->records = sizeof(Front);
  index->in_file = count;
  g_array_unref(index->tail);
  index->tail = g_array_new(FALSE, FALSE, sizeof(MlMboxRecord));
  return TRUE;
}

gboolean
ml_mbox_index_save(MlMboxIndex *index, const char *file)
{
  guint count = ml_mbox_count(index);
  Front front = { .device = (guint64)index->about.st_dev, .inode = (guint64)index->about.st_ino,
                  .size = index->about.st_size,
                  .changed = { index->about.st_ctim.tv_sec, index->about.st_ctim.tv_nsec },
                  .modified = { index->about.st_mtim.tv_sec, index->about.st_mtim.tv_nsec },
                  .sip = index->sip, .count = count, .young = index->young };
  memcpy(front.magic, MAGIC, sizeof MAGIC);
  g_autofree char *temporary = g_strconcat(file, ".new", NULL);
  int fd = open_alone(temporary);
  if (fd < 0)
    return FALSE;
  /* No fsync: what a power cut leaves of it does not have its sum, and the mailbox is read instead. */
  gboolean ok = ml_files_write_all(fd, &front, sizeof front, temporary, NULL) &&
                write_records(index, fd, temporary, &front.sum) &&
                ml_files_pwrite_all(fd, &front, sizeof front, 0, temporary, NULL);
  ok = ok && rename(temporary, file) == 0;
  if (!ok)
    unlink(temporary);
  else if (!take_file(index, fd, count))
    g_debug("%s stays in memory", file);
  close(fd); /* and with it the lock */
  return ok;
}

/* One behind the other, within the mailbox. */
static gboolean
is_sound(const MlMboxIndex *index)
{
  guint n = ml_mbox_count(index);
  for (guint i = 0; i < n; i++) {
    MlMboxMessage message;
    ml_mbox_at(index, i, &message);
    if (message.start < 0 || message.header <= message.start || message.body < message.header ||
        message.end < message.body || message.next < message.end || !message.twin)
      return FALSE;
  }
  return TRUE;
}

static MlMboxIndex *
load(const char *file)
{
  int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat about;
  Front front;
  if (fd < 0)
    return NULL;
  g_autoptr(MlMboxIndex) index = ml_mbox_index_new();
  gboolean ok = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
                ml_files_pread(fd, &front, sizeof front, 0, file, NULL) == sizeof front &&
                memcmp(front.magic, MAGIC, sizeof MAGIC) == 0 && front.count <= MESSAGES_MOST &&
                take_file(index, fd, front.count);
  close(fd);
  if (!ok)
    return NULL;
  index->about.st_dev = (dev_t)front.device;
  index->about.st_ino = (ino_t)front.inode;
  index->about.st_size = front.size;
  index->about.st_ctim = (struct timespec){ front.changed[0], front.changed[1] };
  index->about.st_mtim = (struct timespec){ front.modified[0], front.modified[1] };
  index->sip = front.sip;
  index->young = front.young != 0;
  guint64 sum;
  ok = write_records(index, -1, NULL, &sum) && sum == front.sum && is_sound(index);
  return ok ? g_steal_pointer(&index) : NULL;
}

/* ---- held against the mailbox */

/* Do the messages from @first on still begin where they did, with these very headers? */
static gboolean
headers_hold(MlDriver *driver, const MlMboxIndex *index, guint first, int fd, const char *path)
{
  g_autofree char *buffer = g_malloc(HEADER_MOST);
  for (guint i = first, n = ml_mbox_count(index); i < n; i++) {
    const MlMboxRecord *message = ml_mbox_record(index, i);
    gsize length = (gsize)(message->body - message->start);
    if (length > HEADER_MOST || !message->hash || ml_driver_interrupted(driver) ||
        ml_files_pread(fd, buffer, length, message->start, path, NULL) != (gssize)length ||
        ml_siphash(&index->sip, buffer, length) != message->hash)
      return FALSE;
  }
  return TRUE;
}

MlMboxIndex *
ml_mbox_read(MlDriver *driver, int fd, const char *path, const MlMboxIndex *known, const char *file, GError **error)
{
  g_autoptr(MlMboxIndex) kept = known && ml_mbox_count(known) ? NULL : load(file);
  const MlMboxIndex *old = kept ? kept : known;
  g_autoptr(MlMboxIndex) index = ml_mbox_index_at(fd, path, error);
  if (!index)
    return NULL;
  const struct stat now = index->about; /* what is written from here on makes it another file */
  gboolean usable = old && ml_mbox_count(old) && same_inode(&old->about, &now);
  if (usable && kept && !kept->young && ml_mbox_same_file(&kept->about, &now) &&
      headers_hold(driver, kept, ml_mbox_count(kept) - 1, fd, path)) {
    kept->about = now;
    kept->saved = TRUE;
    return g_steal_pointer(&kept);
  }
  /* It only grew; or its times were set back, as some do; or it could have been written to in the moment in which it was
   * read. The last message may have been half of it, and is read again with what came behind it. */
  gboolean grown = usable && (now.st_size > old->about.st_size ||
                              (now.st_size == old->about.st_size &&
                               now.st_mtim.tv_sec == old->about.st_mtim.tv_sec &&
                               now.st_mtim.tv_nsec == old->about.st_mtim.tv_nsec));
  const MlMboxIndex *base = grown && headers_hold(driver, old, 0, fd, path) ? old : NULL;
  return ml_mbox_index_fill(index, driver, fd, path, base, error) ? g_steal_pointer(&index) : NULL;
}
