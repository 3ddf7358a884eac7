#include "mail/config-edit.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "[account NAME]", or "[searches]" where @account is NULL, as mail/config.c reads it. */
static gboolean
is_section(const char *line, const char *account)
{
  g_autofree char *copy = g_strstrip(g_strdup(line));
  char *end = strchr(copy, ']');
  if (*copy != '[' || !end)
    return FALSE;
  *end = '\0';
  const char *name = g_strstrip(copy + 1);
  if (!account)
    return strcmp(name, "searches") == 0;
  if (!g_str_has_prefix(name, "account") || !g_ascii_isspace(name[7]))
    return FALSE;
  return !strcmp(name + 8 + strspn(name + 8, " \t"), account);
}

static gboolean
is_key(const char *line, const char *key)
{
  const char *start = line + strspn(line, " \t");
  gsize length = strlen(key);
  if (strncmp(start, key, length) != 0)
    return FALSE;
  start += length + strspn(start + length, " \t");
  return *start == '=' || *start == ':';
}

static gboolean
is_blank(const char *line)
{
  return line[strspn(line, " \t\r")] == '\0';
}

/* What inih takes for one: from the blanks before the first ';' after a blank. "": none. Borrowed. */
static const char *
comment_of(const char *line)
{
  const char *value = line + strcspn(line, "=:") + 1;
  for (const char *p = value; *p; p++)
    if (*p == ';' && g_ascii_isspace(p[-1])) {
      while (p > value && g_ascii_isspace(p[-1]))
        p--;
      return p;
    }
  return "";
}

/* NULL: there is no such section. */
static char *
edited(const char *text, const char *account, const char *key, const char *value)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_autofree char *line = g_strdup_printf("%s = %s", key, value);
  gssize after = -1, found = -1;
  gboolean inside = FALSE, seen = FALSE;
  for (guint i = 0; lines[i]; i++) {
    if (lines[i][strspn(lines[i], " \t")] == '[') {
      inside = !seen && is_section(lines[i], account);
      seen |= inside;
    }
    if (inside && !is_blank(lines[i]))
      after = (gssize)i;
    if (inside && is_key(lines[i], key))
      found = (gssize)i;
  }
  if (!seen)
    return NULL;
  g_autoptr(GString) out = g_string_new(NULL);
  for (gssize i = 0; lines[i]; i++) {
    g_string_append(out, i == found ? line : lines[i]);
    if (i == found)
      g_string_append(out, comment_of(lines[i]));
    if (found < 0 && i == after)
      g_string_append_printf(out, "\n%s", line);
    if (lines[i + 1])
      g_string_append_c(out, '\n');
  }
  if (out->len && out->str[out->len - 1] != '\n')
    g_string_append_c(out, '\n');
  return g_string_free(g_steal_pointer(&out), FALSE);
}

static gboolean
can_be_read(const char *place, const char *text, int mode, GError **error)
{
  g_autofree char *trial = g_strdup_printf("%s.new-%d", place, (int)getpid());
  g_autoptr(GError) problem = NULL;
  g_autoptr(MlConfig) config = NULL;
  if (g_file_set_contents_full(trial, text, -1, G_FILE_SET_CONTENTS_NONE, mode, &problem))
    config = ml_config_load(trial, &problem);
  unlink(trial);
  if (config)
    return TRUE;
  g_auto(GStrv) pieces = g_strsplit(problem->message, trial, -1); /* it is gone: the line is the same in the real one */
  g_autofree char *words = g_strjoinv(place, pieces);
  g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "%s stays as it is: with the change, %s", place, words);
  return FALSE;
}

static gboolean
edit(const char *file, const char *account, const char *key, const char *value, GError **error)
{
  g_autofree char *text = NULL, *place = g_malloc0(PATH_MAX);
  g_autoptr(GError) problem = NULL;
  struct stat about;
  if (strpbrk(value, "\r\n") || strpbrk(key, "\r\n") || !realpath(file, place) || stat(place, &about) != 0 ||
      !g_file_get_contents(place, &text, NULL, &problem)) {
    g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s cannot be read.", file);
    return FALSE;
  }
  g_autofree char *new = edited(text, account, key, value);
  if (!new && !account)
    new = g_strdup_printf("%s%s%s[searches]\n%s = %s\n", text, *text && !g_str_has_suffix(text, "\n") ? "\n" : "",
                          *text ? "\n" : "", key, value);
  if (!new) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "%s has no section [account %s].", file, account);
    return FALSE;
  }
  int mode = (int)(about.st_mode & 07777);
  if (!can_be_read(place, new, mode, error))
    return FALSE;
  if (g_file_set_contents_full(place, new, -1, G_FILE_SET_CONTENTS_CONSISTENT, mode, &problem) &&
      chmod(place, (mode_t)mode) == 0)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_STORE, "%s cannot be written: %s", file,
              problem ? problem->message : g_strerror(errno));
  return FALSE;
}

gboolean
ml_config_edit(const char *file, const char *account, const char *key, const char *value, GError **error)
{
  return edit(file, account, key, value, error);
}

gboolean
ml_config_save_search(const char *file, const char *name, const char *text, GError **error)
{
  return edit(file, NULL, name, text, error);
}
