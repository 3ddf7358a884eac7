#ifndef TESTS_UNIT_LOCKS_H
#define TESTS_UNIT_LOCKS_H

#include <fcntl.h>
#include <glib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does this process hold a lock of fcntl(2) on @path? A child looks: nobody is told of his own, and what it closes ends
 * only its own. */
static gboolean
locks_held(const char *path)
{
  enum { HELD = 3, FREE = 4 };
  int status;
  pid_t child = fork();
  if (child == 0) {
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CLOEXEC);
    _exit(fd < 0 || fcntl(fd, F_GETLK, &all) != 0 ? 1 : all.l_type == F_UNLCK ? FREE : HELD);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == HELD || WEXITSTATUS(status) == FREE));
  return WEXITSTATUS(status) == HELD;
}

#endif
