#ifndef TESTS_OPENSSL_H
#define TESTS_OPENSSL_H

/* Outside programs in a throw-away folder. */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

static char *folder; /* keys, certificates, databases; the test deletes it at its end */

static inline char *
path(const char *name)
{
  return g_build_filename(folder, name, NULL);
}

G_GNUC_PRINTF(1, 2)
static inline void
sh(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *line = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_auto(GStrv) argv = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *out = NULL, *err = NULL;
  int status;
  g_assert_true(g_shell_parse_argv(line, NULL, &argv, &error));
  g_spawn_sync(folder, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, &error);
  g_assert_no_error(error);
  if (!g_spawn_check_wait_status(status, NULL))
    g_error("%s\n%s%s", line, out, err);
}

#endif
