#include <glib/gstdio.h>
#include <string.h>

#include "mail/config-edit.h"

static char *file;

static void
write_file(const char *text)
{
  g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static void
becomes(const char *text, const char *want)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *got = NULL;
  write_file(text);
  g_assert_true(ml_config_edit(file, "work", "sign-cert", "abcd", &error));
  g_assert_no_error(error);
  g_assert_true(g_file_get_contents(file, &got, NULL, NULL));
  g_assert_cmpstr(got, ==, want);
}

static void
test_lines(void)
{
#define HEAD "[account work]\nmbox = m\n"
  becomes(HEAD, HEAD "sign-cert = abcd\n");
  becomes(HEAD "sign-cert = x\n[ui]\n", HEAD "sign-cert = abcd\n[ui]\n");
  becomes(HEAD "sign-cert=x  ; until 2027\n", HEAD "sign-cert = abcd  ; until 2027\n");
  becomes(HEAD "sign-cert = ; which?\n", HEAD "sign-cert = abcd ; which?\n");
  becomes(HEAD "sign-cert = a;b\n", HEAD "sign-cert = abcd\n"); /* no comment: no blank before it */
#undef HEAD
}

/* The sentence names the file that there is, not the one that it was tried in. */
static void
test_refused(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *got = NULL;
  const char *text = "[account work]\nmbox = m\nnonsense = 1\n";
  write_file(text);
  g_assert_false(ml_config_edit(file, "work", "sign-cert", "abcd", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_CONFIG);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, "signet.conf:3"));
  g_assert_null(strstr(error->message, ".new-"));
  g_assert_true(g_file_get_contents(file, &got, NULL, NULL));
  g_assert_cmpstr(got, ==, text);
}

static void
saves(const char *text, const char *want)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *got = NULL;
  write_file(text);
  g_assert_true(ml_config_save_search(file, "From Anna", "from:anna -draft", &error));
  g_assert_no_error(error);
  g_assert_true(g_file_get_contents(file, &got, NULL, NULL));
  g_assert_cmpstr(got, ==, want);
}

static void
test_search(void)
{
#define HEAD "[account work]\nmbox = m\n"
#define LINE "From Anna = from:anna -draft\n"
  saves(HEAD, HEAD "\n[searches]\n" LINE);
  saves("[account work]\nmbox = m", HEAD "\n[searches]\n" LINE);
  saves("[searches]\nx = ~F\n\n" HEAD, "[searches]\nx = ~F\n" LINE "\n" HEAD);
  saves("[searches]\nFrom Anna = x\nFrom Annas = y\n" HEAD, "[searches]\n" LINE "From Annas = y\n" HEAD);
#undef LINE
  g_autoptr(GError) error = NULL;
  g_autofree char *got = NULL;
  write_file(HEAD);
  g_assert_false(ml_config_save_search(file, "x", "~f", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_CONFIG);
  g_clear_error(&error);
  g_assert_false(ml_config_save_search(file, "a = b\n[ui]\nc", "~F", &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
  g_assert_true(g_file_get_contents(file, &got, NULL, NULL));
  g_assert_cmpstr(got, ==, HEAD);
#undef HEAD
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_autofree char *dir = g_dir_make_tmp("signet-edit-XXXXXX", NULL);
  file = g_build_filename(dir, "signet.conf", NULL);
  g_test_add_func("/config-edit/lines", test_lines);
  g_test_add_func("/config-edit/refused", test_refused);
  g_test_add_func("/config-edit/search", test_search);
  int code = g_test_run();
  g_assert_cmpint(g_unlink(file), ==, 0);
  g_assert_cmpint(g_rmdir(dir), ==, 0);
  g_free(file);
  return code;
}
