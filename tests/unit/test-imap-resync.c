/* A folder that was read before, and what a server tells of it since: QRESYNC, VANISHED, or the flags of all. */
#include "tests/unit/imap-server.h"

#define QRESYNC_CAPABILITY                                                                                   \
  {                                                                                                          \
    "CAPABILITY", "* CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC\r\n$ OK done\r\n"                         \
  }
#define THREE "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n"
#define POINT(uidnext, modseq) "* OK [UIDNEXT " uidnext "] x\r\n* OK [HIGHESTMODSEQ " modseq "] x\r\n"
#define LISTED                                                                                               \
  {                                                                                                          \
    "FETCH 1:* (UID FLAGS)",                                                                                 \
        "* 1 FETCH (UID 10 FLAGS (\\Seen))\r\n* 2 FETCH (UID 20 FLAGS ())\r\n* 3 FETCH (UID 40 FLAGS ())\r\n"  \
        "$ OK done\r\n"                                                                                      \
  }

/* 10, 20 and 30 were had. The server has 10, which was read, 20 and 40: where its SELECT does not tell so, although the
 * count is the same, all is listed. */
static void
test_not_resynced(void)
{
  static const struct {
    const char *what, *with_qresync, *plain;
  } cases[] = {
    { "refuses the parameters", "$ BAD what\r\n", THREE POINT("41", "9") "$ OK done\r\n" },
    { "keeps no modseq any more", THREE "* OK [UIDNEXT 41] x\r\n* OK [NOMODSEQ] x\r\n$ OK done\r\n", "" },
    { "was restored", THREE POINT("31", "4") "$ OK done\r\n", "" },
    { "forgot to tell", THREE POINT("41", "9") "$ OK done\r\n", "" },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    const Rule rules[] = { QRESYNC_CAPABILITY, { "(QRESYNC (7 5))", cases[i].with_qresync },
                           { "SELECT", cases[i].plain }, { "CHANGEDSINCE", "$ OK done\r\n" }, LISTED, { NULL, NULL } };
    const MlFlagChange three[] = { { 10, 0 }, { 20, 0 }, { 30, 0 } };
    g_autoptr(GArray) had = g_array_new(FALSE, FALSE, sizeof three[0]);
    g_array_append_vals(had, three, 3);
    Server server;
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    MlImap *imap = start_driver(&server, &account, &hooks, rules);
    imap->session->qresync = TRUE;
    MlSyncPoint known = { 7, 31, 5 };
    MlSyncNews news;
    gboolean ok = ml_driver_sync(&imap->base, "INBOX", &known, had, &news, &error);
    g_test_message("a server that %s", cases[i].what);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_false(news.reset);
    g_assert_cmpuint(news.flag_changes->len, ==, 1);
    g_assert_cmpuint(news.vanished->len, ==, 1);
    g_assert_cmpuint(g_array_index(news.vanished, guint32, 0), ==, 30);
    g_assert_cmpuint(news.missing->len, ==, 1);
    g_assert_cmpuint(g_array_index(news.missing, guint32, 0), ==, 40);
    ml_sync_news_clear(&news);
    g_assert_true(stop_driver(&server, imap, "FETCH 1:* (UID FLAGS)"));
  }
}

/* The same told as it should be: nothing more is asked; and told in more words than anybody needs. */
static void
test_resynced(void)
{
  g_autoptr(GString) flood = g_string_new(NULL);
  for (guint round = 0; round < 9; round++) {
    g_string_append(flood, "* VANISHED (EARLIER) 30");
    for (guint i = 0; i < 120000; i++)
      g_string_append_printf(flood, ",%u", 1000000 + 2 * (round * 120000 + i));
    g_string_append(flood, "\r\n");
  }
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *select =
        g_strconcat(THREE POINT("41", "9"), i ? flood->str : "* VANISHED (EARLIER) 25:39\r\n",
                    "* 1 FETCH (UID 10 FLAGS (\\Seen) MODSEQ (8))\r\n* 3 FETCH (UID 40 FLAGS () MODSEQ (9))\r\n"
                    "$ OK done\r\n",
                    NULL);
    const Rule rules[] = { QRESYNC_CAPABILITY, { "(QRESYNC (7 5))", select }, LISTED, { NULL, NULL } };
    const MlFlagChange three[] = { { 10, 0 }, { 20, 0 }, { 30, 0 } };
    g_autoptr(GArray) had = g_array_new(FALSE, FALSE, sizeof three[0]);
    g_array_append_vals(had, three, 3);
    Server server;
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    MlImap *imap = start_driver(&server, &account, &hooks, rules);
    imap->session->qresync = TRUE;
    MlSyncPoint known = { 7, 31, 5 };
    MlSyncNews news;
    gboolean ok = ml_driver_sync(&imap->base, "INBOX", &known, had, &news, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpuint(news.flag_changes->len, ==, 1);
    g_assert_cmpuint(news.vanished->len, ==, 1);
    g_assert_cmpuint(news.missing->len, ==, 1);
    ml_sync_news_clear(&news);
    g_assert_cmpint(stop_driver(&server, imap, "FETCH 1:* (UID FLAGS)"), ==, i == 1);
  }
}

/* Who went has a number that was not listed yet: those beside it say which slot it is, and the count is the server's. */
static void
test_vanished(void)
{
  static const struct {
    const char *listed, *vanished;
    guint32 left[5];
    guint n;
    gboolean reset;
  } cases[] = {
    { "", "20", { 0, 0, 0, 0 }, 4, TRUE },
    { "* 1 FETCH (UID 10 FLAGS ())\r\n* 3 FETCH (UID 30 FLAGS ())\r\n", "20", { 10, 30, 0, 0 }, 4, TRUE },
    { "* 1 FETCH (UID 10 FLAGS ())\r\n* 3 FETCH (UID 30 FLAGS ())\r\n", "30:45", { 10, 0 }, 2, TRUE },
    { "* 1 FETCH (UID 10 FLAGS ())\r\n* 3 FETCH (UID 30 FLAGS ())\r\n", "20,40,45", { 10, 30 }, 2, TRUE },
    { "* 3 FETCH (UID 30 FLAGS ())\r\n* 4 FETCH (UID 40 FLAGS ())\r\n* 5 FETCH (UID 50 FLAGS ())\r\n", "40",
      { 0, 0, 30, 50 }, 4, FALSE },
    { "* 1 FETCH (UID 10 FLAGS ())\r\n* 2 FETCH (UID 11 FLAGS ())\r\n* 4 FETCH (UID 12 FLAGS ())\r\n", "1:9,11",
      { 10, 0, 12, 0 }, 4, TRUE }, /* before 10 there is none, and none is between 10 and 12 but 11 */
    { "* 5 FETCH (UID 50 FLAGS ())\r\n* 1 FETCH (UID 60 FLAGS ())\r\n", "1:70", { 0, 0, 0 }, 3, TRUE }, /* out of order */
    { "", "1:4294967295", { 0 }, 0, TRUE },
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *listed = g_strconcat(cases[i].listed, "$ OK done\r\n", NULL);
    g_autofree char *vanished = g_strconcat("* VANISHED ", cases[i].vanished, "\r\n$ OK done\r\n", NULL);
    const Rule rules[] = { QRESYNC_CAPABILITY, { "SELECT", "* 5 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n$ OK done\r\n" },
                           { "FETCH", listed }, { "NOOP", vanished }, { NULL, NULL } };
    g_autoptr(GError) error = NULL;
    Server server;
    MlImapSession *session = start(&server, "* PREAUTH hi\r\n", rules);
    gboolean ok = ml_imap_session_greet(session, &error) && ml_imap_session_capability(session, &error) &&
                  ml_imap_session_select(session, "INBOX", NULL, &error) &&
                  ml_imap_session_command(session, NULL, NULL, &error, "FETCH 1:* (UID FLAGS)") &&
                  ml_imap_session_noop(session, &error);
    g_test_message("%u", i);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpuint(session->slots->len, ==, cases[i].n);
    for (guint k = 0; k < cases[i].n; k++)
      g_assert_cmpuint(g_array_index(session->slots, MlImapSlot, k).uid, ==, cases[i].left[k]);
    g_assert_cmpint(session->changes->reset, ==, cases[i].reset);
    stop(&server, session);
  }
}

/* After a new connection what was told is compared; what the server leaves out of its answer is no change. */
static void
test_compared(void)
{
  static const Rule rules[] = { QRESYNC_CAPABILITY,
                                { "SELECT", THREE "* OK [PERMANENTFLAGS (\\Seen)] x\r\n$ OK done\r\n" },
                                { "FETCH 1:* (UID FLAGS)", "* 1 FETCH (UID 10)\r\n* 2 FETCH (FLAGS ())\r\n"
                                                           "* 3 FETCH (UID 40 FLAGS ())\r\n$ OK done\r\n" },
                                { "NOOP", "$ OK done\r\n" },
                                { "UID STORE", "$ OK done\r\n" },
                                { NULL, NULL } };
  static const MlImapSlot slots[] = { { 10, ML_FLAG_SEEN }, { 0, ML_IMAP_FLAGS_UNKNOWN }, { 30, 0 } };
  g_autoptr(GError) error = NULL;
  Server server;
  MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP };
  MlDriverHooks hooks = { .state_dir = "/nonexistent" };
  MlImap *imap = start_driver(&server, &account, &hooks, rules);
  MlSelected selected;
  g_assert_true(ml_driver_select(&imap->base, "INBOX", &selected, &error));
  imap->known = g_array_new(FALSE, TRUE, sizeof(MlImapSlot));
  g_array_append_vals(imap->known, slots, 3);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(&imap->base, changes, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(changes->flag_changes->len, ==, 0);
  g_assert_cmpuint(changes->vanished->len, ==, 1);
  g_assert_cmpuint(g_array_index(changes->vanished, guint32, 0), ==, 30);
  g_assert_true(changes->new_mail);
  /* A folder that keeps no keywords: who keeps a copy hears which flag was left out. */
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  g_array_append_val(uids, slots[0].uid);
  g_assert_true(ml_driver_flags(&imap->base, uids, ML_FLAG_SEEN | ML_FLAG_FORWARDED, 0, &error));
  g_assert_cmpuint(imap->base.unkept, ==, ML_FLAG_FORWARDED);
  g_assert_true(ml_driver_flags(&imap->base, uids, ML_FLAG_SEEN, 0, &error));
  g_assert_cmpuint(imap->base.unkept, ==, 0);
  g_assert_true(stop_driver(&server, imap, "UID STORE 10 +FLAGS (\\Seen)"));
}

static void
add_lines(GString *answer, guint highest, guint lowest)
{
  for (guint n = lowest; n <= highest; n++)
    g_string_append_printf(answer, "* %u FETCH (UID %u FLAGS () BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: x\r\n\r\n)\r\n",
                           n, n * 10);
}

static gboolean
on_slice(GPtrArray *headers, guint done, guint total, gpointer user_data)
{
  (void)done;
  (void)total;
  *(guint *)user_data += headers->len;
  g_ptr_array_unref(headers);
  return TRUE;
}

/* All that is left of the list is expunged before it is asked for: it ends there. In the answer to the piece before it, and
 * in that to COMPRESS, which goes before one that is large. */
static void
test_emptied(void)
{
  for (guint compress = 0; compress < 2; compress++) {
    g_autoptr(GError) error = NULL;
    guint total = compress ? 500 : 300, told = 0;
    g_autoptr(GString) gone = g_string_new(NULL), first = g_string_new(NULL), second = g_string_new(NULL);
    g_autofree char *exists = g_strdup_printf("* %u EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n$ OK done\r\n", total);
    for (guint i = 0; i < total; i++)
      g_string_append(gone, "* 1 EXPUNGE\r\n");
    add_lines(first, total, total - 49);
    g_string_append(first, "$ OK done\r\n");
    add_lines(second, 250, 151);
    g_string_append_printf(second, "%s$ OK done\r\n", gone->str);
    g_string_append(gone, "$ NO not today\r\n");
    const Rule rules[] = { { "CAPABILITY", compress ? "* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n$ OK done\r\n"
                                                    : "* CAPABILITY IMAP4rev1\r\n$ OK done\r\n" },
                           { "COMPRESS", gone->str },
                           { "SELECT", exists },
                           { compress ? "FETCH 451:500 " : "FETCH 251:300 ", first->str },
                           { "FETCH 151:250 ", second->str },
                           { NULL, NULL } };
    Server server;
    MlAccount account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP, .compress = (char *)"always" };
    MlDriverHooks hooks = { .state_dir = "/nonexistent" };
    MlImap *imap = start_driver(&server, &account, &hooks, rules);
    imap->session->logged_in = TRUE;
    MlSelected selected;
    g_assert_true(ml_driver_select(&imap->base, "INBOX", &selected, &error));
    gboolean ok = ml_driver_headers(&imap->base, 0, 50, on_slice, &told, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpuint(told, ==, compress ? 50 : 150);
    g_assert_cmpuint(imap->session->slots->len, ==, 0);
    g_assert_false(stop_driver(&server, imap, "FETCH 1:"));
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/resync/not-resynced", test_not_resynced);
  g_test_add_func("/resync/resynced", test_resynced);
  g_test_add_func("/resync/vanished", test_vanished);
  g_test_add_func("/resync/compared", test_compared);
  g_test_add_func("/resync/emptied", test_emptied);
  return g_test_run();
}
