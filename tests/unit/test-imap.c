#include <gio/gio.h>
#include <glib/gstdio.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/pending.h"
#include "tests/unit/imap-server.h"

#define CAPABILITY                                                                                           \
  {                                                                                                          \
    "CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS AUTH=PLAIN\r\n$ OK done\r\n"                     \
  }
#define SELECT                                                                                               \
  {                                                                                                          \
    "SELECT",                                                                                                \
        "* FLAGS (\\Seen)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 2] x\r\n* OK [UIDVALIDITY 77] y\r\n"   \
        "* OK [PERMANENTFLAGS (\\Seen \\*)] z\r\n$ OK [READ-WRITE] done\r\n"                                 \
  }

static void
test_session(void)
{
  static const Rule rules[] = {
    CAPABILITY,
    SELECT,
    { "FETCH 1:3", "* 1 FETCH (UID 10 FLAGS ())\r\n* 2 FETCH (UID 20 FLAGS (\\Seen))\r\n* 3 FETCH (UID 30 "
                   "FLAGS ())\r\n$ OK done\r\n" },
    { "NOOP", "* 2 EXPUNGE\r\n* 4 EXISTS\r\n* 2 FETCH (FLAGS (\\Flagged))\r\n$ OK done\r\n" },
    { "COPY", "$ NO [TRYCREATE] no such thing\r\n" },
    { NULL, NULL },
  };
  g_autoptr(GError) error = NULL;
  Server server;
  MlImapSession *session = start(&server, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n", rules);
  gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error) &&
                ml_imap_session_select(session, "INBOX", NULL, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_assert_cmpuint(session->slots->len, ==, 3);
  g_assert_cmpuint(session->uidvalidity, ==, 77);
  g_assert_true(session->keywords);
  g_assert_false(session->read_only);
  g_assert_cmpuint(session->caps, ==, ML_IMAP_IDLE | ML_IMAP_MOVE | ML_IMAP_UIDPLUS);
  g_assert_true(ml_imap_session_has_auth(session, "PLAIN"));
  g_assert_true(ml_imap_session_command(session, NULL, NULL, &error, "FETCH 1:3 (UID FLAGS)"));
  g_assert_true(ml_changes_empty(session->changes));
  g_assert_true(ml_imap_session_noop(session, &error));
  g_assert_cmpuint(session->changes->vanished->len, ==, 1);
  g_assert_cmpuint(g_array_index(session->changes->vanished, guint32, 0), ==, 20);
  g_assert_true(session->changes->new_mail);
  g_assert_cmpuint(g_array_index(session->changes->flag_changes, MlFlagChange, 0).uid, ==, 30);
  g_assert_false(ml_imap_session_command(session, NULL, NULL, &error, "UID COPY 10 x"));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_cmpstr(session->code, ==, "TRYCREATE");
  g_assert_nonnull(strstr(error->message, "no such thing"));
  g_clear_error(&error);
  g_assert_false(ml_imap_session_command(session, NULL, NULL, &error, "LIST \"\" \"a\r\n9 DELETE x\""));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED); /* and nothing of it was sent */
  g_clear_error(&error);
  g_assert_false(ml_imap_session_select(session, "a\nb", NULL, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_NO_FOLDER);
  ml_imap_session_free(session);
  g_thread_join(server.thread);
  g_assert_null(strstr(server.heard->str, "DELETE"));
  g_string_free(server.heard, TRUE);
}

/* What notes and fuzzers found: each ends in an error of the expected kind, soon, and without a crash. */
static void
test_hostile(void)
{
  g_autofree char *many = g_strnfill(200000, '(');
  g_autofree char *deep = g_strdup_printf("* 1 FETCH (BODYSTRUCTURE %s\r\n$ OK done\r\n", many);
  g_autofree char *endless = g_strnfill(3000000, 'a');
  const struct {
    const char *greeting, *noop;
    int code;
    const char *word;
  } cases[] = {
    { "* OK [BADCHARSET (\"a\")] hi\r\n", "", ML_ERROR_PROTOCOL, "character sets" },
    { "* BAD [BADCHARSET (\"a\")] hi\r\n", "", ML_ERROR_PROTOCOL, "character sets" },
    { "* BYE full\r\n", "", ML_ERROR_OFFLINE, "full" },
    { "+ hello\r\n", "", ML_ERROR_PROTOCOL, "greet" },
    { "HTTP/1.1 400 Bad Request\r\n", "", ML_ERROR_PROTOCOL, "greet" },
    { "", "!", ML_ERROR_OFFLINE, "" },
    { NULL, "* OK [PERMANENTFLAGS (%] x\r\n$ OK done\r\n", ML_ERROR_PROTOCOL, "code" },
    { NULL, "* OK [PERMANENTFLAGS (%)] x\r\n$ OK done\r\n", ML_ERROR_PROTOCOL, "flags" },
    { NULL, deep, ML_ERROR_PROTOCOL, "nested" },
    { NULL, endless, ML_ERROR_PROTOCOL, "longer" },
    { NULL, "* 1 FETCH (BODY[] {4294967295}\r\nabc", ML_ERROR_PROTOCOL, "4294967295" },
    { NULL, "* 1 FETCH (BODY[] {100}\r\nabc!", ML_ERROR_OFFLINE, "" },
    { NULL, "* 1 FETCH (BODY[] {100}\r\nabc", ML_ERROR_OFFLINE, "" }, /* silence: the timeout */
    { NULL, "99 OK wrong tag\r\n", ML_ERROR_PROTOCOL, "not asked" },
    { NULL, "* BYE shutting down\r\n!", ML_ERROR_OFFLINE, "shutting down" },
    { NULL, "* 4294967295 EXISTS\r\n$ OK done\r\n", ML_ERROR_PROTOCOL, "4294967295" },
    { NULL, "* 9 EXPUNGE\r\n$ OK done\r\n", ML_ERROR_PROTOCOL, "9" },
    { NULL, "* 0 EXPUNGE\r\n$ OK done\r\n", ML_ERROR_PROTOCOL, "0" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    Server server;
    const Rule rules[] = { CAPABILITY, { "NOOP", cases[i].noop }, { NULL, NULL } };
    MlImapSession *session = start(&server, cases[i].greeting ? cases[i].greeting : "* OK hi\r\n", rules);
    gint64 then = g_get_monotonic_time();
    gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error) &&
                  ml_imap_session_noop(session, &error);
    g_test_message("%u: %s", i, error ? error->message : "no error");
    g_assert_false(ok);
    g_assert_error(error, ML_ERROR, cases[i].code);
    g_assert_nonnull(strstr(error->message, cases[i].word));
    g_assert_cmpint(g_get_monotonic_time() - then, <, 10 * G_USEC_PER_SEC);
    stop(&server, session);
  }
}

static void
test_no_capability(void)
{
  static const Rule rules[] = { { "CAPABILITY", "$ OK done\r\n" }, { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  Server server;
  MlImapSession *session = start(&server, "* OK hi\r\n", rules);
  g_assert_true(ml_imap_session_greet(session, &error));
  g_assert_false(ml_imap_session_capability(session, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_PROTOCOL);
  stop(&server, session);
}

/* Odd but harmless: the command's answer is found behind each of them. */
static void
test_quirks(void)
{
  static const char *const answers[] = {
    "* 1 FETCH (UID 5 ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL \"<\"a\"@b>\"))\r\n",
    "* 1 FETCH (UID 5 FLAGS (x (y z)))\r\n",
    "* 1 FETCH (UID 5 FOO bar)\r\n",
    "* FOO bar\r\n",
    "* OK\r\n* OK [FOO [bar]] x\r\n* OK [\xff] y\r\n* NO [THROTTLED] slow\r\n",
    "* LIST (\\NonExistent) \"/\" \"x\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
    "* STATUS x (MESSAGES 1 APPENDLIMIT 5)\r\n",
    "* 5 EXISTS\n",
    "* VANISHED (EARLIER) 1:5\r\n",
    "* ESEARCH (TAG \"1\") UID ALL 1:5\r\n",
    "* SEARCH 1 2 3\r\n",
    "* 1 FETCH (UID 5 BODY[] {-1}\r\n",
    "* CAPABILITY\r\n",
    "* 1 FETCH (UID 5 INTERNALDATE \"13-Sep-2020 12:26:40 GMT\")\r\n",
    "* THREAD (1)(2)\r\n* QUOTA \"\" (STORAGE 1 2)\r\n* 1 FETCH (BODY[] ~{3}\r\nabc)\r\n",
  };
  for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
    g_autoptr(GError) error = NULL;
    Server server;
    g_autofree char *noop = g_strconcat(answers[i], "$ OK done\r\n", NULL);
    const Rule rules[] = { CAPABILITY, SELECT, { "NOOP", noop }, { "CHECK", noop }, { NULL, NULL } };
    MlImapSession *session = start(&server, "* OK hi\r\n", rules);
    gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error) &&
                  ml_imap_session_noop(session, &error) &&
                  ml_imap_session_command(session, NULL, NULL, &error, "CHECK");
    g_assert_no_error(error);
    g_assert_true(ok);
    stop(&server, session);
  }
}

static void
test_delimiter(void)
{
  static const Rule rules[] = { CAPABILITY,
                                { "LIST \"\" \"\"", "* LIST (\\Noselect) \".\" \"\"\r\n$ OK done\r\n" },
                                { "SELECT",
                                  "* 0 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n$ OK [READ-ONLY] done\r\n" },
                                { NULL, NULL } };
  g_autoptr(GError) error = NULL;
  Server server;
  MlImapSession *session = start(&server, "* PREAUTH hi\r\n", rules);
  g_assert_true(ml_imap_session_greet(session, &error));
  g_assert_true(session->preauth);
  g_assert_true(ml_imap_session_select(session, "Entw\xc3\xbcrfe/a\"b", NULL, &error));
  g_assert_true(session->read_only);
  ml_imap_session_free(session);
  g_thread_join(server.thread);
  g_assert_nonnull(strstr(server.heard->str, "Entw&APw-rfe.a\\\"b"));
  g_string_free(server.heard, TRUE);
}

/* A structure that cannot be used, or is none: the message comes whole, over the same connection. */
static void
test_structures(void)
{
  g_autofree char *many = g_strnfill(60000, '('), *close = g_strnfill(60000, ')');
  g_autoptr(GString) parts = g_string_new("(");
  for (guint i = 0; i < 30000; i++)
    g_string_append(parts, "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)");
  g_string_append(parts, " \"mixed\")");
  const char *const structures[] = {
    "NIL",
    "(((((((",
    "(\"application\" \"pkcs7-mime\" NIL NIL NIL \"base64\" 900000)",
    "(\"application\" \"pdf\" NIL NIL NIL \"base64\" 9)",
    parts->str,
    many,
    "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)(\"a\" \"b\" NIL NIL NIL \"7bit\" 900000) \"mixed\")",
  };
  for (guint i = 0; i < G_N_ELEMENTS(structures); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) left = NULL;
    g_autofree char *answer =
        g_strdup_printf("* 1 FETCH (UID 5 BODYSTRUCTURE %s%s BODY[HEADER] {14}\r\nSubject: x\r\n\r\n)\r\n$ OK done\r\n",
                        structures[i], structures[i] == many ? close : "");
    const Rule rules[] = { CAPABILITY,
                           SELECT,
                           { "BODYSTRUCTURE", answer },
                           { "BODY.PEEK[]", "* 1 FETCH (UID 5 BODY[]<0> {18}\r\nSubject: x\r\n\r\nall\n)\r\n$ OK done\r\n" },
                           { "1.MIME", "* 1 FETCH (UID 5 BODY[1.MIME] NIL BODY[1] \"x\" BODY[7] \"y\")\r\n$ OK done\r\n" },
                           { NULL, NULL } };
    Server server;
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    MlDriver *driver = ml_driver_new(&account, &hooks);
    MlImap *imap = (MlImap *)driver;
    imap->session = start(&server, "* PREAUTH hi\r\n", rules);
    MlSelected selected;
    g_assert_true(ml_imap_session_greet(imap->session, &error));
    g_assert_true(ml_driver_select(driver, "INBOX", &selected, &error));
    g_autoptr(GBytes) bytes = ml_driver_fetch_shown(driver, 5, 1000000, &left, NULL, NULL, NULL, &error);
    g_test_message("%u", i);
    g_assert_no_error(error);
    g_assert_null(left);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "Subject: x\r\n\r\nall\n", 18);
    ml_driver_free(driver);
    g_thread_join(server.thread);
    g_assert_nonnull(strstr(server.heard->str, "BODYSTRUCTURE"));
    g_string_free(server.heard, TRUE);
  }
}

/* By what the server says; each role that it gives no folder by its usual name, at the top before below INBOX. */
static void
test_roles(void)
{
#define NAMED(name) "* LIST () \"/\" \"" name "\"\r\n"
#define USED(use, name) "* LIST (" use ") \"/\" \"" name "\"\r\n"
  static const struct {
    const char *listed, *trash;
    struct {
      const char *name;
      MlFolderRole role;
    } expected[5];
  } cases[] = {
    { NAMED("Trash") NAMED("Junk") NAMED("Sent Items"), NULL,
      { { "Trash", ML_ROLE_TRASH }, { "Junk", ML_ROLE_JUNK }, { "Sent Items", ML_ROLE_SENT } } },
    { USED("\\Sent", "Gesendet") NAMED("Trash") NAMED("Junk") NAMED("Sent"), NULL,
      { { "Gesendet", ML_ROLE_SENT }, { "Sent", ML_ROLE_NONE }, { "Trash", ML_ROLE_TRASH }, { "Junk", ML_ROLE_JUNK } } },
    { USED("\\Drafts", "Drafts") USED("\\Sent", "Sent"), NULL,
      { { "INBOX", ML_ROLE_INBOX }, { "Drafts", ML_ROLE_DRAFTS }, { "Sent", ML_ROLE_SENT } } },
    { USED("\\Trash", "Bin") NAMED("Trash") NAMED("INBOX/Trash"), NULL,
      { { "Bin", ML_ROLE_TRASH }, { "Trash", ML_ROLE_NONE }, { "INBOX/Trash", ML_ROLE_NONE } } },
    { NAMED("INBOX/Trash") NAMED("INBOX/Sent") NAMED("INBOX/INBOX") NAMED("INBOX/Trash/Old"), NULL,
      { { "INBOX/Trash", ML_ROLE_TRASH }, { "INBOX/Sent", ML_ROLE_SENT }, { "INBOX/INBOX", ML_ROLE_NONE },
        { "INBOX/Trash/Old", ML_ROLE_NONE } } },
    { NAMED("INBOX/Trash") NAMED("Trash") NAMED("Inbox/Spam"), NULL,
      { { "Trash", ML_ROLE_TRASH }, { "INBOX/Trash", ML_ROLE_NONE }, { "Inbox/Spam", ML_ROLE_JUNK } } },
    { USED("\\Trash", "Bin") NAMED("Mine") NAMED("Trash"), "Mine",
      { { "Bin", ML_ROLE_TRASH }, { "Mine", ML_ROLE_TRASH }, { "Trash", ML_ROLE_NONE } } },
    { NAMED("INBOX/Mine") NAMED("INBOX/Trash"), "INBOX/Mine",
      { { "INBOX/Mine", ML_ROLE_TRASH }, { "INBOX/Trash", ML_ROLE_NONE } } },
  };
#undef NAMED
#undef USED
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *listed = g_strconcat("* LIST () \"/\" INBOX\r\n", cases[i].listed, "$ OK done\r\n", NULL);
    const Rule rules[] = { CAPABILITY, { "LIST \"\" \"*\"", listed }, { NULL, NULL } };
    Server server;
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP, .trash = (char *)cases[i].trash };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    MlImap *imap = start_driver(&server, &account, &hooks, rules);
    g_autoptr(GPtrArray) folders = ml_driver_folders(&imap->base, FALSE, &error);
    g_assert_no_error(error);
    for (guint k = 0; k < G_N_ELEMENTS(cases[i].expected) && cases[i].expected[k].name; k++) {
      const MlFolder *found = NULL;
      for (guint f = 0; f < folders->len; f++)
        if (strcmp(((const MlFolder *)folders->pdata[f])->name, cases[i].expected[k].name) == 0)
          found = folders->pdata[f];
      g_test_message("%u: %s", i, cases[i].expected[k].name);
      g_assert_nonnull(found);
      g_assert_cmpint(found->role, ==, cases[i].expected[k].role);
    }
    g_assert_true(stop_driver(&server, imap, "LIST"));
  }
}

/* ---- without UIDPLUS */

#define ALONE { "CAPABILITY", "* CAPABILITY IMAP4rev1\r\n$ OK done\r\n" }
#define SELECTED(validity) { "SELECT", "* 3 EXISTS\r\n* OK [UIDVALIDITY " validity "] x\r\n$ OK [READ-WRITE] done\r\n" }

static void
remove_unmarked(const char *dir)
{
  g_autofree char *sub = g_build_filename(dir, "unmarked", NULL);
  g_autoptr(GDir) names = g_dir_open(sub, 0, NULL);
  for (const char *name; names && (name = g_dir_read_name(names));) {
    g_autofree char *path = g_build_filename(sub, name, NULL);
    g_assert_true(g_str_has_suffix(name, ".lock")); /* nothing waits any more */
    g_assert_cmpint(g_unlink(path), ==, 0);
  }
  g_rmdir(sub);
  g_assert_cmpint(g_rmdir(dir), ==, 0);
}

/* The line dies in an EXPUNGE: what others have marked, and was unmarked for it, is marked again with the next
 * connection, whatever folder it is for, also in another run; but in no folder that was replaced meanwhile. */
static void
test_unmarked(void)
{
  static const Rule dies[] = { ALONE, SELECTED("7"),
                               { "FETCH 1:* (UID FLAGS)", "* 1 FETCH (UID 10 FLAGS (\\Deleted))\r\n"
                                                          "* 2 FETCH (UID 20 FLAGS (\\Deleted))\r\n$ OK done\r\n" },
                               { "STORE", "$ OK done\r\n" }, { "EXPUNGE", "!" }, { NULL, NULL } };
  static const Rule again[] = { ALONE, SELECTED("7"), { "STORE", "$ OK done\r\n" }, { NULL, NULL } };
  static const Rule replaced[] = { ALONE, SELECTED("8"), { "STORE", "$ OK done\r\n" }, { NULL, NULL } };
  static const struct {
    gboolean kept, other_run;
    const Rule *rules;
  } cases[] = { { FALSE, FALSE, again }, { TRUE, FALSE, again }, { TRUE, TRUE, again }, { TRUE, TRUE, replaced } };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("signet-unmarked-XXXXXX", NULL);
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP, .imap = { .host = (char *)"test.example" } };
    MlDriverHooks hooks = { .state_dir = cases[i].kept ? dir : NULL };
    MlSelected selected;
    g_autoptr(GArray) mine = g_array_new(FALSE, FALSE, sizeof(guint32));
    const guint32 twenty = 20;
    g_array_append_val(mine, twenty);
    Server server;
    MlImap *imap = start_driver(&server, &account, &hooks, dies);
    g_assert_true(ml_driver_select(&imap->base, "INBOX", &selected, &error));
    g_assert_false(ml_driver_delete(&imap->base, mine, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_OFFLINE);
    g_clear_error(&error);
    g_assert_null(imap->session);
    g_thread_join(server.thread);
    g_assert_nonnull(strstr(server.heard->str, "UID STORE 10 -FLAGS (\\Deleted)"));
    g_string_free(server.heard, TRUE);
    MlImap *next = start_driver(&server, &account, &hooks, cases[i].rules);
    if (!cases[i].other_run) {
      imap->session = g_steal_pointer(&next->session);
      MlImap *swap = imap;
      imap = next;
      next = swap;
    }
    for (guint round = 0; round < 2; round++) { /* once, and nothing is left */
      gboolean ok = ml_imap_mark_again(next, &error);
      g_assert_no_error(error);
      g_assert_true(ok);
    }
    ml_driver_free(&imap->base);
    ml_driver_free(&next->base);
    g_thread_join(server.thread);
    const char *select = strstr(server.heard->str, "SELECT \"INBOX\""), *store = strstr(server.heard->str, "UID STORE 10 +FLAGS (\\Deleted)");
    g_assert_nonnull(select);
    g_assert_null(strstr(select + 1, "SELECT"));
    g_assert_true((store != NULL) == (cases[i].rules == again));
    g_string_free(server.heard, TRUE);
    remove_unmarked(dir);
  }
}

/* ---- a move that is refused */

static gboolean
select_it(const char *folder, MlSelected *selected, gpointer driver, GError **error)
{
  return ml_driver_select(driver, folder, selected, error);
}

/* Whether some of it may be done is told by whoever reads it in the journal, too. */
static void
test_refused_move(void)
{
#define HERE(n, uid) "* " n " FETCH (UID " uid " FLAGS () RFC822.SIZE 9 BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: x\r\n\r\n)\r\n"
  static const char *const left[] = { HERE("1", "10") HERE("2", "20") "$ OK done\r\n", HERE("1", "20") "$ OK done\r\n",
                                      "$ NO not now\r\n" };
  for (guint i = 0; i < G_N_ELEMENTS(left); i++) {
    const Rule rules[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 MOVE UIDPLUS\r\n$ OK done\r\n" },
                           SELECTED("7"),
                           { "UID MOVE", "$ NO over quota\r\n" },
                           { "FETCH", left[i] },
                           { NULL, NULL } };
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("signet-move-XXXXXX", NULL);
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP, .imap = { .host = (char *)"test.example" } };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    MlPending *pending = ml_pending_open(dir, &account, FALSE, &error);
    g_assert_no_error(error);
    g_autoptr(MlPendingEntry) entry = ml_pending_entry_new(ML_PENDING_MOVE, "INBOX", 7, "Trash");
    ml_pending_entry_add(entry, 10, 0, "10@x", "ten");
    ml_pending_entry_add(entry, 20, 0, "20@x", "twenty");
    entry->at = g_get_real_time() / G_USEC_PER_SEC + 3600; /* however slow this machine is */
    g_assert_cmpint(ml_pending_add(pending, entry, &error), >, 0);
    Server server;
    MlImap *imap = start_driver(&server, &account, &hooks, rules);
    const MlPendingFuncs funcs = { .select = select_it, .user_data = imap };
    gboolean busy;
    g_assert_true(ml_pending_carry(pending, &imap->base, NULL, &funcs, &busy, &error));
    g_assert_no_error(error);
    g_autoptr(GPtrArray) failed = ml_pending_list(pending, ML_PENDING_FAILED, 0, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(failed->len, ==, 1);
    const MlPendingEntry *one = failed->pdata[0];
    g_test_message("%u: %s", i, one->error);
    g_assert_cmpint(one->partly, ==, i > 0);
    g_assert_cmpint(strstr(one->error, "look at both") != NULL, ==, i > 0);
    g_assert_true(stop_driver(&server, imap, "UID MOVE 10,20"));
    ml_pending_free(pending);
    g_autoptr(GDir) names = g_dir_open(dir, 0, NULL);
    for (const char *name; (name = g_dir_read_name(names));) {
      g_autofree char *path = g_build_filename(dir, name, NULL);
      g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(dir), ==, 0);
  }
}

/* What the note says is lost by no one who cannot read it. */
static void
test_note(void)
{
  static const Rule rules[] = { ALONE, SELECTED("7"), { "FETCH 1:* (UID FLAGS)", "$ OK done\r\n" },
                                { "STORE", "$ OK done\r\n" }, { "EXPUNGE", "$ OK done\r\n" }, { NULL, NULL } };
  static const char *const notes[] = { "signet-unmarked 2\n7 10 INBOX\n", "", "signet-unmarked 1\nseven 10 INBOX\n",
                                       "signet-unmarked 1\n7 10,x INBOX\n", "signet-unmarked 1\n7 10\n",
                                       "large", "folder" };
  for (guint i = 0; i < G_N_ELEMENTS(notes); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("signet-note-XXXXXX", NULL);
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "test.example\n0\n", -1);
    g_autofree char *sub = g_build_filename(dir, "unmarked", NULL), *name = g_strndup(digest, 32);
    g_autofree char *note = g_build_filename(sub, name, NULL), *after = NULL;
    gboolean large = strcmp(notes[i], "large") == 0, is_folder = strcmp(notes[i], "folder") == 0;
    gsize length;
    g_assert_cmpint(g_mkdir(sub, 0700), ==, 0);
    if (is_folder)
      g_assert_cmpint(g_mkdir(note, 0700), ==, 0);
    else
      g_assert_true(g_file_set_contents(note, notes[i], -1, NULL));
    if (large)
      g_assert_cmpint(truncate(note, 16 * 1024 * 1024 + 1), ==, 0);
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP, .imap = { .host = (char *)"test.example" } };
    MlDriverHooks hooks = { .state_dir = dir };
    MlSelected selected;
    g_autoptr(GArray) mine = g_array_new(FALSE, FALSE, sizeof(guint32));
    const guint32 twenty = 20;
    g_array_append_val(mine, twenty);
    Server server;
    MlImap *imap = start_driver(&server, &account, &hooks, rules);
    g_assert_true(ml_imap_mark_again(imap, &error)); /* the mail is read all the same */
    g_assert_no_error(error);
    g_assert_true(ml_driver_select(&imap->base, "INBOX", &selected, &error));
    g_assert_false(ml_driver_delete(&imap->base, mine, &error));
    g_assert_error(error, ML_ERROR, ML_ERROR_STORE);
    g_assert_nonnull(strstr(error->message, note));
    g_assert_false(stop_driver(&server, imap, "EXPUNGE"));
    if (is_folder) {
      g_assert_cmpint(g_rmdir(note), ==, 0);
    } else {
      g_assert_true(g_file_get_contents(note, &after, &length, NULL));
      g_assert_cmpuint(length, ==, large ? 16 * 1024 * 1024 + 1 : strlen(notes[i]));
      g_assert_true(large || strcmp(after, notes[i]) == 0);
      g_assert_cmpint(g_unlink(note), ==, 0);
    }
    remove_unmarked(dir);
  }
}

/* ---- the whole driver against a server that speaks in clear: nothing secret may be said */

static char *
no_password(const MlAccount *account, const MlServer *server, gboolean retry, GCancellable *cancellable,
            gpointer user_data, GError **error)
{
  (void)account;
  (void)server;
  (void)retry;
  (void)cancellable;
  (void)error;
  ++*(guint *)user_data;
  return g_strdup("hunter2");
}

static void
refused_in_clear(const char *greeting, const Rule *rules, int code, const char *word)
{
  g_autoptr(GError) error = NULL;
  Server server = { .fd = -1, .greeting = greeting, .rules = rules, .heard = g_string_new(NULL) };
  g_autoptr(GSocket) listener =
      g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new(loopback, 0);
  g_assert_true(g_socket_bind(listener, address, TRUE, NULL) && g_socket_listen(listener, NULL));
  g_autoptr(GSocketAddress) bound = g_socket_get_local_address(listener, NULL);
  server.listener = g_socket_get_fd(listener);
  g_assert_cmpint(fcntl(server.listener, F_SETFL, 0), ==, 0); /* GLib's sockets do not block: accept() must wait */
  server.thread = g_thread_new("server", serve, &server);
  guint asked = 0;
  MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP };
  account.imap = (MlServer){ (char *)"127.0.0.1", (char *)"anna",
                             g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound)), ML_TLS_STARTTLS };
  MlDriverHooks hooks = { .password = no_password, .user_data = &asked, .state_dir = "/nonexistent" };
  MlDriver *driver = ml_driver_new(&account, &hooks);
  g_assert_false(ml_driver_connect(driver, &error));
  g_test_message("%s", error->message);
  g_assert_error(error, ML_ERROR, code);
  g_assert_nonnull(strstr(error->message, word));
  ml_driver_free(driver);
  g_thread_join(server.thread);
  g_assert_cmpuint(asked, ==, 0);
  g_assert_null(strstr(server.heard->str, "LOGIN"));
  g_assert_null(strstr(server.heard->str, "AUTHENTICATE"));
  g_assert_null(strstr(server.heard->str, "hunter2"));
  g_string_free(server.heard, TRUE);
}

static void
test_clear(void)
{
  static const Rule preauth[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS\r\n$ OK done\r\n" },
                                  { NULL, NULL } };
  refused_in_clear("* PREAUTH welcome\r\n", preauth, ML_ERROR_PROTOCOL, "before anything is encrypted");
  static const Rule none[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n$ OK done\r\n" },
                               { NULL, NULL } };
  refused_in_clear("* OK hi\r\n", none, ML_ERROR_FAILED, "no encryption");
  static const Rule injected[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS\r\n$ OK done\r\n" },
                                   { "STARTTLS", "$ OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" },
                                   { NULL, NULL } };
  refused_in_clear("* OK hi\r\n", injected, ML_ERROR_PROTOCOL, "attack");
  static const Rule no[] = { { "CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS\r\n$ OK done\r\n" },
                             { "STARTTLS", "$ NO not today\r\n" },
                             { NULL, NULL } };
  refused_in_clear("* OK hi\r\n", no, ML_ERROR_FAILED, "not today");
}

/* ---- a list is asked for in pieces, the next of which may be on its way while something else is asked */

typedef struct {
  MlDriver *driver;
  guint pieces, stop; /* the list is to end with this piece; 0: it is not */
  gboolean told[351];
} Pieces;

static void
fetch_fifth(MlDriver *driver)
{
  g_autoptr(GError) error = NULL;
  gint64 received;
  g_autoptr(GBytes) bytes = ml_driver_fetch(driver, 5, &received, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "Subject: five\r\n\r\n", 17);
}

static gboolean
on_piece(GPtrArray *headers, guint done, guint total, gpointer data)
{
  Pieces *pieces = data;
  for (guint i = 0; i < headers->len; i++) {
    const MlHeader *header = headers->pdata[i];
    g_autofree char *subject = g_strdup_printf("s%u", header->uid);
    g_assert_cmpstr(header->subject, ==, subject);
    pieces->told[header->uid] = TRUE;
  }
  g_ptr_array_unref(headers);
  g_assert_cmpuint(total, ==, 350);
  g_assert_cmpuint(done, <=, 350);
  if (++pieces->pieces == 2)
    fetch_fifth(pieces->driver);
  return pieces->pieces != pieces->stop;
}

/* Uids are places until the third is gone, of which the server tells with the fetched message. */
static char *
piece_answer(guint from, guint to, guint gone)
{
  GString *answer = g_string_new(NULL);
  for (guint i = from; i <= to; i++) {
    guint uid = gone && i >= gone ? i + 1 : i;
    g_autofree char *subject = g_strdup_printf("Subject: s%u\r\n\r\n", uid);
    g_string_append_printf(answer, "* %u FETCH (UID %u FLAGS () BODY[HEADER.FIELDS (SUBJECT)] {%" G_GSIZE_FORMAT "}\r\n%s)\r\n",
                           i, uid, strlen(subject), subject);
  }
  g_string_append(answer, "$ OK done\r\n");
  return g_string_free(answer, FALSE);
}

static void
test_pieces(void)
{
  g_autofree char *newest = piece_answer(331, 350, 0), *second = piece_answer(231, 330, 0), *third = piece_answer(31, 230, 0),
                  *oldest = piece_answer(1, 30, 3);
  const Rule rules[] = {
    CAPABILITY,
    { "SELECT", "* 350 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n$ OK done\r\n" },
    { "UID FETCH 5 ", "* 3 EXPUNGE\r\n* 4 FETCH (UID 5 RFC822.SIZE 17 BODY[]<0> {17}\r\nSubject: five\r\n\r\n)\r\n$ OK done\r\n" },
    { "FETCH 331:350", newest },
    { "FETCH 231:330", second },
    { "FETCH 31:230", third },
    { "FETCH 1:30", oldest },
    { NULL, NULL },
  };
  for (guint stop = 0; stop < 4; stop++) {
    g_autoptr(GError) error = NULL;
    Server server;
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    MlImap *imap = start_driver(&server, &account, &hooks, rules);
    MlSelected selected;
    Pieces pieces = { .driver = &imap->base, .stop = stop };
    gboolean ok = ml_driver_select(&imap->base, "INBOX", &selected, &error) &&
                  ml_driver_headers(&imap->base, 0, 20, on_piece, &pieces, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpuint(pieces.pieces, ==, stop ? stop : 4);
    for (guint uid = 1; uid <= 350; uid++)
      g_assert_true(pieces.told[uid] || uid == 3 || (stop && uid < (stop == 3 ? 31 : stop == 2 ? 231 : 331)));
    fetch_fifth(&imap->base); /* nothing of the list is left in the line */
    g_assert_true(stop_driver(&server, imap, "FETCH 331:350"));
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/imap/session", test_session);
  g_test_add_func("/imap/structures", test_structures);
  g_test_add_func("/imap/hostile", test_hostile);
  g_test_add_func("/imap/no-capability", test_no_capability);
  g_test_add_func("/imap/quirks", test_quirks);
  g_test_add_func("/imap/delimiter", test_delimiter);
  g_test_add_func("/imap/roles", test_roles);
  g_test_add_func("/imap/unmarked", test_unmarked);
  g_test_add_func("/imap/note", test_note);
  g_test_add_func("/imap/refused-move", test_refused_move);
  g_test_add_func("/imap/clear", test_clear);
  g_test_add_func("/imap/pieces", test_pieces);
  return g_test_run();
}
