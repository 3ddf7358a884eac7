#include "mail/mbox-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mail/files.h"

enum { BUFFER = 512 * 1024, MAX_MESSAGES = 2000000, HEAD_MOST = 1024 * 1024 };

/* Lines of a file by pread(): another program may cut the file at any time, which would kill a mapping's
 * reader. */
typedef struct {
  int fd;
  const char *path;
  char *buffer;
  gsize have, at; /* octets in the buffer; where the next line begins */
  goffset base;   /* the file's offset of the buffer */
  goffset size;
  gboolean inside; /* the last part had no line end: what follows is its rest */
} Lines;

typedef struct {
  const char *text;
  gsize length; /* with the line end */
  goffset at, next;
  gboolean rest; /* not the beginning of a line */
} Line;

/* 1: a line; 0: the end; -1: error. */
static int
next_line(Lines *lines, Line *line, GError **error)
{
  char *newline =
      lines->at < lines->have ? memchr(lines->buffer + lines->at, '\n', lines->have - lines->at) : NULL;
  if (!newline) {
    memmove(lines->buffer, lines->buffer + lines->at, lines->have - lines->at);
    lines->base += (goffset)lines->at;
    lines->have -= lines->at;
    lines->at = 0;
    goffset position = lines->base + (goffset)lines->have;
    gsize want = (gsize)MIN((goffset)(BUFFER - lines->have), MAX(0, lines->size - position));
    gssize n = ml_files_pread(lines->fd, lines->buffer + lines->have, want, position, lines->path, error);
    if (n < 0)
      return -1;
    newline = memchr(lines->buffer + lines->have, '\n', (gsize)n);
    lines->have += (gsize)n;
    if (!lines->have)
      return 0;
  }
  gsize end = newline ? (gsize)(newline - lines->buffer) + 1 : lines->have;
  line->text = lines->buffer + lines->at;
  line->length = end - lines->at;
  line->at = lines->base + (goffset)lines->at;
  line->next = lines->base + (goffset)end;
  line->rest = lines->inside;
  lines->inside = newline == NULL;
  lines->at = end;
  return 1;
}

static gboolean
is_empty(const Line *line)
{
  return !line->rest &&
         (line->text[0] == '\n' || (line->length == 2 && line->text[0] == '\r' && line->text[1] == '\n'));
}

static int
index_of(const char *words, const char *text)
{
  for (int i = 0; words[i * 3]; i++)
    if (strncmp(words + i * 3, text, 3) == 0)
      return i;
  return -1;
}

/* "Sun Nov 22 00:04:05 2026", with or without seconds and zone, as the local clock said. */
static gboolean
parse_asctime(const char *text, gint64 *when)
{
  int month = index_of("JanFebMarAprMayJunJulAugSepOctNovDec", text + 4);
  if (month < 0)
    return FALSE;
  g_auto(GStrv) words = g_strsplit_set(text + 8, " ", 8);
  int day = 0, hour = -1, minute = 0, second = 0, year = 0;
  for (char **word = words; *word; word++) {
    if (!**word)
      continue;
    char *end;
    long number = strtol(*word, &end, 10);
    if (*end == ':' && end[1] && hour < 0) {
      hour = (int)number;
      minute = (int)strtol(end + 1, &end, 10);
      second = *end == ':' ? (int)strtol(end + 1, NULL, 10) : 0;
    } else if (!day && hour < 0) {
      day = (int)number;
    } else if (number >= 1970 && number <= 9999) {
      year = (int)number;
    }
  }
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || !year)
    return FALSE;
  GDateTime *date = g_date_time_new_local(year, month + 1, day, hour, minute, MIN(second, 59));
  if (!date)
    return FALSE;
  *when = g_date_time_to_unix(date);
  g_date_time_unref(date);
  return TRUE;
}

/* "From " begins many a sentence: only with a date does it begin a message. */
static gboolean
is_from_line(const Line *line, gint64 *received)
{
  if (line->rest || line->length < 20 || line->length > 1000 || memcmp(line->text, "From ", 5) != 0)
    return FALSE;
  g_autofree char *text = g_strndup(line->text, line->length);
  g_strchomp(text);
  for (const char *p = strchr(text + 4, ' '); p; p = strchr(p + 1, ' '))
    if (strlen(p) > 18 && index_of("SunMonTueWedThuFriSat", p + 1) >= 0 && p[4] == ' ' &&
        parse_asctime(p + 1, received))
      return TRUE;
  return FALSE;
}

static const char *
header_value(const Line *line, const char *name)
{
  gsize length = strlen(name);
  return !line->rest && line->length > length && g_ascii_strncasecmp(line->text, name, length) == 0
             ? line->text + length
             : NULL;
}

/* Headers that programs put in and change: no part of what makes a message itself. TRUE: this is one. */
static gboolean
take_status(MlMboxMessage *message, const Line *line)
{
  static const char *const others[] = { "X-UID:", "X-IMAP:",    "X-IMAPbase:", "Content-Length:",
                                        "Lines:", "X-Mozilla-", "X-Evolution", NULL };
  const char *end = line->text + line->length, *value;
  if ((value = header_value(line, "Status:"))) {
    for (; value < end; value++) {
      message->flags |= *value == 'R' ? ML_FLAG_SEEN : *value == 'D' ? ML_FLAG_DELETED : 0;
      if (*value == 'O' || *value == 'R')
        message->flags &= ~(guint)ML_FLAG_RECENT;
    }
    return TRUE;
  }
  if ((value = header_value(line, "X-Status:"))) {
    for (; value < end; value++)
      message->flags |= *value == 'A'   ? ML_FLAG_ANSWERED
                        : *value == 'F' ? ML_FLAG_FLAGGED
                        : *value == 'D' ? ML_FLAG_DELETED
                        : *value == 'T' ? ML_FLAG_DRAFT
                                        : 0;
    return TRUE;
  }
  if ((value = header_value(line, "X-Keywords:"))) {
    if (memmem(value, (gsize)(end - value), "$Forwarded", 10))
      message->flags |= ML_FLAG_FORWARDED;
    return TRUE;
  }
  for (guint i = 0; others[i]; i++)
    if (header_value(line, others[i]))
      return TRUE;
  return FALSE;
}

typedef struct {
  MlMboxIndex *index;
  MlMboxMessage now;
  gboolean open, in_header, volatile_field, blank; /* blank: the last line was empty */
  GChecksum *sum;
  goffset
      text_end; /* behind the last line that is not empty: an appender may put more empty lines after it */
  guint32 *twins;   /* by its digest, the last message that has it, and 1; 0: free */
  guint n_twins;
  GString *head;    /* from the From line to the body */
} Scan;

/* A sender may choose digests, but knows nothing of the key of the hash. */
static guint32 *
twin_of(const Scan *scan, const guint8 *digest)
{
  guint mask = scan->n_twins - 1;
  guint at = (guint)ml_siphash(&scan->index->sip, (const char *)digest, sizeof scan->now.digest) & mask;
  while (scan->twins[at] && memcmp(ml_mbox_record(scan->index, scan->twins[at] - 1)->digest, digest,
                                   sizeof scan->now.digest) != 0)
    at = (at + 1) & mask;
  return &scan->twins[at];
}

/* With room for @n messages, and as many again. */
static void
find_twins(Scan *scan, guint n)
{
  scan->n_twins = 1024;
  while (scan->n_twins < 4 * (guint64)n)
    scan->n_twins *= 2;
  g_free(scan->twins);
  scan->twins = g_new0(guint32, scan->n_twins);
  for (guint32 i = 0, count = ml_mbox_count(scan->index); i < count; i++)
    *twin_of(scan, ml_mbox_record(scan->index, i)->digest) = i + 1;
}

static void
close_message(Scan *scan, goffset next)
{
  if (!scan->open)
    return;
  MlMboxMessage *now = &scan->now;
  now->next = next;
  if (scan->in_header)
    now->body = now->end = next;
  if ((goffset)scan->head->len == now->body - now->start)
    now->hash = ml_siphash(&scan->index->sip, scan->head->str, scan->head->len);
  g_autofree char *length =
      g_strdup_printf("%" G_GINT64_FORMAT, (gint64)(MAX(scan->text_end, now->body) - now->body));
  g_checksum_update(scan->sum, (const guchar *)length, -1);
  guint8 digest[32];
  gsize size = sizeof digest;
  g_checksum_get_digest(scan->sum, digest, &size);
  memcpy(now->digest, digest, sizeof now->digest);
  guint count = ml_mbox_count(scan->index);
  if (scan->n_twins < 2 * (count + 1))
    find_twins(scan, count + 1);
  guint32 *twin = twin_of(scan, now->digest);
  now->twin = *twin ? ml_mbox_record(scan->index, *twin - 1)->twin + 1 : 1;
  ml_mbox_add(scan->index, now);
  *twin = count + 1;
  scan->open = FALSE;
}

/* A header that is longer has no hash. */
static void
take_head(Scan *scan, const Line *line)
{
  if (scan->head->len < HEAD_MOST)
    g_string_append_len(scan->head, line->text, (gssize)line->length);
}

static void
begin_message(Scan *scan, const Line *line, gint64 received)
{
  close_message(scan, line->at);
  memset(&scan->now, 0, sizeof scan->now);
  scan->now.start = line->at;
  scan->now.header = line->next;
  scan->now.flags = ML_FLAG_RECENT;
  scan->now.received = received;
  scan->open = scan->in_header = TRUE;
  scan->text_end = 0;
  scan->volatile_field = FALSE;
  g_string_truncate(scan->head, 0);
  take_head(scan, line);
  g_checksum_reset(scan->sum);
  g_checksum_update(scan->sum, (const guchar *)line->text, (gssize)line->length);
}

static void
header_line(Scan *scan, const Line *line)
{
  take_head(scan, line);
  if (is_empty(line)) {
    scan->in_header = FALSE;
    scan->now.body = scan->now.end = line->next;
    return;
  }
  gboolean continued = line->rest || line->text[0] == ' ' || line->text[0] == '\t';
  if (!continued)
    scan->volatile_field = take_status(&scan->now, line);
  if (!scan->volatile_field)
    g_checksum_update(scan->sum, (const guchar *)line->text, (gssize)line->length);
}

static gboolean
scan_lines(Scan *scan, MlDriver *driver, Lines *lines, GError **error)
{
  Line line;
  int result;
  guint64 count = 0;
  scan->blank = TRUE;
  while ((result = next_line(lines, &line, error)) > 0) {
    gint64 received;
    if (scan->blank && is_from_line(&line, &received)) {
      begin_message(scan, &line, received);
      scan->blank = FALSE;
    } else if (scan->open && scan->in_header) {
      header_line(scan, &line);
      scan->blank = is_empty(&line);
    } else {
      /* The last empty line parts this message from the next; those before it are text. */
      scan->blank = is_empty(&line);
      scan->now.end = scan->blank ? line.at : line.next;
      if (!scan->blank)
        scan->text_end = line.text[line.length - 1] == '\n' ? line.next : line.next + 1;
    }
    if ((++count & 0xffff) == 0 && ml_driver_interrupted(driver)) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
    if (ml_mbox_count(scan->index) >= MAX_MESSAGES) {
      g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s holds more than %d messages.", lines->path,
                  MAX_MESSAGES);
      return FALSE;
    }
  }
  close_message(scan, lines->base + (goffset)lines->have);
  return result == 0;
}

/* From @from to @to, behind what @index has already. *reached: the end of the file, where that comes before. */
static gboolean
scan_range(MlMboxIndex *index, MlDriver *driver, int fd, const char *path, goffset from, goffset to, goffset *reached,
           GError **error)
{
  Lines lines = { .fd = fd, .path = path, .buffer = g_malloc(BUFFER), .base = from, .size = to };
  Scan scan = { .index = index, .sum = g_checksum_new(G_CHECKSUM_SHA256), .head = g_string_new(NULL) };
  find_twins(&scan, ml_mbox_count(index));
  gboolean ok = scan_lines(&scan, driver, &lines, error);
  *reached = lines.base + (goffset)lines.have;
  g_free(scan.twins);
  g_checksum_free(scan.sum);
  g_string_free(scan.head, TRUE);
  g_free(lines.buffer);
  return ok;
}

MlMboxIndex *
ml_mbox_index_at(int fd, const char *path, GError **error)
{
  g_autoptr(MlMboxIndex) index = ml_mbox_index_new();
  if (fstat(fd, &index->about) < 0) {
    ml_files_error(error, errno, "read", path);
    return NULL;
  }
  index->young = ml_files_is_young(&index->about);
  return g_steal_pointer(&index);
}

gboolean
ml_mbox_index_fill(MlMboxIndex *index, MlDriver *driver, int fd, const char *path, const MlMboxIndex *known,
                   GError **error)
{
  goffset from = 0, reached;
  index->sure = !known;
  if (known && ml_mbox_count(known)) {
    guint last = ml_mbox_count(known) - 1;
    ml_mbox_take_first(index, known, last);
    from = ml_mbox_record(known, last)->start;
  }
  if (!scan_range(index, driver, fd, path, from, index->about.st_size, &reached, error))
    return FALSE;
  index->about.st_size = MIN(index->about.st_size, reached); /* shorter meanwhile: it is another file at the next look */
  if (!ml_mbox_count(index) && index->about.st_size > 1) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED,
                "%s is no mbox file: it does not begin with a \"From \" line.", path);
    return FALSE;
  }
  return TRUE;
}

MlMboxIndex *
ml_mbox_scan(MlDriver *driver, int fd, const char *path, GError **error)
{
  g_autoptr(MlMboxIndex) index = ml_mbox_index_at(fd, path, error);
  return index && ml_mbox_index_fill(index, driver, fd, path, NULL, error) ? g_steal_pointer(&index) : NULL;
}

gboolean
ml_mbox_holds(MlDriver *driver, int fd, const char *path, const MlMboxMessage *message)
{
  g_autoptr(MlMboxIndex) index = ml_mbox_index_new();
  goffset reached;
  if (!scan_range(index, driver, fd, path, message->start, message->next, &reached, NULL) || ml_mbox_count(index) != 1)
    return FALSE;
  MlMboxMessage now;
  ml_mbox_at(index, 0, &now);
  return reached == message->next && now.start == message->start && now.header == message->header &&
         now.body == message->body && now.end == message->end && now.flags == message->flags &&
         memcmp(now.digest, message->digest, sizeof now.digest) == 0;
}
