#include "mail/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "mail/error.h"
#include "mail/roots-private.h"

enum {
  CONNECT_SECONDS = 5,
  ANSWER_SECONDS = 10,
  LIST_SECONDS = 60,
  REDIRECTS = 3,
};

/* The few functions that we take from libcurl, by the types of its own header. */
typedef struct {
  __typeof__(&curl_global_init) start;
  __typeof__(&curl_easy_init) open;
  __typeof__(&curl_easy_cleanup) close;
  __typeof__(&curl_easy_setopt) set;
  __typeof__(&curl_easy_perform) perform;
  __typeof__(&curl_easy_getinfo) get;
  __typeof__(&curl_easy_strerror) words;
  __typeof__(&curl_slist_append) append;
  __typeof__(&curl_slist_free_all) free_list;
} Curl;

typedef struct {
  const Curl *curl;
  GByteArray *body;
  gsize limit;
  gboolean public_only, refused, too_large;
  GCancellable *cancellable;
} Transfer;

static gpointer
load(gpointer unused)
{
  static Curl curl;
  static const char *const names[] = { "libcurl-gnutls.so.4", "libcurl.so.4" };
  void *library = NULL;
  for (guint i = 0; !library && i < G_N_ELEMENTS(names); i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return NULL;
  *(void **)&curl.start = dlsym(library, "curl_global_init");
  *(void **)&curl.open = dlsym(library, "curl_easy_init");
  *(void **)&curl.close = dlsym(library, "curl_easy_cleanup");
  *(void **)&curl.set = dlsym(library, "curl_easy_setopt");
  *(void **)&curl.perform = dlsym(library, "curl_easy_perform");
  *(void **)&curl.get = dlsym(library, "curl_easy_getinfo");
  *(void **)&curl.words = dlsym(library, "curl_easy_strerror");
  *(void **)&curl.append = dlsym(library, "curl_slist_append");
  *(void **)&curl.free_list = dlsym(library, "curl_slist_free_all");
  if (!curl.start || !curl.open || !curl.close || !curl.set || !curl.perform || !curl.get || !curl.words ||
      !curl.append || !curl.free_list || curl.start(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return NULL;
  return &curl;
}

static const Curl *
library(GError **error)
{
  static GOnce once = G_ONCE_INIT;
  const Curl *curl = g_once(&once, load, NULL);
  if (!curl)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "libcurl is not installed: install libcurl3-gnutls to ask the network.");
  return curl;
}

/* --- where a connection may lead */

static gboolean
is_public4(guint32 address)
{
  static const struct {
    guint32 net;
    guint bits;
  } ours[] = {
    { 0x00000000, 8 },  { 0x0a000000, 8 },  { 0x64400000, 10 }, { 0x7f000000, 8 }, { 0xa9fe0000, 16 },
    { 0xac100000, 12 }, { 0xc0000000, 24 }, { 0xc0a80000, 16 }, { 0xc6120000, 15 }, { 0xe0000000, 3 },
  };
  for (guint i = 0; i < G_N_ELEMENTS(ours); i++)
    if ((address ^ ours[i].net) >> (32 - ours[i].bits) == 0)
      return FALSE;
  return TRUE;
}

/* Global unicast is 2000::/3; an IPv4 address in IPv6's clothes (mapped, NAT64, 6to4) is judged as itself. */
static gboolean
is_public(const struct sockaddr *address)
{
  if (address->sa_family == AF_INET)
    return is_public4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
  if (address->sa_family != AF_INET6)
    return FALSE;
  static const guint8 nat64[12] = { 0, 0x64, 0xff, 0x9b };
  const guint8 *bytes = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
  const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
  guint32 inner;
  if (IN6_IS_ADDR_V4MAPPED(six) || memcmp(bytes, nat64, sizeof nat64) == 0) {
    memcpy(&inner, bytes + 12, sizeof inner);
    return is_public4(ntohl(inner));
  }
  if (bytes[0] == 0x20 && bytes[1] == 0x02) {
    memcpy(&inner, bytes + 2, sizeof inner);
    return is_public4(ntohl(inner));
  }
  return (bytes[0] & 0xe0) == 0x20;
}

static curl_socket_t
on_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
  Transfer *transfer = data;
  if (transfer->public_only && !is_public(&address->addr)) {
    transfer->refused = TRUE;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static gboolean
is_internal(const char *host, const char *hosts)
{
  g_auto(GStrv) words = g_strsplit_set(hosts ? hosts : "", " \t,", -1);
  for (char **word = words; *word; word++)
    if (**word && g_ascii_strcasecmp(*word, host) == 0)
      return TRUE;
  return FALSE;
}

/* --- one transfer */

static size_t
on_body(char *data, size_t size, size_t count, void *user_data)
{
  Transfer *transfer = user_data;
  if (size * count > transfer->limit - transfer->body->len) {
    transfer->too_large = TRUE;
    return 0;
  }
  g_byte_array_append(transfer->body, (const guint8 *)data, (guint)(size * count));
  return size * count;
}

static int
on_progress(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
  return g_cancellable_is_cancelled(((Transfer *)data)->cancellable);
}

static void
set_up(const Curl *curl, CURL *easy, const CryptoAsk *ask, const char *url, Transfer *transfer)
{
  curl->set(easy, CURLOPT_URL, url);
  curl->set(easy, CURLOPT_NOSIGNAL, 1L);
  curl->set(easy, CURLOPT_PROXY, ""); /* whatever the environment says: on_socket() would see the proxy's address alone */
#if LIBCURL_VERSION_NUM >= 0x075700
  curl->set(easy, CURLOPT_QUICK_EXIT, 1L); /* the end of the program does not wait for a name to be resolved */
#endif
  curl->set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl->set(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
  curl->set(easy, CURLOPT_TIMEOUT, (long)(ask->kind == CRYPTO_ASK_CRL ? LIST_SECONDS : ANSWER_SECONDS));
  /* A list that comes drop by drop is given up before its time is over. */
  curl->set(easy, CURLOPT_LOW_SPEED_LIMIT, 256L);
  curl->set(easy, CURLOPT_LOW_SPEED_TIME, (long)ANSWER_SECONDS);
  curl->set(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)ask->limit);
  curl->set(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl->set(easy, CURLOPT_WRITEDATA, transfer);
  curl->set(easy, CURLOPT_NOPROGRESS, 0L);
  curl->set(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl->set(easy, CURLOPT_XFERINFODATA, transfer);
  curl->set(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
  curl->set(easy, CURLOPT_OPENSOCKETDATA, transfer);
  curl->set(easy, CURLOPT_USERAGENT, "signet/" SIGNET_VERSION);
  if (ask->post) {
    curl->set(easy, CURLOPT_POSTFIELDSIZE, (long)g_bytes_get_size(ask->post));
    curl->set(easy, CURLOPT_POSTFIELDS, g_bytes_get_data(ask->post, NULL));
  }
}

static void
fail(GError **error, const Transfer *transfer, CURLcode code, long status)
{
  if (g_cancellable_is_cancelled(transfer->cancellable))
    g_set_error_literal(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
  else if (transfer->refused)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED,
                        "It leads into this machine or a private network, and nobody that is trusted named it. If it "
                        "is yours, add its host to internal-hosts in [policy].");
  else if (transfer->too_large || code == CURLE_FILESIZE_EXCEEDED)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The answer is larger than %" G_GSIZE_FORMAT " kB.",
                transfer->limit / 1024);
  else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
    g_set_error(error, ML_ERROR, ML_ERROR_UNTRUSTED,
                "The server's certificate does not prove that it is the one (%s). If you know its authority, trust it for "
                "servers: signet cert import --tls FILE.", transfer->curl->words(code));
  else if (code == CURLE_OPERATION_TIMEDOUT)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_OFFLINE, "No answer came in time.");
  else if (code != CURLE_OK)
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "It cannot be reached: %s.", transfer->curl->words(code));
  else
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "The server answered with HTTP status %ld.", status);
}

/* Of https the trust store's authorities for servers decide, not the system's list. */
static gboolean
trust_our_roots(const Curl *curl, CURL *easy, const char *url, MlRoots *roots, GError **error)
{
  if (g_ascii_strncasecmp(url, "https:", 6) != 0)
    return TRUE;
  if (!ml_roots_open(roots, error))
    return FALSE;
  curl->set(easy, CURLOPT_CAINFO, roots->path);
  curl->set(easy, CURLOPT_CAPATH, NULL);
  curl->set(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  return TRUE;
}

/* One request. @next: where the server sends us instead; transfer full. @inside: it was a private address. */
static GBytes *
request(const CryptoAsk *ask, const char *url, Transfer *transfer, char **next, gboolean *inside, GError **error)
{
  const Curl *curl = transfer->curl;
  CURL *easy = curl->open();
  struct curl_slist *headers =
      ask->post ? curl->append(NULL, "Content-Type: application/ocsp-request") : NULL;
  MlRoots roots = { -1, NULL };
  transfer->body = g_byte_array_new();
  set_up(curl, easy, ask, url, transfer);
  if (!trust_our_roots(curl, easy, url, &roots, error)) {
    curl->free_list(headers);
    curl->close(easy);
    g_clear_pointer(&transfer->body, g_byte_array_unref);
    return NULL;
  }
  curl->set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (headers)
    curl->set(easy, CURLOPT_HTTPHEADER, headers);
  CURLcode code = curl->perform(easy);
  long status = 0;
  const char *where = NULL, *ip = NULL;
  curl->get(easy, CURLINFO_RESPONSE_CODE, &status);
  curl->get(easy, CURLINFO_REDIRECT_URL, &where);
  curl->get(easy, CURLINFO_PRIMARY_IP, &ip);
  struct sockaddr_in four = { .sin_family = AF_INET };
  struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
  *inside = ip && ((inet_pton(AF_INET, ip, &four.sin_addr) == 1 && !is_public((struct sockaddr *)(void *)&four)) ||
                   (inet_pton(AF_INET6, ip, &six.sin6_addr) == 1 && !is_public((struct sockaddr *)(void *)&six)));
  g_autoptr(GBytes) body = g_byte_array_free_to_bytes(g_steal_pointer(&transfer->body));
  if (code == CURLE_OK && where)
    *next = g_strdup(where);
  else if (code != CURLE_OK || status != 200)
    fail(error, transfer, code, status);
  curl->free_list(headers);
  curl->close(easy);
  ml_roots_close(&roots);
  return !*next && code == CURLE_OK && status == 200 ? g_steal_pointer(&body) : NULL;
}

/* NULL: not an address to fetch. Transfer full. */
static char *
host_of(const char *url, GError **error)
{
  /* libcurl reads the address again: nothing that two readers could take differently. */
  g_autoptr(GUri) uri = strpbrk(url, "\\@ ") ? NULL : g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
  const char *scheme = uri ? g_uri_get_scheme(uri) : NULL;
  if (uri && (g_ascii_strcasecmp(scheme, "http") == 0 || g_ascii_strcasecmp(scheme, "https") == 0) &&
      g_uri_get_host(uri) && *g_uri_get_host(uri))
    return g_strdup(g_uri_get_host(uri));
  g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, "This is not an address of http or https that can be asked.");
  return NULL;
}

GBytes *
ml_fetch(const CryptoAsk *ask, const char *internal_hosts, GCancellable *cancellable, GError **error)
{
  const Curl *curl = library(error);
  g_autofree char *url = g_strdup(ask->url);
  gboolean inside = ask->vouched;
  for (guint hop = 0; curl && hop <= REDIRECTS; hop++) {
    g_autofree char *host = host_of(url, error);
    if (!host)
      return NULL;
    Transfer transfer = { .curl = curl, .limit = ask->limit, .cancellable = cancellable };
    transfer.public_only = !inside && !is_internal(host, internal_hosts);
    char *next = NULL;
    GBytes *bytes = request(ask, url, &transfer, &next, &inside, error);
    inside = inside && ask->vouched; /* of an address that anybody may have named no step vouches for the next */
    if (!next)
      return bytes;
    g_free(url);
    url = next;
  }
  if (curl)
    g_set_error_literal(error, ML_ERROR, ML_ERROR_FAILED, "The server sends us from one address to the next.");
  return NULL;
}

static GBytes *
ask_by_http(const CryptoAsk *ask, GCancellable *cancellable, gpointer data, GError **error)
{
  return ml_fetch(ask, data, cancellable, error);
}

CryptoAsker
ml_fetch_asker(const MlConfig *config, guint kinds, GCancellable *cancellable)
{
  return (CryptoAsker){ .func = ask_by_http, .data = config ? config->internal_hosts : NULL, .kinds = kinds,
                        .cancellable = cancellable };
}
