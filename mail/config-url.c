#include "mail/config-private.h"

#include <string.h>

static gboolean
refuse(GError **error, const char *url, const char *service, const char *why)
{
  const char *user = strcmp(service, "ldap") == 0 ? "" : "user@";
  g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "%s: %s; write it as %ss://%shost or %s://%shost", url, why, service,
              user, service, user);
  return FALSE;
}

/* %41 becomes A. FALSE: a broken escape, or one that hides a control character. */
static gboolean
percent_decode(const char *text, char **decoded)
{
  g_autoptr(GString) out = g_string_new(NULL);
  for (const char *p = text; *p; p++) {
    int byte = (guchar)*p;
    if (byte == '%') {
      int high = g_ascii_xdigit_value(p[1]);
      int low = high < 0 ? -1 : g_ascii_xdigit_value(p[2]);
      if (low < 0)
        return FALSE;
      byte = high * 16 + low;
      p += 2;
    }
    if (byte < 0x20 || byte == 0x7f)
      return FALSE;
    g_string_append_c(out, (char)byte);
  }
  if (!g_utf8_validate(out->str, (gssize)out->len, NULL))
    return FALSE;
  *decoded = g_string_free(g_steal_pointer(&out), FALSE);
  return TRUE;
}

/* A name of the DNS (an international one becomes its A-labels), or an address. */
static char *
host_name(const char *text)
{
  if (!*text || strlen(text) > 253)
    return NULL;
  if (!g_str_is_ascii(text))
    return g_hostname_to_ascii(text);
  for (const char *p = text; *p; p++)
    if (!g_ascii_isalnum(*p) && !strchr("-._:", *p))
      return NULL;
  return g_ascii_strdown(text, -1);
}

/* Cuts "host:port" or "[v6]:port" at the colon; *port is "" where none is given. */
static gboolean
split_port(char *authority, char **host, char **port)
{
  *host = authority;
  *port = authority + strlen(authority);
  char *colon;
  if (*authority == '[') {
    char *end = strchr(authority, ']');
    if (!end || (end[1] != '\0' && end[1] != ':'))
      return FALSE;
    *host = authority + 1;
    colon = end[1] == ':' ? end + 1 : NULL;
    *end = '\0';
  } else {
    colon = strchr(authority, ':');
  }
  if (colon) {
    *colon = '\0';
    *port = colon + 1;
    return **port != '\0';
  }
  return TRUE;
}

gboolean
ml_config_server(const char *url, const char *service, MlServer *server, GError **error)
{
  const char *rest = strstr(url, "://");
  if (!rest)
    return refuse(error, url, service, "this is no address of a server");
  g_autofree char *scheme = g_ascii_strdown(url, rest - url);
  g_autofree char *secure = g_strconcat(service, "s", NULL);
  gboolean implicit = strcmp(scheme, secure) == 0;
  if (!implicit && strcmp(scheme, service) != 0)
    return refuse(error, url, service, "the part before :// does not fit");

  g_autofree char *authority = g_strdup(rest + 3);
  gsize length = strlen(authority);
  if (length && authority[length - 1] == '/')
    authority[length - 1] = '\0';
  if (strpbrk(authority, "/?# \t"))
    return refuse(error, url, service, "nothing may follow the host and the port");
  char *at = strrchr(authority, '@');
  g_autofree char *user = NULL;
  if (at) {
    *at = '\0';
    if (strchr(authority, ':')) {
      g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                  "passwords do not belong in signet.conf: use password-command = ... or let signet ask once "
                  "and keep it in the keyring");
      return FALSE;
    }
    if (!percent_decode(authority, &user) || !*user)
      return refuse(error, url, service, "the user's name is not readable (write @ in it as %40, % as %25)");
  }
  char *host_text, *port_text;
  if (!split_port(at ? at + 1 : authority, &host_text, &port_text))
    return refuse(error, url, service, "the port is not readable");
  g_autofree char *host = host_name(host_text);
  if (!host)
    return refuse(error, url, service, "the host's name is not readable");
  static const struct {
    const char *service;
    guint16 implicit, plain;
  } ports[] = { { "imap", 993, 143 }, { "smtp", 465, 587 }, { "ldap", 636, 389 } };
  guint64 port = 0;
  for (guint i = 0; i < G_N_ELEMENTS(ports); i++)
    if (strcmp(service, ports[i].service) == 0)
      port = implicit ? ports[i].implicit : ports[i].plain;
  if (*port_text && !g_ascii_string_to_unsigned(port_text, 10, 1, 65535, &port, NULL))
    return refuse(error, url, service, "the port is not a number from 1 to 65535");

  g_free(server->host);
  g_free(server->user);
  server->host = g_steal_pointer(&host);
  server->user = g_steal_pointer(&user);
  server->port = (guint16)port;
  server->tls = implicit ? ML_TLS_IMPLICIT : ML_TLS_STARTTLS;
  return TRUE;
}
