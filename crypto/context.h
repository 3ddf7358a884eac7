#ifndef CRYPTO_CONTEXT_H
#define CRYPTO_CONTEXT_H

#include <gio/gio.h>

#include "crypto/pin.h"

/* NSS, opened once for the process. Call crypto_open() before anything else in this folder and crypto_close()
 * last, both from the thread that owns the program (no job may be running). Everything between may be called
 * from any thread, but private keys and chains are serialised inside (NSS's chain code is not safe otherwise).
 *
 * The user's database is opened read-write when it can be, created (mode 0700, empty password) when it does not
 * exist and @create is set, and retried with backoff while another process holds it. A run that is given
 * extra roots or keys (see crypto_session_*) keeps them in a throw-away database below $XDG_RUNTIME_DIR or
 * /dev/shm that is deleted at crypto_close(); nothing of them reaches the user's. */
typedef struct {
  const char *nssdb;  /* folder of cert9.db; NULL: no database, only what this run is given */
  gboolean create;    /* make it if it is not there */
  gboolean read_only;
  gboolean roots;     /* load NSS's built-in roots (libnssckbi.so), by their mail and server trust bits */
  const char *cards;  /* file that remembers whose keys lie on which card, for when it is not there; NULL: none */
  const char *only;   /* fingerprints, commas between, of the authorities that alone are believed for mail; NULL: any */
  gboolean tokens;    /* load p11-kit's modules, so that a card that the system knows needs no path */
  GCancellable *cancellable; /* gives up waiting for a program that holds the database; NULL: nobody does */
} CryptoOptions;

gboolean crypto_open(const CryptoOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a screen that is there before: on a thread of its own, as soon as somebody waits for it, or
 * crypto_open_now() says so. @func hears of the end in the default main context; @error NULL: it is open. Until then only
 * what waits by itself may be begun: jobs (crypto/job.h; they never run where it failed), the watch of the readers, and
 * whoever asks crypto_open_wait(). */
typedef void (*CryptoOpened)(const GError *error, gpointer user_data);
void crypto_open_behind(const CryptoOptions *options, CryptoOpened func, gpointer user_data);
/* Any thread, before it touches anything in this folder. TRUE at once where nothing was begun behind; FALSE with an error
 * where that failed or was given up. */
gboolean crypto_open_wait(GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void crypto_open_now(void); /* any thread; nothing was begun: nothing */
void crypto_open_stop(void); /* the owner's thread: who waits gives up, and @func is not called any more */

/* FALSE with an error: a reference leaked somewhere. Tests assert on it; the program logs it. */
gboolean crypto_close(GError **error);

/* For this run only (`--trust`, `--certs`, `--key`, `--crl`). Files: PEM, DER, PKCS#7; keys: PKCS#12. */
gboolean crypto_session_add_roots(GBytes *file, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* trusted for mail */
gboolean crypto_session_add_certs(GBytes *file, GError **error) G_GNUC_WARN_UNUSED_RESULT; /* candidates only */
gboolean crypto_session_add_crls(GBytes *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean crypto_session_add_pkcs12(GBytes *file, const char *password, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The sentence for an NSS or NSPR error number, with what to do next where that is known. Static. */
const char *crypto_error_sentence(int code);
const char *crypto_error_next_step(int code); /* what to do next; "" where the sentence says it. Static. */
char *crypto_error_words(int code);           /* both, with a full stop; transfer full */

#endif
