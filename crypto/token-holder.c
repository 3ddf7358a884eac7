#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/token.h"

/* A card that another program holds by itself looks as if it were not there: PC/SC refuses to connect (a sharing
 * violation), OpenSC makes "no token in this slot" of it, and no more reaches NSS. What can be known is whether the one
 * program that is known to do so runs: GnuPG's scdaemon keeps a card until it is told to let it go. */
enum { PROCESSES_MAX = 100000 };

char *
crypto_token_holder(void)
{
  g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
  const char *name;
  for (guint i = 0; proc && i < PROCESSES_MAX && (name = g_dir_read_name(proc)); i++) {
    if (!g_ascii_isdigit(*name))
      continue;
    g_autofree char *folder = g_build_filename("/proc", name, NULL);
    g_autofree char *file = g_build_filename(folder, "comm", NULL);
    g_autofree char *comm = NULL;
    GStatBuf info;
    if (g_stat(folder, &info) == 0 && info.st_uid == geteuid() && g_file_get_contents(file, &comm, NULL, NULL) &&
        strcmp(g_strchomp(comm), "scdaemon") == 0)
      return g_strdup_printf("gpg's scdaemon (process %s)", name);
  }
  return NULL;
}

char *
crypto_token_holder_hint(void)
{
  g_autofree char *holder = crypto_token_holder();
  return holder ? g_strdup_printf(" If it is in its reader, %s may hold it: gpgconf --kill scdaemon lets it go.", holder)
                : g_strdup("");
}
