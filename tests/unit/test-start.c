/* Opening behind the screen: who needs it waits, who waits is told how it ended, and it can be given up. */
#include "crypto/certdb.h"
#include "crypto/context.h"
#include "crypto/job.h"
#include "tests/unit/pki.h"

enum { PATIENCE_S = 60 };

typedef struct {
  int calls;
  GError *error;
} Told;

static void
on_opened(const GError *error, gpointer data)
{
  Told *told = data;
  told->calls++;
  told->error = error ? g_error_copy(error) : NULL;
}

static gboolean
on_late(gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
loop_until(const int *count, int wanted)
{
  gboolean late = FALSE;
  guint id = g_timeout_add_seconds(PATIENCE_S, on_late, &late);
  while (*count < wanted && !late)
    g_main_context_iteration(NULL, TRUE);
  g_assert_false(late);
  g_source_remove(id);
}

static void
close_crypto(void)
{
  g_autoptr(GError) error = NULL;
  gboolean ok = crypto_close(&error);
  g_assert_no_error(error);
  g_assert_true(ok);
}

typedef struct {
  int done;
  gboolean ran, cancelled;
  GPtrArray *entries;
} Work;

static void
run(CryptoPinSource *pin, GCancellable *cancellable, gpointer data)
{
  Work *work = data;
  work->ran = TRUE;
  work->entries = crypto_certdb_list(FALSE, NULL); /* NSS itself: it must be open */
}

static void
done(GCancellable *cancellable, gpointer data)
{
  Work *work = data;
  work->done++;
  work->cancelled = g_cancellable_is_cancelled(cancellable);
}

static void
test_opens(void)
{
  g_autofree char *folder = pki_folder();
  g_autofree char *nssdb = g_build_filename(folder, "nssdb", NULL);
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = nssdb, .create = TRUE, .roots = TRUE };
  Told told = { 0, NULL };
  Work work = { 0 };
  gboolean ok = crypto_open_wait(NULL, &error); /* nothing was begun behind: nobody waits */
  g_assert_true(ok);
  crypto_open_behind(&options, on_opened, &told);
  crypto_job_start(NULL, NULL);
  crypto_job_post(CRYPTO_JOB_VERIFY, run, done, &work, NULL);
  ok = crypto_open_wait(NULL, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  loop_until(&work.done, 1);
  loop_until(&told.calls, 1);
  g_assert_null(told.error);
  g_assert_true(work.ran);
  g_assert_nonnull(work.entries);
  g_ptr_array_unref(work.entries);
  crypto_open_stop();
  crypto_job_stop();
  close_crypto();
  g_assert_cmpint(told.calls, ==, 1);
  tree_remove(folder);
}

/* What could not be opened is said, and no job ever touches it. */
static void
test_fails(void)
{
  g_autofree char *folder = pki_folder();
  g_autofree char *file = g_build_filename(folder, "cert9.db", NULL);
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = folder };
  Told told = { 0, NULL };
  Work work = { 0 };
  g_assert_true(g_file_set_contents(file, "this is no database, and never was one; long enough to be read as one, "
                                          "which takes some more words than these", -1, NULL));
  crypto_open_behind(&options, on_opened, &told);
  crypto_job_start(NULL, NULL);
  crypto_job_post(CRYPTO_JOB_KEYS, run, done, &work, NULL);
  loop_until(&work.done, 1);
  loop_until(&told.calls, 1);
  g_assert_error(told.error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE);
  g_assert_nonnull(strstr(told.error->message, file));
  g_assert_false(work.ran);
  g_assert_true(work.cancelled);
  gboolean ok = crypto_open_wait(NULL, &error);
  g_assert_false(ok);
  g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_DATABASE);
  g_clear_error(&told.error);
  crypto_job_stop();
  close_crypto();
  ok = crypto_open_wait(NULL, NULL); /* that it failed is over too */
  g_assert_true(ok);
  tree_remove(folder);
}

/* The end comes before NSS is there: nobody waits any more, nobody is told, and all can begin anew. */
static void
test_given_up(void)
{
  for (int i = 0; i < 20; i++) {
    g_autofree char *folder = pki_folder();
    const CryptoOptions options = { .nssdb = folder, .create = TRUE };
    Told told = { 0, NULL };
    Work work = { 0 };
    crypto_open_behind(&options, on_opened, &told);
    crypto_job_start(NULL, NULL);
    crypto_job_post(CRYPTO_JOB_VERIFY, run, done, &work, NULL);
    if (i % 2)
      crypto_open_stop();
    crypto_job_stop();
    g_assert_cmpint(work.done, ==, 1);
    if (work.entries)
      g_ptr_array_unref(work.entries);
    crypto_open_stop();
    close_crypto();
    while (g_main_context_iteration(NULL, FALSE))
      ;
    g_assert_cmpint(told.calls, ==, 0);
    tree_remove(folder);
  }
}

/* One of those that wait is given up; the others are not. */
static void
test_cancelled(void)
{
  g_autofree char *folder = pki_folder();
  g_autoptr(GCancellable) cancellable = g_cancellable_new();
  g_autoptr(GError) error = NULL;
  const CryptoOptions options = { .nssdb = folder, .create = TRUE };
  Told told = { 0, NULL };
  g_cancellable_cancel(cancellable);
  crypto_open_behind(&options, on_opened, &told);
  gboolean open = crypto_open_wait(cancellable, &error); /* it may have been quick */
  if (!open)
    g_assert_error(error, CRYPTO_ERROR, CRYPTO_ERROR_CANCELLED);
  open = crypto_open_wait(NULL, NULL);
  g_assert_true(open);
  loop_until(&told.calls, 1);
  close_crypto();
  tree_remove(folder);
}

/* Nothing is opened that nobody has wanted: not beside the first screen, nor for who leaves before it. */
static void
test_wanted(void)
{
  g_autofree char *folder = pki_folder();
  g_autofree char *file = g_build_filename(folder, "cert9.db", NULL);
  const CryptoOptions options = { .nssdb = folder, .create = TRUE };
  Told told = { 0, NULL };

  crypto_open_behind(&options, on_opened, &told);
  crypto_job_start(NULL, NULL);
  crypto_job_stop();
  crypto_open_stop();
  close_crypto();
  g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
  crypto_open_behind(&options, on_opened, &told);
  crypto_open_now();
  loop_until(&told.calls, 1);
  g_assert_null(told.error);
  g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
  close_crypto();
  tree_remove(folder);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/start/opens", test_opens);
  g_test_add_func("/start/fails", test_fails);
  g_test_add_func("/start/given-up", test_given_up);
  g_test_add_func("/start/cancelled", test_cancelled);
  g_test_add_func("/start/wanted", test_wanted);
  return g_test_run();
}
