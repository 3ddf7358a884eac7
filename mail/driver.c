#include "mail/driver-private.h"
#include "mail/files.h"
#include "mail/numbers.h"
#include "mail/siphash.h"
#include "mail/sync.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

MlDriver *
ml_driver_new(const MlAccount *account, const MlDriverHooks *hooks)
{
  MlDriver *driver = NULL;
  switch (account->kind) {
  case ML_ACCOUNT_IMAP:
    driver = ml_imap_new(account, hooks);
    break;
  case ML_ACCOUNT_MAILDIR:
    driver = ml_maildir_new(account, hooks);
    break;
  case ML_ACCOUNT_MBOX:
    driver = ml_mbox_new(account, hooks);
    break;
  }
  g_assert(driver != NULL);
  driver->account = account;
  driver->hooks = hooks;
  driver->cancellable = g_cancellable_new();
  g_mutex_init(&driver->lock);
  return driver;
}

void
ml_driver_free(MlDriver *driver)
{
  if (!driver)
    return;
  driver->ops->disconnect(driver);
  g_clear_pointer(&driver->copied, g_hash_table_unref);
  g_free(driver->at);
  g_object_unref(driver->cancellable);
  g_mutex_clear(&driver->lock);
  driver->ops->free(driver);
}

void
ml_driver_interrupt(MlDriver *driver)
{
  g_mutex_lock(&driver->lock);
  g_cancellable_cancel(driver->cancellable);
  if (driver->ops->interrupt)
    driver->ops->interrupt(driver);
  g_mutex_unlock(&driver->lock);
}

void
ml_driver_resume(MlDriver *driver)
{
  if (!ml_driver_interrupted(driver))
    return;
  driver->ops->disconnect(driver);
  g_mutex_lock(&driver->lock);
  g_object_unref(driver->cancellable);
  driver->cancellable = g_cancellable_new();
  g_mutex_unlock(&driver->lock);
}

gboolean
ml_driver_interrupted(MlDriver *driver)
{
  /* Only the owner's thread replaces it, and it is the owner's thread that asks. */
  return g_cancellable_is_cancelled(driver->cancellable);
}

GCancellable *
ml_driver_cancellable(MlDriver *driver)
{
  return driver->cancellable;
}

/* The end of every call: an interrupted one is CANCELLED whatever it made of it, and lost connections are
 * let go. */
static gboolean
finish(MlDriver *driver, gboolean ok, GError **reason, GError **error)
{
  if (ok)
    return TRUE;
  GError *why = *reason;
  if (ml_driver_interrupted(driver)) {
    g_clear_error(&why);
    why = g_error_new(ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    ml_driver_resume(driver);
  } else if (g_error_matches(why, ML_ERROR, ML_ERROR_OFFLINE) ||
             g_error_matches(why, ML_ERROR, ML_ERROR_PROTOCOL) ||
             g_error_matches(why, ML_ERROR, ML_ERROR_CANCELLED)) {
    driver->ops->disconnect(driver);
  } else {
    driver->passing = driver->ops->passing && driver->ops->passing(driver);
  }
  g_assert(why != NULL);
  g_propagate_error(error, why);
  return FALSE;
}

/* What an earlier call came to says nothing about this one. */
static void
begin(MlDriver *driver)
{
  driver->passing = driver->unsure = FALSE;
  driver->unkept = 0;
  g_clear_pointer(&driver->copied, g_hash_table_unref);
  driver->copied_validity = 0;
  if (driver->ops->begin)
    driver->ops->begin(driver);
}

static gboolean
ready(MlDriver *driver, GError **why)
{
  begin(driver);
  if (ml_driver_interrupted(driver)) {
    g_set_error(why, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
    return FALSE;
  }
  if (driver->hooks->offline && driver->account->kind == ML_ACCOUNT_IMAP) {
    g_set_error(why, ML_ERROR, ML_ERROR_OFFLINE, "%s was not asked: signet was started with --offline.",
                driver->account->imap.host);
    return FALSE;
  }
  return driver->ops->connected(driver) || driver->ops->connect(driver, NULL, NULL, why);
}

gboolean
ml_driver_connect(MlDriver *driver, GError **error)
{
  GError *why = NULL;
  return finish(driver, ready(driver, &why), &why, error);
}

void
ml_driver_expect(MlDriver *driver, const MlExpected *expected)
{
  if (driver->ops->expect)
    driver->ops->expect(driver, expected);
}

const char *
ml_driver_server(MlDriver *driver)
{
  return driver->ops->server ? driver->ops->server(driver) : NULL;
}

gboolean
ml_driver_check(MlDriver *driver, MlStepFunc step, gpointer user_data, GError **error)
{
  GError *why = NULL;
  driver->ops->disconnect(driver);
  if (!driver->ops->connect(driver, step, user_data, &why))
    return finish(driver, FALSE, &why, error);
  g_autoptr(GPtrArray) folders = driver->ops->folders(driver, FALSE, &why);
  if (!folders) {
    step("folders", FALSE, why->message, user_data);
    return finish(driver, FALSE, &why, error);
  }
  g_autofree char *words = g_strdup_printf("%u folder%s", folders->len, folders->len == 1 ? "" : "s");
  step("folders", TRUE, words, user_data);
  return TRUE;
}

GPtrArray *
ml_driver_folders(MlDriver *driver, gboolean counts, GError **error)
{
  GError *why = NULL;
  GPtrArray *folders = ready(driver, &why) ? driver->ops->folders(driver, counts, &why) : NULL;
  if (finish(driver, folders != NULL, &why, error))
    ml_folder_sort(folders);
  return folders;
}

gboolean
ml_driver_select(MlDriver *driver, const char *folder, MlSelected *selected, GError **error)
{
  GError *why = NULL;
  memset(selected, 0, sizeof *selected);
  g_clear_pointer(&driver->at, g_free);
  if (!finish(driver, ready(driver, &why) && driver->ops->select(driver, folder, selected, &why), &why, error))
    return FALSE;
  driver->at = g_strdup(folder);
  driver->at_validity = selected->uidvalidity;
  return TRUE;
}

gboolean
ml_driver_headers(MlDriver *driver, guint32 above, guint first, MlHeadersFunc func, gpointer user_data,
                  GError **error)
{
  GError *why = NULL;
  first = CLAMP(first, 1, ML_CHUNK_MAX);
  return finish(driver,
                ready(driver, &why) && driver->ops->headers(driver, above, first, func, user_data, &why),
                &why, error);
}

gboolean
ml_driver_is_local(const MlDriver *driver)
{
  return driver->account->kind != ML_ACCOUNT_IMAP;
}

void
ml_sync_news_clear(MlSyncNews *news)
{
  g_clear_pointer(&news->vanished, g_array_unref);
  g_clear_pointer(&news->flag_changes, g_array_unref);
  g_clear_pointer(&news->missing, g_array_unref);
}

guint64
ml_driver_mark(MlDriver *driver, const char *folder)
{
  g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
  const char *account = driver->account->name;
  if (!driver->ops->parts || !driver->ops->parts(driver, folder, parts))
    return 0;
  g_ptr_array_add(parts, ml_numbers_path(driver->hooks->state_dir, account, folder));
  g_autoptr(GArray) marks = g_array_new(FALSE, FALSE, sizeof(guint64));
  for (guint i = 0; i < parts->len; i++) {
    struct stat now;
    if (stat(g_ptr_array_index(parts, i), &now) < 0 || ml_files_is_young(&now))
      return 0;
    const guint64 one[] = { (guint64)now.st_dev, (guint64)now.st_ino, (guint64)now.st_size,
                            (guint64)now.st_mtim.tv_sec, (guint64)now.st_mtim.tv_nsec,
                            (guint64)now.st_ctim.tv_sec, (guint64)now.st_ctim.tv_nsec };
    g_array_append_vals(marks, one, G_N_ELEMENTS(one));
  }
  static const MlSipKey any; /* kept, and compared by other runs */
  return ml_siphash(&any, marks->data, marks->len * sizeof(guint64)) >> 1; /* as the store has it: signed */
}

/* All numbers and flags are at hand where the mailbox is, so they are compared one by one. */
static gboolean
sync_by_uids(MlDriver *driver, const char *folder, const MlSyncPoint *known, const GArray *had, MlSyncNews *news,
             GError **error)
{
  guint64 mark = ml_driver_mark(driver, folder);
  if (!driver->ops->select(driver, folder, &news->selected, error))
    return FALSE;
  news->point = (MlSyncPoint){ .uidvalidity = news->selected.uidvalidity };
  news->reset = known->uidvalidity != news->selected.uidvalidity;
  if (news->reset)
    return TRUE;
  g_autoptr(GArray) there = g_array_sized_new(FALSE, FALSE, sizeof(MlFlagChange), news->selected.total);
  if (!driver->ops->uids(driver, there, error))
    return FALSE;
  g_array_sort(there, ml_flag_change_compare);
  news->selected.total = there->len;
  ml_sync_compare(had, there, news);
  if (mark && mark == ml_driver_mark(driver, folder))
    news->point.modseq = mark;
  return TRUE;
}

gboolean
ml_driver_sync(MlDriver *driver, const char *folder, const MlSyncPoint *known, const GArray *had, MlSyncNews *news,
               GError **error)
{
  GError *why = NULL;
  memset(news, 0, sizeof *news);
  g_clear_pointer(&driver->at, g_free);
  news->vanished = g_array_new(FALSE, FALSE, sizeof(guint32));
  news->flag_changes = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  news->missing = g_array_new(FALSE, FALSE, sizeof(guint32));
  gboolean ok = ready(driver, &why) && (driver->ops->sync ? driver->ops->sync : sync_by_uids)(driver, folder, known, had,
                                                                                              news, &why);
  ok = finish(driver, ok, &why, error);
  if (!ok)
    ml_sync_news_clear(news);
  return ok;
}

gboolean
ml_driver_rewritten(MlDriver *driver, const GArray *lines, GArray *uids, GError **error)
{
  GError *why = NULL;
  return !driver->ops->rewritten ||
         finish(driver, ready(driver, &why) && driver->ops->rewritten(driver, lines, uids, &why), &why, error);
}

int
ml_flag_change_compare(gconstpointer a, gconstpointer b)
{
  const MlFlagChange *one = a, *other = b;
  return one->uid < other->uid ? -1 : one->uid > other->uid ? 1 : 0;
}

GArray *
ml_driver_uids(MlDriver *driver, GError **error)
{
  GError *why = NULL;
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  if (!finish(driver, ready(driver, &why) && driver->ops->uids(driver, uids, &why), &why, error))
    return NULL;
  g_array_sort(uids, ml_flag_change_compare);
  return g_steal_pointer(&uids);
}

gboolean
ml_driver_headers_of(MlDriver *driver, const GArray *uids, MlHeadersFunc func, gpointer user_data, GError **error)
{
  GError *why = NULL;
  return !uids->len ||
         finish(driver, ready(driver, &why) && driver->ops->headers_of(driver, uids, func, user_data, &why), &why,
                error);
}

void
ml_body_free(MlBody *body)
{
  if (!body)
    return;
  g_clear_pointer(&body->bytes, g_bytes_unref);
  ml_header_free(body->header);
  g_free(body);
}

static gboolean
bodies(MlDriver *driver, const GArray *uids, gsize most, gboolean lines, MlBodiesFunc func, gpointer user_data,
       GError **error)
{
  GError *why = NULL;
  g_assert(driver->ops->bodies != NULL);
  return !uids->len ||
         finish(driver, ready(driver, &why) && driver->ops->bodies(driver, uids, most, lines, func, user_data, &why),
                &why, error);
}

gboolean
ml_driver_bodies(MlDriver *driver, const GArray *uids, gsize most, MlBodiesFunc func, gpointer user_data,
                 GError **error)
{
  return bodies(driver, uids, most, FALSE, func, user_data, error);
}

gboolean
ml_driver_whole(MlDriver *driver, const GArray *uids, gsize most, MlBodiesFunc func, gpointer user_data,
                GError **error)
{
  return bodies(driver, uids, most, TRUE, func, user_data, error);
}

GArray *
ml_driver_search(MlDriver *driver, const MlQuery *query, GError **error)
{
  GError *why = NULL;
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_assert(driver->ops->search != NULL);
  return finish(driver, ready(driver, &why) && driver->ops->search(driver, query, uids, &why), &why, error)
             ? g_steal_pointer(&uids)
             : NULL;
}

GBytes *
ml_driver_fetch(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data,
                GError **error)
{
  GError *why = NULL;
  gint64 ignored;
  GBytes *bytes = ready(driver, &why)
                      ? driver->ops->fetch(driver, uid, received ? received : &ignored, func, user_data, &why)
                      : NULL;
  finish(driver, bytes != NULL, &why, error);
  return bytes;
}

GBytes *
ml_driver_fetch_shown(MlDriver *driver, guint32 uid, guint64 size, GPtrArray **left, gint64 *received,
                      MlProgressFunc func, gpointer user_data, GError **error)
{
  if (!driver->ops->fetch_shown)
    return ml_driver_fetch(driver, uid, received, func, user_data, error);
  GError *why = NULL;
  gint64 ignored;
  GBytes *bytes = ready(driver, &why)
                      ? driver->ops->fetch_shown(driver, uid, size, left, received ? received : &ignored, func,
                                                 user_data, &why)
                      : NULL;
  finish(driver, bytes != NULL, &why, error);
  return bytes;
}

GBytes *
ml_driver_fetch_part(MlDriver *driver, guint32 uid, const char *section, guint64 size, MlProgressFunc func,
                     gpointer user_data, GError **error)
{
  GError *why = NULL;
  GBytes *bytes = NULL;
  if (!driver->ops->fetch_part)
    g_set_error(&why, ML_ERROR, ML_ERROR_NOT_FOUND, "There is no such part.");
  else
    bytes = ready(driver, &why)
                ? driver->ops->fetch_part(driver, uid, section, size, func, user_data, &why)
                : NULL;
  finish(driver, bytes != NULL, &why, error);
  return bytes;
}

gboolean
ml_driver_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error)
{
  GError *why = NULL;
  add &= ~(guint)ML_FLAG_RECENT;
  remove &= ~(guint)ML_FLAG_RECENT & ~add;
  if (!uids->len || (!add && !remove))
    return TRUE;
  return finish(driver, ready(driver, &why) && driver->ops->flags(driver, uids, add, remove, &why), &why,
                error);
}

gboolean
ml_driver_flags_as(MlDriver *driver, guint32 from, guint32 to, GError **error)
{
  GError *why = NULL;
  return finish(driver, ready(driver, &why) && driver->ops->flags_as(driver, from, to, &why), &why, error);
}

gboolean
ml_driver_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  GError *why = NULL;
  return !uids->len ||
         finish(driver, ready(driver, &why) && driver->ops->copy(driver, uids, folder, &why), &why, error);
}

gboolean
ml_driver_move(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  GError *why = NULL;
  return !uids->len ||
         finish(driver, ready(driver, &why) && driver->ops->move(driver, uids, folder, &why), &why, error);
}

gboolean
ml_driver_unsure(const MlDriver *driver)
{
  return driver->unsure;
}

gboolean
ml_driver_passing(const MlDriver *driver)
{
  return driver->passing;
}

guint
ml_driver_unkept(const MlDriver *driver)
{
  return driver->unkept;
}

GHashTable *
ml_driver_copied(const MlDriver *driver, guint32 *uidvalidity)
{
  *uidvalidity = driver->copied_validity;
  return driver->copied;
}

gboolean
ml_driver_moves_whole(const MlDriver *driver)
{
  return !driver->ops->moves_whole || driver->ops->moves_whole(driver);
}

gboolean
ml_driver_expunge(MlDriver *driver, GArray *uids, GError **error)
{
  GError *why = NULL;
  return !uids->len ||
         finish(driver, ready(driver, &why) && driver->ops->expunge(driver, uids, &why), &why, error);
}

gboolean
ml_driver_delete(MlDriver *driver, GArray *uids, GError **error)
{
  return ml_driver_flags(driver, uids, ML_FLAG_DELETED, 0, error) && ml_driver_expunge(driver, uids, error);
}

gboolean
ml_driver_append(MlDriver *driver, const char *folder, GBytes *bytes, guint flags, gint64 received,
                 guint32 *uid, GError **error)
{
  GError *why = NULL;
  guint32 ignored = 0;
  uid = uid ? uid : &ignored;
  *uid = 0;
  flags &= ~(guint)ML_FLAG_RECENT;
  received = received ? received : g_get_real_time() / G_USEC_PER_SEC;
  if (g_bytes_get_size(bytes) > ML_MESSAGE_MAX) {
    begin(driver);
    g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "The message is larger than %d MiB.",
                ML_MESSAGE_MAX / 1024 / 1024);
    return FALSE;
  }
  return finish(driver,
                ready(driver, &why) &&
                    driver->ops->append(driver, folder, bytes, flags, received, uid, &why),
                &why, error);
}

gboolean
ml_driver_has(MlDriver *driver, const char *folder, const char *message_id, gboolean *found, GError **error)
{
  GError *why = NULL;
  g_autofree char *bare = g_strdup(message_id);
  g_strstrip(bare);
  gsize length = strlen(bare);
  if (length > 2 && bare[0] == '<' && bare[length - 1] == '>') {
    bare[length - 1] = '\0';
    memmove(bare, bare + 1, length - 1);
  }
  *found = FALSE;
  return !*bare ||
         finish(driver, ready(driver, &why) && driver->ops->has(driver, folder, bare, found, &why), &why,
                error);
}

GArray *
ml_driver_find(MlDriver *driver, const char *message_id, GError **error)
{
  GError *why = NULL;
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  if (!driver->ops->find)
    g_set_error(&why, ML_ERROR, ML_ERROR_FAILED, "This mailbox cannot be searched by Message-ID.");
  gboolean ok = !why && ready(driver, &why) && driver->ops->find(driver, message_id, uids, &why);
  return finish(driver, ok, &why, error) ? g_steal_pointer(&uids) : NULL;
}

char *
ml_driver_role_folder(MlDriver *driver, MlFolderRole role, GError **error)
{
  const MlAccount *account = driver->account;
  const char *named = role == ML_ROLE_SENT      ? account->sent
                      : role == ML_ROLE_DRAFTS  ? account->drafts
                      : role == ML_ROLE_TRASH   ? account->trash
                      : role == ML_ROLE_ARCHIVE ? account->archive
                                                : NULL;
  if (named)
    return g_strdup(named);
  g_autoptr(GPtrArray) folders = ml_driver_folders(driver, FALSE, error);
  for (guint i = 0; folders && i < folders->len; i++) {
    MlFolder *folder = g_ptr_array_index(folders, i);
    if (folder->role == role && folder->selectable)
      return g_strdup(folder->name);
  }
  if (folders)
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
                "%s has no such folder: name one in [account %s] of signet.conf.", account->name,
                account->name);
  return NULL;
}

gboolean
ml_driver_poll(MlDriver *driver, MlChanges *changes, GError **error)
{
  GError *why = NULL;
  return finish(driver, ready(driver, &why) && driver->ops->wait(driver, -1, TRUE, changes, &why), &why,
                error);
}

gboolean
ml_driver_wait(MlDriver *driver, int wake_fd, MlChanges *changes, GError **error)
{
  GError *why = NULL;
  return finish(driver, ready(driver, &why) && driver->ops->wait(driver, wake_fd, FALSE, changes, &why), &why,
                error);
}

MlChanges *
ml_changes_new(void)
{
  MlChanges *changes = g_new0(MlChanges, 1);
  changes->vanished = g_array_new(FALSE, FALSE, sizeof(guint32));
  changes->flag_changes = g_array_new(FALSE, FALSE, sizeof(MlFlagChange));
  changes->arrived = g_array_new(FALSE, FALSE, sizeof(guint32));
  return changes;
}

void
ml_changes_free(MlChanges *changes)
{
  if (!changes)
    return;
  g_array_unref(changes->vanished);
  g_array_unref(changes->flag_changes);
  g_array_unref(changes->arrived);
  g_free(changes);
}

void
ml_changes_merge(MlChanges *changes, MlChanges *later)
{
  changes->new_mail |= later->new_mail;
  changes->reset |= later->reset;
  g_array_append_vals(changes->vanished, later->vanished->data, later->vanished->len);
  g_array_append_vals(changes->flag_changes, later->flag_changes->data, later->flag_changes->len);
  g_array_append_vals(changes->arrived, later->arrived->data, later->arrived->len);
  later->new_mail = later->reset = FALSE;
  g_array_set_size(later->arrived, 0);
  g_array_set_size(later->vanished, 0);
  g_array_set_size(later->flag_changes, 0);
}

gboolean
ml_changes_empty(const MlChanges *changes)
{
  return !changes->new_mail && !changes->reset && !changes->vanished->len && !changes->flag_changes->len;
}

MlWait
ml_driver_wait_fd(MlDriver *driver, int fd, int wake_fd, int timeout_ms)
{
  gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
  GPollFD cancel = { .fd = -1 };
  gboolean watched = g_cancellable_make_pollfd(driver->cancellable, &cancel);
  MlWait result = ML_WAIT_TIMEOUT;
  for (;;) {
    struct pollfd fds[] = { { cancel.fd, POLLIN, 0 }, { wake_fd, POLLIN, 0 }, { fd, POLLIN, 0 } };
    gint64 left = MAX(0, end - g_get_monotonic_time());
    int n = poll(fds, G_N_ELEMENTS(fds), (int)((left + 999) / 1000));
    if (n < 0 && errno == EINTR)
      continue;
    if (fds[0].revents || ml_driver_interrupted(driver))
      result = ML_WAIT_INTERRUPTED;
    else if (fds[1].revents)
      result = ML_WAIT_WOKEN;
    else if (fds[2].revents)
      result = ML_WAIT_DATA;
    break;
  }
  if (watched)
    g_cancellable_release_fd(driver->cancellable);
  return result;
}
