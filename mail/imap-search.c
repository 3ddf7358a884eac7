#include <string.h>

#include "mail/imap-private.h"

/* SEARCH (RFC 3501 6.4.4): the server's own idea of what fits, which is parts of words, whoever wrote it. */
enum { ANSWER_MAX = 1000 * 1000, SILENCE_MS = 5 * 60 * 1000 };

static void
on_search(MlImapSession *session, const MlResponse *response, gpointer user_data)
{
  (void)session;
  GArray *uids = user_data;
  if (response->kind != ML_RESPONSE_SEARCH)
    return;
  for (const MlNode *node = response->data; node && uids->len < ANSWER_MAX; node = node->next) {
    guint64 number;
    if (!ml_node_number(node, G_MAXUINT32, &number) || !number)
      continue;
    guint32 uid = (guint32)number;
    g_array_append_val(uids, uid);
  }
}

/* One line of the command, and the value that is a literal at its end; NULL: it is the last. */
typedef struct {
  char *line, *literal;
} Piece;

typedef struct {
  GArray *pieces; /* of Piece */
  GString *line;
} Command;

static void
add_value(Command *command, const char *value)
{
  if (g_str_is_ascii(value)) {
    g_autofree char *quoted = ml_imap_quote(value);
    g_string_append(command->line, quoted);
    return;
  }
  g_string_append_printf(command->line, "{%" G_GSIZE_FORMAT "}", strlen(value));
  Piece piece = { g_string_free(command->line, FALSE), g_strdup(value) };
  g_array_append_val(command->pieces, piece);
  command->line = g_string_new(NULL);
}

static void
add_term(Command *command, const MlQueryTerm *term)
{
  g_autofree char *value = g_strdup(term->text);
  for (char *at = value; *at; at++)
    if ((guchar)*at < ' ' || *at == 0x7f)
      *at = ' ';
  g_string_append(command->line, term->negated ? " NOT " : " ");
  if (term->fields == ML_QUERY_TO) {
    g_string_append(command->line, "OR TO ");
    add_value(command, value);
    g_string_append(command->line, " CC ");
  } else {
    g_string_append(command->line, term->fields == ML_QUERY_FROM      ? "FROM "
                                   : term->fields == ML_QUERY_SUBJECT ? "SUBJECT "
                                   : term->fields == ML_QUERY_BODY    ? "BODY "
                                                                      : "TEXT ");
  }
  add_value(command, value);
}

/* A server without an index reads every message first, and may say nothing meanwhile. */
static void
be_patient(MlImapSession *session)
{
  MlImapStream *stream = session->stream;
  if (ml_sieve_is_empty(stream->sieve) && !ml_wire_pending(&stream->wire))
    crypto_tls_wait(stream->wire.tls, SILENCE_MS, -1); /* what it died of is told by who reads */
}

static gboolean
run(MlImapSession *session, const GArray *pieces, GError **error)
{
  for (guint i = 0; i < pieces->len; i++) {
    const Piece *piece = &g_array_index(pieces, Piece, i);
    gboolean go_on = TRUE;
    gboolean ok = i == 0 ? ml_imap_session_send(session, piece->line, error)
                         : ml_imap_stream_write(session->stream, piece->line, strlen(piece->line), error) &&
                               ml_imap_stream_write(session->stream, "\r\n", 2, error);
    if (ok && !piece->literal)
      be_patient(session);
    if (!ok || !ml_imap_session_finish(session, piece->literal ? &go_on : NULL, NULL, error))
      return FALSE;
    if (piece->literal && !go_on)
      return TRUE; /* it has heard enough, and said OK */
    if (piece->literal &&
        !ml_imap_stream_write(session->stream, piece->literal, strlen(piece->literal), error))
      return FALSE;
  }
  return TRUE;
}

static int
newest_first(gconstpointer a, gconstpointer b)
{
  guint32 one = *(const guint32 *)a, other = *(const guint32 *)b;
  return one < other ? 1 : one > other ? -1 : 0;
}

static gboolean
is_wide(const MlQuery *query)
{
  for (guint i = 0; i < query->terms->len; i++)
    if (!g_str_is_ascii(((const MlQueryTerm *)query->terms->pdata[i])->text))
      return TRUE;
  return FALSE;
}

gboolean
ml_imap_search(MlDriver *driver, const MlQuery *query, GArray *uids, GError **error)
{
  MlImap *imap = (MlImap *)driver;
  if (!ml_imap_need_folder(imap, error))
    return FALSE;
  Command command = { g_array_new(FALSE, FALSE, sizeof(Piece)), g_string_new("UID SEARCH") };
  if (is_wide(query))
    g_string_append(command.line, " CHARSET UTF-8");
  for (guint i = 0; i < query->terms->len; i++)
    add_term(&command, query->terms->pdata[i]);
  Piece last = { g_string_free(command.line, FALSE), NULL };
  g_array_append_val(command.pieces, last);
  imap->session->data = on_search;
  imap->session->data_user = uids;
  gboolean ok = run(imap->session, command.pieces, error);
  imap->session->data = NULL;
  imap->session->data_user = NULL;
  for (guint i = 0; i < command.pieces->len; i++) {
    Piece *piece = &g_array_index(command.pieces, Piece, i);
    g_free(piece->line);
    g_free(piece->literal);
  }
  g_array_unref(command.pieces);
  g_array_sort(uids, newest_first);
  return ok;
}
