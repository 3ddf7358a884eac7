#include "mail/config-private.h"

#include <string.h>

gboolean
ml_config_is_secret(const char *name)
{
  static const char *const secrets[] = { "password", "pass", "passwd", "secret", "pin", "token", NULL };
  for (guint i = 0; secrets[i]; i++) {
    if (g_ascii_strcasecmp(name, secrets[i]) == 0)
      return TRUE;
    /* imap-password, smtp_pass */
    size_t length = strlen(name), tail = strlen(secrets[i]);
    if (length > tail + 1 && (name[length - tail - 1] == '-' || name[length - tail - 1] == '_') &&
        g_ascii_strcasecmp(name + length - tail, secrets[i]) == 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
ml_config_valid_name(const char *name)
{
  if (!*name || strlen(name) > ML_CONFIG_NAME || !g_utf8_validate(name, -1, NULL) || *name == '.' || *name == '-')
    return FALSE;
  for (const char *p = name; *p; p++)
    if ((guchar)*p < 0x80 && !g_ascii_isalnum(*p) && !strchr("._-@+", *p))
      return FALSE;
  return TRUE;
}

void
ml_config_add_list(char ***field, const char *value)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (char **p = *field; *p; p++)
    g_ptr_array_add(all, *p);
  g_auto(GStrv) more = g_strsplit(value, ",", 256);
  for (char **p = more; *p; p++)
    if (*g_strstrip(*p))
      g_ptr_array_add(all, g_strdup(*p));
  g_ptr_array_add(all, NULL);
  g_free(*field);
  *field = (char **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
}

/* ~ is the home; what is relative is so to the configuration's folder. */
char *
ml_config_path(const char *config_file, const char *value)
{
  if (strcmp(value, "~") == 0)
    return g_strdup(g_get_home_dir());
  if (g_str_has_prefix(value, "~/"))
    return g_build_filename(g_get_home_dir(), value + 2, NULL);
  g_autofree char *folder = g_path_get_dirname(config_file);
  return g_canonicalize_filename(value, folder);
}
