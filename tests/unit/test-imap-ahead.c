/* Commands that are sent together: their answers, in whatever order and shape a server gives them. */
#include "tests/unit/imap-server.h"

#define GREETING "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n"
#define CAPABILITY                                                                                           \
  {                                                                                                          \
    "CAPABILITY", "* CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC\r\n$ OK done\r\n"                         \
  }
#define THREE "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 41] x\r\n* OK [HIGHESTMODSEQ 9] x\r\n"
#define LINE(n, uid) "* " n " FETCH (UID " uid " FLAGS () BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: x\r\n\r\n)\r\n"

/* Asked of a server that answers so: SELECT, then FETCH 2:*. */
typedef struct {
  Server server;
  MlImapSession *session;
} Talk;

/* A server that hangs up at its first answer may do so while the rest is being sent: then why is set. */
static Talk *
begin_with(const Rule *rules, MlImapExpected expected, GError **why)
{
  g_autoptr(GError) error = NULL;
  Talk *talk = g_new0(Talk, 1);
  talk->session = start(&talk->server, GREETING, rules);
  gboolean ok = ml_imap_session_greet(talk->session, &error) && ml_imap_session_capability(talk->session, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  expected.folder = (char *)"INBOX";
  ok = ml_imap_ahead_send(talk->session, &expected, talk->session->caps, FALSE, why);
  g_assert_cmpint(ok, ==, *why == NULL);
  return talk;
}

static Talk *
begin_badly(const Rule *rules, const MlSyncPoint *known, GError **why)
{
  return begin_with(rules, (MlImapExpected){ .known = *known, .from = known->uidvalidity ? 0 : 2 }, why);
}

static Talk *
begin(const Rule *rules, const MlSyncPoint *known)
{
  g_autoptr(GError) error = NULL;
  Talk *talk = begin_badly(rules, known, &error);
  g_assert_no_error(error);
  return talk;
}

static void
end(Talk *talk)
{
  stop(&talk->server, talk->session);
  g_free(talk);
}

static const MlSyncPoint nothing = { 0 };

static gboolean
take_select(Talk *talk, const MlSyncPoint *known, GArray *earlier, gboolean *resynced, GError **error)
{
  g_assert_true(ml_imap_ahead_is(talk->session, "INBOX", known));
  g_assert_false(ml_imap_ahead_is(talk->session, "Sent", known));
  return ml_imap_ahead_select(talk->session, earlier, resynced, error);
}

/* All goes well. */
static void
test_well(void)
{
  static const Rule rules[] = { CAPABILITY,
                                { "ENABLE", "* ENABLED QRESYNC\r\n$ OK done\r\n" },
                                { "SELECT", THREE "$ OK [READ-ONLY] done\r\n" },
                                { "FETCH 2:*", LINE("2", "20") LINE("3", "40") "$ OK done\r\n" },
                                { "NOOP", "* 4 EXISTS\r\n$ OK done\r\n" },
                                { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
  gboolean resynced;
  guint32 lowest = 0;
  Talk *talk = begin(rules, &nothing);
  gboolean ok = take_select(talk, &nothing, earlier, &resynced, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_false(resynced);
  g_assert_true(talk->session->qresync);
  g_assert_true(talk->session->read_only);
  g_assert_cmpuint(talk->session->slots->len, ==, 3);
  g_assert_cmpstr(talk->session->folder, ==, "INBOX");
  g_autoptr(GPtrArray) headers = ml_imap_ahead_headers(talk->session, &lowest, &error);
  g_assert_no_error(error);
  g_assert_nonnull(headers);
  g_assert_cmpuint(headers->len, ==, 2);
  g_assert_cmpuint(lowest, ==, 2);
  g_assert_null(talk->session->ahead);
  ok = ml_imap_session_noop(talk->session, &error);
  g_assert_true(ok);
  g_assert_true(talk->session->changes->new_mail);
  end(talk);
}

/* How many messages there are was not known: the newest are asked for on the answer to SELECT, by whoever took it. */
static void
test_total_unknown(void)
{
  static const struct {
    const char *exists, *fetch, *lines;
    guint first, lowest, headers;
  } cases[] = {
    { THREE, "FETCH 2:*", LINE("2", "20") LINE("3", "40"), 2, 2, 2 },
    { THREE, "FETCH 1:*", LINE("1", "10") LINE("2", "20") LINE("3", "40"), 3, 1, 3 },
    { THREE, "FETCH 1:*", LINE("1", "10") LINE("2", "20") LINE("3", "40"), 40, 1, 3 },
    { "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n", "FETCH", "", 40, 0, 0 },
    { THREE, "FETCH", "", 0, 0, 0 }, /* nobody wants them one by one */
    { "* 301 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n", "FETCH", "", 301, 0, 0 }, /* much: it is compressed first */
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *select = g_strconcat(cases[i].exists, "$ OK done\r\n", NULL);
    g_autofree char *fetch = g_strconcat(cases[i].lines, "$ OK done\r\n", NULL);
    const Rule rules[] = { CAPABILITY, { "ENABLE", "$ OK done\r\n" }, { "SELECT", select },
                           { cases[i].fetch, fetch }, { NULL, NULL } };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
    gboolean resynced;
    guint32 lowest = 0;
    Talk *talk = begin_with(rules, (MlImapExpected){ .first = cases[i].first }, &error);
    g_assert_no_error(error);
    gboolean ok = take_select(talk, &nothing, earlier, &resynced, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpuint(g_queue_get_length(&talk->session->asked), ==, cases[i].headers ? 1 : 0);
    g_autoptr(GPtrArray) headers = ml_imap_ahead_headers(talk->session, &lowest, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(headers ? headers->len : 0, ==, cases[i].headers);
    g_assert_cmpuint(lowest, ==, cases[i].lowest);
    g_assert_null(talk->session->ahead);
    end(talk);
  }
}

/* The line breaks over it. */
static void
test_total_unknown_hostile(void)
{
  static const Rule rules[] = { CAPABILITY, { "ENABLE", "$ OK done\r\n" }, { "SELECT", THREE "$ OK done\r\n!" },
                                { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
  gboolean resynced;
  guint32 lowest;
  Talk *talk = begin_with(rules, (MlImapExpected){ .first = 2 }, &error);
  g_assert_no_error(error);
  if (take_select(talk, &nothing, earlier, &resynced, &error)) /* the system may have taken the FETCH for a while */
    g_assert_null(ml_imap_ahead_headers(talk->session, &lowest, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_OFFLINE);
  end(talk);
}

/* What nobody came for is read before the next command, whose answer is its own. */
static void
test_not_wanted(void)
{
  static const Rule rules[] = { CAPABILITY,
                                { "ENABLE", "$ OK done\r\n" },
                                { "SELECT INBOX", THREE "$ OK done\r\n" },
                                { "SELECT \"INBOX\"", THREE "$ OK done\r\n" },
                                { "SELECT \"Sent\"", "* 1 EXISTS\r\n* OK [UIDVALIDITY 8] x\r\n$ OK done\r\n" },
                                { "FETCH 2:*", LINE("2", "20") LINE("3", "40") "$ OK done\r\n" },
                                { "COPY", "$ NO [TRYCREATE] no such thing\r\n" },
                                { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  Talk *talk = begin(rules, &nothing);
  gboolean ok = ml_imap_session_command(talk->session, NULL, NULL, &error, "COPY 1 x");
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_false(ok);
  g_assert_cmpstr(talk->session->code, ==, "TRYCREATE");
  g_assert_cmpstr(talk->session->folder, ==, "INBOX");
  g_clear_error(&error);
  ok = ml_imap_session_select(talk->session, "Sent", NULL, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(talk->session->slots->len, ==, 1);
  end(talk);
}

/* Each of them is refused for itself, and the line goes on. */
static void
test_refused(void)
{
  static const Rule rules[] = { CAPABILITY,
                                { "ENABLE", "$ BAD no\r\n" },
                                { "SELECT", "$ NO [NONEXISTENT] no such folder\r\n" },
                                { "FETCH", LINE("1", "20") "$ BAD nothing is selected\r\n" },
                                { "LIST", "$ OK that was the list\r\n" },
                                { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
  gboolean resynced;
  guint32 lowest;
  Talk *talk = begin(rules, &nothing);
  gboolean ok = take_select(talk, &nothing, earlier, &resynced, &error);
  g_assert_error(error, ML_ERROR, ML_ERROR_NO_FOLDER);
  g_assert_false(ok);
  g_assert_cmpint(talk->session->status, ==, ML_RESPONSE_NO);
  g_assert_null(talk->session->folder);
  g_assert_false(talk->session->qresync);
  g_clear_error(&error);
  g_assert_null(ml_imap_ahead_headers(talk->session, &lowest, &error));
  g_assert_no_error(error);
  ok = ml_imap_session_command(talk->session, NULL, NULL, &error, "LIST \"\" *");
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpstr(talk->session->words, ==, "that was the list");
  end(talk);
}

/* SELECT goes well and FETCH does not come to what the folder has: it is asked for again, as if nothing had been. */
static void
test_headers_amiss(void)
{
  static const char *const cases[] = {
    "$ NO not today\r\n",
    LINE("3", "40") "$ OK one is missing\r\n",
    LINE("2", "20") LINE("3", "40") "* 4 EXISTS\r\n$ OK one more came meanwhile\r\n",
    LINE("1", "10") LINE("2", "20") LINE("3", "40") "$ OK one too many\r\n",
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    const Rule rules[] = { CAPABILITY, { "ENABLE", "$ OK done\r\n" }, { "SELECT", THREE "$ OK done\r\n" },
                           { "FETCH 2:*", cases[i] }, { NULL, NULL } };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
    gboolean resynced;
    guint32 lowest;
    Talk *talk = begin(rules, &nothing);
    gboolean ok = take_select(talk, &nothing, earlier, &resynced, &error);
    g_assert_true(ok);
    GPtrArray *headers = ml_imap_ahead_headers(talk->session, &lowest, &error);
    g_assert_no_error(error);
    g_assert_null(headers);
    g_assert_null(talk->session->ahead);
    end(talk);
  }
}

/* Orders that no server may choose, and ends in the middle: the line is closed, and nothing is taken for something else. */
static void
test_hostile(void)
{
  static const struct {
    const char *enable, *select, *fetch;
    int code;
  } cases[] = {
    { "99 OK early\r\n$ OK done\r\n", "", "", ML_ERROR_PROTOCOL },             /* what was not asked */
    { "$ OK done\r\n$ OK done\r\n", "", "", ML_ERROR_PROTOCOL },               /* twice */
    { "", "$ OK the second before the first\r\n", "", ML_ERROR_PROTOCOL },
    { "$ OK done\r\n", "* BYE too much at once\r\n!", "", ML_ERROR_OFFLINE },
    { "$ OK done\r\n", "* 3 EXISTS\r\n!", "", ML_ERROR_OFFLINE },
    { "$ OK done\r\n", "* 99999999 EXISTS\r\n$ OK done\r\n", "", ML_ERROR_PROTOCOL },
    { "$ OK done\r\n", "* OK [PERMANENTFLAGS (%] x\r\n$ OK done\r\n", "", ML_ERROR_PROTOCOL },
    { "$ OK done\r\n!", "", "", ML_ERROR_OFFLINE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    const Rule rules[] = { CAPABILITY, { "ENABLE", cases[i].enable }, { "SELECT", cases[i].select },
                           { "FETCH", cases[i].fetch }, { NULL, NULL } };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
    gboolean resynced;
    Talk *talk = begin_badly(rules, &nothing, &error);
    gboolean ok = !error && take_select(talk, &nothing, earlier, &resynced, &error);
    g_test_message("%u: %s", i, error ? error->message : "well");
    g_assert_false(ok);
    g_assert_error(error, ML_ERROR, cases[i].code);
    g_assert_null(talk->session->folder);
    g_clear_error(&error);
    ok = ml_imap_session_command(talk->session, NULL, NULL, &error, "NOOP");
    g_assert_false(ok);
    g_assert_error(error, ML_ERROR, cases[i].code);
    end(talk);
  }
}

/* Data before its time is not believed: messages of a folder that is not open yet. */
static void
test_early(void)
{
  static const Rule rules[] = { CAPABILITY,
                                { "ENABLE", LINE("1", "666") "* 9 EXISTS\r\n* VANISHED 1:5\r\n$ OK done\r\n" },
                                { "SELECT", LINE("2", "667") THREE LINE("3", "668") "$ OK done\r\n" },
                                { "FETCH", LINE("2", "20") LINE("3", "40") "$ OK done\r\n" },
                                { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
  gboolean resynced;
  guint32 lowest = 0;
  Talk *talk = begin(rules, &nothing);
  gboolean ok = take_select(talk, &nothing, earlier, &resynced, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(talk->session->slots->len, ==, 3);
  g_autoptr(GPtrArray) headers = ml_imap_ahead_headers(talk->session, &lowest, &error);
  g_assert_nonnull(headers);
  for (guint i = 0; i < headers->len; i++)
    g_assert_cmpuint(((MlHeader *)g_ptr_array_index(headers, i))->uid, <, 600);
  end(talk);
}

/* QRESYNC in the same go: what has gone is told; where ENABLE was refused nothing is believed to be resynchronised. */
static void
test_resynced(void)
{
  static const MlSyncPoint known = { 7, 31, 5 };
  for (guint refused = 0; refused < 2; refused++) {
    const Rule rules[] = { CAPABILITY,
                           { "ENABLE", refused ? "$ NO no\r\n" : "$ OK done\r\n" },
                           { "(QRESYNC (7 5))", THREE "* VANISHED (EARLIER) 25:39\r\n"
                                                      "* 1 FETCH (UID 10 FLAGS (\\Seen) MODSEQ (8))\r\n$ OK done\r\n" },
                           { NULL, NULL } };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) earlier = g_array_new(FALSE, FALSE, sizeof(MlImapRange));
    gboolean resynced;
    Talk *talk = begin(rules, &known);
    g_assert_false(ml_imap_ahead_is(talk->session, "INBOX", &nothing));
    gboolean ok = take_select(talk, &known, earlier, &resynced, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpint(resynced, ==, !refused);
    g_assert_cmpuint(earlier->len, ==, refused ? 0 : 1);
    g_assert_cmpuint(g_array_index(talk->session->slots, MlImapSlot, 0).uid, ==, 10);
    g_assert_null(talk->session->earlier);
    g_assert_null(talk->session->ahead);
    end(talk);
  }
}

/* What is remembered holds nothing that decides about security, and reads nothing but what is written. */
static void
test_words(void)
{
  static const Rule rules[] = {
    { "CAPABILITY", "* CAPABILITY IMAP4rev1 QRESYNC ENABLE STARTTLS LOGINDISABLED SASL-IR AUTH=PLAIN IDLE\r\n$ OK x\r\n" },
    { NULL, NULL }
  };
  g_autoptr(GError) error = NULL;
  Server server;
  MlImapServer known;
  MlImapSession *session = start(&server, GREETING, rules);
  gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error);
  g_assert_true(ok);
  g_autofree char *words =
      ml_imap_server_words(&(MlImapServer){ .caps = session->caps, .delimiter = '.', .told = TRUE, .scram = TRUE });
  g_assert_cmpstr(words, ==, "told scram delimiter=. ENABLE CONDSTORE QRESYNC");
  ml_imap_server_read(words, &known);
  g_assert_cmpuint(known.caps, ==, ML_IMAP_ENABLE | ML_IMAP_CONDSTORE | ML_IMAP_QRESYNC);
  g_assert_cmpint(known.delimiter, ==, '.');
  g_assert_true(known.told && known.scram);
  g_assert_false(known.stepwise || known.late);
  ml_imap_server_read("stepwise late=20 STARTTLS LOGINDISABLED AUTH=PLAIN SASL-IR delimiter= delimiter=\n QRESYNCS scrams",
                      &known);
  g_assert_cmpuint(known.caps, ==, 0);
  g_assert_cmpint(known.delimiter, ==, '\0');
  g_assert_true(known.stepwise);
  g_assert_cmpuint(known.late, ==, 20);
  g_assert_false(known.told || known.scram);
  stop(&server, session);
}

/* What a greeting says in clear is not taken for what the server can do. */
static void
test_clear_greeting(void)
{
  static const Rule rules[] = { { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  Server server;
  MlImapSession *session = start(&server, "* OK [CAPABILITY IMAP4rev1 SASL-IR ENABLE AUTH=PLAIN] hi\r\n", rules);
  gboolean ok = ml_imap_session_greet(session, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_false(session->saw_capability);
  g_assert_cmpuint(session->caps, ==, 0);
  g_assert_false(ml_imap_session_has_auth(session, "PLAIN"));
  stop(&server, session);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/ahead/well", test_well);
  g_test_add_func("/ahead/total-unknown", test_total_unknown);
  g_test_add_func("/ahead/total-unknown-hostile", test_total_unknown_hostile);
  g_test_add_func("/ahead/not-wanted", test_not_wanted);
  g_test_add_func("/ahead/refused", test_refused);
  g_test_add_func("/ahead/headers-amiss", test_headers_amiss);
  g_test_add_func("/ahead/hostile", test_hostile);
  g_test_add_func("/ahead/early", test_early);
  g_test_add_func("/ahead/resynced", test_resynced);
  g_test_add_func("/ahead/words", test_words);
  g_test_add_func("/ahead/clear-greeting", test_clear_greeting);
  return g_test_run();
}
