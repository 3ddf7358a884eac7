#include "tests/unit/imap-server.h"

/* Many messages with their text, several commands on their way (mail/imap-bodies.c), against a server of a few lines. */

enum { ALL = 45 }; /* 26 to 45, 6 to 25 and 1 to 5 are asked for together */
#define ALONE { "CAPABILITY", "* CAPABILITY IMAP4rev1\r\n$ OK done\r\n" }
#define SELECTED { "SELECT", "* 45 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n$ OK [READ-WRITE] done\r\n" }
#define NEWEST "UID FETCH 26:45 (UID FLAGS"
#define MIDDLE "UID FETCH 6:25 (UID FLAGS"
#define OLDEST "UID FETCH 1:5 (UID FLAGS"

static void
add_message(GString *into, guint uid, const char *subject)
{
  g_autofree char *text = g_strdup_printf("Subject: %s %u\r\n\r\nSubject: text of %u\r\n", subject, uid, uid);
  g_string_append_printf(into, "* %u FETCH (UID %u FLAGS (\\Seen) INTERNALDATE \"01-Feb-2024 00:00:%02u +0000\" RFC822.SIZE %u "
                               "BODY[] {%u}\r\n%s)\r\n",
                         uid, uid, uid % 60, 1000 + uid, (guint)strlen(text), text);
}

static char *
messages(guint from, guint to, const char *end)
{
  GString *all = g_string_new(NULL);
  for (guint uid = from; uid <= to; uid++)
    add_message(all, uid, "letter");
  g_string_append(all, end);
  return g_string_free(all, FALSE);
}

typedef struct {
  guint seen[ALL + 1], texts[ALL + 1];
  guint calls, stop_after; /* 0: never */
  gboolean lines;
  MlBodiesFunc func; /* instead of on_bodies(); NULL */
  gpointer data;
} Taken;

static gboolean
on_bodies(GPtrArray *bodies, guint done, guint total, gpointer data)
{
  Taken *taken = data;
  g_assert_cmpuint(total, ==, ALL);
  g_assert_cmpuint(done, <=, total);
  for (guint i = 0; i < bodies->len; i++) {
    const MlBody *body = bodies->pdata[i];
    g_assert_cmpuint(body->uid, <=, ALL);
    g_autofree char *subject = g_strdup_printf("letter %u", body->uid), *text = g_strdup_printf("text of %u\r\n", body->uid);
    gsize length = 0;
    const char *octets = body->bytes ? g_bytes_get_data(body->bytes, &length) : NULL;
    g_assert_true(!octets || g_strstr_len(octets, (gssize)length, text));
    g_assert_cmpint(body->header != NULL, ==, taken->lines);
    if (body->header && octets) {
      g_assert_cmpstr(body->header->subject, ==, subject);
      g_assert_cmpuint(body->header->uid, ==, body->uid);
      g_assert_cmpuint(body->header->size, ==, 1000 + body->uid);
      g_assert_cmpuint(body->header->flags, ==, ML_FLAG_SEEN);
      g_assert_cmpint(body->header->received, ==, body->received);
    }
    g_assert_cmpint(body->received % 60, ==, body->uid % 60);
    taken->seen[body->uid]++;
    taken->texts[body->uid] += octets != NULL;
  }
  g_ptr_array_unref(bodies);
  return ++taken->calls != taken->stop_after;
}

typedef struct {
  Server server;
  MlAccount account;
  MlDriverHooks hooks;
  MlImap *imap;
} Client;

static gboolean
pull(Client *client, const Rule *rules, Taken *taken, GError **error)
{
  MlSelected selected;
  g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
  for (guint32 uid = 1; uid <= ALL; uid++)
    g_array_append_val(uids, uid);
  client->account = (MlAccount){ .name = (char *)"test", .kind = ML_ACCOUNT_IMAP };
  client->hooks = (MlDriverHooks){ .state_dir = "/nonexistent", .offline = FALSE };
  client->imap = (MlImap *)ml_driver_new(&client->account, &client->hooks);
  client->imap->session = start(&client->server, "* PREAUTH hi\r\n", rules);
  gboolean ok = ml_imap_session_greet(client->imap->session, error) &&
                ml_imap_session_capability(client->imap->session, error) &&
                ml_driver_select(&client->imap->base, "INBOX", &selected, error);
  g_assert_true(ok);
  return (taken->lines ? ml_driver_whole : ml_driver_bodies)(&client->imap->base, uids, 1000, taken->func ? taken->func : on_bodies,
                                                             taken->func ? taken->data : taken, error);
}

/* What it heard; transfer full. */
static char *
leave(Client *client)
{
  ml_driver_free(&client->imap->base);
  g_thread_join(client->server.thread);
  return g_string_free(client->server.heard, FALSE);
}

static void
expect(const Taken *taken, guint from, guint to, guint seen, guint texts)
{
  for (guint uid = from; uid <= to; uid++) {
    g_assert_cmpuint(taken->seen[uid], ==, seen);
    g_assert_cmpuint(taken->texts[uid], ==, texts);
  }
}

static void
test_together(void)
{
  g_autofree char *newest = messages(26, 45, "");
  g_autofree char *middle = messages(6, 25, "4 NO [EXPUNGEISSUED] one has gone\r\n$ OK done\r\n");
  g_autofree char *oldest = messages(1, 5, "$ OK done\r\n");
  /* It is at the second one before it has said that the first is done (which was its fourth command). */
  const Rule rules[] = { ALONE, SELECTED, { "LARGER 1000", "* SEARCH\r\n$ OK done\r\n" }, { NEWEST, newest },
                         { MIDDLE, middle }, { OLDEST, oldest }, { "NOOP", "$ OK done\r\n" }, { NULL, NULL } };
  Client client;
  Taken taken = { .lines = TRUE };
  g_autoptr(GError) error = NULL;
  g_assert_true(pull(&client, rules, &taken, &error));
  g_assert_no_error(error);
  expect(&taken, 1, ALL, 1, 1);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(&client.imap->base, changes, &error)); /* the line is in step */
  g_autofree char *heard = leave(&client);
}

/* Without lines: what is too long does not come. */
static void
test_text_alone(void)
{
  g_autofree char *newest = messages(26, 45, "$ OK done\r\n"), *oldest = messages(1, 4, "$ OK done\r\n");
  g_autoptr(GString) middle = g_string_new(NULL);
  g_string_append_printf(middle, "* 6 FETCH (UID 6 BODY[] {2000}\r\n%02000d)\r\n$ OK done\r\n", 0);
  const Rule rules[] = { ALONE, SELECTED, { "UID FETCH 26:45 (UID INTERNALDATE BODY.PEEK[])", newest },
                         { "UID FETCH 6:25 ", middle->str }, { "UID FETCH 1:5 ", oldest }, { NULL, NULL } };
  Client client;
  Taken taken = { .lines = FALSE };
  g_autoptr(GError) error = NULL;
  g_assert_true(pull(&client, rules, &taken, &error));
  expect(&taken, 26, 45, 1, 1);
  expect(&taken, 5, 25, 0, 0);
  expect(&taken, 1, 4, 1, 1);
  g_autofree char *heard = leave(&client);
  g_assert_null(strstr(heard, "SEARCH"));
}

/* What nobody asked for, twice, without text, only a part, longer than it may be: nothing comes under another number, and
 * each once. */
static void
test_hostile(void)
{
  g_autofree char *newest = messages(26, 43, ""), *again = messages(26, 43, ""), *oldest = messages(1, 5, "$ OK done\r\n");
  g_autoptr(GString) first = g_string_new(newest), middle = g_string_new(NULL);
  g_string_append(first, again);
  add_message(first, 99, "nobody's");
  g_string_append(first, "* 44 FETCH (BODY[] {4}\r\nabcd)\r\n* 44 FETCH (UID 0 BODY[] {4}\r\nabcd)\r\n"
                         "* 44 FETCH (UID 44 INTERNALDATE \"01-Feb-2024 00:00:44 +0000\" BODY[] NIL)\r\n"
                         "* 45 FETCH (UID 45 FLAGS (\\Deleted))\r\n"
                         "* 45 FETCH (UID 45 INTERNALDATE \"01-Feb-2024 00:00:45 +0000\" BODY[TEXT] {4}\r\nabcd)\r\n$ OK done\r\n");
  g_string_append_printf(middle, "* 6 FETCH (UID 6 INTERNALDATE \"01-Feb-2024 00:00:06 +0000\" BODY[] {2000}\r\n%02000d)\r\n", 0);
  g_string_append(middle, "$ OK done\r\n");
  const Rule rules[] = {
    ALONE, SELECTED, { "LARGER", "* SEARCH 25 99 25 x 24 0 4294967296\r\n$ OK done\r\n" },
    { NEWEST, first->str }, { "UID FETCH 6:23 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])", middle->str },
    { "UID FETCH 24:25 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS",
      "* 25 FETCH (UID 25 INTERNALDATE \"01-Feb-2024 00:00:25 +0000\" BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: large\r\n)\r\n"
      "$ OK done\r\n" },
    { OLDEST, oldest }, { NULL, NULL }
  };
  Client client;
  Taken taken = { .lines = TRUE };
  g_autoptr(GError) error = NULL;
  g_assert_true(pull(&client, rules, &taken, &error));
  g_assert_no_error(error);
  expect(&taken, 26, 43, 1, 1);
  expect(&taken, 44, 45, 0, 0); /* their lines are asked for by themselves */
  expect(&taken, 25, 25, 1, 0);
  expect(&taken, 7, 24, 0, 0);
  expect(&taken, 6, 6, 1, 0);
  expect(&taken, 1, 5, 1, 1);
  g_autofree char *heard = leave(&client);
}

/* What else is on its way is taken in all the same. */
static void
test_refused(void)
{
  g_autofree char *newest = messages(30, 45, "$ NO [SERVERBUG] one cannot be read\r\n");
  g_autofree char *middle = messages(6, 25, "$ OK done\r\n"), *oldest = messages(1, 5, "$ NO nor here\r\n");
  const Rule rules[] = { ALONE, SELECTED, { "LARGER", "$ OK done\r\n" }, { NEWEST, newest },
                         { MIDDLE, middle }, { OLDEST, oldest }, { "NOOP", "$ OK done\r\n" }, { NULL, NULL } };
  Client client;
  Taken taken = { .lines = TRUE };
  g_autoptr(GError) error = NULL;
  g_assert_false(pull(&client, rules, &taken, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, "one cannot be read"));
  g_clear_error(&error);
  expect(&taken, 30, 45, 1, 1);
  expect(&taken, 26, 29, 0, 0);
  expect(&taken, 1, 25, 1, 1);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(&client.imap->base, changes, &error));
  g_autofree char *heard = leave(&client);
}

/* It hangs up at the last command, so that none of ours meets a closed line. */
static void
test_broken(void)
{
  g_autofree char *newest = messages(26, 45, "$ OK done\r\n"), *middle = messages(6, 25, "$ OK done\r\n");
  g_autofree char *oldest = messages(3, 5, "!");
  const Rule rules[] = { ALONE, SELECTED, { "LARGER", "$ OK done\r\n" }, { NEWEST, newest }, { MIDDLE, middle },
                         { OLDEST, oldest }, { NULL, NULL } };
  Client client;
  Taken taken = { .lines = TRUE };
  g_autoptr(GError) error = NULL;
  g_assert_false(pull(&client, rules, &taken, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_OFFLINE);
  expect(&taken, 3, 45, 1, 1); /* what came is handed on */
  expect(&taken, 1, 2, 0, 0);
  g_autofree char *heard = leave(&client);
}

/* Who has enough is not called again; what was asked for is read all the same, and the line is good for the next. */
static void
test_stopped(void)
{
  g_autofree char *newest = messages(26, 45, "$ OK done\r\n"), *middle = messages(6, 25, "$ OK done\r\n");
  g_autofree char *oldest = messages(1, 5, "$ OK done\r\n");
  const Rule rules[] = { ALONE, SELECTED, { "LARGER", "$ OK done\r\n" }, { NEWEST, newest }, { MIDDLE, middle },
                         { OLDEST, oldest }, { "NOOP", "$ OK done\r\n" }, { NULL, NULL } };
  Client client;
  Taken taken = { .lines = TRUE, .stop_after = 1 };
  g_autoptr(GError) error = NULL;
  g_assert_true(pull(&client, rules, &taken, &error));
  g_assert_cmpuint(taken.calls, ==, 1);
  expect(&taken, 26, ALL, 1, 1);
  expect(&taken, 1, 25, 0, 0);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(&client.imap->base, changes, &error));
  g_autofree char *heard = leave(&client);
}

/* Both commands of one piece are refused: one of the two is told, and the line is in step. */
static void
test_refused_twice(void)
{
  g_autofree char *newest = messages(26, 45, "$ OK done\r\n"), *oldest = messages(1, 5, "$ OK done\r\n");
  const Rule rules[] = { ALONE, SELECTED, { "LARGER", "* SEARCH 25\r\n$ OK done\r\n" }, { NEWEST, newest },
                         { "UID FETCH 6:24 (UID FLAGS", "$ NO not the texts\r\n" },
                         { "UID FETCH 25 (UID FLAGS", "$ NO nor the line\r\n" }, { OLDEST, oldest },
                         { "NOOP", "$ OK done\r\n" }, { NULL, NULL } };
  Client client;
  Taken taken = { .lines = TRUE };
  g_autoptr(GError) error = NULL;
  g_assert_false(pull(&client, rules, &taken, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, "nor the line"));
  g_clear_error(&error);
  expect(&taken, 26, 45, 1, 1);
  expect(&taken, 6, 25, 0, 0);
  expect(&taken, 1, 5, 1, 1);
  g_autoptr(MlChanges) changes = ml_changes_new();
  g_assert_true(ml_driver_poll(&client.imap->base, changes, &error));
  g_autofree char *heard = leave(&client);
}

typedef struct {
  Client client;
  guint calls;
} Dying;

static gboolean
on_dying(GPtrArray *bodies, guint done, guint total, gpointer data)
{
  Dying *dying = data;
  g_ptr_array_unref(bodies);
  if (!dying->calls++)
    g_set_error(&dying->client.imap->session->stream->wire.error, ML_ERROR, ML_ERROR_FAILED, "The line is of no use.");
  return TRUE;
}

/* The line dies of something that is none of the words for it, while three commands are on their way: that is no answer to
 * any of them, and nothing waits for one any more. */
static void
test_dead(void)
{
  g_autofree char *newest = messages(26, 45, "$ OK done\r\n"), *middle = messages(6, 25, "$ OK done\r\n");
  g_autofree char *oldest = messages(1, 5, "$ OK done\r\n");
  const Rule rules[] = { ALONE, SELECTED, { "LARGER", "$ OK done\r\n" }, { NEWEST, newest }, { MIDDLE, middle },
                         { OLDEST, oldest }, { NULL, NULL } };
  Dying dying = { .calls = 0 };
  Client *client = &dying.client;
  Taken taken = { .lines = TRUE, .func = on_dying, .data = &dying };
  g_autoptr(GError) error = NULL;
  g_assert_false(pull(client, rules, &taken, &error));
  g_assert_error(error, ML_ERROR, ML_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, "The line is of no use."));
  g_assert_cmpuint(dying.calls, ==, 1);
  g_assert_true(g_queue_is_empty(&client->imap->session->asked));
  g_autofree char *heard = leave(client);
}

static char *
found_large(guint from, guint to)
{
  GString *all = g_string_new("* SEARCH");
  for (guint uid = from; uid <= to; uid++)
    g_string_append_printf(all, " %u", uid);
  g_string_append(all, "\r\n$ OK done\r\n");
  return g_string_free(all, FALSE);
}

static gboolean
on_none(GPtrArray *bodies, guint done, guint total, gpointer data)
{
  g_assert_not_reached();
}

/* More that are too long than an answer may name: they are found by halves, and none is asked for whole. Where the server does
 * not say it of few numbers either, it is not asked again and again. */
static void
test_many_large(void)
{
  g_autofree char *all = found_large(1, 30000), *lower = found_large(1, 15000), *upper = found_large(15001, 30000);
  for (guint i = 0; i < 2; i++) {
    const Rule rules[] = { ALONE, { "SELECT", "* 30000 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n$ OK [READ-WRITE] done\r\n" },
                           { "UID 1:30000 LARGER", all }, { "UID 15001:30000 LARGER", upper },
                           { i ? "LARGER" : "UID 1:15000 LARGER", i ? all : lower },
                           { "FETCH", "$ OK done\r\n" }, { NULL, NULL } };
    MlSelected selected;
    Client client = { .account = { .name = (char *)"test", .kind = ML_ACCOUNT_IMAP },
                      .hooks = { .state_dir = "/nonexistent" } };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (guint32 uid = 1; uid <= 30000; uid++)
      g_array_append_val(uids, uid);
    client.imap = (MlImap *)ml_driver_new(&client.account, &client.hooks);
    client.imap->session = start(&client.server, "* PREAUTH hi\r\n", rules);
    gboolean ok = ml_imap_session_greet(client.imap->session, &error) &&
                  ml_imap_session_capability(client.imap->session, &error) &&
                  ml_driver_select(&client.imap->base, "INBOX", &selected, &error) &&
                  ml_driver_whole(&client.imap->base, uids, 1000, on_none, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_autofree char *heard = leave(&client);
    g_auto(GStrv) questions = g_strsplit(heard, "LARGER", -1);
    g_assert_cmpuint(g_strv_length(questions) - 1, ==, i ? 5 : 3); /* 1:7500 and 7501:15000 are few */
    g_assert_nonnull(strstr(heard, "29981:30000 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS"));
    g_assert_cmpint(strstr(heard, "BODY.PEEK[])") != NULL, ==, i != 0);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/whole/together", test_together);
  g_test_add_func("/whole/text-alone", test_text_alone);
  g_test_add_func("/whole/hostile", test_hostile);
  g_test_add_func("/whole/refused", test_refused);
  g_test_add_func("/whole/broken", test_broken);
  g_test_add_func("/whole/stopped", test_stopped);
  g_test_add_func("/whole/many-large", test_many_large);
  g_test_add_func("/whole/refused-twice", test_refused_twice);
  g_test_add_func("/whole/dead", test_dead);
  return g_test_run();
}
