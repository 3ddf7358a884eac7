#include <glib/gstdio.h>
#include <string.h>

#include "mail/driver.h"
#include "mail/mbox-private.h"
#include "tests/unit/driver-lab.h"

/* A mailbox in a folder where this user may make no file (/var/mail without the group mail): the lock file is made by
 * dotlockfile, which may. tests/integration/var-mail.t makes the mailbox and runs this as its owner. */

static void
test_spool(void)
{
  const char *file = g_getenv("SIGNET_SPOOL");
  g_autoptr(GError) error = NULL;
  g_autofree char *dir = g_path_get_dirname(file), *dot_lock = g_strconcat(file, ".lock", NULL);
  MlAccount account = { .name = (char *)"spool", .kind = ML_ACCOUNT_MBOX, .path = (char *)file };
  MlDriverHooks hooks = { .state_dir = g_getenv("SIGNET_SPOOL_STATE") };
  g_assert_cmpint(g_access(dir, W_OK), !=, 0);
  MlDriver *driver = ml_driver_new(&account, &hooks);

  MlMboxLock *lock = ml_mbox_lock(driver, file, TRUE, &error);
  g_assert_no_error(error);
  g_assert_true(lock->helper);
  g_assert_true(g_file_test(dot_lock, G_FILE_TEST_EXISTS));
  const char *other[] = { "dotlockfile", "-r", "0", "-l", dot_lock, NULL };
  int status = 0;
  g_assert_true(g_spawn_sync(NULL, (char **)other, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error));
  g_assert_cmpint(status, !=, 0); /* nobody else has it meanwhile */
  ml_mbox_unlock(lock);
  g_assert_false(g_file_test(dot_lock, G_FILE_TEST_EXISTS));

  /* And all that writes goes through it. */
  g_autoptr(GPtrArray) headers = driver_open(driver, "INBOX", 10);
  g_assert_cmpuint(headers->len, ==, 3);
  g_autoptr(GArray) second = driver_one(((MlHeader *)g_ptr_array_index(headers, 1))->uid);
  gboolean ok = ml_driver_flags(driver, second, ML_FLAG_DELETED | ML_FLAG_SEEN, 0, &error) &&
       ml_driver_expunge(driver, second, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  g_assert_nonnull(strstr(text, "Subject: one"));
  g_assert_null(strstr(text, "Subject: two"));
  g_assert_nonnull(strstr(text, "Subject: three"));
  g_assert_false(g_file_test(dot_lock, G_FILE_TEST_EXISTS));

  /* Somebody else holds it: that is waited for, and said. */
  g_assert_true(g_spawn_sync(NULL, (char **)other, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error));
  g_assert_cmpint(status, ==, 0);
  g_assert_null(ml_mbox_lock(driver, file, TRUE, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_assert_nonnull(strstr(error->message, "is locked by"));
  const char *undo[] = { "dotlockfile", "-u", dot_lock, NULL };
  g_assert_true(g_spawn_sync(NULL, (char **)undo, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
  ml_driver_free(driver);
}

int
main(int argc, char **argv)
{
  if (!g_getenv("SIGNET_SPOOL")) {
    g_print("1..0 # SKIP run by tests/integration/var-mail.t\n");
    return 0;
  }
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mbox/spool", test_spool);
  return g_test_run();
}
