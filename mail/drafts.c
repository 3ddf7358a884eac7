#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/drafts-private.h"
#include "mail/files.h"
#include "mail/headers-private.h"
#include "mail/message-private.h"
#include "mail/outbox-private.h"
#include "mail/seal-private.h"

#define SUFFIX ".eml"
enum { DRAFTS_MAX = 10000, HEAD = 256 * 1024 };

struct MlDrafts {
  char *folder;
  char *session; /* below $XDG_RUNTIME_DIR; NULL: there is no such place */
};

void
ml_drafts_entry_free(MlDraftsEntry *entry)
{
  if (!entry)
    return;
  g_free(entry->id);
  g_free(entry->from);
  g_free(entry->to);
  g_free(entry->subject);
  g_free(entry);
}

void
ml_drafts_saved_free(MlDraftsSaved *saved)
{
  if (!saved)
    return;
  g_free(saved->id);
  g_clear_pointer(&saved->bytes, g_bytes_unref);
  g_free(saved);
}

/* g_get_user_runtime_dir() would fall back to a disk. */
static char *
session_folder(const char *folder)
{
  const char *runtime = g_getenv("XDG_RUNTIME_DIR");
  struct stat info;
  if (!runtime || !g_path_is_absolute(runtime) || stat(runtime, &info) < 0 || !S_ISDIR(info.st_mode) ||
      info.st_uid != getuid() || (info.st_mode & 077))
    return NULL;
  g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, folder, -1);
  g_autofree char *name = g_strdup_printf("drafts-%.16s", digest);
  return g_build_filename(runtime, "signet", name, NULL);
}

/* What a killed signet left half written; another one's that runs stays. */
static void
clear_torn(const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir))) {
    const char *mark = g_str_has_prefix(name, ".tmp-") ? name + 5 : NULL;
    g_autofree char *digits = mark ? g_strndup(mark, strcspn(mark, "-")) : NULL;
    guint64 pid = 0;
    if (!mark || !g_ascii_string_to_unsigned(digits, 10, 1, G_MAXINT, &pid, NULL) ||
        kill((pid_t)pid, 0) == 0 || errno != ESRCH)
      continue;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_unlink(path);
  }
}

MlDrafts *
ml_drafts_open(const char *folder, GError **error)
{
  if (g_mkdir_with_parents(folder, 0700) != 0) {
    ml_files_error(error, errno, "made", folder);
    return NULL;
  }
  MlDrafts *drafts = g_new0(MlDrafts, 1);
  drafts->folder = g_strdup(folder);
  drafts->session = session_folder(folder);
  clear_torn(folder);
  return drafts;
}

void
ml_drafts_free(MlDrafts *drafts)
{
  if (!drafts)
    return;
  g_free(drafts->folder);
  g_free(drafts->session);
  g_free(drafts);
}

static gboolean
is_id(const char *id)
{
  gsize length = strlen(id);
  return length && length < 100 && strspn(id, "0123456789abcdef-") == length;
}

static char *
path_of(const char *folder, const char *id)
{
  g_autofree char *name = g_strconcat(id, SUFFIX, NULL);
  return g_build_filename(folder, name, NULL);
}

/* Errors name the folder: the file has a name of its own each time, and what is said stays the same. */
static gboolean
write_file(int fd, const char *folder, GBytes *bytes, GError **error)
{
  gsize length = 0;
  const char *data = g_bytes_get_data(bytes, &length);
  gsize half = length / 2;
  if (!ml_files_write_all(fd, data, half, folder, error))
    return FALSE;
  ml_files_point("draft-torn");
  if (!ml_files_write_all(fd, data + half, length - half, folder, error))
    return FALSE;
  ml_files_point("draft-written");
  if (fsync(fd) < 0) {
    ml_files_error(error, errno, "written", folder);
    return FALSE;
  }
  return TRUE;
}

/* Whole, or not at all. */
static gboolean
store(const char *folder, const char *id, GBytes *bytes, GError **error)
{
  static gint serial = 0;
  g_autofree char *path = path_of(folder, id);
  g_autofree char *temp =
      g_strdup_printf("%s/.tmp-%d-%d-%s", folder, (int)getpid(), g_atomic_int_add(&serial, 1), id);
  if (g_mkdir_with_parents(folder, 0700) != 0) {
    ml_files_error(error, errno, "made", folder);
    return FALSE;
  }
  int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    ml_files_error(error, errno, "written", folder);
    return FALSE;
  }
  gboolean good = write_file(fd, folder, bytes, error);
  close(fd);
  ml_files_point("draft-synced");
  if (good && rename(temp, path) < 0) {
    ml_files_error(error, errno, "written", folder);
    good = FALSE;
  }
  if (!good) {
    unlink(temp);
    return FALSE;
  }
  ml_files_point("draft-renamed");
  return ml_files_sync_folder(folder, error);
}

/* A draft that moved to the other folder, or is deleted. NOT_FOUND is no failure to the caller who says so. */
static gboolean
take_away(const char *folder, const char *id, GError **error)
{
  g_autofree char *path = path_of(folder, id);
  if (unlink(path) < 0) {
    ml_files_error(error, errno, "deleted", path);
    return FALSE;
  }
  return ml_files_sync_folder(folder, error);
}

static GBytes *
encrypt(const MlDraft *draft, CryptoCert *self, GBytes *inside, gint64 now, GError **error)
{
  /* GCM: nobody on the way to the Drafts folder and back can turn a switch */
  static const CryptoCipher cipher = CRYPTO_CIPHER_AES256_GCM;
  const MlSealOptions options = { .now = now, .cipher = &cipher };
  const MlSealing sealing = { .policy = draft, .options = &options };
  MlRecipient row = { .self = TRUE, .state = ML_CERT_READY, .cert = self };
  g_autoptr(GPtrArray) rows = g_ptr_array_new(), parts = ml_seal_parts(inside);
  g_autoptr(GPtrArray) outer = ml_drafts_fields(draft, TRUE, now);
  g_ptr_array_add(rows, &row);
  return ml_seal_encrypt(&sealing, outer, parts, rows, error);
}

static char *
new_id(gint64 now)
{
  g_autofree char *uuid = g_uuid_string_random();
  return g_strdup_printf("%" G_GINT64_FORMAT "-%.13s", now, uuid);
}

static gboolean
refuse_place(GError **error)
{
  g_set_error_literal(
      error, ML_ERROR, ML_ERROR_FAILED,
      "The draft is to be encrypted, but there is no certificate of yours to keep it with, and no "
      "$XDG_RUNTIME_DIR where it could wait until you log out. It was not saved. Get a certificate "
      "(signet cert request, or signet cert import), or turn encryption off.");
  return FALSE;
}

MlDraftsSaved *
ml_drafts_save(MlDrafts *drafts, const char *id, MlDraft *draft, CryptoCert *self, gint64 now, GError **error)
{
  gboolean session = !self && (draft->encrypt || draft->encrypt_demanded);
  if (id && !is_id(id)) {
    g_set_error_literal(error, ML_ERROR, ML_ERROR_NOT_FOUND, "There is no such draft.");
    return NULL;
  }
  if (session && !drafts->session) {
    refuse_place(error);
    return NULL;
  }
  ml_draft_make_id(draft);
  g_autoptr(GBytes) inside = ml_drafts_encode(draft, self != NULL, now, error);
  g_autoptr(GBytes) bytes = !inside ? NULL
                            : self  ? encrypt(draft, self, inside, now, error)
                                    : g_bytes_ref(inside);
  if (!bytes)
    return NULL;
  g_autoptr(MlDraftsSaved) saved = g_new0(MlDraftsSaved, 1);
  saved->id = id ? g_strdup(id) : new_id(now);
  saved->encrypted = self != NULL;
  saved->session = session;
  if (!store(session ? drafts->session : drafts->folder, saved->id, bytes, error))
    return NULL;
  ml_files_point("draft-stored");
  const char *other = session ? drafts->folder : drafts->session;
  g_autoptr(GError) gone = NULL;
  if (id && other && !take_away(other, id, &gone) && gone->code != ML_ERROR_NOT_FOUND) {
    g_propagate_error(error, g_steal_pointer(&gone));
    return NULL;
  }
  if (!session)
    saved->bytes = g_steal_pointer(&bytes);
  return g_steal_pointer(&saved);
}

static GBytes *
head_of(const char *path, struct stat *info)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    return NULL;
  g_autofree char *octets = g_malloc(HEAD);
  gssize got =
      fstat(fd, info) == 0 && S_ISREG(info->st_mode) ? ml_files_pread(fd, octets, HEAD, 0, path, NULL) : -1;
  close(fd);
  return got < 0 ? NULL : g_bytes_new_take(g_steal_pointer(&octets), (gsize)got);
}

static MlDraftsEntry *
entry_of(const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  struct stat info;
  g_autoptr(GBytes) head = head_of(path, &info);
  g_autoptr(MlEntity) root = head ? ml_scan(head, TRUE, NULL) : NULL;
  if (!root)
    return NULL;
  MlDraftsEntry *entry = g_new0(MlDraftsEntry, 1);
  entry->id = g_strndup(name, strlen(name) - strlen(SUFFIX));
  entry->saved = info.st_mtime;
  entry->size = (gsize)info.st_size;
  entry->encrypted = strcmp(root->type, "application/pkcs7-mime") == 0;
  entry->from = ml_headers_text(root, "From");
  entry->to = ml_headers_text(root, "To");
  entry->subject = entry->encrypted ? NULL : ml_headers_text(root, "Subject");
  return entry;
}

static void
list_folder(const char *folder, gboolean session, GPtrArray *entries)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name;
  while (dir && entries->len < DRAFTS_MAX && (name = g_dir_read_name(dir))) {
    if (*name == '.' || !g_str_has_suffix(name, SUFFIX))
      continue;
    MlDraftsEntry *entry = entry_of(folder, name);
    if (!entry)
      continue;
    entry->session = session;
    g_ptr_array_add(entries, entry);
  }
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  const MlDraftsEntry *x = *(const MlDraftsEntry *const *)a, *y = *(const MlDraftsEntry *const *)b;
  return x->saved != y->saved ? (x->saved < y->saved ? 1 : -1) : strcmp(y->id, x->id);
}

GPtrArray *
ml_drafts_list(MlDrafts *drafts, GError **error)
{
  g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)ml_drafts_entry_free);
  if (access(drafts->folder, R_OK | X_OK) < 0) {
    ml_files_error(error, errno, "read", drafts->folder);
    return NULL;
  }
  list_folder(drafts->folder, FALSE, entries);
  if (drafts->session)
    list_folder(drafts->session, TRUE, entries);
  g_ptr_array_sort(entries, newest_first);
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < entries->len;) /* one that was killed while it moved is in both places */
    if (g_hash_table_add(seen, ((MlDraftsEntry *)g_ptr_array_index(entries, i))->id))
      i++;
    else
      g_ptr_array_remove_index(entries, i);
  return g_steal_pointer(&entries);
}

/* Where both folders have it, the newer one. */
static char *
find(MlDrafts *drafts, const char *id, GError **error)
{
  g_autofree char *found = NULL;
  struct timespec when = { 0 };
  for (guint i = 0; i < 2 && is_id(id); i++) {
    const char *folder = i ? drafts->session : drafts->folder;
    g_autofree char *path = folder ? path_of(folder, id) : NULL;
    struct stat info;
    if (!path || stat(path, &info) < 0 || !S_ISREG(info.st_mode) ||
        (found && (info.st_mtim.tv_sec < when.tv_sec ||
                   (info.st_mtim.tv_sec == when.tv_sec && info.st_mtim.tv_nsec < when.tv_nsec))))
      continue;
    g_free(found);
    found = g_steal_pointer(&path);
    when = info.st_mtim;
  }
  if (found)
    return g_steal_pointer(&found);
  g_set_error_literal(error, ML_ERROR, ML_ERROR_NOT_FOUND,
                      "There is no such draft; it may have been sent or deleted.");
  return NULL;
}

MlDraft *
ml_drafts_load(MlDrafts *drafts, const char *id, CryptoPinSource *pin, GCancellable *cancellable,
               GError **error)
{
  g_autofree char *path = find(drafts, id, error);
  if (!path)
    return NULL;
  char *octets = NULL;
  gsize length = 0;
  g_autoptr(GError) why = NULL;
  if (!g_file_get_contents(path, &octets, &length, &why)) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s cannot be read: %s.", path, why->message);
    return NULL;
  }
  g_autoptr(GBytes) bytes = g_bytes_new_take(octets, length);
  const MlReadOptions options = { .at = g_get_real_time() / G_USEC_PER_SEC, .pin = pin };
  g_autoptr(MlMessage) message = ml_message_read(bytes, &options, cancellable, error);
  return message ? ml_drafts_read(message, error) : NULL;
}

MlDraft *
ml_drafts_read(const MlMessage *message, GError **error)
{
  if (ml_message_verdict(message)->encryption == ML_ENCRYPTION_NONE)
    return ml_drafts_decode(message->root->source, error);
  g_autoptr(GBytes) inside = ml_message_decrypted(message, TRUE, error);
  return inside ? ml_drafts_decode(inside, error) : NULL;
}

gboolean
ml_drafts_delete(MlDrafts *drafts, const char *id, GError **error)
{
  g_autofree char *path = find(drafts, id, error);
  if (!path)
    return FALSE;
  g_autofree char *folder = g_path_get_dirname(path);
  return take_away(folder, id, error);
}
