#include "ui/screen-output.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

/* A descriptor of its own, so that no child is born with it while it points to the picture. */
static struct {
  FILE *file;
  int picture; /* in memory; -1: there is none */
  gboolean gathering;
} output = { .picture = -1 };

FILE *
ui_screen_output(void)
{
  if (output.file)
    return output.file;
  int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  output.file = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (!output.file && fd >= 0)
    close(fd);
  if (output.file)
    output.picture = memfd_create("signet-picture", MFD_CLOEXEC);
  return output.file;
}

void
ui_screen_output_gather(void)
{
  if (output.picture < 0 || lseek(output.picture, 0, SEEK_SET) != 0)
    return;
  output.gathering = dup3(output.picture, fileno(output.file), O_CLOEXEC) >= 0;
}

static void
write_all(const char *data, gsize length)
{
  while (length) {
    ssize_t n = write(STDOUT_FILENO, data, length);
    if (n < 0 && errno == EAGAIN) {
      struct pollfd room = { .fd = STDOUT_FILENO, .events = POLLOUT };
      (void)poll(&room, 1, -1);
    } else if (n < 0 && errno != EINTR) {
      return; /* the terminal has gone: the keys' reader will find that out */
    } else if (n > 0) {
      data += n;
      length -= (gsize)n;
    }
  }
}

void
ui_screen_output_send(void)
{
  static char piece[PIECE];
  if (!output.gathering)
    return;
  output.gathering = FALSE;
  off_t end = lseek(output.picture, 0, SEEK_CUR);
  while (dup3(STDOUT_FILENO, fileno(output.file), O_CLOEXEC) < 0 && (errno == EINTR || errno == EBUSY))
    ;
  gsize most = 0;
  for (off_t at = 0; at < end;) {
    ssize_t n = pread(output.picture, piece, sizeof piece, at);
    if (n <= 0)
      break;
    write_all(piece, (gsize)n);
    at += n;
    most = MAX(most, (gsize)n);
  }
  (void)!ftruncate(output.picture, 0); /* what was decrypted stays no longer than on the screen */
  explicit_bzero(piece, most);
}
