#include <string.h>

#include "mail/address-private.h"
#include "mail/config-private.h"

enum { TIMEOUT = 10, LONGEST = 120, FILTER_MAX = 1000, DEPTH_MAX = 20 };

MlDirectory *
ml_config_directory_new(const char *name)
{
  MlDirectory *directory = g_new0(MlDirectory, 1);
  directory->name = g_strdup(name);
  directory->filter = g_strdup("(mail=%s)");
  directory->tls = g_strdup("required");
  directory->ask = g_strdup("auto");
  directory->domains = g_new0(char *, 1);
  directory->complete = TRUE;
  directory->timeout = TIMEOUT;
  return directory;
}

void
ml_config_directory_free(MlDirectory *directory)
{
  if (!directory)
    return;
  g_strfreev(directory->domains);
  char *strings[] = { directory->name,   directory->server.host, directory->server.user, directory->tls,
                      directory->base,   directory->filter,      directory->bind,        directory->password_command,
                      directory->ask };
  for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
    g_free(strings[i]);
  g_free(directory);
}

static gboolean G_GNUC_PRINTF(2, 3) wrong(GError **error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *words = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error_literal(error, ML_ERROR, ML_ERROR_CONFIG, words);
  return FALSE;
}

/* Brackets that pair, and a place for the address: the rest is for the server to judge. */
static gboolean
is_filter(const char *text)
{
  int depth = 0;
  if (*text != '(' || strlen(text) > FILTER_MAX || !strstr(text, "%s"))
    return FALSE;
  for (const char *p = text; *p; p++) {
    depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
    if (depth < 0 || depth > DEPTH_MAX || (depth == 0 && p[1]))
      return FALSE;
  }
  return depth == 0;
}

static gboolean
check_transport(const MlDirectory *directory, GError **error)
{
  gboolean plain = strcmp(directory->tls, "none") == 0;
  const char *host = directory->server.host;
  gboolean here = strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
                  (g_str_has_prefix(host, "127.") && g_hostname_is_ip_address(host));
  if (plain && directory->server.tls == ML_TLS_IMPLICIT)
    return wrong(error, "has tls = none and ldaps://: keep one");
  if (plain && directory->bind && !here)
    return wrong(error, "would send the password of %s in clear: take tls = none away, or bind", directory->bind);
  return TRUE;
}

gboolean
ml_config_directory_whole(MlDirectory *directory, GError **error)
{
  if (!directory->server.host)
    return wrong(error, "does not say where it is: url = ldaps://host");
  if (directory->server.user)
    return wrong(error, "has a user's name in its url: a name to log in with is given by bind = DN");
  if (!directory->base)
    return wrong(error, "does not say what to search: base = ou=people,dc=example,dc=org");
  if (!directory->domains[0])
    return wrong(error, "does not say whose addresses it may be asked about: domains = example.org, or domains = * for "
                        "everybody's");
  if (!is_filter(directory->filter))
    return wrong(error, "has a filter that cannot be read: write it in brackets, with %%s for the address, as in "
                        "(|(mail=%%s)(mailAlternateAddress=%%s))");
  if (directory->timeout < 1 || directory->timeout > LONGEST)
    return wrong(error, "has a timeout that is not from 1 to %d seconds", LONGEST);
  if (!check_transport(directory, error))
    return FALSE;
  for (char **domain = directory->domains; *domain; domain++) {
    char *folded = ml_address_domain(*domain);
    if (!folded)
      return wrong(error, "names \"%s\" in domains, which is no domain: write example.org, or .example.org for those "
                          "below it too", *domain);
    g_free(*domain);
    *domain = folded;
  }
  return TRUE;
}
