#include "mail/draft-private.h"

#include <dlfcn.h>
#include <magic.h>
#include <string.h>

/* libmagic is loaded when the first attachment is typed: its database would slow every start down. */
typedef struct {
  magic_t (*open)(int flags);
  void (*close)(magic_t cookie);
  int (*load)(magic_t cookie, const char *file);
  int (*setparam)(magic_t cookie, int param, const void *value);
  const char *(*buffer)(magic_t cookie, const void *data, size_t length);
} Magic;

static const Magic *
magic(void)
{
  static gsize once = 0;
  static Magic loaded;
  if (g_once_init_enter(&once)) {
    void *library = dlopen("libmagic.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library) {
      *(void **)&loaded.open = dlsym(library, "magic_open");
      *(void **)&loaded.close = dlsym(library, "magic_close");
      *(void **)&loaded.load = dlsym(library, "magic_load");
      *(void **)&loaded.setparam = dlsym(library, "magic_setparam");
      *(void **)&loaded.buffer = dlsym(library, "magic_buffer");
    }
    g_once_init_leave(&once, 1);
  }
  return loaded.open && loaded.close && loaded.load && loaded.setparam && loaded.buffer ? &loaded : NULL;
}

/* "text/plain; charset=utf-8", or NULL. */
static char *
by_magic(GBytes *content)
{
  const Magic *library = magic();
  magic_t cookie = library ? library->open(MAGIC_MIME | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR) : NULL;
  if (!cookie)
    return NULL;
  gsize length = 0;
  const void *data = g_bytes_get_data(content, &length);
  char *type = NULL;
  if (library->load(cookie, NULL) == 0)
    type = g_strdup(library->buffer(cookie, length ? data : "", MIN(length, (gsize)1024 * 1024)));
  library->close(cookie);
  return type;
}

/* What the octets do not tell: kinds of text, and of zip archives. @base: what they must look like. */
static const struct {
  const char *ending, *base, *type;
} endings[] = {
  { ".csv", "text/", "text/csv" },
  { ".ics", "text/", "text/calendar" },
  { ".vcf", "text/", "text/vcard" },
  { ".htm", "text/", "text/html" },
  { ".html", "text/", "text/html" },
  { ".css", "text/", "text/css" },
  { ".md", "text/", "text/markdown" },
  { ".diff", "text/", "text/x-diff" },
  { ".patch", "text/", "text/x-diff" },
  { ".txt", "text/", "text/plain" },
  { ".log", "text/", "text/plain" },
  { ".c", "text/", "text/x-csrc" },
  { ".h", "text/", "text/x-chdr" },
  { ".py", "text/", "text/x-python" },
  { ".sh", "text/", "text/x-shellscript" },
  { ".eml", "text/", "message/rfc822" },
  { ".eml", "message/", "message/rfc822" },
  { ".docx", "application/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
  { ".xlsx", "application/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
  { ".pptx", "application/", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
  { ".odt", "application/", "application/vnd.oasis.opendocument.text" },
  { ".ods", "application/", "application/vnd.oasis.opendocument.spreadsheet" },
  { ".crl", "application/octet-stream", "application/pkix-crl" },
  { ".p12", "application/octet-stream", "application/x-pkcs12" },
};

static const char *
by_ending(const char *name, const char *found)
{
  g_autofree char *lower = name ? g_ascii_strdown(name, -1) : NULL;
  for (gsize i = 0; lower && i < G_N_ELEMENTS(endings); i++)
    if (g_str_has_suffix(lower, endings[i].ending) && g_str_has_prefix(found, endings[i].base))
      return endings[i].type;
  return NULL;
}

static char *
type_of(GBytes *content, const char *name)
{
  g_autofree char *found = by_magic(content);
  if (!found || !strchr(found, '/') || g_str_has_prefix(found, "inode/")) {
    g_free(found);
    found = g_strdup("application/octet-stream");
  }
  g_auto(GStrv) parts = g_strsplit(found, "; charset=", 2);
  const char *better = by_ending(name, parts[0]);
  const char *type = better ? better : parts[0];
  gboolean charset = parts[1] && g_str_has_prefix(type, "text/") && strcmp(parts[1], "binary") != 0 &&
                     strcmp(parts[1], "unknown-8bit") != 0;
  return charset ? g_strdup_printf("%s; charset=%s", type, parts[1]) : g_strdup(type);
}

MlAttachment *
ml_attachment_new(GBytes *content, const char *name, const char *type)
{
  MlAttachment *attachment = g_new0(MlAttachment, 1);
  attachment->content = g_bytes_ref(content);
  attachment->name = ml_draft_one_line(name);
  attachment->type = type ? g_strdup(type) : type_of(content, name);
  return attachment;
}
