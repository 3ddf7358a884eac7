#ifndef TESTS_TREE_H
#define TESTS_TREE_H

/* Throw-away folders. */
#include <glib.h>
#include <glib/gstdio.h>

/* Removes the folder @path and what is in it. Links are removed, not followed. */
static inline void
tree_remove(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
      tree_remove(child);
    else
      g_assert_cmpint(g_unlink(child), ==, 0);
  }
  g_assert_cmpint(g_rmdir(path), ==, 0);
}

#endif
