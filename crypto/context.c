#include "crypto/context.h"

#include <cert.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <nss.h>
#include <pk11pub.h>
#include <secerr.h>
#include <secmod.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/cards-private.h"
#include "crypto/chain-private.h"
#include "crypto/pkcs12-private.h"

/* NSS is one for the process, and so is this. Set by crypto_open(), cleared by crypto_close(); in between only
 * read, but for the session lists, which grow before any job runs. */
static struct {
  gboolean open, database, read_only;
  SECMODModule *roots, *cards;
  GPtrArray
      *certs; /* of CryptoCert: what --trust and --certs gave; holding them keeps their trust in memory */
} context;

enum { BUSY_WAIT_MS = 5000, DAMAGE_WAIT_MS = 400, CRL_MAX_BYTES = 256 * 1024 * 1024 };

static const char *const database_files[] = { "cert9.db", "key4.db" };

gboolean
crypto_context_has_database(void)
{
  return context.database;
}

gboolean
crypto_context_is_read_only(void)
{
  return context.read_only;
}

gboolean
crypto_context_is_own_module(const void *module)
{
  return module && (module == context.roots || module == context.cards);
}

GPtrArray *
crypto_context_session_certs(void)
{
  return context.certs;
}

PK11SlotInfo *
crypto_context_database(GError **error)
{
  PK11SlotInfo *slot = context.database ? PK11_GetInternalKeySlot() : NULL;
  if (!slot)
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
        "There is no certificate database to keep it in. Import a certificate or a key to make one, or "
        "name one with nssdb in signet.conf.");
  return slot;
}

/* --- the user's database */

/* Who has @path open? "firefox (process 4711)"; NULL: nobody that we may look at. */
static char *
find_holder(const char *path)
{
  GStatBuf wanted;
  g_autoptr(GDir) proc = g_stat(path, &wanted) == 0 ? g_dir_open("/proc", 0, NULL) : NULL;
  const char *name;
  while (proc && (name = g_dir_read_name(proc))) {
    if (!g_ascii_isdigit(*name) || g_ascii_strtoull(name, NULL, 10) == (guint64)getpid())
      continue;
    g_autofree char *folder = g_build_filename("/proc", name, "fd", NULL);
    g_autoptr(GDir) fds = g_dir_open(folder, 0, NULL);
    const char *fd;
    while (fds && (fd = g_dir_read_name(fds))) {
      g_autofree char *link = g_build_filename(folder, fd, NULL);
      GStatBuf have;
      if (g_stat(link, &have) != 0 || have.st_ino != wanted.st_ino || have.st_dev != wanted.st_dev)
        continue;
      g_autofree char *comm_file = g_build_filename("/proc", name, "comm", NULL);
      g_autofree char *comm = NULL;
      if (!g_file_get_contents(comm_file, &comm, NULL, NULL))
        comm = g_strdup("a program");
      return g_strdup_printf("%s (process %s)", g_strstrip(comm), name);
    }
  }
  return NULL;
}

/* What NSS would only call a general error: a file that SQLite cannot read. Each sentence names the file. */
static gboolean
check_file(const char *path, GError **error)
{
  int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) {
    int saved = errno;
    if (saved == ENOENT)
      return TRUE;
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
                "The certificate database %s cannot be opened: %s.", path, g_strerror(saved));
    return FALSE;
  }
  guint8 head[100];
  gssize size = read(fd, head, sizeof head);
  close(fd);
  if (size == 0)
    return TRUE; /* SQLite's way to say "empty" */
  if (size < (gssize)sizeof head || memcmp(head, "SQLite format 3", 16) != 0) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
                "The certificate database %s is damaged: it is no SQLite file. Restore it from a copy, or "
                "move it away "
                "and import your certificates again.",
                path);
    return FALSE;
  }
  if (head[18] > 2 || head[19] > 2) {
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
        "The certificate database %s was written by a newer version of SQLite or NSS than this one can read. "
        "Upgrade NSS, or name another database with nssdb.",
        path);
    return FALSE;
  }
  return TRUE;
}

/* NSS names the files after their format: cert9.db, key4.db. Higher numbers alone are a format that we cannot read. */
static char *
find_newer(const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir)))
    if (g_str_has_prefix(name, "cert") && g_str_has_suffix(name, ".db") &&
        g_ascii_strtoull(name + strlen("cert"), NULL, 10) > 9)
      return g_build_filename(folder, name, NULL);
  return NULL;
}

typedef enum { DATABASE_NONE, DATABASE_THERE, DATABASE_UNUSABLE } DatabaseState;

static DatabaseState
look_at(const char *folder, gboolean *writable, GError **error)
{
  g_autofree char *certs = g_build_filename(folder, database_files[0], NULL);
  g_autofree char *keys = g_build_filename(folder, database_files[1], NULL);
  if (g_file_test(folder, G_FILE_TEST_EXISTS) && !g_file_test(folder, G_FILE_TEST_IS_DIR)) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
                "%s is a file; nssdb names the folder that cert9.db and key4.db lie in.", folder);
    return DATABASE_UNUSABLE;
  }
  if (!g_file_test(certs, G_FILE_TEST_EXISTS) && !g_file_test(keys, G_FILE_TEST_EXISTS)) {
    g_autofree char *newer = find_newer(folder);
    if (!newer)
      return DATABASE_NONE;
    g_set_error(
        error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
        "The certificate database %s was written by a newer version of NSS than this one can read. Upgrade "
        "NSS, or name another database with nssdb.",
        newer);
    return DATABASE_UNUSABLE;
  }
  if (!check_file(certs, error) || !check_file(keys, error))
    return DATABASE_UNUSABLE;
  *writable = g_access(folder, W_OK) == 0 &&
              (g_access(certs, W_OK) == 0 || !g_file_test(certs, G_FILE_TEST_EXISTS)) &&
              (g_access(keys, W_OK) == 0 || !g_file_test(keys, G_FILE_TEST_EXISTS));
  return DATABASE_THERE;
}

static SECStatus
initialise(const char *folder, gboolean read_only)
{
  g_autofree char *spec = g_strconcat("sql:", folder, NULL);
  return NSS_Initialize(spec, "", "", SECMOD_DB, NSS_INIT_NOROOTINIT | (read_only ? NSS_INIT_READONLY : 0));
}

/* Several processes on one database are no error; but one that writes at the wrong moment makes NSS fail at once. */
static gboolean
open_with_patience(const char *folder, gboolean read_only, GCancellable *cancellable, GError **error)
{
  gint64 start = g_get_monotonic_time();
  gulong pause = 20000;
  g_autofree char *holder = NULL;
  for (;;) {
    if (initialise(folder, read_only) == SECSuccess)
      return TRUE;
    int code = PORT_GetError();
    if (g_cancellable_is_cancelled(cancellable)) {
      g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
    g_clear_pointer(&holder, g_free);
    for (gsize i = 0; i < G_N_ELEMENTS(database_files) && !holder; i++) {
      g_autofree char *path = g_build_filename(folder, database_files[i], NULL);
      holder = find_holder(path);
    }
    gint64 waited = (g_get_monotonic_time() - start) / 1000;
    if (waited > (holder ? BUSY_WAIT_MS : DAMAGE_WAIT_MS)) {
      if (holder)
        g_set_error(
            error, CRYPTO_ERROR, CRYPTO_ERROR_BUSY,
            "The certificate database in %s is in use by %s. Close that program, or try again in a moment.",
            folder, holder);
      else
        g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE,
                    "The certificate database in %s cannot be opened, it may be damaged (%s). Restore it "
                    "from a copy, "
                    "or move it away and import your certificates again.",
                    folder, crypto_error_sentence(code));
      return FALSE;
    }
    g_usleep(pause);
    pause = MIN(pause * 2, cancellable ? 50000 : 500000);
  }
}

/* A new database gets the empty password: without any, keys cannot be stored in it at all. */
static gboolean
set_first_password(GError **error)
{
  PK11SlotInfo *slot = PK11_GetInternalKeySlot();
  gboolean done = slot && (!PK11_NeedUserInit(slot) || PK11_InitPin(slot, NULL, "") == SECSuccess);
  if (!done)
    crypto_error_set_nss(error, PORT_GetError(), "The new certificate database cannot be set up");
  if (slot)
    PK11_FreeSlot(slot);
  return done;
}

static gboolean
open_database(const CryptoOptions *options, GError **error)
{
  gboolean writable = TRUE;
  DatabaseState state = options->nssdb ? look_at(options->nssdb, &writable, error) : DATABASE_NONE;
  if (state == DATABASE_UNUSABLE)
    return FALSE;
  if (state == DATABASE_NONE && (!options->nssdb || !options->create || options->read_only)) {
    if (NSS_NoDB_Init(NULL) == SECSuccess)
      return TRUE;
    crypto_error_set_nss(error, PORT_GetError(), "NSS cannot be started");
    return FALSE;
  }
  if (state == DATABASE_NONE && g_mkdir_with_parents(options->nssdb, 0700) != 0) {
    int saved = errno;
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE, "The certificate database %s cannot be made: %s.",
                options->nssdb, g_strerror(saved));
    return FALSE;
  }
  gboolean read_only = options->read_only || !writable;
  mode_t mask = umask(077);
  gboolean opened = open_with_patience(options->nssdb, read_only, options->cancellable, error);
  umask(mask);
  if (!opened)
    return FALSE;
  context.database = TRUE;
  context.read_only = read_only;
  if (!read_only && !set_first_password(error)) {
    context.database = FALSE;
    NSS_Shutdown();
    return FALSE;
  }
  return TRUE;
}

/* --- modules */

static SECMODModule *
load_module(const char *library, const char *name)
{
  g_autofree char *spec = g_strdup_printf("library=\"%s\" name=\"%s\"", library, name);
  SECMODModule *module = SECMOD_LoadUserModule(spec, NULL, PR_FALSE);
  if (module && !module->loaded) {
    SECMOD_DestroyModule(module);
    module = NULL;
  }
  return module;
}

static void
unload_module(SECMODModule **module)
{
  if (!*module)
    return;
  SECMOD_UnloadUserModule(*module);
  SECMOD_DestroyModule(*module);
  *module = NULL;
}

/* A database may bring its roots along, by a module of its own. */
static gboolean
has_roots(void)
{
  gboolean found = FALSE;
  SECMODListLock *list_lock = SECMOD_GetDefaultModuleListLock();
  SECMOD_GetReadLock(list_lock);
  for (SECMODModuleList *m = SECMOD_GetDefaultModuleList(); m && !found; m = m->next)
    for (int i = 0; i < m->module->slotCount && !found; i++)
      found = m->module->loaded && PK11_HasRootCerts(m->module->slots[i]);
  SECMOD_ReleaseReadLock(list_lock);
  return found;
}

/* p11-kit's proxy shows every module that the system has configured. Where it is not installed under its own
 * name, the library itself is it. Neither there: only the modules of the database. */
static void
load_cards(void)
{
  static const char *const libraries[] = { "p11-kit-proxy.so", "libp11-kit.so.0" };
  for (gsize i = 0; i < G_N_ELEMENTS(libraries) && !context.cards; i++)
    context.cards = load_module(libraries[i], "p11-kit");
}

/* --- opening and closing */

/* NSS would time a few thousand calls of access() on the folder first, to see whether it is on a network. */
void
crypto_open_prepare(void)
{
  if (!g_getenv("NSS_SDB_USE_CACHE"))
    g_setenv("NSS_SDB_USE_CACHE", "no", FALSE);
}

gboolean
crypto_open(const CryptoOptions *options, GError **error)
{
  if (context.open) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED, "The certificate database is open already.");
    return FALSE;
  }
  crypto_open_prepare();
  if (!open_database(options, error))
    return FALSE;
  context.open = TRUE;
  context.certs = g_ptr_array_new_with_free_func((GDestroyNotify)crypto_cert_unref);
  crypto_pin_install();
  if (options->roots && !has_roots())
    context.roots = load_module("libnssckbi.so", "signet roots");
  crypto_chain_only(options->only);
  crypto_anchors_watch(context.database ? options->nssdb : NULL);
  if (options->tokens)
    load_cards();
  if (options->cards)
    crypto_keys_remember(options->cards);
  return TRUE;
}

static void
drop_session(void)
{
  crypto_chain_close();
  g_clear_pointer(&context.certs, g_ptr_array_unref);
}

gboolean
crypto_close(GError **error)
{
  crypto_open_forget();
  if (!context.open)
    return TRUE;
  drop_session();
  crypto_cards_close();
  crypto_keys_close();
  crypto_pin_forget();
  PK11_LogoutAll();
  unload_module(&context.cards);
  unload_module(&context.roots);
  context.open = context.database = context.read_only = FALSE;
  if (NSS_Shutdown() == SECSuccess)
    return TRUE;
  crypto_error_set_nss(error, PORT_GetError(),
                       "NSS cannot be shut down, a certificate or key was not released");
  return FALSE;
}

/* --- for this run only */

gboolean
crypto_session_add_certs(GBytes *file, GError **error)
{
  g_autoptr(GPtrArray) certs = crypto_certs_parse(file, error);
  for (guint i = 0; certs && i < certs->len; i++)
    g_ptr_array_add(context.certs, crypto_cert_ref(certs->pdata[i]));
  return certs != NULL;
}

/* NSS keeps the trust of a certificate that lies in no database in memory. For one that lies there it would write
 * it into the database: then only the copy in memory is changed, which stays for as long as we hold it. */
static gboolean
trust_for_mail(CryptoCert *cert, GError **error)
{
  CERTCertificate *nss = cert->nss;
  CERTCertTrust trust;
  memset(&trust, 0, sizeof trust);
  gboolean known = CERT_GetCertTrust(nss, &trust) == SECSuccess;
  trust.emailFlags = CERTDB_VALID_CA | CERTDB_TRUSTED_CA | (trust.emailFlags & CERTDB_USER);
  if (nss->slot && known) {
    *nss->trust = trust;
  } else if (nss->slot) {
    CERTCertTrust *own = PORT_ArenaZAlloc(nss->arena, sizeof *own);
    if (own)
      *own = trust;
    nss->trust = own;
  } else if (CERT_ChangeCertTrust(CERT_GetDefaultCertDB(), nss, &trust) != SECSuccess) {
    crypto_error_set_nss(error, PORT_GetError(), "The root cannot be trusted for this run");
    return FALSE;
  }
  return TRUE;
}

gboolean
crypto_session_add_roots(GBytes *file, GError **error)
{
  g_autoptr(GPtrArray) certs = crypto_certs_parse(file, error);
  for (guint i = 0; certs && i < certs->len; i++) {
    if (!trust_for_mail(certs->pdata[i], error))
      return FALSE;
    g_ptr_array_add(context.certs, crypto_cert_ref(certs->pdata[i]));
  }
  return certs != NULL;
}

/* Read by crypto/crl.c alone: NSS would copy and decode every entry. */
static gboolean
add_crl(const guint8 *der, gsize length)
{
  g_autoptr(GBytes) bytes = g_bytes_new(der, length);
  return crypto_crl_add(bytes);
}

typedef struct {
  guint found, taken;
} CrlCount;

static void
on_crl_pem(const char *label, gsize label_length, const char *body, gsize length, gpointer data)
{
  CrlCount *count = data;
  if (label_length < 3 || memcmp(label + label_length - 3, "CRL", 3) != 0)
    return;
  g_autofree char *text = g_strndup(body, length);
  gsize size = 0;
  g_autofree guchar *der = g_base64_decode(text, &size);
  count->found++;
  count->taken += add_crl(der, size);
}

gboolean
crypto_session_add_crls(GBytes *file, GError **error)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(file, &length);
  CrlCount count = { 0, 0 };
  if (length > CRL_MAX_BYTES) {
    g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED, "The revocation list is too large.");
    return FALSE;
  }
  if (!crypto_pem_each((const char *)bytes, length, on_crl_pem, &count) && length && bytes[0] == 0x30) {
    count.found = 1;
    count.taken = add_crl(bytes, length);
  }
  if (count.taken)
    return TRUE;
  g_set_error(error, CRYPTO_ERROR, CRYPTO_ERROR_MALFORMED,
              count.found ? "The revocation list is malformed."
                          : "There is no revocation list (CRL) in this file.");
  return FALSE;
}

/* Keys of this run live in NSS's memory, as session objects of its crypto slot, which never asks for a login. */
gboolean
crypto_session_add_pkcs12(GBytes *file, const char *password, GError **error)
{
  g_autoptr(CryptoPkcs12) pkcs12 = crypto_pkcs12_read(file, password, error);
  if (!pkcs12)
    return FALSE;
  PK11SlotInfo *slot = PK11_GetInternalSlot();
  guint keys = 0;
  gboolean good = TRUE;
  for (guint i = 0; i < pkcs12->certs->len && good; i++) {
    CryptoPkcs12Cert *entry = pkcs12->certs->pdata[i];
    g_ptr_array_add(context.certs, crypto_cert_ref(entry->cert));
    if (!entry->key)
      continue;
    SECKEYPrivateKey *key = crypto_pkcs12_import_key(entry->key, entry->cert, slot, FALSE, NULL, NULL, error);
    good = key != NULL;
    if (key)
      crypto_keys_add_session(entry->cert, key);
    keys++;
  }
  PK11_FreeSlot(slot);
  if (!good || keys)
    return good;
  return crypto_pkcs12_fail_empty(pkcs12, error);
}
