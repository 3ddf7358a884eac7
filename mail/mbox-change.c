#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mail/files.h"
#include "mail/mbox-private.h"

/* The header with the flags put down the way other programs read them: at its end, in our words only. */
char *
ml_mbox_header_with_flags(const char *block, gsize length, guint flags)
{
  GString *out = g_string_sized_new(length + 64);
  g_autoptr(GString) keywords = g_string_new(NULL);
  gboolean drop = FALSE;
  gsize at = 0;
  for (gsize end; at < length; at = end) {
    const char *newline = memchr(block + at, '\n', length - at);
    end = newline ? (gsize)(newline - block) + 1 : length;
    if (block[at] == '\n' || (block[at] == '\r' && end == at + 2))
      break;
    if (block[at] != ' ' && block[at] != '\t') {
      gboolean words = end - at > 11 && g_ascii_strncasecmp(block + at, "X-Keywords:", 11) == 0;
      drop = words || (end - at > 7 && g_ascii_strncasecmp(block + at, "Status:", 7) == 0) ||
             (end - at > 9 && g_ascii_strncasecmp(block + at, "X-Status:", 9) == 0);
      if (words)
        g_string_append_len(keywords, block + at + 11, (gssize)(end - at - 11));
    }
    if (!drop)
      g_string_append_len(out, block + at, (gssize)(end - at));
  }
  g_string_append_printf(out, "Status: %sO\n", flags & ML_FLAG_SEEN ? "R" : "");
  static const struct {
    guint flag;
    char letter;
  } letters[] = {
    { ML_FLAG_ANSWERED, 'A' }, { ML_FLAG_FLAGGED, 'F' }, { ML_FLAG_DRAFT, 'T' }, { ML_FLAG_DELETED, 'D' }
  };
  if (flags & (ML_FLAG_ANSWERED | ML_FLAG_FLAGGED | ML_FLAG_DRAFT | ML_FLAG_DELETED)) {
    g_string_append(out, "X-Status: ");
    for (guint i = 0; i < G_N_ELEMENTS(letters); i++)
      if (flags & letters[i].flag)
        g_string_append_c(out, letters[i].letter);
    g_string_append_c(out, '\n');
  }
  g_auto(GStrv) words = g_strsplit_set(keywords->str, " \t\r\n,", -1);
  g_string_truncate(keywords, 0);
  for (char **word = words; *word; word++)
    if (**word && strcmp(*word, "$Forwarded") != 0)
      g_string_append_printf(keywords, " %s", *word);
  if (flags & ML_FLAG_FORWARDED)
    g_string_append(keywords, " $Forwarded");
  if (keywords->len)
    g_string_append_printf(out, "X-Keywords:%s\n", keywords->str);
  g_string_append_len(out, block + at, (gssize)(length - at));
  return g_string_free(out, FALSE);
}

static void
piece_clear(gpointer data)
{
  g_free(((MlMboxPiece *)data)->text);
}

/* One change of the file: new flags for, or the end of, the messages in @uids. */
typedef struct {
  GHashTable *uids;
  guint add, remove;
  gboolean expunge, expunge_all; /* those marked deleted; or all */
} Change;

static gboolean
is_removed(const Change *change, const MlMboxMessage *message)
{
  return change->expunge && (change->expunge_all || (message->flags & ML_FLAG_DELETED));
}

static gboolean
add_pieces(MlMbox *mbox, MlMboxLock *lock, const Change *change, const MlMboxMessage *message, GArray *pieces,
           goffset *kept, GError **error)
{
  guint flags = (message->flags | change->add) & ~change->remove & ~(guint)ML_FLAG_RECENT;
  gboolean removed = is_removed(change, message);
  if (!removed && (change->expunge || flags == (message->flags & ~(guint)ML_FLAG_RECENT)))
    return TRUE;
  MlMboxPiece before = { *kept, removed ? message->start : message->header, NULL };
  if (before.to > before.from)
    g_array_append_val(pieces, before);
  *kept = removed ? message->next : message->body;
  if (removed)
    return TRUE;
  gsize length = (gsize)(message->body - message->header);
  if (length > 16 * 1024 * 1024) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED,
                "The message's header is larger than 16 MiB: it stays as it is.");
    return FALSE;
  }
  g_autofree char *block = g_malloc(length + 1);
  gssize n = ml_files_pread(lock->fd, block, length, message->header, mbox->path, error);
  if (n < 0)
    return FALSE;
  if (memchr(block, '\0', (gsize)n)) {
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "The message's header holds a NUL: it stays as it is.");
    return FALSE;
  }
  MlMboxPiece header = { 0, 0, ml_mbox_header_with_flags(block, (gsize)n, flags) };
  g_array_append_val(pieces, header);
  return TRUE;
}

static gboolean
apply(MlMbox *mbox, const Change *change, GError **error)
{
  MlMboxLock *held;
  if (!ml_mbox_look(mbox, TRUE, &held, error))
    return FALSE;
  g_autoptr(MlMboxLock) lock = held;
  if (lock && !ml_mbox_make_sure(mbox, lock, error))
    return FALSE;
  g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(MlMboxPiece));
  g_array_set_clear_func(pieces, piece_clear);
  goffset from = -1, kept = 0;
  guint found = 0;
  for (guint i = 0; lock && i < mbox->index->uids->len; i++) {
    if (!g_hash_table_contains(change->uids, GUINT_TO_POINTER(g_array_index(mbox->index->uids, guint32, i))))
      continue;
    MlMboxMessage message;
    ml_mbox_at(mbox->index, i, &message);
    found++;
    if (from < 0)
      from = kept = message.start;
    if (!add_pieces(mbox, lock, change, &message, pieces, &kept, error))
      return FALSE;
  }
  if (from >= 0 && kept > from) {
    MlMboxPiece rest = { kept, mbox->index->about.st_size, NULL };
    if (rest.to > rest.from)
      g_array_append_val(pieces, rest);
    if (!ml_mbox_replace(lock, mbox->journal, from, pieces, error))
      return FALSE;
    g_autoptr(MlMboxIndex) index = ml_mbox_scan(&mbox->base, lock->fd, mbox->path, error);
    if (index) /* nobody else writes before we let go of the lock, and what is written then has another time */
      index->young = ml_files_is_young(&index->about);
    if (!index || !ml_mbox_number_index(mbox, index, error))
      return FALSE;
    /* What we did ourselves is no news, but for what is gone. */
    guint known = mbox->pending->flag_changes->len;
    ml_mbox_take_index(mbox, g_steal_pointer(&index));
    if (!change->expunge)
      g_array_set_size(mbox->pending->flag_changes, known);
  }
  if (found < g_hash_table_size(change->uids)) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "Some of the messages are no longer in this folder.");
    return FALSE;
  }
  return TRUE;
}

static GHashTable *
uid_set(GArray *uids)
{
  GHashTable *set = g_hash_table_new(g_direct_hash, g_direct_equal);
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_add(set, GUINT_TO_POINTER(g_array_index(uids, guint32, i)));
  return set;
}

gboolean
ml_mbox_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error)
{
  g_autoptr(GHashTable) set = uid_set(uids);
  Change change = { .uids = set, .add = add, .remove = remove };
  return apply((MlMbox *)driver, &change, error);
}

/* Keywords that are no flags stand in the header, which comes along with the message. */
gboolean
ml_mbox_flags_as(MlDriver *driver, guint32 from, guint32 to, GError **error)
{
  MlMbox *mbox = (MlMbox *)driver;
  const guint all = ML_FLAG_SEEN | ML_FLAG_ANSWERED | ML_FLAG_FLAGGED | ML_FLAG_DRAFT | ML_FLAG_FORWARDED;
  MlMboxLock *held;
  if (!ml_mbox_look(mbox, FALSE, &held, error))
    return FALSE;
  MlMboxMessage message;
  gboolean found = held && ml_mbox_find(mbox->index, from, &message);
  guint flags = found ? message.flags : 0;
  ml_mbox_unlock(held);
  if (!found) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "The message is no longer in this folder.");
    return FALSE;
  }
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_val(uids, to);
  return ml_mbox_flags(driver, uids, flags & all, all & ~flags, error);
}

gboolean
ml_mbox_expunge(MlDriver *driver, GArray *uids, GError **error)
{
  g_autoptr(GHashTable) set = uid_set(uids);
  Change change = { .uids = set, .expunge = TRUE };
  return apply((MlMbox *)driver, &change, error);
}

/* Puts the messages behind the last one of another mbox file. All of them, or none. */
static gboolean
append(MlMbox *mbox, MlMboxLock *from, MlMboxLock *to, GHashTable *uids, GError **error)
{
  struct stat about;
  char last[2] = { '\n', '\n' };
  if (fstat(to->fd, &about) < 0 ||
      (about.st_size > 1 && ml_files_pread(to->fd, last, 2, about.st_size - 2, to->path, NULL) != 2)) {
    ml_files_error(error, EIO, "read", to->path);
    return FALSE;
  }
  const char *gap = about.st_size < 2 ? "" : last[1] != '\n' ? "\n\n" : last[0] != '\n' ? "\n" : "";
  goffset at = about.st_size;
  gboolean ok = ml_files_pwrite_all(to->fd, gap, strlen(gap), at, to->path, error);
  at += (goffset)strlen(gap);
  g_autofree char *buffer = g_malloc(256 * 1024);
  char newline = '\n';
  for (guint i = 0; ok && i < mbox->index->uids->len; i++) {
    if (!g_hash_table_contains(uids, GUINT_TO_POINTER(g_array_index(mbox->index->uids, guint32, i))))
      continue;
    MlMboxMessage message;
    ml_mbox_at(mbox->index, i, &message);
    char end = '\n';
    for (goffset position = message.start; ok && position < message.end;) {
      gssize n = ml_files_pread(from->fd, buffer, (gsize)MIN(message.end - position, 256 * 1024), position,
                                from->path, error);
      ok = n > 0 && ml_files_pwrite_all(to->fd, buffer, (gsize)n, at, to->path, error);
      if (n > 0)
        end = buffer[n - 1];
      position += MAX(n, 0);
      at += MAX(n, 0);
    }
    for (guint newlines = end == '\n' ? 1 : 2; ok && newlines; newlines--)
      ok = ml_files_pwrite_all(to->fd, &newline, 1, at++, to->path, error);
  }
  if (ok && fsync(to->fd) < 0) {
    ml_files_error(error, errno, "written", to->path);
    ok = FALSE;
  }
  if (!ok && ftruncate(to->fd, about.st_size) < 0)
    g_warning("%s ends with an incomplete message", to->path);
  if (!ok && error && !*error)
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s became shorter while it was read.", from->path);
  return ok;
}

gboolean
ml_mbox_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  MlMbox *mbox = (MlMbox *)driver;
  g_autofree char *path = ml_mbox_folder_path(driver, folder, error);
  if (!path)
    return FALSE;
  g_autofree char *journal = ml_mbox_journal_path(driver, path, error);
  MlMboxLock *held;
  if (!journal || !ml_mbox_look(mbox, FALSE, &held, error))
    return FALSE;
  g_autoptr(MlMboxLock) from = held;
  if (from && !ml_mbox_make_sure(mbox, from, error))
    return FALSE;
  g_autoptr(GHashTable) set = uid_set(uids);
  guint found = 0;
  MlMboxMessage any;
  for (guint i = 0; i < uids->len; i++)
    found += ml_mbox_find(mbox->index, g_array_index(uids, guint32, i), &any);
  if (!from || found < uids->len) {
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "Some of the messages are no longer in this folder.");
    return FALSE;
  }
  if (strcmp(path, mbox->path) == 0) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The messages are in %s already.", folder);
    return FALSE;
  }
  g_autoptr(MlMboxLock) to = ml_mbox_lock(driver, path, TRUE, error);
  return to && ml_mbox_recover(to, journal, error) && append(mbox, from, to, set, error);
}

gboolean
ml_mbox_move(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  g_autoptr(GHashTable) set = uid_set(uids);
  Change change = { .uids = set, .expunge = TRUE, .expunge_all = TRUE };
  return ml_mbox_copy(driver, uids, folder, error) && apply((MlMbox *)driver, &change, error);
}
