#include "keyring/keyring.h"

#include <string.h>

/* Without arguments: a machine that has no Secret Service. With --service (tests/integration/keyring.t starts it
 * under a session bus with a real gnome-keyring): what is stored is found, and only it. */
#define SERVER "imaps://anna@mail.example.org:993"

static void
test_absent(void)
{
  g_autoptr(GError) error = NULL;

  g_assert_null(keyring_lookup("work", SERVER, NULL, &error));
  g_assert_error(error, KEYRING_ERROR, KEYRING_ERROR_ABSENT);
  g_assert_nonnull(strstr(error->message, "password-command")); /* the next step */
  g_clear_error(&error);
  g_assert_false(keyring_store("work", SERVER, "secret", NULL, &error));
  g_assert_error(error, KEYRING_ERROR, KEYRING_ERROR_ABSENT);
  g_clear_error(&error);
  g_assert_false(keyring_available(NULL, &error));
  g_assert_error(error, KEYRING_ERROR, KEYRING_ERROR_ABSENT);
}

static void
check_stored(const char *account, const char *server, const char *want)
{
  g_autoptr(GError) error = NULL;
  char *password = keyring_lookup(account, server, NULL, &error);

  g_assert_no_error(error);
  g_assert_cmpstr(password, ==, want);
  keyring_wipe(password);
}

static void
test_service(void)
{
  g_autoptr(GError) error = NULL;

  g_assert_true(keyring_available(NULL, &error));
  g_assert_no_error(error);
  check_stored("work", SERVER, NULL);
  g_assert_true(keyring_store("work", SERVER, "p\xc3\xa4ss w\"ord", NULL, &error));
  g_assert_no_error(error);
  check_stored("work", SERVER, "p\xc3\xa4ss w\"ord");
  check_stored("home", SERVER, NULL);
  check_stored("work", "imaps://anna@other.example.org:993", NULL);
  g_assert_true(keyring_store("work", SERVER, "newer", NULL, &error));
  check_stored("work", SERVER, "newer");
  g_assert_true(keyring_forget("work", SERVER, NULL, &error));
  g_assert_no_error(error);
  check_stored("work", SERVER, NULL);
}

int
main(int argc, char **argv)
{
  gboolean service = argc > 1 && !strcmp(argv[1], "--service");

  if (!service) {
    g_unsetenv("DBUS_SESSION_BUS_ADDRESS");
    g_setenv("XDG_RUNTIME_DIR", "/nonexistent", TRUE);
  }
  g_test_init(&argc, &argv, NULL);
  if (service)
    g_test_add_func("/keyring/service", test_service);
  else
    g_test_add_func("/keyring/absent", test_absent);
  return g_test_run();
}
