#include <string.h>

#include "mail/imap-private.h"
#include "mail/line-private.h"

/* An account on an IMAP server. The session is one connection; what outlives it is which folder is open
 * and what was told of it, so that after a broken line the difference can be told instead of everything. */
enum {
  FOLDERS_MAX = 20000,
  NOOP_MS = 60 * 1000,
  LATE_DAYS = 30,
};

/* ---- the connection */

static void
imap_interrupt(MlDriver *driver)
{
  MlImap *imap = (MlImap *)driver;
  if (imap->tls)
    crypto_tls_interrupt(imap->tls);
}

static gboolean
imap_connected(MlDriver *driver)
{
  MlImap *imap = (MlImap *)driver;
  return imap->session && !imap->session->stream->wire.error;
}

/* What was told of the folder is kept for the comparison; what waits to be compared already stays. */
void
ml_imap_remember(MlImap *imap)
{
  if (imap->known || !imap->session || !imap->session->folder || !imap->listed ||
      !imap->session->slots->len || g_strcmp0(imap->session->folder, imap->folder) != 0)
    return;
  imap->known = g_array_copy(imap->session->slots);
}

/* Was what went along with the login too much for the server? Then never again; and where the login itself went well, or
 * it took the rest for a part of it, not in the next run either. */
static void
suspect(MlImap *imap)
{
  const MlImapSession *session = imap->session;
  const GError *why = session->stream->wire.error;
  if (!session->along || !session->ahead || session->refused || !why || g_error_matches(why, ML_ERROR, ML_ERROR_CANCELLED) ||
      imap->tries.anew) /* it was the password that it did not wait for */
    return;
  gboolean sure = session->logged_in || g_error_matches(why, ML_ERROR, ML_ERROR_PROTOCOL);
  imap->stepwise = MAX(imap->stepwise, sure ? ML_IMAP_STEPWISE_KEPT : ML_IMAP_STEPWISE);
}

static void
imap_disconnect(MlDriver *driver)
{
  MlImap *imap = (MlImap *)driver;
  if (!imap->session)
    return;
  suspect(imap);
  ml_imap_remember(imap);
  g_mutex_lock(&driver->lock);
  imap->tls = NULL;
  g_mutex_unlock(&driver->lock);
  g_clear_pointer(&imap->session, ml_imap_session_free);
}

static gboolean
open_session(MlImap *imap, GError **error)
{
  MlDriver *driver = &imap->base;
  const MlServer *server = &driver->account->imap;
  CryptoTls *tls = ml_line_open(driver->account, server, driver->hooks, ml_driver_cancellable(driver), error);
  if (!tls)
    return FALSE;
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
secure(MlImap *imap, GError **error)
{
  MlImapSession *session = imap->session;
  GError *why = NULL;
  if (imap->base.account->imap.tls == ML_TLS_IMPLICIT) {
    if (crypto_tls_start(session->stream->wire.tls, &why)) {
      if (session->early)
        return TRUE;
      gint64 start = g_get_monotonic_time();
      gboolean ok = ml_imap_session_greet(session, error);
      session->answer_us = g_get_monotonic_time() - start;
      return ok;
    }
    ml_imap_stream_fail(session->stream);
    ml_line_error(why, error);
    return FALSE;
  }
  if (!ml_imap_session_greet(session, error))
    return FALSE;
  if (session->preauth) {
    /* A stranger on the line could say so to keep us from encrypting. */
    g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL,
                "%s says that it knows us before anything is encrypted, which rules out STARTTLS. Nothing "
                "was sent; use imaps:// in signet.conf.",
                session->host);
    return FALSE;
  }
  return ml_imap_session_capability(session, error) && ml_imap_session_starttls(session, error);
}

static guint
today(void)
{
  return (guint)(g_get_real_time() / G_USEC_PER_SEC / (24 * 60 * 60));
}

/* What is known of the server from the last time, or, of one that is not known, what any can do that says so much to a
 * stranger: ENABLE may name what there is not (RFC 5161 3.1). */
static void
recall(MlImap *imap, MlImapServer *server)
{
  const guint modern = ML_IMAP_ENABLE | ML_IMAP_SASL_IR;
  *server = (MlImapServer){ .caps = ML_IMAP_ENABLE | ML_IMAP_QRESYNC, .told = TRUE };
  if (!imap->expected.server) {
    server->stepwise = !imap->session || (imap->session->caps & modern) != modern;
    return;
  }
  ml_imap_server_read(imap->expected.server, server);
  if (server->stepwise)
    imap->stepwise = ML_IMAP_STEPWISE_KEPT;
  if (!imap->late && today() - server->late < LATE_DAYS) /* then it is tried again: the line may have been at fault */
    imap->late = server->late;
}

/* May the login begin before the server has greeted? By what gives nothing away, to one that took it so the last time. */
static gboolean
begins_early(MlImap *imap)
{
  const MlAccount *account = imap->base.account;
  MlImapServer known;
  recall(imap, &known);
  return known.scram && !known.stepwise && !imap->stepwise && !imap->late && account->imap.tls == ML_TLS_IMPLICIT &&
         (account->auth ? strcmp(account->auth, "scram-sha-256") == 0 : !account->tls_cert);
}

/* Behind a login of one step: what it could do is asked of the server at once. What goes wrong is found where the answers are
 * read. */
static void
follow(MlImapSession *session, gpointer user_data)
{
  MlImap *imap = user_data;
  MlImapServer known;
  session->follow = NULL;
  if (!session->together)
    return;
  recall(imap, &known);
  if (known.delimiter)
    session->delimiter = known.delimiter;
  session->along = TRUE;
  if (!ml_imap_ahead_send(session, &imap->expected, known.caps, !known.told, NULL))
    g_debug("%s: nothing could be sent along with the login", session->host);
}

/* What it offers to a stranger is not what it offers to us: it says so by itself, or is asked. */
static gboolean
learn(MlImap *imap, const char *mechanism, GError **error)
{
  MlImapSession *session = imap->session;
  gboolean told = session->saw_capability, ahead = session->ahead != NULL;
  if (ahead && !ml_imap_ahead_capability(session, error))
    return FALSE;
  if (!session->saw_capability && !ml_imap_session_capability(session, error))
    return FALSE;
  g_free(imap->server);
  const MlImapServer server = { .caps = session->caps,
                                .delimiter = session->delimiter,
                                .told = told,
                                .stepwise = imap->stepwise == ML_IMAP_STEPWISE_KEPT,
                                .scram = g_strcmp0(mechanism, ML_IMAP_EARLY_BY) == 0,
                                .late = imap->late };
  imap->server = ml_imap_server_words(&server);
  if (!ahead && !ml_imap_ahead_send(session, &imap->expected, session->caps, FALSE, error))
    return FALSE;
  /* It was for this connection. */
  ml_imap_expected_clear(&imap->expected);
  imap->expected.server = g_strdup(imap->server);
  return TRUE;
}

/* What it offers to a stranger. */
static gboolean
look_at_offer(MlImap *imap, MlStepFunc step, gpointer user_data, GError **error)
{
  MlImapSession *session = imap->session;
  gint64 start = g_get_monotonic_time();
  if (!session->saw_capability && !ml_imap_session_capability(session, error))
    return FALSE;
  session->answer_us = MAX(session->answer_us, g_get_monotonic_time() - start);
  g_ptr_array_add(session->auths, NULL);
  g_autofree char *auths = g_strjoinv(", ", (char **)session->auths->pdata);
  g_ptr_array_remove_index(session->auths, session->auths->len - 1);
  g_autofree char *words = g_strdup_printf("login by %s%s%s", *auths ? auths : "the LOGIN command",
                                           session->caps & ML_IMAP_IDLE ? "; tells of new mail (IDLE)" : "",
                                           session->caps & ML_IMAP_MOVE ? "; moves (MOVE)" : "");
  tell(step, user_data, "capabilities", words);
  return TRUE;
}

static gboolean
log_in(MlImap *imap, MlStepFunc step, gpointer user_data, const char **at, GError **error)
{
  MlImapSession *session = imap->session;
  MlDriver *driver = &imap->base;
  MlImapServer known;
  *at = "capabilities";
  if (!session->early && !look_at_offer(imap, step, user_data, error))
    return FALSE;
  *at = "login";
  recall(imap, &known);
  session->together = !known.stepwise && !imap->stepwise && !imap->tries.count;
  g_autofree char *mechanism = NULL;
  session->saw_capability = session->preauth && session->saw_capability;
  session->believe = TRUE;
  session->follow = follow;
  session->follow_user = imap;
  gboolean ok = session->preauth || ml_imap_login(session, driver->account, driver->hooks, ml_driver_cancellable(driver),
                                                  &imap->tries, &mechanism, error);
  session->believe = FALSE;
  session->follow = NULL;
  session->logged_in = ok;
  if (!ok || !learn(imap, mechanism, error))
    return FALSE;
  const char *user = driver->account->imap.user, *by = session->preauth ? "the TLS certificate" : mechanism;
  g_autofree char *who = user ? g_strdup_printf("%s by %s", user, by) : g_strdup(by);
  tell(step, user_data, *at, who);
  return TRUE;
}

/* Is it its haste that the login failed by, and not the server's or somebody's wish? */
static gboolean
was_hasty(const MlImap *imap, const GError *why)
{
  const MlImapSession *session = imap->session;
  return session && session->early == ML_IMAP_EARLY_SENT && !session->turned_away && !imap->tries.none &&
         !imap->tries.anew && !g_error_matches(why, ML_ERROR, ML_ERROR_CANCELLED);
}

/* Once more where a server did not bear what came before its answers (in turn then), or has hung up over a wrong password, or
 * before there was one. */
static gboolean
dial(MlImap *imap, MlStepFunc step, gpointer user_data, GError **error)
{
  MlDriver *driver = &imap->base;
  gboolean together = !imap->stepwise;
  const MlServer *server = &driver->account->imap;
  imap_disconnect(driver);
  imap->tries.anew = FALSE;
  g_autoptr(GError) why = NULL;
  const char *at = "connect";
  gboolean ok = open_session(imap, &why);
  if (ok) {
    if (!step && !imap->tries.count && begins_early(imap)) /* who watches the steps wants to see each */
      imap->session->early = ML_IMAP_EARLY;
    g_autofree char *where = g_strdup_printf("%s, port %u", server->host, server->port);
    tell(step, user_data, at, where);
    at = "TLS";
    ok = secure(imap, &why);
  }
  if (ok) {
    tell(step, user_data, at, crypto_tls_protocol(imap->session->stream->wire.tls));
    ok = log_in(imap, step, user_data, &at, &why) && ml_imap_mark_again(imap, &why);
  }
  if (ok)
    return TRUE;
  gboolean hasty = was_hasty(imap, why) && !ml_driver_interrupted(driver);
  if (hasty)
    imap->late = today();
  imap_disconnect(driver);
  if (((together && imap->stepwise) || hasty || imap->tries.anew) && !ml_driver_interrupted(driver))
    return dial(imap, step, user_data, error);
  if (step)
    step(at, FALSE, why->message, user_data);
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

static gboolean
imap_connect(MlDriver *driver, MlStepFunc step, gpointer user_data, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  gboolean ok = dial(imap, step, user_data, error);
  ml_sasl_tries_clear(&imap->tries);
  return ok;
}

static void
imap_expect(MlDriver *driver, const MlExpected *expected)
{
  MlImap *imap = (MlImap *)driver;
  ml_imap_expected_clear(&imap->expected);
  imap->expected = (MlImapExpected){ .server = g_strdup(expected->server), .folder = g_strdup(expected->folder),
                                     .known = expected->known };
  if (imap_connected(driver)) /* it is asked in a moment, and not of the next connection */
    g_clear_pointer(&imap->expected.folder, g_free);
  if (expected->known.uidvalidity || !expected->first) /* nothing is missing, or all of it is asked for at once */
    return;
  imap->expected.first = expected->first;
  if (expected->total > 0)
    ml_imap_expect_headers(&imap->expected, (guint)expected->total);
}

static const char *
imap_server(MlDriver *driver)
{
  return ((MlImap *)driver)->server;
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
count(MlImap *imap, Listing *listing, GError **error)
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

/* Of each role that the server gives no folder, the usual name; Courier has all folders below INBOX. */
static void
guess_roles(const MlAccount *account, const GPtrArray *folders)
{
  static const char *const below[] = { "", "INBOX/" };
  guint told = 1 << ML_ROLE_INBOX;
  for (guint pass = 0; pass < G_N_ELEMENTS(below); pass++) {
    gsize skip = strlen(below[pass]);
    for (guint i = 0; i < folders->len; i++)
      told |= 1 << ((const MlFolder *)g_ptr_array_index(folders, i))->role;
    for (guint i = 0; i < folders->len; i++) {
      MlFolder *folder = g_ptr_array_index(folders, i);
      if (folder->role)
        continue;
      gboolean tried = g_ascii_strncasecmp(folder->name, below[pass], skip) == 0;
      MlFolderRole role = tried ? ml_folder_guess_role(account, folder->name + skip) : ML_ROLE_NONE;
      if (g_strcmp0(folder->name, account->trash) == 0)
        folder->role = ML_ROLE_TRASH; /* deleted mail goes there, whatever the server calls it */
      else if (!(told & 1 << role))
        folder->role = role;
    }
  }
}

static GPtrArray *
imap_folders(MlDriver *driver, gboolean counts, GError **error)
{
  MlImap *imap = (MlImap *)driver;
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
  guess_roles(driver->account, folders);
  return g_steal_pointer(&folders);
}

/* ---- the open folder */

void
ml_imap_opened(MlImap *imap, const char *folder, MlSelected *selected)
{
  g_autofree char *name = g_strdup(folder);
  g_free(imap->folder);
  imap->folder = g_steal_pointer(&name);
  imap->uidvalidity = imap->session->uidvalidity;
  selected->uidvalidity = imap->uidvalidity;
  selected->total = imap->session->slots->len;
  selected->read_only = imap->session->read_only;
}

static gboolean
imap_select(MlDriver *driver, const char *folder, MlSelected *selected, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (g_strcmp0(folder, imap->folder) == 0) {
    ml_imap_remember(imap);
  } else {
    g_clear_pointer(&imap->known, g_array_unref);
    imap->listed = FALSE;
  }
  if (!ml_imap_session_select(imap->session, folder, NULL, error))
    return FALSE;
  if (imap->session->uidvalidity != imap->uidvalidity) {
    g_clear_pointer(&imap->known, g_array_unref);
    imap->listed = FALSE;
  }
  ml_imap_opened(imap, folder, selected);
  return TRUE;
}

/* Once more, if it was what went along with the login that broke the line. */
gboolean
ml_imap_connect_stepwise(MlImap *imap, const GError *why)
{
  MlDriver *driver = &imap->base;
  gboolean together = !imap->stepwise;
  if (!imap->session || !imap->session->along || !ml_imap_session_is_broken(why))
    return FALSE;
  imap_disconnect(driver);
  return together && imap->stepwise && !ml_driver_interrupted(driver) && imap_connect(driver, NULL, NULL, NULL);
}

/* After a new connection the caller's folder is opened again, if it is still the same one. */
gboolean
ml_imap_need_folder(MlImap *imap, GError **error)
{
  if (!imap->folder) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "No folder is open.");
    return FALSE;
  }
  /* What was sent along with the login may have opened the folder of that name, and nobody has looked which one it is. */
  if (g_strcmp0(imap->session->folder, imap->folder) != 0 &&
      !ml_imap_session_select(imap->session, imap->folder, NULL, error))
    return FALSE;
  if (imap->session->uidvalidity == imap->uidvalidity)
    return TRUE;
  g_clear_pointer(&imap->session->folder, g_free);
  g_set_error(error, ML_ERROR, ML_ERROR_NOT_FOUND,
              "The folder %s was replaced by another one on the server: open it again.", imap->folder);
  return FALSE;
}

static gboolean
imap_passing(const MlDriver *driver)
{
  static const char *const codes[] = { "UNAVAILABLE", "INUSE", "SERVERBUG" }; /* RFC 5530 */
  const MlImapSession *session = ((const MlImap *)driver)->session;
  gboolean passing = FALSE;
  for (gsize i = 0; session && session->code && session->status == ML_RESPONSE_NO && i < G_N_ELEMENTS(codes); i++)
    passing = passing || g_ascii_strcasecmp(session->code, codes[i]) == 0;
  return passing;
}

static void
imap_begin(MlDriver *driver)
{
  MlImapSession *session = ((MlImap *)driver)->session;
  if (!session)
    return;
  session->status = ML_RESPONSE_OTHER;
  g_clear_pointer(&session->code, g_free);
}

static void
imap_free(MlDriver *driver)
{
  MlImap *imap = (MlImap *)driver;
  g_free(imap->folder);
  g_free(imap->server);
  ml_imap_expected_clear(&imap->expected);
  g_clear_pointer(&imap->known, g_array_unref);
  g_clear_pointer(&imap->unmarked, g_ptr_array_unref);
  g_free(imap);
}

static const MlDriverOps ops = {
  .free = imap_free,
  .interrupt = imap_interrupt,
  .connected = imap_connected,
  .begin = imap_begin,
  .connect = imap_connect,
  .expect = imap_expect,
  .server = imap_server,
  .disconnect = imap_disconnect,
  .folders = imap_folders,
  .select = imap_select,
  .headers = ml_imap_headers,
  .uids = ml_imap_uids,
  .sync = ml_imap_sync,
  .headers_of = ml_imap_headers_of,
  .bodies = ml_imap_bodies,
  .search = ml_imap_search,
  .fetch = ml_imap_fetch,
  .fetch_shown = ml_imap_fetch_shown,
  .fetch_part = ml_imap_fetch_part,
  .flags = ml_imap_store_flags,
  .flags_as = ml_imap_flags_as,
  .copy = ml_imap_copy,
  .move = ml_imap_move,
  .moves_whole = ml_imap_moves_whole,
  .passing = imap_passing,
  .expunge = ml_imap_expunge,
  .append = ml_imap_append,
  .has = ml_imap_has,
  .find = ml_imap_find,
  .wait = ml_imap_wait,
};

MlDriver *
ml_imap_new(const MlAccount *account, const MlDriverHooks *hooks)
{
  (void)account;
  (void)hooks;
  MlImap *imap = g_new0(MlImap, 1);
  imap->base.ops = &ops;
  imap->noop_ms = NOOP_MS;
  return &imap->base;
}
