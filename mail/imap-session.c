#include "mail/imap-private.h"

#include <string.h>

#include "mail/line-private.h"
#include "mail/utf7.h"

enum { EARLY_TAG = 1 }; /* of what goes before the greeting */

gboolean
ml_imap_session_refuse(MlImapSession *session, GError **error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *what = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error(error, ML_ERROR, ML_ERROR_PROTOCOL,
              "The mail server %s broke the rules of IMAP: %s. The connection was closed.", session->host,
              what);
  return FALSE;
}

/* ---- what every response may bring */

static void
take_capabilities(MlImapSession *session, const MlNode *data)
{
  static const struct {
    const char *word;
    guint cap;
  } words[] = { { "IDLE", ML_IMAP_IDLE },
                { "MOVE", ML_IMAP_MOVE },
                { "UIDPLUS", ML_IMAP_UIDPLUS },
                { "STARTTLS", ML_IMAP_STARTTLS },
                { "LOGINDISABLED", ML_IMAP_LOGINDISABLED },
                { "SASL-IR", ML_IMAP_SASL_IR },
                { "SPECIAL-USE", ML_IMAP_SPECIAL_USE },
                { "LIST-EXTENDED", ML_IMAP_LIST_EXTENDED },
                { "LIST-STATUS", ML_IMAP_LIST_STATUS },
                { "LITERAL+", ML_IMAP_LITERAL_PLUS },
                { "ENABLE", ML_IMAP_ENABLE },
                { "CONDSTORE", ML_IMAP_CONDSTORE },
                { "QRESYNC", ML_IMAP_QRESYNC },
                { "ESEARCH", ML_IMAP_ESEARCH },
                { "COMPRESS=DEFLATE", ML_IMAP_COMPRESS } };
  session->saw_capability = TRUE;
  session->caps = 0;
  g_ptr_array_set_size(session->auths, 0);
  for (const MlNode *node = data; node; node = node->next) {
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
      if (ml_node_is(node, words[i].word))
        session->caps |= words[i].cap;
    if (session->caps & ML_IMAP_QRESYNC) /* which has it in it (RFC 7162 3.2) */
      session->caps |= ML_IMAP_CONDSTORE;
    if (node->kind == ML_NODE_ATOM && node->length > 5 && node->length < 40 && session->auths->len < 50 &&
        g_ascii_strncasecmp(node->text, "AUTH=", 5) == 0)
      g_ptr_array_add(session->auths, g_ascii_strup(node->text + 5, (gssize)node->length - 5));
  }
}

/* libetpan 1.9.4 dies of such shapes; whoever sends one does so on purpose, or has lost his way. */
static gboolean
take_code(MlImapSession *session, const MlResponse *response, GError **error)
{
  const MlNode *code = response->code, *value = code ? code->next : NULL;
  guint64 number;
  if (response->broken_code && (ml_node_is(code, "PERMANENTFLAGS") || ml_node_is(code, "BADCHARSET") ||
                                ml_node_is(code, "CAPABILITY")))
    return ml_imap_session_refuse(session, error, "a response code that does not end");
  if (response->broken_code || !code)
    return TRUE;
  if (ml_node_is(code, "BADCHARSET") && !session->greeted)
    return ml_imap_session_refuse(session, error, "its greeting speaks of character sets");
  if (ml_node_is(code, "CAPABILITY") && session->believe && value && response->status != ML_RESPONSE_NO &&
      response->status != ML_RESPONSE_BAD)
    take_capabilities(session, value);
  if (ml_node_is(code, "UIDVALIDITY") && ml_node_number(value, G_MAXUINT32, &number))
    session->uidvalidity = (guint32)number;
  if (ml_node_is(code, "UIDNEXT") && ml_node_number(value, G_MAXUINT32, &number))
    session->uidnext = (guint32)number;
  if (ml_node_is(code, "HIGHESTMODSEQ") && !session->listening && ml_node_number(value, G_MAXINT64, &number))
    session->modseq = number;
  if (ml_node_is(code, "PERMANENTFLAGS")) {
    session->keywords = session->forwarded = FALSE;
    for (const MlNode *flag = value ? value->child : NULL; flag; flag = flag->next) {
      if (flag->kind != ML_NODE_ATOM || (memchr(flag->text, '%', flag->length) != NULL))
        return ml_imap_session_refuse(session, error, "flags that are none");
      session->keywords |= ml_node_is(flag, "\\*");
      session->forwarded |= ml_node_is(flag, "$Forwarded");
    }
  }
  return TRUE;
}

static gboolean
take_greeting(MlImapSession *session, const MlResponse *response, GError **error)
{
  if (!take_code(session, response, error))
    return FALSE;
  session->greeted = TRUE;
  session->preauth = response->kind == ML_RESPONSE_PREAUTH;
  if (response->kind == ML_RESPONSE_OK || response->kind == ML_RESPONSE_PREAUTH)
    return TRUE;
  session->turned_away = response->kind == ML_RESPONSE_BYE;
  if (session->turned_away) {
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "%s refuses connections just now: %s", session->host,
                response->text);
    return FALSE;
  }
  return ml_imap_session_refuse(session, error, "it does not greet");
}

/* The end of a command that another one was sent behind. */
static gboolean
take_answer(MlImapSession *session, MlImapAsk *ask, const MlResponse *response)
{
  ask->done = TRUE;
  ask->status = response->status;
  ask->words = g_strdup(response->text);
  ask->code = response->code ? ml_node_dup(response->code) : NULL;
  if (ml_node_is(response->code, "READ-ONLY"))
    session->read_only = TRUE;
  g_queue_pop_head(&session->asked);
  return TRUE;
}

static gboolean
take_tagged(MlImapSession *session, const MlResponse *response, GError **error)
{
  MlImapAsk *ask = session->answered ? g_queue_peek_head(&session->asked) : NULL;
  if (session->answered && !ask)
    return ml_imap_session_refuse(session, error, "it answers what was answered already");
  int wanted = ask ? ask->tag : session->tag ? session->tag : session->imap->imap_tag;
  g_autofree char *tag = g_strdup_printf("%d", wanted);
  if (strcmp(tag, response->tag) != 0)
    return ml_imap_session_refuse(session, error, "it answers what was not asked");
  if (ask)
    return take_answer(session, ask, response);
  session->answered = TRUE;
  if (session->ask_capability && response->status == ML_RESPONSE_OK && !session->saw_capability)
    return ml_imap_session_refuse(session, error, "it does not say what it can do");
  session->status = response->status;
  g_free(session->words);
  g_free(session->code);
  session->words = g_strdup(response->text);
  session->code = response->code ? ml_node_dup(response->code) : NULL;
  if (ml_node_is(response->code, "READ-ONLY"))
    session->read_only = TRUE;
  return TRUE;
}

/* Whom what comes untagged is for, of those that were sent together: the first that is not answered, but an ESEARCH names
 * its command (RFC 4731 3.1). NULL: nobody. */
static MlImapAsk *
meant(MlImapSession *session, const MlResponse *response)
{
  const MlNode *correlator = response->kind == ML_RESPONSE_ESEARCH ? response->data : NULL;
  if (!correlator || correlator->kind != ML_NODE_LIST || !ml_node_is(correlator->child, "TAG"))
    return g_queue_peek_head(&session->asked);
  for (const GList *link = session->asked.head; link; link = link->next) {
    MlImapAsk *ask = link->data;
    char tag[16];
    g_snprintf(tag, sizeof tag, "%d", ask->tag);
    if (ml_node_is(correlator->child->next, tag))
      return ask;
  }
  return NULL;
}

static gboolean
on_response(const MlResponse *response, gpointer user_data, GError **error)
{
  MlImapSession *session = user_data;
  if (!session->greeted)
    return take_greeting(session, response, error);
  gboolean ok = TRUE;
  switch (response->kind) {
  case ML_RESPONSE_TAGGED:
    ok = take_code(session, response, error) && take_tagged(session, response, error);
    break;
  case ML_RESPONSE_OK:
  case ML_RESPONSE_NO:
  case ML_RESPONSE_BAD:
    ok = take_code(session, response, error);
    break;
  case ML_RESPONSE_BYE:
    g_set_error(error, ML_ERROR, ML_ERROR_OFFLINE, "%s has ended the connection: %s", session->host,
                response->text);
    ok = FALSE;
    break;
  case ML_RESPONSE_CAPABILITY:
    take_capabilities(session, response->data);
    break;
  case ML_RESPONSE_EXISTS:
    ok = ml_imap_slots_exists(session, response->number, error);
    break;
  case ML_RESPONSE_EXPUNGE:
    ok = ml_imap_slots_expunge(session, response->number, error);
    break;
  case ML_RESPONSE_FETCH:
    ml_imap_slots_fetch(session, response);
    break;
  case ML_RESPONSE_VANISHED:
    ml_imap_slots_vanished(session, response->data);
    break;
  case ML_RESPONSE_MALFORMED:
    g_debug("%s: a response that cannot be read was left out", session->host);
    break;
  default:
    break;
  }
  MlImapAsk *ask = session->answered ? meant(session, response) : NULL;
  if (ok && session->data)
    session->data(session, response, session->data_user);
  else if (ok && ask && ask->data && response->kind != ML_RESPONSE_TAGGED)
    ask->data(session, response, ask->user_data);
  return ok;
}

/* ---- commands */

gboolean
ml_imap_session_is_broken(const GError *error)
{
  return g_error_matches(error, ML_ERROR, ML_ERROR_OFFLINE) ||
         g_error_matches(error, ML_ERROR, ML_ERROR_PROTOCOL) ||
         g_error_matches(error, ML_ERROR, ML_ERROR_CANCELLED);
}

/* What a call of libetpan came to. Its own codes say little; the stream and the last tagged response say
 * more. */
static gboolean
outcome(MlImapSession *session, int result, const char *what, GError **error)
{
  if (session->stream->wire.error) {
    g_propagate_error(error, g_error_copy(session->stream->wire.error));
    return FALSE;
  }
  if (result == MAILIMAP_NO_ERROR)
    return TRUE;
  if (result == MAILIMAP_ERROR_STREAM || result == MAILIMAP_ERROR_PARSE || result == MAILIMAP_ERROR_FATAL ||
      result == MAILIMAP_ERROR_MEMORY || result == MAILIMAP_ERROR_BAD_STATE) {
    ml_imap_stream_fail(session->stream);
    return ml_imap_session_refuse(session, error, "its answer to %s could not be read", what);
  }
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s refuses %s: %s", session->host, what,
              session->words && *session->words ? session->words : "no reason given");
  return FALSE;
}

/* What was sent ahead and is not answered yet comes before anything else. */
gboolean
ml_imap_session_settle(MlImapSession *session, GError **error)
{
  if (session->piping)
    return TRUE;
  if (session->ahead && !ml_imap_ahead_settle(session, error))
    return FALSE;
  while (!g_queue_is_empty(&session->asked))
    if (!ml_imap_stream_next(session->stream, error))
      return FALSE;
  return TRUE;
}

static gboolean
is_one_line(const char *command, GError **error)
{
  gboolean one = !strpbrk(command, "\r\n");
  if (!one)
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "A name with a line break cannot be sent to the server.");
  return one;
}

/* A line goes in one piece: each piece is a record of TLS and a packet. It may hold a password. */
static gboolean
put(MlImapSession *session, const char *command, GError **error)
{
  gsize size = strlen(command) + 16;
  char *line = g_malloc(size);
  int length = g_snprintf(line, size, "%d %s\r\n", ++session->imap->imap_tag, command);
  gboolean ok = ml_imap_stream_write(session->stream, line, (gsize)length, error);
  explicit_bzero(line, size);
  g_free(line);
  return ok;
}

/* ---- several, in one piece as well */

static gboolean
send_piped(MlImapSession *session, GError **error)
{
  gboolean ok = !session->piped->len ||
                ml_imap_stream_write(session->stream, session->piped->str, session->piped->len, error);
  g_string_truncate(session->piped, 0);
  return ok;
}

void
ml_imap_session_pipe(MlImapSession *session)
{
  g_assert(!session->piping);
  session->piping = TRUE;
}

gboolean
ml_imap_session_pipe_end(MlImapSession *session, GError **error)
{
  session->piping = FALSE;
  return send_piped(session, error);
}

gboolean
ml_imap_session_send(MlImapSession *session, const char *command, GError **error)
{
  if (!ml_imap_session_settle(session, error) || !send_piped(session, error) || !is_one_line(command, error))
    return FALSE;
  session->status = ML_RESPONSE_OTHER;
  session->answered = FALSE;
  session->tag = session->imap->imap_tag + 1;
  return put(session, command, error);
}

/* How the command ended whose status the session has. */
static gboolean
ended(MlImapSession *session, GError **error)
{
  if (session->status == ML_RESPONSE_OK)
    return TRUE;
  g_set_error(error, ML_ERROR, ML_ERROR_FAILED, "%s refuses: %s", session->host,
              *session->words ? session->words : "no reason given");
  return FALSE;
}

gboolean
ml_imap_session_ask(MlImapSession *session, MlImapAsk *ask, GError **error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *command = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_assert(session->piping && !ask->tag);
  if (ml_wire_is_dead(&session->stream->wire, error) || !is_one_line(command, error))
    return FALSE;
  ask->tag = ++session->imap->imap_tag;
  g_queue_push_tail(&session->asked, ask);
  g_string_append_printf(session->piped, "%d %s\r\n", ask->tag, command);
  return TRUE;
}

gboolean
ml_imap_session_answer(MlImapSession *session, MlImapAsk *ask, GError **error)
{
  while (!ask->done)
    if (!ml_imap_stream_next(session->stream, error))
      return FALSE;
  session->status = ask->status;
  g_free(session->words);
  g_free(session->code);
  session->words = g_strdup(ask->words);
  session->code = g_strdup(ask->code);
  return ended(session, error);
}

gboolean
ml_imap_session_finish(MlImapSession *session, gboolean *go_on, char **challenge, GError **error)
{
  if (go_on)
    *go_on = FALSE;
  for (;;) {
    const MlResponse *response = ml_imap_stream_next(session->stream, error);
    if (!response)
      return FALSE;
    if (response->kind == ML_RESPONSE_CONTINUE && go_on) {
      *go_on = TRUE;
      if (challenge)
        *challenge = g_strdup(response->text);
      return TRUE;
    }
    if (response->kind == ML_RESPONSE_TAGGED)
      return ended(session, error);
  }
}

gboolean
ml_imap_session_command(MlImapSession *session, MlImapDataFunc data, gpointer user_data, GError **error,
                        const char *format, ...)
{
  session->sent = FALSE;
  if (!ml_imap_session_settle(session, error))
    return FALSE;
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *command = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  session->data = data;
  session->data_user = user_data;
  session->sent = ml_imap_session_send(session, command, error);
  gboolean ok = session->sent && ml_imap_session_finish(session, NULL, NULL, error);
  session->data = NULL;
  return ok;
}

gboolean
ml_imap_session_greet(MlImapSession *session, GError **error)
{
  /* In clear anybody may have written it. */
  session->believe = crypto_tls_is_encrypted(session->stream->wire.tls);
  int result = ml_etpan(NULL)->mailimap_connect(session->imap, session->stream->wire.stream);
  session->believe = FALSE;
  if (result == MAILIMAP_NO_ERROR_AUTHENTICATED || result == MAILIMAP_NO_ERROR_NON_AUTHENTICATED)
    result = MAILIMAP_NO_ERROR;
  return outcome(session, result, "its greeting", error);
}

gboolean
ml_imap_session_send_early(MlImapSession *session, const char *command, GError **error)
{
  g_autofree char *line = g_strdup_printf("%d %s\r\n", EARLY_TAG, command);
  session->status = ML_RESPONSE_OTHER;
  session->answered = FALSE;
  session->tag = EARLY_TAG;
  return ml_imap_stream_write(session->stream, line, strlen(line), error);
}

gboolean
ml_imap_session_greet_early(MlImapSession *session, GError **error)
{
  gboolean believe = session->believe;
  if (!ml_imap_session_greet(session, error))
    return FALSE;
  session->imap->imap_tag = EARLY_TAG;
  session->believe = believe;
  session->saw_capability = FALSE;
  return TRUE;
}

void
ml_imap_session_capability_data(MlImapSession *session)
{
  session->caps = 0;
  g_ptr_array_set_size(session->auths, 0);
  session->saw_capability = FALSE;
}

gboolean
ml_imap_session_capability(MlImapSession *session, GError **error)
{
  struct mailimap_capability_data *data = NULL;
  if (!ml_imap_session_settle(session, error))
    return FALSE;
  /* What was learnt in clear is forgotten. */
  ml_imap_session_capability_data(session);
  session->ask_capability = TRUE;
  session->tag = 0;
  session->answered = FALSE;
  int result = ml_etpan(NULL)->mailimap_capability(session->imap, &data);
  session->ask_capability = FALSE;
  if (data)
    ml_etpan(NULL)->mailimap_capability_data_free(data);
  return outcome(session, result, "the question what it can do", error);
}

gboolean
ml_imap_session_starttls(MlImapSession *session, GError **error)
{
  if (!(session->caps & ML_IMAP_STARTTLS)) {
    g_set_error(error, ML_ERROR, ML_ERROR_FAILED,
                "%s offers no encryption on this port (STARTTLS). Nothing was sent; use imaps:// in "
                "signet.conf if it has a port for that.",
                session->host);
    return FALSE;
  }
  session->tag = 0;
  session->answered = FALSE;
  int result = ml_etpan(NULL)->mailimap_starttls(session->imap);
  ml_imap_session_capability_data(session); /* what was learnt in clear is forgotten */
  /* A line that a stranger put behind the answer would be taken for the server's after the handshake. */
  if (result == MAILIMAP_NO_ERROR && !ml_imap_stream_is_clean(session->stream)) {
    ml_imap_stream_fail(session->stream);
    return ml_imap_session_refuse(session, error,
                  "it sends data between STARTTLS and the encryption, which may be an attack");
  }
  if (!outcome(session,
               result == MAILIMAP_ERROR_STARTTLS && session->status == ML_RESPONSE_OK ? MAILIMAP_ERROR_STREAM
                                                                                      : result,
               "STARTTLS", error))
    return FALSE;
  GError *why = NULL;
  if (!crypto_tls_start(session->stream->wire.tls, &why)) {
    ml_imap_stream_fail(session->stream);
    ml_line_error(why, error);
    return FALSE;
  }
  return TRUE;
}

gboolean
ml_imap_session_noop(MlImapSession *session, GError **error)
{
  if (!ml_imap_session_settle(session, error))
    return FALSE;
  session->tag = 0;
  session->answered = FALSE;
  return outcome(session, ml_etpan(NULL)->mailimap_noop(session->imap), "NOOP", error);
}

void
ml_imap_session_selecting(MlImapSession *session)
{
  g_clear_pointer(&session->folder, g_free);
  g_array_set_size(session->slots, 0);
  session->listening = session->read_only = session->keywords = session->forwarded = FALSE;
  session->uidvalidity = session->uidnext = 0;
  session->modseq = 0;
  ml_changes_free(session->changes);
  session->changes = ml_changes_new();
}

/* There is no such folder: said by a code, or by a NO without one. With another code it may also mean that one must not
 * look into it, or cannot now (RFC 9051 7.1): then nothing is known. */
static gboolean
says_missing(const MlImapSession *session)
{
  static const char *const codes[] = { "NONEXISTENT", "TRYCREATE" };
  gboolean missing = !session->code;
  for (gsize i = 0; i < G_N_ELEMENTS(codes) && !missing; i++)
    missing = g_ascii_strcasecmp(session->code, codes[i]) == 0;
  return missing;
}

gboolean
ml_imap_session_selected(MlImapSession *session, const char *folder, gboolean ok, GError **error)
{
  if (ok) {
    session->folder = g_strdup(folder);
    session->listening = TRUE;
  } else if (session->status == ML_RESPONSE_NO && !session->stream->wire.error) {
    g_clear_error(error);
    g_set_error(error, ML_ERROR, says_missing(session) ? ML_ERROR_NO_FOLDER : ML_ERROR_NOT_FOUND,
                "%s does not open the folder \"%s\": %s", session->host, folder, session->words);
  }
  return ok;
}

gboolean
ml_imap_session_select(MlImapSession *session, const char *folder, const char *parameters, GError **error)
{
  g_autofree char *mailbox =
      ml_imap_session_settle(session, error) ? ml_imap_session_mailbox(session, folder, error) : NULL;
  if (!mailbox)
    return FALSE;
  ml_imap_session_selecting(session);
  g_autofree char *quoted = ml_imap_quote(mailbox);
  g_autofree char *more = parameters ? g_strdup_printf(" (%s)", parameters) : g_strdup("");
  gboolean ok = ml_imap_session_command(session, NULL, NULL, error, "SELECT %s%s", quoted, more);
  return ml_imap_session_selected(session, folder, ok, error);
}

gboolean
ml_imap_session_has_auth(MlImapSession *session, const char *mechanism)
{
  for (guint i = 0; i < session->auths->len; i++)
    if (strcmp(g_ptr_array_index(session->auths, i), mechanism) == 0)
      return TRUE;
  return FALSE;
}

static void
on_delimiter(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)user_data;
  const MlNode *delimiter =
      response->kind == ML_RESPONSE_LIST && response->data ? response->data->next : NULL;
  if (delimiter && delimiter->kind == ML_NODE_STRING && delimiter->length == 1)
    session->delimiter = delimiter->text[0];
}

char *
ml_imap_session_mailbox(MlImapSession *session, const char *folder, GError **error)
{
  if (!*folder || strlen(folder) > 1000 || !g_utf8_validate(folder, -1, NULL) || strpbrk(folder, "\r\n")) {
    g_set_error(error, ML_ERROR, ML_ERROR_NO_FOLDER, "This cannot be the name of a folder.");
    return NULL;
  }
  gboolean deep = strchr(folder, '/') != NULL;
  if (deep && !session->delimiter &&
      !ml_imap_session_command(session, on_delimiter, NULL, error, "LIST \"\" \"\""))
    return NULL;
  char *mailbox = ml_utf7_encode(folder);
  if (deep && session->delimiter && session->delimiter != '/')
    g_strdelimit(mailbox, "/", session->delimiter);
  return mailbox;
}

char *
ml_imap_quote(const char *text)
{
  GString *quoted = g_string_new("\"");
  for (const char *p = text; *p; p++) {
    if (*p == '"' || *p == '\\')
      g_string_append_c(quoted, '\\');
    g_string_append_c(quoted, *p);
  }
  g_string_append_c(quoted, '"');
  return g_string_free(quoted, FALSE);
}

MlImapSession *
ml_imap_session_new(CryptoTls *tls, const char *host)
{
  MlImapSession *session = g_new0(MlImapSession, 1);
  session->host = g_strdup(host);
  session->began = g_get_monotonic_time();
  session->auths = g_ptr_array_new_with_free_func(g_free);
  session->slots = g_array_new(FALSE, TRUE, sizeof(MlImapSlot));
  session->changes = ml_changes_new();
  g_queue_init(&session->asked);
  session->piped = g_string_new(NULL);
  session->answered = TRUE; /* nothing is asked yet */
  session->imap = ml_etpan(NULL)->mailimap_new(0, NULL);
  g_assert(session->imap != NULL);
  session->stream = ml_imap_stream_new(tls, on_response, session);
  return session;
}

void
ml_imap_session_free(MlImapSession *session)
{
  if (!session)
    return;
  /* The stream is dead before libetpan lets go of it, so that its LOGOUT goes nowhere and waits for
   * nothing. */
  ml_imap_stream_fail(session->stream);
  gboolean taken = session->imap->imap_stream != NULL;
  ml_etpan(NULL)->mailimap_free(session->imap);
  if (!taken)
    ml_etpan(NULL)->mailstream_close(session->stream->wire.stream);
  ml_imap_stream_free(session->stream);
  ml_imap_ahead_free(session->ahead);
  g_queue_clear(&session->asked);
  g_string_free(session->piped, TRUE);
  g_free(session->host);
  g_ptr_array_unref(session->auths);
  g_free(session->folder);
  g_array_unref(session->slots);
  ml_changes_free(session->changes);
  g_free(session->code);
  g_free(session->words);
  g_free(session);
}
