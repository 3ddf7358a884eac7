#include <fcntl.h>
#include <link.h>
#include <nss.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/chain-private.h"
#include "crypto/standing.h"

enum { CACHE_MAX = 20000 }; /* files of the cache that are looked at */

/* A file by what changes with it. */
static void
add_file(GChecksum *sum, const char *path)
{
  struct stat about = { 0 };
  gboolean there = stat(path, &about) == 0 && S_ISREG(about.st_mode);
  if (!there)
    memset(&about, 0, sizeof about);
  const gint64 facts[] = { there, (gint64)about.st_ino, (gint64)about.st_dev, about.st_size,
                           about.st_mtim.tv_sec, about.st_mtim.tv_nsec };
  g_checksum_update(sum, (const guchar *)path, (gssize)strlen(path) + 1);
  g_checksum_update(sum, (const guchar *)facts, sizeof facts);
}

/* SQLite counts its transactions in the header, so that two within one tick of the clock are two. The descriptor is
 * closed only when the file is another one: to close it ends the locks that NSS has on it in this process (fcntl(2)). */
static void
add_database(GChecksum *sum, const char *path)
{
  enum { COUNTER_AT = 24, COUNTER_OCTETS = 4 };
  static GMutex mutex;
  static int fd = -1;
  static struct stat of;
  struct stat about;
  guint8 counter[COUNTER_OCTETS] = { 0 };
  add_file(sum, path);
  g_mutex_lock(&mutex);
  gboolean there = stat(path, &about) == 0 && S_ISREG(about.st_mode);
  if (there && (fd < 0 || about.st_ino != of.st_ino || about.st_dev != of.st_dev)) {
    if (fd >= 0)
      close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &of) != 0)
      memset(&of, 0, sizeof of);
  }
  if (there && fd >= 0 && pread(fd, counter, sizeof counter, COUNTER_AT) < 0)
    memset(counter, 0, sizeof counter);
  g_mutex_unlock(&mutex);
  g_checksum_update(sum, counter, sizeof counter);
}

/* In whatever order the folder tells of its files. */
static void
add_folder(GChecksum *sum, const char *path)
{
  g_autoptr(GDir) dir = path ? g_dir_open(path, 0, NULL) : NULL;
  guint8 all[32] = { 0 };
  const char *name;
  for (guint i = 0; dir && i < CACHE_MAX && (name = g_dir_read_name(dir)); i++) {
    g_autoptr(GChecksum) one = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *file = g_build_filename(path, name, NULL);
    guint8 digest[32];
    gsize length = sizeof digest;
    add_file(one, file);
    g_checksum_get_digest(one, digest, &length);
    for (guint k = 0; k < sizeof all; k++)
      all[k] ^= digest[k];
  }
  g_checksum_update(sum, all, sizeof all);
}

/* NSS's roots are a library; where p11-kit stands in for it, that is found too. */
static int
add_library(struct dl_phdr_info *info, size_t size, void *data)
{
  const char *base = strrchr(info->dlpi_name, '/');
  (void)size;
  if (base && (strstr(base, "nssckbi") || strstr(base, "p11-kit-trust")))
    add_file(data, info->dlpi_name);
  return 0;
}

/* Files have changed: what is judged from now on is judged by them, not by what was remembered of them. */
static void
forget_old(const char *word)
{
  static GMutex mutex;
  static char *last;
  g_mutex_lock(&mutex);
  gboolean other = g_strcmp0(last, word) != 0;
  if (other) {
    g_free(last);
    last = g_strdup(word);
  }
  g_mutex_unlock(&mutex);
  if (other)
    crypto_chain_forget();
}

char *
crypto_standing(gboolean answers)
{
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  const char *folder = crypto_anchors_folder(), *version = NSS_GetVersion();
  g_autofree char *allowed = crypto_chain_allowed();
  g_checksum_update(sum, (const guchar *)version, (gssize)strlen(version) + 1);
  g_checksum_update(sum, (const guchar *)allowed, (gssize)strlen(allowed) + 1);
  if (folder) {
    g_autofree char *certs = g_build_filename(folder, "cert9.db", NULL);
    g_autofree char *modules = g_build_filename(folder, "pkcs11.txt", NULL);
    add_database(sum, certs);
    add_file(sum, modules);
  }
  add_folder(sum, answers ? crypto_revocation_cache() : NULL);
  dl_iterate_phdr(add_library, sum);
  forget_old(g_checksum_get_string(sum));
  return g_strdup(g_checksum_get_string(sum));
}
