#include <string.h>

#include "mail/imap-private.h"

/* The first commands of a connection go to the server together, behind a login of one step if it bears that: at a
 * distance of 100 ms each answer that is not waited for is 100 ms. What they ask for follows from what the server could
 * do the last time. Where it cannot any more, each is refused for itself and done again by itself; nothing that decides
 * about security is remembered. */
struct MlImapAhead {
  MlImapExpected expected;
  MlImapAsk capability, enable, select, fetch;
  gboolean quick;    /* SELECT with QRESYNC */
  gboolean selected; /* SELECT was taken, or has failed */
  GArray *earlier;
  GPtrArray *headers;
};

void
ml_imap_expected_clear(MlImapExpected *expected)
{
  g_free(expected->server);
  g_free(expected->folder);
  *expected = (MlImapExpected){ 0 };
}

void
ml_imap_expect_headers(MlImapExpected *expected, guint total)
{
  expected->from = total > expected->first ? total - expected->first + 1 : 1;
}

static void
ask_clear(MlImapAsk *ask)
{
  g_free(ask->code);
  g_free(ask->words);
}

void
ml_imap_ahead_free(MlImapAhead *ahead)
{
  if (!ahead)
    return;
  ml_imap_expected_clear(&ahead->expected);
  ask_clear(&ahead->capability);
  ask_clear(&ahead->enable);
  ask_clear(&ahead->select);
  ask_clear(&ahead->fetch);
  g_array_unref(ahead->earlier);
  g_ptr_array_unref(ahead->headers);
  g_free(ahead);
}

/* ---- what is remembered of a server */

/* Nothing of STARTTLS or LOGINDISABLED, and of AUTH= no more than that SCRAM went well, by which no password is given away:
 * those are as the server says them, after the encryption, each time. */
static const struct {
  const char *word;
  guint cap;
} remembered[] = { { "ENABLE", ML_IMAP_ENABLE }, { "CONDSTORE", ML_IMAP_CONDSTORE }, { "QRESYNC", ML_IMAP_QRESYNC } };

char *
ml_imap_server_words(const MlImapServer *server)
{
  GString *words = g_string_new(server->stepwise ? "stepwise" : server->told ? "told" : "ask");
  if (server->scram)
    g_string_append(words, " scram");
  if (server->late)
    g_string_append_printf(words, " late=%u", server->late);
  if (server->delimiter)
    g_string_append_printf(words, " delimiter=%c", server->delimiter);
  for (guint i = 0; i < G_N_ELEMENTS(remembered); i++)
    if (server->caps & remembered[i].cap)
      g_string_append_printf(words, " %s", remembered[i].word);
  return g_string_free(words, FALSE);
}

void
ml_imap_server_read(const char *words, MlImapServer *server)
{
  g_auto(GStrv) each = g_strsplit(words, " ", 20);
  *server = (MlImapServer){ 0 };
  const struct {
    const char *word;
    gboolean *is;
  } ways[] = { { "told", &server->told }, { "stepwise", &server->stepwise }, { "scram", &server->scram } };
  for (guint i = 0; i < G_N_ELEMENTS(ways); i++)
    *ways[i].is = g_strv_contains((const char *const *)each, ways[i].word);
  for (guint i = 0; each[i]; i++) {
    if (g_str_has_prefix(each[i], "delimiter=") && strlen(each[i]) == 11 && g_ascii_ispunct(each[i][10]))
      server->delimiter = each[i][10];
    if (g_str_has_prefix(each[i], "late="))
      server->late = (guint)g_ascii_strtoull(each[i] + 5, NULL, 10);
    for (guint j = 0; j < G_N_ELEMENTS(remembered); j++)
      if (strcmp(each[i], remembered[j].word) == 0)
        server->caps |= remembered[j].cap;
  }
}

/* ---- sending */

static gboolean
ask_headers(MlImapSession *session, MlImapAhead *ahead, GError **error)
{
  ahead->fetch.user_data = ahead->headers;
  return ml_imap_ask_headers(session, &ahead->fetch, ahead->expected.from, error);
}

static gboolean
send_select(MlImapSession *session, MlImapAhead *ahead, guint caps, GError **error)
{
  const MlImapExpected *expected = &ahead->expected;
  g_autofree char *mailbox = ml_imap_session_mailbox(session, expected->folder, error);
  if (!mailbox)
    return FALSE;
  g_autofree char *quoted = ml_imap_quote(mailbox), *made = NULL;
  const char *parameters = ml_imap_select_parameters(caps, ahead->enable.tag != 0, &expected->known, &made);
  ahead->quick = parameters && g_str_has_prefix(parameters, "QRESYNC");
  ml_imap_session_selecting(session);
  session->earlier = ahead->earlier;
  if (!ml_imap_session_ask(session, &ahead->select, error, parameters ? "SELECT %s (%s)" : "SELECT %s", quoted, parameters))
    return FALSE;
  return !expected->from || ask_headers(session, ahead, error);
}

static gboolean
send_all(MlImapSession *session, MlImapAhead *ahead, guint caps, gboolean capability, GError **error)
{
  const guint both = ML_IMAP_ENABLE | ML_IMAP_QRESYNC;
  const char *folder = ahead->expected.folder;
  if (capability && !ml_imap_session_ask(session, &ahead->capability, error, "CAPABILITY"))
    return FALSE;
  /* Before any folder is selected (RFC 5161 3.1), and once: who promises it and refuses goes without. */
  if ((caps & both) == both && !ml_imap_session_ask(session, &ahead->enable, error, "ENABLE QRESYNC"))
    return FALSE;
  if (!folder || (strchr(folder, '/') && !session->delimiter)) /* its name must be asked for first */
    return TRUE;
  return send_select(session, ahead, caps, error);
}

gboolean
ml_imap_ahead_send(MlImapSession *session, const MlImapExpected *expected, guint caps, gboolean capability,
                   GError **error)
{
  g_assert(!session->ahead);
  MlImapAhead *ahead = session->ahead = g_new0(MlImapAhead, 1);
  ahead->expected = *expected;
  ahead->expected.server = g_strdup(expected->server);
  ahead->expected.folder = g_strdup(expected->folder);
  ahead->earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
  ahead->headers = g_ptr_array_new_with_free_func((GDestroyNotify)ml_header_free);
  ml_imap_session_pipe(session);
  gboolean ok = send_all(session, ahead, caps, capability, error);
  return ml_imap_session_pipe_end(session, ok ? error : NULL) && ok;
}

/* ---- the answers */

/* Of one that was sent. FALSE: the line broke; else *ok says how it ended. */
static gboolean
take(MlImapSession *session, MlImapAsk *ask, gboolean *ok, GError **error)
{
  g_autoptr(GError) why = NULL;
  *ok = FALSE;
  if (!ask->tag)
    return TRUE;
  *ok = ml_imap_session_answer(session, ask, &why);
  ask->tag = 0;
  if (*ok || !ml_imap_session_is_broken(why))
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

static void
done(MlImapSession *session)
{
  session->earlier = NULL;
  g_clear_pointer(&session->ahead, ml_imap_ahead_free);
}

gboolean
ml_imap_ahead_capability(MlImapSession *session, GError **error)
{
  gboolean ok;
  return !session->ahead || take(session, &session->ahead->capability, &ok, error);
}

static gboolean
take_enable(MlImapSession *session, GError **error)
{
  gboolean ok, sent = session->ahead->enable.tag != 0;
  if (!ml_imap_ahead_capability(session, error) || !take(session, &session->ahead->enable, &ok, error))
    return FALSE;
  session->qresync |= sent && ok && (session->caps & ML_IMAP_QRESYNC);
  return TRUE;
}

gboolean
ml_imap_ahead_is(const MlImapSession *session, const char *folder, const MlSyncPoint *known)
{
  const MlImapAhead *ahead = session->ahead;
  return ahead && ahead->select.tag && strcmp(ahead->expected.folder, folder) == 0 &&
         ahead->expected.known.uidvalidity == known->uidvalidity && ahead->expected.known.modseq == known->modseq;
}

/* How many messages there are is known only now: the last of them are asked for before anything is done with the answer,
 * unless they are so many that COMPRESS comes first. */
static gboolean
ask_now(MlImapSession *session, MlImapAhead *ahead, GError **error)
{
  guint n = MIN(ahead->expected.first, session->slots->len);
  if (ahead->fetch.tag || !n || n > ML_IMAP_BULK)
    return TRUE;
  ml_imap_expect_headers(&ahead->expected, session->slots->len);
  ml_imap_session_pipe(session);
  gboolean ok = ask_headers(session, ahead, error);
  return ml_imap_session_pipe_end(session, ok ? error : NULL) && ok;
}

gboolean
ml_imap_ahead_select(MlImapSession *session, GArray *earlier, gboolean *resynced, GError **error)
{
  MlImapAhead *ahead = session->ahead;
  g_autoptr(GError) why = NULL;
  *resynced = FALSE;
  if (!take_enable(session, error))
    return FALSE;
  gboolean ok = ml_imap_session_answer(session, &ahead->select, &why);
  if (!ok && ml_imap_session_is_broken(why)) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  ahead->select.tag = 0;
  *resynced = ok && ahead->quick && session->qresync && session->earlier;
  if (*resynced)
    g_array_append_vals(earlier, ahead->earlier->data, ahead->earlier->len);
  session->earlier = NULL;
  if (ml_imap_session_selected(session, ahead->expected.folder, ok, &why)) {
    if (!ask_now(session, ahead, error))
      return FALSE;
    if (ahead->fetch.tag)
      return TRUE;
  }
  if (!ok && ahead->fetch.tag) { /* refused too: there is no folder */
    ahead->expected.from = 0;
    if (!take(session, &ahead->fetch, resynced, error))
      return FALSE;
    /* Its end is not the end that is asked for. */
    *resynced = FALSE;
    session->status = ahead->select.status;
    g_free(session->code);
    session->code = g_strdup(ahead->select.code);
  }
  done(session);
  if (!ok)
    g_propagate_error(error, g_steal_pointer(&why));
  return ok;
}

GPtrArray *
ml_imap_ahead_headers(MlImapSession *session, guint32 *lowest, GError **error)
{
  MlImapAhead *ahead = session->ahead;
  gboolean ok;
  if (!ahead || !ahead->fetch.tag || ahead->select.tag)
    return NULL;
  if (!take(session, &ahead->fetch, &ok, error))
    return NULL;
  guint total = session->slots->len;
  *lowest = MIN(ahead->expected.from, total);
  g_autoptr(GPtrArray) headers = g_ptr_array_ref(ahead->headers);
  done(session);
  return ok && total && headers->len == total - *lowest + 1 ? g_steal_pointer(&headers) : NULL;
}

gboolean
ml_imap_ahead_settle(MlImapSession *session, GError **error)
{
  MlImapAhead *ahead = session->ahead;
  gboolean ok;
  if (!ahead)
    return TRUE;
  if (!take_enable(session, error))
    return FALSE;
  gboolean selecting = ahead->select.tag != 0;
  if (!take(session, &ahead->select, &ok, error))
    return FALSE;
  session->earlier = NULL;
  if (selecting && ok)
    ml_imap_session_selected(session, ahead->expected.folder, TRUE, NULL);
  if (!take(session, &ahead->fetch, &ok, error))
    return FALSE;
  done(session);
  return TRUE;
}
