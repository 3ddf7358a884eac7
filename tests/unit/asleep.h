#ifndef TESTS_UNIT_ASLEEP_H
#define TESTS_UNIT_ASLEEP_H

/* To hit a call while it waits: looks at the kernel's word on the thread that makes it. Included by one test each. */
#include <glib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int
asleep_self(void)
{
  return (int)syscall(SYS_gettid);
}

/* Returns once thread @tid of this process is asleep, or is gone. */
static inline void
asleep_await(int tid)
{
  g_autofree char *file = g_strdup_printf("/proc/self/task/%d/stat", tid);
  gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
  for (;;) {
    g_autofree char *text = NULL;
    if (!g_file_get_contents(file, &text, NULL, NULL))
      return;
    const char *name_end = strrchr(text, ')');
    if (name_end && g_str_has_prefix(name_end, ") S"))
      return;
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    g_thread_yield();
  }
}

#endif
