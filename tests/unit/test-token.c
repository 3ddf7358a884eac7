#include "pki.h"

#include <dlfcn.h>
#include <pk11pub.h>
#include <pkcs11t.h>

#include "crypto/cert-private.h"
#include "crypto/certdb.h"
#include "crypto/cms-write.h"
#include "crypto/context.h"
#include "crypto/token.h"

/* Keys on a PKCS#11 token: SoftHSM2 behind OpenSC's spy, whose log tells how often a PIN really went out. */

/* For LeakSanitizer: what other people's modules leave behind is not ours. It knows them by name only while
 * they are loaded, so they are kept. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
  return "leak:pkcs11-spy\nleak:libsofthsm2\nleak:opensc\nleak:libp11-kit\nleak:libcrypto.so\n";
}

static void
keep_loaded(const char *library)
{
  dlopen(library, RTLD_LAZY | RTLD_NODELETE);
}

static char *folder, *nssdb, *module, *spy, *spy_log;
static GCancellable *cancellable;

typedef struct {
  const char *answer; /* NULL: give up */
  guint calls;
  CryptoPinQuestion last;
  char *token;
} Asked;

static char *
answer(const CryptoPinQuestion *question, GCancellable *unused, gpointer user_data)
{
  Asked *asked = user_data;
  asked->calls++;
  asked->last = *question;
  g_free(asked->token);
  asked->token = g_strdup(question->token);
  return g_strdup(asked->answer);
}

#define SOURCE(asked)                                                                                        \
  {                                                                                                          \
    .func = answer, .user_data = &asked, .cancellable = cancellable                                          \
  }

static char *
find_library(const char *const *paths)
{
  for (; *paths; paths++)
    if (g_file_test(*paths, G_FILE_TEST_EXISTS))
      return g_strdup(*paths);
  return NULL;
}

static guint
logins(void)
{
  g_autofree char *text = NULL;
  guint count = 0;
  if (g_file_get_contents(spy_log, &text, NULL, NULL))
    for (const char *p = text; (p = strstr(p, ": C_Login\n")); p++)
      count++;
  return count;
}

static void
open_here(gboolean cards)
{
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = nssdb, .create = TRUE, .tokens = cards };
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

static CryptoCert *
load(const char *name)
{
  g_autoptr(GBytes) bytes = pki_read(folder, name);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = crypto_certs_parse(bytes, &error);
  g_assert_no_error(error);
  return crypto_cert_ref(certs->pdata[0]);
}

static const CryptoToken *
find_token(GPtrArray *tokens, const char *name)
{
  const CryptoToken *found = NULL;
  for (guint i = 0; i < tokens->len; i++) {
    const CryptoToken *token = tokens->pdata[i];
    if (strcmp(token->token, name) == 0) {
      g_assert_null(found);
      found = token;
    }
  }
  return found;
}

static void
test_modules(void)
{
  g_autoptr(GError) error = NULL;
  open_here(FALSE);
  g_autofree char *absent = g_build_filename(folder, "absent.so", NULL);
  g_autofree char *no_library = g_build_filename(folder, "alice.pem", NULL);
  g_assert_false(crypto_token_add_module("x", absent, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_clear_error(&error);
  g_assert_false(crypto_token_add_module("x", no_library, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_clear_error(&error);
  g_assert_false(crypto_token_add_module("a\"b", spy, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED);
  g_clear_error(&error);
  gboolean added = crypto_token_add_module("spy", spy, &error);
  g_assert_no_error(error);
  g_assert_true(added);
  g_assert_false(crypto_token_add_module("spy", spy, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_clear_error(&error);
  g_assert_false(crypto_token_remove_module("NSS Internal PKCS #11 Module", &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED);
  g_clear_error(&error);
  g_assert_false(crypto_token_remove_module("unknown", &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_clear_error(&error);
  close_clean();

  g_autofree char *spec = g_strconcat("sql:", nssdb, NULL);
  g_autofree char *listing = NULL;
  g_assert_cmpint(pki_spawn(folder, &listing, "modutil", "-list", "-dbdir", spec, NULL), ==, 0);
  g_assert_nonnull(strstr(listing, "spy"));

  open_here(FALSE);
  g_autoptr(GPtrArray) tokens = crypto_token_list(&error);
  g_assert_no_error(error);
  const CryptoToken *card = find_token(tokens, "Karte Ä");
  g_assert_nonnull(card);
  g_assert_cmpstr(card->module, ==, "spy");
  g_assert_true(card->present && card->needs_login && !card->logged_in && !card->database && !card->locked);
  g_assert_cmpuint(card->certificates, ==, 1);
  const CryptoToken *database = find_token(tokens, "database");
  g_assert_nonnull(database);
  g_assert_true(database->database && !database->needs_login);
  g_clear_pointer(&tokens, g_ptr_array_unref);
  close_clean();
}

/* Everything that only looks leaves the token alone. */
static void
test_looking(void)
{
  g_autoptr(GError) error = NULL;
  guint before = logins();
  open_here(FALSE);
  g_autoptr(GBytes) root = pki_read(folder, "root.pem");
  g_assert_true(crypto_session_add_roots(root, &error));
  g_autoptr(CryptoCert) bob = load("bob.pem");
  g_assert_cmpint(CERT_VerifyCertificate(CERT_GetDefaultCertDB(), bob->nss, PR_TRUE,
                                         certificateUsageEmailSigner, PR_Now(), NULL, NULL, NULL),
                  ==, SECSuccess);
  g_autoptr(CryptoCertEntry) found = crypto_certdb_find("alice@example.org", &error);
  g_assert_no_error(error);
  g_assert_cmpstr(found->token, ==, "Karte Ä");
  g_assert_true(found->flags & CRYPTO_CERT_OWN);
  CERTCertificate *nss = found->cert->nss;
  g_autoptr(CryptoCert) ours = crypto_keys_find(&nss->derIssuer, &nss->serialNumber, NULL);
  g_assert_nonnull(ours);
  g_assert_null(crypto_keys_find(&nss->derIssuer, &bob->nss->serialNumber, NULL));
  g_autofree char *token = crypto_keys_token(ours);
  g_assert_cmpstr(token, ==, "Karte Ä");
  g_assert_null(crypto_keys_open(ours, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_clear_error(&error);
  g_assert_null(crypto_certdb_export_pkcs12(ours, "x", NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_REFUSED);
  g_clear_error(&error);
  g_assert_false(crypto_certdb_delete(ours, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_FAILED);
  g_clear_error(&error);
  g_assert_cmpuint(logins(), ==, before);
  g_clear_pointer(&found, crypto_cert_entry_free);
  g_clear_pointer(&ours, crypto_cert_unref);
  g_clear_pointer(&bob, crypto_cert_unref);
  close_clean();
}

static void
check_sign_and_decrypt(SECKEYPrivateKey *key, CryptoCert *cert)
{
  static const guint8 secret[16] = { 7, 7, 7 };
  guint8 encrypted[512], plain[512], digest[32] = { 9 };
  unsigned int length = 0;
  SECKEYPublicKey *public = CERT_ExtractPublicKey(cert->nss);
  g_assert_cmpint(PK11_PubEncryptPKCS1(public, encrypted, secret, sizeof secret, NULL), ==, SECSuccess);
  g_assert_cmpint(PK11_PrivDecryptPKCS1(key, plain, &length, sizeof plain, encrypted, 256), ==, SECSuccess);
  g_assert_cmpmem(plain, length, secret, sizeof secret);
  guint8 bytes[512];
  SECItem hash = { siBuffer, digest, sizeof digest }, signature = { siBuffer, bytes, sizeof bytes };
  g_assert_cmpint(PK11_Sign(key, &signature, &hash), ==, SECSuccess);
  g_assert_cmpint(PK11_Verify(public, &signature, &hash, NULL), ==, SECSuccess);
  SECKEY_DestroyPublicKey(public);
}

static void
test_pins(void)
{
  g_autoptr(GError) error = NULL;
  open_here(FALSE);
  g_autoptr(CryptoCert) alice = load("alice.pem");

  guint before = logins();
  Asked asked = { .answer = "0000" };
  CryptoPinSource pin = SOURCE(asked);
  for (int i = 0; i < 3; i++) { /* one job, however often it looks for the key */
    g_assert_null(crypto_keys_open(alice, &pin, &error));
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN);
    g_assert_nonnull(strstr(error->message, "Karte Ä"));
    g_clear_error(&error);
  }
  g_assert_cmpuint(asked.calls, ==, 1);
  g_assert_cmpstr(asked.token, ==, "Karte Ä");
  g_assert_false(asked.last.database || asked.last.retry || asked.last.pinpad);
  g_assert_cmpuint(logins(), ==, before + 1);

  before = logins();
  asked = (Asked){ .answer = NULL, .token = asked.token };
  CryptoPinSource second = SOURCE(asked);
  g_assert_null(crypto_keys_open(alice, &second, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
  g_clear_error(&error);
  g_assert_null(crypto_keys_open(alice, &second, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
  g_clear_error(&error);
  g_assert_cmpuint(asked.calls, ==, 1);
  g_assert_true(asked.last.retry);
  g_assert_true(asked.last.count_low); /* SoftHSM says that a wrong one came before */
  g_assert_cmpuint(logins(), ==, before);

  g_autoptr(GCancellable) gone = g_cancellable_new();
  g_cancellable_cancel(gone);
  asked = (Asked){ .answer = "1234", .token = asked.token };
  CryptoPinSource third = { .func = answer, .user_data = &asked, .cancellable = gone };
  g_assert_null(crypto_keys_open(alice, &third, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
  g_clear_error(&error);
  g_assert_cmpuint(asked.calls, ==, 0);

  CryptoPinSource fourth = SOURCE(asked);
  SECKEYPrivateKey *key = crypto_keys_open(alice, &fourth, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(asked.calls, ==, 1);
  check_sign_and_decrypt(key, alice);
  g_assert_cmpuint(logins(), ==, before + 1);
  SECKEY_DestroyPrivateKey(key);
  key = crypto_keys_open(alice, NULL, &error); /* still logged in */
  g_assert_no_error(error);
  SECKEY_DestroyPrivateKey(key);
  crypto_token_logout_all();
  g_assert_null(crypto_keys_open(alice, NULL, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_clear_error(&error);

  CryptoPinSource fifth = SOURCE(asked);
  g_assert_false(crypto_token_login("No Such Card", &fifth, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY);
  g_clear_error(&error);
  g_assert_true(crypto_token_login("Karte Ä", &fifth, &error));
  g_assert_no_error(error);
  g_assert_false(asked.last.retry);
  g_assert_true(crypto_token_login("database", NULL, &error));
  g_autoptr(GPtrArray) tokens = crypto_token_list(&error);
  g_assert_true(find_token(tokens, "Karte Ä")->logged_in);
  g_clear_pointer(&tokens, g_ptr_array_unref);
  g_clear_pointer(&alice, crypto_cert_unref);
  g_free(asked.token);
  close_clean();
}

/* The same token through its module and through p11-kit is one token, and a wrong PIN still costs one try. */
static void
test_proxy(void)
{
  g_autoptr(GError) error = NULL;
  open_here(TRUE);
  g_autoptr(GPtrArray) tokens = crypto_token_list(&error);
  g_assert_nonnull(find_token(tokens, "Karte Ä"));
  g_clear_pointer(&tokens, g_ptr_array_unref);
  g_autoptr(CryptoCert) alice = load("alice.pem");
  Asked asked = { .answer = "0000" };
  CryptoPinSource pin = SOURCE(asked);
  g_assert_null(crypto_keys_open(alice, &pin, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN);
  g_clear_error(&error);
  g_assert_cmpuint(asked.calls, ==, 1);
  asked.answer = "1234";
  CryptoPinSource second = SOURCE(asked);
  SECKEYPrivateKey *key = crypto_keys_open(alice, &second, &error);
  g_assert_no_error(error);
  check_sign_and_decrypt(key, alice);
  SECKEY_DestroyPrivateKey(key);
  g_assert_false(crypto_token_remove_module("p11-kit", &error));
  g_clear_error(&error);
  g_assert_true(crypto_token_remove_module("spy", &error));
  g_assert_no_error(error);
  g_free(asked.token);
  g_clear_pointer(&alice, crypto_cert_unref);
  close_clean();
}

static void
set_state(const char *name, gboolean set)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  if (set)
    pki_write(folder, name, "", 0);
  else
    g_unlink(path);
}

/* Between two looks at the reader, which tells nobody when it changes. */
static void
pause_briefly(void)
{
  g_poll(NULL, 0, 20);
}

/* The question for a card: says that it is asked, and waits as the screen does. */
static char *
await_card(const CryptoPinQuestion *question, GCancellable *given_up, gpointer user_data)
{
  GPollFD fd;
  g_assert_true(question->absent);
  g_assert_true(g_cancellable_make_pollfd(given_up, &fd));
  g_atomic_int_set((gint *)user_data, 1);
  while (!g_cancellable_is_cancelled(given_up))
    g_poll(&fd, 1, -1);
  g_cancellable_release_fd(given_up);
  return NULL;
}

typedef struct {
  gint asking;
  GCancellable *cancellable;
  gint64 cancelled;
} Waiting;

static gpointer
cancel_once_asked(gpointer data)
{
  Waiting *waiting = data;
  while (!g_atomic_int_get(&waiting->asking))
    g_thread_yield();
  waiting->cancelled = g_get_monotonic_time();
  g_cancellable_cancel(waiting->cancellable);
  return NULL;
}

/* A card is waited for, in decrypting and in signing, until the person has enough of it. */
static void
check_given_up(CryptoCert *alice, gboolean sign)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) own = g_cancellable_new();
  g_autoptr(GBytes) content = g_bytes_new_static("text", 4);
  CryptoSignOptions options = { .detached = TRUE };
  Waiting waiting = { .cancellable = own };
  CryptoPinSource pin = { .func = await_card, .user_data = &waiting.asking, .cancellable = own };
  GThread *thread = g_thread_new("cancel", cancel_once_asked, &waiting);
  g_autoptr(GBytes) made = sign ? crypto_cms_sign(content, alice, &options, &pin, &error) : NULL;
  gboolean open = !sign && crypto_certdb_unlock(alice, &pin, &error);
  gint64 took = g_get_monotonic_time() - waiting.cancelled;
  g_thread_join(thread);
  g_assert_null(made);
  g_assert_false(open);
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
  g_test_message("given up after %.1f ms", (double)took / 1000);
  g_assert_cmpint(took, <, 2 * G_USEC_PER_SEC); /* 100 ms are meant; a loaded machine takes longer */
}

/* Waits until the card with @alice's key is seen as there or gone. */
static void
wait_for(CryptoCert *alice, gboolean there)
{
  gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
  for (;;) {
    g_autofree char *token = crypto_keys_token(alice);
    if ((token != NULL) == there)
      return;
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    pause_briefly();
  }
}

/* A card is pulled and put back, locked, about to be locked, and behind a reader with keys of its own. */
/* The last try is told before it is made, and a locked card is not asked. */
static void
check_last_try(CryptoCert *alice, Asked *asked)
{
  g_autoptr(GError) error = NULL;
  crypto_token_logout_all();
  set_state("final-try", TRUE);
  asked->answer = "0000";
  CryptoPinSource second = SOURCE(*asked);
  g_assert_null(crypto_keys_open(alice, &second, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_PIN);
  g_assert_nonnull(strstr(error->message, "One more wrong PIN locks it"));
  g_clear_error(&error);
  g_assert_true(asked->last.final_try);
  set_state("locked", TRUE);
  *asked = (Asked){ .answer = "1234", .token = asked->token };
  CryptoPinSource third = SOURCE(*asked);
  g_assert_null(crypto_keys_open(alice, &third, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_assert_nonnull(strstr(error->message, "PUK"));
  g_clear_error(&error);
  g_assert_cmpuint(asked->calls, ==, 0);
  set_state("locked", FALSE);
  set_state("final-try", FALSE);
}

static char *
pull(const CryptoPinQuestion *question, GCancellable *ended, gpointer unused)
{
  PK11SlotInfo *slot = PK11_FindSlotByName(question->token);
  crypto_pin_removed(slot);
  PK11_FreeSlot(slot);
  g_assert_true(g_cancellable_is_cancelled(ended));
  return NULL;
}

static void
test_reader(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *library = g_build_filename(folder, "removable.so", NULL);
  set_state("present", TRUE);
  open_here(FALSE);
  gboolean added = crypto_token_add_module("reader", library, &error);
  g_assert_no_error(error);
  g_assert_true(added);
  g_autoptr(CryptoCert) alice = load("alice.pem");
  Asked asked = { .answer = "1234" };
  CryptoPinSource pin = SOURCE(asked);
  SECKEYPrivateKey *key = crypto_keys_open(alice, &pin, &error);
  g_assert_no_error(error);
  check_sign_and_decrypt(key, alice);
  SECKEY_DestroyPrivateKey(key);

  set_state("present", FALSE);
  wait_for(alice, FALSE);
  g_autoptr(CryptoCert) known = crypto_keys_find(&alice->nss->derIssuer, &alice->nss->serialNumber, NULL);
  check_given_up(alice, FALSE);
  check_given_up(alice, TRUE);
  g_assert_nonnull(known); /* mail to it is still ours, and opening it says what to do */
  g_clear_pointer(&known, crypto_cert_unref);
  g_assert_null(crypto_keys_open(alice, &pin, &error));
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);    /* ours, only not now */
  g_assert_nonnull(strstr(error->message, "Karte Ä")); /* which card to insert */
  g_clear_error(&error);
  gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
  while (crypto_token_login("Karte Ä", &pin, &error)) { /* NSS looks at a reader once a second */
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    pause_briefly();
  }
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_NO_KEY);
  g_clear_error(&error);

  set_state("present", TRUE);
  wait_for(alice, TRUE);
  asked.calls = 0;
  key = crypto_keys_open(alice, NULL, &error);
  g_assert_null(key); /* pulled means logged out */
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_LOCKED);
  g_clear_error(&error);
  key = crypto_keys_open(alice, &pin, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(asked.calls, ==, 1);
  check_sign_and_decrypt(key, alice);
  SECKEY_DestroyPrivateKey(key);

  CryptoPinSource pulled = { .func = pull, .cancellable = cancellable };
  crypto_token_logout_all();
  g_assert_null(crypto_keys_open(alice, &pulled, &error));
  g_assert_nonnull(strstr(error->message, "was pulled"));
  g_clear_error(&error);
  pulled.func = answer, pulled.user_data = &asked; /* put back, and the same job goes on */
  key = crypto_keys_open(alice, &pulled, &error);
  g_assert_no_error(error);
  SECKEY_DestroyPrivateKey(key);
  check_last_try(alice, &asked);
  g_clear_pointer(&alice, crypto_cert_unref);
  close_clean();

  set_state("pinpad", TRUE);
  open_here(FALSE);
  alice = load("alice.pem");
  asked = (Asked){ .answer = "", .token = asked.token };
  CryptoPinSource fourth = SOURCE(asked);
  key = crypto_keys_open(alice, &fourth, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(asked.calls, ==, 1);
  g_assert_true(asked.last.pinpad);
  SECKEY_DestroyPrivateKey(key);
  gboolean removed = crypto_token_remove_module("reader", &error);
  g_assert_no_error(error);
  g_assert_true(removed);
  g_free(asked.token);
  g_clear_pointer(&alice, crypto_cert_unref);
  close_clean();
}

static guint
pins_at_card(const char *kind)
{
  g_autofree char *path = g_build_filename(folder, "logins", NULL);
  g_autofree char *text = NULL;
  guint count = 0;
  if (!g_file_get_contents(path, &text, NULL, NULL))
    return 0;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++)
    count += strcmp(*line, kind) == 0;
  return count;
}

static SECStatus
sign_once(SECKEYPrivateKey *key)
{
  guint8 digest[32] = { 9 }, bytes[512];
  SECItem hash = { siBuffer, digest, sizeof digest }, signature = { siBuffer, bytes, sizeof bytes };
  return PK11_Sign(key, &signature, &hash);
}

/* One job: opens the key and signs. How often somebody was asked is added to *asks. */
static SECStatus
sign_in_job(CryptoCert *cert, const char *pin_text, guint *asks)
{
  g_autoptr(GError) error = NULL;
  Asked asked = { .answer = pin_text };
  CryptoPinSource pin = SOURCE(asked);
  SECKEYPrivateKey *key = crypto_keys_open(cert, &pin, &error);
  g_assert_no_error(error);
  SECStatus status = sign_once(key);
  SECKEY_DestroyPrivateKey(key);
  crypto_pin_source_clear(&pin);
  *asks += asked.calls;
  g_free(asked.token);
  return status;
}

/* 100 signatures with one PIN; one PIN each where the key wants it always; a card that is pulled in mid-signature. */
static void
test_uses(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *library = g_build_filename(folder, "removable.so", NULL);
  guint asks = 0;
  set_state("present", TRUE);
  set_state("pinpad", FALSE);
  open_here(FALSE);
  gboolean added = crypto_token_add_module("reader", library, &error);
  g_assert_no_error(error);
  g_assert_true(added);
  g_autoptr(CryptoCert) alice = load("alice.pem");
  guint before = pins_at_card("user");
  for (int i = 0; i < 100; i++)
    g_assert_cmpint(sign_in_job(alice, "1234", &asks), ==, SECSuccess);
  g_assert_cmpuint(asks, ==, 1);
  g_assert_cmpuint(pins_at_card("user") - before, ==, 1);
  g_assert_cmpuint(pins_at_card("again"), ==, 0);

  crypto_token_logout_all();
  set_state("always", TRUE);
  asks = 0;
  for (int i = 0; i < 100; i++)
    g_assert_cmpint(sign_in_job(alice, "1234", &asks), ==, SECSuccess);
  g_assert_cmpuint(asks, ==, 100); /* the first opened the card with the same PIN */
  g_assert_cmpuint(pins_at_card("user") - before, ==, 2);
  g_assert_cmpuint(pins_at_card("again"), ==, 100);
  g_assert_cmpint(sign_in_job(alice, "0000", &asks), !=, SECSuccess);
  g_assert_cmpuint(asks, ==, 101);
  g_assert_cmpuint(pins_at_card("again"), ==, 101); /* one wrong entry, one try */
  set_state("always", FALSE);

  set_state("pull-on-sign", TRUE);
  g_assert_cmpint(sign_in_job(alice, "1234", &asks), !=, SECSuccess);
  set_state("pull-on-sign", FALSE);
  wait_for(alice, FALSE);
  set_state("present", TRUE);
  wait_for(alice, TRUE);
  asks = 0;
  g_assert_cmpint(sign_in_job(alice, "1234", &asks), ==, SECSuccess);
  g_assert_cmpuint(asks, ==, 1);
  gboolean removed = crypto_token_remove_module("reader", &error);
  g_assert_no_error(error);
  g_assert_true(removed);
  g_clear_pointer(&alice, crypto_cert_unref);
  close_clean();
}

static void
make_reader(void)
{
  g_autofree char *source = g_canonicalize_filename("tests/lab/removable-token.c", NULL);
  g_autofree char *flags = NULL;
  g_assert_cmpint(pki_spawn(folder, &flags, "pkg-config", "--cflags", "nss", NULL), ==, 0);
  g_auto(GStrv) words = g_strsplit(g_strstrip(flags), " ", 2);
  pki_run(folder, "cc", "-shared", "-fPIC", words[0], words[1] ? words[1] : words[0], "-o", "removable.so",
          source, "-ldl");
  g_setenv("REMOVABLE_FOLDER", folder, TRUE);
  g_setenv("REMOVABLE_MODULE", module, TRUE);
}

static void
make_token(void)
{
  g_autofree char *config = g_build_filename(folder, "softhsm2.conf", NULL);
  g_autofree char *store = g_build_filename(folder, "tokens", NULL);
  g_autofree char *text =
      g_strdup_printf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", store);
  g_mkdir(store, 0700);
  pki_write(folder, "softhsm2.conf", text, -1);
  g_setenv("SOFTHSM2_CONF", config, TRUE);
  g_setenv("PKCS11SPY", module, TRUE);
  g_setenv("PKCS11SPY_OUTPUT", spy_log, TRUE);
  pki_run(folder, "softhsm2-util", "--module", module, "--init-token", "--free", "--label", "Karte Ä",
          "--pin", "1234", "--so-pin", "12345678");
  pki_run(folder, "openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "alice.key", "-out", "alice.p8");
  pki_run(folder, "softhsm2-util", "--module", module, "--import", "alice.p8", "--token", "Karte Ä",
          "--label", "alice", "--id", "01", "--pin", "1234");
  pki_run(folder, "openssl", "x509", "-in", "alice.pem", "-outform", "DER", "-out", "alice.der");
  pki_run(folder, "pkcs11-tool", "--module", module, "--token-label", "Karte Ä", "--login", "--pin", "1234",
          "--write-object", "alice.der", "--type", "cert", "--id", "01", "--label", "alice");
}

int
main(int argc, char **argv)
{
  static const char *const hsm[] = { "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
                                     "/usr/lib/pkcs11/libsofthsm2.so", NULL };
  static const char *const spies[] = { "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so",
                                       "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so", "/usr/lib64/pkcs11-spy.so",
                                       "/usr/lib/pkcs11-spy.so", NULL };
  g_setenv("LC_ALL", "C.UTF-8", TRUE);
  g_test_init(&argc, &argv, NULL);
  folder = pki_folder();
  nssdb = g_build_filename(folder, "nssdb", NULL);
  spy_log = g_build_filename(folder, "spy.log", NULL);
  module = find_library(hsm);
  spy = find_library(spies);
  cancellable = g_cancellable_new();
  g_assert_nonnull(module); /* Debian: softhsm2 */
  g_assert_nonnull(spy);    /* Debian: opensc */
  keep_loaded(module);
  keep_loaded(spy);
  keep_loaded("opensc-pkcs11.so");
  keep_loaded("libp11-kit.so.0");
  pki_root(folder);
  pki_leaf(folder, "alice", "/CN=Alice", "subjectAltName=email:alice@example.org\n", "rsa:2048");
  pki_leaf(folder, "bob", "/CN=Bob", "subjectAltName=email:bob@example.org\n", "rsa:2048");
  make_token();
  make_reader();
  g_test_add_func("/token/modules", test_modules);
  g_test_add_func("/token/looking", test_looking);
  g_test_add_func("/token/pins", test_pins);
  g_test_add_func("/token/proxy", test_proxy);
  g_test_add_func("/token/reader", test_reader);
  g_test_add_func("/token/uses", test_uses);
  int result = g_test_run();
  tree_remove(folder);
  g_free(folder);
  g_free(nssdb);
  g_free(module);
  g_free(spy);
  g_free(spy_log);
  g_object_unref(cancellable);
  return result;
}
