#ifndef TESTS_PKI_H
#define TESTS_PKI_H

/* Throw-away folders and outside programs for the tests of crypto/. */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/tree.h"

static inline char *
pki_folder(void)
{
  g_autoptr(GError) error = NULL;
  char *folder = g_dir_make_tmp("signet-test-XXXXXX", &error);
  g_assert_no_error(error);
  return folder;
}

/* Runs a program in @folder; the last argument is NULL. Returns its exit status; output goes to *out if given. */
static inline int
pki_spawn(const char *folder, char **out, const char *program, ...)
{
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_ptr_array_add(argv, (char *)program);
  va_list arguments;
  va_start(arguments, program);
  const char *argument;
  do {
    argument = va_arg(arguments, const char *);
    g_ptr_array_add(argv, (char *)argument);
  } while (argument);
  va_end(arguments);
  g_autoptr(GError) error = NULL;
  g_autofree char *output = NULL, *errors = NULL;
  int status = 0;
  g_spawn_sync(folder, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, &status,
               &error);
  g_assert_no_error(error);
  if (status != 0)
    g_test_message("%s: %s%s", program, output, errors);
  if (out)
    *out = g_steal_pointer(&output);
  return status;
}

#define pki_run(folder, ...) g_assert_cmpint(pki_spawn(folder, NULL, __VA_ARGS__, NULL), ==, 0)

static inline GBytes *
pki_read(const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  g_autoptr(GError) error = NULL;
  char *bytes = NULL;
  gsize length = 0;
  g_file_get_contents(path, &bytes, &length, &error);
  g_assert_no_error(error);
  return g_bytes_new_take(bytes, length);
}

static inline void
pki_write(const char *folder, const char *name, const void *bytes, gssize length)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  g_autoptr(GError) error = NULL;
  g_file_set_contents(path, bytes, length, &error);
  g_assert_no_error(error);
}

/* The key alone, by what tests/lab/rsa-key.sh takes: a third of OpenSSL's time. */
static inline void
pki_rsa_key(const char *folder, const char *file, const char *bits)
{
  g_autofree char *script = g_canonicalize_filename("tests/lab/rsa-key.sh", NULL);
  pki_run(folder, "sh", script, file, bits);
}

/* A root (root.pem), an intermediate (inter.pem) and a leaf (NAME.pem, NAME.key) made by openssl. */
static inline void
pki_root(const char *folder)
{
  pki_rsa_key(folder, "root.key", "2048");
  pki_run(folder, "openssl", "req", "-x509", "-key", "root.key", "-out", "root.pem", "-days", "3650", "-subj",
          "/O=Test House/CN=Test Root", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
          "keyUsage=critical,keyCertSign,cRLSign");
}

static inline void
pki_leaf(const char *folder, const char *name, const char *subject, const char *extensions, const char *key)
{
  g_autofree char *key_file = g_strconcat(name, ".key", NULL);
  g_autofree char *csr = g_strconcat(name, ".csr", NULL);
  g_autofree char *pem = g_strconcat(name, ".pem", NULL);
  g_autofree char *ext = g_strconcat(name, ".ext", NULL);
  pki_write(folder, ext, extensions, -1);
  if (g_str_has_prefix(key, "ec:")) {
    g_autofree char *curve = g_strconcat("ec_paramgen_curve:", key + 3, NULL);
    pki_run(folder, "openssl", "req", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", key_file,
            "-out", csr, "-subj", subject);
  } else if (g_str_has_prefix(key, "rsa:")) {
    pki_rsa_key(folder, key_file, key + strlen("rsa:"));
    pki_run(folder, "openssl", "req", "-new", "-key", key_file, "-out", csr, "-subj", subject);
  } else {
    pki_run(folder, "openssl", "req", "-newkey", key, "-nodes", "-keyout", key_file, "-out", csr, "-subj",
            subject);
  }
  pki_run(folder, "openssl", "x509", "-req", "-in", csr, "-CA", "root.pem", "-CAkey", "root.key",
          "-CAcreateserial", "-days", "365", "-out", pem, "-extfile", ext);
}

#endif
