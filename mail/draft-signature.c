#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/draft-private.h"
#include "mail/files.h"

/* A file that cannot be read is no reason not to write: the text has no signature then, which one sees. */
char *
ml_draft_signature(const MlAccount *account)
{
  enum { LIMIT = 64 * 1024 };
  int fd = account->signature ? open(account->signature, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1;
  if (fd < 0)
    return g_strdup("");
  struct stat info;
  g_autofree char *text = g_malloc0(LIMIT + 1);
  gssize got = fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
                   ? ml_files_pread(fd, text, LIMIT, 0, account->signature, NULL)
                   : -1;
  close(fd);
  if (got <= 0)
    return g_strdup("");
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  g_auto(GStrv) lines = g_strsplit(valid, "\r\n", -1);
  g_autofree char *unix_text = g_strjoinv("\n", lines);
  const char *body = g_str_has_prefix(unix_text, "-- \n") ? unix_text + 4 : unix_text;
  return g_strconcat("-- \n", body, g_str_has_suffix(body, "\n") ? "" : "\n", NULL);
}
