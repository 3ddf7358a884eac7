#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "crypto/certdb.h"
#include "mail/imap-private.h"

/* An account on an IMAP server. The session is one connection; what outlives it is which folder is open and what was
 * told of it, so that after a broken line the difference can be told instead of everything. */
enum {
  CONNECT_SECONDS = 20,
  IDLE_MS = 28 * 60 * 1000,
  NOOP_MS = 60 * 1000,
  UIDS_A_COMMAND = 200,
  CHUNK_FIRST = 128 * 1024, /* octets of a message: small, so that progress shows soon */
  CHUNK_LAST = 2 * 1024 * 1024,
  FOLDERS_MAX = 20000,
};

#define HEADER_ITEMS \
  "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES " \
  "IN-REPLY-TO CONTENT-TYPE)])"

typedef struct {
  MlDriver base;
  MlImapSession *session; /* NULL: not connected */
  CryptoTls *tls;         /* the session's; written under the driver's lock, for the interrupt */
  guint connections;      /* how many there were */
  char *folder;           /* that the caller opened; survives the session */
  guint32 uidvalidity;
  gboolean listed;        /* its headers were told */
  GArray *known;          /* of MlImapSlot: what was told before the session broke; NULL: nothing to compare */
  gboolean idle_refused;
} Imap;

/* ---- the connection */

static void
imap_interrupt(MlDriver *driver)
{
  Imap *imap = (Imap *)driver;
  if (imap->tls)
    crypto_tls_interrupt(imap->tls);
}

static gboolean
imap_connected(MlDriver *driver)
{
  Imap *imap = (Imap *)driver;
  return imap->session && !imap->session->stream->error;
}

/* What was told of the folder is kept for the comparison; what waits to be compared already stays. */
static void
remember(Imap *imap)
{
  if (imap->known || !imap->session || !imap->session->folder || !imap->listed || !imap->session->slots->len ||
      g_strcmp0(imap->session->folder, imap->folder) != 0)
    return;
  imap->known = g_array_copy(imap->session->slots);
}

static void
imap_disconnect(MlDriver *driver)
{
  Imap *imap = (Imap *)driver;
  if (!imap->session)
    return;
  remember(imap);
  g_mutex_lock(&driver->lock);
  imap->tls = NULL;
  g_mutex_unlock(&driver->lock);
  g_clear_pointer(&imap->session, ml_imap_session_free);
}

/* For TLS client authentication: a fingerprint, or the first own certificate that speaks for the account. */
static CryptoCert *
client_cert(const MlAccount *account, GError **error)
{
  if (strcmp(account->tls_cert, "auto") != 0) {
    g_autoptr(CryptoCertEntry) entry = crypto_certdb_find(account->tls_cert, error);
    return entry ? crypto_cert_ref(entry->cert) : NULL;
  }
  g_autoptr(GPtrArray) entries = crypto_certdb_list(FALSE, error);
  CryptoCert *best = NULL;
  for (guint i = 0; entries && i < entries->len; i++) {
    CryptoCertEntry *entry = g_ptr_array_index(entries, i);
    if (!(entry->flags & CRYPTO_CERT_OWN))
      continue;
    if (!best)
      best = entry->cert;
    g_autofree char *address = account->address ? g_ascii_strdown(account->address, -1) : NULL;
    if (address && g_strv_contains(crypto_cert_addresses(entry->cert), address)) {
      best = entry->cert;
      break;
    }
  }
  if (entries && !best)
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG,
                "tls-cert = auto, but the certificate database has no certificate with a key of yours.");
  return best ? crypto_cert_ref(best) : NULL;
}

static GSocketConnection *
dial(MlDriver *driver, const MlServer *server, GError **error)
{
  g_autoptr(GError) why = NULL;
  GSocketClient *client = g_socket_client_new();
  g_socket_client_set_enable_proxy(client, FALSE);
  g_socket_client_set_timeout(client, CONNECT_SECONDS);
  g_autoptr(GSocketConnectable) address = g_network_address_new(server->host, server->port);
  GSocketConnection *connection = g_socket_client_connect(client, address, ml_driver_cancellable(driver), &why);
  g_object_unref(client);
  if (!connection)
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "%s cannot be reached on port %u: %s", server->host, server->port,
                why->message);
  return connection;
}

/* A peer that went without a word (a suspended laptop, a router that forgot) is noticed within two minutes. */
static void
keep_alive(int fd)
{
  const struct {
    int level, option, value;
  } settings[] = { { SOL_SOCKET, SO_KEEPALIVE, 1 },
                   { IPPROTO_TCP, TCP_KEEPIDLE, 60 },
                   { IPPROTO_TCP, TCP_KEEPINTVL, 15 },
                   { IPPROTO_TCP, TCP_KEEPCNT, 4 },
                   { IPPROTO_TCP, TCP_NODELAY, 1 } };
  for (guint i = 0; i < G_N_ELEMENTS(settings); i++)
    if (setsockopt(fd, settings[i].level, settings[i].option, &settings[i].value, sizeof settings[i].value) < 0)
      g_debug("a socket option was refused");
}

static gboolean
open_session(Imap *imap, GError **error)
{
  MlDriver *driver = &imap->base;
  const MlServer *server = &driver->account->imap;
  g_autoptr(GError) why = NULL;
  g_autoptr(CryptoCert) cert = driver->account->tls_cert ? client_cert(driver->account, &why) : NULL;
  if (why) {
    g_set_error(error, ML_ERROR, ML_ERROR_CONFIG, "tls-cert of [account %s]: %s", driver->account->name, why->message);
    return FALSE;
  }
  g_autoptr(GSocketConnection) connection = dial(driver, server, error);
  if (!connection)
    return FALSE;
  int fd = dup(g_socket_get_fd(g_socket_connection_get_socket(connection)));
  if (fd < 0) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "This program has too many open files.");
    return FALSE;
  }
  keep_alive(fd);
  CryptoTlsOptions options = { .host = server->host,
                               .port = server->port,
                               .client_cert = cert,
                               .exception = driver->hooks->exception,
                               .user_data = driver->hooks->user_data };
  CryptoTls *tls = crypto_tls_new(fd, &options);
  imap->session = ml_imap_session_new(tls, server->host);
  imap->connections++;
  imap->idle_refused = FALSE;
  g_mutex_lock(&driver->lock);
  imap->tls = tls;
  if (ml_driver_interrupted(driver))
    crypto_tls_interrupt(tls);
  g_mutex_unlock(&driver->lock);
  return TRUE;
}

static void
tell(MlStepFunc step, gpointer user_data, const char *name, const char *words)
{
  if (step)
    step(name, TRUE, words, user_data);
}

static gboolean
secure(Imap *imap, GError **error)
{
  MlImapSession *session = imap->session;
  GError *why = NULL;
  if (imap->base.account->imap.tls == ML_TLS_IMPLICIT) {
    if (crypto_tls_start(session->stream->tls, &why))
      return ml_imap_session_greet(session, error);
    ml_imap_stream_fail(session->stream);
    ml_imap_stream_error(why, error);
    return FALSE;
  }
  if (!ml_imap_session_greet(session, error))
    return FALSE;
  if (session->preauth) {
    /* A stranger on the line could say so to keep us from encrypting. */
    g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL,
                "%s says that it knows us before anything is encrypted, which rules out STARTTLS. Nothing was sent; use imaps:// in signet.conf.",
                session->host);
    return FALSE;
  }
  return ml_imap_session_capability(session, error) && ml_imap_session_starttls(session, error);
}

static gboolean
log_in(Imap *imap, MlStepFunc step, gpointer user_data, const char **at, GError **error)
{
  MlImapSession *session = imap->session;
  MlDriver *driver = &imap->base;
  *at = "capabilities";
  if (!ml_imap_session_capability(session, error))
    return FALSE;
  g_ptr_array_add(session->auths, NULL);
  g_autofree char *auths = g_strjoinv(", ", (char **)session->auths->pdata);
  g_ptr_array_remove_index(session->auths, session->auths->len - 1);
  g_autofree char *words = g_strdup_printf("login by %s%s%s", *auths ? auths : "the LOGIN command",
                                           session->caps & ML_IMAP_IDLE ? "; tells of new mail (IDLE)" : "",
                                           session->caps & ML_IMAP_MOVE ? "; moves (MOVE)" : "");
  tell(step, user_data, *at, words);
  *at = "login";
  g_autofree char *mechanism = NULL;
  if (session->preauth)
    mechanism = g_strdup("the TLS certificate");
  else if (!ml_imap_login(session, driver->account, driver->hooks, ml_driver_cancellable(driver), &mechanism, error))
    return FALSE;
  /* What it offers to a stranger is not what it offers to us. */
  if (!ml_imap_session_capability(session, error))
    return FALSE;
  const char *user = driver->account->imap.user;
  g_autofree char *who = user ? g_strdup_printf("%s by %s", user, mechanism) : g_strdup(mechanism);
  tell(step, user_data, *at, who);
  return TRUE;
}

static gboolean
imap_connect(MlDriver *driver, MlStepFunc step, gpointer user_data, GError **error)
{
  Imap *imap = (Imap *)driver;
  const MlServer *server = &driver->account->imap;
  imap_disconnect(driver);
  g_autoptr(GError) why = NULL;
  const char *at = "connect";
  gboolean ok = open_session(imap, &why);
  if (ok) {
    g_autofree char *where = g_strdup_printf("%s, port %u", server->host, server->port);
    tell(step, user_data, at, where);
    at = "TLS";
    ok = secure(imap, &why);
  }
  if (ok) {
    tell(step, user_data, at, crypto_tls_protocol(imap->session->stream->tls));
    ok = log_in(imap, step, user_data, &at, &why);
  }
  if (ok)
    return TRUE;
  if (step)
    step(at, FALSE, why->message, user_data);
  imap_disconnect(driver);
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

/* ---- folders */

typedef struct {
  GPtrArray *folders; /* of MlFolder */
  GPtrArray *raw;     /* char *: the name as the server wrote it, to go with STATUS */
} Listing;

static void
on_list(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  Listing *listing = user_data;
  guint64 number;
  if (response->kind == ML_RESPONSE_LIST && listing->folders->len < FOLDERS_MAX) {
    MlFolder *folder = ml_imap_folder(response->data);
    const MlNode *delimiter = folder ? response->data->next : NULL;
    if (!folder)
      return;
    if (delimiter->kind == ML_NODE_STRING && delimiter->length == 1)
      session->delimiter = delimiter->text[0];
    g_ptr_array_add(listing->folders, folder);
    g_ptr_array_add(listing->raw, ml_node_dup(delimiter->next));
  } else if (response->kind == ML_RESPONSE_STATUS && response->data) {
    g_autofree char *name = ml_node_dup(response->data);
    for (guint i = 0; i < listing->raw->len; i++) {
      if (strcmp(g_ptr_array_index(listing->raw, i), name) != 0)
        continue;
      MlFolder *folder = g_ptr_array_index(listing->folders, i);
      if (ml_node_number(ml_imap_item(response->data->next, "MESSAGES"), G_MAXINT, &number))
        folder->total = (int)number;
      if (ml_node_number(ml_imap_item(response->data->next, "UNSEEN"), G_MAXINT, &number))
        folder->unseen = (int)number;
      break;
    }
  }
}

/* One STATUS for each folder: for servers that cannot answer it with LIST. */
static gboolean
count(Imap *imap, Listing *listing, GError **error)
{
  for (guint i = 0; i < listing->folders->len; i++) {
    MlFolder *folder = g_ptr_array_index(listing->folders, i);
    g_autofree char *quoted = ml_imap_quote(g_ptr_array_index(listing->raw, i));
    g_autoptr(GError) why = NULL;
    if (!folder->selectable || folder->total >= 0 || strpbrk(quoted, "\r\n"))
      continue;
    if (ml_imap_session_command(imap->session, on_list, listing, &why, "STATUS %s (MESSAGES UNSEEN)", quoted))
      continue;
    if (ml_imap_session_is_broken(why)) {
      g_propagate_error(error, g_steal_pointer(&why));
      return FALSE;
    }
  }
  return TRUE;
}

static GPtrArray *
imap_folders(MlDriver *driver, gboolean counts, GError **error)
{
  Imap *imap = (Imap *)driver;
  MlImapSession *session = imap->session;
  g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func((GDestroyNotify)ml_folder_free);
  g_autoptr(GPtrArray) raw = g_ptr_array_new_with_free_func(g_free);
  Listing listing = { folders, raw };
  gboolean with_status = counts && (session->caps & ML_IMAP_LIST_STATUS);
  gboolean special = (session->caps & ML_IMAP_SPECIAL_USE) && (session->caps & ML_IMAP_LIST_EXTENDED);
  const char *ask = with_status && special ? " RETURN (SPECIAL-USE STATUS (MESSAGES UNSEEN))"
                    : with_status          ? " RETURN (STATUS (MESSAGES UNSEEN))"
                    : special              ? " RETURN (SPECIAL-USE)"
                                           : "";
  if (!ml_imap_session_command(session, on_list, &listing, error, "LIST \"\" \"*\"%s", ask) ||
      (counts && !count(imap, &listing, error)))
    return NULL;
  /* Servers without special uses still have a Sent. */
  gboolean any = FALSE;
  for (guint i = 0; i < folders->len; i++)
    any |= ((MlFolder *)g_ptr_array_index(folders, i))->role > ML_ROLE_INBOX;
  for (guint i = 0; i < folders->len; i++) {
    MlFolder *folder = g_ptr_array_index(folders, i);
    if (!folder->role && !any)
      folder->role = ml_folder_guess_role(driver->account, folder->name);
  }
  return g_steal_pointer(&folders);
}

/* ---- the open folder */

static gboolean
imap_select(MlDriver *driver, const char *folder, MlSelected *selected, GError **error)
{
  Imap *imap = (Imap *)driver;
  if (g_strcmp0(folder, imap->folder) == 0) {
    remember(imap);
  } else {
    g_clear_pointer(&imap->known, g_array_unref);
    imap->listed = FALSE;
  }
  if (!ml_imap_session_select(imap->session, folder, error))
    return FALSE;
  if (imap->session->uidvalidity != imap->uidvalidity) {
    g_clear_pointer(&imap->known, g_array_unref);
    imap->listed = FALSE;
  }
  g_autofree char *name = g_strdup(folder);
  g_free(imap->folder);
  imap->folder = g_steal_pointer(&name);
  imap->uidvalidity = imap->session->uidvalidity;
  selected->uidvalidity = imap->uidvalidity;
  selected->total = imap->session->slots->len;
  selected->read_only = imap->session->read_only;
  return TRUE;
}

/* After a new connection the caller's folder is opened again, if it is still the same one. */
static gboolean
need_folder(Imap *imap, GError **error)
{
  if (!imap->folder) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "No folder is open.");
    return FALSE;
  }
  if (imap->session->folder)
    return TRUE;
  guint32 before = imap->uidvalidity;
  if (!ml_imap_session_select(imap->session, imap->folder, error))
    return FALSE;
  if (imap->session->uidvalidity == before)
    return TRUE;
  g_clear_pointer(&imap->session->folder, g_free);
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "The folder %s was replaced by another one on the server: open it again.",
              imap->folder);
  return FALSE;
}

typedef struct {
  GPtrArray *headers;
  guint32 above;
  guint32 highest; /* sequence number of the chunk's newest; 0: any */
  guint32 lowest;
} Headers;

static void
on_header(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Headers *chunk = user_data;
  if (response->kind != ML_RESPONSE_FETCH || !ml_imap_body(response->data))
    return; /* flags that somebody changed just now */
  if (chunk->highest && (response->number > chunk->highest || response->number < chunk->lowest))
    return;
  MlHeader *header = ml_imap_header(response->data);
  if (header && header->uid > chunk->above)
    g_ptr_array_add(chunk->headers, header);
  else
    ml_header_free(header);
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  guint32 one = (*(MlHeader *const *)a)->uid, other = (*(MlHeader *const *)b)->uid;
  return one < other ? 1 : one > other ? -1 : 0;
}

/* A server that answers twice must not fill the index with twins. */
static void
sort_headers(GPtrArray *headers)
{
  g_ptr_array_sort(headers, newest_first);
  for (guint i = headers->len; i > 1; i--)
    if (((MlHeader *)g_ptr_array_index(headers, i - 1))->uid == ((MlHeader *)g_ptr_array_index(headers, i - 2))->uid)
      g_ptr_array_remove_index(headers, i - 1);
}

static gboolean
headers_above(Imap *imap, guint32 above, MlHeadersFunc func, gpointer user_data, GError **error)
{
  g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  Headers chunk = { headers, above, 0, 0 };
  if (above == G_MAXUINT32)
    return TRUE;
  if (!ml_imap_session_command(imap->session, on_header, &chunk, error, "UID FETCH %u:* " HEADER_ITEMS, above + 1))
    return FALSE;
  sort_headers(headers);
  guint total = headers->len;
  for (guint done = 0; done < total;) {
    GPtrArray *slice = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
    for (; done < total && slice->len < ML_CHUNK_MAX; done++)
      g_ptr_array_add(slice, g_steal_pointer(&g_ptr_array_index(headers, done)));
    if (!func(slice, done, total, user_data))
      break;
  }
  return TRUE;
}

/* By sequence numbers: they cannot change while such a FETCH runs, chunks are of equal size however thin the uids are,
 * and the answers fill the session's slots. What is expunged between two chunks moves only what was told already. */
static gboolean
headers_all(Imap *imap, guint first, MlHeadersFunc func, gpointer user_data, GError **error)
{
  guint connection = imap->connections;
  guint total = imap->session->slots->len, done = 0;
  guint size = first;
  for (guint32 highest = total; highest > 0;) {
    guint32 lowest = highest > size ? highest - size + 1 : 1;
    g_autoptr(GPtrArray) headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
    Headers chunk = { headers, 0, highest, lowest };
    if (!ml_imap_session_command(imap->session, on_header, &chunk, error, "FETCH %u:%u " HEADER_ITEMS, lowest, highest))
      return FALSE;
    sort_headers(headers);
    done += highest - lowest + 1;
    guint before = imap->session->slots->len;
    if (headers->len && !func(g_steal_pointer(&headers), MIN(done, total), total, user_data))
      return TRUE;
    if (imap->connections != connection || !imap->session) {
      g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "The connection was lost.");
      return FALSE;
    }
    /* The caller may have fetched meanwhile, and heard of expunged messages: count from below. */
    guint gone = before > imap->session->slots->len ? before - imap->session->slots->len : 0;
    highest = lowest - 1;
    if (gone)
      highest = MIN(highest, imap->session->slots->len);
    size = MIN(MAX(size * 2, 100), ML_CHUNK_MAX);
  }
  return TRUE;
}

static gboolean
imap_headers(MlDriver *driver, guint32 above, guint first, MlHeadersFunc func, gpointer user_data, GError **error)
{
  Imap *imap = (Imap *)driver;
  if (!need_folder(imap, error))
    return FALSE;
  if (above)
    return headers_above(imap, above, func, user_data, error);
  imap->listed = TRUE;
  g_clear_pointer(&imap->known, g_array_unref);
  imap->session->changes->new_mail = FALSE;
  return headers_all(imap, first, func, user_data, error);
}

/* ---- messages */

typedef struct {
  guint32 uid;
  gboolean found, whole; /* whole: the server ignored the range and sent all */
  guint64 size;
  gint64 received;
  GByteArray *data;
  gsize got;             /* of this chunk */
  gboolean cut;
} Fetch;

static void
on_message(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  Fetch *fetch = user_data;
  guint64 uid, size;
  if (response->kind != ML_RESPONSE_FETCH ||
      !ml_node_number(ml_imap_item(response->data, "UID"), G_MAXUINT32, &uid) || uid != fetch->uid)
    return;
  const MlNode *body = ml_imap_body(response->data);
  if (!body)
    return;
  if (ml_node_number(ml_imap_item(response->data, "RFC822.SIZE"), G_MAXINT64, &size))
    fetch->size = size;
  ml_imap_date(ml_imap_item(response->data, "INTERNALDATE"), &fetch->received);
  fetch->found = TRUE;
  if (body->kind != ML_NODE_STRING || fetch->got)
    return;
  fetch->got = body->length;
  fetch->cut |= body->full > body->length;
  fetch->whole = ml_imap_item(response->data, "BODY[]") != NULL;
  if (fetch->whole)
    g_byte_array_set_size(fetch->data, 0);
  if (fetch->data->len + body->length <= ML_MESSAGE_MAX)
    g_byte_array_append(fetch->data, (const guint8 *)body->text, (guint)body->length);
  else
    fetch->cut = TRUE;
}

static gboolean
fetch_chunks(Imap *imap, Fetch *fetch, MlProgressFunc func, gpointer user_data, GError **error)
{
  MlDriver *driver = &imap->base;
  for (gsize ask = CHUNK_FIRST;; ask = MIN(ask * 2, CHUNK_LAST)) {
    fetch->got = 0;
    fetch->found = FALSE;
    if (!ml_imap_session_command(imap->session, on_message, fetch, error,
                                 "UID FETCH %u (UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<%u.%" G_GSIZE_FORMAT ">)",
                                 fetch->uid, fetch->data->len, ask))
      return FALSE;
    if (!fetch->found) {
      g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "The message is no longer in this folder.");
      return FALSE;
    }
    if (fetch->cut || fetch->size > ML_MESSAGE_MAX) {
      g_set_error(error, ML_ERROR, ML_ERROR_MALFORMED, "The message is larger than %d MiB.", ML_MESSAGE_MAX / 1024 / 1024);
      return FALSE;
    }
    /* RFC822.SIZE is a guess on some servers: the end is where less comes than was asked for. */
    gboolean end = fetch->whole || fetch->got < ask;
    if (func)
      func(fetch->data->len, end ? fetch->data->len : MAX(fetch->size, fetch->data->len), user_data);
    if (end)
      return TRUE;
    if (ml_driver_interrupted(driver)) {
      g_set_error(error, ML_ERROR, ML_ERROR_CANCELLED, "Cancelled.");
      return FALSE;
    }
  }
}

static GBytes *
imap_fetch(MlDriver *driver, guint32 uid, gint64 *received, MlProgressFunc func, gpointer user_data, GError **error)
{
  Imap *imap = (Imap *)driver;
  if (!need_folder(imap, error))
    return NULL;
  g_autoptr(GByteArray) data = g_byte_array_new();
  Fetch fetch = { .uid = uid, .data = data };
  ml_sieve_set_literals(imap->session->stream->sieve, ML_MESSAGE_MAX, ML_MESSAGE_MAX);
  gboolean ok = fetch_chunks(imap, &fetch, func, user_data, error);
  ml_sieve_set_literals(imap->session->stream->sieve, ML_HEADER_MAX, ML_MESSAGE_MAX);
  if (!ok)
    return NULL;
  *received = fetch.received;
  return g_byte_array_free_to_bytes(g_steal_pointer(&data));
}

/* Runs @format, which ends in "%s" for a set of numbers, over all of @uids in commands of bounded length. */
static gboolean
each_set(Imap *imap, GArray *uids, const char *verb, const char *rest, GError **error)
{
  if (!need_folder(imap, error))
    return FALSE;
  g_autoptr(GArray) all = g_array_copy(uids);
  g_autofree char *sorted = ml_imap_uid_set(all);
  for (guint at = 0; at < all->len; at += UIDS_A_COMMAND) {
    g_autoptr(GArray) part = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(part, &g_array_index(all, guint32, at), MIN(UIDS_A_COMMAND, all->len - at));
    g_autofree char *set = ml_imap_uid_set(part);
    if (!ml_imap_session_command(imap->session, NULL, NULL, error, "UID %s %s%s%s", verb, set, *rest ? " " : "", rest))
      return FALSE;
  }
  return TRUE;
}

static gboolean
store(Imap *imap, GArray *uids, const char *sign, guint flags, GError **error)
{
  MlImapSession *session = imap->session;
  if (!need_folder(imap, error))
    return FALSE;
  if (!session->keywords && !session->forwarded)
    flags &= ~(guint)ML_FLAG_FORWARDED; /* a keyword, which this folder does not keep */
  if (!flags)
    return TRUE;
  g_autoptr(GHashTable) own = g_hash_table_new(g_direct_hash, g_direct_equal);
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_add(own, GUINT_TO_POINTER(g_array_index(uids, guint32, i)));
  g_autofree char *words = ml_imap_flags_text(flags);
  g_autofree char *rest = g_strdup_printf("%sFLAGS (%s)", sign, words);
  session->own = own;
  gboolean ok = each_set(imap, uids, "STORE", rest, error);
  session->own = NULL;
  return ok;
}

static gboolean
imap_flags(MlDriver *driver, GArray *uids, guint add, guint remove, GError **error)
{
  Imap *imap = (Imap *)driver;
  return (!add || store(imap, uids, "+", add, error)) && (!remove || store(imap, uids, "-", remove, error));
}

static char *
quoted_mailbox(Imap *imap, const char *folder, GError **error)
{
  g_autofree char *mailbox = ml_imap_session_mailbox(imap->session, folder, error);
  return mailbox ? ml_imap_quote(mailbox) : NULL;
}

static gboolean
name_target(Imap *imap, const char *folder, gboolean ok, GError **error)
{
  if (!ok && imap->session->code && g_ascii_strcasecmp(imap->session->code, "TRYCREATE") == 0 && error) {
    g_clear_error(error);
    g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND, "There is no folder \"%s\" on %s.", folder, imap->session->host);
  }
  return ok;
}

static gboolean
imap_copy(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  Imap *imap = (Imap *)driver;
  g_autofree char *quoted = quoted_mailbox(imap, folder, error);
  return quoted && name_target(imap, folder, each_set(imap, uids, "COPY", quoted, error), error);
}

static void
on_deleted(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  guint64 uid;
  if (response->kind == ML_RESPONSE_FETCH && ml_node_number(ml_imap_item(response->data, "UID"), G_MAXUINT32, &uid) &&
      (ml_imap_flags(ml_imap_item(response->data, "FLAGS")) & ML_FLAG_DELETED))
    g_hash_table_add(user_data, GUINT_TO_POINTER((guint)uid));
}

/* Without UIDPLUS there is only EXPUNGE, which takes every message that anybody marked: those that are not ours are
 * unmarked for the moment. */
static gboolean
expunge_plain(Imap *imap, GArray *uids, GError **error)
{
  g_autoptr(GHashTable) marked = g_hash_table_new(g_direct_hash, g_direct_equal);
  g_autoptr(GArray) others = g_array_new(FALSE, FALSE, sizeof(guint32));
  if (!imap->session->slots->len)
    return TRUE;
  if (!ml_imap_session_command(imap->session, on_deleted, marked, error, "FETCH 1:* (UID FLAGS)"))
    return FALSE;
  for (guint i = 0; i < uids->len; i++)
    g_hash_table_remove(marked, GUINT_TO_POINTER(g_array_index(uids, guint32, i)));
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, marked);
  while (g_hash_table_iter_next(&iter, &key, NULL)) {
    guint32 uid = GPOINTER_TO_UINT(key);
    g_array_append_val(others, uid);
  }
  if (others->len && !store(imap, others, "-", ML_FLAG_DELETED, error))
    return FALSE;
  g_autoptr(GError) why = NULL;
  gboolean ok = ml_imap_session_command(imap->session, NULL, NULL, &why, "EXPUNGE");
  if (others->len && !store(imap, others, "+", ML_FLAG_DELETED, ok ? error : NULL))
    ok = FALSE;
  if (why)
    g_propagate_error(error, g_steal_pointer(&why));
  return ok;
}

static gboolean
imap_expunge(MlDriver *driver, GArray *uids, GError **error)
{
  Imap *imap = (Imap *)driver;
  if (!need_folder(imap, error))
    return FALSE;
  if (imap->session->caps & ML_IMAP_UIDPLUS)
    return each_set(imap, uids, "EXPUNGE", "", error);
  return expunge_plain(imap, uids, error);
}

static gboolean
imap_move(MlDriver *driver, GArray *uids, const char *folder, GError **error)
{
  Imap *imap = (Imap *)driver;
  if (imap->session->caps & ML_IMAP_MOVE) {
    g_autofree char *quoted = quoted_mailbox(imap, folder, error);
    return quoted && name_target(imap, folder, each_set(imap, uids, "MOVE", quoted, error), error);
  }
  return imap_copy(driver, uids, folder, error) && imap_flags(driver, uids, ML_FLAG_DELETED, 0, error) &&
         imap_expunge(driver, uids, error);
}

/* ---- news */

static int
compare_slots(gconstpointer a, gconstpointer b)
{
  guint32 one = ((const MlImapSlot *)a)->uid, other = ((const MlImapSlot *)b)->uid;
  return one < other ? -1 : one > other ? 1 : 0;
}

/* What happened while there was no connection: the flags of all messages are asked for, a few octets each, and
 * compared with what was told. */
static gboolean
resync(Imap *imap, GError **error)
{
  MlImapSession *session = imap->session;
  g_autoptr(GArray) known = g_steal_pointer(&imap->known);
  gboolean ok = !session->slots->len ||
                ml_imap_session_command(session, NULL, NULL, error, "FETCH 1:%u (UID FLAGS)", session->slots->len);
  if (!ok) {
    imap->known = g_steal_pointer(&known); /* the next connection compares */
    return FALSE;
  }
  g_autoptr(GArray) now = g_array_copy(session->slots);
  g_array_sort(now, compare_slots);
  g_array_sort(known, compare_slots);
  guint i = 0, j = 0;
  while (i < known->len || j < now->len) {
    MlImapSlot *old = i < known->len ? &g_array_index(known, MlImapSlot, i) : NULL;
    MlImapSlot *new = j < now->len ? &g_array_index(now, MlImapSlot, j) : NULL;
    if (old && (!old->uid || (new && old->uid == new->uid))) {
      if (old->uid && old->flags != ML_IMAP_FLAGS_UNKNOWN && old->flags != new->flags) {
        MlFlagChange change = { new->uid, new->flags };
        g_array_append_val(session->changes->flag_changes, change);
      }
      i++;
      j += old->uid != 0;
    } else if (old && (!new || old->uid < new->uid)) {
      g_array_append_val(session->changes->vanished, old->uid);
      i++;
    } else {
      session->changes->new_mail |= i == known->len;
      j++;
    }
  }
  return TRUE;
}

/* Reads what the server says by itself. TRUE: the wait is over (*done), or goes on. */
static gboolean
listen_once(Imap *imap, int timeout_ms, int wake_fd, gboolean *woken, gboolean *timeout, GError **error)
{
  MlImapSession *session = imap->session;
  *woken = *timeout = FALSE;
  CryptoTlsWait what = CRYPTO_TLS_DATA;
  if (ml_sieve_is_empty(session->stream->sieve))
    what = crypto_tls_wait(session->stream->tls, timeout_ms, wake_fd);
  *woken = what == CRYPTO_TLS_WOKEN;
  *timeout = what == CRYPTO_TLS_TIMEOUT;
  if (*woken || *timeout)
    return TRUE;
  GError *why = NULL;
  while (ml_imap_stream_ready(session->stream, &why))
    continue;
  if (why)
    g_propagate_error(error, why);
  return why == NULL;
}

static gboolean
wait_idle(Imap *imap, int wake_fd, gboolean *over, GError **error)
{
  MlImapSession *session = imap->session;
  gboolean go_on, woken = FALSE, timeout = FALSE;
  GError *why = NULL;
  if (!ml_imap_session_send(session, "IDLE", error))
    return FALSE;
  if (!ml_imap_session_finish(session, &go_on, NULL, &why)) {
    if (ml_imap_session_is_broken(why)) {
      g_propagate_error(error, why);
      return FALSE;
    }
    g_clear_error(&why);
    go_on = FALSE;
  }
  if (!go_on) {
    imap->idle_refused = TRUE; /* it promised more than it keeps: we ask every minute instead */
    return TRUE;
  }
  gint64 end = g_get_monotonic_time() + (gint64)IDLE_MS * 1000;
  while (ml_changes_empty(session->changes) && !woken && !timeout) {
    gint64 left = (end - g_get_monotonic_time()) / 1000;
    if (!listen_once(imap, (int)MAX(left, 0), wake_fd, &woken, &timeout, error))
      return FALSE;
    timeout |= left <= 0;
  }
  *over = woken;
  return ml_imap_stream_write(session->stream, "DONE\r\n", 6, error) &&
         ml_imap_session_finish(session, NULL, NULL, error);
}

static gboolean
wait_noop(Imap *imap, int wake_fd, gboolean *over, GError **error)
{
  gboolean woken, timeout;
  if (!listen_once(imap, NOOP_MS, wake_fd, &woken, &timeout, error))
    return FALSE;
  *over = woken;
  return !timeout || ml_imap_session_noop(imap->session, error);
}

static gboolean
imap_wait(MlDriver *driver, int wake_fd, gboolean once, MlChanges *changes, GError **error)
{
  Imap *imap = (Imap *)driver;
  gboolean over = FALSE;
  if (imap->folder && !imap->session->folder && !need_folder(imap, error)) {
    if (!error || !g_error_matches(*error, ML_ERROR, ML_ERROR_NOT_FOUND))
      return FALSE;
    g_clear_error(error);
    changes->reset = TRUE;
    g_clear_pointer(&imap->folder, g_free);
    return TRUE;
  }
  MlImapSession *session = imap->session;
  if (imap->known && session->folder && !resync(imap, error))
    return FALSE;
  if (once && !ml_imap_session_noop(session, error))
    return FALSE;
  while (!once && !over && ml_changes_empty(session->changes)) {
    gboolean idle = (session->caps & ML_IMAP_IDLE) && !imap->idle_refused;
    if (!(idle ? wait_idle(imap, wake_fd, &over, error) : wait_noop(imap, wake_fd, &over, error)))
      return FALSE;
  }
  ml_changes_merge(changes, session->changes);
  return TRUE;
}

static void
imap_free(MlDriver *driver)
{
  Imap *imap = (Imap *)driver;
  g_free(imap->folder);
  g_clear_pointer(&imap->known, g_array_unref);
  g_free(imap);
}

static const MlDriverOps ops = {
  .free = imap_free,
  .interrupt = imap_interrupt,
  .connected = imap_connected,
  .connect = imap_connect,
  .disconnect = imap_disconnect,
  .folders = imap_folders,
  .select = imap_select,
  .headers = imap_headers,
  .fetch = imap_fetch,
  .flags = imap_flags,
  .copy = imap_copy,
  .move = imap_move,
  .expunge = imap_expunge,
  .wait = imap_wait,
};

MlDriver *
ml_imap_new(const MlAccount *account, const MlDriverHooks *hooks)
{
  (void)account;
  (void)hooks;
  Imap *imap = g_new0(Imap, 1);
  imap->base.ops = &ops;
  return &imap->base;
}
