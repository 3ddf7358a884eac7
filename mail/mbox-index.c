#include "mail/mbox-private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "mail/files.h"

/* What was found in an mbox file the last time, so that it need not be read from front to back again. The file is other
 * programs': what is kept is believed as far as it is held against the file's marks of change, or its headers. */

#define MAGIC "signet-mbox 1\n"
enum { HEADER_MOST = 1024 * 1024, MESSAGES_MOST = 2000000 };

typedef struct {
  char magic[16];
  guint64 device, inode;
  gint64 size, changed[2], modified[2]; /* seconds, nanoseconds */
  MlSipKey sip;
  guint32 count, young;
  guint64 sum; /* of the records */
} Front;

typedef struct {
  gint64 start, end, received;
  guint64 hash;
  guint32 header, body; /* behind start */
  guint32 flags, spare;
  char key[48];
} Record;

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

/* Several drivers may look at one mailbox, and one of them will do. -1: another is at it. */
static int
open_alone(const char *path)
{
  struct stat ours, there;
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &ours) < 0 || stat(path, &there) < 0 ||
                  !same_inode(&ours, &there) || ftruncate(fd, 0) < 0)) {
    close(fd);
    fd = -1;
  }
  return fd;
}

gboolean
ml_mbox_index_save(const MlMboxIndex *index, const char *file)
{
  Front front = { .device = (guint64)index->about.st_dev, .inode = (guint64)index->about.st_ino,
                  .size = index->about.st_size,
                  .changed = { index->about.st_ctim.tv_sec, index->about.st_ctim.tv_nsec },
                  .modified = { index->about.st_mtim.tv_sec, index->about.st_mtim.tv_nsec },
                  .sip = index->sip, .count = index->messages->len, .young = index->young };
  memcpy(front.magic, MAGIC, sizeof MAGIC);
  g_autoptr(GArray) records = g_array_sized_new(FALSE, TRUE, sizeof(Record), index->messages->len);
  for (guint i = 0; i < index->messages->len; i++) {
    const MlMboxMessage *message = &g_array_index(index->messages, MlMboxMessage, i);
    if (message->body - message->start > G_MAXUINT32)
      return FALSE;
    Record record = { .start = message->start, .end = message->end, .received = message->received,
                      .hash = message->hash, .header = (guint32)(message->header - message->start),
                      .body = (guint32)(message->body - message->start), .flags = message->flags };
    memcpy(record.key, message->key, sizeof record.key);
    g_array_append_val(records, record);
  }
  front.sum = ml_siphash(&front.sip, records->data ? records->data : "", records->len * sizeof(Record));
  g_autofree char *temporary = g_strconcat(file, ".new", NULL);
  int fd = open_alone(temporary);
  if (fd < 0)
    return FALSE;
  /* No fsync: what a power cut leaves of it does not have its sum, and the mailbox is read instead. */
  gboolean ok = ml_files_write_all(fd, &front, sizeof front, temporary, NULL) &&
                ml_files_write_all(fd, records->data, records->len * sizeof(Record), temporary, NULL);
  ok = ok && rename(temporary, file) == 0;
  if (!ok)
    unlink(temporary);
  close(fd); /* and with it the lock */
  return ok;
}

static gboolean
take_record(MlMboxIndex *index, const Record *record, goffset next)
{
  MlMboxMessage message = { .start = record->start, .header = record->start + record->header,
                            .body = record->start + record->body, .end = record->end, .next = next,
                            .flags = record->flags, .received = record->received, .hash = record->hash };
  memcpy(message.key, record->key, sizeof message.key);
  if (message.start < 0 || message.header <= message.start || message.body < message.header ||
      message.end < message.body || message.next < message.end || !memchr(message.key, '\0', sizeof message.key) ||
      strspn(message.key, "0123456789abcdef") != ML_MBOX_DIGEST)
    return FALSE;
  g_array_append_val(index->messages, message);
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
  gboolean ok = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
                ml_files_pread(fd, &front, sizeof front, 0, file, NULL) == sizeof front &&
                memcmp(front.magic, MAGIC, sizeof MAGIC) == 0 && front.count <= MESSAGES_MOST &&
                about.st_size == (goffset)(sizeof front + front.count * sizeof(Record));
  gsize length = ok ? front.count * sizeof(Record) : 0;
  g_autofree Record *records = g_malloc(length + 1);
  ok = ok && ml_files_pread(fd, records, length, sizeof front, file, NULL) == (gssize)length &&
       ml_siphash(&front.sip, (const char *)records, length) == front.sum;
  close(fd);
  if (!ok)
    return NULL;
  g_autoptr(MlMboxIndex) index = ml_mbox_index_new();
  index->about.st_dev = (dev_t)front.device;
  index->about.st_ino = (ino_t)front.inode;
  index->about.st_size = front.size;
  index->about.st_ctim = (struct timespec){ front.changed[0], front.changed[1] };
  index->about.st_mtim = (struct timespec){ front.modified[0], front.modified[1] };
  index->sip = front.sip;
  index->young = front.young != 0;
  for (guint i = 0; ok && i < front.count; i++)
    ok = take_record(index, &records[i], i + 1 < front.count ? records[i + 1].start : front.size);
  return ok ? g_steal_pointer(&index) : NULL;
}

/* ---- held against the mailbox */

/* Do the messages from @first on still begin where they did, with these very headers? */
static gboolean
headers_hold(MlDriver *driver, const MlMboxIndex *index, guint first, int fd, const char *path)
{
  g_autofree char *buffer = g_malloc(HEADER_MOST);
  for (guint i = first; i < index->messages->len; i++) {
    const MlMboxMessage *message = &g_array_index(index->messages, MlMboxMessage, i);
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
  g_autoptr(MlMboxIndex) kept = known && known->messages->len ? NULL : load(file);
  const MlMboxIndex *old = kept ? kept : known;
  g_autoptr(MlMboxIndex) index = ml_mbox_index_at(fd, path, error);
  if (!index)
    return NULL;
  const struct stat now = index->about; /* what is written from here on makes it another file */
  gboolean usable = old && old->messages->len && same_inode(&old->about, &now);
  if (usable && kept && !kept->young && ml_mbox_same_file(&kept->about, &now) &&
      headers_hold(driver, kept, kept->messages->len - 1, fd, path)) {
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
