#include "pki.h"

#include <sys/wait.h>
#include <unistd.h>

#include <secerr.h>

#include "crypto/cert-private.h"
#include "crypto/certdb.h"
#include "crypto/chain-private.h"
#include "crypto/context.h"

/* The certificate database: made, listed, changed, with and without password, damaged, in use elsewhere. */

static char *folder; /* certificates by openssl */

static GBytes *
file(const char *name)
{
  return pki_read(folder, name);
}

static CryptoCert *
load(const char *name)
{
  g_autoptr(GBytes) bytes = file(name);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = crypto_certs_parse(bytes, &error);
  g_assert_no_error(error);
  return crypto_cert_ref(certs->pdata[0]);
}

static void
open_at(const char *nssdb, gboolean create)
{
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = nssdb, .create = create, .roots = TRUE };
  gboolean opened = crypto_open(&options, &error);
  g_assert_no_error(error);
  g_assert_true(opened);
}

static void
close_clean(void)
{
  g_autoptr(GError) error = NULL;
  gboolean closed = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(closed);
}

static char *
fail_to_open(const char *nssdb, int code)
{
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = nssdb };
  g_assert_false(crypto_open(&options, &error));
  g_assert_error(error, CRYPTO_ERROR, code);
  return g_strdup(error->message);
}

typedef struct {
  const char *answer; /* NULL: give up */
  guint calls;
  CryptoPinQuestion last;
} Asked;

static char *
answer(const CryptoPinQuestion *question, GCancellable *cancellable, gpointer user_data)
{
  Asked *asked = user_data;
  asked->calls++;
  asked->last = *question;
  return g_strdup(asked->answer);
}

static SECStatus
verify(CryptoCert *cert)
{
  return CERT_VerifyCertificate(CERT_GetDefaultCertDB(), cert->nss, PR_TRUE, certificateUsageEmailSigner,
                                PR_Now(), NULL, NULL, NULL);
}

/* A folder that is not there: nothing is made, and what the run is given works. */
static void
test_absent(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "absent", NULL);
  g_autoptr(GError) error = NULL;
  open_at(nssdb, FALSE);
  g_assert_false(g_file_test(nssdb, G_FILE_TEST_EXISTS));
  g_autoptr(GPtrArray) entries = crypto_certdb_list(FALSE, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(entries->len, ==, 0);
  g_autoptr(GPtrArray) roots = crypto_certdb_list(TRUE, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(roots->len, >, 50);
  const CryptoCertEntry *root = roots->pdata[0];
  g_assert_true(root->flags & CRYPTO_CERT_BUILTIN);
  g_autoptr(CryptoCert) alice = load("alice.pem");
  gboolean there;
  g_assert_false(crypto_certdb_import(alice, NULL, &there, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE);
  g_clear_pointer(&roots, g_ptr_array_unref);
  g_clear_pointer(&entries, g_ptr_array_unref);
  g_clear_pointer(&alice, crypto_cert_unref);
  close_clean();
}

/* What test_life() left there, as certutil and the next start find it. */
static void
look_again(const char *nssdb)
{
  g_autofree char *spec = g_strconcat("sql:", nssdb, NULL);
  g_autoptr(GError) error = NULL;
  g_autofree char *listing = NULL;
  g_assert_cmpint(pki_spawn(folder, &listing, "certutil", "-L", "-d", spec, NULL), ==, 0);
  g_assert_true(g_regex_match_simple("Test Root +c,C,", listing, 0, 0));
  g_assert_true(g_regex_match_simple("alice  the first +,,", listing, 0, 0));

  open_at(nssdb, FALSE);
  g_autoptr(GPtrArray) entries = crypto_certdb_list(FALSE, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(entries->len, ==, 3);
  g_autoptr(CryptoCertEntry) found = crypto_certdb_find("Alice@example.ORG", &error);
  g_assert_no_error(error);
  g_assert_cmpstr(found->token, ==, "database");
  g_assert_cmpuint(found->flags, ==, 0);
  g_assert_cmpint(verify(found->cert), ==, SECSuccess);
  g_autoptr(CryptoCert) again = load("root.pem");
  g_autofree char *print = g_strdup_printf("%.2s:%.2s:%.2s:%.2s:%.2s", crypto_cert_sha256(again),
                                           crypto_cert_sha256(again) + 2, crypto_cert_sha256(again) + 4,
                                           crypto_cert_sha256(again) + 6, crypto_cert_sha256(again) + 8);
  g_autofree char *upper = g_ascii_strup(print, -1);
  g_autoptr(CryptoCertEntry) by_print = crypto_certdb_find(upper, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(by_print->flags, ==, CRYPTO_CERT_AUTHORITY | CRYPTO_CERT_TRUSTED_MAIL);
  g_assert_null(crypto_certdb_find("abcdef", &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_clear_error(&error);
  g_assert_null(crypto_certdb_find("0000000000000000", &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_clear_error(&error);

  g_assert_true(crypto_certdb_set_trust(again, CRYPTO_TRUST_NEUTRAL, CRYPTO_TRUST_TRUSTED, NULL, &error));
  g_assert_no_error(error);
  g_assert_cmpint(verify(found->cert), ==, SECFailure);
  g_assert_true(crypto_certdb_set_trust(again, CRYPTO_TRUST_NEUTRAL, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  g_assert_true(crypto_certdb_delete(found->cert, NULL, &error));
  g_assert_no_error(error);
  g_assert_false(crypto_certdb_delete(found->cert, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_clear_error(&error);
  g_clear_pointer(&entries, g_ptr_array_unref);
  entries = crypto_certdb_list(FALSE, &error);
  g_assert_cmpuint(entries->len, ==, 2);
  g_clear_pointer(&entries, g_ptr_array_unref);
  g_clear_pointer(&found, crypto_cert_entry_free);
  g_clear_pointer(&by_print, crypto_cert_entry_free);
  g_clear_pointer(&again, crypto_cert_unref);
  close_clean();
}

static void
test_life(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "deep", "er", "nssdb", NULL);
  g_autoptr(GError) error = NULL;
  open_at(nssdb, TRUE);
  GStatBuf info;
  g_assert_cmpint(g_stat(nssdb, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0700);

  g_autoptr(CryptoCert) alice = load("alice.pem");
  g_autoptr(CryptoCert) root = load("root.pem");
  gboolean there = TRUE;
  g_assert_true(crypto_certdb_import(alice, "alice: the first", &there, NULL, &error));
  g_assert_no_error(error);
  g_assert_false(there);
  g_assert_true(crypto_certdb_import(alice, NULL, &there, NULL, &error));
  g_assert_true(there);
  g_assert_cmpint(verify(alice), ==, SECFailure);
  g_assert_true(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  g_assert_no_error(error);
  g_assert_cmpint(verify(alice), ==, SECSuccess);
  g_assert_false(crypto_certdb_set_trust(alice, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED);
  g_clear_error(&error);

  /* another subject under a name that is taken */
  g_autoptr(CryptoCert) bob = load("bob.pem");
  g_assert_true(crypto_certdb_import(bob, "alice: the first", &there, NULL, &error));
  g_assert_no_error(error);
  g_clear_pointer(&alice, crypto_cert_unref);
  g_clear_pointer(&root, crypto_cert_unref);
  g_clear_pointer(&bob, crypto_cert_unref);
  close_clean();
  look_again(nssdb);
}

static char *
digest_of(const char *nssdb)
{
  g_autoptr(GBytes) certs = pki_read(nssdb, "cert9.db"), keys = pki_read(nssdb, "key4.db");
  g_autofree char *a = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, certs);
  g_autofree char *b = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, keys);
  return g_strconcat(a, b, NULL);
}

/* --trust of a root that lies untrusted in the database counts for this run and is written nowhere. */
static void
test_session_beside(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "beside", NULL);
  g_autoptr(GError) error = NULL;
  open_at(nssdb, TRUE);
  g_autoptr(CryptoCert) root = load("root.pem");
  gboolean there;
  g_assert_true(crypto_certdb_import(root, NULL, &there, NULL, &error));
  g_clear_pointer(&root, crypto_cert_unref);
  close_clean();

  g_autofree char *before = digest_of(nssdb);
  g_autoptr(GBytes) file_root = file("root.pem"), p12 = file("bob.p12");
  for (int round = 0; round < 2; round++) {
    open_at(nssdb, FALSE);
    g_autoptr(CryptoCert) alice = load("alice.pem");
    g_assert_cmpint(verify(alice), ==, SECFailure);
    if (round == 0) {
      g_assert_true(crypto_session_add_roots(file_root, &error));
      g_assert_no_error(error);
      g_assert_true(crypto_session_add_pkcs12(p12, "test", &error));
      g_assert_no_error(error);
      g_assert_cmpint(verify(alice), ==, SECSuccess);
      g_autoptr(CryptoCert) bob = load("bob.pem");
      g_autoptr(CryptoCert) ours = crypto_keys_find(&bob->nss->derIssuer, &bob->nss->serialNumber, NULL);
      g_assert_nonnull(ours);
    }
    g_clear_pointer(&alice, crypto_cert_unref);
    close_clean();
  }
  g_autofree char *after = digest_of(nssdb);
  g_assert_cmpstr(before, ==, after);
}

static void
test_pkcs12(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "p12", NULL);
  g_autoptr(GError) error = NULL;
  open_at(nssdb, TRUE);
  g_autoptr(GBytes) p12 = file("bob.p12"), ec = file("ec.p12");
  for (int round = 0; round < 2; round++) { /* twice is no error and makes no double */
    g_autoptr(GPtrArray) certs = crypto_certdb_import_pkcs12(p12, "test", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(certs->len, ==, 2);
    g_assert_cmpstr(crypto_cert_common_name(certs->pdata[0]), ==, "Bob");
  }
  g_assert_null(crypto_certdb_import_pkcs12(p12, "wrong", NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN);
  g_clear_error(&error);
  g_autoptr(GPtrArray) more = crypto_certdb_import_pkcs12(ec, "test", NULL, &error);
  g_assert_no_error(error);
  g_clear_pointer(&more, g_ptr_array_unref);
  close_clean();

  open_at(nssdb, FALSE);
  g_autoptr(GPtrArray) entries = crypto_certdb_list(FALSE, &error);
  g_assert_cmpuint(entries->len, ==, 3);
  g_clear_pointer(&entries, g_ptr_array_unref);
  const char *const who[] = { "bob@example.org", "ec@example.org" };
  for (guint i = 0; i < G_N_ELEMENTS(who); i++) {
    g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(who[i], &error);
    g_assert_no_error(error);
    g_assert_true(entry->flags & CRYPTO_CERT_OWN);
    SECKEYPrivateKey *key = crypto_keys_open(entry->cert, NULL, &error);
    g_assert_no_error(error);
    SECKEY_DestroyPrivateKey(key);
    g_autoptr(GBytes) out = crypto_certdb_export_pkcs12(entry->cert, "pässwörd", NULL, &error);
    g_assert_no_error(error);
    pki_write(folder, "export.p12", g_bytes_get_data(out, NULL), g_bytes_get_size(out));
    g_autofree char *text = NULL;
    g_assert_cmpint(pki_spawn(folder, &text, "openssl", "pkcs12", "-in", "export.p12", "-passin",
                              "pass:pässwörd", "-nodes", NULL),
                    ==, 0);
    g_assert_nonnull(strstr(text, "PRIVATE KEY"));
    if (i == 0)
      g_assert_nonnull(strstr(text, "subject=O = Test House, CN = Test Root"));
    g_autoptr(GPtrArray) back = crypto_certdb_import_pkcs12(out, "pässwörd", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(crypto_cert_sha256(back->pdata[0]), ==, crypto_cert_sha256(entry->cert));
  }
  g_autoptr(CryptoCert) alice = load("alice.pem");
  g_assert_null(crypto_certdb_export_pkcs12(alice, "x", NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY);
  g_clear_error(&error);
  g_autoptr(CryptoCertEntry) bob = crypto_certdb_find("bob@example.org", &error);
  g_assert_true(crypto_certdb_delete(bob->cert, NULL, &error));
  g_assert_no_error(error);
  g_assert_null(crypto_keys_open(bob->cert, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY);
  g_clear_pointer(&bob, crypto_cert_entry_free);
  g_clear_pointer(&alice, crypto_cert_unref);
  close_clean();
}

/* A database with a password: certificates and trust are read without it; a key asks once, and only once. */
static void
test_password(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "locked", NULL);
  g_autofree char *spec = g_strconcat("sql:", nssdb, NULL);
  g_mkdir(nssdb, 0700);
  pki_write(folder, "password", "secret\n", -1);
  pki_run(folder, "certutil", "-N", "-d", spec, "-f", "password");
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  g_autoptr(GBytes) p12 = file("bob.p12"), ec = file("ec.p12");
  Asked asked = { .answer = "secret" };
  CryptoPinSource pin = { .func = answer, .user_data = &asked, .cancellable = cancellable };

  open_at(nssdb, FALSE);
  g_assert_null(crypto_certdb_import_pkcs12(p12, "test", NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_clear_error(&error);
  g_autoptr(GPtrArray) certs = crypto_certdb_import_pkcs12(p12, "test", &pin, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(asked.calls, ==, 1);
  g_assert_true(asked.last.database);
  g_autoptr(GPtrArray) more = crypto_certdb_import_pkcs12(ec, "test", &pin, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(asked.calls, ==, 1);
  g_clear_pointer(&certs, g_ptr_array_unref);
  g_clear_pointer(&more, g_ptr_array_unref);
  close_clean();

  /* a program that keeps no public key beside the private one */
  pki_run(folder, "pk12util", "-i", "alice.p12", "-d", spec, "-k", "password", "-W", "test");

  open_at(nssdb, FALSE);
  const char *const mine[] = { "bob@example.org", "ec@example.org", "alice@example.org" };
  for (guint i = 0; i < G_N_ELEMENTS(mine); i++) {
    g_autoptr(CryptoCertEntry) found = crypto_certdb_find(mine[i], &error);
    g_assert_no_error(error);
    g_test_message("%s", mine[i]);
    g_assert_true(found->flags & CRYPTO_CERT_OWN);
  }
  g_autoptr(CryptoCertEntry) bob = crypto_certdb_find("bob@example.org", &error);
  g_assert_no_error(error);
  g_assert_null(crypto_keys_open(bob->cert, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_clear_error(&error);

  asked = (Asked){ .answer = "wrong" };
  pin = (CryptoPinSource){ .func = answer, .user_data = &asked, .cancellable = cancellable };
  for (int i = 0; i < 3; i++) {
    g_assert_null(crypto_keys_open(bob->cert, &pin, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN);
    g_clear_error(&error);
  }
  g_assert_cmpuint(asked.calls, ==, 1);
  g_assert_false(asked.last.retry);

  asked = (Asked){ .answer = NULL };
  pin = (CryptoPinSource){ .func = answer, .user_data = &asked, .cancellable = cancellable };
  g_assert_null(crypto_keys_open(bob->cert, &pin, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
  g_clear_error(&error);
  g_assert_cmpuint(asked.calls, ==, 1);
  g_assert_true(asked.last.retry); /* the job before was told that it was wrong */

  g_autoptr(CryptoCert) root = load("root.pem");
  g_assert_false(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_clear_error(&error);

  asked = (Asked){ .answer = "secret" };
  pin = (CryptoPinSource){ .func = answer, .user_data = &asked, .cancellable = cancellable };
  SECKEYPrivateKey *key = crypto_keys_open(bob->cert, &pin, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(asked.calls, ==, 1);
  SECKEY_DestroyPrivateKey(key);
  g_assert_true(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  g_assert_no_error(error);
  g_assert_cmpint(verify(bob->cert), ==, SECSuccess);
  g_clear_pointer(&bob, crypto_cert_entry_free);
  g_clear_pointer(&root, crypto_cert_unref);
  close_clean();
}

static void
test_unusable(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "bad", NULL);
  g_mkdir(nssdb, 0700);
  pki_write(nssdb, "cert10.db", "x", 1);
  g_autofree char *newer = fail_to_open(nssdb, CRYPTO_ERROR_DATABASE);
  g_assert_nonnull(strstr(newer, "newer version"));

  pki_write(nssdb, "cert9.db", "this is no database", -1);
  g_autofree char *damaged = fail_to_open(nssdb, CRYPTO_ERROR_DATABASE);
  g_assert_nonnull(strstr(damaged, "damaged"));

  g_autofree char *good = g_build_filename(folder, "good", NULL);
  open_at(good, TRUE);
  close_clean();
  g_autoptr(GBytes) bytes = pki_read(good, "cert9.db");
  g_autofree guint8 *changed = g_memdup2(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
  changed[18] = changed[19] = 9;
  pki_write(nssdb, "cert9.db", changed, g_bytes_get_size(bytes));
  g_autofree char *format = fail_to_open(nssdb, CRYPTO_ERROR_DATABASE);
  g_assert_nonnull(strstr(format, "newer version"));

  /* the header is right, the rest is not */
  changed[18] = changed[19] = 1;
  memset(changed + 100, 0xa5, g_bytes_get_size(bytes) - 100);
  pki_write(nssdb, "cert9.db", changed, g_bytes_get_size(bytes));
  g_autofree char *inside = fail_to_open(nssdb, CRYPTO_ERROR_DATABASE);
  g_assert_nonnull(strstr(inside, "damaged"));

  g_autofree char *plain_file = g_build_filename(folder, "root.pem", NULL);
  g_autofree char *no_folder = fail_to_open(plain_file, CRYPTO_ERROR_DATABASE);
  g_assert_nonnull(strstr(no_folder, "is a file"));

  g_chmod(good, 0500);
  const CryptoOptions options = { .nssdb = good, .read_only = TRUE };
  g_autoptr(GError) error = NULL;
  g_assert_true(crypto_open(&options, &error));
  g_assert_no_error(error);
  g_autoptr(CryptoCert) root = load("root.pem");
  g_assert_false(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE);
  g_clear_pointer(&root, crypto_cert_unref);
  close_clean();
  g_chmod(good, 0700);
}

/* Another process holds the database: we wait, then say who it is; and go on by ourselves when it lets go. */
static void
test_busy(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "good", NULL);
  g_autofree char *path = g_build_filename(nssdb, "cert9.db", NULL);
  static const char script[] = "import sqlite3, sys\n"
                               "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                               "c.execute('begin exclusive')\n"
                               "print('held', flush=True)\n"
                               "sys.stdin.read()\n";
  for (int round = 0; round < 2; round++) {
    const char *argv[] = { "python3", "-c", script, path, NULL };
    GPid child;
    int in, out;
    char line[5] = "";
    g_autoptr(GError) error = NULL;
    g_spawn_async_with_pipes(folder, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                             NULL, NULL, &child, &in, &out, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(read(out, line, 4), ==, 4);
    if (round == 0) {
      gint64 start = g_get_monotonic_time();
      g_autofree char *busy = fail_to_open(nssdb, CRYPTO_ERROR_BUSY);
      g_test_message("%s (%.1f s)", busy, (g_get_monotonic_time() - start) / 1e6);
      g_autofree char *name = g_strdup_printf("process %d", (int)child);
      g_assert_nonnull(strstr(busy, name));
      g_assert_cmpint(g_get_monotonic_time() - start, >, 4 * G_USEC_PER_SEC);
      g_assert_cmpint(g_get_monotonic_time() - start, <, 20 * G_USEC_PER_SEC);
      close(in);
    } else {
      GThread *later = g_thread_new("let go", (GThreadFunc)(void (*)(void))close, GINT_TO_POINTER(in));
      open_at(nssdb, FALSE);
      close_clean();
      g_thread_join(later);
    }
    close(out);
    waitpid(child, NULL, 0);
  }
}

typedef struct {
  GBytes *alice, *bob;
  gint errors; /* atomic */
} Crowd;

static gpointer
be_busy(gpointer data)
{
  Crowd *crowd = data;
  for (int i = 0; i < 100; i++) {
    g_autoptr(GPtrArray) one = crypto_certs_parse(i % 2 ? crowd->alice : crowd->bob, NULL);
    g_autoptr(CryptoCert) cert = one ? crypto_cert_ref(one->pdata[0]) : NULL;
    g_autoptr(CryptoCert) ours =
        cert ? crypto_keys_find(&cert->nss->derIssuer, &cert->nss->serialNumber, NULL) : NULL;
    g_autoptr(GPtrArray) entries = i % 10 ? NULL : crypto_certdb_list(FALSE, NULL);
    SECKEYPrivateKey *key = ours ? crypto_keys_open(ours, NULL, NULL) : NULL;
    if (!cert || (ours != NULL) != (i % 2 == 0) || (ours && !key))
      g_atomic_int_inc(&crowd->errors);
    SECKEY_DestroyPrivateKey(key);
    if (i % 25 == 0)
      crypto_keys_forget();
  }
  return NULL;
}

/* Any thread may read certificates and look for keys, while another changes the database. */
static void
test_threads(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "crowd", NULL);
  g_autoptr(GError) error = NULL;
  open_at(nssdb, TRUE);
  g_autoptr(GBytes) p12 = file("bob.p12"), alice = file("alice.pem"), bob = file("bob.pem");
  g_autoptr(GPtrArray) own = crypto_certdb_import_pkcs12(p12, "test", NULL, &error);
  g_assert_no_error(error);
  Crowd crowd = { .alice = alice, .bob = bob };
  GThread *threads[4];
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("busy", be_busy, &crowd);
  g_autoptr(CryptoCert) root = load("root.pem");
  for (int i = 0; i < 20; i++) {
    gboolean done = crypto_certdb_set_trust(root, i % 2 ? CRYPTO_TRUST_TRUSTED : CRYPTO_TRUST_NEUTRAL, CRYPTO_TRUST_NEUTRAL, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(done);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    g_thread_join(threads[i]);
  g_assert_cmpint(crowd.errors, ==, 0);
  g_clear_pointer(&own, g_ptr_array_unref);
  g_clear_pointer(&root, crypto_cert_unref);
  close_clean();
}

/* Is @name marked as never to be trusted, as a mail that brings it, and one of alice's, would be judged? */
static void
check_distrusted(const char *name, const char *when)
{
  g_autoptr(GError) error = NULL;
  for (int fresh = 0; fresh < 2; fresh++) {
    if (fresh)
      crypto_cert_forget(); /* as when many certificates were read meanwhile */
    g_autoptr(CryptoCert) cert = load(name);
    g_autoptr(CryptoCert) alice = load("alice.pem");
    g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(crypto_cert_sha256(cert), &error);
    g_assert_no_error(error);
    if (!(entry->flags & CRYPTO_CERT_DISTRUSTED))
      g_test_fail_printf("%s, %s: the list has forgotten the mark", name, when);
    g_autoptr(CryptoChain) chain = crypto_chain_check(
        alice, CRYPTO_USE_SIGN, g_get_real_time() / G_USEC_PER_SEC, CRYPTO_REVOCATION_SOFT, NULL);
    if (!(chain->problems & CRYPTO_TRUST_DISTRUSTED))
      g_test_fail_printf("%s, %s: the verdict has forgotten the mark", name, when);
  }
}

/* A mark stays whatever a mail brings: NSS, asked for a certificate by its octets, forgets it in that process. */
static void
test_distrusted(void)
{
  static const char *const names[] = { "alice.pem", "root.pem" };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *base = g_strdup_printf("never%u", (guint)i);
    g_autofree char *nssdb = g_build_filename(folder, base, NULL);
    g_autoptr(GError) error = NULL;
    gboolean there;
    open_at(nssdb, TRUE);
    g_autoptr(CryptoCert) root = load("root.pem"), cert = load(names[i]);
    g_assert_true(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(crypto_certdb_set_trust(cert, CRYPTO_TRUST_NEVER, CRYPTO_TRUST_KEEP, NULL, &error));
    g_assert_no_error(error);
    check_distrusted(names[i], "just marked");
    for (int round = 0; round < 2; round++) {
      g_assert_true(crypto_certdb_import(cert, "as I in the reader does", &there, NULL, &error));
      g_assert_no_error(error);
      g_assert_true(there);
      check_distrusted(names[i], round ? "installed again, marked before the start" : "installed again");
      g_assert_true(crypto_certdb_set_trust(cert, CRYPTO_TRUST_KEEP, CRYPTO_TRUST_TRUSTED, NULL, NULL) ||
                    !strcmp(names[i], "alice.pem")); /* only an authority can be */
      check_distrusted(names[i], "trusted for servers");
      g_assert_true(crypto_certdb_set_trust(cert, CRYPTO_TRUST_KEEP, CRYPTO_TRUST_NEUTRAL, NULL, &error));
      check_distrusted(names[i], "and not any more");
      g_clear_pointer(&root, crypto_cert_unref);
      g_clear_pointer(&cert, crypto_cert_unref);
      close_clean();
      open_at(nssdb, FALSE);
      cert = load(names[i]);
      check_distrusted(names[i], "opened anew");
    }
    g_clear_pointer(&cert, crypto_cert_unref);
    close_clean();
  }
}

/* Another program marks a certificate that this process has seen in a mail, and trusted. */
static void
test_distrusted_elsewhere(void)
{
  g_autofree char *nssdb = g_build_filename(folder, "elsewhere", NULL);
  g_autofree char *spec = g_strconcat("sql:", nssdb, NULL);
  g_autoptr(GError) error = NULL;
  open_at(nssdb, TRUE);
  g_autoptr(CryptoCert) root = load("root.pem"), alice = load("alice.pem");
  g_assert_true(crypto_certdb_set_trust(root, CRYPTO_TRUST_TRUSTED, CRYPTO_TRUST_NEUTRAL, NULL, &error));
  g_assert_no_error(error);
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(CryptoChain) before =
      crypto_chain_check(alice, CRYPTO_USE_SIGN, now, CRYPTO_REVOCATION_SOFT, NULL);
  g_assert_cmpuint(before->problems, ==, 0);
  pki_run(folder, "certutil", "-A", "-d", spec, "-n", "alice", "-t", ",p,", "-i", "alice.pem");
  crypto_chain_forget_verdicts(); /* they last a minute */
  check_distrusted("alice.pem", "marked elsewhere");
  g_clear_pointer(&before, crypto_chain_free);
  g_clear_pointer(&root, crypto_cert_unref);
  g_clear_pointer(&alice, crypto_cert_unref);
  close_clean();
}

static void
make_files(void)
{
  folder = pki_folder();
  pki_root(folder);
  pki_leaf(folder, "alice", "/CN=Alice", "subjectAltName=email:alice@example.org\n", "rsa:2048");
  pki_leaf(folder, "bob", "/CN=Bob", "subjectAltName=email:bob@example.org\n", "rsa:2048");
  pki_leaf(folder, "ec", "/CN=EC", "subjectAltName=email:ec@example.org\n", "ec:P-256");
  pki_run(folder, "openssl", "pkcs12", "-export", "-inkey", "bob.key", "-in", "bob.pem", "-certfile",
          "root.pem", "-passout", "pass:test", "-name", "bob", "-out", "bob.p12");
  pki_run(folder, "openssl", "pkcs12", "-export", "-inkey", "alice.key", "-in", "alice.pem", "-passout",
          "pass:test", "-name", "alice", "-out", "alice.p12");
  pki_run(folder, "openssl", "pkcs12", "-export", "-inkey", "ec.key", "-in", "ec.pem", "-passout",
          "pass:test", "-out", "ec.p12");
}

int
main(int argc, char **argv)
{
  g_setenv("LC_ALL", "C.UTF-8", TRUE);
  g_test_init(&argc, &argv, NULL);
  make_files();
  g_test_add_func("/certdb/absent", test_absent);
  g_test_add_func("/certdb/life", test_life);
  g_test_add_func("/certdb/session-beside", test_session_beside);
  g_test_add_func("/certdb/pkcs12", test_pkcs12);
  g_test_add_func("/certdb/password", test_password);
  g_test_add_func("/certdb/distrusted", test_distrusted);
  g_test_add_func("/certdb/distrusted-elsewhere", test_distrusted_elsewhere);
  g_test_add_func("/certdb/threads", test_threads);
  g_test_add_func("/certdb/unusable", test_unusable);
  g_test_add_func("/certdb/busy", test_busy);
  int result = g_test_run();
  tree_remove(folder);
  g_free(folder);
  return result;
}
