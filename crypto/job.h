#ifndef CRYPTO_JOB_H
#define CRYPTO_JOB_H

#include <gio/gio.h>

#include "crypto/pin.h"

/* Serial threads for what must not hold up the screen. KEYS may ask for a PIN through the source that the job is
 * handed; VERIFY's source is NULL: opening a mail or scrolling the index can never pop up a question. NETWORK is for
 * what may wait for servers that certificates name, so that nothing else waits behind it; its source is NULL too.
 * Post from the UI thread; @done runs there (in the default main context), exactly once, cancelled or not. A job
 * that is cancelled before its turn is never run: @done looks at the cancellable first. */
typedef enum { CRYPTO_JOB_VERIFY, CRYPTO_JOB_KEYS, CRYPTO_JOB_NETWORK } CryptoJobThread;
enum { CRYPTO_JOB_THREADS = CRYPTO_JOB_NETWORK + 1 };
typedef void (*CryptoJobFunc)(CryptoPinSource *pin, GCancellable *cancellable, gpointer data);
typedef void (*CryptoJobDone)(GCancellable *cancellable, gpointer data);

/* Once, after crypto_open() or crypto_open_behind(). */
void crypto_job_start(CryptoPinFunc ask, gpointer user_data);
void crypto_job_post(CryptoJobThread thread, CryptoJobFunc run, CryptoJobDone done, gpointer data,
                     GCancellable *cancellable); /* @data belongs to the job until @done; cancellable may be NULL */
/* For long work in pieces: does another job wait for this thread's turn? Any thread, while jobs run. */
gboolean crypto_job_is_awaited(CryptoJobThread thread);
void crypto_job_stop(void); /* cancels what runs, joins, runs the outstanding @done calls; before crypto_close() */

#endif
